//! What a transfer leaves in its folder, for accepted and rejected trajectories alike.
//!
//! See `docs/formats.md` for every key.

use crate::error::Error;
use dextra_core::rollout::{Reference, Rollout};
use dextra_core::{Demonstration, Motion, Pose, pose};
use dextra_data::NpzWriter;
use dextra_motion::refine::trials::Quarantined;
use dextra_sim::scene::Scene;
use std::path::Path;

/// Stage name in errors.
const STAGE: &str = "writing the results";

fn poses(poses: impl Iterator<Item = Pose>) -> (Vec<f64>, Vec<f64>) {
    let (mut positions, mut quats) = (Vec::new(), Vec::new());
    for pose in poses {
        positions.extend(pose::pos(&pose));
        quats.extend(pose::quat_wxyz(&pose));
    }
    (positions, quats)
}

/// Provenance keys that every archive carries.
fn provenance(writer: &mut NpzWriter, demo: &Demonstration) -> Result<(), Error> {
    let mut put = |key: &str, value: &str| writer.string(key, value).map_err(Error::stage(STAGE));
    put("source", &demo.provenance.source)?;
    put("licence", &demo.provenance.licence)?;
    put("dextra_version", env!("CARGO_PKG_VERSION"))
}

/// Removes what an earlier transfer left in `dir` and this one may not replace: the verdict, which
/// comes last so that its presence says that everything beside it belongs to it, and the pictures.
///
/// # Errors
/// [`Error::Io`] with the file that could not be removed.
pub fn clear(dir: &Path) -> Result<(), Error> {
    for name in ["report.json", "strip.png", "film.gif"] {
        let path = dir.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes `motion.npz`: the kinematic reference.
///
/// # Errors
/// [`Error::Stage`] with the file that could not be written.
pub fn write_motion(path: &Path, motion: &Motion, demo: &Demonstration) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    let mut writer = NpzWriter::create(path).map_err(stage())?;
    writer.scalar_f64("fps_hz", motion.fps).map_err(stage())?;
    for hand in &motion.hands {
        let side = hand.side.name();
        let frames = hand.world_from_root.len();
        let (positions, quats) = poses(hand.world_from_root.iter().copied());
        let joints: Vec<f64> = hand.joints.iter().flat_map(|q| q.iter().copied()).collect();
        let key = |name: &str| format!("{side}_{name}");
        writer.array_f64(&key("root_pos_m"), &[frames, 3], &positions).map_err(stage())?;
        writer.array_f64(&key("root_quat_wxyz"), &[frames, 4], &quats).map_err(stage())?;
        let shape = [frames, hand.joint_names.len()];
        writer.array_f64(&key("joints_rad"), &shape, &joints).map_err(stage())?;
        let names = [hand.joint_names.len()];
        writer.strings(&key("joint_names"), &names, &hand.joint_names).map_err(stage())?;
    }
    provenance(&mut writer, demo)?;
    writer.finish().map_err(stage())
}

/// Writes `rollout.npz`: what the simulator measured.
///
/// # Errors
/// [`Error::Stage`] with the file that could not be written.
pub fn write_rollout(
    path: &Path,
    rollout: &Rollout,
    reference: &Reference,
    demo: &Demonstration,
) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    let mut writer = NpzWriter::create(path).map_err(stage())?;
    let steps = rollout.steps();
    let states = rollout.qpos.len();
    let nq = rollout.qpos0.len();
    let qpos: Vec<f64> = rollout.qpos.iter().flatten().copied().collect();
    writer.scalar_f64("timestep_s", rollout.dt).map_err(stage())?;
    writer.array_f64("qpos", &[states, nq], &qpos).map_err(stage())?;
    writer.array_f64("ctrl", &[steps, rollout.nu], &rollout.ctrl).map_err(stage())?;
    object_arrays(&mut writer, rollout)?;
    for hand in &rollout.hands {
        let side = hand.side.name();
        let count = hand.keypoints.len();
        let index: Vec<i64> = hand.keypoints.iter().map(|&k| k as i64).collect();
        let points: Vec<f64> =
            hand.keypoints_in_world.iter().flatten().flat_map(|p| [p.x, p.y, p.z]).collect();
        writer.array_i64(&format!("{side}_keypoint"), &[count], &index).map_err(stage())?;
        writer
            .array_f64(&format!("{side}_keypoints_m"), &[states, count, 3], &points)
            .map_err(stage())?;
    }
    let mut column = |key: &str, value: &dyn Fn(usize) -> f64| {
        let values: Vec<f64> = (0..steps).map(value).collect();
        writer.array_f64(key, &[steps], &values).map_err(stage())
    };
    let contact = &rollout.contacts;
    column("hand_object_contacts", &|i| f64::from(contact[i].hand_object_count))?;
    column("hand_object_force_n", &|i| contact[i].hand_object_force)?;
    column("hand_object_penetration_m", &|i| contact[i].hand_object_penetration)?;
    column("self_penetration_m", &|i| contact[i].self_penetration)?;
    column("hand_table_penetration_m", &|i| contact[i].hand_table_penetration)?;
    column("saturated_fraction", &|i| rollout.saturated[i])?;
    let judged = &reference.frames;
    let frames = judged.len();
    let step: Vec<i64> = judged.iter().map(|f| f.step as i64).collect();
    let shown: Vec<bool> = judged.iter().map(|f| f.is_demonstrated()).collect();
    let (positions, quats) = poses(judged.iter().flat_map(|f| f.world_from_object.iter().copied()));
    let objects = rollout.objects.len();
    writer.array_i64("judged_step", &[frames], &step).map_err(stage())?;
    writer.array_bool("judged_demonstrated", &[frames], &shown).map_err(stage())?;
    writer.array_f64("reference_pos_m", &[frames, objects, 3], &positions).map_err(stage())?;
    writer.array_f64("reference_quat_wxyz", &[frames, objects, 4], &quats).map_err(stage())?;
    writer.string("engine", &rollout.engine).map_err(stage())?;
    writer.array_i64("seed", &[], &[rollout.seed as i64]).map_err(stage())?;
    provenance(&mut writer, demo)?;
    writer.finish().map_err(stage())
}

