//! Trials in physics: what a plan does and how well.

use super::RefineError;
use super::journal::{Journal, Observer};
use super::judge::Judge;
use super::outcome::Outcome;
use super::plan::Plan;
use crate::evaluate::Played;
use dextra_core::demonstration::keypoint;
use dextra_sim::batch::{Batch, Fate};
use dextra_sim::hand::Hand;
use dextra_sim::scene::Scene;
use dextra_sim::world::World;
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
        .filter(|link| keypoint::TIPS.contains(&link.keypoint))
        .filter_map(|link| {
            let body = hand.tree.body(&link.at.body)?;
            Some(Tip { body, point: link.at.point_in_body, keypoint: link.keypoint })
        })
        .collect()
}

/// Where trials start and what part of the plan they play.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// First step.
    pub from: usize,
    /// Step at which the trial ends.
    pub to: usize,
    /// State at `from`, the same for all trials; without it, hands start where the plan has them, open
    /// and at rest, and objects where they rest.
    pub state: Option<&'a [f64]>,
    /// First hold that is judged; earlier ones are over or have been found.
    pub first_hold: usize,
}

/// Runs trials of plans in one scene.
pub struct Trials<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// Hands of the scene, in its order.
    pub hands: &'a [&'a Hand],
    /// How trials are judged.
    pub judge: Judge<'a>,
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
        judge: Judge<'a>,
        threads: usize,
        journal: &'a mut dyn Journal,
        observer: &'a dyn Observer,
    ) -> Result<Self, RefineError> {
        Ok(Self {
            scene,
            hands,
            judge,
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

    /// Tries every parameter vector in a window of the plan.
    ///
    /// # Errors
    /// As [`Trials::journaled`].
    pub fn evaluate(
        &mut self,
        plan: &Plan<'_>,
        thetas: &[Vec<f64>],
        window: &Window<'_>,
        status: &str,
    ) -> Result<Vec<Outcome>, RefineError> {
        let rows = self.journaled(status, |trials| {
            let mut rows = Vec::with_capacity(thetas.len() * Outcome::WIDTH);
            for chunk in thetas.chunks(MAX_TRIALS) {
                for outcome in trials.run(plan, chunk, window)? {
                    rows.extend(outcome.to_row());
                }
            }
            Ok(rows)
        })?;
        let outcomes: Vec<Outcome> =
            rows.chunks_exact(Outcome::WIDTH).map(Outcome::from_row).collect();
        // Counted here, so that recalled trials count like new ones.
        for (theta, _) in thetas.iter().zip(&outcomes).filter(|(_, outcome)| outcome.broken) {
            self.quarantined += 1;
            if self.first_quarantined.is_none() {
                let qpos0 = plan.qpos_at(theta, 0);
                let ctrl = plan.controls(theta, 0, window.to, &qpos0);
                self.first_quarantined = Some(Quarantined { qpos0, ctrl });
            }
        }
        Ok(outcomes)
    }

    fn run(
        &mut self,
        plan: &Plan<'_>,
        thetas: &[Vec<f64>],
        window: &Window<'_>,
    ) -> Result<Vec<Outcome>, RefineError> {
        let (from, to) = (window.from, window.to);
        let nq = self.scene.model.ffi().nq as usize;
        let mut world = World::new(self.scene);
        let mut starts = Vec::with_capacity(thetas.len());
        let mut open_penetration = Vec::with_capacity(thetas.len());
        for (index, theta) in thetas.iter().enumerate() {
            open_penetration.push(self.judge.open_penetration(&mut world, plan, theta, window));
            match window.state {
                Some(state) => {
                    world.set_state(state);
                    self.batch.set_state(index, state)?;
                }
                None => {
                    world.reset(&plan.qpos_at(theta, from));
                    self.batch.set_state(index, &world.state())?;
                }
            }
            starts.push(world.qpos().to_vec());
        }
        let first_take = plan.holds().get(window.first_hold).map_or(from, |hold| hold.take);
        let split = first_take.clamp(from, to);
        let all: Vec<usize> = (0..thetas.len()).collect();
        let before = self.rollout(plan, thetas, &starts, &all, (from, split))?;
        let span = (split - from) * nq;
        // Trials that already lost the object need no lift.
        let alive: Vec<usize> = all
            .iter()
            .copied()
            .filter(|&i| {
                let end = before[i * span..(i + 1) * span].chunks_exact(nq).next_back();
                self.batch.fate(i) == Fate::Fine
                    && end.is_none_or(|qpos| self.judge.errors(plan, qpos, split).0 < 0.05)
            })
            .collect();
        for &index in alive.iter().filter(|_| span > 0) {
            let end = &before[(index + 1) * span - nq..(index + 1) * span];
            starts[index].copy_from_slice(end);
        }
        let after = self.rollout(plan, thetas, &starts, &alive, (split, to))?;
        let rest = (to - split) * nq;
        let mut outcomes = Vec::with_capacity(thetas.len());
        for index in 0..thetas.len() {
            let mut path = before[index * span..(index + 1) * span].to_vec();
            if let Some(slot) = alive.iter().position(|&i| i == index) {
                path.extend_from_slice(&after[slot * rest..(slot + 1) * rest]);
            }
            let broken = self.batch.fate(index) != Fate::Fine;
            if broken {
                path.clear();
            }
            let outcome =
                self.judge.outcome(&mut world, plan, &path, window, open_penetration[index]);
            outcomes.push(Outcome { broken, ..outcome });
        }
        Ok(outcomes)
    }

    fn rollout(
        &mut self,
        plan: &Plan<'_>,
        thetas: &[Vec<f64>],
        starts: &[Vec<f64>],
        which: &[usize],
        (from, to): (usize, usize),
    ) -> Result<Vec<f64>, RefineError> {
        let mut ctrl = Vec::new();
        for &index in which {
            ctrl.extend(plan.controls(&thetas[index], from, to, &starts[index]));
        }
        self.sim_steps += (which.len() * (to - from)) as u64;
        Ok(self.batch.rollout(which, to - from, &ctrl)?)
    }

    /// The state in which the plan arrives at `step`, played from the start.
    pub fn state_at(&mut self, plan: &Plan<'_>, theta: &[f64], step: usize) -> Box<[f64]> {
        let nu = self.scene.model.ffi().nu as usize;
        let qpos0 = plan.qpos_at(theta, 0);
        let mut world = World::new(self.scene);
        world.reset(&qpos0);
        for row in plan.controls(theta, 0, step, &qpos0).chunks_exact(nu) {
            world.step(row);
        }
        self.sim_steps += step as u64;
        world.state()
    }

    /// How each parameter vector fares when the world is not quite as planned: the mean over
    /// variants of the largest object position error while carrying, metres, clipped at 10 cm.
    ///
    /// Variants: objects displaced by 7 mm in four directions, friction lowered by a fifth, half the
    /// time step.
    ///
    /// # Errors
    /// As [`Trials::journaled`].
    pub fn fragility(
        &mut self,
        plan: &Plan<'_>,
        thetas: &[Vec<f64>],
    ) -> Result<Vec<f64>, RefineError> {
        const OFFSET: f64 = 0.007;
        const FRICTION: f64 = 0.8;
        /// Position error at which the object counts as lost, metres.
        const LOST: f64 = 0.1;
        self.journaled("robustness", |trials| {
            let steps = plan.schedule.steps;
            let nq = trials.scene.model.ffi().nq as usize;
            let nu = trials.scene.model.ffi().nu as usize;
            let carried = Played::carrying(plan.schedule);
            let judge = &trials.judge;
            let worst = |path: &[f64], stride: usize, fate: &Fate| {
                if *fate != Fate::Fine {
                    return LOST;
                }
                (carried.0.max(1)..=carried.1)
                    .map(|step| {
                        let state = step * stride;
                        let qpos = path.get((state - 1) * nq..state * nq);
                        qpos.map_or(LOST, |qpos| judge.errors(plan, qpos, step).0)
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
                let start = plan.qpos_at(theta, 0);
                let ctrl = plan.controls(theta, 0, steps, &start);
                let offsets =
                    [(OFFSET, 0.0), (-OFFSET, 0.0), (0.0, OFFSET), (0.0, -OFFSET), (0.0, 0.0)];
                for (index, (x, y)) in offsets.into_iter().enumerate() {
                    let mut qpos = start.clone();
                    for object in trials.scene.free_objects() {
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

    /// The batch that runs the trials.
    pub fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }
}
