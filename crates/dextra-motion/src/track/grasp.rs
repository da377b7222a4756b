//! PKDA's division of a hold: the primary control until the thumb is nearest its contact point, a policy
//! until the object has been lifted, and from then on a wrist that is computed from where the object
//! should be, assuming that it does not slip in the hand.
//!
//! Bai et al. 2025: "residual policies with action space rescaling and thumb-guided initialization",
//! then "wrist control trajectories with the objective of preserving operational semantics",
//! `T_t = o_t (T_g⁻¹ o_g)⁻¹`. Where that leaves things open, what we chose is said at the field.

use super::TrackError;
use super::anchor::smooth;
use super::compose::Reach;
use super::episode::{Episode, Reader, Writer};
use super::seen::HandFacts;
use super::task::{Course, Frame, Start, Task};
use dextra_core::Pose;
use dextra_core::pose;
use dextra_sim::scene::{root_to_wrist, wrist_to_root};
use nalgebra::{Point3, UnitQuaternion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The finger whose way to its contact point says where a policy takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guide {
    /// The thumb, as in PKDA.
    Thumb,
    /// The index finger, to compare.
    Index,
    /// The middle finger, to compare.
    Middle,
}

/// Where within a hold the policy acts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GraspConfig {
    /// Whether holds are divided at all; otherwise the policy acts always.
    pub on: bool,
    /// The policy takes over at the frame without contact at which this finger is nearest the point that
    /// it will touch.
    pub guide: Guide,
    /// The grasp is over when the reference of the object has moved so far from where it was taken, metres;
    /// 0.1 in PKDA, half of its way in clips that move it less than twice as far (ours).
    pub lifted: f64,
    /// Whether the wrist's neighbourhood comes from the clip, in place of [`super::compose::Reach`]: as far as
    /// objects are displaced and the primary control's tips are from their contact points at the take, 1.5 to
    /// 5 cm, and the turn that moves fingertips as far. PKDA configures it automatically, the rule is ours.
    pub fitted: bool,
    /// Seconds in which the object's error at that moment is made up for; ours.
    pub settle: f64,
    /// Seconds in which hand and fingers go over to the primary control after the release; ours.
    pub open: f64,
}

impl Default for GraspConfig {
    fn default() -> Self {
        Self { on: false, guide: Guide::Thumb, lifted: 0.1, fitted: true, settle: 0.4, open: 0.2 }
    }
}

/// One hold, divided; in control steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grasp {
    pub hand: usize,
    pub object: usize,
    /// The policy acts from here.
    pub from: usize,
    /// The hand has the object from here.
    take: usize,
    /// Until here.
    pub until: usize,
    release: Option<usize>,
}

/// What was at the end of a grasp.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    /// All targets then, `[nu]`.
    targets: Vec<f64>,
    /// Where the object was.
    world_from_object: Pose,
}

/// Divides the holds of a task.
pub(super) fn grasps(
    task: &Task<'_>,
    config: &GraspConfig,
    every: usize,
    facts: &[HandFacts],
    (frames, starts): (&[Frame], &[Start]),
) -> Vec<Grasp> {
    let last = frames.len() - 1;
    let mut grasps: Vec<Grasp> = Vec::new();
    for hold in &task.holds {
        let take = (hold.take / every).min(last);
        let release = hold.release.map(|step| (step / every).min(last));
        let end = release.unwrap_or(last);
        let earlier = grasps.iter().filter(|other| other.hand == hold.hand);
        let free = earlier.filter_map(|other| other.release).max().unwrap_or(0).min(take);
        let point = |c: usize| guide(config.guide, &facts[hold.hand], &frames[c], hold.hand);
        let goal = contact(config.guide, &facts[hold.hand], &frames[take], hold);
        let apart = |c: &usize| !starts[*c].held[hold.object];
        let distance = |c: &usize| (point(*c) - goal).norm();
        let from = (free..=take)
            .filter(apart)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(free);
        let object = |c: usize| &frames[c].objects[hold.object];
        let moved = |c: usize| pose::distance_between(object(c), object(take));
        let most = (take..=end).map(moved).fold(0.0, f64::max);
        let wanted = config.lifted.min(0.5 * most);
        let until = (take..end).find(|&c| moved(c) >= wanted).unwrap_or(end);
        grasps.push(Grasp { hand: hold.hand, object: hold.object, from, take, until, release });
    }
    grasps
}

/// The wrist's neighbourhood for grasps of objects that are displaced by up to `offset` metres.
pub(super) fn fitted(grasps: &[Grasp], frames: &[Frame], offset: f64, reach: Reach) -> Reach {
    /// From the wrist to fingertips, metres.
    const HAND: f64 = 0.15;
    let tips = grasps.iter().flat_map(|grasp| &frames[grasp.take].tips[grasp.hand]);
    let gaps = tips.filter(|tip| tip.goal.is_some()).map(|tip| tip.distance.abs());
    let position = (offset + gaps.fold(0.0, f64::max)).clamp(0.015, 0.05);
    Reach { position, rotation: position / HAND, ..reach }
}

/// Whether no policy acts at control step `at`, `settle` control steps after it may have.
pub(super) fn idle(grasps: &[Grasp], at: usize, settle: usize) -> bool {
    !grasps.is_empty() && !grasps.iter().any(|g| (g.from..g.until + settle).contains(&at))
}

/// Where the guiding finger is; the hand's first tip where it has no such finger.
fn guide(guide: Guide, facts: &HandFacts, frame: &Frame, hand: usize) -> Point3<f64> {
    frame.tips[hand][tip(guide, facts)].in_world
}

