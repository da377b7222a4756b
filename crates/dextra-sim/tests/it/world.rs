//! One world: contacts measured on worked examples, snapshots, and the replay that judges.

use crate::fixtures::{allegro_with_cube, at, cube, gripper, place, put, wandering};
use dextra_core::Pose;
use dextra_sim::batch::Batch;
use dextra_sim::scene::{HandPlacement, Owner, Scene, SceneConfig};
use dextra_sim::world::{World, replay};
use mujoco_rs::prelude::*;
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use std::f64::consts::PI;
use std::sync::Arc;

/// `mjSTATE_INTEGRATION`, and its components that come before the warm start.
const WHOLE_STATE: u32 = 16383;
const BEFORE_WARM_START: u32 = 31;

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn near(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() < tolerance, "{got} instead of {expected}");
}

/// The default joint positions with the hand at `pose`, its fingers at `joints`.
fn posed(scene: &Scene, pose: &Pose, joints: &[f64]) -> Vec<f64> {
    let mut qpos = scene.default_qpos();
    scene.set_hand(0, pose, joints, &mut qpos);
    qpos
}

/// Half a turn about x: what pointed up points down.
fn upside_down(z: f64) -> Pose {
    let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), PI);
    Pose::from_parts(Translation3::new(0.0, 0.0, z), turn)
}

#[test]
fn a_box_on_a_sphere_touches_where_and_as_deep_as_it_was_put() {
    let (_dir, hand) = gripper();
    let object = cube("cube", 0.015, 0.05);
    // The left tip's top is at z = 0.01 + 0.078 + 0.006; the box reaches 1 mm below.
    let top = 0.094;
    let objects = [put(&object, at(-0.02, 0.0, top - 0.001 + 0.015))];
    let config = SceneConfig::new(-1.0);
    let scene = Scene::compose(&config, &[place(&hand)], &objects).unwrap();
    let mut world = World::new(&scene);
    world.forward();
    let contacts = world.hand_contacts();
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    let contact = contacts[0];
    assert_eq!((contact.hand, contact.other), (0, Owner::Object(0)));
    let tip = scene.model.name_to_id(MjtObjBase::mjOBJ_GEOM, "right/left_tip");
    assert_eq!(Some(contact.geom), tip);
    near(contact.depth, 0.001, 1e-6);
    assert!((contact.normal - Vector3::z()).norm() < 1e-3, "from hand to box: {contact:?}");
    near(contact.point.x, -0.02, 1e-4);
    near(contact.point.z, top - 0.0005, 1e-5);
    assert!(contact.force > 0.0);
    let touch = contact.touch().unwrap();
    assert_eq!((touch.hand, touch.object, touch.force), (0, 0, contact.force));
    assert_eq!((touch.contact.friction, touch.contact.torsion), (1.0, 0.01));
    // Half an edge of 3 cm is the radius of gyration.
    near(scene.body(0).length, 0.015, 1e-6);
    near(scene.body(0).center.coords.norm(), 0.0, 1e-6);
    let summary = world.step_contacts();
    assert_eq!(summary.hand_object_count, 1);
    near(summary.hand_object_penetration, 0.001, 1e-6);
    near(summary.hand_object_force, contact.force, 1e-12);
    assert!(!summary.opposing && !summary.object_table);
    assert_eq!(summary.self_penetration, 0.0);
}

#[test]
fn a_cube_at_rest_on_the_palm_presses_with_its_weight() {
    let (_dir, hand) = gripper();
    let object = cube("cube", 0.015, 0.05);
    let objects = [put(&object, at(0.0, 0.0, 0.0201))];
    let config = SceneConfig::new(-1.0);
    let scene = Scene::compose(&config, &[place(&hand)], &objects).unwrap();
    let mut world = World::new(&scene);
    world.reset(&scene.default_qpos());
    for _ in 0..200 {
        world.step(&vec![0.0; scene.model.nu() as usize]);
    }
    let contacts = world.hand_contacts();
    assert!(contacts.len() >= 3, "a face rests on at least three points: {contacts:?}");
    for contact in &contacts {
        assert_eq!(contact.other, Owner::Object(0));
        assert!((contact.normal - Vector3::z()).norm() < 1e-2, "{contact:?}");
    }
    let force: f64 = contacts.iter().map(|c| c.force).sum();
    near(force, 0.05 * 9.81, 0.005);
    near(world.step_contacts().hand_object_force, force, 1e-12);
    assert!(world.is_finite());
}

