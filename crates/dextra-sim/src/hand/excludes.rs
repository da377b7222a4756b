//! Which bodies of a hand must not collide, by rule, and which can by its file.

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

/// Bodies, by index in the tree, whose geoms collide, and the pairs of these that can touch by what the model
/// itself says: no neighbours, not excluded, and with geoms whose contype and conaffinity meet or that are
/// paired by name.
pub(super) fn open_pairs(
    model: &MjModel,
    tree: &KinematicTree,
) -> (Vec<usize>, BTreeSet<(usize, usize)>) {
    let links = Links::new(tree);
    let of_geom = |geom: usize| (model.geom_bodyid()[geom] as usize).checked_sub(1);
    let mut geoms: BTreeMap<usize, BTreeSet<(i32, i32)>> = BTreeMap::new();
    for geom in 0..model.geom_bodyid().len() {
        let kind = (model.geom_contype()[geom], model.geom_conaffinity()[geom]);
        if let Some(body) = of_geom(geom).filter(|_| kind != (0, 0)) {
            geoms.entry(body).or_default().insert(kind);
        }
    }
    let sorted = |a: usize, b: usize| (a.min(b), a.max(b));
    let excluded: BTreeSet<(usize, usize)> = model
        .exclude_signature()
        .iter()
        .map(|&s| sorted(s as usize >> 16, s as usize & 0xffff))
        .collect();
    let mut open = BTreeSet::new();
    for (&a, of_a) in &geoms {
        for (&b, of_b) in geoms.range(a + 1..) {
            let meets = of_a.iter().any(|x| of_b.iter().any(|y| x.0 & y.1 != 0 || y.0 & x.1 != 0));
            if !links.near(a, b) && meets && !excluded.contains(&(a + 1, b + 1)) {
                open.insert((a, b));
            }
        }
    }
    // The engine looks at these whatever else is said.
    for (&a, &b) in model.pair_geom1().iter().zip(model.pair_geom2()) {
        if let (Some(a), Some(b)) = (of_geom(a as usize), of_geom(b as usize)) {
            geoms.entry(a).or_default();
            geoms.entry(b).or_default();
            open.insert(sorted(a, b));
        }
    }
    (geoms.into_keys().collect(), open)
}

/// Number `index` of a sequence that fills the unit interval evenly, another one for every dimension: the
/// multiples of an irrational number without their whole part.
fn spread(index: usize, dimension: usize) -> f64 {
    let step = ((dimension as f64 + 1.0) * 2.0f64.sqrt() + (dimension as f64 + 2.0).sqrt()).fract();
    (0.5 + (index as f64 + 1.0) * step).fract()
}
