//! Proximal policy optimisation: one update from one rollout.

use crate::LearnError;
use crate::adam::limit_norm;
use crate::error::Fault;
use crate::gae::advantages;
use crate::gaussian;
use crate::graph::Graph;
use crate::learner::{Draws, Learner};
use crate::loss::{LossConfig, LossParts, Minibatch, loss};
use crate::network::ActorCritic;
use crate::rollout::Rollout;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of proximal policy optimisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Steps of each world per iteration, T.
    pub horizon: usize,
    /// Passes over the samples of an iteration.
    pub epochs: usize,
    /// Parts that the samples of an iteration are split into, one step downhill each.
    pub minibatches: usize,
    /// Discount per step, γ.
    pub gamma: f32,
    /// Decay of later steps in advantages, λ.
    pub lambda: f32,
    /// Learning rate at the start.
    pub rate: f64,
    /// Divergence per update that the learning rate is steered to, in nats; `None` keeps the rate.
    pub target_kl: Option<f32>,
    /// Least and greatest learning rate when steered.
    pub rate_range: [f64; 2],
    /// Longest gradient, actor and critic together.
    pub gradient_norm: f32,
    /// The loss.
    pub loss: LossConfig,
    /// Actions are cut to ± this before the environment gets them.
    pub action_limit: f32,
    /// Scaled observations are cut to ± this.
    pub observation_clip: f32,
    /// First iterations in which only the critic learns, so that one that knows nothing does not spoil
    /// a good start.
    pub critic_first: u64,
    /// A reward beyond ± this stops training.
    pub reward_limit: f32,
    /// A part of the loss beyond ± this stops training.
    pub loss_limit: f32,
}

impl Default for PpoConfig {
    /// ManipTrans: γ, λ, horizon, epochs; rsl_rl: minibatches, gradient norm, divergence 0.01 and the
    /// range of the rate; rl_games: observations clipped at 5.
    fn default() -> Self {
        Self {
            horizon: 32,
            epochs: 5,
            minibatches: 4,
            gamma: 0.99,
            lambda: 0.95,
            rate: 5e-4,
            target_kl: Some(0.01),
            rate_range: [1e-5, 1e-2],
            gradient_norm: 1.0,
            loss: LossConfig::default(),
            action_limit: 1.0,
            observation_clip: 5.0,
            critic_first: 0,
            reward_limit: 1e6,
            loss_limit: 1e6,
        }
    }
}

impl PpoConfig {
    /// Checks what would end in nonsense, for N `worlds`.
    ///
    /// # Errors
    /// [`LearnError::Setting`] names the first setting that does.
    pub fn check(&self, worlds: usize) -> Result<(), LearnError> {
        let samples = self.horizon.saturating_mul(worlds);
        let rules: [(&'static str, bool, String); 13] = [
            ("ppo.horizon", self.horizon > 0, "must be at least 1".into()),
            ("ppo.epochs", self.epochs > 0, "must be at least 1".into()),
            (
                "ppo.minibatches",
                (1..=samples).contains(&self.minibatches),
                format!("must be from 1 to {samples}, the samples of an iteration"),
            ),
            ("ppo.gamma", (0.0..=1.0).contains(&self.gamma), "must be from 0 to 1".into()),
            ("ppo.lambda", (0.0..=1.0).contains(&self.lambda), "must be from 0 to 1".into()),
            ("ppo.rate", positive(self.rate), "must be above zero".into()),
            (
                "ppo.target_kl",
                self.target_kl.is_none_or(|kl| positive(kl.into())),
                "must be above zero".into(),
            ),
            (
                "ppo.rate_range",
                self.rate_range.into_iter().all(positive)
                    && self.rate_range[0] <= self.rate_range[1],
                "must be above zero and in order".into(),
            ),
            ("ppo.gradient_norm", positive(self.gradient_norm.into()), "must be above zero".into()),
            ("ppo.action_limit", positive(self.action_limit.into()), "must be above zero".into()),
            (
                "ppo.observation_clip",
                positive(self.observation_clip.into()),
                "must be above zero".into(),
            ),
            ("ppo.loss.clip", positive(self.loss.clip.into()), "must be above zero".into()),
            (
                "ppo.loss",
                [self.loss.value, self.loss.entropy, self.loss.bounds, self.loss.bound]
                    .into_iter()
                    .all(|w| w.is_finite() && w >= 0.0),
                "weights and the bound must be finite and not negative".into(),
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, problem)) => Err(LearnError::Setting { field, problem }),
            None => Ok(()),
        }
    }
}

