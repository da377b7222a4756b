//! Fingers as chains of links.

use super::{Report, Subject};
use crate::hand::{HandError, linkage};
use nalgebra::{Point3, Vector3};

/// Joints are parallel when the cosine between their axes is at least this: 32 degrees.
const PARALLEL: f64 = 0.85;
/// Most fingers; a file with more holds more than one hand.
const MAX_FINGERS: usize = 8;

/// A hinge of a finger in the neutral pose, root frame.
#[derive(Clone, Debug)]
pub(super) struct Hinge {
    pub(super) joint: usize,
    pub(super) axis: Vector3<f64>,
    pub(super) anchor: Point3<f64>,
    /// Turn from neutral to the more distant limit, radians.
    pub(super) far: f64,
    /// How one-sided the range is: 0 (symmetric) to 1.
    pub(super) one_sided: f64,
}

/// A finger.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// Links from the palm outwards, those it shares with another finger left out.
    pub(super) links: Vec<usize>,
    /// Hinges from the palm outwards, shared ones included.
    pub(super) hinges: Vec<Hinge>,
    /// Unit axis about which the finger closes.
    pub(super) closing: Vector3<f64>,
    /// How sure the sign of `closing` is: mean one-sidedness of the ranges behind it.
    pub(super) sure: f64,
    /// Hinges parallel to the last one, from the palm outwards, as indices into `hinges`.
    pub(super) flexion: Vec<usize>,
    /// Anchor of the first of them: the knuckle.
    pub(super) base: Point3<f64>,
    /// Unit direction of the finger next to the palm, normal to `closing`.
    pub(super) direction: Vector3<f64>,
    /// The fingertip, root frame.
    pub(super) tip: Point3<f64>,
    /// Where the tip comes from.
    pub(super) source: super::tips::Source,
}

/// The palm's link and the fingers, in the order of the model.
pub(super) fn find(
    subject: &Subject<'_>,
    file: &str,
    report: &mut Report,
) -> Result<(usize, Vec<Chain>), HandError> {
    let links = &subject.links;
    let heads = (0..links.of_body.len()).filter(|&l| links.of_body[l] == l);
    let mut paths: Vec<Vec<usize>> = heads
        .filter(|&link| !links.above.contains(&Some(link)))
        .map(|leaf| links.path(leaf))
        .collect();
    let few =
        |message: &str| HandError::NoFingers { file: file.to_owned(), message: message.to_owned() };
    let hinges = |path: &[usize]| -> usize {
        path.iter().map(|&l| subject.tree.bodies[l].joints.len()).sum()
    };
    // A leaf on a single joint beside real fingers is a lever or a cover.
    let shared = common(&paths);
    let long = |path: &Vec<usize>| hinges(&path[shared..]) >= 2;
    if paths.iter().filter(|p| long(p)).count() >= 2 {
        drop_with_note(subject, &mut paths, report, |p| long(p), "it has one joint only");
    }
    drop_linkages(subject, &mut paths, report);
    drop_side_branches(subject, &mut paths, report, &hinges);
    let shared = common(&paths);
    if paths.len() < 2 || shared == 0 {
        return Err(few("has fewer than two chains of moving bodies that start from one palm"));
    }
    if paths.len() > MAX_FINGERS {
        let message = format!(
            "has {} chains of moving bodies; one hand has at most {MAX_FINGERS}",
            paths.len()
        );
        return Err(few(&message));
    }
    let palm = paths[0][shared - 1];
    let chains = (0..paths.len())
        .map(|index| {
            let path = &paths[index][shared..];
            let own = path
                .iter()
                .copied()
                .filter(|l| {
                    paths.iter().enumerate().all(|(other, p)| other == index || !p.contains(l))
                })
                .collect();
            chain(subject, path, own)
        })
        .collect();
    Ok((palm, chains))
}

/// Length of the path that all share; short of the last link of each.
fn common(paths: &[Vec<usize>]) -> usize {
    let shortest = paths.iter().map(|p| p.len().saturating_sub(1)).min().unwrap_or(0);
    (0..shortest).take_while(|&k| paths.iter().all(|p| p[k] == paths[0][k])).count()
}

fn drop_with_note(
    subject: &Subject<'_>,
    paths: &mut Vec<Vec<usize>>,
    report: &mut Report,
    keep: impl Fn(&Vec<usize>) -> bool,
    why: &str,
) {
    paths.retain(|path| {
        let kept = keep(path);
        if !kept {
            let leaf = &subject.tree.bodies[path[path.len() - 1]].name;
            report.unknown.push(no_finger(leaf, why));
        }
        kept
    });
}

fn no_finger(leaf: &str, why: &str) -> String {
    format!("whether `{leaf}` is a finger: taken for none, for {why}")
}