#[test]
fn a_hand_in_the_table_is_measured_and_the_normal_points_into_the_table() {
    let (_dir, hand) = gripper();
    let scene = Scene::compose(&SceneConfig::new(0.0), &[place(&hand)], &[]).unwrap();
    let mut world = World::new(&scene);
    // Spheres 3 mm deep, the hand upside down: their lowest point is 0.094 below the root.
    world.reset(&posed(&scene, &upside_down(0.091), &[0.0, 0.0]));
    world.forward();
    near(world.step_contacts().hand_table_penetration, 0.003, 1e-6);
    // The palm 2 mm deep. It is a mesh, so the engine lists the table's box first.
    world.reset(&posed(&scene, &at(0.0, 0.0, 0.003), &[0.0, 0.0]));
    world.forward();
    near(world.step_contacts().hand_table_penetration, 0.002, 1e-5);
    let contacts = world.hand_contacts();
    assert!(!contacts.is_empty());
    for contact in contacts {
        assert_eq!(contact.other, Owner::Table);
        assert!((contact.normal + Vector3::z()).norm() < 1e-2, "{contact:?}");
        assert!(contact.force > 0.0);
    }
    world.reset(&posed(&scene, &at(0.0, 0.0, 0.1), &[0.0, 0.0]));
    world.forward();
    assert_eq!(world.step_contacts().hand_table_penetration, 0.0);
}

#[test]
fn self_penetration_is_the_overlap_of_the_two_fingers() {
    let (_dir, hand) = gripper();
    let scene = Scene::compose(&SceneConfig::new(-1.0), &[place(&hand)], &[]).unwrap();
    let mut world = World::new(&scene);
    world.forward();
    assert_eq!(world.self_penetration(), 0.0);
    for overlap in [0.001, 0.004] {
        // Tip centres at x = -+(0.006 - overlap / 2).
        let angle = ((0.02 - 0.006 + overlap / 2.0) / 0.078f64).asin();
        world.reset(&posed(&scene, &Pose::identity(), &[angle, -angle]));
        world.forward();
        near(world.self_penetration(), overlap, 1e-6);
        near(world.step_contacts().self_penetration, overlap, 1e-6);
        assert!(world.hand_contacts().is_empty(), "a hand's contact with itself is no grasp");
    }
}

#[test]
fn two_hands_that_touch_each_other_are_measured() {
    let (_dir, hand) = gripper();
    let turned = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), PI);
    let hands = [place(&hand), HandPlacement { world_from_mount: turned, ..place(&hand) }];
    let scene = Scene::compose(&SceneConfig::new(-1.0), &hands, &[]).unwrap();
    let mut qpos = scene.default_qpos();
    // Tips meet head on, 3 mm deep.
    scene.set_hand(1, &upside_down(2.0 * 0.094 - 0.003), &[0.0, 0.0], &mut qpos);
    let mut world = World::new(&scene);
    world.reset(&qpos);
    world.forward();
    assert_eq!(world.self_penetration(), 0.0, "neither hand penetrates itself");
    near(world.step_contacts().self_penetration, 0.003, 1e-6);
    let contacts = world.hand_contacts();
    assert_eq!(contacts.len(), 2);
    for contact in contacts {
        assert_eq!((contact.hand, contact.other), (0, Owner::Hand(1)));
        assert!((contact.normal - Vector3::z()).norm() < 1e-6, "{contact:?}");
    }
}

#[test]
fn a_squeeze_opposes_and_saturation_counts_actuators_at_their_limit() {
    let (_dir, hand) = gripper();
    let object = cube("cube", 0.0151, 0.01);
    let objects = [put(&object, at(0.0, 0.0, 0.065))];
    let scene = Scene::compose(&SceneConfig::new(-1.0), &[place(&hand)], &objects).unwrap();
    let mut world = World::new(&scene);
    let mut ctrl = vec![0.0; scene.model.nu() as usize];
    world.step(&ctrl);
    assert_eq!(world.saturation(), 0.0);
    ctrl[scene.hands[0].finger_ctrl[0]] = 1.0;
    ctrl[scene.hands[0].finger_ctrl[1]] = -1.0;
    world.step(&ctrl);
    near(world.saturation(), 2.0 / 8.0, 1e-12);
    assert!(world.step_contacts().opposing);
}

/// How far a 10 g cube slides in two fingers, upside down, between 0.5 and 2.5 s, in millimetres,
/// with the squeeze of a servo `offset` radians beyond the faces of the cube.
fn creep_mm(scene: &Scene, model: &Arc<MjModel>, offset: f64) -> f64 {
    let mut world = World::with_model(scene, Arc::clone(model));
    let root = upside_down(0.5);
    let mut qpos = posed(scene, &root, &[0.0, 0.0]);
    scene.set_object(0, &(root * at(0.0, 0.0, 0.065)), &mut qpos);
    world.reset(&qpos);
    let mut ctrl = vec![0.0; model.nu() as usize];
    for (&actuator, &address) in scene.hands[0].wrist_ctrl.iter().zip(&scene.hands[0].wrist_qpos) {
        ctrl[actuator] = qpos[address];
    }
    ctrl[scene.hands[0].finger_ctrl[0]] = offset;
    ctrl[scene.hands[0].finger_ctrl[1]] = -offset;
    let in_hand = |world: &World<'_>| {
        let object = scene.world_from_object(0, world.qpos());
        (scene.world_from_root(0, world.qpos()).inverse() * object).translation.vector
    };
    let mut start = Vector3::zeros();
    let steps = |seconds: f64| (seconds / model.opt().timestep).round() as usize;
    for step in 0..steps(2.5) {
        if step == steps(0.5) {
            start = in_hand(&world);
        }
        world.step(&ctrl);
    }
    assert!(world.is_finite());
    (in_hand(&world) - start).norm() * 1e3
}

