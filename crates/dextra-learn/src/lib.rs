//! The learning stack of dextra: proximal policy optimisation in batches of worlds, checkpoints, and
//! policies that act. Knows no simulator and no hand; they come in through [`Env`] and [`Contract`].
//!
//! - [`train()`] learns: [`Env`] → `metrics.jsonl` and checkpoints; interrupted, it goes on with the same
//!   bits.
//! - [`Policy`] acts: a checkpoint → an action per observation, in plain f32.
//! - [`Contract`] is what both agree on, checked whenever a checkpoint is read.
//!
//! Parameters are plain lists of f32. The learning library (burn, on the CPU) gets copies of them and
//! returns values and gradients; it holds no state between calls. Seed, build and machine fixed, the
//! result does not depend on the number of threads: no sum is long enough to be split.

mod adam;
mod checkpoint;
mod contract;
mod env;
mod error;
mod gae;
pub mod gaussian;
mod graph;
mod learner;
mod loss;
mod metrics;
mod network;
mod normaliser;
mod policy;
mod ppo;
mod rollout;
mod tensors;
mod train;

pub use adam::{Adam, limit_norm};
pub use checkpoint::read_contract;
pub use contract::{ActionSlot, Contract, ObservationSlice};
pub use env::{Env, EnvError, Step};
pub use error::{Fault, LearnError};
pub use gae::advantages;
pub use learner::Learner;
pub use loss::LossConfig;
pub use metrics::IterationMetrics;
pub use network::{Activation, ActorCritic, Affine, Mlp, NetworkConfig, Parameter};
pub use normaliser::{Moments, Scaler};
pub use policy::Policy;
pub use ppo::{PpoConfig, steered_rate};
pub use train::{Damaged, TrainConfig, Trained, train};
