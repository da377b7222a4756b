//! Hands from files: what is taken, what is left out, and what the errors say.

use dextra_core::Side;
use dextra_sim::hand::Hand;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const HAND: &str = r#"<mujoco model="scene">
  <option timestep="0.001" gravity="0 0 -3"/>
  <worldbody>
    <light pos="0 0 2"/>
    <geom name="floor" type="plane" size="1 1 0.1"/>
    <body name="cup" pos="1 0 0"><freejoint/><geom size="0.03"/></body>
    <body name="palm" pos="0 0 0.4" quat="0 1 0 0">
      <freejoint name="float"/>
      <geom type="box" size="0.03 0.03 0.01"/>
      <body name="thumb" pos="0.04 0 0">
        <joint name="bend" axis="0 1 0" range="-60 60" ref="10"/>
        <geom type="capsule" size="0.01 0.02"/>
        <body pos="0.05 0.01 0">
          <joint axis="0 1 0" range="0 90"/>
          <geom size="0.01"/>
          <site name="tip" pos="0.01 0 0"/>
        </body>
      </body>
    </body>
  </worldbody>
  <contact><exclude body1="cup" body2="palm"/></contact>
  <actuator><position joint="bend" kp="2" ctrlrange="-1 1"/></actuator>
  <keyframe><key name="home"/></keyframe>
</mujoco>"#;

const MAP: &str = r#"name = "stub"
side = "left"
contact_bodies = ["thumb"]
[palm]
body = "palm"
center_m = [0, 0, 0.01]
fingers_axis = [2.0, 0, 0]
normal_axis = [0, 0, 1.0]
[[finger]]
name = "thumb"
bodies = ["thumb"]
tip_site = "tip"
[[keypoint]]
index = 4
site = "tip"
"#;

fn files(xml: &str, map: Option<&str>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stub.xml");
    fs::write(&path, xml).unwrap();
    if let Some(map) = map {
        fs::write(dir.path().join("stub.toml"), map).unwrap();
    }
    (dir, path)
}

/// The error of a hand made of `HAND` and `MAP` with one piece replaced.
fn error_of(xml: (&str, &str), map: (&str, &str)) -> String {
    assert!(HAND.contains(xml.0) && MAP.contains(map.0), "the test replaces what is there");
    let (_dir, path) = files(&HAND.replacen(xml.0, xml.1, 1), Some(&MAP.replacen(map.0, map.1, 1)));
    Hand::from_file(&path).unwrap_err().to_string()
}

fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is missing in: {error}");
    }
}

const SAME: (&str, &str) = ("", "");

#[test]
fn only_the_hand_is_taken_from_a_scene_file() {
    let (dir, path) = files(HAND, Some(MAP));
    let hand = Hand::resolve(path.to_str().unwrap(), Side::Right).unwrap();
    assert_eq!(hand.map.side, Side::Left, "a file keeps its own side");
    assert_eq!(hand.root_body, "palm");
    assert_eq!(hand.dir.as_deref(), Some(dir.path()));
    assert_eq!(hand.tree.bodies.len(), 3, "the unnamed body counts: {:?}", hand.tree.bodies);
    assert_eq!(hand.actuators.len(), 1);
    for gone in ["floor", "cup", "light", "keyframe", "gravity", "freejoint"] {
        assert!(!hand.xml.contains(gone), "{gone} is still in {}", hand.xml);
    }
    let notice = hand.notices.join("\n");
    assert_says(&notice, &["stub.xml", "1 keyframes", "1 other bodies", "1 joints of the root"]);
}

#[test]
fn a_reference_angle_is_part_of_the_pose_at_zero() {
    let (_dir, path) = files(HAND, Some(MAP));
    let hand = Hand::from_file(&path).unwrap();
    let model = mujoco_rs::prelude::MjModel::from_xml_string(&hand.xml).unwrap();
    let mut data = mujoco_rs::prelude::MjData::new(&model);
    let q = [0.3, 0.7];
    data.qpos_mut().copy_from_slice(&q);
    data.kinematics();
    // The root keeps the pose its file gives it; the tree starts at the root.
    let world = |i: usize| dextra_core::pose::from_pos_quat(data.xpos()[i], data.xquat()[i]);
    for (i, root_from_body) in hand.tree.forward(&q).iter().enumerate() {
        let expected = world(1).inverse() * world(i + 1);
        assert!((root_from_body.translation.vector - expected.translation.vector).norm() < 1e-9);
        assert!(root_from_body.rotation.angle_to(&expected.rotation) < 1e-7);
    }
}

#[test]
fn a_tip_may_be_given_as_a_point() {
    let (_dir, path) =
        files(HAND, Some(&MAP.replace("tip_site = \"tip\"", "tip_point_m = [0.0, 0.0, 0.03]")));
    let hand = Hand::from_file(&path).unwrap();
    assert_eq!(hand.tips[0].body, "thumb");
    assert_eq!(hand.tips[0].point_in_body.z, 0.03);
    assert!(hand.xml.contains(&hand.map.fingers[0].tip_site));
}

