//! The track environment as something to learn in.

use super::actor::Imitator;
use dextra_data::atomic;
use dextra_learn::{ActionSlot, Contract, Env, EnvError, ObservationSlice, Step};
use dextra_motion::track::{StepOut, TrackEnv};
use dextra_sim::hand::Hand;

/// Many worlds of one task.
pub struct Worlds<'a> {
    /// The environment.
    pub env: TrackEnv<'a>,
    contract: Contract,
    out: StepOut,
    imitator: Option<Imitator>,
    seen: Vec<f32>,
    actions: Vec<f32>,
}

impl<'a> Worlds<'a> {
    /// Worlds of `hands`, with an imitator below what learns.
    pub fn new(env: TrackEnv<'a>, hands: &[&Hand], imitator: Option<Imitator>) -> Self {
        let contract = contract(&env, hands);
        let seen = env.observations();
        Self { env, contract, out: StepOut::default(), imitator, seen, actions: Vec::new() }
    }
}

/// What a policy of an environment sees and does.
pub fn contract(env: &TrackEnv<'_>, hands: &[&Hand]) -> Contract {
    let observations = env.observation_slices().iter().map(|slice| {
        let limit = slice.limit as f32;
        ObservationSlice::new(&slice.name, slice.range.len(), slice.unit, [-limit, limit])
    });
    let actions = env.action_names().into_iter().zip(env.action_scales());
    let actions = actions.map(|(name, (scale, unit))| ActionSlot::new(&name, unit, scale as f32));
    let models: Vec<u8> = hands.iter().flat_map(|hand| hand.xml.bytes()).collect();
    Contract {
        observations: observations.collect(),
        actions: actions.collect(),
        hand: atomic::sha256_hex(&models),
    }
}

impl Env for Worlds<'_> {
    fn contract(&self) -> &Contract {
        &self.contract
    }

    fn worlds(&self) -> usize {
        self.env.worlds()
    }

    fn reset(&mut self, seed: u64, observations: &mut [f32]) -> Result<(), EnvError> {
        self.seen = self.env.reset_all(seed)?;
        observations.copy_from_slice(&self.seen);
        Ok(())
    }

    fn step(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        let learned = self.env.learned_dim();
        let Some(imitator) = &mut self.imitator else {
            return self.play(actions, step);
        };
        let all = self.env.action_dim();
        self.actions.clear();
        self.actions.resize(self.env.worlds() * all, 0.0);
        for (row, action) in self.actions.chunks_exact_mut(all).zip(actions.chunks_exact(learned)) {
            row[..learned].copy_from_slice(action);
        }
        let sizes = (self.env.observation_dim(), learned, all);
        imitator.fill(&self.seen, &mut self.actions, sizes)?;
        let actions = std::mem::take(&mut self.actions);
        let played = self.play(&actions, step);
        self.actions = actions;
        played
    }

    fn save(&self) -> Result<Vec<u8>, EnvError> {
        Ok(self.env.save_state())
    }

    fn load(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.env.load_state(state)?;
        self.seen = self.env.observations();
        Ok(())
    }
}

impl Worlds<'_> {
    fn play(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        self.env.step(actions, &mut self.out)?;
        self.seen.clone_from(&self.out.observations);
        step.observations.copy_from_slice(&self.out.observations);
        step.rewards.copy_from_slice(&self.out.rewards);
        step.terminated.copy_from_slice(&self.out.terminated);
        step.truncated.copy_from_slice(&self.out.truncated);
        step.last_observations.copy_from_slice(&self.out.terminal_observations);
        Ok(())
    }
}
