//! `metrics.jsonl`: one line per iteration.

use crate::LearnError;
use dextra_data::atomic::{read_file, write_file};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Largest file that is read when training resumes.
const SIZE_LIMIT: u64 = 1 << 30;

/// What one iteration did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IterationMetrics {
    /// From 1.
    pub iteration: u64,
    /// Environment steps so far, over all worlds.
    pub steps: u64,
    /// Episodes that ended in this iteration.
    pub episodes: u64,
    /// Their mean sum of rewards; `None` where no episode ended.
    pub mean_return: Option<f64>,
    /// Their mean length in steps; `None` where no episode ended.
    pub mean_length_steps: Option<f64>,
    /// Mean reward per step.
    pub mean_reward: f64,
    /// Clipped surrogate loss.
    pub surrogate_loss: f32,
    /// Value loss, in units of the scaled return.
    pub value_loss: f32,
    /// Bounds loss before its weight.
    pub bounds_loss: f32,
    /// Entropy of the policy.
    pub entropy_nat: f32,
    /// Mean divergence of the policy during the update from the one that acted.
    pub kl_nat: f32,
    /// Mean norm of gradients before they were limited.
    pub gradient_norm: f32,
    /// Learning rate after the update.
    pub learning_rate: f64,
    /// Mean standard deviation of actions after the update.
    pub action_std: f32,
    /// Seconds in the environment.
    pub env_s: f64,
    /// Seconds in everything else.
    pub learning_s: f64,
}

/// The open file.
pub(crate) struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens `path` for what follows `iteration`. Lines of later iterations, which a resumed training
    /// repeats, and what is left of a torn last line are removed.
    pub fn open(path: &Path, iteration: u64) -> Result<Self, LearnError> {
        let mut kept = Vec::new();
        if path.exists() {
            for line in read_file(path, SIZE_LIMIT)?.split_inclusive(|byte| *byte == b'\n') {
                let parsed = serde_json::from_slice::<IterationMetrics>(line);
                let whole = line.ends_with(b"\n");
                if parsed.is_ok_and(|m| whole && m.iteration <= iteration) {
                    kept.extend_from_slice(line);
                }
            }
        }
        write_file(path, &kept)?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(|e| LearnError::io(path, "append to", e))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one line.
    pub fn write(&mut self, metrics: &IterationMetrics) -> Result<(), LearnError> {
        let mut line = serde_json::to_vec(metrics)
            .map_err(|e| LearnError::format(&self.path, format!("cannot be put together: {e}")))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|e| LearnError::io(&self.path, "append to", e))
    }
}
