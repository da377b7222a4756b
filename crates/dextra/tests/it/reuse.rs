//! Grasps of an earlier result.

use crate::{cube_on_allegro, request};
use dextra::{Silent, Status, TransferRequest, transfer};

#[test]
fn a_later_transfer_begins_with_the_grasp_of_an_earlier_one_and_needs_fewer_trials() {
    let first = cube_on_allegro();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let again = TransferRequest {
        seed: 7,
        reuse: Some(first.dir.path().to_owned()),
        ..request("cube", "allegro", dir.path())
    };
    let report = transfer(&again, &Silent).unwrap();
    assert_eq!(report.status, Status::Accepted, "{:?}", report.cause);
    assert_eq!(report.details.unwrap().hypothesis, "remembered");
    assert!(report.sim_steps < first.report.sim_steps, "{} steps", report.sim_steps);
}

#[test]
fn grasps_of_another_hand_or_broken_ones_are_refused_by_name() {
    let first = cube_on_allegro();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ask = |from: &std::path::Path, hand: &str| {
        let request =
            TransferRequest { reuse: Some(from.to_owned()), ..request("cube", hand, dir.path()) };
        transfer(&request, &Silent).unwrap_err().to_string()
    };
    let other = ask(first.dir.path(), "leap");
    assert!(other.contains("grasps.json") && other.contains("no grasp"), "{other}");
    let text = std::fs::read_to_string(first.dir.path().join("grasps.json")).unwrap();
    let mut stored: serde_json::Value = serde_json::from_str(&text).unwrap();
    let broken = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut write = |field: &str, value: serde_json::Value| {
        stored["grasps"][0][field] = value;
        std::fs::write(broken.path().join("grasps.json"), stored.to_string()).unwrap();
        ask(broken.path(), "allegro")
    };
    let quat = write("object_from_root_quat_wxyz", serde_json::json!([2.0, 0.0, 0.0, 0.0]));
    assert!(quat.contains("grasp 0: object_from_root_quat_wxyz"), "{quat}");
    let short = write("touch_ctrl", serde_json::json!([0.0]));
    assert!(short.contains("grasp 0: touch_ctrl has 1 values, the hand has 16"), "{short}");
}
