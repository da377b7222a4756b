//! The palm frame and the side of a hand.

use super::chains::Chain;
use super::{Confidence, Finding, Subject, words};
use crate::hand::surface::extent;
use dextra_core::Side;
use nalgebra::{Point3, Vector3};
use parry3d_f64::math::Pose3;
use parry3d_f64::query::{Ray, RayCast};
use parry3d_f64::shape::ConvexPolyhedron;

/// Closing axes closer than this (cosine) are one direction.
const ALIGNED: f64 = 0.94;
/// A range is one-sided when it goes this much farther one way than the other.
const ONE_SIDED: f64 = 0.3;
/// A thumb within this share of half the palm's width from its middle is in the middle.
const CENTRAL: f64 = 0.15;
/// Half width of a palm with one finger beside the thumb, metres.
const NARROW_M: f64 = 0.02;
/// A palm is at most this many finger lengths long; what sticks out farther is a mount.
const LONGEST: f64 = 1.1;

/// The palm frame in the root frame.
pub(super) struct Frame {
    pub(super) center: Point3<f64>,
    /// Middle of the wrist end of the palm.
    pub(super) wrist: Point3<f64>,
    /// Towards the fingers.
    pub(super) fingers: Vector3<f64>,
    /// Out of the inner surface.
    pub(super) normal: Vector3<f64>,
    /// How sure the normal is.
    pub(super) sure: Confidence,
    /// `fingers x normal`: the thumb's side of a right hand.
    pub(super) across: Vector3<f64>,
    pub(super) findings: Vec<Finding>,
}

/// The frame for the fingers other than `thumb`.
pub(super) fn frame(subject: &Subject<'_>, palm: usize, chains: &[Chain], thumb: usize) -> Frame {
    let others: Vec<&Chain> =
        chains.iter().enumerate().filter(|(c, _)| *c != thumb).map(|(_, c)| c).collect();
    let surest = others.iter().map(|c| c.sure).fold(0.0, f64::max);
    let lead = others.iter().find(|c| c.sure == surest).map_or(Vector3::x(), |c| c.closing);
    let mut closing = Vector3::zeros();
    for chain in &others {
        // A finger whose ranges are symmetric closes the way the others do.
        let flip = chain.sure < ONE_SIDED && chain.closing.dot(&lead) < 0.0;
        closing += if flip { -chain.closing } else { chain.closing };
    }
    let agreement = closing.norm() / others.len() as f64;
    let closing = closing.try_normalize(1e-6).unwrap_or(lead);
    let mean = |of: &dyn Fn(&Chain) -> Vector3<f64>| {
        others.iter().map(|c| of(c)).sum::<Vector3<f64>>() / others.len() as f64
    };
    let direction = mean(&|c| c.direction);
    let base = Point3::from(mean(&|c| c.base.coords));
    let reach = mean(&|c| c.tip - c.base);
    let (fingers, normal, claw) = axes(&closing, (&direction, &reach), &base, &chains[thumb]);
    let across = fingers.cross(&normal);
    let opposed = opposes(subject, chains, thumb, &base, &normal);
    let confidence = match () {
        () if surest < ONE_SIDED => Confidence::Guess,
        () if agreement > ALIGNED && (opposed || claw) => Confidence::Certain,
        () => Confidence::Likely,
    };
    let mut frame = Frame {
        center: base,
        wrist: base,
        fingers,
        normal,
        sure: confidence,
        across,
        findings: Vec::new(),
    };
    let how = match claw {
        true => {
            "the fingers stand on the palm and close towards each other: the palm faces where they point"
        }
        false => "where the fingertips move when the joints bend towards their more distant limits",
    };
    let mut reason = how.to_owned();
    if surest < ONE_SIDED {
        reason += "; the ranges are symmetric, so it may be the opposite";
    } else if opposed {
        reason += "; the closed thumb lies on that side too";
    }
    let normal_finding = finding("palm normal", direction_text(&normal), confidence, reason);
    let fingers_finding = finding(
        "fingers axis",
        direction_text(&fingers),
        if agreement > ALIGNED { Confidence::Certain } else { Confidence::Likely },
        match claw {
            true => "from the thumb's base to the other fingers'".to_owned(),
            false => "mean direction of the finger links next to the palm".to_owned(),
        },
    );
    frame.findings.extend([normal_finding, fingers_finding]);
    center(subject, palm, &others, &base, &mut frame);
    frame
}

