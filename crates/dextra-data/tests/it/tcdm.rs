//! TCDM and MyoDM: files that NumPy wrote in their layouts (`fixtures/recordings/with_tcdm/make.py`), and ones that are
//! spoilt.

use crate::support::copy;
use dextra_core::demonstration::keypoint;
use dextra_core::{Demonstration, Side};
use dextra_data::clip::import::{Format, ImportOptions, import};
use dextra_data::{ClipOptions, DataError, NpzWriter, load_clip, write_keypoint_clip};
use nalgebra::{Point3, Vector3};
use std::path::{Path, PathBuf};

const FRAMES: usize = 12;
/// What is stored as 32-bit floats, in meshes, is read back to this.
const ROUNDING_M: f64 = 1e-8;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings/with_tcdm")
}

fn read(format: Format, path: &str) -> Result<Demonstration, DataError> {
    import(format, &fixtures().join(path), &ImportOptions::default())
}

fn tcdm(name: &str) -> Demonstration {
    read(Format::Tcdm, &format!("trajectories/{name}.npz")).unwrap()
}

fn has_note(demo: &Demonstration, words: &str) -> bool {
    demo.provenance.notes.iter().any(|note| note.contains(words))
}

/// How far the cup, and the hand from row 3 on, are lifted in row `t` of the script.
fn lift(t: usize) -> f64 {
    0.01 * t.saturating_sub(3) as f64
}

/// Row `t` of the script is frame `frame` of `demo`: where the middle of the cup is, and the wrist.
fn assert_row(demo: &Demonstration, frame: usize, t: usize) {
    let cup = demo.objects[0].world_from_object[frame];
    let middle = cup.translation.vector - Vector3::new(0.0, 0.0, 0.04 + lift(t));
    assert!(middle.norm() < ROUNDING_M, "row {t}: {middle}");
    assert!((cup.rotation.angle() - 0.6).abs() < 1e-9);
    let wrist = demo.hands[0].keypoints_in_world[frame][keypoint::WRIST];
    let wanted = Point3::new(-0.09 - 0.02 * 3usize.saturating_sub(t) as f64, 0.0, 0.11 + lift(t));
    assert!((wrist - wanted).norm() < 1e-12, "row {t}: {wrist} {wanted}");
}

#[test]
fn joints_are_in_the_order_of_mano_and_poses_of_the_centre_of_mass() {
    let demo = tcdm("cup_drink1");
    assert_eq!((demo.name.as_str(), demo.fps), ("cup_drink1", 25.0));
    // `length` says 11 of 12.
    assert_eq!((demo.frames(), demo.hands.len(), demo.hands[0].side), (11, 1, Side::Right));
    assert_eq!(demo.objects[0].name, "cup");
    for t in 0..11 {
        assert_row(&demo, t, t);
    }
    // The palm looks down and the fingers to x: y of the hand's frame is turned over.
    let points = demo.hands[0].keypoints_in_world[3];
    let at = |x: f64, y: f64, z: f64| Point3::new(x - 0.09, -y, 0.11 - z);
    let near = |index: usize, wanted: Point3<f64>| {
        assert!((points[index] - wanted).norm() < 1e-12, "{index}: {} {wanted}", points[index]);
    };
    near(1, at(0.024, -0.025, 0.012));
    near(3, at(0.074, -0.056, 0.046));
    near(keypoint::INDEX_MCP, at(0.089, -0.022, 0.0));
    near(keypoint::INDEX_MCP + 1, at(0.125, -0.022, 0.004));
    near(keypoint::MIDDLE_MCP, at(0.095, 0.0, 0.0));
    near(13, at(0.088, 0.019, 0.0));
    near(keypoint::PINKY_MCP, at(0.078, 0.036, 0.0));
    near(keypoint::PINKY_MCP + 2, at(0.134, 0.036, 0.012));
    assert!(has_note(&demo, "centre of mass: (-0.7, 0.0, -1.3) cm of 2 convex pieces"));
    assert_eq!(demo.provenance.licence, "LicenseRef-GRAB-non-commercial");
    assert_eq!(demo.provenance.inputs_sha256.len(), 4);
}

