//! Environment steps per second, learning included: our PPO, that of Stable-Baselines3 and that of
//! rsl_rl, on the same scene with the same networks, horizon and epochs. `cargo xtask bench ppo` runs
//! it; `docs/results/learning.md` holds what it printed.
//!
//! The machine may be busy, so every round gives each of them a turn of some iterations, and what
//! counts is the median over rounds of the ratio within a round. Python's libraries are tried with one
//! thread and with all of them for tensors first, and run with the better number.

mod python;
#[path = "../../../dextra-sim/examples/step_bench/scene.rs"]
mod scene;
#[path = "../../../dextra-sim/examples/step_bench/times.rs"]
mod times;
mod worlds;

use dextra_learn::{Env, LossConfig, NetworkConfig, PpoConfig, Step, TrainConfig, train};
use dextra_sim::scene::Scene;
use python::{Python, Turn};
use std::cell::Cell;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;
use times::{Times, median, ratio};
use worlds::{Task, Worlds, cpu_seconds};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The script of each contestant in Python with its argument, and how much faster than it ours has to be.
const OTHERS: [(&[&str], f64); 4] = [
    (&["sb3_own.py", "dummy"], 2.0),
    (&["sb3_own.py", "subproc"], 2.0),
    (&["sb3.py"], 1.0),
    (&["rsl.py"], 1.0),
];
const HAND: &str = "allegro";
/// Rounds per number of threads that choose between those.
const TRIALS: usize = 2;

struct Settings {
    task: Task,
    rounds: usize,
    /// Iterations per turn.
    iterations: u64,
}

impl Settings {
    fn parse(scene: &Scene) -> Outcome<Settings> {
        let (learning, loss) = (PpoConfig::default(), LossConfig::default());
        let mut task = Task {
            worlds: 64,
            threads: std::thread::available_parallelism()?.get(),
            horizon: learning.horizon,
            epochs: learning.epochs,
            minibatches: learning.minibatches,
            hidden: vec![256, 128],
            rate: learning.rate,
            gamma: learning.gamma,
            lambda: learning.lambda,
            clip: loss.clip,
            gradient_norm: learning.gradient_norm,
            log_std: NetworkConfig::default().log_std,
            target_kl: learning.target_kl.unwrap_or(0.01),
            substeps: 3,
            length: 50,
            base: Vec::new(),
            scale: Vec::new(),
            target_m: [0.03, 0.0, 0.05],
            rate_per_m: 20.0,
            object_qpos: 0,
            start: Vec::new(),
        };
        task.aim(scene)?;
        let mut settings = Settings { task, rounds: 15, iterations: 4 };
        let mut args = std::env::args().skip(1);
        while let Some(flag) = args.next() {
            let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--worlds" => settings.task.worlds = value.parse()?,
                "--rounds" => settings.rounds = value.parse()?,
                "--iterations" => settings.iterations = value.parse()?,
                _ => return Err(format!("unknown flag {flag}").into()),
            }
        }
        Ok(settings)
    }

    /// Numbers of threads for tensors that Python's libraries are tried with.
    fn choices(&self) -> Vec<usize> {
        if self.task.threads == 1 { vec![1] } else { vec![1, self.task.threads] }
    }

    fn training(&self) -> TrainConfig {
        let Task { hidden, horizon, epochs, minibatches, .. } = &self.task;
        TrainConfig {
            iterations: u64::MAX,
            checkpoint_every: u64::MAX,
            network: NetworkConfig {
                actor: hidden.clone(),
                critic: hidden.clone(),
                ..NetworkConfig::default()
            },
            ppo: PpoConfig {
                horizon: *horizon,
                epochs: *epochs,
                minibatches: *minibatches,
                ..PpoConfig::default()
            },
            ..TrainConfig::default()
        }
    }
}

