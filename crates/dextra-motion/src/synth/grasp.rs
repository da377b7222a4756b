//! The human grasp of a synthetic clip, found by damped least squares on the capsule hand.

use super::objects::{Solid, segment_distance};
use dextra_core::Pose;
use dextra_core::human::{self, Capsule, phalanx_body};
use dextra_core::kinematics::KinematicTree;
use nalgebra::{DMatrix, DVector, Point3, Translation3, UnitQuaternion, Vector3};

/// Where a fingertip touches the object.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Index into [`human::FINGERS`].
    pub finger: usize,
    /// Point of the surface, object frame, metres.
    pub point: Point3<f64>,
    /// Outward normal there.
    pub normal: Vector3<f64>,
    /// Where the open finger is, relative to the closed one, object frame, metres.
    pub opening: Vector3<f64>,
}

/// Where to grasp an object and roughly how.
#[derive(Clone, Debug)]
pub struct GraspTask {
    /// One contact per touching finger.
    pub contacts: Vec<Contact>,
    /// First guess of the wrist.
    pub object_from_wrist: Pose,
    /// How bent the fingers should be: 0 straight, 1 as round a cup.
    pub bend: f64,
}

/// A hand round an object.
#[derive(Clone, Debug)]
pub struct Grasp {
    /// The wrist while holding.
    pub object_from_wrist: Pose,
    /// Joint angles while holding, radians.
    pub closed: Vec<f64>,
    /// Joint angles before and after, with the same wrist, radians.
    pub open: Vec<f64>,
}

/// Points of a capsule's axis at which its distance to the object is measured.
const SAMPLES: [f64; 4] = [0.1, 0.4, 0.7, 1.0];
/// Direction from the centre of the fingertip to where it should touch, in the last phalanx: on the
/// pad, a little towards the end.
const PAD_DIRECTION: [f64; 3] = [0.6, 0.0, 0.8];
/// Iterations of each search; it stops earlier when the step no longer helps.
const ITERATIONS: usize = 120;
/// Weight of penetration against the other residuals, which are metres as well.
const BARRIER: f64 = 3.0;
/// Clearance of the open hand, metres.
const OPEN_CLEARANCE: f64 = 0.004;
/// Largest turn between two hands that roll an object, radians.
const ROLL_STEP: f64 = 0.09;

/// Slightly flexed fingers, as in a hand at rest.
pub fn relaxed_posture(tree: &KinematicTree) -> Vec<f64> {
    let angle = |name: &str| match name {
        "thumb_cmc_abduct" | "thumb_cmc_twist" => 0.1,
        "thumb_cmc_flex" => 0.1,
        "thumb_mcp_flex" | "thumb_ip_flex" => 0.2,
        _ if name.ends_with("mcp_flex") => 0.35,
        _ if name.ends_with("pip_flex") => 0.5,
        _ if name.ends_with("dip_flex") => 0.3,
        _ => 0.0,
    };
    tree.joints.iter().map(|joint| angle(&joint.name)).collect()
}

/// Finds the closed and the open hand round `solid`.
pub fn find(solid: &Solid, task: &GraspTask) -> Grasp {
    let (tree, capsules) = (human::skeleton(), human::capsules());
    let posture = grasp_posture(&tree, task.bend);
    let start = State { object_from_wrist: task.object_from_wrist, q: posture.clone() };
    let reaching = Search {
        solid,
        task,
        tree: &tree,
        capsules: &capsules,
        posture,
        goal: Goal::Touch,
        barrier: 0.0,
    };
    // Through the object first: a finger that starts on the wrong side would stay there.
    let reached = reaching.solve(start);
    let closing = Search { barrier: BARRIER, ..reaching };
    let closed = closing.solve(reached);
    closing.with_open_hand(closed)
}

