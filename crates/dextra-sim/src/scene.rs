//! Composes one physics scene: hands on floating six-axis wrists, free objects, a table.
//!
//! The scene is built with the model-editing API, saved as MJCF text and compiled *from that text*,
//! so the model that is searched, judged and exported is the same to the last bit, and a stock
//! MuJoCo that loads the exported files replays it exactly (invariant 1).

use crate::hand::Hand;
use crate::object::ObjectModel;
use dextra_core::{Pose, TriMesh};
use mujoco_rs::mujoco_c::mjtLimited as MjtLimited;
use mujoco_rs::prelude::*;
use mujoco_rs::wrappers::mj_auxiliary::MjVfs;
use mujoco_rs::wrappers::mj_editing::PositionConfig;
use nalgebra::{Point3, UnitQuaternion, Vector3};
use std::sync::Arc;

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
    /// A mesh file of a hand cannot be read.
    #[error("hand `{hand}`: mesh file {path} cannot be read: {source}")]
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
    /// Initial pose.
    pub world_from_object: Pose,
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
    /// See [`HandPlacement::world_from_mount`].
    pub world_from_mount: UnitQuaternion<f64>,
    /// See [`HandPlacement::pivot_in_root`].
    pub pivot_in_root: Point3<f64>,
}

/// Where an object's quantities lie in the model.
#[derive(Clone, Debug)]
pub struct SceneObject {
    /// Body name.
    pub body: String,
    /// Address in `qpos` of the seven numbers of the free joint: position and quaternion `wxyz`.
    pub qpos: usize,
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
}

const AXES: [(&str, [f64; 3]); 3] =
    [("x", [1.0, 0.0, 0.0]), ("y", [0.0, 1.0, 0.0]), ("z", [0.0, 0.0, 1.0])];

impl Scene {
    /// Composes and compiles a scene.
    ///
    /// # Errors
    /// [`SceneError`] names the hand or object that the engine refused.
    pub fn compose(
        config: &SceneConfig,
        hands: &[HandPlacement<'_>],
        objects: &[ObjectPlacement<'_>],
    ) -> Result<Scene, SceneError> {
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
        add_table(&mut spec, config.table_height).map_err(engine("given a table"))?;
        for placement in objects {
            add_object(&mut spec, &mut files, placement).map_err(engine("given an object"))?;
        }
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
            let id = model.name_to_id(MjtObjBase::mjOBJ_JOINT, name).ok_or_else(|| missing(name))?;
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
                world_from_mount: placement.world_from_mount,
                pivot_in_root: placement.pivot_in_root,
            });
        }
        let mut scene_objects = Vec::new();
        for placement in objects {
            let body = object_body(placement.object);
            scene_objects.push(SceneObject { qpos: joint(&body)?, body });
        }
        let owner = (0..model.ngeom() as usize)
            .map(|geom| {
                let body = model.geom_bodyid()[geom] as usize;
                let root = model.body_rootid()[body] as usize;
                let name = model.id_to_name(MjtObjBase::mjOBJ_BODY, root).unwrap_or("");
                let hand = prefixes.iter().position(|p| name == wrist_body(p));
                let object = scene_objects.iter().position(|o| o.body == name);
                match (hand, object) {
                    (Some(hand), _) => Owner::Hand(hand),
                    (_, Some(object)) => Owner::Object(object),
                    _ => Owner::Table,
                }
            })
            .collect();
        Ok(Scene {
            xml,
            files,
            model: Arc::new(model),
            hands: scene_hands,
            objects: scene_objects,
            owner,
            config: config.clone(),
        })
    }

    /// The same model with another physics step, seconds.
    pub fn model_with_timestep(&self, timestep: f64) -> Arc<MjModel> {
        let mut model = MjModel::clone(&self.model);
        model.opt_mut().timestep = timestep;
        Arc::new(model)
    }

    /// Joint positions of the compiled model's default state.
    pub fn default_qpos(&self) -> Vec<f64> {
        self.model.qpos0().to_vec()
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

    /// Pose of object `index`.
    pub fn world_from_object(&self, index: usize, qpos: &[f64]) -> Pose {
        let at = self.objects[index].qpos;
        dextra_core::pose::from_pos_quat(
            [qpos[at], qpos[at + 1], qpos[at + 2]],
            [qpos[at + 3], qpos[at + 4], qpos[at + 5], qpos[at + 6]],
        )
    }

    /// Writes object `index`'s pose into joint positions.
    pub fn set_object(&self, index: usize, world_from_object: &Pose, qpos: &mut [f64]) {
        let at = self.objects[index].qpos;
        qpos[at..at + 3].copy_from_slice(&dextra_core::pose::pos(world_from_object));
        qpos[at + 3..at + 7].copy_from_slice(&dextra_core::pose::quat_wxyz(world_from_object));
    }

    /// Writes a hand's root pose and joints into joint positions; hinge angles are taken nearest to
    /// those already there.
    pub fn set_hand(&self, index: usize, world_from_root: &Pose, joints: &[f64], qpos: &mut [f64]) {
        let hand = &self.hands[index];
        let near = hand.wrist_qpos.map(|address| qpos[address]);
        for (address, value) in hand.wrist_qpos.iter().zip(root_to_wrist(hand, world_from_root, &near)) {
            qpos[*address] = value;
        }
        for (address, value) in hand.joint_qpos.iter().zip(joints) {
            qpos[*address] = *value;
        }
    }
}

