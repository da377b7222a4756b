//! Observations against numbers worked out anew from joint positions, velocities and contacts.

use super::*;
use crate::track::seen::{HandFacts, Seen, see};
use dextra_core::Pose;
use dextra_sim::scene::Owner;
use dextra_sim::world::World;
use nalgebra::{Point3, UnitQuaternion, Vector3};

/// The slice called `name` of one observation.
fn part<'a>(env: &TrackEnv<'_>, observation: &'a [f32], name: &str) -> &'a [f32] {
    let slices = env.observation_slices();
    let slice = slices.iter().find(|slice| slice.name == name);
    &observation[slice.unwrap_or_else(|| panic!("no slice {name}")).range.clone()]
}

fn same(name: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < tolerance, "{name}: {found} {expected}");
    }
}

#[test]
fn slices_follow_each_other_without_a_gap() {
    let env = env(plain(1));
    let slices = env.observation_slices();
    let mut at = 0;
    for slice in slices {
        assert_eq!(slice.range.start, at, "{}", slice.name);
        assert!(!slice.range.is_empty() && slice.limit > 0.0);
        at = slice.range.end;
        let twins = slices.iter().filter(|other| other.name == slice.name);
        assert_eq!(twins.count(), 1, "{}", slice.name);
    }
    assert_eq!(at, env.observation_dim());
    assert_eq!(env.observations().len(), at);
    let names = env.action_names();
    assert_eq!((names.len(), env.action_scales().len()), (env.action_dim(), env.action_dim()));
    let wrist: Vec<_> = (0..names.len()).filter(|&i| names[i].starts_with("wrist/right")).collect();
    assert_eq!(wrist.len(), 6);
    for (slot, &index) in fixture().refined.scene.hands[0].wrist_ctrl.iter().enumerate() {
        let unit = if slot < 3 { (0.015, "m") } else { (0.1, "rad") };
        assert_eq!(env.action_scales()[index], unit);
    }
}

/// Signed distance of a point from an axis-aligned box that is centred on its frame.
fn from_box(half: &Vector3<f64>, p: &Point3<f64>) -> f64 {
    let q = p.coords.abs() - half;
    q.sup(&Vector3::zeros()).norm() + q.max().min(0.0)
}

