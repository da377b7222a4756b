//! Whether a demonstration can be done by a robot hand, told before anything is searched for.
//!
//! Geometry alone: no physics, no collision hulls, no random draws. [`ClipView::new`] looks at the
//! recording (jumps, speed, support, contacts, kind of task), [`assess`] adds what depends on the
//! robot hands (reach, opening, thickness of the fingers) and judges. All frames are those of the
//! recorded clip, before it is slowed or smoothed.
//!
//! The rule of [`Difficulty`] is deliberately small: a blocking finding makes a clip infeasible, two
//! warnings make it hard, one makes it fair. Warnings that the program itself sets right
//! ([`Kind::Handedness`]) do not count.

mod grip;
mod hold;
mod tracks;

pub use grip::{HandFit, largest_opening};
pub use hold::Hold;

use crate::retarget::{RetargetError, RetargetHand, SurfaceQuery};
use dextra_core::retime::{self, Limits};
use dextra_core::signal::{self, MovingInterval};
use dextra_core::{Demonstration, ObjectTrack};
use dextra_sim::hand::Hand;
use serde::{Deserialize, Serialize};

/// Slowing from which [`Kind::Fast`] is a warning: motion capture is often compressed in time by less.
const NOTABLE_SLOWING: f64 = 3.0;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A track leaps from one frame to the next.
    Jump,
    /// The objects move faster than a wrist can follow.
    Fast,
    /// An object stands on nothing before it is taken.
    Hover,
    /// An object goes below the support it stood on.
    Sink,
    /// An object moves without a hand at it.
    Untouched,
    /// An object is moved by another object.
    Tool,
    /// The label of the hand and its geometry contradict, or the geometry is unclear.
    Handedness,
    /// The demonstration is mirrored for a robot hand of the other side.
    Mirrored,
    /// Too few fingers touch the object to say how it is held.
    Contacts,
    /// The object is so thin where it is held that the sides of the contacts are uncertain.
    Thin,
    /// All contacts press the same way: they cannot hold anything.
    OneSided,
    /// The hand shakes relative to the object it holds.
    Jitter,
    /// The human hand is inside the object.
    Penetration,
    /// The object turns or slides in the hand.
    InHand,
    /// The hand lets go and takes the object again.
    Regrasp,
    /// The object passes from one hand to the other.
    HandOver,
    /// The object is pushed along its support and never lifted.
    Slide,
    /// Two hands hold one object.
    TwoHands,
    /// Fingers of the robot hand do not come to the human's contacts.
    Reach,
    /// The robot hand does not open as wide as the object is where it is held.
    Opening,
    /// A finger of the robot hand is thicker than the gap the human's is in.
    ThickFinger,
    /// How hard the fingers must press.
    Grip,
}

impl Kind {
    /// The key in files, such as `"thick_finger"`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Jump => "jump",
            Kind::Fast => "fast",
            Kind::Hover => "hover",
            Kind::Sink => "sink",
            Kind::Untouched => "untouched",
            Kind::Tool => "tool",
            Kind::Handedness => "handedness",
            Kind::Mirrored => "mirrored",
            Kind::Contacts => "contacts",
            Kind::Thin => "thin",
            Kind::OneSided => "one_sided",
            Kind::Jitter => "jitter",
            Kind::Penetration => "penetration",
            Kind::InHand => "in_hand",
            Kind::Regrasp => "regrasp",
            Kind::HandOver => "hand_over",
            Kind::Slide => "slide",
            Kind::TwoHands => "two_hands",
            Kind::Reach => "reach",
            Kind::Opening => "opening",
            Kind::ThickFinger => "thick_finger",
            Kind::Grip => "grip",
        }
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Makes success less likely.
    Warning,
    /// Success is out of reach.
    Blocking,
}

impl Severity {
    /// `"info"`, `"warning"` or `"blocking"`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Blocking => "blocking",
        }
    }
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// Frame of the recorded clip, where one is meaningful.
    pub frame: Option<usize>,
    /// One sentence with the numbers.
    pub text: String,
}

impl Finding {
    pub(crate) fn new(
        kind: Kind,
        severity: Severity,
        frame: impl Into<Option<usize>>,
        text: String,
    ) -> Finding {
        Finding { kind, severity, frame: frame.into(), text }
    }
}

