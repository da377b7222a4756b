//! Kinematic tree of a hand: forward kinematics and analytic Jacobians without a simulator.

use crate::Pose;
use nalgebra::{Point3, Unit, UnitQuaternion, Vector3};

/// What is wrong with a tree.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum KinematicsError {
    /// A coupling points at a joint that is not there.
    #[error(
        "coupling {coupling}: joint index {joint} is out of range (the tree has {joints} joints)"
    )]
    NoSuchJoint {
        /// Index of the coupling.
        coupling: usize,
        /// The index it names.
        joint: usize,
        /// Number of joints of the tree.
        joints: usize,
    },
    /// Two couplings drive the same joint.
    #[error("joint \"{joint}\" is coupled twice")]
    CoupledTwice {
        /// Name of the joint.
        joint: String,
    },
    /// Following the couplings of a joint never ends at an independent one.
    #[error("joint \"{joint}\": its couplings form a cycle")]
    Cycle {
        /// Name of the joint.
        joint: String,
    },
    /// No angle keeps a joint and all joints coupled to it inside their ranges.
    #[error("joint \"{joint}\": no angle keeps it and its coupled joints inside their ranges")]
    EmptyRange {
        /// Name of the independent joint.
        joint: String,
    },
}

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

    /// The independent coordinates of the tree.
    ///
    /// # Errors
    /// When couplings name joints that are not there, drive a joint twice, form a cycle, or leave
    /// a joint no admissible angle.
    pub fn coordinates(&self) -> Result<Coordinates, KinematicsError> {
        Coordinates::new(self)
    }
}

/// How one joint follows a coordinate: `q = offset + ratio * x[coordinate]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Follow {
    /// Index of the coordinate.
    pub coordinate: usize,
    /// Ratio.
    pub ratio: f64,
    /// Offset, radians.
    pub offset: f64,
}

/// The independent coordinates `x` of a tree and the map to all of its joints `q`.
///
/// A coordinate is the angle of a joint that no coupling drives; chains of couplings are resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinates {
    /// Joint of each coordinate, in model order.
    pub joints: Vec<usize>,
    /// Range of each coordinate, radians: its joint's own, narrowed so that the joints that follow
    /// it stay inside theirs.
    pub range: Vec<(f64, f64)>,
    /// One entry per joint of the tree.
    pub follow: Vec<Follow>,
}

impl Coordinates {
    fn new(tree: &KinematicTree) -> Result<Self, KinematicsError> {
        let count = tree.joints.len();
        let mut driver: Vec<Option<&Coupling>> = vec![None; count];
        for (index, coupling) in tree.couplings.iter().enumerate() {
            for joint in [coupling.joint, coupling.of] {
                if joint >= count {
                    return Err(KinematicsError::NoSuchJoint {
                        coupling: index,
                        joint,
                        joints: count,
                    });
                }
            }
            if driver[coupling.joint].replace(coupling).is_some() {
                return Err(KinematicsError::CoupledTwice {
                    joint: tree.joints[coupling.joint].name.clone(),
                });
            }
        }
        let joints: Vec<usize> = (0..count).filter(|&j| driver[j].is_none()).collect();
        let mut follow = Vec::with_capacity(count);
        for joint in 0..count {
            let (mut at, mut ratio, mut offset) = (joint, 1.0, 0.0);
            let mut steps = 0;
            while let Some(coupling) = driver[at] {
                offset += ratio * coupling.offset;
                ratio *= coupling.ratio;
                at = coupling.of;
                steps += 1;
                if steps > count {
                    return Err(KinematicsError::Cycle { joint: tree.joints[joint].name.clone() });
                }
            }
            // `joints` is sorted, and `at` is undriven, so the search always succeeds.
            let coordinate = joints.partition_point(|&j| j < at);
            follow.push(Follow { coordinate, ratio, offset });
        }
        let mut range: Vec<(f64, f64)> = joints.iter().map(|&j| tree.joints[j].range).collect();
        for (joint, f) in tree.joints.iter().zip(&follow) {
            // False for NaN too, which `max` and `min` below would swallow.
            let ordered = joint.range.0 <= joint.range.1;
            if !ordered {
                return Err(KinematicsError::EmptyRange { joint: joint.name.clone() });
            }
            if f.ratio == 0.0 {
                continue;
            }
            let a = (joint.range.0 - f.offset) / f.ratio;
            let b = (joint.range.1 - f.offset) / f.ratio;
            let limits = &mut range[f.coordinate];
            *limits = (limits.0.max(a.min(b)), limits.1.min(a.max(b)));
        }
        for (&joint, &(low, high)) in joints.iter().zip(&range) {
            if low > high {
                return Err(KinematicsError::EmptyRange { joint: tree.joints[joint].name.clone() });
            }
        }
        Ok(Self { joints, range, follow })
    }

    /// Number of coordinates.
    pub fn len(&self) -> usize {
        self.joints.len()
    }

