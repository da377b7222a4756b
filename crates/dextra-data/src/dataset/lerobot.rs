//! Datasets of LeRobot, version 3.0, with arrays and without pictures.
//!
//! | path | content |
//! |---|---|
//! | `meta/info.json` | rate, robot, features, counts |
//! | `meta/tasks.parquet` | number of every task text |
//! | `meta/episodes/chunk-000/file-000.parquet` | length, place, task and statistics of every episode |
//! | `meta/stats.json` | statistics of all steps |
//! | `data/chunk-000/file-000.parquet` | the steps, one row group per episode |
//! | `meta/dextra.jsonl` | task and record of every episode; not part of LeRobot's layout |
//!
//! Layout and names: the Python package `lerobot` 0.6.1, whose own files these are compared with.

mod info;
mod stats;
mod table;

use super::{
    Entry, Episode, MAX_WIDTH, Schema, Sink, Source, read_json, record, stage::Stage, within,
};
use crate::DataError;
use info::{CHUNK_FILES, COLUMNS, DATA_MB, DATA_PATH, Features, Info, VERSION, column_name};
use serde_json::{Value, json};
use stats::{NAMES, Stats};
use std::path::{Path, PathBuf};
use table::{Column, Table, TableWriter, Values};

const INFO: &str = "meta/info.json";
const TASKS: &str = "meta/tasks.parquet";
const STATS: &str = "meta/stats.json";
const EPISODES: &str = "meta/episodes";
const LINES: &str = "meta/dextra.jsonl";
/// What pandas needs to take the column of texts for the index of the table, as LeRobot expects.
const TASKS_INDEX: &str = r#"{"index_columns": ["task"], "column_indexes": [{"name": null, "field_name": null, "pandas_type": "unicode", "numpy_type": "object", "metadata": {"encoding": "UTF-8"}}], "columns": [{"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64", "metadata": null}, {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": null}], "attributes": {}, "creator": {"library": "dextra", "version": "0"}, "pandas_version": "2.2.0"}"#;

/// Whether a dataset is at `folder`.
pub(super) fn is_at(folder: &Path) -> bool {
    folder.join(INFO).is_file()
}

/// Path of file number `index` below `folder`.
fn file(folder: &str, index: usize) -> String {
    format!("{folder}/chunk-{:03}/file-{:03}.parquet", index / CHUNK_FILES, index % CHUNK_FILES)
}

/// Where an episode is.
struct Place {
    /// Number of its data file.
    file: usize,
    /// Its rows, counted over all files.
    from: usize,
    to: usize,
}

/// The data file that was read last.
struct Opened {
    file: usize,
    table: Table,
    columns: Vec<usize>,
    /// A row group and its numbers, `[features][rows * n]`.
    group: Option<(usize, Vec<Vec<f32>>)>,
}

/// Reads a dataset: its arrays of floats. Pictures, films and other types are left out.
pub struct LeRobotSource {
    folder: PathBuf,
    schema: Schema,
    /// Name of each feature's column.
    columns: Vec<String>,
    places: Vec<Place>,
    entries: Vec<Entry>,
    opened: Option<Opened>,
    /// Number of files of episodes.
    episode_files: usize,
    /// Whether all features are those that [`LeRobotSink`] writes.
    plain: bool,
}

