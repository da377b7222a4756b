//! A skill in a folder.
//!
//! | file | content |
//! |---|---|
//! | `skill.json` | clip, hand, seed, base, digests, validation |
//! | `recipe.toml` | the whole recipe |
//! | `task.npz` | base controls and path |
//! | `best/` | the best policy |
//! | `training/`, `validation.jsonl` | checkpoints and how it was learned |
//!
//! The scene is not stored: it is made anew from clip and hand, which gives the same bits, and compared.

use super::actor::{IMITATOR, Imitator};
use super::recipe::{Base, Recipe};
use super::train::{self, BEST, TRAINING, VALIDATION, Validated};
use crate::error::Error;
use crate::prepare::{self, Prepared, Recorded};
use crate::progress::Reporter;
use crate::request::TransferRequest;
use dextra_data::{ClipOptions, Npz, NpzWriter, atomic};
use dextra_motion::refine::{RefineConfig, Stage};
use dextra_motion::track::{Task, TrackEnv};
use dextra_sim::hand::Hand;
use dextra_sim::scene::Scene;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Stage name in errors.
const STAGE: &str = "skill";
const FILE: &str = "skill.json";
const TASK: &str = "task.npz";
const VERSION: u32 = 1;
const SIZE_LIMIT: u64 = 1 << 28;

/// `skill.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// Of the layout of the folder.
    pub format_version: u32,
    /// Clip as it was asked for.
    pub clip: String,
    /// What was stated about the clip.
    pub options: ClipOptions,
    /// Hand as it was asked for.
    pub hand: String,
    /// Seed.
    pub seed: u64,
    /// What is corrected.
    pub base: Base,
    /// Name of the recipe.
    pub recipe: String,
    /// SHA-256 of the scene.
    pub scene_sha256: String,
    /// SHA-256 of scene, base motion and recipe: what a training belongs to.
    pub training_sha256: String,
    /// SHA-256 of `recipe.toml`; empty in skills of before it was kept.
    #[serde(default)]
    pub recipe_sha256: String,
    /// SHA-256 of `task.npz`; the same.
    #[serde(default)]
    pub task_sha256: String,
    /// Where the clip comes from.
    pub source: String,
    /// Licence of the clip, which the skill inherits.
    pub licence: String,
    /// Version that wrote it.
    pub dextra_version: String,
    /// How the best policy did in validation; `None` until there is one.
    pub validated: Option<Validated>,
}

/// What of a task is stored.
struct Stored {
    ctrl: Vec<f64>,
    qpos: Vec<Vec<f64>>,
    played_starts: bool,
    contact_reach: f64,
}

impl Skill {
    /// Of a task that is about to be trained.
    pub(crate) fn new(
        request: &TransferRequest,
        prepared: &Prepared,
        task: &Task<'_>,
        base: Base,
        recipe: &Recipe,
    ) -> Result<Self, Error> {
        let scene = digest(task.scene);
        let mut bytes = scene.clone().into_bytes();
        bytes.extend(recipe.text()?.into_bytes());
        bytes.extend(request.seed.to_le_bytes());
        for value in task.base.iter().chain(task.path.iter().flatten()) {
            bytes.extend(value.to_le_bytes());
        }
        let provenance = &prepared.demo.provenance;
        Ok(Self {
            format_version: VERSION,
            clip: request.clip.clone(),
            options: request.options.clone(),
            hand: request.hand.clone(),
            seed: request.seed,
            base,
            recipe: recipe.name.clone(),
            scene_sha256: scene,
            training_sha256: atomic::sha256_hex(&bytes),
            recipe_sha256: atomic::sha256_hex(recipe.text()?.as_bytes()),
            task_sha256: String::new(),
            source: provenance.source.clone(),
            licence: provenance.licence.clone(),
            dextra_version: env!("CARGO_PKG_VERSION").to_owned(),
            validated: None,
        })
    }

