//! OakInk-v2: one `anno_preview/SEQUENCE.pkl` of a download.
//!
//! `mocap_frame_id_list`, `obj_list`, `obj_transf[id][frame] (4,4)` and
//! `raw_mano[frame]{rh,lh}__{pose_coeffs (1,16,4), tsl (1,3), betas (1,10)}`, PyTorch tensors. Poses are
//! quaternions wxyz per joint, which bypass the mean pose, and `tsl` is the wrist. y up, 120 Hz.

use super::models::{Models, betas, from_matrix, mesh, plain};
use super::{ImportOptions, Recording, stem};
use crate::clip::options::{Unit, UpAxis, file_name};
use crate::mano::{JOINTS, Mano, Origin, Shaped, Tips};
use crate::pickle::Value;
use crate::{DataError, Pickle};
use dextra_core::Side;
use dextra_core::demonstration::Keypoints;
use nalgebra::{Quaternion, Rotation3, UnitQuaternion, Vector3};
use std::collections::BTreeMap;
use std::path::Path;

/// Rate of the motion capture, frames per second.
const MOCAP_FPS: f64 = 120.0;

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let pickle = Pickle::open(path)?;
    let root = pickle.root();
    let frames: Vec<i64> =
        root.get("mocap_frame_id_list")?.array()?.1.iter().map(|&n| n as i64).collect();
    let mut steps: Vec<i64> = frames.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable();
    let step = steps.get(steps.len() / 2).copied().unwrap_or(1).max(1);
    let mut recording = Recording {
        name: stem(path),
        fps: Some(MOCAP_FPS / step as f64),
        up: Some(UpAxis::Y),
        unit: Some(Unit::Metre),
        source: format!("OakInk-v2, {}", stem(path)),
        licence: "CC-BY-NC-SA-3.0".into(),
        inputs: vec![(file_name(path), pickle.sha256().to_owned())],
        ..Recording::default()
    };
    let models = Models::load(path, opts, &[Side::Right, Side::Left], false)?;
    let hands: BTreeMap<i64, Value> = root.get("raw_mano")?.numbered()?.into_iter().collect();
    for (side, prefix) in [(Side::Right, "rh"), (Side::Left, "lh")] {
        let Some(mano) = models.of(side) else { continue };
        let mut shaped: Option<(Vec<f64>, Shaped)> = None;
        let mut track = Vec::new();
        for frame in &frames {
            let hand = hands.get(frame).filter(|hand| hand.find(&pose_key(prefix)).is_some());
            track.push(match hand {
                Some(hand) => Some(keypoints(hand, prefix, mano, &mut shaped)?),
                None => None,
            });
        }
        recording.hands.push((Some(side), track));
    }
    let transforms = root.get("obj_transf")?;
    for id in root.get("obj_list")?.list()? {
        let id = plain(&id)?;
        let poses: BTreeMap<i64, Value> = transforms.get(&id)?.numbered()?.into_iter().collect();
        let mut track = Vec::new();
        for frame in &frames {
            track.push(match poses.get(frame) {
                Some(pose) => {
                    let rows = pose.numbers::<16>()?;
                    Some(from_matrix(&rows).ok_or_else(|| pose.problem("not a rigid motion"))?)
                }
                None => None,
            });
        }
        let names = mesh_names(path, opts, &id);
        let mesh = mesh(path, opts, &names, 1.0, &mut recording.inputs)?;
        recording.objects.push((id.replace(['@', '/', ' '], "_"), mesh, track));
    }
    models.acknowledge(&mut recording);
    Ok(recording)
}

fn pose_key(prefix: &str) -> String {
    format!("{prefix}__pose_coeffs")
}

fn keypoints<'a>(
    hand: &Value,
    prefix: &str,
    mano: &'a Mano,
    shaped: &mut Option<(Vec<f64>, Shaped<'a>)>,
) -> Result<Keypoints, DataError> {
    let shape = betas(&hand.get(&format!("{prefix}__betas"))?.array()?.1);
    if shaped.as_ref().is_none_or(|(known, _)| *known != shape) {
        *shaped = Some((shape.clone(), mano.shaped(&shape)));
    }
    let Some((_, shaped)) = shaped else {
        return Err(hand.problem("no shape"));
    };
    let pose = hand.get(&pose_key(prefix))?;
    let wxyz = pose.numbers::<{ 4 * JOINTS }>()?;
    let mut turns = [Rotation3::identity(); JOINTS];
    for (turn, q) in turns.iter_mut().zip(wxyz.chunks_exact(4)) {
        let quaternion = Quaternion::new(q[0], q[1], q[2], q[3]);
        let norm = quaternion.norm();
        if (norm - 1.0).abs() > 1e-2 || norm.is_nan() {
            return Err(pose.problem(format!("the quaternion {q:?} is not of norm 1")));
        }
        *turn = UnitQuaternion::from_quaternion(quaternion).to_rotation_matrix();
    }
    let at = hand.get(&format!("{prefix}__tsl"))?.numbers::<3>()?;
    Ok(shaped.keypoints(&turns, Vector3::from(at), Origin::Wrist, Tips::Manopth))
}

/// Names under which an object's mesh can lie: the only one in its folder, or that of its name.
pub(super) fn mesh_names(path: &Path, opts: &ImportOptions, id: &str) -> Vec<String> {
    let mut names = Vec::new();
    for folder in super::models::above(path, opts) {
        for kind in
            ["object_repair/align_ds", "object_raw/align_ds", "object_preview/align_ds", "."]
        {
            let Ok(entries) = std::fs::read_dir(folder.join(kind).join(id)) else { continue };
            let mut files: Vec<String> =
                entries.filter_map(|e| Some(file_name(&e.ok()?.path()))).collect();
            files.sort();
            let meshes = files.into_iter().filter(|f| f.ends_with(".obj") || f.ends_with(".ply"));
            names.extend(meshes.map(|file| format!("{kind}/{id}/{file}")));
        }
    }
    names.extend(["obj", "ply"].map(|extension| format!("{id}.{extension}")));
    names
}
