//! Grasp first, then carry: from a demonstration to controls that hold up in physics.
//!
//! 1. Fit several hypotheses of the human's grasp to the robot hand ([`hypothesis`]).
//! 2. Search grasps round each of them in true physics, by approach, closing and a short lift
//!    ([`search`]).
//! 3. Play the whole path with the best: the wrist follows the demonstrated object assuming no slip
//!    (PKDA), the fingers hold ([`plan`]).
//! 4. Where that falls short: search the release, grasps about the object's centre, and
//!    receding-horizon sampling ([`repair`]), in this order.
//!
//! Trials run at true physics throughout. The result is the same, bit for bit, for any number of
//! threads, and an interrupted search resumes from its [`journal`].

pub mod hypothesis;
pub mod journal;
pub mod plan;
pub mod repair;
pub mod search;
pub mod timeline;

use crate::retarget::{FrameSolver, Regularisation, RetargetHand};
use dextra_core::demonstration::{Keypoints, keypoint};
use dextra_core::rollout::{Reference, Rollout};
use dextra_core::{Demonstration, Motion, Pose, pose};
use dextra_sim::batch::BatchError;
use dextra_sim::hand::Hand;
use dextra_sim::object::ObjectModel;
use dextra_sim::scene::{HandPlacement, ObjectPlacement, Scene, SceneConfig, SceneError};
use dextra_sim::world::{World, replay};
use hypothesis::{Fitter, Hypothesis, HypothesisConfig, mean_keypoints, median_keypoints};
use journal::{Journal, Observer};
use nalgebra::{Point3, Vector3};
use plan::{PhaseConfig, Plan};
use search::{CemConfig, Outcome, Search, Trials};
use timeline::{Timeline, timeline};

/// Why a refinement ended without a result. A trajectory that fails is a result, not an error.
#[derive(Debug, thiserror::Error)]
pub enum RefineError {
    /// The observer asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The scene could not be made.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// The batch refused.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The hand cannot be fitted.
    #[error(transparent)]
    Retarget(#[from] crate::retarget::RetargetError),
    /// A demonstration without objects, hands or frames.
    #[error("the demonstration `{0}` has no hand, no object or fewer than two frames")]
    Empty(String),
}

/// Settings of a refinement.
#[derive(Clone, Debug, PartialEq)]
pub struct RefineConfig {
    /// Seed of every random draw.
    pub seed: u64,
    /// Threads; 0 for one per logical processor. Does not change the result.
    pub threads: usize,
    /// Physics step, seconds.
    pub timestep: f64,
    /// Physics steps after which no further remedy is begun.
    pub step_budget: u64,
    /// Phases.
    pub phases: PhaseConfig,
    /// Hypotheses.
    pub hypotheses: HypothesisConfig,
    /// Receding-horizon repair.
    pub repair: repair::RepairConfig,
}

impl Default for RefineConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            threads: 0,
            timestep: 0.01,
            step_budget: 1_500_000,
            phases: PhaseConfig::default(),
            hypotheses: HypothesisConfig::default(),
            repair: repair::RepairConfig::default(),
        }
    }
}

/// What is refined.
pub struct RefineInput<'a> {
    /// The demonstration, already slowed to what a wrist can follow and lightly smoothed.
    pub demo: &'a Demonstration,
    /// Robot hands, one per hand of the demonstration.
    pub hands: &'a [&'a Hand],
    /// The same hands as the retargeter sees them.
    pub models: &'a [RetargetHand],
    /// Objects, in the demonstration's order.
    pub objects: &'a [ObjectModel],
    /// The kinematic reference.
    pub motion: &'a Motion,
}

