//! Writing keypoint clips: what [`super::load_clip`] reads back.

use super::options::file_name;
use super::parts;
use crate::{DataError, NpzWriter, atomic, write_obj};
use dextra_core::demonstration::keypoint;
use dextra_core::{Demonstration, Side, pose};
use std::path::Path;

/// Writes `path` (`.npz`) and, beside it, `STEM_OBJECT.obj` per object.
///
/// Everything of the demonstration is stated in the file, in metres with z up, so that nothing is
/// inferred when it is read back. Values are 64-bit; keypoints read back bit for bit and poses to
/// rounding. Meshes are written first: a clip that exists has its meshes.
///
/// # Errors
/// Tracks differ in length, there is no hand, there are two hands of one side, an object's
/// name does not suit a file, or writing fails.
pub fn write_keypoint_clip(path: &Path, demo: &Demonstration) -> Result<(), DataError> {
    check(path, demo)?;
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let mut meshes = Vec::new();
    for object in &demo.objects {
        let mesh = path.with_file_name(format!("{stem}_{}.obj", object.name));
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        let (source, licence) = (line(&demo.provenance.source), line(&demo.provenance.licence));
        let text = format!("{}# source: {source}\n# licence: {licence}\n", write_obj(&object.mesh));
        atomic::write_file(&mesh, text.as_bytes())?;
        meshes.push(file_name(&mesh));
    }
    let mut npz = NpzWriter::create(path)?;
    let frames = demo.frames();
    npz.scalar_f64("fps", demo.fps)?;
    for hand in &demo.hands {
        let key = match (demo.hands.len(), hand.side) {
            (1, _) => "joints21",
            (_, Side::Right) => "joints21_right",
            (_, Side::Left) => "joints21_left",
        };
        let values: Vec<f64> = hand
            .keypoints_in_world
            .iter()
            .flatten()
            .flat_map(|point| [point.x, point.y, point.z])
            .collect();
        npz.array_f64(key, &[frames, keypoint::COUNT, 3], &values)?;
        if demo.hands.len() == 1 {
            npz.string("side", hand.side.name())?;
        }
    }
    let poses = || {
        (0..frames)
            .flat_map(|t| demo.objects.iter().map(move |object| &object.world_from_object[t]))
    };
    if !demo.objects.is_empty() {
        let positions: Vec<f64> = poses().flat_map(pose::pos).collect();
        let quaternions: Vec<f64> = poses().flat_map(pose::quat_wxyz).collect();
        let objects = demo.objects.len();
        npz.array_f64("obj_pos", &[frames, objects, 3], &positions)?;
        npz.array_f64("obj_quat_wxyz", &[frames, objects, 4], &quaternions)?;
        let names: Vec<&str> = demo.objects.iter().map(|object| object.name.as_str()).collect();
        npz.strings("obj_names", &[objects], &names)?;
        let masses: Vec<f64> =
            demo.objects.iter().map(|object| object.mass.unwrap_or(f64::NAN)).collect();
        npz.array_f64("mass_kg", &[objects], &masses)?;
        npz.strings("mesh", &[objects], &meshes)?;
        parts::write(&mut npz, demo)?;
    }
    npz.array_f64("gravity_m_s2", &[3], demo.gravity.as_slice())?;
    npz.string("unit", "m")?;
    npz.string("mesh_unit", "m")?;
    npz.string("up_axis", "z")?;
    npz.string("quat_order", "wxyz")?;
    npz.string("licence", &demo.provenance.licence)?;
    npz.string("source", &demo.provenance.source)?;
    let notes = &demo.provenance.notes;
    npz.strings("notes", &[notes.len()], notes)?;
    let inputs: Vec<&str> = demo
        .provenance
        .inputs_sha256
        .iter()
        .flat_map(|(name, digest)| [name.as_str(), digest.as_str()])
        .collect();
    npz.strings("inputs_sha256", &[inputs.len() / 2, 2], &inputs)?;
    npz.finish()
}

/// Refuses a demonstration that could not be read back.
fn check(path: &Path, demo: &Demonstration) -> Result<(), DataError> {
    if demo.hands.is_empty() || demo.hands.len() > 2 {
        let problem = format!("{} hands; a clip has one or two", demo.hands.len());
        return Err(DataError::field(path, "joints21", problem));
    }
    if demo.hands.len() == 2 && demo.hands[0].side == demo.hands[1].side {
        return Err(DataError::field(path, "joints21", "two hands of the same side"));
    }
    let frames = demo.frames();
    let uneven = demo.hands.iter().any(|hand| hand.keypoints_in_world.len() != frames)
        || demo.objects.iter().any(|object| object.world_from_object.len() != frames)
        || demo.objects.iter().any(|object| {
            object.articulation.as_ref().is_some_and(|part| part.coordinate.len() != frames)
        });
    if uneven {
        let problem = format!("not all tracks have the first hand's {frames} frames");
        return Err(DataError::field(path, "obj_pos", problem));
    }
    for object in &demo.objects {
        let valid = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if object.name.is_empty() || !object.name.chars().all(valid) || object.name.starts_with('.')
        {
            let problem = format!("`{}` does not suit a file name", object.name);
            return Err(DataError::field(path, "obj_names", problem));
        }
    }
    Ok(())
}
