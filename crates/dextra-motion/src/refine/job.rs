//! The search for one refinement: hypotheses, grasps, the whole path, release, repair.

use super::hypothesis::Hypothesis;
use super::journal::{Journal, Observer};
use super::outcome::{Outcome, Tolerance};
use super::plan::{self, Plan};
use super::search::{CemConfig, Search};
use super::timeline::Timeline;
use super::trials::{Quarantined, Trials, tips};
use super::{RefineConfig, RefineError, RefineInput, repair};
use dextra_core::metrics::percentile;
use dextra_core::rollout::Limits;
use dextra_core::{Pose, pose};
use dextra_sim::scene::Scene;
use dextra_sim::world::{World, replay};
use nalgebra::Point3;

/// Controls and how they were found.
pub(super) struct Found {
    pub qpos0: Vec<f64>,
    pub ctrl: Vec<f64>,
    pub hypothesis: String,
    pub grasp_changed: bool,
    pub repaired: bool,
    pub sim_steps: u64,
    pub notes: Vec<String>,
    pub quarantined: Option<Quarantined>,
}

/// Margin kept from the limits by the search: a trial is good below these position (m) and rotation
/// (rad) errors and this penetration (m).
const GOOD: (f64, f64, f64) = (0.02, 20.0 * std::f64::consts::PI / 180.0, 0.005);
/// Strict success of the whole path, likewise.
const STRICT: (f64, f64, f64) = (0.0285, 0.48, 0.008);

/// Plays the retargeted motion without planning anything.
pub(super) fn follow_motion(
    input: &RefineInput<'_>,
    schedule: &Timeline,
    scene: &Scene,
    rest: &[Pose],
) -> Found {
    let nu = scene.model.ffi().nu as usize;
    let mut ctrl = vec![0.0; schedule.steps * nu];
    let mut qpos0 = scene.default_qpos();
    for (index, pose) in rest.iter().enumerate() {
        scene.set_object(index, pose, &mut qpos0);
    }
    for (index, hand) in input.motion.hands.iter().enumerate() {
        let at = |step: usize| {
            let time = step as f64 * schedule.dt - schedule.lead_in;
            let frame = (time * input.motion.fps).round().max(0.0) as usize;
            frame.min(hand.world_from_root.len() - 1)
        };
        scene.set_hand(
            index,
            &hand.world_from_root[at(0)],
            hand.joints[at(0)].as_slice(),
            &mut qpos0,
        );
        let place = &scene.hands[index];
        let mut near = [0.0; 6];
        for step in 0..schedule.steps {
            let frame = at(step);
            near = dextra_sim::scene::root_to_wrist(place, &hand.world_from_root[frame], &near);
            let row = &mut ctrl[step * nu..(step + 1) * nu];
            for slot in 0..6 {
                row[place.wrist_ctrl[slot]] = near[slot];
            }
            let fingers = input.hands[index].ctrl(hand.joints[frame].as_slice());
            for (&address, value) in place.finger_ctrl.iter().zip(fingers) {
                row[address] = value;
            }
        }
    }
    Found {
        qpos0,
        ctrl,
        hypothesis: "retargeted motion".to_owned(),
        grasp_changed: false,
        repaired: false,
        sim_steps: schedule.steps as u64,
        notes: Vec::new(),
        quarantined: None,
    }
}

/// One refinement under way.
pub(super) struct Job<'a> {
    pub input: &'a RefineInput<'a>,
    pub config: &'a RefineConfig,
    pub schedule: &'a Timeline,
    pub scene: &'a Scene,
    pub rest: &'a [Pose],
    pub lift: usize,
}

