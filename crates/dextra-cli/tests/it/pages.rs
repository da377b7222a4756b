//! Pages of results in a real browser.

use crate::results::cube_on_allegro;
use crate::{dextra, stderr, transfer, tripod};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Chromium on the path.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path).flat_map(|dir| names.map(|n| dir.join(n))).find(|p| p.is_file())
}

/// What a browser sees of pages in both colour schemes and at both widths; `None` without a browser.
fn seen(pages: &[&Path]) -> Option<Vec<Value>> {
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let has = Command::new(&python).args(["-c", "import playwright.sync_api"]).output();
    let Some(browser) = chromium().filter(|_| has.is_ok_and(|has| has.status.success())) else {
        eprintln!(
            "skipped: pages need Chromium, and playwright in the Python that DEXTRA_PYTHON names"
        );
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/browser.py");
    let output = Command::new(&python).arg(script).arg(browser).args(pages).output().unwrap();
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
            let large =
                plot["width"].as_f64() > Some(200.0) && plot["height"].as_f64() > Some(80.0);
            assert!(large && plot["lines"].as_u64() > Some(0), "{look}");
        }
        assert!(look["images"].as_array().unwrap().iter().all(|w| w.as_u64() > Some(0)), "{look}");
        assert!(number("scroll") <= number("width"), "it scrolls sideways: {look}");
        assert!(number("small") >= 11.0 && number("contrast") >= 4.5, "hard to read: {look}");
        assert!(number("texts") > 10.0, "{look}");
        assert_eq!(look["scheme"] == "dark", number("background") < 0.2, "{look}");
    }
}

#[test]
fn pages_open_offline_in_a_browser_narrow_and_dark_too() {
    let accepted = &cube_on_allegro().out;
    let dir = tempfile::tempdir().unwrap();
    let rejected = dir.path().join("rejected");
    let output = transfer("bottle".as_ref(), &tripod().display().to_string(), &rejected).output();
    let comparison = dir.path().join("comparison.html");
    let several = output.unwrap().status.code() != Some(2) && rejected.join("report.html").exists();
    assert!(several, "a rejected transfer has its page too");
    let made = dextra()
        .arg("report")
        .args([accepted, &rejected])
        .arg("--out")
        .arg(&comparison)
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let Some(found) = seen(&[&accepted.join("report.html")]) else { return };
    assert_eq!(found.len(), 4);
    assert_fine(&found, 5);
    assert_fine(&seen(&[&rejected.join("report.html")]).unwrap(), 5);
    assert_fine(&seen(&[&comparison]).unwrap(), 3);
}
