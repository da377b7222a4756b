//! How thick fingers are: what decides whether one fits into an opening.

use super::links::Links;
use dextra_core::Pose;
use dextra_core::hand::HandMap;
use dextra_core::kinematics::KinematicTree;
use dextra_core::pose::from_pos_quat;
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Vector3};

/// The smallest side of the bounding box, in its own frame, of the last body of each finger that has
/// colliding geoms, those welded to the finger's own included, metres; in the order of `map.fingers`,
/// zero for a finger without any.
pub(super) fn fingers(model: &MjModel, tree: &KinematicTree, map: &HandMap) -> Vec<f64> {
    let links = Links::new(tree);
    let thickness = |body: &String| {
        let link = links.of_body[tree.body(body)?];
        let mut bodies = (0..tree.bodies.len()).rev().filter(|&b| links.of_body[b] == link);
        bodies.find_map(|index| smallest_side(model, index + 1))
    };
    map.fingers
        .iter()
        .map(|finger| finger.bodies.iter().rev().find_map(thickness).unwrap_or(0.0))
        .collect()
}

fn smallest_side(model: &MjModel, body: usize) -> Option<f64> {
    let collides = |geom: &usize| {
        model.geom_bodyid()[*geom] as usize == body
            && (model.geom_contype()[*geom] != 0 || model.geom_conaffinity()[*geom] != 0)
    };
    let mut bounds: Option<(Point3<f64>, Point3<f64>)> = None;
    for geom in (0..model.geom_bodyid().len()).filter(collides) {
        let body_from_geom: Pose = from_pos_quat(model.geom_pos()[geom], model.geom_quat()[geom]);
        let [x, y, z, hx, hy, hz] = model.geom_aabb()[geom];
        let turn = body_from_geom.rotation.to_rotation_matrix();
        let half = turn.matrix().abs() * Vector3::new(hx, hy, hz);
        let center = body_from_geom * Point3::new(x, y, z);
        let (low, high) = bounds.unwrap_or((center - half, center + half));
        bounds = Some((low.inf(&(center - half)), high.sup(&(center + half))));
    }
    bounds.map(|(low, high)| (high - low).min())
}
