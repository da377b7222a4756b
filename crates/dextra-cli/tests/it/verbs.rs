//! `demo` and `doctor` from end to end.

use crate::{dextra, run, stderr, stdout};
use serde_json::Value;

#[test]
fn a_written_clip_can_be_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(&format!("demo synth cube --seed 3 --out {}", dir.path().display()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = stdout(&output).trim().to_owned();
    assert_eq!(path, dir.path().join("cube.npz").display().to_string());

    let output = run(&format!("demo info {path} --json"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let info: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&info["clip"], &info["fps_hz"]), (&"cube".into(), &60.0.into()));
    assert_eq!(info["hands"][0]["side"], "right");
    assert_eq!(info["objects"][0]["mass_kg"], 0.12);
}

#[test]
fn all_built_in_clips_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(&format!("demo synth all --out {}", dir.path().display()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = stdout(&output);
    assert_eq!(lines.lines().count(), 10, "{lines}");
    assert!(lines.lines().all(|path| std::path::Path::new(path).is_file()), "{lines}");
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    let bytes = |seed: u64| {
        let dir = tempfile::tempdir().unwrap();
        let output = run(&format!("demo synth stick --seed {seed} --out {}", dir.path().display()));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        std::fs::read(dir.path().join("stick.npz")).unwrap()
    };
    assert!(bytes(5) == bytes(5));
    assert!(bytes(5) != bytes(6));
}

#[test]
fn doctor_prints_one_json_object_per_check() {
    let cache = tempfile::tempdir().unwrap();
    let output = dextra()
        .args(["doctor", "--json"])
        .env("DEXTRA_CACHE_DIR", cache.path().join("cache"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let checks: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = checks.iter().map(|check| check["check"].as_str().unwrap()).collect();
    assert_eq!(names, ["engine", "rendering", "python oracle", "cores", "memory", "cache"]);
    assert_eq!(checks[0]["found"], "MuJoCo 3.17.0");
    assert_eq!(checks[5]["finding"], "ok");
}

#[test]
fn doctor_reports_a_missing_python_without_failing() {
    let output =
        dextra().args(["doctor"]).env("DEXTRA_PYTHON", "/no/such/python").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("/no/such/python") && text.contains("can run here"), "{text}");
}
