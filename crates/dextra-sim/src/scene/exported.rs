//! A scene as a transfer exported it: what of it can be read off its states without simulating.

mod shapes;

pub use shapes::Shape;

use super::SceneHand;
use super::names::{wrist_body, wrist_names};
use super::wrist::wrist_to_root;
use crate::hand::Hand;
use dextra_core::{Pose, Side};
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Vector3};
use std::path::Path;

/// Why an exported scene could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportedError {
    /// The engine does not load it.
    #[error("{file}: MuJoCo cannot load it: {message}")]
    Load {
        /// The file.
        file: String,
        /// The engine's words.
        message: String,
    },
    /// It is not the scene of the hand that it should be of.
    #[error("{file}: no {kind} `{name}`; the scene was not made with this hand")]
    Missing {
        /// The file.
        file: String,
        /// `"joint"`, `"actuator"` or `"body"`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
}

/// An exported scene.
pub struct Exported {
    file: String,
    model: MjModel,
}

/// A hand of an exported scene.
pub struct ExportedHand {
    place: SceneHand,
}

impl Exported {
    /// Reads `scene.xml` with the files that it refers to.
    ///
    /// # Errors
    /// [`ExportedError::Load`].
    pub fn open(path: &Path) -> Result<Exported, ExportedError> {
        crate::hand::route_engine_log();
        let file = path.display().to_string();
        let model = MjModel::from_xml(path).map_err(|error| ExportedError::Load {
            file: file.clone(),
            message: error.to_string(),
        })?;
        Ok(Exported { file, model })
    }

    /// Numbers in `qpos` and in `ctrl`.
    pub fn sizes(&self) -> (usize, usize) {
        (self.model.nq() as usize, self.model.nu() as usize)
    }

    /// Name and unit of every number in `qpos`, such as `right/FFJ3_rad`. Free objects are numbered in the order
    /// of the scene, `object_0_x_m` to `object_0_qz`; parts of others have their names, `object/lid_rad`.
    pub fn state_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut objects = 0;
        for (joint, kind) in self.model.jnt_type().iter().enumerate() {
            let name = self.model.id_to_name(MjtObjBase::mjOBJ_JOINT, joint).unwrap_or_default();
            match kind {
                MjtJoint::mjJNT_FREE => {
                    let parts = ["x_m", "y_m", "z_m", "qw", "qx", "qy", "qz"];
                    names.extend(parts.map(|part| format!("object_{objects}_{part}")));
                    objects += 1;
                }
                MjtJoint::mjJNT_BALL => {
                    names.extend(["qw", "qx", "qy", "qz"].map(|part| format!("{name}_{part}")));
                }
                MjtJoint::mjJNT_SLIDE => names.push(format!("{name}_m")),
                MjtJoint::mjJNT_HINGE => names.push(format!("{name}_rad")),
            }
        }
        names
    }

    /// Name and unit of every number in `ctrl`: targets of servos, in metres of slides, else in radians.
    pub fn control_names(&self) -> Vec<String> {
        let transmissions = self.model.actuator_trntype().iter().zip(self.model.actuator_trnid());
        let name = |(actuator, (kind, target)): (usize, (&MjtTrn, &[i32; 2]))| {
            let joint =
                (*kind == MjtTrn::mjTRN_JOINT).then(|| self.model.jnt_type()[target[0] as usize]);
            let unit = if joint == Some(MjtJoint::mjJNT_SLIDE) { "m" } else { "rad" };
            let name = self.model.id_to_name(MjtObjBase::mjOBJ_ACTUATOR, actuator);
            format!("{}_target_{unit}", name.unwrap_or_default())
        };
        transmissions.enumerate().map(name).collect()
    }

    /// Height of the table top, metres; `None` without a table.
    pub fn table_height(&self) -> Option<f64> {
        let geom = self.model.name_to_id(MjtObjBase::mjOBJ_GEOM, "table")?;
        let body = self.model.geom_bodyid()[geom] as usize;
        let half = match self.model.geom_type()[geom] {
            MjtGeomBase::mjGEOM_BOX => self.model.geom_size()[geom][2],
            _ => 0.0,
        };
        Some(self.model.body_pos()[body][2] + self.model.geom_pos()[geom][2] + half)
    }

    /// The only hand of a side.
    ///
    /// # Errors
    /// [`ExportedError::Missing`] when the scene has another hand there.
    pub fn hand(&self, side: Side, hand: &Hand) -> Result<ExportedHand, ExportedError> {
        let prefix = format!("{}/", side.name());
        let id = |object, kind: &'static str, name: String| {
            self.model.name_to_id(object, &name).ok_or_else(|| ExportedError::Missing {
                file: self.file.clone(),
                kind,
                name,
            })
        };
        let joint = |name: String| {
            let id = id(MjtObjBase::mjOBJ_JOINT, "joint", name)?;
            Ok(self.model.jnt_qposadr()[id] as usize)
        };
        let actuator = |name: String| id(MjtObjBase::mjOBJ_ACTUATOR, "actuator", name);
        let body = |name: String| id(MjtObjBase::mjOBJ_BODY, "body", name);
        let (mut wrist_qpos, mut wrist_ctrl) = ([0; 6], [0; 6]);
        for (slot, name) in wrist_names(&prefix).into_iter().enumerate() {
            wrist_qpos[slot] = joint(name.clone())?;
            wrist_ctrl[slot] = actuator(name)?;
        }
        let mount = self.model.body_quat()[body(wrist_body(&prefix))?];
        let pivot = self.model.body_pos()[body(format!("{prefix}{}", hand.root_body))?];
        let joints = hand.tree.joints.iter();
        let joint_qpos =
            joints.map(|j| joint(format!("{prefix}{}", j.name))).collect::<Result<_, _>>()?;
        let actuators = hand.actuators.iter();
        let finger_ctrl =
            actuators.map(|a| actuator(format!("{prefix}{}", a.name))).collect::<Result<_, _>>()?;
        Ok(ExportedHand {
            place: SceneHand {
                wrist_qpos,
                wrist_ctrl,
                joint_qpos,
                finger_ctrl,
                mass: hand.mass,
                world_from_mount: dextra_core::pose::from_pos_quat([0.0; 3], mount).rotation,
                pivot_in_root: Point3::from(-Vector3::from(pivot)),
                prefix,
            },
        })
    }
}

impl ExportedHand {
    /// Pose of the root body in a state.
    pub fn world_from_root(&self, qpos: &[f64]) -> Pose {
        wrist_to_root(&self.place, &self.place.wrist_qpos.map(|address| qpos[address]))
    }

    /// Joint angles in a state, in the order of the hand's tree.
    pub fn joints(&self, qpos: &[f64]) -> Vec<f64> {
        self.place.joint_qpos.iter().map(|&address| qpos[address]).collect()
    }

    /// Targets of the hand's actuators in a row of controls, in the hand's order.
    pub fn targets(&self, ctrl: &[f64]) -> Vec<f64> {
        self.place.finger_ctrl.iter().map(|&index| ctrl[index]).collect()
    }
}
