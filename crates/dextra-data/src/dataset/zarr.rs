//! Datasets as Zarr v2 folders, laid out as DP3 and `diffusion_policy` read them.
//!
//! | path | content |
//! |---|---|
//! | `data/NAME` | one array per feature, `<f4`, `[rows, n]` or with the axes of the feature, all episodes one after the other |
//! | `meta/episode_ends` | `<i8`, `[episodes]`: the row after the last one of each episode |
//! | `.zattrs` | rate, robot, names of the numbers; not part of DP3's layout |
//! | `dextra.jsonl` | task and record of every episode; not part of it either |
//!
//! Layout: the `ReplayBuffer` of `diffusion_policy`, which DP3 shares. Storage: the Zarr storage
//! specification, version 2. Chunks are written uncompressed; Blosc, zlib, gzip, zstd and LZ4 are read too.
//! Arrays of floats are features; pictures and other integers are counted, and looked at by
//! [`Source::examine`].

mod array;
mod blosc;

use super::{
    Entry, Episode, Feature, MAX_WIDTH, Schema, Sink, Source, Stored, check_count, read_json,
    record, stage::Stage, text,
};
use crate::DataError;
use array::{Array, Reader, Work};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};

const ENDS: &str = "meta/episode_ends";
/// Most rows of one chunk.
const CHUNK_ROWS: usize = 1000;
/// Most bytes of one chunk of several rows.
const CHUNK_BYTES: usize = 32 << 20;
const MAX_EPISODES: usize = 10_000_000;

/// What DP3's layout has no place for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    format_version: u32,
    fps_hz: u32,
    robot: String,
    /// In the order in which episodes hold them.
    features: Vec<Feature>,
}

/// `.zattrs` of the root: keys of others beside ours are theirs.
#[derive(Serialize, Deserialize)]
struct RootAttributes {
    dextra: Option<Attributes>,
}

/// Reads a Zarr v2 folder.
pub struct ZarrSource {
    folder: PathBuf,
    schema: Schema,
    /// In the order of their names.
    arrays: Vec<Reader>,
    /// What is said of each of the arrays.
    stored: Vec<Stored>,
    /// Array of each feature of the schema.
    places: Vec<usize>,
    /// Row after the last one of each episode.
    ends: Vec<usize>,
    entries: Vec<Entry>,
    /// What was unpacked.
    work: Work,
    /// First row of the episode that was read last.
    reached: usize,
}

impl ZarrSource {
    /// Opens the folder. Arrays of what are no numbers are refused by name.
    ///
    /// # Errors
    /// No such layout, sizes that contradict each other, and malformed files.
    pub fn open(folder: &Path) -> Result<ZarrSource, DataError> {
        let data = folder.join("data");
        let io = |e| DataError::io(&data, "read", e);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&data).map_err(io)? {
            let entry = entry.map_err(io)?;
            if entry.path().join(".zarray").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort_unstable();
        let arrays = names
            .iter()
            .map(|name| Reader::open(&data.join(name)))
            .collect::<Result<Vec<Reader>, DataError>>()?;
        let path = folder.join(ENDS);
        let mut reader = Reader::open(&path)?;
        if reader.width != 1 || reader.rows > MAX_EPISODES {
            return Err(DataError::format(&path, "not a list of ends of episodes"));
        }
        let ends = reader.integers(0, reader.rows)?;
        let ends = ends.into_iter().map(usize::try_from).collect::<Result<Vec<usize>, _>>();
        let ends = ends.map_err(|_| DataError::format(&path, "an end below zero"))?;
        if ends.first() == Some(&0) || ends.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(DataError::format(&path, "the ends of episodes do not ascend"));
        }
        let rows = ends.last().copied().unwrap_or(0);
        if let Some(array) = arrays.iter().find(|array| array.rows != rows) {
            let problem = format!("{} rows, but the episodes end at row {rows}", array.rows);
            return Err(DataError::format(&array.folder, problem));
        }
        let attributes = folder.join(".zattrs");
        let stated = match attributes.is_file() {
            true => read_json::<RootAttributes>(&attributes)?.dextra,
            false => None,
        };
        let schema = match stated {
            Some(stated) => {
                let fps_hz = Some(stated.fps_hz);
                Schema { fps_hz, robot: stated.robot, features: stated.features }
            }
            None => {
                let named = names.iter().zip(&arrays);
                let floats =
                    named.filter(|(_, array)| array.has_floats() && array.width <= MAX_WIDTH);
                check_count(&data, floats.clone().map(|(_, array)| array.width))?;
                let features = floats.map(|(name, array)| Feature::unnamed(name, &array.axes));
                Schema { fps_hz: None, robot: String::new(), features: features.collect() }
            }
        };
        let place = |feature: &Feature| {
            let fits = |&at: &usize| arrays[at].has_floats() && arrays[at].width == feature.width();
            names.iter().position(|name| *name == feature.name).filter(fits)
        };
        let places: Option<Vec<usize>> = schema.features.iter().map(place).collect();
        let places = places.ok_or_else(|| {
            DataError::format(&attributes, "the features are not those of the folder data")
        })?;
        for (feature, &at) in schema.features.iter().zip(&places) {
            let (stated, found) = (feature.row(), &arrays[at].axes);
            // A list of single numbers may lie as one without a second axis.
            if stated != *found && !(found.is_empty() && stated == [1]) {
                let problem = format!("the axes {stated:?}, but the array has {found:?}");
                return Err(DataError::field(&attributes, &feature.name, problem));
            }
        }
        let stored = names.into_iter().zip(&arrays).enumerate().map(|(at, (name, array))| Stored {
            name,
            dtype: array.dtype.to_owned(),
            shape: [&[array.rows], &array.axes[..]].concat(),
            is_feature: places.contains(&at),
        });
        let stored = stored.collect();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let steps: Vec<usize> = starts.zip(&ends).map(|(start, end)| end - start).collect();
        let entries = record::read_lines(&folder.join(record::FILE), &steps)?;
        let mut source = ZarrSource {
            folder: folder.to_owned(),
            schema,
            arrays,
            stored,
            places,
            ends,
            entries,
            work: Work::default(),
            reached: 0,
        };
        let working = source.arrays.iter().map(Reader::working_bytes).max().unwrap_or(0);
        source.keep_within(array::MEMORY_BYTES.saturating_sub(working));
        Ok(source)
    }
}

