//! Small tasks, written out here: a point to be moved to a goal, and a pendulum to be kept up.

use dextra_learn::{
    ActionSlot, Contract, Env, EnvError, NetworkConfig, ObservationSlice, PpoConfig, Step,
    TrainConfig,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// One world of a task: a few numbers, and what they mean.
pub trait World: Clone {
    /// Numbers of the state.
    const STATE: usize;
    /// Steps until the time limit.
    const LIMIT: u32;
    fn contract() -> Contract;
    fn start(rng: &mut Pcg64) -> Vec<f32>;
    fn observe(state: &[f32]) -> Vec<f32>;
    /// Moves the state; returns the reward and whether the task is over.
    fn act(state: &mut [f32], action: &[f32]) -> (f32, bool);
}

/// A batch of worlds of one task, with one generator for all new starts.
pub struct Batch<W> {
    contract: Contract,
    states: Vec<Vec<f32>>,
    ages: Vec<u32>,
    steps: u64,
    rng: u64,
    /// World 0 gives this reward from this step on.
    pub broken: Option<(u64, f32)>,
    task: std::marker::PhantomData<W>,
}

impl<W: World> Batch<W> {
    pub fn new(worlds: usize) -> Self {
        Self {
            contract: W::contract(),
            states: vec![vec![0.0; W::STATE]; worlds],
            ages: vec![0; worlds],
            steps: 0,
            rng: 0,
            broken: None,
            task: std::marker::PhantomData,
        }
    }

    /// The same task for a hand with another hash.
    pub fn for_hand(mut self, hand: &str) -> Self {
        self.contract.hand = hand.into();
        self
    }

    fn restart(&mut self, world: usize) {
        // Each start has its own generator, so that the state to be saved is one number.
        self.rng = self.rng.wrapping_add(1);
        self.states[world] = W::start(&mut Pcg64::seed_from_u64(self.rng));
        self.ages[world] = 0;
    }
}

impl<W: World> Env for Batch<W> {
    fn contract(&self) -> &Contract {
        &self.contract
    }

    fn worlds(&self) -> usize {
        self.states.len()
    }

    fn reset(&mut self, seed: u64, observations: &mut [f32]) -> Result<(), EnvError> {
        self.rng = seed;
        self.steps = 0;
        for world in 0..self.states.len() {
            self.restart(world);
        }
        let size = self.contract.observation_size();
        for (state, row) in self.states.iter().zip(observations.chunks_exact_mut(size)) {
            row.copy_from_slice(&W::observe(state));
        }
        Ok(())
    }

    fn step(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        let (size, width) = (self.contract.observation_size(), self.contract.action_size());
        self.steps += 1;
        for world in 0..self.states.len() {
            let action = &actions[world * width..][..width];
            assert!(action.iter().all(|a| a.abs() <= 1.0), "actions are within the limit");
            let (reward, over) = W::act(&mut self.states[world], action);
            self.ages[world] += 1;
            step.rewards[world] = reward;
            step.terminated[world] = over;
            step.truncated[world] = self.ages[world] >= W::LIMIT;
            let row = world * size..(world + 1) * size;
            let seen = W::observe(&self.states[world]);
            step.last_observations[row.clone()].copy_from_slice(&seen);
            if over || step.truncated[world] {
                self.restart(world);
            }
            step.observations[row].copy_from_slice(&W::observe(&self.states[world]));
        }
        if let Some((from, reward)) = self.broken
            && self.steps >= from
        {
            step.rewards[0] = reward;
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, EnvError> {
        let mut bytes = [self.rng, self.steps].map(u64::to_le_bytes).concat();
        for (state, age) in self.states.iter().zip(&self.ages) {
            bytes.extend(age.to_le_bytes());
            bytes.extend(state.iter().flat_map(|x| x.to_le_bytes()));
        }
        Ok(bytes)
    }

    fn load(&mut self, state: &[u8]) -> Result<(), EnvError> {
        let expected = 16 + self.states.len() * 4 * (1 + W::STATE);
        if state.len() != expected {
            return Err(format!("{} bytes of state, not {expected}", state.len()).into());
        }
        self.rng = u64::from_le_bytes(state[..8].try_into()?);
        self.steps = u64::from_le_bytes(state[8..16].try_into()?);
        for (world, bytes) in state[16..].chunks_exact(4 * (1 + W::STATE)).enumerate() {
            self.ages[world] = u32::from_le_bytes(bytes[..4].try_into()?);
            for (x, bytes) in self.states[world].iter_mut().zip(bytes[4..].chunks_exact(4)) {
                *x = f32::from_le_bytes(bytes.try_into()?);
            }
        }
        Ok(())
    }
}

/// A point in a square of 2 m that is to reach a goal: the action is its velocity, one step lasts 0.1 s,
/// the reward is minus the distance; 5 cm is close enough and ends the episode.
#[derive(Clone)]
pub struct Reach;

impl World for Reach {
    const STATE: usize = 4;
    const LIMIT: u32 = 40;

    fn contract() -> Contract {
        Contract {
            observations: vec![
                ObservationSlice::new("point", 2, "m", [-3.0, 3.0]),
                ObservationSlice::new("goal", 2, "m", [-1.0, 1.0]),
            ],
            actions: ["x", "y"].map(|name| ActionSlot::new(name, "m/s", 1.0)).to_vec(),
            hand: "no hand".into(),
        }
    }

    fn start(rng: &mut Pcg64) -> Vec<f32> {
        (0..4).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn observe(state: &[f32]) -> Vec<f32> {
        state.to_vec()
    }

    fn act(state: &mut [f32], action: &[f32]) -> (f32, bool) {
        for i in 0..2 {
            state[i] = (state[i] + 0.1 * action[i]).clamp(-2.0, 2.0);
        }
        let distance = (state[0] - state[2]).hypot(state[1] - state[3]);
        (-distance, distance < 0.05)
    }
}

/// A pendulum of 1 m and 1 kg with a weak motor (2 N m), to be swung up and kept up; episodes end by
/// time alone. State: angle from upright, angular velocity.
#[derive(Clone)]
pub struct Pendulum;

impl World for Pendulum {
    const STATE: usize = 2;
    const LIMIT: u32 = 100;

    fn contract() -> Contract {
        Contract {
            observations: vec![
                ObservationSlice::new("direction", 2, "1", [-1.0, 1.0]),
                ObservationSlice::new("velocity", 1, "rad/s", [-8.0, 8.0]),
            ],
            actions: vec![ActionSlot::new("torque", "N m", 2.0)],
            hand: "no hand".into(),
        }
    }

    fn start(rng: &mut Pcg64) -> Vec<f32> {
        vec![
            rng.random_range(-std::f32::consts::PI..std::f32::consts::PI),
            rng.random_range(-1.0..1.0),
        ]
    }

    fn observe(state: &[f32]) -> Vec<f32> {
        vec![state[0].cos(), state[0].sin(), state[1]]
    }

    fn act(state: &mut [f32], action: &[f32]) -> (f32, bool) {
        let torque = 2.0 * action[0];
        let angle = (state[0] + std::f32::consts::PI).rem_euclid(std::f32::consts::TAU)
            - std::f32::consts::PI;
        let cost = angle * angle + 0.1 * state[1] * state[1] + 0.001 * torque * torque;
        // A thin rod: inertia m l² / 3, gravity at half its length.
        state[1] += 0.05 * (1.5 * 9.81 * state[0].sin() + 3.0 * torque);
        state[1] = state[1].clamp(-8.0, 8.0);
        state[0] += 0.05 * state[1];
        (-cost, false)
    }
}

/// Settings for small tasks.
pub fn small(seed: u64, iterations: u64) -> TrainConfig {
    TrainConfig {
        seed,
        iterations,
        checkpoint_every: 1000,
        network: NetworkConfig {
            actor: vec![32, 32],
            critic: vec![32, 32],
            log_std: -0.5,
            ..Default::default()
        },
        ppo: PpoConfig { horizon: 16, rate: 1e-3, ..Default::default() },
        ..Default::default()
    }
}
