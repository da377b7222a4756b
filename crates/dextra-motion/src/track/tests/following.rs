//! A base that follows the object to where it lies.

use super::*;
use crate::track::anchor::AnchorConfig;
use dextra_core::Pose;

fn following(worlds: usize) -> TrackConfig {
    TrackConfig { anchor: AnchorConfig { on: true, ..AnchorConfig::default() }, ..plain(worlds) }
}

/// Successes of the base alone.
fn successes(config: TrackConfig, perturbation: &Perturbation) -> usize {
    evaluate(&mut env(config), |_, _| {}, perturbation, 20).unwrap().successes
}

#[test]
fn a_displaced_object_is_grasped_where_it_lies_and_carried_to_its_reference() {
    let perturbation = Perturbation { offset: 0.05, yaw: 0.3, seed: 3, ..Perturbation::default() };
    assert!(successes(plain(20), &perturbation) < 10, "the displacement asks nothing");
    assert_eq!(successes(following(20), &perturbation), 20);
}

#[test]
fn an_object_in_its_place_changes_nothing() {
    let (mut with, mut without) = (env(following(1)), env(plain(1)));
    let actions = vec![0.0; with.action_dim()];
    let (mut one, mut other) = (StepOut::default(), StepOut::default());
    for _ in 0..with.steps() - 1 {
        with.step(&actions, &mut one).unwrap();
        without.step(&actions, &mut other).unwrap();
        let scene = &fixture().refined.scene;
        let apart = pose::distance_between(
            &scene.world_from_object(0, with.qpos(0)),
            &scene.world_from_object(0, without.qpos(0)),
        );
        assert!(apart < 1e-4, "{apart}");
    }
}

#[test]
fn what_fingers_push_before_the_take_is_no_displacement() {
    let refined = &fixture().refined;
    let take = task().holds[0].take;
    let mut path = refined.rollout.qpos.clone();
    // As if closing fingers had moved it by 5 cm until the take, which is when it was looked up once.
    let pushed =
        Pose::translation(0.05, 0.0, 0.0) * refined.scene.world_from_object(0, &path[take]);
    refined.scene.set_object(0, &pushed, &mut path[take]);
    let played = (refined.rollout.ctrl.as_slice(), path.as_slice());
    let task = Task::played(&refined.scene, &refined.timeline, played, hands(), &fixture().objects);
    let mut with = TrackEnv::new(task, following(1)).unwrap();
    let mut without = env(plain(1));
    let actions = vec![0.0; with.action_dim()];
    let (mut one, mut other) = (StepOut::default(), StepOut::default());
    for _ in 0..take / 3 {
        with.step(&actions, &mut one).unwrap();
        without.step(&actions, &mut other).unwrap();
        let root = |env: &TrackEnv<'_>| refined.scene.world_from_root(0, env.qpos(0));
        let apart = pose::distance_between(&root(&with), &root(&without));
        assert!(apart < 1e-3, "the hand goes {apart} m astray");
    }
}

#[test]
fn what_is_seen_is_measured_with_noise_and_its_mean_is_followed() {
    let noise = Noise { position: 0.015, ..Noise::default() };
    let perturbation = Perturbation { offset: 0.03, noise, seed: 1, ..Perturbation::default() };
    let noisy = successes(following(20), &perturbation);
    assert!(noisy >= 15, "{noisy}");
    // Without the mean, a single look would be 1.5 cm off in every direction.
    let far = Perturbation { noise: Noise { position: 0.15, ..noise }, ..perturbation };
    assert!(successes(following(20), &far) < noisy, "noise has no effect");
}

#[test]
fn a_saved_state_knows_what_was_seen() {
    let config = || TrackConfig {
        randomisation: Randomisation::placed(0.03),
        from_start: 1.0,
        ..following(3)
    };
    let mut whole = env(config());
    whole.reset_all(2).unwrap();
    play(&mut whole, 0..10);
    let saved = whole.save_state();
    let expected = play(&mut whole, 10..25);
    let mut resumed = env(config());
    resumed.load_state(&saved).unwrap();
    assert!(play(&mut resumed, 10..25) == expected);
}

#[test]
fn what_is_seen_arrives_late_where_actions_do() {
    let noise = Noise { position: 0.015, ..Noise::default() };
    let with = |late: f64, noise: Noise| {
        let randomisation = Randomisation { late, noise, ..Randomisation::default() };
        let mut env = env(TrackConfig { randomisation, ..following(1) });
        env.reset_all(4).unwrap();
        let (mut out, zeros) = (StepOut::default(), vec![0.0; env.action_dim()]);
        (0..8).for_each(|_| env.step(&zeros, &mut out).unwrap());
        bits(env.qpos(0))
    };
    assert!(with(1.0, noise) != with(0.0, noise), "the last look counts at once");
    assert!(with(1.0, Noise::default()) == with(0.0, Noise::default()), "no action is late");
}
