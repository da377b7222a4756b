//! Development commands. `cargo xtask ci` runs every check that must pass before a commit is
//! merged; `cargo xtask tidy` runs only the checks of the project's own rules.

mod bench;
mod ci;
mod results;
mod tidy;

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask ci [--skip STEP]... [--only STEP]...
       cargo xtask tidy
       cargo xtask bench step [--hands NAME,...] [--worlds N] [--steps N] [--threads N] [--rounds N]
       cargo xtask bench ppo [--worlds N] [--rounds N] [--iterations N]
       cargo xtask results transfer [--seeds 0,1,2] [--out DIR] [--clip CLIP]... [--hands NAME,...]
                                    [--trials N] [--film] [--noise TIMES] [--program PATH]
       cargo xtask results policies|ablations [--recipe NAME]... [--set KEY=VALUE]... [and as above]

Steps of ci, in order: fmt, clippy, doc, tidy, test";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the command; `false` when a check failed.
fn run(args: &[String]) -> Result<bool> {
    let root = workspace_root()?;
    match args.first().map(String::as_str) {
        Some("ci") => ci::run(&root, &ci::Selection::parse(&args[1..])?),
        Some("tidy") if args.len() == 1 => tidy::run(&root),
        Some("bench") if args.get(1).is_some_and(|what| what == "step") => {
            bench::step(&root, &args[2..])
        }
        Some("bench") if args.get(1).is_some_and(|what| what == "ppo") => {
            bench::ppo(&root, &args[2..])
        }
        Some("results") => results::run(&root, &results::Options::parse(&args[1..])?),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(true)
        }
        _ => anyhow::bail!("unknown arguments: {:?}\n{USAGE}", args.join(" ")),
    }
}

/// The repository root: the parent of this package.
fn workspace_root() -> Result<PathBuf> {
    let manifest_dir = std::env::var("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set; start this as `cargo xtask`")?;
    let root = Path::new(&manifest_dir).parent().context("xtask has no parent folder")?;
    Ok(root.to_path_buf())
}
