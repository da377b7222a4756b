//! Plays the policy in the environment and writes down what the update needs.

use crate::env::{Env, EnvError, Step};
use crate::error::Fault;
use crate::gaussian;
use crate::graph::{Graph, numbers};
use crate::learner::{Draws, Learner};
use crate::normaliser::Moments;
use crate::ppo::PpoConfig;
use rand::RngExt;
use rand_distr::StandardNormal;
use std::time::Instant;

/// Where a batch of worlds stands between two iterations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Play {
    /// What is seen now, N × observation size, unscaled.
    pub observations: Vec<f32>,
    /// Sum of rewards of each running episode.
    pub returns: Vec<f64>,
    /// Steps of each running episode.
    pub lengths: Vec<u64>,
}

/// T steps of N worlds; lists are T × N rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rollout {
    /// Scaled observations.
    pub observations: Vec<f32>,
    /// As drawn, before the limit.
    pub actions: Vec<f32>,
    /// Mean actions.
    pub means: Vec<f32>,
    /// Logarithms of the probabilities of `actions`.
    pub log_probs: Vec<f32>,
    /// Rewards, with what an episode that was cut off could still have earned.
    pub rewards: Vec<f32>,
    /// Values in units of the reward.
    pub values: Vec<f32>,
    /// Whether an episode ended.
    pub ended: Vec<bool>,
    /// Values after the last step, N.
    pub next_values: Vec<f32>,
    /// Moments of the unscaled observations.
    pub seen: Moments,
    /// Return and length of each episode that ended.
    pub episodes: Vec<(f64, u64)>,
    /// Sum of the environment's own rewards.
    pub reward_sum: f64,
    /// Seconds spent in the environment.
    pub env_s: f64,
}

