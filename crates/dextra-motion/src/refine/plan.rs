//! From a handful of grasp parameters to the full control sequence. Each hold: approach, close, hold,
//! carry the object along its demonstrated path assuming no slip (PKDA, section on the wrist),
//! release, retreat; between two holds of a hand, travel.

use super::timeline::{HoldSteps, Timeline};
use dextra_core::{Pose, pose};
use dextra_sim::scene::{Scene, root_to_wrist};
use nalgebra::{Point3, Translation3, Vector3};

/// How one hand takes one object; the starting point of the search.
#[derive(Clone, Debug, PartialEq)]
pub struct Grasp {
    /// Index of the hand.
    pub hand: usize,
    /// Index of the object taken.
    pub object: usize,
    /// Pose of the hand's root in the object frame when it takes the object.
    pub object_from_root: Pose,
    /// Centre of the fingertips in the root frame; rotations of the search turn about it.
    pub finger_center_in_root: Point3<f64>,
    /// Actuator targets of the opened hand.
    pub open: Vec<f64>,
    /// Joint angles of the opened hand, tree order.
    pub open_joints: Vec<f64>,
    /// Actuator targets at which the fingers just touch.
    pub touch: Vec<f64>,
    /// Joint angles at which they do, tree order.
    pub touch_joints: Vec<f64>,
    /// Actuator targets far inside the object: the direction of squeezing.
    pub squeezed: Vec<f64>,
    /// Direction in which the opened hand leaves the object, world frame, unit.
    pub retreat: Vector3<f64>,
    /// How much higher the opened hand is than the closed one, metres: curled fingers come down on
    /// the table when they open, so the hand sinks while it closes and rises while it opens.
    pub rise: f64,
    /// How the hand turns about the object while it has it; empty for a rigid hold.
    pub roll: Vec<RollKnot>,
}

impl Grasp {
    /// A grasp that stands for the hand and object of a hold before one is found.
    pub fn placeholder(hold: &HoldSteps) -> Self {
        Self {
            hand: hold.hand,
            object: hold.object,
            object_from_root: Pose::identity(),
            finger_center_in_root: Point3::origin(),
            open: Vec::new(),
            open_joints: Vec::new(),
            touch: Vec::new(),
            touch_joints: Vec::new(),
            squeezed: Vec::new(),
            retreat: Vector3::z(),
            rise: 0.0,
            roll: Vec::new(),
        }
    }
}

/// A moment of an in-hand motion, every [`ROLL_KNOT_S`] seconds from the take on.
#[derive(Clone, Debug, PartialEq)]
pub struct RollKnot {
    /// Motion of the root since the take, in the root's frame at the take.
    pub root: Pose,
    /// What is added to the actuator targets so that the fingertips stay on the object.
    pub fingers: Vec<f64>,
}

/// Distance of the knots of an in-hand motion, seconds.
pub const ROLL_KNOT_S: f64 = 0.1;

/// Durations and distances of the planned phases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseConfig {
    /// Duration of the straight approach, seconds.
    pub approach: f64,
    /// Duration of closing, seconds.
    pub close: f64,
    /// Pause between closing and lift-off, seconds.
    pub hold: f64,
    /// Length of the straight approach and of the retreat, metres.
    pub clearance: f64,
    /// Pause between put-down and opening, seconds.
    pub settle: f64,
    /// Duration of opening, seconds.
    pub open: f64,
    /// Duration of the straight retreat, seconds.
    pub retreat: f64,
}

impl Default for PhaseConfig {
    fn default() -> Self {
        Self {
            approach: 0.4,
            close: 0.5,
            hold: 0.15,
            clearance: 0.10,
            settle: 0.10,
            open: 0.35,
            retreat: 0.4,
        }
    }
}

impl PhaseConfig {
    /// From the start of the approach to the take, seconds.
    pub fn before_take(&self) -> f64 {
        self.approach + self.close + self.hold
    }

    /// From the release to the end of the retreat, seconds.
    pub fn after_release(&self) -> f64 {
        self.settle + self.open + self.retreat
    }
}

/// What a hand does that has nothing to hold yet (one entry: it waits) or at all (`[N + 1]`).
#[derive(Clone, Debug)]
pub struct IdlePath {
    /// Root in the world per state; empty for a hand that waits where it starts.
    pub world_from_root: Vec<Pose>,
    /// Actuator targets per state.
    pub fingers: Vec<Vec<f64>>,
    /// Joint angles at the start, tree order.
    pub joints: Vec<f64>,
}

