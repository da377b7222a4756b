//! Validation and repair of a raw triangle mesh: welding, degenerate and duplicate faces, decimation.

use std::collections::{HashMap, HashSet};

use dextra_core::TriMesh;
use nalgebra::{Point3, Vector3};

use super::error::ObjectError;

/// Vertices closer than this fraction of the bounding-box diagonal are one vertex. Triangle soup
/// (every STL) repeats vertices exactly or up to `f32` rounding, 6e-8 relative.
const WELD_FRACTION: f64 = 1e-6;

/// Diagonal of the bounding box, metres; zero without vertices.
pub(crate) fn diagonal(mesh: &TriMesh) -> f64 {
    mesh.bounds().map_or(0.0, |(lo, hi)| (hi - lo).norm())
}

/// A copy of `mesh` with coincident vertices welded and degenerate or duplicate faces and
/// unused vertices removed. Winding and open boundaries are kept as they are.
///
/// # Errors
/// Non-finite vertices, face indices out of range, and meshes where no face is left.
pub(crate) fn cleaned(mesh: &TriMesh) -> Result<TriMesh, ObjectError> {
    if let Some((vertex, p)) =
        mesh.vertices.iter().enumerate().find(|(_, p)| !p.coords.iter().all(|c| c.is_finite()))
    {
        return Err(ObjectError::NotFinite { vertex, position: [p.x, p.y, p.z] });
    }
    let vertices = mesh.vertices.len();
    for (face, corners) in mesh.faces.iter().enumerate() {
        if let Some(&index) = corners.iter().find(|&&i| i as usize >= vertices) {
            return Err(ObjectError::BadIndex { face, index, vertices });
        }
    }
    let size = diagonal(mesh);
    let out = clustered(mesh, size * WELD_FRACTION, false);
    if out.faces.is_empty() || size == 0.0 {
        return Err(ObjectError::Empty { vertices, faces: mesh.faces.len() });
    }
    Ok(out)
}

/// `mesh` with at most about `max_faces` faces, by vertex clustering on a grid that is coarsened
/// until the count fits (Rossignac and Borrel 1993). Topology may change; shape moves by less than
/// one cell.
pub(crate) fn decimated(mesh: &TriMesh, max_faces: usize) -> TriMesh {
    let mut out = mesh.clone();
    // A flat patch clustered on a grid has about two faces to a cell.
    let mut cell = (2.0 * mesh.area() / max_faces as f64).sqrt();
    while out.faces.len() > max_faces && cell < diagonal(mesh) / 8.0 {
        out = clustered(mesh, cell, true);
        cell *= 1.2;
    }
    out
}

/// Merge all vertices of one grid cell into their mean (`average`) or the first of them.
fn clustered(mesh: &TriMesh, cell: f64, average: bool) -> TriMesh {
    let Some((lo, _)) = mesh.bounds() else {
        return TriMesh::default();
    };
    let cell = cell.max(f64::MIN_POSITIVE);
    let mut cluster_of_cell: HashMap<[i64; 3], u32> = HashMap::with_capacity(mesh.vertices.len());
    let mut sums: Vec<(Vector3<f64>, f64)> = Vec::new();
    let mut cluster = Vec::with_capacity(mesh.vertices.len());
    for p in &mesh.vertices {
        let key: [i64; 3] = ((p - lo) / cell).map(|c| c.round() as i64).into();
        let next = sums.len() as u32;
        let id = *cluster_of_cell.entry(key).or_insert(next);
        if id == next {
            sums.push((p.coords, 1.0));
        } else if average {
            sums[id as usize].0 += p.coords;
            sums[id as usize].1 += 1.0;
        }
        cluster.push(id);
    }
    let merged: Vec<Point3<f64>> = sums.iter().map(|(sum, n)| Point3::from(sum / *n)).collect();
    let mut seen = HashSet::with_capacity(mesh.faces.len());
    let mut vertex_of_cluster = vec![u32::MAX; merged.len()];
    let mut out = TriMesh::default();
    for face in &mesh.faces {
        let [a, b, c] = face.map(|i| cluster[i as usize]);
        if a == b || b == c || c == a {
            continue;
        }
        let [pa, pb, pc] = [a, b, c].map(|i| merged[i as usize]);
        if (pb - pa).cross(&(pc - pa)).norm() <= 1e-3 * cell * cell {
            continue;
        }
        // Rotate the smallest index to the front: same face, same winding, one key.
        let key = match a.min(b).min(c) {
            m if m == a => [a, b, c],
            m if m == b => [b, c, a],
            _ => [c, a, b],
        };
        if !seen.insert(key) {
            continue;
        }
        out.faces.push([a, b, c].map(|i| {
            let slot = &mut vertex_of_cluster[i as usize];
            if *slot == u32::MAX {
                *slot = out.vertices.len() as u32;
                out.vertices.push(merged[i as usize]);
            }
            *slot
        }));
    }
    out
}

