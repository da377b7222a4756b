//! How often a policy succeeds in the true world, perturbed as stated.

use super::Task;
use super::TrackError;
use super::curriculum::Relaxation;
use super::env::TrackEnv;
use super::observe::disturb;
use super::randomise::{Noise, Variation, generator};
use dextra_core::metrics::{self, Protocols};
use dextra_core::pose;
use dextra_core::rollout::{HandRollout, ObjectRollout, Reference, ReferenceFrame, Rollout};
use dextra_sim::world::keypoints;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// What differs from the planned world, and what counts as success. Nothing is relaxed: gravity and
/// friction are true but for the stated factors, there is no virtual force and no early end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perturbation {
    /// All objects are displaced by so much in one random horizontal direction, metres; the same draws as
    /// [`crate::evaluate::robustness`].
    pub offset: f64,
    /// Objects are turned about the vertical by up to so much, radians.
    pub yaw: f64,
    /// Factor on sliding friction.
    pub friction: f64,
    /// Factor on mass and inertia of objects.
    pub mass: f64,
    /// Factor on the gains of servos.
    pub gain: f64,
    /// Whether actions arrive one control step late.
    pub late: bool,
    /// Noise on measured observations.
    pub noise: Noise,
    /// Seed.
    pub seed: u64,
    /// Position tolerance, metres.
    pub tolerance: f64,
    /// Rotation tolerance, radians.
    pub rotation: f64,
}

impl Default for Perturbation {
    /// The planned world under DexMan's rule: 3 cm and 0.5 rad at every judged state.
    fn default() -> Self {
        Self {
            offset: 0.0,
            yaw: 0.0,
            friction: 1.0,
            mass: 1.0,
            gain: 1.0,
            late: false,
            noise: Noise::default(),
            seed: 0,
            tolerance: 0.03,
            rotation: 0.5,
        }
    }
}

/// How the trials of an evaluation went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Trials that kept to the tolerances at every judged state.
    pub successes: usize,
    /// Trials.
    pub trials: usize,
    /// Largest object position error of each trial at the judged states, metres; infinite where the
    /// state left the real numbers.
    pub worst_position: Vec<f64>,
    /// The same of rotation, radians.
    pub worst_rotation: Vec<f64>,
    /// Which published rules each trial met, judged at the frames of [`super::Task::frames`] from its very
    /// start, displaced objects and all.
    pub protocols: Vec<Protocols>,
}

/// What was played in one trial: enough to repeat it bit for bit in an unperturbed scene, when nothing but
/// the objects' places was perturbed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Joint positions at the start, `[nq]`.
    pub qpos0: Vec<f64>,
    /// Actuator targets of every physics step of the task, `[N * nu]`.
    pub ctrl: Vec<f64>,
}

/// Plays whole trials from the start of the task, judged at every physics state between
/// `task.judged` against the reference there. The environment's training is left as it was.
///
/// `policy` gets observations `[n, observation_dim]` and fills actions `[n, action_dim]`, for the same
/// `n` worlds in the same order throughout a trial.
///
/// # Errors
/// When the engine refuses.
pub fn evaluate(
    env: &mut TrackEnv<'_>,
    policy: impl FnMut(&[f32], &mut [f32]),
    perturbation: &Perturbation,
    trials: usize,
) -> Result<Evaluation, TrackError> {
    run(env, policy, perturbation, trials, None)
}

/// The same, and what was played, one recording per trial.
///
/// # Errors
/// When the engine refuses.
pub fn record(
    env: &mut TrackEnv<'_>,
    policy: impl FnMut(&[f32], &mut [f32]),
    perturbation: &Perturbation,
    trials: usize,
) -> Result<(Evaluation, Vec<Recording>), TrackError> {
    let mut recordings = Vec::new();
    let evaluation = run(env, policy, perturbation, trials, Some(&mut recordings))?;
    Ok((evaluation, recordings))
}

