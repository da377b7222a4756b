//! File formats, one module per format, in and out. Untrusted bytes end here.
//!
//! Every reader treats its input as hostile: sizes are capped, nothing executes (pickles are
//! read as data), and every error names the file, the field and, where it applies, the frame. Every
//! writer is crash-safe: a temporary file in the same folder, flushed to disk, then renamed.

mod array;
// Tests within and tests beside this crate share their episodes.
#[cfg(test)]
extern crate self as dextra_data;

pub mod atomic;
pub mod clip;
pub mod dataset;
pub mod device;
mod error;
pub mod joints;
pub mod mano;
pub mod mesh;
pub mod npz;
pub mod pickle;
pub mod rollout;
pub mod rrd;

pub use array::Array;
pub use clip::import::{Format, ImportOptions, import};
pub use clip::{ClipOptions, QuatOrder, Unit, UpAxis, load_clip, write_keypoint_clip};
pub use device::load_device;
pub use error::DataError;
pub use joints::write_joints;
pub use mano::Mano;
pub use mesh::{read_mesh, write_obj};
pub use npz::{Npz, NpzWriter};
pub use pickle::Pickle;
pub use rollout::{RolloutFile, load_rollout};
