//! NumPy `.npz` archives: numbers and text in, numbers and text out.
//!
//! Reading is safe on any bytes: pickled object arrays are refused, sizes are checked before
//! memory is taken, and the archive's own checksums are verified. Python's `numpy.load` reads what
//! [`NpzWriter`] writes, with `allow_pickle=False`.

mod header;
mod write;

#[cfg(test)]
mod tests;

pub use header::ElementType;
pub use write::NpzWriter;

use crate::{DataError, atomic};
use header::Header;
use std::cell::Cell;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zip::ZipArchive;

/// Largest archive, and largest total of decompressed bytes read from one archive: 1 GiB.
///
/// A minute at 120 frames per second of two hands and ten objects is below 6 MB; anything near
/// this limit is a mistake or a decompression bomb.
pub const MAX_BYTES: u64 = 1 << 30;

/// An opened archive. The compressed bytes are held in memory, so that what was hashed is what is
/// read even if the file changes meanwhile; arrays are decompressed when asked for.
#[derive(Debug)]
pub struct Npz {
    file: PathBuf,
    archive: ZipArchive<Cursor<Arc<[u8]>>>,
    members: Vec<(String, usize)>,
    sha256: String,
    budget: Cell<u64>,
}

/// One array as stored.
struct Raw {
    header: Header,
    bytes: Vec<u8>,
}

impl Npz {
    /// Opens an archive and lists its keys.
    ///
    /// # Errors
    /// The file cannot be read, is above [`MAX_BYTES`], or is not a zip archive of `.npy` members.
    pub fn open(path: &Path) -> Result<Npz, DataError> {
        Npz::from_bytes(path, atomic::read_file(path, MAX_BYTES)?)
    }

