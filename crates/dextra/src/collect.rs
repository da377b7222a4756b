//! `collect`: many clips on many hands with many seeds, and of each the rollouts of its skill that were
//! accepted, as a dataset with provenance (the role of DexManipNet in ManipTrans).
//!
//! | file | content |
//! |---|---|
//! | `episodes/CASE-NNN.npz` | one accepted rollout, in the format of `rollout.npz` |
//! | `index.jsonl` | one line per episode |
//! | `cases.jsonl` | one line per clip, hand and seed, failures included |
//! | `dataset.json` | counts, licences, version; written last, but for |
//! | `report.html` | its page |
//! | `cases/CASE/` | the transfer and its policy |

use crate::clock::Clock;
use crate::demo;
use crate::error::{Error, chain};
use crate::outputs;
use crate::page;
use crate::progress::Reporter;
use crate::report::Status;
use crate::request::TransferRequest;
use crate::skill::Recipe;
use crate::skill::actor::Actor;
use crate::skill::store::Loaded;
use crate::skill::train::BEST;
use crate::skill::trials::{self, MAIN};
use crate::transfer::transfer;
use dextra_core::rollout::Limits;
use dextra_data::{ClipOptions, atomic};
use dextra_motion::track::{TrackConfig, TrackEnv};
use dextra_sim::world::replay;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const STAGE: &str = "collect";
const SIZE_LIMIT: u64 = 1 << 30;
/// Status of a case that could not be tried.
const FAILED: &str = "failed";

/// What is collected.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectRequest {
    /// Clips, by file or name.
    pub clips: Vec<String>,
    /// Hands.
    pub hands: Vec<String>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Recipe of the policies.
    pub policy: String,
    /// Settings of the recipe to change.
    pub settings: Vec<String>,
    /// Rollouts tried per case, objects up to 1 cm and 5 degrees off.
    pub rollouts: usize,
    /// The folder of the dataset; cases that are in it already are not repeated but for those that failed.
    pub out: PathBuf,
    /// Threads; `None` for all cores.
    pub threads: Option<usize>,
    /// What is stated about the clips.
    pub options: ClipOptions,
}

/// One clip, hand and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name, unique in the dataset.
    pub case: String,
    /// Clip.
    pub clip: String,
    /// Hand.
    pub hand: String,
    /// Seed.
    pub seed: u64,
    /// `accepted`, `rejected` or `failed`.
    pub status: String,
    /// Why not accepted.
    pub cause: Option<String>,
    /// Rollouts tried.
    pub tried: usize,
    /// Rollouts that were accepted and kept.
    pub episodes: usize,
    /// Processor time, seconds.
    pub cpu_s: f64,
    /// Recipe of the policy.
    #[serde(default)]
    pub recipe: String,
    /// Settings of the recipe that were changed.
    #[serde(default)]
    pub settings: Vec<String>,
    /// SHA-256 over all that the case was made from: clip and what is stated about it, hand, seed, recipe, settings,
    /// number of rollouts, and the version of the program; files by their content.
    #[serde(default)]
    pub made_from: String,
}

/// One episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Episode {
    /// File within the dataset.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The case it belongs to.
    pub case: String,
    /// Physics steps.
    pub steps: usize,
    /// Largest position error of an object at a judged frame, centimetres.
    pub max_t_cm: f64,
    /// Largest rotation error, degrees.
    pub max_r_deg: f64,
    /// Licence that it inherits from the clip.
    pub licence: String,
    /// Where the clip comes from.
    pub source: String,
}

/// `dataset.json`, and what the verb returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Of the layout of the folder.
    pub format_version: u32,
    /// Cases by status.
    pub cases: BTreeMap<String, usize>,
    /// Rollouts tried.
    pub tried: usize,
    /// Episodes kept.
    pub episodes: usize,
    /// Physics steps of all episodes.
    pub steps: usize,
    /// What came of each clip.
    #[serde(default)]
    pub clips: BTreeMap<String, Tally>,
    /// What came of each hand.
    #[serde(default)]
    pub hands: BTreeMap<String, Tally>,
    /// Episodes by licence.
    pub licences: BTreeMap<String, usize>,
    /// Processor time of all cases, seconds.
    pub cpu_s: f64,
    /// Version that wrote it.
    pub dextra_version: String,
}

/// What came of the cases of one clip or hand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Cases.
    pub cases: usize,
    /// Cases that were accepted.
    pub accepted: usize,
    /// Rollouts tried.
    pub tried: usize,
    /// Episodes kept.
    pub episodes: usize,
}

impl Tally {
    fn count(&mut self, case: &Case) {
        self.cases += 1;
        self.accepted += usize::from(case.status == Status::Accepted.name());
        self.tried += case.tried;
        self.episodes += case.episodes;
    }
}

