//! Files made to break the readers: each gives an error that names the file, the field and the frame.

use crate::support::Clip;
use dextra_core::Side;
use dextra_data::{ClipOptions, load_clip, read_mesh};
use proptest::prelude::*;
use std::path::Path;

/// Spoils the good clip and returns the error's text, which must name the clip or its mesh.
fn error_of(spoil: impl FnOnce(&mut Clip)) -> String {
    let mut clip = Clip::new(Side::Right);
    spoil(&mut clip);
    let dir = tempfile::tempdir().unwrap();
    let path = clip.save(dir.path());
    let error = load_clip(&path, &ClipOptions::default()).unwrap_err().to_string();
    assert!(error.contains(".npz") || error.contains(".obj"), "{error} names no file");
    error
}

fn assert_says(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "`{error}` does not say `{word}`");
    }
}

#[test]
fn values_that_are_not_finite_name_key_and_frame() {
    for (key, width, frame) in [("joints21", 63, 7), ("obj_pos", 3, 41), ("obj_quat_wxyz", 4, 59)] {
        for bad in [f64::NAN, f64::INFINITY] {
            let error = error_of(|clip| clip.values(key)[width * frame + 2] = bad);
            assert_says(&error, &[key, &format!("at frame {frame}"), "not a finite number"]);
        }
    }
}

#[test]
fn zero_and_one_frame_are_refused() {
    for frames in [0, 1] {
        let error = error_of(|clip| {
            for (key, width) in [("joints21", 63), ("obj_pos", 3), ("obj_quat_wxyz", 4)] {
                clip.shape(key)[0] = frames;
                clip.values(key).truncate(width * frames);
            }
        });
        assert_says(&error, &["joints21", if frames == 0 { "no frames" } else { "one frame" }]);
    }
}

#[test]
fn wrong_shapes_say_what_was_expected() {
    let error = error_of(|clip| *clip.shape("joints21") = vec![60, 63]);
    assert_says(&error, &["joints21", "[T, 21, 3]", "[60, 63]"]);
    let error = error_of(|clip| *clip.shape("obj_pos") = vec![3, 60]);
    assert_says(&error, &["obj_pos", "[T, 3]", "[3, 60]"]);
    let error = error_of(|clip| *clip.shape("obj_quat_wxyz") = vec![30, 2, 4]);
    assert_says(&error, &["obj_quat_wxyz", "30 frames", "60"]);
}

#[test]
fn a_missing_key_lists_the_ones_there() {
    for key in ["obj_pos", "obj_quat_wxyz"] {
        let error = error_of(|clip| clip.arrays.retain(|array| array.0 != key));
        assert_says(&error, &[key, "joints21", "fps"]);
    }
    let error = error_of(|clip| clip.arrays.retain(|array| array.0 != "joints21"));
    assert_says(&error, &["neither a keypoint clip", "obj_pos"]);
}

#[test]
fn an_impossible_frame_rate_is_refused() {
    for fps in [0.0, -30.0, 1e6, f64::NAN] {
        assert_says(&error_of(|clip| clip.values("fps")[0] = fps), &["fps", "outside 1 to 1000"]);
    }
    let error = error_of(|clip| clip.arrays.retain(|array| array.0 != "fps"));
    assert_says(&error, &["fps", "not stated", "--fps-hz"]);
}

#[test]
fn zero_quaternions_name_their_frame() {
    let error = error_of(|clip| clip.values("obj_quat_wxyz")[4 * 9..4 * 10].fill(0.0));
    assert_says(&error, &["obj_quat_wxyz", "at frame 9", "norm 0"]);
}

#[test]
fn a_point_that_jumps_away_names_its_frame() {
    let error = error_of(|clip| clip.values("joints21")[63 * 20 + 3 * 8] += 0.6);
    assert_says(&error, &["joints21", "at frame 20", "points 7 and 8"]);
}

#[test]
fn a_collapsed_hand_is_not_a_hand() {
    let error = error_of(|clip| {
        for frame in clip.values("joints21").chunks_exact_mut(63) {
            frame.copy_within(3 * 7..3 * 8, 3 * 8);
        }
    });
    assert_says(&error, &["joints21", "points 7 and 8 are 0.0 cm apart"]);
}

#[test]
fn an_object_in_another_room_is_refused() {
    let error = error_of(|clip| clip.values("obj_pos").iter_mut().for_each(|x| *x += 5.0));
    assert_says(&error, &["obj_pos", "never nearer"]);
}