impl LeRobotSource {
    /// Opens the folder.
    ///
    /// # Errors
    /// Another version of the layout, counts that contradict each other, and malformed files.
    pub fn open(folder: &Path) -> Result<LeRobotSource, DataError> {
        let path = folder.join(INFO);
        let info: Info = read_json(&path)?;
        if !info.codebase_version.starts_with("v3.") {
            let problem = format!("{}; version 3 is read", info.codebase_version);
            return Err(DataError::field(&path, "codebase_version", problem));
        }
        if info.data_path != DATA_PATH || info.chunks_size == 0 {
            return Err(DataError::field(&path, "data_path", "not the usual names of files"));
        }
        let fps_hz = info.fps.as_f64().filter(|fps| fps.fract() == 0.0 && (1.0..1e9).contains(fps));
        let fps_hz = fps_hz.ok_or_else(|| DataError::field(&path, "fps", "not a whole number"))?;
        let (names, features): (Vec<_>, Vec<_>) = info.features.arrays(&path)?.into_iter().unzip();
        if let Some(feature) = features.iter().find(|f| f.width() == 0 || f.width() > MAX_WIDTH) {
            return Err(DataError::field(&path, &feature.name, "no numbers, or too many"));
        }
        let schema = Schema {
            fps_hz: Some(fps_hz as u32),
            robot: info.robot_type.unwrap_or_default(),
            features,
        };
        let ours = Features::of(&schema.features);
        let plain =
            ours.0.iter().map(|(name, _)| name).eq(info.features.0.iter().map(|(name, _)| name));
        let mut source = LeRobotSource {
            folder: folder.to_owned(),
            schema,
            columns: names,
            places: Vec::new(),
            entries: Vec::new(),
            opened: None,
            episode_files: 0,
            plain: plain && info.chunks_size == CHUNK_FILES,
        };
        let tasks = source.read_places(info.chunks_size)?;
        let (episodes, rows) = (source.places.len(), source.places.last().map_or(0, |p| p.to));
        if episodes != info.total_episodes || rows != info.total_frames {
            let problem = format!("{episodes} episodes with {rows} steps are listed in {EPISODES}");
            return Err(DataError::field(&path, "total_episodes", problem));
        }
        let steps: Vec<usize> = source.places.iter().map(|place| place.to - place.from).collect();
        source.entries = record::read_lines(&folder.join(LINES), &steps)?;
        for (entry, task) in source.entries.iter_mut().zip(tasks) {
            if entry.record.is_some() && entry.task != task {
                return Err(DataError::format(&folder.join(LINES), "tasks differ"));
            }
            entry.task = task;
        }
        Ok(source)
    }

    /// Reads where episodes are; returns their tasks.
    fn read_places(&mut self, chunk_files: usize) -> Result<Vec<String>, DataError> {
        let mut tasks = Vec::new();
        let mut path = self.folder.join(file(EPISODES, 0));
        while path.is_file() {
            let table = Table::open(&path)?;
            let column = |name| table.integers(name);
            let (chunk, index) = (column("data/chunk_index")?, column("data/file_index")?);
            let (from, to) = (column("dataset_from_index")?, column("dataset_to_index")?);
            for row in 0..table.rows() {
                let last = self.places.last().map_or(0, |place| place.to);
                let number =
                    chunk[row].checked_mul(chunk_files).map(|n| n.saturating_add(index[row]));
                let earlier = self.places.last().map_or(0, |place| place.file);
                let Some(file) = number.filter(|&n| n >= earlier) else {
                    return Err(DataError::frame(&path, "data/file_index", row, "out of order"));
                };
                if from[row] != last || to[row] <= from[row] {
                    let problem = "episodes do not follow each other";
                    return Err(DataError::frame(&path, "dataset_from_index", row, problem));
                }
                self.places.push(Place { file, from: from[row], to: to[row] });
            }
            tasks.extend(table.texts("tasks")?.into_iter().map(|texts| texts.join("; ")));
            self.episode_files += 1;
            path = self.folder.join(file(EPISODES, self.episode_files));
        }
        Ok(tasks)
    }

