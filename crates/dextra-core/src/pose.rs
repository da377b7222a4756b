//! Rigid motions: SE(3) with nalgebra, f64.

use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion, Vector3};

/// A rigid transform; name variables `a_from_b` so that adjacent frames cancel.
pub type Pose = Isometry3<f64>;

/// Builds a pose from a position (metres) and a quaternion in `wxyz` order (normalised here).
pub fn from_pos_quat(pos: [f64; 3], quat_wxyz: [f64; 4]) -> Pose {
    let [w, x, y, z] = quat_wxyz;
    Pose::from_parts(
        Translation3::new(pos[0], pos[1], pos[2]),
        UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z)),
    )
}

/// Position in metres.
pub fn pos(pose: &Pose) -> [f64; 3] {
    [pose.translation.x, pose.translation.y, pose.translation.z]
}

/// Rotation as a quaternion in `wxyz` order.
pub fn quat_wxyz(pose: &Pose) -> [f64; 4] {
    let q = pose.rotation.quaternion();
    [q.w, q.i, q.j, q.k]
}

/// Rotation angle between two poses, radians in `[0, pi]`.
pub fn angle_between(a: &Pose, b: &Pose) -> f64 {
    a.rotation.angle_to(&b.rotation)
}

/// Distance between the origins of two poses, metres.
pub fn distance_between(a: &Pose, b: &Pose) -> f64 {
    (a.translation.vector - b.translation.vector).norm()
}

/// The pose in a mirror, the plane `y = 0`.
pub fn mirrored_y(pose: &Pose) -> Pose {
    let (t, q) = (pose.translation.vector, pose.rotation.quaternion());
    let turned = Quaternion::new(q.w, -q.i, q.j, -q.k);
    Pose::from_parts(Translation3::new(t.x, -t.y, t.z), UnitQuaternion::new_unchecked(turned))
}

/// Interpolates: position linearly, rotation along the geodesic; `t` in `[0, 1]`.
pub fn interpolate(a: &Pose, b: &Pose, t: f64) -> Pose {
    let rotation = a.rotation.try_slerp(&b.rotation, t, 1e-9).unwrap_or(if t < 0.5 {
        a.rotation
    } else {
        b.rotation
    });
    Pose::from_parts(
        Translation3::from(a.translation.vector.lerp(&b.translation.vector, t)),
        rotation,
    )
}

/// Applies a small twist on the left in the world frame about `pivot`:
/// rotate by `rotation` (rotation vector, radians) about `pivot`, then move by `translation`.
pub fn perturb_about(
    pose: &Pose,
    pivot: &nalgebra::Point3<f64>,
    translation: &Vector3<f64>,
    rotation: &Vector3<f64>,
) -> Pose {
    let turn = UnitQuaternion::from_scaled_axis(*rotation);
    let moved = pivot.coords + turn * (pose.translation.vector - pivot.coords) + translation;
    Pose::from_parts(Translation3::from(moved), turn * pose.rotation)
}

/// The mean of poses: arithmetic mean of positions, normalised sum of sign-aligned quaternions.
/// Returns `None` for an empty slice.
pub fn mean(poses: &[Pose]) -> Option<Pose> {
    let first = poses.first()?;
    let mut translation = Vector3::zeros();
    let mut sum = nalgebra::Vector4::zeros();
    for pose in poses {
        translation += pose.translation.vector;
        let q = pose.rotation.quaternion().coords;
        sum += if q.dot(&first.rotation.quaternion().coords) < 0.0 { -q } else { q };
    }
    let rotation = UnitQuaternion::from_quaternion(Quaternion::from(sum));
    Some(Pose::from_parts(Translation3::from(translation / poses.len() as f64), rotation))
}
