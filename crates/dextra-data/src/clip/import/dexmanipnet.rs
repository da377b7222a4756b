//! DexManipNet, the data set that ManipTrans made: a folder `sequences/ID_SIDE` of a download, `SIDE`
//! being `rh`, `lh` or `bih`.
//!
//! `seq_info.json` names the robot's hand (`dexhand`), the objects (`oid_rh`, `oid_lh`) and their
//! URDF files from the root of the download (`obj_rh_path`, `obj_lh_path`). `rollouts.hdf5` has in
//! `rollouts/successful/rollout_N` the arrays `reward [T]` or `[T, 1]` and per hand `state_SIDE [T, 13]`,
//! `state_manip_obj_SIDE [T, 13]` and `joint_state_SIDE [T, 13 links]`. 13 numbers are a body in the
//! world of Isaac Gym: position in metres, quaternion **xyzw**, velocity, angular velocity. z up, 60 Hz. Of
//! the rollouts the one of the largest summed reward is read, as the data set's own loader does.

use super::robots::{BODY, MIDWAY, ROBOTS, Robot, point};
use super::urdf::{self, Piece};
use super::{ImportOptions, Recording, models, oakink2};
use crate::clip::MAX_FRAMES;
use crate::clip::keypoints::identifier;
use crate::clip::options::{Unit, UpAxis, file_name};
use crate::mesh::read_mesh_file;
use crate::{DataError, atomic};
use dextra_core::demonstration::Keypoints;
use dextra_core::{Pose, Side, TriMesh, pose};
use hdf5_pure::{DType, File};
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// Frames per second of the simulation.
const FPS: f64 = 60.0;
/// Largest `rollouts.hdf5`, bytes.
const MAX_HDF5: u64 = 1 << 30;
/// Largest `seq_info.json`, bytes.
const MAX_JSON: u64 = 1 << 24;
/// Most successful rollouts of a sequence.
const MAX_ROLLOUTS: usize = 4096;
/// Group of the rollouts that are read.
const SUCCESSFUL: &str = "rollouts/successful";
/// How far the norm of a stored quaternion may be from 1.
const QUAT_TOLERANCE: f64 = 1e-2;
/// How far, in the median, the hand's first link may be from the hand itself, metres.
const ROOT_M: f64 = 0.02;
/// Within what two tracks are of one object, metres and radians.
const SAME: (f64, f64) = (0.01, 0.1);
/// DexManipNet inherits the terms of what it was made from.
const LICENCE: &str = "LicenseRef-DexManipNet-non-commercial";

/// Objects of OakInk-v2 that ManipTrans simulated in another size.
const SCALES: [(&str, f64); 6] = [
    ("O02@0206@00001", 1.15),
    ("O02@0206@00002", 0.95),
    ("O02@0029@00011", 0.9),
    ("O02@0029@00012", 1.2),
    ("O02@0015@00020", 0.98),
    ("O02@0015@00019", 1.02),
];

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let info = Info::read(&path.join("seq_info.json"))?;
    let robot = info.robot()?;
    let places = Places::new(path, opts);
    let sides = sides(&places, &info)?;
    let rollouts = Rollouts::open(&path.join("rollouts.hdf5"))?;
    let best = rollouts.best()?;
    let mut recording = Recording {
        name: file_name(&places.sequence),
        fps: Some(FPS),
        up: Some(UpAxis::Z),
        unit: Some(Unit::Metre),
        source: format!("DexManipNet, {}", file_name(&places.sequence)),
        licence: LICENCE.to_owned(),
        inputs: vec![
            (file_name(&info.file), info.sha256.clone()),
            (file_name(&rollouts.file), rollouts.sha256.clone()),
        ],
        notes: notes(robot, &info, &best),
        ..Recording::default()
    };
    for side in &sides {
        let track = rollouts.hand(robot, &best, *side)?;
        recording.hands.push((Some(*side), track.into_iter().map(Some).collect()));
    }
    let mut known: Vec<(String, Vec<Pose>)> = Vec::new();
    for side in sides {
        let urdf = info.urdf(side)?;
        let poses = rollouts.object(&best, side)?;
        if known.iter().any(|(other, track)| *other == urdf && same(track, &poses)) {
            continue;
        }
        let name = name(&info, side, &urdf, &recording);
        let mesh = places.surface(&info, side, &urdf, &mut recording)?;
        recording.objects.push((name, mesh, poses.iter().copied().map(Some).collect()));
        known.push((urdf, poses));
    }
    Ok(recording)
}