/// Where it is at the take, or touches then.
fn contact(
    guide: Guide,
    facts: &HandFacts,
    frame: &Frame,
    hold: &crate::refine::timeline::HoldSteps,
) -> Point3<f64> {
    let tip = &frame.tips[hold.hand][tip(guide, facts)];
    match &tip.goal {
        Some(goal) if goal.object == hold.object => {
            frame.objects[hold.object] * goal.surface_in_object
        }
        _ => tip.in_world,
    }
}

fn tip(guide: Guide, facts: &HandFacts) -> usize {
    let finger = match guide {
        Guide::Thumb => 0,
        Guide::Index => 1,
        Guide::Middle => 2,
    };
    facts.tips.iter().position(|tip| tip.finger == finger).unwrap_or(0)
}

/// Replaces composed `targets` where the policy does not act: before a grasp by the `base`, after it by what
/// carries the object. `holding` are the targets so far, `qpos` the joint positions now.
pub(super) fn divide(
    config: &GraspConfig,
    task: &Task<'_>,
    course: &Course,
    episode: &mut Episode,
    (holding, qpos): (&[f64], &[f64]),
    (period, base): (f64, &[f64]),
    targets: &mut [f64],
) {
    if course.grasps.is_empty() {
        return;
    }
    for hand in 0..task.hands.len() {
        let current = Grasp::current(&course.grasps, hand, episode.at);
        let Some(index) = current else {
            let place = &task.scene.hands[hand];
            for &at in place.wrist_ctrl.iter().chain(&place.finger_ctrl) {
                for row in (0..base.len()).step_by(holding.len()) {
                    targets[row + at] = base[row + at];
                }
            }
            continue;
        };
        let grasp = &course.grasps[index];
        if episode.at >= grasp.until {
            let held = episode.held[index].get_or_insert_with(|| {
                Held::new(holding, task.scene.world_from_object(grasp.object, qpos))
            });
            grasp.carry(config, task, held, (episode.at, period), base, targets);
        }
    }
}

impl Grasp {
    /// The grasp of `hand` that counts at control step `at`: the last that has begun.
    pub(super) fn current(grasps: &[Grasp], hand: usize, at: usize) -> Option<usize> {
        grasps.iter().rposition(|grasp| grasp.hand == hand && grasp.from <= at)
    }

    /// Seconds by which the control step `at` is after the release.
    fn released(&self, at: usize, period: f64) -> f64 {
        self.release.map_or(0.0, |release| at.saturating_sub(release) as f64 * period)
    }

    /// Writes the hand's targets of one control step after the grasp, `[every, nu]`: the wrist carries what
    /// it `held` to where the object should be, the fingers stay; after the release all goes over to `base`.
    pub(super) fn carry(
        &self,
        config: &GraspConfig,
        task: &Task<'_>,
        held: &Held,
        (at, period): (usize, f64),
        base: &[f64],
        targets: &mut [f64],
    ) {
        let scene = task.scene;
        let place = &scene.hands[self.hand];
        let nu = held.targets.len();
        let every = base.len() / nu;
        let reference = &task.reference[self.object];
        let wanted = |step: usize| &reference[step.min(reference.len() - 1)];
        // The object's error when it was grasped, in its own frame; it fades.
        let error = wanted(self.until * every).inverse() * held.world_from_object;
        let left = 1.0 - smooth((at - self.until) as f64 * period / config.settle);
        let error = share(&error, left);
        let freed = smooth(self.released(at, period) / config.open);
        let commanded = place.wrist_ctrl.map(|index| held.targets[index]);
        let object_to_root = held.world_from_object.inverse() * wrist_to_root(place, &commanded);
        for k in 0..every {
            let (base, row) = (&base[k * nu..(k + 1) * nu], &mut targets[k * nu..(k + 1) * nu]);
            for &index in &place.finger_ctrl {
                row[index] = held.targets[index] + freed * (base[index] - held.targets[index]);
            }
            let near = place.wrist_ctrl.map(|index| base[index]);
            let root = wanted(at * every + k + 1) * error * object_to_root;
            let carried = root_to_wrist(place, &root, &near);
            for ((&index, carried), near) in place.wrist_ctrl.iter().zip(carried).zip(near) {
                row[index] = carried + freed * (near - carried);
            }
        }
    }
}

/// A share of a small motion.
fn share(motion: &Pose, part: f64) -> Pose {
    let turn = UnitQuaternion::from_scaled_axis(motion.rotation.scaled_axis() * part);
    Pose::from_parts((motion.translation.vector * part).into(), turn)
}

impl Held {
    pub(super) fn new(targets: &[f64], world_from_object: Pose) -> Self {
        Self { targets: targets.to_vec(), world_from_object }
    }

    pub(super) fn write(held: &Option<Self>, out: &mut Writer) {
        out.count(u64::from(held.is_some()));
        let Some(held) = held else { return };
        out.numbers(&held.targets);
        let (p, q) = (held.world_from_object.translation, held.world_from_object.rotation);
        [p.x, p.y, p.z, q.w, q.i, q.j, q.k].iter().for_each(|&value| out.number(value));
    }

    pub(super) fn read(input: &mut Reader<'_>, nu: usize) -> Result<Option<Self>, TrackError> {
        if input.count()? == 0 {
            return Ok(None);
        }
        let targets = input.numbers(nu)?;
        let mut next = || input.number();
        let p = nalgebra::Vector3::new(next()?, next()?, next()?);
        let q = nalgebra::Quaternion::new(next()?, next()?, next()?, next()?);
        let rotation = UnitQuaternion::new_unchecked(q);
        Ok(Some(Self { targets, world_from_object: Pose::from_parts(p.into(), rotation) }))
    }
}
