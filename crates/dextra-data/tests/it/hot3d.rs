//! HOT3D in both of its layouts: a recording's folder and clips of HOT3D-Clips, which Python wrote of one motion
//! (`fixtures/recordings/hot3d/make.py`), and archives made to break the reader.

use crate::model::models;
use crate::support::shared;
use dextra_core::{Demonstration, Pose, Side};
use dextra_data::clip::import::{Format, ImportOptions, import};
use dextra_data::mano::{self, Mano, Origin, POSE, Tips};
use nalgebra::{Point3, UnitQuaternion, Vector3};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::f64::consts::FRAC_PI_2;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Of five frames the last has no left hand.
const FRAMES: usize = 4;

const UMETRACK: &str = "train_quest3/clip-000001.tar";
const MANO: &str = "train_quest3/clip-000002.tar";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings/hot3d").join(name)
}

fn read(path: &Path) -> Demonstration {
    import(Format::Hot3d, path, &ImportOptions::default()).unwrap()
}

/// The world is turned from y up to z up.
fn upright() -> UnitQuaternion<f64> {
    UnitQuaternion::from_axis_angle(&Vector3::x_axis(), FRAC_PI_2)
}

fn assert_alike(a: &Demonstration, b: &Demonstration) {
    assert_eq!((a.frames(), a.fps, a.hands.len()), (b.frames(), b.fps, b.hands.len()));
    for (a, b) in a.hands.iter().zip(&b.hands) {
        assert_eq!(a.side, b.side);
        let points = |hand: &dextra_core::demonstration::HandTrack| {
            hand.keypoints_in_world.iter().flatten().copied().collect::<Vec<_>>()
        };
        let apart = points(a).into_iter().zip(points(b)).map(|(a, b)| (a - b).norm());
        assert!(apart.fold(0.0, f64::max) < 1e-12);
    }
    assert_eq!(a.objects.len(), b.objects.len());
    for (a, b) in a.objects.iter().zip(&b.objects) {
        assert_eq!((&a.name, &a.mesh), (&b.name, &b.mesh));
        for (a, b) in a.world_from_object.iter().zip(&b.world_from_object) {
            assert!((a.translation.vector - b.translation.vector).norm() < 1e-12);
            assert!(a.rotation.angle_to(&b.rotation) < 1e-7);
        }
    }
}

#[test]
fn a_clip_has_the_points_that_chains_of_matrices_have() {
    let demo = read(&fixture(UMETRACK));
    assert_eq!((demo.frames(), demo.fps, demo.name.as_str()), (FRAMES, 30.0, "clip-000001"));
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: Vec<[Vec<[f64; 3]>; 2]> = serde_json::from_str(&text).unwrap();
    for (hand, (side, place)) in [(Side::Right, 1), (Side::Left, 0)].into_iter().enumerate() {
        assert_eq!(demo.hands[hand].side, side);
        for t in 0..FRAMES {
            let found = &demo.hands[hand].keypoints_in_world[t];
            for (k, wanted) in expected[t][place].iter().enumerate() {
                let wanted = upright() * Point3::from(*wanted);
                assert!((found[k] - wanted).norm() < 1e-9, "{} {t} {k}", side.name());
            }
        }
    }
    // Two mugs of six, eight and six centimetres; the third object has no mesh.
    let names: Vec<&str> = demo.objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["mug", "mug-2"]);
    for (object, sign) in demo.objects.iter().zip([-1.0, 1.0]) {
        let (low, high) = object.mesh.bounds().unwrap();
        assert!(((high - low) - Vector3::new(0.06, 0.08, 0.06)).norm() < 1e-6);
        for t in 0..FRAMES {
            let at = Vector3::new(0.06 * sign, 0.93 + 0.01 * t as f64, 0.02);
            let axis = Vector3::new(1.0, sign, 0.5).normalize() * (0.2 * t as f64 + 0.1);
            let wanted = upright() * Pose::new(at, axis);
            let found = object.world_from_object[t];
            assert!((found.translation.vector - wanted.translation.vector).norm() < 1e-12);
            assert!(found.rotation.angle_to(&wanted.rotation) < 1e-7);
        }
    }
    let provenance = &demo.provenance;
    assert_eq!(provenance.source, "HOT3D-Clips, clip-000001");
    assert_eq!(provenance.licence, "LicenseRef-HOT3D-agreement");
    let bytes = std::fs::read(fixture(UMETRACK)).unwrap();
    let digest = dextra_data::atomic::sha256_hex(&bytes);
    assert_eq!(provenance.inputs_sha256[0], ("clip-000001.tar".to_owned(), digest));
    assert_eq!(provenance.inputs_sha256[1].0, "obj_000007.glb");
    assert_eq!(provenance.inputs_sha256.len(), 2);
    let notes = provenance.notes.join("\n");
    for said in ["order in the frame", "not there: dino", "0 to 3 are kept", "UmeTrack"] {
        assert!(notes.contains(said), "{notes}");
    }
}

