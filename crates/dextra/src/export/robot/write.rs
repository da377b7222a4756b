//! The files of `export robot`.

use super::report::{DeviceReport, RobotReport, RobotStatus};
use super::{Machine, RobotRequest};
use crate::error::Error;
use crate::film::write_png;
use crate::outputs;
use crate::page;
use crate::plots::limits;
use dextra_data::atomic;
use serde::Serialize;
use std::path::Path;

const STAGE: &str = "writing the export";
/// The file with the [`RobotReport`].
pub(super) const REPORT: &str = "robot.json";
/// Stems of the files of the machines.
pub(crate) const STEMS: [&str; 4] = ["right_hand", "left_hand", "right_arm", "left_arm"];

/// A table as JSON.
#[derive(Serialize)]
struct Table<'a> {
    format_version: u32,
    device: &'a str,
    model: &'a str,
    side: &'a str,
    unit: &'a str,
    rate_hz: f64,
    interpolation: &'a str,
    time_scale: f64,
    clip: &'a str,
    hand: &'a str,
    source: &'a str,
    licence: &'a str,
    inputs_sha256: &'a [(String, String)],
    seed: u64,
    dextra_version: &'a str,
    names: Vec<&'a str>,
    rows: &'a [Vec<f64>],
}

/// Writes all files, the report last. Tables are written of a trajectory that is ready only; those of an earlier
/// export are removed first.
pub fn write(
    request: &RobotRequest,
    report: &mut RobotReport,
    machines: &[Machine],
    tables: &[Vec<Vec<f64>>],
) -> Result<(), Error> {
    let out = request.folder();
    std::fs::create_dir_all(&out).map_err(Error::io("create", &out))?;
    for name in [REPORT, "robot.txt", "report.html"] {
        remove(&out.join(name))?;
    }
    for stem in STEMS {
        for extension in ["csv", "json", "png"] {
            remove(&out.join(format!("{stem}.{extension}")))?;
        }
    }
    let notice = outputs::notice(&report.source, &report.licence);
    report.out = out.display().to_string();
    for ((machine, rows), device) in machines.iter().zip(tables).zip(&report.devices) {
        let rows = sent(machine.device.resolution, rows);
        let path = |extension: &str| out.join(format!("{}.{extension}", machine.stem));
        let title =
            format!("{}, {}: {} on {}", device.stem, device.model, report.clip, report.hand);
        let picture = limits::draw(&title, &machine.device, &rows, device.rate_hz);
        write_png(&picture, &path("png"), Some(&notice)).map_err(Error::stage(STAGE))?;
        if report.status == RobotStatus::Ready {
            let put = |extension: &str, bytes: &[u8]| {
                atomic::write_file(&path(extension), bytes).map_err(Error::stage(STAGE))
            };
            put("csv", csv(report, device, &rows).as_bytes())?;
            put("json", &json(report, device, &rows)?)?;
        }
    }
    outputs::write_source(&out, &report.source, &report.licence)?;
    put_text(&out.join("robot.txt"), &report.text())?;
    put_text(&out.join("report.html"), &page::robot(&out, report)?)?;
    let bytes = serde_json::to_vec_pretty(report).map_err(Error::stage(STAGE))?;
    atomic::write_file(&out.join(REPORT), &bytes).map_err(Error::stage(STAGE))
}

fn put_text(path: &Path, text: &str) -> Result<(), Error> {
    atomic::write_file(path, text.as_bytes()).map_err(Error::stage(STAGE))
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Rows as the machine can be sent them.
fn sent(resolution: Option<f64>, rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let round = |value: &f64| resolution.map_or(*value, |step| (value / step).round() * step);
    rows.iter().map(|row| row.iter().map(round).collect()).collect()
}

/// Comments with what the table is, names with units, and one row per message.
fn csv(report: &RobotReport, device: &DeviceReport, rows: &[Vec<f64>]) -> String {
    let line = |text: &str| text.replace(['\n', '\r'], " ");
    let mut text = format!(
        "# {} of {} on {}\n# device: {} ({})\n# side: {}\n# unit: {}\n# rate_hz: {}\n# interpolation: {}\n\
         # time_scale: {}\n# source: {}\n# licence: {}\n# seed: {}\n# dextra_version: {}\n",
        device.stem,
        line(&report.clip),
        line(&report.hand),
        device.device,
        line(&device.model),
        device.side,
        device.unit,
        device.rate_hz,
        report.interpolation,
        report.time_scale,
        line(&report.source),
        line(&report.licence),
        report.seed,
        report.dextra_version
    );
    for (name, digest) in &report.inputs_sha256 {
        text += &format!("# sha256 of {}: {digest}\n", line(name));
    }
    text += "time_s";
    for channel in &device.channels {
        text += &format!(",{}_{}", channel.name, device.unit);
    }
    text.push('\n');
    for (index, row) in rows.iter().enumerate() {
        text += &format!("{:.6}", index as f64 / device.rate_hz);
        for value in row {
            text += &format!(",{}", short(*value));
        }
        text.push('\n');
    }
    text
}

/// Nine decimals are far below what any encoder resolves.
fn short(value: f64) -> String {
    let text = format!("{value:.9}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn json(report: &RobotReport, device: &DeviceReport, rows: &[Vec<f64>]) -> Result<Vec<u8>, Error> {
    let table = Table {
        format_version: 1,
        device: &device.device,
        model: &device.model,
        side: &device.side,
        unit: &device.unit,
        rate_hz: device.rate_hz,
        interpolation: &report.interpolation,
        time_scale: report.time_scale,
        clip: &report.clip,
        hand: &report.hand,
        source: &report.source,
        licence: &report.licence,
        inputs_sha256: &report.inputs_sha256,
        seed: report.seed,
        dextra_version: &report.dextra_version,
        names: device.channels.iter().map(|channel| channel.name.as_str()).collect(),
        rows,
    };
    serde_json::to_vec(&table).map_err(Error::stage(STAGE))
}
