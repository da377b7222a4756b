//! What tracks alone tell: jumps that no motion explains, and objects that stand on nothing.

use super::hold::Distances;
use super::{Finding, Kind, Severity};
use dextra_core::demonstration::keypoint;
use dextra_core::signal::MovingInterval;
use dextra_core::{Demonstration, Pose, TriMesh, pose};
use nalgebra::{Point3, Vector3};

/// Steps on each side that say how fast a track moves around a step.
const NEIGHBOURS: usize = 6;
/// A step is a jump when it exceeds this many times the median of its neighbours, and a floor.
const TIMES_MEDIAN: f64 = 3.0;
/// Floors of a jump, at a very high frame rate: object position (m), object rotation (rad), keypoint (m).
const FLOOR: (f64, f64, f64) = (0.02, 0.18, 0.03);
/// Fastest changes of speed that are still human: m/s² and rad/s², for the floors at a low frame rate.
const HUMAN: (f64, f64) = (25.0, 250.0);
/// Longest run of frames that counts as one glitch.
const GLITCH: usize = 3;
/// An object that jumps by more than the acceptance limits (3 cm, 30 deg) cannot be followed.
const ACCEPTED: (f64, f64) = (0.03, 30.0 * std::f64::consts::PI / 180.0);
/// Gap below a resting object from which it hovers, metres; noise and sagging meshes stay below.
const HOVER_M: f64 = 0.015;
/// Depth below the support from which an object sinks, metres.
const SINK_M: f64 = 0.01;
/// A hand nearer than this may carry an object, metres.
const CARRIED_M: f64 = 0.03;

/// A leap of a track between two frames.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Jump {
    /// `"object cube"` or `"right hand"`.
    pub track: String,
    /// Whether it is an object.
    pub object: bool,
    /// First frame at the wrong place.
    pub first: usize,
    /// Last frame at the wrong place when the track then comes back; `None` when it stays.
    pub last: Option<usize>,
    /// Largest step, metres.
    pub distance: f64,
    /// Largest turn, radians; zero for hands.
    pub angle: f64,
}

impl Jump {
    pub fn finding(&self) -> Finding {
        let far = self.distance > ACCEPTED.0 || self.angle > ACCEPTED.1;
        let severity = if self.object && far { Severity::Blocking } else { Severity::Warning };
        let turn = if self.angle > 0.05 {
            format!(" and {:.0} deg", self.angle.to_degrees())
        } else {
            String::new()
        };
        let back = match self.last {
            Some(last) => format!(" and back after frame {last}"),
            None => String::new(),
        };
        let text = format!(
            "{} jumps by {:.1} cm{turn} to frame {}{back}: no motion explains it",
            self.track,
            100.0 * self.distance,
            self.first
        );
        Finding::new(Kind::Jump, severity, self.first, text)
    }
}

/// Indices `i` where the step from frame `i` to `i + 1` is a jump.
fn leaps(steps: &[f64], floor: f64) -> Vec<usize> {
    (0..steps.len())
        .filter(|&i| {
            if steps[i] <= floor {
                return false;
            }
            let near = i.saturating_sub(NEIGHBOURS)..(i + NEIGHBOURS + 1).min(steps.len());
            let mut others: Vec<f64> = near.filter(|&k| k != i).map(|k| steps[k]).collect();
            others.sort_by(f64::total_cmp);
            let median = others.get(others.len() / 2).copied().unwrap_or(0.0);
            steps[i] > floor + TIMES_MEDIAN * median
        })
        .collect()
}

/// Joins leaps there and back into glitches: `(first wrong frame, last wrong frame if it returns)`.
/// `apart(i, j)`: how far frame `j` is from frame `i`, as a share of the leap.
fn glitches(leaps: &[usize], apart: impl Fn(usize, usize) -> f64) -> Vec<(usize, Option<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < leaps.len() {
        let start = leaps[at];
        let back = leaps[at + 1..]
            .iter()
            .position(|&end| end - start <= GLITCH && apart(start, end + 1) < 0.5);
        match back {
            Some(skip) => {
                found.push((start + 1, Some(leaps[at + 1 + skip])));
                at += skip + 2;
            }
            None => {
                found.push((start + 1, None));
                at += 1;
            }
        }
    }
    found
}

