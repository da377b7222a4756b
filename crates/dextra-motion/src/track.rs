//! Tracking as an environment for closed-loop policies: many worlds of one scene in which a base motion
//! is played and a policy corrects it.
//!
//! [`task::Task`] says what is tracked, [`compose`] how base and correction join, `observe` what a policy
//! sees, [`reward`] what is rewarded, [`curriculum`] what is easier at first, [`randomise`] what differs
//! from episode to episode. [`TrackEnv`] puts them together behind slices of `f32`, row-major, one row
//! per world; it knows nothing of networks. [`evaluate::evaluate`] judges any policy in the true world.
//!
//! Random draws depend on seed, world and episode alone, so that results are the same bits for any
//! number of threads, and a saved state goes on to the same bits.

pub mod anchor;
pub mod compose;
pub mod curriculum;
mod env;
mod episode;
pub mod evaluate;
pub mod grasp;
mod mirror;
mod observe;
pub mod randomise;
pub mod reward;
pub mod seen;
pub mod task;
mod termination;
pub mod wrench;

pub use env::{Below, StepOut, TrackConfig, TrackEnv};
pub use observe::{
    BASIS_RADIUS, ObservationConfig, ObservationSlice, basis, basis_distances, columns,
    object_in_wrist, turning_in_wrist, velocity_in_wrist,
};
pub use task::Task;
pub use termination::{MissedContact, Termination};

use dextra_sim::batch::BatchError;

/// Why a track environment refused.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The batch refused.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The task contradicts itself.
    #[error("the task is not consistent: {0}")]
    Task(&'static str),
    /// A setting is out of range.
    #[error("{what} must be {wanted}, not {got}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        got: String,
    },
    /// Two hands whose motions have no mirror image for each other.
    #[error("the motion cannot be mirrored: {0}")]
    Mirror(&'static str),
    /// A slice has the wrong length.
    #[error("{what}: expected {expected} values, got {got}")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Expected number of values.
        expected: usize,
        /// Given number of values.
        got: usize,
    },
    /// A saved state does not fit.
    #[error("the saved state does not fit this environment: {0}")]
    State(&'static str),
    /// The threads could not be started.
    #[error("the threads could not be started: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

#[cfg(test)]
mod tests;
