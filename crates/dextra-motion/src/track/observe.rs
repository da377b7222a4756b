//! What a policy sees: named slices of one vector, each made by a small function.

use super::seen::{Seen, SeenHand, SeenObject};
use super::task::{Course, Frame, Task};
use dextra_core::Pose;
use dextra_sim::object::ObjectModel;
use nalgebra::{Point3, UnitQuaternion, Vector3};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which observations there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ObservationConfig {
    /// Control steps that base targets and object errors look ahead, 1 to 3.
    pub future: usize,
    /// Points of the basis point set of every object; 0 leaves it out. It never changes within a task,
    /// so a policy for one task needs none.
    pub basis_points: usize,
    /// Whether tips are told where they should touch.
    pub goals: bool,
    /// Whether tips feel what they push on.
    pub tactile: bool,
}

impl Default for ObservationConfig {
    fn default() -> Self {
        Self { future: 2, basis_points: 128, goals: true, tactile: true }
    }
}

/// A named part of the observation.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationSlice {
    /// Name, such as `"right/tip_force"`; unique.
    pub name: String,
    /// Where it lies.
    pub range: Range<usize>,
    /// Unit of every number; `"1"` where there is none.
    pub unit: &'static str,
    /// Values are clipped to `[-limit, limit]`.
    pub limit: f64,
    /// Whether a robot would have to measure it: noise goes here and nowhere else.
    pub measured: bool,
}

/// What a slice holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Joints(usize),
    JointVelocities(usize),
    SlideErrors(usize),
    HingeErrors(usize),
    ServoErrors(usize),
    BaseSlides(usize),
    BaseHinges(usize),
    BaseServos(usize),
    WristPosition(usize),
    WristRotation(usize),
    WristVelocity(usize),
    WristTurning(usize),
    ObjectPosition(usize, usize),
    ObjectRotation(usize, usize),
    ObjectVelocity(usize, usize),
    ObjectTurning(usize, usize),
    TipForce(usize),
    TipDistance(usize, usize),
    TipGoal(usize),
    PositionError(usize),
    RotationError(usize),
    Basis(usize),
    Phase,
    LastAction,
}

/// The layout of observations.
pub(super) struct Layout {
    pub(super) slices: Vec<ObservationSlice>,
    kinds: Vec<Kind>,
    pub(super) size: usize,
    future: usize,
    basis: Vec<Vec<f64>>,
    origin: Point3<f64>,
}

/// What observations of one world are made of.
pub(super) struct View<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) course: &'a Course,
    pub(super) seen: &'a Seen,
    /// Control step.
    pub(super) at: usize,
    /// Targets of the last physics step, `[nu]`.
    pub(super) targets: &'a [f64],
    /// The last action.
    pub(super) action: &'a [f32],
}

