//! Which bodies of a hand must not collide, by rule.

use super::links::Links;
use super::{HandError, compile};
use dextra_core::kinematics::{Coordinates, KinematicTree};
use mujoco_rs::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Poses in which neighbours but one are looked at.
const POSES: usize = 200;
/// Share of them in which a pair must overlap to be excluded.
const OFTEN: f64 = 0.2;
/// Memory for contacts.
const ROOM_BYTES: i64 = 64 << 20;
/// Overlap that counts there, metres.
const DEEP_M: f64 = 0.001;

/// Body pairs that must not collide: those that penetrate each other in the pose `neutral` (one angle per
/// joint) and, with `coarse`, neighbours but one that do so in a fifth of all poses, for their
/// geometry is coarser than the hand.
///
/// The hand is compiled once on a free root, as it will move in a scene: on a fixed root MuJoCo
/// would not exempt the root and its children from colliding.
pub(super) fn find(
    spec: &mut MjSpec,
    tree: &KinematicTree,
    coordinates: &Coordinates,
    neutral: &[f64],
    coarse: bool,
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
    // The file may allow too little for the contacts of some pose, which would end the process.
    spec.set_memory(ROOM_BYTES);
    let model = compile::compile(spec, file, &mut Vec::new())?;
    let mut data = MjData::new(&model);
    let mut pairs = penetrating(&model, &mut data, tree, neutral, 0.0);
    if coarse {
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut q = neutral.to_vec();
        for pose in 0..POSES {
            let x: Vec<f64> = coordinates
                .range
                .iter()
                .enumerate()
                .map(|(k, &(low, high))| low + (high - low) * spread(pose, k))
                .collect();
            coordinates.expand(&x, &mut q);
            for pair in penetrating(&model, &mut data, tree, &q, DEEP_M) {
                *counts.entry(pair).or_default() += 1;
            }
        }
        let often = |n: usize| n as f64 >= OFTEN * POSES as f64;
        let links = Links::new(tree);
        let near = |&(a, b): &(usize, usize)| {
            let [inner, outer] = [a, b].map(|body| links.of_body[body - 1]);
            links.above[outer].and_then(|link| links.above[link]) == Some(inner)
        };
        pairs.extend(counts.into_iter().filter(|(p, n)| often(*n) && near(p)).map(|(p, _)| p));
    }
    let name = |id| model.id_to_name(MjtObjBase::mjOBJ_BODY, id).unwrap_or_default().to_owned();
    Ok(pairs.into_iter().map(|(a, b)| (name(a), name(b))).collect())
}

/// Pairs of bodies of the model, the lower number first, whose geoms overlap by more than `depth`.
fn penetrating(
    model: &MjModel,
    data: &mut MjData<&MjModel>,
    tree: &KinematicTree,
    q: &[f64],
    depth: f64,
) -> BTreeSet<(usize, usize)> {
    for (joint, &angle) in tree.joints.iter().zip(q) {
        if let Some(id) = model.name_to_id(MjtObjBase::mjOBJ_JOINT, &joint.name) {
            data.qpos_mut()[model.jnt_qposadr()[id] as usize] = angle;
        }
    }
    data.forward();
    let body = |geom: i32| model.geom_bodyid()[geom as usize] as usize;
    let contacts = data.contact().iter().filter(|c| c.dist < -depth);
    contacts
        .map(|c| {
            let (a, b) = (body(c.geom[0]), body(c.geom[1]));
            (a.min(b), a.max(b))
        })
        .collect()
}

/// Number `index` of a sequence that fills the unit interval evenly, another one for every dimension: the
/// multiples of an irrational number without their whole part.
fn spread(index: usize, dimension: usize) -> f64 {
    let step = ((dimension as f64 + 1.0) * 2.0f64.sqrt() + (dimension as f64 + 2.0).sqrt()).fract();
    (0.5 + (index as f64 + 1.0) * step).fract()
}
