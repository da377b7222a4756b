//! How well a rollout follows its reference, under every published success rule.
//!
//! Errors of objects are judged at every frame of the [`Reference`]. Means (`E_r`, `E_t`, `E_j`,
//! `E_ft`) run over the *demonstrated* frames alone, so that a long still lead-in cannot dilute
//! them; maxima and every-frame rules run over all judged frames, planned ones included. With
//! several objects or hands each number is that of the worst one.

mod protocol;
mod statistics;

pub use protocol::{Protocol, Protocols};
pub use statistics::{percentile, wilson_interval};

use crate::demonstration::keypoint;
use crate::pose;
use crate::retime::Peak;
use crate::rollout::{HandRollout, Reference, Rollout};
use crate::{Joint, JointKind, Pose};

/// What [`evaluate`] measured. SI units and radians.
///
/// A pose that is missing or not finite counts as an infinite error.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Judged frames.
    pub frames: usize,
    /// Judged frames at which a human was recorded.
    pub demonstrated_frames: usize,
    /// Mean rotation error of the worst object, radians (ManipTrans `E_r`).
    pub e_r: f64,
    /// Mean position error of the worst object, metres (ManipTrans `E_t`).
    pub e_t: f64,
    /// Mean position error of the mapped keypoints that are no fingertips, of the worst hand,
    /// metres (ManipTrans `E_j`); `None` without such a keypoint or without a demonstrated frame.
    pub e_j: Option<f64>,
    /// Mean position error of the mapped fingertips, of the worst hand, metres (ManipTrans `E_ft`).
    pub e_ft: Option<f64>,
    /// Largest position error of any object, metres, and its judged frame.
    pub max_t: Peak,
    /// Largest rotation error of any object, radians, and its judged frame.
    pub max_r: Peak,
    /// Error of the worst hinge, radians; `None` without a hinge.
    pub hinge: Option<JointError>,
    /// Error of the worst slider, metres; `None` without a slider.
    pub slider: Option<JointError>,
    /// Deepest hand-object penetration, metres.
    pub object_penetration_max: f64,
    /// 99th percentile of the hand-object penetration over the steps in which they touch, metres.
    pub object_penetration_p99: f64,
    /// Deepest self-penetration, metres.
    pub self_penetration_max: f64,
    /// 99th percentile of the self-penetration over all steps, metres.
    pub self_penetration_p99: f64,
    /// 99th percentile of the penetration of a hand into the table over all steps, metres.
    pub table_penetration_p99: f64,
    /// 99th percentile of the summed normal force over the steps in which hand and object touch, N.
    pub contact_force_p99: f64,
    /// Mean over all steps of the fraction of actuators at their force limit.
    pub saturation_mean: f64,
    /// Which success rules are met.
    pub protocols: Protocols,
}

/// How far a joint is from the coordinate demanded, radians or metres; infinite where it is unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointError {
    /// Mean over the frames that the means of objects run over.
    pub mean: f64,
    /// The largest error and its judged frame.
    pub max: Peak,
}

/// Rollout and reference do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Nothing to judge.
    #[error("the reference has no {0}")]
    Empty(&'static str),
    /// A frame beyond the end of a finite rollout.
    #[error("reference frame {frame} is at state {step}, but `{series}` has {states} states")]
    Step {
        /// Judged frame.
        frame: usize,
        /// Its state.
        step: usize,
        /// Which series of the rollout.
        series: String,
        /// Length of the series.
        states: usize,
    },
    /// Different numbers of things.
    #[error("reference frame {frame} has {reference} {what}, the rollout {rollout}")]
    Count {
        /// Judged frame.
        frame: usize,
        /// `"objects"` or `"hands"`.
        what: &'static str,
        /// How many the reference has.
        reference: usize,
        /// How many the rollout has.
        rollout: usize,
    },
    /// A robot point that stands for no human keypoint.
    #[error("hand `{hand}` maps {count} keypoints but has {points} points at state {state}")]
    Points {
        /// The hand.
        hand: String,
        /// The state.
        state: usize,
        /// Mapped keypoints.
        count: usize,
        /// Points present.
        points: usize,
    },
    /// A keypoint outside the 21.
    #[error("hand `{hand}` maps keypoint {keypoint}; keypoints are 0 to 20")]
    Keypoint {
        /// The hand.
        hand: String,
        /// The keypoint.
        keypoint: usize,
    },
}

