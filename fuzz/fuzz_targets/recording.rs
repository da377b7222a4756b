//! Data sets as they are downloaded: one file of a sequence is exchanged, then the sequence imported.
//!
//! The first byte chooses the file. Other files of HOT3D are the target `hot3d`.
#![no_main]

use dextra_data::{Format, ImportOptions, Npz, import};
use dextra_fuzz::Tree;
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const FIXTURES: &str = "crates/dextra-data/tests/fixtures";

static RECORDINGS: LazyLock<Tree> = LazyLock::new(|| {
    let fixtures = format!("{FIXTURES}/recordings");
    Tree::copy_with("recordings", &fixtures, |root| {
        // GRAB has a template for every subject.
        let folder = root.join("grab/tools/subject_meshes/male");
        std::fs::create_dir_all(&folder).expect("the temporary folder is full");
        for (model, name) in [("MANO_RIGHT", "s1_rhand"), ("MANO_LEFT", "s1_lhand")] {
            let model = Npz::open(&dextra_fuzz::mano().join(format!("{model}.npz")));
            let (_, template) =
                model.and_then(|m| m.array_f64("v_template")).expect("just written");
            let count = template.len() / 3;
            let mut ply = format!(
                "ply\nformat ascii 1.0\nelement vertex {count}\nproperty float x\nproperty float y\nproperty float z\n\
                 element face {}\nproperty list uchar int vertex_indices\nend_header\n",
                count - 2
            );
            for vertex in template.chunks_exact(3) {
                ply += &format!("{} {} {}\n", vertex[0], vertex[1], vertex[2]);
            }
            (2..count).for_each(|i| ply += &format!("3 {} {} {i}\n", i - 2, i - 1));
            std::fs::write(folder.join(format!("{name}.ply")), ply).expect("the folder is full");
        }
    })
});

const SEQUENCES: [(Format, &str); 14] = [
    (Format::Taco, "taco/Hand_Poses/(stir, spoon, bowl)/20230917_001"),
    (Format::Grab, "grab/grab/s1/cube_lift.npz"),
    (Format::Arctic, "arctic/raw_seqs/s01/box_grab_01.mano.npy"),
    (Format::OakInk2, "oakink2/anno_preview/scene_01.pkl"),
    (Format::DexYcb, "dexycb/20200709-subject-01/20200709_141754"),
    (Format::Ho3d, "ho3d/train/MC1"),
    (Format::DexManipNet, "with_robots/dexmanipnet_favor/sequences/1001_rh"),
    (Format::DexManipNet, "with_robots/dexmanipnet_oakinkv2/sequences/20aed_bih"),
    (Format::Tcdm, "with_tcdm/trajectories/cup_drink1.npz"),
    (Format::Tcdm, "with_tcdm/trajectories/cup_pour1.npz"),
    (Format::Hot3d, "hot3d/train_quest3/clip-000001.tar"),
    (Format::Hot3d, "hot3d/train_quest3/clip-000002.tar"),
    (Format::Hot3d, "hot3d/sequences/quest3_P0099"),
    (Format::MyoDm, "with_tcdm/myodm/MyoHand_cup_drink1.npz"),
];

/// Unspoilt sequences are read: what is exchanged is not the first thing that is wrong.
static MANO: LazyLock<PathBuf> = LazyLock::new(|| {
    let mano = dextra_fuzz::mano();
    for (format, path) in SEQUENCES {
        let read = import(format, &RECORDINGS.root.join(path), &options(&mano));
        assert!(read.is_ok(), "{path}: {read:?}");
    }
    mano
});

fn options(mano: &Path) -> ImportOptions {
    ImportOptions { mano: Some(mano.to_owned()), ..ImportOptions::default() }
}

fuzz_target!(|bytes: &[u8]| {
    let options = options(&MANO);
    RECORDINGS.with_name(bytes, |root, exchanged| {
        let folder = exchanged.components().next();
        let of = |path: &str| Path::new(path).components().next() == folder;
        for (format, path) in SEQUENCES.into_iter().filter(|(_, path)| of(path)) {
            let _ = import(format, &root.join(path), &options);
        }
    });
});
