use super::align::{Align, align};
use super::capsule::{Capsule, segment_distance};
use super::check::{check, needed_time_scale};
use super::follow::{Load, Obstacle, Placed, follow, strikes, strikes_obstacles};
use super::stand::{Stand, Wanted, place};
use super::stream::{Stream, smooth, with_rests};
use super::{Arm, ik};
use dextra_core::device::Device;
use dextra_core::{Pose, Side, pose};
use dextra_data::load_device;
use dextra_sim::hand::Hand;
use nalgebra::{Point3, UnitQuaternion, Vector3};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

fn fr3() -> (Device, Arm) {
    let device = load_device("fr3").unwrap();
    let arm = Arm::new(&device).unwrap();
    (device, arm)
}

fn random_q(arm: &Arm, rng: &mut Pcg64) -> Vec<f64> {
    arm.range.iter().map(|(low, high)| low + (high - low) * rng.random_range(0.05..0.95)).collect()
}

/// A half circle of 10 cm, half a metre in front of the base, the flange pointing down.
fn half_circle(frames: usize) -> Vec<Pose> {
    let down = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
    let at = |i: usize| {
        let angle = std::f64::consts::PI * i as f64 / (frames - 1) as f64;
        Vector3::new(0.5 + 0.1 * angle.cos(), 0.1 * angle.sin(), 0.3)
    };
    (0..frames).map(|i| Pose::from_parts(at(i).into(), down)).collect()
}

#[test]
fn the_flange_is_where_the_published_lengths_put_it() {
    let (_, arm) = fr3();
    let mut workspace = arm.workspace();
    // Straight up: 333 + 316 + 384 mm, 88 mm to the front, 107 mm down again.
    let flange = arm.flange(&mut workspace, &Pose::identity(), &[0.0; 7]).world_from_flange;
    let expected = Vector3::new(0.088, 0.0, 0.333 + 0.316 + 0.384 - 0.107);
    assert!((flange.translation.vector - expected).norm() < 1e-12);
    assert!((flange.rotation * Vector3::z() + Vector3::z()).norm() < 1e-12);
    // The upper arm bent forward by a right angle, everything else straight.
    let q = [0.0, std::f64::consts::FRAC_PI_2, 0.0, 0.0, 0.0, 0.0, 0.0];
    let flange = arm.flange(&mut workspace, &Pose::identity(), &q).world_from_flange;
    let expected = Vector3::new(0.316 + 0.384 - 0.107, 0.0, 0.333 - 0.088);
    assert!((flange.translation.vector - expected).norm() < 1e-12, "{flange}");
}

#[test]
fn the_jacobian_is_the_difference_of_poses() {
    let (_, arm) = fr3();
    let mut workspace = arm.workspace();
    let mut rng = Pcg64::seed_from_u64(1);
    let base = Pose::translation(0.3, -0.2, 0.1);
    const H: f64 = 1e-6;
    for _ in 0..20 {
        let q = random_q(&arm, &mut rng);
        let here = arm.flange(&mut workspace, &base, &q);
        for joint in 0..7 {
            let mut moved = q.clone();
            moved[joint] += H;
            let there = arm.flange(&mut workspace, &base, &moved).world_from_flange;
            let shift = there.translation.vector - here.world_from_flange.translation.vector;
            let turn = there.rotation * here.world_from_flange.rotation.inverse();
            let column = here.jacobian.column(joint);
            assert!((shift / H - column.fixed_rows::<3>(0)).norm() < 1e-5);
            assert!((turn.scaled_axis() / H - column.fixed_rows::<3>(3)).norm() < 1e-5);
        }
    }
}

#[test]
fn inverse_kinematics_finds_back_where_it_came_from() {
    let (_, arm) = fr3();
    let mut workspace = arm.workspace();
    let mut rng = Pcg64::seed_from_u64(2);
    let base = Pose::translation(0.3, -0.2, 0.1);
    for round in 0..100 {
        let q = random_q(&arm, &mut rng);
        let target = arm.flange(&mut workspace, &base, &q).world_from_flange;
        let start: Vec<f64> = q.iter().map(|a| a + rng.random_range(-0.15..0.15)).collect();
        let found = ik::solve(&arm, &mut workspace, &base, &target, &start, 0.0);
        assert!(found.is_reached(), "round {round}: {} m", found.position_error);
        let again = arm.flange(&mut workspace, &base, &found.q).world_from_flange;
        assert!(pose::distance_between(&again, &target) < 1e-3);
        for (angle, (low, high)) in found.q.iter().zip(&arm.range) {
            assert!(angle >= low && angle <= high);
        }
    }
}

