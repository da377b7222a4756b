use super::*;
use crate::feasibility::{FeasibilityRequest, feasibility};
use crate::hand::{HandFinding, HandReport};
use crate::report::Report;
use crate::report::tests::example;
use crate::skill::trials::Met;
use crate::skill::{RolloutReport, Score};
use dextra_data::ClipOptions;

const EVIL: &str = "<img src=x onerror=alert(1)>\"'&";
const HARMLESS: &str = "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";

/// Writes a report into a folder and makes its page.
fn made_in(dir: &Path, report: &Report) -> String {
    let json = serde_json::to_vec(report).unwrap();
    std::fs::write(dir.join("report.json"), json).unwrap();
    std::fs::read_to_string(write(dir).unwrap()).unwrap()
}

fn made(report: &Report) -> String {
    made_in(tempfile::tempdir().unwrap().path(), report)
}

#[test]
fn a_page_says_verdict_and_cause_and_loads_nothing() {
    let html = made(&example());
    assert!(html.contains("dropped at lift-off (frame 41)"), "{html}");
    assert!(html.contains("class=\"badge rejected\""), "{html}");
    for outside in ["http:", "https:", "<script", "src=\"/", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn text_of_a_result_never_becomes_markup() {
    let report = Report { clip: EVIL.into(), cause: Some(EVIL.into()), ..example() };
    let html = made(&report);
    assert!(!html.contains("<img src=x"), "{html}");
    assert!(html.matches(HARMLESS).count() >= 3, "{html}");
}

#[test]
fn runs_stand_side_by_side() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (dir, hand) in dirs.iter().zip(["shadow", "leap"]) {
        let report = Report { hand: hand.into(), ..example() };
        std::fs::write(dir.path().join("report.json"), serde_json::to_vec(&report).unwrap())
            .unwrap();
    }
    let out = dirs[0].path().join("both.html");
    compare(&dirs.each_ref().map(|d| d.path().to_owned()), &out).unwrap();
    let html = std::fs::read_to_string(out).unwrap();
    assert!(html.contains("<td>shadow</td>") && html.contains("<td>leap</td>"), "{html}");
    // The same twice is told apart by folder.
    let again = [dirs[0].path().to_owned(), dirs[0].path().join(".")];
    let out = dirs[0].path().join("twice.html");
    compare(&again, &out).unwrap();
    let html = std::fs::read_to_string(out).unwrap();
    assert!(html.contains(&format!("({})", again[1].display())), "{html}");
}

fn played(recipe: &str, successes: usize) -> RolloutReport {
    let score = |protocol: &str, successes| Score {
        protocol: protocol.into(),
        successes,
        trials: 40,
        by_seed: vec![successes],
        rate: successes as f64 / 40.0,
        wilson_low: 0.5,
        wilson_high: 0.9,
        open_loop_successes: 7,
        rules: [("spider".to_owned(), Met { successes: 39, open_loop_successes: 8 })].into(),
        median_worst_cm: f64::NAN,
    };
    RolloutReport {
        clip: "cube".into(),
        hand: "leap".into(),
        recipe: recipe.into(),
        base: "refined".into(),
        seeds: vec![0],
        status: Status::Rejected,
        scores: vec![score("as planned", 40), score("1 cm and 5 deg", successes)],
        reward_terms: vec![("tips".into(), 0.25), ("never paid".into(), 0.0)],
        trials: 40,
        source: "GRAB".into(),
        licence: "LicenseRef-non-commercial".into(),
    }
}

fn kept(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("report.html")).unwrap()
}