/// The end of a name that stands for a side.
fn key(side: Side) -> &'static str {
    match side {
        Side::Right => "rh",
        Side::Left => "lh",
    }
}

/// The hands of the sequence: by the folder's name, else by `type`; of two, the one that is asked for.
fn sides(places: &Places, info: &Info) -> Result<Vec<Side>, DataError> {
    let (path, name) = (places.path, file_name(&places.sequence));
    let end = name.rsplit('_').next().unwrap_or_default();
    let stated = match end {
        "rh" | "lh" | "bih" => end,
        _ => info.json["type"].as_str().unwrap_or_default(),
    };
    let there = match stated {
        "rh" => vec![Side::Right],
        "lh" => vec![Side::Left],
        "bih" => vec![Side::Right, Side::Left],
        _ => {
            let problem = "neither the folder's name ends in _rh, _lh or _bih nor is one of these \
                           the `type` of seq_info.json";
            return Err(DataError::format(path, problem));
        }
    };
    match places.opts.clip.side {
        None => Ok(there),
        Some(side) if there.contains(&side) => Ok(vec![side]),
        Some(side) => {
            let problem = format!("no {} hand is in a sequence of `{stated}`", side.name());
            Err(DataError::option(path, "side", problem))
        }
    }
}

/// What is to be known of a sequence.
fn notes(robot: &Robot, info: &Info, best: &Best) -> Vec<String> {
    let mut notes = vec![
        "DexManipNet was made from OakInk-v2 and FAVOR, whose terms allow non-commercial use only."
            .to_owned(),
        format!(
            "The hand is a robot's ({}) in a simulation, not a human's; keypoints are where its \
             links are.",
            robot.name
        ),
        format!(
            "`{}` is read: of {} successful rollouts the one of the largest summed reward.",
            best.name, best.of
        ),
    ];
    if robot.fingers.iter().flatten().any(|link| *link == MIDWAY) {
        notes.push(
            "The fingers have two links: keypoints 7, 11, 15 and 19 (DIP) are midway between \
             those before and after."
                .to_owned(),
        );
    }
    if let Some(palm_m) = robot.palm_m {
        notes.push(format!(
            "The wrist is put where a human one is: {:.1} cm from the middle knuckle, on the line \
             to the base of the hand.",
            100.0 * palm_m
        ));
    }
    if let Some(frames) = info.json["seq_len"].as_u64().filter(|n| *n != best.frames as u64) {
        notes.push(format!("`seq_len` says {frames} frames; the rollout has {}.", best.frames));
    }
    let things = info.json["scene_objects"].as_array().or(info.json["scene_objs"].as_array());
    if let Some(things) = things.filter(|things| !things.is_empty()) {
        notes.push(format!("Things of the scene that are left out: {}.", things.len()));
    }
    notes
}

/// What `seq_info.json` says.
struct Info {
    file: PathBuf,
    json: Value,
    sha256: String,
}

impl Info {
    fn read(file: &Path) -> Result<Info, DataError> {
        let bytes = atomic::read_file(file, MAX_JSON)?;
        let json: Value = serde_json::from_slice(&bytes)
            .map_err(|e| DataError::format(file, format!("not JSON: {e}")))?;
        if !json.is_object() {
            return Err(DataError::format(file, "not a JSON object"));
        }
        Ok(Info { file: file.to_owned(), json, sha256: atomic::sha256_hex(&bytes) })
    }

    fn text(&self, key: &str) -> Result<&str, DataError> {
        let text = self.json[key].as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| DataError::field(&self.file, key, "text was expected"))
    }

    fn robot(&self) -> Result<&'static Robot, DataError> {
        let name = self.text("dexhand")?;
        ROBOTS.iter().find(|robot| robot.name == name).ok_or_else(|| {
            let known: Vec<&str> = ROBOTS.iter().map(|robot| robot.name).collect();
            let problem = format!("the hand `{name}` is not known; read are {}", known.join(", "));
            DataError::field(&self.file, "dexhand", problem)
        })
    }

    /// The URDF of a hand's object, from the root of the download.
    fn urdf(&self, side: Side) -> Result<String, DataError> {
        let key = format!("obj_{}_path", key(side));
        let path = self.text(&key)?;
        match within(Path::new(""), path) {
            Some(_) => Ok(path.to_owned()),
            None => {
                let problem = format!("`{path}` leads out of the folder of the data set");
                Err(DataError::field(&self.file, &key, problem))
            }
        }
    }

    /// The number of a hand's object, where there is one.
    fn id(&self, side: Side) -> Option<&str> {
        let sound = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
        let id = self.json[&format!("oid_{}", key(side))].as_str()?;
        (!id.is_empty() && !id.starts_with('.') && id.chars().all(sound)).then_some(id)
    }
}

