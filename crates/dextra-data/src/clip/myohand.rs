//! Forward kinematics of MyoHand, from joint angles to 21 keypoints.
//!
//! Facts (offsets, axes, joint order) from MyoSuite's `myohand_body.xml` v0.1.7 and the table-top
//! scene of MyoDM, Apache-2.0, <https://github.com/MyoHub/myosuite>; the table and the code are ours.

use dextra_core::Pose;
use dextra_core::demonstration::{Keypoints, keypoint};
use nalgebra::{Point3, Translation3, Unit, UnitQuaternion, Vector3};

/// Number of joints: six of the floating forearm, three of the wrist, four of the thumb, sixteen of
/// the fingers.
pub const JOINTS: usize = 29;

/// Names of the joints in the order of a MyoDM recording's columns; metres for `ART*`, else radians.
pub const JOINT_NAMES: [&str; JOINTS] = [
    "ARTx",
    "ARTy",
    "ARTz",
    "ARRx",
    "ARRy",
    "ARRz",
    "pro_sup",
    "deviation",
    "flexion",
    "cmc_abduction",
    "cmc_flexion",
    "mp_flexion",
    "ip_flexion",
    "mcp2_flexion",
    "mcp2_abduction",
    "pm2_flexion",
    "md2_flexion",
    "mcp3_flexion",
    "mcp3_abduction",
    "pm3_flexion",
    "md3_flexion",
    "mcp4_flexion",
    "mcp4_abduction",
    "pm4_flexion",
    "md4_flexion",
    "mcp5_flexion",
    "mcp5_abduction",
    "pm5_flexion",
    "md5_flexion",
];

/// One body: its parent in the table, where it sits in the parent's frame, and the hinges that turn
/// it there. Joints are numbered in body order.
struct Body {
    parent: usize,
    pos: [f64; 3],
    hinges: &'static [[f64; 3]],
}

const fn body(parent: usize, pos: [f64; 3], hinges: &'static [[f64; 3]]) -> Body {
    Body { parent, pos, hinges }
}

/// Index of the first body of the table that hangs on the forearm's fixed part.
const ROOT: usize = usize::MAX;

