//! What curricula and randomisation change, against stock physics.

use super::*;
use crate::track::randomise::{Fields, Variation};
use crate::track::seen::{HandFacts, see};
use dextra_sim::batch::{Batch, Sensed, Wrenches};
use dextra_sim::object::MassProperties;
use dextra_sim::scene::{HandPlacement, ObjectPlacement, Scene};
use dextra_sim::world::World;
use nalgebra::Vector3;
use std::sync::Arc;

fn scene() -> &'static Scene {
    &fixture().refined.scene
}

/// Two worlds with the cube 30 cm above where it rests; the second is varied.
fn falling(variation: &Variation, relaxation: &Relaxation) -> Batch {
    let mut qpos = fixture().refined.rollout.qpos0.clone();
    qpos[scene().objects[0].qpos + 2] += 0.3;
    let mut world = World::new(scene());
    world.reset(&qpos);
    let mut batch = Batch::new(&scene().model, 2, 1).unwrap();
    for index in 0..2 {
        batch.set_state(index, &world.state()).unwrap();
    }
    let mut fields = Fields::new(scene());
    fields.write(&mut batch, 1, variation, relaxation).unwrap();
    fields.write(&mut batch, 0, &Variation::none(1), &Relaxation::NONE).unwrap();
    batch
}

fn advance(batch: &mut Batch, rows: &[f64], wrench: Option<[f64; 6]>) -> Vec<Sensed> {
    let nu = scene().ctrl_ranges().len();
    let steps = rows.len() / nu;
    let cube = [scene().body_id("object/cube").unwrap()];
    let values = wrench.map(|wrench| [wrench, wrench].concat());
    let wrenches = values.as_ref().map(|values| Wrenches { bodies: &cube, values });
    let mut sensed = vec![Sensed::default(); 2];
    batch.advance(scene(), &[0, 1], steps, &rows.repeat(2), wrenches, &mut sensed).unwrap();
    sensed
}

fn first_row() -> Vec<f64> {
    fixture().refined.rollout.ctrl[..scene().ctrl_ranges().len()].to_vec()
}

#[test]
fn gravity_is_relaxed_on_objects_alone() {
    let relaxation = Relaxation { gravity: 0.25, ..Relaxation::NONE };
    let mut batch = falling(&Variation::none(1), &relaxation);
    let sensed = advance(&mut batch, &first_row(), None);
    let dof = scene().dof(scene().objects[0].qpos) + 2;
    assert!((sensed[0].qvel[dof] + 0.0981).abs() < 1e-9);
    assert!((sensed[1].qvel[dof] + 0.25 * 0.0981).abs() < 1e-9, "{}", sensed[1].qvel[dof]);
    let others = |sensed: &Sensed| {
        let mut qvel = sensed.qvel.clone();
        qvel[dof] = 0.0;
        bits(&qvel)
    };
    assert_eq!(others(&sensed[0]), others(&sensed[1]), "nothing else moves otherwise");
}

#[test]
fn mass_is_what_newton_feels() {
    let heavy = Variation { mass: 2.5, ..Variation::none(1) };
    let mut batch = falling(&heavy, &Relaxation::NONE);
    let sensed = advance(&mut batch, &first_row(), Some([0.3, 0.0, 0.0, 0.0, 0.0, 2e-4]));
    let dof = scene().dof(scene().objects[0].qpos);
    let mass = fixture().objects[0].mass.mass_kg;
    for (sensed, factor) in sensed.iter().zip([1.0, 2.5]) {
        assert!(
            (sensed.qvel[dof] - 0.01 * 0.3 / (mass * factor)).abs() < 1e-8,
            "{} {}",
            sensed.qvel[dof],
            0.01 * 0.3 / (mass * factor)
        );
        assert!((sensed.qvel[dof + 2] + 0.0981).abs() < 1e-9, "it falls as fast");
    }
    let spin = sensed[0].qvel[dof + 5] / sensed[1].qvel[dof + 5];
    assert!((spin - 2.5).abs() < 1e-3, "inertia grows with mass: {spin}");
}

