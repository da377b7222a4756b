//! Stock MuJoCo, from Python, replays what a transfer exported.

use crate::cube_on_allegro;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `replay.py` on a folder; `None`, with a line saying so, without the `mujoco` package.
pub fn replayed(mjcf: &Path) -> Option<Output> {
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let import = "import numpy, mujoco; assert mujoco.__version__ == '3.17.0', mujoco.__version__";
    let found = Command::new(&python).args(["-c", import]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: {} has no mujoco 3.17.0 and numpy; DEXTRA_PYTHON names another Python",
            python.display()
        );
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay.py");
    Some(Command::new(&python).arg(script).arg(mjcf).output().unwrap())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn stock_mujoco_replays_the_exported_scene_to_the_same_poses_and_contacts() {
    let done = cube_on_allegro();
    let Some(output) = replayed(&done.dir.path().join("mjcf")) else {
        return;
    };
    let [said, wrong] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    assert_eq!(output.status.code(), Some(0), "{said}{wrong}");
    let words: Vec<&str> = said.split_whitespace().collect();
    let number = |name: &str| -> f64 {
        let at = words.iter().position(|word| *word == name).unwrap();
        words[at + 1].parse().unwrap()
    };
    assert!(number("difference") <= 1e-6, "{said}");
    // A replay in which nothing happens would agree as well.
    assert!(number("lifted_m") > 0.08 && number("steps") > 100.0, "{said}");
    assert!(number("touch_difference") <= 1e-6 && number("touches") > 200.0, "{said}");
}

#[test]
fn a_replay_in_another_scene_is_noticed() {
    let done = cube_on_allegro();
    let dir = tempfile::tempdir().unwrap();
    copy(&done.dir.path().join("mjcf"), dir.path());
    let path = dir.path().join("scene.xml");
    let scene = std::fs::read_to_string(&path).unwrap();
    let slippery = scene.replace("friction=\"1 0.01 0.001\"", "friction=\"0.9 0.01 0.001\"");
    assert_ne!(scene, slippery);
    std::fs::write(&path, slippery).unwrap();
    let Some(output) = replayed(dir.path()) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
}

#[test]
fn the_folder_can_be_moved_anywhere() {
    let done = cube_on_allegro();
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("somewhere else");
    copy(&done.dir.path().join("mjcf"), &elsewhere);
    let Some(output) = replayed(&elsewhere) else {
        return;
    };
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{wrong}");
}
