//! What a user may state about a clip, on the command line or in a file beside it.

use crate::{DataError, atomic};
use dextra_core::Side;
use dextra_core::names::with_hint;
use nalgebra::{Rotation3, Vector3};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::{Path, PathBuf};

/// A unit of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Metres.
    #[serde(rename = "m")]
    Metre,
    /// Centimetres.
    #[serde(rename = "cm")]
    Centimetre,
    /// Millimetres.
    #[serde(rename = "mm")]
    Millimetre,
}

impl Unit {
    /// All units, largest first.
    pub const ALL: [Unit; 3] = [Unit::Metre, Unit::Centimetre, Unit::Millimetre];

    /// Metres per unit.
    pub fn metres(self) -> f64 {
        match self {
            Unit::Metre => 1.0,
            Unit::Centimetre => 0.01,
            Unit::Millimetre => 0.001,
        }
    }

    /// `"m"`, `"cm"` or `"mm"`.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Metre => "m",
            Unit::Centimetre => "cm",
            Unit::Millimetre => "mm",
        }
    }
}

/// The direction of a recording's axes that points up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpAxis {
    /// `z`, dextra's own.
    #[serde(rename = "z")]
    Z,
    /// `y`, as in most graphics software.
    #[serde(rename = "y")]
    Y,
    /// `x`.
    #[serde(rename = "x")]
    X,
    /// `-z`.
    #[serde(rename = "-z")]
    MinusZ,
    /// `-y`, as in camera frames.
    #[serde(rename = "-y")]
    MinusY,
    /// `-x`.
    #[serde(rename = "-x")]
    MinusX,
}

impl UpAxis {
    /// All directions, the likelier first.
    pub const ALL: [UpAxis; 6] =
        [UpAxis::Z, UpAxis::Y, UpAxis::MinusY, UpAxis::MinusZ, UpAxis::X, UpAxis::MinusX];

    /// The unit vector in the recording's frame.
    pub fn direction(self) -> Vector3<f64> {
        match self {
            UpAxis::Z => Vector3::z(),
            UpAxis::Y => Vector3::y(),
            UpAxis::X => Vector3::x(),
            UpAxis::MinusZ => -Vector3::z(),
            UpAxis::MinusY => -Vector3::y(),
            UpAxis::MinusX => -Vector3::x(),
        }
    }

    /// The rotation from the recording's frame to dextra's, whose z is up. Always proper: a hand
    /// keeps its side. Entries are exactly 0, 1 or -1.
    pub fn world_from_recording(self) -> Rotation3<f64> {
        let rows = match self {
            UpAxis::Z => [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            UpAxis::Y => [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
            UpAxis::MinusY => [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
            UpAxis::MinusZ => [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
            UpAxis::X => [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
            UpAxis::MinusX => [[0, 1, 0], [0, 0, -1], [-1, 0, 0]],
        };
        Rotation3::from_matrix_unchecked(nalgebra::Matrix3::from_fn(|r, c| f64::from(rows[r][c])))
    }

    /// `"z"`, `"-y"`, ...
    pub fn name(self) -> &'static str {
        match self {
            UpAxis::Z => "z",
            UpAxis::Y => "y",
            UpAxis::X => "x",
            UpAxis::MinusZ => "-z",
            UpAxis::MinusY => "-y",
            UpAxis::MinusX => "-x",
        }
    }
}

/// Order of the four numbers of a quaternion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuatOrder {
    /// Scalar first.
    Wxyz,
    /// Scalar last.
    Xyzw,
}

impl QuatOrder {
    /// Both orders.
    pub const ALL: [QuatOrder; 2] = [QuatOrder::Wxyz, QuatOrder::Xyzw];

    /// `"wxyz"` or `"xyzw"`.
    pub fn name(self) -> &'static str {
        match self {
            QuatOrder::Wxyz => "wxyz",
            QuatOrder::Xyzw => "xyzw",
        }
    }
}

/// What is stated about a clip. Everything is optional: what is not stated here is taken from the
/// file `CLIP.toml` beside `CLIP.npz`, then from keys inside the clip, then from its geometry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClipOptions {
    /// The object's mesh.
    pub mesh: Option<PathBuf>,
    /// Frames per second.
    pub fps: Option<f64>,
    /// Unit of the clip's positions.
    pub unit: Option<Unit>,
    /// Unit of the mesh, where it differs from metres.
    pub mesh_unit: Option<Unit>,
    /// Direction of the recording's axes that points up.
    pub up_axis: Option<UpAxis>,
    /// Order of the numbers of the object's quaternions, whatever the key's name says.
    pub quat_order: Option<QuatOrder>,
    /// Which hand. A geometry that says otherwise is an error.
    #[serde(deserialize_with = "side", serialize_with = "side_name")]
    pub side: Option<Side>,
    /// Mass of the object, kilograms.
    pub mass_kg: Option<f64>,
    /// Licence of the recording, an SPDX expression where one exists.
    pub licence: Option<String>,
    /// Name or citation of the recording.
    pub source: Option<String>,
}

/// The file `CLIP.toml` beside a clip: [`ClipOptions`] with units in the keys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sidecar {
    /// Mesh file, relative to the sidecar's folder; a list when the clip has several objects.
    #[serde(default, deserialize_with = "one_or_more")]
    pub mesh: Vec<PathBuf>,
    pub fps_hz: Option<f64>,
    pub unit: Option<Unit>,
    pub mesh_unit: Option<Unit>,
    pub up_axis: Option<UpAxis>,
    pub quat_order: Option<QuatOrder>,
    #[serde(default, deserialize_with = "side")]
    pub side: Option<Side>,
    pub mass_kg: Option<f64>,
    pub licence: Option<String>,
    pub source: Option<String>,
    /// SHA-256 of the sidecar itself, with its name.
    #[serde(skip)]
    pub digest: Option<(String, String)>,
}

