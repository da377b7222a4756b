use super::*;
use crate::synth::objects::segment_distance;
use dextra_core::demonstration::{chirality, keypoint};
use dextra_core::pose::angle_between;

struct Clean {
    clip: SynthClip,
    script: Script,
    grasp: Grasp,
    demo: Demonstration,
}

fn clean() -> &'static [Clean] {
    static ALL: std::sync::OnceLock<Vec<Clean>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        SynthClip::ALL
            .into_iter()
            .map(|clip| {
                let script = clips::script(clip);
                let grasp = grasp::find(&script.task);
                Clean { clip, script, grasp, demo: synth(clip, 0, &NoiseConfig::none()) }
            })
            .collect()
    })
}

/// Deepest penetration of the right hand's capsules into the object and into the table, metres.
fn penetration(case: &Clean, time: f64) -> (f64, f64) {
    let hand = hand_at(&case.script, &case.grasp, time);
    let world_from_object = case.script.path.at(time);
    let bodies = human::skeleton().forward(&hand.q);
    let (mut object, mut table) = (0.0f64, 0.0f64);
    for capsule in human::capsules() {
        let place = hand.object_from_wrist * bodies[capsule.body];
        let (start, end) = (place * capsule.start, place * capsule.end);
        for step in 0..=10 {
            let p = start + (end - start) * (f64::from(step) / 10.0);
            object = object.max(capsule.radius - case.script.task.solid.distance(&p));
            table = table.max(capsule.radius - (world_from_object * p).z);
        }
    }
    (object, table)
}

#[test]
fn names_round_trip_and_a_wrong_one_lists_the_valid() {
    for clip in SynthClip::ALL {
        assert_eq!(SynthClip::from_name(clip.name()), Ok(clip));
    }
    let message = SynthClip::from_name("vase").unwrap_err().to_string();
    assert!(message.contains("bottle, cube, stick, mug, box"), "{message}");
}

#[test]
fn geometry_shows_the_stated_side() {
    for clip in SynthClip::ALL {
        let demo = synth(clip, 3, &NoiseConfig::default());
        assert_eq!(demo.hands.len(), if clip == SynthClip::Box { 2 } else { 1 });
        for hand in &demo.hands {
            let sign = if hand.side == Side::Right { 1.0 } else { -1.0 };
            let evidence = sign * chirality(&hand.keypoints_in_world);
            assert!(evidence > 0.01, "{} {:?}: {evidence}", clip.name(), hand.side);
        }
    }
}

#[test]
fn gripping_tips_stay_on_the_surface_from_closing_to_release() {
    for case in clean() {
        let until = case.script.path.moving().1;
        for frame in (CLOSED * FPS).ceil() as usize..(until * FPS) as usize {
            let object_from_world = case.demo.objects[0].world_from_object[frame].inverse();
            for contact in &case.script.task.contacts {
                let tip =
                    case.demo.hands[0].keypoints_in_world[frame][keypoint::TIPS[contact.finger]];
                let distance = case.script.task.solid.distance(&(object_from_world * tip));
                let finger = human::FINGERS[contact.finger];
                assert!(
                    distance.abs() < 0.008,
                    "{} {finger} {frame}: {distance}",
                    case.clip.name()
                );
            }
        }
    }
}

#[test]
fn the_thumb_opposes_the_fingers() {
    for case in clean().iter().filter(|case| case.clip != SynthClip::Box) {
        let contacts = &case.script.task.contacts;
        let thumb = contacts.iter().find(|c| c.finger == 0).unwrap();
        for finger in contacts.iter().filter(|c| c.finger > 0) {
            let opposition = thumb.normal.dot(&finger.normal);
            assert!(opposition < -0.8, "{}: {opposition}", case.clip.name());
        }
    }
}

#[test]
fn the_hand_enters_neither_object_nor_table() {
    for case in clean() {
        for frame in 0..case.demo.frames() {
            let (object, table) = penetration(case, frame as f64 / FPS);
            let name = case.clip.name();
            assert!(object < 0.004, "{name} frame {frame}: {object} m inside the object");
            assert!(table < 0.002, "{name} frame {frame}: {table} m inside the table");
        }
    }
}

