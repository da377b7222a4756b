//! Retarget, refine and evaluate: geometry and physics, no learning.

pub mod deploy;
pub mod evaluate;
pub mod feasibility;
pub mod holds;
pub mod refine;
pub mod retarget;
pub mod synth;
pub mod track;