#[test]
fn slices_hold_what_they_say() {
    let f = fixture();
    let (scene, rollout) = (&f.refined.scene, &f.refined.rollout);
    let reference = &f.refined.timeline.reference[0];
    let mut env = env(plain(1));
    let nu = rollout.nu;
    let mut world = World::new(scene);
    world.reset(&rollout.qpos0);
    let mut out = StepOut::default();
    let (half, center) = {
        let (low, high) = f.objects[0].surface.mesh().bounds().unwrap();
        ((high - low) / 2.0, nalgebra::center(&low, &high))
    };
    let mut pushed = 0.0f64;
    for step in 1..env.steps() {
        let tiny = vec![0.0f32; env.action_dim()];
        env.step(&tiny, &mut out).unwrap();
        for row in rollout.ctrl[3 * (step - 1) * nu..3 * step * nu].chunks_exact(nu) {
            world.step(row);
        }
        if step % 20 != 0 {
            continue;
        }
        let qpos = world.qpos();
        let seen = |name: &str| part(&env, &out.observations, name);
        let place = &scene.hands[0];
        let joints = scene.joints(0, qpos);
        same("joints", seen("right/joint_position"), &joints, 1e-6);
        let state = world.state();
        let qvel = &state[1 + qpos.len()..];
        let speeds: Vec<f64> = place.joint_qpos.iter().map(|&at| qvel[scene.dof(at)]).collect();
        same("speeds", seen("right/joint_velocity"), &speeds, 1e-5);
        let row = &rollout.ctrl[(3 * step - 1) * nu..3 * step * nu];
        let ahead = &rollout.ctrl[(3 * step + 2) * nu..(3 * step + 3) * nu];
        // Every servo of this hand drives one joint.
        let driven: Vec<usize> = f.hand.actuators.iter().map(|a| a.terms[0].0).collect();
        let gaps = |row: &[f64]| -> Vec<f64> {
            let pairs = place.finger_ctrl.iter().zip(&driven);
            pairs.map(|(&servo, &joint)| row[servo] - joints[joint]).collect()
        };
        // What servos hold stays within their ranges; the base may ask for more.
        let ranges = scene.ctrl_ranges();
        let held: Vec<f64> = row.iter().zip(&ranges).map(|(x, r)| x.clamp(r.0, r.1)).collect();
        same("servos", seen("right/servo_error"), &gaps(&held), 1e-6);
        same("base", &seen("right/base_servo")[..gaps(ahead).len()], &gaps(ahead), 1e-6);
        let slides: Vec<f64> =
            (0..3).map(|k| row[place.wrist_ctrl[k]] - qpos[place.wrist_qpos[k]]).collect();
        same("slides", seen("right/slide_error"), &slides, 1e-6);

        let root = scene.world_from_root(0, qpos);
        let cube = scene.world_from_object(0, qpos);
        let relative = root.inverse() * cube;
        let position = relative.translation.vector;
        same("position", seen("right/cube/position"), position.as_slice(), 1e-6);
        let turned = [relative * Vector3::x(), relative * Vector3::y()].map(|v| [v.x, v.y, v.z]);
        same("rotation", seen("right/cube/rotation"), turned.as_flattened(), 1e-6);
        let errors: Vec<f64> = (0..3)
            .flat_map(|k| {
                let wanted = &reference[(3 * (step + k)).min(reference.len() - 1)];
                (wanted.translation.vector - cube.translation.vector).data.0[0]
            })
            .collect();
        same("error", seen("object/cube/position_error"), &errors, 1e-6);
        let turn = &seen("object/cube/rotation_error")[..3];
        let angle = turn.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        assert!((angle - pose::angle_between(&reference[3 * step], &cube)).abs() < 1e-5);

        let bodies = f.hand.tree.forward(&joints);
        let tips: Vec<Point3<f64>> = crate::refine::trials::tips(&f.hand)
            .iter()
            .map(|tip| root * (bodies[tip.body] * tip.point))
            .collect();
        let distances: Vec<f64> = tips
            .iter()
            .map(|tip| from_box(&half, &(cube.inverse() * tip - center.coords)))
            .collect();
        same("distance", seen("right/cube/tip_distance"), &distances, 1e-5);
        // Contacts of the last physics step, those of the thumb's last body alone.
        let thumb = f.hand.map.fingers[0].bodies.last().unwrap();
        let thumb = scene.body_id(&format!("right/{thumb}")).unwrap();
        let owners = scene.model.geom_bodyid();
        let force: Vector3<f64> = world
            .hand_contacts()
            .iter()
            .filter(|c| c.other == Owner::Object(0) && owners[c.geom] as usize == thumb)
            .map(|c| c.normal * c.force)
            .sum();
        let force_in_root = root.rotation.inverse() * force;
        same("force", &seen("right/tip_force")[..3], force_in_root.as_slice(), 1e-4);
        same("size", &seen("right/tip_force")[3..4], &[force.norm()], 1e-4);
        pushed = pushed.max(force.norm());
        same("phase", seen("phase"), &[step as f64 / env.steps() as f64], 1e-6);
        let way = root * place.pivot_in_root - Point3::from(reference[0].translation.vector);
        same("wrist", seen("right/wrist_position"), way.as_slice(), 1e-6);
    }
    assert!(pushed > 0.2, "the thumb pushes: {pushed} N");
    let basis: Vec<f64> =
        basis(128).iter().map(|p| from_box(&half, &(p - center.coords)).abs()).collect();
    same("basis", part(&env, &out.observations, "object/cube/basis"), &basis, 1e-5);
}

#[test]
fn a_hand_without_touch_sees_all_but_the_forces_of_its_tips() {
    let numb = ObservationConfig { tactile: false, ..ObservationConfig::default() };
    let (feeling, mut env_b) = (env(plain(1)), env(TrackConfig { observations: numb, ..plain(1) }));
    let forces = |env: &TrackEnv<'_>| {
        env.observation_slices().iter().filter(|slice| slice.name.contains("tip_force")).count()
    };
    assert_eq!((forces(&feeling), forces(&env_b)), (1, 0));
    // Four tips with three components and a size each.
    assert_eq!(feeling.observation_dim() - env_b.observation_dim(), 16);
    let (all, rest) = (feeling.observations(), env_b.reset_all(0).unwrap());
    let others = feeling.observation_slices().iter().filter(|s| s.name != "right/tip_force");
    let others: Vec<f32> = others.flat_map(|slice| all[slice.range.clone()].to_vec()).collect();
    assert_eq!(rest, others);
}

