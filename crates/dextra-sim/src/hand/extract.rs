//! Kinematic tree, couplings and actuators, read from the compiled model.

use super::{HandActuator, HandError, linkage};
use dextra_core::Pose;
use dextra_core::kinematics::{Body, Coupling, Joint, KinematicTree};
use dextra_core::pose::from_pos_quat;
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Unit, UnitQuaternion, Vector3};
use std::f64::consts::PI;

/// Farthest that a body of a hand lies from its parent along an axis, metres; beyond it the file is
/// in another unit.
const MAX_OFFSET_M: f64 = 1.0;
/// Heaviest body of a hand, kilograms; a Shadow forearm has 3.
const MAX_MASS_KG: f64 = 50.0;

/// The tree of the model's only body subtree; tree body `i` is model body `i + 1`, tree joint `j`
/// is model joint `j`.
pub(super) fn tree(model: &MjModel, file: &str) -> Result<KinematicTree, HandError> {
    refuse_infinite(model, file)?;
    let mut tree = KinematicTree::default();
    for id in 1..model.body_parentid().len() {
        let name = named(model, MjtObjBase::mjOBJ_BODY, "body", id, file)?;
        let offset = model.body_pos()[id];
        if id > 1 && offset.iter().any(|x| x.abs() > MAX_OFFSET_M) {
            let message = format!("lies at {offset:?} m in its parent; MJCF lengths are metres");
            return Err(unsupported(file, &format!("body `{name}`"), &message));
        }
        let mass = model.body_mass()[id];
        if mass > MAX_MASS_KG {
            let message = format!("weighs {mass} kg; MJCF masses are kilograms");
            return Err(unsupported(file, &format!("body `{name}`"), &message));
        }
        let parent = match model.body_parentid()[id] {
            0 if id == 1 => None,
            0 => {
                let message = "is a second body of the world; a hand is one body subtree";
                return Err(unsupported(file, &format!("body `{name}`"), message));
            }
            parent => Some(parent as usize - 1),
        };
        let first = model.body_jntadr()[id].max(0) as usize;
        let joints: Vec<usize> = (first..first + model.body_jntnum()[id] as usize).collect();
        let mut parent_from_body = match parent {
            Some(_) => from_pos_quat(model.body_pos()[id], model.body_quat()[id]),
            None => Pose::identity(),
        };
        for (place, &j) in joints.iter().enumerate() {
            let joint = hinge(model, j, id - 1, file)?;
            let element = format!("joint `{}`", joint.name);
            if parent.is_none() {
                let message = "moves the root body; a hand's root is carried by the scene's wrist or arm, so remove the joint";
                return Err(unsupported(file, &element, message));
            }
            let reference = model.qpos0()[model.jnt_qposadr()[j] as usize];
            if reference != 0.0 {
                if place > 0 {
                    let message = "has a `ref` although it is not the first joint of its body; set its `ref` to 0";
                    return Err(unsupported(file, &element, message));
                }
                // MuJoCo turns by q - ref; the turn by -ref is part of the pose at angle zero.
                let turn = UnitQuaternion::from_axis_angle(&joint.axis_in_body, -reference);
                let anchor = joint.anchor_in_body.coords;
                parent_from_body *= Pose::from_parts((anchor - turn * anchor).into(), turn);
            }
            tree.joints.push(joint);
        }
        tree.bodies.push(Body { name, parent, parent_from_body, joints });
    }
    if tree.joints.is_empty() {
        return Err(unsupported(file, "worldbody", "has no hinge to move"));
    }
    equalities(model, &mut tree, file)?;
    tendons(model, &mut tree);
    let found = linkages(model, &tree);
    let plain = tree.couplings.len();
    tree.couplings.extend(found.into_iter().map(|f| f.coupling));
    if tree.coordinates().is_err() {
        // Limits that no pose of the linear fit meets: the hinges stay as free as the file has them.
        tree.couplings.truncate(plain);
    }
    Ok(tree)
}

