//! 21 keypoints per frame in whatever plain form a script writes them.
//!
//! - JSON: a list of frames, or `{"fps": F, "right": [...], "left": [...]}`, each frame 21 of
//!   `[x, y, z]` or `{x, y, z}`, or `null` where the hand is not seen;
//! - CSV: one row per frame of 63 numbers, or 64 with the time in seconds first, or a header whose
//!   names are ignored;
//! - a NumPy array `[T, 21, 3]` or `[T, 63]` (`.npy`), or `right`, `left` or `keypoints` of such arrays and, if known, `fps`
//!   (`.npz`); a frame with a NaN is one in which the hand is not seen;
//! - a pickle (`.pkl`) or `.pt` of an array `[T, 21, 3]` or a list of `[21, 3]`.
//!
//! The order is MediaPipe's. The unit and the side are read from the geometry unless stated.

use super::mediapipe::points_of;
use super::{ImportOptions, Recording, stem};
use crate::npz::npy_from_bytes;
use crate::{DataError, Npz, Pickle, atomic};
use dextra_core::Side;
use dextra_core::demonstration::{Keypoints, keypoint};
use nalgebra::Point3;
use serde_json::Value;
use std::path::Path;

/// Largest file, bytes.
const MAX_BYTES: u64 = 1 << 29;

/// Numbers of one frame.
const WIDTH: usize = 3 * keypoint::COUNT;

/// Names of hands in files that have names, and the sides that they state.
const TRACKS: [(&str, Option<Side>); 3] =
    [("right", Some(Side::Right)), ("left", Some(Side::Left)), ("keypoints", None)];

/// A hand over time, with its label.
type Hand = (Option<Side>, Vec<Option<Keypoints>>);

pub(super) fn read(path: &Path, _: &ImportOptions) -> Result<Recording, DataError> {
    parse(path, atomic::read_file(path, MAX_BYTES)?)
}

/// Reads what a file has; its name says in which form.
fn parse(path: &Path, bytes: Vec<u8>) -> Result<Recording, DataError> {
    let sha256 = atomic::sha256_hex(&bytes);
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let (hands, fps) = match extension.as_deref() {
        Some("json") => json(path, &bytes)?,
        Some("csv") => csv(path, &bytes)?,
        Some("npy") => {
            let array = npy_from_bytes(path, bytes)?;
            let frames = frames(array.shape(), array.f64s());
            let frames = frames.map_err(|problem| DataError::format(path, problem))?;
            (vec![(None, frames)], None)
        }
        Some("npz") => npz(Npz::from_bytes(path, bytes)?)?,
        Some("pkl" | "pickle" | "pt" | "pth") => (pickle(path, bytes)?, None),
        _ => {
            let problem = "not a .json, .csv, .npy, .npz, .pkl or .pt of keypoints";
            return Err(DataError::format(path, problem));
        }
    };
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Recording {
        name: stem(path),
        fps,
        hands,
        source: stem(path),
        licence: "unknown".into(),
        inputs: vec![(name, sha256)],
        ..Recording::default()
    })
}

fn json(path: &Path, bytes: &[u8]) -> Result<(Vec<Hand>, Option<f64>), DataError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|e| DataError::format(path, format!("not JSON: {e}")))?;
    let track = |key: &str, value: &Value| {
        let Some(frames) = value.as_array() else {
            return Err(DataError::field(path, key, "a list of frames was expected"));
        };
        frames
            .iter()
            .enumerate()
            .map(|(index, frame)| match (frame, points_of(frame)) {
                (Value::Null, _) => Ok(None),
                (_, Some(points)) => Ok(Some(points)),
                (_, None) => {
                    let problem = "21 points of x, y and z were expected";
                    Err(DataError::frame(path, key, index, problem))
                }
            })
            .collect()
    };
    if value.is_array() {
        return Ok((vec![(None, track("frames", &value)?)], None));
    }
    let fps = ["fps", "fps_hz"].iter().find_map(|key| value.get(*key)).and_then(Value::as_f64);
    let mut hands = Vec::new();
    for (key, side) in TRACKS {
        if let Some(frames) = value.get(key) {
            hands.push((side, track(key, frames)?));
        }
    }
    if hands.is_empty() {
        return Err(DataError::MissingField {
            file: path.to_owned(),
            field: "right` or `left` or `keypoints".into(),
            present: value.as_object().into_iter().flat_map(|o| o.keys().cloned()).collect(),
        });
    }
    Ok((hands, fps))
}

