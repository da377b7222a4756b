//! Checkpoints: what is read is what was written, and what is wrong is named.

use crate::tasks::{Batch, Pendulum, Reach, small};
use dextra_data::atomic::sha256_hex;
use dextra_learn::{Contract, Env, Policy, TrainConfig, read_contract, train};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checkpoint of a short training in `folder`.
fn checkpoint(folder: &Path) -> (PathBuf, Contract) {
    let mut env = Batch::<Reach>::new(8).for_hand("5ad0");
    let trained =
        train(&mut env, &small(1, 3), folder, &mut |_| ControlFlow::Continue(())).unwrap();
    (trained.checkpoint, env.contract().clone())
}

fn refused(path: &Path, contract: &Contract) -> String {
    Policy::load(path, contract).unwrap_err().to_string()
}

#[test]
fn another_contract_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (path, contract) = checkpoint(dir.path());
    assert_eq!(read_contract(&path).unwrap(), contract);
    assert_eq!(Policy::load(&path, &contract).unwrap().contract(), &contract);

    let mut other = contract.clone();
    other.hand = "77aa".into();
    let text = refused(&path, &other);
    assert!(text.contains("policy.json: `hand`"), "{text}");
    assert!(text.contains("5ad0") && text.contains("77aa"), "{text}");
    let text = refused(&path, Batch::<Pendulum>::new(1).contract());
    assert!(text.contains("policy.json: `observations[0].name`"), "{text}");

    // Training in the environment of another hand does not go on from it either.
    let mut env = Batch::<Reach>::new(8).for_hand("77aa");
    let error = train(&mut env, &small(1, 4), dir.path(), &mut |_| ControlFlow::Continue(()));
    assert!(error.unwrap_err().to_string().contains("`hand`"));
}

#[test]
fn truncated_and_altered_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (path, contract) = checkpoint(dir.path());
    only(&path);
    let resume = || {
        let mut env = Batch::<Reach>::new(8).for_hand("5ad0");
        let result = train(&mut env, &small(1, 4), dir.path(), &mut |_| ControlFlow::Continue(()));
        result.unwrap_err().to_string()
    };
    for name in [
        "policy.json",
        "policy.safetensors",
        "training.json",
        "training.safetensors",
        "environment.bin",
    ] {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        for length in [0, 7, whole.len() / 2, whole.len() - 3] {
            fs::write(&file, &whole[..length]).unwrap();
            let text = resume();
            assert!(text.contains(name), "{name} cut at {length}: {text}");
            if name.starts_with("policy") {
                let text = refused(&path, &contract);
                assert!(text.contains(name), "{name} cut at {length}: {text}");
            }
        }
        if name.ends_with("safetensors") {
            let mut altered = whole.clone();
            *altered.last_mut().unwrap() ^= 1;
            fs::write(&file, &altered).unwrap();
            let text = resume();
            assert!(text.contains("sha256") && text.contains("altered"), "{text}");
        }
        fs::remove_file(&file).unwrap();
        assert!(resume().contains(name), "{name} missing");
        fs::write(&file, &whole).unwrap();
    }
    Policy::load(&path, &contract).unwrap();
}

/// Removes the checkpoints beside `path`.
fn only(path: &Path) {
    for other in fs::read_dir(path.parent().unwrap()).unwrap() {
        let other = other.unwrap().path();
        if other != path {
            fs::remove_dir_all(other).unwrap();
        }
    }
}

#[test]
fn training_goes_on_from_an_older_checkpoint_where_newer_ones_are_damaged() {
    let run = |seed: u64, iterations: u64, folder: &Path| {
        let config = TrainConfig { checkpoint_every: 1, ..small(seed, iterations) };
        let mut env = Batch::<Reach>::new(8).for_hand("5ad0");
        train(&mut env, &config, folder, &mut |_| ControlFlow::Continue(()))
    };
    let (whole, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let undisturbed = run(1, 5, whole.path()).unwrap();
    assert!(undisturbed.damaged.is_empty());
    let path = run(1, 3, dir.path()).unwrap().checkpoint;
    let folders = || {
        let names = fs::read_dir(path.parent().unwrap()).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = folders();
    assert_eq!(before, ["00000001", "00000002", "00000003"]);
    let older = path.with_file_name("00000002");
    let file = path.join("environment.bin");
    fs::write(&file, &fs::read(&file).unwrap()[..3]).unwrap();
    fs::remove_file(older.join("training.json")).unwrap();

    let trained = run(1, 5, dir.path()).unwrap();
    assert_eq!(trained.resumed_from, Some(1));
    assert_eq!(trained.learner, undisturbed.learner);
    let problems: Vec<&str> = trained.damaged.iter().map(|d| d.problem.as_str()).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("environment.bin"), "{problems:?}");
    assert!(problems[1].contains("training.json"), "{problems:?}");
    for damaged in &trained.damaged {
        assert!(damaged.folder.is_dir() && damaged.folder.extension().unwrap() == "damaged");
    }

    // What was set aside before stays there.
    let newest = trained.checkpoint.join("training.json");
    fs::write(&newest, "{").unwrap();
    fs::create_dir(trained.checkpoint.with_extension("damaged")).unwrap();
    let again = run(1, 5, dir.path()).unwrap();
    assert_eq!((again.resumed_from, again.damaged.len()), (Some(4), 1));
    assert!(again.damaged[0].folder.ends_with("00000005.damaged-1"), "{:?}", again.damaged);
    assert_eq!(again.learner, undisturbed.learner);

    // With other settings no checkpoint is of use, and none is touched.
    let before = folders();
    let other = run(2, 6, dir.path()).unwrap_err().to_string();
    assert!(other.contains("config.seed"), "{other}");
    assert_eq!(folders(), before);
}

#[test]
fn absurd_headers_are_refused_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let (path, contract) = checkpoint(dir.path());
    let file = path.join("policy.json");
    let whole: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 9] = [
        ("format", |j| j["format"] = "other".into()),
        ("format_version", |j| j["format_version"] = 2.into()),
        ("scaling.std", |j| j["scaling"]["std"][1] = 0.into()),
        ("scaling.mean", |j| j["scaling"]["mean"] = vec![0.0; 3].into()),
        ("action_limit", |j| j["action_limit"] = (-1).into()),
        ("network", |j| j["network"]["actor"][0] = 4_000_000_000_u64.into()),
        ("weights", |j| j["network"]["critic"] = vec![65536; 9].into()),
        ("actor.0.weight", |j| j["network"]["actor"][0] = 31.into()),
        ("unknown", |j| j["unknown"] = 1.into()),
    ];
    for (field, change) in changes {
        let mut json = whole.clone();
        change(&mut json);
        fs::write(&file, json.to_string()).unwrap();
        let text = refused(&path, &contract);
        assert!(text.contains(field) && text.contains("policy."), "{field}: {text}");
    }
}