/// Number of edges that belong to exactly one face (the rims of holes) in a welded mesh.
pub(crate) fn boundary_edges(mesh: &TriMesh) -> usize {
    let mut uses: HashMap<[u32; 2], u32> = HashMap::with_capacity(mesh.faces.len() * 2);
    for &[a, b, c] in &mesh.faces {
        for [i, j] in [[a, b], [b, c], [c, a]] {
            *uses.entry([i.min(j), i.max(j)]).or_default() += 1;
        }
    }
    uses.values().filter(|&&n| n == 1).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::shapes;

    #[test]
    fn triangle_soup_welds_back_to_its_mesh() {
        let ball = shapes::sphere(0.03, 16);
        let soup = TriMesh {
            vertices: (0..ball.faces.len()).flat_map(|f| ball.triangle(f)).collect(),
            faces: (0..ball.faces.len() as u32).map(|f| [3 * f, 3 * f + 1, 3 * f + 2]).collect(),
        };
        assert!(boundary_edges(&soup) > 0);
        let welded = cleaned(&soup).unwrap();
        assert_eq!(welded.vertices.len(), ball.vertices.len());
        assert_eq!(welded.faces.len(), ball.faces.len());
        assert_eq!(boundary_edges(&welded), 0);
    }

    #[test]
    fn duplicate_and_degenerate_faces_are_dropped() {
        let mut cube = shapes::cuboid(0.02, 0.02, 0.02);
        let (duplicate, degenerate) =
            (cube.faces[0], [cube.faces[0][0], cube.faces[0][0], cube.faces[0][1]]);
        cube.faces.push([duplicate[1], duplicate[2], duplicate[0]]);
        cube.faces.push(degenerate);
        assert_eq!(cleaned(&cube).unwrap().faces.len(), 12);
    }

    #[test]
    fn bad_meshes_are_named_errors() {
        let cube = shapes::cuboid(0.02, 0.02, 0.02);
        let mut nan = cube.clone();
        nan.vertices[3].y = f64::NAN;
        assert!(matches!(cleaned(&nan), Err(ObjectError::NotFinite { vertex: 3, .. })));
        let mut index = cube.clone();
        index.faces[2][1] = 99;
        assert_eq!(cleaned(&index), Err(ObjectError::BadIndex { face: 2, index: 99, vertices: 8 }));
        assert_eq!(cleaned(&TriMesh::default()), Err(ObjectError::Empty { vertices: 0, faces: 0 }));
        let point = TriMesh { vertices: vec![Point3::origin(); 3], faces: vec![[0, 1, 2]] };
        assert!(matches!(cleaned(&point), Err(ObjectError::Empty { .. })));
    }

    #[test]
    fn decimation_reaches_the_face_budget_and_keeps_the_shape() {
        let ball = shapes::sphere(0.05, 200);
        let small = decimated(&ball, 5_000);
        assert!(
            ball.faces.len() > 70_000 && small.faces.len() <= 5_000 && small.faces.len() > 1_000
        );
        assert!((small.area() / ball.area() - 1.0).abs() < 0.05);
    }
}
