//! Files of hands and objects inside the scene, and the exported folder.

use crate::fixtures::{at, cube, gripper, gripper_with, place, put, wandering};
use dextra_sim::hand::Hand;
use dextra_sim::scene::{Scene, SceneConfig, SceneError};
use mujoco_rs::prelude::*;
use std::path::{Component, Path};

fn export(scene: &Scene, dir: &Path) -> MjModel {
    for (name, bytes) in &scene.files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(dir.join("scene.xml"), &scene.xml).unwrap();
    MjModel::from_xml(dir.join("scene.xml")).unwrap()
}

/// Joint positions after every step, as bits.
fn path(model: &MjModel, ctrl: &[f64]) -> Vec<u64> {
    let mut data = MjData::new(model);
    ctrl.chunks_exact(model.nu() as usize)
        .flat_map(|row| {
            data.ctrl_mut().copy_from_slice(row);
            data.step();
            data.qpos().iter().map(|q| q.to_bits()).collect::<Vec<_>>()
        })
        .collect()
}

/// A gripper whose left pad has a texture and whose palm mesh is used twice.
fn textured() -> (tempfile::TempDir, Hand) {
    gripper_with(|xml| {
        xml.replace("meshdir=\"parts\"", "meshdir=\"parts\" texturedir=\"parts\"")
            .replace(
                "<asset>",
                "<asset><texture name='skin' type='2d' file='skin.png'/>\
                 <material name='skin' texture='skin'/>\
                 <mesh name='small' file='palm.obj' scale='.5 .5 .5'/>",
            )
            .replace("<geom name=\"left_pad\"", "<geom name=\"left_pad\" material=\"skin\"")
            .replace(
                "<body name=\"right\"",
                "<geom type='mesh' mesh='small' pos='0 0 -.01' mass='.01'/><body name=\"right\"",
            )
    })
}

#[test]
fn the_exported_folder_needs_nothing_else_and_moves_bit_for_bit() {
    let (dir, hand) = textured();
    let object = cube("cube", 0.0145, 0.03);
    let objects = [put(&object, at(0.0, 0.0, 0.03))];
    let hands = [place(&hand), place(&hand)];
    let scene = Scene::compose(&SceneConfig::new(-0.3), &hands, &objects).unwrap();
    let without_hash = |name: &str| name[..name.rfind('_').unwrap()].to_owned();
    let names: Vec<_> = scene.files.iter().map(|(name, _)| without_hash(name)).collect();
    let expected = [
        "meshes/right/palm",
        "textures/right/skin",
        "meshes/right2/palm",
        "textures/right2/skin",
        "meshes/cube_00",
    ];
    assert_eq!(names, expected, "each file once per hand");
    let ctrl = wandering(&scene, 100, 3);
    let here = path(&scene.model, &ctrl);
    drop((dir, hand));
    let folder = tempfile::tempdir().unwrap();
    let reloaded = export(&scene, folder.path());
    assert_eq!(path(&reloaded, &ctrl), here);
    assert!(!scene.xml.contains("/tmp"), "no path of this machine is left in the text");
}

#[test]
fn a_mesh_file_that_went_missing_is_named() {
    let (dir, hand) = gripper();
    std::fs::remove_file(dir.path().join("parts/palm.obj")).unwrap();
    let error = Scene::compose(&SceneConfig::new(0.0), &[place(&hand)], &[]).err().unwrap();
    assert!(matches!(error, SceneError::MeshFile { .. }));
    let text = error.to_string();
    assert!(text.contains("gripper") && text.contains("parts/palm.obj"), "{text}");
}

#[test]
fn no_object_name_leads_out_of_the_folder() {
    let names =
        ["../../evil", "/etc/evil", "..", "a/b", "a_b", "A_B", "C:\\evil", "Tasse \u{e9}", "n\n"];
    let long = "x".repeat(300);
    let names = names.iter().copied().chain([long.as_str()]).enumerate();
    let objects: Vec<_> = names.map(|(i, name)| cube(name, 0.02 + 1e-3 * i as f64, 0.1)).collect();
    let placed: Vec<_> =
        objects.iter().enumerate().map(|(i, o)| put(o, at(0.1 * i as f64, 0.0, 0.1))).collect();
    let scene = Scene::compose(&SceneConfig::new(0.0), &[], &placed).unwrap();
    assert_eq!(scene.files.len(), objects.len());
    let mut lower = std::collections::BTreeSet::new();
    for (name, _) in &scene.files {
        assert!(Path::new(name).components().all(|c| matches!(c, Component::Normal(_))), "{name}");
        assert!(name.starts_with("meshes/") && name.len() < 120, "{name}");
        assert!(lower.insert(name.to_lowercase()), "{name} is there twice");
    }
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("deep/down");
    std::fs::create_dir_all(&inside).unwrap();
    let model = export(&scene, &inside);
    assert_eq!(std::fs::read_dir(folder.path().join("deep")).unwrap().count(), 1);
    for (i, object) in objects.iter().enumerate() {
        let expected = (0.02 + 1e-3 * i as f64) * 3f64.sqrt();
        let radius = radius(&model, &object.name);
        assert!((radius - expected).abs() < 1e-6, "{:?}: {radius} for {expected}", object.name);
    }
}

/// Bounding radius of an object's first hull.
fn radius(model: &MjModel, object: &str) -> f64 {
    let name = format!("object/{object}_00");
    model.geom_rbound()[model.name_to_id(MjtObjBase::mjOBJ_GEOM, &name).unwrap()]
}

#[test]
fn scenes_of_one_process_do_not_share_meshes_of_the_same_name() {
    for half in [0.01, 0.04, 0.02, 0.01] {
        let object = cube("cup", half, 0.1);
        let placed = [put(&object, at(0.0, 0.0, 0.1))];
        let scene = Scene::compose(&SceneConfig::new(0.0), &[], &placed).unwrap();
        let got = radius(&scene.model, "cup");
        assert!((got - half * 3f64.sqrt()).abs() < 1e-6, "{got} for half size {half}");
    }
}
