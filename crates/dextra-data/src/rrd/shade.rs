//! Normals for meshes, without which the viewer draws them in one flat colour.

use dextra_core::TriMesh;
use nalgebra::Vector3;
use std::collections::HashMap;

/// Faces that meet at less than this angle, in radians, look like one curved surface.
const CREASE: f64 = 0.7;

/// Points in which more faces meet stay sharp; the work per point is quadratic in them.
const CROWD: usize = 1000;

/// A mesh in which each corner has the normal of the surface around it.
pub(super) struct Shaded {
    /// Which vertex of the original each vertex is.
    pub vertices: Vec<u32>,
    /// A unit vector per vertex; zero where all faces around it have no area.
    pub normals: Vec<Vector3<f64>>,
    /// The original's faces in their order.
    pub faces: Vec<[u32; 3]>,
}

/// Splits the vertices of a mesh along its creases. The mesh's indices must be in range.
pub(super) fn shade(mesh: &TriMesh) -> Shaded {
    let crosses: Vec<_> = (0..mesh.faces.len()).map(|face| mesh.face_cross(face)).collect();
    let units: Vec<_> = crosses.iter().map(|c| c.try_normalize(0.0).unwrap_or_default()).collect();

    // Files such as STL state a corner once per face: what meets in a point is told by the point.
    let mut points = HashMap::new();
    let mut around: Vec<Vec<usize>> = Vec::new();
    let point_of: Vec<usize> = mesh
        .vertices
        .iter()
        .map(|v| {
            // Adding zero makes -0 and 0 one point.
            let bits = [v.x, v.y, v.z].map(|x| (x + 0.0).to_bits());
            *points.entry(bits).or_insert_with(|| {
                around.push(Vec::new());
                around.len() - 1
            })
        })
        .collect();
    for (face, corners) in mesh.faces.iter().enumerate() {
        for &corner in corners {
            around[point_of[corner as usize]].push(face);
        }
    }

    let mut shaded = Shaded { vertices: Vec::new(), normals: Vec::new(), faces: Vec::new() };
    let mut known = HashMap::new();
    for (face, corners) in mesh.faces.iter().enumerate() {
        shaded.faces.push(corners.map(|corner| {
            let around = &around[point_of[corner as usize]];
            let around = if around.len() > CROWD { std::slice::from_ref(&face) } else { around };
            let sum: Vector3<f64> = around
                .iter()
                .filter(|&&other| units[other].dot(&units[face]) >= CREASE.cos())
                .map(|&other| crosses[other])
                .sum();
            let normal = sum.try_normalize(0.0).unwrap_or_default();
            let bits: [u64; 3] = normal.map(f64::to_bits).into();
            *known.entry((corner, bits)).or_insert_with(|| {
                shaded.vertices.push(corner);
                shaded.normals.push(normal);
                (shaded.vertices.len() - 1) as u32
            })
        }));
    }
    shaded
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Point3;

    /// Two unit squares that share the edge on the y axis; the second rises at `angle`.
    fn fold(angle: f64) -> TriMesh {
        let at = |x: f64, y: f64, z: f64| Point3::new(x, y, z);
        let (sin, cos) = angle.sin_cos();
        TriMesh {
            vertices: vec![
                at(-1.0, 0.0, 0.0),
                at(0.0, 0.0, 0.0),
                at(0.0, 1.0, 0.0),
                at(-1.0, 1.0, 0.0),
                at(cos, 0.0, sin),
                at(cos, 1.0, sin),
            ],
            faces: vec![[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]],
        }
    }

    #[test]
    fn an_edge_is_kept_and_a_bend_is_rounded() {
        let edge = shade(&fold(1.5));
        assert_eq!(edge.vertices.len(), 8, "both ends of the edge are split");
        let flat = Vector3::z();
        for &corner in edge.faces[..2].as_flattened() {
            assert!((edge.normals[corner as usize] - flat).norm() < 1e-12);
        }
        let bend = shade(&fold(0.4));
        assert_eq!(bend.vertices.len(), 6, "nothing is split");
        let on_edge = bend.faces[0][1] as usize;
        assert_eq!(bend.vertices[on_edge], 1);
        // One triangle of the first square and two of the second meet there, weighted by area.
        let expected = (flat + 2.0 * Vector3::new(-0.4_f64.sin(), 0.0, 0.4_f64.cos())).normalize();
        assert!((bend.normals[on_edge] - expected).norm() < 1e-12);
    }

    #[test]
    fn corners_stated_once_per_face_are_rounded_too() {
        let mesh = fold(0.4);
        let corners: Vec<u32> = mesh.faces.as_flattened().to_vec();
        let soup = TriMesh {
            vertices: corners.iter().map(|&i| mesh.vertices[i as usize]).collect(),
            faces: (0..4).map(|f| [3 * f, 3 * f + 1, 3 * f + 2]).collect(),
        };
        let (whole, split) = (shade(&mesh), shade(&soup));
        for (a, b) in whole.faces.as_flattened().iter().zip(split.faces.as_flattened()) {
            assert!((whole.normals[*a as usize] - split.normals[*b as usize]).norm() < 1e-12);
        }
    }

    #[test]
    fn a_face_without_area_has_no_normal() {
        let mesh = TriMesh { vertices: vec![Point3::origin()], faces: vec![[0, 0, 0]] };
        assert_eq!(shade(&mesh).normals, [Vector3::zeros()]);
    }
}
