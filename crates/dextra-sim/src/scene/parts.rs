//! Adds the table, objects and hands to the model being edited.

use super::names::{object_body, store, wrist_body, wrist_names};
use super::{AXES, HandPlacement, ObjectPlacement, SceneConfig, SceneError, WristConfig, joints};
use crate::hand::Hand;
use dextra_core::TriMesh;
use mujoco_rs::mujoco_c::mjtLimited as MjtLimited;
use mujoco_rs::prelude::*;
use mujoco_rs::wrappers::mj_auxiliary::MjVfs;
use mujoco_rs::wrappers::mj_editing::PositionConfig;
use nalgebra::UnitQuaternion;
use std::path::{Path, PathBuf};

/// Solver settings that hold a light object: pyramidal cones let it slip, and so does every integrator but
/// `discrete`. The others solve contacts as if the stiff servos of a wrist had no damping and apply that
/// damping afterwards, so that fingers lose part of their grip while the wrist moves: at 10 ms a swung object
/// falls out that slides by 0.6 mm at 0.1 ms, whatever the integrator. `discrete` solves both together.
pub(super) fn set_options(spec: &mut MjSpec, config: &SceneConfig) {
    let option = spec.option_mut();
    option.timestep = config.timestep;
    option.gravity = config.gravity.into();
    option.integrator = MjtIntegrator::mjINT_DISCRETE as i32;
    option.cone = MjtCone::mjCONE_ELLIPTIC as i32;
    option.solver = MjtSolver::mjSOL_NEWTON as i32;
    option.impratio = 10.0;
    option.iterations = 100;
    option.ls_iterations = 50;
}

/// Makes every contact of the scene as hard as the time step allows. With the engine's default
/// impedance (0.9 to 0.95) fingertips at 1 N m sink 2 to 5 mm into what they hold and held objects
/// creep; with 0.95 to 0.99 static penetration and creep are a fifth of that, nearer to real
/// fingers and objects.
///
/// A scene with a hand whose geoms state stiffness and damping themselves, or a margin, keeps the
/// engine's impedance: those are tuned to it and would jitter.
pub(super) fn harden(spec: &mut MjSpec) {
    let tuned = spec.geom_iter_mut().any(|geom| geom.solref()[0] <= 0.0 || geom.margin() != 0.0);
    if tuned {
        return;
    }
    for geom in spec.geom_iter_mut() {
        *geom.solimp_mut() = [0.95, 0.99, 0.001, 0.5, 2.0];
    }
}

/// Collision bits of the table and the objects. A hand of the user's may use any bits of its own to
/// tell its parts from each other; whatever collides at all must touch table and objects.
const EVERY_BIT: i32 = i32::MAX;