fn finding(item: &str, value: String, confidence: Confidence, reason: String) -> Finding {
    Finding { item: item.to_owned(), value, confidence, reason }
}

/// Fingers axis, palm normal, and whether the hand is a claw: fingers that stand on the palm round a
/// middle and close towards it. `direction` is that of the links next to the palm, `reach` leads from base
/// to tip.
fn axes(
    closing: &Vector3<f64>,
    (direction, reach): (&Vector3<f64>, &Vector3<f64>),
    base: &Point3<f64>,
    thumb: &Chain,
) -> (Vector3<f64>, Vector3<f64>, bool) {
    let gap = base - thumb.hinges[0].anchor;
    let own = (thumb.tip - thumb.base).normalize();
    let across = |v: &Vector3<f64>| gap.dot(v).abs() < 0.35 * gap.norm() * v.norm();
    let standing = thumb.direction.dot(direction) > 0.8 * direction.norm() && across(direction);
    // Jaws that first lead away from each other.
    let jaws = (reach.normalize() + own) / 2.0;
    let jaws = (jaws.norm() > 0.8 && across(&jaws)).then_some(jaws);
    let upwards = if standing { Some(direction + thumb.direction) } else { jaws };
    if let Some(normal) = upwards.filter(|_| thumb.closing.dot(closing) < -0.5) {
        let normal = normal.normalize();
        if let Some(fingers) = (gap - normal * gap.dot(&normal)).try_normalize(1e-6) {
            return (fingers, normal, true);
        }
    }
    let flat = direction - closing * direction.dot(closing);
    let fingers = flat.try_normalize(1e-6).unwrap_or_else(|| {
        let gap = gap - closing * gap.dot(closing);
        gap.try_normalize(1e-9).unwrap_or(closing.cross(&Vector3::x()))
    });
    (fingers, closing.cross(&fingers), false)
}

/// Whether the thumb's tip comes to the inner side of the palm on the way of its joints to their more
/// distant limits.
fn opposes(
    subject: &Subject<'_>,
    chains: &[Chain],
    thumb: usize,
    base: &Point3<f64>,
    normal: &Vector3<f64>,
) -> bool {
    let chain = &chains[thumb];
    let leaf = chain.links[chain.links.len() - 1];
    let tip_in_leaf = subject.root_from_body[leaf].inverse() * chain.tip;
    [0.25, 0.5, 0.75, 1.0].into_iter().any(|share| {
        let mut q = subject.neutral.clone();
        for hinge in chain.hinges.iter().filter(|h| h.one_sided > 0.1) {
            q[hinge.joint] += share * hinge.far;
        }
        let tip = subject.tree.forward(&q)[leaf] * tip_in_leaf;
        (tip - base).dot(normal) > 0.01
    })
}

/// Centre of the inner surface and wrist end of the palm.
fn center(
    subject: &Subject<'_>,
    palm: usize,
    others: &[&Chain],
    base: &Point3<f64>,
    frame: &mut Frame,
) {
    let Frame { fingers, normal, across, .. } = *frame;
    let geoms = subject.surface(palm);
    let points = || geoms.iter().flatten();
    let knuckles = base.coords.dot(&fingers);
    let row: Vec<Point3<f64>> = others.iter().map(|c| c.base).collect();
    let lateral = extent(&row, &across).map_or(0.0, |(low, high)| (low + high) / 2.0);
    let length = others.iter().map(|c| (c.tip - c.base).norm()).sum::<f64>() / others.len() as f64;
    let joint = subject.tree.bodies[palm].joints.last();
    let wrist = match joint {
        // The hinge that carries the palm is the wrist.
        Some(&j) => {
            let anchor = subject.root_from_body[palm] * subject.tree.joints[j].anchor_in_body;
            anchor.coords.dot(&fingers)
        }
        None => match extent(points(), &fingers) {
            Some((low, _)) => low,
            None => 0f64.min(knuckles),
        },
    };
    let wrist = wrist.min(knuckles - 0.01).max(knuckles - LONGEST * length.max(0.05));
    let middle = (knuckles + wrist) / 2.0;
    let at =
        |along: f64, level: f64| Point3::from(across * lateral + fingers * along + normal * level);
    let top = extent(points(), &normal);
    let hit = top.and_then(|(low, high)| {
        surface_level(&geoms, &at(middle, high + 0.01), frame).or({
            // Nothing under the middle of the knuckles: the palm is open there.
            Some((low + high) / 2.0)
        })
    });
    let level = hit.unwrap_or(base.coords.dot(&normal));
    frame.center = at(middle, level);
    let depth = top.map_or(level, |(low, high)| (low + high) / 2.0);
    frame.wrist = at(wrist, depth);
    let (confidence, reason) = match top {
        Some(_) => (
            Confidence::Likely,
            "the palm's surface half-way between knuckles and wrist, below the middle of the knuckles",
        ),
        None => (
            Confidence::Guess,
            "the palm has no geometry; taken half-way between knuckles and root",
        ),
    };
    let distance = 1000.0 * (knuckles - wrist);
    frame.findings.push(finding(
        "palm centre",
        format!("{:.0} mm from the knuckles to the wrist", distance),
        confidence,
        reason.to_owned(),
    ));
}

