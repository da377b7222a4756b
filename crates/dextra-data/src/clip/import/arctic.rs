//! ARCTIC: `raw_seqs/SUBJECT/OBJECT_ACTION_NN.mano.npy` with `….object.npy` beside it.
//!
//! `mano.npy` holds `{right, left}` of `rot (T,3)`, `pose (T,45)`, `trans (T,3)` in metres and `shape`;
//! the mean pose is added. `object.npy` is `[T, 7]`: angle of the joint, axis-angle vector, position in
//! millimetres; meshes (`meta/object_vtemplates/OBJECT/mesh.obj`) are in millimetres too. The
//! vertices of the top turn about -z by the angle before the pose is applied: they are a part of the others, on a hinge
//! through the origin. `parts.json` labels every vertex 0 or 1. ARCTIC's code turns those labelled 0 (`common/object_tensors.py`:
//! 1 after one is added), its description of the data says that 1 is the top: where `top_keypoints_300.json` is beside the
//! mesh, the label of the vertices nearest to its points decides, else the code.

use super::models::{Convention, Models, betas, digest, from_axis_angle, mesh, part};
use super::{ImportOptions, Part, Recording, find, models, stem};
use crate::clip::options::{Unit, file_name};
use crate::mano::{Origin, POSE, Tips};
use crate::npz::{read_npy, read_npy_objects};
use crate::{DataError, atomic};
use dextra_core::{Joint, JointKind, Pose, Side, TriMesh};
use nalgebra::{Point3, Vector3};
use std::cmp::Ordering;
use std::path::Path;

/// ARCTIC has 300 points on every top.
const MOST_POINTS: usize = 300;

const CONVENTION: Convention = Convention { origin: Origin::Model, tips: Tips::Smplx };

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let Some(name) = file_name(path).strip_suffix(".mano.npy").map(str::to_owned) else {
        return Err(DataError::format(path, "not a file NAME.mano.npy"));
    };
    let subject = path.parent().map(stem).unwrap_or_default();
    let mut recording = Recording {
        fps: Some(30.0),
        unit: Some(Unit::Metre),
        source: format!("ARCTIC, {subject} {name}"),
        licence: "LicenseRef-ARCTIC-non-commercial".into(),
        inputs: vec![digest(path)?],
        notes: vec!["ARCTIC's licence allows non-commercial research only.".into()],
        ..Recording::default()
    };
    let pickle = read_npy_objects(path)?;
    let root = pickle.root().unwrapped();
    let models = Models::load(path, opts, &[Side::Right, Side::Left], false)?;
    for side in [Side::Right, Side::Left] {
        let (Some(mano), Some(hand)) = (models.of(side), root.find(side.name())) else { continue };
        let shaped = mano.shaped(&betas(&hand.get("shape")?.array()?.1));
        let (turn, at) = (hand.get("rot")?.rows(3)?, hand.get("trans")?.rows(3)?);
        let poses = hand.get("pose")?.rows(POSE)?;
        if turn.len() != poses.len() || at.len() != poses.len() {
            return Err(hand.problem("`rot`, `pose` and `trans` differ in length"));
        }
        let track = poses.iter().zip(turn.iter().zip(&at)).map(|(pose, (turn, at))| {
            let fingers = mano.from_axis_angles(&part(pose, 0), false);
            Some(CONVENTION.keypoints(&shaped, part(turn, 0), &fingers, part(at, 0)))
        });
        recording.hands.push((Some(side), track.collect()));
    }
    objects(path, opts, &name, &mut recording)?;
    models.acknowledge(&mut recording);
    recording.name = name;
    Ok(recording)
}

