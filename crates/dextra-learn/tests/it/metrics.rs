//! `metrics.jsonl` says what happened.

use crate::tasks::{Batch, Reach, small};
use dextra_learn::{IterationMetrics, train};
use std::ops::ControlFlow;

#[test]
fn one_line_per_iteration_with_everything_that_was_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    let mut env = Batch::<Reach>::new(16);
    train(&mut env, &small(1, 5), dir.path(), &mut |metrics| {
        seen.push(metrics.clone());
        ControlFlow::Continue(())
    })
    .unwrap();
    let text = std::fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
    let read: Vec<IterationMetrics> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, seen);
    let steps: Vec<u64> = read.iter().map(|m| m.steps).collect();
    assert_eq!(steps, [256, 512, 768, 1024, 1280], "16 worlds, 16 steps each");
    // Episodes last at most 40 steps, so some end by the third iteration at the latest.
    assert!(read[2].episodes > 0 && read[2].mean_length_steps.is_some_and(|l| l <= 40.0));
    for metrics in &read {
        assert!(metrics.mean_reward < 0.0 && metrics.kl_nat >= 0.0 && metrics.action_std > 0.0);
        assert!(metrics.env_s >= 0.0 && metrics.learning_s >= 0.0);
        assert_eq!(metrics.mean_return.is_some(), metrics.episodes > 0);
    }
}