#[test]
fn a_heavier_object_lands_as_one_that_was_compiled_heavier() {
    let f = fixture();
    let light = &f.objects[0];
    let mass = MassProperties {
        mass_kg: light.mass.mass_kg * 2.0,
        com: light.mass.com,
        inertia: light.mass.inertia * 2.0,
    };
    let heavy = ObjectModel {
        name: light.name.clone(),
        mesh: light.mesh.clone(),
        hulls: light.hulls.clone(),
        mass,
        surface: dextra_sim::object::Surface::new(&light.mesh).unwrap(),
        friction: light.friction,
    };
    let start = scene().world_from_object(0, &f.refined.rollout.qpos0);
    let place = &scene().hands[0];
    let hand = HandPlacement {
        hand: &f.hand,
        world_from_mount: place.world_from_mount,
        pivot_in_root: place.pivot_in_root,
    };
    let object = ObjectPlacement { object: &heavy, world_from_object: start, joint: None };
    let compiled = Scene::compose(&scene().config, &[hand], &[object]).unwrap();
    let rows = first_row().repeat(60);
    let drop = |qpos: &mut Vec<f64>| qpos[scene().objects[0].qpos + 2] += 0.02;
    let mut qpos = f.refined.rollout.qpos0.clone();
    drop(&mut qpos);
    let mut world = World::new(&compiled);
    world.reset(&qpos);
    rows.chunks_exact(scene().ctrl_ranges().len()).for_each(|row| world.step(row));

    let mut batch = Batch::new(&scene().model, 2, 1).unwrap();
    let mut initial = World::new(scene());
    initial.reset(&qpos);
    for index in 0..2 {
        batch.set_state(index, &initial.state()).unwrap();
    }
    let variation = Variation { mass: 2.0, ..Variation::none(1) };
    let mut fields = Fields::new(scene());
    fields.write(&mut batch, 1, &variation, &Relaxation::NONE).unwrap();
    let sensed = advance(&mut batch, &rows, None);
    let nq = qpos.len();
    let expected = scene().world_from_object(0, world.qpos());
    let found = scene().world_from_object(0, sensed[1].qpos(nq));
    assert!(pose::distance_between(&found, &expected) < 1e-6);
    assert!(pose::angle_between(&found, &expected) < 1e-5);
}

#[test]
fn friction_is_that_of_a_model_of_its_own() {
    let f = fixture();
    let slippery = Variation { friction: 0.6, ..Variation::none(1) };
    let mut model = (*scene().model).clone();
    model.geom_friction_mut().iter_mut().for_each(|mu| mu[0] *= 0.6);
    let mut changed = World::with_model(scene(), Arc::new(model));
    changed.reset(&f.refined.rollout.qpos0);
    let mut batch = Batch::new(&scene().model, 2, 1).unwrap();
    let mut start = World::new(scene());
    start.reset(&f.refined.rollout.qpos0);
    for index in 0..2 {
        batch.set_state(index, &start.state()).unwrap();
    }
    let mut fields = Fields::new(scene());
    fields.write(&mut batch, 1, &slippery, &Relaxation::NONE).unwrap();
    let nu = f.refined.rollout.nu;
    let rows = &f.refined.rollout.ctrl[..240 * nu];
    let sensed = advance(&mut batch, rows, None);
    rows.chunks_exact(nu).for_each(|row| changed.step(row));
    let nq = changed.qpos().len();
    assert_eq!(bits(sensed[1].qpos(nq)), bits(changed.qpos()));
    assert_eq!(bits(sensed[0].qpos(nq)), bits(&f.refined.rollout.qpos[240]));
    assert_ne!(bits(sensed[0].qpos(nq)), bits(sensed[1].qpos(nq)));
    // The same factor from the curriculum, and back to the truth.
    let eased = Relaxation { friction: 0.6, ..Relaxation::NONE };
    for (world, relaxation) in [(0, &eased), (1, &Relaxation::NONE)] {
        fields.write(&mut batch, world, &Variation::none(1), relaxation).unwrap();
        batch.set_state(world, &start.state()).unwrap();
    }
    let again = advance(&mut batch, rows, None);
    assert_eq!(bits(again[0].qpos(nq)), bits(changed.qpos()));
    assert_eq!(bits(again[1].qpos(nq)), bits(&f.refined.rollout.qpos[240]));
}

