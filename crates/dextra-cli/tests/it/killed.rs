//! `kill -9` in the middle of a transfer, then the same command again.

use crate::results::{assert_same_files, cube_on_allegro};
use crate::{stderr, transfer};
use std::path::Path;
use std::process::Stdio;
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
