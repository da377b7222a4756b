//! What is tracked: a scene, base controls, and where everything should be at every control step.

use super::TrackError;
use super::anchor::{Anchor, anchors};
use super::grasp::{Grasp, GraspConfig, grasps};
use super::seen::{HandFacts, near};
use super::wrench::{Load, loads};
use crate::evaluate::Played;
use crate::refine::timeline::{HoldSteps, Timeline};
use dextra_core::rollout::Reference;
use dextra_core::{Motion, Pose};
use dextra_sim::hand::Hand;
use dextra_sim::object::ObjectModel;
use dextra_sim::scene::{Owner, Scene, root_to_wrist};
use dextra_sim::world::World;
use nalgebra::{Point3, Vector3};

/// A scene with base controls and references; `N` physics steps.
#[derive(Clone)]
pub struct Task<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// Hands, in the scene's order.
    pub hands: &'a [&'a Hand],
    /// Objects, in the scene's order.
    pub objects: &'a [ObjectModel],
    /// Base controls `[N * nu]`.
    pub base: Vec<f64>,
    /// Joint positions that hands imitate and in which contacts are looked for, `[N + 1][nq]`.
    pub path: Vec<Vec<f64>>,
    /// Reference of every object at every state, `[objects][N + 1]`.
    pub reference: Vec<Vec<Pose>>,
    /// Point that positions are seen from, world frame: where the first object's reference begins.
    pub origin: Point3<f64>,
    /// Holds, in physics steps.
    pub holds: Vec<HoldSteps>,
    /// States between which success is judged.
    pub judged: (usize, usize),
    /// The frames at which the published rules judge.
    pub frames: Reference,
    /// Whether episodes may begin in states of the base controls played in physics; otherwise they begin
    /// on `path` itself with the velocities of its differences.
    pub played_starts: bool,
    /// Distance of a tip from a surface on `path` up to which it is meant to touch there, metres.
    pub contact_reach: f64,
}

