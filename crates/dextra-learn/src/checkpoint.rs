//! Checkpoints: a folder that appears whole or not at all.
//!
//! | file | holds |
//! |---|---|
//! | `policy.json` | the contract, sizes, scaling of observations, digest of the weights |
//! | `policy.safetensors` | the actor: `actor.<layer>.weight` (inputs × outputs), `.bias`, `log_std` |
//! | `training.json` | settings, counters, digests of the two below |
//! | `training.safetensors` | the critic, the optimiser, moments, running episodes |
//! | `environment.bin` | what the environment saved |
//!
//! The first two are what a policy needs; the others are for going on with training.

use crate::LearnError;
use crate::adam::Adam;
use crate::contract::Contract;
use crate::learner::Learner;
use crate::network::{ActorCritic, NetworkConfig};
use crate::normaliser::{Moments, Scaler};
use crate::rollout::Play;
use crate::tensors::{TensorBytes, TensorFile, TensorWriter};
use crate::train::TrainConfig;
use dextra_data::atomic::{read_file, sha256_hex, write_file};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Version of both JSON files.
const FORMAT_VERSION: u32 = 1;
/// Largest JSON file that is read.
const JSON_LIMIT: u64 = 16 << 20;
/// Largest state of an environment that is read.
const ENVIRONMENT_LIMIT: u64 = 4 << 30;
/// Widest layer, most layers and longest observation that a file may ask memory for.
const SIZE_LIMIT: usize = 1 << 16;
/// Most numbers of a network that a file may ask memory for: 256 MiB of them.
const PARAMETER_LIMIT: usize = 1 << 26;

/// `policy.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyHeader {
    pub format: String,
    pub format_version: u32,
    /// What the policy sees and does, and for which hand.
    pub contract: Contract,
    pub network: NetworkConfig,
    /// Actions are cut to ± this.
    pub action_limit: f32,
    pub scaling: Scaling,
    pub weights_sha256: String,
}

/// `clamp((x − mean) / std, ±clip)`, one number per number of the observation, in its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scaling {
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
    pub clip: f32,
}

/// `training.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingHeader {
    format: String,
    format_version: u32,
    config: TrainConfig,
    worlds: usize,
    iteration: u64,
    steps: u64,
    learning_rate: f64,
    tensors_sha256: String,
    environment_sha256: String,
}

const POLICY: &str = "dextra-policy";
const TRAINING: &str = "dextra-training";

/// All that training goes on from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkpoint {
    pub config: TrainConfig,
    pub learner: Learner,
    pub play: Play,
    /// From [`crate::Env::save`].
    pub environment: Vec<u8>,
}

/// Folder of the checkpoint of an iteration.
fn folder_of(checkpoints: &Path, iteration: u64) -> PathBuf {
    checkpoints.join(format!("{iteration:08}"))
}