#[test]
fn missing_files_are_named() {
    let error = Hand::from_file(&PathBuf::from("nowhere/hand.xml")).unwrap_err().to_string();
    assert_says(&error, &["nowhere/hand.xml", "No such file"]);
}

#[test]
fn a_file_without_map_and_without_fingers_is_refused() {
    let (_dir, path) = files(HAND, None);
    assert_says(
        &Hand::from_file(&path).unwrap_err().to_string(),
        &["stub.xml", "fewer than two chains", "map beside it"],
    );
}

#[test]
fn mjcf_that_does_not_parse_is_reported_whole() {
    let error = error_of(("<worldbody>", "<worldbody><<"), SAME);
    assert_says(&error, &["stub.xml", "parse"]);
    // MuJoCo's message quotes the value; the binding alone would cut it at 99 characters.
    let long = "x".repeat(150);
    let error = error_of(("axis=\"0 1 0\" range=\"0 90\"", &format!("bogus_{long}=\"1\"")), SAME);
    assert_says(&error, &["stub.xml", &long]);
    assert_says(&error_of(("name=\"cup\"", "name=\"palm\""), SAME), &["stub.xml", "palm"]);
}

#[test]
fn meshes_that_are_not_there_are_left_out_and_named() {
    let asset = "<asset><mesh name=\"m\" file=\"nothing.stl\"/></asset><worldbody>";
    let xml = HAND.replace("<worldbody>", asset);
    let with = |geom: &str| {
        let tail = xml.rfind("</body>").unwrap();
        let (_dir, path) = files(&(xml[..tail].to_owned() + geom + &xml[tail..]), Some(MAP));
        Hand::from_file(&path)
    };
    let hand = with("<geom type=\"mesh\" mesh=\"m\"/>").unwrap();
    assert_says(&hand.notices.join("\n"), &["stub.xml", "collision meshes", "nothing.stl"]);
    let drawn = "<geom type=\"mesh\" mesh=\"m\" contype=\"0\" conaffinity=\"0\" mass=\"0\"/>";
    let hand = with(drawn).unwrap();
    assert_says(&hand.notices.join("\n"), &["stub.xml", "drawn meshes", "nothing.stl"]);
    assert!(!hand.xml.contains("nothing.stl"), "{}", hand.xml);
}

#[test]
fn joints_a_hand_cannot_have_are_refused() {
    let hinge = "<joint name=\"bend\" axis=\"0 1 0\" range=\"-60 60\" ref=\"10\"/>";
    let slide = "<joint name=\"bend\" type=\"slide\" axis=\"0 1 0\" range=\"-1 1\"/>";
    assert_says(
        &error_of((hinge, slide), SAME),
        &["stub.xml", "joint `bend`", "a slide", "hinges only"],
    );
}

#[test]
fn hands_of_too_many_joints_and_files_too_large_are_refused() {
    let bodies: String =
        (0..120).map(|_| "<body><joint axis=\"0 1 0\"/><geom size=\"0.01\"/></body>").collect();
    let (_dir, path) =
        files(&format!("<mujoco><worldbody><body>{bodies}</body></worldbody></mujoco>"), None);
    assert_says(&Hand::from_file(&path).unwrap_err().to_string(), &["stub.xml", "120", "at most"]);
    let (_dir, path) = files(&format!("{HAND}<!--{}-->", "x".repeat(17 << 20)), None);
    assert_says(&Hand::from_file(&path).unwrap_err().to_string(), &["stub.xml", "16 MB"]);
}

#[test]
fn a_hand_without_actuators_gets_servos() {
    let servo = "<position joint=\"bend\" kp=\"2\" ctrlrange=\"-1 1\"/>";
    let (_dir, path) = files(&HAND.replace(servo, ""), Some(MAP));
    let hand = Hand::from_file(&path).unwrap();
    assert_eq!(hand.actuators.len(), 2);
    for (servo, joint) in hand.actuators.iter().zip(&hand.tree.joints) {
        assert_eq!(servo.name, joint.name);
        // The text between has six digits.
        assert!((servo.ctrl_range.0 - joint.range.0).abs() < 1e-5);
        assert!((servo.ctrl_range.1 - joint.range.1).abs() < 1e-5);
        let limit = servo.force_range.unwrap().1;
        assert!((servo.kp * 0.3 - limit).abs() < 1e-4, "full torque 0.3 rad off the target");
    }
    assert_says(&hand.notices.join("\n"), &["stub.xml", "added 2 servos", "no actuators"]);
}

#[test]
fn a_map_that_names_missing_parts_says_which_exist() {
    let palm = error_of(SAME, ("body = \"palm\"", "body = \"plam\""));
    assert_says(&palm, &["stub.toml", "palm.body", "`plam`", "nearest: `palm`"]);
    let finger = error_of(SAME, ("\nbodies = [\"thumb\"]", "\nbodies = [\"thmub\"]"));
    assert_says(&finger, &["stub.toml", "finger[0].bodies[0]", "`thumb`"]);
    let site = error_of(SAME, ("tip_site = \"tip\"", "tip_site = \"tpi\""));
    assert_says(&site, &["finger[0].tip_site", "nearest: `tip`"]);
    let contact = error_of(SAME, ("contact_bodies = [\"thumb\"]", "contact_bodies = [\"cup\"]"));
    assert_says(&contact, &["contact_bodies[0]", "`cup`"]);
}

