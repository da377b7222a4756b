//! What a transfer achieved: the fields of `--json`, one report per clip and hand.

use crate::error::Error;
use crate::skill::recipe::Base;
use crate::skill::train::Validated;
use crate::skill::trials::Score;
use dextra_data::atomic;
use dextra_motion::feasibility::Assessment;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::Path;

/// Larger reports are none of ours.
const MAX_BYTES: u64 = 64 << 20;

/// The verdict of the accepting replay, which always runs at true physics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The rollout met the acceptance limits.
    Accepted,
    /// It did not; [`Report::cause`] says why and at which frame.
    Rejected,
}

impl Status {
    /// `"accepted"` or `"rejected"`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Accepted => "accepted",
            Status::Rejected => "rejected",
        }
    }
}

/// Every published success rule, met or not. Errors compare the rollout with the demonstration:
/// object rotation `E_r` and translation `E_t`, hand joints `E_j`, fingertips `E_ft`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocols {
    /// ManipTrans: means over the clip `E_r` < 30 deg, `E_t` < 3 cm, `E_j` < 8 cm, `E_ft` < 6 cm.
    pub maniptrans: bool,
    /// DexMan: object within 0.5 rad and 3 cm at every frame.
    pub dexman: bool,
    /// SPIDER: mean object error below 0.5 rad and 10 cm.
    pub spider: bool,
    /// DexTrack at 10 cm and 20 deg.
    pub dextrack_10cm_20deg: bool,
    /// DexTrack at 10 cm and 40 deg.
    pub dextrack_10cm_40deg: bool,
}

impl Protocols {
    /// Name and outcome of each rule, in the order of the fields.
    pub fn named(&self) -> [(&'static str, bool); 5] {
        [
            ("maniptrans", self.maniptrans),
            ("dexman", self.dexman),
            ("spider", self.spider),
            ("dextrack_10cm_20deg", self.dextrack_10cm_20deg),
            ("dextrack_10cm_40deg", self.dextrack_10cm_40deg),
        ]
    }
}

/// Reads what is written for a number that could not be measured back as NaN.
pub(crate) fn nan_for_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// The outcome of one clip on one hand. Serialised as it stands: one line of `--json`.
///
/// A number that could not be measured is NaN here and `null` in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Clip as it was asked for.
    pub clip: String,
    /// Hand as it was asked for.
    pub hand: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// Verdict.
    pub status: Status,
    /// Why it was rejected, with the frame; `None` when accepted.
    pub cause: Option<String>,
    /// Each published success rule.
    pub protocols: Protocols,
    /// Mean rotation error of the object, degrees.
    #[serde(deserialize_with = "nan_for_null")]
    pub e_r_deg: f64,
    /// Mean translation error of the object, centimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub e_t_cm: f64,
    /// Mean error of the hand's joint positions, centimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub e_j_cm: f64,
    /// Mean error of the fingertips, centimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub e_ft_cm: f64,
    /// Largest translation error of the object at any frame, centimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub max_t_cm: f64,
    /// Largest rotation error of the object at any frame, degrees.
    #[serde(deserialize_with = "nan_for_null")]
    pub max_r_deg: f64,
    /// Mean error of the worst hinge between two objects, degrees; `None` without a hinge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_hinge_deg: Option<f64>,
    /// Its largest error at any frame, degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_hinge_deg: Option<f64>,
    /// Mean error of the worst slider between two objects, centimetres; `None` without a slider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_slider_cm: Option<f64>,
    /// Its largest error at any frame, centimetres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_slider_cm: Option<f64>,
    /// 99th percentile of the penetration of the hand into itself, millimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub self_penetration_p99_mm: f64,
    /// 99th percentile of the penetration of the hand into objects, millimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub object_penetration_p99_mm: f64,
    /// Frames of the demonstration.
    pub frames: usize,
    /// Elapsed time, seconds.
    #[serde(deserialize_with = "nan_for_null")]
    pub wall_s: f64,
    /// Processor time of all threads, seconds.
    #[serde(deserialize_with = "nan_for_null")]
    pub cpu_s: f64,
    /// Physics steps taken by search and replays together.
    pub sim_steps: u64,
    /// Folder with the results.
    pub out: String,
    /// The closed-loop policy, when one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyReport>,
    /// More, for `report.json`; `None` leaves it out, as `--json` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

impl Report {
    /// Reads the report of a finished transfer from its folder `dir`.
    ///
    /// # Errors
    /// There is none, or it is malformed, by name and line.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("report.json");
        if !path.is_file() {
            return Err(Error::Request(format!(
                "{}: no report.json; this is not the folder of a finished transfer",
                dir.display()
            )));
        }
        let bytes =
            atomic::read_file(&path, MAX_BYTES).map_err(Error::stage("reading the result"))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::Request(format!("{}: {error}", path.display())))
    }
}

