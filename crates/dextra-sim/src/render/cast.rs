//! Who is who in a model: what is shown, and which part is the robot.

use mujoco_rs::prelude::{MjModel, MjtObjBase, MjtTrn};

/// Geom group of shown scenery and objects in a renderer's own copy of the model.
pub(super) const GROUP_SHOWN: i32 = 0;
/// Geom group of the robot.
pub(super) const GROUP_ROBOT: i32 = 1;
/// Geom group of what is never shown.
const GROUP_HIDDEN: i32 = 5;
/// Groups drawn by MuJoCo's own viewer unless asked otherwise; collision geometry is by custom in 3.
const VISIBLE_GROUPS: std::ops::RangeInclusive<i32> = 0..=2;

/// Rewrites the geom groups of a model to [`GROUP_SHOWN`], [`GROUP_ROBOT`] and hidden.
///
/// The robot is every kinematic tree that an actuator drives through a joint. This needs no naming
/// convention, so a hand from any MJCF is recognised.
pub(super) fn assign_groups(model: &mut MjModel) {
    let bodies = model.body_rootid().len();
    let mut driven = vec![false; bodies];
    for (kind, target) in model.actuator_trntype().iter().zip(model.actuator_trnid()) {
        let through_joint = matches!(kind, MjtTrn::mjTRN_JOINT | MjtTrn::mjTRN_JOINTINPARENT);
        if through_joint && let Ok(joint) = usize::try_from(target[0]) {
            let body = model.jnt_bodyid()[joint] as usize;
            driven[model.body_rootid()[body] as usize] = true;
        }
    }

    let root_of_geom: Vec<usize> = model
        .geom_bodyid()
        .iter()
        .map(|&body| model.body_rootid()[body as usize] as usize)
        .collect();
    let mut has_visible = vec![false; bodies];
    for (&root, group) in root_of_geom.iter().zip(model.geom_group()) {
        has_visible[root] |= VISIBLE_GROUPS.contains(group);
    }

    for (&root, group) in root_of_geom.iter().zip(model.geom_group_mut()) {
        let shown = VISIBLE_GROUPS.contains(group) || !has_visible[root];
        *group = match (shown, driven[root]) {
            (false, _) => GROUP_HIDDEN,
            (true, true) => GROUP_ROBOT,
            (true, false) => GROUP_SHOWN,
        };
    }
}

/// Whether a geom of a model treated by [`assign_groups`] is shown.
pub(super) fn is_shown(model: &MjModel, geom: usize) -> bool {
    model.geom_group()[geom] != GROUP_HIDDEN
}

/// Index of a body by name. Names with NUL bytes cannot occur in a model (and make the engine's
/// own lookup panic).
pub(super) fn body_by_name(model: &MjModel, name: &str) -> Option<usize> {
    if name.contains('\0') {
        return None;
    }
    model.name_to_id(MjtObjBase::mjOBJ_BODY, name)
}

/// Names of all bodies that have one.
pub(super) fn body_names(model: &MjModel) -> Vec<String> {
    (0..model.body_rootid().len())
        .filter_map(|body| model.id_to_name(MjtObjBase::mjOBJ_BODY, body))
        .map(str::to_owned)
        .collect()
}

/// Where the first joint of a body starts in `qpos`.
pub(super) fn joint_qpos(model: &MjModel, body: &str) -> Option<usize> {
    let body = body_by_name(model, body)?;
    let joint = usize::try_from(model.body_jntadr()[body]).ok()?;
    Some(model.jnt_qposadr()[joint] as usize)
}
