//! Reads a rollout that was written as `rollout.npz` or as an episode of a collection.

use crate::joints::read_joints;
use crate::{DataError, Npz};
use dextra_core::demonstration::Provenance;
use dextra_core::rollout::{
    HandRollout, ObjectRollout, Reference, ReferenceFrame, Rollout, StepContacts,
};
use dextra_core::{Pose, Side, pose};
use nalgebra::Point3;
use std::path::Path;

/// A rollout, what it is judged against, and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutFile {
    /// What was measured. Velocities at the start, single contacts and names are not in the file; objects
    /// are called by their numbers, hands by their sides.
    pub rollout: Rollout,
    /// The judged frames; human keypoints are not in the file.
    pub reference: Reference,
    /// Of the demonstration, and the file itself.
    pub provenance: Provenance,
}

/// Reads the file at `path`.
///
/// # Errors
/// A file that cannot be read, and arrays whose shapes do not fit each other.
pub fn load_rollout(path: &Path) -> Result<RolloutFile, DataError> {
    let npz = Npz::open(path)?;
    let dt = npz.scalar_f64("timestep_s")?;
    if !(dt > 0.0 && dt.is_finite()) {
        return Err(npz.problem("timestep_s", "must be above zero"));
    }
    let (steps, nu, ctrl) = matrix(&npz, "ctrl")?;
    let (states, nq, qpos) = matrix(&npz, "qpos")?;
    if steps == 0 || nq == 0 || nu == 0 || states != steps + 1 {
        let problem = format!("{steps} rows do not belong to {states} states of qpos");
        return Err(npz.problem("ctrl", problem));
    }
    let (objects, world_from_object) = poses(&npz, "object_pos", "object_quat_wxyz", states)?;
    let joints = read_joints(&npz, objects)?;
    let objects = (0..objects).map(|o| ObjectRollout {
        name: o.to_string(),
        world_from_object: world_from_object.iter().map(|row| row[o]).collect(),
        joint: joints[o],
    });
    let column = |key: &str| {
        let (shape, values) = npz.array_f64(key)?;
        let fits = shape == [steps];
        let problem = || npz.problem(key, format!("the shape is {shape:?}, not [{steps}]"));
        if fits { Ok(values) } else { Err(problem()) }
    };
    let (count, force) = (column("hand_object_contacts")?, column("hand_object_force_n")?);
    let inside = column("hand_object_penetration_m")?;
    let (own, table) = (column("self_penetration_m")?, column("hand_table_penetration_m")?);
    let contact = |i: usize| StepContacts {
        hand_object_count: count[i] as u32,
        hand_object_force: force[i],
        hand_object_penetration: inside[i],
        self_penetration: own[i],
        hand_table_penetration: table[i],
        ..StepContacts::default()
    };
    let mut hands = Vec::new();
    for side in [Side::Right, Side::Left] {
        if npz.contains(&format!("{}_keypoints_m", side.name())) {
            hands.push(hand(&npz, side, states)?);
        }
    }
    let rollout = Rollout {
        dt,
        nu,
        ctrl,
        qpos0: qpos[..nq].to_vec(),
        qvel0: Vec::new(),
        qpos: qpos.chunks_exact(nq).map(<[f64]>::to_vec).collect(),
        objects: objects.collect(),
        contacts: (0..steps).map(contact).collect(),
        touches: vec![Vec::new(); steps],
        saturated: column("saturated_fraction")?,
        finite: true,
        seed: npz.array_i64("seed")?.1.first().copied().unwrap_or(0) as u64,
        engine: npz.string("engine")?,
        hands,
    };
    let reference = reference(&npz, &rollout)?;
    Ok(RolloutFile { rollout, reference, provenance: provenance(&npz, path)? })
}

