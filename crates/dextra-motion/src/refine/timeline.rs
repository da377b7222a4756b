//! From demonstration frames to physics steps: a lead-in before the lift, a tail after the put-down,
//! and the reference at every step.

use super::plan::PhaseConfig;
use dextra_core::rollout::{Reference, ReferenceFrame};
use dextra_core::signal::{MovingInterval, object_moving_interval};
use dextra_core::{Demonstration, Pose, pose};

/// The schedule of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// Physics step, seconds.
    pub dt: f64,
    /// Number of physics steps `N`.
    pub steps: usize,
    /// Planned seconds before the first demonstrated frame.
    pub lead_in: f64,
    /// Planned seconds after the last demonstrated frame.
    pub tail: f64,
    /// Step at which the first object leaves its rest pose; `None` when nothing moves.
    pub lift_step: Option<usize>,
    /// Step at which the objects are back at rest on their support, when the clip ends so.
    pub put_step: Option<usize>,
    /// Reference pose of every object at every state: `[objects][N + 1]`.
    pub reference: Vec<Vec<Pose>>,
    /// What rollouts are judged against: every demonstrated frame, and frames of the lead-in and
    /// the tail at the same rate.
    pub judged: Reference,
    /// Moving interval in frames of the demonstration, over all objects.
    pub moving: Option<MovingInterval>,
}

/// Seconds in which the hand travels from its start to the approach, at least.
const TRAVEL: f64 = 0.6;
/// Seconds after the retreat until the rollout ends.
const AFTER_RETREAT: f64 = 0.1;

/// Lays out a demonstration in physics steps of `dt` seconds.
pub fn timeline(demo: &Demonstration, phases: &PhaseConfig, dt: f64) -> Timeline {
    let moving = moving(demo);
    let frame_time = |frame: usize| frame as f64 / demo.fps;
    let last_frame = demo.frames().saturating_sub(1);
    let lift_time = moving.map(|m| frame_time(m.lift));
    let lead_in = lift_time.map_or(0.0, |lift| (phases.before_lift() + TRAVEL - lift).max(0.0));
    let put_time = moving.and_then(|m| m.put).map(frame_time);
    let tail = put_time.map_or(0.0, |put| {
        (put + phases.after_put() + AFTER_RETREAT - frame_time(last_frame)).max(0.0)
    });
    let to_step = |time: f64| ((lead_in + time) / dt).round() as usize;
    let steps = to_step(frame_time(last_frame) + tail).max(1);
    let reference: Vec<Vec<Pose>> = demo
        .objects
        .iter()
        .map(|object| {
            (0..=steps)
                .map(|step| sample(&object.world_from_object, step as f64 * dt - lead_in, demo.fps))
                .collect()
        })
        .collect();
    let judged = judged(demo, &reference, lead_in, tail, dt, steps);
    Timeline {
        dt,
        steps,
        lead_in,
        tail,
        lift_step: lift_time.map(to_step),
        put_step: put_time.map(to_step),
        reference,
        judged,
        moving,
    }
}

/// The union of the objects' moving intervals; put down only when every moving object is.
fn moving(demo: &Demonstration) -> Option<MovingInterval> {
    demo.objects.iter().filter_map(|object| object_moving_interval(object, demo.fps)).reduce(
        |a, b| MovingInterval {
            lift: a.lift.min(b.lift),
            last: a.last.max(b.last),
            put: a.put.zip(b.put).map(|(a, b)| a.max(b)),
        },
    )
}

fn sample(poses: &[Pose], time: f64, fps: f64) -> Pose {
    let at = (time * fps).clamp(0.0, (poses.len() - 1) as f64);
    let low = at.floor() as usize;
    let high = (low + 1).min(poses.len() - 1);
    pose::interpolate(&poses[low], &poses[high], at - low as f64)
}

fn judged(
    demo: &Demonstration,
    reference: &[Vec<Pose>],
    lead_in: f64,
    tail: f64,
    dt: f64,
    steps: usize,
) -> Reference {
    let before = (lead_in * demo.fps).floor() as i64;
    let after = (tail * demo.fps).floor() as i64;
    let frames = demo.frames() as i64;
    let frame = |index: i64| {
        let time = lead_in + index as f64 / demo.fps;
        let step = ((time / dt).round().max(0.0) as usize).min(steps);
        let shown = usize::try_from(index).ok().filter(|&i| i < demo.frames());
        ReferenceFrame {
            step,
            world_from_object: match shown {
                Some(i) => demo.objects.iter().map(|o| o.world_from_object[i]).collect(),
                None => reference.iter().map(|path| path[step]).collect(),
            },
            human_keypoints: demo
                .hands
                .iter()
                .map(|hand| shown.map(|i| hand.keypoints_in_world[i]))
                .collect(),
        }
    };
    Reference { frames: (-before..frames + after).map(frame).collect() }
}
