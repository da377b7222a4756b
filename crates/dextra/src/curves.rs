//! Measures of a recording over time, for its page and for that of `feasibility`.

use dextra_core::demonstration::keypoint;
use dextra_core::{Demonstration, HandTrack, JointKind, ObjectTrack};
use dextra_sim::object::Surface;
use nalgebra::Vector3;
use serde::{Deserialize, Serialize};

/// A measure over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// What is measured.
    pub name: String,
    /// Seconds and the value, frames without one left out.
    pub points: Vec<(f64, f64)>,
}

/// The value of every frame that has one.
fn curve(name: &str, demo: &Demonstration, value: impl Fn(usize) -> Option<f64>) -> Curve {
    let point = |frame| Some((frame as f64 / demo.fps, value(frame)?));
    Curve { name: name.to_owned(), points: (0..demo.frames()).filter_map(point).collect() }
}

fn hand_name(hand: &HandTrack) -> String {
    format!("{} hand", hand.side.name())
}

/// Height of every object above its lowest, centimetres.
pub(crate) fn heights_cm(demo: &Demonstration) -> Vec<Curve> {
    let of = |object: &ObjectTrack| {
        let height = |frame: usize| object.world_from_object[frame].translation.z;
        let lowest = (0..demo.frames()).map(height).fold(f64::INFINITY, f64::min);
        curve(&object.name, demo, |frame| Some(100.0 * (height(frame) - lowest)))
    };
    demo.objects.iter().map(of).collect()
}

/// From every hand's nearest fingertip to the surface of an object, centimetres; negative inside. `surfaces` are those of
/// the objects.
pub(crate) fn gaps_cm(demo: &Demonstration, surfaces: &[Surface]) -> Vec<Curve> {
    let objects: Vec<_> = demo.objects.iter().zip(surfaces).collect();
    let of = |hand: &HandTrack| {
        curve(&hand_name(hand), demo, |frame| {
            let tips = keypoint::TIPS.map(|tip| hand.keypoints_in_world[frame][tip]);
            let known = tips.iter().filter(|tip| tip.iter().all(|x| x.is_finite()));
            let distances = known.flat_map(|tip| {
                objects.iter().map(move |(object, surface)| {
                    let pose = &object.world_from_object[frame];
                    surface.signed_distance(&pose.inverse_transform_point(tip))
                })
            });
            Some(100.0 * distances.min_by(f64::total_cmp)?)
        })
    };
    demo.hands.iter().map(of).collect()
}

/// Speed of every wrist and of every object's origin from frame to frame, m/s.
pub(crate) fn speeds_m_s(demo: &Demonstration) -> Vec<Curve> {
    let speed = |name: &str, at: &dyn Fn(usize) -> Vector3<f64>| {
        curve(name, demo, |frame| {
            let moved = (at(frame) - at(frame.checked_sub(1)?)).norm();
            Some(moved * demo.fps).filter(|speed| speed.is_finite())
        })
    };
    let wrist = |hand: &HandTrack| {
        speed(&hand_name(hand), &|frame| hand.keypoints_in_world[frame][keypoint::WRIST].coords)
    };
    let object = |object: &ObjectTrack| {
        speed(&object.name, &|frame| object.world_from_object[frame].translation.vector)
    };
    demo.hands.iter().map(wrist).chain(demo.objects.iter().map(object)).collect()
}

/// How far every part on a hinge (degrees) or a slider (centimetres) is from its least coordinate.
pub(crate) fn openings(demo: &Demonstration) -> Vec<Curve> {
    let of = |object: &ObjectTrack| {
        let part = object.articulation.as_ref()?;
        let least = part.coordinate.iter().copied().fold(f64::INFINITY, f64::min);
        let (unit, scale) = match part.joint.kind {
            JointKind::Hinge => ("deg", 1f64.to_degrees()),
            JointKind::Slider => ("cm", 100.0),
        };
        let name = format!("{}, {unit}", object.name);
        Some(curve(&name, demo, |frame| Some(scale * (part.coordinate[frame] - least))))
    };
    demo.objects.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;
    use dextra_data::ClipOptions;

    fn ends(curve: &Curve) -> (f64, f64) {
        let values = || curve.points.iter().map(|point| point.1);
        (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max))
    }

    #[test]
    fn a_clip_is_measured_in_its_units() {
        let demo = demo::load("cube", 0, &ClipOptions::default()).unwrap();
        let heights = heights_cm(&demo);
        let (low, high) = ends(&heights[0]);
        assert!(low == 0.0 && (high - 10.0).abs() < 1.5, "it is lifted by 10 cm: {low} {high}");
        assert_eq!(heights[0].points.len(), demo.frames());
        let surfaces = [Surface::new(&demo.objects[0].mesh).unwrap()];
        let (nearest, farthest) = ends(&gaps_cm(&demo, &surfaces)[0]);
        assert!(nearest.abs() < 2.0 && farthest > 5.0, "{nearest} {farthest}");
        let speeds = speeds_m_s(&demo);
        assert_eq!([&speeds[0].name, &speeds[1].name], ["right hand", "cube"]);
        assert_eq!(speeds[0].points.len(), demo.frames() - 1);
        // The way is what the speeds add up to.
        let way: f64 = speeds[1].points.iter().map(|point| point.1 / demo.fps).sum();
        assert!(way > 0.18 && ends(&speeds[1]).1 < 1.0, "up and down again: {way} m");
        assert_eq!(openings(&demo), []);
    }

    #[test]
    fn a_lid_opens_in_degrees() {
        let demo = demo::load("lid", 0, &ClipOptions::default()).unwrap();
        let openings = openings(&demo);
        assert_eq!(openings.len(), 1);
        let part = demo.objects.iter().find_map(|object| object.articulation.as_ref()).unwrap();
        let most = part.coordinate.iter().copied().fold(f64::MIN, f64::max);
        let least = part.coordinate.iter().copied().fold(f64::MAX, f64::min);
        let (low, high) = ends(&openings[0]);
        assert!(low == 0.0 && (high - (most - least).to_degrees()).abs() < 1e-9);
        assert!(openings[0].name.ends_with(", deg") && high > 20.0, "{high}");
    }
}
