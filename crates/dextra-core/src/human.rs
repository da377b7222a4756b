//! A human right hand of average proportions as a tree of hinges and capsules.
//!
//! Bone lengths and the layout of the palm are close to the mean shape of the MANO hand (wrist to
//! middle knuckle 9.5 cm, hand length 18 cm); limits are active ranges of motion from anatomy
//! (MCP 0-90 deg with 20 deg of hyperextension, PIP 0-110 deg, DIP 0-80 deg).
//!
//! The root frame is the wrist: x to the middle knuckle, z out of the palm, so y points to the
//! pinky. `assets/hands/human.xml` holds the same numbers for the simulator.

use crate::Pose;
use crate::demonstration::{Keypoints, keypoint};
use crate::kinematics::{Body, Joint, KinematicTree};
use nalgebra::{Matrix3, Point3, Rotation3, Unit, UnitQuaternion, Vector3};

/// Finger names in keypoint order.
pub const FINGERS: [&str; 5] = ["thumb", "index", "middle", "ring", "pinky"];

/// Radius of the soft cover of each phalanx of a finger, from the palm outwards, metres; order of
/// [`FINGERS`].
pub const PHALANX_RADIUS: [[f64; 3]; 5] = [
    [0.0110, 0.0095, 0.0085],
    [0.0085, 0.0080, 0.0070],
    [0.0085, 0.0080, 0.0070],
    [0.0085, 0.0075, 0.0070],
    [0.0075, 0.0070, 0.0060],
];

/// Length of each phalanx from joint to joint, the last to the end of the fingertip, metres; order
/// of [`FINGERS`]. The thumb's first is its metacarpal.
pub const PHALANX_LENGTH: [[f64; 3]; 5] = [
    [0.0370, 0.0310, 0.0290],
    [0.0360, 0.0225, 0.0250],
    [0.0375, 0.0250, 0.0260],
    [0.0340, 0.0245, 0.0255],
    [0.0270, 0.0185, 0.0220],
];

/// Where each finger starts in the wrist frame (thumb: CMC, others: MCP), metres.
const BASE: [[f64; 3]; 5] = [
    [0.0240, -0.0250, 0.0120],
    [0.0890, -0.0225, 0.0000],
    [0.0950, 0.0000, 0.0000],
    [0.0885, 0.0195, 0.0010],
    [0.0780, 0.0365, 0.0040],
];

/// How far each straight finger points to the pinky's side at joint angles zero, radians.
const SPLAY: [f64; 5] = [0.0, -0.07, 0.0, 0.06, 0.14];

/// Radius of the capsules from the wrist to each knuckle, metres.
const METACARPAL_RADIUS: f64 = 0.010;

/// Where the skin's touching point lies round the centre of the fingertip, in units of its radius:
/// between the end of the finger (x) and the pad (z).
const TIP_DIRECTION: [f64; 3] = [0.8, 0.0, 0.6];

/// A capsule fixed to a body of the hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capsule {
    /// Index into [`KinematicTree::bodies`].
    pub body: usize,
    /// Start of the axis in the body frame, metres.
    pub start: Point3<f64>,
    /// End of the axis in the body frame, metres.
    pub end: Point3<f64>,
    /// Radius, metres.
    pub radius: f64,
}

/// Index of the body of `phalanx` (0 next to the palm, 2 at the tip) of `finger` (order of
/// [`FINGERS`]) in the tree of [`skeleton`].
pub const fn phalanx_body(finger: usize, phalanx: usize) -> usize {
    1 + 3 * finger + phalanx
}

/// Centre of the rounded fingertip in the frame of the last phalanx, metres.
pub fn tip_center(finger: usize) -> Point3<f64> {
    Point3::new(PHALANX_LENGTH[finger][2] - PHALANX_RADIUS[finger][2], 0.0, 0.0)
}

/// The tip keypoint in the frame of the last phalanx: a point of the skin between the very end and
/// the pad, metres.
pub fn tip_point(finger: usize) -> Point3<f64> {
    tip_center(finger) + Vector3::from(TIP_DIRECTION) * PHALANX_RADIUS[finger][2]
}