/// The clip with glitches replaced by the line between their neighbours, and all jumps.
pub(super) fn without_jumps(recorded: &Demonstration) -> (Demonstration, Vec<Jump>) {
    let mut clean = recorded.clone();
    let mut jumps = Vec::new();
    let dt = 1.0 / recorded.fps;
    for object in &mut clean.objects {
        let track = object.world_from_object.clone();
        let moves: Vec<f64> =
            track.windows(2).map(|p| pose::distance_between(&p[0], &p[1])).collect();
        let turns: Vec<f64> = track.windows(2).map(|p| pose::angle_between(&p[0], &p[1])).collect();
        let mut all = leaps(&moves, FLOOR.0 + HUMAN.0 * dt * dt);
        all.extend(leaps(&turns, FLOOR.1 + HUMAN.1 * dt * dt));
        all.sort_unstable();
        all.dedup();
        let apart = |i: usize, j: usize| {
            let share = |to: usize| {
                pose::distance_between(&track[i], &track[to])
                    + 0.1 * pose::angle_between(&track[i], &track[to])
            };
            share(j) / share(i + 1).max(1e-12)
        };
        for (first, last) in glitches(&all, apart) {
            jumps.push(Jump {
                track: format!("object {}", object.name),
                object: true,
                first,
                last,
                distance: moves[first - 1],
                angle: turns[first - 1],
            });
            if let Some(last) = last {
                let (a, b) = (track[first - 1], track[last + 1]);
                for frame in first..=last {
                    let t = (frame + 1 - first) as f64 / (last + 2 - first) as f64;
                    object.world_from_object[frame] = pose::interpolate(&a, &b, t);
                }
            }
        }
    }
    for hand in &mut clean.hands {
        let track = hand.keypoints_in_world.clone();
        let step = |k: usize, i: usize| (track[i + 1][k] - track[i][k]).norm();
        let mut all: Vec<usize> = Vec::new();
        for k in 0..keypoint::COUNT {
            let steps: Vec<f64> = (0..track.len().saturating_sub(1)).map(|i| step(k, i)).collect();
            all.extend(leaps(&steps, FLOOR.2 + 2.0 * HUMAN.0 * dt * dt));
        }
        all.sort_unstable();
        all.dedup();
        let apart = |i: usize, j: usize| {
            let furthest = |to: usize| {
                (0..keypoint::COUNT)
                    .map(|k| (track[to][k] - track[i][k]).norm())
                    .fold(0.0, f64::max)
            };
            furthest(j) / furthest(i + 1).max(1e-12)
        };
        for (first, last) in glitches(&all, apart) {
            let distance = (0..keypoint::COUNT).map(|k| step(k, first - 1)).fold(0.0, f64::max);
            jumps.push(Jump {
                track: format!("the {} hand", hand.side.name()),
                object: false,
                first,
                last,
                distance,
                angle: 0.0,
            });
            if let Some(last) = last {
                for frame in first..=last {
                    let t = (frame + 1 - first) as f64 / (last + 2 - first) as f64;
                    hand.keypoints_in_world[frame] = std::array::from_fn(|k| {
                        track[first - 1][k] + (track[last + 1][k] - track[first - 1][k]) * t
                    });
                }
            }
        }
    }
    (clean, jumps)
}

