//! From demonstration frames to physics steps: a lead-in before the first hold, pauses where a hand
//! needs longer between two holds than the human did, a tail after the last, and the reference at
//! every step.

use super::plan::PhaseConfig;
use crate::holds::Hold;
use dextra_core::rollout::{Reference, ReferenceFrame};
use dextra_core::{Demonstration, Pose, pose};

/// A hold in physics steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldSteps {
    /// Index of the hand.
    pub hand: usize,
    /// Index of the object.
    pub object: usize,
    /// Step from which the hand has the object.
    pub take: usize,
    /// Step until which it has it; `None` when it keeps it.
    pub release: Option<usize>,
    /// Whether the object stays on its support meanwhile.
    pub sliding: bool,
}

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
    /// Planned pauses: `(seconds of the demonstration, length in seconds)`, in the order of time.
    pub pauses: Vec<(f64, f64)>,
    /// Holds in the order of their takes.
    pub holds: Vec<HoldSteps>,
    /// Reference pose of every object at every state: `[objects][N + 1]`.
    pub reference: Vec<Vec<Pose>>,
    /// What rollouts are judged against: every demonstrated frame, and frames of the lead-in, the
    /// pauses and the tail at the same rate.
    pub judged: Reference,
}

/// Seconds in which a hand travels to the beginning of an approach, at least.
pub const TRAVEL: f64 = 0.6;
/// Seconds after the retreat until the rollout ends.
const AFTER_RETREAT: f64 = 0.1;

impl Timeline {
    /// Step at which the first object is taken; `None` when nothing is held.
    pub fn lift_step(&self) -> Option<usize> {
        self.holds.iter().map(|hold| hold.take).min()
    }

    /// Step at which the last object is let go, when all are.
    pub fn put_step(&self) -> Option<usize> {
        let released = self.holds.iter().map(|hold| hold.release);
        released.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Seconds of the demonstration shown at a step, clamped to its length by whoever samples it.
    pub fn demonstrated_time(&self, step: usize) -> f64 {
        let mut time = step as f64 * self.dt - self.lead_in;
        for (at, length) in &self.pauses {
            if time <= *at {
                break;
            }
            time = (time - length).max(*at);
        }
        time
    }
}

/// Lays out a demonstration in physics steps of `dt` seconds.
pub fn timeline(demo: &Demonstration, holds: &[Hold], phases: &PhaseConfig, dt: f64) -> Timeline {
    let frame_time = |frame: usize| frame as f64 / demo.fps;
    let end = frame_time(demo.frames().saturating_sub(1));
    let first = holds.iter().map(|hold| frame_time(hold.take)).reduce(f64::min);
    let lead_in = first.map_or(0.0, |lift| (phases.before_take() + TRAVEL - lift).max(0.0));
    let last = holds.iter().filter_map(|hold| hold.release).map(frame_time).reduce(f64::max);
    let tail =
        last.map_or(0.0, |put| (put + phases.after_release() + AFTER_RETREAT - end).max(0.0));
    let pauses = pauses(demo, holds, phases);
    let shift = |time: f64| {
        let before = pauses.iter().filter(|(at, _)| *at < time);
        lead_in + time + before.map(|(_, length)| length).sum::<f64>()
    };
    let to_step = |time: f64| (shift(time) / dt).round() as usize;
    let mut schedule = Timeline {
        dt,
        steps: to_step(end + tail).max(1),
        lead_in,
        tail,
        holds: holds
            .iter()
            .map(|hold| HoldSteps {
                hand: hold.hand,
                object: hold.object,
                take: to_step(frame_time(hold.take)),
                release: hold.release.map(|frame| to_step(frame_time(frame))),
                sliding: hold.sliding,
            })
            .collect(),
        pauses: pauses.clone(),
        reference: Vec::new(),
        judged: Reference::default(),
    };
    schedule.reference = demo
        .objects
        .iter()
        .map(|object| {
            (0..=schedule.steps)
                .map(|step| {
                    sample(&object.world_from_object, schedule.demonstrated_time(step), demo.fps)
                })
                .collect()
        })
        .collect();
    schedule.judged = judged(demo, &schedule);
    schedule
}

/// Where the human's time between two holds of a hand is too short for the planned release, travel and
/// approach, the demonstration pauses in the middle of it.
fn pauses(demo: &Demonstration, holds: &[Hold], phases: &PhaseConfig) -> Vec<(f64, f64)> {
    let needed = phases.after_release() + TRAVEL + phases.before_take();
    let mut pauses: Vec<(f64, f64)> = Vec::new();
    for (index, later) in holds.iter().enumerate() {
        let earlier = holds[..index].iter().rev().find(|hold| hold.hand == later.hand);
        let Some(release) = earlier.and_then(|hold| hold.release) else { continue };
        let gap = later.take.saturating_sub(release) as f64 / demo.fps;
        if gap < needed {
            let middle = (release + later.take) as f64 / 2.0 / demo.fps;
            pauses.push((middle, needed - gap));
        }
    }
    pauses.sort_by(|a, b| a.0.total_cmp(&b.0));
    pauses
}

fn sample(poses: &[Pose], time: f64, fps: f64) -> Pose {
    let at = (time * fps).clamp(0.0, (poses.len() - 1) as f64);
    let low = at.floor() as usize;
    let high = (low + 1).min(poses.len() - 1);
    pose::interpolate(&poses[low], &poses[high], at - low as f64)
}

fn judged(demo: &Demonstration, schedule: &Timeline) -> Reference {
    let last = schedule.steps;
    let planned = |time: f64| {
        let step = ((time / schedule.dt).round().max(0.0) as usize).min(last);
        ReferenceFrame {
            step,
            world_from_object: schedule.reference.iter().map(|path| path[step]).collect(),
            human_keypoints: vec![None; demo.hands.len()],
        }
    };
    let mut frames = Vec::new();
    let before = (schedule.lead_in * demo.fps).floor() as usize;
    frames.extend((0..before).map(|k| planned(schedule.lead_in - (before - k) as f64 / demo.fps)));
    let mut shift = schedule.lead_in;
    let mut pauses = schedule.pauses.iter().peekable();
    for index in 0..demo.frames() {
        let time = index as f64 / demo.fps;
        while let Some((_, length)) = pauses.next_if(|(at, _)| *at < time) {
            let count = (length * demo.fps).floor() as usize;
            frames.extend((0..count).map(|k| planned(shift + time + k as f64 / demo.fps)));
            shift += length;
        }
        frames.push(ReferenceFrame {
            step: (((shift + time) / schedule.dt).round() as usize).min(last),
            world_from_object: demo.objects.iter().map(|o| o.world_from_object[index]).collect(),
            human_keypoints: demo
                .hands
                .iter()
                .map(|hand| Some(hand.keypoints_in_world[index]))
                .collect(),
        });
    }
    let after = (schedule.tail * demo.fps).floor() as usize;
    let end = shift + demo.frames().saturating_sub(1) as f64 / demo.fps;
    frames.extend((1..=after).map(|k| planned(end + k as f64 / demo.fps)));
    Reference { frames }
}
