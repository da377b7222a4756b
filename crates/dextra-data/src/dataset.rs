//! Datasets that any trainer reads, and the noun that goes into them.
//!
//! An [`Episode`] is what a trainer sees of one accepted rollout: arrays of numbers per step, a task in
//! words, and a [`Record`] of where it is from and what it was accepted by. A [`Sink`] writes episodes in
//! one [`Format`], a [`Source`] reads them back; both know one episode at a time.
//!
//! Writers are crash-safe: the folder (or file) of a dataset is replaced whole, so that a process killed
//! at any moment leaves the dataset of before, or the new one.

pub mod hdf5;
pub mod lerobot;
mod record;
mod stage;
pub mod zarr;

#[cfg(test)]
mod tests;

pub use record::{Entry, Record};

use crate::{DataError, atomic};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;

/// Most numbers in one array of one episode; an hour of a hundred numbers at 100 Hz has 36 million.
pub const MAX_VALUES: usize = 1 << 28;
/// Largest file of JSON, bytes.
const JSON_BYTES: u64 = 64 << 20;
/// Most features of a dataset.
const MAX_FEATURES: usize = 256;
/// Most numbers of one feature in one step.
const MAX_WIDTH: usize = 1 << 20;
/// Most numbers of all features in one step, where their names are made.
const MAX_UNNAMED: usize = 4 * MAX_WIDTH;
/// Most axes of one feature.
const MAX_AXES: usize = 8;
/// Name of the feature that every dataset has: what the robot was sent.
pub const ACTION: &str = "action";
/// Name of the feature with the positions of hands and objects.
pub const STATE: &str = "state";

/// A named array of numbers per step, `[T, n]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Name: [`ACTION`], or that of an observation such as [`STATE`]; lower-case letters, digits and `_`.
    pub name: String,
    /// Name of each number with its unit, such as `right/FFJ3_rad`, `[n]`.
    pub elements: Vec<String>,
    /// Lengths of the axes of the numbers of a step where these are no list, such as `[512, 3]`; formats
    /// without axes write a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<usize>,
}

/// An array as it lies in a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Name.
    pub name: String,
    /// Type of the numbers, as NumPy names it.
    pub dtype: String,
    /// Lengths of its axes, the steps of all episodes first.
    pub shape: Vec<usize>,
    /// Whether it is among the features; what is not, pictures and other integers, is left out of episodes.
    pub is_feature: bool,
}

/// What all episodes of a dataset have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Steps per second; `None` where the dataset of a stranger does not state it.
    pub fps_hz: Option<u32>,
    /// The robot, in words.
    pub robot: String,
    /// Arrays, in the order of [`Episode::values`].
    pub features: Vec<Feature>,
}

/// One accepted rollout as trainers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// What was done, in words.
    pub task: String,
    /// Numbers of each feature of the [`Schema`], row by row, `[features][T * n]`.
    pub values: Vec<Vec<f32>>,
    /// Where it is from, and what it was accepted by; `None` where the dataset of a stranger does not
    /// state it. No writer takes such an episode.
    pub record: Option<Record>,
}

/// Reads a dataset, one episode at a time.
pub trait Source {
    /// What all episodes have in common.
    fn schema(&self) -> &Schema;

    /// Task, length and record of every episode.
    fn entries(&self) -> &[Entry];

    /// The arrays as they are stored, where the format tells more of them than the features do.
    fn stored(&self) -> &[Stored] {
        &[]
    }

    /// Reads what of episode `index` is no feature, to see whether that can be done.
    ///
    /// # Errors
    /// As [`Source::episode`].
    fn examine(&mut self, _index: usize) -> Result<(), DataError> {
        Ok(())
    }

    /// Reads episode `index`.
    ///
    /// # Errors
    /// An index out of range, and files that cannot be read or are malformed.
    fn episode(&mut self, index: usize) -> Result<Episode, DataError>;
}

/// Writes a dataset, one episode at a time. Nothing of it is seen before [`Sink::commit`].
pub trait Sink {
    /// Adds an episode.
    ///
    /// # Errors
    /// An episode without [`Record`], one that does not fit the schema or is not finite, and writing.
    fn push(&mut self, episode: &Episode) -> Result<(), DataError>;

    /// Makes all that was pushed part of the dataset, at once.
    fn commit(self: Box<Self>) -> Result<(), DataError>;
}