/// What kind of task a clip shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Times that a hand holds an object while it moves; a regrasp counts twice.
    pub holds: usize,
    /// Objects that move.
    pub moving_objects: usize,
    /// Objects that move but are never lifted off their support by 1.5 cm.
    pub sliding_objects: usize,
    /// Whether two hands hold one object at the same time.
    pub two_hands: bool,
    /// Whether a hand lets go of an object and takes it again.
    pub regrasp: bool,
    /// Whether an object passes from one hand to the other.
    pub hand_over: bool,
    /// Largest rotation of a palm relative to the object it holds, degrees.
    pub in_hand_deg: f64,
    /// Largest displacement of a palm relative to the object it holds, centimetres.
    pub in_hand_cm: f64,
}

/// How likely a transfer is to succeed, see [the rule](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// Nothing stands against it.
    Easy,
    /// One warning.
    Fair,
    /// Two warnings or more.
    Hard,
    /// A blocking finding.
    Infeasible,
}

impl Difficulty {
    /// `"easy"`, `"fair"`, `"hard"` or `"infeasible"`.
    pub fn name(self) -> &'static str {
        match self {
            Difficulty::Easy => "easy",
            Difficulty::Fair => "fair",
            Difficulty::Hard => "hard",
            Difficulty::Infeasible => "infeasible",
        }
    }
}

/// What was found about one clip on one robot hand (or pair of hands).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// The judgement.
    pub difficulty: Difficulty,
    /// Its reason: the kinds of the findings that decide.
    pub reason: String,
    /// The factor by which a transfer slows the clip.
    pub time_scale: f64,
    /// The factor it would need; larger than `time_scale` when that is more than a transfer slows.
    pub needed_time_scale: f64,
    /// The kind of task.
    pub task: Task,
    /// How each robot hand fits its first hold; in the order of the clip's hands.
    pub hands: Vec<HandFit>,
    /// Everything found, the most severe first.
    pub findings: Vec<Finding>,
}

