//! Tracks of numbers over time: rests at both ends, smoothing, and resampling by a cubic spline.

use dextra_core::signal::smooth_vectors;
use nalgebra::Vector3;

/// Repeats the first and the last row `count` times, so that a motion begins and ends at rest.
pub fn with_rests<T: Clone>(rows: &[T], count: usize) -> Vec<T> {
    let rest = |row: Option<&T>| row.map_or_else(Vec::new, |row| vec![row.clone(); count]);
    let (first, last) = (rest(rows.first()), rest(rows.last()));
    [first, rows.to_vec(), last].concat()
}

/// Smooths rows `[T][n]` over time with a Gaussian of `sigma` rows.
pub fn smooth(rows: &[Vec<f64>], sigma: f64) -> Vec<Vec<f64>> {
    let width = rows.first().map_or(0, Vec::len);
    let mut smoothed = rows.to_vec();
    for column in 0..width {
        let track: Vec<Vector3<f64>> =
            rows.iter().map(|row| Vector3::new(row[column], 0.0, 0.0)).collect();
        for (row, value) in smoothed.iter_mut().zip(smooth_vectors(&track, sigma)) {
            row[column] = value.x;
        }
    }
    smoothed
}

/// A cubic spline through rows that are evenly spaced in time, at rest at both ends.
#[derive(Clone, Debug)]
pub struct Stream {
    rows: Vec<Vec<f64>>,
    /// Slopes at the rows, per row.
    slopes: Vec<Vec<f64>>,
    dt: f64,
}

impl Stream {
    /// A spline through `rows`, `dt` seconds apart.
    ///
    /// # Panics
    /// Without rows, or with rows of different length.
    pub fn new(rows: Vec<Vec<f64>>, dt: f64) -> Stream {
        let (count, width) = (rows.len(), rows[0].len());
        let mut slopes = vec![vec![0.0; width]; count];
        // Equal second derivatives on both sides of every inner row: s[i-1] + 4 s[i] + s[i+1] = 3 (y[i+1] - y[i-1]),
        // solved by elimination; the slopes at the ends are zero.
        for column in 0..width {
            let mut upper = vec![0.0; count];
            for i in 1..count.saturating_sub(1) {
                let right = 3.0 * (rows[i + 1][column] - rows[i - 1][column]);
                let pivot = 4.0 - upper[i - 1];
                upper[i] = 1.0 / pivot;
                slopes[i][column] = (right - slopes[i - 1][column]) / pivot;
            }
            for i in (1..count.saturating_sub(1)).rev() {
                slopes[i][column] -= upper[i] * slopes[i + 1][column];
            }
        }
        Stream { rows, slopes, dt }
    }

    /// Seconds from the first to the last row.
    pub fn duration(&self) -> f64 {
        (self.rows.len() - 1) as f64 * self.dt
    }

    /// The row at `time` seconds; the ends beyond them.
    pub fn at(&self, time: f64) -> Vec<f64> {
        let position = (time / self.dt).clamp(0.0, (self.rows.len() - 1) as f64);
        let index = (position.floor() as usize).min(self.rows.len().saturating_sub(2));
        let u = position - index as f64;
        let next = (index + 1).min(self.rows.len() - 1);
        let (u2, u3) = (u * u, u * u * u);
        let weights = [2.0 * u3 - 3.0 * u2 + 1.0, u3 - 2.0 * u2 + u, 3.0 * u2 - 2.0 * u3, u3 - u2];
        (0..self.rows[0].len())
            .map(|column| {
                weights[0] * self.rows[index][column]
                    + weights[1] * self.slopes[index][column]
                    + weights[2] * self.rows[next][column]
                    + weights[3] * self.slopes[next][column]
            })
            .collect()
    }

    /// Rows at `rate` per second, with time stretched by `time_scale`; the last one is at or after the end.
    pub fn resampled(&self, rate: f64, time_scale: f64) -> Vec<Vec<f64>> {
        let count = (self.duration() * time_scale * rate - 1e-9).ceil().max(0.0) as usize + 1;
        (0..count).map(|i| self.at(i as f64 / rate / time_scale)).collect()
    }
}
