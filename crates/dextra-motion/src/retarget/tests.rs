use super::*;
use dextra_core::Side;
use dextra_core::hand::{BodyPoint, HandMap, KeypointLink};
use dextra_core::kinematics::{Body, Coupling, Joint, KinematicTree};
use nalgebra::{Unit, Vector3};
use proptest::prelude::*;

/// The right Allegro hand's kinematics: palm, three fingers of four joints, thumb of four.
pub(super) fn allegro(couplings: &[Coupling]) -> RetargetHand {
    let mut tree = KinematicTree { couplings: couplings.to_vec(), ..Default::default() };
    let mut body = |name: &str,
                    parent: Option<usize>,
                    pos: [f64; 3],
                    quat: [f64; 4],
                    joint: Option<([f64; 3], [f64; 2])>| {
        let index = tree.bodies.len();
        let joints = joint.map(|(axis, range)| {
            tree.joints.push(Joint {
                name: format!("{name}_joint"),
                body: index,
                axis_in_body: Unit::new_normalize(Vector3::from(axis)),
                anchor_in_body: Point3::origin(),
                range: (range[0], range[1]),
            });
            tree.joints.len() - 1
        });
        tree.bodies.push(Body {
            name: name.to_owned(),
            parent,
            parent_from_body: dextra_core::pose::from_pos_quat(pos, quat),
            joints: joints.into_iter().collect(),
        });
        index
    };
    const ONE: [f64; 4] = [1.0, 0.0, 0.0, 0.0];
    const Y: [f64; 3] = [0.0, 1.0, 0.0];
    const Z: [f64; 3] = [0.0, 0.0, 1.0];
    let palm = body("palm", None, [0.0; 3], ONE, None);
    let mut links = vec![(0, "palm".to_owned(), [0.0, 0.0, -0.095])];
    let bases = [
        ("ff", [0.0, 0.0435, -0.001542], [0.999048, -0.0436194, 0.0, 0.0]),
        ("mf", [0.0, 0.0, 0.0007], ONE),
        ("rf", [0.0, -0.0435, -0.001542], [0.999048, 0.0436194, 0.0, 0.0]),
    ];
    for (finger, (name, pos, quat)) in bases.into_iter().enumerate() {
        let at = body(&format!("{name}_base"), Some(palm), pos, quat, Some((Z, [-0.47, 0.47])));
        let chain = [
            ("proximal", 0.0164, [-0.196, 1.61]),
            ("medial", 0.054, [-0.174, 1.709]),
            ("distal", 0.0384, [-0.227, 1.618]),
        ];
        let mut parent = at;
        for (part, (label, z, range)) in chain.into_iter().enumerate() {
            let label = format!("{name}_{label}");
            parent = body(&label, Some(parent), [0.0, 0.0, z], ONE, Some((Y, range)));
            links.push((5 + 4 * finger + part, label.clone(), [0.0; 3]));
            if part == 2 {
                links.push((8 + 4 * finger, label, [0.0, 0.0, 0.0267]));
            }
        }
    }
    let quat = [0.477714, -0.521334, -0.521334, -0.477714];
    let axis = [-1.0, 0.0, 0.0];
    let base = body(
        "th_base",
        Some(palm),
        [-0.0182, 0.019333, -0.045987],
        quat,
        Some((axis, [0.263, 1.396])),
    );
    let at =
        body("th_proximal", Some(base), [-0.027, 0.005, 0.0399], ONE, Some((Z, [-0.105, 1.163])));
    let at = body("th_medial", Some(at), [0.0, 0.0, 0.0177], ONE, Some((Y, [-0.189, 1.644])));
    body("th_distal", Some(at), [0.0, 0.0, 0.0514], ONE, Some((Y, [-0.162, 1.719])));
    for (k, name, z) in [
        (1, "th_proximal", 0.0),
        (2, "th_medial", 0.0),
        (3, "th_distal", 0.0),
        (4, "th_distal", 0.0423),
    ] {
        links.push((k, name.to_owned(), [0.0, 0.0, z]));
    }
    let map = HandMap {
        name: "allegro".to_owned(),
        side: Side::Right,
        palm_body: "palm".to_owned(),
        // Midway between the wrist point and the middle knuckle, as for a human palm.
        palm_center: Point3::new(0.0, 0.0, (0.0171 - 0.095) / 2.0),
        fingers_axis: Vector3::z(),
        normal_axis: Vector3::x(),
        fingers: Vec::new(),
        keypoints: links
            .into_iter()
            .map(|(keypoint, body, p)| KeypointLink {
                keypoint,
                at: BodyPoint { body, point_in_body: p.into() },
            })
            .collect(),
        contact_bodies: Vec::new(),
    };
    RetargetHand::new(tree, map, |k| if keypoint::TIPS.contains(&k) { 0.012 } else { 0.01 })
        .unwrap()
}

