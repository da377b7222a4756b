//! Levenberg-Marquardt for one frame, with box limits by an active set.

use super::objective::{At, FrameTargets, Regularisation, Scratch, Sink, assemble};
use super::{RetargetError, RetargetHand};
use dextra_core::Pose;
use dextra_core::kinematics::{Coordinates, KinematicTree, Workspace};
use nalgebra::{UnitQuaternion, Vector3};

/// What [`FrameSolver::solve`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Pose of the root body.
    pub world_from_root: Pose,
    /// Angles of all joints of the tree, radians; inside their ranges, couplings exact.
    pub joints: Vec<f64>,
    /// Half the sum of squared residuals, square metres.
    pub cost: f64,
    /// Evaluations of the objective that were used.
    pub evaluations: usize,
}

/// Solves frames for one hand. Reuse it: after the first frame the iterations allocate nothing.
#[derive(Clone, Debug)]
pub struct FrameSolver {
    tree: KinematicTree,
    palm: (usize, Pose),
    coordinates: Coordinates,
    weights: Regularisation,
    /// Stop when an iteration lowers the cost by less than this fraction.
    tolerance: f64,
    kinematics: Workspace,
    scratch: Scratch,
    q: Vec<f64>,
    x: Vec<f64>,
    x_trial: Vec<f64>,
    now: Normal,
    trial: Normal,
    factor: Vec<f64>,
    step: Vec<f64>,
    /// Steps that are given rather than solved for: coordinates held at or stopping at a limit.
    fixed: Vec<Option<f64>>,
}

impl FrameSolver {
    /// A solver for `hand`.
    ///
    /// # Errors
    /// When the couplings of the hand's tree cannot be resolved.
    pub fn new(hand: &RetargetHand, weights: Regularisation) -> Result<Self, RetargetError> {
        let coordinates = hand
            .tree
            .coordinates()
            .map_err(|source| RetargetError::Kinematics { hand: hand.map.name.clone(), source })?;
        let n = coordinates.len() + 6;
        Ok(Self {
            tree: hand.tree.clone(),
            palm: hand.palm,
            weights,
            tolerance: 1e-4,
            kinematics: Workspace::new(&hand.tree),
            scratch: Scratch::default(),
            q: vec![0.0; hand.tree.joints.len()],
            x: vec![0.0; coordinates.len()],
            x_trial: vec![0.0; coordinates.len()],
            now: Normal::new(n),
            trial: Normal::new(n),
            factor: vec![0.0; n * n],
            step: vec![0.0; n],
            fixed: vec![None; n],
            coordinates,
        })
    }

    /// The independent coordinates the solver moves.
    pub fn coordinates(&self) -> &Coordinates {
        &self.coordinates
    }

    /// Sets the relative decrease of the cost below which iterations stop (default `1e-4`).
    pub fn set_tolerance(&mut self, tolerance: f64) {
        self.tolerance = tolerance;
    }