/// `object_pos [N+1, O, 3]` and `object_quat_wxyz [N+1, O, 4]`.
fn object_arrays(writer: &mut NpzWriter, rollout: &Rollout) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    let (states, objects) = (rollout.qpos.len(), rollout.objects.len());
    let by_state = (0..states)
        .flat_map(|state| rollout.objects.iter().map(move |o| o.world_from_object[state]));
    let (positions, quats) = poses(by_state);
    writer.array_f64("object_pos", &[states, objects, 3], &positions).map_err(stage())?;
    writer.array_f64("object_quat_wxyz", &[states, objects, 4], &quats).map_err(stage())
}

/// Writes `mjcf/`: the scene, its meshes and the controls, so that stock MuJoCo of the same version
/// replays the rollout.
///
/// # Errors
/// [`Error::Io`] or [`Error::Stage`] with the file that could not be written.
pub fn write_mjcf(
    dir: &Path,
    scene: &Scene,
    rollout: &Rollout,
    demo: &Demonstration,
) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    for (name, bytes) in &scene.files {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        dextra_data::atomic::write_file(&path, bytes).map_err(stage())?;
    }
    dextra_data::atomic::write_file(&dir.join("scene.xml"), scene.xml.as_bytes())
        .map_err(stage())?;
    let mut writer = NpzWriter::create(&dir.join("replay.npz")).map_err(stage())?;
    writer.array_f64("qpos0", &[rollout.qpos0.len()], &rollout.qpos0).map_err(stage())?;
    writer.array_f64("qvel0", &[rollout.qvel0.len()], &rollout.qvel0).map_err(stage())?;
    writer.array_f64("ctrl", &[rollout.steps(), rollout.nu], &rollout.ctrl).map_err(stage())?;
    let bodies: Vec<&str> = scene.objects.iter().map(|o| o.body.as_str()).collect();
    writer.strings("object_body", &[bodies.len()], &bodies).map_err(stage())?;
    object_arrays(&mut writer, rollout)?;
    writer.string("mujoco_version", dextra_sim::probe::loaded_mujoco_version()).map_err(stage())?;
    provenance(&mut writer, demo)?;
    writer.finish().map_err(stage())
}

/// Writes `quarantine.npz`: a trial of the search whose state left the real numbers, to be replayed in
/// `mjcf/scene.xml` from a fresh reset.
///
/// # Errors
/// [`Error::Stage`] with the file that could not be written.
pub fn write_quarantine(path: &Path, trial: &Quarantined, nu: usize) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    let mut writer = NpzWriter::create(path).map_err(stage())?;
    writer.array_f64("qpos0", &[trial.qpos0.len()], &trial.qpos0).map_err(stage())?;
    let steps = trial.ctrl.len() / nu.max(1);
    writer.array_f64("ctrl", &[steps, nu], &trial.ctrl).map_err(stage())?;
    writer.finish().map_err(stage())
}
