//! Fingertip alignment: coordinates of one hand whose fingertips follow those of another over a whole window.
//!
//! ManipTrans (Li et al. 2025, deployment) minimises the mean squared distance of the fingertips plus the squared
//! differences of successive joint positions. Here the window is one sparse least squares problem: Gauss-Newton with
//! a block tridiagonal matrix, inside the ranges by an active set.

use dextra_core::Pose;
use dextra_core::hand::BodyPoint;
use dextra_core::kinematics::{Coordinates, KinematicTree, Workspace};
use nalgebra::{
    DMatrix, DVector, Matrix3, Matrix3x6, Matrix6, Point3, Rotation3, UnitQuaternion, Vector3,
    Vector6,
};

/// The question.
#[derive(Clone, Debug)]
pub struct Align<'a> {
    /// The hand that is to follow.
    pub tree: &'a KinematicTree,
    /// Its independent coordinates.
    pub coordinates: &'a Coordinates,
    /// Its fingertips.
    pub tips: &'a [BodyPoint],
    /// Where they should be in its root frame, `[T][tips]`.
    pub targets: &'a [Vec<Point3<f64>>],
    /// Time between frames, seconds.
    pub dt: f64,
    /// What smoothness is worth: a coordinate at 1 rad/s costs as much as a fingertip this far off, metres.
    pub smoothness: f64,
    /// Whether one constant shift and turn of the whole hand is found too: for hands of different proportions.
    pub shift: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Aligned {
    /// Coordinates per frame, radians.
    pub x: Vec<Vec<f64>>,
    /// The constant displacement: where the hand's root belongs in the frame that `targets` are in.
    pub target_from_root: Pose,
    /// Distance of every tip at every frame, `[T][tips]`, metres.
    pub errors: Vec<Vec<f64>>,
}

/// What displacing the whole hand costs next to the squared distance of a fingertip. Small, as it only has to decide
/// between displacements that serve the fingertips alike; a wrist of the hand's own could turn them back.
const SHIFT_WEIGHT: f64 = 1e-4;
/// Length that one radian of that displacement counts as, metres.
const SHIFT_RADIAN_M: f64 = 0.1;
/// Rounds of Gauss-Newton at most.
const ROUNDS: usize = 60;

/// Finds the coordinates.
///
/// # Panics
/// When a tip's body is not in the tree, or without frames.
pub fn align(question: &Align<'_>) -> Aligned {
    let bodies: Vec<usize> = question
        .tips
        .iter()
        .map(|tip| question.tree.body(&tip.body).expect("a body of the tree"))
        .collect();
    let mut solver = Solver {
        question,
        bodies,
        workspace: Workspace::new(question.tree),
        target_from_root: Pose::identity(),
    };
    let middle: Vec<f64> =
        question.coordinates.range.iter().map(|(low, high)| low + 0.3 * (high - low)).collect();
    let mut x = vec![middle; question.targets.len()];
    if question.shift {
        solver.fit_shift(&x);
    }
    let mut cost = solver.cost(&x);
    let mut damping = 1e-6;
    for _ in 0..ROUNDS {
        let (before, pose) = (cost, solver.target_from_root);
        let (step, shift) = solver.step(&x, damping);
        let trial = solver.moved(&x, &step);
        if question.shift {
            solver.target_from_root = shift * pose;
        }
        let trial_cost = solver.cost(&trial);
        if trial_cost < cost {
            (x, cost, damping) = (trial, trial_cost, (damping * 0.2_f64).max(1e-12));
        } else {
            solver.target_from_root = pose;
            damping *= 10.0;
            if damping > 1e6 {
                break;
            }
            continue;
        }
        if before - cost < 1e-9 * before {
            break;
        }
    }
    let errors = (0..x.len())
        .map(|t| {
            let tips = solver.tips(&x[t]);
            tips.iter().zip(&question.targets[t]).map(|(a, b)| (a - b).norm()).collect()
        })
        .collect();
    Aligned { x, target_from_root: solver.target_from_root, errors }
}

struct Solver<'a> {
    question: &'a Align<'a>,
    bodies: Vec<usize>,
    workspace: Workspace,
    target_from_root: Pose,
}

