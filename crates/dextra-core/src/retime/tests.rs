use super::*;
use crate::{HandTrack, ObjectTrack, Provenance, Side, TriMesh};
use nalgebra::UnitQuaternion;
use proptest::prelude::*;
use std::f64::consts::PI;

/// One hand and one object; the hand's keypoint `k` sits `k` centimetres above the object.
fn demo(fps: f64, track: Vec<Pose>) -> Demonstration {
    let keypoints = track
        .iter()
        .map(|p| {
            std::array::from_fn(|k| {
                Point3::from(p.translation.vector + Vector3::z() * (0.01 * k as f64))
            })
        })
        .collect();
    Demonstration {
        name: "clip".into(),
        fps,
        gravity: Vector3::new(0.0, 0.0, -9.81),
        hands: vec![HandTrack { side: Side::Right, keypoints_in_world: keypoints }],
        objects: vec![ObjectTrack {
            name: "object".into(),
            mesh: TriMesh::default(),
            world_from_object: track,
            mass: None,
            articulation: None,
        }],
        provenance: Provenance::default(),
    }
}

/// `x = amplitude * sin(2 pi hz t)` and the same law of yaw, `seconds` long.
fn swing(fps: f64, seconds: f64, hz: f64, amplitude: f64, yaw: f64) -> Demonstration {
    let track = (0..=(fps * seconds).round() as usize)
        .map(|i| {
            let s = (2.0 * PI * hz * i as f64 / fps).sin();
            Pose::new(Vector3::x() * (amplitude * s), Vector3::z() * (yaw * s))
        })
        .collect();
    demo(fps, track)
}

#[test]
fn peaks_of_a_sine_are_its_derivatives() {
    // A = 0.2 m at 0.5 Hz: v = A w = 0.6283 m/s, a = A w^2 = 1.974 m/s2; yaw 1 rad: 3.1416 rad/s.
    // The smoothing (sigma 0.04 s) attenuates by exp(-(w sigma)^2 / 2) = 0.9921.
    let peaks = plausibility(&swing(60.0, 6.0, 0.5, 0.2, 1.0));
    assert!((peaks.speed.value / (0.628_3 * 0.992_1) - 1.0).abs() < 2e-3, "{peaks:?}");
    assert!((peaks.acceleration.value / (1.974 * 0.992_1) - 1.0).abs() < 5e-3, "{peaks:?}");
    assert!((peaks.angular_speed.value / (PI * 0.992_1) - 1.0).abs() < 5e-3, "{peaks:?}");
}

#[test]
fn a_slow_clip_is_left_alone() {
    assert_eq!(time_scale(&swing(30.0, 4.0, 0.2, 0.1, 0.5), &Limits::default()), 1.0);
}

#[test]
fn each_limit_can_set_the_factor() {
    let peaks = |speed, acceleration, angular_speed| Peaks {
        speed: Peak { value: speed, frame: 0 },
        acceleration: Peak { value: acceleration, frame: 0 },
        angular_speed: Peak { value: angular_speed, frame: 0 },
    };
    let limits = Limits::default();
    assert_eq!(peaks(2.5, 6.0, 5.0).time_scale(&limits), 2.5);
    assert_eq!(peaks(1.0, 54.0, 5.0).time_scale(&limits), 3.0); // sqrt(54 / 6)
    assert_eq!(peaks(1.0, 6.0, 18.0).time_scale(&limits), 3.6);
}

#[test]
fn the_fastest_object_counts() {
    let mut clip = swing(30.0, 4.0, 0.2, 0.1, 0.5);
    let mut fast = swing(30.0, 4.0, 1.0, 0.4, 0.5).objects.remove(0);
    fast.name = "fast".into();
    clip.objects.push(fast);
    assert!(time_scale(&clip, &Limits::default()) > 1.5);
}

