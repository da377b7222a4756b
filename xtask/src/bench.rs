//! `cargo xtask bench step`: stepping speed beside a bare loop and Python; see
//! `docs/results/stepping.md`. `cargo xtask bench ppo`: learning speed beside two libraries in Python, and
//! how long a policy takes to act; see `docs/results/learning.md`.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds and runs the benchmark with optimisation; `false` when it misses what is required.
pub fn step(root: &Path, args: &[String]) -> Result<bool> {
    example(root, "step_bench", args)
}

/// The same for learning; then for a policy's actions.
pub fn ppo(root: &Path, args: &[String]) -> Result<bool> {
    let learning = example(root, "ppo_bench", args)?;
    let acting = example(root, "learn_bench", &[])?;
    Ok(learning && acting)
}

/// Builds and runs an example whose exit status is 1 where a requirement is missed. It is built with the whole
/// workspace: for one package alone, dependencies would have other features and be built once more.
fn example(root: &Path, name: &str, args: &[String]) -> Result<bool> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let built = Command::new(&cargo)
        .current_dir(root)
        .args(["build", "--release", "--quiet", "--workspace", "--example", name])
        .status()
        .context("cargo could not be started")?;
    anyhow::ensure!(built.success(), "{name} could not be built: {built}");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
    let status = Command::new(target.join("release/examples").join(name))
        .current_dir(root)
        .env("LD_LIBRARY_PATH", engine(&target)?)
        .args(args)
        .status()
        .with_context(|| format!("{name} could not be started"))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => anyhow::bail!("the benchmark failed: {status}"),
    }
}

/// Where the build put the engine's library; `MUJOCO_LIB_DIR` for one that it did not fetch.
fn engine(target: &Path) -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("MUJOCO_LIB_DIR") {
        return Ok(dir.into());
    }
    let entries = std::fs::read_dir(target).context("the target folder could not be read")?;
    let dirs = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_engine = |dir: &PathBuf| {
        dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("mujoco-"))
    };
    dirs.filter(is_engine).max().context("the engine's library is not there")
}
