//! Recordings in the formats of others.

use crate::support::{lift, shared};
use dextra_core::Side;
use dextra_core::demonstration::chirality;
use dextra_data::clip::import::{Format, ImportOptions, import};
use dextra_data::{ClipOptions, load_clip, write_keypoint_clip};
use std::fmt::Write;
use std::path::Path;

/// [`ImportOptions`] with a frame rate.
fn at(fps: f64) -> ImportOptions {
    ImportOptions {
        clip: ClipOptions { fps: Some(fps), ..ClipOptions::default() },
        ..ImportOptions::default()
    }
}

fn noted(notes: &[String], words: &str) -> bool {
    notes.iter().any(|note| note.contains(words))
}

/// A result of MediaPipe's hand landmarker per frame: [`lift`] seen by a level camera (x right,
/// y down), the hand's origin in its middle.
fn mediapipe(side: Side, label: &str, key: &str) -> String {
    let demo = lift(side);
    let mut text = "{\"fps\": 30, \"frames\": [null,".to_owned();
    for (index, frame) in demo.hands[0].keypoints_in_world.iter().enumerate() {
        let centre = frame.iter().fold(nalgebra::Vector3::zeros(), |s, p| s + p.coords) / 21.0;
        let points: Vec<String> = frame
            .iter()
            .map(|p| p.coords - centre)
            .map(|p| format!("{{\"x\":{},\"y\":{},\"z\":{}}}", p.x, -p.z, p.y))
            .collect();
        write!(
            text,
            "{}{{\"{key}\":[[{}]],\"handedness\":[[{{\"categoryName\":\"{label}\"}}]]}}",
            if index == 0 { "" } else { "," },
            points.join(",")
        )
        .unwrap();
    }
    text + "]}"
}

#[test]
fn mediapipe_gives_a_hand_and_says_what_it_cannot_know() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("seen.json");
    for (side, label) in [(Side::Right, "Right"), (Side::Left, "Right"), (Side::Left, "Left")] {
        std::fs::write(&file, mediapipe(side, label, "worldLandmarks")).unwrap();
        let demo = import(Format::MediaPipe, &file, &ImportOptions::default()).unwrap();
        assert_eq!((demo.frames(), demo.fps, demo.hands[0].side), (60, 30.0, side));
        assert!(demo.objects.is_empty());
        let notes = &demo.provenance.notes;
        assert!(noted(notes, "objects, contact and the way up"), "{notes:?}");
        assert!(noted(notes, "where it is in the room"), "{notes:?}");
        assert!(noted(notes, "frames, 1 to 60 are kept"), "{notes:?}");
        assert_eq!(noted(notes, "geometry is believed"), side.name() != label.to_lowercase());
        // The camera's y is down: the hand is as it was, but for where it is.
        let (seen, was) = (&demo.hands[0].keypoints_in_world, lift(side));
        let was = &was.hands[0].keypoints_in_world;
        for (seen, was) in seen.iter().zip(was) {
            assert!(((seen[8] - seen[0]) - (was[8] - was[0])).norm() < 1e-12);
        }
        // It is written and read back as a clip without objects.
        let clip = dir.path().join("clip.npz");
        write_keypoint_clip(&clip, &demo).unwrap();
        let again = load_clip(&clip, &ClipOptions::default()).unwrap();
        assert_eq!(again.hands, demo.hands);
        assert!(again.objects.is_empty() && noted(&again.provenance.notes, "in the room"));
    }
    std::fs::write(&file, mediapipe(Side::Right, "Right", "landmarks")).unwrap();
    let demo = import(Format::MediaPipe, &file, &ImportOptions::default()).unwrap();
    assert!(noted(&demo.provenance.notes, "have no lengths"));
}

#[test]
fn keypoints_come_from_json_and_csv() {
    let dir = tempfile::tempdir().unwrap();
    let (csv, json) = (dir.path().join("a.csv"), dir.path().join("a.json"));
    let demo = lift(Side::Left);
    let frames = &demo.hands[0].keypoints_in_world;
    let (mut rows, mut lists) = ("time_s,x0,y0\n".to_owned(), Vec::new());
    for (index, frame) in frames.iter().enumerate() {
        write!(rows, "{}", index as f64 / 50.0).unwrap();
        let mut points = Vec::new();
        for p in frame {
            // Centimetres, which are found out.
            write!(rows, ",{},{},{}", 100.0 * p.x, 100.0 * p.y, 100.0 * p.z).unwrap();
            points.push(format!("[{},{},{}]", p.x, p.y, p.z));
        }
        rows.push('\n');
        lists.push(format!("[{}]", points.join(",")));
    }
    std::fs::write(&csv, &rows).unwrap();
    std::fs::write(&json, format!("{{\"left\": [{}]}}", lists.join(","))).unwrap();
    let from_csv = import(Format::Keypoints, &csv, &ImportOptions::default()).unwrap();
    assert!((from_csv.fps - 50.0).abs() < 1e-9);
    assert!(noted(&from_csv.provenance.notes, "unit is read as cm"));
    let from_json = import(Format::Keypoints, &json, &at(50.0)).unwrap();
    for demo in [&from_csv, &from_json] {
        assert_eq!(demo.hands[0].side, Side::Left);
        let distance = (demo.hands[0].keypoints_in_world[9][4] - frames[9][4]).norm();
        assert!(distance < 1e-9, "{distance}");
    }
    let error = import(Format::Keypoints, &json, &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("--fps-hz"), "{error}");
    std::fs::write(&csv, rows.replace("\n0.02,", "\n0.02,x,")).unwrap();
    let error = import(Format::Keypoints, &csv, &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("line 3"), "{error}");
}

