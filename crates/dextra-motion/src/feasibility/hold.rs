//! Who holds what, when and how: distances between hands and surfaces, holds, contacts, and the
//! kind of task they make.

use super::tracks::lowest;
use super::{Finding, Kind, Severity, Task};
use crate::refine::hypothesis::mean_keypoints;
use crate::retarget::SurfaceQuery;
use dextra_core::cause::HAND_OFF_M;
use dextra_core::demonstration::{Keypoints, keypoint, world_from_palm};
use dextra_core::signal::{self, MovingInterval};
use dextra_core::{Demonstration, Pose, pose};
use nalgebra::{Point3, Vector3};

/// A hand with a keypoint nearer than this to a moving object holds it, metres: keypoints inside the
/// fingers are up to 1 cm from the skin, and recordings are off by as much.
const HOLD_M: f64 = 0.025;
/// Fingertips touch within this distance, metres.
const TIP_M: f64 = 0.015;
/// Other finger joints touch within this distance, metres; they lie inside the finger.
const JOINT_M: f64 = 0.018;
/// The palm touches within this distance of its frame's origin, metres; that lies between bones.
const PALM_M: f64 = 0.03;
/// Interruptions shorter than this are no release, seconds.
const GAP_S: f64 = 0.25;
/// Shorter contacts are brushes, seconds.
const BRUSH_S: f64 = 0.15;
/// Time over which the grasp at the take is averaged, seconds.
const TAKE_S: f64 = 0.2;
/// Depth of a keypoint inside an object that noise does not explain, metres.
const DEPTH_M: f64 = 0.018;
/// Share of the frames of a hold from which penetration is reported.
const DEPTH_SHARE: f64 = 0.1;
/// Palm motion relative to the object from which it turns or slides in the hand: rad, m.
const IN_HAND: (f64, f64) = (20.0 * std::f64::consts::PI / 180.0, 0.025);
/// Root mean square of the fast part of the hand's motion in the object frame that is jitter, metres.
const JITTER_M: f64 = 0.006;
/// Rise of an object from which it is lifted, metres.
const LIFTED_M: f64 = 0.015;
/// Objects this near to each other touch, metres.
const TOUCHING_M: f64 = 0.02;
/// Most frames at which distances are measured; a longer clip is sampled evenly.
const MOST_SAMPLES: usize = 600;
/// Keypoints farther from an object's bounding sphere are not measured, metres.
const FAR_M: f64 = 0.25;

/// A contact of the human hand with an object at the take, object frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contact {
    /// The keypoint; the wrist stands for the palm.
    pub keypoint: usize,
    /// Point of the surface, metres.
    pub point: Point3<f64>,
    /// Outward unit normal.
    pub normal: Vector3<f64>,
}

/// A hand holding a moving object.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// Index of the hand.
    pub hand: usize,
    /// Index of the object.
    pub object: usize,
    /// First frame: the object moves and the hand is at it.
    pub first: usize,
    /// Last frame.
    pub last: usize,
    /// Keypoints in the object frame, mean over the first fifth of a second.
    pub keypoints: Keypoints,
    /// What touches then.
    pub contacts: Vec<Contact>,
}

impl Hold {
    fn overlap(&self, other: &Hold) -> f64 {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        let shorter = (self.last - self.first).min(other.last - other.first) + 1;
        (last + 1).saturating_sub(first) as f64 / shorter as f64
    }
}

/// Signed distances of all keypoints to all objects over a clip.
pub(super) struct Distances {
    stride: usize,
    /// `[object][hand][sample]`; `None` when the hand is far away.
    near: Vec<Vec<Vec<Option<[f64; keypoint::COUNT]>>>>,
}

impl Distances {
    pub fn new(
        clean: &Demonstration,
        surfaces: &[&dyn SurfaceQuery],
        outlines: &[Vec<Point3<f64>>],
    ) -> Distances {
        let frames = clean.frames();
        let stride = frames.div_ceil(MOST_SAMPLES).max(1);
        let near = clean
            .objects
            .iter()
            .zip(surfaces.iter().zip(outlines))
            .map(|(object, (surface, outline))| {
                let center = Point3::from(
                    outline.iter().map(|v| v.coords).sum::<Vector3<f64>>()
                        / outline.len().max(1) as f64,
                );
                let radius = outline.iter().map(|v| (v - center).norm()).fold(0.0, f64::max);
                let sample = |points: &Keypoints, pose: &Pose| {
                    let local = points.map(|p| pose.inverse_transform_point(&p));
                    local
                        .iter()
                        .any(|p| (p - center).norm() < radius + FAR_M)
                        .then(|| local.map(|p| surface.closest(&p).2))
                };
                clean
                    .hands
                    .iter()
                    .map(|hand| {
                        (0..frames)
                            .step_by(stride)
                            .map(|f| {
                                sample(&hand.keypoints_in_world[f], &object.world_from_object[f])
                            })
                            .collect()
                    })
                    .collect()
            })
            .collect();
        Distances { stride, near }
    }

