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
    (0..values.len())
        .map(|t| {
            // The kernel is shifted by the nearest observation so that weights cannot all
            // underflow in a long gap.
            let gap = |s: usize| (s as f64 - t as f64).powi(2);
            let nearest = (0..values.len())
                .filter(|&s| values[s].is_some())
                .map(gap)
                .fold(f64::INFINITY, f64::min);
            let mut sum = Vector3::zeros();
            let mut total = 0.0;
            for (s, value) in values.iter().enumerate() {
                let Some(value) = value else { continue };
                let weight = (-(gap(s) - nearest) / (2.0 * sigma * sigma)).exp();
                sum += value * weight;
                total += weight;
            }
            sum / total
        })
        .collect()
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
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            ((state >> 33) as f64 / f64::from(1u32 << 31) - 0.5) * 12f64.sqrt()
        };
        let values: Vec<_> = (0..3000)
            .map(|_| Some(Vector3::new(noise(), noise(), noise())))
            .collect();
        let sigma = 5.0;
        let smooth = gaussian(&values, sigma);
        let inner = &smooth[50..2950];
        let var = inner.iter().map(|v| v.norm_squared()).sum::<f64>() / (3.0 * inner.len() as f64);
        let expected = 1.0 / (2.0 * std::f64::consts::PI.sqrt() * sigma);
        assert!((var / expected - 1.0).abs() < 0.25, "{var} {expected}");
    }
}