    /// The same for bytes already in memory; `path` names them in errors.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Npz, DataError> {
        if bytes.is_empty() {
            return Err(DataError::format(path, "the file is empty"));
        }
        if bytes.starts_with(b"\x93NUMPY") {
            let problem = "a single .npy array; a .npz archive of named arrays is needed";
            return Err(DataError::format(path, problem));
        }
        let sha256 = atomic::sha256_hex(&bytes);
        let archive = ZipArchive::new(Cursor::new(Arc::from(bytes))).map_err(|e| {
            DataError::format(path, format!("not a readable .npz (zip) archive: {e}"))
        })?;
        if archive.has_duplicate_names() {
            return Err(DataError::format(path, "the archive names one array twice"));
        }
        let mut members = Vec::new();
        for index in 0..archive.len() {
            let name = match archive.name_for_index(index) {
                Some(Ok(name)) => name.into_owned(),
                _ => return Err(DataError::format(path, "an array's name is not text")),
            };
            // NumPy names every member KEY.npy; anything else in the archive is not an array.
            if let Some(key) = name.strip_suffix(".npy") {
                members.push((key.to_owned(), index));
            }
        }
        let budget = Cell::new(MAX_BYTES);
        Ok(Npz { file: path.to_owned(), archive, members, sha256, budget })
    }

    /// The file this was opened from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// SHA-256 of the file, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Names of the arrays, in the order they are stored.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(key, _)| key.as_str())
    }

    /// Whether an array of this name is there.
    pub fn contains(&self, key: &str) -> bool {
        self.keys().any(|k| k == key)
    }

    /// An array of numbers or bools as `f64`, with its shape, in C order (last index fastest).
    ///
    /// Integers beyond 2^53 are rounded, as by NumPy's `astype(float)`. Values may be NaN or
    /// infinite: whether that is acceptable is for the caller, who knows what they mean.
    pub fn array_f64(&self, key: &str) -> Result<(Vec<usize>, Vec<f64>), DataError> {
        self.numbers(key, |element, raw| match element {
            ElementType::Bool => f64::from(u8::from(raw[0] != 0)),
            ElementType::Int(_) => signed(raw) as f64,
            ElementType::UInt(_) => unsigned(raw) as f64,
            ElementType::Float(2) => half(u16::from_le_bytes([raw[0], raw[1]])),
            ElementType::Float(4) => {
                f64::from(f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
            }
            _ => f64::from_bits(unsigned(raw)),
        })
    }

    /// An array of integers or bools, with its shape, in C order.
    pub fn array_i64(&self, key: &str) -> Result<(Vec<usize>, Vec<i64>), DataError> {
        let (shape, values) = self.numbers(key, |element, raw| match element {
            ElementType::Bool => Some(i64::from(raw[0] != 0)),
            ElementType::Int(_) => Some(signed(raw)),
            ElementType::UInt(_) => i64::try_from(unsigned(raw)).ok(),
            _ => None,
        })?;
        let values: Option<Vec<i64>> = values.into_iter().collect();
        let values = values.ok_or_else(|| self.problem(key, "integers were expected"))?;
        Ok((shape, values))
    }

    /// A single number: an array with exactly one element, of any shape.
    pub fn scalar_f64(&self, key: &str) -> Result<f64, DataError> {
        let (shape, values) = self.array_f64(key)?;
        match values[..] {
            [value] => Ok(value),
            _ => Err(self.problem(key, format!("one number was expected, the shape is {shape:?}"))),
        }
    }

    /// A single text: an array of strings with exactly one element.
    pub fn string(&self, key: &str) -> Result<String, DataError> {
        let (shape, mut values) = self.strings(key)?;
        match values.len() {
            1 => Ok(values.remove(0)),
            _ => Err(self.problem(key, format!("one text was expected, the shape is {shape:?}"))),
        }
    }

    /// An array of strings (NumPy `U` or UTF-8 `S`), with its shape, in C order.
    pub fn strings(&self, key: &str) -> Result<(Vec<usize>, Vec<String>), DataError> {
        let raw = self.raw(key)?;
        let not_text = || self.problem(key, "text (a string array) was expected");
        let big_endian = raw.header.big_endian;
        let size = raw.header.element.size();
        let decode = |bytes: &[u8]| -> Option<String> {
            let text = match raw.header.element {
                ElementType::Unicode(_) => bytes
                    .chunks_exact(4)
                    .map(|c| {
                        let code = [c[0], c[1], c[2], c[3]];
                        char::from_u32(if big_endian {
                            u32::from_be_bytes(code)
                        } else {
                            u32::from_le_bytes(code)
                        })
                    })
                    .collect::<Option<String>>()?,
                ElementType::Bytes(_) => std::str::from_utf8(bytes).ok()?.to_owned(),
                _ => return None,
            };
            Some(text.trim_end_matches('\0').to_owned())
        };
        let count = raw.header.elements().ok_or_else(not_text)?;
        let stored = (0..count)
            .map(|i| decode(&raw.bytes[i * size..(i + 1) * size]))
            .collect::<Option<Vec<String>>>()
            .ok_or_else(not_text)?;
        Ok((raw.header.shape.clone(), c_order(&raw.header, stored)))
    }

    /// An error about `key` of this file.
    pub fn problem(&self, key: &str, problem: impl Into<String>) -> DataError {
        DataError::field(&self.file, key, problem)
    }

    /// Decodes every element of a numeric array.
    fn numbers<T: Clone>(
        &self,
        key: &str,
        decode: impl Fn(ElementType, &[u8]) -> T,
    ) -> Result<(Vec<usize>, Vec<T>), DataError> {
        let raw = self.raw(key)?;
        let element = raw.header.element;
        if matches!(element, ElementType::Unicode(_) | ElementType::Bytes(_)) {
            return Err(self.problem(key, "numbers were expected, the array holds text"));
        }
        let size = element.size();
        let mut buffer = [0u8; 8];
        let stored: Vec<T> = raw
            .bytes
            .chunks_exact(size)
            .map(|chunk| {
                buffer[..size].copy_from_slice(chunk);
                if raw.header.big_endian {
                    buffer[..size].reverse();
                }
                decode(element, &buffer[..size])
            })
            .collect();
        Ok((raw.header.shape.clone(), c_order(&raw.header, stored)))
    }

    /// Decompresses one member and checks that it holds exactly what its header says.
    fn raw(&self, key: &str) -> Result<Raw, DataError> {
        let Some(&(_, index)) = self.members.iter().find(|(name, _)| name == key) else {
            return Err(DataError::MissingField {
                file: self.file.clone(),
                field: key.to_owned(),
                present: self.keys().map(str::to_owned).collect(),
            });
        };
        let budget = self.budget.get();
        let mut archive = self.archive.clone();
        let member = archive
            .by_index(index)
            .map_err(|e| self.problem(key, format!("cannot be decompressed: {e}")))?;
        let mut bytes = Vec::new();
        member
            .take(budget + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| self.problem(key, format!("cannot be decompressed: {e}")))?;
        if bytes.len() as u64 > budget {
            return Err(DataError::TooLarge {
                file: self.file.clone(),
                what: format!("the decompressed size in bytes, up to `{key}`,"),
                size: MAX_BYTES - budget + bytes.len() as u64,
                limit: MAX_BYTES,
            });
        }
        self.budget.set(budget - bytes.len() as u64);
        let header = Header::parse(&bytes).map_err(|e| self.problem(key, e))?;
        let expected = header
            .elements()
            .and_then(|n| n.checked_mul(header.element.size()))
            .ok_or_else(|| self.problem(key, "the shape overflows"))?;
        let found = bytes.len() - header.data_start;
        if found != expected {
            let problem = format!(
                "shape {:?} needs {expected} bytes of data, the archive has {found}",
                header.shape
            );
            return Err(self.problem(key, problem));
        }
        bytes.drain(..header.data_start);
        // Elements without bytes (empty text) would let a tiny file claim any number of them.
        if header.element.size() == 0 && header.elements().is_some_and(|n| n > 1 << 20) {
            return Err(self.problem(key, "more than a million empty strings"));
        }
        Ok(Raw { header, bytes })
    }
}

/// Reorders Fortran-stored elements (first index fastest) to C order.
fn c_order<T: Clone>(header: &Header, stored: Vec<T>) -> Vec<T> {
    let shape = &header.shape;
    if !header.fortran_order || shape.len() < 2 || stored.is_empty() {
        return stored;
    }
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut ordered = Vec::with_capacity(stored.len());
    for _ in 0..stored.len() {
        let offset: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        ordered.push(stored[offset].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    ordered
}

/// Little-endian bytes as an unsigned integer.
fn unsigned(raw: &[u8]) -> u64 {
    raw.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Little-endian bytes as a two's complement integer.
fn signed(raw: &[u8]) -> i64 {
    let shift = 64 - 8 * raw.len() as u32;
    ((unsigned(raw) << shift) as i64) >> shift
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 31);
    let fraction = f64::from(bits & 1023);
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}
