//! Closed linkages: hinges that no servo moves but that a `<connect>` holds to others.
//!
//! A kinematic tree has no loops, so such a hinge becomes a joint that follows the loop's driven joint
//! linearly, fitted over its range. Physics keeps the loop as it is.

use dextra_core::kinematics::{Coupling, KinematicTree};
use mujoco_rs::prelude::*;
use nalgebra::{DMatrix, DVector, Point3};

/// Poses of the driven joint that a loop is solved in.
const POSES: usize = 9;
/// Steps of a solution, and gap at which it holds, metres.
const STEPS: usize = 30;
const CLOSED_M: f64 = 5e-4;
/// Step of a difference quotient, radians.
const STEP_RAD: f64 = 1e-6;
/// Ground that keeps hinges still which the loop does not determine, square metres per square radian.
const GROUND: f64 = 1e-10;

/// Two points of different bodies that coincide.
pub(super) struct Pin {
    /// Bodies of the tree.
    pub(super) bodies: [usize; 2],
    points_in_body: [Point3<f64>; 2],
}

/// A hinge that follows another through a loop.
pub(super) struct Follower {
    pub(super) coupling: Coupling,
    /// Largest deviation from the linear fit, radians.
    pub(super) deviation: f64,
}

/// The active `<connect>` equalities between two bodies of the hand.
pub(super) fn pins(model: &MjModel) -> Vec<Pin> {
    let mut pins = Vec::new();
    for id in 0..model.eq_type().len() {
        if model.eq_type()[id] != MjtEq::mjEQ_CONNECT || !model.eq_active0()[id] {
            continue;
        }
        let ends = [model.eq_obj1id()[id], model.eq_obj2id()[id]];
        let data = &model.eq_data()[id];
        let (bodies, points) = if model.eq_objtype()[id] == MjtObjBase::mjOBJ_SITE {
            let site = |end: i32| {
                let end = end as usize;
                (model.site_bodyid()[end], Point3::from(model.site_pos()[end]))
            };
            let (a, b) = (site(ends[0]), site(ends[1]));
            ([a.0, b.0], [a.1, b.1])
        } else {
            let at = |k: usize| Point3::new(data[k], data[k + 1], data[k + 2]);
            (ends, [at(0), at(3)])
        };
        // Body 0 is the world, which a hand is not pinned to.
        if bodies.iter().all(|&b| b > 0) {
            let bodies = bodies.map(|b| b as usize - 1);
            pins.push(Pin { bodies, points_in_body: points });
        }
    }
    pins
}

/// Hinges that follow others through the loops of `tree`; `driven` tells which a servo moves. A loop without
/// a driven hinge is driven by one that follows a hinge outside of it, else by its first.
pub(super) fn followers(
    tree: &KinematicTree,
    pins: &[Pin],
    driven: impl Fn(usize) -> bool,
) -> Vec<Follower> {
    let mut loops: Vec<(Vec<usize>, Vec<&Pin>)> = Vec::new();
    for pin in pins {
        let (mut joints, mut with) = (around(tree, pin), vec![pin]);
        // Loops that share a hinge move together.
        while let Some(other) = loops.iter().position(|l| l.0.iter().any(|j| joints.contains(j))) {
            let (more, pins) = loops.swap_remove(other);
            joints.extend(more);
            with.extend(pins);
        }
        joints.sort_unstable();
        joints.dedup();
        loops.push((joints, with));
    }
    let coupling = |j: usize| tree.couplings.iter().find(|c| c.joint == j);
    let coupled = |j: usize| coupling(j).is_some();
    let mut followers = Vec::new();
    for (joints, pins) in loops {
        let from_outside = |j: usize| coupling(j).is_some_and(|c| !joints.contains(&c.of));
        let first = |leads: &dyn Fn(usize) -> bool| joints.iter().copied().find(|&j| leads(j));
        let lead = first(&driven).or(first(&from_outside)).or(first(&|j| !coupled(j)));
        let Some(lead) = lead else { continue };
        let free: Vec<usize> =
            joints.into_iter().filter(|&j| j != lead && !driven(j) && !coupled(j)).collect();
        followers.extend(fit(tree, &pins, lead, &free));
    }
    followers
}

