//! UmeTrack hands (Han et al. 2022), which HOT3D ships beside MANO: a profile of the person's hand
//! and 22 joint angles per frame. No model of a third party is needed.
//!
//! The profile is a left hand in millimetres at rest: joints with positions and axes in the frame
//! of the wrist, landmarks bound to bones. A right hand is its mirror image in the plane x = 0.
//! `hand_scale` is not applied, as in hand_tracking_toolkit and HOT3D's own tools: millimetres are those of the person.

use crate::DataError;
use dextra_core::demonstration::{Keypoints, keypoint};
use dextra_core::{Pose, Side};
use nalgebra::{Isometry3, Point3, Unit, UnitQuaternion, Vector3};
use serde_json::Value;
use std::path::Path;

/// Joints of the model: four per finger from the thumb on, two of the wrist.
const JOINTS: usize = 22;

/// Those of the fingers, which come first.
const FINGER_JOINTS: usize = JOINTS - 2;

/// The bone of the palm, which no joint of the model moves.
const PALM_BONE: usize = 1;

/// The joint at the base of the thumb's metacarpal, for which there is no landmark.
const THUMB_CMC: usize = 1;

/// The landmark of each keypoint but the thumb's base: tips 0-4, wrist 5, then joints per finger.
const LANDMARKS: [usize; keypoint::COUNT] =
    [5, 5, 6, 7, 0, 8, 9, 10, 1, 11, 12, 13, 2, 14, 15, 16, 3, 17, 18, 19, 4];

/// Rest position in the wrist's frame (metres), axis and parent.
type Joint = (Point3<f64>, Unit<Vector3<f64>>, Option<usize>);

/// Rest position in the wrist's frame (metres), and bones with their weights.
type Landmark = (Point3<f64>, Vec<(usize, f64)>);

/// The angles (radians) of all joints from 22, or from the fingers' 20: the clips of HOT3D leave out the
/// wrist's two, which stand last and are zero in the full recordings.
pub(super) fn all_angles(stored: &[f64]) -> Option<[f64; JOINTS]> {
    let fingers = [JOINTS, FINGER_JOINTS].contains(&stored.len());
    fingers.then(|| std::array::from_fn(|joint| stored.get(joint).copied().unwrap_or(0.0)))
}

/// The hand of one person.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    joints: Vec<Joint>,
    /// The joint that moves each bone.
    bone_joint: Vec<Option<usize>>,
    landmarks: Vec<Landmark>,
    /// `hand_scale`, which is not applied.
    scale: f64,
}

