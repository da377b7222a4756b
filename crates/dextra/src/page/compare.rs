//! Runs side by side.

use super::measured::Measured;
use super::plot::{Plot, escape, number};
use super::{STAGE, badge, document, section, table};
use crate::error::Error;
use crate::report::Report;
use dextra_core::rollout::Limits;
use dextra_data::atomic;
use std::path::{Path, PathBuf};

/// Writes the page that compares the results in `dirs` to `out`: one row per run, and their errors and
/// forces over the same time.
///
/// # Errors
/// A folder without a finished result, malformed files, and a page that cannot be written.
pub fn compare(dirs: &[PathBuf], out: &Path) -> Result<(), Error> {
    let mut rows = Vec::new();
    let mut lines: [Vec<_>; 3] = Default::default();
    for dir in dirs {
        let report = Report::read(dir)?;
        if let Some(measured) = Measured::read(dir)? {
            let name = format!("{} on {}, seed {}", report.clip, report.hand, report.seed);
            for (all, line) in lines.iter_mut().zip(measured.summary(&name)) {
                all.push(line);
            }
        }
        rows.push(row(&report));
    }
    let header = [
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
    let limits = Limits::default().protocol.every_frame();
    let axis = "time, s";
    let [position, rotation, force] = lines;
    let plots = [
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
    ];
    let figures: String = plots.iter().map(Plot::figure).collect();
    let title = format!("{} runs", dirs.len());
    let body = format!(
        "<header><h1>{title}</h1></header>{}{}",
        section("Verdicts", &table(&header, &rows)),
        section("Over time", &format!("<div class=\"plots\">{figures}</div>"))
    );
    let html = document(&title, &body);
    atomic::write_file(out, html.as_bytes()).map_err(Error::stage(STAGE))
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