/// A format of datasets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A LeRobot folder, version 3.0; see [`lerobot`].
    LeRobot,
    /// A Zarr v2 folder as DP3 and diffusion policies read it; see [`zarr`].
    Zarr,
    /// An HDF5 file as robomimic and MimicGen read it; see [`hdf5`].
    Hdf5,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::LeRobot, Format::Zarr, Format::Hdf5];

    /// Name, as commands take it.
    pub fn name(self) -> &'static str {
        match self {
            Format::LeRobot => "lerobot",
            Format::Zarr => "zarr",
            Format::Hdf5 => "hdf5",
        }
    }

    /// The format of the dataset at `path`, if one is there.
    pub fn of(path: &Path) -> Option<Format> {
        Format::ALL.into_iter().find(|format| match format {
            Format::LeRobot => lerobot::is_at(path),
            Format::Zarr => path.join(".zgroup").is_file(),
            Format::Hdf5 => hdf5::is_at(path),
        })
    }

    /// Opens the dataset at `path`.
    ///
    /// # Errors
    /// It is not of this format, or malformed.
    pub fn open(self, path: &Path) -> Result<Box<dyn Source>, DataError> {
        Ok(match self {
            Format::LeRobot => Box::new(lerobot::LeRobotSource::open(path)?),
            Format::Zarr => Box::new(zarr::ZarrSource::open(path)?),
            Format::Hdf5 => Box::new(hdf5::Hdf5Source::open(path)?),
        })
    }

    /// Starts a dataset at `path`, or goes on with the one that is there.
    ///
    /// # Errors
    /// Something else is there, its schema is another, it is being written by another process, or it
    /// cannot be written.
    pub fn append(self, path: &Path, schema: &Schema) -> Result<Box<dyn Sink>, DataError> {
        schema.check(path)?;
        Ok(match self {
            Format::LeRobot => Box::new(lerobot::LeRobotSink::append(path, schema)?),
            Format::Zarr => Box::new(zarr::ZarrSink::append(path, schema)?),
            Format::Hdf5 => Box::new(hdf5::Hdf5Sink::append(path, schema)?),
        })
    }
}

/// Opens the dataset at `path`, whatever its format.
///
/// # Errors
/// There is none, or it is malformed.
pub fn open(path: &Path) -> Result<(Format, Box<dyn Source>), DataError> {
    let names = Format::ALL.map(Format::name).join(", ");
    let format = Format::of(path).ok_or_else(|| {
        let what = if path.exists() {
            "no dataset of a known format"
        } else {
            "nothing is there; formats are"
        };
        DataError::format(path, format!("{what} ({names})"))
    })?;
    Ok((format, format.open(path)?))
}

impl Feature {
    /// A feature whose numbers are a list.
    pub fn new(name: &str, elements: Vec<String>) -> Feature {
        Feature { name: name.to_owned(), elements, axes: Vec::new() }
    }

    /// Numbers per step, `n`.
    pub fn width(&self) -> usize {
        self.elements.len()
    }

    /// Lengths of the axes of a step.
    fn row(&self) -> Vec<usize> {
        if self.axes.is_empty() { vec![self.width()] } else { self.axes.clone() }
    }

    /// A feature whose numbers have no names of their own, with these lengths of axes.
    fn unnamed(name: &str, axes: &[usize]) -> Feature {
        let width = axes.iter().product();
        let elements = (0..width).map(|index| format!("{name}_{index}")).collect();
        let axes = if axes.len() > 1 { axes.to_vec() } else { Vec::new() };
        Feature { name: name.to_owned(), elements, axes }
    }
}

impl Schema {
    /// Whether it can be written: names that every format can hold, sizes within limits.
    ///
    /// # Errors
    /// What is wrong, with the file `path` that it is for.
    pub fn check(&self, path: &Path) -> Result<(), DataError> {
        if self.fps_hz.is_none_or(|fps| fps == 0) {
            return Err(DataError::field(path, "fps_hz", "a rate above zero must be stated"));
        }
        if self.features.len() > MAX_FEATURES {
            return Err(DataError::format(path, format!("more than {MAX_FEATURES} features")));
        }
        let mut names = HashSet::new();
        for feature in &self.features {
            let problem = |problem: &str| Err(DataError::field(path, &feature.name, problem));
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if feature.name.is_empty() || !feature.name.chars().all(plain) {
                return problem("a name of lower-case letters, digits and _ is needed");
            }
            if !names.insert(&feature.name) {
                return problem("two features have this name");
            }
            if feature.width() == 0 || feature.width() > MAX_WIDTH {
                return problem("no numbers, or too many");
            }
            let product = feature.row().iter().try_fold(1usize, |n, &m| n.checked_mul(m));
            if product != Some(feature.width()) || feature.axes.len() > MAX_AXES {
                return problem("its axes do not have as many numbers as it has names");
            }
            if feature.elements.iter().collect::<HashSet<_>>().len() != feature.width() {
                return problem("two numbers have the same name");
            }
        }
        if !names.iter().any(|name| *name == ACTION) {
            return Err(DataError::field(path, ACTION, "every dataset has this feature"));
        }
        Ok(())
    }

