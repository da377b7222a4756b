//! Binary glTF 2.0: the triangles of the default scene, with the nodes' transforms applied.
//!
//! Only what carries a surface is read: positions and indices that lie in the file itself,
//! uncompressed. glTF is in metres by definition.

use super::check_face_count;
use crate::DataError;
use dextra_core::TriMesh;
use nalgebra::{Matrix4, Point3, Quaternion, UnitQuaternion, Vector3};
use serde_json::Value;
use std::path::Path;

/// Deepest nesting of nodes.
const MAX_DEPTH: usize = 64;

/// Most nodes visited: a node may be reached by many ways in a malformed file.
const MAX_VISITS: usize = 1 << 16;

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<TriMesh, DataError> {
    read(bytes)
        .map_err(|problem| DataError::mesh(path, None, problem))
        .and_then(|mesh| check_face_count(path, mesh.faces.len()).map(|()| mesh))
}

fn read(bytes: &[u8]) -> Result<TriMesh, String> {
    let word = |at: usize| -> Option<usize> {
        Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
    };
    if bytes.get(..4) != Some(b"glTF") || word(4) != Some(2) {
        return Err("not a binary glTF 2.0 file".to_owned());
    }
    let length = word(12).ok_or("the file is cut short")?;
    if bytes.get(16..20) != Some(b"JSON") {
        return Err("the first chunk is not JSON".to_owned());
    }
    let end = 20usize.checked_add(length).ok_or("the file is cut short")?;
    let json = bytes.get(20..end).ok_or("the file is cut short")?;
    let json: Value = serde_json::from_slice(json).map_err(|e| format!("malformed JSON: {e}"))?;
    let binary = match (word(end), bytes.get(end + 4..end + 8)) {
        (Some(length), Some(b"BIN\0")) => {
            let stop = (end + 8).checked_add(length).ok_or("the file is cut short")?;
            bytes.get(end + 8..stop).ok_or("the file is cut short")?
        }
        _ => return Err("no binary chunk: the data are in other files".to_owned()),
    };
    let file = File { json, binary };
    let mut mesh = TriMesh { vertices: Vec::new(), faces: Vec::new() };
    let scene = file.json["scene"].as_u64().unwrap_or(0);
    let roots = file.json["scenes"][scene as usize]["nodes"].as_array().cloned();
    let mut open: Vec<(usize, Matrix4<f64>, usize)> = roots
        .ok_or("no scene")?
        .iter()
        .filter_map(|node| Some((node.as_u64()? as usize, Matrix4::identity(), 0)))
        .collect();
    let mut visits = 0;
    while let Some((index, parent, depth)) = open.pop() {
        visits += 1;
        if depth > MAX_DEPTH || visits > MAX_VISITS {
            return Err("the nodes are nested in a loop".to_owned());
        }
        let node = &file.json["nodes"][index];
        let transform = parent * local(node);
        if let Some(index) = node["mesh"].as_u64() {
            file.add(index as usize, &transform, &mut mesh)?;
        }
        for child in node["children"].as_array().into_iter().flatten() {
            open.extend(child.as_u64().map(|child| (child as usize, transform, depth + 1)));
        }
    }
    Ok(mesh)
}

/// The transform of a node: a matrix in column order, or translation, rotation (xyzw) and scale.
fn local(node: &Value) -> Matrix4<f64> {
    let numbers = |key: &str| -> Option<Vec<f64>> {
        node[key].as_array()?.iter().map(Value::as_f64).collect()
    };
    if let Some(matrix) = numbers("matrix").filter(|m| m.len() == 16) {
        return Matrix4::from_column_slice(&matrix);
    }
    let three = |key: &str, default: f64| match numbers(key).as_deref() {
        Some(&[x, y, z]) => Vector3::new(x, y, z),
        _ => Vector3::repeat(default),
    };
    let rotation = match numbers("rotation").as_deref() {
        Some(&[x, y, z, w]) => UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z)),
        _ => UnitQuaternion::identity(),
    };
    Matrix4::new_translation(&three("translation", 0.0))
        * rotation.to_homogeneous()
        * Matrix4::new_nonuniform_scaling(&three("scale", 1.0))
}

