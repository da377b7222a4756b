//! Derived maps against the hand-written ones of the built-in hands, also where names, sites and root
//! frames give no help.

use super::{SIDES, builtin};
use dextra_core::hand::BodyPoint;
use dextra_core::{Pose, Side};
use dextra_sim::hand::{BUILTIN, Confidence, Hand, HandCheck, MapSource};
use nalgebra::{Point3, UnitQuaternion, Vector3};
use std::fs;
use tempfile::TempDir;

/// Derives the map of MJCF text, without a map beside it.
fn derived(xml: &str) -> HandCheck {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.xml");
    fs::write(&path, xml).unwrap();
    HandCheck::new(&path).unwrap_or_else(|e| panic!("{e}\n{xml}"))
}

/// The text with all names replaced by numbers, and without sites: nothing but geometry and kinematics.
fn anonymous(hand: &Hand) -> String {
    let without_sites: String =
        hand.xml.lines().filter(|line| !line.contains("<site ")).collect::<Vec<_>>().join("\n");
    let bodies = hand.tree.bodies.iter().map(|b| &b.name);
    let joints = hand.tree.joints.iter().map(|j| &j.name);
    let mut names: Vec<&String> = bodies.chain(joints).collect();
    names.sort();
    names.dedup();
    names.iter().enumerate().fold(without_sites, |text, (number, name)| {
        text.replace(&format!("=\"{name}\""), &format!("=\"b{number}\""))
    })
}

/// The text with the root body turned inside a new root.
fn turned(hand: &Hand, turn: &UnitQuaternion<f64>) -> String {
    let (w, [x, y, z]) = (turn.w, [turn.i, turn.j, turn.k]);
    let open = format!("<body name=\"{}\"", hand.root_body);
    assert_eq!(hand.xml.matches(&open).count(), 1, "the root body opens once");
    let mount =
        format!("<body name=\"mount\"><body quat=\"{w} {x} {y} {z}\" name=\"{}\"", hand.root_body);
    let xml = hand.xml.replace(&open, &mount);
    let end = xml.find("</worldbody>").unwrap();
    format!("{}</body>\n{}", &xml[..end], &xml[end..])
}

/// A point in the root frame, neutral pose.
fn place(hand: &Hand, at: &BodyPoint) -> Point3<f64> {
    let poses = hand.tree.forward(&hand.neutral());
    poses[hand.tree.body(&at.body).unwrap()] * at.point_in_body
}

fn root_from_palm(hand: &Hand) -> Pose {
    let poses = hand.tree.forward(&hand.neutral());
    poses[hand.tree.body(&hand.map.palm_body).unwrap()] * hand.map.palm_body_from_palm()
}

/// Numbers in the model's order of the joints that move the bodies of a finger.
fn joints(hand: &Hand, finger: usize) -> Vec<usize> {
    let bodies = hand.map.fingers[finger].bodies.iter();
    bodies.flat_map(|b| hand.tree.bodies[hand.tree.body(b).unwrap()].joints.clone()).collect()
}

/// Compares a derived map with a hand-written one of the same model, whose root frame is turned by
/// `turn` in the derived one's.
fn assert_agrees(case: &str, got: &Hand, wanted: &Hand, turn: &UnitQuaternion<f64>) {
    assert_eq!(got.map.side, wanted.map.side, "{case}: side");
    let names = |h: &Hand| h.map.fingers.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(got), names(wanted), "{case}: fingers");
    for finger in 0..wanted.map.fingers.len() {
        let name = &wanted.map.fingers[finger].name;
        assert_eq!(joints(got, finger), joints(wanted, finger), "{case}: joints of {name}");
        let gap = place(got, &got.tips[finger]) - turn * place(wanted, &wanted.tips[finger]);
        assert!(gap.norm() < 0.008, "{case}: tip of {name} is {gap} off");
    }
    let (a, b) = (root_from_palm(got), root_from_palm(wanted));
    let angle = |v: Vector3<f64>| (a.rotation * v).angle(&(turn * (b.rotation * v))).to_degrees();
    assert!(angle(Vector3::z()) < 5.0, "{case}: palm normal is {} deg off", angle(Vector3::z()));
    assert!(angle(Vector3::x()) < 10.0, "{case}: fingers axis is {} deg off", angle(Vector3::x()));
    let gap = Point3::from(a.translation.vector) - turn * Point3::from(b.translation.vector);
    assert!(gap.norm() < 0.015, "{case}: palm centre is {gap} off");
    for link in &wanted.map.keypoints {
        let same = got.map.keypoints.iter().find(|l| l.keypoint == link.keypoint);
        let same = same.unwrap_or_else(|| panic!("{case}: keypoint {} is missing", link.keypoint));
        let gap = (place(got, &same.at) - turn * place(wanted, &link.at)).norm();
        // Which of the thumb's inner joints is the CMC is a matter of taste, and so is the depth of
        // the wrist.
        let allowed = if link.keypoint < 2 { 0.035 } else { 0.01 };
        assert!(gap < allowed, "{case}: keypoint {} is {gap} m off", link.keypoint);
    }
    assert_eq!(got.map.keypoints.len(), wanted.map.keypoints.len(), "{case}: keypoints");
}

