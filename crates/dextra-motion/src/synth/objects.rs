//! The objects of the synthetic clips: each as a signed distance and as a closed mesh.
//!
//! The distance drives the search for the human grasp; the mesh goes into the demonstration.

use dextra_core::TriMesh;
use nalgebra::{Point3, Vector2, Vector3};

/// Segments of a full turn in every mesh.
const SEGMENTS: u32 = 48;
/// Segments round the tube of a handle.
const TUBE_SEGMENTS: u32 = 16;
/// Longest edge along the profile of a surface of revolution, metres.
const MAX_PROFILE_EDGE: f64 = 0.02;

/// A solid in its own frame, origin at the middle of its height, z up; lengths in metres.
#[derive(Clone, Debug, PartialEq)]
pub enum Solid {
    /// A box.
    Cuboid {
        /// Half of each side.
        half: Vector3<f64>,
    },
    /// An upright cylinder.
    Cylinder {
        /// Radius.
        radius: f64,
        /// Half of the height.
        half_height: f64,
    },
    /// An open cup with a handle on its +x side.
    Mug(Mug),
    /// Boxes that touch or overlap.
    Blocks(Vec<Block>),
}

/// A box of a solid of several, its sides along the axes; metres.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its middle.
    pub center: Point3<f64>,
    /// Half of each side.
    pub half: Vector3<f64>,
}

/// Measures of a mug, metres.
#[derive(Clone, Debug, PartialEq)]
pub struct Mug {
    /// Outer radius of the cup.
    pub radius: f64,
    /// Half of the height of the cup.
    pub half_height: f64,
    /// Thickness of wall and bottom.
    pub wall: f64,
    /// Radius of the handle's tube.
    pub tube: f64,
    /// Clear width of the opening between cup and handle.
    pub opening_width: f64,
    /// Clear height of the opening.
    pub opening_height: f64,
    /// Radius of the bends of the tube's centre line.
    pub bend: f64,
}

impl Mug {
    /// x of the centre line of the handle's upright bar, metres.
    pub fn bar_x(&self) -> f64 {
        self.radius + self.opening_width + self.tube
    }

    /// Signed distance to the handle, metres. It is symmetric in z, so one straight, one bend and
    /// one half of the bar are enough.
    fn handle_distance(&self, p: &Point3<f64>) -> f64 {
        let top = self.opening_height / 2.0 + self.tube;
        let (bend_x, bend_z) = (self.bar_x() - self.bend, top - self.bend);
        let (x, z) = (p.x - bend_x, p.z.abs() - bend_z);
        let in_plane = if x > 0.0 && z > 0.0 {
            (x.hypot(z) - self.bend).abs()
        } else {
            let start = self.radius - self.wall / 2.0 - bend_x;
            let straight = (x - x.clamp(start, 0.0)).hypot(z - self.bend);
            let bar = (x - self.bend).hypot(z.max(0.0));
            straight.min(bar)
        };
        in_plane.hypot(p.y) - self.tube
    }

    /// The centre line of the handle in the plane y = 0, from the cup's wall (above) round to the
    /// wall again (below).
    fn handle_line(&self) -> Vec<Point3<f64>> {
        let top = self.opening_height / 2.0 + self.tube;
        let bend_x = self.bar_x() - self.bend;
        let bend_z = top - self.bend;
        let mut upper = vec![Point3::new(self.radius - self.wall / 2.0, 0.0, top)];
        for step in 0..=6 {
            let (sin, cos) = (std::f64::consts::FRAC_PI_2 * step as f64 / 6.0).sin_cos();
            upper.push(Point3::new(bend_x + self.bend * sin, 0.0, bend_z + self.bend * cos));
        }
        let lower: Vec<_> = upper.iter().rev().map(|p| Point3::new(p.x, 0.0, -p.z)).collect();
        upper.extend(lower);
        upper
    }
}

