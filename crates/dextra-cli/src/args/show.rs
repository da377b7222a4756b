//! What can be typed to look at results.

use clap::Args;
use std::path::PathBuf;

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folders of finished transfers, rollouts, collections, feasibility checks and of what demo and dataset keep; one with
    /// several hands stands for all of them.
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// Where the page that compares several transfers or rollouts goes.
    #[arg(long, value_name = "FILE", default_value = "comparison.html")]
    pub out: PathBuf,
}

/// `view`.
#[derive(Debug, Args)]
pub struct ViewArgs {
    /// Folder of a finished transfer.
    pub dir: PathBuf,
    /// Where the recording goes [default: DIR/view.rrd].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Open it too, with the program `rerun` (of the Python package rerun-sdk).
    #[arg(long)]
    pub open: bool,
}