    /// Whether the tree has no free joint.
    pub fn is_empty(&self) -> bool {
        self.joints.is_empty()
    }

    /// Writes the angles of all joints for coordinates `x`.
    pub fn expand(&self, x: &[f64], q: &mut [f64]) {
        for (angle, f) in q.iter_mut().zip(&self.follow) {
            *angle = f.offset + f.ratio * x[f.coordinate];
        }
    }

    /// Reads the coordinates off the angles of all joints (dependent joints are ignored).
    pub fn reduce(&self, q: &[f64], x: &mut [f64]) {
        for (coordinate, &joint) in x.iter_mut().zip(&self.joints) {
            *coordinate = q[joint];
        }
    }

    /// Moves every coordinate into its range.
    pub fn clamp(&self, x: &mut [f64]) {
        for (coordinate, &(low, high)) in x.iter_mut().zip(&self.range) {
            *coordinate = coordinate.clamp(low, high);
        }
    }
}

/// Forward kinematics in the world frame without allocation after [`Workspace::new`]: poses of the
/// bodies, and axis and anchor of every hinge, from which all Jacobians follow.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Pose of every body.
    pub world_from_body: Vec<Pose>,
    /// Axis of every hinge, world frame.
    pub axis_in_world: Vec<Vector3<f64>>,
    /// Anchor of every hinge, world frame, metres.
    pub anchor_in_world: Vec<Point3<f64>>,
    /// Hinges that move each body, outermost first.
    chains: Vec<Vec<usize>>,
}

impl Workspace {
    /// A workspace for `tree`, at joint angles zero with the root at the origin.
    pub fn new(tree: &KinematicTree) -> Self {
        let mut chains: Vec<Vec<usize>> = Vec::with_capacity(tree.bodies.len());
        for body in &tree.bodies {
            let mut chain = body.parent.map_or_else(Vec::new, |parent| chains[parent].clone());
            chain.extend(&body.joints);
            chains.push(chain);
        }
        let mut workspace = Self {
            world_from_body: vec![Pose::identity(); tree.bodies.len()],
            axis_in_world: vec![Vector3::zeros(); tree.joints.len()],
            anchor_in_world: vec![Point3::origin(); tree.joints.len()],
            chains,
        };
        workspace.forward(tree, &Pose::identity(), &vec![0.0; tree.joints.len()]);
        workspace
    }

    /// Computes all poses, axes and anchors for the root at `world_from_root` and joint angles `q`
    /// (radians, all joints of the tree). `tree` must be the one given to [`Workspace::new`].
    pub fn forward(&mut self, tree: &KinematicTree, world_from_root: &Pose, q: &[f64]) {
        debug_assert_eq!(q.len(), tree.joints.len());
        for (index, body) in tree.bodies.iter().enumerate() {
            let mut pose = match body.parent {
                Some(parent) => self.world_from_body[parent] * body.parent_from_body,
                None => *world_from_root,
            };
            for &j in &body.joints {
                let joint = &tree.joints[j];
                // A hinge leaves its own axis and anchor where they are, so they may be read off
                // before it turns; hinges further out on the same body see its rotation.
                self.axis_in_world[j] = pose.rotation * joint.axis_in_body.into_inner();
                let anchor = pose * joint.anchor_in_body;
                self.anchor_in_world[j] = anchor;
                pose.rotation *= UnitQuaternion::from_axis_angle(&joint.axis_in_body, q[j]);
                pose.translation.vector =
                    anchor.coords - pose.rotation * joint.anchor_in_body.coords;
            }
            self.world_from_body[index] = pose;
        }
    }

    /// Hinges that move `body`, outermost first.
    pub fn chain(&self, body: usize) -> &[usize] {
        &self.chains[body]
    }

    /// World position of a point fixed in `body`.
    pub fn point(&self, body: usize, point_in_body: &Point3<f64>) -> Point3<f64> {
        self.world_from_body[body] * point_in_body
    }

    /// Velocity of a point at `point_in_world`, fixed in a body of which `joint` is in the chain,
    /// per unit speed of that joint: one column of the point Jacobian, metres per radian.
    pub fn point_column(&self, joint: usize, point_in_world: &Point3<f64>) -> Vector3<f64> {
        self.axis_in_world[joint].cross(&(point_in_world - self.anchor_in_world[joint]))
    }

    /// The whole point Jacobian with the root held still: `columns[j]` is the world velocity of the
    /// point per unit speed of joint `j`, zero for joints outside the chain of `body`.
    pub fn point_jacobian(
        &self,
        body: usize,
        point_in_body: &Point3<f64>,
        columns: &mut [Vector3<f64>],
    ) {
        columns.fill(Vector3::zeros());
        let point = self.point(body, point_in_body);
        for &joint in self.chain(body) {
            columns[joint] = self.point_column(joint, &point);
        }
    }
}

#[cfg(test)]
mod tests;
