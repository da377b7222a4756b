//! Objects that turn in the fingers: the wrist moves about the object as the human's did, and the
//! fingers follow so that their tips stay where they touch (no slip at the tips, not at the wrist).

use super::hypothesis::{Fitter, tip_places, tips_at};
use super::judge::HumanHold;
use super::plan::{Grasp, ROLL_KNOT_S, RollKnot};
use super::timeline::{HoldSteps, Timeline};
use crate::retarget::FrameSolver;
use dextra_core::signal::smooth_poses;
use dextra_core::{Pose, pose};

/// A palm that turns by more than this about the object it has means it, radians; recorded hands
/// wander by less.
const TURNS: f64 = 0.3;
/// Smoothing of the human's palm, seconds.
const SMOOTHING_S: f64 = 0.15;
/// Fingertips may leave their place on the object by this much, metres.
const OFF: f64 = 0.006;
/// Shares of the human's motion that are tried, largest first.
const SHARES: [f64; 4] = [1.0, 0.75, 0.5, 0.25];

/// Whether the human's palm turns about the object during a hold.
pub fn turns(human: &HumanHold) -> bool {
    let Some(palms) = palms(human) else { return false };
    palms.iter().any(|palm| pose::angle_between(&palms[0], palm) > TURNS)
}

/// The palm in the object's frame at every frame of a hold, smoothed.
fn palms(human: &HumanHold) -> Option<Vec<Pose>> {
    let palms: Vec<Pose> = human.palms.iter().copied().collect::<Option<_>>()?;
    (!palms.is_empty()).then(|| smooth_poses(&palms, SMOOTHING_S * human.fps))
}

/// The in-hand motion of a grasp: the largest share of the human's that the fingers can follow; empty
/// when they can follow none.
pub fn fit(
    fitter: &Fitter<'_>,
    solver: &mut FrameSolver,
    grasp: &Grasp,
    human: &HumanHold,
    schedule: &Timeline,
    hold: &HoldSteps,
) -> Vec<RollKnot> {
    let Some(palms) = palms(human) else { return Vec::new() };
    let last = hold.release.unwrap_or(schedule.steps);
    let knot_steps = ((ROLL_KNOT_S / schedule.dt).round() as usize).max(1);
    let motions: Vec<Pose> = (hold.take..last + knot_steps)
        .step_by(knot_steps)
        .map(|step| {
            let at = human.index(schedule.demonstrated_time(step.min(last)));
            palms[0].inverse() * palms[at.min(palms.len() - 1)]
        })
        .collect();
    let followed = |&share: &f64| follow(fitter, solver, grasp, &motions, share);
    SHARES.iter().find_map(followed).unwrap_or_default()
}

/// Follows a share of the palm's motions with the tips fixed on the object; `None` when a tip strays.
fn follow(
    fitter: &Fitter<'_>,
    solver: &mut FrameSolver,
    grasp: &Grasp,
    motions: &[Pose],
    share: f64,
) -> Option<Vec<RollKnot>> {
    let touch = &grasp.touch_joints;
    let root = fitter.at_take * grasp.object_from_root;
    let placed = tip_places(fitter.hand, &root, touch);
    let root_from_palm = fitter.model.world_from_palm(&Pose::identity(), touch);
    let mut joints = touch.clone();
    let start = fitter.hand.ctrl(touch);
    let mut knots = Vec::with_capacity(motions.len());
    for motion in motions {
        let part = pose::interpolate(&Pose::identity(), motion, share);
        let delta = root_from_palm * part * root_from_palm.inverse();
        let targets = tips_at(fitter.hand, &placed, &joints);
        let moved = root * delta;
        joints = solver.solve(&targets, (&moved, &joints), 30).joints;
        let now = tip_places(fitter.hand, &moved, &joints);
        let strayed = now.iter().zip(&placed).map(|(now, place)| (now - place).norm());
        if strayed.fold(0.0, f64::max) > OFF {
            return None;
        }
        let fingers = fitter.hand.ctrl(&joints).iter().zip(&start).map(|(a, b)| a - b).collect();
        knots.push(RollKnot { root: delta, fingers });
    }
    Some(knots)
}
