//! `dextra hand check`.

use crate::args::{HandArgs, HandCheckArgs, HandVerb};
use crate::output::{self, Exit};
use anyhow::Result;
use dextra::{HandReport, HandRequest};

/// Runs the verb.
pub fn run(args: &HandArgs) -> Result<Exit> {
    match &args.verb {
        HandVerb::Check(args) => check(args),
    }
}

/// Prints what was found; fine whatever the confidence.
fn check(args: &HandCheckArgs) -> Result<Exit> {
    let request =
        HandRequest { file: args.file.clone(), out: args.out.clone(), picture: !args.no_picture };
    let report = dextra::hand::check(&request)?;
    let text = if args.json { serde_json::to_string(&report)? + "\n" } else { described(&report) };
    output::print(&text)?;
    Ok(Exit::Fine)
}

fn described(report: &HandReport) -> String {
    let mut text = format!(
        "{}: {}, {} hand, {} joints ({} independent), {} servos, {:.3} kg\n\n",
        report.file,
        report.hand,
        report.side,
        report.joints,
        report.independent,
        report.servos,
        report.mass_kg
    );
    let row = |f: &dextra::hand::HandFinding| {
        vec![f.item.clone(), f.confidence.to_owned(), f.value.clone()]
    };
    let rows: Vec<_> = report.findings.iter().map(row).collect();
    text += &output::table(&["item", "sure", "found"], &rows);
    text += "\nwhy\n";
    for finding in &report.findings {
        text += &format!("  {}: {}\n", finding.item, finding.reason);
    }
    let list = |title: &str, lines: &[String]| -> String {
        lines.iter().map(|line| format!("{title}: {line}\n")).collect()
    };
    text.push('\n');
    text += &list("note", &report.notes);
    text += &list("not known", &report.unknown);
    text += &list("differs from the map beside the file", &report.differences);
    text += &match (&report.map_file, report.map.as_str()) {
        (Some(file), "derived") => format!("map written: {file}\n"),
        (Some(file), used) => format!("map written: {file}; a transfer uses {used}\n"),
        (None, "derived") => "a map is there already and was left as it is\n".to_owned(),
        (None, used) => format!("map in use: {used}; it was left as it is\n"),
    };
    if let Some(picture) = &report.picture {
        text += &format!("picture: {picture}\n");
    }
    text + &format!("page: {}\n", report.page)
}