fn positive(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

/// The learning rate after a minibatch whose policy lies `kl` from the one that acted (the rule of
/// rsl_rl): divided by 1.5 where that is more than twice the target, times 1.5 where it is less than
/// half and not zero.
pub fn steered_rate(rate: f64, kl: f32, target: f32, range: [f64; 2]) -> f64 {
    if kl > 2.0 * target {
        (rate / 1.5).max(range[0])
    } else if kl > 0.0 && kl < 0.5 * target {
        (rate * 1.5).min(range[1])
    } else {
        rate
    }
}

/// What an update did, averaged over its minibatches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct UpdateReport {
    pub parts: LossParts,
    pub kl: f32,
    pub gradient_norm: f32,
}

/// Learns from `rollout`: epochs over shuffled minibatches, then the moments of observations. The
/// learner is unusable after a fault.
pub(crate) fn update(
    learner: &mut Learner,
    rollout: &Rollout,
    config: &PpoConfig,
    log_std_range: [f32; 2],
    seed: u64,
) -> Result<UpdateReport, Fault> {
    let samples = samples(learner, rollout, config);
    let critic_only = learner.iteration < config.critic_first;
    let old_log_std = learner.network.log_std.clone();
    let mut rng = Draws::Order.generator(seed, learner.iteration);
    let mut order: Vec<usize> = (0..samples.advantages.len()).collect();
    let mut sum = UpdateReport::default();
    for _ in 0..config.epochs {
        order.shuffle(&mut rng);
        for part in 0..config.minibatches {
            let cut = |part: usize| part * order.len() / config.minibatches;
            let batch = samples.pick(&order[cut(part)..cut(part + 1)]);
            let slope = slope(&learner.network, &batch, &config.loss);
            check(&slope.parts, config.loss_limit)?;
            let log_std = &learner.network.log_std;
            let kl = mean_kl([&batch.means, &old_log_std], [&slope.means, log_std]);
            if let (Some(target), false) = (config.target_kl, critic_only) {
                learner.rate = steered_rate(learner.rate, kl, target, config.rate_range);
            }
            let mut gradients = slope.gradients;
            if critic_only {
                let policy = learner.network.policy_parameters();
                gradients[..policy].iter_mut().for_each(Vec::clear);
            }
            let norm = limit_norm(&mut gradients, config.gradient_norm);
            if !norm.is_finite() {
                return Err(Fault::Gradient { value: norm });
            }
            let mut parameters = learner.network.parameters_mut();
            learner.adam.step(&mut parameters, &gradients, learner.rate);
            for log_std in &mut learner.network.log_std {
                *log_std = log_std.clamp(log_std_range[0], log_std_range[1]);
            }
            sum.add(&slope.parts, kl, norm);
        }
    }
    for parameter in learner.network.parameters() {
        if !parameter.values.iter().all(|x| x.is_finite()) {
            return Err(Fault::Parameter { name: parameter.name });
        }
    }
    learner.observations.merge(&rollout.seen);
    learner.steps += samples.advantages.len() as u64;
    learner.iteration += 1;
    Ok(sum.divided((config.epochs * config.minibatches) as f32))
}

/// The loss of a minibatch and which way it rises.
struct Slope {
    parts: LossParts,
    /// Mean actions now, B × actions.
    means: Vec<f32>,
    /// One per parameter; empty where it has no part in the loss.
    gradients: Vec<Vec<f32>>,
}

