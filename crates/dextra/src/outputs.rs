//! What a transfer leaves in its folder, for accepted and rejected trajectories alike.
//!
//! See `docs/formats.md` for every key.

use crate::error::Error;
use dextra_core::demonstration::keypoint;
use dextra_core::rollout::{Reference, ReferenceFrame, Rollout, Touch};
use dextra_core::{Demonstration, Motion, Pose, pose};
use dextra_data::{NpzWriter, atomic, write_joints};
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

/// Provenance keys that every archive carries: what it was made from, with which seed and by which
/// version. NumPy has no agreed unsigned seed, so seeds from 2^63 on are stored as their two's
/// complement.
fn provenance(writer: &mut NpzWriter, demo: &Demonstration, seed: u64) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    let provenance = &demo.provenance;
    let inputs: Vec<&str> = provenance
        .inputs_sha256
        .iter()
        .flat_map(|(name, digest)| [name.as_str(), digest.as_str()])
        .collect();
    writer.array_i64("seed", &[], &[seed as i64]).map_err(stage())?;
    writer.string("source", &provenance.source).map_err(stage())?;
    writer.string("licence", &provenance.licence).map_err(stage())?;
    writer.strings("inputs_sha256", &[inputs.len() / 2, 2], &inputs).map_err(stage())?;
    writer.string("dextra_version", env!("CARGO_PKG_VERSION")).map_err(stage())
}

/// What pictures and films carry in themselves: what they were made from, and under which licence.
pub fn notice(source: &str, licence: &str) -> String {
    let line = |text: &str| text.replace(|c: char| c.is_control(), " ");
    let version = env!("CARGO_PKG_VERSION");
    format!("Made by dextra {version} from: {}; licence: {}", line(source), line(licence))
}

/// Writes `SOURCE.txt` into a folder: what everything in it was made from, and under which licence. Not
/// every file has a place of its own for that.
///
/// # Errors
/// A file that cannot be written.
pub fn write_source(dir: &Path, source: &str, licence: &str) -> Result<(), Error> {
    let line = |text: &str| text.replace(['\n', '\r'], " ");
    let text = format!(
        "Every file in this folder was made by dextra {} from a recording. What may be done with them is what the \
         recording's licence allows.\n\nsource: {}\nlicence: {}\n",
        env!("CARGO_PKG_VERSION"),
        line(source),
        line(licence)
    );
    atomic::write_file(&dir.join("SOURCE.txt"), text.as_bytes()).map_err(Error::stage(STAGE))
}

/// Removes what an earlier transfer left in `dir` and this one may not replace: the verdict, which
/// comes last so that its presence says that everything beside it belongs to it, the pictures, the
/// quarantined trial and the exported scene, whose meshes have other names for every content.
///
/// Files in `mjcf/` that no transfer wrote stay, and so do the folders they are in.
///
/// # Errors
/// [`Error::Io`] with the file that could not be removed or the folder that could not be listed.
pub fn clear(dir: &Path) -> Result<(), Error> {
    for name in [
        "report.json",
        "report.html",
        "strip.png",
        "contacts.png",
        "film.gif",
        "film.mp4",
        "view.rrd",
        "quarantine.npz",
        "grasps.json",
        "SOURCE.txt",
    ] {
        remove(&dir.join(name))?;
    }
    let mjcf = dir.join("mjcf");
    for name in ["scene.xml", "replay.npz", "SOURCE.txt"] {
        remove(&mjcf.join(name))?;
    }
    for name in ["meshes", "textures"] {
        clear_assets(&mjcf.join(name))?;
    }
    // A folder that is not there or not empty is left alone.
    let _ = std::fs::remove_dir(mjcf);
    Ok(())
}

/// Removes a file that need not be there.
fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Removes the exported assets in a folder and its sub-folders, and the folders that are then
/// empty. Links are not followed.
fn clear_assets(folder: &Path) -> Result<(), Error> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::io("list", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        let path = entry.path();
        if entry.file_type().map_err(Error::io("list", &path))?.is_dir() {
            clear_assets(&path)?;
        } else if is_exported_asset(&path) {
            remove(&path)?;
        }
    }
    let _ = std::fs::remove_dir(folder);
    Ok(())
}

/// Whether a file is named as the scene names its assets: `STEM_HASH.EXT`, the hash being twelve
/// hexadecimal digits.
fn is_exported_asset(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    stem.rsplit_once('_').is_some_and(|(_, hash)| hash.len() == 12 && hash.chars().all(digit))
}