#[test]
fn altered_bytes_are_errors_or_policies_and_nothing_panics() {
    let dir = tempfile::tempdir().unwrap();
    let (path, contract) = checkpoint(dir.path());
    let header = fs::read_to_string(path.join("policy.json")).unwrap();
    let weights = fs::read(path.join("policy.safetensors")).unwrap();
    let stated = sha256_hex(&weights);
    assert!(header.contains(&stated));
    let mut rng = Pcg64::seed_from_u64(8);
    let mut refused = 0;
    for _ in 0..200 {
        let (mut json, mut altered) = (header.clone().into_bytes(), weights.clone());
        let at = rng.random_range(0..json.len());
        json[at] = rng.random_range(b' '..=b'~');
        fs::write(path.join("policy.json"), json).unwrap();
        refused += usize::from(Policy::load(&path, &contract).is_err());
        // Within the header of the arrays, with the digest made to fit.
        let at = rng.random_range(0..600.min(weights.len()));
        altered[at] = rng.random();
        let fitting = header.replace(&stated, &sha256_hex(&altered));
        fs::write(path.join("policy.json"), fitting).unwrap();
        fs::write(path.join("policy.safetensors"), altered).unwrap();
        refused += usize::from(Policy::load(&path, &contract).is_err());
        fs::write(path.join("policy.safetensors"), &weights).unwrap();
    }
    assert!(refused > 200, "{refused} of 400 are refused");
}

#[test]
fn only_the_newest_checkpoints_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(1, 7);
    (config.checkpoint_every, config.checkpoints_kept) = (2, 2);
    let mut env = Batch::<Reach>::new(4);
    train(&mut env, &config, dir.path(), &mut |_| ControlFlow::Continue(())).unwrap();
    let mut names: Vec<_> = fs::read_dir(dir.path().join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["00000006", "00000007"]);
}

/// Reads `policy.json` and `policy.safetensors` and acts, from their description alone.
const READER: &str = r#"
import json, struct, sys
import numpy as np
folder, seen = sys.argv[1], np.array(json.loads(sys.argv[2]))
head = json.load(open(folder + "/policy.json"))
raw = open(folder + "/policy.safetensors", "rb").read()
(n,) = struct.unpack("<Q", raw[:8])
arrays = {}
for name, a in json.loads(raw[8 : 8 + n]).items():
    if name != "__metadata__":
        begin, end = a["data_offsets"]
        arrays[name] = np.frombuffer(raw[8 + n + begin : 8 + n + end], "<f4").reshape(a["shape"]).astype(float)
s = head["scaling"]
x = np.clip((seen - s["mean"]) / s["std"], -s["clip"], s["clip"])
layers = len(head["network"]["actor"]) + 1
for i in range(layers):
    x = x @ arrays[f"actor.{i}.weight"] + arrays[f"actor.{i}.bias"]
    if i < layers - 1:
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
print(json.dumps(list(np.clip(x, -head["action_limit"], head["action_limit"]))))
"#;

#[test]
fn others_can_read_a_policy_and_act_the_same() {
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let available = Command::new(&python).args(["-c", "import numpy"]).output();
    if !available.is_ok_and(|output| output.status.success()) {
        let python = python.display();
        eprintln!("skipped: {python} has no numpy; DEXTRA_PYTHON names another Python");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (path, contract) = checkpoint(dir.path());
    let mut policy = Policy::load(&path, &contract).unwrap();
    for seen in [[0.3, -0.7, 0.9, 0.1], [-2.0, 2.0, -1.0, 1.0], [30.0, 0.0, 0.0, -40.0]] {
        let mut action = [0.0; 2];
        policy.act(&seen, &mut action).unwrap();
        let output = Command::new(&python)
            .args(["-c", READER])
            .arg(&path)
            .arg(serde_json::to_string(&seen).unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let expected: Vec<f32> = serde_json::from_slice(&output.stdout).unwrap();
        for (action, expected) in action.iter().zip(&expected) {
            assert!((action - expected).abs() < 1e-5, "{action} for {expected}");
        }
    }
}
