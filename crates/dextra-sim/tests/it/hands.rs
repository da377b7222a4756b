//! Built-in hands against the published numbers and against MuJoCo.

mod derived;
mod files;
mod missing;
mod robots;
mod unusual;
mod urdf;

use dextra_core::Side;
use dextra_core::pose::from_pos_quat;
use dextra_sim::hand::{BUILTIN, Hand, HandError};
use mujoco_rs::prelude::*;
use nalgebra::Point3;
use std::collections::BTreeSet;

const SIDES: [Side; 2] = [Side::Right, Side::Left];

fn builtin(name: &str, side: Side) -> Hand {
    Hand::builtin(name, side).unwrap_or_else(|e| panic!("{name} {side:?}: {e}"))
}

/// A small generator is enough here: numbers in [0, 1), the same on every run.
pub struct Lcg(u64);

impl Lcg {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Angles inside the joint ranges, couplings applied.
    pub fn angles(&mut self, hand: &Hand) -> Vec<f64> {
        let mut q: Vec<f64> = hand
            .tree
            .joints
            .iter()
            .map(|j| j.range.0 + (j.range.1 - j.range.0) * self.next())
            .collect();
        hand.apply_couplings(&mut q);
        q
    }
}

/// Position of a site for joint angles `q`, in the root frame.
fn site(hand: &Hand, name: &str, q: &[f64]) -> Point3<f64> {
    let model = MjModel::from_xml_string(&hand.xml).unwrap();
    let id = model.name_to_id(MjtObjBase::mjOBJ_SITE, name).unwrap();
    let body = model.site_bodyid()[id] as usize - 1;
    hand.tree.forward(q)[body] * Point3::from(model.site_pos()[id])
}

/// The hand on a free root: on a fixed one MuJoCo would let the root collide with its children.
fn floating(hand: &Hand, with_excludes: bool) -> MjSpec {
    let mut spec = MjSpec::from_xml_string(&hand.xml).unwrap();
    spec.body_mut(&hand.root_body).unwrap().add_free_joint();
    if with_excludes {
        for (a, b) in &hand.excludes {
            let exclude = spec.add_exclude();
            exclude.set_bodyname1(a);
            exclude.set_bodyname2(b);
        }
    }
    spec
}

/// Contacts that penetrate, as body names.
fn overlaps(hand: &Hand, q: &[f64], with_excludes: bool) -> BTreeSet<(String, String)> {
    let model = floating(hand, with_excludes).compile().unwrap();
    let mut data = MjData::new(&model);
    data.qpos_mut()[7..].copy_from_slice(q);
    data.forward();
    let body = |geom: i32| {
        let id = model.geom_bodyid()[geom as usize] as usize;
        model.id_to_name(MjtObjBase::mjOBJ_BODY, id).unwrap().to_owned()
    };
    data.contact()
        .iter()
        .filter(|c| c.dist < 0.0)
        .map(|c| {
            let (a, b) = (body(c.geom[0]), body(c.geom[1]));
            if a < b { (a, b) } else { (b, a) }
        })
        .collect()
}

fn assert_sites(hand: &Hand, palm_quat: [f64; 4], q: &[f64], sites: &[(&str, [f64; 3])]) {
    let world_from_palm = from_pos_quat([0.0; 3], palm_quat);
    for (name, expected) in sites {
        let got = world_from_palm * site(hand, name, q);
        let error = (got - Point3::from(*expected)).norm();
        assert!(error < 1.5e-4, "{name}: {got} instead of {expected:?}");
    }
}

/// A published in-hand grasp pose, LEAP's being Allegro's with the first two joints of each finger
/// swapped.
const LEAP_CANONICAL: [f64; 16] = [
    1.244, 0.082, 0.265, 0.298, 1.096, 0.005, 0.080, 0.150, 1.337, 0.029, 0.285, 0.317, 1.163,
    1.104, 0.953, -0.138,
];
const ALLEGRO_CANONICAL: [f64; 16] = [
    0.082, 1.244, 0.265, 0.298, 0.005, 1.096, 0.080, 0.150, 0.029, 1.337, 0.285, 0.317, 1.104,
    1.163, 0.953, -0.138,
];

