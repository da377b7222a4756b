//! Ctrl-C in the middle of a transfer.

use crate::dextra;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time that an interrupted transfer may take to save itself and end.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_interrupt_ends_with_status_130_and_says_how_to_resume() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("my cube");
    let mut child = dextra()
        .args(["transfer", "cube", "--hand", "leap", "--no-film", "--out"])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    // The search is the long part; before it there would be nothing to interrupt.
    while !seen.contains("refine") {
        let read = lines.read_line(&mut seen).unwrap();
        assert_ne!(read, 0, "the command ended before the search:\n{seen}");
    }
    // The shell's own `kill`: the program of that name is not part of a minimal system.
    let order = format!("kill -INT {}", child.id());
    let killed = Command::new("sh").args(["-c", &order]).status().unwrap();
    assert!(killed.success());

    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("still running {PATIENCE:?} after the interrupt");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    lines.read_to_string(&mut seen).unwrap();
    assert_eq!(status.code(), Some(130), "{seen}");
    assert!(seen.contains("To resume") && seen.contains("/my cube'"), "{seen}");
    assert!(!out.join("report.json").exists());
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "");
}
