//! The hand alone, out of a file that may hold a whole scene.

use super::compile::{self, failed, reason};
use super::derive::{self, Finding};
use super::map::RawMap;
use super::{HandError, demands, extract, linkage, missing, servo, urdf};
use dextra_core::kinematics::KinematicTree;
use dextra_core::names::nearest;
use mujoco_rs::prelude::*;
use mujoco_rs::wrappers::mj_editing::MjsBody;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A hand taken out of its file.
pub(super) struct Trimmed {
    /// Complete MJCF of the hand.
    pub(super) xml: String,
    /// The map given, or the derived one.
    pub(super) map: RawMap,
    /// What stands behind a derived map; empty for a given one.
    pub(super) findings: Vec<Finding>,
    /// What could not be known of a hand whose map is derived.
    pub(super) unknown: Vec<String>,
    /// Bodies whose mass comes from their geometry, for the file states none.
    pub(super) unweighed: Vec<String>,
    /// Bodies with neither mass nor geometry, which were given a gram.
    pub(super) stubs: Vec<String>,
    /// Warnings, and what was left out.
    pub(super) notices: Vec<String>,
}

/// Most hinges of a hand; what is derived takes longer than linearly in them.
const MAX_HINGES: usize = 100;
/// Most bytes of a file; meshes are files of their own.
const MAX_BYTES: u64 = 16 << 20;
/// What is left out of a file that does not compile with it.
const DRAWN: &str = "all that is only drawn";
/// MuJoCo's density of a geom that states neither mass nor density, kilograms per cubic metre.
const WATER: f64 = 1000.0;

/// Takes the hand out of the file `path`, an MJCF or (by its ending) a URDF: the body subtree that holds the
/// palm of `map` or, without a map, the one with the most hinges; then the map is derived. What the world
/// holds besides (floors, lights, cameras, other bodies), options, keyframes and joints of the root are
/// left out; elements that refer to what is gone go with it. Servos are added where there are none.
pub(super) fn hand_alone(path: &Path, map: Option<RawMap>) -> Result<Trimmed, HandError> {
    let file = path.display().to_string();
    let mut notices = Vec::new();
    let mut efforts = Vec::new();
    let stubbed;
    let mut spec = if is_urdf(path) {
        let (spec, converted) = from_urdf(path, &file)?;
        notices.extend(converted.notices);
        efforts = converted.efforts;
        stubbed = converted.stubs;
        spec
    } else {
        let (spec, stubs) = from_mjcf(path, &file, &mut notices)?;
        stubbed = stubs;
        spec
    };
    name_all(&mut spec);
    let root = match &map {
        Some(map) => root_of_palm(&spec, map)?,
        None => root_of_hinges(&spec, &file)?,
    };
    let cut = cut_world(&mut spec, &root, &file)?;
    if !cut.is_empty() {
        notices.push(format!("{file}: left out what is not the hand: {}", cut.join(", ")));
    }
    let hinges = spec.joint_iter().count();
    if hinges > MAX_HINGES {
        return Err(HandError::Unsupported {
            file,
            element: "joints".to_owned(),
            message: format!("are {hinges}; a hand has at most {MAX_HINGES}"),
        });
    }
    let unweighed = unweighed(&spec);
    let mut stubs = missing::weigh_root(&mut spec, &root);
    stubs.extend(stubbed.into_iter().filter(|name| spec.body(name).is_some()));
    if !stubs.is_empty() {
        let names = stubs.join(", ");
        notices.push(format!("{file}: neither mass nor geometry, taken as 1 g: {names}"));
    }
    *spec.option_mut() = MjOption::default();
    // As much memory as the engine thinks fit.
    spec.set_memory(-1);
    let servos = servo::equip(&mut spec, &efforts, &file, &mut notices)?;
    let (map, mut findings, unknown) = match map {
        Some(map) => (map, Vec::new(), Vec::new()),
        None => {
            let model = compile::compile(&mut spec, &file, &mut Vec::new())?;
            let tree = extract::tree(&model, &file)?;
            let coordinates = super::coordinates(&tree, &file)?;
            let name = hand_name(path, spec.modelname());
            let mut derived = derive::derive(&model, &tree, &coordinates, &name, &file)?;
            derived.unknown.extend(loose_linkages(&model, &tree));
            (derived.map, derived.findings, derived.unknown)
        }
    };
    if !findings.is_empty() {
        findings.push(servos);
    }
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
    let xml = compile::save(&spec, &file)?;
    Ok(Trimmed { xml, map, findings, unknown, unweighed, stubs, notices })
}

/// What the linear fit of closed linkages leaves out.
fn loose_linkages(model: &MjModel, tree: &KinematicTree) -> Vec<String> {
    let plain = KinematicTree { couplings: Vec::new(), ..tree.clone() };
    let found = extract::linkages(model, &plain);
    let fitted = |f: &&linkage::Follower| tree.couplings.contains(&f.coupling);
    let Some(worst) = found.iter().filter(fitted).map(|f| f.deviation).reduce(f64::max) else {
        return Vec::new();
    };
    vec![format!(
        "how closed linkages move exactly: {} joints follow theirs linearly to within {:.1} degrees; physics \
         keeps the linkage",
        found.iter().filter(fitted).count(),
        worst.to_degrees()
    )]
}