/// Largest sidecar read, bytes.
const MAX_SIDECAR: u64 = 1 << 16;

impl Sidecar {
    /// Reads `CLIP.toml` where there is one; an absent file is an empty one.
    pub fn beside(clip: &Path) -> Result<Sidecar, DataError> {
        let path = clip.with_extension("toml");
        if !path.exists() {
            return Ok(Sidecar::default());
        }
        let bytes = atomic::read_file(&path, MAX_SIDECAR)?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| DataError::format(&path, "not UTF-8 text"))?;
        let mut sidecar: Sidecar = toml::from_str(text)
            .map_err(|e| DataError::format(&path, with_hint(&e.to_string())))?;
        sidecar.digest = Some((file_name(&path), atomic::sha256_hex(&bytes)));
        Ok(sidecar)
    }
}

/// The last part of a path, as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Parses `"right"` or `"left"`, in any case.
pub(super) fn parse_side(text: &str) -> Option<Side> {
    [Side::Right, Side::Left].into_iter().find(|side| text.eq_ignore_ascii_case(side.name()))
}

fn side_name<S: Serializer>(side: &Option<Side>, serializer: S) -> Result<S::Ok, S::Error> {
    side.map(Side::name).serialize(serializer)
}

fn side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Side>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    parse_side(&text).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!("`side` is `right` or `left`, not `{text}`"))
    })
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(PathBuf),
        More(Vec<PathBuf>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(path) => vec![path],
        OneOrMore::More(paths) => paths,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_up_axis_is_turned_onto_z_by_a_proper_rotation() {
        for axis in UpAxis::ALL {
            let rotation = axis.world_from_recording();
            assert_eq!(rotation * axis.direction(), Vector3::z(), "{}", axis.name());
            assert!((rotation.matrix().determinant() - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn a_misspelt_sidecar_key_is_refused_with_the_valid_ones() {
        let dir = tempfile::tempdir().unwrap();
        let clip = dir.path().join("a.npz");
        std::fs::write(dir.path().join("a.toml"), "fps = 30\n").unwrap();
        let error = Sidecar::beside(&clip).unwrap_err().to_string();
        assert!(error.contains("a.toml") && error.contains("fps_hz"), "{error}");
        std::fs::write(dir.path().join("a.toml"), "untt = \"mm\"\n").unwrap();
        let error = Sidecar::beside(&clip).unwrap_err().to_string();
        assert!(error.ends_with("did you mean `unit`?"), "{error}");
    }

    #[test]
    fn a_sidecar_states_units_axes_and_sides_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            "fps_hz = 30\nunit = \"cm\"\nup_axis = \"-y\"\nside = \"Left\"\nmesh = \"b.obj\"";
        std::fs::write(dir.path().join("a.toml"), text).unwrap();
        let sidecar = Sidecar::beside(&dir.path().join("a.npz")).unwrap();
        assert_eq!(sidecar.unit, Some(Unit::Centimetre));
        assert_eq!(sidecar.up_axis, Some(UpAxis::MinusY));
        assert_eq!(sidecar.side, Some(Side::Left));
        assert_eq!(sidecar.mesh, [PathBuf::from("b.obj")]);
    }
}
