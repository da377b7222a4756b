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
pub(crate) use header::element_type;
pub use write::NpzWriter;

use crate::{Array, DataError, Pickle, atomic};
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

/// Reads a single `.npy` array.
pub fn read_npy(path: &Path) -> Result<Array, DataError> {
    npy_from_bytes(path, atomic::read_file(path, MAX_BYTES)?)
}

/// The same for bytes already in memory; `path` names them in errors.
pub(crate) fn npy_from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Array, DataError> {
    let (header, bytes) = npy(path, bytes)?;
    let Header { element, big_endian, fortran_order, shape, .. } = header;
    Array::new(element, big_endian, fortran_order, shape, bytes)
        .map_err(|e| DataError::format(path, e))
}

/// Reads a single `.npy` of Python objects as inert data.
pub fn read_npy_objects(path: &Path) -> Result<Pickle, DataError> {
    let (header, bytes) = npy(path, atomic::read_file(path, MAX_BYTES)?)?;
    if header.element != ElementType::Object {
        return Err(DataError::format(path, "an array of values where objects were expected"));
    }
    Pickle::from_bytes(path, bytes)
}

fn npy(path: &Path, mut bytes: Vec<u8>) -> Result<(Header, Vec<u8>), DataError> {
    let header = Header::parse(&bytes).map_err(|e| DataError::format(path, e))?;
    bytes.drain(..header.data_start);
    Ok((header, bytes))
}

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
        let array = self.array(key)?;
        let values = array.f64s().ok_or_else(|| self.text_found(key))?;
        Ok((array.shape().to_vec(), values))
    }

    /// An array of integers or bools, with its shape, in C order.
    pub fn array_i64(&self, key: &str) -> Result<(Vec<usize>, Vec<i64>), DataError> {
        let array = self.array(key)?;
        if array.is_text() {
            return Err(self.text_found(key));
        }
        let values = array.i64s().ok_or_else(|| self.problem(key, "integers were expected"))?;
        Ok((array.shape().to_vec(), values))
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
        let array = self.array(key)?;
        let not_text = || self.problem(key, "text (a string array) was expected");
        let values = array.strings().ok_or_else(not_text)?;
        Ok((array.shape().to_vec(), values))
    }

    /// An error about `key` of this file.
    pub fn problem(&self, key: &str, problem: impl Into<String>) -> DataError {
        DataError::field(&self.file, key, problem)
    }

    fn text_found(&self, key: &str) -> DataError {
        self.problem(key, "numbers were expected, the array holds text")
    }

    /// One array as stored; the archive must hold exactly what its header says.
    pub fn array(&self, key: &str) -> Result<Array, DataError> {
        let (header, bytes) = self.member(key)?;
        if header.element == ElementType::Object {
            let problem = "an array of pickled Python objects, which are never executed; save \
                           plain numeric or string arrays";
            return Err(self.problem(key, problem));
        }
        let Header { element, big_endian, fortran_order, shape, .. } = header;
        Array::new(element, big_endian, fortran_order, shape, bytes)
            .map_err(|e| self.problem(key, e))
    }

    /// An array of Python objects as inert data; errors name the archive and the key.
    pub fn pickled(&self, key: &str) -> Result<Pickle, DataError> {
        let (header, bytes) = self.member(key)?;
        if header.element != ElementType::Object {
            return Err(self.problem(key, "pickled objects were expected, the array holds values"));
        }
        Pickle::from_bytes(&self.file.join(key), bytes)
    }

    /// Decompresses one member: its header and the bytes after that.
    fn member(&self, key: &str) -> Result<(Header, Vec<u8>), DataError> {
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
        bytes.drain(..header.data_start);
        Ok((header, bytes))
    }
}