impl ZarrSource {
    /// First row of an episode that is about to be read, and the one after its last.
    fn rows(&mut self, index: usize) -> Result<(usize, usize), DataError> {
        super::within(&self.folder, index, self.ends.len())?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        if start < self.reached {
            self.work.restart();
            self.arrays.iter_mut().for_each(Reader::restart);
        }
        self.reached = start;
        Ok((start, self.ends[index]))
    }

    /// Lets features keep rows between episodes, as many of the first ones as are together within so many bytes. What is no
    /// feature keeps nothing.
    fn keep_within(&mut self, mut bytes: usize) {
        self.arrays.iter_mut().for_each(|array| array.keeps = false);
        for &at in &self.places {
            let left = bytes.checked_sub(self.arrays[at].band_bytes());
            self.arrays[at].keeps = left.is_some();
            bytes = left.unwrap_or(bytes);
        }
    }
}

impl Source for ZarrSource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn stored(&self) -> &[Stored] {
        &self.stored
    }

    fn examine(&mut self, index: usize) -> Result<(), DataError> {
        let (start, end) = self.rows(index)?;
        for (array, stored) in self.arrays.iter_mut().zip(&self.stored) {
            if !stored.is_feature {
                array.examine(start, end, &mut self.work)?;
            }
        }
        Ok(())
    }

    fn episode(&mut self, index: usize) -> Result<Episode, DataError> {
        let (start, end) = self.rows(index)?;
        let mut values = Vec::new();
        for &at in &self.places {
            values.push(self.arrays[at].floats(start, end, &mut self.work)?);
            self.arrays[at].release(end);
        }
        let Entry { task, record, .. } = self.entries[index].clone();
        Ok(Episode { task, values, record })
    }
}

/// Rows of one chunk of a new feature.
fn chunk_rows(feature: &Feature) -> usize {
    (CHUNK_BYTES / (4 * feature.width())).clamp(1, CHUNK_ROWS)
}

/// Writes a Zarr v2 folder.
pub struct ZarrSink {
    folder: PathBuf,
    stage: Stage,
    schema: Schema,
    /// Rows of one chunk of each feature.
    chunk_rows: Vec<usize>,
    /// Rows of each feature that do not fill a chunk yet.
    tails: Vec<Vec<f32>>,
    ends: Vec<usize>,
    entries: Vec<Entry>,
}

