//! What depends on the robot hand: whether it reaches the human's grasp, opens wide enough, and has
//! fingers thin enough.

use super::hold::{Contact, Hold};
use super::{ClipView, Finding, Kind, Severity};
use crate::retarget::{
    FrameSolver, FrameTargets, PalmTarget, PointTarget, Regularisation, RetargetError,
    RetargetHand, SurfaceQuery,
};
use dextra_core::demonstration::{keypoint, world_from_palm};
use dextra_core::{Pose, human, pose};
use dextra_sim::hand::Hand;
use nalgebra::{Point3, Vector3};
use serde::{Deserialize, Serialize};

/// A touching fingertip farther than this from its human counterpart is not reached, metres.
const REACH_M: f64 = 0.012;
/// Room that a finger needs in a gap beyond its own thickness, metres: a few millimetres on each side.
const CLEARANCE_M: f64 = 0.005;
/// An object thinner than this between opposite contacts is as thin as keypoints are noisy, metres.
const THIN_M: f64 = 0.008;
/// A gap wider than this is no opening that could be too narrow for a finger, metres.
const WIDEST_GAP_M: f64 = 0.04;
/// Samples of each finger's joints for the opening.
const SAMPLES: usize = 400;
/// The tips of a grasp are at least this far in front of the palm, metres.
const IN_FRONT_M: f64 = 0.02;

/// How a robot hand fits the human's first hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandFit {
    /// `"right"` or `"left"`.
    pub side: String,
    /// Widest object between the thumb and a finger, centimetres, see [`largest_opening`]; `None`
    /// without a thumb or another finger.
    pub opening_cm: Option<f64>,
    /// Width of the object where the human holds it, between opposite contacts, centimetres.
    pub grasp_width_cm: Option<f64>,
    /// Thickness of the thickest fingertip, millimetres.
    pub finger_thickness_mm: f64,
    /// Narrowest gap in which a touching human finger is, millimetres.
    pub gap_mm: Option<f64>,
    /// Largest distance of a touching fingertip from the human's after fitting, centimetres.
    pub tip_residual_cm: Option<f64>,
    /// Distance of the palm from the human's after fitting, centimetres.
    pub palm_residual_cm: Option<f64>,
    /// Angle between the palms, degrees.
    pub palm_residual_deg: Option<f64>,
}

/// Fits hand `index` of the clip to its longest hold.
pub(super) fn fit(
    view: &ClipView,
    surfaces: &[&dyn SurfaceQuery],
    index: usize,
    hand: &Hand,
    model: &RetargetHand,
) -> Result<(HandFit, Vec<Finding>), RetargetError> {
    let opening = largest_opening(model);
    let thickest = hand.finger_thickness.iter().copied().fold(0.0, f64::max);
    let mut fit = HandFit {
        side: hand.map.side.name().to_owned(),
        opening_cm: opening.map(|o| 100.0 * o),
        grasp_width_cm: None,
        finger_thickness_mm: 1000.0 * thickest,
        gap_mm: None,
        tip_residual_cm: None,
        palm_residual_cm: None,
        palm_residual_deg: None,
    };
    let mut findings = Vec::new();
    let mine = view.holds.iter().filter(|h| h.hand == index);
    // Of equally long holds the first.
    let Some(hold) = mine.rev().max_by_key(|h| h.last - h.first) else {
        return Ok((fit, findings));
    };
    let object = &view.clean.objects[hold.object];
    let label = format!("the {} {} hand", hand.map.side.name(), hand.map.name);

    let width = grasp_width(&hold.contacts);
    fit.grasp_width_cm = width.map(|w| 100.0 * w);
    if let (Some(width), Some(opening)) = (width, opening)
        && width > opening
    {
        let (low, high) = object.mesh.bounds().unwrap_or_default();
        let thinnest = (high - low).min();
        let severity = if thinnest > opening { Severity::Blocking } else { Severity::Warning };
        let text = format!(
            "object {} is {:.1} cm wide where it is held (at least {:.1} cm anywhere) and {label} opens \
             {:.1} cm",
            object.name,
            100.0 * width,
            100.0 * thinnest,
            100.0 * opening
        );
        findings.push(Finding::new(Kind::Opening, severity, hold.first, text));
    }

    if let Some(width) = width.filter(|&w| w < THIN_M) {
        let text = format!(
            "object {} is {:.1} mm thick where the {} hand holds it, less than keypoints are sure of: \
             which side a finger is on is a guess",
            object.name,
            1000.0 * width,
            hand.map.side.name()
        );
        findings.push(Finding::new(Kind::Thin, Severity::Warning, hold.first, text));
    }

    let gaps = gaps(surfaces[hold.object], &hold.contacts);
    fit.gap_mm = gaps.iter().map(|g| 1000.0 * g.1).reduce(f64::min);
    let tight: Vec<(usize, f64, f64)> = gaps
        .iter()
        .filter_map(|&(finger, gap)| {
            let slot = hand.map.fingers.iter().position(|f| f.name == human::FINGERS[finger])?;
            let thickness = hand.finger_thickness[slot];
            (thickness + CLEARANCE_M > gap).then_some((finger, gap, thickness))
        })
        .collect();
    if let Some(&(finger, gap, thickness)) =
        tight.iter().max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)))
    {
        let text = format!(
            "the human {} finger is in a gap of {:.0} mm of object {}, and that of {label} is {:.0} mm \
             thick",
            human::FINGERS[finger],
            1000.0 * gap,
            object.name,
            1000.0 * thickness
        );
        findings.push(Finding::new(Kind::ThickFinger, Severity::Warning, hold.first, text));
    }

    findings.extend(reach(view, hold, hand, model, &label, &mut fit)?);
    findings.extend(press(view, hold, hand, &label));
    Ok((fit, findings))
}

