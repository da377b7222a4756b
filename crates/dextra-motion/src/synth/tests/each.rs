//! What each clip says of itself.

use super::*;

/// Frames of `case` in `from..until` (seconds).
fn frames(case: &Clean, from: f64, until: f64) -> std::ops::Range<usize> {
    (from * FPS).ceil() as usize..((until * FPS) as usize + 1).min(case.demo.frames())
}

/// How far the wrist of a hand turns between two times, radians.
fn wrist_turn(case: &Clean, hand: usize, from: f64, until: f64) -> f64 {
    let wrist = |time| case.hand_at(hand, time).world_from_wrist;
    angle_between(&wrist(from), &wrist(until))
}

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
            SynthClip::Push => (0.0, 4.1),
            SynthClip::Regrasp => (0.08, 8.65),
            SynthClip::Turn => (0.08, 5.9),
            SynthClip::Pair => (0.10, 5.45),
            SynthClip::Handover => (0.15, 8.05),
            SynthClip::Lid | SynthClip::Slide => (0.0, 5.9),
        };
        let name = case.clip.name();
        // A part is not lifted; the test of its clip says where it goes.
        for object in case.demo.objects.iter().filter(|object| object.articulation.is_none()) {
            let heights = object.world_from_object.iter().map(|pose| pose.translation.z);
            let lifted = heights.fold(0.0, f64::max) - object.world_from_object[0].translation.z;
            assert!((lifted - lift).abs() < 1e-9, "{name}: lifted {lifted}");
        }
        assert!((case.script.duration() - end).abs() < 1e-9, "{name}: {}", case.script.duration());
        assert_eq!(case.demo.frames(), (end * FPS).round() as usize + 1, "{name}");
    }
}

#[test]
fn the_lid_swings_by_fifty_degrees_about_the_far_edge_of_its_box() {
    let case = clean_one(SynthClip::Lid);
    let lid = &case.demo.objects[1];
    let part = lid.articulation.as_ref().unwrap();
    let widest = part.coordinate.iter().copied().fold(0.0, f64::max);
    assert!((widest - 50f64.to_radians()).abs() < 1e-9, "{widest}");
    let at = |time: f64| lid.world_from_object[(time * FPS).round() as usize];
    // Closed, the middle of the plate is 8 cm from the hinge and 6 mm above it; the table is 10 cm lower.
    let (sin, cos) = 50f64.to_radians().sin_cos();
    let closed = Vector3::new(0.0, 0.0, 0.106);
    let open = Vector3::new(0.0, 0.08 - 0.08 * cos + 0.006 * sin, 0.1 + 0.08 * sin + 0.006 * cos);
    assert!((at(0.5).translation.vector - closed).norm() < 1e-9);
    assert!((at(3.2).translation.vector - open).norm() < 1e-9, "{}", at(3.2).translation);
    assert!((at(5.5).translation.vector - closed).norm() < 1e-9);
    // The noise of a recording never takes the lid off its hinge.
    let noisy = synth(SynthClip::Lid, 5, &NoiseConfig::default());
    let part = noisy.objects[1].articulation.as_ref().unwrap();
    for (f, q) in part.coordinate.iter().enumerate() {
        let wanted = noisy.objects[0].world_from_object[f] * part.joint.parent_from_part_at(*q);
        assert_eq!(noisy.objects[1].world_from_object[f], wanted);
    }
}

