//! The search for one refinement: stage after stage, and in each of them hypotheses, grasps, the path.

use super::hypothesis::Hypothesis;
use super::journal::{Journal, Observer};
use super::judge::{HumanHold, Judge};
use super::outcome::{CostConfig, Margin, Outcome, Tolerance};
use super::plan::{Grasp, IdlePath, Plan};
use super::search::{CemConfig, Search};
use super::stage::{Prefix, Stage};
use super::timeline::Timeline;
use super::trials::{Quarantined, Trials};
use super::{RefineConfig, RefineError, RefineInput, follow};
use dextra_core::{Pose, pose};
use dextra_sim::scene::Scene;
use dextra_sim::world::World;

/// Controls and how they were found.
pub(super) struct Found {
    pub qpos0: Vec<f64>,
    pub ctrl: Vec<f64>,
    pub hypothesis: String,
    pub grasp_changed: bool,
    pub repaired: bool,
    pub sim_steps: u64,
    pub grasps: Vec<Grasp>,
    pub notes: Vec<String>,
    pub quarantined: Option<Quarantined>,
}

const DEG: f64 = std::f64::consts::PI / 180.0;
/// Margin kept from the limits while a grasp is searched.
const GOOD: Margin =
    Margin { position: 0.02, rotation: 20.0 * DEG, penetration: 0.003, self_penetration: 0.002 };
/// Strict success of the whole path.
const STRICT: Margin =
    Margin { position: 0.0285, rotation: 0.48, penetration: 0.005, self_penetration: 0.004 };

/// One refinement under way.
pub(super) struct Job<'a> {
    pub input: &'a RefineInput<'a>,
    pub config: &'a RefineConfig,
    pub schedule: &'a Timeline,
    pub scene: &'a Scene,
    pub rest: &'a [Pose],
    /// The human's hands during the holds of the schedule.
    pub human: &'a [HumanHold],
    /// What each hand does without a hold.
    pub idle: Vec<IdlePath>,
}

/// Searched grasps of all holds up to a stage, and how their path went.
pub(super) struct Candidate {
    pub hypothesis: Hypothesis,
    pub prefix: Prefix,
    pub search: Search,
    pub outcome: Outcome,
}

