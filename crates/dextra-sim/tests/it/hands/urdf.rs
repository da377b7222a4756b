//! Hands from URDF: conversion against an independent reading, the hands in `../shared/robots`, and files
//! that are wrong.

use super::{Lcg, builtin, floating, overlaps};
use dextra_core::Side;
use dextra_sim::hand::{Confidence, Hand, HandCheck};
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Vector3};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A URDF hand in the shared folder; `None`, said aloud, where it is not there.
fn shared(file: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/robots/dex-urdf/robots/hands")
        .join(file);
    if !path.exists() {
        eprintln!("skipped: no ../shared/robots/dex-urdf/robots/hands/{file}");
        return None;
    }
    Some(path)
}

const SHARED: [&str; 5] = [
    "allegro_hand/allegro_hand_right.urdf",
    "allegro_hand/allegro_hand_left.urdf",
    "schunk_hand/schunk_svh_hand_right.urdf",
    "schunk_hand/schunk_svh_hand_left.urdf",
    "barrett_hand/bhand_model.urdf",
];

fn check(path: &std::path::Path) -> HandCheck {
    HandCheck::new(path).unwrap_or_else(|e| panic!("{e}"))
}

fn bodies(hand: &Hand) -> Vec<(String, Vec<String>)> {
    hand.map.fingers.iter().map(|f| (f.name.clone(), f.bodies.clone())).collect()
}

/// Fingers as `(name, first body, last body)`.
fn ends(hand: &Hand) -> Vec<(String, String, String)> {
    bodies(hand)
        .into_iter()
        .map(|(name, bodies)| (name, bodies[0].clone(), bodies[bodies.len() - 1].clone()))
        .collect()
}

