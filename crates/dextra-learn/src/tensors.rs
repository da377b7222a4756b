//! Named arrays in a safetensors file.

use crate::LearnError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::{Path, PathBuf};

/// Largest file that is read.
const SIZE_LIMIT: u64 = 4 << 30;

/// Arrays to be written, in order.
#[derive(Default)]
pub(crate) struct TensorWriter {
    arrays: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl TensorWriter {
    /// Adds an array of f32.
    pub fn f32(&mut self, name: impl Into<String>, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.push(name.into(), Dtype::F32, shape, bytes);
    }

    /// Adds a list of f64.
    pub fn f64(&mut self, name: impl Into<String>, values: &[f64]) {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.push(name.into(), Dtype::F64, &[values.len()], bytes);
    }

    /// Adds a list of u64.
    pub fn u64(&mut self, name: impl Into<String>, values: &[u64]) {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.push(name.into(), Dtype::U64, &[values.len()], bytes);
    }

    fn push(&mut self, name: String, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) {
        self.arrays.push((name, dtype, shape.to_vec(), bytes));
    }

    /// The bytes of the file that will be called `file`.
    pub fn bytes(&self, file: &Path) -> Result<Vec<u8>, LearnError> {
        let refused = |e| LearnError::format(file, format!("cannot be put together: {e}"));
        let mut views = Vec::with_capacity(self.arrays.len());
        for (name, dtype, shape, bytes) in &self.arrays {
            let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(refused)?;
            views.push((name, view));
        }
        safetensors::serialize(views, None).map_err(refused)
    }
}

/// The bytes of a safetensors file.
pub(crate) struct TensorBytes {
    file: PathBuf,
    bytes: Vec<u8>,
}

/// A safetensors file whose header holds together.
pub(crate) struct TensorFile<'a> {
    file: &'a Path,
    arrays: SafeTensors<'a>,
}

impl TensorBytes {
    /// Reads the file and compares it with the digest that `digest_field` states.
    pub fn read(file: &Path, digest_field: &str, digest: &str) -> Result<Self, LearnError> {
        let bytes = dextra_data::atomic::read_file(file, SIZE_LIMIT)?;
        let found = dextra_data::atomic::sha256_hex(&bytes);
        if found != digest {
            let size = bytes.len();
            let problem = format!(
                "truncated or altered: SHA-256 of its {size} bytes is {found}, stated is {digest}"
            );
            return Err(LearnError::field(file, digest_field, problem));
        }
        Ok(Self { file: file.to_owned(), bytes })
    }

    /// Reads the header.
    pub fn parse(&self) -> Result<TensorFile<'_>, LearnError> {
        let arrays = SafeTensors::deserialize(&self.bytes).map_err(|e| {
            LearnError::format(&self.file, format!("not a whole safetensors file: {e}"))
        })?;
        Ok(TensorFile { file: &self.file, arrays })
    }
}

impl TensorFile<'_> {
    /// Fills `values` with the array `name`, which must be of f32, of this shape, and finite.
    pub fn fill_f32(
        &self,
        name: &str,
        shape: &[usize],
        values: &mut [f32],
    ) -> Result<(), LearnError> {
        let bytes = self.array(name, Dtype::F32, shape)?;
        for (i, (value, bytes)) in values.iter_mut().zip(bytes.as_chunks().0).enumerate() {
            *value = f32::from_le_bytes(*bytes);
            if !value.is_finite() {
                return Err(self.bad(name, format!("number {i} is {value}")));
            }
        }
        Ok(())
    }

    /// The list `name` of `length` finite f64.
    pub fn f64(&self, name: &str, length: usize) -> Result<Vec<f64>, LearnError> {
        let bytes = self.array(name, Dtype::F64, &[length])?;
        let list: Vec<f64> = bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        match list.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(self.bad(name, format!("number {i} is {}", list[i]))),
            None => Ok(list),
        }
    }

    /// The list `name` of `length` u64.
    pub fn u64(&self, name: &str, length: usize) -> Result<Vec<u64>, LearnError> {
        let bytes = self.array(name, Dtype::U64, &[length])?;
        Ok(bytes.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b)).collect())
    }

    fn array(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&[u8], LearnError> {
        let view = self.arrays.tensor(name).map_err(|_| {
            let mut present = self.arrays.names();
            present.sort_unstable();
            self.bad(name, format!("missing; the file has {}", present.join(", ")))
        })?;
        if view.dtype() != dtype || view.shape() != shape {
            let problem = format!(
                "is {:?} of shape {:?}, expected {dtype:?} of shape {shape:?}",
                view.dtype(),
                view.shape()
            );
            return Err(self.bad(name, problem));
        }
        Ok(view.data())
    }

    fn bad(&self, name: &str, problem: String) -> LearnError {
        LearnError::field(self.file, name, problem)
    }
}
