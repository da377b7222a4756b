//! Training a skill: in pieces, each followed by a validation in the true world; the best policy stays.

use super::actor::{Actor, IMITATOR, Imitator};
use super::recipe::{ImitatorRecipe, Recipe};
use super::trials::{self, FAR, MAIN};
use super::worlds::{Parts, Worlds, contract};
use crate::clock::cpu_seconds;
use crate::error::Error;
use crate::film::write_png;
use crate::plots::learning;
use crate::progress::Reporter;
use dextra_data::atomic;
use dextra_learn::{Damaged, IterationMetrics, LearnError, TrainConfig};
use dextra_motion::track::{Task, TrackConfig, TrackEnv, TrackError};
use dextra_sim::scene::Scene;
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

/// Trains a policy for `task` in `dir`; goes on where an earlier training there was interrupted. `hands_alone`
/// is the scene without objects, for a recipe with an imitator; pictures carry `notice`.
///
/// # Errors
/// Settings that make no sense, files that cannot be written, a training that leaves the real numbers
/// before it has a good policy, and [`Error::Cancelled`].
pub fn train(
    task: Task<'_>,
    hands_alone: Option<&Scene>,
    recipe: &Recipe,
    (seed, threads): (u64, usize),
    dir: &Path,
    notice: &str,
    reporter: &dyn Reporter,
) -> Result<Trained, Error> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    atomic::write_file(&dir.join("recipe.toml"), recipe.text()?.as_bytes())
        .map_err(Error::stage(STAGE))?;
    let config = TrackConfig { threads, ..recipe.track.clone() };
    let hands = task.hands;
    let alone = hands_alone.map(|scene| task.object_free(scene));
    let mut notes = Vec::new();
    if let (Some(recipe), Some(alone)) = (&recipe.imitator, &alone) {
        imitate(alone.clone(), recipe, (seed, threads), dir, &mut notes, reporter)?;
    }
    let env = TrackEnv::new(task, config).map_err(Error::stage(STAGE))?;
    let imitator = match (&recipe.imitator, &alone) {
        (Some(recipe), Some(alone)) => Some(imitator(alone.clone(), recipe, dir, &env)?),
        _ => None,
    };
    let mut worlds = Worlds::new(env, hands, imitator.clone());
    let mut log = Log::open(dir)?;
    reporter.stage(STAGE, Some(recipe.iterations));
    let began = cpu_seconds() - log.validations.last().map_or(0.0, |v| v.cpu_s);
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
        tell_damaged(&trained.damaged, &mut notes);
        let actor = Actor::load(&trained.checkpoint, &worlds.env, hands, imitator.clone())?;
        let (near, mean) = validate(&mut worlds, &actor, seed, recipe.validation.trials)?;
        let (iteration, steps) = (trained.learner.iteration, trained.learner.steps);
        let cpu_s = cpu_seconds() - began;
        log.add(Validated { iteration, steps, cpu_s, near, mean }, &trained.checkpoint)?;
        picture(dir, &recipe.name, &log, notice)?;
    }
    picture(dir, &recipe.name, &log, notice)?;
    let (Some(best), Some(&last)) = (log.best, log.validations.last()) else {
        return Err(Error::Request("the training validated nothing".to_owned()));
    };
    Ok(Trained { best, last, notes })
}

