//! What observations and rewards are made of: the geometry of one state, computed once.

use crate::refine::trials::tips;
use dextra_core::Pose;
use dextra_sim::hand::Hand;
use dextra_sim::object::ObjectModel;
use dextra_sim::scene::{Owner, Scene, wrist_to_root};
use dextra_sim::world::HandContact;
use nalgebra::{Point3, UnitQuaternion, Vector3};

/// A fingertip as the environment knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct TipFacts {
    /// Body in the hand's tree.
    pub body: usize,
    /// Point in the body, metres.
    pub point: Point3<f64>,
    /// Finger: 0 thumb to 4 pinky.
    pub finger: usize,
    /// Direction in which the pad looks, in the body, unit: where the tip goes when the finger bends.
    pub pad_in_body: Vector3<f64>,
    /// Geoms of the scene that count as this tip.
    pub geoms: Vec<usize>,
}

/// Which joints of a finger a point stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The first: human keypoints 1, 5, 9, 13 and 17.
    Proximal,
    /// Those between it and the tip.
    Middle,
}

/// A point of a finger below its tip.
#[derive(Clone, Debug, PartialEq)]
pub struct KnuckleFacts {
    /// Body in the hand's tree.
    pub body: usize,
    /// Point in the body, metres.
    pub point: Point3<f64>,
    /// What it stands for.
    pub level: Level,
    /// Whether it is where a finger leaves the palm: human keypoints 5, 9, 13 and 17.
    pub palm: bool,
}

/// A hand as the environment knows it.
#[derive(Clone, Debug)]
pub struct HandFacts {
    /// Fingertips, in the order of the hand's map.
    pub tips: Vec<TipFacts>,
    /// The other tracked points of its fingers, in the order of the hand's map.
    pub knuckles: Vec<KnuckleFacts>,
    /// Addresses in `qvel` of the wrist's six coordinates.
    pub wrist_dof: [usize; 6],
    /// Addresses in `qvel` of the joints, tree order.
    pub joint_dof: Vec<usize>,
}

impl HandFacts {
    /// Facts of hand `index` of a scene.
    pub fn new(scene: &Scene, hand: &Hand, index: usize) -> Self {
        let place = &scene.hands[index];
        let bodies = scene.model.geom_bodyid();
        let geoms_of = |body: usize| -> Vec<usize> {
            let name = format!("{}{}", place.prefix, hand.tree.bodies[body].name);
            let Some(id) = scene.body_id(&name) else { return Vec::new() };
            (0..bodies.len()).filter(|&g| bodies[g] as usize == id).collect()
        };
        let tips = tips(hand)
            .iter()
            .map(|tip| {
                // A tip may be a frame without geometry that is fixed to the last phalanx.
                let mut body = tip.body;
                let mut geoms = geoms_of(body);
                while let (true, Some(parent)) = (geoms.is_empty(), hand.tree.bodies[body].parent) {
                    body = parent;
                    geoms = geoms_of(body);
                }
                TipFacts {
                    body: tip.body,
                    point: tip.point,
                    finger: tip.keypoint / 4 - 1,
                    pad_in_body: pad(hand, tip.body, &tip.point),
                    geoms,
                }
            })
            .collect();
        Self {
            tips,
            knuckles: knuckles(hand),
            wrist_dof: place.wrist_qpos.map(|at| scene.dof(at)),
            joint_dof: place.joint_qpos.iter().map(|&at| scene.dof(at)).collect(),
        }
    }
}

/// The points of a hand's map that stand for human finger joints.
fn knuckles(hand: &Hand) -> Vec<KnuckleFacts> {
    let links = hand.map.keypoints.iter().filter(|link| link.keypoint % 4 != 0);
    links
        .filter_map(|link| {
            let body = hand.tree.body(&link.at.body)?;
            let level = if link.keypoint % 4 == 1 { Level::Proximal } else { Level::Middle };
            let palm = level == Level::Proximal && link.keypoint != 1;
            Some(KnuckleFacts { body, point: link.at.point_in_body, level, palm })
        })
        .collect()
}

