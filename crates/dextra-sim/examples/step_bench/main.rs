//! Steps many worlds of one scene in three ways, in turns: our batch, a bare loop over `mj_step`,
//! and Python's `mujoco.rollout`. `cargo xtask bench step` runs it; `docs/results/stepping.md` holds
//! what it printed.
//!
//! The machine may be busy, so every round times all three one after the other, and what counts is
//! the median over rounds of the ratio within a round. Seconds of processor time are the main
//! measure; wall time is printed beside it.
#![expect(unsafe_code, reason = "the standard library has no clock of processor time")]

mod scene;
mod times;

use dextra_sim::batch::Batch;
use dextra_sim::scene::Scene;
use mujoco_rs::prelude::*;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use times::{Times, median, ratio};

/// The batch may be slower than the bare loop by this factor at most.
const REQUIRED: f64 = 0.97;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct Settings {
    hands: Vec<String>,
    worlds: usize,
    steps: usize,
    threads: usize,
    rounds: usize,
}

impl Settings {
    fn parse() -> Outcome<Settings> {
        let cores = std::thread::available_parallelism()?.get();
        let mut settings = Settings {
            hands: vec!["allegro".to_owned(), "shadow".to_owned()],
            worlds: 64,
            steps: 300,
            threads: cores,
            rounds: 9,
        };
        let mut args = std::env::args().skip(1);
        while let Some(flag) = args.next() {
            let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--hands" => settings.hands = value.split(',').map(str::to_owned).collect(),
                "--worlds" => settings.worlds = value.parse()?,
                "--steps" => settings.steps = value.parse()?,
                "--threads" => settings.threads = value.parse()?,
                "--rounds" => settings.rounds = value.parse()?,
                _ => return Err(format!("unknown flag {flag}").into()),
            }
        }
        Ok(settings)
    }
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// Processor seconds of all threads of this process.
fn cpu_seconds() -> f64 {
    const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the pointer is valid, and the layout is that of 64-bit Linux.
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.seconds as f64 + time.nanoseconds as f64 * 1e-9
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Times) {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let result = work();
    (result, Times { wall: start.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu })
}

/// Targets within the inner half of the control ranges, `[worlds, steps, nu]`, new every tenth step.
fn controls(scene: &Scene, worlds: usize, steps: usize) -> Vec<f64> {
    let ranges = scene.model.actuator_ctrlrange();
    let mut seed = 1u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut row = vec![0.0; ranges.len()];
    let mut ctrl = Vec::with_capacity(worlds * steps * row.len());
    for step in 0..worlds * steps {
        if step % 10 == 0 {
            for &finger in &scene.hands[0].finger_ctrl {
                let [low, high] = ranges[finger];
                row[finger] = low + (high - low) * (0.25 + 0.5 * random());
            }
        }
        ctrl.extend_from_slice(&row);
    }
    ctrl
}

/// The least that steps these worlds: threads take worlds off a counter; nothing is recorded but
/// the last joint positions.
fn bare_loop(
    datas: &mut [MjData<&MjModel>],
    start: &[f64],
    ctrl: &[f64],
    worlds: usize,
) -> Vec<Vec<f64>> {
    const WHOLE_STATE: u32 = 16383;
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![Vec::new(); worlds]);
    std::thread::scope(|scope| {
        for data in datas {
            scope.spawn(|| {
                let nu = data.model().nu() as usize;
                loop {
                    let world = next.fetch_add(1, Ordering::Relaxed);
                    if world >= worlds {
                        break;
                    }
                    data.set_state(start, WHOLE_STATE).expect("the state is of this model");
                    let size = ctrl.len() / worlds;
                    for row in ctrl[world * size..(world + 1) * size].chunks_exact(nu) {
                        data.ctrl_mut().copy_from_slice(row);
                        data.step();
                    }
                    let qpos = data.qpos().to_vec();
                    results.lock().expect("no thread panics with the lock")[world] = qpos;
                }
            });
        }
    });
    results.into_inner().expect("no thread panics with the lock")
}

