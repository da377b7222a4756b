//! Batches against bare `mj_step` loops, and what becomes of worlds that break.

use crate::fixtures::{allegro_with_cube, wandering};
use dextra_sim::batch::{Batch, BatchError, Fate, Sensed, Wrenches};
use dextra_sim::scene::Scene;
use dextra_sim::world::World;
use mujoco_rs::prelude::*;
use std::sync::Arc;

/// `mjSTATE_INTEGRATION`.
const WHOLE_STATE: u32 = 16383;
const WORLDS: usize = 5;
const STEPS: usize = 120;

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Joint positions after every step and the last full state of a loop over `mj_step` alone.
fn bare(model: &MjModel, start: Option<&[f64]>, ctrl: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut data = MjData::new(model);
    if let Some(state) = start {
        data.set_state(state, WHOLE_STATE).unwrap();
    }
    let mut qpos = Vec::new();
    for row in ctrl.chunks_exact(model.nu() as usize) {
        data.ctrl_mut().copy_from_slice(row);
        data.step();
        qpos.extend_from_slice(data.qpos());
    }
    (qpos, data.state(WHOLE_STATE).to_vec())
}

/// Different controls for every world, `[WORLDS, STEPS, nu]`, world after world.
fn controls(scene: &Scene) -> Vec<f64> {
    (0..WORLDS).flat_map(|world| wandering(scene, STEPS, world as u64)).collect()
}

/// The slice of `world` in a buffer of equal parts.
fn part(buffer: &[f64], world: usize) -> &[f64] {
    let size = buffer.len() / WORLDS;
    &buffer[world * size..(world + 1) * size]
}

const ALL: [usize; WORLDS] = [0, 1, 2, 3, 4];

#[test]
fn batch_equals_bare_loops_bit_for_bit_on_any_number_of_threads() {
    let scene = allegro_with_cube();
    let ctrl = controls(&scene);
    let bare: Vec<_> = ALL.iter().map(|&w| bare(&scene.model, None, part(&ctrl, w))).collect();
    assert_ne!(bits(&bare[0].0), bits(&bare[1].0), "the worlds do differ");
    for threads in [1, 2, 3, 7] {
        let mut batch = Batch::new(&scene.model, WORLDS, threads).unwrap();
        assert_eq!(batch.threads(), threads.min(WORLDS));
        let qpos = batch.rollout(&ALL, STEPS, &ctrl).unwrap();
        for (world, (path, state)) in bare.iter().enumerate() {
            assert_eq!(bits(part(&qpos, world)), bits(path), "{threads} threads, world {world}");
            assert_eq!(bits(batch.state(world)), bits(state), "{threads} threads, world {world}");
            assert_eq!(batch.fate(world), Fate::Fine);
        }
    }
}

#[test]
fn rollouts_in_pieces_and_in_another_order_give_the_same_bits() {
    let scene = allegro_with_cube();
    let ctrl = controls(&scene);
    let nu = scene.model.nu() as usize;
    let mut whole = Batch::new(&scene.model, WORLDS, 2).unwrap();
    let qpos = whole.rollout(&ALL, STEPS, &ctrl).unwrap();
    let mut pieces = Batch::new(&scene.model, WORLDS, 3).unwrap();
    let mut joined = vec![Vec::new(); WORLDS];
    let order = [3, 0, 4, 2, 1];
    for span in [0..1, 1..50, 50..51, 51..STEPS] {
        let rows = order.iter().flat_map(|&w| &part(&ctrl, w)[span.start * nu..span.end * nu]);
        let rows: Vec<f64> = rows.copied().collect();
        let got = pieces.rollout(&order, span.len(), &rows).unwrap();
        for (slot, &world) in order.iter().enumerate() {
            joined[world].extend_from_slice(part(&got, slot));
        }
    }
    for (world, path) in joined.iter().enumerate() {
        assert_eq!(bits(path), bits(part(&qpos, world)), "world {world}");
    }
}

#[test]
fn worlds_left_out_of_a_rollout_stay_where_they_are() {
    let scene = allegro_with_cube();
    let mut batch = Batch::new(&scene.model, WORLDS, 2).unwrap();
    let before = batch.state(1).to_vec();
    batch.rollout(&[0], 20, &wandering(&scene, 20, 9)).unwrap();
    assert_eq!(bits(batch.state(1)), bits(&before));
    assert_ne!(bits(batch.state(0)), bits(&before));
}

