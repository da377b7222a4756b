//! What can be wrong with a file.

use std::fmt;
use std::path::{Path, PathBuf};

/// An input that cannot be used, or an output that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What was tried: `"read"`, `"write"`, ...
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The file as a whole is not what its name says.
    #[error("{}: {problem}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// One key (array, column, setting) holds something unusable.
    #[error("{}: `{field}`{}: {problem}", file.display(), At(*frame))]
    Field {
        /// The file.
        file: PathBuf,
        /// The key.
        field: String,
        /// The first frame concerned, where the key is a time series.
        frame: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// A key is missing.
    #[error("{}: no `{field}`; the file has: {}", file.display(), Names(present))]
    MissingField {
        /// The file.
        file: PathBuf,
        /// The key looked for.
        field: String,
        /// The keys that are there.
        present: Vec<String>,
    },
    /// A mesh file is malformed.
    #[error("{}{}: {problem}", file.display(), Line(*line))]
    Mesh {
        /// The file.
        file: PathBuf,
        /// One-based line, for text formats.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// No mesh, or more than one, fits the clip.
    #[error(
        "{}: {problem}; meshes beside the clip: {}; state one with the `mesh` option (--mesh FILE)",
        file.display(), Names(candidates)
    )]
    MeshChoice {
        /// The clip.
        file: PathBuf,
        /// Why none could be chosen.
        problem: String,
        /// Mesh files beside the clip.
        candidates: Vec<String>,
    },
    /// A pickle that cannot be read.
    #[error("{}: byte {offset}: {problem}", file.display())]
    Pickle {
        /// The file.
        file: PathBuf,
        /// Offset of the opcode concerned.
        offset: usize,
        /// What is wrong, with the opcode.
        problem: String,
    },
    /// A size above this program's limit.
    #[error("{}: {what} is {size}, above the limit of {limit}", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// What was measured, with its unit.
        what: String,
        /// Its size.
        size: u64,
        /// The largest accepted.
        limit: u64,
    },
    /// A stated option contradicts the file.
    #[error("{}: option `{option}`: {problem}", file.display())]
    Option {
        /// The file.
        file: PathBuf,
        /// The option.
        option: &'static str,
        /// What was measured against what was stated.
        problem: String,
    },
}

impl DataError {
    pub(crate) fn io(file: &Path, action: &'static str, source: std::io::Error) -> Self {
        DataError::Io { file: file.to_owned(), action, source }
    }

    pub(crate) fn format(file: &Path, problem: impl Into<String>) -> Self {
        DataError::Format { file: file.to_owned(), problem: problem.into() }
    }

    pub(crate) fn field(file: &Path, field: &str, problem: impl Into<String>) -> Self {
        DataError::Field {
            file: file.to_owned(),
            field: field.to_owned(),
            frame: None,
            problem: problem.into(),
        }
    }

    pub(crate) fn frame(
        file: &Path,
        field: &str,
        frame: usize,
        problem: impl Into<String>,
    ) -> Self {
        DataError::Field {
            file: file.to_owned(),
            field: field.to_owned(),
            frame: Some(frame),
            problem: problem.into(),
        }
    }

    pub(crate) fn mesh(file: &Path, line: Option<usize>, problem: impl Into<String>) -> Self {
        DataError::Mesh { file: file.to_owned(), line, problem: problem.into() }
    }

    pub(crate) fn option(file: &Path, option: &'static str, problem: impl Into<String>) -> Self {
        DataError::Option { file: file.to_owned(), option, problem: problem.into() }
    }
}

/// Writes ` at frame N`, or nothing.
struct At(Option<usize>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |frame| write!(f, " at frame {frame}"))
    }
}

/// Writes `:N`, or nothing.
struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// Writes a list of names, at most twenty of them.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let shown: Vec<&str> = self.0.iter().take(20).map(String::as_str).collect();
        f.write_str(&shown.join(", "))?;
        if self.0.len() > 20 {
            write!(f, " and {} more", self.0.len() - 20)?;
        }
        Ok(())
    }
}