#[test]
fn gains_scale_the_force_of_every_servo() {
    let stiff = Variation { gain: 1.25, ..Variation::none(1) };
    let mut batch = falling(&stiff, &Relaxation::NONE);
    // A little off what the servos hold, so that none is at its limit.
    let qpos = &fixture().refined.rollout.qpos0;
    let hand = &scene().hands[0];
    let mut row = first_row();
    for (&servo, &at) in hand.wrist_ctrl.iter().zip(&hand.wrist_qpos) {
        row[servo] = qpos[at] + 0.002;
    }
    let joints = scene().joints(0, qpos);
    for (&servo, value) in hand.finger_ctrl.iter().zip(fixture().hand.ctrl(&joints)) {
        row[servo] = value + 0.01;
    }
    let sensed = advance(&mut batch, &row, None);
    for &servo in hand.wrist_ctrl.iter().chain(&hand.finger_ctrl) {
        let [soft, stiff] = [0, 1].map(|world| sensed[world].actuator_force[servo]);
        assert!(
            (stiff - 1.25 * soft).abs() < 1e-9 * soft.abs().max(1.0),
            "{servo}: {soft} {stiff}"
        );
    }
    let moved = hand.wrist_ctrl.iter().filter(|&&servo| sensed[0].actuator_force[servo] > 0.1);
    assert_eq!(moved.count(), 6);
}

#[test]
fn placing_moves_objects_within_their_disc_and_nothing_else() {
    let offset = 0.015;
    let config = TrackConfig {
        randomisation: Randomisation { yaw: 0.3, ..Randomisation::placed(offset) },
        from_start: 0.5,
        ..plain(24)
    };
    let mut env = env(config);
    env.reset_all(2).unwrap();
    let at = scene().objects[0].qpos;
    let (mut far, mut held, mut turned) = (0.0f64, 0, 0.0f64);
    for world in 0..24 {
        let start = env.at()[world];
        let planned = &fixture().refined.rollout.qpos[3 * start];
        let found = env.qpos(world);
        let touched = env.course.starts[start].held[0];
        let way = (found[at] - planned[at]).hypot(found[at + 1] - planned[at + 1]);
        let limit = if touched { 0.1 * offset } else { offset };
        assert!(way <= limit + 1e-12, "{way}");
        far = far.max(way);
        held += usize::from(touched);
        let [real, wanted] = [found, planned.as_slice()].map(|q| scene().world_from_object(0, q));
        let turn = pose::angle_between(&real, &wanted);
        turned = turned.max(turn);
        assert!(turn < if touched { 1e-6 } else { 0.3 + 1e-6 });
        for (index, (a, b)) in found.iter().zip(planned).enumerate() {
            let mine = (at..at + 2).contains(&index) || (at + 3..at + 7).contains(&index);
            assert!(mine || a.to_bits() == b.to_bits(), "{index}");
        }
    }
    assert!(far > 0.5 * offset && turned > 0.1 && (1..24).contains(&held), "{far} {turned} {held}");
}

