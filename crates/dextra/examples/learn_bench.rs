//! How fast learning is on this machine, at the sizes of one hand and one object.
//!
//! ```sh
//! cargo run --release -p dextra --example learn_bench
//! ```
//!
//! Prints environment steps per second with an environment that costs nearly nothing, so that what is left
//! is the cost of learning; the share of the learner when the environment makes 10 000 steps per
//! second; and how long a policy takes for one action.

use dextra_learn::{
    ActionSlot, Contract, Env, EnvError, ObservationSlice, Policy, Step, TrainConfig, train,
};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Numbers per observation and per action.
const SIZES: (usize, usize) = (300, 28);
const WORLDS: usize = 128;
/// Longest median time of one action, microseconds.
const REQUIRED_US: f64 = 50.0;

/// Worlds whose observations follow the actions a little; the reward is the negative square of the
/// observation's first numbers.
struct Drift {
    contract: Contract,
    states: Vec<f32>,
    age: u32,
}

impl Drift {
    fn new() -> Self {
        let actions = (0..SIZES.1).map(|i| ActionSlot::new(&format!("joint {i}"), "rad", 0.1));
        Self {
            contract: Contract {
                observations: vec![ObservationSlice::new("state", SIZES.0, "1", [-2.0, 2.0])],
                actions: actions.collect(),
                hand: "no hand".into(),
            },
            states: vec![0.0; WORLDS * SIZES.0],
            age: 0,
        }
    }

    fn restart(&mut self) {
        self.age = 0;
        for (i, x) in self.states.iter_mut().enumerate() {
            *x = ((i * 7919) % 1000) as f32 / 500.0 - 1.0;
        }
    }
}

impl Env for Drift {
    fn contract(&self) -> &Contract {
        &self.contract
    }

    fn worlds(&self) -> usize {
        WORLDS
    }

    fn reset(&mut self, _seed: u64, observations: &mut [f32]) -> Result<(), EnvError> {
        self.restart();
        observations.copy_from_slice(&self.states);
        Ok(())
    }

    fn step(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        self.age += 1;
        let rows = self.states.chunks_exact_mut(SIZES.0).zip(actions.chunks_exact(SIZES.1));
        for (world, (state, action)) in rows.enumerate() {
            for (x, a) in state.iter_mut().zip(action) {
                *x = (*x + 0.1 * a).clamp(-2.0, 2.0);
            }
            step.rewards[world] = -state[..SIZES.1].iter().map(|x| x * x).sum::<f32>();
        }
        step.terminated.fill(false);
        step.truncated.fill(self.age == 50);
        step.last_observations.copy_from_slice(&self.states);
        if self.age == 50 {
            self.restart();
        }
        step.observations.copy_from_slice(&self.states);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, EnvError> {
        Ok(Vec::new())
    }

    fn load(&mut self, _state: &[u8]) -> Result<(), EnvError> {
        Ok(())
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("dextra-learn-bench-{}", std::process::id()));
    let mut config = TrainConfig { iterations: 12, ..Default::default() };
    config.ppo.minibatches = 2;
    let samples = WORLDS * config.ppo.horizon;
    let updates = config.ppo.epochs * config.ppo.minibatches;
    let mut seconds = Vec::new();
    let mut env = Drift::new();
    let trained = train(&mut env, &config, &folder, &mut |metrics| {
        seconds.push((metrics.env_s, metrics.learning_s));
        ControlFlow::Continue(())
    })?;
    seconds.remove(0);
    seconds.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (env_s, learning_s) = seconds[seconds.len() / 2];
    let hidden = &config.network.actor;
    println!("actor and critic {} -> {hidden:?} -> {}, {WORLDS} worlds", SIZES.0, SIZES.1);
    println!(
        "iteration of {samples} steps: learning {:.0} ms (best {:.0}), environment {:.1} ms",
        1e3 * learning_s,
        1e3 * seconds[0].1,
        1e3 * env_s
    );
    println!("{updates} minibatches of {} per iteration", samples / config.ppo.minibatches);
    println!(
        "steps per second when the environment costs nothing: {:.0}",
        samples as f64 / learning_s
    );
    let physics_s = samples as f64 / 1e4;
    println!(
        "share of learning when the environment makes 10000 steps/s: {:.0} %",
        100.0 * learning_s / (learning_s + physics_s)
    );

    let mut policy = Policy::load(&trained.checkpoint, &env.contract)?;
    let observation: Vec<f32> = (0..SIZES.0).map(|i| (i as f32 / 50.0).sin()).collect();
    let mut action = vec![0.0; SIZES.1];
    let mut micros: Vec<f64> = (0..20_000)
        .map(|_| {
            let start = Instant::now();
            policy.act(std::hint::black_box(&observation), &mut action).map(|()| {
                std::hint::black_box(&action);
                1e6 * start.elapsed().as_secs_f64()
            })
        })
        .collect::<Result<_, _>>()?;
    micros.sort_by(f64::total_cmp);
    let at = |part: f64| micros[(part * (micros.len() - 1) as f64) as usize];
    let met = at(0.5) < REQUIRED_US;
    println!(
        "policy, one action: median {:.1} us, fastest {:.1} us, 99 % within {:.1} us; \
         median under {REQUIRED_US} required: {}",
        at(0.5),
        micros[0],
        at(0.99),
        if met { "met" } else { "NOT met" }
    );
    std::fs::remove_dir_all(folder)?;
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
