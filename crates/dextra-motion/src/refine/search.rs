//! The cross-entropy method over the parameters of a plan.

use super::RefineError;
use super::outcome::{Margin, Outcome};
use super::plan::{Plan, RELEASE_PARAMETERS, WRIST_PARAMETERS};
use super::trials::{Trials, Window};
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
    /// Stops when the best trial stays below this.
    pub good: Margin,
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

/// Standard deviations of the first iteration: 1.5 cm, 0.25 rad, 0.35 of the squeeze, 0.25 rad per
/// finger target, no change of the release; none for holds before `first_hold`.
pub fn first_sigma(plan: &Plan<'_>, first_hold: usize) -> Vec<f64> {
    let mut sigma = Vec::with_capacity(plan.parameters());
    for hold in 0..plan.grasps.len() {
        let scale = if hold < first_hold { 0.0 } else { 1.0 };
        sigma.extend([0.015 * scale; 3]);
        sigma.extend([0.25 * scale; 3]);
        sigma.push(0.35 * scale);
        let fingers = plan.hold_parameters(hold) - WRIST_PARAMETERS - RELEASE_PARAMETERS;
        sigma.extend(std::iter::repeat_n(0.25 * scale, fingers));
        sigma.extend([0.0; RELEASE_PARAMETERS]);
    }
    sigma
}

/// Whether the best cost of each iteration so far has hardly fallen lately.
fn stalled(history: &[f64]) -> bool {
    const LOOKED_BACK: usize = 3;
    const GAIN: f64 = 0.04;
    let before = history.len().checked_sub(LOOKED_BACK + 1).map(|i| history[i]);
    before.is_some_and(|before| history.last().is_some_and(|now| *now > (1.0 - GAIN) * before))
}

impl Search {
    /// A search around zero after the parameters of earlier holds.
    pub fn new(plan: &Plan<'_>, earlier: &[f64], first_hold: usize) -> Self {
        let sigma = first_sigma(plan, first_hold);
        let mut mean = vec![0.0; sigma.len()];
        mean[..earlier.len()].copy_from_slice(earlier);
        Self { best: mean.clone(), mean, sigma, outcome: None, elites: Vec::new() }
    }

    /// Forgets costs (they belong to another window), keeps the parameters, and searches around the
    /// best with deviations `scale` times the first ones.
    pub fn around_best(&self, plan: &Plan<'_>, scale: f64, first_hold: usize) -> Self {
        let mut sigma = first_sigma(plan, first_hold);
        sigma.iter_mut().for_each(|s| *s *= scale);
        Self {
            mean: self.best.clone(),
            sigma,
            best: self.best.clone(),
            outcome: None,
            elites: self.elites.clone(),
        }
    }

    /// Runs the cross-entropy method on a window of the plan.
    ///
    /// # Errors
    /// As [`Trials::evaluate`].
    pub fn run(
        &mut self,
        trials: &mut Trials<'_>,
        plan: &Plan<'_>,
        config: &CemConfig,
        window: &Window<'_>,
        seed: u64,
        status: &str,
    ) -> Result<(), RefineError> {
        let first = first_sigma(plan, window.first_hold);
        let floor: Vec<f64> = first.iter().map(|s| 0.1 * s).collect();
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut history: Vec<f64> = Vec::new();
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
            let outcomes = trials.evaluate(plan, &thetas, window, status)?;
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
            if self.outcome.is_some_and(|o| o.within(&config.good)) {
                break;
            }
            history.extend(self.outcome.map(|o| o.cost));
            if stalled(&history) {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::stalled;

    #[test]
    fn a_search_stalls_when_three_iterations_gain_less_than_four_percent() {
        assert!(!stalled(&[1.0, 1.0, 1.0]), "too early to tell");
        assert!(stalled(&[1.0, 1.0, 0.99, 0.97]));
        assert!(!stalled(&[1.0, 1.0, 0.99, 0.95]));
        assert!(stalled(&[5.0, 1.0, 1.0, 1.0, 1.0]), "only the last iterations count");
    }
}