#[test]
fn a_folder_and_a_clip_of_one_motion_read_alike() {
    assert_alike(&read(&fixture("sequences/quest3_P0099")), &read(&fixture(UMETRACK)));
}

#[test]
fn a_clip_without_a_profile_has_hands_of_mano() {
    let folder = tempfile::tempdir().unwrap();
    models(folder.path());
    let options =
        ImportOptions { mano: Some(folder.path().to_owned()), ..ImportOptions::default() };
    let demo = import(Format::Hot3d, &fixture(MANO), &options).unwrap();
    assert_eq!((demo.frames(), demo.hands.len()), (FRAMES, 2));
    let betas: Vec<f64> = (0..10).map(|i| 0.1 * (f64::from(i) - 4.0)).collect();
    let right = Mano::load(folder.path(), Side::Right).unwrap();
    let mut left = Mano::load(folder.path(), Side::Left).unwrap();
    left.fix_left_shape(&right);
    for t in 0..FRAMES {
        let pose: [f64; POSE] = std::array::from_fn(|i| match i {
            0..15 => 0.02 + 0.01 * (((7 * i + t) % 11) as f64 - 5.0),
            _ => 0.02,
        });
        let turns = mano::rotations([0.1 * t as f64, 0.2, -0.3], &pose);
        let at = Vector3::new(0.1 + 0.01 * t as f64, 0.2, 0.9);
        for (hand, model) in [&right, &left].into_iter().enumerate() {
            let shaped = model.shaped(&betas);
            let wanted = shaped.keypoints(&turns, at, Origin::Model, Tips::Smplx);
            for (found, wanted) in demo.hands[hand].keypoints_in_world[t].iter().zip(&wanted) {
                assert!((found - upright() * wanted).norm() < 1e-9, "{hand} {t}");
            }
        }
    }
    assert_eq!(demo.objects[0].name, "obj_000007");
    assert!(demo.provenance.licence.contains("MANO-non-commercial"));
    let error = import(Format::Hot3d, &fixture(MANO), &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("--mano DIR"), "{error}");
}

#[test]
fn meshes_of_a_clip_are_found_by_option_beside_it_and_above() {
    let folder = tempfile::tempdir().unwrap();
    let (clip, elsewhere) = (folder.path().join("clip-000001.tar"), folder.path().join("x/y"));
    std::fs::copy(fixture(UMETRACK), &clip).unwrap();
    let names = |meshes: Option<PathBuf>| {
        let options = ImportOptions { meshes, ..ImportOptions::default() };
        let demo = import(Format::Hot3d, &clip, &options).unwrap();
        demo.objects.iter().map(|object| object.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(None), Vec::<String>::new());
    let mesh = fixture("object_models_eval/obj_000007.glb");
    for place in ["x/y", "x/y/object_models", "x/y/object_models_eval"] {
        std::fs::create_dir_all(folder.path().join(place)).unwrap();
        let file = folder.path().join(place).join("obj_000007.glb");
        std::fs::copy(&mesh, &file).unwrap();
        assert_eq!(names(Some(elsewhere.clone())), ["mug", "mug-2"], "{place}");
        std::fs::remove_file(file).unwrap();
    }
    std::fs::copy(&mesh, folder.path().join("obj_000007.glb")).unwrap();
    assert_eq!(names(None), ["mug", "mug-2"]);
}

#[test]
fn clips_of_the_test_split_say_that_they_have_no_annotations() {
    let path = fixture("test_quest3/clip-000003.tar");
    let error = import(Format::Hot3d, &path, &ImportOptions::default()).unwrap_err().to_string();
    for said in [
        "clip-000003.tar",
        "no annotations",
        "FRAME.hands.json, FRAME.objects.json not",
        "test split",
    ] {
        assert!(error.contains(said), "{error}");
    }
}

/// Name and bytes of a member.
type Member = (String, Vec<u8>);

/// The members of the clip with UmeTrack's hands.
fn members() -> Vec<Member> {
    let mut archive = tar::Archive::new(std::fs::File::open(fixture(UMETRACK)).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_string_lossy().into_owned(), bytes)
    });
    entries.collect()
}

