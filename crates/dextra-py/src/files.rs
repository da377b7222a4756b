//! Clips and archives as arrays.

use crate::raised;
use dextra::{ClipOptions, demo};
use dextra_data::Npz;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::path::PathBuf;

/// Bytes, NumPy's name of the type, and shape.
pub type Values<'py> = (Bound<'py, PyBytes>, &'static str, Vec<usize>);

/// Floats, little-endian.
pub fn floats<'py>(
    py: Python<'py>,
    values: impl IntoIterator<Item = f64>,
    shape: &[usize],
) -> Values<'py> {
    let bytes: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
    (PyBytes::new(py, &bytes), "<f8", shape.to_vec())
}

/// Names of the built-in clips.
#[pyfunction]
pub fn clip_names() -> Vec<&'static str> {
    demo::names()
}

/// A clip as a dictionary; `options` is JSON.
#[pyfunction]
pub fn load_clip<'py>(
    py: Python<'py>,
    clip: &str,
    seed: u64,
    options: &str,
) -> PyResult<Bound<'py, PyDict>> {
    let options: ClipOptions = serde_json::from_str(options).map_err(|e| raised(&e))?;
    let demo = py.detach(|| demo::load(clip, seed, &options)).map_err(|e| raised(&e))?;
    let frames = demo.frames();
    let mut hands = Vec::new();
    for hand in &demo.hands {
        let points = hand.keypoints_in_world.iter().flatten().flat_map(|p| [p.x, p.y, p.z]);
        let one = PyDict::new(py);
        one.set_item("side", hand.side.name())?;
        one.set_item("keypoints_m", floats(py, points, &[frames, 21, 3]))?;
        hands.push(one);
    }
    let mut objects = Vec::new();
    for object in &demo.objects {
        let poses = &object.world_from_object;
        let places = poses.iter().flat_map(|pose| <[f64; 3]>::from(pose.translation.vector));
        let turns = poses.iter().flat_map(|pose| {
            let q = pose.rotation.quaternion();
            [q.w, q.i, q.j, q.k]
        });
        let (vertices, faces) = (&object.mesh.vertices, &object.mesh.faces);
        let corners = vertices.iter().flat_map(|p| [p.x, p.y, p.z]);
        let indices: Vec<u8> =
            faces.iter().flatten().flat_map(|&i| i64::from(i).to_le_bytes()).collect();
        let one = PyDict::new(py);
        one.set_item("name", &object.name)?;
        one.set_item("mass_kg", object.mass)?;
        one.set_item("pos_m", floats(py, places, &[frames, 3]))?;
        one.set_item("quat_wxyz", floats(py, turns, &[frames, 4]))?;
        one.set_item("vertices_m", floats(py, corners, &[vertices.len(), 3]))?;
        one.set_item("faces", (PyBytes::new(py, &indices), "<i8", [faces.len(), 3]))?;
        objects.push(one);
    }
    let result = PyDict::new(py);
    result.set_item("name", &demo.name)?;
    result.set_item("fps_hz", demo.fps)?;
    result.set_item("gravity_m_s2", <[f64; 3]>::from(demo.gravity))?;
    result.set_item("hands", hands)?;
    result.set_item("objects", objects)?;
    result.set_item("source", &demo.provenance.source)?;
    result.set_item("licence", &demo.provenance.licence)?;
    result.set_item("inputs_sha256", demo.provenance.inputs_sha256.clone())?;
    result.set_item("notes", demo.provenance.notes.clone())?;
    Ok(result)
}

/// The arrays of an archive: numbers as [`Values`], text as `(list, shape)`. A `"rollout"` must also be one.
#[pyfunction]
pub fn load_archive<'py>(
    py: Python<'py>,
    path: PathBuf,
    kind: &str,
) -> PyResult<Bound<'py, PyDict>> {
    if kind == "rollout" {
        py.detach(|| dextra_data::load_rollout(&path)).map_err(|e| raised(&e))?;
    }
    let file = Npz::open(&path).map_err(|e| raised(&e))?;
    let needed = if kind == "motion" { "fps_hz" } else { "timestep_s" };
    file.scalar_f64(needed).map_err(|e| raised(&e))?;
    let result = PyDict::new(py);
    for key in file.keys() {
        let array = file.array(key).map_err(|e| raised(&e))?;
        let shape = array.shape().to_vec();
        if let Some(texts) = array.strings() {
            result.set_item(key, (texts, shape))?;
        } else if let Some(whole) = array.i64s() {
            let bytes: Vec<u8> = whole.into_iter().flat_map(i64::to_le_bytes).collect();
            result.set_item(key, (PyBytes::new(py, &bytes), "<i8", shape))?;
        } else if let Some(values) = array.f64s() {
            result.set_item(key, floats(py, values, &shape))?;
        }
    }
    Ok(result)
}