/// Errors of one object at every judged frame; infinite where the pose is missing or not finite.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectErrors {
    /// Position errors, metres, `[F]`.
    pub position: Vec<f64>,
    /// Rotation errors, radians, `[F]`.
    pub rotation: Vec<f64>,
}

/// Errors of every object at every judged frame, `[O][F]`.
pub fn object_errors(
    rollout: &Rollout,
    reference: &Reference,
) -> Result<Vec<ObjectErrors>, Mismatch> {
    check(rollout, reference)?;
    let finite_or_infinite = |x: f64| if x.is_finite() { x } else { f64::INFINITY };
    let errors = |o: usize, error: fn(&crate::Pose, &crate::Pose) -> f64| -> Vec<f64> {
        let measured = &rollout.objects[o].world_from_object;
        let at = |frame: &crate::rollout::ReferenceFrame| {
            let demanded = &frame.world_from_object[o];
            measured
                .get(frame.step)
                .map_or(f64::INFINITY, |m| finite_or_infinite(error(m, demanded)))
        };
        reference.frames.iter().map(at).collect()
    };
    Ok((0..rollout.objects.len())
        .map(|o| ObjectErrors {
            position: errors(o, pose::distance_between),
            rotation: errors(o, pose::angle_between),
        })
        .collect())
}

/// Errors of the coordinate of a part's joint at every judged frame, radians or metres, `[F]`; infinite
/// where it is unknown. `object` is the part, `joint` what the simulator made of its joint.
fn joint_errors(
    rollout: &Rollout,
    reference: &Reference,
    object: usize,
    joint: &Joint,
) -> Vec<f64> {
    let of = |parent: &Pose, part: &Pose| joint.coordinate(&(parent.inverse() * part), 0.0);
    let frames = reference.frames.iter().map(|frame| {
        let pose = |o: usize| rollout.objects.get(o)?.world_from_object.get(frame.step);
        let measured = of(pose(joint.parent)?, pose(object)?);
        let demanded = &frame.world_from_object;
        let demanded = of(demanded.get(joint.parent)?, demanded.get(object)?);
        Some(joint.difference(measured, demanded)).filter(|error| error.is_finite())
    });
    frames.map(|error| error.unwrap_or(f64::INFINITY)).collect()
}

/// Measures a rollout against its reference.
///
/// Errors when the two do not fit together. A rollout flagged as not finite may end early; what is
/// missing counts as infinitely wrong and meets no rule.
pub fn evaluate(rollout: &Rollout, reference: &Reference) -> Result<Metrics, Mismatch> {
    let errors = object_errors(rollout, reference)?;
    let demonstrated: Vec<usize> =
        (0..reference.frames.len()).filter(|&f| reference.frames[f].is_demonstrated()).collect();
    // A reference without any human (an object-only recording) is judged on all its frames.
    let averaged: Vec<usize> = if demonstrated.is_empty() {
        (0..reference.frames.len()).collect()
    } else {
        demonstrated.clone()
    };
    let mean =
        |values: &[f64]| averaged.iter().map(|&f| values[f]).sum::<f64>() / averaged.len() as f64;
    let e_t = errors.iter().map(|e| mean(&e.position)).fold(0.0, f64::max);
    let e_r = errors.iter().map(|e| mean(&e.rotation)).fold(0.0, f64::max);
    let max_t = largest(errors.iter().map(|e| e.position.as_slice()));
    let max_r = largest(errors.iter().map(|e| e.rotation.as_slice()));
    let worst_joint = |kind: JointKind| {
        let of_kind = |(o, object): (usize, &crate::rollout::ObjectRollout)| {
            let joint = object.joint.filter(|joint| joint.kind == kind)?;
            Some(joint_errors(rollout, reference, o, &joint))
        };
        let errors: Vec<Vec<f64>> =
            rollout.objects.iter().enumerate().filter_map(of_kind).collect();
        let mean = errors.iter().map(|e| mean(e)).reduce(f64::max)?;
        Some(JointError { mean, max: largest(errors.iter().map(Vec::as_slice)) })
    };
    let (hinge, slider) = (worst_joint(JointKind::Hinge), worst_joint(JointKind::Slider));
    let e_j = worst_hand(rollout, reference, |k| !keypoint::TIPS.contains(&k));
    let e_ft = worst_hand(rollout, reference, |k| keypoint::TIPS.contains(&k));

    let all = |value: fn(&crate::rollout::StepContacts) -> f64| -> Vec<f64> {
        rollout.contacts.iter().map(value).collect()
    };
    let touching = |value: fn(&crate::rollout::StepContacts) -> f64| -> Vec<f64> {
        rollout.contacts.iter().filter(|c| c.hand_object_count > 0).map(value).collect()
    };
    let max = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let p99 = |values: &[f64]| percentile(values, 99.0).unwrap_or(0.0);
    let object_penetration = touching(|c| c.hand_object_penetration);
    let self_penetration = all(|c| c.self_penetration);
    let saturation = rollout.saturated.iter().sum::<f64>() / rollout.saturated.len().max(1) as f64;

    let mut metrics = Metrics {
        frames: reference.frames.len(),
        demonstrated_frames: demonstrated.len(),
        e_r,
        e_t,
        e_j,
        e_ft,
        max_t,
        max_r,
        hinge,
        slider,
        object_penetration_max: max(&object_penetration),
        object_penetration_p99: p99(&object_penetration),
        self_penetration_max: max(&self_penetration),
        self_penetration_p99: p99(&self_penetration),
        table_penetration_p99: p99(&all(|c| c.hand_table_penetration)),
        contact_force_p99: p99(&touching(|c| c.hand_object_force)),
        saturation_mean: saturation,
        protocols: Protocols::default(),
    };
    if rollout.first_non_finite().is_none() {
        metrics.protocols = Protocols::of(&metrics);
    }
    Ok(metrics)
}