    fn at(&self, object: usize, hand: usize, frame: usize) -> Option<&[f64; keypoint::COUNT]> {
        self.near[object][hand].get(frame / self.stride)?.as_ref()
    }

    /// Distance of the nearest keypoint of one hand; infinite when far.
    fn of_hand(&self, object: usize, hand: usize, frame: usize) -> f64 {
        self.at(object, hand, frame)
            .map_or(f64::INFINITY, |d| d.iter().copied().fold(f64::INFINITY, f64::min))
    }

    /// Distance of the nearest keypoint of any hand; infinite when far.
    pub fn nearest(&self, object: usize, frame: usize) -> f64 {
        (0..self.near[object].len())
            .map(|hand| self.of_hand(object, hand, frame))
            .fold(f64::INFINITY, f64::min)
    }
}

/// A clip with what is known of its objects.
pub(super) struct Scene<'a> {
    /// The clip without glitches.
    pub clean: &'a Demonstration,
    /// Surface of each object.
    pub surfaces: &'a [&'a dyn SurfaceQuery],
    /// Outermost vertices of each object.
    pub outlines: &'a [Vec<Point3<f64>>],
    /// When each object moves.
    pub moving: &'a [Option<MovingInterval>],
    /// How far hands are from objects.
    pub distances: &'a Distances,
}

/// All holds, the kind of task, and what is wrong with them.
pub(super) fn holds(scene: &Scene<'_>) -> (Vec<Hold>, Task, Vec<Finding>) {
    let Scene { clean, surfaces, outlines, moving, distances } = *scene;
    let mut holds: Vec<Hold> = Vec::new();
    for hand in 0..clean.hands.len() {
        for (object, interval) in moving.iter().enumerate() {
            let Some(interval) = interval else { continue };
            for (first, last) in contact_intervals(distances, object, hand, interval, clean.fps) {
                holds.push(hold(clean, surfaces[object], hand, object, first, last));
            }
        }
    }
    holds.sort_by_key(|h| (h.hand, h.first, h.object));
    let mut findings = Vec::new();
    let mut sliding = Vec::new();
    let mut task = Task {
        holds: holds.len(),
        moving_objects: moving.iter().flatten().count(),
        ..Task::default()
    };
    for (object, interval) in moving.iter().enumerate() {
        let Some(interval) = interval else { continue };
        let track = &clean.objects[object];
        findings.extend(untouched(scene, &holds, object, interval));
        let height = |f: usize| lowest(&outlines[object], &track.world_from_object[f]);
        let rise = (interval.lift..=interval.last)
            .map(|f| height(f) - height(interval.lift))
            .fold(0.0, f64::max);
        if rise < LIFTED_M {
            sliding.push(object);
            task.sliding_objects += 1;
            let text = format!(
                "object {} moves but rises only {:.1} cm: it is pushed or turned on its support",
                track.name,
                100.0 * rise
            );
            findings.push(Finding::new(Kind::Slide, Severity::Info, interval.lift, text));
        }
        findings.extend(together(clean, &holds, object, interval, &mut task));
    }
    for hold in &holds {
        findings.extend(quality(clean, distances, hold, &mut task));
    }
    // What is only pushed needs no opposing contacts.
    let lifted: Vec<Hold> =
        holds.iter().filter(|hold| !sliding.contains(&hold.object)).cloned().collect();
    findings.extend(one_sided(clean, &lifted));
    (holds, task, findings)
}

