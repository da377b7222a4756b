//! Runs side by side.

use super::measured::Measured;
use super::plot::{Plot, escape, number};
use super::{STAGE, badge, document, figures, made_from, mark, picture, read, section, table};
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
            transfers.push(Transfer::read(dir)?);
        }
    }
    name(&mut transfers);
    let title = format!("{} runs", dirs.len());
    let mut body = format!("<header><h1>{title}</h1></header>");
    if !transfers.is_empty() {
        let rows: Vec<_> = transfers.iter().map(|run| row(&run.report)).collect();
        body += &section("Verdicts", &table(&COLUMNS, &rows));
        body += &section("Success rules", &rules(&transfers));
        body += &section("Over time", &figures(&over_time(&transfers)));
        let films: String = transfers.iter().map(Transfer::strip).collect();
        if !films.is_empty() {
            body += &section("Films: human beside robot", &films);
        }
    }
    if !rollouts.is_empty() {
        body += &section("Closed loop, success in %", &skills(&rollouts));
    }
    let details = transfers.iter().filter_map(|run| run.report.details.as_ref());
    let details = details.map(|d| (d.source.as_str(), d.licence.as_str()));
    let played = rollouts.iter().map(|r| (r.source.as_str(), r.licence.as_str()));
    body += &made_from(details.chain(played));
    let html = document(&title, &body);
    atomic::write_file(out, html.as_bytes()).map_err(Error::stage(STAGE))
}

/// A transfer that is compared.
struct Transfer {
    /// What tells it from the others.
    name: String,
    dir: PathBuf,
    report: Report,
    measured: Option<Measured>,
    /// The film strip as `data:` address.
    film: Option<String>,
}

impl Transfer {
    fn read(dir: &Path) -> Result<Transfer, Error> {
        let report = Report::read(dir)?;
        Ok(Transfer {
            name: format!("{} on {}, seed {}", report.clip, report.hand, report.seed),
            dir: dir.to_owned(),
            measured: Measured::read(dir)?,
            film: picture(&dir.join("strip.png"))?,
            report,
        })
    }

    fn strip(&self) -> String {
        let name = escape(&self.name);
        self.film.as_ref().map_or(String::new(), |data| {
            format!(
                "<h3>{name}</h3><div class=\"wide\" tabindex=\"0\"><img class=\"strip\" src=\"{data}\" alt=\"Film strip of {name}\"></div>"
            )
        })
    }
}

/// Tells runs of the same clip, hand and seed apart by their folders.
fn name(transfers: &mut [Transfer]) {
    let names: Vec<String> = transfers.iter().map(|run| run.name.clone()).collect();
    for run in transfers {
        if names.iter().filter(|name| **name == run.name).count() > 1 {
            run.name += &format!(" ({})", run.dir.display());
        }
    }
}

/// One row per run, one column per published rule.
fn rules(transfers: &[Transfer]) -> String {
    let Some(first) = transfers.first() else { return String::new() };
    let mut columns = vec!["run"];
    columns.extend(first.report.protocols.named().iter().map(|(rule, _)| *rule));
    let row = |run: &Transfer| {
        let mut row = vec![escape(&run.name)];
        row.extend(run.report.protocols.named().iter().map(|(_, met)| mark(*met)));
        row
    };
    let rows: Vec<_> = transfers.iter().map(row).collect();
    table(&columns, &rows)
}

const COLUMNS: [&str; 14] = [
    "clip", "hand", "seed", "verdict", "cause", "max cm", "max deg", "E_t cm", "E_r deg", "E_j cm",
    "E_ft cm", "policy", "CPU-s", "steps",
];

fn over_time(transfers: &[Transfer]) -> [Plot; 4] {
    let mut lines: [Vec<_>; 4] = Default::default();
    for run in transfers {
        let Some(measured) = &run.measured else { continue };
        for (all, line) in lines.iter_mut().zip(measured.summary(&run.name)) {
            all.push(line);
        }
    }
    let limits = Limits::default().protocol.every_frame();
    let axis = "time, s";
    let [position, rotation, force, points] = lines;
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
        Plot {
            title: "Points of contact with objects".to_owned(),
            axis,
            lines: points,
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
        policy,
        number(report.cpu_s),
        report.sim_steps.to_string(),
    ]
}
