//! Who has which object when: a demonstration as a list of holds.
//!
//! An object moves because hands have it. Its motions ([`object_moves`]) are given to hands by how
//! near their fingertips are; a motion may be shared by both hands or pass from one to the other, and
//! a hand that lets go between two motions takes the object anew.

use dextra_core::Demonstration;
use dextra_core::demonstration::keypoint;
use dextra_core::signal::{MovingInterval, object_moves};
use dextra_sim::object::Surface;

/// One hand has one object for a while; frames of the demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Index of the hand.
    pub hand: usize,
    /// Index of the object.
    pub object: usize,
    /// Frame from which the hand has it: the object starts to move, or the hand has closed on an
    /// object that the other hand holds.
    pub take: usize,
    /// Frame until which the hand has it; `None` when it still does at the end of the clip.
    pub release: Option<usize>,
    /// Whether the object never leaves its support meanwhile: it is pushed or turned on the table.
    pub sliding: bool,
}

/// A hand whose three nearest fingertips are this near on average has the object, metres. Recorded
/// fingertips hover by 1 to 2 cm.
const NEAR: f64 = 0.035;
/// A hand this far away between two motions has let go, metres.
const AWAY: f64 = 0.05;
/// Interruptions of a hold that are shorter are noise, seconds.
const GAP_S: f64 = 0.3;
/// Holds that are shorter are touches in passing, seconds.
const SHORTEST_S: f64 = 0.4;
/// A lowest vertex that never rises higher than this above its support slides, metres.
const SLIDES: f64 = 0.008;

/// The holds of a demonstration in the order of their takes; `surfaces` are those of its objects.
///
/// Every motion of an object belongs to at least one hand: to the nearest when none is near.
pub fn holds(demo: &Demonstration, surfaces: &[&Surface]) -> Vec<Hold> {
    let mut holds = Vec::new();
    for object in 0..demo.objects.len() {
        // A part that its parent carries along is not held for that.
        let moves = object_moves(&demo.handled(object), demo.fps);
        if moves.is_empty() {
            continue;
        }
        let distances: Vec<Vec<f64>> =
            (0..demo.hands.len()).map(|hand| distances(demo, hand, object, surfaces)).collect();
        let mut of_object: Vec<Hold> = Vec::new();
        for motion in &moves {
            for hold in holders(demo, object, motion, &distances) {
                let earlier = of_object.iter_mut().rfind(|h| h.hand == hold.hand);
                match earlier {
                    Some(earlier) if stays(earlier, &hold, &distances[hold.hand]) => {
                        earlier.release = hold.release;
                        earlier.sliding &= hold.sliding;
                    }
                    _ => of_object.push(hold),
                }
            }
        }
        holds.extend(of_object);
    }
    holds.sort_by_key(|hold| (hold.take, hold.hand, hold.object));
    without_overlaps(holds)
}

/// Mean distance of the three fingertips of a hand that are nearest to an object, per frame, metres.
fn distances(demo: &Demonstration, hand: usize, object: usize, surfaces: &[&Surface]) -> Vec<f64> {
    let poses = &demo.objects[object].world_from_object;
    let frames = demo.hands[hand].keypoints_in_world.iter().zip(poses);
    let raw: Vec<f64> = frames
        .map(|(points, pose)| {
            let inverse = pose.inverse();
            let mut near: Vec<f64> = keypoint::TIPS
                .iter()
                .map(|&k| surfaces[object].signed_distance(&(inverse * points[k])).max(0.0))
                .collect();
            near.sort_by(f64::total_cmp);
            near.iter().take(3).sum::<f64>() / 3.0
        })
        .collect();
    // The median over a fifth of a second keeps single frames from counting.
    let radius = (0.1 * demo.fps).round() as usize;
    (0..raw.len())
        .map(|f| {
            let mut window =
                raw[f.saturating_sub(radius)..(f + radius + 1).min(raw.len())].to_vec();
            window.sort_by(f64::total_cmp);
            window[window.len() / 2]
        })
        .collect()
}

/// Whether the hand keeps the object between two of its motions.
fn stays(earlier: &Hold, later: &Hold, distances: &[f64]) -> bool {
    let Some(release) = earlier.release else { return true };
    distances[release.min(later.take)..=later.take].iter().all(|&d| d < AWAY)
}

/// The holds that make one motion of an object.
fn holders(
    demo: &Demonstration,
    object: usize,
    motion: &MovingInterval,
    distances: &[Vec<f64>],
) -> Vec<Hold> {
    let sliding = slides(demo, object, motion);
    let whole = |hand| Hold { hand, object, take: motion.lift, release: motion.put, sliding };
    if distances.len() == 1 {
        return vec![whole(0)];
    }
    let frames = |seconds: f64| (seconds * demo.fps).round() as usize;
    let mut found = Vec::new();
    for (hand, distance) in distances.iter().enumerate() {
        let near: Vec<bool> =
            (motion.lift..=motion.last).map(|frame| distance[frame] < NEAR).collect();
        for (first, last) in stretches(&near, frames(GAP_S), frames(SHORTEST_S)) {
            let span = &distance[motion.lift + first..=motion.lift + last];
            let mut sorted = span.to_vec();
            sorted.sort_by(f64::total_cmp);
            // Closed: as near as it is in the middle of the hold.
            let closed = sorted[sorted.len() / 2] + 0.005;
            let begins = span.iter().position(|&d| d <= closed).unwrap_or(0) + first;
            let ends = span.iter().rposition(|&d| d <= closed).unwrap_or(span.len() - 1) + first;
            let (begins, ends) = (motion.lift + begins, motion.lift + ends);
            let take = if begins <= motion.lift + frames(GAP_S) { motion.lift } else { begins };
            let release = if ends + frames(GAP_S) >= motion.last { motion.put } else { Some(ends) };
            found.push(Hold { hand, object, take, release, sliding });
        }
    }
    let carried = |frame: usize| {
        found.iter().any(|h| h.take <= frame && h.release.is_none_or(|r| r >= frame))
    };
    if (motion.lift..=motion.last).all(carried) {
        return found;
    }
    let total = |hand: &usize| distances[*hand][motion.lift..=motion.last].iter().sum::<f64>();
    let nearest = (0..distances.len()).min_by(|a, b| total(a).total_cmp(&total(b))).unwrap_or(0);
    found.retain(|hold| hold.hand != nearest);
    found.push(whole(nearest));
    found
}

