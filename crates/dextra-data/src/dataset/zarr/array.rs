//! One array of a Zarr v2 folder: `.zarray` and files of chunks.

use super::blosc;
use crate::dataset::{MAX_VALUES, read_json};
use crate::{DataError, atomic};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Read;
use std::iter::repeat_n;
use std::path::{Path, PathBuf};

/// Largest chunk, and most bytes of all rows of the chunks with the same rows.
pub const CHUNK_BYTES: usize = 192 << 20;
/// Most bytes of the chunks with the same rows, with what of them is outside the array.
const TILES_BYTES: usize = 2 * CHUNK_BYTES;
/// Most bytes of what is kept of chunks between episodes, and of what reading one takes.
pub const MEMORY_BYTES: usize = 896 << 20;
/// How often all that was read may be unpacked while episodes are read in order, and bytes that may be unpacked beyond that.
const TIMES: u64 = 8;
const SPARE_BYTES: u64 = 2 << 30;
/// Most chunks with the same rows.
const MAX_TILES: usize = 4096;
/// Most axes; NumPy has 64.
const MAX_AXES: usize = 32;

/// `.zarray`, as the specification has it.
#[derive(Serialize, Deserialize)]
pub struct Array {
    zarr_format: u32,
    shape: Vec<usize>,
    chunks: Vec<usize>,
    dtype: Value,
    pub compressor: Option<Value>,
    fill_value: Value,
    order: String,
    filters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimension_separator: Option<String>,
}

impl Array {
    /// An array whose chunks are bare bytes.
    pub fn raw(shape: &[usize], chunks: &[usize], dtype: &str) -> Array {
        Array {
            zarr_format: 2,
            shape: shape.to_vec(),
            chunks: chunks.to_vec(),
            dtype: dtype.into(),
            compressor: None,
            fill_value: json!(0),
            order: "C".to_owned(),
            filters: None,
            dimension_separator: None,
        }
    }

    /// As the file has it.
    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("plain data")
    }
}

/// What numbers are.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Float,
    Signed,
    /// Unsigned integers and booleans.
    Other,
}

/// The little-endian types of numbers that are read: name, kind, bytes.
const ELEMENTS: [(&str, Kind, usize); 12] = [
    ("<f4", Kind::Float, 4),
    ("<f8", Kind::Float, 8),
    ("<f2", Kind::Float, 2),
    ("|i1", Kind::Signed, 1),
    ("<i2", Kind::Signed, 2),
    ("<i4", Kind::Signed, 4),
    ("<i8", Kind::Signed, 8),
    ("|u1", Kind::Other, 1),
    ("<u2", Kind::Other, 2),
    ("<u4", Kind::Other, 4),
    ("<u8", Kind::Other, 8),
    ("|b1", Kind::Other, 1),
];

#[derive(Clone, Copy, PartialEq)]
enum Codec {
    Raw,
    Zlib,
    Gzip,
    Blosc,
    /// One LZ4 block after its size in four bytes.
    Lz4,
    Zstd,
}

/// Names of [`Codec`]s.
const CODECS: [(&str, Codec); 5] = [
    ("zlib", Codec::Zlib),
    ("gzip", Codec::Gzip),
    ("blosc", Codec::Blosc),
    ("lz4", Codec::Lz4),
    ("zstd", Codec::Zstd),
];

/// What was unpacked while episodes were read in order: those of fewer rows than a chunk share it, and where it cannot be kept
/// it is unpacked for each of them.
pub struct Work {
    /// Bytes that were unpacked, and how many of them are of rows that were not read before.
    unpacked: u64,
    read: u64,
    /// Bytes that may be unpacked beyond [`TIMES`] those that are read.
    pub spare: u64,
}

impl Default for Work {
    fn default() -> Work {
        Work { unpacked: 0, read: 0, spare: SPARE_BYTES }
    }
}

impl Work {
    /// Starts again, as episodes are read from an earlier one on.
    pub fn restart(&mut self) {
        (self.unpacked, self.read) = (0, 0);
    }

    /// Counts bytes that are about to be unpacked; false if they are too many.
    fn add(&mut self, bytes: usize) -> bool {
        self.unpacked = self.unpacked.saturating_add(bytes as u64);
        self.unpacked <= self.read.saturating_mul(TIMES).saturating_add(self.spare)
    }
}

