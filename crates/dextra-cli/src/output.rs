//! Results on stdout, errors on stderr, exit codes.

use dextra::skill::Score;
use dextra::{Report, Status};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything done, everything accepted.
    Fine,
    /// Everything done, some rejected.
    SomeRejected,
    /// Something could not be done.
    Failed,
    /// The user interrupted the work.
    Interrupted,
}

impl Exit {
    /// The exit status of the process.
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::SomeRejected => 1,
            Exit::Failed => 2,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Prints `error:` and its causes, one per line, to stderr.
pub fn print_error(error: &anyhow::Error) {
    eprint!("{}", error_text(error));
}

/// The error and its chain of causes, outermost first. A cause that its parent's text already ends
/// with is left out: some libraries print their source themselves.
pub fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    let mut above = error.to_string();
    for cause in error.chain().skip(1) {
        let line = cause.to_string();
        if !above.ends_with(&line) {
            lines.push(line.clone());
        }
        above = line;
    }
    lines
}

/// The error and its causes, one per line.
fn error_text(error: &anyhow::Error) -> String {
    let kinds = std::iter::once("error").chain(std::iter::repeat("cause"));
    kinds.zip(causes(error)).map(|(kind, line)| format!("{kind}: {line}\n")).collect()
}

/// Whether to colour text for `stream`: a terminal, and `NO_COLOR` (<https://no-color.org>) unset
/// or empty.
pub fn colours(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !refused
}

/// Writes to stdout. A reader that went away (`dextra … | head`) is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to stdout"))
        }
        _ => Ok(()),
    }
}