fn owned(ends: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    ends.iter().map(|&(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).collect()
}

/// The palm frame's axes in the root frame.
fn axes(hand: &Hand) -> (Vector3<f64>, Vector3<f64>) {
    let poses = hand.tree.forward(&hand.neutral());
    let palm = poses[hand.tree.body(&hand.map.palm_body).unwrap()].rotation;
    (palm * hand.map.fingers_axis, palm * hand.map.normal_axis)
}

fn near(a: Vector3<f64>, b: [f64; 3]) -> bool {
    a.angle(&Vector3::from(b)).to_degrees() < 5.0
}

#[test]
fn the_allegro_urdf_is_the_built_in_allegro() {
    let Some(path) = shared(SHARED[0]) else { return };
    let check = check(&path);
    let (hand, ours) = (&check.hand, builtin("allegro", Side::Right));
    assert_eq!(hand.map.side, Side::Right);
    assert_eq!(
        ends(hand),
        owned(&[
            ("thumb", "link_12.0", "link_15.0"),
            ("index", "link_0.0", "link_3.0"),
            ("middle", "link_4.0", "link_7.0"),
            ("ring", "link_8.0", "link_11.0"),
        ])
    );
    let (fingers, normal) = axes(hand);
    assert!(near(fingers, [0.0, 0.0, 1.0]) && near(normal, [1.0, 0.0, 0.0]), "{fingers} {normal}");
    // Both have their joints in the order index, middle, ring, thumb.
    let q = ours.neutral();
    for (a, b) in hand.tips.iter().zip(&ours.tips) {
        let at = |h: &Hand, p: &dextra_core::hand::BodyPoint| -> Point3<f64> {
            h.tree.forward(&q)[h.tree.body(&p.body).unwrap()] * p.point_in_body
        };
        assert!((at(hand, a) - at(&ours, b)).norm() < 0.01, "{} {}", at(hand, a), at(&ours, b));
    }
    for (a, b) in hand.tree.joints.iter().zip(&ours.tree.joints) {
        assert!((a.range.0 - b.range.0).abs() < 1e-3, "{}", a.name);
        assert!((a.range.1 - b.range.1).abs() < 1e-3, "{}", a.name);
    }
    assert_eq!(hand.actuators.len(), 16);
    let said = hand.notices.join("\n");
    assert!(said.contains("visual mesh file(s) that are not there"), "{said}");
    assert!(!said.contains("collision mesh"), "{said}");
}

#[test]
fn the_left_allegro_urdf_counts_its_fingers_from_the_other_side() {
    let Some(path) = shared(SHARED[1]) else { return };
    let check = check(&path);
    assert_eq!(check.hand.map.side, Side::Left);
    assert_eq!(ends(&check.hand)[1], ("index".into(), "link_8.0".into(), "link_11.0".into()));
    assert_eq!(ends(&check.hand)[3], ("ring".into(), "link_0.0".into(), "link_3.0".into()));
}

#[test]
fn the_schunk_hand_follows_its_mimic_joints() {
    for (file, side, word) in [(SHARED[2], Side::Right, "right"), (SHARED[3], Side::Left, "left")] {
        let Some(path) = shared(file) else { return };
        let check = check(&path);
        let hand = &check.hand;
        assert_eq!(hand.map.side, side);
        let body = |b: &str| format!("{word}_hand_{b}");
        let wanted = [
            ("thumb", "z", "c"),
            ("index", "virtual_l", "t"),
            ("middle", "k", "s"),
            ("ring", "virtual_j", "r"),
            ("pinky", "virtual_i", "q"),
        ];
        let wanted: Vec<_> =
            wanted.iter().map(|(f, a, b)| ((*f).to_owned(), body(a), body(b))).collect();
        assert_eq!(ends(hand), wanted);
        assert!(near(axes(hand).0, [0.0, 0.0, 1.0]), "{side:?} {:?}", axes(hand));
        assert!(near(axes(hand).1, [1.0, 0.0, 0.0]), "{side:?} {:?}", axes(hand));
        // 20 joints, 11 of which mimic others.
        assert_eq!((hand.tree.joints.len(), hand.tree.couplings.len()), (20, 11));
        assert_eq!((hand.coordinates.len(), hand.actuators.len()), (9, 9));
        let coupling = |joint: &str| {
            let index = hand.tree.joint(&body(joint)).unwrap();
            let c = hand.tree.couplings.iter().find(|c| c.joint == index).unwrap();
            (hand.tree.joints[c.of].name.clone(), c.ratio)
        };
        assert_eq!(coupling("j12"), (body("Ring_Finger"), 1.3588));
        assert_eq!(coupling("index_spread"), (body("Finger_Spread"), 0.5));
        // The left file limits this joint to the other sign of what its multiplier gives.
        let ratio = if side == Side::Right { 1.0 } else { -1.0 };
        assert_eq!(coupling("j5"), (body("Thumb_Opposition"), ratio));
        assert_eq!(hand.notices.join("\n").contains("sign was turned"), side == Side::Left);
        // The boxes of the palm are in the way of the thumb's second link.
        assert_eq!(hand.excludes, [("base_link".to_owned(), body("a"))]);
        let tips: Vec<_> = hand.map.fingers.iter().map(|f| f.tip_site.as_str()).collect();
        assert_eq!(tips, ["thtip", "fftip", "mftip", "rftip", "lftip"]);
    }
}

#[test]
fn the_barrett_hand_has_a_thumb_between_two_fingers() {
    let Some(path) = shared(SHARED[4]) else { return };
    let check = check(&path);
    let hand = &check.hand;
    assert_eq!(
        ends(hand),
        owned(&[
            ("thumb", "finger_3_med_link", "finger_3_dist_link"),
            ("index", "finger_1_prox_link", "finger_1_dist_link"),
            ("middle", "finger_2_prox_link", "finger_2_dist_link"),
        ])
    );
    let (fingers, normal) = axes(hand);
    assert!(near(fingers, [0.0, 1.0, 0.0]) && near(normal, [0.0, 0.0, 1.0]), "{fingers} {normal}");
    let side = check.findings.iter().find(|f| f.item == "side").unwrap();
    assert_eq!(side.confidence, Confidence::Guess, "a hand with a plane of symmetry has no side");
    assert_eq!(hand.actuators.len(), 8);
    let said = hand.notices.join("\n");
    assert!(said.contains("visual mesh") && said.contains("centre of mass"), "{said}");
    let used = Hand::from_file(&path).unwrap().notices.join("\n");
    assert!(used.contains("guessed side") && used.contains("no map beside it"), "{used}");
}

#[test]
fn shared_mjcf_hands_have_the_maps_of_the_built_in_ones() {
    let robots = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/robots");
    for (folder, file, name, side) in [
        ("shadow_hand", "right_hand.xml", "shadow", Side::Right),
        ("shadow_hand", "left_hand.xml", "shadow", Side::Left),
        ("wonik_allegro", "right_hand.xml", "allegro", Side::Right),
        ("wonik_allegro", "scene_left.xml", "allegro", Side::Left),
        ("leap_hand", "right_hand.xml", "leap", Side::Right),
    ] {
        let path = robots.join(folder).join(file);
        if !path.exists() {
            eprintln!("skipped: no ../shared/robots/{folder}/{file}");
            continue;
        }
        let check = check(&path);
        let (hand, ours) = (&check.hand, builtin(name, side));
        assert_eq!(hand.map.side, side, "{folder}/{file}");
        let plain = |bodies: &[String]| -> String {
            let text = bodies.join(" ").replace("rh_", "").replace("lh_", "");
            text.replace('_', "")
        };
        let fingers = |h: &Hand| -> Vec<_> {
            h.map.fingers.iter().map(|f| (f.name.clone(), plain(&f.bodies))).collect()
        };
        assert_eq!(fingers(hand), fingers(&ours), "{folder}/{file}");
        if side == Side::Left {
            // Their left hands are mirrored in other planes than ours.
            continue;
        }
        assert!(hand.map.normal_axis.angle(&ours.map.normal_axis).to_degrees() < 5.0);
        assert!(hand.map.fingers_axis.angle(&ours.map.fingers_axis).to_degrees() < 5.0);
        assert!((hand.map.palm_center - ours.map.palm_center).norm() < 0.02);
        let tip = |h: &Hand, finger: usize| -> Point3<f64> {
            let poses = h.tree.forward(&h.neutral());
            let at = &h.tips[finger];
            let palm = poses[h.tree.body(&h.map.palm_body).unwrap()];
            palm.inverse() * poses[h.tree.body(&at.body).unwrap()] * at.point_in_body
        };
        for finger in 0..ours.map.fingers.len() {
            let gap = (tip(hand, finger) - tip(&ours, finger)).norm();
            assert!(gap < 0.01, "{folder}/{file}: tip {finger} is {gap} m off");
        }
    }
}

/// Prints the poses of all links of a URDF, read with Python's own XML parser, for joint angles that
/// mimic joints follow.
const READER: &str = r#"
import json, sys, math
import xml.etree.ElementTree as ET
import numpy as np
robot = ET.parse(sys.argv[1]).getroot()
angles = json.load(sys.stdin)
def numbers(node, key, default):
    return [float(x) for x in (node.get(key) if node is not None and node.get(key) else default).split()]
def turn(axis, angle):
    a = np.array(axis) / np.linalg.norm(axis)
    k = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])
    return np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * k @ k
