//! Keypoints as JSON, CSV and pickles, and MediaPipe's JSON; the first byte chooses.
#![no_main]

use dextra_data::{ClipOptions, Format, ImportOptions, import};
use dextra_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

const KINDS: [(&str, Format); 4] = [
    ("fuzz.json", Format::Keypoints),
    ("fuzz.csv", Format::Keypoints),
    ("fuzz.pkl", Format::Keypoints),
    ("fuzz.json", Format::MediaPipe),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, rest)) = bytes.split_first() else { return };
    let (name, format) = KINDS[usize::from(which) % KINDS.len()];
    let clip = ClipOptions { fps: Some(30.0), ..ClipOptions::default() };
    let options = ImportOptions { clip, ..ImportOptions::default() };
    with_file(name, rest, |path| {
        let _ = import(format, path, &options);
    });
});
