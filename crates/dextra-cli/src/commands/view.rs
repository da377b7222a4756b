//! `dextra view`.

use crate::args::ViewArgs;
use crate::output::{self, Exit};
use anyhow::{Context, Result};
use std::process::{Command, Stdio};

/// Prints the path of the recording, and opens it where that is asked for.
pub fn run(args: &ViewArgs) -> Result<Exit> {
    let out = args.out.clone().unwrap_or_else(|| args.dir.join("view.rrd"));
    dextra::view::write(&args.dir, &out)?;
    output::print(&format!("{}\n", out.display()))?;
    if args.open {
        let mut viewer = Command::new("rerun");
        viewer.arg(&out).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        viewer
            .spawn()
            .context("the program `rerun` cannot be started; `pip install rerun-sdk` brings it")?;
    }
    Ok(Exit::Fine)
}
