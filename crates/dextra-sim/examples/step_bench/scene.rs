//! The scene of the benchmarks.

use dextra_core::{Pose, Side, TriMesh};
use dextra_sim::hand::Hand;
use dextra_sim::object::{DecomposeConfig, ObjectModel};
use dextra_sim::scene::{HandPlacement, ObjectPlacement, Scene, SceneConfig};
use nalgebra::{Point3, Translation3, UnitQuaternion};
use std::error::Error;
use std::path::Path;

/// A hand, palm up, 30 cm over the table, and a 6 cm cube falling into it.
pub fn palm_up(name: &str) -> Result<Scene, Box<dyn Error + Send + Sync>> {
    let hand = Hand::builtin(name, Side::Right)?;
    let palm = hand.tree.body(&hand.map.palm_body).ok_or("the map names no body as palm")?;
    let root_from_palm = hand.tree.forward(&hand.neutral())[palm] * hand.map.palm_body_from_palm();
    let placement = HandPlacement {
        hand: &hand,
        world_from_mount: root_from_palm.rotation.inverse(),
        pivot_in_root: Point3::from(root_from_palm.translation.vector),
    };
    let config = DecomposeConfig::default();
    let object = ObjectModel::build("cube", cube(0.03), Some(0.1), &config, None)?;
    let start = Pose::from_parts(Translation3::new(0.03, 0.0, 0.06), UnitQuaternion::identity());
    let cube = ObjectPlacement { object: &object, world_from_object: start, joint: None };
    Ok(Scene::compose(&SceneConfig::new(-0.3), &[placement], &[cube])?)
}

fn cube(half: f64) -> TriMesh {
    let side = |i: usize, bit: usize| if i >> bit & 1 == 1 { half } else { -half };
    let quads =
        [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
    TriMesh {
        vertices: (0..8).map(|i| Point3::new(side(i, 0), side(i, 1), side(i, 2))).collect(),
        faces: quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect(),
    }
}

/// Writes `scene.xml` and the files it names into `folder`.
pub fn write(scene: &Scene, folder: &Path) -> std::io::Result<()> {
    for (file, bytes) in &scene.files {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, bytes)?;
    }
    std::fs::write(folder.join("scene.xml"), &scene.xml)
}