fn largest<'a>(series: impl Iterator<Item = &'a [f64]>) -> Peak {
    let frames = series.flat_map(|values| values.iter().copied().enumerate());
    frames.fold(
        Peak::default(),
        |best, (frame, value)| {
            if value > best.value { Peak { value, frame } } else { best }
        },
    )
}

/// The largest over hands of the mean distance between robot and human over the demonstrated frames
/// and the mapped keypoints that `wanted` selects. `None` when some hand offers nothing to average:
/// a hand without evidence must not pass.
fn worst_hand(
    rollout: &Rollout,
    reference: &Reference,
    wanted: impl Fn(usize) -> bool,
) -> Option<f64> {
    let mean = |(h, hand): (usize, &HandRollout)| -> Option<f64> {
        let mut sum = 0.0;
        let mut count = 0usize;
        for frame in &reference.frames {
            let Some(human) = &frame.human_keypoints[h] else {
                continue;
            };
            for (i, &k) in hand.keypoints.iter().enumerate().filter(|&(_, &k)| wanted(k)) {
                let robot = hand.keypoints_in_world.get(frame.step).map(|points| points[i]);
                let error = robot.map_or(f64::INFINITY, |robot| (robot - human[k]).norm());
                sum += if error.is_finite() { error } else { f64::INFINITY };
                count += 1;
            }
        }
        (count > 0).then(|| sum / count as f64)
    };
    let means: Option<Vec<f64>> = rollout.hands.iter().enumerate().map(mean).collect();
    means?.into_iter().reduce(f64::max)
}

fn check(rollout: &Rollout, reference: &Reference) -> Result<(), Mismatch> {
    if reference.frames.is_empty() {
        return Err(Mismatch::Empty("judged frame"));
    }
    if rollout.objects.is_empty() {
        return Err(Mismatch::Empty("object"));
    }
    for hand in &rollout.hands {
        if let Some(&keypoint) = hand.keypoints.iter().find(|&&k| k >= keypoint::COUNT) {
            return Err(Mismatch::Keypoint { hand: hand.hand.clone(), keypoint });
        }
        let count = hand.keypoints.len();
        let wrong = hand.keypoints_in_world.iter().position(|points| points.len() != count);
        if let Some(state) = wrong {
            let points = hand.keypoints_in_world[state].len();
            return Err(Mismatch::Points { hand: hand.hand.clone(), state, count, points });
        }
    }
    for (f, frame) in reference.frames.iter().enumerate() {
        let counts = [
            ("objects", frame.world_from_object.len(), rollout.objects.len()),
            ("hands", frame.human_keypoints.len(), rollout.hands.len()),
        ];
        for (what, reference, rollout) in counts {
            if reference != rollout {
                return Err(Mismatch::Count { frame: f, what, reference, rollout });
            }
        }
        let objects = rollout.objects.iter().map(|o| (&o.name, o.world_from_object.len()));
        let hands = rollout.hands.iter().map(|h| (&h.hand, h.keypoints_in_world.len()));
        for (series, states) in objects.chain(hands) {
            if rollout.finite && frame.step >= states {
                let series = series.clone();
                return Err(Mismatch::Step { frame: f, step: frame.step, series, states });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