#[test]
fn the_last_action_is_seen_clipped() {
    let mut env = env(plain(2));
    let mut actions = wander(2 * env.action_dim(), 3, 0.9);
    actions[1] = 7.0;
    let mut out = StepOut::default();
    env.step(&actions, &mut out).unwrap();
    let width = env.observation_dim();
    actions[1] = 1.0;
    let size = env.action_dim();
    assert_eq!(part(&env, &out.observations[..width], "last_action"), &actions[..size]);
    assert_eq!(part(&env, &out.observations[width..], "last_action"), &actions[size..]);
}

/// Joint positions moved along velocities for `span` seconds.
fn moved(qpos: &[f64], qvel: &[f64], span: f64) -> Vec<f64> {
    let scene = &fixture().refined.scene;
    let mut out = qpos.to_vec();
    let hand = &scene.hands[0];
    for &at in hand.wrist_qpos.iter().chain(&hand.joint_qpos) {
        out[at] += span * qvel[scene.dof(at)];
    }
    let pose = scene.world_from_object(0, qpos);
    let v = &qvel[scene.dof(scene.objects[0].qpos)..];
    let slide = Vector3::new(v[0], v[1], v[2]) * span;
    let turn = UnitQuaternion::from_scaled_axis(Vector3::new(v[3], v[4], v[5]) * span);
    let moved = Pose::from_parts(
        (pose.translation.vector + slide).into(),
        // In the body's frame: on the right.
        pose.rotation * turn,
    );
    scene.set_object(0, &moved, &mut out);
    out
}

fn seen(qpos: &[f64], qvel: &[f64]) -> Seen {
    let f = fixture();
    let facts = [HandFacts::new(&f.refined.scene, &f.hand, 0)];
    see(&f.refined.scene, hands(), &facts, &f.objects, qpos, qvel, &[])
}

#[test]
fn velocities_are_the_differences_of_positions() {
    const SPAN: f64 = 1e-5;
    let rollout = &fixture().refined.rollout;
    let qpos = &rollout.qpos[rollout.qpos.len() / 2];
    let qvel: Vec<f64> = (0..qpos.len() - 1).map(|i| (i as f64 * 1.7).sin()).collect();
    let now = seen(qpos, &qvel);
    let after = seen(&moved(qpos, &qvel, SPAN), &qvel);
    let before = seen(&moved(qpos, &qvel, -SPAN), &qvel);
    let (hand, object) = (&now.hands[0], &now.objects[0]);
    let relative = |seen: &Seen| object_in_wrist(&seen.hands[0], &seen.objects[0]);
    let rate = |a: Vector3<f64>, b: Vector3<f64>| (b - a) / (2.0 * SPAN);
    let turning = |a: &UnitQuaternion<f64>, b: &UnitQuaternion<f64>| {
        (b * a.inverse()).scaled_axis() / (2.0 * SPAN)
    };
    let (a, b) = (relative(&before), relative(&after));
    let slide = rate(a.translation.vector, b.translation.vector);
    assert!((velocity_in_wrist(hand, object) - slide).norm() < 1e-6);
    assert!((turning_in_wrist(hand, object) - turning(&a.rotation, &b.rotation)).norm() < 1e-6);
    let (a, b) = (&before.hands[0], &after.hands[0]);
    assert!((hand.velocity - rate(a.pivot.coords, b.pivot.coords)).norm() < 1e-6);
    let roots = (&a.world_from_root.rotation, &b.world_from_root.rotation);
    assert!((hand.turning - turning(roots.0, roots.1)).norm() < 1e-6);
    let speed = |k: usize| (b.joints[k] - a.joints[k]) / (2.0 * SPAN);
    assert!((0..hand.joints.len()).all(|k| (hand.joint_velocities[k] - speed(k)).abs() < 1e-6));
}

#[test]
fn pads_look_at_what_is_grasped() {
    // While the cube is carried, the pad of every tip that touches looks into it.
    let f = fixture();
    let rollout = &f.refined.rollout;
    let middle = &rollout.qpos[rollout.qpos.len() / 2];
    let seen = seen(middle, &vec![0.0; middle.len() - 1]);
    let mut touching = 0;
    for tip in seen.hands[0].tips.iter().filter(|tip| tip.near[0].distance < 0.015) {
        let inward = -(seen.objects[0].pose * tip.near[0].normal_in_object);
        assert!(
            tip.pad_in_world.dot(&inward) > 0.3,
            "finger {}: {}",
            tip.finger,
            tip.pad_in_world.dot(&inward)
        );
        touching += 1;
    }
    assert!(touching >= 2);
}

