//! Data sets of hands as parameters: files that NumPy, PyTorch and PyYAML wrote in the layouts of the
//! real ones (`fixtures/recordings/make.py`), with a made-up model of MANO's shapes.

use crate::model::models;
use crate::support::copy;
use dextra_core::demonstration::Keypoints;
use dextra_core::{Demonstration, Pose, Side};
use dextra_data::clip::import::{Format, ImportOptions, import};
use dextra_data::mano::{self, Mano, Origin, POSE, Tips, VERTICES};
use dextra_data::{ClipOptions, NpzWriter};
use nalgebra::{Point3, Rotation3, UnitQuaternion, Vector3};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const FRAMES: usize = 4;

/// What is stored as `f4` is read back to this.
const ROUNDING_M: f64 = 2e-6;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings").join(name)
}

/// The numbers of `make.py`.
mod made {
    use super::*;

    pub fn betas() -> Vec<f64> {
        (0..10).map(|i| 0.1 * (f64::from(i) - 4.0)).collect()
    }

    pub fn wrist(t: usize) -> [f64; 3] {
        [0.1 * t as f64, 0.2, -0.3]
    }

    pub fn pose(t: usize) -> [f64; POSE] {
        std::array::from_fn(|i| 0.01 * (((7 * i + t) % 11) as f64 - 5.0))
    }

    pub fn hand_at(t: usize) -> Vector3<f64> {
        Vector3::new(0.1 + 0.01 * t as f64, 0.2, 0.9)
    }

    pub fn object(t: usize) -> Pose {
        let turn = Rotation3::new(Vector3::new(0.3, -0.2 + 0.1 * t as f64, 0.5));
        let at = Vector3::new(0.12 + 0.01 * t as f64, 0.22, 0.95);
        Pose::from_parts(at.into(), UnitQuaternion::from_rotation_matrix(&turn))
    }
}

struct Case {
    folder: tempfile::TempDir,
    options: ImportOptions,
}

impl Case {
    fn new() -> Case {
        let folder = tempfile::tempdir().unwrap();
        models(folder.path());
        let options =
            ImportOptions { mano: Some(folder.path().to_owned()), ..ImportOptions::default() };
        Case { folder, options }
    }

    fn read(&self, format: Format, path: &str) -> Demonstration {
        import(format, &fixture(path), &self.options).unwrap()
    }

    fn mano(&self, side: Side) -> Mano {
        Mano::load(self.folder.path(), side).unwrap()
    }

    /// Keypoints of frame `t` by the conventions stated; `betas` of the data set unless empty.
    fn keypoints(
        &self,
        t: usize,
        side: Side,
        origin: Origin,
        betas: &[f64],
        pose: &[f64; POSE],
    ) -> Keypoints {
        let mano = self.mano(side);
        let turns = mano::rotations(made::wrist(t), pose);
        mano.shaped(betas).keypoints(&turns, made::hand_at(t), origin, Tips::Manopth)
    }
}

fn assert_hand(demo: &Demonstration, hand: usize, frame: usize, wanted: &Keypoints) {
    for (k, (found, wanted)) in
        demo.hands[hand].keypoints_in_world[frame].iter().zip(wanted).enumerate()
    {
        assert!(
            (found - wanted).norm() < ROUNDING_M,
            "frame {frame} keypoint {k}: {found} {wanted}"
        );
    }
}

fn assert_object(demo: &Demonstration, object: usize, frame: usize, wanted: &Pose) {
    let found = demo.objects[object].world_from_object[frame];
    let turn = found.rotation.angle_to(&wanted.rotation);
    let away = (found.translation.vector - wanted.translation.vector).norm();
    assert!(turn < 1e-5 && away < ROUNDING_M, "frame {frame}: {found} {wanted}");
}

/// The cube of every data set measures 6 cm, whatever the unit of its file.
fn assert_cube(demo: &Demonstration, object: usize) {
    let (low, high) = demo.objects[object].mesh.bounds().unwrap();
    assert!(((high - low) - Vector3::repeat(0.06)).norm() < 1e-6, "{low} {high}");
}

