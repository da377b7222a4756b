//! Long work: on a thread of its own, without Python's lock, ended by Ctrl-C.

use crate::{DextraError, chain, raised};
use dextra::{Error, Reporter, TransferRequest};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often Python is asked whether a signal arrived.
const PATIENCE: Duration = Duration::from_millis(100);

/// Passes stages and notes on, and the wish to stop.
pub struct Line {
    said: Mutex<Sender<String>>,
    stop: Arc<AtomicBool>,
}

impl Line {
    fn say(&self, text: &str) {
        if let Ok(said) = self.said.lock() {
            // Nobody listens any more once the caller has gone.
            let _ = said.send(text.to_owned());
        }
    }
}

impl Reporter for Line {
    fn stage(&self, name: &str, _total: Option<u64>) {
        self.say(name);
    }

    fn advance(&self, _done: u64, _message: &str) {}

    fn note(&self, message: &str) {
        self.say(message);
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Waits for an answer without Python's lock.
///
/// # Errors
/// What a signal handler raised, usually `KeyboardInterrupt`; [`DextraError`] when nothing can come any more.
pub fn wait<T: Send>(py: Python<'_>, answers: &mut Receiver<T>) -> PyResult<T> {
    loop {
        // Moved, since a shared receiver could not go without the lock.
        let exclusive = &mut *answers;
        match py.detach(move || exclusive.recv_timeout(PATIENCE)) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(DextraError::new_err("the work ended unexpectedly"));
            }
        }
    }
}

/// What a job sends to the caller.
enum Told<T> {
    Said(String),
    Done(Result<T, String>),
}

/// Runs `job` on a thread of its own. What it says goes to `progress`; a signal stops it politely.
fn run<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    job: impl FnOnce(&Line) -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let (send, mut told) = channel();
    let (said, hears) = channel::<String>();
    let stop = Arc::new(AtomicBool::new(false));
    let line = Line { said: Mutex::new(said), stop: stop.clone() };
    let words = send.clone();
    let relay =
        std::thread::spawn(move || hears.iter().all(|text| words.send(Told::Said(text)).is_ok()));
    std::thread::spawn(move || {
        let result = job(&line).map_err(|e| chain(&e));
        // Everything that was said comes before the result.
        drop(line);
        let _ = relay.join();
        let _ = send.send(Told::Done(result));
    });
    let mut raised: Option<PyErr> = None;
    loop {
        let told = match wait(py, &mut told) {
            Ok(told) => told,
            Err(error) if raised.is_none() && !error.is_instance_of::<DextraError>(py) => {
                stop.store(true, Ordering::Relaxed);
                raised = Some(error);
                continue;
            }
            Err(error) => return Err(raised.unwrap_or(error)),
        };
        match told {
            Told::Said(text) => {
                let heard = progress.as_ref().map(|call| call.call1(py, (text,)));
                if let Some(Err(error)) = heard {
                    stop.store(true, Ordering::Relaxed);
                    raised.get_or_insert(error);
                }
            }
            Told::Done(result) => {
                return match raised {
                    Some(error) => Err(error),
                    None => result.map_err(DextraError::new_err),
                };
            }
        }
    }
}

/// A request from JSON of its fields.
pub fn request(fields: &str) -> PyResult<TransferRequest> {
    let mut value: serde_json::Value = serde_json::from_str(fields).map_err(|e| raised(&e))?;
    let mut request = TransferRequest::default();
    let mut take = |key: &str| value.get_mut(key).map(serde_json::Value::take);
    macro_rules! field {
        ($name:ident) => {
            if let Some(given) = take(stringify!($name)) {
                request.$name = serde_json::from_value(given)
                    .map_err(|e| DextraError::new_err(format!("{}: {e}", stringify!($name))))?;
            }
        };
    }
    field!(clip);
    field!(hand);
    field!(seed);
    field!(out);
    field!(threads);
    field!(options);
    field!(film);
    field!(video);
    field!(robustness_trials);
    field!(human_weight);
    field!(robust);
    field!(reuse);
    field!(policy);
    field!(settings);
    Ok(request)
}

/// `transfer`; the report as JSON.
#[pyfunction]
pub fn transfer(py: Python<'_>, fields: &str, progress: Option<Py<PyAny>>) -> PyResult<String> {
    let request = request(fields)?;
    let report = run(py, progress, move |line| dextra::transfer(&request, line))?;
    serde_json::to_string(&report).map_err(|e| raised(&e))
}

/// Retargets a clip, without physics, into the file `out`.
#[pyfunction]
pub fn retarget(
    py: Python<'_>,
    fields: &str,
    out: PathBuf,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let request = request(fields)?;
    run(py, progress, move |line| dextra::practice::retarget(&request, &out, line))
}