/// Finger (thumb 0 to pinky 4) of a keypoint other than the wrist.
fn finger_of(keypoint: usize) -> usize {
    (keypoint - 1) / 4
}

/// Width of the object between opposite contacts (normals at least 120 deg apart): the median over
/// the pairs with the thumb, else over all pairs; metres.
fn grasp_width(contacts: &[Contact]) -> Option<f64> {
    let mut with_thumb = Vec::new();
    let mut all = Vec::new();
    for (i, a) in contacts.iter().enumerate() {
        for b in &contacts[i + 1..] {
            if a.normal.dot(&b.normal) > -0.5 {
                continue;
            }
            let axis = (a.normal - b.normal).normalize();
            // Outward normals of a thin wall's two sides from inside out would give a negative width.
            let width = (a.point - b.point).dot(&axis);
            if width <= 0.0 {
                continue;
            }
            all.push(width);
            let thumb = |c: &Contact| (1..5).contains(&c.keypoint);
            if thumb(a) != thumb(b) {
                with_thumb.push(width);
            }
        }
    }
    let mut widths = if with_thumb.is_empty() { all } else { with_thumb };
    widths.sort_by(f64::total_cmp);
    widths.get(widths.len() / 2).copied()
}

/// Gaps that the last two joints of touching fingers are in: `(finger, metres)`, the narrowest per
/// finger. From the surface at the contact along its normal to the surface opposite, when that faces
/// back.
fn gaps(surface: &dyn SurfaceQuery, contacts: &[Contact]) -> Vec<(usize, f64)> {
    let mut gaps: Vec<(usize, f64)> = Vec::new();
    for contact in contacts.iter().filter(|c| c.keypoint > 0 && (c.keypoint - 1) % 4 >= 2) {
        let Some(gap) = gap(surface, contact) else { continue };
        let finger = finger_of(contact.keypoint);
        match gaps.iter_mut().find(|(f, _)| *f == finger) {
            Some((_, least)) => *least = least.min(gap),
            None => gaps.push((finger, gap)),
        }
    }
    gaps
}

/// Sphere tracing along the normal; `None` when nothing faces the contact within
/// [`WIDEST_GAP_M`].
fn gap(surface: &dyn SurfaceQuery, contact: &Contact) -> Option<f64> {
    const START_M: f64 = 0.002;
    const HIT_M: f64 = 2e-4;
    let mut along = START_M;
    for _ in 0..60 {
        let (_, normal, distance) = surface.closest(&(contact.point + contact.normal * along));
        if distance < HIT_M {
            return (along > 2.0 * START_M && normal.dot(&contact.normal) < -0.5).then_some(along);
        }
        along += distance;
        if along > WIDEST_GAP_M {
            return None;
        }
    }
    None
}

