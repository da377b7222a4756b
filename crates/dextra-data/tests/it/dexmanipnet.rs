//! DexManipNet: files that h5py wrote in its layout (`fixtures/recordings/with_robots/make.py`), and ones
//! that are spoilt.

use crate::support::{copy, python};
use dextra_core::demonstration::keypoint;
use dextra_core::{Demonstration, Pose, Side};
use dextra_data::clip::import::{Format, ImportOptions, import};
use dextra_data::{ClipOptions, load_clip, write_keypoint_clip};
use hdf5_pure::FileBuilder;
use nalgebra::{Point3, Rotation3, UnitQuaternion, Vector3};
use std::path::{Path, PathBuf};

const FRAMES: usize = 4;
const RIGHT: &str = "dexmanipnet_favor/sequences/1001_rh";
const BOTH: &str = "dexmanipnet_oakinkv2/sequences/20aed_bih";
const SAME: &str = "dexmanipnet_oakinkv2/sequences/21aed_bih";
const LEFT: &str = "dexmanipnet_oakinkv2/sequences/c9cd3_lh";
/// The object whose URDF is not there.
const MESH: &str = "object_preview/align_ds/O02@0029@00012/model.obj";

/// What is stored as `f4` is read back to this.
const ROUNDING_M: f64 = 1e-6;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings/with_robots")
}

fn read(path: &str) -> Demonstration {
    import(Format::DexManipNet, &fixtures().join(path), &ImportOptions::default()).unwrap()
}

/// The object's pose in frame `t` of the script.
fn object(t: usize, away: f64) -> Pose {
    let turn = Rotation3::new(Vector3::new(0.3, -0.2 + 0.1 * t as f64, 0.5));
    let at = Vector3::new(0.12 + 0.01 * t as f64 + away, 0.22, 0.95);
    Pose::from_parts(at.into(), UnitQuaternion::from_rotation_matrix(&turn))
}

fn assert_object(demo: &Demonstration, index: usize, away: f64) {
    for (t, found) in demo.objects[index].world_from_object.iter().enumerate() {
        let wanted = object(t, away);
        let apart = (found.translation.vector - wanted.translation.vector).norm();
        let turned = found.rotation.angle_to(&wanted.rotation);
        assert!(apart < ROUNDING_M && turned < 1e-5, "frame {t}: {found} {wanted}");
    }
}

fn assert_point(demo: &Demonstration, hand: usize, k: usize, wanted: [f64; 3]) {
    let found = demo.hands[hand].keypoints_in_world[0][k];
    let apart = (found - Point3::from(wanted)).norm();
    // The URDF has pi as 3.1416.
    assert!(apart < 2e-6, "keypoint {k}: {found} instead of {wanted:?}");
}

fn assert_box(demo: &Demonstration, object: usize, middle: [f64; 3], sides: [f64; 3]) {
    let (low, high) = demo.objects[object].mesh.bounds().unwrap();
    let center = nalgebra::center(&low, &high);
    assert!((center.coords - Vector3::from(middle)).norm() < 1e-9, "{center}");
    assert!((high - low - Vector3::from(sides)).norm() < 1e-9, "{low} {high}");
}

fn has_note(demo: &Demonstration, words: &str) -> bool {
    demo.provenance.notes.iter().any(|note| note.contains(words))
}

