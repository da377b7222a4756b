//! Objects of a keypoint clip that are parts of others.

use super::keypoints::check_finite;
use crate::joints::{COORDINATE, read_joints};
use crate::{DataError, Npz, NpzWriter, write_joints};
use dextra_core::{Articulation, Demonstration, Joint, JointKind, Pose, pose};

/// How far a part may be recorded from where its joint has it: metres and radians.
const OFF: (f64, f64) = (0.02, 0.175);
/// How far a coordinate may lie outside its range, radians and metres.
const BEYOND: (f64, f64) = (0.09, 0.01);

/// Reads the joint of every object and its coordinates, and checks them against the poses (world
/// frame, `[O][T]`).
pub(super) fn read(npz: &Npz, poses: &[Vec<Pose>]) -> Result<Vec<Option<Articulation>>, DataError> {
    let joints = read_joints(npz, poses.len())?;
    if joints.iter().all(Option::is_none) {
        return Ok(vec![None; poses.len()]);
    }
    let (objects, frames) = (poses.len(), poses[0].len());
    let (shape, values) = npz.array_f64(COORDINATE)?;
    if shape != [frames, objects] {
        let problem = format!("the shape is {shape:?}, not [{frames}, {objects}]");
        return Err(npz.problem(COORDINATE, problem));
    }
    check_finite(npz, COORDINATE, &values, objects)?;
    let part = |(index, joint): (usize, Option<Joint>)| {
        let Some(joint) = joint else { return Ok(None) };
        let coordinate: Vec<f64> = values.iter().skip(index).step_by(objects).copied().collect();
        check(npz, index, &joint, &coordinate, poses)?;
        Ok(Some(Articulation { joint, coordinate }))
    };
    joints.into_iter().enumerate().map(part).collect()
}

fn check(
    npz: &Npz,
    index: usize,
    joint: &Joint,
    coordinate: &[f64],
    poses: &[Vec<Pose>],
) -> Result<(), DataError> {
    let (low, high) = joint.range;
    let slack = if joint.kind == JointKind::Hinge { BEYOND.0 } else { BEYOND.1 };
    for (frame, (&q, parent)) in coordinate.iter().zip(&poses[joint.parent]).enumerate() {
        let bad = |problem: String| Err(DataError::frame(npz.file(), COORDINATE, frame, problem));
        if q < low - slack || q > high + slack {
            return bad(format!("object {index}: {q} is outside its range, {low} to {high}"));
        }
        let (wanted, there) = (parent * joint.parent_from_part_at(q), &poses[index][frame]);
        let distance = pose::distance_between(&wanted, there);
        let angle = pose::angle_between(&wanted, there);
        if distance > OFF.0 || angle > OFF.1 {
            return bad(format!(
                "object {index} is recorded {:.1} cm and {:.0} deg from where its joint has it at {q}",
                100.0 * distance,
                angle.to_degrees()
            ));
        }
    }
    Ok(())
}

/// Writes the joints of a demonstration's objects; nothing when none is a part.
pub(super) fn write(npz: &mut NpzWriter, demo: &Demonstration) -> Result<(), DataError> {
    let parts = || demo.objects.iter().map(|object| object.articulation.as_ref());
    let joints: Vec<Option<Joint>> = parts().map(|part| part.map(|p| p.joint)).collect();
    if joints.iter().all(Option::is_none) {
        return Ok(());
    }
    write_joints(npz, &joints)?;
    let at = |frame: usize| parts().map(move |part| part.map_or(0.0, |p| p.coordinate[frame]));
    let values: Vec<f64> = (0..demo.frames()).flat_map(at).collect();
    npz.array_f64(COORDINATE, &[demo.frames(), demo.objects.len()], &values)
}