    /// Makes `dir` ready for the training: what an earlier training of something else left is removed,
    /// and what one of the same left is kept, to go on from.
    pub(crate) fn begin(&mut self, dir: &Path, task: &Task<'_>) -> Result<(), Error> {
        let same = read_file(dir).is_ok_and(|old| old.training_sha256 == self.training_sha256);
        if !same {
            for name in [BEST, TRAINING, IMITATOR] {
                let folder = dir.join(name);
                if folder.exists() {
                    std::fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
                }
            }
            let file = dir.join(VALIDATION);
            if file.exists() {
                std::fs::remove_file(&file).map_err(Error::io("remove", &file))?;
            }
        }
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let file = dir.join(TASK);
        write_task(&file, task)?;
        let bytes = atomic::read_file(&file, SIZE_LIMIT).map_err(Error::stage(STAGE))?;
        self.task_sha256 = atomic::sha256_hex(&bytes);
        self.write(dir)
    }

    /// Writes `skill.json`.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Error> {
        let json = serde_json::to_vec_pretty(self).map_err(Error::stage(STAGE))?;
        atomic::write_file(&dir.join(FILE), &json).map_err(Error::stage(STAGE))
    }
}

fn read_file(dir: &Path) -> Result<Skill, Error> {
    let path = dir.join(FILE);
    let bytes = atomic::read_file(&path, SIZE_LIMIT).map_err(Error::stage(STAGE))?;
    let skill: Skill = serde_json::from_slice(&bytes)
        .map_err(|e| Error::Request(format!("{}: {e}", path.display())))?;
    if skill.format_version != VERSION {
        return Err(Error::Request(format!(
            "{}: format_version is {}, this program reads {VERSION}",
            path.display(),
            skill.format_version
        )));
    }
    Ok(skill)
}

/// SHA-256 of a scene with its files.
fn digest(scene: &Scene) -> String {
    let mut bytes = scene.xml.clone().into_bytes();
    scene.files.iter().for_each(|(_, file)| bytes.extend(file));
    atomic::sha256_hex(&bytes)
}

fn write_task(path: &Path, task: &Task<'_>) -> Result<(), Error> {
    let stage = || Error::stage(STAGE);
    let (steps, states) = (task.steps(), task.path.len());
    let (nu, nq) = (task.base.len() / steps, task.path[0].len());
    let flat: Vec<f64> = task.path.iter().flatten().copied().collect();
    let mut writer = NpzWriter::create(path).map_err(stage())?;
    writer.array_f64("ctrl", &[steps, nu], &task.base).map_err(stage())?;
    writer.array_f64("qpos", &[states, nq], &flat).map_err(stage())?;
    writer.scalar_f64("contact_reach_m", task.contact_reach).map_err(stage())?;
    writer.array_bool("played_starts", &[], &[task.played_starts]).map_err(stage())?;
    writer.finish().map_err(stage())
}

/// Refuses a file of a skill that is not what the policy was trained with; `trained` may be empty, in skills
/// of before digests were kept.
fn unchanged(path: &Path, now: &str, trained: &str) -> Result<(), Error> {
    if trained.is_empty() || now == trained {
        return Ok(());
    }
    Err(Error::Request(format!(
        "{} has changed since the policy was trained: another skill would be judged",
        path.display()
    )))
}

fn read_task(path: &Path, skill: &Skill, scene: &Scene) -> Result<Stored, Error> {
    let stage = || Error::stage(STAGE);
    let file = Npz::open(path).map_err(stage())?;
    unchanged(path, file.sha256(), &skill.task_sha256)?;
    let (shape, ctrl) = file.array_f64("ctrl").map_err(stage())?;
    let (nu, nq) = (scene.ctrl_ranges().len(), scene.default_qpos().len());
    let bad = |key: &str, wanted: String| Err(stage()(file.problem(key, wanted)));
    if shape.len() != 2 || shape[1] != nu || shape[0] == 0 {
        return bad("ctrl", format!("has the shape {shape:?}, not [steps, {nu}]"));
    }
    let (states, flat) = file.array_f64("qpos").map_err(stage())?;
    if states != [shape[0] + 1, nq] {
        return bad("qpos", format!("has the shape {states:?}, not [{}, {nq}]", shape[0] + 1));
    }
    let (_, played) = file.array_i64("played_starts").map_err(stage())?;
    Ok(Stored {
        ctrl,
        qpos: flat.chunks_exact(nq).map(<[f64]>::to_vec).collect(),
        played_starts: played.first().is_some_and(|&flag| flag != 0),
        contact_reach: file.scalar_f64("contact_reach_m").map_err(stage())?,
    })
}

