//! Recordings for Rerun's viewer (`.rrd`): meshes, poses, points, lines, arrows, curves and texts
//! over time.
//!
//! A recording is a tree of entities, named as files are: `world/box`. One entity can hold several
//! kinds of data, each of them once. What an entity holds in space is in the frame of the entity,
//! which its [poses](Recording::poses), and those of the entities above it, move. Lengths are in
//! metres, times in seconds; the viewer's timeline is called `time`, and its world has z up.
//!
//! Written for Rerun 0.24 and later, without Rerun's own library, which would bring some 170 others.
//! `wire.rs` is the frame of the file, `table.rs` the Arrow tables in it, `space.rs` and `panels.rs`
//! what can be recorded, `layout.rs` the viewer's layout, `manifest.rs` the index at the
//! file's end, `shade.rs` the normals of meshes.

/// Constants that name columns.
macro_rules! components {
    ($($name:ident = $archetype:literal $field:literal $kind:literal;)*) => {
        $(const $name: Component = Component(
            concat!("rerun.archetypes.", $archetype),
            $field,
            concat!("rerun.components.", $kind),
        );)*
    };
}

mod entity;
mod layout;
mod manifest;
mod panels;
mod shade;
mod space;
mod table;
mod wire;

pub use layout::{Pane, View, ViewKind};

use crate::DataError;
use crate::atomic::AtomicFile;
use arrow_schema::ArrowError;
use manifest::Entry;
use nalgebra::{Point3, Vector3};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use table::{Column, Component, Index, Table};
use wire::{Manifest, Store, StoreKind, Stream, Tuid};

/// The name of the timeline.
const TIMELINE: &str = "time";

components! {
    AXES = "ViewCoordinates" "xyz" "ViewCoordinates";
    NAME = "RecordingInfo" "name" "Name";
}

/// Red, green, blue and opacity, 0 to 255 each, in sRGB; opacity is not multiplied in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub [u8; 4]);

impl Color {
    /// An opaque colour.
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Color {
        Color([red, green, blue, 255])
    }

    fn bits(self) -> u32 {
        u32::from_be_bytes(self.0)
    }
}

/// The colours of an entity's points, strips or arrows, or of a mesh's vertices.
#[derive(Clone, Copy, Debug)]
pub enum Paint<'a> {
    /// One colour for all.
    Whole(Color),
    /// One per part, the same in all rows; every row then has that many parts.
    Parts(&'a [Color]),
    /// For each row one per part. Not for meshes.
    Rows(&'a [Vec<Color>]),
}

/// When the rows of an entity's data hold.
#[derive(Clone, Copy, Debug)]
pub enum When<'a> {
    /// The one row holds at all times.
    Always,
    /// Each row holds from its time until the next row's, the last one to the end. Seconds, never
    /// descending.
    At(&'a [f64]),
}

/// An arrow in its entity's frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrow {
    /// Where it begins, metres.
    pub origin: Point3<f64>,
    /// From there to its tip, metres: scale forces to what should be seen.
    pub vector: Vector3<f64>,
}

/// A curve of a plot.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend, with the unit.
    pub name: String,
    /// Its colour.
    pub color: Color,
}

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For information.
    Info,
    /// A warning.
    Warn,
    /// An error.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// How serious it is.
    pub level: Level,
    /// Plain text.
    pub text: String,
}

/// A recording in memory, which becomes a file at [`Recording::write`].
///
/// Every call that adds data fails, naming file, entity and row, when a number is not finite (as 32
/// bits, where Rerun keeps no more), numbers of rows or parts do not match, times descend, or the
/// entity's name has an empty part, begins a part with `__`, or holds that kind of data already.
/// A call that fails adds nothing.
pub struct Recording {
    path: PathBuf,
    name: String,
    tables: Vec<Table>,
    taken: BTreeSet<(String, &'static str)>,
    layout: Vec<Pane>,
}

impl Recording {
    /// An empty recording that will be written to `path`; viewers show it as `name`.
    pub fn new(path: &Path, name: &str) -> Recording {
        Recording {
            path: path.to_owned(),
            name: name.to_owned(),
            tables: Vec::new(),
            taken: BTreeSet::new(),
            layout: Vec::new(),
        }
    }

    /// Says what the viewer shows when it opens the recording: `panes` from left to right. Without
    /// this it decides itself. Rerun keeps one layout for all open recordings of Dextra: that of the
    /// file which was opened last.
    pub fn layout(&mut self, panes: Vec<Pane>) -> Result<(), DataError> {
        let entities: Vec<&str> = self.taken.iter().map(|(entity, _)| entity.as_str()).collect();
        layout::check(&panes, &entities)
            .map_err(|(field, problem)| DataError::field(&self.path, &field, problem))?;
        self.layout = panes;
        Ok(())
    }

