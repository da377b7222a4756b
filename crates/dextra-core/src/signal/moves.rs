//! The separate motions of an object that rests on its support in between.

use super::{Departure, SUPPORT_M};
use super::{MovingInterval, REST_S, height_of, interval, rest_pose, stirred_beyond_noise};
use crate::{ObjectTrack, Pose};

/// Rests shorter than this do not part two motions, seconds.
const SHORTEST_REST_S: f64 = 0.4;

/// The motions of an object in the order of time: [`super::object_moving_interval`], split where it
/// comes to rest for at least 0.4 s with its lowest vertex within 1.5 cm of the height it started at.
/// Empty when it never moves. Every motion but the last has a `put`.
pub fn object_moves(object: &ObjectTrack, fps: f64) -> Vec<MovingInterval> {
    let track = &object.world_from_object;
    let height = height_of(object);
    let Some(whole) = interval(track, fps, &height) else { return Vec::new() };
    let window = ((REST_S * fps).round().max(4.0) as usize).min(track.len());
    let start = rest_pose(&track[..window]);
    let support = start.map(|pose| height(&pose));
    let noise = start.map(|pose| stirred_beyond_noise(&pose, &track[..window]));
    let (Some(support), Some(noise)) = (support, noise) else { return vec![whole] };
    let resting =
        resting_frames(track, window, &noise, |pose| (height(pose) - support).abs() <= SUPPORT_M);
    let shortest = (SHORTEST_REST_S * fps).round() as usize;
    let mut moves = Vec::new();
    let mut lift = whole.lift;
    let mut frame = whole.lift;
    while frame < whole.last {
        let until = (frame..whole.last).find(|&f| !resting[f]).unwrap_or(whole.last);
        if frame > whole.lift && until < whole.last && until - frame >= shortest {
            moves.push(MovingInterval { lift, last: frame, put: Some(frame) });
            lift = until;
        }
        frame = until.max(frame) + 1;
    }
    moves.push(MovingInterval { lift, ..whole });
    moves
}

/// Which frames lie in a window throughout which the object stays where it is, on its support.
fn resting_frames(
    track: &[Pose],
    window: usize,
    noise: &Departure,
    supported: impl Fn(&Pose) -> bool,
) -> Vec<bool> {
    let mut resting = vec![false; track.len()];
    for (first, poses) in track.windows(window).enumerate() {
        let Some(middle) = rest_pose(poses) else { continue };
        if supported(&middle) && poses.iter().all(|pose| !noise.exceeded(&middle, pose)) {
            resting[first..first + window].fill(true);
        }
    }
    resting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TriMesh;
    use nalgebra::{Point3, UnitQuaternion, Vector3};

    /// A point object whose height and x follow `heights` and `xs` at 30 Hz.
    fn object(path: impl Fn(f64) -> (f64, f64), seconds: f64) -> ObjectTrack {
        let frames = (seconds * 30.0) as usize;
        let world_from_object = (0..frames)
            .map(|f| {
                let (x, z) = path(f as f64 / 30.0);
                Pose::from_parts(Vector3::new(x, 0.0, z).into(), UnitQuaternion::identity())
            })
            .collect();
        ObjectTrack {
            name: "block".into(),
            mesh: TriMesh { vertices: vec![Point3::origin()], faces: vec![] },
            world_from_object,
            mass: None,
            articulation: None,
        }
    }

    /// A hop of 10 cm between two times.
    fn hop(time: f64, start: f64, end: f64) -> f64 {
        let s = ((time - start) / (end - start)).clamp(0.0, 1.0);
        0.1 * (std::f64::consts::PI * s).sin()
    }

    #[test]
    fn two_hops_with_a_rest_between_are_two_moves() {
        let track = object(|t| (0.0, hop(t, 1.0, 2.0) + hop(t, 3.0, 4.0)), 5.0);
        let moves = object_moves(&track, 30.0);
        assert_eq!(moves.len(), 2, "{moves:?}");
        // The first hop rises 3 mm within its first frame and ends at 2 s (frame 60).
        assert!((29..=33).contains(&moves[0].lift), "{moves:?}");
        assert!((57..=61).contains(&moves[0].put.unwrap()), "{moves:?}");
        assert!((89..=93).contains(&moves[1].lift), "{moves:?}");
        assert_eq!(moves[1].last, super::super::object_moving_interval(&track, 30.0).unwrap().last);
    }

    #[test]
    fn a_pause_in_the_air_or_a_short_touch_down_parts_nothing() {
        let lifted = |t: f64| 0.1 * (t - 1.0).clamp(0.0, 1.0) - 0.1 * (t - 3.0).clamp(0.0, 1.0);
        assert_eq!(object_moves(&object(|t| (0.0, lifted(t)), 5.0), 30.0).len(), 1);
        let touching = object(|t| (0.0, hop(t, 1.0, 2.0) + hop(t, 2.2, 3.2)), 4.0);
        assert_eq!(object_moves(&touching, 30.0).len(), 1);
        assert!(object_moves(&object(|_| (0.0, 0.0), 2.0), 30.0).is_empty());
    }

    #[test]
    fn slides_on_the_table_are_parted_like_hops() {
        let slide = |t: f64| 0.1 * (t - 1.0).clamp(0.0, 1.0) + 0.1 * (t - 3.0).clamp(0.0, 1.0);
        let moves = object_moves(&object(|t| (slide(t), 0.0), 5.0), 30.0);
        assert_eq!(moves.len(), 2, "{moves:?}");
    }
}