    /// Minimises the objective of `targets` from `init` (root pose, all joint angles) with at most
    /// `iterations` steps. Angles outside their range start at its end. The result is never worse
    /// than the (clamped) start.
    pub fn solve(
        &mut self,
        targets: &FrameTargets,
        init: (&Pose, &[f64]),
        iterations: usize,
    ) -> Solution {
        let base = if targets.fixed_wrist { 0 } else { 6 };
        let n = base + self.coordinates.len();
        let mut root = *init.0;
        self.coordinates.reduce(init.1, &mut self.x);
        self.coordinates.clamp(&mut self.x);
        self.evaluate(targets, &root, false, n);
        std::mem::swap(&mut self.now, &mut self.trial);
        let mut evaluations = 1;
        let (mut damping, mut growth) = (1e-3, 2.0);
        while evaluations <= iterations {
            let solved = self.bounded_step(base, n, damping);
            let root_trial = if base == 6 { self.moved(&root) } else { root };
            for (i, trial) in self.x_trial.iter_mut().enumerate() {
                *trial = self.x[i] + self.step[base + i];
            }
            self.coordinates.clamp(&mut self.x_trial);
            self.evaluate(targets, &root_trial, true, n);
            evaluations += 1;
            let gain = self.now.cost - self.trial.cost;
            let promised = self.now.decrease(&self.step);
            // A NaN cost is a refusal too: only a true decrease is taken.
            if solved && gain > 0.0 {
                let converged = gain < self.tolerance * self.now.cost;
                root = root_trial;
                std::mem::swap(&mut self.x, &mut self.x_trial);
                std::mem::swap(&mut self.now, &mut self.trial);
                // Nielsen's rule (Madsen, Nielsen and Tingleff 2004, eq. 3.16): a step that does
                // as well as the model promised lowers the damping, a poor one raises it.
                let quality = 2.0 * gain / promised - 1.0;
                damping = (damping * (1.0 - quality.powi(3)).clamp(0.1, 2.0)).max(1e-8);
                growth = 2.0;
                if converged {
                    break;
                }
            } else {
                damping *= growth;
                growth *= 2.0;
                if damping > 1e6 {
                    break;
                }
            }
        }
        root.rotation.renormalize();
        self.coordinates.expand(&self.x, &mut self.q);
        Solution { world_from_root: root, joints: self.q.clone(), cost: self.now.cost, evaluations }
    }

    /// Evaluates residuals and normal equations into `self.trial`, at `x_trial` or at `x`.
    fn evaluate(&mut self, targets: &FrameTargets, root: &Pose, at_trial: bool, n: usize) {
        let x = if at_trial { &self.x_trial } else { &self.x };
        self.coordinates.expand(x, &mut self.q);
        self.kinematics.forward(&self.tree, root, &self.q);
        self.trial.reset(n);
        let at = At {
            coordinates: &self.coordinates,
            kinematics: &self.kinematics,
            root,
            x,
            palm: &self.palm,
        };
        assemble(&at, targets, &self.weights, &mut self.scratch, &mut self.trial);
    }

    /// Computes the damped step inside the limits. A coordinate at a limit with the cost falling
    /// outwards stays; one whose step would cross a limit stops at it, and the others are solved
    /// again with that known. Returns `false` when the matrix is not positive definite.
    fn bounded_step(&mut self, base: usize, n: usize, damping: f64) -> bool {
        /// Rounds of stopping at limits; what still crosses one after the last is clamped.
        const ROUNDS: usize = 4;
        self.fixed[..n].fill(None);
        for (i, &(low, high)) in self.coordinates.range.iter().enumerate() {
            let slope = self.now.gradient[base + i];
            if (self.x[i] <= low && slope > 0.0) || (self.x[i] >= high && slope < 0.0) {
                self.fixed[base + i] = Some(0.0);
            }
        }
        for _ in 0..ROUNDS {
            if !self.factor_and_solve(n, damping) {
                return false;
            }
            let mut crossed = false;
            for (i, &(low, high)) in self.coordinates.range.iter().enumerate() {
                let wanted = self.x[i] + self.step[base + i];
                if self.fixed[base + i].is_none() && (wanted < low || wanted > high) {
                    self.fixed[base + i] = Some(wanted.clamp(low, high) - self.x[i]);
                    crossed = true;
                }
            }
            if !crossed {
                break;
            }
        }
        true
    }

    /// Solves `(H + damping diag H) step = -gradient` by Cholesky, with some steps given.
    fn factor_and_solve(&mut self, n: usize, damping: f64) -> bool {
        let Self { factor, step, fixed, now, .. } = self;
        for i in 0..n {
            step[i] = fixed[i].unwrap_or(-now.gradient[i]);
            for j in 0..i {
                let entry = now.hessian[i * n + j];
                factor[i * n + j] = 0.0;
                match (fixed[i], fixed[j]) {
                    (None, None) => factor[i * n + j] = entry,
                    (None, Some(given)) => step[i] -= entry * given,
                    (Some(given), None) => step[j] -= entry * given,
                    (Some(_), Some(_)) => {}
                }
            }
            // The floor keeps variables solvable that no residual depends on.
            let diagonal = now.hessian[i * n + i] * (1.0 + damping) + 1e-12;
            factor[i * n + i] = if fixed[i].is_none() { diagonal } else { 1.0 };
        }
        cholesky_solve(n, factor, step)
    }

