//! Settings that make no sense are refused by name.

use super::TrackConfig;
use crate::track::TrackError;
use crate::track::compose::Compose;
use crate::track::curriculum::Ramp;
use crate::track::task::Task;

/// More points than any surface needs would only fill the memory.
const MOST_BASIS_POINTS: usize = 4096;

/// Checks the settings; returns the physics steps per control step.
pub(super) fn check(task: &Task<'_>, config: &TrackConfig) -> Result<usize, TrackError> {
    config.check()?;
    let every = (config.control_period / task.scene.config.timestep).round();
    if !(1.0..=100.0).contains(&every) {
        return setting("control_period", "1 to 100 physics steps", config.control_period);
    }
    Ok(every as usize)
}

impl TrackConfig {
    /// Whether every setting makes sense; [`super::TrackEnv::new`] asks too, and then whether the control
    /// period suits the scene.
    ///
    /// # Errors
    /// [`TrackError::Setting`] names the first that does not.
    pub fn check(&self) -> Result<(), TrackError> {
        if self.worlds == 0 {
            return setting("worlds", "at least 1", 0);
        }
        if !(self.control_period > 0.0 && self.control_period.is_finite()) {
            return setting("control_period", "above 0", self.control_period);
        }
        if !(1..=3).contains(&self.observations.future) {
            return setting("observations.future", "1 to 3", self.observations.future);
        }
        if self.observations.basis_points > MOST_BASIS_POINTS {
            return setting(
                "observations.basis_points",
                "at most 4096",
                self.observations.basis_points,
            );
        }
        let random = &self.randomisation;
        let shares = [
            ("from_start", self.from_start),
            ("last_start", self.last_start),
            ("randomisation.late", random.late),
            ("curriculum.assist.start", self.curriculum.assist.start),
            ("curriculum.assist.decay", self.curriculum.assist.decay),
        ];
        for (what, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return setting(what, "between 0 and 1", value);
            }
        }
        let (noise, curriculum) = (&random.noise, &self.curriculum);
        let (rewards, limits) = (&self.rewards, &self.termination);
        let below = self.below.map_or(self.reach, |below| below.reach);
        let sizes = [
            ("reach.position", self.reach.position),
            ("reach.rotation", self.reach.rotation),
            ("reach.finger", self.reach.finger),
            ("below.reach.position", below.position),
            ("below.reach.rotation", below.rotation),
            ("below.reach.finger", below.finger),
            ("rewards.object_position.rate", rewards.object_position.rate),
            ("rewards.object_rotation.rate", rewards.object_rotation.rate),
            ("rewards.wrist_position.rate", rewards.wrist_position.rate),
            ("rewards.wrist_rotation.rate", rewards.wrist_rotation.rate),
            ("rewards.proximal.rate", rewards.proximal.rate),
            ("rewards.middle.rate", rewards.middle.rate),
            ("rewards.wrist_velocity.rate", rewards.wrist_velocity.rate),
            ("rewards.wrist_turning.rate", rewards.wrist_turning.rate),
            ("rewards.point_velocity.rate", rewards.point_velocity.rate),
            ("rewards.object_velocity.rate", rewards.object_velocity.rate),
            ("rewards.object_turning.rate", rewards.object_turning.rate),
            ("rewards.contact_goal.rate", rewards.contact_goal.rate),
            ("rewards.contact_prior.rate", rewards.contact_prior.rate),
            ("rewards.contact_wrench.rate", rewards.contact_wrench.rate),
            ("rewards.unified.rate", rewards.unified.rate),
            ("rewards.unified.position_rate", rewards.unified.position_rate),
            ("rewards.unified.rotation_rate", rewards.unified.rotation_rate),
            ("rewards.power.rate", rewards.power.rate),
            ("rewards.wrist_power.rate", rewards.wrist_power.rate),
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
            ("anchor.follow", self.anchor.follow),
            ("anchor.fade", self.anchor.fade),
            ("anchor.reach", self.anchor.reach),
            ("grasp.lifted", self.grasp.lifted),
            ("grasp.settle", self.grasp.settle),
            ("grasp.open", self.grasp.open),
            ("curriculum.assist.stiffness", curriculum.assist.stiffness),
            ("curriculum.assist.damping", curriculum.assist.damping),
        ];
        let tips = rewards.tips.map(|tip| ("rewards.tips.rate", tip.rate));
        for (what, value) in sizes.into_iter().chain(tips) {
            if !(value >= 0.0 && value.is_finite()) {
                return setting(what, "finite and not negative", value);
            }
        }
        let bounds = [
            ("termination.position", limits.position),
            ("termination.rotation", limits.rotation),
            ("termination.proximal", limits.proximal),
            ("termination.middle", limits.middle),
        ];
        let tips = limits.tip.map(|tip| ("termination.tip", tip));
        for (what, value) in bounds.into_iter().chain(tips) {
            if value.is_nan() || value <= 0.0 {
                return setting(what, "positive, or infinite for no limit", value);
            }
        }
        for compose in [Some(self.compose), self.below.map(|b| b.compose)].into_iter().flatten() {
            joining(compose)?;
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
        Ok(())
    }
}

/// The error of a setting.
fn setting<T>(
    what: &'static str,
    wanted: &'static str,
    got: impl ToString,
) -> Result<T, TrackError> {
    Err(TrackError::Setting { what, wanted, got: got.to_string() })
}

/// Checks how an action joins what it corrects.
fn joining(compose: Compose) -> Result<(), TrackError> {
    let setting =
        |what, wanted, got: f64| Err(TrackError::Setting { what, wanted, got: got.to_string() });
    match compose {
        Compose::Add { alpha } | Compose::ScaledAverage { alpha, .. }
            if !(alpha > 0.0 && alpha <= 1.0) =>
        {
            setting("compose alpha", "above 0, at most 1", alpha)
        }
        Compose::ScaledAverage { gain, .. } if !(gain >= 0.0 && gain.is_finite()) => {
            setting("compose gain", "finite and not negative", gain)
        }
        Compose::Accumulate { bound } if bound.is_nan() || bound < 0.0 => {
            setting("compose bound", "not negative", bound)
        }
        _ => Ok(()),
    }
}
