//! Tracks as signals: smoothing, differentiation, and when an object moves.
//!
//! Smoothing is a locally linear fit with Gaussian weights. Away from the ends that is the usual
//! Gaussian filter; at the ends it keeps a constant speed, where a renormalised Gaussian would bend
//! the track and invent an acceleration.

use crate::{ObjectTrack, Pose, pose};
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};

mod moves;

pub use moves::object_moves;

/// Departure from rest that proves an object moved: 1 cm, above the noise of recorded tracks.
const MOVED: Departure = Departure { distance: 0.01, angle: 5.0 * DEG };
/// Departure that marks the onset of a motion already proven: 3 mm.
const STIRRED: Departure = Departure { distance: 0.003, angle: 1.5 * DEG };
/// Time over which an object is taken to rest at the start and the end of a clip, seconds.
const REST_S: f64 = 0.2;
/// Height difference up to which an object counts as standing on the support it started from.
const SUPPORT_M: f64 = 0.015;
const DEG: f64 = std::f64::consts::PI / 180.0;

struct Departure {
    distance: f64,
    angle: f64,
}

impl Departure {
    fn widened(&self, factor: f64) -> Departure {
        Departure {
            distance: (self.distance * factor).min(MOVED.distance),
            angle: (self.angle * factor).min(MOVED.angle),
        }
    }

    fn exceeded(&self, rest: &Pose, now: &Pose) -> bool {
        pose::distance_between(rest, now) > self.distance
            || pose::angle_between(rest, now) > self.angle
    }
}

/// Smooths vectors `[T]` with a Gaussian of `sigma` samples; `sigma <= 0` copies.
///
/// Exact on straight lines at constant speed, also at both ends.
pub fn smooth_vectors(values: &[Vector3<f64>], sigma: f64) -> Vec<Vector3<f64>> {
    (0..values.len()).map(|i| fit_at(i, values.len(), sigma, |k| values[k])).collect()
}

/// Smooths points `[T]`; see [`smooth_vectors`].
pub fn smooth_points(points: &[Point3<f64>], sigma: f64) -> Vec<Point3<f64>> {
    (0..points.len()).map(|i| fit_at(i, points.len(), sigma, |k| points[k].coords).into()).collect()
}

/// Smooths poses `[T]`: positions as [`smooth_vectors`], rotations in the tangent space of each
/// frame (so neighbours within the window must differ by less than half a turn).
pub fn smooth_poses(poses: &[Pose], sigma: f64) -> Vec<Pose> {
    if !window_is_useful(sigma) {
        return poses.to_vec();
    }
    (0..poses.len())
        .map(|i| {
            let at = poses[i].rotation;
            let position = fit_at(i, poses.len(), sigma, |k| poses[k].translation.vector);
            let turn =
                fit_at(i, poses.len(), sigma, |k| (at.inverse() * poses[k].rotation).scaled_axis());
            Pose::from_parts(
                Translation3::from(position),
                at * UnitQuaternion::from_scaled_axis(turn),
            )
        })
        .collect()
}

fn window_is_useful(sigma: f64) -> bool {
    sigma.is_finite() && sigma > 1e-6
}

/// Value at `i` of the line fitted to `value(k)` with weights `exp(-(k - i)^2 / (2 sigma^2))`.
fn fit_at(
    i: usize,
    count: usize,
    sigma: f64,
    value: impl Fn(usize) -> Vector3<f64>,
) -> Vector3<f64> {
    if !window_is_useful(sigma) {
        return value(i);
    }
    let radius = (4.0 * sigma).ceil() as usize;
    let first = i.saturating_sub(radius);
    let last = i.saturating_add(radius).min(count - 1);
    let (mut s0, mut s1, mut s2) = (0.0, 0.0, 0.0);
    let (mut m0, mut m1) = (Vector3::zeros(), Vector3::zeros());
    for k in first..=last {
        let x = k as f64 - i as f64;
        let weight = (-0.5 * (x / sigma).powi(2)).exp();
        let v = value(k);
        s0 += weight;
        s1 += weight * x;
        s2 += weight * x * x;
        m0 += v * weight;
        m1 += v * (weight * x);
    }
    let determinant = s0 * s2 - s1 * s1;
    if determinant > 1e-12 { (m0 * s2 - m1 * s1) / determinant } else { m0 / s0 }
}