#[test]
fn leap_fingertips_lie_where_the_published_model_has_them() {
    let hand = builtin("leap", Side::Right);
    let palm_up = [0.0, 1.0, 0.0, 0.0];
    assert_sites(
        &hand,
        palm_up,
        &[0.0; 16],
        &[
            ("if_tip", [0.1322, -0.0076, 0.0195]),
            ("mf_tip", [0.1321, 0.0378, 0.0195]),
            ("rf_tip", [0.1321, 0.0832, 0.0195]),
            ("th_tip", [-0.0823, -0.1367, 0.0219]),
        ],
    );
    assert_sites(
        &hand,
        palm_up,
        &LEAP_CANONICAL,
        &[
            ("if_tip", [-0.0003, -0.0001, 0.1535]),
            ("mf_tip", [0.0425, 0.0383, 0.1481]),
            ("rf_tip", [-0.0154, 0.0858, 0.1532]),
            ("th_tip", [-0.0458, 0.0288, 0.1419]),
        ],
    );
}

#[test]
fn allegro_fingertips_lie_where_the_published_model_has_them() {
    let hand = builtin("allegro", Side::Right);
    let palm_up = [0.5, 0.5, -0.5, 0.5];
    let mut zero = [0.0; 16];
    zero[12] = 0.263;
    assert_sites(
        &hand,
        palm_up,
        &zero,
        &[
            ("ff_tip_frame", [-0.0553, -0.1334, 0.0]),
            ("mf_tip_frame", [0.0, -0.1362, 0.0]),
            ("rf_tip_frame", [0.0553, -0.1334, 0.0]),
            ("th_tip_frame", [-0.1612, 0.0855, 0.0260]),
        ],
    );
    assert_sites(
        &hand,
        palm_up,
        &ALLEGRO_CANONICAL,
        &[
            ("ff_tip_frame", [-0.0555, -0.0274, 0.1150]),
            ("mf_tip_frame", [-0.0005, -0.0630, 0.1094]),
            ("rf_tip_frame", [0.0417, -0.0160, 0.1157]),
            ("th_tip_frame", [-0.0079, 0.0432, 0.1180]),
        ],
    );
}

#[test]
fn joints_and_servos_come_in_the_published_order() {
    let names = |hand: &Hand| {
        let joints: Vec<_> = hand.tree.joints.iter().map(|j| j.name.clone()).collect();
        let servos: Vec<_> = hand.actuators.iter().map(|a| a.name.clone()).collect();
        (joints.join(" "), servos.join(" "))
    };
    let (joints, servos) = names(&builtin("shadow", Side::Right));
    assert_eq!(
        joints,
        "WRJ2 WRJ1 FFJ4 FFJ3 FFJ2 FFJ1 MFJ4 MFJ3 MFJ2 MFJ1 RFJ4 RFJ3 RFJ2 RFJ1 \
         LFJ5 LFJ4 LFJ3 LFJ2 LFJ1 THJ5 THJ4 THJ3 THJ2 THJ1"
    );
    assert_eq!(
        servos,
        "WRJ2 WRJ1 THJ5 THJ4 THJ3 THJ2 THJ1 FFJ4 FFJ3 FFJ0 MFJ4 MFJ3 MFJ0 RFJ4 RFJ3 RFJ0 \
         LFJ5 LFJ4 LFJ3 LFJ0"
    );
    let (joints, servos) = names(&builtin("leap", Side::Right));
    assert_eq!(
        joints,
        "if_mcp if_rot if_pip if_dip mf_mcp mf_rot mf_pip mf_dip rf_mcp rf_rot rf_pip rf_dip \
         th_cmc th_axl th_mcp th_ipl"
    );
    assert_eq!(joints, servos);
    let (joints, servos) = names(&builtin("allegro", Side::Right));
    assert_eq!(
        joints,
        "ffj0 ffj1 ffj2 ffj3 mfj0 mfj1 mfj2 mfj3 rfj0 rfj1 rfj2 rfj3 thj0 thj1 thj2 thj3"
    );
    assert_eq!(joints, servos);
    let inspire = builtin("inspire", Side::Right);
    assert_eq!(inspire.tree.joints.len(), 12);
    assert_eq!(names(&inspire).1, "thumb_yaw thumb_pitch index middle ring pinky");
    assert_eq!(inspire.coordinates.len(), 6);
}

