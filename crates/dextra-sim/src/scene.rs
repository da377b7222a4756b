//! Composes one physics scene: hands on floating six-axis wrists, free objects, a table.
//!
//! The scene is built with the model-editing API, saved as MJCF text and compiled *from that text*,
//! so the model that is searched, judged and exported is the same to the last bit, and a stock
//! MuJoCo that loads the exported files replays it exactly (invariant 1).

pub mod exported;
mod joints;
mod names;
mod parts;
mod wrist;

use crate::hand::Hand;
use crate::object::ObjectModel;
use dextra_core::closure::Body;
use dextra_core::{Joint, Pose};
use mujoco_rs::prelude::*;
use nalgebra::{Point3, UnitQuaternion, Vector3};
use names::{object_body, prefixes, wrist_body, wrist_names};
use parts::{add_hand, add_object, add_table, compile, harden, set_options, virtual_files};
use std::sync::Arc;

pub use wrist::{root_to_wrist, wrist_to_root};

/// Why a scene could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The engine refused to build, save or compile the scene.
    #[error("the scene with {subject} could not be {step}: {message}")]
    Engine {
        /// What was being added or done.
        subject: String,
        /// `"attached"`, `"compiled"`, ...
        step: &'static str,
        /// The engine's words.
        message: String,
    },
    /// Two objects of the scene have the same name.
    #[error("two objects are called `{name}`; give each object of a scene its own name")]
    DuplicateObject {
        /// The name.
        name: String,
    },
    /// A name that the engine cannot hold.
    #[error("object {index} has the name {name:?}; a name has at least one character and no NUL")]
    ObjectName {
        /// Which of the objects.
        index: usize,
        /// The name.
        name: String,
    },
    /// The joint of a part makes no sense.
    #[error("the joint of object `{name}`: {problem}")]
    Joint {
        /// The part.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A mesh or texture file of a hand cannot be read.
    #[error("hand `{hand}`: file {path} cannot be read: {source}")]
    MeshFile {
        /// Hand name.
        hand: String,
        /// Path of the file.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
}

/// Gains and limits of the floating wrist: three slides and three hinges driven by position
/// servos, `force = kp (ctrl - q) - kv v`, clipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WristConfig {
    /// Slide stiffness, N/m.
    pub linear_kp: f64,
    /// Slide damping, N s/m.
    pub linear_kv: f64,
    /// Slide force limit, N.
    pub linear_force: f64,
    /// Hinge stiffness, N m/rad.
    pub angular_kp: f64,
    /// Hinge damping, N m s/rad.
    pub angular_kv: f64,
    /// Hinge torque limit, N m.
    pub angular_torque: f64,
    /// Mass of the wrist body that carries the hand, kg.
    pub mass: f64,
}

impl Default for WristConfig {
    fn default() -> Self {
        Self {
            linear_kp: 2000.0,
            linear_kv: 80.0,
            linear_force: 60.0,
            angular_kp: 60.0,
            angular_kv: 2.0,
            angular_torque: 8.0,
            mass: 0.2,
        }
    }
}

/// Physics settings of a scene.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneConfig {
    /// Physics step, seconds.
    pub timestep: f64,
    /// Height of the table top, metres, world frame.
    pub table_height: f64,
    /// Gravity, m/s².
    pub gravity: Vector3<f64>,
    /// Floating wrist.
    pub wrist: WristConfig,
}

impl SceneConfig {
    /// True physics at the default step of 10 ms over a table top at `table_height`.
    pub fn new(table_height: f64) -> Self {
        Self {
            timestep: 0.01,
            table_height,
            gravity: Vector3::new(0.0, 0.0, -9.81),
            wrist: WristConfig::default(),
        }
    }
}

/// A hand to put into a scene.
pub struct HandPlacement<'a> {
    /// The hand.
    pub hand: &'a Hand,
    /// Orientation of the frame in which the wrist hinges are zero when the hand's root body
    /// coincides with it; chosen near the middle of the motion so that the hinges stay far from
    /// their singularity (middle hinge at 90 deg).
    pub world_from_mount: UnitQuaternion<f64>,
    /// Point of the hand's root body through which the three hinge axes run, metres.
    pub pivot_in_root: Point3<f64>,
}