fn flat(pose: &[f64; POSE]) -> [f64; POSE] {
    *pose
}

fn around_mean(pose: &[f64; POSE]) -> [f64; POSE] {
    pose.map(|x| x + 0.02)
}

#[test]
fn taco_has_wrists_as_translations_and_meshes_in_centimetres() {
    let case = Case::new();
    let demo = case.read(Format::Taco, "taco/Hand_Poses/(stir, spoon, bowl)/20230917_001");
    assert_eq!((demo.frames(), demo.fps, demo.hands.len()), (FRAMES, 30.0, 2));
    for t in 0..FRAMES {
        for (hand, side) in [(0, Side::Right), (1, Side::Left)] {
            let pose = flat(&made::pose(t));
            assert_hand(
                &demo,
                hand,
                t,
                &case.keypoints(t, side, Origin::Wrist, &made::betas(), &pose),
            );
            let wrist = demo.hands[hand].keypoints_in_world[t][0];
            assert!((wrist.coords - made::hand_at(t)).norm() < ROUNDING_M);
        }
        assert_object(&demo, 0, t, &made::object(t));
    }
    assert_cube(&demo, 0);
    assert_eq!(demo.objects[0].name, "tool_012");
    assert_eq!(demo.provenance.licence, "CC-BY-4.0 AND LicenseRef-MANO-non-commercial");
}

#[test]
fn grab_has_transposed_rotations_and_scanned_hands() {
    let case = Case::new();
    let (s1, text) = ("tools/subject_meshes/male", "grab/grab/s1/cube_lift.npz");
    // The person's hand at rest: the model's own, moved by what shape 1 0 0 … would.
    let root = case.folder.path().join("data");
    for side in [Side::Right, Side::Left] {
        let mano = case.mano(side);
        let shaped = mano.shaped(&[1.0]);
        let identity = mano::rotations([0.0; 3], &[0.0; POSE]);
        let vertices = shaped.surface(&identity, Vector3::zeros(), Origin::Model);
        let mut ply = format!(
            "ply\nformat ascii 1.0\nelement vertex {VERTICES}\nproperty float x\nproperty float y\n\
             property float z\nelement face {}\nproperty list uchar int vertex_indices\nend_header\n",
            VERTICES - 2
        );
        vertices.iter().for_each(|v| writeln!(ply, "{} {} {}", v.x, v.y, v.z).unwrap());
        (2..VERTICES).for_each(|i| writeln!(ply, "3 {} {} {i}", i - 2, i - 1).unwrap());
        std::fs::create_dir_all(root.join(s1)).unwrap();
        let letter = &side.name()[..1];
        std::fs::write(root.join(format!("{s1}/s1_{letter}hand.ply")), ply).unwrap();
    }
    let options = ImportOptions { meshes: Some(root), ..case.options.clone() };
    let demo = import(Format::Grab, &fixture(text), &options).unwrap();
    assert_eq!((demo.frames(), demo.fps), (FRAMES, 120.0));
    for t in 0..FRAMES {
        let mut pose = made::pose(t);
        pose[24..].fill(0.0);
        assert_hand(&demo, 0, t, &case.keypoints(t, Side::Right, Origin::Model, &[1.0], &pose));
        let stored = made::object(t);
        let wanted = Pose::from_parts(stored.translation, stored.rotation.inverse());
        assert_object(&demo, 0, t, &wanted);
    }
    assert_cube(&demo, 0);
    assert!(demo.provenance.licence.starts_with("LicenseRef-GRAB-non-commercial"));
    let error = import(Format::Grab, &fixture(text), &case.options).unwrap_err().to_string();
    assert!(error.contains("s1_rhand.ply"), "{error}");
}