/// Writes `motion.npz`: the kinematic reference. `seed` is the transfer's.
///
/// # Errors
/// [`Error::Stage`] with the file that could not be written.
pub fn write_motion(
    path: &Path,
    motion: &Motion,
    demo: &Demonstration,
    seed: u64,
) -> Result<(), Error> {
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
    provenance(&mut writer, demo, seed)?;
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
    let joints: Vec<_> = rollout.objects.iter().map(|object| object.joint).collect();
    write_joints(&mut writer, &joints).map_err(stage())?;
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
    touch_arrays(&mut writer, rollout)?;
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
    for (index, hand) in rollout.hands.iter().enumerate() {
        let points = judged.iter().flat_map(|frame| human_points(frame, index)).collect::<Vec<_>>();
        let key = format!("{}_human_keypoints_m", hand.side.name());
        writer.array_f64(&key, &[frames, keypoint::COUNT, 3], &points).map_err(stage())?;
    }
    writer.string("engine", &rollout.engine).map_err(stage())?;
    provenance(&mut writer, demo, rollout.seed)?;
    writer.finish().map_err(stage())
}

/// Keypoints of a human hand at a judged frame, NaN where the motion was planned.
fn human_points(frame: &ReferenceFrame, hand: usize) -> Vec<f64> {
    match frame.human_keypoints.get(hand) {
        Some(Some(points)) => points.iter().flat_map(|p| [p.x, p.y, p.z]).collect(),
        _ => vec![f64::NAN; 3 * keypoint::COUNT],
    }
}

/// The list of contacts between hands and objects, in the order of steps: `touch_* [C]`.
fn touch_arrays(writer: &mut NpzWriter, rollout: &Rollout) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    let all: Vec<(usize, &Touch)> = rollout
        .touches
        .iter()
        .enumerate()
        .flat_map(|(step, touches)| touches.iter().map(move |touch| (step, touch)))
        .collect();
    let count = all.len();
    let mut index = |key: &str, value: &dyn Fn(usize, &Touch) -> usize| {
        let values: Vec<i64> = all.iter().map(|(step, touch)| value(*step, touch) as i64).collect();
        writer.array_i64(key, &[count], &values).map_err(stage())
    };
    index("touch_step", &|step, _| step)?;
    index("touch_hand", &|_, touch| touch.hand)?;
    index("touch_object", &|_, touch| touch.object)?;
    let mut vector = |key: &str, value: &dyn Fn(&Touch) -> [f64; 3]| {
        let values: Vec<f64> = all.iter().flat_map(|(_, touch)| value(touch)).collect();
        writer.array_f64(key, &[count, 3], &values).map_err(stage())
    };
    vector("touch_pos_m", &|touch| touch.contact.point.coords.into())?;
    vector("touch_normal", &|touch| touch.contact.normal.into())?;
    let mut scalar = |key: &str, value: &dyn Fn(&Touch) -> f64| {
        let values: Vec<f64> = all.iter().map(|(_, touch)| value(touch)).collect();
        writer.array_f64(key, &[count], &values).map_err(stage())
    };
    scalar("touch_force_n", &|touch| touch.force)?;
    scalar("touch_friction", &|touch| touch.contact.friction)?;
    scalar("touch_torsion_m", &|touch| touch.contact.torsion)
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
/// replays the rollout. `seed` is the transfer's.
///
/// # Errors
/// [`Error::Io`] or [`Error::Stage`] with the file that could not be written.
pub fn write_mjcf(
    dir: &Path,
    scene: &Scene,
    rollout: &Rollout,
    demo: &Demonstration,
    seed: u64,
) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    for (name, bytes) in &scene.files {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        atomic::write_file(&path, bytes).map_err(stage())?;
    }
    write_source(dir, &demo.provenance.source, &demo.provenance.licence)?;
    atomic::write_file(&dir.join("scene.xml"), scene.xml.as_bytes()).map_err(stage())?;
    let mut writer = NpzWriter::create(&dir.join("replay.npz")).map_err(stage())?;
    writer.array_f64("qpos0", &[rollout.qpos0.len()], &rollout.qpos0).map_err(stage())?;
    writer.array_f64("qvel0", &[rollout.qvel0.len()], &rollout.qvel0).map_err(stage())?;
    writer.array_f64("ctrl", &[rollout.steps(), rollout.nu], &rollout.ctrl).map_err(stage())?;
    let bodies: Vec<&str> = scene.objects.iter().map(|o| o.body.as_str()).collect();
    writer.strings("object_body", &[bodies.len()], &bodies).map_err(stage())?;
    object_arrays(&mut writer, rollout)?;
    writer.string("mujoco_version", dextra_sim::probe::loaded_mujoco_version()).map_err(stage())?;
    provenance(&mut writer, demo, seed)?;
    writer.finish().map_err(stage())
}

