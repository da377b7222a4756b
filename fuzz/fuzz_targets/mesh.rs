//! Meshes; the first byte chooses the format.
#![no_main]

use dextra_data::read_mesh;
use dextra_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 4] = ["fuzz.obj", "fuzz.stl", "fuzz.ply", "fuzz.glb"];

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, rest)) = bytes.split_first() else { return };
    with_file(NAMES[usize::from(which) % NAMES.len()], rest, |path| {
        let _ = read_mesh(path);
    });
});