#[test]
fn fingertips_are_made_where_the_last_joint_bends_on() {
    let demo = tcdm("cup_drink1");
    assert!(has_note(&demo, "Fingertips are made"));
    let points = demo.hands[0].keypoints_in_world[0];
    for (finger, second, third) in [(1, 0.0225, 0.0250), (2, 0.0250, 0.0260), (4, 0.0185, 0.0220)] {
        let first = 1 + 4 * finger;
        let bones: Vec<Vector3<f64>> =
            (first..first + 3).map(|k| points[k + 1] - points[k]).collect();
        let (bend, coupled) = (bones[0].angle(&bones[1]), bones[1].angle(&bones[2]));
        assert!((coupled - bend * 2.0 / 3.0).abs() < 1e-9, "{bend} {coupled}");
        // On, not back: the whole finger bends by both.
        assert!((bones[0].angle(&bones[2]) - bend - coupled).abs() < 1e-9);
        assert!((bones[2].norm() - bones[1].norm() * third / second).abs() < 1e-12);
        // Down: the palm looks that way.
        assert!(bones[2].z < bones[1].z);
    }
    assert!((points[3] - points[2]).angle(&(points[4] - points[3])) < 1e-7, "a straight thumb");
}

#[test]
fn an_object_with_fewer_rows_goes_with_the_rows_of_the_hand_that_carries_it() {
    let demo = tcdm("cup_pour1");
    assert!(has_note(&demo, "the first of these is row 2 of the hand"));
    // A reference is two rows of ten steps.
    assert_eq!((demo.frames(), demo.fps), (5, 25.0));
    for frame in 0..5 {
        assert_row(&demo, frame, 2 + 2 * frame);
    }
    let demo = tcdm("cup_pass1");
    assert!(has_note(&demo, "`object_translation_original` is read"));
    assert_eq!(demo.frames(), FRAMES);
    for t in 0..FRAMES {
        assert_row(&demo, t, t);
    }
}

#[test]
fn a_trajectory_of_a_robot_alone_says_so() {
    let error = read(Format::Tcdm, "trajectories/dhand_cup.npz").unwrap_err().to_string();
    let told = error.contains("`human_joint_coords`") && error.contains("robots alone");
    assert!(told && error.contains("SIM_SUBSTEPS"), "{error}");
}

#[test]
fn what_is_imported_is_a_clip() {
    let dir = tempfile::tempdir().unwrap();
    for (format, path) in [
        (Format::Tcdm, "trajectories/cup_drink1.npz"),
        (Format::MyoDm, "myodm/MyoHand_cup_drink1.npz"),
    ] {
        let demo = read(format, path).unwrap();
        let clip = dir.path().join(format!("{}.npz", format.name()));
        write_keypoint_clip(&clip, &demo).unwrap();
        let back = load_clip(&clip, &ClipOptions::default()).unwrap();
        assert_eq!((back.frames(), back.fps), (demo.frames(), demo.fps));
        let (a, b) = (&back.hands[0].keypoints_in_world, &demo.hands[0].keypoints_in_world);
        let far = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).norm());
        assert!(far.fold(0.0, f64::max) < 1e-6);
    }
}

