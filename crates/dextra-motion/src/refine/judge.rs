//! How a trial is judged: what the objects did, how the hands held them, and how far that is from the
//! human's way.

use super::outcome::{CostConfig, METRES_PER_RADIAN, Outcome, Tolerance};
use super::plan::Plan;
use super::trials::{Window, tips};
use crate::retarget::RetargetHand;
use dextra_core::demonstration::{Keypoints, keypoint, world_from_palm};
use dextra_core::{Pose, pose};
use dextra_sim::hand::Hand;
use dextra_sim::object::ObjectModel;
use dextra_sim::scene::{Owner, Scene};
use dextra_sim::world::{HandContact, World};
use nalgebra::Point3;

/// A human hand seen from the object it has, at the frames of a hold.
#[derive(Clone, Debug, PartialEq)]
pub struct HumanHold {
    /// Keypoints in the object's frame, smoothed, one entry per frame from the take on.
    pub keypoints: Vec<Keypoints>,
    /// The palm in the object's frame, per frame; `None` where the keypoints show none.
    pub palms: Vec<Option<Pose>>,
    /// First frame of the demonstration.
    pub first_frame: usize,
    /// Frames per second.
    pub fps: f64,
}

impl HumanHold {
    /// Index of the frame nearest to a time of the demonstration, seconds.
    pub fn index(&self, time: f64) -> usize {
        let frame = (time * self.fps).round().max(0.0) as usize;
        frame.saturating_sub(self.first_frame).min(self.keypoints.len().saturating_sub(1))
    }
}

/// Judges trials.
pub struct Judge<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// Hands of the scene, in its order.
    pub hands: &'a [&'a Hand],
    /// The same hands as the retargeter sees them.
    pub models: &'a [RetargetHand],
    /// Objects of the scene, in its order.
    pub objects: &'a [ObjectModel],
    /// The human's hands during the holds of the schedule, in its order.
    pub human: &'a [HumanHold],
    /// Weights of the cost.
    pub cost: CostConfig,
    /// What counts as good.
    pub tolerance: Tolerance,
}

/// How a hold looks at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    tip_gap: f64,
    style: f64,
    penetration: f64,
    self_penetration: f64,
    loose: f64,
}

/// Moments after the take at which a hold is looked at.
const LOOKS: usize = 5;
/// Metres that one radian between the palms of robot and human counts for in the style.
const PALM_M_PER_RAD: f64 = 0.03;
/// Radius of a robot fingertip, metres.
const TIP_RADIUS: f64 = 0.012;

