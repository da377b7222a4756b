//! Time scaling: how fast a demonstration is, and a slower copy of it.
//!
//! Some recordings are faster than a person moved (motion-capture clips compressed in time reach
//! 3 m/s and 39 m/s²) or than a wrist servo can follow. They are slowed by one factor for the whole
//! clip, always stated in the provenance notes.

use crate::demonstration::{Keypoints, keypoint};
use crate::{Demonstration, Pose, pose, signal};
use nalgebra::{Point3, Translation3, Vector3};

/// Smoothing before differentiating, seconds. White noise of 2 mm at 30 Hz leaves 0.5 m/s² of
/// acceleration noise (standard deviation per axis); without it, 4.4 m/s².
const DERIVATIVE_SIGMA_S: f64 = 0.04;
/// More frames than any clip needs; a larger request is an error rather than an allocation.
const MAX_FRAMES: f64 = 10_000_000.0;

/// What a wrist can follow while it holds an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Largest object speed, m/s.
    pub speed: f64,
    /// Largest object acceleration, m/s².
    pub acceleration: f64,
    /// Largest object angular speed, rad/s.
    pub angular_speed: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { speed: 1.0, acceleration: 6.0, angular_speed: 5.0 }
    }
}

/// A largest value and the frame it occurs at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Peak {
    /// The value.
    pub value: f64,
    /// The frame.
    pub frame: usize,
}

/// Peaks of the object motion of a clip (the fastest object), after light smoothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Peaks {
    /// Speed of the object's origin, m/s.
    pub speed: Peak,
    /// Acceleration of the object's origin, m/s².
    pub acceleration: Peak,
    /// Angular speed, rad/s.
    pub angular_speed: Peak,
}

/// Why a clip cannot be resampled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RetimeError {
    /// Slowing by less than nothing.
    #[error("time factor {factor} is not a finite number above 0")]
    Factor {
        /// The factor asked for.
        factor: f64,
    },
    /// A frame rate that is no rate.
    #[error("{field} {fps} Hz is not a finite number above 0")]
    FrameRate {
        /// Which rate.
        field: &'static str,
        /// Its value.
        fps: f64,
    },
    /// Nothing to resample, or tracks of different lengths.
    #[error("track `{track}` has {frames} frames, expected {expected} (at least 1)")]
    Frames {
        /// Name of the track.
        track: String,
        /// Its length.
        frames: usize,
        /// The length of the clip.
        expected: usize,
    },
    /// An absurd size.
    #[error("resampling would give {frames:.0} frames; at most {MAX_FRAMES:.0} are allowed")]
    TooMany {
        /// Frames that would result.
        frames: f64,
    },
}

/// Peaks of speed, acceleration and angular speed over all objects of a clip.
pub fn plausibility(demo: &Demonstration) -> Peaks {
    demo.objects.iter().fold(Peaks::default(), |peaks, object| {
        peaks.max(track_peaks(&object.world_from_object, demo.fps))
    })
}

/// Peaks of one track of poses sampled `fps` times a second.
pub fn track_peaks(world_from_object: &[Pose], fps: f64) -> Peaks {
    let dt = 1.0 / fps;
    let sigma = DERIVATIVE_SIGMA_S * fps;
    let smooth = signal::smooth_poses(world_from_object, sigma);
    let points: Vec<Point3<f64>> = smooth.iter().map(|p| p.translation.vector.into()).collect();
    Peaks {
        speed: peak(&signal::velocities(&points, dt)),
        acceleration: inner_peak(&signal::accelerations(&points, dt), 2.0 * sigma),
        angular_speed: peak(&signal::angular_velocities(&smooth, dt)),
    }
}

/// The peak away from the first and last `margin` samples, where the bias of the smoothing changes
/// from sample to sample and can double a second difference; over all samples of a short track.
fn inner_peak(vectors: &[Vector3<f64>], margin: f64) -> Peak {
    let margin = margin.ceil() as usize;
    if vectors.len() < 4 * margin {
        return peak(vectors);
    }
    let inner = peak(&vectors[margin..vectors.len() - margin]);
    Peak { frame: inner.frame + margin, ..inner }
}

fn peak(vectors: &[Vector3<f64>]) -> Peak {
    vectors.iter().enumerate().fold(Peak::default(), |best, (frame, v)| {
        if v.norm() > best.value { Peak { value: v.norm(), frame } } else { best }
    })
}

impl Peaks {
    fn max(self, other: Peaks) -> Peaks {
        let larger = |a: Peak, b: Peak| if b.value > a.value { b } else { a };
        Peaks {
            speed: larger(self.speed, other.speed),
            acceleration: larger(self.acceleration, other.acceleration),
            angular_speed: larger(self.angular_speed, other.angular_speed),
        }
    }

    /// The factor of time, at least 1, that brings these peaks within `limits`. Speeds fall with
    /// the factor, accelerations with its square.
    pub fn time_scale(&self, limits: &Limits) -> f64 {
        (self.speed.value / limits.speed)
            .max((self.acceleration.value / limits.acceleration).sqrt())
            .max(self.angular_speed.value / limits.angular_speed)
            .max(1.0)
    }
}

/// The factor of time, at least 1, by which `demo` must be slowed to keep within `limits`.
pub fn time_scale(demo: &Demonstration, limits: &Limits) -> f64 {
    plausibility(demo).time_scale(limits)
}