fn header(name: &str, size: u64, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    // Not by `set_path`, which refuses what is to be tried.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

fn pack(members: &[Member]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let header = header(name, bytes.len() as u64, tar::EntryType::Regular);
        archive.append(&header, &bytes[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

/// The text of the error that this archive gives, which names the file.
fn error_of(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip-000001.tar");
    std::fs::write(&path, bytes).unwrap();
    let error = import(Format::Hot3d, &path, &ImportOptions::default()).unwrap_err().to_string();
    assert!(error.contains("clip-000001.tar"), "{error}");
    error
}

/// The same, of the clip with one member changed; the error names the member.
fn error_with(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut members = members();
    let (_, bytes) = members.iter_mut().find(|member| member.0 == name).unwrap();
    let mut value: Value = serde_json::from_slice(bytes).unwrap();
    change(&mut value);
    *bytes = serde_json::to_vec(&value).unwrap();
    let error = error_of(&pack(&members));
    assert!(error.contains(name), "{error}");
    error
}

fn assert_says(error: &str, words: &[&str]) {
    words.iter().for_each(|word| assert!(error.contains(word), "`{error}` does not say `{word}`"));
}

#[test]
fn a_clip_cut_anywhere_is_an_error() {
    let whole = std::fs::read(fixture(UMETRACK)).unwrap();
    let end = members_end(&whole);
    for length in (0..=end).step_by(256).chain([end - 1, end]) {
        error_of(&whole[..length]);
    }
    assert_says(&error_of(&whole[..end]), &["the end of the archive is missing"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.tar");
    std::fs::write(&path, &whole[..end + 1024]).unwrap();
    read(&path);
}

/// Where the zeros at the end begin, in blocks.
fn members_end(archive: &[u8]) -> usize {
    let last = archive.iter().rposition(|byte| *byte != 0).unwrap();
    (last + 1).next_multiple_of(512)
}

#[test]
fn what_is_no_archive_of_tar_says_so() {
    assert_says(&error_of(&[&b"\x1f\x8b\x08"[..], &[7; 4000]].concat()), &["gzip"]);
    assert_says(&error_of(&[0; 1024]), &["no clip of HOT3D"]);
    error_of(b"");
    error_of(b"{}");
    let gone = Path::new("gone/clip-000009.tar");
    let error = import(Format::Hot3d, gone, &ImportOptions::default()).unwrap_err().to_string();
    assert_says(&error, &["clip-000009.tar", "cannot read"]);
}

#[test]
fn members_that_claim_or_have_too_much_are_refused() {
    let regular = tar::EntryType::Regular;
    for (name, size, said) in [
        ("000000.objects.json", 1 << 32, "size of 000000.objects.json"),
        ("000000.hands.json", 2 << 20, "size of 000000.hands.json"),
        ("__hand_shapes.json__", 9 << 20, "size of __hand_shapes.json__"),
        ("000000.image_1201-1.jpg", 1 << 32, "cut short"),
        ("000000.hands.json", 1 << 19, "cut short"),
        ("x", u64::MAX, "not a plain tar archive"),
        ("x", u64::MAX - 9000, "cut short"),
    ] {
        let error = error_of(&[&header(name, size, regular).as_bytes()[..], &[0; 4096]].concat());
        assert_says(&error, &[said]);
    }
    // An extension of the format that claims a name of a gigabyte is passed over as others.
    let long = header("@LongLink", 1 << 30, tar::EntryType::GNULongName);
    assert_says(&error_of(&[&long.as_bytes()[..], &[0; 4096]].concat()), &["cut short"]);
    let many = vec![("x".to_owned(), Vec::new()); 100_001];
    assert_says(&error_of(&pack(&many)), &["the number of members", "100000"]);
    let late = [("010000.info.json".to_owned(), Vec::new())];
    assert_says(&error_of(&pack(&late)), &["the number of frames", "10001"]);
    let error = error_with("000001.objects.json", |json| {
        let one = json["7"][0].clone();
        json["7"] = vec![one; 65].into();
    });
    assert_says(&error, &["at frame 1", "more than 64 objects"]);
}

#[test]
fn names_of_members_must_be_those_of_a_clip() {
    let mut twice = members();
    twice.push(twice.iter().find(|member| member.0 == "000002.hands.json").unwrap().clone());
    assert_says(&error_of(&pack(&twice)), &["000002.hands.json", "at frame 2", "twice"]);
    let mut shapes = members();
    shapes.push(shapes.last().unwrap().clone());
    assert_says(&error_of(&pack(&shapes)), &["__hand_shapes.json__", "twice"]);
    for name in ["../000002.hands.json", "/000002.hands.json", "a/b/000002.hands.json"] {
        let mut moved = members();
        moved.iter_mut().find(|member| member.0 == "000002.hands.json").unwrap().0 =
            name.to_owned();
        assert_says(&error_of(&pack(&moved)), &["000002.hands.json", "in a folder"]);
    }
    let mut linked = tar::Builder::new(Vec::new());
    let mut link = header("000000.hands.json", 0, tar::EntryType::Symlink);
    link.set_link_name("/etc/passwd").unwrap();
    link.set_cksum();
    linked.append(&link, &b""[..]).unwrap();
    let error = error_of(&linked.into_inner().unwrap());
    assert_says(&error, &["000000.hands.json", "at frame 0", "not an ordinary file"]);
    // What is not of a clip is passed over, whatever its name.
    let mut more = members();
    for name in
        ["._000001.hands.json", "1.hands.json", "00000x.hands.json", "../../x", "\u{1}\u{7f}"]
    {
        more.insert(0, (name.to_owned(), b"{".to_vec()));
    }
    let extension = header("PaxHeaders/000000.info.json", 20, tar::EntryType::XHeader);
    let text = &b"20 mtime=1700000.5\n"[..];
    let extension = [&extension.as_bytes()[..], text, &[0; 512][text.len()..]].concat();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.tar");
    std::fs::write(&path, [extension, pack(&more)].concat()).unwrap();
    read(&path);
}

#[test]
fn frames_that_lack_something_are_named() {
    for kind in ["hands", "objects", "info"] {
        let name = format!("000002.{kind}.json");
        let left: Vec<Member> = members().into_iter().filter(|member| member.0 != name).collect();
        assert_says(&error_of(&pack(&left)), &[&name, "at frame 2", "not in the archive of 5"]);
    }
    let whole = members().into_iter().filter(|member| !member.0.starts_with("000003"));
    let error = error_of(&pack(&whole.collect::<Vec<_>>()));
    assert_says(&error, &["000003.info.json", "at frame 3"]);
    for (kind, said) in [("objects", "FRAME.objects.json"), ("shapes", "__hand_shapes.json__")] {
        let left: Vec<Member> =
            members().into_iter().filter(|member| !member.0.contains(kind)).collect();
        assert_says(&error_of(&pack(&left)), &["no annotations", said]);
    }
}

#[test]
fn poses_that_are_none_name_member_and_frame() {
    // Python writes what no JSON has.
    let mut members = members();
    let (_, bytes) = members.iter_mut().find(|member| member.0 == "000002.objects.json").unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let at = text.find("\"quaternion_wxyz\":[").unwrap() + 19;
    *bytes = format!("{}NaN,{}", &text[..at], &text[at..]).into_bytes();
    assert_says(&error_of(&pack(&members)), &["000002.objects.json", "at frame 2", "column"]);

    let object = |change: fn(&mut Value)| {
        error_with("000001.objects.json", |json| change(&mut json["7"][1]))
    };
    let quaternion =
        object(|mug| mug["T_world_from_object"]["quaternion_wxyz"] = json!([2, 0, 0, 0]));
    assert_says(&quaternion, &["at frame 1", "object 7", "not of norm 1"]);
    for change in [
        |mug: &mut Value| mug["object_bop_id"] = json!("mug"),
        |mug: &mut Value| mug["object_bop_id"] = json!(1_000_000),
        |mug: &mut Value| mug["object_bop_id"] = json!(-1),
        |mug: &mut Value| mug["T_world_from_object"]["translation_xyz"] = json!([1, 2]),
        |mug: &mut Value| mug["T_world_from_object"] = Value::Null,
        |mug: &mut Value| *mug = json!([]),
    ] {
        assert_says(&object(change), &["at frame 1"]);
    }

    let hand = |change: fn(&mut Value)| {
        error_with("000001.hands.json", |json| change(&mut json["right"]["umetrack_pose"]))
    };
    let mirrored = hand(|pose| pose["wrist_xform"][0][0] = json!(-1.0));
    assert_says(&mirrored, &["at frame 1", "the right hand", "no rigid motion"]);
    let last = hand(|pose| pose["wrist_xform"][3] = json!([0.0, 0.0, 0.1, 1.0]));
    assert_says(&last, &["no rigid motion"]);
    let angles = hand(|pose| pose["joint_angles"] = json!(vec![0.0; 21]));
    assert_says(&angles, &["at frame 1", "the right hand", "20 or 22"]);
    assert_says(&hand(|pose| *pose = json!({"joint_angles": vec![0.0; 20]})), &["no rigid motion"]);
    assert_says(&hand(|pose| *pose = json!(vec![0.0; 20])), &["at frame 1"]);
    let shapes = error_with("__hand_shapes.json__", |json| json["mano"] = json!(vec![0.0; 9]));
    assert_says(&shapes, &["not as in HOT3D"]);
    error_of(&pack(&[("000000.info.json".to_owned(), b"\xff".to_vec())]));
}

/// The clip with members changed, beside its meshes.
fn read_with(change: impl Fn(&str, &mut Value)) -> Demonstration {
    let folder = tempfile::tempdir().unwrap();
    let mut members = members();
    for (name, bytes) in members.iter_mut().filter(|(_, bytes)| bytes.starts_with(b"{")) {
        let mut value: Value = serde_json::from_slice(bytes).unwrap();
        change(name, &mut value);
        // Python's json writes numbers that are none, for which a text stands here.
        *bytes = value.to_string().replace("\"NaN\"", "NaN").into_bytes();
    }
    let path = folder.path().join("clip-000001.tar");
    std::fs::write(&path, pack(&members)).unwrap();
    let meshes = Some(fixture(""));
    import(Format::Hot3d, &path, &ImportOptions { meshes, ..ImportOptions::default() }).unwrap()
}

#[test]
fn a_scale_of_the_hand_is_not_applied_and_joints_of_the_wrist_may_be_left_out() {
    let whole = read(&fixture(UMETRACK));
    let scaled = read_with(|name, json| {
        if name == "__hand_shapes.json__" {
            json["umetrack"]["hand_scale"] = json!(1.25);
        }
    });
    assert_alike(&scaled, &whole);
    let notes = scaled.provenance.notes.join("\n");
    assert!(notes.contains("hand_scale of 1.25 is not applied"), "{notes}");
    assert!(!whole.provenance.notes.join("\n").contains("hand_scale"));
    let shorter = read_with(|name, json| {
        if name == "__hand_shapes.json__" {
            for table in json["umetrack"].as_object_mut().unwrap() {
                if let (true, Value::Array(rows)) = (table.0.starts_with("joint_"), table.1) {
                    rows.truncate(20);
                }
            }
        }
    });
    assert_alike(&shorter, &whole);
    // All tables of joints have as many.
    for table in ["joint_rest_positions", "joint_parent"] {
        let mut members = members();
        let (_, bytes) = members.last_mut().unwrap();
        let mut json: Value = serde_json::from_slice(bytes).unwrap();
        json["umetrack"][table].as_array_mut().unwrap().truncate(20);
        *bytes = serde_json::to_vec(&json).unwrap();
        assert_says(&error_of(&pack(&members)), &["`joint_", "the shape ["]);
    }
}

#[test]
fn poses_of_mano_that_are_none_matter_only_where_mano_is_used() {
    let whole = read(&fixture(UMETRACK));
    for pose in [json!({}), json!({"thetas": vec!["NaN"; 15], "wrist_xform": vec!["NaN"; 6]})] {
        let without = read_with(|name, json| {
            if name == "000001.hands.json" {
                json["left"]["mano_pose"] = pose.clone();
                json["right"]["mano_pose"] = pose.clone();
            }
        });
        assert_alike(&without, &whole);
    }
    // NaN where nothing is read is nothing.
    let boxes = read_with(|name, json| {
        if name == "000001.objects.json" {
            json["7"][0]["boxes_amodal"] = json!(["NaN"]);
        }
    });
    assert_alike(&boxes, &whole);
    for (name, find) in [
        ("000001.hands.json", "\"joint_angles\":["),
        ("000002.objects.json", "\"translation_xyz\":["),
        ("__hand_shapes.json__", "\"joint_parent\":["),
    ] {
        let mut members = members();
        let (_, bytes) = members.iter_mut().find(|member| member.0 == name).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replacen(find, &format!("{find}-Infinity,"), 1).into_bytes();
        assert_ne!(text.as_bytes(), bytes);
        let error = error_of(&pack(&members));
        assert_says(&error, &[name, "`-Infinity`, which is not JSON"]);
        if !name.starts_with('_') {
            assert_says(&error, &[&format!("at frame {}", &name[5..6])]);
        }
    }
}

#[test]
fn an_object_that_is_not_seen_leaves_its_track_to_no_other_of_its_kind() {
    // The first mug is seen in two of five frames only.
    let demo = read_with(|name, json| {
        if ["000000", "000001", "000002"].iter().any(|frame| name.starts_with(frame))
            && name.ends_with("objects.json")
        {
            json["7"].as_array_mut().unwrap().remove(0);
        }
    });
    let whole = read(&fixture(UMETRACK));
    assert_eq!(demo.objects.len(), 1);
    assert_eq!(demo.objects[0].name, "mug-2");
    assert_eq!(demo.objects[0].world_from_object, whole.objects[1].world_from_object);
    let notes = demo.provenance.notes.join("\n");
    assert!(notes.contains("where they were last seen"), "{notes}");
}

/// The sample of people's motion, rewritten in the layout of the clips.
#[test]
fn the_sample_of_hot3d_reads_alike_as_a_clip() {
    let Some(folder) = shared("hot3d/quest3_P0002_273c2819") else { return };
    let there = folder.parent().unwrap();
    let text = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let names: Value = serde_json::from_str(&text(there.join("instance.json"))).unwrap();
    let csv = text(folder.join("dynamic_objects.csv"));
    let hands = text(folder.join("umetrack_hand_pose_trajectory.jsonl"));
    let profile: Value =
        serde_json::from_str(&text(folder.join("umetrack_hand_user_profile.json"))).unwrap();
    let mut members = Vec::new();
    for (frame, line) in hands.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let mut found = json!({});
        for (key, side) in [("0", "left"), ("1", "right")] {
            let hand = &line["hand_poses"][key];
            let Some(angles) = hand["joint_angles"].as_array() else { continue };
            let wrist = &hand["wrist_xform"];
            found[side] = json!({"umetrack_pose": {
                "joint_angles": angles[..20],
                "T_world_from_wrist": {"quaternion_wxyz": wrist["q_wxyz"], "translation_xyz": wrist["t_xyz"]},
            }});
        }
        let mut objects = json!({});
        for row in csv.lines().skip(1) {
            let cells: Vec<&str> = row.split(',').collect();
            if cells[1].parse::<i64>().unwrap() != line["timestamp_ns"].as_i64().unwrap() {
                continue;
            }
            let numbers: Vec<f64> = cells[2..].iter().map(|cell| cell.parse().unwrap()).collect();
            let instance = &names[cells[0]];
            objects[instance["instance_bop_id"].as_str().unwrap()] = json!([{
                "object_bop_id": instance["instance_bop_id"],
                "object_name": instance["instance_name"],
                "T_world_from_object": {"translation_xyz": numbers[..3], "quaternion_wxyz": numbers[3..]},
            }]);
        }
        for (kind, value) in [("hands", found), ("objects", objects), ("info", json!({}))] {
            members.push((format!("{frame:06}.{kind}.json"), serde_json::to_vec(&value).unwrap()));
        }
    }
    let shapes = json!({"mano": vec![0.0; 10], "umetrack": profile});
    members.push(("__hand_shapes.json__".to_owned(), serde_json::to_vec(&shapes).unwrap()));
    let root = tempfile::tempdir().unwrap();
    let (clips, meshes) = (root.path().join("train_quest3"), root.path().join("object_models"));
    [&clips, &meshes].into_iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    std::fs::copy(there.join("265826671143948.glb"), meshes.join("obj_000031.glb")).unwrap();
    let path = clips.join("clip-000031.tar");
    std::fs::write(&path, pack(&members)).unwrap();
    let (clip, recording) = (read(&path), read(&folder));
    assert_eq!(clip.objects[0].name, "mouse");
    assert_alike(&clip, &recording);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_clip_with_changed_bytes_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.tar");
        let mut bytes = std::fs::read(fixture(UMETRACK)).unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&path, &bytes).unwrap();
        // Either a recording or an error: both are fine, a panic is not.
        let _ = import(Format::Hot3d, &path, &ImportOptions::default());
    }
}
