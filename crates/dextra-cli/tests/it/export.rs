//! `export` from end to end.

use crate::{assert_fails, dextra, files, stderr, stdout, transfer};
use serde_json::Value;
use std::path::Path;

#[test]
fn a_result_becomes_tables_or_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let result = dir.path().join("cube");
    let output = transfer(Path::new("cube"), "inspire", &result).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let export = |words: &[&str]| {
        dextra().args(["export", "robot"]).arg(&result).args(words).output().unwrap()
    };

    let output = export(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("ready") && text.contains("thumb_rotation"), "{text}");
    let written = files(&result.join("robot"));
    for name in ["right_hand.csv", "right_hand.json", "right_hand.png", "robot.json", "robot.txt"] {
        assert!(written.iter().any(|path| path.ends_with(name)), "{name} in {written:?}");
    }

    // Limits that cannot be kept without slowing down: exit status 1, a cause and no table.
    let output = export(&["--json", "--arms", "--stand=right=9,0,0,0", "--turn-deg=right=0"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["status"], "refused");
    assert!(report["causes"][0].as_str().unwrap().contains("frame"), "{report}");
    let written = files(&result.join("robot"));
    assert!(!written.iter().any(|path| path.ends_with(".csv")), "{written:?}");

    let near = ["shadowy", "did you mean `shadow`?"];
    assert_fails(&export(&["--onto", "shadowy"]), &near);
    let elsewhere = dextra().args(["export", "robot", "no/such/folder"]).output().unwrap();
    assert_fails(&elsewhere, &["no/such/folder", "report.json"]);
}