impl Layout {
    pub(super) fn new(task: &Task<'_>, config: &ObservationConfig, action_dim: usize) -> Self {
        let mut layout = Self {
            slices: Vec::new(),
            kinds: Vec::new(),
            size: 0,
            future: config.future,
            basis: task.objects.iter().map(|o| basis_distances(o, config.basis_points)).collect(),
            origin: task.origin,
        };
        let future = config.future;
        let object = |o: usize| task.objects[o].name.clone();
        for (h, hand) in task.hands.iter().enumerate() {
            let prefix = &task.scene.hands[h].prefix;
            let mut add = |name: &str, size, unit, limit, measured, kind| {
                layout.add(format!("{prefix}{name}"), size, unit, limit, measured, kind);
            };
            let (joints, servos) = (hand.tree.joints.len(), hand.actuators.len());
            add("joint_position", joints, "rad", 7.0, true, Kind::Joints(h));
            add("joint_velocity", joints, "rad/s", 50.0, true, Kind::JointVelocities(h));
            add("slide_error", 3, "m", 0.5, true, Kind::SlideErrors(h));
            add("hinge_error", 3, "rad", 3.2, true, Kind::HingeErrors(h));
            add("servo_error", servos, "rad", 7.0, true, Kind::ServoErrors(h));
            add("base_slide", 3 * future, "m", 0.5, true, Kind::BaseSlides(h));
            add("base_hinge", 3 * future, "rad", 3.2, true, Kind::BaseHinges(h));
            add("base_servo", servos * future, "rad", 7.0, true, Kind::BaseServos(h));
            add("wrist_position", 3, "m", 2.0, true, Kind::WristPosition(h));
            add("wrist_rotation", 6, "1", 1.0, true, Kind::WristRotation(h));
            add("wrist_velocity", 3, "m/s", 10.0, true, Kind::WristVelocity(h));
            add("wrist_turning", 3, "rad/s", 50.0, true, Kind::WristTurning(h));
            let tips = layout_tips(task, h);
            if config.tactile {
                add("tip_force", 4 * tips, "N", 50.0, true, Kind::TipForce(h));
            }
            if config.goals {
                add("tip_goal", 3 * tips, "m", 0.5, true, Kind::TipGoal(h));
            }
            for o in 0..task.objects.len() {
                let name = object(o);
                let mut add = |part: &str, size, unit, limit, kind| {
                    add(&format!("{name}/{part}"), size, unit, limit, true, kind);
                };
                add("position", 3, "m", 2.0, Kind::ObjectPosition(h, o));
                add("rotation", 6, "1", 1.0, Kind::ObjectRotation(h, o));
                add("velocity", 3, "m/s", 10.0, Kind::ObjectVelocity(h, o));
                add("turning", 3, "rad/s", 50.0, Kind::ObjectTurning(h, o));
                add("tip_distance", tips, "m", 0.5, Kind::TipDistance(h, o));
            }
        }
        let ahead = 3 * (future + 1);
        for o in 0..task.objects.len() {
            let name = object(o);
            let mut add = |part: &str, size, unit, limit, measured, kind| {
                layout.add(format!("object/{name}/{part}"), size, unit, limit, measured, kind);
            };
            add("position_error", ahead, "m", 1.0, true, Kind::PositionError(o));
            add("rotation_error", ahead, "rad", 3.2, true, Kind::RotationError(o));
            if config.basis_points > 0 {
                add("basis", config.basis_points, "m", 1.0, false, Kind::Basis(o));
            }
        }
        layout.add("phase".to_owned(), 1, "1", 1.0, false, Kind::Phase);
        layout.add("last_action".to_owned(), action_dim, "1", 1.0, false, Kind::LastAction);
        layout
    }

    fn add(
        &mut self,
        name: String,
        size: usize,
        unit: &'static str,
        limit: f64,
        measured: bool,
        kind: Kind,
    ) {
        let range = self.size..self.size + size;
        self.size = range.end;
        self.slices.push(ObservationSlice { name, range, unit, limit, measured });
        self.kinds.push(kind);
    }

    /// Writes the observation `[size]`.
    pub(super) fn write(&self, view: &View<'_>, out: &mut [f32]) {
        let mut values: Vec<f64> = Vec::with_capacity(self.size);
        for (slice, &kind) in self.slices.iter().zip(&self.kinds) {
            self.push(view, kind, &mut values);
            debug_assert_eq!(values.len(), slice.range.end, "{}", slice.name);
            for value in &mut values[slice.range.clone()] {
                *value = value.clamp(-slice.limit, slice.limit);
            }
        }
        for (out, value) in out.iter_mut().zip(values) {
            *out = value as f32;
        }
    }

