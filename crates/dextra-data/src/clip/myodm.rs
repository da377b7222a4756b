//! MyoDM recordings: joint angles of MyoHand and the pose of one object.
//!
//! Keys: `time [T]` in seconds, `robot [T,29]` (see [`super::myohand::JOINT_NAMES`]), `object [T,7]`
//! (position in metres, quaternion wxyz); `robot_init` and `object_init` are ignored. The position
//! is relative to a body 3.5 cm above the table top at z = 0. MyoDM was made from GRAB by
//! inverse kinematics and is played two to three times faster than people move.

use super::keypoints::{GRAVITY, check_finite, check_length, check_quat, check_reach, identifier};
use super::myohand::{JOINT_NAMES, JOINTS, keypoints_in_world};
use super::settings::Settings;
use super::{geometry, objects};
use crate::{DataError, Npz};
use dextra_core::demonstration::{HandTrack, Keypoints, ObjectTrack};
use dextra_core::{Demonstration, Pose, pose};
use nalgebra::Vector3;

/// Height of the frame that `object` is relative to, metres above the table top.
const OBJECT_BASE_Z: f64 = 0.035;

/// A gap under the resting object beyond which the whole scene is lowered onto the table, metres.
const FLOATING_M: f64 = 0.005;

/// Licence of the motion. The repository is Apache-2.0, but the data it was derived from is not.
const LICENCE: &str = "LicenseRef-GRAB-non-commercial";

pub(super) fn read(npz: &Npz, mut settings: Settings) -> Result<Demonstration, DataError> {
    let fixed = [
        ("fps", settings.fps.is_some()),
        ("unit", settings.unit.is_some()),
        ("up_axis", settings.up_axis.is_some()),
        ("quat_order", settings.quat_order.is_some()),
    ];
    if let Some((option, _)) = fixed.into_iter().find(|(_, stated)| *stated) {
        let problem = "a MyoDM recording has its own times, and is in metres, z up, wxyz";
        return Err(DataError::option(&settings.clip, option, problem));
    }
    let fps = frame_rate(npz)?;
    let hand = hand(npz)?;
    let poses = object(npz)?;
    for (key, frames) in [("robot", hand.len()), ("object", poses.len())] {
        let times = npz.array_f64("time")?.1.len();
        if frames != times {
            return Err(npz.problem(key, format!("{frames} frames, but `time` has {times}")));
        }
    }
    let claim = settings.side;
    let side = geometry::side(&mut settings, "robot", claim, &hand)?;
    let (mut poses, mut hands) = (vec![poses], vec![hand]);
    check_reach(npz.file(), &poses, &hands)?;
    let files = objects::find_meshes(&settings, &[], 1)?;
    let mesh = objects::mesh_in_metres(&mut settings, &files[0], &poses[0], &hands)?;

    let lowest = mesh.vertices.iter().map(|v| (poses[0][0] * v).z).fold(f64::INFINITY, f64::min);
    if lowest.abs() > FLOATING_M {
        // The stand that held the object while it was recorded is not part of the recording.
        let drop = Vector3::new(0.0, 0.0, -lowest);
        hands[0].iter_mut().flatten().for_each(|point| *point += drop);
        poses[0].iter_mut().for_each(|pose| pose.translation.vector += drop);
        settings.note(format!(
            "The object starts {:.1} cm above the table top; hand and object are lowered by that.",
            100.0 * lowest
        ));
    }
    let peak = poses[0]
        .windows(2)
        .map(|pair| pose::distance_between(&pair[0], &pair[1]) * fps)
        .fold(0.0, f64::max);
    settings.note(format!(
        "MyoDM motions are compressed in time: the object peaks at {peak:.1} m/s as recorded.",
    ));
    settings.note(
        "Derived from GRAB, whose licence allows non-commercial research only; the MyoDM \
         repository itself is Apache-2.0.",
    );
    let object = ObjectTrack {
        name: identifier(&files[0]),
        mesh,
        world_from_object: poses.remove(0),
        articulation: None,
        mass: settings.mass_kg,
    };
    let name = settings.stem();
    Ok(Demonstration {
        fps,
        gravity: Vector3::new(0.0, 0.0, -GRAVITY),
        hands: vec![HandTrack { side, keypoints_in_world: hands.remove(0) }],
        objects: vec![object],
        provenance: settings.provenance(format!("MyoSuite MyoDM, {name}"), LICENCE),
        name,
    })
}

