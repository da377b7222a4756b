//! The largest ball about the origin inside the convex hull of points in six dimensions.
//!
//! Grows a polytope inside the hull and always splits the facet that is nearest to the origin, by the
//! point that lies farthest beyond it. When none does, that facet is one of the hull's, and as the
//! polytope is inside the hull, no other facet of the hull is nearer. This is the expanding polytope
//! algorithm of collision detection with signed distances; Zheng, *An efficient algorithm for a grasp
//! quality measure*, T-RO 2013, does the same for grasps. Only a small part of the hull is ever built.

use super::Wrench;
use std::array::from_fn;

/// Points are moved by up to this much, so that no seven of them are in one plane. The shifts depend
/// on the position in the list alone.
const JOGGLE: f64 = 1e-7;
/// Smaller radii are flat hulls.
const FLAT: f64 = 1e-6;
/// Points less far beyond a facet are on it.
const ON_FACET: f64 = 1e-11;

struct Facet {
    /// Sorted indices of points.
    corners: [u16; 6],
    /// Outward, of unit length.
    normal: Wrench,
    /// Distance of the origin from its plane; negative when the origin is beyond it.
    offset: f64,
}

/// The radius, or 0 when the origin is not inside or the hull is flat.
///
/// # Panics
/// For more than 4096 points.
pub fn radius(points: &[Wrench]) -> f64 {
    assert!(points.len() <= 1 << 12, "{} wrenches are no grasp", points.len());
    let Some(simplex) = widest_simplex(points) else { return 0.0 };
    let points: Vec<Wrench> =
        points.iter().enumerate().map(|(index, point)| point + shift(index)).collect();
    let inside = simplex.iter().map(|&i| points[usize::from(i)]).sum::<Wrench>() / 7.0;
    let mut used = vec![false; points.len()];
    simplex.iter().for_each(|&i| used[usize::from(i)] = true);
    let mut facets: Vec<Facet> = (0..7)
        .map(|left_out| from_fn(|at| simplex[at + usize::from(at >= left_out)]))
        .map(|corners| facet(&points, corners, &inside))
        .collect();
    let mut ridges: Vec<u64> = Vec::new();
    while let Some(nearest) = facets.iter().min_by(|a, b| a.offset.total_cmp(&b.offset)) {
        let beyond = |point: &Wrench| nearest.normal.dot(point);
        let farthest = (0..points.len())
            .max_by(|&a, &b| beyond(&points[a]).total_cmp(&beyond(&points[b])))
            .unwrap_or_default();
        let height = beyond(&points[farthest]);
        if height <= FLAT {
            return 0.0;
        }
        if height - nearest.offset <= ON_FACET || used[farthest] {
            return if nearest.offset > FLAT { nearest.offset } else { 0.0 };
        }
        used[farthest] = true;
        // Everything that the new point sees is replaced by facets from it to the rim.
        ridges.clear();
        facets.retain(|facet| {
            let seen = facet.normal.dot(&points[farthest]) - facet.offset > ON_FACET;
            if seen {
                ridges.extend((0..6).map(|left_out| pack(&facet.corners, left_out)));
            }
            !seen
        });
        ridges.sort_unstable();
        for run in ridges.chunk_by(|a, b| a == b).filter(|run| run.len() == 1) {
            let corners = unpack(run[0], farthest as u16);
            facets.push(facet(&points, corners, &inside));
        }
    }
    0.0
}

/// Seven points that span as much as a greedy choice finds; sorted. `None` when all are in a plane.
fn widest_simplex(points: &[Wrench]) -> Option<[u16; 7]> {
    let first = *points.first()?;
    let start = (0..points.len()).max_by(|&a, &b| {
        (points[a] - first).norm_squared().total_cmp(&(points[b] - first).norm_squared())
    })?;
    let mut rest: Vec<Wrench> = points.iter().map(|point| point - points[start]).collect();
    let mut simplex = [start as u16; 7];
    for corner in &mut simplex[1..] {
        let far = (0..rest.len())
            .max_by(|&a, &b| rest[a].norm_squared().total_cmp(&rest[b].norm_squared()))?;
        let axis = rest[far].try_normalize(FLAT)?;
        rest.iter_mut().for_each(|point| *point -= axis * axis.dot(point));
        *corner = far as u16;
    }
    simplex.sort_unstable();
    Some(simplex)
}

/// Six numbers in `-JOGGLE ..= JOGGLE` from the bits of a counter (splitmix64).
fn shift(index: usize) -> Wrench {
    Wrench::from_fn(|row, _| {
        let mut z = ((index * 6 + row + 1) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z >> 11) as f64 / (1u64 << 52) as f64 - 1.0) * JOGGLE
    })
}

/// The plane through six points, turned away from a point inside.
fn facet(points: &[Wrench], corners: [u16; 6], inside: &Wrench) -> Facet {
    let origin = points[usize::from(corners[0])];
    let mut axes = [Wrench::zeros(); 5];
    for at in 0..5 {
        let mut axis = points[usize::from(corners[at + 1])] - origin;
        for _ in 0..2 {
            for earlier in &axes[..at] {
                axis -= earlier * earlier.dot(&axis);
            }
        }
        axes[at] = axis.try_normalize(0.0).unwrap_or_default();
    }
    let mut normal = origin - inside;
    for _ in 0..2 {
        for axis in &axes {
            normal -= axis * axis.dot(&normal);
        }
    }
    let normal = normal.try_normalize(0.0).unwrap_or_default();
    Facet { corners, normal, offset: normal.dot(&origin) }
}

/// The five corners of a ridge in one number.
fn pack(corners: &[u16; 6], left_out: usize) -> u64 {
    (0..6).filter(|&at| at != left_out).fold(0, |key, at| key << 12 | u64::from(corners[at]))
}

/// The facet of a ridge and a point more.
fn unpack(ridge: u64, point: u16) -> [u16; 6] {
    let mut corners = [point; 6];
    for (at, corner) in corners[..5].iter_mut().enumerate() {
        *corner = (ridge >> (12 * at) & 0xfff) as u16;
    }
    corners.sort_unstable();
    corners
}
