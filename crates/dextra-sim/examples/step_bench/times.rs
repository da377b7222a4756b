//! What the contestants of a benchmark took, and how they compare.

/// Wall and processor seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub wall: f64,
    pub cpu: f64,
}

/// The middle one; the mean of the two in the middle where there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Median and range over rounds of how much faster than `other` ours was.
pub fn ratio(ours: &[Times], other: &[Times], of: fn(&Times) -> f64) -> (f64, String) {
    let ratios: Vec<f64> = ours.iter().zip(other).map(|(a, b)| of(b) / of(a)).collect();
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    let middle = median(ratios);
    (middle, format!("{middle:.3} ({low:.3}-{high:.3})"))
}
