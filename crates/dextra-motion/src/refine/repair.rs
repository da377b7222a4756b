//! Receding-horizon sampling (model-predictive path integral control) round a control sequence that
//! falls short: in each window, perturb the remaining controls, keep what tracks better, go on.

use super::RefineError;
use super::judge::tip_distance;
use super::outcome::METRES_PER_RADIAN;
use super::trials::Trials;
use dextra_core::{Pose, pose};
use dextra_sim::batch::Fate;
use dextra_sim::world::World;
use nalgebra::Point3;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

/// Settings of the repair; the defaults held in the prototype.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RepairConfig {
    /// Horizon of a window, seconds.
    pub horizon: f64,
    /// Distance of the knots of the perturbation and length of the committed part, seconds.
    pub knot: f64,
    /// Trials per iteration.
    pub trials: usize,
    /// Iterations per window.
    pub iterations: usize,
    /// Standard deviation of a wrist slide, metres.
    pub slide_sigma: f64,
    /// Standard deviation of a wrist hinge, radians.
    pub hinge_sigma: f64,
    /// Standard deviation of a finger target, radians.
    pub finger_sigma: f64,
    /// A window whose error stays below this needs no repair, metres.
    pub good_position: f64,
    /// A window whose error stays below this needs no repair, radians.
    pub good_rotation: f64,
}

impl Default for RepairConfig {
    fn default() -> Self {
        Self {
            horizon: 0.5,
            knot: 0.1,
            trials: 48,
            iterations: 4,
            slide_sigma: 0.012,
            hinge_sigma: 0.08,
            finger_sigma: 0.18,
            good_position: 0.018,
            good_rotation: 0.3,
        }
    }
}

/// Where the fingers of a hold should stay.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldTips {
    /// Index of the hand.
    pub hand: usize,
    /// Index of the object.
    pub object: usize,
    /// Steps during which the tips should stay there.
    pub steps: (usize, usize),
    /// Fingertips in the object's frame, in the order of [`super::trials::tips`].
    pub tips_in_object: Vec<Point3<f64>>,
}

/// What the repair follows.
pub struct Target<'a> {
    /// Reference pose per object and state.
    pub reference: &'a [Vec<Pose>],
    /// Where fingers should stay; rolling holds are left out.
    pub holds: &'a [HeldTips],
}

/// Improves `ctrl` (`[N * nu]`, from a fresh reset at `qpos0`) from step `from` on, until `budget`
/// physics steps are spent in all; the rest is then played as it is.
///
/// # Errors
/// [`RefineError::Interrupted`], or the engine's refusal.
pub fn repair(
    trials: &mut Trials<'_>,
    target: &Target<'_>,
    qpos0: &[f64],
    ctrl: &[f64],
    from: usize,
    config: &RepairConfig,
    budget: u64,
    seed: u64,
) -> Result<Vec<f64>, RefineError> {
    let scene = trials.scene;
    let nu = scene.model.ffi().nu as usize;
    let dt = scene.config.timestep;
    let steps = ctrl.len() / nu;
    let knot_steps = ((config.knot / dt).round() as usize).max(1);
    let horizon = ((config.horizon / dt).round() as usize).max(knot_steps);
    let from = from / knot_steps * knot_steps;
    let sigma = sigmas(trials, config, nu);
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut knots = vec![vec![0.0; nu]; steps / knot_steps + 3];
    let mut improved = ctrl.to_vec();
    let mut world = World::new(scene);
    world.reset(qpos0);
    for row in ctrl.chunks_exact(nu).take(from) {
        world.step(row);
    }
    let mut now = from;
    while now < steps {
        let end = (now + horizon).min(steps);
        // The knot at `now` is already being played.
        let first_knot = now / knot_steps + 1;
        let window = Window { now, end, first_knot, knot_steps, nu };
        let state = world.state();
        let mut best = knots[first_knot..=end / knot_steps + 1].to_vec();
        let nominal = cost_of(trials, target, &state, ctrl, &knots, &window, vec![best.clone()])?;
        let mut best_cost = nominal[0];
        if !nominal[0].good(config) && trials.sim_steps < budget {
            let mut mean = best.clone();
            let mut scale = 1.0;
            for _ in 0..config.iterations {
                let samples = perturbed(&mean, &sigma, scale, config.trials, &mut rng);
                let costs =
                    cost_of(trials, target, &state, ctrl, &knots, &window, samples.clone())?;
                let mut order: Vec<usize> = (0..samples.len()).collect();
                order.sort_by(|&a, &b| costs[a].cost.total_cmp(&costs[b].cost));
                if costs[order[0]].cost < best_cost.cost {
                    best_cost = costs[order[0]];
                    best.clone_from(&samples[order[0]]);
                }
                mean = weighted(&samples, &costs, &order);
                scale *= 0.75;
                if best_cost.good(config) {
                    break;
                }
            }
        }
        for (slot, knot) in best.into_iter().enumerate() {
            knots[first_knot + slot] = knot;
        }
        let commit = (now + knot_steps).min(steps);
        for step in now..commit {
            let row = &mut improved[step * nu..(step + 1) * nu];
            add_residual(row, &knots, step, knot_steps);
            world.step(row);
        }
        now = commit;
    }
    Ok(improved)
}

