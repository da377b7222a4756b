//! An arm that carries its flange along a path, and what it strikes on the way.

use super::arm::Arm;
use super::capsule::Capsule;
use super::ik::{self, Solution};
use dextra_core::Pose;
use nalgebra::Point3;
use std::collections::BTreeSet;

/// How fast joints drift to the middle of their ranges where the path leaves them free, per second and half range.
const PULL: f64 = 0.3;
/// The drift sets in and dies away over this time, so that joints begin and end at rest; seconds.
const FADE_S: f64 = 0.5;

/// An acceleration that slows an arm of this size down, rad/s².
const HARD: f64 = 10.0;

/// How hard a path is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Starts at the first frame.
    starts: usize,
    /// Of these, how many are followed.
    followed: usize,
    /// Pulls of each start to the middle of the ranges.
    pulls: usize,
}

/// For a path that is to be played.
const THOROUGH: Effort = Effort { starts: 24, followed: 4, pulls: 20 };
/// To compare stands.
pub(super) const QUICK: Effort = Effort { starts: 6, followed: 1, pulls: 6 };

/// Clearance that counts as touching, metres.
const TOUCH_M: f64 = 0.0;

/// What a flange carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// In the frame of the flange.
    pub capsule: Capsule,
}

/// An arm that has followed its path.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// What it is called where something is struck; empty when it is alone.
    pub name: &'a str,
    /// The arm.
    pub arm: &'a Arm,
    /// Where it stands.
    pub world_from_base: Pose,
    /// Its joints.
    pub followed: &'a Followed,
    /// What it carries.
    pub load: Option<&'a Load>,
}

/// An overlap.
#[derive(Clone, Debug, PartialEq)]
pub struct Struck {
    /// Frame.
    pub frame: usize,
    /// What overlaps what.
    pub what: String,
    /// How deep, metres.
    pub depth: f64,
}

/// An arm along its whole path.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// One solution per frame.
    pub frames: Vec<Solution>,
}

impl Followed {
    /// Frames whose pose was not reached.
    pub fn unreached(&self) -> Vec<usize> {
        (0..self.frames.len()).filter(|&frame| !self.frames[frame].is_reached()).collect()
    }

    /// Least distance of a joint to the end of its range, as a share of half the range.
    pub fn margin(&self, arm: &Arm) -> f64 {
        let share =
            |q: f64, (low, high): (f64, f64)| (q - low).min(high - q) / (0.5 * (high - low));
        let frames = self.frames.iter().flat_map(|s| s.q.iter().zip(&arm.range));
        frames.map(|(&q, &range)| share(q, range)).fold(f64::INFINITY, f64::min)
    }

    /// Largest acceleration of a joint with frames `dt` seconds apart, rad/s². Near a singularity it is large.
    pub fn acceleration(&self, dt: f64) -> f64 {
        let bend = |t: &[Solution]| {
            let joints = t[0].q.iter().zip(&t[1].q).zip(&t[2].q);
            joints.map(|((a, b), c)| (a - 2.0 * b + c).abs()).fold(0.0, f64::max)
        };
        self.frames.windows(3).map(bend).fold(0.0, f64::max) / (dt * dt)
    }

    /// Largest step of a joint from one frame to the next, radians.
    pub fn largest_step(&self) -> f64 {
        let steps = self.frames.windows(2).flat_map(|pair| pair[0].q.iter().zip(&pair[1].q));
        steps.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }
}

/// Follows `path` (poses of the flange, `dt` seconds apart) with one arm: several starts at the first frame, the
/// best of which is continued without jumps. Own collisions and those with the plane z = `table` decide as much as
/// reach does.
///
/// # Panics
/// When the path is empty.
pub fn follow(
    arm: &Arm,
    world_from_base: &Pose,
    path: &[Pose],
    dt: f64,
    load: Option<&Load>,
    table: f64,
) -> Followed {
    follow_with(THOROUGH, arm, world_from_base, path, dt, load, table)
}

