//! The page of a transfer.

use super::measured::Measured;
use super::plot::{Line, Plot, escape, number};
use super::{
    REPORT_BYTES, STAGE, badge, document, figures, header, list, mark, picture, raster, rollout,
    section, table, wide,
};
use crate::error::Error;
use crate::report::{PolicyReport, Report};
use crate::skill::train::Validated;
use dextra_data::atomic;
use std::path::Path;

/// The page of the transfer in `dir`.
pub(super) fn page(dir: &Path) -> Result<String, Error> {
    let report = Report::read(dir)?;
    let details = report.details.as_ref();
    let title = format!("{} on {}", report.clip, report.hand);
    let mut body = verdict(&title, &report);
    body += &pictures(dir)?;
    let key = "Shaded: planned, not shown by a human. Vertical lines: lift and put-down. \
               A contact counts for the finger whose tracked point is nearest.";
    let over_time = match Measured::read(dir)? {
        Some(measured) => {
            let figures: String = measured.plots(details).iter().map(Plot::figure).collect();
            let touching = raster::figures(dir, &measured, details)?;
            format!("<div class=\"plots\">{figures}{touching}</div>")
        }
        None => "<p>There is no rollout.npz to plot.</p>".to_owned(),
    };
    body += &section("Over time", &format!("<p>{key}</p>{over_time}"));
    body += &section("Success rules", &protocols(&report));
    body += &section("Measured", &numbers(&report));
    if let Some(policy) = &report.policy {
        body += &section("Policy", &policy_section(dir, policy)?);
    }
    if let Some(details) = details {
        body += &section("Notes", &list(&details.notes));
    }
    body += &section("Provenance", &provenance(&report));
    Ok(document(&title, &body))
}

fn verdict(title: &str, report: &Report) -> String {
    let why = match &report.cause {
        Some(cause) => format!("Rejected because: {}.", escape(cause.trim_end_matches('.'))),
        None => "The replay at true physics kept the object within 3 cm and 0.5 rad of the \
                 demonstration at every frame, without deep penetration."
            .to_owned(),
    };
    let fragile = report.details.as_ref().and_then(|d| d.fragile.as_ref());
    let fragile = fragile.map_or(String::new(), |f| {
        format!("<p class=\"warn\">Fragile: {}.</p>", escape(f.trim_end_matches('.')))
    });
    let tile = |value: f64, unit: &str, what| (format!("{} {unit}", number(value)), what);
    let tiles = [
        tile(report.max_t_cm, "cm", "largest position error"),
        tile(report.max_r_deg, "deg", "largest rotation error"),
        tile(report.e_ft_cm, "cm", "mean fingertip error"),
        tile(report.wall_s, "s", "elapsed"),
    ];
    header(title, &badge(report.status), &format!("<p>{why}</p>{fragile}"), &tiles)
}

/// The film strip, and the film where it was made.
fn pictures(dir: &Path) -> Result<String, Error> {
    let mut html = String::new();
    if let Some(data) = picture(&dir.join("strip.png"))? {
        let alt = "Film strip: the human's hand beside the robot's, from start to end";
        html += &wide(&data, "strip", alt);
    }
    if let Some(data) = picture(&dir.join("film.mp4"))? {
        html += &format!(
            "<details><summary>Play the film</summary><video controls loop muted playsinline src=\"{data}\"></video></details>"
        );
    } else if let Some(data) = picture(&dir.join("film.gif"))? {
        html += &format!(
            "<details><summary>Play the film</summary><img src=\"{data}\" alt=\"Film of the human's \
             hand beside the robot's\"></details>"
        );
    }
    Ok(if html.is_empty() { html } else { section("Film: human beside robot", &html) })
}

fn protocols(report: &Report) -> String {
    let rules = [
        "means below 30 deg, 3 cm, joints 8 cm, fingertips 6 cm",
        "every frame within 0.5 rad and 3 cm",
        "means below 0.5 rad and 10 cm",
        "means below 10 cm and 20 deg",
        "means below 10 cm and 40 deg",
    ];
    let rows: Vec<Vec<String>> = report
        .protocols
        .named()
        .into_iter()
        .zip(rules)
        .map(|((name, met), rule)| vec![name.to_owned(), mark(met), rule.to_owned()])
        .collect();
    table(&["rule", "", "what it asks"], &rows)
}