/// Plays random actions for longer than an episode and writes them down for Python. Returns what came
/// out after each step: of every world positions, velocities and the reward.
fn path(worlds: &mut Worlds, task: &Task, folder: &Path) -> Outcome<Vec<f64>> {
    let (size, actions) = (worlds.contract().observation_size(), worlds.contract().action_size());
    let (mut seed, mut path, mut written) = (1u64, Vec::new(), Vec::new());
    let mut random = move || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let mut step = Step::new(task.worlds, size);
    worlds.reset(0, &mut step.observations)?;
    for _ in 0..task.length + 10 {
        let actions: Vec<f32> = (0..task.worlds * actions).map(|_| random()).collect();
        written.extend(actions.iter().flat_map(|action| action.to_le_bytes()));
        worlds.step(&actions, &mut step)?;
        for (world, reward) in step.rewards.iter().enumerate() {
            path.extend_from_slice(worlds.motion(world));
            path.push((*reward).into());
        }
    }
    std::fs::write(folder.join("actions.f32"), written)?;
    Ok(path)
}

/// Whether Python's path has the same bits, and rewards that differ by rounding at most; `row` numbers
/// per world and step, of which the reward is the last.
fn same_path(path: &[f64], folder: &Path, row: usize) -> Outcome<bool> {
    let bytes = std::fs::read(folder.join("path.f64"))?;
    let theirs: Vec<f64> =
        bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight"))).collect();
    let same = |(ours, theirs): (&[f64], &[f64])| {
        let motion = ours.iter().zip(theirs).take(row - 1);
        motion.into_iter().all(|(a, b)| a.to_bits() == b.to_bits())
            && (ours[row - 1] - theirs[row - 1]).abs() < 1e-6
    };
    Ok(path.len() == theirs.len() && path.chunks_exact(row).zip(theirs.chunks_exact(row)).all(same))
}

/// The rounds so far. Each starts with iterations of ours; the others' turns follow.
struct Rounds<'a> {
    settings: &'a Settings,
    others: Vec<Python>,
    /// Iterations of ours in this round, and when it began.
    done: u64,
    began: (Instant, f64),
    /// Seconds in our worlds in this round.
    worlds: Rc<Cell<Times>>,
    /// All turns of ours, and of each of the others with the number of threads.
    ours: Vec<Turn>,
    theirs: Vec<Vec<(usize, Turn)>>,
    chosen: Vec<usize>,
}

impl Rounds<'_> {
    /// Takes note of an iteration of ours; after the last of a turn the others have theirs. Whether
    /// there is more to do.
    fn iteration(&mut self) -> Outcome<bool> {
        self.done += 1;
        if self.done < self.settings.iterations {
            return Ok(true);
        }
        let whole =
            Times { wall: self.began.0.elapsed().as_secs_f64(), cpu: cpu_seconds() - self.began.1 };
        self.ours.push(Turn { whole, worlds: self.worlds.get() });
        let choices = self.settings.choices();
        // Round 0 warms up.
        let trials = 1 + TRIALS * choices.len();
        let round = self.ours.len() - 1;
        for (i, other) in self.others.iter_mut().enumerate() {
            if round == trials {
                self.chosen[i] = fastest(&choices, &self.theirs[i][1..]);
            }
            let threads =
                if round < trials { choices[round % choices.len()] } else { self.chosen[i] };
            let turn = other.turn(threads, self.settings.iterations)?;
            self.theirs[i].push((threads, turn));
        }
        if self.ours.len() == trials + self.settings.rounds {
            self.ours.drain(..trials);
            self.theirs.iter_mut().for_each(|turns| drop(turns.drain(..trials)));
            return Ok(false);
        }
        self.done = 0;
        self.worlds.set(Times::default());
        self.began = (Instant::now(), cpu_seconds());
        Ok(true)
    }
}

/// The number of threads with the least median wall time.
fn fastest(choices: &[usize], turns: &[(usize, Turn)]) -> usize {
    let wall = |threads: usize| {
        median(turns.iter().filter(|(t, _)| *t == threads).map(|(_, t)| t.whole.wall).collect())
    };
    choices.iter().copied().min_by(|a, b| wall(*a).total_cmp(&wall(*b))).unwrap_or(1)
}