def pose(rotation, position):
    m = np.eye(4); m[:3, :3] = rotation; m[:3, 3] = position; return m
joints = [j for j in robot.findall("joint")]
children = {j.find("child").get("link") for j in joints}
place = {l.get("name"): np.eye(4) for l in robot.findall("link") if l.get("name") not in children}
while len(place) < len(robot.findall("link")):
    for j in joints:
        parent, child = j.find("parent").get("link"), j.find("child").get("link")
        if parent not in place or child in place:
            continue
        r, p, y = numbers(j.find("origin"), "rpy", "0 0 0")
        fixed = pose(turn([0, 0, 1], y) @ turn([0, 1, 0], p) @ turn([1, 0, 0], r), numbers(j.find("origin"), "xyz", "0 0 0"))
        angle = 0.0
        if j.get("type") in ("revolute", "continuous"):
            name, factor, offset = j.get("name"), 1.0, 0.0
            mimic = j.find("mimic")
            if mimic is not None:
                name = mimic.get("joint")
                factor, offset = float(mimic.get("multiplier", 1)), float(mimic.get("offset", 0))
            angle = factor * angles[name] + offset
        moved = pose(turn(numbers(j.find("axis"), "xyz", "1 0 0"), angle), [0, 0, 0])
        place[child] = place[parent] @ fixed @ moved