#[test]
fn the_best_rollout_of_an_inspire_hand_is_read() {
    let demo = read(RIGHT);
    assert_eq!((demo.name.as_str(), demo.frames(), demo.fps), ("1001_rh", FRAMES, 60.0));
    assert_eq!((demo.hands.len(), demo.hands[0].side), (1, Side::Right));
    // The others, and the failed one with the largest reward, are 20 cm and more away.
    assert_object(&demo, 0, 0.0);
    assert!(has_note(&demo, "`rollout_2` is read: of 3 successful rollouts"));
    // The hand is at (0.1, 0.2, 0.9), turned by a quarter about z: (x, y, z) of its frame become
    // (0.1 - y, 0.2 + x, 0.9 + z). Its fingers are straight in the first frame.
    assert_point(&demo, 0, keypoint::INDEX_MCP, [0.23653, 0.20028533, 0.867732]);
    assert_point(&demo, 0, keypoint::MIDDLE_MCP, [0.2371, 0.20028533, 0.88705]);
    assert_point(&demo, 0, 13, [0.23691, 0.20028533, 0.9062872]);
    assert_point(&demo, 0, keypoint::PINKY_MCP, [0.23571, 0.20028533, 0.925488]);
    // The middle finger's next link is at (-0.0024229, 0.032041, -0.001) after half a turn about x.
    assert_point(&demo, 0, 10, [0.269141, 0.19786243, 0.88805]);
    assert_point(&demo, 0, 12, [0.3157453, 0.19359364, 0.89303678]);
    assert_point(&demo, 0, 11, [0.29244315, 0.195728035, 0.89054339]);
    assert_point(&demo, 0, 1, [0.15985, 0.172148, 0.8707401]);
    // 9.5 cm of the 13.7711 from the knuckle to the base.
    assert_point(&demo, 0, keypoint::WRIST, [0.1425211, 0.2000885, 0.8959836]);
    for note in ["a robot's (inspire)", "midway", "left out: 1.", "wrist is put", "non-commercial"]
    {
        assert!(has_note(&demo, note), "{note}");
    }
    assert_eq!(demo.provenance.licence, "LicenseRef-DexManipNet-non-commercial");
    let inputs = demo.provenance.inputs_sha256.iter();
    let read: Vec<&str> = inputs.map(|input| input.0.as_str()).collect();
    assert_eq!(read, ["seq_info.json", "rollouts.hdf5", "cube.urdf", "cube.obj"]);
}

#[test]
fn meshes_are_scaled_and_placed_as_the_urdf_says() {
    let demo = read(RIGHT);
    assert_eq!(demo.objects[0].name, "A01001");
    assert_box(&demo, 0, [0.01, 0.0, 0.0], [0.06; 3]);
    let demo = read(LEFT);
    // Two pieces that collide, one above the other.
    assert_box(&demo, 0, [0.0; 3], [0.03, 0.03, 0.06]);
    assert_eq!(demo.objects[0].mesh.faces.len(), 24);
}

#[test]
fn a_left_hand_is_a_left_one_and_its_length_is_its_rewards() {
    let demo = read(LEFT);
    assert_eq!((demo.hands.len(), demo.hands[0].side, demo.frames()), (1, Side::Left, FRAMES));
    assert!(!has_note(&demo, "Handedness"), "{:?}", demo.provenance.notes);
    assert!(has_note(&demo, "`seq_len` says 5 frames; the rollout has 4"));
    assert_object(&demo, 0, 0.5);
    assert_point(&demo, 0, keypoint::PINKY_MCP, [0.73571, 0.20028533, 0.874512]);
}

#[test]
fn two_shadow_hands_have_an_object_each() {
    let demo = read(BOTH);
    let sides: Vec<Side> = demo.hands.iter().map(|hand| hand.side).collect();
    assert_eq!(sides, [Side::Right, Side::Left]);
    assert!(!has_note(&demo, "Handedness"), "{:?}", demo.provenance.notes);
    let names: Vec<&str> = demo.objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["O02_0029_00012", "C12001"]);
    assert_object(&demo, 0, 0.0);
    assert_object(&demo, 1, 0.5);
    // Its URDF is not there: OakInk-v2's own mesh, in the size in which ManipTrans has it.
    assert_box(&demo, 0, [0.0; 3], [0.072; 3]);
    assert!(has_note(&demo, "1.2 times its size") && has_note(&demo, "OakInk-v2's"));
    assert_point(&demo, 0, keypoint::WRIST, [0.1, 0.2, 0.9]);
    assert_point(&demo, 0, keypoint::INDEX_MCP, [0.1, 0.233, 0.995]);
    assert_point(&demo, 0, 8, [0.1, 0.233, 1.091]);
    assert_point(&demo, 0, keypoint::PINKY_MCP, [0.1, 0.167, 0.9866]);
    assert_point(&demo, 1, keypoint::INDEX_MCP, [0.6, 0.167, 0.995]);
    // 9.75 cm along (0.6, -0.48, 0.64) from (0.034, -0.00858, 0.029).
    assert_point(&demo, 0, 4, [0.15538, 0.2925, 0.9914]);
    assert!(!has_note(&demo, "midway"));
}

