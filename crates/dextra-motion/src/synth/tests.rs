mod each;

use super::*;
use crate::synth::grasp::Grasp;
use crate::synth::hand::{HandState, find_grasps, hand_at, seen_by};
use crate::synth::objects::segment_distance;
use crate::synth::script::{Hold, Prop, Script};
use dextra_core::Side;
use dextra_core::demonstration::{chirality, keypoint};
use dextra_core::human::{self, FINGERS};
use dextra_core::pose::{angle_between, distance_between};

struct Clean {
    clip: SynthClip,
    script: Script,
    /// Indices: hand, hold, step of a roll.
    grasps: Vec<Vec<Vec<Grasp>>>,
    demo: Demonstration,
}

fn clean() -> &'static [Clean] {
    static ALL: std::sync::OnceLock<Vec<Clean>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        SynthClip::ALL
            .into_iter()
            .map(|clip| {
                let script = clips::script(clip);
                let grasps = find_grasps(&script);
                Clean { clip, script, grasps, demo: synth(clip, 0, &NoiseConfig::none()) }
            })
            .collect()
    })
}

fn clean_one(clip: SynthClip) -> &'static Clean {
    clean().iter().find(|case| case.clip == clip).unwrap()
}

impl Clean {
    /// Every hold with the index of its hand and with its grasps.
    fn holds(&self) -> impl Iterator<Item = (usize, &Hold, &[Grasp])> {
        self.script.hands.iter().zip(&self.grasps).enumerate().flat_map(|(i, (hand, grasps))| {
            hand.holds.iter().zip(grasps).map(move |(hold, grasps)| (i, hold, grasps.as_slice()))
        })
    }

    fn hand_at(&self, hand: usize, time: f64) -> HandState {
        hand_at(&self.script.props, &self.script.hands[hand], &self.grasps[hand], time)
    }

    fn times(&self) -> impl Iterator<Item = f64> {
        (0..self.demo.frames()).map(|frame| frame as f64 / FPS)
    }

    /// The capsules of a hand at `time`: ends and radius, world frame (of a left hand: mirrored).
    fn capsules(&self, hand: usize, time: f64) -> Vec<(Point3<f64>, Point3<f64>, f64)> {
        let state = self.hand_at(hand, time);
        let bodies = human::skeleton().forward(&state.q);
        let place = |capsule: &human::Capsule| {
            let place = state.world_from_wrist * bodies[capsule.body];
            (place * capsule.start, place * capsule.end, capsule.radius)
        };
        human::capsules().iter().map(place).collect()
    }

    /// How far a hand's skin is from an object, metres; negative inside.
    fn gap(&self, hand: usize, prop: &Prop, time: f64) -> f64 {
        let object = seen_by(self.script.hands[hand].side, &prop.path.at(time));
        let capsules = self.capsules(hand, time);
        let along = capsules.iter().flat_map(|(start, end, radius)| {
            (0..=10).map(move |step| (start + (end - start) * (f64::from(step) / 10.0), radius))
        });
        along
            .map(|(p, radius)| prop.solid.distance(&object.inverse_transform_point(&p)) - radius)
            .fold(f64::INFINITY, f64::min)
    }
}

#[test]
fn names_round_trip_and_a_wrong_one_lists_the_valid() {
    for clip in SynthClip::ALL {
        assert_eq!(SynthClip::from_name(clip.name()), Ok(clip));
    }
    let message = SynthClip::from_name("vase").unwrap_err().to_string();
    assert!(SynthClip::ALL.iter().all(|clip| message.contains(clip.name())), "{message}");
}

#[test]
fn geometry_shows_the_stated_side() {
    for case in clean() {
        let demo = synth(case.clip, 3, &NoiseConfig::default());
        let sides: Vec<Side> = demo.hands.iter().map(|hand| hand.side).collect();
        assert!(sides == [Side::Right] || sides == [Side::Right, Side::Left]);
        for hand in &demo.hands {
            let sign = if hand.side == Side::Right { 1.0 } else { -1.0 };
            let evidence = sign * chirality(&hand.keypoints_in_world);
            assert!(evidence > 0.01, "{} {:?}: {evidence}", case.clip.name(), hand.side);
        }
    }
}