impl ZarrSink {
    /// Starts a folder, or goes on with one that [`ZarrSink`] wrote.
    ///
    /// # Errors
    /// Something else is there, another process is writing it, or it cannot be written.
    pub fn append(folder: &Path, schema: &Schema) -> Result<ZarrSink, DataError> {
        let stage = Stage::begin(folder)?;
        let mut sink = ZarrSink {
            folder: folder.to_owned(),
            stage,
            schema: schema.clone(),
            chunk_rows: schema.features.iter().map(chunk_rows).collect(),
            tails: vec![Vec::new(); schema.features.len()],
            ends: Vec::new(),
            entries: Vec::new(),
        };
        if folder.join(".zgroup").exists() {
            sink.go_on()?;
        } else if folder.read_dir().is_ok_and(|mut files| files.next().is_some()) {
            return Err(DataError::format(folder, "the folder has files, but no Zarr dataset"));
        }
        Ok(sink)
    }

    /// Takes over what is there.
    fn go_on(&mut self) -> Result<(), DataError> {
        let mut source = ZarrSource::open(&self.folder)?;
        self.schema.matches(&self.folder, &source.schema)?;
        if let Some(other) = source.stored.iter().find(|stored| !stored.is_feature) {
            let problem = format!("{} is not of this program", other.name);
            return Err(DataError::format(&self.folder, problem));
        }
        let rows = source.ends.last().copied().unwrap_or(0);
        for (at, (feature, &place)) in self.schema.features.iter().zip(&source.places).enumerate() {
            let array = &mut source.arrays[place];
            // The names of chunks tell their axes: those of others would be read as if they were not there.
            let (old, new) = (&array.axes, feature.row());
            if *old != new {
                let problem =
                    format!("the dataset has the axes {old:?}, what would be added {new:?}");
                return Err(DataError::field(&self.folder, &feature.name, problem));
            }
            self.chunk_rows[at] = array.raw_rows().ok_or_else(|| {
                DataError::format(&array.folder, "not stored as this program does")
            })?;
            let written = rows / self.chunk_rows[at] * self.chunk_rows[at];
            self.tails[at] = array.floats(written, rows, &mut source.work)?;
            array.release(rows);
        }
        self.ends = source.ends;
        self.entries = source.entries;
        Ok(())
    }

    /// Writes chunk number `index` of feature `at`, its missing rows filled with zeros.
    fn chunk(&mut self, at: usize, index: usize, rows: &[f32]) -> Result<(), DataError> {
        let feature = &self.schema.features[at];
        let mut bytes: Vec<u8> = rows.iter().flat_map(|x| x.to_le_bytes()).collect();
        bytes.resize(self.chunk_rows[at] * feature.width() * 4, 0);
        let zeros = ".0".repeat(feature.row().len());
        self.stage.write(&format!("data/{}/{index}{zeros}", feature.name), &bytes)
    }
}

impl Sink for ZarrSink {
    fn push(&mut self, episode: &Episode) -> Result<(), DataError> {
        let steps = self.schema.admit(&self.folder, episode)?;
        let before = self.ends.last().copied().unwrap_or(0);
        for (at, values) in episode.values.iter().enumerate() {
            self.tails[at].extend_from_slice(values);
            let size = self.chunk_rows[at] * self.schema.features[at].width();
            let tail = std::mem::take(&mut self.tails[at]);
            let chunks = tail.chunks_exact(size);
            self.tails[at] = chunks.remainder().to_vec();
            for (index, rows) in chunks.enumerate() {
                self.chunk(at, before / self.chunk_rows[at] + index, rows)?;
            }
        }
        self.ends.push(before + steps);
        let Episode { task, record, .. } = episode;
        self.entries.push(Entry { task: task.clone(), steps, record: record.clone() });
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), DataError> {
        let rows = self.ends.last().copied().unwrap_or(0);
        for at in 0..self.tails.len() {
            let tail = std::mem::take(&mut self.tails[at]);
            if !tail.is_empty() {
                self.chunk(at, rows / self.chunk_rows[at], &tail)?;
            }
            let feature = &self.schema.features[at];
            let lengths = |rows: usize| [&[rows], &feature.row()[..]].concat();
            let array = Array::raw(&lengths(rows), &lengths(self.chunk_rows[at]), "<f4");
            let names = json!({ "names": feature.elements });
            let folder = format!("data/{}", feature.name);
            self.stage.write(&format!("{folder}/.zarray"), &array.json())?;
            self.stage.write(&format!("{folder}/.zattrs"), &text(&names))?;
        }
        for (index, ends) in self.ends.chunks(CHUNK_ROWS).enumerate() {
            let mut bytes: Vec<u8> = ends.iter().flat_map(|&x| (x as i64).to_le_bytes()).collect();
            bytes.resize(CHUNK_ROWS * 8, 0);
            self.stage.write(&format!("{ENDS}/{index}"), &bytes)?;
        }
        let ends = Array::raw(&[self.ends.len()], &[CHUNK_ROWS], "<i8");
        self.stage.write(&format!("{ENDS}/.zarray"), &ends.json())?;
        for group in [".zgroup", "data/.zgroup", "meta/.zgroup"] {
            self.stage.write(group, &text(&json!({ "zarr_format": 2 })))?;
        }
        let attributes = RootAttributes {
            dextra: Some(Attributes {
                format_version: 1,
                fps_hz: self.schema.fps_hz.unwrap_or(0),
                robot: self.schema.robot.clone(),
                features: self.schema.features.clone(),
            }),
        };
        self.stage.write(".zattrs", &text(&attributes))?;
        self.stage.write(record::FILE, &record::lines(&self.entries))?;
        self.stage.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes an array of one chunk.
    fn write(set: &Path, name: &str, array: &Array, chunk: &[u8]) {
        let folder = set.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(".zarray"), array.json()).unwrap();
        let axes = ".0".repeat(usize::from(name != ENDS));
        std::fs::write(folder.join(format!("0{axes}")), chunk).unwrap();
    }

