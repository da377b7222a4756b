//! Hands of other kinds than the built-in ones: underactuated linkages that stay bent, claws, grippers,
//! fingers on a common metacarpal, side branches, more than five fingers.

use dextra_core::Side;
use dextra_sim::hand::{Confidence, Finding, HandCheck};
use nalgebra::{Point3, Vector3};
use std::fs;

fn derived(xml: &str) -> HandCheck {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.xml");
    fs::write(&path, xml).unwrap();
    HandCheck::new(&path).unwrap_or_else(|e| panic!("{e}\n{xml}"))
}

fn finding<'a>(check: &'a HandCheck, item: &str) -> &'a Finding {
    check.findings.iter().find(|f| f.item == item).unwrap_or_else(|| panic!("no {item}"))
}

/// Human name and last body of the fingers, in the order of the map.
fn ends(check: &HandCheck) -> Vec<(&str, &str)> {
    let fingers = check.hand.map.fingers.iter();
    fingers.map(|f| (f.name.as_str(), f.bodies[f.bodies.len() - 1].as_str())).collect()
}

/// Ten joints, six of them independent, as in hands whose fingers are four-bar linkages: the second joint
/// follows the first with an offset, so that no pose has straight fingers. Fingers along +z, palm
/// towards +x; the thumb turns about z into opposition. `side` is 1 for a right hand and -1 for a left
/// one. Body names say nothing.
fn linkage_hand(side: f64) -> String {
    let mut fingers = String::new();
    let mut equalities = String::new();
    for (k, y) in [0.03, 0.01, -0.01, -0.03].into_iter().enumerate() {
        let y = y * side;
        fingers += &format!(
            "<body name=\"b{k}\" pos=\"0 {y} 0.09\"><joint name=\"p{k}\" axis=\"0 1 0\" range=\"0 2.09\"/>
             <geom type=\"capsule\" size=\"0.007\" fromto=\"0 0 0 0 0 0.038\"/>
             <body name=\"c{k}\" pos=\"0 0 0.038\"><joint name=\"q{k}\" axis=\"0 1 0\" range=\"0.65 2.66\"/>
             <geom type=\"capsule\" size=\"0.006\" fromto=\"0 0 0 0 0 0.03\"/></body></body>"
        );
        equalities +=
            &format!("<joint joint1=\"q{k}\" joint2=\"p{k}\" polycoef=\"0.7235 1.0585 0 0 0\"/>");
    }
    let (turn, low, high) = if side > 0.0 { ("0 0 1", -2.09, 0.0) } else { ("0 0 -1", -2.09, 0.0) };
    let bend = if side > 0.0 { "1 0 0" } else { "-1 0 0" };
    format!(
        "<mujoco model=\"linkage\"><compiler angle=\"radian\"/><worldbody><body name=\"base\">
         <geom type=\"box\" size=\"0.012 0.04 0.045\" pos=\"0 0 0.045\"/>{fingers}
         <body name=\"t0\" pos=\"0.005 {} 0.03\"><joint name=\"r0\" axis=\"{turn}\" range=\"{low} {high}\"/>
         <geom type=\"capsule\" size=\"0.009\" fromto=\"0 0 0 0 {} 0.01\"/>
         <body name=\"t1\" pos=\"0 {} 0.01\"><joint name=\"r1\" axis=\"{bend}\" range=\"0 2.09\"/>
         <geom type=\"capsule\" size=\"0.008\" fromto=\"0 0 0 0 {} 0.04\"/></body></body>
         </body></worldbody><equality>{equalities}</equality></mujoco>",
        0.025 * side,
        0.02 * side,
        0.025 * side,
        0.04 * side,
    )
}