/// Height along the normal of the palm's surface under `from`.
fn surface_level(geoms: &[Vec<Point3<f64>>], from: &Point3<f64>, frame: &Frame) -> Option<f64> {
    let ray = Ray::new(
        parry3d_f64::math::Vector::new(from.x, from.y, from.z),
        parry3d_f64::math::Vector::new(-frame.normal.x, -frame.normal.y, -frame.normal.z),
    );
    let hull = |points: &Vec<Point3<f64>>| {
        let points: Vec<_> =
            points.iter().map(|p| parry3d_f64::math::Vector::new(p.x, p.y, p.z)).collect();
        ConvexPolyhedron::from_convex_hull(&points)
    };
    geoms
        .iter()
        .filter_map(hull)
        .filter_map(|hull| hull.cast_ray(&Pose3::IDENTITY, &ray, 1.0, true))
        .min_by(f64::total_cmp)
        .map(|distance| from.coords.dot(&frame.normal) - distance)
}

/// A side and how it was told.
pub(super) struct SideFound {
    pub(super) side: Side,
    pub(super) finding: Finding,
}

/// Right when the thumb lies towards `fingers x normal`.
pub(super) fn side(
    subject: &Subject<'_>,
    chains: &[Chain],
    thumb: usize,
    frame: &Frame,
    name: &str,
) -> SideFound {
    let others: Vec<Point3<f64>> = chains
        .iter()
        .enumerate()
        .filter(|(c, _)| *c != thumb)
        .map(|(_, chain)| chain.base)
        .collect();
    let (low, high) = extent(&others, &frame.across).unwrap_or((0.0, 0.0));
    let (middle, half) = ((low + high) / 2.0, ((high - low) / 2.0).max(NARROW_M));
    let offset = |at: &Point3<f64>| (at.coords.dot(&frame.across) - middle) / half;
    let (base, tip) = (offset(&chains[thumb].hinges[0].anchor), offset(&chains[thumb].tip));
    let written = words::side(subject, name);
    let geometry = (base + tip) / 2.0;
    let central = geometry.abs() < CENTRAL;
    let side = match written {
        Some(written) if central => written,
        _ if geometry >= 0.0 || central => Side::Right,
        _ => Side::Left,
    };
    let agree = base.signum() == tip.signum() && base.abs() > CENTRAL;
    let (confidence, reason) = match written {
        None if central => {
            (Confidence::Guess, "the thumb is in the middle and nothing is named left or right")
        }
        Some(_) if central => (Confidence::Likely, "the thumb is in the middle; the names say so"),
        Some(written) if written == side => {
            (Confidence::Certain, "where the thumb is, seen on the palm; the names agree")
        }
        Some(_) => (
            Confidence::Likely,
            "where the thumb is, seen on the palm; but the names say the other side",
        ),
        None if agree => {
            (Confidence::Certain, "where base and tip of the thumb are, seen on the palm")
        }
        None => (Confidence::Likely, "where the thumb is on average, seen on the palm"),
    };
    let mut reason = reason.to_owned();
    // A thumb seen from the other side of the palm is on the other hand; one in the middle is not.
    let limit = if central { Confidence::Certain } else { frame.sure };
    if confidence > limit {
        reason += "; no surer than the palm normal";
    }
    let value = if side == Side::Right { "right" } else { "left" };
    SideFound { side, finding: finding("side", value.to_owned(), confidence.min(limit), reason) }
}

fn direction_text(v: &Vector3<f64>) -> String {
    format!("({:.2}, {:.2}, {:.2}) in the root", v.x + 0.0, v.y + 0.0, v.z + 0.0)
}
