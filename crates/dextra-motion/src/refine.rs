//! Grasp first, then carry: from a demonstration to controls that hold up in physics.
//!
//! 1. See which hand has which object when ([`crate::holds`]) and lay that out in time ([`mod@timeline`]).
//! 2. Stage after stage: fit several hypotheses of the human's grasp to the robot hand
//!    ([`hypothesis`]), and search grasps round each of them in true physics, by approach, closing and
//!    a short lift ([`search`]).
//! 3. Play the whole path with the best: the wrist follows the demonstrated object assuming no slip
//!    (PKDA), the fingers hold ([`plan`]); where the object turns in the human's fingers, the wrist
//!    turns about it and the fingers follow ([`roll`]).
//! 4. Where that falls short: search the release, grasps about the object's centre, and
//!    receding-horizon sampling ([`repair`]), in this order.
//!
//! Trials run at true physics throughout. The result is the same, bit for bit, for any number of
//! threads, and an interrupted search resumes from its [`journal`].

mod finish;
mod follow;
pub mod hypothesis;
mod job;
pub mod journal;
pub mod judge;
pub mod outcome;
pub mod plan;
mod proposals;
pub mod repair;
pub mod roll;
pub mod search;
mod stage;
pub mod timeline;
pub mod trials;

use crate::holds::holds;
use crate::retarget::RetargetHand;
use dextra_core::cause::{HAND_OFF_M, hand_distance_while_moving};
use dextra_core::rollout::{Reference, Rollout};
use dextra_core::{Demonstration, Motion, Pose, pose};
use dextra_sim::batch::BatchError;
use dextra_sim::hand::Hand;
use dextra_sim::object::ObjectModel;
use dextra_sim::scene::{HandPlacement, ObjectPlacement, Scene, SceneConfig, SceneError};
use dextra_sim::world::{World, replay};
use hypothesis::HypothesisConfig;
use job::Job;
use journal::{Journal, Observer};
use judge::{HumanHold, human_hold};
use nalgebra::Point3;
use plan::{Grasp, PhaseConfig};
use timeline::{Timeline, timeline};
use trials::Quarantined;

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
    /// How much the human's way counts against success at any price: a factor on the weight of
    /// [`outcome::CostConfig::style`].
    pub human_weight: f64,
    /// Whether grasps are searched for; otherwise the hand plays the retargeted motion.
    pub search: bool,
    /// Whether the search goes on until a trajectory is sturdy, or its budget is spent.
    pub robust: bool,
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
            step_budget: 800_000,
            human_weight: 1.0,
            search: true,
            robust: false,
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
    /// Grasps that worked before, to begin with; their retreat is in the object's frame.
    pub remembered: &'a [Grasp],
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
    /// The grasps as they are played, one per hold; their retreat is in the object's frame.
    pub grasps: Vec<Grasp>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// The first trial whose state left the real numbers, when there was one.
    pub quarantined: Option<Quarantined>,
}

