//! `dataset`: a look at datasets, and their parts.

use crate::error::Error;
use crate::page;
use dextra_data::atomic::sha256_hex;
use dextra_data::dataset::{Episode, Feature, Format, Schema, Sink, Source, Stored, open};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const STAGE: &str = "dataset";

/// What is in a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Where it is.
    pub path: String,
    /// Format.
    pub format: String,
    /// Robot.
    pub robot: String,
    /// Steps per second; `None` when not stated.
    pub fps_hz: Option<u32>,
    /// Episodes.
    pub episodes: usize,
    /// Episodes with a record of their acceptance.
    pub accepted: usize,
    /// Steps of all episodes.
    pub steps: usize,
    /// Steps of the shortest and of the longest episode.
    pub shortest: usize,
    /// See `shortest`.
    pub longest: usize,
    /// Names of the numbers of each feature.
    pub features: BTreeMap<String, Vec<String>>,
    /// The arrays as they are stored, those that are no features too; only of formats that tell more of
    /// them than the features do.
    #[serde(default)]
    pub arrays: Vec<Stored>,
    /// Episodes by task.
    pub tasks: BTreeMap<String, usize>,
    /// Episodes by licence; those without a record are `unknown`.
    pub licences: BTreeMap<String, usize>,
    /// What is wrong with it, one sentence each; only [`validate`] looks.
    pub problems: Vec<String>,
}

/// Looks at a dataset without its numbers.
///
/// # Errors
/// There is none, or it is malformed.
pub fn info(path: &Path) -> Result<DatasetInfo, Error> {
    let (format, source) = open(path).map_err(Error::stage(STAGE))?;
    let (schema, entries) = (source.schema(), source.entries());
    let mut info = DatasetInfo {
        path: path.display().to_string(),
        format: format.name().to_owned(),
        robot: schema.robot.clone(),
        fps_hz: schema.fps_hz,
        episodes: entries.len(),
        accepted: entries.iter().filter(|entry| entry.record.is_some()).count(),
        steps: entries.iter().map(|entry| entry.steps).sum(),
        shortest: entries.iter().map(|entry| entry.steps).min().unwrap_or(0),
        longest: entries.iter().map(|entry| entry.steps).max().unwrap_or(0),
        features: schema.features.iter().map(|f| (f.name.clone(), f.elements.clone())).collect(),
        arrays: source.stored().to_vec(),
        tasks: BTreeMap::new(),
        licences: BTreeMap::new(),
        problems: Vec::new(),
    };
    for entry in entries {
        *info.tasks.entry(entry.task.clone()).or_default() += 1;
        let licence = entry.record.as_ref().map_or("unknown", |record| record.licence());
        *info.licences.entry(licence.to_owned()).or_default() += 1;
    }
    Ok(info)
}

/// Reads all of a dataset and says what is wrong with it.
///
/// # Errors
/// There is none, or it cannot be opened.
pub fn validate(path: &Path) -> Result<DatasetInfo, Error> {
    Ok(contents(path, true)?.info)
}

/// `contents.json`: what is in a dataset, in more detail than anyone reads in a terminal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// In numbers.
    pub info: DatasetInfo,
    /// Steps of each episode.
    pub lengths: Vec<usize>,
    /// What each number of each feature goes through; empty unless all of it was read.
    pub ranges: Vec<Range>,
}

/// What a number goes through, over all steps of all episodes; in the unit of its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Feature.
    pub feature: String,
    /// Name of the number.
    pub element: String,
    /// Least of its values.
    pub least: f64,
    /// Mean over steps.
    pub mean: f64,
    /// Greatest of its values.
    pub greatest: f64,
}

/// The file with [`Contents`].
const CONTENTS: &str = "contents.json";