fn confidence(check: &HandCheck, item: &str) -> Confidence {
    check.findings.iter().find(|f| f.item == item).unwrap_or_else(|| panic!("no {item}")).confidence
}

#[test]
fn derived_maps_agree_with_the_hand_written_ones() {
    for (name, side) in BUILTIN.iter().flat_map(|n| SIDES.map(|s| (*n, s))) {
        let hand = builtin(name, side);
        let check = derived(&hand.xml);
        let case = format!("{name} {side:?}");
        assert_agrees(&case, &check.hand, &hand, &UnitQuaternion::identity());
        for (finger, written) in check.hand.map.fingers.iter().zip(&hand.map.fingers) {
            assert_eq!(finger, written, "{case}: bodies and site are those of the file");
            let item = format!("finger {}", finger.name);
            assert_eq!(confidence(&check, &item), Confidence::Certain, "{case}: {item}");
        }
        let missing = |b: &&String| !check.hand.map.contact_bodies.contains(*b);
        assert_eq!(hand.map.contact_bodies.iter().find(missing), None, "{case}");
    }
}

#[test]
fn geometry_alone_gives_the_same_map() {
    for (name, side) in BUILTIN.iter().flat_map(|n| SIDES.map(|s| (*n, s))) {
        let hand = builtin(name, side);
        let text = anonymous(&hand);
        for word in ["thumb", "\"th_", "index", "\"ff_", "<site "] {
            let mut lines = text.lines();
            // Geoms and actuators keep their names, which nobody reads.
            let said = lines.find(|l| {
                l.contains(word)
                    && !l.contains("<geom")
                    && !l.contains("class=")
                    && !l.contains("<position")
                    && !l.contains("<joint name=")
                    && !l.contains("<inertial")
            });
            let said = said.filter(|l| l.contains("<body") || l.contains("<site"));
            assert_eq!(said, None, "{word} is still there");
        }
        let check = derived(&text);
        let case = format!("{name} {side:?} without names");
        assert_agrees(&case, &check.hand, &hand, &UnitQuaternion::identity());
        assert!(confidence(&check, "finger thumb") < Confidence::Certain, "{case}");
        assert!(confidence(&check, "tip of index") < Confidence::Certain, "{case}");
    }
}

#[test]
fn the_root_frame_does_not_matter() {
    let axis = nalgebra::Unit::new_normalize(Vector3::new(0.3, -0.8, 0.5));
    for (name, angle) in BUILTIN.iter().zip([0.7, 1.9, -2.6, 3.1, 1.2]) {
        let turn = UnitQuaternion::from_axis_angle(&axis, angle);
        let hand = builtin(name, Side::Left);
        let check = derived(&turned(&hand, &turn));
        assert_eq!(check.hand.root_body, "mount");
        assert_agrees(&format!("{name} turned"), &check.hand, &hand, &turn);
    }
}

