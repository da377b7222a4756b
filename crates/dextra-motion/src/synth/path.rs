//! Smooth paths: sums of minimum-jerk steps.

use dextra_core::Pose;
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};

/// A minimum-jerk displacement between two times.
#[derive(Clone, Debug)]
pub struct Ramp {
    /// Start, seconds.
    pub start: f64,
    /// End, seconds.
    pub end: f64,
    /// Displacement, world frame, metres.
    pub displacement: Vector3<f64>,
}

impl Ramp {
    /// Moves by `displacement` (world frame, metres) between `start` and `end` (seconds).
    pub fn new(start: f64, end: f64, displacement: Vector3<f64>) -> Self {
        Ramp { start, end, displacement }
    }
}

/// A minimum-jerk rotation between two times.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Start, seconds.
    pub start: f64,
    /// End, seconds.
    pub end: f64,
    /// Rotation vector in the world frame, radians.
    pub rotation: Vector3<f64>,
    /// The point that stays, world frame, metres; `None` is the object's origin.
    pub about: Option<Point3<f64>>,
}

/// A path that starts and ends at rest.
#[derive(Clone, Debug)]
pub struct ObjectPath {
    /// Pose before the first move.
    pub rest: Pose,
    /// Displacements; they may overlap in time.
    pub moves: Vec<Ramp>,
    /// Rotations, applied in order after the displacements.
    pub turns: Vec<Turn>,
}

impl ObjectPath {
    /// `world_from_object` at `time` (seconds).
    pub fn at(&self, time: f64) -> Pose {
        let mut position = self.rest.translation.vector;
        for ramp in &self.moves {
            position += ramp.displacement * progress(time, ramp.start, ramp.end);
        }
        let mut rotation = self.rest.rotation;
        for turn in &self.turns {
            let angle = turn.rotation * progress(time, turn.start, turn.end);
            let turned = UnitQuaternion::from_scaled_axis(angle);
            rotation = turned * rotation;
            if let Some(about) = turn.about {
                position = about.coords + turned * (position - about.coords);
            }
        }
        Pose::from_parts(Translation3::from(position), rotation)
    }

    /// When the object starts and stops moving, seconds.
    pub fn moving(&self) -> (f64, f64) {
        let starts = self.moves.iter().map(|m| m.start).chain(self.turns.iter().map(|t| t.start));
        let ends = self.moves.iter().map(|m| m.end).chain(self.turns.iter().map(|t| t.end));
        (starts.fold(f64::INFINITY, f64::min), ends.fold(0.0, f64::max))
    }
}

/// Minimum-jerk progress from 0 at `start` to 1 at `end`: `10 s^3 - 15 s^4 + 6 s^5` (Flash and
/// Hogan, 1985). Peak speed is 1.875 and peak acceleration 5.77 of the mean values.
pub fn progress(time: f64, start: f64, end: f64) -> f64 {
    let s = ((time - start) / (end - start)).clamp(0.0, 1.0);
    s * s * s * (10.0 - 15.0 * s + 6.0 * s * s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_starts_and_ends_at_rest() {
        let step = 1e-4;
        for end in [0.0, 1.0] {
            let slope = (progress(end + step, 0.0, 1.0) - progress(end - step, 0.0, 1.0)) / step;
            assert!(slope.abs() < 1e-4, "{slope}");
        }
        assert!((progress(0.5, 0.0, 1.0) - 0.5).abs() < 1e-12);
    }
}
