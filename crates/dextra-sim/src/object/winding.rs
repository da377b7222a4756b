//! Generalised winding number of a triangle mesh.
//!
//! Jacobson et al., "Robust inside-outside segmentation using generalized winding numbers" (2013), with the
//! far-field dipole of Barill et al., "Fast winding numbers for soups and clouds" (2018).

use std::f64::consts::PI;

use dextra_core::TriMesh;
use nalgebra::{Point3, Vector3};

/// Nodes farther than this many radii are replaced by their dipole (beta of Barill et al., section 4; larger than
/// their 2 because in the cavity of a thin-walled vessel the errors of many nodes add up).
const FAR_RADII: f64 = 4.0;
/// Triangles in a leaf.
const LEAF: usize = 8;

struct Node {
    centre: Point3<f64>,
    radius: f64,
    /// Sum of the area vectors below this node.
    dipole: Vector3<f64>,
    /// Range in `triangles`.
    range: [usize; 2],
    /// Children, or `None` in a leaf.
    children: Option<[usize; 2]>,
}

/// Bounding-volume tree that answers winding-number queries in about `O(log faces)`.
pub(crate) struct Winding {
    triangles: Vec<[Point3<f64>; 3]>,
    nodes: Vec<Node>,
}

impl Winding {
    pub(crate) fn new(mesh: &TriMesh) -> Self {
        let mut tree = Winding {
            triangles: (0..mesh.faces.len()).map(|f| mesh.triangle(f)).collect(),
            nodes: Vec::new(),
        };
        let all = tree.triangles.len();
        if all > 0 {
            tree.build(0, all);
        }
        tree
    }

    fn build(&mut self, first: usize, last: usize) -> usize {
        let centroid = |t: &[Point3<f64>; 3]| (t[0].coords + t[1].coords + t[2].coords) / 3.0;
        let part = &mut self.triangles[first..last];
        let (mut dipole, mut weighted, mut area) = (Vector3::zeros(), Vector3::zeros(), 0.0);
        let (mut lo, mut hi) = (Vector3::repeat(f64::MAX), Vector3::repeat(f64::MIN));
        for t in part.iter() {
            let vector = (t[1] - t[0]).cross(&(t[2] - t[0])) / 2.0;
            let c = centroid(t);
            dipole += vector;
            weighted += c * vector.norm();
            area += vector.norm();
            (lo, hi) = (lo.inf(&c), hi.sup(&c));
        }
        let centre = Point3::from(if area > 0.0 { weighted / area } else { (lo + hi) / 2.0 });
        let radius = part.iter().flatten().map(|p| (p - centre).norm()).fold(0.0, f64::max);
        let index = self.nodes.len();
        self.nodes.push(Node { centre, radius, dipole, range: [first, last], children: None });
        if last - first > LEAF {
            let axis = (hi - lo).imax();
            let half = (last - first) / 2;
            part.select_nth_unstable_by(half, |a, b| {
                centroid(a)[axis].total_cmp(&centroid(b)[axis])
            });
            let left = self.build(first, first + half);
            let right = self.build(first + half, last);
            self.nodes[index].children = Some([left, right]);
        }
        index
    }

    /// Signed winding number at `p`: 1 inside and 0 outside a closed mesh wound outwards.
    pub(crate) fn at(&self, p: &Point3<f64>) -> f64 {
        if self.nodes.is_empty() { 0.0 } else { self.node(0, p) / (4.0 * PI) }
    }

    fn node(&self, index: usize, p: &Point3<f64>) -> f64 {
        let node = &self.nodes[index];
        let offset = node.centre - p;
        let distance = offset.norm();
        if distance > FAR_RADII * node.radius {
            return node.dipole.dot(&offset) / distance.powi(3);
        }
        match node.children {
            Some([left, right]) => self.node(left, p) + self.node(right, p),
            None => {
                self.triangles[node.range[0]..node.range[1]].iter().map(|t| solid_angle(t, p)).sum()
            }
        }
    }
}

/// Signed solid angle of a triangle seen from `p` (Van Oosterom and Strackee 1983, equation 8).
fn solid_angle(triangle: &[Point3<f64>; 3], p: &Point3<f64>) -> f64 {
    let [a, b, c] = triangle.map(|v| v - p);
    let (na, nb, nc) = (a.norm(), b.norm(), c.norm());
    let numerator = a.dot(&b.cross(&c));
    let denominator = na * nb * nc + a.dot(&b) * nc + b.dot(&c) * na + c.dot(&a) * nb;
    2.0 * numerator.atan2(denominator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::shapes;

    #[test]
    fn far_field_agrees_with_the_exact_sum() {
        let mug = shapes::mug();
        let tree = Winding::new(&mug);
        for i in 0..200 {
            let t = i as f64;
            let p = Point3::new(
                0.08 * (t * 1.3).sin(),
                0.06 * (t * 0.7).cos(),
                0.05 + 0.07 * (t * 0.31).sin(),
            );
            let exact: f64 =
                (0..mug.faces.len()).map(|f| solid_angle(&mug.triangle(f), &p)).sum::<f64>()
                    / (4.0 * PI);
            assert!((tree.at(&p) - exact).abs() < 0.05, "{p}: {} against {exact}", tree.at(&p));
        }
    }

    #[test]
    fn closed_box_is_one_inside_and_zero_outside() {
        let tree = Winding::new(&shapes::cuboid(0.1, 0.06, 0.04));
        assert!((tree.at(&Point3::new(0.045, 0.0, 0.015)) - 1.0).abs() < 1e-9);
        assert!(tree.at(&Point3::new(0.055, 0.0, 0.0)).abs() < 0.02);
    }
}
