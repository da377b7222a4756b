//! Stages: holds that are searched together, and the world as it is when they begin.
//!
//! A later stage starts from where the plan of the earlier ones really left the world, so an object
//! that was put down 1 cm off is taken where it lies.

use super::job::Job;
use super::plan::{Grasp, Plan};
use super::trials::{Trials, Window};
use dextra_core::{Pose, pose};
use dextra_sim::world::World;
use std::ops::Range;

/// Holds that are searched together.
pub(super) struct Stage {
    /// Which holds of the schedule.
    pub holds: Range<usize>,
    /// Step at which the stage begins.
    pub from: usize,
    /// Step at which the next one begins, or the end.
    pub to: usize,
    /// State at the beginning; none for the first stage, which hands begin where the plan has them.
    pub state: Option<Box<[f64]>>,
    /// Joint positions at the beginning.
    pub qpos: Vec<f64>,
    /// Pose of the object of each hold when it is taken.
    pub at_take: Vec<Pose>,
}

/// What the earlier stages found.
#[derive(Clone, Default)]
pub(super) struct Prefix {
    pub grasps: Vec<Grasp>,
    pub at_take: Vec<Pose>,
    pub theta: Vec<f64>,
    pub start: Vec<Pose>,
}

impl Stage {
    /// The window of trials from step `from` to step `to` of this stage.
    pub fn window(&self, from: usize, to: usize) -> Window<'_> {
        Window { from, to, state: self.state.as_deref(), first_hold: self.holds.start }
    }
}

impl Job<'_> {
    /// The holds of each stage, and the step at which it begins. Holds that begin before the earlier
    /// ones have shown whether they work are searched with them.
    pub(super) fn stage_ranges(&self) -> Vec<(Range<usize>, usize)> {
        /// A stage must be seen to carry for this long before the next begins, seconds.
        const SHOWN: f64 = 0.4;
        let holds = &self.schedule.holds;
        let mut ranges: Vec<(Range<usize>, usize)> = Vec::new();
        for index in 0..holds.len() {
            let begins = self.set_out_step(index);
            let last_take = index.checked_sub(1).map(|earlier| holds[earlier].take);
            let shown = last_take
                .is_some_and(|take| begins as f64 >= take as f64 + SHOWN / self.schedule.dt);
            match ranges.last_mut() {
                Some((range, from)) if !shown => {
                    range.end = index + 1;
                    *from = (*from).min(begins);
                }
                _ => ranges.push((index..index + 1, begins)),
            }
        }
        ranges
    }

    /// Step at which the hand of a hold sets out for it.
    fn set_out_step(&self, hold: usize) -> usize {
        let grasp = |h: usize| Grasp::placeholder(&self.schedule.holds[h]);
        let grasps = (0..=hold).map(grasp).collect();
        self.plan_of(grasps, Vec::new(), Vec::new()).travel_step(hold)
    }

    /// The stage that plays the holds of `range` after what `prefix` does.
    pub(super) fn stage(
        &self,
        trials: &mut Trials<'_>,
        prefix: &Prefix,
        (range, from): (Range<usize>, usize),
        to: usize,
    ) -> Stage {
        let first = range.start == 0;
        let (state, qpos) = if first {
            (None, self.first_qpos())
        } else {
            let plan =
                self.plan_of(prefix.grasps.clone(), prefix.at_take.clone(), prefix.start.clone());
            let state = trials.state_at(&plan, &prefix.theta, from);
            let mut world = World::new(self.scene);
            world.set_state(&state);
            (Some(state), world.qpos().to_vec())
        };
        let at_take = self.schedule.holds[range.clone()]
            .iter()
            .map(|hold| {
                let path = &self.schedule.reference[hold.object];
                let real = self.scene.world_from_object(hold.object, &qpos);
                let still = pose::distance_between(&path[from], &path[hold.take]) < 0.005
                    && pose::angle_between(&path[from], &path[hold.take]) < 0.09;
                if first {
                    self.rest[hold.object]
                } else if still {
                    real
                } else {
                    path[hold.take]
                }
            })
            .collect();
        Stage { holds: range, from, to, state, qpos, at_take }
    }

    /// Objects at rest, hands far away.
    fn first_qpos(&self) -> Vec<f64> {
        let mut qpos = self.scene.default_qpos();
        for (index, rest) in self.rest.iter().enumerate() {
            self.scene.set_object(index, rest, &mut qpos);
        }
        for hand in 0..self.scene.hands.len() {
            let aside = Pose::translation(0.0, 0.0, 50.0 + hand as f64);
            let joints = self.scene.joints(hand, &qpos);
            self.scene.set_hand(hand, &aside, &joints, &mut qpos);
        }
        qpos
    }

    /// A plan of the first holds of the schedule.
    pub(super) fn plan_of(
        &self,
        grasps: Vec<Grasp>,
        at_take: Vec<Pose>,
        start: Vec<Pose>,
    ) -> Plan<'_> {
        Plan {
            scene: self.scene,
            schedule: self.schedule,
            grasps,
            at_take,
            rest: self.rest,
            start,
            idle: &self.idle,
            phases: self.config.phases,
        }
    }
}