#[test]
fn a_light_object_held_upside_down_stays_in_the_hand() {
    let (_dir, hand) = gripper();
    let object = cube("cube", 0.015, 0.01);
    let objects = [put(&object, Pose::identity())];
    let scene = Scene::compose(&SceneConfig::new(-1.0), &[place(&hand)], &objects).unwrap();
    // About 0.4 N and 1.5 N on either side of a weight of 0.1 N.
    for offset in [0.02, 0.08] {
        let held = creep_mm(&scene, &scene.model, offset);
        assert!(held < 1.0, "{held} mm in 2 s at {offset} rad");
        let mut loose = MjModel::clone(&scene.model);
        loose.opt_mut().cone = MjtCone::mjCONE_PYRAMIDAL as i32;
        loose.opt_mut().impratio = 1.0;
        let slid = creep_mm(&scene, &Arc::new(loose), offset);
        eprintln!("offset {offset}: elliptic {held:.3} mm, pyramidal {slid:.3} mm");
        assert!(slid > 2.0 * held, "the settings matter: {slid} mm against {held} mm");
    }
}

/// How far a 100 g cube has slid in two fingers that swing it to and fro for two seconds, in
/// millimetres.
fn swing_mm(scene: &Scene, integrator: MjtIntegrator, timestep: f64) -> f64 {
    let mut model = MjModel::clone(&scene.model);
    model.opt_mut().integrator = integrator as i32;
    model.opt_mut().timestep = timestep;
    let mut world = World::with_model(scene, Arc::new(model));
    let root = upside_down(0.5);
    let mut qpos = posed(scene, &root, &[0.0, 0.0]);
    scene.set_object(0, &(root * at(0.0, 0.0, 0.065)), &mut qpos);
    world.reset(&qpos);
    let hand = &scene.hands[0];
    let mut ctrl = vec![0.0; scene.model.nu() as usize];
    for (&actuator, &address) in hand.wrist_ctrl.iter().zip(&hand.wrist_qpos) {
        ctrl[actuator] = qpos[address];
    }
    ctrl[hand.finger_ctrl[0]] = 0.3;
    ctrl[hand.finger_ctrl[1]] = -0.3;
    let rest = ctrl.clone();
    let in_hand = |world: &World<'_>| {
        let object = scene.world_from_object(0, world.qpos());
        (scene.world_from_root(0, world.qpos()).inverse() * object).translation.vector
    };
    let steps = |seconds: f64| (seconds / timestep).round() as usize;
    let mut start = Vector3::zeros();
    for step in 0..steps(2.5) {
        if step == steps(0.5) {
            start = in_hand(&world);
        }
        // Targets change every 10 ms, whatever the step.
        let time = (step as f64 * timestep / 0.01 + 1e-9).floor() * 0.01;
        let phase = std::f64::consts::TAU * (time - 0.5).max(0.0);
        for slot in 0..3 {
            ctrl[hand.wrist_ctrl[slot]] = rest[hand.wrist_ctrl[slot]] + 0.02 * phase.sin();
            ctrl[hand.wrist_ctrl[3 + slot]] = rest[hand.wrist_ctrl[3 + slot]] + 0.1 * phase.sin();
        }
        world.step(&ctrl);
    }
    (in_hand(&world) - start).norm() * 1e3
}

#[test]
fn a_swung_object_stays_in_the_fingers_at_a_long_step_as_at_a_short_one() {
    let (_dir, hand) = gripper();
    let object = cube("cube", 0.015, 0.1);
    let objects = [put(&object, Pose::identity())];
    let scene = Scene::compose(&SceneConfig::new(-1.0), &[place(&hand)], &objects).unwrap();
    // At 0.1 ms Euler, Runge-Kutta and the discrete integrator agree within 4 %.
    let truth = swing_mm(&scene, MjtIntegrator::mjINT_RK4, 0.0001);
    let model = scene.model.opt().integrator;
    assert_eq!(model, MjtIntegrator::mjINT_DISCRETE as i32);
    for timestep in [0.01, 0.005] {
        let ours = swing_mm(&scene, MjtIntegrator::mjINT_DISCRETE, timestep);
        let other = swing_mm(&scene, MjtIntegrator::mjINT_IMPLICITFAST, timestep);
        eprintln!("slid: {ours:.2} mm, implicitfast {other:.2} mm, truth {truth:.2} mm");
        assert!((ours - truth).abs() < 0.5 * truth, "{ours} mm, truth {truth} mm");
        assert!(other > 10.0 * truth, "the setting matters: {other} mm, truth {truth} mm");
    }
}

