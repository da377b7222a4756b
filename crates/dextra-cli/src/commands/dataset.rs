//! `dextra dataset`.

use crate::args::{DatasetAction, DatasetArgs, LookArgs};
use crate::output::{self, Exit};
use anyhow::Result;
use dextra::dataset::{self, DatasetInfo};

/// Looks at datasets, or makes some of others; some rejected when a dataset has problems.
pub fn run(args: &DatasetArgs) -> Result<Exit> {
    match &args.action {
        DatasetAction::Info(args) => show(args, false),
        DatasetAction::Validate(args) => show(args, true),
        DatasetAction::Merge(args) => {
            let count = dataset::merge(&args.datasets, args.format, &args.out)?;
            output::print(&format!("{count} episodes in {}\n", args.out.display()))?;
            Ok(Exit::Fine)
        }
        DatasetAction::Split(args) => {
            let counts = dataset::split(&args.dataset, &args.parts, args.seed, &args.out)?;
            for ((name, _), count) in args.parts.iter().zip(counts) {
                output::print(&format!("{count} episodes in {}\n", args.out.join(name).display()))?;
            }
            Ok(Exit::Fine)
        }
    }
}

fn show(args: &LookArgs, every_number: bool) -> Result<Exit> {
    let contents = dataset::contents(&args.dataset, every_number)?;
    if let Some(out) = &args.out {
        dataset::look(&contents, out)?;
    }
    let info = &contents.info;
    output::print(&if args.json { serde_json::to_string(info)? + "\n" } else { text(info) })?;
    Ok(if info.problems.is_empty() { Exit::Fine } else { Exit::SomeRejected })
}

fn text(info: &DatasetInfo) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("format", info.format.clone()),
        row("robot", info.robot.clone()),
        row("rate, Hz", info.fps_hz.map_or("not stated".to_owned(), |fps| fps.to_string())),
        row("episodes", info.episodes.to_string()),
        row("with a record of acceptance", info.accepted.to_string()),
        row("steps", format!("{} ({} to {})", info.steps, info.shortest, info.longest)),
    ];
    for (name, elements) in &info.features {
        let ends = match &elements[..] {
            [first, .., last] => format!(" ({first} to {last})"),
            [only] => format!(" ({only})"),
            [] => String::new(),
        };
        rows.push(row(&format!("numbers in {name}"), format!("{}{ends}", elements.len())));
    }
    // The others are told by their numbers.
    for array in info.arrays.iter().filter(|array| !array.is_feature || array.shape.len() > 2) {
        let left_out =
            if array.is_feature { "" } else { ", no feature: counted, not part of episodes" };
        let shape = format!("{:?} of {}{left_out}", array.shape, array.dtype);
        rows.push(row(&format!("array {}", array.name), shape));
    }
    for (task, count) in &info.tasks {
        rows.push(row(&format!("episodes of {task:?}"), count.to_string()));
    }
    for (licence, count) in &info.licences {
        rows.push(row(&format!("episodes under {licence}"), count.to_string()));
    }
    let problems = info.problems.iter().map(|problem| format!("problem: {problem}\n"));
    output::table(&["what", "value"], &rows) + &problems.collect::<String>()
}
