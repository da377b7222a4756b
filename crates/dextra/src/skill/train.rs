//! Training a skill: in pieces, each followed by a validation in the true world; the best policy stays.

use super::recipe::Recipe;
use super::trials::{self, FAR, MAIN};
use super::worlds::Worlds;
use crate::clock::cpu_seconds;
use crate::error::Error;
use crate::progress::Reporter;
use dextra_data::atomic;
use dextra_learn::{Env, IterationMetrics, LearnError, Policy};
use dextra_motion::track::{Task, TrackConfig, TrackEnv};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;

/// Stage name in errors and progress.
const STAGE: &str = "policy";
/// Folder of the best policy.
pub const BEST: &str = "best";
/// Folder of checkpoints and `metrics.jsonl`.
pub const TRAINING: &str = "training";
/// File of the validations.
pub const VALIDATION: &str = "validation.jsonl";

/// What one validation saw, in the true world.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validated {
    /// After so many iterations.
    pub iteration: u64,
    /// Control steps learned from so far, over all worlds.
    pub steps: u64,
    /// Processor time since training began, seconds.
    pub cpu_s: f64,
    /// Share of successes with the object 1 cm and up to 5 degrees off.
    pub near: f64,
    /// Mean share over this, 2 cm and 10 degrees, and 1 cm with half and 1.5 times the mass, friction 0.6
    /// and actions one step late.
    pub mean: f64,
}

