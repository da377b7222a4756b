//! HOT3D: a recording's folder with `dynamic_objects.csv` and the poses of the hands, or a clip of
//! HOT3D-Clips, one archive `clip-ID.tar` (`hot3d/clips.rs`).
//!
//! `dynamic_objects.csv` has `object_uid, timestamp[ns], t_wo_{x,y,z}[m], q_wo_{w,x,y,z}`. Hands are
//! in `umetrack_hand_pose_trajectory.jsonl` with the person's profile beside it (preferred, as it
//! needs no MANO) or in `mano_hand_pose_trajectory.jsonl`; `hand_poses` has "0" for the left hand and
//! "1" for the right. Objects are `UID.glb`, their names in `instance.json`. y points up.

mod archive;
mod clips;

use super::models::{Convention, Models, betas};
use super::umetrack::{Profile, all_angles};
use super::{ImportOptions, Recording, find, stem};
use crate::clip::options::{Unit, UpAxis, file_name};
use crate::mano::{Mano, Origin, Shaped, Tips};
use crate::mesh::read_mesh_file;
use crate::{DataError, atomic};
use dextra_core::demonstration::Keypoints;
use dextra_core::{Pose, Side, pose};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Largest file, bytes.
const MAX_BYTES: u64 = 1 << 28;

/// The data set's own terms, of the clips too; the toolkit's sample is Apache-2.0.
const LICENCE: &str = "LicenseRef-HOT3D-agreement";

/// The hand of the person, which comes with every recording.
const PROFILE: &str = "umetrack_hand_user_profile.json";

/// What is said of hands that come without MANO.
const UMETRACK_NOTE: &str = "Hands are UmeTrack's, of the person's own profile.";

/// Poses of one object by time, nanoseconds.
type Track = BTreeMap<i64, Pose>;

/// Keypoints of one frame: left, right.
type Hands = [Option<Keypoints>; 2];

/// An object that is found if its mesh is.
struct Object {
    name: String,
    /// Where its mesh may lie in one of several folders.
    meshes: Vec<String>,
    poses: Vec<Option<Pose>>,
}

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let archive = path.extension().is_some_and(|extension| extension == "tar");
    match path.is_file() || (archive && !path.is_dir()) {
        true => clips::read(path, opts),
        false => read_folder(path, opts),
    }
}

fn read_folder(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let mut inputs = Vec::new();
    let mut open = |name: &str| -> Result<(PathBuf, String), DataError> {
        let file = path.join(name);
        let bytes = atomic::read_file(&file, MAX_BYTES)?;
        inputs.push((name.to_owned(), atomic::sha256_hex(&bytes)));
        let text = String::from_utf8(bytes).map_err(|_| DataError::format(&file, "not UTF-8"))?;
        Ok((file, text))
    };
    let (file, text) = open("dynamic_objects.csv")?;
    let objects = objects(&file, &text)?;
    let (mut models, mut scaled) = (None, None);
    let frames = match (path.join(PROFILE).is_file(), &opts.mano) {
        (false, Some(_)) => {
            let found = Models::load(path, opts, &[Side::Right, Side::Left], true)?;
            let (file, text) = open("mano_hand_pose_trajectory.jsonl")?;
            let frames = frames(&file, &text, |side, hand| mano(&found, side, hand))?;
            models = Some(found);
            frames
        }
        _ => {
            let (file, profile) = open(PROFILE)?;
            let profile = Profile::parse(&file, profile.as_bytes())?;
            scaled = profile.note();
            let (file, text) = open("umetrack_hand_pose_trajectory.jsonl")?;
            frames(&file, &text, |side, hand| umetrack(&profile, side, hand))?
        }
    };

    let times: Vec<i64> = frames.keys().copied().collect();
    let mut steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable();
    let step = steps.get(steps.len() / 2).copied().unwrap_or(0).max(1);
    // Times are in whole nanoseconds: 33333333 is 30 Hz.
    let fps = (1e9 / step as f64 * 1000.0).round() / 1000.0;
    let (left, right) = frames.into_values().map(|[l, r]| (l, r)).unzip();
    let mut recording = recording(path, "HOT3D", fps, right, left, models.as_ref());
    recording.inputs = inputs;
    recording.notes.extend(scaled);
    let names = names(path, opts)?;
    let objects = objects.into_iter().map(|(uid, track)| Object {
        name: names.get(&uid).cloned().unwrap_or_else(|| uid.clone()),
        meshes: vec![format!("{uid}.glb")],
        poses: times.iter().map(|time| track.get(time).copied()).collect(),
    });
    add_objects(&mut recording, &folders(path, opts), objects)?;
    if let Some(models) = models {
        models.acknowledge(&mut recording);
    }
    Ok(recording)
}