impl Job<'_> {
    pub fn run(
        &self,
        journal: &mut dyn Journal,
        observer: &dyn Observer,
    ) -> Result<Found, RefineError> {
        let judge = Judge {
            scene: self.scene,
            hands: self.input.hands,
            models: self.input.models,
            objects: self.input.objects,
            human: self.human,
            cost: CostConfig {
                style: CostConfig::default().style * self.config.human_weight,
                ..CostConfig::default()
            },
            tolerance: Tolerance::default(),
        };
        let threads = self.config.threads;
        let mut trials =
            Trials::new(self.scene, self.input.hands, judge, threads, journal, observer)?;
        let Some((names, changed, mut best)) = self.stages(&mut trials)? else {
            let mut found = follow::motion(self.input, self.schedule, self.scene, self.rest);
            found.sim_steps += trials.sim_steps;
            found.notes.push("no grasp could be fitted to the demonstrated hand".to_owned());
            return Ok(found);
        };
        self.finish(&mut trials, &mut best, names, changed)
    }

    /// Searches stage after stage; the last candidate holds the parameters of all.
    fn stages(
        &self,
        trials: &mut Trials<'_>,
    ) -> Result<Option<(Vec<String>, bool, Candidate)>, RefineError> {
        let ranges = self.stage_ranges();
        let start: Vec<Pose> =
            self.input.motion.hands.iter().map(|hand| hand.world_from_root[0]).collect();
        let mut prefix = Prefix { start, ..Prefix::default() };
        let (mut names, mut changed, mut last) = (Vec::new(), false, None);
        for (index, (range, from)) in ranges.iter().enumerate() {
            let to = ranges.get(index + 1).map_or(self.schedule.steps, |next| next.1);
            let stage = self.stage(trials, &prefix, (range.clone(), *from), to);
            let share = (index as u64 + 1) * self.search_budget() / ranges.len() as u64;
            let Some(best) = self.search_stage(trials, &prefix, &stage, index as u64, share)?
            else {
                return Ok(None);
            };
            names.push(best.hypothesis.name.clone());
            changed |= best.hypothesis.changed;
            prefix = best.prefix.clone();
            prefix.theta.clone_from(&best.search.best);
            last = Some(best);
        }
        Ok(last.map(|best| (names, changed, best)))
    }

    /// Physics steps that the search for grasps may spend; the rest is for what follows.
    fn search_budget(&self) -> u64 {
        self.config.step_budget * 3 / 4
    }

    /// Human hypotheses first; where none succeeds, grasps about the object's centre.
    fn search_stage(
        &self,
        trials: &mut Trials<'_>,
        prefix: &Prefix,
        stage: &Stage,
        index: u64,
        budget: u64,
    ) -> Result<Option<Candidate>, RefineError> {
        let human = self.human_hypotheses(stage)?;
        let stream = 20 * index;
        /// Share of what is left of the budget that the human's grasps may use.
        const HUMAN_SHARE: f64 = 0.6;
        let left = budget.saturating_sub(trials.sim_steps);
        let first = trials.sim_steps + (HUMAN_SHARE * left as f64) as u64;
        let best = self.search_all(trials, prefix, stage, &human, "grasp", stream + 1, first)?;
        if best.as_ref().is_some_and(|c| self.success(&c.outcome)) || trials.sim_steps > budget {
            return Ok(best);
        }
        let centred = self.centred_hypotheses(stage, &human)?;
        let status = "grasp about the centre";
        let other = self.search_all(trials, prefix, stage, &centred, status, stream + 2, budget)?;
        Ok(self.better(best, other))
    }

    /// The plan of the earlier stages and a hypothesis for this one.
    pub(super) fn plan(&self, prefix: &Prefix, stage: &Stage, hypothesis: &Hypothesis) -> Plan<'_> {
        let grasps = prefix.grasps.iter().chain(&hypothesis.grasps).cloned().collect();
        let at_take = prefix.at_take.iter().chain(&stage.at_take).copied().collect();
        self.plan_of(grasps, at_take, prefix.start.clone())
    }

    /// Where each hand of the first stage starts: at the retargeted pose of the first frame when the
    /// way from there to the approach is free, else already at the approach.
    fn starts(&self, trials: &Trials<'_>, plan: &Plan<'_>, theta: &[f64]) -> Vec<Pose> {
        let mut starts = plan.start.clone();
        let mut world = World::new(self.scene);
        for (hold, grasp) in plan.grasps.iter().enumerate() {
            if plan.earlier(hold).is_some() {
                continue;
            }
            let beginning = plan.approach_step(hold);
            let free = (0..=10).all(|k| {
                let qpos = plan.qpos_at(theta, beginning * k / 10);
                trials.judge.hand_penetration(&mut world, grasp.hand, &qpos) < 1e-3
            });
            if !free {
                starts[grasp.hand] = plan.world_from_root(grasp.hand, theta, beginning);
            }
        }
        starts
    }

    /// Screens hypotheses, continues with the best few, and plays the whole stage with each until one
    /// is good.
    fn search_all(
        &self,
        trials: &mut Trials<'_>,
        prefix: &Prefix,
        stage: &Stage,
        hypotheses: &[Hypothesis],
        status: &str,
        stream: u64,
        budget: u64,
    ) -> Result<Option<Candidate>, RefineError> {
        let good = self.good();
        let screen = CemConfig { trials: 32, iterations: 2, elite: 0.15, good };
        let deepen = CemConfig { trials: 64, iterations: 11, elite: 0.12, good };
        let whole_path = CemConfig { trials: 40, iterations: 4, elite: 0.15, good };
        const CONTINUED: usize = 3;
        /// Fraction of good steps from which the whole path is searched for longer.
        const NEAR_MISS: f64 = 0.8;
        let first_hold = stage.holds.start;
        let short = self.screening_window(stage);
        let mut screened: Vec<(usize, Search)> = Vec::new();
        for (index, hypothesis) in hypotheses.iter().enumerate() {
            let plan = self.plan(prefix, stage, hypothesis);
            let mut search = Search::new(&plan, &prefix.theta, first_hold);
            let name = format!("{status}: {}", hypothesis.name);
            let seed = self.stream(stream, index, 0);
            search.run(trials, &plan, &screen, &stage.window(short.0, short.1), seed, &name)?;
            let known = hypothesis.remembered && search.outcome.is_some_and(|o| o.within(&good));
            screened.push((index, search));
            if known {
                break;
            }
        }
        let cost = |search: &Search| search.outcome.map_or(f64::INFINITY, |o| o.cost);
        // Where the human turned the object in the fingers, a grasp that can do so too is tried first.
        let rank = |(index, search): &(usize, Search)| {
            let rolls = hypotheses[*index].grasps.iter().any(|grasp| !grasp.roll.is_empty());
            let works = search.outcome.is_some_and(|o| o.within(&good));
            (!(rolls && works), cost(search))
        };
        screened.sort_by(|a, b| {
            let (a, b) = (rank(a), rank(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let mut best: Option<Candidate> = None;
        for (index, mut search) in screened.into_iter().take(CONTINUED) {
            let hypothesis = &hypotheses[index];
            let mut prefix = prefix.clone();
            let plan = self.plan(&prefix, stage, hypothesis);
            if !search.outcome.is_some_and(|o| o.within(&good)) {
                let name = format!("{status}: {}", hypothesis.name);
                let seed = self.stream(stream, index, 1);
                search.run(trials, &plan, &deepen, &stage.window(short.0, short.1), seed, &name)?;
            }
            if stage.state.is_none() {
                prefix.start = self.starts(trials, &plan, &search.best);
            }
            let plan = self.plan(&prefix, stage, hypothesis);
            let from = if stage.state.is_none() { 0 } else { stage.from };
            let window = stage.window(from, stage.to);
            let mut whole = search.around_best(&plan, 0.35, first_hold);
            // A near miss is worth more than the next hypothesis.
            for part in 2..5 {
                let name = format!("whole path: {}", hypothesis.name);
                let seed = self.stream(stream, index, part);
                whole.run(trials, &plan, &whole_path, &window, seed, &name)?;
                if whole.outcome.is_none_or(|o| o.good < NEAR_MISS || self.success(&o))
                    || trials.sim_steps > budget
                {
                    break;
                }
            }
            if let Some(outcome) = whole.outcome {
                let (grasps, at_take) = (plan.grasps, plan.at_take);
                let prefix = Prefix { grasps, at_take, ..prefix };
                let candidate =
                    Candidate { hypothesis: hypothesis.clone(), prefix, search: whole, outcome };
                best = self.better(best, Some(candidate));
            }
            if best.as_ref().is_some_and(|c| self.success(&c.outcome)) || trials.sim_steps > budget
            {
                break;
            }
        }
        Ok(best)
    }

    /// Approach, closing and a short carry of the holds of a stage.
    fn screening_window(&self, stage: &Stage) -> (usize, usize) {
        let dt = self.schedule.dt;
        let holds = &self.schedule.holds[stage.holds.clone()];
        let before = (self.config.phases.before_take() / dt).round() as usize;
        let approach = holds.iter().map(|hold| hold.take.saturating_sub(before)).min();
        let from = if stage.state.is_some() { stage.from } else { approach.unwrap_or(stage.from) };
        let to = holds.iter().map(|hold| {
            let end = hold.release.unwrap_or(self.schedule.steps);
            hold.take + ((0.9 / dt) as usize).max(end.saturating_sub(hold.take) * 35 / 100)
        });
        (from, to.max().unwrap_or(stage.to).min(stage.to))
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

    /// The position error of a success is at most `share` of the way that the object is meant to go,
    /// for an object left on the table must not count as carried.
    fn capped(&self, margin: Margin, share: f64) -> Margin {
        Margin { position: margin.position.min(share * self.travel()), ..margin }
    }

    pub(super) fn good(&self) -> Margin {
        self.capped(GOOD, 1.0 / 3.0)
    }

    /// True for a trial within the strict limits.
    pub(super) fn success(&self, outcome: &Outcome) -> bool {
        outcome.within(&self.capped(STRICT, 0.5))
    }

    /// The candidate that succeeds, then the one with more good steps, then the cheaper.
    fn better(&self, a: Option<Candidate>, b: Option<Candidate>) -> Option<Candidate> {
        let key = |c: &Candidate| (self.success(&c.outcome), c.outcome.good, -c.outcome.cost);
        match (a, b) {
            (Some(a), Some(b)) => Some(if key(&b) > key(&a) { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    /// A seed of its own for every search.
    pub(super) fn stream(&self, stream: u64, index: usize, part: u64) -> u64 {
        let mixed = self.config.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03)
            ^ (index as u64).wrapping_mul(0xA24B_AED4_963E_E407)
            ^ part.wrapping_mul(0x9FB2_1C65_1E98_DF25);
        mixed ^ (mixed >> 29)
    }
}
