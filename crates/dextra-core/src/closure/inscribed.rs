//! The largest ball about the origin inside the convex hull of points in six dimensions.
//!
//! Grows a polytope inside the hull and always splits the facet that is nearest to the origin, by the
//! point that lies farthest beyond it. When none does, that facet is one of the hull's, and as the
//! polytope is inside the hull, no other facet of the hull is nearer. This is the expanding polytope
//! algorithm of collision detection with signed distances; Zheng, *An efficient algorithm for a grasp
//! quality measure*, T-RO 2013, does the same for grasps. Only a small part of the hull is ever built.

use super::Wrench;
use std::array::from_fn;
use std::collections::BinaryHeap;

/// Points are moved by up to this much, so that no seven of them are in one plane. The shifts depend
/// on the position in the list alone.
const JOGGLE: f64 = 1e-7;
/// Smaller radii are flat hulls.
const FLAT: f64 = 1e-6;
/// Points less far beyond a facet are on it.
const ON_FACET: f64 = 1e-11;
/// Mixtures of planes that are shorter have lost their direction.
const MIXED: f64 = 1e-10;

#[derive(Clone)]
struct Facet {
    /// Sorted indices of points.
    corners: [u16; 6],
    /// Facets across the ridges that leave out each corner.
    neighbors: [u32; 6],
    /// Outward, of unit length.
    normal: Wrench,
    /// Distance of the origin from its plane; negative when the origin is beyond it.
    offset: f64,
    /// Whether a point beyond it has replaced it.
    gone: bool,
}

impl Facet {
    fn height(&self, point: &Wrench) -> f64 {
        self.normal.dot(point) - self.offset
    }
}

/// Facets by their distance from the origin, the nearest on top.
#[derive(PartialEq)]
struct Near(f64, u32);

impl Eq for Near {}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0).then(other.1.cmp(&self.1))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
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
    let mut used = vec![false; points.len()];
    simplex.iter().for_each(|&i| used[usize::from(i)] = true);
    let mut polytope = Polytope::simplex(&points, &simplex);
    while let Some(nearest) = polytope.nearest() {
        // Planes are made from their neighbours'; this one is measured.
        let exact = facet(&points, polytope.facets[nearest].corners, &polytope.inside);
        let farthest = (0..points.len())
            .max_by(|&a, &b| exact.height(&points[a]).total_cmp(&exact.height(&points[b])))
            .unwrap_or_default();
        let beyond = exact.height(&points[farthest]);
        if beyond + exact.offset <= FLAT {
            return 0.0;
        }
        if beyond <= ON_FACET || used[farthest] {
            return if exact.offset > FLAT { exact.offset } else { 0.0 };
        }
        used[farthest] = true;
        polytope.grow(&points, nearest, farthest);
    }
    0.0
}

struct Polytope {
    facets: Vec<Facet>,
    heap: BinaryHeap<Near>,
    inside: Wrench,
    // Kept between calls of `grow` to save allocations.
    stack: Vec<usize>,
    rim: Vec<(usize, usize, usize)>,
    ridges: Vec<(u64, u32, u32)>,
}

impl Polytope {
    fn simplex(points: &[Wrench], simplex: &[u16; 7]) -> Self {
        let inside = simplex.iter().map(|&i| points[usize::from(i)]).sum::<Wrench>() / 7.0;
        let facets: Vec<Facet> = (0..7u32)
            .map(|left_out| {
                let other = |at: usize| at + usize::from(at >= left_out as usize);
                let facet = facet(points, from_fn(|at| simplex[other(at)]), &inside);
                Facet { neighbors: from_fn(|at| other(at) as u32), ..facet }
            })
            .collect();
        let heap = (0..).zip(&facets).map(|(index, facet)| Near(facet.offset, index)).collect();
        Self { facets, heap, inside, stack: vec![], rim: vec![], ridges: vec![] }
    }

    /// The facet nearest to the origin.
    fn nearest(&mut self) -> Option<usize> {
        while let Some(Near(_, index)) = self.heap.pop() {
            if !self.facets[index as usize].gone {
                return Some(index as usize);
            }
        }
        None
    }

    /// Replaces everything that a point sees, `first` being part of it, by facets from the point to
    /// the rim.
    fn grow(&mut self, points: &[Wrench], first: usize, apex: usize) {
        let point = &points[apex];
        self.rim.clear();
        self.facets[first].gone = true;
        self.stack.push(first);
        while let Some(seen) = self.stack.pop() {
            for slot in 0..6 {
                let neighbor = self.facets[seen].neighbors[slot] as usize;
                if self.facets[neighbor].gone {
                    continue;
                }
                if self.facets[neighbor].height(point) > ON_FACET {
                    self.facets[neighbor].gone = true;
                    self.stack.push(neighbor);
                } else {
                    self.rim.push((seen, slot, neighbor));
                }
            }
        }
        self.ridges.clear();
        for &(seen, slot, hidden) in &self.rim {
            let new = self.facets.len() as u32;
            let [from, to] = [&self.facets[seen], &self.facets[hidden]];
            let mut corners = from.corners;
            corners[slot] = apex as u16;
            corners.sort_unstable();
            // Both planes hold the ridge, and so does every mixture of them; one holds the point too.
            let (above, below) = (from.height(point), -to.height(point));
            let mixed = to.normal * above + from.normal * below;
            let mut facet = match mixed.try_normalize(MIXED) {
                Some(normal) => {
                    let offset = normal.dot(point);
                    Facet { corners, neighbors: [0; 6], normal, offset, gone: false }
                }
                None => facet(points, corners, &self.inside),
            };
            for (at, &corner) in corners.iter().enumerate() {
                if usize::from(corner) == apex {
                    facet.neighbors[at] = hidden as u32;
                } else {
                    self.ridges.push((pack(&corners, at), new, at as u32));
                }
            }
            let back = self.facets[hidden].neighbors.iter().position(|&n| n as usize == seen);
            self.facets[hidden].neighbors[back.unwrap_or_default()] = new;
            self.heap.push(Near(facet.offset, new));
            self.facets.push(facet);
        }
        // Every ridge at the point belongs to two of the new facets.
        self.ridges.sort_unstable();
        for pair in self.ridges.chunks_exact(2) {
            let [(_, a, slot_a), (_, b, slot_b)] = [pair[0], pair[1]];
            self.facets[a as usize].neighbors[slot_a as usize] = b;
            self.facets[b as usize].neighbors[slot_b as usize] = a;
        }
    }
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
    let offset = normal.dot(&origin);
    Facet { corners, neighbors: [0; 6], normal, offset, gone: false }
}

/// The five corners of a ridge in one number.
fn pack(corners: &[u16; 6], left_out: usize) -> u64 {
    (0..6).filter(|&at| at != left_out).fold(0, |key, at| key << 12 | u64::from(corners[at]))
}