/// When a hand is at a moving object, inclusive frames.
fn contact_intervals(
    distances: &Distances,
    object: usize,
    hand: usize,
    interval: &MovingInterval,
    fps: f64,
) -> Vec<(usize, usize)> {
    let gap = (GAP_S * fps).ceil() as usize;
    let mut found: Vec<(usize, usize)> = Vec::new();
    for frame in interval.lift..=interval.last {
        if distances.of_hand(object, hand, frame) >= HOLD_M {
            continue;
        }
        match found.last_mut() {
            Some((_, last)) if frame - *last <= gap => *last = frame,
            _ => found.push((frame, frame)),
        }
    }
    let brush = ((BRUSH_S * fps) as usize).min((interval.last - interval.lift) / 2);
    found.retain(|(first, last)| last - first >= brush);
    found
}

/// Keypoints of a hand in the frame of an object.
fn in_object(clean: &Demonstration, hand: usize, object: usize, frame: usize) -> Keypoints {
    let pose = &clean.objects[object].world_from_object[frame];
    clean.hands[hand].keypoints_in_world[frame].map(|p| pose.inverse_transform_point(&p))
}

fn hold(
    clean: &Demonstration,
    surface: &dyn SurfaceQuery,
    hand: usize,
    object: usize,
    first: usize,
    last: usize,
) -> Hold {
    let end = (first + (TAKE_S * clean.fps).round() as usize).min(last);
    let early: Vec<Keypoints> = (first..=end).map(|f| in_object(clean, hand, object, f)).collect();
    let keypoints = mean_keypoints(&early);
    let mut contacts = Vec::new();
    for (k, p) in keypoints.iter().enumerate() {
        // Wrist and knuckles do not touch; the thumb's MCP does.
        if matches!(k, keypoint::WRIST | 1 | 5 | 9 | 13 | 17) {
            continue;
        }
        let (point, normal, distance) = surface.closest(p);
        let within = if keypoint::TIPS.contains(&k) { TIP_M } else { JOINT_M };
        if distance < within {
            contacts.push(Contact { keypoint: k, point, normal });
        }
    }
    if let Some(palm) = world_from_palm(&keypoints, clean.hands[hand].side) {
        let (point, normal, distance) = surface.closest(&palm.translation.vector.into());
        if distance < PALM_M && normal.dot(&(palm * Vector3::z())) < -0.5 {
            contacts.push(Contact { keypoint: keypoint::WRIST, point, normal });
        }
    }
    Hold { hand, object, first, last, keypoints, contacts }
}

/// An object that moves before, or without, a hand at it.
fn untouched(
    scene: &Scene<'_>,
    holds: &[Hold],
    object: usize,
    interval: &MovingInterval,
) -> Option<Finding> {
    let Scene { clean, surfaces, outlines, moving, distances } = *scene;
    let name = &clean.objects[object].name;
    let first = holds.iter().filter(|h| h.object == object).map(|h| h.first).min();
    let late = (0.1 * clean.fps).ceil() as usize;
    if first.is_some_and(|first| first <= interval.lift + late) {
        return None;
    }
    let by = (0..clean.objects.len()).filter(|&o| o != object && moving[o].is_some()).find(|&o| {
        let frame = interval.lift;
        let here_from_there = clean.objects[object].world_from_object[frame].inverse()
            * clean.objects[o].world_from_object[frame];
        outlines[o].iter().any(|v| surfaces[object].closest(&(here_from_there * v)).2 < TOUCHING_M)
    });
    if let Some(by) = by {
        let text = format!(
            "object {name} is moved by object {}, not by a hand: the grasp search does not use tools",
            clean.objects[by].name
        );
        return Some(Finding::new(Kind::Tool, Severity::Warning, interval.lift, text));
    }
    let nearest = |frame: usize| match distances.nearest(object, frame) {
        d if d.is_finite() => format!("{:.1} cm away", 100.0 * d),
        _ => format!("more than {:.0} cm away", 100.0 * FAR_M),
    };
    let closest = (interval.lift..=interval.last)
        .min_by(|&a, &b| distances.nearest(object, a).total_cmp(&distances.nearest(object, b)))?;
    match first {
        Some(first) => {
            if distances.nearest(object, interval.lift) < HAND_OFF_M {
                return None;
            }
            let text = format!(
                "object {name} starts to move with the nearest hand {}; a hand takes it at frame {first}",
                nearest(interval.lift)
            );
            Some(Finding::new(Kind::Untouched, Severity::Warning, interval.lift, text))
        }
        None => {
            let severity = if distances.nearest(object, closest) > HAND_OFF_M {
                Severity::Blocking
            } else {
                Severity::Warning
            };
            let text = format!(
                "object {name} moves untouched: while it does, the nearest hand is at best {}",
                nearest(closest)
            );
            Some(Finding::new(Kind::Untouched, severity, interval.lift, text))
        }
    }
}

