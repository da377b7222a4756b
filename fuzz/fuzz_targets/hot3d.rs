//! The files of a HOT3D recording, made up but for the exchanged one.
#![no_main]

use dextra_data::clip::myohand::{JOINTS, keypoints_in_world};
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

/// Hands of a profile, and hands of MANO's.
const FOLDERS: [&str; 2] = ["P0001", "P0002"];

/// A stiff left hand as UmeTrack describes one, millimetres: all landmarks are the palm's.
fn profile() -> String {
    let mut q = [0.0; JOINTS];
    q[13..].fill(0.3);
    let points = keypoints_in_world(&q);
    // Landmarks are tips, the wrist, then the joints of each finger.
    let from = [4, 8, 12, 16, 20, 0, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 0];
    let in_wrist = |k: usize| {
        let at = points[k] - points[0];
        [-1e3 * at.x, 1e3 * at.y, 1e3 * at.z]
    };
    let landmarks = from.map(in_wrist);
    // The base of the thumb is a joint.
    let mut joints = [[0.0; 3]; 22];
    joints[1] = in_wrist(1);
    format!(
        "{{\"joint_rest_positions\": {:?}, \"joint_rotation_axes\": {:?}, \"joint_parent\": {none:?}, \
         \"joint_frame_index\": {none:?}, \"landmark_rest_positions\": {landmarks:?}, \
         \"landmark_rest_bone_indices\": {:?}, \"landmark_rest_bone_weights\": {:?}}}",
        joints,
        [[0.0, 0.0, 1.0]; 22],
        [[1; 3]; 21],
        [[1.0, 0.0, 0.0]; 21],
        none = [255; 22],
    )
}

static RECORDING: LazyLock<Tree> = LazyLock::new(|| {
    Tree::new("hot3d", |root| {
        let files = [
            ("P0001/dynamic_objects.csv", OBJECTS),
            ("P0001/headset_trajectory.csv", HEADSET),
            ("P0001/umetrack_hand_pose_trajectory.jsonl", HANDS),
            ("P0001/mano_hand_pose_trajectory.jsonl", MANO),
            ("P0001/umetrack_hand_user_profile.json", &profile()),
            ("P0001/instance.json", NAMES),
            ("P0002/dynamic_objects.csv", OBJECTS),
            ("P0002/headset_trajectory.csv", HEADSET),
            ("P0002/mano_hand_pose_trajectory.jsonl", MANO),
            ("P0002/instance.json", NAMES),
        ];
        for folder in FOLDERS {
            std::fs::create_dir_all(root.join(folder)).expect("the temporary folder is full");
        }
        for (name, text) in files {
            std::fs::write(root.join(name), text).expect("the temporary folder is full");
        }
        let cube = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(CUBE);
        for folder in FOLDERS {
            std::fs::copy(&cube, root.join(folder).join("1.obj")).expect("the folder is full");
        }
    })
});

static MODEL: LazyLock<PathBuf> = LazyLock::new(|| {
    let mano = dextra_fuzz::mano();
    for folder in FOLDERS {
        let read = import(Format::Hot3d, &RECORDING.root.join(folder), &options(&mano));
        assert!(read.is_ok(), "{folder}: {read:?}");
    }
    mano
});

fn options(mano: &Path) -> ImportOptions {
    ImportOptions { mano: Some(mano.to_owned()), ..ImportOptions::default() }
}

fuzz_target!(|bytes: &[u8]| {
    let options = options(&MODEL);
    RECORDING.with_name(bytes, |root, exchanged| {
        let folder = FOLDERS.into_iter().find(|folder| exchanged.starts_with(folder));
        let _ = import(Format::Hot3d, &root.join(folder.unwrap_or(FOLDERS[0])), &options);
    });
});