impl Judge<'_> {
    /// Largest position (m) and rotation (rad) error over the objects after `step` steps.
    pub fn errors(&self, plan: &Plan<'_>, qpos: &[f64], step: usize) -> (f64, f64) {
        let mut worst = (0.0f64, 0.0f64);
        for (object, path) in plan.schedule.reference.iter().enumerate() {
            let target = &path[step.min(path.len() - 1)];
            let real = self.scene.world_from_object(object, qpos);
            worst.0 = worst.0.max(pose::distance_between(&real, target));
            worst.1 = worst.1.max(pose::angle_between(&real, target));
        }
        worst
    }

    /// Judges the joint positions after steps `from + 1 ..`; a path shorter than the window was
    /// given up and counts as lost from there on.
    pub fn outcome(
        &self,
        world: &mut World<'_>,
        plan: &Plan<'_>,
        path: &[f64],
        window: &Window<'_>,
        open_penetration: f64,
    ) -> Outcome {
        let nq = self.scene.model.ffi().nq as usize;
        let scale = position_scale(&plan.schedule.reference);
        let clip = scale * self.cost.clip;
        let Window { from, to, .. } = *window;
        let count = to - from;
        let (mut sum, mut weights) = (0.0, 0.0);
        let (mut max_position, mut max_rotation, mut max_error) = (0.0f64, 0.0f64, 0.0f64);
        let (mut bad, mut first_bad) = (0usize, to as f64);
        for k in 0..count {
            let step = from + k + 1;
            let (position, rotation) = match path.get(k * nq..(k + 1) * nq) {
                Some(qpos) => self.errors(plan, qpos, step),
                None => (2.0 * self.cost.clip, 1.0),
            };
            let error = tracking_error(scale, position, rotation);
            let weight = 1.0 + k as f64 / count as f64;
            sum += weight * error.min(clip);
            weights += weight;
            max_position = max_position.max(position);
            max_rotation = max_rotation.max(rotation);
            max_error = max_error.max(error);
            if !self.tolerance.holds(position, rotation) {
                bad += 1;
                first_bad = first_bad.min(step as f64);
            }
        }
        let at = |step: usize| path.get((step.checked_sub(from + 1)? * nq)..(step - from) * nq);
        let look = self.looks(world, plan, window, at);
        let tracking = sum / weights + self.cost.max_error * max_error.min(2.0 * clip);
        let cost = tracking
            + self.cost.open_penetration * open_penetration
            + self.cost.tip_gap * look.tip_gap
            + self.cost.style * look.style
            + self.cost.penetration * (look.penetration - 0.001).max(0.0)
            + self.cost.self_penetration * (look.self_penetration - 0.0005).max(0.0)
            + self.cost.loose * look.loose;
        Outcome {
            cost,
            max_position,
            max_rotation,
            good: 1.0 - (bad as f64 / held_steps(plan, window) as f64).min(1.0),
            open_penetration,
            tip_gap: look.tip_gap,
            style: look.style,
            first_bad,
            penetration: look.penetration,
            self_penetration: look.self_penetration,
            loose: look.loose,
            broken: false,
        }
    }

    /// The holds of a window looked at when they are taken and at a few moments after: gap and
    /// looseness at the take, the deepest penetration, the mean style.
    fn looks<'p>(
        &self,
        world: &mut World<'_>,
        plan: &Plan<'_>,
        window: &Window<'_>,
        at: impl Fn(usize) -> Option<&'p [f64]>,
    ) -> Look {
        let mut total = Look { loose: 0.0, ..Look::default() };
        let (mut styles, mut style) = (0usize, 0.0);
        for hold in window.first_hold..plan.grasps.len() {
            let steps = plan.holds()[hold];
            let first = steps.take.min(window.to);
            let last = steps.release.unwrap_or(window.to).min(window.to).max(first);
            for moment in 0..=LOOKS {
                let step = first + (last - first) * moment / LOOKS;
                let Some(qpos) = at(step) else {
                    if moment == 0 {
                        total.loose = 1.0;
                    }
                    continue;
                };
                let look = self.look(world, plan, hold, step, qpos);
                if moment == 0 {
                    total.tip_gap = total.tip_gap.max(look.tip_gap);
                    if !steps.sliding {
                        total.loose = total.loose.max(look.loose);
                    }
                }
                total.penetration = total.penetration.max(look.penetration);
                total.self_penetration = total.self_penetration.max(look.self_penetration);
                style += look.style;
                styles += 1;
            }
        }
        total.style = style / styles.max(1) as f64;
        total
    }

    fn look(
        &self,
        world: &mut World<'_>,
        plan: &Plan<'_>,
        hold: usize,
        step: usize,
        qpos: &[f64],
    ) -> Look {
        let (tip_gap, style) = self.fingers(plan, hold, step, qpos);
        world.reset(qpos);
        world.forward();
        let contacts = world.hand_contacts();
        let outside = contacts.iter().filter(|c| !matches!(c.other, Owner::Hand(_)));
        let between = contacts.iter().filter(|c| matches!(c.other, Owner::Hand(_)));
        let depth = |deepest: f64, contact: &HandContact| deepest.max(contact.depth);
        Look {
            tip_gap,
            style,
            penetration: outside.fold(0.0, depth),
            self_penetration: between.fold(world.self_penetration(), depth),
            loose: looseness(&contacts, plan.grasps[hold].object),
        }
    }

    /// Gap of the thumb and the two nearest fingers to the surface (without the thumb when the object
    /// is only slid), and how far the hand is from the human's in the object's frame: mean distance of
    /// the tips plus 3 cm per radian between the palms. Both metres.
    fn fingers(&self, plan: &Plan<'_>, hold: usize, step: usize, qpos: &[f64]) -> (f64, f64) {
        let steps = plan.holds()[hold];
        let hand = self.hands[steps.hand];
        let root = self.scene.world_from_root(steps.hand, qpos);
        let joints = self.scene.joints(steps.hand, qpos);
        let bodies = hand.tree.forward(&joints);
        let object_from_world = self.scene.world_from_object(steps.object, qpos).inverse();
        let human = &self.human[hold];
        let frame = human.index(plan.schedule.demonstrated_time(step));
        let mut fingers = Vec::new();
        let (mut thumb, mut offset, mut count) = (0.0f64, 0.0, 0usize);
        for tip in tips(hand) {
            let point = object_from_world * (root * (bodies[tip.body] * tip.point));
            let surface = &self.objects[steps.object].surface;
            let distance = (surface.closest(&point).distance - TIP_RADIUS).max(0.0);
            if tip.keypoint == keypoint::TIPS[0] {
                thumb = distance;
            } else {
                fingers.push(distance);
            }
            offset += (point - human.keypoints[frame][tip.keypoint]).norm();
            count += 1;
        }
        fingers.sort_by(f64::total_cmp);
        let second = fingers.get(1).or(fingers.first()).copied().unwrap_or(0.0);
        let gap = if steps.sliding { second } else { second.max(thumb) };
        let palm = self.models[steps.hand].world_from_palm(&root, &joints);
        let turned = human.palms[frame]
            .map_or(0.0, |human| pose::angle_between(&(object_from_world * palm), &human));
        (gap, offset / count.max(1) as f64 + PALM_M_PER_RAD * turned)
    }

    /// Deepest contact of one hand with anything but itself at `qpos`, metres.
    pub fn hand_penetration(&self, world: &mut World<'_>, hand: usize, qpos: &[f64]) -> f64 {
        world.reset(qpos);
        world.forward();
        let contacts = world.hand_contacts();
        contacts.iter().filter(|c| c.hand == hand).map(|c| c.depth).fold(0.0, f64::max)
    }

    /// Deepest contact of the opened hands that are about to close, metres.
    pub fn open_penetration(
        &self,
        world: &mut World<'_>,
        plan: &Plan<'_>,
        theta: &[f64],
        window: &Window<'_>,
    ) -> f64 {
        let mut deepest = 0.0f64;
        for hold in window.first_hold..plan.grasps.len() {
            let mut qpos = match window.state {
                Some(state) => {
                    world.set_state(state);
                    world.qpos().to_vec()
                }
                None => plan.qpos_at(theta, plan.close_step(hold)),
            };
            let grasp = &plan.grasps[hold];
            let root = plan.world_from_root(grasp.hand, theta, plan.close_step(hold));
            self.scene.set_hand(grasp.hand, &root, &grasp.open_joints, &mut qpos);
            self.scene.set_object(grasp.object, &plan.at_take[hold], &mut qpos);
            world.reset(&qpos);
            world.forward();
            let contacts = world.hand_contacts();
            let own = contacts.iter().filter(|c| c.hand == grasp.hand);
            deepest = own.map(|c| c.depth).fold(deepest, f64::max);
        }
        deepest
    }
}