/// MuJoCo takes infinite numbers and makes others of them that are none.
fn refuse_infinite(model: &MjModel, file: &str) -> Result<(), HandError> {
    let check = |word: &str, kind: MjtObjBase, id: usize, numbers: &[&[f64]]| match numbers {
        n if n.iter().copied().flatten().all(|x| x.is_finite()) => Ok(()),
        _ => {
            let name =
                model.id_to_name(kind, id).map_or_else(|| id.to_string(), |n| format!("`{n}`"));
            Err(unsupported(file, &format!("{word} {name}"), "has a number that is not finite"))
        }
    };
    for id in 0..model.body_pos().len() {
        let (pose, mass) = (&model.body_quat()[id], [model.body_mass()[id]]);
        let numbers: [&[f64]; 4] = [&model.body_pos()[id], pose, &mass, &model.body_inertia()[id]];
        check("body", MjtObjBase::mjOBJ_BODY, id, &numbers)?;
    }
    for id in 0..model.jnt_pos().len() {
        let numbers: [&[f64]; 3] =
            [&model.jnt_pos()[id], &model.jnt_axis()[id], &model.jnt_range()[id]];
        check("joint", MjtObjBase::mjOBJ_JOINT, id, &numbers)?;
    }
    for id in 0..model.geom_pos().len() {
        let numbers: [&[f64]; 3] =
            [&model.geom_pos()[id], &model.geom_quat()[id], &model.geom_size()[id]];
        check("geom", MjtObjBase::mjOBJ_GEOM, id, &numbers)?;
    }
    for id in 0..model.site_pos().len() {
        check("site", MjtObjBase::mjOBJ_SITE, id, &[&model.site_pos()[id]])?;
    }
    for id in 0..model.eq_data().len() {
        check("equality", MjtObjBase::mjOBJ_EQUALITY, id, &[&model.eq_data()[id]])?;
    }
    Ok(())
}

/// Hinges that follow others through closed linkages.
pub(super) fn linkages(model: &MjModel, tree: &KinematicTree) -> Vec<linkage::Follower> {
    let moved = |joint: usize| {
        (0..model.actuator_trntype().len()).any(|a| {
            let target = model.actuator_trnid()[a][0] as usize;
            match model.actuator_trntype()[a] {
                MjtTrn::mjTRN_JOINT => target == joint,
                MjtTrn::mjTRN_TENDON => tendon_terms(model, target)
                    .is_some_and(|terms| terms.iter().any(|&(j, _)| j == joint)),
                _ => false,
            }
        })
    };
    linkage::followers(tree, &linkage::pins(model), moved)
}

fn hinge(model: &MjModel, j: usize, body: usize, file: &str) -> Result<Joint, HandError> {
    let name = named(model, MjtObjBase::mjOBJ_JOINT, "joint", j, file)?;
    let kind = match model.jnt_type()[j] {
        MjtJoint::mjJNT_HINGE => None,
        MjtJoint::mjJNT_SLIDE => Some("a slide"),
        MjtJoint::mjJNT_BALL => Some("a ball joint"),
        _ => Some("a free joint"),
    };
    if let Some(kind) = kind {
        let message = format!("is {kind}; a hand may have hinges only");
        return Err(unsupported(file, &format!("joint `{name}`"), &message));
    }
    let range = match model.jnt_limited()[j] {
        true => (model.jnt_range()[j][0], model.jnt_range()[j][1]),
        false => (-PI, PI),
    };
    Ok(Joint {
        name,
        body,
        axis_in_body: Unit::new_normalize(Vector3::from(model.jnt_axis()[j])),
        anchor_in_body: Point3::from(model.jnt_pos()[j]),
        range,
    })
}

/// Mimic joints: `q1 - ref1 = c0 + c1 (q2 - ref2)`.
fn equalities(model: &MjModel, tree: &mut KinematicTree, file: &str) -> Result<(), HandError> {
    for id in 0..model.eq_type().len() {
        if model.eq_type()[id] != MjtEq::mjEQ_JOINT || !model.eq_active0()[id] {
            continue;
        }
        let (joint, of) = (model.eq_obj1id()[id], model.eq_obj2id()[id]);
        let element = || {
            let name = model.id_to_name(MjtObjBase::mjOBJ_EQUALITY, id);
            format!("joint equality `{}`", name.unwrap_or("(unnamed)"))
        };
        if of < 0 {
            let message = "locks a joint to a constant; remove the joint instead";
            return Err(unsupported(file, &element(), message));
        }
        let coefficients = &model.eq_data()[id][..5];
        if coefficients[2..].iter().any(|&c| c != 0.0) {
            let message = "is not linear; only `polycoef=\"c0 c1 0 0 0\"` is understood";
            return Err(unsupported(file, &element(), message));
        }
        let reference = |j: i32| model.qpos0()[model.jnt_qposadr()[j as usize] as usize];
        let (constant, ratio) = (coefficients[0], coefficients[1]);
        let mut coupling = Coupling {
            joint: joint as usize,
            of: of as usize,
            ratio,
            offset: reference(joint) + constant - ratio * reference(of),
        };
        // The joint that a servo moves is the independent one, whichever way it is written.
        if driven(model, joint) && !driven(model, of) && ratio != 0.0 {
            coupling = Coupling {
                joint: of as usize,
                of: joint as usize,
                ratio: 1.0 / ratio,
                offset: -coupling.offset / ratio,
            };
        }
        tree.couplings.push(coupling);
    }
    Ok(())
}

fn driven(model: &MjModel, joint: i32) -> bool {
    (0..model.actuator_trntype().len()).any(|a| {
        model.actuator_trntype()[a] == MjtTrn::mjTRN_JOINT && model.actuator_trnid()[a][0] == joint
    })
}