/// The hand: a root (`"wrist"`) and three bodies per finger; 21 hinges. Positive angles flex
/// (towards the palm) or, for `*_abduct`, move the finger to the thumb's side.
pub fn skeleton() -> KinematicTree {
    let mut tree = KinematicTree::default();
    tree.bodies.push(Body {
        name: "wrist".into(),
        parent: None,
        parent_from_body: Pose::identity(),
        joints: Vec::new(),
    });
    for finger in 0..FINGERS.len() {
        add_finger(&mut tree, finger);
    }
    tree
}

/// Name, axis in the body and range.
type Hinge = (&'static str, Vector3<f64>, (f64, f64));

fn add_finger(tree: &mut KinematicTree, finger: usize) {
    let flexion = -Vector3::y();
    let name = FINGERS[finger];
    let hinges: [Vec<Hinge>; 3] = if finger == 0 {
        [
            vec![
                ("cmc_abduct", -Vector3::z(), (-0.6, 0.8)),
                ("cmc_flex", flexion, (-0.6, 0.8)),
                ("cmc_twist", -Vector3::x(), (-0.7, 0.7)),
            ],
            vec![("mcp_flex", flexion, (-0.2, 1.0))],
            vec![("ip_flex", flexion, (-0.3, 1.4))],
        ]
    } else {
        [
            vec![("abduct", -Vector3::z(), (-0.35, 0.35)), ("mcp_flex", flexion, (-0.35, 1.6))],
            vec![("pip_flex", flexion, (0.0, 1.92))],
            vec![("dip_flex", flexion, (-0.1, 1.4))],
        ]
    };
    let segments: [&str; 3] = if finger == 0 {
        ["metacarpal", "proximal", "distal"]
    } else {
        ["proximal", "middle", "distal"]
    };
    for (phalanx, hinges) in hinges.into_iter().enumerate() {
        let body = tree.bodies.len();
        debug_assert_eq!(body, phalanx_body(finger, phalanx));
        let (parent, parent_from_body) = match phalanx {
            0 => (0, Pose::from_parts(Vector3::from(BASE[finger]).into(), base_rotation(finger))),
            _ => (body - 1, Pose::translation(PHALANX_LENGTH[finger][phalanx - 1], 0.0, 0.0)),
        };
        let first = tree.joints.len();
        for (joint, axis, range) in hinges {
            tree.joints.push(Joint {
                name: format!("{name}_{joint}"),
                body,
                axis_in_body: Unit::new_normalize(axis),
                anchor_in_body: Point3::origin(),
                range,
            });
        }
        tree.bodies.push(Body {
            name: format!("{name}_{}", segments[phalanx]),
            parent: Some(parent),
            parent_from_body,
            joints: (first..tree.joints.len()).collect(),
        });
    }
}

/// Orientation of a finger's first body in the wrist frame at joint angles zero: x along the bone,
/// z the way the pad faces. The relaxed thumb points forward and outwards and its pad faces the
/// fingers.
fn base_rotation(finger: usize) -> UnitQuaternion<f64> {
    if finger > 0 {
        return UnitQuaternion::from_axis_angle(&Vector3::z_axis(), SPLAY[finger]);
    }
    let x = Vector3::new(0.66, -0.62, 0.42).normalize();
    let facing = Vector3::new(0.25, 0.85, 0.50);
    let z = (facing - x * facing.dot(&x)).normalize();
    let axes = Matrix3::from_columns(&[x, z.cross(&x), z]);
    UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes))
}

/// Capsules of the palm (one from the wrist to each knuckle, and the ball of the thumb) and of the
/// phalanges.
pub fn capsules() -> Vec<Capsule> {
    let mut capsules = Vec::with_capacity(20);
    for base in BASE {
        let end = Point3::from(base);
        // The palm's bones fan out from a narrow wrist rather than from one point.
        let start = Point3::new(0.010, end.y * 0.55, 0.0);
        capsules.push(Capsule { body: 0, start, end, radius: METACARPAL_RADIUS });
    }
    for finger in 0..FINGERS.len() {
        for phalanx in 0..3 {
            let end = match phalanx {
                2 => tip_center(finger),
                _ => Point3::new(PHALANX_LENGTH[finger][phalanx], 0.0, 0.0),
            };
            capsules.push(Capsule {
                body: phalanx_body(finger, phalanx),
                start: Point3::origin(),
                end,
                radius: PHALANX_RADIUS[finger][phalanx],
            });
        }
    }
    capsules
}

