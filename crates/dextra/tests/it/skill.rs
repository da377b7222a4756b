//! Policies: trained, kept, brought back and judged.

use crate::{cube_on_allegro, request};
use dextra::skill::{RolloutRequest, rollout};
use dextra::{Silent, TransferRequest, transfer};
use std::path::Path;

/// A training that takes seconds.
const TINY: &str = r#"
name = "tiny"
source = "a test"
base = "BASE"
iterations = 2
validation = { every = 1, trials = 2, enough = 2.0 }
[track]
worlds = 4
anchor = { on = true }
observations = { basis_points = 0 }
[network]
actor = [16]
critic = [16]
[ppo]
horizon = 4
epochs = 1
minibatches = 1
"#;

/// Writes the recipe of such a training round a base motion; its path.
pub fn tiny_recipe(dir: &Path, base: &str) -> String {
    let recipe = dir.join("tiny.toml");
    std::fs::write(&recipe, TINY.replace("BASE", base)).unwrap();
    recipe.display().to_string()
}

fn tiny(dir: &Path, base: &str) -> TransferRequest {
    TransferRequest {
        threads: Some(1),
        policy: Some(tiny_recipe(dir, base)),
        reuse: Some(cube_on_allegro().dir.path().to_path_buf()),
        ..request("cube", "allegro", &dir.join("out"))
    }
}

fn played(dir: &Path) -> RolloutRequest {
    RolloutRequest {
        skill: dir.join("out"),
        clip: None,
        hand: None,
        trials: 4,
        seeds: vec![0],
        threads: 1,
    }
}

#[test]
fn a_skill_is_brought_back_as_it_was_judged() {
    let dir = tempfile::tempdir().unwrap();
    let report = transfer(&tiny(dir.path(), "refined"), &Silent).unwrap();
    let policy = report.policy.unwrap();
    assert_eq!((policy.iterations, policy.env_steps), (2, 2 * 4 * 4));
    assert!(policy.scores[0].successes == 4, "as planned: {:?}", policy.scores[0]);
    let again = rollout(&played(dir.path()), &Silent).unwrap();
    assert_eq!(again.scores, policy.scores);
    let more = RolloutRequest { seeds: vec![3, 0], ..played(dir.path()) };
    let more = rollout(&more, &Silent).unwrap().scores;
    for (more, one) in more.iter().zip(&again.scores) {
        assert_eq!((more.by_seed.len(), more.by_seed[1], more.trials), (2, one.successes, 8));
        assert_eq!(more.successes, more.by_seed[0] + more.by_seed[1]);
    }
    assert_eq!((again.status, again.base.as_str()), (policy.status, "refined"));
    let tips = again.reward_terms.iter().find(|(name, _)| name == "tips").unwrap();
    assert!(tips.1 > 0.0, "{tips:?}");

    let inner = dir.path().join("out/policy");
    // What was edited would be another skill.
    let recipe = inner.join("recipe.toml");
    let text = std::fs::read_to_string(&recipe).unwrap();
    std::fs::write(&recipe, text.replacen("alpha = 0.5", "alpha = 0.9", 1)).unwrap();
    let error = chain(&rollout(&played(dir.path()), &Silent).unwrap_err());
    assert!(error.contains("recipe.toml has changed since"), "{error}");
    std::fs::write(&recipe, text).unwrap();
    let twice = RolloutRequest { seeds: vec![1, 1], ..played(dir.path()) };
    assert!(chain(&rollout(&twice, &Silent).unwrap_err()).contains("seed 1 twice"));

    // What is damaged or of another hand is refused by name.
    let weights = inner.join("best/policy.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let error = chain(&rollout(&played(dir.path()), &Silent).unwrap_err());
    assert!(error.contains("policy.safetensors"), "{error}");
    std::fs::write(&weights, &bytes).unwrap();
    let json = inner.join("skill.json");
    let text = std::fs::read_to_string(&json).unwrap();
    std::fs::write(&json, text.replace("\"allegro\"", "\"leap\"")).unwrap();
    let error = chain(&rollout(&played(dir.path()), &Silent).unwrap_err());
    assert!(error.contains("scene_sha256") && error.contains("leap"), "{error}");
    std::fs::write(&json, text).unwrap();
    let contract = inner.join("best/policy.json");
    let text = std::fs::read_to_string(&contract).unwrap();
    std::fs::write(&contract, text.replace("joint_velocity", "joint_speed")).unwrap();
    let error = chain(&rollout(&played(dir.path()), &Silent).unwrap_err());
    assert!(error.contains("policy.json") && error.contains("joint_speed"), "{error}");
}

#[test]
fn the_recipe_that_learns_nothing_plays_the_base_alone() {
    let dir = tempfile::tempdir().unwrap();
    let alone =
        TransferRequest { policy: Some("retarget".to_owned()), ..tiny(dir.path(), "retargeted") };
    let policy = transfer(&alone, &Silent).unwrap().policy.unwrap();
    assert_eq!((policy.iterations, policy.env_steps), (0, 0));
    for score in &policy.scores {
        assert_eq!(score.successes, score.open_loop_successes, "{score:?}");
        let rules: Vec<&str> = score.rules.keys().map(String::as_str).collect();
        let named =
            ["dexman", "dextrack_10cm_20deg", "dextrack_10cm_40deg", "maniptrans", "spider"];
        assert_eq!(rules, named);
        for met in score.rules.values() {
            assert_eq!(met.successes, met.open_loop_successes, "{score:?}");
        }
    }
}

#[test]
fn the_same_training_is_not_repeated_and_another_one_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let first = tiny(dir.path(), "retargeted");
    let report = transfer(&first, &Silent).unwrap();
    // Nothing was searched: the steps are those of replays.
    assert!(report.sim_steps < 20_000, "{}", report.sim_steps);
    let file = dir.path().join("out/policy/training/metrics.jsonl");
    let lines = || std::fs::read_to_string(&file).unwrap();
    let (before, policy) = (lines(), report.policy.unwrap());
    assert_eq!(before.lines().count(), 2);
    let again = transfer(&first, &Silent).unwrap().policy.unwrap();
    assert_eq!((again.scores, again.validated), (policy.scores, policy.validated));
    assert_eq!(lines(), before);
    transfer(&TransferRequest { seed: 1, ..first }, &Silent).unwrap();
    assert_ne!(lines(), before);
}