print("\n".join(f"{name} " + " ".join(repr(float(x)) for x in m[:3, 3]) for name, m in place.items()))
"#;

#[test]
fn links_lie_where_an_independent_reader_has_them() {
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let numpy = Command::new(&python).args(["-c", "import numpy"]).output();
    if !numpy.is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: {} has no numpy; DEXTRA_PYTHON names another Python", python.display());
        return;
    }
    let mut random = Lcg(11);
    let mut compared = 0;
    // The left Schunk hand is not here: its file contradicts itself, see above.
    for file in [SHARED[0], SHARED[1], SHARED[2], SHARED[4]] {
        let Some(path) = shared(file) else { continue };
        let hand = Hand::from_file(&path).unwrap();
        let model = MjModel::from_xml_string(&hand.xml).unwrap();
        for _ in 0..5 {
            let q = random.angles(&hand);
            let angles: Vec<String> = hand
                .tree
                .joints
                .iter()
                .zip(&q)
                .map(|(j, a)| format!("\"{}\": {a}", j.name))
                .collect();
            let mut child = Command::new(&python)
                .args(["-c", READER, path.to_str().unwrap()])
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let text = format!("{{{}}}", angles.join(", "));
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{file}: the reader failed");
            let poses = hand.tree.forward(&q);
            for line in String::from_utf8(output.stdout).unwrap().lines() {
                let words: Vec<&str> = line.split(' ').collect();
                let wanted = Point3::from([1, 2, 3].map(|k| words[k].parse::<f64>().unwrap()));
                let got = match hand.tree.body(words[0]) {
                    Some(body) => Point3::from(poses[body].translation.vector),
                    // A link that was welded into another is a site.
                    None => {
                        let id = model.name_to_id(MjtObjBase::mjOBJ_SITE, words[0]);
                        let id = id.unwrap_or_else(|| panic!("{file}: no {}", words[0]));
                        poses[model.site_bodyid()[id] as usize - 1]
                            * Point3::from(model.site_pos()[id])
                    }
                };
                assert!((got - wanted).norm() < 2e-6, "{file} {}: {got} for {wanted}", words[0]);
                compared += 1;
            }
        }
    }
    let there = shared(SHARED[0]).is_some();
    assert!(compared > 300 || !there, "{compared} links compared");
}

