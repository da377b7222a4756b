//! `dextra collect`.

use crate::args::CollectArgs;
use crate::interrupt;
use crate::output::{self, Exit};
use crate::progress::Console;
use anyhow::Result;
use dextra::collect::Tally;
use dextra::{CollectRequest, Dataset, Error, collect};

/// Collects, and prints what came together; fine when every case was accepted,
/// failed as soon as one was.
pub fn run(args: &CollectArgs) -> Result<Exit> {
    interrupt::listen()?;
    let trimmed = |words: &[String]| words.iter().map(|word| word.trim().to_owned()).collect();
    let request = CollectRequest {
        clips: args.clips.clone(),
        hands: trimmed(&args.hand),
        seeds: args.seeds.clone(),
        policy: args.policy.clone(),
        settings: args.settings.clone(),
        rollouts: args.rollouts,
        out: args.out.clone(),
        threads: args.threads.map(usize::from),
        options: args.reading.options(),
    };
    let console = Console::new("");
    let result = collect(&request, &console);
    console.finish();
    let dataset = match result {
        Err(Error::Cancelled { .. }) => {
            eprintln!("interrupted; what was finished is kept, and the same command goes on");
            return Ok(Exit::Interrupted);
        }
        result => result?,
    };
    output::print(&if args.json {
        serde_json::to_string(&dataset)? + "\n"
    } else {
        table(&dataset)
    })?;
    let has = |status: &str| dataset.cases.contains_key(status);
    Ok(match (has("failed"), has("rejected")) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::SomeRejected,
        (false, false) => Exit::Fine,
    })
}

fn table(dataset: &Dataset) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows: Vec<Vec<String>> = dataset
        .cases
        .iter()
        .map(|(status, count)| row(&format!("cases {status}"), count.to_string()))
        .collect();
    rows.push(row("rollouts tried", dataset.tried.to_string()));
    rows.push(row("episodes kept", dataset.episodes.to_string()));
    rows.push(row("physics steps", dataset.steps.to_string()));
    for (licence, count) in &dataset.licences {
        rows.push(row(&format!("episodes under {licence}"), count.to_string()));
    }
    rows.push(row("CPU-s", format!("{:.0}", dataset.cpu_s)));
    let mut text = output::table(&["what", "count"], &rows);
    for (what, tallies) in [("clip", &dataset.clips), ("hand", &dataset.hands)] {
        let row = |(name, tally): (&String, &Tally)| {
            let accepted = format!("{} of {}", tally.accepted, tally.cases);
            vec![name.clone(), accepted, format!("{} of {}", tally.episodes, tally.tried)]
        };
        let rows: Vec<_> = tallies.iter().map(row).collect();
        text += "\n";
        text += &output::table(&[what, "cases accepted", "rollouts kept"], &rows);
    }
    text
}
