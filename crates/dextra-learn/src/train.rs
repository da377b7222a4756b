//! Training from start to end: collect, update, write down; resumes where it was interrupted.

use crate::LearnError;
use crate::checkpoint::{self, Checkpoint};
use crate::contract::Contract;
use crate::env::Env;
use crate::learner::{Draws, Learner};
use crate::metrics::{IterationMetrics, MetricsLog};
use crate::network::NetworkConfig;
use crate::ppo::{PpoConfig, UpdateReport, update};
use crate::rollout::{Broken, Play, Rollout, check_observations, collect};
use dextra_data::DataError;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Decides all random draws.
    pub seed: u64,
    /// Iterations in all.
    pub iterations: u64,
    /// Iterations from one checkpoint to the next.
    pub checkpoint_every: u64,
    /// How many of the newest checkpoints stay.
    pub checkpoints_kept: usize,
    /// The networks.
    pub network: NetworkConfig,
    /// The update.
    pub ppo: PpoConfig,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            iterations: 500,
            checkpoint_every: 20,
            checkpoints_kept: 3,
            network: NetworkConfig::default(),
            ppo: PpoConfig::default(),
        }
    }
}

/// How a training went.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// What was learned.
    pub learner: Learner,
    /// The checkpoint that holds it.
    pub checkpoint: PathBuf,
    /// The iteration it went on from; `None` where it began anew.
    pub resumed_from: Option<u64>,
    /// Whether `watch` ended it early.
    pub interrupted: bool,
    /// Newer checkpoints that could not be read, which are set aside, and why.
    pub damaged: Vec<Damaged>,
}

/// A checkpoint that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where it is now.
    pub folder: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// Trains a policy in `env` and writes `metrics.jsonl` and `checkpoints/<iteration>/` into `folder`.
///
/// Where `folder` has checkpoints, training goes on from the newest and gives the same bits as if it had
/// never been interrupted. Where that one is damaged, an older one takes its place, and the damaged one is renamed
/// to `<iteration>.damaged` or the like. `watch` sees every iteration and may end the training, which then leaves
/// a checkpoint to go on from.
///
/// # Errors
/// - [`LearnError::Setting`]: a setting makes no sense.
/// - [`LearnError::Field`] and others on files: every checkpoint is damaged, of another contract, or of other
///   settings than `config` (only the number of iterations and what concerns checkpoints may differ).
/// - [`LearnError::Env`]: the environment failed.
/// - [`LearnError::Stopped`]: a reward, an observation or a loss is not finite or beyond its limit.
///   The newest checkpoint is from before that.
pub fn train(
    env: &mut dyn Env,
    config: &TrainConfig,
    folder: &Path,
    watch: &mut dyn FnMut(&IterationMetrics) -> ControlFlow<()>,
) -> Result<Trained, LearnError> {
    check(env, config)?;
    let contract = env.contract().clone();
    let checkpoints = folder.join("checkpoints");
    std::fs::create_dir_all(&checkpoints).map_err(|e| LearnError::io(&checkpoints, "make", e))?;
    let mut damaged = Vec::new();
    let (start, mut newest) = match resume_newest(env, config, &checkpoints, &mut damaged)? {
        Some(found) => found,
        None => {
            let start = begin(env, config)?;
            let first = start.write(&contract, &checkpoints, config.checkpoints_kept)?;
            (start, first)
        }
    };
    let Checkpoint { mut learner, mut play, .. } = start;
    let resumed_from = (learner.iteration > 0).then_some(learner.iteration);
    let mut log = MetricsLog::open(&folder.join("metrics.jsonl"), learner.iteration)?;
    let (mut written, mut interrupted) = (learner.iteration, false);
    while learner.iteration < config.iterations && !interrupted {
        let metrics = iterate(env, &mut learner, &mut play, config).map_err(|broken| {
            let iteration = learner.iteration + 1;
            match broken {
                Broken::Env(error) => LearnError::Env(error),
                Broken::Fault(fault) => {
                    LearnError::Stopped { iteration, fault, last_good: Some(newest.clone()) }
                }
            }
        })?;
        log.write(&metrics)?;
        tracing::debug!(iteration = metrics.iteration, mean_return = metrics.mean_return);
        interrupted = watch(&metrics).is_break();
        let last = interrupted || learner.iteration == config.iterations;
        if last || learner.iteration - written >= config.checkpoint_every {
            let now = Checkpoint {
                config: config.clone(),
                learner: learner.clone(),
                play: play.clone(),
                environment: env.save().map_err(LearnError::Env)?,
            };
            newest = now.write(&contract, &checkpoints, config.checkpoints_kept)?;
            written = learner.iteration;
        }
    }
    Ok(Trained { learner, checkpoint: newest, resumed_from, interrupted, damaged })
}

/// One iteration: a rollout and an update.
fn iterate(
    env: &mut dyn Env,
    learner: &mut Learner,
    play: &mut Play,
    config: &TrainConfig,
) -> Result<IterationMetrics, Broken> {
    let start = Instant::now();
    let rollout = collect(env, learner, play, &config.ppo, config.seed)?;
    let report = update(learner, &rollout, &config.ppo, config.network.log_std_range, config.seed)?;
    Ok(metrics(learner, &rollout, &report, start.elapsed().as_secs_f64()))
}