/// First derivative of points `[T]` sampled every `dt` seconds: central differences, one-sided at
/// the ends. Zero for fewer than two samples. World frame, per second.
pub fn velocities(points: &[Point3<f64>], dt: f64) -> Vec<Vector3<f64>> {
    (0..points.len())
        .map(|i| {
            let (a, b) = neighbours(i, points.len());
            if a == b { Vector3::zeros() } else { (points[b] - points[a]) / ((b - a) as f64 * dt) }
        })
        .collect()
}

/// Second derivative of points `[T]` sampled every `dt` seconds: second central differences, the
/// end samples copy their neighbour. Zero for fewer than three samples.
pub fn accelerations(points: &[Point3<f64>], dt: f64) -> Vec<Vector3<f64>> {
    let count = points.len();
    if count < 3 {
        return vec![Vector3::zeros(); count];
    }
    (0..count)
        .map(|i| {
            let i = i.clamp(1, count - 2);
            ((points[i + 1] - points[i]) - (points[i] - points[i - 1])) / (dt * dt)
        })
        .collect()
}

/// Angular velocity of rotations `[T]` sampled every `dt` seconds, in the frame they rotate into
/// (world for `world_from_object`), rad/s: central differences, one-sided at the ends.
pub fn angular_velocities(poses: &[Pose], dt: f64) -> Vec<Vector3<f64>> {
    (0..poses.len())
        .map(|i| {
            let (a, b) = neighbours(i, poses.len());
            if a == b {
                return Vector3::zeros();
            }
            let turn = poses[b].rotation * poses[a].rotation.inverse();
            turn.scaled_axis() / ((b - a) as f64 * dt)
        })
        .collect()
}

fn neighbours(i: usize, count: usize) -> (usize, usize) {
    (i.saturating_sub(1), (i + 1).min(count - 1))
}

/// When an object moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovingInterval {
    /// First frame of the motion: the object has stirred (3 mm or 1.5 deg, more on noisy tracks) and
    /// goes on to move (1 cm or 5 deg) from where it rested.
    pub lift: usize,
    /// Last frame of the motion; the last frame of the track when it is still moving there.
    pub last: usize,
    /// `Some(last)` when the object ends at rest on the support it started from.
    pub put: Option<usize>,
}

/// Finds when a track moves, without its mesh: "on the support" means that the origin ends within
/// 1.5 cm of the height it started at. `None` when it never moves (or is empty).
pub fn moving_interval(world_from_object: &[Pose], fps: f64) -> Option<MovingInterval> {
    interval(world_from_object, fps, |pose| pose.translation.z)
}

/// Finds when an object moves; "on the support" means that its lowest vertex ends within 1.5 cm of
/// the height of the lowest vertex at the start. `None` when it never moves.
pub fn object_moving_interval(object: &ObjectTrack, fps: f64) -> Option<MovingInterval> {
    interval(&object.world_from_object, fps, height_of(object))
}

/// Height of an object's lowest vertex in a pose.
fn height_of(object: &ObjectTrack) -> impl Fn(&Pose) -> f64 {
    let vertices = &object.mesh.vertices;
    move |pose| vertices.iter().map(|v| (pose * v).z).reduce(f64::min).unwrap_or(pose.translation.z)
}

