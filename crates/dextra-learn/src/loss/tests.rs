//! The loss and its gradients against the same formulas written in f64, one sample at a time.

use super::*;
use crate::network::{Activation, ActorCritic, Mlp, NetworkConfig};
use burn::tensor::{Device, TensorData};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const OBSERVATIONS: usize = 3;
const ACTIONS: usize = 2;
const ROWS: usize = 9;

fn config() -> LossConfig {
    LossConfig { clip: 0.2, value: 0.7, entropy: 0.03, bounds: 0.5, bound: 0.4 }
}

fn network(activation: Activation) -> ActorCritic {
    let config = NetworkConfig {
        actor: vec![5],
        critic: vec![4, 3],
        activation,
        head_gain: 1.0,
        log_std: -0.5,
        ..Default::default()
    };
    let mut rng = Pcg64::seed_from_u64(8);
    let mut network = ActorCritic::new(OBSERVATIONS, ACTIONS, &config, &mut rng);
    // Without biases, units behind silent ones would sit exactly at the kink.
    for layer in network.actor.layers.iter_mut().chain(&mut network.critic.layers) {
        layer.bias.iter_mut().for_each(|b| *b = rng.random_range(-0.3..0.3));
    }
    network
}

/// Some samples have ratios within the clip and some beyond it, on both sides.
fn minibatch(network: &ActorCritic) -> Minibatch {
    let mut rng = Pcg64::seed_from_u64(9);
    let mut draw = |n: usize, low: f32, high: f32| -> Vec<f32> {
        (0..n).map(|_| rng.random_range(low..high)).collect()
    };
    let observations = draw(ROWS * OBSERVATIONS, -1.5, 1.5);
    let actions = draw(ROWS * ACTIONS, -1.0, 1.0);
    let parameters = flat(network);
    let mut log_probs = Vec::new();
    for row in 0..ROWS {
        let reference = Reference { network, parameters: &parameters };
        let log_prob = reference.log_prob(
            &observations[row * OBSERVATIONS..][..OBSERVATIONS],
            &actions[row * ACTIONS..][..ACTIONS],
        );
        log_probs.push(log_prob as f32 - 0.5 + row as f32 / 8.0);
    }
    Minibatch {
        observations,
        actions,
        means: Vec::new(),
        log_probs,
        advantages: draw(ROWS, -2.0, 2.0),
        returns: draw(ROWS, -1.0, 1.0),
        values: draw(ROWS, -1.0, 1.0),
    }
}

fn flat(network: &ActorCritic) -> Vec<f64> {
    network.parameters().iter().flat_map(|p| p.values.iter().map(|x| f64::from(*x))).collect()
}

/// The loss again, in f64 and without tensors, of parameters laid end to end.
struct Reference<'a> {
    network: &'a ActorCritic,
    parameters: &'a [f64],
}

impl Reference<'_> {
    fn pass(&self, mlp: &Mlp, mut at: usize, input: &[f32]) -> Vec<f64> {
        let mut x: Vec<f64> = input.iter().map(|x| f64::from(*x)).collect();
        for (i, layer) in mlp.layers.iter().enumerate() {
            if i > 0 {
                for x in &mut x {
                    *x = match mlp.activation {
                        Activation::Elu if *x < 0.0 => x.exp_m1(),
                        Activation::Relu => x.max(0.0),
                        Activation::Tanh => x.tanh(),
                        Activation::Elu => *x,
                    };
                }
            }
            let (weight, bias) =
                (&self.parameters[at..], &self.parameters[at + x.len() * layer.outputs..]);
            let output = |j: usize| {
                let terms = x.iter().enumerate().map(|(i, x)| x * weight[i * layer.outputs + j]);
                bias[j] + terms.sum::<f64>()
            };
            at += (x.len() + 1) * layer.outputs;
            x = (0..layer.outputs).map(output).collect();
        }
        x
    }

    fn log_std(&self) -> &[f64] {
        let at: usize = self.network.actor.layers.iter().map(|l| (l.inputs + 1) * l.outputs).sum();
        &self.parameters[at..at + ACTIONS]
    }

    fn mean(&self, observation: &[f32]) -> Vec<f64> {
        self.pass(&self.network.actor, 0, observation)
    }

    fn log_prob(&self, observation: &[f32], action: &[f32]) -> f64 {
        let mean = self.mean(observation);
        (0..ACTIONS)
            .map(|i| {
                let std = self.log_std()[i].exp();
                let z = (f64::from(action[i]) - mean[i]) / std;
                -0.5 * z * z - std.ln() - 0.5 * std::f64::consts::TAU.ln()
            })
            .sum()
    }

    fn loss(&self, batch: &Minibatch, config: &LossConfig) -> f64 {
        let actor: usize =
            self.network.actor.layers.iter().map(|l| (l.inputs + 1) * l.outputs).sum();
        let clip = f64::from(config.clip);
        let mut total = 0.0;
        for row in 0..ROWS {
            let observation = &batch.observations[row * OBSERVATIONS..][..OBSERVATIONS];
            let action = &batch.actions[row * ACTIONS..][..ACTIONS];
            let number = |list: &[f32]| f64::from(list[row]);
            let ratio = (self.log_prob(observation, action) - number(&batch.log_probs)).exp();
            let advantage = number(&batch.advantages);
            total -= (ratio * advantage).min(ratio.clamp(1.0 - clip, 1.0 + clip) * advantage);

            let value = self.pass(&self.network.critic, actor + ACTIONS, observation)[0];
            let (old, wanted) = (number(&batch.values), number(&batch.returns));
            let near = value.clamp(old - clip, old + clip);
            let worse = (value - wanted).powi(2).max((near - wanted).powi(2));
            total += f64::from(config.value) * worse;

            for mean in self.mean(observation) {
                let bound = f64::from(config.bound);
                let excess = if mean > bound { mean - bound } else { (mean + bound).min(0.0) };
                total += f64::from(config.bounds) * excess * excess;
            }
        }
        let entropy: f64 =
            self.log_std().iter().map(|l| l + 0.5 + 0.5 * std::f64::consts::TAU.ln()).sum();
        total / ROWS as f64 - f64::from(config.entropy) * entropy
    }
}