/// A name for a hand's object that no other has.
fn name(info: &Info, side: Side, urdf: &str, recording: &Recording) -> String {
    let name = match info.id(side) {
        Some(id) => id.replace('@', "_"),
        None => identifier(Path::new(urdf)),
    };
    match recording.objects.iter().any(|object| object.0 == name) {
        true => format!("{name}_{}", key(side)),
        false => name,
    }
}

/// Whether two tracks are of one object.
fn same(a: &[Pose], b: &[Pose]) -> bool {
    a.iter().zip(b).all(|(a, b)| {
        (a.translation.vector - b.translation.vector).norm() < SAME.0
            && a.rotation.angle_to(&b.rotation) < SAME.1
    })
}

/// The file of rollouts.
struct Rollouts {
    file: PathBuf,
    sha256: String,
    hdf5: File,
}

/// The rollout that is read.
struct Best {
    name: String,
    frames: usize,
    /// How many there are.
    of: usize,
}

impl Rollouts {
    fn open(file: &Path) -> Result<Rollouts, DataError> {
        let bytes = atomic::read_file(file, MAX_HDF5)?;
        let sha256 = atomic::sha256_hex(&bytes);
        let hdf5 = File::from_bytes(bytes)
            .map_err(|e| DataError::format(file, format!("not an HDF5 file: {e}")))?;
        Ok(Rollouts { file: file.to_owned(), sha256, hdf5 })
    }

    /// The successful rollout of the largest summed reward, the first by name of equal ones.
    fn best(&self) -> Result<Best, DataError> {
        let group = self.hdf5.group(SUCCESSFUL).and_then(|group| group.groups());
        let mut names =
            group.map_err(|e| DataError::field(&self.file, SUCCESSFUL, e.to_string()))?;
        names.sort_unstable();
        if names.len() > MAX_ROLLOUTS {
            return Err(DataError::TooLarge {
                file: self.file.clone(),
                what: "the number of successful rollouts".to_owned(),
                size: names.len() as u64,
                limit: MAX_ROLLOUTS as u64,
            });
        }
        let of = names.len();
        let mut best: Option<(f64, Best)> = None;
        for name in names {
            let rewards = self.array(&format!("{SUCCESSFUL}/{name}/reward"), 1)?;
            let sum: f64 = rewards.iter().sum();
            if best.as_ref().is_none_or(|(most, _)| sum > *most) {
                best = Some((sum, Best { name, frames: rewards.len(), of }));
            }
        }
        best.map(|(_, best)| best)
            .ok_or_else(|| DataError::field(&self.file, SUCCESSFUL, "no rollout is in it"))
    }

    /// The finite numbers of an array `[T, width]`, for one number also `[T]`.
    fn array(&self, name: &str, width: usize) -> Result<Vec<f64>, DataError> {
        let problem = |problem: String| DataError::field(&self.file, name, problem);
        let broken = |e: hdf5_pure::Error| problem(e.to_string());
        let array = self.hdf5.dataset(name).map_err(broken)?;
        if !matches!(array.dtype().map_err(broken)?, DType::F32 | DType::F64) {
            return Err(problem("floats were expected".to_owned()));
        }
        let shape = array.shape().map_err(broken)?;
        let frames = match shape[..] {
            [frames] if width == 1 => frames,
            [frames, wide] if wide == width as u64 => frames,
            _ => return Err(problem(format!("[T, {width}] was expected, not {shape:?}"))),
        };
        if frames > MAX_FRAMES as u64 {
            return Err(problem(format!("{frames} frames, of which {MAX_FRAMES} are read")));
        }
        let values = array.read_f64().map_err(broken)?;
        if values.len() as u64 != frames * width as u64 {
            return Err(problem(format!("{} numbers for {shape:?}", values.len())));
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => {
                let problem = format!("{} is not a finite number", values[at]);
                Err(DataError::frame(&self.file, name, at / width, problem))
            }
        }
    }

