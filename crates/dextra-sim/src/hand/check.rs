//! What is derived from a hand's file, and what stands behind it.

use super::derive::{Confidence, Finding};
use super::links::Links;
use super::map::{self, RawMap};
use super::{Hand, HandError, compile, excludes, load, trim, write};
use crate::scene::WristConfig;
use dextra_core::Pose;
use std::path::{Path, PathBuf};

/// Most pairs that cannot collide which are named.
const MAX_PAIRS: usize = 24;

/// Where the map of a checked hand comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapSource {
    /// There is no map beside the file: a transfer uses the derived one.
    Derived,
    /// This file beside the hand, which a transfer uses.
    File(PathBuf),
}

/// A hand with its derived map.
#[derive(Clone, Debug)]
pub struct HandCheck {
    /// The hand with the derived map, whether or not a map is beside it.
    pub hand: Hand,
    /// Which map a transfer uses.
    pub source: MapSource,
    /// What was derived, how sure it is and why; in the order of the map, then what the model states.
    pub findings: Vec<Finding>,
    /// What could not be known.
    pub unknown: Vec<String>,
    /// Where the map beside the file says something else; empty without one.
    pub differences: Vec<String>,
    /// The derived map as the text of a map file, with confidence and reasons as comments.
    pub toml: String,
}

impl HandCheck {
    /// Derives the map of the hand in the MJCF or URDF file `path` and compares it with the one beside
    /// it, if there is one.
    ///
    /// # Errors
    /// Any [`HandError`] but [`HandError::UnknownHand`].
    pub fn new(path: &Path) -> Result<HandCheck, HandError> {
        let stated = map_beside(path)?;
        let (hand, behind) = load(path, None)?;
        let mut findings = behind.findings;
        findings.extend(of_model(&hand, (&behind.unweighed, &behind.stubs))?);
        let mut unknown = behind.unknown;
        if findings.iter().any(|f| f.item == "servos" && f.confidence < Confidence::Certain) {
            unknown.push(
                "stiffness and damping of the real motors, and torque that the file does not state: it has no servos"
                    .to_owned(),
            );
        }
        if trim::is_urdf(path) {
            unknown.push("friction of the surfaces: a URDF states none, taken as 1".to_owned());
        }
        unknown.extend(not_known(&hand));
        let toml = write::toml(&behind.raw, &findings, &unknown);
        let (source, differences) = match stated {
            None => (MapSource::Derived, Vec::new()),
            Some(stated) => {
                let (other, _) = load(path, Some(stated))?;
                (MapSource::File(path.with_extension("toml")), differences(&hand, &other))
            }
        };
        Ok(HandCheck { hand, source, findings, unknown, differences, toml })
    }

    /// The least sure finding.
    pub fn weakest(&self) -> Confidence {
        self.findings.iter().map(|f| f.confidence).min().unwrap_or(Confidence::Certain)
    }
}

/// The map `FILE.toml` beside `path`; `None` when there is no such file.
pub(super) fn map_beside(path: &Path) -> Result<Option<RawMap>, HandError> {
    // MuJoCo reads the file itself; reading it here first gives a plain error for a missing,
    // unreadable or binary file.
    trim::read(path)?;
    let beside = path.with_extension("toml");
    match beside.exists() {
        true => Ok(Some(map::parse(&trim::read(&beside)?, &beside.display().to_string())?)),
        false => Ok(None),
    }
}

/// What the compiled model states: couplings, limits, excluded pairs, mass, that of the bodies
/// `unweighed` being taken from their geometry and that of `stubs` from nothing.
fn of_model(
    hand: &Hand,
    (unweighed, stubs): (&[String], &[String]),
) -> Result<Vec<Finding>, HandError> {
    let tree = &hand.tree;
    let finding = |item: &str, value: String, confidence: Confidence, reason: &str| Finding {
        item: item.to_owned(),
        value,
        confidence,
        reason: reason.to_owned(),
    };
    let mut couplings: Vec<String> = Vec::new();
    for c in &tree.couplings {
        let offset = match c.offset {
            0.0 => String::new(),
            offset => format!("{offset:.3} + "),
        };
        let (joint, of) = (&tree.joints[c.joint].name, &tree.joints[c.of].name);
        couplings.push(format!("{joint} = {offset}{:.3} {of}", c.ratio));
    }
    let value = match couplings.is_empty() {
        true => "none".to_owned(),
        false => couplings.join(", "),
    };
    let mut findings = vec![finding(
        "coupled joints",
        value,
        Confidence::Certain,
        "mimic joints, joint equalities and tendons of the file",
    )];
    let unlimited: Vec<&str> = tree
        .joints
        .iter()
        .filter(|j| j.range == (-std::f64::consts::PI, std::f64::consts::PI))
        .map(|j| j.name.as_str())
        .collect();
    findings.push(match unlimited.is_empty() {
        true => finding(
            "limits",
            format!("{} joints, {} independent", tree.joints.len(), hand.coordinates.len()),
            Confidence::Certain,
            "the file states them",
        ),
        false => finding(
            "limits",
            format!("{} joints, {} independent", tree.joints.len(), hand.coordinates.len()),
            Confidence::Guess,
            &format!("no limits are stated for {}; taken as 180 degrees", unlimited.join(", ")),
        ),
    });
    let wrist = WristConfig::default();
    findings.push(finding(
        "wrist",
        format!(
            "floating: 3 slides to {} N, 3 hinges to {} N m",
            wrist.linear_force, wrist.angular_torque
        ),
        Confidence::Certain,
        "added in every scene, in place of what moves the root in the file",
    ));
    findings.push(finding(
        "self-collision",
        self_collision(hand)?,
        Confidence::Likely,
        "what the file excludes or rules out by contype and conaffinity, pairs that overlap in the neutral \
         pose, and neighbours but one that overlap in a fifth of all poses cannot collide",
    ));
    let mut masses = Vec::new();
    if !unweighed.is_empty() {
        let names = unweighed.join(", ");
        masses.push(format!("not stated for {names}: taken from the geometry at 1000 kg/m3"));
    }
    if !stubs.is_empty() {
        masses.push(format!("neither mass nor geometry, taken as 1 g: {}", stubs.join(", ")));
    }
    findings.push(finding(
        "mass",
        format!("{:.3} kg", hand.mass),
        if masses.is_empty() { Confidence::Certain } else { Confidence::Likely },
        &match masses.is_empty() {
            true => "the file states it for every body".to_owned(),
            false => masses.join("; "),
        },
    ));
    Ok(findings)
}

