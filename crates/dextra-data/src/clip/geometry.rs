//! What geometry says about a recording: the unit, the side, the quaternion order.
//!
//! A label can be wrong and often is; bones, tables and grips are not. Every function here measures
//! and leaves the decision, with its sentence for the provenance, to the reader.

use super::options::Unit;
use super::settings::{Settings, SideClaim};
use crate::DataError;
use dextra_core::demonstration::{Keypoints, chirality, keypoint};
use dextra_core::{Pose, Side, TriMesh};
use nalgebra::{Point3, Vector3};
use std::ops::RangeInclusive;

/// Human range of the distance from the wrist to the middle knuckle, metres: a small child's to a
/// very large adult's, with a margin for noisy keypoints.
pub const PALM_LENGTH_M: RangeInclusive<f64> = 0.06..=0.13;

/// Evidence of chirality, metres, below which a label is believed rather than the geometry: a flat
/// hand has its fingertips in the plane of the palm.
pub const CHIRALITY_EVIDENCE_M: f64 = 0.01;

/// Median over frames of the distance from the wrist to the middle knuckle.
pub(super) fn palm_length(frames: &[Keypoints]) -> f64 {
    let mut lengths: Vec<f64> =
        frames.iter().map(|k| (k[keypoint::MIDDLE_MCP] - k[keypoint::WRIST]).norm()).collect();
    lengths.sort_by(f64::total_cmp);
    lengths.get(lengths.len() / 2).copied().unwrap_or(0.0)
}

/// Chooses the unit of a clip's positions: the stated one if the hand is of human size in it, else
/// the one unit in which it is.
pub(super) fn unit(
    settings: &mut Settings,
    key: &str,
    frames: &[Keypoints],
) -> Result<Unit, DataError> {
    let length = palm_length(frames);
    let fits = |unit: Unit| PALM_LENGTH_M.contains(&(length * unit.metres()));
    let measured = format!(
        "the hand measures {length:.4} units from wrist to middle knuckle, a human one \
         {:.0}-{:.0} cm",
        100.0 * PALM_LENGTH_M.start(),
        100.0 * PALM_LENGTH_M.end()
    );
    let fitting = Unit::ALL.into_iter().find(|&unit| fits(unit));
    match (settings.unit, fitting) {
        (Some(stated), _) if fits(stated) => Ok(stated),
        (Some(stated), Some(other)) => Err(DataError::option(
            &settings.clip,
            "unit",
            format!("`{}` is stated, but {measured}: `{}` fits", stated.name(), other.name()),
        )),
        (None, Some(unit)) => {
            if unit != Unit::Metre {
                settings.note(format!("The unit is read as {}: {measured}.", unit.name()));
            }
            Ok(unit)
        }
        (_, None) => {
            let problem = format!("no unit (m, cm, mm) makes this a hand: {measured}");
            Err(DataError::field(&settings.clip, key, problem))
        }
    }
}

/// Decides which hand the keypoints show; see [`SideClaim`] for who wins.
pub(super) fn side(
    settings: &mut Settings,
    key: &str,
    claim: SideClaim,
    frames: &[Keypoints],
) -> Result<Side, DataError> {
    let evidence = chirality(frames);
    let shown = if evidence > 0.0 { Side::Right } else { Side::Left };
    let strong = evidence.abs() > CHIRALITY_EVIDENCE_M;
    let measured = format!(
        "the fingers curl {:.1} cm to the palm side of a {} hand",
        100.0 * evidence.abs(),
        shown.name()
    );
    match claim {
        SideClaim::Demand(side) if side != shown && strong => Err(DataError::option(
            &settings.clip,
            "side",
            format!("`{}` is stated, but {measured}", side.name()),
        )),
        SideClaim::Demand(side) => Ok(side),
        SideClaim::Label(side, place) if side != shown && strong => {
            settings.note(format!(
                "Handedness: {place} says {}, but {measured}; the geometry is believed.",
                side.name()
            ));
            Ok(shown)
        }
        SideClaim::Label(side, place) if side != shown => {
            settings.note(format!(
                "Handedness: {place} says {}; the fingers are too straight to tell.",
                side.name()
            ));
            Ok(side)
        }
        SideClaim::Label(side, _) => Ok(side),
        SideClaim::None if strong => {
            settings.note(format!("Handedness is read from the geometry: {measured}."));
            Ok(shown)
        }
        SideClaim::None => {
            let problem = "right or left is not stated and the fingers are too straight to tell; \
                           state it with the `side` option (--side right|left)";
            Err(DataError::field(&settings.clip, key, problem))
        }
    }
}