/// Reads an array.
pub struct Reader {
    /// The folder of the array.
    pub folder: PathBuf,
    /// Length of the first axis.
    pub rows: usize,
    /// Numbers per row.
    pub width: usize,
    /// Lengths of the other axes.
    pub axes: Vec<usize>,
    /// Type of the numbers, as NumPy names it.
    pub dtype: &'static str,
    kind: Kind,
    /// Bytes of one number.
    size: usize,
    chunk_rows: usize,
    /// Lengths of a chunk along the other axes.
    chunk_axes: Vec<usize>,
    codec: Codec,
    /// Bytes of what stands for numbers without a file.
    fill: Vec<u8>,
    /// Between the numbers in the name of a chunk's file.
    separator: char,
    /// The rows that were read last: episodes share chunks.
    last: Option<(usize, Vec<u8>)>,
    /// Whether they may be kept between episodes.
    pub keeps: bool,
    /// Number of the chunks that were examined last.
    examined: Option<usize>,
    /// Greatest number of chunks that were read.
    furthest: Option<usize>,
    /// Numbers along the first axis of the chunks that have files, ascending, once they were asked for.
    present: Option<Vec<usize>>,
}

impl Reader {
    /// Reads `.zarray`.
    pub fn open(folder: &Path) -> Result<Reader, DataError> {
        let path = folder.join(".zarray");
        let array: Array = read_json(&path)?;
        let problem = |field: &str, problem: String| Err(DataError::field(&path, field, problem));
        let (shape, chunks) = (&array.shape, &array.chunks);
        let filtered = array
            .filters
            .as_ref()
            .is_some_and(|f| f.as_array().is_none_or(|list| !list.is_empty()));
        if array.zarr_format != 2 || array.order != "C" || filtered {
            return problem("zarr_format", "version 2, order C, no filters are read".to_owned());
        }
        let (Some((&rows, axes)), Some((&chunk_rows, chunk_axes))) =
            (shape.split_first(), chunks.split_first())
        else {
            return problem("shape", "an array without axes".to_owned());
        };
        if axes.len() != chunk_axes.len() || axes.len() >= MAX_AXES || chunks.contains(&0) {
            return problem("chunks", format!("{chunks:?} of {shape:?}"));
        }
        let product = |of: &[usize]| of.iter().try_fold(1usize, |n, &m| n.checked_mul(m));
        let Some(width) = product(axes).filter(|&n| n > 0) else {
            return problem("shape", format!("{shape:?} is empty or too wide"));
        };
        let known = ELEMENTS.iter().find(|(name, ..)| array.dtype.as_str() == Some(name));
        let Some(&(dtype, kind, size)) = known else {
            let names = ELEMENTS.map(|(name, ..)| name).join(", ");
            return problem("dtype", format!("{}; {names} are read", array.dtype));
        };
        let codec = match array.compressor.as_ref().map(|codec| codec["id"].as_str()) {
            None => Codec::Raw,
            Some(name) => match CODECS.iter().find(|(known, _)| name == Some(known)) {
                Some(&(_, codec)) => codec,
                None => {
                    let name = name.unwrap_or("without a name");
                    let names = CODECS.map(|(name, _)| name).join(", ");
                    return problem("compressor", format!("{name}; none, {names} are read"));
                }
            },
        };
        let bytes = |of: &[usize]| product(of)?.checked_mul(chunk_rows)?.checked_mul(size);
        if [axes, chunk_axes].into_iter().any(|of| bytes(of).is_none_or(|n| n > CHUNK_BYTES)) {
            return problem("chunks", format!("{chunks:?} is above {CHUNK_BYTES} bytes"));
        }
        let tiles: Vec<usize> = axes.iter().zip(chunk_axes).map(|(n, m)| n.div_ceil(*m)).collect();
        let Some(tiles) = product(&tiles).filter(|&tiles| tiles <= MAX_TILES) else {
            return problem("chunks", format!("{chunks:?} split {shape:?} into too many"));
        };
        // Chunks that are longer than the array cost time and memory without holding anything of it.
        if bytes(chunk_axes).and_then(|n| n.checked_mul(tiles)).is_none_or(|n| n > TILES_BYTES) {
            let above = format!(
                "{tiles} of {chunks:?} for the same rows of {shape:?} are above {TILES_BYTES} bytes"
            );
            return problem("chunks", above);
        }
        let fill = match &array.fill_value {
            Value::Null => 0.0,
            Value::Bool(value) => f64::from(u8::from(*value)),
            Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
            Value::String(word) => word.parse().unwrap_or(f64::NAN),
            _ => return problem("fill_value", "not a number".to_owned()),
        };
        let fill = match (kind, size) {
            (Kind::Float, 4) => (fill as f32).to_le_bytes().to_vec(),
            (Kind::Float, 8) => fill.to_le_bytes().to_vec(),
            (Kind::Float, _) => vec![0; size],
            (Kind::Signed, _) => (fill as i64).to_le_bytes()[..size].to_vec(),
            (Kind::Other, _) => (fill as u64).to_le_bytes()[..size].to_vec(),
        };
        let separator = match array.dimension_separator.as_deref() {
            None | Some(".") => '.',
            Some("/") => '/',
            Some(other) => return problem("dimension_separator", other.to_owned()),
        };
        Ok(Reader {
            folder: folder.to_owned(),
            rows,
            width,
            axes: axes.to_vec(),
            dtype,
            kind,
            size,
            chunk_rows,
            chunk_axes: chunk_axes.to_vec(),
            codec,
            fill,
            separator,
            last: None,
            keeps: true,
            examined: None,
            furthest: None,
            present: None,
        })
    }

