use super::*;
use crate::prepare::{Prepared, Recorded};
use crate::progress::Silent;
use crate::request::TransferRequest;
use dextra_motion::refine::{RefineConfig, Stage};
use dextra_motion::track::{Task, TrackConfig};

/// Plays the same wandering actions for some steps; every step that they gave.
fn play(worlds: &mut dyn Env, steps: std::ops::Range<usize>) -> Vec<Step> {
    let actions = worlds.contract().actions.len();
    let size: usize = worlds.contract().observations.iter().map(|slice| slice.size).sum();
    let mut step = Step::new(worlds.worlds(), size);
    steps
        .map(|k| {
            let wander = |i: usize| ((k * 31 + i % actions) as f32 * 0.7).sin();
            let row: Vec<f32> = (0..worlds.worlds() * actions).map(wander).collect();
            worlds.step(&row, &mut step).unwrap();
            step.clone()
        })
        .collect()
}

#[test]
fn parts_are_what_they_are_alone_and_go_on_to_the_same_bits() {
    let request = TransferRequest {
        clip: "cube".to_owned(),
        hand: "allegro".to_owned(),
        ..TransferRequest::default()
    };
    let prepared = Prepared::new(Recorded::read(&request, &Silent).unwrap(), &Silent).unwrap();
    let hands: Vec<&Hand> = prepared.hands.iter().collect();
    let input = prepared.input(&hands);
    let stage = Stage::new(&input, &RefineConfig::default()).unwrap();
    let alone = Stage::object_free(&input, &stage.timeline, &stage.scene).unwrap();
    let motion = &prepared.motion;
    let (scene, timeline, rest) = (&stage.scene, &stage.timeline, &stage.rest);
    let task = Task::retargeted(scene, timeline, rest, motion, &hands, &prepared.objects);
    let task = task.object_free(&alone);
    let worlds = |count: usize| {
        let config = TrackConfig { worlds: count, threads: 1, ..TrackConfig::default() };
        Worlds::new(TrackEnv::new(task.clone(), config).unwrap(), &hands, None)
    };
    let parts = || Parts::new(vec![worlds(2), worlds(1)]);
    let mut both = parts();
    let size = both.parts[0].env.observation_dim();
    let mut first = vec![0.0; 3 * size];
    both.reset(7, &mut first).unwrap();
    let (mut one, mut other) = (worlds(2), worlds(1));
    let mut own = vec![0.0; 3 * size];
    one.reset(7, &mut own[..2 * size]).unwrap();
    other.reset(8, &mut own[2 * size..]).unwrap();
    assert_eq!(first, own);
    assert_eq!((both.worlds(), both.contract()), (3, one.contract()));
    let together = play(&mut both, 0..6);
    let apart = [play(&mut one, 0..6), play(&mut other, 0..6)];
    for (step, joined) in together.iter().enumerate() {
        let [a, b] = [&apart[0][step], &apart[1][step]];
        assert_eq!(joined.observations, [a.observations.clone(), b.observations.clone()].concat());
        assert_eq!(joined.rewards, [a.rewards.clone(), b.rewards.clone()].concat());
        assert_eq!(joined.truncated, [a.truncated.clone(), b.truncated.clone()].concat());
    }
    let saved = both.save().unwrap();
    let expected = play(&mut both, 6..12);
    let mut resumed = parts();
    resumed.load(&saved).unwrap();
    assert_eq!(resumed.save().unwrap(), saved);
    assert_eq!(play(&mut resumed, 6..12), expected);
    for bad in [&saved[..saved.len() - 1], &[saved.as_slice(), &[0]].concat(), &saved[..5]] {
        assert!(resumed.load(bad).is_err());
    }
}
