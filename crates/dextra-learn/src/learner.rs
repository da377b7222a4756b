//! All that learning changes.

use crate::adam::Adam;
use crate::contract::Contract;
use crate::network::{ActorCritic, NetworkConfig};
use crate::normaliser::Moments;
use crate::ppo::PpoConfig;
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// The networks and what surrounds them. With the environment's own state, the worlds' running
/// episodes and the settings, this decides every bit of what follows: random draws come from the seed
/// and the number of the iteration, never from a generator that outlives one.
#[derive(Clone, Debug, PartialEq)]
pub struct Learner {
    /// Actor and critic.
    pub network: ActorCritic,
    /// The optimiser's moments, in the order of the network's parameters.
    pub adam: Adam,
    /// Learning rate now.
    pub rate: f64,
    /// Of the observations of all iterations before this one.
    pub observations: Moments,
    /// Of the returns that the critic has learned from.
    pub returns: Moments,
    /// Iterations done.
    pub iteration: u64,
    /// Environment steps done, over all worlds.
    pub steps: u64,
}

impl Learner {
    /// At the start, for an environment with this contract.
    pub fn new(contract: &Contract, network: &NetworkConfig, ppo: &PpoConfig, seed: u64) -> Self {
        let (observations, actions) = (contract.observation_size(), contract.action_size());
        let mut rng = Draws::Weights.generator(seed, 0);
        let network = ActorCritic::new(observations, actions, network, &mut rng);
        let adam = Adam::new(network.parameters().iter().map(|p| p.values.len()));
        Self {
            network,
            adam,
            rate: ppo.rate,
            observations: Moments::new(observations),
            returns: Moments::new(1),
            iteration: 0,
            steps: 0,
        }
    }
}

/// What random numbers are drawn for. Each purpose has its own generator in each iteration, so that a
/// checkpoint between iterations holds no generator and a resumed training draws the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draws {
    /// First weights.
    Weights,
    /// The environment's seed.
    Worlds,
    /// Noise of actions.
    Actions,
    /// Order of samples.
    Order,
}

impl Draws {
    /// The generator of this purpose in an iteration.
    pub fn generator(self, seed: u64, iteration: u64) -> Pcg64 {
        Pcg64::seed_from_u64(self.seed(seed, iteration))
    }

    /// A seed of this purpose in an iteration.
    pub fn seed(self, seed: u64, iteration: u64) -> u64 {
        mixed(mixed(mixed(seed) ^ iteration) ^ self as u64)
    }
}

/// The finaliser of SplitMix64 (Steele et al. 2014): one-to-one, and near numbers part.
fn mixed(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use std::collections::HashSet;

    #[test]
    fn seeds_iterations_and_purposes_do_not_share_draws() {
        let mut first = HashSet::new();
        for seed in 0..10 {
            for iteration in 0..10 {
                for draws in [Draws::Weights, Draws::Worlds, Draws::Actions, Draws::Order] {
                    first.insert(draws.generator(seed, iteration).random::<u64>());
                }
            }
        }
        assert_eq!(first.len(), 400);
    }

    #[test]
    fn the_mixer_is_the_published_one() {
        // First output of SplitMix64 from state 0.
        assert_eq!(mixed(0), 0xe220_a839_7b1d_cdaf);
    }
}