fn csv(path: &Path, bytes: &[u8]) -> Result<(Vec<Hand>, Option<f64>), DataError> {
    let text = std::str::from_utf8(bytes).map_err(|_| DataError::format(path, "not UTF-8"))?;
    let (mut frames, mut times) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let numbers: Option<Vec<f64>> =
            line.split([',', ';', '\t']).map(|cell| cell.trim().parse().ok()).collect();
        let row = match numbers {
            Some(row) => row,
            // The names of the columns.
            None if frames.is_empty() && times.is_empty() => continue,
            None => {
                let problem = format!("line {} has a cell that is not a number", index + 1);
                return Err(DataError::frame(path, "rows", frames.len(), problem));
            }
        };
        match row.len() {
            WIDTH => frames.push(Some(keypoints(&row))),
            n if n == WIDTH + 1 => {
                times.push(row[0]);
                frames.push(Some(keypoints(&row[1..])));
            }
            n => {
                let problem = format!("line {} has {n} numbers, not 63 or 64", index + 1);
                return Err(DataError::frame(path, "rows", frames.len(), problem));
            }
        }
    }
    let fps = match times[..] {
        [first, .., last] if last > first => Some((times.len() - 1) as f64 / (last - first)),
        _ => None,
    };
    Ok((vec![(None, frames)], fps))
}

fn npz(file: Npz) -> Result<(Vec<Hand>, Option<f64>), DataError> {
    let mut hands = Vec::new();
    for (key, side) in TRACKS {
        if file.contains(key) {
            let array = file.array(key)?;
            let frames = frames(array.shape(), array.f64s());
            hands.push((side, frames.map_err(|problem| file.problem(key, problem))?));
        }
    }
    if hands.is_empty() {
        return Err(DataError::MissingField {
            file: file.file().to_owned(),
            field: "right` or `left` or `keypoints".into(),
            present: file.keys().map(str::to_owned).collect(),
        });
    }
    let fps = ["fps", "fps_hz"].into_iter().find(|key| file.contains(key));
    Ok((hands, fps.map(|key| file.scalar_f64(key)).transpose()?))
}

/// An array of keypoints; a frame with a NaN was not seen.
fn frames(shape: &[usize], values: Option<Vec<f64>>) -> Result<Vec<Option<Keypoints>>, String> {
    if !matches!(shape, [_, keypoint::COUNT, 3] | [_, WIDTH]) {
        return Err(format!("the shape is {shape:?}, not [T, 21, 3] or [T, 63]"));
    }
    let values = values.ok_or("not an array of numbers")?;
    let seen = |row: &[f64]| row.iter().all(|x| !x.is_nan()).then(|| keypoints(row));
    Ok(values.chunks_exact(WIDTH).map(seen).collect())
}

fn pickle(path: &Path, bytes: Vec<u8>) -> Result<Vec<Hand>, DataError> {
    let pickle = Pickle::from_bytes(path, bytes)?;
    let rows = pickle.root().rows(WIDTH)?;
    Ok(vec![(None, rows.iter().map(|row| Some(keypoints(row))).collect())])
}

/// 63 numbers as 21 points.
pub(super) fn keypoints(row: &[f64]) -> Keypoints {
    std::array::from_fn(|k| Point3::new(row[3 * k], row[3 * k + 1], row[3 * k + 2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_npy_are_of_the_bytes_that_the_digest_is_of() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keypoints");
        let bytes = std::fs::read(folder.join("left.npy")).unwrap();
        let digest = atomic::sha256_hex(&bytes);
        // A file that is gone, or another by now.
        for path in ["gone.npy".into(), folder.join("../single.npy")] {
            let recording = parse(&path, bytes.clone()).unwrap();
            assert_eq!((recording.hands[0].1.len(), &recording.inputs[0].1), (20, &digest));
        }
    }
}
