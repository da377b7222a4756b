//! Grasps as files: what a transfer found, for later transfers of the same object and hand to begin
//! with (`--reuse`).

use crate::error::Error;
use dextra_core::{TriMesh, pose};
use dextra_data::atomic;
use dextra_motion::refine::plan::Grasp;
use dextra_sim::hand::Hand;
use dextra_sim::object::ObjectModel;
use nalgebra::{Point3, Vector3};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file in the folder of a result.
pub const FILE: &str = "grasps.json";
/// Larger files hold no grasps.
const MOST_BYTES: u64 = 16 << 20;
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format_version: u32,
    grasps: Vec<StoredGrasp>,
}

/// One grasp. Actuator targets and joint angles are in the order of the hand's model, radians.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredGrasp {
    hand_sha256: String,
    mesh_sha256: String,
    object_from_root_pos_m: [f64; 3],
    object_from_root_quat_wxyz: [f64; 4],
    finger_center_in_root_m: [f64; 3],
    retreat_in_object: [f64; 3],
    /// How much higher the opened hand is than the closed one.
    #[serde(default)]
    rise_m: f64,
    open_ctrl: Vec<f64>,
    open_joints_rad: Vec<f64>,
    touch_ctrl: Vec<f64>,
    touch_joints_rad: Vec<f64>,
    squeezed_ctrl: Vec<f64>,
}

fn mesh_hash(mesh: &TriMesh) -> String {
    let mut bytes = Vec::new();
    for vertex in &mesh.vertices {
        vertex.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    }
    mesh.faces.iter().flatten().for_each(|index| bytes.extend(index.to_le_bytes()));
    atomic::sha256_hex(&bytes)
}

fn hand_hash(hand: &Hand) -> String {
    atomic::sha256_hex(hand.xml.as_bytes())
}

/// Writes the grasps of a result; `grasps` are as they were played.
///
/// # Errors
/// When the file cannot be written.
pub fn write(
    dir: &Path,
    grasps: &[Grasp],
    hands: &[Hand],
    objects: &[ObjectModel],
) -> Result<(), Error> {
    let grasps = grasps
        .iter()
        .map(|grasp| StoredGrasp {
            hand_sha256: hand_hash(&hands[grasp.hand]),
            mesh_sha256: mesh_hash(&objects[grasp.object].mesh),
            object_from_root_pos_m: pose::pos(&grasp.object_from_root),
            object_from_root_quat_wxyz: pose::quat_wxyz(&grasp.object_from_root),
            finger_center_in_root_m: grasp.finger_center_in_root.coords.into(),
            retreat_in_object: grasp.retreat.into(),
            rise_m: grasp.rise,
            open_ctrl: grasp.open.clone(),
            open_joints_rad: grasp.open_joints.clone(),
            touch_ctrl: grasp.touch.clone(),
            touch_joints_rad: grasp.touch_joints.clone(),
            squeezed_ctrl: grasp.squeezed.clone(),
        })
        .collect();
    let stored = Stored { format_version: VERSION, grasps };
    let json = serde_json::to_vec_pretty(&stored).map_err(Error::stage("grasps"))?;
    atomic::write_file(&dir.join(FILE), &json).map_err(Error::stage("grasps"))
}

/// Reads the grasps of an earlier result that are of these hands and objects, as
/// [`dextra_motion::refine::RefineInput::remembered`] wants them.
///
/// # Errors
/// A file that cannot be read or is no such file, values that make no sense (file, grasp and field are
/// named), and a result without any grasp of these hands and objects.
pub fn read(dir: &Path, hands: &[Hand], objects: &[ObjectModel]) -> Result<Vec<Grasp>, Error> {
    let path = dir.join(FILE);
    let bytes = atomic::read_file(&path, MOST_BYTES).map_err(Error::stage("grasps"))?;
    let refuse = |what: String| Error::Request(format!("{}: {what}", path.display()));
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|e| refuse(e.to_string()))?;
    if stored.format_version != VERSION {
        return Err(refuse(format!(
            "format_version is {}, this program reads {VERSION}",
            stored.format_version
        )));
    }
    let mut grasps = Vec::new();
    for (index, stored) in stored.grasps.into_iter().enumerate() {
        let hand = hands.iter().position(|hand| hand_hash(hand) == stored.hand_sha256);
        let object =
            objects.iter().position(|object| mesh_hash(&object.mesh) == stored.mesh_sha256);
        let (Some(hand), Some(object)) = (hand, object) else { continue };
        let of = &hands[hand];
        let (servos, joints) = (of.actuators.len(), of.tree.joints.len());
        for (field, values, expected) in [
            ("open_ctrl", &stored.open_ctrl, servos),
            ("open_joints_rad", &stored.open_joints_rad, joints),
            ("touch_ctrl", &stored.touch_ctrl, servos),
            ("touch_joints_rad", &stored.touch_joints_rad, joints),
            ("squeezed_ctrl", &stored.squeezed_ctrl, servos),
        ] {
            if values.len() != expected {
                let count = values.len();
                return Err(refuse(format!(
                    "grasp {index}: {field} has {count} values, the hand has {expected}"
                )));
            }
        }
        let quat = Vector3::from_column_slice(&stored.object_from_root_quat_wxyz[1..])
            .norm_squared()
            + stored.object_from_root_quat_wxyz[0].powi(2);
        if (quat - 1.0).abs() > 1e-3 {
            return Err(refuse(format!(
                "grasp {index}: object_from_root_quat_wxyz has not unit length"
            )));
        }
        let retreat = Vector3::from(stored.retreat_in_object);
        let Some(retreat) = retreat.try_normalize(1e-6) else {
            return Err(refuse(format!("grasp {index}: retreat_in_object has no direction")));
        };
        grasps.push(Grasp {
            hand,
            object,
            object_from_root: pose::from_pos_quat(
                stored.object_from_root_pos_m,
                stored.object_from_root_quat_wxyz,
            ),
            finger_center_in_root: Point3::from(stored.finger_center_in_root_m),
            open: stored.open_ctrl,
            open_joints: stored.open_joints_rad,
            touch: stored.touch_ctrl,
            touch_joints: stored.touch_joints_rad,
            squeezed: stored.squeezed_ctrl,
            retreat,
            rise: stored.rise_m,
            roll: Vec::new(),
        });
    }
    if grasps.is_empty() {
        return Err(refuse("no grasp of an object of this clip by this hand".to_owned()));
    }
    Ok(grasps)
}
