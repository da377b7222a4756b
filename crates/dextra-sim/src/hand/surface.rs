//! Points on the geometry of bodies, for measuring hands.

use dextra_core::Pose;
use dextra_core::pose::from_pos_quat;
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Vector3};
use std::f64::consts::TAU;

/// Points around a circle.
const AROUND: usize = 16;
/// Rings from pole to pole of a cap.
const RINGS: usize = 4;

/// Points whose convex hull is (nearly) each geom of `body` (number in the model), in the body frame,
/// one list per geom. Geoms that collide; where none does, all that are drawn.
pub(super) fn of_body(model: &MjModel, body: usize) -> Vec<Vec<Point3<f64>>> {
    let geoms = |solid: bool| {
        (0..model.geom_bodyid().len()).filter(move |&geom| {
            let collides = model.geom_contype()[geom] != 0 || model.geom_conaffinity()[geom] != 0;
            model.geom_bodyid()[geom] as usize == body && collides == solid
        })
    };
    let read = |geom: usize| {
        let body_from_geom: Pose = from_pos_quat(model.geom_pos()[geom], model.geom_quat()[geom]);
        let points = own(model, geom);
        points.into_iter().map(|p| body_from_geom * p).collect::<Vec<_>>()
    };
    let solid: Vec<_> = geoms(true).map(read).filter(|p| !p.is_empty()).collect();
    if !solid.is_empty() {
        return solid;
    }
    geoms(false).map(read).filter(|p| !p.is_empty()).collect()
}

/// Points of a geom in its own frame; none for a plane or a height field.
fn own(model: &MjModel, geom: usize) -> Vec<Point3<f64>> {
    let [a, b, c] = model.geom_size()[geom];
    match model.geom_type()[geom] {
        MjtGeomBase::mjGEOM_BOX => (0..8)
            .map(|i| {
                let sign = |bit: usize| if i >> bit & 1 == 1 { 1.0 } else { -1.0 };
                Point3::new(a * sign(0), b * sign(1), c * sign(2))
            })
            .collect(),
        MjtGeomBase::mjGEOM_SPHERE => rounded(a, 0.0),
        MjtGeomBase::mjGEOM_CAPSULE => rounded(a, b),
        MjtGeomBase::mjGEOM_ELLIPSOID => {
            rounded(1.0, 0.0).iter().map(|p| Point3::new(p.x * a, p.y * b, p.z * c)).collect()
        }
        MjtGeomBase::mjGEOM_CYLINDER => [-b, b].into_iter().flat_map(|z| circle(a, z)).collect(),
        MjtGeomBase::mjGEOM_MESH => {
            let mesh = model.geom_dataid()[geom];
            if mesh < 0 {
                return Vec::new();
            }
            let first = model.mesh_vertadr()[mesh as usize] as usize;
            let count = model.mesh_vertnum()[mesh as usize] as usize;
            model.mesh_vert()[first..first + count]
                .iter()
                .map(|v| Point3::from(v.map(f64::from)))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn circle(radius: f64, z: f64) -> impl Iterator<Item = Point3<f64>> {
    (0..AROUND).map(move |i| {
        let angle = TAU * i as f64 / AROUND as f64;
        Point3::new(radius * angle.cos(), radius * angle.sin(), z)
    })
}

/// A capsule along z: a sphere where `half` is zero.
fn rounded(radius: f64, half: f64) -> Vec<Point3<f64>> {
    let mut points = Vec::new();
    for sign in [-1.0, 1.0] {
        for ring in 0..RINGS {
            let angle = TAU / 4.0 * ring as f64 / RINGS as f64;
            points.extend(circle(radius * angle.cos(), sign * (half + radius * angle.sin())));
        }
        points.push(Point3::new(0.0, 0.0, sign * (half + radius)));
    }
    points
}

/// Smallest and largest coordinate along `axis`; `None` without points.
pub(super) fn extent<'a>(
    points: impl IntoIterator<Item = &'a Point3<f64>>,
    axis: &Vector3<f64>,
) -> Option<(f64, f64)> {
    points.into_iter().map(|p| p.coords.dot(axis)).fold(None, |range, x| match range {
        None => Some((x, x)),
        Some((low, high)) => Some((f64::min(low, x), f64::max(high, x))),
    })
}
