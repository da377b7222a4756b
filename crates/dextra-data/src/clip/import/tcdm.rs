//! TCDM (PGDM): one `trajectories/OBJECT_TASK.npz` of its repository.
//!
//! | key | shape | meaning |
//! |---|---|---|
//! | `human_joint_coords` | `[T,16,3]` or `[T,21,3]` | joints of a right hand as MANO orders them: wrist, index, middle, pinky, ring, thumb; of 21, five tips follow, thumb to pinky; metres |
//! | `object_translation`, `object_orientation` | `[N,3]`, `[N,4]` | centre of mass and quaternion wxyz of the object |
//! | `object_translation_original`, `object_orientation_original` | `[T,3]`, `[T,4]` | the same before it was cut, in some files |
//! | `length` | | rows that count, of `N` |
//! | `SIM_SUBSTEPS`, `DATA_SUBSTEPS` | | steps of 4 ms from one reference to the next, and rows from one to the next (as many when absent) |
//!
//! `s_0` (a pickled dictionary), `s`, `sdot` and `eef_*` are states of a robot's hand; they are not looked at. All
//! is in the world of the simulation: z up, table top at 0. The orders of the joints, what the object is
//! compared with (`xipos`, `xquat`), how rows are taken and the time step are in TCDM's `robot_config.yaml`,
//! `rewards.py`, `reference.py` and `table.xml` (<https://github.com/facebookresearch/TCDM>, MIT); that the joints
//! are those of GRAB's hand in the same frame is in MyoSuite's copy of the script that wrote the files (Apache-2.0).
//!
//! Fingertips are made where there are none: the last joint of a finger bends by two thirds of the one before it, and
//! phalanges have average proportions. A centre of mass is one of the simulation, of the convex pieces `contact0.stl`,
//! `contact1.stl` and so on beside the mesh at equal density, or of the mesh where there are none.

use super::models::{above, part};
use super::{ImportOptions, Recording, find, stem};
use crate::clip::keypoints::{check_finite, check_length, check_quat};
use crate::clip::options::{Unit, UpAxis, file_name};
use crate::mesh::read_mesh_file;
use crate::{DataError, Npz};
use dextra_core::demonstration::{Keypoints, keypoint, world_from_palm};
use dextra_core::human::PHALANX_LENGTH;
use dextra_core::{Pose, Side, TriMesh, pose};
use nalgebra::{Point3, Rotation3, Translation3, Unit as Direction, Vector3};
use std::path::Path;

/// Step of the simulation, seconds.
const TIMESTEP: f64 = 0.004;
const HAND: &str = "human_joint_coords";
/// First joints of thumb to pinky in MANO's order; the two after each belong to the same finger.
const FINGERS: [usize; 5] = [13, 1, 4, 10, 7];
/// How much the last joint of a finger bends per radian of the one before it.
const COUPLED: f64 = 2.0 / 3.0;
/// Most convex pieces of an object.
const MAX_PIECES: usize = 256;
/// An object that starts farther than this from the table, metres, is not where its pose says it is.
const RESTS: f64 = 0.01;
/// Most comparisons in the search for the rows of the hand that belong to an object's.
const MAX_TRIALS: usize = 20_000_000;

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let npz = Npz::open(path)?;
    if !npz.contains(HAND) {
        let problem = "no human hand is in this file, as in TCDM's of robots alone; its keys are: ";
        let keys: Vec<&str> = npz.keys().take(20).collect();
        return Err(npz.problem(HAND, problem.to_owned() + &keys.join(", ")));
    }
    let substeps = whole(&npz, "SIM_SUBSTEPS")?;
    let every = match npz.contains("DATA_SUBSTEPS") {
        true => whole(&npz, "DATA_SUBSTEPS")?,
        false => substeps,
    };
    let mut recording = Recording {
        name: stem(path),
        fps: Some((1e6 / (TIMESTEP * substeps as f64)).round() / 1e6),
        up: Some(UpAxis::Z),
        unit: Some(Unit::Metre),
        source: format!("TCDM, {}", stem(path)),
        licence: "LicenseRef-GRAB-non-commercial".into(),
        inputs: vec![(file_name(path), npz.sha256().to_owned())],
        notes: vec![
            "Derived from GRAB, whose licence allows non-commercial research only; TCDM's code is MIT."
                .into(),
            format!("A frame lasts {substeps} steps of 4 ms, as TCDM simulates."),
        ],
        ..Recording::default()
    };
    let hand = hand(&npz, &mut recording.notes)?;
    let (first, poses) = object(&npz, &hand, &mut recording.notes)?;
    let rows = (0..poses.len()).step_by(every);
    recording
        .hands
        .push((Some(Side::Right), rows.clone().map(|row| Some(hand[first + row])).collect()));
    let poses: Vec<Pose> = rows.map(|row| poses[row]).collect();
    let name = object_name(&stem(path));
    let (mesh, poses) = placed(path, opts, &name, poses, &mut recording)?;
    recording.objects.push((name, mesh, poses.into_iter().map(Some).collect()));
    Ok(recording)
}