impl Profile {
    /// Reads `umetrack_hand_user_profile.json`.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Profile, DataError> {
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|e| DataError::format(path, format!("not JSON: {e}")))?;
        Profile::from_json(path, &json)
    }

    /// The profile of parsed JSON, which stands in `path`.
    pub fn from_json(path: &Path, json: &Value) -> Result<Profile, DataError> {
        let model = json.get("hand_model").unwrap_or(json);
        let joints_stated = model.get("joint_rest_positions").and_then(Value::as_array);
        // The wrist's two stand last and move no landmark.
        let count = match joints_stated.map(Vec::len) {
            Some(FINGER_JOINTS) => FINGER_JOINTS,
            _ => JOINTS,
        };
        let table = |key: &str, rows: usize, width: usize| -> Result<Vec<Vec<f64>>, DataError> {
            let row = |row: &Value| -> Option<Vec<f64>> {
                let cells = match row {
                    Value::Array(cells) => cells.iter().map(Value::as_f64).collect(),
                    number => number.as_f64().map(|n| vec![n]),
                };
                cells.filter(|cells: &Vec<f64>| {
                    cells.len() == width && cells.iter().all(|x| x.is_finite())
                })
            };
            let table = model.get(key).and_then(Value::as_array);
            let table = table.and_then(|t| t.iter().map(row).collect::<Option<Vec<_>>>());
            table.filter(|t| t.len() == rows).ok_or_else(|| {
                DataError::field(path, key, format!("the shape [{rows}, {width}] was expected"))
            })
        };
        let scale = model.get("hand_scale").and_then(Value::as_f64).unwrap_or(1.0);
        let point = |row: &Vec<f64>| Point3::new(row[0], row[1], row[2]) * 0.001;
        // 255 stands for none.
        let index = |x: f64| (0.0..255.0).contains(&x).then_some(x as usize);
        let positions = table("joint_rest_positions", count, 3)?;
        let axes = table("joint_rotation_axes", count, 3)?;
        let parents = table("joint_parent", count, 1)?;
        let mut joints = Vec::new();
        for joint in 0..count {
            let axis = Vector3::from_column_slice(&axes[joint]);
            let parent = index(parents[joint][0]);
            if parent.is_some_and(|parent| parent >= joint) || axis.norm() < 1e-6 {
                let problem = format!("joint {joint} comes before its parent, or has no axis");
                return Err(DataError::field(path, "joint_parent", problem));
            }
            joints.push((point(&positions[joint]), Unit::new_normalize(axis), parent));
        }
        let bones = PALM_BONE.max(keypoint::COUNT);
        let mut bone_joint = vec![None; bones];
        for (joint, row) in table("joint_frame_index", count, 1)?.iter().enumerate() {
            if let Some(slot) = index(row[0]).and_then(|bone| bone_joint.get_mut(bone)) {
                *slot = Some(joint);
            }
        }
        let rest = table("landmark_rest_positions", keypoint::COUNT, 3)?;
        let bound = table("landmark_rest_bone_indices", keypoint::COUNT, 3)?;
        let weights = table("landmark_rest_bone_weights", keypoint::COUNT, 3)?;
        let mut landmarks = Vec::new();
        for (rest, (bound, weights)) in rest.iter().zip(bound.iter().zip(&weights)) {
            let bound = bound.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
            let bound: Vec<(usize, f64)> =
                bound.map(|(bone, weight)| (*bone as usize, *weight)).collect();
            if bound.is_empty() || bound.iter().any(|(bone, _)| *bone >= bones) {
                let problem = "a landmark is bound to no bone";
                return Err(DataError::field(path, "landmark_rest_bone_indices", problem));
            }
            landmarks.push((point(rest), bound));
        }
        Ok(Profile { joints, bone_joint, landmarks, scale })
    }

    /// What is to be said of a hand that states a scale.
    pub fn note(&self) -> Option<String> {
        let scale = self.scale;
        (scale != 1.0).then(|| {
            format!("The profile's hand_scale of {scale} is not applied, as HOT3D's tools do not.")
        })
    }

    /// Keypoints in the world from the joint angles (radians) and the pose of the wrist.
    pub fn keypoints(
        &self,
        side: Side,
        angles: &[f64; JOINTS],
        world_from_wrist: &Pose,
    ) -> Keypoints {
        // Turning about an axis through a point that is at rest in the wrist's frame.
        let mut turned: Vec<Isometry3<f64>> = Vec::with_capacity(JOINTS);
        for (joint, (position, axis, parent)) in self.joints.iter().enumerate() {
            let turn = UnitQuaternion::from_axis_angle(axis, angles[joint]);
            let about = Isometry3::rotation_wrt_point(turn, *position);
            turned.push(parent.map_or(about, |parent| turned[parent] * about));
        }
        let bone = |bone: usize| match self.bone_joint[bone] {
            Some(joint) if bone != PALM_BONE => turned[joint],
            _ => Isometry3::identity(),
        };
        let landmark = |index: usize| {
            let (rest, bound) = &self.landmarks[index];
            let total: f64 = bound.iter().map(|(_, weight)| weight).sum();
            let sum = bound.iter().fold(Vector3::zeros(), |sum, (index, weight)| {
                sum + (bone(*index) * rest).coords * *weight
            });
            Point3::from(sum / total)
        };
        std::array::from_fn(|k| {
            let mut p = match k {
                1 => turned[THUMB_CMC] * self.joints[THUMB_CMC].0,
                _ => landmark(LANDMARKS[k]),
            };
            if side == Side::Right {
                p.x = -p.x;
            }
            world_from_wrist * p
        })
    }
}
