//! Where arms stand and how hands are bolted to them, so that the paths of the flanges can be reached.

use super::arm::Arm;
use super::follow::{self, Followed, Load, Obstacle, Placed, QUICK, strikes_between};
use dextra_core::Pose;
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use std::f64::consts::PI;

/// Distances of a base from the middle of its path, metres.
const DISTANCES: [f64; 4] = [0.4, 0.5, 0.6, 0.7];
/// Directions that are tried.
const DIRECTIONS: usize = 12;
/// Angles at which the hand may be turned on the flange, degrees.
const TURNS_DEG: [f64; 8] = [0.0, 90.0, 180.0, 270.0, 45.0, 135.0, 225.0, 315.0];
/// Frames of the path that decide.
const KEYFRAMES: usize = 100;
/// Stands of each arm that are tried together with those of the other, at different places.
const SHORTLIST: usize = 30;
/// Every how many of these frames two arms are looked at together.
const THINNED: usize = 4;
/// Every how many points of an obstacle are looked at.
const SPARSE: usize = 6;
/// Bases of two arms keep this distance, metres.
const APART: f64 = 0.35;

/// Where an arm stands and how it carries its hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stand {
    /// Base of the arm: z up, x to the front.
    pub world_from_base: Pose,
    /// Turn of the hand on the flange about the flange's axis, radians.
    pub turn: f64,
}

/// An arm that wants a stand.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The arm.
    pub arm: &'a Arm,
    /// Poses of the flange, for a hand that is not turned on it.
    pub path: &'a [Pose],
    /// What it carries, for a hand that is not turned.
    pub load: Option<Load>,
    /// What it must not touch, at the same frames.
    pub obstacles: &'a [Obstacle],
    /// The base, where the user says it.
    pub base: Option<Pose>,
    /// The turn, where the user says it, radians.
    pub turn: Option<f64>,
}

impl Stand {
    /// The path of the flange once the hand is turned on it.
    pub fn path(&self, path: &[Pose]) -> Vec<Pose> {
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), self.turn);
        path.iter().map(|pose| pose * turn).collect()
    }

    /// The load in the frame of the turned flange.
    pub fn load(&self, load: Option<&Load>) -> Option<Load> {
        let back = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), -self.turn);
        load.map(|load| {
            let mut capsule = load.capsule;
            capsule.ends = capsule.ends.map(|end| back * end);
            Load { capsule }
        })
    }
}

struct Candidate {
    stand: Stand,
    cost: f64,
    /// Some of the keyframes.
    thinned: Followed,
}

/// Stands for one arm or two on a table of height `table`, the best for a hundred frames of their paths. Hands may be
/// turned on the flanges by eighths of a turn.
///
/// # Panics
/// Without any arm, or with an empty path.
pub fn place(wanted: &[Wanted<'_>], dt: f64, table: f64) -> Vec<Stand> {
    let lists: Vec<Vec<Candidate>> =
        wanted.iter().map(|wanted| candidates(wanted, dt, table)).collect();
    let [first, second] = &lists[..] else {
        return lists.iter().map(|list| list[0].stand).collect();
    };
    let mut best: Option<(f64, [Stand; 2])> = None;
    for a in first {
        for b in second {
            let alone = a.cost + b.cost;
            if best.as_ref().is_some_and(|(least, _)| alone >= *least) {
                break;
            }
            let [at, other] = [a, b].map(|c| c.stand.world_from_base.translation.vector);
            let near = if (at - other).norm() < APART { 50.0 } else { 0.0 };
            let loads =
                [a.stand.load(wanted[0].load.as_ref()), b.stand.load(wanted[1].load.as_ref())];
            let both = [
                placed(&wanted[0], a, loads[0].as_ref()),
                placed(&wanted[1], b, loads[1].as_ref()),
            ];
            // What an arm strikes alone was counted, and would hide what the two strike.
            let mut struck: Vec<usize> = strikes_between(&both).iter().map(|s| s.frame).collect();
            struck.dedup();
            let cost = alone + near + 10.0 * struck.len() as f64;
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, [a.stand, b.stand]));
            }
        }
    }
    best.expect("two lists that are not empty").1.to_vec()
}

fn placed<'a>(wanted: &Wanted<'a>, candidate: &'a Candidate, load: Option<&'a Load>) -> Placed<'a> {
    Placed {
        name: "",
        arm: wanted.arm,
        world_from_base: candidate.stand.world_from_base,
        followed: &candidate.thinned,
        load,
    }
}

/// The best stands of one arm, the best first; at least one.
fn candidates(wanted: &Wanted<'_>, dt: f64, table: f64) -> Vec<Candidate> {
    let last = wanted.path.len() - 1;
    let step = last.div_ceil(KEYFRAMES).max(1);
    let keyframes: Vec<Pose> = (0..=last).step_by(step).map(|frame| wanted.path[frame]).collect();
    let obstacles: Vec<Obstacle> =
        wanted.obstacles.iter().map(|obstacle| thinned(obstacle, step)).collect();
    let middle = keyframes.iter().map(|p| p.translation.vector).sum::<Vector3<f64>>()
        / keyframes.len() as f64;
    let bases: Vec<Pose> = match wanted.base {
        Some(base) => vec![base],
        None => DISTANCES
            .iter()
            .flat_map(|&distance| (0..DIRECTIONS).map(move |index| (distance, index)))
            .map(|(distance, index)| {
                let angle = 2.0 * PI * index as f64 / DIRECTIONS as f64;
                let away = Vector3::new(angle.cos(), angle.sin(), 0.0) * distance;
                let at = Point3::new(middle.x + away.x, middle.y + away.y, table);
                let facing = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle + PI);
                Pose::from_parts(Translation3::from(at.coords), facing)
            })
            .collect(),
    };
    let turns: Vec<f64> = match wanted.turn {
        Some(turn) => vec![turn],
        None => TURNS_DEG.iter().map(|deg| deg.to_radians()).collect(),
    };
    let mut found: Vec<Candidate> = Vec::new();
    for world_from_base in bases {
        for &turn in &turns {
            let stand = Stand { world_from_base, turn };
            let path = stand.path(&keyframes);
            let load = stand.load(wanted.load.as_ref());
            let dt = dt * step as f64;
            let keyframes = follow::follow_with(
                QUICK,
                wanted.arm,
                &world_from_base,
                &path,
                dt,
                load.as_ref(),
                table,
            );
            let cost = follow::cost(
                wanted.arm,
                &world_from_base,
                &keyframes,
                dt,
                load.as_ref(),
                table,
                &obstacles,
            );
            let thinned =
                Followed { frames: keyframes.frames.iter().step_by(THINNED).cloned().collect() };
            found.push(Candidate { stand, cost, thinned });
        }
    }
    found.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    // A place counts with its best turn only.
    let mut places: Vec<Pose> = Vec::new();
    found.retain(|candidate| {
        let place = candidate.stand.world_from_base;
        let first = !places.contains(&place);
        places.push(place);
        first
    });
    found.truncate(SHORTLIST);
    found
}

/// An obstacle at every `step`th frame, with fewer points.
fn thinned(obstacle: &Obstacle, step: usize) -> Obstacle {
    Obstacle {
        name: obstacle.name.clone(),
        points: obstacle.points.iter().step_by(SPARSE).copied().collect(),
        world_from_obstacle: obstacle.world_from_obstacle.iter().step_by(step).copied().collect(),
    }
}
