//! The worlds of the benchmark on our side; `worlds.py` holds the same on the other.

use crate::times::Times;
use dextra_learn::{ActionSlot, Contract, Env, EnvError, ObservationSlice, Step};
use dextra_sim::batch::Batch;
use dextra_sim::scene::Scene;
use serde::Serialize;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// What both sides read.
#[derive(Clone, Debug, Serialize)]
pub struct Task {
    pub worlds: usize,
    pub threads: usize,
    /// Steps of each world per iteration.
    pub horizon: usize,
    pub epochs: usize,
    pub minibatches: usize,
    /// Widths of the hidden layers of the actor, and of the critic.
    pub hidden: Vec<usize>,
    pub rate: f64,
    pub gamma: f32,
    pub lambda: f32,
    pub clip: f32,
    pub gradient_norm: f32,
    pub log_std: f32,
    pub target_kl: f32,
    /// Physics steps per control step.
    pub substeps: usize,
    /// Control steps per episode.
    pub length: usize,
    /// Targets without a residual, `[nu]`.
    pub base: Vec<f64>,
    /// What an action of one adds to a target, `[nu]`.
    pub scale: Vec<f64>,
    /// Where the object should be, metres, world frame.
    pub target_m: [f64; 3],
    /// The reward is exp(-rate * distance).
    pub rate_per_m: f64,
    /// Address of the object's position among the joint positions.
    pub object_qpos: usize,
    /// Full state at the start of an episode.
    pub start: Vec<f64>,
}

/// A hand that keeps an object over its palm.
pub struct Worlds {
    task: Task,
    contract: Contract,
    batch: Batch,
    all: Vec<usize>,
    sizes: [usize; 3],
    /// `[worlds, substeps, nu]`.
    ctrl: Vec<f64>,
    age: usize,
    /// Grows by the time of every step.
    spent: Rc<Cell<Times>>,
}

impl Task {
    /// Targets in the middle of the ranges of the fingers, the wrist where it is; residuals of a twentieth of
    /// a range, and 1 cm and 0.01 rad for the wrist.
    pub fn aim(&mut self, scene: &Scene) -> Result<(), EnvError> {
        let ranges = scene.ctrl_ranges();
        self.base = vec![0.0; ranges.len()];
        self.scale = vec![0.01; ranges.len()];
        for &finger in &scene.hands[0].finger_ctrl {
            let (low, high) = ranges[finger];
            self.base[finger] = 0.5 * (low + high);
            self.scale[finger] = 0.05 * (high - low);
        }
        self.object_qpos = scene.objects[0].qpos;
        self.start = Batch::new(&scene.model, 1, 1)?.state(0).to_vec();
        Ok(())
    }
}

impl Worlds {
    /// Worlds of `task`; `spent` grows by the time of every step.
    pub fn new(scene: &Scene, task: Task, spent: Rc<Cell<Times>>) -> Result<Self, EnvError> {
        let batch = Batch::new(&scene.model, task.worlds, task.threads)?;
        let sizes = [scene.model.nq(), scene.model.nv(), scene.model.nu()].map(|n| n as usize);
        let slice = |name, size| ObservationSlice::new(name, size, "1", [-1e3, 1e3]);
        let actions = scene.actuator_names().into_iter().zip(&task.scale);
        let contract = Contract {
            observations: ["qpos", "qvel", "action"]
                .into_iter()
                .zip(sizes)
                .map(|(n, s)| slice(n, s))
                .collect(),
            actions: actions
                .map(|(name, scale)| ActionSlot::new(&name, "1", *scale as f32))
                .collect(),
            hand: scene.hands[0].prefix.clone(),
        };
        Ok(Self {
            contract,
            batch,
            all: (0..task.worlds).collect(),
            sizes,
            ctrl: vec![0.0; task.worlds * task.substeps * sizes[2]],
            age: 0,
            spent,
            task,
        })
    }

    /// Joint positions and velocities of a world.
    pub fn motion(&self, world: usize) -> &[f64] {
        // The time comes first.
        &self.batch.state(world)[1..1 + self.sizes[0] + self.sizes[1]]
    }

    fn restart(&mut self) -> Result<(), EnvError> {
        self.age = 0;
        for &world in &self.all {
            self.batch.set_state(world, &self.task.start)?;
        }
        Ok(())
    }

    /// Writes observations, `[worlds, nq + nv + nu]`; without actions, zeros stand for the last ones.
    fn look(&self, actions: Option<&[f32]>, out: &mut [f32]) {
        let [nq, nv, nu] = self.sizes;
        for (world, row) in out.chunks_exact_mut(nq + nv + nu).enumerate() {
            let (motion, last) = row.split_at_mut(nq + nv);
            motion.iter_mut().zip(self.motion(world)).for_each(|(out, x)| *out = *x as f32);
            match actions {
                Some(actions) => last.copy_from_slice(&actions[world * nu..(world + 1) * nu]),
                None => last.fill(0.0),
            }
        }
    }

    fn play(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        let Task { substeps, base, scale, target_m, rate_per_m, object_qpos, length, .. } =
            &self.task;
        let nu = self.sizes[2];
        for (rows, action) in
            self.ctrl.chunks_exact_mut(substeps * nu).zip(actions.chunks_exact(nu))
        {
            for row in rows.chunks_exact_mut(nu) {
                for i in 0..nu {
                    row[i] = base[i] + scale[i] * f64::from(action[i]);
                }
            }
        }
        self.batch.rollout(&self.all, *substeps, &self.ctrl)?;
        for (world, reward) in step.rewards.iter_mut().enumerate() {
            let object = &self.motion(world)[*object_qpos..object_qpos + 3];
            let squares = object.iter().zip(target_m).map(|(x, wanted)| (x - wanted).powi(2));
            *reward = (-rate_per_m * squares.sum::<f64>().sqrt()).exp() as f32;
        }
        self.age += 1;
        let ended = self.age == *length;
        step.terminated.fill(ended);
        step.truncated.fill(false);
        if ended {
            self.look(Some(actions), &mut step.last_observations);
            self.restart()?;
        }
        self.look((!ended).then_some(actions), &mut step.observations);
        Ok(())
    }
}

impl Env for Worlds {
    fn contract(&self) -> &Contract {
        &self.contract
    }

    fn worlds(&self) -> usize {
        self.task.worlds
    }

    fn reset(&mut self, _seed: u64, observations: &mut [f32]) -> Result<(), EnvError> {
        self.restart()?;
        self.look(None, observations);
        Ok(())
    }

    fn step(&mut self, actions: &[f32], step: &mut Step) -> Result<(), EnvError> {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        self.play(actions, step)?;
        let before = self.spent.get();
        self.spent.set(Times {
            wall: before.wall + start.elapsed().as_secs_f64(),
            cpu: before.cpu + cpu_seconds() - cpu,
        });
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, EnvError> {
        Ok(Vec::new())
    }

    fn load(&mut self, _state: &[u8]) -> Result<(), EnvError> {
        Ok(())
    }
}

/// Processor seconds of the threads of this process that still run; zero where the system does not
/// tell. No thread of the benchmark ends before the benchmark does.
pub fn cpu_seconds() -> f64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    let nanoseconds = |thread: std::fs::DirEntry| -> Option<u64> {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    threads.flatten().filter_map(nanoseconds).sum::<u64>() as f64 * 1e-9
}