/// Arrays written by NumPy (`fixtures/keypoints/make.py`).
#[test]
fn keypoints_come_from_numpy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keypoints");
    let right = import(Format::Keypoints, &folder.join("hands.npz"), &ImportOptions::default());
    let right = right.unwrap();
    // The first of twenty frames is not seen.
    assert_eq!((right.frames(), right.fps, right.hands[0].side), (19, 25.0, Side::Right));
    assert!(noted(&right.provenance.notes, "frames, 1 to 19 are kept"));
    let left = import(Format::Keypoints, &folder.join("left.npy"), &at(25.0)).unwrap();
    assert_eq!((left.frames(), left.hands[0].side), (20, Side::Left));
    assert!(noted(&left.provenance.notes, "unit is read as cm"));
    // The tip of the thumb from the wrist in the last frame, bent by 0.38, 0.76 and 1.14: mirrored in x.
    let (mut x, mut y, mut z) = (-0.03, 0.02, 0.0);
    for (length, angle) in [(0.04, 0.38f64), (0.025, 0.76), (0.02, 1.14)] {
        x -= 0.7 * length * angle.cos();
        y += 0.7 * length * angle.cos();
        z -= length * angle.sin();
    }
    let tip = |demo: &dextra_core::Demonstration| {
        let last = demo.hands[0].keypoints_in_world.last().unwrap();
        last[4] - last[0]
    };
    assert!((tip(&right) - nalgebra::Vector3::new(x, y, z)).norm() < 1e-6);
    assert!((tip(&left) - nalgebra::Vector3::new(-x, y, z)).norm() < 1e-12);

    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("a.npz");
    let fixtures = folder.parent().unwrap();
    let refused = |from: &str, to: &Path| {
        std::fs::copy(fixtures.join(from), to).unwrap();
        import(Format::Keypoints, to, &at(25.0)).unwrap_err().to_string()
    };
    let error = refused("stored.npz", &other);
    assert!(error.contains("keypoints") && error.contains("ramp"), "{error}");
    let error = refused("single.npy", &dir.path().join("b.npy"));
    assert!(error.contains("[2, 3]") && error.contains("[T, 21, 3]"), "{error}");
}

#[test]
fn a_pickle_of_keypoints_from_video_is_read() {
    let Some(file) = shared("keypoints/human_joint_right.pkl") else { return };
    let demo = import(Format::Keypoints, &file, &at(30.0)).unwrap();
    assert_eq!((demo.frames(), demo.hands[0].side), (621, Side::Right));
}

#[test]
fn the_sample_of_hot3d_is_read_without_mano() {
    let Some(folder) = shared("hot3d/quest3_P0002_273c2819") else { return };
    let demo = import(Format::Hot3d, &folder, &ImportOptions::default()).unwrap();
    assert_eq!((demo.frames(), demo.fps), (15, 30.0));
    assert_eq!(demo.hands.iter().map(|h| h.side).collect::<Vec<_>>(), [Side::Right, Side::Left]);
    for hand in &demo.hands {
        let evidence = chirality(&hand.keypoints_in_world);
        let sign = if hand.side == Side::Right { 1.0 } else { -1.0 };
        assert!(sign * evidence > 0.01, "{} {evidence}", hand.side.name());
    }
    // The mouse, 11 cm long, is held by the right hand.
    let mouse = &demo.objects[0];
    assert_eq!((demo.objects.len(), mouse.name.as_str()), (1, "mouse"));
    let (low, high) = mouse.mesh.bounds().unwrap();
    assert!(((high - low).max() - 0.11).abs() < 0.01, "{low} {high}");
    let near = |side: usize| {
        let hand = &demo.hands[side].keypoints_in_world[14];
        let centre = mouse.world_from_object[14].translation.vector;
        hand.iter().map(|p| (p.coords - centre).norm()).fold(f64::INFINITY, f64::min)
    };
    assert!(near(0) < 0.06 && near(1) > 0.1, "{} {}", near(0), near(1));
    assert_eq!(demo.provenance.licence, "LicenseRef-HOT3D-agreement");
    assert!(noted(&demo.provenance.notes, "keyboard"));
    assert_eq!(demo.provenance.inputs_sha256.len(), 4);
}

#[test]
fn a_recording_that_is_not_there_is_an_error_with_its_name() {
    for format in Format::ALL {
        let error = import(format, Path::new("gone/a.json"), &ImportOptions::default());
        assert!(error.unwrap_err().to_string().contains("gone"), "{}", format.name());
    }
}
