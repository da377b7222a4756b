//! `meta/info.json`.

use crate::DataError;
use crate::dataset::{ACTION, Feature, MAX_WIDTH, check_count};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;

pub const VERSION: &str = "v3.0";
pub const DATA_PATH: &str = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet";
/// Files per folder.
pub const CHUNK_FILES: usize = 1000;
/// A data file is followed by another when it has grown to this size, MB.
pub const DATA_MB: u64 = 100;
/// Columns that every dataset has.
pub const COLUMNS: [&str; 5] = ["timestamp", "frame_index", "episode_index", "index", "task_index"];

/// The file; keys of others are ignored.
#[derive(Serialize, Deserialize)]
pub struct Info {
    pub codebase_version: String,
    pub fps: serde_json::Number,
    pub features: Features,
    pub total_episodes: usize,
    pub total_frames: usize,
    pub total_tasks: usize,
    pub chunks_size: usize,
    pub data_files_size_in_mb: u64,
    pub video_files_size_in_mb: u64,
    pub data_path: String,
    pub video_path: Option<String>,
    pub robot_type: Option<String>,
    pub splits: Value,
}

/// Features in the order of the file.
pub struct Features(pub Vec<(String, Column)>);

#[derive(Serialize, Deserialize)]
pub struct Column {
    pub dtype: String,
    pub shape: Vec<usize>,
    #[serde(default)]
    pub names: Value,
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, column)| (name, column)))
    }
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Features, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Features;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("features by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Features, A::Error> {
                let mut features = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    features.push(entry);
                }
                Ok(Features(features))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Features {
    /// Those of a dataset with these arrays.
    pub fn of(features: &[Feature]) -> Features {
        let array = |feature: &Feature| {
            let (shape, names) = (vec![feature.width()], json!(feature.elements));
            (column_name(&feature.name), Column { dtype: "float32".to_owned(), shape, names })
        };
        let index = |name: &str| {
            let dtype = if name == "timestamp" { "float32" } else { "int64" };
            let column = Column { dtype: dtype.to_owned(), shape: vec![1], names: Value::Null };
            (name.to_owned(), column)
        };
        Features(features.iter().map(array).chain(COLUMNS.map(index)).collect())
    }

    /// Arrays of floats with the names of their columns; pictures, films, other types and the columns of
    /// every dataset are left out.
    ///
    /// # Errors
    /// More numbers without names than names are made for; `path` is where the columns are from.
    pub fn arrays(&self, path: &Path) -> Result<Vec<(String, Feature)>, DataError> {
        let arrays = self.0.iter().filter(|(name, column)| {
            let float = ["float32", "float64"].contains(&column.dtype.as_str());
            float && !COLUMNS.contains(&name.as_str())
        });
        let unnamed = arrays.clone().filter(|(_, column)| stated(column).is_none());
        check_count(path, unnamed.map(|(_, column)| width(column)))?;
        Ok(arrays.map(|(name, column)| (name.clone(), feature(name, column))).collect())
    }
}

/// LeRobot's name of a feature: observations have a prefix.
pub fn column_name(name: &str) -> String {
    if name == ACTION { name.to_owned() } else { format!("observation.{name}") }
}

/// Numbers of a column, or one more than there may be.
fn width(column: &Column) -> usize {
    let width = column.shape.iter().fold(1usize, |product, &n| product.saturating_mul(n));
    width.min(MAX_WIDTH + 1)
}

/// The names of a column's numbers; lists are taken wherever they are, as of `{"motors": [...]}`.
fn stated(column: &Column) -> Option<Vec<String>> {
    let lists = match &column.names {
        Value::Object(map) => map.values().next(),
        other => Some(other),
    };
    let stated: Option<Vec<String>> = lists
        .and_then(Value::as_array)
        .and_then(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    stated.filter(|elements| elements.len() == width(column))
}

/// The feature of a column.
fn feature(name: &str, column: &Column) -> Feature {
    let name = name.strip_prefix("observation.").unwrap_or(name);
    match stated(column) {
        Some(elements) => Feature::new(name, elements),
        None => Feature::unnamed(name, &[width(column)]),
    }
}