#[test]
fn a_myodm_recording_finds_its_mesh_where_others_do() {
    let path = "myodm/MyoHand_cup_drink1.npz";
    let demo = read(Format::MyoDm, path).unwrap();
    assert_eq!((demo.frames(), demo.fps, demo.objects[0].name.as_str()), (FRAMES, 50.0, "cup"));
    for (t, pose) in demo.objects[0].world_from_object.iter().enumerate() {
        assert!((pose.translation.vector.z - 0.04 - lift(t)).abs() < 1e-9, "row {t}: {pose}");
    }
    // A stated mesh counts, a folder of meshes too.
    let dir = tempfile::tempdir().unwrap();
    let alone = dir.path().join("MyoHand_cup_drink1.npz");
    std::fs::copy(fixtures().join(path), &alone).unwrap();
    let error = import(Format::MyoDm, &alone, &ImportOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::MeshChoice { .. }), "{error}");
    let meshes = fixtures().join("tcdm/envs/assets/meshes/objects");
    let stated = ClipOptions { mesh: Some(meshes.join("cup/cup.stl")), ..ClipOptions::default() };
    for options in [
        ImportOptions { clip: stated, ..ImportOptions::default() },
        ImportOptions { meshes: Some(meshes), ..ImportOptions::default() },
    ] {
        assert_eq!(import(Format::MyoDm, &alone, &options).unwrap().objects[0].name, "cup");
    }
    // So does a folder of meshes beside a file that states something else, and a mesh in that file.
    let meshes = fixtures().join("tcdm/envs/assets/meshes/objects");
    std::fs::write(alone.with_extension("toml"), "mass_kg = 0.25\n").unwrap();
    let options = ImportOptions { meshes: Some(meshes.clone()), ..ImportOptions::default() };
    let object = import(Format::MyoDm, &alone, &options).unwrap().objects.remove(0);
    assert_eq!((object.mass, object.mesh.faces.len()), (Some(0.25), 12));
    std::fs::copy(meshes.join("cup/contact0.stl"), dir.path().join("own.stl")).unwrap();
    std::fs::write(alone.with_extension("toml"), "mesh = \"own.stl\"\n").unwrap();
    let demo = import(Format::MyoDm, &alone, &options).unwrap();
    assert!(demo.provenance.inputs_sha256.iter().any(|(name, _)| name == "own.stl"));
    let error = read(Format::MyoDm, "trajectories/cup_drink1.npz").unwrap_err().to_string();
    assert!(error.contains("no `time`"), "{error}");
    let error = read(Format::Tcdm, path).unwrap_err().to_string();
    assert!(error.contains("robots alone"), "{error}");
}

/// The arrays of a file, with some exchanged.
fn spoilt(dir: &Path, change: impl Fn(&mut Arrays)) -> Result<Demonstration, DataError> {
    let mut arrays = Arrays {
        hand: (vec![FRAMES, 16, 3], Vec::new()),
        at: (vec![FRAMES, 3], Vec::new()),
        turn: (vec![FRAMES, 4], Vec::new()),
        substeps: (10.0, 1.0),
        length: FRAMES as f64,
    };
    let npz = dextra_data::Npz::open(&dir.join("trajectories/cup_drink1.npz")).unwrap();
    arrays.hand.1 = npz.array_f64("human_joint_coords").unwrap().1;
    arrays.at.1 = npz.array_f64("object_translation").unwrap().1;
    arrays.turn.1 = npz.array_f64("object_orientation").unwrap().1;
    change(&mut arrays);
    let path = dir.join("trajectories/cup_spoilt.npz");
    let mut writer = NpzWriter::create(&path).unwrap();
    let named = [
        ("human_joint_coords", &arrays.hand),
        ("object_translation", &arrays.at),
        ("object_orientation", &arrays.turn),
    ];
    for (name, (shape, values)) in named {
        writer.array_f64(name, shape, values).unwrap();
    }
    writer.scalar_f64("SIM_SUBSTEPS", arrays.substeps.0).unwrap();
    writer.scalar_f64("DATA_SUBSTEPS", arrays.substeps.1).unwrap();
    writer.scalar_f64("length", arrays.length).unwrap();
    writer.finish().unwrap();
    import(Format::Tcdm, &path, &ImportOptions::default())
}

struct Arrays {
    hand: (Vec<usize>, Vec<f64>),
    at: (Vec<usize>, Vec<f64>),
    turn: (Vec<usize>, Vec<f64>),
    substeps: (f64, f64),
    length: f64,
}

