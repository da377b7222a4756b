//! Datasets as one HDF5 file, laid out as robomimic and MimicGen read it.
//!
//! | path | content |
//! |---|---|
//! | `data/demo_0/actions` | what the robot was sent, `[T, n]`, in the units of its names, not scaled to ±1 |
//! | `data/demo_0/obs/NAME`, `next_obs/NAME` | the other features; the last step is its own next one |
//! | `data/demo_0/rewards`, `dones` | 1 at the last step of the accepted episode, else 0 |
//! | `data` (attributes) | `total` steps, `env_args` |
//! | `dextra/schema`, `dextra/episodes` | JSON: rate, robot, names; task and record of every episode |
//!
//! Layout: the documentation of robomimic 0.5. The file is written anew with every command, from memory.

use super::stage::StagedFile;
use super::{
    ACTION, Entry, Episode, Feature, MAX_VALUES, MAX_WIDTH, Schema, Sink, Source, check_count,
    record, within,
};
use crate::DataError;
use hdf5_pure::{AttrValue, DType, Dataset, File, FileBuilder, FinishedGroup, GroupBuilder};
use serde_json::json;
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};

/// First bytes of every HDF5 file.
const MAGIC: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
const SCHEMA: &str = "dextra/schema";
const EPISODES: &str = "dextra/episodes";
/// Kind of environment in `env_args`: robomimic's number for Gym, the plainest.
const ENV_TYPE: i64 = 2;

/// Whether such a file is at `path`.
pub(super) fn is_at(path: &Path) -> bool {
    let mut magic = [0; 8];
    let file = std::fs::File::open(path).ok().filter(|_| path.is_file());
    file.is_some_and(|mut file| file.read_exact(&mut magic).is_ok()) && magic == MAGIC
}

/// Reads a file.
pub struct Hdf5Source {
    path: PathBuf,
    file: File,
    schema: Schema,
    /// Names of the groups below `data`.
    demos: Vec<String>,
    entries: Vec<Entry>,
}

impl Hdf5Source {
    /// Opens the file; of a stranger's, the features are `actions` and the observations of floats of its
    /// first episode.
    ///
    /// # Errors
    /// No such layout, sizes that contradict each other, and a malformed file.
    pub fn open(path: &Path) -> Result<Hdf5Source, DataError> {
        let broken = |e: hdf5_pure::Error| DataError::format(path, e.to_string());
        let file = File::open_streaming(path).map_err(broken)?;
        let data = file.group("data").map_err(broken)?;
        let number = |name: &str| name.strip_prefix("demo_").and_then(|n| n.parse::<u64>().ok());
        let mut demos = data.groups().map_err(broken)?;
        demos.sort_unstable_by_key(|name| (number(name), name.clone()));
        let stated = file.dataset(SCHEMA).ok();
        let schema = match &stated {
            Some(stated) => {
                let words = stated.read_string().map_err(broken)?;
                let schema = words.first().map(|text| serde_json::from_str(text));
                let schema: Option<Schema> = schema
                    .transpose()
                    .map_err(|e| DataError::field(path, SCHEMA, e.to_string()))?;
                schema.ok_or_else(|| DataError::field(path, SCHEMA, "empty"))?
            }
            None => Schema {
                fps_hz: None,
                robot: String::new(),
                features: match demos.first() {
                    Some(first) => strangers(path, &file, first)?,
                    None => Vec::new(),
                },
            },
        };
        let mut steps = Vec::new();
        for demo in &demos {
            let actions = array(path, &file, &place(demo, ACTION))?;
            steps.push(actions.1);
        }
        let entries = match stated {
            Some(_) => {
                let lines = file.dataset(EPISODES).and_then(|lines| lines.read_string());
                let lines = if demos.is_empty() { Vec::new() } else { lines.map_err(broken)? };
                record::parse(path, lines.iter().map(String::as_bytes), &steps)?
            }
            None => record::unknown(&steps),
        };
        Ok(Hdf5Source { path: path.to_owned(), file, schema, demos, entries })
    }
}

/// Path of a feature of an episode.
fn place(demo: &str, feature: &str) -> String {
    match feature {
        ACTION => format!("data/{demo}/actions"),
        _ => format!("data/{demo}/obs/{feature}"),
    }
}

/// An array of floats: itself, steps, and numbers per step.
fn array(path: &Path, file: &File, name: &str) -> Result<(Dataset, usize, usize), DataError> {
    let broken = |e: hdf5_pure::Error| DataError::field(path, name, e.to_string());
    let array = file.dataset(name).map_err(broken)?;
    if !matches!(array.dtype().map_err(broken)?, DType::F32 | DType::F64) {
        return Err(DataError::field(path, name, "floats were expected"));
    }
    let shape = array.shape().map_err(broken)?;
    let count = shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n));
    let count = count.filter(|&n| n > 0 && n <= MAX_VALUES as u64);
    let (Some(count), Some(&steps)) = (count, shape.first()) else {
        return Err(DataError::field(path, name, format!("the shape is {shape:?}")));
    };
    let width = count / steps;
    if width > MAX_WIDTH as u64 {
        return Err(DataError::field(path, name, format!("{width} numbers per step")));
    }
    Ok((array, steps as usize, width as usize))
}

