//! The cross-entropy method over the parameters of a plan.

use super::RefineError;
use super::outcome::Outcome;
use super::plan::{Plan, RELEASE_PARAMETERS, WRIST_PARAMETERS};
use super::trials::Trials;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

/// Settings of a cross-entropy search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CemConfig {
    /// Trials per iteration.
    pub trials: usize,
    /// Most iterations.
    pub iterations: usize,
    /// Fraction of trials that set the next distribution.
    pub elite: f64,
    /// Stops when the best trial stays below this position error, metres, ...
    pub good_position: f64,
    /// this rotation error, radians, ...
    pub good_rotation: f64,
    /// ... and this penetration while holding, metres.
    pub good_depth: f64,
}

/// A distribution over parameters and the best found so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Mean.
    pub mean: Vec<f64>,
    /// Standard deviation.
    pub sigma: Vec<f64>,
    /// Best parameters so far.
    pub best: Vec<f64>,
    /// Their outcome.
    pub outcome: Option<Outcome>,
    /// The best few of the last iteration, best first.
    pub elites: Vec<(Vec<f64>, Outcome)>,
}

/// Standard deviations of the first iteration for one hand: 1.5 cm, 0.25 rad, 0.35 of the squeeze,
/// 0.25 rad per finger target, no change of the release.
pub fn first_sigma(plan: &Plan<'_>) -> Vec<f64> {
    let mut sigma = Vec::with_capacity(plan.parameters());
    for hand in 0..plan.grasps.len() {
        sigma.extend([0.015; 3]);
        sigma.extend([0.25; 3]);
        sigma.push(0.35);
        let fingers = plan.hand_parameters(hand) - WRIST_PARAMETERS - RELEASE_PARAMETERS;
        sigma.extend(std::iter::repeat_n(0.25, fingers));
        sigma.extend([0.0; RELEASE_PARAMETERS]);
    }
    sigma
}

impl Search {
    /// A search around zero.
    pub fn new(plan: &Plan<'_>) -> Self {
        let sigma = first_sigma(plan);
        let mean = vec![0.0; sigma.len()];
        Self { best: mean.clone(), mean, sigma, outcome: None, elites: Vec::new() }
    }

    /// Forgets costs (they belong to another window), keeps the parameters, and searches around the
    /// best with deviations `scale` times the first ones.
    pub fn around_best(&self, plan: &Plan<'_>, scale: f64) -> Self {
        let mut sigma = first_sigma(plan);
        sigma.iter_mut().for_each(|s| *s *= scale);
        Self {
            mean: self.best.clone(),
            sigma,
            best: self.best.clone(),
            outcome: None,
            elites: self.elites.clone(),
        }
    }

    /// Runs the cross-entropy method on the window `from..to` of the plan.
    ///
    /// # Errors
    /// As [`Trials::evaluate`].
    pub fn run(
        &mut self,
        trials: &mut Trials<'_>,
        plan: &Plan<'_>,
        config: &CemConfig,
        window: (usize, usize),
        open_joints: &[Vec<f64>],
        seed: u64,
        status: &str,
    ) -> Result<(), RefineError> {
        let floor: Vec<f64> = first_sigma(plan).iter().map(|s| 0.1 * s).collect();
        let mut rng = Pcg64::seed_from_u64(seed);
        for iteration in 0..config.iterations {
            let mut thetas: Vec<Vec<f64>> = Vec::with_capacity(config.trials);
            thetas.push(self.mean.clone());
            if iteration == 0 && !self.elites.is_empty() {
                let first = config.trials / 4;
                thetas.extend(self.elites.iter().take(first).map(|(theta, _)| theta.clone()));
            } else if self.outcome.is_some() {
                thetas.push(self.best.clone());
            }
            while thetas.len() < config.trials {
                let noisy = self.mean.iter().zip(&self.sigma).map(|(mean, sigma)| {
                    let z: f64 = rng.sample(StandardNormal);
                    mean + sigma * z
                });
                thetas.push(noisy.collect());
            }
            let (from, to) = window;
            let outcomes = trials.evaluate(plan, &thetas, from, to, open_joints, status)?;
            let mut order: Vec<usize> = (0..thetas.len()).collect();
            order.sort_by(|&a, &b| outcomes[a].cost.total_cmp(&outcomes[b].cost));
            let count = ((config.trials as f64 * config.elite).round() as usize).max(3);
            self.elites = order[..count.min(order.len())]
                .iter()
                .map(|&i| (thetas[i].clone(), outcomes[i]))
                .collect();
            let best = &self.elites[0];
            if self.outcome.is_none_or(|old| best.1.cost < old.cost) {
                self.best = best.0.clone();
                self.outcome = Some(best.1);
            }
            for d in 0..self.mean.len() {
                let n = self.elites.len() as f64;
                let mean = self.elites.iter().map(|(t, _)| t[d]).sum::<f64>() / n;
                let variance =
                    self.elites.iter().map(|(t, _)| (t[d] - mean).powi(2)).sum::<f64>() / n;
                self.mean[d] = mean;
                self.sigma[d] = (0.7 * variance.sqrt() + 0.3 * self.sigma[d]).max(floor[d]);
            }
            let good = (config.good_position, config.good_rotation, config.good_depth);
            if self.outcome.is_some_and(|o| o.within(good.0, good.1, good.2)) {
                break;
            }
        }
        Ok(())
    }
}