#[test]
fn the_sliding_lid_comes_eight_centimetres_towards_the_person() {
    let case = clean_one(SynthClip::Slide);
    let lid = &case.demo.objects[1];
    let part = lid.articulation.as_ref().unwrap();
    let widest = part.coordinate.iter().copied().fold(0.0, f64::max);
    assert!((widest - 0.08).abs() < 1e-9, "{widest}");
    let at = |time: f64| lid.world_from_object[(time * FPS).round() as usize];
    for (time, y) in [(0.5, 0.0), (3.2, -0.08), (5.5, 0.0)] {
        let wanted = Vector3::new(0.0, y, 0.106);
        assert!((at(time).translation.vector - wanted).norm() < 1e-9, "{time} s");
        assert!(at(time).rotation.angle() < 1e-9);
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

#[test]
fn push_slides_the_carton_away_and_never_lifts_it() {
    let case = clean_one(SynthClip::Push);
    let poses = &case.demo.objects[0].world_from_object;
    for pose in poses {
        assert!((pose.translation.z - 0.04).abs() < 1e-12);
        assert!(pose.rotation.angle() < 1e-12);
    }
    let (start, end) = case.script.props[0].path.moving();
    assert!((1.2..1.5).contains(&(end - start)), "{}", end - start);
    let way = poses[poses.len() - 1].translation.vector - poses[0].translation.vector;
    assert!((0.12..0.14).contains(&way.y) && way.x.abs() < 0.03, "{way}");
    // All tips that touch press on the near side, so the hand can only push.
    let contacts = &case.script.hands[0].holds[0].task.contacts;
    assert!(contacts.len() >= 3 && contacts.iter().all(|c| c.normal.y < -0.99));
}

#[test]
fn regrasp_lets_go_of_the_block_and_takes_it_in_another_way() {
    let case = clean_one(SynthClip::Regrasp);
    let holds = &case.script.hands[0].holds;
    let (first, second) = (&holds[0].times, &holds[1].times);
    let free = second.closed - first.open;
    assert!((2.1..2.3).contains(&free), "free for {free} s");
    let away = frames(case, first.open, second.closed)
        .map(|frame| case.gap(0, &case.script.props[0], frame as f64 / FPS))
        .fold(0.0, f64::max);
    assert!(away > 0.08, "at most {away} m away");
    let [before, after] = [0, 1].map(|hold| case.grasps[0][hold][0].object_from_wrist);
    let turned = angle_between(&before, &after).to_degrees();
    assert!(turned > 30.0, "the grasps differ by {turned} deg");
    let poses = &case.demo.objects[0].world_from_object;
    let at = |time: f64| &poses[(time * FPS).round() as usize];
    let carried = distance_between(at(first.closed), at(first.open));
    assert!((0.09..0.11).contains(&carried), "{carried}");
    let turned = angle_between(at(second.closed), at(second.open)).to_degrees();
    assert!((turned - 40.0).abs() < 1e-6, "{turned}");
}

#[test]
fn turn_rolls_the_knob_in_fingers_that_keep_their_places() {
    let case = clean_one(SynthClip::Turn);
    let (hold, solid) = (&case.script.hands[0].holds[0], &case.script.props[0].solid);
    let (closed, open) = (hold.times.closed, hold.times.open);
    assert!(wrist_turn(case, 0, closed, open) < 1e-9);
    let poses = &case.demo.objects[0].world_from_object;
    let held = frames(case, closed, open);
    let turned = angle_between(&poses[held.start], &poses[held.end - 1]).to_degrees();
    assert!((25.0..35.0).contains(&turned), "{turned}");
    let tree = human::skeleton();
    for finger in hold.task.contacts.iter().map(|contact| contact.finger) {
        // The keypoint of the tip, and the place of the surface nearest to the tip's centre.
        let places = |frame: usize| {
            let state = case.hand_at(0, frame as f64 / FPS);
            let tip = tree.forward(&state.q)[human::phalanx_body(finger, 2)];
            let object_from_tip = poses[frame].inverse() * state.world_from_wrist * tip;
            let center = object_from_tip * human::tip_center(finger);
            let touched = center - solid.normal(&center) * solid.distance(&center);
            [object_from_tip * human::tip_point(finger), touched]
        };
        let first = places(held.start);
        for frame in held.clone() {
            let slid = [0, 1].map(|i| nalgebra::distance(&places(frame)[i], &first[i]));
            let name = FINGERS[finger];
            assert!(slid[0] < 0.003 && slid[1] < 0.001, "{name} {frame}: {slid:?}");
        }
    }
}

#[test]
fn turn_moves_thumb_and_fingers_against_each_other() {
    let case = clean_one(SynthClip::Turn);
    let hold = &case.script.hands[0].holds[0];
    let roll = hold.roll.as_ref().unwrap();
    // The wrist rests meanwhile, so keypoints move as the fingers do.
    let points = &case.demo.hands[0].keypoints_in_world;
    let at = |time: f64| &points[(time * FPS).round() as usize];
    let moved = |finger: usize| {
        at(roll.end)[keypoint::TIPS[finger]] - at(roll.start)[keypoint::TIPS[finger]]
    };
    for finger in hold.task.contacts.iter().map(|c| c.finger).filter(|finger| *finger > 0) {
        let against = moved(finger).normalize().dot(&moved(0).normalize());
        assert!(against < -0.8 && moved(finger).norm() > 0.01, "{}: {against}", FINGERS[finger]);
    }
}

#[test]
fn pair_moves_one_object_with_each_hand_the_left_one_later() {
    let case = clean_one(SynthClip::Pair);
    let [right, left] = [0, 1].map(|hand| &case.script.hands[hand].holds[0]);
    assert_eq!((case.script.hands[0].side, case.script.hands[1].side), (Side::Right, Side::Left));
    assert_ne!(right.prop, left.prop);
    assert!((left.times.depart - right.times.depart - 0.4).abs() < 1e-9);
    assert!(left.times.gone > right.times.gone + 0.3);
    for (hold, x) in [(right, 0.17), (left, -0.17)] {
        let poses = &case.demo.objects[hold.prop].world_from_object;
        assert!((poses[0].translation.x - x).abs() < 1e-12);
        let moved = distance_between(&poses[0], &poses[poses.len() - 1]);
        assert!(moved > 0.05, "{moved}");
    }
    // Each is in its hand alone.
    for (hand, other) in [(0, left.prop), (1, right.prop)] {
        let prop = &case.script.props[other];
        let nearest = case.times().map(|time| case.gap(hand, prop, time)).fold(1.0, f64::min);
        assert!(nearest > 0.1, "{nearest}");
    }
}

#[test]
fn handover_keeps_the_bar_still_until_the_right_hand_has_gone() {
    let case = clean_one(SynthClip::Handover);
    let bar = &case.script.props[0];
    let poses = &case.demo.objects[0].world_from_object;
    let [right, left] = [0, 1].map(|hand| &case.script.hands[hand].holds[0].times);
    let in_the_air: Vec<usize> = (1..poses.len())
        .filter(|i| poses[*i].translation.z > bar.solid.rest_height() + 0.1)
        .filter(|i| distance_between(&poses[*i], &poses[i - 1]) < 1e-12)
        .collect();
    let (from, until) = (in_the_air[0] - 1, in_the_air[in_the_air.len() - 1]);
    assert_eq!(in_the_air.len(), until - from, "still in one stretch");
    let (from, until) = (from as f64 / FPS, until as f64 / FPS);
    assert!((2.2..2.6).contains(&(until - from)), "still for {} s", until - from);
    assert!((1.0..1.2).contains(&(left.closed - from)), "{}", left.closed - from);
    assert!((right.open - left.closed - 0.5).abs() < 1e-9, "both hold for half a second");
    let near = |hand: usize, time: &f64| case.gap(hand, bar, *time) < 0.1;
    let came = case.times().find(|time| near(1, time)).unwrap();
    let went = case.times().filter(|time| near(0, time)).last().unwrap();
    assert!(came > from && went < until, "left near from {came}, right until {went}");
}

#[test]
fn handover_ends_in_the_left_hand_further_left() {
    let case = clean_one(SynthClip::Handover);
    let poses = &case.demo.objects[0].world_from_object;
    let [right, left] = [0, 1].map(|hand| &case.script.hands[hand].holds[0].times);
    let at = |time: f64| poses[(time * FPS).round() as usize].translation.vector;
    let by_left = at(left.open) - at(right.open);
    assert!((by_left - Vector3::new(-0.10, 0.0, -0.15)).norm() < 1e-9, "{by_left}");
    // The hands hold opposite ends, as mirror images.
    let holds = case.script.hands.iter().map(|hand| &hand.holds[0]);
    for (hold, side) in holds.zip([1.0, -1.0]) {
        let hand = usize::from(side < 0.0);
        let tip = case.demo.hands[hand].keypoints_in_world
            [(hold.times.closed * FPS).ceil() as usize][keypoint::TIPS[2]];
        let object =
            case.demo.objects[0].world_from_object[(hold.times.closed * FPS).ceil() as usize];
        let along = object.inverse_transform_point(&tip).x * side;
        assert!((0.06..0.12).contains(&along), "{along}");
    }
}