/// The stage on which a demonstration is refined: everything before the search, quickly made and the
/// same bits for the same input.
pub struct Stage {
    /// The scene.
    pub scene: Scene,
    /// The schedule.
    pub timeline: Timeline,
    /// Where every object rests at the start.
    pub rest: Vec<Pose>,
    /// What the human does in every hold.
    human: Vec<HumanHold>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Stage {
    /// Sees who holds what, lays it out in time, lets objects settle and composes the scene.
    ///
    /// # Errors
    /// [`RefineError`] for a demonstration without content and a scene that cannot be made.
    pub fn new(input: &RefineInput<'_>, config: &RefineConfig) -> Result<Self, RefineError> {
        let demo = input.demo;
        if demo.frames() < 2 || input.hands.is_empty() || input.objects.is_empty() {
            return Err(RefineError::Empty(demo.name.clone()));
        }
        let mut notes = Vec::new();
        let surfaces: Vec<_> = input.objects.iter().map(|object| &object.surface).collect();
        let held = holds(demo, &surfaces);
        let timeline = timeline(demo, &held, &config.phases, config.timestep);
        let human: Vec<HumanHold> = held
            .iter()
            .map(|hold| {
                let last = hold.release.unwrap_or(demo.frames() - 1);
                human_hold(demo, hold.hand, hold.object, (hold.take, last))
            })
            .collect();
        let first_take = held.iter().map(|hold| hold.take).min();
        let mut scene_config = SceneConfig::new(table_height(demo, first_take));
        scene_config.timestep = config.timestep;
        scene_config.gravity = demo.gravity;
        let rest = settle(input, &scene_config, first_take, &mut notes)?;
        let placements: Vec<HandPlacement<'_>> =
            (0..input.hands.len()).map(|index| placement(input, &timeline, index)).collect();
        let objects = objects(input, &rest);
        let scene = Scene::compose(&scene_config, &placements, &objects)?;
        Ok(Self { scene, timeline, rest, human, notes })
    }

    /// The hands alone, placed as in `scene`, for [`crate::track::Task::object_free`].
    ///
    /// # Errors
    /// When the engine refuses the scene.
    pub fn object_free(
        input: &RefineInput<'_>,
        timeline: &Timeline,
        scene: &Scene,
    ) -> Result<Scene, RefineError> {
        let placements: Vec<HandPlacement<'_>> =
            (0..input.hands.len()).map(|index| placement(input, timeline, index)).collect();
        Ok(Scene::compose(&scene.config, &placements, &[])?)
    }
}

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
    let Stage { scene, timeline: schedule, rest, human, mut notes } = Stage::new(input, config)?;
    begin(journal, input, config, &schedule, &scene);
    let found = match (schedule.holds.is_empty(), idle_hand(demo)) {
        _ if !config.search => follow::motion(input, &schedule, &scene, &rest),
        (false, None) => {
            let idle = follow::idle_paths(input, &schedule);
            let (schedule, human) = (&schedule, human.as_slice());
            let job = Job { input, config, schedule, scene: &scene, rest: &rest, human, idle };
            job.run(journal, observer)?
        }
        (true, _) => {
            notes.push("no object moves: the hand plays the retargeted motion".to_owned());
            follow::motion(input, &schedule, &scene, &rest)
        }
        (_, Some(distance)) => {
            notes.push(format!(
                "the demonstrated hand stays {:.0} cm from the object that moves, so there is no \
                 grasp to search for: the hand plays the retargeted motion",
                distance * 100.0
            ));
            follow::motion(input, &schedule, &scene, &rest)
        }
    };
    let rollout = replay(&scene, &scene.model, input.hands, &found.qpos0, &found.ctrl, config.seed);
    notes.extend(found.notes);
    Ok(Refined {
        reference: schedule.judged.clone(),
        rollout,
        timeline: schedule,
        hypothesis: found.hypothesis,
        grasp_changed: found.grasp_changed,
        repaired: found.repaired,
        sim_steps: found.sim_steps,
        quarantined: found.quarantined,
        grasps: found.grasps,
        notes,
        scene,
    })
}

/// Tells the journal what is asked: the scene with its files, the schedule, the hands' meaning, the
/// demonstrated and the retargeted motion, and the settings. The number of threads is none of it.
fn begin(
    journal: &mut dyn Journal,
    input: &RefineInput<'_>,
    config: &RefineConfig,
    schedule: &Timeline,
    scene: &Scene,
) {
    let mut numbers: Vec<u8> = Vec::new();
    let mut put = |value: f64| numbers.extend(value.to_le_bytes());
    scene.default_qpos().into_iter().for_each(&mut put);
    for pose in schedule.reference.iter().flatten() {
        pose::pos(pose).into_iter().chain(pose::quat_wxyz(pose)).for_each(&mut put);
    }
    for hand in &input.demo.hands {
        let points = hand.keypoints_in_world.iter().flatten();
        points.for_each(|point| point.iter().copied().for_each(&mut put));
    }
    for hand in &input.motion.hands {
        for (root, joints) in hand.world_from_root.iter().zip(&hand.joints) {
            pose::pos(root).into_iter().chain(pose::quat_wxyz(root)).for_each(&mut put);
            joints.iter().copied().for_each(&mut put);
        }
    }
    for object in input.objects {
        object.mesh.vertices.iter().for_each(|v| v.iter().copied().for_each(&mut put));
        object.mesh.faces.iter().flatten().for_each(|&index| put(f64::from(index)));
    }
    let remembered = format!("{:?}", input.remembered);
    let maps: Vec<_> = input.hands.iter().map(|hand| &hand.map).collect();
    let config = RefineConfig { threads: 0, ..config.clone() };
    let words = format!("{config:?} {maps:?} {:?}", schedule.holds);
    let mut question: Vec<&[u8]> =
        vec![scene.xml.as_bytes(), &numbers, words.as_bytes(), remembered.as_bytes()];
    question.extend(scene.files.iter().map(|(_, bytes)| bytes.as_slice()));
    journal.begin(&question);
}

