//! Skills: closed-loop policies that correct a base motion, how they are trained and how they are judged.
//!
//! [`recipe::Recipe`] says how, [`train::train`] learns, [`trials`] judges under stated perturbations,
//! [`store`] keeps a skill in a folder and brings it back, [`rollout::rollout`] is the verb that does both.

pub mod actor;
pub(crate) mod make;
pub mod recipe;
pub mod rollout;
pub mod settings;
pub mod store;
pub mod train;
pub mod trials;
pub mod worlds;

pub use recipe::{Base, Recipe};
pub use rollout::{RolloutReport, RolloutRequest, rollout};
pub use settings::settings;
pub use trials::Score;
