//! Convex hulls with a least thickness and a vertex budget.

use dextra_core::TriMesh;
use nalgebra::{Matrix3, Point3, SymmetricEigen, Vector3};
use parry3d_f64::transformation::try_convex_hull;

use super::surface::{from_parry, to_parry};

/// A closed convex polyhedron: its mesh and the half-spaces `normal · x <= offset` it is the meet of.
#[derive(Clone)]
pub(crate) struct Hull {
    pub(crate) mesh: TriMesh,
    pub(crate) planes: Vec<(Vector3<f64>, f64)>,
    pub(crate) volume: f64,
    pub(crate) lo: Point3<f64>,
    pub(crate) hi: Point3<f64>,
}

impl Hull {
    /// Hull of a non-empty point set, thickened to at least `min_thickness` metres in every direction so that it
    /// has a volume (a physics engine refuses flat hulls).
    pub(crate) fn of(points: &[Point3<f64>], min_thickness: f64) -> Hull {
        let axes = principal_axes(points);
        let mut points = points.to_vec();
        for axis in axes {
            thicken(&mut points, &axis, min_thickness);
        }
        let mut hull = Hull::raw(&points, &axes);
        // The thinnest direction of a polytope need not be a principal one: check every facet too.
        for _ in 0..3 {
            let thinnest = hull
                .planes
                .iter()
                .map(|(n, offset)| (n, offset - lowest(&hull.mesh.vertices, n)))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            match thinnest {
                Some((n, width)) if width < 0.999 * min_thickness => {
                    let n = *n;
                    let mut vertices = std::mem::take(&mut hull.mesh.vertices);
                    thicken(&mut vertices, &n, min_thickness);
                    hull = Hull::raw(&vertices, &axes);
                }
                _ => break,
            }
        }
        hull
    }

