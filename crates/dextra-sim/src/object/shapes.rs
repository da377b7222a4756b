//! Meshes for tests, generated: boxes, balls, tubes, a mug with a handle.

use std::f64::consts::{PI, TAU};

use dextra_core::TriMesh;
use nalgebra::{Point3, Vector3};

/// Box centred at the origin, edge lengths in metres, 12 faces wound outwards.
pub(crate) fn cuboid(x: f64, y: f64, z: f64) -> TriMesh {
    let corner = |i: usize| {
        let side = |k: usize, length: f64| {
            if i >> k & 1 == 0 { -length / 2.0 } else { length / 2.0 }
        };
        Point3::new(side(0, x), side(1, y), side(2, z))
    };
    TriMesh {
        vertices: (0..8).map(corner).collect(),
        faces: vec![
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
        ],
    }
}

/// Surface of revolution of a profile `(radius, z)` about z; radii of zero become poles.
/// A profile that goes up on the outside is wound outwards.
pub(crate) fn revolved(profile: &[(f64, f64)], segments: usize) -> TriMesh {
    let mut mesh = TriMesh::default();
    let mut rings: Vec<Vec<u32>> = Vec::new();
    for &(radius, z) in profile {
        let first = mesh.vertices.len() as u32;
        if radius == 0.0 {
            mesh.vertices.push(Point3::new(0.0, 0.0, z));
            rings.push(vec![first; segments]);
        } else {
            for s in 0..segments {
                let angle = TAU * s as f64 / segments as f64;
                mesh.vertices.push(Point3::new(radius * angle.cos(), radius * angle.sin(), z));
            }
            rings.push((first..first + segments as u32).collect());
        }
    }
    for pair in rings.windows(2) {
        for s in 0..segments {
            let next = (s + 1) % segments;
            let [a, b, c, d] = [pair[0][s], pair[0][next], pair[1][next], pair[1][s]];
            for face in [[a, b, c], [a, c, d]] {
                if face[0] != face[1] && face[1] != face[2] && face[2] != face[0] {
                    mesh.faces.push(face);
                }
            }
        }
    }
    mesh
}

/// Ball of `rings` latitudes and twice as many longitudes.
pub(crate) fn sphere(radius: f64, rings: usize) -> TriMesh {
    let profile: Vec<_> = (0..=rings)
        .map(|i| match i {
            0 => (0.0, -radius),
            i if i == rings => (0.0, radius),
            i => {
                let angle = PI * i as f64 / rings as f64;
                (radius * angle.sin(), -radius * angle.cos())
            }
        })
        .collect();
    revolved(&profile, 2 * rings)
}

/// Closed solid cylinder standing on z = 0.
pub(crate) fn cylinder(radius: f64, height: f64, segments: usize) -> TriMesh {
    revolved(&[(0.0, 0.0), (radius, 0.0), (radius, height), (0.0, height)], segments)
}

/// Cup of one sheet without thickness: radius 3 cm, height 8 cm, open at the top.
pub(crate) fn open_sheet_cup() -> TriMesh {
    let profile: Vec<_> =
        std::iter::once((0.0, 0.0)).chain((0..=8).map(|i| (0.03, 0.01 * f64::from(i)))).collect();
    revolved(&profile, 40)
}

/// Centre of the opening of the handle of [`mug`].
pub(crate) fn mug_handle_centre() -> Point3<f64> {
    Point3::new(0.052, 0.0, 0.05)
}

/// Mug: cup of outer radius 4 cm, height 10 cm, 4 mm wall and floor; a handle of 8 mm thickness, half a ring of radius 3 cm
/// on the +x side whose ends are sunk in the wall. Two closed, touching parts, as scanned and modelled mugs often are.
pub(crate) fn mug() -> TriMesh {
    let wall = |r: f64, up: bool| {
        (0..=10).map(move |i| {
            let z = 0.004 + 0.0096 * f64::from(if up { i } else { 10 - i });
            (r, z)
        })
    };
    let profile: Vec<_> = [(0.0, 0.0), (0.04, 0.0)]
        .into_iter()
        .chain(wall(0.04, true))
        .chain(wall(0.036, false))
        .chain([(0.0, 0.004)])
        .collect();
    let mut mesh = revolved(&profile, 48);
    let first = mesh.vertices.len() as u32;
    let (ring, tube, around) = (24u32, 0.004, 12u32);
    for i in 0..=ring {
        let along = PI * (f64::from(i) / f64::from(ring) - 0.5);
        let outward = Vector3::new(along.cos(), 0.0, along.sin());
        let centre =
            Point3::new(0.038, 0.0, 0.05) + Vector3::new(0.032 * outward.x, 0.0, 0.03 * outward.z);
        for j in 0..around {
            let angle = TAU * f64::from(j) / f64::from(around);
            mesh.vertices
                .push(centre + (outward * angle.cos() + Vector3::y() * angle.sin()) * tube);
        }
    }
    for i in 0..ring {
        for j in 0..around {
            let next = (j + 1) % around;
            let [a, b, c, d] =
                [i * around + j, i * around + next, (i + 1) * around + next, (i + 1) * around + j];
            mesh.faces.extend([[a, b, c], [a, c, d]].map(|f| f.map(|v| v + first)));
        }
    }
    for j in 1..around - 1 {
        mesh.faces.push([0, j + 1, j].map(|v| v + first));
        mesh.faces.push([0, j, j + 1].map(|v| v + first + ring * around));
    }
    mesh
}

/// Bar bent to an L: two boxes 12 x 3 x 3 cm, a solid with one concave edge.
pub(crate) fn bent_bar() -> TriMesh {
    let outline = [(0.0, 0.0), (0.12, 0.0), (0.12, 0.03), (0.03, 0.03), (0.03, 0.12), (0.0, 0.12)];
    let n = outline.len() as u32;
    let mut mesh = TriMesh::default();
    for z in [-0.015, 0.015] {
        mesh.vertices.extend(outline.map(|(x, y)| Point3::new(x, y, z)));
    }
    for i in 0..n {
        let next = (i + 1) % n;
        mesh.faces.extend([[i, next, next + n], [i, next + n, i + n]]);
    }
    for [a, b, c] in [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]] {
        mesh.faces.push([a, c, b]);
        mesh.faces.push([a + n, b + n, c + n]);
    }
    mesh
}
