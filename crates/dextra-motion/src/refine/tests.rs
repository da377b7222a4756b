use super::hypothesis::{mean_keypoints, median_keypoints};
use super::journal::{Journal, NoJournal, Observer, Unobserved};
use super::plan::{Grasp, IdlePath, PhaseConfig, Plan, min_jerk};
use super::timeline::timeline;
use super::*;
use crate::holds::Hold;
use crate::retarget::{ObjectInput, RetargetConfig, retarget};
use crate::synth::{NoiseConfig, SynthClip, synth};
use dextra_core::Side;
use dextra_sim::object::{DecomposeConfig, Surface};
use nalgebra::{UnitQuaternion, Vector3};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A clean cube clip for the Allegro hand.
struct Fixture {
    demo: Demonstration,
    hand: Hand,
    models: Vec<RetargetHand>,
    objects: Vec<ObjectModel>,
    motion: Motion,
}

fn fixture() -> Fixture {
    let demo = synth(SynthClip::Cube, 0, &NoiseConfig::none());
    let hand = Hand::builtin("allegro", Side::Right).unwrap();
    let model = RetargetHand::new(hand.tree.clone(), hand.map.clone(), |_| 0.009).unwrap();
    let track = &demo.objects[0];
    let object = ObjectModel::build(
        "cube",
        track.mesh.clone(),
        track.mass,
        &DecomposeConfig::default(),
        None,
    )
    .unwrap();
    let inputs =
        [ObjectInput { surface: &object.surface, world_from_object: &track.world_from_object }];
    let config = RetargetConfig::default();
    let hands = vec![retarget(&demo.hands[0], demo.fps, &inputs, &model, &config).unwrap()];
    let motion = Motion { fps: demo.fps, hands };
    Fixture { demo, hand, models: vec![model], objects: vec![object], motion }
}

fn held(demo: &Demonstration) -> Vec<Hold> {
    let surface = Surface::new(&demo.objects[0].mesh).unwrap();
    holds(demo, &[&surface])
}

fn run(
    fixture: &Fixture,
    config: &RefineConfig,
    journal: &mut dyn Journal,
    observer: &dyn Observer,
) -> Result<Refined, RefineError> {
    let hands = [&fixture.hand];
    let input = RefineInput {
        demo: &fixture.demo,
        hands: &hands,
        models: &fixture.models,
        objects: &fixture.objects,
        motion: &fixture.motion,
        remembered: &[],
    };
    refine(&input, config, journal, observer)
}

/// A journal in memory that can be handed to a second run.
#[derive(Default)]
struct Memory(Vec<Vec<f64>>);

impl Journal for Memory {
    fn begin(&mut self, _question: &[&[u8]]) {}

    fn recall(&mut self, index: usize) -> Option<Vec<f64>> {
        self.0.get(index).cloned()
    }

    fn remember(&mut self, index: usize, answer: &[f64]) {
        assert_eq!(index, self.0.len());
        self.0.push(answer.to_vec());
    }
}

/// Asks to stop after a number of answers.
struct Impatient(AtomicUsize);

