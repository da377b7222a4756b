//! Control steps per CPU-second of the track environment: the built-in cube clip with the Allegro hand,
//! random actions round the refined trajectory.
//!
//! ```sh
//! cargo run --release -p dextra-motion --example track_bench -- [WORLDS] [STEPS] [THREADS]
//! ```

use dextra_core::{Motion, Side};
use dextra_motion::refine::journal::{NoJournal, Unobserved};
use dextra_motion::refine::{RefineConfig, RefineInput, refine};
use dextra_motion::retarget::{ObjectInput, RetargetConfig, RetargetHand, retarget};
use dextra_motion::synth::{NoiseConfig, SynthClip, synth};
use dextra_motion::track::evaluate::{Perturbation, evaluate};
use dextra_motion::track::randomise::Randomisation;
use dextra_motion::track::{ObservationConfig, StepOut, Task, TrackConfig, TrackEnv};
use dextra_sim::batch::Batch;
use dextra_sim::hand::Hand;
use dextra_sim::object::{DecomposeConfig, ObjectModel};
use dextra_sim::world::World;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let worlds = numbers.next().transpose()?.unwrap_or(256);
    let steps = numbers.next().transpose()?.unwrap_or(100);
    let threads = numbers.next().transpose()?.unwrap_or(1);

    let demo = synth(SynthClip::Cube, 0, &NoiseConfig::none());
    let hand = Hand::builtin("allegro", Side::Right)?;
    let models = [RetargetHand::new(hand.tree.clone(), hand.map.clone(), |_| 0.009)?];
    let track = &demo.objects[0];
    let decompose = DecomposeConfig::default();
    let objects = [ObjectModel::build("cube", track.mesh.clone(), track.mass, &decompose, None)?];
    let inputs =
        [ObjectInput { surface: &objects[0].surface, world_from_object: &track.world_from_object }];
    let config = RetargetConfig::default();
    let motion = retarget(&demo.hands[0], demo.fps, &inputs, &models[0], &config)?;
    let motion = Motion { fps: demo.fps, hands: vec![motion] };
    let hands = [&hand];
    let input = RefineInput {
        demo: &demo,
        hands: &hands,
        models: &models,
        objects: &objects,
        motion: &motion,
        remembered: &[],
    };
    let began = cpu_seconds();
    let refined = refine(&input, &RefineConfig::default(), &mut NoJournal, &Unobserved)?;
    println!("refined in {:.1} CPU-s", cpu_seconds() - began);

    let (began, nu) = (cpu_seconds(), refined.rollout.nu);
    let mut batch = Batch::new(&refined.scene.model, worlds, threads)?;
    let mut start = World::new(&refined.scene);
    start.reset(&refined.rollout.qpos0);
    let all: Vec<usize> = (0..worlds).collect();
    for &world in &all {
        batch.set_state(world, &start.state())?;
    }
    let mut played = 0;
    for rows in refined.rollout.ctrl.chunks_exact(3 * nu) {
        batch.rollout(&all, 3, &rows.repeat(worlds))?;
        played += 3 * worlds;
    }
    let spent = cpu_seconds() - began;
    println!("the engine alone: {:.0} physics steps per CPU-second", played as f64 / spent);

    for basis_points in [128, 0] {
        let config = TrackConfig {
            worlds,
            threads,
            randomisation: Randomisation::placed(0.01),
            observations: ObservationConfig { basis_points, ..ObservationConfig::default() },
            ..TrackConfig::default()
        };
        let played = (refined.rollout.ctrl.as_slice(), refined.rollout.qpos.as_slice());
        let task = Task::played(&refined.scene, &refined.timeline, played, &hands, &objects);
        let mut env = TrackEnv::new(task, config)?;
        env.reset_all(1)?;
        let mut out = StepOut::default();
        let mut actions = vec![0.0f32; worlds * env.action_dim()];
        let mut state = 1u64;
        let (began, clock) = (cpu_seconds(), Instant::now());
        let mut episodes = 0;
        for _ in 0..steps {
            for action in &mut actions {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *action = ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * 0.5;
            }
            env.step(&actions, &mut out)?;
            episodes += out.terminated.iter().chain(&out.truncated).filter(|&&ended| ended).count();
        }
        let (spent, wall) = (cpu_seconds() - began, clock.elapsed().as_secs_f64());
        println!(
            "{} observations, {} actions, {} control steps a task: {:.0} control steps per CPU-second \
             ({:.0} physics steps), {:.0} per second on {threads} threads, {episodes} episodes",
            env.observation_dim(),
            env.action_dim(),
            env.steps(),
            (worlds * steps) as f64 / spent,
            3.0 * (worlds * steps) as f64 / spent,
            (worlds * steps) as f64 / wall,
        );
        for (name, mean) in env.take_term_means() {
            println!("  {name:16} {mean:8.4}");
        }
        for offset in [0.0, 0.005, 0.01] {
            let perturbation = Perturbation { offset, ..Perturbation::default() };
            let found = evaluate(&mut env, |_, _| {}, &perturbation, 50)?;
            println!("zero residual, {:.1} cm off: {} of 50", offset * 100.0, found.successes);
        }
    }
    Ok(())
}

/// CPU seconds of this process so far, all threads.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| -> f64 {
        after.split_whitespace().nth(field).and_then(|t| t.parse().ok()).unwrap_or(0.0)
    };
    // utime and stime are the 14th and 15th fields; two stand before the bracket. 100 ticks a second.
    (ticks(11) + ticks(12)) / 100.0
}