/// Open-loop success with the object displaced at the start; the protocol is
/// [`dextra_motion::evaluate::RobustnessConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessReport {
    /// Displacement, centimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub offset_cm: f64,
    /// Position tolerance, centimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub tolerance_cm: f64,
    /// Trials that succeeded.
    pub successes: usize,
    /// Trials.
    pub trials: usize,
    /// `successes / trials`.
    #[serde(deserialize_with = "nan_for_null")]
    pub rate: f64,
    /// Lower end of the 95 % Wilson interval of the rate.
    #[serde(deserialize_with = "nan_for_null")]
    pub wilson_low: f64,
    /// Upper end.
    #[serde(deserialize_with = "nan_for_null")]
    pub wilson_high: f64,
}

/// A trained policy and how it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// Accepted when 95 in 100 trials succeed with the object 1 cm and up to 5 degrees off.
    pub status: Status,
    /// Name of the recipe.
    pub recipe: String,
    /// What the policy corrects.
    pub base: Base,
    /// The validation whose policy was kept.
    pub validated: Validated,
    /// Iterations of the training.
    pub iterations: u64,
    /// Control steps learned from, over all worlds.
    pub env_steps: u64,
    /// Processor time of the training, validations included, seconds.
    pub train_cpu_s: f64,
    /// Every protocol.
    pub scores: Vec<Score>,
}