#[test]
fn names_that_contradict_the_geometry_are_reported_and_not_believed() {
    let hand = builtin("allegro", Side::Right);
    // Thumb and middle finger swap their names.
    let swapped = hand.xml.replace("\"th", "\"TH").replace("\"mf", "\"th").replace("\"TH", "\"mf");
    let check = derived(&swapped);
    assert_eq!(check.hand.map.fingers[0].bodies[0], "mf_base", "the thumb by geometry");
    let thumb = check.findings.iter().find(|f| f.item == "finger thumb").unwrap();
    assert_eq!(thumb.confidence, Confidence::Guess);
    assert!(thumb.reason.contains("but the names say"), "{}", thumb.reason);
    // Every body says left.
    let left = hand.tree.bodies.iter().fold(hand.xml.clone(), |xml, b| {
        xml.replace(&format!("=\"{}\"", b.name), &format!("=\"left_{}\"", b.name))
    });
    let check = derived(&left);
    assert_eq!(check.hand.map.side, Side::Right);
    let side = check.findings.iter().find(|f| f.item == "side").unwrap();
    assert_eq!(side.confidence, Confidence::Likely);
    assert!(side.reason.contains("but the names say"), "{}", side.reason);
}

/// A folder with a file of a built-in hand, and the path of the file.
fn file_of(hand: &Hand) -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.xml");
    fs::write(&path, anonymous(hand)).unwrap();
    (dir, path)
}

#[test]
fn the_written_map_gives_the_hand_that_was_derived() {
    for name in BUILTIN {
        let (_dir, path) = file_of(&builtin(name, Side::Left));
        let check = HandCheck::new(&path).unwrap();
        assert_eq!(check.source, MapSource::Derived);
        let derived = Hand::from_file(&path).unwrap();
        assert_eq!(derived.map, check.hand.map);
        fs::write(path.with_extension("toml"), &check.toml).unwrap();
        let stated = Hand::from_file(&path).unwrap();
        assert_eq!(stated.map, derived.map, "{name}");
        assert_eq!(stated.tips, derived.tips, "{name}");
        assert_eq!(stated.xml, derived.xml, "{name}");
        assert!(derived.notices.iter().any(|n| n.contains("no map beside it")));
        assert!(!stated.notices.iter().any(|n| n.contains("no map beside it")));
    }
    // Also where the file has motors and moves its root.
    let text = GRIPPER
        .replace(
            "<body name=\"plate\">",
            "<body name=\"plate\"><joint name=\"rail\" type=\"slide\"/>",
        )
        .replace("</mujoco>", "<actuator><motor joint=\"a\"/></actuator></mujoco>");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.xml");
    fs::write(&path, text).unwrap();
    let check = HandCheck::new(&path).unwrap();
    fs::write(path.with_extension("toml"), &check.toml).unwrap();
    assert_eq!(Hand::from_file(&path).unwrap().xml, check.hand.xml);
}

#[test]
fn a_mass_that_is_not_stated_is_said() {
    let check = derived(GRIPPER);
    let mass = check.findings.iter().find(|f| f.item == "mass").unwrap();
    assert_eq!(mass.confidence, Confidence::Likely);
    assert!(mass.reason.contains("not stated for plate, a, b"), "{}", mass.reason);
    let stated = derived(&GRIPPER.replace("<geom ", "<geom mass=\"0.1\" "));
    assert_eq!(confidence(&stated, "mass"), Confidence::Certain);
}

