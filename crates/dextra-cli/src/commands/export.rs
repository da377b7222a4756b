//! `dextra export`.

use crate::args::{CollectionArgs, ExportArgs, ExportFormat, RobotArgs};
use crate::output::{self, Exit};
use crate::progress::Console;
use anyhow::Result;
use dextra::{
    DatasetFormat, DatasetReport, DatasetRequest, RobotRequest, RobotStatus, default_points,
    export_dataset, export_robot,
};

/// Exports a result, some rejected when the machines cannot play it, or a collection.
pub fn run(args: &ExportArgs) -> Result<Exit> {
    match &args.format {
        ExportFormat::Robot(args) => robot(args),
        ExportFormat::Lerobot(args) => collection(args, DatasetFormat::LeRobot),
        ExportFormat::Zarr(args) => collection(args, DatasetFormat::Zarr),
        ExportFormat::Hdf5(args) => collection(args, DatasetFormat::Hdf5),
    }
}

fn robot(args: &RobotArgs) -> Result<Exit> {
    let request = RobotRequest {
        result: args.result.clone(),
        hand: args.hand.clone(),
        out: args.out.clone(),
        onto: args.onto.clone(),
        device: args.device.clone(),
        arm: args.arms.clone(),
        stands: args.stand.clone(),
        turns: args.turn_deg.clone(),
        table_m: args.table_m,
        rate_hz: args.rate_hz,
        measured: args.measured,
        smoothing_s: args.smoothing_s,
        align_smoothness_mm: args.align_smoothness_mm,
        max_time_scale: args.max_time_scale,
        allow_rejected: args.allow_rejected,
    };
    let console = Console::new("");
    let report = export_robot(&request, &console);
    console.finish();
    let report = report?;
    output::print(&if args.json {
        serde_json::to_string(&report)? + "\n"
    } else {
        format!("{}results in {}\n", report.text(), report.out)
    })?;
    Ok(match report.status {
        RobotStatus::Ready => Exit::Fine,
        RobotStatus::Refused => Exit::SomeRejected,
    })
}

fn collection(args: &CollectionArgs, format: DatasetFormat) -> Result<Exit> {
    let request = DatasetRequest {
        collection: args.collection.clone(),
        format,
        out: args.out.clone(),
        fps_hz: args.fps_hz,
        hand: args.hand.clone(),
        task: args.task.clone(),
        points: args.points.unwrap_or_else(|| default_points(format)),
    };
    let console = Console::new("");
    let report = export_dataset(&request, &console);
    console.finish();
    let report = report?;
    output::print(&if args.json {
        serde_json::to_string(&report)? + "\n"
    } else {
        format!("{}dataset in {}\n", table(&report), report.out)
    })?;
    Ok(Exit::Fine)
}

fn table(report: &DatasetReport) -> String {
    let row = |name: String, value: usize| vec![name, value.to_string()];
    let mut rows = vec![
        row("episodes".to_owned(), report.episodes),
        row(format!("steps at {} Hz", report.fps_hz), report.steps),
    ];
    let features = report.features.iter();
    rows.extend(features.map(|(name, &width)| row(format!("numbers in {name}"), width)));
    rows.extend(
        report.tasks.iter().map(|(task, &count)| row(format!("episodes of {task}"), count)),
    );
    let licences = report.licences.iter();
    rows.extend(licences.map(|(licence, &n)| row(format!("episodes under {licence}"), n)));
    output::table(&["what", "count"], &rows)
}