    /// Appends rows `from..to` of the data file `number` to `values`.
    fn rows(
        &mut self,
        number: usize,
        from: usize,
        to: usize,
        values: &mut [Vec<f32>],
    ) -> Result<(), DataError> {
        if self.opened.as_ref().is_none_or(|opened| opened.file != number) {
            let path = self.folder.join(file("data", number));
            let table = Table::open(&path)?;
            let columns = self.columns.iter().map(|name| table.column(name));
            let columns = columns.collect::<Result<_, _>>()?;
            self.opened = Some(Opened { file: number, table, columns, group: None });
        }
        let Some(opened) = &mut self.opened else { return Ok(()) };
        if to > opened.table.rows() {
            let problem = format!("{} rows, where {to} belong", opened.table.rows());
            return Err(DataError::format(&self.folder.join(file("data", number)), problem));
        }
        let starts = opened.table.starts.clone();
        let first = starts.partition_point(|&start| start <= from) - 1;
        for group in (first..starts.len() - 1).take_while(|&group| starts[group] < to) {
            if opened.group.as_ref().is_none_or(|(known, _)| *known != group) {
                let arrays = self.schema.features.iter().zip(&opened.columns);
                let arrays = arrays
                    .map(|(feature, &column)| opened.table.floats(group, column, feature.width()));
                opened.group = Some((group, arrays.collect::<Result<_, _>>()?));
            }
            let Some((_, arrays)) = &opened.group else { continue };
            let (begin, end) = (from.max(starts[group]), to.min(starts[group + 1]));
            for ((values, array), feature) in
                values.iter_mut().zip(arrays).zip(&self.schema.features)
            {
                let rows = begin - starts[group]..end - starts[group];
                values.extend(&array[rows.start * feature.width()..rows.end * feature.width()]);
            }
        }
        Ok(())
    }
}

impl Source for LeRobotSource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn episode(&mut self, index: usize) -> Result<Episode, DataError> {
        within(&self.folder, index, self.places.len())?;
        let Place { file, from, to } = self.places[index];
        let first = self.places.partition_point(|place| place.file < file);
        let start = self.places[first].from;
        let mut values = vec![Vec::new(); self.schema.features.len()];
        self.rows(file, from - start, to - start, &mut values)?;
        let Entry { task, record, .. } = self.entries[index].clone();
        Ok(Episode { task, values, record })
    }
}

/// What `meta/episodes` says about an episode.
struct Row {
    steps: usize,
    from: usize,
    file: usize,
    task: String,
    stats: Vec<Stats>,
}

/// Writes a dataset.
pub struct LeRobotSink {
    folder: PathBuf,
    stage: Stage,
    schema: Schema,
    entries: Vec<Entry>,
    tasks: Vec<String>,
    /// Of all steps, by column; empty before the first episode.
    stats: Vec<Stats>,
    /// Steps of all episodes.
    frames: usize,
    /// Episodes of this writer.
    rows: Vec<Row>,
    writer: Option<TableWriter>,
    /// Number of the data file that is being written, and of that of episodes.
    data_file: usize,
    episode_file: usize,
}

impl LeRobotSink {
    /// Starts a folder, or goes on with one that [`LeRobotSink`] wrote; files that are there stay.
    ///
    /// # Errors
    /// Something else is there, another process is writing it, or it cannot be written.
    pub fn append(folder: &Path, schema: &Schema) -> Result<LeRobotSink, DataError> {
        let mut sink = LeRobotSink {
            folder: folder.to_owned(),
            stage: Stage::begin(folder)?,
            schema: schema.clone(),
            entries: Vec::new(),
            tasks: Vec::new(),
            stats: Vec::new(),
            frames: 0,
            rows: Vec::new(),
            writer: None,
            data_file: 0,
            episode_file: 0,
        };
        if is_at(folder) {
            sink.go_on()?;
        } else if folder.read_dir().is_ok_and(|mut files| files.next().is_some()) {
            return Err(DataError::format(folder, "the folder has files, but no LeRobot dataset"));
        }
        Ok(sink)
    }