#[test]
fn added_servos_carry_urdf_hands_to_their_targets() {
    for file in SHARED {
        let Some(path) = shared(file) else { continue };
        let hand = Hand::from_file(&path).unwrap();
        assert_eq!(overlaps(&hand, &hand.neutral(), true), BTreeSet::new(), "{file}");
        let model = {
            let mut spec = floating(&hand, true);
            spec.option_mut().integrator = MjtIntegrator::mjINT_IMPLICITFAST as i32;
            spec.compile().unwrap()
        };
        let mut data = MjData::new(&model);
        data.qpos_mut()[7..].copy_from_slice(&hand.neutral());
        // A quarter of the way to the more distant limit, where no hand touches itself.
        let mut q = hand.neutral();
        for (angle, joint) in q.iter_mut().zip(&hand.tree.joints) {
            let (up, down) = (joint.range.1 - *angle, joint.range.0 - *angle);
            *angle += 0.25 * if up > -down { up } else { down };
        }
        hand.apply_couplings(&mut q);
        let ctrl = hand.ctrl(&q);
        data.ctrl_mut().copy_from_slice(&ctrl);
        (0..1500).for_each(|_| data.step());
        for (actuator, target) in hand.actuators.iter().zip(&ctrl) {
            let length: f64 = actuator.terms.iter().map(|&(j, c)| c * data.qpos()[7 + j]).sum();
            assert!(
                (length - target).abs() < 0.02,
                "{file} {}: {length} for {target}",
                actuator.name
            );
        }
        for coupling in &hand.tree.couplings {
            let (got, of) = (data.qpos()[7 + coupling.joint], data.qpos()[7 + coupling.of]);
            let expected = coupling.offset + coupling.ratio * of;
            assert!((got - expected).abs() < 0.03, "{file} {coupling:?}: {got} for {expected}");
        }
    }
}

/// Two fingers with offset mimic joints on a palm; a fingertip is a fixed link.
const PINCH: &str = r#"<robot name="pinch">
  <link name="palm"><collision><geometry><box size="0.06 0.04 0.02"/></geometry></collision></link>
  <link name="a1"><inertial><mass value="0.02"/><inertia ixx="1e-6" iyy="1e-6" izz="1e-6" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0 0 0.02"/><geometry><cylinder radius="0.006" length="0.04"/></geometry></collision></link>
  <link name="a2"><collision><origin xyz="0 0 0.015"/><geometry><cylinder radius="0.006" length="0.03"/></geometry></collision></link>
  <link name="a_tip"><visual><geometry><mesh filename="package://nowhere/tip.dae"/></geometry></visual></link>
  <link name="b1"><collision><origin xyz="0 0 0.02"/><geometry><capsule radius="0.006" length="0.03"/></geometry></collision></link>
  <link name="b2"><collision><origin xyz="0 0 0.015"/><geometry><sphere radius="0.01"/></geometry></collision></link>
  <joint name="a1" type="revolute"><parent link="palm"/><child link="a1"/><origin xyz="-0.02 0 0.01"/><axis xyz="0 1 0"/>
    <limit lower="0" upper="1" effort="0.2" velocity="1"/></joint>
  <joint name="a2" type="revolute"><parent link="a1"/><child link="a2"/><origin xyz="0 0 0.04"/><axis xyz="0 1 0"/>
    <limit lower="0.4" upper="1.6" effort="0" velocity="1"/><mimic joint="a1" multiplier="1.1" offset="0.45"/></joint>
  <joint name="a_tip" type="fixed"><parent link="a2"/><child link="a_tip"/><origin xyz="0 0 0.03"/></joint>
  <joint name="b1" type="revolute"><parent link="palm"/><child link="b1"/><origin xyz="0.02 0 0.01"/><axis xyz="0 -1 0"/>
    <limit lower="0" upper="1" effort="9" velocity="1"/></joint>
  <joint name="b2" type="continuous"><parent link="b1"/><child link="b2"/><origin xyz="0 0 0.04"/><axis xyz="0 -1 0"/></joint>
</robot>"#;

fn pinch(from: &str, to: &str) -> Result<HandCheck, String> {
    assert!(PINCH.contains(from), "the test replaces what is there: {from}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pinch.urdf");
    fs::write(&path, PINCH.replacen(from, to, 1)).unwrap();
    HandCheck::new(&path).map_err(|e| e.to_string())
}