/// Direction in which the last hinge of a finger moves its tip towards the palm's middle axis, in the
/// body's frame, seen with every joint in the middle of its range.
fn pad(hand: &Hand, body: usize, point: &Point3<f64>) -> Vector3<f64> {
    let middle: Vec<f64> = hand
        .tree
        .joints
        .iter()
        .map(|j| if j.range.0.is_finite() { 0.5 * (j.range.0 + j.range.1) } else { 0.0 })
        .collect();
    let mut workspace = dextra_core::kinematics::Workspace::new(&hand.tree);
    workspace.forward(&hand.tree, &Pose::identity(), &middle);
    let Some(&joint) = workspace.chain(body).last() else { return Vector3::z() };
    let tip = workspace.point(body, point);
    let way = workspace.point_column(joint, &tip);
    let palm = hand.tree.body(&hand.map.palm_body).unwrap_or(0);
    let normal = workspace.world_from_body[palm] * hand.map.normal_axis;
    let center = workspace.world_from_body[palm] * hand.map.palm_center;
    // A point in front of the palm at the height of the tip: what fingers close on.
    let goal = center + normal * (tip - center).dot(&normal).max(0.02);
    let way = if way.dot(&(goal - tip)) < 0.0 { -way } else { way };
    let in_body = workspace.world_from_body[body].inverse_transform_vector(&way);
    in_body.try_normalize(1e-9).unwrap_or_else(Vector3::z)
}

/// A tip relative to an object's surface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Distance of the tip's point from the surface, metres, negative behind it.
    pub distance: f64,
    /// Closest point of the surface, object frame.
    pub surface_in_object: Point3<f64>,
    /// Outward normal there, object frame.
    pub normal_in_object: Vector3<f64>,
}

/// A fingertip in one state.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenTip {
    /// Finger: 0 thumb to 4 pinky.
    pub finger: usize,
    /// Where it is.
    pub in_world: Point3<f64>,
    /// Its velocity, world frame, m/s.
    pub velocity: Vector3<f64>,
    /// Where its pad looks, unit.
    pub pad_in_world: Vector3<f64>,
    /// Sum of the normal forces with which it pushes on objects, newtons.
    pub push_in_world: Vector3<f64>,
    /// Relative to every object.
    pub near: Vec<Near>,
}

/// A point of a finger below its tip, in one state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeenKnuckle {
    /// What it stands for.
    pub level: Level,
    /// Where it is.
    pub in_world: Point3<f64>,
    /// Its velocity, world frame, m/s.
    pub velocity: Vector3<f64>,
}

/// A hand in one state.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenHand {
    /// Pose of the root.
    pub world_from_root: Pose,
    /// Velocity of the wrist's pivot, world frame, m/s.
    pub velocity: Vector3<f64>,
    /// Angular velocity of the root, world frame, rad/s.
    pub turning: Vector3<f64>,
    /// The pivot, world frame.
    pub pivot: Point3<f64>,
    /// Where the palm looks, unit.
    pub palm_in_world: Vector3<f64>,
    /// Joint angles, tree order.
    pub joints: Vec<f64>,
    /// Joint velocities, tree order.
    pub joint_velocities: Vec<f64>,
    /// What the wrist servos control: slides (m) and hinges (rad).
    pub wrist: [f64; 6],
    /// What the finger servos control, rad.
    pub lengths: Vec<f64>,
    /// Fingertips.
    pub tips: Vec<SeenTip>,
    /// The other tracked points of its fingers.
    pub knuckles: Vec<SeenKnuckle>,
}

/// An object in one state.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenObject {
    /// Pose.
    pub pose: Pose,
    /// Velocity of its origin, world frame, m/s.
    pub velocity: Vector3<f64>,
    /// Angular velocity, world frame, rad/s.
    pub turning: Vector3<f64>,
    /// Sum of the forces of hands on it, friction included, world frame, N.
    pub force: Vector3<f64>,
    /// Sum of their torques about its centre of mass, world frame, N m.
    pub torque: Vector3<f64>,
}

/// The geometry of one state.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Hands.
    pub hands: Vec<SeenHand>,
    /// Objects.
    pub objects: Vec<SeenObject>,
}

/// Distance to a surface with its side. The pseudo-normal's sign is that of the generalised inside
/// near the surface (Baerentzen and Aanaes 2005) and much cheaper to ask for.
pub fn near(object: &ObjectModel, point_in_object: &Point3<f64>) -> Near {
    let found = object.surface.closest(point_in_object);
    let outside = (point_in_object - found.point).dot(&found.normal) >= 0.0;
    Near {
        distance: if outside { found.distance } else { -found.distance },
        surface_in_object: found.point,
        normal_in_object: found.normal,
    }
}

/// Seconds over which the motion of points that joints bend is taken, for their velocities.
const SOON: f64 = 1e-6;