    /// Takes over what is there.
    fn go_on(&mut self) -> Result<(), DataError> {
        let source = LeRobotSource::open(&self.folder)?;
        self.schema.matches(&self.folder, &source.schema)?;
        if !source.plain {
            let problem = "it has other columns than this program writes";
            return Err(DataError::format(&self.folder, problem));
        }
        let Some(last) = source.places.last() else { return Ok(()) };
        (self.frames, self.data_file) = (last.to, last.file + 1);
        self.episode_file = source.episode_files;
        self.entries = source.entries;
        let path = self.folder.join(TASKS);
        let table = Table::open(&path)?;
        let texts = table.texts("task")?.into_iter().map(|text| text.join("; "));
        let mut tasks: Vec<(usize, String)> =
            table.integers("task_index")?.into_iter().zip(texts).collect();
        tasks.sort_unstable();
        if tasks.iter().enumerate().any(|(place, (index, _))| place != *index) {
            return Err(DataError::field(&path, "task_index", "numbers are missing"));
        }
        self.tasks = tasks.into_iter().map(|(_, text)| text).collect();
        let path = self.folder.join(STATS);
        let stats: Value = read_json(&path)?;
        for (name, width) in columns(&self.schema) {
            let known = Stats::from_json(&stats[&name], width);
            let problem = || DataError::field(&path, &name, "statistics are missing");
            self.stats.push(known.ok_or_else(problem)?);
        }
        Ok(())
    }

    /// The table of the episodes of this writer.
    fn episodes(&self) -> Vec<Column> {
        let rows = &self.rows;
        let integers = |name: &str, value: &dyn Fn(usize) -> usize| {
            let values = (0..rows.len()).map(|row| value(row) as i64).collect();
            Column::new(name, None, Values::I64(values))
        };
        let before = self.entries.len() - rows.len();
        let tasks = rows.iter().map(|row| row.task.clone()).collect();
        let mut table = vec![
            integers("episode_index", &|row| before + row),
            Column::new("tasks", Some(1), Values::Text(tasks)),
            integers("length", &|row| rows[row].steps),
            integers("data/chunk_index", &|row| rows[row].file / CHUNK_FILES),
            integers("data/file_index", &|row| rows[row].file % CHUNK_FILES),
            integers("dataset_from_index", &|row| rows[row].from),
            integers("dataset_to_index", &|row| rows[row].from + rows[row].steps),
        ];
        for (column, (name, width)) in columns(&self.schema).into_iter().enumerate() {
            for (kind, statistic) in NAMES.into_iter().enumerate() {
                let values = rows.iter().flat_map(|row| row.stats[column].values[kind].clone());
                let name = format!("stats/{name}/{statistic}");
                table.push(Column::new(name, Some(width), Values::F64(values.collect())));
            }
            let counts = rows.iter().map(|row| row.steps as i64).collect();
            table.push(Column::new(format!("stats/{name}/count"), Some(1), Values::I64(counts)));
        }
        table.push(integers("meta/episodes/chunk_index", &|_| self.episode_file / CHUNK_FILES));
        table.push(integers("meta/episodes/file_index", &|_| self.episode_file % CHUNK_FILES));
        table
    }

    /// Writes a table as a file of one row group.
    fn table(
        &mut self,
        name: &str,
        table: &[Column],
        metadata: &[(&str, String)],
    ) -> Result<(), DataError> {
        let file = self.stage.create(name)?;
        let mut writer = TableWriter::new(self.stage.path(name), file, table, metadata)?;
        writer.group(table)?;
        writer.finish()
    }
}

