//! Hands from files that cannot be used, or that MuJoCo warns about.

use crate::clips::Clip;
use crate::{assert_fails, stderr, transfer, tripod};
use std::path::PathBuf;

/// The tripod beside the clip with one piece of its MJCF and one of its map replaced.
fn changed(clip: &Clip, xml: (&str, &str), map: (&str, &str)) -> PathBuf {
    let path = clip.dir.path().join("mine.xml");
    for (extension, (from, to)) in [("xml", xml), ("toml", map)] {
        let text = std::fs::read_to_string(tripod().with_extension(extension)).unwrap();
        assert!(text.contains(from), "the test replaces what is there");
        std::fs::write(path.with_extension(extension), text.replacen(from, to, 1)).unwrap();
    }
    path
}

const SAME: (&str, &str) = ("", "");

#[track_caller]
fn refused(xml: (&str, &str), map: (&str, &str), words: &[&str]) {
    let clip = Clip::still();
    let hand = changed(&clip, xml, map);
    let output = transfer(&clip.path(), hand.to_str().unwrap(), &clip.out()).output().unwrap();
    assert_fails(&output, words);
    assert!(!clip.out().exists(), "a refused hand leaves nothing");
}

#[test]
fn mjcf_that_does_not_parse_is_refused_with_what_mujoco_says() {
    refused(("<worldbody>", "<worldbody"), SAME, &["mine.xml", "cannot parse", "Line number="]);
    refused(("<light", "<lamp"), SAME, &["mine.xml", "lamp"]);
    refused(("name=\"index_2\"", "name=\"index_1\""), SAME, &["mine.xml", "index_1"]);
}

#[test]
fn mjcf_that_mujoco_warns_about_runs_and_reports_the_warning() {
    let clip = Clip::still();
    let compiler = "<compiler settotalmass=\"0.6\" angle=\"degree\"";
    let hand = changed(&clip, ("<compiler angle=\"degree\"", compiler), SAME);
    let output = transfer(&clip.path(), hand.to_str().unwrap(), &clip.out())
        .current_dir(clip.dir.path())
        .output()
        .unwrap();
    let said = stderr(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    assert!(said.contains("note: ") && said.contains("MuJoCo warns"), "{said}");
    let report = std::fs::read_to_string(clip.out().join("report.json")).unwrap();
    assert!(report.contains("settotalmass"), "{report}");
    assert!(!clip.dir.path().join("MUJOCO_LOG.TXT").exists());
}

#[test]
fn a_map_that_names_a_missing_body_says_which_is_nearest() {
    refused(
        SAME,
        (
            "\"index_1\", \"index_2\", \"index_3\"]\ntip",
            "\"index_1\", \"indx_2\", \"index_3\"]\ntip",
        ),
        &["mine.toml", "finger[1].bodies[1]", "`indx_2`", "nearest: `index_2`"],
    );
    refused(SAME, ("body = \"hand\"", "body = \"palm\""), &["mine.toml", "palm.body", "`palm`"]);
}

#[test]
fn a_file_of_which_no_map_can_be_derived_is_refused() {
    let clip = Clip::still();
    let hand = changed(&clip, ("<body name=\"index_1\"", "<body name=\"index_0\""), SAME);
    std::fs::remove_file(hand.with_extension("toml")).unwrap();
    let text = std::fs::read_to_string(&hand).unwrap();
    let bodies = text.find("<body name=\"index_0\"").unwrap()..text.rfind("</body>").unwrap();
    let actuators = text.find("<actuator>").unwrap()..text.find("</actuator>").unwrap() + 11;
    let cut = text[..bodies.start].to_owned()
        + &text[bodies.end..actuators.start]
        + &text[actuators.end..];
    std::fs::write(&hand, cut).unwrap();
    let output = transfer(&clip.path(), hand.to_str().unwrap(), &clip.out()).output().unwrap();
    assert_fails(&output, &["mine.xml", "hinge"]);
}

#[test]
fn a_missing_hand_file_is_named() {
    let clip = Clip::still();
    let output = transfer(&clip.path(), "no/such/hand.xml", &clip.out()).output().unwrap();
    assert_fails(&output, &["no/such/hand.xml", "No such file"]);
}

#[test]
fn a_one_sided_hand_cannot_do_a_clip_of_two_hands() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let hand = tripod();
    let output = transfer("box".as_ref(), hand.to_str().unwrap(), &out).output().unwrap();
    assert_fails(&output, &["two hands", "tripod.xml", "right"]);
    assert!(!out.exists());
}
