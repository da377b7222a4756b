use super::*;
use proptest::prelude::*;

fn at(x: f64, z: f64, yaw: f64) -> Pose {
    Pose::from_parts(
        Translation3::new(x, 0.0, z),
        UnitQuaternion::from_scaled_axis(Vector3::z() * yaw),
    )
}

#[test]
fn smoothing_an_impulse_gives_the_gaussian_kernel() {
    // sigma = 1, radius 4: weights exp(-k^2/2) / sum, sum_{-4..4} = 2.50662... (numpy), so the
    // centre is 0.398943 and its neighbour 0.241971.
    let mut points = vec![Point3::origin(); 21];
    points[10].x = 1.0;
    let smooth = smooth_points(&points, 1.0);
    assert!((smooth[10].x - 0.398_943).abs() < 5e-6, "{}", smooth[10].x);
    assert!((smooth[9].x - 0.241_971).abs() < 5e-6);
    assert!((smooth[11].x - smooth[9].x).abs() < 1e-15);
    assert_eq!(smooth[15].x, 0.0);
}

#[test]
fn smoothing_removes_noise_and_zero_sigma_copies() {
    let points: Vec<_> =
        (0..50).map(|i| Point3::new(if i % 2 == 0 { 1.0 } else { -1.0 }, 0.0, 0.0)).collect();
    assert_eq!(smooth_points(&points, 0.0), points);
    for p in &smooth_points(&points, 3.0)[12..38] {
        assert!(p.x.abs() < 1e-3, "{p}");
    }
}

#[test]
fn smoothed_rotations_stay_on_the_geodesic() {
    // A constant turn rate through more than a full turn is its own smoothing.
    let poses: Vec<_> = (0..40).map(|i| at(0.0, 0.0, 0.2 * i as f64)).collect();
    for (smooth, raw) in smooth_poses(&poses, 2.0).iter().zip(&poses) {
        assert!(pose::angle_between(smooth, raw) < 1e-9);
    }
}

#[test]
fn derivatives_of_a_parabola_are_exact() {
    // x = 3 t^2 sampled every 0.1 s: v = 6 t inside, a = 6 everywhere; the one-sided start is
    // (3 * 0.01 - 0) / 0.1 = 0.3.
    let points: Vec<_> =
        (0..10).map(|i| Point3::new(3.0 * (0.1 * i as f64).powi(2), 0.0, 0.0)).collect();
    let v = velocities(&points, 0.1);
    assert!((v[0].x - 0.3).abs() < 1e-12);
    assert!((v[4].x - 2.4).abs() < 1e-12);
    assert!(accelerations(&points, 0.1).iter().all(|a| (a.x - 6.0).abs() < 1e-9));
    assert_eq!(velocities(&points[..1], 0.1), vec![Vector3::zeros()]);
    assert_eq!(accelerations(&points[..2], 0.1), vec![Vector3::zeros(); 2]);
}

#[test]
fn angular_velocity_is_in_the_world_frame() {
    // An object lying on its side (x axis up) that spins about the world's z at 2 rad/s.
    let lying = UnitQuaternion::from_scaled_axis(Vector3::y() * -std::f64::consts::FRAC_PI_2);
    let poses: Vec<_> = (0..9)
        .map(|i| {
            let spin = UnitQuaternion::from_scaled_axis(Vector3::z() * (2.0 * 0.05 * i as f64));
            Pose::from_parts(Translation3::identity(), spin * lying)
        })
        .collect();
    for w in angular_velocities(&poses, 0.05) {
        assert!((w - Vector3::z() * 2.0).norm() < 1e-9, "{w}");
    }
}

/// Rest for 20 frames at height 0, rise 5 mm per frame for 20, fall for 20, rest for 20.
fn up_and_down() -> Vec<Pose> {
    (0..80)
        .map(|i: i32| {
            let z = match i {
                0..20 => 0,
                20..40 => i - 19,
                40..60 => 59 - i,
                _ => 0,
            };
            at(0.0, 0.005 * f64::from(z), 0.0)
        })
        .collect()
}

#[test]
fn lift_is_the_first_stirred_frame_and_put_the_last() {
    // Frame 20 is 5 mm up (stirred, > 3 mm), frame 22 is the first above 1 cm. Frame 58 is 5 mm up
    // and frame 59 back at rest.
    let found = moving_interval(&up_and_down(), 30.0).unwrap();
    assert_eq!(found, MovingInterval { lift: 20, last: 58, put: Some(58) });
}

#[test]
fn an_object_held_up_at_the_end_has_no_put_frame() {
    let mut track = up_and_down()[..40].to_vec();
    track.extend(vec![*track.last().unwrap(); 20]);
    let found = moving_interval(&track, 30.0).unwrap();
    assert_eq!((found.lift, found.put), (20, None));
    assert_eq!(found.last, 38, "frame 39 already has the final pose");
}

#[test]
fn an_object_that_stops_just_before_the_end_is_put_down() {
    // Frames 60..=63 alone are at rest: too few for the 6 frames of the full window, enough for 4.
    let found = moving_interval(&up_and_down()[..64], 30.0).unwrap();
    assert_eq!(found.put, Some(58));
}