#[test]
fn one_object_in_two_hands_is_one_and_one_hand_can_be_asked_for() {
    assert_eq!(read(SAME).objects.len(), 1);
    let mut options = ImportOptions::default();
    options.clip.side = Some(Side::Left);
    let path = fixtures().join(BOTH);
    let demo = import(Format::DexManipNet, &path, &options).unwrap();
    assert_eq!((demo.hands.len(), demo.hands[0].side), (1, Side::Left));
    assert_eq!((demo.objects.len(), demo.objects[0].name.as_str()), (1, "C12001"));
    let error = import(Format::DexManipNet, &fixtures().join(RIGHT), &options).unwrap_err();
    assert!(error.to_string().contains("no left hand is in a sequence of `rh`"), "{error}");
    // The same file of two objects that are not in one place.
    let case = Case::of("dexmanipnet_oakinkv2");
    let sequence = case.root.join("sequences/20aed_bih");
    let info = std::fs::read_to_string(sequence.join("seq_info.json")).unwrap();
    let info = info.replace("O02@0029@00012", "C12001");
    std::fs::write(sequence.join("seq_info.json"), info).unwrap();
    let demo = import(Format::DexManipNet, &sequence, &ImportOptions::default()).unwrap();
    let names: Vec<&str> = demo.objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["C12001", "C12001_lh"]);
}

#[test]
fn a_mesh_that_is_missing_is_not_told_as_one_that_is_malformed() {
    let case = Case::of("dexmanipnet_oakinkv2");
    let sequence = case.root.join("sequences/20aed_bih");
    let error = || import(Format::DexManipNet, &sequence, &ImportOptions::default()).unwrap_err();
    let mesh = case.root.join(MESH);
    std::fs::write(&mesh, "v 0 0 nonsense\n").unwrap();
    assert_says(
        &error().to_string(),
        &[mesh.file_name().unwrap().to_str().unwrap(), "obj:1: a vertex"],
    );
    std::fs::remove_file(&mesh).unwrap();
    assert_says(&error().to_string(), &["no mesh of O02@0029@00012", "--meshes DIR"]);
}

#[test]
fn what_is_read_is_a_clip_that_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for path in [RIGHT, LEFT, BOTH] {
        let demo = read(path);
        let file = folder.path().join("clip.npz");
        write_keypoint_clip(&file, &demo).unwrap();
        let again = load_clip(&file, &ClipOptions::default()).unwrap();
        assert_eq!(
            (again.hands.len(), again.objects.len()),
            (demo.hands.len(), demo.objects.len())
        );
    }
}

/// A copy of one part of the data set, to be spoilt.
struct Case {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Case {
    fn of(part: &str) -> Case {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(part);
        copy(&fixtures().join(part), &root);
        Case { _folder: folder, root }
    }

    fn right() -> Case {
        Case::of("dexmanipnet_favor")
    }

    fn sequence(&self) -> PathBuf {
        self.root.join("sequences/1001_rh")
    }

    fn result(&self, options: &ImportOptions) -> Result<Demonstration, String> {
        import(Format::DexManipNet, &self.sequence(), options).map_err(|e| e.to_string())
    }

    fn error(&self) -> String {
        self.result(&ImportOptions::default()).unwrap_err()
    }

    fn replace(&self, file: &str, from: &str, to: &str) -> &Case {
        let path = self.root.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        self
    }

    /// Exchanges the rollouts for one of these arrays of floats: name, shape, numbers.
    fn rollout(&self, arrays: &[(&str, Vec<u64>, Vec<f32>)]) -> &Case {
        let mut file = FileBuilder::new();
        let mut rollouts = file.create_group("rollouts");
        let mut successful = rollouts.create_group("successful");
        if !arrays.is_empty() {
            let mut rollout = successful.create_group("rollout_0");
            for (name, shape, values) in arrays {
                rollout.create_dataset(name).with_f32_data(values).with_shape(shape);
            }
            successful.add_group(rollout.finish());
        }
        rollouts.add_group(successful.finish());
        file.add_group(rollouts.finish());
        let out = std::fs::File::create(self.sequence().join("rollouts.hdf5")).unwrap();
        file.finish_to(out).unwrap();
        self
    }
}

/// The arrays of a rollout of two frames, links where the fixture has them.
fn arrays() -> Vec<(&'static str, Vec<u64>, Vec<f32>)> {
    let path = fixtures().join(RIGHT).join("rollouts.hdf5");
    let file = hdf5_pure::File::open_streaming(path).unwrap();
    let stored = |name: &'static str, width: usize| {
        let name_there = format!("rollouts/successful/rollout_2/{name}");
        let values = file.dataset(&name_there).unwrap().read_f32().unwrap();
        (name, vec![2, width as u64], values[..2 * width].to_vec())
    };
    vec![
        stored("reward", 1),
        stored("state_rh", 13),
        stored("joint_state_rh", 18 * 13),
        stored("state_manip_obj_rh", 13),
    ]
}