/// Computes the geometry of a state: `qpos [nq]`, `qvel [nv]` and the contacts of hands.
pub fn see(
    scene: &Scene,
    hands: &[&Hand],
    facts: &[HandFacts],
    objects: &[ObjectModel],
    qpos: &[f64],
    qvel: &[f64],
    contacts: &[HandContact],
) -> Seen {
    let seen_objects: Vec<SeenObject> = (0..objects.len())
        .map(|index| {
            let pose = scene.world_from_object(index, qpos);
            let (velocity, turning) = scene.object_velocity(index, qpos, qvel);
            let center = pose * objects[index].mass.com;
            let touched = || contacts.iter().filter(|c| c.other == Owner::Object(index));
            let torque = |c: &HandContact| (c.point - center).cross(&c.push) + c.twist;
            SeenObject {
                force: touched().map(|c| c.push).sum(),
                torque: touched().map(torque).sum(),
                pose,
                velocity,
                turning,
            }
        })
        .collect();
    let inverses: Vec<Pose> = seen_objects.iter().map(|object| object.pose.inverse()).collect();
    let hands = hands
        .iter()
        .enumerate()
        .map(|(index, hand)| {
            let place = &scene.hands[index];
            let wrist = place.wrist_qpos.map(|at| qpos[at]);
            let root = wrist_to_root(place, &wrist);
            let joints = scene.joints(index, qpos);
            let bodies = hand.tree.forward(&joints);
            let v = facts[index].wrist_dof.map(|at| qvel[at]);
            let axis =
                |axis: Vector3<f64>, angle: f64| UnitQuaternion::from_scaled_axis(axis * angle);
            let after_x = axis(Vector3::x(), wrist[3]);
            let after_y = after_x * axis(Vector3::y(), wrist[4]);
            let turning =
                Vector3::x() * v[3] + after_x * Vector3::y() * v[4] + after_y * Vector3::z() * v[5];
            let velocity = place.world_from_mount * Vector3::new(v[0], v[1], v[2]);
            let turning = place.world_from_mount * turning;
            let pivot = root * place.pivot_in_root;
            let joint_velocities: Vec<f64> =
                facts[index].joint_dof.iter().map(|&at| qvel[at]).collect();
            let soon = joints.iter().zip(&joint_velocities).map(|(q, v)| q + SOON * v);
            let bodies_soon = hand.tree.forward(&soon.collect::<Vec<_>>());
            let moving = |body: usize, point: &Point3<f64>| -> (Point3<f64>, Vector3<f64>) {
                let in_root = bodies[body] * point;
                let bending = root * ((bodies_soon[body] * point - in_root) / SOON);
                let in_world = root * in_root;
                (in_world, velocity + turning.cross(&(in_world - pivot)) + bending)
            };
            let palm = hand.tree.body(&hand.map.palm_body).unwrap_or(0);
            let lengths = hand
                .actuators
                .iter()
                .map(|a| a.terms.iter().map(|&(joint, c)| c * joints[joint]).sum())
                .collect();
            let tips = facts[index]
                .tips
                .iter()
                .map(|tip| {
                    let world_from_body = root * bodies[tip.body];
                    let (in_world, velocity) = moving(tip.body, &tip.point);
                    let pushes = contacts.iter().filter(|c| {
                        matches!(c.other, Owner::Object(_)) && tip.geoms.contains(&c.geom)
                    });
                    SeenTip {
                        finger: tip.finger,
                        in_world,
                        velocity,
                        pad_in_world: world_from_body * tip.pad_in_body,
                        push_in_world: pushes.map(|c| c.normal * c.force).sum(),
                        near: inverses
                            .iter()
                            .zip(objects)
                            .map(|(inverse, object)| near(object, &(inverse * in_world)))
                            .collect(),
                    }
                })
                .collect();
            let knuckles = facts[index].knuckles.iter();
            let knuckles = knuckles.map(|knuckle| {
                let (in_world, velocity) = moving(knuckle.body, &knuckle.point);
                SeenKnuckle { level: knuckle.level, in_world, velocity }
            });
            SeenHand {
                knuckles: knuckles.collect(),
                world_from_root: root,
                velocity,
                turning,
                pivot,
                palm_in_world: root * (bodies[palm] * hand.map.normal_axis),
                joints,
                joint_velocities,
                wrist,
                lengths,
                tips,
            }
        })
        .collect();
    Seen { hands, objects: seen_objects }
}