struct File<'a> {
    json: Value,
    binary: &'a [u8],
}

impl File<'_> {
    /// Adds the triangles of one mesh.
    fn add(
        &self,
        index: usize,
        transform: &Matrix4<f64>,
        mesh: &mut TriMesh,
    ) -> Result<(), String> {
        let primitives = self.json["meshes"][index]["primitives"].as_array();
        for primitive in primitives.ok_or("a node names a mesh that is not there")? {
            // 4: triangles, the default; points, lines and strips are no surface worth having.
            if primitive["mode"].as_u64().unwrap_or(4) != 4 {
                continue;
            }
            if primitive["extensions"].get("KHR_draco_mesh_compression").is_some() {
                return Err("compressed by Draco, which is not read".to_owned());
            }
            let positions = &primitive["attributes"]["POSITION"];
            let positions = self.accessor(positions, "VEC3")?;
            let base = mesh.vertices.len() as u32;
            let indices: Vec<u32> = match primitive.get("indices") {
                Some(indices) => {
                    self.accessor(indices, "SCALAR")?.iter().map(|&i| i as u32).collect()
                }
                None => (0..positions.len() as u32 / 3).collect(),
            };
            if let Some(i) = indices.iter().find(|&&i| i as usize >= positions.len() / 3) {
                return Err(format!("index {i} names no vertex"));
            }
            mesh.vertices.extend(
                positions
                    .chunks_exact(3)
                    .map(|p| transform.transform_point(&Point3::new(p[0], p[1], p[2]))),
            );
            mesh.faces
                .extend(indices.chunks_exact(3).map(|f| [base + f[0], base + f[1], base + f[2]]));
            if mesh.vertices.iter().flat_map(|v| v.iter()).any(|x| !x.is_finite()) {
                return Err("a vertex is not finite".to_owned());
            }
            if mesh.faces.len() > super::MAX_FACES {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The numbers of an accessor.
    fn accessor(&self, index: &Value, kind: &str) -> Result<Vec<f64>, String> {
        let index = index.as_u64().ok_or("a primitive without positions")?;
        let accessor = &self.json["accessors"][index as usize];
        if accessor["type"].as_str() != Some(kind) || accessor.get("sparse").is_some() {
            return Err(format!("accessor {index} is not a plain one of {kind}"));
        }
        let size = |value: &Value| value.as_u64().map(|n| n as usize);
        let view = size(&accessor["bufferView"]).ok_or("an accessor without data")?;
        let view = &self.json["bufferViews"][view];
        if view["buffer"].as_u64() != Some(0) || view["extensions"].is_object() {
            return Err("the data are compressed or in another file".to_owned());
        }
        let (width, integer) = match accessor["componentType"].as_u64() {
            Some(5121) => (1, true),
            Some(5123) => (2, true),
            Some(5125) => (4, true),
            Some(5126) => (4, false),
            other => return Err(format!("elements of the type {other:?}")),
        };
        let components = if kind == "VEC3" { 3 } else { 1 };
        let count = size(&accessor["count"]).ok_or("an accessor without a count")?;
        let stride = size(&view["byteStride"]).unwrap_or(width * components);
        let start = size(&view["byteOffset"]).unwrap_or(0);
        let start = start.checked_add(size(&accessor["byteOffset"]).unwrap_or(0));
        let last = count.saturating_sub(1).checked_mul(stride).zip(start);
        let end =
            last.and_then(|(last, start)| start.checked_add(last)?.checked_add(width * components));
        let start = start.unwrap_or(0);
        if count > self.binary.len() || end.is_none_or(|end| end > self.binary.len()) {
            return Err(format!("accessor {index} reaches beyond the data"));
        }
        let mut numbers = Vec::with_capacity(count * components);
        for element in 0..count {
            for component in 0..components {
                let at = start + element * stride + component * width;
                let raw = &self.binary[at..at + width];
                numbers.push(match (integer, raw) {
                    (false, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
                    _ => raw.iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b)) as f64,
                });
            }
        }
        Ok(numbers)
    }
}