#[test]
fn a_map_with_wrong_fields_is_refused_by_field() {
    let unknown = error_of(SAME, ("[palm]", "[palm]\nwidth = 1"));
    assert_says(&unknown, &["stub.toml", "width", "unknown field"]);
    let mistyped = error_of(SAME, ("side =", "sied ="));
    assert_says(&mistyped, &["stub.toml", "did you mean `side`?"]);
    let absent = error_of(SAME, ("side = \"left\"", ""));
    assert_says(&absent, &["stub.toml", "missing field `side`"]);
    let side = error_of(SAME, ("side = \"left\"", "side = \"up\""));
    assert_says(&side, &["stub.toml", "`right` or `left`"]);
    let unit = error_of(SAME, ("center_m = [0, 0, 0.01]", "center_m = [0, 0, 10.0]"));
    assert_says(&unit, &["palm.center_m", "metre"]);
    let nan = error_of(SAME, ("fingers_axis = [2.0, 0, 0]", "fingers_axis = [nan, 0, 0]"));
    assert_says(&nan, &["palm.fingers_axis", "not a direction"]);
    let parallel = error_of(SAME, ("normal_axis = [0, 0, 1.0]", "normal_axis = [1.0, 0, 0.1]"));
    assert_says(&parallel, &["palm.normal_axis", "parallel"]);
    let index = error_of(SAME, ("index = 4", "index = 21"));
    assert_says(&index, &["keypoint[0].index", "21"]);
    let both = error_of(SAME, ("index = 4", "index = 4\nbody = \"thumb\""));
    assert_says(&both, &["keypoint[0]", "either `site`"]);
    let name = error_of(SAME, ("name = \"thumb\"", "name = \"thumbs\""));
    assert_says(&name, &["finger[0].name", "`thumb`"]);
}

#[test]
fn nonlinear_couplings_are_refused() {
    let equality = "<equality><joint name=\"mimic\" joint1=\"bend\" polycoef=\"0.1 0 0 0 0\"/></equality><contact>";
    assert_says(&error_of(("<contact>", equality), SAME), &["`mimic`", "locks"]);
}

#[test]
fn numbers_that_are_not_numbers_or_in_other_units_are_refused() {
    let nan = error_of(("pos=\"0.05 0.01 0\"", "pos=\"nan 0 0\""), SAME);
    assert_says(&nan, &["stub.xml", "NaN"]);
    let millimetres = error_of(("pos=\"0.05 0.01 0\"", "pos=\"50 10 0\""), SAME);
    assert_says(&millimetres, &["stub.xml", "body `body_1`", "metres"]);
    let grams = error_of(("<geom size=\"0.01\"/>", "<geom size=\"0.01\" mass=\"60\"/>"), SAME);
    assert_says(&grams, &["stub.xml", "kilograms"]);
}

#[test]
fn infinite_numbers_are_refused_by_element() {
    let error =
        error_of(("axis=\"0 1 0\" range=\"0 90\"", "axis=\"inf 1 0\" range=\"0 90\""), SAME);
    assert_says(&error, &["stub.xml", "joint", "not finite"]);
}

#[test]
fn truncated_files_give_an_error_naming_the_file() {
    let end = HAND.len() - "</mujoco>".len();
    for length in (0..end).step_by(41) {
        let (_dir, path) = files(&HAND[..length], Some(MAP));
        assert_says(&Hand::from_file(&path).unwrap_err().to_string(), &["stub.xml"]);
    }
    for length in (0..MAP.len() - 20).step_by(7) {
        let (_dir, path) = files(HAND, Some(&MAP[..length]));
        assert_says(&Hand::from_file(&path).unwrap_err().to_string(), &["stub.toml"]);
    }
}

#[test]
fn compile_warnings_become_notices_and_leave_no_log_file() {
    let deprecated = "<mujoco model=\"scene\"><compiler settotalmass=\"1\"/>";
    let (_dir, path) = files(&HAND.replace("<mujoco model=\"scene\">", deprecated), Some(MAP));
    let hand = Hand::from_file(&path).unwrap();
    let notice = hand.notices.join("\n");
    assert_says(&notice, &["stub.xml: MuJoCo warns", "settotalmass"]);
    assert!(!PathBuf::from("MUJOCO_LOG.TXT").exists());
}

#[test]
fn included_files_are_read() {
    let part = "<mujocoinclude><geom name=\"bead\" size=\"0.01\"/></mujocoinclude>";
    let whole = HAND.replace("<geom size=\"0.01\"/>", "<include file=\"part.xml\"/>");
    let (dir, path) = files(&whole, Some(MAP));
    fs::write(dir.path().join("part.xml"), part).unwrap();
    assert!(Hand::from_file(&path).unwrap().xml.contains("bead"));
}