#[test]
fn gravity_must_pull_down_and_a_weak_one_is_noted() {
    let state = |gravity: [f64; 3]| {
        move |clip: &mut Clip| {
            clip.arrays.push(("gravity_m_s2".to_owned(), vec![3], gravity.to_vec()));
        }
    };
    let nothing =
        [[0.0; 3], [0.0, 0.0, 9.81], [0.0, -9.81, 0.0], [0.0, 0.0, -980.0], [f64::NAN; 3]];
    for gravity in nothing {
        assert_says(&error_of(state(gravity)), &["gravity_m_s2", "is not gravity"]);
    }
    assert_says(
        &error_of(|clip| clip.arrays.push(("gravity_m_s2".to_owned(), vec![1], vec![-9.81]))),
        &["gravity_m_s2", "three numbers"],
    );
    let notes = |gravity: [f64; 3]| {
        let dir = tempfile::tempdir().unwrap();
        let mut clip = Clip::new(Side::Right);
        state(gravity)(&mut clip);
        let demo = load_clip(&clip.save(dir.path()), &ClipOptions::default()).unwrap();
        assert_eq!(demo.gravity.as_slice(), gravity);
        demo.provenance.notes.join("\n")
    };
    assert!(notes([0.0, 0.0, -1.62]).contains("Gravity is [0.0, 0.0, -1.62]"));
    assert!(!notes([0.0, 0.0, -9.80665]).contains("Gravity"));
}

#[test]
fn words_that_mean_nothing_list_the_valid_ones() {
    assert_says(&error_of(|clip| clip.state("unit", "inch")), &["unit", "`inch`", "m, cm, mm"]);
    assert_says(&error_of(|clip| clip.state("up_axis", "w")), &["up_axis", "`w`", "z, y"]);
    assert_says(&error_of(|clip| clip.state("side", "both")), &["side", "`both`"]);
    assert_says(&error_of(|clip| clip.state("joints21_left", "x")), &["joints21"]);
}

#[test]
fn a_clip_cannot_name_files_outside_its_folder() {
    for name in ["../secret.obj", "/etc/passwd", "", "a/../../b.obj"] {
        let error = error_of(|clip| clip.state("mesh", name));
        assert_says(&error, &["mesh", "not a file in the clip's own folder"]);
    }
}

#[test]
fn a_missing_mesh_or_clip_is_an_error_with_its_name() {
    assert_says(&error_of(|clip| clip.mesh = None), &["no mesh is named like the clip", "none"]);
    let error = error_of(|clip| clip.state("mesh", "gone.obj"));
    assert_says(&error, &["gone.obj", "cannot read"]);
    let gone = load_clip(Path::new("gone.npz"), &ClipOptions::default()).unwrap_err().to_string();
    assert_says(&gone, &["gone.npz", "cannot read"]);
    let folder = load_clip(Path::new("."), &ClipOptions::default()).unwrap_err().to_string();
    assert_says(&folder, &["not a .npz clip"]);
}

#[test]
fn a_clip_cut_anywhere_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = Clip::new(Side::Right).save(dir.path());
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(whole.len() / 97) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = load_clip(&path, &ClipOptions::default()).unwrap_err().to_string();
        assert_says(&error, &["lift_box_1.npz"]);
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(load_clip(&path, &ClipOptions::default()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_clip_with_changed_bytes_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = Clip::new(Side::Right).save(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&path, &bytes).unwrap();
        // Either a clip or an error: both are fine, a panic is not.
        let _ = load_clip(&path, &ClipOptions::default());
    }

    #[test]
    fn random_bytes_are_neither_clips_nor_meshes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.npz", "a.obj", "a.stl"] {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let failed = if name == "a.npz" {
                load_clip(&path, &ClipOptions::default()).is_err()
            } else {
                read_mesh(&path).is_err()
            };
            prop_assert!(failed, "{} was accepted", name);
        }
    }

    #[test]
    fn spoilt_mesh_text_never_panics(
        text in "(v [-0-9.e]{1,4} [-0-9.]{1,4} [0-9]{1,3}\n|f -?[0-9]{1,2} [0-9/]{1,4} -?[0-9]{1,2}( 4)?\n|[a-z ]{0,9}\\\\?\n){0,30}"
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.obj");
        std::fs::write(&path, &text).unwrap();
        if let Ok(mesh) = read_mesh(&path) {
            let count = mesh.vertices.len() as u32;
            prop_assert!(mesh.faces.iter().flatten().all(|&i| i < count));
            prop_assert!(mesh.vertices.iter().flat_map(|v| v.iter()).all(|x| x.is_finite()));
        }
    }
}