/// The table stands about the world's origin, or under the objects where those are far from it, as
/// recordings in a room's coordinates have them.
fn table_center(objects: &[ObjectPlacement<'_>]) -> [f64; 2] {
    const NEAR: f64 = 0.75;
    let count = objects.len().max(1) as f64;
    let sum = objects.iter().map(|o| o.world_from_object.translation.vector.xy());
    let mean = sum.sum::<nalgebra::Vector2<f64>>() / count;
    if mean.norm() > NEAR { mean.into() } else { [0.0; 2] }
}

pub(super) fn add_table(
    spec: &mut MjSpec,
    height: f64,
    objects: &[ObjectPlacement<'_>],
) -> Result<(), MjEditError> {
    const HALF_THICKNESS: f64 = 0.025;
    let body = spec.world_body_mut().add_body();
    body.set_name("table")?;
    let [x, y] = table_center(objects);
    *body.pos_mut() = [x, y, height - HALF_THICKNESS];
    let geom = body.add_geom();
    geom.set_name("table")?;
    geom.set_type(MjtGeomBase::mjGEOM_BOX);
    *geom.size_mut() = [1.5, 1.5, HALF_THICKNESS];
    *geom.friction_mut() = [1.0, 0.01, 0.001];
    *geom.rgba_mut() = [0.82, 0.80, 0.76, 1.0];
    geom.set_condim(4);
    geom.set_contype(EVERY_BIT);
    geom.set_conaffinity(EVERY_BIT);
    geom.set_group(0);
    Ok(())
}

pub(super) fn add_object(
    spec: &mut MjSpec,
    files: &mut Vec<(String, Vec<u8>)>,
    placement: &ObjectPlacement<'_>,
    parent: Option<String>,
) -> Result<(), MjEditError> {
    let object = placement.object;
    let mut meshes = Vec::new();
    for (index, hull) in object.hulls.iter().enumerate() {
        let name = format!("{}_{index:02}", object.name);
        let path = store(files, "meshes", &format!("{name}.obj"), obj_bytes(hull));
        let mesh = spec.add_mesh();
        let name = format!("object/{name}");
        mesh.set_name(&name)?;
        mesh.set_file(&path);
        meshes.push(name);
    }
    let place = match parent.and_then(|name| spec.body_mut(&name)) {
        Some(parent) => parent,
        None => spec.world_body_mut(),
    };
    let name = object_body(object);
    let body = place.add_body();
    body.set_name(&name)?;
    match &placement.joint {
        Some(joint) => joints::add(body, &name, joint)?,
        None => {
            *body.pos_mut() = dextra_core::pose::pos(&placement.world_from_object);
            *body.quat_mut() = dextra_core::pose::quat_wxyz(&placement.world_from_object);
            body.add_free_joint().set_name(&name)?;
        }
    }
    body.set_explicitinertial(true);
    body.set_mass(object.mass.mass_kg);
    *body.ipos_mut() = object.mass.com.coords.into();
    let (moments, frame) = principal(&object.mass.inertia);
    *body.iquat_mut() = [frame.w, frame.i, frame.j, frame.k];
    *body.inertia_mut() = moments;
    for name in meshes {
        let geom = body.add_geom();
        geom.set_name(&name)?;
        geom.set_type(MjtGeomBase::mjGEOM_MESH);
        geom.set_meshname(&name);
        *geom.friction_mut() = [object.friction, 0.01, 0.001];
        *geom.rgba_mut() = [0.93, 0.55, 0.23, 1.0];
        geom.set_condim(4);
        geom.set_contype(EVERY_BIT);
        geom.set_conaffinity(EVERY_BIT);
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

pub(super) fn add_hand(
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
    embed_files(&mut child, hand, prefix, files)?;
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

/// Makes the mesh and texture files of a hand part of the scene, so that the exported folder is
/// complete.
fn embed_files(
    child: &mut MjSpec,
    hand: &Hand,
    prefix: &str,
    files: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), SceneError> {
    let Some(dir) = &hand.dir else { return Ok(()) };
    let mut embedded =
        Embedded { hand, folder: prefix.trim_end_matches('/'), files, known: vec![] };
    let mesh_dir = dir.join(child.compiler().meshdir());
    for mesh in child.mesh_iter_mut() {
        let file = mesh.file().to_owned();
        if file.is_empty() {
            continue;
        }
        if mesh.name().is_empty() {
            let stem = std::path::Path::new(&file).file_stem().unwrap_or_default();
            let stem = stem.to_string_lossy().into_owned();
            mesh.set_name(&stem).map_err(|error| SceneError::Engine {
                subject: format!("mesh `{stem}` of hand `{}`", hand.map.name),
                step: "named",
                message: error.to_string(),
            })?;
        }
        mesh.set_file(&embedded.embed("meshes", &mesh_dir.join(&file))?);
    }
    let texture_dir = dir.join(child.compiler().texturedir());
    for texture in child.texture_iter_mut() {
        let file = texture.file().to_owned();
        if !file.is_empty() {
            texture.set_file(&embedded.embed("textures", &texture_dir.join(&file))?);
        }
    }
    child.compiler_mut().set_meshdir("");
    child.compiler_mut().set_texturedir("");
    Ok(())
}

/// The files of one hand on their way into the scene.
struct Embedded<'a> {
    hand: &'a Hand,
    folder: &'a str,
    files: &'a mut Vec<(String, Vec<u8>)>,
    /// `(where it came from, where it is stored)`.
    known: Vec<(PathBuf, String)>,
}

impl Embedded<'_> {
    /// Reads a file unless it was read before; returns its path within the scene.
    fn embed(&mut self, kind: &str, source: &Path) -> Result<String, SceneError> {
        if let Some((_, stored)) = self.known.iter().find(|(known, _)| known == source) {
            return Ok(stored.clone());
        }
        let bytes = std::fs::read(source).map_err(|error| SceneError::MeshFile {
            hand: self.hand.map.name.clone(),
            path: source.display().to_string(),
            source: error,
        })?;
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let stored = store(self.files, &format!("{kind}/{}", self.folder), &name, bytes);
        self.known.push((source.to_owned(), stored.clone()));
        Ok(stored)
    }
}

pub(super) fn virtual_files(files: &[(String, Vec<u8>)]) -> MjVfs {
    let mut vfs = MjVfs::new();
    for (name, bytes) in files {
        // Paths are unique, so a refusal means a file too large for the engine, which then reports
        // the file as missing.
        let _ = vfs.add_from_buffer(name, bytes);
    }
    vfs
}

pub(super) fn compile(xml: &str, files: &[(String, Vec<u8>)]) -> Result<MjModel, String> {
    const NAME: &str = "scene.xml";
    let mut vfs = virtual_files(files);
    vfs.add_from_buffer(NAME, xml.as_bytes()).map_err(|e| e.to_string())?;
    MjModel::from_xml_vfs(NAME, &vfs).map_err(|e| e.to_string())
}
