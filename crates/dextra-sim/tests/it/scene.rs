//! Scenes: wrist coordinates, names, files, and the settings that reach the engine.

mod files;

use crate::fixtures::{Noise, at, builtin, cube, gripper, gripper_with, place, put};
use dextra_core::{Pose, pose};
use dextra_sim::scene::{
    HandPlacement, ObjectPlacement, Owner, Scene, SceneConfig, SceneError, SceneHand,
    root_to_wrist, wrist_to_root,
};
use dextra_sim::world::World;
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use std::f64::consts::{FRAC_PI_2, PI, TAU};

fn turn(noise: &mut Noise) -> UnitQuaternion<f64> {
    let axis = Vector3::new(noise.signed(), noise.signed(), noise.signed());
    UnitQuaternion::from_scaled_axis(axis * PI)
}

fn wrist(world_from_mount: UnitQuaternion<f64>) -> SceneHand {
    SceneHand {
        prefix: "right/".to_owned(),
        wrist_qpos: [0, 1, 2, 3, 4, 5],
        joint_qpos: Vec::new(),
        wrist_ctrl: [0; 6],
        finger_ctrl: Vec::new(),
        mass: 1.0,
        world_from_mount,
        pivot_in_root: Point3::new(0.01, -0.02, 0.09),
    }
}

fn assert_same_pose(got: &Pose, expected: &Pose, what: &str) {
    let moved = pose::distance_between(got, expected);
    // The angle from the vector part: an arc cosine would lose half of the digits.
    let turned = 2.0 * (got.rotation.inverse() * expected.rotation).imag().norm();
    assert!(moved < 1e-12 && turned < 1e-12, "{what}: off by {moved} m, {turned} rad");
}

#[test]
fn wrist_coordinates_and_root_pose_are_inverse() {
    let mut noise = Noise(1);
    for case in 0..2000 {
        let hand = wrist(turn(&mut noise));
        let shift = Translation3::new(noise.signed(), noise.signed(), noise.signed());
        let root = Pose::from_parts(shift, turn(&mut noise));
        let near = [(); 6].map(|()| 10.0 * noise.signed());
        let q = root_to_wrist(&hand, &root, &near);
        assert_same_pose(&wrist_to_root(&hand, &q), &root, &format!("case {case}"));
        for hinge in 3..6 {
            assert!((q[hinge] - near[hinge]).abs() <= PI + 1e-9, "unwrapped to the nearest turn");
        }
        let back = root_to_wrist(&hand, &wrist_to_root(&hand, &near), &near);
        let error = (0..6).map(|i| (back[i] - near[i]).abs()).fold(0.0, f64::max);
        assert!(error < 1e-6, "case {case}: coordinates come back, off by {error}");
    }
}

#[test]
fn the_engine_puts_the_root_where_the_wrist_coordinates_say() {
    let (_dir, hand) = gripper();
    let mut noise = Noise(2);
    for case in 0..20 {
        let pivot_in_root = Point3::new(0.0, 0.03, -0.05);
        let placement =
            HandPlacement { hand: &hand, world_from_mount: turn(&mut noise), pivot_in_root };
        let scene = Scene::compose(&SceneConfig::new(-5.0), &[placement], &[]).unwrap();
        let shift = Translation3::new(noise.signed(), noise.signed(), noise.signed());
        let root = Pose::from_parts(shift, turn(&mut noise));
        let mut qpos = scene.default_qpos();
        scene.set_hand(0, &root, &[0.3, -0.2], &mut qpos);
        assert_eq!(scene.joints(0, &qpos), [0.3, -0.2]);
        assert_same_pose(&scene.world_from_root(0, &qpos), &root, "own kinematics");
        let mut data = MjData::new(&*scene.model);
        data.qpos_mut().copy_from_slice(&qpos);
        data.forward();
        let body = scene.model.name_to_id(MjtObjBase::mjOBJ_BODY, "right/palm").unwrap();
        let engine = pose::from_pos_quat(data.xpos()[body], data.xquat()[body]);
        assert!(pose::distance_between(&engine, &root) < 1e-9, "case {case}");
        assert!(pose::angle_between(&engine, &root) < 1e-6, "case {case}");
    }
}

#[test]
fn hinges_follow_a_path_of_many_turns_without_a_jump() {
    for axis in [Vector3::x_axis(), Vector3::z_axis()] {
        let hand = wrist(UnitQuaternion::identity());
        let mut q = [0.0; 6];
        for step in 0..=600 {
            let angle = 3.0 * TAU * f64::from(step) / 600.0;
            let rotation = UnitQuaternion::from_axis_angle(&axis, angle);
            let next =
                root_to_wrist(&hand, &Pose::from_parts(Translation3::identity(), rotation), &q);
            for hinge in 3..6 {
                assert!((next[hinge] - q[hinge]).abs() < 0.04, "step {step}: {q:?} to {next:?}");
            }
            q = next;
        }
        let total = if axis.x > 0.5 { q[3] } else { q[5] };
        assert!((total - 3.0 * TAU).abs() < 1e-9, "three turns are counted: {total}");
    }
}

