//! Which way is up in a recording nobody stated it for.
//!
//! Four things that gravity and a table make true of the right direction and seldom of a wrong one:
//! the object rests on a stable face, is lifted and not lowered, comes back to the same level, and
//! the hand stays above the table. One alone misleads: a hand that reaches from one side also stays
//! "above" a wall on the other side.

use super::options::UpAxis;
use super::settings::Settings;
use dextra_core::Pose;
use dextra_core::demonstration::Keypoints;
use nalgebra::{Point3, Unit, Vector3};

/// How far above its lowest point an object's surface still counts as touching the table, metres:
/// 2 mm and 1 degree of pose noise on a hand-sized base.
const CONTACT_M: f64 = 0.004;

/// Lead of the best direction over the next below which z is assumed, metres of [`misfit`].
const CLEAR_LEAD: f64 = 0.03;

/// The object that moves and the hands, in the recording's frame, metres.
pub(super) struct Scene<'a> {
    /// Surface points of the object in its own frame.
    pub points: &'a [Point3<f64>],
    /// Poses of the object.
    pub poses: &'a [Pose],
    /// Keypoints of the hands.
    pub hands: &'a [Vec<Keypoints>],
}

/// Chooses the up axis: the stated one, else the one that fits clearly best, else z.
pub(super) fn up_axis(settings: &mut Settings, scene: &Scene) -> UpAxis {
    if let Some(stated) = settings.up_axis {
        return stated;
    }
    let mut fits: Vec<(UpAxis, f64)> = UpAxis::ALL
        .into_iter()
        .map(|axis| (axis, scene.misfit(axis.direction()) + handicap(axis)))
        .collect();
    fits.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (best, next) = (fits[0], fits[1]);
    if next.1 - best.1 > CLEAR_LEAD {
        settings.note(format!(
            "The up axis is read as {} from the object's rest and lift and the hand above the table.",
            best.0.name(),
        ));
        return best.0;
    }
    settings.note(format!(
        "The up axis is not stated and the motion does not tell {} from {}: z is assumed; state it \
         with the `up_axis` option if that is wrong.",
        best.0.name(),
        next.0.name()
    ));
    UpAxis::Z
}

/// z is dextra's own and the commonest among recordings on tables, y comes next: a rarer axis must
/// fit better.
fn handicap(axis: UpAxis) -> f64 {
    match axis {
        UpAxis::Z => 0.0,
        UpAxis::Y => 0.01,
        UpAxis::MinusY => 0.015,
        _ => 0.02,
    }
}

impl Scene<'_> {
    /// How badly `up` fits, metres; lower is better, a clear lift from a stable rest is negative.
    fn misfit(&self, up: Vector3<f64>) -> f64 {
        let (Some(first), Some(last)) = (self.poses.first(), self.poses.last()) else {
            return 0.0;
        };
        let table = self.lowest(first, up);
        let stride = self.poses.len().div_ceil(100);
        let (mut sunk, mut lifted) = (0.0f64, 0.0f64);
        for pose in self.poses.iter().step_by(stride) {
            let height = self.lowest(pose, up) - table;
            sunk = sunk.max(-height);
            lifted = lifted.max(height);
        }
        let hand_sunk = self
            .hands
            .iter()
            .flat_map(|hand| hand.iter().step_by(stride))
            .flatten()
            .map(|p| table - up.dot(&p.coords) - 0.01)
            .fold(0.0, f64::max);
        let mut stability = self.stability(first, up);
        let mut level = 0.0;
        if self.ends_at_rest() {
            level = (self.lowest(last, up) - table).abs();
            stability = stability.min(self.stability(last, up));
        }
        // Both rewards are capped: beyond 20 cm of lift or 4 cm of base, more says nothing more.
        let reward = 0.5 * lifted.min(0.2) + 3.0 * stability.clamp(-0.04, 0.04);
        sunk + hand_sunk + level - reward
    }

    /// Height of the object's lowest surface point.
    fn lowest(&self, pose: &Pose, up: Vector3<f64>) -> f64 {
        let down = pose.inverse_transform_vector(&up);
        let offset = up.dot(&pose.translation.vector);
        offset + self.points.iter().map(|p| down.dot(&p.coords)).fold(f64::INFINITY, f64::min)
    }

    /// How far the centre of the surface is inside the patch that touches the table, metres; negative
    /// outside, where the object would topple.
    fn stability(&self, pose: &Pose, up: Vector3<f64>) -> f64 {
        let up = Unit::new_normalize(pose.inverse_transform_vector(&up));
        let lowest = self.points.iter().map(|p| up.dot(&p.coords)).fold(f64::INFINITY, f64::min);
        let count = self.points.len().max(1) as f64;
        let centre = self.points.iter().fold(Vector3::zeros(), |sum, p| sum + p.coords) / count;
        let touching: Vec<Vector3<f64>> = self
            .points
            .iter()
            .filter(|p| up.dot(&p.coords) < lowest + CONTACT_M)
            .map(|p| p.coords - centre)
            .collect();
        let side = Unit::new_normalize(up.cross(&if up.x.abs() < 0.7 {
            Vector3::x()
        } else {
            Vector3::y()
        }));
        let other = up.cross(&side);
        // A point is inside a convex patch as deep as the nearest of the patch's supporting lines.
        (0..36)
            .map(|step| {
                let angle = f64::from(step) * std::f64::consts::TAU / 36.0;
                let direction = side.into_inner() * angle.cos() + other * angle.sin();
                touching.iter().map(|p| direction.dot(p)).fold(f64::NEG_INFINITY, f64::max)
            })
            .fold(f64::INFINITY, f64::min)
    }

    /// Whether the object keeps still over the last twentieth of the recording.
    fn ends_at_rest(&self) -> bool {
        let end = self.poses.len() - 1;
        let (a, b) = (&self.poses[end - (end / 20).max(1).min(end)], &self.poses[end]);
        (a.translation.vector - b.translation.vector).norm() < 0.003
            && a.rotation.angle_to(&b.rotation) < 0.03
    }
}
