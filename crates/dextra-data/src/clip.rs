//! Recorded demonstrations: one file in, a [`Demonstration`] out.
//!
//! Two layouts of `.npz` are understood, told apart by their keys: keypoint clips
//! ([`keypoints`], ours and TACO-like) and MyoDM recordings ([`myodm`]). Whatever the recording's
//! unit, up axis and handedness, the result is in metres with z up, and says in its provenance what
//! was inferred and what was contradictory.

mod geometry;
pub mod import;
pub mod keypoints;
pub mod myodm;
pub mod myohand;
mod objects;
mod options;
mod parts;
mod settings;
mod upright;
mod write;

pub use options::{ClipOptions, QuatOrder, Unit, UpAxis};
pub use write::write_keypoint_clip;

use crate::{DataError, Npz};
use dextra_core::Demonstration;
use settings::Settings;
use std::path::Path;

/// Longest clip accepted, frames: 40 minutes at 120 Hz, far above any single manipulation.
pub const MAX_FRAMES: usize = 288_000;

/// Reads a clip with its mesh or meshes.
///
/// `opts` overrides the sidecar `CLIP.toml`, which overrides keys inside the file, which override
/// what geometry suggests.
///
/// # Errors
/// The clip, its sidecar or a mesh is missing, malformed, not finite, of zero length, of an
/// implausible scale, or contradicts `opts`; the error names the file, the field and the frame.
pub fn load_clip(path: &Path, opts: &ClipOptions) -> Result<Demonstration, DataError> {
    match path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).as_deref() {
        Some("npz") => {}
        _ => return Err(DataError::format(path, "not a .npz clip")),
    }
    let npz = Npz::open(path)?;
    let settings = Settings::gather(&npz, opts)?;
    if npz.contains("robot") && npz.contains("object") {
        return myodm::read(&npz, settings);
    }
    if npz.keys().any(|key| key.starts_with("joints21")) {
        return keypoints::read(&npz, settings);
    }
    let present: Vec<&str> = npz.keys().take(20).collect();
    let problem = format!(
        "neither a keypoint clip (`joints21`, `obj_pos`, `obj_quat_wxyz`) nor a MyoDM recording \
         (`time`, `robot`, `object`); its keys are: {}",
        if present.is_empty() { "none".to_owned() } else { present.join(", ") }
    );
    Err(DataError::format(path, problem))
}
