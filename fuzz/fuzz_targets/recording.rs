//! Data sets as they are downloaded: one file of a sequence is exchanged, then the sequence imported.
//!
//! The first byte chooses the file. HOT3D's files are the target `hot3d`.
#![no_main]

use dextra_data::{Format, ImportOptions, import};
use dextra_fuzz::Tree;
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;

const FIXTURES: &str = "crates/dextra-data/tests/fixtures";

static RECORDINGS: LazyLock<Tree> =
    LazyLock::new(|| Tree::copy("recordings", &format!("{FIXTURES}/recordings")));

const SEQUENCES: [(Format, &str); 8] = [
    (Format::Taco, "taco/Hand_Poses/(stir, spoon, bowl)/20230917_001"),
    (Format::Grab, "grab/grab/s1/cube_lift.npz"),
    (Format::Arctic, "arctic/raw_seqs/s01/box_grab_01.mano.npy"),
    (Format::OakInk2, "oakink2/anno_preview/scene_01.pkl"),
    (Format::DexYcb, "dexycb/20200709-subject-01/20200709_141754"),
    (Format::Ho3d, "ho3d/train/MC1"),
    (Format::DexManipNet, "with_robots/dexmanipnet_favor/sequences/1001_rh"),
    (Format::DexManipNet, "with_robots/dexmanipnet_oakinkv2/sequences/20aed_bih"),
];

fuzz_target!(|bytes: &[u8]| {
    RECORDINGS.with(bytes, |root| {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FIXTURES).join("mano");
        let options = ImportOptions { mano: Some(models), ..ImportOptions::default() };
        for (format, path) in SEQUENCES {
            let _ = import(format, &root.join(path), &options);
        }
    });
});
