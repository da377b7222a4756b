//! `dextra export`.

use crate::args::{ExportArgs, ExportFormat, RobotArgs};
use crate::output::{self, Exit};
use crate::progress::Console;
use anyhow::Result;
use dextra::{RobotRequest, RobotStatus, export_robot};

/// Exports a result; some rejected when the machines cannot play it.
pub fn run(args: &ExportArgs) -> Result<Exit> {
    match &args.format {
        ExportFormat::Robot(args) => robot(args),
    }
}

fn robot(args: &RobotArgs) -> Result<Exit> {
    let request = RobotRequest {
        result: args.result.clone(),
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
