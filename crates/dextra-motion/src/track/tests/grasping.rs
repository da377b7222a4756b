//! A hold divided into the primary control, a policy's grasp, and a carry without slip.

use super::*;
use crate::track::grasp::{GraspConfig, Guide};
use crate::track::randomise::Variation;
use crate::track::task::Course;
use dextra_sim::scene::wrist_to_root;

fn divided() -> GraspConfig {
    GraspConfig { on: true, ..GraspConfig::default() }
}

fn grasping(worlds: usize) -> TrackConfig {
    let reach = Reach { position: 0.01, rotation: 0.1, finger: 1.0 };
    TrackConfig { grasp: divided(), compose: Compose::Rescaled, reach, ..plain(worlds) }
}

#[test]
fn the_policy_takes_over_where_the_guiding_finger_is_nearest_without_contact() {
    for (guide, finger) in [(Guide::Thumb, 0), (Guide::Index, 1), (Guide::Middle, 2)] {
        let config = GraspConfig { guide, ..divided() };
        let course = Course::new(&task(), 3, &config).unwrap();
        let [grasp] = course.grasps[..] else { panic!("one hold") };
        let take = task().holds[0].take / 3;
        assert!(grasp.from < take && take < grasp.until, "{grasp:?} {take}");
        let tip = course.facts[0].tips.iter().position(|tip| tip.finger == finger).unwrap();
        let goal = course.frames[take].tips[0][tip].goal.unwrap();
        let goal = course.frames[take].objects[0] * goal.surface_in_object;
        let distance = |c: usize| (course.frames[c].tips[0][tip].in_world - goal).norm();
        let apart = |c: &usize| !course.starts[*c].held[0];
        assert!(apart(&grasp.from));
        assert!((0..=take).filter(apart).all(|c| distance(c) >= distance(grasp.from)));
        let object = |c: usize| &course.frames[c].objects[0];
        let moved = |c: usize| pose::distance_between(object(c), object(take));
        assert!(moved(grasp.until) >= 0.05 && moved(grasp.until - 1) < 0.1);
    }
}

#[test]
fn actions_count_in_the_grasp_alone_and_the_wrist_carries_without_slip() {
    let mut env = env(grasping(1));
    let (task, grasp) = (task(), env.course.grasps[0]);
    let place = &task.scene.hands[0];
    let (nu, every) = (env.nu, 3);
    env.begin(0, 0, 0, Variation::none(1), &Relaxation::NONE).unwrap();
    let release = task.holds[0].release.unwrap() / every;
    let (mut fingers, mut carried) = (Vec::new(), Vec::new());
    for at in 0..release {
        let actions = wander(env.action_dim(), at, 0.2);
        env.play(1, &actions, &Relaxation::NONE, &Noise::default(), 0).unwrap();
        env.observe_played(1);
        let targets = &env.lanes[0].targets;
        let base = &task.base[at * every * nu..(at + 1) * every * nu];
        let last = &targets[(every - 1) * nu..];
        if at < grasp.from {
            assert_eq!(bits(targets), bits(base), "{at}");
        } else if at < grasp.until {
            assert_ne!(bits(targets), bits(base), "{at}");
        } else {
            fingers.push(place.finger_ctrl.iter().map(|&i| last[i]).collect::<Vec<f64>>());
        }
        if at >= grasp.until + 14 {
            let root = wrist_to_root(place, &place.wrist_ctrl.map(|i| last[i]));
            carried.push(task.reference[0][(at + 1) * every].inverse() * root);
        }
    }
    assert!(fingers.len() > 20 && fingers.iter().all(|row| *row == fingers[0]));
    assert!(carried.len() > 5);
    for pose in &carried {
        assert!(pose::distance_between(pose, &carried[0]) < 1e-9);
        assert!(pose::angle_between(pose, &carried[0]) < 1e-7);
    }
}

#[test]
fn training_begins_where_the_policy_takes_over_and_ends_after_the_grasp() {
    let mut env = env(TrackConfig { from_start: 0.5, ..grasping(4) });
    let grasp = env.course.grasps[0];
    env.reset_all(1).unwrap();
    assert_eq!(env.at(), [grasp.from; 4]);
    let mut out = StepOut::default();
    let actions = vec![0.0; 4 * env.action_dim()];
    let settle = (0.4f64 / 0.03).ceil() as usize;
    for _ in grasp.from..grasp.until + settle - 1 {
        env.step(&actions, &mut out).unwrap();
        assert_eq!(out.truncated, [false; 4]);
    }
    env.step(&actions, &mut out).unwrap();
    assert_eq!(out.truncated, [true; 4]);
    assert_eq!(env.at(), [grasp.from; 4]);
}

#[test]
fn a_saved_state_knows_what_is_held() {
    let config = || TrackConfig { randomisation: Randomisation::placed(0.01), ..grasping(2) };
    let mut whole = env(config());
    whole.reset_all(2).unwrap();
    let grasp = whole.course.grasps[0];
    let count = grasp.until - grasp.from + 4;
    play(&mut whole, 0..count);
    assert!(whole.lanes.iter().any(|lane| lane.episode.held[0].is_some()));
    let saved = whole.save_state();
    let expected = play(&mut whole, count..count + 30);
    let mut resumed = env(config());
    resumed.load_state(&saved).unwrap();
    assert_eq!(resumed.save_state(), saved);
    assert!(play(&mut resumed, count..count + 30) == expected);
}

#[test]
fn the_neighbourhood_of_the_wrist_comes_from_the_clip() {
    let wide = |offset: f64| {
        let randomisation = Randomisation { offset, ..Randomisation::default() };
        let env = env(TrackConfig { randomisation, ..grasping(1) });
        (env.composer.reach, env)
    };
    let (near, env) = wide(0.02);
    let take = task().holds[0].take / 3;
    let gaps = env.course.frames[take].tips[0].iter().filter(|tip| tip.goal.is_some());
    let gap = gaps.map(|tip| tip.distance.abs()).fold(0.0, f64::max);
    assert!((near.position - (0.02 + gap)).abs() < 1e-12 && gap > 0.0, "{near:?} {gap}");
    assert!((near.rotation - near.position / 0.15).abs() < 1e-12);
    assert_eq!(wide(0.0).0.position, 0.015, "at least 1.5 cm");
    assert_eq!(wide(1.0).0.position, 0.05, "at most 5 cm");
}
