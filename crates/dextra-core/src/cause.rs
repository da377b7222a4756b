//! Why a rollout failed: one cause and one frame.
//!
//! The rules look at when the reference moves, what the hand touched, and how far the object was
//! from its reference. All errors are scaled by the every-frame limits of DexMan (3 cm, 0.5 rad):
//! *deviation* 1 is the limit. Rules apply in the order of [`Cause`]; the first that fits wins.

mod evidence;

pub use evidence::{Evidence, hand_distance_while_moving};

use crate::Pose;
use crate::metrics::{Mismatch, ObjectErrors, Protocol, object_errors};
use crate::pose;
use crate::retime::{self, Peaks};
use crate::rollout::{Reference, Rollout, StepContacts};
use std::fmt;

/// Before the lift, contacts within this time already count as the grasp, seconds.
const GRASP_BEFORE_S: f64 = 0.2;
/// Contacts this long after the lift are still in time to lift, seconds.
const TOUCH_MARGIN_S: f64 = 0.2;
/// An object that does not follow for this long after the lift never left with the hand, seconds.
const FOLLOW_S: f64 = 0.4;
/// Deviation at the lift from which the failure began before the lift.
const TOPPLED: f64 = 0.5;
/// Deviation of the reference from its rest at which following can be told from resting (1 cm).
const DEPARTED: f64 = 1.0 / 3.0;
/// A wrist this far from its command, metres, was somewhere else.
const WRIST_OFF_M: f64 = 0.05;
/// Speeds are implausible beyond this multiple of what a wrist can follow.
const IMPLAUSIBLE: f64 = 2.0;
/// A hand that never comes this near the object, metres, cannot have moved it.
pub const HAND_OFF_M: f64 = 0.05;

/// Why a rollout failed, in the order in which the rules are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// A state is not finite (or the engine gave up). Frame: the last judged one before that.
    NonFinite,
    /// The reference cannot be what happened: the object moves at more than twice what the retiming
    /// limits allow, or the demonstrated hand never comes within 5 cm of it while it moves. Frame:
    /// the peak, or the lift.
    ImplausibleReference,
    /// The object left its place before the reference lifts it: the deviation passes 1 before the
    /// lift, or is beyond one half at the lift and passes 1 within 0.4 s of it. Frame: the first
    /// failing one.
    ToppledOnApproach,
    /// The wrist was more than 5 cm from its command between 0.2 s before the lift and the first
    /// failing frame. Frame: where it was worst.
    Unreachable,
    /// No contact between hand and object by 0.2 s after the lift. Frame: the lift.
    NeverTouched,
    /// The object did not follow the lift for 0.4 s, and from 0.2 s before the lift until then the
    /// contacts never pushed from opposing sides. Frame: the first failing one.
    NoForceClosure,
    /// The object did not follow the lift for 0.4 s although it was held from opposing sides.
    /// Frame: the first failing one.
    DroppedAtLiftOff,
    /// The object followed, then its deviation passed 1 (or it was never meant to move). The detail
    /// says whether it was lost, slipped in the grasp or moved during the release. Frame: the first
    /// failing one.
    Drifted,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 8] = [
        Cause::NonFinite,
        Cause::ImplausibleReference,
        Cause::ToppledOnApproach,
        Cause::Unreachable,
        Cause::NeverTouched,
        Cause::NoForceClosure,
        Cause::DroppedAtLiftOff,
        Cause::Drifted,
    ];

    /// Key in reports.
    pub fn name(self) -> &'static str {
        match self {
            Cause::NonFinite => "non_finite",
            Cause::ImplausibleReference => "implausible_reference",
            Cause::ToppledOnApproach => "toppled_on_approach",
            Cause::Unreachable => "unreachable",
            Cause::NeverTouched => "never_touched",
            Cause::NoForceClosure => "no_force_closure",
            Cause::DroppedAtLiftOff => "dropped_at_lift_off",
            Cause::Drifted => "drifted",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A diagnosed failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// Judged frame, see [`Cause`].
    pub frame: usize,
    /// One sentence with the numbers behind it.
    pub detail: String,
}

