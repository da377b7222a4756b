//! The hand alone, out of a file that may hold a whole scene.

use super::HandError;
use super::compile::{self, failed, reason};
use super::map::RawMap;
use super::names::nearest;
use mujoco_rs::prelude::*;
use mujoco_rs::wrappers::mj_editing::MjsBody;
use std::path::Path;

/// A hand taken out of its file.
pub(super) struct Trimmed {
    /// Complete MJCF of the hand.
    pub(super) xml: String,
    /// Warnings, and what was left out.
    pub(super) notices: Vec<String>,
}

/// Takes the body subtree that holds the palm out of the file `path`. What the world holds besides
/// (floors, lights, cameras, other bodies), options, keyframes and a free joint on the root are
/// left out; elements that refer to what is gone go with it.
pub(super) fn hand_alone(path: &Path, map: &RawMap) -> Result<Trimmed, HandError> {
    let file = path.display().to_string();
    let mut spec = compile::parse_file(path)?;
    let mut notices = Vec::new();
    // Compiled as it stands first, so that an error speaks of the user's file and not of our cut.
    compile::compile(&mut spec, &file, &mut notices)?;
    name_all(&mut spec);
    let root = root_of_palm(&spec, map)?;
    let cut = cut_world(&mut spec, &root, &file)?;
    if !cut.is_empty() {
        notices.push(format!("{file}: left out what is not the hand: {}", cut.join(", ")));
    }
    *spec.option_mut() = MjOption::default();
    for (body, site, point) in map.tip_points() {
        // A body that is not there is reported when the map is checked against the model.
        let known = spec.site(&site).is_none() && !body.contains('\0');
        if let Some(body) = spec.body_mut(body).filter(|_| known) {
            let tip = body.add_site();
            *tip.pos_mut() = point;
            // The name is free, for no site has it.
            let _ = tip.set_name(&site);
        }
    }
    anchor_folders(&mut spec, path, &file)?;
    compile::compile(&mut spec, &file, &mut Vec::new())?;
    Ok(Trimmed { xml: compile::save(&spec, &file)?, notices })
}

/// Gives a name to every body, joint and actuator that has none, for trees and scenes go by name.
fn name_all(spec: &mut MjSpec) {
    fn name_bodies(parent: &mut MjsBody, count: &mut usize) {
        for body in parent.body_iter_mut() {
            christen(body, "body", count);
            name_bodies(body, count);
        }
    }
    name_bodies(spec.world_body_mut(), &mut 0);
    let mut count = 0;
    spec.joint_iter_mut().for_each(|joint| christen(joint, "joint", &mut count));
    let mut count = 0;
    spec.actuator_iter_mut().for_each(|actuator| christen(actuator, "actuator", &mut count));
}

fn christen(element: &mut impl SpecItem, word: &str, count: &mut usize) {
    while element.name().is_empty() {
        *count += 1;
        // A refusal means that the name is taken, and the next number is tried.
        let _ = element.set_name(&format!("{word}_{count}"));
    }
}

/// The child of the world that is the palm or holds it.
fn root_of_palm(spec: &MjSpec, map: &RawMap) -> Result<String, HandError> {
    let palm = map.palm_body();
    let valid = || nearest(palm, spec.body_iter().map(|b| b.name()).filter(|n| *n != "world"));
    let missing =
        || map.error("palm.body", format!("no body `{palm}` in the hand; nearest: {}", valid()));
    if palm.contains('\0') {
        return Err(missing());
    }
    spec.world_body()
        .body_iter(false)
        .find(|body| body.child(palm).is_some())
        .map(|body| body.name().to_owned())
        .ok_or_else(missing)
}

/// Deletes all but the body `root`; says what went.
fn cut_world(spec: &mut MjSpec, root: &str, file: &str) -> Result<Vec<String>, HandError> {
    let mut cut = Vec::new();
    // SAFETY of every deletion here: the element comes fresh from an iterator or a look-up, is
    // deleted once, and no other handle to it exists.
    macro_rules! clear {
        ($word:literal, $next:expr) => {
            let mut count = 0;
            while let Some(element) = $next {
                #[allow(unsafe_code)]
                unsafe { element.delete() }.map_err(|e| failed(file, "trim", reason(&e)))?;
                count += 1;
            }
            if count > 0 {
                cut.push(format!("{count} {}", $word));
            }
        };
    }
    clear!("keyframes", spec.key_iter_mut().next());
    clear!("geoms of the world", spec.world_body_mut().geom_iter_mut(false).next());
    clear!("sites of the world", spec.world_body_mut().site_iter_mut(false).next());
    clear!("cameras of the world", spec.world_body_mut().camera_iter_mut(false).next());
    clear!("lights of the world", spec.world_body_mut().light_iter_mut(false).next());
    clear!("other bodies", spec.world_body_mut().body_iter_mut().find(|b| b.name() != root));
    clear!(
        "free joint of the root (the scene carries the hand)",
        spec.world_body_mut()
            .body_iter_mut()
            .flat_map(|b| b.joint_iter_mut(false))
            .find(|j| j.type_() == MjtJoint::mjJNT_FREE)
    );
    Ok(cut)
}

/// Makes mesh and texture folders absolute, so that the text compiles wherever it is loaded.
fn anchor_folders(spec: &mut MjSpec, path: &Path, file: &str) -> Result<(), HandError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::path::absolute(folder)
        .map_err(|source| HandError::Read { file: file.to_owned(), source })?;
    let compiler = spec.compiler_mut();
    let meshes = folder.join(compiler.meshdir());
    let textures = folder.join(compiler.texturedir());
    let text = |p: &Path| p.to_str().map(str::to_owned);
    let (Some(meshes), Some(textures)) = (text(&meshes), text(&textures)) else {
        return Err(failed(file, "trim", "its path is not valid UTF-8"));
    };
    compiler.set_meshdir(&meshes);
    compiler.set_texturedir(&textures);
    Ok(())
}