#[test]
fn names_of_objects_are_identifiers_and_distinct() {
    for case in clean() {
        let mut names: Vec<&str> = case.script.props.iter().map(|prop| prop.name).collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase())));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), case.script.props.len());
    }
}

#[test]
fn holds_follow_each_other() {
    for case in clean() {
        for hand in &case.script.hands {
            let mut last = 0.0;
            for Hold { times: t, .. } in &hand.holds {
                let order = [last, t.depart, t.arrive, t.closed, t.open, t.leave];
                // The way from one object to the next may begin before the hand is quite away.
                assert!(order.is_sorted() && t.leave < t.gone, "{}: {order:?}", case.clip.name());
                last = t.leave;
            }
        }
    }
}

#[test]
fn gripping_tips_stay_on_the_surface_from_closing_to_release() {
    for case in clean() {
        for (hand, hold, _) in case.holds() {
            let solid = &case.script.props[hold.prop].solid;
            let until = (hold.times.open * FPS) as usize;
            for frame in (hold.times.closed * FPS).ceil() as usize..until {
                let object = case.demo.objects[hold.prop].world_from_object[frame];
                let points = case.demo.hands[hand].keypoints_in_world[frame];
                for contact in &hold.task.contacts {
                    let tip = points[keypoint::TIPS[contact.finger]];
                    let distance = solid.distance(&object.inverse_transform_point(&tip));
                    let (name, finger) = (case.clip.name(), FINGERS[contact.finger]);
                    assert!(distance.abs() < 0.008, "{name} {finger} {frame}: {distance}");
                }
            }
        }
    }
}

#[test]
fn the_thumb_opposes_the_fingers_wherever_a_hand_grips() {
    let pressed_flat = [SynthClip::Box, SynthClip::Push];
    for case in clean().iter().filter(|case| !pressed_flat.contains(&case.clip)) {
        for (_, hold, _) in case.holds() {
            let contacts = &hold.task.contacts;
            let thumb = contacts.iter().find(|c| c.finger == 0).unwrap();
            for finger in contacts.iter().filter(|c| c.finger > 0) {
                let opposition = thumb.normal.dot(&finger.normal);
                assert!(opposition < -0.8, "{}: {opposition}", case.clip.name());
            }
        }
    }
}

#[test]
fn hands_enter_neither_objects_nor_table() {
    for case in clean() {
        let name = case.clip.name();
        for hand in 0..case.script.hands.len() {
            for time in case.times() {
                for prop in &case.script.props {
                    let gap = case.gap(hand, prop, time);
                    assert!(gap > -0.004, "{name} at {time}: {gap} m into {}", prop.name);
                }
                for (start, end, radius) in case.capsules(hand, time) {
                    let above = start.z.min(end.z) - radius;
                    assert!(above > -0.002, "{name} at {time}: {above} m into the table");
                }
            }
        }
    }
}

#[test]
fn two_hands_stay_apart() {
    let mirrored = |p: &Point3<f64>| Point3::new(-p.x, p.y, p.z);
    for case in clean().iter().filter(|case| case.script.hands.len() == 2) {
        for time in case.times() {
            let (right, left) = (case.capsules(0, time), case.capsules(1, time));
            for (a, b, radius) in &left {
                let (a, b) = (mirrored(a), mirrored(b));
                for (start, end, other) in &right {
                    let apart = [0.0, 0.25, 0.5, 0.75, 1.0]
                        .map(|t| segment_distance(&(start + (end - start) * t), &a, &b));
                    let gap = apart.into_iter().fold(f64::INFINITY, f64::min) - radius - other;
                    assert!(gap > 0.01, "{} at {time}: {gap}", case.clip.name());
                }
            }
        }
    }
}