#[test]
fn arctic_has_millimetres_beside_metres_and_two_parts() {
    let mut case = Case::new();
    case.options.clip.up_axis = Some(dextra_data::UpAxis::Z);
    let demo = case.read(Format::Arctic, "arctic/raw_seqs/s01/box_grab_01.mano.npy");
    assert_eq!((demo.frames(), demo.name.as_str()), (FRAMES, "box_grab_01"));
    let names: Vec<&str> = demo.objects.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(names, ["box_base", "box_part"]);
    for t in 0..FRAMES {
        let pose = around_mean(&made::pose(t));
        assert_hand(
            &demo,
            0,
            t,
            &case.keypoints(t, Side::Right, Origin::Model, &made::betas(), &pose),
        );
        assert_object(&demo, 0, t, &made::object(t));
        let open = Rotation3::new(Vector3::new(0.0, 0.0, -0.1 * t as f64));
        let open = UnitQuaternion::from_rotation_matrix(&open);
        assert_object(&demo, 1, t, &(made::object(t) * open));
    }
    assert_cube(&demo, 0);
    assert_eq!(demo.objects[0].articulation, None);
    let top = demo.objects[1].articulation.as_ref().unwrap();
    assert_eq!((top.joint.parent, top.joint.kind), (0, dextra_core::JointKind::Hinge));
    for (t, angle) in top.coordinate.iter().enumerate() {
        assert!((angle - 0.1 * t as f64).abs() < 1e-6, "frame {t}: {angle}");
    }
    assert!(top.joint.range.1 > 0.1 * (FRAMES - 1) as f64);
    // Without its base the top is an object of its own.
    case.options.objects = vec!["box_part".to_owned()];
    let alone = case.read(Format::Arctic, "arctic/raw_seqs/s01/box_grab_01.mano.npy");
    assert_eq!((alone.objects.len(), &alone.objects[0].articulation), (1, &None));
    assert!(demo.provenance.licence.contains("ARCTIC-non-commercial"));
    assert!(demo.provenance.notes.iter().any(|note| note.contains("labelled 0 are the top, by")));
}

#[test]
fn points_on_the_top_of_arctic_decide_which_label_is_its() {
    let case = Case::new();
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("arctic"), folder.path());
    let object = folder.path().join("meta/object_vtemplates/box");
    let read = || {
        let path = folder.path().join("raw_seqs/s01/box_grab_01.mano.npy");
        import(Format::Arctic, &path, &case.options).unwrap()
    };
    // The vertices at x = 30 mm are the last four.
    let top =
        |x: f64| format!("{{\"keypoints\": [[{x}, 25, 25], [{x}, -28, 20], [{}, 0, 0]]}}", -x);
    for (labels, first) in [
        ("[1, 1, 1, 1, 0, 0, 0, 0]", "0"),
        ("[0, 0, 0, 0, 1, 1, 1, 1]", "1"),
        ("[false, false, false, false, true, true, true, true]", "1"),
    ] {
        std::fs::write(object.join("parts.json"), labels).unwrap();
        std::fs::write(object.join("top_keypoints_300.json"), top(29.0)).unwrap();
        let demo = read();
        let (low, _) = demo.objects[1].mesh.bounds().unwrap();
        assert!(low.x > 0.0299, "the half at positive x turns: {low}");
        let said = format!("labelled {first} are the top");
        assert!(demo.provenance.notes.iter().any(|note| note.contains(&said)), "{said}");
    }
    // As many points on either half, and no file: the half labelled 0, as in ARCTIC's code.
    let tie = "{\"keypoints\": [[29, 0, 0], [-29, 0, 0]]}";
    std::fs::write(object.join("top_keypoints_300.json"), tie).unwrap();
    for said in ["as near to both", "No top_keypoints_300.json"] {
        let demo = read();
        let (_, high) = demo.objects[1].mesh.bounds().unwrap();
        assert!(high.x < -0.0299, "the half at negative x turns: {high}");
        assert!(demo.provenance.notes.iter().any(|note| note.contains(said)), "{said}");
        let _ = std::fs::remove_file(object.join("top_keypoints_300.json"));
    }
    for malformed in ["{\"keypoints\": [[1, 2]]}", "{\"keypoints\": []}"] {
        std::fs::write(object.join("top_keypoints_300.json"), malformed).unwrap();
        let path = folder.path().join("raw_seqs/s01/box_grab_01.mano.npy");
        let error = import(Format::Arctic, &path, &case.options).unwrap_err().to_string();
        assert!(error.contains("top_keypoints_300.json") && error.contains("keypoints"), "{error}");
    }
}