/// Wrist coordinates (slides in metres, hinges in radians) that put the hand's root at
/// `world_from_root`, hinges unwrapped to lie nearest to `near`.
///
/// The wrist body sits at the world origin turned by the mount rotation `M`; its slides move along
/// the mount's axes and its hinges turn about x, then y, then z, so the root's rotation is
/// `M Rx(a) Ry(b) Rz(c)` and the pivot is at `M s`.
pub fn root_to_wrist(hand: &SceneHand, world_from_root: &Pose, near: &[f64; 6]) -> [f64; 6] {
    let mount = hand.world_from_mount;
    let pivot_in_world = world_from_root * hand.pivot_in_root;
    let slides = mount.inverse() * pivot_in_world.coords;
    let m = (mount.inverse() * world_from_root.rotation).to_rotation_matrix();
    let b = m[(0, 2)].clamp(-1.0, 1.0).asin();
    let a = (-m[(1, 2)]).atan2(m[(2, 2)]);
    let c = (-m[(0, 1)]).atan2(m[(0, 0)]);
    // The other solution of the same rotation: (a + pi, pi - b, c + pi).
    let pi = std::f64::consts::PI;
    let candidates = [[a, b, c], [a + pi, pi - b, c + pi]].map(|angles| {
        let mut unwrapped = angles;
        for (axis, angle) in unwrapped.iter_mut().enumerate() {
            *angle += ((near[3 + axis] - *angle) / (2.0 * pi)).round() * 2.0 * pi;
        }
        unwrapped
    });
    let gap = |angles: &[f64; 3]| (0..3).map(|i| (angles[i] - near[3 + i]).powi(2)).sum::<f64>();
    let [a, b, c] =
        if gap(&candidates[1]) + 1e-9 < gap(&candidates[0]) { candidates[1] } else { candidates[0] };
    [slides.x, slides.y, slides.z, a, b, c]
}

/// Inverse of [`root_to_wrist`].
pub fn wrist_to_root(hand: &SceneHand, q: &[f64; 6]) -> Pose {
    let axis = |a: Vector3<f64>, angle| UnitQuaternion::from_scaled_axis(a * angle);
    let rotation = hand.world_from_mount
        * axis(Vector3::x(), q[3])
        * axis(Vector3::y(), q[4])
        * axis(Vector3::z(), q[5]);
    let pivot = hand.world_from_mount * Vector3::new(q[0], q[1], q[2]);
    Pose::from_parts((pivot - rotation * hand.pivot_in_root.coords).into(), rotation)
}

fn prefixes(hands: &[HandPlacement<'_>]) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    for placement in hands {
        let side = placement.hand.map.side.name();
        let mut prefix = format!("{side}/");
        let mut number = 2;
        while prefixes.contains(&prefix) {
            prefix = format!("{side}{number}/");
            number += 1;
        }
        prefixes.push(prefix);
    }
    prefixes
}

/// Name of the body that carries a hand; outside the hand's own prefix, so it never clashes with a
/// body of the hand.
fn wrist_body(prefix: &str) -> String {
    format!("wrist/{}", prefix.trim_end_matches('/'))
}

fn wrist_names(prefix: &str) -> [String; 6] {
    let body = wrist_body(prefix);
    let name = |kind: &str, axis: &str| format!("{body}/{kind}_{axis}");
    [
        name("slide", "x"),
        name("slide", "y"),
        name("slide", "z"),
        name("hinge", "x"),
        name("hinge", "y"),
        name("hinge", "z"),
    ]
}

fn object_body(object: &ObjectModel) -> String {
    format!("object/{}", object.name)
}

fn subject(hands: &[HandPlacement<'_>], objects: &[ObjectPlacement<'_>]) -> String {
    let hands: Vec<_> = hands.iter().map(|h| h.hand.map.name.as_str()).collect();
    let objects: Vec<_> = objects.iter().map(|o| o.object.name.as_str()).collect();
    format!("hand {} and object {}", hands.join(", "), objects.join(", "))
}

