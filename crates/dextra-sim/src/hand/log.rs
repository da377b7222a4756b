//! MuJoCo's messages go to `tracing`, not to stderr and a file in the working directory.

use mujoco_rs::logging::set_log_handler;
use mujoco_rs::wrappers::mj_logging::{MjLogMessage, MjtLogLevel};
use std::sync::Once;

/// Sends what MuJoCo reports to `tracing`, instead of to stderr and `MUJOCO_LOG.TXT`. Every hand
/// that is loaded calls it; further calls do nothing.
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

fn forward(message: &MjLogMessage) {
    match message.level() {
        MjtLogLevel::mjLOG_ERROR => tracing::error!(target: "mujoco", "{}", message.subject()),
        // Loaders and worlds report warnings themselves, with the file or world they belong to.
        MjtLogLevel::mjLOG_WARNING => tracing::debug!(target: "mujoco", "{}", message.subject()),
        _ => tracing::trace!(target: "mujoco", "{}", message.subject()),
    }
}