/// An object to put into a scene.
pub struct ObjectPlacement<'a> {
    /// Geometry and mass.
    pub object: &'a ObjectModel,
    /// Initial pose; of a part, the pose that its joint comes nearest to.
    pub world_from_object: Pose,
    /// The joint of a part of an earlier object; other objects move freely.
    pub joint: Option<Joint>,
}

/// What a geom belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Hand by index.
    Hand(usize),
    /// Object by index.
    Object(usize),
    /// The table.
    Table,
}

/// Where a hand's quantities lie in the model.
#[derive(Clone, Debug)]
pub struct SceneHand {
    /// Prefix of every name of this hand, such as `"right/"`.
    pub prefix: String,
    /// Addresses in `qpos` of the wrist's slides x, y, z and hinges x, y, z.
    pub wrist_qpos: [usize; 6],
    /// Addresses in `qpos` of the hand's joints, in the order of its kinematic tree.
    pub joint_qpos: Vec<usize>,
    /// Indices in `ctrl` of the wrist servos.
    pub wrist_ctrl: [usize; 6],
    /// Indices in `ctrl` of the hand's actuators, in the hand's order.
    pub finger_ctrl: Vec<usize>,
    /// Moving mass, hand and wrist, kg.
    pub mass: f64,
    /// See [`HandPlacement::world_from_mount`]; as compiled.
    pub world_from_mount: UnitQuaternion<f64>,
    /// See [`HandPlacement::pivot_in_root`]; as compiled.
    pub pivot_in_root: Point3<f64>,
}

/// Where an object's quantities lie in the model.
#[derive(Clone, Debug)]
pub struct SceneObject {
    /// Body name.
    pub body: String,
    /// Address in `qpos` of the seven numbers of the free joint, position and quaternion `wxyz`; of a
    /// part, that of its coordinate (radians or metres).
    pub qpos: usize,
    /// The joint of a part, as compiled.
    pub joint: Option<Joint>,
}

/// A compiled scene and the text and files it was compiled from.
pub struct Scene {
    /// MJCF text.
    pub xml: String,
    /// Files the text refers to: `(relative path, bytes)`.
    pub files: Vec<(String, Vec<u8>)>,
    /// The compiled model.
    pub model: Arc<MjModel>,
    /// Hands in the order given.
    pub hands: Vec<SceneHand>,
    /// Objects in the order given.
    pub objects: Vec<SceneObject>,
    /// Owner of every geom.
    pub owner: Vec<Owner>,
    /// Physics settings.
    pub config: SceneConfig,
    /// See [`Scene::default_qpos`].
    start: Vec<f64>,
}

const AXES: [(&str, [f64; 3]); 3] =
    [("x", [1.0, 0.0, 0.0]), ("y", [0.0, 1.0, 0.0]), ("z", [0.0, 0.0, 1.0])];

