//! Fingertip alignment: coordinates of one hand whose fingertips follow those of another over a whole window.
//!
//! ManipTrans (Li et al. 2025, deployment) minimises the mean squared distance of the fingertips plus the squared
//! differences of successive joint positions. Here the window is one sparse least squares problem: Gauss-Newton with
//! a block tridiagonal matrix, inside the ranges by an active set.

use dextra_core::Pose;
use dextra_core::hand::BodyPoint;
use dextra_core::kinematics::{Coordinates, KinematicTree, Workspace};
use nalgebra::{DMatrix, DVector, Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};

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
        let before = cost;
        let step = solver.step(&x, damping);
        let trial = solver.moved(&x, &step);
        let trial_cost = solver.cost(&trial);
        if trial_cost < cost {
            (x, cost, damping) = (trial, trial_cost, (damping * 0.2_f64).max(1e-12));
        } else {
            damping *= 10.0;
            if damping > 1e3 {
                break;
            }
            continue;
        }
        if question.shift {
            let old = solver.target_from_root;
            solver.fit_shift(&x);
            let shifted = solver.cost(&x);
            if shifted < cost { cost = shifted } else { solver.target_from_root = old }
        }
        if before - cost < 1e-7 * before {
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
        let mut sum = 0.0;
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

    /// One Gauss-Newton step. A coordinate at a limit that the gradient drives beyond it is held.
    fn step(&mut self, x: &[Vec<f64>], damping: f64) -> Vec<DVector<f64>> {
        let (tip_weight, step_weight) = self.weights();
        let (frames, n) = (x.len(), self.question.coordinates.len());
        let mut blocks = Vec::with_capacity(frames);
        let mut gradients = Vec::with_capacity(frames);
        let mut held: Vec<Vec<bool>> = Vec::with_capacity(frames);
        for t in 0..frames {
            let tips = self.tips(&x[t]);
            let mut block = DMatrix::zeros(n, n);
            let mut gradient = DVector::zeros(n);
            for (index, (point, &body)) in tips.iter().zip(&self.bodies).enumerate() {
                let mut columns = DMatrix::<f64>::zeros(3, n);
                for &joint in self.workspace.chain(body) {
                    let follow = self.question.coordinates.follow[joint];
                    let column = self.workspace.point_column(joint, point) * follow.ratio;
                    let mut into = columns.fixed_view_mut::<3, 1>(0, follow.coordinate);
                    into += column;
                }
                let error: Vector3<f64> = point - self.question.targets[t][index];
                block += columns.transpose() * &columns * tip_weight;
                gradient += columns.transpose() * error * tip_weight;
            }
            for other in
                [t.checked_sub(1), Some(t + 1).filter(|&o| o < frames)].into_iter().flatten()
            {
                for c in 0..n {
                    block[(c, c)] += step_weight;
                    gradient[c] += step_weight * (x[t][c] - x[other][c]);
                }
            }
            for c in 0..n {
                block[(c, c)] += tip_weight * damping;
            }
            let stuck = (0..n).map(|c| {
                let (low, high) = self.question.coordinates.range[c];
                (x[t][c] <= low && gradient[c] > 0.0) || (x[t][c] >= high && gradient[c] < 0.0)
            });
            let stuck: Vec<bool> = stuck.collect();
            for c in (0..n).filter(|&c| stuck[c]) {
                block.row_mut(c).fill(0.0);
                block.column_mut(c).fill(0.0);
                block[(c, c)] = 1.0;
                gradient[c] = 0.0;
            }
            blocks.push(block);
            gradients.push(gradient);
            held.push(stuck);
        }
        solve_chain(blocks, &gradients, &held, step_weight)
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
/// either side is held), for the negative gradient.
fn solve_chain(
    mut blocks: Vec<DMatrix<f64>>,
    gradients: &[DVector<f64>],
    held: &[Vec<bool>],
    coupling: f64,
) -> Vec<DVector<f64>> {
    let frames = blocks.len();
    let n = gradients.first().map_or(0, DVector::len);
    let between = |t: usize, c: usize| {
        if held[t][c] || held[t + 1][c] { 0.0 } else { -coupling }
    };
    let mut right: Vec<DVector<f64>> = gradients.iter().map(|g| -g).collect();
    let mut inverses: Vec<DMatrix<f64>> = Vec::with_capacity(frames);
    for t in 0..frames {
        if t > 0 {
            let before = &inverses[t - 1];
            let off = DVector::from_iterator(n, (0..n).map(|c| between(t - 1, c)));
            for row in 0..n {
                for column in 0..n {
                    blocks[t][(row, column)] -= off[row] * before[(row, column)] * off[column];
                }
            }
            let carried = before * &right[t - 1];
            for c in 0..n {
                right[t][c] -= off[c] * carried[c];
            }
        }
        let block = blocks[t].clone();
        inverses.push(block.try_inverse().unwrap_or_else(|| DMatrix::zeros(n, n)));
    }
    let mut steps = vec![DVector::zeros(n); frames];
    for t in (0..frames).rev() {
        let mut rest = right[t].clone();
        if t + 1 < frames {
            for c in 0..n {
                rest[c] -= between(t, c) * steps[t + 1][c];
            }
        }
        steps[t] = &inverses[t] * rest;
    }
    steps
}