#[test]
fn limits_and_masses_are_the_published_ones() {
    let range = |name: &str, joint: &str| {
        let hand = builtin(name, Side::Right);
        hand.tree.joints[hand.tree.joint(joint).unwrap()].range
    };
    assert_eq!(range("leap", "th_axl"), (-0.47, 2.443));
    assert_eq!(range("leap", "th_mcp"), (-1.20, 1.90));
    assert_eq!(range("leap", "rf_mcp"), (-0.314, 2.23));
    assert_eq!(range("allegro", "thj0"), (0.263, 1.396));
    assert_eq!(range("allegro", "rfj3"), (-0.227, 1.618));
    assert_eq!(range("shadow", "THJ4"), (0.0, 1.2217));
    assert_eq!(range("shadow", "WRJ1"), (-0.6981, 0.4887));
    for side in SIDES {
        for (name, mass) in [("leap", 0.746), ("allegro", 0.955), ("shadow", 0.794 + 0.1)] {
            let hand = builtin(name, side);
            assert!((hand.mass - mass).abs() < 5e-4, "{name}: {} kg", hand.mass);
        }
        let inspire = builtin("inspire", side).mass;
        assert!((0.55..0.65).contains(&inspire), "inspire: {inspire} kg");
    }
}

#[test]
fn tree_agrees_with_mujoco_at_random_angles() {
    let mut random = Lcg(1);
    for (name, side) in BUILTIN.iter().flat_map(|n| SIDES.map(|s| (*n, s))) {
        let hand = builtin(name, side);
        let model = MjModel::from_xml_string(&hand.xml).unwrap();
        let mut data = MjData::new(&model);
        for _ in 0..20 {
            let q = random.angles(&hand);
            data.qpos_mut().copy_from_slice(&q);
            data.kinematics();
            for (i, pose) in hand.tree.forward(&q).iter().enumerate() {
                let expected = from_pos_quat(data.xpos()[i + 1], data.xquat()[i + 1]);
                assert!((pose.translation.vector - expected.translation.vector).norm() < 1e-9);
                assert!(pose.rotation.angle_to(&expected.rotation) < 1e-7);
            }
        }
    }
}

#[test]
fn fingertips_are_as_thick_as_their_geoms() {
    // Diameters of the last link's capsule or, for boxes, the thinner side, from assets/hands.
    let shadow = builtin("shadow", Side::Right);
    assert_eq!(shadow.finger_thickness.len(), shadow.map.fingers.len());
    for (finger, thickness) in shadow.map.fingers.iter().zip(&shadow.finger_thickness) {
        let expected = if finger.name == "thumb" { 0.018 } else { 0.015 };
        assert!((thickness - expected).abs() < 1e-9, "{}: {thickness}", finger.name);
    }
    for name in BUILTIN {
        let (right, left) = (builtin(name, Side::Right), builtin(name, Side::Left));
        for (a, b) in right.finger_thickness.iter().zip(&left.finger_thickness) {
            assert!((a - b).abs() < 1e-9 && (0.01..0.035).contains(a), "{name}: {a} {b}");
        }
    }
}

#[test]
fn left_hand_mirrors_right() {
    let mut random = Lcg(2);
    for name in BUILTIN {
        let (right, left) = (builtin(name, Side::Right), builtin(name, Side::Left));
        assert_eq!((right.map.side, left.map.side), (Side::Right, Side::Left));
        assert_eq!(right.excludes, left.excludes);
        for (r, l) in right.actuators.iter().zip(&left.actuators) {
            assert_eq!(
                (&r.name, &r.terms, r.force_range, r.kp),
                (&l.name, &l.terms, l.force_range, l.kp)
            );
            // Text with six digits between the two may cost the last bit.
            assert!((r.ctrl_range.0 - l.ctrl_range.0).abs() < 1e-12);
            assert!((r.ctrl_range.1 - l.ctrl_range.1).abs() < 1e-12);
        }
        let mirrored = |p: Point3<f64>| Point3::new(p.x, -p.y, p.z);
        for _ in 0..20 {
            let q = random.angles(&right);
            let (r, l) = (right.tree.forward(&q), left.tree.forward(&q));
            for (a, b) in right.tips.iter().zip(&left.tips) {
                let tip_r = r[right.tree.body(&a.body).unwrap()] * a.point_in_body;
                let tip_l = l[left.tree.body(&b.body).unwrap()] * b.point_in_body;
                assert!((mirrored(tip_r) - tip_l).norm() < 1e-6, "{name}: {tip_r} and {tip_l}");
            }
            for (a, b) in right.map.keypoints.iter().zip(&left.map.keypoints) {
                let at_r = r[right.tree.body(&a.at.body).unwrap()] * a.at.point_in_body;
                let at_l = l[left.tree.body(&b.at.body).unwrap()] * b.at.point_in_body;
                assert!((mirrored(at_r) - at_l).norm() < 1e-6, "{name} keypoint {}", a.keypoint);
            }
            // Mirrored geoms touch where the right ones do.
            assert_eq!(overlaps(&right, &q, true), overlaps(&left, &q, true), "{name} at {q:?}");
        }
        let [r, l] = [&right, &left].map(|h| MjModel::from_xml_string(&h.xml).unwrap());
        for (a, b) in r.body_ipos().iter().zip(l.body_ipos()) {
            assert!((mirrored(Point3::from(*a)) - Point3::from(*b)).norm() < 1e-6);
        }
    }
}

