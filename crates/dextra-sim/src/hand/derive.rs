//! The semantic map of a hand from its geometry and kinematics.
//!
//! Names are evidence, never the reason: what moves how decides, names break ties, and where the two
//! disagree the report says so. All geometry is taken in the root frame in the neutral pose.
//!
//! 1. Bodies without joints belong to the link that carries them. A finger is a chain of links from the
//!    palm to a leaf; the palm is the last link that all chains share.
//! 2. A joint closes towards its more distant limit. The *closing axis* of a finger is the mean axis of
//!    the joints parallel to its last one, turned so that positive rotation closes.
//! 3. The thumb is the finger without which the closing axes of the others agree best, and whose base is
//!    set off towards the wrist. The closing axis `a` of the others, their direction `f` and the palm
//!    normal `n = a x f` are the palm frame.
//! 4. The thumb lies on the side of `a` in a right hand, on the other in a left one, and the
//!    other fingers are counted from it.

mod chains;
mod keypoints;
mod palm;
mod thumb;
mod tips;
mod words;

use super::HandError;
use super::links::Links;
use super::map::{RawMap, RawSide, Schema};
use chains::Chain;
use dextra_core::kinematics::{Coordinates, KinematicTree};
use dextra_core::{Pose, Side};
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Vector3};
use palm::Frame;

/// How sure the derivation is of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing speaks for it or against it: a choice had to be made.
    Guess,
    /// The evidence is one-sided but thin.
    Likely,
    /// The file states it, or independent evidence agrees.
    Certain,
}

impl Confidence {
    /// `"certain"`, `"likely"` or `"guess"`.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Certain => "certain",
            Confidence::Likely => "likely",
            Confidence::Guess => "guess",
        }
    }
}

/// Something that was derived.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is about, such as `"palm normal"` or `"finger thumb"`.
    pub item: String,
    /// What was found.
    pub value: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// Why.
    pub reason: String,
}

/// A derived map and what stands behind it.
pub(super) struct Derived {
    pub(super) map: RawMap,
    pub(super) findings: Vec<Finding>,
    pub(super) unknown: Vec<String>,
}

/// What the derivation looks at.
struct Subject<'a> {
    model: &'a MjModel,
    tree: &'a KinematicTree,
    coordinates: &'a Coordinates,
    /// Angles of the neutral pose.
    neutral: Vec<f64>,
    /// Poses of the bodies in the root frame in the neutral pose.
    root_from_body: Vec<Pose>,
    links: Links,
}

impl Subject<'_> {
    /// Surface points of a link (its body and those welded to it) per geom, root frame.
    fn surface(&self, link: usize) -> Vec<Vec<Point3<f64>>> {
        let bodies = (0..self.tree.bodies.len()).filter(|&b| self.links.of_body[b] == link);
        bodies
            .flat_map(|body| {
                let pose = self.root_from_body[body];
                super::surface::of_body(self.model, body + 1)
                    .into_iter()
                    .map(move |points| points.into_iter().map(|p| pose * p).collect())
            })
            .collect()
    }
}

