//! What training makes easier at first. Everything here is exactly off in evaluation
//! ([`Relaxation::NONE`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far the world is from the true one at a moment of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relaxation {
    /// Share of gravity that acts on objects; 1 is true.
    pub gravity: f64,
    /// Factor on sliding friction; 1 is true.
    pub friction: f64,
    /// Factor on the limits of early termination of objects.
    pub tolerance: f64,
    /// The same of hands.
    pub hand_tolerance: f64,
    /// Share of the virtual force that draws objects to their reference; 0 is none.
    pub assist: f64,
}

impl Relaxation {
    /// The true world.
    pub const NONE: Relaxation = Relaxation {
        gravity: 1.0,
        friction: 1.0,
        tolerance: 1.0,
        hand_tolerance: 1.0,
        assist: 0.0,
    };
}

/// A value that goes from `from` to `to` in a straight line over `steps` steps of training and stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// First value.
    pub from: f64,
    /// Last value.
    pub to: f64,
    /// Length in control steps of the batch; 0 for the last value from the start.
    pub steps: u64,
}

impl Ramp {
    /// Always `value`.
    pub const fn constant(value: f64) -> Self {
        Self { from: value, to: value, steps: 0 }
    }

    /// The value after `step` steps; exactly `to` from the end on.
    pub fn at(&self, step: u64) -> f64 {
        if step >= self.steps {
            return self.to;
        }
        self.from + (self.to - self.from) * (step as f64 / self.steps as f64)
    }
}

/// How the limits of early termination tighten.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tightening {
    /// Along a straight line.
    Ramp(Ramp),
    /// `s³` for objects and `s` for hands, with `s = 0.3 (2e)^(-step / steps) + 0.7`, as in ManipTrans
    /// (3200 steps there): from 1 to 0.343 and to 0.7.
    Maniptrans {
        /// Steps in which the first term falls to a fifth.
        steps: f64,
    },
}

impl Tightening {
    /// Factor on the limits of objects after `step` steps.
    pub fn at(&self, step: u64) -> f64 {
        match self {
            Self::Ramp(ramp) => ramp.at(step),
            Self::Maniptrans { steps } => scale(step, *steps).powi(3),
        }
    }

    /// Factor on the limits of hands after `step` steps.
    pub fn of_hands(&self, step: u64) -> f64 {
        match self {
            Self::Ramp(ramp) => ramp.at(step),
            Self::Maniptrans { steps } => scale(step, *steps),
        }
    }
}

/// ManipTrans: `s = 0.3 (2e)^(-step / steps) + 0.7`.
fn scale(step: u64, steps: f64) -> f64 {
    let base = 2.0 * std::f64::consts::E;
    0.3 * base.powf(-(step as f64) / steps) + 0.7
}

/// A virtual force that draws objects to their reference and fades as the task is learned
/// (DexMachina, `envs/curriculum.py`: a spring-damper with stiffness 80 and damping 5, times 0.8 to 0.9
/// whenever the task reward is above 0.6).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AssistConfig {
    /// Share at the start; 0 for no virtual force at all.
    pub start: f64,
    /// Stiffness per mass and per inertia, 1/s².
    pub stiffness: f64,
    /// Damping per mass and per inertia, 1/s.
    pub damping: f64,
    /// Mean object score of complete episodes, in `[0, 1]`, above which the share shrinks.
    pub gate: f64,
    /// What it is multiplied by.
    pub decay: f64,
    /// Complete episodes that must have been seen since it last shrank.
    pub episodes: u64,
    /// Share below which it becomes zero.
    pub least: f64,
}

impl Default for AssistConfig {
    /// Off; the other numbers stand for when it is switched on.
    fn default() -> Self {
        Self {
            start: 0.0,
            stiffness: 400.0,
            damping: 40.0,
            gate: 0.6,
            decay: 0.85,
            episodes: 64,
            least: 0.05 / 80.0,
        }
    }
}

/// What training relaxes, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Curriculum {
    /// Share of gravity on objects (0 to 1 over 1920 steps in ManipTrans).
    pub gravity: Ramp,
    /// Factor on friction (3 to 1 over 1920 steps in ManipTrans, on objects alone there).
    pub friction: Ramp,
    /// Factor on the limits of early termination.
    pub tolerance: Tightening,
    /// Virtual force.
    pub assist: AssistConfig,
}

impl Default for Curriculum {
    /// Nothing is relaxed.
    fn default() -> Self {
        Self {
            gravity: Ramp::constant(1.0),
            friction: Ramp::constant(1.0),
            tolerance: Tightening::Ramp(Ramp::constant(1.0)),
            assist: AssistConfig::default(),
        }
    }
}