/// Steps of a window during which something is held, at least one.
fn held_steps(plan: &Plan<'_>, window: &Window<'_>) -> usize {
    let holds = &plan.holds()[window.first_hold..];
    let from = holds.iter().map(|hold| hold.take).min().unwrap_or(window.from);
    let to = holds.iter().map(|hold| hold.release.unwrap_or(window.to)).max().unwrap_or(window.to);
    to.min(window.to).saturating_sub(from.max(window.from)).max(1)
}

/// Factor on position errors: where the object is hardly moved, leaving it on the table is a small
/// error in metres but no less a failure. Rotation errors are not scaled, for an object left on the
/// table has none: lifting it askew must not cost more than not lifting it.
fn position_scale(reference: &[Vec<Pose>]) -> f64 {
    const USUAL: f64 = 0.12;
    let way = |path: &Vec<Pose>| {
        path.iter().map(|p| pose::distance_between(p, &path[0])).fold(0.0, f64::max)
    };
    let furthest = reference.iter().map(way).fold(0.0, f64::max);
    (USUAL / furthest.max(1e-3)).clamp(1.0, 4.0)
}

/// What a position (m) and a rotation error (rad) at one moment count for together.
fn tracking_error(scale: f64, position: f64, rotation: f64) -> f64 {
    (scale * position + METRES_PER_RADIAN * rotation).min(2.0)
}

