//! `dextra report`.

use crate::args::ReportArgs;
use crate::output::{self, Exit};
use anyhow::Result;
use dextra::page;
use std::path::{Path, PathBuf};

/// Prints the paths of the pages that were written, one per line.
pub fn run(args: &ReportArgs) -> Result<Exit> {
    let dirs: Vec<PathBuf> = args.dirs.iter().flat_map(|dir| results(dir)).collect();
    for dir in &dirs {
        output::print(&format!("{}\n", page::write(dir)?.display()))?;
    }
    let compared: Vec<PathBuf> = dirs.into_iter().filter(|dir| page::is_run(dir)).collect();
    if compared.len() > 1 {
        page::compare(&compared, &args.out)?;
        output::print(&format!("{}\n", args.out.display()))?;
    }
    Ok(Exit::Fine)
}

/// The folder, or the results in it where it is not one itself.
fn results(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut inside: Vec<PathBuf> = entries.filter(|path| page::is_result(path)).collect();
    inside.sort();
    if page::is_result(dir) || inside.is_empty() { vec![dir.to_owned()] } else { inside }
}