/// A recording of hands, with what is so in both layouts; `models` are there where hands are MANO's.
fn recording(
    path: &Path,
    source: &str,
    fps: f64,
    right: Vec<Option<Keypoints>>,
    left: Vec<Option<Keypoints>>,
    models: Option<&Models>,
) -> Recording {
    let mut notes = vec!["y is up, as the headset is above the objects along it.".to_owned()];
    if models.is_none() {
        notes.push(UMETRACK_NOTE.to_owned());
    }
    Recording {
        name: stem(path),
        fps: Some(fps),
        hands: vec![(Some(Side::Right), right), (Some(Side::Left), left)],
        up: Some(UpAxis::Y),
        unit: Some(Unit::Metre),
        source: format!("{source}, {}", stem(path)),
        licence: LICENCE.to_owned(),
        notes,
        ..Recording::default()
    }
}

/// Adds the objects whose meshes (GLB, metres) are in one of the folders, under names of their own.
fn add_objects(
    recording: &mut Recording,
    folders: &[PathBuf],
    objects: impl Iterator<Item = Object>,
) -> Result<(), DataError> {
    let mut without = Vec::new();
    // Of meshes that were read, the object that has them: instances of a kind have one mesh.
    let mut read: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for object in objects {
        let Some(file) = find(folders, &object.meshes) else {
            without.push(object.name);
            continue;
        };
        let mesh = match read.get(&file) {
            Some(&first) => recording.objects[first].1.clone(),
            None => {
                let mesh = read_mesh_file(&file)?;
                recording.inputs.push((file_name(&file), mesh.sha256));
                read.insert(file, recording.objects.len());
                mesh.mesh
            }
        };
        let taken = |name: &String| recording.objects.iter().any(|object| object.0 == *name);
        let mut name = object.name.clone();
        for number in 2.. {
            if !taken(&name) {
                break;
            }
            name = format!("{}-{number}", object.name);
        }
        recording.objects.push((name, mesh, object.poses));
    }
    if !without.is_empty() {
        without.dedup();
        let without = without.join(", ");
        recording.notes.push(format!("Left out, as their meshes are not there: {without}."));
    }
    Ok(())
}

/// Where objects may lie: beside the recording, or in the `assets` beside it.
fn folders(path: &Path, opts: &ImportOptions) -> Vec<PathBuf> {
    let beside = path.parent().unwrap_or(Path::new("."));
    let mut folders: Vec<PathBuf> = opts.meshes.iter().cloned().collect();
    folders.extend([path.to_owned(), beside.to_owned(), beside.join("assets")]);
    folders
}

/// Names of the objects by their number, where `instance.json` is there.
fn names(path: &Path, opts: &ImportOptions) -> Result<BTreeMap<String, String>, DataError> {
    let Some(file) = find(&folders(path, opts), &["instance.json".to_owned()]) else {
        return Ok(BTreeMap::new());
    };
    let bytes = atomic::read_file(&file, MAX_BYTES)?;
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|e| DataError::format(&file, format!("not JSON: {e}")))?;
    let entries = json.as_object().into_iter().flatten();
    Ok(entries
        .filter_map(|(uid, entry)| Some((uid.clone(), entry["instance_name"].as_str()?.to_owned())))
        .collect())
}

fn objects(file: &Path, text: &str) -> Result<BTreeMap<String, Track>, DataError> {
    const HEADER: &str = "object_uid,timestamp[ns],t_wo_x[m],t_wo_y[m],t_wo_z[m],\
                          q_wo_w,q_wo_x,q_wo_y,q_wo_z";
    let mut lines = text.lines();
    // The unit and the order of the quaternion stand in the header: another one is another format.
    if lines.next().map(str::trim) != Some(HEADER) {
        return Err(DataError::format(file, format!("the first line is not `{HEADER}`")));
    }
    let mut tracks: BTreeMap<String, Track> = BTreeMap::new();
    for (index, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let problem = || DataError::format(file, format!("line {} is malformed", index + 2));
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [uid, time, ref numbers @ ..] = cells[..] else { return Err(problem()) };
        let time: i64 = time.parse().map_err(|_| problem())?;
        let numbers: Vec<f64> =
            numbers.iter().map(|n| n.parse()).collect::<Result<_, _>>().map_err(|_| problem())?;
        let [x, y, z, ref quat @ ..] = numbers[..] else { return Err(problem()) };
        // Objects that are not seen have rows of NaN or of zeros.
        if let Some(pose) = unit_pose([x, y, z], quat) {
            tracks.entry(uid.to_owned()).or_default().insert(time, pose);
        } else if quat.len() != 4 {
            return Err(problem());
        }
    }
    Ok(tracks)
}

