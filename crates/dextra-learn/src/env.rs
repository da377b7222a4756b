//! What can be learned in: a batch of worlds that step together.

use crate::contract::Contract;
use std::error::Error;

/// What an environment reports when it fails as a whole.
pub type EnvError = Box<dyn Error + Send + Sync>;

/// A batch of N worlds with the same contract.
///
/// Slices are row-major, one row per world. A world that ends is reset by [`Env::step`] itself. One that
/// breaks (a state that is not finite) is the environment's to quarantine: it reports the world as
/// terminated with finite numbers, since training stops at the first number that is not.
pub trait Env {
    /// Names and sizes of observations and actions.
    fn contract(&self) -> &Contract;

    /// Number of worlds, N.
    fn worlds(&self) -> usize;

    /// Starts every world anew, with all randomness from `seed`, and writes the first `observations`
    /// (N × observation size).
    ///
    /// # Errors
    /// Whatever keeps the environment from starting.
    fn reset(&mut self, seed: u64, observations: &mut [f32]) -> Result<(), EnvError>;

    /// Plays `actions` (N × action size, each within the action limit) and fills every part of `step`.
    ///
    /// # Errors
    /// Whatever keeps the environment as a whole from going on.
    fn step(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError>;

    /// Everything that [`Env::load`] needs to go on with the same bits, generators included.
    ///
    /// # Errors
    /// Whatever keeps the state from being written down.
    fn save(&self) -> Result<Vec<u8>, EnvError>;

    /// Takes over a state from [`Env::save`].
    ///
    /// # Errors
    /// The bytes do not fit this environment.
    fn load(&mut self, state: &[u8]) -> Result<(), EnvError>;
}

/// What one step of N worlds gave. Reused from step to step: everything is overwritten.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is seen next, N × observation size; of worlds that ended, the first of the next episode.
    pub observations: Vec<f32>,
    /// N rewards.
    pub rewards: Vec<f32>,
    /// Whether the episode came to an end that belongs to the task: nothing more can be earned.
    pub terminated: Vec<bool>,
    /// Whether it was cut off, for example by a time limit: more could have been earned.
    pub truncated: Vec<bool>,
    /// The last observation of each episode that ended, N × observation size; other rows are ignored.
    pub last_observations: Vec<f32>,
}

impl Step {
    /// Room for `worlds` worlds with observations of `size` numbers.
    pub fn new(worlds: usize, size: usize) -> Self {
        Self {
            observations: vec![0.0; worlds * size],
            rewards: vec![0.0; worlds],
            terminated: vec![false; worlds],
            truncated: vec![false; worlds],
            last_observations: vec![0.0; worlds * size],
        }
    }
}