fn run(
    env: &mut TrackEnv<'_>,
    mut policy: impl FnMut(&[f32], &mut [f32]),
    perturbation: &Perturbation,
    trials: usize,
    mut recordings: Option<&mut Vec<Recording>>,
) -> Result<Evaluation, TrackError> {
    let training = env.save_state();
    let mut rng = Pcg64::seed_from_u64(perturbation.seed);
    let mut evaluation = Evaluation { trials, ..Evaluation::default() };
    while evaluation.worst_position.len() < trials {
        let done = evaluation.worst_position.len();
        let count = env.worlds().min(trials - done);
        for world in 0..count {
            let variation = vary(perturbation, env.task.objects.len(), &mut rng);
            env.begin(world, done as u64, 0, variation, &Relaxation::NONE)?;
        }
        let mut recorded: Option<Vec<Recording>> = recordings.is_some().then(|| {
            let start = |world| Recording { qpos0: env.qpos(world).to_vec(), ctrl: Vec::new() };
            (0..count).map(start).collect()
        });
        let seen = recorded.as_deref_mut();
        let outcomes = trial(env, &mut policy, perturbation, count, done as u64, seen)?;
        if let (Some(all), Some(recorded)) = (&mut recordings, recorded) {
            all.extend(recorded);
        }
        for Outcome { position, rotation, protocols } in outcomes {
            let good = position < perturbation.tolerance && rotation < perturbation.rotation;
            evaluation.successes += usize::from(good);
            evaluation.worst_position.push(position);
            evaluation.worst_rotation.push(rotation);
            evaluation.protocols.push(protocols);
        }
    }
    env.load_state(&training)?;
    Ok(evaluation)
}

fn vary(perturbation: &Perturbation, objects: usize, rng: &mut Pcg64) -> Variation {
    let angle: f64 = rng.random_range(0.0..std::f64::consts::TAU);
    let [x, y] = [angle.cos(), angle.sin()].map(|way| way * perturbation.offset);
    let shifts = (0..objects)
        .map(|_| {
            let turn = if perturbation.yaw > 0.0 { rng.random_range(-1.0..1.0) } else { 0.0 };
            [x, y, turn * perturbation.yaw]
        })
        .collect();
    let Perturbation { friction, mass, gain, late, .. } = *perturbation;
    Variation { shifts, friction, mass, gain, late }
}

/// How one trial went.
struct Outcome {
    position: f64,
    rotation: f64,
    protocols: Protocols,
}

/// Plays the worlds `0..count`, which have just begun, to the end.
fn trial(
    env: &mut TrackEnv<'_>,
    policy: &mut impl FnMut(&[f32], &mut [f32]),
    perturbation: &Perturbation,
    count: usize,
    first: u64,
    mut recorded: Option<&mut [Recording]>,
) -> Result<Vec<Outcome>, TrackError> {
    let worlds: Vec<usize> = (0..count).collect();
    let mut worst = vec![(0.0f64, 0.0f64); count];
    // Joint positions at the judged frames.
    let frames = env.task.frames.frames.iter().take_while(|frame| frame.step == 0).count();
    let mut watched: Vec<Vec<Vec<f64>>> =
        worlds.iter().map(|&world| vec![env.qpos(world).to_vec(); frames]).collect();
    // The engine begins a world that broke anew, which looks sound again.
    let mut whole = vec![true; count];
    let mut actions = vec![0.0; count * env.action_dim()];
    env.look(&worlds, &Noise::default())?;
    for step in 0..env.course.steps {
        let mut observations: Vec<f32> = Vec::with_capacity(count * env.layout.size);
        for (world, lane) in env.lanes[..count].iter().enumerate() {
            let from = observations.len();
            observations.extend_from_slice(&lane.observation);
            if perturbation.noise != Noise::default() {
                let mut rng = generator(perturbation.seed, world, first, 1 + step as u64);
                let row = &mut observations[from..];
                disturb(&env.layout.slices, &perturbation.noise, &mut rng, row);
            }
        }
        actions.fill(0.0);
        policy(&observations, &mut actions);
        env.play(count, &actions, &Relaxation::NONE, &perturbation.noise, perturbation.seed)?;
        if let Some(recorded) = &mut recorded {
            let nu = env.nu;
            let left = env.task.steps() - step * env.course.every;
            for (recording, lane) in recorded.iter_mut().zip(&env.lanes) {
                let rows = env.course.every.min(left);
                recording.ctrl.extend_from_slice(&lane.targets[..rows * nu]);
            }
        }
        for (world, worst) in worst.iter_mut().enumerate() {
            let errors = errors(env, world, step);
            *worst = (worst.0.max(errors.0), worst.1.max(errors.1));
            watched[world].extend(watch(env, world, step));
            let sensed = &env.sensed[world];
            whole[world] &= sensed.finite && sensed.path.iter().all(|x| x.is_finite());
        }
        env.observe_played(count);
    }
    let outcome = |(((position, rotation), qpos), whole)| {
        let protocols = if whole { protocols(&env.task, qpos)? } else { Protocols::default() };
        Ok(Outcome { position, rotation, protocols })
    };
    worst.into_iter().zip(watched).zip(whole).map(outcome).collect()
}