/// How far the demonstrated hands stay from an object that moves, metres, when that is too far to
/// have moved it.
fn idle_hand(demo: &Demonstration) -> Option<f64> {
    hand_distance_while_moving(demo).filter(|&distance| distance > HAND_OFF_M)
}

/// Height of the table, metres in the world frame: the lowest vertex of the objects while they rest before the frame of
/// the first take (`None`: at the first frame); 0 without objects.
pub fn table_height(demo: &Demonstration, first_take: Option<usize>) -> f64 {
    let until = first_take.unwrap_or(1).clamp(1, demo.frames());
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

/// The objects of a demonstration at given poses, parts on their joints.
fn objects<'a>(input: &RefineInput<'a>, poses: &[Pose]) -> Vec<ObjectPlacement<'a>> {
    let placed = input.objects.iter().zip(&input.demo.objects).zip(poses);
    placed
        .map(|((object, track), pose)| ObjectPlacement {
            object,
            world_from_object: *pose,
            joint: track.articulation.as_ref().map(|part| part.joint),
        })
        .collect()
}

/// Lets the objects come to rest on the table without any hand.
fn settle(
    input: &RefineInput<'_>,
    config: &SceneConfig,
    first_take: Option<usize>,
    notes: &mut Vec<String>,
) -> Result<Vec<Pose>, RefineError> {
    const SETTLE_S: f64 = 1.0;
    let start: Vec<Pose> = input
        .objects
        .iter()
        .enumerate()
        .map(|(index, object)| {
            let until = first_take.unwrap_or(1).max(1);
            let path = &input.demo.objects[index].world_from_object;
            let rest =
                dextra_core::signal::rest_pose(&path[..until.min(path.len())]).unwrap_or(path[0]);
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
    let placements = objects(input, &start);
    let scene = Scene::compose(config, &[], &placements)?;
    let mut world = World::new(&scene);
    world.reset(&scene.default_qpos());
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
fn placement<'a>(input: &RefineInput<'a>, schedule: &Timeline, index: usize) -> HandPlacement<'a> {
    let roots = &input.motion.hands[index].world_from_root;
    let frame = |step: usize| {
        let frame = (schedule.demonstrated_time(step) * input.motion.fps).round().max(0.0) as usize;
        frame.min(roots.len() - 1)
    };
    let own = || schedule.holds.iter().filter(|hold| hold.hand == index);
    let from = own().map(|hold| frame(hold.take)).min().unwrap_or(0);
    let last = own().map(|hold| frame(hold.release.unwrap_or(schedule.steps))).max();
    let to = last.unwrap_or(roots.len() - 1).max(from);
    let mean = pose::mean(&roots[from..=to]).unwrap_or_else(Pose::identity);
    let model = &input.models[index];
    let palm = model.world_from_palm(&Pose::identity(), &model.middle());
    HandPlacement {
        hand: input.hands[index],
        world_from_mount: mean.rotation,
        pivot_in_root: Point3::from(palm.translation.vector),
    }
}

#[cfg(test)]
mod tests;
