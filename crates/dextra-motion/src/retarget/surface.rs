//! [`SurfaceQuery`] for the surfaces of `dextra-sim`.

use super::SurfaceQuery;
use dextra_sim::object::Surface;
use nalgebra::{Point3, Vector3};

impl SurfaceQuery for Surface {
    /// The side of a closed mesh is read off its pseudo-normal. An open mesh is asked for its
    /// material: outside it, the normal points to the query from either side of a sheet.
    fn closest(&self, p: &Point3<f64>) -> (Point3<f64>, Vector3<f64>, f64) {
        if self.is_open() && !self.contains(p) {
            let found = self.closest_facing(p);
            return (found.point, found.normal, found.distance);
        }
        let found = Surface::closest(self, p);
        let inside = self.is_open() || found.normal.dot(&(p - found.point)) < 0.0;
        let sign = if inside { -1.0 } else { 1.0 };
        (found.point, found.normal, sign * found.distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dextra_core::TriMesh;

    /// A cube of side 2 about the origin, with or without its top.
    fn cube(closed: bool) -> Surface {
        let vertices = (0..8).map(|i| {
            let side = |bit: usize| if i >> bit & 1 == 1 { 1.0 } else { -1.0 };
            Point3::new(side(0), side(1), side(2))
        });
        let quads =
            [[0, 2, 3, 1], [0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6], [4, 5, 7, 6]];
        let quads = &quads[..if closed { 6 } else { 5 }];
        let faces = quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]);
        let mesh = TriMesh { vertices: vertices.collect(), faces: faces.collect() };
        Surface::new(&mesh).unwrap()
    }

    #[test]
    fn closed_mesh_has_signed_distance_and_outward_normals() {
        let cube = cube(true);
        let query = |p: [f64; 3]| SurfaceQuery::closest(&cube, &Point3::from(p));
        let (at, normal, distance) = query([1.5, 0.2, 0.1]);
        assert!((at - Point3::new(1.0, 0.2, 0.1)).norm() < 1e-12 && (distance - 0.5).abs() < 1e-12);
        assert!((normal - Vector3::x()).norm() < 1e-12);
        let (_, normal, distance) = query([0.7, 0.2, 0.1]);
        assert!((distance + 0.3).abs() < 1e-12 && (normal - Vector3::x()).norm() < 1e-12);
        // Nearest to a corner, still outside.
        assert!((query([2.0, 2.0, 2.0]).2 - 3f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn hollow_of_an_open_box_is_outside_and_its_walls_face_inwards() {
        let (_, normal, distance) =
            SurfaceQuery::closest(&cube(false), &Point3::new(0.8, 0.0, 0.5));
        assert!((distance - 0.2).abs() < 1e-12, "{distance}");
        assert!((normal + Vector3::x()).norm() < 1e-9, "{normal}");
    }
}
