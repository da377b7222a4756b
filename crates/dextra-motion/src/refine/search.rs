//! Trials in physics and the cross-entropy search over them.

use super::RefineError;
use super::journal::{Journal, Observer};
use super::plan::{Plan, RELEASE_PARAMETERS, WRIST_PARAMETERS};
use dextra_core::pose;
use dextra_sim::batch::{Batch, Fate};
use dextra_sim::hand::Hand;
use dextra_sim::object::ObjectModel;
use dextra_sim::scene::{Owner, Scene};
use dextra_sim::world::World;
use nalgebra::Point3;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

/// Metres that one radian of object rotation error costs.
pub const METRES_PER_RADIAN: f64 = 0.12;

/// What a trial measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The cost that is minimised.
    pub cost: f64,
    /// Largest object position error, metres.
    pub max_position: f64,
    /// Largest object rotation error, radians.
    pub max_rotation: f64,
    /// Fraction of judged steps within the limits.
    pub good: f64,
    /// Deepest penetration of the opened hand at the end of the approach, metres.
    pub open_penetration: f64,
    /// Largest gap between the nearest fingertips and the surface after closing, metres.
    pub tip_gap: f64,
    /// Mean distance of fingertips to the human's in the object frame at lift-off, metres.
    pub style: f64,
    /// First step outside the limits, or the end of the window.
    pub first_bad: f64,
}

impl Outcome {
    const WIDTH: usize = 8;

    fn to_row(self) -> [f64; Self::WIDTH] {
        [
            self.cost,
            self.max_position,
            self.max_rotation,
            self.good,
            self.open_penetration,
            self.tip_gap,
            self.style,
            self.first_bad,
        ]
    }

    fn from_row(row: &[f64]) -> Self {
        Self {
            cost: row[0],
            max_position: row[1],
            max_rotation: row[2],
            good: row[3],
            open_penetration: row[4],
            tip_gap: row[5],
            style: row[6],
            first_bad: row[7],
        }
    }

    /// True when the object stayed within `position` metres and `rotation` radians throughout.
    pub fn within(&self, position: f64, rotation: f64) -> bool {
        self.max_position < position && self.max_rotation < rotation
    }
}

/// Weights of the cost of a trial, all relative to one metre of mean object error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostConfig {
    /// On the largest object error over the window.
    pub max_error: f64,
    /// On the penetration of the opened hand at the end of the approach.
    pub open_penetration: f64,
    /// On the gap between fingertips and surface after closing.
    pub tip_gap: f64,
    /// On the distance of the fingertips from the human's.
    pub style: f64,
    /// Position error at which a step counts as lost, metres.
    pub clip: f64,
}

impl Default for CostConfig {
    fn default() -> Self {
        Self { max_error: 0.3, open_penetration: 1.5, tip_gap: 0.5, style: 0.05, clip: 0.12 }
    }
}