impl Solid {
    /// Signed distance to the surface, metres; negative inside. Exact outside.
    pub fn distance(&self, p: &Point3<f64>) -> f64 {
        match self {
            Solid::Cuboid { half } => box_distance(p.coords, half),
            Solid::Blocks(blocks) => blocks
                .iter()
                .map(|block| box_distance(p - block.center, &block.half))
                .fold(f64::INFINITY, f64::min),
            Solid::Cylinder { radius, half_height } => {
                rectangle_distance(p, 0.0, *radius, -half_height, *half_height)
            }
            Solid::Mug(mug) => {
                let (r, h) = (mug.radius, mug.half_height);
                let wall = rectangle_distance(p, r - mug.wall, r, -h, h);
                let bottom = rectangle_distance(p, 0.0, r, -h, mug.wall - h);
                let handle = mug.handle_distance(p);
                wall.min(bottom).min(handle)
            }
        }
    }

    /// Outward unit normal of the surface nearest to `p`, by central differences.
    pub fn normal(&self, p: &Point3<f64>) -> Vector3<f64> {
        let step = 1e-5;
        let slope = |axis: Vector3<f64>| {
            self.distance(&(p + axis * step)) - self.distance(&(p - axis * step))
        };
        let gradient = Vector3::new(slope(Vector3::x()), slope(Vector3::y()), slope(Vector3::z()));
        gradient.try_normalize(1e-12).unwrap_or_else(Vector3::z)
    }

    /// Height of the origin above the table when the object stands on it, metres.
    pub fn rest_height(&self) -> f64 {
        match self {
            Solid::Cuboid { half } => half.z,
            Solid::Cylinder { half_height, .. } => *half_height,
            Solid::Mug(mug) => mug.half_height,
            Solid::Blocks(blocks) => {
                -blocks.iter().map(|b| b.center.z - b.half.z).fold(f64::INFINITY, f64::min)
            }
        }
    }

    /// Closed surface with outward winding. A mug is two closed parts, cup and handle, the ends of
    /// the handle buried in the cup's wall; blocks are as many.
    pub fn mesh(&self) -> TriMesh {
        match self {
            Solid::Cuboid { half } => cuboid(half),
            Solid::Blocks(blocks) => {
                let mut mesh = TriMesh::default();
                for block in blocks {
                    let mut part = cuboid(&block.half);
                    part.vertices.iter_mut().for_each(|v| *v += block.center.coords);
                    append(&mut mesh, part);
                }
                mesh
            }
            Solid::Cylinder { radius, half_height: h } => {
                revolve(&[[0.0, -h], [*radius, -h], [*radius, *h], [0.0, *h]])
            }
            Solid::Mug(mug) => {
                let (r, h, w) = (mug.radius, mug.half_height, mug.wall);
                let mut mesh = revolve(&[
                    [0.0, -h],
                    [r, -h],
                    [r, h],
                    [r - w, h],
                    [r - w, w - h],
                    [0.0, w - h],
                ]);
                let handle = tube(&mug.handle_line(), mug.tube);
                append(&mut mesh, handle);
                mesh
            }
        }
    }
}

/// Signed distance to a box about the origin.
fn box_distance(p: Vector3<f64>, half: &Vector3<f64>) -> f64 {
    let q = p.abs() - half;
    q.sup(&Vector3::zeros()).norm() + q.max().min(0.0)
}

/// Adds a closed part to a mesh.
fn append(mesh: &mut TriMesh, part: TriMesh) {
    let first = mesh.vertices.len() as u32;
    mesh.vertices.extend(part.vertices);
    mesh.faces.extend(part.faces.iter().map(|face| face.map(|i| i + first)));
}

/// Signed distance to the ring whose section is the rectangle `[r0, r1] x [z0, z1]`; `r0 = 0` means
/// a full disc.
fn rectangle_distance(p: &Point3<f64>, r0: f64, r1: f64, z0: f64, z1: f64) -> f64 {
    let r = p.x.hypot(p.y);
    let radial = if r0 > 0.0 { (r0 - r).max(r - r1) } else { r - r1 };
    let q = Vector2::new(radial, (z0 - p.z).max(p.z - z1));
    q.sup(&Vector2::zeros()).norm() + q.max().min(0.0)
}