/// Forearm, carpus and fingers. Bones of the carpus without joints are folded into the offsets of
/// what hangs on them: capitate = lunate + (0.003992, -0.015054, 0.002327).
const BODIES: [Body; 18] = [
    // 0 radius; the frame before it is the ulna's.
    body(ROOT, [0.0004, -0.011503, 0.019999], &[[-0.017161, 0.992666, -0.119668]]),
    // 1 lunate, the wrist.
    body(0, [0.018, -0.242, 0.025], &[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
    // 2 capitate.
    body(1, [0.003992, -0.015054, 0.002327], &[]),
    // 3-5 thumb: first metacarpal (trapezium + own offset), proximal, distal.
    body(
        2,
        [0.015293 + 0.0072, -0.004569 - 0.0054, -0.010308 - 0.0025],
        &[[-0.042399, -0.665286, 0.745384], [0.495557, 0.731736, 0.467959]],
    ),
    body(3, [0.0165, -0.0292, -0.0127], &[[-0.084295, -0.203488, 0.975442]]),
    body(4, [0.014, -0.0259, -0.0101], &[[-0.050102, -0.479623, 0.876043]]),
    // 6-8 index: proximal phalanx (metacarpal + own offset), middle, distal.
    body(
        2,
        [0.014685 + 0.003501, -0.03762 - 0.028243, 0.005032 + 0.00362],
        &[[0.995013, 0.09975, 0.0], [-0.054999, 0.085899, 0.994785]],
    ),
    body(6, [0.00751, -0.041273, 0.007326], &[[0.97517, 0.0998334, -0.197677]]),
    body(7, [0.003333, -0.024888, 0.00122], &[[0.995004, 0.0998334, 0.0]]),
    // 9-11 middle finger.
    body(
        2,
        [0.000477 + 0.00024, -0.039239 - 0.02629, 0.007377 + 0.001778],
        &[[0.980067, 0.0, 0.198669], [-0.198669, 0.0, 0.980067]],
    ),
    body(9, [0.00165, -0.044211, 0.00623], &[[1.0, 0.0, 0.0]]),
    body(10, [0.001365, -0.029047, 0.001954], &[[1.0, 0.0, 0.0]]),
    // 12-14 ring finger.
    body(
        2,
        [-0.012046 - 0.00183, -0.040519 - 0.023689, 0.003513 - 0.000173],
        &[[0.900447, 0.0, 0.434966], [-0.434966, 0.0, 0.900447]],
    ),
    body(12, [-0.003528, -0.040255, 0.001345], &[[0.921061, 0.0, 0.389418]]),
    body(13, [-0.002317, -0.024789, 0.000563], &[[0.825336, 0.0, 0.564642]]),
    // 15-17 little finger.
    body(
        2,
        [-0.021896 - 0.001597, -0.034683 - 0.021431, -0.004218 - 0.001496],
        &[[0.825336, 0.0, 0.564642], [-0.564642, 0.0, 0.825336]],
    ),
    body(15, [-0.005279, -0.035563, -0.002879], &[[0.825336, 0.0, 0.564642]]),
    body(16, [-0.002871, -0.020677, -0.002243], &[[0.643112, -0.226804, 0.731414]]),
];

/// Which body's origin is which keypoint; the wrist is the lunate.
const ORIGINS: [(usize, usize); 16] = [
    (keypoint::WRIST, 1),
    (1, 3),
    (2, 4),
    (3, 5),
    (5, 6),
    (6, 7),
    (7, 8),
    (9, 9),
    (10, 10),
    (11, 11),
    (13, 12),
    (14, 13),
    (15, 14),
    (17, 15),
    (18, 16),
    (19, 17),
];

/// Fingertips: keypoint, body, position of the model's tip site in the body's frame.
const TIPS: [(usize, usize, [f64; 3]); 5] = [
    (4, 5, [0.010, -0.020, -0.008]),
    (8, 8, [0.002, -0.018, 0.0]),
    (12, 11, [0.002, -0.019, -0.001]),
    (16, 14, [-0.001, -0.018, 0.001]),
    (20, 17, [-0.001, -0.017, -0.003]),
];

/// Keypoints in the MyoDM world (z up, table top at z = 0), metres, of joint values `q` in the order
/// of [`JOINT_NAMES`].
pub fn keypoints_in_world(q: &[f64; JOINTS]) -> Keypoints {
    let mut pose_of = [Pose::identity(); BODIES.len()];
    let mut joint = 6;
    let ulna = world_from_ulna(q);
    for (index, body) in BODIES.iter().enumerate() {
        let parent = if body.parent == ROOT { &ulna } else { &pose_of[body.parent] };
        let mut pose = parent * Translation3::from(body.pos);
        for &axis in body.hinges {
            pose *= turn(axis, q[joint]);
            joint += 1;
        }
        pose_of[index] = pose;
    }
    let mut keypoints = [Point3::origin(); keypoint::COUNT];
    for (keypoint, body) in ORIGINS {
        keypoints[keypoint] = pose_of[body].translation.vector.into();
    }
    for (keypoint, body, tip) in TIPS {
        keypoints[keypoint] = pose_of[body] * Point3::from(tip);
    }
    keypoints
}

/// The floating base, and the fixed upper body it carries as far as the ulna. The model writes its
/// right angles as 1.57 and its half turn as 3.14; the recordings were made with those numbers.
#[expect(clippy::approx_constant, reason = "the model itself writes 1.57 and 3.14")]
fn world_from_ulna(q: &[f64; JOINTS]) -> Pose {
    let x = Vector3::x().into();
    let y = Vector3::y().into();
    let z = Vector3::z().into();
    let base = Pose::from_parts(
        Translation3::new(0.1 + q[0], -0.55 + q[1], 0.32 + q[2]),
        turn(x, q[3]) * turn(y, q[4]) * turn(z, q[5]),
    );
    let full_body = Pose::from_parts(Translation3::new(-0.175, 0.1, -1.4), turn(z, 3.14));
    let thorax =
        Pose::from_parts(Translation3::new(0.0, 0.08, 1.4), turn(x, 1.57) * turn(y, -1.57));
    // Clavicle, its phantom and the scapula's phantom are fixed offsets.
    let shoulder = Translation3::new(
        0.006325 - 0.01433 - 0.00955,
        0.00693 + 0.02007 - 0.034,
        0.025465 + 0.135535 + 0.009,
    );
    let ulna = Translation3::new(0.0061, -0.2904, -0.0123);
    base * full_body * thorax * shoulder * turn(z, 1.57) * ulna
}

fn turn(axis: [f64; 3], angle: f64) -> UnitQuaternion<f64> {
    UnitQuaternion::from_axis_angle(&Unit::new_normalize(Vector3::from(axis)), angle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dextra_core::demonstration::chirality;

    #[test]
    fn joints_of_the_table_are_as_many_as_the_names() {
        let hinges: usize = BODIES.iter().map(|body| body.hinges.len()).sum();
        assert_eq!(6 + hinges, JOINT_NAMES.len());
    }

    #[test]
    fn a_curled_hand_is_right_and_of_human_size() {
        let mut q = [0.0; JOINTS];
        for flexion in [13, 15, 16, 17, 19, 20, 21, 23, 24, 25, 27, 28] {
            q[flexion] = 0.6;
        }
        let keypoints = keypoints_in_world(&q);
        assert!(chirality(&[keypoints]) > 0.02);
        let palm = (keypoints[9] - keypoints[0]).norm();
        assert!((palm - 0.082).abs() < 0.001, "wrist to middle knuckle {palm}");
    }

    #[test]
    fn the_floating_base_moves_all_keypoints_alike() {
        let rest = keypoints_in_world(&[0.0; JOINTS]);
        let mut q = [0.0; JOINTS];
        [q[0], q[1], q[2]] = [0.1, -0.2, 0.05];
        for (a, b) in rest.iter().zip(&keypoints_in_world(&q)) {
            assert!((b - a - Vector3::new(0.1, -0.2, 0.05)).norm() < 1e-12);
        }
    }
}