/// An imitator below it, in the object-free clip.
const IMITATOR: &str = r#"
[track.below]
compose = { add = { alpha = 0.5 } }
reach = { position = 0.01, rotation = 0.1, finger = 0.1 }
[imitator]
iterations = 1
mirror = MIRROR
[imitator.track]
worlds = 4
observations = { basis_points = 0, goals = false }
[imitator.network]
actor = [16]
critic = [16]
[imitator.ppo]
horizon = 4
epochs = 1
minibatches = 1
"#;

/// The policy of an imitator that learned on a clip, with its notes.
fn imitator(clip: &str, mirror: bool) -> (Vec<u8>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let recipe = dir.path().join("imitator.toml");
    let imitator = IMITATOR.replace("MIRROR", if mirror { "true" } else { "false" });
    let text = TINY.replace("BASE", "retargeted").replace("iterations = 2", "iterations = 1");
    let track = text.find("[network]").unwrap();
    let text = [&text[..track], &imitator[..], &text[track..]].concat();
    std::fs::write(&recipe, text).unwrap();
    let request = TransferRequest {
        threads: Some(1),
        policy: Some(recipe.display().to_string()),
        robustness_trials: 1,
        ..request(clip, "allegro", &dir.path().join("out"))
    };
    let report = transfer(&request, &Silent).unwrap();
    let file = dir.path().join("out/policy/imitator/best/policy.safetensors");
    (std::fs::read(file).unwrap(), report.details.unwrap().notes)
}

#[test]
fn an_imitator_of_two_hands_learns_from_the_mirror_image_and_one_of_a_single_hand_has_none() {
    assert!(imitator("cube", true).0 == imitator("cube", false).0, "a single hand");
    let ((with, notes), (without, _)) = (imitator("pair", true), imitator("pair", false));
    assert!(with != without, "two hands");
    assert!(!notes.iter().any(|note| note.contains("mirror")), "{notes:?}");
}

#[test]
fn a_folder_without_a_skill_says_how_to_make_one() {
    let dir = tempfile::tempdir().unwrap();
    let error = rollout(&played(dir.path()), &Silent).unwrap_err().to_string();
    assert!(error.contains("skill.json") && error.contains("--policy"), "{error}");
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text += ": ";
        text += &error.to_string();
        inner = error.source();
    }
    text
}
