//! The page of what stands against a transfer.

use super::plot::{Plot, escape, number};
use super::{coloured, document, figures, header, made_from, read, section, table};
use crate::error::Error;
use crate::feasibility::{
    Curve, Difficulty, FeasibilityReport, FeasibilityResult, Feasible, Finding, HandFit, Severity,
};
use std::path::Path;

/// The page of the result in `dir`.
pub(super) fn page(dir: &Path) -> Result<String, Error> {
    let result: FeasibilityResult = read(&dir.join("feasibility.json"))?;
    let mut body = head(&result);
    body += &section("Over time", &(KEY.to_owned() + &figures(&plots(&result))));
    body += &section("Hands", &fits(&result.reports));
    for report in &result.reports {
        let assessment = &report.assessment;
        let verdict = format!(
            "<p>{} {}</p>",
            coloured(report.status == Feasible::Feasible, assessment.difficulty.name()),
            escape(&assessment.reason)
        );
        body += &section(&report.hand, &(verdict + &findings(&assessment.findings)));
    }
    for hand in &result.unusable {
        let text = format!("<p>{} {}</p>", coloured(false, "failed"), escape(&hand.cause));
        body += &section(&hand.hand, &text);
    }
    body += &made_from([(result.source.as_str(), result.licence.as_str())].into_iter());
    Ok(document(&title(&result), &body))
}

const KEY: &str = "<p>Of the recorded clip, before it is slowed or smoothed. Vertical lines: frames of warnings \
                   and worse.</p>";

fn title(result: &FeasibilityResult) -> String {
    format!("Can {} be done?", result.clip)
}

fn head(result: &FeasibilityResult) -> String {
    let can = result.reports.iter().filter(|r| r.status == Feasible::Feasible).count();
    let all = result.reports.len() + result.unusable.len();
    let verdict = coloured(can == all, &format!("{can} of {all} hands"));
    let Some(first) = result.reports.first() else {
        return header(&title(result), &verdict, "", &[]);
    };
    let task = &first.assessment.task;
    let tiles = [
        (first.frames.to_string(), "frames"),
        (format!("{} Hz", number(first.fps_hz)), "recorded"),
        (task.holds.to_string(), "holds"),
        (task.moving_objects.to_string(), "moving objects"),
        (format!("{} deg", number(task.in_hand_deg)), "turned in the hand"),
        (format!("{} times", number(first.assessment.time_scale)), "slowed"),
    ];
    let text = "<p>From geometry alone, before any search: one warning makes a clip fair, two make it hard, a \
                blocking finding makes it infeasible.</p>";
    header(&title(result), &verdict, text, &tiles)
}

fn plots(result: &FeasibilityResult) -> Vec<Plot> {
    let told = |finding: &&Finding| finding.severity > Severity::Info;
    let mut marks: Vec<f64> = Vec::new();
    for report in &result.reports {
        let frames = report.assessment.findings.iter().filter(told).filter_map(|f| f.frame);
        marks.extend(frames.map(|frame| frame as f64 / report.fps_hz));
    }
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    let plot = |title: &str, curves: &[Curve]| Plot {
        marks: marks.clone(),
        ..Plot::over_time(title, curves, 1.0)
    };
    vec![
        plot("Height of objects, cm above their lowest", &result.heights_cm),
        plot("Nearest fingertip to a surface, cm", &result.gaps_cm),
    ]
}

/// One row per robot hand.
fn fits(reports: &[FeasibilityReport]) -> String {
    let measured = |value: Option<f64>, unit: &str| {
        value.map_or("-".to_owned(), |value| format!("{} {unit}", number(value)))
    };
    let row = |report: &FeasibilityReport, fit: &HandFit| {
        let difficulty = report.assessment.difficulty;
        vec![
            format!("{} {}", escape(&report.hand), escape(&fit.side)),
            coloured(difficulty != Difficulty::Infeasible, difficulty.name()),
            measured(fit.opening_cm, "cm"),
            measured(fit.grasp_width_cm, "cm"),
            measured(Some(fit.finger_thickness_mm), "mm"),
            measured(fit.gap_mm, "mm"),
            measured(fit.tip_residual_cm, "cm"),
            measured(fit.palm_residual_cm, "cm"),
            measured(fit.palm_residual_deg, "deg"),
        ]
    };
    let rows: Vec<_> = reports
        .iter()
        .flat_map(|report| report.assessment.hands.iter().map(move |fit| row(report, fit)))
        .collect();
    let columns = [
        "hand",
        "difficulty",
        "opens",
        "object is wide",
        "finger is thick",
        "narrowest gap",
        "fingertips off",
        "palm off",
        "palm turned",
    ];
    table(&columns, &rows)
}

fn findings(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "<p>Nothing stands against it.</p>".to_owned();
    }
    let row = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Info => "info".to_owned(),
            severity => coloured(false, severity.name()),
        };
        vec![
            finding.kind.name().replace('_', " "),
            severity,
            finding.frame.map_or("-".to_owned(), |frame| frame.to_string()),
            escape(&finding.text),
        ]
    };
    let rows: Vec<_> = findings.iter().map(row).collect();
    table(&["finding", "", "frame", "what was seen"], &rows)
}