/// See [`follow`].
pub(super) fn follow_with(
    effort: Effort,
    arm: &Arm,
    world_from_base: &Pose,
    path: &[Pose],
    dt: f64,
    load: Option<&Load>,
    table: f64,
) -> Followed {
    let mut workspace = arm.workspace();
    let mut starts: Vec<(f64, Solution)> = Vec::new();
    for index in 0..effort.starts {
        let start = spread(arm, index);
        let mut found = ik::solve(arm, &mut workspace, world_from_base, &path[0], &start, 0.0);
        // Where the path leaves a joint free, the middle of its range is the place to begin.
        for _ in 0..effort.pulls {
            found = ik::solve(arm, &mut workspace, world_from_base, &path[0], &found.q, 0.1);
        }
        let one = Followed { frames: vec![found.clone()] };
        let struck = strikes(&[alone(arm, world_from_base, &one, load)], table).len() as f64;
        let missed = if found.is_reached() { 0.0 } else { 10.0 + found.position_error };
        let cost = missed + struck - one.margin(arm);
        let twin =
            |(_, s): &(f64, Solution)| s.q.iter().zip(&found.q).all(|(a, b)| (a - b).abs() < 0.05);
        if !starts.iter().any(twin) {
            starts.push((cost, found));
        }
    }
    starts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut best: Option<(f64, Followed)> = None;
    for (_, start) in starts.into_iter().take(effort.followed) {
        let followed = continued(arm, world_from_base, path, dt, start);
        let cost = cost(arm, world_from_base, &followed, dt, load, table, &[]);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, followed));
        }
    }
    best.expect("at least one start").1
}

/// The path continued from a solution of its first frame.
fn continued(arm: &Arm, base: &Pose, path: &[Pose], dt: f64, start: Solution) -> Followed {
    let mut workspace = arm.workspace();
    let mut frames = vec![start];
    for (frame, pose) in path.iter().enumerate().skip(1) {
        let q = frames.last().map_or(&[][..], |last| &last.q);
        let share = (frame.min(path.len() - 1 - frame) as f64 * dt / FADE_S).min(1.0);
        let faded = share * share * (3.0 - 2.0 * share);
        frames.push(ik::solve(arm, &mut workspace, base, pose, q, PULL * dt * faded));
    }
    Followed { frames }
}

/// Missed frames count most, then struck ones, then hard accelerations, then nearness to limits.
pub(super) fn cost(
    arm: &Arm,
    base: &Pose,
    followed: &Followed,
    dt: f64,
    load: Option<&Load>,
    table: f64,
    obstacles: &[Obstacle],
) -> f64 {
    let frames = followed.frames.len() as f64;
    let missed = followed.unreached().len() as f64;
    let placed = [alone(arm, base, followed, load)];
    let struck = strikes(&placed, table).into_iter().chain(strikes_obstacles(&placed, obstacles));
    let struck: BTreeSet<usize> = struck.map(|struck| struck.frame).collect();
    let struck = struck.len() as f64;
    let here = |count: f64| if count > 0.0 { 1.0 + count / frames } else { 0.0 };
    100.0 * here(missed) + 10.0 * here(struck) + (followed.acceleration(dt) / HARD).sqrt().min(5.0)
        - followed.margin(arm)
}

fn alone<'a>(
    arm: &'a Arm,
    base: &Pose,
    followed: &'a Followed,
    load: Option<&'a Load>,
) -> Placed<'a> {
    Placed { name: "", arm, world_from_base: *base, followed, load }
}

/// Starts spread over the ranges of the joints, the middle first: additive recurrence of irrational steps.
fn spread(arm: &Arm, index: usize) -> Vec<f64> {
    const PRIMES: [f64; 8] = [2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0];
    let ranges = ik::inner_range(arm).enumerate();
    ranges
        .map(|(joint, (low, high))| {
            let step = PRIMES[joint % PRIMES.len()].sqrt();
            low + (high - low) * (0.5 + step * index as f64).fract()
        })
        .collect()
}