    /// Rows of a chunk, where chunks are bare 32-bit floats of whole rows, zeros without a file.
    pub fn raw_rows(&self) -> Option<usize> {
        let raw = self.chunk_axes == self.axes
            && self.codec == Codec::Raw
            && self.separator == '.'
            && self.dtype == "<f4"
            && self.fill == [0; 4];
        raw.then_some(self.chunk_rows)
    }

    /// Whether [`Reader::floats`] reads it.
    pub fn has_floats(&self) -> bool {
        self.kind == Kind::Float && self.size >= 4
    }

    /// Rows `start..end` as 32-bit floats.
    pub fn floats(
        &mut self,
        start: usize,
        end: usize,
        work: &mut Work,
    ) -> Result<Vec<f32>, DataError> {
        match (self.kind, self.size) {
            (Kind::Float, 4) => self.read(start, end, work, f32::from_le_bytes),
            (Kind::Float, 8) => {
                self.read(start, end, work, |bytes: [u8; 8]| f64::from_le_bytes(bytes) as f32)
            }
            _ => Err(self.misfit("32- or 64-bit floats")),
        }
    }

    /// Rows `start..end` as integers.
    pub fn integers(&mut self, start: usize, end: usize) -> Result<Vec<i64>, DataError> {
        let work = &mut Work::default();
        match (self.kind, self.size) {
            (Kind::Signed, 4) => {
                self.read(start, end, work, |bytes: [u8; 4]| i64::from(i32::from_le_bytes(bytes)))
            }
            (Kind::Signed, 8) => self.read(start, end, work, i64::from_le_bytes),
            _ => Err(self.misfit("32- or 64-bit integers")),
        }
    }

    fn misfit(&self, needed: &str) -> DataError {
        let problem = format!("{}, where {needed} are needed", self.dtype);
        DataError::field(&self.folder.join(".zarray"), "dtype", problem)
    }

    /// Reads rows `start..end` to see whether they can be read; keeps nothing, and reads chunks once for all episodes in them.
    pub fn examine(&mut self, start: usize, end: usize, work: &mut Work) -> Result<(), DataError> {
        if end > self.rows {
            return Err(DataError::format(&self.folder, "too few rows"));
        }
        let (mut index, until) = (start / self.chunk_rows, end.div_ceil(self.chunk_rows));
        // An array may have many more rows than files.
        while let Some(next) = self.present_from(index)?.filter(|&next| next < until) {
            let unseen = self.examined != Some(next);
            if unseen && self.tiles().iter().any(|tile| self.path(next, tile).exists()) {
                self.band(next, end - start, work)?;
                self.last = None;
            }
            self.examined = Some(next);
            index = next + 1;
        }
        Ok(())
    }

    /// Bytes of the rows that are kept, once they are read.
    pub fn band_bytes(&self) -> usize {
        self.chunk_rows * self.width * self.size
    }

    /// Most bytes that reading them takes: they, a chunk that is put among them, a file and a block of Blosc.
    pub fn working_bytes(&self) -> usize {
        let buffers = match self.codec {
            Codec::Raw => 0,
            Codec::Blosc => 2,
            _ => 1,
        };
        let buffers = buffers + usize::from(self.chunk_axes != self.axes);
        self.band_bytes() + buffers * self.chunk_bytes()
    }