#[test]
fn an_arm_follows_a_path_without_jumps_and_without_striking() {
    let (_, arm) = fr3();
    let path = half_circle(60);
    let followed = follow(&arm, &Pose::identity(), &path, 0.02, None, 0.0);
    assert_eq!(followed.unreached(), [0usize; 0]);
    assert!(followed.largest_step() < 0.08, "{}", followed.largest_step());
    let at = |name, world_from_base| Placed {
        name,
        arm: &arm,
        world_from_base,
        followed: &followed,
        load: None,
    };
    let arms = [at("right", Pose::identity())];
    assert_eq!(strikes(&arms, 0.0), []);
    // The same motion over a table at the height of the wrist is in the way.
    let high = strikes(&arms, 0.35);
    assert!(high.iter().any(|s| s.what.contains("table") && s.depth > 0.0), "{high:?}");
    // And a second arm at the same place is struck at every frame.
    let other = Pose::translation(0.05, 0.0, 0.0);
    let struck = strikes(&[arms[0], at("left", other)], 0.0);
    assert!(
        struck.iter().any(|s| s.frame == 59 && s.what == "right arm link 3 and left arm link 3")
    );
}

#[test]
fn an_arm_strikes_what_lies_in_its_way_while_it_lies_there() {
    let (_, arm) = fr3();
    let followed = follow(&arm, &Pose::identity(), &half_circle(30), 0.02, None, 0.0);
    let placed = [Placed {
        name: "right",
        arm: &arm,
        world_from_base: Pose::identity(),
        followed: &followed,
        load: None,
    }];
    // A stick of points across the third link, 12 cm to either side, which comes in frame 20 and lies a metre off before.
    let mut workspace = arm.workspace();
    arm.flange(&mut workspace, &Pose::identity(), &followed.frames[20].q);
    let shapes = arm.shapes(&workspace, None);
    let (_, link) = shapes.iter().find(|(link, _)| *link == 3).unwrap();
    let middle = nalgebra::center(&link.ends[0], &link.ends[1]);
    let along = (link.ends[1] - link.ends[0]).normalize();
    let across = along.cross(&Vector3::y()).normalize();
    let points = (-12..=12).map(|cm| Point3::from(across * (f64::from(cm) * 0.01))).collect();
    let at = |frame| middle.coords + if frame < 20 { Vector3::x() } else { Vector3::zeros() };
    let obstacle = Obstacle {
        name: "the stick".to_owned(),
        points,
        world_from_obstacle: (0..30)
            .map(|f| Pose::from_parts(at(f).into(), UnitQuaternion::identity()))
            .collect(),
    };
    let struck = strikes_obstacles(&placed, &[obstacle]);
    let deepest =
        struck.iter().find(|s| s.frame == 20 && s.what == "right arm link 3 and the stick");
    // A point in the axis of a capsule is as deep as its radius.
    assert!((deepest.unwrap().depth - link.radius).abs() < 1e-9, "{struck:?}");
    assert!(struck.iter().all(|s| s.frame >= 20));
}

#[test]
fn frames_out_of_reach_are_told() {
    let (_, arm) = fr3();
    let mut path = half_circle(30);
    for pose in &mut path[20..] {
        pose.translation.vector.x += 1.0;
    }
    let followed = follow(&arm, &Pose::identity(), &path, 0.02, None, 0.0);
    assert_eq!(followed.unreached(), (20..30).collect::<Vec<_>>());
    assert!(followed.frames[25].position_error > 0.3);
}

