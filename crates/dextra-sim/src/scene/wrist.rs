//! Coordinates of the floating wrist: three slides, then hinges about x, y and z.

use super::SceneHand;
use dextra_core::Pose;
use nalgebra::{UnitQuaternion, Vector3};
use std::f64::consts::PI;

/// Wrist coordinates (slides in metres, hinges in radians) that put the hand's root at
/// `world_from_root`, hinges unwrapped to lie nearest to `near`.
///
/// The wrist body sits at the world origin turned by the mount rotation `M`; its slides move along
/// the mount's axes and its hinges turn about x, then y, then z, so the root's rotation is
/// `M Rx(a) Ry(b) Rz(c)` and the pivot is at `M s`.
///
/// Where the middle hinge stands at 90 deg only `a + c` or `a - c` is determined; there `a` stays as
/// in `near`, and the pose is still met exactly.
pub fn root_to_wrist(hand: &SceneHand, world_from_root: &Pose, near: &[f64; 6]) -> [f64; 6] {
    /// Cosine of the middle hinge below which the first hinge is left alone: rounding would decide
    /// it, and any value of it meets the pose to this accuracy.
    const SINGULAR: f64 = 1e-13;
    let mount = hand.world_from_mount;
    let pivot_in_world = world_from_root * hand.pivot_in_root;
    let slides = mount.inverse() * pivot_in_world.coords;
    let m = (mount.inverse() * world_from_root.rotation).to_rotation_matrix();
    let (sine, cosine) = (-m[(1, 2)], m[(2, 2)]);
    let first = if sine.hypot(cosine) > SINGULAR { sine.atan2(cosine) } else { near[3] };
    // The other solution of the same rotation is (a + pi, pi - b, c + pi).
    let candidates = [first, first + PI].map(|a| {
        // What the first hinge leaves is Ry(b) Rz(c). Solving b and c from that, and not from `m`,
        // meets the pose whatever the error of `a`.
        let (sin, cos) = a.sin_cos();
        let row_y = |column: usize| cos * m[(1, column)] + sin * m[(2, column)];
        let row_z = |column: usize| cos * m[(2, column)] - sin * m[(1, column)];
        let b = m[(0, 2)].atan2(row_z(2));
        let c = row_y(0).atan2(row_y(1));
        let mut unwrapped = [a, b, c];
        for (axis, angle) in unwrapped.iter_mut().enumerate() {
            *angle += ((near[3 + axis] - *angle) / (2.0 * PI)).round() * 2.0 * PI;
        }
        unwrapped
    });
    let gap = |angles: &[f64; 3]| (0..3).map(|i| (angles[i] - near[3 + i]).powi(2)).sum::<f64>();
    let second_is_nearer = gap(&candidates[1]) + 1e-9 < gap(&candidates[0]);
    let [a, b, c] = candidates[usize::from(second_is_nearer)];
    [slides.x, slides.y, slides.z, a, b, c]
}

/// Inverse of [`root_to_wrist`].
pub fn wrist_to_root(hand: &SceneHand, q: &[f64; 6]) -> Pose {
    let axis = |a: Vector3<f64>, angle| UnitQuaternion::from_scaled_axis(a * angle);
    let rotation = hand.world_from_mount
        * axis(Vector3::x(), q[3])
        * axis(Vector3::y(), q[4])
        * axis(Vector3::z(), q[5]);
    let pivot = hand.world_from_mount * Vector3::new(q[0], q[1], q[2]);
    Pose::from_parts((pivot - rotation * hand.pivot_in_root.coords).into(), rotation)
}