#[test]
fn hinges_pass_their_singularity_without_a_jump() {
    let hand = wrist(UnitQuaternion::identity());
    let hinges = |a: f64, b: f64, c: f64| {
        UnitQuaternion::from_axis_angle(&Vector3::x_axis(), a)
            * UnitQuaternion::from_axis_angle(&Vector3::y_axis(), b)
            * UnitQuaternion::from_axis_angle(&Vector3::z_axis(), c)
    };
    // Straight through 90 deg, where the middle hinge goes on and the outer ones need not move.
    for (a, c) in [(0.0, 0.0), (0.4, -1.1), (-2.0, 3.0)] {
        for towards in [1.0, -1.0] {
            let mut q = [0.0, 0.0, 0.0, a, 0.0, c];
            for step in 0..=180 {
                // Steps of 1 deg, one of them exactly at the singularity.
                let b = towards * f64::from(step).to_radians();
                let root = Pose::from_parts(Translation3::identity(), hinges(a, b, c));
                q = root_to_wrist(&hand, &root, &q);
                assert_same_pose(&wrist_to_root(&hand, &q), &root, &format!("{step} deg"));
                let off = (q[3] - a).abs().max((q[4] - b).abs()).max((q[5] - c).abs());
                assert!(off < 1e-6, "{step} deg: {q:?} instead of {a} {b} {c}");
            }
        }
    }
    // Near and at it, in every distance down to rounding.
    let mut noise = Noise(3);
    for exponent in 0..18 {
        for sign in [1.0, -1.0, 0.0] {
            let b = FRAC_PI_2 + sign * 10f64.powi(-exponent);
            let root = Pose::from_parts(
                Translation3::identity(),
                hinges(noise.signed(), b, noise.signed()),
            );
            let near = [(); 6].map(|()| 3.0 * noise.signed());
            let q = root_to_wrist(&hand, &root, &near);
            let what = format!("90 deg and {sign} x 1e-{exponent} rad");
            assert_same_pose(&wrist_to_root(&hand, &q), &root, &what);
        }
    }
}

#[test]
fn names_of_hands_and_objects_never_clash() {
    let (_dir, hand) = gripper();
    let left = dextra_sim::hand::Hand::builtin("allegro", dextra_core::Side::Left).unwrap();
    let names =
        ["palm", "right/palm", "wrist/right", "table", "object/palm", "right/palm_00", "a b<\"&'>"];
    let objects: Vec<_> = names.iter().map(|name| cube(name, 0.02, 0.1)).collect();
    let placed: Vec<_> = objects
        .iter()
        .enumerate()
        .map(|(i, object)| put(object, at(0.2 * i as f64, 0.5, 0.5)))
        .collect();
    let hands = [place(&hand), place(&hand), place(&left)];
    let scene = Scene::compose(&SceneConfig::new(0.0), &hands, &placed).unwrap();
    let prefixes: Vec<_> = scene.hands.iter().map(|h| h.prefix.as_str()).collect();
    assert_eq!(prefixes, ["right/", "right2/", "left/"]);
    let mut seen = std::collections::BTreeSet::new();
    for hand in &scene.hands {
        for address in hand.wrist_qpos.iter().chain(&hand.joint_qpos) {
            assert!(seen.insert(*address), "two joints share address {address}");
        }
    }
    for (index, object) in scene.objects.iter().enumerate() {
        assert!((0..7).all(|i| seen.insert(object.qpos + i)));
        let here = scene.world_from_object(index, &scene.default_qpos());
        assert_same_pose(&here, &placed[index].world_from_object, names[index]);
        let geoms = scene.owner.iter().filter(|&&o| o == Owner::Object(index)).count();
        assert_eq!(geoms, 1, "{}", names[index]);
    }
    assert_eq!(seen.len(), scene.model.nq() as usize);
    assert_eq!(scene.owner.iter().filter(|&&o| o == Owner::Table).count(), 1);
    for (index, expected) in [(0, 7), (1, 7)] {
        let geoms = scene.owner.iter().filter(|&&o| o == Owner::Hand(index)).count();
        assert_eq!(geoms, expected);
    }
    let controls: std::collections::BTreeSet<_> =
        scene.hands.iter().flat_map(|h| h.wrist_ctrl.iter().chain(&h.finger_ctrl)).collect();
    assert_eq!(controls.len(), scene.model.nu() as usize);
}

