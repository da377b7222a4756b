//! One array of a Zarr v2 folder: `.zarray` and files of chunks.

use crate::dataset::{MAX_VALUES, MAX_WIDTH, read_json};
use crate::{DataError, atomic};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest chunk, bytes.
const CHUNK_BYTES: usize = 1 << 30;

/// `.zarray`, as the specification has it.
#[derive(Serialize, Deserialize)]
pub struct Array {
    zarr_format: u32,
    shape: Vec<usize>,
    chunks: Vec<usize>,
    dtype: Value,
    compressor: Option<Value>,
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

#[derive(Clone, Copy, PartialEq)]
enum Element {
    F32,
    F64,
    I32,
    I64,
}

#[derive(Clone, Copy, PartialEq)]
enum Codec {
    Raw,
    Zlib,
    Gzip,
}

/// Reads an array whose chunks are split along its first axis alone.
pub struct Reader {
    /// The folder of the array.
    pub folder: PathBuf,
    /// Length of the first axis.
    pub rows: usize,
    /// Numbers per row.
    pub width: usize,
    chunk_rows: usize,
    element: Element,
    codec: Codec,
    fill: f64,
    /// What follows the number of a chunk in the name of its file.
    suffix: String,
    /// The chunk that was read last: episodes share chunks.
    last: Option<(usize, Vec<u8>)>,
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
        let whole = axes == chunk_axes;
        if !whole || chunk_rows == 0 {
            return problem("chunks", format!("{chunks:?} split {shape:?} beyond the first axis"));
        }
        let width = axes.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let Some(width) = width.filter(|&n| n > 0 && n <= MAX_WIDTH) else {
            return problem("shape", format!("{shape:?} is empty or too wide"));
        };
        let element = match array.dtype.as_str() {
            Some("<f4") => Element::F32,
            Some("<f8") => Element::F64,
            Some("<i4") => Element::I32,
            Some("<i8") => Element::I64,
            _ => {
                let known = "<f4, <f8, <i4 and <i8 are read";
                return problem("dtype", format!("{}; {known}", array.dtype));
            }
        };
        let codec = match array.compressor.as_ref().map(|codec| codec["id"].as_str()) {
            None => Codec::Raw,
            Some(Some("zlib")) => Codec::Zlib,
            Some(Some("gzip")) => Codec::Gzip,
            Some(other) => {
                let name = other.unwrap_or("without a name");
                return problem("compressor", format!("{name}; none, zlib and gzip are read"));
            }
        };
        if chunk_rows.checked_mul(width * 8).is_none_or(|bytes| bytes > CHUNK_BYTES) {
            return problem("chunks", format!("{chunks:?} is above {CHUNK_BYTES} bytes"));
        }
        let fill = match &array.fill_value {
            Value::Null => 0.0,
            Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
            Value::String(word) => word.parse().unwrap_or(f64::NAN),
            _ => return problem("fill_value", "not a number".to_owned()),
        };
        let separator = match array.dimension_separator.as_deref() {
            None | Some(".") => ".",
            Some("/") => "/",
            Some(other) => return problem("dimension_separator", other.to_owned()),
        };
        let suffix = axes.iter().map(|_| format!("{separator}0")).collect();
        let folder = folder.to_owned();
        Ok(Reader { folder, rows, width, chunk_rows, element, codec, fill, suffix, last: None })
    }

    /// Whether chunks are bare 32-bit floats of `chunk_rows` rows.
    pub fn is_raw(&self, chunk_rows: usize) -> bool {
        self.chunk_rows == chunk_rows && self.codec == Codec::Raw && self.element == Element::F32
    }

    /// Rows `start..end` as 32-bit floats.
    pub fn floats(&mut self, start: usize, end: usize) -> Result<Vec<f32>, DataError> {
        match self.element {
            Element::F32 => self.read(start, end, |bytes: [u8; 4]| f32::from_le_bytes(bytes)),
            Element::F64 => {
                self.read(start, end, |bytes: [u8; 8]| f64::from_le_bytes(bytes) as f32)
            }
            _ => Err(DataError::format(&self.folder, "integers, where floats are needed")),
        }
    }

    /// Rows `start..end` as integers.
    pub fn integers(&mut self, start: usize, end: usize) -> Result<Vec<i64>, DataError> {
        match self.element {
            Element::I32 => {
                self.read(start, end, |bytes: [u8; 4]| i64::from(i32::from_le_bytes(bytes)))
            }
            Element::I64 => self.read(start, end, |bytes: [u8; 8]| i64::from_le_bytes(bytes)),
            _ => Err(DataError::format(&self.folder, "floats, where integers are needed")),
        }
    }

    fn read<T, const N: usize>(
        &mut self,
        start: usize,
        end: usize,
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
            let until = end.min(first + self.chunk_rows);
            let size = N * self.width;
            let bytes = self.chunk(index)?;
            let rows = &bytes[(row - first) * size..(until - first) * size];
            values.extend(rows.as_chunks().0.iter().map(|&bytes| decode(bytes)));
            row = until;
        }
        Ok(values)
    }

    /// The bytes of a chunk; one whose file is not there holds the fill value.
    fn chunk(&mut self, index: usize) -> Result<&[u8], DataError> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != index) {
            let path = self.folder.join(format!("{index}{}", self.suffix));
            let size = match self.element {
                Element::F32 | Element::I32 => 4,
                Element::F64 | Element::I64 => 8,
            };
            let expected = self.chunk_rows * self.width * size;
            let bytes = match path.exists() {
                true => self.decompress(&path, expected)?,
                false => self.filled(expected),
            };
            if bytes.len() != expected {
                let problem = format!("{} bytes, a chunk has {expected}", bytes.len());
                return Err(DataError::format(&path, problem));
            }
            self.last = Some((index, bytes));
        }
        Ok(self.last.as_ref().map_or(&[], |(_, bytes)| bytes))
    }

    fn decompress(&self, path: &Path, expected: usize) -> Result<Vec<u8>, DataError> {
        // Incompressible data grow by a little.
        let stored = atomic::read_file(path, expected as u64 + (expected as u64 >> 8) + 4096)?;
        let mut bytes = Vec::with_capacity(expected);
        let limit = expected as u64 + 1;
        let result = match self.codec {
            Codec::Raw => return Ok(stored),
            Codec::Zlib => ZlibDecoder::new(&stored[..]).take(limit).read_to_end(&mut bytes),
            Codec::Gzip => MultiGzDecoder::new(&stored[..]).take(limit).read_to_end(&mut bytes),
        };
        result.map_err(|e| DataError::format(path, format!("cannot be decompressed: {e}")))?;
        Ok(bytes)
    }

    fn filled(&self, bytes: usize) -> Vec<u8> {
        match self.element {
            Element::F32 => (self.fill as f32).to_le_bytes().repeat(bytes / 4),
            Element::F64 => self.fill.to_le_bytes().repeat(bytes / 8),
            Element::I32 => (self.fill as i32).to_le_bytes().repeat(bytes / 4),
            Element::I64 => (self.fill as i64).to_le_bytes().repeat(bytes / 8),
        }
    }
}
