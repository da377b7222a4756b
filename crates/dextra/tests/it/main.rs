//! The library's main verb from end to end, on built-in clips and a hand of the user's.

mod collect;
mod export;
mod hands;
mod lid;
mod motions;
mod replay;
mod resume;
mod reuse;
mod skill;
mod threads;

use dextra::{Report, Silent, TransferRequest, transfer};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A request without pictures and with few robustness trials.
pub fn request(clip: &str, hand: &str, out: &Path) -> TransferRequest {
    TransferRequest {
        clip: clip.to_owned(),
        hand: hand.to_owned(),
        out: out.to_owned(),
        film: false,
        robustness_trials: 4,
        ..TransferRequest::default()
    }
}

/// A finished transfer and the folder it filled.
pub struct Done {
    /// What the library returned.
    pub report: Report,
    /// Where the files are.
    pub dir: TempDir,
}

/// The cube on the Allegro hand with one thread; made once, as it takes seconds.
pub fn cube_on_allegro() -> &'static Done {
    static DONE: OnceLock<Done> = OnceLock::new();
    DONE.get_or_init(|| {
        // Never dropped, as it is static: in `target`, not among the files of the system.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let request =
            TransferRequest { threads: Some(1), ..request("cube", "allegro", dir.path()) };
        let report = transfer(&request, &Silent).unwrap();
        Done { report, dir }
    })
}

/// Results that must be the same bits whenever the same question is answered.
pub const RESULTS: [&str; 4] = ["motion.npz", "rollout.npz", "mjcf/replay.npz", "mjcf/scene.xml"];

/// Compares the result files of two folders byte by byte.
#[track_caller]
pub fn assert_same_files(a: &Path, b: &Path) {
    for name in RESULTS {
        let [a, b] = [a, b].map(|dir| std::fs::read(dir.join(name)).unwrap());
        assert!(a == b, "{name}: {} and {} bytes differ", a.len(), b.len());
    }
}

/// A file of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}
