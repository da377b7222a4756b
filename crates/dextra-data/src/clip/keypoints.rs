//! Keypoint clips: 21 points per hand and a pose per object, per frame.
//!
//! Keys (T frames, O objects):
//! - `joints21 [T,21,3]`: one hand in MediaPipe order; or `joints21_right`, `joints21_left` for two;
//! - `obj_pos [T,3]` or `[T,O,3]`, `obj_quat_wxyz [T,4]` or `[T,O,4]`, `obj_names [O]`;
//!   a clip without either shows hands alone;
//! - `fps` (or `fps_hz`), frames per second;
//! - optional texts `unit`, `mesh_unit` (m, cm, mm), `up_axis` (x, y, z, -x, -y, -z), `quat_order`
//!   (wxyz, xyzw), `side` (right, left), `mesh` (file names beside the clip), `licence`, `source`, `notes`;
//! - optional `mass_kg [O]` (NaN where unknown), `gravity_m_s2 [3]` (z up);
//! - of objects that are parts of others, the `joint_*` keys of [`crate::joints`] and
//!   `joint_coordinate [T,O]`;
//! - `wrist_quat_wxyz [T,4]` is accepted and not needed: the keypoints hold the palm's frame.

use super::options::{QuatOrder, UpAxis};
use super::settings::{Settings, SideClaim};
use super::{MAX_FRAMES, geometry, objects, parts, upright};
use crate::{DataError, Npz};
use dextra_core::demonstration::{HandTrack, Keypoints, ObjectTrack, keypoint};
use dextra_core::{Demonstration, Pose, Side, pose};
use nalgebra::{Point3, Vector3};
use std::ops::RangeInclusive;
use std::path::Path;

/// Standard gravity as MuJoCo has it, m/s².
pub const GRAVITY: f64 = 9.81;

/// Strength of gravity where one may handle objects, m/s²: the Moon's to Jupiter's.
const GRAVITY_M_S2: RangeInclusive<f64> = 1.6..=25.0;

/// Cosine of the largest angle between gravity and -z: 30 degrees.
const DOWNWARDS: f64 = 0.866;

/// How far the norm of a stored quaternion may be from 1.
const QUAT_TOLERANCE: f64 = 1e-2;

/// Median length of a bone of a hand, metres, metacarpals included.
const BONE_M: RangeInclusive<f64> = 0.004..=0.16;

/// Length no bone has in any one frame, metres. Noise of a centimetre or two is normal, a point that
/// jumps away is not.
const BONE_MAX_M: f64 = 0.25;

pub(super) fn read(npz: &Npz, mut settings: Settings) -> Result<Demonstration, DataError> {
    let fps = frame_rate(&settings, npz)?;
    let tracks = hand_keys(npz)?;
    let mut hands: Vec<Vec<Keypoints>> = Vec::new();
    for (key, _) in &tracks {
        hands.push(keypoints(npz, key)?);
    }
    let frames = hands[0].len();
    for ((key, _), hand) in tracks.iter().zip(&hands) {
        if hand.len() != frames {
            let problem = format!("{} frames, but `{}` has {frames}", hand.len(), tracks[0].0);
            return Err(npz.problem(key, problem));
        }
    }
    let unit = geometry::unit(&mut settings, tracks[0].0, &hands[0])?;
    for point in hands.iter_mut().flatten().flatten() {
        *point *= unit.metres();
    }
    for ((key, _), hand) in tracks.iter().zip(&hands) {
        check_bones(npz.file(), key, hand)?;
    }
    let sides = sides(&mut settings, &tracks, &hands)?;

    let (mut poses, shapes) = object_poses(npz, frames, unit.metres(), settings.quat_order)?;
    check_reach(npz.file(), &poses, &hands)?;
    let names = object_names(npz, poses.len())?;
    let files = objects::find_meshes(&settings, &names, poses.len())?;
    let mut meshes = Vec::new();
    for (file, poses) in files.iter().zip(&poses) {
        meshes.push(objects::mesh_in_metres(&mut settings, file, poses, &hands)?);
    }

    let up = match farthest(&poses) {
        Some(moved) => {
            let points = geometry::surface_points(&meshes[moved], 1000);
            if settings.quat_order.is_none() {
                check_quat_order(npz, &points, &poses[moved], &shapes[moved], &hands)?;
            }
            let scene = upright::Scene { points: &points, poses: &poses[moved], hands: &hands };
            upright::up_axis(&mut settings, &scene)
        }
        None => settings.up_axis.unwrap_or(UpAxis::Z),
    };
    turn_up(up, &mut poses, &mut hands);

    let parts = parts::read(npz, &poses)?;
    let masses = masses(npz, &settings, poses.len())?;
    let gravity = gravity(npz, &mut settings)?;
    let hands = sides
        .into_iter()
        .zip(hands)
        .map(|(side, keypoints_in_world)| HandTrack { side, keypoints_in_world })
        .collect();
    let objects = poses
        .into_iter()
        .zip(meshes)
        .zip(files)
        .zip(parts)
        .enumerate()
        .map(|(index, (((world_from_object, mesh), file), articulation))| ObjectTrack {
            name: names.get(index).cloned().unwrap_or_else(|| identifier(&file)),
            mesh,
            world_from_object,
            mass: masses[index],
            articulation,
        })
        .collect();
    let name = settings.stem();
    let mut demo = Demonstration {
        fps,
        gravity,
        hands,
        objects,
        provenance: settings.provenance(name.clone(), "unknown"),
        name,
    };
    demo.place_parts();
    Ok(demo)
}

