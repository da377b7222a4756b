//! Hands whose mesh files are not there, and bodies that nothing gives a mass.

use dextra_sim::hand::{Confidence, Finding, Hand, HandCheck};
use std::fs;
use tempfile::TempDir;

/// Two jaws on a plate; the geometry of the plate and of the first jaw is a mesh.
const JAWS: &str = r#"<mujoco model="jaws"><compiler angle="radian" meshdir="parts"/>
<asset><mesh name="plate" file="plate.obj"/><mesh file="jaw.obj"/></asset>
<worldbody><body><geom type="mesh" mesh="plate"/>
  <body name="a" pos="-0.04 0 0.01"><joint name="a" axis="0 1 0" range="-0.1 0.8"/>
    <geom type="mesh" mesh="jaw"/><geom type="capsule" size="0.008" fromto="0 0 0 0 0 0.06"/></body>
  <body name="b" pos="0.04 0 0.01"><joint name="b" axis="0 -1 0" range="-0.1 0.8"/>
    <geom type="capsule" size="0.008" fromto="0 0 0 0 0 0.06"/></body>
</body></worldbody></mujoco>"#;

/// A box of 0.1 x 0.06 x 0.02 m round the origin.
fn plate() -> String {
    let mut text = String::new();
    for (x, y, z) in (0..8).map(|i| (i & 1, i >> 1 & 1, i >> 2)) {
        let at = |bit: i32, half: f64| if bit == 1 { half } else { -half };
        text += &format!("v {} {} {}\n", at(x, 0.05), at(y, 0.03), at(z, 0.01));
    }
    text + "f 1 3 4\nf 1 4 2\nf 5 6 8\nf 5 8 7\nf 1 2 6\nf 1 6 5\nf 3 7 8\nf 3 8 4\nf 1 5 7\nf 1 7 3\nf 2 4 8\nf 2 8 6\n"
}

/// The file `hand.KIND` beside the mesh files `meshes` (name, text) in `parts`.
fn check(kind: &str, text: &str, meshes: &[(&str, &str)]) -> (TempDir, Result<HandCheck, String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("hand.{kind}"));
    fs::create_dir(dir.path().join("parts")).unwrap();
    fs::write(&path, text).unwrap();
    for (name, text) in meshes {
        fs::write(dir.path().join("parts").join(name), text).unwrap();
    }
    let check = HandCheck::new(&path).map_err(|e| e.to_string());
    (dir, check)
}

fn notices(hand: &Hand) -> String {
    hand.notices.join("\n")
}

fn mass(check: &HandCheck) -> &Finding {
    check.findings.iter().find(|f| f.item == "mass").unwrap()
}

#[test]
fn a_palm_whose_mesh_is_not_there_weighs_a_gram_and_both_are_said() {
    let drawn = JAWS.replace("mesh=\"plate\"", "mesh=\"plate\" contype=\"0\" conaffinity=\"0\"");
    for (text, kind) in [(JAWS, "collision meshes"), (&drawn, "drawn meshes")] {
        let (_dir, check) = check("xml", text, &[("jaw.obj", &plate())]);
        let check = check.unwrap();
        let said = notices(&check.hand);
        assert!(
            said.contains(&format!("left out {kind} that are not there: `plate.obj`")),
            "{said}"
        );
        assert!(
            said.contains("hand.xml: neither mass nor geometry, taken as 1 g: body_1"),
            "{said}"
        );
        assert!(!said.contains("jaw.obj"), "{said}");
        assert_eq!(mass(&check).confidence, Confidence::Likely);
        assert!(mass(&check).reason.ends_with("taken as 1 g: body_1"), "{}", mass(&check).reason);
        assert!(check.hand.xml.contains("mass=\"0.001\""), "{}", check.hand.xml);
        assert!(check.hand.xml.contains("jaw.obj") && !check.hand.xml.contains("plate.obj"));
    }
}