/// Added to the cost of a trial that left the real numbers.
const BROKEN: f64 = 10.0;

/// Cost of a window and its worst errors.
#[derive(Clone, Copy, Debug)]
struct WindowCost {
    cost: f64,
    position: f64,
    rotation: f64,
}

impl WindowCost {
    fn good(&self, config: &RepairConfig) -> bool {
        self.position < config.good_position && self.rotation < config.good_rotation
    }
}

/// A stretch of steps and the knots that shape it.
struct Window {
    now: usize,
    end: usize,
    first_knot: usize,
    knot_steps: usize,
    nu: usize,
}

fn sigmas(trials: &Trials<'_>, config: &RepairConfig, nu: usize) -> Vec<f64> {
    let mut sigma = vec![config.finger_sigma; nu];
    for hand in &trials.scene.hands {
        for (slot, &index) in hand.wrist_ctrl.iter().enumerate() {
            sigma[index] = if slot < 3 { config.slide_sigma } else { config.hinge_sigma };
        }
    }
    sigma
}

/// Perturbed copies of `mean`; the first is `mean` itself, every other one is constant in time.
fn perturbed(
    mean: &[Vec<f64>],
    sigma: &[f64],
    scale: f64,
    count: usize,
    rng: &mut Pcg64,
) -> Vec<Vec<Vec<f64>>> {
    let mut draw = || -> Vec<f64> {
        sigma
            .iter()
            .map(|s| {
                let z: f64 = rng.sample(StandardNormal);
                s * scale * z
            })
            .collect()
    };
    (0..count)
        .map(|index| {
            let mut sample = mean.to_vec();
            let constant = draw();
            for knot in &mut sample {
                let noise = if index % 2 == 1 { constant.clone() } else { draw() };
                if index > 0 {
                    knot.iter_mut().zip(noise).for_each(|(k, n)| *k += n);
                }
            }
            sample
        })
        .collect()
}