/// Hinges on the way from one end of a pin to the other.
fn around(tree: &KinematicTree, pin: &Pin) -> Vec<usize> {
    let path = |body: usize| -> Vec<usize> {
        std::iter::successors(Some(body), |&b| tree.bodies[b].parent).collect()
    };
    let [a, b] = pin.bodies.map(path);
    let own = |mine: &[usize], other: &[usize]| -> Vec<usize> {
        let bodies = mine.iter().filter(|body| !other.contains(body));
        bodies.flat_map(|&body| tree.bodies[body].joints.clone()).collect()
    };
    let mut joints = own(&a, &b);
    joints.extend(own(&b, &a));
    joints
}

fn fit(tree: &KinematicTree, pins: &[&Pin], lead: usize, free: &[usize]) -> Vec<Follower> {
    if free.is_empty() {
        return Vec::new();
    }
    let rest: Vec<f64> = tree.joints.iter().map(|j| 0f64.clamp(j.range.0, j.range.1)).collect();
    let (low, high) = tree.joints[lead].range;
    let mut samples: Vec<(f64, Vec<f64>)> = Vec::new();
    // From the rest pose outwards in both directions, so that each solution starts from its neighbour.
    for end in [low, high] {
        let mut q = rest.clone();
        for k in 0..POSES {
            q[lead] = rest[lead] + (end - rest[lead]) * k as f64 / (POSES - 1) as f64;
            if !solve(tree, pins, free, &mut q) {
                break;
            }
            samples.push((q[lead], free.iter().map(|&j| q[j]).collect()));
        }
    }
    let count = samples.len() as f64;
    let mean_x = samples.iter().map(|s| s.0).sum::<f64>() / count;
    let spread: f64 = samples.iter().map(|s| (s.0 - mean_x).powi(2)).sum();
    if samples.len() < 4 || spread < 1e-6 {
        return Vec::new();
    }
    free.iter()
        .enumerate()
        .map(|(k, &joint)| {
            let mean_y = samples.iter().map(|s| s.1[k]).sum::<f64>() / count;
            let slope = samples.iter().map(|s| (s.0 - mean_x) * (s.1[k] - mean_y)).sum::<f64>();
            let ratio = slope / spread;
            let offset = mean_y - ratio * mean_x;
            let deviation =
                samples.iter().map(|s| (s.1[k] - offset - ratio * s.0).abs()).fold(0.0, f64::max);
            Follower { coupling: Coupling { joint, of: lead, ratio, offset }, deviation }
        })
        .collect()
}

/// Turns the hinges `free` of `q` until the pins close; whether they do.
fn solve(tree: &KinematicTree, pins: &[&Pin], free: &[usize], q: &mut [f64]) -> bool {
    let gaps = |q: &[f64]| -> DVector<f64> {
        let poses = tree.forward(q);
        let ends = pins.iter().map(|pin| {
            let [a, b] = [0, 1].map(|k| poses[pin.bodies[k]] * pin.points_in_body[k]);
            a - b
        });
        DVector::from_iterator(3 * pins.len(), ends.flat_map(|gap| [gap.x, gap.y, gap.z]))
    };
    for _ in 0..STEPS {
        let gap = gaps(q);
        if gap.amax() < 1e-9 {
            break;
        }
        let mut jacobian = DMatrix::zeros(gap.len(), free.len());
        for (column, &joint) in free.iter().enumerate() {
            let angle = q[joint];
            q[joint] = angle + STEP_RAD;
            jacobian.set_column(column, &((gaps(q) - &gap) / STEP_RAD));
            q[joint] = angle;
        }
        let normal =
            jacobian.transpose() * &jacobian + DMatrix::identity(free.len(), free.len()) * GROUND;
        let Some(step) = normal.cholesky().map(|c| c.solve(&(jacobian.transpose() * gap))) else {
            return false;
        };
        for (&joint, turn) in free.iter().zip(step.iter()) {
            q[joint] -= turn.clamp(-0.5, 0.5);
        }
    }
    gaps(q).amax() < CLOSED_M
}