/// The result: controls and what they did.
pub struct Refined {
    /// The scene they run in.
    pub scene: Scene,
    /// What the rollout is judged against.
    pub reference: Reference,
    /// The replay of the controls from a fresh reset, in true physics.
    pub rollout: Rollout,
    /// The schedule.
    pub timeline: Timeline,
    /// Which hypothesis won.
    pub hypothesis: String,
    /// True when the grasp is not a human-like one.
    pub grasp_changed: bool,
    /// True when receding-horizon sampling improved the controls.
    pub repaired: bool,
    /// Physics steps of all trials.
    pub sim_steps: u64,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Margin kept from the limits by the search: a trial is good below these.
const GOOD: (f64, f64) = (0.02, 20.0 * std::f64::consts::PI / 180.0);
/// Strict success of the whole path.
const STRICT: (f64, f64) = (0.0285, 0.48);

/// Refines a demonstration.
///
/// # Errors
/// [`RefineError`]; a trajectory that does not succeed is returned like any other, to be judged.
pub fn refine(
    input: &RefineInput<'_>,
    config: &RefineConfig,
    journal: &mut dyn Journal,
    observer: &dyn Observer,
) -> Result<Refined, RefineError> {
    let demo = input.demo;
    if demo.frames() < 2 || input.hands.is_empty() || input.objects.is_empty() {
        return Err(RefineError::Empty(demo.name.clone()));
    }
    let mut notes = Vec::new();
    let schedule = timeline(demo, &config.phases, config.timestep);
    let mut scene_config = SceneConfig::new(table_height(demo, &schedule));
    scene_config.timestep = config.timestep;
    scene_config.gravity = demo.gravity;
    let rest = settle(input, &scene_config, &schedule, &mut notes)?;
    let placements: Vec<HandPlacement<'_>> = (0..input.hands.len())
        .map(|index| placement(input, &schedule, index))
        .collect();
    let objects: Vec<ObjectPlacement<'_>> = input
        .objects
        .iter()
        .zip(&rest)
        .map(|(object, pose)| ObjectPlacement { object, world_from_object: *pose })
        .collect();
    let scene = Scene::compose(&scene_config, &placements, &objects)?;
    let found = match schedule.lift_step {
        Some(lift) => {
            let job = Job { input, config, schedule: &schedule, scene: &scene, rest: &rest, lift };
            job.run(journal, observer)?
        }
        None => {
            notes.push("no object moves: the hand plays the retargeted motion".to_owned());
            follow_motion(input, &schedule, &scene, &rest)
        }
    };
    let rollout =
        replay(&scene, &scene.model, input.hands, &found.qpos0, &found.ctrl, config.seed);
    notes.extend(found.notes);
    Ok(Refined {
        reference: schedule.judged.clone(),
        rollout,
        timeline: schedule,
        hypothesis: found.hypothesis,
        grasp_changed: found.grasp_changed,
        repaired: found.repaired,
        sim_steps: found.sim_steps,
        notes,
        scene,
    })
}

/// Controls and how they were found.
struct Found {
    qpos0: Vec<f64>,
    ctrl: Vec<f64>,
    hypothesis: String,
    grasp_changed: bool,
    repaired: bool,
    sim_steps: u64,
    notes: Vec<String>,
}

/// Height of the table: the lowest vertex of the objects while they rest before the lift.
fn table_height(demo: &Demonstration, schedule: &Timeline) -> f64 {
    let until = schedule.moving.map_or(1, |m| m.lift.max(1)).min(demo.frames());
    demo.objects
        .iter()
        .filter_map(|object| {
            let mut lowest: Vec<f64> = object.world_from_object[..until]
                .iter()
                .filter_map(|pose| {
                    object.mesh.vertices.iter().map(|v| (pose * v).z).reduce(f64::min)
                })
                .collect();
            lowest.sort_by(f64::total_cmp);
            lowest.get(lowest.len() / 2).copied()
        })
        .reduce(f64::min)
        .unwrap_or(0.0)
}

/// Lets the objects come to rest on the table without any hand.
fn settle(
    input: &RefineInput<'_>,
    config: &SceneConfig,
    schedule: &Timeline,
    notes: &mut Vec<String>,
) -> Result<Vec<Pose>, RefineError> {
    const SETTLE_S: f64 = 1.0;
    let start: Vec<Pose> = input
        .objects
        .iter()
        .enumerate()
        .map(|(index, object)| {
            let until = schedule.moving.map_or(1, |m| m.lift.max(1));
            let path = &input.demo.objects[index].world_from_object;
            let rest = dextra_core::signal::rest_pose(&path[..until.min(path.len())])
                .unwrap_or(path[0]);
            let lowest = object
                .hulls
                .iter()
                .flat_map(|hull| &hull.vertices)
                .map(|v| (rest * v).z)
                .fold(f64::INFINITY, f64::min);
            let lift = (config.table_height + 2e-4 - lowest).max(0.0);
            nalgebra::Translation3::new(0.0, 0.0, lift) * rest
        })
        .collect();
    let placements: Vec<ObjectPlacement<'_>> = input
        .objects
        .iter()
        .zip(&start)
        .map(|(object, pose)| ObjectPlacement { object, world_from_object: *pose })
        .collect();
    let scene = Scene::compose(config, &[], &placements)?;
    let mut world = World::new(&scene);
    for _ in 0..(SETTLE_S / config.timestep).round() as usize {
        world.step(&[]);
    }
    let mut rest = Vec::new();
    for (index, object) in input.objects.iter().enumerate() {
        let settled = scene.world_from_object(index, world.qpos());
        let moved = pose::distance_between(&settled, &start[index]);
        let turned = pose::angle_between(&settled, &start[index]);
        if moved > 0.005 || turned > 0.05 {
            notes.push(format!(
                "object `{}` does not rest where the demonstration starts: it settles {:.1} cm and \
                 {:.0} deg away",
                object.name,
                moved * 100.0,
                turned.to_degrees()
            ));
        }
        rest.push(settled);
    }
    Ok(rest)
}

/// Puts the wrist's hinge axes through the palm and their zero at the mean orientation while the
/// object moves.
fn placement<'a>(
    input: &RefineInput<'a>,
    schedule: &Timeline,
    index: usize,
) -> HandPlacement<'a> {
    let roots = &input.motion.hands[index].world_from_root;
    let last = roots.len() - 1;
    let (from, to) = schedule.moving.map_or((0, last), |m| (m.lift.min(last), m.last.min(last)));
    let mean = pose::mean(&roots[from..=to]).unwrap_or_else(Pose::identity);
    let model = &input.models[index];
    let palm = model.world_from_palm(&Pose::identity(), &model.middle());
    HandPlacement {
        hand: input.hands[index],
        world_from_mount: mean.rotation,
        pivot_in_root: Point3::from(palm.translation.vector),
    }
}

