//! The environment: many worlds that play a base motion which a policy corrects.

mod checks;
mod judging;
mod state;

use super::TrackError;
use super::anchor::{AnchorConfig, Seen as Displaced, measured};
use super::compose::{Compose, Composer, Reach};
use super::curriculum::{Curriculum, Progress, Relaxation};
use super::episode::Episode;
use super::grasp::{GraspConfig, divide, fitted};
use super::observe::{Layout, ObservationConfig, ObservationSlice};
use super::randomise::{Fields, Noise, Randomisation, Variation, generator};
use super::reward::{Effort, RewardConfig, TERMS, mean_square};
use super::task::{Course, QPOS_IN_STATE, Task};
use super::termination::Termination;
use checks::check;
use dextra_sim::batch::{Batch, Sensed, Wrenches};
use judging::{Shared, is_good};
use rand::RngExt;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the actions of a frozen policy join the base, before the others join the result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Below {
    /// How they join.
    pub compose: Compose,
    /// What an action of one stands for.
    pub reach: Reach,
}

/// Settings of an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackConfig {
    /// Worlds.
    pub worlds: usize,
    /// Threads; 0 for one per logical processor. Does not change the result.
    pub threads: usize,
    /// Seconds between two actions; a whole number of physics steps is made of it.
    pub control_period: f64,
    /// How base and correction join.
    pub compose: Compose,
    /// Where a frozen policy works below the one that learns: how its actions join the base first.
    pub below: Option<Below>,
    /// How the base follows objects.
    pub anchor: AnchorConfig,
    /// Where within a hold the policy acts.
    pub grasp: GraspConfig,
    /// What an action of one stands for.
    pub reach: Reach,
    /// Observations.
    pub observations: ObservationConfig,
    /// Rewards.
    pub rewards: RewardConfig,
    /// Early end.
    pub termination: Termination,
    /// Share of episodes that begin at the start; the others begin anywhere before `last_start`.
    pub from_start: f64,
    /// Latest beginning as a share of the task (0.98 in ManipTrans).
    pub last_start: f64,
    /// What training relaxes.
    pub curriculum: Curriculum,
    /// What training varies.
    pub randomisation: Randomisation,
}

impl Default for TrackConfig {
    fn default() -> Self {
        Self {
            worlds: 256,
            threads: 0,
            control_period: 0.03,
            compose: Compose::default(),
            below: None,
            anchor: AnchorConfig::default(),
            grasp: GraspConfig::default(),
            reach: Reach::default(),
            observations: ObservationConfig::default(),
            rewards: RewardConfig::default(),
            termination: Termination::default(),
            from_start: 0.3,
            last_start: 0.98,
            curriculum: Curriculum::default(),
            randomisation: Randomisation::default(),
        }
    }
}

/// What one step of all worlds gave. Everything is overwritten.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepOut {
    /// `[worlds, observation_dim]`; of worlds that ended, the first of the next episode.
    pub observations: Vec<f32>,
    /// `[worlds]`.
    pub rewards: Vec<f32>,
    /// Whether the episode failed: nothing more can be earned. `[worlds]`
    pub terminated: Vec<bool>,
    /// Whether the task was at its end. `[worlds]`
    pub truncated: Vec<bool>,
    /// Whether the state left the real numbers; the reward is 0 then, and the world counts as
    /// terminated. `[worlds]`
    pub broken: Vec<bool>,
    /// The last observation of each episode that ended, `[worlds, observation_dim]`; zero for worlds that
    /// broke or go on.
    pub terminal_observations: Vec<f32>,
}

/// One world and room to work on it.
pub(super) struct Lane {
    pub(super) episode: Episode,
    /// Controls of the present control step, `[every, nu]`; the last row is what servos hold now.
    pub(super) targets: Vec<f64>,
    base: Vec<f64>,
    pub(super) observation: Vec<f32>,
    reward: f32,
    terms: [f64; TERMS.len()],
    effort: Effort,
    terminated: bool,
    truncated: bool,
    broken: bool,
}

