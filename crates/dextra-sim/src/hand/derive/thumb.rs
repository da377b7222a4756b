//! Which finger is the thumb.

use super::chains::Chain;
use super::words::Evidence;
use nalgebra::Vector3;

/// How much a base that is set off towards the wrist by a finger's length counts against a full
/// agreement of the closing axes.
const SET_OFF: f64 = 0.3;
/// A lead by this much is clear.
const CLEAR: f64 = 0.15;
/// A lead by less is none.
const TIE: f64 = 0.03;

/// The thumb and how it was told.
pub(super) struct Thumb {
    /// Index of its chain.
    pub(super) index: usize,
    /// Lead over the next candidate, as agreement of closing axes (0 to 1).
    pub(super) lead: f64,
    /// Whether geometry alone tells.
    pub(super) by_geometry: bool,
    /// Whether the lead is clear.
    pub(super) clear: bool,
    /// A finger whose name says thumb although geometry speaks for another.
    pub(super) contradicted: bool,
}

/// The thumb among at least two chains.
pub(super) fn find(chains: &[Chain], evidence: &[Option<Evidence>]) -> Thumb {
    let scores: Vec<f64> = (0..chains.len()).map(|c| score(chains, c)).collect();
    let mut ranked: Vec<usize> = (0..chains.len()).collect();
    // Stable, so a tie keeps the order of the model.
    ranked.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let lead = scores[ranked[0]] - scores[ranked[1]];
    let named = evidence.iter().position(|e| e.as_ref().is_some_and(|e| e.finger == "thumb"));
    let by_geometry = lead >= TIE;
    let index = match named {
        Some(named) if !by_geometry => named,
        _ => ranked[0],
    };
    let contradicted = named.is_some_and(|named| named != index);
    Thumb { index, lead, by_geometry, clear: lead >= CLEAR, contradicted }
}

/// Agreement of the closing axes of all fingers but `thumb`, and how far its base is set off.
fn score(chains: &[Chain], thumb: usize) -> f64 {
    let others = || chains.iter().enumerate().filter(|(c, _)| *c != thumb).map(|(_, chain)| chain);
    let count = (chains.len() - 1) as f64;
    let agreement = others().map(|c| c.closing).sum::<Vector3<f64>>().norm() / count;
    let direction = others().map(|c| c.direction).sum::<Vector3<f64>>();
    let Some(direction) = direction.try_normalize(1e-6) else { return agreement };
    let base = others().map(|c| c.base.coords).sum::<Vector3<f64>>() / count;
    let length = others().map(|c| (c.tip - c.base).norm()).sum::<f64>() / count;
    let first = chains[thumb].hinges[0].anchor.coords;
    let back = (base - first).dot(&direction) / length.max(1e-3);
    agreement + SET_OFF * back.clamp(0.0, 1.0)
}
