//! MediaPipe's hand landmarks as JSON.
//!
//! Per frame an object (or `null`) with the result of the hand landmarker: `worldLandmarks` or
//! `world_landmarks` (per hand 21 of `{x, y, z}`, metres, origin at the hand's own centre),
//! `landmarks` (of the image, no lengths) and `handedness` (`[[{categoryName}]]` or `[{label}]`). The
//! frames are a list, the value of `frames` beside `fps`, or one per line.
//!
//! What such a file cannot say, and the notes do: where the hand is in the room, how far from the
//! camera, which way is up, what is held; and lengths are MediaPipe's guess. The side is a label
//! that is swapped when the picture was not mirrored, so that geometry decides.

use super::{ImportOptions, Recording, stem};
use crate::clip::options::UpAxis;
use crate::{DataError, atomic};
use dextra_core::Side;
use dextra_core::demonstration::{Keypoints, keypoint};
use nalgebra::Point3;
use serde_json::Value;
use std::path::Path;

/// Largest file, bytes.
const MAX_BYTES: u64 = 1 << 29;

/// Length a hand is scaled to where its image landmarks are all there is, metres from the wrist to
/// the middle knuckle: an adult's average.
const PALM_M: f64 = 0.095;

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let bytes = atomic::read_file(path, MAX_BYTES)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| DataError::format(path, "not UTF-8"))?;
    let (frames, fps) = frames(path, text)?;
    let mut tracks = [vec![None; frames.len()], vec![None; frames.len()]];
    let (mut world, mut unlabelled) = (true, false);
    for (index, frame) in frames.iter().enumerate() {
        for hand in hands(path, index, frame)? {
            unlabelled |= hand.side.is_none();
            world &= hand.metric;
            let slot = usize::from(hand.side == Some(Side::Left));
            // Two hands of one label: MediaPipe saw one twice; the first is the surer one.
            if tracks[slot][index].is_none() {
                tracks[slot][index] = Some(hand.keypoints);
            }
        }
    }
    let [right, left] = tracks;
    let label = |side| if unlabelled { None } else { Some(side) };
    let mut hands = vec![(label(Side::Right), right), (label(Side::Left), left)];
    hands.retain(|hand| hand.1.iter().any(Option::is_some));
    let mut notes = vec![
        "MediaPipe sees a hand alone: objects, contact and the way up are not in the file.".into(),
    ];
    match world {
        true => notes.push(
            "World landmarks have their origin in the hand: where it is in the room, and how it \
             moves there, is not in the file; lengths are MediaPipe's estimate."
                .into(),
        ),
        false => {
            for frame in hands.iter_mut().flat_map(|hand| hand.1.iter_mut()).flatten() {
                scale(frame);
            }
            notes.push(format!(
                "Image landmarks have no lengths: every frame is scaled so that the palm measures \
                 {:.1} cm; the distance from the camera is not in the file.",
                100.0 * PALM_M
            ));
        }
    }
    if opts.clip.up_axis.is_none() {
        notes.push("The camera is taken to be level: up is up in the picture.".into());
    }
    Ok(Recording {
        name: stem(path),
        fps,
        hands,
        up: Some(UpAxis::MinusY),
        source: format!("MediaPipe hand landmarks, {}", stem(path)),
        licence: "unknown".into(),
        inputs: vec![(stem(path) + ".json", atomic::sha256_hex(&bytes))],
        notes,
        ..Recording::default()
    })
}

