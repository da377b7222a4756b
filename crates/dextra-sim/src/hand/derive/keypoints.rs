//! Which joint stands for which human keypoint.

use super::chains::{Chain, Hinge};
use super::palm::Frame;
use super::tips::Source;
use super::{Subject, rounded};
use crate::hand::map::RawKeypoint;
use nalgebra::{Point3, Vector3};

/// Joints nearer to each other than this are one human joint, metres.
const SAME_JOINT_M: f64 = 0.008;
/// Farthest that a keypoint is moved along its hinge to the middle of the finger, metres.
const MAX_SLIDE_M: f64 = 0.03;

/// Keypoints of the wrist and of all fingers in `order`.
pub(super) fn derive(
    subject: &Subject<'_>,
    order: &[(usize, &'static str)],
    chains: &[Chain],
    palm: usize,
    frame: &Frame,
) -> Vec<RawKeypoint> {
    let wrist = subject.root_from_body[palm].inverse() * frame.wrist;
    let mut points = vec![RawKeypoint {
        index: 0,
        site: None,
        body: Some(subject.tree.bodies[palm].name.clone()),
        point_m: Some(rounded(wrist.coords)),
    }];
    for (slot, &(index, finger)) in order.iter().enumerate() {
        let chain = &chains[index];
        let first = 1 + 4 * slot;
        let joints = if finger == "thumb" { thumb(chain) } else { others(chain) };
        for (place, hinge) in joints.into_iter().enumerate() {
            if let Some(hinge) = hinge {
                points.push(at_hinge(subject, &chain.hinges[hinge], first + place));
            }
        }
        points.push(tip(subject, chain, first + 3));
    }
    points
}

/// MCP, PIP and DIP: the first and the last two of the joints that bend the finger.
fn others(chain: &Chain) -> [Option<usize>; 3] {
    let bending = apart(chain, chain.flexion.iter().copied());
    match bending[..] {
        [] => [Some(0), None, None],
        [mcp] => [Some(mcp), None, None],
        [mcp, pip] => [Some(mcp), Some(pip), None],
        [mcp, .., pip, dip] => [Some(mcp), Some(pip), Some(dip)],
    }
}

/// CMC, MCP and IP: the last three joints that lie apart.
fn thumb(chain: &Chain) -> [Option<usize>; 3] {
    let joints = apart(chain, 0..chain.hinges.len());
    match joints[..] {
        [] => [Some(0), None, None],
        [mcp] => [None, Some(mcp), None],
        [cmc, mcp] => [Some(cmc), Some(mcp), None],
        [.., cmc, mcp, ip] => [Some(cmc), Some(mcp), Some(ip)],
    }
}

/// Of hinges that share a place, the outermost.
fn apart(chain: &Chain, hinges: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for hinge in hinges {
        if let Some(last) = kept.last_mut() {
            let gap = chain.hinges[hinge].anchor - chain.hinges[*last].anchor;
            if gap.norm() < SAME_JOINT_M {
                *last = hinge;
                continue;
            }
        }
        kept.push(hinge);
    }
    kept
}

/// The point of a hinge's axis nearest to the middle of its link.
fn at_hinge(subject: &Subject<'_>, hinge: &Hinge, index: usize) -> RawKeypoint {
    let body = subject.tree.joints[hinge.joint].body;
    let link = subject.links.of_body[body];
    let points: Vec<Point3<f64>> = subject.surface(link).into_iter().flatten().collect();
    let slide = match points.is_empty() {
        true => 0.0,
        false => {
            let sum: Vector3<f64> = points.iter().map(|p| p - hinge.anchor).sum();
            (sum / points.len() as f64).dot(&hinge.axis).clamp(-MAX_SLIDE_M, MAX_SLIDE_M)
        }
    };
    let at = hinge.anchor + hinge.axis * slide;
    RawKeypoint {
        index,
        site: None,
        body: Some(subject.tree.bodies[body].name.clone()),
        point_m: Some(rounded((subject.root_from_body[body].inverse() * at).coords)),
    }
}

fn tip(subject: &Subject<'_>, chain: &Chain, index: usize) -> RawKeypoint {
    if let Source::Site(site) = &chain.source {
        return RawKeypoint { index, site: Some(site.clone()), body: None, point_m: None };
    }
    let leaf = chain.links[chain.links.len() - 1];
    let at = subject.root_from_body[leaf].inverse() * chain.tip;
    RawKeypoint {
        index,
        site: None,
        body: Some(subject.tree.bodies[leaf].name.clone()),
        point_m: Some(rounded(at.coords)),
    }
}

/// What is missing, in words.
pub(super) fn reason(points: &[RawKeypoint], fingers: usize) -> String {
    let mapped = points.len() - 1;
    let missing = 4 * fingers.min(5) - mapped.min(4 * fingers.min(5));
    let mut text = "wrist, joints that bend and tips, from the palm outwards".to_owned();
    if missing > 0 {
        text += &format!("; {missing} human joint(s) have no counterpart");
    }
    if fingers < 5 {
        text += &format!("; {} human finger(s) have none", 5 - fingers);
    }
    text
}
