//! What is known about an episode beside its numbers, and how every format keeps it: one line of JSON
//! per episode.

use crate::{DataError, atomic};
use dextra_core::demonstration::Provenance;
use dextra_core::rollout::Accepted;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file of lines in the folder of a dataset.
pub(super) const FILE: &str = "dextra.jsonl";
/// Largest file of lines, bytes.
const MAX_BYTES: u64 = 1 << 28;

/// Where an episode is from, and what it was accepted by. Only [`Record::of`] makes one, and reading a
/// dataset that states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    source: String,
    licence: String,
    inputs_sha256: Vec<(String, String)>,
    seed: u64,
    engine: String,
    rule: String,
    max_t_cm: f64,
    max_r_deg: f64,
    object_penetration_p99_mm: f64,
    self_penetration_p99_mm: f64,
}

impl Record {
    /// The record of an accepted rollout of a demonstration.
    pub fn of(accepted: &Accepted, provenance: &Provenance) -> Record {
        let metrics = accepted.metrics();
        Record {
            source: provenance.source.clone(),
            licence: provenance.licence.clone(),
            inputs_sha256: provenance.inputs_sha256.clone(),
            seed: accepted.seed,
            engine: accepted.engine.clone(),
            rule: accepted.limits().protocol.name().to_owned(),
            max_t_cm: metrics.max_t.value * 100.0,
            max_r_deg: metrics.max_r.value.to_degrees(),
            object_penetration_p99_mm: metrics.object_penetration_p99 * 1e3,
            self_penetration_p99_mm: metrics.self_penetration_p99 * 1e3,
        }
    }

    /// Where the demonstration is from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Licence of the demonstration, which holds for the episode.
    pub fn licence(&self) -> &str {
        &self.licence
    }

    /// Name and SHA-256 (hexadecimal) of the demonstration's files and of the rollout's.
    pub fn inputs_sha256(&self) -> &[(String, String)] {
        &self.inputs_sha256
    }

    /// Name of the success rule that was met.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

/// An episode without its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What was done, in words.
    pub task: String,
    /// Number of steps `T`.
    pub steps: usize,
    /// Where it is from; `None` where a stranger's dataset does not say.
    pub record: Option<Record>,
}

/// The line of an entry.
pub(super) fn line(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("plain data")
}

/// One line per entry.
pub(super) fn lines(entries: &[Entry]) -> Vec<u8> {
    entries.iter().map(|entry| line(entry) + "\n").collect::<String>().into_bytes()
}

/// Entries of episodes of which only the steps are known.
pub(super) fn unknown(steps: &[usize]) -> Vec<Entry> {
    steps.iter().map(|&steps| Entry { task: String::new(), steps, record: None }).collect()
}

/// Reads the lines of a dataset with episodes of `steps` each, if the file is there.
pub(super) fn read_lines(path: &Path, steps: &[usize]) -> Result<Vec<Entry>, DataError> {
    if !path.exists() {
        return Ok(unknown(steps));
    }
    let bytes = atomic::read_file(path, MAX_BYTES)?;
    parse(path, bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty()), steps)
}

/// Reads lines that belong to episodes of `steps` each.
pub(super) fn parse<'a>(
    path: &Path,
    lines: impl Iterator<Item = &'a [u8]>,
    steps: &[usize],
) -> Result<Vec<Entry>, DataError> {
    let mut entries = Vec::new();
    for (index, line) in lines.enumerate() {
        let entry: Entry = serde_json::from_slice(line)
            .map_err(|e| DataError::format(path, format!("line {}: {e}", index + 1)))?;
        if steps.get(index) != Some(&entry.steps) {
            let problem = format!("line {} is of another dataset: the steps differ", index + 1);
            return Err(DataError::format(path, problem));
        }
        entries.push(entry);
    }
    if entries.len() != steps.len() {
        let problem = format!("{} lines for {} episodes", entries.len(), steps.len());
        return Err(DataError::format(path, problem));
    }
    Ok(entries)
}