#[test]
fn a_linkage_hand_that_never_straightens_is_understood() {
    for (sign, side) in [(1.0, Side::Right), (-1.0, Side::Left)] {
        let check = derived(&linkage_hand(sign));
        let map = &check.hand.map;
        assert_eq!(map.side, side);
        assert_eq!(
            ends(&check),
            [("thumb", "t1"), ("index", "c0"), ("middle", "c1"), ("ring", "c2"), ("pinky", "c3")]
        );
        assert!(map.normal_axis.angle(&Vector3::x()).to_degrees() < 5.0, "{:?}", map.normal_axis);
        assert!(map.fingers_axis.angle(&Vector3::z()).to_degrees() < 5.0, "{:?}", map.fingers_axis);
        assert_eq!((check.hand.coordinates.len(), check.hand.actuators.len()), (6, 6));
        let coupled = &finding(&check, "coupled joints").value;
        assert!(
            coupled.contains("q0 = 0.724 + 1.058 p0")
                || coupled.contains("q0 = 0.723 + 1.058 p0")
                || coupled.contains("q0 = 0.724 + 1.059 p0"),
            "{coupled}"
        );
        let index =
            check.hand.map.keypoints.iter().filter(|k| (5..9).contains(&k.keypoint)).count();
        assert_eq!(index, 3, "MCP, PIP and tip; a DIP is not there");
    }
}

/// Three like fingers of three joints round a plate, pointing along +z and closing to the middle.
fn claw(fingers: usize) -> String {
    let mut bodies = String::new();
    for k in 0..fingers {
        let angle = std::f64::consts::TAU * k as f64 / fingers as f64;
        let (x, y) = (0.04 * angle.cos(), 0.04 * angle.sin());
        bodies += &format!(
            "<body name=\"a{k}\" pos=\"{x} {y} 0.01\" euler=\"0 0 {angle}\">
             <joint name=\"a{k}\" axis=\"1 0 0\" range=\"-0.4 0.4\"/><geom size=\"0.012\"/>
             <body name=\"b{k}\" pos=\"0 0 0.02\"><joint name=\"b{k}\" axis=\"0 -1 0\" range=\"-0.3 1.5\"/>
             <geom type=\"capsule\" size=\"0.008\" fromto=\"0 0 0 0 0 0.05\"/>
             <body name=\"c{k}\" pos=\"0 0 0.05\"><joint name=\"c{k}\" axis=\"0 -1 0\" range=\"-0.3 1.5\"/>
             <geom type=\"capsule\" size=\"0.008\" fromto=\"0 0 0 0 0 0.05\"/></body></body></body>"
        );
    }
    format!(
        "<mujoco model=\"claw\"><compiler angle=\"radian\" eulerseq=\"xyz\"/><worldbody><body name=\"plate\">
         <geom type=\"cylinder\" size=\"0.05 0.01\"/>{bodies}</body></worldbody></mujoco>"
    )
}

#[test]
fn a_claw_faces_where_its_fingers_point_and_its_thumb_is_a_guess() {
    let check = derived(&claw(3));
    let map = &check.hand.map;
    assert_eq!(map.fingers.len(), 3);
    assert!(map.normal_axis.angle(&Vector3::z()).to_degrees() < 5.0, "{:?}", map.normal_axis);
    assert!((map.palm_center - Point3::new(0.0, 0.0, 0.01)).norm() < 0.02, "{}", map.palm_center);
    assert_eq!(finding(&check, "finger thumb").confidence, Confidence::Guess);
    assert_eq!(finding(&check, "side").confidence, Confidence::Guess);
    // The thumb's base lies opposite the fingers axis.
    let thumb = check.hand.tree.body(&map.fingers[0].bodies[0]).unwrap();
    let base = check.hand.tree.bodies[thumb].parent_from_body.translation.vector;
    assert!(base.dot(&map.fingers_axis) < -0.03, "{base}");
    for tip in &check.hand.tips {
        assert!((tip.point_in_body - Point3::new(0.0, 0.0, 0.058)).norm() < 0.002, "{tip:?}");
    }
}

