//! One file per verb: call the library, show the result.

pub mod collect;
pub mod config;
pub mod dataset;
pub mod demo;
pub mod doctor;
pub mod export;
pub mod feasibility;
pub mod hand;
pub mod import;
pub mod report;
pub mod rollout;
pub mod transfer;
pub mod view;
