//! What is rewarded: one small function per term, each with its source; weights in [`RewardConfig`].

use super::seen::{Level, Seen, SeenHand, SeenObject};
use super::task::{Frame, Goal};
use super::termination::mean_distance;
use dextra_core::{Pose, pose};
use nalgebra::{Point3, Vector3};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `weight * exp(-rate * error)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// Weight; 0 switches the term off.
    pub weight: f64,
    /// Decay per unit of the error.
    pub rate: f64,
}

impl Exponential {
    /// A term.
    pub const fn new(weight: f64, rate: f64) -> Self {
        Self { weight, rate }
    }

    /// Its value at an error.
    pub fn at(&self, error: f64) -> f64 {
        if self.weight == 0.0 { 0.0 } else { self.weight * (-self.rate * error).exp() }
    }
}

/// DexMan's contact prior, equation 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorConfig {
    /// `w_c` of tips; 0.5 in the paper, 0 switches them off.
    pub weight: f64,
    /// `w_c` of the first joints of the four fingers, where they leave the palm; 2.0 in the paper, 0 switches them
    /// off.
    #[serde(default)]
    pub palm: f64,
    /// `λ_c`, 1/m²; 400 in the paper.
    pub rate: f64,
    /// `γ_c` on the direction; 1.
    pub direction: f64,
    /// `w_c1`: while the object rests; 1.
    pub resting: f64,
    /// `w_c2`: what is added when it is lifted; 1.
    pub lifted: f64,
}

/// PKDA's unified reward of approach, grasp and lift; see [`unified`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnifiedConfig {
    /// Weight of the whole; 0 switches it off.
    pub weight: f64,
    /// Approach: decay with the mean distance of tips from their contact points, 1/m.
    pub rate: f64,
    /// ε: every tip must be so near its contact point for anything else to count, metres; 0.06 in PKDA.
    pub near: f64,
    /// Grasp: at most so much, when all those tips touch.
    pub grasp: f64,
    /// Lift: at most so much, at 2 cm of height; needs the thumb and one more finger.
    pub lift: f64,
    /// From there on: at most so much for the pose of the reference.
    pub pose: f64,
    /// Decay of that with the position error, 1/m.
    pub position_rate: f64,
    /// The same with the rotation error, 1/rad.
    pub rotation_rate: f64,
}

/// Weights of all terms. A reward is given per control step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RewardConfig {
    /// Object position error, metres; mean over objects.
    pub object_position: Exponential,
    /// Object rotation error, radians; mean over objects.
    pub object_rotation: Exponential,
    /// Factor on both: `.0` while the object rests, and `.1` more when it is lifted (DexMan, equation 2).
    pub object_gate: (f64, f64),
    /// Distance of each tip from where the path has it, metres, from thumb to pinky; summed.
    pub tips: [Exponential; 5],
    /// Distance of the wrist from where the path has it, metres; mean over hands.
    pub wrist_position: Exponential,
    /// The same of its rotation, radians.
    pub wrist_rotation: Exponential,
    /// Mean distance of the fingers' first joints from where the path has them, metres; mean over hands.
    pub proximal: Exponential,
    /// The same of the joints between those and the tips.
    pub middle: Exponential,
    /// Error of the velocity of the wrist, m/s, the mean of its absolute components as of all velocities; mean over
    /// hands.
    pub wrist_velocity: Exponential,
    /// Error of its angular velocity, rad/s; mean over hands.
    pub wrist_turning: Exponential,
    /// Mean error of the velocities of all tracked points of a hand, m/s; mean over hands.
    pub point_velocity: Exponential,
    /// Error of the velocity of an object, m/s; mean over objects.
    pub object_velocity: Exponential,
    /// Error of its angular velocity, rad/s; mean over objects.
    pub object_turning: Exponential,
    /// Distance of tips from their contact points, metres; mean over the tips that have one.
    pub contact_goal: Exponential,
    /// How much each metre behind the surface it should touch adds to a tip's distance, metres.
    pub behind: f64,
    /// `weight * exp(-1 / Σ f)`, ManipTrans.
    pub contact_force: f64,
    /// DexMan's contact prior.
    pub contact_prior: PriorConfig,
    /// PKDA's unified reward.
    pub unified: UnifiedConfig,
    /// Distance of the wrench that hands exert on an object from the one its reference needs, over its weight,
    /// while the reference is lifted; mean over objects.
    pub contact_wrench: Exponential,
    /// Up to this for an object as high as its reference demands, up to 2 cm (PKDA).
    pub lift: f64,
    /// Subtracted times the mean square of the action.
    pub action: f64,
    /// Subtracted times the mean square of its change.
    pub action_change: f64,
    /// Power of finger servos, W.
    pub power: Exponential,
    /// Power of wrist servos, W.
    pub wrist_power: Exponential,
    /// Height above its rest from which an object counts as lifted, metres.
    pub lifted_height: f64,
}

const OFF: Exponential = Exponential::new(0.0, 0.0);
const NOT_UNIFIED: UnifiedConfig = UnifiedConfig {
    weight: 0.0,
    rate: 20.0,
    near: 0.06,
    grasp: 1.0,
    lift: 1.0,
    pose: 4.0,
    position_rate: 40.0,
    rotation_rate: 4.0,
};
const NO_PRIOR: PriorConfig =
    PriorConfig { weight: 0.0, palm: 0.0, rate: 400.0, direction: 1.0, resting: 1.0, lifted: 1.0 };

impl Default for RewardConfig {
    /// What taught residuals round refined trajectories in our prototype:
    /// `.9 e^{-40 ep} + .6 e^{-4 er} + .5 contact e^{-40 d} + .3 e^{-25 tip}`.
    fn default() -> Self {
        Self {
            object_position: Exponential::new(0.9, 40.0),
            object_rotation: Exponential::new(0.6, 4.0),
            object_gate: (1.0, 0.0),
            tips: [Exponential::new(0.06, 25.0); 5],
            wrist_position: OFF,
            wrist_rotation: OFF,
            proximal: OFF,
            middle: OFF,
            wrist_velocity: OFF,
            wrist_turning: OFF,
            point_velocity: OFF,
            object_velocity: OFF,
            object_turning: OFF,
            contact_goal: Exponential::new(0.5, 40.0),
            behind: 2.0,
            contact_force: 0.0,
            contact_prior: NO_PRIOR,
            unified: NOT_UNIFIED,
            contact_wrench: OFF,
            lift: 0.0,
            action: 0.01,
            action_change: 0.01,
            power: OFF,
            wrist_power: OFF,
            lifted_height: 0.01,
        }
    }
}

impl RewardConfig {
    /// ManipTrans: `dexhandmanip_sh.py`.
    pub fn maniptrans() -> Self {
        Self {
            object_position: Exponential::new(5.0, 80.0),
            object_rotation: Exponential::new(1.0, 3.0),
            tips: [
                Exponential::new(0.9, 100.0),
                Exponential::new(0.8, 90.0),
                Exponential::new(0.75, 80.0),
                Exponential::new(0.6, 60.0),
                Exponential::new(0.6, 60.0),
            ],
            wrist_position: Exponential::new(0.1, 40.0),
            wrist_rotation: Exponential::new(0.6, 1.0),
            proximal: Exponential::new(0.5, 50.0),
            middle: Exponential::new(0.3, 40.0),
            wrist_velocity: Exponential::new(0.1, 1.0),
            wrist_turning: Exponential::new(0.05, 1.0),
            point_velocity: Exponential::new(0.1, 1.0),
            object_velocity: Exponential::new(0.1, 1.0),
            object_turning: Exponential::new(0.1, 1.0),
            contact_goal: OFF,
            contact_force: 1.0,
            action: 0.0,
            action_change: 0.0,
            power: Exponential::new(0.5, 10.0),
            wrist_power: Exponential::new(0.5, 2.0),
            ..Self::default()
        }
    }

    /// DexMan, equations 1 and 2 and the imitation of the wrist; per-joint imitation is that of the tips.
    pub fn dexman() -> Self {
        Self {
            object_position: Exponential::new(5.0, 80.0),
            object_rotation: Exponential::new(1.0, 3.0),
            object_gate: (0.1, 4.0),
            tips: [Exponential::new(0.1, 20.0); 5],
            wrist_position: Exponential::new(0.5, 2.0),
            wrist_rotation: Exponential::new(0.5, 20.0),
            contact_goal: OFF,
            contact_prior: PriorConfig { weight: 0.5, palm: 2.0, ..NO_PRIOR },
            action: 0.0,
            action_change: 0.0,
            ..Self::default()
        }
    }
}

/// Names of the terms, in the order of [`rewards`].
pub const TERMS: [&str; 22] = [
    "object_position",
    "object_rotation",
    "tips",
    "wrist_position",
    "wrist_rotation",
    "contact_goal",
    "contact_force",
    "contact_prior",
    "unified",
    "lift",
    "action",
    "action_change",
    "power",
    "wrist_power",
    "contact_wrench",
    "proximal",
    "middle",
    "wrist_velocity",
    "wrist_turning",
    "point_velocity",
    "object_velocity",
    "object_turning",
];

/// What the terms need beside the geometry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Mean square of the action, see [`mean_square`].
    pub action: f64,
    /// Mean square of its change.
    pub action_change: f64,
    /// Σ |τ q̇| of finger servos, W.
    pub power: f64,
    /// The same of wrist servos, W.
    pub wrist_power: f64,
    /// Factor on the mass of objects.
    pub mass: f64,
    /// Share of gravity that acts on them.
    pub gravity: f64,
}

impl Default for Effort {
    /// No effort, in the true world.
    fn default() -> Self {
        Self {
            action: 0.0,
            action_change: 0.0,
            power: 0.0,
            wrist_power: 0.0,
            mass: 1.0,
            gravity: 1.0,
        }
    }
}

/// Every term, weighted, in the order of [`TERMS`]; their sum is the reward. `rest` is the height of
/// every object's origin at rest, metres.
pub fn rewards(
    config: &RewardConfig,
    seen: &Seen,
    frame: &Frame,
    rest: &[f64],
    effort: &Effort,
) -> [f64; TERMS.len()] {
    let objects = seen.objects.len().max(1) as f64;
    let hands = seen.hands.len().max(1) as f64;
    let height = |o: usize| seen.objects[o].pose.translation.z - rest[o];
    let lifted = |o: usize| height(o) > config.lifted_height;
    let mut terms = [0.0; TERMS.len()];
    for (o, wanted) in frame.objects.iter().enumerate() {
        let pose = &seen.objects[o].pose;
        let gate = config.object_gate.0 + if lifted(o) { config.object_gate.1 } else { 0.0 };
        terms[0] += gate * object_position(&config.object_position, pose, wanted) / objects;
        terms[1] += gate * object_rotation(&config.object_rotation, pose, wanted) / objects;
        let (velocity, turning) = &frame.speeds.objects[o];
        let off = |term: &Exponential, real: &Vector3<f64>, wanted: &Vector3<f64>| {
            term.at(mean_absolute(&(real - wanted)))
        };
        terms[20] += off(&config.object_velocity, &seen.objects[o].velocity, velocity) / objects;
        terms[21] += off(&config.object_turning, &seen.objects[o].turning, turning) / objects;
        let demanded = wanted.translation.z - rest[o];
        terms[9] += config.lift * lift(height(o), demanded, config.lifted_height) / objects;
        if config.contact_wrench.weight != 0.0 && demanded > config.lifted_height {
            let world = (effort.mass, effort.gravity);
            let SeenObject { force, torque, .. } = &seen.objects[o];
            let error = frame.loads[o].error(force, torque, world);
            terms[14] += config.contact_wrench.at(error) / objects;
        }
    }
    let (mut goals, mut contact) = (0usize, 0.0);
    let mut pushes = 0.0;
    for (h, hand) in seen.hands.iter().enumerate() {
        let root = &frame.roots[h];
        terms[3] += wrist_position(&config.wrist_position, hand, root) / hands;
        terms[4] += wrist_rotation(&config.wrist_rotation, hand, root) / hands;
        for (tip, wanted) in hand.tips.iter().zip(&frame.tips[h]) {
            terms[2] += config.tips[tip.finger].at((tip.in_world - wanted.in_world).norm());
            pushes += tip.push_in_world.norm() * expected_contact(wanted.distance);
            let Some(goal) = &wanted.goal else { continue };
            let pose = &seen.objects[goal.object].pose;
            goals += 1;
            contact +=
                config.contact_goal.at(contact_distance(&tip.in_world, pose, goal, config.behind));
            let prior = &config.contact_prior;
            let point = (&tip.in_world, &tip.pad_in_world, prior.weight);
            terms[7] += contact_prior(prior, point, pose, goal, lifted(goal.object)) / objects;
        }
        for (knuckle, wanted) in hand.knuckles.iter().zip(&frame.knuckles[h]) {
            let Some(goal) = &wanted.goal else { continue };
            let pose = &seen.objects[goal.object].pose;
            let prior = &config.contact_prior;
            let point = (&knuckle.in_world, &hand.palm_in_world, prior.palm);
            terms[7] += contact_prior(prior, point, pose, goal, lifted(goal.object)) / objects;
        }
        let level = |level| mean_distance(hand, &frame.knuckles[h], level);
        terms[15] += config.proximal.at(level(Level::Proximal)) / hands;
        terms[16] += config.middle.at(level(Level::Middle)) / hands;
        let (velocity, turning) = &frame.speeds.wrists[h];
        terms[17] += config.wrist_velocity.at(mean_absolute(&(hand.velocity - velocity))) / hands;
        terms[18] += config.wrist_turning.at(mean_absolute(&(hand.turning - turning))) / hands;
        let error = velocity_error(hand, &frame.speeds.points[h]);
        terms[19] += config.point_velocity.at(error) / hands;
    }
    for hand in 0..seen.hands.len() {
        terms[8] += unified(config, seen, frame, hand, rest) / hands;
    }
    terms[5] = contact / goals.max(1) as f64;
    terms[6] = config.contact_force * contact_force(pushes);
    terms[10] = -config.action * effort.action;
    terms[11] = -config.action_change * effort.action_change;
    terms[12] = config.power.at(effort.power);
    terms[13] = config.wrist_power.at(effort.wrist_power);
    terms
}

/// Object position: `w e^{-λ |p - p̂|}` (all of the papers; λ 80 in ManipTrans and DexMan, 40 ours).
pub fn object_position(term: &Exponential, pose: &Pose, wanted: &Pose) -> f64 {
    term.at(pose::distance_between(pose, wanted))
}

/// Object rotation: `w e^{-λ angle(R, R̂)}` (λ 3 in ManipTrans and DexMan, 4 ours).
pub fn object_rotation(term: &Exponential, pose: &Pose, wanted: &Pose) -> f64 {
    term.at(pose::angle_between(pose, wanted))
}

/// Wrist position: `w e^{-λ |p - p̂|}` (ManipTrans .1, 40; DexMan .5, 2).
pub fn wrist_position(term: &Exponential, hand: &SeenHand, wanted: &Pose) -> f64 {
    term.at(pose::distance_between(&hand.world_from_root, wanted))
}

/// Wrist rotation: `w e^{-λ angle}` (ManipTrans .6, 1; DexMan .5, 20).
pub fn wrist_rotation(term: &Exponential, hand: &SeenHand, wanted: &Pose) -> f64 {
    term.at(pose::angle_between(&hand.world_from_root, wanted))
}

/// Mean of the absolute components: ManipTrans's error of a velocity.
fn mean_absolute(difference: &Vector3<f64>) -> f64 {
    difference.abs().mean()
}

/// Mean error, m/s, of the velocities of a hand's tips and then of its other tracked points; 0 without any.
pub fn velocity_error(hand: &SeenHand, wanted: &[Vector3<f64>]) -> f64 {
    let tips = hand.tips.iter().map(|tip| &tip.velocity);
    let real = tips.chain(hand.knuckles.iter().map(|knuckle| &knuckle.velocity));
    let sum: f64 = real.zip(wanted).map(|(real, wanted)| mean_absolute(&(real - wanted))).sum();
    sum / wanted.len().max(1) as f64
}

/// Distance of a tip from its contact point in the object's frame, metres (ours). Unlike a distance to
/// the surface it knows the side: a tip behind the plane of the face that it should touch has to go
/// round, so each metre behind counts `behind` metres more.
pub fn contact_distance(tip: &Point3<f64>, object: &Pose, goal: &Goal, behind: f64) -> f64 {
    let tip_in_object = object.inverse_transform_point(tip);
    let above = (tip_in_object - goal.surface_in_object).dot(&goal.normal_in_object);
    // The path's own tip may be a little behind: tips give way, and some are points inside the pad.
    let usual = (goal.tip_in_object - goal.surface_in_object).dot(&goal.normal_in_object);
    (tip_in_object - goal.tip_in_object).norm() + behind * (usual.min(0.0) - above).max(0.0)
}

/// ManipTrans: how far a tip is expected to touch, from its distance to the object in the demonstration,
/// metres: 1 up to 2 cm, falling to 0 at 3 cm.
pub fn expected_contact(distance: f64) -> f64 {
    ((0.03 - distance) / 0.01).clamp(0.0, 1.0)
}

/// ManipTrans: `exp(-1 / Σ f)` of the expected tip forces, newtons; 0 without force.
pub fn contact_force(sum: f64) -> f64 {
    if sum > 0.0 { (-1.0 / sum).exp() } else { 0.0 }
}

/// DexMan, equation 1, for one keypoint and object:
/// `w_c (1 + γ ⟨n, d̂⟩) e^{-λ |p - v|²} (w_c1 + w_c2 [lifted])`, with `n` the outward normal of the hand's surface
/// at the point `p`, `v` the point of the object's surface and `d̂` the direction from `p` to it. Where `p = v`,
/// the direction is against the object's normal. `point` is `p`, `n` (both world frame) and `w_c`.
pub fn contact_prior(
    config: &PriorConfig,
    point: (&Point3<f64>, &Vector3<f64>, f64),
    object: &Pose,
    goal: &Goal,
    lifted: bool,
) -> f64 {
    let (in_world, normal, weight) = point;
    if weight == 0.0 {
        return 0.0;
    }
    let vertex = object * goal.surface_in_object;
    let way = vertex - in_world;
    let towards: Vector3<f64> =
        way.try_normalize(1e-9).unwrap_or_else(|| -(object * goal.normal_in_object));
    let facing = 1.0 + config.direction * normal.dot(&towards);
    let gate = config.resting + if lifted { config.lifted } else { 0.0 };
    weight * facing * (-config.rate * way.norm_squared()).exp() * gate
}

/// PKDA's unified reward for one hand: approach, `e^{-λ d}` of the mean distance `d` of tips from their contact
/// points; when all are within ε, the share of them that touch; when the thumb and another finger do, the
/// height, linear to 2 cm; above that, how well the object is where its reference demands. The order and the
/// numbers named in [`UnifiedConfig`] are the paper's, the exponentials and weights ours.
pub fn unified(
    config: &RewardConfig,
    seen: &Seen,
    frame: &Frame,
    hand: usize,
    rest: &[f64],
) -> f64 {
    let term = &config.unified;
    if term.weight == 0.0 {
        return 0.0;
    }
    let (mut goals, mut touching, mut sum, mut worst) = (0usize, 0usize, 0.0, 0.0f64);
    let (mut thumb, mut finger) = (false, false);
    let mut object = None;
    for (tip, wanted) in seen.hands[hand].tips.iter().zip(&frame.tips[hand]) {
        let Some(goal) = &wanted.goal else { continue };
        let pose = &seen.objects[goal.object].pose;
        let distance = contact_distance(&tip.in_world, pose, goal, config.behind);
        let touches = tip.push_in_world.norm() > 0.0;
        (goals, touching) = (goals + 1, touching + usize::from(touches));
        (sum, worst) = (sum + distance, worst.max(distance));
        thumb |= touches && tip.finger == 0;
        finger |= touches && tip.finger != 0;
        object = Some(goal.object);
    }
    let Some(object) = object else { return 0.0 };
    let mut value = (-term.rate * sum / goals as f64).exp();
    if worst < term.near {
        value += term.grasp * touching as f64 / goals as f64;
        if thumb && finger {
            let (pose, wanted) = (&seen.objects[object].pose, &frame.objects[object]);
            let height = pose.translation.z - rest[object];
            let demanded = wanted.translation.z - rest[object];
            let lifted = lift(height, demanded, config.lifted_height);
            value += term.lift * lifted;
            if lifted == 1.0 {
                let off = pose::distance_between(pose, wanted);
                let turned = pose::angle_between(pose, wanted);
                value +=
                    term.pose * (-term.position_rate * off - term.rotation_rate * turned).exp();
            }
        }
    }
    term.weight * value
}

/// PKDA: linear up to 2 cm of height, while the reference is lifted by more than `least`, in `[0, 1]`.
pub fn lift(height: f64, demanded: f64, least: f64) -> f64 {
    const FULL: f64 = 0.02;
    if demanded <= least { 0.0 } else { (height / FULL.min(demanded)).clamp(0.0, 1.0) }
}

/// Mean of the squares; 0 of nothing.
pub fn mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, n), x| (sum + x * x, n + 1));
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests;
