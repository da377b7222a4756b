//! The archive of a clip of HOT3D-Clips: what its members say, read one after another and unpacked nowhere.
//!
//! Per frame there are `FRAME.info.json`, `FRAME.hands.json`, `FRAME.objects.json`, FRAME of six digits, and cameras, crops and
//! images, which are passed over. `__hand_shapes.json__` comes once. Hands have an UmeTrack pose (joint angles in radians,
//! pose of the wrist) and a MANO pose (components, then axis-angle and translation of smplx); objects are a map from their
//! number in BOP to a list of instances with a pose, boxes and masks. All poses are in the world, metres, quaternions wxyz.

use super::super::models::from_matrix;
use super::super::umetrack::{Profile, all_angles};
use super::{unit_pose, without_nan};
use crate::DataError;
use crate::atomic::Hashing;
use crate::mano::BETAS;
use dextra_core::{Pose, Side};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Largest archive, bytes; clips are of 100 MB and more, of which images are the most.
const MAX_ARCHIVE: u64 = 1 << 33;

/// Most members; a clip has about 1200.
const MAX_MEMBERS: usize = 100_000;

/// Most frames; a clip has 150.
const MAX_FRAMES: usize = 10_000;

/// Most instances of objects in one frame; HOT3D has 33 objects.
const MAX_INSTANCES: usize = 64;

/// Largest member of each kind, bytes; masks make those of objects large.
const MAX_OBJECTS_BYTES: u64 = 32 << 20;
const MAX_HANDS_BYTES: u64 = 1 << 20;
const MAX_SHAPES_BYTES: u64 = 8 << 20;

/// Most bytes of all members that are read.
const MAX_TOTAL: u64 = 1 << 30;

/// Longest name of an object that is taken.
const MAX_NAME: usize = 64;

const SHAPES: &str = "__hand_shapes.json__";

/// Block of an archive, bytes.
const BLOCK: u64 = 512;

/// What is read of a clip.
pub(super) struct Clip {
    pub frames: Vec<Frame>,
    pub shapes: Shapes,
    /// SHA-256 of the archive.
    pub sha256: String,
}

/// One frame: 1/30 s.
pub(super) struct Frame {
    pub left: Hand,
    pub right: Hand,
    pub objects: Vec<Instance>,
}

/// A hand in one frame; what is missing was not annotated.
#[derive(Default)]
pub(super) struct Hand {
    /// Angles of the joints in radians, `world_from_wrist`.
    pub umetrack: Option<([f64; 22], Pose)>,
    /// 15 components; axis-angle vector; translation. None, too, where what is stored is of no use.
    pub mano: Option<([f64; 15], [f64; 3], [f64; 3])>,
}

/// An object in one frame.
pub(super) struct Instance {
    pub bop_id: u32,
    pub name: Option<String>,
    pub world_from_object: Pose,
}

/// The hands of the person.
pub(super) struct Shapes {
    pub umetrack: Option<Profile>,
    /// Of both hands.
    pub mano: Option<[f64; BETAS]>,
}

/// Members by frame, until all are read.
#[derive(Default)]
struct Members {
    info: BTreeMap<usize, ()>,
    hands: BTreeMap<usize, [Hand; 2]>,
    objects: BTreeMap<usize, Vec<Instance>>,
    shapes: Option<Shapes>,
}

#[derive(Clone, Copy)]
enum Kind {
    Info,
    Hands,
    Objects,
    Shapes,
}

pub(super) fn read(path: &Path) -> Result<Clip, DataError> {
    let io = |e| DataError::io(path, "read", e);
    let metadata = std::fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(DataError::format(path, "not a regular file"));
    }
    check_size(path, "the file size in bytes", metadata.len(), MAX_ARCHIVE)?;
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
    // The size may have changed since it was asked for.
    let mut reader = Hashing::new(Read::take(&mut file, MAX_ARCHIVE));
    let members = members(path, &mut reader)?;
    let sha256 = reader.finish().map_err(io)?;
    let (frames, shapes) = frames(path, members)?;
    Ok(Clip { frames, shapes, sha256 })
}

