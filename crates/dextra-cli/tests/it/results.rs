//! What a transfer prints and how it exits.

use crate::clips::Clip;
use crate::{stderr, stdout, transfer, tripod};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A finished, undisturbed transfer.
pub struct Done {
    /// Its results.
    pub out: PathBuf,
    /// What it printed.
    pub line: String,
    _dir: TempDir,
}

/// The built-in cube on the Allegro hand; made once, as it takes seconds.
pub fn cube_on_allegro() -> &'static Done {
    static DONE: OnceLock<Done> = OnceLock::new();
    DONE.get_or_init(|| {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let out = dir.path().join("out");
        let output = transfer("cube".as_ref(), "allegro", &out).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        Done { out, line: stdout(&output), _dir: dir }
    })
}

/// Compares the results of two transfers byte by byte.
#[track_caller]
pub fn assert_same_files(a: &Path, b: &Path) {
    for name in ["motion.npz", "rollout.npz", "mjcf/replay.npz", "mjcf/scene.xml"] {
        let [a, b] = [a, b].map(|dir| std::fs::read(dir.join(name)).unwrap());
        assert!(a == b, "{name}: {} and {} bytes differ", a.len(), b.len());
    }
}

/// The fields of a line, in order.
const FIELDS: [&str; 19] = [
    "clip",
    "hand",
    "seed",
    "status",
    "cause",
    "protocols",
    "e_r_deg",
    "e_t_cm",
    "e_j_cm",
    "e_ft_cm",
    "max_t_cm",
    "max_r_deg",
    "self_penetration_p99_mm",
    "object_penetration_p99_mm",
    "frames",
    "wall_s",
    "cpu_s",
    "sim_steps",
    "out",
];

/// Parses one line and checks that it has exactly the fields, of the right types.
#[track_caller]
fn parsed(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap();
    let object = value.as_object().unwrap();
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_by_key(|name| line.find(&format!("\"{name}\":")));
    assert_eq!(names, FIELDS);
    let protocols = object["protocols"].as_object().unwrap();
    let mut rules: Vec<&str> = protocols.keys().map(String::as_str).collect();
    rules.sort_by_key(|name| line.find(&format!("\"{name}\":")));
    let published =
        ["maniptrans", "dexman", "spider", "dextrack_10cm_20deg", "dextrack_10cm_40deg"];
    assert_eq!(rules, published);
    assert!(protocols.values().all(Value::is_boolean), "{line}");
    for name in ["clip", "hand", "status", "out"] {
        assert!(object[name].is_string(), "{name}: {line}");
    }
    for name in ["seed", "frames", "sim_steps"] {
        assert!(object[name].is_u64(), "{name}: {line}");
    }
    for name in FIELDS
        .iter()
        .filter(|name| ["_deg", "_cm", "_mm", "_s"].iter().any(|unit| name.ends_with(unit)))
    {
        assert!(object[*name].as_f64().is_some_and(|x| x >= 0.0), "{name}: {line}");
    }
    value
}

#[test]
fn an_accepted_transfer_prints_one_line_and_exits_with_0() {
    let done = cube_on_allegro();
    assert_eq!(done.line.lines().count(), 1, "{}", done.line);
    let line = parsed(&done.line);
    assert_eq!((&line["clip"], &line["hand"]), (&"cube".into(), &"allegro".into()));
    assert_eq!((&line["status"], &line["cause"]), (&"accepted".into(), &Value::Null));
    assert_eq!(line["protocols"]["dexman"], true);
    assert_eq!(line["out"], done.out.to_str().unwrap());
    // Two of the fields again from report.json, which says the same and more.
    let report = std::fs::read_to_string(done.out.join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["max_t_cm"], line["max_t_cm"]);
    assert_eq!(report["details"]["engine"], "MuJoCo 3.17.0");
}

#[test]
fn a_rejected_transfer_says_why_leaves_the_same_files_and_exits_with_1() {
    let clip = Clip::still();
    let output = transfer(&clip.path(), "allegro", &clip.out()).arg("--json").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let line = parsed(stdout(&output).trim_end());
    assert_eq!(line["status"], "rejected");
    let cause = line["cause"].as_str().unwrap();
    assert!(cause.contains("(frame ") && cause.contains("`cube`"), "{cause}");
    assert_eq!(line["protocols"]["dexman"], false);
    let done = cube_on_allegro();
    for file in crate::files(&done.out) {
        let name = Path::new(&file).strip_prefix(&done.out).unwrap();
        assert!(clip.out().join(name).is_file(), "{}", name.display());
    }
}

#[test]
fn several_hands_print_a_line_each_into_a_folder_each() {
    let clip = Clip::still();
    let mine = tripod();
    let hands = format!("allegro,{},inspire", mine.display());
    let output = transfer(&clip.path(), &hands, &clip.out()).arg("--json").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<Value> = text.lines().map(parsed).collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, (hand, folder)) in lines.iter().zip([
        ("allegro", "allegro"),
        (mine.to_str().unwrap(), "tripod"),
        ("inspire", "inspire"),
    ]) {
        assert_eq!(line["hand"], hand);
        assert_eq!(line["out"], clip.out().join(folder).to_str().unwrap());
        assert!(clip.out().join(folder).join("report.json").is_file(), "{folder}");
    }
}

#[test]
fn a_hand_that_fails_among_others_exits_with_2_after_the_others() {
    let clip = Clip::still();
    let torn = clip.out().with_extension("xml");
    std::fs::write(&torn, "<mujoco><worldbody/></mujoco>").unwrap();
    let torn = torn.to_str().unwrap();
    let hands = format!("{torn},allegro");
    let output = transfer(&clip.path(), &hands, &clip.out()).arg("--json").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(torn) && said.contains("has no body"), "{said}");
    let text = stdout(&output);
    let [failed, done] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let failed: Value = serde_json::from_str(failed).unwrap();
    assert_eq!(failed.as_object().unwrap().len(), 5, "{failed}");
    assert_eq!((&failed["hand"], &failed["status"]), (&torn.into(), &"failed".into()));
    assert_eq!(failed["clip"], clip.path().to_str().unwrap());
    assert_eq!(failed["seed"], 0);
    let cause = failed["cause"].as_str().unwrap();
    assert!(cause.starts_with(&format!("cannot use the hand {torn}: ")), "{cause}");
    assert_eq!(parsed(done)["hand"], "allegro");
}