/// Plays the retargeted motion without planning anything.
fn follow_motion(
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
        scene.set_hand(index, &hand.world_from_root[at(0)], hand.joints[at(0)].as_slice(), &mut qpos0);
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
    }
}

/// One refinement under way.
struct Job<'a> {
    input: &'a RefineInput<'a>,
    config: &'a RefineConfig,
    schedule: &'a Timeline,
    scene: &'a Scene,
    rest: &'a [Pose],
    lift: usize,
}

/// A searched grasp and how the whole path went.
struct Candidate {
    hypothesis: Hypothesis,
    start: Vec<Pose>,
    search: Search,
    outcome: Outcome,
}

impl Job<'_> {
    fn run(
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
        if !best.as_ref().is_some_and(strict) && trials.sim_steps < self.config.step_budget {
            let centred = self.centred_hypotheses(&human)?;
            let other = self.search_all(&mut trials, &centred, "grasp about the centre", 2)?;
            best = better(best, other);
        }
        let Some(mut best) = best else {
            let mut found = follow_motion(self.input, self.schedule, self.scene, self.rest);
            found.sim_steps += trials.sim_steps;
            found.notes.push("no grasp could be fitted to the demonstrated hand".to_owned());
            return Ok(found);
        };
        self.search_release(&mut trials, &mut best)?;
        let plan = self.plan(&best.hypothesis, best.start.clone());
        let theta = best.search.best.clone();
        let mut ctrl = plan.controls(&theta, 0, self.schedule.steps);
        let qpos0 = plan.qpos_at(&theta, 0, &best.hypothesis.open_joints);
        let mut repaired = false;
        let worth = best.outcome.good > 0.35 && trials.sim_steps < self.config.step_budget;
        if !strict(&best) && worth {
            let better = self.repair(&mut trials, &qpos0, &ctrl, best.outcome)?;
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
            notes: Vec::new(),
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

    /// The object a hand takes: the one its fingertips are nearest to while objects move.
    fn object_of(&self, hand: usize) -> usize {
        if self.input.objects.len() == 1 {
            return 0;
        }
        let Some(moving) = self.schedule.moving else { return 0 };
        let frame = usize::midpoint(moving.lift, moving.last);
        let keypoints = &self.input.demo.hands[hand].keypoints_in_world[frame];
        let distance = |object: usize| {
            let inverse = self.input.demo.objects[object].world_from_object[frame].inverse();
            keypoint::TIPS
                .iter()
                .map(|&k| self.input.objects[object].surface.closest(&(inverse * keypoints[k])).distance)
                .sum::<f64>()
        };
        (0..self.input.objects.len())
            .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(0)
    }

    /// Keypoints of a hand in the frame of its object while objects move.
    fn held_track(&self, hand: usize) -> Vec<Keypoints> {
        let Some(moving) = self.schedule.moving else { return Vec::new() };
        let object = self.object_of(hand);
        (moving.lift..=moving.last)
            .map(|frame| {
                let inverse = self.input.demo.objects[object].world_from_object[frame].inverse();
                self.input.demo.hands[hand].keypoints_in_world[frame].map(|p| inverse * p)
            })
            .collect()
    }

    fn human_tips(&self) -> Vec<Vec<(usize, Point3<f64>)>> {
        (0..self.input.hands.len())
            .map(|hand| {
                let track = self.held_track(hand);
                let early = &track[..track.len().min(8)];
                let mean = mean_keypoints(early);
                keypoint::TIPS.iter().map(|&k| (k, mean[k])).collect()
            })
            .collect()
    }

    fn fitter(&self, hand: usize) -> Fitter<'_> {
        Fitter {
            scene: self.scene,
            index: hand,
            hand: self.input.hands[hand],
            model: &self.input.models[hand],
            object: self.object_of(hand),
            rest: self.rest,
            config: self.config.hypotheses,
        }
    }

    fn solver(&self, hand: usize) -> Result<FrameSolver, RefineError> {
        let weights = Regularisation {
            rest_m_per_rad: 0.006,
            smooth_joint_m_per_rad: 0.0,
            smooth_wrist: 0.0,
            smooth_wrist_m_per_rad: 0.0,
        };
        Ok(FrameSolver::new(&self.input.models[hand], weights)?)
    }

    /// Direction from which the human came, reversed: where the palm was 0.4 s before the lift.
    fn human_retreat(&self, hand: usize) -> Vector3<f64> {
        let Some(moving) = self.schedule.moving else { return Vector3::z() };
        let demo = self.input.demo;
        let palm = |frame: usize| {
            let points = &demo.hands[hand].keypoints_in_world[frame];
            nalgebra::center(&points[keypoint::WRIST], &points[keypoint::MIDDLE_MCP])
        };
        let before = moving.lift.saturating_sub((0.6 * demo.fps) as usize);
        let away = palm(before) - palm(moving.lift);
        if away.norm() > 0.02 { away } else { Vector3::z() }
    }

    /// The median of the human's grasp over the contact interval and its mean round five moments.
    fn human_hypotheses(&self) -> Result<Vec<Hypothesis>, RefineError> {
        let tracks: Vec<Vec<Keypoints>> =
            (0..self.input.hands.len()).map(|hand| self.held_track(hand)).collect();
        let mut moments: Vec<(String, Option<f64>)> = vec![("human, median".to_owned(), None)];
        for fraction in [0.05, 0.2, 0.4, 0.6, 0.8] {
            moments.push((format!("human at {:.0} %", fraction * 100.0), Some(fraction)));
        }
        let mut hypotheses = Vec::new();
        for (name, fraction) in moments {
            let mut grasps = Vec::new();
            let mut open_joints = Vec::new();
            for (hand, track) in tracks.iter().enumerate() {
                let keypoints = match fraction {
                    None => median_keypoints(track),
                    Some(fraction) => {
                        let center = (fraction * (track.len() - 1) as f64).round() as usize;
                        let (low, high) =
                            (center.saturating_sub(4), (center + 4).min(track.len() - 1));
                        mean_keypoints(&track[low..=high])
                    }
                };
                let side = self.input.demo.hands[hand].side;
                let fitted = self.fitter(hand).fit(
                    &mut self.solver(hand)?,
                    &keypoints,
                    side,
                    self.human_retreat(hand),
                    self.config.hypotheses.opening,
                );
                if let Some((grasp, open)) = fitted {
                    grasps.push(grasp);
                    open_joints.push(open);
                }
            }
            if grasps.len() == tracks.len() {
                hypotheses.push(Hypothesis { grasps, open_joints, name, changed: false });
            }
        }
        Ok(hypotheses)
    }

    /// Grasps about the object's centre, from the first human one, at several yaws and tilts.
    fn centred_hypotheses(&self, human: &[Hypothesis]) -> Result<Vec<Hypothesis>, RefineError> {
        let Some(first) = human.first() else { return Ok(Vec::new()) };
        let mut hypotheses = Vec::new();
        for (yaw_deg, tilt_deg) in
            [(0.0f64, 0.0f64), (50.0, 0.0), (-50.0, 0.0), (0.0, 40.0), (0.0, -40.0)]
        {
            let mut grasps = Vec::new();
            let mut open_joints = Vec::new();
            for (hand, grasp) in first.grasps.iter().enumerate() {
                let model = &self.input.models[hand];
                let center = self.input.objects[grasp.object].mass.com;
                let moved = self.fitter(hand).object_centred(
                    &mut self.solver(hand)?,
                    grasp,
                    &model.middle(),
                    &center,
                    yaw_deg.to_radians(),
                    tilt_deg.to_radians(),
                );
                if let Some((grasp, open)) = moved {
                    grasps.push(grasp);
                    open_joints.push(open);
                }
            }
            if grasps.len() == first.grasps.len() {
                hypotheses.push(Hypothesis {
                    grasps,
                    open_joints,
                    name: format!("about the object's centre, yaw {yaw_deg}, tilt {tilt_deg} deg"),
                    changed: true,
                });
            }
        }
        Ok(hypotheses)
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
        const SCREEN: CemConfig = CemConfig {
            trials: 32,
            iterations: 2,
            elite: 0.15,
            good_position: GOOD.0,
            good_rotation: GOOD.1,
        };
        const DEEPEN: CemConfig = CemConfig { trials: 64, iterations: 11, elite: 0.12, ..SCREEN };
        const WHOLE: CemConfig = CemConfig { trials: 40, iterations: 4, elite: 0.15, ..SCREEN };
        const CONTINUED: usize = 3;
        let dt = self.schedule.dt;
        let from = self
            .lift
            .saturating_sub((self.config.phases.before_lift() / dt).round() as usize);
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
                &SCREEN,
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
            let good = |s: &Search| s.outcome.is_some_and(|o| o.within(GOOD.0, GOOD.1));
            if !good(&search) {
                let plan = self.plan(hypothesis, self.no_starts());
                search.run(
                    trials,
                    &plan,
                    &DEEPEN,
                    (from, to),
                    &hypothesis.open_joints,
                    self.stream(stream, index, 1),
                    &format!("{status}: {}", hypothesis.name),
                )?;
            }
            let start = self.starts(trials, hypothesis, &search.best);
            let plan = self.plan(hypothesis, start.clone());
            let mut whole = search.around_best(&plan, 0.35);
            whole.run(
                trials,
                &plan,
                &WHOLE,
                (0, self.schedule.steps),
                &hypothesis.open_joints,
                self.stream(stream, index, 2),
                &format!("whole path: {}", hypothesis.name),
            )?;
            if let Some(outcome) = whole.outcome {
                let candidate =
                    Candidate { hypothesis: hypothesis.clone(), start, search: whole, outcome };
                best = better(best, Some(candidate));
            }
            if best.as_ref().is_some_and(strict) || trials.sim_steps > self.config.step_budget {
                break;
            }
        }
        Ok(best)
    }

    /// Searches the release alone when the object is lost after it was put down.
    fn search_release(
        &self,
        trials: &mut Trials<'_>,
        best: &mut Candidate,
    ) -> Result<(), RefineError> {
        const RELEASE: CemConfig = CemConfig {
            trials: 40,
            iterations: 4,
            elite: 0.15,
            good_position: GOOD.0,
            good_rotation: GOOD.1,
        };
        let Some(put) = self.schedule.put_step else { return Ok(()) };
        if strict(best) || best.outcome.first_bad < put as f64 {
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
            &RELEASE,
            (0, self.schedule.steps),
            &best.hypothesis.open_joints,
            self.stream(9, 0, 0),
            "release",
        )?;
        if let Some(outcome) = search.outcome {
            if outcome.cost < best.outcome.cost {
                best.outcome = outcome;
                best.search = search;
            }
        }
        Ok(())
    }

    /// Receding-horizon repair; `None` when it does not help.
    fn repair(
        &self,
        trials: &mut Trials<'_>,
        qpos0: &[f64],
        ctrl: &[f64],
        before: Outcome,
    ) -> Result<Option<Vec<f64>>, RefineError> {
        let nu = self.scene.model.ffi().nu as usize;
        let mut world = World::new(self.scene);
        world.reset(qpos0);
        for row in ctrl.chunks_exact(nu).take(self.lift) {
            world.step(row);
        }
        let object_from_world = self.scene.world_from_object(0, world.qpos()).inverse();
        let tips_in_object: Vec<Vec<Point3<f64>>> = self
            .input
            .hands
            .iter()
            .enumerate()
            .map(|(index, hand)| {
                let root = self.scene.world_from_root(index, world.qpos());
                let bodies = hand.tree.forward(&self.scene.joints(index, world.qpos()));
                search::tips(hand)
                    .iter()
                    .map(|tip| object_from_world * (root * (bodies[tip.body] * tip.point)))
                    .collect()
            })
            .collect();
        let target = repair::Target {
            reference: &self.schedule.reference,
            tips_in_object: Some(&tips_in_object),
            holding: (self.lift, self.schedule.put_step.unwrap_or(self.schedule.steps)),
        };
        let from = self
            .lift
            .saturating_sub((self.config.phases.before_lift() / self.schedule.dt).round() as usize);
        let mut best: Option<Vec<f64>> = None;
        let mut best_outcome = before;
        let mut base = ctrl.to_vec();
        for round in 0..2 {
            let seed = self.stream(17, round, 0);
            let improved =
                repair::repair(trials, &target, qpos0, &base, from, &self.config.repair, seed)?;
            let outcome = self.replayed(qpos0, &improved);
            if outcome.0 > best_outcome.good
                || (outcome.0 == best_outcome.good && outcome.1 < best_outcome.max_position)
            {
                best_outcome.good = outcome.0;
                best_outcome.max_position = outcome.1;
                best = Some(improved.clone());
                base = improved;
            }
            if best_outcome.good >= 1.0 {
                break;
            }
        }
        Ok(best)
    }

    /// Fraction of good states and largest position error of controls played from the start.
    fn replayed(&self, qpos0: &[f64], ctrl: &[f64]) -> (f64, f64) {
        let rollout =
            replay(self.scene, &self.scene.model, self.input.hands, qpos0, ctrl, self.config.seed);
        let (mut good, mut worst) = (0usize, 0.0f64);
        for (state, _) in rollout.qpos.iter().enumerate() {
            let mut within = true;
            for (object, reference) in rollout.objects.iter().zip(&self.schedule.reference) {
                let real = &object.world_from_object[state];
                let position = pose::distance_between(real, &reference[state]);
                let rotation = pose::angle_between(real, &reference[state]);
                worst = worst.max(position);
                within &= position < 0.03 && rotation < 0.5;
            }
            good += usize::from(within);
        }
        (good as f64 / rollout.qpos.len() as f64, worst)
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

fn strict(candidate: &Candidate) -> bool {
    candidate.outcome.within(STRICT.0, STRICT.1)
}

/// The candidate with more good steps, then the lower cost; a strict success beats all.
fn better(a: Option<Candidate>, b: Option<Candidate>) -> Option<Candidate> {
    match (a, b) {
        (Some(a), Some(b)) => {
            let key = |c: &Candidate| (strict(c), c.outcome.good, -c.outcome.cost);
            let (ka, kb) = (key(&a), key(&b));
            let second = kb.0 & !ka.0 || (kb.0 == ka.0 && (kb.1, kb.2) > (ka.1, ka.2));
            Some(if second { b } else { a })
        }
        (a, b) => a.or(b),
    }
}