#[test]
fn mimic_offsets_efforts_and_fixed_links_are_taken_over() {
    let check = pinch("", "").unwrap();
    let hand = &check.hand;
    let c = &hand.tree.couplings[0];
    assert_eq!((c.joint, c.of, c.ratio), (1, 0, 1.1));
    assert!((c.offset - 0.45).abs() < 1e-9);
    assert!((hand.neutral()[1] - 0.45).abs() < 1e-9);
    // Effort of the file where it is less than 10 N at the fingertip.
    assert_eq!(hand.actuators[0].force_range, Some((-0.2, 0.2)));
    let limit = hand.actuators[1].force_range.unwrap().1;
    assert!((0.5..0.8).contains(&limit), "10 N, 6.5 cm away: {limit}");
    // The follower's upper limit 1.6 is within its image 1.55.
    assert!((hand.actuators[0].ctrl_range.1 - 1.0).abs() < 1e-9);
    let tip = hand.map.fingers.iter().position(|f| f.tip_site == "a_tip").expect("the fixed link");
    assert_eq!(hand.tips[tip].body, "a2");
    let said = hand.notices.join("\n");
    assert!(said.contains("1 visual mesh file(s) that are not there"), "{said}");
    assert!(said.contains("no mass stated"), "{said}");
    let limits = check.findings.iter().find(|f| f.item == "limits").unwrap();
    assert_eq!(limits.confidence, Confidence::Guess, "a continuous joint has none");
}

#[test]
fn a_slide_that_carries_the_hand_is_left_to_the_scene() {
    let rail = "<robot name=\"pinch\"><link name=\"world\"/><joint name=\"rail\" type=\"prismatic\">\
                <parent link=\"world\"/><child link=\"palm\"/><limit lower=\"-1\" upper=\"1\"/></joint>";
    let check = pinch("<robot name=\"pinch\">", rail).unwrap();
    let plain = pinch("", "").unwrap();
    assert_eq!(check.hand.tree.joints.len(), plain.hand.tree.joints.len());
    assert_eq!(ends(&check.hand), ends(&plain.hand));
    assert!(check.hand.notices.join("\n").contains("`rail` carries the whole hand"));
}

#[test]
fn what_is_only_drawn_is_left_out_where_it_does_not_compile() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("torn.obj"), "v 0 0 0\nv 1 0 0\nf 1 2 9\n").unwrap();
    let mesh = "<visual><geometry><mesh filename=\"torn.obj\"/></geometry></visual></link>\n  <link name=\"a1\">";
    let path = dir.path().join("pinch.urdf");
    fs::write(&path, PINCH.replacen("</link>\n  <link name=\"a1\">", mesh, 1)).unwrap();
    let hand = Hand::from_file(&path).unwrap();
    let said = hand.notices.join("\n");
    assert!(said.contains("left out all that is only drawn"), "{said}");
    assert!(!hand.xml.contains("torn.obj"), "{}", hand.xml);
    // A torn mesh that collides is an error that names it.
    let text = PINCH.replacen("<sphere radius=\"0.01\"/>", "<mesh filename=\"torn.obj\"/>", 1);
    fs::write(&path, text).unwrap();
    let error = Hand::from_file(&path).unwrap_err().to_string();
    assert!(error.contains("pinch.urdf") && error.contains("MuJoCo"), "{error}");
}

#[test]
fn collision_meshes_that_are_not_there_are_said_louder() {
    let check = pinch(
        "<geometry><sphere radius=\"0.01\"/></geometry>",
        "<geometry><mesh filename=\"package://x/y.stl\"/></geometry>",
    )
    .unwrap();
    let said = check.hand.notices.join("\n");
    assert!(
        said.contains("1 collision mesh file(s)") && said.contains("package://x/y.stl"),
        "{said}"
    );
}