/// The frame rate of `time`, which must be even.
fn frame_rate(npz: &Npz) -> Result<f64, DataError> {
    let key = "time";
    let (shape, times) = npz.array_f64(key)?;
    if shape.len() != 1 {
        return Err(npz.problem(key, format!("the shape [T] was expected, not {shape:?}")));
    }
    check_length(npz, key, times.len())?;
    check_finite(npz, key, &times, 1)?;
    let step = (times[times.len() - 1] - times[0]) / (times.len() - 1) as f64;
    for (frame, pair) in times.windows(2).enumerate() {
        let this = pair[1] - pair[0];
        if this <= 0.0 || (this - step).abs() > 0.1 * step {
            let problem = match this > 0.0 && step > 0.0 {
                true => format!(
                    "a step of {this} s after {} s; steps of {step:.4} s were expected",
                    pair[0]
                ),
                false => format!("{} s comes after {} s", pair[1], pair[0]),
            };
            return Err(DataError::frame(npz.file(), key, frame + 1, problem));
        }
    }
    // Times are printed to milliseconds; 49.999... is 50.
    let fps = (1e6 / step).round() / 1e6;
    if fps > 1.0 && fps < 1000.0 {
        return Ok(fps);
    }
    Err(npz.problem(key, format!("{fps} frames per second is outside 1 to 1000")))
}

/// Keypoints of the hand, table top at z = 0.
fn hand(npz: &Npz) -> Result<Vec<Keypoints>, DataError> {
    let key = "robot";
    let (shape, values) = npz.array_f64(key)?;
    if shape.len() != 2 || shape[1] != JOINTS {
        let problem = format!("the shape [T, {JOINTS}] was expected, not {shape:?}");
        return Err(npz.problem(key, problem));
    }
    check_length(npz, key, shape[0])?;
    check_finite(npz, key, &values, JOINTS)?;
    let mut frames = Vec::with_capacity(shape[0]);
    for (frame, row) in values.chunks_exact(JOINTS).enumerate() {
        // No joint of the model reaches two radians, no slide a metre; degrees would.
        if let Some(joint) = row.iter().position(|q| q.abs() > 4.0) {
            let problem = format!(
                "{} = {} is out of reach; radians and metres were expected",
                JOINT_NAMES[joint], row[joint]
            );
            return Err(DataError::frame(npz.file(), key, frame, problem));
        }
        frames.push(keypoints_in_world(&std::array::from_fn(|joint| row[joint])));
    }
    Ok(frames)
}

/// Poses of the object, table top at z = 0.
fn object(npz: &Npz) -> Result<Vec<Pose>, DataError> {
    let key = "object";
    let (shape, values) = npz.array_f64(key)?;
    if shape.len() != 2 || shape[1] != 7 {
        let problem = format!("the shape [T, 7] was expected, not {shape:?}");
        return Err(npz.problem(key, problem));
    }
    check_length(npz, key, shape[0])?;
    check_finite(npz, key, &values, 7)?;
    let mut poses = Vec::with_capacity(shape[0]);
    for (frame, row) in values.chunks_exact(7).enumerate() {
        check_quat(npz, key, frame, &row[3..])?;
        let pos = [row[0], row[1], row[2] + OBJECT_BASE_Z];
        poses.push(pose::from_pos_quat(pos, [row[3], row[4], row[5], row[6]]));
    }
    Ok(poses)
}
