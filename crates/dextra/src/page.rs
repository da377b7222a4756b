//! `report.html`: a result as a page of its own, and runs side by side.
//!
//! A page is made from the files of a result alone. It holds everything it shows: no script, no
//! link to elsewhere.

mod compare;
pub(crate) mod measured;
mod plot;

use crate::error::Error;
use crate::report::{Details, PolicyReport, Report, Status};
use crate::skill::train::Validated;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dextra_data::atomic;
use measured::Measured;
use plot::{Line, Plot, escape, number};
use std::path::{Path, PathBuf};

pub use compare::compare;

const STAGE: &str = "report page";
const STYLE: &str = include_str!("page/page.css");
/// Larger files are none of ours.
const REPORT_BYTES: u64 = 64 << 20;
/// Larger pictures are left beside the page instead of in it.
const PICTURE_BYTES: u64 = 24 << 20;

/// Makes `report.html` in the folder of a result again, and returns its path.
///
/// # Errors
/// A folder without a finished result, and files that are malformed, by name and field.
pub fn write(dir: &Path) -> Result<PathBuf, Error> {
    let report = Report::read(dir)?;
    let path = dir.join("report.html");
    let html = page(dir, &report)?;
    atomic::write_file(&path, html.as_bytes()).map_err(Error::stage(STAGE))?;
    Ok(path)
}

/// The page of one result.
fn page(dir: &Path, report: &Report) -> Result<String, Error> {
    let details = report.details.as_ref();
    let title = format!("{} on {}", report.clip, report.hand);
    let mut body = verdict(&title, report);
    body += &pictures(dir)?;
    let figures = match Measured::read(dir)? {
        Some(measured) => measured.plots(details).iter().map(Plot::figure).collect(),
        None => "<p>There is no rollout.npz to plot.</p>".to_owned(),
    };
    let key = "Shaded: planned, not shown by a human. Vertical lines: lift and put-down. \
               A contact counts for the finger whose tracked point is nearest.";
    body += &section("Over time", &format!("<p>{key}</p><div class=\"plots\">{figures}</div>"));
    body += &section("Success rules", &protocols(report));
    body += &section("Measured", &numbers(report));
    if let Some(policy) = &report.policy {
        body += &section("Policy", &policy_section(dir, policy)?);
    }
    if let Some(details) = details {
        body += &section("Notes", &notes(details));
    }
    body += &section("Provenance", &provenance(report));
    Ok(document(&title, &body))
}

/// A whole page round its body.
fn document(title: &str, body: &str) -> String {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:";
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\
         <link rel=\"icon\" href=\"data:,\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>{body}</main>\
         <footer>dextra {}</footer></body></html>\n",
        escape(title),
        env!("CARGO_PKG_VERSION")
    )
}

fn section(title: &str, content: &str) -> String {
    format!("<section><h2>{}</h2>{content}</section>", escape(title))
}

/// Rows of cells that are HTML already, the first of each its heading; tables scroll for themselves
/// where they are wider than the screen.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = String::from("<div class=\"wide\" tabindex=\"0\"><table>");
    if !header.is_empty() {
        let cells: String = header.iter().map(|h| format!("<th scope=\"col\">{h}</th>")).collect();
        html += &format!("<thead><tr>{cells}</tr></thead>");
    }
    html += "<tbody>";
    for row in rows {
        let mut cells = row.iter();
        let head = cells.next().map(|cell| format!("<th scope=\"row\">{cell}</th>"));
        let rest: String = cells.map(|cell| format!("<td>{cell}</td>")).collect();
        html += &format!("<tr>{}{rest}</tr>", head.unwrap_or_default());
    }
    html + "</tbody></table></div>"
}

fn badge(status: Status) -> String {
    let name = status.name();
    format!("<span class=\"badge {name}\">{name}</span>")
}

fn mark(met: bool) -> String {
    let (class, word) = if met { ("accepted", "met") } else { ("rejected", "missed") };
    format!("<span class=\"badge {class}\">{word}</span>")
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
    let tile = |value: f64, unit: &str, what: &str| {
        format!("<li><b>{} {unit}</b>{what}</li>", number(value))
    };
    let tiles = [
        tile(report.max_t_cm, "cm", "largest position error"),
        tile(report.max_r_deg, "deg", "largest rotation error"),
        tile(report.e_ft_cm, "cm", "mean fingertip error"),
        tile(report.wall_s, "s", "elapsed"),
    ];
    format!(
        "<header><h1>{}</h1>{}<p>{why}</p>{fragile}<ul class=\"tiles\">{}</ul></header>",
        escape(title),
        badge(report.status),
        tiles.concat()
    )
}

/// The film strip, and the film where it was made.
fn pictures(dir: &Path) -> Result<String, Error> {
    let mut html = String::new();
    if let Some(data) = picture(&dir.join("strip.png"))? {
        html += &format!(
            "<div class=\"wide\" tabindex=\"0\"><img class=\"strip\" src=\"{data}\" alt=\"Film strip: the human's hand beside the robot's, \
             from start to end\"></div>"
        );
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

/// A picture as `data:` address; `None` when it is not there or too large to be carried.
fn picture(path: &Path) -> Result<Option<String>, Error> {
    let Ok(meta) = std::fs::metadata(path) else { return Ok(None) };
    if !meta.is_file() || meta.len() > PICTURE_BYTES {
        return Ok(None);
    }
    let bytes = atomic::read_file(path, PICTURE_BYTES).map_err(Error::stage(STAGE))?;
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("mp4") => "video/mp4",
        Some("gif") => "image/gif",
        _ => "image/png",
    };
    Ok(Some(format!("data:{kind};base64,{}", STANDARD.encode(bytes))))
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
    let rows: Vec<Vec<String>> = policy
        .scores
        .iter()
        .map(|score| {
            vec![
                escape(&score.protocol),
                format!("{} of {}", score.successes, score.trials),
                format!("{:.2}-{:.2}", score.wilson_low, score.wilson_high),
                format!("{} of {}", score.open_loop_successes, score.trials),
                format!("{} cm", number(score.median_worst_cm)),
            ]
        })
        .collect();
    let curve = learning(dir)?.figure();
    Ok(format!(
        "<p>{} Recipe {}, round the {} base; {} control steps in {} CPU-s.</p>{}\
         <div class=\"plots\">{curve}</div>",
        badge(policy.status),
        escape(&policy.recipe),
        policy.base.name(),
        policy.env_steps,
        number(policy.train_cpu_s),
        table(&["perturbation", "success", "95 %", "open loop", "worst error, median"], &rows)
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

fn notes(details: &Details) -> String {
    let items = details.notes.iter().map(|note| format!("<li>{}</li>", escape(note)));
    let items: String = items.collect();
    if items.is_empty() { "<p>None.</p>".to_owned() } else { format!("<ul>{items}</ul>") }
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

#[cfg(test)]
mod tests;
