//! `feasibility` from end to end: exit status, `--json`, the table, and every corruption told.

use crate::clips::Clip;
use crate::{assert_fails, dextra, run, stderr, stdout};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn feasibility(clip: &Path, hands: &str) -> Output {
    dextra().arg("feasibility").arg(clip).args(["--hand", hands, "--json"]).output().unwrap()
}

/// The objects of `--json`, one per line.
fn lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Kind, severity and frame of every warning and worse.
fn serious(report: &Value) -> Vec<(String, String, Option<u64>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["severity"] != "info")
        .map(|f| (text(&f["kind"]), text(&f["severity"]), f["frame"].as_u64()))
        .collect()
}

/// Spoils the cube and runs the command on it for one hand.
fn spoilt(spoil: impl FnOnce(&mut Clip)) -> (Option<i32>, Value) {
    let mut clip = Clip::cube();
    spoil(&mut clip);
    clip.save();
    let output = feasibility(&clip.path(), "shadow");
    let report = lines(&output).pop().unwrap_or_else(|| panic!("{}", stderr(&output)));
    (output.status.code(), report)
}

#[test]
fn a_clean_clip_is_feasible_on_every_hand_with_the_documented_keys() {
    let output = run("feasibility cube --hand shadow,allegro,leap,inspire --json");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let reports = lines(&output);
    let hands: Vec<&str> = reports.iter().map(|r| r["hand"].as_str().unwrap()).collect();
    assert_eq!(hands, ["shadow", "allegro", "leap", "inspire"]);
    for report in &reports {
        assert_eq!((&report["clip"], &report["status"]), (&"cube".into(), &"feasible".into()));
        assert_eq!((&report["difficulty"], &report["time_scale"]), (&"easy".into(), &1.0.into()));
        assert_eq!(report["task"]["holds"], 1);
        assert!(serious(report).is_empty(), "{report}");
        assert!((report["hands"][0]["grasp_width_cm"].as_f64().unwrap() - 6.0).abs() < 0.2);
    }
    let formats = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md"),
    )
    .unwrap();
    let section = formats.split("## What `feasibility` prints").nth(1).expect("it is documented");
    let section = section.split("\n## ").next().unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let parts =
        [&reports[0], &reports[0]["task"], &reports[0]["hands"][0], &reports[0]["findings"][0]];
    for key in parts.into_iter().flat_map(keys) {
        assert!(section.contains(&format!("`{key}`")), "`{key}` is not documented");
    }
}

#[test]
fn the_same_request_gives_the_same_line_but_for_its_time() {
    let line = || {
        let mut report = lines(&run("feasibility bottle --hand leap --seed 3 --json")).remove(0);
        report.as_object_mut().unwrap().remove("wall_s");
        report.to_string()
    };
    assert_eq!(line(), line());
}

#[test]
fn a_teleport_is_infeasible_and_names_its_frame() {
    let (exit, report) = spoilt(|clip| clip.values("obj_pos")[120 * 3] += 0.3);
    assert_eq!((exit, &report["status"]), (Some(1), &"infeasible".into()));
    assert_eq!(serious(&report), [("jump".into(), "blocking".into(), Some(120))]);
}

#[test]
fn a_hand_that_stays_away_is_infeasible() {
    let (exit, report) = spoilt(|clip| {
        clip.values("joints21").iter_mut().skip(2).step_by(3).for_each(|z| *z += 0.12);
    });
    assert_eq!(exit, Some(1), "{report}");
    let found = serious(&report);
    assert_eq!((found.len(), found[0].0.as_str()), (1, "untouched"), "{report}");
    assert!((80..110).contains(&found[0].2.unwrap()), "the cube leaves the table there: {report}");
}

#[test]
fn a_wrong_label_is_told_and_does_not_make_the_clip_harder() {
    let (exit, report) = spoilt(|clip| clip.state("side", Some("left")));
    assert_eq!((exit, &report["difficulty"]), (Some(0), &"easy".into()));
    assert_eq!(serious(&report), [("handedness".into(), "warning".into(), None)]);
    assert_eq!(report["hands"][0]["side"], "right");
}