/// The frames and the rate of the file.
fn frames(path: &Path, text: &str) -> Result<(Vec<Value>, Option<f64>), DataError> {
    let malformed = |e: serde_json::Error| DataError::format(path, format!("not JSON: {e}"));
    let whole: Result<Value, _> = serde_json::from_str(text);
    match whole {
        Ok(Value::Array(frames)) => Ok((frames, None)),
        Ok(Value::Object(mut object)) => {
            let fps = ["fps", "fps_hz", "frame_rate"].iter().find_map(|key| object.get(*key));
            let fps = fps.and_then(Value::as_f64);
            match object.remove("frames") {
                Some(Value::Array(frames)) => Ok((frames, fps)),
                Some(_) => Err(DataError::field(path, "frames", "a list was expected")),
                None => Ok((vec![Value::Object(object)], fps)),
            }
        }
        Ok(_) => Err(DataError::format(path, "neither a list of frames nor an object with one")),
        Err(e) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let frames: Vec<Value> = lines
                .map(serde_json::from_str)
                .collect::<Result<_, _>>()
                .map_err(|_| malformed(e))?;
            Ok((frames, None))
        }
    }
}

/// One hand of one frame.
struct Seen {
    side: Option<Side>,
    keypoints: Keypoints,
    /// Whether these are world landmarks.
    metric: bool,
}

fn hands(path: &Path, index: usize, frame: &Value) -> Result<Vec<Seen>, DataError> {
    let any = |keys: &[&str]| keys.iter().find_map(|key| frame.get(*key)).and_then(Value::as_array);
    if frame.is_null() {
        return Ok(Vec::new());
    }
    let world = any(&[
        "worldLandmarks",
        "world_landmarks",
        "hand_world_landmarks",
        "multiHandWorldLandmarks",
        "multi_hand_world_landmarks",
    ]);
    let image = any(&["landmarks", "hand_landmarks", "multiHandLandmarks", "multi_hand_landmarks"]);
    let Some(listed) = world.or(image) else {
        let problem = "neither `worldLandmarks` nor `landmarks`";
        return Err(DataError::frame(path, "frames", index, problem));
    };
    let labels =
        any(&["handedness", "handednesses", "multiHandedness", "multi_handedness"]).cloned();
    let labels = labels.unwrap_or_default();
    listed
        .iter()
        .enumerate()
        .map(|(hand, points)| {
            Ok(Seen {
                side: labels.get(hand).and_then(label),
                keypoints: points_of(points).ok_or_else(|| {
                    let problem = format!("hand {hand} does not have 21 landmarks of x, y and z");
                    DataError::frame(path, "landmarks", index, problem)
                })?,
                metric: world.is_some(),
            })
        })
        .collect()
}

/// `[{categoryName: "Left"}]`, `{label: "Left"}`, `{classification: [{label}]}` or `"Left"`.
fn label(value: &Value) -> Option<Side> {
    match value {
        Value::String(name) if name.eq_ignore_ascii_case("right") => Some(Side::Right),
        Value::String(name) if name.eq_ignore_ascii_case("left") => Some(Side::Left),
        Value::Array(items) => items.first().and_then(label),
        Value::Object(object) => {
            ["categoryName", "category_name", "label", "displayName", "classification"]
                .iter()
                .find_map(|key| object.get(*key).and_then(label))
        }
        _ => None,
    }
}

/// 21 points of `{x, y, z}` or `[x, y, z]`.
pub(super) fn points_of(value: &Value) -> Option<Keypoints> {
    // The older protocol buffers wrap the list once more.
    let listed = value.as_array().or_else(|| value.get("landmark")?.as_array())?;
    if listed.len() != keypoint::COUNT {
        return None;
    }
    let mut points = [Point3::origin(); keypoint::COUNT];
    for (point, listed) in points.iter_mut().zip(listed) {
        for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
            let number = listed.get(name).or_else(|| listed.get(axis)).and_then(Value::as_f64);
            point[axis] = number.filter(|x| x.is_finite())?;
        }
    }
    Some(points)
}

/// Brings image landmarks to the size of a hand, its wrist at the origin.
fn scale(frame: &mut Keypoints) {
    let wrist = frame[keypoint::WRIST];
    let length = (frame[keypoint::MIDDLE_MCP] - wrist).norm().max(1e-9);
    for point in frame.iter_mut() {
        *point = Point3::from((*point - wrist) * (PALM_M / length));
    }
}