/// Limits within which a step counts as good: position in metres, rotation in radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Metres.
    pub position: f64,
    /// Radians.
    pub rotation: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { position: 0.03, rotation: 0.5 }
    }
}

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
    /// Joint angles of each opened hand, tree order.
    pub cost: CostConfig,
    /// What counts as good.
    pub tolerance: Tolerance,
    /// Human fingertips in the frame of the object each hand takes, by human keypoint, at lift-off.
    pub human_tips: Vec<Vec<(usize, Point3<f64>)>>,
    batch: Batch,
    journal: &'a mut dyn Journal,
    observer: &'a dyn Observer,
    asked: usize,
    /// Physics steps so far.
    pub sim_steps: u64,
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
            sim_steps: 0,
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
        if let Some(mut answer) = self.journal.recall(index) {
            if let Some(steps) = answer.pop() {
                self.sim_steps += steps as u64;
                return Ok(answer);
            }
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
        Ok(rows.chunks_exact(Outcome::WIDTH).map(Outcome::from_row).collect())
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
        let approach_end = plan.lift_step.saturating_sub(
            ((plan.phases.close + plan.phases.hold) / plan.dt()).round() as usize,
        );
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
                    self.errors(plan, qpos, split).0 < 0.05 && self.batch.fate(i) == Fate::Fine
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
            outcomes.push(self.judge(plan, &path, from, to, open_penetration[index]));
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

    /// Largest position (m) and rotation (rad) error over the objects after `step` steps.
    fn errors(&self, plan: &Plan<'_>, qpos: &[f64], step: usize) -> (f64, f64) {
        let mut worst = (0.0f64, 0.0f64);
        for (object, path) in plan.reference.iter().enumerate() {
            let target = &path[step.min(path.len() - 1)];
            let real = self.scene.world_from_object(object, qpos);
            worst.0 = worst.0.max(pose::distance_between(&real, target));
            worst.1 = worst.1.max(pose::angle_between(&real, target));
        }
        worst
    }

    /// Judges the joint positions after steps `from + 1 ..`; a path shorter than the window was
    /// given up and counts as lost from there on.
    fn judge(
        &self,
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
        let mut tip_gap = 0.0;
        let mut style = 0.0;
        for k in 0..count {
            let step = from + k + 1;
            let (position, rotation) = match path.get(k * nq..(k + 1) * nq) {
                Some(qpos) => {
                    if step == plan.lift_step.min(to) {
                        (tip_gap, style) = self.fingertips(qpos);
                    }
                    self.errors(plan, qpos, step)
                }
                None => (2.0 * clip, 1.0),
            };
            let error = (position + METRES_PER_RADIAN * rotation).min(2.0);
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
        let cost = sum / weights
            + self.cost.max_error * max_error.min(2.0 * clip)
            + self.cost.open_penetration * open_penetration
            + self.cost.tip_gap * tip_gap
            + self.cost.style * style;
        Outcome {
            cost,
            max_position,
            max_rotation,
            good: good as f64 / count as f64,
            open_penetration,
            tip_gap,
            style,
            first_bad,
        }
    }

    /// Gap of the thumb and the two nearest fingers to the surface, and mean distance of tips to
    /// the human's, both metres, worst and mean over hands.
    fn fingertips(&self, qpos: &[f64]) -> (f64, f64) {
        const TIP_RADIUS: f64 = 0.012;
        let (mut gap, mut style) = (0.0f64, 0.0);
        for (index, hand) in self.hands.iter().enumerate() {
            let root = self.scene.world_from_root(index, qpos);
            let bodies = hand.tree.forward(&self.scene.joints(index, qpos));
            let object = self.object_of(index);
            let object_from_world = self.scene.world_from_object(object, qpos).inverse();
            let mut fingers = Vec::new();
            let (mut thumb, mut offset, mut count) = (0.0f64, 0.0, 0usize);
            for tip in tips(hand) {
                let point = object_from_world * (root * (bodies[tip.body] * tip.point));
                let distance =
                    (self.objects[object].surface.closest(&point).distance - TIP_RADIUS).max(0.0);
                if tip.keypoint == 4 { thumb = distance } else { fingers.push(distance) }
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

    fn object_of(&self, hand: usize) -> usize {
        if self.objects.len() == 1 { 0 } else { hand.min(self.objects.len() - 1) }
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

/// Settings of a cross-entropy search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CemConfig {
    /// Trials per iteration.
    pub trials: usize,
    /// Most iterations.
    pub iterations: usize,
    /// Fraction of trials that set the next distribution.
    pub elite: f64,
    /// Stops when the best trial stays below this position error, metres, ...
    pub good_position: f64,
    /// ... and this rotation error, radians.
    pub good_rotation: f64,
}

/// A distribution over parameters and the best found so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Mean.
    pub mean: Vec<f64>,
    /// Standard deviation.
    pub sigma: Vec<f64>,
    /// Best parameters so far.
    pub best: Vec<f64>,
    /// Their outcome.
    pub outcome: Option<Outcome>,
    /// The best few of the last iteration, best first.
    pub elites: Vec<(Vec<f64>, Outcome)>,
}

/// Standard deviations of the first iteration for one hand: 1.5 cm, 0.25 rad, 0.35 of the squeeze,
/// 0.25 rad per finger target, no change of the release.
pub fn first_sigma(plan: &Plan<'_>) -> Vec<f64> {
    let mut sigma = Vec::with_capacity(plan.parameters());
    for hand in 0..plan.grasps.len() {
        sigma.extend([0.015; 3]);
        sigma.extend([0.25; 3]);
        sigma.push(0.35);
        let fingers = plan.hand_parameters(hand) - WRIST_PARAMETERS - RELEASE_PARAMETERS;
        sigma.extend(std::iter::repeat_n(0.25, fingers));
        sigma.extend([0.0; RELEASE_PARAMETERS]);
    }
    sigma
}

impl Search {
    /// A search around zero.
    pub fn new(plan: &Plan<'_>) -> Self {
        let sigma = first_sigma(plan);
        let mean = vec![0.0; sigma.len()];
        Self { best: mean.clone(), mean, sigma, outcome: None, elites: Vec::new() }
    }

    /// Forgets costs (they belong to another window), keeps the parameters, and searches around the
    /// best with deviations `scale` times the first ones.
    pub fn around_best(&self, plan: &Plan<'_>, scale: f64) -> Self {
        let mut sigma = first_sigma(plan);
        sigma.iter_mut().for_each(|s| *s *= scale);
        Self {
            mean: self.best.clone(),
            sigma,
            best: self.best.clone(),
            outcome: None,
            elites: self.elites.clone(),
        }
    }

    /// Runs the cross-entropy method on the window `from..to` of the plan.
    ///
    /// # Errors
    /// As [`Trials::evaluate`].
    pub fn run(
        &mut self,
        trials: &mut Trials<'_>,
        plan: &Plan<'_>,
        config: &CemConfig,
        window: (usize, usize),
        open_joints: &[Vec<f64>],
        seed: u64,
        status: &str,
    ) -> Result<(), RefineError> {
        let floor: Vec<f64> = first_sigma(plan).iter().map(|s| 0.1 * s).collect();
        let mut rng = Pcg64::seed_from_u64(seed);
        for iteration in 0..config.iterations {
            let mut thetas: Vec<Vec<f64>> = Vec::with_capacity(config.trials);
            thetas.push(self.mean.clone());
            if iteration == 0 && !self.elites.is_empty() {
                let first = config.trials / 4;
                thetas.extend(self.elites.iter().take(first).map(|(theta, _)| theta.clone()));
            } else if self.outcome.is_some() {
                thetas.push(self.best.clone());
            }
            while thetas.len() < config.trials {
                let noisy = self.mean.iter().zip(&self.sigma).map(|(mean, sigma)| {
                    let z: f64 = rng.sample(StandardNormal);
                    mean + sigma * z
                });
                thetas.push(noisy.collect());
            }
            let (from, to) = window;
            let outcomes = trials.evaluate(plan, &thetas, from, to, open_joints, status)?;
            let mut order: Vec<usize> = (0..thetas.len()).collect();
            order.sort_by(|&a, &b| outcomes[a].cost.total_cmp(&outcomes[b].cost));
            let count = ((config.trials as f64 * config.elite).round() as usize).max(3);
            self.elites = order[..count.min(order.len())]
                .iter()
                .map(|&i| (thetas[i].clone(), outcomes[i]))
                .collect();
            let best = &self.elites[0];
            if self.outcome.is_none_or(|old| best.1.cost < old.cost) {
                self.best = best.0.clone();
                self.outcome = Some(best.1);
            }
            for d in 0..self.mean.len() {
                let n = self.elites.len() as f64;
                let mean = self.elites.iter().map(|(t, _)| t[d]).sum::<f64>() / n;
                let variance =
                    self.elites.iter().map(|(t, _)| (t[d] - mean).powi(2)).sum::<f64>() / n;
                self.mean[d] = mean;
                self.sigma[d] = (0.7 * variance.sqrt() + 0.3 * self.sigma[d]).max(floor[d]);
            }
            let done = self
                .outcome
                .is_some_and(|o| o.within(config.good_position, config.good_rotation));
            if done {
                break;
            }
        }
        Ok(())
    }
}

