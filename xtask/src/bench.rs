//! `cargo xtask bench step`: stepping speed beside a bare loop and Python; see
//! `docs/results/stepping.md`.

use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Builds and runs the benchmark with optimisation; `false` when it misses what is required.
pub fn step(root: &Path, args: &[String]) -> Result<bool> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["run", "--release", "--quiet", "--package", "dextra-sim"])
        .args(["--example", "step_bench", "--"])
        .args(args)
        .status()
        .context("cargo could not be started")?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => anyhow::bail!("the benchmark failed: {status}"),
    }
}
