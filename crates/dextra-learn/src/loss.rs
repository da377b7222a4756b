//! The loss of proximal policy optimisation (Schulman et al. 2017).

use crate::gaussian;
use crate::graph::{Graph, numbers, scalar};
use burn::tensor::{Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Weights and limits of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// How far the ratio of probabilities may move from one, ε of equation 7; also how far values may
    /// move, in units of the scaled return.
    pub clip: f32,
    /// Weight of the value loss.
    pub value: f32,
    /// Weight of the entropy, which is to be large.
    pub entropy: f32,
    /// Weight of the bounds loss.
    pub bounds: f32,
    /// Mean actions within ± this cost nothing.
    pub bound: f32,
}

impl Default for LossConfig {
    /// ManipTrans and rl_games: clip 0.2, no entropy bonus, bound 1.1 with weight 1e-4; rsl_rl: value 1.
    fn default() -> Self {
        Self { clip: 0.2, value: 1.0, entropy: 0.0, bounds: 1e-4, bound: 1.1 }
    }
}

/// B samples, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Minibatch {
    /// B × observation size, scaled.
    pub observations: Vec<f32>,
    /// B × actions.
    pub actions: Vec<f32>,
    /// Mean actions of the policy that acted, B × actions.
    pub means: Vec<f32>,
    /// Logarithms of the probabilities it gave to `actions`.
    pub log_probs: Vec<f32>,
    /// Normalised advantages.
    pub advantages: Vec<f32>,
    /// Returns in scaled units.
    pub returns: Vec<f32>,
    /// Values when acting, in scaled units.
    pub values: Vec<f32>,
}

/// The loss and its parts.
pub(crate) struct Loss {
    /// What goes downhill.
    pub total: Tensor<1>,
    /// Means over the minibatch.
    pub parts: LossParts,
    /// Mean actions now, B × actions.
    pub means: Vec<f32>,
}

/// Parts of the loss before their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LossParts {
    /// `−min(r A, clip(r, 1 ± ε) A)`.
    pub surrogate: f32,
    /// Squared error of values, the worse of clipped and not.
    pub value: f32,
    /// In nats.
    pub entropy: f32,
    /// Squared excess of mean actions over the bound, summed over actions.
    pub bounds: f32,
}

impl LossParts {
    /// Adds `share` of `other`.
    pub fn add(&mut self, other: &Self, share: f32) {
        self.surrogate += share * other.surrogate;
        self.value += share * other.value;
        self.entropy += share * other.entropy;
        self.bounds += share * other.bounds;
    }
}

/// The loss of a minibatch. Means are taken over at most B numbers, so that no sum is split over
/// threads.
pub(crate) fn loss(graph: &Graph, batch: &Minibatch, config: &LossConfig) -> Loss {
    let rows = batch.advantages.len();
    let constant = |values: &[f32]| graph.constant(values, rows);
    let observations = constant(&batch.observations);
    let means = graph.means(observations.clone());
    let values = graph.values(observations);

    let log_probs =
        gaussian::log_probs(means.clone(), graph.log_std.clone(), constant(&batch.actions));
    let ratio = (log_probs - constant(&batch.log_probs)).exp();
    let loss = constant(&batch.advantages).neg();
    let clipped = ratio.clone().clamp(1.0 - config.clip, 1.0 + config.clip) * loss.clone();
    let surrogate = (ratio * loss).max_pair(clipped).mean();

    let (old, returns) = (constant(&batch.values), constant(&batch.returns));
    let near = old.clone() + (values.clone() - old).clamp(-config.clip, config.clip);
    let error = (values - returns.clone()).square();
    let value = error.max_pair((near - returns).square()).mean();

    let entropy = gaussian::entropies(graph.log_std.clone());
    let bounds = bounds_loss(means.clone(), config.bound);

    let parts = LossParts {
        surrogate: scalar(surrogate.clone()),
        value: scalar(value.clone()),
        entropy: scalar(entropy.clone()),
        bounds: scalar(bounds.clone()),
    };
    let total = surrogate + value.mul_scalar(config.value) - entropy.mul_scalar(config.entropy)
        + bounds.mul_scalar(config.bounds);
    Loss { total, parts, means: numbers(means) }
}

/// `Σ max(|μ| − bound, 0)²` over actions, mean over rows: nothing within the bound, on either side.
fn bounds_loss(means: Tensor<2>, bound: f32) -> Tensor<1> {
    activation::relu(means.abs().sub_scalar(bound)).square().sum_dim(1).mean()
}

#[cfg(test)]
mod tests;