impl Curriculum {
    /// Gravity, friction and thresholds of ManipTrans.
    pub fn maniptrans() -> Self {
        Self {
            gravity: Ramp { from: 0.0, to: 1.0, steps: 1920 },
            friction: Ramp { from: 3.0, to: 1.0, steps: 1920 },
            tolerance: Tightening::Maniptrans { steps: 3200.0 },
            assist: AssistConfig::default(),
        }
    }

    /// Whether any virtual force may act.
    pub fn assists(&self) -> bool {
        self.assist.start > 0.0
    }

    /// The relaxation after `progress`.
    pub fn at(&self, progress: &Progress) -> Relaxation {
        Relaxation {
            gravity: self.gravity.at(progress.steps),
            friction: self.friction.at(progress.steps),
            tolerance: self.tolerance.at(progress.steps),
            hand_tolerance: self.tolerance.of_hands(progress.steps),
            assist: if self.assists() { progress.assist } else { 0.0 },
        }
    }

    /// The beginning of training.
    pub fn begin(&self) -> Progress {
        Progress { steps: 0, assist: self.assist.start, episodes: 0, score: 0.0 }
    }

    /// Counts one control step of the batch and the object scores, each the mean over a complete
    /// episode, of the episodes that ended in it.
    pub fn advance(&self, progress: &mut Progress, scores: impl Iterator<Item = f64>) {
        progress.steps += 1;
        for score in scores {
            progress.episodes += 1;
            progress.score += score;
        }
        let config = &self.assist;
        if progress.episodes >= config.episodes.max(1) {
            if progress.score > config.gate * progress.episodes as f64 {
                progress.assist *= config.decay;
                if progress.assist < config.least {
                    progress.assist = 0.0;
                }
            }
            (progress.episodes, progress.score) = (0, 0.0);
        }
    }
}

/// How far training has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Control steps of the batch.
    pub steps: u64,
    /// Share of the virtual force.
    pub assist: f64,
    /// Complete episodes since the share was last looked at.
    pub episodes: u64,
    /// Sum of their object scores.
    pub score: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramps_end_exactly() {
        let ramp = Ramp { from: 3.0, to: 1.0, steps: 1920 };
        assert_eq!((ramp.at(0), ramp.at(960), ramp.at(1920)), (3.0, 2.0, 1.0));
        let done = Progress { steps: 5000, ..Curriculum::maniptrans().begin() };
        let late = Curriculum::maniptrans().at(&done);
        assert_eq!((late.gravity, late.friction, late.assist), (1.0, 1.0, 0.0));
    }

    #[test]
    fn thresholds_tighten_from_six_to_two_centimetres() {
        // 2 cm / 0.343 s³ with s from 1 to 0.7, after 3200 steps s = 0.3 / (2e) + 0.7 = 0.75518.
        let tightening = Tightening::Maniptrans { steps: 3200.0 };
        assert!((0.02 / 0.343 * tightening.at(0) - 0.0583).abs() < 1e-4);
        assert!((tightening.at(3200) - 0.75518f64.powi(3)).abs() < 1e-5);
        assert!((0.02 / 0.343 * tightening.at(1_000_000) - 0.02).abs() < 1e-6);
    }

    #[test]
    fn limits_of_hands_tighten_by_less_than_those_of_objects() {
        // The thumb: 4 cm / 0.7 s, so 5.71 cm at first, 4.32 cm after 3200 steps and 4 cm in the end.
        let curriculum = Curriculum::maniptrans();
        let thumb = |steps| {
            let progress = Progress { steps, ..curriculum.begin() };
            0.04 / 0.7 * curriculum.at(&progress).hand_tolerance
        };
        assert!((thumb(0) - 0.057_142_857).abs() < 1e-9);
        assert!((thumb(3200) - 0.043_153).abs() < 1e-6, "{}", thumb(3200));
        assert!((thumb(1_000_000) - 0.04).abs() < 1e-9);
        let ramp = Tightening::Ramp(Ramp { from: 2.0, to: 1.0, steps: 10 });
        assert_eq!((ramp.at(5), ramp.of_hands(5)), (1.5, 1.5));
    }

    #[test]
    fn the_virtual_force_fades_only_when_episodes_go_well() {
        let assist = AssistConfig { start: 1.0, episodes: 2, ..AssistConfig::default() };
        let curriculum = Curriculum { assist, ..Curriculum::default() };
        let mut progress = curriculum.begin();
        curriculum.advance(&mut progress, [0.9].into_iter());
        assert_eq!(curriculum.at(&progress).assist, 1.0, "too few episodes");
        curriculum.advance(&mut progress, [0.2].into_iter());
        assert_eq!(curriculum.at(&progress).assist, 1.0, "not good enough");
        curriculum.advance(&mut progress, [0.7, 0.7].into_iter());
        assert_eq!(curriculum.at(&progress).assist, 0.85);
        for _ in 0..60 {
            curriculum.advance(&mut progress, [0.7, 0.7].into_iter());
        }
        assert_eq!(curriculum.at(&progress), Relaxation::NONE);
    }
}