/// Finds hands whose fingers keep their places on `solid` while it turns by `rotation` (object
/// frame, radians) about its own origin and the wrist stays. Equal steps; half way, the hand is the
/// one that [`find`] finds.
pub fn find_rolling(solid: &Solid, task: &GraspTask, rotation: &Vector3<f64>) -> Vec<Grasp> {
    let (tree, capsules) = (human::skeleton(), human::capsules());
    let middle = find(solid, task);
    let bodies = tree.forward(&middle.closed);
    let tip_of = |finger: usize| middle.object_from_wrist * bodies[phalanx_body(finger, 2)];
    let fingers = task.contacts.iter().map(|contact| contact.finger);
    let held = Search {
        solid,
        task,
        tree: &tree,
        capsules: &capsules,
        posture: middle.closed.clone(),
        goal: Goal::Keep(fingers.map(|finger| (finger, tip_of(finger))).collect()),
        barrier: BARRIER,
    };
    let half = (rotation.norm() / 2.0 / ROLL_STEP).ceil().max(1.0) as usize;
    // From the middle to each end, every step starts where the last one stopped.
    let walk = |sign: f64| {
        let mut q = middle.closed.clone();
        let step = |step| {
            let angle = rotation * (-0.5 * sign * step as f64 / half as f64);
            let turn =
                Pose::from_parts(Translation3::identity(), UnitQuaternion::from_scaled_axis(angle));
            let object_from_wrist = turn * middle.object_from_wrist;
            let closed = held.solve(State { object_from_wrist, q: q.clone() });
            q.clone_from(&closed.q);
            held.with_open_hand(closed)
        };
        (1..=half).map(step).collect::<Vec<_>>()
    };
    let mut grasps = walk(-1.0);
    grasps.reverse();
    grasps.push(middle.clone());
    grasps.extend(walk(1.0));
    grasps
}

/// How far `finger` opens: as its contact says, or, when it touches nothing, like the nearest finger
/// before it (an idle thumb stays).
fn opening_of(task: &GraspTask, finger: usize) -> Option<Vector3<f64>> {
    let first = if finger == 0 { 0 } else { 1 };
    let of = |finger| task.contacts.iter().find(|c| c.finger == finger).map(|c| c.opening);
    (first..=finger).rev().find_map(of)
}

/// A thumb that opposes the fingers, and these bent by a share `bend` of what a cup needs.
fn grasp_posture(tree: &KinematicTree, bend: f64) -> Vec<f64> {
    let mut q = relaxed_posture(tree);
    for (value, joint) in q.iter_mut().zip(&tree.joints) {
        match joint.name.as_str() {
            "thumb_cmc_abduct" => *value = 0.0,
            "thumb_cmc_flex" => *value = 0.1,
            name if name.starts_with("thumb") => *value = 0.3,
            name if name.ends_with("mcp_flex") || name.ends_with("pip_flex") => {
                *value = 0.7 * bend;
            }
            name if name.ends_with("dip_flex") => *value = 0.4 * bend,
            _ => {}
        }
    }
    q
}

#[derive(Clone)]
struct State {
    object_from_wrist: Pose,
    q: Vec<f64>,
}

enum Goal {
    /// Tips on their contacts, wrist free.
    Touch,
    /// Centre and skin of the tips of these fingers where they are when the last phalanges have
    /// these poses (object frame), wrist fixed.
    Keep(Vec<(usize, Pose)>),
    /// Tip centres of these fingers at these points (object frame), nothing touching, wrist fixed.
    Clear(Vec<(usize, Point3<f64>)>),
}

struct Search<'a> {
    solid: &'a Solid,
    task: &'a GraspTask,
    tree: &'a KinematicTree,
    capsules: &'a [Capsule],
    posture: Vec<f64>,
    goal: Goal,
    /// Weight of penetration into object and table.
    barrier: f64,
}

