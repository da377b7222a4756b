//! `export robot`: a transfer's result as what real machines are sent.
//!
//! Reads the result, aligns fingertips where the real hand is another than the simulated one, finds joints for arms
//! that carry the hands, stretches time until the vendors' limits are kept, and writes one table per machine.

mod hand;
mod limb;
mod report;
mod write;

pub use report::{
    AlignmentReport, ArmReport, ChannelReport, DeviceReport, RobotReport, RobotStatus,
};

use super::result::TransferResult;
use crate::error::Error;
use crate::page;
use crate::progress::Reporter;
use dextra_core::device::Device;
use dextra_core::{Side, names};
use dextra_data::load_device;
use dextra_motion::deploy::{ChannelCheck, Stream, check, needed_time_scale};
use std::path::PathBuf;

pub(crate) use write::STEMS;

/// What is exported, and for which machines.
#[derive(Clone, Debug, PartialEq)]
pub struct RobotRequest {
    /// Folder that a transfer filled.
    pub result: PathBuf,
    /// Where the file of the simulated hand is now, if it has been moved since the transfer.
    pub hand: Option<String>,
    /// Folder for the files; `None` for `robot` in the result.
    pub out: Option<PathBuf>,
    /// The real hand, where it is not the simulated one: built-in or a file.
    pub onto: Option<String>,
    /// Description of the real hand: built-in or a file; `None` for the one of the hand's name.
    pub device: Option<String>,
    /// Description of the arms; `None` for none.
    pub arm: Option<String>,
    /// Bases of arms: x, y, z in metres and yaw in degrees; others are chosen.
    pub stands: Vec<(Side, [f64; 4])>,
    /// Turns of hands on their flanges, degrees; others are chosen.
    pub turns: Vec<(Side, f64)>,
    /// Height of what the arms stand on and must not strike; `None` for the table of the scene. Lower where the object
    /// stands on a pedestal.
    pub table_m: Option<f64>,
    /// Messages per second to all machines; `None` for each vendor's.
    pub rate_hz: Option<f64>,
    /// Send the simulated joint angles instead of the targets that squeeze.
    pub measured: bool,
    /// Standard deviation of the smoothing over time, seconds.
    pub smoothing_s: f64,
    /// What smoothness is worth in the alignment: a joint at 1 rad/s costs as much as a fingertip this far off.
    pub align_smoothness_mm: f64,
    /// Time may be stretched by this factor.
    pub max_time_scale: f64,
    /// Export a rejected trajectory too.
    pub allow_rejected: bool,
}

impl Default for RobotRequest {
    fn default() -> Self {
        Self {
            result: PathBuf::new(),
            hand: None,
            out: None,
            onto: None,
            device: None,
            arm: None,
            stands: Vec::new(),
            turns: Vec::new(),
            table_m: None,
            rate_hz: None,
            measured: false,
            smoothing_s: 0.04,
            align_smoothness_mm: 1.0,
            max_time_scale: 4.0,
            allow_rejected: false,
        }
    }
}

impl RobotRequest {
    /// Where the files go.
    fn folder(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| self.result.join("robot"))
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |message: &str| Err(Error::Request(message.to_owned()));
        let within = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        if self.rate_hz.is_some_and(|rate| !within(rate, 1.0, 10_000.0)) {
            return refuse("the rate must lie between 1 and 10000 Hz");
        }
        if !within(self.smoothing_s, 0.0, 1.0) {
            return refuse("the smoothing must lie between 0 and 1 s");
        }
        if !within(self.align_smoothness_mm, 0.0, 100.0) {
            return refuse("the smoothness of the alignment must lie between 0 and 100 mm");
        }
        if !within(self.max_time_scale, 1.0, 100.0) {
            return refuse("the largest time scale must lie between 1 and 100");
        }
        let numbers = self.stands.iter().flat_map(|(_, at)| at);
        if numbers.chain(self.turns.iter().map(|(_, turn)| turn)).any(|v| !v.is_finite()) {
            return refuse("stands and turns must be finite numbers");
        }
        if self.table_m.is_some_and(|height| !within(height, -100.0, 100.0)) {
            return refuse("the height of the table must lie between -100 and 100 m");
        }
        if self.arm.is_none() && !(self.stands.is_empty() && self.turns.is_empty()) {
            return refuse("stands and turns are of arms; there are none without --arms");
        }
        Ok(())
    }
}