/// Solver settings that hold a light object (spec: implicitfast with capped iterations ejects it;
/// pyramidal cones let it slip).
fn set_options(spec: &mut MjSpec, config: &SceneConfig) {
    let option = spec.option_mut();
    option.timestep = config.timestep;
    option.gravity = config.gravity.into();
    option.integrator = MjtIntegrator::mjINT_IMPLICITFAST as i32;
    option.cone = MjtCone::mjCONE_ELLIPTIC as i32;
    option.solver = MjtSolver::mjSOL_NEWTON as i32;
    option.impratio = 10.0;
    option.iterations = 100;
    option.ls_iterations = 50;
}

fn add_table(spec: &mut MjSpec, height: f64) -> Result<(), MjEditError> {
    const HALF_THICKNESS: f64 = 0.025;
    let body = spec.world_body_mut().add_body();
    body.set_name("table")?;
    *body.pos_mut() = [0.0, 0.0, height - HALF_THICKNESS];
    let geom = body.add_geom();
    geom.set_name("table")?;
    geom.set_type(MjtGeomBase::mjGEOM_BOX);
    *geom.size_mut() = [1.5, 1.5, HALF_THICKNESS];
    *geom.friction_mut() = [1.0, 0.01, 0.001];
    *geom.rgba_mut() = [0.82, 0.80, 0.76, 1.0];
    geom.set_condim(4);
    geom.set_group(0);
    Ok(())
}

fn add_object(
    spec: &mut MjSpec,
    files: &mut Vec<(String, Vec<u8>)>,
    placement: &ObjectPlacement<'_>,
) -> Result<(), MjEditError> {
    let object = placement.object;
    let mut meshes = Vec::new();
    for (index, hull) in object.hulls.iter().enumerate() {
        let name = format!("{}_{index:02}", object.name);
        let path = format!("meshes/{name}.obj");
        let mesh = spec.add_mesh();
        mesh.set_name(&name)?;
        mesh.set_file(&path);
        files.push((path, obj_bytes(hull)));
        meshes.push(name);
    }
    let body = spec.world_body_mut().add_body();
    body.set_name(&object_body(object))?;
    *body.pos_mut() = dextra_core::pose::pos(&placement.world_from_object);
    *body.quat_mut() = dextra_core::pose::quat_wxyz(&placement.world_from_object);
    body.set_explicitinertial(true);
    body.set_mass(object.mass.mass_kg);
    *body.ipos_mut() = object.mass.com.coords.into();
    let (moments, frame) = principal(&object.mass.inertia);
    *body.iquat_mut() = [frame.w, frame.i, frame.j, frame.k];
    *body.inertia_mut() = moments;
    body.add_free_joint().set_name(&object_body(object))?;
    for name in meshes {
        let geom = body.add_geom();
        geom.set_name(&format!("object/{name}"))?;
        geom.set_type(MjtGeomBase::mjGEOM_MESH);
        geom.set_meshname(&name);
        *geom.friction_mut() = [object.friction, 0.01, 0.001];
        *geom.rgba_mut() = [0.93, 0.55, 0.23, 1.0];
        geom.set_condim(4);
        geom.set_group(3);
    }
    Ok(())
}

/// Principal moments and the rotation `object_from_principal`.
fn principal(inertia: &nalgebra::Matrix3<f64>) -> ([f64; 3], UnitQuaternion<f64>) {
    let eigen = inertia.symmetric_eigen();
    let mut axes = eigen.eigenvectors;
    if axes.determinant() < 0.0 {
        axes.column_mut(2).neg_mut();
    }
    let rotation = nalgebra::Rotation3::from_matrix_unchecked(axes);
    (eigen.eigenvalues.into(), UnitQuaternion::from_rotation_matrix(&rotation))
}

fn obj_bytes(mesh: &TriMesh) -> Vec<u8> {
    use std::fmt::Write;
    let mut text = String::new();
    for v in &mesh.vertices {
        let _ = writeln!(text, "v {} {} {}", v.x as f32, v.y as f32, v.z as f32);
    }
    for [a, b, c] in &mesh.faces {
        let _ = writeln!(text, "f {} {} {}", a + 1, b + 1, c + 1);
    }
    text.into_bytes()
}