/// The object that travels farthest: its rest and lift tell where up is.
pub(super) fn farthest(objects: &[Vec<Pose>]) -> Option<usize> {
    let travel = |poses: &[Pose]| {
        poses.iter().map(|p| pose::distance_between(p, &poses[0])).fold(0.0, f64::max)
    };
    (0..objects.len()).max_by(|&a, &b| travel(&objects[a]).total_cmp(&travel(&objects[b])))
}

/// The frame rate, which nothing in the geometry can tell.
fn frame_rate(settings: &Settings, npz: &Npz) -> Result<f64, DataError> {
    let Some(fps) = settings.fps else {
        let problem = "the frame rate is not stated; give `fps` in the clip, `fps_hz` in the \
                       sidecar or the `fps` option (--fps-hz F)";
        return Err(npz.problem("fps", problem));
    };
    if fps > 1.0 && fps < 1000.0 {
        return Ok(fps);
    }
    Err(npz.problem("fps", format!("{fps} frames per second is outside 1 to 1000")))
}

/// The hand keys that are there, with the side each one's name states.
fn hand_keys(npz: &Npz) -> Result<Vec<(&'static str, Option<Side>)>, DataError> {
    let two: Vec<_> = [("joints21_right", Some(Side::Right)), ("joints21_left", Some(Side::Left))]
        .into_iter()
        .filter(|(key, _)| npz.contains(key))
        .collect();
    match (npz.contains("joints21"), two.is_empty()) {
        (true, true) => Ok(vec![("joints21", None)]),
        (false, false) => Ok(two),
        _ => {
            let problem = "one hand is `joints21`, two are `joints21_right` and `joints21_left`";
            Err(npz.problem("joints21", problem))
        }
    }
}

/// One hand's keypoints, in the clip's unit.
fn keypoints(npz: &Npz, key: &str) -> Result<Vec<Keypoints>, DataError> {
    let (shape, values) = npz.array_f64(key)?;
    if shape.len() != 3 || shape[1] != keypoint::COUNT || shape[2] != 3 {
        let problem = format!("the shape [T, 21, 3] was expected, not {shape:?}");
        return Err(npz.problem(key, problem));
    }
    check_length(npz, key, shape[0])?;
    let width = keypoint::COUNT * 3;
    check_finite(npz, key, &values, width)?;
    Ok(values
        .chunks_exact(width)
        .map(|frame| {
            std::array::from_fn(|k| Point3::new(frame[3 * k], frame[3 * k + 1], frame[3 * k + 2]))
        })
        .collect())
}

pub(super) fn check_length(npz: &Npz, key: &str, frames: usize) -> Result<(), DataError> {
    match frames {
        0 => Err(npz.problem(key, "the clip has no frames")),
        1 => Err(npz.problem(key, "the clip has one frame; a motion needs two")),
        2..=MAX_FRAMES => Ok(()),
        _ => Err(DataError::TooLarge {
            file: npz.file().to_owned(),
            what: format!("the number of frames of `{key}`"),
            size: frames as u64,
            limit: MAX_FRAMES as u64,
        }),
    }
}

