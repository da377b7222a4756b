//! `dextra feasibility`.

use crate::args::FeasibilityArgs;
use crate::output::{self, Exit};
use anyhow::Result;
use dextra::feasibility::{Feasible, Finding};
use dextra::{FeasibilityReport, FeasibilityRequest, Silent};

/// Columns of a line of text.
const WIDTH: usize = 100;

/// Prints what was found for every hand. A hand that cannot be used does not keep the others from
/// being judged.
pub fn run(args: &FeasibilityArgs) -> Result<Exit> {
    let request = FeasibilityRequest {
        clip: args.clip.clone(),
        hands: args.hand.iter().map(|hand| hand.trim().to_owned()).collect(),
        seed: args.seed,
        options: args.reading.options(),
        out: args.out.clone(),
    };
    let outcome = dextra::feasibility(&request, &Silent)?;
    let mut reports = Vec::new();
    let mut failed = false;
    let mut lines = String::new();
    for (hand, outcome) in request.hands.iter().zip(outcome) {
        match outcome {
            Ok(report) => {
                lines += &(serde_json::to_string(&report)? + "\n");
                reports.push(report);
            }
            Err(error) => {
                failed = true;
                let error = anyhow::Error::new(error);
                let line = serde_json::json!({
                    "clip": request.clip, "hand": hand, "seed": request.seed,
                    "status": "failed", "cause": output::causes(&error).join(": "),
                });
                lines += &format!("{line}\n");
                output::print_error(&error);
            }
        }
    }
    if args.json {
        output::print(&lines)?;
    } else if !reports.is_empty() {
        output::print(&described(&reports))?;
    }
    let blocked = reports.iter().any(|report| report.status == Feasible::Infeasible);
    Ok(match (failed, blocked) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::SomeRejected,
        (false, false) => Exit::Fine,
    })
}

/// One row per hand, what was found for all of them, then what was found for each.
fn described(reports: &[FeasibilityReport]) -> String {
    let header = [
        "hand",
        "difficulty",
        "slowed",
        "opens_cm",
        "width_cm",
        "finger_mm",
        "gap_mm",
        "tips_cm",
        "palm_cm",
        "palm_deg",
    ];
    let number = |value: Option<f64>, digits: usize| {
        value.filter(|v| v.is_finite()).map_or("-".to_owned(), |v| format!("{v:.digits$}"))
    };
    let mut rows = Vec::new();
    for report in reports {
        for (index, fit) in report.assessment.hands.iter().enumerate() {
            let name = match report.assessment.hands.len() {
                1 => report.hand.clone(),
                _ => format!("{} {}", report.hand, fit.side),
            };
            let shared = |text: String| if index == 0 { text } else { String::new() };
            rows.push(vec![
                name,
                shared(report.assessment.difficulty.name().to_owned()),
                shared(format!("{:.2}", report.assessment.time_scale)),
                number(fit.opening_cm, 1),
                number(fit.grasp_width_cm, 1),
                number(Some(fit.finger_thickness_mm), 0),
                number(fit.gap_mm, 0),
                number(fit.tip_residual_cm, 1),
                number(fit.palm_residual_cm, 1),
                number(fit.palm_residual_deg, 0),
            ]);
        }
    }
    let mut text = output::table(&header, &rows);
    let Some(first) = reports.first() else { return text };
    let task = &first.assessment.task;
    let clip = format!(
        "{}: {} frames at {} Hz; {}, {}; turns {:.0} deg and slides {:.1} cm in the hand",
        first.clip,
        first.frames,
        first.fps_hz,
        counted(task.holds, "hold"),
        counted(task.moving_objects, "moving object"),
        task.in_hand_deg,
        task.in_hand_cm
    );
    text += &format!("\n{}", wrapped(&clip, "  "));
    let common = |finding: &&Finding| {
        reports.len() > 1 && reports.iter().all(|r| r.assessment.findings.contains(finding))
    };
    for finding in first.assessment.findings.iter().filter(common) {
        text += &line(finding);
    }
    for report in reports {
        let assessment = &report.assessment;
        let verdict =
            format!("{}: {} ({})", report.hand, assessment.difficulty.name(), assessment.reason);
        text += &format!("\n{}", wrapped(&verdict, ""));
        for finding in assessment.findings.iter().filter(|f| !common(f)) {
            text += &line(finding);
        }
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn line(finding: &Finding) -> String {
    let frame = finding.frame.map_or(String::new(), |frame| format!(" (frame {frame})"));
    let text =
        format!("  {} {}{frame}: {}", finding.severity.name(), finding.kind.name(), finding.text);
    wrapped(&text, "    ")
}

/// Breaks a line at spaces so that it fits [`WIDTH`]; all lines but the first start with `indent`. A
/// word that is longer than a line stays whole.
fn wrapped(text: &str, indent: &str) -> String {
    let lead = text.len() - text.trim_start().len();
    let mut out = text[..lead].to_owned();
    let mut width = lead;
    for (index, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 && width + 1 + length > WIDTH {
            out += &format!("\n{indent}");
            width = indent.len();
        } else if index > 0 {
            out.push(' ');
            width += 1;
        }
        out += word;
        width += length;
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_spaces_and_keep_their_words() {
        let text = format!("  info: {}", "word ".repeat(60));
        let lines = wrapped(&text, "    ");
        assert!(lines.lines().all(|line| line.chars().count() <= WIDTH), "{lines}");
        assert!(lines.lines().skip(1).all(|line| line.starts_with("    word")), "{lines}");
        assert_eq!(lines.split_whitespace().count(), 61);
        let path = "x".repeat(150);
        assert_eq!(wrapped(&path, "  "), path + "\n");
    }

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!((counted(1, "hold"), counted(0, "hold")), ("1 hold".into(), "0 holds".into()));
    }
}
