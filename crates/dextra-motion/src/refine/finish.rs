//! What follows when grasps are found: the release, the sturdiest of the successful, repair.

use super::RefineError;
use super::job::{Candidate, Found, Job};
use super::outcome::Tolerance;
use super::plan::{Plan, RELEASE_PARAMETERS};
use super::repair::{self, HeldTips};
use super::search::CemConfig;
use super::trials::{Trials, Window, tips};
use dextra_core::metrics::percentile;
use dextra_core::pose;
use dextra_core::rollout::Limits;
use dextra_sim::world::{World, replay};

/// Mean of the worst errors over the variants of [`Trials::fragility`] below which a trajectory counts
/// as sturdy in the search, metres.
const STURDY: f64 = 0.02;

/// The worth of played controls; compared field by field, in this order.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Replayed {
    /// Whether penetration stays within the limits of acceptance.
    shallow: bool,
    /// Fraction of good states.
    good: f64,
    /// Largest position error, negated, metres.
    nearness: f64,
}

impl Job<'_> {
    /// Improves the found grasps where they fall short and turns them into controls.
    pub(super) fn finish(
        &self,
        trials: &mut Trials<'_>,
        best: &mut Candidate,
        names: Vec<String>,
        grasp_changed: bool,
    ) -> Result<Found, RefineError> {
        if names.len() > 1 {
            self.polish(trials, best)?;
        }
        self.search_release(trials, best)?;
        let mut fragility = self.choose_robust(trials, best)?;
        let mut part = 0;
        while self.config.robust
            && fragility.is_some_and(|fragility| fragility > STURDY)
            && trials.sim_steps < self.config.step_budget
        {
            self.search_sturdier(trials, best, part)?;
            fragility = self.choose_robust(trials, best)?;
            part += 1;
        }
        let mut notes = Vec::new();
        if trials.quarantined > 0 {
            notes.push(format!(
                "{} trials of the search left the real numbers and were set aside",
                trials.quarantined
            ));
        }
        let plan = self.whole_plan(best);
        let theta = best.search.best.clone();
        let qpos0 = plan.qpos_at(&theta, 0);
        let mut ctrl = plan.controls(&theta, 0, self.schedule.steps, &qpos0);
        let mut repaired = false;
        let worth = best.outcome.good > 0.35 && trials.sim_steps < self.config.step_budget;
        if !self.success(&best.outcome)
            && worth
            && let Some(better) = self.repair(trials, &plan, &qpos0, &ctrl)?
        {
            ctrl = better;
            repaired = true;
        }
        Ok(Found {
            qpos0,
            ctrl,
            hypothesis: names.join("; "),
            grasp_changed,
            repaired,
            sim_steps: trials.sim_steps,
            grasps: plan.played_grasps(&theta),
            notes,
            quarantined: trials.first_quarantined.take(),
        })
    }

    /// The plan of all holds.
    fn whole_plan(&self, best: &Candidate) -> Plan<'_> {
        let prefix = &best.prefix;
        self.plan_of(prefix.grasps.clone(), prefix.at_take.clone(), prefix.start.clone())
    }

    /// The whole of the path from its beginning.
    fn everything(&self) -> Window<'_> {
        Window { from: 0, to: self.schedule.steps, state: None, first_hold: 0 }
    }

    fn config(&self, iterations: usize) -> CemConfig {
        CemConfig { trials: 40, iterations, elite: 0.15, good: self.good() }
    }

    /// Searches all holds together round what the stages found one by one.
    fn polish(&self, trials: &mut Trials<'_>, best: &mut Candidate) -> Result<(), RefineError> {
        let plan = self.whole_plan(best);
        let mut search = best.search.around_best(&plan, 0.1, 0);
        search.elites.clear();
        for part in 0..3 {
            let seed = self.stream(11, 0, part);
            let config = self.config(2);
            search.run(trials, &plan, &config, &self.everything(), seed, "all holds together")?;
            let done = search.outcome.is_none_or(|o| self.success(&o));
            if done || trials.sim_steps > self.config.step_budget {
                break;
            }
        }
        if let Some(outcome) = search.outcome {
            best.outcome = outcome;
            best.search = search;
        }
        Ok(())
    }

    /// Searches chiefly the release when the object is lost after it was put down.
    fn search_release(
        &self,
        trials: &mut Trials<'_>,
        best: &mut Candidate,
    ) -> Result<(), RefineError> {
        let Some(put) = self.schedule.put_step() else { return Ok(()) };
        if self.success(&best.outcome) || best.outcome.first_bad < put as f64 {
            return Ok(());
        }
        let plan = self.whole_plan(best);
        let mut search = best.search.around_best(&plan, 0.1, 0);
        for hold in 0..plan.grasps.len() {
            let end = plan.range(hold).end;
            search.sigma[end - RELEASE_PARAMETERS..end].fill(0.04);
        }
        search.elites.clear();
        let seed = self.stream(9, 0, 0);
        search.run(trials, &plan, &self.config(4), &self.everything(), seed, "release")?;
        if let Some(outcome) = search.outcome.filter(|o| o.cost < best.outcome.cost) {
            best.outcome = outcome;
            best.search = search;
        }
        Ok(())
    }

    /// Draws more successful trials round the best, for a sturdier one to be among them.
    fn search_sturdier(
        &self,
        trials: &mut Trials<'_>,
        best: &mut Candidate,
        part: u64,
    ) -> Result<(), RefineError> {
        let plan = self.whole_plan(best);
        let mut search = best.search.around_best(&plan, 0.35, 0);
        search.elites.clear();
        let config = CemConfig { trials: 64, elite: 0.2, ..self.config(1) };
        let seed = self.stream(13, 0, part);
        search.run(trials, &plan, &config, &self.everything(), seed, "sturdier")?;
        search.best.clone_from(&best.search.best);
        best.search = search;
        Ok(())
    }

    /// Among the successful elites of the whole path, takes the one that fares best when the world
    /// is not quite as planned; its [`Trials::fragility`], when any succeeds.
    fn choose_robust(
        &self,
        trials: &mut Trials<'_>,
        best: &mut Candidate,
    ) -> Result<Option<f64>, RefineError> {
        const CHOICE: usize = 8;
        if !self.success(&best.outcome) {
            return Ok(None);
        }
        let mut choice = vec![(best.search.best.clone(), best.outcome)];
        for elite in &best.search.elites {
            if self.success(&elite.1) && choice.iter().all(|(theta, _)| *theta != elite.0) {
                choice.push(elite.clone());
            }
        }
        choice.truncate(CHOICE);
        let plan = self.whole_plan(best);
        let thetas: Vec<Vec<f64>> = choice.iter().map(|(theta, _)| theta.clone()).collect();
        let scores = trials.fragility(&plan, &thetas)?;
        let sturdiest = (0..scores.len()).min_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        if let Some(index) = sturdiest {
            (best.search.best, best.outcome) = choice.swap_remove(index);
        }
        Ok(sturdiest.map(|index| scores[index]))
    }

    /// Receding-horizon repair; `None` when it does not help.
    fn repair(
        &self,
        trials: &mut Trials<'_>,
        plan: &Plan<'_>,
        qpos0: &[f64],
        ctrl: &[f64],
    ) -> Result<Option<Vec<f64>>, RefineError> {
        let holds = self.held_tips(plan, qpos0, ctrl);
        let target = repair::Target { reference: &self.schedule.reference, holds: &holds };
        let from = (0..plan.grasps.len()).map(|hold| plan.approach_step(hold)).min().unwrap_or(0);
        let mut best: Option<Vec<f64>> = None;
        let mut best_result = self.replayed(qpos0, ctrl);
        let mut base = ctrl.to_vec();
        for round in 0..2 {
            let seed = self.stream(17, round, 0);
            let (config, budget) = (&self.config.repair, self.config.step_budget);
            let improved =
                repair::repair(trials, &target, qpos0, &base, from, config, budget, seed)?;
            let result = self.replayed(qpos0, &improved);
            trials.sim_steps += self.schedule.steps as u64;
            if result > best_result {
                best_result = result;
                best = Some(improved.clone());
                base = improved;
            }
            let spent = trials.sim_steps >= self.config.step_budget;
            if best_result.good >= 1.0 || best.is_none() || spent {
                break;
            }
        }
        Ok(best)
    }

    /// Where the tips of each rigid hold are when it begins.
    fn held_tips(&self, plan: &Plan<'_>, qpos0: &[f64], ctrl: &[f64]) -> Vec<HeldTips> {
        let nu = self.scene.model.ffi().nu as usize;
        let mut world = World::new(self.scene);
        world.reset(qpos0);
        let mut held = Vec::new();
        for (step, row) in ctrl.chunks_exact(nu).enumerate() {
            for (hold, grasp) in plan.grasps.iter().enumerate() {
                if plan.holds()[hold].take != step || !grasp.roll.is_empty() {
                    continue;
                }
                let hand = self.input.hands[grasp.hand];
                let object_from_world =
                    self.scene.world_from_object(grasp.object, world.qpos()).inverse();
                let root = self.scene.world_from_root(grasp.hand, world.qpos());
                let bodies = hand.tree.forward(&self.scene.joints(grasp.hand, world.qpos()));
                let until = plan.holds()[hold].release.unwrap_or(self.schedule.steps);
                held.push(HeldTips {
                    hand: grasp.hand,
                    object: grasp.object,
                    steps: (step, until),
                    tips_in_object: tips(hand)
                        .iter()
                        .map(|tip| object_from_world * (root * (bodies[tip.body] * tip.point)))
                        .collect(),
                });
            }
            world.step(row);
        }
        held
    }

    /// How controls fare when they are played from the start, as they will be judged.
    fn replayed(&self, qpos0: &[f64], ctrl: &[f64]) -> Replayed {
        let rollout =
            replay(self.scene, &self.scene.model, self.input.hands, qpos0, ctrl, self.config.seed);
        let limits = Limits::default();
        let touching = rollout.contacts.iter().filter(|c| c.hand_object_count > 0);
        let depths: Vec<f64> =
            touching.map(|c| c.hand_object_penetration.max(c.self_penetration)).collect();
        let depth = percentile(&depths, 99.0).unwrap_or(0.0);
        let (mut good, mut worst) = (0usize, 0.0f64);
        for state in 0..rollout.qpos.len() {
            let mut within = true;
            for (object, reference) in rollout.objects.iter().zip(&self.schedule.reference) {
                let real = &object.world_from_object[state];
                let position = pose::distance_between(real, &reference[state]);
                let rotation = pose::angle_between(real, &reference[state]);
                worst = worst.max(position);
                within &= Tolerance::default().holds(position, rotation);
            }
            good += usize::from(within);
        }
        Replayed {
            shallow: limits.object_penetration.is_none_or(|most| depth < most),
            good: good as f64 / (self.schedule.steps + 1) as f64,
            nearness: -worst,
        }
    }
}
