//! Small accepted episodes for tests of datasets.

use dextra_core::demonstration::Provenance;
use dextra_core::rollout::{
    Accepted, Limits, ObjectRollout, Reference, ReferenceFrame, Rollout, StepContacts,
};
use dextra_core::{Pose, Side, rollout::HandRollout};
use dextra_data::dataset::{Episode, Feature, Record, Schema};

/// A rollout of one object at rest, accepted.
pub fn accepted() -> Accepted {
    let pose = Pose::translation(0.1, 0.2, 0.3);
    let rollout = Rollout {
        dt: 0.02,
        nu: 2,
        ctrl: vec![0.5; 8],
        qpos0: vec![0.0; 3],
        qvel0: vec![0.0; 3],
        qpos: vec![vec![0.0; 3]; 5],
        objects: vec![ObjectRollout {
            name: "box".to_owned(),
            world_from_object: vec![pose; 5],
            joint: None,
        }],
        hands: vec![HandRollout {
            hand: "toy".to_owned(),
            side: Side::Right,
            keypoints: Vec::new(),
            keypoints_in_world: vec![Vec::new(); 5],
        }],
        contacts: vec![StepContacts::default(); 4],
        touches: vec![Vec::new(); 4],
        saturated: vec![0.0; 4],
        finite: true,
        seed: 7,
        engine: "a test".to_owned(),
    };
    let frame =
        |step| ReferenceFrame { step, world_from_object: vec![pose], human_keypoints: vec![None] };
    let reference = Reference { frames: (0..5).map(frame).collect() };
    rollout.accept(&reference, &Limits::default()).expect("the object is where it belongs")
}

/// Two features at 50 Hz.
pub fn schema() -> Schema {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Schema {
        fps_hz: Some(50),
        robot: "toy".to_owned(),
        features: vec![
            Feature::new("state", names(&["x_m", "y_m", "yaw_rad"])),
            Feature::new("action", names(&["x_target_m", "yaw_target_rad"])),
        ],
    }
}

/// Episode `index` of `steps`: every number is told by where it is.
pub fn episode(index: usize, steps: usize) -> Episode {
    let values = |feature: usize, width: usize| {
        let value = |i: usize| (index * 1000 + i) as f32 * 0.25 - feature as f32 * 0.125;
        (0..steps * width).map(value).collect()
    };
    let provenance = Provenance {
        source: format!("recording {index}"),
        licence: "CC-BY-4.0".to_owned(),
        inputs_sha256: vec![("clip.npz".to_owned(), "00".repeat(32))],
        notes: Vec::new(),
    };
    Episode {
        task: if index.is_multiple_of(2) { "lift the box" } else { "größer: push \"it\"" }
            .to_owned(),
        values: vec![values(0, 3), values(1, 2)],
        record: Some(Record::of(&accepted(), &provenance)),
    }
}