/// Finished checkpoints in the folder `checkpoints`, oldest first.
pub(crate) fn list(checkpoints: &Path) -> Result<Vec<PathBuf>, LearnError> {
    let io = |e| LearnError::io(checkpoints, "read", e);
    if !checkpoints.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(checkpoints).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.len() >= 8 && name.bytes().all(|b| b.is_ascii_digit()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

impl Checkpoint {
    /// Writes the checkpoint into the folder `checkpoints` and removes all but the newest `keep`.
    pub fn write(
        &self,
        contract: &Contract,
        checkpoints: &Path,
        keep: usize,
    ) -> Result<PathBuf, LearnError> {
        let path = folder_of(checkpoints, self.learner.iteration);
        let unfinished = checkpoints.join(format!(".{:08}.tmp", self.learner.iteration));
        let io = |action| {
            let path = &path;
            move |e| LearnError::io(path, action, e)
        };
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(io("clear what an interruption left of"))?;
        }
        fs::create_dir_all(&unfinished).map_err(io("write"))?;
        self.write_policy(contract, &unfinished)?;
        self.write_training(&unfinished)?;
        fs::rename(&unfinished, &path).map_err(io("rename into place"))?;
        for old in list(checkpoints)?.iter().rev().skip(keep.max(1)) {
            fs::remove_dir_all(old).map_err(|e| LearnError::io(old, "remove", e))?;
        }
        Ok(path)
    }

    fn write_policy(&self, contract: &Contract, folder: &Path) -> Result<(), LearnError> {
        let network = &self.learner.network;
        let mut writer = TensorWriter::default();
        for p in &network.parameters()[..network.policy_parameters()] {
            writer.f32(&p.name, &p.shape, p.values);
        }
        let weights = write_tensors(&writer, &folder.join("policy.safetensors"))?;
        let clip = self.config.ppo.observation_clip;
        let Scaler { mean, std, .. } = self.learner.observations.scaler(clip);
        let header = PolicyHeader {
            format: POLICY.into(),
            format_version: FORMAT_VERSION,
            contract: contract.clone(),
            network: self.config.network.clone(),
            action_limit: self.config.ppo.action_limit,
            scaling: Scaling { mean, std, clip },
            weights_sha256: weights,
        };
        write_json(&folder.join("policy.json"), &header)
    }

    fn write_training(&self, folder: &Path) -> Result<(), LearnError> {
        let Self { config, learner, play, environment } = self;
        let mut writer = TensorWriter::default();
        let parameters = learner.network.parameters();
        for p in &parameters[learner.network.policy_parameters()..] {
            writer.f32(&p.name, &p.shape, p.values);
        }
        for (i, p) in parameters.iter().enumerate() {
            writer.f32(format!("adam.first.{}", p.name), &p.shape, &learner.adam.first[i]);
            writer.f32(format!("adam.second.{}", p.name), &p.shape, &learner.adam.second[i]);
        }
        writer.u64("adam.steps", &learner.adam.steps);
        for (name, moments) in
            [("observations", &learner.observations), ("returns", &learner.returns)]
        {
            writer.f64(format!("{name}.count"), &[moments.count]);
            writer.f64(format!("{name}.mean"), &moments.mean);
            writer.f64(format!("{name}.squares"), &moments.squares);
        }
        writer.f32("play.observations", &[play.observations.len()], &play.observations);
        writer.f64("play.returns", &play.returns);
        writer.u64("play.lengths", &play.lengths);
        let tensors = write_tensors(&writer, &folder.join("training.safetensors"))?;
        write_file(&folder.join("environment.bin"), environment)?;
        let header = TrainingHeader {
            format: TRAINING.into(),
            format_version: FORMAT_VERSION,
            config: config.clone(),
            worlds: play.lengths.len(),
            iteration: learner.iteration,
            steps: learner.steps,
            learning_rate: learner.rate,
            tensors_sha256: tensors,
            environment_sha256: sha256_hex(environment),
        };
        write_json(&folder.join("training.json"), &header)
    }

    /// Reads the checkpoint in `folder`, which must be of this contract and number of worlds.
    pub fn read(folder: &Path, contract: &Contract, worlds: usize) -> Result<Self, LearnError> {
        let (header, mut network) = read_policy(folder, Some(contract))?;
        let file = folder.join("training.json");
        let training: TrainingHeader = read_json(&file, TRAINING)?;
        if training.worlds != worlds {
            let problem = format!("the file has {}, expected {worlds}", training.worlds);
            return Err(LearnError::field(&file, "worlds", problem));
        }
        if training.config.network != header.network {
            return Err(LearnError::field(&file, "config.network", "is not that of policy.json"));
        }
        if !(training.learning_rate.is_finite() && training.learning_rate > 0.0) {
            return Err(LearnError::field(&file, "learning_rate", "must be above zero"));
        }
        let bytes = TensorBytes::read(
            &folder.join("training.safetensors"),
            "tensors_sha256",
            &training.tensors_sha256,
        )?;
        let tensors = bytes.parse()?;
        let critic = network.policy_parameters()..network.parameters().len();
        fill(&tensors, "", &mut network, critic)?;
        let adam = read_adam(&tensors, &network)?;
        let (size, worlds) = (contract.observation_size(), training.worlds);
        let mut observations = vec![0.0; size * worlds];
        tensors.fill_f32("play.observations", &[size * worlds], &mut observations)?;
        let play = Play {
            observations,
            returns: tensors.f64("play.returns", worlds)?,
            lengths: tensors.u64("play.lengths", worlds)?,
        };
        let learner = Learner {
            network,
            adam,
            rate: training.learning_rate,
            observations: read_moments(&tensors, "observations", size)?,
            returns: read_moments(&tensors, "returns", 1)?,
            iteration: training.iteration,
            steps: training.steps,
        };
        let file = folder.join("environment.bin");
        let environment = read_file(&file, ENVIRONMENT_LIMIT)?;
        if sha256_hex(&environment) != training.environment_sha256 {
            return Err(LearnError::field(&file, "environment_sha256", "truncated or altered"));
        }
        Ok(Self { config: training.config, learner, play, environment })
    }
}

/// Reads the policy in `folder` and compares its contract with the `expected` one; the critic stays
/// zero.
pub(crate) fn read_policy(
    folder: &Path,
    expected: Option<&Contract>,
) -> Result<(PolicyHeader, ActorCritic), LearnError> {
    let file = folder.join("policy.json");
    let header: PolicyHeader = read_json(&file, POLICY)?;
    if let Some(expected) = expected {
        header.contract.check(expected, &file)?;
    }
    check_header(&header, &file)?;
    let (observations, actions) =
        (header.contract.observation_size(), header.contract.action_size());
    let mut network = ActorCritic::zeros(observations, actions, &header.network);
    let weights = TensorBytes::read(
        &folder.join("policy.safetensors"),
        "weights_sha256",
        &header.weights_sha256,
    )?;
    let tensors = weights.parse()?;
    let policy = network.policy_parameters();
    fill(&tensors, "", &mut network, 0..policy)?;
    Ok((header, network))
}

/// Refuses numbers that would make a policy answer nonsense or ask for absurd memory.
fn check_header(header: &PolicyHeader, file: &Path) -> Result<(), LearnError> {
    let bad = |field: &str, problem: String| Err(LearnError::field(file, field, problem));
    let contract = &header.contract;
    let mut size = 0_usize;
    for (i, slice) in contract.observations.iter().enumerate() {
        size = size.saturating_add(slice.size);
        if slice.size == 0 || size > SIZE_LIMIT {
            let problem = format!("{} numbers, {size} so far", slice.size);
            return bad(&format!("contract.observations[{i}].size"), problem);
        }
    }
    let Scaling { mean, std, clip } = &header.scaling;
    let usable = |list: &[f32], ok: fn(&f32) -> bool| list.len() == size && list.iter().all(ok);
    if size == 0 || contract.actions.is_empty() || contract.actions.len() > SIZE_LIMIT {
        return bad("contract", "no observation, no action, or too many".into());
    }
    let NetworkConfig { actor, critic, .. } = &header.network;
    if actor.iter().chain(critic).any(|width| !(1..=SIZE_LIMIT).contains(width)) {
        return bad("network", format!("widths must be from 1 to {SIZE_LIMIT}"));
    }
    let of_actor = parameter_count(size, actor, contract.actions.len());
    let count = of_actor.saturating_add(parameter_count(size, critic, 1));
    if actor.len().max(critic.len()) > SIZE_LIMIT || count > PARAMETER_LIMIT {
        return bad("network", format!("must have at most {PARAMETER_LIMIT} weights"));
    }
    if !usable(mean, |x| x.is_finite()) {
        return bad("scaling.mean", format!("must be {size} finite numbers"));
    }
    if !usable(std, |x| x.is_finite() && *x > 0.0) {
        return bad("scaling.std", format!("must be {size} numbers above zero"));
    }
    if !clip.is_finite() || *clip <= 0.0 {
        return bad("scaling.clip", "must be above zero".into());
    }
    if !header.action_limit.is_finite() || header.action_limit <= 0.0 {
        return bad("action_limit", "must be above zero".into());
    }
    Ok(())
}

/// How many weights and biases layers of these widths have; no width is above [`SIZE_LIMIT`].
fn parameter_count(inputs: usize, hidden: &[usize], outputs: usize) -> usize {
    let (mut before, mut count) = (inputs, 0_usize);
    for &width in hidden.iter().chain([&outputs]) {
        count = count.saturating_add((before + 1) * width);
        before = width;
    }
    count
}

/// Fills parameters with the arrays called like them after `prefix`.
fn fill(
    tensors: &TensorFile<'_>,
    prefix: &str,
    network: &mut ActorCritic,
    which: Range<usize>,
) -> Result<(), LearnError> {
    let shapes: Vec<(String, Vec<usize>)> =
        network.parameters().into_iter().map(|p| (p.name, p.shape)).collect();
    let parameters = shapes.iter().zip(network.parameters_mut());
    for ((name, shape), values) in parameters.skip(which.start).take(which.len()) {
        tensors.fill_f32(&format!("{prefix}{name}"), shape, values)?;
    }
    Ok(())
}

fn read_adam(tensors: &TensorFile<'_>, network: &ActorCritic) -> Result<Adam, LearnError> {
    let steps = tensors.u64("adam.steps", network.parameters().len())?;
    let (mut first, mut second) = (network.clone(), network.clone());
    fill(tensors, "adam.first.", &mut first, 0..steps.len())?;
    fill(tensors, "adam.second.", &mut second, 0..steps.len())?;
    let lists = |mut network: ActorCritic| {
        network.parameters_mut().into_iter().map(std::mem::take).collect::<Vec<_>>()
    };
    Ok(Adam { steps, first: lists(first), second: lists(second) })
}

fn read_moments(tensors: &TensorFile<'_>, name: &str, size: usize) -> Result<Moments, LearnError> {
    Ok(Moments {
        count: tensors.f64(&format!("{name}.count"), 1)?[0],
        mean: tensors.f64(&format!("{name}.mean"), size)?,
        squares: tensors.f64(&format!("{name}.squares"), size)?,
    })
}

/// Writes a safetensors file; returns its digest.
fn write_tensors(writer: &TensorWriter, file: &Path) -> Result<String, LearnError> {
    let bytes = writer.bytes(file)?;
    write_file(file, &bytes)?;
    Ok(sha256_hex(&bytes))
}

fn write_json(file: &Path, value: &impl Serialize) -> Result<(), LearnError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| LearnError::format(file, format!("cannot be put together: {e}")))?;
    text.push(b'\n');
    Ok(write_file(file, &text)?)
}

