//! What the readers of data sets share: the user's MANO models, poses, meshes.

use super::{ImportOptions, Recording, find};
use crate::clip::options::file_name;
use crate::mano::{self, BETAS, Mano, Origin, Shaped, Tips};
use crate::mesh::read_mesh_file;
use crate::pickle::Value;
use crate::{DataError, atomic};
use dextra_core::demonstration::Keypoints;
use dextra_core::{Pose, Side, TriMesh};
use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};
use std::path::{Path, PathBuf};

/// How far the columns of a stored rotation may be from orthonormal.
const ROTATION_TOLERANCE: f64 = 1e-3;

/// The two hands' models, of which a recording may need one.
pub(super) struct Models {
    right: Option<Mano>,
    left: Option<Mano>,
}

impl Models {
    /// Reads the models of the hands that are `needed`. `fix_left` says whether the data set was
    /// made with the left model's shape directions corrected.
    pub fn load(
        path: &Path,
        opts: &ImportOptions,
        needed: &[Side],
        fix_left: bool,
    ) -> Result<Models, DataError> {
        let Some(folder) = &opts.mano else {
            let problem = "this recording stores hands as parameters of MANO: name the folder of \
                           your own copy of the model (--mano DIR)";
            return Err(DataError::option(path, "mano", problem));
        };
        let read = |side| match needed.contains(&side) {
            true => Mano::load(folder, side).map(Some),
            false => Ok(None),
        };
        let (right, mut left) = (read(Side::Right)?, read(Side::Left)?);
        if let (true, Some(left)) = (fix_left, &mut left) {
            left.fix_left_shape(&Mano::load(folder, Side::Right)?);
        }
        Ok(Models { right, left })
    }

    /// The model of a side that was needed.
    pub fn of(&self, side: Side) -> Option<&Mano> {
        match side {
            Side::Right => self.right.as_ref(),
            Side::Left => self.left.as_ref(),
        }
    }

    /// Says in the provenance that models were used, and what that means.
    pub fn acknowledge(&self, recording: &mut Recording) {
        for mano in [&self.right, &self.left].into_iter().flatten() {
            recording.inputs.push((file_name(&mano.file), mano.sha256.clone()));
        }
        if !recording.licence.contains(mano::LICENCE) {
            recording.licence = format!("{} AND {}", recording.licence, mano::LICENCE);
        }
        recording.notes.push(
            "Keypoints are of the user's own MANO model, whose licence allows non-commercial \
             research only; nothing of the model itself is in this file."
                .into(),
        );
    }
}

/// What the translation of a hand means and which vertices are its tips, in one data set.
#[derive(Clone, Copy)]
pub(super) struct Convention {
    pub origin: Origin,
    pub tips: Tips,
}

impl Convention {
    /// Keypoints from the axis-angle vectors of the wrist and the fingers.
    pub fn keypoints(
        self,
        shaped: &Shaped,
        wrist: [f64; 3],
        pose: &[f64; mano::POSE],
        translation: [f64; 3],
    ) -> Keypoints {
        let turns = mano::rotations(wrist, pose);
        shaped.keypoints(&turns, Vector3::from(translation), self.origin, self.tips)
    }
}

/// Ten numbers of shape from an array that has them once or in every frame.
pub(super) fn betas(numbers: &[f64]) -> Vec<f64> {
    numbers.iter().take(BETAS).copied().collect()
}

/// The first numbers of a row as an array.
pub(super) fn part<const N: usize>(row: &[f64], start: usize) -> [f64; N] {
    std::array::from_fn(|i| row.get(start + i).copied().unwrap_or(f64::NAN))
}

/// A pose from an axis-angle vector and a translation.
pub(super) fn from_axis_angle(rotation: [f64; 3], translation: [f64; 3]) -> Pose {
    let rotation = Rotation3::new(Vector3::from(rotation));
    Pose::from_parts(
        Vector3::from(translation).into(),
        UnitQuaternion::from_rotation_matrix(&rotation),
    )
}

/// A pose from the rows of a 4x4 or 3x4 matrix, unless it is no rigid motion.
pub(super) fn from_matrix(rows: &[f64]) -> Option<Pose> {
    if !matches!(rows.len(), 12 | 16) || rows.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let rotation = Matrix3::from_fn(|r, c| rows[4 * r + c]);
    let error = (rotation.transpose() * rotation - Matrix3::identity()).abs().max();
    if error > ROTATION_TOLERANCE || rotation.determinant() < 0.0 {
        return None;
    }
    let turn = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix(&rotation));
    Some(Pose::from_parts(Vector3::new(rows[3], rows[7], rows[11]).into(), turn))
}

/// The folders above a file, nearest first, after the one that is stated; those of a bare name too.
pub(super) fn above(path: &Path, opts: &ImportOptions) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = opts.meshes.iter().cloned().collect();
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    folders.extend(path.ancestors().skip(1).take(6).map(Path::to_owned));
    folders
}

/// Reads the mesh of an object from one of several places, in metres; its digest joins `inputs`.
pub(super) fn mesh(
    path: &Path,
    opts: &ImportOptions,
    names: &[String],
    metres: f64,
    inputs: &mut Vec<(String, String)>,
) -> Result<TriMesh, DataError> {
    let Some(file) = find(&above(path, opts), names) else {
        let problem =
            format!("no mesh {}; name the folder of the meshes (--meshes DIR)", names.join(" or "));
        return Err(DataError::format(path, problem));
    };
    let found = read_mesh_file(&file)?;
    inputs.push((file_name(&file), found.sha256));
    let vertices = found.mesh.vertices.iter().map(|v| v * metres).collect();
    Ok(TriMesh { vertices, ..found.mesh })
}

/// A name from a file that other files are looked for by: without folders.
pub(super) fn plain(value: &Value) -> Result<String, DataError> {
    let name = value.text()?;
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | ' ');
    match !name.is_empty() && !name.starts_with('.') && name.chars().all(sound) {
        true => Ok(name),
        false => Err(value.problem(format!("`{name}` is not the name of an object"))),
    }
}

/// SHA-256 of a file, with its name.
pub(super) fn digest(file: &Path) -> Result<(String, String), DataError> {
    let bytes = atomic::read_file(file, crate::npz::MAX_BYTES)?;
    Ok((file_name(file), atomic::sha256_hex(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_above_a_bare_name_are_those_of_the_working_folder() {
        let here = std::env::current_dir().unwrap();
        let wanted: Vec<&Path> = here.ancestors().take(6).collect();
        let stated = ImportOptions { meshes: Some("m".into()), ..ImportOptions::default() };
        assert_eq!(above(Path::new("clip-000001.tar"), &ImportOptions::default()), wanted);
        let found = above(Path::new("./x/clip-000001.tar"), &stated);
        assert_eq!(found[..3], [Path::new("m"), &here.join("x"), &here]);
        assert_eq!(
            above(Path::new("/a/b.tar"), &ImportOptions::default()),
            ["/a", "/"].map(Path::new)
        );
    }
}
