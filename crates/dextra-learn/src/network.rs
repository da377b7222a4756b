//! The actor and the critic: plain numbers. [`crate::graph`] gives them to the learning library.

use crate::LearnError;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x` above zero, `exp(x) − 1` below.
    Elu,
    /// `max(x, 0)`.
    Relu,
    /// The hyperbolic tangent; slower than the others.
    Tanh,
}

impl Activation {
    /// The value for one number, written as [`crate::graph`] writes it.
    pub(crate) fn apply(self, x: f32) -> f32 {
        match self {
            Self::Elu => x.max(0.0) + ((-(-x).max(0.0)).exp() - 1.0),
            Self::Relu => x.max(0.0),
            Self::Tanh => x.tanh(),
        }
    }
}

/// Sizes and starting values of the actor and the critic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Widths of the actor's hidden layers.
    pub actor: Vec<usize>,
    /// Widths of the critic's hidden layers.
    pub critic: Vec<usize>,
    /// Between the layers of both.
    pub activation: Activation,
    /// Gain of the actor's last layer: small, so that first actions are near zero.
    pub head_gain: f32,
    /// Logarithm of the standard deviation of actions at the start.
    pub log_std: f32,
    /// Bounds of that logarithm while learning.
    pub log_std_range: [f32; 2],
}

impl Default for NetworkConfig {
    /// Widths of ManipTrans and rsl_rl; head gain and deviation of ManipTrans's residual policy.
    fn default() -> Self {
        Self {
            actor: vec![512, 256, 128],
            critic: vec![512, 256, 128],
            activation: Activation::Elu,
            head_gain: 0.01,
            log_std: -1.0,
            log_std_range: [-5.0, 1.0],
        }
    }
}

impl NetworkConfig {
    /// Checks what would end in nonsense.
    ///
    /// # Errors
    /// [`LearnError::Setting`] names the first setting that does.
    pub fn check(&self) -> Result<(), LearnError> {
        let bad =
            |field, problem: &str| Err(LearnError::Setting { field, problem: problem.into() });
        if self.actor.contains(&0) {
            return bad("network.actor", "a layer of width zero");
        }
        if self.critic.contains(&0) {
            return bad("network.critic", "a layer of width zero");
        }
        if !(self.head_gain.is_finite() && self.head_gain >= 0.0) {
            return bad("network.head_gain", "must be finite and not negative");
        }
        let [low, high] = self.log_std_range;
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return bad("network.log_std_range", "must be finite and in order");
        }
        if !(low..=high).contains(&self.log_std) {
            return bad("network.log_std", "outside of log_std_range");
        }
        Ok(())
    }
}

/// One affine layer, `y = x W + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Numbers in.
    pub inputs: usize,
    /// Numbers out.
    pub outputs: usize,
    /// W, row-major, inputs × outputs.
    pub weight: Vec<f32>,
    /// b.
    pub bias: Vec<f32>,
}

/// Affine layers with an activation between them, none after the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// First to last.
    pub layers: Vec<Affine>,
    /// Between layers.
    pub activation: Activation,
}

/// An actor (mean of a Gaussian over actions), a critic, and a standard deviation that does not depend
/// on the observation.
#[derive(Clone, Debug, PartialEq)]
pub struct ActorCritic {
    /// Observation to mean action.
    pub actor: Mlp,
    /// Observation to one value.
    pub critic: Mlp,
    /// Logarithm of the standard deviation per action.
    pub log_std: Vec<f32>,
}

/// A parameter to look at: its name in a checkpoint, its shape, its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter<'a> {
    /// Such as `actor.0.weight`.
    pub name: String,
    /// Rows and columns, or the length alone.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: &'a [f32],
}

impl Mlp {
    /// Orthogonal weights (gain √2, `head_gain` in the last layer) and no biases; sizes from `inputs`
    /// through `hidden` to `outputs`.
    pub fn orthogonal(
        inputs: usize,
        hidden: &[usize],
        outputs: usize,
        activation: Activation,
        head_gain: f32,
        rng: &mut impl Rng,
    ) -> Self {
        let sizes: Vec<usize> =
            std::iter::once(inputs).chain(hidden.iter().copied()).chain([outputs]).collect();
        let layer = |(i, pair): (usize, &[usize])| {
            let gain = if i == hidden.len() { head_gain } else { std::f32::consts::SQRT_2 };
            Affine {
                inputs: pair[0],
                outputs: pair[1],
                weight: orthogonal(pair[0], pair[1], gain, rng),
                bias: vec![0.0; pair[1]],
            }
        };
        Self { layers: sizes.windows(2).enumerate().map(layer).collect(), activation }
    }

    fn zeros(inputs: usize, hidden: &[usize], outputs: usize, activation: Activation) -> Self {
        let sizes: Vec<usize> =
            std::iter::once(inputs).chain(hidden.iter().copied()).chain([outputs]).collect();
        let layer = |pair: &[usize]| Affine {
            inputs: pair[0],
            outputs: pair[1],
            weight: vec![0.0; pair[0] * pair[1]],
            bias: vec![0.0; pair[1]],
        };
        Self { layers: sizes.windows(2).map(layer).collect(), activation }
    }

    fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Parameter<'a>> {
        self.layers.iter().enumerate().flat_map(move |(i, layer)| {
            let weight = Parameter {
                name: format!("{name}.{i}.weight"),
                shape: vec![layer.inputs, layer.outputs],
                values: &layer.weight,
            };
            let bias = Parameter {
                name: format!("{name}.{i}.bias"),
                shape: vec![layer.outputs],
                values: &layer.bias,
            };
            [weight, bias]
        })
    }

    fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Vec<f32>> {
        self.layers.iter_mut().flat_map(|layer| [&mut layer.weight, &mut layer.bias])
    }
}

impl ActorCritic {
    /// Fresh networks.
    pub fn new(
        observations: usize,
        actions: usize,
        config: &NetworkConfig,
        rng: &mut impl Rng,
    ) -> Self {
        let NetworkConfig { actor, critic, activation, head_gain, log_std, .. } = config;
        Self {
            actor: Mlp::orthogonal(observations, actor, actions, *activation, *head_gain, rng),
            critic: Mlp::orthogonal(observations, critic, 1, *activation, 1.0, rng),
            log_std: vec![*log_std; actions],
        }
    }

    /// Networks of the same sizes with every number zero, to be filled from a file.
    pub(crate) fn zeros(observations: usize, actions: usize, config: &NetworkConfig) -> Self {
        Self {
            actor: Mlp::zeros(observations, &config.actor, actions, config.activation),
            critic: Mlp::zeros(observations, &config.critic, 1, config.activation),
            log_std: vec![0.0; actions],
        }
    }

    /// Every parameter: the actor's, `log_std`, the critic's.
    pub fn parameters(&self) -> Vec<Parameter<'_>> {
        let log_std = Parameter {
            name: "log_std".into(),
            shape: vec![self.log_std.len()],
            values: &self.log_std,
        };
        self.actor
            .parameters("actor")
            .chain([log_std])
            .chain(self.critic.parameters("critic"))
            .collect()
    }

    /// The numbers of every parameter, in the order of [`ActorCritic::parameters`].
    pub fn parameters_mut(&mut self) -> Vec<&mut Vec<f32>> {
        self.actor
            .parameters_mut()
            .chain([&mut self.log_std])
            .chain(self.critic.parameters_mut())
            .collect()
    }

    /// How many of the first parameters belong to the policy; the others are the critic's.
    pub(crate) fn policy_parameters(&self) -> usize {
        2 * self.actor.layers.len() + 1
    }
}

/// `gain` times a matrix (row-major, rows × columns) whose shorter side is orthonormal, from a Gaussian
/// one by the modified Gram-Schmidt process in f64 (Saxe et al. 2014).
fn orthogonal(rows: usize, columns: usize, gain: f32, rng: &mut impl Rng) -> Vec<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut vector: Vec<f64> = (0..length).map(|_| rng.sample(StandardNormal)).collect();
        for earlier in &vectors {
            let along: f64 = vector.iter().zip(earlier).map(|(a, b)| a * b).sum();
            vector.iter_mut().zip(earlier).for_each(|(a, b)| *a -= along * b);
        }
        let norm = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|a| *a /= norm);
        vectors.push(vector);
    }
    let at = |row: usize, column: usize| match rows <= columns {
        true => vectors[row][column],
        false => vectors[column][row],
    };
    let entries = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    entries.map(|(row, column)| gain * at(row, column) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn the_shorter_side_is_orthonormal_times_the_gain() {
        let mut rng = Pcg64::seed_from_u64(5);
        for (rows, columns) in [(7, 4), (4, 7), (5, 5), (1, 3)] {
            let w = orthogonal(rows, columns, 2.0, &mut rng);
            let count = rows.min(columns);
            for i in 0..count {
                for j in 0..count {
                    let dot: f32 = match rows <= columns {
                        true => (0..columns).map(|c| w[i * columns + c] * w[j * columns + c]).sum(),
                        false => (0..rows).map(|r| w[r * columns + i] * w[r * columns + j]).sum(),
                    };
                    let expected = if i == j { 4.0 } else { 0.0 };
                    assert!((dot - expected).abs() < 1e-5, "{rows}x{columns}: {i}, {j}: {dot}");
                }
            }
        }
    }

    #[test]
    fn parameters_and_their_mutable_twins_have_one_order() {
        let config = NetworkConfig { actor: vec![4], critic: vec![3, 2], ..Default::default() };
        let mut net = ActorCritic::new(5, 2, &config, &mut Pcg64::seed_from_u64(0));
        let lengths: Vec<usize> = net.parameters().iter().map(|p| p.values.len()).collect();
        let shapes = net.parameters().iter().map(|p| p.shape.iter().product()).collect::<Vec<_>>();
        let names: Vec<String> = net.parameters().into_iter().map(|p| p.name).collect();
        let mutable: Vec<usize> = net.parameters_mut().iter().map(|p| p.len()).collect();
        assert_eq!(lengths, [20, 4, 8, 2, 2, 15, 3, 6, 2, 2, 1]);
        assert_eq!((&lengths, &lengths), (&shapes, &mutable));
        assert_eq!(names[net.policy_parameters() - 1], "log_std");
        assert_eq!(names.last().unwrap(), "critic.2.bias");
    }

    #[test]
    fn elu_is_exponential_below_zero_and_straight_above() {
        for x in [-30.0_f32, -1.5, -1e-3, 0.0, 0.7, 12.0] {
            let expected = if x > 0.0 { f64::from(x) } else { f64::from(x).exp_m1() };
            assert!((f64::from(Activation::Elu.apply(x)) - expected).abs() < 1e-6, "{x}");
        }
    }
}