#[test]
fn a_late_action_is_that_of_the_step_before() {
    let late = Randomisation { late: 1.0, ..Randomisation::default() };
    let mut delayed = env(TrackConfig { randomisation: late, ..plain(1) });
    let mut prompt = env(plain(1));
    let size = prompt.action_dim();
    let mut out = StepOut::default();
    for step in 0..25 {
        delayed.step(&wander(size, step, 0.6), &mut out).unwrap();
        let before = if step == 0 { vec![0.0; size] } else { wander(size, step - 1, 0.6) };
        prompt.step(&before, &mut out).unwrap();
        assert_eq!(bits(delayed.qpos(0)), bits(prompt.qpos(0)), "{step}");
    }
}

#[test]
fn noise_is_on_measured_slices_of_its_unit_alone() {
    let noise = Noise { position: 0.003, ..Noise::default() };
    let noisy = Randomisation { noise, ..Randomisation::default() };
    let mut loud = env(TrackConfig { randomisation: noisy, ..plain(40) });
    let mut quiet = env(plain(40));
    let (a, b) = (loud.reset_all(1).unwrap(), quiet.reset_all(1).unwrap());
    let width = quiet.observation_dim();
    for slice in quiet.observation_slices() {
        let mut squares = 0.0;
        for world in 0..40 {
            for at in slice.range.clone() {
                squares += f64::from(a[world * width + at] - b[world * width + at]).powi(2);
            }
        }
        let deviation = (squares / (40 * slice.range.len()) as f64).sqrt();
        if slice.measured && slice.unit == "m" {
            // Of at least 120 draws: 6.5 % is one standard error.
            assert!((deviation / 0.003 - 1.0).abs() < 0.3, "{}: {deviation}", slice.name);
        } else {
            assert_eq!(deviation, 0.0, "{}", slice.name);
        }
    }
}

#[test]
fn accumulated_corrections_add_up_and_the_wrist_turns_about_itself() {
    let reach = Reach { position: 0.001, rotation: 0.01, finger: 0.02 };
    let compose = Compose::Accumulate { bound: f64::INFINITY };
    let composer = super::super::compose::Composer::new(scene(), compose, reach);
    let mut memory = composer.memory(scene());
    let base = first_row();
    let hand = &scene().hands[0];
    let mut action = vec![0.0; base.len()];
    action[hand.wrist_ctrl[0]] = 1.0;
    action[hand.wrist_ctrl[4]] = -0.5;
    let finger = hand.finger_ctrl[1];
    let ranges = scene().ctrl_ranges();
    action[finger] = if base[finger] + 0.1 < ranges[finger].1 { 0.5 } else { -0.5 };
    let mut targets = vec![0.0; base.len()];
    for _ in 0..4 {
        composer.apply(scene(), &base, &action, &mut memory, &mut targets);
    }
    assert!((targets[finger] - base[finger] - 4.0 * 0.02 * action[finger]).abs() < 1e-12);
    let root = |row: &[f64]| {
        dextra_sim::scene::wrist_to_root(hand, &hand.wrist_ctrl.map(|index| row[index]))
    };
    let (before, after) = (root(&base), root(&targets));
    let moved = after * hand.pivot_in_root - before * hand.pivot_in_root;
    assert!((moved - nalgebra::Vector3::new(0.004, 0.0, 0.0)).norm() < 1e-12, "{moved}");
    let turned = (before.rotation.inverse() * after.rotation).scaled_axis();
    assert!((turned - nalgebra::Vector3::new(0.0, -0.02, 0.0)).norm() < 1e-9, "{turned}");
}

#[test]
fn rescaled_actions_reach_the_whole_range_of_fingers_and_a_neighbourhood_of_the_wrist() {
    let composer =
        super::super::compose::Composer::new(scene(), Compose::Rescaled, Reach::default());
    let mut memory = composer.memory(scene());
    let base = first_row();
    let ranges = scene().ctrl_ranges();
    let mut targets = vec![0.0; base.len()];
    let hand = &scene().hands[0];
    for action in [-1.0, 0.5] {
        let actions = vec![action; base.len()];
        composer.apply(scene(), &base, &actions, &mut memory, &mut targets);
        for &finger in &hand.finger_ctrl {
            let (low, high) = ranges[finger];
            let end = if action < 0.0 { low } else { high };
            let share = action.abs();
            let wanted = base[finger] + share * (end - base[finger]);
            assert!((targets[finger] - wanted).abs() < 1e-12);
        }
        let slide = hand.wrist_ctrl[2];
        assert!((targets[slide] - base[slide] - 0.015 * action).abs() < 1e-12);
    }
}