fn numbers(report: &Report) -> String {
    let row = |what: &str, value: f64, unit: &str| {
        vec![what.to_owned(), format!("{} {unit}", number(value))]
    };
    let mut rows = vec![
        row("mean position error", report.e_t_cm, "cm"),
        row("mean rotation error", report.e_r_deg, "deg"),
        row("mean joint error", report.e_j_cm, "cm"),
        row("mean fingertip error", report.e_ft_cm, "cm"),
        row("penetration into objects, p99", report.object_penetration_p99_mm, "mm"),
        row("penetration into itself, p99", report.self_penetration_p99_mm, "mm"),
    ];
    if let Some(details) = &report.details {
        rows.extend([
            row("contact force, p99", details.contact_force_p99_n, "N"),
            row("actuators at their limit, mean", details.saturation_mean * 100.0, "%"),
            row("largest position error at half the step", details.half_step_max_t_cm, "cm"),
            row("clip slowed by", details.time_scale, "times"),
        ]);
        for trial in &details.robustness {
            rows.push(vec![
                format!("open loop, object {} cm off", number(trial.offset_cm)),
                format!(
                    "{} of {} ({}-{})",
                    trial.successes,
                    trial.trials,
                    number(trial.wilson_low),
                    number(trial.wilson_high)
                ),
            ]);
        }
    }
    rows.push(row("processor time", report.cpu_s, "s"));
    rows.push(vec!["physics steps".to_owned(), report.sim_steps.to_string()]);
    table(&[], &rows)
}

fn policy_section(dir: &Path, policy: &PolicyReport) -> Result<String, Error> {
    let curve = figures(&[learning(dir)?]);
    Ok(format!(
        "<p>{} Recipe {}, round the {} base; {} control steps in {} CPU-s.</p>{}{curve}",
        badge(policy.status),
        escape(&policy.recipe),
        policy.base.name(),
        policy.env_steps,
        number(policy.train_cpu_s),
        rollout::scores(&policy.scores)
    ))
}

/// Success in the validations of `policy/validation.jsonl`.
fn learning(dir: &Path) -> Result<Plot, Error> {
    let path = dir.join("policy").join("validation.jsonl");
    if !path.is_file() {
        return Ok(Plot::default());
    }
    let bytes = atomic::read_file(&path, REPORT_BYTES).map_err(Error::stage(STAGE))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut validations: Vec<Validated> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let validated = serde_json::from_str(line).map_err(|error| {
            Error::Request(format!("{}: line {}: {error}", path.display(), index + 1))
        })?;
        validations.push(validated);
    }
    let line = |name: &str, value: fn(&Validated) -> f64| Line {
        name: name.to_owned(),
        points: validations.iter().map(|v| (v.steps as f64 / 1000.0, value(v) * 100.0)).collect(),
    };
    Ok(Plot {
        title: "Success in validation, %".to_owned(),
        axis: "control steps, thousands",
        lines: vec![line("1 cm and 5 deg off", |v| v.near), line("all validated", |v| v.mean)],
        at_least: 100.0,
        ..Plot::default()
    })
}

fn provenance(report: &Report) -> String {
    let row = |what: &str, value: &str| vec![what.to_owned(), escape(value)];
    let mut rows = vec![
        row("clip", &report.clip),
        row("hand", &report.hand),
        row("seed", &report.seed.to_string()),
        row("frames", &report.frames.to_string()),
    ];
    if let Some(details) = &report.details {
        rows.extend([
            row("source", &details.source),
            row("licence, of everything made from it too", &details.licence),
            row("engine", &details.engine),
            row("grasp hypothesis", &details.hypothesis),
        ]);
        for (name, digest) in &details.inputs_sha256 {
            rows.push(vec![escape(name), format!("<code>{}</code>", escape(digest))]);
        }
    }
    format!("<div class=\"broken\">{}</div>", table(&[], &rows))
}
