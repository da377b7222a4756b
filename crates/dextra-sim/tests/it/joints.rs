//! Objects that are parts of others, against stock MuJoCo in Python.

use crate::fixtures::{cube, put};
use dextra_core::{Joint, JointKind, Pose, pose};
use dextra_sim::scene::{ObjectPlacement, Owner, Scene, SceneConfig, SceneError};
use dextra_sim::world::World;
use nalgebra::{Point3, Vector3};
use std::process::Command;

const START: [f64; 3] = [0.02, -0.3, 0.4];

fn base() -> Pose {
    Pose::new(Vector3::from(START), Vector3::new(0.3, -0.2, 0.9))
}

fn joint(parent: usize, kind: JointKind) -> Joint {
    Joint {
        parent,
        kind,
        axis: Vector3::new(1.0, -2.0, 0.5).normalize(),
        anchor: Point3::new(0.05, 0.1, -0.02),
        parent_from_part: Pose::new(Vector3::new(0.0, 0.11, 0.2), Vector3::new(-0.5, 0.3, 0.2)),
        range: (-0.5, 1.5),
    }
}

/// A free cube, a part on a hinge, and a part of that part on a slider.
fn chain() -> Scene {
    let names = ["base", "lid", "bolt"];
    let objects = names.map(|name| cube(name, 0.02, 0.2));
    let hinge = joint(0, JointKind::Hinge);
    let slider = joint(1, JointKind::Slider);
    let lid = base() * hinge.parent_from_part_at(0.7);
    let bolt = lid * slider.parent_from_part_at(0.1);
    let placed = [
        put(&objects[0], base()),
        ObjectPlacement { joint: Some(hinge), ..put(&objects[1], lid) },
        ObjectPlacement { joint: Some(slider), ..put(&objects[2], bolt) },
    ];
    Scene::compose(&SceneConfig::new(0.0), &[], &placed).unwrap()
}

#[test]
fn a_part_is_placed_by_its_joint_and_owns_its_geoms() {
    let scene = chain();
    let qpos = scene.default_qpos();
    assert_eq!(qpos.len(), 9, "seven of the free joint and one per part");
    assert!((qpos[scene.objects[1].qpos] - 0.7).abs() < 1e-5);
    assert!((qpos[scene.objects[2].qpos] - 0.1).abs() < 1e-5);
    assert_eq!(scene.objects[1].joint.unwrap().range.1, 1.5, "radians, not degrees");
    for object in 0..3 {
        assert_eq!(scene.owner.iter().filter(|&&o| o == Owner::Object(object)).count(), 1);
    }
    assert_eq!(scene.free_objects().collect::<Vec<_>>(), [0]);
    // A pose is found again; beyond its range a part stops, and its parent stays where it is.
    let mut moved = qpos.clone();
    let wanted = base() * joint(0, JointKind::Hinge).parent_from_part_at(-0.2);
    scene.set_object(1, &wanted, &mut moved);
    let found = scene.world_from_object(1, &moved);
    assert!(pose::distance_between(&found, &wanted) < 1e-5);
    scene.set_object(
        1,
        &(base() * joint(0, JointKind::Hinge).parent_from_part_at(2.0)),
        &mut moved,
    );
    assert_eq!(moved[scene.objects[1].qpos], 1.5);
    assert_eq!(moved[..7], qpos[..7]);
}

#[test]
fn velocities_of_parts_are_differences_of_their_poses() {
    let scene = chain();
    let mut world = World::new(&scene);
    world.reset(&scene.default_qpos());
    (0..12).for_each(|_| world.step(&[]));
    let before = world.qpos().to_vec();
    world.step(&[]);
    let after = world.qpos().to_vec();
    let dt = scene.config.timestep;
    let mut qvel = vec![0.0; 8];
    (0..3).for_each(|o| scene.set_object_velocity(o, (&before, &after), dt, &mut qvel));
    for object in 0..3 {
        let middle: Vec<f64> = before.iter().zip(&after).map(|(a, b)| 0.5 * (a + b)).collect();
        let (velocity, turning) = scene.object_velocity(object, &middle, &qvel);
        let [a, b] = [&before, &after].map(|q| scene.world_from_object(object, q));
        let moved = (b.translation.vector - a.translation.vector) / dt;
        let turned = (b.rotation * a.rotation.inverse()).scaled_axis() / dt;
        assert!(moved.norm() > 0.1, "it falls");
        assert!((velocity - moved).norm() < 2e-3, "{object}: {velocity} {moved}");
        assert!((turning - turned).norm() < 2e-2, "{object}: {turning} {turned}");
    }
}

#[test]
fn joints_that_make_no_sense_are_refused_by_name() {
    let objects = ["base", "lid"].map(|name| cube(name, 0.02, 0.2));
    let good = joint(0, JointKind::Hinge);
    for (bad, problem) in [
        (Joint { parent: 1, ..good }, "no earlier object"),
        (Joint { axis: Vector3::new(0.0, 0.0, 2.0), ..good }, "unit length"),
        (Joint { range: (0.4, 0.4), ..good }, "range is empty"),
    ] {
        let placed = [
            put(&objects[0], base()),
            ObjectPlacement { joint: Some(bad), ..put(&objects[1], base()) },
        ];
        let error = Scene::compose(&SceneConfig::new(0.0), &[], &placed).err().unwrap();
        assert!(matches!(&error, SceneError::Joint { name, .. } if name == "lid"));
        assert!(error.to_string().contains(problem), "{error}");
    }
}

/// Stock MuJoCo loads the exported scene, plays half a second, and prints where the bodies are.
const PLAY: &str = r#"
import json, sys, mujoco, numpy
model = mujoco.MjModel.from_xml_path(sys.argv[1])
data = mujoco.MjData(model)
data.qpos[:] = json.loads(sys.argv[2])
for _ in range(50):
    mujoco.mj_step(model, data)
mujoco.mj_kinematics(model, data)
bodies = [data.body(f"object/{name}") for name in ("base", "lid", "bolt")]
print(*[x for body in bodies for x in [*body.xpos, *body.xquat]], *data.qpos)
"#;

#[test]
fn stock_mujoco_has_parts_where_the_scene_has_them() {
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let available = Command::new(&python).args(["-c", "import mujoco"]).output();
    if !available.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {} has no mujoco; DEXTRA_PYTHON names another", python.display());
        return;
    }
    let scene = chain();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scene.xml");
    std::fs::write(&path, &scene.xml).unwrap();
    for (name, bytes) in &scene.files {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    let qpos = scene.default_qpos();
    let words = format!("{qpos:?}");
    let output = Command::new(&python).args(["-c", PLAY]).arg(&path).arg(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let (poses, state) = numbers.split_at(21);
    let mut world = World::new(&scene);
    world.reset(&qpos);
    (0..50).for_each(|_| world.step(&[]));
    let swung = (state[7] - qpos[7]).abs();
    assert!(swung > 0.05, "the lid swings, by {swung}");
    for (ours, theirs) in world.qpos().iter().zip(state) {
        assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
    }
    for (object, p) in poses.chunks_exact(7).enumerate() {
        let theirs = pose::from_pos_quat([p[0], p[1], p[2]], [p[3], p[4], p[5], p[6]]);
        let ours = scene.world_from_object(object, state);
        assert!(pose::distance_between(&ours, &theirs) < 1e-9, "{object}: {ours} {theirs}");
        assert!((ours.rotation.inverse() * theirs.rotation).imag().norm() < 1e-9, "{object}");
    }
}