impl Search<'_> {
    /// The grasp that closes to `closed`: opens the hand with the same wrist.
    fn with_open_hand(&self, closed: State) -> Grasp {
        let centers = self.tip_centers(&closed);
        let goals = (0..human::FINGERS.len())
            .filter_map(|finger| Some((finger, centers[finger] + opening_of(self.task, finger)?)))
            .collect();
        let opening = Search { posture: closed.q.clone(), goal: Goal::Clear(goals), ..*self };
        let open = opening.solve(closed.clone());
        Grasp { object_from_wrist: closed.object_from_wrist, closed: closed.q, open: open.q }
    }

    /// Levenberg-Marquardt with a forward-difference Jacobian; joint limits by projection.
    fn solve(&self, mut state: State) -> State {
        let free_wrist = matches!(self.goal, Goal::Touch);
        let columns = self.tree.joints.len() + if free_wrist { 6 } else { 0 };
        let mut residual = self.residuals(&state);
        let mut cost = residual.norm_squared();
        let mut damping = 1e-3;
        for _ in 0..ITERATIONS {
            let mut jacobian = DMatrix::zeros(residual.len(), columns);
            let step = 1e-6;
            for column in 0..columns {
                let mut delta = DVector::zeros(columns);
                delta[column] = step;
                let moved = self.residuals(&self.moved(&state, &delta, false));
                jacobian.set_column(column, &((moved - &residual) / step));
            }
            let gradient = jacobian.tr_mul(&residual);
            let normal = jacobian.tr_mul(&jacobian);
            let mut improved = false;
            for _ in 0..8 {
                let mut damped = normal.clone();
                for i in 0..columns {
                    damped[(i, i)] += damping * (normal[(i, i)] + 1e-6);
                }
                let Some(factor) = damped.cholesky() else {
                    damping *= 10.0;
                    continue;
                };
                let candidate = self.moved(&state, &-factor.solve(&gradient), true);
                let trial = self.residuals(&candidate);
                let trial_cost = trial.norm_squared();
                if trial_cost < cost {
                    improved = cost - trial_cost > 1e-6 * cost;
                    (state, residual, cost) = (candidate, trial, trial_cost);
                    damping = (damping * 0.3).max(1e-7);
                    break;
                }
                damping *= 4.0;
            }
            if !improved {
                break;
            }
        }
        state
    }

    /// Joint changes first, then (when the wrist is free) translation in the object frame and
    /// rotation in the wrist frame.
    fn moved(&self, state: &State, delta: &DVector<f64>, clamp: bool) -> State {
        let mut next = state.clone();
        for (i, joint) in self.tree.joints.iter().enumerate() {
            next.q[i] += delta[i];
            if clamp {
                next.q[i] = next.q[i].clamp(joint.range.0, joint.range.1);
            }
        }
        let n = self.tree.joints.len();
        if delta.len() > n {
            let shift = Vector3::new(delta[n], delta[n + 1], delta[n + 2]);
            let turn = Vector3::new(delta[n + 3], delta[n + 4], delta[n + 5]);
            next.object_from_wrist = Pose::from_parts(
                Translation3::from(state.object_from_wrist.translation.vector + shift),
                state.object_from_wrist.rotation * UnitQuaternion::from_scaled_axis(turn),
            );
        }
        next
    }

    fn tip_centers(&self, state: &State) -> [Point3<f64>; 5] {
        let bodies = self.tree.forward(&state.q);
        std::array::from_fn(|finger| {
            state.object_from_wrist * (bodies[phalanx_body(finger, 2)] * human::tip_center(finger))
        })
    }

    /// Residuals in metres; angles are weighted by a length.
    fn residuals(&self, state: &State) -> DVector<f64> {
        let bodies: Vec<Pose> = self
            .tree
            .forward(&state.q)
            .iter()
            .map(|wrist_from_body| state.object_from_wrist * wrist_from_body)
            .collect();
        let mut out = Vec::with_capacity(400);
        self.push_contacts(&bodies, &mut out);
        self.push_posture(state, &mut out);
        self.push_penetration(&bodies, &mut out);
        self.push_self_contact(&bodies, &mut out);
        DVector::from_vec(out)
    }

    fn push_contacts(&self, bodies: &[Pose], out: &mut Vec<f64>) {
        let center_of = |finger: usize| bodies[phalanx_body(finger, 2)] * human::tip_center(finger);
        match &self.goal {
            Goal::Touch => {}
            Goal::Keep(goals) => {
                for (finger, goal) in goals {
                    let point = human::tip_point(*finger);
                    let skin = bodies[phalanx_body(*finger, 2)] * point - goal * point;
                    let center = center_of(*finger) - goal * human::tip_center(*finger);
                    out.extend(center.iter().chain(skin.iter()).map(|v| 4.0 * v));
                }
                return;
            }
            Goal::Clear(goals) => {
                for (finger, goal) in goals {
                    out.extend((center_of(*finger) - goal).iter().map(|v| 0.5 * v));
                }
                return;
            }
        }
        for contact in &self.task.contacts {
            let center = center_of(contact.finger);
            let radius = human::PHALANX_RADIUS[contact.finger][2];
            out.extend((center - (contact.point + contact.normal * radius)).iter());
            out.push(4.0 * (self.solid.distance(&center) - radius));
            let tip = &bodies[phalanx_body(contact.finger, 2)];
            let pad = tip.rotation * Vector3::from(PAD_DIRECTION);
            out.extend((pad + contact.normal).iter().map(|v| 0.012 * v));
        }
    }

    fn push_posture(&self, state: &State, out: &mut Vec<f64>) {
        for (i, joint) in self.tree.joints.iter().enumerate() {
            let sideways = joint.name.ends_with("abduct") || joint.name.ends_with("twist");
            let weight = if sideways || joint.name.starts_with("thumb") { 0.006 } else { 0.003 };
            out.push(weight * (state.q[i] - self.posture[i]));
            if joint.name.ends_with("dip_flex") {
                // The two last joints of a finger bend together, about 2 to 3.
                out.push(0.006 * (state.q[i] - 0.65 * state.q[i - 1]));
            }
        }
        if matches!(self.goal, Goal::Touch) {
            let guess = &self.task.object_from_wrist;
            let moved = state.object_from_wrist.translation.vector - guess.translation.vector;
            out.extend(moved.iter().map(|v| 0.05 * v));
            let turned =
                (guess.rotation.inverse() * state.object_from_wrist.rotation).scaled_axis();
            out.extend(turned.iter().map(|v| 0.02 * v));
        }
    }

    fn push_penetration(&self, bodies: &[Pose], out: &mut Vec<f64>) {
        let table = -self.solid.rest_height();
        for capsule in self.capsules {
            let body = &bodies[capsule.body];
            let (start, end) = (body * capsule.start, body * capsule.end);
            let clearance = match self.goal {
                Goal::Touch | Goal::Keep(_) => 0.0,
                Goal::Clear(_) => OPEN_CLEARANCE,
            };
            for t in SAMPLES {
                let p = start + (end - start) * t;
                let depth = capsule.radius + clearance - self.solid.distance(&p);
                out.push(self.barrier * depth.max(0.0));
            }
            // The table's clearance holds for the open hand too: 2 mm are enough to slide over it.
            let lowest = start.z.min(end.z) - capsule.radius - table;
            out.push(self.barrier * (0.002 - lowest).max(0.0));
        }
    }

    fn push_self_contact(&self, bodies: &[Pose], out: &mut Vec<f64>) {
        let placed: Vec<_> = self
            .capsules
            .iter()
            .map(|c| (c.body, bodies[c.body] * c.start, bodies[c.body] * c.end, c.radius))
            .collect();
        for (i, (body, start, end, radius)) in placed.iter().enumerate() {
            for (other, a, b, other_radius) in &placed[..i] {
                if !may_not_overlap(*body, *other) {
                    continue;
                }
                let nearest = [0.0, 0.5, 1.0]
                    .iter()
                    .map(|t| segment_distance(&(start + (end - start) * *t), a, b))
                    .fold(f64::INFINITY, f64::min);
                out.push((radius + other_radius - 0.001 - nearest).max(0.0));
            }
        }
    }
}

/// Whether two bodies should stay apart: phalanges of different fingers (knuckles side by side
/// always touch), and the thumb's last two phalanges and the palm.
fn may_not_overlap(body: usize, other: usize) -> bool {
    if body == 0 || other == 0 {
        let phalanx = body.max(other);
        return phalanx == phalanx_body(0, 1) || phalanx == phalanx_body(0, 2);
    }
    let finger = |b: usize| (b - 1) / 3;
    let phalanx = |b: usize| (b - 1) % 3;
    finger(body) != finger(other) && phalanx(body) + phalanx(other) > 0
}
