//! Recordings in the formats of others, as they are downloaded: one file per format.
//!
//! A format's reader fills a [`Recording`]: keypoints and poses where they are known, in metres, in
//! the recording's own frame, with what the format says of its up axis, side and licence. What
//! follows is the same for all: tracks that are seldom seen are left out, the longest run in which
//! all others are seen is kept, the geometry is checked and z made to point up. What was
//! inferred, left out or cannot be known is said in the notes.

mod arctic;
mod dexmanipnet;
mod dexycb;
mod finish;
mod grab;
mod ho3d;
mod hot3d;
mod mediapipe;
mod models;
mod myodm;
mod oakink2;
mod robots;
mod table;
mod taco;
mod tcdm;
mod umetrack;
mod urdf;
mod yaml;

pub use finish::{Part, Recording};

use super::options::ClipOptions;
use crate::DataError;
use dextra_core::Demonstration;
use std::path::{Path, PathBuf};

/// A format that [`import`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Landmarks of MediaPipe's hand landmarker as JSON.
    MediaPipe,
    /// 21 keypoints per frame as JSON, CSV or a pickle.
    Keypoints,
    /// The folder of a HOT3D recording, or a clip of HOT3D-Clips (`.tar`).
    Hot3d,
    /// A TACO sequence: its folder in `Hand_Poses`.
    Taco,
    /// A GRAB sequence (`.npz`).
    Grab,
    /// An ARCTIC sequence (`.mano.npy`).
    Arctic,
    /// An OakInk-v2 sequence (`.pkl`).
    OakInk2,
    /// The folder of a DexYCB sequence.
    DexYcb,
    /// The folder of an HO-3D sequence.
    Ho3d,
    /// The folder of a DexManipNet sequence, whose hands are robots'.
    DexManipNet,
    /// A reference motion of TCDM (`.npz`).
    Tcdm,
    /// A recording of MyoDM (`.npz`).
    MyoDm,
    /// Keypoint clips and MyoDM recordings, which need no import.
    Clip,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 13] = [
        Format::MediaPipe,
        Format::Keypoints,
        Format::Hot3d,
        Format::Taco,
        Format::Grab,
        Format::Arctic,
        Format::OakInk2,
        Format::DexYcb,
        Format::Ho3d,
        Format::DexManipNet,
        Format::Tcdm,
        Format::MyoDm,
        Format::Clip,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::MediaPipe => "mediapipe",
            Format::Keypoints => "keypoints",
            Format::Hot3d => "hot3d",
            Format::Taco => "taco",
            Format::Grab => "grab",
            Format::Arctic => "arctic",
            Format::OakInk2 => "oakink2",
            Format::DexYcb => "dexycb",
            Format::Ho3d => "ho3d",
            Format::DexManipNet => "dexmanipnet",
            Format::Tcdm => "tcdm",
            Format::MyoDm => "myodm",
            Format::Clip => "clip",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// What is stated about a recording to be imported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// Frame rate, side, unit, up axis, licence and the like.
    pub clip: ClipOptions,
    /// Folder of the user's own MANO model.
    pub mano: Option<PathBuf>,
    /// Folder in which meshes of objects are looked for, also in its own folders.
    pub meshes: Option<PathBuf>,
    /// Names of the objects wanted; all when empty.
    pub objects: Vec<String>,
}

/// Reads the recording at `path`.
///
/// # Errors
/// A file is missing or malformed, what it says contradicts its geometry or `opts`, or something is
/// needed that `opts` does not state.
pub fn import(
    format: Format,
    path: &Path,
    opts: &ImportOptions,
) -> Result<Demonstration, DataError> {
    let meaningless = [
        ("mesh", opts.clip.mesh.is_some()),
        ("mesh_unit", opts.clip.mesh_unit.is_some()),
        ("quat_order", opts.clip.quat_order.is_some()),
    ];
    let meaningful = matches!(format, Format::Clip | Format::MyoDm);
    if let Some((option, _)) = meaningless.iter().find(|(_, stated)| *stated && !meaningful) {
        let problem = "the format itself says it; meshes are looked for in the folder --meshes";
        return Err(DataError::option(path, option, problem));
    }
    let recording = match format {
        Format::MediaPipe => mediapipe::read(path, opts)?,
        Format::Keypoints => table::read(path, opts)?,
        Format::Hot3d => hot3d::read(path, opts)?,
        Format::Taco => taco::read(path, opts)?,
        Format::Grab => grab::read(path, opts)?,
        Format::Arctic => arctic::read(path, opts)?,
        Format::OakInk2 => oakink2::read(path, opts)?,
        Format::DexYcb => dexycb::read(path, opts)?,
        Format::Ho3d => ho3d::read(path, opts)?,
        Format::DexManipNet => dexmanipnet::read(path, opts)?,
        Format::Tcdm => tcdm::read(path, opts)?,
        Format::MyoDm => return myodm::read(path, opts),
        Format::Clip => return super::load_clip(path, &opts.clip),
    };
    finish::finish(path, recording, opts)
}

/// A file name without folder and extension.
fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The first file of one of `names` in one of `folders`.
fn find(folders: &[PathBuf], names: &[String]) -> Option<PathBuf> {
    folders
        .iter()
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file())
}