    /// Quickhull, then the same on points merged to a grid, then the oriented bounding box: the incremental
    /// algorithm can fail on nearly coplanar points, and a box is always a valid answer.
    fn raw(points: &[Point3<f64>], axes: &[Vector3<f64>; 3]) -> Hull {
        let (lo, hi) = bounds(points);
        let size = (hi - lo).norm().max(1e-9);
        let attempt = |points: &[Point3<f64>]| {
            let input: Vec<_> = points.iter().map(to_parry).collect();
            let (vertices, faces) = try_convex_hull(&input).ok()?;
            let mesh = TriMesh { vertices: vertices.into_iter().map(from_parry).collect(), faces };
            let hull = Hull::from_convex(mesh)?;
            hull.reaches(points, 1e-4 * size).then_some(hull)
        };
        attempt(points)
            .or_else(|| {
                let grid = size * 1e-4;
                let mut merged: Vec<_> =
                    points.iter().map(|p| p.map(|c| (c / grid).round() * grid)).collect();
                merged.sort_by(|a, b| {
                    a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)).then(a.z.total_cmp(&b.z))
                });
                merged.dedup();
                attempt(&merged)
            })
            .unwrap_or_else(|| bounding_box(points, axes))
    }

    /// Planes, bounds and volume of a closed convex mesh wound outwards; `None` if it is not one.
    fn from_convex(mesh: TriMesh) -> Option<Hull> {
        let (lo, hi) = mesh.bounds()?;
        let centre = nalgebra::center(&lo, &hi);
        let mut planes = Vec::with_capacity(mesh.faces.len());
        let mut volume = 0.0;
        for face in 0..mesh.faces.len() {
            let [a, ..] = mesh.triangle(face);
            let cross = mesh.face_cross(face);
            volume += cross.dot(&(a - centre)) / 6.0;
            if let Some(n) = cross.try_normalize(1e-16) {
                // The normal of a sliver facet is mostly rounding: with the support of all vertices as its offset it is
                // still a true, if loose, half-space, where the facet's own offset would cut the hull in two.
                planes.push((n, -lowest(&mesh.vertices, &-n)));
            }
        }
        let euler = mesh.vertices.len() as i64 - mesh.faces.len() as i64 / 2;
        (volume > 0.0 && planes.len() >= 4 && euler == 2).then_some(Hull {
            mesh,
            planes,
            volume,
            lo,
            hi,
        })
    }

    /// True if no point sticks out by more than `slack` in any of 26 directions: a cheap check of a finished hull.
    fn reaches(&self, points: &[Point3<f64>], slack: f64) -> bool {
        (0..27).filter(|&code| code != 13).all(|code| {
            let sign = |power: u32| f64::from(code / 3i32.pow(power) % 3 - 1);
            let direction = Vector3::new(sign(0), sign(1), sign(2)).normalize();
            lowest(points, &direction) >= lowest(&self.mesh.vertices, &direction) - slack
        })
    }

    /// Largest plane violation at `p`: positive outside (a lower bound of the distance), negative inside.
    pub(crate) fn depth_outside(&self, p: &Point3<f64>) -> f64 {
        self.planes.iter().map(|(n, offset)| n.dot(&p.coords) - offset).fold(f64::MIN, f64::max)
    }

    /// A hull inside this one with at most `max_vertices` vertices: extreme points first, then always the vertex
    /// farthest from what is there, until all are within `tolerance` metres.
    pub(crate) fn simplified(
        &self,
        max_vertices: usize,
        tolerance: f64,
        min_thickness: f64,
    ) -> Hull {
        if self.mesh.vertices.len() <= max_vertices {
            return self.clone();
        }
        let vertices = &self.mesh.vertices;
        let [a, b, c] = principal_axes(vertices);
        // The object's own axes too: objects are modelled standing upright, and must rest at the same height.
        let axes = [a, b, c, Vector3::x(), Vector3::y(), Vector3::z()];
        let mut budget = max_vertices;
        loop {
            let mut chosen: Vec<usize> = Vec::new();
            let choose = |chosen: &mut Vec<usize>, index: usize| {
                if !chosen.contains(&index) {
                    chosen.push(index);
                }
            };
            for axis in axes {
                for direction in [axis, -axis] {
                    choose(&mut chosen, extreme(vertices, &direction));
                }
            }
            let mut hull = Hull::of(&pick(vertices, &chosen), min_thickness);
            while chosen.len() < budget {
                let farthest = (0..vertices.len())
                    .map(|i| (i, hull.depth_outside(&vertices[i])))
                    .fold((0, f64::MIN), |best, next| if next.1 > best.1 { next } else { best });
                if farthest.1 <= tolerance || chosen.contains(&farthest.0) {
                    break;
                }
                chosen.push(farthest.0);
                hull = Hull::of(&pick(vertices, &chosen), min_thickness);
            }
            // Thickening may add vertices: spend fewer next time.
            if hull.mesh.vertices.len() <= max_vertices || budget <= 12 {
                return hull;
            }
            budget -= 2;
        }
    }

    /// This hull scaled about its middle to the volume of `full`, from which it was simplified, but not beyond the
    /// bounding box of `full`: a ball with few vertices lies inside the ball by up to 10 % of its radius, while
    /// what an object rests on must stay where it is.
    pub(crate) fn refilled(&self, full: &Hull, min_thickness: f64) -> Hull {
        let mut hull = self.clone();
        // The box takes back some of each scaling, hence the repeats.
        for _ in 0..4 {
            let scale = (full.volume / hull.volume).cbrt();
            if !(scale > 1.002 && scale < 1.2) {
                break;
            }
            let middle = nalgebra::center(&hull.lo, &hull.hi);
            let grow =
                |v: &Point3<f64>| (middle + (v - middle) * scale).sup(&full.lo).inf(&full.hi);
            let grown: Vec<_> = hull.mesh.vertices.iter().map(grow).collect();
            let next = Hull::of(&grown, min_thickness);
            if next.mesh.vertices.len() > self.mesh.vertices.len() {
                break;
            }
            hull = next;
        }
        hull
    }

    /// True if the bounding boxes, grown by `margin`, overlap.
    pub(crate) fn near(&self, other: &Hull, margin: f64) -> bool {
        (0..3).all(|k| self.lo[k] - margin <= other.hi[k] && other.lo[k] - margin <= self.hi[k])
    }
}

fn pick(vertices: &[Point3<f64>], chosen: &[usize]) -> Vec<Point3<f64>> {
    chosen.iter().map(|&i| vertices[i]).collect()
}

fn extreme(points: &[Point3<f64>], direction: &Vector3<f64>) -> usize {
    let mut best = (0, f64::MIN);
    for (i, p) in points.iter().enumerate() {
        let along = direction.dot(&p.coords);
        if along > best.1 {
            best = (i, along);
        }
    }
    best.0
}

fn lowest(points: &[Point3<f64>], direction: &Vector3<f64>) -> f64 {
    points.iter().map(|p| direction.dot(&p.coords)).fold(f64::MAX, f64::min)
}

pub(crate) fn bounds(points: &[Point3<f64>]) -> (Point3<f64>, Point3<f64>) {
    let first = points.first().copied().unwrap_or_default();
    points.iter().fold((first, first), |(lo, hi), p| (lo.inf(p), hi.sup(p)))
}

/// Principal axes of a point set, an orthonormal triple.
pub(crate) fn principal_axes(points: &[Point3<f64>]) -> [Vector3<f64>; 3] {
    let n = points.len().max(1) as f64;
    let mean = points.iter().map(|p| p.coords).sum::<Vector3<f64>>() / n;
    let covariance: Matrix3<f64> =
        points.iter().map(|p| (p.coords - mean) * (p.coords - mean).transpose()).sum();
    let scale = covariance.norm();
    if scale == 0.0 {
        return [Vector3::x(), Vector3::y(), Vector3::z()];
    }
    let vectors = SymmetricEigen::new(covariance / scale).eigenvectors;
    [vectors.column(0).into(), vectors.column(1).into(), vectors.column(2).into()]
}