#[test]
fn a_snapshot_continues_bit_for_bit_and_only_with_its_warm_start() {
    let scene = allegro_with_cube();
    let nu = scene.model.nu() as usize;
    let mut world = World::new(&scene);
    // The cube comes down into the still hand, and the hand moves later only: the engine takes a
    // warm start where it is better than none, which it is not when controls leap.
    let after = [vec![0.0; 10 * nu], wandering(&scene, 30, 4)].concat();
    for _ in 0..20 {
        world.step(&vec![0.0; nu]);
    }
    assert!(world.step_contacts().hand_object_count > 0, "the solver has something to do");
    let snapshot = world.state();
    let run = |world: &mut World<'_>| -> Vec<u64> {
        after
            .chunks_exact(nu)
            .flat_map(|row| {
                world.step(row);
                bits(world.qpos())
            })
            .collect()
    };
    let first = run(&mut world);
    world.set_state(&snapshot);
    assert!(run(&mut world) == first, "in the same world");
    let mut other = World::new(&scene);
    other.set_state(&snapshot);
    assert!(run(&mut other) == first, "in a fresh world");
    assert_eq!(bits(&other.state()), bits(&world.state()));

    let data = MjData::new(&*scene.model);
    let from = data.state(BEFORE_WARM_START).len();
    assert_eq!(data.state(WHOLE_STATE).len(), snapshot.len());
    let mut cold = snapshot.clone();
    cold[from..from + scene.model.nv() as usize].fill(0.0);
    assert_ne!(bits(&cold), bits(&snapshot), "there is a warm start to drop");
    other.set_state(&cold);
    assert!(run(&mut other) != first, "without the warm start the bits differ");
}

#[test]
fn the_judging_replay_has_the_bits_of_the_batch_that_searched() {
    let scene = allegro_with_cube();
    let hand = crate::fixtures::builtin("allegro");
    let ctrl = wandering(&scene, 80, 5);
    let qpos0 = scene.default_qpos();
    let rollout = replay(&scene, &scene.model, &[&hand], &qpos0, &ctrl, 7);
    let mut batch = Batch::new(&scene.model, 2, 2).unwrap();
    let mut world = World::new(&scene);
    world.reset(&qpos0);
    batch.set_state(1, &world.state()).unwrap();
    let searched = batch.rollout(&[1], 80, &ctrl).unwrap();
    assert_eq!(bits(&rollout.qpos[1..].concat()), bits(&searched));
    assert_eq!(rollout.qpos.len(), 81);
    assert_eq!((rollout.contacts.len(), rollout.saturated.len()), (80, 80));
    assert_eq!((rollout.seed, rollout.dt), (7, 0.01));
    assert!(rollout.finite);
    assert_eq!(rollout.objects[0].name, "cube");
    let last = scene.world_from_object(0, &rollout.qpos[80]);
    assert_eq!(rollout.objects[0].world_from_object[80], last);
    assert_eq!(rollout.hands[0].keypoints_in_world[80].len(), hand.map.keypoints.len());
}

#[test]
fn a_non_finite_control_or_state_is_reported_until_a_sound_state_is_restored() {
    let scene = allegro_with_cube();
    let hand = crate::fixtures::builtin("allegro");
    let nu = scene.model.nu() as usize;
    let mut ctrl = wandering(&scene, 20, 6);
    ctrl[10 * nu + 8] = f64::NAN;
    let rollout = replay(&scene, &scene.model, &[&hand], &scene.default_qpos(), &ctrl, 0);
    assert!(!rollout.finite);

    let mut world = World::new(&scene);
    let sound = world.state();
    let mut broken = scene.default_qpos();
    broken[0] = f64::INFINITY;
    world.reset(&broken);
    world.step(&vec![0.0; nu]);
    assert!(!world.is_finite());
    world.set_state(&sound);
    assert!(world.is_finite());
    world.step(&vec![0.0; nu]);
    assert!(world.is_finite());
}

#[test]
fn a_scene_without_a_hand_replays_too() {
    let object = cube("cube", 0.02, 0.1);
    let objects = [put(&object, at(0.0, 0.0, 0.02))];
    let scene = Scene::compose(&SceneConfig::new(0.0), &[], &objects).unwrap();
    let rollout = replay(&scene, &scene.model, &[], &scene.default_qpos(), &[], 0);
    assert_eq!((rollout.qpos.len(), rollout.nu), (1, 0));
}