#[test]
fn oakink_has_quaternions_that_bypass_the_mean_and_y_up() {
    let case = Case::new();
    let demo = case.read(Format::OakInk2, "oakink2/anno_preview/scene_01.pkl");
    // The left hand is not seen in the last of four frames, and one frame in two is there.
    assert_eq!((demo.frames(), demo.fps, demo.hands.len()), (3, 60.0, 2));
    assert!(demo.provenance.notes.iter().any(|n| n.contains("0 to 2 are kept")));
    let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2);
    for t in 0..3 {
        let pose = flat(&made::pose(t));
        let stored = case.keypoints(t, Side::Left, Origin::Wrist, &made::betas(), &pose);
        assert_hand(&demo, 1, t, &stored.map(|p| turn * p));
        assert_object(&demo, 0, t, &(turn * made::object(t)));
    }
    assert_cube(&demo, 0);
    assert!(demo.provenance.licence.starts_with("CC-BY-NC-SA-3.0"));
}

#[test]
fn dexycb_has_the_scalar_last_and_the_tag_on_the_table() {
    let case = Case::new();
    let path = "dexycb/20200709-subject-01/20200709_141754";
    let demo = case.read(Format::DexYcb, path);
    // The object is not annotated in the first frame.
    assert_eq!((demo.frames(), demo.objects[0].name.as_str()), (FRAMES - 1, "cracker_box_003"));
    let quarter = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2);
    let tag = Pose::from_parts(Vector3::new(0.1, 0.2, 0.3).into(), quarter).inverse();
    for t in 1..FRAMES {
        let pose = around_mean(&made::pose(t));
        let stored = case.keypoints(t, Side::Right, Origin::Model, &made::betas(), &pose);
        assert_hand(&demo, 0, t - 1, &stored.map(|p| tag * p));
        assert_object(&demo, 0, t - 1, &(tag * made::object(t)));
    }
    assert!(demo.provenance.licence.starts_with("CC-BY-NC-4.0"));
    // Without MANO the labels are needed, of which there are none here.
    let error = import(Format::DexYcb, &fixture(path), &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("--mano DIR"), "{error}");
}

#[test]
fn dexycb_is_read_without_mano_from_the_labels_of_a_camera() {
    let case = Case::new();
    let root = case.folder.path().join("dexycb");
    let seq = root.join("20200709-subject-01/20200709_141754");
    copy(&fixture("dexycb"), &root);
    // The second camera stands half a metre to the side of the master.
    let camera = seq.join("836212060125");
    std::fs::create_dir_all(&camera).unwrap();
    let mut wanted = Vec::new();
    for t in 0..FRAMES {
        let points = case.keypoints(t, Side::Right, Origin::Model, &[], &made::pose(t));
        let values: Vec<f64> = points.iter().flat_map(|p| [p.x - 0.5, p.y, p.z]).collect();
        let mut npz = NpzWriter::create(&camera.join(format!("labels_{t:06}.npz"))).unwrap();
        npz.array_f64("joint_3d", &[1, 21, 3], &values).unwrap();
        npz.finish().unwrap();
        wanted.push(points);
    }
    let demo = import(Format::DexYcb, &seq, &ImportOptions::default()).unwrap();
    let quarter = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2);
    let tag = Pose::from_parts(Vector3::new(0.1, 0.2, 0.3).into(), quarter).inverse();
    assert_hand(&demo, 0, 0, &wanted[1].map(|p| tag * p));
    assert_eq!(demo.provenance.licence, "CC-BY-NC-4.0");
}