    /// Bytes of one chunk.
    fn chunk_bytes(&self) -> usize {
        self.chunk_rows * self.chunk_axes.iter().product::<usize>() * self.size
    }

    /// Forgets what was read last, unless it may be kept and has rows after `end`.
    pub fn release(&mut self, end: usize) {
        let more =
            |(index, _): &(usize, Vec<u8>)| end < self.rows && end / self.chunk_rows == *index;
        if !self.keeps || !self.last.as_ref().is_some_and(more) {
            self.last = None;
        }
    }

    /// Counts rows as not read before, as episodes are read from an earlier one on.
    pub fn restart(&mut self) {
        self.furthest = None;
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.last.as_ref().map_or(0, |(_, bytes)| bytes.len())
    }

    /// The first number along the first axis, from `index` on, of chunks of which a file is there.
    fn present_from(&mut self, index: usize) -> Result<Option<usize>, DataError> {
        let present = match self.present.take() {
            Some(present) => present,
            None => {
                let io = |e| DataError::io(&self.folder, "read", e);
                let mut present = Vec::new();
                for entry in std::fs::read_dir(&self.folder).map_err(io)? {
                    let name = entry.map_err(io)?.file_name();
                    let number = name.to_str().and_then(|name| name.split('.').next());
                    present.extend(number.and_then(|number| number.parse::<usize>().ok()));
                }
                present.sort_unstable();
                present.dedup();
                present
            }
        };
        let next = present.get(present.partition_point(|&number| number < index)).copied();
        self.present = Some(present);
        Ok(next)
    }

