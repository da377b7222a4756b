//! Each test scripts a failure. In the reference the object rests for judged frames 0..=9, rises
//! 1 cm per frame (25 Hz) in frames 10..=29 and is then held up; the lift is frame 10 (0.40 s).

use super::*;
use crate::Pose;
use crate::rollout::scripted::{self, STRIDE, at, lift};
use crate::signal::MovingInterval;

fn evidence() -> Evidence {
    Evidence::of_reference(&scripted::reference(&lift()), scripted::DT)
}

fn cause_of(rollout: &Rollout) -> Failure {
    cause_with(rollout, &evidence())
}

fn cause_with(rollout: &Rollout, evidence: &Evidence) -> Failure {
    diagnose(rollout, &scripted::reference(&lift()), evidence).unwrap().unwrap()
}

/// The object goes along up to frame `until` and then stays.
fn stuck_from(until: usize) -> Vec<Pose> {
    lift().iter().enumerate().map(|(f, p)| if f < until { *p } else { lift()[until] }).collect()
}

#[test]
fn a_success_has_no_cause() {
    let good = scripted::rollout(&lift());
    let found = diagnose(&good, &scripted::reference(&lift()), &evidence()).unwrap();
    assert_eq!(found, None);
}

#[test]
fn a_nan_is_non_finite_at_the_last_good_frame() {
    let mut rollout = scripted::rollout(&lift());
    rollout.qpos[31][0] = f64::NAN;
    let failure = cause_of(&rollout);
    assert_eq!((failure.cause, failure.frame), (Cause::NonFinite, 7)); // state 31 > 7 * 4
}

#[test]
fn an_object_knocked_over_before_the_lift_toppled() {
    let poses: Vec<_> = lift()
        .iter()
        .enumerate()
        .map(|(f, p)| if f >= 6 { at(0.05, p.translation.z, 1.2) } else { *p })
        .collect();
    let failure = cause_of(&scripted::rollout(&poses));
    assert_eq!((failure.cause, failure.frame), (Cause::ToppledOnApproach, 6));
    assert!(failure.detail.contains("the hand moved it"), "{}", failure.detail);
}

#[test]
fn a_displacement_before_the_lift_is_toppling_only_when_failure_follows_at_once() {
    // 2 cm aside at the lift (deviation 0.67 > 0.5), beyond 3 cm only from frame `lost` on: 0.32 s
    // after the lift, or 0.8 s after it.
    for (lost, cause) in [(18, Cause::ToppledOnApproach), (30, Cause::Drifted)] {
        let aside = |f: usize| match f {
            _ if f >= lost => 0.04,
            8.. => 0.02,
            _ => 0.0,
        };
        let poses: Vec<_> =
            lift().iter().enumerate().map(|(f, p)| at(aside(f), p.translation.z, 0.0)).collect();
        let failure = cause_of(&scripted::rollout(&poses));
        assert_eq!((failure.cause, failure.frame), (cause, lost));
    }
}

fn with_contacts(mut rollout: Rollout, change: impl Fn(usize, &mut StepContacts)) -> Rollout {
    for (step, contact) in rollout.contacts.iter_mut().enumerate() {
        change(step, contact);
    }
    rollout
}

#[test]
fn an_object_left_behind_untouched_was_never_touched() {
    // Contact comes at step 61, after 0.40 s + 0.2 s.
    let rollout = with_contacts(scripted::rollout(&stuck_from(9)), |step, c| {
        if step < 61 {
            *c = StepContacts::default();
        }
    });
    let failure = cause_of(&rollout);
    assert_eq!((failure.cause, failure.frame), (Cause::NeverTouched, 10));
    // The same contact one moment earlier is in time, and then the grasp is judged.
    let in_time = with_contacts(scripted::rollout(&stuck_from(9)), |step, c| {
        if step < 59 {
            *c = StepContacts::default();
        }
    });
    assert_eq!(cause_of(&in_time).cause, Cause::DroppedAtLiftOff);
}

#[test]
fn an_object_pushed_from_one_side_only_has_no_force_closure() {
    let rollout = with_contacts(scripted::rollout(&stuck_from(9)), |_, c| c.opposing = false);
    let failure = cause_of(&rollout);
    // 3 cm of rise come with frame 12: 0, 1, 2, 3 cm at frames 9, 10, 11, 12.
    assert_eq!((failure.cause, failure.frame), (Cause::NoForceClosure, 12));
    // Opposing contacts long before the lift (a collision on the way) do not make a grasp.
    let early = with_contacts(rollout, |step, c| c.opposing = step < 15);
    assert_eq!(cause_of(&early).cause, Cause::NoForceClosure);
}

#[test]
fn an_object_held_but_left_behind_was_dropped_at_lift_off() {
    assert_eq!(cause_of(&scripted::rollout(&stuck_from(9))).cause, Cause::DroppedAtLiftOff);
    // It follows 5 cm up (frame 14, 0.16 s after the lift) and then stays there.
    let failure = cause_of(&scripted::rollout(&stuck_from(14)));
    assert_eq!((failure.cause, failure.frame), (Cause::DroppedAtLiftOff, 17));
}