/// Softmax mean of the best 15 %, at a temperature of 0.3 of their spread.
fn weighted(samples: &[Vec<Vec<f64>>], costs: &[WindowCost], order: &[usize]) -> Vec<Vec<f64>> {
    let elite = &order[..(order.len() * 15 / 100).max(3).min(order.len())];
    let mean = elite.iter().map(|&i| costs[i].cost).sum::<f64>() / elite.len() as f64;
    let variance =
        elite.iter().map(|&i| (costs[i].cost - mean).powi(2)).sum::<f64>() / elite.len() as f64;
    let temperature = (0.3 * variance.sqrt()).max(1e-9);
    let weights: Vec<f64> = elite
        .iter()
        .map(|&i| (-(costs[i].cost - costs[elite[0]].cost) / temperature).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let mut result = samples[elite[0]].clone();
    for (k, knot) in result.iter_mut().enumerate() {
        for (d, value) in knot.iter_mut().enumerate() {
            *value =
                elite.iter().zip(&weights).map(|(&i, w)| w * samples[i][k][d]).sum::<f64>() / total;
        }
    }
    result
}

/// Adds the residual at `step`, linear between knots.
fn add_residual(row: &mut [f64], knots: &[Vec<f64>], step: usize, knot_steps: usize) {
    let low = step / knot_steps;
    let t = (step % knot_steps) as f64 / knot_steps as f64;
    for (d, value) in row.iter_mut().enumerate() {
        *value += (1.0 - t) * knots[low][d] + t * knots[low + 1][d];
    }
}

fn cost_of(
    trials: &mut Trials<'_>,
    target: &Target<'_>,
    state: &[f64],
    ctrl: &[f64],
    knots: &[Vec<f64>],
    window: &Window,
    samples: Vec<Vec<Vec<f64>>>,
) -> Result<Vec<WindowCost>, RefineError> {
    let count = samples.len();
    let rows = trials.journaled("repair", |trials| {
        let (nu, span) = (window.nu, window.end - window.now);
        let worlds: Vec<usize> = (0..count).collect();
        let mut controls = Vec::with_capacity(count * span * nu);
        for (world, sample) in samples.iter().enumerate() {
            trials.batch().set_state(world, state)?;
            let mut all = knots.to_vec();
            for (slot, knot) in sample.iter().enumerate() {
                all[window.first_knot + slot].clone_from(knot);
            }
            for step in window.now..window.end {
                let mut row = ctrl[step * nu..(step + 1) * nu].to_vec();
                add_residual(&mut row, &all, step, window.knot_steps);
                controls.extend(row);
            }
        }
        trials.sim_steps += (count * span) as u64;
        let qpos = trials.batch().rollout(&worlds, span, &controls)?;
        let nq = qpos.len() / (count * span);
        let mut rows = Vec::with_capacity(3 * count);
        for (world, sample) in samples.iter().enumerate() {
            let path = &qpos[world * span * nq..(world + 1) * span * nq];
            let cost = window_cost(trials, target, path, nq, window);
            let effort: f64 = sample.iter().flatten().map(|r| r * r).sum::<f64>()
                / (sample.len().max(1) * nu) as f64;
            let lost = if trials.batch().fate(world) == Fate::Fine { 0.0 } else { BROKEN };
            rows.extend([cost.cost + 0.05 * effort + lost, cost.position + lost, cost.rotation]);
        }
        Ok(rows)
    })?;
    Ok(rows
        .chunks_exact(3)
        .map(|row| WindowCost { cost: row[0], position: row[1], rotation: row[2] })
        .collect())
}

fn window_cost(
    trials: &Trials<'_>,
    target: &Target<'_>,
    path: &[f64],
    nq: usize,
    window: &Window,
) -> WindowCost {
    let scene = trials.scene;
    let span = path.len() / nq;
    let (mut sum, mut weights) = (0.0, 0.0);
    let (mut worst_position, mut worst_rotation) = (0.0f64, 0.0f64);
    for (k, qpos) in path.chunks_exact(nq).enumerate() {
        let step = window.now + k + 1;
        let weight = if k * 5 >= span * 4 { 2.0 } else { 1.0 };
        for (object, reference) in target.reference.iter().enumerate() {
            let goal = &reference[step.min(reference.len() - 1)];
            let real = scene.world_from_object(object, qpos);
            let position = pose::distance_between(&real, goal);
            let rotation = pose::angle_between(&real, goal);
            let lost = if position > 0.028 { 0.02 } else { 0.0 };
            sum += weight * (position + METRES_PER_RADIAN * rotation + lost);
            worst_position = worst_position.max(position);
            worst_rotation = worst_rotation.max(rotation);
        }
        weights += weight;
        if k % 10 == 0 {
            sum += weight * 0.3 * 10.0 * tip_error(trials, target, qpos, step);
        }
    }
    WindowCost { cost: sum / weights, position: worst_position, rotation: worst_rotation }
}

/// Mean distance of the tips beyond 5 mm from where they should be in the object frame, metres; zero
/// while nothing is held.
fn tip_error(trials: &Trials<'_>, target: &Target<'_>, qpos: &[f64], step: usize) -> f64 {
    const SLACK: f64 = 0.005;
    let held = target.holds.iter().filter(|hold| (hold.steps.0..=hold.steps.1).contains(&step));
    let errors: Vec<f64> = held
        .map(|hold| {
            let hand = trials.hands[hold.hand];
            let of = (hold.hand, hold.object);
            tip_distance(trials.scene, hand, of, &hold.tips_in_object, qpos, SLACK)
        })
        .collect();
    errors.iter().sum::<f64>() / errors.len().max(1) as f64
}