/// What `report.json` says beyond the line of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Which grasp hypothesis won.
    pub hypothesis: String,
    /// True when the grasp is one about the object's centre instead of the human's.
    pub grasp_changed: bool,
    /// Mean distance of the fingertips from the human's while carrying, seen from the object,
    /// centimetres.
    pub grasp_tip_distance_cm: Option<f64>,
    /// Mean angle between robot and human palm while carrying, degrees.
    pub grasp_palm_angle_deg: Option<f64>,
    /// True when receding-horizon sampling improved the controls.
    pub repaired: bool,
    /// Factor by which the clip was slowed.
    #[serde(deserialize_with = "nan_for_null")]
    pub time_scale: f64,
    /// Standard deviation of the smoothing of the demonstration, seconds.
    #[serde(deserialize_with = "nan_for_null")]
    pub smoothing_s: f64,
    /// Physics step, seconds.
    #[serde(deserialize_with = "nan_for_null")]
    pub timestep_s: f64,
    /// Planned time before the first demonstrated frame, seconds.
    #[serde(deserialize_with = "nan_for_null")]
    pub lead_in_s: f64,
    /// Planned time after the last demonstrated frame, seconds.
    #[serde(deserialize_with = "nan_for_null")]
    pub tail_s: f64,
    /// When the object is lifted, seconds from the start of the rollout.
    pub lift_s: Option<f64>,
    /// When it is put down.
    pub put_s: Option<f64>,
    /// Judged frame of the largest position error.
    pub worst_frame: usize,
    /// Judged frames, planned ones included.
    pub judged_frames: usize,
    /// 99th percentile of the summed normal force of the hand on objects, newtons.
    #[serde(deserialize_with = "nan_for_null")]
    pub contact_force_p99_n: f64,
    /// 99th percentile of the penetration of the hand into the table, millimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub table_penetration_p99_mm: f64,
    /// Mean fraction of actuators at their force limit.
    #[serde(deserialize_with = "nan_for_null")]
    pub saturation_mean: f64,
    /// Why the trajectory is fragile: it leaves DexMan's rule at half the time step, or fewer than 7 in 10
    /// replays with the object displaced by 1 cm succeed; `null` for a sturdy one.
    pub fragile: Option<String>,
    /// Largest position error of a replay at half the physics step, centimetres.
    #[serde(deserialize_with = "nan_for_null")]
    pub half_step_max_t_cm: f64,
    /// Largest rotation error of that replay, degrees.
    #[serde(deserialize_with = "nan_for_null")]
    pub half_step_max_r_deg: f64,
    /// Open-loop robustness.
    pub robustness: Vec<RobustnessReport>,
    /// Engine and version.
    pub engine: String,
    /// Source of the demonstration.
    pub source: String,
    /// Licence of the demonstration, which holds for everything made from it.
    pub licence: String,
    /// SHA-256 of the input files.
    pub inputs_sha256: Vec<(String, String)>,
    /// What was inferred, contradictory or done on the user's behalf.
    pub notes: Vec<String>,
    /// What was found before the search, with the frames of the recorded clip.
    #[serde(default)]
    pub feasibility: Option<Assessment>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report with a distinct value in every field.
    pub(crate) fn example() -> Report {
        Report {
            clip: "cube".into(),
            hand: "shadow".into(),
            seed: 7,
            status: Status::Rejected,
            cause: Some("dropped at lift-off (frame 41)".into()),
            protocols: Protocols { spider: true, ..Protocols::default() },
            e_r_deg: 1.5,
            e_t_cm: 0.25,
            e_j_cm: 2.0,
            e_ft_cm: f64::NAN,
            max_t_cm: 3.5,
            max_r_deg: 12.0,
            e_hinge_deg: None,
            max_hinge_deg: None,
            e_slider_cm: None,
            max_slider_cm: None,
            self_penetration_p99_mm: 0.5,
            object_penetration_p99_mm: 1.25,
            frames: 120,
            wall_s: 10.5,
            cpu_s: 20.0,
            sim_steps: 300_000,
            out: "out/cube".into(),
            policy: None,
            details: None,
        }
    }

    #[test]
    fn json_has_exactly_the_documented_fields_in_order() {
        let json = serde_json::to_string(&example()).unwrap();
        assert_eq!(
            json,
            "{\"clip\":\"cube\",\"hand\":\"shadow\",\"seed\":7,\"status\":\"rejected\",\
             \"cause\":\"dropped at lift-off (frame 41)\",\"protocols\":{\"maniptrans\":false,\
             \"dexman\":false,\"spider\":true,\"dextrack_10cm_20deg\":false,\
             \"dextrack_10cm_40deg\":false},\"e_r_deg\":1.5,\"e_t_cm\":0.25,\"e_j_cm\":2.0,\
             \"e_ft_cm\":null,\"max_t_cm\":3.5,\"max_r_deg\":12.0,\
             \"self_penetration_p99_mm\":0.5,\"object_penetration_p99_mm\":1.25,\"frames\":120,\
             \"wall_s\":10.5,\"cpu_s\":20.0,\"sim_steps\":300000,\"out\":\"out/cube\"}"
        );
    }

    #[test]
    fn a_report_reads_back_with_its_unmeasured_numbers() {
        let json = serde_json::to_string(&example()).unwrap();
        let read: Report = serde_json::from_str(&json).unwrap();
        assert!(read.e_ft_cm.is_nan());
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }

    #[test]
    fn protocol_names_are_the_json_keys() {
        let json = serde_json::to_value(Protocols::default()).unwrap();
        let object = json.as_object().unwrap();
        assert_eq!(object.len(), Protocols::default().named().len());
        for (name, met) in Protocols::default().named() {
            assert_eq!(object.get(name), Some(&serde_json::Value::Bool(met)), "{name}");
        }
    }
}
