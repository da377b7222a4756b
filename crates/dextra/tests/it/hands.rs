//! A hand that dextra has never seen: three fingers, from a file.

use crate::{fixture, request};
use dextra::{ClipOptions, Report, Silent, demo, transfer};
use dextra_data::{read_mesh, write_keypoint_clip};
use std::path::Path;

fn tripod() -> String {
    fixture("tripod.xml").to_str().unwrap().to_owned()
}

/// The transfer ran to a verdict with numbers in it, and left its files.
#[track_caller]
fn assert_reported(report: &Report, out: &Path) {
    for (name, value) in [
        ("e_t_cm", report.e_t_cm),
        ("e_r_deg", report.e_r_deg),
        ("e_j_cm", report.e_j_cm),
        ("e_ft_cm", report.e_ft_cm),
        ("max_t_cm", report.max_t_cm),
    ] {
        assert!(value.is_finite() && value >= 0.0, "{name} = {value}");
    }
    for name in crate::RESULTS.into_iter().chain(["report.json"]) {
        assert!(out.join(name).is_file(), "{name}");
    }
}

fn notes(report: &Report) -> String {
    report.details.as_ref().unwrap().notes.join("\n")
}

#[test]
fn a_three_finger_hand_from_a_file_lifts_the_cube() {
    let dir = tempfile::tempdir().unwrap();
    let report = transfer(&request("cube", &tripod(), dir.path()), &Silent).unwrap();
    assert_reported(&report, dir.path());
    assert!(report.protocols.dexman, "{report:?}");
    let said = notes(&report);
    assert!(said.contains("tripod.xml") && said.contains("left out"), "{said}");
}

#[test]
fn a_right_hand_does_a_left_hands_clip_in_the_mirror() {
    let dir = tempfile::tempdir().unwrap();
    let mut right = demo::load("cube", 0, &ClipOptions::default()).unwrap();
    // One corner sticks out to +y, so that object and mirror image differ.
    let mesh = &mut right.objects[0].mesh;
    let corner = mesh.vertices.iter_mut().find(|v| v.x > 0.0 && v.y > 0.0 && v.z > 0.0).unwrap();
    corner.y += 0.01;
    let reach = |low: f64, high: f64| (high.abs() - low.abs()) * 1000.0;
    let left = right.mirrored();
    assert_eq!(left.hands[0].side, dextra::Side::Left);
    let (low, high) = left.objects[0].mesh.bounds().unwrap();
    assert!(reach(low.y, high.y) < -9.0);
    let clip = dir.path().join("left.npz");
    write_keypoint_clip(&clip, &left).unwrap();

    let out = dir.path().join("out");
    let report = transfer(&request(clip.to_str().unwrap(), &tripod(), &out), &Silent).unwrap();
    assert_reported(&report, &out);
    let said = notes(&report);
    assert!(said.contains("mirrored") && said.contains("left hand"), "{said}");
    // The exported object is the right-handed one again.
    let mut ends = (0.0f64, 0.0f64);
    for entry in std::fs::read_dir(out.join("mjcf/meshes")).unwrap() {
        let (low, high) = read_mesh(&entry.unwrap().path()).unwrap().bounds().unwrap();
        ends = (ends.0.min(low.y), ends.1.max(high.y));
    }
    assert!(reach(ends.0, ends.1) > 8.0, "{ends:?}");
}
