//! `import`: a recording in the format of others as a clip of our own.

use crate::demo::{self, ClipInfo};
use crate::error::Error;
use dextra_data::{Format, ImportOptions};
use std::path::PathBuf;

/// What to import, and where to.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// Format of the recording.
    pub format: Format,
    /// File or folder, as it was downloaded.
    pub path: PathBuf,
    /// The clip to write (`.npz`); in the current folder under the recording's name when not stated.
    pub out: Option<PathBuf>,
    /// What the recording does not say itself.
    pub options: ImportOptions,
}

/// Reads a recording and writes it as a clip with its meshes beside it. Returns the clip's path and
/// what is in it.
///
/// # Errors
/// [`Error::Clip`] for a recording that cannot be used, [`Error::Request`] for a path that is no
/// `.npz`, [`Error::Stage`] for a failed write.
pub fn import(request: &ImportRequest) -> Result<(PathBuf, ClipInfo), Error> {
    let unusable = |source: dextra_data::DataError| Error::Clip {
        clip: request.path.display().to_string(),
        source: source.into(),
    };
    if let Some(out) = request.out.as_ref().filter(|out| out.extension().is_none_or(|e| e != "npz"))
    {
        return Err(Error::Request(format!("{} is not the name of a .npz clip", out.display())));
    }
    let demo =
        dextra_data::import(request.format, &request.path, &request.options).map_err(unusable)?;
    let out = request.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.npz", demo.name)));
    dextra_data::write_keypoint_clip(&out, &demo).map_err(Error::stage("write"))?;
    Ok((out, demo::info(&demo)))
}
