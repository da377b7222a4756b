//! Which bodies of a hand must not collide, by rule.

use super::{HandError, compile};
use dextra_core::kinematics::KinematicTree;
use mujoco_rs::prelude::*;

/// Body pairs whose geoms penetrate each other in the pose `neutral` (one angle per joint).
///
/// The hand is compiled once on a free root, as it will move in a scene: on a fixed root MuJoCo
/// would not exempt the root and its children from colliding.
pub(super) fn overlapping(
    spec: &mut MjSpec,
    tree: &KinematicTree,
    neutral: &[f64],
    file: &str,
) -> Result<Vec<(String, String)>, HandError> {
    let root = spec.body_mut(&tree.bodies[0].name).ok_or_else(|| {
        compile::failed(
            file,
            "compile",
            format!("its root body `{}` vanished", tree.bodies[0].name),
        )
    })?;
    root.add_free_joint();
    let model = compile::compile(spec, file, &mut Vec::new())?;
    let mut data = MjData::new(&model);
    for (joint, &angle) in tree.joints.iter().zip(neutral) {
        if let Some(id) = model.name_to_id(MjtObjBase::mjOBJ_JOINT, &joint.name) {
            data.qpos_mut()[model.jnt_qposadr()[id] as usize] = angle;
        }
    }
    data.forward();
    let mut pairs = std::collections::BTreeSet::new();
    for contact in data.contact() {
        let body = |side: usize| model.geom_bodyid()[contact.geom[side] as usize] as usize;
        let (a, b) = (body(0), body(1));
        if contact.dist < 0.0 {
            pairs.insert((a.min(b), a.max(b)));
        }
    }
    let name = |id| model.id_to_name(MjtObjBase::mjOBJ_BODY, id).unwrap_or_default().to_owned();
    Ok(pairs.into_iter().map(|(a, b)| (name(a), name(b))).collect())
}