/// The text of a file of a hand, up to [`MAX_BYTES`].
pub(super) fn read(path: &Path) -> Result<String, HandError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|f| f.take(MAX_BYTES + 1).read_to_string(&mut text));
    let source = match read {
        Ok(length) if length as u64 <= MAX_BYTES => return Ok(text),
        Ok(_) => io::Error::other(format!("is larger than {} MB", MAX_BYTES >> 20)),
        Err(source) => source,
    };
    Err(HandError::Read { file: path.display().to_string(), source })
}

/// An MJCF as a specification that compiles, with the bodies that were given a mass; where it does not as it
/// stands, without meshes that are not there, else without all that is only drawn.
fn from_mjcf(
    path: &Path,
    file: &str,
    notices: &mut Vec<String>,
) -> Result<(MjSpec, Vec<String>), HandError> {
    let (text, folder) = (read(path)?, path.parent().unwrap_or(Path::new("")));
    demands::check(&text, folder, file)?;
    let mut spec = compile::parse_file(path)?;
    // As it stands, so that an error speaks of the user's file and not of our cut.
    let Err(mut error) = compile::compile(&mut spec, file, notices) else {
        return Ok((spec, Vec::new()));
    };
    // Only then a mesh is missing for sure, for what a file attaches has folders of its own.
    let opens =
        matches!(&error, HandError::Mjcf { message, .. } if message.contains("opening file"));
    let solid = opens && !text.contains("<attach");
    for all in [false, true] {
        let mut bare = compile::parse_file(path)?;
        name_all(&mut bare);
        let missing = missing::drop_meshes(&mut bare, folder, solid, file)?;
        let stubs = missing::weigh_robbed(&mut bare, &missing);
        bare.compiler_mut().set_discardvisual(all);
        match compile::compile(&mut bare, file, notices) {
            Ok(_) => {
                bare.compiler_mut().set_discardvisual(false);
                notices.extend(missing.notices(file));
                if all {
                    notices.push(left_out(file, DRAWN, &error));
                }
                return Ok((bare, stubs));
            }
            // What is wrong with what is there.
            Err(other) if solid => error = other,
            Err(_) => {}
        }
    }
    Err(error)
}

/// Says that a file compiles without something, and why not with it.
fn left_out(file: &str, what: &str, error: &HandError) -> String {
    let message = match error {
        HandError::Mjcf { message, .. } => message.clone(),
        other => other.to_string(),
    };
    format!("{file}: left out {what}: {message}")
}

/// Bodies that state no mass, nor do their geoms, nor a density.
fn unweighed(spec: &MjSpec) -> Vec<String> {
    let unstated = |body: &&MjsBody| {
        let mut geoms = body.geom_iter(false).filter(|g| g.mass().is_nan()).peekable();
        !body.explicitinertial() && geoms.peek().is_some() && geoms.all(|g| g.density() == WATER)
    };
    spec.body_iter().filter(unstated).map(|body| body.name().to_owned()).collect()
}

/// A URDF as a specification that compiles; without what is only drawn where that does not compile.
fn from_urdf(path: &Path, file: &str) -> Result<(MjSpec, urdf::Converted), HandError> {
    let text = read(path)?;
    let convert = |drawn: bool| {
        let mut converted = urdf::convert(&text, path, drawn)?;
        demands::check(&converted.xml, path.parent().unwrap_or(Path::new("")), file)?;
        let mut spec = compile::parse_string(&converted.xml, file)?;
        compile::compile(&mut spec, file, &mut converted.notices)?;
        Ok((spec, converted))
    };
    convert(true).or_else(|error| match error {
        HandError::Mjcf { .. } => {
            let (spec, mut converted) = convert(false)?;
            converted.notices.push(left_out(file, DRAWN, &error));
            Ok((spec, converted))
        }
        other => Err(other),
    })
}

/// Whether a file is a URDF, by its ending.
pub(super) fn is_urdf(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("urdf"))
}

/// Name of a hand without a map: that of the model, or of the file where the model has none.
fn hand_name(path: &Path, model: &str) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match model {
        "" | "MuJoCo Model" => stem.into_owned(),
        named => named.to_owned(),
    }
}

/// The child of the world with the most hinges under it.
fn root_of_hinges(spec: &MjSpec, file: &str) -> Result<String, HandError> {
    let hinges = |body: &MjsBody| {
        body.joint_iter(true).filter(|j| j.type_() == MjtJoint::mjJNT_HINGE).count()
    };
    spec.world_body()
        .body_iter(false)
        .map(|body| (hinges(body), body.name().to_owned()))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, name)| name)
        .ok_or_else(|| HandError::NoFingers {
            file: file.to_owned(),
            message: "has no body".to_owned(),
        })
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

/// Deletes all but the body `root`, and its joints with what drives them; says what went.
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
    let joints = spec.world_body().body_iter(false).flat_map(|b| b.joint_iter(false));
    let names: Vec<String> = joints.map(|j| j.name().to_owned()).collect();
    clear!(
        "actuators of the root's joints",
        spec.actuator_iter_mut().find(|a| names.iter().any(|n| n == a.target()))
    );
    clear!(
        "joints of the root (the scene carries the hand)",
        spec.world_body_mut().body_iter_mut().flat_map(|b| b.joint_iter_mut(false)).next()
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