/// The 21 keypoints in the frame of `world_from_wrist`: wrist, then for each finger its three
/// joints and [`tip_point`]. `q`: joint angles of [`skeleton`], radians.
pub fn keypoints(tree: &KinematicTree, q: &[f64], world_from_wrist: &Pose) -> Keypoints {
    let poses = tree.forward(q);
    let mut points = [Point3::origin(); keypoint::COUNT];
    points[keypoint::WRIST] = world_from_wrist * Point3::origin();
    for finger in 0..FINGERS.len() {
        for phalanx in 0..3 {
            let joint = Point3::from(poses[phalanx_body(finger, phalanx)].translation.vector);
            points[1 + 4 * finger + phalanx] = world_from_wrist * joint;
        }
        let tip = poses[phalanx_body(finger, 2)] * tip_point(finger);
        points[4 + 4 * finger] = world_from_wrist * tip;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demonstration::{Side, chirality, world_from_palm};

    fn flexed(tree: &KinematicTree, angle: f64) -> Vec<f64> {
        tree.joints
            .iter()
            .map(
                |j| {
                    if j.name.ends_with("_flex") { angle.clamp(j.range.0, j.range.1) } else { 0.0 }
                },
            )
            .collect()
    }

    #[test]
    fn proportions_are_those_of_an_average_adult() {
        let tree = skeleton();
        let points = keypoints(&tree, &vec![0.0; tree.joints.len()], &Pose::identity());
        let palm = nalgebra::distance(&points[0], &points[9]);
        let length = nalgebra::distance(&points[0], &points[12]);
        assert!((palm - 0.095).abs() < 0.003, "palm {palm}");
        assert!((0.170..0.195).contains(&length), "hand length {length}");
    }

    #[test]
    fn flexed_fingers_show_a_right_hand() {
        let tree = skeleton();
        let points = keypoints(&tree, &flexed(&tree, 0.5), &Pose::identity());
        assert!(chirality(&[points]) > 0.01);
        let mirrored = points.map(|p| Point3::new(p.x, -p.y, p.z));
        assert!(chirality(&[mirrored]) < -0.01);
    }

    #[test]
    fn palm_frame_is_parallel_to_the_wrist_frame() {
        let tree = skeleton();
        let points = keypoints(&tree, &vec![0.0; tree.joints.len()], &Pose::identity());
        let palm = world_from_palm(&points, Side::Right).unwrap();
        assert!(palm.rotation.angle() < 0.1, "{}", palm.rotation.angle());
    }

    #[test]
    fn thumb_flexion_brings_its_tip_across_the_palm() {
        let tree = skeleton();
        let open = keypoints(&tree, &flexed(&tree, 0.0), &Pose::identity());
        let closed = keypoints(&tree, &flexed(&tree, 0.7), &Pose::identity());
        assert!(closed[4].y - open[4].y > 0.02, "{:?} {:?}", open[4], closed[4]);
    }

    #[test]
    fn limits_contain_the_straight_hand_and_the_fist() {
        let tree = skeleton();
        assert_eq!(tree.joints.len(), 21);
        for joint in &tree.joints {
            assert!(joint.range.0 <= 0.0 && joint.range.1 > 0.3, "{}", joint.name);
        }
    }

    /// The value of `key` in the first geom called `name` of the MJCF.
    fn geom_numbers(name: &str, key: &str) -> Vec<f64> {
        let xml = include_str!("../../../assets/hands/human.xml");
        let line = xml.lines().find(|l| l.contains(&format!("<geom name=\"{name}\""))).unwrap();
        let Some(at) = line.find(&format!(" {key}=\"")) else {
            return vec![METACARPAL_RADIUS];
        };
        let value = line[at + key.len() + 3..].split('"').next().unwrap();
        value.split_whitespace().map(|v| v.parse().unwrap()).collect()
    }

    #[test]
    fn capsules_are_those_of_the_mjcf() {
        let tree = skeleton();
        for (i, capsule) in capsules().iter().enumerate() {
            let name = match capsule.body {
                0 => format!("palm_{}", FINGERS[i]),
                body => tree.bodies[body].name.clone(),
            };
            let ends = geom_numbers(&name, "fromto");
            let ours = [capsule.start.coords, capsule.end.coords];
            for (a, b) in ends.iter().zip(ours.iter().flat_map(|v| v.iter())) {
                assert!((a - b).abs() < 1e-9, "{name}: {ends:?}");
            }
            assert!((geom_numbers(&name, "size")[0] - capsule.radius).abs() < 1e-9, "{name}");
        }
    }
}