/// One line of the table: speed, and where an iteration goes.
fn line(name: &str, threads: usize, turns: &[Turn], steps: f64, iterations: f64) {
    let middle = |of: &dyn Fn(&Turn) -> f64| median(turns.iter().map(of).collect());
    let speed = |of: fn(&Times) -> f64| middle(&|turn| steps / of(&turn.whole));
    let worlds = |of: fn(&Times) -> f64| 1e3 * middle(&|turn| of(&turn.worlds)) / iterations;
    let learning = |of: fn(&Times) -> f64| {
        1e3 * middle(&|turn| of(&turn.whole) - of(&turn.worlds)) / iterations
    };
    println!(
        "| {name} | {threads} | {:.0} | {:.0} | {:.0} / {:.0} | {:.0} / {:.0} |",
        speed(|t| t.wall),
        speed(|t| t.cpu),
        worlds(|t| t.wall),
        worlds(|t| t.cpu),
        learning(|t| t.wall),
        learning(|t| t.cpu),
    );
}

fn run() -> Outcome<bool> {
    let scene = scene::palm_up(HAND)?;
    let settings = Settings::parse(&scene)?;
    let task = &settings.task;
    let folder = tempfile::tempdir()?;
    scene::write(&scene, folder.path())?;
    std::fs::write(folder.path().join("task.json"), serde_json::to_vec(task)?)?;

    let spent = Rc::default();
    let mut worlds = Worlds::new(&scene, task.clone(), Rc::clone(&spent))?;
    let path = path(&mut worlds, task, folder.path())?;
    let row = worlds.motion(0).len() + 1;
    let (mut others, mut identical) = (Vec::new(), true);
    for (script, _) in OTHERS {
        others.push(Python::start(folder.path(), script)?);
        identical &= same_path(&path, folder.path(), row)?;
    }
    let sizes = (worlds.contract().observation_size(), worlds.contract().action_size());
    println!(
        "{HAND} and a cube: {} worlds x {} steps per iteration, networks {} -> {:?} -> {}, {} epochs of \
         {} minibatches,\n{} threads, {} rounds of {} iterations",
        task.worlds,
        task.horizon,
        sizes.0,
        task.hidden,
        sizes.1,
        task.epochs,
        task.minibatches,
        task.threads,
        settings.rounds,
        settings.iterations
    );
    println!("states of all bit for bit equal: {}", if identical { "yes" } else { "NO" });

    let mut rounds = Rounds {
        settings: &settings,
        chosen: vec![1; others.len()],
        theirs: vec![Vec::new(); others.len()],
        others,
        done: 0,
        began: (Instant::now(), cpu_seconds()),
        worlds: spent,
        ours: Vec::new(),
    };
    let mut failure = None;
    train(&mut worlds, &settings.training(), &folder.path().join("ours"), &mut |_| match rounds
        .iteration()
    {
        Ok(true) => ControlFlow::Continue(()),
        Ok(false) => ControlFlow::Break(()),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    let Rounds { others, ours, theirs, chosen, .. } = rounds;

    let iterations = settings.iterations as f64;
    let steps = (task.worlds * task.horizon) as f64 * iterations;
    println!(
        "\n| PPO | threads for tensors | steps/s | steps/CPU-s | worlds, ms per iteration, wall / CPU | learning |"
    );
    println!("|---|---|---|---|---|---|");
    line("dextra", task.threads, &ours, steps, iterations);
    let (whole, mut met) =
        (|turns: &[Turn]| turns.iter().map(|t| t.whole).collect::<Vec<_>>(), identical);
    let mut verdicts = Vec::new();
    for (i, (other, (_, required))) in others.into_iter().zip(OTHERS).enumerate() {
        let turns: Vec<Turn> = theirs[i].iter().map(|(_, turn)| *turn).collect();
        line(&other.name, chosen[i], &turns, steps, iterations);
        let (ours, theirs) = (whole(&ours), whole(&turns));
        let (speed, wall) = ratio(&ours, &theirs, |t| t.wall);
        let (_, cpu) = ratio(&ours, &theirs, |t| t.cpu);
        let verdict = if speed >= required { "met" } else { "NOT met" };
        met &= speed >= required;
        verdicts.push(format!(
            "dextra / {}: {wall} in wall time, {cpu} in CPU time; {required} required: {verdict}",
            other.name
        ));
        other.finish()?;
    }
    println!("\n{}", verdicts.join("\n"));
    Ok(met)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