#[test]
fn a_restored_state_continues_bit_for_bit() {
    let scene = allegro_with_cube();
    let mut batch = Batch::new(&scene.model, 2, 2).unwrap();
    batch.rollout(&[0], 60, &wandering(&scene, 60, 1)).unwrap();
    let snapshot = batch.state(0).to_vec();
    let onwards = wandering(&scene, 40, 2);
    let first = batch.rollout(&[0], 40, &onwards).unwrap();
    batch.set_state(1, &snapshot).unwrap();
    let again = batch.rollout(&[1], 40, &onwards).unwrap();
    assert_eq!(bits(&again), bits(&first));
    assert_eq!(bits(&bare(&scene.model, Some(&snapshot), &onwards).0), bits(&first));
}

#[test]
fn a_field_of_one_world_changes_that_world_alone() {
    let scene = allegro_with_cube();
    let ctrl = controls(&scene);
    let mut plain = Batch::new(&scene.model, WORLDS, 2).unwrap();
    let reference = plain.rollout(&ALL, STEPS, &ctrl).unwrap();
    let cube = scene.model.name_to_id(MjtObjBase::mjOBJ_BODY, "object/cube").unwrap();
    for (field, factor) in [("geom_friction", 0.3), ("body_mass", 3.0)] {
        let mut changed = MjModel::clone(&scene.model);
        match field {
            "geom_friction" => {
                changed.geom_friction_mut().iter_mut().for_each(|f| f[0] *= factor);
            }
            _ => changed.body_mass_mut()[cube] *= factor,
        }
        let mut batch = Batch::new(&scene.model, WORLDS, 2).unwrap();
        let values = batch.per_world_field(field).unwrap();
        let size = values.len() / WORLDS;
        let second = &mut values[size..2 * size];
        match field {
            "geom_friction" => second.chunks_exact_mut(3).for_each(|f| f[0] *= factor),
            _ => second[cube] *= factor,
        }
        let qpos = batch.rollout(&ALL, STEPS, &ctrl).unwrap();
        for world in [0, 2, 3, 4] {
            assert_eq!(bits(part(&qpos, world)), bits(part(&reference, world)), "{field}");
        }
        assert_ne!(bits(part(&qpos, 1)), bits(part(&reference, 1)), "{field}");
        let (expected, _) = bare(&changed, None, part(&ctrl, 1));
        assert_eq!(bits(part(&qpos, 1)), bits(&expected), "{field} as in a model of its own");
    }
}

#[test]
fn a_world_that_breaks_is_quarantined_and_the_others_do_not_notice() {
    let scene = allegro_with_cube();
    let (nu, nq) = (scene.model.nu() as usize, scene.model.nq() as usize);
    let ctrl = controls(&scene);
    let mut plain = Batch::new(&scene.model, WORLDS, 2).unwrap();
    let reference = plain.rollout(&ALL, STEPS, &ctrl).unwrap();

    let mut broken = ctrl.clone();
    broken[(STEPS + 30) * nu + 7] = f64::NAN;
    let mut batch = Batch::new(&scene.model, WORLDS, 2).unwrap();
    let mut exploding = batch.state(3).to_vec();
    // Velocities follow the time and the positions; the cube's free joint comes last.
    let velocity = 1 + nq + scene.model.nv() as usize - 6;
    exploding[velocity] = 1e12;
    batch.set_state(3, &exploding).unwrap();
    let qpos = batch.rollout(&ALL, STEPS, &broken).unwrap();
    for world in [0, 2, 4] {
        assert_eq!(bits(part(&qpos, world)), bits(part(&reference, world)));
        assert_eq!(batch.fate(world), Fate::Fine);
    }
    assert_eq!(batch.fate(1), Fate::NonFinite);
    assert_eq!(batch.fate(3), Fate::NonFinite);
    assert!(qpos.iter().all(|v| v.is_finite()), "no NaN leaks into the records");
    let rows: Vec<_> = part(&qpos, 1).chunks_exact(nq).collect();
    let good: Vec<_> = part(&reference, 1).chunks_exact(nq).collect();
    assert_eq!(bits(rows[29]), bits(good[29]), "sound before the NaN");
    for row in &rows[31..] {
        assert_eq!(bits(row), bits(rows[30]), "stopped after the NaN");
    }

    // It stays stopped until a state is restored, and then runs as if nothing had happened.
    batch.rollout(&[1], STEPS, part(&ctrl, 1)).unwrap();
    assert_eq!(batch.fate(1), Fate::NonFinite);
    let fresh = Batch::new(&scene.model, 1, 1).unwrap();
    batch.set_state(1, fresh.state(0)).unwrap();
    assert_eq!(batch.fate(1), Fate::Fine);
    let again = batch.rollout(&[1], STEPS, part(&ctrl, 1)).unwrap();
    assert_eq!(batch.fate(1), Fate::Fine);
    assert_eq!(bits(&again), bits(part(&reference, 1)));
}