/// About `count` points spread evenly over a surface, the same for the same mesh.
pub(super) fn surface_points(mesh: &TriMesh, count: usize) -> Vec<Point3<f64>> {
    let step = mesh.area() / count as f64;
    if step <= 0.0 || !step.is_finite() {
        return mesh.vertices.iter().take(count).copied().collect();
    }
    let mut points = Vec::with_capacity(count + 1);
    let mut walked = step / 2.0;
    let mut serial = 0u32;
    for face in 0..mesh.faces.len() {
        let [a, b, c] = mesh.triangle(face);
        let area = mesh.face_cross(face).norm() / 2.0;
        walked += area;
        while walked >= step {
            walked -= step;
            serial += 1;
            // The R2 low-discrepancy sequence of Roberts (2018), folded onto the triangle.
            let mut u = (f64::from(serial) * 0.754_877_666_246_692_8).fract();
            let mut v = (f64::from(serial) * 0.569_840_290_998_053_2).fract();
            if u + v > 1.0 {
                (u, v) = (1.0 - u, 1.0 - v);
            }
            points.push(a + (b - a) * u + (c - a) * v);
        }
    }
    points
}

/// How near the hand comes to the surface, metres: over at most 60 frames, the smallest of each
/// frame's third-nearest keypoint. A grip has several keypoints at the surface; one alone may pass
/// near it by chance.
pub(super) fn grip_distance(
    points: &[Point3<f64>],
    scale: f64,
    poses: &[Pose],
    hand: &[Keypoints],
) -> f64 {
    let stride = poses.len().div_ceil(60);
    let mut best = f64::INFINITY;
    for (pose, keypoints) in poses.iter().zip(hand).step_by(stride.max(1)) {
        let mut nearest: Vec<f64> = keypoints
            .iter()
            .map(|k| {
                let local = pose.inverse_transform_point(k).coords;
                let squared = points
                    .iter()
                    .map(|p| (p.coords * scale - local).norm_squared())
                    .fold(f64::INFINITY, f64::min);
                squared.sqrt()
            })
            .collect();
        nearest.sort_by(f64::total_cmp);
        best = best.min(nearest[2]);
    }
    best
}

/// Spread of the wrist in the object's frame while the object is away from where it starts and from
/// where it ends, metres (root mean square), or `None` when it hardly moves. A carrying hand keeps
/// still in the frame of what it carries.
pub(super) fn carry_spread(poses: &[Pose], hand: &[Keypoints]) -> Option<f64> {
    let (first, last) = (poses.first()?, poses.last()?);
    let away = |a: &Pose, b: &Pose| {
        (a.translation.vector - b.translation.vector).norm() > 0.03
            || a.rotation.angle_to(&b.rotation) > 0.3
    };
    let carried: Vec<Point3<f64>> = poses
        .iter()
        .zip(hand)
        .filter(|(pose, _)| away(pose, first) && away(pose, last))
        .map(|(pose, keypoints)| pose.inverse_transform_point(&keypoints[keypoint::WRIST]))
        .collect();
    if carried.len() < 5 {
        return None;
    }
    let count = carried.len() as f64;
    let mean = carried.iter().fold(Vector3::zeros(), |sum, p| sum + p.coords) / count;
    let variance: f64 = carried.iter().map(|p| (p.coords - mean).norm_squared()).sum();
    Some((variance / count).sqrt())
}