/// A skill brought back: all that its task borrows.
pub struct Loaded {
    /// What the folder says.
    pub skill: Skill,
    /// The folder.
    pub dir: PathBuf,
    /// The recipe.
    pub recipe: Recipe,
    prepared: Prepared,
    stage: Stage,
    stored: Stored,
}

impl Loaded {
    /// Brings back the skill in `dir`, or in its sub-folder `policy`. Clip and file of the hand may be elsewhere
    /// now.
    ///
    /// # Errors
    /// A folder without a skill, damaged files, a clip that is not there any more, and a scene that has
    /// become another one.
    pub fn open(
        dir: &Path,
        (clip, hand): (Option<&str>, Option<&str>),
        reporter: &dyn Reporter,
    ) -> Result<Self, Error> {
        let inner = dir.join("policy");
        let dir = if inner.join(FILE).is_file() { inner } else { dir.to_path_buf() };
        if !dir.join(FILE).is_file() {
            return Err(Error::Request(format!(
                "{} holds no skill: there is no {FILE}; `dextra transfer CLIP --hand HAND --policy` makes one",
                dir.display()
            )));
        }
        let skill = read_file(&dir)?;
        let path = dir.join("recipe.toml");
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let recipe = Recipe::parse(&text, &path)?;
        unchanged(&path, &atomic::sha256_hex(text.as_bytes()), &skill.recipe_sha256)?;
        let request = TransferRequest {
            clip: clip.map_or_else(|| skill.clip.clone(), str::to_owned),
            hand: hand.map_or_else(|| skill.hand.clone(), str::to_owned),
            seed: skill.seed,
            options: skill.options.clone(),
            ..TransferRequest::default()
        };
        prepare::there(&request.hand)?;
        let prepared = Prepared::new(Recorded::read(&request, reporter)?, reporter)?;
        let hands: Vec<&Hand> = prepared.hands.iter().collect();
        let stage = Stage::new(&prepared.input(&hands), &RefineConfig::default())
            .map_err(Error::stage(STAGE))?;
        if digest(&stage.scene) != skill.scene_sha256 {
            return Err(Error::Request(format!(
                "{}: scene_sha256 differs from the scene that {} and {} make now; the clip, the hand or \
                 the program has changed since the policy was trained",
                dir.join(FILE).display(),
                request.clip,
                request.hand
            )));
        }
        let stored = read_task(&dir.join(TASK), &skill, &stage.scene)?;
        Ok(Self { skill, dir, recipe, prepared, stage, stored })
    }

    /// The demonstration that the skill tracks.
    pub(crate) fn demo(&self) -> &dextra_core::Demonstration {
        &self.prepared.demo
    }

    /// Scene and schedule.
    pub(crate) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// References to the hands, for [`Loaded::task`].
    pub fn hands(&self) -> Vec<&Hand> {
        self.prepared.hands.iter().collect()
    }

    /// The imitator below the policy, where the recipe has one.
    pub(crate) fn imitator(
        &self,
        env: &TrackEnv<'_>,
        hands: &[&Hand],
    ) -> Result<Option<Imitator>, Error> {
        let Some(recipe) = &self.recipe.imitator else { return Ok(None) };
        let Stage { scene, timeline, .. } = &self.stage;
        let alone = Stage::object_free(&self.prepared.input(hands), timeline, scene)
            .map_err(Error::stage(STAGE))?;
        let task = self.task(hands).object_free(&alone);
        train::imitator(task, recipe, &self.dir, env).map(Some)
    }

    /// The task of the skill.
    pub fn task<'a>(&'a self, hands: &'a [&'a Hand]) -> Task<'a> {
        let Stored { ctrl, qpos, played_starts, contact_reach } = &self.stored;
        let Stage { scene, timeline, .. } = &self.stage;
        let played = (ctrl.as_slice(), qpos.as_slice());
        Task {
            played_starts: *played_starts,
            contact_reach: *contact_reach,
            ..Task::played(scene, timeline, played, hands, &self.prepared.objects)
        }
    }
}