#[test]
fn a_map_beside_the_file_is_used_and_compared() {
    let hand = builtin("leap", Side::Right);
    let (_dir, path) = file_of(&hand);
    let derived = HandCheck::new(&path).unwrap();
    let beside = path.with_extension("toml");
    fs::write(&beside, &derived.toml).unwrap();
    let same = HandCheck::new(&path).unwrap();
    assert_eq!(same.source, MapSource::File(beside.clone()));
    assert_eq!(same.differences, Vec::<String>::new());
    let swapped = derived
        .toml
        .replace("side = \"right\"", "side = \"left\"")
        .replace("name = \"index\"", "name = \"pinky\"");
    fs::write(&beside, swapped).unwrap();
    assert_eq!(Hand::from_file(&path).unwrap().map.side, Side::Left);
    let other = HandCheck::new(&path).unwrap();
    assert_eq!(other.hand.map.side, Side::Right, "the check derives, whatever is stated");
    let said = other.differences.join("\n");
    for part in ["side: derived right, stated left", "pinky: stated", "index: derived"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
}

/// Two jaws that stand on a plate and close towards each other, with nothing to tell them apart.
const GRIPPER: &str = r#"<mujoco model="jaws"><compiler angle="radian"/><worldbody><body name="plate">
  <geom type="box" size="0.05 0.03 0.01"/>
  <body name="a" pos="-0.04 0 0.01"><joint name="a" axis="0 1 0" range="-0.1 0.8"/>
    <geom type="capsule" size="0.008" fromto="0 0 0 0 0 0.06"/></body>
  <body name="b" pos="0.04 0 0.01"><joint name="b" axis="0 -1 0" range="-0.1 0.8"/>
    <geom type="capsule" size="0.008" fromto="0 0 0 0 0 0.06"/></body>
</body></worldbody></mujoco>"#;

#[test]
fn a_gripper_is_a_guess_that_says_so() {
    let check = derived(GRIPPER);
    let map = &check.hand.map;
    assert_eq!(map.fingers.len(), 2);
    // The palm faces where the jaws point, between them.
    assert!(map.normal_axis.angle(&Vector3::z()) < 0.01, "{:?}", map.normal_axis);
    assert!(map.fingers_axis.x.abs() > 0.99, "{:?}", map.fingers_axis);
    assert!((map.palm_center - Point3::new(0.0, 0.0, 0.01)).norm() < 0.05);
    assert_eq!(confidence(&check, "finger thumb"), Confidence::Guess);
    assert_eq!(confidence(&check, "side"), Confidence::Guess);
    assert_eq!(check.hand.actuators.len(), 2, "servos are added");
    assert_eq!(check.weakest(), Confidence::Guess);
}

#[test]
fn motors_are_replaced_by_servos_and_said() {
    let motors =
        "<actuator><motor name=\"m\" joint=\"a\"/><motor name=\"n\" joint=\"b\"/></actuator>";
    let check = derived(&GRIPPER.replace("</mujoco>", &format!("{motors}</mujoco>")));
    let names: Vec<_> = check.hand.actuators.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(check.hand.notices.join("\n").contains("2 actuators are no position servos"));
}

/// Servos in place of motors give no more than the motors did; by hand: force times gear, or coefficient.
#[test]
fn servos_give_no_more_than_the_motors_that_they_replace() {
    let limits = |gripper: &str, motors: &str| -> Vec<f64> {
        let check = derived(&gripper.replace("</mujoco>", &format!("{motors}</mujoco>")));
        check.hand.actuators.iter().map(|a| a.force_range.unwrap().1).collect()
    };
    let close = |found: Vec<f64>, wanted: [f64; 2]| {
        assert!(
            found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-9),
            "{found:?} {wanted:?}"
        );
    };
    let usual = limits(GRIPPER, "")[0];
    let forced = "<actuator><motor joint=\"a\" gear=\"0.5\" forcerange=\"-0.1 0.1\" ctrlrange=\"-1 1\"/>\
                  <motor joint=\"b\" gear=\"2\" ctrlrange=\"-0.05 0.08\"/></actuator>";
    close(limits(GRIPPER, forced), [0.05, 0.16]);
    let tendon = "<tendon><fixed name=\"t\"><joint joint=\"a\" coef=\"0.5\"/><joint joint=\"b\" coef=\"-0.25\"/>\
                  </fixed></tendon><actuator><general tendon=\"t\" gainprm=\"0.3\" biastype=\"affine\" \
                  biasprm=\"0 -100 -10\" ctrlrange=\"0 255\" forcerange=\"-0.4 0.4\"/></actuator>";
    close(limits(GRIPPER, tendon), [0.2, 0.1]);
    // What the joint lets through, stated with or without motors; one motor without limits is none.
    let joint =
        GRIPPER.replace("name=\"b\" axis", "name=\"b\" actuatorfrcrange=\"-0.02 0.02\" axis");
    close(limits(&joint, ""), [usual, 0.02]);
    close(limits(&joint, "<actuator><motor joint=\"a\"/></actuator>"), [usual, 0.02]);
    let both =
        "<actuator><motor joint=\"a\" forcerange=\"-0.1 0.1\"/><motor joint=\"a\"/></actuator>";
    close(limits(GRIPPER, both), [usual, usual]);
}

#[test]
fn joints_that_nothing_moves_are_said() {
    let servo = "<actuator><position name=\"a\" joint=\"a\" kp=\"1\"/></actuator>";
    let check = derived(&GRIPPER.replace("</mujoco>", &format!("{servo}</mujoco>")));
    assert_eq!(check.hand.actuators.len(), 1);
    let said = check.unknown.join("\n");
    assert!(said.contains("no servo and no coupling moves b"), "{said}");
}