/// Distance from `p` to the segment `a b`.
pub fn segment_distance(p: &Point3<f64>, a: &Point3<f64>, b: &Point3<f64>) -> f64 {
    let ab = b - a;
    let t = ((p - a).dot(&ab) / ab.norm_squared().max(1e-18)).clamp(0.0, 1.0);
    (p - (a + ab * t)).norm()
}

fn cuboid(half: &Vector3<f64>) -> TriMesh {
    let vertices = (0..8)
        .map(|i| {
            let sign = |bit: u32| if i >> bit & 1 == 1 { 1.0 } else { -1.0 };
            Point3::new(half.x * sign(0), half.y * sign(1), half.z * sign(2))
        })
        .collect();
    // Each quad is listed anticlockwise as seen from outside.
    let quads: [[u32; 4]; 6] =
        [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
    let faces = quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect();
    TriMesh { vertices, faces }
}

/// Turns the open profile `[r, z]`, which starts and ends on the axis, about z. Walking along the
/// profile, the inside is on the left.
fn revolve(profile: &[[f64; 2]]) -> TriMesh {
    let mut fine = vec![profile[0]];
    for ends in profile.windows(2) {
        let (a, b) = (Vector2::from(ends[0]), Vector2::from(ends[1]));
        let parts = ((b - a).norm() / MAX_PROFILE_EDGE).ceil().max(1.0) as usize;
        fine.extend((1..=parts).map(|i| <[f64; 2]>::from(a.lerp(&b, i as f64 / parts as f64))));
    }
    let rings = &fine[1..fine.len() - 1];
    let mut mesh = TriMesh::default();
    for &[r, z] in rings {
        for j in 0..SEGMENTS {
            let (sin, cos) = (std::f64::consts::TAU * f64::from(j) / f64::from(SEGMENTS)).sin_cos();
            mesh.vertices.push(Point3::new(r * cos, r * sin, z));
        }
    }
    close_tube(&mut mesh, rings.len() as u32, SEGMENTS, fine[0][1], fine[fine.len() - 1][1]);
    mesh
}

/// Sweeps a circle along a line in the plane y = 0, with flat ends.
fn tube(line: &[Point3<f64>], radius: f64) -> TriMesh {
    let mut mesh = TriMesh::default();
    for (i, p) in line.iter().enumerate() {
        let before = line[i.saturating_sub(1)];
        let after = line[(i + 1).min(line.len() - 1)];
        let tangent = (after - before).normalize();
        let b = Vector3::y();
        let n = b.cross(&tangent);
        for j in 0..TUBE_SEGMENTS {
            let (sin, cos) =
                (std::f64::consts::TAU * f64::from(j) / f64::from(TUBE_SEGMENTS)).sin_cos();
            mesh.vertices.push(p + (n * cos + b * sin) * radius);
        }
    }
    let centers = [line[0], line[line.len() - 1]];
    stitch(&mut mesh, line.len() as u32, TUBE_SEGMENTS, centers);
    mesh
}

fn close_tube(mesh: &mut TriMesh, rings: u32, segments: u32, z_first: f64, z_last: f64) {
    stitch(mesh, rings, segments, [Point3::new(0.0, 0.0, z_first), Point3::new(0.0, 0.0, z_last)]);
}

/// Joins consecutive rings of `segments` vertices by quads and closes both ends with fans about
/// `centers`.
fn stitch(mesh: &mut TriMesh, rings: u32, segments: u32, centers: [Point3<f64>; 2]) {
    let at = |ring: u32, j: u32| ring * segments + j % segments;
    for ring in 0..rings - 1 {
        for j in 0..segments {
            let (a, b) = (at(ring, j), at(ring, j + 1));
            let (c, d) = (at(ring + 1, j + 1), at(ring + 1, j));
            mesh.faces.extend([[a, b, c], [a, c, d]]);
        }
    }
    let first = mesh.vertices.len() as u32;
    mesh.vertices.extend(centers);
    for j in 0..segments {
        mesh.faces.push([first, at(0, j + 1), at(0, j)]);
        mesh.faces.push([first + 1, at(rings - 1, j), at(rings - 1, j + 1)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn mug() -> Mug {
        Mug {
            radius: 0.04,
            half_height: 0.045,
            wall: 0.004,
            tube: 0.005,
            opening_width: 0.03,
            opening_height: 0.056,
            bend: 0.012,
        }
    }

    /// A step of two blocks, side by side.
    fn step() -> Solid {
        let block = |x: f64, z: f64| Block {
            center: Point3::new(x, 0.0, z),
            half: Vector3::new(0.01, 0.02, z),
        };
        Solid::Blocks(vec![block(0.0, 0.01), block(0.02, 0.03)])
    }

    fn solids() -> [Solid; 4] {
        [
            Solid::Cuboid { half: Vector3::new(0.01, 0.02, 0.03) },
            Solid::Cylinder { radius: 0.03, half_height: 0.085 },
            Solid::Mug(mug()),
            step(),
        ]
    }

    fn volume(mesh: &TriMesh) -> f64 {
        (0..mesh.faces.len())
            .map(|f| {
                let [a, b, c] = mesh.triangle(f);
                a.coords.dot(&b.coords.cross(&c.coords)) / 6.0
            })
            .sum()
    }

    #[test]
    fn every_edge_is_used_once_in_each_direction() {
        for solid in solids() {
            let mesh = solid.mesh();
            let mut edges: HashMap<(u32, u32), usize> = HashMap::new();
            for [a, b, c] in &mesh.faces {
                for edge in [(*a, *b), (*b, *c), (*c, *a)] {
                    *edges.entry(edge).or_default() += 1;
                }
            }
            assert!(edges.iter().all(|(&(a, b), &n)| n == 1 && edges.get(&(b, a)) == Some(&1)));
        }
    }

    #[test]
    fn volumes_match_the_closed_forms() {
        let pi = std::f64::consts::PI;
        let cup = pi * (0.04f64.powi(2) * 0.09 - 0.036f64.powi(2) * 0.086);
        // Centre line: two straights, two quarter bends, one bar.
        let line = 2.0 * (0.063 - 0.038) + pi * 0.012 + 2.0 * 0.021;
        let expected = [
            0.02 * 0.04 * 0.06,
            pi * 0.03f64.powi(2) * 0.17,
            cup + pi * 0.005f64.powi(2) * line,
            0.02 * 0.04 * (0.02 + 0.06),
        ];
        for (solid, expected) in solids().iter().zip(expected) {
            let found = volume(&solid.mesh());
            assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
        }
    }

    #[test]
    fn vertices_lie_on_the_zero_of_the_distance() {
        for solid in solids() {
            let mesh = solid.mesh();
            let used: std::collections::BTreeSet<u32> =
                mesh.faces.iter().flatten().copied().collect();
            for index in used {
                let p = mesh.vertices[index as usize];
                // The handle's ends are inside the wall, never outside the solid.
                let buried =
                    matches!(solid, Solid::Mug(_)) && p.x.hypot(p.y) < 0.0401 && p.x > 0.035;
                let d = solid.distance(&p);
                assert!(d < 3e-4 && (d > -3e-4 || buried), "{p} {d}");
            }
        }
    }

    #[test]
    fn a_finger_fits_through_the_handle() {
        let solid = Solid::Mug(mug());
        let clear = solid.distance(&Point3::new(0.055, 0.0, 0.0));
        assert!(clear > 0.0125, "half of the clear width is {clear}");
        assert!(solid.distance(&Point3::new(0.055, 0.0, 0.0245)) > 0.0);
    }
}
