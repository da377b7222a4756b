//! Queries against an object's surface: closest point, outward normal, signed distance, even sampling.

use std::collections::HashMap;

use dextra_core::TriMesh;
use nalgebra::{Point3, Vector3};
use parry3d_f64::math::Vector;
use parry3d_f64::query::{PointQuery, PointQueryWithLocation};
use parry3d_f64::shape::{TriMesh as ParryMesh, TrianglePointLocation};

use super::clean::{boundary_edges, cleaned, diagonal};
use super::error::ObjectError;
use super::field::Field;
use super::winding::Winding;

/// nalgebra to parry. This function and [`from_parry`] are the only places the two meet.
pub(crate) fn to_parry(p: &Point3<f64>) -> Vector {
    Vector::new(p.x, p.y, p.z)
}

/// parry to nalgebra.
pub(crate) fn from_parry(v: Vector) -> Point3<f64> {
    Point3::new(v.x, v.y, v.z)
}

/// A point of the surface seen from a query point. Object frame, metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurfacePoint {
    /// The closest point of the surface.
    pub point: Point3<f64>,
    /// Outward unit normal there.
    pub normal: Vector3<f64>,
    /// Distance from the query to `point`, never negative.
    pub distance: f64,
}

/// Search structure over the surface of one object, in the object's own frame.
///
/// Works for any mesh. *Closed* meshes (no edge with a single face) have an inside by the generalised winding
/// number. *Open* meshes have an inside only where, besides, a small probe ball (2 % of the object's size) cannot come from
/// outside: a scan with pin holes is solid, the bowl of a single-sheet cup is not.
pub struct Surface {
    mesh: TriMesh,
    tree: ParryMesh,
    winding: Winding,
    /// +1 if the faces are wound outwards, -1 if inwards.
    orientation: f64,
    /// Reachable space, for open meshes only.
    reachable: Option<Field>,
    vertex_normals: Vec<Vector3<f64>>,
    edge_normals: EdgeNormals,
    /// Running sum of face areas, square metres.
    area_sums: Vec<f64>,
}

impl Surface {
    /// Build the search structure; vertices are welded and degenerate faces dropped first.
    ///
    /// # Errors
    /// Meshes with non-finite vertices, indices out of range or without area.
    pub fn new(mesh: &TriMesh) -> Result<Surface, ObjectError> {
        let mesh = cleaned(mesh)?;
        let empty =
            || ObjectError::Empty { vertices: mesh.vertices.len(), faces: mesh.faces.len() };
        let tree = ParryMesh::new(mesh.vertices.iter().map(to_parry).collect(), mesh.faces.clone())
            .map_err(|_| empty())?;
        let winding = Winding::new(&mesh);
        let (vertex_normals, edge_normals) = pseudo_normals(&mesh);
        let mut sum = 0.0;
        let area_sums = (0..mesh.faces.len())
            .map(|f| {
                sum += mesh.face_cross(f).norm() / 2.0;
                sum
            })
            .collect();
        // Signed volume about the centroid of the surface: negative when the faces look inwards. An open sheet has
        // a sign too, that of the side it bulges to.
        let middle = mesh.vertices.iter().map(|v| v.coords).sum::<Vector3<f64>>()
            / mesh.vertices.len() as f64;
        let volume: f64 = (0..mesh.faces.len())
            .map(|f| mesh.face_cross(f).dot(&(mesh.triangle(f)[0].coords - middle)))
            .sum();
        let orientation = if volume < 0.0 { -1.0 } else { 1.0 };
        let open = boundary_edges(&mesh) > 0;
        let mut surface = Surface {
            mesh,
            tree,
            winding,
            orientation,
            reachable: None,
            vertex_normals,
            edge_normals,
            area_sums,
        };
        if open && let Some((lo, hi)) = surface.mesh.bounds() {
            let size = diagonal(&surface.mesh);
            let probe = 0.02 * size;
            let field = Field::new(
                |p, cap| surface.distance_up_to(p, cap),
                (lo, hi),
                size / 60.0,
                probe,
                probe,
            );
            surface.reachable = Some(field);
        }
        Ok(surface)
    }

    /// The welded mesh the queries run on.
    pub fn mesh(&self) -> &TriMesh {
        &self.mesh
    }

    /// True if some edge has a single face.
    pub fn is_open(&self) -> bool {
        self.reachable.is_some()
    }

    /// Total area, square metres.
    pub fn area(&self) -> f64 {
        self.area_sums.last().copied().unwrap_or(0.0)
    }

    /// The surface point closest to a (finite) point, with the outward normal.
    ///
    /// On edges and vertices the normal is the angle-weighted pseudo-normal (Baerentzen and Aanaes 2005), whose
    /// sign tells the sides apart even at sharp features. "Outward" follows the winding of the faces, turned round as a
    /// whole if they enclose a negative volume.
    pub fn closest(&self, point_in_object: &Point3<f64>) -> SurfacePoint {
        let (projection, (face, location)) =
            self.tree.project_local_point_and_get_location(to_parry(point_in_object), false);
        let point = from_parry(projection.point);
        let normal = self.feature_normal(face as usize, location) * self.orientation;
        SurfacePoint { point, normal, distance: (point - point_in_object).norm() }
    }