/// Which pairs of bodies can collide, by what the file says and by rule.
fn self_collision(hand: &Hand) -> Result<String, HandError> {
    let mut spec = compile::parse_string(&hand.xml, &hand.map.name)?;
    let model = compile::compile(&mut spec, &hand.map.name, &mut Vec::new())?;
    let (bodies, mut open) = excludes::open_pairs(&model, &hand.tree);
    for (a, b) in &hand.excludes {
        if let (Some(a), Some(b)) = (hand.tree.body(a), hand.tree.body(b)) {
            open.remove(&(a.min(b), a.max(b)));
        }
    }
    if open.is_empty() {
        return Ok("no pair collides".to_owned());
    }
    let links = Links::new(&hand.tree);
    let name = |body: usize| hand.tree.bodies[body].name.as_str();
    let alone = |body: usize| !open.iter().any(|&(a, b)| a == body || b == body);
    // The only other bodies may be neighbours.
    let apart = |body: usize| bodies.iter().any(|&other| !links.near(body, other));
    let lone = bodies.iter().filter(|&&b| alone(b) && apart(b));
    let mut shut: Vec<String> = lone.map(|&body| format!("{} - all others", name(body))).collect();
    for (at, &a) in bodies.iter().enumerate().filter(|(_, b)| !alone(**b)) {
        for &b in bodies[at + 1..].iter().filter(|&&b| !alone(b)) {
            if !links.near(a, b) && !open.contains(&(a, b)) {
                shut.push(format!("{} - {}", name(a), name(b)));
            }
        }
    }
    let more = shut.len().saturating_sub(MAX_PAIRS);
    shut.truncate(MAX_PAIRS);
    if more > 0 {
        shut.push(format!("{more} more"));
    }
    Ok(match shut.is_empty() {
        true => "all pairs but neighbours collide".to_owned(),
        false => format!("all pairs but neighbours and {}", shut.join(", ")),
    })
}

fn not_known(hand: &Hand) -> Vec<String> {
    let mut unknown = Vec::new();
    let driven = |coordinate: usize| {
        hand.actuators.iter().any(|a| {
            a.terms.iter().any(|&(j, _)| hand.coordinates.follow[j].coordinate == coordinate)
        })
    };
    let passive: Vec<&str> = (0..hand.coordinates.len())
        .filter(|&c| !driven(c))
        .map(|c| hand.tree.joints[hand.coordinates.joints[c]].name.as_str())
        .collect();
    if !passive.is_empty() {
        unknown.push(format!(
            "no servo and no coupling moves {}: they hang as the physics lets them",
            passive.join(", ")
        ));
    }
    let without = hand.fingers_without_contact();
    if !without.is_empty() {
        unknown.push(format!(
            "{} of the fingers cannot touch anything, without colliding geometry: {}",
            without.len(),
            without.join(", ")
        ));
    }
    unknown
}

/// Where `other`, with the map of a file, differs from the derived `hand`.
fn differences(hand: &Hand, other: &Hand) -> Vec<String> {
    let (ours, theirs) = (&hand.map, &other.map);
    let mut lines = Vec::new();
    if ours.side != theirs.side {
        lines.push(format!("side: derived {}, stated {}", ours.side.name(), theirs.side.name()));
    }
    if ours.palm_body != theirs.palm_body {
        lines.push(format!("palm: derived `{}`, stated `{}`", ours.palm_body, theirs.palm_body));
    }
    let root_from_palm = |h: &Hand| -> Option<Pose> {
        let poses = h.tree.forward(&h.neutral());
        Some(poses[h.tree.body(&h.map.palm_body)?] * h.map.palm_body_from_palm())
    };
    if let (Some(a), Some(b)) = (root_from_palm(hand), root_from_palm(other)) {
        let turn = a.rotation.angle_to(&b.rotation).to_degrees();
        let gap = 1000.0 * (a.translation.vector - b.translation.vector).norm();
        if turn > 5.0 || gap > 10.0 {
            lines.push(format!("palm frame: {turn:.0} degrees and {gap:.0} mm apart"));
        }
    }
    for finger in &theirs.fingers {
        match ours.fingers.iter().find(|f| f.name == finger.name) {
            None => lines.push(format!("{}: stated, not derived", finger.name)),
            Some(f) if f.bodies.last() != finger.bodies.last() => lines.push(format!(
                "{}: derived {}, stated {}",
                finger.name,
                f.bodies.join(" - "),
                finger.bodies.join(" - ")
            )),
            Some(_) => {}
        }
    }
    for finger in ours.fingers.iter().filter(|f| !theirs.fingers.iter().any(|g| g.name == f.name)) {
        lines.push(format!("{}: derived, not stated", finger.name));
    }
    lines
}