/// Columns separated by two spaces, each as wide as its widest cell; numbers to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let numeric: Vec<bool> = (0..header.len())
        .map(|column| {
            let mut cells = rows.iter().filter_map(|row| row.get(column)).peekable();
            cells.peek().is_some() && cells.all(|cell| cell == "-" || cell.parse::<f64>().is_ok())
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (column, cell) in cells.enumerate() {
            let pad = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
            let cell = if numeric[column] { pad + cell } else { format!("{cell}{pad}") };
            text += if column == 0 { "" } else { "  " };
            text += &cell;
        }
        text.trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// One row per hand, then the success rules and the cause of each.
pub fn reports_table(reports: &[Report], colour: bool) -> String {
    let header = [
        "hand",
        "status",
        "max_t_cm",
        "max_r_deg",
        "e_t_cm",
        "e_r_deg",
        "e_j_cm",
        "e_ft_cm",
        "wall_s",
    ];
    let number = |value: f64, digits: usize| {
        if value.is_finite() { format!("{value:.digits$}") } else { "-".to_owned() }
    };
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|r| {
            vec![
                r.hand.clone(),
                r.status.name().to_owned(),
                number(r.max_t_cm, 2),
                number(r.max_r_deg, 1),
                number(r.e_t_cm, 2),
                number(r.e_r_deg, 1),
                number(r.e_j_cm, 2),
                number(r.e_ft_cm, 2),
                number(r.wall_s, 1),
            ]
        })
        .collect();
    let mut text = table(&header, &rows);
    if colour {
        // Colours go in last: they must not count as width.
        for (word, code) in [("accepted", 32), ("rejected", 31)] {
            text = text.replace(word, &format!("\u{1b}[{code}m{word}\u{1b}[0m"));
        }
    }
    text.push('\n');
    for r in reports {
        let rules = r.protocols.named();
        let list = |met: bool| {
            let names: Vec<&str> =
                rules.iter().filter(|(_, m)| *m == met).map(|(name, _)| *name).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        text += &format!("{}: meets {}; misses {}\n", r.hand, list(true), list(false));
        let joints = [
            ("hinge", "deg", r.e_hinge_deg, r.max_hinge_deg),
            ("slider", "cm", r.e_slider_cm, r.max_slider_cm),
        ];
        for (joint, unit, mean, largest) in joints {
            if let (Some(mean), Some(largest)) = (mean, largest) {
                let (mean, largest) = (number(mean, 1), number(largest, 1));
                text +=
                    &format!("{}: {joint} {mean} {unit} off, {largest} {unit} at most\n", r.hand);
            }
        }
        if let Some(cause) = &r.cause {
            text += &format!("{}: {} because {cause}\n", r.hand, r.status.name());
        }
        if let Some(policy) = &r.policy {
            text += &format!(
                "{}: policy {} by recipe {} round the {} base, {} control steps in {:.0} CPU-s\n\n",
                r.hand,
                policy.status.name(),
                policy.recipe,
                policy.base.name(),
                policy.env_steps,
                policy.train_cpu_s
            );
            text += &scores_table(&policy.scores);
            text.push('\n');
        }
        text += &format!("{}: results in {}\n", r.hand, r.out);
    }
    text
}

/// One row per protocol.
pub fn scores_table(scores: &[Score]) -> String {
    let rows: Vec<Vec<String>> = scores
        .iter()
        .map(|score| {
            vec![
                score.protocol.clone(),
                format!("{:.2}", score.rate),
                format!("{:.2}-{:.2}", score.wilson_low, score.wilson_high),
                format!("{:.2}", score.open_loop_successes as f64 / score.trials as f64),
                format!("{:.2}", score.median_worst_cm),
            ]
        })
        .collect();
    table(&["perturbation", "success", "95 %", "open loop", "worst_cm (median)"], &rows)
        + &rules_table(scores)
}

/// One row per protocol, one column per published rule.
fn rules_table(scores: &[Score]) -> String {
    let Some(first) = scores.first().filter(|score| !score.rules.is_empty()) else {
        return String::new();
    };
    let row = |score: &Score| {
        let rates = score.rules.values().map(|met| met.successes as f64 / score.trials as f64);
        let mut row = vec![score.protocol.clone()];
        row.extend(rates.map(|rate| format!("{rate:.2}")));
        row
    };
    let rows: Vec<_> = scores.iter().map(row).collect();
    let mut columns = vec!["by the rule of"];
    columns.extend(first.rules.keys().map(String::as_str));
    "\n".to_owned() + &table(&columns, &rows)
}

/// Whether all were accepted: the policy where one was asked for, else the trajectory.
pub fn verdict(reports: &[Report]) -> Exit {
    let status = |report: &Report| report.policy.as_ref().map_or(report.status, |p| p.status);
    let accepted = reports.iter().all(|report| status(report) == Status::Accepted);
    if accepted { Exit::Fine } else { Exit::SomeRejected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_chain_of_causes_is_printed_one_per_line() {
        let inner = Err::<(), _>(io::Error::other("disk full"));
        let error = inner.context("cannot write a.npz").context("refine failed").unwrap_err();
        assert_eq!(
            error_text(&error),
            "error: refine failed\ncause: cannot write a.npz\ncause: disk full\n"
        );
    }

    #[test]
    fn a_cause_that_was_already_said_is_not_repeated() {
        let inner = Err::<(), _>(io::Error::other("disk full"));
        let error = inner.context("cannot write a.npz: disk full").unwrap_err();
        assert_eq!(error_text(&error), "error: cannot write a.npz: disk full\n");
    }

    #[test]
    fn numbers_align_right_and_words_left() {
        let rows = vec![
            vec!["a".to_owned(), "1.5".to_owned(), "ok".to_owned()],
            vec!["long".to_owned(), "-".to_owned(), "no".to_owned()],
        ];
        let text = table(&["hand", "wall_s", "x"], &rows);
        assert_eq!(text, "hand  wall_s  x\na        1.5  ok\nlong       -  no\n");
    }

    #[test]
    fn exit_is_one_as_soon_as_one_hand_is_rejected() {
        let accepted = example(Status::Accepted);
        assert_eq!(verdict(std::slice::from_ref(&accepted)), Exit::Fine);
        assert_eq!(verdict(&[accepted, example(Status::Rejected)]), Exit::SomeRejected);
    }

    #[test]
    fn the_table_tells_rules_causes_and_missing_numbers() {
        let text = reports_table(&[example(Status::Rejected)], false);
        assert!(text.contains("leap: meets spider; misses maniptrans, dexman,"), "{text}");
        assert!(text.contains("leap: rejected because dropped (frame 3)"), "{text}");
        assert!(text.lines().nth(1).is_some_and(|row| row.contains(" - ")), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(reports_table(&[example(Status::Rejected)], true).contains("\u{1b}[31mrejected"));
    }

    fn example(status: Status) -> Report {
        Report {
            clip: "cube".into(),
            hand: "leap".into(),
            seed: 1,
            status,
            cause: (status == Status::Rejected).then(|| "dropped (frame 3)".into()),
            protocols: dextra::Protocols { spider: true, ..Default::default() },
            e_r_deg: 1.0,
            e_t_cm: 1.0,
            e_j_cm: f64::NAN,
            e_ft_cm: 1.0,
            max_t_cm: 1.0,
            max_r_deg: 1.0,
            e_hinge_deg: None,
            max_hinge_deg: None,
            e_slider_cm: None,
            max_slider_cm: None,
            self_penetration_p99_mm: 0.0,
            object_penetration_p99_mm: 0.0,
            frames: 10,
            wall_s: 1.0,
            cpu_s: 2.0,
            sim_steps: 10,
            out: "out/cube".into(),
            policy: None,
            details: None,
        }
    }
}