#[test]
fn fingers_do_not_pass_through_each_other_while_holding() {
    for case in clean() {
        let bodies = human::skeleton().forward(&case.grasp.closed);
        let distal = |finger: usize| {
            let place = bodies[human::phalanx_body(finger, 2)];
            (place * Point3::origin(), place * human::tip_center(finger))
        };
        for a in 0..5 {
            for b in 0..a {
                let ((a0, a1), (b0, b1)) = (distal(a), distal(b));
                let apart = [0.0, 0.25, 0.5, 0.75, 1.0]
                    .iter()
                    .map(|t| segment_distance(&(a0 + (a1 - a0) * *t), &b0, &b1))
                    .fold(f64::INFINITY, f64::min);
                let limit = human::PHALANX_RADIUS[a][2] + human::PHALANX_RADIUS[b][2] - 0.004;
                assert!(apart > limit, "{} fingers {a} {b}: {apart}", case.clip.name());
            }
        }
    }
}

#[test]
fn joints_stay_within_their_limits() {
    let tree = human::skeleton();
    for case in clean() {
        for frame in 0..case.demo.frames() {
            let hand = hand_at(&case.script, &case.grasp, frame as f64 / FPS);
            for (q, joint) in hand.q.iter().zip(&tree.joints) {
                let inside = *q > joint.range.0 - 1e-9 && *q < joint.range.1 + 1e-9;
                assert!(inside, "{} {}: {q}", case.clip.name(), joint.name);
            }
        }
    }
}

#[test]
fn bones_keep_their_length_without_noise() {
    for case in clean() {
        for hand in &case.demo.hands {
            let lengths = |points: &Keypoints| -> Vec<f64> {
                (1..keypoint::COUNT)
                    .map(|i| {
                        let parent = if i % 4 == 1 { 0 } else { i - 1 };
                        nalgebra::distance(&points[i], &points[parent])
                    })
                    .collect()
            };
            let first = lengths(&hand.keypoints_in_world[0]);
            for points in &hand.keypoints_in_world {
                for (a, b) in lengths(points).iter().zip(&first) {
                    assert!((a - b).abs() < 1e-9);
                }
            }
        }
    }
}

#[test]
fn the_object_moves_like_one_in_a_human_hand() {
    for case in clean() {
        let poses = &case.demo.objects[0].world_from_object;
        let position = |i: usize| poses[i].translation.vector;
        for i in 1..poses.len() - 1 {
            let speed = (position(i + 1) - position(i - 1)).norm() * FPS / 2.0;
            let acceleration =
                (position(i + 1) - position(i) * 2.0 + position(i - 1)).norm() * FPS * FPS;
            assert!(
                speed < 0.8 && acceleration < 5.0,
                "{}: {speed} {acceleration}",
                case.clip.name()
            );
        }
        let (from, until) = case.script.path.moving();
        let last = poses.len() - 1;
        let resting = |frame: usize, end: usize| {
            nalgebra::distance(&position(frame).into(), &position(end).into())
                + angle_between(&poses[frame], &poses[end])
        };
        assert!(resting((from * FPS) as usize, 0) < 1e-12);
        assert!(resting((until * FPS).ceil() as usize, last) < 1e-12);
        let highest = (0..=last).map(|i| position(i).z - position(0).z).fold(0.0, f64::max);
        assert!((0.095..0.145).contains(&highest), "{}: lifted {highest}", case.clip.name());
        assert!((4.0..6.0).contains(&(last as f64 / FPS)));
    }
}

#[test]
fn default_noise_is_about_a_centimetre_on_keypoints_and_two_millimetres_on_the_object() {
    for case in clean() {
        for seed in 0..5 {
            let noisy = synth(case.clip, seed, &NoiseConfig::default());
            for (hand, truth) in noisy.hands.iter().zip(&case.demo.hands) {
                let squares: Vec<f64> = hand
                    .keypoints_in_world
                    .iter()
                    .flatten()
                    .zip(truth.keypoints_in_world.iter().flatten())
                    .map(|(a, b)| nalgebra::distance_squared(a, b))
                    .collect();
                let rms = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
                assert!((0.007..0.013).contains(&rms), "{} {seed}: {rms}", case.clip.name());
            }
            let poses = &noisy.objects[0].world_from_object;
            let truth = &case.demo.objects[0].world_from_object;
            let n = poses.len() as f64;
            let turned =
                poses.iter().zip(truth).map(|(a, b)| angle_between(a, b).powi(2)).sum::<f64>();
            let moved = poses
                .iter()
                .zip(truth)
                .map(|(a, b)| (a.translation.vector - b.translation.vector).norm_squared())
                .sum::<f64>();
            assert!((0.001..0.005).contains(&(moved / n).sqrt()), "{}", (moved / n).sqrt());
            assert!((0.5..1.6).contains(&(turned / n).sqrt().to_degrees()));
            let lowest = poses
                .iter()
                .flat_map(|pose| noisy.objects[0].mesh.vertices.iter().map(move |v| (pose * v).z))
                .fold(f64::INFINITY, f64::min);
            assert!(lowest > -MAX_SINK - 1e-9, "{lowest}");
        }
    }
}