/// Boxes on a plane with room for `memory` bytes of contacts.
fn pile(memory: usize) -> Option<MjModel> {
    let mut boxes = String::new();
    for i in 0..12 {
        boxes +=
            &format!("<body pos='{i} 0 3'><freejoint/><geom type='box' size='.1 .1 .1'/></body>");
    }
    MjModel::from_xml_string(&format!(
        "<mujoco><size memory='{memory}'/><option cone='elliptic'/><worldbody>\
         <geom type='plane' size='20 20 1'/>{boxes}</worldbody></mujoco>"
    ))
    .ok()
}

#[test]
fn a_fatal_engine_error_ends_one_world_and_not_the_process() {
    let mut fatal = 0;
    for kilobytes in 8..160 {
        let Some(model) = pile(kilobytes * 1024) else {
            continue;
        };
        let model = Arc::new(model);
        let Ok(mut batch) = Batch::new(&model, 3, 2) else {
            continue;
        };
        let mut heap = batch.state(1).to_vec();
        for i in 0..12 {
            // All boxes in one place, touching each other and the plane.
            heap[1 + 7 * i..1 + 7 * i + 3].copy_from_slice(&[0.01 * i as f64, 0.0, 0.09]);
        }
        batch.set_state(1, &heap).unwrap();
        batch.rollout(&[0, 1, 2], 3, &[]).unwrap();
        if let Fate::Fatal(message) = batch.fate(1) {
            assert!(!message.is_empty());
            if batch.fate(0) == Fate::Fine {
                assert_eq!(batch.fate(2), Fate::Fine);
                assert_eq!(bits(batch.state(0)), bits(batch.state(2)));
                fatal += 1;
            }
        }
    }
    assert!(fatal > 0, "no memory size provoked a fatal error in the heap alone");
}

#[test]
fn calls_that_make_no_sense_are_refused() {
    let scene = allegro_with_cube();
    let nu = scene.model.nu() as usize;
    assert!(matches!(Batch::new(&scene.model, 0, 1), Err(BatchError::Make { worlds: 0, .. })));
    let mut batch = Batch::new(&scene.model, 2, 1).unwrap();
    let short = batch.rollout(&[0], 2, &vec![0.0; 2 * nu - 1]).unwrap_err();
    assert!(matches!(short, BatchError::Length { what: "ctrl", .. }), "{short}");
    let beyond = batch.rollout(&[2], 1, &vec![0.0; nu]).unwrap_err();
    assert!(matches!(beyond, BatchError::World { world: 2, worlds: 2 }), "{beyond}");
    let twice = batch.rollout(&[1, 1], 1, &vec![0.0; 2 * nu]).unwrap_err();
    assert!(matches!(twice, BatchError::Twice { world: 1 }), "{twice}");
    assert!(matches!(batch.set_state(0, &[0.0]), Err(BatchError::Length { what: "state", .. })));
    let state = batch.state(0).to_vec();
    assert!(matches!(batch.set_state(2, &state), Err(BatchError::World { world: 2, .. })));
    for field in ["geom_type", "no_such_field", "tex_adr", "names", "body\0mass", "", "qpos"] {
        let refused = batch.per_world_field(field);
        assert!(matches!(refused, Err(BatchError::Field(_))), "`{field}`");
    }
    assert_eq!(batch.rollout(&[], 5, &[]).unwrap(), Vec::<f64>::new());
    assert_eq!(batch.rollout(&[0], 0, &[]).unwrap(), Vec::<f64>::new());
}

