//! Triangle meshes from `.obj`, `.stl`, `.ply` and `.glb` files.
//!
//! Meshes need not be watertight. Numbers are kept in the file's own unit; [`crate::clip`] decides
//! what that unit is, because only the clip knows how large the hand beside the object is.

mod glb;
mod obj;
mod ply;
mod stl;

#[cfg(test)]
mod tests;

pub use obj::write_obj;

use crate::{DataError, atomic};
use dextra_core::TriMesh;
use nalgebra::Point3;
use std::path::Path;

/// Largest number of triangles accepted.
pub const MAX_FACES: usize = 2_000_000;

/// Largest mesh file accepted: 512 MiB, twice an ASCII STL of a million faces.
pub const MAX_BYTES: u64 = 512 << 20;

/// Extensions [`read_mesh`] understands, lower case.
pub const EXTENSIONS: [&str; 4] = ["obj", "stl", "ply", "glb"];

/// A mesh with the digest of the file it came from.
#[derive(Clone, Debug)]
pub struct MeshFile {
    /// The surface, in the unit of the file.
    pub mesh: TriMesh,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

/// Reads a mesh, in the unit of the file.
///
/// Polygons are split into fans, duplicate vertices of an STL are welded, triangles that name one
/// vertex twice and vertices that no triangle uses are dropped. Holes are fine.
///
/// # Errors
/// The extension is none of [`EXTENSIONS`]; the file is empty, cut short or malformed; it has no
/// faces or more than [`MAX_FACES`]; a vertex is not finite; an index names no vertex; the bounding
/// box is a point or a line.
pub fn read_mesh(path: &Path) -> Result<TriMesh, DataError> {
    read_mesh_file(path).map(|file| file.mesh)
}

/// [`read_mesh`] with the digest of the file.
pub fn read_mesh_file(path: &Path) -> Result<MeshFile, DataError> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let parse = match extension.as_deref() {
        Some("obj") => obj::parse,
        Some("stl") => stl::parse,
        Some("ply") => ply::parse,
        Some("glb") => glb::parse,
        _ => {
            return Err(DataError::mesh(path, None, "not a .obj, .stl, .ply or .glb mesh file"));
        }
    };
    let bytes = atomic::read_file(path, MAX_BYTES)?;
    if bytes.is_empty() {
        return Err(DataError::mesh(path, None, "the file is empty"));
    }
    let mesh = tidy(path, parse(path, &bytes)?)?;
    Ok(MeshFile { mesh, sha256: atomic::sha256_hex(&bytes) })
}

/// Drops what carries no surface and refuses what is left without any.
fn tidy(path: &Path, mesh: TriMesh) -> Result<TriMesh, DataError> {
    let faces: Vec<[u32; 3]> =
        mesh.faces.into_iter().filter(|[a, b, c]| a != b && b != c && c != a).collect();
    if faces.is_empty() {
        let problem = format!("no faces ({} vertices)", mesh.vertices.len());
        return Err(DataError::mesh(path, None, problem));
    }
    let mut new_index = vec![u32::MAX; mesh.vertices.len()];
    let mut vertices: Vec<Point3<f64>> = Vec::with_capacity(mesh.vertices.len());
    for &old in faces.iter().flatten() {
        new_index[old as usize] = 0;
    }
    for (old, vertex) in mesh.vertices.iter().enumerate() {
        if new_index[old] == 0 {
            new_index[old] = vertices.len() as u32;
            vertices.push(*vertex);
        }
    }
    let faces = faces.into_iter().map(|face| face.map(|i| new_index[i as usize])).collect();
    let mesh = TriMesh { vertices, faces };
    if let Some((low, high)) = mesh.bounds() {
        let mut sides: [f64; 3] = (high - low).into();
        sides.sort_by(f64::total_cmp);
        // A flat sheet has an area; a line or a point has none. `<` alone would let a NaN pass.
        if !(sides[1] > 1e-6 * sides[2] && sides[2].is_finite()) {
            let problem = format!(
                "degenerate: the bounding box is {:.3e} x {:.3e} x {:.3e}",
                sides[2], sides[1], sides[0]
            );
            return Err(DataError::mesh(path, None, problem));
        }
    }
    Ok(mesh)
}

/// A mesh of an impossible size.
pub(crate) fn scale_error(path: &Path, problem: String) -> DataError {
    DataError::mesh(path, None, problem)
}

/// Refuses one triangle too many.
fn check_face_count(path: &Path, faces: usize) -> Result<(), DataError> {
    if faces <= MAX_FACES {
        return Ok(());
    }
    Err(DataError::TooLarge {
        file: path.to_owned(),
        what: "the number of faces".to_owned(),
        size: faces as u64,
        limit: MAX_FACES as u64,
    })
}
