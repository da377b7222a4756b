//! What a user asks of a transfer.

use crate::error::Error;
use dextra_data::ClipOptions;
use std::path::PathBuf;

/// One clip on one hand.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferRequest {
    /// A clip file (`.npz`) or the name of a built-in clip.
    pub clip: String,
    /// The name of a built-in hand, or an MJCF or URDF file.
    pub hand: String,
    /// Seed of every random draw; the same request with the same seed gives the same bits.
    pub seed: u64,
    /// Folder for the results.
    pub out: PathBuf,
    /// Threads; `None` for all cores. Does not influence the result.
    pub threads: Option<usize>,
    /// What is stated about the clip.
    pub options: ClipOptions,
    /// Whether to make pictures and a film.
    pub film: bool,
    /// Whether to make a video as well, `film.mp4`, where there is a film.
    pub video: bool,
    /// Open-loop replays per displacement of the object; 0 for none.
    pub robustness_trials: usize,
    /// How much the human's way counts against success at any price: 0 takes any grasp that works, 1 is
    /// the usual.
    pub human_weight: f64,
    /// Whether a fragile trajectory is rejected, and searched for longer before.
    pub robust: bool,
    /// Folder of an earlier result of the same hand and object, whose grasps are tried first.
    pub reuse: Option<PathBuf>,
    /// Recipe of a closed-loop policy to train, by name or as a file; `None` for none. A recipe that does
    /// not correct a refined trajectory needs no search, and none is made.
    pub policy: Option<String>,
    /// Settings of the recipe to change, `KEY=VALUE` with values in TOML.
    pub settings: Vec<String>,
}

impl Default for TransferRequest {
    /// What the command asks where nothing is said; clip, hand and folder have to be.
    fn default() -> Self {
        Self {
            clip: String::new(),
            hand: String::new(),
            seed: 0,
            out: PathBuf::new(),
            threads: None,
            options: ClipOptions::default(),
            film: true,
            video: false,
            robustness_trials: 100,
            human_weight: 1.0,
            robust: false,
            reuse: None,
            policy: None,
            settings: Vec::new(),
        }
    }
}

/// Most trials per displacement: beyond this the confidence interval no longer narrows usefully.
const MAX_TRIALS: usize = 100_000;

/// A larger weight would drown the task.
const MAX_HUMAN_WEIGHT: f64 = 100.0;

impl TransferRequest {
    /// Checks what can be checked without reading anything.
    ///
    /// # Errors
    /// [`Error::Request`] names the field.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |message: &str| Err(Error::Request(message.to_owned()));
        if self.clip.trim().is_empty() {
            return refuse("the clip has no name");
        }
        if self.hand.trim().is_empty() {
            return refuse("the hand has no name");
        }
        if self.policy.is_none() && !self.settings.is_empty() {
            return refuse("settings change a recipe; there is none without a policy");
        }
        if self.threads == Some(0) {
            return refuse("0 threads cannot do anything; leave the number out for all cores");
        }
        if self.robustness_trials > MAX_TRIALS {
            return refuse(&format!("more than {MAX_TRIALS} robustness trials"));
        }
        if !(self.human_weight >= 0.0 && self.human_weight <= MAX_HUMAN_WEIGHT) {
            return refuse(&format!("the human weight must lie between 0 and {MAX_HUMAN_WEIGHT}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_requests_are_refused_by_name() {
        let good = TransferRequest {
            clip: "cube".into(),
            hand: "shadow".into(),
            out: "out".into(),
            ..TransferRequest::default()
        };
        assert!(good.check().is_ok());
        for (bad, word) in [
            (TransferRequest { clip: " ".into(), ..good.clone() }, "clip"),
            (TransferRequest { hand: String::new(), ..good.clone() }, "hand"),
            (TransferRequest { threads: Some(0), ..good.clone() }, "threads"),
            (TransferRequest { robustness_trials: usize::MAX, ..good.clone() }, "trials"),
            (TransferRequest { human_weight: f64::NAN, ..good.clone() }, "weight"),
            (TransferRequest { human_weight: -1.0, ..good.clone() }, "weight"),
        ] {
            let message = bad.check().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