/// The error that a rollout gives after `spoil`.
fn spoilt(spoil: impl FnOnce(&mut Vec<(&'static str, Vec<u64>, Vec<f32>)>)) -> String {
    let mut arrays = arrays();
    spoil(&mut arrays);
    let case = Case::right();
    let error = case.rollout(&arrays).error();
    assert!(error.contains("rollouts.hdf5"), "{error}");
    error
}

fn assert_says(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "`{error}` does not say `{word}`");
    }
}

#[test]
fn spoilt_arrays_are_refused_with_file_dataset_and_frame() {
    assert_eq!(
        Case::right().rollout(&arrays()).result(&ImportOptions::default()).unwrap().frames(),
        2
    );
    let error = spoilt(|arrays| arrays[2].2[18 * 13 + 5] = f32::NAN);
    assert_says(&error, &["rollout_0/joint_state_rh", "at frame 1", "NaN"]);
    let error = spoilt(|arrays| arrays[0].2[1] = f32::INFINITY);
    assert_says(&error, &["rollout_0/reward", "at frame 1", "inf"]);
    let error = spoilt(|arrays| arrays[3].2[13 + 3..13 + 7].fill(0.0));
    assert_says(&error, &["state_manip_obj_rh", "at frame 1", "has norm 0"]);
    let error = spoilt(|arrays| arrays[3].1 = vec![13, 2]);
    assert_says(&error, &["state_manip_obj_rh", "[T, 13] was expected, not [13, 2]"]);
    let error = spoilt(|arrays| {
        arrays[2].1[1] = 17 * 13;
        arrays[2].2.truncate(2 * 17 * 13);
    });
    assert_says(&error, &["joint_state_rh", "[T, 234] was expected, not [2, 221]"]);
    let error = spoilt(|arrays| {
        arrays[1].1[0] = 1;
        arrays[1].2.truncate(13);
    });
    assert_says(&error, &["state_rh", "1 frames, but `reward` has 2"]);
    let error = spoilt(|arrays| arrays[2].2[..2 * 234].iter_mut().for_each(|x| *x += 0.1));
    assert_says(&error, &["joint_state_rh", "17.3 cm from the hand", "not the links of inspire"]);
    let error = spoilt(|arrays| drop(arrays.remove(2)));
    assert_says(&error, &["rollout_0/joint_state_rh"]);
    let error = spoilt(Vec::clear);
    assert_says(&error, &["`rollouts/successful`", "no rollout is in it"]);
}

#[test]
fn spoilt_files_are_refused() {
    let info = "sequences/1001_rh/seq_info.json";
    let error = Case::right().replace(info, "\"inspire\"", "\"allegro\"").error();
    assert_says(
        &error,
        &["seq_info.json", "`dexhand`", "`allegro` is not known", "inspire, shadow"],
    );
    let error = Case::right().replace(info, "\"inspire\"", "7").error();
    assert_says(&error, &["`dexhand`", "text was expected"]);
    for out in ["/etc/cube.urdf", "ObjURDF/../../cube.urdf"] {
        let error =
            Case::right().replace(info, "ObjURDF/OakInkObjectsV2/A01001/cube.urdf", out).error();
        assert_says(&error, &["`obj_rh_path`", out, "leads out"]);
    }
    let urdf = "ObjURDF/OakInkObjectsV2/A01001/cube.urdf";
    let error = Case::right().replace(urdf, "../meshes", "../../../../meshes").error();
    assert_says(&error, &["cube.urdf", "`../../../../meshes/cube.obj` leads out"]);
    let error = Case::right().replace(urdf, "../meshes", "/meshes").error();
    assert_says(&error, &["leads out"]);

    let case = Case::right();
    std::fs::write(case.root.join(info), "[]").unwrap();
    assert_says(&case.error(), &["seq_info.json", "not a JSON object"]);
    std::fs::remove_file(case.root.join(info)).unwrap();
    assert_says(&case.error(), &["seq_info.json", "cannot read"]);
    let case = Case::right();
    std::fs::write(case.sequence().join("rollouts.hdf5"), "not HDF5").unwrap();
    assert_says(&case.error(), &["rollouts.hdf5", "not an HDF5 file"]);
    std::fs::remove_file(case.sequence().join("rollouts.hdf5")).unwrap();
    assert_says(&case.error(), &["rollouts.hdf5", "cannot read"]);

    let case = Case::right();
    let unnamed = case.root.join("sequences/1001");
    std::fs::rename(case.sequence(), &unnamed).unwrap();
    let options = ImportOptions::default();
    assert_eq!(import(Format::DexManipNet, &unnamed, &options).unwrap().hands.len(), 1);
    let text = std::fs::read_to_string(unnamed.join("seq_info.json")).unwrap();
    std::fs::write(unnamed.join("seq_info.json"), text.replace("\"rh\"", "\"\"")).unwrap();
    let error = import(Format::DexManipNet, &unnamed, &options).unwrap_err().to_string();
    assert_says(&error, &["1001", "ends in _rh, _lh or _bih"]);
}