pub(super) fn check_finite(
    npz: &Npz,
    key: &str,
    values: &[f64],
    width: usize,
) -> Result<(), DataError> {
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let problem = format!("{} is not a finite number", values[at]);
            Err(DataError::frame(npz.file(), key, at / width.max(1), problem))
        }
    }
}

/// Every bone is of human length: nearly, in every frame; well, in the median over frames.
pub(super) fn check_bones(file: &Path, key: &str, hand: &[Keypoints]) -> Result<(), DataError> {
    for bone in 1..keypoint::COUNT {
        // Fingers hang on the wrist, every other point on the one before it.
        let base = if bone % 4 == 1 { keypoint::WRIST } else { bone - 1 };
        let mut lengths: Vec<f64> = hand.iter().map(|k| (k[bone] - k[base]).norm()).collect();
        let apart =
            |length: f64| format!("points {base} and {bone} are {:.1} cm apart", 100.0 * length);
        if let Some(frame) = lengths.iter().position(|&length| length > BONE_MAX_M) {
            return Err(DataError::frame(file, key, frame, apart(lengths[frame])));
        }
        lengths.sort_by(f64::total_cmp);
        let median = lengths[lengths.len() / 2];
        if !BONE_M.contains(&median) {
            let problem = format!(
                "{} in the median; a hand's bones are {:.1}-{:.0} cm",
                apart(median),
                100.0 * BONE_M.start(),
                100.0 * BONE_M.end()
            );
            return Err(DataError::field(file, key, problem));
        }
    }
    Ok(())
}