impl<'a> Task<'a> {
    /// Round a trajectory that was played on a stage: its controls `ctrl` (`[N * nu]`) are the base, its
    /// path `qpos` (`[N + 1][nq]`) is what hands imitate, its states are where episodes begin.
    pub fn played(
        scene: &'a Scene,
        timeline: &Timeline,
        (ctrl, qpos): (&[f64], &[Vec<f64>]),
        hands: &'a [&'a Hand],
        objects: &'a [ObjectModel],
    ) -> Self {
        Self {
            scene,
            hands,
            objects,
            base: ctrl.to_vec(),
            path: qpos.to_vec(),
            reference: timeline.reference.clone(),
            origin: timeline
                .reference
                .first()
                .map_or_else(Point3::origin, |r| r[0].translation.vector.into()),
            holds: timeline.holds.clone(),
            judged: Played::carrying(timeline),
            frames: timeline.judged.clone(),
            played_starts: true,
            contact_reach: 0.015,
        }
    }

    /// Round the retargeted motion. Episodes begin with hands on the motion and objects on their
    /// reference; before the first lift they lie where they `rest`. DexMan's 3 cm say what is a contact.
    pub fn retargeted(
        scene: &'a Scene,
        schedule: &Timeline,
        rest: &[Pose],
        motion: &Motion,
        hands: &'a [&'a Hand],
        objects: &'a [ObjectModel],
    ) -> Self {
        let nu = scene.ctrl_ranges().len();
        let mut base = vec![0.0; schedule.steps * nu];
        let mut path = vec![scene.default_qpos(); schedule.steps + 1];
        for (index, hand) in motion.hands.iter().enumerate() {
            let place = &scene.hands[index];
            let mut near = [0.0; 6];
            for (step, qpos) in path.iter_mut().enumerate() {
                let frame = (schedule.demonstrated_time(step) * motion.fps).round().max(0.0);
                let frame = (frame as usize).min(hand.world_from_root.len() - 1);
                near = root_to_wrist(place, &hand.world_from_root[frame], &near);
                let joints = hand.joints[frame].as_slice();
                for (&address, value) in place.wrist_qpos.iter().zip(near) {
                    qpos[address] = value;
                }
                for (&address, &value) in place.joint_qpos.iter().zip(joints) {
                    qpos[address] = value;
                }
                let Some(row) = base.get_mut(step * nu..(step + 1) * nu) else { continue };
                for (&address, value) in place.wrist_ctrl.iter().zip(near) {
                    row[address] = value;
                }
                let fingers = hands[index].ctrl(joints);
                for (&address, value) in place.finger_ctrl.iter().zip(fingers) {
                    row[address] = value;
                }
            }
        }
        for (object, reference) in schedule.reference.iter().enumerate() {
            let correction = rest[object] * reference[0].inverse();
            let lift = schedule.lift_step().unwrap_or(0);
            for (step, qpos) in path.iter_mut().enumerate() {
                let wanted = &reference[step.min(reference.len() - 1)];
                let pose = if step < lift { correction * wanted } else { *wanted };
                scene.set_object(object, &pose, qpos);
            }
        }
        let played_starts = false;
        let round = Self::played(scene, schedule, (&base, &path), hands, objects);
        Self { played_starts, contact_reach: 0.03, ..round }
    }

    /// The same without a base: its first row is held throughout. Meant for
    /// [`super::compose::Compose::Rescaled`], where actions say all.
    #[must_use]
    pub fn without_base(mut self) -> Self {
        let nu = self.scene.ctrl_ranges().len();
        let first = self.base[..nu].to_vec();
        self.base.chunks_exact_mut(nu).for_each(|row| row.copy_from_slice(&first));
        self
    }

    /// The hands alone, in `scene`, which is that of this task without its objects: what an imitator of hand
    /// motion learns in. Played starts are not kept, since they need the objects.
    #[must_use]
    pub fn object_free(&self, scene: &'a Scene) -> Self {
        let mut path = vec![scene.default_qpos(); self.path.len()];
        for (free, full) in path.iter_mut().zip(&self.path) {
            for (place, with) in scene.hands.iter().zip(&self.scene.hands) {
                let wrist = place.wrist_qpos.iter().zip(&with.wrist_qpos);
                for (&to, &from) in wrist.chain(place.joint_qpos.iter().zip(&with.joint_qpos)) {
                    free[to] = full[from];
                }
            }
        }
        Self {
            scene,
            objects: &[],
            path,
            reference: Vec::new(),
            holds: Vec::new(),
            played_starts: false,
            ..self.clone()
        }
    }

    /// Number of physics steps.
    pub fn steps(&self) -> usize {
        self.path.len().saturating_sub(1)
    }

    fn check(&self) -> Result<(), TrackError> {
        let nu = self.scene.ctrl_ranges().len();
        let nq = self.scene.default_qpos().len();
        let wrong = |what| Err(TrackError::Task(what));
        if self.steps() == 0 || self.base.len() != self.steps() * nu {
            return wrong("base controls and path have different lengths, or no step");
        }
        if self.path.iter().any(|qpos| qpos.len() != nq) {
            return wrong("a row of the path has not `nq` numbers");
        }
        if self.hands.len() != self.scene.hands.len()
            || self.objects.len() != self.scene.objects.len()
            || self.reference.len() != self.objects.len()
        {
            return wrong("hands, objects or references are not those of the scene");
        }
        if self.reference.iter().any(Vec::is_empty) {
            return wrong("an object has no reference");
        }
        Ok(())
    }
}

/// Where a tip should touch an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// The object.
    pub object: usize,
    /// The tip's point when it touches, object frame.
    pub tip_in_object: Point3<f64>,
    /// Point of the surface, object frame.
    pub surface_in_object: Point3<f64>,
    /// Outward normal there, object frame.
    pub normal_in_object: Vector3<f64>,
}

