//! The page of a hand that was checked.

use super::plot::{escape, number};
use super::{classed, document, header, list, picture, section, table, wide};
use crate::error::Error;
use crate::hand::{HandFinding, HandReport};
use std::path::Path;

/// The page of a hand, with its picture where one was drawn.
pub(crate) fn page(report: &HandReport) -> Result<String, Error> {
    let title = format!("{}, {} hand", report.hand, report.side);
    let tiles = [
        (report.joints.to_string(), "joints"),
        (report.independent.to_string(), "that no coupling drives"),
        (report.servos.to_string(), "servos"),
        (format!("{} kg", number(report.mass_kg)), "mass"),
    ];
    let text = format!(
        "<p>From <code>{}</code>. The map in use: {}. The least sure finding is the badge's.</p>",
        escape(&report.file),
        escape(&report.map)
    );
    let mut body = header(&title, &sure(report.confidence), &text, &tiles);
    if let Some(path) = &report.picture
        && let Some(data) = picture(Path::new(path))?
    {
        let image = wide(&data, "chart", "The hand with its map drawn over it");
        body += &section("The hand and its map", &image);
    }
    let row = |finding: &HandFinding| {
        vec![
            escape(&finding.item),
            sure(finding.confidence),
            escape(&finding.value),
            escape(&finding.reason),
        ]
    };
    let rows: Vec<_> = report.findings.iter().map(row).collect();
    body += &section("Found", &table(&["item", "sure", "found", "why"], &rows));
    body += &section("Not known", &list(&report.unknown));
    body += &section("Different in the map beside the file", &list(&report.differences));
    body += &section("Notes", &list(&report.notes));
    Ok(document(&title, &body))
}

/// `certain` on green, `guess` on red, `likely` between.
fn sure(confidence: &str) -> String {
    let class = match confidence {
        "certain" => "accepted",
        "guess" => "rejected",
        _ => "between",
    };
    classed(class, confidence)
}