fn interval(track: &[Pose], fps: f64, height: impl Fn(&Pose) -> f64) -> Option<MovingInterval> {
    let count = track.len();
    let window = ((REST_S * fps).round().max(4.0) as usize).min(count);
    let start = rest_pose(&track[..window])?;
    let stirred = stirred_beyond_noise(&start, &track[..window]);

    let departed = track.windows(2).position(|pair| away(&start, pair))?;
    let lift = track[..departed]
        .iter()
        .rposition(|pose| !stirred.exceeded(&start, pose))
        .map_or(0, |still| still + 1);

    // Some clips stop just before they end, so shorter windows are tried after the full one.
    let resting = [window, window / 2, 4.min(window)]
        .into_iter()
        .filter(|&w| w >= 4.min(window))
        .find_map(|w| rest_at_end(&track[count - w..], &stirred, w as f64 / window as f64));
    let Some(end) = resting else {
        return Some(MovingInterval { lift, last: count - 1, put: None });
    };
    // A clip that returns to where it started is away from there at `departed`; one that ends within
    // 1 cm of every frame since then arrived at once.
    let arrived =
        track.windows(2).rposition(|pair| away(&end, pair)).map_or(departed, |first| first + 1);
    let last = (arrived..count)
        .find(|&i| !stirred.exceeded(&end, &track[i]))
        .map_or(count - 1, |still| still.saturating_sub(1))
        .max(lift);
    let supported = (height(&end) - height(&start)).abs() <= SUPPORT_M;
    Some(MovingInterval { lift, last, put: supported.then_some(last) })
}

/// Whether both of two frames in a row are away; a glitch of one frame is no departure.
fn away(from: &Pose, pair: &[Pose]) -> bool {
    pair.iter().all(|pose| MOVED.exceeded(from, pose))
}

/// The pose in which a clip ends, if its tail rests there: no two frames are away from it, and the
/// mean of the second half is where that of the first was (single frames are noisy). Over the full
/// window that is 5 cm/s, or 10 cm/s on a track too noisy to show less; `share` is the part of the
/// full window that the tail spans.
fn rest_at_end(tail: &[Pose], stirred: &Departure, share: f64) -> Option<Pose> {
    let end = rest_pose(tail)?;
    let (early, late) = tail.split_at(tail.len() / 2);
    let drifted = stirred.widened(5.0 / 3.0 * share);
    let drifts = drifted.exceeded(&pose::mean(early)?, &pose::mean(late)?);
    let leaves = tail.windows(2).any(|pair| away(&end, pair));
    (!drifts && !leaves).then_some(end)
}

/// The departure that marks an onset: 3 mm and 1.5 deg, or 2.3 times the median departure at rest
/// where that is more (noise of 2 mm per axis has a median of 3.1 mm, so 7 mm), at most [`MOVED`].
fn stirred_beyond_noise(rest: &Pose, poses: &[Pose]) -> Departure {
    let noise = |error: fn(&Pose, &Pose) -> f64| {
        let errors: Vec<f64> = poses.iter().map(|p| error(rest, p)).collect();
        2.3 * median(errors).unwrap_or(0.0)
    };
    Departure {
        distance: noise(pose::distance_between).clamp(STIRRED.distance, MOVED.distance),
        angle: noise(pose::angle_between).clamp(STIRRED.angle, MOVED.angle),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some((values[(values.len() - 1) / 2] + upper) / 2.0)
}

/// A pose robust to a few outliers: the median of each coordinate, and the mean of the rotations
/// within 10 deg of the one with the least total angle to the others.
pub fn rest_pose(poses: &[Pose]) -> Option<Pose> {
    let coordinate =
        |axis: usize| median(poses.iter().map(|p| p.translation.vector[axis]).collect());
    let total = |pose: &Pose| -> f64 { poses.iter().map(|p| pose::angle_between(pose, p)).sum() };
    let medoid = poses.iter().map(|p| (total(p), p)).min_by(|a, b| a.0.total_cmp(&b.0))?.1;
    let near: Vec<Pose> =
        poses.iter().filter(|p| pose::angle_between(medoid, p) < 10.0 * DEG).copied().collect();
    let rotation = pose::mean(&near).map_or(medoid.rotation, |mean| mean.rotation);
    Some(Pose::from_parts(
        Translation3::new(coordinate(0)?, coordinate(1)?, coordinate(2)?),
        rotation,
    ))
}

#[cfg(test)]
mod tests;
