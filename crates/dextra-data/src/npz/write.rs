//! Writing `.npz` archives that NumPy loads without pickles.

use crate::DataError;
use crate::atomic::AtomicFile;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Writes one archive, array by array; the file appears under its name only at
/// [`NpzWriter::finish`]. The same calls give the same bytes (no time stamps).
pub struct NpzWriter {
    target: AtomicFile,
    archive: ZipWriter<BufWriter<File>>,
    keys: Vec<String>,
}

impl NpzWriter {
    /// Starts an archive that will be called `path`.
    pub fn create(path: &Path) -> Result<NpzWriter, DataError> {
        let target = AtomicFile::create(path)?;
        let file = target.file().try_clone().map_err(|e| DataError::io(path, "write", e))?;
        Ok(NpzWriter { target, archive: ZipWriter::new(BufWriter::new(file)), keys: Vec::new() })
    }

    /// Adds an array of 64-bit floats in C order.
    ///
    /// # Errors
    /// Writing fails, the key is used twice, or `shape` does not hold `values.len()` elements.
    pub fn array_f64(
        &mut self,
        key: &str,
        shape: &[usize],
        values: &[f64],
    ) -> Result<(), DataError> {
        self.array(key, "<f8", shape, values, |v| v.to_le_bytes())
    }

    /// Adds an array of 32-bit floats in C order.
    pub fn array_f32(
        &mut self,
        key: &str,
        shape: &[usize],
        values: &[f32],
    ) -> Result<(), DataError> {
        self.array(key, "<f4", shape, values, |v| v.to_le_bytes())
    }

    /// Adds an array of 64-bit integers in C order.
    pub fn array_i64(
        &mut self,
        key: &str,
        shape: &[usize],
        values: &[i64],
    ) -> Result<(), DataError> {
        self.array(key, "<i8", shape, values, |v| v.to_le_bytes())
    }

    /// Adds an array of bools in C order.
    pub fn array_bool(
        &mut self,
        key: &str,
        shape: &[usize],
        values: &[bool],
    ) -> Result<(), DataError> {
        self.array(key, "|b1", shape, values, |v| [u8::from(v)])
    }

    /// Adds one number.
    pub fn scalar_f64(&mut self, key: &str, value: f64) -> Result<(), DataError> {
        self.array_f64(key, &[], &[value])
    }

    /// Adds one text. NumPy drops trailing NUL characters on reading.
    pub fn string(&mut self, key: &str, value: &str) -> Result<(), DataError> {
        self.strings(key, &[], &[value])
    }

    /// Adds an array of texts in C order, stored as fixed-width UTF-32 (`<U`).
    pub fn strings<S: AsRef<str>>(
        &mut self,
        key: &str,
        shape: &[usize],
        values: &[S],
    ) -> Result<(), DataError> {
        let width = values.iter().map(|v| v.as_ref().chars().count()).max().unwrap_or(0).max(1);
        self.begin(key, &format!("<U{width}"), shape, values.len())?;
        let mut bytes = Vec::with_capacity(4 * width);
        for value in values {
            bytes.clear();
            bytes.extend(value.as_ref().chars().flat_map(|c| u32::from(c).to_le_bytes()));
            bytes.resize(4 * width, 0);
            self.bytes(&bytes)?;
        }
        Ok(())
    }

    /// Completes the archive, flushes it to disk and gives it its name.
    pub fn finish(self) -> Result<(), DataError> {
        let path = self.target.path().to_owned();
        let io = |e: std::io::Error| DataError::io(&path, "write", e);
        let buffer = self.archive.finish().map_err(|e| io(e.into()))?;
        buffer.into_inner().map_err(|e| io(e.into_error()))?;
        self.target.commit()
    }

    fn array<T: Copy, const N: usize>(
        &mut self,
        key: &str,
        descr: &str,
        shape: &[usize],
        values: &[T],
        encode: impl Fn(T) -> [u8; N],
    ) -> Result<(), DataError> {
        self.begin(key, descr, shape, values.len())?;
        let mut bytes = Vec::with_capacity(N * values.len().min(1 << 13));
        for chunk in values.chunks(1 << 13) {
            bytes.clear();
            bytes.extend(chunk.iter().flat_map(|&v| encode(v)));
            self.bytes(&bytes)?;
        }
        Ok(())
    }

    /// Starts a member and writes its `.npy` header (NumPy Enhancement Proposal 1).
    fn begin(
        &mut self,
        key: &str,
        descr: &str,
        shape: &[usize],
        count: usize,
    ) -> Result<(), DataError> {
        let path = self.target.path().to_owned();
        if shape.iter().product::<usize>() != count {
            let problem = format!("shape {shape:?} does not hold {count} values");
            return Err(DataError::field(&path, key, problem));
        }
        if key.is_empty() || self.keys.iter().any(|k| k == key) {
            return Err(DataError::field(&path, key, "an empty key, or one written twice"));
        }
        self.keys.push(key.to_owned());
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::DEFAULT)
            .large_file(count > 1 << 28);
        self.archive
            .start_file(format!("{key}.npy"), options)
            .map_err(|e| DataError::io(&path, "write", e.into()))?;
        let axes: String = shape.iter().map(|n| format!("{n},")).collect();
        let dictionary =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}");
        // Data start on a multiple of 64 bytes; the padding is spaces and a final line feed.
        let padded = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((padded as u16).to_le_bytes());
        bytes.extend(dictionary.as_bytes());
        bytes.resize(10 + padded - 1, b' ');
        bytes.push(b'\n');
        self.bytes(&bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let path = self.target.path();
        self.archive.write_all(bytes).map_err(|e| DataError::io(path, "write", e))
    }
}