/// Vertices that can be the lowest in some orientation: all of a small mesh, else the extreme ones
/// in 400 directions (a Fibonacci lattice), which misses a smooth surface by 1 % of its size at most.
pub(super) fn outline(mesh: &TriMesh) -> Vec<Point3<f64>> {
    const DIRECTIONS: usize = 400;
    if mesh.vertices.len() <= DIRECTIONS {
        return mesh.vertices.clone();
    }
    let golden = std::f64::consts::PI * (3.0 - 5f64.sqrt());
    let mut chosen: Vec<usize> = (0..DIRECTIONS)
        .filter_map(|i| {
            let z = 1.0 - (2.0 * i as f64 + 1.0) / DIRECTIONS as f64;
            let (sin, cos) = (golden * i as f64).sin_cos();
            let radius = (1.0 - z * z).sqrt();
            let direction = Vector3::new(radius * cos, radius * sin, z);
            let along = |v: usize| mesh.vertices[v].coords.dot(&direction);
            (0..mesh.vertices.len()).max_by(|&a, &b| along(a).total_cmp(&along(b)))
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().map(|v| mesh.vertices[v]).collect()
}

/// Height of the lowest point of an outline, world frame, metres.
pub(super) fn lowest(outline: &[Point3<f64>], world_from_object: &Pose) -> f64 {
    outline.iter().map(|v| (world_from_object * v).z).fold(f64::INFINITY, f64::min)
}

/// Objects that hover before they are taken, and objects that go below their support.
///
/// The support is the lowest height at which any object rests, at the start or at the end of the
/// clip with no hand at it.
pub(super) fn support(
    clean: &Demonstration,
    outlines: &[Vec<Point3<f64>>],
    moving: &[Option<MovingInterval>],
    distances: &Distances,
) -> Vec<Finding> {
    let frames = clean.frames();
    if frames == 0 {
        return Vec::new();
    }
    let heights: Vec<Vec<f64>> = clean
        .objects
        .iter()
        .zip(outlines)
        .map(|(o, outline)| o.world_from_object.iter().map(|p| lowest(outline, p)).collect())
        .collect();
    let median = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    };
    let starts: Vec<f64> = heights
        .iter()
        .zip(moving)
        .map(|(h, m)| median(&h[..m.map_or(frames, |m| m.lift.max(1))]).unwrap_or(h[0]))
        .collect();
    let ends = heights.iter().zip(moving).enumerate().filter_map(|(object, (h, m))| {
        let last = m.as_ref()?.last;
        let free = distances.nearest(object, frames - 1) > CARRIED_M;
        (last + 1 < frames && free).then(|| median(&h[last + 1..]))?
    });
    let table = starts.iter().copied().chain(ends).fold(f64::INFINITY, f64::min);
    let mut findings = Vec::new();
    for (object, track) in clean.objects.iter().enumerate() {
        let gap = starts[object] - table;
        let carried = distances.nearest(object, 0) < CARRIED_M;
        if gap > HOVER_M && !carried && !stands_on_another(clean, outlines, object) {
            let text = format!(
                "object {} starts {:.1} cm above the lowest support in the clip with nothing below \
                 it: it hovers, or what it stands on is not in the clip",
                track.name,
                100.0 * gap
            );
            findings.push(Finding::new(Kind::Hover, Severity::Warning, 0, text));
        }
        let Some(frame) =
            (0..frames).min_by(|&a, &b| heights[object][a].total_cmp(&heights[object][b]))
        else {
            continue;
        };
        let depth = table - heights[object][frame];
        if depth > SINK_M {
            let text = format!(
                "object {} goes {:.1} cm below the height at which the lowest object rests",
                track.name,
                100.0 * depth
            );
            findings.push(Finding::new(Kind::Sink, Severity::Warning, frame, text));
        }
    }
    findings
}

/// Whether another object is under this one at the first frame, by their boxes in the world.
fn stands_on_another(clean: &Demonstration, outlines: &[Vec<Point3<f64>>], object: usize) -> bool {
    const GAP_M: f64 = 0.02;
    let bounds = |index: usize| {
        let pose = clean.objects[index].world_from_object[0];
        outlines[index].iter().map(|v| pose * v).fold(
            (Point3::from(Vector3::repeat(f64::MAX)), Point3::from(Vector3::repeat(f64::MIN))),
            |(low, high), p| (low.inf(&p), high.sup(&p)),
        )
    };
    let (low, high) = bounds(object);
    (0..clean.objects.len()).filter(|&other| other != object).any(|other| {
        let (under, top) = bounds(other);
        let over = (0..2).all(|axis| low[axis] < top[axis] && under[axis] < high[axis]);
        over && under.z < low.z && top.z > low.z - GAP_M
    })
}
