//! The keys that say which objects of an archive are parts of others, in clips and rollouts alike.

use crate::{DataError, Npz, NpzWriter};
use dextra_core::{Joint, JointKind, pose};
use nalgebra::{Point3, Vector3};

const PARENT: &str = "joint_parent";
const KIND: &str = "joint_kind";
const AXIS: &str = "joint_axis";
const ANCHOR: &str = "joint_anchor_m";
const RANGE: &str = "joint_range";
const REST_POS: &str = "joint_rest_pos_m";
const REST_QUAT: &str = "joint_rest_quat_wxyz";
/// Coordinates per frame and object.
pub(crate) const COORDINATE: &str = "joint_coordinate";

/// Writes the joints of an archive's objects; nothing when none is a part.
///
/// # Errors
/// When writing fails.
pub fn write_joints(npz: &mut NpzWriter, joints: &[Option<Joint>]) -> Result<(), DataError> {
    if joints.iter().all(Option::is_none) {
        return Ok(());
    }
    let count = joints.len();
    let parents: Vec<i64> = joints.iter().map(|j| j.map_or(-1, |j| j.parent as i64)).collect();
    let kinds: Vec<&str> = joints.iter().map(|j| j.map_or("", |j| j.kind.name())).collect();
    npz.array_i64(PARENT, &[count], &parents)?;
    npz.strings(KIND, &[count], &kinds)?;
    let mut numbers = |key: &str, width: usize, value: &dyn Fn(&Joint) -> Vec<f64>| {
        let of = |joint: &Option<Joint>| joint.as_ref().map_or(vec![0.0; width], value);
        let values: Vec<f64> = joints.iter().flat_map(of).collect();
        npz.array_f64(key, &[count, width], &values)
    };
    numbers(AXIS, 3, &|j| j.axis.as_slice().to_vec())?;
    numbers(ANCHOR, 3, &|j| j.anchor.coords.as_slice().to_vec())?;
    numbers(RANGE, 2, &|j| vec![j.range.0, j.range.1])?;
    numbers(REST_POS, 3, &|j| pose::pos(&j.parent_from_part).to_vec())?;
    numbers(REST_QUAT, 4, &|j| pose::quat_wxyz(&j.parent_from_part).to_vec())
}

/// Reads the joints of `objects` objects: all `None` where the archive has no such keys.
///
/// # Errors
/// Shapes that do not fit, a parent that is no earlier object, a kind that is unknown, an axis without a
/// direction, an empty range, numbers that are not finite.
pub(crate) fn read_joints(npz: &Npz, objects: usize) -> Result<Vec<Option<Joint>>, DataError> {
    if !npz.contains(PARENT) {
        return Ok(vec![None; objects]);
    }
    let (shape, parents) = npz.array_i64(PARENT)?;
    let (kind_shape, kinds) = npz.strings(KIND)?;
    for (key, shape) in [(PARENT, shape), (KIND, kind_shape)] {
        if shape != [objects] {
            return Err(npz.problem(key, format!("the shape is {shape:?}, not [{objects}]")));
        }
    }
    let numbers = |key: &str, width: usize| {
        let (shape, values) = npz.array_f64(key)?;
        if shape != [objects, width] {
            let problem = format!("the shape is {shape:?}, not [{objects}, {width}]");
            return Err(npz.problem(key, problem));
        }
        Ok(values)
    };
    let optional = |key: &str, width: usize, default: &[f64]| match npz.contains(key) {
        true => numbers(key, width),
        false => Ok(default.repeat(objects)),
    };
    let (axes, anchors, ranges) = (numbers(AXIS, 3)?, numbers(ANCHOR, 3)?, numbers(RANGE, 2)?);
    let rest_pos = optional(REST_POS, 3, &[0.0; 3])?;
    let rest_quat = optional(REST_QUAT, 4, &[1.0, 0.0, 0.0, 0.0])?;
    let mut joints = Vec::new();
    for (index, (&parent, kind)) in parents.iter().zip(&kinds).enumerate() {
        if parent == -1 {
            joints.push(None);
            continue;
        }
        let bad = |key: &str, problem: String| {
            Err(npz.problem(key, format!("object {index}: {problem}")))
        };
        let Some(parent) = usize::try_from(parent).ok().filter(|&parent| parent < index) else {
            return bad(PARENT, format!("{parent} is no earlier object; -1 is none"));
        };
        let Some(kind) = JointKind::from_name(kind) else {
            return bad(KIND, format!("`{kind}` is neither `hinge` nor `slider`"));
        };
        let three = |values: &[f64]| Vector3::from_column_slice(&values[3 * index..3 * index + 3]);
        let (axis, anchor, rest) = (three(&axes), three(&anchors), three(&rest_pos));
        let (low, high) = (ranges[2 * index], ranges[2 * index + 1]);
        let q = &rest_quat[4 * index..4 * index + 4];
        let fields: [(&str, &[f64]); 5] = [
            (AXIS, axis.as_slice()),
            (ANCHOR, anchor.as_slice()),
            (RANGE, &[low, high]),
            (REST_POS, rest.as_slice()),
            (REST_QUAT, q),
        ];
        for (key, values) in fields {
            if let Some(value) = values.iter().find(|x| !x.is_finite()) {
                return bad(key, format!("{value} is not a finite number"));
            }
        }
        let Some(axis) = axis.try_normalize(1e-6) else {
            return bad(AXIS, "the axis has no direction".to_owned());
        };
        if low >= high {
            return bad(RANGE, format!("{low} to {high} is empty"));
        }
        let norm = q.iter().map(|x| x * x).sum::<f64>().sqrt();
        if (norm - 1.0).abs() > 1e-2 {
            return bad(REST_QUAT, format!("the quaternion {q:?} has norm {norm:.4}, not 1"));
        }
        joints.push(Some(Joint {
            parent,
            kind,
            axis,
            anchor: Point3::from(anchor),
            parent_from_part: pose::from_pos_quat(rest.into(), [q[0], q[1], q[2], q[3]]),
            range: (low, high),
        }));
    }
    Ok(joints)
}