fn metrics(
    learner: &Learner,
    rollout: &Rollout,
    report: &UpdateReport,
    seconds: f64,
) -> IterationMetrics {
    let episodes = rollout.episodes.len();
    let mean = |sum: f64| (episodes > 0).then(|| sum / episodes as f64);
    let log_std = &learner.network.log_std;
    IterationMetrics {
        iteration: learner.iteration,
        steps: learner.steps,
        episodes: episodes as u64,
        mean_return: mean(rollout.episodes.iter().map(|(total, _)| total).sum()),
        mean_length_steps: mean(rollout.episodes.iter().map(|(_, steps)| *steps as f64).sum()),
        mean_reward: rollout.reward_sum / rollout.rewards.len() as f64,
        surrogate_loss: report.parts.surrogate,
        value_loss: report.parts.value,
        bounds_loss: report.parts.bounds,
        entropy_nat: report.parts.entropy,
        kl_nat: report.kl,
        gradient_norm: report.gradient_norm,
        learning_rate: learner.rate,
        action_std: log_std.iter().map(|l| l.exp()).sum::<f32>() / log_std.len() as f32,
        env_s: rollout.env_s,
        learning_s: seconds - rollout.env_s,
    }
}

/// The state before the first iteration.
fn begin(env: &mut dyn Env, config: &TrainConfig) -> Result<Checkpoint, LearnError> {
    let worlds = env.worlds();
    let mut observations = vec![0.0; worlds * env.contract().observation_size()];
    env.reset(Draws::Worlds.seed(config.seed, 0), &mut observations).map_err(LearnError::Env)?;
    check_observations(env, &observations).map_err(|fault| LearnError::Stopped {
        iteration: 1,
        fault,
        last_good: None,
    })?;
    Ok(Checkpoint {
        config: config.clone(),
        learner: Learner::new(env.contract(), &config.network, &config.ppo, config.seed),
        play: Play { observations, returns: vec![0.0; worlds], lengths: vec![0; worlds] },
        environment: env.save().map_err(LearnError::Env)?,
    })
}

/// The newest checkpoint that can be read, and its folder; newer ones are set aside. `None` without any
/// checkpoint; the error is that of the newest.
fn resume_newest(
    env: &mut dyn Env,
    config: &TrainConfig,
    checkpoints: &Path,
    damaged: &mut Vec<Damaged>,
) -> Result<Option<(Checkpoint, PathBuf)>, LearnError> {
    let mut refused: Vec<(PathBuf, LearnError)> = Vec::new();
    for folder in checkpoint::list(checkpoints)?.into_iter().rev() {
        match resume(env, config, &folder) {
            Ok(found) => {
                for (folder, error) in refused {
                    damaged.push(set_aside(&folder, &error)?);
                }
                return Ok(Some((found, folder)));
            }
            Err(error) if is_damage(&error) => refused.push((folder, error)),
            // The system's refusal, or the environment's, is not the checkpoint's fault.
            Err(error) => return Err(error),
        }
    }
    match refused.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(None),
    }
}

/// Whether a file is malformed, or not there.
fn is_damage(error: &LearnError) -> bool {
    match error {
        LearnError::File(DataError::Io { source, .. }) | LearnError::Io { source, .. } => {
            source.kind() == std::io::ErrorKind::NotFound
        }
        LearnError::File(_) | LearnError::Format { .. } | LearnError::Field { .. } => true,
        _ => false,
    }
}

/// Renames a damaged checkpoint to the first free of `<iteration>.damaged`, `<iteration>.damaged-1`, ...
fn set_aside(folder: &Path, error: &LearnError) -> Result<Damaged, LearnError> {
    let name = |n: u64| if n == 0 { "damaged".to_owned() } else { format!("damaged-{n}") };
    let mut places = (0..).map(|n| folder.with_extension(name(n)));
    let aside = places.find(|place| !place.exists()).expect("some number is free");
    std::fs::rename(folder, &aside).map_err(|e| LearnError::io(folder, "set aside", e))?;
    tracing::warn!(folder = %aside.display(), %error, "a damaged checkpoint is set aside");
    Ok(Damaged { folder: aside, problem: error.to_string() })
}

/// The state of a checkpoint, which must be of the same settings.
fn resume(
    env: &mut dyn Env,
    config: &TrainConfig,
    folder: &Path,
) -> Result<Checkpoint, LearnError> {
    let found = Checkpoint::read(folder, env.contract(), env.worlds())?;
    let file = folder.join("training.json");
    let differs = |field: &str| {
        let problem = "differs from the settings given; training goes on only with the same ones";
        Err(LearnError::field(&file, field, problem))
    };
    if found.config.seed != config.seed {
        return differs("config.seed");
    }
    if found.config.network != config.network {
        return differs("config.network");
    }
    if found.config.ppo != config.ppo {
        return differs("config.ppo");
    }
    env.load(&found.environment).map_err(LearnError::Env)?;
    Ok(found)
}

fn check(env: &dyn Env, config: &TrainConfig) -> Result<(), LearnError> {
    let bad = |field, problem: &str| Err(LearnError::Setting { field, problem: problem.into() });
    if env.worlds() == 0 {
        return bad("worlds", "there must be at least one");
    }
    check_contract(env.contract())?;
    if config.checkpoint_every == 0 {
        return bad("checkpoint_every", "must be at least 1");
    }
    config.network.check()?;
    config.ppo.check(env.worlds())
}

fn check_contract(contract: &Contract) -> Result<(), LearnError> {
    let bad = |field, problem: String| Err(LearnError::Setting { field, problem });
    for (i, slice) in contract.observations.iter().enumerate() {
        if slice.size == 0 {
            return bad("contract.observations", format!("`{}` is empty", slice.name));
        }
        if contract.observations[..i].iter().any(|earlier| earlier.name == slice.name) {
            return bad("contract.observations", format!("two are called `{}`", slice.name));
        }
        if !slice.range.iter().all(|bound| bound.is_finite()) {
            return bad(
                "contract.observations",
                format!("the range of `{}` is not finite", slice.name),
            );
        }
    }
    if contract.observations.is_empty() || contract.actions.is_empty() {
        return bad("contract", "there must be an observation and an action".into());
    }
    Ok(())
}
