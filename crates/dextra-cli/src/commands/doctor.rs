//! `dextra doctor`.

use crate::args::DoctorArgs;
use crate::output::{self, Exit};
use anyhow::Result;
use dextra::doctor::{Check, can_run, doctor};

/// Prints what was found; fine when the main job can run.
pub fn run(args: &DoctorArgs) -> Result<Exit> {
    let checks = doctor();
    output::print(&if args.json { lines(&checks) } else { table(&checks) })?;
    Ok(if can_run(&checks) { Exit::Fine } else { Exit::Failed })
}

fn table(checks: &[Check]) -> String {
    let row = |c: &Check| vec![c.name.to_owned(), c.finding.name().to_owned(), c.detail.clone()];
    let rows: Vec<_> = checks.iter().map(row).collect();
    let mut text = output::table(&["check", "", "found"], &rows);
    for check in checks {
        if let Some(help) = &check.help {
            text += &format!("\n{}: {help}\n", check.name);
        }
    }
    text += match can_run(checks) {
        true => "\nThe main job can run here.\n",
        false => "\nThe main job cannot run here.\n",
    };
    text
}

fn lines(checks: &[Check]) -> String {
    let line = |check: &Check| {
        serde_json::json!({
            "check": check.name,
            "finding": check.finding.name(),
            "found": check.detail,
            "help": check.help,
        })
        .to_string()
    };
    checks.iter().map(|check| line(check) + "\n").collect()
}