/// Runs of `true` as (first, last), gaps shorter than `gap` closed, runs shorter than `shortest` left
/// out.
fn stretches(near: &[bool], gap: usize, shortest: usize) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (frame, _) in near.iter().enumerate().filter(|(_, near)| **near) {
        match runs.last_mut() {
            Some(run) if frame - run.1 <= gap.max(1) => run.1 = frame,
            _ => runs.push((frame, frame)),
        }
    }
    runs.retain(|run| run.1 - run.0 >= shortest);
    runs
}

fn slides(demo: &Demonstration, object: usize, motion: &MovingInterval) -> bool {
    let track = demo.handled(object);
    let lowest = |frame: usize| {
        let pose = &track.world_from_object[frame];
        track.mesh.vertices.iter().map(|v| (pose * v).z).fold(f64::INFINITY, f64::min)
    };
    let support = lowest(motion.lift.saturating_sub(1));
    let stride = (motion.last - motion.lift) / 64 + 1;
    (motion.lift..=motion.last).step_by(stride).all(|frame| lowest(frame) - support < SLIDES)
}

/// A hand has one object at a time: a hold ends where the next of the same hand begins, and one that
/// lies within an earlier one is left out.
fn without_overlaps(holds: Vec<Hold>) -> Vec<Hold> {
    let mut kept: Vec<Hold> = Vec::new();
    for hold in holds {
        match kept.iter_mut().rfind(|h| h.hand == hold.hand) {
            Some(earlier) if earlier.release.is_none_or(|release| release >= hold.take) => {
                let within =
                    earlier.release.is_none_or(|end| hold.release.is_some_and(|e| e <= end));
                if !within && hold.take > earlier.take {
                    earlier.release = Some(hold.take.saturating_sub(1));
                    kept.push(hold);
                }
            }
            _ => kept.push(hold),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{NoiseConfig, SynthClip, synth};

    fn of(demo: &Demonstration) -> Vec<Hold> {
        let surfaces: Vec<Surface> =
            demo.objects.iter().map(|o| Surface::new(&o.mesh).unwrap()).collect();
        holds(demo, &surfaces.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_hand_that_carries_has_the_object_from_lift_to_put_down() {
        for clip in [SynthClip::Cube, SynthClip::Bottle, SynthClip::Stick, SynthClip::Mug] {
            let demo = synth(clip, 3, &NoiseConfig::default());
            let motion =
                dextra_core::signal::object_moving_interval(&demo.objects[0], demo.fps).unwrap();
            let expected =
                Hold { hand: 0, object: 0, take: motion.lift, release: motion.put, sliding: false };
            assert_eq!(of(&demo), [expected], "{}", clip.name());
        }
    }

    #[test]
    fn both_hands_have_the_box() {
        let found = of(&synth(SynthClip::Box, 0, &NoiseConfig::default()));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].hand, found[1].hand), (0, 1));
        assert_eq!((found[0].take, found[0].release), (found[1].take, found[1].release));
    }

    #[test]
    fn a_hand_that_is_nowhere_near_still_gets_what_moves() {
        let mut demo = synth(SynthClip::Box, 0, &NoiseConfig::default());
        for (hand, shift) in [(0, 0.3), (1, 0.5)] {
            for frame in &mut demo.hands[hand].keypoints_in_world {
                frame.iter_mut().for_each(|p| p.z += shift);
            }
        }
        let found = of(&demo);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].hand, 0);
    }

    #[test]
    fn gaps_are_closed_and_touches_in_passing_left_out() {
        let near = [0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0].map(|n| n == 1);
        assert_eq!(stretches(&near, 2, 3), [(1, 6)]);
        assert_eq!(stretches(&near, 1, 0), [(1, 2), (4, 6), (11, 11)]);
    }

    #[test]
    fn a_later_hold_of_the_same_hand_ends_the_earlier() {
        let hold = |object, take, release| Hold { hand: 0, object, take, release, sliding: false };
        let cut = without_overlaps(vec![hold(0, 10, None), hold(1, 50, Some(90))]);
        assert_eq!(cut, [hold(0, 10, None)], "a touch while the hand keeps the first object");
        let cut = without_overlaps(vec![hold(0, 10, Some(60)), hold(1, 50, Some(90))]);
        assert_eq!(cut, [hold(0, 10, Some(49)), hold(1, 50, Some(90))]);
    }
}