/// Looks at a dataset: without its numbers, as [`info`] does, or at all of it, as [`validate`] does.
///
/// # Errors
/// There is none, or it cannot be opened.
pub fn contents(path: &Path, every_number: bool) -> Result<Contents, Error> {
    let mut info = info(path)?;
    let (_, mut source) = open(path).map_err(Error::stage(STAGE))?;
    let lengths = source.entries().iter().map(|entry| entry.steps).collect();
    let mut ranges = Ranges::default();
    if every_number {
        let schema = source.schema().clone();
        info.problems.extend(schema.check(path).err().map(|error| error.to_string()));
        for index in 0..info.episodes {
            let others = source.examine(index).err().map(|error| error.to_string());
            let problem = match source.episode(index) {
                Err(error) => Some(error.to_string()),
                Ok(episode) => {
                    ranges.add(&schema, &episode);
                    schema.admit(path, &episode).err().map(|error| error.to_string())
                }
            };
            let found = others.into_iter().chain(problem);
            info.problems.extend(found.map(|problem| format!("episode {index}: {problem}")));
        }
    }
    Ok(Contents { info, lengths, ranges: ranges.done() })
}

/// Puts `contents.json` and its page, `report.html`, into the folder `out`.
///
/// # Errors
/// A folder with the result of another verb, and files that cannot be written.
pub fn look(contents: &Contents, out: &Path) -> Result<(), Error> {
    page::put(out, CONTENTS, contents)
}

/// What of a feature has a range of its own: every number, or all of a cloud or an image together.
fn ranged(feature: &Feature) -> Vec<String> {
    match &feature.axes[..] {
        [] => feature.elements.clone(),
        axes => vec![format!("all of {axes:?}")],
    }
}

/// Ranges as they grow, and over how many values each; values that are not finite are left out.
#[derive(Default)]
struct Ranges(Vec<(Range, usize)>);

impl Ranges {
    fn add(&mut self, schema: &Schema, episode: &Episode) {
        if self.0.is_empty() {
            let names = schema.features.iter().flat_map(|feature| {
                ranged(feature).into_iter().map(|element| (feature.name.clone(), element))
            });
            let range = |(feature, element)| {
                let (least, greatest) = (f64::INFINITY, f64::NEG_INFINITY);
                (Range { feature, element, least, mean: 0.0, greatest }, 0)
            };
            self.0 = names.map(range).collect();
        }
        let mut first = 0;
        for (feature, values) in schema.features.iter().zip(&episode.values) {
            let ranges = ranged(feature).len();
            for (index, &value) in values.iter().enumerate().filter(|(_, x)| x.is_finite()) {
                let (range, count) = &mut self.0[first + index % ranges];
                let value = f64::from(value);
                range.least = range.least.min(value);
                range.greatest = range.greatest.max(value);
                range.mean += value;
                *count += 1;
            }
            first += ranges;
        }
    }

    fn done(self) -> Vec<Range> {
        let seen = self.0.into_iter().filter(|(_, count)| *count > 0);
        seen.map(|(range, count)| Range { mean: range.mean / count as f64, ..range }).collect()
    }
}

/// Puts datasets of the same robot, rate and features together as a new one; returns its episodes.
///
/// # Errors
/// Something is at `out`, datasets differ, an episode has no record of its acceptance, and reading and
/// writing. Nothing is written then.
pub fn merge(paths: &[PathBuf], format: Option<Format>, out: &Path) -> Result<usize, Error> {
    let mut sink: Option<Box<dyn Sink>> = None;
    let mut count = 0;
    for path in paths {
        let (own, mut source) = open(path).map_err(Error::stage(STAGE))?;
        let sink = match &mut sink {
            Some(sink) => sink,
            None => sink.insert(start(format.unwrap_or(own), out, source.as_ref())?),
        };
        if let Some(first) = paths.first().filter(|first| *first != path) {
            let (_, first) = open(first).map_err(Error::stage(STAGE))?;
            source.schema().matches(path, first.schema()).map_err(Error::stage(STAGE))?;
        }
        for index in 0..source.entries().len() {
            copy(source.as_mut(), index, sink.as_mut())?;
            count += 1;
        }
    }
    let sink = sink.ok_or_else(|| Error::Request("no dataset to merge".to_owned()))?;
    sink.commit().map_err(Error::stage(STAGE))?;
    Ok(count)
}