/// Everything that overlaps at some frame: links of one arm, an arm and the plane z = `table`, and two arms with
/// what they carry. Two loads are not compared: the simulation has judged the hands.
pub fn strikes(arms: &[Placed<'_>], table: f64) -> Vec<Struck> {
    let mut found = Vec::new();
    every_frame(arms, |frame, shapes| {
        let mut report = reporting(frame, &mut found);
        for (index, own) in shapes.iter().enumerate() {
            let arm = arms[index].arm;
            for (at, (link, shape)) in own.iter().enumerate() {
                // The base stands on the table, and hands have been judged on it.
                if *link > 1 && *link != arm.load() {
                    let what = format!("{} and the table", link_name(&arms[index], *link));
                    report(what, shape.clearance(table));
                }
                for (other, second) in &own[at + 1..] {
                    if !arm.are_neighbours(*link, *other) {
                        let names = [*link, *other].map(|link| link_name(&arms[index], link));
                        report(names.join(" and "), shape.distance(second));
                    }
                }
            }
        }
    });
    found.extend(strikes_between(arms));
    found.sort_by_key(|struck| struck.frame);
    found
}

/// The overlaps of two arms with what they carry alone.
pub fn strikes_between(arms: &[Placed<'_>]) -> Vec<Struck> {
    let mut found = Vec::new();
    every_frame(arms, |frame, shapes| {
        let mut report = reporting(frame, &mut found);
        for (index, own) in shapes.iter().enumerate() {
            for (further, others) in shapes.iter().enumerate().skip(index + 1) {
                for (link, shape) in own {
                    for (other, second) in others {
                        let (a, b) = (&arms[index], &arms[further]);
                        if *link != a.arm.load() || *other != b.arm.load() {
                            let what =
                                format!("{} and {}", link_name(a, *link), link_name(b, *other));
                            report(what, shape.distance(second));
                        }
                    }
                }
            }
        }
    });
    found
}

/// Notes what is nearer than [`TOUCH_M`].
fn reporting(frame: usize, found: &mut Vec<Struck>) -> impl FnMut(String, f64) {
    move |what: String, clearance: f64| {
        if clearance < TOUCH_M {
            found.push(Struck { frame, what, depth: -clearance });
        }
    }
}

fn link_name(placed: &Placed<'_>, link: usize) -> String {
    let part =
        if link == placed.arm.load() { "hand".to_owned() } else { format!("arm link {link}") };
    format!("{} {part}", placed.name).trim_start().to_owned()
}

/// Calls `look` with the links of all arms and what they carry, `[arms][shapes]`, at every frame that all have.
fn every_frame(arms: &[Placed<'_>], mut look: impl FnMut(usize, &[Vec<(usize, Capsule)>])) {
    let count = arms.iter().map(|placed| placed.followed.frames.len()).min().unwrap_or(0);
    let mut workspaces: Vec<_> = arms.iter().map(|placed| placed.arm.workspace()).collect();
    for frame in 0..count {
        let shapes: Vec<_> = arms
            .iter()
            .zip(&mut workspaces)
            .map(|(placed, workspace)| {
                let q = &placed.followed.frames[frame].q;
                placed.arm.flange(workspace, &placed.world_from_base, q);
                placed.arm.shapes(workspace, placed.load.map(|load| &load.capsule))
            })
            .collect();
        look(frame, &shapes);
    }
}

/// Something that arms must not touch, as points on its surface.
#[derive(Clone, Debug, PartialEq)]
pub struct Obstacle {
    /// What it is called where it is struck.
    pub name: String,
    /// Points in its frame, metres.
    pub points: Vec<Point3<f64>>,
    /// Where it is at every frame of the arms' paths.
    pub world_from_obstacle: Vec<Pose>,
}

/// Every link of an arm that has a point of an obstacle inside, at some frame. What arms carry is not compared: the
/// simulation has judged the hands.
pub fn strikes_obstacles(arms: &[Placed<'_>], obstacles: &[Obstacle]) -> Vec<Struck> {
    let mut found = Vec::new();
    every_frame(arms, |frame, shapes| {
        let mut report = reporting(frame, &mut found);
        for obstacle in obstacles {
            let Some(pose) = obstacle.world_from_obstacle.get(frame) else { continue };
            let points: Vec<Point3<f64>> = obstacle.points.iter().map(|p| pose * p).collect();
            for (placed, own) in arms.iter().zip(shapes) {
                for (link, shape) in own.iter().filter(|(link, _)| *link != placed.arm.load()) {
                    let distances = points.iter().map(|point| shape.distance_to(point));
                    let what = format!("{} and {}", link_name(placed, *link), obstacle.name);
                    report(what, distances.fold(f64::INFINITY, f64::min));
                }
            }
        }
    });
    found
}