impl Solver<'_> {
    /// Weight of a squared tip distance and of a squared difference of successive coordinates.
    fn weights(&self) -> (f64, f64) {
        let (frames, tips) = (self.question.targets.len(), self.bodies.len());
        let speed = self.question.smoothness / self.question.dt;
        (1.0 / (frames * tips) as f64, speed * speed / frames.max(2) as f64)
    }

    /// Translation and rotation vector of the displacement so far.
    fn shift(&self) -> (Vector3<f64>, Vector3<f64>) {
        let pose = &self.target_from_root;
        (pose.translation.vector, pose.rotation.scaled_axis())
    }

    fn pose(&mut self, x: &[f64]) {
        let mut q = vec![0.0; self.question.tree.joints.len()];
        self.question.coordinates.expand(x, &mut q);
        self.workspace.forward(self.question.tree, &self.target_from_root, &q);
    }

    fn tips(&mut self, x: &[f64]) -> Vec<Point3<f64>> {
        self.pose(x);
        let tips = self.bodies.iter().zip(self.question.tips);
        tips.map(|(&body, tip)| self.workspace.point(body, &tip.point_in_body)).collect()
    }

    fn cost(&mut self, x: &[Vec<f64>]) -> f64 {
        let (tip_weight, step_weight) = self.weights();
        let (moved, turned) = self.shift();
        let turned = SHIFT_RADIAN_M * turned;
        let mut sum = SHIFT_WEIGHT * (moved.norm_squared() + turned.norm_squared());
        for (t, row) in x.iter().enumerate() {
            let tips = self.tips(row);
            let targets = &self.question.targets[t];
            sum += tip_weight
                * tips.iter().zip(targets).map(|(a, b)| (a - b).norm_squared()).sum::<f64>();
            if let Some(next) = x.get(t + 1) {
                let steps = row.iter().zip(next).map(|(a, b)| (a - b).powi(2));
                sum += step_weight * steps.sum::<f64>();
            }
        }
        sum
    }

    /// Coordinates after a step, inside their ranges.
    fn moved(&self, x: &[Vec<f64>], step: &[DVector<f64>]) -> Vec<Vec<f64>> {
        let rows = x.iter().zip(step);
        rows.map(|(row, step)| {
            let mut moved: Vec<f64> = row.iter().zip(step.iter()).map(|(x, s)| x + s).collect();
            self.question.coordinates.clamp(&mut moved);
            moved
        })
        .collect()
    }

    /// One Gauss-Newton step of the coordinates, and of the whole hand. A coordinate at a limit that the gradient
    /// drives beyond it is held.
    fn step(&mut self, x: &[Vec<f64>], damping: f64) -> (Vec<DVector<f64>>, Pose) {
        let (tip_weight, step_weight) = self.weights();
        let (frames, n) = (x.len(), self.question.coordinates.len());
        let mut blocks = Vec::with_capacity(frames);
        // Per frame: the gradient, and what the six numbers of a displacement of the hand add to it.
        let mut sides: Vec<DMatrix<f64>> = Vec::with_capacity(frames);
        let mut held: Vec<Vec<bool>> = Vec::with_capacity(frames);
        let (mut shift_block, mut shift_gradient) = (Matrix6::zeros(), Vector6::zeros());
        for t in 0..frames {
            let tips = self.tips(&x[t]);
            let mut block = DMatrix::zeros(n, n);
            let mut side = DMatrix::zeros(n, 7);
            for (index, (point, &body)) in tips.iter().zip(&self.bodies).enumerate() {
                let mut columns = DMatrix::<f64>::zeros(3, n);
                for &joint in self.workspace.chain(body) {
                    let follow = self.question.coordinates.follow[joint];
                    let column = self.workspace.point_column(joint, point) * follow.ratio;
                    let mut into = columns.fixed_view_mut::<3, 1>(0, follow.coordinate);
                    into += column;
                }
                let error: Vector3<f64> = point - self.question.targets[t][index];
                let mut whole = Matrix3x6::identity();
                whole.fixed_view_mut::<3, 3>(0, 3).copy_from(&-point.coords.cross_matrix());
                block += columns.transpose() * &columns * tip_weight;
                let mut gradient = side.column_mut(0);
                gradient += columns.transpose() * error * tip_weight;
                let mut shifts = side.columns_mut(1, 6);
                shifts += columns.transpose() * whole * tip_weight;
                shift_block += whole.transpose() * whole * tip_weight;
                shift_gradient += whole.transpose() * error * tip_weight;
            }
            let others = [t.checked_sub(1), Some(t + 1).filter(|&other| other < frames)];
            for other in others.into_iter().flatten() {
                for c in 0..n {
                    block[(c, c)] += step_weight;
                    side[(c, 0)] += step_weight * (x[t][c] - x[other][c]);
                }
            }
            for c in 0..n {
                block[(c, c)] += tip_weight * damping;
            }
            let stuck = (0..n).map(|c| {
                let (low, high) = self.question.coordinates.range[c];
                (x[t][c] <= low && side[(c, 0)] > 0.0) || (x[t][c] >= high && side[(c, 0)] < 0.0)
            });
            let stuck: Vec<bool> = stuck.collect();
            for c in (0..n).filter(|&c| stuck[c]) {
                block.row_mut(c).fill(0.0);
                block.column_mut(c).fill(0.0);
                block[(c, c)] = 1.0;
                side.row_mut(c).fill(0.0);
            }
            blocks.push(block);
            sides.push(side);
            held.push(stuck);
        }
        let solved = solve_chain(blocks, &sides, &held, step_weight);
        let mut shift = Vector6::zeros();
        if self.question.shift {
            let (moved, turned) = self.shift();
            let mut whole = Matrix3x6::identity();
            whole.fixed_view_mut::<3, 3>(0, 3).copy_from(&-moved.cross_matrix());
            shift_block += whole.transpose() * whole * SHIFT_WEIGHT;
            shift_gradient += whole.transpose() * moved * SHIFT_WEIGHT;
            let turn_weight = SHIFT_WEIGHT * SHIFT_RADIAN_M * SHIFT_RADIAN_M;
            for axis in 0..3 {
                shift_block[(3 + axis, 3 + axis)] += turn_weight;
                shift_gradient[3 + axis] += turn_weight * turned[axis];
            }
            let mut right = -shift_gradient;
            for (side, solved) in sides.iter().zip(&solved) {
                let across = side.columns(1, 6).transpose();
                right += &across * solved.column(0);
                shift_block -= &across * solved.columns(1, 6);
            }
            shift_block += Matrix6::identity() * damping;
            shift = shift_block.lu().solve(&right).unwrap_or_default();
        }
        let steps = solved.iter().map(|s| -(s.column(0) + s.columns(1, 6) * shift)).collect();
        let turn = UnitQuaternion::from_scaled_axis(shift.fixed_rows::<3>(3).into_owned());
        (steps, Pose::from_parts(shift.fixed_rows::<3>(0).into_owned().into(), turn))
    }

    /// The rigid displacement that brings the tips nearest to their targets over all frames (Kabsch).
    fn fit_shift(&mut self, x: &[Vec<f64>]) {
        self.target_from_root = Pose::identity();
        let own: Vec<Vec<Point3<f64>>> = x.iter().map(|row| self.tips(row)).collect();
        let pairs = || own.iter().flatten().zip(self.question.targets.iter().flatten());
        let count = pairs().count().max(1) as f64;
        let (mut a, mut b) = (Vector3::zeros(), Vector3::zeros());
        for (p, q) in pairs() {
            a += p.coords / count;
            b += q.coords / count;
        }
        let mut covariance = Matrix3::zeros();
        for (p, q) in pairs() {
            covariance += (q.coords - b) * (p.coords - a).transpose();
        }
        let svd = covariance.svd(true, true);
        let (Some(u), Some(v_t)) = (svd.u, svd.v_t) else { return };
        let mirror =
            Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, (u * v_t).determinant().signum()));
        let rotation = Rotation3::from_matrix_unchecked(u * mirror * v_t);
        let rotation = UnitQuaternion::from_rotation_matrix(&rotation);
        self.target_from_root = Pose::from_parts((b - rotation * a).into(), rotation);
    }
}

