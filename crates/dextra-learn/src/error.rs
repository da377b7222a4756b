//! What can go wrong while learning, or with a checkpoint.

use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// A file cannot be read or written whole.
    #[error(transparent)]
    File(#[from] dextra_data::DataError),
    /// The operating system refused something about a folder or a log.
    #[error("{}: cannot {action}: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What was tried: `"write"`, `"rename into place"`, ...
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file is not what its name says: truncated, or of another format.
    #[error("{}: {problem}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// One field of a checkpoint is unusable, or is not what the caller expects.
    #[error("{}: `{field}`: {problem}", file.display())]
    Field {
        /// The file.
        file: PathBuf,
        /// The field, such as `observations[2].name`.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// A setting makes no sense.
    #[error("setting `{field}`: {problem}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// An observation given to a policy is unusable.
    #[error("observation `{slice}`: {problem}")]
    Observation {
        /// The slice of the contract, or `"whole"`.
        slice: String,
        /// What is wrong.
        problem: String,
    },
    /// The environment failed.
    #[error("the environment failed: {0}")]
    Env(Box<dyn std::error::Error + Send + Sync>),
    /// Training went wrong and was stopped before anything of it was written.
    #[error("stopped in iteration {iteration}: {fault}; {}", LastGood(last_good.as_deref()))]
    Stopped {
        /// The iteration, from 1.
        iteration: u64,
        /// What went wrong.
        fault: Fault,
        /// The newest checkpoint, which is from before the fault.
        last_good: Option<PathBuf>,
    },
}

/// A number that ends training.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// An environment returned an observation that is not finite.
    #[error("observation `{slice}` of world {world} is {value}")]
    Observation {
        /// The slice of the contract.
        slice: String,
        /// The world.
        world: usize,
        /// The value.
        value: f32,
    },
    /// A reward is not finite or larger than the limit.
    #[error("the reward of world {world} is {value}; the limit is ±{limit}")]
    Reward {
        /// The world.
        world: usize,
        /// The value.
        value: f32,
        /// Largest magnitude allowed.
        limit: f32,
    },
    /// A loss is not finite or larger than the limit.
    #[error("the {name} is {value}; the limit is ±{limit}")]
    Loss {
        /// Which: `"surrogate loss"`, `"value loss"`, ...
        name: &'static str,
        /// The value.
        value: f32,
        /// Largest magnitude allowed.
        limit: f32,
    },
    /// The norm of the gradient is not finite.
    #[error("the norm of the gradient is {value}")]
    Gradient {
        /// The value.
        value: f32,
    },
    /// A parameter became infinite or NaN.
    #[error("the parameter `{name}` is no longer finite")]
    Parameter {
        /// Which one, as in the checkpoint.
        name: String,
    },
}

impl LearnError {
    pub(crate) fn io(file: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { file: file.to_owned(), action, source }
    }

    pub(crate) fn format(file: &Path, problem: impl Into<String>) -> Self {
        Self::Format { file: file.to_owned(), problem: problem.into() }
    }

    pub(crate) fn field(file: &Path, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { file: file.to_owned(), field: field.into(), problem: problem.into() }
    }
}

struct LastGood<'a>(Option<&'a Path>);

impl std::fmt::Display for LastGood<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(path) => write!(f, "the last good checkpoint is {}", path.display()),
            None => write!(f, "there is no checkpoint yet"),
        }
    }
}
