//! Training stops at the first number that nothing can be learned from, and leaves what was good.

use crate::tasks::{Batch, Reach, small};
use dextra_learn::{Env, Fault, LearnError, Policy, TrainConfig, train};
use std::ops::ControlFlow;
use std::path::Path;

/// Trains in an environment whose world 0 gives `reward` from step 40 on, which is in iteration 3.
fn stopped(reward: f32, change: impl Fn(&mut TrainConfig), folder: &Path) -> LearnError {
    let mut env = Batch::<Reach>::new(16);
    env.broken = Some((40, reward));
    let mut config = TrainConfig { checkpoint_every: 1, ..small(1, 10) };
    change(&mut config);
    train(&mut env, &config, folder, &mut |_| ControlFlow::Continue(())).unwrap_err()
}

#[test]
fn a_reward_that_is_not_a_number_stops_and_the_last_checkpoint_is_good() {
    for reward in [f32::NAN, f32::INFINITY] {
        let dir = tempfile::tempdir().unwrap();
        let error = stopped(reward, |_| (), dir.path());
        let LearnError::Stopped { iteration: 3, fault, last_good: Some(last) } = &error else {
            panic!("{error}")
        };
        assert!(matches!(fault, Fault::Reward { world: 0, .. }), "{fault}");
        assert!(last.ends_with("00000002"), "{}", last.display());
        let text = error.to_string();
        assert!(text.contains("reward of world 0") && text.contains("00000002"), "{text}");
        // It can be used, and gone on from once the environment is mended.
        let mut env = Batch::<Reach>::new(16);
        Policy::load(last, env.contract()).unwrap();
        let config = TrainConfig { checkpoint_every: 1, ..small(1, 4) };
        let mended = train(&mut env, &config, dir.path(), &mut |_| ControlFlow::Continue(()));
        let mended = mended.unwrap();
        assert_eq!((mended.resumed_from, mended.learner.iteration), (Some(2), 4));
    }
}

#[test]
fn rewards_beyond_the_limit_stop() {
    let dir = tempfile::tempdir().unwrap();
    let text = stopped(-2e6, |_| (), dir.path()).to_string();
    assert!(text.contains("-2000000") && text.contains("±1000000"), "{text}");
    let dir = tempfile::tempdir().unwrap();
    let text = stopped(-7.0, |config| config.ppo.reward_limit = 6.5, dir.path()).to_string();
    assert!(text.contains("iteration 3") && text.contains("-7"), "{text}");
}

#[test]
fn a_loss_beyond_its_limit_stops() {
    let dir = tempfile::tempdir().unwrap();
    // Value losses of scaled returns are about one.
    let error = stopped(0.0, |config| config.ppo.loss_limit = 1e-4, dir.path());
    let LearnError::Stopped { iteration: 1, fault: Fault::Loss { .. }, last_good: Some(last) } =
        &error
    else {
        panic!("{error}")
    };
    assert!(last.ends_with("00000000"), "the untrained policy is there: {}", last.display());
}

#[test]
fn settings_are_checked_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(1, 1);
    config.ppo.lambda = -0.5;
    let mut env = Batch::<Reach>::new(4);
    let error = train(&mut env, &config, dir.path(), &mut |_| ControlFlow::Continue(()));
    assert!(error.unwrap_err().to_string().contains("`ppo.lambda`"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
