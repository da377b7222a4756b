//! The diagonal Gaussian over actions: for one row in plain numbers, and for batches as tensors.

use burn::tensor::Tensor;

/// ½ ln 2π.
const HALF_LOG_TWO_PI: f32 = 0.918_938_5;

/// Logarithm of the density of `action`.
pub fn log_prob(mean: &[f32], log_std: &[f32], action: &[f32]) -> f32 {
    let mut sum = 0.0;
    for ((mean, log_std), action) in mean.iter().zip(log_std).zip(action) {
        let z = (action - mean) * (-log_std).exp();
        sum -= 0.5 * z * z + log_std + HALF_LOG_TWO_PI;
    }
    sum
}

/// Differential entropy, in nats.
pub fn entropy(log_std: &[f32]) -> f32 {
    log_std.iter().map(|log_std| log_std + 0.5 + HALF_LOG_TWO_PI).sum()
}

/// The divergence of the `new` Gaussian from the `old` one, KL(old ‖ new), in nats; each is a mean and
/// a logarithm of the standard deviation.
pub fn kl(old: [&[f32]; 2], new: [&[f32]; 2]) -> f32 {
    let mut sum = 0.0;
    for i in 0..old[0].len() {
        let ([old_mean, old_log], [mean, log]) = (old.map(|x| x[i]), new.map(|x| x[i]));
        let spread = (2.0 * old_log).exp() + (old_mean - mean).powi(2);
        sum += log - old_log + 0.5 * spread * (-2.0 * log).exp() - 0.5;
    }
    sum
}

/// [`log_prob`] of each row: `means` and `actions` are rows × actions, `log_std` 1 × actions; the
/// result is rows × 1.
pub(crate) fn log_probs(means: Tensor<2>, log_std: Tensor<2>, actions: Tensor<2>) -> Tensor<2> {
    let constant = HALF_LOG_TWO_PI * actions.dims()[1] as f32;
    let z = (actions - means) * log_std.clone().neg().exp();
    (z.square().mul_scalar(0.5).sum_dim(1) + log_std.sum_dim(1)).add_scalar(constant).neg()
}

/// [`entropy`] as a tensor; `log_std` is 1 × actions.
pub(crate) fn entropies(log_std: Tensor<2>) -> Tensor<1> {
    let constant = (0.5 + HALF_LOG_TWO_PI) * log_std.dims()[1] as f32;
    log_std.sum().add_scalar(constant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::numbers;
    use burn::tensor::{Device, TensorData};

    /// The closed form in f64, one dimension at a time.
    fn density(mean: f64, std: f64, x: f64) -> f64 {
        (-0.5 * ((x - mean) / std).powi(2)).exp() / (std * std::f64::consts::TAU.sqrt())
    }

    const MEAN: [f32; 3] = [0.1, -0.4, 2.0];
    const LOG_STD: [f32; 3] = [-1.0, 0.3, 0.0];

    #[test]
    fn the_log_probability_is_that_of_the_density() {
        let action = [0.3_f32, 0.5, 0.8];
        let expected: f64 = (0..3)
            .map(|i| density(MEAN[i].into(), f64::from(LOG_STD[i]).exp(), action[i].into()).ln())
            .sum();
        let plain = log_prob(&MEAN, &LOG_STD, &action);
        assert!((f64::from(plain) - expected).abs() < 1e-5, "{plain} for {expected}");
        let row = |x: [f32; 3]| {
            Tensor::<2>::from_data(TensorData::new(x.to_vec(), [1, 3]), &Device::flex())
        };
        let tensor = numbers(log_probs(row(MEAN), row(LOG_STD), row(action)))[0];
        assert!((f64::from(tensor) - expected).abs() < 1e-5, "{tensor} for {expected}");
        let tensor = numbers(entropies(row(LOG_STD)))[0];
        assert!((tensor - entropy(&LOG_STD)).abs() < 1e-5);
    }

    /// Integrates `f(x, density of x)` over one dimension by the midpoint rule.
    fn integral(mean: f64, std: f64, f: impl Fn(f64, f64) -> f64) -> f64 {
        let (n, width) = (20_000, 20.0 * std);
        let step = width / f64::from(n);
        (0..n)
            .map(|i| mean - 0.5 * width + (f64::from(i) + 0.5) * step)
            .map(|x| f(x, density(mean, std, x)) * step)
            .sum()
    }

    #[test]
    fn entropy_and_divergence_are_their_integrals() {
        let expected: f64 =
            (0..3).map(|i| integral(0.0, f64::from(LOG_STD[i]).exp(), |_, p| -p * p.ln())).sum();
        assert!((f64::from(entropy(&LOG_STD)) - expected).abs() < 1e-4);
        let (mean, log_std) = ([0.3_f32, -0.5, 1.5], [-0.8_f32, 0.1, 0.2]);
        let expected: f64 = (0..3)
            .map(|i| {
                let new = |x| density(mean[i].into(), f64::from(log_std[i]).exp(), x);
                let std = f64::from(LOG_STD[i]).exp();
                integral(MEAN[i].into(), std, |x, p| p * (p.ln() - new(x).ln()))
            })
            .sum();
        let found = kl([&MEAN, &LOG_STD], [&mean, &log_std]);
        assert!((f64::from(found) - expected).abs() < 1e-4, "{found} for {expected}");
        assert!(kl([&MEAN, &LOG_STD], [&MEAN, &LOG_STD]).abs() < 1e-6);
    }
}
