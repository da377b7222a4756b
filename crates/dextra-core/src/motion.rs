//! A kinematic robot reference. No claim of physics.

use crate::{Pose, Side};
use nalgebra::DVector;

/// One hand's reference.
#[derive(Clone, Debug, PartialEq)]
pub struct HandMotion {
    /// Hand name.
    pub hand: String,
    /// Side of the hand model.
    pub side: Side,
    /// Joint names in the order of `joints` (every hinge of the model, mimic joints included).
    pub joint_names: Vec<String>,
    /// Pose of the hand's root body per frame.
    pub world_from_root: Vec<Pose>,
    /// Joint angles per frame, radians.
    pub joints: Vec<DVector<f64>>,
}

/// A kinematic reference for one or more hands.
#[derive(Clone, Debug, PartialEq)]
pub struct Motion {
    /// Frames per second.
    pub fps: f64,
    /// One entry per hand of the demonstration.
    pub hands: Vec<HandMotion>,
}