    fn push(&self, view: &View<'_>, kind: Kind, out: &mut Vec<f64>) {
        let View { task, course, seen, at, .. } = *view;
        let frame = &course.frames[at];
        match kind {
            Kind::Joints(h) => out.extend(&seen.hands[h].joints),
            Kind::JointVelocities(h) => out.extend(&seen.hands[h].joint_velocities),
            Kind::SlideErrors(h) => {
                wrist_gap(task, &seen.hands[h], h, view.targets, 0..3, out);
            }
            Kind::HingeErrors(h) => {
                wrist_gap(task, &seen.hands[h], h, view.targets, 3..6, out);
            }
            Kind::ServoErrors(h) => servo_gap(task, &seen.hands[h], h, view.targets, out),
            Kind::BaseSlides(h) => self.ahead(view, |row| {
                wrist_gap(task, &seen.hands[h], h, row, 0..3, out);
            }),
            Kind::BaseHinges(h) => self.ahead(view, |row| {
                wrist_gap(task, &seen.hands[h], h, row, 3..6, out);
            }),
            Kind::BaseServos(h) => {
                self.ahead(view, |row| servo_gap(task, &seen.hands[h], h, row, out));
            }
            Kind::WristPosition(h) => {
                out.extend((seen.hands[h].pivot - self.origin).iter());
            }
            Kind::WristRotation(h) => {
                out.extend(columns(&seen.hands[h].world_from_root.rotation));
            }
            Kind::WristVelocity(h) => out.extend(seen.hands[h].velocity.iter()),
            Kind::WristTurning(h) => out.extend(seen.hands[h].turning.iter()),
            Kind::ObjectPosition(h, o) => {
                let pose = object_in_wrist(&seen.hands[h], &seen.objects[o]);
                out.extend(pose.translation.vector.iter());
            }
            Kind::ObjectRotation(h, o) => {
                out.extend(columns(&object_in_wrist(&seen.hands[h], &seen.objects[o]).rotation));
            }
            Kind::ObjectVelocity(h, o) => {
                out.extend(velocity_in_wrist(&seen.hands[h], &seen.objects[o]).iter());
            }
            Kind::ObjectTurning(h, o) => {
                out.extend(turning_in_wrist(&seen.hands[h], &seen.objects[o]).iter());
            }
            Kind::TipForce(h) => tip_forces(&seen.hands[h], out),
            Kind::TipDistance(h, o) => {
                out.extend(seen.hands[h].tips.iter().map(|tip| tip.near[o].distance));
            }
            Kind::TipGoal(h) => {
                let next = &course.frames[(at + 1).min(course.steps)];
                tip_goals(seen, h, next, out);
            }
            Kind::PositionError(o) => {
                for k in 0..=self.future {
                    let wanted = &course.frames[(at + k).min(course.steps)].objects[o];
                    let way = wanted.translation.vector - seen.objects[o].pose.translation.vector;
                    out.extend(way.iter());
                }
            }
            Kind::RotationError(o) => {
                for k in 0..=self.future {
                    let wanted = &course.frames[(at + k).min(course.steps)].objects[o];
                    let turn = wanted.rotation * seen.objects[o].pose.rotation.inverse();
                    out.extend(turn.scaled_axis().iter());
                }
            }
            Kind::Basis(o) => out.extend(&self.basis[o]),
            Kind::Phase => out.push(at as f64 / course.steps as f64),
            Kind::LastAction => out.extend(view.action.iter().map(|&a| f64::from(a))),
        }
        debug_assert_eq!(frame.tips.len(), seen.hands.len());
    }

    /// The last base row of each of the next control steps.
    fn ahead(&self, view: &View<'_>, mut each: impl FnMut(&[f64])) {
        let nu = view.targets.len();
        for k in 1..=self.future {
            let row = ((view.at + k) * view.course.every - 1).min(view.task.steps() - 1);
            each(&view.task.base[row * nu..(row + 1) * nu]);
        }
    }
}

fn layout_tips(task: &Task<'_>, hand: usize) -> usize {
    crate::refine::trials::tips(task.hands[hand]).len()
}

/// Adds Gaussian noise to the measured slices, clipped like everything else.
pub(super) fn disturb(
    slices: &[ObservationSlice],
    noise: &super::randomise::Noise,
    rng: &mut Pcg64,
    observation: &mut [f32],
) {
    use rand_distr::{Distribution, StandardNormal};
    for slice in slices.iter().filter(|slice| slice.measured) {
        let deviation = noise.of(slice.unit);
        if deviation == 0.0 {
            continue;
        }
        for value in &mut observation[slice.range.clone()] {
            let draw: f64 = StandardNormal.sample(rng);
            let noisy = f64::from(*value) + deviation * draw;
            *value = noisy.clamp(-slice.limit, slice.limit) as f32;
        }
    }
}

