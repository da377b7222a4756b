//! Trials in physics: what a plan does and how well.

use super::RefineError;
use super::journal::{Journal, Observer};
use super::outcome::{CostConfig, Outcome, Tolerance};
use super::plan::Plan;
use crate::evaluate::Played;
use dextra_core::pose;
use dextra_sim::batch::{Batch, Fate};
use dextra_sim::hand::Hand;
use dextra_sim::object::ObjectModel;
use dextra_sim::scene::{Owner, Scene};
use dextra_sim::world::{HandContact, World};
use nalgebra::Point3;

/// A thumb or finger tip of the robot and the human fingertip it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tip {
    /// Body in the hand's tree.
    pub body: usize,
    /// Point in the body, metres.
    pub point: Point3<f64>,
    /// Human keypoint.
    pub keypoint: usize,
}

/// The fingertips of a hand according to its map.
pub fn tips(hand: &Hand) -> Vec<Tip> {
    hand.map
        .keypoints
        .iter()
        .filter(|link| dextra_core::demonstration::keypoint::TIPS.contains(&link.keypoint))
        .filter_map(|link| {
            let body = hand.tree.body(&link.at.body)?;
            Some(Tip { body, point: link.at.point_in_body, keypoint: link.keypoint })
        })
        .collect()
}

/// Runs trials of plans in one scene.
pub struct Trials<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// Hands of the scene, in its order.
    pub hands: &'a [&'a Hand],
    /// Objects of the scene, in its order.
    pub objects: &'a [ObjectModel],
    /// Weights of the cost.
    pub cost: CostConfig,
    /// What counts as good.
    pub tolerance: Tolerance,
    /// Human fingertips in the frame of the object each hand takes, by human keypoint, at lift-off.
    pub human_tips: Vec<Vec<(usize, Point3<f64>)>>,
    batch: Batch,
    journal: &'a mut dyn Journal,
    observer: &'a dyn Observer,
    asked: usize,
    threads: usize,
    /// Physics steps so far.
    pub sim_steps: u64,
    /// Trials whose state left the real numbers.
    pub quarantined: usize,
    /// The first of them.
    pub first_quarantined: Option<Quarantined>,
}

/// A trial whose state left the real numbers: enough to replay it.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantined {
    /// Joint positions at its start, at rest.
    pub qpos0: Vec<f64>,
    /// Its controls, `[steps * nu]`.
    pub ctrl: Vec<f64>,
}

/// Largest position (m) and rotation (rad) error over the objects after `step` steps.
fn errors(scene: &Scene, plan: &Plan<'_>, qpos: &[f64], step: usize) -> (f64, f64) {
    let mut worst = (0.0f64, 0.0f64);
    for (object, path) in plan.reference.iter().enumerate() {
        let target = &path[step.min(path.len() - 1)];
        let real = scene.world_from_object(object, qpos);
        worst.0 = worst.0.max(pose::distance_between(&real, target));
        worst.1 = worst.1.max(pose::angle_between(&real, target));
    }
    worst
}

/// Factor on tracking errors: where the object is hardly moved, leaving it on the table is a small
/// error in metres but no less a failure.
fn task_scale(plan: &Plan<'_>) -> f64 {
    const USUAL: f64 = 0.12;
    let path = |reference: &[dextra_core::Pose]| {
        let first = &reference[0];
        reference.iter().map(|p| pose::distance_between(p, first)).fold(0.0, f64::max)
    };
    let furthest = plan.reference.iter().map(|r| path(r)).fold(0.0, f64::max);
    (USUAL / furthest.max(1e-3)).clamp(1.0, 4.0)
}

