//! MyoDM: one `MyoHand_OBJECT_TASK.npz` of MyoSuite, as [`crate::clip::myodm`] reads it, with the object's mesh from
//! the folders that other formats look into.

use super::models::above;
use super::tcdm::mesh_names;
use super::{ImportOptions, find, stem};
use crate::clip::load_clip;
use crate::clip::settings::Settings;
use crate::{DataError, Npz};
use dextra_core::Demonstration;
use std::path::Path;

/// What the names of the files begin with.
const PREFIX: &str = "MyoHand_";

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Demonstration, DataError> {
    let npz = Npz::open(path)?;
    if let Some(missing) = ["time", "robot", "object"].into_iter().find(|key| !npz.contains(key)) {
        return Err(DataError::MissingField {
            file: path.to_owned(),
            field: missing.to_owned(),
            present: npz.keys().map(str::to_owned).collect(),
        });
    }
    let mut clip = opts.clip.clone();
    // A mesh that the options or the file beside the recording state counts.
    if Settings::gather(&npz, &clip)?.meshes.is_empty() {
        let name = stem(path);
        let name = name.strip_prefix(PREFIX).unwrap_or(&name);
        let object = name.split('_').next().unwrap_or_default();
        clip.mesh = find(&above(path, opts), &mesh_names(object));
    }
    if let Some(other) = opts.objects.first() {
        let problem =
            format!("`{other}`: a MyoDM recording has one object, with a mesh of its own");
        return Err(DataError::option(path, "objects", problem));
    }
    load_clip(path, &clip)
}