/// Fits the hand to the human's at the take: fingertips first, the palm a little.
fn reach(
    view: &ClipView,
    hold: &Hold,
    hand: &Hand,
    model: &RetargetHand,
    label: &str,
    fit: &mut HandFit,
) -> Result<Vec<Finding>, RetargetError> {
    const STEPS: usize = 60;
    let Some(palm) = world_from_palm(&hold.keypoints, hand.map.side) else { return Ok(Vec::new()) };
    let weights = Regularisation {
        rest_m_per_rad: 0.002,
        smooth_joint_m_per_rad: 0.0,
        smooth_wrist: 0.0,
        smooth_wrist_m_per_rad: 0.0,
    };
    let touches = |k: usize| hold.contacts.iter().any(|c| c.keypoint == k);
    let points = model.points.iter().filter_map(|point| {
        let weight = match point.keypoint {
            k if keypoint::TIPS.contains(&k) => {
                if touches(k) {
                    1.0
                } else {
                    0.3
                }
            }
            keypoint::WRIST | 1 | 5 | 9 | 13 | 17 => return None,
            _ => 0.1,
        };
        Some(PointTarget {
            body: point.body,
            point_in_body: point.point_in_body,
            target_in_world: hold.keypoints[point.keypoint],
            weight,
            huber: f64::INFINITY,
        })
    });
    let middle = model.middle();
    let targets = FrameTargets {
        points: points.collect(),
        palm: Some(PalmTarget {
            world_from_palm: palm,
            position_weight: 0.02,
            orientation_m_per_rad: 0.03,
        }),
        rest: middle.clone(),
        ..FrameTargets::default()
    };
    let start = model.root_for_palm(&palm, &middle);
    let found = FrameSolver::new(model, weights)?.solve(&targets, (&start, &middle), STEPS);
    let at = model.point_positions(&found.world_from_root, &found.joints);
    let fitted = model.world_from_palm(&found.world_from_root, &found.joints);
    fit.palm_residual_cm = Some(100.0 * pose::distance_between(&fitted, &palm));
    fit.palm_residual_deg = Some(pose::angle_between(&fitted, &palm).to_degrees());
    let residuals: Vec<(usize, f64)> = model
        .points
        .iter()
        .zip(&at)
        .filter(|(p, _)| keypoint::TIPS.contains(&p.keypoint) && touches(p.keypoint))
        .map(|(p, at)| (p.keypoint, (at - hold.keypoints[p.keypoint]).norm()))
        .collect();
    fit.tip_residual_cm = residuals.iter().map(|r| 100.0 * r.1).reduce(f64::max);
    let short: Vec<String> = residuals
        .iter()
        .filter(|r| r.1 > REACH_M)
        .map(|r| format!("{} by {:.1} cm", human::FINGERS[finger_of(r.0)], 100.0 * r.1))
        .collect();
    if short.is_empty() {
        return Ok(Vec::new());
    }
    let reached = residuals.len() - short.len();
    let severity =
        if reached < residuals.len().min(2) { Severity::Blocking } else { Severity::Warning };
    let text = format!(
        "of {} fingers that touch object {}, those of {label} miss: {}",
        residuals.len(),
        view.clean.objects[hold.object].name,
        short.join(", ")
    );
    Ok(vec![Finding::new(Kind::Reach, severity, hold.first, text)])
}

