//! The page of an export for real machines.

use super::plot::{Line, Plot, escape, number};
use super::{coloured, document, figures, header, list, picture, read, section, table, wide};
use crate::error::Error;
use crate::export::robot::{ChannelReport, DeviceReport, RobotReport, RobotStatus, STEMS};
use serde::Deserialize;
use std::path::Path;

/// The page of an export from its folder.
pub(super) fn of_folder(dir: &Path) -> Result<String, Error> {
    let path = dir.join("robot.json");
    let report: RobotReport = read(&path)?;
    // Stems become names of files; those of others could lead anywhere.
    match report.devices.iter().find(|device| !STEMS.contains(&device.stem.as_str())) {
        Some(device) => Err(Error::Request(format!(
            "{}: `stem` is {:?}, none of {}",
            path.display(),
            device.stem,
            STEMS.join(", ")
        ))),
        None => page(dir, &report),
    }
}

/// The page of an export, with the pictures of its tables in `dir`.
pub(crate) fn page(dir: &Path, report: &RobotReport) -> Result<String, Error> {
    let title = format!("{} on {}, for {}", report.clip, report.hand, report.device);
    let ready = report.status == RobotStatus::Ready;
    let verdict = coloured(ready, if ready { "ready" } else { "refused" });
    let tiles = [
        (format!("{} s", number(report.duration_s)), "duration"),
        (format!("{} times", number(report.time_scale)), "time stretched"),
        (format!("{} mm", number(report.smoothing_max_mm)), "moved by smoothing, at most"),
    ];
    let text = match ready {
        true => "<p>All limits that are known are kept.</p>".to_owned(),
        false => format!("<p>Refused, and no table written, because:</p>{}", list(&report.causes)),
    };
    let mut body = header(&title, &verdict, &text, &tiles);
    body += &following(report);
    for device in &report.devices {
        body += &machine(dir, device)?;
    }
    body += &section("Notes", &list(&report.notes));
    let row = |what: &str, value: &str| vec![what.to_owned(), escape(value)];
    let mut rows = vec![
        row("result", &report.result),
        row("source", &report.source),
        row("licence, of everything made from it too", &report.licence),
    ];
    for (name, digest) in &report.inputs_sha256 {
        rows.push(vec![escape(name), format!("<code>{}</code>", escape(digest))]);
    }
    body += &section("Provenance", &format!("<div class=\"broken\">{}</div>", table(&[], &rows)));
    Ok(document(&title, &body))
}

/// How well fingertips of another hand, and arms, follow.
fn following(report: &RobotReport) -> String {
    let mut html = String::new();
    if !report.alignment.is_empty() {
        let row = |a: &crate::export::robot::AlignmentReport| {
            let numbers = [a.tip_mean_mm, a.tip_p95_mm, a.tip_max_mm, a.palm_shift_mm];
            let mut row = vec![escape(&a.side)];
            row.extend(numbers.map(|mm| format!("{} mm", number(mm))));
            row
        };
        let rows: Vec<_> = report.alignment.iter().map(row).collect();
        let columns = ["hand", "fingertips, mean", "95 % below", "at most", "palm displaced"];
        html += &section("Fingertips", &table(&columns, &rows));
    }
    if !report.arms.is_empty() {
        let row = |a: &crate::export::robot::ArmReport| {
            vec![
                format!("{} {}", escape(&a.side), escape(&a.arm)),
                format!("{} of {}", a.reached, a.frames),
                format!("{} mm, {} deg", number(a.position_max_mm), number(a.rotation_max_deg)),
                format!("{:.0} %", 100.0 * a.limit_margin),
            ]
        };
        let rows: Vec<_> = report.arms.iter().map(row).collect();
        let columns = ["arm", "frames reached", "flange off, at most", "of half a range left"];
        html += &section("Arms", &table(&columns, &rows));
    }
    html
}

/// What a machine is sent, of its `.json`.
#[derive(Deserialize)]
struct Sent {
    rate_hz: f64,
    rows: Vec<Vec<f64>>,
}

/// Positions and speeds over time, each as a share of what is allowed; what has no limit has no line.
fn plots(device: &DeviceReport, sent: &Sent) -> [Plot; 2] {
    let line = |name: &str, values: Vec<f64>| {
        let at = |(index, value)| (index as f64 / sent.rate_hz, value);
        Line { name: name.to_owned(), points: values.into_iter().enumerate().map(at).collect() }
    };
    let channels = || device.channels.iter().enumerate();
    let track = |column: usize| {
        sent.rows.iter().map(move |row| row.get(column).copied().unwrap_or(f64::NAN))
    };
    let position = |(column, channel): (usize, &ChannelReport)| {
        let (low, high) = channel.position_limits?;
        let share = |value: f64| 100.0 * (value - low) / (high - low);
        Some(line(&channel.name, track(column).map(share).collect()))
    };
    let speed = |(column, channel): (usize, &ChannelReport)| {
        let limit = channel.velocity_limit?;
        let steps = track(column).zip(track(column).skip(1));
        let share = |(a, b): (f64, f64)| 100.0 * (b - a).abs() * sent.rate_hz / limit;
        Some(line(&channel.name, steps.map(share).collect()))
    };
    let plot = |title: &str, lines| Plot {
        title: title.to_owned(),
        axis: "time, s",
        lines,
        limit: Some(100.0),
        at_least: 100.0,
        ..Plot::default()
    };
    [
        plot("Position, % of the allowed range", channels().filter_map(position).collect()),
        plot("Speed, % of the published limit", channels().filter_map(speed).collect()),
    ]
}

fn machine(dir: &Path, device: &DeviceReport) -> Result<String, Error> {
    let limits = |limits: Option<(f64, f64)>| {
        limits.map_or("-".into(), |(a, b)| format!("{} to {}", number(a), number(b)))
    };
    let of = |value: f64, limit: Option<f64>| {
        format!("{} of {}", number(value), limit.map_or("-".to_owned(), number))
    };
    let row = |c: &ChannelReport| {
        vec![
            escape(&c.name),
            format!("{} to {}", number(c.position_min), number(c.position_max)),
            limits(c.position_limits),
            of(c.velocity, c.velocity_limit),
            of(c.acceleration, c.acceleration_limit),
            of(c.jerk, c.jerk_limit),
            if c.broken.is_empty() {
                coloured(true, "kept")
            } else {
                coloured(false, &c.broken.join(", "))
            },
        ]
    };
    let rows: Vec<_> = device.channels.iter().map(row).collect();
    let mut html = format!(
        "<p>{} rows at {} Hz, in {} and per second.</p>",
        device.rows,
        number(device.rate_hz),
        escape(&device.unit)
    );
    let table_of = dir.join(format!("{}.json", device.stem));
    if table_of.is_file() {
        html += &figures(&plots(device, &read(&table_of)?));
    } else if let Some(data) = picture(&dir.join(format!("{}.png", device.stem)))? {
        html += &wide(&data, "chart", "Positions over time, as a share of the range, and speeds");
    }
    html += &table(
        &["channel", "sent", "allowed", "velocity", "acceleration", "jerk", "limits"],
        &rows,
    );
    Ok(section(&format!("{}: {}", device.stem.replace('_', " "), device.model), &html))
}