#[test]
fn a_shrunk_object_leaves_its_contacts_unclear() {
    let clip = Clip::cube();
    let small = crate::clips::cube_obj(1, 0.4, |_| false);
    std::fs::write(clip.mesh(), small).unwrap();
    let report = lines(&feasibility(&clip.path(), "shadow")).remove(0);
    let kinds: Vec<String> = serious(&report).into_iter().map(|f| f.0).collect();
    assert_eq!(kinds, ["contacts"], "{report}");
}

#[test]
fn a_hand_of_the_other_side_is_said_to_mirror() {
    let dir = tempfile::tempdir().unwrap();
    let (xml, toml) = (crate::tripod(), crate::tripod().with_extension("toml"));
    let map = std::fs::read_to_string(toml).unwrap();
    assert!(map.contains("side = \"right\""));
    std::fs::copy(xml, dir.path().join("left.xml")).unwrap();
    let map = map.replace("side = \"right\"", "side = \"left\"");
    std::fs::write(dir.path().join("left.toml"), map).unwrap();
    let hand = dir.path().join("left.xml").display().to_string();
    let output = run(&format!("feasibility cube --hand {hand} --json"));
    let report = lines(&output).remove(0);
    let told = report["findings"].as_array().unwrap().iter().any(|f| f["kind"] == "mirrored");
    assert!(told && report["hands"][0]["side"] == "left", "{report}");
}

#[test]
fn the_table_fits_a_hundred_columns() {
    for clip in ["cube", "box", "mug"] {
        let output = run(&format!("feasibility {clip} --hand shadow,allegro,leap,inspire"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.starts_with("hand") && text.contains("\nshadow: easy"), "{text}");
    }
}

#[test]
fn errors_name_what_is_wrong_and_one_bad_hand_keeps_no_other_from_being_judged() {
    assert_fails(&run("feasibility cup --hand shadow"), &["cup", "cube"]);
    assert_fails(&run("feasibility no/clip.npz --hand shadow"), &["no/clip.npz"]);
    assert_fails(&run("feasibility cube --hand shadow --unit mm"), &["built in"]);
    let mut clip = Clip::cube();
    clip.values("joints21")[7 * 63] = f64::NAN;
    clip.save();
    assert_fails(&feasibility(&clip.path(), "leap"), &["`joints21`", "frame 7"]);

    let output = run("feasibility cube --hand shadwo,leap --json");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("shadow"), "{}", stderr(&output));
    let reports = lines(&output);
    assert_eq!((&reports[0]["status"], &reports[0]["hand"]), (&"failed".into(), &"shadwo".into()));
    assert_eq!((&reports[1]["status"], &reports[1]["hand"]), (&"feasible".into(), &"leap".into()));
}

#[test]
fn recordings_take_about_a_second_for_four_hands() {
    let demos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/demos");
    for (clip, mesh) in [
        ("taco/taco_20231104_010_right.npz", "taco/20231104_010.obj"),
        ("myodm/MyoHand_cup_drink1.npz", "myodm/cup.stl"),
        ("myodm/MyoHand_cylindersmall_lift.npz", "myodm/cylindersmall.stl"),
        ("myodm/MyoHand_mug_drink3.npz", "myodm/mug.stl"),
    ] {
        let (clip, mesh) = (demos.join(clip), demos.join(mesh));
        if !clip.exists() {
            eprintln!("skipped: {} is not there", clip.display());
            continue;
        }
        let output = dextra()
            .arg("feasibility")
            .arg(&clip)
            .args(["--hand", "shadow,allegro,leap,inspire", "--json", "--mesh"])
            .arg(&mesh)
            .output()
            .unwrap();
        let reports = lines(&output);
        assert_eq!((output.status.code(), reports.len()), (Some(0), 4), "{}", stderr(&output));
        let wall: f64 = reports.iter().map(|r| r["wall_s"].as_f64().unwrap()).sum();
        // A tenth of it on a quiet machine.
        assert!(wall < 2.0, "{} took {wall} s", clip.display());
        if clip.to_string_lossy().contains("taco") {
            let told = serious(&reports[0]).iter().any(|f| f.0 == "handedness");
            assert!(told && reports[0]["hands"][0]["side"] == "left", "{}", reports[0]);
        }
    }
}