/// A copy of `demo` that takes `factor` times as long, sampled at `fps_out`, lightly smoothed by a
/// Gaussian of `sigma_s` seconds of *output* time (0 for none).
///
/// Positions are interpolated by Catmull-Rom cubics (smooth velocity), rotations along geodesics.
/// The first and the last frame are those of `demo`: where the duration is no whole number of output
/// frames, the factor is raised until it is (by less than one output frame in all). A note states
/// the factor that results.
pub fn resample(
    demo: &Demonstration,
    factor: f64,
    fps_out: f64,
    sigma_s: f64,
) -> Result<Demonstration, RetimeError> {
    let positive = |x: f64| x.is_finite() && x > 0.0;
    if !positive(factor) {
        return Err(RetimeError::Factor { factor });
    }
    for (field, fps) in [("frame rate", demo.fps), ("output frame rate", fps_out)] {
        if !positive(fps) {
            return Err(RetimeError::FrameRate { field, fps });
        }
    }
    let frames = demo.frames();
    check_lengths(demo, frames)?;

    let intervals = (frames - 1) as f64;
    let wanted = (intervals * factor * fps_out / demo.fps - 1e-9).ceil().max(0.0);
    if wanted >= MAX_FRAMES {
        return Err(RetimeError::TooMany { frames: wanted + 1.0 });
    }
    let times: Vec<f64> =
        (0..=wanted as usize).map(|i| i as f64 * intervals / wanted.max(1.0)).collect();
    let factor = if frames > 1 { wanted / fps_out * demo.fps / intervals } else { factor };
    let sigma = sigma_s * fps_out;

    let mut out = demo.clone();
    out.fps = fps_out;
    for hand in &mut out.hands {
        hand.keypoints_in_world = resample_keypoints(&hand.keypoints_in_world, &times, sigma);
    }
    for object in &mut out.objects {
        let poses: Vec<Pose> =
            times.iter().map(|&t| pose_at(&object.world_from_object, t)).collect();
        object.world_from_object = signal::smooth_poses(&poses, sigma);
        if let Some(part) = &mut object.articulation {
            part.coordinate = resample_numbers(&part.coordinate, &times, sigma);
        }
    }
    out.place_parts();
    if (factor - 1.0).abs() > 1e-9 {
        out.provenance.notes.push(format!("time scaled by a factor of {factor:.3}"));
    }
    Ok(out)
}

fn check_lengths(demo: &Demonstration, expected: usize) -> Result<(), RetimeError> {
    let hands = demo.hands.iter().map(|h| (h.side.name(), h.keypoints_in_world.len()));
    let objects = demo.objects.iter().map(|o| (o.name.as_str(), o.world_from_object.len()));
    if expected == 0 {
        return Err(RetimeError::Frames { track: "hand".into(), frames: 0, expected });
    }
    let parts = demo
        .objects
        .iter()
        .filter_map(|o| Some((o.name.as_str(), o.articulation.as_ref()?.coordinate.len())));
    match hands.chain(objects).chain(parts).find(|&(_, frames)| frames != expected) {
        Some((track, frames)) => Err(RetimeError::Frames { track: track.into(), frames, expected }),
        None => Ok(()),
    }
}

fn resample_numbers(values: &[f64], times: &[f64], sigma: f64) -> Vec<f64> {
    let track: Vec<Vector3<f64>> = values.iter().map(|&x| Vector3::new(x, 0.0, 0.0)).collect();
    let sampled: Vec<Vector3<f64>> = times.iter().map(|&t| cubic_at(&track, t)).collect();
    signal::smooth_vectors(&sampled, sigma).into_iter().map(|v| v.x).collect()
}

fn resample_keypoints(frames: &[Keypoints], times: &[f64], sigma: f64) -> Vec<Keypoints> {
    let mut out = vec![[Point3::origin(); keypoint::COUNT]; times.len()];
    for k in 0..keypoint::COUNT {
        let track: Vec<Vector3<f64>> = frames.iter().map(|f| f[k].coords).collect();
        let sampled: Vec<Vector3<f64>> = times.iter().map(|&t| cubic_at(&track, t)).collect();
        for (frame, v) in out.iter_mut().zip(signal::smooth_vectors(&sampled, sigma)) {
            frame[k] = v.into();
        }
    }
    out
}

/// Pose at a fractional frame `t` of `poses`, `0 <= t <= len - 1`.
fn pose_at(poses: &[Pose], t: f64) -> Pose {
    let last = poses.len() - 1;
    let i = (t.floor() as usize).min(last);
    if t == i as f64 {
        return poses[i];
    }
    let mut out = pose::interpolate(&poses[i], &poses[(i + 1).min(last)], t - i as f64);
    out.translation = Translation3::from(cubic(last, t, |k| poses[k].translation.vector));
    out
}

fn cubic_at(values: &[Vector3<f64>], t: f64) -> Vector3<f64> {
    cubic(values.len() - 1, t, |k| values[k])
}

/// Catmull-Rom cubic through `value(0..=last)` at the fractional index `t`. Beyond the ends the
/// track is continued straight, so that constant speed stays constant speed.
fn cubic(last: usize, t: f64, value: impl Fn(usize) -> Vector3<f64>) -> Vector3<f64> {
    let i = (t.floor() as usize).min(last);
    let u = t - i as f64;
    if u == 0.0 || i == last {
        return value(i);
    }
    let (p1, p2) = (value(i), value(i + 1));
    let p0 = if i == 0 { p1 * 2.0 - p2 } else { value(i - 1) };
    let p3 = if i + 2 > last { p2 * 2.0 - p1 } else { value(i + 2) };
    let (m1, m2) = ((p2 - p0) / 2.0, (p3 - p1) / 2.0);
    let (u2, u3) = (u * u, u * u * u);
    p1 * (2.0 * u3 - 3.0 * u2 + 1.0)
        + m1 * (u3 - 2.0 * u2 + u)
        + p2 * (3.0 * u2 - 2.0 * u3)
        + m2 * (u3 - u2)
}

#[cfg(test)]
mod tests;
