//! `rollout`: a skill, played closed loop under every stated perturbation.

use super::actor::Actor;
use super::store::Loaded;
use super::train::BEST;
use super::trials::{self, ENOUGH, MAIN, Score};
use crate::error::Error;
use crate::outputs;
use crate::page;
use crate::progress::Reporter;
use crate::report::Status;
use dextra_motion::track::curriculum::Curriculum;
use dextra_motion::track::randomise::Randomisation;
use dextra_motion::track::{Termination, TrackConfig, TrackEnv};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Stage name in errors and progress.
const STAGE: &str = "rollout";

/// What is asked of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutRequest {
    /// Folder of a skill, or of the transfer that made it.
    pub skill: PathBuf,
    /// Where the clip is now, if it has been moved.
    pub clip: Option<String>,
    /// Where the file of the hand is now, if it has been moved.
    pub hand: Option<String>,
    /// Trials per protocol and seed.
    pub trials: usize,
    /// Seeds of the perturbations.
    pub seeds: Vec<u64>,
    /// Threads; 0 for all cores. Does not influence the result.
    pub threads: usize,
}

/// What a rollout found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutReport {
    /// Clip.
    pub clip: String,
    /// Hand.
    pub hand: String,
    /// Recipe.
    pub recipe: String,
    /// Base motion.
    pub base: String,
    /// Seeds of the perturbations.
    pub seeds: Vec<u64>,
    /// Accepted when 95 in 100 trials succeed with the object 1 cm and up to 5 degrees off.
    pub status: Status,
    /// Every protocol.
    pub scores: Vec<Score>,
    /// Mean of every reward term per control step, as planned.
    pub reward_terms: Vec<(String, f64)>,
    /// Trials per protocol and seed.
    pub trials: usize,
    /// Source of the demonstration.
    #[serde(default)]
    pub source: String,
    /// Licence of the demonstration, which holds for everything made from it.
    #[serde(default)]
    pub licence: String,
}

/// Plays a skill under every protocol.
///
/// # Errors
/// A folder without a usable skill, a policy for another hand or other observations, and
/// [`Error::Cancelled`].
pub fn rollout(request: &RolloutRequest, reporter: &dyn Reporter) -> Result<RolloutReport, Error> {
    if request.trials == 0 || request.seeds.is_empty() {
        return Err(Error::Request("no trials show nothing".to_owned()));
    }
    if let Some(twice) =
        (1..request.seeds.len()).find(|&i| request.seeds[..i].contains(&request.seeds[i]))
    {
        let seed = request.seeds[twice];
        return Err(Error::Request(format!("seed {seed} twice would count the same trials twice")));
    }
    let trials = request.trials * request.seeds.len();
    if let Some(note) = too_few(trials) {
        reporter.note(&note);
    }
    let moved = (request.clip.as_deref(), request.hand.as_deref());
    let loaded = Loaded::open(&request.skill, moved, reporter)?;
    let hands = loaded.hands();
    let config = TrackConfig {
        threads: request.threads,
        worlds: request.trials.min(100),
        ..loaded.recipe.track.clone()
    };
    let mut env =
        TrackEnv::new(loaded.task(&hands), config.clone()).map_err(Error::stage(STAGE))?;
    let imitator = loaded.imitator(&env, &hands)?;
    let actor = Actor::load(&loaded.dir.join(BEST), &env, &hands, imitator)?;
    let scores = all(&mut env, &actor, (&request.seeds, request.trials), reporter)?;
    Ok(RolloutReport {
        clip: loaded.skill.clip.clone(),
        hand: loaded.skill.hand.clone(),
        recipe: loaded.skill.recipe.clone(),
        base: loaded.skill.base.name().to_owned(),
        seeds: request.seeds.clone(),
        status: status(&scores),
        scores,
        reward_terms: reward_terms(&loaded, &hands, &actor, config)?,
        trials: request.trials,
        source: loaded.skill.source.clone(),
        licence: loaded.skill.licence.clone(),
    })
}

impl RolloutReport {
    /// The file that [`write`](Self::write) writes.
    pub const FILE: &str = "rollout.json";

    /// Writes `rollout.json` and its page `report.html` into `dir`.
    ///
    /// # Errors
    /// A folder with the result of another verb, and files that cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        page::put(dir, Self::FILE, self)?;
        outputs::write_source(dir, &self.source, &self.licence)
    }
}

/// With fewer trials Wilson's 95 % interval of an unbroken success reaches below 0.84.
const FEW: usize = 20;

/// What is to be said of a verdict on so few trials.
pub(super) fn too_few(trials: usize) -> Option<String> {
    (trials < FEW).then(|| {
        format!("the policy was judged by {trials} trials a perturbation: too few to tell 0.95")
    })
}

/// Every protocol in turn, so many trials for every seed.
pub(crate) fn all(
    env: &mut TrackEnv<'_>,
    actor: &Actor,
    (seeds, trials): (&[u64], usize),
    reporter: &dyn Reporter,
) -> Result<Vec<Score>, Error> {
    let protocols = trials::protocols(0).len();
    reporter.stage(STAGE, Some(protocols as u64));
    let mut scores: Vec<Score> = Vec::new();
    for index in 0..protocols {
        if reporter.cancelled() {
            return Err(Error::Cancelled { stage: STAGE.to_owned() });
        }
        let score = trials::score(env, actor, index, (seeds, trials))?;
        scores.push(score);
        let last = &scores[scores.len() - 1];
        let message = format!("{}: {} of {}", last.protocol, last.successes, last.trials);
        reporter.advance(scores.len() as u64, &message);
    }
    Ok(scores)
}

/// The verdict on a skill.
pub(crate) fn status(scores: &[Score]) -> Status {
    let good = scores.iter().any(|score| score.protocol == MAIN && score.rate >= ENOUGH);
    if good { Status::Accepted } else { Status::Rejected }
}

/// Mean of every reward term over one episode from the start, nothing relaxed, varied or ended early.
fn reward_terms(
    loaded: &Loaded,
    hands: &[&dextra_sim::hand::Hand],
    actor: &Actor,
    config: TrackConfig,
) -> Result<Vec<(String, f64)>, Error> {
    let config = TrackConfig {
        worlds: 1,
        from_start: 1.0,
        termination: Termination::NEVER,
        curriculum: Curriculum::default(),
        randomisation: Randomisation::default(),
        ..config
    };
    let mut env = TrackEnv::new(loaded.task(hands), config).map_err(Error::stage(STAGE))?;
    let mut observation = env.reset_all(0).map_err(Error::stage(STAGE))?;
    let mut action = vec![0.0; env.action_dim()];
    let mut actor = actor.clone();
    let mut out = dextra_motion::track::StepOut::default();
    for _ in 0..env.steps() {
        actor.act(&observation, &mut action).map_err(Error::stage(STAGE))?;
        env.step(&action, &mut out).map_err(Error::stage(STAGE))?;
        observation.clone_from(&out.observations);
    }
    let terms = env.take_term_means().into_iter();
    Ok(terms.map(|(name, mean)| (name.to_owned(), mean)).collect())
}
