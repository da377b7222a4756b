//! What acts: a policy, and the frozen imitator below it where the recipe has one.

use super::worlds::contract;
use crate::error::Error;
use dextra_learn::{Contract, LearnError, Policy};
use dextra_motion::track::TrackEnv;
use dextra_sim::hand::Hand;
use std::ops::Range;
use std::path::Path;

/// Stage name in errors.
const STAGE: &str = "policy";
/// Folder of the imitator's policy within that of a skill.
pub const IMITATOR: &str = "imitator";
/// The slice whose content depends on who acts.
const LAST_ACTION: &str = "last_action";

/// A policy of hand motion that sees part of what the environment shows, and whose actions come first.
#[derive(Clone, Debug)]
pub struct Imitator {
    policy: Policy,
    /// Where its observations lie in the environment's.
    seen: Vec<Range<usize>>,
    gathered: Vec<f32>,
}

impl Imitator {
    /// Takes a policy that learned by the contract `alone`, for `env`.
    pub(crate) fn load(folder: &Path, alone: &Contract, env: &TrackEnv<'_>) -> Result<Self, Error> {
        let policy = Policy::load(folder, alone).map_err(Error::stage(STAGE))?;
        let learned = env.learned_dim();
        let slices = env.observation_slices();
        let seen = alone
            .observations
            .iter()
            .map(|wanted| {
                let slice = slices.iter().find(|slice| slice.name == wanted.name);
                let range = slice
                    .map(|slice| slice.range.clone())
                    .filter(|range| wanted.name == LAST_ACTION || range.len() == wanted.size);
                let range = range.ok_or_else(|| {
                    Error::Request(format!(
                        "the imitator sees `{}` [{}], which the environment above it does not show",
                        wanted.name, wanted.size
                    ))
                })?;
                let own = if wanted.name == LAST_ACTION { learned } else { 0 };
                Ok(range.start + own..range.end)
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self { policy, seen, gathered: Vec::new() })
    }

    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<(), LearnError> {
        self.gathered.clear();
        for range in &self.seen {
            self.gathered.extend_from_slice(&observation[range.clone()]);
        }
        self.policy.act(&self.gathered, action)
    }

    /// Fills the last parts of the rows of `actions` (`[n, action_dim]`).
    pub(crate) fn fill(
        &mut self,
        observations: &[f32],
        actions: &mut [f32],
        (seen, learned, all): (usize, usize, usize),
    ) -> Result<(), LearnError> {
        let rows = observations.chunks_exact(seen).zip(actions.chunks_exact_mut(all));
        for (observation, action) in rows {
            self.act(observation, &mut action[learned..])?;
        }
        Ok(())
    }
}

/// All that acts in a skill.
#[derive(Clone, Debug)]
pub struct Actor {
    policy: Policy,
    imitator: Option<Imitator>,
    learned: usize,
}

impl Actor {
    /// A policy for `env`, with the imitator below it.
    pub(crate) fn load(
        folder: &Path,
        env: &TrackEnv<'_>,
        hands: &[&Hand],
        imitator: Option<Imitator>,
    ) -> Result<Self, Error> {
        let policy = Policy::load(folder, &contract(env, hands)).map_err(Error::stage(STAGE))?;
        Ok(Self { policy, imitator, learned: env.learned_dim() })
    }

    /// Writes the action for one observation.
    pub(crate) fn act(
        &mut self,
        observation: &[f32],
        action: &mut [f32],
    ) -> Result<(), LearnError> {
        let (learned, below) = action.split_at_mut(self.learned);
        self.policy.act(observation, learned)?;
        match &mut self.imitator {
            Some(imitator) => imitator.act(observation, below),
            None => Ok(()),
        }
    }
}
