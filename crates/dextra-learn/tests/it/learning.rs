//! Policies learn small tasks, and the ones read back from disk are as good.

use crate::tasks::{Batch, Pendulum, Reach, World, small};
use dextra_learn::{Env, Learner, Policy, Step, train};
use std::ops::ControlFlow;
use std::path::Path;

/// Mean return of `episodes` episodes of the policy at `checkpoint`, from starts it has not seen;
/// `None` for a policy that does nothing.
fn mean_return<W: World>(checkpoint: Option<&Path>, episodes: usize) -> f64 {
    let mut env = Batch::<W>::new(episodes);
    let contract = env.contract().clone();
    let mut policy = checkpoint.map(|path| Policy::load(path, &contract).unwrap());
    let (size, width) = (contract.observation_size(), contract.action_size());
    let mut step = Step::new(episodes, size);
    env.reset(1 << 40, &mut step.observations).unwrap();
    let (mut sum, mut running) = (0.0, vec![true; episodes]);
    let mut actions = vec![0.0; episodes * width];
    while running.iter().any(|r| *r) {
        if let Some(policy) = &mut policy {
            for (seen, action) in
                step.observations.chunks_exact(size).zip(actions.chunks_exact_mut(width))
            {
                policy.act(seen, action).unwrap();
            }
        }
        env.step(&actions, &mut step).unwrap();
        for world in 0..episodes {
            if running[world] {
                sum += f64::from(step.rewards[world]);
            }
            running[world] &= !(step.terminated[world] || step.truncated[world]);
        }
    }
    sum / episodes as f64
}

#[test]
fn a_point_learns_to_reach_its_goal() {
    let dir = tempfile::tempdir().unwrap();
    let mut env = Batch::<Reach>::new(64);
    let trained =
        train(&mut env, &small(1, 60), dir.path(), &mut |_| ControlFlow::Continue(())).unwrap();
    let idle = mean_return::<Reach>(None, 200);
    let learned = mean_return::<Reach>(Some(&trained.checkpoint), 200);
    // Straight to the goal at full speed: about 10 steps of 0.5 m on average, so about −5.
    eprintln!("reach: {learned:.2}, doing nothing {idle:.2}");
    assert!(idle < -35.0, "doing nothing costs much: {idle}");
    assert!(learned > -9.0, "return {learned}");
}

#[test]
fn a_pendulum_learns_to_swing_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut env = Batch::<Pendulum>::new(64);
    let mut config = small(1, 150);
    config.ppo.gamma = 0.97;
    let trained = train(&mut env, &config, dir.path(), &mut |_| ControlFlow::Continue(())).unwrap();
    let idle = mean_return::<Pendulum>(None, 200);
    let learned = mean_return::<Pendulum>(Some(&trained.checkpoint), 200);
    eprintln!("pendulum: {learned:.1}, doing nothing {idle:.1}");
    assert!(idle < -450.0, "doing nothing costs much: {idle}");
    assert!(learned > -300.0, "return {learned}");
}

#[test]
fn the_critic_alone_learns_in_the_first_iterations() {
    let dir = tempfile::tempdir().unwrap();
    let learned = |iterations: u64| {
        let mut config = small(2, iterations);
        config.ppo.critic_first = 2;
        let mut env = Batch::<Reach>::new(8);
        let start = Learner::new(env.contract(), &config.network, &config.ppo, config.seed);
        let trained =
            train(&mut env, &config, dir.path(), &mut |_| ControlFlow::Continue(())).unwrap();
        (start.network, trained.learner.network)
    };
    let (start, now) = learned(2);
    assert!(start.actor == now.actor && start.log_std == now.log_std && start.critic != now.critic);
    let (start, now) = learned(3);
    assert!(start.actor != now.actor && start.log_std != now.log_std);
}

#[test]
fn the_standard_deviation_stays_within_its_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = small(2, 10);
    config.network.log_std = -0.45;
    config.network.log_std_range = [-0.5, -0.4];
    // A bonus so large that nothing else counts.
    config.ppo.loss.entropy = 10.0;
    let mut env = Batch::<Reach>::new(8);
    let trained = train(&mut env, &config, dir.path(), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(trained.learner.network.log_std, [-0.4; 2]);
}
