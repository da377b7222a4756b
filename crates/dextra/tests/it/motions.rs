//! Motions beyond take, carry and put down: each built-in clip works on a robot hand.

use crate::request;
use dextra::{Report, Silent, Status, transfer};
use dextra_data::npz::Npz;

/// Transfers a clip and returns its report and where the object is per state, `[N + 1]`.
fn played(clip: &str, hand: &str) -> (Report, Vec<[f64; 3]>) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let report = transfer(&request(clip, hand, dir.path()), &Silent).unwrap();
    assert_eq!(report.status, Status::Accepted, "{clip}, {hand}: {:?}", report.cause);
    let file = Npz::open(&dir.path().join("rollout.npz")).unwrap();
    let (_, positions) = file.array_f64("object_pos").unwrap();
    let path = positions.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    (report, path)
}

fn hypothesis(report: &Report) -> &str {
    &report.details.as_ref().unwrap().hypothesis
}

#[test]
fn an_object_is_pushed_over_the_table() {
    let (_, path) = played("push", "leap");
    let (first, last) = (path[0], path[path.len() - 1]);
    assert!(last[1] - first[1] > 0.10, "it went {:.3} m", last[1] - first[1]);
    assert!(path.iter().all(|p| (p[2] - first[2]).abs() < 0.02), "it stays on the table");
}

#[test]
fn an_object_turns_in_the_fingers() {
    let (report, _) = played("turn", "leap");
    assert!(hypothesis(&report).contains("rolling"), "{}", hypothesis(&report));
}

#[test]
fn an_object_is_put_down_and_taken_again() {
    let (report, path) = played("regrasp", "allegro");
    assert_eq!(hypothesis(&report).split("; ").count(), 2, "one grasp for each hold");
    let rest = path[0][2];
    let lifts = path.windows(2).filter(|w| w[0][2] < rest + 0.04 && w[1][2] >= rest + 0.04).count();
    assert_eq!(lifts, 2);
}

#[test]
fn two_hands_carry_an_object_each() {
    let (_, path) = played("pair", "inspire");
    // Two objects per state.
    let highest =
        |object: usize| path.iter().skip(object).step_by(2).map(|p| p[2]).fold(0.0, f64::max);
    assert!(highest(0) > path[0][2] + 0.07 && highest(1) > path[1][2] + 0.07);
}

#[test]
fn an_object_passes_from_hand_to_hand() {
    let (report, path) = played("handover", "shadow");
    assert_eq!(hypothesis(&report).split("; ").count(), 2, "the second hand takes it in the air");
    assert!(path.iter().any(|p| p[2] > path[0][2] + 0.12));
}