#[test]
fn the_whole_target_of_a_scaled_average_lags_behind_the_base() {
    let compose = Compose::ScaledAverage { gain: 2.0, alpha: 0.4, whole: true };
    let composer = super::super::compose::Composer::new(scene(), compose, Reach::default());
    let mut memory = composer.memory(scene());
    let finger = scene().hands[0].finger_ctrl[2];
    let (low, high) = scene().ctrl_ranges()[finger];
    let mut base = first_row();
    let mut targets = base.clone();
    let zeros = vec![0.0; base.len()];
    base[finger] = low;
    composer.apply(scene(), &base, &zeros, &mut memory, &mut targets);
    assert!((targets[finger] - low).abs() < 1e-12, "it begins at the base");
    base[finger] = high;
    composer.apply(scene(), &base, &zeros, &mut memory, &mut targets);
    assert!((targets[finger] - (low + 0.4 * (high - low))).abs() < 1e-12);
}

#[test]
fn the_forces_of_contacts_are_what_moves_a_carried_object() {
    let f = fixture();
    let mut batch = Batch::new(&scene().model, 2, 1).unwrap();
    let mut start = World::new(scene());
    start.reset(&f.refined.rollout.qpos0);
    for index in 0..2 {
        batch.set_state(index, &start.state()).unwrap();
    }
    let nu = f.refined.rollout.nu;
    let rows: Vec<&[f64]> = f.refined.rollout.ctrl.chunks_exact(nu).collect();
    let (from, _) = Played::carrying(&f.refined.timeline);
    let mass = &f.objects[0].mass;
    assert!(mass.com.coords.norm() < 1e-6, "the engine's velocity is that of the origin");
    let (nq, dof) = (scene().default_qpos().len(), scene().dof(scene().objects[0].qpos));
    let facts = [HandFacts::new(scene(), &f.hand, 0)];
    let mut before = advance(&mut batch, &rows[..from].concat(), None).remove(0);
    let (mut up, mut steps, mut twist) = (0.0f64, 0.0, 0.0f64);
    for row in &rows[from..from + 60] {
        let after = advance(&mut batch, row, None).remove(0);
        let (qpos, qvel) = (before.qpos(nq), &before.qvel);
        // Contacts are those of the state from which the step set out.
        let found = see(scene(), hands(), &facts, &f.objects, qpos, qvel, &after.contacts);
        let object = &found.objects[0];
        let at =
            |sensed: &Sensed, k: usize| Vector3::from_row_slice(&sensed.qvel[dof + k..dof + k + 3]);
        let growth = |k: usize| (at(&after, k) - at(&before, k)) / scene().config.timestep;
        // Newton and Euler, the latter in the axes of the cube.
        let force = mass.mass_kg * (growth(0) - scene().config.gravity);
        let turning = at(&before, 3);
        let torque = mass.inertia * growth(3) + turning.cross(&(mass.inertia * turning));
        let torque = object.pose.rotation * torque;
        assert!((object.force - force).norm() < 1e-4, "{} {force}", object.force);
        assert!((object.torque - torque).norm() < 1e-5, "{} {torque}", object.torque);
        (up, steps, twist) = (up + object.force.z, steps + 1.0, twist.max(torque.norm()));
        before = after;
    }
    // On the whole its weight is carried.
    let share = up / steps / (mass.mass_kg * 9.81);
    assert!((share - 1.0).abs() < 0.1 && twist > 1e-4, "{share} {twist}");
}
