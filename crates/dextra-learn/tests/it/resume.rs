//! Training gives the same bits whenever it is repeated, however often it is interrupted, and on any
//! number of threads.

use crate::tasks::{Batch, Reach, small};
use dextra_learn::{LearnError, Learner, TrainConfig, train};
use std::ops::ControlFlow;
use std::path::Path;

fn trained(config: &TrainConfig, folder: &Path) -> Learner {
    let mut env = Batch::<Reach>::new(16);
    train(&mut env, config, folder, &mut |_| ControlFlow::Continue(())).unwrap().learner
}

/// Every number of a learner as bits.
fn bits(learner: &Learner) -> Vec<u64> {
    let parameters = learner.network.parameters();
    let lists = parameters.iter().map(|p| p.values);
    let adam = learner.adam.first.iter().chain(&learner.adam.second).map(Vec::as_slice);
    let singles = lists.chain(adam).flatten().map(|x| u64::from(x.to_bits()));
    let moments = [&learner.observations, &learner.returns];
    let doubles = moments.into_iter().flat_map(|m| m.mean.iter().chain(&m.squares));
    let rest = [learner.rate.to_bits(), learner.iteration, learner.steps];
    singles.chain(doubles.map(|x| x.to_bits())).chain(rest).collect()
}

#[test]
fn a_seed_decides_every_bit() {
    let (a, b, c) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = trained(&small(3, 4), a.path());
    assert_eq!(bits(&first), bits(&trained(&small(3, 4), b.path())));
    assert_ne!(bits(&first), bits(&trained(&small(4, 4), c.path())), "the seed matters");
}

#[test]
fn an_interrupted_training_ends_with_the_same_bits() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = small(5, 7);
    let expected = trained(&config, whole.path());
    // Interrupted twice; each time a new environment takes over.
    for stop in [2, 5] {
        let mut env = Batch::<Reach>::new(16);
        let part = train(&mut env, &config, parts.path(), &mut |m| match m.iteration == stop {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        let part = part.unwrap();
        assert!(part.interrupted && part.learner.iteration == stop);
    }
    let resumed = trained(&config, parts.path());
    assert_eq!(bits(&resumed), bits(&expected));
    // What was written is the same too: weights, contract, environment.
    for file in [
        "policy.json",
        "policy.safetensors",
        "training.safetensors",
        "training.json",
        "environment.bin",
    ] {
        let read = |dir: &Path| std::fs::read(dir.join("checkpoints/00000007").join(file)).unwrap();
        assert!(read(whole.path()) == read(parts.path()), "{file} differs");
    }
}

#[test]
fn what_was_lost_after_a_checkpoint_is_repeated() {
    let (whole, lost) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = TrainConfig { checkpoint_every: 2, checkpoints_kept: 9, ..small(5, 5) };
    let expected = trained(&config, whole.path());
    trained(&config, lost.path());
    // As if the process had been killed in iteration 5, with the line of iteration 4 cut short.
    let checkpoints = lost.path().join("checkpoints");
    std::fs::remove_dir_all(checkpoints.join("00000005")).unwrap();
    std::fs::remove_dir_all(checkpoints.join("00000004")).unwrap();
    std::fs::create_dir(checkpoints.join(".00000004.tmp")).unwrap();
    let log = lost.path().join("metrics.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, &text[..text.len() - 30]).unwrap();
    assert_eq!(bits(&trained(&config, lost.path())), bits(&expected));
    let lines = std::fs::read_to_string(&log).unwrap();
    let iterations: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<dextra_learn::IterationMetrics>(line).unwrap().iteration)
        .collect();
    assert_eq!(iterations, [1, 2, 3, 4, 5], "each iteration once");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let learn = |threads: usize| {
        let dir = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // Wide enough for the library to split its products over threads.
        let mut config = small(2, 2);
        config.network.actor = vec![256, 256];
        config.network.critic = vec![256, 256];
        config.ppo.minibatches = 1;
        config.ppo.epochs = 2;
        let mut env = Batch::<Reach>::new(64);
        let learned = pool.install(|| {
            train(&mut env, &config, dir.path(), &mut |_| ControlFlow::Continue(())).unwrap()
        });
        bits(&learned.learner)
    };
    let one = learn(1);
    assert!(one == learn(2), "two threads");
    assert!(one == learn(3), "three threads");
}

#[test]
fn training_goes_on_only_with_the_same_settings() {
    let dir = tempfile::tempdir().unwrap();
    trained(&small(1, 1), dir.path());
    let refused = |config: &TrainConfig, worlds: usize| {
        let mut env = Batch::<Reach>::new(worlds);
        let error = train(&mut env, config, dir.path(), &mut |_| ControlFlow::Continue(()));
        let error = error.unwrap_err();
        assert!(matches!(error, LearnError::Field { .. }), "{error}");
        error.to_string()
    };
    let mut other = small(1, 2);
    other.ppo.gamma = 0.9;
    assert!(refused(&other, 16).contains("training.json: `config.ppo`"));
    assert!(refused(&small(2, 2), 16).contains("config.seed"));
    assert!(refused(&small(1, 2), 8).contains("worlds"));
    assert_eq!(trained(&small(1, 2), dir.path()).iteration, 2, "more iterations are fine");
}