#[test]
fn a_finger_keeps_what_is_left_of_it() {
    let (_dir, whole) = check("xml", JAWS, &[("plate.obj", &plate())]);
    let whole = whole.unwrap();
    let said = notices(&whole.hand);
    assert!(said.contains("collision meshes that are not there: `jaw.obj`; the hand is smaller"));
    assert!(!said.contains("1 g"), "the capsule has a mass: {said}");
    // Without the capsule nothing is left, but what the file states of the mass.
    let capsule =
        "<geom type=\"capsule\" size=\"0.008\" fromto=\"0 0 0 0 0 0.06\"/></body>\n  <body";
    for (stated, stub) in [
        ("", true),
        ("<inertial pos=\"0 0 0.02\" mass=\"0.03\" diaginertia=\"1e-5 1e-5 1e-5\"/>", false),
    ] {
        let text = JAWS.replacen(capsule, &format!("{stated}</body>\n  <body"), 1);
        assert_ne!(text, JAWS);
        // A finger needs an end.
        let text = text.replace(
            "<geom type=\"mesh\" mesh=\"jaw\"/>",
            "<geom type=\"mesh\" mesh=\"jaw\"/><site name=\"end\" pos=\"0 0 0.06\"/>",
        );
        let (_dir, check) = check("xml", &text, &[("plate.obj", &plate())]);
        let said = notices(&check.unwrap().hand);
        assert_eq!(said.contains("taken as 1 g: a"), stub, "{said}");
    }
}

#[test]
fn a_mesh_that_is_there_and_torn_is_an_error() {
    let torn = "v 0 0 0\nv 1 0 0\nf 1 2 9\n";
    for meshes in [vec![("plate.obj", torn)], vec![("jaw.obj", torn)]] {
        let (_dir, check) = check("xml", JAWS, &meshes);
        let error = check.unwrap_err();
        let name = meshes[0].0.trim_end_matches(".obj");
        assert!(error.contains("hand.xml") && error.contains(name), "{error}");
        assert!(!error.contains("opening"), "{error}");
    }
}

#[test]
fn meshes_are_looked_for_where_the_engine_looks() {
    // Folders in names do not count with `strippath`.
    let text = JAWS
        .replace("meshdir=\"parts\"", "meshdir=\"parts\" strippath=\"true\"")
        .replace("file=\"plate.obj\"", "file=\"elsewhere/plate.obj\"");
    let (_dir, check) = check("xml", &text, &[("plate.obj", &plate())]);
    let check = check.unwrap();
    let said = notices(&check.hand);
    assert!(said.contains("`jaw.obj`") && !said.contains("plate.obj"), "{said}");
    assert!(check.hand.mass > 0.1, "{}", check.hand.mass);
}

#[test]
fn a_palm_without_geometry_weighs_a_gram() {
    let text = JAWS.replace("<geom type=\"mesh\" mesh=\"plate\"/>", "");
    let text = text.replace("<geom type=\"mesh\" mesh=\"jaw\"/>", "");
    let (asset, end) = (text.find("<asset>").unwrap(), text.find("<worldbody>").unwrap());
    let text = text[..asset].to_owned() + &text[end..];
    let (_dir, found) = check("xml", &text, &[]);
    assert!(notices(&found.unwrap().hand).contains("taken as 1 g: body_1"));
    let urdf = r#"<robot name="jaws"><link name="palm"><collision><geometry><mesh filename="parts/palm.stl"/></geometry></collision></link>
      <link name="a"><collision><geometry><box size="0.02 0.02 0.1"/></geometry></collision></link>
      <link name="b"><collision><geometry><box size="0.02 0.02 0.1"/></geometry></collision></link>
      <joint name="a" type="revolute"><parent link="palm"/><child link="a"/><origin xyz="-0.03 0 0"/><axis xyz="0 1 0"/>
        <limit lower="0" upper="1" effort="1" velocity="1"/></joint>
      <joint name="b" type="revolute"><parent link="palm"/><child link="b"/><origin xyz="0.03 0 0"/><axis xyz="0 -1 0"/>
        <limit lower="0" upper="1" effort="1" velocity="1"/></joint></robot>"#;
    let (_dir, found) = check("urdf", urdf, &[]);
    let found = found.unwrap();
    let said = notices(&found.hand);
    assert!(said.contains("1 collision mesh file(s)") && said.contains("parts/palm.stl"), "{said}");
    assert!(said.contains("taken as 1 g: palm"), "{said}");
    assert!(mass(&found).reason.contains("taken as 1 g: palm"), "{}", mass(&found).reason);
}
