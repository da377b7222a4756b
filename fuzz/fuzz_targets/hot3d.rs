//! The files of a HOT3D recording, made up but for the exchanged one.
#![no_main]

use dextra_data::{Format, ImportOptions, import};
use dextra_fuzz::Tree;
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const OBJECTS: &str =
    "object_uid,timestamp[ns],t_wo_x[m],t_wo_y[m],t_wo_z[m],q_wo_w,q_wo_x,q_wo_y,q_wo_z
1,1000000000,0,0.9,0,1,0,0,0
1,1033333333,0,0.9,0,1,0,0,0
";
const HEADSET: &str = "timestamp[ns],t_wo_x[m],t_wo_y[m],t_wo_z[m],q_wo_w,q_wo_x,q_wo_y,q_wo_z
1000000000,0,1.5,0,1,0,0,0
1033333333,0,1.5,0,1,0,0,0
";
const HANDS: &str = r#"{"timestamp_ns":1000000000,"hand_poses":{"1":{"joint_angles":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"wrist_xform":{"t_xyz":[0,1,0],"q_wxyz":[1,0,0,0]}}}}
{"timestamp_ns":1033333333,"hand_poses":{"1":{"joint_angles":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"wrist_xform":{"t_xyz":[0,1,0],"q_wxyz":[1,0,0,0]}}}}
"#;
const MANO: &str = r#"{"timestamp_ns":1000000000,"hand_poses":{"1":{"pose":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"betas":[0,0,0,0,0,0,0,0,0,0],"wrist_xform":{"t_xyz":[0,1,0],"q_wxyz":[1,0,0,0]}}}}
{"timestamp_ns":1033333333,"hand_poses":{"1":{"pose":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"betas":[0,0,0,0,0,0,0,0,0,0],"wrist_xform":{"t_xyz":[0,1,0],"q_wxyz":[1,0,0,0]}}}}
"#;
const NAMES: &str = r#"{"1":{"instance_name":"cube"}}"#;
const CUBE: &str = "crates/dextra-data/tests/fixtures/recordings/taco/Object_Models/012_cm.obj";

static RECORDING: LazyLock<Tree> = LazyLock::new(|| {
    Tree::new("hot3d", |root| {
        let files = [
            ("P0001/dynamic_objects.csv", OBJECTS),
            ("P0001/headset_trajectory.csv", HEADSET),
            ("P0001/umetrack_hand_pose_trajectory.jsonl", HANDS),
            ("P0001/mano_hand_pose_trajectory.jsonl", MANO),
            ("P0001/umetrack_hand_user_profile.json", "{}"),
            ("P0001/instance.json", NAMES),
        ];
        std::fs::create_dir_all(root.join("P0001")).expect("the temporary folder is full");
        for (name, text) in files {
            std::fs::write(root.join(name), text).expect("the temporary folder is full");
        }
        let cube = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(CUBE);
        std::fs::copy(cube, root.join("P0001/1.obj")).expect("the temporary folder is full");
    })
});

static MANO: LazyLock<PathBuf> = LazyLock::new(|| {
    let mano = dextra_fuzz::mano();
    let read = import(Format::Hot3d, &RECORDING.root.join("P0001"), &options(&mano));
    assert!(read.is_ok(), "{read:?}");
    mano
});

fn options(mano: &Path) -> ImportOptions {
    ImportOptions { mano: Some(mano.to_owned()), ..ImportOptions::default() }
}

fuzz_target!(|bytes: &[u8]| {
    let options = options(&MANO);
    RECORDING.with(bytes, |root| {
        let _ = import(Format::Hot3d, &root.join("P0001"), &options);
    });
});