/// Decides each hand's side and refuses two of the same.
fn sides(
    settings: &mut Settings,
    tracks: &[(&'static str, Option<Side>)],
    hands: &[Vec<Keypoints>],
) -> Result<Vec<Side>, DataError> {
    let demanded = matches!(settings.side, SideClaim::Demand(_));
    if tracks.len() > 1 && demanded {
        let problem = "the clip holds two hands, whose keys state their sides";
        return Err(DataError::option(&settings.clip, "side", problem));
    }
    let mut sides = Vec::new();
    for ((key, named), hand) in tracks.iter().zip(hands) {
        let claim = match named {
            Some(side) if !demanded => SideClaim::Label(*side, key),
            _ => settings.side,
        };
        sides.push(geometry::side(settings, key, claim, hand)?);
    }
    if sides.len() == 2 && sides[0] == sides[1] {
        let problem = format!("the geometry shows two {} hands", sides[0].name());
        return Err(DataError::field(&settings.clip, tracks[1].0, problem));
    }
    Ok(sides)
}

/// Reads one array of `[T, width]` or `[T, O, width]` and returns it per object and frame.
fn object_array(
    npz: &Npz,
    key: &str,
    frames: usize,
    width: usize,
) -> Result<Vec<Vec<Vec<f64>>>, DataError> {
    let (shape, values) = npz.array_f64(key)?;
    let objects = match shape[..] {
        [_, w] if w == width => 1,
        [_, objects, w] if w == width && objects > 0 => objects,
        _ => {
            let problem =
                format!("the shape [T, {width}] or [T, O, {width}] was expected, not {shape:?}");
            return Err(npz.problem(key, problem));
        }
    };
    if shape[0] != frames {
        let problem = format!("{} frames, but the hand has {frames}", shape[0]);
        return Err(npz.problem(key, problem));
    }
    if objects > 16 {
        return Err(npz.problem(key, format!("{objects} objects; at most 16 are handled")));
    }
    check_finite(npz, key, &values, width * objects)?;
    Ok((0..objects)
        .map(|object| {
            (0..frames)
                .map(|frame| {
                    let at = (frame * objects + object) * width;
                    values[at..at + width].to_vec()
                })
                .collect()
        })
        .collect())
}

type Poses = Vec<Vec<Pose>>;

/// Poses of every object in the recording's frame, in metres, twice: read in the order that is
/// stated or named by the key, and in the other.
fn object_poses(
    npz: &Npz,
    frames: usize,
    metres: f64,
    order: Option<QuatOrder>,
) -> Result<(Poses, Poses), DataError> {
    let key = "obj_quat_wxyz";
    // Hands alone, as a camera without knowledge of objects sees them.
    if !npz.contains("obj_pos") && !npz.contains(key) {
        return Ok((Vec::new(), Vec::new()));
    }
    let positions = object_array(npz, "obj_pos", frames, 3)?;
    let quaternions = object_array(npz, key, frames, 4)?;
    if positions.len() != quaternions.len() {
        let problem =
            format!("{} objects, but `obj_pos` has {}", quaternions.len(), positions.len());
        return Err(npz.problem(key, problem));
    }
    let (mut read, mut other) = (Vec::new(), Vec::new());
    for (positions, quaternions) in positions.iter().zip(&quaternions) {
        let (mut track, mut other_track) = (Vec::new(), Vec::new());
        for (frame, (p, q)) in positions.iter().zip(quaternions).enumerate() {
            check_quat(npz, key, frame, q)?;
            let pos = [p[0] * metres, p[1] * metres, p[2] * metres];
            let scalar_first = pose::from_pos_quat(pos, [q[0], q[1], q[2], q[3]]);
            let scalar_last = pose::from_pos_quat(pos, [q[3], q[0], q[1], q[2]]);
            let swap = order == Some(QuatOrder::Xyzw);
            track.push(if swap { scalar_last } else { scalar_first });
            other_track.push(if swap { scalar_first } else { scalar_last });
        }
        read.push(track);
        other.push(other_track);
    }
    Ok((read, other))
}

pub(super) fn check_quat(npz: &Npz, key: &str, frame: usize, q: &[f64]) -> Result<(), DataError> {
    let norm = q.iter().map(|x| x * x).sum::<f64>().sqrt();
    if (norm - 1.0).abs() <= QUAT_TOLERANCE {
        return Ok(());
    }
    let problem = format!("the quaternion {q:?} has norm {norm:.4}, not 1");
    Err(DataError::frame(npz.file(), key, frame, problem))
}

/// Refuses quaternions that make sense only with the scalar last.
///
/// Rotations between frames are the same angles in both readings, so smoothness tells nothing; but
/// a carrying hand keeps still in the frame of what it carries, and near its surface.
fn check_quat_order(
    npz: &Npz,
    points: &[Point3<f64>],
    named: &[Pose],
    other: &[Pose],
    hands: &[Vec<Keypoints>],
) -> Result<(), DataError> {
    // Of two hands, the one nearer to the object in either reading is the one that carries it.
    let reach = |hand: &Vec<Keypoints>| {
        let named = geometry::grip_distance(points, 1.0, named, hand);
        let other = geometry::grip_distance(points, 1.0, other, hand);
        (named.min(other), other < named + 0.01)
    };
    let carrier = hands
        .iter()
        .map(|hand| (hand, reach(hand)))
        .min_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b));
    let Some((hand, (_, other_reaches))) = carrier else {
        return Ok(());
    };
    let spreads = (geometry::carry_spread(named, hand), geometry::carry_spread(other, hand));
    let (Some(as_named), Some(as_other)) = spreads else {
        return Ok(());
    };
    if other_reaches && as_other < 0.4 * as_named && as_named - as_other > 0.012 {
        let problem = format!(
            "the numbers look like xyzw: while the object moves, the wrist wanders {:.1} cm in its \
             frame, and {:.1} cm when the scalar is read last; reorder them, or state the order \
             with the `quat_order` option (wxyz or xyzw)",
            100.0 * as_named,
            100.0 * as_other
        );
        return Err(npz.problem("obj_quat_wxyz", problem));
    }
    Ok(())
}

/// Some hand comes within a metre of every object at least once.
pub(super) fn check_reach(
    file: &Path,
    objects: &[Vec<Pose>],
    hands: &[Vec<Keypoints>],
) -> Result<(), DataError> {
    for (index, poses) in objects.iter().enumerate() {
        let nearest = hands
            .iter()
            .flat_map(|hand| hand.iter().zip(poses))
            .map(|(k, pose)| (k[keypoint::MIDDLE_MCP].coords - pose.translation.vector).norm())
            .fold(f64::INFINITY, f64::min);
        if nearest > 1.0 {
            let problem = format!(
                "object {index} is never nearer than {nearest:.2} m to a hand: hand and object are \
                 in different units or frames"
            );
            return Err(DataError::field(file, "obj_pos", problem));
        }
    }
    Ok(())
}