/// What is demanded of a fingertip at one control step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TipFrame {
    /// Where it is on the path, world frame.
    pub in_world: Point3<f64>,
    /// Where it touches, if it does.
    pub goal: Option<Goal>,
    /// Distance from the nearest object on the path, metres.
    pub distance: f64,
}

/// What is demanded at one control step.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Reference of every object.
    pub objects: Vec<Pose>,
    /// Root of every hand on the path.
    pub roots: Vec<Pose>,
    /// Fingertips of every hand.
    pub tips: Vec<Vec<TipFrame>>,
    /// The other tracked points of the fingers of every hand.
    pub knuckles: Vec<Vec<KnuckleFrame>>,
    /// What every object needs to follow its reference.
    pub loads: Vec<Load>,
    /// How fast everything should go.
    pub speeds: Speeds,
}

/// What is demanded of a point of a finger below its tip at one control step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnuckleFrame {
    /// Where it is on the path, world frame.
    pub in_world: Point3<f64>,
    /// Where it is near the object, of the first joints of the four fingers.
    pub goal: Option<Goal>,
}

/// Velocities on the path at one control step, world frame: central differences over the control steps before and
/// after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Speeds {
    /// Of the wrist's pivot (m/s) and of the root's turning (rad/s), for every hand.
    pub wrists: Vec<(Vector3<f64>, Vector3<f64>)>,
    /// Of fingertips and then of the other tracked points of every hand, m/s.
    pub points: Vec<Vec<Vector3<f64>>>,
    /// Of the reference's origin (m/s) and turning (rad/s), for every object.
    pub objects: Vec<(Vector3<f64>, Vector3<f64>)>,
}

/// Where an episode may begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The engine's full state.
    pub state: Box<[f64]>,
    /// Whether a hand touches the object.
    pub held: Vec<bool>,
}

/// A task laid out in control steps of `every` physics steps.
pub(super) struct Course {
    /// Physics steps per control step.
    pub every: usize,
    /// Control steps `C`.
    pub steps: usize,
    /// `C + 1` frames.
    pub frames: Vec<Frame>,
    /// `C + 1` starts.
    pub starts: Vec<Start>,
    /// How the base follows objects.
    pub anchors: Vec<Anchor>,
    /// Holds that are divided into grasp and carrying; none when that is off.
    pub grasps: Vec<Grasp>,
    /// Facts about the hands.
    pub facts: Vec<HandFacts>,
    /// Height of every object's origin at the start of the path, metres.
    pub rest_height: Vec<f64>,
}

/// Address of `qpos` in a full state: the engine puts time first.
pub(super) const QPOS_IN_STATE: usize = 1;

impl Course {
    pub(super) fn new(
        task: &Task<'_>,
        every: usize,
        grasp: &GraspConfig,
    ) -> Result<Self, TrackError> {
        task.check()?;
        let scene = task.scene;
        let facts: Vec<HandFacts> = task
            .hands
            .iter()
            .enumerate()
            .map(|(index, hand)| HandFacts::new(scene, hand, index))
            .collect();
        let steps = task.steps().div_ceil(every);
        let mut frames: Vec<Frame> =
            (0..=steps).map(|step| frame(task, &facts, step * every)).collect();
        let loads = loads(task, (0..=steps).map(|step| step * every));
        frames.iter_mut().zip(loads).for_each(|(frame, loads)| frame.loads = loads);
        // The last frame is where the path ends, which may be before the last step does.
        let time = |step: usize| (step * every).min(task.steps()) as f64 * scene.config.timestep;
        let speeds: Vec<Speeds> = (0..=steps)
            .map(|step| {
                let (before, after) = (step.saturating_sub(1), (step + 1).min(steps));
                speeds(scene, (&frames[before], &frames[after]), time(after) - time(before))
            })
            .collect();
        frames.iter_mut().zip(speeds).for_each(|(frame, speeds)| frame.speeds = speeds);
        let starts: Vec<Start> = if task.played_starts {
            played(task, every, steps)
        } else {
            placed(task, every, steps)
        };
        let height = |object| scene.world_from_object(object, &task.path[0]).translation.z;
        let rest_height = (0..task.objects.len()).map(height).collect();
        let held: Vec<Vec<bool>> = starts.iter().map(|start| start.held.clone()).collect();
        let anchors = anchors(task, every, &held);
        let grasps = match grasp.on {
            true => grasps(task, grasp, every, &facts, (&frames, &starts)),
            false => Vec::new(),
        };
        Ok(Self { every, steps, frames, starts, anchors, grasps, facts, rest_height })
    }

