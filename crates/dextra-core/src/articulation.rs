//! Hinges and sliders: objects that are parts of other objects.

use crate::Pose;
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use std::f64::consts::{PI, TAU};

/// How a part moves against the object it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JointKind {
    /// It turns about an axis; the coordinate is an angle, radians.
    Hinge,
    /// It moves along an axis; the coordinate is a distance, metres.
    Slider,
}

impl JointKind {
    /// `"hinge"` or `"slider"`.
    pub fn name(self) -> &'static str {
        match self {
            JointKind::Hinge => "hinge",
            JointKind::Slider => "slider",
        }
    }

    /// The kind called `name`.
    pub fn from_name(name: &str) -> Option<JointKind> {
        [JointKind::Hinge, JointKind::Slider].into_iter().find(|kind| kind.name() == name)
    }
}

/// The joint between a part and its parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Joint {
    /// Index of the parent among the objects; lower than that of the part.
    pub parent: usize,
    /// Hinge or slider.
    pub kind: JointKind,
    /// Unit axis in the parent's frame; a hinge turns anticlockwise about it.
    pub axis: Vector3<f64>,
    /// A point on a hinge's axis in the parent's frame, metres; means nothing to a slider.
    pub anchor: Point3<f64>,
    /// Pose of the part at coordinate 0.
    pub parent_from_part: Pose,
    /// Least and greatest coordinate, radians or metres.
    pub range: (f64, f64),
}

impl Joint {
    /// Pose of the part in its parent's frame at `coordinate` (radians or metres).
    pub fn parent_from_part_at(&self, coordinate: f64) -> Pose {
        let moved = self.axis * coordinate;
        let motion = match self.kind {
            JointKind::Slider => Pose::from(Translation3::from(moved)),
            JointKind::Hinge => {
                let turn = UnitQuaternion::from_scaled_axis(moved);
                let shift = self.anchor.coords - turn * self.anchor.coords;
                Pose::from_parts(shift.into(), turn)
            }
        };
        motion * self.parent_from_part
    }

    /// The coordinate at which the part is nearest to a pose: the turn about the axis, or the way along
    /// it. Whole turns of a hinge are those nearest to `near`.
    pub fn coordinate(&self, parent_from_part: &Pose, near: f64) -> f64 {
        match self.kind {
            JointKind::Slider => {
                let (now, zero) = (parent_from_part.translation, self.parent_from_part.translation);
                self.axis.dot(&(now.vector - zero.vector))
            }
            JointKind::Hinge => {
                let turn = parent_from_part.rotation * self.parent_from_part.rotation.inverse();
                let angle = 2.0 * turn.imag().dot(&self.axis).atan2(turn.w);
                near + wrapped(angle - near)
            }
        }
    }

    /// How far two coordinates are apart, radians or metres; whole turns of a hinge do not count.
    pub fn difference(&self, a: f64, b: f64) -> f64 {
        match self.kind {
            JointKind::Hinge => wrapped(a - b).abs(),
            JointKind::Slider => (a - b).abs(),
        }
    }

    /// The same joint where the frames of part and parent are reflected in their planes `y = 0`.
    /// Coordinates stay as they are.
    pub fn mirrored(&self) -> Joint {
        let a = self.axis;
        Joint {
            axis: match self.kind {
                // A turn is reflected the other way round than a way.
                JointKind::Hinge => Vector3::new(-a.x, a.y, -a.z),
                JointKind::Slider => Vector3::new(a.x, -a.y, a.z),
            },
            anchor: Point3::new(self.anchor.x, -self.anchor.y, self.anchor.z),
            parent_from_part: crate::pose::mirrored_y(&self.parent_from_part),
            ..*self
        }
    }
}

/// An angle in `[-pi, pi]`; what is not finite stays so.
fn wrapped(angle: f64) -> f64 {
    angle - TAU * ((angle + PI) / TAU).floor()
}

/// A joint over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Articulation {
    /// The joint.
    pub joint: Joint,
    /// Coordinate per frame, radians or metres.
    pub coordinate: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pose::{angle_between, distance_between};
    use std::f64::consts::FRAC_PI_2;

    /// A lid of 20 cm whose hinge runs along the far edge of a box, 10 cm up.
    fn lid() -> Joint {
        Joint {
            parent: 0,
            kind: JointKind::Hinge,
            axis: Vector3::x(),
            anchor: Point3::new(0.0, 0.1, 0.1),
            parent_from_part: Pose::translation(0.0, 0.0, 0.1),
            range: (0.0, 2.0),
        }
    }

    fn tilted() -> Joint {
        Joint {
            axis: Vector3::new(1.0, 2.0, -0.5).normalize(),
            parent_from_part: Pose::new(Vector3::new(0.02, 0.1, 0.3), Vector3::new(0.4, 0.1, -1.0)),
            ..lid()
        }
    }

    #[test]
    fn a_lid_turned_by_a_right_angle_stands_on_its_edge() {
        // The middle of the lid is 10 cm from the hinge: closed at (0, 0, 0.1), it goes straight under
        // the hinge when the lid turns anticlockwise about +x, as +y turns to +z.
        let open = lid().parent_from_part_at(FRAC_PI_2);
        assert!((open.translation.vector - Vector3::new(0.0, 0.1, 0.0)).norm() < 1e-12);
        assert!((open * Vector3::y() - Vector3::z()).norm() < 1e-12);
        let closed = lid().parent_from_part_at(0.0);
        assert!((closed.translation.vector - Vector3::new(0.0, 0.0, 0.1)).norm() < 1e-12);
    }

    #[test]
    fn a_drawer_moves_along_its_axis() {
        let drawer = Joint { kind: JointKind::Slider, axis: Vector3::z(), ..lid() };
        let out = drawer.parent_from_part_at(0.15);
        assert!((out.translation.vector - Vector3::new(0.0, 0.0, 0.25)).norm() < 1e-12);
        let askew = Pose::translation(0.3, -0.2, 0.25);
        assert!((drawer.coordinate(&askew, 9.0) - 0.15).abs() < 1e-12);
        assert!((drawer.difference(0.1, 7.0) - 6.9).abs() < 1e-12);
    }

    #[test]
    fn a_coordinate_is_found_again_from_the_pose() {
        for kind in [JointKind::Hinge, JointKind::Slider] {
            let joint = Joint { kind, ..tilted() };
            for q in [-3.0, -0.7, 0.0, 0.4, 2.9] {
                let found = joint.coordinate(&joint.parent_from_part_at(q), 0.0);
                assert!((found - q).abs() < 1e-9, "{kind:?}: {found} for {q}");
            }
        }
        let joint = tilted();
        let turned = joint.coordinate(&joint.parent_from_part_at(7.0), 6.5);
        assert!((turned - 7.0).abs() < 1e-9, "whole turns are kept: {turned}");
        assert!((joint.difference(0.1, 0.1 + TAU)).abs() < 1e-9);
        assert!(joint.difference(f64::NAN, 0.0).is_nan());
    }

    #[test]
    fn a_mirrored_joint_moves_the_mirror_image() {
        for kind in [JointKind::Hinge, JointKind::Slider] {
            let joint = Joint { kind, ..tilted() };
            for q in [-0.4, 0.8] {
                let image = crate::pose::mirrored_y(&joint.parent_from_part_at(q));
                let moved = joint.mirrored().parent_from_part_at(q);
                assert!(distance_between(&image, &moved) < 1e-12, "{kind:?}");
                assert!(angle_between(&image, &moved) < 1e-7, "{kind:?}");
            }
        }
    }
}
