//! Clips that cannot be used: the message names file, field and frame, and nothing is written.

use crate::clips::Clip;
use crate::{assert_fails, transfer};

/// Spoils a clip and asserts that a transfer refuses it with `words`.
#[track_caller]
fn refused(spoil: impl FnOnce(&mut Clip), words: &[&str]) {
    let mut clip = Clip::cube();
    spoil(&mut clip);
    clip.save();
    assert_refused(&clip, words);
}

#[track_caller]
fn assert_refused(clip: &Clip, words: &[&str]) {
    let output = transfer(&clip.path(), "allegro", &clip.out()).output().unwrap();
    assert_fails(&output, words);
    assert_fails(&output, &["cube.npz"]);
    assert!(!clip.out().exists(), "a refused clip leaves nothing");
}

#[test]
fn the_clip_is_good_before_it_is_spoilt() {
    let clip = Clip::still();
    let output = transfer(&clip.path(), "allegro", &clip.out()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", crate::stderr(&output));
}

#[test]
fn a_missing_clip_is_named() {
    let clip = Clip::cube();
    std::fs::remove_file(clip.path()).unwrap();
    assert_refused(&clip, &["No such file"]);
}

#[test]
fn a_truncated_clip_is_refused_wherever_it_is_cut() {
    let clip = Clip::cube();
    let whole = std::fs::read(clip.path()).unwrap();
    for length in [0, 3, 1000, whole.len() / 2, whole.len() - 1] {
        std::fs::write(clip.path(), &whole[..length]).unwrap();
        assert_refused(&clip, &[]);
    }
}

#[test]
fn random_bytes_are_no_clip() {
    let clip = Clip::cube();
    // A linear congruential generator is random enough for bytes that mean nothing.
    let mut state = 1u64;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..50_000).map(|_| byte()).collect();
    std::fs::write(clip.path(), &noise).unwrap();
    assert_refused(&clip, &["not a readable .npz"]);
    // The same behind the signature of a zip archive.
    std::fs::write(clip.path(), [b"PK\x03\x04".as_slice(), &noise].concat()).unwrap();
    assert_refused(&clip, &["not a readable .npz"]);
}

#[test]
fn values_that_are_no_numbers_name_field_and_frame() {
    refused(
        |clip| clip.values("joints21")[7 * 63 + 5] = f64::NAN,
        &["`joints21`", "frame 7", "NaN"],
    );
    refused(|clip| clip.values("joints21").fill(f64::NAN), &["`joints21`", "frame 0", "NaN"]);
    refused(|clip| clip.values("obj_pos")[3 * 3] = f64::INFINITY, &["`obj_pos`", "frame 3", "inf"]);
    refused(
        |clip| clip.values("obj_quat_wxyz")[4 * 9..4 * 10].fill(0.0),
        &["`obj_quat_wxyz`", "frame 9", "norm"],
    );
    refused(|clip| clip.values("fps")[0] = f64::NAN, &["`fps`"]);
}

#[test]
fn a_clip_of_no_frames_is_refused() {
    refused(
        |clip| {
            for key in ["joints21", "obj_pos", "obj_quat_wxyz"] {
                clip.values(key).clear();
                clip.shape(key)[0] = 0;
            }
        },
        &["`joints21`", "no frames"],
    );
    refused(
        |clip| {
            clip.values("obj_pos").clear();
            clip.shape("obj_pos")[0] = 0;
        },
        &["`obj_pos`", "0 frames"],
    );
}

#[test]
fn a_wrong_shape_says_what_was_expected() {
    refused(
        |clip| {
            let frames = clip.shape("joints21")[0];
            *clip.shape("joints21") = vec![frames, 20, 3];
            clip.values("joints21").truncate(frames * 60);
        },
        &["`joints21`", "[T, 21, 3]", "20"],
    );
    refused(
        |clip| {
            let frames = clip.shape("obj_quat_wxyz")[0];
            *clip.shape("obj_quat_wxyz") = vec![frames * 4];
        },
        &["`obj_quat_wxyz`", "[T, 4]"],
    );
}

#[test]
fn tracks_of_different_lengths_give_both() {
    refused(
        |clip| {
            let shape = clip.shape("obj_pos");
            shape[0] -= 5;
            let count = shape.iter().product();
            clip.values("obj_pos").truncate(count);
        },
        &["`obj_pos`", "305 frames", "310"],
    );
}

#[test]
fn a_statement_that_the_geometry_contradicts_is_refused() {
    refused(|clip| clip.state("unit", Some("mm")), &["`unit`", "`mm` is stated", "`m` fits"]);
    refused(|clip| clip.state("unit", Some("inch")), &["`unit`", "`inch`", "m, cm, mm"]);
    let clip = Clip::cube();
    let output =
        transfer(&clip.path(), "allegro", &clip.out()).args(["--side", "left"]).output().unwrap();
    assert_fails(&output, &["cube.npz", "`side`", "`left` is stated", "right hand"]);
    assert!(!clip.out().exists());
}

#[test]
fn a_label_of_the_wrong_hand_is_corrected_and_reported() {
    let mut clip = Clip::still();
    clip.state("side", Some("left"));
    clip.save();
    let output = transfer(&clip.path(), "allegro", &clip.out()).output().unwrap();
    let said = crate::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("note: ") && said.contains("the geometry is believed"), "{said}");
    let report = std::fs::read_to_string(clip.out().join("report.json")).unwrap();
    assert!(report.contains("the geometry is believed"), "{report}");
}
