//! A part of an object, from a built-in clip to stock MuJoCo.

use crate::{replay::replayed, request};
use dextra::{Silent, Status, transfer};
use dextra_core::rollout::{Limits, Reason};
use dextra_core::{JointKind, Pose, metrics};
use dextra_data::load_rollout;

#[test]
fn a_lid_is_opened_and_its_hinge_is_judged() {
    let dir = tempfile::tempdir().unwrap();
    let report = transfer(&request("lid", "leap", dir.path()), &Silent).unwrap();
    assert_eq!(report.status, Status::Accepted, "{:?}", report.cause);
    assert_eq!((report.e_slider_cm, report.max_slider_cm), (None, None));

    // The file alone says the same again: the joint is in it.
    let file = load_rollout(&dir.path().join("rollout.npz")).unwrap();
    let hinge = metrics::evaluate(&file.rollout, &file.reference).unwrap().hinge.unwrap();
    assert!((hinge.mean.to_degrees() - report.e_hinge_deg.unwrap()).abs() < 1e-6);
    assert!((hinge.max.value.to_degrees() - report.max_hinge_deg.unwrap()).abs() < 1e-6);
    let objects = &file.rollout.objects;
    let joint = objects[1].joint.unwrap();
    assert_eq!((joint.parent, joint.kind, objects[0].joint), (0, JointKind::Hinge, None));
    let angle = |parent: &Pose, lid: &Pose| joint.coordinate(&(parent.inverse() * lid), 0.0);
    let states = objects[0].world_from_object.iter().zip(&objects[1].world_from_object);
    let angles: Vec<f64> = states.map(|(parent, lid)| angle(parent, lid)).collect();
    let widest = angles.iter().copied().fold(0.0, f64::max);
    assert!((widest.to_degrees() - 50.0).abs() < 8.0, "opened by {widest} rad");
    assert!(angles[angles.len() - 1].abs() < 0.05, "and closed again");

    // A lid that stays shut is rejected, and by its hinge where means of poses would forgive it.
    let mut shut = file.rollout.clone();
    let closed = shut.objects[1].world_from_object[0];
    shut.objects[1].world_from_object.fill(closed);
    let lenient = Limits { protocol: metrics::Protocol::Dextrack10Cm40Deg, ..Limits::default() };
    let reason = shut.accept(&file.reference, &lenient).unwrap_err().reason;
    assert!(matches!(reason, Reason::Joint { kind: JointKind::Hinge, .. }), "{reason}");

    let Some(output) = replayed(&dir.path().join("mjcf")) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn a_sliding_lid_is_opened_and_its_slider_is_judged() {
    let dir = tempfile::tempdir().unwrap();
    let report = transfer(&request("slide", "allegro", dir.path()), &Silent).unwrap();
    assert_eq!(report.status, Status::Accepted, "{:?}", report.cause);
    assert_eq!((report.e_hinge_deg, report.max_hinge_deg), (None, None));

    let file = load_rollout(&dir.path().join("rollout.npz")).unwrap();
    let slider = metrics::evaluate(&file.rollout, &file.reference).unwrap().slider.unwrap();
    assert!((slider.mean * 100.0 - report.e_slider_cm.unwrap()).abs() < 1e-6);
    assert!((slider.max.value * 100.0 - report.max_slider_cm.unwrap()).abs() < 1e-6);
    // By hand: the lid's place along y in the frame of the box.
    let [case, lid] = [0, 1].map(|index| &file.rollout.objects[index].world_from_object);
    let along = |parent: &Pose, lid: &Pose| -(parent.inverse() * lid).translation.y;
    let ways: Vec<f64> = case.iter().zip(lid).map(|(parent, lid)| along(parent, lid)).collect();
    let widest = ways.iter().copied().fold(0.0, f64::max);
    assert!((widest - 0.08).abs() < 0.02, "opened by {widest} m");
    assert!(ways[ways.len() - 1].abs() < 0.01, "and closed again");

    let Some(output) = replayed(&dir.path().join("mjcf")) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
}