/// Why a rollout ended early.
#[derive(Debug)]
pub(crate) enum Broken {
    Fault(Fault),
    Env(EnvError),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Plays `config.horizon` steps. Noise comes from a generator of this iteration alone, so that a
/// resumed training draws the same.
pub(crate) fn collect(
    env: &mut dyn Env,
    learner: &Learner,
    play: &mut Play,
    config: &PpoConfig,
    seed: u64,
) -> Result<Rollout, Broken> {
    let worlds = env.worlds();
    let (seen_size, actions_size) =
        (env.contract().observation_size(), env.contract().action_size());
    let mut rng = Draws::Actions.generator(seed, learner.iteration);
    let graph = Graph::frozen(&learner.network);
    let scaler = learner.observations.scaler(config.observation_clip);
    let returns = learner.returns.scaler(f32::INFINITY);
    let log_std = &learner.network.log_std;
    let std: Vec<f32> = log_std.iter().map(|l| l.exp()).collect();
    let values_of = |scaled: &[f32]| -> Vec<f32> {
        let values = graph.values(graph.constant(scaled, scaled.len() / seen_size));
        numbers(values).into_iter().map(|v| returns.unscale_one(v)).collect()
    };

    let mut rollout = Rollout {
        observations: Vec::with_capacity(config.horizon * worlds * seen_size),
        actions: Vec::with_capacity(config.horizon * worlds * actions_size),
        means: Vec::with_capacity(config.horizon * worlds * actions_size),
        log_probs: Vec::with_capacity(config.horizon * worlds),
        rewards: Vec::with_capacity(config.horizon * worlds),
        values: Vec::with_capacity(config.horizon * worlds),
        ended: Vec::with_capacity(config.horizon * worlds),
        next_values: Vec::new(),
        seen: Moments::new(seen_size),
        episodes: Vec::new(),
        reward_sum: 0.0,
        env_s: 0.0,
    };
    let mut step = Step::new(worlds, seen_size);
    let mut scaled = vec![0.0; worlds * seen_size];
    let mut played = vec![0.0; worlds * actions_size];
    for _ in 0..config.horizon {
        rollout.seen.push(&play.observations);
        scaler.apply(&play.observations, &mut scaled);
        let means = numbers(graph.means(graph.constant(&scaled, worlds)));
        rollout.values.extend(values_of(&scaled));
        let first = rollout.actions.len();
        for mean in means.chunks_exact(actions_size) {
            let drawn = mean.iter().zip(&std).map(|(mean, std)| {
                let z: f32 = rng.sample(StandardNormal);
                mean + std * z
            });
            let start = rollout.actions.len();
            rollout.actions.extend(drawn);
            rollout.log_probs.push(gaussian::log_prob(mean, log_std, &rollout.actions[start..]));
        }
        for (played, drawn) in played.iter_mut().zip(&rollout.actions[first..]) {
            *played = drawn.clamp(-config.action_limit, config.action_limit);
        }
        rollout.observations.extend_from_slice(&scaled);
        rollout.means.extend(means);

        let start = Instant::now();
        env.step(&played, &mut step).map_err(Broken::Env)?;
        rollout.env_s += start.elapsed().as_secs_f64();
        check(env, &step, config.reward_limit)?;
        record(&step, play, &mut rollout);

        // An episode that was cut off could have earned what the critic expects after its last
        // observation (Pardo et al. 2018).
        let cut: Vec<usize> =
            (0..worlds).filter(|&w| step.truncated[w] && !step.terminated[w]).collect();
        if !cut.is_empty() {
            let last: Vec<f32> = cut
                .iter()
                .flat_map(|&w| row(&step.last_observations, w, seen_size))
                .copied()
                .collect();
            let mut last_scaled = vec![0.0; last.len()];
            scaler.apply(&last, &mut last_scaled);
            let rewards = rollout.rewards.len() - worlds;
            for (w, value) in cut.into_iter().zip(values_of(&last_scaled)) {
                rollout.rewards[rewards + w] += config.gamma * value;
            }
        }
        play.observations.copy_from_slice(&step.observations);
    }
    scaler.apply(&play.observations, &mut scaled);
    rollout.next_values = values_of(&scaled);
    Ok(rollout)
}

fn row(rows: &[f32], index: usize, size: usize) -> &[f32] {
    &rows[index * size..][..size]
}

/// Adds rewards and ends of one step, and closes the episodes that ended.
fn record(step: &Step, play: &mut Play, rollout: &mut Rollout) {
    rollout.rewards.extend_from_slice(&step.rewards);
    for world in 0..step.rewards.len() {
        let ended = step.terminated[world] || step.truncated[world];
        rollout.ended.push(ended);
        let reward = f64::from(step.rewards[world]);
        rollout.reward_sum += reward;
        play.returns[world] += reward;
        play.lengths[world] += 1;
        if ended {
            rollout.episodes.push((play.returns[world], play.lengths[world]));
            play.returns[world] = 0.0;
            play.lengths[world] = 0;
        }
    }
}

/// Finds the first number of a step that nothing can be learned from.
fn check(env: &dyn Env, step: &Step, limit: f32) -> Result<(), Fault> {
    let size = env.contract().observation_size();
    for (world, reward) in step.rewards.iter().enumerate() {
        if reward.is_nan() || reward.abs() > limit {
            return Err(Fault::Reward { world, value: *reward, limit });
        }
    }
    check_observations(env, &step.observations)?;
    for world in (0..step.rewards.len()).filter(|&w| step.terminated[w] || step.truncated[w]) {
        let last = row(&step.last_observations, world, size);
        if let Some(i) = last.iter().position(|x| !x.is_finite()) {
            let slice = env.contract().label_at(i);
            return Err(Fault::Observation { slice, world, value: last[i] });
        }
    }
    Ok(())
}

/// Finds the first observation (N × observation size) that is not finite.
pub(crate) fn check_observations(env: &dyn Env, observations: &[f32]) -> Result<(), Fault> {
    let size = env.contract().observation_size();
    match observations.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Fault::Observation {
            slice: env.contract().label_at(i % size),
            world: i / size,
            value: observations[i],
        }),
    }
}

#[cfg(test)]
mod tests;
