//! The page of a skill that was played.

use super::bars::{Bar, Bars};
use super::plot::{escape, number};
use super::{badge, document, header, made_from, read, section, table};
use crate::error::Error;
use crate::skill::RolloutReport;
use crate::skill::trials::{ENOUGH, FAR, MAIN, Score};
use std::path::Path;

/// The page of the rollout in `dir`.
pub(super) fn page(dir: &Path) -> Result<String, Error> {
    let report: RolloutReport = read(&dir.join("rollout.json"))?;
    let title = format!("{} on {}: closed loop", report.clip, report.hand);
    let text = format!(
        "<p>Recipe {}, round the {} base. Accepted when 95 in 100 trials keep the object within 3 cm and 0.5 rad at \
         every judged state with the object 1 cm and up to 5 deg off.</p>",
        escape(&report.recipe),
        escape(&report.base)
    );
    let tile = |protocol| {
        let score = report.scores.iter().find(|score| score.protocol == protocol)?;
        Some((format!("{:.0} %", score.rate * 100.0), protocol))
    };
    let tiles: Vec<_> = ["as planned", MAIN, FAR].into_iter().filter_map(tile).collect();
    let seeds: Vec<String> = report.seeds.iter().map(u64::to_string).collect();
    let how = format!(
        "<p>{} trials for each of the seeds {}, the same draws open and closed loop. Intervals are Wilson's, 95 %.</p>",
        report.trials,
        seeds.join(", ")
    );
    let terms: Vec<Vec<String>> = report
        .reward_terms
        .iter()
        .filter(|(_, mean)| *mean != 0.0)
        .map(|(name, mean)| vec![format!("<code>{}</code>", escape(name)), number(*mean)])
        .collect();
    let body = header(&title, &badge(report.status), &text, &tiles)
        + &section("Under perturbations", &(how + &scores(&report.scores)))
        + &section(
            "What the reward paid, as planned",
            &table(&["term", "mean per control step"], &terms),
        )
        + &made_from([(report.source.as_str(), report.licence.as_str())].into_iter());
    Ok(document(&title, &body))
}

/// Success under every perturbation as bars and as a table.
pub(super) fn scores(scores: &[Score]) -> String {
    let bar = |score: &Score| Bar {
        name: score.protocol.clone(),
        text: format!("{} of {}", score.successes, score.trials),
        share: score.rate,
        interval: Some((score.wilson_low, score.wilson_high)),
        beside: Some(score.open_loop_successes as f64 / score.trials.max(1) as f64),
    };
    let half = scores.len().div_ceil(2).max(1);
    let bars: String = scores
        .chunks(half)
        .map(|part| Bars {
            title: "Success".to_owned(),
            legend: ["closed loop", "open loop"],
            bars: part.iter().map(bar).collect(),
            wanted: Some(ENOUGH),
        })
        .map(|bars| bars.figure())
        .collect();
    let rows: Vec<Vec<String>> = scores
        .iter()
        .map(|score| {
            let by_seed: Vec<String> = score.by_seed.iter().map(usize::to_string).collect();
            vec![
                escape(&score.protocol),
                format!("{} of {}", score.successes, score.trials),
                format!("{:.2}-{:.2}", score.wilson_low, score.wilson_high),
                by_seed.join(", "),
                format!("{} of {}", score.open_loop_successes, score.trials),
                format!("{} cm", number(score.median_worst_cm)),
            ]
        })
        .collect();
    let columns =
        ["perturbation", "success", "95 %", "by seed", "open loop", "worst error, median"];
    format!("<div class=\"plots\">{bars}</div>{}{}", table(&columns, &rows), rules(scores))
}

/// How many trials met each published rule; nothing of results that do not say.
fn rules(scores: &[Score]) -> String {
    let names: Vec<&str> =
        scores.first().map_or_else(Vec::new, |s| s.rules.keys().map(String::as_str).collect());
    if names.is_empty() {
        return String::new();
    }
    let row = |score: &Score| {
        let share = |count: usize| 100.0 * count as f64 / score.trials.max(1) as f64;
        let cell = |name: &&str| {
            let met = score.rules.get(*name).copied().unwrap_or_default();
            format!("{:.0} ({:.0})", share(met.successes), share(met.open_loop_successes))
        };
        let mut row = vec![escape(&score.protocol)];
        row.extend(names.iter().map(cell));
        row
    };
    let rows: Vec<_> = scores.iter().map(row).collect();
    let escaped: Vec<String> = names.iter().map(|name| escape(name)).collect();
    let mut columns = vec!["perturbation"];
    columns.extend(escaped.iter().map(String::as_str));
    format!(
        "<p>Trials in 100 that meet each published rule at the frames of the clip, from the very start, where the \
         object may lie off; in brackets open loop.</p>{}",
        table(&columns, &rows)
    )
}