    /// Fingertips of all hands.
    pub(super) fn tips(&self) -> usize {
        self.facts.iter().map(|facts| facts.tips.len()).sum()
    }

    /// Base controls of a control step, `[every, nu]`; the last row goes on after the end.
    pub(super) fn base(&self, task: &Task<'_>, nu: usize, step: usize, rows: &mut Vec<f64>) {
        rows.clear();
        let last = task.steps() - 1;
        for k in 0..self.every {
            let row = (step * self.every + k).min(last);
            rows.extend_from_slice(&task.base[row * nu..(row + 1) * nu]);
        }
    }
}

fn frame(task: &Task<'_>, facts: &[HandFacts], state: usize) -> Frame {
    let scene = task.scene;
    let qpos = &task.path[state.min(task.path.len() - 1)];
    let objects =
        task.reference.iter().map(|reference| reference[state.min(reference.len() - 1)]).collect();
    let roots: Vec<Pose> =
        (0..task.hands.len()).map(|hand| scene.world_from_root(hand, qpos)).collect();
    let (tips, knuckles) = (0..task.hands.len())
        .map(|hand| {
            let bodies = task.hands[hand].tree.forward(&scene.joints(hand, qpos));
            let at = |body: usize, point: &Point3<f64>| roots[hand] * (bodies[body] * point);
            let tips = facts[hand].tips.iter();
            let tips = tips.map(|tip| tip_frame(task, qpos, at(tip.body, &tip.point)));
            let knuckles = facts[hand].knuckles.iter().map(|knuckle| {
                let in_world = at(knuckle.body, &knuckle.point);
                let near = knuckle.palm.then(|| nearest(task, qpos, in_world, PALM_REACH));
                KnuckleFrame { in_world, goal: near.and_then(|(_, goal)| goal) }
            });
            (tips.collect(), knuckles.collect())
        })
        .unzip();
    Frame { objects, roots, tips, knuckles, loads: Vec::new(), speeds: Speeds::default() }
}

/// Velocities between two frames `span` seconds apart; none where they are the same.
fn speeds(scene: &Scene, (from, to): (&Frame, &Frame), span: f64) -> Speeds {
    let per_second = |way: Vector3<f64>| if span > 0.0 { way / span } else { Vector3::zeros() };
    let turning =
        |a: &Pose, b: &Pose| per_second((b.rotation * a.rotation.inverse()).scaled_axis());
    let wrist = |(hand, (a, b)): (usize, (&Pose, &Pose))| {
        let pivot = scene.hands[hand].pivot_in_root;
        (per_second(b * pivot - a * pivot), turning(a, b))
    };
    let points = |frame: &Frame, hand: usize| -> Vec<Point3<f64>> {
        let tips = frame.tips[hand].iter().map(|tip| tip.in_world);
        tips.chain(frame.knuckles[hand].iter().map(|knuckle| knuckle.in_world)).collect()
    };
    let moved = |hand: usize| -> Vec<Vector3<f64>> {
        let pairs = points(from, hand).into_iter().zip(points(to, hand));
        pairs.map(|(a, b)| per_second(b - a)).collect()
    };
    let object = |(a, b): (&Pose, &Pose)| {
        (per_second(b.translation.vector - a.translation.vector), turning(a, b))
    };
    Speeds {
        wrists: from.roots.iter().zip(&to.roots).enumerate().map(wrist).collect(),
        points: (0..from.roots.len()).map(moved).collect(),
        objects: from.objects.iter().zip(&to.objects).map(object).collect(),
    }
}

