//! Percentiles and confidence intervals.

/// The `percent`-th percentile of `values` (any order) with linear interpolation between ranks, as
/// numpy's default. `None` for no values; `percent` is clamped to `[0, 100]`.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
    let below = rank.floor() as usize;
    let above = (below + 1).min(last);
    let share = rank - below as f64;
    Some(if share == 0.0 {
        sorted[below]
    } else {
        sorted[below] + share * (sorted[above] - sorted[below])
    })
}

/// The Wilson score interval at 95 % for `successes` out of `trials`; `(0, 1)` without trials.
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927,
/// with z = 1.959964.
pub fn wilson_interval(successes: usize, trials: usize) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let z = 1.959_963_984_540_054_f64;
    let n = trials as f64;
    let p = successes.min(trials) as f64 / n;
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre - half).clamp(0.0, 1.0), (centre + half).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_equal_numpy() {
        // np.percentile([3, 1, 4, 1, 5, 9, 2, 6], [0, 25, 50, 99, 100])
        //   = [1, 1.75, 3.5, 8.79, 9]
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (percent, want) in [(0.0, 1.0), (25.0, 1.75), (50.0, 3.5), (99.0, 8.79), (100.0, 9.0)] {
            assert!((percentile(&values, percent).unwrap() - want).abs() < 1e-12);
        }
        assert_eq!(percentile(&[], 50.0), None);
        assert_eq!(percentile(&[7.0], 99.0), Some(7.0));
        assert_eq!(percentile(&[1.0, f64::INFINITY], 99.0), Some(f64::INFINITY));
    }

    #[test]
    fn wilson_bounds_are_the_roots_of_its_quadratic() {
        // Roots p of |p - k/n| = z sqrt(p (1 - p) / n), solved separately in Python. 5 of 10 is the
        // textbook (0.2366, 0.7634).
        for (k, n, low, high) in [
            (0, 10, 0.0, 0.277_533),
            (5, 10, 0.236_593, 0.763_407),
            (10, 10, 0.722_467, 1.0),
            (81, 100, 0.722_212, 0.874_852),
            (1, 1, 0.206_549, 1.0),
        ] {
            let (a, b) = wilson_interval(k, n);
            assert!((a - low).abs() < 1e-6 && (b - high).abs() < 1e-6, "{k}/{n}: {a} {b}");
        }
        assert_eq!(wilson_interval(0, 0), (0.0, 1.0));
    }

    proptest! {
        #[test]
        fn wilson_contains_the_proportion_and_mirrors(n in 1usize..500, share in 0.0..=1.0f64) {
            let k = (share * n as f64) as usize;
            let (low, high) = wilson_interval(k, n);
            let p = k as f64 / n as f64;
            prop_assert!(low <= p + 1e-12 && p <= high + 1e-12);
            let (mirror_low, mirror_high) = wilson_interval(n - k, n);
            prop_assert!((low - (1.0 - mirror_high)).abs() < 1e-12);
            prop_assert!((high - (1.0 - mirror_low)).abs() < 1e-12);
        }
    }
}