/// Derives the map of the only body subtree of `model`. `name` becomes the hand's; `file` names it in
/// errors.
pub(super) fn derive(
    model: &MjModel,
    tree: &KinematicTree,
    coordinates: &Coordinates,
    name: &str,
    file: &str,
) -> Result<Derived, HandError> {
    let neutral = super::neutral(tree, coordinates);
    let links = Links::new(tree);
    let root_from_body = tree.forward(&neutral);
    let subject = Subject { model, tree, coordinates, neutral, root_from_body, links };
    let mut report = Report::default();
    let (palm_link, mut chains) = chains::find(&subject, file, &mut report)?;
    for chain in &mut chains {
        tips::find(&subject, chain);
    }
    let names: Vec<_> = chains.iter().map(|c| words::of_chain(&subject, c)).collect();
    let evidence = words::distinctive(&names);
    let thumb = thumb::find(&chains, &evidence);
    let frame = palm::frame(&subject, palm_link, &chains, thumb.index);
    let side = palm::side(&subject, &chains, thumb.index, &frame, name);
    let order = order(&chains, thumb.index, &frame, side.side, &mut report);
    let palm_body = subject.tree.bodies[palm_link].name.clone();
    report.add(
        "palm body",
        format!("`{palm_body}`"),
        if chains.len() > 2 { Confidence::Certain } else { Confidence::Likely },
        format!("the last link that all {} fingers share", chains.len()),
    );
    report.findings.push(side.finding);
    report.findings.extend(frame.findings.iter().cloned());
    for (slot, &(chain, finger)) in order.iter().enumerate() {
        let verdict = (slot == 0).then_some(&thumb);
        report.findings.push(words::agreement(
            finger,
            &subject,
            &chains[chain],
            verdict,
            evidence[chain].as_ref(),
        ));
    }
    for &(chain, finger) in &order {
        report.findings.push(tips::finding(finger, &chains[chain]));
    }
    let fingers =
        order.iter().map(|&(c, finger)| tips::raw(&subject, &chains[c], finger)).collect();
    let points = keypoints::derive(&subject, &order, &chains, palm_link, &frame);
    report.add(
        "keypoints",
        format!("{} of 21", points.len()),
        Confidence::Likely,
        keypoints::reason(&points, chains.len()),
    );
    let contact_bodies = contact_bodies(&subject, palm_link, &chains);
    report.add(
        "contact bodies",
        format!("{} bodies", contact_bodies.len()),
        Confidence::Likely,
        "the palm and all finger links that collide".to_owned(),
    );
    let palm_from_root = subject.root_from_body[palm_link].inverse();
    let schema = Schema {
        name: name.to_owned(),
        side: match side.side {
            Side::Right => RawSide::Right,
            Side::Left => RawSide::Left,
        },
        palm: super::map::Palm {
            body: palm_body,
            center_m: rounded((palm_from_root * frame.center).coords),
            fingers_axis: rounded(palm_from_root * frame.fingers),
            normal_axis: rounded(palm_from_root * frame.normal),
        },
        finger: fingers,
        keypoint: points,
        contact_bodies,
    };
    Ok(Derived {
        map: RawMap::derived(schema, file),
        findings: report.findings,
        unknown: report.unknown,
    })
}

/// What is said on the way.
#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
    unknown: Vec<String>,
}

impl Report {
    fn add(&mut self, item: &str, value: String, confidence: Confidence, reason: String) {
        self.findings.push(Finding { item: item.to_owned(), value, confidence, reason });
    }
}

/// Chains with their human names: thumb first, the others counted from its side.
fn order(
    chains: &[Chain],
    thumb: usize,
    frame: &Frame,
    side: Side,
    report: &mut Report,
) -> Vec<(usize, &'static str)> {
    // From the thumb's side: along the closing axis in a right hand, against it in a left one.
    let sign = if side == Side::Right { 1.0 } else { -1.0 };
    let mut others: Vec<usize> = (0..chains.len()).filter(|&c| c != thumb).collect();
    let lateral = |c: &usize| sign * chains[*c].base.coords.dot(&frame.across);
    others.sort_by(|a, b| lateral(b).total_cmp(&lateral(a)));
    let names = ["index", "middle", "ring", "pinky"];
    if others.len() > names.len() {
        let extra = others.len() - names.len();
        report
            .unknown
            .push(format!("what {extra} finger(s) beyond five stand for: left out of the map"));
    }
    let mut order = vec![(thumb, "thumb")];
    order.extend(others.into_iter().zip(names));
    order
}

/// The palm's bodies and the fingers' with colliding geometry.
fn contact_bodies(subject: &Subject<'_>, palm: usize, chains: &[Chain]) -> Vec<String> {
    let collides = |body: usize| {
        (0..subject.model.geom_bodyid().len()).any(|g| {
            subject.model.geom_bodyid()[g] as usize == body + 1
                && (subject.model.geom_contype()[g] != 0
                    || subject.model.geom_conaffinity()[g] != 0)
        })
    };
    let mine = |body: &usize| {
        let link = subject.links.of_body[*body];
        link == palm || chains.iter().any(|c| c.links.contains(&link))
    };
    let bodies: Vec<String> = (0..subject.tree.bodies.len())
        .filter(|body| mine(body) && collides(*body))
        .map(|body| subject.tree.bodies[body].name.clone())
        .collect();
    if bodies.is_empty() {
        // A map needs one; a hand without colliding geometry cannot hold anything anyway.
        return vec![subject.tree.bodies[palm].name.clone()];
    }
    bodies
}

/// A point or direction as a map has it.
fn rounded(vector: Vector3<f64>) -> [f64; 3] {
    // Adding zero turns -0 into 0.
    vector.map(|x| (x * 1e5).round() / 1e5 + 0.0).into()
}