/// A searched grasp and how the whole path went.
struct Candidate {
    hypothesis: Hypothesis,
    start: Vec<Pose>,
    search: Search,
    outcome: Outcome,
}

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
    pub fn run(
        &self,
        journal: &mut dyn Journal,
        observer: &dyn Observer,
    ) -> Result<Found, RefineError> {
        let human_tips = self.human_tips();
        let mut trials = Trials::new(
            self.scene,
            self.input.hands,
            self.input.objects,
            human_tips,
            self.config.threads,
            journal,
            observer,
        )?;
        let human = self.human_hypotheses()?;
        let mut best = self.search_all(&mut trials, &human, "grasp", 1)?;
        if !best.as_ref().is_some_and(|c| self.success(&c.outcome))
            && trials.sim_steps < self.config.step_budget
        {
            let centred = self.centred_hypotheses(&human)?;
            let other = self.search_all(&mut trials, &centred, "grasp about the centre", 2)?;
            best = self.better(best, other);
        }
        let Some(mut best) = best else {
            let mut found = follow_motion(self.input, self.schedule, self.scene, self.rest);
            found.sim_steps += trials.sim_steps;
            found.notes.push("no grasp could be fitted to the demonstrated hand".to_owned());
            return Ok(found);
        };
        self.search_release(&mut trials, &mut best)?;
        self.choose_robust(&mut trials, &mut best)?;
        let mut notes = Vec::new();
        if trials.quarantined > 0 {
            notes.push(format!(
                "{} trials of the search left the real numbers and were set aside",
                trials.quarantined
            ));
        }
        let plan = self.plan(&best.hypothesis, best.start.clone());
        let theta = best.search.best.clone();
        let mut ctrl = plan.controls(&theta, 0, self.schedule.steps);
        let qpos0 = plan.qpos_at(&theta, 0, &best.hypothesis.open_joints);
        let taken: Vec<usize> = plan.grasps.iter().map(|grasp| grasp.object).collect();
        let mut repaired = false;
        let worth = best.outcome.good > 0.35 && trials.sim_steps < self.config.step_budget;
        if !self.success(&best.outcome) && worth {
            let better = self.repair(&mut trials, &qpos0, &ctrl, &taken)?;
            if let Some(better) = better {
                ctrl = better;
                repaired = true;
            }
        }
        Ok(Found {
            qpos0,
            ctrl,
            hypothesis: best.hypothesis.name.clone(),
            grasp_changed: best.hypothesis.changed,
            repaired,
            sim_steps: trials.sim_steps,
            notes,
            quarantined: trials.first_quarantined.take(),
        })
    }

    fn plan<'p>(&'p self, hypothesis: &Hypothesis, start: Vec<Pose>) -> Plan<'p> {
        Plan {
            scene: self.scene,
            grasps: hypothesis.grasps.clone(),
            reference: &self.schedule.reference,
            rest: self.rest,
            lift_step: self.lift,
            put_step: self.schedule.put_step,
            start,
            phases: self.config.phases,
        }
    }

    /// Where each hand starts: at the retargeted pose of the first frame when the way from there to
    /// the approach is free, else already at the approach.
    fn starts(&self, trials: &Trials<'_>, hypothesis: &Hypothesis, theta: &[f64]) -> Vec<Pose> {
        let beginning = self
            .lift
            .saturating_sub((self.config.phases.before_lift() / self.schedule.dt).round() as usize);
        let mut starts: Vec<Pose> =
            self.input.motion.hands.iter().map(|hand| hand.world_from_root[0]).collect();
        let mut world = World::new(self.scene);
        for hand in 0..starts.len() {
            let plan = self.plan(hypothesis, starts.clone());
            let near = plan.world_from_root(hand, plan.of_hand(hand, theta), beginning);
            let free = (0..=10).all(|k| {
                let probe = self.plan(hypothesis, starts.clone());
                let step = beginning * k / 10;
                let qpos = probe.qpos_at(theta, step, &hypothesis.open_joints);
                trials.penetration(&mut world, &qpos) < 1e-3
            });
            if !free {
                starts[hand] = near;
            }
        }
        starts
    }

    /// Screens hypotheses, continues with the best few, and plays the whole path with each until
    /// one is good.
    fn search_all(
        &self,
        trials: &mut Trials<'_>,
        hypotheses: &[Hypothesis],
        status: &str,
        stream: u64,
    ) -> Result<Option<Candidate>, RefineError> {
        let screen = CemConfig {
            trials: 32,
            iterations: 2,
            elite: 0.15,
            good_position: self.capped(GOOD.0),
            good_rotation: GOOD.1,
            good_depth: GOOD.2,
        };
        let deepen = CemConfig { trials: 64, iterations: 11, elite: 0.12, ..screen };
        let whole_path = CemConfig { trials: 40, iterations: 4, elite: 0.15, ..screen };
        const CONTINUED: usize = 3;
        /// Fraction of good steps from which the whole path is searched for longer.
        const NEAR_MISS: f64 = 0.8;
        let dt = self.schedule.dt;
        let from =
            self.lift.saturating_sub((self.config.phases.before_lift() / dt).round() as usize);
        let path_end = self.schedule.put_step.unwrap_or(self.schedule.steps);
        let lifted = ((0.9 / dt) as usize).max((path_end.saturating_sub(self.lift)) * 35 / 100);
        let to = (self.lift + lifted).min(self.schedule.steps);
        let mut screened: Vec<(usize, Search)> = Vec::new();
        for (index, hypothesis) in hypotheses.iter().enumerate() {
            let plan = self.plan(hypothesis, self.no_starts());
            let mut search = Search::new(&plan);
            search.run(
                trials,
                &plan,
                &screen,
                (from, to),
                &hypothesis.open_joints,
                self.stream(stream, index, 0),
                &format!("{status}: {}", hypothesis.name),
            )?;
            screened.push((index, search));
        }
        let cost = |search: &Search| search.outcome.map_or(f64::INFINITY, |o| o.cost);
        screened.sort_by(|a, b| cost(&a.1).total_cmp(&cost(&b.1)));
        let mut best: Option<Candidate> = None;
        for (index, mut search) in screened.into_iter().take(CONTINUED) {
            let hypothesis = &hypotheses[index];
            let good = |s: &Search| {
                s.outcome.is_some_and(|o| o.within(screen.good_position, GOOD.1, GOOD.2))
            };
            if !good(&search) {
                let plan = self.plan(hypothesis, self.no_starts());
                search.run(
                    trials,
                    &plan,
                    &deepen,
                    (from, to),
                    &hypothesis.open_joints,
                    self.stream(stream, index, 1),
                    &format!("{status}: {}", hypothesis.name),
                )?;
            }
            let start = self.starts(trials, hypothesis, &search.best);
            let plan = self.plan(hypothesis, start.clone());
            let mut whole = search.around_best(&plan, 0.35);
            // A near miss is worth more than the next hypothesis.
            for part in 2..5 {
                whole.run(
                    trials,
                    &plan,
                    &whole_path,
                    (0, self.schedule.steps),
                    &hypothesis.open_joints,
                    self.stream(stream, index, part),
                    &format!("whole path: {}", hypothesis.name),
                )?;
                if whole.outcome.is_none_or(|o| o.good < NEAR_MISS || self.success(&o))
                    || trials.sim_steps > self.config.step_budget
                {
                    break;
                }
            }
            if let Some(outcome) = whole.outcome {
                let candidate =
                    Candidate { hypothesis: hypothesis.clone(), start, search: whole, outcome };
                best = self.better(best, Some(candidate));
            }
            if best.as_ref().is_some_and(|c| self.success(&c.outcome))
                || trials.sim_steps > self.config.step_budget
            {
                break;
            }
        }
        Ok(best)
    }

    /// Searches chiefly the release when the object is lost after it was put down.
    fn search_release(
        &self,
        trials: &mut Trials<'_>,
        best: &mut Candidate,
    ) -> Result<(), RefineError> {
        let release = CemConfig {
            trials: 40,
            iterations: 4,
            elite: 0.15,
            good_position: self.capped(GOOD.0),
            good_rotation: GOOD.1,
            good_depth: GOOD.2,
        };
        let Some(put) = self.schedule.put_step else { return Ok(()) };
        if self.success(&best.outcome) || best.outcome.first_bad < put as f64 {
            return Ok(());
        }
        let plan = self.plan(&best.hypothesis, best.start.clone());
        let mut search = best.search.around_best(&plan, 0.1);
        let mut at = 0;
        for hand in 0..plan.grasps.len() {
            at += plan.hand_parameters(hand);
            search.sigma[at - plan::RELEASE_PARAMETERS..at].fill(0.04);
        }
        search.elites.clear();
        search.run(
            trials,
            &plan,
            &release,
            (0, self.schedule.steps),
            &best.hypothesis.open_joints,
            self.stream(9, 0, 0),
            "release",
        )?;
        if let Some(outcome) = search.outcome.filter(|o| o.cost < best.outcome.cost) {
            best.outcome = outcome;
            best.search = search;
        }
        Ok(())
    }

    /// Among the successful elites of the whole path, takes the one that fares best when the world
    /// is not quite as planned.
    fn choose_robust(
        &self,
        trials: &mut Trials<'_>,
        best: &mut Candidate,
    ) -> Result<(), RefineError> {
        const CHOICE: usize = 6;
        if !self.success(&best.outcome) {
            return Ok(());
        }
        let mut choice = vec![(best.search.best.clone(), best.outcome)];
        for elite in &best.search.elites {
            if self.success(&elite.1) && choice.iter().all(|(theta, _)| *theta != elite.0) {
                choice.push(elite.clone());
            }
        }
        choice.truncate(CHOICE);
        let plan = self.plan(&best.hypothesis, best.start.clone());
        let thetas: Vec<Vec<f64>> = choice.iter().map(|(theta, _)| theta.clone()).collect();
        let open = &best.hypothesis.open_joints;
        let scores = trials.fragility(&plan, &thetas, self.schedule.steps, open)?;
        let sturdiest = (0..scores.len()).min_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        if let Some(index) = sturdiest {
            (best.search.best, best.outcome) = choice.swap_remove(index);
        }
        Ok(())
    }

    /// Receding-horizon repair; `None` when it does not help.
    fn repair(
        &self,
        trials: &mut Trials<'_>,
        qpos0: &[f64],
        ctrl: &[f64],
        taken: &[usize],
    ) -> Result<Option<Vec<f64>>, RefineError> {
        let nu = self.scene.model.ffi().nu as usize;
        let mut world = World::new(self.scene);
        world.reset(qpos0);
        for row in ctrl.chunks_exact(nu).take(self.lift) {
            world.step(row);
        }
        let tips_in_object: Vec<Vec<Point3<f64>>> = self
            .input
            .hands
            .iter()
            .enumerate()
            .map(|(index, hand)| {
                let object_from_world =
                    self.scene.world_from_object(taken[index], world.qpos()).inverse();
                let root = self.scene.world_from_root(index, world.qpos());
                let bodies = hand.tree.forward(&self.scene.joints(index, world.qpos()));
                tips(hand)
                    .iter()
                    .map(|tip| object_from_world * (root * (bodies[tip.body] * tip.point)))
                    .collect()
            })
            .collect();
        let target = repair::Target {
            reference: &self.schedule.reference,
            tips_in_object: &tips_in_object,
            taken,
            holding: (self.lift, self.schedule.put_step.unwrap_or(self.schedule.steps)),
        };
        let from = self
            .lift
            .saturating_sub((self.config.phases.before_lift() / self.schedule.dt).round() as usize);
        let mut best: Option<Vec<f64>> = None;
        let mut best_result = self.replayed(qpos0, ctrl);
        let mut base = ctrl.to_vec();
        for round in 0..2 {
            let seed = self.stream(17, round, 0);
            let improved =
                repair::repair(trials, &target, qpos0, &base, from, &self.config.repair, seed)?;
            let result = self.replayed(qpos0, &improved);
            trials.sim_steps += self.schedule.steps as u64;
            if result > best_result {
                best_result = result;
                best = Some(improved.clone());
                base = improved;
            }
            if best_result.good >= 1.0 {
                break;
            }
        }
        Ok(best)
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

    /// How far the object that is moved least is meant to go, metres; infinite when none goes far
    /// enough to tell (it only turns).
    fn travel(&self) -> f64 {
        const RESTING: f64 = 0.005;
        let furthest = |path: &Vec<Pose>| {
            path.iter().map(|p| pose::distance_between(p, &path[0])).fold(0.0, f64::max)
        };
        let moved = self.schedule.reference.iter().map(furthest).filter(|&way| way > RESTING);
        moved.fold(f64::INFINITY, f64::min)
    }

    /// Largest position error of a success below `limit`: a third of the way that the object is
    /// meant to go, for an object left on the table must not count as carried.
    fn capped(&self, limit: f64) -> f64 {
        limit.min(self.travel() / 3.0)
    }

    /// True for a trial within the strict limits.
    fn success(&self, outcome: &Outcome) -> bool {
        outcome.within(self.capped(STRICT.0), STRICT.1, STRICT.2)
    }

    /// The candidate that succeeds, then the one with more good steps, then the cheaper.
    fn better(&self, a: Option<Candidate>, b: Option<Candidate>) -> Option<Candidate> {
        let key = |c: &Candidate| (self.success(&c.outcome), c.outcome.good, -c.outcome.cost);
        match (a, b) {
            (Some(a), Some(b)) => Some(if key(&b) > key(&a) { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    fn no_starts(&self) -> Vec<Pose> {
        self.input.motion.hands.iter().map(|hand| hand.world_from_root[0]).collect()
    }

    /// A seed of its own for every search.
    fn stream(&self, stream: u64, index: usize, part: u64) -> u64 {
        let mixed = self.config.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03)
            ^ (index as u64).wrapping_mul(0xA24B_AED4_963E_E407)
            ^ part.wrapping_mul(0x9FB2_1C65_1E98_DF25);
        mixed ^ (mixed >> 29)
    }
}