#[test]
fn what_is_beyond_five_fingers_is_left_out_and_said() {
    let check = derived(&claw(7));
    assert_eq!(check.hand.map.fingers.len(), 5);
    assert!(check.unknown.join("\n").contains("2 finger(s) beyond five"), "{:?}", check.unknown);
}

#[test]
fn a_lever_beside_a_finger_is_no_finger() {
    let lever = "<body name=\"lever\" pos=\"0.01 0 0\"><joint name=\"lever\" axis=\"0 1 0\" range=\"0 1\"/><geom size=\"0.003\"/></body>";
    let text = linkage_hand(1.0);
    let plain = derived(&text);
    // On the palm, and on a finger.
    for body in ["base", "b0"] {
        let open = format!("<body name=\"{body}\"");
        let at = text.find(&open).unwrap();
        let end = at + text[at..].find("/>").unwrap() + 2;
        let mut with = text.clone();
        // After the first element of the body, which is its joint or its geom.
        with.insert_str(end, lever);
        let check = derived(&with);
        assert_eq!(ends(&check), ends(&plain), "on {body}");
        let said = check.unknown.join("\n");
        assert!(said.contains("whether `lever` is a finger"), "on {body}: {said}");
    }
}

#[test]
fn symmetric_ranges_say_that_the_palm_may_face_either_way() {
    let text = linkage_hand(1.0)
        .replace("range=\"0 2.09\"", "range=\"-2 2.02\"")
        .replace("range=\"0.65 2.66\"", "range=\"-2.1 2.1\"")
        .replace("0.7235 1.0585", "0 1");
    let check = derived(&text);
    let normal = finding(&check, "palm normal");
    assert_eq!(normal.confidence, Confidence::Guess);
    assert!(normal.reason.contains("opposite"), "{}", normal.reason);
    // Seen from the other side of the palm, the thumb is that of the other hand.
    for names in ["linkage", "linkage_right"] {
        let check = derived(&text.replace("model=\"linkage\"", &format!("model=\"{names}\"")));
        let side = finding(&check, "side");
        assert_eq!(side.confidence, Confidence::Guess, "{names}: {}", side.reason);
        assert!(side.reason.contains("no surer than the palm normal"), "{}", side.reason);
    }
}

#[test]
fn links_numbered_with_an_l_say_no_side() {
    for sign in [1.0, -1.0] {
        let plain = derived(&linkage_hand(sign));
        let mut text = linkage_hand(sign).replace("\"base\"", "\"L0\"");
        for (old, new) in [("b", "L1"), ("c", "L2"), ("t", "L3")] {
            for k in 0..4 {
                text = text.replace(&format!("\"{old}{k}\""), &format!("\"{new}{k}\""));
            }
        }
        let numbered = derived(&text);
        assert!(numbered.hand.tree.body("L13").is_some());
        assert_eq!(finding(&numbered, "side"), finding(&plain, "side"));
    }
}

