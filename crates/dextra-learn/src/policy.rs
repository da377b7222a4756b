//! A trained policy: observation in, mean action out, without the learning library.

use crate::LearnError;
use crate::checkpoint::read_policy;
use crate::contract::Contract;
use crate::network::{Activation, Affine, Mlp};
use crate::normaliser::Scaler;
use pulp::Arch;
use std::path::Path;

/// Rows of a weight matrix that are taken together, so that each output is read and written a quarter
/// as often.
const BLOCK: usize = 8;

/// A policy that acts. Deterministic: the mean of the Gaussian, within the action limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    contract: Contract,
    scaler: Scaler,
    actor: Mlp,
    action_limit: f32,
    /// Input and output of the layer at work.
    scratch: [Vec<f32>; 2],
}

impl Policy {
    /// Reads the policy of the checkpoint folder `folder`, which must fit the `expected` contract.
    ///
    /// # Errors
    /// [`LearnError::Field`] names the file and the field that differs or is unusable; other variants
    /// where a file is missing, truncated or of another format.
    pub fn load(folder: &Path, expected: &Contract) -> Result<Self, LearnError> {
        let (header, network) = read_policy(folder, Some(expected))?;
        let scaler = Scaler::new(header.scaling.mean, header.scaling.std, header.scaling.clip);
        Ok(Self::new(header.contract, scaler, network.actor, header.action_limit))
    }

    /// A policy from its parts, which must be of the contract's sizes.
    pub(crate) fn new(contract: Contract, scaler: Scaler, actor: Mlp, action_limit: f32) -> Self {
        let widest = actor.layers.iter().map(|l| l.inputs.max(l.outputs)).max().unwrap_or(0);
        let scratch = [vec![0.0; widest], vec![0.0; widest]];
        Self { contract, scaler, actor, action_limit, scratch }
    }

    /// What the policy sees and does.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Writes the action for one `observation`.
    ///
    /// # Errors
    /// [`LearnError::Observation`] where a length is not the contract's or a number is not finite.
    pub fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<(), LearnError> {
        let bad = |slice: String, problem| Err(LearnError::Observation { slice, problem });
        let sizes = (self.contract.observation_size(), self.contract.action_size());
        if (observation.len(), action.len()) != sizes {
            let given = (observation.len(), action.len());
            let problem = format!("observation and action of {given:?} numbers, not {sizes:?}");
            return bad("whole".into(), problem);
        }
        if let Some(i) = observation.iter().position(|x| !x.is_finite()) {
            return bad(self.contract.label_at(i), format!("is {}", observation[i]));
        }
        let [input, output] = &mut self.scratch;
        self.scaler.apply(observation, &mut input[..sizes.0]);
        for (i, layer) in self.actor.layers.iter().enumerate() {
            if i > 0 {
                activate(self.actor.activation, &mut input[..layer.inputs]);
            }
            apply(layer, &input[..layer.inputs], &mut output[..layer.outputs]);
            std::mem::swap(input, output);
        }
        for (action, mean) in action.iter_mut().zip(&*input) {
            *action = mean.clamp(-self.action_limit, self.action_limit);
        }
        Ok(())
    }
}

fn activate(activation: Activation, values: &mut [f32]) {
    values.iter_mut().for_each(|x| *x = activation.apply(*x));
}

/// `y = x W + b` with the widest instructions of this processor. Each output is summed in one order, so
/// these change no bit.
fn apply(layer: &Affine, x: &[f32], y: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || add_rows(layer, x, y),
    );
}

/// A block of rows of W at a time: the inner loop runs along rows, which lie next to each other in
/// memory.
#[inline(always)]
fn add_rows(layer: &Affine, x: &[f32], y: &mut [f32]) {
    y.copy_from_slice(&layer.bias);
    let width = layer.outputs;
    let blocks = x.chunks_exact(BLOCK);
    let (rest, done) = (blocks.remainder(), x.len() - blocks.remainder().len());
    for (x, rows) in blocks.zip(layer.weight.chunks_exact(BLOCK * width)) {
        let x: &[f32; BLOCK] = x.try_into().expect("chunks are of this length");
        let rows: [&[f32]; BLOCK] = std::array::from_fn(
            #[inline(always)]
            |i| &rows[i * width..(i + 1) * width],
        );
        for (j, y) in y.iter_mut().enumerate() {
            let mut sum = 0.0;
            for i in 0..BLOCK {
                sum += x[i] * rows[i][j];
            }
            *y += sum;
        }
    }
    for (x, row) in rest.iter().zip(layer.weight[done * width..].chunks_exact(width)) {
        for (y, w) in y.iter_mut().zip(row) {
            *y += x * w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{ActionSlot, ObservationSlice};
    use crate::graph::{Graph, numbers};
    use crate::network::{ActorCritic, NetworkConfig};
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64;

    fn policy(network: &ActorCritic, scaler: &Scaler) -> Policy {
        let observations = vec![ObservationSlice::new("all", scaler.mean.len(), "1", [-9.0, 9.0])];
        let actions =
            (0..network.log_std.len()).map(|i| ActionSlot::new(&format!("a{i}"), "rad", 1.0));
        let contract = Contract { observations, actions: actions.collect(), hand: String::new() };
        Policy::new(contract, scaler.clone(), network.actor.clone(), 1.0)
    }

    #[test]
    fn actions_are_those_of_the_learning_library() {
        let mut rng = Pcg64::seed_from_u64(2);
        for (activation, hidden) in [
            (Activation::Elu, vec![64, 37, 19]),
            (Activation::Relu, vec![40]),
            (Activation::Tanh, vec![9, 9]),
            (Activation::Elu, vec![]),
        ] {
            let config =
                NetworkConfig { actor: hidden, head_gain: 0.3, activation, ..Default::default() };
            let network = ActorCritic::new(53, 7, &config, &mut rng);
            let mut draw =
                |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-2.0..2.0)).collect() };
            let std = draw(53).iter().map(|x| 0.5 + x.abs()).collect();
            let scaler = Scaler::new(draw(53), std, 1.5);
            let mut policy = policy(&network, &scaler);
            let graph = Graph::frozen(&network);
            let mut beyond = 0;
            for _ in 0..20 {
                let observation = draw(53);
                let (mut scaled, mut action) = (vec![0.0; 53], vec![0.0; 7]);
                scaler.apply(&observation, &mut scaled);
                let means = numbers(graph.means(graph.constant(&scaled, 1)));
                policy.act(&observation, &mut action).unwrap();
                for (mean, action) in means.iter().zip(&action) {
                    beyond += usize::from(mean.abs() > 1.0);
                    let expected = mean.clamp(-1.0, 1.0);
                    assert!((action - expected).abs() < 1e-5, "{action} for {expected}");
                }
            }
            assert!(beyond < 100, "most actions are not at the limit: {beyond} of 140 are");
        }
    }

    #[test]
    fn unusable_observations_are_named() {
        let config = NetworkConfig { actor: vec![3], ..Default::default() };
        let network = ActorCritic::new(4, 2, &config, &mut Pcg64::seed_from_u64(0));
        let mut policy = policy(&network, &Scaler::new(vec![0.0; 4], vec![1.0; 4], 5.0));
        let mut action = [0.0; 2];
        let error = policy.act(&[0.0, 0.0, f32::NAN, 0.0], &mut action).unwrap_err().to_string();
        assert!(error.contains("all[2]") && error.contains("NaN"), "{error}");
        assert!(policy.act(&[0.0; 3], &mut action).unwrap_err().to_string().contains("(4, 2)"));
    }
}