#[test]
fn an_object_still_moving_at_the_end_has_no_put_frame() {
    let found = moving_interval(&up_and_down()[..35], 30.0).unwrap();
    assert_eq!(found, MovingInterval { lift: 20, last: 34, put: None });
}

#[test]
fn turning_in_place_counts_as_moving() {
    let track: Vec<_> =
        (0..60).map(|i| at(0.0, 0.0, 2.0 * DEG * (i as f64 - 20.0).clamp(0.0, 20.0))).collect();
    // 2 deg at frame 21 exceeds 1.5 deg; the end pose is reached at frame 40.
    let found = moving_interval(&track, 30.0).unwrap();
    assert_eq!(found, MovingInterval { lift: 21, last: 39, put: Some(39) });
}

#[test]
fn noise_of_recordings_moves_the_interval_by_little() {
    // 2 mm and 1 deg standard deviation per axis (uniform noise has amplitude sqrt(3) of that), 500
    // clips from a linear congruential generator.
    let mut state = 1u64;
    let mut uniform = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let mut exact = 0;
    for _ in 0..500 {
        let track: Vec<Pose> = up_and_down()
            .iter()
            .map(|pose| {
                let jitter = Vector3::from_fn(|_, _| uniform()) * (0.002 * 3f64.sqrt());
                let turn = Vector3::from_fn(|_, _| uniform()) * (DEG * 3f64.sqrt());
                Pose::new(pose.translation.vector + jitter, turn)
            })
            .collect();
        let found = moving_interval(&track, 30.0).unwrap();
        let put = found.put.expect("the object is put down");
        assert!(found.lift.abs_diff(20) <= 8 && put.abs_diff(58) <= 8, "{found:?}");
        exact += usize::from(found.lift.abs_diff(20) <= 2 && put.abs_diff(58) <= 2);
    }
    assert!(exact >= 475, "{exact} of 500 within two frames");
}

#[test]
fn a_glitch_of_one_frame_is_no_motion() {
    let mut track = up_and_down();
    track[3] = at(0.5, 0.4, 3.0);
    track[70] = at(0.5, 0.4, 3.0);
    let found = moving_interval(&track, 30.0).unwrap();
    assert_eq!((found.lift, found.put), (20, Some(58)));
}

#[test]
fn a_resting_object_never_moves() {
    let jitter: Vec<_> =
        (0..40).map(|i| at(if i % 3 == 0 { 0.004 } else { 0.0 }, 0.0, 0.0)).collect();
    assert_eq!(moving_interval(&jitter, 30.0), None);
    assert_eq!(moving_interval(&[], 30.0), None);
}

#[test]
fn the_mesh_decides_whether_a_tipped_object_stands() {
    // A 20 cm tall post with its origin at the base is laid down 20 cm further on: its origin ends
    // 1 mm up, its lowest vertex too. Tipped about the origin and held 5 cm up it does not stand.
    let mesh = crate::TriMesh {
        vertices: vec![Point3::origin(), Point3::new(0.0, 0.0, 0.2)],
        faces: vec![],
    };
    let tip = |share: f64, z: f64| {
        Pose::from_parts(
            Translation3::new(0.2 * share, 0.0, z * share),
            UnitQuaternion::from_scaled_axis(Vector3::y() * (90.0 * DEG * share)),
        )
    };
    let track = |z: f64| ObjectTrack {
        name: "post".into(),
        mesh: mesh.clone(),
        world_from_object: (0..80)
            .map(|i| tip(((f64::from(i) - 20.0) / 20.0).clamp(0.0, 1.0), z))
            .collect(),
        mass: None,
        articulation: None,
    };
    assert!(object_moving_interval(&track(0.001), 30.0).unwrap().put.is_some());
    assert!(object_moving_interval(&track(0.05), 30.0).unwrap().put.is_none());
}

proptest! {
    #[test]
    fn smoothing_keeps_straight_lines(
        slope in -2.0..2.0f64, offset in -1.0..1.0f64, sigma in 0.1..6.0f64, n in 1usize..40,
    ) {
        let line: Vec<_> =
            (0..n).map(|i| Point3::new(offset + slope * i as f64, 0.0, offset)).collect();
        for (a, b) in smooth_points(&line, sigma).iter().zip(&line) {
            prop_assert!((a - b).norm() < 1e-7);
        }
    }

    #[test]
    fn smoothing_commutes_with_rigid_motions(
        seed in proptest::collection::vec(-0.3..0.3f64, 60), yaw in -3.0..3.0f64,
    ) {
        let poses: Vec<Pose> = seed
            .chunks(6)
            .map(|c| Pose::new(Vector3::new(c[0], c[1], c[2]), Vector3::new(c[3], c[4], c[5])))
            .collect();
        let world = Pose::new(Vector3::new(1.0, -2.0, 0.5), Vector3::new(0.3, yaw, 0.1));
        let moved: Vec<Pose> = poses.iter().map(|p| world * p).collect();
        for (a, b) in smooth_poses(&moved, 1.5).iter().zip(smooth_poses(&poses, 1.5)) {
            let b = world * b;
            prop_assert!(pose::distance_between(a, &b) < 1e-9);
            prop_assert!(pose::angle_between(a, &b) < 1e-6);
        }
    }
}