    /// As [`Surface::closest`], with the normal turned towards the query point: for sheets without a thickness,
    /// which have no outside, and scans with mixed winding.
    pub fn closest_facing(&self, point_in_object: &Point3<f64>) -> SurfacePoint {
        let mut found = self.closest(point_in_object);
        if found.normal.dot(&(point_in_object - found.point)) < 0.0 {
            found.normal = -found.normal;
        }
        found
    }

    /// Distance to the surface, negative inside (see [`Surface`] for what is inside an open mesh), metres.
    pub fn signed_distance(&self, point_in_object: &Point3<f64>) -> f64 {
        let distance = self.tree.distance_to_local_point(to_parry(point_in_object), false);
        if self.contains(point_in_object) { -distance } else { distance }
    }

    /// True if the point is inside the object's material.
    pub fn contains(&self, point_in_object: &Point3<f64>) -> bool {
        // Half-way between one and zero is the best cut for soup and small holes (Jacobson et al. 2013).
        let inside = self.winding.at(point_in_object) * self.orientation > 0.5;
        inside && self.reachable.as_ref().is_none_or(|field| !field.reachable(point_in_object))
    }

    /// Unsigned distance, or `cap` where it is larger; much cheaper far away than an exact distance.
    pub(crate) fn distance_up_to(&self, p: &Point3<f64>, cap: f64) -> f64 {
        let query = to_parry(p);
        match self.tree.project_local_point_with_max_dist(query, false, cap) {
            Some(projection) => (projection.point - query).length(),
            None => cap,
        }
    }

    /// `n` points spread evenly over the area, with outward face normals and distance zero.
    ///
    /// Systematic sampling along the running area, low-discrepancy inside each face (the R2 sequence): far more even than
    /// independent draws. The same `seed` gives the same points on every machine.
    pub fn sample(&self, n: usize, seed: u64) -> Vec<SurfacePoint> {
        // Reciprocals of the plastic number and its square, the R2 sequence.
        const STEPS: [f64; 2] = [0.754_877_666_246_692_7, 0.569_840_290_998_053_3];
        let mut state = seed;
        let offsets = [(); 3].map(|()| split_mix(&mut state));
        (0..n)
            .map(|i| {
                let along = (i as f64 + offsets[0]) / n as f64 * self.area();
                let face = self
                    .area_sums
                    .partition_point(|&sum| sum <= along)
                    .min(self.mesh.faces.len() - 1);
                let mut u = (offsets[1] + i as f64 * STEPS[0]).fract();
                let mut v = (offsets[2] + i as f64 * STEPS[1]).fract();
                if u + v > 1.0 {
                    (u, v) = (1.0 - u, 1.0 - v);
                }
                let [a, b, c] = self.mesh.triangle(face);
                let normal = unit(self.mesh.face_cross(face)) * self.orientation;
                SurfacePoint { point: a + (b - a) * u + (c - a) * v, normal, distance: 0.0 }
            })
            .collect()
    }

    fn feature_normal(&self, face: usize, location: TrianglePointLocation) -> Vector3<f64> {
        let corners = self.mesh.faces[face];
        match location {
            TrianglePointLocation::OnVertex(i) => {
                self.vertex_normals[corners[i as usize % 3] as usize]
            }
            TrianglePointLocation::OnEdge(i, _) => {
                let [i, j] = [[0, 1], [1, 2], [0, 2]][i as usize % 3].map(|k: usize| corners[k]);
                self.edge_normals[&[i.min(j), i.max(j)]]
            }
            _ => unit(self.mesh.face_cross(face)),
        }
    }
}

/// Normalised, or +z for a zero vector (the two sides of a folded sheet).
fn unit(v: Vector3<f64>) -> Vector3<f64> {
    v.try_normalize(0.0).unwrap_or_else(Vector3::z)
}

/// Pseudo-normal of each edge, by its two vertices in ascending order.
type EdgeNormals = HashMap<[u32; 2], Vector3<f64>>;

/// Angle-weighted vertex normals and summed edge normals, unit length.
fn pseudo_normals(mesh: &TriMesh) -> (Vec<Vector3<f64>>, EdgeNormals) {
    let mut at_vertex = vec![Vector3::zeros(); mesh.vertices.len()];
    let mut at_edge = EdgeNormals::with_capacity(mesh.faces.len() * 2);
    for (face, corners) in mesh.faces.iter().enumerate() {
        let normal = unit(mesh.face_cross(face));
        let points = mesh.triangle(face);
        for k in 0..3 {
            let (next, last) = ((k + 1) % 3, (k + 2) % 3);
            at_vertex[corners[k] as usize] +=
                normal * (points[next] - points[k]).angle(&(points[last] - points[k]));
            let (i, j) = (corners[k], corners[next]);
            *at_edge.entry([i.min(j), i.max(j)]).or_insert_with(Vector3::zeros) += normal;
        }
    }
    at_vertex.iter_mut().for_each(|n| *n = unit(*n));
    at_edge.values_mut().for_each(|n| *n = unit(*n));
    (at_vertex, at_edge)
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014) as a number in `0..1`.
fn split_mix(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests;