/// A pose from metres and a quaternion wxyz, unless it is not one.
fn unit_pose(position: [f64; 3], quat_wxyz: &[f64]) -> Option<Pose> {
    let &[w, x, y, z] = quat_wxyz else { return None };
    let norm = (w * w + x * x + y * y + z * z).sqrt();
    let sound = (norm - 1.0).abs() < 1e-2 && position.iter().all(|p| p.is_finite());
    sound.then(|| pose::from_pos_quat(position, [w, x, y, z]))
}

/// Frames by time, nanoseconds.
fn frames(
    file: &Path,
    text: &str,
    keypoints: impl Fn(Side, &Value) -> Option<Keypoints>,
) -> Result<BTreeMap<i64, Hands>, DataError> {
    let mut frames = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let malformed = |problem: String| DataError::frame(file, "hand_poses", index, problem);
        let json: Value = serde_json::from_str(line).map_err(|e| {
            malformed(match without_nan(line.as_bytes()) {
                Some((token, _)) => format!("has `{token}`, which is not JSON: {e}"),
                None => e.to_string(),
            })
        })?;
        let time = json["timestamp_ns"].as_i64();
        let time = time.ok_or_else(|| malformed("no `timestamp_ns`".to_owned()))?;
        let mut hands = [None, None];
        for (slot, (key, side)) in [("0", Side::Left), ("1", Side::Right)].into_iter().enumerate() {
            let Some(hand) = json["hand_poses"].get(key).filter(|hand| !hand.is_null()) else {
                continue;
            };
            let found = keypoints(side, hand);
            let problem = || format!("the {} hand is malformed", side.name());
            hands[slot] = Some(found.ok_or_else(|| malformed(problem()))?);
        }
        frames.insert(time, hands);
    }
    Ok(frames)
}

fn umetrack(profile: &Profile, side: Side, hand: &Value) -> Option<Keypoints> {
    let angles = all_angles(&numbers(&hand["joint_angles"])?)?;
    Some(profile.keypoints(side, &angles, &wrist(hand)?))
}

fn mano(models: &Models, side: Side, hand: &Value) -> Option<Keypoints> {
    let model = models.of(side)?;
    let wrist = wrist(hand)?;
    let shaped = model.shaped(&betas(&numbers(&hand["betas"])?));
    let (turn, at) = (wrist.rotation.scaled_axis(), wrist.translation.vector);
    Some(mano_keypoints(model, &shaped, &numbers(&hand["pose"])?, turn.into(), at.into()))
}

/// MANO as HOT3D has it: 15 principal components around the mean pose, the left shape fixed, and the
/// transform of the wrist that of the model: an axis-angle vector and a translation in metres, smplx's
/// `global_orient` and `transl`.
fn mano_keypoints(
    model: &Mano,
    shaped: &Shaped,
    components: &[f64],
    turn: [f64; 3],
    translation: [f64; 3],
) -> Keypoints {
    let pose = model.from_components(components, false);
    let convention = Convention { origin: Origin::Model, tips: Tips::Smplx };
    convention.keypoints(shaped, turn, &pose, translation)
}

/// The pose of `wrist_xform`: `t_xyz` in metres, `q_wxyz`.
fn wrist(hand: &Value) -> Option<Pose> {
    let xform = &hand["wrist_xform"];
    unit_pose(numbers(&xform["t_xyz"])?.try_into().ok()?, &numbers(&xform["q_wxyz"])?)
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(|n| n.as_f64().filter(|x| x.is_finite())).collect()
}

/// A text with `null` for every `NaN` and `Infinity`, which Python writes but no JSON has, and the first of them; none if
/// there are none.
fn without_nan(text: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let (mut found, mut bytes, mut at, mut quoted) = (None, Vec::new(), 0, false);
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let mut tokens = ["NaN", "Infinity", "-Infinity"].into_iter();
        let token = tokens.find(|token| !quoted && rest.starts_with(token.as_bytes()));
        if let Some(token) = token {
            found = found.or(Some(token));
            bytes.extend(b"null");
            at += token.len();
            continue;
        }
        // What follows a backslash ends no string.
        let length = if quoted && byte == b'\\' { 2.min(rest.len()) } else { 1 };
        quoted ^= byte == b'"';
        bytes.extend(&rest[..length]);
        at += length;
    }
    Some((found?, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_found_outside_of_strings() {
        let text = br#"{"NaN \"": [NaN, -Infinity,"Infinity\\", 1e5]}"#;
        let (token, bytes) = without_nan(text).unwrap();
        let wanted = br#"{"NaN \"": [null, null,"Infinity\\", 1e5]}"#;
        assert_eq!((token, &bytes[..]), ("NaN", &wanted[..]));
        assert_eq!(without_nan(br#"{"a": "NaN", "b": 1}"#), None);
        assert_eq!(without_nan(b"\"\\"), None);
    }
}