impl Validated {
    fn better_than(&self, other: &Self) -> bool {
        self.near + self.mean > other.near + other.mean
    }
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The best validation, whose policy lies in [`BEST`].
    pub best: Validated,
    /// The last one.
    pub last: Validated,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Trains a policy for `task` in `dir`; goes on where an earlier training there was interrupted.
///
/// # Errors
/// Settings that make no sense, files that cannot be written, a training that leaves the real numbers
/// before it has a good policy, and [`Error::Cancelled`].
pub fn train(
    task: Task<'_>,
    recipe: &Recipe,
    (seed, threads): (u64, usize),
    dir: &Path,
    reporter: &dyn Reporter,
) -> Result<Trained, Error> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    atomic::write_file(&dir.join("recipe.toml"), recipe.text()?.as_bytes())
        .map_err(Error::stage(STAGE))?;
    let config = TrackConfig { threads, ..recipe.track.clone() };
    let hands = task.hands;
    let env = TrackEnv::new(task, config).map_err(Error::stage(STAGE))?;
    let mut worlds = Worlds::new(env, hands);
    let mut log = Log::open(dir)?;
    reporter.stage(STAGE, Some(recipe.iterations));
    let began = cpu_seconds() - log.validations.last().map_or(0.0, |v| v.cpu_s);
    let mut notes = Vec::new();
    loop {
        // What the policy is before it has learned anything, the base, is validated first.
        let until = match log.validations.last() {
            Some(last) if last.iteration >= recipe.iterations || enough(recipe, last) => break,
            Some(last) => (last.iteration + recipe.validation.every).min(recipe.iterations),
            None => 0,
        };
        let config = recipe.training(seed, until);
        let folder = dir.join(TRAINING);
        let shown = log.validations.last().copied();
        let mut watch = |metrics: &IterationMetrics| {
            reporter.advance(metrics.iteration, &status(metrics, shown));
            if reporter.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let trained = match dextra_learn::train(&mut worlds, &config, &folder, &mut watch) {
            Ok(trained) if trained.interrupted && trained.learner.iteration < until => {
                return Err(Error::Cancelled { stage: STAGE.to_owned() });
            }
            Ok(trained) => trained,
            Err(error @ LearnError::Stopped { .. }) if log.best.is_some() => {
                notes.push(format!("training stopped early, the best policy is kept: {error}"));
                break;
            }
            Err(error) => return Err(Error::stage(STAGE)(error)),
        };
        let policy = Policy::load(&trained.checkpoint, worlds.contract());
        let policy = policy.map_err(Error::stage(STAGE))?;
        let (near, mean) = validate(&mut worlds, &policy, seed, recipe.validation.trials)?;
        let (iteration, steps) = (trained.learner.iteration, trained.learner.steps);
        let cpu_s = cpu_seconds() - began;
        log.add(Validated { iteration, steps, cpu_s, near, mean }, &trained.checkpoint)?;
    }
    let (Some(best), Some(&last)) = (log.best, log.validations.last()) else {
        return Err(Error::Request("the training validated nothing".to_owned()));
    };
    Ok(Trained { best, last, notes })
}

/// Successes near the plan, and the mean over all that is asked, on draws of their own.
fn validate(
    worlds: &mut Worlds<'_>,
    policy: &Policy,
    seed: u64,
    trials: usize,
) -> Result<(f64, f64), Error> {
    const OTHER_DRAWS: u64 = 7919;
    let (mut near, mut sum, mut count) = (0.0, 0.0, 0usize);
    for protocol in trials::protocols(seed.wrapping_add(OTHER_DRAWS)) {
        let main = protocol.name == MAIN;
        if !(main || protocol.name == FAR || protocol.name.starts_with("1 cm,")) {
            continue;
        }
        let played = trials::play(&mut worlds.env, Some(policy), &protocol.perturbation, trials)?;
        let share = played.successes as f64 / trials as f64;
        near = if main { share } else { near };
        (sum, count) = (sum + share, count + 1);
    }
    Ok((near, sum / count as f64))
}

fn enough(recipe: &Recipe, validated: &Validated) -> bool {
    validated.near >= recipe.validation.enough && validated.mean >= recipe.validation.enough_mean
}

fn status(metrics: &IterationMetrics, validated: Option<Validated>) -> String {
    let reward = format!("reward {:.2}", metrics.mean_reward);
    match validated {
        Some(v) => format!("{reward}, success {:.2} near, {:.2} in the mean", v.near, v.mean),
        None => reward,
    }
}

/// The validations so far, and the best of them.
struct Log {
    path: std::path::PathBuf,
    best_dir: std::path::PathBuf,
    validations: Vec<Validated>,
    best: Option<Validated>,
}

impl Log {
    fn open(dir: &Path) -> Result<Self, Error> {
        const SIZE_LIMIT: u64 = 1 << 26;
        let (path, best_dir) = (dir.join(VALIDATION), dir.join(BEST));
        let mut log = Self { path, best_dir, validations: Vec::new(), best: None };
        if log.path.exists() && log.best_dir.join("policy.json").exists() {
            let bytes = atomic::read_file(&log.path, SIZE_LIMIT).map_err(Error::stage(STAGE))?;
            for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                let line = serde_json::from_slice(line).map_err(Error::stage(STAGE))?;
                log.note(line);
            }
        }
        Ok(log)
    }

    /// Remembers a validation; whether it is the best so far.
    fn note(&mut self, validated: Validated) -> bool {
        self.validations.push(validated);
        let better = self.best.is_none_or(|best| validated.better_than(&best));
        if better {
            self.best = Some(validated);
        }
        better
    }

    /// Writes a validation down, and keeps the policy of `checkpoint` where it is the best so far.
    fn add(&mut self, validated: Validated, checkpoint: &Path) -> Result<(), Error> {
        if self.note(validated) {
            let best = &self.best_dir;
            std::fs::create_dir_all(best).map_err(Error::io("create", best))?;
            for name in ["policy.safetensors", "policy.json"] {
                let from = checkpoint.join(name);
                let bytes = std::fs::read(&from).map_err(Error::io("read", &from))?;
                atomic::write_file(&best.join(name), &bytes).map_err(Error::stage(STAGE))?;
            }
        }
        let mut text = Vec::new();
        for validation in &self.validations {
            serde_json::to_writer(&mut text, validation).map_err(Error::stage(STAGE))?;
            text.push(b'\n');
        }
        atomic::write_file(&self.path, &text).map_err(Error::stage(STAGE))
    }
}