/// A batch of worlds that track one task.
pub struct TrackEnv<'a> {
    pub(super) task: Task<'a>,
    pub(super) config: TrackConfig,
    pub(super) course: Course,
    pub(super) composer: Composer,
    pub(super) below: Option<Composer>,
    pub(super) layout: Layout,
    batch: Batch,
    fields: Fields,
    pub(super) lanes: Vec<Lane>,
    pub(super) sensed: Vec<Sensed>,
    pool: rayon::ThreadPool,
    seed: u64,
    progress: Progress,
    /// Gravity and friction that the worlds have now.
    relaxed: (f64, f64),
    term_sums: [f64; TERMS.len()],
    term_count: u64,
    pub(super) nu: usize,
    pub(super) nq: usize,
}

impl<'a> TrackEnv<'a> {
    /// An environment; [`TrackEnv::reset_all`] starts it.
    ///
    /// # Errors
    /// A task or setting that makes no sense, or an engine that refuses.
    pub fn new(task: Task<'a>, config: TrackConfig) -> Result<Self, TrackError> {
        let every = check(&task, &config)?;
        let course = Course::new(&task, every, &config.grasp)?;
        let reach = match config.grasp.on && config.grasp.fitted {
            true => {
                fitted(&course.grasps, &course.frames, config.randomisation.offset, config.reach)
            }
            false => config.reach,
        };
        let composer = Composer::new(task.scene, config.compose, reach);
        let below = config.below.map(|b| Composer::new(task.scene, b.compose, b.reach));
        let actions = composer.action_dim() + below.as_ref().map_or(0, Composer::action_dim);
        let layout = Layout::new(&task, &config.observations, actions);
        let batch = Batch::new(&task.scene.model, config.worlds, config.threads)?;
        let (nu, nq) = (task.scene.ctrl_ranges().len(), task.scene.default_qpos().len());
        let lane = || Lane {
            episode: Episode {
                index: 0,
                at: 0,
                age: 0,
                variation: Variation::none(task.objects.len()),
                memory: composer.memory(task.scene),
                memory_below: below.as_ref().map(|b| b.memory(task.scene)).unwrap_or_default(),
                seen: vec![Displaced::default(); course.anchors.len()],
                held: vec![None; course.grasps.len()],
                action: vec![0.0; actions],
                missed: vec![0; course.tips()],
                score: 0.0,
            },
            targets: vec![0.0; every * nu],
            base: Vec::new(),
            observation: vec![0.0; layout.size],
            reward: 0.0,
            terms: [0.0; TERMS.len()],
            effort: Effort::default(),
            terminated: false,
            truncated: false,
            broken: false,
        };
        let lanes = (0..config.worlds).map(|_| lane()).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build()?;
        let mut env = Self {
            fields: Fields::new(task.scene),
            sensed: vec![Sensed::default(); config.worlds],
            progress: config.curriculum.begin(),
            relaxed: (1.0, 1.0),
            term_sums: [0.0; TERMS.len()],
            term_count: 0,
            seed: 0,
            task,
            config,
            course,
            composer,
            below,
            layout,
            batch,
            lanes,
            pool,
            nu,
            nq,
        };
        env.restart(0)?;
        Ok(env)
    }

    /// Number of worlds.
    pub fn worlds(&self) -> usize {
        self.lanes.len()
    }

    /// Length of an observation.
    pub fn observation_dim(&self) -> usize {
        self.layout.size
    }

    /// Length of an action. Its numbers lie in `[-1, 1]` and are clipped to that. With
    /// [`TrackConfig::below`], those of the frozen policy come last.
    pub fn action_dim(&self) -> usize {
        self.learned_dim() + self.below.as_ref().map_or(0, Composer::action_dim)
    }

    /// Length of the part of an action that is not a frozen policy's.
    pub fn learned_dim(&self) -> usize {
        self.composer.action_dim()
    }

    /// What the observation is made of, in order and without a gap.
    pub fn observation_slices(&self) -> &[ObservationSlice] {
        &self.layout.slices
    }

    /// Names of the numbers of an action that are not a frozen policy's: actuators in the order of `ctrl`, then, with
    /// [`Compose::Attended`], their weights.
    pub fn action_names(&self) -> Vec<String> {
        let names = self.task.scene.actuator_names();
        if self.learned_dim() == names.len() {
            return names;
        }
        let weights: Vec<String> = names.iter().map(|name| format!("{name}/weight")).collect();
        [names, weights].concat()
    }