#[test]
fn meshes_are_found_through_package_paths() {
    let dir = tempfile::tempdir().unwrap();
    let package = dir.path().join("my_hand");
    fs::create_dir_all(package.join("meshes")).unwrap();
    fs::create_dir_all(package.join("urdf")).unwrap();
    let cube = crate::fixtures::obj(&crate::fixtures::cuboid([5.0, 5.0, 30.0]));
    fs::write(package.join("meshes/tip.obj"), cube).unwrap();
    let mesh = "<mesh filename=\"package://my_hand/meshes/tip.dae\" scale=\"0.001 0.001 0.001\"/>";
    let path = package.join("urdf/pinch.urdf");
    fs::write(&path, PINCH.replacen("<sphere radius=\"0.01\"/>", mesh, 1)).unwrap();
    let hand = Hand::from_file(&path).unwrap();
    let b = hand.map.fingers.iter().position(|f| f.bodies.contains(&"b2".to_owned())).unwrap();
    // The mesh ends 30 mm from its middle, which lies 15 mm from the joint.
    assert!((hand.tips[b].point_in_body.z - 0.045).abs() < 1e-3, "{:?}", hand.tips[b]);
}

#[test]
fn wrong_urdfs_are_refused_by_element() {
    let refused = |from: &str, to: &str, parts: &[&str]| {
        let error = pinch(from, to).err().unwrap_or_else(|| panic!("{to} was taken"));
        for part in parts.iter().chain(&["pinch.urdf"]) {
            assert!(error.contains(part), "`{part}` is missing in: {error}");
        }
    };
    refused("<robot name", "<robbot name", &["XML"]);
    refused("<parent link=\"a1\"/>", "<parent link=\"a9\"/>", &["joint `a2`", "`a9`"]);
    refused("<parent link=\"a1\"/>", "", &["joint `a2`", "parent"]);
    refused(
        "<parent link=\"palm\"/><child link=\"a1\"/>",
        "<parent link=\"a2\"/><child link=\"a1\"/>",
        &["circle"],
    );
    refused("<child link=\"b2\"/>", "<child link=\"a2\"/>", &["second parent", "`a2`"]);
    refused("<link name=\"b2\">", "<link name=\"b1\">", &["link `b1`", "twice"]);
    refused("<joint name=\"b2\"", "<joint name=\"b1\"", &["joint `b1`", "twice"]);
    refused(
        "upper=\"1\" effort=\"9\"",
        "upper=\"nan\" effort=\"9\"",
        &["joint `b1`", "`upper`", "nan"],
    );
    refused(
        "lower=\"0\" upper=\"1\" effort=\"9\"",
        "lower=\"2\" upper=\"1\" effort=\"9\"",
        &["joint `b1`", "lower limit"],
    );
    refused("xyz=\"0.02 0 0.01\"", "xyz=\"0.02 0\"", &["joint `b1`", "2 numbers"]);
    refused(
        "<axis xyz=\"0 -1 0\"/>\n    <limit",
        "<axis xyz=\"0 0 0\"/>\n    <limit",
        &["joint `b1`", "axis"],
    );
    refused(
        "name=\"b1\" type=\"revolute\"",
        "name=\"b1\" type=\"prismatic\"",
        &["joint `b1`", "no hinge"],
    );
    refused("<mimic joint=\"a1\"", "<mimic joint=\"zz\"", &["joint `a2`", "`zz`"]);
    refused("<sphere radius=\"0.01\"/>", "<sphere radius=\"-1\"/>", &["link `b2`", "radius"]);
    refused("<sphere radius=\"0.01\"/>", "<torus/>", &["link `b2`", "torus"]);
    refused("<mass value=\"0.02\"/>", "<mass value=\"-2\"/>", &["link `a1`", "negative mass"]);
    let many: String = (0..1200).map(|k| format!("<link name=\"x{k}\"/>")).collect();
    refused("<link name=\"palm\">", &(many + "<link name=\"palm\">"), &["links and joints"]);
    let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><robot name";
    refused("<robot name", bomb, &["XML"]);
}

#[test]
fn truncated_urdfs_are_errors_and_nothing_panics() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.urdf");
    for length in (0..PINCH.len() - 10).step_by(37) {
        fs::write(&path, &PINCH[..length]).unwrap();
        let error = HandCheck::new(&path).expect_err("a torn file").to_string();
        assert!(error.contains("cut.urdf"), "{error}");
    }
}