/// Everything a control sequence follows apart from the searched parameters.
pub struct Plan<'a> {
    /// The scene that is controlled.
    pub scene: &'a Scene,
    /// The schedule.
    pub schedule: &'a Timeline,
    /// Grasps of the first holds of the schedule, in its order; later holds are not planned yet.
    pub grasps: Vec<Grasp>,
    /// Pose of each grasped object when it is taken, as it really rests, one per grasp.
    pub at_take: Vec<Pose>,
    /// Pose of each object at rest before the first hold, as settled in physics.
    pub rest: &'a [Pose],
    /// Pose of each hand's root at step 0.
    pub start: Vec<Pose>,
    /// What hands do that have nothing to hold, one per hand.
    pub idle: &'a [IdlePath],
    /// Phases.
    pub phases: PhaseConfig,
}

/// Number of leading parameters of each hold: translation (m), rotation vector (rad), squeeze.
pub const WRIST_PARAMETERS: usize = 7;
/// Neutral squeeze: fraction of the way from touching to squeezed.
pub const SQUEEZE: f64 = 0.6;
/// Parameters of the release that follow the fingers of each hold: extra retreat direction (m).
pub const RELEASE_PARAMETERS: usize = 3;

/// Minimum-jerk blend from 0 to 1.
pub fn min_jerk(t: f64) -> f64 {
    let t = t.clamp(0.0, 1.0);
    t * t * t * (10.0 - 15.0 * t + 6.0 * t * t)
}

/// How long the correction from the settled to the demonstrated pose lasts after the take.
const REST_BLEND: f64 = 0.5;
/// Fraction of the closing time after which the fingers should touch; they then squeeze slowly, so
/// that they neither knock the object over nor sink into it.
const TOUCH_AT: f64 = 0.7;
/// Longest that a hand travels to the beginning of its first approach, seconds; it waits before.
const LONGEST_TRAVEL: f64 = 0.9;
/// How much higher than the straight line a hand travels between two holds, metres.
const TRAVEL_RISE: f64 = 0.06;

