//! Gaussian smoothing over time.

use nalgebra::Vector3;

/// Smooths `values` (one per frame; `None` where there is no observation) with a Gaussian of
/// standard deviation `sigma` frames. Missing frames take the weighted mean of the observations
/// around them; the result is empty only when nothing was observed.
pub fn gaussian(values: &[Option<Vector3<f64>>], sigma: f64) -> Vec<Vector3<f64>> {
    if values.iter().all(Option::is_none) {
        return Vec::new();
    }
    let sigma = sigma.max(1e-9);
    let nearest = distance_to_observation(values);
    (0..values.len())
        .map(|t| {
            // Weights are relative to that of the nearest observation, so that they cannot all
            // underflow in a long gap; those beyond six sigma are below 1e-7.
            let least = (nearest[t] as f64).powi(2);
            let reach = nearest[t] + (6.0 * sigma).ceil() as usize;
            let mut sum = Vector3::zeros();
            let mut total = 0.0;
            for s in t.saturating_sub(reach)..values.len().min(t.saturating_add(reach) + 1) {
                let Some(value) = values[s] else { continue };
                let gap = s.abs_diff(t) as f64;
                let weight = (-(gap * gap - least) / (2.0 * sigma * sigma)).exp();
                sum += value * weight;
                total += weight;
            }
            sum / total
        })
        .collect()
}

/// Frames to the nearest observation, for each frame.
fn distance_to_observation(values: &[Option<Vector3<f64>>]) -> Vec<usize> {
    let mut distance = vec![usize::MAX; values.len()];
    let mut since = usize::MAX;
    for (t, value) in values.iter().enumerate() {
        since = if value.is_some() { 0 } else { since.saturating_add(1) };
        distance[t] = since;
    }
    let mut until = usize::MAX;
    for (t, value) in values.iter().enumerate().rev() {
        until = if value.is_some() { 0 } else { until.saturating_add(1) };
        distance[t] = distance[t].min(until);
    }
    distance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stays_and_gaps_are_filled() {
        let v = Vector3::new(1.0, 2.0, 3.0);
        let mut values = vec![Some(v); 200];
        values[1..199].fill(None);
        for smooth in gaussian(&values, 2.0) {
            assert!((smooth - v).norm() < 1e-12);
        }
        assert!(gaussian(&[None, None], 2.0).is_empty());
    }

    #[test]
    fn white_noise_shrinks_by_the_kernel_norm() {
        // Var of a Gaussian average of white noise is 1 / (2 sqrt(pi) sigma).
        let mut state = 1u64;
        let mut noise = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) as f64 / f64::from(1u32 << 31) - 0.5) * 12f64.sqrt()
        };
        let values: Vec<_> =
            (0..3000).map(|_| Some(Vector3::new(noise(), noise(), noise()))).collect();
        let sigma = 5.0;
        let smooth = gaussian(&values, sigma);
        let inner = &smooth[50..2950];
        let var = inner.iter().map(|v| v.norm_squared()).sum::<f64>() / (3.0 * inner.len() as f64);
        let expected = 1.0 / (2.0 * std::f64::consts::PI.sqrt() * sigma);
        assert!((var / expected - 1.0).abs() < 0.25, "{var} {expected}");
    }
}