impl Scene {
    /// Composes and compiles a scene.
    ///
    /// # Errors
    /// [`SceneError`] names the hand or object that was refused.
    pub fn compose(
        config: &SceneConfig,
        hands: &[HandPlacement<'_>],
        objects: &[ObjectPlacement<'_>],
    ) -> Result<Scene, SceneError> {
        crate::hand::route_engine_log();
        check_names(objects)?;
        joints::check(objects)?;
        let mut spec = MjSpec::new();
        let mut files = Vec::new();
        let prefixes = prefixes(hands);
        for (placement, prefix) in hands.iter().zip(&prefixes) {
            add_hand(&mut spec, &mut files, placement, prefix, &config.wrist)?;
        }
        set_options(&mut spec, config);
        let subject = subject(hands, objects);
        let engine = |step| {
            let subject = subject.clone();
            move |error: MjEditError| SceneError::Engine {
                subject,
                step,
                message: error.to_string(),
            }
        };
        add_table(&mut spec, config.table_height, objects).map_err(engine("given a table"))?;
        for placement in objects {
            let parent = placement.joint.map(|joint| object_body(objects[joint.parent].object));
            add_object(&mut spec, &mut files, placement, parent)
                .map_err(engine("given an object"))?;
        }
        harden(&mut spec);
        spec.compile_with_vfs(&virtual_files(&files)).map_err(engine("compiled"))?;
        let xml = spec.save_xml_string(16 << 20).map_err(engine("saved"))?;
        let model = compile(&xml, &files).map_err(|message| SceneError::Engine {
            subject,
            step: "compiled from its own MJCF",
            message,
        })?;
        Scene::locate(config, hands, &prefixes, objects, xml, files, model)
    }

    fn locate(
        config: &SceneConfig,
        hands: &[HandPlacement<'_>],
        prefixes: &[String],
        objects: &[ObjectPlacement<'_>],
        xml: String,
        files: Vec<(String, Vec<u8>)>,
        model: MjModel,
    ) -> Result<Scene, SceneError> {
        let missing = |name: &str| SceneError::Engine {
            subject: format!("`{name}`"),
            step: "located",
            message: "the compiled model has no element of that name".to_owned(),
        };
        let joint = |name: &str| {
            let id =
                model.name_to_id(MjtObjBase::mjOBJ_JOINT, name).ok_or_else(|| missing(name))?;
            Ok(model.jnt_qposadr()[id] as usize)
        };
        let actuator = |name: &str| {
            model.name_to_id(MjtObjBase::mjOBJ_ACTUATOR, name).ok_or_else(|| missing(name))
        };
        let mut scene_hands = Vec::new();
        for (placement, prefix) in hands.iter().zip(prefixes) {
            let mut wrist_qpos = [0; 6];
            let mut wrist_ctrl = [0; 6];
            for (slot, name) in wrist_names(prefix).iter().enumerate() {
                wrist_qpos[slot] = joint(name)?;
                wrist_ctrl[slot] = actuator(name)?;
            }
            let hand = placement.hand;
            let body = |name: &str| {
                model.name_to_id(MjtObjBase::mjOBJ_BODY, name).ok_or_else(|| missing(name))
            };
            // The engine writes numbers with six digits, so mount and pivot are those of the
            // compiled model and not quite those asked for.
            let mount = model.body_quat()[body(&wrist_body(prefix))?];
            let pivot = model.body_pos()[body(&format!("{prefix}{}", hand.root_body))?];
            scene_hands.push(SceneHand {
                prefix: prefix.clone(),
                wrist_qpos,
                wrist_ctrl,
                joint_qpos: hand
                    .tree
                    .joints
                    .iter()
                    .map(|j| joint(&format!("{prefix}{}", j.name)))
                    .collect::<Result<_, _>>()?,
                finger_ctrl: hand
                    .actuators
                    .iter()
                    .map(|a| actuator(&format!("{prefix}{}", a.name)))
                    .collect::<Result<_, _>>()?,
                mass: hand.mass + config.wrist.mass,
                world_from_mount: dextra_core::pose::from_pos_quat([0.0; 3], mount).rotation,
                pivot_in_root: Point3::from(-Vector3::from(pivot)),
            });
        }
        let mut scene_objects = Vec::new();
        for placement in objects {
            let body = object_body(placement.object);
            let id = |kind| model.name_to_id(kind, &body).ok_or_else(|| missing(&body));
            let (element, id) = (id(MjtObjBase::mjOBJ_JOINT)?, id(MjtObjBase::mjOBJ_BODY)?);
            let compiled = |asked| joints::compiled(&model, id, element, asked);
            let joint = placement.joint.as_ref().map(compiled);
            scene_objects.push(SceneObject {
                qpos: model.jnt_qposadr()[element] as usize,
                body,
                joint,
            });
        }
        let owner = (0..model.ngeom() as usize)
            .map(|geom| {
                let name = |body| model.id_to_name(MjtObjBase::mjOBJ_BODY, body).unwrap_or("");
                let body = model.geom_bodyid()[geom] as usize;
                let root = model.body_rootid()[body] as usize;
                let hand = prefixes.iter().position(|p| name(root) == wrist_body(p));
                let object = scene_objects.iter().position(|o| o.body == name(body));
                match (hand, object) {
                    (Some(hand), _) => Owner::Hand(hand),
                    (_, Some(object)) => Owner::Object(object),
                    _ => Owner::Table,
                }
            })
            .collect();
        let mut start = model.qpos0().to_vec();
        let mut scene = Scene {
            xml,
            files,
            model: Arc::new(model),
            hands: scene_hands,
            objects: scene_objects,
            owner,
            config: config.clone(),
            start: Vec::new(),
        };
        for (index, placement) in objects.iter().enumerate().filter(|(_, o)| o.joint.is_some()) {
            scene.set_object(index, &placement.world_from_object, &mut start);
        }
        scene.start = start;
        Ok(scene)
    }

    /// The same model with another physics step, seconds.
    pub fn model_with_timestep(&self, timestep: f64) -> Arc<MjModel> {
        let mut model = MjModel::clone(&self.model);
        model.opt_mut().timestep = timestep;
        Arc::new(model)
    }

    /// Joint positions with every object where it was placed: the compiled model's default state, but for
    /// the coordinates of parts.
    pub fn default_qpos(&self) -> Vec<f64> {
        self.start.clone()
    }

    /// Pose of hand `index`'s root body from joint positions.
    pub fn world_from_root(&self, index: usize, qpos: &[f64]) -> Pose {
        let hand = &self.hands[index];
        let q = hand.wrist_qpos.map(|address| qpos[address]);
        wrist_to_root(hand, &q)
    }

    /// Joint angles of hand `index` in tree order.
    pub fn joints(&self, index: usize, qpos: &[f64]) -> Vec<f64> {
        self.hands[index].joint_qpos.iter().map(|&address| qpos[address]).collect()
    }

    /// Object `index` as contacts act on it: its centre of mass, and its radius of gyration as the length
    /// that torques are divided by.
    pub fn body(&self, index: usize) -> Body {
        let id = self.model.name_to_id(MjtObjBase::mjOBJ_BODY, &self.objects[index].body);
        let id = id.expect("a scene's objects are bodies of its model");
        let center = Point3::from(self.model.body_ipos()[id]);
        Body::gyration(center, self.model.body_mass()[id], self.model.body_inertia()[id])
    }

    /// Address in `qvel` of the joint whose positions begin at `qpos_address`.
    ///
    /// # Panics
    /// When no joint begins there.
    pub fn dof(&self, qpos_address: usize) -> usize {
        let joint = self.model.jnt_qposadr().iter().position(|&at| at as usize == qpos_address);
        self.model.jnt_dofadr()[joint.expect("an address of a joint of this scene")] as usize
    }

    /// Number of a body of the model, by its name.
    pub fn body_id(&self, name: &str) -> Option<usize> {
        self.model.name_to_id(MjtObjBase::mjOBJ_BODY, name)
    }

    /// Names of the actuators in the order of `ctrl`.
    pub fn actuator_names(&self) -> Vec<String> {
        let name = |id| self.model.id_to_name(MjtObjBase::mjOBJ_ACTUATOR, id).unwrap_or_default();
        (0..self.model.nu() as usize).map(|id| name(id).to_owned()).collect()
    }

    /// Range of every control, in the order of `ctrl`; infinite where there is no limit.
    pub fn ctrl_ranges(&self) -> Vec<(f64, f64)> {
        let ranges = self.model.actuator_ctrlrange().iter();
        let limited = self.model.actuator_ctrllimited();
        ranges
            .zip(limited)
            .map(
                |(&[low, high], &limited)| {
                    if limited { (low, high) } else { (f64::NEG_INFINITY, f64::INFINITY) }
                },
            )
            .collect()
    }

    /// Writes a hand's root pose and joints into joint positions; hinge angles are taken nearest to
    /// those already there.
    pub fn set_hand(&self, index: usize, world_from_root: &Pose, joints: &[f64], qpos: &mut [f64]) {
        let hand = &self.hands[index];
        let near = hand.wrist_qpos.map(|address| qpos[address]);
        for (address, value) in
            hand.wrist_qpos.iter().zip(root_to_wrist(hand, world_from_root, &near))
        {
            qpos[*address] = value;
        }
        for (address, value) in hand.joint_qpos.iter().zip(joints) {
            qpos[*address] = *value;
        }
    }
}

fn check_names(objects: &[ObjectPlacement<'_>]) -> Result<(), SceneError> {
    let names: Vec<&str> = objects.iter().map(|o| o.object.name.as_str()).collect();
    for (index, &name) in names.iter().enumerate() {
        if name.is_empty() || name.contains('\0') {
            return Err(SceneError::ObjectName { index, name: name.to_owned() });
        }
        if names[..index].contains(&name) {
            return Err(SceneError::DuplicateObject { name: name.to_owned() });
        }
    }
    Ok(())
}

fn subject(hands: &[HandPlacement<'_>], objects: &[ObjectPlacement<'_>]) -> String {
    let hands: Vec<_> = hands.iter().map(|h| h.hand.map.name.as_str()).collect();
    let objects: Vec<_> = objects.iter().map(|o| o.object.name.as_str()).collect();
    format!("hand {} and object {}", hands.join(", "), objects.join(", "))
}
