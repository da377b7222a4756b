//! Meshes of an MJCF that are not there, and bodies that nothing gives a mass.

use super::HandError;
use super::compile::{failed, reason};
use mujoco_rs::prelude::*;
use mujoco_rs::wrappers::mj_editing::{MjsBody, MjsGeom, MjsMesh, MjtInertiaFromGeom};
use std::collections::BTreeSet;
use std::path::Path;

/// Mass of a moving body that nothing gives one, kilograms.
const STUB_KG: f64 = 1e-3;
/// Its moments of inertia, kg m^2: about those of a ball of 15 mm.
const STUB_INERTIA: f64 = 1e-7;
/// Most files that a note lists.
const SHOWN: usize = 6;

/// What was left out of a specification.
#[derive(Default)]
pub(super) struct Missing {
    /// Mesh files that only draw.
    drawn: BTreeSet<String>,
    /// Mesh files that collide.
    solid: BTreeSet<String>,
    /// Bodies that lost geoms, by name; all bodies have names by then.
    robbed: BTreeSet<String>,
}

impl Missing {
    /// One note per kind of loss.
    pub(super) fn notices(&self, file: &str) -> Vec<String> {
        let list = |files: &BTreeSet<String>| {
            let mut shown: Vec<String> =
                files.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
            let more = files.len().saturating_sub(SHOWN);
            if more > 0 {
                shown.push(format!("{more} more"));
            }
            shown.join(", ")
        };
        let mut notices = Vec::new();
        if !self.drawn.is_empty() {
            let files = list(&self.drawn);
            notices.push(format!("{file}: left out drawn meshes that are not there: {files}"));
        }
        if !self.solid.is_empty() {
            notices.push(format!(
                "{file}: left out collision meshes that are not there: {}; the hand is smaller than its \
                 file says",
                list(&self.solid)
            ));
        }
        notices
    }
}

/// Deletes meshes whose files are not in `folder` (that of the MJCF), with the geoms that have them; those
/// that collide only with `solid`. MuJoCo's own way of leaving out what is only drawn still opens the meshes
/// of bodies that state no mass.
pub(super) fn drop_meshes(
    spec: &mut MjSpec,
    folder: &Path,
    solid: bool,
    file: &str,
) -> Result<Missing, HandError> {
    let folder = folder.join(spec.compiler().meshdir());
    let strip = spec.strippath();
    let lost = |mesh: &MjsMesh| {
        let name = Path::new(mesh.file());
        let name = name.file_name().filter(|_| strip).map_or(name, Path::new);
        !mesh.file().is_empty() && !folder.join(name).is_file()
    };
    let stem = |file: &str| Path::new(file).file_stem().map(|s| s.to_string_lossy().into_owned());
    let names: Vec<(String, String)> = spec
        .mesh_iter()
        .filter(|mesh| lost(mesh))
        .filter_map(|mesh| match mesh.name() {
            "" => Some((stem(mesh.file())?, mesh.file().to_owned())),
            name => Some((name.to_owned(), mesh.file().to_owned())),
        })
        .collect();
    let collides = |geom: &MjsGeom| geom.contype() != 0 || geom.conaffinity() != 0;
    let source = |geom: &MjsGeom| names.iter().find(|(name, _)| name == geom.meshname());
    let mut missing = Missing::default();
    for body in spec.body_iter() {
        for geom in body.geom_iter(false) {
            if let Some((_, file)) = source(geom).filter(|_| solid || !collides(geom)) {
                let kind = if collides(geom) { &mut missing.solid } else { &mut missing.drawn };
                kind.insert(file.clone());
                missing.robbed.insert(body.name().to_owned());
            }
        }
    }
    // Those of no geom only draw, as in a skin.
    missing.drawn.extend(names.iter().map(|(_, file)| file.clone()));
    missing.drawn.retain(|file| !missing.solid.contains(file));
    // SAFETY: the elements come fresh from an iterator, are deleted once, and no other handle to them exists.
    #[allow(unsafe_code)]
    unsafe {
        let goes = |geom: &MjsGeom| source(geom).is_some() && (solid || !collides(geom));
        while let Some(geom) = spec.geom_iter_mut().find(|geom| goes(geom)) {
            geom.delete().map_err(|e| failed(file, "trim", reason(&e)))?;
        }
        while let Some(mesh) = spec.mesh_iter_mut().find(|m| lost(m)) {
            mesh.delete().map_err(|e| failed(file, "trim", reason(&e)))?;
        }
    }
    Ok(missing)
}

/// Gives a small mass to the moving bodies that have none without what is `missing`; returns their names.
pub(super) fn weigh_robbed(spec: &mut MjSpec, missing: &Missing) -> Vec<String> {
    let robbed = |body: &MjsBody| missing.robbed.contains(body.name());
    let moves = |body: &MjsBody| body.joint_iter(false).next().is_some();
    stub(spec, weightless(spec, |body| moves(body) && of_link(body, &robbed)))
}

/// Gives a small mass to a root that has none, for the scene moves it; returns its name then.
pub(super) fn weigh_root(spec: &mut MjSpec, root: &str) -> Vec<String> {
    stub(spec, weightless(spec, |body| body.name() == root))
}

/// Names of the `wanted` bodies without mass, those welded to them counted in.
fn weightless(spec: &MjSpec, wanted: impl Fn(&MjsBody) -> bool) -> Vec<String> {
    let compiler = spec.compiler();
    let from_geoms = compiler.inertiafromgeom() != MjtInertiaFromGeom::mjINERTIAFROMGEOM_FALSE;
    let [first, last] = *compiler.inertiagrouprange();
    let heavy = |geom: &MjsGeom| {
        let counts = from_geoms && (first..=last).contains(&geom.group());
        counts && if geom.mass().is_nan() { geom.density() > 0.0 } else { geom.mass() > 0.0 }
    };
    let weighs = |body: &MjsBody| {
        body.explicitinertial() && body.mass() > 0.0 || body.geom_iter(false).any(heavy)
    };
    let weightless = spec.body_iter().filter(|body| wanted(body) && !of_link(body, &weighs));
    weightless.map(|body| body.name().to_owned()).collect()
}

/// Whether something is true of a body or of one welded to it.
fn of_link(body: &MjsBody, is: &dyn Fn(&MjsBody) -> bool) -> bool {
    let welded = |child: &&MjsBody| child.joint_iter(false).next().is_none();
    is(body) || body.body_iter(false).filter(welded).any(|child| of_link(child, is))
}

/// Gives bodies a small mass.
fn stub(spec: &mut MjSpec, names: Vec<String>) -> Vec<String> {
    for name in &names {
        if let Some(body) = spec.body_mut(name) {
            body.set_mass(STUB_KG);
            *body.ipos_mut() = [0.0; 3];
            *body.inertia_mut() = [STUB_INERTIA; 3];
            body.set_explicitinertial(true);
        }
    }
    names
}
