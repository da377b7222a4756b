//! What a rollout writes down, in an environment whose steps are written out.

use super::*;
use crate::contract::{ActionSlot, Contract, ObservationSlice};
use crate::network::NetworkConfig;

const WORLDS: usize = 3;

/// Observations are one number. After the first step, world 0 is cut off, world 1 is over, world 2 is both;
/// nothing ends afterwards.
struct Script {
    contract: Contract,
    steps: usize,
    played: Vec<f32>,
}

impl Script {
    fn new() -> Self {
        let contract = Contract {
            observations: vec![ObservationSlice::new("x", 1, "m", [-1.0, 1.0])],
            actions: vec![ActionSlot::new("a", "m", 1.0)],
            hand: String::new(),
        };
        Self { contract, steps: 0, played: Vec::new() }
    }
}

impl Env for Script {
    fn contract(&self) -> &Contract {
        &self.contract
    }

    fn worlds(&self) -> usize {
        WORLDS
    }

    fn reset(&mut self, _seed: u64, _observations: &mut [f32]) -> Result<(), EnvError> {
        Ok(())
    }

    fn step(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        let first = self.steps == 0;
        self.steps += 1;
        self.played.extend_from_slice(actions);
        step.rewards.copy_from_slice(&[1.0, 2.0, 3.0]);
        step.truncated.copy_from_slice(&[first, false, first]);
        step.terminated.copy_from_slice(&[false, first, first]);
        step.last_observations.fill(0.5);
        step.observations.fill(if first { -1.0 } else { 0.25 });
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, EnvError> {
        Ok(Vec::new())
    }

    fn load(&mut self, _state: &[u8]) -> Result<(), EnvError> {
        Ok(())
    }
}

/// A critic that values x at x + 2: its output is x, and returns so far were 1 and 3.
fn learner(env: &Script) -> Learner {
    let network = NetworkConfig { actor: vec![4], critic: vec![], ..Default::default() };
    let mut learner = Learner::new(&env.contract, &network, &PpoConfig::default(), 0);
    learner.network.critic.layers[0].weight = vec![1.0];
    learner.returns.push(&[1.0, 3.0]);
    learner
}

fn play() -> Play {
    Play { observations: vec![0.1, 0.2, 0.3], returns: vec![10.0; 3], lengths: vec![4; 3] }
}

fn close(found: &[f32], expected: &[f32]) {
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near && found.len() == expected.len(), "{found:?} for {expected:?}");
}

#[test]
fn only_episodes_that_were_cut_off_get_the_value_of_what_was_left() {
    let mut env = Script::new();
    let (learner, mut play) = (learner(&env), play());
    let config = PpoConfig { horizon: 2, gamma: 0.9, ..Default::default() };
    let rollout = collect(&mut env, &learner, &mut play, &config, 1).unwrap();
    // World 0: 1 + 0.9 · V(0.5); the value of where the next episode starts plays no part.
    close(&rollout.rewards, &[1.0 + 0.9 * 2.5, 2.0, 3.0, 1.0, 2.0, 3.0]);
    close(&rollout.values, &[2.1, 2.2, 2.3, 1.0, 1.0, 1.0]);
    close(&rollout.next_values, &[2.25; 3]);
    close(&rollout.observations, &[0.1, 0.2, 0.3, -1.0, -1.0, -1.0]);
    assert_eq!(rollout.ended, [true, true, true, false, false, false]);
    // What the environment gave is reported without values.
    assert_eq!(rollout.episodes, [(11.0, 5), (12.0, 5), (13.0, 5)]);
    assert_eq!(rollout.reward_sum, 12.0);
    let expected =
        Play { observations: vec![0.25; 3], returns: vec![1.0, 2.0, 3.0], lengths: vec![1; 3] };
    assert_eq!(play, expected);
    assert_eq!(rollout.seen.count, 6.0);
}

#[test]
fn actions_are_gaussian_around_the_mean_and_cut_for_the_environment_alone() {
    let mut env = Script::new();
    let (mut learner, mut play) = (learner(&env), play());
    learner.network.log_std = vec![0.5_f32.ln()];
    learner.network.actor.layers[1].bias = vec![0.8];
    let config = PpoConfig { horizon: 2000, ..Default::default() };
    let rollout = collect(&mut env, &learner, &mut play, &config, 1).unwrap();
    let n = rollout.actions.len() as f64;
    let z: Vec<f64> = rollout
        .actions
        .iter()
        .zip(&rollout.means)
        .map(|(action, mean)| f64::from(action - mean) / 0.5)
        .collect();
    let (mean, variance) = (z.iter().sum::<f64>() / n, z.iter().map(|z| z * z).sum::<f64>() / n);
    // Five standard errors of 6000 draws.
    assert!(mean.abs() < 0.065 && (variance - 1.0).abs() < 0.092, "{mean}, {variance}");
    for (i, (drawn, played)) in rollout.actions.iter().zip(&env.played).enumerate() {
        assert_eq!(*played, drawn.clamp(-1.0, 1.0));
        let density = (-0.5 * z[i] * z[i]).exp() / (0.5 * std::f64::consts::TAU.sqrt());
        assert!((f64::from(rollout.log_probs[i]) - density.ln()).abs() < 1e-4);
    }
    assert!(env.played.contains(&1.0), "some are cut");
}
