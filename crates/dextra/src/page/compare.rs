//! Runs side by side.

use super::measured::Measured;
use super::plot::{Plot, escape, number};
use super::{STAGE, badge, document, figures, read, section, table};
use crate::error::Error;
use crate::report::Report;
use crate::skill::RolloutReport;
use dextra_core::rollout::Limits;
use dextra_data::atomic;
use std::path::{Path, PathBuf};

/// Writes the page that compares the results in `dirs` to `out`: one row per transfer, and their errors and
/// forces over the same time; one row per rollout with its success under every perturbation.
///
/// # Errors
/// A folder without such a result, malformed files, and a page that cannot be written.
pub fn compare(dirs: &[PathBuf], out: &Path) -> Result<(), Error> {
    let (mut transfers, mut rollouts) = (Vec::new(), Vec::new());
    for dir in dirs {
        let rollout = dir.join("rollout.json");
        if rollout.is_file() {
            rollouts.push(read::<RolloutReport>(&rollout)?);
        } else {
            transfers.push((Report::read(dir)?, Measured::read(dir)?));
        }
    }
    let title = format!("{} runs", dirs.len());
    let mut body = format!("<header><h1>{title}</h1></header>");
    if !transfers.is_empty() {
        let rows: Vec<_> = transfers.iter().map(|(report, _)| row(report)).collect();
        body += &section("Verdicts", &table(&COLUMNS, &rows));
        body += &section("Over time", &figures(&over_time(&transfers)));
    }
    if !rollouts.is_empty() {
        body += &section("Closed loop, success in %", &skills(&rollouts));
    }
    let html = document(&title, &body);
    atomic::write_file(out, html.as_bytes()).map_err(Error::stage(STAGE))
}

const COLUMNS: [&str; 15] = [
    "clip",
    "hand",
    "seed",
    "verdict",
    "cause",
    "max cm",
    "max deg",
    "E_t cm",
    "E_r deg",
    "E_j cm",
    "E_ft cm",
    "rules met",
    "policy",
    "CPU-s",
    "steps",
];

fn over_time(transfers: &[(Report, Option<Measured>)]) -> [Plot; 3] {
    let mut lines: [Vec<_>; 3] = Default::default();
    for (report, measured) in transfers {
        let Some(measured) = measured else { continue };
        let name = format!("{} on {}, seed {}", report.clip, report.hand, report.seed);
        for (all, line) in lines.iter_mut().zip(measured.summary(&name)) {
            all.push(line);
        }
    }
    let limits = Limits::default().protocol.every_frame();
    let axis = "time, s";
    let [position, rotation, force] = lines;
    [
        Plot {
            title: "Worst object position error, cm".to_owned(),
            axis,
            lines: position,
            limit: limits.map(|(position, _)| position * 100.0),
            ..Plot::default()
        },
        Plot {
            title: "Worst object rotation error, deg".to_owned(),
            axis,
            lines: rotation,
            limit: limits.map(|(_, rotation)| rotation.to_degrees()),
            ..Plot::default()
        },
        Plot {
            title: "Normal force on objects, N".to_owned(),
            axis,
            lines: force,
            ..Plot::default()
        },
    ]
}

/// One row per skill, one column per perturbation that any of them was played under.
fn skills(reports: &[RolloutReport]) -> String {
    let mut protocols: Vec<&str> = Vec::new();
    for score in reports.iter().flat_map(|report| &report.scores) {
        if !protocols.contains(&score.protocol.as_str()) {
            protocols.push(&score.protocol);
        }
    }
    let row = |report: &RolloutReport| {
        let rate = |protocol: &&str| {
            let score = report.scores.iter().find(|score| score.protocol == *protocol);
            score.map_or("-".to_owned(), |score| {
                let open = score.open_loop_successes as f64 / score.trials.max(1) as f64;
                format!("{:.0} ({:.0})", score.rate * 100.0, open * 100.0)
            })
        };
        let mut row = vec![
            escape(&report.clip),
            escape(&report.hand),
            escape(&report.recipe),
            badge(report.status),
        ];
        row.extend(protocols.iter().map(rate));
        row
    };
    let rows: Vec<_> = reports.iter().map(row).collect();
    let names: Vec<String> = protocols.iter().map(|name| escape(name)).collect();
    let mut columns = vec!["clip", "hand", "recipe", "verdict"];
    columns.extend(names.iter().map(String::as_str));
    format!("<p>In brackets: open loop, on the same draws.</p>{}", table(&columns, &rows))
}

fn row(report: &Report) -> Vec<String> {
    let rules = report.protocols.named();
    let met: Vec<&str> = rules.iter().filter(|(_, met)| *met).map(|(name, _)| *name).collect();
    let policy = report.policy.as_ref().map_or("-".to_owned(), |policy| {
        let main = policy.scores.iter().find(|s| s.protocol == crate::skill::trials::MAIN);
        let score = main.map(|s| format!(" {} of {}", s.successes, s.trials));
        badge(policy.status) + &score.unwrap_or_default()
    });
    vec![
        escape(&report.clip),
        escape(&report.hand),
        report.seed.to_string(),
        badge(report.status),
        escape(report.cause.as_deref().unwrap_or("-")),
        number(report.max_t_cm),
        number(report.max_r_deg),
        number(report.e_t_cm),
        number(report.e_r_deg),
        number(report.e_j_cm),
        number(report.e_ft_cm),
        if met.is_empty() { "none".to_owned() } else { met.join(", ") },
        policy,
        number(report.cpu_s),
        report.sim_steps.to_string(),
    ]
}