/// Works on pieces of a minibatch at once. The pieces do not depend on the number of threads, and are
/// summed in their order, so the result does not either.
fn slope(network: &ActorCritic, batch: &Minibatch, config: &LossConfig) -> Slope {
    /// Large enough for matrix products, small enough for many threads.
    const PIECE: usize = 128;
    let rows: Vec<usize> = (0..batch.advantages.len()).collect();
    let pieces: Vec<(f32, Slope)> = rows
        .par_chunks(PIECE)
        .map(|piece| {
            let graph = Graph::tracked(network);
            let loss = loss(&graph, &batch.pick(piece), config);
            let gradients = graph.gradients(&loss.total);
            let share = piece.len() as f32 / rows.len() as f32;
            (share, Slope { parts: loss.parts, means: loss.means, gradients })
        })
        .collect();
    let mut sum = Slope { parts: LossParts::default(), means: Vec::new(), gradients: Vec::new() };
    for (share, piece) in pieces {
        sum.parts.add(&piece.parts, share);
        sum.means.extend(piece.means);
        sum.gradients.resize_with(piece.gradients.len(), Vec::new);
        for (sum, piece) in sum.gradients.iter_mut().zip(piece.gradients) {
            sum.resize(piece.len(), 0.0);
            sum.iter_mut().zip(piece).for_each(|(sum, x)| *sum += share * x);
        }
    }
    sum
}

/// The samples of a rollout with advantages (normalised over all of them), and returns and values in
/// the critic's units, which move with the returns.
fn samples(learner: &mut Learner, rollout: &Rollout, config: &PpoConfig) -> Minibatch {
    let Rollout { rewards, values, ended, next_values, .. } = rollout;
    let mut advantages =
        advantages(rewards, values, ended, next_values, config.gamma, config.lambda);
    let returns: Vec<f32> = advantages.iter().zip(values).map(|(a, v)| a + v).collect();
    learner.returns.push(&returns);
    let scaler = learner.returns.scaler(f32::INFINITY);
    let scaled = |list: &[f32]| list.iter().map(|x| scaler.scale_one(*x)).collect();
    normalise(&mut advantages);
    Minibatch {
        observations: rollout.observations.clone(),
        actions: rollout.actions.clone(),
        means: rollout.means.clone(),
        log_probs: rollout.log_probs.clone(),
        advantages,
        returns: scaled(&returns),
        values: scaled(values),
    }
}

/// To mean zero and standard deviation one.
fn normalise(list: &mut [f32]) {
    let n = list.len() as f64;
    let mean = list.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let variance = list.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
    let scale = 1.0 / (variance.sqrt() + 1e-8);
    list.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * scale) as f32);
}

/// Mean divergence over rows: each side is the rows' means and the logarithms of the deviations.
fn mean_kl(old: [&[f32]; 2], new: [&[f32]; 2]) -> f32 {
    let size = old[1].len();
    let rows = old[0].chunks_exact(size).zip(new[0].chunks_exact(size));
    let sum: f64 = rows.map(|(o, n)| f64::from(gaussian::kl([o, old[1]], [n, new[1]]))).sum();
    (sum / (old[0].len() / size) as f64) as f32
}

fn check(parts: &LossParts, limit: f32) -> Result<(), Fault> {
    let named = [
        ("surrogate loss", parts.surrogate),
        ("value loss", parts.value),
        ("entropy", parts.entropy),
        ("bounds loss", parts.bounds),
    ];
    match named.into_iter().find(|(_, value)| value.is_nan() || value.abs() > limit) {
        Some((name, value)) => Err(Fault::Loss { name, value, limit }),
        None => Ok(()),
    }
}

impl Minibatch {
    /// The samples at `rows`, in that order.
    fn pick(&self, rows: &[usize]) -> Self {
        let all = self.advantages.len();
        let gather = |list: &[f32]| -> Vec<f32> {
            let size = list.len() / all;
            let mut picked = Vec::with_capacity(rows.len() * size);
            for row in rows {
                picked.extend_from_slice(&list[row * size..][..size]);
            }
            picked
        };
        Self {
            observations: gather(&self.observations),
            actions: gather(&self.actions),
            means: gather(&self.means),
            log_probs: gather(&self.log_probs),
            advantages: gather(&self.advantages),
            returns: gather(&self.returns),
            values: gather(&self.values),
        }
    }
}

impl UpdateReport {
    fn add(&mut self, parts: &LossParts, kl: f32, norm: f32) {
        self.parts.add(parts, 1.0);
        self.kl += kl;
        self.gradient_norm += norm;
    }

