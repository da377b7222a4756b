//! The semantic map of a robot hand: what its bodies mean.

use crate::{Pose, Side};
use nalgebra::{Point3, Vector3};

/// A point fixed in a body of the hand.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyPoint {
    /// Body name in the hand's MJCF.
    pub body: String,
    /// Position in the body frame, metres.
    pub point_in_body: Point3<f64>,
}

/// A finger: its moving bodies from the palm outwards and its tip.
#[derive(Clone, Debug, PartialEq)]
pub struct Finger {
    /// `"thumb"`, `"index"`, `"middle"`, `"ring"` or `"pinky"`.
    pub name: String,
    /// Bodies from the palm to the fingertip.
    pub bodies: Vec<String>,
    /// Site at the fingertip.
    pub tip_site: String,
}

/// Which point of the robot stands for which human keypoint.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypointLink {
    /// Human keypoint, see [`crate::demonstration::keypoint`].
    pub keypoint: usize,
    /// The robot's point.
    pub at: BodyPoint,
}

/// The semantic map.
#[derive(Clone, Debug, PartialEq)]
pub struct HandMap {
    /// Name of the hand, such as `"shadow"`.
    pub name: String,
    /// Which side the model is.
    pub side: Side,
    /// Body that is the palm.
    pub palm_body: String,
    /// Centre of the palm's inner surface, in the palm body, metres.
    pub palm_center: Point3<f64>,
    /// Unit direction from the wrist to the middle finger, in the palm body.
    pub fingers_axis: Vector3<f64>,
    /// Unit direction out of the palm's inner surface, in the palm body.
    pub normal_axis: Vector3<f64>,
    /// Fingers, thumb first.
    pub fingers: Vec<Finger>,
    /// Keypoint correspondence.
    pub keypoints: Vec<KeypointLink>,
    /// Bodies meant to touch objects.
    pub contact_bodies: Vec<String>,
}

impl HandMap {
    /// Palm frame in the palm body: x to the fingers, z out of the palm, origin at its centre;
    /// the same convention as [`crate::demonstration::world_from_palm`].
    pub fn palm_body_from_palm(&self) -> Pose {
        let z = self.normal_axis;
        let x = (self.fingers_axis - z * self.fingers_axis.dot(&z)).normalize();
        let rotation = nalgebra::Rotation3::from_basis_unchecked(&[x, z.cross(&x), z]);
        Pose::from_parts(
            self.palm_center.coords.into(),
            nalgebra::UnitQuaternion::from_rotation_matrix(&rotation),
        )
    }
}
