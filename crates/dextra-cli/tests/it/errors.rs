//! Errors: status 2, `error:` and `cause:` on stderr, nothing on stdout.

use crate::{assert_fails, dextra, run, stderr, stdout};

/// Runs `line` in an empty folder, which must be empty afterwards.
#[track_caller]
fn fails(line: &str, words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let words_of_line = line.split_whitespace();
    let output = dextra().args(words_of_line).current_dir(dir.path()).output().unwrap();
    assert_fails(&output, words);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{line} left something behind");
}

#[test]
fn an_unknown_clip_lists_the_built_in_ones() {
    fails("demo info cub", &["error: ", "cause: ", "cub", "bottle", "cube"]);
    fails("transfer cub --hand shadow --out out", &["error: ", "cause: ", "bottle"]);
}

#[test]
fn a_missing_file_is_named() {
    fails("demo info no/such/clip.npz", &["error: ", "no/such/clip.npz"]);
}

#[test]
fn a_truncated_clip_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let clip = dir.path().join("cut.npz");
    std::fs::write(&clip, b"PK\x03\x04 cut").unwrap();
    fails(&format!("demo info {}", clip.display()), &["error: ", "cut.npz"]);
}

#[test]
fn an_unknown_hand_lists_the_built_in_ones() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("transfer cube --hand shadwo --out {}/x", dir.path().display());
    fails(&line, &["error: ", "shadwo", "shadow", "allegro", "leap", "inspire"]);
}

#[test]
fn mistyped_names_are_told_before_any_work() {
    let words = ["shadwo", "did you mean `shadow`?"];
    fails("transfer cube --hand leap,shadwo --out out", &words);
    fails("collect cube --hand leap,shadwo --out out", &words);
    fails("collect cube cub --hand leap --out out", &["cub", "did you mean `cube`?"]);
    fails("collect cube no/clip.npz --hand leap --out out", &["no/clip.npz", "No such file"]);
    let line = "dataset merge a b --out c --format zar";
    fails(line, &["lerobot, zarr, hdf5", "did you mean `zarr`?"]);
}

#[test]
fn a_hand_that_cannot_touch_is_refused_before_the_search() {
    let dir = tempfile::tempdir().unwrap();
    let hand = dir.path().join("hand.xml");
    let jaw = |name: &str, x: f64, turn: i32, solid: i32| {
        format!(
            "<body name=\"{name}\" pos=\"{x} 0 0.01\"><joint name=\"{name}\" axis=\"0 {turn} 0\" range=\"-0.1 0.8\"/>
             <geom type=\"capsule\" size=\"0.008\" fromto=\"0 0 0 0 0 0.06\" contype=\"{solid}\" conaffinity=\"0\"/></body>"
        )
    };
    let write = |solid: [i32; 2]| {
        let jaws = jaw("a", -0.04, 1, solid[0]) + &jaw("b", 0.04, -1, solid[1]);
        let text = format!(
            "<mujoco><compiler angle=\"radian\"/><worldbody><body name=\"plate\">
             <geom type=\"box\" size=\"0.05 0.03 0.01\"/>{jaws}</body></worldbody></mujoco>"
        );
        std::fs::write(&hand, text).unwrap();
    };
    write([0, 0]);
    let line = format!("transfer cube --hand {} --out {}/x", hand.display(), dir.path().display());
    fails(&line, &["fingers thumb, index have no geometry that can touch", "meshes or capsules"]);
    // One that can is enough, and the other is noted.
    write([1, 0]);
    let output = run(&format!("feasibility cube --hand {} --json", hand.display()));
    let said = stdout(&output);
    assert!(said.contains("no geometry that can touch is on: "), "{said} {}", stderr(&output));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let line = format!("transfer cube --hand leap --out {}/x", file.display());
    fails(&line, &["error: ", &format!("{}/x", file.display())]);
}

#[test]
fn a_wrong_argument_is_a_failure_and_help_is_a_result() {
    fails("transfer cube", &["--hand"]);
    fails("transfer cube --hand leap --threads 0", &["--threads"]);
    fails("transfer cube --hand leap --fps-hz 30", &["error: ", "built in"]);
    for line in ["--help", "transfer --help", "demo synth --help", "--version"] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{line}");
    }
}
