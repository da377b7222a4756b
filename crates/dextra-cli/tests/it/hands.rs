//! `hand check`, and transfers on hands that have no map beside them.

use crate::clips::Clip;
use crate::{assert_fails, dextra, files, stderr, stdout, transfer, tripod};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// The tripod in a folder of its own, without its map.
fn bare() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.xml");
    fs::copy(tripod(), &path).unwrap();
    (dir, path)
}

fn check(path: &Path, more: &[&str]) -> Output {
    dextra().args(["hand", "check"]).arg(path).args(more).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn a_check_writes_the_map_and_draws_the_hand() {
    let (dir, path) = bare();
    let report = json(&check(&path, &["--json"]));
    assert_eq!((&report["hand"], &report["side"]), (&"tripod".into(), &"right".into()));
    assert_eq!((&report["map"], &report["joints"]), (&"derived".into(), &9.into()));
    let place = |name: &str| dir.path().join(name).display().to_string();
    assert_eq!(report["map_file"], place("mine.toml"));
    assert_eq!(report["picture"], place("mine.png"));
    let image = fs::read(dir.path().join("mine.png")).unwrap();
    assert!(image.starts_with(b"\x89PNG") && image.len() > 10_000, "{} bytes", image.len());
    let findings = report["findings"].as_array().unwrap();
    for finding in findings {
        let sure = finding["confidence"].as_str().unwrap();
        assert!(["certain", "likely", "guess"].contains(&sure), "{finding}");
        assert!(!finding["reason"].as_str().unwrap().is_empty(), "{finding}");
    }
    let item = |name: &str| findings.iter().find(|f| f["item"] == name).unwrap();
    assert_eq!(item("finger thumb")["value"], "thumb_0 - thumb_1 - thumb_2");
    assert_eq!(item("tip of index")["value"], "site `index_tip`");
    // What was written is what a transfer uses from now on, and it says the same.
    let again = json(&check(&path, &["--json", "--no-picture"]));
    assert_eq!((&again["map"], &again["map_file"]), (&place("mine.toml").into(), &Value::Null));
    assert_eq!(again["differences"], Value::Array(Vec::new()));
    assert_eq!(again["picture"], Value::Null);
}

#[test]
fn a_map_that_is_there_is_compared_and_left_alone() {
    let (dir, path) = bare();
    let map = fs::read_to_string(tripod().with_extension("toml")).unwrap();
    let other = map.replace("side = \"right\"", "side = \"left\"");
    fs::write(dir.path().join("mine.toml"), &other).unwrap();
    let output = check(&path, &["--no-picture"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(text.contains("side: derived right, stated left"), "{text}");
    assert!(text.contains("left as it is"), "{text}");
    assert_eq!(fs::read_to_string(dir.path().join("mine.toml")).unwrap(), other);
    // Into another folder, the derived map is written.
    let out = dir.path().join("out");
    let output = check(&path, &["--no-picture", "--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("a transfer uses"), "{}", stdout(&output));
    let derived = fs::read_to_string(out.join("mine.toml")).unwrap();
    assert!(derived.contains("side = \"right\"") && derived.contains("# certain: "), "{derived}");
}

#[test]
fn a_file_that_is_no_hand_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text, words) in [
        (
            "ball.xml",
            "<mujoco><worldbody><body><geom size=\"0.01\"/></body></worldbody></mujoco>",
            "hinge",
        ),
        ("torn.xml", "<mujoco><worldbody>", "parse"),
        ("torn.urdf", "<robot name=\"x\"><link", "XML"),
        ("arm.urdf", "<robot name=\"x\"><link name=\"a\"/></robot>", "arm.urdf"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        assert_fails(&check(&path, &[]), &[name, words]);
        fs::remove_file(&path).unwrap();
    }
    assert_fails(&check(&dir.path().join("no.urdf"), &[]), &["no.urdf", "No such file"]);
    assert_eq!(files(dir.path()), Vec::<String>::new());
}

#[test]
fn a_transfer_derives_the_map_and_notes_it() {
    let (_dir, path) = bare();
    let clip = Clip::still();
    let output = transfer(&clip.path(), path.to_str().unwrap(), &clip.out()).output().unwrap();
    let said = stderr(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    assert!(said.contains("no map beside it, so it was derived"), "{said}");
    let report = fs::read_to_string(clip.out().join("report.json")).unwrap();
    assert!(report.contains("no map beside it"), "{report}");
    assert!(!path.with_extension("toml").exists(), "a transfer writes nothing beside the hand");
}
