//! Inverse kinematics of a flange by damped least squares, inside joint limits.

use super::arm::Arm;
use dextra_core::Pose;
use dextra_core::kinematics::Workspace;
use nalgebra::{DVector, Matrix6, Vector6};

/// A flange that is this near to where it should be is there: metres and radians.
pub const REACHED: (f64, f64) = (1e-3, 0.5 * std::f64::consts::PI / 180.0);
/// Iterations go on until the flange is this near.
const CONVERGED: (f64, f64) = (1e-6, 1e-5);
/// Length that one radian of the flange counts as, metres.
const RADIAN_M: f64 = 0.2;
/// Joints keep this distance from the ends of their ranges, radians.
const MARGIN: f64 = 0.01;
/// Most that a joint moves in one iteration, radians.
const MOST: f64 = 0.3;
/// Iterations at most.
const ITERATIONS: usize = 60;

/// What [`solve`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Joint angles, radians, inside their ranges.
    pub q: Vec<f64>,
    /// Distance left, metres.
    pub position_error: f64,
    /// Angle left, radians.
    pub rotation_error: f64,
}

impl Solution {
    /// Whether the flange is where it should be.
    pub fn is_reached(&self) -> bool {
        self.position_error <= REACHED.0 && self.rotation_error <= REACHED.1
    }
}

/// Ranges of the joints without the margins at their ends.
pub(super) fn inner_range(arm: &Arm) -> impl Iterator<Item = (f64, f64)> {
    arm.range.iter().map(|&(low, high)| {
        let margin = MARGIN.min(0.25 * (high - low));
        (low + margin, high - margin)
    })
}

/// Joint angles near `start` that bring the flange to `target`. First every joint is pulled towards the middle of
/// its range by `pull` radians per range, as far as that leaves the flange where it is.
pub fn solve(
    arm: &Arm,
    workspace: &mut Workspace,
    world_from_base: &Pose,
    target: &Pose,
    start: &[f64],
    pull: f64,
) -> Solution {
    let range: Vec<(f64, f64)> = inner_range(arm).collect();
    let clamp = |q: &mut [f64]| {
        for (angle, &(low, high)) in q.iter_mut().zip(&range) {
            *angle = angle.clamp(low, high);
        }
    };
    let mut q = start.to_vec();
    clamp(&mut q);
    if pull > 0.0 {
        let jacobian = arm.flange(workspace, world_from_base, &q).jacobian;
        let wish = DVector::from_iterator(
            q.len(),
            q.iter().zip(&range).map(|(angle, (low, high))| {
                pull * (f64::midpoint(*low, *high) - angle) / (0.5 * (high - low))
            }),
        );
        let gram = &jacobian * jacobian.transpose() + Matrix6::identity() * 1e-6;
        if let Some(inverse) = gram.try_inverse() {
            let free = &wish - jacobian.transpose() * (inverse * (&jacobian * &wish));
            q.iter_mut().zip(free.iter()).for_each(|(angle, step)| *angle += step);
            clamp(&mut q);
        }
    }
    let mut best: Option<Solution> = None;
    let mut damping = 1e-4;
    for _ in 0..ITERATIONS {
        let flange = arm.flange(workspace, world_from_base, &q);
        let here = &flange.world_from_flange;
        let shift = target.translation.vector - here.translation.vector;
        let turn = (target.rotation * here.rotation.inverse()).scaled_axis();
        let now =
            Solution { q: q.clone(), position_error: shift.norm(), rotation_error: turn.norm() };
        let size = |s: &Solution| s.position_error.hypot(RADIAN_M * s.rotation_error);
        let better = best.as_ref().is_none_or(|best| size(&now) < size(best));
        // Away from a solution the steps must be short enough to be true.
        damping = if better { (damping * 0.3_f64).max(1e-10) } else { (damping * 10.0).min(1.0) };
        if better {
            best = Some(now);
        } else if let Some(best) = &best {
            q.clone_from(&best.q);
        }
        let at = best.as_ref().expect("set above");
        if at.position_error <= CONVERGED.0 && at.rotation_error <= CONVERGED.1 {
            break;
        }
        let (error, mut jacobian) = if better {
            (Vector6::new(shift.x, shift.y, shift.z, turn.x, turn.y, turn.z), flange.jacobian)
        } else {
            let flange = arm.flange(workspace, world_from_base, &q);
            let here = &flange.world_from_flange;
            let shift = target.translation.vector - here.translation.vector;
            let turn = (target.rotation * here.rotation.inverse()).scaled_axis();
            (Vector6::new(shift.x, shift.y, shift.z, turn.x, turn.y, turn.z), flange.jacobian)
        };
        let mut scaled = error;
        scaled.fixed_rows_mut::<3>(3).scale_mut(RADIAN_M);
        jacobian.fixed_rows_mut::<3>(3).scale_mut(RADIAN_M);
        let Some(step) = limited_step(&mut jacobian, &scaled, damping, &q, &range) else { break };
        let largest = step.amax();
        let scale = if largest > MOST { MOST / largest } else { 1.0 };
        q.iter_mut().zip(step.iter()).for_each(|(angle, step)| *angle += scale * step);
        clamp(&mut q);
    }
    best.expect("at least one iteration")
}

/// The damped step, with joints held that would leave their range.
fn limited_step(
    jacobian: &mut nalgebra::Matrix6xX<f64>,
    error: &Vector6<f64>,
    damping: f64,
    q: &[f64],
    range: &[(f64, f64)],
) -> Option<DVector<f64>> {
    for _ in 0..=q.len() {
        let gram = &*jacobian * jacobian.transpose() + Matrix6::identity() * damping;
        let step = jacobian.transpose() * (gram.cholesky()?.solve(error));
        let leaving = (0..q.len()).find(|&j| {
            let (low, high) = range[j];
            (q[j] <= low && step[j] < -1e-12) || (q[j] >= high && step[j] > 1e-12)
        });
        let Some(joint) = leaving else { return Some(step) };
        jacobian.column_mut(joint).fill(0.0);
    }
    None
}
