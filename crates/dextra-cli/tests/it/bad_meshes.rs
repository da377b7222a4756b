//! Meshes that are missing, broken, huge or in another unit.

use crate::clips::{Clip, beside, cube_obj};
use crate::{assert_fails, stderr, transfer};
use std::time::{Duration, Instant};

/// Longest a transfer with a mesh of a million faces may take where there is nothing to search.
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn assert_refused(clip: &Clip, words: &[&str]) {
    let output = transfer(&clip.path(), "allegro", &clip.out()).output().unwrap();
    assert_fails(&output, words);
    assert!(!clip.out().exists(), "a refused mesh leaves nothing");
}

#[test]
fn a_missing_mesh_is_named() {
    let clip = Clip::cube();
    std::fs::remove_file(clip.mesh()).unwrap();
    assert_refused(&clip, &["cube_cube.obj", "No such file"]);
}

#[test]
fn a_mesh_without_faces_is_refused() {
    let clip = Clip::cube();
    beside(&clip, "cube_cube.obj", &cube_obj(1, 1.0, |_| true));
    assert_refused(&clip, &["cube_cube.obj", "no faces"]);
    beside(&clip, "cube_cube.obj", "");
    assert_refused(&clip, &["cube_cube.obj", "empty"]);
}

#[test]
fn a_mesh_cut_short_names_the_line() {
    let clip = Clip::cube();
    let text = cube_obj(1, 1.0, |_| false);
    let cut = &text[..text.len() - 3];
    beside(&clip, "cube_cube.obj", cut);
    let line = format!("cube_cube.obj:{}", cut.lines().count());
    assert_refused(&clip, &[&line]);
}

#[test]
fn an_object_with_holes_is_lifted_like_a_whole_one() {
    let clip = Clip::cube();
    // Every seventh triangle is missing.
    let open = beside(&clip, "open.obj", &cube_obj(6, 1.0, |face| face % 7 == 3));
    let output =
        transfer(&clip.path(), "allegro", &clip.out()).arg("--mesh").arg(open).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_million_faces_take_seconds() {
    let clip = Clip::still();
    let fine = beside(&clip, "fine.obj", &cube_obj(300, 1.0, |_| false));
    let start = Instant::now();
    let output = transfer(&clip.path(), "allegro", &clip.out())
        .arg("--mesh")
        .arg(fine)
        // Not from a cache that an earlier run of this test has filled.
        .env("DEXTRA_CACHE_DIR", clip.dir.path().join("cache"))
        .output()
        .unwrap();
    let took = start.elapsed();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    eprintln!("1 080 000 faces: {took:.1?}");
    assert!(took < PATIENCE, "{took:?}");
}

#[test]
fn a_mesh_a_thousand_times_too_large_is_refused_or_understood() {
    let mut clip = Clip::still();
    beside(&clip, "cube_cube.obj", &cube_obj(1, 1000.0, |_| false));
    assert_refused(&clip, &["`mesh_unit`", "`m` is stated", "cube_cube.obj", "103.9"]);

    clip.state("mesh_unit", None);
    clip.save();
    let output = transfer(&clip.path(), "allegro", &clip.out()).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("note: ") && said.contains("is read in mm"), "{said}");
}

#[test]
fn a_mesh_that_is_a_room_in_every_unit_is_refused() {
    let mut clip = Clip::cube();
    clip.state("mesh_unit", None);
    clip.save();
    beside(&clip, "cube_cube.obj", &cube_obj(1, 1e6, |_| false));
    assert_refused(&clip, &["cube_cube.obj", "mesh_unit"]);
}