#[test]
fn map_axes_are_the_geometry_of_the_hand() {
    for (name, side) in BUILTIN.iter().flat_map(|n| SIDES.map(|s| (*n, s))) {
        let hand = builtin(name, side);
        let poses = hand.tree.forward(&hand.neutral());
        let palm_from_root = poses[hand.tree.body(&hand.map.palm_body).unwrap()].inverse();
        let at = |k: usize| {
            let link = hand.map.keypoints.iter().find(|l| l.keypoint == k).unwrap();
            palm_from_root * poses[hand.tree.body(&link.at.body).unwrap()] * link.at.point_in_body
        };
        let along = (at(9) - at(0)).normalize();
        assert!(along.dot(&hand.map.fingers_axis) > 0.9, "{name}: fingers axis");
        // The last mapped knuckle is the pinky's, or the ring's of a four-fingered hand.
        let last = if hand.map.fingers.len() == 5 { 17 } else { 13 };
        let across = at(5) - at(last);
        let normal =
            across.cross(&along).normalize() * if side == Side::Right { 1.0 } else { -1.0 };
        assert!(normal.dot(&hand.map.normal_axis) > 0.9, "{name} {side:?}: palm normal");
    }
}

#[test]
fn excludes_are_exactly_the_pairs_that_overlap_in_the_neutral_pose() {
    for (name, side) in BUILTIN.iter().flat_map(|n| SIDES.map(|s| (*n, s))) {
        let hand = builtin(name, side);
        let q = hand.neutral();
        let sorted = |(a, b): &(String, String)| {
            if a < b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) }
        };
        let listed: BTreeSet<_> = hand.excludes.iter().map(sorted).collect();
        assert_eq!(listed, overlaps(&hand, &q, false), "{name}");
        assert_eq!(overlaps(&hand, &q, true), BTreeSet::new(), "{name}");
    }
    let excludes = |name| builtin(name, Side::Right).excludes;
    let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
    assert_eq!(excludes("shadow"), pair("th_proximal", "th_middle"));
    assert_eq!(excludes("allegro"), pair("palm", "th_proximal"));
    assert_eq!(excludes("leap"), vec![]);
}

/// A half-closed grasp of each hand: `(joint, angle)`, the rest neutral.
fn half_closed(hand: &Hand) -> Vec<f64> {
    let mut q = match hand.map.name.as_str() {
        "leap" => LEAP_CANONICAL.to_vec(),
        "allegro" => ALLEGRO_CANONICAL.to_vec(),
        _ => {
            let mut q = hand.neutral();
            for (joint, angle) in hand.tree.joints.iter().zip(&mut q) {
                let name = joint.name.as_str();
                *angle = match (hand.map.name.as_str(), name) {
                    ("shadow", "THJ5") => 0.5,
                    ("shadow", "THJ4") => 0.7,
                    ("shadow", "THJ2" | "THJ1") => 0.2,
                    ("shadow", _) if name.ends_with("J3") && !name.starts_with("TH") => 0.7,
                    ("shadow", _) if name.ends_with("J2") && name != "WRJ2" => 0.5,
                    ("human", _) if name.ends_with("_flex") && !name.starts_with("thumb") => 0.5,
                    ("inspire", "thumb_yaw") => 1.1,
                    ("inspire", "thumb_pitch") => 0.1,
                    ("inspire", _) if name.ends_with("_proximal") => 0.6,
                    _ => *angle,
                };
            }
            q
        }
    };
    hand.apply_couplings(&mut q);
    q
}

#[test]
fn half_closed_hands_do_not_touch_themselves() {
    for (name, side) in BUILTIN.iter().flat_map(|n| SIDES.map(|s| (*n, s))) {
        let hand = builtin(name, side);
        assert_eq!(overlaps(&hand, &half_closed(&hand), true), BTreeSet::new(), "{name}");
    }
}