/// Offset every point to both sides along `axis` if the set is thinner than `thickness` there.
fn thicken(points: &mut Vec<Point3<f64>>, axis: &Vector3<f64>, thickness: f64) {
    let low = lowest(points, axis);
    let high = -lowest(points, &-axis);
    let missing = thickness - (high - low);
    if missing > 0.0 {
        let shift = axis * (missing / 2.0);
        let below: Vec<_> = points.iter().map(|p| p - shift).collect();
        points.iter_mut().for_each(|p| *p += shift);
        points.extend(below);
    }
}

fn bounding_box(points: &[Point3<f64>], axes: &[Vector3<f64>; 3]) -> Hull {
    let spans = axes.map(|axis| (lowest(points, &axis), -lowest(points, &-axis)));
    let corner = |i: usize| {
        let along = |k: usize| axes[k] * if i >> k & 1 == 0 { spans[k].0 } else { spans[k].1 };
        Point3::from(along(0) + along(1) + along(2))
    };
    let mut faces = vec![
        [0, 2, 3],
        [0, 3, 1],
        [4, 5, 7],
        [4, 7, 6],
        [0, 1, 5],
        [0, 5, 4],
        [2, 6, 7],
        [2, 7, 3],
        [0, 4, 6],
        [0, 6, 2],
        [1, 3, 7],
        [1, 7, 5],
    ];
    if axes[0].cross(&axes[1]).dot(&axes[2]) < 0.0 {
        faces.iter_mut().for_each(|f| f.swap(1, 2));
    }
    let mesh = TriMesh { vertices: (0..8).map(corner).collect(), faces };
    let (lo, hi) = bounds(&mesh.vertices);
    let planes = axes
        .iter()
        .zip(spans)
        .flat_map(|(axis, (low, high))| [(*axis, high), (-axis, -low)])
        .collect();
    let volume = spans.iter().map(|(low, high)| high - low).product();
    Hull { mesh, planes, volume, lo, hi }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::shapes;

    fn is_closed_and_outward(mesh: &TriMesh) -> bool {
        let volume: f64 = (0..mesh.faces.len())
            .map(|f| mesh.face_cross(f).dot(&mesh.triangle(f)[0].coords) / 6.0)
            .sum();
        super::super::clean::boundary_edges(mesh) == 0 && volume > 0.0
    }

    #[test]
    fn flat_and_linear_point_sets_become_full_hulls() {
        let square: Vec<_> = [(0.0, 0.0), (0.03, 0.0), (0.03, 0.03), (0.0, 0.03)]
            .map(|(x, y)| Point3::new(x, y, 0.01))
            .to_vec();
        let hull = Hull::of(&square, 0.002);
        assert!((hull.volume - 0.03 * 0.03 * 0.002).abs() < 1e-9, "volume {}", hull.volume);
        assert!(is_closed_and_outward(&hull.mesh));
        let line: Vec<_> = (0..5).map(|i| Point3::new(0.01 * i as f64, 0.0, 0.0)).collect();
        assert!((Hull::of(&line, 0.002).volume - 0.04 * 0.002 * 0.002).abs() < 1e-9);
        assert!(Hull::of(&[Point3::origin()], 0.002).volume > 7.9e-9);
    }

    #[test]
    fn fallback_box_encloses_its_points_and_faces_outwards() {
        let ball = shapes::sphere(0.02, 12);
        let hull = bounding_box(&ball.vertices, &principal_axes(&ball.vertices));
        assert!(is_closed_and_outward(&hull.mesh));
        assert!(ball.vertices.iter().all(|p| hull.depth_outside(p) <= 1e-12));
    }

    #[test]
    fn simplified_sphere_fits_the_budget_and_stays_close() {
        let ball = Hull::of(&shapes::sphere(0.03, 40).vertices, 0.002);
        let small = ball.simplified(32, 1e-4, 0.002);
        assert!(small.mesh.vertices.len() <= 32 && is_closed_and_outward(&small.mesh));
        let worst = ball.mesh.vertices.iter().map(|p| small.depth_outside(p)).fold(0.0, f64::max);
        assert!(worst < 0.0042, "worst {worst}");
        let refilled = small.refilled(&ball, 0.002);
        let worst =
            ball.mesh.vertices.iter().map(|p| refilled.depth_outside(p)).fold(0.0, f64::max);
        assert!(worst < 0.0030, "worst after scaling {worst}");
        assert!((refilled.lo - ball.lo).amax() < 1e-9 && (refilled.hi - ball.hi).amax() < 1e-9);
        let ratio = refilled.volume / ball.volume;
        assert!((ratio - 1.0).abs() < 0.02, "volume ratio {ratio}");
    }
}