/// What the recording itself shows; the same for every robot hand.
#[derive(Clone, Debug)]
pub struct ClipView {
    /// The clip with single-frame jumps replaced by the line between their neighbours.
    pub clean: Demonstration,
    /// When each object moves.
    pub moving: Vec<Option<MovingInterval>>,
    /// Who holds what, in the order of hands and then of time.
    pub holds: Vec<Hold>,
    /// The kind of task.
    pub task: Task,
    /// The factor by which a transfer slows the clip.
    pub time_scale: f64,
    /// The factor it would need.
    pub needed_time_scale: f64,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl ClipView {
    /// Looks at a recording. `surfaces` are those of its objects; a transfer slows a clip at most by
    /// the factor `most_slowing`.
    pub fn new(
        recorded: &Demonstration,
        surfaces: &[&dyn SurfaceQuery],
        most_slowing: f64,
    ) -> ClipView {
        let mut findings = handedness(recorded);
        let needed_time_scale = retime::time_scale(recorded, &Limits::default());
        let time_scale = needed_time_scale.min(most_slowing);
        let (clean, jumps) = tracks::without_jumps(recorded);
        findings.extend(jumps.iter().map(tracks::Jump::finding));
        findings.extend(fast(&clean, &jumps, most_slowing));
        let outlines: Vec<_> = clean.objects.iter().map(|o| tracks::outline(&o.mesh)).collect();
        let moving: Vec<_> = clean
            .objects
            .iter()
            .enumerate()
            .zip(&outlines)
            .map(|((index, _), outline)| moving_interval(&clean.handled(index), outline, clean.fps))
            .collect();
        let distances = hold::Distances::new(&clean, surfaces, &outlines);
        findings.extend(tracks::support(&clean, &outlines, &moving, &distances));
        let (holds, task, found) = hold::holds(&hold::Scene {
            clean: &clean,
            surfaces,
            outlines: &outlines,
            moving: &moving,
            distances: &distances,
        });
        findings.extend(found);
        ClipView { clean, moving, holds, task, time_scale, needed_time_scale, findings }
    }
}

/// As [`signal::object_moving_interval`], on the vertices that can be the lowest alone.
fn moving_interval(
    object: &ObjectTrack,
    outline: &[nalgebra::Point3<f64>],
    fps: f64,
) -> Option<MovingInterval> {
    let track = ObjectTrack {
        name: object.name.clone(),
        mesh: dextra_core::TriMesh { vertices: outline.to_vec(), faces: Vec::new() },
        world_from_object: object.world_from_object.clone(),
        mass: None,
        articulation: None,
    };
    signal::object_moving_interval(&track, fps)
}

/// Adds what depends on the robot hands, one per hand of the clip, and judges.
///
/// # Errors
/// When the couplings of a hand cannot be resolved.
pub fn assess(
    view: &ClipView,
    surfaces: &[&dyn SurfaceQuery],
    hands: &[&Hand],
    models: &[RetargetHand],
) -> Result<Assessment, RetargetError> {
    let mut findings = view.findings.clone();
    let mut fits = Vec::with_capacity(hands.len());
    for (index, (hand, model)) in hands.iter().zip(models).enumerate() {
        let (fit, found) = grip::fit(view, surfaces, index, hand, model)?;
        fits.push(fit);
        findings.extend(found);
    }
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let (difficulty, reason) = judged(&findings);
    Ok(Assessment {
        difficulty,
        reason,
        time_scale: view.time_scale,
        needed_time_scale: view.needed_time_scale,
        task: view.task.clone(),
        hands: fits,
        findings,
    })
}

/// The rule of [`Difficulty`]. Findings of one kind count once.
fn judged(findings: &[Finding]) -> (Difficulty, String) {
    let kinds = |severity: Severity| {
        let mut kinds: Vec<&str> = Vec::new();
        for finding in findings.iter().filter(|f| f.severity == severity) {
            if finding.kind != Kind::Handedness && !kinds.contains(&finding.kind.name()) {
                kinds.push(finding.kind.name());
            }
        }
        kinds
    };
    let (blocking, warnings) = (kinds(Severity::Blocking), kinds(Severity::Warning));
    if !blocking.is_empty() {
        return (Difficulty::Infeasible, blocking.join(", "));
    }
    match warnings.len() {
        0 => (Difficulty::Easy, "nothing stands against it".to_owned()),
        1 => (Difficulty::Fair, warnings.join(", ")),
        _ => (Difficulty::Hard, warnings.join(", ")),
    }
}

/// What the reader of the clip noted about the side of a hand.
fn handedness(recorded: &Demonstration) -> Vec<Finding> {
    let notes = recorded.provenance.notes.iter();
    notes
        .filter(|note| note.starts_with("Handedness"))
        .map(|note| {
            // "Handedness:" starts a contradiction, "Handedness is" a plain inference.
            let severity =
                if note.starts_with("Handedness:") { Severity::Warning } else { Severity::Info };
            let text = note.trim_start_matches("Handedness: ").trim_end_matches('.');
            Finding::new(Kind::Handedness, severity, None, text.to_owned())
        })
        .collect()
}

/// The peaks of the objects' motion where they exceed what a wrist can follow. A peak next to a jump
/// is the jump's.
fn fast(clean: &Demonstration, jumps: &[tracks::Jump], most_slowing: f64) -> Option<Finding> {
    let (limits, peaks) = (Limits::default(), retime::plausibility(clean));
    let scale = peaks.time_scale(&limits);
    let (what, frame) = [
        (
            format!("{:.1} m/s (limit {:.0})", peaks.speed.value, limits.speed),
            peaks.speed.frame,
            peaks.speed.value / limits.speed,
        ),
        (
            format!("{:.1} m/s² (limit {:.0})", peaks.acceleration.value, limits.acceleration),
            peaks.acceleration.frame,
            (peaks.acceleration.value / limits.acceleration).sqrt(),
        ),
        (
            format!("{:.1} rad/s (limit {:.0})", peaks.angular_speed.value, limits.angular_speed),
            peaks.angular_speed.frame,
            peaks.angular_speed.value / limits.angular_speed,
        ),
    ]
    .into_iter()
    .max_by(|a, b| a.2.total_cmp(&b.2))
    .map(|(what, frame, _)| (what, frame))?;
    /// Reach of the smoothing before the peaks are taken, seconds.
    const WINDOW_S: f64 = 0.2;
    let by_jump = jumps
        .iter()
        .any(|j| j.object && (frame.abs_diff(j.first) as f64) <= (WINDOW_S * clean.fps).max(2.0));
    if scale <= 1.0 + 1e-9 || by_jump {
        return None;
    }
    let (severity, rest) = if scale > most_slowing {
        (
            Severity::Blocking,
            format!(
                "it would have to be slowed by {scale:.1}, and at most {most_slowing:.0} is done"
            ),
        )
    } else {
        let severity = if scale > NOTABLE_SLOWING { Severity::Warning } else { Severity::Info };
        (severity, format!("the clip is slowed by a factor of {scale:.2}"))
    };
    Some(Finding::new(Kind::Fast, severity, frame, format!("the object reaches {what}: {rest}")))
}

#[cfg(test)]
mod tests;