/// A number of rows or steps; in some files it is a pickled object.
fn whole(npz: &Npz, key: &str) -> Result<usize, DataError> {
    let pickled = npz.pickled(key).map(|pickle| pickle.root().unwrapped().number());
    let value = match pickled {
        Ok(value) => value?,
        Err(_) => npz.scalar_f64(key)?,
    };
    match (1.0..=1e6).contains(&value) && value.fract() == 0.0 {
        true => Ok(value as usize),
        false => Err(npz.problem(key, format!("{value} is not a count of one or more"))),
    }
}

/// Keypoints of the hand in every row.
fn hand(npz: &Npz, notes: &mut Vec<String>) -> Result<Vec<Keypoints>, DataError> {
    let (shape, values) = npz.array_f64(HAND)?;
    let joints = match shape[..] {
        [_, joints @ (16 | 21), 3] => joints,
        _ => {
            let problem = format!("the shape [T, 16, 3] or [T, 21, 3] was expected, not {shape:?}");
            return Err(npz.problem(HAND, problem));
        }
    };
    check_length(npz, HAND, shape[0])?;
    check_finite(npz, HAND, &values, 3 * joints)?;
    if joints == 16 {
        notes.push(
            "Fingertips are made: the recording has none. The last joints of the fingers bend by two thirds of those \
             before them."
                .into(),
        );
    }
    Ok(values.chunks_exact(3 * joints).map(keypoints).collect())
}

/// One row of joints as keypoints.
fn keypoints(row: &[f64]) -> Keypoints {
    let joint = |index: usize| Point3::from(part::<3>(row, 3 * index));
    let mut points = [joint(0); keypoint::COUNT];
    for (finger, first) in FINGERS.into_iter().enumerate() {
        let [base, middle, last] = [0, 1, 2].map(|k| joint(first + k));
        let tip = match row.len() {
            // Tips follow the joints, thumb to pinky.
            63 => joint(16 + finger),
            _ => tip(finger, base, middle, last),
        };
        points[1 + 4 * finger..][..4].copy_from_slice(&[base, middle, last, tip]);
    }
    points
}

/// The end of a finger whose last three joints are known.
fn tip(finger: usize, base: Point3<f64>, middle: Point3<f64>, last: Point3<f64>) -> Point3<f64> {
    let (before, bone) = (middle - base, last - middle);
    let [_, second, third] = PHALANX_LENGTH[finger];
    let straight = bone * (third / second);
    let bend = match finger {
        // The thumb's last joint does not follow the one before it.
        0 => 0.0,
        _ => COUPLED * before.angle(&bone),
    };
    match Direction::try_new(before.cross(&bone), 1e-12) {
        Some(axis) => last + Rotation3::from_axis_angle(&axis, bend) * straight,
        None => last + straight,
    }
}