/// Collects a dataset. A case that fails is written down and does not stop the others.
///
/// # Errors
/// A request without clips, hands, seeds or rollouts, or with a clip or hand that is not there; a folder with cases of the
/// same names made from something else, or that cannot be written, and
/// [`Error::Cancelled`]; the same request then goes on.
pub fn collect(request: &CollectRequest, reporter: &dyn Reporter) -> Result<Dataset, Error> {
    let empty = [request.clips.len(), request.hands.len(), request.seeds.len(), request.rollouts];
    if empty.contains(&0) {
        let message = "a collection needs at least one clip, one hand, one seed and one rollout";
        return Err(Error::Request(message.to_owned()));
    }
    // A mistyped recipe or setting is found before any case.
    Recipe::resolve(&request.policy)?.with(&request.settings)?;
    let out = &request.out;
    page::may_hold(out, "dataset.json")?;
    let mut cases: Vec<Case> = read_lines(&out.join("cases.jsonl"))?;
    let all = names(request)?;
    let mut wanted = Vec::new();
    for (name, clip, hand, seed) in &all {
        let made_from = fingerprint(request, clip, hand, *seed)?;
        let other = |case: &&Case| case.case == *name && case.status != FAILED;
        if cases.iter().find(other).is_some_and(|case| case.made_from != made_from) {
            return Err(Error::Request(format!(
                "{}: the case {name} is there already, but made from another clip, hand, recipe, setting, number of \
                 rollouts or version; name another folder",
                out.display()
            )));
        }
        wanted.push(made_from);
    }
    // What failed is tried again.
    cases.retain(|case| case.status != FAILED || !all.iter().any(|(name, ..)| *name == case.case));
    let known: Vec<String> = cases.iter().map(|case| case.case.clone()).collect();
    let mut episodes: Vec<Episode> = read_lines(&out.join("index.jsonl"))?;
    // Episodes of a case that was interrupted are made anew.
    episodes.retain(|episode| known.contains(&episode.case));
    // A mistyped name is found before the first case takes its hours.
    for (_, clip, hand, _) in all.iter().filter(|(name, ..)| !known.contains(name)) {
        demo::find(clip)?;
        crate::hand::find(hand)?;
    }
    let folder = out.join("episodes");
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    for (done, ((name, clip, hand, seed), made_from)) in all.iter().zip(wanted).enumerate() {
        reporter.note(&format!("case {} of {}: {name}", done + 1, all.len()));
        if known.contains(name) {
            continue;
        }
        let clock = Clock::start();
        let mut case = Case {
            case: name.clone(),
            clip: clip.clone(),
            hand: hand.clone(),
            seed: *seed,
            status: FAILED.to_owned(),
            cause: None,
            tried: 0,
            episodes: 0,
            cpu_s: 0.0,
            recipe: request.policy.clone(),
            settings: request.settings.clone(),
            made_from,
        };
        match one(request, &mut case, reporter) {
            Ok(kept) => episodes.extend(kept),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => case.cause = Some(chain(&error)),
        }
        if let Some(cause) = &case.cause {
            reporter.note(&format!("{name} {}: {cause}", case.status));
        }
        case.cpu_s = clock.elapsed().1;
        cases.push(case);
        write_lines(&out.join("index.jsonl"), &episodes)?;
        write_lines(&out.join("cases.jsonl"), &cases)?;
    }
    let dataset = summary(&cases, &episodes);
    page::put(out, "dataset.json", &dataset)?;
    Ok(dataset)
}

/// See [`Case::made_from`]. A file that cannot be read counts as nothing: its case fails, and is tried again.
fn fingerprint(
    request: &CollectRequest,
    clip: &str,
    hand: &str,
    seed: u64,
) -> Result<String, Error> {
    let content = |name: &str| {
        let bytes = atomic::read_file(Path::new(name), SIZE_LIMIT).unwrap_or_default();
        (Path::new(name).file_name().map(|n| n.to_owned()), atomic::sha256_hex(&bytes))
    };
    let files = [clip, hand, &request.policy].map(content);
    let options = format!("{:?}", request.options);
    let rest = (seed, request.rollouts, &request.settings, options, env!("CARGO_PKG_VERSION"));
    let all = serde_json::to_vec(&(format!("{files:?}"), rest)).map_err(Error::stage(STAGE))?;
    Ok(atomic::sha256_hex(&all))
}

/// Name, clip, hand and seed of every case.
fn names(request: &CollectRequest) -> Result<Vec<(String, String, String, u64)>, Error> {
    let stem =
        |text: &str| Path::new(text).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut all: Vec<(String, String, String, u64)> = Vec::new();
    for seed in &request.seeds {
        for clip in &request.clips {
            for hand in &request.hands {
                let name = format!("{}-{}-{seed}", stem(clip), stem(hand));
                if let Some(twin) = all.iter().find(|case| case.0 == name) {
                    return Err(Error::Request(format!(
                        "{clip} on {hand} and {} on {} would both be called {name}",
                        twin.1, twin.2
                    )));
                }
                all.push((name, clip.clone(), hand.clone(), *seed));
            }
        }
    }
    Ok(all)
}