    fn moved(&self, root: &Pose) -> Pose {
        let d = &self.step;
        let turn = UnitQuaternion::from_scaled_axis(Vector3::new(d[3], d[4], d[5]));
        let position = root.translation.vector + Vector3::new(d[0], d[1], d[2]);
        Pose::from_parts(position.into(), turn * root.rotation)
    }
}

/// Factors the lower triangle of the row-major `n x n` matrix in place and solves for `b`.
fn cholesky_solve(n: usize, a: &mut [f64], b: &mut [f64]) -> bool {
    for i in 0..n {
        let (above, row) = a.split_at_mut(i * n);
        for j in 0..i {
            let other = &above[j * n..j * n + j + 1];
            let dot: f64 = row[..j].iter().zip(other).map(|(x, y)| x * y).sum();
            row[j] = (row[j] - dot) / other[j];
        }
        let pivot = row[i] - row[..i].iter().map(|x| x * x).sum::<f64>();
        // Catches NaN as well as a loss of definiteness.
        if pivot.is_nan() || pivot <= 0.0 {
            return false;
        }
        row[i] = pivot.sqrt();
        let dot: f64 = row[..i].iter().zip(b.iter()).map(|(x, y)| x * y).sum();
        b[i] = (b[i] - dot) / row[i];
    }
    for i in (0..n).rev() {
        b[i] /= a[i * n + i];
        for j in 0..i {
            b[j] -= a[i * n + j] * b[i];
        }
    }
    true
}

/// Normal equations: lower triangle of `J^T J` (row-major), `J^T r`, and half `r^T r`.
#[derive(Clone, Debug)]
struct Normal {
    n: usize,
    hessian: Vec<f64>,
    gradient: Vec<f64>,
    cost: f64,
}

impl Normal {
    fn new(n: usize) -> Self {
        Self { n, hessian: vec![0.0; n * n], gradient: vec![0.0; n], cost: 0.0 }
    }

    /// How much the quadratic model falls by a step.
    fn decrease(&self, step: &[f64]) -> f64 {
        let mut fall = 0.0;
        for i in 0..self.n {
            let row = &self.hessian[i * self.n..i * self.n + i];
            let below: f64 = row.iter().zip(step).map(|(h, s)| h * s).sum();
            let diagonal = 0.5 * self.hessian[i * self.n + i] * step[i];
            fall -= step[i] * (self.gradient[i] + below + diagonal);
        }
        fall
    }

    fn reset(&mut self, n: usize) {
        self.n = n;
        self.hessian[..n * n].fill(0.0);
        self.gradient[..n].fill(0.0);
        self.cost = 0.0;
    }
}

impl Sink for Normal {
    fn vector(&mut self, residual: &Vector3<f64>, columns: &[(usize, Vector3<f64>)], huber: f64) {
        let norm = residual.norm();
        // Iteratively reweighted least squares: inside the Huber radius plain squares, outside
        // the weight that gives the gradient of the linear branch.
        let weight = if norm <= huber { 1.0 } else { huber / norm };
        self.cost += if norm <= huber { 0.5 * norm * norm } else { huber * (norm - 0.5 * huber) };
        for (i, (a, ca)) in columns.iter().enumerate() {
            let scaled = ca * weight;
            self.gradient[*a] += scaled.dot(residual);
            for (b, cb) in &columns[..=i] {
                self.hessian[a.max(b) * self.n + a.min(b)] += scaled.dot(cb);
            }
        }
    }

    fn scalar(&mut self, residual: f64, columns: &[(usize, f64)]) {
        self.cost += 0.5 * residual * residual;
        for (i, (a, ca)) in columns.iter().enumerate() {
            self.gradient[*a] += ca * residual;
            for (b, cb) in &columns[..=i] {
                self.hessian[a.max(b) * self.n + a.min(b)] += ca * cb;
            }
        }
    }
}

#[cfg(test)]
mod tests;