    fn read<T: Copy, const N: usize>(
        &mut self,
        start: usize,
        end: usize,
        work: &mut Work,
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, DataError> {
        if end > self.rows || (end - start).saturating_mul(self.width) > MAX_VALUES {
            return Err(DataError::format(&self.folder, "too many numbers"));
        }
        let mut values = Vec::with_capacity((end - start) * self.width);
        let mut row = start;
        while row < end {
            let index = row / self.chunk_rows;
            let first = index * self.chunk_rows;
            let next = self.present_from(index)?;
            if let (true, Some(&fill)) = (next != Some(index), self.fill.first_chunk()) {
                let until = next.map_or(end, |next| end.min(next.saturating_mul(self.chunk_rows)));
                values.extend(repeat_n(decode(fill), (until - row) * self.width));
                row = until;
                continue;
            }
            let until = end.min(first.saturating_add(self.chunk_rows));
            let size = N * self.width;
            let bytes = self.band(index, end - start, work)?;
            let rows = &bytes[(row - first) * size..(until - first) * size];
            values.extend(rows.as_chunks().0.iter().map(|&bytes| decode(bytes)));
            row = until;
        }
        Ok(values)
    }

    /// The bytes of all rows of chunks number `index` along the first axis, for an episode of `rows`.
    fn band(&mut self, index: usize, rows: usize, work: &mut Work) -> Result<&[u8], DataError> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != index) {
            self.last = None;
            if self.furthest.is_none_or(|furthest| furthest < index) {
                self.furthest = Some(index);
                let new = self.chunk_rows.min(self.rows - index * self.chunk_rows);
                work.read = work.read.saturating_add((new * self.width * self.size) as u64);
            }
            let mut charge = |bytes: usize| match work.add(bytes) {
                true => Ok(()),
                false => {
                    let problem = format!(
                        "unpacked again and again: chunks of {} rows, episodes of {rows}; at most {TIMES} times what is \
                         read and {SPARE_BYTES} bytes are",
                        self.chunk_rows
                    );
                    Err(DataError::format(&self.folder, problem))
                }
            };
            charge(self.band_bytes())?;
            let whole = self.chunk_axes == self.axes;
            let mut bytes = None;
            for tile in &self.tiles() {
                let path = self.path(index, tile);
                // One whose file is not there holds the fill value.
                if !path.exists() {
                    continue;
                }
                if whole {
                    bytes = Some(self.chunk(&path)?);
                } else {
                    charge(self.chunk_bytes())?;
                    let chunk = self.chunk(&path)?;
                    self.place(&chunk, tile, bytes.get_or_insert_with(|| self.filled()));
                }
            }
            self.last = Some((index, bytes.unwrap_or_else(|| self.filled())));
        }
        Ok(self.last.as_ref().map_or(&[], |(_, bytes)| bytes))
    }

    /// The bytes of all rows of chunks without files.
    fn filled(&self) -> Vec<u8> {
        let numbers = self.chunk_rows * self.width;
        match self.fill.iter().all(|&byte| byte == 0) {
            true => vec![0; numbers * self.size],
            false => self.fill.repeat(numbers),
        }
    }

    /// Numbers of the chunks with the same rows, along all axes but the first.
    fn tiles(&self) -> Vec<Vec<usize>> {
        let mut tiles = vec![Vec::new()];
        for (length, chunk) in self.axes.iter().zip(&self.chunk_axes) {
            let longer = |tile: &Vec<usize>| {
                let tile = tile.clone();
                (0..length.div_ceil(*chunk)).map(move |n| [&tile[..], &[n]].concat())
            };
            tiles = tiles.iter().flat_map(longer).collect();
        }
        tiles
    }

    /// File of a chunk.
    fn path(&self, index: usize, tile: &[usize]) -> PathBuf {
        let mut name = index.to_string();
        for number in tile {
            name.push(self.separator);
            name += &number.to_string();
        }
        self.folder.join(name)
    }

    /// Copies what of a chunk is within the array to where it belongs among rows.
    fn place(&self, chunk: &[u8], tile: &[usize], rows: &mut [u8]) {
        let (Some(&length), Some(&chunk_length)) = (self.axes.last(), self.chunk_axes.last())
        else {
            return;
        };
        let lines: usize = self.chunk_axes[..self.axes.len() - 1].iter().product();
        for (line, from) in chunk.chunks_exact(chunk_length * self.size).enumerate() {
            let (row, mut rest) = (line / lines, line % lines);
            // From the last but one axis to the first of a row.
            let (mut to, mut stride, mut within) = (row * self.width, length, true);
            for axis in (0..self.axes.len() - 1).rev() {
                let at = tile[axis] * self.chunk_axes[axis] + rest % self.chunk_axes[axis];
                rest /= self.chunk_axes[axis];
                within &= at < self.axes[axis];
                to += at * stride;
                stride *= self.axes[axis];
            }
            if within {
                let first = tile[self.axes.len() - 1] * chunk_length;
                let count = chunk_length.min(length - first) * self.size;
                let to = (to + first) * self.size;
                rows[to..to + count].copy_from_slice(&from[..count]);
            }
        }
    }

    /// The bytes of the chunk in a file.
    fn chunk(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let expected = self.chunk_bytes();
        let bytes = self.decompress(path, expected)?;
        if bytes.len() != expected {
            let problem = format!("{} bytes, a chunk has {expected}", bytes.len());
            return Err(DataError::format(path, problem));
        }
        Ok(bytes)
    }

    fn decompress(&self, path: &Path, expected: usize) -> Result<Vec<u8>, DataError> {
        // Incompressible data grow by a little.
        let stored = atomic::read_file(path, expected as u64 + (expected as u64 >> 8) + 4096)?;
        // One more than is expected is enough to tell that there is too much.
        let limit = expected as u64 + 1;
        let mut bytes = Vec::new();
        let result = match self.codec {
            Codec::Raw => return Ok(stored),
            Codec::Blosc => {
                return blosc::decompress(&stored, expected)
                    .map_err(|flaw| DataError::field(path, flaw.field, flaw.problem));
            }
            Codec::Lz4 => {
                let size = stored.first_chunk().map(|&size| u32::from_le_bytes(size) as usize);
                if size != Some(expected) {
                    let size = size.map_or("cut".to_owned(), |size| size.to_string());
                    let problem = format!("{size}, a chunk has {expected} bytes");
                    return Err(DataError::field(path, "size", problem));
                }
                bytes.resize(expected, 0);
                lz4_flex::block::decompress_into(&stored[4..], &mut bytes)
                    .map(|count| bytes.truncate(count))
                    .map_err(std::io::Error::other)
            }
            Codec::Zlib => {
                // Not as it grows, which doubles it.
                bytes.reserve_exact(expected + 1);
                ZlibDecoder::new(&stored[..]).take(limit).read_to_end(&mut bytes).map(drop)
            }
            Codec::Gzip => {
                // Not as it grows, which doubles it.
                bytes.reserve_exact(expected + 1);
                MultiGzDecoder::new(&stored[..]).take(limit).read_to_end(&mut bytes).map(drop)
            }
            Codec::Zstd => zstd::bulk::decompress(&stored, expected).map(|plain| bytes = plain),
        };
        result.map_err(|e| DataError::format(path, format!("cannot be decompressed: {e}")))?;
        Ok(bytes)
    }
}
