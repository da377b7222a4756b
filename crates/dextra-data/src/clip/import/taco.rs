//! TACO: the folder `Hand_Poses/TRIPLET/SEQUENCE` of a download.
//!
//! `SIDE_hand.pkl` has per frame `{hand_pose (48), hand_trans (3)}` as PyTorch tensors,
//! `SIDE_hand_shape.pkl` has `hand_shape`; `Object_Poses/…/{tool,target}_ID.npy` is `[T, 4, 4]`, and
//! `Object_Models/ID_cm.obj` is in centimetres beside poses in metres. The hand is flat at rest and
//! `hand_trans` is its wrist. z up, 30 Hz.

use super::models::{Convention, Models, betas, digest, from_matrix, mesh, part};
use super::{ImportOptions, Recording, stem};
use crate::clip::options::{Unit, UpAxis, file_name};
use crate::mano::{Origin, Tips};
use crate::npz::read_npy;
use crate::{DataError, Pickle};
use dextra_core::Side;
use std::path::{Path, PathBuf};

const CONVENTION: Convention = Convention { origin: Origin::Wrist, tips: Tips::Manopth };

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let mut recording = Recording {
        name: stem(path),
        fps: Some(30.0),
        up: Some(UpAxis::Z),
        unit: Some(Unit::Metre),
        licence: "CC-BY-4.0".into(),
        ..Recording::default()
    };
    let triplet = path.parent().map(stem).unwrap_or_default();
    recording.source = format!("TACO, {triplet} {}", recording.name);
    let file = |side: Side, what: &str| path.join(format!("{}_hand{what}.pkl", side.name()));
    let sides: Vec<Side> =
        [Side::Right, Side::Left].into_iter().filter(|&side| file(side, "").is_file()).collect();
    if sides.is_empty() {
        return Err(DataError::format(path, "neither right_hand.pkl nor left_hand.pkl is here"));
    }
    let models = Models::load(path, opts, &sides, false)?;
    for side in sides {
        let Some(mano) = models.of(side) else { continue };
        let (poses, shape) = (Pickle::open(&file(side, ""))?, Pickle::open(&file(side, "_shape"))?);
        let shaped = mano.shaped(&betas(&shape.root().get("hand_shape")?.array()?.1));
        let mut track = Vec::new();
        for (_, frame) in poses.root().numbered()? {
            let pose = frame.get("hand_pose")?.numbers::<48>()?;
            let fingers = mano.from_axis_angles(&part(&pose, 3), true);
            let at = frame.get("hand_trans")?.numbers::<3>()?;
            track.push(Some(CONVENTION.keypoints(&shaped, part(&pose, 0), &fingers, at)));
        }
        for pickle in [&poses, &shape] {
            recording.inputs.push((file_name(pickle.file()), pickle.sha256().to_owned()));
        }
        recording.hands.push((Some(side), track));
    }
    for (role, file) in object_files(path)? {
        let id = stem(&file).trim_start_matches(&format!("{role}_")).to_owned();
        let array = read_npy(&file)?;
        let rows = match array.shape() {
            [_, 4, 4] => array.f64s().unwrap_or_default(),
            shape => {
                let problem = format!("the shape [T, 4, 4] was expected, not {shape:?}");
                return Err(DataError::format(&file, problem));
            }
        };
        let poses = rows
            .chunks_exact(16)
            .enumerate()
            .map(|(frame, rows)| {
                let problem = "not a rigid motion";
                from_matrix(rows)
                    .map(Some)
                    .ok_or_else(|| DataError::frame(&file, "pose", frame, problem))
            })
            .collect::<Result<_, _>>()?;
        let names = [format!("Object_Models/{id}_cm.obj"), format!("{id}_cm.obj")];
        let mesh = mesh(path, opts, &names, 0.01, &mut recording.inputs)?;
        recording.inputs.push(digest(&file)?);
        recording.objects.push((format!("{role}_{id}"), mesh, poses));
    }
    models.acknowledge(&mut recording);
    Ok(recording)
}

/// `tool_ID.npy` and `target_ID.npy` of the same sequence, which lie beside the hands or in
/// `Object_Poses`.
fn object_files(path: &Path) -> Result<Vec<(&'static str, PathBuf)>, DataError> {
    let folder = match (path.parent(), path.file_name()) {
        (Some(triplet), Some(sequence)) => match (triplet.parent(), triplet.file_name()) {
            (Some(hands), Some(triplet)) => {
                hands.with_file_name("Object_Poses").join(triplet).join(sequence)
            }
            _ => path.to_owned(),
        },
        _ => path.to_owned(),
    };
    let folder = if folder.is_dir() { folder } else { path.to_owned() };
    let entries = std::fs::read_dir(&folder).map_err(|e| DataError::io(&folder, "list", e))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let role = |file: &PathBuf| {
        let name = file_name(file);
        ["tool", "target"]
            .into_iter()
            .find(|role| name.starts_with(&format!("{role}_")) && name.ends_with(".npy"))
    };
    Ok(files.into_iter().filter_map(|file| Some((role(&file)?, file))).collect())
}
