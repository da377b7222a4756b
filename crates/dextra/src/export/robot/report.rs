//! What an export achieved, for `robot.json`, `robot.txt` and `--json`.

use super::RobotRequest;
use crate::export::result::TransferResult;
use dextra_core::Side;
use dextra_core::device::Device;
use dextra_motion::deploy::ChannelCheck;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether the machines can play the trajectory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RobotStatus {
    /// All limits that are known are kept; the tables are written.
    Ready,
    /// Something cannot be reached, collides, or breaks a limit; no table is written.
    Refused,
}

/// What one number that is sent does, in the device's unit and per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelReport {
    /// The vendor's name.
    pub name: String,
    /// Lowest position.
    pub position_min: f64,
    /// Highest position.
    pub position_max: f64,
    /// What is allowed; `None` where nothing is published, here and below.
    pub position_limits: Option<(f64, f64)>,
    /// Distance to the limits.
    pub margin: Option<f64>,
    /// Largest speed.
    pub velocity: f64,
    /// What is allowed.
    pub velocity_limit: Option<f64>,
    /// Largest acceleration.
    pub acceleration: f64,
    /// What is allowed.
    pub acceleration_limit: Option<f64>,
    /// Largest jerk.
    pub jerk: f64,
    /// What is allowed.
    pub jerk_limit: Option<f64>,
    /// Limits that are not kept.
    pub broken: Vec<String>,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Stem of its files.
    pub stem: String,
    /// `"right"` or `"left"`.
    pub side: String,
    /// Name of the description.
    pub device: String,
    /// The vendor's name of it.
    pub model: String,
    /// `"rad"`, `"deg"` or `"count"`.
    pub unit: String,
    /// Rows per second.
    pub rate_hz: f64,
    /// Rows.
    pub rows: usize,
    /// Whether every known limit is kept.
    pub passed: bool,
    /// In the order in which they are sent.
    pub channels: Vec<ChannelReport>,
    /// Where the facts about it are from.
    pub sources: BTreeMap<String, String>,
}

impl DeviceReport {
    pub(super) fn new(
        stem: &str,
        side: Side,
        device: &Device,
        rate_hz: f64,
        rows: &[Vec<f64>],
        checks: &[ChannelCheck],
    ) -> DeviceReport {
        let channel = |check: &ChannelCheck| ChannelReport {
            name: check.name.clone(),
            position_min: check.position.0,
            position_max: check.position.1,
            position_limits: check.limits.position,
            margin: check.margin,
            velocity: check.velocity,
            velocity_limit: check.limits.velocity,
            acceleration: check.acceleration,
            acceleration_limit: check.limits.acceleration,
            jerk: check.jerk,
            jerk_limit: check.limits.jerk,
            broken: check.broken().into_iter().map(str::to_owned).collect(),
        };
        DeviceReport {
            stem: stem.to_owned(),
            side: side.name().to_owned(),
            device: device.name.clone(),
            model: device.model.clone(),
            unit: device.unit.name().to_owned(),
            rate_hz,
            rows: rows.len(),
            passed: checks.iter().all(|check| check.broken().is_empty()),
            channels: checks.iter().map(channel).collect(),
            sources: device.sources.iter().cloned().collect(),
        }
    }
}

/// How well the fingertips of another hand follow, as sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlignmentReport {
    /// `"right"` or `"left"`.
    pub side: String,
    /// Fingers that both hands have.
    pub fingers: Vec<String>,
    /// Mean distance of each over time, millimetres.
    pub finger_mean_mm: Vec<f64>,
    /// Mean distance over fingers and time, millimetres.
    pub tip_mean_mm: f64,
    /// Its 95th percentile.
    pub tip_p95_mm: f64,
    /// Its largest value.
    pub tip_max_mm: f64,
    /// How far the palm is constantly displaced, for hands of other proportions.
    pub palm_shift_mm: f64,
    /// By how much it is constantly turned.
    pub palm_turn_deg: f64,
}

