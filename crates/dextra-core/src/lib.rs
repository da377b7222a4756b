//! Nouns and maths of dextra. No I/O, no simulator, no deep learning.
//!
//! `Demonstration → Motion → Rollout → Accepted`: each noun is a plain struct; the only
//! invariant-bearing type is [`rollout::Accepted`], which [`rollout::Rollout::accept`] alone makes.
//!
//! Units are SI and radians; frames are in names (`world_from_palm`); quaternions are `wxyz`
//! wherever they leave the process.

pub mod articulation;
pub mod cause;
pub mod closure;
pub mod demonstration;
pub mod device;
pub mod hand;
pub mod human;
pub mod kinematics;
pub mod mesh;
pub mod metrics;
pub mod motion;
pub mod names;
pub mod pose;
pub mod retime;
pub mod rollout;
pub mod signal;

pub use articulation::{Articulation, Joint, JointKind};
pub use demonstration::{Demonstration, HandTrack, ObjectTrack, Provenance, Side};
pub use mesh::TriMesh;
pub use motion::{HandMotion, Motion};
pub use pose::Pose;