#[test]
fn advancing_gives_the_bits_of_a_rollout_and_what_a_single_world_feels() {
    let scene = allegro_with_cube();
    let ctrl = controls(&scene);
    let (nu, nq) = (scene.model.nu() as usize, scene.model.nq() as usize);
    let mut plain = Batch::new(&scene.model, WORLDS, 2).unwrap();
    let qpos = plain.rollout(&ALL, STEPS, &ctrl).unwrap();
    for threads in [1, 3] {
        let mut batch = Batch::new(&scene.model, WORLDS, threads).unwrap();
        let mut sensed = vec![Sensed::default(); WORLDS];
        let mut touched = 0;
        for chunk in 0..STEPS / 3 {
            let rows: Vec<f64> = ALL
                .iter()
                .flat_map(|&w| &part(&ctrl, w)[chunk * 3 * nu..(chunk + 1) * 3 * nu])
                .copied()
                .collect();
            batch.advance(&scene, &ALL, 3, &rows, None, &mut sensed).unwrap();
            for (world, felt) in sensed.iter().enumerate() {
                let path = &part(&qpos, world)[chunk * 3 * nq..(chunk + 1) * 3 * nq];
                assert_eq!(bits(&felt.path), bits(path), "{threads} threads, world {world}");
                assert!(felt.finite);
            }
            // A world of its own that takes the last of the three steps feels the same.
            let mut world = World::new(&scene);
            let row = |step: usize| &part(&ctrl, 2)[step * nu..(step + 1) * nu];
            if chunk % 10 == 9 {
                (0..(chunk + 1) * 3).for_each(|step| world.step(row(step)));
                assert_eq!(sensed[2].contacts, world.hand_contacts());
                assert_eq!(bits(&world.state()), bits(batch.state(2)));
                touched += sensed[2].contacts.len();
            }
        }
        assert!(touched > 0, "the cube falls into the hand");
    }
}

#[test]
fn feeling_without_a_step_moves_nothing() {
    let scene = allegro_with_cube();
    let mut batch = Batch::new(&scene.model, 2, 2).unwrap();
    let ctrl: Vec<f64> = [wandering(&scene, 60, 1), wandering(&scene, 60, 2)].concat();
    batch.rollout(&[0, 1], 60, &ctrl).unwrap();
    let before = batch.state(1).to_vec();
    let mut sensed = [Sensed::default()];
    batch.advance(&scene, &[1], 0, &[], None, &mut sensed).unwrap();
    assert_eq!(bits(batch.state(1)), bits(&before));
    let mut world = World::new(&scene);
    world.set_state(&before);
    world.forward();
    assert_eq!(sensed[0].contacts, world.hand_contacts());
    assert_eq!(bits(sensed[0].qpos(world.qpos().len())), bits(world.qpos()));
}

#[test]
fn a_wrench_acts_on_its_world_during_its_steps_only() {
    let scene = allegro_with_cube();
    let nu = scene.model.nu() as usize;
    let cube = scene.body_id("object/cube").unwrap();
    let mut batch = Batch::new(&scene.model, 2, 2).unwrap();
    let mut sensed = vec![Sensed::default(); 2];
    let lift = [0.0, 0.0, 0.08 * 9.81, 0.0, 0.0, 0.0];
    let values = [lift, [0.0; 6]].concat();
    let wrenches = Wrenches { bodies: &[cube], values: &values };
    batch.advance(&scene, &[0, 1], 1, &vec![0.0; 2 * nu], Some(wrenches), &mut sensed).unwrap();
    let at = scene.dof(scene.objects[0].qpos) + 2;
    assert!(sensed[0].qvel[at].abs() < 1e-9, "its weight is carried");
    assert!((sensed[1].qvel[at] + 0.0981).abs() < 1e-6, "the other falls: {}", sensed[1].qvel[at]);
    batch.advance(&scene, &[0, 1], 1, &vec![0.0; 2 * nu], None, &mut sensed).unwrap();
    assert!((sensed[0].qvel[at] + 0.0981).abs() < 1e-6, "no longer: {}", sensed[0].qvel[at]);
    let unsorted = batch.advance(&scene, &[1, 0], 1, &vec![0.0; 2 * nu], None, &mut sensed);
    assert!(unsorted.is_err());
}

#[test]
fn advancing_flags_a_world_that_leaves_the_real_numbers() {
    let scene = allegro_with_cube();
    let nu = scene.model.nu() as usize;
    let mut batch = Batch::new(&scene.model, 2, 2).unwrap();
    let mut ctrl = vec![0.0; 2 * 3 * nu];
    ctrl[3 * nu + 1] = f64::NAN;
    let mut sensed = vec![Sensed::default(); 2];
    batch.advance(&scene, &[0, 1], 3, &ctrl, None, &mut sensed).unwrap();
    assert_eq!([sensed[0].finite, sensed[1].finite], [true, false]);
}