/// The features of a file that does not name them.
fn strangers(path: &Path, file: &File, demo: &str) -> Result<Vec<Feature>, DataError> {
    let mut found = vec![(ACTION.to_owned(), array(path, file, &place(demo, ACTION))?.2)];
    let obs = file.group(&format!("data/{demo}/obs")).and_then(|obs| obs.datasets());
    let mut names = obs.map_err(|e| DataError::format(path, e.to_string()))?;
    names.sort_unstable();
    for name in names {
        // Pictures and other integers are left out.
        if let Ok((_, _, width)) = array(path, file, &place(demo, &name)) {
            found.push((name, width));
        }
    }
    check_count(path, found.iter().map(|(_, width)| *width))?;
    Ok(found.iter().map(|(name, width)| Feature::unnamed(name, &[*width])).collect())
}

impl Source for Hdf5Source {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn episode(&mut self, index: usize) -> Result<Episode, DataError> {
        within(&self.path, index, self.demos.len())?;
        let Entry { task, steps, record } = self.entries[index].clone();
        let mut values = Vec::new();
        for feature in &self.schema.features {
            let name = place(&self.demos[index], &feature.name);
            let (array, rows, width) = array(&self.path, &self.file, &name)?;
            if (rows, width) != (steps, feature.width()) {
                let problem =
                    format!("[{rows}, {width}], where [{steps}, {}] belong", feature.width());
                return Err(DataError::field(&self.path, &name, problem));
            }
            let broken = |e: hdf5_pure::Error| DataError::field(&self.path, &name, e.to_string());
            values.push(array.read_f32().map_err(broken)?);
        }
        Ok(Episode { task, values, record })
    }
}

/// Writes a file.
pub struct Hdf5Sink {
    path: PathBuf,
    stage: StagedFile,
    schema: Schema,
    file: FileBuilder,
    data: GroupBuilder,
    entries: Vec<Entry>,
}

impl Hdf5Sink {
    /// Starts a file, or goes on with one that [`Hdf5Sink`] wrote.
    ///
    /// # Errors
    /// Something else is there, another process is writing it, or it cannot be written.
    pub fn append(path: &Path, schema: &Schema) -> Result<Hdf5Sink, DataError> {
        let stage = StagedFile::begin(path)?;
        let mut file = FileBuilder::new();
        let data = file.create_group("data");
        let mut sink = Hdf5Sink {
            path: path.to_owned(),
            stage,
            schema: schema.clone(),
            file,
            data,
            entries: Vec::new(),
        };
        if is_at(path) {
            let mut source = Hdf5Source::open(path)?;
            schema.matches(path, &source.schema)?;
            for index in 0..source.entries.len() {
                sink.push(&source.episode(index)?)?;
            }
        } else if path.exists() {
            return Err(DataError::format(path, "not an HDF5 file"));
        }
        Ok(sink)
    }

    /// The group of one episode of `steps`.
    fn demo(&mut self, episode: &Episode, steps: usize) -> FinishedGroup {
        let mut demo = self.data.create_group(&format!("demo_{}", self.entries.len()));
        let mut obs = demo.create_group("obs");
        let mut next = demo.create_group("next_obs");
        for (feature, values) in self.schema.features.iter().zip(&episode.values) {
            let width = feature.width();
            let shape = [steps as u64, width as u64];
            if feature.name == ACTION {
                demo.create_dataset("actions").with_f32_data(values).with_shape(&shape);
                continue;
            }
            obs.create_dataset(&feature.name).with_f32_data(values).with_shape(&shape);
            let shifted = [&values[width..], &values[values.len() - width..]].concat();
            next.create_dataset(&feature.name).with_f32_data(&shifted).with_shape(&shape);
        }
        let last = |step| step + 1 == steps;
        let rewards: Vec<f64> = (0..steps).map(|step| f64::from(u8::from(last(step)))).collect();
        let dones: Vec<i64> = (0..steps).map(|step| i64::from(last(step))).collect();
        demo.create_dataset("rewards").with_f64_data(&rewards);
        demo.create_dataset("dones").with_i64_data(&dones);
        demo.set_attr("num_samples", AttrValue::I64(steps as i64));
        demo.add_group(obs.finish());
        demo.add_group(next.finish());
        demo.finish()
    }
}

impl Sink for Hdf5Sink {
    fn push(&mut self, episode: &Episode) -> Result<(), DataError> {
        let steps = self.schema.admit(&self.path, episode)?;
        let demo = self.demo(episode, steps);
        self.data.add_group(demo);
        let Episode { task, record, .. } = episode.clone();
        self.entries.push(Entry { task, steps, record });
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), DataError> {
        let Hdf5Sink { path, stage, schema, mut file, mut data, entries } = *self;
        let broken = |e: hdf5_pure::Error| DataError::io(&path, "write", std::io::Error::other(e));
        let total = entries.iter().map(|entry| entry.steps as i64).sum();
        let environment = json!({
            "env_name": "dextra",
            "env_version": env!("CARGO_PKG_VERSION"),
            "type": ENV_TYPE,
            "env_kwargs": { "robot": schema.robot, "fps_hz": schema.fps_hz },
        });
        data.set_attr("total", AttrValue::I64(total));
        data.set_attr("env_args", AttrValue::VarLenString(environment.to_string()));
        file.add_group(data.finish());
        let mut own = file.create_group("dextra");
        let text = serde_json::to_string(&schema).expect("plain data");
        let lines: Vec<String> = entries.iter().map(record::line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let text = own.create_dataset("schema").with_strings(&[&text]).map(drop);
        text.map_err(|e| broken(e.into()))?;
        if !lines.is_empty() {
            let lines = own.create_dataset("episodes").with_strings(&lines).map(drop);
            lines.map_err(|e| broken(e.into()))?;
        }
        file.add_group(own.finish());
        file.finish_to(BufWriter::new(stage.file())).map_err(broken)?;
        stage.commit()
    }
}