impl Sink for LeRobotSink {
    fn push(&mut self, episode: &Episode) -> Result<(), DataError> {
        let steps = self.schema.admit(&self.folder, episode)?;
        let fps = f64::from(self.schema.fps_hz.unwrap_or(1));
        let known = self.tasks.iter().position(|task| *task == episode.task);
        let task = known.unwrap_or_else(|| {
            self.tasks.push(episode.task.clone());
            self.tasks.len() - 1
        });
        let (index, from) = (self.entries.len(), self.frames);
        let time = |step: usize| (step as f64 / fps) as f32;
        let integers = |value: &dyn Fn(usize) -> usize| {
            Values::I64((0..steps).map(|step| value(step) as i64).collect())
        };
        let mut table: Vec<Column> = Vec::new();
        let mut stats = Vec::new();
        for (feature, values) in self.schema.features.iter().zip(&episode.values) {
            let width = feature.width();
            let list = (width > 1).then_some(width);
            table.push(Column::new(column_name(&feature.name), list, Values::F32(values.clone())));
            stats.push(Stats::of(steps, width, |step, at| f64::from(values[step * width + at])));
        }
        let indices = [
            Values::F32((0..steps).map(time).collect()),
            integers(&|step| step),
            integers(&|_| index),
            integers(&|step| from + step),
            integers(&|_| task),
        ];
        stats.push(Stats::of(steps, 1, |step, _| f64::from(time(step))));
        stats.push(Stats::of(steps, 1, |step, _| step as f64));
        stats.push(Stats::of(steps, 1, |_, _| index as f64));
        stats.push(Stats::of(steps, 1, |step, _| (from + step) as f64));
        stats.push(Stats::of(steps, 1, |_, _| task as f64));
        table.extend(
            COLUMNS.into_iter().zip(indices).map(|(n, values)| Column::new(n, None, values)),
        );
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let name = file("data", self.data_file);
                let file = self.stage.create(&name)?;
                TableWriter::new(self.stage.path(&name), file, &table, &[])?
            }
        };
        writer.group(&table)?;
        match self.stats.is_empty() {
            true => self.stats = stats.clone(),
            false => self.stats.iter_mut().zip(&stats).for_each(|(all, new)| all.merge(new)),
        }
        let Episode { task, record, .. } = episode.clone();
        self.rows.push(Row { steps, from, file: self.data_file, task: task.clone(), stats });
        self.entries.push(Entry { task, steps, record });
        self.frames += steps;
        if writer.size() < DATA_MB << 20 {
            self.writer = Some(writer);
        } else {
            writer.finish()?;
            self.data_file += 1;
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), DataError> {
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        if !self.rows.is_empty() {
            let episodes = self.episodes();
            self.table(&file(EPISODES, self.episode_file), &episodes, &[])?;
            let numbers = (0..self.tasks.len() as i64).collect();
            let tasks = [
                Column::new("task_index", None, Values::I64(numbers)),
                Column::new("task", None, Values::Text(self.tasks.clone())),
            ];
            self.table(TASKS, &tasks, &[("pandas", TASKS_INDEX.to_owned())])?;
            let names = columns(&self.schema).into_iter().map(|(name, _)| name);
            let stats: serde_json::Map<String, Value> =
                names.zip(self.stats.iter().map(Stats::json)).collect();
            self.stage.write(STATS, &super::text(&stats))?;
        }
        let info = Info {
            codebase_version: VERSION.to_owned(),
            fps: self.schema.fps_hz.unwrap_or(1).into(),
            features: Features::of(&self.schema.features),
            total_episodes: self.entries.len(),
            total_frames: self.frames,
            total_tasks: self.tasks.len(),
            chunks_size: CHUNK_FILES,
            data_files_size_in_mb: DATA_MB,
            video_files_size_in_mb: 200,
            data_path: DATA_PATH.to_owned(),
            video_path: None,
            robot_type: Some(self.schema.robot.clone()),
            splits: json!({ "train": format!("0:{}", self.entries.len()) }),
        };
        self.stage.write(INFO, &super::text(&info))?;
        self.stage.write(LINES, &record::lines(&self.entries))?;
        self.stage.commit()
    }
}

/// Name and width of every column of the data, in order.
fn columns(schema: &Schema) -> Vec<(String, usize)> {
    let arrays = schema.features.iter().map(|f| (column_name(&f.name), f.width()));
    arrays.chain(COLUMNS.map(|name| (name.to_owned(), 1))).collect()
}