impl Observer for Impatient {
    fn progress(&self, _sim_steps: u64, _status: &str) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[test]
fn a_clean_cube_is_carried_within_the_strict_limits_and_threads_do_not_matter() {
    let fixture = fixture();
    let one = RefineConfig { threads: 1, ..RefineConfig::default() };
    let two = RefineConfig { threads: 2, ..RefineConfig::default() };
    let a = run(&fixture, &one, &mut NoJournal, &Unobserved).unwrap();
    let b = run(&fixture, &two, &mut NoJournal, &Unobserved).unwrap();
    assert!(a.rollout == b.rollout, "same bits for any thread count");
    assert_eq!(a.sim_steps, b.sim_steps);
    let limits = dextra_core::rollout::Limits::default();
    assert!(a.rollout.clone().accept(&a.reference, &limits).is_ok());
    assert!(!a.grasp_changed);
}

#[test]
fn an_interrupted_search_resumes_to_the_same_bits() {
    let fixture = fixture();
    let config = RefineConfig { seed: 5, ..RefineConfig::default() };
    let whole = run(&fixture, &config, &mut NoJournal, &Unobserved).unwrap();
    let mut memory = Memory::default();
    let stopped = run(&fixture, &config, &mut memory, &Impatient(AtomicUsize::new(6)));
    assert!(matches!(stopped, Err(RefineError::Interrupted)));
    assert_eq!(memory.0.len(), 6);
    let resumed = run(&fixture, &config, &mut memory, &Unobserved).unwrap();
    assert!(whole.rollout == resumed.rollout);
    assert_eq!(whole.sim_steps, resumed.sim_steps, "recalled trials count too");
}

#[test]
fn a_timeline_leaves_time_before_the_lift_and_after_the_put_down() {
    let demo = synth(SynthClip::Cube, 0, &NoiseConfig::none());
    let phases = PhaseConfig::default();
    let dt = 0.01;
    let late = timeline(&demo, &held(&demo), &phases, dt);
    let (lift, put) = (late.lift_step().unwrap(), late.put_step().unwrap());
    assert!(lift as f64 * dt >= phases.before_take() + 0.6 - dt);
    assert!((late.steps - put) as f64 * dt >= phases.after_release() - dt);
    // The same clip cut to begin at the lift must be given the time it lacks.
    let first = held(&demo)[0].take;
    let mut cut = demo.clone();
    cut.hands[0].keypoints_in_world.drain(..first);
    cut.objects[0].world_from_object.drain(..first);
    let early = timeline(&cut, &held(&cut), &phases, dt);
    assert!(early.lead_in > 0.5, "{}", early.lead_in);
    let lifted = early.lift_step().unwrap() as f64 * dt;
    assert!((lifted - (phases.before_take() + 0.6)).abs() <= dt, "{lifted}");
    let planned = early.judged.frames.iter().take_while(|f| !f.is_demonstrated()).count();
    assert_eq!(planned, (early.lead_in * demo.fps).floor() as usize);
    assert_eq!(
        early.judged.frames.len() - planned,
        cut.frames() + (early.tail * demo.fps) as usize
    );
    for frame in &early.judged.frames {
        let step = early.reference[0][frame.step];
        assert!(pose::distance_between(&step, &frame.world_from_object[0]) < 0.01);
    }
}

#[test]
fn the_wrist_carries_the_object_without_slip_and_leaves_along_the_retreat() {
    let fixture = fixture();
    let refined = run(&fixture, &RefineConfig::default(), &mut NoJournal, &Unobserved).unwrap();
    let schedule = &refined.timeline;
    let rest = [schedule.reference[0][0]];
    let grasp = Grasp {
        object_from_root: Pose::from_parts(
            Vector3::new(0.0, 0.05, 0.12).into(),
            UnitQuaternion::from_euler_angles(0.1, 0.2, 0.3),
        ),
        finger_center_in_root: Point3::new(0.0, 0.0, 0.1),
        open: vec![0.0; 16],
        open_joints: vec![0.0; 16],
        touch: vec![0.4; 16],
        touch_joints: vec![0.4; 16],
        squeezed: vec![0.9; 16],
        rise: 0.03,
        ..Grasp::placeholder(&schedule.holds[0])
    };
    let idle = [IdlePath {
        world_from_root: Vec::new(),
        fingers: vec![vec![0.0; 16]],
        joints: vec![0.0; 16],
    }];
    let plan = Plan {
        scene: &refined.scene,
        schedule,
        grasps: vec![grasp.clone()],
        at_take: rest.to_vec(),
        rest: &rest,
        start: vec![rest[0] * grasp.object_from_root],
        idle: &idle,
        phases: PhaseConfig::default(),
    };
    let theta = vec![0.0; plan.parameters()];
    let (take, put) = (plan.holds()[0].take, plan.holds()[0].release.unwrap());
    // Before it closes the hand is 3 cm higher; it has sunk when the fingers touch.
    let above = |step: usize| {
        let held = rest[0] * grasp.object_from_root;
        (plan.world_from_root(0, &theta, step).translation.vector - held.translation.vector).z
    };
    let close = plan.close_step(0);
    assert!((above(close) - 0.03).abs() < 1e-9);
    let half = above(close + plan.steps(0.35 * plan.phases.close));
    assert!((0.012..0.018).contains(&half), "{half}");
    assert!(above(close + plan.steps(0.7 * plan.phases.close)).abs() < 1e-9);
    for step in (take + 60..put).step_by(25) {
        let root = plan.world_from_root(0, &theta, step);
        let expected = schedule.reference[0][step] * grasp.object_from_root;
        assert!(pose::distance_between(&root, &expected) < 1e-12, "step {step}");
        assert!(pose::angle_between(&root, &expected) < 1e-7, "step {step}");
        // 0.6 of the way from touching to squeezed.
        assert!(plan.fingers(0, &theta, step).iter().all(|c| (c - 0.7).abs() < 1e-12));
    }
    let end = plan.world_from_root(0, &theta, schedule.steps);
    let left = schedule.reference[0][put] * grasp.object_from_root;
    let moved = end.translation.vector - left.translation.vector;
    assert!((moved - Vector3::z() * (0.10 + 0.03)).norm() < 1e-9);
    assert!(plan.fingers(0, &theta, schedule.steps).iter().all(|c| c.abs() < 1e-12));
    // The wrist's path has no jumps: at most 1 m/s anywhere.
    let mut last = plan.world_from_root(0, &theta, 0);
    for step in 1..=schedule.steps {
        let now = plan.world_from_root(0, &theta, step);
        assert!(pose::distance_between(&now, &last) < 0.01, "step {step}");
        last = now;
    }
}

#[test]
fn controls_lead_a_moving_wrist_by_the_lag_of_its_servo() {
    let fixture = fixture();
    let refined = run(&fixture, &RefineConfig::default(), &mut NoJournal, &Unobserved).unwrap();
    // In the accepted replay the wrist must be where the plan had it, although a servo without
    // feed-forward lags by kv / kp = 40 ms: 8 mm at 0.2 m/s.
    let hand = &refined.scene.hands[0];
    let (mut error, mut lag) = (0.0f64, 0.0f64);
    for step in refined.timeline.lift_step().unwrap()..refined.timeline.put_step().unwrap() {
        let q = |state: usize| {
            let qpos = &refined.rollout.qpos[state];
            Vector3::new(
                qpos[hand.wrist_qpos[0]],
                qpos[hand.wrist_qpos[1]],
                qpos[hand.wrist_qpos[2]],
            )
        };
        let row = &refined.rollout.ctrl[step * refined.rollout.nu..];
        let command =
            Vector3::new(row[hand.wrist_ctrl[0]], row[hand.wrist_ctrl[1]], row[hand.wrist_ctrl[2]]);
        let velocity = (q(step + 1) - q(step)) / refined.timeline.dt;
        error = error.max((command - velocity * 0.04 - q(step)).norm());
        lag = lag.max((velocity * 0.04).norm());
    }
    assert!(lag > 0.006, "the clip is fast enough to tell: {lag}");
    assert!(error < 0.005, "{error}");
}

#[test]
fn keypoint_means_and_medians_are_taken_per_coordinate() {
    let frame = |x: f64| [Point3::new(x, 2.0 * x, -x); 21];
    let track = [frame(0.0), frame(1.0), frame(8.0)];
    assert_eq!(mean_keypoints(&track)[7], Point3::new(3.0, 6.0, -3.0));
    assert_eq!(median_keypoints(&track)[20], Point3::new(1.0, 2.0, -1.0));
}

#[test]
fn minimum_jerk_starts_and_ends_at_rest() {
    assert_eq!((min_jerk(-1.0), min_jerk(0.0), min_jerk(1.0), min_jerk(2.0)), (0.0, 0.0, 1.0, 1.0));
    assert!((min_jerk(0.5) - 0.5).abs() < 1e-12);
    let h = 1e-4;
    assert!(min_jerk(h) / h < 1e-6 && (1.0 - min_jerk(1.0 - h)) / h < 1e-6);
}

#[test]
fn robustness_is_whole_without_displacement_and_nothing_far_away() {
    use crate::evaluate::{Played, RobustnessConfig, at_half_step, robustness};
    let fixture = fixture();
    let refined = run(&fixture, &RefineConfig::default(), &mut NoJournal, &Unobserved).unwrap();
    let schedule = &refined.timeline;
    let played = Played {
        scene: &refined.scene,
        qpos0: &refined.rollout.qpos0,
        ctrl: &refined.rollout.ctrl,
        reference: &schedule.reference,
        judged: Played::carrying(schedule),
    };
    let mut config =
        RobustnessConfig { offset: 0.0, tolerance: 0.03, trials: 7, seed: 1, threads: 2 };
    assert_eq!(robustness(&played, &config).unwrap().successes, 7);
    config.offset = 0.2;
    assert_eq!(robustness(&played, &config).unwrap().successes, 0);
    config.offset = 0.01;
    config.tolerance = 0.04;
    let two = robustness(&played, &config).unwrap();
    config.threads = 1;
    assert_eq!(robustness(&played, &config).unwrap(), two, "threads do not matter");
    let (position, rotation) = at_half_step(&played);
    assert!(position.is_finite() && position < 0.5 && rotation <= std::f64::consts::PI);
}

#[test]
fn a_hand_that_never_comes_near_is_not_given_a_grasp_of_our_own() {
    let mut fixture = fixture();
    for frame in &mut fixture.demo.hands[0].keypoints_in_world {
        frame.iter_mut().for_each(|p| p.y += 0.36);
    }
    for root in &mut fixture.motion.hands[0].world_from_root {
        root.translation.y += 0.36;
    }
    let refined = run(&fixture, &RefineConfig::default(), &mut NoJournal, &Unobserved).unwrap();
    assert!(refined.notes.iter().any(|note| note.contains("no grasp to search for")));
    let limits = dextra_core::rollout::Limits::default();
    assert!(refined.rollout.accept(&refined.reference, &limits).is_err());
}

#[test]
fn a_grasp_difference_is_the_shift_that_was_put_in() {
    use crate::evaluate::grasp_difference;
    let fixture = fixture();
    let refined = run(&fixture, &RefineConfig::default(), &mut NoJournal, &Unobserved).unwrap();
    let first = grasp_difference(&refined, &fixture.demo, &fixture.models).unwrap();
    assert!(first.tips > 0.002 && first.tips < 0.06, "{first:?}");
    assert!(first.palm < 1.0, "{first:?}");
    // With human and robot fingertips in one place nothing is left; moved away by 7 cm, just that.
    let mut moved = Refined { reference: refined.reference.clone(), ..refined };
    for shift in [0.0, 0.07] {
        for frame in &mut moved.reference.frames {
            let qpos = &moved.rollout.qpos[frame.step];
            frame.world_from_object[0] = moved.scene.world_from_object(0, qpos);
            let root = moved.scene.world_from_root(0, qpos);
            let joints = moved.scene.joints(0, qpos);
            let positions = fixture.models[0].point_positions(&root, &joints);
            let Some(human) = &mut frame.human_keypoints[0] else { continue };
            for (point, position) in fixture.models[0].points.iter().zip(positions) {
                human[point.keypoint] = position + Vector3::x() * shift;
            }
        }
        let difference = grasp_difference(&moved, &fixture.demo, &fixture.models).unwrap();
        assert!((difference.tips - shift).abs() < 1e-9, "{difference:?}");
    }
}

#[test]
fn a_hand_that_needs_longer_between_two_holds_gets_a_pause_in_which_nothing_moves() {
    let demo = synth(SynthClip::Cube, 0, &NoiseConfig::none());
    let phases = PhaseConfig::default();
    let whole = held(&demo)[0];
    let (take, release) = (whole.take, whole.release.unwrap());
    // As if the hand let go in the middle and took the cube again half a second later.
    let middle = usize::midpoint(take, release);
    let again = middle + (0.5 * demo.fps) as usize;
    let holds = [Hold { release: Some(middle), ..whole }, Hold { take: again, ..whole }];
    let schedule = timeline(&demo, &holds, &phases, 0.01);
    let [(at, length)] = schedule.pauses[..] else { panic!("{:?}", schedule.pauses) };
    let needed = phases.after_release() + super::timeline::TRAVEL + phases.before_take();
    assert!((length - (needed - 0.5)).abs() < 0.02, "{length}");
    let between = schedule.holds[1].take - schedule.holds[0].release.unwrap();
    assert!((between as f64 * 0.01 - needed).abs() < 0.03, "{between}");
    // During the pause the reference stands still and no human is shown; steps only rise.
    let first = ((schedule.lead_in + at) / 0.01).ceil() as usize;
    let last = ((schedule.lead_in + at + length) / 0.01).floor() as usize;
    assert_eq!(schedule.reference[0][first], schedule.reference[0][last]);
    let frames = &schedule.judged.frames;
    assert!(frames.windows(2).all(|pair| pair[0].step < pair[1].step));
    let inside = frames.iter().filter(|f| f.step > first && f.step < last);
    assert!(inside.clone().count() > 20 && inside.clone().all(|f| !f.is_demonstrated()));
    assert_eq!(frames.iter().filter(|f| f.is_demonstrated()).count(), demo.frames());
}

#[test]
fn the_wrist_turns_about_a_rolled_object_and_the_tips_stay_on_it() {
    let fixture = fixture();
    let refined = run(&fixture, &RefineConfig::default(), &mut NoJournal, &Unobserved).unwrap();
    let schedule = &refined.timeline;
    let rest = [schedule.reference[0][0]];
    let model = &fixture.models[0];
    let touch: Vec<f64> = fixture.hand.neutral().iter().map(|q| q + 0.4).collect();
    let touch: Vec<f64> = touch
        .iter()
        .zip(&fixture.hand.tree.joints)
        .map(|(q, joint)| q.clamp(joint.range.0, joint.range.1))
        .collect();
    let grasp = Grasp {
        object_from_root: Pose::from_parts(
            Vector3::new(0.0, 0.0, 0.15).into(),
            UnitQuaternion::identity(),
        ),
        touch: fixture.hand.ctrl(&touch),
        touch_joints: touch.clone(),
        ..Grasp::placeholder(&schedule.holds[0])
    };
    // A human palm that turns by 0.4 rad about its x axis during the hold.
    let hold = &schedule.holds[0];
    let frames = 200;
    let palm = model.world_from_palm(&grasp.object_from_root, &touch);
    let palms = (0..frames)
        .map(|f| {
            let turn = UnitQuaternion::from_euler_angles(0.4 * f as f64 / frames as f64, 0.0, 0.0);
            Some(palm * Pose::from_parts(Vector3::zeros().into(), turn))
        })
        .collect();
    let start = (schedule.demonstrated_time(hold.take) * fixture.demo.fps).round() as usize;
    let human = HumanHold {
        keypoints: vec![[Point3::origin(); 21]; frames],
        palms,
        first_frame: start,
        fps: fixture.demo.fps,
    };
    assert!(roll::turns(&human));
    let qpos = refined.scene.default_qpos();
    let fitter = super::hypothesis::Fitter {
        scene: &refined.scene,
        index: 0,
        hand: &fixture.hand,
        model,
        object: 0,
        surface: &fixture.objects[0].surface,
        at_take: rest[0],
        qpos: &qpos,
        config: HypothesisConfig::default(),
    };
    // The cube of 4 to 5 cm lies on the table: tips of 9 mm go beside it and above the table.
    let center = rest[0].translation.vector;
    let tip = |x: f64, z: f64| fitter.outside(&Point3::new(center.x + x, center.y, z), 0.009);
    let far = Point3::new(center.x + 0.1, center.y, 0.05);
    assert_eq!(fitter.outside(&far, 0.009), far, "a free tip stays");
    for moved in [tip(0.016, -0.01), tip(0.016, center.z), tip(-0.017, 0.004)] {
        assert!(moved.z > 0.009 - 1e-9, "{moved}");
        let in_object = rest[0].inverse_transform_point(&moved);
        let distance = fixture.objects[0].surface.signed_distance(&in_object);
        assert!((distance - 0.009).abs() < 1e-6, "{distance}");
    }
    let weights = crate::retarget::Regularisation {
        rest_m_per_rad: 0.001,
        smooth_joint_m_per_rad: 0.0,
        smooth_wrist: 0.0,
        smooth_wrist_m_per_rad: 0.0,
    };
    let mut solver = crate::retarget::FrameSolver::new(model, weights).unwrap();
    let knots = roll::fit(&fitter, &mut solver, &grasp, &human, schedule, hold);
    assert!(!knots.is_empty(), "a quarter of the turn at least can be followed");
    assert!(pose::angle_between(&knots[0].root, &Pose::identity()) < 0.02);
    let turned = pose::angle_between(&knots[knots.len() - 1].root, &Pose::identity());
    assert!(turned > 0.08, "{turned}");
    assert!(knots.iter().skip(5).any(|knot| knot.fingers.iter().any(|f| f.abs() > 0.01)));
    // A palm that stands still turns nothing.
    let still = HumanHold { palms: vec![Some(palm); frames], ..human };
    assert!(!roll::turns(&still));
}
