//! Keypoint clips: what is stated, what is inferred, what is refused.

use crate::support::{Clip, lift};
use dextra_core::demonstration::chirality;
use dextra_core::{Demonstration, Pose, Side};
use dextra_data::{
    ClipOptions, DataError, QuatOrder, Unit, UpAxis, load_clip, write_keypoint_clip,
};
use nalgebra::{Point3, UnitQuaternion, Vector3};

fn load(clip: &Clip) -> Result<Demonstration, DataError> {
    load_with(clip, &ClipOptions::default())
}

fn load_with(clip: &Clip, opts: &ClipOptions) -> Result<Demonstration, DataError> {
    let dir = tempfile::tempdir().unwrap();
    load_clip(&clip.save(dir.path()), opts)
}

fn noted(demo: &Demonstration, words: &str) -> bool {
    demo.provenance.notes.iter().any(|note| note.contains(words))
}

/// Largest distance between keypoints of two demonstrations, metres.
fn apart(a: &Demonstration, b: &Demonstration) -> f64 {
    assert_eq!(a.frames(), b.frames());
    let points = |demo: &Demonstration| -> Vec<Point3<f64>> {
        demo.hands.iter().flat_map(|h| h.keypoints_in_world.iter().flatten().copied()).collect()
    };
    let (a, b) = (points(a), points(b));
    a.iter().zip(&b).map(|(p, q)| (p - q).norm()).fold(0.0, f64::max)
}

#[test]
fn the_test_clip_is_what_it_claims() {
    for side in [Side::Right, Side::Left] {
        let demo = lift(side);
        let evidence = chirality(&demo.hands[0].keypoints_in_world);
        assert_eq!(evidence > 0.0, side == Side::Right);
        assert!(evidence.abs() > 0.02);
        let lowest = demo.hands[0].keypoints_in_world.iter().flatten().map(|p| p.z);
        assert!(lowest.fold(f64::INFINITY, f64::min) > 0.5, "a hand goes through the table");
    }
}

#[test]
fn a_clip_without_statements_is_read_from_its_geometry() {
    for side in [Side::Right, Side::Left] {
        let demo = load(&Clip::new(side)).unwrap();
        assert_eq!(demo.hands[0].side, side);
        assert!(apart(&demo, &lift(side)) < 1e-12);
        assert!(noted(&demo, "up axis is read as z"), "{:?}", demo.provenance.notes);
        assert_eq!(demo.objects[0].name, "box");
        assert_eq!(demo.provenance.licence, "unknown");
    }
}

#[test]
fn centimetres_and_millimetres_are_recognised_by_the_hand() {
    for (factor, unit) in [(100.0, "cm"), (1000.0, "mm")] {
        let mut clip = Clip::new(Side::Right);
        clip.scale(factor);
        let demo = load(&clip).unwrap();
        assert!(apart(&demo, &lift(Side::Right)) < 1e-12);
        assert!(noted(&demo, &format!("unit is read as {unit}")));
    }
}

#[test]
fn a_stated_unit_that_makes_a_giant_is_refused_with_the_one_that_fits() {
    let mut clip = Clip::new(Side::Right);
    clip.scale(1000.0);
    clip.state("unit", "m");
    let error = load(&clip).unwrap_err().to_string();
    assert!(error.contains("`m` is stated") && error.contains("`mm` fits"), "{error}");
    let opts = ClipOptions { unit: Some(Unit::Millimetre), ..ClipOptions::default() };
    assert!(load_with(&clip, &opts).is_ok(), "an option overrides the key");
}

#[test]
fn a_hand_of_no_human_size_in_any_unit_is_refused() {
    let mut clip = Clip::new(Side::Right);
    clip.scale(4.0);
    let error = load(&clip).unwrap_err().to_string();
    assert!(error.contains("joints21") && error.contains("no unit"), "{error}");
}

#[test]
fn a_mesh_in_millimetres_or_centimetres_is_recognised_by_the_grip() {
    for (factor, unit) in [(1000.0, "mm"), (100.0, "cm")] {
        let mut clip = Clip::new(Side::Right);
        clip.mesh.as_mut().unwrap().vertices.iter_mut().for_each(|v| *v *= factor);
        let demo = load(&clip).unwrap();
        assert!(noted(&demo, &format!("is read in {unit}")), "{:?}", demo.provenance.notes);
        let (low, high) = demo.objects[0].mesh.bounds().unwrap();
        assert!((high - low - Vector3::new(0.06, 0.05, 0.06)).norm() < 1e-12);
    }
}

#[test]
fn a_mesh_of_impossible_size_names_its_size_and_the_option() {
    for factor in [1e-3, 1e6] {
        let mut clip = Clip::new(Side::Right);
        clip.mesh.as_mut().unwrap().vertices.iter_mut().for_each(|v| *v *= factor);
        let error = load(&clip).unwrap_err().to_string();
        assert!(error.contains("box.obj") && error.contains("mesh_unit"), "{error}");
        let diagonal = Vector3::new(0.06, 0.05, 0.06).norm() * factor;
        assert!(error.contains(&format!("{diagonal:.4} m across")), "{error}");
    }
}

