//! Descriptions of real hands and arms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let _ = dextra_data::device::parse(text, Path::new("fuzz.toml"));
});