/// A part of a dataset: its name, and its share in proportion to the others.
pub type Part = (String, f64);

/// Splits a dataset into parts, each a dataset of the same format in the folder `out`; returns their
/// episodes. Which episode goes where depends on `seed` and on its number alone.
///
/// # Errors
/// Shares that are not above zero, something is at `out`, an episode without a record of its acceptance,
/// and reading and writing.
pub fn split(path: &Path, parts: &[Part], seed: u64, out: &Path) -> Result<Vec<usize>, Error> {
    let total: f64 = parts.iter().map(|(_, share)| share).sum();
    let plain = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    if parts.is_empty() || !parts.iter().all(|(name, share)| plain(name) && *share > 0.0) {
        return Err(Error::Request("parts need a plain name and a share above zero".to_owned()));
    }
    let (format, mut source) = open(path).map_err(Error::stage(STAGE))?;
    let count = source.entries().len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_cached_key(|index| sha256_hex(format!("{seed} {index}").as_bytes()));
    let (mut share, mut begin, mut counts) = (0.0, 0, Vec::new());
    for (name, own) in parts {
        share += own;
        let end = (share / total * count as f64).round() as usize;
        let mut chosen = order[begin..end].to_vec();
        chosen.sort_unstable();
        let mut sink = start(format, &out.join(name), source.as_ref())?;
        for index in &chosen {
            copy(source.as_mut(), *index, sink.as_mut())?;
        }
        sink.commit().map_err(Error::stage(STAGE))?;
        counts.push(chosen.len());
        begin = end;
    }
    Ok(counts)
}

/// A new dataset like `source`.
fn start(format: Format, out: &Path, source: &dyn Source) -> Result<Box<dyn Sink>, Error> {
    if out.exists() {
        let message = format!("{} is there already; choose another --out", out.display());
        return Err(Error::Request(message));
    }
    format.append(out, source.schema()).map_err(Error::stage(STAGE))
}

fn copy(source: &mut dyn Source, index: usize, sink: &mut dyn Sink) -> Result<(), Error> {
    let episode = source.episode(index).map_err(Error::stage(STAGE))?;
    sink.push(&episode).map_err(Error::stage(STAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_every_step_of_every_episode() {
        let feature = |name: &str, elements: &[&str]| {
            Feature::new(name, elements.iter().map(|e| (*e).to_owned()).collect())
        };
        let mut features = vec![feature("state", &["a_m", "b_rad"]), feature("action", &["c_m"])];
        features.push(Feature { axes: vec![1, 2], ..feature("point_cloud", &["x_m", "y_m"]) });
        let schema = Schema { fps_hz: Some(50), robot: "hand".to_owned(), features };
        let episode = |state: &[f32], action: &[f32]| Episode {
            task: "lift".to_owned(),
            values: vec![state.to_vec(), action.to_vec(), state.iter().map(|x| -x).collect()],
            record: None,
        };
        let mut ranges = Ranges::default();
        ranges.add(&schema, &episode(&[1.0, -4.0, 3.0, -2.0], &[0.5, 0.25]));
        ranges.add(&schema, &episode(&[5.0, f32::NAN], &[0.75]));
        let found: Vec<_> = ranges
            .done()
            .into_iter()
            .map(|r| (r.feature, r.element, [r.least, r.mean, r.greatest]))
            .collect();
        let expected = [
            ("state", "a_m", [1.0, 3.0, 5.0]),
            ("state", "b_rad", [-4.0, -3.0, -2.0]),
            ("action", "c_m", [0.25, 0.5, 0.75]),
            ("point_cloud", "all of [1, 2]", [-5.0, -0.6, 4.0]),
        ];
        assert_eq!(found, expected.map(|(f, e, values)| (f.to_owned(), e.to_owned(), values)));
    }
}