    /// A set of `rows`, each an episode, of four features of 100 bytes a row and as many arrays of integers.
    fn rows_alone(set: &Path, rows: usize) -> ZarrSource {
        for index in 0..4 {
            let bytes = vec![7; rows * 100];
            let floats = Array::raw(&[rows, 25], &[rows, 25], "<f4");
            write(set, &format!("data/f{index}"), &floats, &bytes);
            let integers = Array::raw(&[rows, 50], &[2 * rows, 50], "|u1");
            write(set, &format!("data/i{index}"), &integers, &bytes);
        }
        let ends: Vec<u8> = (1..=rows as i64).flat_map(i64::to_le_bytes).collect();
        write(set, ENDS, &Array::raw(&[rows], &[rows], "<i8"), &ends);
        ZarrSource::open(set).unwrap()
    }

    #[test]
    fn what_arrays_keep_of_their_chunks_is_limited_together() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = rows_alone(dir.path(), 2);
        source.keep_within(500);
        let mut kept = |index| {
            source.examine(index).unwrap();
            source.episode(index).unwrap();
            source.arrays.iter().map(Reader::kept).collect::<Vec<usize>>()
        };
        assert_eq!(kept(0), [200, 200, 0, 0, 0, 0, 0, 0]);
        // No episode follows.
        assert_eq!(kept(1), [0; 8]);
    }

    #[test]
    fn chunks_that_are_unpacked_for_every_episode_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = rows_alone(dir.path(), 100);
        // What is kept, and what is no feature, is read once: nothing is spared.
        source.work.spare = 0;
        for index in 0..100 {
            source.examine(index).unwrap();
            source.episode(index).unwrap();
        }
        source.keep_within(0);
        for _ in 0..2 {
            let read = |index| source.episode(index).map(drop);
            let errors: Vec<_> = (0..100).map(read).filter_map(Result::err).collect();
            assert_eq!(errors.len(), 92, "each may be unpacked eight times");
            let error = errors[0].to_string();
            assert!(error.contains("data/f0: unpacked again and again"), "{error}");
            assert!(error.contains("chunks of 100 rows, episodes of 1;"), "{error}");
        }
    }

    #[test]
    fn chunks_of_a_thousand_images_of_eight_cameras_are_all_kept() {
        let dir = tempfile::tempdir().unwrap();
        for index in 0..8 {
            let mut array = Array::raw(&[5000, 84, 84, 3], &[1000, 84, 84, 3], "<f4");
            array.compressor = Some(json!({ "id": "blosc" }));
            write(dir.path(), &format!("data/img{index}"), &array, &[]);
        }
        write(dir.path(), ENDS, &Array::raw(&[1], &[1], "<i8"), &5000i64.to_le_bytes());
        let source = ZarrSource::open(dir.path()).unwrap();
        assert!(source.arrays.iter().all(|array| array.keeps));
        let working = source.arrays[0].working_bytes();
        assert_eq!(working, 3 * 1000 * 84 * 84 * 3 * 4);
        let kept: usize = source.arrays.iter().map(Reader::band_bytes).sum();
        assert!(kept + working <= array::MEMORY_BYTES && array::MEMORY_BYTES < 1 << 30);
        // Of the largest chunks, even what is put among others leaves room.
        let most = 4 * array::CHUNK_BYTES;
        assert!(most <= array::MEMORY_BYTES);
    }
}