#[test]
fn a_stand_is_found_from_which_the_path_can_be_followed() {
    let (_, arm) = fr3();
    let shift = Vector3::new(3.0, -2.0, 0.7);
    let moved =
        |pose: &Pose| Pose::from_parts((pose.translation.vector + shift).into(), pose.rotation);
    let path: Vec<Pose> = half_circle(40).iter().map(moved).collect();
    let capsule = Capsule { ends: [Point3::origin(), Point3::new(0.0, 0.0, 0.15)], radius: 0.04 };
    let load = Some(Load { capsule });
    let wanted = || Wanted { arm: &arm, path: &path, load, obstacles: &[], base: None, turn: None };
    let stands = place(&[wanted()], 0.05, 0.7);
    let stand = stands[0];
    assert!((stand.world_from_base.translation.z - 0.7).abs() < 1e-12);
    let followed = follow(
        &arm,
        &stand.world_from_base,
        &stand.path(&path),
        0.05,
        stand.load(load.as_ref()).as_ref(),
        0.7,
    );
    assert_eq!(followed.unreached(), [0usize; 0]);
    let given = Pose::translation(2.6, -2.0, 0.7);
    let fixed = place(&[Wanted { base: Some(given), turn: Some(0.5), ..wanted() }], 0.05, 0.7);
    assert_eq!((fixed[0].world_from_base, fixed[0].turn), (given, 0.5));

    // Something where the arm would be: it stands elsewhere.
    let mut workspace = arm.workspace();
    arm.flange(&mut workspace, &stand.world_from_base, &followed.frames[20].q);
    let links = arm.shapes(&workspace, None);
    let (_, forearm) = links.iter().find(|(link, _)| *link == 4).unwrap();
    let points = (0..60).map(|i| {
        let along = f64::from(i) / 59.0;
        forearm.ends[0] + (forearm.ends[1] - forearm.ends[0]) * along
    });
    let obstacles = [Obstacle {
        name: "a pole".to_owned(),
        points: points.collect(),
        world_from_obstacle: vec![Pose::identity(); path.len()],
    }];
    let struck = |stand: &Stand| {
        let path = stand.path(&path);
        let load = stand.load(load.as_ref());
        let base = stand.world_from_base;
        let followed = follow(&arm, &base, &path, 0.05, load.as_ref(), 0.7);
        let placed =
            Placed { name: "", arm: &arm, world_from_base: base, followed: &followed, load: None };
        strikes_obstacles(&[placed], &obstacles).len()
    };
    assert!(struck(&stand) > 0);
    let aside = place(&[Wanted { obstacles: &obstacles, ..wanted() }], 0.05, 0.7);
    assert_eq!(struck(&aside[0]), 0);
}

/// Wrists that have to pass below the table wherever the arms stand: that is no licence to pass through each other.
#[test]
fn stands_keep_two_arms_apart_even_where_both_strike_the_table() {
    const TABLE: f64 = 0.35;
    let (_, arm) = fr3();
    let beside = |y: f64| -> Vec<Pose> {
        let moved = |pose: Pose| Pose::translation(0.0, y, 0.0) * pose;
        half_circle(24).into_iter().map(moved).collect()
    };
    let paths = [beside(-0.08), beside(0.08)];
    let wanted =
        |path| Wanted { arm: &arm, path, load: None, obstacles: &[], base: None, turn: None };
    let stands = place(&paths.each_ref().map(|path| wanted(path)), 0.05, TABLE);
    let follows = |i: usize| {
        let stand = &stands[i];
        follow(&arm, &stand.world_from_base, &stand.path(&paths[i]), 0.05, None, TABLE)
    };
    let followed = [follows(0), follows(1)];
    let placed = [0, 1].map(|i| Placed {
        name: ["one", "two"][i],
        arm: &arm,
        world_from_base: stands[i].world_from_base,
        followed: &followed[i],
        load: None,
    });
    let struck = strikes(&placed, TABLE);
    let mut below: Vec<usize> =
        struck.iter().filter(|s| s.what.ends_with("table")).map(|s| s.frame).collect();
    below.dedup();
    assert_eq!(below.len(), 24);
    let mut each_other: Vec<usize> =
        struck.iter().filter(|s| !s.what.ends_with("table")).map(|s| s.frame).collect();
    each_other.dedup();
    // Only every fourth frame is looked at for two arms. Where the table hid the rest, it was all 24.
    assert!(each_other.len() < 18, "{each_other:?}");
}

#[test]
fn the_distance_of_segments_is_that_of_their_nearest_points() {
    let mut rng = Pcg64::seed_from_u64(3);
    let mut point = || Point3::from(Vector3::from_fn(|_, _| rng.random_range(-1.0..1.0)));
    for round in 0..200 {
        let (a, mut b) = ([point(), point()], [point(), point()]);
        match round % 10 {
            0 => b[1] = b[0],
            1 => b = [b[0], b[0] + (a[1] - a[0])],
            _ => {}
        }
        const N: usize = 200;
        let on = |s: [Point3<f64>; 2], i: usize| s[0] + (s[1] - s[0]) * (i as f64 / N as f64);
        let all = (0..=N).flat_map(|i| (0..=N).map(move |j| (i, j)));
        let sampled = all.map(|(i, j)| (on(a, i) - on(b, j)).norm()).fold(f64::INFINITY, f64::min);
        let exact = segment_distance(a, b);
        assert!(exact <= sampled + 1e-12 && sampled - exact < 0.02, "{round}: {exact} {sampled}");
    }
}