/// 1 without contact between hands and an object, else `(1 + c) / 2` with `c` the least cosine between
/// two contact normals (force closure needs opposing ones).
fn looseness(contacts: &[HandContact], object: usize) -> f64 {
    let touching = |c: &&HandContact| c.other == Owner::Object(object) && c.depth > -1e-4;
    let normals: Vec<_> = contacts.iter().filter(touching).map(|c| c.normal).collect();
    let pairs = normals
        .iter()
        .enumerate()
        .flat_map(|(i, a)| normals[i + 1..].iter().map(move |b| a.dot(b)));
    pairs.reduce(f64::min).map_or(1.0, |least| (1.0 + least) / 2.0)
}

/// The human's hand in the frame of the object it has from frame `first` to `last`, each keypoint a
/// mean over a quarter of a second: recorded hands jitter by 1 to 2 cm relative to objects.
pub fn human_hold(
    demo: &dextra_core::Demonstration,
    hand: usize,
    object: usize,
    (first, last): (usize, usize),
) -> HumanHold {
    let track = &demo.hands[hand].keypoints_in_world;
    let poses = &demo.objects[object].world_from_object;
    let last = last.min(track.len() - 1).max(first);
    let seen: Vec<Keypoints> = (first..=last)
        .map(|frame| {
            let inverse = poses[frame].inverse();
            track[frame].map(|p| inverse * p)
        })
        .collect();
    let radius = (0.125 * demo.fps).round() as usize;
    let keypoints: Vec<Keypoints> = (0..seen.len())
        .map(|i| {
            let window = &seen[i.saturating_sub(radius)..(i + radius + 1).min(seen.len())];
            super::hypothesis::mean_keypoints(window)
        })
        .collect();
    let side = demo.hands[hand].side;
    let palms = keypoints.iter().map(|points| world_from_palm(points, side)).collect();
    HumanHold { keypoints, palms, first_frame: first, fps: demo.fps }
}

/// Mean distance of a hand's tips from points in the object's frame beyond `slack`, metres.
pub fn tip_distance(
    scene: &Scene,
    hand: &Hand,
    (index, object): (usize, usize),
    wanted: &[Point3<f64>],
    qpos: &[f64],
    slack: f64,
) -> f64 {
    let object_from_world = scene.world_from_object(object, qpos).inverse();
    let root = scene.world_from_root(index, qpos);
    let bodies = hand.tree.forward(&scene.joints(index, qpos));
    let tips = tips(hand);
    let distances = tips.iter().zip(wanted).map(|(tip, wanted)| {
        let point = object_from_world * (root * (bodies[tip.body] * tip.point));
        ((point - wanted).norm() - slack).max(0.0)
    });
    distances.sum::<f64>() / tips.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifting_askew_costs_less_than_leaving_on_the_table() {
        // Measured on a recorded lift by 3.4 cm: left where it lay, and lifted with a tilt of 18 degrees.
        let lift = |height: f64| vec![vec![Pose::identity(), Pose::translation(0.0, 0.0, height)]];
        let scale = position_scale(&lift(0.034));
        assert!(tracking_error(scale, 0.020, 0.31) < tracking_error(scale, 0.034, 0.12));
        assert!((scale - 0.12 / 0.034).abs() < 1e-9);
        let far = [position_scale(&lift(0.3)), position_scale(&lift(0.0))];
        assert_eq!(far, [1.0, 4.0], "not below one, and bounded");
    }
}