#[test]
fn pairs_that_the_file_rules_out_are_said_not_to_collide() {
    let said = |text: &str| finding(&derived(text), "self-collision").value.clone();
    let plain = linkage_hand(1.0);
    // The base of the thumb is in the palm.
    assert_eq!(said(&plain), "all pairs but neighbours and base - t1");
    let exclude = |pairs: &[(&str, &str)]| {
        let of_pair = |(a, b): &(&str, &str)| format!("<exclude body1=\"{a}\" body2=\"{b}\"/>");
        let all: String = pairs.iter().map(of_pair).collect();
        plain.replace("</mujoco>", &format!("<contact>{all}</contact></mujoco>"))
    };
    assert_eq!(said(&exclude(&[("t1", "b0")])), "all pairs but neighbours and base - t1, b0 - t1");
    let palm = ["c0", "c1", "c2", "c3", "t1"].map(|tip| (tip, "base"));
    assert_eq!(said(&exclude(&palm)), "all pairs but neighbours and base - all others");
    // Bodies of the last links of fingers meet nothing but the palm, by their bits.
    let bits = plain
        .replace("type=\"box\"", "contype=\"3\" conaffinity=\"3\" type=\"box\"")
        .replace("size=\"0.006\"", "size=\"0.006\" contype=\"2\" conaffinity=\"2\"");
    let value = said(&bits);
    assert!(value.contains("b0 - c1, b0 - c2") && value.contains("c3 - t1"), "{value}");
    assert!(!value.contains("c0 - c1") && !value.contains("base - c"), "{value}");
    let many = bits.replace("conaffinity=\"2\"", "conaffinity=\"0\"");
    assert!(said(&many).contains(" more"), "{}", said(&many));
    // A pair that is named collides whatever the bits say.
    let mute = plain.replace("<geom ", "<geom contype=\"0\" conaffinity=\"1\" ");
    assert_eq!(said(&mute), "no pair collides");
    let named = mute
        .replace("size=\"0.009\"", "name=\"t\" size=\"0.009\"")
        .replacen("size=\"0.006\"", "name=\"c\" size=\"0.006\"", 1)
        .replace("</mujoco>", "<contact><pair geom1=\"t\" geom2=\"c\"/></contact></mujoco>");
    assert!(said(&named).contains("c1 - all others"), "{}", said(&named));
    assert!(!said(&named).contains("c0 - all"), "{}", said(&named));
}

#[test]
fn joints_without_limits_are_said() {
    let text = linkage_hand(1.0).replace("axis=\"0 0 1\" range=\"-2.09 0\"", "axis=\"0 0 1\"");
    let check = derived(&text);
    let limits = finding(&check, "limits");
    assert_eq!(limits.confidence, Confidence::Guess);
    assert!(limits.reason.contains("r0"), "{}", limits.reason);
}

#[test]
fn a_file_that_allows_too_little_memory_does_not_end_the_process() {
    // Fifteen big spheres of one finger in one place: more contacts than fit.
    let heap = "<geom size=\"0.02\"/>".repeat(15);
    let text = linkage_hand(1.0)
        .replace("<worldbody>", "<size memory=\"10K\"/><worldbody>")
        .replace("<body name=\"c0\"", &format!("{heap}<body name=\"c0\""))
        .replace("<body name=\"c1\"", &format!("{heap}<body name=\"c1\""));
    let check = derived(&text);
    let pair = ("b0".to_owned(), "b1".to_owned());
    assert!(check.hand.excludes.contains(&pair), "{:?}", check.hand.excludes);
}

#[test]
fn joints_of_the_root_are_left_to_the_scene() {
    let text = linkage_hand(1.0);
    let moving = text.replace(
        "<body name=\"base\">",
        "<body name=\"base\"><joint name=\"x\" type=\"slide\"/><joint name=\"turn\" axis=\"0 0 1\"/>",
    );
    let with = moving.replace(
        "</mujoco>",
        "<actuator><position name=\"x\" joint=\"x\" kp=\"9\"/></actuator></mujoco>",
    );
    let plain = derived(&text);
    for text in [moving, with] {
        let check = derived(&text);
        assert_eq!(ends(&check), ends(&plain));
        assert_eq!(check.hand.actuators.len(), 6);
        assert!(check.hand.notices.join("\n").contains("2 joints of the root"));
    }
}