#[test]
fn the_spline_keeps_a_cubic_that_rests_at_both_ends() {
    let cubic = |u: f64| 3.0 * u * u - 2.0 * u * u * u;
    let rows: Vec<Vec<f64>> = (0..=10).map(|i| vec![cubic(f64::from(i) / 10.0)]).collect();
    let stream = Stream::new(rows, 0.1);
    let rows = stream.resampled(100.0, 2.0);
    assert_eq!(rows.len(), 201);
    for (i, row) in rows.iter().enumerate() {
        assert!((row[0] - cubic(i as f64 / 200.0)).abs() < 1e-12);
    }
}

#[test]
fn a_motion_with_rests_begins_and_ends_at_rest() {
    let rows: Vec<Vec<f64>> = (0..=100).map(|i| vec![f64::from(i) * 0.01]).collect();
    let smoothed = smooth(&with_rests(&rows, 20), 4.0);
    assert_eq!(smoothed.len(), 141);
    assert!((smoothed[1][0] - smoothed[0][0]).abs() < 1e-7);
    assert!((smoothed[140][0] - smoothed[139][0]).abs() < 1e-7);
    assert!((smoothed[70][0] - 0.5).abs() < 1e-9);
}

#[test]
fn a_sine_has_the_speed_acceleration_and_jerk_of_a_sine() {
    let mut device = load_device("fr3").unwrap();
    device.channels.truncate(1);
    let (amplitude, omega, rate) = (0.5, 4.0, 1000.0);
    let rows: Vec<Vec<f64>> =
        (0..4000).map(|i| vec![amplitude * (omega * f64::from(i) / rate).sin()]).collect();
    let checks = check(&device, &rows, rate);
    let found = &checks[0];
    let near = |a: f64, b: f64| (a - b).abs() < 1e-3 * b;
    assert!(near(found.velocity, 2.0) && near(found.acceleration, 8.0) && near(found.jerk, 32.0));
    assert!(near(found.margin.unwrap(), 2.7437 - 0.5));
    assert_eq!(found.broken(), [""; 0]);
    // Speed 2 of 2.62 and acceleration 8 of 10: the latter needs sqrt(0.8), more than 0.763.
    assert!(near(needed_time_scale(&checks), 0.8_f64.sqrt()));
    let fast: Vec<Vec<f64>> = rows.iter().step_by(2).map(|row| vec![6.0 * row[0]]).collect();
    let checks = check(&device, &fast, rate);
    assert_eq!(checks[0].broken(), ["position", "velocity", "acceleration"]);
    // Acceleration 192 of 10 and speed 24 of 2.62: the speed needs more.
    assert!(near(needed_time_scale(&checks), 24.0 / 2.62));
}

/// Fingertips of a hand in its root frame.
fn tips(hand: &Hand, q: &[f64]) -> Vec<Point3<f64>> {
    let poses = hand.tree.forward(q);
    hand.tips.iter().map(|t| poses[hand.tree.body(&t.body).unwrap()] * t.point_in_body).collect()
}

/// A closing motion of the six actuated coordinates of the Inspire hand.
fn closing(hand: &Hand, frames: usize) -> Vec<Vec<f64>> {
    let share = |t: usize, c: usize| {
        0.15 + 0.6 * (0.5 - 0.5 * (3.0 * t as f64 / frames as f64 + 0.3 * c as f64).cos())
    };
    let range = &hand.coordinates.range;
    (0..frames)
        .map(|t| range.iter().enumerate().map(|(c, (l, h))| l + (h - l) * share(t, c)).collect())
        .collect()
}