/// Several holds of one object: two hands, hand-over, regrasp.
fn together(
    clean: &Demonstration,
    holds: &[Hold],
    object: usize,
    interval: &MovingInterval,
    task: &mut Task,
) -> Vec<Finding> {
    let name = &clean.objects[object].name;
    let mine: Vec<&Hold> = holds.iter().filter(|h| h.object == object).collect();
    let later = (0.3 * clean.fps).ceil() as usize;
    let mut findings = Vec::new();
    for (i, a) in mine.iter().enumerate() {
        for b in &mine[i + 1..] {
            let (a, b) = if a.first <= b.first { (a, b) } else { (b, a) };
            if a.hand == b.hand {
                task.regrasp = true;
                let text = format!(
                    "the {} hand lets go of object {name} at frame {} and takes it again",
                    clean.hands[a.hand].side.name(),
                    a.last
                );
                findings.push(Finding::new(Kind::Regrasp, Severity::Info, b.first, text));
            } else if b.first > a.first + later && b.last > a.last + later {
                task.hand_over = true;
                let text = format!(
                    "object {name} passes from the {} to the {} hand in the air",
                    clean.hands[a.hand].side.name(),
                    clean.hands[b.hand].side.name()
                );
                findings.push(Finding::new(Kind::HandOver, Severity::Warning, b.first, text));
            } else if a.overlap(b) > 0.5 {
                task.two_hands = true;
                let text = format!("two hands hold object {name}");
                let frame = b.first.max(interval.lift);
                findings.push(Finding::new(Kind::TwoHands, Severity::Info, frame, text));
            }
        }
    }
    findings
}