/// A hand of three fingers whose middle joints are moved by parallelogram linkages: a rod from the palm to the
/// second link, pinned at its end, so that the second link keeps its direction while the first turns.
/// Fingers along +z, palm towards +x.
fn pinned_hand() -> String {
    let mut bodies = String::new();
    let mut pins = String::new();
    for (k, y) in [0.02, -0.02].into_iter().enumerate() {
        bodies += &format!(
            "<body name=\"f{k}\" pos=\"0 {y} 0.08\"><joint name=\"f{k}\" axis=\"0 1 0\" range=\"0 1.2\"/>
             <geom type=\"capsule\" size=\"0.007\" fromto=\"0 0 0 0 0 0.04\"/>
             <body name=\"g{k}\" pos=\"0 0 0.04\"><joint name=\"g{k}\" axis=\"0 1 0\" range=\"-1.6 1.6\"/>
             <geom type=\"capsule\" size=\"0.006\" fromto=\"0 0 0 0 0 0.03\"/></body></body>
             <body name=\"r{k}\" pos=\"-0.01 {y} 0.08\"><joint name=\"r{k}\" axis=\"0 1 0\" range=\"-0.2 1.6\"/>
             <geom type=\"capsule\" size=\"0.002\" fromto=\"0 0 0 0 0 0.04\" contype=\"0\" conaffinity=\"0\"/>
             <body name=\"s{k}\" pos=\"0 0 0.035\"><joint name=\"s{k}\" axis=\"0 1 0\" range=\"-0.1 0.1\"/>
             <geom size=\"0.002\" contype=\"0\" conaffinity=\"0\"/></body></body>"
        );
        pins += &format!("<connect body1=\"r{k}\" body2=\"g{k}\" anchor=\"0 0 0.04\"/>");
    }
    format!(
        "<mujoco model=\"pinned\"><compiler angle=\"radian\"/><worldbody><body name=\"base\">
         <geom type=\"box\" size=\"0.012 0.03 0.035\" pos=\"0 0 0.04\"/>{bodies}
         <body name=\"t0\" pos=\"0.02 0.01 0.02\"><joint name=\"t0\" axis=\"0 -1 0\" range=\"-0.1 1\"/>
         <geom type=\"capsule\" size=\"0.008\" fromto=\"0 0 0 0.03 0 0\"/>
         <body name=\"t1\" pos=\"0.03 0 0\"><joint name=\"t1\" axis=\"0 -1 0\" range=\"-0.1 1\"/>
         <geom type=\"capsule\" size=\"0.008\" fromto=\"0 0 0 0.03 0 0\"/></body></body></body></worldbody>
         <equality>{pins}</equality><actuator>
         <position joint=\"f0\" kp=\"1\" name=\"f0\"/><position joint=\"f1\" kp=\"1\" name=\"f1\"/>
         <position joint=\"t0\" kp=\"1\" name=\"t0\"/><position joint=\"t1\" kp=\"1\" name=\"t1\"/>
         </actuator></mujoco>"
    )
}

#[test]
fn joints_of_closed_linkages_follow_the_driven_ones() {
    let check = derived(&pinned_hand());
    assert_eq!(ends(&check), [("thumb", "t1"), ("index", "g0"), ("middle", "g1")]);
    let tree = &check.hand.tree;
    for k in 0..2 {
        let joint = |name: &str| tree.joint(&format!("{name}{k}")).unwrap();
        let follows = |name: &str| {
            let c = tree.couplings.iter().find(|c| c.joint == joint(name)).unwrap();
            assert_eq!(c.of, joint("f"));
            (c.ratio, c.offset)
        };
        // A parallelogram: the rod turns with the finger, the second link against it.
        let ((g, zero), (r, none)) = (follows("g"), follows("r"));
        assert!((g + 1.0).abs() < 1e-3 && (r - 1.0).abs() < 1e-3, "{g} {r}");
        assert!(zero.abs() < 1e-3 && none.abs() < 1e-3, "{zero} {none}");
    }
    let said = check.unknown.join("\n");
    assert!(
        said.contains("for a linkage pins it") && said.contains("linearly to within 0.0"),
        "{said}"
    );
}

