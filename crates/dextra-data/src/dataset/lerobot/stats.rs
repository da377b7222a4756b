//! The statistics that LeRobot's policies normalise by.
//!
//! Minimum, maximum, mean, standard deviation and quantiles of every number over the steps of an
//! episode. Over episodes they are combined as LeRobot's `aggregate_stats` does: pooled variance,
//! and quantiles as means weighted by the number of steps, which is an approximation. Within an
//! episode quantiles are exact (linear between neighbours), where LeRobot takes them from histograms.

use serde_json::{Value, json};

/// Names, in the order of [`Stats::values`].
pub const NAMES: [&str; 9] = ["min", "max", "mean", "std", "q01", "q10", "q50", "q90", "q99"];
const QUANTILES: [f64; 5] = [0.01, 0.1, 0.5, 0.9, 0.99];

/// Statistics of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// By [`NAMES`], `[9][n]`.
    pub values: [Vec<f64>; 9],
    /// Steps.
    pub count: u64,
}

impl Stats {
    /// Those of `steps` rows of `width` numbers; `value` is called with row and column.
    pub fn of(steps: usize, width: usize, value: impl Fn(usize, usize) -> f64) -> Stats {
        let mut stats = Stats { values: Default::default(), count: steps as u64 };
        let mut column = Vec::with_capacity(steps);
        for at in 0..width {
            column.clear();
            column.extend((0..steps).map(|step| value(step, at)));
            let mean = column.iter().sum::<f64>() / steps as f64;
            let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / steps as f64;
            column.sort_unstable_by(f64::total_cmp);
            let quantile = |q: f64| {
                let place = q * (steps - 1) as f64;
                let below = column[place as usize];
                let above = column[(place as usize + 1).min(steps - 1)];
                below + (above - below) * place.fract()
            };
            let first = [column[0], column[steps - 1], mean, variance.sqrt()];
            let all = first.into_iter().chain(QUANTILES.map(quantile));
            self::push(&mut stats.values, all);
        }
        stats
    }

    /// Adds those of other steps.
    pub fn merge(&mut self, other: &Stats) {
        let (n, m) = (self.count as f64, other.count as f64);
        let total = (n + m).max(1.0);
        for at in 0..self.values[0].len().min(other.values[0].len()) {
            let value = |row: usize| (self.values[row][at], other.values[row][at]);
            let weighted = |row: usize| (value(row).0 * n + value(row).1 * m) / total;
            let mean = weighted(2);
            let spread = |std: f64, own: f64| std * std + (own - mean).powi(2);
            let variance =
                (spread(value(3).0, value(2).0) * n + spread(value(3).1, value(2).1) * m) / total;
            let first = [value(0).0.min(value(0).1), value(1).0.max(value(1).1), mean];
            let quantiles = [4, 5, 6, 7, 8].map(weighted);
            let all = first.into_iter().chain([variance.sqrt()]).chain(quantiles);
            for (row, x) in all.enumerate() {
                self.values[row][at] = x;
            }
        }
        self.count += other.count;
    }

    /// As `stats.json` has it.
    pub fn json(&self) -> Value {
        let mut map = serde_json::Map::new();
        for (name, values) in NAMES.iter().zip(&self.values) {
            map.insert((*name).to_owned(), json!(values));
        }
        map.insert("count".to_owned(), json!([self.count]));
        Value::Object(map)
    }

    /// Reads what [`Stats::json`] writes, of `width` finite numbers.
    pub fn from_json(value: &Value, width: usize) -> Option<Stats> {
        let mut stats = Stats { values: Default::default(), count: value["count"][0].as_u64()? };
        for (row, name) in stats.values.iter_mut().zip(NAMES) {
            *row = value[name].as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
            if row.len() != width {
                return None;
            }
        }
        Some(stats)
    }
}

fn push(rows: &mut [Vec<f64>; 9], values: impl Iterator<Item = f64>) {
    for (row, value) in rows.iter_mut().zip(values) {
        row.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_a_ramp_are_known() {
        let stats = Stats::of(101, 2, |step, column| step as f64 * (1.0 - 2.0 * column as f64));
        assert_eq!([0, 1, 2].map(|row| stats.values[row][0]), [0.0, 100.0, 50.0]);
        assert!((stats.values[3][1] - 850f64.sqrt()).abs() < 1e-9);
        let quantiles = [4, 5, 6, 7, 8].map(|row| stats.values[row][1]);
        let expected = [-99.0, -90.0, -50.0, -10.0, -1.0];
        assert!(quantiles.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{quantiles:?}");
    }

    #[test]
    fn merged_ones_are_those_of_all_steps() {
        let value = |step: usize| ((step * 37) % 101) as f64;
        let mut merged = Stats::of(40, 1, |step, _| value(step));
        merged.merge(&Stats::of(61, 1, |step, _| value(step + 40)));
        let whole = Stats::of(101, 1, |step, _| value(step));
        assert_eq!(merged.count, 101);
        for row in 0..4 {
            assert!((merged.values[row][0] - whole.values[row][0]).abs() < 1e-9, "{}", NAMES[row]);
        }
        assert_eq!(Stats::from_json(&merged.json(), 1).unwrap(), merged);
        assert_eq!(Stats::from_json(&merged.json(), 2), None);
    }
}