/// Distance of the first joint of a finger from a surface up to which it is meant to touch there, metres (DexMan,
/// appendix: 5 cm for keypoints of the palm).
const PALM_REACH: f64 = 0.05;

fn tip_frame(task: &Task<'_>, qpos: &[f64], in_world: Point3<f64>) -> TipFrame {
    let (distance, goal) = nearest(task, qpos, in_world, task.contact_reach);
    TipFrame { in_world, goal, distance }
}

/// Distance of a point from the nearest object on the path, metres, and where it touches within `reach`.
fn nearest(
    task: &Task<'_>,
    qpos: &[f64],
    in_world: Point3<f64>,
    reach: f64,
) -> (f64, Option<Goal>) {
    let mut distance = f64::INFINITY;
    let mut goal = None;
    for (index, object) in task.objects.iter().enumerate() {
        let tip_in_object = task.scene.world_from_object(index, qpos).inverse() * in_world;
        let found = near(object, &tip_in_object);
        if found.distance < distance {
            distance = found.distance;
            goal = (distance <= reach).then_some(Goal {
                object: index,
                tip_in_object,
                surface_in_object: found.surface_in_object,
                normal_in_object: found.normal_in_object,
            });
        }
    }
    (distance, goal)
}

/// States of the base controls played in physics.
fn played(task: &Task<'_>, every: usize, steps: usize) -> Vec<Start> {
    let nu = task.scene.ctrl_ranges().len();
    let mut world = World::new(task.scene);
    world.reset(&task.path[0]);
    let mut starts = Vec::with_capacity(steps + 1);
    for step in 0..=steps {
        let contacts = if step == 0 { Vec::new() } else { world.hand_contacts() };
        let touched = |object| contacts.iter().any(|c| c.other == Owner::Object(object));
        let held = (0..task.objects.len()).map(touched).collect();
        starts.push(Start { state: world.state(), held });
        for k in 0..every {
            let row = (step * every + k).min(task.steps() - 1);
            world.step(&task.base[row * nu..(row + 1) * nu]);
        }
    }
    starts
}

/// States on the path itself.
fn placed(task: &Task<'_>, every: usize, steps: usize) -> Vec<Start> {
    let mut world = World::new(task.scene);
    let dt = task.scene.config.timestep;
    let last = task.path.len() - 1;
    (0..=steps)
        .map(|step| {
            let state = (step * every).min(last);
            let (before, after) = (state.saturating_sub(1), (state + 1).min(last));
            let qpos = &task.path[state];
            world.reset(qpos);
            world.forward();
            let contacts = world.hand_contacts();
            let near = |c: &&dextra_sim::world::HandContact| c.depth > 0.0;
            let held = (0..task.objects.len())
                .map(|o| contacts.iter().filter(near).any(|c| c.other == Owner::Object(o)))
                .collect();
            world.reset(qpos);
            let mut full = world.state();
            let span = (after - before).max(1) as f64 * dt;
            let velocity = &mut full[QPOS_IN_STATE + qpos.len()..];
            differences(task.scene, &task.path[before], &task.path[after], span, velocity);
            Start { state: full, held }
        })
        .collect()
}

/// Joint velocities between two joint positions `span` seconds apart.
fn differences(scene: &Scene, a: &[f64], b: &[f64], span: f64, qvel: &mut [f64]) {
    for hand in &scene.hands {
        for &at in hand.wrist_qpos.iter().chain(&hand.joint_qpos) {
            qvel[scene.dof(at)] = (b[at] - a[at]) / span;
        }
    }
    for index in 0..scene.objects.len() {
        scene.set_object_velocity(index, (a, b), span, qvel);
    }
}
