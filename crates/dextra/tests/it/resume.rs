//! Interrupted transfers and what they leave.

use crate::{assert_same_files, cube_on_allegro, request};
use dextra::{ClipOptions, Error, Reporter, Silent, TransferRequest, demo, transfer};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

/// Counts the batches of trials that were really simulated, and cancels after some of them.
struct Impatient {
    batches: AtomicUsize,
    first_steps: AtomicU64,
    patience: usize,
}

impl Impatient {
    fn new(patience: usize) -> Impatient {
        Impatient { batches: AtomicUsize::new(0), first_steps: AtomicU64::new(0), patience }
    }

    fn batches(&self) -> usize {
        self.batches.load(SeqCst)
    }

    /// Physics steps that the search had behind it after the first batch.
    fn first_steps(&self) -> u64 {
        self.first_steps.load(SeqCst)
    }
}

impl Reporter for Impatient {
    fn stage(&self, _name: &str, _total: Option<u64>) {}

    fn advance(&self, done: u64, _message: &str) {
        if self.batches.fetch_add(1, SeqCst) == 0 {
            self.first_steps.store(done, SeqCst);
        }
    }

    fn note(&self, _message: &str) {}

    fn cancelled(&self) -> bool {
        self.batches() >= self.patience
    }
}

#[test]
fn an_interrupted_transfer_goes_on_where_it_was_and_ends_with_the_same_bits() {
    let whole = cube_on_allegro();
    let dir = tempfile::tempdir().unwrap();
    let request = request("cube", "allegro", dir.path());

    let first = Impatient::new(6);
    let error = transfer(&request, &first).unwrap_err();
    assert!(matches!(&error, Error::Cancelled { stage } if stage == "refine"), "{error}");
    assert!(dir.path().join("refine.journal").exists());
    assert!(!dir.path().join("report.json").exists() && !dir.path().join("rollout.npz").exists());

    let second = Impatient::new(usize::MAX);
    let report = transfer(&request, &second).unwrap();
    assert_same_files(whole.dir.path(), dir.path());
    assert_eq!(report.sim_steps, whole.report.sim_steps);
    let notes = report.details.unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("resumed")), "{notes:?}");
    assert!(!dir.path().join("refine.journal").exists(), "the question is answered");

    let undisturbed = tempfile::tempdir().unwrap();
    let reference = Impatient::new(usize::MAX);
    let request = TransferRequest { out: undisturbed.path().to_owned(), ..request };
    transfer(&request, &reference).unwrap();
    assert!(first.batches() >= 6, "{}", first.batches());
    assert_eq!(
        first.batches() + second.batches(),
        reference.batches(),
        "no batch of trials is simulated twice, and none is left out"
    );
    assert!(second.first_steps() > reference.first_steps());
}

#[test]
fn a_journal_of_another_seed_is_not_believed() {
    // A clip from a file is the same for every seed; only the search differs.
    let clips = tempfile::tempdir().unwrap();
    let clip = demo::write("cube", 0, 1.0, clips.path()).unwrap().remove(0);
    let dir = tempfile::tempdir().unwrap();
    let request = request(clip.to_str().unwrap(), "allegro", dir.path());
    let begin = |seed: u64, out: &Path| {
        let watch = Impatient::new(2);
        let request = TransferRequest { seed, out: out.to_owned(), ..request.clone() };
        assert!(transfer(&request, &watch).unwrap_err().is_cancelled());
        watch.first_steps()
    };
    let fresh = tempfile::tempdir().unwrap();
    let (zero, one) = (begin(0, dir.path()), begin(1, fresh.path()));
    assert!(begin(0, dir.path()) > zero, "the same question is resumed");
    assert_eq!(begin(1, dir.path()), one, "another seed begins anew");
    assert_eq!(begin(0, dir.path()), zero, "and the first one too, after it");
}

#[test]
fn an_old_verdict_does_not_stand_beside_new_files() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["report.json", "contacts.png", "strip.png", "film.gif"] {
        std::fs::write(dir.path().join(name), "of another transfer").unwrap();
    }
    let kept = transfer(
        &TransferRequest {
            options: ClipOptions { fps: Some(30.0), ..ClipOptions::default() },
            ..request("cube", "allegro", dir.path())
        },
        &Silent,
    );
    assert!(kept.is_err());
    assert!(dir.path().join("report.json").exists(), "a refused request changes nothing");

    let error = transfer(&request("cube", "allegro", dir.path()), &Impatient::new(1)).unwrap_err();
    assert!(error.is_cancelled());
    for name in ["report.json", "contacts.png", "strip.png", "film.gif"] {
        assert!(!dir.path().join(name).exists(), "{name} is of another transfer");
    }
    assert!(dir.path().join("motion.npz").exists());
}
