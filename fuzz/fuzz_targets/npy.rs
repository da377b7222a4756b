//! Single arrays of NumPy, of numbers and of objects.
#![no_main]

use dextra_data::npz::{read_npy, read_npy_objects};
use dextra_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| with_file("fuzz.npy", bytes, |path| {
    if let Ok(array) = read_npy(path) {
        let _ = (array.f64s(), array.i64s(), array.strings());
    }
    let _ = read_npy_objects(path);
}));