/// Joint positions of a world at the judged frames of a control step.
fn watch(env: &TrackEnv<'_>, world: usize, step: usize) -> impl Iterator<Item = Vec<f64>> {
    let (sensed, first) = (&env.sensed[world], step * env.course.every + 1);
    let frames =
        env.task.frames.frames.iter().filter_map(move |frame| frame.step.checked_sub(first));
    let states = frames.filter(|&state| state < env.course.every);
    let path = |state| sensed.path.get(state * env.nq..(state + 1) * env.nq).map(<[f64]>::to_vec);
    states.filter_map(path)
}

/// The published rules that are met by joint positions at the judged frames, `[frames][nq]`; none where there are
/// fewer of them than frames.
fn protocols(task: &Task<'_>, qpos: Vec<Vec<f64>>) -> Result<Protocols, TrackError> {
    if qpos.is_empty() || qpos.len() < task.frames.frames.len() {
        return Ok(Protocols::default());
    }
    let scene = task.scene;
    let objects = scene.objects.iter().enumerate().map(|(index, object)| ObjectRollout {
        name: object.body.clone(),
        world_from_object: qpos.iter().map(|qpos| scene.world_from_object(index, qpos)).collect(),
        joint: object.joint,
    });
    let hands = task.hands.iter().enumerate().map(|(index, hand)| HandRollout {
        hand: hand.map.name.clone(),
        side: hand.map.side,
        keypoints: hand.map.keypoints.iter().map(|link| link.keypoint).collect(),
        keypoints_in_world: qpos.iter().map(|qpos| keypoints(scene, hand, index, qpos)).collect(),
    });
    // The states between the frames are judged elsewhere: here a frame is a state.
    let frame = |(step, frame): (usize, &ReferenceFrame)| ReferenceFrame { step, ..frame.clone() };
    let reference =
        Reference { frames: task.frames.frames.iter().enumerate().map(frame).collect() };
    let rollout = Rollout {
        dt: scene.config.timestep,
        nu: 0,
        ctrl: Vec::new(),
        qpos0: Vec::new(),
        qvel0: Vec::new(),
        objects: objects.collect(),
        hands: hands.collect(),
        qpos,
        contacts: Vec::new(),
        touches: Vec::new(),
        saturated: Vec::new(),
        finite: true,
        seed: 0,
        engine: String::new(),
    };
    let metrics = metrics::evaluate(&rollout, &reference);
    metrics
        .map(|metrics| metrics.protocols)
        .map_err(|_| TrackError::Task("its judged frames are not of its scene"))
}

/// Largest position (m) and rotation (rad) error of a world at the judged states of a control step.
fn errors(env: &TrackEnv<'_>, world: usize, step: usize) -> (f64, f64) {
    let sensed = &env.sensed[world];
    let mut worst = (0.0f64, 0.0f64);
    if !sensed.finite || sensed.path.iter().any(|x| !x.is_finite()) {
        return (f64::INFINITY, std::f64::consts::PI);
    }
    let (from, to) = env.task.judged;
    for (k, qpos) in sensed.path.chunks_exact(env.nq).enumerate() {
        let state = step * env.course.every + k + 1;
        if !(from..=to.min(env.task.steps())).contains(&state) {
            continue;
        }
        for (object, reference) in env.task.reference.iter().enumerate() {
            let wanted = &reference[state.min(reference.len() - 1)];
            let real = env.task.scene.world_from_object(object, qpos);
            worst.0 = worst.0.max(pose::distance_between(&real, wanted));
            worst.1 = worst.1.max(pose::angle_between(&real, wanted));
        }
    }
    worst
}