/// Finds an object that stayed behind although every frame is within the limits: the reference moves
/// it, but by so little that resting is within them too. An object counts as moved when it covers
/// half of the reference's travel (or of its turn, where it hardly travels).
///
/// References that travel less than 5 mm and turn less than 5 deg count as resting.
pub fn left_behind(rollout: &Rollout, reference: &Reference) -> Option<Failure> {
    const RESTING: (f64, f64) = (0.005, 0.087);
    let first = reference.frames.first()?;
    (0..first.world_from_object.len()).find_map(|object| {
        let real = &rollout.objects.get(object)?.world_from_object;
        let away = |a: &Pose, b: &Pose| [pose::distance_between(a, b), pose::angle_between(a, b)];
        let (mut wanted, mut done, mut frame) = ([0.0f64; 2], [0.0f64; 2], 0);
        for (index, judged) in reference.frames.iter().enumerate() {
            let goal = away(&judged.world_from_object[object], &first.world_from_object[object]);
            let reached = away(real.get(judged.step)?, real.first()?);
            for kind in 0..2 {
                if goal[kind] > wanted[kind] {
                    wanted[kind] = goal[kind];
                    frame = index;
                }
                done[kind] = done[kind].max(reached[kind]);
            }
        }
        let travels = wanted[0] >= RESTING.0;
        let turns = wanted[1] >= RESTING.1;
        let behind = match (travels, turns) {
            (true, _) => done[0] < 0.5 * wanted[0],
            (false, true) => done[1] < 0.5 * wanted[1],
            (false, false) => false,
        };
        behind.then(|| Failure {
            cause: Cause::DroppedAtLiftOff,
            frame,
            detail: format!(
                "`{}` is within the limits only because it is hardly meant to move: it moved {:.1} \
                 of {:.1} mm and turned {:.0} of {:.0} deg",
                rollout.objects[object].name,
                done[0] * 1000.0,
                wanted[0] * 1000.0,
                done[1].to_degrees(),
                wanted[1].to_degrees()
            ),
        })
    })
}

/// Explains why a rollout fails the every-frame rule; `None` when every judged frame is within it
/// (it may then still fail another rule, which the metrics say).
pub fn diagnose(
    rollout: &Rollout,
    reference: &Reference,
    evidence: &Evidence,
) -> Result<Option<Failure>, Mismatch> {
    let errors = object_errors(rollout, reference)?;
    let case = Case { rollout, reference, evidence };
    if let Some(state) = rollout.first_non_finite() {
        let frame = reference.frames.iter().rposition(|f| f.step < state).unwrap_or(0);
        let detail = format!("the simulation is not finite from state {state} on");
        return Ok(Some(Failure { cause: Cause::NonFinite, frame, detail }));
    }
    let first = errors.iter().enumerate().filter_map(|(o, e)| Some((first_failing(e)?, o))).min();
    Ok(first.map(|(frame, object)| {
        case.implausible(object).unwrap_or_else(|| case.explain(object, frame, &errors[object]))
    }))
}

fn every_frame() -> (f64, f64) {
    Protocol::Dexman.every_frame().unwrap_or((0.03, 0.5))
}

fn deviation_of(position: f64, rotation: f64) -> f64 {
    let (t, r) = every_frame();
    (position / t).max(rotation / r)
}

fn deviation(errors: &ObjectErrors, frame: usize) -> f64 {
    deviation_of(errors.position[frame], errors.rotation[frame])
}

fn first_failing(errors: &ObjectErrors) -> Option<usize> {
    (0..errors.position.len()).find(|&f| deviation(errors, f) >= 1.0)
}

struct Case<'a> {
    rollout: &'a Rollout,
    reference: &'a Reference,
    evidence: &'a Evidence,
}