    /// An array of the rollout, as long as its rewards are.
    fn of_best(&self, best: &Best, name: &str, width: usize) -> Result<Vec<f64>, DataError> {
        let name = format!("{SUCCESSFUL}/{}/{name}", best.name);
        let values = self.array(&name, width)?;
        let frames = values.len() / width;
        match frames == best.frames {
            true => Ok(values),
            false => {
                let problem = format!("{frames} frames, but `reward` has {}", best.frames);
                Err(DataError::field(&self.file, &name, problem))
            }
        }
    }

    /// The keypoints of a hand.
    fn hand(&self, robot: &Robot, best: &Best, side: Side) -> Result<Vec<Keypoints>, DataError> {
        let name = format!("joint_state_{}", key(side));
        let width = BODY * robot.links.len();
        let links = self.of_best(best, &name, width)?;
        let root = self.of_best(best, &format!("state_{}", key(side)), BODY)?;
        let mut apart: Vec<f64> = links
            .chunks_exact(width)
            .zip(root.chunks_exact(BODY))
            .map(|(links, root)| (point(links, 0) - point(root, 0)).norm())
            .collect();
        apart.sort_by(f64::total_cmp);
        let apart = apart.get(apart.len() / 2).copied().unwrap_or(0.0);
        if apart > ROOT_M {
            let problem = format!(
                "its first link is {:.1} cm from the hand of `state_{}`: not the links of {}",
                100.0 * apart,
                key(side),
                robot.name
            );
            let name = format!("{SUCCESSFUL}/{}/{name}", best.name);
            return Err(DataError::field(&self.file, &name, problem));
        }
        Ok(links.chunks_exact(width).map(|links| robot.keypoints(links)).collect())
    }

    /// The poses of a hand's object.
    fn object(&self, best: &Best, side: Side) -> Result<Vec<Pose>, DataError> {
        let name = format!("state_manip_obj_{}", key(side));
        let states = self.of_best(best, &name, BODY)?;
        let pose = |(frame, state): (usize, &[f64])| {
            let &[x, y, z, i, j, k, w, ..] = state else { return Ok(Pose::identity()) };
            let norm = (i * i + j * j + k * k + w * w).sqrt();
            if (norm - 1.0).abs() <= QUAT_TOLERANCE {
                return Ok(pose::from_pos_quat([x, y, z], [w, i, j, k]));
            }
            let problem = format!("the quaternion {:?} has norm {norm:.4}, not 1", [i, j, k, w]);
            let name = format!("{SUCCESSFUL}/{}/{name}", best.name);
            Err(DataError::frame(&self.file, &name, frame, problem))
        };
        states.chunks_exact(BODY).enumerate().map(pose).collect()
    }
}

/// Where URDF files and meshes are.
struct Places<'a> {
    path: &'a Path,
    opts: &'a ImportOptions,
    /// The whole path of the sequence, which has its name whatever `path` is.
    sequence: PathBuf,
    /// Folder of the download, which has `sequences`.
    root: PathBuf,
}

/// A file, from one of the folders in which it is looked for.
struct Place {
    folder: PathBuf,
    file: PathBuf,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.folder.join(&self.file)
    }
}

/// `name` as seen from `folder`, as a path below where `folder` starts; `None` when it leads out.
fn within(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    path.file_name().is_some().then_some(path)
}