/// 1 without contact between hand and object, else `(1 + c) / 2` with `c` the least cosine between two
/// contact normals (force closure needs opposing ones).
fn looseness(world: &World<'_>) -> f64 {
    let touching = |c: &HandContact| matches!(c.other, Owner::Object(_)) && c.depth > -1e-4;
    let normals: Vec<_> =
        world.hand_contacts().into_iter().filter(touching).map(|c| c.normal).collect();
    let pairs = normals
        .iter()
        .enumerate()
        .flat_map(|(i, a)| normals[i + 1..].iter().map(move |b| a.dot(b)));
    pairs.reduce(f64::min).map_or(1.0, |least| (1.0 + least) / 2.0)
}

/// Most trials of one batch.
pub const MAX_TRIALS: usize = 64;

impl<'a> Trials<'a> {
    /// A trial runner on `threads` threads (0: one per logical processor).
    ///
    /// # Errors
    /// When the engine cannot make the batch.
    pub fn new(
        scene: &'a Scene,
        hands: &'a [&'a Hand],
        objects: &'a [ObjectModel],
        human_tips: Vec<Vec<(usize, Point3<f64>)>>,
        threads: usize,
        journal: &'a mut dyn Journal,
        observer: &'a dyn Observer,
    ) -> Result<Self, RefineError> {
        Ok(Self {
            scene,
            hands,
            objects,
            cost: CostConfig::default(),
            tolerance: Tolerance::default(),
            human_tips,
            batch: Batch::new(&scene.model, MAX_TRIALS, threads)?,
            journal,
            observer,
            asked: 0,
            threads,
            sim_steps: 0,
            quarantined: 0,
            first_quarantined: None,
        })
    }

    /// Answers from the journal, or from `ask`, which returns numbers and the physics steps spent.
    ///
    /// # Errors
    /// [`RefineError::Interrupted`] when the observer wishes to stop.
    pub fn journaled(
        &mut self,
        status: &str,
        ask: impl FnOnce(&mut Self) -> Result<Vec<f64>, RefineError>,
    ) -> Result<Vec<f64>, RefineError> {
        let index = self.asked;
        self.asked += 1;
        let recalled = self.journal.recall(index);
        if let Some((&steps, answer)) = recalled.as_deref().and_then(<[f64]>::split_last) {
            self.sim_steps += steps as u64;
            return Ok(answer.to_vec());
        }
        if self.observer.cancelled() {
            return Err(RefineError::Interrupted);
        }
        let before = self.sim_steps;
        let mut answer = ask(self)?;
        answer.push((self.sim_steps - before) as f64);
        self.journal.remember(index, &answer);
        answer.pop();
        self.observer.progress(self.sim_steps, status);
        Ok(answer)
    }

    /// Tries every parameter vector from step `from` (hands where the plan has them, at rest, open)
    /// to step `to`.
    ///
    /// # Errors
    /// As [`Trials::journaled`].
    pub fn evaluate(
        &mut self,
        plan: &Plan<'_>,
        thetas: &[Vec<f64>],
        from: usize,
        to: usize,
        open_joints: &[Vec<f64>],
        status: &str,
    ) -> Result<Vec<Outcome>, RefineError> {
        let rows = self.journaled(status, |trials| {
            let mut rows = Vec::with_capacity(thetas.len() * Outcome::WIDTH);
            for chunk in thetas.chunks(MAX_TRIALS) {
                for outcome in trials.run(plan, chunk, from, to, open_joints)? {
                    rows.extend(outcome.to_row());
                }
            }
            Ok(rows)
        })?;
        let outcomes: Vec<Outcome> =
            rows.chunks_exact(Outcome::WIDTH).map(Outcome::from_row).collect();
        // Counted here, so that recalled trials count like new ones.
        for (theta, _) in thetas.iter().zip(&outcomes).filter(|(_, outcome)| outcome.broken) {
            self.quarantine(plan, theta, from, to, open_joints);
        }
        Ok(outcomes)
    }

    fn run(
        &mut self,
        plan: &Plan<'_>,
        thetas: &[Vec<f64>],
        from: usize,
        to: usize,
        open_joints: &[Vec<f64>],
    ) -> Result<Vec<Outcome>, RefineError> {
        let mut world = World::new(self.scene);
        let approach_end = plan
            .lift_step
            .saturating_sub(((plan.phases.close + plan.phases.hold) / plan.dt()).round() as usize);
        let mut open_penetration = Vec::with_capacity(thetas.len());
        for (index, theta) in thetas.iter().enumerate() {
            world.reset(&plan.qpos_at(theta, approach_end, open_joints));
            world.forward();
            let contacts = world.hand_contacts();
            open_penetration.push(contacts.iter().map(|c| c.depth).fold(0.0, f64::max));
            world.reset(&plan.qpos_at(theta, from, open_joints));
            self.batch.set_state(index, &world.state())?;
        }
        let nq = self.scene.model.ffi().nq as usize;
        let split = plan.lift_step.clamp(from, to);
        let all: Vec<usize> = (0..thetas.len()).collect();
        let before = self.rollout(plan, thetas, &all, from, split)?;
        // Trials that already lost the object need no lift.
        let alive: Vec<usize> = all
            .iter()
            .copied()
            .filter(|&i| {
                let end = &before[i * (split - from) * nq..(i + 1) * (split - from) * nq];
                end.chunks_exact(nq).next_back().is_none_or(|qpos| {
                    errors(self.scene, plan, qpos, split).0 < 0.05
                        && self.batch.fate(i) == Fate::Fine
                })
            })
            .collect();
        let after = self.rollout(plan, thetas, &alive, split, to)?;
        let mut outcomes = Vec::with_capacity(thetas.len());
        for index in 0..thetas.len() {
            let rows = |buffer: &[f64], slot: usize, steps: usize| -> Vec<f64> {
                buffer[slot * steps * nq..(slot + 1) * steps * nq].to_vec()
            };
            let mut path = rows(&before, index, split - from);
            if let Some(slot) = alive.iter().position(|&i| i == index) {
                path.extend(rows(&after, slot, to - split));
            }
            let broken = self.batch.fate(index) != Fate::Fine;
            if broken {
                path.clear();
            }
            let outcome = self.judge(&mut world, plan, &path, from, to, open_penetration[index]);
            outcomes.push(Outcome { broken, ..outcome });
        }
        Ok(outcomes)
    }

    fn rollout(
        &mut self,
        plan: &Plan<'_>,
        thetas: &[Vec<f64>],
        which: &[usize],
        from: usize,
        to: usize,
    ) -> Result<Vec<f64>, RefineError> {
        let mut ctrl = Vec::new();
        for &index in which {
            ctrl.extend(plan.controls(&thetas[index], from, to));
        }
        self.sim_steps += (which.len() * (to - from)) as u64;
        Ok(self.batch.rollout(which, to - from, &ctrl)?)
    }

    /// Judges the joint positions after steps `from + 1 ..`; a path shorter than the window was
    /// given up and counts as lost from there on.
    fn judge(
        &self,
        world: &mut World<'_>,
        plan: &Plan<'_>,
        path: &[f64],
        from: usize,
        to: usize,
        open_penetration: f64,
    ) -> Outcome {
        let nq = self.scene.model.ffi().nq as usize;
        let clip = self.cost.clip;
        let count = to - from;
        let (mut sum, mut weights) = (0.0, 0.0);
        let (mut max_position, mut max_rotation, mut max_error) = (0.0f64, 0.0f64, 0.0f64);
        let (mut good, mut first_bad) = (0usize, to as f64);
        let (mut tip_gap, mut style) = (0.0, 0.0);
        let (mut penetration, mut self_penetration, mut loose) = (0.0f64, 0.0f64, 1.0f64);
        for k in 0..count {
            let step = from + k + 1;
            let (position, rotation) = match path.get(k * nq..(k + 1) * nq) {
                Some(qpos) => {
                    if step == plan.lift_step.min(to) {
                        (tip_gap, style) = self.fingertips(plan, qpos);
                        penetration = self.penetration(world, qpos);
                        self_penetration = world.self_penetration();
                        loose = looseness(world);
                    }
                    errors(self.scene, plan, qpos, step)
                }
                None => (2.0 * clip, 1.0),
            };
            let error = (position + super::outcome::METRES_PER_RADIAN * rotation).min(2.0);
            let weight = 1.0 + k as f64 / count as f64;
            sum += weight * error.min(clip);
            weights += weight;
            max_position = max_position.max(position);
            max_rotation = max_rotation.max(rotation);
            max_error = max_error.max(error);
            if position < self.tolerance.position && rotation < self.tolerance.rotation {
                good += 1;
            } else {
                first_bad = first_bad.min(step as f64);
            }
        }
        let tracking = sum / weights + self.cost.max_error * max_error.min(2.0 * clip);
        let cost = task_scale(plan) * tracking
            + self.cost.open_penetration * open_penetration
            + self.cost.tip_gap * tip_gap
            + self.cost.style * style
            + self.cost.penetration * (penetration - 0.0015).max(0.0)
            + self.cost.self_penetration * (self_penetration - 0.001).max(0.0)
            + self.cost.loose * loose;
        Outcome {
            cost,
            max_position,
            max_rotation,
            good: good as f64 / count as f64,
            open_penetration,
            tip_gap,
            style,
            first_bad,
            penetration,
            self_penetration,
            loose,
            broken: false,
        }
    }

    /// Keeps the start and the controls of the first trial whose state left the real numbers.
    fn quarantine(
        &mut self,
        plan: &Plan<'_>,
        theta: &[f64],
        from: usize,
        to: usize,
        open_joints: &[Vec<f64>],
    ) {
        self.quarantined += 1;
        self.first_quarantined.get_or_insert_with(|| Quarantined {
            qpos0: plan.qpos_at(theta, from, open_joints),
            ctrl: plan.controls(theta, from, to),
        });
    }

    /// How each parameter vector fares when the world is not quite as planned: the mean over
    /// variants of the largest object position error while carrying, metres, clipped at 10 cm.
    ///
    /// Variants: objects displaced by 4 mm in four directions, friction lowered by a fifth, half the
    /// time step.
    ///
    /// # Errors
    /// As [`Trials::journaled`].
    pub fn fragility(
        &mut self,
        plan: &Plan<'_>,
        thetas: &[Vec<f64>],
        steps: usize,
        open_joints: &[Vec<f64>],
    ) -> Result<Vec<f64>, RefineError> {
        const OFFSET: f64 = 0.004;
        const FRICTION: f64 = 0.8;
        self.journaled("robustness", |trials| {
            let nq = trials.scene.model.ffi().nq as usize;
            let nu = trials.scene.model.ffi().nu as usize;
            const LOST: f64 = 0.1;
            let carried = Played::carrying(Some(plan.lift_step), plan.put_step, steps, plan.dt());
            let worst = |path: &[f64], stride: usize, fate: &Fate| {
                if *fate != Fate::Fine {
                    return LOST;
                }
                (carried.0.max(1)..=carried.1)
                    .map(|step| {
                        let state = step * stride;
                        let qpos = path.get((state - 1) * nq..state * nq);
                        qpos.map_or(LOST, |qpos| errors(trials.scene, plan, qpos, step).0)
                    })
                    .fold(0.0, f64::max)
                    .min(LOST)
            };
            let mut coarse = Batch::new(&trials.scene.model, 5, trials.threads)?;
            let friction = coarse.per_world_field("geom_friction")?;
            let per_world = friction.len() / 5;
            friction[4 * per_world..].iter_mut().for_each(|mu| *mu *= FRICTION);
            let fine_model = trials.scene.model_with_timestep(plan.dt() / 2.0);
            let mut fine = Batch::new(&fine_model, 1, trials.threads)?;
            let mut world = World::new(trials.scene);
            let mut scores = Vec::with_capacity(thetas.len());
            for theta in thetas {
                let ctrl = plan.controls(theta, 0, steps);
                let start = plan.qpos_at(theta, 0, open_joints);
                let offsets =
                    [(OFFSET, 0.0), (-OFFSET, 0.0), (0.0, OFFSET), (0.0, -OFFSET), (0.0, 0.0)];
                for (index, (x, y)) in offsets.into_iter().enumerate() {
                    let mut qpos = start.clone();
                    for object in 0..trials.scene.objects.len() {
                        let shift = nalgebra::Translation3::new(x, y, 0.0);
                        let moved = shift * trials.scene.world_from_object(object, &qpos);
                        trials.scene.set_object(object, &moved, &mut qpos);
                    }
                    world.reset(&qpos);
                    coarse.set_state(index, &world.state())?;
                }
                let every: Vec<f64> = (0..5).flat_map(|_| ctrl.iter().copied()).collect();
                let paths = coarse.rollout(&[0, 1, 2, 3, 4], steps, &every)?;
                let mut sum: f64 = paths
                    .chunks_exact(steps * nq)
                    .enumerate()
                    .map(|(index, path)| worst(path, 1, &coarse.fate(index)))
                    .sum();
                world.reset(&start);
                fine.set_state(0, &world.state())?;
                let doubled: Vec<f64> =
                    ctrl.chunks_exact(nu).flat_map(|row| row.iter().chain(row).copied()).collect();
                let path = fine.rollout(&[0], 2 * steps, &doubled)?;
                sum += worst(&path, 2, &fine.fate(0));
                trials.sim_steps += 7 * steps as u64;
                scores.push(sum / 6.0);
            }
            Ok(scores)
        })
    }

    /// Gap of the thumb and the two nearest fingers to the surface, and mean distance of tips to
    /// the human's, both metres, worst and mean over hands.
    fn fingertips(&self, plan: &Plan<'_>, qpos: &[f64]) -> (f64, f64) {
        const TIP_RADIUS: f64 = 0.012;
        let (mut gap, mut style) = (0.0f64, 0.0);
        for (index, hand) in self.hands.iter().enumerate() {
            let root = self.scene.world_from_root(index, qpos);
            let bodies = hand.tree.forward(&self.scene.joints(index, qpos));
            let object = plan.grasps[index].object;
            let object_from_world = self.scene.world_from_object(object, qpos).inverse();
            let mut fingers = Vec::new();
            let (mut thumb, mut offset, mut count) = (0.0f64, 0.0, 0usize);
            for tip in tips(hand) {
                let point = object_from_world * (root * (bodies[tip.body] * tip.point));
                let distance =
                    (self.objects[object].surface.closest(&point).distance - TIP_RADIUS).max(0.0);
                if tip.keypoint == 4 {
                    thumb = distance
                } else {
                    fingers.push(distance)
                }
                if let Some((_, human)) =
                    self.human_tips[index].iter().find(|(keypoint, _)| *keypoint == tip.keypoint)
                {
                    offset += (point - human).norm();
                    count += 1;
                }
            }
            fingers.sort_by(f64::total_cmp);
            gap = gap.max(thumb).max(fingers.get(1).or(fingers.first()).copied().unwrap_or(0.0));
            style += offset / count.max(1) as f64;
        }
        (gap, style / self.hands.len().max(1) as f64)
    }

    /// Deepest contact of the hands with anything at `qpos`, metres.
    pub fn penetration(&self, world: &mut World<'_>, qpos: &[f64]) -> f64 {
        world.reset(qpos);
        world.forward();
        world
            .hand_contacts()
            .iter()
            .filter(|c| !matches!(c.other, Owner::Hand(_)))
            .map(|c| c.depth)
            .fold(0.0, f64::max)
    }

    /// Physics steps and interruption aside, the batch that runs the trials.
    pub fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }
}