    /// Writes the file, whole or not at all. The same recording gives the same bytes. Its identity
    /// in the viewer comes from its content: files that differ are different recordings.
    pub fn write(self) -> Result<(), DataError> {
        let mut hash = Sha256::new();
        hash.update((self.name.len() as u64).to_le_bytes());
        hash.update(&self.name);
        hash.update(format!("{:?}", self.layout));
        self.tables.iter().for_each(|table| table.hash(&mut hash));
        let id = crate::atomic::sha256_hex(&hash.finalize());
        let panes = match self.layout.as_slice() {
            [] => Vec::new(),
            panes => layout::tables(panes, &id).map_err(|e| self.arrow("layout", e))?,
        };
        let info = || {
            let axes = table::groups(table::u8s(Z_UP), 3)?;
            Ok([
                ("/__properties", Column::one(NAME, table::strings([&self.name]))?),
                ("/", Column::one(AXES, axes)?),
            ])
        };
        let info = info().map_err(|e| self.arrow("/", e))?.map(|(entity, column)| Table {
            entity: entity.to_owned(),
            index: Index::Static,
            columns: vec![column],
        });

        let target = AtomicFile::create(&self.path)?;
        let io = |e| DataError::io(&self.path, "write", e);
        let mut names = Names::new(&id);
        let mut out = Stream::new(BufWriter::new(target.file())).map_err(io)?;
        let mut manifests = Vec::new();
        let blueprint = format!("{id}-layout");
        if !panes.is_empty() {
            let blueprint = Store { kind: StoreKind::Blueprint, id: &blueprint };
            let manifest = self.write_store(&mut out, &blueprint, &panes, &mut names)?;
            out.activation(&blueprint).map_err(io)?;
            manifests.push((blueprint, manifest));
        }
        let recording = Store { kind: StoreKind::Recording, id: &id };
        let tables = info.iter().chain(&self.tables);
        let manifest = self.write_store(&mut out, &recording, tables, &mut names)?;
        manifests.push((recording, manifest));
        out.finish(&manifests).map_err(io)?;
        target.commit()
    }

    fn write_store<'a>(
        &self,
        out: &mut Stream<impl Write>,
        store: &Store<'_>,
        tables: impl IntoIterator<Item = &'a Table>,
        names: &mut Names,
    ) -> Result<Manifest, DataError> {
        let io = |e| DataError::io(&self.path, "write", e);
        out.store(store, names.take(1)).map_err(io)?;
        let mut entries = Vec::new();
        for table in tables {
            let id = names.take(table.rows());
            let payload = table.encode(id).map_err(|e| self.arrow(&table.entity, e))?;
            let span = out.table(store, id, table.is_static(), &payload).map_err(io)?;
            entries.push(Entry { table, id, span, payload: payload.len() as u64 });
        }
        manifest::manifest(&entries).map_err(|e| self.arrow("the index", e))
    }

    /// The path of an entity that holds nothing of `kind` yet.
    fn free(&self, name: &str, kind: &'static str) -> Result<String, DataError> {
        let path = entity::path(name).map_err(|e| DataError::field(&self.path, name, e))?;
        if self.taken.contains(&(path.clone(), kind)) {
            return Err(self.error(&path, format!("a second {kind} for the entity")));
        }
        Ok(path)
    }

    fn add(&mut self, entity: String, kind: &'static str, tables: Vec<(Index, Vec<Column>)>) {
        self.tables.extend(tables.into_iter().map(|(index, columns)| Table {
            entity: entity.clone(),
            index,
            columns,
        }));
        self.taken.insert((entity, kind));
    }

    fn index(&self, entity: &str, when: When<'_>, rows: usize) -> Result<Index, DataError> {
        let When::At(times) = when else {
            return match rows {
                1 => Ok(Index::Static),
                _ => Err(self.error(entity, format!("{rows} rows for all times, not one"))),
            };
        };
        if times.len() != rows {
            let problem = format!("{} times for {rows} rows", times.len());
            return Err(self.error(entity, problem));
        }
        if rows == 0 {
            return Err(self.error(entity, "no rows"));
        }
        let mut nanoseconds = Vec::with_capacity(rows);
        for (row, &time) in times.iter().enumerate() {
            // Beyond that nanoseconds leave 64 bits.
            if !time.is_finite() || time.abs() > 9e9 {
                let problem = format!("the time {time} s is out of range");
                return Err(self.row_error(entity, row, problem));
            }
            if row > 0 && time < times[row - 1] {
                let problem = format!("the time {time} s comes after {} s", times[row - 1]);
                return Err(self.row_error(entity, row, problem));
            }
            nanoseconds.push((time * 1e9).round() as i64);
        }
        Ok(Index::Time(nanoseconds))
    }

    fn error(&self, entity: &str, problem: impl Into<String>) -> DataError {
        DataError::field(&self.path, entity, problem)
    }

    fn row_error(&self, entity: &str, row: usize, problem: impl Into<String>) -> DataError {
        DataError::frame(&self.path, entity, row, problem)
    }

    fn arrow(&self, entity: &str, error: ArrowError) -> DataError {
        self.error(entity, error.to_string())
    }
}

/// Right, forward and up are along x, y and z, in Rerun's numbers for directions.
const Z_UP: [u8; 3] = [3, 5, 1];

/// Names of rows and tables, in order, different in every recording.
struct Names {
    next: Tuid,
}

impl Names {
    /// The names of the recording whose identity is the hexadecimal `id`.
    fn new(id: &str) -> Names {
        let recording = u64::from_str_radix(&id[..16], 16).unwrap_or_default();
        Names { next: Tuid { order: 1, recording } }
    }

    /// The first of `count` names that nobody else gets.
    fn take(&mut self, count: usize) -> Tuid {
        let first = self.next;
        self.next.order += count as u64;
        first
    }
}
