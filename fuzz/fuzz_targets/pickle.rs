//! Pickles of every protocol and archives of `torch.save`.
#![no_main]

use dextra_data::Pickle;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pickle) = Pickle::from_bytes(Path::new("fuzz.pkl"), bytes.to_vec()) {
        let _ = pickle.root();
    }
});
