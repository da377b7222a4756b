//! Points on the surfaces of a scene's objects, as point-cloud policies see them.

use dextra_core::mesh::TriMesh;
use dextra_data::dataset::Feature;
use dextra_sim::scene::exported::Exported;
use nalgebra::Point3;

/// Name of the feature, as DP3 looks for it.
pub const NAME: &str = "point_cloud";

/// Points that stay where they are on the objects.
pub struct Cloud {
    /// Body of the scene, and the point in its frame.
    points: Vec<(usize, Point3<f64>)>,
}

impl Cloud {
    /// `count` points, spread over all surfaces in proportion to area; `None` in a scene without objects. The
    /// same scene has the same points.
    pub fn of(scene: &Exported, count: usize) -> Option<Cloud> {
        let shapes = scene.shapes();
        let objects = shapes.iter().filter(|shape| shape.body.starts_with("object/"));
        let meshes: Vec<(usize, &TriMesh)> =
            objects.map(|shape| (shape.index, &shape.mesh)).collect();
        let points = spread(&meshes, count);
        (!points.is_empty()).then_some(Cloud { points })
    }

    /// What its numbers are called.
    pub fn feature(count: usize) -> Feature {
        let name = |index: usize| ["x", "y", "z"].map(|axis| format!("point_{index}_{axis}_m"));
        Feature { axes: vec![count, 3], ..Feature::new(NAME, (0..count).flat_map(name).collect()) }
    }

    /// The points in the world in the state `qpos` of the scene they were made of, `[count * 3]`.
    pub fn at(&self, scene: &Exported, qpos: &[f64]) -> Vec<f32> {
        let places = scene.world_from_bodies(qpos);
        let world = self.points.iter().map(|(body, point)| places[*body] * point);
        world.flat_map(|point| [point.x, point.y, point.z].map(|x| x as f32)).collect()
    }
}

/// Body and point in its frame: points at equal steps of area, within a face by a sequence that leaves no gaps (Roberts's R2).
pub fn spread(meshes: &[(usize, &TriMesh)], count: usize) -> Vec<(usize, Point3<f64>)> {
    let faces: Vec<(usize, [Point3<f64>; 3])> = meshes
        .iter()
        .flat_map(|(body, mesh)| (0..mesh.faces.len()).map(|face| (*body, mesh.triangle(face))))
        .collect();
    let area = |[a, b, c]: &[Point3<f64>; 3]| (b - a).cross(&(c - a)).norm() / 2.0;
    let total: f64 = faces.iter().map(|(_, face)| area(face)).sum();
    if total <= 0.0 || !total.is_finite() {
        return Vec::new();
    }
    let (mut points, mut sum) = (Vec::with_capacity(count), 0.0);
    for (body, face) in &faces {
        sum += area(face);
        while points.len() < count && (points.len() as f64 + 0.5) * total / count as f64 <= sum {
            let index = points.len() as f64;
            let (u, v) = ((index * 0.754_877_666_2).fract(), (index * 0.569_840_290_9).fract());
            let (u, v) = if u + v > 1.0 { (1.0 - u, 1.0 - v) } else { (u, v) };
            let [a, b, c] = face;
            points.push((*body, a + (b - a) * u + (c - a) * v));
        }
    }
    // The last one may be missing where the sum was rounded.
    points.extend(faces.last().map(|(body, [a, ..])| (*body, *a)).filter(|_| points.len() < count));
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_on_the_faces_and_as_many_as_their_area_says() {
        let corners = [[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]];
        let mesh = |faces: Vec<[u32; 3]>| TriMesh {
            vertices: corners.iter().map(|&corner| Point3::from(corner)).collect(),
            faces,
        };
        // Areas of 4.5, 1.5 and nothing.
        let (large, small) = (mesh(vec![[0, 1, 2]]), mesh(vec![[0, 0, 1], [0, 3, 1]]));
        let points = spread(&[(4, &large), (7, &small)], 400);
        assert_eq!(points.len(), 400);
        let of = |body: usize| points.iter().filter(move |(b, _)| *b == body).map(|(_, p)| p);
        assert_eq!((of(4).count(), of(7).count()), (300, 100));
        assert!(of(4).all(|p| p.z == 0.0 && p.x >= 0.0 && p.y >= 0.0 && p.x + p.y <= 3.0 + 1e-12));
        assert!(of(7).all(|p| p.y == 0.0 && p.x / 3.0 + p.z <= 1.0 + 1e-12));
        let centre = of(4).map(|p| p.coords).sum::<nalgebra::Vector3<f64>>() / 300.0;
        assert!((centre - nalgebra::Vector3::new(1.0, 1.0, 0.0)).norm() < 0.02, "{centre}");
        assert!(spread(&[], 5).is_empty() && spread(&[(1, &mesh(vec![[0, 0, 0]]))], 5).is_empty());
    }
}
