//! How often a skill succeeds, perturbed as stated.

use super::actor::Actor;
use crate::error::Error;
use dextra_core::metrics::{Protocol as Rule, wilson_interval};
use dextra_learn::LearnError;
use dextra_motion::track::TrackEnv;
use dextra_motion::track::evaluate::{self, Evaluation, Perturbation, Recording};
use dextra_motion::track::randomise::Noise;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A named perturbation.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// Its name.
    pub name: &'static str,
    /// What differs from the planned world.
    pub perturbation: Perturbation,
}

/// The protocols of `dextra rollout`; success is DexMan's rule (3 cm and 0.5 rad at every judged state)
/// throughout. Draws come from `seed`.
pub fn protocols(seed: u64) -> Vec<Protocol> {
    let none = Perturbation { seed, ..Perturbation::default() };
    let off =
        |cm: f64, deg: f64| Perturbation { offset: cm / 100.0, yaw: deg.to_radians(), ..none };
    let noise = Noise { position: 0.015, ..Noise::default() };
    [
        ("as planned", none),
        ("0.5 cm", off(0.5, 0.0)),
        ("1 cm", off(1.0, 0.0)),
        ("2 cm", off(2.0, 0.0)),
        ("5 deg", off(0.0, 5.0)),
        ("10 deg", off(0.0, 10.0)),
        (MAIN, off(1.0, 5.0)),
        (FAR, off(2.0, 10.0)),
        ("noise of 1.5 cm", Perturbation { noise, ..none }),
        ("1 cm, half the mass", Perturbation { mass: 0.5, ..off(1.0, 0.0) }),
        ("1 cm, 1.5 times the mass", Perturbation { mass: 1.5, ..off(1.0, 0.0) }),
        ("1 cm, friction 0.6", Perturbation { friction: 0.6, ..off(1.0, 0.0) }),
        ("1 cm, one step late", Perturbation { late: true, ..off(1.0, 0.0) }),
    ]
    .into_iter()
    .map(|(name, perturbation)| Protocol { name, perturbation })
    .collect()
}

/// The protocol that decides whether a skill is accepted.
pub const MAIN: &str = "1 cm and 5 deg";

/// The largest displacement.
pub const FAR: &str = "2 cm and 10 deg";

/// Share of successes under [`MAIN`] from which a skill is accepted.
pub const ENOUGH: f64 = 0.95;

/// How one protocol went, closed loop and open loop on the same draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Name of the protocol.
    pub protocol: String,
    /// Trials that kept to DexMan's rule.
    pub successes: usize,
    /// Trials, of all seeds together.
    pub trials: usize,
    /// Successes of every seed, each of as many trials.
    pub by_seed: Vec<usize>,
    /// Share of successes.
    pub rate: f64,
    /// Lower end of its 95 % Wilson interval.
    pub wilson_low: f64,
    /// Upper end of its 95 % Wilson interval.
    pub wilson_high: f64,
    /// Successes of the base motion alone.
    pub open_loop_successes: usize,
    /// How many trials met each published rule, judged at every frame from the very start; see
    /// [`dextra_core::metrics::Protocol`].
    #[serde(default)]
    pub rules: BTreeMap<String, Met>,
    /// Median over the trials of the largest position error, centimetres.
    #[serde(deserialize_with = "crate::report::nan_for_null")]
    pub median_worst_cm: f64,
}

/// Trials that met a published rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// With the policy.
    pub successes: usize,
    /// With the base alone, on the same draws.
    pub open_loop_successes: usize,
}

/// Plays a protocol and keeps what was played.
pub(crate) fn record(
    env: &mut TrackEnv<'_>,
    actor: &Actor,
    perturbation: &Perturbation,
    trials: usize,
) -> Result<(Evaluation, Vec<Recording>), Error> {
    let mut failed = None;
    let act = acting(env, Some(actor), &mut failed);
    let played = evaluate::record(env, act, perturbation, trials);
    match failed {
        Some(error) => Err(Error::stage("rollout")(error)),
        None => played.map_err(Error::stage("rollout")),
    }
}

/// What an actor does for every row; nothing without one.
fn acting<'a>(
    env: &TrackEnv<'_>,
    actor: Option<&Actor>,
    failed: &'a mut Option<LearnError>,
) -> impl FnMut(&[f32], &mut [f32]) + use<'a> {
    let (seen, done) = (env.observation_dim(), env.action_dim());
    let mut actor = actor.cloned();
    move |observations: &[f32], actions: &mut [f32]| {
        let Some(actor) = &mut actor else { return };
        let rows = observations.chunks_exact(seen).zip(actions.chunks_exact_mut(done));
        for (observation, action) in rows {
            if let Err(error) = actor.act(observation, action) {
                *failed = Some(error);
            }
        }
    }
}

/// Plays a protocol; `None` plays the base alone.
pub(crate) fn play(
    env: &mut TrackEnv<'_>,
    actor: Option<&Actor>,
    perturbation: &Perturbation,
    trials: usize,
) -> Result<Evaluation, Error> {
    let mut failed = None;
    let act = acting(env, actor, &mut failed);
    let evaluation = evaluate::evaluate(env, act, perturbation, trials);
    match failed {
        Some(error) => Err(Error::stage("rollout")(error)),
        None => evaluation.map_err(Error::stage("rollout")),
    }
}

/// Plays the perturbation number `index` of [`protocols`] closed loop and open loop, `trials` times for every
/// seed.
pub(crate) fn score(
    env: &mut TrackEnv<'_>,
    actor: &Actor,
    index: usize,
    (seeds, trials): (&[u64], usize),
) -> Result<Score, Error> {
    let (mut by_seed, mut worst, mut open_loop_successes) = (Vec::new(), Vec::new(), 0);
    let mut rules: BTreeMap<String, Met> = BTreeMap::new();
    let mut name = "";
    for &seed in seeds {
        let protocol = protocols(seed).swap_remove(index);
        name = protocol.name;
        let closed = play(env, Some(actor), &protocol.perturbation, trials)?;
        let followed = env.set_anchor(false);
        let open = play(env, None, &protocol.perturbation, trials);
        env.set_anchor(followed);
        let open = open?;
        for rule in Rule::ALL {
            let met = |played: &Evaluation| {
                played.protocols.iter().filter(|protocols| protocols.passed(rule)).count()
            };
            let sum = rules.entry(rule.name().to_owned()).or_default();
            sum.successes += met(&closed);
            sum.open_loop_successes += met(&open);
        }
        open_loop_successes += open.successes;
        by_seed.push(closed.successes);
        worst.extend(closed.worst_position);
    }
    let (successes, trials) = (by_seed.iter().sum::<usize>(), worst.len());
    let (wilson_low, wilson_high) = wilson_interval(successes, trials);
    worst.sort_by(f64::total_cmp);
    Ok(Score {
        protocol: name.to_owned(),
        successes,
        trials,
        by_seed,
        rate: successes as f64 / trials as f64,
        wilson_low,
        wilson_high,
        open_loop_successes,
        rules,
        median_worst_cm: worst.get(worst.len() / 2).map_or(f64::NAN, |m| m * 100.0),
    })
}
