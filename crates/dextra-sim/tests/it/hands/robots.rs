//! Agreement with the models in `../shared/robots`, which also are hands that users bring.

use super::{Lcg, builtin};
use dextra_core::Pose;
use dextra_core::Side;
use dextra_sim::hand::Hand;
use std::path::PathBuf;

/// The robot's file beside a map of ours, in a folder that sees the robot's meshes; `None`, said
/// aloud, when the shared folder is not there.
fn bring(robot: &str, file: &str, map: &str) -> Option<(tempfile::TempDir, Hand)> {
    let shared =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/robots").join(robot);
    if !shared.exists() {
        eprintln!("skipped: no ../shared/robots/{robot}");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(shared.join(file), dir.path().join("hand.xml")).unwrap();
    std::os::unix::fs::symlink(
        shared.canonicalize().unwrap().join("assets"),
        dir.path().join("assets"),
    )
    .unwrap();
    std::fs::write(dir.path().join("hand.toml"), map).unwrap();
    let hand =
        Hand::from_file(&dir.path().join("hand.xml")).unwrap_or_else(|e| panic!("{robot}: {e}"));
    Some((dir, hand))
}

/// A map good enough to load a robot whose sites we do not know.
fn map(palm: &str, fingers: &[(&str, &str)]) -> String {
    let mut text = format!(
        "name = \"brought\"\nside = \"right\"\ncontact_bodies = [\"{palm}\"]\n[palm]\nbody = \"{palm}\"\n\
         center_m = [0, 0, 0]\nfingers_axis = [0, 0, 1]\nnormal_axis = [1, 0, 0]\n"
    );
    for (name, body) in fingers {
        text += &format!(
            "[[finger]]\nname = \"{name}\"\nbodies = [\"{body}\"]\ntip_point_m = [0, 0, 0]\n"
        );
    }
    text + &format!("[[keypoint]]\nindex = 0\nbody = \"{palm}\"\npoint_m = [0, 0, 0]\n")
}

fn palm_from_body(hand: &Hand, palm: &str, body: &str, q: &[f64]) -> Pose {
    let poses = hand.tree.forward(q);
    let index = |name: &str| hand.tree.body(name).unwrap_or_else(|| panic!("no body {name}"));
    poses[index(palm)].inverse() * poses[index(body)]
}

/// Compares joint ranges (but those in `other_ranges`), and the poses of the distal bodies in the
/// palm at random angles: `bodies` pairs ours with theirs, `joint` renames ours.
fn agree(
    (ours, theirs): (&Hand, &Hand),
    palm: (&str, &str),
    bodies: &[(String, String)],
    joint: impl Fn(&str) -> String,
    other_ranges: &[&str],
    tolerance_m: f64,
) {
    assert_eq!(ours.tree.joints.len(), theirs.tree.joints.len());
    for j in &ours.tree.joints {
        let other = &theirs.tree.joints[theirs.tree.joint(&joint(&j.name)).unwrap()];
        let gap = (j.range.0 - other.range.0).abs().max((j.range.1 - other.range.1).abs());
        assert_eq!(
            gap > 1e-3,
            other_ranges.contains(&j.name.as_str()),
            "{}: {:?} {:?}",
            j.name,
            j.range,
            other.range
        );
    }
    let mut random = Lcg(3);
    for _ in 0..50 {
        let q = random.angles(ours);
        let mut other = vec![0.0; q.len()];
        for (j, angle) in ours.tree.joints.iter().zip(&q) {
            other[theirs.tree.joint(&joint(&j.name)).unwrap()] = *angle;
        }
        for (a, b) in bodies {
            let mine = palm_from_body(ours, palm.0, a, &q);
            let yours = palm_from_body(theirs, palm.1, b, &other);
            let gap = (mine.translation.vector - yours.translation.vector).norm();
            assert!(gap < tolerance_m, "{a}: {gap} m apart");
            assert!(mine.rotation.angle_to(&yours.rotation) < 1e-3, "{a}: turned");
        }
    }
}

#[test]
fn leap_agrees_with_the_shared_model() {
    let fingers = [("thumb", "th_ds"), ("index", "if_ds"), ("middle", "mf_ds"), ("ring", "rf_ds")];
    let Some((_dir, theirs)) = bring("leap_hand", "right_hand.xml", &map("palm", &fingers)) else {
        return;
    };
    let ours = builtin("leap", Side::Right);
    let bodies: Vec<_> = fingers.iter().map(|(_, b)| (b.to_string(), b.to_string())).collect();
    // The vendor's URDF, which we follow, has other ranges for the two middle thumb joints.
    agree((&ours, &theirs), ("palm", "palm"), &bodies, str::to_owned, &["th_axl", "th_mcp"], 1e-4);
    assert!((ours.mass - theirs.mass).abs() < 0.1, "{} and {} kg", ours.mass, theirs.mass);
    assert!(
        theirs.notices.iter().any(|n| n.contains("1 joints of the root")),
        "{:?}",
        theirs.notices
    );
}

#[test]
fn allegro_agrees_with_the_shared_model() {
    let fingers = [
        ("thumb", "th_distal"),
        ("index", "ff_distal"),
        ("middle", "mf_distal"),
        ("ring", "rf_distal"),
    ];
    let Some((_dir, theirs)) = bring("wonik_allegro", "right_hand.xml", &map("palm", &fingers))
    else {
        return;
    };
    let ours = builtin("allegro", Side::Right);
    let bodies: Vec<_> = fingers.iter().map(|(_, b)| (b.to_string(), b.to_string())).collect();
    agree((&ours, &theirs), ("palm", "palm"), &bodies, str::to_owned, &[], 1e-5);
}

#[test]
fn shadow_agrees_with_the_shared_model() {
    let fingers = [
        ("thumb", "rh_thdistal"),
        ("index", "rh_ffdistal"),
        ("middle", "rh_mfdistal"),
        ("ring", "rh_rfdistal"),
        ("pinky", "rh_lfdistal"),
    ];
    let Some((_dir, theirs)) = bring("shadow_hand", "right_hand.xml", &map("rh_palm", &fingers))
    else {
        return;
    };
    let ours = builtin("shadow", Side::Right);
    let bodies: Vec<_> = ["th", "ff", "mf", "rf", "lf"]
        .map(|f| (format!("{f}_distal"), format!("rh_{f}distal")))
        .into();
    agree((&ours, &theirs), ("palm", "rh_palm"), &bodies, |j| format!("rh_{j}"), &[], 1e-5);
    // Theirs with the 3 kg forearm, ours with a stub of 0.1 kg.
    assert!(
        (ours.mass - 0.1 - (theirs.mass - 3.0)).abs() < 2e-3,
        "{} and {}",
        ours.mass,
        theirs.mass
    );
    let (j0, same) = (&theirs.actuators[9], &ours.actuators[9]);
    assert_eq!(format!("rh_A_{}", same.name), j0.name);
    assert_eq!(same.terms, j0.terms);
}
