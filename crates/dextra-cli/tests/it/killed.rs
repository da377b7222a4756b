//! `kill -9` in the middle of a transfer or of a training, then the same command again.

use crate::results::{assert_same_files, cube_on_allegro};
use crate::{dextra, stderr, transfer};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest to wait for the journal to grow.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts the transfer, kills it as soon as its journal is longer than `bytes`, and returns how long
/// it was then.
fn killed_beyond(bytes: u64, out: &Path) -> u64 {
    let mut child = transfer("cube".as_ref(), "allegro", out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let journal = out.join("refine.journal");
    let start = Instant::now();
    loop {
        let length = std::fs::metadata(&journal).map_or(0, |found| found.len());
        if length > bytes {
            // SIGKILL: the process cannot react.
            child.kill().unwrap();
            child.wait().unwrap();
            return std::fs::metadata(&journal).unwrap().len();
        }
        assert!(child.try_wait().unwrap().is_none(), "ended before it could be killed");
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the journal has {length} bytes after {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_transfer_killed_twice_ends_with_the_bits_of_an_undisturbed_one() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    // Beyond the 32 bytes of its key the journal holds answers.
    let first = killed_beyond(32, &out);
    let second = killed_beyond(first, &out);
    assert!(second > first);
    assert!(!out.join("report.json").exists() && !out.join("rollout.npz").exists());

    let output = transfer("cube".as_ref(), "allegro", &out).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("resumed after an interruption"), "{said}");
    assert_same_files(&cube_on_allegro().out, &out);
    assert!(!out.join("refine.journal").exists());
}

/// A training of seconds that writes a checkpoint and validates after every iteration.
const RECIPE: &str = r#"
name = "short"
source = "a test"
base = "retargeted"
iterations = 6
validation = { every = 1, trials = 1, enough = 2.0 }
[track]
worlds = 4
observations = { basis_points = 0 }
[network]
actor = [16]
critic = [16]
[ppo]
horizon = 4
epochs = 1
minibatches = 1
"#;

fn training(recipe: &Path, out: &Path) -> Command {
    let mut command = dextra();
    command.args(["transfer", "cube", "--hand", "allegro", "--no-film", "--json"]);
    command.args(["--robustness-trials", "2", "--out"]).arg(out);
    command.arg(format!("--policy={}", recipe.display()));
    command
}

/// Starts the training and kills it as soon as it has written the checkpoint of an iteration.
fn killed_after(iteration: u64, recipe: &Path, out: &Path) {
    let mut child =
        training(recipe, out).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let checkpoint = out.join(format!("policy/training/checkpoints/{iteration:08}"));
    let start = Instant::now();
    while !checkpoint.exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended before it could be killed");
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("no {} after {PATIENCE:?}", checkpoint.display());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!out.join("report.json").exists());
}

/// The lines of a log without what the clock says.
fn untimed(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for clock in ["env_s", "learning_s", "cpu_s"] {
            line.as_object_mut().unwrap().remove(clock);
        }
        line
    });
    lines.collect()
}

#[test]
fn a_training_killed_twice_ends_with_the_bits_of_an_undisturbed_one() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = dir.path().join("short.toml");
    std::fs::write(&recipe, RECIPE).unwrap();
    let [whole, out] = ["whole", "out"].map(|name| dir.path().join(name));
    killed_after(2, &recipe, &out);
    killed_after(4, &recipe, &out);
    for out in [&whole, &out] {
        let output = training(&recipe, out).output().unwrap();
        // How good so short a training is does not matter.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", stderr(&output));
    }
    for name in ["best/policy.json", "best/policy.safetensors", "task.npz", "recipe.toml"] {
        let [a, b] =
            [&whole, &out].map(|out| std::fs::read(out.join("policy").join(name)).unwrap());
        assert!(a == b, "{name} differs");
    }
    for (name, lines) in [("training/metrics.jsonl", 6), ("validation.jsonl", 7)] {
        let [a, b] = [&whole, &out].map(|out| untimed(&out.join("policy").join(name)));
        assert_eq!((a.len(), &a), (lines, &b), "{name}");
    }
    let [a, b] = [&whole, &out].map(|out| {
        let text = std::fs::read_to_string(out.join("report.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["policy"]["scores"].clone()
    });
    assert!(a.as_array().is_some_and(|scores| scores.len() == 13));
    assert_eq!(a, b);
}