/// Solves the block tridiagonal system whose off-diagonal blocks are `-coupling` times the identity (zero where
/// either side is held), for every column of `sides`.
fn solve_chain(
    mut blocks: Vec<DMatrix<f64>>,
    sides: &[DMatrix<f64>],
    held: &[Vec<bool>],
    coupling: f64,
) -> Vec<DMatrix<f64>> {
    let frames = blocks.len();
    let n = sides.first().map_or(0, DMatrix::nrows);
    let between = |t: usize, c: usize| if held[t][c] || held[t + 1][c] { 0.0 } else { -coupling };
    let mut right = sides.to_vec();
    let mut inverses: Vec<DMatrix<f64>> = Vec::with_capacity(frames);
    for t in 0..frames {
        if t > 0 {
            let before = &inverses[t - 1];
            for row in 0..n {
                for column in 0..n {
                    blocks[t][(row, column)] -=
                        between(t - 1, row) * before[(row, column)] * between(t - 1, column);
                }
            }
            let mut carried = before * &right[t - 1];
            for c in 0..n {
                carried.row_mut(c).scale_mut(between(t - 1, c));
            }
            right[t] -= carried;
        }
        let block = blocks[t].clone();
        inverses.push(block.try_inverse().unwrap_or_else(|| DMatrix::zeros(n, n)));
    }
    for t in (0..frames).rev() {
        if t + 1 < frames {
            let mut later = right[t + 1].clone();
            for c in 0..n {
                later.row_mut(c).scale_mut(between(t, c));
            }
            right[t] -= later;
        }
        right[t] = &inverses[t] * &right[t];
    }
    right
}
