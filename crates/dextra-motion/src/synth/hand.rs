//! Where a hand of a synthetic clip is at any time, given its grasps.

use super::grasp::{self, Grasp};
use super::path::progress;
use super::script::{HandScript, Hold, Prop, Script};
use dextra_core::demonstration::Keypoints;
use dextra_core::pose::interpolate;
use dextra_core::{Pose, Side, human};
use nalgebra::{Isometry3, Point3, Quaternion, Translation3, UnitQuaternion};

/// Wrist and joint angles of a hand at one time. A left hand is told as the right hand that it is in
/// a mirror, the plane x = 0 of the world.
#[derive(Clone, Debug)]
pub struct HandState {
    /// Wrist pose.
    pub world_from_wrist: Pose,
    /// Joint angles of [`human::skeleton`], radians.
    pub q: Vec<f64>,
}

/// Finds the grasps of every hold: one, or those along its roll. Indices: hand, hold, step.
pub fn find_grasps(script: &Script) -> Vec<Vec<Vec<Grasp>>> {
    let of_hold = |hold: &Hold| {
        let solid = &script.props[hold.prop].solid;
        match &hold.roll {
            None => vec![grasp::find(solid, &hold.task)],
            Some(roll) => grasp::find_rolling(solid, &hold.task, &roll.rotation),
        }
    };
    script.hands.iter().map(|hand| hand.holds.iter().map(of_hold).collect()).collect()
}

/// The clean hand at `time` (seconds). For each hold: approach with the hand opening on the way,
/// close, hold (the grasp is constant in the object's frame, but for a roll), open, leave; between
/// two holds, from one to the other. `grasps` has the indices hold, step.
pub fn hand_at(props: &[Prop], hand: &HandScript, grasps: &[Vec<Grasp>], time: f64) -> HandState {
    let mut q = grasp::relaxed_posture(&human::skeleton());
    let mut before: Option<(Pose, f64)> = None;
    for (hold, grasps) in hand.holds.iter().zip(grasps) {
        bend(&mut q, hold, grasps, time);
        let times = &hold.times;
        let here = wrist_at(props, hand.side, hold, grasps, time);
        let pose = match before {
            None => here,
            Some((there, from)) => {
                let until = (times.depart + times.arrive) / 2.0;
                interpolate(&there, &here, progress(time, from, until))
            }
        };
        before = Some((pose, (times.leave + times.gone) / 2.0));
    }
    HandState { world_from_wrist: before.map_or_else(Pose::identity, |(pose, _)| pose), q }
}

/// The keypoints of a hand on `side`, world frame, metres.
pub fn keypoints(side: Side, state: &HandState) -> Keypoints {
    let right = human::keypoints(&human::skeleton(), &state.q, &state.world_from_wrist);
    match side {
        Side::Right => right,
        Side::Left => right.map(|p| Point3::new(-p.x, p.y, p.z)),
    }
}

/// The world in which a hand on `side` is a right hand: a mirror for a left hand.
pub fn seen_by(side: Side, pose: &Pose) -> Pose {
    match side {
        Side::Right => *pose,
        Side::Left => {
            let (t, q) = (pose.translation.vector, pose.rotation.quaternion());
            Isometry3::from_parts(
                Translation3::new(-t.x, t.y, t.z),
                UnitQuaternion::new_unchecked(Quaternion::new(q.w, q.i, -q.j, -q.k)),
            )
        }
    }
}

/// Where `hold` alone would have the wrist.
fn wrist_at(props: &[Prop], side: Side, hold: &Hold, grasps: &[Grasp], time: f64) -> Pose {
    let times = &hold.times;
    // What happens to the object before and after is no matter of this hold.
    let world_from_object = props[hold.prop].path.at(time.clamp(times.arrive, times.leave));
    let offset = hold.approach * (1.0 - progress(time, times.depart, times.arrive))
        + hold.retreat * progress(time, times.leave, times.gone);
    let grasp = grasps[0].object_from_wrist;
    let rolled = hold.roll.as_ref().map_or_else(UnitQuaternion::identity, |roll| {
        UnitQuaternion::from_scaled_axis(-roll.rotation * progress(time, roll.start, roll.end))
    });
    let object_from_wrist = Pose::from_parts(
        Translation3::from(rolled * (grasp.translation.vector + offset)),
        rolled * grasp.rotation,
    );
    seen_by(side, &world_from_object) * object_from_wrist
}

/// Opens the hand `q` for `hold`, closes it and lets it relax again.
fn bend(q: &mut [f64], hold: &Hold, grasps: &[Grasp], time: f64) {
    let times = &hold.times;
    let (reach, part) = (times.arrive - times.depart, times.gone - times.leave);
    // The hand is open before it is near, and stays open until it is away again.
    let opened = progress(time, times.depart, times.depart + 0.6 * reach)
        - progress(time, times.leave + 0.4 * part, times.gone);
    let closed =
        progress(time, times.arrive, times.closed) - progress(time, times.open, times.leave);
    let (from, to, share) = neighbours(hold, grasps, time);
    for (i, value) in q.iter_mut().enumerate() {
        let between = |a: &[f64], b: &[f64]| a[i] + (b[i] - a[i]) * share;
        *value += (between(&from.open, &to.open) - *value) * opened;
        *value += (between(&from.closed, &to.closed) - *value) * closed;
    }
}

/// The grasps before and after `time` in the roll of `hold`, and how far it is from the first to the
/// second.
fn neighbours<'a>(hold: &Hold, grasps: &'a [Grasp], time: f64) -> (&'a Grasp, &'a Grasp, f64) {
    let steps = (grasps.len() - 1) as f64;
    let turned = hold.roll.as_ref().map_or(0.0, |roll| progress(time, roll.start, roll.end));
    let at = (turned * steps).floor().min((steps - 1.0).max(0.0));
    let first = at as usize;
    (&grasps[first], &grasps[(first + 1).min(grasps.len() - 1)], turned * steps - at)
}