/// Jaws that linkages swing out sideways before they point forward, the right one coupled to the left.
fn linked_jaws() -> String {
    let jaw = |name: &str, turn: &str| {
        format!(
            "<body name=\"{name}_crank\" quat=\"{turn}\"><joint name=\"{name}_crank\" axis=\"1 0 0\" range=\"0 0.8\"/>
             <geom size=\"0.003\" pos=\"0 0.06 0.05\" contype=\"0\" conaffinity=\"0\"/>
             <body name=\"{name}_rod\" pos=\"0 0.061 0.051\"><joint name=\"{name}_rod\" axis=\"1 0 0\" range=\"-1.6 0.1\"/>
             <geom size=\"0.003\" pos=\"0 0 0.02\" contype=\"0\" conaffinity=\"0\"/></body></body>
             <body name=\"{name}_link\" quat=\"{turn}\"><joint name=\"{name}_link\" pos=\"0 0.013 0.06\" axis=\"1 0 0\" range=\"-0.3 0.8\"/>
             <geom size=\"0.003\" pos=\"0 0.06 0.09\" contype=\"0\" conaffinity=\"0\"/>
             <body name=\"{name}_jaw\" pos=\"0 0.068 0.098\"><joint name=\"{name}_jaw\" pos=\"0 -0.018 0.0065\" axis=\"1 0 0\" range=\"-0.9 0.9\"/>
             <geom type=\"box\" size=\"0.011 0.004 0.019\" pos=\"0 -0.0215 0.023\"/></body></body>"
        )
    };
    let pins: String = ["left", "right"]
        .iter()
        .map(|n| format!("<connect body1=\"{n}_jaw\" body2=\"{n}_rod\" anchor=\"0 0 0\"/>"))
        .collect();
    format!(
        "<mujoco model=\"jaws\"><compiler angle=\"radian\"/><worldbody><body name=\"base\">
         <geom type=\"cylinder\" size=\"0.035 0.03\" pos=\"0 0 0.03\"/>{}{}</body></worldbody><equality>{pins}
         <joint joint1=\"right_crank\" joint2=\"left_crank\"/></equality></mujoco>",
        jaw("right", "1 0 0 0"),
        jaw("left", "0 0 0 1"),
    )
}

#[test]
fn linked_jaws_face_forward_and_have_one_servo() {
    let check = derived(&linked_jaws());
    let map = &check.hand.map;
    assert!(map.normal_axis.angle(&Vector3::z()).to_degrees() < 5.0, "{:?}", map.normal_axis);
    assert!(map.fingers_axis.y.abs() > 0.99, "{:?}", map.fingers_axis);
    let servos: Vec<_> = check.hand.actuators.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(servos, ["left_crank"], "{:?}", check.hand.tree.couplings);
}

#[test]
fn hands_in_files_are_understood() {
    // Side, fingers, joints, independent ones, palm normal, fingers axis.
    let (x, y, z) = (Vector3::x(), Vector3::y(), Vector3::z());
    let cases = [
        ("four_bars_left.xml", Side::Left, 4, 12, 6, -z, y),
        ("six_servos_left.urdf", Side::Left, 5, 12, 6, z, y),
        ("twelve_joints_right.urdf", Side::Right, 4, 12, 12, -y, -x),
    ];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hands");
    for (file, side, fingers, joints, independent, normal, axis) in cases {
        let check = HandCheck::new(&folder.join(file)).unwrap();
        let (hand, map) = (&check.hand, &check.hand.map);
        assert_eq!((map.side, map.fingers.len()), (side, fingers), "{file}");
        assert_eq!((hand.tree.joints.len(), hand.coordinates.len()), (joints, independent));
        assert_eq!(hand.actuators.len(), independent, "{file}");
        let poses = hand.tree.forward(&hand.neutral());
        let turn = poses[hand.tree.body(&map.palm_body).unwrap()].rotation;
        for (found, wanted) in [(map.normal_axis, normal), (map.fingers_axis, axis)] {
            assert!((turn * found).angle(&wanted).to_degrees() < 5.0, "{file}: {found:?}");
        }
        assert!(check.weakest() > Confidence::Guess, "{file}: {:?}", check.findings);
    }
}
