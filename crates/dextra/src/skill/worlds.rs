//! The track environment as something to learn in, and several of them as one.

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

/// Worlds of several tasks with the same contract, one part after the other.
pub struct Parts<'a> {
    parts: Vec<Worlds<'a>>,
    /// What the present step of each part gave.
    steps: Vec<Step>,
}

impl<'a> Parts<'a> {
    /// The parts as one; there must be at least one.
    pub fn new(parts: Vec<Worlds<'a>>) -> Self {
        debug_assert!(parts.iter().all(|part| part.contract == parts[0].contract));
        let room = |part: &Worlds<'_>| Step::new(part.worlds(), part.env.observation_dim());
        let steps = parts.iter().map(room).collect();
        Self { parts, steps }
    }
}

impl Env for Parts<'_> {
    fn contract(&self) -> &Contract {
        self.parts[0].contract()
    }

    fn worlds(&self) -> usize {
        self.parts.iter().map(Env::worlds).sum()
    }

    fn reset(&mut self, seed: u64, observations: &mut [f32]) -> Result<(), EnvError> {
        let mut rest = observations;
        for (index, part) in self.parts.iter_mut().enumerate() {
            let own;
            (own, rest) = rest.split_at_mut(part.worlds() * part.env.observation_dim());
            part.reset(seed.wrapping_add(index as u64), own)?;
        }
        Ok(())
    }

    fn step(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        let mut rest = actions;
        for (part, own) in self.parts.iter_mut().zip(&mut self.steps) {
            let played;
            (played, rest) = rest.split_at(part.worlds() * part.env.learned_dim());
            part.step(played, own)?;
        }
        let joined = |values: fn(&Step) -> &[f32]| self.steps.iter().flat_map(values);
        let flags = |values: fn(&Step) -> &[bool]| self.steps.iter().flat_map(values);
        fill(&mut step.observations, joined(|own| &own.observations));
        fill(&mut step.rewards, joined(|own| &own.rewards));
        fill(&mut step.last_observations, joined(|own| &own.last_observations));
        fill(&mut step.terminated, flags(|own| &own.terminated));
        fill(&mut step.truncated, flags(|own| &own.truncated));
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, EnvError> {
        let mut out = Vec::new();
        for part in &self.parts {
            let state = part.save()?;
            out.extend((state.len() as u64).to_le_bytes());
            out.extend(state);
        }
        Ok(out)
    }

    fn load(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let mut rest = state;
        for part in &mut self.parts {
            let short = "the saved state ends too early";
            let (size, after) = rest.split_first_chunk().ok_or(short)?;
            let size = usize::try_from(u64::from_le_bytes(*size))?;
            let own;
            (own, rest) = after.split_at_checked(size).ok_or(short)?;
            part.load(own)?;
        }
        if rest.is_empty() { Ok(()) } else { Err("the saved state is too long".into()) }
    }
}

fn fill<'a, T: Copy + 'a>(out: &mut [T], values: impl Iterator<Item = &'a T>) {
    out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
}

#[cfg(test)]
mod tests;