fn one(
    request: &CollectRequest,
    case: &mut Case,
    reporter: &dyn Reporter,
) -> Result<Vec<Episode>, Error> {
    let dir = request.out.join("cases").join(&case.case);
    let report = transfer(
        &TransferRequest {
            clip: case.clip.clone(),
            hand: case.hand.clone(),
            seed: case.seed,
            out: dir.clone(),
            threads: request.threads,
            options: request.options.clone(),
            film: false,
            video: false,
            robustness_trials: 20,
            policy: Some(request.policy.clone()),
            settings: request.settings.clone(),
            ..TransferRequest::default()
        },
        reporter,
    )?;
    let status = report.policy.as_ref().map_or(report.status, |policy| policy.status);
    case.status = status.name().to_owned();
    if status == Status::Rejected {
        let weak = "the policy succeeds in less than 95 of 100 trials";
        case.cause = Some(report.cause.unwrap_or_else(|| weak.to_owned()));
        return Ok(Vec::new());
    }
    let loaded = Loaded::open(&dir, (None, None), reporter)?;
    let hands = loaded.hands();
    let config = TrackConfig {
        threads: request.threads.unwrap_or(0),
        worlds: request.rollouts.min(100),
        ..loaded.recipe.track.clone()
    };
    let mut env = TrackEnv::new(loaded.task(&hands), config).map_err(Error::stage(STAGE))?;
    let imitator = loaded.imitator(&env, &hands)?;
    let actor = Actor::load(&loaded.dir.join(BEST), &env, &hands, imitator)?;
    // Draws that neither training, validation nor the report has seen.
    const OTHER_DRAWS: u64 = 104_729;
    let protocols = trials::protocols(case.seed.wrapping_add(OTHER_DRAWS));
    let protocol = protocols.iter().find(|p| p.name == MAIN).expect("a known name");
    let (_, recordings) =
        trials::record(&mut env, &actor, &protocol.perturbation, request.rollouts)?;
    case.tried = recordings.len();
    let (scene, timeline) = (&loaded.stage().scene, &loaded.stage().timeline);
    let mut kept = Vec::new();
    for recording in &recordings {
        let (qpos0, ctrl) = (&recording.qpos0, &recording.ctrl);
        let rollout = replay(scene, &scene.model, &hands, qpos0, ctrl, case.seed);
        let Ok(accepted) = rollout.accept(&timeline.judged, &Limits::default()) else { continue };
        let file = format!("episodes/{}-{:03}.npz", case.case, kept.len());
        let path = request.out.join(&file);
        let rollout = &*accepted;
        outputs::write_rollout(&path, rollout, &timeline.judged, loaded.demo())?;
        let bytes = atomic::read_file(&path, SIZE_LIMIT).map_err(Error::stage(STAGE))?;
        let metrics = accepted.metrics();
        kept.push(Episode {
            file,
            sha256: atomic::sha256_hex(&bytes),
            case: case.case.clone(),
            steps: rollout.steps(),
            max_t_cm: metrics.max_t.value * 100.0,
            max_r_deg: metrics.max_r.value.to_degrees(),
            licence: loaded.skill.licence.clone(),
            source: loaded.skill.source.clone(),
        });
    }
    case.episodes = kept.len();
    Ok(kept)
}

fn summary(cases: &[Case], episodes: &[Episode]) -> Dataset {
    let mut dataset = Dataset {
        format_version: 1,
        cases: BTreeMap::new(),
        tried: cases.iter().map(|case| case.tried).sum(),
        episodes: episodes.len(),
        steps: episodes.iter().map(|episode| episode.steps).sum(),
        clips: BTreeMap::new(),
        hands: BTreeMap::new(),
        licences: BTreeMap::new(),
        cpu_s: cases.iter().map(|case| case.cpu_s).sum(),
        dextra_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    for case in cases {
        *dataset.cases.entry(case.status.clone()).or_default() += 1;
        dataset.clips.entry(case.clip.clone()).or_default().count(case);
        dataset.hands.entry(case.hand.clone()).or_default().count(case);
    }
    for episode in episodes {
        *dataset.licences.entry(episode.licence.clone()).or_default() += 1;
    }
    dataset
}

/// Reads a file of one JSON object per line; none where it is missing.
pub(crate) fn read_lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = atomic::read_file(path, SIZE_LIMIT).map_err(Error::stage(STAGE))?;
    let lines = bytes.split(|&byte| byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| {
            serde_json::from_slice(line)
                .map_err(|e| Error::Request(format!("{}, line {}: {e}", path.display(), index + 1)))
        })
        .collect()
}

fn write_lines<T: Serialize>(path: &Path, lines: &[T]) -> Result<(), Error> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line).map_err(Error::stage(STAGE))?;
        text.push(b'\n');
    }
    atomic::write_file(path, &text).map_err(Error::stage(STAGE))
}