pub(super) fn turn_up(up: UpAxis, poses: &mut [Vec<Pose>], hands: &mut [Vec<Keypoints>]) {
    if up == UpAxis::Z {
        return;
    }
    let rotation = up.world_from_recording();
    let turn = nalgebra::UnitQuaternion::from_rotation_matrix(&rotation);
    for point in hands.iter_mut().flatten().flatten() {
        *point = rotation * *point;
    }
    for pose in poses.iter_mut().flatten() {
        *pose = turn * *pose;
    }
}

/// Names of the objects, where the clip has them.
fn object_names(npz: &Npz, objects: usize) -> Result<Vec<String>, DataError> {
    if !npz.contains("obj_names") {
        if objects <= 1 {
            return Ok(Vec::new());
        }
        let problem = format!("{objects} objects need their names");
        return Err(npz.problem("obj_names", problem));
    }
    let (_, names) = npz.strings("obj_names")?;
    if names.len() != objects {
        let problem = format!("{} names for {objects} objects", names.len());
        return Err(npz.problem("obj_names", problem));
    }
    let valid = |name: &String| {
        !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
            && !name.starts_with('.')
    };
    if let Some(name) = names.iter().find(|name| !valid(name)) {
        let problem = format!("`{name}` is not a name of letters, digits, `_`, `-` and `.`");
        return Err(npz.problem("obj_names", problem));
    }
    if let Some(name) = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n)) {
        return Err(npz.problem("obj_names", format!("two objects are called `{}`", name.1)));
    }
    Ok(names)
}

/// A name for the object of a mesh file.
pub(super) fn identifier(mesh: &std::path::Path) -> String {
    let stem = mesh.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let clean: String = stem.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    match clean.chars().next() {
        Some(c) if c.is_alphabetic() => clean,
        _ => format!("object_{clean}"),
    }
}

fn masses(npz: &Npz, settings: &Settings, objects: usize) -> Result<Vec<Option<f64>>, DataError> {
    if let Some(mass) = settings.mass_kg {
        if objects > 1 {
            let problem = format!("one mass is stated for {objects} objects");
            return Err(DataError::option(&settings.clip, "mass_kg", problem));
        }
        return Ok(vec![Some(mass)]);
    }
    if !npz.contains("mass_kg") {
        return Ok(vec![None; objects]);
    }
    let (_, values) = npz.array_f64("mass_kg")?;
    if values.len() != objects {
        let problem = format!("{} masses for {objects} objects", values.len());
        return Err(npz.problem("mass_kg", problem));
    }
    values
        .into_iter()
        .map(|mass| match mass {
            m if m.is_nan() => Ok(None),
            m if m > 0.0 && m <= 100.0 => Ok(Some(m)),
            m => Err(npz.problem("mass_kg", format!("{m} kg is not a hand-held object's mass"))),
        })
        .collect()
}

/// Gravity: the Earth's unless the clip states another, which is noted, as no result should have been
/// helped by a weak one unseen.
fn gravity(npz: &Npz, settings: &mut Settings) -> Result<Vector3<f64>, DataError> {
    let key = "gravity_m_s2";
    let earth = Vector3::new(0.0, 0.0, -GRAVITY);
    if !npz.contains(key) {
        return Ok(earth);
    }
    let (_, values) = npz.array_f64(key)?;
    let stated = match values[..] {
        [x, y, z] => Vector3::new(x, y, z),
        _ => {
            let problem = format!("three numbers were expected, not {}", values.len());
            return Err(npz.problem(key, problem));
        }
    };
    let strength = stated.norm();
    // With z up, gravity points down; the tables of a few recordings are not quite level.
    if !GRAVITY_M_S2.contains(&strength) || stated.z > -strength * DOWNWARDS {
        let problem = format!(
            "{values:?} m/s² is not gravity: it points to -z and has {} to {} m/s²",
            GRAVITY_M_S2.start(),
            GRAVITY_M_S2.end()
        );
        return Err(npz.problem(key, problem));
    }
    if (stated - earth).norm() > 0.02 {
        settings.note(format!("Gravity is {values:?} m/s², as the clip states."));
    }
    Ok(stated)
}