/// What a camera would see if the robot were the human; the pinky it lacks stands beside the palm.
fn own_keypoints(hand: &RetargetHand, root: &Pose, q: &[f64]) -> Keypoints {
    let mut human = [root * Point3::new(0.0, -0.08, 0.0); keypoint::COUNT];
    for (point, at) in hand.points.iter().zip(hand.point_positions(root, q)) {
        human[point.keypoint] = at;
    }
    human
}

fn track(frames: Vec<Keypoints>) -> HandTrack {
    HandTrack { side: Side::Right, keypoints_in_world: frames }
}

fn between(hand: &RetargetHand, fraction: &[f64]) -> Vec<f64> {
    hand.tree
        .joints
        .iter()
        .zip(fraction)
        .map(|(j, f)| j.range.0 + f * (j.range.1 - j.range.0))
        .collect()
}

fn tips(hand: &RetargetHand, root: &Pose, q: &[f64]) -> Vec<Point3<f64>> {
    let all = hand.point_positions(root, q);
    let is_tip = |p: &&(&HandPoint, Point3<f64>)| keypoint::TIPS.contains(&p.0.keypoint);
    let pairs: Vec<_> = hand.points.iter().zip(all).collect();
    pairs.iter().filter(is_tip).map(|p| p.1).collect()
}

/// A ball about the origin of its own frame.
struct Ball(f64);

impl SurfaceQuery for Ball {
    fn closest(&self, p: &Point3<f64>) -> (Point3<f64>, Vector3<f64>, f64) {
        let normal = p.coords.try_normalize(1e-12).unwrap_or(Vector3::z());
        ((normal * self.0).into(), normal, p.coords.norm() - self.0)
    }
}