/// The numbers for one machine.
struct Machine {
    /// Stem of its files.
    stem: String,
    side: Side,
    device: Device,
    /// Over time at a scale of 1, in the device's unit.
    stream: Stream,
}

impl Machine {
    /// Rows at a rate and stretched; what a spline swings beyond a limit is cut off.
    fn rows(&self, rate: f64, time_scale: f64) -> Vec<Vec<f64>> {
        let mut rows = self.stream.resampled(rate, time_scale);
        for row in &mut rows {
            for (value, channel) in row.iter_mut().zip(&self.device.channels) {
                if let Some((low, high)) = channel.limits.position {
                    *value = value.clamp(low, high);
                }
            }
        }
        rows
    }
}

/// Exports a result. A trajectory that the machines cannot play is no error: the report is then
/// [`RobotStatus::Refused`], says why, and no table is written.
///
/// # Errors
/// A folder with a result of another kind, a result that cannot be read or was rejected, an unknown or unfit hand,
/// description or arm, and files that cannot be written.
pub fn robot(request: &RobotRequest, reporter: &dyn Reporter) -> Result<RobotReport, Error> {
    request.check()?;
    page::may_hold(&request.folder(), write::REPORT)?;
    reporter.stage("read", None);
    let result =
        TransferResult::read(&request.result, request.allow_rejected, request.hand.as_deref())?;
    let device = hand_device(request, &result)?;
    let arm_device = request.arm.as_deref().map(arm_device).transpose()?;
    let mut report = RobotReport::new(request, &result, &device);
    let rest = (4.0 * request.smoothing_s / result.dt).ceil() as usize + 1;
    report.rest_s = rest as f64 * result.dt;
    let mut machines = Vec::new();
    let mut played = Vec::new();
    for source in &result.hands {
        reporter.stage("hand", None);
        let device = sided(&device, source.side);
        let played_hand = hand::play(request, &result, source, &device, rest, &mut report)?;
        machines.push(Machine {
            stem: format!("{}_hand", source.side.name()),
            side: source.side,
            device,
            stream: Stream::new(played_hand.rows.clone(), result.dt),
        });
        played.push(played_hand);
    }
    if let Some(device) = &arm_device {
        reporter.stage("arms", None);
        let joints = limb::carry(request, &result, device, &played, rest, &mut report)?;
        for (hand, rows) in played.iter().zip(joints) {
            machines.push(Machine {
                stem: format!("{}_arm", hand.side.name()),
                side: hand.side,
                device: sided(device, hand.side),
                stream: Stream::new(rows, result.dt),
            });
        }
    }
    reporter.stage("check", None);
    let rate = |machine: &Machine| request.rate_hz.unwrap_or(machine.device.rate_hz);
    report.time_scale = stretch(&machines, rate, request.max_time_scale);
    let duration = machines.first().map_or(0.0, |machine| machine.stream.duration());
    report.duration_s = duration * report.time_scale;
    let mut tables = Vec::new();
    for machine in &machines {
        let rate = rate(machine);
        if rate > machine.device.rate_hz * (1.0 + 1e-9) {
            report.notes.push(format!(
                "{}: {rate} Hz is more than the vendor's {} Hz",
                machine.stem, machine.device.rate_hz
            ));
        }
        let rows = machine.rows(rate, report.time_scale);
        let checks = check(&machine.device, &rows, rate);
        for broken in checks.iter().filter(|check| !check.broken().is_empty()) {
            report.causes.push(broken_text(machine, broken, report.time_scale));
        }
        report.devices.push(DeviceReport::new(
            &machine.stem,
            machine.side,
            &machine.device,
            rate,
            &rows,
            &checks,
        ));
        tables.push(rows);
    }
    report.status =
        if report.causes.is_empty() { RobotStatus::Ready } else { RobotStatus::Refused };
    reporter.stage("write", None);
    write::write(request, &mut report, &machines, &tables)?;
    Ok(report)
}

