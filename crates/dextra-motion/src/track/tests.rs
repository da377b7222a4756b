//! The environment as a whole, round a refined cube clip with the Allegro hand.

mod following;
mod grasping;
mod mirrored;
mod observations;
mod worlds;

use super::compose::{Compose, Reach};
use super::curriculum::{AssistConfig, Curriculum, Ramp, Relaxation};
use super::evaluate::{Perturbation, Recording, evaluate, record};
use super::randomise::{Noise, Randomisation};
use super::*;
use crate::evaluate::{Played, RobustnessConfig, robustness};
use crate::refine::journal::{NoJournal, Unobserved};
use crate::refine::{RefineConfig, RefineInput, Refined, refine};
use crate::retarget::{ObjectInput, RetargetConfig, RetargetHand, retarget};
use crate::synth::{NoiseConfig, SynthClip, synth};
use dextra_core::metrics::{self, Protocol, Protocols};
use dextra_core::{Motion, Side, pose};
use dextra_sim::hand::Hand;
use dextra_sim::object::{DecomposeConfig, ObjectModel};
use std::sync::OnceLock;

struct Fixture {
    hand: Hand,
    objects: Vec<ObjectModel>,
    motion: Motion,
    refined: Refined,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let demo = synth(SynthClip::Cube, 0, &NoiseConfig::none());
        let hand = Hand::builtin("allegro", Side::Right).unwrap();
        let models = [RetargetHand::new(hand.tree.clone(), hand.map.clone(), |_| 0.009).unwrap()];
        let track = &demo.objects[0];
        let cube = ObjectModel::build(
            "cube",
            track.mesh.clone(),
            track.mass,
            &DecomposeConfig::default(),
            None,
        );
        let objects = vec![cube.unwrap()];
        let inputs = [ObjectInput {
            surface: &objects[0].surface,
            world_from_object: &track.world_from_object,
        }];
        let config = RetargetConfig::default();
        let hands = vec![retarget(&demo.hands[0], demo.fps, &inputs, &models[0], &config).unwrap()];
        let motion = Motion { fps: demo.fps, hands };
        let input = RefineInput {
            demo: &demo,
            hands: &[&hand],
            models: &models,
            objects: &objects,
            motion: &motion,
            remembered: &[],
        };
        let refined =
            refine(&input, &RefineConfig::default(), &mut NoJournal, &Unobserved).unwrap();
        Fixture { hand, objects, motion, refined }
    })
}

fn hands() -> &'static [&'static Hand] {
    static HANDS: OnceLock<Vec<&'static Hand>> = OnceLock::new();
    HANDS.get_or_init(|| vec![&fixture().hand])
}

fn task() -> Task<'static> {
    let refined = &fixture().refined;
    let played = (refined.rollout.ctrl.as_slice(), refined.rollout.qpos.as_slice());
    Task::played(&refined.scene, &refined.timeline, played, hands(), &fixture().objects)
}

/// From the start, never given up, nothing relaxed or varied.
fn plain(worlds: usize) -> TrackConfig {
    TrackConfig {
        worlds,
        threads: 2,
        from_start: 1.0,
        termination: Termination::NEVER,
        ..TrackConfig::default()
    }
}

fn env(config: TrackConfig) -> TrackEnv<'static> {
    TrackEnv::new(task(), config).unwrap()
}