/// Joint angles like a grasp, and a drifting root.
fn moving(hand: &RetargetHand, frames: usize) -> Vec<(Pose, Vec<f64>)> {
    (0..frames)
        .map(|t| {
            let s = t as f64 / frames as f64;
            let fraction: Vec<f64> =
                (0..16).map(|j| 0.45 + 0.2 * (6.0 * s + f64::from(j)).sin()).collect();
            let root = Pose::new(Vector3::new(0.2 * s, 0.1 * s, 1.0), Vector3::new(0.3, s, -0.5));
            (root, between(hand, &fraction))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn recovers_a_known_pose_from_its_own_keypoints(
        fraction in prop::collection::vec(0.15..0.85f64, 16),
        r in [-1.5..1.5f64, -1.5..1.5f64, -1.5..1.5f64],
    ) {
        let hand = allegro(&[]);
        let root = Pose::new(Vector3::new(0.1, -0.4, 0.7), Vector3::from(r));
        let q = between(&hand, &fraction);
        let human = track(vec![own_keypoints(&hand, &root, &q)]);
        let motion = retarget(&human, 60.0, &[], &hand, &RetargetConfig::default()).unwrap();
        let found = motion.joints[0].as_slice();
        for (a, b) in tips(&hand, &motion.world_from_root[0], found).iter().zip(tips(&hand, &root, &q)) {
            prop_assert!((a - b).norm() < 1e-3, "tip off by {} m", (a - b).norm());
        }
        // Regularisation trades wrist against fingers; without it the pose itself comes back.
        let none = Regularisation {
            rest_m_per_rad: 0.0,
            smooth_joint_m_per_rad: 0.0,
            smooth_wrist: 0.0,
            smooth_wrist_m_per_rad: 0.0,
        };
        let config = RetargetConfig { regularisation: none, ..Default::default() };
        let motion = retarget(&human, 60.0, &[], &hand, &config).unwrap();
        let gap = motion.world_from_root[0].inv_mul(&root);
        prop_assert!(gap.translation.vector.norm() < 1e-4 && gap.rotation.angle() < 1e-3, "{gap}");
        for (found, angle) in motion.joints[0].iter().zip(&q) {
            prop_assert!((found - angle).abs() < 5e-3, "{found} {angle}");
        }
    }

    #[test]
    fn limits_and_couplings_hold_whatever_is_asked(
        offsets in prop::collection::vec(-0.15..0.15f64, 63), stretch in 0.3..3.0f64,
    ) {
        // Both joints of a finger's end follow one before them, one of them backwards.
        let couplings = [
            Coupling { joint: 3, of: 2, ratio: 0.9, offset: 0.05 },
            Coupling { joint: 7, of: 6, ratio: -0.1, offset: 0.3 },
        ];
        let hand = allegro(&couplings);
        let mut human = own_keypoints(&hand, &Pose::identity(), &hand.middle());
        for (k, point) in human.iter_mut().enumerate() {
            let offset = Vector3::from_column_slice(&offsets[3 * k..3 * k + 3]);
            *point = (point.coords * stretch + offset).into();
        }
        let human = track(vec![human; 3]);
        prop_assume!(world_from_palm(&human.keypoints_in_world[0], Side::Right).is_some());
        let motion = retarget(&human, 60.0, &[], &hand, &RetargetConfig::default()).unwrap();
        for q in &motion.joints {
            for (angle, joint) in q.iter().zip(&hand.tree.joints) {
                let (low, high) = joint.range;
                prop_assert!((low - 1e-12..=high + 1e-12).contains(angle), "{} {}", joint.name, angle);
            }
            for c in &couplings {
                prop_assert!((q[c.joint] - c.offset - c.ratio * q[c.of]).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn follows_its_own_motion_within_a_millimetre() {
    let hand = allegro(&[]);
    let truth = moving(&hand, 120);
    let human = track(truth.iter().map(|(root, q)| own_keypoints(&hand, root, q)).collect());
    let motion = retarget(&human, 60.0, &[], &hand, &RetargetConfig::default()).unwrap();
    assert_eq!(motion.joint_names.len(), 16);
    for (t, (root, q)) in truth.iter().enumerate() {
        let found = tips(&hand, &motion.world_from_root[t], motion.joints[t].as_slice());
        for (a, b) in found.iter().zip(tips(&hand, root, q)) {
            assert!((a - b).norm() < 1e-3, "frame {t}: {}", (a - b).norm());
        }
    }
}

#[test]
fn smoothness_weights_reduce_jitter() {
    let hand = allegro(&[]);
    let mut state = 9u64;
    let mut noise = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) as f64 / f64::from(1u32 << 31) - 0.5) * 0.01
    };
    let mut frames: Vec<Keypoints> =
        moving(&hand, 100).iter().map(|(root, q)| own_keypoints(&hand, root, q)).collect();
    for point in frames.iter_mut().flatten() {
        *point += Vector3::new(noise(), noise(), noise());
    }
    let human = track(frames);
    let jitter = |weight: f64| {
        let mut config = RetargetConfig::default();
        config.regularisation.smooth_joint_m_per_rad = weight;
        let motion = retarget(&human, 60.0, &[], &hand, &config).unwrap();
        let bend = motion.joints.windows(3).map(|w| (&w[2] - &w[1] * 2.0 + &w[0]).norm_squared());
        bend.sum::<f64>().sqrt()
    };
    let (none, default, strong) = (jitter(0.0), jitter(0.01), jitter(0.05));
    assert!(default < 0.98 * none && strong < 0.5 * none, "{none} {default} {strong}");
}

/// A hand that lifts a ball, with its tips about a centimetre away from the ball's surface: the
/// track, the ball's poses and its radius.
fn lifting(hand: &RetargetHand) -> (HandTrack, Vec<Pose>, f64) {
    let radius = 0.04;
    let center = Point3::new(0.075, 0.0, 0.04);
    let finger = [0.5, 0.5, 0.4, 0.4];
    let mut q = between(hand, &[finger, finger, finger, [0.9, 0.5, 0.3, 0.5]].concat());
    let weights = RetargetConfig::default().regularisation;
    let mut solver = FrameSolver::new(hand, weights).unwrap();
    for _ in 0..20 {
        let at = tips(hand, &Pose::identity(), &q);
        let is_tip = |p: &&HandPoint| keypoint::TIPS.contains(&p.keypoint);
        let points = hand.points.iter().filter(is_tip).zip(at).map(|(p, at)| PointTarget {
            body: p.body,
            point_in_body: p.point_in_body,
            target_in_world: center + (at - center).normalize() * (radius + 0.01),
            weight: 1.0,
            huber: f64::INFINITY,
        });
        let targets =
            FrameTargets { points: points.collect(), fixed_wrist: true, ..Default::default() };
        q = solver.solve(&targets, (&Pose::identity(), &q), 20).joints;
    }
    let lift = |t: usize| (0.01 * (t as f64 - 20.0)).clamp(0.0, 0.2);
    let poses =
        (0..60).map(|t| Pose::translation(center.x, center.y, center.z + lift(t))).collect();
    let frames = (0..60).map(|t| own_keypoints(hand, &Pose::translation(0.0, 0.0, lift(t)), &q));
    (track(frames.collect()), poses, radius)
}

#[test]
fn touching_tips_end_pressed_into_the_surface_by_the_squeeze() {
    let hand = allegro(&[]);
    let (human, poses, radius) = lifting(&hand);
    let ball = Ball(radius);
    let objects = [ObjectInput { surface: &ball, world_from_object: &poses }];
    let config = RetargetConfig::default();
    let plan = ContactPlan::new(&human, 60.0, &objects, &config.contact);
    let touching: Vec<usize> =
        (0..5).filter(|&f| plan.tips[40][f].is_some_and(|c| c.blend == 1.0)).collect();
    assert!(touching.len() >= 3, "the fixture should touch: {touching:?}");
    assert!(plan.tips[0].iter().all(Option::is_none), "nothing is touched long before the lift");

    let motion = retarget(&human, 60.0, &objects, &hand, &config).unwrap();
    let free = retarget(&human, 60.0, &[], &hand, &config).unwrap();
    for finger in touching {
        let point = hand.point(keypoint::TIPS[finger]).unwrap();
        let gap = |motion: &HandMotion| {
            let pose = motion.world_from_root[40]
                * hand.tree.forward(motion.joints[40].as_slice())[point.body];
            ball.closest(&poses[40].inverse_transform_point(&(pose * point.point_in_body))).2
                - point.radius
        };
        assert!(
            (gap(&motion) + config.squeeze_m).abs() < 2e-3,
            "finger {finger}: {}",
            gap(&motion)
        );
        assert!(
            (gap(&free) + config.squeeze_m).abs() > 3e-3,
            "the fixture should not press by itself"
        );
    }
}

#[test]
fn points_that_do_not_touch_are_kept_out_of_objects() {
    let hand = allegro(&[]);
    // A still ball, 1 cm into which the human's (thinner) fingers sweep.
    let truth = moving(&hand, 60);
    let ball = Ball(0.04);
    let path: Vec<Point3<f64>> = truth.iter().map(|(root, q)| tips(&hand, root, q)[1]).collect();
    let poses = vec![
        Pose::from_parts(
            (path[30].coords + Vector3::new(0.0, 0.0, 0.035)).into(),
            Default::default()
        );
        60
    ];
    let human = track(truth.iter().map(|(root, q)| own_keypoints(&hand, root, q)).collect());
    let objects = [ObjectInput { surface: &ball, world_from_object: &poses }];
    let deepest = |clearance_weight: f64| {
        let config = RetargetConfig { clearance_weight, ..Default::default() };
        let motion = retarget(&human, 60.0, &objects, &hand, &config).unwrap();
        let mut deepest = 0.0f64;
        for (root, q) in motion.world_from_root.iter().zip(&motion.joints) {
            for (p, at) in hand.points.iter().zip(hand.point_positions(root, q.as_slice())) {
                deepest =
                    deepest.max(p.radius - ball.closest(&poses[0].inverse_transform_point(&at)).2);
            }
        }
        deepest
    };
    let (with, without) = (deepest(3.0), deepest(0.0));
    assert!(without > 0.012, "the fixture should collide: {without}");
    assert!(with < 0.3 * without, "{with} {without}");
}

#[test]
fn bad_clips_give_errors_that_name_the_frame() {
    let hand = allegro(&[]);
    let good = own_keypoints(&hand, &Pose::identity(), &hand.middle());
    let run = |frames: Vec<Keypoints>, fps: f64, objects: &[ObjectInput<'_>]| {
        retarget(&track(frames), fps, objects, &hand, &RetargetConfig::default())
            .unwrap_err()
            .to_string()
    };
    let mut nan = good;
    nan[7].y = f64::NAN;
    assert_eq!(run(vec![good, good, nan], 60.0, &[]), "frame 2: keypoint 7 is not finite");
    let mut line = good;
    for k in [0, 5, 9, 17] {
        line[k] = Point3::new(k as f64, 0.0, 0.0);
    }
    assert!(run(vec![good, line], 60.0, &[]).starts_with("frame 1: the palm is degenerate"));
    assert!(run(vec![], 60.0, &[]).contains("no frames"));
    assert!(run(vec![good], 0.0, &[]).contains("fps is 0"));
    let ball = Ball(0.1);
    let mut poses = vec![Pose::identity(); 2];
    let objects = [ObjectInput { surface: &ball, world_from_object: &poses }];
    assert!(run(vec![good], 60.0, &objects).contains("2 poses"));
    poses[1].translation.x = f64::INFINITY;
    let objects = [ObjectInput { surface: &ball, world_from_object: &poses }];
    assert!(run(vec![good; 2], 60.0, &objects).starts_with("frame 1: the pose of object 0"));
    let left = HandTrack { side: Side::Left, keypoints_in_world: vec![good] };
    let error =
        retarget(&left, 60.0, &[], &hand, &RetargetConfig::default()).unwrap_err().to_string();
    assert!(error.contains("right hand") && error.contains("left hand"), "{error}");
    let config = RetargetConfig { rest_joints_rad: Some(vec![0.0; 3]), ..Default::default() };
    let error = retarget(&track(vec![good]), 60.0, &[], &hand, &config).unwrap_err().to_string();
    assert!(error.contains("3 angles") && error.contains("16 joints"), "{error}");
}

#[test]
fn bad_maps_are_refused_by_name() {
    let good = allegro(&[]);
    let build = |change: fn(&mut HandMap)| {
        let mut map = good.map.clone();
        change(&mut map);
        RetargetHand::new(good.tree.clone(), map, |_| 0.01).unwrap_err().to_string()
    };
    let error = build(|m| m.keypoints[2].at.body = "elbow".to_owned());
    assert!(error.contains("\"elbow\"") && error.contains("ff_medial"), "{error}");
    assert!(build(|m| m.keypoints[1].keypoint = 0).contains("keypoint 0"));
    assert!(build(|m| m.keypoints[1].keypoint = 21).contains("keypoint 21"));
    assert!(build(|m| m.keypoints.retain(|k| k.keypoint % 4 != 0)).contains("no fingertip"));
}

#[test]
fn length_ratio_of_a_hand_to_itself_scaled_is_the_scale() {
    let hand = allegro(&[]);
    let own = own_keypoints(&hand, &Pose::identity(), &[0.0; 16]);
    let half = own.map(|p| Point3::from(p.coords * 0.5));
    assert!((hand.length_ratio(&half).unwrap() - 2.0).abs() < 1e-9);
}