#[test]
fn slowing_by_the_scale_brings_a_clip_within_the_limits() {
    let limits = Limits::default();
    let clip = swing(60.0, 4.0, 1.2, 0.4, 1.0);
    let factor = time_scale(&clip, &limits);
    assert!(factor > 2.0, "{factor}");
    let slow = resample(&clip, factor, 60.0, 0.02).unwrap();
    let peaks = plausibility(&slow);
    // Slower motion is attenuated less by the smoothing, so a few per cent may remain.
    assert!(peaks.time_scale(&limits) < 1.05, "{peaks:?}");
    assert!(slow.provenance.notes[0].contains("time scaled"));
}

#[test]
fn resampling_at_the_same_rate_changes_nothing() {
    let clip = swing(30.0, 2.0, 0.7, 0.2, 1.0);
    assert_eq!(resample(&clip, 1.0, 30.0, 0.0).unwrap(), clip);
}

#[test]
fn frames_land_where_time_says() {
    // 11 frames at 10 Hz are 1 s; slowed 2 times and sampled at 15 Hz: 2 s, 31 frames, and output
    // frame 15 (1 s) is input frame 5.
    let clip = swing(10.0, 1.0, 0.3, 0.2, 1.0);
    let slow = resample(&clip, 2.0, 15.0, 0.0).unwrap();
    assert_eq!((slow.frames(), slow.objects[0].world_from_object.len()), (31, 31));
    assert_eq!(slow.objects[0].world_from_object[15], clip.objects[0].world_from_object[5]);
    assert_eq!(slow.hands[0].keypoints_in_world[30], clip.hands[0].keypoints_in_world[10]);
}

#[test]
fn the_last_pose_is_reached_when_the_duration_is_no_whole_number_of_frames() {
    // 1 s slowed 1.05 times is 7.35 frames at 7 Hz: 8 whole ones, 8 / 7 = 1.143 s.
    let clip = swing(10.0, 1.0, 0.3, 0.2, 1.0);
    let slow = resample(&clip, 1.05, 7.0, 0.0).unwrap();
    assert_eq!(slow.frames(), 9);
    assert_eq!(slow.objects[0].world_from_object[8], clip.objects[0].world_from_object[10]);
    assert!(slow.provenance.notes[0].contains("1.143"), "{:?}", slow.provenance.notes);
}

#[test]
fn a_clip_of_one_frame_stays_one_frame() {
    let clip = demo(30.0, vec![Pose::identity()]);
    let slow = resample(&clip, 2.0, 100.0, 0.02).unwrap();
    assert_eq!(slow.objects, clip.objects);
}

#[test]
fn cubic_interpolation_follows_a_curve_better_than_lines() {
    // sin at 6 samples per period: half-way between samples a line errs by 1 - cos(pi/6) = 13 %
    // of the value there, Catmull-Rom by less than 3 %.
    let clip = swing(6.0, 3.0, 1.0, 1.0, 0.0);
    let fine = resample(&clip, 1.0, 12.0, 0.0).unwrap();
    for i in (3..33).step_by(2) {
        let want = (2.0 * PI * i as f64 / 12.0).sin();
        let got = fine.objects[0].world_from_object[i].translation.x;
        assert!((got - want).abs() < 0.03, "{i}: {got} {want}");
    }
}

#[test]
fn rotations_take_the_short_way() {
    let q = |w: f64| UnitQuaternion::from_scaled_axis(Vector3::z() * w);
    let mut b = Pose::from_parts(Translation3::identity(), q(0.4));
    // The same rotation with the opposite quaternion sign.
    b.rotation = UnitQuaternion::new_unchecked(-b.rotation.into_inner());
    let clip = demo(10.0, vec![Pose::from_parts(Translation3::identity(), q(0.0)), b]);
    let fine = resample(&clip, 1.0, 20.0, 0.0).unwrap();
    let middle = fine.objects[0].world_from_object[1].rotation;
    assert!(middle.angle_to(&q(0.2)) < 1e-9, "{middle}");
}

