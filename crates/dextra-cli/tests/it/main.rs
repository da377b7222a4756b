//! The command as a user meets it: what goes to stdout and stderr, and how it exits.

mod bad_clips;
mod bad_folders;
mod bad_hands;
mod bad_meshes;
mod clips;
mod errors;
mod export;
mod feasibility;
mod hands;
mod interruption;
mod killed;
mod pages;
mod results;
mod verbs;
mod view;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The built command, without colours, with a cache of its own.
pub fn dextra() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dextra"));
    command.env("NO_COLOR", "1");
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dextra-cache");
    command.env("DEXTRA_CACHE_DIR", cache);
    command
}

/// `dextra transfer` without pictures and robustness trials.
pub fn transfer(clip: &Path, hand: &str, out: &Path) -> Command {
    let mut command = dextra();
    command.arg("transfer").arg(clip).args(["--hand", hand, "--out"]).arg(out);
    command.args(["--no-film", "--robustness-trials", "0"]);
    command
}

/// A three-finger hand as a user might bring it, with its map beside it.
pub fn tripod() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dextra/tests/fixtures/tripod.xml")
}

/// Asserts that a command failed as it should: status 2, an error with `words` on stderr, no result
/// on stdout, no panic.
#[track_caller]
pub fn assert_fails(output: &Output, words: &[&str]) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(stdout(output), "", "{message}");
    assert!(message.contains("error: ") && !message.contains("panicked"), "{message}");
    for word in words {
        assert!(message.contains(word), "{word:?} is missing in\n{message}");
    }
}

/// Names of the files below `dir`, sorted; none when it is not there.
pub fn files(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            names.extend(files(&path));
        } else {
            names.push(path.display().to_string());
        }
    }
    names.sort();
    names
}

/// Runs the command with the words of `line`.
pub fn run(line: &str) -> Output {
    dextra().args(line.split_whitespace()).output().expect("the command starts")
}

/// The Python that `DEXTRA_PYTHON` names, else `python3`; `None`, with a line that says so, where it lacks a module.
pub fn python(modules: &[&str]) -> Option<Command> {
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let imports = format!("import {}", modules.join(", "));
    let has = Command::new(&python).args(["-c", &imports]).output();
    if !has.is_ok_and(|has| has.status.success()) {
        let modules = modules.join(" and ");
        eprintln!("skipped: {} has no {modules}; DEXTRA_PYTHON names another", python.display());
        return None;
    }
    Some(Command::new(&python))
}

/// What the command printed to stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

/// What the command printed to stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}
