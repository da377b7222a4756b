//! Which mesh belongs to a clip, and in what unit it is.

use super::geometry::{grip_distance, surface_points};
use super::options::{Unit, file_name};
use super::settings::Settings;
use crate::mesh::{EXTENSIONS, MeshFile, read_mesh_file};
use crate::{DataError, mesh};
use dextra_core::demonstration::Keypoints;
use dextra_core::{Pose, TriMesh};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Diagonal of a hand-held object's bounding box, metres.
pub const DIAGONAL_M: RangeInclusive<f64> = 0.005..=3.0;

/// How near the third-nearest keypoint must come for a mesh's unit to be inferred, metres.
const GRIP_M: f64 = 0.05;

/// The mesh files of one clip, one per object.
///
/// `names` are the objects' names in the clip, empty for a clip of one nameless object.
pub(super) fn find_meshes(
    settings: &Settings,
    names: &[String],
    objects: usize,
) -> Result<Vec<PathBuf>, DataError> {
    if !settings.meshes.is_empty() {
        if settings.meshes.len() != objects {
            let problem =
                format!("{} meshes are stated for {objects} objects", settings.meshes.len());
            return Err(DataError::option(&settings.clip, "mesh", problem));
        }
        return Ok(settings.meshes.clone());
    }
    let beside = meshes_beside(&settings.clip)?;
    let stem = settings.stem();
    if objects == 1 {
        let by_name = names.first().and_then(|name| unique(&beside, |s| s == name));
        if let Some(mesh) = by_name {
            return Ok(vec![mesh]);
        }
        return choose(settings, &beside, &stem).map(|mesh| vec![mesh]);
    }
    names
        .iter()
        .map(|name| {
            unique(&beside, |s| s == name)
                .or_else(|| unique(&beside, |s| s == format!("{stem}_{name}")))
                .ok_or_else(|| choice_error(settings, &beside, format!("no mesh for `{name}`")))
        })
        .collect()
}

/// The mesh of a clip with one object: the clip's own name, else the longest mesh name that stands
/// in the clip's name between underscores.
fn choose(settings: &Settings, beside: &[PathBuf], stem: &str) -> Result<PathBuf, DataError> {
    if let Some(mesh) = unique(beside, |s| s == stem) {
        return Ok(mesh);
    }
    let padded = format!("_{stem}_");
    let mut fitting: Vec<&PathBuf> =
        beside.iter().filter(|mesh| padded.contains(&format!("_{}_", stem_of(mesh)))).collect();
    fitting.sort_by_key(|mesh| std::cmp::Reverse(stem_of(mesh).len()));
    match fitting[..] {
        [] => Err(choice_error(settings, beside, "no mesh is named like the clip".to_owned())),
        [first, second, ..] if stem_of(first).len() == stem_of(second).len() => {
            let problem =
                format!("{} and {} both fit the clip's name", file_name(first), file_name(second));
            Err(choice_error(settings, beside, problem))
        }
        [first, ..] => Ok(first.clone()),
    }
}

fn choice_error(settings: &Settings, beside: &[PathBuf], problem: String) -> DataError {
    DataError::MeshChoice {
        file: settings.clip.clone(),
        problem,
        candidates: beside.iter().map(|mesh| file_name(mesh)).collect(),
    }
}

fn unique(beside: &[PathBuf], fits: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut fitting = beside.iter().filter(|mesh| fits(&stem_of(mesh)));
    match (fitting.next(), fitting.next()) {
        (Some(mesh), None) => Some(mesh.clone()),
        _ => None,
    }
}

fn stem_of(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Mesh files in the clip's folder, sorted by name so that the choice never depends on the disk.
fn meshes_beside(clip: &Path) -> Result<Vec<PathBuf>, DataError> {
    let folder = match clip.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let entries = std::fs::read_dir(folder).map_err(|e| DataError::io(folder, "list", e))?;
    let mut meshes: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
        })
        .collect();
    meshes.sort();
    Ok(meshes)
}

/// Reads a mesh and converts it to metres. `poses` and `hands` are in metres, in any one frame.
pub(super) fn mesh_in_metres(
    settings: &mut Settings,
    path: &Path,
    poses: &[Pose],
    hands: &[Vec<Keypoints>],
) -> Result<TriMesh, DataError> {
    let MeshFile { mesh, sha256 } = read_mesh_file(path)?;
    let unit = mesh_unit(settings, path, &mesh, poses, hands)?;
    settings.inputs.push((file_name(path), sha256));
    if unit == Unit::Metre {
        return Ok(mesh);
    }
    settings.note(format!("The mesh {} is read in {}.", file_name(path), unit.name()));
    let vertices = mesh.vertices.iter().map(|v| v * unit.metres()).collect();
    Ok(TriMesh { vertices, faces: mesh.faces })
}

/// Decides the unit of a mesh: stated, else metres if that is a plausible object, else the one in
/// which the hand reaches its surface.
fn mesh_unit(
    settings: &mut Settings,
    path: &Path,
    mesh: &TriMesh,
    poses: &[Pose],
    hands: &[Vec<Keypoints>],
) -> Result<Unit, DataError> {
    let diagonal = mesh.bounds().map_or(0.0, |(low, high)| (high - low).norm());
    let plausible = |unit: Unit| DIAGONAL_M.contains(&(diagonal * unit.metres()));
    let limits = format!(
        "a hand-held object measures {} mm to {} m across",
        1000.0 * DIAGONAL_M.start(),
        DIAGONAL_M.end()
    );
    if let Some(stated) = settings.mesh_unit {
        if plausible(stated) {
            return Ok(stated);
        }
        let problem = format!(
            "`{}` is stated, but the bounding box of {} is {diagonal:.4} units across; {limits}",
            stated.name(),
            file_name(path)
        );
        return Err(DataError::option(&settings.clip, "mesh_unit", problem));
    }
    let points = surface_points(mesh, 2000);
    let reach = |unit: Unit| {
        hands
            .iter()
            .map(|hand| grip_distance(&points, unit.metres(), poses, hand))
            .fold(f64::INFINITY, f64::min)
    };
    if plausible(Unit::Metre) {
        // An object of a few metres is allowed, but more often it is one of a few centimetres.
        if diagonal > 1.0 && reach(Unit::Metre) > 2.0 * GRIP_M {
            settings.note(format!(
                "The mesh {} is {diagonal:.2} m across and the hand stays away from its surface: \
                 its unit may be wrong (`mesh_unit`).",
                file_name(path)
            ));
        }
        return Ok(Unit::Metre);
    }
    let best = Unit::ALL
        .into_iter()
        .filter(|&unit| plausible(unit))
        .map(|unit| (unit, reach(unit)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    match best {
        Some((unit, distance)) if distance < GRIP_M => {
            settings.note(format!(
                "The mesh {} is {diagonal:.1} units across; in {} the hand comes within {:.1} cm \
                 of its surface.",
                file_name(path),
                unit.name(),
                100.0 * distance
            ));
            Ok(unit)
        }
        _ => Err(mesh::scale_error(
            path,
            format!(
                "the bounding box is {diagonal:.4} m across if the unit is the metre; {limits}; \
                 state the mesh's unit with the `mesh_unit` option (m, cm or mm)"
            ),
        )),
    }
}
