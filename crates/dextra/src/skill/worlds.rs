//! The track environment as something to learn in.

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
}

impl<'a> Worlds<'a> {
    /// Worlds of `hands`.
    pub fn new(env: TrackEnv<'a>, hands: &[&Hand]) -> Self {
        let contract = contract(&env, hands);
        Self { env, contract, out: StepOut::default() }
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
        observations.copy_from_slice(&self.env.reset_all(seed)?);
        Ok(())
    }

    fn step(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        self.env.step(actions, &mut self.out)?;
        step.observations.copy_from_slice(&self.out.observations);
        step.rewards.copy_from_slice(&self.out.rewards);
        step.terminated.copy_from_slice(&self.out.terminated);
        step.truncated.copy_from_slice(&self.out.truncated);
        step.last_observations.copy_from_slice(&self.out.terminal_observations);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, EnvError> {
        Ok(self.env.save_state())
    }

    fn load(&mut self, state: &[u8]) -> Result<(), EnvError> {
        Ok(self.env.load_state(state)?)
    }
}