/// The object's poses, with its centre of mass for its origin, and the row of the hand that the first is of.
fn object(
    npz: &Npz,
    hand: &[Keypoints],
    notes: &mut Vec<String>,
) -> Result<(usize, Vec<Pose>), DataError> {
    let (at, turn) = ("object_translation", "object_orientation");
    let mut poses = track(npz, at, turn)?;
    let rows = poses.len();
    if rows != hand.len() && npz.contains("object_translation_original") {
        let original = track(npz, "object_translation_original", "object_orientation_original")?;
        if original.len() == hand.len() {
            notes.push(format!(
                "`object_translation_original` is read: `object_translation` has {rows} rows, the hand {}.",
                hand.len()
            ));
            return Ok((0, original));
        }
    }
    if npz.contains("length") {
        let length = whole(npz, "length")?;
        if length > rows {
            return Err(npz.problem("length", format!("{length}, but `{at}` has {rows} rows")));
        }
        poses.truncate(length);
    }
    check_length(npz, at, poses.len())?;
    match rows {
        _ if rows == hand.len() || poses.len() == hand.len() => Ok((0, poses)),
        _ if poses.len() > hand.len() => {
            let problem = format!("{} rows, but `{HAND}` has {}", poses.len(), hand.len());
            Err(npz.problem(at, problem))
        }
        _ => {
            let (first, slip) = first_row(npz, hand, &poses)?;
            notes.push(format!(
                "The hand has {} rows, the object {}: the first of these is row {first} of the hand, where the object \
                 slips least in it ({:.1} mm per row while it moves).",
                hand.len(),
                poses.len(),
                1000.0 * slip
            ));
            Ok((first, poses))
        }
    }
}

/// One pose per row.
fn track(npz: &Npz, at: &str, turn: &str) -> Result<Vec<Pose>, DataError> {
    let (shape, places) = npz.array_f64(at)?;
    let (turn_shape, turns) = npz.array_f64(turn)?;
    for (key, shape, width) in [(at, &shape, 3), (turn, &turn_shape, 4)] {
        if shape.len() != 2 || shape[1] != width {
            let problem = format!("the shape [N, {width}] was expected, not {shape:?}");
            return Err(npz.problem(key, problem));
        }
    }
    check_length(npz, at, shape[0])?;
    check_finite(npz, at, &places, 3)?;
    check_finite(npz, turn, &turns, 4)?;
    if shape[0] != turn_shape[0] {
        let problem = format!("{} rows, but `{at}` has {}", turn_shape[0], shape[0]);
        return Err(npz.problem(turn, problem));
    }
    let rows = places.chunks_exact(3).zip(turns.chunks_exact(4)).enumerate();
    rows.map(|(row, (place, quat))| {
        check_quat(npz, turn, row, quat)?;
        Ok(pose::from_pos_quat(part(place, 0), part(quat, 0)))
    })
    .collect()
}

/// The row of the hand with which the object's first goes so that it slips least while it moves, and by how
/// much, metres per row.
fn first_row(npz: &Npz, hand: &[Keypoints], poses: &[Pose]) -> Result<(usize, f64), DataError> {
    let key = "object_translation";
    let far = |pair: &[Pose]| pose::distance_between(&pair[0], &pair[1]);
    let fastest = poses.windows(2).map(far).fold(0.0, f64::max);
    let moving: Vec<usize> =
        (1..poses.len()).filter(|&row| far(&poses[row - 1..=row]) > 0.25 * fastest).collect();
    let trials = hand.len() - poses.len() + 1;
    let unknown = |why: &str| {
        let problem = format!(
            "{} rows, but `{HAND}` has {}, and {why}: which belong together is not known",
            poses.len(),
            hand.len()
        );
        Err(npz.problem(key, problem))
    };
    if moving.is_empty() || trials.saturating_mul(moving.len()) > MAX_TRIALS {
        return unknown("the object does not move, or there are too many");
    }
    let palm_from_world: Option<Vec<Pose>> = hand
        .iter()
        .map(|row| world_from_palm(row, Side::Right).map(|palm| palm.inverse()))
        .collect();
    let Some(palm_from_world) = palm_from_world else { return unknown("the palm is no plane") };
    let held =
        |first: usize, row: usize| (palm_from_world[first + row] * poses[row]).translation.vector;
    let slip = |first: usize| {
        let slips = moving.iter().map(|&row| (held(first, row) - held(first, row - 1)).norm());
        slips.sum::<f64>() / moving.len() as f64
    };
    let slips = (0..trials).map(|first| (first, slip(first)));
    let (first, least) = slips.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::MAX));
    let speed =
        moving.iter().map(|&row| far(&poses[row - 1..=row])).sum::<f64>() / moving.len() as f64;
    // An object that is not carried gives no evidence.
    if least > 0.5 * speed {
        return unknown("the hand carries the object at none");
    }
    Ok((first, least))
}

