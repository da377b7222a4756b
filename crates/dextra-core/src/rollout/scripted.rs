//! A rollout whose object goes exactly where a test says, with a reference to match.

use super::*;
use crate::demonstration::keypoint;
use nalgebra::Vector3;

/// Physics step of the scripted rollout, seconds.
pub const DT: f64 = 0.01;
/// Physics steps per judged frame, so frames come at 25 Hz.
pub const STRIDE: usize = 4;

/// An upright pose at `(x, 0, z)` turned by `yaw`.
pub fn at(x: f64, z: f64, yaw: f64) -> Pose {
    Pose::new(Vector3::new(x, 0.0, z), Vector3::z() * yaw)
}

/// Keypoint `k` of the scripted human: in a row, 1 cm apart, 5 cm above the object's origin.
pub fn human(object: &Pose) -> Keypoints {
    std::array::from_fn(|k| {
        Point3::from(object.translation.vector + Vector3::new(0.01 * k as f64, 0.0, 0.05))
    })
}

/// A reference with a judged frame for each pose, every frame demonstrated.
pub fn reference(poses: &[Pose]) -> Reference {
    let frame = |(f, pose): (usize, &Pose)| ReferenceFrame {
        step: f * STRIDE,
        world_from_object: vec![*pose],
        human_keypoints: vec![Some(human(pose))],
    };
    Reference { frames: poses.iter().enumerate().map(frame).collect() }
}

/// A rollout that passes through `poses` at the judged frames (and stays between them), with the
/// robot exactly on the human and a firm opposing grasp throughout.
pub fn rollout(poses: &[Pose]) -> Rollout {
    let steps = (poses.len() - 1) * STRIDE;
    let states: Vec<Pose> = (0..=steps).map(|s| poses[s / STRIDE]).collect();
    Rollout {
        dt: DT,
        nu: 2,
        ctrl: vec![0.0; steps * 2],
        qpos0: vec![0.0; 3],
        qvel0: vec![0.0; 3],
        qpos: vec![vec![0.0; 3]; steps + 1],
        objects: vec![ObjectRollout {
            name: "object".into(),
            world_from_object: states.clone(),
            joint: None,
        }],
        hands: vec![HandRollout {
            hand: "toy".into(),
            side: Side::Right,
            keypoints: vec![keypoint::WRIST, 4, 6, 8],
            keypoints_in_world: states
                .iter()
                .map(|pose| [0, 4, 6, 8].map(|k| human(pose)[k]).to_vec())
                .collect(),
        }],
        contacts: vec![
            StepContacts {
                hand_object_count: 3,
                opposing: true,
                hand_object_force: 5.0,
                hand_object_penetration: 0.001,
                ..StepContacts::default()
            };
            steps
        ],
        touches: vec![Vec::new(); steps],
        saturated: vec![0.25; steps],
        finite: true,
        seed: 0,
        engine: "scripted".into(),
    }
}

/// 10 frames of rest, a rise of 1 cm per frame for 20 frames, 20 frames held up.
pub fn lift() -> Vec<Pose> {
    (0..50).map(|f| at(0.0, 0.01 * (f64::from(f) - 9.0).clamp(0.0, 20.0), 0.0)).collect()
}