    /// What a one of each number of an action stands for, and its unit; `"1"` for a weight.
    pub fn action_scales(&self) -> Vec<(f64, &'static str)> {
        let scale = |i| if i < self.nu { self.composer.scale(i) } else { (1.0, "1") };
        (0..self.learned_dim()).map(scale).collect()
    }

    /// Control steps of the task.
    pub fn steps(&self) -> usize {
        self.course.steps
    }

    /// Seconds between two actions.
    pub fn control_period(&self) -> f64 {
        self.course.every as f64 * self.task.scene.config.timestep
    }

    /// Switches the following of objects on or off, to compare; returns what it was.
    pub fn set_anchor(&mut self, on: bool) -> bool {
        std::mem::replace(&mut self.config.anchor.on, on)
    }

    /// What training relaxes at the moment.
    pub fn relaxation(&self) -> Relaxation {
        self.config.curriculum.at(&self.progress)
    }

    /// Control step of the task at which each world is, `[worlds]`.
    pub fn at(&self) -> Vec<usize> {
        self.lanes.iter().map(|lane| lane.episode.at).collect()
    }

    /// Every reward term of the last step, weighted, in the order of [`TERMS`], `[worlds]`.
    pub fn terms(&self) -> impl Iterator<Item = &[f64; TERMS.len()]> {
        self.lanes.iter().map(|lane| &lane.terms)
    }

    /// Joint positions of a world, `[nq]`.
    ///
    /// # Panics
    /// When there is no such world.
    pub fn qpos(&self, world: usize) -> &[f64] {
        &self.batch.state(world)[QPOS_IN_STATE..QPOS_IN_STATE + self.nq]
    }

    /// The present observations, `[worlds, observation_dim]`.
    pub fn observations(&self) -> Vec<f32> {
        self.lanes.iter().flat_map(|lane| lane.observation.iter().copied()).collect()
    }

