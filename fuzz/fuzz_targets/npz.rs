//! NumPy archives and every way to look at what is in them.
#![no_main]

use dextra_data::Npz;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(npz) = Npz::from_bytes(Path::new("fuzz.npz"), bytes.to_vec()) else { return };
    for key in npz.keys().map(str::to_owned).collect::<Vec<_>>() {
        let _ = (npz.array_f64(&key), npz.array_i64(&key), npz.strings(&key), npz.pickled(&key));
    }
});