#[test]
fn bad_object_names_are_refused_by_name() {
    let (first, second) = (cube("mug", 0.02, 0.1), cube("mug", 0.03, 0.1));
    fn compose(objects: &[ObjectPlacement<'_>]) -> SceneError {
        Scene::compose(&SceneConfig::new(0.0), &[], objects).err().unwrap()
    }
    let twice = compose(&[put(&first, at(0.0, 0.0, 0.1)), put(&second, at(0.2, 0.0, 0.1))]);
    assert!(matches!(&twice, SceneError::DuplicateObject { name } if name == "mug"));
    assert!(twice.to_string().contains("two objects are called `mug`"), "{twice}");
    for name in ["", "mug\0cup"] {
        let object = cube(name, 0.02, 0.1);
        let error = compose(&[put(&first, at(0.0, 0.0, 0.1)), put(&object, at(0.2, 0.0, 0.1))]);
        assert!(matches!(error, SceneError::ObjectName { index: 1, .. }), "{error}");
    }
}

#[test]
fn solver_settings_reach_the_compiled_model_whatever_the_hand_says() {
    let (_dir, odd) = gripper_with(|xml| {
        xml.replace(
            "<worldbody>",
            "<option timestep='0.001' cone='pyramidal' impratio='1' iterations='3' gravity='0 0 1' \
             integrator='RK4' solver='PGS'><flag contact='disable' gravity='disable'/></option>\
             <size memory='10K'/><worldbody>",
        )
    });
    let object = cube("cube", 0.02, 0.1);
    for hand in [&odd, &builtin("allegro"), &builtin("shadow")] {
        let config = SceneConfig { timestep: 0.004, ..SceneConfig::new(0.0) };
        let objects = [put(&object, at(0.3, 0.0, 0.02))];
        let scene = Scene::compose(&config, &[place(hand)], &objects).unwrap();
        let option = scene.model.opt();
        let name = &hand.map.name;
        assert_eq!(option.cone, MjtCone::mjCONE_ELLIPTIC as i32, "{name}");
        assert_eq!(option.integrator, MjtIntegrator::mjINT_DISCRETE as i32, "{name}");
        assert_eq!(option.solver, MjtSolver::mjSOL_NEWTON as i32, "{name}");
        assert_eq!((option.impratio, option.iterations, option.ls_iterations), (10.0, 100, 50));
        assert_eq!((option.timestep, option.gravity), (0.004, [0.0, 0.0, -9.81]), "{name}");
        assert_eq!((option.disableflags, option.enableflags), (0, 0), "{name}");
        assert!(scene.model.ffi().narena > 1 << 20, "{name}: room for contacts");
        let half = scene.model_with_timestep(0.002);
        assert_eq!((half.opt().timestep, scene.model.opt().timestep), (0.002, 0.004));
    }
}

#[test]
fn geoms_with_odd_contact_settings_still_touch_table_and_object() {
    let odd = [
        "condim='1'",
        "condim='6' friction='0 0 0'",
        "contype='2' conaffinity='4'",
        "contype='8' conaffinity='0'",
        "contype='0' conaffinity='16'",
        "priority='3' solref='0.005 1' solimp='0.99 0.999 0.0001'",
        "solref='-10000 -100'",
        "margin='0.002' gap='0.001'",
        "solmix='0'",
    ];
    // Narrow enough to be clear of the fingers, whose friction would carry some of it.
    let object = cube("cube", 0.012, 0.05);
    for settings in odd {
        let (_dir, hand) = gripper_with(|xml| {
            xml.replace("<asset>", &format!("<default><geom {settings}/></default><asset>"))
        });
        let objects = [put(&object, at(0.0, 0.0, 0.0169))];
        let scene = Scene::compose(&SceneConfig::new(-0.0045), &[place(&hand)], &objects).unwrap();
        let mut world = World::new(&scene);
        world.forward();
        let touched: Vec<_> = world.hand_contacts().iter().map(|c| c.other).collect();
        assert!(touched.contains(&Owner::Object(0)), "{settings}: {touched:?}");
        assert!(touched.contains(&Owner::Table), "{settings}: {touched:?}");
        for _ in 0..100 {
            world.step(&vec![0.0; scene.model.nu() as usize]);
        }
        assert!(world.is_finite(), "{settings}");
        let z = scene.world_from_object(0, world.qpos()).translation.z;
        assert!((z - 0.017).abs() < 0.005, "{settings}: the palm carries the cube, z = {z}");
        let mut force = 0.0;
        for _ in 0..100 {
            world.step(&vec![0.0; scene.model.nu() as usize]);
            let contacts = world.hand_contacts();
            let on_object = contacts.iter().filter(|c| c.other == Owner::Object(0));
            force += on_object.map(|c| c.force * c.normal.z).sum::<f64>() / 100.0;
        }
        assert!((force - 0.05 * 9.81).abs() < 0.05, "{settings}: {force} N on average");
    }
}

#[test]
fn geoms_that_collide_with_nothing_stay_so() {
    let (_dir, hand) = gripper_with(|xml| {
        xml.replace("<asset>", "<default><geom contype='0' conaffinity='0'/></default><asset>")
    });
    let scene = Scene::compose(&SceneConfig::new(0.0), &[place(&hand)], &[]).unwrap();
    let mut world = World::new(&scene);
    world.forward();
    assert!(world.hand_contacts().is_empty());
}