/// A servo on a fixed tendon sets only a sum of angles; kinematically its later joints follow the
/// first in proportion to their coefficients, which is how the least effort shares the sum.
fn tendons(model: &MjModel, tree: &mut KinematicTree) {
    for a in 0..model.actuator_trntype().len() {
        if model.actuator_trntype()[a] != MjtTrn::mjTRN_TENDON {
            continue;
        }
        let Some(terms) = tendon_terms(model, model.actuator_trnid()[a][0] as usize) else {
            continue;
        };
        let Some(&(of, first)) = terms.first() else {
            continue;
        };
        for &(joint, coefficient) in &terms[1..] {
            if first != 0.0 && !tree.couplings.iter().any(|c| c.joint == joint) {
                tree.couplings.push(Coupling {
                    joint,
                    of,
                    ratio: coefficient / first,
                    offset: 0.0,
                });
            }
        }
    }
}

/// Joints and coefficients of a fixed tendon; `None` for a spatial one.
pub(super) fn tendon_terms(model: &MjModel, tendon: usize) -> Option<Vec<(usize, f64)>> {
    let first = model.tendon_adr()[tendon] as usize;
    (first..first + model.tendon_num()[tendon] as usize)
        .map(|w| {
            let fixed = model.wrap_type()[w] == MjtWrap::mjWRAP_JOINT;
            fixed.then(|| (model.wrap_objid()[w] as usize, model.wrap_prm()[w]))
        })
        .collect()
}

/// The position servos.
pub(super) fn actuators(
    model: &MjModel,
    tree: &KinematicTree,
    file: &str,
) -> Result<Vec<HandActuator>, HandError> {
    let count = model.actuator_trntype().len();
    if count == 0 {
        let message = "is missing; every independent joint needs a <position> servo";
        return Err(unsupported(file, "<actuator>", message));
    }
    (0..count).map(|a| actuator(model, tree, a, file)).collect()
}

fn actuator(
    model: &MjModel,
    tree: &KinematicTree,
    a: usize,
    file: &str,
) -> Result<HandActuator, HandError> {
    let name = named(model, MjtObjBase::mjOBJ_ACTUATOR, "actuator", a, file)?;
    let element = format!("actuator `{name}`");
    let refuse = |message: &str| Err(unsupported(file, &element, message));
    let kp = model.actuator_gainprm()[a][0];
    let servo = model.actuator_gaintype()[a] == MjtGain::mjGAIN_FIXED
        && model.actuator_biastype()[a] == MjtBias::mjBIAS_AFFINE
        && model.actuator_dyntype()[a] == MjtDyn::mjDYN_NONE
        && model.actuator_ctrlnum()[a] == 1
        && kp > 0.0
        && model.actuator_biasprm()[a][0] == 0.0
        && (model.actuator_biasprm()[a][1] + kp).abs() <= 1e-9 * kp;
    if !servo {
        return refuse("is not a position servo; use <position> so that controls are joint angles");
    }
    let gear = model.actuator_gear()[model.actuator_outadr()[a] as usize][0];
    let target = model.actuator_trnid()[a][0] as usize;
    let terms: Vec<(usize, f64)> = match model.actuator_trntype()[a] {
        MjtTrn::mjTRN_JOINT => vec![(target, gear)],
        MjtTrn::mjTRN_TENDON => match tendon_terms(model, target) {
            Some(terms) => terms.into_iter().map(|(j, c)| (j, c * gear)).collect(),
            None => return refuse("pulls a spatial tendon; only <fixed> tendons are understood"),
        },
        _ => return refuse("drives neither a joint nor a fixed tendon"),
    };
    let control = model.actuator_ctrladr()[a] as usize;
    let ctrl_range = match model.actuator_ctrllimited()[control] {
        true => model.actuator_ctrlrange()[control].into(),
        // Without limits of its own the servo's are what the joints can reach.
        false => terms.iter().fold((0.0, 0.0), |(low, high), &(j, c)| {
            let (a, b) = (c * tree.joints[j].range.0, c * tree.joints[j].range.1);
            (low + a.min(b), high + a.max(b))
        }),
    };
    let limited = model.actuator_forcelimited()[a];
    let force_range = limited.then(|| model.actuator_forcerange()[a].into());
    Ok(HandActuator { name, terms, ctrl_range, force_range, kp })
}

fn named(
    model: &MjModel,
    kind: MjtObjBase,
    word: &str,
    id: usize,
    file: &str,
) -> Result<String, HandError> {
    match model.id_to_name(kind, id) {
        Some(name) => Ok(name.to_owned()),
        None => Err(unsupported(file, &format!("{word} {id}"), "has no name")),
    }
}

fn unsupported(file: &str, element: &str, message: &str) -> HandError {
    HandError::Unsupported {
        file: file.to_owned(),
        element: element.to_owned(),
        message: message.to_owned(),
    }
}
