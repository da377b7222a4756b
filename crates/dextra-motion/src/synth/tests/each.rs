//! What each clip says of itself.

use super::*;

#[test]
fn every_clip_lifts_and_lasts_as_it_says() {
    for case in clean() {
        // Highest lift in metres, end in seconds.
        let (lift, end) = match case.clip {
            SynthClip::Bottle => (0.14, 5.7),
            SynthClip::Cube => (0.10, 5.15),
            SynthClip::Stick => (0.12, 5.05),
            SynthClip::Mug => (0.12, 5.45),
            SynthClip::Box => (0.12, 5.25),
        };
        let name = case.clip.name();
        for object in &case.demo.objects {
            let heights = object.world_from_object.iter().map(|pose| pose.translation.z);
            let lifted = heights.fold(0.0, f64::max) - object.world_from_object[0].translation.z;
            assert!((lifted - lift).abs() < 1e-9, "{name}: lifted {lifted}");
        }
        assert!((case.script.duration() - end).abs() < 1e-9, "{name}: {}", case.script.duration());
        assert_eq!(case.demo.frames(), (end * FPS).round() as usize + 1, "{name}");
    }
}

#[test]
fn the_left_hand_mirrors_the_right_in_the_box_frame() {
    let case = clean_one(SynthClip::Box);
    for frame in 0..case.demo.frames() {
        let object_from_world = case.demo.objects[0].world_from_object[frame].inverse();
        let [right, left] = [0, 1].map(|i| case.demo.hands[i].keypoints_in_world[frame]);
        for (r, l) in right.iter().zip(&left) {
            let (r, l) = (object_from_world * r, object_from_world * l);
            assert!((r.x + l.x).abs() + (r.y - l.y).abs() + (r.z - l.z).abs() < 1e-9);
        }
    }
}