/// Velocities of points against their places a moment later and earlier, on joint positions that move with `qvel`.
#[test]
fn points_move_as_their_joints_do() {
    const MOMENT: f64 = 1e-4;
    let f = fixture();
    let scene = &f.refined.scene;
    let facts = [HandFacts::new(scene, &f.hand, 0)];
    let middle = &f.refined.rollout.qpos[f.refined.rollout.qpos.len() / 2];
    let place = &scene.hands[0];
    let moving: Vec<usize> = place.wrist_qpos.iter().chain(&place.joint_qpos).copied().collect();
    let mut qvel = vec![0.0; scene.model.ffi().nv as usize];
    let mut shift = vec![0.0; middle.len()];
    for (i, &at) in moving.iter().enumerate() {
        qvel[scene.dof(at)] = (i as f64 * 1.7).sin();
        shift[at] = qvel[scene.dof(at)] * MOMENT;
    }
    let at = |way: f64| {
        let qpos: Vec<f64> = middle.iter().zip(&shift).map(|(q, s)| q + way * s).collect();
        see(scene, hands(), &facts, &f.objects, &qpos, &qvel, &[]).hands.swap_remove(0)
    };
    let (now, before, after) = (at(0.0), at(-1.0), at(1.0));
    let check = |velocity: &Vector3<f64>, before: &Point3<f64>, after: &Point3<f64>| {
        let expected = (after - before) / (2.0 * MOMENT);
        assert!((velocity - expected).norm() < 1e-6, "{velocity} {expected}");
        assert!(expected.norm() > 0.05);
    };
    for ((now, before), after) in now.tips.iter().zip(&before.tips).zip(&after.tips) {
        check(&now.velocity, &before.in_world, &after.in_world);
    }
    assert!(now.knuckles.len() >= 6, "{}", now.knuckles.len());
    for ((now, before), after) in now.knuckles.iter().zip(&before.knuckles).zip(&after.knuckles) {
        check(&now.velocity, &before.in_world, &after.in_world);
    }
    check(&now.velocity, &before.pivot, &after.pivot);
}

/// What is demanded of velocities, on a rollout that keeps to its path: near what its own states have.
#[test]
fn demanded_speeds_are_those_of_the_path() {
    let f = fixture();
    let (scene, rollout) = (&f.refined.scene, &f.refined.rollout);
    let env = env(plain(1));
    let facts = [HandFacts::new(scene, &f.hand, 0)];
    let mut worst = 0.0f64;
    for (step, frame) in env.course.frames.iter().enumerate().skip(1) {
        let Some(next) = rollout.qpos.get(3 * step + 3) else { break };
        let before = &rollout.qpos[3 * step - 3];
        let span = 6.0 * rollout.dt;
        let qvel = vec![0.0; scene.model.ffi().nv as usize];
        let at = |qpos: &[f64]| see(scene, hands(), &facts, &f.objects, qpos, &qvel, &[]);
        let (from, to) = (at(before).hands.swap_remove(0), at(next).hands.swap_remove(0));
        let wanted = &frame.speeds.points[0];
        assert_eq!(wanted.len(), from.tips.len() + from.knuckles.len());
        let pairs =
            from.tips.iter().map(|t| t.in_world).chain(from.knuckles.iter().map(|k| k.in_world));
        let later =
            to.tips.iter().map(|t| t.in_world).chain(to.knuckles.iter().map(|k| k.in_world));
        for ((a, b), wanted) in pairs.zip(later).zip(wanted) {
            worst = worst.max(((b - a) / span - wanted).norm());
        }
        worst = worst.max(((to.pivot - from.pivot) / span - frame.speeds.wrists[0].0).norm());
        // The root turns between the two by that rate for that long, about that axis.
        let turned = UnitQuaternion::from_scaled_axis(frame.speeds.wrists[0].1 * span);
        let again = turned * from.world_from_root.rotation;
        worst = worst.max(again.angle_to(&to.world_from_root.rotation));
        let reference = &f.refined.timeline.reference[0];
        let wanted = &frame.speeds.objects[0];
        let (a, b) = (&reference[3 * step - 3], &reference[3 * step + 3]);
        worst = worst.max(((b * Point3::origin() - a * Point3::origin()) / span - wanted.0).norm());
        let again = UnitQuaternion::from_scaled_axis(wanted.1 * span) * a.rotation;
        worst = worst.max(again.angle_to(&b.rotation));
    }
    assert!(worst < 1e-9, "{worst}");
}