#[test]
fn an_object_lost_later_drifted() {
    // It follows to frame 24 (0.56 s after the lift).
    let failure = cause_of(&scripted::rollout(&stuck_from(24)));
    assert_eq!((failure.cause, failure.frame), (Cause::Drifted, 27));
    assert!(failure.detail.contains("slipped"), "{}", failure.detail);
    let lost = with_contacts(scripted::rollout(&stuck_from(24)), |step, c| {
        if step >= 24 * STRIDE {
            *c = StepContacts::default();
        }
    });
    assert!(cause_of(&lost).detail.contains("contact was lost"));
}

#[test]
fn drifting_after_the_motion_is_said_to_be_the_release() {
    let poses: Vec<_> = lift()
        .iter()
        .enumerate()
        .map(|(f, p)| at(if f >= 45 { 0.2 } else { 0.0 }, p.translation.z, 0.0))
        .collect();
    let failure = cause_of(&scripted::rollout(&poses));
    assert_eq!((failure.cause, failure.frame), (Cause::Drifted, 45));
    assert!(failure.detail.contains("release"), "{}", failure.detail);
}

#[test]
fn a_wrist_far_from_its_command_is_unreachable() {
    let rollout = scripted::rollout(&stuck_from(9));
    let mut error = vec![0.01; rollout.steps()];
    error[44] = 0.11; // judged frame 11, between the lift and the failure at frame 12
    let failure = cause_with(&rollout, &evidence().with_wrist_error(error.clone()));
    assert_eq!((failure.cause, failure.frame), (Cause::Unreachable, 11));
    assert!(failure.detail.contains("11.0 cm from its command"), "{}", failure.detail);
    // The same error long after the failure explains nothing.
    error.swap(44, 150);
    let late = cause_with(&rollout, &evidence().with_wrist_error(error));
    assert_eq!(late.cause, Cause::DroppedAtLiftOff);
}

#[test]
fn an_absurdly_fast_reference_is_implausible() {
    let mut fast = evidence();
    fast.peaks[0].acceleration = retime::Peak { value: 39.0, frame: 18 };
    let failure = cause_with(&scripted::rollout(&stuck_from(9)), &fast);
    assert_eq!((failure.cause, failure.frame), (Cause::ImplausibleReference, 18));
    assert!(failure.detail.contains("acceleration of 39.0 m/s2"), "{}", failure.detail);
}

#[test]
fn an_object_that_moves_without_a_hand_is_implausible() {
    let mut ghost = evidence();
    ghost.hand_distance = Some(0.08);
    let failure = cause_with(&scripted::rollout(&stuck_from(9)), &ghost);
    assert_eq!((failure.cause, failure.frame), (Cause::ImplausibleReference, 10));
    ghost.hand_distance = Some(0.049);
    let failure = cause_with(&scripted::rollout(&stuck_from(9)), &ghost);
    assert_eq!(failure.cause, Cause::DroppedAtLiftOff);
}

#[test]
fn an_object_that_should_rest_is_explained_by_when_it_moved() {
    let still = vec![at(0.0, 0.0, 0.0); 50];
    let kicked = |from: usize| -> Vec<Pose> {
        (0..50).map(|f| at(if f >= from { 0.1 } else { 0.0 }, 0.0, 0.0)).collect()
    };
    let mut evidence = Evidence::of_reference(&scripted::reference(&still), scripted::DT);
    assert_eq!(evidence.intervals, [None]);
    let reference = scripted::reference(&still);
    let cause = |from: usize, evidence: &Evidence| {
        diagnose(&scripted::rollout(&kicked(from)), &reference, evidence).unwrap().unwrap().cause
    };
    assert_eq!(cause(5, &evidence), Cause::Drifted);
    // With another object lifted at frame 10, a kick at frame 5 belongs to the approach.
    evidence.intervals.push(Some(MovingInterval { lift: 10, last: 28, put: None }));
    assert_eq!(cause(5, &evidence), Cause::ToppledOnApproach);
    assert_eq!(cause(20, &evidence), Cause::Drifted);
}

#[test]
fn names_are_snake_case_and_distinct() {
    let mut names: Vec<_> = Cause::ALL.iter().map(|c| c.to_string()).collect();
    assert!(names.iter().all(|n| n.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), Cause::ALL.len());
}

#[test]
fn an_object_that_is_hardly_meant_to_move_must_still_be_moved() {
    let raised = |height: f64| -> Vec<Pose> {
        (0..40).map(|f| at(0.0, if (10..30).contains(&f) { height } else { 0.0 }, 0.0)).collect()
    };
    let reference = scripted::reference(&raised(0.017));
    let left = left_behind(&scripted::rollout(&raised(0.0002)), &reference).unwrap();
    assert_eq!((left.cause, left.frame), (Cause::DroppedAtLiftOff, 10));
    assert!(left.detail.contains("0.2 of 17.0 mm"), "{}", left.detail);
    assert_eq!(left_behind(&scripted::rollout(&raised(0.012)), &reference), None);
    // A reference that rests asks for nothing.
    let resting = scripted::reference(&raised(0.004));
    assert_eq!(left_behind(&scripted::rollout(&raised(0.0)), &resting), None);
}
