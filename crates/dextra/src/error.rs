//! Why a verb could not do its work. A rejected rollout is no error: it is a
//! [`Report`](crate::report::Report).

use std::io;
use std::path::{Path, PathBuf};

/// The error of an inner stage, with its own chain of causes.
pub type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong, where, and what would help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The clip is not there, not readable, or not a demonstration.
    #[error("cannot use the clip {clip}")]
    Clip {
        /// Clip as it was asked for.
        clip: String,
        /// File, field and frame.
        #[source]
        source: Source,
    },
    /// The hand is neither built in nor a loadable model with a map.
    #[error("cannot use the hand {hand}")]
    Hand {
        /// Hand as it was asked for.
        hand: String,
        /// Why, with the valid names.
        #[source]
        source: Source,
    },
    /// A stage of the work failed.
    #[error("{stage} failed")]
    Stage {
        /// Name of the stage, such as `"retarget"`.
        stage: &'static str,
        /// Why.
        #[source]
        source: Source,
    },
    /// A request that contradicts itself or asks for something impossible.
    #[error("{0}")]
    Request(String),
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `"read"`, `"write"`, `"create"`.
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The user interrupted the work. What was finished is kept in the output folder, and the same
    /// request takes it up again.
    #[error("interrupted during {stage}")]
    Cancelled {
        /// Stage that was running.
        stage: String,
    },
}

impl Error {
    /// Wraps an I/O error with what was tried on which path; for use with `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// Wraps the failure of a stage; for use with `map_err`.
    pub fn stage<E: Into<Source>>(stage: &'static str) -> impl FnOnce(E) -> Error {
        move |source| Error::Stage { stage, source: source.into() }
    }

    /// Whether the user asked for this end.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Error::Cancelled { .. })
    }
}

/// An error with its causes, outermost first, joined by colons.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text = format!("{text}: {error}");
        inner = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn io_error_names_action_and_path_and_keeps_the_reason() {
        let error = std::fs::read("no/such/file").map_err(Error::io("read", "no/such/file"));
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "cannot read no/such/file");
        assert!(error.source().is_some_and(|reason| reason.to_string().contains("No such file")));
    }

    #[test]
    fn a_stage_keeps_the_chain_of_its_error() {
        let error = Error::stage("retarget")(Error::Request("no frames".into()));
        assert_eq!(error.to_string(), "retarget failed");
        assert_eq!(error.source().map(ToString::to_string), Some("no frames".into()));
        assert!(!error.is_cancelled());
        assert!(Error::Cancelled { stage: "refine".into() }.is_cancelled());
    }
}
