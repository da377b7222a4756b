use super::*;
use crate::report::tests::example;

/// Writes a report into a folder and makes its page.
fn made(report: &Report) -> String {
    let dir = tempfile::tempdir().unwrap();
    let json = serde_json::to_vec(report).unwrap();
    std::fs::write(dir.path().join("report.json"), json).unwrap();
    std::fs::read_to_string(write(dir.path()).unwrap()).unwrap()
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
    let evil = "<img src=x onerror=alert(1)>\"'&";
    let report = Report { clip: evil.into(), cause: Some(evil.into()), ..example() };
    let html = made(&report);
    assert!(!html.contains("<img src=x"), "{html}");
    assert!(
        html.matches("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;").count() >= 3,
        "{html}"
    );
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