    fn divided(mut self, count: f32) -> Self {
        self.parts.surrogate /= count;
        self.parts.value /= count;
        self.parts.entropy /= count;
        self.parts.bounds /= count;
        self.kl /= count;
        self.gradient_norm /= count;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkConfig;
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn the_rate_follows_the_divergence() {
        let range = [1e-5, 1e-2];
        let after = |rate, kl| steered_rate(rate, kl, 0.01, range);
        assert_eq!(after(3e-4, 0.021), 3e-4 / 1.5, "too far: slower");
        assert_eq!(after(3e-4, 0.004), 3e-4 * 1.5, "hardly moved: faster");
        assert_eq!(after(3e-4, 0.019), 3e-4, "near the target: as before");
        assert_eq!(after(3e-4, 0.006), 3e-4, "near the target: as before");
        assert_eq!(after(3e-4, 0.0), 3e-4, "the first minibatch says nothing");
        assert_eq!((after(1.2e-5, 1.0), after(9e-3, 1e-4)), (1e-5, 1e-2), "within the range");
    }

    #[test]
    fn pieces_of_a_minibatch_make_the_gradient_of_the_whole() {
        let config = NetworkConfig { actor: vec![8], critic: vec![8], ..Default::default() };
        let network = ActorCritic::new(3, 2, &config, &mut Pcg64::seed_from_u64(1));
        let wave = |count: usize, k: f32| (0..count).map(|i| (i as f32 * k).sin()).collect();
        let rows = 300;
        let batch = Minibatch {
            observations: wave(rows * 3, 0.7),
            actions: wave(rows * 2, 1.3),
            means: wave(rows * 2, 0.3),
            log_probs: wave(rows, 0.9),
            advantages: wave(rows, 2.1),
            returns: wave(rows, 0.4),
            values: wave(rows, 0.6),
        };
        let found = slope(&network, &batch, &LossConfig::default());
        let graph = Graph::tracked(&network);
        let whole = loss(&graph, &batch, &LossConfig::default());
        let expected = graph.gradients(&whole.total).concat();
        let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        for (a, b) in found.gradients.concat().iter().zip(&expected) {
            assert!((a - b).abs() < 1e-4 * largest, "{a} {b}");
        }
        assert_eq!(found.gradients.concat().len(), expected.len());
        assert!((found.parts.value - whole.parts.value).abs() < 1e-5);
        assert!((found.parts.surrogate - whole.parts.surrogate).abs() < 1e-4);
        assert_eq!(found.means.len(), whole.means.len());
    }

    #[test]
    fn advantages_are_normalised_even_when_all_are_equal() {
        let mut list = [1.0, 2.0, 3.0, 6.0];
        normalise(&mut list);
        let mean = list.iter().sum::<f32>() / 4.0;
        let variance = list.iter().map(|x| x * x).sum::<f32>() / 4.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "{list:?}");
        let mut equal = [2.0; 4];
        normalise(&mut equal);
        assert_eq!(equal, [0.0; 4]);
    }

    #[test]
    fn losses_that_are_not_numbers_or_too_large_are_named() {
        let parts = LossParts { surrogate: 0.1, value: f32::NAN, entropy: 1.0, bounds: 0.0 };
        assert!(check(&parts, 10.0).unwrap_err().to_string().contains("value loss is NaN"));
        let parts = LossParts { surrogate: -11.0, value: 0.0, entropy: 1.0, bounds: 0.0 };
        assert!(check(&parts, 10.0).unwrap_err().to_string().contains("surrogate"));
        assert!(check(&LossParts::default(), 10.0).is_ok());
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        assert!(PpoConfig::default().check(64).is_ok());
        let bad = [
            ("gamma", PpoConfig { gamma: 1.5, ..Default::default() }),
            ("minibatches", PpoConfig { minibatches: 33, ..Default::default() }),
            ("rate", PpoConfig { rate: f64::NAN, ..Default::default() }),
            ("target_kl", PpoConfig { target_kl: Some(0.0), ..Default::default() }),
        ];
        for (field, config) in bad {
            let error = config.check(1).unwrap_err().to_string();
            assert!(error.contains(field), "{field}: {error}");
        }
    }
}