/// How well an arm carries its hand, at the steps of the rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmReport {
    /// `"right"` or `"left"`.
    pub side: String,
    /// Name of the description.
    pub arm: String,
    /// Base in the world of the scene, z up.
    pub base_pos_m: [f64; 3],
    /// Direction of its x axis about z.
    pub base_yaw_deg: f64,
    /// Turn of the hand on the flange.
    pub turn_deg: f64,
    /// The flange in the frame of the hand's root body, turn included.
    pub root_from_flange_pos_m: [f64; 3],
    /// See `root_from_flange_pos_m`.
    pub root_from_flange_quat_wxyz: [f64; 4],
    /// Steps of the rollout, rests included.
    pub frames: usize,
    /// Of these, how many are reached within 1 mm and 0.5 deg.
    pub reached: usize,
    /// The others, as intervals.
    pub unreached_frames: Vec<String>,
    /// Mean distance of the flange from where it should be.
    pub position_mean_mm: f64,
    /// Largest distance.
    pub position_max_mm: f64,
    /// Mean angle.
    pub rotation_mean_deg: f64,
    /// Largest angle.
    pub rotation_max_deg: f64,
    /// Least distance of a joint from the end of its range, as a share of half the range.
    pub limit_margin: f64,
}

/// One export: `robot.json`, and the line of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobotReport {
    /// Of this layout.
    pub format_version: u32,
    /// The result that was exported.
    pub result: String,
    /// Verdict.
    pub status: RobotStatus,
    /// Why it was refused.
    pub causes: Vec<String>,
    /// Clip of the result.
    pub clip: String,
    /// Simulated hand.
    pub hand: String,
    /// Real hand.
    pub device: String,
    /// `"targets"` (they squeeze what is held) or `"measured"` joint angles.
    pub fingers: String,
    /// By how much time is stretched.
    pub time_scale: f64,
    /// From the first row to the last, seconds.
    pub duration_s: f64,
    /// Rest before and after the motion, at a time scale of 1: row times are `(rest_s + t) * time_scale` for the time
    /// `t` of the rollout.
    pub rest_s: f64,
    /// Standard deviation of the smoothing, seconds.
    pub smoothing_s: f64,
    /// Farthest that it moves a wrist, millimetres.
    pub smoothing_max_mm: f64,
    /// `"cubic"`.
    pub interpolation: String,
    /// For another hand than the simulated one.
    pub alignment: Vec<AlignmentReport>,
    /// With arms.
    pub arms: Vec<ArmReport>,
    /// Every machine.
    pub devices: Vec<DeviceReport>,
    /// Source of the demonstration.
    pub source: String,
    /// Its licence, which holds for these files too.
    pub licence: String,
    /// Files it was made from.
    pub inputs_sha256: Vec<(String, String)>,
    /// Seed of the transfer.
    pub seed: u64,
    /// Version that wrote it.
    pub dextra_version: String,
    /// What else should be known.
    pub notes: Vec<String>,
    /// Folder of the files.
    pub out: String,
}

impl RobotReport {
    pub(super) fn new(request: &RobotRequest, result: &TransferResult, device: &Device) -> Self {
        let mut notes = Vec::new();
        if result.report.status == crate::report::Status::Rejected {
            let cause = result.report.cause.as_deref().unwrap_or("no cause is given");
            notes.push(format!("the trajectory was rejected: {cause}"));
        }
        if request.onto.is_some() {
            let text = "the fingertips follow, but nothing was simulated with this hand: no claim that it holds the object";
            notes.push(text.to_owned());
        }
        if device.root_from_flange.is_none() && request.arm.is_some() {
            let text = "the description has no mount: the flange is taken to be at the hand's root, along the fingers";
            notes.push(text.to_owned());
        }
        RobotReport {
            format_version: 1,
            result: request.result.display().to_string(),
            status: RobotStatus::Ready,
            causes: Vec::new(),
            clip: result.report.clip.clone(),
            hand: result.report.hand.clone(),
            device: device.name.clone(),
            fingers: if request.measured { "measured" } else { "targets" }.to_owned(),
            time_scale: 1.0,
            duration_s: 0.0,
            rest_s: 0.0,
            smoothing_s: request.smoothing_s,
            smoothing_max_mm: 0.0,
            interpolation: "cubic".to_owned(),
            alignment: Vec::new(),
            arms: Vec::new(),
            devices: Vec::new(),
            source: result.source.clone(),
            licence: result.licence.clone(),
            inputs_sha256: result.inputs_sha256.clone(),
            seed: result.report.seed,
            dextra_version: env!("CARGO_PKG_VERSION").to_owned(),
            notes,
            out: String::new(),
        }
    }

