//! Objects and hands that the tests of scenes, worlds and batches share.

use dextra_core::{Pose, Side, TriMesh};
use dextra_sim::hand::Hand;
use dextra_sim::object::{MassProperties, ObjectModel, Surface};
use dextra_sim::scene::{HandPlacement, ObjectPlacement, Scene, SceneConfig};
use nalgebra::{Matrix3, Point3, Translation3, UnitQuaternion, Vector3};
use std::path::PathBuf;
use tempfile::TempDir;

/// A two-finger gripper. Its palm is a mesh; its fingers turn about y at x = -0.02 and 0.02, 10 mm
/// above the palm's middle. Pads leave 30 mm between them when both angles are 0; beyond each pad
/// stands a sphere of 6 mm, 78 mm from the hinge. A positive angle moves a finger towards +x.
pub const GRIPPER: &str = r#"<mujoco model="gripper">
  <compiler meshdir="parts"/>
  <asset><mesh name="palm" file="palm.obj"/></asset>
  <worldbody>
    <body name="palm">
      <geom name="palm" type="mesh" mesh="palm" mass="0.1"/>
      <body name="left" pos="-0.02 0 0.01">
        <joint name="left" axis="0 1 0" range="-60 60" damping="0.02" armature="0.001"/>
        <geom name="left_finger" type="capsule" size="0.004" fromto="0 0 0 0 0 0.04" mass="0.02"/>
        <geom name="left_pad" type="box" size="0.005 0.01 0.01" pos="0 0 0.055" mass="0.01"/>
        <geom name="left_tip" size="0.006" pos="0 0 0.078" mass="0.002"/>
        <site name="left_tip" pos="0 0 0.084"/>
      </body>
      <body name="right" pos="0.02 0 0.01">
        <joint name="right" axis="0 1 0" range="-60 60" damping="0.02" armature="0.001"/>
        <geom name="right_finger" type="capsule" size="0.004" fromto="0 0 0 0 0 0.04" mass="0.02"/>
        <geom name="right_pad" type="box" size="0.005 0.01 0.01" pos="0 0 0.055" mass="0.01"/>
        <geom name="right_tip" size="0.006" pos="0 0 0.078" mass="0.002"/>
        <site name="right_tip" pos="0 0 0.084"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position name="left" joint="left" kp="1" kv="0.05" ctrlrange="-1 1" forcerange="-0.5 0.5"/>
    <position name="right" joint="right" kp="1" kv="0.05" ctrlrange="-1 1" forcerange="-0.5 0.5"/>
  </actuator>
</mujoco>"#;

const GRIPPER_MAP: &str = r#"name = "gripper"
side = "right"
contact_bodies = ["left", "right"]
[palm]
body = "palm"
center_m = [0, 0, 0.005]
fingers_axis = [1.0, 0, 0]
normal_axis = [0, 0, 1.0]
[[finger]]
name = "thumb"
bodies = ["left"]
tip_site = "left_tip"
[[finger]]
name = "index"
bodies = ["right"]
tip_site = "right_tip"
[[keypoint]]
index = 0
body = "palm"
point_m = [0, 0, 0]
[[keypoint]]
index = 4
site = "left_tip"
[[keypoint]]
index = 8
site = "right_tip"
"#;

/// A PNG of 2 x 2 pixels.
const PNG: [u8; 75] = [
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0,
    0, 0, 253, 212, 154, 115, 0, 0, 0, 18, 73, 68, 65, 84, 120, 156, 99, 56, 161, 161, 161, 113,
    66, 131, 1, 66, 1, 0, 31, 238, 4, 97, 29, 189, 74, 36, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96,
    130,
];

/// Loads the gripper from files, its text changed by `edit`. The folder must outlive its scenes'
/// composition.
pub fn gripper_with(edit: impl FnOnce(&str) -> String) -> (TempDir, Hand) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("parts")).unwrap();
    let palm = obj(&cuboid([0.04, 0.015, 0.005]));
    std::fs::write(dir.path().join("parts/palm.obj"), palm).unwrap();
    std::fs::write(dir.path().join("parts/skin.png"), PNG).unwrap();
    let path: PathBuf = dir.path().join("gripper.xml");
    std::fs::write(&path, edit(GRIPPER)).unwrap();
    std::fs::write(dir.path().join("gripper.toml"), GRIPPER_MAP).unwrap();
    let hand = Hand::from_file(&path).unwrap();
    (dir, hand)
}

