//! Running mean and variance, and the scaling that follows from them.

/// Added to variances, so that constant inputs scale to zero instead of dividing by it.
const EPSILON: f64 = 1e-8;

/// Count, mean and sum of squared deviations of rows that came in batches.
///
/// Batches merge as in Chan, Golub and LeVeque (1979), equation 2.1; in f64, in the order of calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Rows seen.
    pub count: f64,
    /// Mean per column.
    pub mean: Vec<f64>,
    /// Sum of squared deviations from the mean, per column.
    pub squares: Vec<f64>,
}

impl Moments {
    /// Nothing seen yet, of rows with `size` columns.
    pub fn new(size: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; size], squares: vec![0.0; size] }
    }

    /// Adds the rows of `batch` (rows × size).
    pub fn push(&mut self, batch: &[f32]) {
        let size = self.mean.len();
        debug_assert_eq!(batch.len() % size, 0);
        let mut new = Self::new(size);
        new.count = (batch.len() / size) as f64;
        if batch.is_empty() {
            return;
        }
        for row in batch.chunks_exact(size) {
            for (mean, x) in new.mean.iter_mut().zip(row) {
                *mean += f64::from(*x);
            }
        }
        new.mean.iter_mut().for_each(|mean| *mean /= new.count);
        for row in batch.chunks_exact(size) {
            for ((squares, mean), x) in new.squares.iter_mut().zip(&new.mean).zip(row) {
                *squares += (f64::from(*x) - mean).powi(2);
            }
        }
        self.merge(&new);
    }

    /// Adds what `other` has seen.
    pub fn merge(&mut self, other: &Moments) {
        let total = self.count + other.count;
        if other.count == 0.0 {
            return;
        }
        for i in 0..self.mean.len() {
            let delta = other.mean[i] - self.mean[i];
            self.mean[i] += delta * other.count / total;
            self.squares[i] += other.squares[i] + delta * delta * self.count * other.count / total;
        }
        self.count = total;
    }

    /// Variance of column `i` (of the population; one before anything was seen).
    pub fn variance(&self, i: usize) -> f64 {
        if self.count == 0.0 { 1.0 } else { self.squares[i] / self.count }
    }

    /// The scaling with these moments, frozen.
    pub fn scaler(&self, clip: f32) -> Scaler {
        let std = (0..self.mean.len()).map(|i| (self.variance(i) + EPSILON).sqrt() as f32);
        Scaler::new(self.mean.iter().map(|mean| *mean as f32).collect(), std.collect(), clip)
    }
}

/// Shifts and scales rows: `clamp((x − mean) / std, ±clip)` per column.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    /// Mean per column.
    pub mean: Vec<f32>,
    /// Standard deviation per column.
    pub std: Vec<f32>,
    /// Largest magnitude of the result.
    pub clip: f32,
    inverse: Vec<f32>,
}

impl Scaler {
    /// A scaling from its numbers; every standard deviation must be above zero.
    pub fn new(mean: Vec<f32>, std: Vec<f32>, clip: f32) -> Self {
        let inverse = std.iter().map(|std| 1.0 / std).collect();
        Self { mean, std, clip, inverse }
    }

    /// Scales `rows` (rows × size) into `out`.
    pub fn apply(&self, rows: &[f32], out: &mut [f32]) {
        let size = self.mean.len();
        for (row, out) in rows.chunks_exact(size).zip(out.chunks_exact_mut(size)) {
            for i in 0..size {
                let scaled = (row[i] - self.mean[i]) * self.inverse[i];
                out[i] = scaled.clamp(-self.clip, self.clip);
            }
        }
    }

    /// One value of column 0 without clipping.
    pub fn scale_one(&self, x: f32) -> f32 {
        (x - self.mean[0]) * self.inverse[0]
    }

    /// The inverse of [`Scaler::scale_one`].
    pub fn unscale_one(&self, scaled: f32) -> f32 {
        scaled * self.std[0] + self.mean[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64;

    #[test]
    fn batches_of_any_size_give_the_mean_and_variance_of_all_rows() {
        let mut rng = Pcg64::seed_from_u64(3);
        // Column 1 lies far from zero: the sum of squares alone would lose its variance.
        let rows: Vec<[f32; 2]> = (0..1000)
            .map(|_| [rng.random_range(-1.0..3.0), 1.0e4 + rng.random_range(-0.5..0.5)])
            .collect();
        let mut moments = Moments::new(2);
        let mut at = 0;
        for size in [1, 2, 0, 500, 7, 490] {
            moments.push(&rows[at..at + size].concat());
            at += size;
        }
        assert_eq!(at, rows.len());
        for column in 0..2 {
            let values: Vec<f64> = rows.iter().map(|row| f64::from(row[column])).collect();
            let mean = values.iter().sum::<f64>() / 1000.0;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1000.0;
            assert!((moments.mean[column] - mean).abs() < 1e-9 * mean.abs().max(1.0));
            assert!((moments.variance(column) - variance).abs() < 1e-9, "column {column}");
        }
    }

    #[test]
    fn merging_with_nothing_changes_nothing() {
        let mut moments = Moments::new(1);
        moments.push(&[1.0, 3.0]);
        let before = moments.clone();
        moments.merge(&Moments::new(1));
        assert_eq!(moments, before);
        let mut empty = Moments::new(1);
        empty.merge(&before);
        assert_eq!(empty, before);
    }

    #[test]
    fn scaled_rows_are_clipped_and_scaling_inverts() {
        let mut moments = Moments::new(1);
        moments.push(&[2.0, 6.0]);
        let scaler = moments.scaler(5.0);
        let mut out = [0.0; 3];
        scaler.apply(&[4.0, 8.0, 1000.0], &mut out);
        assert!(out[0].abs() < 1e-6 && (out[1] - 2.0).abs() < 1e-6 && out[2] == 5.0, "{out:?}");
        assert!((scaler.unscale_one(scaler.scale_one(-7.5)) + 7.5).abs() < 1e-5);
    }

    #[test]
    fn before_anything_was_seen_scaling_does_nothing() {
        let mut out = [0.0; 2];
        Moments::new(2).scaler(5.0).apply(&[0.25, -3.0], &mut out);
        assert!((out[0] - 0.25).abs() < 1e-6 && (out[1] + 3.0).abs() < 1e-6);
    }
}