/// Reads a JSON file of the format `format` in this program's version.
fn read_json<T: DeserializeOwned>(file: &Path, format: &str) -> Result<T, LearnError> {
    #[derive(Deserialize)]
    struct Version {
        format: String,
        format_version: u32,
    }
    let bytes = read_file(file, JSON_LIMIT)?;
    let refused = |e: serde_json::Error| LearnError::format(file, format!("not a {format}: {e}"));
    let version: Version = serde_json::from_slice(&bytes).map_err(refused)?;
    if version.format != format {
        let problem = format!("is {:?}, expected {format:?}", version.format);
        return Err(LearnError::field(file, "format", problem));
    }
    if version.format_version != FORMAT_VERSION {
        let problem = format!("is {}, this program reads {FORMAT_VERSION}", version.format_version);
        return Err(LearnError::field(file, "format_version", problem));
    }
    serde_json::from_slice(&bytes).map_err(refused)
}

/// Reads what the policy in the checkpoint folder `folder` sees and does, without expecting anything.
///
/// # Errors
/// The file cannot be read, or is not of this format.
pub fn read_contract(folder: &Path) -> Result<Contract, LearnError> {
    let header: PolicyHeader = read_json(&folder.join("policy.json"), POLICY)?;
    Ok(header.contract)
}