impl Plan<'_> {
    /// Physics step, seconds.
    pub fn dt(&self) -> f64 {
        self.schedule.dt
    }

    /// The planned holds.
    pub fn holds(&self) -> &[HoldSteps] {
        &self.schedule.holds[..self.grasps.len()]
    }

    /// A duration in steps.
    pub fn steps(&self, seconds: f64) -> usize {
        (seconds / self.dt()).round() as usize
    }

    /// Number of searched parameters of a hold.
    pub fn hold_parameters(&self, hold: usize) -> usize {
        WRIST_PARAMETERS + self.grasps[hold].open.len() + RELEASE_PARAMETERS
    }

    /// Number of searched parameters of all planned holds.
    pub fn parameters(&self) -> usize {
        (0..self.grasps.len()).map(|hold| self.hold_parameters(hold)).sum()
    }

    /// Where the parameters of a hold lie.
    pub fn range(&self, hold: usize) -> std::ops::Range<usize> {
        let start: usize = (0..hold).map(|h| self.hold_parameters(h)).sum();
        start..start + self.hold_parameters(hold)
    }

    /// Step at which the approach of a hold begins.
    pub fn approach_step(&self, hold: usize) -> usize {
        self.holds()[hold].take.saturating_sub(self.steps(self.phases.before_take()))
    }

    /// Step at which the approach of a hold has ended and the fingers begin to close.
    pub fn close_step(&self, hold: usize) -> usize {
        let before = self.phases.close + self.phases.hold;
        self.holds()[hold].take.saturating_sub(self.steps(before))
    }

    /// Step at which the retreat from a hold has ended; the end for a hold that is kept.
    pub fn retreated_step(&self, hold: usize) -> usize {
        let end = self.schedule.steps;
        self.holds()[hold]
            .release
            .map_or(end, |put| (put + self.steps(self.phases.after_release())).min(end))
    }

    /// The hold of the same hand before `hold`.
    pub fn earlier(&self, hold: usize) -> Option<usize> {
        (0..hold).rev().find(|&h| self.grasps[h].hand == self.grasps[hold].hand)
    }

    /// Step at which the hand sets out for a hold.
    pub fn travel_step(&self, hold: usize) -> usize {
        let approach = self.approach_step(hold);
        match self.earlier(hold) {
            Some(earlier) => self.retreated_step(earlier).min(approach),
            None => approach.saturating_sub(self.steps(LONGEST_TRAVEL)),
        }
    }

    /// How far the fingers have closed so many seconds before the take, 0 to 1.
    fn closing(&self, to_take: f64) -> f64 {
        (self.phases.close + self.phases.hold - to_take) / self.phases.close
    }

    /// Whether the hand waits where it starts before it sets out for a hold.
    fn waits(&self, hold: usize) -> bool {
        self.earlier(hold).is_none() && self.travel_step(hold) > 0
    }

    /// Pose of the hand's root in the object frame at `step` of a hold under its parameters.
    pub fn object_from_root(&self, hold: usize, theta: &[f64], step: usize) -> Pose {
        let grasp = &self.grasps[hold];
        let pivot = grasp.object_from_root * grasp.finger_center_in_root;
        let rigid = pose::perturb_about(
            &grasp.object_from_root,
            &pivot,
            &Vector3::new(theta[0], theta[1], theta[2]),
            &Vector3::new(theta[3], theta[4], theta[5]),
        );
        match self.roll_at(hold, step) {
            Some((a, b, t)) => rigid * pose::interpolate(&a.root, &b.root, t),
            None => rigid,
        }
    }

    /// The knots round `step` of a hold's in-hand motion and the way between them.
    fn roll_at(&self, hold: usize, step: usize) -> Option<(&RollKnot, &RollKnot, f64)> {
        let knots = &self.grasps[hold].roll;
        let last = knots.len().checked_sub(1)?;
        let HoldSteps { take, release, .. } = self.holds()[hold];
        let step = step.min(release.unwrap_or(usize::MAX));
        let at = step.saturating_sub(take) as f64 * self.dt() / ROLL_KNOT_S;
        let low = (at as usize).min(last);
        Some((&knots[low], &knots[(low + 1).min(last)], at - low as f64))
    }

    /// Actuator targets at which the fingers touch (`squeeze` 0) or hold the object at `step`.
    fn closed(&self, hold: usize, theta: &[f64], squeeze: f64, step: usize) -> Vec<f64> {
        let grasp = &self.grasps[hold];
        let roll = self.roll_at(hold, step);
        (0..grasp.touch.len())
            .map(|i| {
                grasp.touch[i]
                    + squeeze * (grasp.squeezed[i] - grasp.touch[i])
                    + theta[WRIST_PARAMETERS + i]
                    + roll.map_or(0.0, |(a, b, t)| (1.0 - t) * a.fingers[i] + t * b.fingers[i])
            })
            .collect()
    }

    /// Where the wrist carries the object at `step`: the reference, corrected near the take by how
    /// the object really rests.
    fn carried(&self, hold: usize, step: usize) -> Pose {
        let HoldSteps { object, take, release, .. } = self.holds()[hold];
        let path = &self.schedule.reference[object];
        let last = path.len() - 1;
        let target = path[step.clamp(take, release.unwrap_or(last).max(take)).min(last)];
        let since_take = step.saturating_sub(take) as f64 * self.dt();
        let remaining = 1.0 - min_jerk(since_take / REST_BLEND);
        if remaining <= 0.0 {
            return target;
        }
        let correction = self.at_take[hold] * path[take.min(last)].inverse();
        pose::interpolate(&Pose::identity(), &correction, remaining) * target
    }

    /// The hold that decides where a hand is at `step`: the last one whose travel has begun, else the
    /// first.
    fn in_charge(&self, hand: usize, step: usize) -> Option<usize> {
        let mut holds = (0..self.grasps.len()).filter(|&h| self.grasps[h].hand == hand);
        let first = holds.next()?;
        Some(holds.take_while(|&h| self.travel_step(h) <= step).last().unwrap_or(first))
    }

    /// Pose of hand `hand`'s root at `step` under the parameters of all planned holds.
    pub fn world_from_root(&self, hand: usize, theta: &[f64], step: usize) -> Pose {
        match self.in_charge(hand, step) {
            Some(hold) => self.root_of(hold, theta, step),
            None => {
                let path = &self.idle[hand].world_from_root;
                path.get(step).or(path.last()).copied().unwrap_or(self.start[hand])
            }
        }
    }

    /// Pose of the root of the hand that has `hold` at `step`.
    fn root_of(&self, hold: usize, all: &[f64], step: usize) -> Pose {
        let grasp = &self.grasps[hold];
        let phases = &self.phases;
        let theta = &all[self.range(hold)];
        let HoldSteps { take, release, .. } = self.holds()[hold];
        let away = |pose: Pose, way: Vector3<f64>| Translation3::from(way) * pose;
        if step < take {
            let to_take = (take - step) as f64 * self.dt();
            let held = self.at_take[hold] * self.object_from_root(hold, theta, take);
            let sunk = min_jerk(self.closing(to_take) / TOUCH_AT);
            let held = away(held, Vector3::z() * grasp.rise * (1.0 - sunk));
            if to_take <= phases.before_take() {
                let done = (phases.before_take() - to_take) / phases.approach;
                return away(held, grasp.retreat * phases.clearance * (1.0 - min_jerk(done)));
            }
            let near = away(held, grasp.retreat * phases.clearance);
            let (begin, end) = (self.travel_step(hold), self.approach_step(hold));
            let span = end.saturating_sub(begin).max(1) as f64;
            let done = step.saturating_sub(begin) as f64 / span;
            let (from, rise) = match self.earlier(hold) {
                Some(earlier) => (self.root_of(earlier, all, begin), TRAVEL_RISE),
                None => (self.start[grasp.hand], 0.0),
            };
            let arc = Vector3::z() * (rise * 4.0 * done * (1.0 - done)).max(0.0);
            return away(pose::interpolate(&from, &near, min_jerk(done)), arc);
        }
        let carried = self.carried(hold, step) * self.object_from_root(hold, theta, step);
        let Some(put) = release else { return carried };
        let since_put = (step as f64 - put as f64) * self.dt() - phases.settle;
        /// Share of the opening time for which the hand stays down, lest it lifts the object again.
        const STAYS: f64 = 0.4;
        let risen = min_jerk((since_put / phases.open - STAYS) / (1.0 - STAYS));
        let carried = away(carried, Vector3::z() * grasp.rise * risen);
        let since_open = since_put - phases.open;
        if since_open <= 0.0 {
            return carried;
        }
        let first = theta.len() - RELEASE_PARAMETERS;
        let shift = Vector3::new(theta[first], theta[first + 1], theta[first + 2]);
        let leave = grasp.retreat * phases.clearance + shift;
        away(carried, leave * min_jerk(since_open / phases.retreat))
    }

    /// The grasps with their parameters worked in, so that zeros repeat them; retreats are in the
    /// object's frame. In-hand motions are left out.
    pub fn played_grasps(&self, all: &[f64]) -> Vec<Grasp> {
        (0..self.grasps.len())
            .map(|hold| {
                let grasp = &self.grasps[hold];
                let theta = &all[self.range(hold)];
                let take = self.holds()[hold].take;
                let offsets = &theta[WRIST_PARAMETERS..];
                let touch: Vec<f64> =
                    grasp.touch.iter().zip(offsets).map(|(touch, offset)| touch + offset).collect();
                let harder = 1.0 + theta[6] / SQUEEZE;
                let squeezed = (0..touch.len())
                    .map(|i| touch[i] + harder * (grasp.squeezed[i] - grasp.touch[i]))
                    .collect();
                Grasp {
                    object_from_root: self.object_from_root(hold, theta, take),
                    touch,
                    squeezed,
                    retreat: self.at_take[hold].rotation.inverse() * grasp.retreat,
                    roll: Vec::new(),
                    ..grasp.clone()
                }
            })
            .collect()
    }

    /// Actuator targets of hand `hand` at `step` under the parameters of all planned holds.
    pub fn fingers(&self, hand: usize, theta: &[f64], step: usize) -> Vec<f64> {
        let Some(hold) = self.in_charge(hand, step) else {
            let path = &self.idle[hand].fingers;
            return path.get(step).or(path.last()).cloned().unwrap_or_default();
        };
        let grasp = &self.grasps[hold];
        let HoldSteps { take, release, .. } = self.holds()[hold];
        let seconds = |from: usize, to: usize| (to as f64 - from as f64) * self.dt();
        let to_take = seconds(step, take);
        if to_take > self.phases.close + self.phases.hold {
            // On the way from another hold, or from waiting, the hand opens anew.
            let from = match self.earlier(hold) {
                Some(earlier) => &self.grasps[earlier].open,
                None if self.waits(hold) => &self.idle[hand].fingers[0],
                None => &grasp.open,
            };
            let (begin, end) = (self.travel_step(hold), self.approach_step(hold));
            let done = min_jerk(seconds(begin, step) / seconds(begin, end).max(self.dt()));
            return from.iter().zip(&grasp.open).map(|(a, b)| a + done * (b - a)).collect();
        }
        let closing = self.closing(to_take);
        let opened = release.map_or(0.0, |put| {
            min_jerk((seconds(put, step) - self.phases.settle) / self.phases.open)
        });
        let touching = min_jerk(closing / TOUCH_AT);
        let squeezing = min_jerk((closing - 0.5 * TOUCH_AT) / (1.0 - 0.5 * TOUCH_AT));
        let theta = &theta[self.range(hold)];
        let squeeze = (SQUEEZE + theta[6]) * squeezing;
        let closed = self.closed(hold, theta, squeeze, step);
        let blend = touching * (1.0 - opened);
        grasp.open.iter().zip(closed).map(|(open, hold)| open + blend * (hold - open)).collect()
    }

    /// Controls for steps `from..to`: `[(to - from) * nu]`. `qpos` are the joint positions at `from`,
    /// from which the wrist's hinge angles go on.
    ///
    /// The wrist servo lags by `kv / kp`; its targets are advanced by
    /// `u = q + (kv / kp) q' + (m / kp) q''`.
    pub fn controls(&self, theta: &[f64], from: usize, to: usize, qpos: &[f64]) -> Vec<f64> {
        let nu = self.scene.model.ffi().nu as usize;
        let dt = self.dt();
        let count = to - from;
        let mut ctrl = vec![0.0; count * nu];
        for hand in 0..self.scene.hands.len() {
            let place = &self.scene.hands[hand];
            let mut near = place.wrist_qpos.map(|address| qpos[address]);
            // One step more on either side for the differences.
            let wrist: Vec<[f64; 6]> = (0..count + 2)
                .map(|k| {
                    let step = (from + k).saturating_sub(1);
                    near = root_to_wrist(place, &self.world_from_root(hand, theta, step), &near);
                    near
                })
                .collect();
            let config = &self.scene.config.wrist;
            for k in 0..count {
                let row = &mut ctrl[k * nu..(k + 1) * nu];
                for slot in 0..6 {
                    let (before, now, after) =
                        (wrist[k][slot], wrist[k + 1][slot], wrist[k + 2][slot]);
                    let velocity = (after - before) / (2.0 * dt);
                    let acceleration = (after - 2.0 * now + before) / (dt * dt);
                    let (kp, kv, inertia) = if slot < 3 {
                        (config.linear_kp, config.linear_kv, place.mass)
                    } else {
                        (config.angular_kp, config.angular_kv, 0.0)
                    };
                    row[place.wrist_ctrl[slot]] =
                        now + kv / kp * velocity + inertia / kp * acceleration;
                }
                for (&index, value) in
                    place.finger_ctrl.iter().zip(self.fingers(hand, theta, from + k))
                {
                    row[index] = value;
                }
            }
        }
        ctrl
    }

    /// Joint positions at `step` with the objects at rest and the hands where the plan has them,
    /// fingers open.
    pub fn qpos_at(&self, theta: &[f64], step: usize) -> Vec<f64> {
        let mut qpos: Vec<f64> = self.scene.default_qpos();
        for (index, rest) in self.rest.iter().enumerate() {
            self.scene.set_object(index, rest, &mut qpos);
        }
        for hand in 0..self.scene.hands.len() {
            let root = self.world_from_root(hand, theta, step);
            self.scene.set_hand(hand, &root, self.open_joints(hand, step), &mut qpos);
        }
        qpos
    }

    /// Joint angles with which a hand approaches its hold at `step`.
    fn open_joints(&self, hand: usize, step: usize) -> &[f64] {
        match self.in_charge(hand, step) {
            Some(hold) if !self.waits(hold) || step > self.travel_step(hold) => {
                &self.grasps[hold].open_joints
            }
            _ => &self.idle[hand].joints,
        }
    }
}