/// The Python process that waits for its turns.
struct Python {
    child: Child,
    turns: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start(folder: &Path, settings: &Settings) -> Outcome<Python> {
        let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
        let mut child = Command::new(&python)
            .arg("-c")
            .arg(include_str!("rollout.py"))
            .arg(folder)
            .args([settings.worlds, settings.steps, settings.threads].map(|n| n.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let turns = child.stdin.take().ok_or("no pipe to python3")?;
        let mut answers = BufReader::new(child.stdout.take().ok_or("no pipe from python3")?);
        let mut version = String::new();
        answers.read_line(&mut version)?;
        let ours = dextra_sim::probe::loaded_mujoco_version();
        if version.trim() != ours {
            let found = if version.is_empty() { "none" } else { version.trim() };
            return Err(format!("python3 needs mujoco=={ours} and NumPy; found {found}").into());
        }
        Ok(Python { child, turns, answers })
    }

    fn turn(&mut self) -> Outcome<Times> {
        self.turns.write_all(b"go\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let mut numbers = line.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(wall), Some(cpu)) => Ok(Times { wall: wall?, cpu: cpu? }),
            _ => Err(format!("python3 answered {line:?}").into()),
        }
    }

    fn finish(mut self) -> Outcome<()> {
        drop(self.turns);
        self.child.wait()?;
        Ok(())
    }
}

fn write_f64(path: &Path, values: &[f64]) -> std::io::Result<()> {
    std::fs::write(path, values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}

fn read_f64(path: &Path) -> std::io::Result<Vec<f64>> {
    let bytes = std::fs::read(path)?;
    Ok(bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight"))).collect())
}

fn same_bits(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// Runs all rounds for one hand and prints them; `false` when the requirement is not met.
fn compare(name: &str, settings: &Settings) -> Outcome<bool> {
    let scene = scene::palm_up(name)?;
    let (worlds, steps) = (settings.worlds, settings.steps);
    let ctrl = controls(&scene, worlds, steps);
    let folder = tempfile::tempdir()?;
    scene::write(&scene, folder.path())?;
    write_f64(&folder.path().join("ctrl.f64"), &ctrl)?;
    let mut python = Python::start(folder.path(), settings)?;

    let mut batch = Batch::new(&scene.model, worlds, settings.threads)?;
    let start = batch.state(0).to_vec();
    let all: Vec<usize> = (0..worlds).collect();
    let model: &MjModel = &scene.model;
    let mut datas: Vec<_> = (0..settings.threads).map(|_| MjData::new(model)).collect();
    let mut times: [Vec<Times>; 3] = Default::default();
    let mut identical = true;
    // Round 0 warms up and compares; its times do not count.
    for round in 0..=settings.rounds {
        let (qpos, batch_times) = timed(|| {
            for &world in &all {
                batch.set_state(world, &start)?;
            }
            batch.rollout(&all, steps, &ctrl)
        });
        let qpos = qpos?;
        let (last, bare_times) = timed(|| bare_loop(&mut datas, &start, &ctrl, worlds));
        let python_times = python.turn()?;
        let path = qpos.len() / worlds;
        let ends = qpos.chunks_exact(path).map(|rows| &rows[path - model.nq() as usize..]);
        identical &= ends.zip(&last).all(|(ours, bare)| same_bits(ours, bare));
        if round == 0 {
            identical &= same_bits(&qpos, &read_f64(&folder.path().join("qpos.f64"))?);
            continue;
        }
        for (list, time) in times.iter_mut().zip([batch_times, bare_times, python_times]) {
            list.push(time);
        }
    }
    python.finish()?;

    let total = (worlds * steps) as f64;
    println!(
        "\n{name}: {worlds} worlds x {steps} steps, {} threads, {} rounds",
        settings.threads, settings.rounds
    );
    println!("  states of the three bit for bit equal: {}", if identical { "yes" } else { "NO" });
    let mut met = identical;
    let [ours, bare, rollout] = &times;
    for (what, list) in [("batch", ours), ("bare mj_step loop", bare), ("mujoco.rollout", rollout)]
    {
        let per_cpu = median(list.iter().map(|t| total / t.cpu).collect());
        let per_wall = median(list.iter().map(|t| total / t.wall).collect());
        println!("  {what:<18} {per_cpu:>8.0} steps/CPU-s {per_wall:>8.0} steps/s");
    }
    for (what, other, required) in [("bare loop", bare, REQUIRED), ("mujoco.rollout", rollout, 1.0)]
    {
        let (cpu, text) = ratio(ours, other, |t| t.cpu);
        let (_, wall) = ratio(ours, other, |t| t.wall);
        let verdict = if cpu >= required { "met" } else { "NOT met" };
        println!(
            "  batch / {what:<14} {text} in CPU time, {wall} in wall time; {required} required: {verdict}"
        );
        met &= cpu >= required;
    }
    Ok(met)
}

fn run() -> Outcome<bool> {
    let settings = Settings::parse()?;
    let mut met = true;
    for name in &settings.hands {
        met &= compare(name, &settings)?;
    }
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
