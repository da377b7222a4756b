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
    assert_eq!(lines.lines().count(), 12, "{lines}");
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

/// 40 frames of a right hand with curled fingers that moves a little, as JSON.
fn keypoints() -> String {
    let mut points = vec![[0.0, 0.0, 0.0]];
    for (finger, across) in [0.05, 0.03, 0.01, -0.01, -0.03].into_iter().enumerate() {
        for joint in 0..4 {
            let along = if finger == 0 { 0.02 } else { 0.09 } + 0.022 * f64::from(joint);
            points.push([along, across, -0.012 * f64::from(joint)]);
        }
    }
    let frame = |t: usize| -> Vec<[f64; 3]> {
        points.iter().map(|[x, y, z]| [x + 0.001 * t as f64, *y, z + 0.5]).collect()
    };
    let frames: Vec<_> = (0..40).map(frame).collect();
    serde_json::json!({ "fps": 30, "right": frames }).to_string()
}

#[test]
fn a_recording_is_imported_validated_and_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("hand.json"), keypoints()).unwrap();
    let import = format!("import keypoints {} --out {}", path("hand.json"), path("clip.npz"));
    let output = run(&format!("{import} --json"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let info: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&info["frames"], &info["file"]), (&40.into(), &path("clip.npz").into()));
    assert_eq!(info["hands"][0]["side"], "right");
    assert!(stdout(&run(&import)).contains("note: Nothing in a recording of hands alone"));

    std::fs::write(path("broken.npz"), b"PK").unwrap();
    let output = run(&format!("demo validate {} {} --json", path("clip.npz"), path("broken.npz")));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["status"], &lines[1]["status"]), (&"inferred".into(), &"refused".into()));
    assert!(lines[1]["cause"].as_str().unwrap().contains("broken.npz"));
    assert_eq!(run(&format!("demo validate {}", path("clip.npz"))).status.code(), Some(0));

    let output = run(&format!("feasibility {} --hand leap", path("clip.npz")));
    crate::assert_fails(&output, &["hands alone"]);
}

#[test]
fn an_import_that_cannot_be_done_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let output = run("import nothing x");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("oakink2"), "{}", stderr(&output));
    let output = run(&format!("import taco {}", dir.path().display()));
    crate::assert_fails(&output, &["neither right_hand.pkl nor left_hand.pkl"]);
    let output = run(&format!("import hot3d {} --mesh a.obj", dir.path().display()));
    crate::assert_fails(&output, &["--meshes"]);
}

#[test]
fn every_option_of_every_verb_is_described_and_a_typo_names_the_nearest() {
    let output = run("config transfer");
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        text.contains("--seed 0  # default") && text.contains("--hand <HAND,…>  # needed"),
        "{text}"
    );
    assert!(
        stdout(&output).contains("--up-axis <UP_AXIS>  # default: stated in the clip or inferred")
    );
    assert!(stdout(&run("config hand check")).contains("--json  # default: off"));
    crate::assert_fails(&run("config trasfer"), &["did you mean `transfer`?"]);
    crate::assert_fails(&run("config --recipe pkdda"), &["did you mean `pkda`?"]);
    assert!(stdout(&run("config --recipe dexman")).contains("gamma = 0.99  # DexMan, Table 5"));
    let typed = "transfer cube --hand leap --out nowhere --policy --set";
    crate::assert_fails(&run(&format!("{typed} iteratons=3")), &["did you mean `iterations`?"]);
    let line = "transfer cube --hand leap --policy maniptrans";
    crate::assert_fails(&run(line), &["equals sign", "--policy=maniptrans"]);
    // Elsewhere it takes its value behind a space, and another mistake keeps its own tip.
    let other = run("collect cube --hand leap --policy dextra --ot out");
    crate::assert_fails(&other, &["--ot", "--out"]);
    assert!(!stderr(&other).contains("equals sign"), "{}", stderr(&other));
    crate::assert_fails(&run("transfer cubee --hand leap"), &["did you mean `cube`?"]);
    crate::assert_fails(&run("transfer cube --hand lep"), &["did you mean `leap`?"]);
}

#[test]
fn shells_and_man_get_their_files() {
    let script = stdout(&run("completions bash"));
    assert!(script.contains("--robustness-trials") && script.contains("complete -F _dextra"));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&format!("man {}", dir.path().display())).status.code(), Some(0));
    let page = std::fs::read_to_string(dir.path().join("dextra-transfer.1")).unwrap();
    assert!(page.starts_with(".ie") && page.contains("\\-\\-seed"), "{}", &page[..200]);
}