/// Reads the members of an archive up to its end.
fn members(path: &Path, reader: &mut Hashing<impl Read>) -> Result<Members, DataError> {
    let malformed = |problem: String| DataError::format(path, problem);
    let mut members = Members::default();
    let (mut bytes, mut total, mut end) = (Vec::new(), 0, 0);
    let mut archive = tar::Archive::new(&mut *reader);
    // Raw: extensions of the format, which could be of any size, are members as others, and passed over. They say what no
    // reader of a clip needs: long names, sizes above 8 GiB, fractions of seconds.
    let entries = archive.entries().map_err(|e| malformed(e.to_string()))?.raw(true);
    for (index, entry) in entries.enumerate() {
        let mut entry = entry.map_err(|e| match index {
            0 => malformed(format!(
                "not a plain tar archive (one of gzip is to be unpacked first): {e}"
            )),
            _ => malformed(format!("cut short or damaged after {index} members: {e}")),
        })?;
        check_size(path, "the number of members", index as u64 + 1, MAX_MEMBERS as u64)?;
        let size = entry.size();
        end = entry.raw_file_position().saturating_add(size.div_ceil(BLOCK).saturating_mul(BLOCK));
        let stored = entry.header().entry_type();
        // Their names are those of the members that they are about, in folders of their own.
        if stored.is_pax_local_extensions() || stored.is_pax_global_extensions() {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let Some((name, kind, frame)) = member(path, &name)? else { continue };
        if !stored.is_file() {
            return Err(DataError::frame(
                path,
                &name,
                frame,
                "not an ordinary file in the archive",
            ));
        }
        let limit = match kind {
            Kind::Info => {
                insert(path, &name, frame, &mut members.info, ())?;
                continue;
            }
            Kind::Hands => MAX_HANDS_BYTES,
            Kind::Objects => MAX_OBJECTS_BYTES,
            Kind::Shapes => MAX_SHAPES_BYTES,
        };
        check_size(path, &format!("the size of {name} in bytes"), size, limit)?;
        total += size;
        check_size(path, "the size of all annotations in bytes", total, MAX_TOTAL)?;
        bytes.clear();
        let read = entry.read_to_end(&mut bytes).map_err(|e| DataError::io(path, "read", e))?;
        if read as u64 != size {
            let problem = format!("the archive is cut short: {read} of {size} bytes");
            return Err(DataError::frame(path, &name, frame, problem));
        }
        match kind {
            Kind::Info => {}
            Kind::Hands => {
                let hands = hands(path, &name, frame, &bytes)?;
                insert(path, &name, frame, &mut members.hands, hands)?;
            }
            Kind::Objects => {
                let objects = objects(path, &name, frame, &bytes)?;
                insert(path, &name, frame, &mut members.objects, objects)?;
            }
            Kind::Shapes => {
                let shapes = shapes(path, &bytes)?;
                if members.shapes.replace(shapes).is_some() {
                    return Err(DataError::field(path, &name, "twice in the archive"));
                }
            }
        }
    }
    // An archive ends with a block of zeros; without it, members at its end may be missing.
    if reader.count() <= end {
        return Err(malformed("cut short: the end of the archive is missing".to_owned()));
    }
    Ok(members)
}

/// The name, kind and frame of a member that is read; none of one that is passed over.
fn member(path: &Path, name: &[u8]) -> Result<Option<(String, Kind, usize)>, DataError> {
    let name = String::from_utf8_lossy(name);
    let plain = name.strip_prefix("./").unwrap_or(&name);
    let (folder, file) =
        plain.rsplit_once('/').map_or(("", plain), |(folder, file)| (folder, file));
    let kind = |text: &str| match text {
        "info.json" => Some(Kind::Info),
        "hands.json" => Some(Kind::Hands),
        "objects.json" => Some(Kind::Objects),
        _ => None,
    };
    let of_frame = |(frame, rest): (&str, &str)| {
        let digits = frame.len() == 6 && frame.bytes().all(|byte| byte.is_ascii_digit());
        Some((kind(rest)?, frame.parse::<usize>().ok().filter(|_| digits)?))
    };
    let found = match file {
        SHAPES => Some((Kind::Shapes, 0)),
        _ => file.split_once('.').and_then(of_frame),
    };
    let Some((kind, frame)) = found else { return Ok(None) };
    if plain.len() != file.len() {
        let problem = format!("is in a folder `{folder}`; members of a clip are in none");
        return Err(DataError::field(path, file, problem));
    }
    check_size(path, "the number of frames", frame as u64 + 1, MAX_FRAMES as u64)?;
    Ok(Some((file.to_owned(), kind, frame)))
}

fn insert<T>(
    path: &Path,
    name: &str,
    frame: usize,
    members: &mut BTreeMap<usize, T>,
    found: T,
) -> Result<(), DataError> {
    match members.insert(frame, found) {
        None => Ok(()),
        Some(_) => Err(DataError::frame(path, name, frame, "twice in the archive")),
    }
}

fn check_size(path: &Path, what: &str, size: u64, limit: u64) -> Result<(), DataError> {
    match size <= limit {
        true => Ok(()),
        false => {
            Err(DataError::TooLarge { file: path.to_owned(), what: what.to_owned(), size, limit })
        }
    }
}

/// Frames from 0 on, each with all of its members.
fn frames(path: &Path, members: Members) -> Result<(Vec<Frame>, Shapes), DataError> {
    let Members { info, mut hands, mut objects, shapes } = members;
    let ids = info.keys().chain(hands.keys()).chain(objects.keys());
    let count = ids.max().map_or(0, |last| last + 1);
    if count == 0 {
        return Err(DataError::format(path, "no clip of HOT3D: no member FRAME.info.json"));
    }
    let missing: Vec<&str> = [
        (hands.is_empty(), "FRAME.hands.json"),
        (objects.is_empty(), "FRAME.objects.json"),
        (shapes.is_none(), SHAPES),
    ]
    .into_iter()
    .filter_map(|(missing, name)| missing.then_some(name))
    .collect();
    let (Some(shapes), []) = (shapes, &missing[..]) else {
        let problem = format!(
            "no annotations: {} not in it; clips of the test split come without them, those of \
             train_aria and train_quest3 have them",
            missing.join(", ")
        );
        return Err(DataError::format(path, problem));
    };
    let mut frames = Vec::new();
    for frame in 0..count {
        let absent = |kind: &str| {
            let name = format!("{frame:06}.{kind}.json");
            DataError::frame(path, &name, frame, format!("not in the archive of {count} frames"))
        };
        info.get(&frame).ok_or_else(|| absent("info"))?;
        let [left, right] = hands.remove(&frame).ok_or_else(|| absent("hands"))?;
        let objects = objects.remove(&frame).ok_or_else(|| absent("objects"))?;
        frames.push(Frame { left, right, objects });
    }
    Ok((frames, shapes))
}

/// A rigid motion as stored, metres.
#[derive(Deserialize)]
struct Rigid {
    quaternion_wxyz: [f64; 4],
    translation_xyz: [f64; 3],
}

impl Rigid {
    fn pose(&self) -> Option<Pose> {
        unit_pose(self.translation_xyz, &self.quaternion_wxyz)
    }
}

#[derive(Deserialize)]
struct StoredHands {
    left: Option<StoredHand>,
    right: Option<StoredHand>,
}

#[derive(Deserialize)]
struct StoredHand {
    umetrack_pose: Option<UmeTrackPose>,
    mano_pose: Option<Value>,
}

/// The README of the data set has `wrist_xform`, its code `T_world_from_wrist`.
#[derive(Deserialize)]
struct UmeTrackPose {
    joint_angles: Vec<f64>,
    #[serde(rename = "T_world_from_wrist")]
    world_from_wrist: Option<Rigid>,
    wrist_xform: Option<[[f64; 4]; 4]>,
}

#[derive(Deserialize)]
struct ManoPose {
    thetas: [f64; 15],
    wrist_xform: [f64; 6],
}

/// The left and the right hand of a frame.
fn hands(path: &Path, name: &str, frame: usize, bytes: &[u8]) -> Result<[Hand; 2], DataError> {
    let stored: StoredHands = parse(path, name, frame, bytes)?;
    let hand = |side: Side, stored: Option<StoredHand>| -> Result<Hand, DataError> {
        let problem = |what: &str| {
            DataError::frame(path, name, frame, format!("the {} hand: {what}", side.name()))
        };
        let Some(stored) = stored else { return Ok(Hand::default()) };
        let umetrack = match &stored.umetrack_pose {
            Some(pose) => {
                let angles = all_angles(&pose.joint_angles);
                let angles = angles.ok_or_else(|| problem("`joint_angles` are not 20 or 22"))?;
                let wrist = pose
                    .wrist()
                    .ok_or_else(|| problem("the pose of its wrist is no rigid motion"))?;
                Some((angles, wrist))
            }
            None => None,
        };
        // One that could not be fitted is stored as {} or NaN; UmeTrack's is there all the same.
        let mano = stored.mano_pose.and_then(|pose| serde_json::from_value(pose).ok());
        let mano = mano.map(|ManoPose { thetas, wrist_xform: [a, b, c, x, y, z] }| {
            (thetas, [a, b, c], [x, y, z])
        });
        Ok(Hand { umetrack, mano })
    };
    Ok([hand(Side::Left, stored.left)?, hand(Side::Right, stored.right)?])
}

impl UmeTrackPose {
    fn wrist(&self) -> Option<Pose> {
        match (&self.world_from_wrist, &self.wrist_xform) {
            (Some(rigid), _) => rigid.pose(),
            (None, Some([.., last])) if *last != [0.0, 0.0, 0.0, 1.0] => None,
            (None, Some(rows)) => from_matrix(rows.as_flattened()),
            (None, None) => None,
        }
    }
}

/// An instance as stored; its boxes and masks are passed over.
#[derive(Deserialize)]
struct StoredInstance {
    object_bop_id: BopId,
    object_name: Option<String>,
    #[serde(rename = "T_world_from_object")]
    world_from_object: Rigid,
}

/// A number or its text; names of meshes have six digits of it.
struct BopId(u32);

impl<'de> Deserialize<'de> for BopId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = BopId;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("the number of an object, of six digits at most")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<BopId, E> {
                let small = u32::try_from(number).ok().filter(|number| *number < 1_000_000);
                let unexpected = serde::de::Unexpected::Unsigned(number);
                small.map(BopId).ok_or_else(|| E::invalid_value(unexpected, &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BopId, E> {
                let unexpected = serde::de::Unexpected::Str(text);
                let number = text.parse().map_err(|_| E::invalid_value(unexpected, &self))?;
                self.visit_u64(number)
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// The values of a map of lists, in the order of the file.
struct Instances(Vec<StoredInstance>);

impl<'de> Deserialize<'de> for Instances {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lists;
        impl<'de> Visitor<'de> for Lists {
            type Value = Instances;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a map from numbers of objects to lists of instances")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Instances, A::Error> {
                let mut found = Vec::new();
                while let Some((_, list)) = map.next_entry::<IgnoredAny, Vec<StoredInstance>>()? {
                    found.extend(list);
                    if found.len() > MAX_INSTANCES {
                        let problem = format!("more than {MAX_INSTANCES} objects");
                        return Err(serde::de::Error::custom(problem));
                    }
                }
                Ok(Instances(found))
            }
        }
        deserializer.deserialize_map(Lists)
    }
}

fn objects(
    path: &Path,
    name: &str,
    frame: usize,
    bytes: &[u8],
) -> Result<Vec<Instance>, DataError> {
    let Instances(stored) = parse(path, name, frame, bytes)?;
    let instance = |stored: StoredInstance| -> Result<Instance, DataError> {
        let StoredInstance { object_bop_id: BopId(bop_id), world_from_object: rigid, .. } = stored;
        let world_from_object = rigid.pose().ok_or_else(|| {
            let quaternion = rigid.quaternion_wxyz;
            let problem =
                format!("object {bop_id}: the quaternion {quaternion:?} is not of norm 1");
            DataError::frame(path, name, frame, problem)
        })?;
        let name = stored.object_name.filter(|name| is_plain(name));
        Ok(Instance { bop_id, name, world_from_object })
    };
    stored.into_iter().map(instance).collect()
}

/// Whether a name can be part of a file's.
fn is_plain(name: &str) -> bool {
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') && name.chars().all(sound)
}

#[derive(Deserialize)]
struct StoredShapes {
    mano: Option<[f64; BETAS]>,
    umetrack: Option<Value>,
}

fn shapes(path: &Path, bytes: &[u8]) -> Result<Shapes, DataError> {
    let stored: StoredShapes = serde_json::from_slice(bytes)
        .map_err(|e| DataError::field(path, SHAPES, not_as_in_hot3d(&e, bytes)))?;
    let umetrack = stored.umetrack.map(|json| Profile::from_json(path, &json)).transpose()?;
    Ok(Shapes { umetrack, mano: stored.mano })
}

fn parse<T: DeserializeOwned>(
    path: &Path,
    name: &str,
    frame: usize,
    bytes: &[u8],
) -> Result<T, DataError> {
    // NaN may stand where nothing is read.
    let found = serde_json::from_slice(bytes).or_else(|error| match without_nan(bytes) {
        Some((_, bytes)) => serde_json::from_slice(&bytes),
        None => Err(error),
    });
    found.map_err(|e| DataError::frame(path, name, frame, not_as_in_hot3d(&e, bytes)))
}

fn not_as_in_hot3d(error: &serde_json::Error, bytes: &[u8]) -> String {
    match without_nan(bytes) {
        Some((token, _)) => {
            format!("not as in HOT3D: has `{token}`, which is not JSON: {error}")
        }
        None => format!("not as in HOT3D: {error}"),
    }
}