#[test]
fn the_loss_and_its_gradients_are_those_of_finite_differences() {
    for activation in [Activation::Elu, Activation::Tanh, Activation::Relu] {
        let (network, config) = (network(activation), config());
        let batch = minibatch(&network);
        let graph = Graph::tracked(&network);
        let found = loss(&graph, &batch, &config);
        let at =
            |parameters: &[f64]| Reference { network: &network, parameters }.loss(&batch, &config);
        let mut parameters = flat(&network);
        let (value, expected) = (scalar(found.total.clone()), at(&parameters));
        assert!((f64::from(value) - expected).abs() < 1e-5, "{value} for {expected}");

        let gradients = graph.gradients(&found.total).concat();
        assert_eq!(gradients.len(), parameters.len());
        let mut largest = 0.0_f64;
        for (i, gradient) in gradients.into_iter().enumerate() {
            let (step, kept) = (1e-6, parameters[i]);
            parameters[i] = kept + step;
            let above = at(&parameters);
            parameters[i] = kept - step;
            let slope = (above - at(&parameters)) / (2.0 * step);
            parameters[i] = kept;
            let error = (f64::from(gradient) - slope).abs();
            assert!(
                error < 2e-5 * (1.0 + slope.abs()),
                "{activation:?} {i}: {gradient} for {slope}"
            );
            largest = largest.max(slope.abs());
        }
        assert!(largest > 0.1, "gradients are not all small: {largest}");
    }
}

#[test]
fn ratios_lie_on_both_sides_of_the_clip_in_these_tests() {
    let network = network(Activation::Elu);
    let batch = minibatch(&network);
    let parameters = flat(&network);
    let reference = Reference { network: &network, parameters: &parameters };
    let ratios: Vec<f64> = (0..ROWS)
        .map(|row| {
            let observation = &batch.observations[row * OBSERVATIONS..][..OBSERVATIONS];
            let action = &batch.actions[row * ACTIONS..][..ACTIONS];
            (reference.log_prob(observation, action) - f64::from(batch.log_probs[row])).exp()
        })
        .collect();
    assert!(ratios.iter().any(|r| *r < 0.8), "{ratios:?}");
    assert!(ratios.iter().any(|r| (0.8..1.2).contains(r)), "{ratios:?}");
    assert!(ratios.iter().any(|r| *r > 1.2), "{ratios:?}");
}

#[test]
fn only_means_beyond_the_bound_cost_anything() {
    let cost = |means: [f32; 4]| {
        let means =
            Tensor::<2>::from_data(TensorData::new(means.to_vec(), [2, 2]), &Device::flex());
        scalar(bounds_loss(means, 1.1))
    };
    assert_eq!(cost([0.0, 1.1, -1.1, 0.9]), 0.0);
    // Half of 0.9² above and 0.4² below.
    assert!((cost([2.0, 0.0, 0.0, -1.5]) - 0.485).abs() < 1e-5);
    assert_eq!(cost([2.0, 0.0, 0.0, 0.0]), cost([0.0, 0.0, -2.0, 0.0]), "both sides alike");
}

#[test]
fn means_within_the_bound_are_not_pulled_anywhere() {
    let device = Device::flex().autodiff();
    let means =
        Tensor::<2>::from_data(TensorData::new(vec![0.5_f32, -1.0, 1.6, -1.6], [2, 2]), &device)
            .require_grad();
    let mut gradients = bounds_loss(means.clone(), 1.1).backward();
    let pull = numbers(means.grad_remove(&mut gradients).unwrap());
    assert_eq!(pull[..2], [0.0, 0.0]);
    assert!((pull[2] - 0.5).abs() < 1e-5 && (pull[3] + 0.5).abs() < 1e-5, "{pull:?}");
}
