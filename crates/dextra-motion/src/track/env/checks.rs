//! Settings that make no sense are refused by name.

use super::TrackConfig;
use crate::track::TrackError;
use crate::track::curriculum::Ramp;
use crate::track::task::Task;

/// More points than any surface needs would only fill the memory.
const MOST_BASIS_POINTS: usize = 4096;

/// Checks the settings; returns the physics steps per control step.
pub(super) fn check(task: &Task<'_>, config: &TrackConfig) -> Result<usize, TrackError> {
    let setting = |what, wanted, got: String| Err(TrackError::Setting { what, wanted, got });
    if config.worlds == 0 {
        return setting("worlds", "at least 1", "0".to_owned());
    }
    if !(1..=3).contains(&config.observations.future) {
        return setting("observations.future", "1 to 3", config.observations.future.to_string());
    }
    let every = (config.control_period / task.scene.config.timestep).round();
    if !(1.0..=100.0).contains(&every) {
        let got = config.control_period.to_string();
        return setting("control_period", "1 to 100 physics steps", got);
    }
    if config.observations.basis_points > MOST_BASIS_POINTS {
        let got = config.observations.basis_points.to_string();
        return setting("observations.basis_points", "at most 4096", got);
    }
    let random = &config.randomisation;
    let shares = [
        ("from_start", config.from_start),
        ("last_start", config.last_start),
        ("randomisation.late", random.late),
    ];
    for (what, value) in shares {
        if !(0.0..=1.0).contains(&value) {
            return setting(what, "between 0 and 1", value.to_string());
        }
    }
    let (noise, curriculum) = (&random.noise, &config.curriculum);
    let sizes = [
        ("randomisation.offset", random.offset),
        ("randomisation.held_offset", random.held_offset),
        ("randomisation.yaw", random.yaw),
        ("randomisation.noise.position", noise.position),
        ("randomisation.noise.rotation", noise.rotation),
        ("randomisation.noise.velocity", noise.velocity),
        ("randomisation.noise.turning", noise.turning),
        ("randomisation.noise.force", noise.force),
        ("curriculum.gravity.from", curriculum.gravity.from),
        ("curriculum.gravity.to", curriculum.gravity.to),
        ("curriculum.assist.start", curriculum.assist.start),
        ("curriculum.assist.stiffness", curriculum.assist.stiffness),
        ("curriculum.assist.damping", curriculum.assist.damping),
    ];
    for (what, value) in sizes {
        if !(value >= 0.0 && value.is_finite()) {
            return setting(what, "finite and not negative", value.to_string());
        }
    }
    let factors = [
        ("randomisation.friction", random.friction),
        ("randomisation.mass", random.mass),
        ("randomisation.gain", random.gain),
    ];
    for (what, (least, greatest)) in factors {
        if !(least > 0.0 && least <= greatest && greatest.is_finite()) {
            let got = format!("[{least}, {greatest}]");
            return setting(what, "two positive factors, the smaller one first", got);
        }
    }
    let Ramp { from, to, .. } = curriculum.friction;
    if !(from > 0.0 && to > 0.0 && from.is_finite() && to.is_finite()) {
        let got = format!("{from} to {to}");
        return setting("curriculum.friction", "positive factors", got);
    }
    Ok(every as usize)
}