/// The least stretching of time, at least 1 and at most `most`, at which all machines keep their limits.
fn stretch(machines: &[Machine], rate: impl Fn(&Machine) -> f64, most: f64) -> f64 {
    let mut scale = 1.0_f64;
    for _ in 0..12 {
        let needed = machines
            .iter()
            .map(|machine| {
                let rate = rate(machine);
                needed_time_scale(&check(&machine.device, &machine.rows(rate, scale), rate))
            })
            .fold(0.0, f64::max);
        if needed <= 1.0 || scale >= most {
            break;
        }
        // A little more than needed: resampling anew changes the peaks a little.
        scale = (scale * needed * 1.002).min(most);
    }
    scale
}

fn broken_text(machine: &Machine, check: &ChannelCheck, time_scale: f64) -> String {
    let unit = machine.device.unit.name();
    let values = check.broken().into_iter().map(|what| match what {
        "position" => format!(
            "position {:.4} to {:.4} {unit} of {:?}",
            check.position.0,
            check.position.1,
            check.limits.position.unwrap_or_default()
        ),
        "velocity" => compared(what, check.velocity, check.limits.velocity, unit),
        "acceleration" => compared(what, check.acceleration, check.limits.acceleration, unit),
        _ => compared(what, check.jerk, check.limits.jerk, unit),
    });
    let values: Vec<String> = values.collect();
    format!(
        "{}: {} breaks its limits even {time_scale:.2} times as slow: {}",
        machine.stem,
        check.name,
        values.join(", ")
    )
}

fn compared(what: &str, value: f64, limit: Option<f64>, unit: &str) -> String {
    format!("{what} {value:.3} of {:.3} {unit}", limit.unwrap_or(f64::NAN))
}

/// A description with the side in its channels' names.
fn sided(device: &Device, side: Side) -> Device {
    let letter = &side.name()[..1];
    let mut device = device.clone();
    for channel in &mut device.channels {
        channel.name = channel.name.replace("{side}", letter);
    }
    device
}

/// The description of the real hand.
fn hand_device(request: &RobotRequest, result: &TransferResult) -> Result<Device, Error> {
    let simulated = || &result.hands[0].hand.map.name;
    let spec = match (&request.device, &request.onto) {
        (Some(device), _) => device.clone(),
        (None, Some(onto)) => onto.clone(),
        (None, None) => simulated().clone(),
    };
    let known = dextra_data::device::builtin_names(false);
    let is_file = spec.to_lowercase().ends_with(".toml");
    if !is_file && !known.contains(&spec.as_str()) {
        return Err(Error::Request(
            format!(
                "no machine is described as `{spec}`; --onto HAND aligns the fingertips of one of {}, and --device \
             FILE.toml describes another",
                known.join(", ")
            ) + &names::hint(&spec, known.iter().copied()),
        ));
    }
    let device = load_device(&spec).map_err(Error::stage("reading the description of the hand"))?;
    if device.arm.is_some() {
        return Err(Error::Request(format!("{spec} describes an arm, not a hand")));
    }
    Ok(device)
}

fn arm_device(spec: &str) -> Result<Device, Error> {
    let device = load_device(spec).map_err(Error::stage("reading the description of the arm"))?;
    if device.arm.is_none() {
        return Err(Error::Request(format!(
            "{spec} describes a hand, not an arm; arms are {}",
            dextra_data::device::builtin_names(true).join(", ")
        )));
    }
    Ok(device)
}
