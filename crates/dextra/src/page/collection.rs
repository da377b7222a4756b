//! The page of a collection.

use super::bars::{Bar, Bars};
use super::plot::{Line, Plot, escape, number};
use super::{coloured, document, figures, header, read, section, table};
use crate::collect::{Case, Dataset, Episode, read_lines};
use crate::error::Error;
use dextra_core::rollout::Limits;
use std::collections::BTreeMap;
use std::path::Path;

/// The page of the collection in `dir`.
pub(super) fn page(dir: &Path) -> Result<String, Error> {
    let dataset: Dataset = read(&dir.join("dataset.json"))?;
    let cases: Vec<Case> = read_lines(&dir.join("cases.jsonl"))?;
    let episodes: Vec<Episode> = read_lines(&dir.join("index.jsonl"))?;
    let title = format!("Collection of {} episodes", dataset.episodes);
    let statuses: Vec<String> = dataset
        .cases
        .iter()
        .map(|(status, count)| format!("{count} {}", coloured(status == "accepted", status)))
        .collect();
    let tiles = [
        (dataset.episodes.to_string(), "episodes kept"),
        (dataset.tried.to_string(), "rollouts tried"),
        (dataset.steps.to_string(), "physics steps"),
        (format!("{} s", number(dataset.cpu_s)), "processor time"),
    ];
    let text = "<p>Only rollouts that kept the object within 3 cm and 0.5 rad of the demonstration at every judged \
                state, replayed at true physics with the object up to 1 cm and 5 deg off, are kept.</p>";
    let body = header(&title, &statuses.join(" "), text, &tiles)
        + &section("Cases", &(kept(&cases) + &table_of(&cases)))
        + &section("Episodes", &figures(&errors(&episodes)))
        + &section("Provenance", &provenance(&episodes));
    Ok(document(&title, &body))
}

/// How many rollouts of each case were kept.
fn kept(cases: &[Case]) -> String {
    let bar = |case: &Case| Bar {
        name: case.case.clone(),
        text: format!("{} of {}", case.episodes, case.tried),
        share: case.episodes as f64 / case.tried.max(1) as f64,
        ..Bar::default()
    };
    let bars = Bars {
        title: "Rollouts kept".to_owned(),
        legend: ["kept of those tried", ""],
        bars: cases.iter().filter(|case| case.tried > 0).map(bar).collect(),
        wanted: None,
    };
    format!("<div class=\"plots\">{}</div>", bars.figure())
}

fn table_of(cases: &[Case]) -> String {
    let row = |case: &Case| {
        vec![
            escape(&case.clip),
            escape(&case.hand),
            case.seed.to_string(),
            coloured(case.status == "accepted", &case.status),
            escape(case.cause.as_deref().unwrap_or("-")),
            format!("{} of {}", case.episodes, case.tried),
            number(case.cpu_s),
        ]
    };
    let rows: Vec<_> = cases.iter().map(row).collect();
    table(&["clip", "hand", "seed", "verdict", "cause", "kept", "CPU-s"], &rows)
}

/// Largest errors of the episodes, from the best to the worst, one line per case.
fn errors(episodes: &[Episode]) -> Vec<Plot> {
    let mut by_case: BTreeMap<&str, Vec<&Episode>> = BTreeMap::new();
    for episode in episodes {
        by_case.entry(&episode.case).or_default().push(episode);
    }
    let lines = |error: fn(&Episode) -> f64| {
        let line = |(name, episodes): (&&str, &Vec<&Episode>)| {
            let mut values: Vec<f64> = episodes.iter().map(|e| error(e)).collect();
            values.sort_by(f64::total_cmp);
            // A single episode is a level, not a point that cannot be seen.
            let last = values.last().copied();
            values.extend(last.filter(|_| values.len() == 1));
            let points = values.into_iter().enumerate().map(|(i, value)| (i as f64, value));
            Line { name: (*name).to_owned(), points: points.collect() }
        };
        by_case.iter().map(line).collect()
    };
    let limits = Limits::default().protocol.every_frame();
    let axis = "episodes of a case, from the best to the worst";
    vec![
        Plot {
            title: "Largest position error, cm".to_owned(),
            axis,
            lines: lines(|episode| episode.max_t_cm),
            limit: limits.map(|(position, _)| position * 100.0),
            ..Plot::default()
        },
        Plot {
            title: "Largest rotation error, deg".to_owned(),
            axis,
            lines: lines(|episode| episode.max_r_deg),
            limit: limits.map(|(_, rotation)| rotation.to_degrees()),
            ..Plot::default()
        },
    ]
}

/// Episodes by licence and source.
fn provenance(episodes: &[Episode]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for episode in episodes {
        *counts.entry((&episode.licence, &episode.source)).or_default() += 1;
    }
    let rows: Vec<Vec<String>> = counts
        .into_iter()
        .map(|((licence, source), count)| vec![escape(source), escape(licence), count.to_string()])
        .collect();
    table(&["source", "licence", "episodes"], &rows)
}