/// How hard two opposite contacts must press to carry a stated mass, and how hard the weakest finger
/// certainly can: its weakest servo at the end of the straight finger. Told once per object.
fn press(view: &ClipView, hold: &Hold, hand: &Hand, label: &str) -> Option<Finding> {
    const FRICTION: f64 = 1.0;
    /// From the last joint to the end of the fingertip, metres; about the same for all hands.
    const LAST_LINK_M: f64 = 0.03;
    if view.holds.iter().any(|h| h.object == hold.object && h.hand < hold.hand) {
        return None;
    }
    let mass = view.clean.objects[hold.object].mass?;
    let needed = mass * view.clean.gravity.norm() / (2.0 * FRICTION);
    let force = |finger: &dextra_core::hand::Finger| {
        let bodies: Vec<usize> = finger.bodies.iter().filter_map(|b| hand.tree.body(b)).collect();
        let moves = |joint: usize| bodies.contains(&hand.tree.joints[joint].body);
        let torque = hand
            .actuators
            .iter()
            .filter(|a| a.terms.iter().any(|&(joint, _)| moves(joint)))
            .filter_map(|a| a.force_range.map(|(low, high)| high.min(-low)))
            .reduce(f64::min)?;
        let links = bodies.iter().skip(1).map(|&b| &hand.tree.bodies[b].parent_from_body);
        let length: f64 = links.map(|pose| pose.translation.vector.norm()).sum();
        Some(torque / (length + LAST_LINK_M))
    };
    let weakest = hand.map.fingers.iter().filter_map(force).reduce(f64::min)?;
    let text = format!(
        "{mass:.3} kg need {needed:.1} N on each of two opposite sides (friction 1, no acceleration); the \
         weakest finger of {label} presses with at least {weakest:.1} N"
    );
    Some(Finding::new(Kind::Grip, Severity::Info, hold.first, text))
}

/// Tip and direction of the last link of a finger, palm frame.
type Link = (Point3<f64>, Vector3<f64>);

/// The widest object between the pads of the thumb and of another finger, metres: the largest
/// distance of their tips over evenly spread joint angles (a Kronecker sequence, the same every
/// time) at which both are in front of the palm and neither last link leans outwards, for a hand
/// spread flat spans more than it can hold. An upper bound: strength and collisions are not looked
/// at. `None` without a thumb's or another finger's tip.
pub fn largest_opening(model: &RetargetHand) -> Option<f64> {
    let coordinates = model.tree.coordinates().ok()?;
    let tip = |finger: usize| model.point(keypoint::TIPS[finger]);
    tip(0)?;
    let others: Vec<usize> = (1..5).filter(|&f| tip(f).is_some()).collect();
    let mut samples: Vec<[Option<Link>; 5]> = Vec::with_capacity(SAMPLES);
    let mut q = vec![0.0; model.tree.joints.len()];
    for sample in 0..SAMPLES {
        let x: Vec<f64> = coordinates
            .range
            .iter()
            .enumerate()
            .map(|(i, (low, high))| {
                // Square roots of primes are linearly independent over the rationals.
                let share = (0.5 + (sample as f64 + 1.0) * PRIMES[i % PRIMES.len()].sqrt()).fract();
                low + (high - low) * share
            })
            .collect();
        coordinates.expand(&x, &mut q);
        let bodies = model.tree.forward(&q);
        let palm_from_root: Pose = (bodies[model.palm.0] * model.palm.1).inverse();
        samples.push(std::array::from_fn(|finger| {
            let tip = tip(finger)?;
            let at = palm_from_root * bodies[tip.body] * tip.point_in_body;
            let base = Point3::from((palm_from_root * bodies[tip.body]).translation.vector);
            let link = (at - base).try_normalize(1e-6)?;
            (at.z > IN_FRONT_M).then_some((at, link))
        }));
    }
    let mut widest: Option<f64> = None;
    for a in samples.iter().filter_map(|s| s[0]) {
        for &finger in &others {
            for b in samples.iter().filter_map(|s| s[finger]) {
                let distance = (b.0 - a.0).norm();
                if widest.is_some_and(|w| distance <= w) || distance < 1e-9 {
                    continue;
                }
                let axis = (b.0 - a.0) / distance;
                if b.1.dot(&axis) <= 0.0 && a.1.dot(&axis) >= 0.0 {
                    widest = Some(distance);
                }
            }
        }
    }
    widest
}

const PRIMES: [f64; 24] = [
    2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0, 29.0, 31.0, 37.0, 41.0, 43.0, 47.0, 53.0,
    59.0, 61.0, 67.0, 71.0, 73.0, 79.0, 83.0, 89.0,
];