/// Numbers in `[-size, size]`, the same on every run.
fn wander(count: usize, seed: usize, size: f32) -> Vec<f32> {
    (0..count).map(|i| ((seed * 977 + i * 131) as f32 * 0.37).sin() * size).collect()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn no_correction_repeats_the_refined_rollout_bit_for_bit() {
    let rollout = &fixture().refined.rollout;
    let kinds = [
        Compose::default(),
        Compose::ScaledAverage { gain: 2.0, alpha: 0.4, whole: false },
        Compose::Accumulate { bound: f64::INFINITY },
        Compose::Attended,
    ];
    for compose in kinds {
        let mut env = env(TrackConfig { compose, ..plain(1) });
        env.reset_all(3).unwrap();
        let mut out = StepOut::default();
        let zeros = vec![0.0; env.action_dim()];
        assert_eq!(env.steps(), rollout.steps().div_ceil(3));
        for step in 1..env.steps() {
            env.step(&zeros, &mut out).unwrap();
            assert_eq!(bits(env.qpos(0)), bits(&rollout.qpos[3 * step]), "{compose:?} {step}");
            assert!(out.rewards[0] > 0.5, "{compose:?} {step}: {}", out.rewards[0]);
            assert!(!out.terminated[0] && !out.truncated[0]);
        }
        env.step(&zeros, &mut out).unwrap();
        assert!(out.truncated[0] && !out.terminated[0]);
        assert_eq!(env.at(), [0], "the next episode has begun");
    }
}

/// All that training may relax and vary, with memory in the composition.
fn everything(threads: usize) -> TrackConfig {
    TrackConfig {
        worlds: 5,
        threads,
        compose: Compose::Accumulate { bound: 10.0 },
        reach: Reach { position: 0.002, rotation: 0.02, finger: 0.03 },
        termination: Termination {
            position: 0.01,
            contact: MissedContact { steps: 6, distance: 0.015 },
            ..Termination::default()
        },
        curriculum: Curriculum {
            gravity: Ramp { from: 0.0, to: 1.0, steps: 25 },
            friction: Ramp { from: 3.0, to: 1.0, steps: 30 },
            assist: AssistConfig { start: 0.5, episodes: 1, gate: 0.0, ..AssistConfig::default() },
            ..Curriculum::maniptrans()
        },
        randomisation: Randomisation {
            yaw: 0.2,
            friction: (0.7, 1.2),
            mass: (0.8, 1.5),
            gain: (0.9, 1.1),
            late: 0.5,
            noise: Noise { position: 0.002, rotation: 0.01, ..Noise::default() },
            ..Randomisation::placed(0.015)
        },
        ..TrackConfig::default()
    }
}

fn play(env: &mut TrackEnv<'_>, steps: std::ops::Range<usize>) -> Vec<StepOut> {
    let count = env.worlds() * env.action_dim();
    steps
        .map(|step| {
            let mut out = StepOut::default();
            env.step(&wander(count, step, 0.8), &mut out).unwrap();
            out
        })
        .collect()
}

#[test]
fn threads_do_not_change_a_bit() {
    let [mut one, mut three] = [1, 3].map(|threads| env(everything(threads)));
    assert_eq!(one.reset_all(7).unwrap(), three.reset_all(7).unwrap());
    let outs = play(&mut one, 0..45);
    assert!(outs == play(&mut three, 0..45));
    assert_eq!(one.save_state(), three.save_state());
    let ended = outs.iter().flat_map(|out| &out.terminated).filter(|&&ended| ended).count();
    assert!(ended > 0, "some episodes end on the way");
    assert_ne!(one.reset_all(8).unwrap(), three.reset_all(7).unwrap(), "seeds matter");
}

#[test]
fn a_saved_state_goes_on_to_the_same_bits() {
    let mut whole = env(everything(2));
    whole.reset_all(11).unwrap();
    play(&mut whole, 0..12);
    let saved = whole.save_state();
    let (seen, expected) = (whole.observations(), play(&mut whole, 12..40));
    let means = whole.take_term_means();
    let mut resumed = env(everything(1));
    resumed.reset_all(99).unwrap();
    resumed.load_state(&saved).unwrap();
    assert_eq!(resumed.save_state(), saved);
    assert_eq!(resumed.observations(), seen);
    assert!(play(&mut resumed, 12..40) == expected);
    assert_eq!(resumed.take_term_means(), means);
    for bad in [&saved[..saved.len() - 3], b"nonsense", &[saved.as_slice(), &[0]].concat()] {
        assert!(matches!(resumed.load_state(bad), Err(TrackError::State(_))));
    }
    let mut other = env(TrackConfig { compose: Compose::default(), ..everything(1) });
    assert!(matches!(other.load_state(&saved), Err(TrackError::State(_))));
}

#[test]
fn evaluation_relaxes_nothing_and_leaves_training_alone() {
    let mut trained = env(everything(2));
    let mut plain = env(TrackConfig {
        curriculum: Curriculum::default(),
        randomisation: Randomisation::default(),
        ..everything(2)
    });
    trained.reset_all(5).unwrap();
    play(&mut trained, 0..6);
    assert_ne!(trained.relaxation(), Relaxation::NONE);
    let before = trained.save_state();
    let perturbation = Perturbation { offset: 0.02, seed: 4, ..Perturbation::default() };
    let found = evaluate(&mut trained, |_, _| {}, &perturbation, 7).unwrap();
    assert_eq!(found, evaluate(&mut plain, |_, _| {}, &perturbation, 7).unwrap());
    assert_eq!(trained.save_state(), before);
    let mut untouched = env(everything(2));
    untouched.reset_all(5).unwrap();
    play(&mut untouched, 0..6);
    assert!(play(&mut trained, 6..20) == play(&mut untouched, 6..20));
}

#[test]
fn without_a_policy_evaluation_counts_as_open_loop_trials_do() {
    let refined = &fixture().refined;
    let mut env = env(plain(5));
    let mut counts = Vec::new();
    for (offset, seed) in [(0.0, 0), (0.02, 1), (0.03, 2), (0.04, 3)] {
        let perturbation = Perturbation { offset, seed, ..Perturbation::default() };
        let found = evaluate(&mut env, |_, actions| actions.fill(0.0), &perturbation, 12).unwrap();
        let played = Played {
            scene: &refined.scene,
            qpos0: &refined.rollout.qpos0,
            ctrl: &refined.rollout.ctrl,
            reference: &refined.timeline.reference,
            judged: Played::carrying(&refined.timeline),
        };
        let config = RobustnessConfig { offset, tolerance: 0.03, trials: 12, seed, threads: 1 };
        let expected = robustness(&played, &config).unwrap();
        assert_eq!((found.successes, found.trials), (expected.successes, 12), "{offset}");
        counts.push(found.successes);
    }
    assert_eq!(counts[0], 12);
    assert!(counts[3] < 12, "{counts:?}");
}

#[test]
fn an_evaluation_tells_which_published_rules_are_met() {
    let refined = &fixture().refined;
    let mut env = env(plain(4));
    let still = |_: &[f32], actions: &mut [f32]| actions.fill(0.0);
    let mut met = [0; Protocol::ALL.len()];
    // From played as planned to an object that is out of reach.
    for (offset, trials) in [(0.0, 1), (0.02, 4), (0.03, 4), (0.2, 2)] {
        let perturbation = Perturbation { offset, seed: 4, ..Perturbation::default() };
        let (found, played) = record(&mut env, still, &perturbation, trials).unwrap();
        assert_eq!(found.protocols.len(), trials);
        for (protocols, recording) in found.protocols.iter().zip(&played) {
            // Every state of a replay, judged at the frames of the search.
            let (scene, seed) = (&refined.scene, 0);
            let Recording { qpos0, ctrl } = recording;
            let rollout =
                dextra_sim::world::replay(scene, &scene.model, hands(), qpos0, ctrl, seed);
            let expected = metrics::evaluate(&rollout, &refined.reference).unwrap().protocols;
            assert_eq!(*protocols, expected, "{offset}");
            for (count, rule) in met.iter_mut().zip(Protocol::ALL) {
                *count += usize::from(protocols.passed(rule));
            }
        }
    }
    assert!(met.iter().all(|&count| (1..11).contains(&count)), "{met:?}");
    // One NaN in a control step, of one physics step here, without a judged frame: the engine begins the world anew,
    // which says nothing.
    let mut env = self::env(TrackConfig { control_period: 0.01, ..plain(2) });
    let judged = |state: usize| refined.reference.frames.iter().any(|frame| frame.step == state);
    let unjudged = (1..env.steps()).find(|&step| !judged(step + 1)).unwrap();
    let mut step = 0;
    let breaks = |_: &[f32], actions: &mut [f32]| {
        actions.fill(if step == unjudged { f32::NAN } else { 0.0 });
        step += 1;
    };
    let broken = evaluate(&mut env, breaks, &Perturbation::default(), 2).unwrap();
    assert_eq!(broken.protocols, [Protocols::default(); 2]);
    assert_eq!(broken.successes, 0);
}

#[test]
fn the_policy_in_an_evaluation_decides() {
    let mut env = env(plain(4));
    let size = env.action_dim();
    let slices = env.observation_slices();
    let phase = slices.iter().find(|slice| slice.name == "phase").unwrap().range.start;
    let width = env.observation_dim();
    let mut phases = Vec::new();
    let opens = |observations: &[f32], actions: &mut [f32]| {
        phases.push(observations[phase]);
        assert_eq!(actions.len() / size, observations.len() / width);
        actions.fill(-1.0);
    };
    let found = evaluate(&mut env, opens, &Perturbation::default(), 2).unwrap();
    assert_eq!(found.successes, 0, "all fingers opened: {:?}", found.worst_position);
    let steps = env.steps();
    assert_eq!(phases.len(), steps);
    assert!((0..steps).all(|k| (phases[k] - k as f32 / steps as f32).abs() < 1e-6));
}

#[test]
fn a_world_that_leaves_the_real_numbers_is_flagged_and_begins_anew() {
    let mut env_a = env(plain(3));
    let mut env_b = env(plain(3));
    let (mut broken, mut whole) = (StepOut::default(), StepOut::default());
    let size = env_a.action_dim();
    for step in 0..4 {
        let actions = wander(3 * size, step, 0.5);
        env_a.step(&actions, &mut broken).unwrap();
        env_b.step(&actions, &mut whole).unwrap();
    }
    let mut actions = wander(3 * size, 9, 0.5);
    env_b.step(&actions, &mut whole).unwrap();
    actions[size + 2] = f32::NAN;
    env_a.step(&actions, &mut broken).unwrap();
    assert_eq!(broken.broken, [false, true, false]);
    assert_eq!(broken.terminated, [false, true, false]);
    assert_eq!(broken.rewards[1], 0.0);
    let width = env_a.observation_dim();
    assert!(broken.observations.iter().all(|x| x.is_finite()));
    assert!(broken.terminal_observations.iter().all(|&x| x == 0.0));
    assert_eq!(env_a.at(), [5, 0, 5]);
    for world in [0, 2] {
        assert_eq!(broken.rewards[world], whole.rewards[world]);
        let row = world * width..(world + 1) * width;
        assert_eq!(broken.observations[row.clone()], whole.observations[row]);
    }
    let zeros = vec![0.0; 3 * size];
    env_a.step(&zeros, &mut broken).unwrap();
    assert_eq!(broken.broken, [false; 3], "the new episode is sound");
}

#[test]
fn a_reward_that_is_no_number_is_told_to_the_trainer() {
    let mut config = plain(2);
    config.rewards.lift = f64::NAN;
    let mut env = env(config);
    let (mut out, zeros) = (StepOut::default(), vec![0.0; 2 * env.action_dim()]);
    env.step(&zeros, &mut out).unwrap();
    assert!(out.rewards.iter().all(|reward| reward.is_nan()), "{:?}", out.rewards);
    assert!(out.observations.iter().all(|x| x.is_finite()));
}

#[test]
fn an_object_that_is_lost_ends_the_episode() {
    let limits = Termination { position: 0.02, rotation: 9.0, grace: 10, ..Termination::NEVER };
    let mut env = env(TrackConfig { termination: limits, ..plain(2) });
    let size = env.action_dim();
    let slices = env.observation_slices();
    let error = slices.iter().find(|slice| slice.name == "object/cube/position_error");
    let error = error.unwrap().range.clone();
    // World 1 opens its fingers, so the cube stays on the table while the reference leaves.
    let actions: Vec<f32> = (0..2 * size).map(|i| if i < size { 0.0 } else { -1.0 }).collect();
    let mut out = StepOut::default();
    let mut age = 0;
    let ended = loop {
        env.step(&actions, &mut out).unwrap();
        age += 1;
        if out.terminated[1] || age == env.steps() {
            break env.at();
        }
    };
    assert!(out.terminated[1] && !out.truncated[1] && !out.terminated[0]);
    assert_eq!(ended, [age, 0]);
    let width = env.observation_dim();
    let last = &out.terminal_observations[width..][error.clone()];
    let far = last[..3].iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!((0.02..0.04).contains(&far), "{far}");
    let next = &out.observations[width..][error];
    assert!(next[..3].iter().all(|x| x.abs() < 0.01), "the next episode has begun: {next:?}");
}

#[test]
fn an_open_hand_is_given_up_where_contact_is_demanded() {
    // On the path the first tip is 2.2 mm away from step 47 on; in the plan it touches one step later, the
    // next one two steps after it is that near, and the rest stay further away.
    let contact = MissedContact { steps: 3, distance: 0.0025 };
    let demanding =
        || TrackConfig { termination: Termination { contact, ..Termination::NEVER }, ..plain(2) };
    let mut strict = env(demanding());
    let near = |step: usize| {
        strict.course.frames[step].tips[0].iter().any(|tip| tip.distance < contact.distance)
    };
    let first = (0..strict.steps()).find(|&step| near(step)).unwrap();
    let size = strict.action_dim();
    // World 1 opens its fingers; world 0 grasps as planned.
    let actions: Vec<f32> = (0..2 * size).map(|i| if i < size { 0.0 } else { -1.0 }).collect();
    let mut out = StepOut::default();
    let mut saved = Vec::new();
    for step in 1..strict.steps() {
        strict.step(&actions, &mut out).unwrap();
        assert!(!out.terminated[0], "step {step} of the plan");
        assert_eq!(out.terminated[1], step == first + 2, "step {step}");
        if step == first + 1 {
            saved = strict.save_state();
        }
        if step >= first + 2 {
            // World 1 has begun anew and is not near the object again.
            assert_eq!(strict.lanes[1].episode.missed, [0; 4]);
        }
        if step == first + 10 {
            break;
        }
    }
    // The count is part of the state: two steps were missed, and the third ends it.
    let mut resumed = env(demanding());
    resumed.load_state(&saved).unwrap();
    assert_eq!(resumed.lanes[1].episode.missed.iter().max(), Some(&2));
    resumed.step(&actions, &mut out).unwrap();
    assert_eq!(out.terminated, [false, true]);
}

#[test]
fn the_virtual_force_carries_the_object_alone() {
    let lifted = |assist: f64| {
        let curriculum = Curriculum {
            assist: AssistConfig { start: assist, gate: 2.0, ..AssistConfig::default() },
            ..Curriculum::default()
        };
        let config = TrackConfig { curriculum, ..plain(1) };
        let mut env = TrackEnv::new(task().without_base(), config).unwrap();
        let mut out = StepOut::default();
        let mut worst = 0.0f64;
        for step in 1..env.steps() {
            env.step(&vec![0.0; env.action_dim()], &mut out).unwrap();
            let real = fixture().refined.scene.world_from_object(0, env.qpos(0));
            let wanted = &fixture().refined.timeline.reference[0][3 * step];
            worst = worst.max(pose::distance_between(&real, wanted));
        }
        worst
    };
    let (with, without) = (lifted(1.0), lifted(0.0));
    // Gravity pulls it 9.81 / 400 = 2.5 cm below; sliding off the path costs a little more.
    assert!(with < 0.04 && without > 0.08, "{with} {without}");
}

#[test]
fn the_retargeted_motion_is_a_base_too() {
    let f = fixture();
    let task = {
        let (scene, timeline) = (&f.refined.scene, &f.refined.timeline);
        let rest = [scene.world_from_object(0, &f.refined.rollout.qpos[0])];
        Task::retargeted(scene, timeline, &rest, &f.motion, hands(), &f.objects)
    };
    let course = super::task::Course::new(&task, 3, &Default::default()).unwrap();
    assert_eq!(course.starts.len(), course.steps + 1);
    // The state in the middle of the carry holds the difference of the path's neighbours as velocity.
    let scene = &f.refined.scene;
    let (step, nq) = (course.steps / 2, scene.default_qpos().len());
    let state = &course.starts[step].state;
    let velocity = &state[1 + nq..];
    let at = scene.objects[0].qpos + 2;
    let rise = (task.path[3 * step + 1][at] - task.path[3 * step - 1][at]) / 0.02;
    assert!((velocity[scene.dof(scene.objects[0].qpos) + 2] - rise).abs() < 1e-12);
    let joint = scene.hands[0].joint_qpos[2];
    let bend = (task.path[3 * step + 1][joint] - task.path[3 * step - 1][joint]) / 0.02;
    assert!((velocity[scene.dof(joint)] - bend).abs() < 1e-12);
    let touched = course.frames.iter().flat_map(|frame| &frame.tips[0]);
    assert!(touched.filter(|tip| tip.goal.is_some()).count() > 50, "tips have contact goals");
    let mut env = TrackEnv::new(task, TrackConfig { worlds: 3, ..TrackConfig::default() }).unwrap();
    let mut out = StepOut::default();
    for _ in 0..10 {
        env.step(&vec![0.0; 3 * env.action_dim()], &mut out).unwrap();
        assert_eq!(out.broken, [false; 3]);
    }
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let refused = |config: TrackConfig| match TrackEnv::new(task(), config) {
        Err(TrackError::Setting { what, .. }) => what,
        _ => "accepted",
    };
    assert_eq!(refused(TrackConfig { worlds: 0, ..TrackConfig::default() }), "worlds");
    let still = TrackConfig { control_period: 0.0, ..TrackConfig::default() };
    assert_eq!(refused(still), "control_period");
    assert_eq!(refused(TrackConfig { from_start: 1.5, ..TrackConfig::default() }), "from_start");
    let mut vast = TrackConfig::default();
    vast.observations.basis_points = 100_000_000_000;
    assert_eq!(refused(vast), "observations.basis_points");
    let changed = |change: fn(&mut TrackConfig)| {
        let mut config = TrackConfig::default();
        change(&mut config);
        refused(config)
    };
    assert_eq!(changed(|c| c.reach.position = -1.0), "reach.position");
    assert_eq!(changed(|c| c.reach.finger = f64::NAN), "reach.finger");
    assert_eq!(changed(|c| c.rewards.tips[2].rate = -5.0), "rewards.tips.rate");
    assert_eq!(
        changed(|c| c.rewards.contact_goal.rate = f64::INFINITY),
        "rewards.contact_goal.rate"
    );
    assert_eq!(changed(|c| c.termination.tip[1] = 0.0), "termination.tip");
    assert_eq!(changed(|c| c.termination.rotation = f64::NAN), "termination.rotation");
    assert_eq!(changed(|c| c.compose = Compose::Add { alpha: 0.0 }), "compose alpha");
    assert_eq!(changed(|c| c.compose = Compose::Accumulate { bound: -1.0 }), "compose bound");
    let random = |change: fn(&mut Randomisation)| {
        let mut config = TrackConfig::default();
        change(&mut config.randomisation);
        refused(config)
    };
    assert_eq!(random(|r| r.mass = (-0.5, 1.5)), "randomisation.mass");
    assert_eq!(random(|r| r.mass = (1.5, 0.5)), "randomisation.mass");
    assert_eq!(random(|r| r.friction = (0.0, 1.0)), "randomisation.friction");
    assert_eq!(random(|r| r.gain = (1.0, f64::INFINITY)), "randomisation.gain");
    assert_eq!(random(|r| r.offset = -0.01), "randomisation.offset");
    assert_eq!(random(|r| r.noise.force = f64::NAN), "randomisation.noise.force");
    assert_eq!(random(|r| r.late = 1.5), "randomisation.late");
    let mut slippery = TrackConfig::default();
    slippery.curriculum.friction = Ramp { from: -1.0, to: 1.0, steps: 5 };
    assert_eq!(refused(slippery), "curriculum.friction");
    let short = Task { base: vec![0.0; 5], ..task() };
    assert!(matches!(TrackEnv::new(short, plain(1)), Err(TrackError::Task(_))));
    let mut env = env(plain(2));
    let wrong = env.step(&[0.0], &mut StepOut::default());
    assert!(matches!(wrong, Err(TrackError::Length { what: "actions", .. })));
}

#[test]
fn a_recorded_trial_can_be_repeated_bit_for_bit() {
    let f = fixture();
    let mut env = env(plain(3));
    let perturbation = Perturbation { offset: 0.01, yaw: 0.1, seed: 9, ..Perturbation::default() };
    let wanders = |_: &[f32], actions: &mut [f32]| {
        let count = actions.len();
        actions.copy_from_slice(&wander(count, 3, 0.1));
    };
    let (evaluation, recordings) = record(&mut env, wanders, &perturbation, 4).unwrap();
    assert_eq!(recordings.len(), 4);
    let scene = &f.refined.scene;
    for (recording, worst) in recordings.iter().zip(&evaluation.worst_position) {
        assert_eq!(recording.ctrl.len(), f.refined.rollout.ctrl.len());
        let played = dextra_sim::world::replay(
            scene,
            &scene.model,
            hands(),
            &recording.qpos0,
            &recording.ctrl,
            0,
        );
        let (from, to) = task().judged;
        let reference = &f.refined.timeline.reference[0];
        let again = (from..=to)
            .map(|state| {
                let pose = scene.world_from_object(0, &played.qpos[state]);
                pose::distance_between(&pose, &reference[state])
            })
            .fold(0.0, f64::max);
        assert_eq!(again.to_bits(), worst.to_bits());
    }
}
