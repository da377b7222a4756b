//! How a control sequence fares when the world is not quite as planned, and how far its grasp is from
//! the human's.

use crate::refine::Refined;
use crate::refine::timeline::Timeline;
use crate::retarget::RetargetHand;
use dextra_core::demonstration::{keypoint, world_from_palm};
use dextra_core::{Demonstration, Pose, pose};
use dextra_sim::batch::{Batch, BatchError, Fate};
use dextra_sim::scene::Scene;
use dextra_sim::world::World;
use nalgebra::{Translation3, Vector3};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::sync::Arc;

/// Open-loop trials with the objects displaced at the start.
///
/// Protocol: every object is moved by `offset` in a random horizontal direction, the controls are
/// played unchanged in true physics, and the trial counts as a success when every object is within
/// `tolerance` and 0.5 rad of the reference from shortly (0.3 s) after the lift until the put-down
/// (or the end). The tolerance is wider than that of the clip itself because a displaced object
/// is also grasped displaced: 3 cm for offsets up to 5 mm, 4 cm for 1 cm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobustnessConfig {
    /// Displacement at the start, metres.
    pub offset: f64,
    /// Position tolerance, metres.
    pub tolerance: f64,
    /// Trials.
    pub trials: usize,
    /// Seed of the directions.
    pub seed: u64,
    /// Threads, 0 for one per logical processor.
    pub threads: usize,
}

/// Successes among trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Robustness {
    /// Trials that succeeded.
    pub successes: usize,
    /// Trials.
    pub trials: usize,
}

/// A control sequence, the start it runs from, and what it should do.
pub struct Played<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// Joint positions at the start, at rest.
    pub qpos0: &'a [f64],
    /// Controls `[N * nu]`.
    pub ctrl: &'a [f64],
    /// Reference per object and state.
    pub reference: &'a [Vec<Pose>],
    /// Steps between which the objects are judged.
    pub judged: (usize, usize),
}

impl Played<'_> {
    /// The steps to judge of a schedule: from shortly after the first take to the last release.
    pub fn carrying(schedule: &Timeline) -> (usize, usize) {
        let end = schedule.put_step().unwrap_or(schedule.steps).min(schedule.steps);
        let Some(lift) = schedule.lift_step() else { return (0, end) };
        // A short carry is judged from its middle on.
        let settled = lift + (0.3 / schedule.dt).round() as usize;
        let from = settled.min(usize::midpoint(lift, end));
        (from.min(end), end)
    }
}

/// Largest rotation error of a successful trial, radians.
const ROTATION: f64 = 0.5;
/// Worlds stepped together.
const CHUNK: usize = 50;

/// Runs the trials of [`RobustnessConfig`].
///
/// # Errors
/// When the engine refuses the batch.
pub fn robustness(
    played: &Played<'_>,
    config: &RobustnessConfig,
) -> Result<Robustness, BatchError> {
    let scene = played.scene;
    let (nu, nq) = (scene.model.ffi().nu as usize, scene.model.ffi().nq as usize);
    let steps = played.ctrl.len() / nu.max(1);
    let mut rng = Pcg64::seed_from_u64(config.seed);
    let mut batch = Batch::new(&scene.model, CHUNK.min(config.trials.max(1)), config.threads)?;
    let mut world = World::new(scene);
    let mut successes = 0;
    let mut done = 0;
    while done < config.trials {
        let count = CHUNK.min(config.trials - done);
        let worlds: Vec<usize> = (0..count).collect();
        for &index in &worlds {
            let angle: f64 = rng.random_range(0.0..std::f64::consts::TAU);
            let shift = Vector3::new(angle.cos(), angle.sin(), 0.0) * config.offset;
            let mut qpos = played.qpos0.to_vec();
            for object in scene.free_objects() {
                let moved = Translation3::from(shift) * scene.world_from_object(object, &qpos);
                scene.set_object(object, &moved, &mut qpos);
            }
            world.reset(&qpos);
            batch.set_state(index, &world.state())?;
        }
        let ctrl: Vec<f64> = worlds.iter().flat_map(|_| played.ctrl.iter().copied()).collect();
        let paths = batch.rollout(&worlds, steps, &ctrl)?;
        for &index in &worlds {
            let path = &paths[index * steps * nq..(index + 1) * steps * nq];
            let kept =
                batch.fate(index) == Fate::Fine && within(played, path, nq, config.tolerance);
            successes += usize::from(kept);
        }
        done += count;
    }
    Ok(Robustness { successes, trials: config.trials })
}

