//! One array of numbers or text as NumPy lays it out, whatever file it came from.

use crate::npz::ElementType;

/// An array in the order and byte order in which it was stored; the accessors decode it.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    element: ElementType,
    big_endian: bool,
    fortran_order: bool,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    /// Takes the bytes of an array. The error, a sentence without the file's name, says by how
    /// much they are too few or too many for the shape.
    pub(crate) fn new(
        element: ElementType,
        big_endian: bool,
        fortran_order: bool,
        shape: Vec<usize>,
        bytes: Vec<u8>,
    ) -> Result<Array, String> {
        if element == ElementType::Object {
            return Err("objects are not elements of an array".to_owned());
        }
        let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let count = count.ok_or("the shape overflows")?;
        let expected = count.checked_mul(element.size()).ok_or("the shape overflows")?;
        if bytes.len() != expected {
            let found = bytes.len();
            return Err(format!("shape {shape:?} needs {expected} bytes of data, not {found}"));
        }
        // Elements without bytes (empty text) would let a tiny file claim any number of them.
        if element.size() == 0 && count > 1 << 20 {
            return Err("more than a million empty strings".to_owned());
        }
        Ok(Array { element, big_endian, fortran_order, shape, bytes })
    }

    /// Lengths of the axes; empty for a single value.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Numbers and bools as `f64` in C order (last index fastest), or `None` for text.
    ///
    /// Integers beyond 2^53 are rounded, as by NumPy's `astype(float)`.
    pub fn f64s(&self) -> Option<Vec<f64>> {
        self.numbers(|element, raw| {
            Some(match element {
                ElementType::Bool => f64::from(u8::from(raw[0] != 0)),
                ElementType::Int(_) => signed(raw) as f64,
                ElementType::UInt(_) => unsigned(raw) as f64,
                ElementType::Float(2) => half(u16::from_le_bytes([raw[0], raw[1]])),
                ElementType::Float(4) => {
                    f64::from(f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
                }
                _ => f64::from_bits(unsigned(raw)),
            })
        })
    }

    /// Integers and bools in C order, or `None` for anything else and beyond 63 bits.
    pub fn i64s(&self) -> Option<Vec<i64>> {
        self.numbers(|element, raw| match element {
            ElementType::Bool => Some(i64::from(raw[0] != 0)),
            ElementType::Int(_) => Some(signed(raw)),
            ElementType::UInt(_) => i64::try_from(unsigned(raw)).ok(),
            _ => None,
        })
    }

    /// Texts (NumPy `U` or UTF-8 `S`) in C order, or `None` for numbers.
    pub fn strings(&self) -> Option<Vec<String>> {
        let size = self.element.size();
        let decode = |bytes: &[u8]| -> Option<String> {
            let text = match self.element {
                ElementType::Unicode(_) => bytes
                    .chunks_exact(4)
                    .map(|c| {
                        let code = [c[0], c[1], c[2], c[3]];
                        char::from_u32(if self.big_endian {
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
        let stored: Option<Vec<String>> =
            (0..self.count()).map(|i| decode(&self.bytes[i * size..(i + 1) * size])).collect();
        stored.map(|stored| self.c_order(stored))
    }

    /// Whether the elements are text.
    pub fn is_text(&self) -> bool {
        matches!(self.element, ElementType::Unicode(_) | ElementType::Bytes(_))
    }

    /// Decodes every element of a numeric array.
    fn numbers<T: Clone>(
        &self,
        decode: impl Fn(ElementType, &[u8]) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.is_text() {
            return None;
        }
        let size = self.element.size();
        let mut buffer = [0u8; 8];
        let stored: Option<Vec<T>> = self
            .bytes
            .chunks_exact(size)
            .map(|chunk| {
                buffer[..size].copy_from_slice(chunk);
                if self.big_endian {
                    buffer[..size].reverse();
                }
                decode(self.element, &buffer[..size])
            })
            .collect();
        stored.map(|stored| self.c_order(stored))
    }

    /// Reorders Fortran-stored elements (first index fastest) to C order.
    fn c_order<T: Clone>(&self, stored: Vec<T>) -> Vec<T> {
        let shape = &self.shape;
        if !self.fortran_order || shape.len() < 2 || stored.is_empty() {
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
