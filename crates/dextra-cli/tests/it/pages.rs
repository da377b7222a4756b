//! Pages of results in a real browser.

use crate::results::cube_on_allegro;
use crate::{assert_fails, dextra, python, stderr, tripod};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A Chromium on the path.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path).flat_map(|dir| names.map(|n| dir.join(n))).find(|p| p.is_file())
}

/// What a browser sees of pages in both colour schemes and at both widths; `None` without a browser.
fn seen(pages: &[&Path]) -> Option<Vec<Value>> {
    let Some(browser) = chromium() else {
        eprintln!("skipped: pages need Chromium");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/browser.py");
    let mut python = python(&["playwright.sync_api"])?;
    let output = python.arg(script).arg(browser).args(pages).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[track_caller]
fn assert_fine(found: &[Value], plots: usize) {
    for look in found {
        let number = |key: &str| look[key].as_f64().unwrap();
        let empty = |key: &str| look[key].as_array().unwrap().is_empty();
        assert!(empty("console") && empty("away"), "{look}");
        assert_eq!(look["plots"].as_array().unwrap().len(), plots, "{look}");
        for plot in look["plots"].as_array().unwrap() {
            // A single bar is 32 high.
            let large =
                plot["width"].as_f64() > Some(200.0) && plot["height"].as_f64() > Some(30.0);
            assert!(large && plot["lines"].as_u64() > Some(0), "{look}");
        }
        assert!(look["images"].as_array().unwrap().iter().all(|w| w.as_u64() > Some(0)), "{look}");
        assert!(number("scroll") <= number("width"), "it scrolls sideways: {look}");
        assert!(number("small") >= 11.0 && number("contrast") >= 4.5, "hard to read: {look}");
        assert!(number("texts") > 10.0, "{look}");
        assert_eq!(look["scheme"] == "dark", number("background") < 0.2, "{look}");
    }
}

/// What is written by a command whose exit code is one of `codes`.
#[track_caller]
fn run(args: &[&str], codes: &[i32]) {
    let output = dextra().args(args).output().unwrap();
    let code = output.status.code().unwrap();
    assert!(codes.contains(&code), "{args:?} ended with {code}: {}", stderr(&output));
}

#[test]
fn pages_open_offline_in_a_browser_narrow_and_dark_too() {
    let accepted = &cube_on_allegro().out;
    let dir = tempfile::tempdir().unwrap();
    let rejected = dir.path().join("rejected");
    let tripod = tripod().display().to_string();
    let out = rejected.display().to_string();
    let transfer = ["transfer", "bottle", "--hand", &tripod, "--out", &out];
    run(&[&transfer[..], &["--robustness-trials", "0", "--video"]].concat(), &[0, 1]);
    let comparison = dir.path().join("comparison.html").display().to_string();
    run(&["report", accepted.to_str().unwrap(), &out, "--out", &comparison], &[0]);
    let Some(found) = seen(&[&accepted.join("report.html")]) else { return };
    assert_eq!(found.len(), 4);
    assert_fine(&found, 6);
    let found = seen(&[&rejected.join("report.html")]).unwrap();
    assert_fine(&found, 6);
    for look in found {
        let video = &look["videos"][0];
        let number = |key: &str| video[key].as_f64().unwrap();
        assert!(number("width") > 600.0 && number("height") > 200.0, "{video}");
        assert!(number("seconds") > 2.0 && number("seconds") < 30.0, "{video}");
        // A film, not a blank: dark writing and a bright table.
        assert!(number("low") < 80.0 && number("high") > 180.0, "{video}");
    }
    let found = seen(&[Path::new(&comparison)]).unwrap();
    assert_fine(&found, 4);
    // The rejected run was filmed.
    assert_eq!(found[0]["images"].as_array().unwrap().len(), 1, "{}", found[0]);
}

#[test]
fn other_verbs_have_pages_too() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (collection, rollout) = (at("collection"), at("rollout"));
    let (feasibility, robot, hand) = (at("feasibility"), at("robot"), at("hand"));
    run(&["collect", "cube", "--hand", "allegro", "--rollouts", "2", "--out", &collection], &[0]);
    let case = format!("{collection}/cases/cube-allegro-0");
    let trials = ["--trials", "2", "--seeds", "0", "--out"];
    run(&[&["rollout", &case][..], &trials, &[&rollout]].concat(), &[0, 1]);
    run(&["feasibility", "mug", "--hand", "inspire,leap", "--out", &feasibility], &[0]);
    run(&["export", "robot", &case, "--arms", "--out", &robot], &[0, 1, 2]);
    run(&["hand", "check", tripod().to_str().unwrap(), "--out", &hand], &[0]);
    let (clip, dataset, contents) = (at("clip"), at("cube.hdf5"), at("contents"));
    run(&["demo", "info", "lid", "--out", &clip], &[0]);
    run(&["export", "hdf5", &collection, "--out", &dataset], &[0]);
    run(&["dataset", "validate", &dataset, "--out", &contents], &[0]);
    run(&["report", &rollout, &feasibility, &collection, &clip, &contents, &robot], &[0]);
    let name = tripod().with_extension("html");
    // Refused before anything is played, not after.
    let refused = dextra().args(["rollout", &case, "--out", &case]).output().unwrap();
    assert_fails(&refused, &["report.json", "another folder"]);
    let pages = [
        (format!("{rollout}/report.html"), 2),
        (format!("{feasibility}/report.html"), 2),
        (format!("{collection}/report.html"), 3),
        (format!("{clip}/report.html"), 4),
        (format!("{contents}/report.html"), 3),
        (format!("{robot}/report.html"), 4),
        (format!("{hand}/{}", name.file_name().unwrap().to_str().unwrap()), 0),
    ];
    // A licence goes with everything that is made from a recording.
    for folder in [&rollout, &feasibility, &collection, &robot, &clip, &contents] {
        let page = std::fs::read_to_string(format!("{folder}/report.html")).unwrap();
        assert!(page.contains("CC0-1.0"), "{folder}");
    }
    for (page, plots) in &pages {
        let Some(found) = seen(&[Path::new(page)]) else { return };
        assert_fine(&found, *plots);
    }
}