/// Trains the imitator of hand motion.
fn imitate(
    alone: Task<'_>,
    recipe: &ImitatorRecipe,
    (seed, threads): (u64, usize),
    dir: &Path,
    notes: &mut Vec<String>,
    reporter: &dyn Reporter,
) -> Result<(), Error> {
    const EVERY: u64 = 20;
    let hands = alone.hands;
    let all = recipe.track.worlds;
    let image = if recipe.mirror && all > 1 { mirrored(&alone, notes)? } else { None };
    let half = if image.is_some() { all / 2 } else { 0 };
    let parts = [(Some(alone), all - half), (image, half)];
    let parts = parts.into_iter().filter_map(|(task, worlds)| Some((task?, worlds)));
    let parts = parts.map(|(task, worlds)| {
        let config = TrackConfig { threads, worlds, ..recipe.track.clone() };
        let env = TrackEnv::new(task, config).map_err(Error::stage(STAGE))?;
        Ok(Worlds::new(env, hands, None))
    });
    let mut worlds = Parts::new(parts.collect::<Result<_, Error>>()?);
    reporter.stage(IMITATOR, Some(recipe.iterations));
    let config = TrainConfig {
        seed,
        iterations: recipe.iterations,
        checkpoint_every: EVERY,
        checkpoints_kept: 1,
        network: recipe.network.clone(),
        ppo: recipe.ppo,
    };
    let mut watch = |metrics: &IterationMetrics| {
        reporter.advance(metrics.iteration, &status(metrics, None));
        if reporter.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let folder = dir.join(IMITATOR);
    let trained = dextra_learn::train(&mut worlds, &config, &folder.join(TRAINING), &mut watch)
        .map_err(Error::stage(STAGE))?;
    tell_damaged(&trained.damaged, notes);
    if trained.learner.iteration < recipe.iterations {
        return Err(Error::Cancelled { stage: IMITATOR.to_owned() });
    }
    keep(&trained.checkpoint, &folder.join(BEST))
}

/// Says which checkpoints were of no use.
fn tell_damaged(damaged: &[Damaged], notes: &mut Vec<String>) {
    notes.extend(damaged.iter().map(|Damaged { folder, problem }| {
        let folder = folder.display();
        format!("a damaged checkpoint was set aside as {folder}, and an older one taken: {problem}")
    }));
}

/// The mirror image of a motion of two hands; where it has none, a note says why.
fn mirrored<'a>(alone: &Task<'a>, notes: &mut Vec<String>) -> Result<Option<Task<'a>>, Error> {
    match alone.mirrored() {
        Err(error @ TrackError::Mirror(_)) => {
            notes.push(format!("the imitator learns without the mirror image: {error}"));
            Ok(None)
        }
        found => found.map_err(Error::stage(STAGE)),
    }
}

/// The trained imitator of a skill in `dir`, for the environment above it.
pub(crate) fn imitator(
    alone: Task<'_>,
    recipe: &ImitatorRecipe,
    dir: &Path,
    env: &TrackEnv<'_>,
) -> Result<Imitator, Error> {
    let hands = alone.hands;
    let config = TrackConfig { threads: 1, worlds: 1, ..recipe.track.clone() };
    let small = TrackEnv::new(alone, config).map_err(Error::stage(STAGE))?;
    Imitator::load(&dir.join(IMITATOR).join(BEST), &contract(&small, hands), env)
}

/// Copies the policy of a checkpoint.
fn keep(checkpoint: &Path, best: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(best).map_err(Error::io("create", best))?;
    for name in ["policy.safetensors", "policy.json"] {
        let from = checkpoint.join(name);
        let bytes = std::fs::read(&from).map_err(Error::io("read", &from))?;
        atomic::write_file(&best.join(name), &bytes).map_err(Error::stage(STAGE))?;
    }
    Ok(())
}

/// Successes near the plan, and the mean over all that is asked, on draws of their own.
fn validate(
    worlds: &mut Worlds<'_>,
    actor: &Actor,
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
        let played = trials::play(&mut worlds.env, Some(actor), &protocol.perturbation, trials)?;
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

/// Writes `learning.png`.
fn picture(dir: &Path, recipe: &str, log: &Log, notice: &str) -> Result<(), Error> {
    const SIZE_LIMIT: u64 = 1 << 30;
    let path = dir.join(TRAINING).join("metrics.jsonl");
    let bytes = atomic::read_file(&path, SIZE_LIMIT).map_err(Error::stage(STAGE))?;
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let metrics: Vec<IterationMetrics> =
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let title = format!("how the policy learned, recipe {recipe}");
    let image = learning::draw(&title, &metrics, &log.validations);
    write_png(&image, &dir.join("learning.png"), Some(notice)).map_err(Error::stage(STAGE))
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
            keep(checkpoint, &self.best_dir)?;
        }
        let mut text = Vec::new();
        for validation in &self.validations {
            serde_json::to_writer(&mut text, validation).map_err(Error::stage(STAGE))?;
            text.push(b'\n');
        }
        atomic::write_file(&self.path, &text).map_err(Error::stage(STAGE))
    }
}