#[test]
fn bad_arguments_are_named() {
    let clip = swing(10.0, 1.0, 0.3, 0.2, 1.0);
    let message = |r: Result<Demonstration, RetimeError>| r.unwrap_err().to_string();
    assert!(message(resample(&clip, 0.0, 10.0, 0.0)).contains("time factor 0"));
    assert!(message(resample(&clip, f64::NAN, 10.0, 0.0)).contains("NaN"));
    assert!(message(resample(&clip, 1.0, -1.0, 0.0)).contains("output frame rate"));
    assert!(message(resample(&clip, 1e12, 10.0, 0.0)).contains("at most"));
    let mut short = clip.clone();
    short.objects[0].world_from_object.pop();
    assert!(message(resample(&short, 1.0, 10.0, 0.0)).contains("`object` has 10 frames"));
    let empty = demo(10.0, vec![]);
    assert!(message(resample(&empty, 1.0, 10.0, 0.0)).contains("0 frames"));
}

proptest! {
    #[test]
    fn slowing_divides_speeds_by_the_factor(factor in 1.0..4.0f64, amplitude in 0.05..0.4f64) {
        // Dense sampling and a slow swing make the smoothing negligible.
        let clip = swing(120.0, 4.0, 0.4, amplitude, 1.0);
        let slow = resample(&clip, factor, 120.0, 0.0).unwrap();
        let (a, b) = (plausibility(&clip), plausibility(&slow));
        prop_assert!((a.speed.value / b.speed.value / factor - 1.0).abs() < 0.02);
        prop_assert!((a.angular_speed.value / b.angular_speed.value / factor - 1.0).abs() < 0.02);
        let ratio = a.acceleration.value / b.acceleration.value;
        prop_assert!((ratio / (factor * factor) - 1.0).abs() < 0.05, "{ratio}");
    }
}

#[test]
fn a_part_stays_on_its_joint() {
    let mut clip = swing(30.0, 2.0, 0.7, 0.2, 1.0);
    let joint = crate::Joint {
        parent: 0,
        kind: crate::JointKind::Hinge,
        axis: Vector3::y(),
        anchor: Point3::new(0.1, 0.0, 0.02),
        parent_from_part: Pose::translation(0.0, 0.0, 0.05),
        range: (0.0, 2.0),
    };
    let mut part = clip.objects[0].clone();
    part.name = "part".into();
    let frames = clip.frames();
    let coordinate: Vec<f64> = (0..frames).map(|f| 0.01 * f as f64).collect();
    part.articulation = Some(crate::Articulation { joint, coordinate });
    clip.objects.push(part);
    clip.place_parts();
    let slow = resample(&clip, 2.0, 60.0, 0.05).unwrap();
    let part = slow.objects[1].articulation.as_ref().unwrap();
    // 0.01 rad per frame at 30 Hz, slowed twice, at 60 Hz: 0.0025 rad per frame, up to the ends.
    for (f, q) in part.coordinate.iter().enumerate() {
        assert!((q - 0.0025 * f as f64).abs() < 1e-9, "{f}: {q}");
        let wanted = slow.objects[0].world_from_object[f] * joint.parent_from_part_at(*q);
        assert!(pose::distance_between(&wanted, &slow.objects[1].world_from_object[f]) < 1e-12);
    }
    // Whoever opens it does not carry it: seen so, it only turns about the hinge.
    let handled = clip.handled(1);
    let hinge = clip.objects[0].world_from_object[0] * joint.anchor;
    let arm = |f: usize| (handled.world_from_object[f].translation.vector - hinge.coords).norm();
    assert!((arm(0) - arm(frames - 1)).abs() < 1e-12);
    assert_eq!(clip.handled(0).world_from_object, clip.objects[0].world_from_object);
    // In a mirror too.
    let mut mirrored = clip.mirrored();
    let before = mirrored.objects[1].world_from_object.clone();
    mirrored.place_parts();
    for (a, b) in before.iter().zip(&mirrored.objects[1].world_from_object) {
        assert!(pose::distance_between(a, b) < 1e-12 && pose::angle_between(a, b) < 1e-7);
    }
    clip.objects[1].articulation.as_mut().unwrap().coordinate.pop();
    assert!(matches!(resample(&clip, 1.0, 30.0, 0.0), Err(RetimeError::Frames { .. })));
}
