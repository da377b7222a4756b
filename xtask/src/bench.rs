//! `cargo xtask bench step`: stepping speed beside a bare loop and Python; see
//! `docs/results/stepping.md`. `cargo xtask bench ppo`: learning speed beside two libraries in Python, and
//! how long a policy takes to act; see `docs/results/learning.md`.

use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Builds and runs the benchmark with optimisation; `false` when it misses what is required.
pub fn step(root: &Path, args: &[String]) -> Result<bool> {
    example(root, "dextra-sim", "step_bench", args)
}

/// The same for learning; then for a policy's actions.
pub fn ppo(root: &Path, args: &[String]) -> Result<bool> {
    let learning = example(root, "dextra", "ppo_bench", args)?;
    let acting = example(root, "dextra", "learn_bench", &[])?;
    Ok(learning && acting)
}

/// Runs an example whose exit status is 1 where a requirement is missed.
fn example(root: &Path, package: &str, name: &str, args: &[String]) -> Result<bool> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["run", "--release", "--quiet", "--package", package])
        .args(["--example", name, "--"])
        .args(args)
        .status()
        .context("cargo could not be started")?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => anyhow::bail!("the benchmark failed: {status}"),
    }
}
