//! Measurement noise like that of a hand and object tracker.

use nalgebra::Vector3;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

/// How noisy a synthetic clip is. Lengths are root mean squares of the 3D displacement.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseConfig {
    /// Constant displacement of a whole hand, metres.
    pub hand_bias: f64,
    /// Wandering displacement of a whole hand, metres.
    pub wrist: f64,
    /// Wandering displacement of each keypoint but the wrist, metres.
    pub finger: f64,
    /// Wandering displacement of the object, metres.
    pub object: f64,
    /// Wandering rotation of the object about its own origin, radians.
    pub object_angle: f64,
    /// Time after which the wandering is still correlated by about 0.4 with itself, seconds.
    pub correlation: f64,
}

impl Default for NoiseConfig {
    /// About 1 cm on keypoints, 2 mm and 1 deg on the object.
    fn default() -> Self {
        NoiseConfig {
            hand_bias: 0.007,
            wrist: 0.003,
            finger: 0.005,
            object: 0.002,
            object_angle: 1f64.to_radians(),
            correlation: 0.2,
        }
    }
}

impl NoiseConfig {
    /// No noise: the clean clip.
    pub fn none() -> Self {
        Self::default().times(0.0)
    }

    /// The same with every length and angle `factor` times as large.
    pub fn times(self, factor: f64) -> Self {
        NoiseConfig {
            hand_bias: self.hand_bias * factor,
            wrist: self.wrist * factor,
            finger: self.finger * factor,
            object: self.object * factor,
            object_angle: self.object_angle * factor,
            correlation: self.correlation,
        }
    }
}

/// An independent stream of random numbers for each part of a clip, so that a change to one leaves
/// the others as they were.
pub fn stream(seed: u64, part: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ part)
}

/// A direction drawn uniformly from the sphere, times `length`.
pub fn constant(random: &mut Pcg64Mcg, length: f64) -> Vector3<f64> {
    gaussian(random).try_normalize(1e-12).unwrap_or_else(Vector3::x) * length
}

/// A stationary Ornstein-Uhlenbeck process of 3D root mean square `rms` and time constant
/// `correlation` (seconds), sampled `frames` times at `fps`.
pub fn wander(
    random: &mut Pcg64Mcg,
    frames: usize,
    fps: f64,
    rms: f64,
    correlation: f64,
) -> Vec<Vector3<f64>> {
    let keep = (-1.0 / (fps * correlation)).exp();
    let kick = (1.0 - keep * keep).sqrt();
    let mut value = gaussian(random);
    (0..frames)
        .map(|_| {
            let now = value;
            value = value * keep + gaussian(random) * kick;
            now * (rms / 3f64.sqrt())
        })
        .collect()
}

/// Like [`wander`] but smooth: the process is filtered once more with the same time constant
/// (half of `correlation` each), so that its velocity is finite.
pub fn smooth_wander(
    random: &mut Pcg64Mcg,
    frames: usize,
    fps: f64,
    rms: f64,
    correlation: f64,
) -> Vec<Vector3<f64>> {
    let half = correlation / 2.0;
    // Ten time constants let the filter forget its start.
    let lead = (5.0 * correlation * fps).ceil() as usize;
    let rough = wander(random, frames + lead, fps, rms, half);
    let a = (-1.0 / (fps * half)).exp();
    // The variance of y <- a y + (1 - a) x, with x of unit variance and the same memory a, is
    // (1 - a)^2 (1 + a^2) / (1 - a^2)^2 = (1 + a^2) / (1 + a)^2.
    let gain = (1.0 + a) / (1.0 + a * a).sqrt();
    let mut value = Vector3::zeros();
    let mut out = Vec::with_capacity(frames);
    for (i, x) in rough.iter().enumerate() {
        value = value * a + x * (1.0 - a);
        if i >= lead {
            out.push(value * gain);
        }
    }
    out
}

fn gaussian(random: &mut Pcg64Mcg) -> Vector3<f64> {
    Vector3::from_fn(|_, _| StandardNormal.sample(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rms(values: &[Vector3<f64>]) -> f64 {
        (values.iter().map(|v| v.norm_squared()).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn both_processes_have_the_stated_size() {
        let long = 200_000;
        let rough = wander(&mut stream(1, 0), long, 60.0, 0.005, 0.2);
        let smooth = smooth_wander(&mut stream(1, 1), long, 60.0, 0.005, 0.2);
        assert!((rms(&rough) / 0.005 - 1.0).abs() < 0.05, "{}", rms(&rough));
        assert!((rms(&smooth) / 0.005 - 1.0).abs() < 0.05, "{}", rms(&smooth));
    }

    #[test]
    fn noise_is_scaled_whole() {
        assert_eq!(NoiseConfig::default().times(1.0), NoiseConfig::default());
        let NoiseConfig { hand_bias, wrist, finger, object, object_angle, correlation } =
            NoiseConfig::default().times(2.0);
        let twice = [hand_bias, wrist, finger, object, object_angle.to_degrees(), correlation];
        let wanted = [0.014, 0.006, 0.01, 0.004, 2.0, 0.2];
        assert!(twice.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{twice:?}");
    }

    #[test]
    fn smooth_noise_has_a_finite_velocity() {
        // sigma / (correlation / 2) is the velocity of the continuous process.
        let smooth = smooth_wander(&mut stream(2, 0), 100_000, 600.0, 0.002, 0.2);
        let steps: Vec<_> = smooth.windows(2).map(|w| (w[1] - w[0]) * 600.0).collect();
        assert!((rms(&steps) / 0.02 - 1.0).abs() < 0.15, "{}", rms(&steps));
    }

    #[test]
    fn streams_differ_by_seed_and_by_part() {
        let draw = |seed, part| gaussian(&mut stream(seed, part));
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }
}