pub fn gripper() -> (TempDir, Hand) {
    gripper_with(str::to_owned)
}

pub fn obj(mesh: &TriMesh) -> String {
    let vertices = mesh.vertices.iter().map(|v| format!("v {} {} {}\n", v.x, v.y, v.z));
    let faces = mesh.faces.iter().map(|[a, b, c]| format!("f {} {} {}\n", a + 1, b + 1, c + 1));
    vertices.chain(faces).collect()
}

/// A closed box about the origin with the given half sizes.
pub fn cuboid(half: [f64; 3]) -> TriMesh {
    let sign = |bit: usize, i: usize| {
        if i >> bit & 1 == 1 { half[bit] } else { -half[bit] }
    };
    let vertices = (0..8).map(|i| Point3::new(sign(0, i), sign(1, i), sign(2, i))).collect();
    let quads =
        [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
    let faces = quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect();
    TriMesh { vertices, faces }
}

/// A solid cube of the given half size and mass.
pub fn cube(name: &str, half: f64, mass_kg: f64) -> ObjectModel {
    let mesh = cuboid([half; 3]);
    let moment = mass_kg * (2.0 * half).powi(2) / 6.0;
    ObjectModel {
        name: name.to_owned(),
        hulls: vec![mesh.clone()],
        surface: Surface::new(&mesh).unwrap(),
        mesh,
        mass: MassProperties {
            mass_kg,
            com: Point3::origin(),
            inertia: Matrix3::identity() * moment,
        },
        friction: 1.0,
    }
}

pub fn builtin(name: &str) -> Hand {
    Hand::builtin(name, Side::Right).unwrap()
}

pub fn place(hand: &Hand) -> HandPlacement<'_> {
    HandPlacement {
        hand,
        world_from_mount: UnitQuaternion::identity(),
        pivot_in_root: Point3::origin(),
    }
}

pub fn at(x: f64, y: f64, z: f64) -> Pose {
    Pose::from_parts(Translation3::new(x, y, z), UnitQuaternion::identity())
}

pub fn put(object: &ObjectModel, world_from_object: Pose) -> ObjectPlacement<'_> {
    ObjectPlacement { object, world_from_object, joint: None }
}

/// An Allegro hand, palm up 20 cm above the table, with a light cube falling into it.
pub fn allegro_with_cube() -> Scene {
    let hand = builtin("allegro");
    let object = cube("cube", 0.03, 0.08);
    // The palm's normal is x of the root frame; turned up, the fingers (z) lie along -x.
    let mount = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), -std::f64::consts::FRAC_PI_2);
    let placement = HandPlacement { world_from_mount: mount, ..place(&hand) };
    let config = SceneConfig::new(-0.2);
    Scene::compose(&config, &[placement], &[put(&object, at(0.0, 0.0, 0.06))]).unwrap()
}

/// A splitmix generator: numbers in [0, 1), the same on every run.
pub struct Noise(pub u64);

impl Noise {
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in [-1, 1).
    pub fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }
}

/// Controls `[steps, nu]` that wander through the control ranges, a new target every ten steps.
pub fn wandering(scene: &Scene, steps: usize, seed: u64) -> Vec<f64> {
    let mut rng = Noise(seed);
    let ranges = scene.model.actuator_ctrlrange();
    let mut row: Vec<f64> = vec![0.0; ranges.len()];
    let mut ctrl = Vec::new();
    for step in 0..steps {
        if step % 10 == 0 {
            for &finger in scene.hands.iter().flat_map(|h| &h.finger_ctrl) {
                let [low, high] = ranges[finger];
                row[finger] = low + (high - low) * rng.unit();
            }
        }
        ctrl.extend_from_slice(&row);
    }
    ctrl
}
