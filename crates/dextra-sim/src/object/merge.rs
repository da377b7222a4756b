//! Merging of hulls that belong together.

use std::collections::BTreeMap;

use nalgebra::Point3;

use super::decompose::{DecomposeConfig, fits};
use super::field::Field;
use super::hull::Hull;

/// A pair of hulls made one.
struct Merger {
    hull: Hull,
    excess: f64,
    /// Excess plus tolerance-weighted volume gained: small for pieces that belong together.
    cost: f64,
}

impl Merger {
    fn new(
        (a, excess_a): &Piece,
        (b, excess_b): &Piece,
        field: &Field,
        config: &DecomposeConfig,
    ) -> Merger {
        let points: Vec<Point3<f64>> =
            a.mesh.vertices.iter().chain(&b.mesh.vertices).copied().collect();
        let hull = Hull::of(&points, config.min_thickness_m);
        let excess = field.excess(&hull);
        let gained = (hull.volume - a.volume - b.volume).max(0.0);
        let cost = excess - excess_a - excess_b + 0.1 * config.tolerance_m * gained;
        Merger { hull, excess, cost }
    }
}

/// A hull and its excess.
type Piece = (Hull, f64);

/// Merge neighbours while their common hull stays out of reachable space; then, above the hull budget, those whose
/// merger does least harm.
pub(crate) fn merged(pieces: Vec<Piece>, field: &Field, config: &DecomposeConfig) -> Vec<Hull> {
    let mut pieces: Vec<Option<Piece>> = pieces.into_iter().map(Some).collect();
    let mut mergers: BTreeMap<(usize, usize), Merger> = BTreeMap::new();
    let consider = |pieces: &[Option<Piece>], i: usize, j: usize, margin: f64| {
        let (a, b) = (pieces[i].as_ref()?, pieces[j].as_ref()?);
        a.0.near(&b.0, margin).then(|| Merger::new(a, b, field, config))
    };
    for j in 0..pieces.len() {
        for i in 0..j {
            mergers.extend(consider(&pieces, i, j, field.cell).map(|merger| ((i, j), merger)));
        }
    }
    loop {
        let count = pieces.iter().flatten().count();
        let over = count > config.max_hulls;
        let best = mergers
            .iter()
            .filter(|(_, m)| over || fits(m.excess, m.hull.volume, config))
            .min_by(|a, b| a.1.cost.total_cmp(&b.1.cost))
            .map(|(&pair, _)| pair);
        let Some((i, j)) = best else {
            if !over {
                break;
            }
            // Over budget and no neighbours left: pieces that do not touch must share a hull.
            for j in 0..pieces.len() {
                for i in 0..j {
                    mergers.extend(
                        consider(&pieces, i, j, f64::INFINITY).map(|merger| ((i, j), merger)),
                    );
                }
            }
            continue;
        };
        pieces[i] = mergers.remove(&(i, j)).map(|merger| (merger.hull, merger.excess));
        pieces[j] = None;
        mergers.retain(|&(a, b), _| a != i && b != i && a != j && b != j);
        for k in (0..pieces.len()).filter(|&k| k != i) {
            let (a, b) = (i.min(k), i.max(k));
            mergers.extend(consider(&pieces, a, b, field.cell).map(|merger| ((a, b), merger)));
        }
    }
    pieces.into_iter().flatten().map(|(hull, _)| hull).collect()
}

#[cfg(test)]
mod tests {
    use crate::object::{DecomposeConfig, decompose, shapes};
    use dextra_core::TriMesh;

    #[test]
    fn scattered_blocks_share_hulls_only_above_the_budget() {
        let mut blocks = TriMesh::default();
        for i in 0..6u32 {
            let block = shapes::cuboid(0.02, 0.02, 0.02);
            blocks.faces.extend(block.faces.iter().map(|f| f.map(|v| v + 8 * i)));
            blocks.vertices.extend(block.vertices.iter().map(|v| {
                let shift = nalgebra::Vector3::new(f64::from(i % 3), f64::from(i / 3), 0.0) * 0.06;
                v + shift
            }));
        }
        let count = |max_hulls| {
            decompose(&blocks, &DecomposeConfig { max_hulls, ..Default::default() }).unwrap().len()
        };
        assert_eq!((count(32), count(4), count(1)), (6, 4, 1));
    }
}
