//! `dextra rollout`.

use crate::args::RolloutArgs;
use crate::interrupt;
use crate::output::{self, Exit};
use crate::progress::Console;
use anyhow::Result;
use dextra::skill::{RolloutReport, RolloutRequest, rollout};
use dextra::{Error, Status};

/// Plays the skill and prints how it did; fine when it is accepted.
pub fn run(args: &RolloutArgs) -> Result<Exit> {
    interrupt::listen()?;
    let request = RolloutRequest {
        skill: args.skill.clone(),
        clip: args.clip.clone(),
        hand: args.hand.clone(),
        trials: args.trials,
        seeds: args.seeds.clone(),
        threads: args.threads.map_or(0, usize::from),
    };
    if let Some(out) = &args.out {
        dextra::page::may_hold(out, RolloutReport::FILE)?;
    }
    let console = Console::new("");
    let result = rollout(&request, &console);
    console.finish();
    let report = match result {
        Err(Error::Cancelled { .. }) => return Ok(Exit::Interrupted),
        result => result?,
    };
    if let Some(out) = &args.out {
        report.write(out)?;
    }
    output::print(&if args.json {
        serde_json::to_string(&report)? + "\n"
    } else {
        tables(&report)
    })?;
    Ok(if report.status == Status::Accepted { Exit::Fine } else { Exit::SomeRejected })
}

fn tables(report: &RolloutReport) -> String {
    let mut text = format!(
        "{} on {}, recipe {} round the {} base: {}\n\n",
        report.clip,
        report.hand,
        report.recipe,
        report.base,
        report.status.name()
    );
    text += &output::scores_table(&report.scores);
    let terms: Vec<Vec<String>> = report
        .reward_terms
        .iter()
        .filter(|(_, mean)| *mean != 0.0)
        .map(|(name, mean)| vec![name.clone(), thousandths(*mean)])
        .collect();
    text += "\n";
    text += &output::table(&["reward term", "mean per step"], &terms);
    text
}

/// Three decimals, or two digits of what would be 0.000.
fn thousandths(mean: f64) -> String {
    if mean.abs() < 5e-4 { format!("{mean:.1e}") } else { format!("{mean:.3}") }
}