#[test]
fn the_seed_alone_decides_the_noise() {
    let config = NoiseConfig::default();
    let a = synth(SynthClip::Cube, 7, &config);
    assert_eq!(a, synth(SynthClip::Cube, 7, &config));
    assert_ne!(a.hands, synth(SynthClip::Cube, 8, &config).hands);
    assert_eq!(a.provenance.source, "dextra synth cube seed 7");
    assert_eq!(a.provenance.licence, "CC0-1.0");
}

#[test]
fn the_left_hand_mirrors_the_right_in_the_box_frame() {
    let case = clean().iter().find(|case| case.clip == SynthClip::Box).unwrap();
    for frame in 0..case.demo.frames() {
        let object_from_world = case.demo.objects[0].world_from_object[frame].inverse();
        let [right, left] = [0, 1].map(|i| case.demo.hands[i].keypoints_in_world[frame]);
        for (r, l) in right.iter().zip(&left) {
            let (r, l) = (object_from_world * r, object_from_world * l);
            assert!((r.x + l.x).abs() + (r.y - l.y).abs() + (r.z - l.z).abs() < 1e-9);
        }
    }
}

#[test]
fn the_hand_comes_from_a_quarter_of_a_metre_away_and_leaves() {
    for case in clean() {
        let track = &case.demo.hands[0].keypoints_in_world;
        let from = nalgebra::distance(&track[0][0], &track[(ARRIVE * FPS) as usize][0]);
        assert!((0.23..0.27).contains(&from), "{}: {from}", case.clip.name());
        let last = case.demo.frames() - 1;
        let put_down = (case.script.path.moving().1 * FPS).ceil() as usize;
        let left = nalgebra::distance(&track[put_down][0], &track[last][0]);
        assert!(left > 0.15, "{}: {left}", case.clip.name());
    }
}

#[test]
fn the_mjcf_hand_has_the_same_kinematics_as_the_skeleton() {
    let hand = dextra_sim::hand::Hand::builtin("human", Side::Right).unwrap();
    let ours = human::skeleton();
    let names = |tree: &dextra_core::kinematics::KinematicTree| -> Vec<String> {
        tree.joints.iter().map(|j| j.name.clone()).collect()
    };
    assert_eq!(names(&hand.tree), names(&ours));
    for (theirs, ours) in hand.tree.joints.iter().zip(&ours.joints) {
        assert!(
            (theirs.range.0 - ours.range.0).abs() + (theirs.range.1 - ours.range.1).abs() < 1e-9
        );
    }
    let random = &mut noise::stream(5, 0);
    for _ in 0..20 {
        let q: Vec<f64> = ours
            .joints
            .iter()
            .map(|j| {
                let share = 0.5 + 0.1 * noise::constant(random, 1.0).x;
                j.range.0 + (j.range.1 - j.range.0) * share
            })
            .collect();
        let bodies = hand.tree.forward(&q);
        let expected = human::keypoints(&ours, &q, &Pose::identity());
        assert_eq!(hand.map.keypoints.len(), keypoint::COUNT);
        for link in &hand.map.keypoints {
            let body = hand.tree.body(&link.at.body).unwrap();
            let found = bodies[body] * link.at.point_in_body;
            let error = nalgebra::distance(&found, &expected[link.keypoint]);
            // The MJCF holds ten digits.
            assert!(error < 1e-7, "keypoint {}: {error}", link.keypoint);
        }
    }
}
