//! Kinematic tree of a hand: forward kinematics and analytic Jacobians without a simulator.

use crate::Pose;
use nalgebra::{Point3, Unit, Vector3};

/// A body of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// Name.
    pub name: String,
    /// Index of the parent body; `None` for the root. Parents come before children.
    pub parent: Option<usize>,
    /// Pose in the parent at joint angles zero.
    pub parent_from_body: Pose,
    /// Indices into [`KinematicTree::joints`] of the hinges that move this body, outermost first.
    pub joints: Vec<usize>,
}

/// A hinge.
#[derive(Clone, Debug, PartialEq)]
pub struct Joint {
    /// Name.
    pub name: String,
    /// Body that the hinge moves.
    pub body: usize,
    /// Axis in the body frame.
    pub axis_in_body: Unit<Vector3<f64>>,
    /// Anchor in the body frame, metres.
    pub anchor_in_body: Point3<f64>,
    /// Lower and upper limit, radians.
    pub range: (f64, f64),
}

/// A linear coupling `joint = offset + ratio * of` (a mimic joint, or half of a tendon pair).
#[derive(Clone, Debug, PartialEq)]
pub struct Coupling {
    /// The dependent joint.
    pub joint: usize,
    /// The independent joint.
    pub of: usize,
    /// Ratio.
    pub ratio: f64,
    /// Offset, radians.
    pub offset: f64,
}

/// A tree of hinges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KinematicTree {
    /// Bodies, parents before children; index 0 is the root.
    pub bodies: Vec<Body>,
    /// Hinges in model order.
    pub joints: Vec<Joint>,
    /// Dependent joints.
    pub couplings: Vec<Coupling>,
}

impl KinematicTree {
    /// Index of the body called `name`.
    pub fn body(&self, name: &str) -> Option<usize> {
        self.bodies.iter().position(|b| b.name == name)
    }

    /// Index of the joint called `name`.
    pub fn joint(&self, name: &str) -> Option<usize> {
        self.joints.iter().position(|j| j.name == name)
    }

    /// Poses of all bodies in the root frame (`root_from_body`) for joint angles `q`.
    pub fn forward(&self, q: &[f64]) -> Vec<Pose> {
        debug_assert_eq!(q.len(), self.joints.len());
        let mut poses: Vec<Pose> = Vec::with_capacity(self.bodies.len());
        for body in &self.bodies {
            let mut pose = match body.parent {
                Some(parent) => poses[parent] * body.parent_from_body,
                None => Pose::identity(),
            };
            for &j in &body.joints {
                let joint = &self.joints[j];
                let turn = nalgebra::UnitQuaternion::from_axis_angle(&joint.axis_in_body, q[j]);
                let anchor = joint.anchor_in_body.coords;
                pose *= Pose::from_parts((anchor - turn * anchor).into(), turn);
            }
            poses.push(pose);
        }
        poses
    }
}
