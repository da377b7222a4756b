//! Clips and rollouts: one array of a small clip is exchanged.
//!
//! The first byte chooses the array, whose file (`.npy`) the rest of the bytes are.
#![no_main]

use dextra_data::{
    ClipOptions, Format, ImportOptions, import, load_clip, load_rollout, write_keypoint_clip,
};
use dextra_fuzz::{Tree, with_file};
use libfuzzer_sys::fuzz_target;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The arrays of a clip of four frames.
static ARRAYS: LazyLock<Tree> = LazyLock::new(|| {
    Tree::new("clip", |root| {
        let point = |t: usize, finger: usize, joint: usize| {
            let along = if finger == 0 { 0.02 } else { 0.09 } + 0.022 * joint as f64;
            let across = 0.05 - 0.02 * finger as f64;
            format!("[{},{across},{}]", along + 0.001 * t as f64, 0.5 - 0.012 * joint as f64)
        };
        let frame = |t| {
            let joints = (0..20).map(|i| point(t, i / 4, i % 4));
            format!("[[{},0,0.5],{}]", 0.001 * t as f64, joints.collect::<Vec<_>>().join(","))
        };
        let frames: Vec<_> = (0..4).map(frame).collect();
        let json = format!("{{\"fps\":30,\"right\":[{}]}}", frames.join(","));
        with_file("hand.json", json.as_bytes(), |hand| {
            let demo = import(Format::Keypoints, hand, &ImportOptions::default()).expect("a hand");
            with_file("hand.npz", b"", |clip| {
                write_keypoint_clip(clip, &demo).expect("a clip");
                ZipArchive::new(File::open(clip).expect("a clip"))
                    .and_then(|mut archive| archive.extract(root))
                    .expect("a clip");
            });
        });
    })
});

fn pack(arrays: &Path, npz: &Path) -> std::io::Result<()> {
    let mut archive = ZipWriter::new(File::create(npz)?);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for entry in std::fs::read_dir(arrays)? {
        let entry = entry?;
        archive.start_file(entry.file_name().to_string_lossy(), stored)?;
        archive.write_all(&std::fs::read(entry.path())?)?;
    }
    archive.finish()?;
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    ARRAYS.with(bytes, |root| {
        with_file("fuzz.npz", b"", |npz| {
            pack(root, npz).expect("the temporary folder is full");
            let _ = load_clip(npz, &ClipOptions::default());
            let _ = load_rollout(npz);
        });
    });
});