fn add_hand(
    spec: &mut MjSpec,
    files: &mut Vec<(String, Vec<u8>)>,
    placement: &HandPlacement<'_>,
    prefix: &str,
    config: &WristConfig,
) -> Result<(), SceneError> {
    let hand = placement.hand;
    let engine = |step: &'static str| {
        move |error: MjEditError| SceneError::Engine {
            subject: format!("hand `{}`", hand.map.name),
            step,
            message: error.to_string(),
        }
    };
    let mut child = MjSpec::from_xml_string(&hand.xml).map_err(engine("parsed"))?;
    embed_meshes(&mut child, hand, prefix, files)?;
    let mount = placement.world_from_mount;
    let body = spec.world_body_mut().add_body();
    body.set_name(&wrist_body(prefix)).map_err(engine("named"))?;
    *body.quat_mut() = [mount.w, mount.i, mount.j, mount.k];
    body.set_explicitinertial(true);
    body.set_mass(config.mass);
    *body.inertia_mut() = [2e-4; 3];
    body.set_gravcomp(1.0);
    for (slot, name) in wrist_names(prefix).iter().enumerate() {
        let joint = body.add_joint();
        joint.set_name(name).map_err(engine("named"))?;
        joint.set_type(if slot < 3 { MjtJoint::mjJNT_SLIDE } else { MjtJoint::mjJNT_HINGE });
        *joint.axis_mut() = AXES[slot % 3].1;
    }
    let frame = body.add_frame();
    *frame.pos_mut() = (-placement.pivot_in_root.coords).into();
    let root = child.body_mut(&hand.root_body).ok_or_else(|| SceneError::Engine {
        subject: format!("hand `{}`", hand.map.name),
        step: "attached",
        message: format!("no body named `{}`", hand.root_body),
    })?;
    *root.pos_mut() = [0.0; 3];
    *root.quat_mut() = [1.0, 0.0, 0.0, 0.0];
    frame.attach_by_deep_copy(root, prefix, "").map_err(engine("attached"))?;
    for (slot, name) in wrist_names(prefix).iter().enumerate() {
        let actuator = spec.add_actuator();
        actuator.set_name(name).map_err(engine("named"))?;
        actuator.set_trntype(MjtTrn::mjTRN_JOINT);
        actuator.set_target(name);
        let (kp, kv, limit) = if slot < 3 {
            (config.linear_kp, config.linear_kv, config.linear_force)
        } else {
            (config.angular_kp, config.angular_kv, config.angular_torque)
        };
        let servo = PositionConfig { kp, kv: Some(kv), ..Default::default() };
        actuator.set_to_position(servo).map_err(engine("driven"))?;
        *actuator.forcerange_mut() = [-limit, limit];
        actuator.set_forcelimited(MjtLimited::mjLIMITED_TRUE);
    }
    for (a, b) in &hand.excludes {
        let exclude = spec.add_exclude();
        exclude.set_bodyname1(&format!("{prefix}{a}"));
        exclude.set_bodyname2(&format!("{prefix}{b}"));
    }
    Ok(())
}

/// Makes the mesh files of a hand part of the scene, so that the exported folder is complete.
fn embed_meshes(
    child: &mut MjSpec,
    hand: &Hand,
    prefix: &str,
    files: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), SceneError> {
    let Some(dir) = &hand.dir else { return Ok(()) };
    let mesh_dir = dir.join(child.compiler().meshdir());
    for mesh in child.mesh_iter_mut() {
        let file = mesh.file().to_owned();
        if file.is_empty() {
            continue;
        }
        let path = mesh_dir.join(&file);
        let bytes = std::fs::read(&path).map_err(|source| SceneError::MeshFile {
            hand: hand.map.name.clone(),
            path: path.display().to_string(),
            source,
        })?;
        let stored = format!("meshes/{prefix}{file}");
        if mesh.name().is_empty() {
            let stem = std::path::Path::new(&file).file_stem().unwrap_or_default();
            let stem = stem.to_string_lossy().into_owned();
            mesh.set_name(&stem).map_err(|error| SceneError::Engine {
                subject: format!("mesh `{stem}` of hand `{}`", hand.map.name),
                step: "named",
                message: error.to_string(),
            })?;
        }
        mesh.set_file(&stored);
        if !files.iter().any(|(name, _)| *name == stored) {
            files.push((stored, bytes));
        }
    }
    child.compiler_mut().set_meshdir("");
    Ok(())
}

fn virtual_files(files: &[(String, Vec<u8>)]) -> MjVfs {
    let mut vfs = MjVfs::new();
    for (name, bytes) in files {
        // A duplicate name carries the same bytes, so a refusal is harmless.
        let _ = vfs.add_from_buffer(name, bytes);
    }
    vfs
}

fn compile(xml: &str, files: &[(String, Vec<u8>)]) -> Result<MjModel, String> {
    const NAME: &str = "scene.xml";
    let mut vfs = virtual_files(files);
    vfs.add_from_buffer(NAME, xml.as_bytes()).map_err(|e| e.to_string())?;
    MjModel::from_xml_vfs(NAME, &vfs).map_err(|e| e.to_string())
}