#[test]
fn objects_that_are_not_there_are_looked_for_in_the_folder_of_meshes() {
    let case = Case::right();
    let meshes = case.root.join("ObjURDF/OakInkObjectsV2/meshes");
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::rename(meshes.join("cube.obj"), elsewhere.path().join("cube.obj")).unwrap();
    assert_says(&case.error(), &["cube.urdf", "no mesh ../meshes/cube.obj", "--meshes DIR"]);
    let options =
        ImportOptions { meshes: Some(elsewhere.path().to_owned()), ..ImportOptions::default() };
    assert_box(&case.result(&options).unwrap(), 0, [0.01, 0.0, 0.0], [0.06; 3]);
    // Without its URDF an object may lie there by its number, as in OakInk-v2.
    std::fs::remove_dir_all(case.root.join("ObjURDF")).unwrap();
    assert_says(
        &case.error(),
        &["no ObjURDF/OakInkObjectsV2/A01001/cube.urdf in", "A01001", "--meshes"],
    );
    let own = elsewhere.path().join("A01001");
    std::fs::create_dir(&own).unwrap();
    std::fs::copy(elsewhere.path().join("cube.obj"), own.join("any.obj")).unwrap();
    assert_box(&case.result(&options).unwrap(), 0, [0.0; 3], [60.0; 3]);
}

#[test]
fn damaged_files_never_panic() {
    let case = Case::right();
    let file = case.sequence().join("rollouts.hdf5");
    let whole = std::fs::read(&file).unwrap();
    for step in 0..300 {
        let mut bytes = whole.clone();
        let at = step * 7919 % bytes.len();
        bytes[at] ^= 1 << (step % 8);
        if step % 3 == 0 {
            bytes.truncate(at);
        }
        std::fs::write(&file, bytes).unwrap();
        case.result(&ImportOptions::default()).ok();
    }
}

#[test]
fn other_layouts_of_hdf5_read_the_same() {
    const SCRIPT: &str = r"
import sys, h5py
here = h5py.File(sys.argv[1])
for out, libver, options in [(sys.argv[2], 'v108', dict(chunks=True, maxshape=True, shuffle=True, compression=9)),
                             (sys.argv[3], 'v110', dict(chunks=True, maxshape=True, fletcher32=True))]:
    with h5py.File(out, 'w', libver=libver) as there:
        def write(name, item):
            if isinstance(item, h5py.Dataset):
                shape = (None,) + item.shape[1:]
                there.create_dataset(name, data=item[()].astype('f8'), **(options | dict(maxshape=shape)))
        here.visititems(write)
";
    let cases = [Case::right(), Case::right()];
    let out = cases.each_ref().map(|case| case.sequence().join("rollouts.hdf5"));
    let source = fixtures().join(RIGHT).join("rollouts.hdf5");
    if python(&["h5py"], SCRIPT, &[&source, &out[0], &out[1]]).is_none() {
        return;
    }
    let wanted = read(RIGHT);
    for case in cases {
        let found = case.result(&ImportOptions::default()).unwrap();
        assert_eq!((&found.hands, &found.objects), (&wanted.hands, &wanted.objects));
    }
}