#[test]
fn fingers_do_not_pass_through_each_other_while_holding() {
    for case in clean() {
        for grasp in case.holds().flat_map(|(_, _, grasps)| grasps) {
            let bodies = human::skeleton().forward(&grasp.closed);
            let distal = |finger: usize| {
                let place = bodies[human::phalanx_body(finger, 2)];
                (place * Point3::origin(), place * human::tip_center(finger))
            };
            for (a, b) in (0..5).flat_map(|a| (0..a).map(move |b| (a, b))) {
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
        for hand in 0..case.script.hands.len() {
            for time in case.times() {
                for (q, joint) in case.hand_at(hand, time).q.iter().zip(&tree.joints) {
                    let inside = *q > joint.range.0 - 1e-9 && *q < joint.range.1 + 1e-9;
                    assert!(inside, "{} {}: {q}", case.clip.name(), joint.name);
                }
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

/// Largest speed (m/s) and acceleration (m/s²) of a point, by central differences.
fn pace(positions: &[Vector3<f64>]) -> (f64, f64) {
    positions.windows(3).fold((0.0f64, 0.0f64), |(speed, acceleration), p| {
        let now = (p[2] - p[0]).norm() * FPS / 2.0;
        (speed.max(now), acceleration.max((p[2] - p[1] * 2.0 + p[0]).norm() * FPS * FPS))
    })
}

#[test]
fn objects_and_wrists_move_like_a_persons() {
    for case in clean() {
        let name = case.clip.name();
        for object in &case.demo.objects {
            let positions = object.world_from_object.iter().map(|pose| pose.translation.vector);
            let (speed, acceleration) = pace(&positions.collect::<Vec<_>>());
            assert!(speed < 0.8 && acceleration < 5.0, "{name}: {speed} {acceleration}");
        }
        for hand in &case.demo.hands {
            for k in 0..keypoint::COUNT {
                let positions = hand.keypoints_in_world.iter().map(|points| points[k].coords);
                let (speed, acceleration) = pace(&positions.collect::<Vec<_>>());
                let point = format!("{name} {:?} {k}", hand.side);
                assert!(speed < 1.2 && acceleration < 10.0, "{point}: {speed} {acceleration}");
            }
        }
    }
}

#[test]
fn objects_rest_unless_a_hand_has_them() {
    for case in clean() {
        let poses = |prop: usize| &case.demo.objects[prop].world_from_object;
        for prop in 0..case.script.props.len() {
            let held = |time: f64| {
                case.holds().any(|(_, hold, _)| {
                    hold.prop == prop && (hold.times.closed..hold.times.open).contains(&time)
                })
            };
            for (frame, pair) in poses(prop).windows(2).enumerate() {
                let (from, until) = (frame as f64 / FPS, (frame + 1) as f64 / FPS);
                if !(held(from) && held(until)) {
                    let moved = distance_between(&pair[0], &pair[1]);
                    let moved = moved + angle_between(&pair[0], &pair[1]);
                    assert!(moved < 1e-12, "{} at {from}: {moved}", case.clip.name());
                }
            }
            let height = |pose: &Pose| pose.translation.z;
            let (first, last) = (&poses(prop)[0], &poses(prop)[case.demo.frames() - 1]);
            assert!((height(first) - height(last)).abs() < 1e-12, "{}", case.clip.name());
        }
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
            for (object, truth) in noisy.objects.iter().zip(&case.demo.objects) {
                let pairs = || object.world_from_object.iter().zip(&truth.world_from_object);
                let rms = |squares: f64| (squares / case.demo.frames() as f64).sqrt();
                let moved = rms(pairs().map(|(a, b)| distance_between(a, b).powi(2)).sum());
                let turned = rms(pairs().map(|(a, b)| angle_between(a, b).powi(2)).sum());
                assert!((0.001..0.005).contains(&moved), "{moved}");
                assert!((0.5..1.6).contains(&turned.to_degrees()), "{turned}");
                let lowest = object
                    .world_from_object
                    .iter()
                    .flat_map(|pose| object.mesh.vertices.iter().map(move |v| (pose * v).z))
                    .fold(f64::INFINITY, f64::min);
                assert!(lowest > -MAX_SINK - 1e-9, "{lowest}");
            }
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
fn hands_come_from_a_quarter_of_a_metre_away_and_leave() {
    for case in clean() {
        for (script, track) in case.script.hands.iter().zip(&case.demo.hands) {
            let (first, last) = (&script.holds[0].times, &script.holds.last().unwrap().times);
            let wrist = |time: f64| {
                let frame = ((time * FPS).round() as usize).min(case.demo.frames() - 1);
                track.keypoints_in_world[frame][keypoint::WRIST]
            };
            let came = nalgebra::distance(&wrist(first.depart), &wrist(first.arrive));
            let left = nalgebra::distance(&wrist(last.leave), &wrist(last.gone));
            assert!((0.23..0.27).contains(&came), "{}: {came}", case.clip.name());
            assert!(left > 0.15, "{}: {left}", case.clip.name());
        }
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
