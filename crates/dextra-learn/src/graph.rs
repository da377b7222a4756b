//! The networks as tensors: forward passes and gradients. Tensors are made anew from the plain numbers
//! whenever those have changed; that costs far less than one pass and keeps all state in plain sight.

use crate::network::{Activation, ActorCritic, Mlp};
use burn::tensor::{Device, Gradients, Tensor, TensorData, activation};

/// The tensors of one [`ActorCritic`].
pub(crate) struct Graph {
    actor: Vec<[Tensor<2>; 2]>,
    critic: Vec<[Tensor<2>; 2]>,
    /// 1 × actions.
    pub log_std: Tensor<2>,
    activation: Activation,
    device: Device,
}

impl Graph {
    /// For values alone.
    pub fn frozen(network: &ActorCritic) -> Self {
        Self::new(network, Device::flex())
    }

    /// For values and gradients.
    pub fn tracked(network: &ActorCritic) -> Self {
        Self::new(network, Device::flex().autodiff())
    }

    fn new(network: &ActorCritic, device: Device) -> Self {
        let leaf = |values: &[f32], rows: usize| {
            let tensor = matrix(values, rows, &device);
            if device.is_autodiff() { tensor.require_grad() } else { tensor }
        };
        let layers = |mlp: &Mlp| {
            let pair = |l: &crate::network::Affine| [leaf(&l.weight, l.inputs), leaf(&l.bias, 1)];
            mlp.layers.iter().map(pair).collect()
        };
        Self {
            actor: layers(&network.actor),
            critic: layers(&network.critic),
            log_std: leaf(&network.log_std, 1),
            activation: network.actor.activation,
            device,
        }
    }

    /// A constant of `rows` rows beside this graph.
    pub fn constant(&self, values: &[f32], rows: usize) -> Tensor<2> {
        matrix(values, rows, &self.device)
    }

    /// Mean actions, rows × actions, of scaled observations.
    pub fn means(&self, observations: Tensor<2>) -> Tensor<2> {
        pass(&self.actor, self.activation, observations)
    }

    /// Values in scaled units, rows × 1.
    pub fn values(&self, observations: Tensor<2>) -> Tensor<2> {
        pass(&self.critic, self.activation, observations)
    }

    /// Gradients of `loss`, one per parameter in the order of [`ActorCritic::parameters`]; empty where a
    /// parameter has no part in it.
    pub fn gradients(&self, loss: &Tensor<1>) -> Vec<Vec<f32>> {
        let mut found = loss.backward();
        let mut take = |leaf: &Tensor<2>| take_gradient(leaf, &mut found);
        let mut gradients = Vec::with_capacity(2 * (self.actor.len() + self.critic.len()) + 1);
        gradients.extend(self.actor.iter().flatten().map(&mut take));
        gradients.push(take(&self.log_std));
        gradients.extend(self.critic.iter().flatten().map(&mut take));
        gradients
    }
}

fn take_gradient(leaf: &Tensor<2>, gradients: &mut Gradients) -> Vec<f32> {
    leaf.grad_remove(gradients).map(numbers).unwrap_or_default()
}

fn matrix(values: &[f32], rows: usize, device: &Device) -> Tensor<2> {
    debug_assert_eq!(values.len() % rows, 0);
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, values.len() / rows]), device)
}

fn pass(layers: &[[Tensor<2>; 2]], activation: Activation, mut x: Tensor<2>) -> Tensor<2> {
    for (i, [weight, bias]) in layers.iter().enumerate() {
        if i > 0 {
            x = between(activation, x);
        }
        x = x.matmul(weight.clone()) + bias.clone();
    }
    x
}

/// ELU is put together from what the backend vectorises: `relu(x) + (exp(−relu(−x)) − 1)`.
fn between(activation: Activation, x: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Elu => {
            let below = activation::relu(x.clone().neg()).neg().exp().sub_scalar(1.0);
            activation::relu(x) + below
        }
        Activation::Relu => activation::relu(x),
        Activation::Tanh => x.tanh(),
    }
}

/// The numbers of a tensor, row-major. Tensors of this crate are f32 on the CPU, where reading cannot
/// fail.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("tensors of this crate are f32")
}

/// The one number of a tensor.
pub(crate) fn scalar(tensor: Tensor<1>) -> f32 {
    numbers(tensor)[0]
}
