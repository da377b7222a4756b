//! What several test modules need: the shared recordings, Python, a small clip that is right.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the shared recordings, or `None`, with a line saying so, where they are not there.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/demos")
        .join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {relative} is not among the shared recordings of this machine");
    None
}

/// Runs a Python script with arguments and returns what it printed, or `None`, with a line saying
/// so, where Python or one of `modules` is missing.
#[allow(dead_code)]
pub fn python(modules: &[&str], script: &str, args: &[&Path]) -> Option<String> {
    let imports = format!("import {}", modules.join(", "));
    let available = Command::new("python3").args(["-c", &imports]).output();
    if !available.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: python3 with {} is not on this machine",
            modules.join(", ")
        );
        return None;
    }
    let output = Command::new("python3")
        .arg("-c")
        .arg(script)
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}