#[test]
fn every_up_axis_is_recognised_and_turned_to_z() {
    for axis in UpAxis::ALL {
        let turn = UnitQuaternion::from_rotation_matrix(&axis.world_from_recording()).inverse();
        let mut clip = Clip::new(Side::Right);
        for key in ["joints21", "obj_pos"] {
            for xyz in clip.values(key).chunks_exact_mut(3) {
                let p = turn * Vector3::new(xyz[0], xyz[1], xyz[2]);
                xyz.copy_from_slice(p.as_slice());
            }
        }
        for q in clip.values("obj_quat_wxyz").chunks_exact_mut(4) {
            let pose = dextra_core::pose::from_pos_quat([0.0; 3], [q[0], q[1], q[2], q[3]]);
            q.copy_from_slice(&dextra_core::pose::quat_wxyz(&(turn * pose)));
        }
        let demo = load(&clip).unwrap();
        assert!(noted(&demo, &format!("read as {} ", axis.name())), "{:?}", demo.provenance.notes);
        assert!(apart(&demo, &lift(Side::Right)) < 1e-12, "{}", axis.name());
        // A stated axis is not argued with.
        let opts = ClipOptions { up_axis: Some(axis), ..ClipOptions::default() };
        assert_eq!(apart(&load_with(&clip, &opts).unwrap(), &demo), 0.0);
    }
}

#[test]
fn a_label_that_contradicts_the_fingers_loses_and_is_reported() {
    let mut clip = Clip::new(Side::Left);
    clip.stem = "box_right".to_owned();
    let demo = load(&clip).unwrap();
    assert_eq!(demo.hands[0].side, Side::Left);
    assert!(noted(&demo, "the file name says right"));
    clip.state("side", "left");
    assert!(!noted(&load(&clip).unwrap(), "Handedness"), "a right label needs no note");
    let opts = ClipOptions { side: Some(Side::Right), ..ClipOptions::default() };
    let error = load_with(&clip, &opts).unwrap_err();
    assert!(matches!(error, DataError::Option { option: "side", .. }), "{error}");
}

#[test]
fn straight_fingers_leave_the_decision_to_the_label() {
    let mut clip = Clip::new(Side::Right);
    // Fingers laid into the plane of the palm, along the metacarpals.
    for frame in clip.values("joints21").chunks_exact_mut(63) {
        let at = |f: &[f64], k: usize| Vector3::new(f[3 * k], f[3 * k + 1], f[3 * k + 2]);
        let along = (at(frame, 9) - at(frame, 0)).normalize();
        for mcp in [5, 9, 13, 17] {
            for bone in 1..4 {
                let p = at(frame, mcp) + along * 0.03 * bone as f64;
                frame[3 * (mcp + bone)..3 * (mcp + bone) + 3].copy_from_slice(p.as_slice());
            }
        }
    }
    let error = load(&clip).unwrap_err().to_string();
    assert!(error.contains("too straight") && error.contains("--side"), "{error}");
    for side in [Side::Right, Side::Left] {
        let opts = ClipOptions { side: Some(side), ..ClipOptions::default() };
        assert_eq!(load_with(&clip, &opts).unwrap().hands[0].side, side);
    }
}

#[test]
fn quaternions_with_the_scalar_last_are_noticed() {
    let mut clip = Clip::new(Side::Right);
    clip.values("obj_quat_wxyz").chunks_exact_mut(4).for_each(|q| q.rotate_left(1));
    let error = load(&clip).unwrap_err().to_string();
    assert!(error.contains("look like xyzw") && error.contains("quat_order"), "{error}");
    let opts = ClipOptions { quat_order: Some(QuatOrder::Xyzw), ..ClipOptions::default() };
    let demo = load_with(&clip, &opts).unwrap();
    let (read, truth) = (&demo.objects[0], &lift(Side::Right).objects[0]);
    for (a, b) in read.world_from_object.iter().zip(&truth.world_from_object) {
        assert!(a.rotation.angle_to(&b.rotation) < 1e-9);
    }
}

#[test]
fn options_override_the_sidecar_which_overrides_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let mut clip = Clip::new(Side::Right);
    clip.state("licence", "CC-BY-4.0");
    clip.state("source", "keys");
    let path = clip.save(dir.path());
    let licence = |opts: &ClipOptions| load_clip(&path, opts).unwrap().provenance.licence;
    assert_eq!(licence(&ClipOptions::default()), "CC-BY-4.0");
    let sidecar = "licence = \"CC0-1.0\"\nfps_hz = 60.0\nmass_kg = 0.3\n";
    std::fs::write(dir.path().join("lift_box_1.toml"), sidecar).unwrap();
    assert_eq!(licence(&ClipOptions::default()), "CC0-1.0");
    let opts =
        ClipOptions { licence: Some("MIT".to_owned()), fps: Some(120.0), ..ClipOptions::default() };
    assert_eq!(licence(&opts), "MIT");
    let demo = load_clip(&path, &opts).unwrap();
    assert_eq!((demo.fps, demo.objects[0].mass), (120.0, Some(0.3)));
    assert_eq!(demo.provenance.source, "keys");
    let hashed = demo.provenance.inputs_sha256.iter().map(|(name, _)| name.as_str());
    assert_eq!(hashed.collect::<Vec<_>>(), ["lift_box_1.npz", "lift_box_1.toml", "box.obj"]);
}