impl Case<'_> {
    fn time(&self, frame: usize) -> f64 {
        self.reference.frames[frame].step as f64 * self.rollout.dt
    }

    /// Contacts of the steps that end in `(from, to]` seconds.
    fn contacts(&self, from: f64, to: f64) -> &[StepContacts] {
        let count = self.rollout.contacts.len();
        // Half a step of slack absorbs the rounding of times into whole steps.
        let step = |t: f64| ((t / self.rollout.dt + 0.5).max(0.0) as usize).min(count);
        let (from, to) = (step(from), step(to));
        &self.rollout.contacts[from..to.max(from)]
    }

    fn implausible(&self, object: usize) -> Option<Failure> {
        let fail = |frame: usize, detail: String| {
            Some(Failure { cause: Cause::ImplausibleReference, frame, detail })
        };
        let peaks = self.evidence.peaks.get(object).copied().unwrap_or_default();
        let limits = retime::Limits::default();
        let Peaks { speed, acceleration, angular_speed } = peaks;
        for (what, unit, peak, limit) in [
            ("speed", "m/s", speed, limits.speed),
            ("acceleration", "m/s2", acceleration, limits.acceleration),
            ("angular speed", "rad/s", angular_speed, limits.angular_speed),
        ] {
            if peak.value > IMPLAUSIBLE * limit {
                let name = &self.rollout.objects[object].name;
                return fail(
                    peak.frame,
                    format!(
                        "the reference moves `{name}` at a peak {what} of {:.1} {unit}, plausible is \
                         up to {:.1}",
                        peak.value,
                        IMPLAUSIBLE * limit
                    ),
                );
            }
        }
        let lift = self.evidence.intervals.get(object).copied().flatten()?.lift;
        let distance = self.evidence.hand_distance.filter(|&d| d > HAND_OFF_M)?;
        fail(
            lift,
            format!(
                "the demonstrated hand never comes nearer than {:.1} cm to the object it moves",
                distance * 100.0
            ),
        )
    }

    fn explain(&self, object: usize, failing: usize, errors: &ObjectErrors) -> Failure {
        let name = &self.rollout.objects[object].name;
        let at = format!(
            "`{name}` is {:.1} cm and {:.0} deg off at {:.2} s",
            errors.position[failing] * 100.0,
            errors.rotation[failing].to_degrees(),
            self.time(failing)
        );
        let fail =
            |cause, frame, why: String| Failure { cause, frame, detail: format!("{at}: {why}") };

        let Some(interval) = self.evidence.intervals.get(object).copied().flatten() else {
            return self.explain_still(object, failing, &at);
        };
        let lift = interval.lift.min(self.reference.frames.len() - 1);
        let (lifted, failed) = (self.time(lift), self.time(failing));
        // An object that was nudged but then carried for a while failed for another reason.
        let nudged = deviation(errors, lift) > TOPPLED && failed - lifted < FOLLOW_S;
        if failing < lift || nudged {
            let touched = self.contacts(0.0, failed).iter().any(|c| c.hand_object_count > 0);
            let who = if touched { "the hand moved it" } else { "it moved untouched" };
            let why = format!("{who} before the lift at {lifted:.2} s");
            return fail(Cause::ToppledOnApproach, failing, why);
        }
        if let Some((frame, off)) = self.wrist_off(lifted - GRASP_BEFORE_S, failed) {
            let why = format!("the wrist was {:.1} cm from its command", off * 100.0);
            return fail(Cause::Unreachable, frame, why);
        }
        let in_time = self.contacts(0.0, lifted + TOUCH_MARGIN_S);
        if in_time.iter().all(|c| c.hand_object_count == 0) {
            let why = format!("no contact before the lift at {lifted:.2} s");
            return fail(Cause::NeverTouched, lift, why);
        }
        let followed = self.followed_until(object, lift, failing, errors);
        if followed.is_none_or(|frame| self.time(frame) - lifted < FOLLOW_S) {
            let grasp = self.contacts(lifted - GRASP_BEFORE_S, lifted + FOLLOW_S);
            return if grasp.iter().any(|c| c.opposing) {
                let why = "held from opposing sides, but it did not follow the lift".into();
                fail(Cause::DroppedAtLiftOff, failing, why)
            } else {
                let why = "it was touched, but never from opposing sides".into();
                fail(Cause::NoForceClosure, failing, why)
            };
        }
        let lost = self.contacts(failed - GRASP_BEFORE_S, failed);
        let why = if failing > interval.last {
            "it moved during the release".to_owned()
        } else if lost.iter().any(|c| c.hand_object_count == 0) {
            "contact was lost while it was carried".to_owned()
        } else {
            "it slipped in the grasp".to_owned()
        };
        fail(Cause::Drifted, failing, why)
    }

    /// An object that should rest all along.
    fn explain_still(&self, object: usize, failing: usize, at: &str) -> Failure {
        let first_lift = self.evidence.intervals.iter().flatten().map(|i| i.lift).min();
        let cause = match first_lift {
            Some(lift) if failing < lift => Cause::ToppledOnApproach,
            _ => Cause::Drifted,
        };
        let name = &self.rollout.objects[object].name;
        let detail = format!("{at}: the reference leaves `{name}` at rest");
        Failure { cause, frame: failing, detail }
    }

    /// The worst wrist error beyond the limit between two times, and its judged frame.
    fn wrist_off(&self, from: f64, to: f64) -> Option<(usize, f64)> {
        let errors = &self.evidence.wrist_error;
        let within = |step: &usize| (from..=to).contains(&(*step as f64 * self.rollout.dt));
        let step =
            (0..errors.len()).filter(within).max_by(|&a, &b| errors[a].total_cmp(&errors[b]))?;
        let frame = self.reference.frames.iter().rposition(|f| f.step <= step).unwrap_or(0);
        (errors[step] > WRIST_OFF_M).then_some((frame, errors[step]))
    }

    /// The last frame before `failing` at which the object had come along: the reference is at least
    /// 1 cm (or 10 deg) from its pose at the lift, and the object's error is at most half of that.
    fn followed_until(
        &self,
        object: usize,
        lift: usize,
        failing: usize,
        errors: &ObjectErrors,
    ) -> Option<usize> {
        let demanded = |f: usize| &self.reference.frames[f].world_from_object[object];
        let rest = demanded(lift.saturating_sub(1));
        (lift..failing).rev().find(|&f| {
            let departure = deviation_of(
                pose::distance_between(rest, demanded(f)),
                pose::angle_between(rest, demanded(f)),
            );
            departure >= DEPARTED && deviation(errors, f) <= 0.5 * departure
        })
    }
}

#[cfg(test)]
mod tests;