fn within(played: &Played<'_>, path: &[f64], nq: usize, tolerance: f64) -> bool {
    (played.judged.0.max(1)..=played.judged.1).all(|state| {
        path.get((state - 1) * nq..state * nq).is_some_and(|qpos| {
            played.reference.iter().enumerate().all(|(object, reference)| {
                let goal = &reference[state.min(reference.len() - 1)];
                let real = played.scene.world_from_object(object, qpos);
                pose::distance_between(&real, goal) < tolerance
                    && pose::angle_between(&real, goal) < ROTATION
            })
        })
    })
}

/// Largest position (m) and rotation (rad) error of the controls replayed at half the time step;
/// infinitely far when that replay leaves the real numbers.
pub fn at_half_step(played: &Played<'_>) -> (f64, f64) {
    let scene = played.scene;
    let model = scene.model_with_timestep(scene.config.timestep / 2.0);
    let mut world = World::with_model(scene, Arc::clone(&model));
    world.reset(played.qpos0);
    let nu = model.ffi().nu as usize;
    let mut worst = (0.0f64, 0.0f64);
    for (step, row) in played.ctrl.chunks_exact(nu).enumerate() {
        world.step(row);
        world.step(row);
        for (object, reference) in played.reference.iter().enumerate() {
            let goal = &reference[(step + 1).min(reference.len() - 1)];
            let real = scene.world_from_object(object, world.qpos());
            worst.0 = worst.0.max(pose::distance_between(&real, goal));
            worst.1 = worst.1.max(pose::angle_between(&real, goal));
        }
    }
    if world.is_finite() { worst } else { (f64::INFINITY, std::f64::consts::PI) }
}

/// How far the robot's grasp is from the human's, both seen from the object they hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GraspDifference {
    /// Mean distance of fingertips from their human counterparts while carrying, metres.
    pub tips: f64,
    /// Mean angle between the palm frames while carrying, radians.
    pub palm: f64,
}

/// Compares the grasps of a refined rollout with the demonstrated ones over the demonstrated frames
/// of all holds. `None` when nothing is held.
///
/// `models` are the hands as the retargeter sees them, in the order of the demonstration's.
pub fn grasp_difference(
    refined: &Refined,
    demo: &Demonstration,
    models: &[RetargetHand],
) -> Option<GraspDifference> {
    let schedule = &refined.timeline;
    let (mut tips, mut tip_count) = (0.0, 0usize);
    let (mut palm, mut palm_count) = (0.0, 0usize);
    for hold in &schedule.holds {
        let until = hold.release.unwrap_or(schedule.steps);
        let frames = refined.reference.frames.iter();
        for frame in frames.filter(|f| (hold.take..=until).contains(&f.step)) {
            let Some(qpos) = refined.rollout.qpos.get(frame.step) else { continue };
            let Some(Some(human)) = frame.human_keypoints.get(hold.hand) else { continue };
            let model = &models[hold.hand];
            // Where the object is off, the grasp is compared as seen from it.
            let moved = frame.world_from_object[hold.object]
                * refined.scene.world_from_object(hold.object, qpos).inverse();
            let root = moved * refined.scene.world_from_root(hold.hand, qpos);
            let joints = refined.scene.joints(hold.hand, qpos);
            let points = model.point_positions(&root, &joints);
            for (point, position) in model.points.iter().zip(points) {
                if keypoint::TIPS.contains(&point.keypoint) {
                    tips += (position - human[point.keypoint]).norm();
                    tip_count += 1;
                }
            }
            if let Some(human_palm) = world_from_palm(human, demo.hands[hold.hand].side) {
                palm += pose::angle_between(&model.world_from_palm(&root, &joints), &human_palm);
                palm_count += 1;
            }
        }
    }
    (tip_count > 0 && palm_count > 0)
        .then(|| GraspDifference { tips: tips / tip_count as f64, palm: palm / palm_count as f64 })
}
