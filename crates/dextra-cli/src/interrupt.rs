//! Ctrl-C: the first one asks the work to save itself and end, the second one ends the process.

use crate::output::Exit;
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, and for the signals that end a session or a service.
pub fn listen() -> Result<()> {
    let on_signal = || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        eprintln!("\ninterrupted: saving; once more to stop at once");
    };
    ctrlc::set_handler(on_signal).context("cannot listen for Ctrl-C")
}

/// Whether the user asked for the end.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
