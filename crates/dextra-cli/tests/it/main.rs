//! The command as a user meets it: what goes to stdout and stderr, and how it exits.

mod errors;
mod interruption;
mod verbs;

use std::process::{Command, Output};

/// The built command, without colours.
pub fn dextra() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dextra"));
    command.env("NO_COLOR", "1");
    command
}

/// Runs the command with the words of `line`.
pub fn run(line: &str) -> Output {
    dextra()
        .args(line.split_whitespace())
        .output()
        .expect("the command starts")
}

/// What the command printed to stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

/// What the command printed to stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}
