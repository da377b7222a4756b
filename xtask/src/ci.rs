//! `cargo xtask ci`: the checks in order, each with its time; all run, also after a failure.

use crate::tidy;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A check that `ci` runs.
struct Step {
    name: &'static str,
    /// Arguments for cargo; empty for `tidy`, which runs in this process.
    cargo_args: &'static [&'static str],
    /// Environment variables set for the command.
    env: &'static [(&'static str, &'static str)],
}

/// Everything builds in the release profile, so that clippy, tests and the demonstration of
/// `.ci/run` share compiled dependencies and the physics tests run at full speed.
const STEPS: &[Step] = &[
    Step { name: "fmt", cargo_args: &["fmt", "--all", "--check"], env: &[] },
    Step {
        name: "clippy",
        cargo_args: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--release",
            "--",
            "-D",
            "warnings",
        ],
        env: &[],
    },
    Step {
        name: "doc",
        cargo_args: &["doc", "--workspace", "--no-deps", "--release"],
        env: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Step { name: "tidy", cargo_args: &[], env: &[] },
    Step { name: "test", cargo_args: &["test", "--workspace", "--release"], env: &[] },
];

/// Which steps to run.
#[derive(Debug, Default, PartialEq)]
pub struct Selection {
    skip: Vec<String>,
    only: Vec<String>,
}

impl Selection {
    /// Reads `--skip STEP` and `--only STEP`, both repeatable.
    pub fn parse(args: &[String]) -> Result<Selection> {
        let mut selection = Selection::default();
        let mut rest = args.iter();
        while let Some(flag) = rest.next() {
            let list = match flag.as_str() {
                "--skip" => &mut selection.skip,
                "--only" => &mut selection.only,
                other => bail!("unknown argument {other:?} (known: --skip STEP, --only STEP)"),
            };
            let name = rest.next().with_context(|| format!("{flag} needs the name of a step"))?;
            if !STEPS.iter().any(|step| step.name == name) {
                let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
                bail!("no step is called {name:?} (steps: {})", names.join(", "));
            }
            list.push(name.clone());
        }
        Ok(selection)
    }

    fn takes(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|entry| entry == name);
        !listed(&self.skip) && (self.only.is_empty() || listed(&self.only))
    }
}

/// Runs the selected steps; `true` when all passed.
pub fn run(root: &Path, selection: &Selection) -> Result<bool> {
    let mut outcomes: Vec<(&str, bool, Duration)> = Vec::new();
    for step in STEPS.iter().filter(|step| selection.takes(step.name)) {
        eprintln!("\n==> {}", step.name);
        let start = Instant::now();
        let passed = run_step(root, step)?;
        outcomes.push((step.name, passed, start.elapsed()));
    }
    eprintln!();
    for (name, passed, time) in &outcomes {
        let verdict = if *passed { "ok" } else { "FAILED" };
        eprintln!("{name:<8} {verdict:<7} {:>7.1} s", time.as_secs_f64());
    }
    Ok(outcomes.iter().all(|(_, passed, _)| *passed))
}

fn run_step(root: &Path, step: &Step) -> Result<bool> {
    if step.cargo_args.is_empty() {
        return tidy::run(root);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(step.cargo_args)
        .envs(step.env.iter().copied())
        .current_dir(root)
        .status()
        .with_context(|| format!("cargo {} could not be started", step.cargo_args.join(" ")))?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Selection> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Selection::parse(&args)
    }

    #[test]
    fn without_flags_every_step_runs() {
        let selection = parse("").unwrap();
        assert!(STEPS.iter().all(|step| selection.takes(step.name)));
    }

    #[test]
    fn skipped_steps_do_not_run_and_only_excludes_the_rest() {
        let selection = parse("--skip test --skip doc").unwrap();
        assert!(!selection.takes("test") && !selection.takes("doc") && selection.takes("clippy"));
        let selection = parse("--only fmt").unwrap();
        assert!(selection.takes("fmt") && !selection.takes("clippy"));
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_valid_names() {
        let message = parse("--skip tset").unwrap_err().to_string();
        assert!(message.contains("tset") && message.contains("clippy"), "{message}");
        assert!(parse("--skip").is_err());
        assert!(parse("--fast").is_err());
    }
}