/// How a single hold is: contacts, penetration, motion in the hand, jitter.
fn quality(
    clean: &Demonstration,
    distances: &Distances,
    hold: &Hold,
    task: &mut Task,
) -> Vec<Finding> {
    let side = clean.hands[hold.hand].side;
    let name = &clean.objects[hold.object].name;
    let mut findings = Vec::new();
    let samples: Vec<(usize, &[f64; keypoint::COUNT])> = (hold.first..=hold.last)
        .filter(|f| f % distances.stride == 0)
        .filter_map(|f| Some((f, distances.at(hold.object, hold.hand, f)?)))
        .collect();
    let share = |test: &dyn Fn(&[f64; keypoint::COUNT]) -> bool| {
        samples.iter().filter(|(_, d)| test(d)).count() as f64 / samples.len().max(1) as f64
    };
    let tips = keypoint::TIPS.iter().filter(|&&k| share(&|d| d[k] < TIP_M) >= 0.5).count();
    let palm = hold.contacts.iter().any(|c| c.keypoint == keypoint::WRIST);
    if tips < 2 && !palm {
        let text = format!(
            "only {tips} of 5 fingertips of the {} hand are within 1.5 cm of object {name} for half of \
             the time it is held: how it is held is a guess",
            side.name()
        );
        findings.push(Finding::new(Kind::Contacts, Severity::Warning, hold.first, text));
    }
    let depth = |d: &[f64; keypoint::COUNT]| -d.iter().copied().fold(f64::INFINITY, f64::min);
    let deep = share(&|d| depth(d) > DEPTH_M);
    if let Some((frame, worst)) = samples
        .iter()
        .map(|(f, d)| (*f, depth(d)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|_| deep > DEPTH_SHARE)
    {
        let text = format!(
            "the {} hand is up to {:.1} cm inside object {name}, deeper than {:.1} cm in {:.0} % of the \
             frames of the hold",
            side.name(),
            100.0 * worst,
            100.0 * DEPTH_M,
            100.0 * deep
        );
        findings.push(Finding::new(Kind::Penetration, Severity::Warning, frame, text));
    }
    findings.extend(in_hand(clean, hold, task));
    findings
}

/// Motion of the hand relative to the object it holds: the slow part is meant, the fast is jitter.
/// A tenth of the hold at each end is left out: the hand closes and opens there.
fn in_hand(clean: &Demonstration, hold: &Hold, task: &mut Task) -> Vec<Finding> {
    const SIGMA_S: f64 = 0.1;
    let side = clean.hands[hold.hand].side;
    let name = &clean.objects[hold.object].name;
    let trim = (hold.last - hold.first) / 10;
    let (first, last) = (hold.first + trim, hold.last - trim);
    let stride = (last - first).div_ceil(2 * MOST_SAMPLES).max(1);
    let frames: Vec<usize> = (first..=last).step_by(stride).collect();
    let track: Vec<Keypoints> =
        frames.iter().map(|&f| in_object(clean, hold.hand, hold.object, f)).collect();
    let palms: Option<Vec<Pose>> = track.iter().map(|k| world_from_palm(k, side)).collect();
    let sigma = SIGMA_S * clean.fps / stride as f64;
    let Some(palms) = palms.map(|palms| signal::smooth_poses(&palms, sigma)) else {
        return Vec::new();
    };
    let early = palms.len().min((TAKE_S * clean.fps / stride as f64).ceil() as usize + 1);
    let Some(start) = pose::mean(&palms[..early]) else { return Vec::new() };
    let furthest = |measure: fn(&Pose, &Pose) -> f64| {
        (0..palms.len())
            .map(|i| (i, measure(&start, &palms[i])))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or((0, 0.0))
    };
    let (turn_at, turn) = furthest(pose::angle_between);
    let (shift_at, shift) = furthest(pose::distance_between);
    task.in_hand_deg = task.in_hand_deg.max(turn.to_degrees());
    task.in_hand_cm = task.in_hand_cm.max(100.0 * shift);
    let mut findings = Vec::new();
    if turn > IN_HAND.0 || shift > IN_HAND.1 {
        let at = if turn > IN_HAND.0 { turn_at } else { shift_at };
        let text = format!(
            "object {name} turns by {:.0} deg and slides by {:.1} cm in the {} hand; the robot \
             follows as far as its fingers reach",
            turn.to_degrees(),
            100.0 * shift,
            side.name()
        );
        findings.push(Finding::new(Kind::InHand, Severity::Warning, frames[at], text));
    }
    let (mut squares, mut worst) = (0.0, (0.0, 0));
    for k in 0..keypoint::COUNT {
        let raw: Vec<Point3<f64>> = track.iter().map(|f| f[k]).collect();
        for (i, (a, b)) in raw.iter().zip(signal::smooth_points(&raw, sigma)).enumerate() {
            let square = (a - b).norm_squared();
            squares += square;
            if square > worst.0 {
                worst = (square, i);
            }
        }
    }
    let rms = (squares / (track.len() * keypoint::COUNT) as f64).sqrt();
    if rms > JITTER_M {
        let text = format!(
            "the {} hand shakes by {:.1} mm (root mean square) relative to object {name} that it holds",
            side.name(),
            1000.0 * rms
        );
        findings.push(Finding::new(Kind::Jitter, Severity::Warning, frames[worst.1], text));
    }
    findings
}

/// Objects whose contacts at the take, of all hands that hold them then, include no two that press
/// against each other: no two outward normals are more than 90 deg apart. Two contacts with friction
/// 1 can only hold an object when their normals are more than 90 deg apart (Nguyen 1988).
fn one_sided(clean: &Demonstration, holds: &[Hold]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, hold) in holds.iter().enumerate() {
        let with: Vec<&Hold> =
            holds.iter().filter(|o| o.object == hold.object && o.overlap(hold) > 0.5).collect();
        if holds[..index].iter().any(|o| o.object == hold.object && o.overlap(hold) > 0.5) {
            continue;
        }
        let normals: Vec<Vector3<f64>> =
            with.iter().flat_map(|h| h.contacts.iter().map(|c| c.normal)).collect();
        let opposite = normals
            .iter()
            .enumerate()
            .flat_map(|(i, a)| normals[i + 1..].iter().map(move |b| a.dot(b)))
            .fold(1.0, f64::min);
        if normals.len() >= 2 && opposite > 0.0 {
            let text = format!(
                "all {} contacts on object {} press the same way (at most {:.0} deg apart): these cannot \
                 hold it",
                normals.len(),
                clean.objects[hold.object].name,
                f64::acos(opposite.clamp(-1.0, 1.0)).to_degrees()
            );
            findings.push(Finding::new(Kind::OneSided, Severity::Warning, hold.first, text));
        }
    }
    findings
}
