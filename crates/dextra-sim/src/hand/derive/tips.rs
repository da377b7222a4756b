//! Where fingers end.

use super::chains::Chain;
use super::{Confidence, Finding, Subject, rounded};
use crate::hand::map::RawFinger;
use crate::hand::surface::extent;
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Vector3};

/// A tip site this near to the end of the geometry is the tip, metres.
const NEAR_M: f64 = 0.012;
/// Thickness of the end of a finger that its tip is the middle of, metres.
const CAP_M: f64 = 0.003;

/// Where a tip comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// A site of the file.
    Site(String),
    /// The end of the last link's geometry; with a site that is called a tip but lies elsewhere, and its
    /// distance in metres.
    Geometry(Option<(String, f64)>),
    /// No geometry and no site: the last link is taken as long as the one before.
    Extrapolated,
}

/// Fills in tip and direction of a finger.
pub(super) fn find(subject: &Subject<'_>, chain: &mut Chain) {
    let last = chain.hinges[chain.hinges.len() - 1].clone();
    let leaf = chain.links[chain.links.len() - 1];
    let points: Vec<Point3<f64>> = subject.surface(leaf).into_iter().flatten().collect();
    let end = end_of(&points, &last.anchor, &last.axis);
    let sites = sites(subject, leaf);
    let distance = |at: &Point3<f64>, end: &Point3<f64>| (at - end).norm();
    (chain.tip, chain.source) = match end {
        Some(end) => {
            let nearest = |called: bool| {
                let of_kind = sites.iter().filter(|(name, _)| is_tip(name) == called);
                of_kind.min_by(|a, b| distance(&a.1, &end).total_cmp(&distance(&b.1, &end)))
            };
            let (called, other) = (nearest(true), nearest(false));
            let near = |site: &&(String, Point3<f64>)| distance(&site.1, &end) < NEAR_M;
            match called.filter(near).or(other.filter(near)) {
                Some((name, at)) => (*at, Source::Site(name.clone())),
                None => {
                    let far = called.map(|(name, at)| (name.clone(), distance(at, &end)));
                    (end, Source::Geometry(far))
                }
            }
        }
        None => {
            let farthest = sites.into_iter().max_by(|a, b| {
                distance(&a.1, &last.anchor).total_cmp(&distance(&b.1, &last.anchor))
            });
            match farthest.filter(|(_, at)| distance(at, &last.anchor) > 1e-3) {
                Some((name, at)) => (at, Source::Site(name)),
                None => {
                    let step = chain.hinges.iter().rev().map(|h| last.anchor - h.anchor);
                    let step = step.into_iter().find(|s| s.norm() > 5e-3);
                    (last.anchor + step.unwrap_or(Vector3::zeros()), Source::Extrapolated)
                }
            }
        }
    };
    let next = chain.flexion.iter().map(|&h| chain.hinges[h].anchor).chain([chain.tip]);
    let along = |to: Point3<f64>| {
        let step = to - chain.base;
        let flat = step - chain.closing * step.dot(&chain.closing);
        (flat.norm() > 8e-3).then(|| flat.normalize())
    };
    chain.direction = next.into_iter().find_map(along).unwrap_or_else(|| {
        let step = chain.tip - chain.base;
        step.try_normalize(1e-9).unwrap_or(Vector3::x())
    });
}

fn is_tip(name: &str) -> bool {
    name.to_lowercase().contains("tip")
}

/// Sites of a link with their places in the root frame.
fn sites(subject: &Subject<'_>, link: usize) -> Vec<(String, Point3<f64>)> {
    (0..subject.model.site_bodyid().len())
        .filter_map(|id| {
            let body = (subject.model.site_bodyid()[id] as usize).checked_sub(1)?;
            if subject.links.of_body[body] != link {
                return None;
            }
            let name = subject.model.id_to_name(MjtObjBase::mjOBJ_SITE, id)?;
            let at = subject.root_from_body[body] * Point3::from(subject.model.site_pos()[id]);
            Some((name.to_owned(), at))
        })
        .collect()
}

/// The middle of the end of the geometry farthest from the last hinge; `None` without geometry.
fn end_of(
    points: &[Point3<f64>],
    anchor: &Point3<f64>,
    axis: &Vector3<f64>,
) -> Option<Point3<f64>> {
    if points.is_empty() {
        return None;
    }
    let flat = |v: Vector3<f64>| (v - axis * v.dot(axis)).try_normalize(1e-6);
    let middle: Vector3<f64> =
        points.iter().map(|p| p.coords).sum::<Vector3<f64>>() / points.len() as f64;
    let mut along = flat(middle - anchor.coords)?;
    let mut end = *anchor;
    for _ in 0..3 {
        let side = axis.cross(&along);
        let (_, top) = extent(points, &along)?;
        let cap: Vec<&Point3<f64>> =
            points.iter().filter(|p| p.coords.dot(&along) > top - CAP_M).collect();
        let center = |direction: &Vector3<f64>| {
            extent(cap.iter().copied(), direction).map_or(0.0, |(low, high)| (low + high) / 2.0)
        };
        end = Point3::from(along * top + side * center(&side) + axis * center(axis));
        along = flat(end - anchor)?;
    }
    Some(end)
}

/// The finger as a map has it.
pub(super) fn raw(subject: &Subject<'_>, chain: &Chain, name: &'static str) -> RawFinger {
    let leaf = chain.links[chain.links.len() - 1];
    let bodies = chain.links.iter().map(|&l| subject.tree.bodies[l].name.clone()).collect();
    let (tip_site, tip_point_m) = match &chain.source {
        Source::Site(site) => (Some(site.clone()), None),
        _ => {
            let at = subject.root_from_body[leaf].inverse() * chain.tip;
            (None, Some(rounded(at.coords)))
        }
    };
    RawFinger { name: name.to_owned(), bodies, tip_site, tip_point_m }
}

/// What is said of a tip.
pub(super) fn finding(finger: &str, chain: &Chain) -> Finding {
    let item = format!("tip of {finger}");
    let (value, confidence, reason) = match &chain.source {
        Source::Site(site) => (
            format!("site `{site}`"),
            Confidence::Certain,
            "a site of the file at the end of the finger".to_owned(),
        ),
        Source::Geometry(None) => (
            "end of the last link".to_owned(),
            Confidence::Likely,
            "no site is there; the point of the geometry farthest from the last joint".to_owned(),
        ),
        Source::Geometry(Some((site, distance))) => (
            "end of the last link".to_owned(),
            Confidence::Likely,
            format!(
                "the site `{site}` lies {:.0} mm from the end of the finger, so the end of the geometry is taken",
                1000.0 * distance
            ),
        ),
        Source::Extrapolated => (
            "beyond the last joint".to_owned(),
            Confidence::Guess,
            "the last link has neither geometry nor a site; taken as long as the link before"
                .to_owned(),
        ),
    };
    Finding { item, value, confidence, reason }
}