#[test]
fn servos_carry_the_hand_to_its_targets() {
    for name in BUILTIN {
        let hand = builtin(name, Side::Left);
        let q = half_closed(&hand);
        let mut spec = floating(&hand, true);
        spec.option_mut().integrator = MjtIntegrator::mjINT_IMPLICITFAST as i32;
        let model = spec.compile().unwrap();
        let mut data = MjData::new(&model);
        data.qpos_mut()[7..].copy_from_slice(&hand.neutral());
        let ctrl = hand.ctrl(&q);
        data.ctrl_mut().copy_from_slice(&ctrl);
        (0..1500).for_each(|_| data.step());
        for (actuator, target) in hand.actuators.iter().zip(ctrl) {
            let length: f64 = actuator.terms.iter().map(|&(j, c)| c * data.qpos()[7 + j]).sum();
            // Friction of 0.01 N m at a stiffness of 3 N m/rad stops a servo within 3 mrad.
            assert!(
                (length - target).abs() < 0.01,
                "{name} {}: {length} for {target}",
                actuator.name
            );
        }
        for coupling in &hand.tree.couplings {
            let (got, of) = (data.qpos()[7 + coupling.joint], data.qpos()[7 + coupling.of]);
            let expected = coupling.offset + coupling.ratio * of;
            // A soft equality, or a tendon that shares its sum between two free hinges.
            assert!((got - expected).abs() < 0.02, "{name} {coupling:?}: {got} for {expected}");
        }
    }
}

#[test]
fn couplings_and_controls_follow_tendons_and_mimics() {
    let shadow = builtin("shadow", Side::Right);
    let (j2, j1) = (shadow.tree.joint("FFJ2").unwrap(), shadow.tree.joint("FFJ1").unwrap());
    let mut q = shadow.neutral();
    q[j2] = 0.8;
    shadow.apply_couplings(&mut q);
    assert_eq!(q[j1], 0.8);
    let j0 = shadow.actuators.iter().position(|a| a.name == "FFJ0").unwrap();
    assert_eq!(shadow.actuators[j0].terms, [(j2, 1.0), (j1, 1.0)]);
    assert!((shadow.ctrl(&q)[j0] - 1.6).abs() < 1e-12);
    q[j1] = 5.0;
    // The file says 3.1416.
    let upper = shadow.actuators[j0].ctrl_range.1;
    assert!((upper - std::f64::consts::PI).abs() < 1e-5);
    assert_eq!(shadow.ctrl(&q)[j0], upper, "clipped to the control range");
    assert_eq!(shadow.actuators[j0].force_range, Some((-1.0, 1.0)));
    assert_eq!(shadow.coordinates.len(), 20);

    let inspire = builtin("inspire", Side::Right);
    let joint = |name| inspire.tree.joint(name).unwrap();
    let mut q = inspire.neutral();
    q[joint("index_proximal")] = 1.0;
    q[joint("thumb_pitch")] = 0.5;
    inspire.apply_couplings(&mut q);
    assert!((q[joint("index_distal")] - 1.05).abs() < 1e-12);
    assert!((q[joint("thumb_intermediate")] - 0.8).abs() < 1e-12);
    assert!((q[joint("thumb_distal")] - 0.7).abs() < 1e-12);
}

#[test]
fn fingertips_are_the_extremities_of_smooth_geoms() {
    for name in BUILTIN {
        let hand = builtin(name, Side::Right);
        let model = MjModel::from_xml_string(&hand.xml).unwrap();
        for tip in &hand.tips {
            let body = hand.tree.body(&tip.body).unwrap() + 1;
            // Distance from the tip to the surface of the nearest capsule or sphere of its body.
            let gap = (0..model.geom_bodyid().len())
                .filter(|&g| model.geom_bodyid()[g] as usize == body)
                .filter_map(|g| {
                    let half = match model.geom_type()[g] {
                        MjtGeomBase::mjGEOM_CAPSULE => model.geom_size()[g][1],
                        MjtGeomBase::mjGEOM_SPHERE => 0.0,
                        _ => return None,
                    };
                    let local = from_pos_quat(model.geom_pos()[g], model.geom_quat()[g])
                        .inverse_transform_point(&tip.point_in_body);
                    let core = Point3::new(0.0, 0.0, local.z.clamp(-half, half));
                    Some(((local - core).norm() - model.geom_size()[g][0]).abs())
                })
                .fold(f64::INFINITY, f64::min);
            assert!(gap < 6e-4, "{name} {}: {gap} m from the surface", tip.body);
        }
    }
}

#[test]
fn unknown_hand_lists_the_nearest_names() {
    let error = Hand::resolve("shadw", Side::Right).unwrap_err();
    assert!(matches!(error, HandError::UnknownHand { .. }));
    let text = error.to_string();
    assert!(text.contains("`shadw`") && text.contains("are `shadow`"), "{text}");
}