/// Writes `quarantine.npz`: a trial of the search whose state left the real numbers, to be replayed in
/// `mjcf/scene.xml` from a fresh reset. `nu` is the number of actuators, `seed` the transfer's.
///
/// # Errors
/// [`Error::Stage`] with the file that could not be written.
pub fn write_quarantine(
    path: &Path,
    trial: &Quarantined,
    nu: usize,
    demo: &Demonstration,
    seed: u64,
) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    let mut writer = NpzWriter::create(path).map_err(stage())?;
    writer.array_f64("qpos0", &[trial.qpos0.len()], &trial.qpos0).map_err(stage())?;
    let steps = trial.ctrl.len() / nu.max(1);
    writer.array_f64("ctrl", &[steps, nu], &trial.ctrl).map_err(stage())?;
    provenance(&mut writer, demo, seed)?;
    writer.finish().map_err(stage())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dextra_data::{ClipOptions, Npz};
    use std::fs;

    fn demonstration(inputs: usize) -> Demonstration {
        let mut demo = crate::demo::load("cube", 0, &ClipOptions::default()).unwrap();
        demo.provenance.source = "a recording".to_owned();
        demo.provenance.licence = "CC-BY-4.0".to_owned();
        demo.provenance.inputs_sha256 =
            (0..inputs).map(|i| (format!("file {i}.npz"), format!("{i:064x}"))).collect();
        demo
    }

    fn rollout(seed: u64) -> Rollout {
        Rollout {
            dt: 0.002,
            nu: 0,
            ctrl: vec![],
            qpos0: vec![],
            qvel0: vec![],
            qpos: vec![vec![]],
            objects: vec![],
            hands: vec![],
            contacts: vec![],
            touches: vec![],
            saturated: vec![],
            finite: true,
            seed,
            engine: "MuJoCo".to_owned(),
        }
    }

    #[test]
    fn every_archive_says_what_it_was_made_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npz");
        let motion = Motion { fps: 30.0, hands: vec![] };
        let trial = Quarantined { qpos0: vec![0.5], ctrl: vec![1.0, 2.0] };
        for (inputs, seed) in [(0, 0), (2, 7)] {
            let demo = demonstration(inputs);
            let write: [&dyn Fn() -> Result<(), Error>; 3] = [
                &|| write_motion(&path, &motion, &demo, seed),
                &|| write_rollout(&path, &rollout(seed), &Reference::default(), &demo),
                &|| write_quarantine(&path, &trial, 2, &demo, seed),
            ];
            for write in write {
                write().unwrap();
                let npz = Npz::open(&path).unwrap();
                assert_eq!(npz.array_i64("seed").unwrap(), (vec![], vec![seed as i64]));
                assert_eq!(npz.string("source").unwrap(), "a recording");
                assert_eq!(npz.string("licence").unwrap(), "CC-BY-4.0");
                assert_eq!(npz.string("dextra_version").unwrap(), env!("CARGO_PKG_VERSION"));
                let (shape, texts) = npz.strings("inputs_sha256").unwrap();
                assert_eq!(shape, [inputs, 2]);
                let pairs = texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
                assert_eq!(pairs.collect::<Vec<_>>(), demo.provenance.inputs_sha256);
            }
        }
    }

    #[test]
    fn a_folder_says_what_it_was_made_from() {
        let dir = tempfile::tempdir().unwrap();
        write_source(dir.path(), "GRAB, s1 mug\nlicence: none", "LicenseRef-non-commercial")
            .unwrap();
        let text = fs::read_to_string(dir.path().join("SOURCE.txt")).unwrap();
        assert!(text.contains("\nsource: GRAB, s1 mug licence: none\n"), "{text}");
        assert!(text.ends_with("\nlicence: LicenseRef-non-commercial\n"), "{text}");
    }

    #[test]
    fn nothing_of_an_earlier_transfer_stays_beside_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("mjcf/meshes/right")).unwrap();
        fs::create_dir_all(dir.path().join("mjcf/textures/right")).unwrap();
        for name in [
            "report.json",
            "report.html",
            "strip.png",
            "contacts.png",
            "film.gif",
            "film.mp4",
            "view.rrd",
            "quarantine.npz",
            "mjcf/scene.xml",
            "mjcf/replay.npz",
            "SOURCE.txt",
            "grasps.json",
            "mjcf/SOURCE.txt",
            "mjcf/meshes/cube_0_0123456789ab.obj",
            "mjcf/meshes/right/palm_0123456789ab.stl",
            "mjcf/textures/right/skin_0123456789ab.png",
        ] {
            fs::write(dir.path().join(name), "of another transfer").unwrap();
        }
        clear(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        clear(dir.path()).unwrap();
    }

    #[test]
    fn files_that_no_transfer_wrote_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("mjcf/meshes")).unwrap();
        let linked = elsewhere.path().join("cup_0123456789ab.obj");
        let kept = ["notes.txt", "mjcf/mine.xml", "mjcf/meshes/cup.obj", "mjcf/meshes/a_12.stl"];
        for path in kept.map(|name| dir.path().join(name)).iter().chain([&linked]) {
            fs::write(path, "mine").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("mjcf/meshes/link")).unwrap();
        fs::write(dir.path().join("mjcf/scene.xml"), "of another transfer").unwrap();
        clear(dir.path()).unwrap();
        assert!(!dir.path().join("mjcf/scene.xml").exists());
        for path in kept.map(|name| dir.path().join(name)).iter().chain([&linked]) {
            assert!(path.is_file(), "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_cannot_be_removed_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("quarantine.npz/inside")).unwrap();
        let error = clear(dir.path()).unwrap_err();
        assert!(error.to_string().contains("cannot remove"), "{error}");
        assert!(error.to_string().contains("quarantine.npz"), "{error}");
    }
}