/// The base of the object and the top on its hinge.
fn objects(
    path: &Path,
    opts: &ImportOptions,
    name: &str,
    recording: &mut Recording,
) -> Result<(), DataError> {
    let object = name.split('_').next().unwrap_or_default();
    let file = path.with_file_name(format!("{name}.object.npy"));
    let array = read_npy(&file)?;
    let rows = match array.shape() {
        [_, 7] => array.f64s().unwrap_or_default(),
        shape => {
            let problem = format!("the shape [T, 7] was expected, not {shape:?}");
            return Err(DataError::format(&file, problem));
        }
    };
    recording.inputs.push(digest(&file)?);
    let angles: Vec<f64> = rows.chunks_exact(7).map(|row| row[0]).collect();
    if let Some(frame) = angles.iter().position(|angle| !angle.is_finite()) {
        return Err(DataError::frame(&file, "angle", frame, "not a finite number"));
    }
    let hinge = hinge(&angles);
    let (mut base, mut moved): (Vec<Option<Pose>>, Vec<Option<Pose>>) = Default::default();
    for row in rows.chunks_exact(7) {
        let millimetres: [f64; 3] = part(row, 4);
        let pose = from_axis_angle(part(row, 1), millimetres.map(|x| 0.001 * x));
        base.push(Some(pose));
        moved.push(Some(pose * hinge.parent_from_part_at(row[0])));
    }
    let folder = format!("meta/object_vtemplates/{object}");
    let places = |file: &str| [format!("{folder}/{file}"), format!("{object}/{file}")];
    let whole = mesh(path, opts, &places("mesh.obj"), 0.001, &mut recording.inputs)?;
    let Some(parts_file) = find(&models::above(path, opts), &places("parts.json")) else {
        return Err(DataError::format(path, format!("no {folder}/parts.json")));
    };
    let parts: Vec<Label> = serde_json::from_slice(&atomic::read_file(&parts_file, 1 << 24)?)
        .map_err(|_| DataError::format(&parts_file, "not a list of numbers, true and false"))?;
    let parts: Vec<bool> = parts.iter().map(Label::is_set).collect();
    recording.inputs.push(digest(&parts_file)?);
    if parts.len() != whole.vertices.len() {
        let problem = format!("{} labels for {} vertices", parts.len(), whole.vertices.len());
        return Err(DataError::format(&parts_file, problem));
    }
    let points = match find(&models::above(path, opts), &places("top_keypoints_300.json")) {
        Some(file) => keypoints(&file, &mut recording.inputs)?,
        None => Vec::new(),
    };
    let label = top_label(&whole.vertices, &parts, &points);
    let number = u8::from(label.unwrap_or_default());
    recording.notes.push(match (label, points.is_empty()) {
        (Some(_), _) => {
            format!("The vertices labelled {number} are the top, by the points of top_keypoints_300.json.")
        }
        (None, true) => {
            "No top_keypoints_300.json: the vertices labelled 0 turn, as in ARCTIC's code.".to_owned()
        }
        (None, false) => "The points of top_keypoints_300.json are as near to both parts: the vertices labelled 0 \
                          turn, as in ARCTIC's code."
            .to_owned(),
    });
    let label = label.unwrap_or_default();
    let turns = |face: &[u32; 3]| face.iter().all(|&v| parts[v as usize] == label);
    let (top, bottom): (Vec<_>, Vec<_>) = whole.faces.iter().partition(|face| turns(face));
    let (base_name, part_name) = (format!("{object}_base"), format!("{object}_part"));
    recording.parts.push(Part {
        name: part_name.clone(),
        parent: base_name.clone(),
        joint: hinge,
        coordinate: angles,
    });
    recording.notes.push(
        "The range of the hinge is that of the recorded angles; its friction is not known.".into(),
    );
    for (name, faces, poses) in [(base_name, bottom, base), (part_name, top, moved)] {
        if !faces.is_empty() {
            recording.objects.push((name, some_faces(&whole, faces), poses));
        }
    }
    Ok(())
}

/// Points on the top, metres.
fn keypoints(
    file: &Path,
    inputs: &mut Vec<(String, String)>,
) -> Result<Vec<Point3<f64>>, DataError> {
    #[derive(serde::Deserialize)]
    struct Keypoints {
        keypoints: Vec<[f64; 3]>,
    }
    let found: Keypoints = serde_json::from_slice(&atomic::read_file(file, 1 << 24)?)
        .map_err(|e| DataError::format(file, format!("`keypoints` are no list of points: {e}")))?;
    if found.keypoints.is_empty() {
        return Err(DataError::format(file, "`keypoints` has no point"));
    }
    inputs.push(digest(file)?);
    Ok(found.keypoints.into_iter().map(|p| Point3::from(p) * 0.001).collect())
}

/// A label of `parts.json`, which ARCTIC's code reads as NumPy's `bool`.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Label {
    Set(bool),
    Number(f64),
}

impl Label {
    fn is_set(&self) -> bool {
        match *self {
            Label::Set(set) => set,
            Label::Number(number) => number != 0.0,
        }
    }
}

/// The label of the vertices that turn: that of most vertices nearest to points on the top; `None` where none has more.
fn top_label(vertices: &[Point3<f64>], parts: &[bool], points: &[Point3<f64>]) -> Option<bool> {
    let label = |point: &Point3<f64>| {
        let distances = vertices.iter().map(|vertex| (vertex - point).norm_squared());
        let nearest = distances.zip(parts).min_by(|a, b| a.0.total_cmp(&b.0));
        nearest.is_some_and(|(_, &label)| label)
    };
    let points = &points[..points.len().min(MOST_POINTS)];
    let set = points.iter().filter(|point| label(point)).count();
    match set.cmp(&(points.len() - set)) {
        Ordering::Equal => None,
        more => Some(more == Ordering::Greater),
    }
}

/// The hinge between base and top. Its range, which the data do not state, is that of the recording and
/// a little more, so that no recorded angle is at a stop.
fn hinge(angles: &[f64]) -> Joint {
    const MARGIN: f64 = 0.05;
    let (low, high) = angles
        .iter()
        .fold((0.0f64, 0.0f64), |(low, high), &angle| (low.min(angle), high.max(angle)));
    Joint {
        parent: 0,
        kind: JointKind::Hinge,
        axis: -Vector3::z(),
        anchor: Point3::origin(),
        parent_from_part: Pose::identity(),
        range: (low - MARGIN, high + MARGIN),
    }
}

/// The part of a mesh that some of its faces are.
fn some_faces(mesh: &TriMesh, faces: Vec<[u32; 3]>) -> TriMesh {
    let mut used: Vec<u32> = faces.iter().flatten().copied().collect();
    used.sort_unstable();
    used.dedup();
    let index = |old: u32| used.binary_search(&old).unwrap_or(0) as u32;
    TriMesh {
        faces: faces.iter().map(|face| face.map(index)).collect(),
        vertices: used.iter().map(|&v| mesh.vertices[v as usize]).collect(),
    }
}