    /// Whether it is the schema of the dataset at `path`, which is `present`.
    ///
    /// # Errors
    /// The first difference.
    pub fn matches(&self, path: &Path, present: &Schema) -> Result<(), DataError> {
        let differs = |field: &str, present: &dyn std::fmt::Debug, new: &dyn std::fmt::Debug| {
            let problem = format!("the dataset has {present:?}, what would be added {new:?}");
            Err(DataError::field(path, field, problem))
        };
        if self.fps_hz != present.fps_hz {
            let stated = |fps: Option<u32>| fps.map_or("none".to_owned(), |fps| fps.to_string());
            return differs("fps_hz", &stated(present.fps_hz), &stated(self.fps_hz));
        }
        if self.robot != present.robot {
            return differs("robot", &present.robot, &self.robot);
        }
        if self.features.len() != present.features.len() {
            let names = |schema: &Schema| -> Vec<String> {
                schema.features.iter().map(|feature| feature.name.clone()).collect()
            };
            return differs("features", &names(present), &names(self));
        }
        for (new, old) in self.features.iter().zip(&present.features) {
            if new.name != old.name {
                return differs("features", &old.name, &new.name);
            }
            if new.elements != old.elements {
                return differs(&new.name, &old.elements, &new.elements);
            }
        }
        Ok(())
    }

    /// Steps of an episode that fits this schema and may be written to the dataset at `path`.
    ///
    /// # Errors
    /// It has no record of its acceptance, other sizes, or numbers that are not finite.
    pub fn admit(&self, path: &Path, episode: &Episode) -> Result<usize, DataError> {
        if episode.record.is_none() {
            let problem = "an episode without a record of its acceptance cannot enter a dataset";
            return Err(DataError::format(path, problem));
        }
        if episode.values.len() != self.features.len() {
            let problem =
                format!("{} arrays for {} features", episode.values.len(), self.features.len());
            return Err(DataError::format(path, problem));
        }
        let mut steps = None;
        for (feature, values) in self.features.iter().zip(&episode.values) {
            let found = values.len() / feature.width();
            let expected = *steps.get_or_insert(found);
            if found * feature.width() != values.len() || found == 0 || found != expected {
                let problem = format!(
                    "{} numbers are not {} steps of {}",
                    values.len(),
                    expected.max(1),
                    feature.width()
                );
                return Err(DataError::field(path, &feature.name, problem));
            }
            if let Some(index) = values.iter().position(|x| !x.is_finite()) {
                let frame = index / feature.width();
                return Err(DataError::frame(path, &feature.name, frame, "not finite"));
            }
        }
        Ok(steps.unwrap_or(0))
    }
}

/// Whether names may be made for the numbers of features of these widths: a name takes more room than what a
/// malformed file needs to state it.
fn check_count(path: &Path, widths: impl Iterator<Item = usize>) -> Result<(), DataError> {
    let (count, numbers) =
        widths.fold((0, 0usize), |(count, sum), n| (count + 1, sum.saturating_add(n)));
    let problem = match (count > MAX_FEATURES, numbers > MAX_UNNAMED) {
        (true, _) => format!("{count} features; at most {MAX_FEATURES} are read"),
        (_, true) => format!("{numbers} numbers per step; at most {MAX_UNNAMED} are read"),
        _ => return Ok(()),
    };
    Err(DataError::format(path, problem))
}

/// Reads a file of JSON.
fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, DataError> {
    let bytes = atomic::read_file(path, JSON_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|e| DataError::format(path, e.to_string()))
}

/// A file of JSON.
fn text(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("plain data")
}

/// An index within `count`, or an error.
fn within(path: &Path, index: usize, count: usize) -> Result<(), DataError> {
    if index < count {
        return Ok(());
    }
    Err(DataError::format(path, format!("there is no episode {index}; there are {count}")))
}