/// Of two leaves that a closed linkage pins together, the one that reaches farther is the finger.
fn drop_linkages(subject: &Subject<'_>, paths: &mut Vec<Vec<usize>>, report: &mut Report) {
    for pin in linkage::pins(subject.model) {
        let [a, b] = pin.bodies.map(|body| subject.links.of_body[body]);
        let holder = |one: usize, other: usize| {
            paths.iter().position(|p| p.contains(&one) && !p.contains(&other))
        };
        let (Some(i), Some(j)) = (holder(a, b), holder(b, a)) else { continue };
        let fork = common(&[paths[i].clone(), paths[j].clone()]);
        if i == j || fork == 0 {
            continue;
        }
        let from = paths[i][fork - 1];
        let length = |path: &Vec<usize>| reach(subject, from, path[path.len() - 1]);
        let index = if length(&paths[i]) < length(&paths[j]) { i } else { j };
        let path = paths.remove(index);
        let leaf = &subject.tree.bodies[path[path.len() - 1]].name;
        report.unknown.push(no_finger(leaf, "a linkage pins it to one"));
    }
}

/// Of two leaves that part beyond the palm, the one on the longer branch is the finger unless both
/// branches have two joints of their own: then they are fingers on a common metacarpal.
fn drop_side_branches(
    subject: &Subject<'_>,
    paths: &mut Vec<Vec<usize>>,
    report: &mut Report,
    hinges: &impl Fn(&[usize]) -> usize,
) {
    loop {
        let palm = common(paths);
        let mut side = None;
        for (i, a) in paths.iter().enumerate() {
            for (j, b) in paths.iter().enumerate().skip(i + 1) {
                let fork = common(&[a.clone(), b.clone()]);
                let (left, right) = (hinges(&a[fork..]), hinges(&b[fork..]));
                if fork > palm && left.min(right) < 2 {
                    let from = a[fork - 1];
                    let length = |path: &[usize], count: usize| {
                        (count, reach(subject, from, path[path.len() - 1]))
                    };
                    side = Some(if length(a, left) < length(b, right) { i } else { j });
                }
            }
        }
        let Some(index) = side else { return };
        let path = paths.remove(index);
        let leaf = &subject.tree.bodies[path[path.len() - 1]].name;
        report.unknown.push(no_finger(leaf, "it is a short side branch of one"));
    }
}

/// Distance from a link's frame to the farthest point of another's geometry, metres.
fn reach(subject: &Subject<'_>, from: usize, leaf: usize) -> f64 {
    let origin = Point3::from(subject.root_from_body[from].translation.vector);
    let points = subject.surface(leaf).into_iter().flatten();
    points.map(|p| (p - origin).norm()).fold(0.0, f64::max)
}

fn chain(subject: &Subject<'_>, path: &[usize], links: Vec<usize>) -> Chain {
    let mut hinges: Vec<Hinge> = Vec::new();
    for &link in path {
        for &joint in &subject.tree.bodies[link].joints {
            hinges.push(hinge(subject, joint));
        }
    }
    let last = hinges[hinges.len() - 1].clone();
    let flexion: Vec<usize> =
        (0..hinges.len()).filter(|&h| hinges[h].axis.dot(&last.axis).abs() >= PARALLEL).collect();
    // A joint whose range is symmetric says nothing about the direction of closing.
    let vote = |h: &Hinge| h.axis * (h.far * h.one_sided.max(1e-3));
    let sum: Vector3<f64> = flexion.iter().map(|&h| vote(&hinges[h])).sum();
    let closing = sum.try_normalize(1e-9).unwrap_or(last.axis * last.far.signum());
    let weight: f64 = flexion.iter().map(|&h| hinges[h].far.abs()).sum();
    let agreeing: f64 = flexion
        .iter()
        .map(|&h| hinges[h].axis.dot(&closing) * hinges[h].far * hinges[h].one_sided)
        .sum();
    let base = hinges[flexion[0]].anchor;
    Chain {
        links,
        closing,
        sure: if weight > 0.0 { (agreeing / weight).clamp(0.0, 1.0) } else { 0.0 },
        base,
        direction: Vector3::zeros(),
        tip: last.anchor,
        source: super::tips::Source::Extrapolated,
        flexion,
        hinges,
    }
}

fn hinge(subject: &Subject<'_>, joint: usize) -> Hinge {
    let Subject { tree, coordinates, neutral, root_from_body, .. } = subject;
    let j = &tree.joints[joint];
    let pose = root_from_body[j.body];
    let follow = coordinates.follow[joint];
    let (low, high) = coordinates.range[follow.coordinate];
    let now = neutral[coordinates.joints[follow.coordinate]];
    let (up, down) = ((high - now).max(0.0), (now - low).max(0.0));
    let far = if up >= down { up } else { -down };
    let width = (up + down).max(1e-9);
    Hinge {
        joint,
        // Hinges further in on the same body are taken at their neutral angles, which turn the axes of
        // outer ones little; hands have one hinge per body nearly always.
        axis: pose.rotation * j.axis_in_body.into_inner(),
        anchor: pose * j.anchor_in_body,
        far: follow.ratio * far,
        one_sided: (up - down).abs() / width,
    }
}