#[test]
fn the_mesh_is_found_by_name_or_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let clip = Clip::new(Side::Right);
    let path = clip.save(dir.path());
    let name =
        || load_clip(&path, &ClipOptions::default()).map(|demo| demo.objects[0].name.clone());
    assert_eq!(name().unwrap(), "box");
    let copy = |to: &str| std::fs::copy(dir.path().join("box.obj"), dir.path().join(to)).unwrap();
    copy("ox.obj"); // part of the name, but not between underscores
    copy("box_1.obj"); // a longer part
    assert_eq!(name().unwrap(), "box_1");
    copy("lift_box.obj"); // longer still
    assert_eq!(name().unwrap(), "lift_box");
    copy("lift_box_1.obj"); // the clip's own name
    assert_eq!(name().unwrap(), "lift_box_1");
    for stale in ["box_1.obj", "lift_box.obj", "lift_box_1.obj", "box.obj"] {
        std::fs::remove_file(dir.path().join(stale)).unwrap();
    }
    let error = name().unwrap_err().to_string();
    assert!(error.contains("ox.obj") && error.contains("--mesh"), "{error}");
    let opts = ClipOptions { mesh: Some(dir.path().join("ox.obj")), ..ClipOptions::default() };
    assert!(load_clip(&path, &opts).is_ok());
}

#[test]
fn two_meshes_that_fit_equally_are_both_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = Clip::new(Side::Right).save(dir.path());
    std::fs::copy(dir.path().join("box.obj"), dir.path().join("box.stl")).unwrap();
    let error = load_clip(&path, &ClipOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::MeshChoice { .. }));
    assert!(error.to_string().contains("box.obj and box.stl both fit"), "{error}");
}

/// Two hands and two objects, with everything that can be stated.
fn full_demo() -> Demonstration {
    let mut demo = lift(Side::Right);
    let mut left = lift(Side::Left).hands.remove(0);
    let aside = Vector3::new(0.3, 0.2, 0.0);
    left.keypoints_in_world.iter_mut().flatten().for_each(|p| *p += aside);
    demo.hands.push(left);
    let mut cup = demo.objects[0].clone();
    cup.name = "cup".to_owned();
    cup.mass = Some(0.25);
    cup.mesh.vertices.iter_mut().for_each(|v| *v *= 0.1 + 1.0 / 3.0);
    cup.world_from_object.iter_mut().for_each(|pose| pose.translation.vector += aside);
    demo.objects.push(cup);
    demo.provenance.licence = "CC0-1.0".to_owned();
    demo.provenance.source = "test, ünïcode".to_owned();
    demo.provenance.notes = vec!["First note.".to_owned(), "Second.".to_owned()];
    demo.provenance.inputs_sha256 = vec![("a.bin".to_owned(), "00".repeat(32))];
    demo
}

#[test]
fn what_is_written_reads_back() {
    let one = lift(Side::Left);
    for mut demo in [full_demo(), one] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("round.npz");
        write_keypoint_clip(&path, &demo).unwrap();
        let read = load_clip(&path, &ClipOptions::default()).unwrap();
        assert_eq!(read.hands, demo.hands);
        assert_eq!((read.fps, read.gravity), (demo.fps, demo.gravity));
        assert_eq!(read.objects.len(), demo.objects.len());
        for (a, b) in read.objects.iter().zip(&demo.objects) {
            assert_eq!((&a.name, a.mass, &a.mesh), (&b.name, b.mass, &b.mesh));
            for (p, q) in a.world_from_object.iter().zip(&b.world_from_object) {
                assert!((p.to_homogeneous() - q.to_homogeneous()).abs().max() < 1e-12);
            }
        }
        assert_eq!(read.provenance.licence, demo.provenance.licence);
        assert_eq!(read.provenance.source, demo.provenance.source);
        assert_eq!(read.provenance.notes, demo.provenance.notes);
        let earlier = demo.provenance.inputs_sha256.len();
        demo.provenance.inputs_sha256.extend_from_slice(&read.provenance.inputs_sha256[earlier..]);
        assert_eq!(read.provenance.inputs_sha256, demo.provenance.inputs_sha256);
        assert_eq!(read.name, "round");
    }
}

#[test]
fn an_uneven_demonstration_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = lift(Side::Right);
    demo.objects[0].world_from_object.push(Pose::identity());
    let error = write_keypoint_clip(&dir.path().join("x.npz"), &demo).unwrap_err().to_string();
    assert!(error.contains("60 frames"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is half-written");
}
