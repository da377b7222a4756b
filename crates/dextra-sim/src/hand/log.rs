//! MuJoCo's messages go to `tracing`, not to stderr and a file in the working directory.

use mujoco_rs::logging::set_log_handler;
use mujoco_rs::wrappers::mj_logging::{MjLogMessage, MjtLogLevel};
use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    /// Warnings of the call in progress, when someone collects them.
    static WARNINGS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Sends what MuJoCo reports to `tracing`, instead of to stderr and `MUJOCO_LOG.TXT`. Every hand
/// that is loaded, every scene and every batch calls it; further calls do nothing.
pub fn route_engine_log() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: the handler is installed once, before this crate's first use of MuJoCo on the
        // calling thread; `Once` makes other loaders wait. It neither panics nor calls MuJoCo.
        #[allow(unsafe_code)]
        unsafe {
            set_log_handler(forward);
        }
    });
}

/// Runs `call` and returns MuJoCo's warnings on this thread besides its result.
pub(super) fn with_warnings<T>(call: impl FnOnce() -> T) -> (T, Vec<String>) {
    route_engine_log();
    WARNINGS.set(Some(Vec::new()));
    let result = call();
    (result, WARNINGS.take().unwrap_or_default())
}

fn forward(message: &MjLogMessage) {
    match message.level() {
        MjtLogLevel::mjLOG_ERROR => tracing::error!(target: "mujoco", "{}", message.subject()),
        // Loaders and worlds report warnings themselves, with the file or world they
        // belong to.
        MjtLogLevel::mjLOG_WARNING => {
            tracing::debug!(target: "mujoco", "{}", message.subject());
            WARNINGS.with_borrow_mut(|warnings| {
                if let Some(warnings) = warnings {
                    warnings.push(message.subject().to_owned());
                }
            });
        }
        _ => tracing::trace!(target: "mujoco", "{}", message.subject()),
    }
}