    /// Starts all worlds, and training, anew with all randomness from `seed`; returns the first
    /// observations, `[worlds, observation_dim]`.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn reset_all(&mut self, seed: u64) -> Result<Vec<f32>, TrackError> {
        self.restart(seed)?;
        Ok(self.observations())
    }

    fn restart(&mut self, seed: u64) -> Result<(), TrackError> {
        self.seed = seed;
        self.progress = self.config.curriculum.begin();
        (self.term_sums, self.term_count) = ([0.0; TERMS.len()], 0);
        let relaxation = self.relaxation();
        self.relaxed = (relaxation.gravity, relaxation.friction);
        for world in 0..self.worlds() {
            self.draw(world, 0, &relaxation)?;
        }
        let all: Vec<usize> = (0..self.worlds()).collect();
        self.look(&all, &self.config.randomisation.noise.clone())
    }

    /// Begins a world's episode number `index` where chance has it.
    fn draw(
        &mut self,
        world: usize,
        index: u64,
        relaxation: &Relaxation,
    ) -> Result<(), TrackError> {
        let mut rng = generator(self.seed, world, index, 0);
        let from_start = rng.random::<f64>() < self.config.from_start;
        let share = rng.random::<f64>() * self.config.last_start;
        let start = if from_start { 0 } else { (share * self.course.steps as f64) as usize };
        let start = match self.course.grasps.len() {
            0 => start.min(self.course.steps - 1),
            // Where the policy takes over.
            count => self.course.grasps[rng.random_range(0..count)].from,
        };
        let held = &self.course.starts[start].held;
        let variation = Variation::draw(&self.config.randomisation, held, &mut rng);
        self.begin(world, index, start, variation, relaxation)
    }

    /// Puts a world at a control step of the task.
    pub(super) fn begin(
        &mut self,
        world: usize,
        index: u64,
        start: usize,
        variation: Variation,
        relaxation: &Relaxation,
    ) -> Result<(), TrackError> {
        let mut state = self.course.starts[start].state.to_vec();
        variation.displace(self.task.scene, &mut state[QPOS_IN_STATE..QPOS_IN_STATE + self.nq]);
        self.batch.set_state(world, &state)?;
        self.fields.write(&mut self.batch, world, &variation, relaxation)?;
        let memory = self.composer.memory(self.task.scene);
        let memory_below =
            self.below.as_ref().map(|b| b.memory(self.task.scene)).unwrap_or_default();
        let action = vec![0.0; self.action_dim()];
        let seen = vec![Displaced::default(); self.course.anchors.len()];
        let held = vec![None; self.course.grasps.len()];
        let lane = &mut self.lanes[world];
        lane.episode = Episode {
            index,
            at: start,
            age: 0,
            variation,
            memory,
            memory_below,
            seen,
            held,
            action,
            missed: vec![0; self.course.tips()],
            score: 0.0,
        };
        // Servos hold what the base had last.
        let row = (start * self.course.every).saturating_sub(1).min(self.task.steps() - 1);
        let row = &self.task.base[row * self.nu..(row + 1) * self.nu];
        lane.targets.chunks_exact_mut(self.nu).for_each(|targets| targets.copy_from_slice(row));
        Ok(())
    }

    /// Makes the observations of worlds, in rising order, from their present states.
    pub(super) fn look(&mut self, worlds: &[usize], noise: &Noise) -> Result<(), TrackError> {
        let mut sensed = vec![Sensed::default(); worlds.len()];
        self.batch.advance(self.task.scene, worlds, 0, &[], None, &mut sensed)?;
        for (&world, sensed) in worlds.iter().zip(sensed) {
            self.sensed[world] = sensed;
        }
        let this = Shared { task: &self.task, course: &self.course, layout: &self.layout };
        let (seed, nq, all) = (self.seed, self.nq, &self.sensed);
        let is_named = |world: &usize| worlds.binary_search(world).is_ok();
        let lanes = self.lanes.par_iter_mut().enumerate().filter(|(world, _)| is_named(world));
        self.pool.install(|| {
            lanes.for_each(|(world, lane)| {
                let seen = this.see(&all[world], nq);
                this.observe(lane, world, &seen, seed, noise);
            });
        });
        Ok(())
    }

    /// Composes targets from `actions` (`[count, action_dim]`) and plays one control step in the worlds
    /// `0..count`.
    pub(super) fn play(
        &mut self,
        count: usize,
        actions: &[f32],
        relaxation: &Relaxation,
        noise: &Noise,
        seed: u64,
    ) -> Result<(), TrackError> {
        let size = self.action_dim();
        let (task, course) = (&self.task, &self.course);
        let (composer, below) = (&self.composer, &self.below);
        let learned = self.learned_dim();
        let (nu, nq, anchor) = (self.nu, self.nq, self.config.anchor);
        let (period, grasp) = (self.control_period(), &self.config.grasp);
        let sensed = &self.sensed;
        let lanes = &mut self.lanes[..count];
        self.pool.install(|| {
            let lanes = lanes.par_iter_mut().zip(actions.par_chunks_exact(size)).enumerate();
            lanes.for_each(|(world, (lane, row))| {
                course.base(task, nu, lane.episode.at, &mut lane.base);
                if anchor.on {
                    let Lane { episode, base, .. } = &mut *lane;
                    let (at, age) = (episode.at, episode.age);
                    let draw = (seed, world, episode.index, age);
                    for (hold, seen) in course.anchors.iter().zip(&mut episode.seen) {
                        let pose =
                            task.scene.world_from_object(hold.object(), sensed[world].qpos(nq));
                        // Late is what is seen, too: targets are of the looks before this one.
                        let before = *seen;
                        hold.look(at, &measured(&pose, noise, draw), seen);
                        let known = if episode.variation.late { &before } else { &*seen };
                        hold.apply(&anchor, task.scene, known, (at, age), period, base);
                    }
                }
                let previous = std::mem::take(&mut lane.episode.action);
                lane.episode.action = row.iter().map(|a| a.clamp(-1.0, 1.0)).collect();
                let chosen =
                    if lane.episode.variation.late { &previous } else { &lane.episode.action };
                let chosen: Vec<f64> = chosen.iter().map(|&a| f64::from(a)).collect();
                let Lane { episode, targets, base, effort, .. } = lane;
                let (chosen, frozen) = chosen.split_at(learned);
                if let Some(below) = below {
                    below.apply(task.scene, base, frozen, &mut episode.memory_below, targets);
                    base.copy_from_slice(targets);
                }
                let holding = targets[targets.len() - nu..].to_vec();
                composer.apply(task.scene, base, chosen, &mut episode.memory, targets);
                let qpos = sensed[world].qpos(nq);
                divide(grasp, task, course, episode, (&holding, qpos), (period, base), targets);
                let (now, previous) = (&episode.action[..learned], &previous[..learned]);
                effort.action = mean_square(now.iter().map(|&a| f64::from(a)));
                let change = now.iter().zip(previous).map(|(&a, &b)| f64::from(a - b));
                effort.action_change = mean_square(change);
            });
        });
        let worlds: Vec<usize> = (0..count).collect();
        if relaxation.assist > 0.0 {
            return self.play_assisted(&worlds, relaxation.assist);
        }
        let ctrl: Vec<f64> =
            self.lanes[..count].iter().flat_map(|lane| lane.targets.iter().copied()).collect();
        let sensed = &mut self.sensed[..count];
        self.batch.advance(self.task.scene, &worlds, self.course.every, &ctrl, None, sensed)?;
        Ok(())
    }

    /// One control step, physics step after physics step, with the virtual force.
    fn play_assisted(&mut self, worlds: &[usize], share: f64) -> Result<(), TrackError> {
        let bodies = self.fields.bodies();
        for k in 0..self.course.every {
            let mut values = Vec::with_capacity(worlds.len() * bodies.len() * 6);
            let mut ctrl = Vec::with_capacity(worlds.len() * self.nu);
            for &world in worlds {
                ctrl.extend_from_slice(&self.lanes[world].targets[k * self.nu..(k + 1) * self.nu]);
                for object in 0..bodies.len() {
                    values.extend(self.assist(world, object, share));
                }
            }
            let wrenches = Wrenches { bodies: &bodies, values: &values };
            let good: Vec<bool> = self.sensed.iter().map(|sensed| sensed.finite).collect();
            let sensed = &mut self.sensed[..worlds.len()];
            self.batch.advance(self.task.scene, worlds, 1, &ctrl, Some(wrenches), sensed)?;
            for (sensed, good) in self.sensed.iter_mut().zip(good) {
                sensed.finite &= good || k == 0;
            }
        }
        Ok(())
    }

    /// Force (N) and torque (N m) that draw an object to the next frame of its reference.
    fn assist(&self, world: usize, object: usize, share: f64) -> [f64; 6] {
        let scene = self.task.scene;
        let sensed = &self.sensed[world];
        let pose = scene.world_from_object(object, sensed.qpos(self.nq));
        let (sliding, turning) = scene.object_velocity(object, sensed.qpos(self.nq), &sensed.qvel);
        let at = self.lanes[world].episode.at;
        let wanted = &self.course.frames[(at + 1).min(self.course.steps)].objects[object];
        let before = &self.course.frames[at].objects[object];
        let config = &self.config.curriculum.assist;
        let drift = (wanted.translation.vector - before.translation.vector) / self.control_period();
        let way = wanted.translation.vector - pose.translation.vector;
        let turn = (wanted.rotation * pose.rotation.inverse()).scaled_axis();
        let (mass, inertia) = self.fields.inertia(object);
        let factor = self.lanes[world].episode.variation.mass * share;
        let slide = sliding - drift;
        let force = (way * config.stiffness - slide * config.damping) * mass * factor;
        let torque = (turn * config.stiffness - turning * config.damping) * inertia.mean() * factor;
        let good = force.iter().chain(torque.iter()).all(|x| x.is_finite());
        if !good {
            return [0.0; 6];
        }
        [force.x, force.y, force.z, torque.x, torque.y, torque.z]
    }

    /// Plays `actions` (`[worlds, action_dim]`, clipped to `[-1, 1]`) for one control step. Worlds that
    /// end begin anew at once.
    ///
    /// # Errors
    /// A wrong length, or an engine that refuses. A world that breaks is no error.
    pub fn step(&mut self, actions: &[f32], out: &mut StepOut) -> Result<(), TrackError> {
        let (worlds, size) = (self.worlds(), self.layout.size);
        let expected = worlds * self.action_dim();
        if actions.len() != expected {
            return Err(TrackError::Length { what: "actions", expected, got: actions.len() });
        }
        let relaxation = self.relaxation();
        self.relax(&relaxation)?;
        let noise = self.config.randomisation.noise;
        self.play(worlds, actions, &relaxation, &noise, self.seed)?;
        self.judge(&relaxation);
        let lanes = &self.lanes;
        out.rewards = lanes.iter().map(|lane| lane.reward).collect();
        out.terminated = lanes.iter().map(|lane| lane.terminated).collect();
        out.truncated = lanes.iter().map(|lane| lane.truncated).collect();
        out.broken = lanes.iter().map(|lane| lane.broken).collect();
        out.terminal_observations.clear();
        out.terminal_observations.resize(worlds * size, 0.0);
        let mut ended = Vec::new();
        let mut scores = Vec::new();
        for (world, lane) in lanes.iter().enumerate() {
            if !lane.broken {
                self.term_sums.iter_mut().zip(&lane.terms).for_each(|(sum, term)| *sum += term);
                self.term_count += 1;
            }
            if !(lane.terminated || lane.truncated) {
                continue;
            }
            ended.push(world);
            if lane.truncated {
                scores.push(lane.episode.score / lane.episode.age.max(1) as f64);
            }
            if !lane.broken {
                out.terminal_observations[world * size..(world + 1) * size]
                    .copy_from_slice(&lane.observation);
            }
        }
        self.config.curriculum.advance(&mut self.progress, scores.into_iter());
        for &world in &ended {
            let next = self.lanes[world].episode.index + 1;
            self.draw(world, next, &relaxation)?;
        }
        if !ended.is_empty() {
            self.look(&ended, &self.config.randomisation.noise.clone())?;
        }
        out.observations.clear();
        for lane in &self.lanes {
            out.observations.extend_from_slice(&lane.observation);
        }
        Ok(())
    }

    /// Gives all worlds the present gravity and friction where these have changed.
    fn relax(&mut self, relaxation: &Relaxation) -> Result<(), TrackError> {
        let wanted = (relaxation.gravity, relaxation.friction);
        if self.relaxed != wanted {
            self.relaxed = wanted;
            for (world, lane) in self.lanes.iter().enumerate() {
                let variation = &lane.episode.variation;
                self.fields.write(&mut self.batch, world, variation, relaxation)?;
            }
        }
        Ok(())
    }

    /// Goes on to the next control step and makes the observations of the worlds `0..count` after a
    /// step, without noise; those of worlds that broke are zero.
    pub(super) fn observe_played(&mut self, count: usize) {
        let this = Shared { task: &self.task, course: &self.course, layout: &self.layout };
        let (sensed, nq, seed) = (&self.sensed, self.nq, self.seed);
        let lanes = self.lanes[..count].par_iter_mut().enumerate();
        self.pool.install(|| {
            lanes.for_each(|(world, lane)| {
                lane.episode.at += 1;
                lane.episode.age += 1;
                if is_good(&sensed[world], nq) {
                    let seen = this.see(&sensed[world], nq);
                    this.observe(lane, world, &seen, seed, &Noise::default());
                } else {
                    lane.observation.fill(0.0);
                }
            });
        });
    }

    /// Rewards, ends and observations after a step of all worlds.
    fn judge(&mut self, relaxation: &Relaxation) {
        let this = Shared { task: &self.task, course: &self.course, layout: &self.layout };
        let (config, sensed, nq, seed) = (&self.config, &self.sensed, self.nq, self.seed);
        let lanes = self.lanes.par_iter_mut().enumerate();
        self.pool.install(|| {
            lanes.for_each(|(world, lane)| {
                this.judge(config, lane, world, &sensed[world], nq, seed, relaxation);
            });
        });
    }

    /// Mean of every reward term per world and step since the last call, by name.
    pub fn take_term_means(&mut self) -> Vec<(&'static str, f64)> {
        let count = self.term_count.max(1) as f64;
        let means = TERMS.iter().zip(&self.term_sums).map(|(&name, sum)| (name, sum / count));
        let means = means.collect();
        (self.term_sums, self.term_count) = ([0.0; TERMS.len()], 0);
        means
    }
}
