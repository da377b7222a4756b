//! Objects that are parts of others, in keypoint clips.

use crate::support::lift;
use dextra_core::{Articulation, Demonstration, Joint, JointKind, Pose, Side, pose};
use dextra_data::{ClipOptions, Npz, NpzWriter, load_clip, write_keypoint_clip};
use nalgebra::{Point3, Vector3};
use std::path::Path;

/// A box that is lifted while its lid opens and its drawer comes out.
fn demo() -> Demonstration {
    let mut demo = lift(Side::Right);
    let hinge = Joint {
        parent: 0,
        kind: JointKind::Hinge,
        axis: Vector3::new(-1.0, 0.5, 0.0).normalize(),
        anchor: Point3::new(0.0, 0.03, 0.03),
        parent_from_part: Pose::new(Vector3::new(0.0, 0.01, 0.03), Vector3::new(0.1, 0.0, 0.2)),
        range: (-0.1, 1.9),
    };
    let slider = Joint { kind: JointKind::Slider, range: (0.0, 0.1), ..hinge };
    for (name, joint, step) in [("lid", hinge, 0.02), ("drawer", slider, 0.001)] {
        let mut part = demo.objects[0].clone();
        part.name = name.to_owned();
        let coordinate = (0..demo.frames()).map(|f| step * f as f64).collect();
        part.articulation = Some(Articulation { joint, coordinate });
        demo.objects.push(part);
    }
    demo.place_parts();
    demo
}

#[test]
fn parts_read_back_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("box.npz");
    let demo = demo();
    write_keypoint_clip(&path, &demo).unwrap();
    let read = load_clip(&path, &ClipOptions::default()).unwrap();
    assert_eq!(read.objects[0].articulation, None);
    for (ours, theirs) in demo.objects.iter().zip(&read.objects).skip(1) {
        let (a, b) = (ours.articulation.as_ref().unwrap(), theirs.articulation.as_ref().unwrap());
        assert_eq!(a.coordinate, b.coordinate);
        assert_eq!((a.joint.parent, a.joint.kind, a.joint.range), (0, b.joint.kind, b.joint.range));
        assert!((a.joint.axis - b.joint.axis).norm() < 1e-12);
        assert!((a.joint.anchor - b.joint.anchor).norm() < 1e-12);
        for (p, q) in ours.world_from_object.iter().zip(&theirs.world_from_object) {
            assert!(pose::distance_between(p, q) < 1e-12 && pose::angle_between(p, q) < 1e-7);
        }
    }
    let plain = dir.path().join("plain.npz");
    write_keypoint_clip(&plain, &lift(Side::Right)).unwrap();
    let npz = Npz::open(&plain).unwrap();
    assert!(!npz.keys().any(|key| key.starts_with("joint_")), "nothing of clips without parts");
}

/// Writes the clip again with one array of numbers replaced.
fn spoilt(dir: &Path, key: &str, change: impl Fn(&mut Vec<f64>)) -> String {
    let path = dir.join("box.npz");
    write_keypoint_clip(&path, &demo()).unwrap();
    let npz = Npz::open(&path).unwrap();
    let mut writer = NpzWriter::create(&path).unwrap();
    for name in npz.keys() {
        let array = npz.array(name).unwrap();
        let shape = array.shape();
        if let Some(words) = array.strings() {
            writer.strings(name, shape, &words).unwrap();
        } else if let (Some(integers), false) = (array.i64s(), name == key) {
            writer.array_i64(name, shape, &integers).unwrap();
        } else {
            let mut values = array.f64s().unwrap();
            if name == key {
                change(&mut values);
            }
            match array.i64s() {
                Some(_) => {
                    let integers: Vec<i64> = values.iter().map(|&x| x as i64).collect();
                    writer.array_i64(name, shape, &integers).unwrap();
                }
                None => writer.array_f64(name, shape, &values).unwrap(),
            }
        }
    }
    writer.finish().unwrap();
    load_clip(&path, &ClipOptions::default()).unwrap_err().to_string()
}

#[test]
fn bad_joints_are_refused_with_file_field_and_frame() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, usize, f64, &str); 8] = [
        ("joint_parent", 1, 1.0, "object 1: 1 is no earlier object"),
        ("joint_parent", 2, -7.0, "object 2: -7 is no earlier object"),
        ("joint_range", 2, 5.0, "object 1: 5 to 1.9 is empty"),
        ("joint_anchor_m", 7, f64::NAN, "object 2: NaN is not a finite number"),
        ("joint_rest_quat_wxyz", 4, 0.0, "norm"),
        // Object 1 at frame 20 of three objects.
        ("joint_coordinate", 61, 1.5, "frame 20: object 1 is recorded"),
        ("joint_coordinate", 61, f64::NAN, "frame 20: NaN is not a finite number"),
        ("joint_coordinate", 61, 2.5, "frame 20: object 1: 2.5 is outside its range"),
    ];
    for (key, index, value, wanted) in cases {
        let error = spoilt(dir.path(), key, |values| values[index] = value);
        assert!(error.contains("box.npz") && error.contains(key), "{error}");
        assert!(error.contains(wanted), "{error}");
    }
    let error = spoilt(dir.path(), "joint_axis", |axes| axes[3..6].fill(0.0));
    assert!(error.contains("object 1: the axis has no direction"), "{error}");
}