/// `cup` of `cup_drink1`.
fn object_name(stem: &str) -> String {
    stem.split('_').next().unwrap_or_default().to_owned()
}

/// Where the mesh of an object may be: as in the repositories of TCDM and MyoSuite, or loose.
pub(super) fn mesh_names(name: &str) -> Vec<String> {
    let folders =
        ["", "tcdm/envs/assets/meshes/objects/", "meshes/objects/", "myo_sim/objects/", "objects/"];
    let of = |ending: &'static str| {
        folders.iter().flat_map(move |folder| {
            [format!("{folder}{name}/{name}.{ending}"), format!("{folder}{name}.{ending}")]
        })
    };
    ["stl", "obj", "ply", "glb"].into_iter().flat_map(of).collect()
}

/// The mesh, and its poses from those of its centre of mass.
fn placed(
    path: &Path,
    opts: &ImportOptions,
    name: &str,
    poses: Vec<Pose>,
    recording: &mut Recording,
) -> Result<(TriMesh, Vec<Pose>), DataError> {
    let Some(file) = find(&above(path, opts), &mesh_names(name)) else {
        let problem = format!(
            "no mesh {name}.stl, .obj, .ply or .glb; name the folder of the meshes (--meshes DIR)"
        );
        return Err(DataError::format(path, problem));
    };
    let found = read_mesh_file(&file)?;
    recording.inputs.push((file_name(&file), found.sha256));
    let mut pieces = Vec::new();
    for index in 0..MAX_PIECES {
        let piece = file.with_file_name(format!("contact{index}.stl"));
        if !piece.is_file() {
            break;
        }
        let piece_found = read_mesh_file(&piece)?;
        recording.inputs.push((file_name(&piece), piece_found.sha256));
        pieces.push(piece_found.mesh);
    }
    let of = if pieces.is_empty() { std::slice::from_ref(&found.mesh) } else { &pieces };
    let lowest = |origin: Vector3<f64>| {
        let vertices = found.mesh.vertices.iter();
        vertices.map(|v| (poses[0] * (v - origin)).z).fold(f64::INFINITY, f64::min)
    };
    let center = centre_of_mass(of);
    let origin = match center {
        Some(center) if lowest(center).abs() <= RESTS || lowest(Vector3::zeros()).abs() > RESTS => {
            recording.notes.push(format!(
                "Poses are of the centre of mass: {} of {}.",
                centimetres(&center),
                if pieces.is_empty() {
                    "the mesh".to_owned()
                } else {
                    format!("{} convex pieces", pieces.len())
                }
            ));
            center
        }
        center => {
            let why = match center {
                Some(_) => "by its centre of mass it would not rest on the table at the start",
                None => "its mesh encloses no volume",
            };
            recording.notes.push(format!("Poses are of the origin of the object's mesh: {why}."));
            Vector3::zeros()
        }
    };
    let back = Translation3::from(-origin);
    Ok((found.mesh, poses.into_iter().map(|pose| pose * back).collect()))
}

fn centimetres(v: &Vector3<f64>) -> String {
    // Never "-0.0".
    let [x, y, z] = [v.x, v.y, v.z].map(|x| (1000.0 * x).round() / 10.0 + 0.0);
    format!("({x:.1}, {y:.1}, {z:.1}) cm")
}

/// Of closed surfaces filled with the same matter, whichever way their faces are turned.
fn centre_of_mass(meshes: &[TriMesh]) -> Option<Vector3<f64>> {
    let (mut volume, mut moment) = (0.0, Vector3::zeros());
    for mesh in meshes {
        let (mut own, mut own_moment) = (0.0, Vector3::zeros());
        for face in 0..mesh.faces.len() {
            let [a, b, c] = mesh.triangle(face).map(|p| p.coords);
            let tetrahedron = a.dot(&b.cross(&c)) / 6.0;
            own += tetrahedron;
            own_moment += (a + b + c) * (tetrahedron / 4.0);
        }
        let sign = f64::signum(own);
        volume += sign * own;
        moment += own_moment * sign;
    }
    (volume > 1e-9 && volume.is_finite()).then(|| moment / volume)
}
