//! `export`: a finished result in the terms of something else, one module per format.

pub mod dataset;
pub mod result;
pub mod robot;