/// Wrist targets less the wrist's coordinates.
fn wrist_gap(
    task: &Task<'_>,
    seen: &SeenHand,
    hand: usize,
    row: &[f64],
    slots: Range<usize>,
    out: &mut Vec<f64>,
) {
    let place = &task.scene.hands[hand];
    out.extend(slots.map(|slot| row[place.wrist_ctrl[slot]] - seen.wrist[slot]));
}

/// Servo targets less the servos' lengths.
fn servo_gap(task: &Task<'_>, seen: &SeenHand, hand: usize, row: &[f64], out: &mut Vec<f64>) {
    let place = &task.scene.hands[hand];
    let gaps = place.finger_ctrl.iter().zip(&seen.lengths).map(|(&at, length)| row[at] - length);
    out.extend(gaps);
}

/// The first two columns of a rotation matrix (Zhou et al. 2019): six numbers without a jump.
pub fn columns(rotation: &UnitQuaternion<f64>) -> [f64; 6] {
    let m = rotation.to_rotation_matrix();
    [m[(0, 0)], m[(1, 0)], m[(2, 0)], m[(0, 1)], m[(1, 1)], m[(2, 1)]]
}

/// Pose of an object in the root frame of a hand.
pub fn object_in_wrist(hand: &SeenHand, object: &SeenObject) -> Pose {
    hand.world_from_root.inverse() * object.pose
}

/// Velocity of an object's origin as seen from the turning hand, root frame, m/s.
pub fn velocity_in_wrist(hand: &SeenHand, object: &SeenObject) -> Vector3<f64> {
    let arm = object.pose.translation.vector - hand.pivot.coords;
    let carried = hand.velocity + hand.turning.cross(&arm);
    hand.world_from_root.rotation.inverse() * (object.velocity - carried)
}

/// Angular velocity of an object relative to the hand, root frame, rad/s.
pub fn turning_in_wrist(hand: &SeenHand, object: &SeenObject) -> Vector3<f64> {
    hand.world_from_root.rotation.inverse() * (object.turning - hand.turning)
}

/// Normal force of each tip on objects in the root frame, and its size, newtons.
fn tip_forces(hand: &SeenHand, out: &mut Vec<f64>) {
    for tip in &hand.tips {
        let force = hand.world_from_root.rotation.inverse() * tip.push_in_world;
        out.extend(force.iter());
        out.push(force.norm());
    }
}

/// The way of each tip to where it should touch, root frame, metres; zero where it should not touch.
fn tip_goals(seen: &Seen, hand: usize, frame: &Frame, out: &mut Vec<f64>) {
    let root = seen.hands[hand].world_from_root.rotation.inverse();
    for (tip, wanted) in seen.hands[hand].tips.iter().zip(&frame.tips[hand]) {
        let way = wanted.goal.map_or_else(Vector3::zeros, |goal| {
            root * (seen.objects[goal.object].pose * goal.tip_in_object - tip.in_world)
        });
        out.extend(way.iter());
    }
}

/// Radius of the ball in which the basis points lie, metres.
pub const BASIS_RADIUS: f64 = 0.2;

/// The fixed basis of `count` points, evenly spread in a ball of [`BASIS_RADIUS`].
pub fn basis(count: usize) -> Vec<Point3<f64>> {
    let mut rng = Pcg64::seed_from_u64(128);
    let mut points = Vec::with_capacity(count);
    while points.len() < count {
        let p = Vector3::from_fn(|_, _| rng.random_range(-1.0..1.0));
        if p.norm() <= 1.0 {
            points.push(Point3::from(p * BASIS_RADIUS));
        }
    }
    points
}

/// Basis point set of an object (Prokudin et al. 2019; 128 points within 0.2 m in ManipTrans): distance
/// from each basis point, placed in the object's frame, to the nearest point of its surface, metres.
pub fn basis_distances(object: &ObjectModel, count: usize) -> Vec<f64> {
    basis(count).iter().map(|point| object.surface.closest(point).distance).collect()
}