/// The judged frames.
fn reference(npz: &Npz, rollout: &Rollout) -> Result<Reference, DataError> {
    let (_, judged) = npz.array_i64("judged_step")?;
    let count = judged.len();
    let (objects, demanded) = poses(npz, "reference_pos_m", "reference_quat_wxyz", count)?;
    if objects != rollout.objects.len() {
        let problem = format!("{objects} objects, the rollout has {}", rollout.objects.len());
        return Err(npz.problem("reference_pos_m", problem));
    }
    let mut frames = Vec::new();
    for (step, world_from_object) in judged.into_iter().zip(demanded) {
        let step = usize::try_from(step).ok().filter(|&step| step < rollout.qpos.len());
        let step = step.ok_or_else(|| npz.problem("judged_step", "not a state of the rollout"))?;
        let human_keypoints = vec![None; rollout.hands.len()];
        frames.push(ReferenceFrame { step, world_from_object, human_keypoints });
    }
    Ok(Reference { frames })
}

fn hand(npz: &Npz, side: Side, states: usize) -> Result<HandRollout, DataError> {
    let key = |what: &str| format!("{}_{what}", side.name());
    let (_, index) = npz.array_i64(&key("keypoint"))?;
    let keypoints: Result<Vec<usize>, _> = index.into_iter().map(usize::try_from).collect();
    let keypoints = keypoints.map_err(|_| npz.problem(&key("keypoint"), "below zero"))?;
    let (shape, points) = npz.array_f64(&key("keypoints_m"))?;
    if shape != [states, keypoints.len(), 3] {
        let problem = format!("the shape is {shape:?}, not [{states}, {}, 3]", keypoints.len());
        return Err(npz.problem(&key("keypoints_m"), problem));
    }
    let point = |p: &[f64]| Point3::new(p[0], p[1], p[2]);
    let row = 3 * keypoints.len();
    let state = |s: usize| points[s * row..(s + 1) * row].chunks_exact(3).map(point).collect();
    let keypoints_in_world = (0..states).map(state).collect();
    Ok(HandRollout { hand: side.name().to_owned(), side, keypoints, keypoints_in_world })
}

fn provenance(npz: &Npz, path: &Path) -> Result<Provenance, DataError> {
    let (_, words) = npz.strings("inputs_sha256")?;
    let pairs = words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Provenance {
        source: npz.string("source")?,
        licence: npz.string("licence")?,
        inputs_sha256: pairs.chain([(name, npz.sha256().to_owned())]).collect(),
        notes: Vec::new(),
    })
}

/// An array of two axes: rows, columns, numbers.
fn matrix(npz: &Npz, key: &str) -> Result<(usize, usize, Vec<f64>), DataError> {
    match npz.array_f64(key)? {
        (shape, values) if shape.len() == 2 => Ok((shape[0], shape[1], values)),
        (shape, _) => Err(npz.problem(key, format!("the shape is {shape:?}, not of two axes"))),
    }
}

/// Number of objects, and their poses `[rows][objects]`.
fn poses(
    npz: &Npz,
    position: &str,
    quaternion: &str,
    rows: usize,
) -> Result<(usize, Vec<Vec<Pose>>), DataError> {
    let (shape, places) = npz.array_f64(position)?;
    let (turned, quats) = npz.array_f64(quaternion)?;
    let [found, objects, 3] = shape[..] else {
        return Err(
            npz.problem(position, format!("the shape is {shape:?}, not [rows, objects, 3]"))
        );
    };
    if found != rows || turned != [rows, objects, 4] {
        let problem = format!("the shapes are {shape:?} and {turned:?} for {rows} rows");
        return Err(npz.problem(position, problem));
    }
    let unit = |q: &&[f64]| (q.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-3;
    if !quats.chunks_exact(4).all(|q| unit(&q)) {
        return Err(npz.problem(quaternion, "not of unit norm"));
    }
    let pose = |(p, q): (&[f64], &[f64])| {
        pose::from_pos_quat([p[0], p[1], p[2]], [q[0], q[1], q[2], q[3]])
    };
    let all: Vec<Pose> = places.chunks_exact(3).zip(quats.chunks_exact(4)).map(pose).collect();
    let row = |r: usize| all[r * objects..(r + 1) * objects].to_vec();
    Ok((objects, (0..rows).map(row).collect()))
}