#[test]
fn six_actuators_reproduce_what_six_actuators_can_do() {
    let hand = Hand::builtin("inspire", Side::Right).unwrap();
    let wanted = closing(&hand, 50);
    let mut q = vec![0.0; hand.tree.joints.len()];
    let targets: Vec<_> = wanted
        .iter()
        .map(|x| {
            hand.coordinates.expand(x, &mut q);
            tips(&hand, &q)
        })
        .collect();
    let question = Align {
        tree: &hand.tree,
        coordinates: &hand.coordinates,
        tips: &hand.tips,
        targets: &targets,
        dt: 0.02,
        smoothness: 0.0,
        shift: false,
    };
    let found = align(&question);
    let worst = found.errors.iter().flatten().copied().fold(0.0, f64::max);
    assert!(worst < 1e-5, "{worst}");
    for (x, wanted) in found.x.iter().zip(&wanted) {
        assert!(x.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3), "{x:?} {wanted:?}");
    }
    // With a displaced target and leave to move, the displacement is found.
    let away = Pose::from_parts(
        Vector3::new(0.03, -0.02, 0.01).into(),
        UnitQuaternion::from_scaled_axis(Vector3::new(0.2, 0.1, -0.3)),
    );
    let targets: Vec<Vec<_>> =
        targets.iter().map(|tips| tips.iter().map(|tip| away * tip).collect()).collect();
    let found = align(&Align { targets: &targets, shift: true, ..question.clone() });
    let off = found.target_from_root * away.inverse();
    let worst = found.errors.iter().flatten().copied().fold(0.0, f64::max);
    assert!(off.translation.vector.norm() < 2e-3 && off.rotation.angle() < 0.02, "{off} {worst}");
    let held = align(&Align { targets: &targets, ..question });
    let mean = |errors: &[Vec<f64>]| {
        errors.iter().flatten().sum::<f64>() / errors.iter().flatten().count() as f64
    };
    assert!(mean(&found.errors) < 1e-3 && mean(&held.errors) > 1e-2);
}

#[test]
fn one_finger_is_aligned_as_well_as_a_search_over_its_range_does() {
    let hand = Hand::builtin("inspire", Side::Right).unwrap();
    // A straight index finger bent at its base only, which the coupled finger cannot do.
    let mut free = vec![0.0; hand.tree.joints.len()];
    free[hand.tree.joint("index_proximal").unwrap()] = 0.9;
    let target = tips(&hand, &free)[1];
    let index = [hand.tips[1].clone()];
    let targets = vec![vec![target]; 5];
    let found = align(&Align {
        tree: &hand.tree,
        coordinates: &hand.coordinates,
        tips: &index,
        targets: &targets,
        dt: 0.02,
        smoothness: 0.0,
        shift: false,
    });
    let coordinate = hand.coordinates.follow[hand.tree.joint("index_proximal").unwrap()].coordinate;
    let (low, high) = hand.coordinates.range[coordinate];
    let mut q = free.clone();
    let distance = |angle: f64| {
        let mut x = vec![0.0; hand.coordinates.len()];
        x[coordinate] = angle;
        hand.coordinates.expand(&x, &mut q);
        (tips(&hand, &q)[1] - target).norm()
    };
    let least = (0..=10_000)
        .map(|i| low + (high - low) * f64::from(i) / 10_000.0)
        .map(distance)
        .fold(f64::INFINITY, f64::min);
    assert!(least > 1e-3, "the coupled finger can do it: nothing is shown");
    assert!((found.errors[0][0] - least).abs() < 1e-6, "{} {least}", found.errors[0][0]);
}

#[test]
fn smoothness_costs_distance_and_buys_slowness() {
    let hand = Hand::builtin("inspire", Side::Right).unwrap();
    let mut rng = Pcg64::seed_from_u64(4);
    let mut q = vec![0.0; hand.tree.joints.len()];
    let targets: Vec<Vec<Point3<f64>>> = closing(&hand, 40)
        .iter()
        .map(|x| {
            hand.coordinates.expand(x, &mut q);
            let noise = || Vector3::from_fn(|_, _| rng.random_range(-0.004..0.004));
            tips(&hand, &q)
                .into_iter()
                .zip(std::iter::repeat_with(noise))
                .map(|(p, n)| p + n)
                .collect()
        })
        .collect();
    let run = |smoothness: f64| {
        let found = align(&Align {
            tree: &hand.tree,
            coordinates: &hand.coordinates,
            tips: &hand.tips,
            targets: &targets,
            dt: 0.02,
            smoothness,
            shift: false,
        });
        let steps = found.x.windows(2).flat_map(|p| p[0].iter().zip(&p[1]));
        let rough: f64 = steps.map(|(a, b)| (a - b).powi(2)).sum();
        (found.errors.iter().flatten().map(|e| e * e).sum::<f64>(), rough)
    };
    let (sharp, smooth) = (run(0.0), run(2e-3));
    assert!(smooth.1 < 0.8 * sharp.1 && smooth.0 > sharp.0, "{sharp:?} {smooth:?}");
}