impl<'a> Places<'a> {
    fn new(path: &'a Path, opts: &'a ImportOptions) -> Places<'a> {
        let sequence = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let above = sequence.parent().unwrap_or(Path::new("."));
        let root = match above.file_name() {
            Some(name) if name == "sequences" => above.parent().unwrap_or(above),
            _ => above,
        };
        let root = root.to_owned();
        Places { path, opts, sequence, root }
    }

    /// Looks for a file first in the folder of meshes: at its place in the data set, at that without
    /// the first folder, by its name alone.
    fn find(&self, folder: &Path, file: &Path) -> Option<Place> {
        let shorter: PathBuf = file.components().skip(1).collect();
        let name = PathBuf::from(file.file_name()?);
        let mut places = Vec::new();
        for file in [file.to_owned(), shorter, name] {
            let meshes = self.opts.meshes.iter();
            places
                .extend(meshes.map(|folder| Place { folder: folder.clone(), file: file.clone() }));
        }
        places.push(Place { folder: folder.to_owned(), file: file.to_owned() });
        places.into_iter().find(|place| place.path().is_file())
    }

    /// The surface of a hand's object in the size in which it was simulated, metres.
    fn surface(
        &self,
        info: &Info,
        side: Side,
        urdf: &str,
        recording: &mut Recording,
    ) -> Result<TriMesh, DataError> {
        let stated = within(Path::new(""), urdf).unwrap_or_default();
        let id = info.id(side);
        let mut mesh = match (self.find(&self.root, &stated), id) {
            (Some(place), _) => self.described(&place, &mut recording.inputs)?,
            (None, Some(id)) => self.of_oakink(urdf, id, recording)?,
            (None, None) => return Err(self.missing(urdf, None)),
        };
        if let Some((id, scale)) = SCALES.into_iter().find(|(known, _)| Some(*known) == id) {
            mesh.vertices.iter_mut().for_each(|vertex| *vertex *= scale);
            recording.notes.push(format!("{id} has {scale} times its size, as in ManipTrans."));
        }
        Ok(mesh)
    }

    /// The object of a URDF file.
    fn described(
        &self,
        place: &Place,
        inputs: &mut Vec<(String, String)>,
    ) -> Result<TriMesh, DataError> {
        let file = place.path();
        let bytes = atomic::read_file(&file, urdf::MAX_BYTES)?;
        inputs.push((file_name(&file), atomic::sha256_hex(&bytes)));
        let text =
            std::str::from_utf8(&bytes).map_err(|_| DataError::format(&file, "not UTF-8"))?;
        let mut whole = TriMesh::default();
        for piece in urdf::pieces(&file, text)? {
            let mesh_file = self.mesh_file(place, &piece)?;
            let mesh = read_mesh_file(&mesh_file)?;
            piece.add_to(&file, &mesh.mesh, &mut whole)?;
            inputs.push((file_name(&mesh_file), mesh.sha256));
        }
        Ok(whole)
    }

    fn mesh_file(&self, urdf: &Place, piece: &Piece) -> Result<PathBuf, DataError> {
        let beside = urdf.file.parent().unwrap_or(Path::new(""));
        let found = match piece.file.strip_prefix("package://") {
            Some(name) => within(Path::new(""), name),
            None => within(beside, &piece.file),
        };
        let Some(found) = found else {
            let problem = format!("`{}` leads out of the folder of the data set", piece.file);
            return Err(DataError::format(&urdf.path(), problem));
        };
        let place = self.find(&urdf.folder, &found).ok_or_else(|| {
            let problem =
                format!("no mesh {}; name the folder of the meshes (--meshes DIR)", piece.file);
            DataError::format(&urdf.path(), problem)
        })?;
        Ok(place.path())
    }

    /// The object as OakInk-v2 has it: the part of DexManipNet that was made from it comes without.
    fn of_oakink(
        &self,
        urdf: &str,
        id: &str,
        recording: &mut Recording,
    ) -> Result<TriMesh, DataError> {
        let names = oakink2::mesh_names(self.path, self.opts, id);
        if super::find(&models::above(self.path, self.opts), &names).is_none() {
            return Err(self.missing(urdf, Some(id)));
        }
        let mesh = models::mesh(self.path, self.opts, &names, 1.0, &mut recording.inputs)?;
        recording.notes.push(format!("`{urdf}` is not there: the surface of {id} is OakInk-v2's."));
        Ok(mesh)
    }

    fn missing(&self, urdf: &str, id: Option<&str>) -> DataError {
        let or = id.map(|id| format!(" and no mesh of {id}")).unwrap_or_default();
        let problem = format!(
            "no {urdf} in {}{or}; name the folder of the objects (--meshes DIR)",
            self.root.display()
        );
        DataError::format(self.path, problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_followed_as_long_as_it_stays_within() {
        let within = |name| within(Path::new("a/b"), name);
        assert_eq!(within("c.obj"), Some("a/b/c.obj".into()));
        assert_eq!(within("./../c//d.obj"), Some("a/c/d.obj".into()));
        assert_eq!(within("../../c.obj"), Some("c.obj".into()));
        assert_eq!(within("../../../c.obj"), None);
        assert_eq!(within("/etc/passwd"), None);
        assert_eq!(within("../.."), None);
    }
}