#[test]
fn ho3d_looks_through_a_camera_of_opengl() {
    let case = Case::new();
    let demo = case.read(Format::Ho3d, "ho3d/train/MC1");
    // The second of four frames is not annotated: two are left.
    assert_eq!((demo.frames(), demo.objects.len()), (2, 1));
    // Half a turn about x, then -y up: together a quarter turn, y to z.
    let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2);
    for (frame, t) in [(0, 2), (1, 3)] {
        let pose = flat(&made::pose(t));
        let stored = case.keypoints(t, Side::Right, Origin::Model, &made::betas(), &pose);
        assert_hand(&demo, 0, frame, &stored.map(|p: Point3<f64>| turn * p));
        assert_object(&demo, 0, frame, &(turn * made::object(t)));
    }
    assert!(demo.provenance.notes.iter().any(|n| n.contains("tilt is not in the files")));
    assert!(demo.provenance.licence.contains("academic-only"));
}

#[test]
fn without_a_model_the_error_says_whose_it_is() {
    for (format, path) in [
        (Format::Taco, "taco/Hand_Poses/(stir, spoon, bowl)/20230917_001"),
        (Format::Grab, "grab/grab/s1/cube_lift.npz"),
        (Format::Arctic, "arctic/raw_seqs/s01/box_grab_01.mano.npy"),
        (Format::OakInk2, "oakink2/anno_preview/scene_01.pkl"),
    ] {
        let error = import(format, &fixture(path), &ImportOptions::default()).unwrap_err();
        assert!(error.to_string().contains("your own copy of the model (--mano DIR)"), "{error}");
    }
    let mut case = Case::new();
    case.options.clip = ClipOptions { licence: Some("mine".into()), ..ClipOptions::default() };
    let demo = case.read(Format::OakInk2, "oakink2/anno_preview/scene_01.pkl");
    assert_eq!(demo.provenance.licence, "mine");
    let notes = demo.provenance.notes.join("\n");
    assert!(
        notes.contains("non-commercial"),
        "a stated licence does not hide the model's: {notes}"
    );
}

#[test]
fn hot3d_has_fifteen_components_around_the_mean_and_fixes_the_left_shape() {
    let case = Case::new();
    let folder = case.folder.path().join("P0001");
    std::fs::create_dir_all(&folder).unwrap();
    let header =
        "object_uid,timestamp[ns],t_wo_x[m],t_wo_y[m],t_wo_z[m],q_wo_w,q_wo_x,q_wo_y,q_wo_z";
    std::fs::write(folder.join("dynamic_objects.csv"), format!("{header}\n")).unwrap();
    let mut lines = String::new();
    for t in 0..FRAMES {
        let q = UnitQuaternion::from_scaled_axis(Vector3::from(made::wrist(t)));
        let at = made::hand_at(t);
        let hand = serde_json::json!({
            "pose": made::pose(t)[..15],
            "betas": made::betas(),
            "wrist_xform": {"t_xyz": [at.x, at.y, at.z], "q_wxyz": [q.w, q.i, q.j, q.k]},
        });
        let time = 1_000_000_000 + 33_333_333 * t;
        let line = serde_json::json!({"timestamp_ns": time, "hand_poses": {"0": hand, "1": hand}});
        lines += &format!("{line}\n");
    }
    std::fs::write(folder.join("mano_hand_pose_trajectory.jsonl"), lines).unwrap();
    let demo = import(Format::Hot3d, &folder, &case.options).unwrap();
    assert_eq!((demo.frames(), demo.fps), (FRAMES, 30.0));
    let mut left = case.mano(Side::Left);
    left.fix_left_shape(&case.mano(Side::Right));
    let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2);
    for t in 0..FRAMES {
        let mut pose = [0.02; POSE];
        pose.iter_mut().zip(&made::pose(t)[..15]).for_each(|(p, c)| *p += c);
        let turns = mano::rotations(made::wrist(t), &pose);
        let shaped = left.shaped(&made::betas());
        let stored = shaped.keypoints(&turns, made::hand_at(t), Origin::Model, Tips::Smplx);
        assert_hand(&demo, 1, t, &stored.map(|p| turn * p));
    }
    // Without the fix the hand would be another.
    let unfixed = case.mano(Side::Left).shaped(&made::betas()).joints[0];
    assert!((unfixed - left.shaped(&made::betas()).joints[0]).norm() > 1e-5);
    assert!(demo.provenance.licence.contains("MANO-non-commercial"));
}