#[test]
fn a_rollout_has_a_page_that_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    played(EVIL, 30).write(dir.path()).unwrap();
    assert!(kept(dir.path()).contains("LicenseRef-non-commercial"));
    assert!(dir.path().join("SOURCE.txt").is_file());
    let html = kept(dir.path());
    assert!(html.contains(HARMLESS) && !html.contains("<img"), "{html}");
    assert!(html.contains("<b>75 %</b>1 cm and 5 deg") && html.contains("30 of 40"), "{html}");
    assert!(html.contains("tips") && !html.contains("never paid"), "{html}");
    std::fs::remove_file(dir.path().join("report.html")).unwrap();
    write(dir.path()).unwrap();
    assert_eq!(kept(dir.path()), html);
}

#[test]
fn skills_stand_side_by_side_in_percent() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    played("pkda", 30).write(dirs[0].path()).unwrap();
    played("residual", 20).write(dirs[1].path()).unwrap();
    let out = dirs[0].path().join("both.html");
    compare(&dirs.each_ref().map(|d| d.path().to_owned()), &out).unwrap();
    let html = std::fs::read_to_string(out).unwrap();
    for cell in ["<td>pkda</td>", "<td>residual</td>", "<td>75 (18)</td>", "<td>50 (18)</td>"] {
        assert!(html.contains(cell), "{cell} {html}");
    }
}

#[test]
fn a_page_is_not_written_over_that_of_another_verb() {
    let dir = tempfile::tempdir().unwrap();
    made_in(dir.path(), &example());
    let before = kept(dir.path());
    let error = played("pkda", 1).write(dir.path()).unwrap_err().to_string();
    assert!(error.contains("report.json") && error.contains("another folder"), "{error}");
    assert_eq!(kept(dir.path()), before);
    assert!(!dir.path().join("rollout.json").exists());
}

#[test]
fn a_feasibility_check_has_a_page_with_hands_that_cannot_be_used_too() {
    let dir = tempfile::tempdir().unwrap();
    let request = FeasibilityRequest {
        clip: "cube".into(),
        hands: vec!["inspire".into(), "nothing.xml".into()],
        seed: 0,
        options: ClipOptions::default(),
        out: Some(dir.path().to_owned()),
    };
    feasibility(&request, &crate::Silent).unwrap();
    let html = kept(dir.path());
    assert!(html.contains("1 of 2 hands") && html.contains("nothing.xml"), "{html}");
    assert_eq!(html.matches("<figure").count(), 2, "{html}");
    let result: crate::feasibility::FeasibilityResult =
        read(&dir.path().join("feasibility.json")).unwrap();
    let span = |points: &[(f64, f64)]| {
        let values = points.iter().map(|p| p.1);
        (values.clone().fold(f64::INFINITY, f64::min), values.fold(0.0, f64::max))
    };
    // The cube is lifted by about 15 cm, and touched.
    let (low, high) = span(&result.heights_cm[0].points);
    assert!(low == 0.0 && (10.0..20.0).contains(&high), "{low} {high}");
    let (near, far) = span(&result.gaps_cm[0].points);
    assert!(near < 1.0 && far > 5.0, "{near} {far}");
}

#[test]
fn a_hand_has_a_page_with_what_is_not_known() {
    let finding = HandFinding {
        item: "side".into(),
        value: EVIL.into(),
        confidence: "guess",
        reason: "nothing is named".into(),
    };
    let report = HandReport {
        file: "hand.urdf".into(),
        hand: "hand".into(),
        side: "right".into(),
        map: "derived".into(),
        confidence: "guess",
        joints: 8,
        independent: 8,
        servos: 8,
        mass_kg: 1.0,
        findings: vec![finding],
        unknown: vec!["friction".into()],
        differences: Vec::new(),
        notes: Vec::new(),
        map_file: None,
        picture: None,
        page: String::new(),
    };
    let html = hand(&report).unwrap();
    assert!(html.contains(HARMLESS) && !html.contains("<img"), "{html}");
    assert!(html.contains("<li>friction</li>"), "{html}");
}

#[test]
fn a_folder_without_a_result_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("no report.json") && error.contains(dir.path().to_str().unwrap()),
        "{error}"
    );
}