#[test]
fn spoilt_files_are_errors_that_name_the_key() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixtures(), dir.path());
    assert_eq!(spoilt(dir.path(), |_| ()).unwrap().frames(), FRAMES);
    type Change = fn(&mut Arrays);
    let spoil: [(Change, &str); 12] = [
        (|a| a.hand.0 = vec![FRAMES, 48], "`human_joint_coords`: the shape"),
        (|a| a.hand.0 = vec![16, FRAMES, 3], "`human_joint_coords`: the shape"),
        (|a| a.hand.1[3 * 48 + 5] = f64::NAN, "`human_joint_coords` at frame 3"),
        (|a| a.at.1[7] = f64::INFINITY, "`object_translation` at frame 2"),
        (|a| a.turn.1[4] = 3.0, "`object_orientation` at frame 1"),
        (|a| a.turn = (vec![11, 4], a.turn.1[..44].to_vec()), "`object_orientation`: 11 rows"),
        (|a| a.substeps.0 = 0.0, "`SIM_SUBSTEPS`"),
        (|a| a.substeps.0 = 10.5, "`SIM_SUBSTEPS`"),
        (|a| a.substeps.1 = f64::NAN, "`DATA_SUBSTEPS`"),
        (|a| a.substeps.1 = 1e6, "no two frames"),
        (|a| a.length = 13.0, "`length`: 13"),
        (|a| a.length = 1.0, "`object_translation`: the clip has one frame"),
    ];
    for (index, (change, told)) in spoil.into_iter().enumerate() {
        let error = spoilt(dir.path(), change).err().unwrap_or_else(|| panic!("{index} is taken"));
        assert!(error.to_string().contains(told), "{index}: {error}");
    }
    // An object at rest with fewer rows says nothing of when that is.
    let error = spoilt(dir.path(), |a| {
        a.at = (vec![8, 3], a.at.1[..3].repeat(8));
        a.turn = (vec![8, 4], a.turn.1[..32].to_vec());
        a.length = 8.0;
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("8 rows") && error.contains("is not known"), "{error}");
}

#[test]
fn tips_of_the_recording_are_its_last_five_joints_from_thumb_to_pinky() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixtures(), dir.path());
    let tip = |finger: usize| [0.01 * finger as f64, 0.02, 0.15];
    let demo = spoilt(dir.path(), |a| {
        let rows = a.hand.1.chunks_exact(48);
        a.hand.1 = rows
            .flat_map(|row| [row, (0..5).map(tip).collect::<Vec<_>>().as_flattened()].concat())
            .collect();
        a.hand.0[1] = 21;
    });
    let demo = demo.unwrap();
    assert!(!has_note(&demo, "Fingertips are made"));
    for points in &demo.hands[0].keypoints_in_world {
        for finger in 0..5 {
            assert_eq!(points[4 + 4 * finger], Point3::from(tip(finger)));
        }
    }
}

#[test]
fn a_pose_that_floats_by_the_centre_of_mass_is_of_the_origin() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixtures(), dir.path());
    let demo = spoilt(dir.path(), |a| {
        for (t, row) in a.at.1.chunks_exact_mut(3).enumerate() {
            row.copy_from_slice(&[0.0, 0.0, 0.04 + lift(t)]);
        }
    });
    let demo = demo.unwrap();
    assert!(has_note(&demo, "of the origin of the object's mesh"));
    (0..FRAMES).for_each(|t| assert_row(&demo, t, t));
    // Without its pieces the centre of mass is that of the mesh.
    for piece in ["contact0.stl", "contact1.stl"] {
        std::fs::remove_file(dir.path().join("tcdm/envs/assets/meshes/objects/cup").join(piece))
            .unwrap();
    }
    let demo = spoilt(dir.path(), |a| {
        a.at.1.chunks_exact_mut(3).enumerate().for_each(|(t, row)| row[2] = 0.04 + lift(t));
    });
    assert!(has_note(&demo.unwrap(), "cm of the mesh"));
}