    /// The same for people.
    pub fn text(&self) -> String {
        let status = match self.status {
            RobotStatus::Ready => "ready",
            RobotStatus::Refused => "refused",
        };
        let mut text = format!(
            "{} on {} for {}: {status}; {:.2} s, time stretched {:.3} times; smoothing moves wrists by up to {:.2} mm\n",
            self.clip,
            self.hand,
            self.device,
            self.duration_s,
            self.time_scale,
            self.smoothing_max_mm
        );
        for cause in &self.causes {
            text += &format!("refused because {cause}\n");
        }
        for a in &self.alignment {
            let each = a.fingers.iter().zip(&a.finger_mean_mm);
            let each: Vec<String> = each.map(|(name, mm)| format!("{name} {mm:.2}")).collect();
            text += &format!(
                "{} fingertips: mean {:.2} mm ({}), 95 % below {:.2} mm, at most {:.2} mm; palm displaced {:.1} mm and {:.1} deg\n",
                a.side,
                a.tip_mean_mm,
                each.join(", "),
                a.tip_p95_mm,
                a.tip_max_mm,
                a.palm_shift_mm,
                a.palm_turn_deg
            );
        }
        for a in &self.arms {
            let [x, y, z] = a.base_pos_m;
            text += &format!(
                "{} arm {}: {} of {} frames reached, mean {:.4} mm and {:.4} deg, at most {:.4} mm and {:.4} deg; base at \
                 {x:.3}, {y:.3}, {z:.3} m, yaw {:.0} deg, hand turned {:.0} deg; {:.0} % of half a range left\n",
                a.side,
                a.arm,
                a.reached,
                a.frames,
                a.position_mean_mm,
                a.rotation_mean_deg,
                a.position_max_mm,
                a.rotation_max_deg,
                a.base_yaw_deg,
                a.turn_deg,
                100.0 * a.limit_margin
            );
        }
        for device in &self.devices {
            let verdict = if device.passed { "passed" } else { "failed" };
            text += &format!(
                "\n{} ({}), {} rows at {} Hz: {verdict}\n",
                device.stem, device.model, device.rows, device.rate_hz
            );
            text += &format!(
                "{:<16} {:>10} {:>10} {:>10} {:>18} {:>18} {:>18}\n",
                device.unit, "lowest", "highest", "margin", "velocity", "acceleration", "jerk"
            );
            for c in &device.channels {
                let number = |v: f64| format!("{v:.3}");
                let of = |value: f64, limit: Option<f64>| {
                    format!("{} of {}", rounded(value), limit.map_or("-".to_owned(), rounded))
                };
                text += &format!(
                    "{:<16} {:>10} {:>10} {:>10} {:>18} {:>18} {:>18} {}\n",
                    c.name,
                    number(c.position_min),
                    number(c.position_max),
                    c.margin.map_or("-".to_owned(), number),
                    of(c.velocity, c.velocity_limit),
                    of(c.acceleration, c.acceleration_limit),
                    of(c.jerk, c.jerk_limit),
                    c.broken.join(", ")
                );
            }
        }
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }
}

/// A number with about four digits.
fn rounded(value: f64) -> String {
    let digits = if value >= 1000.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        3
    };
    format!("{value:.digits$}")
}

/// Ascending numbers as intervals: `3-7`, `12`.
pub(super) fn intervals(frames: &[usize]) -> Vec<String> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &frame in frames {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == frame => *last = frame,
            _ => runs.push((frame, frame)),
        }
    }
    let text = |(from, to): (usize, usize)| {
        if from == to { from.to_string() } else { format!("{from}-{to}") }
    };
    runs.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_a_row_are_one_interval() {
        assert_eq!(intervals(&[]), [""; 0]);
        assert_eq!(intervals(&[3, 4, 5, 9, 11, 12]), ["3-5", "9", "11-12"]);
    }
}
