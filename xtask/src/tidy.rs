//! `cargo xtask tidy`: the project's own rules that no compiler checks.
//!
//! Each rule is a pure function from the [`Tree`] to the problems it found, so that its tests need
//! no files; only [`Tree::read`] and the path rule's `exists` closure touch the disk.

mod code;
mod documents;
mod layers;
mod sources;

use anyhow::{Context, Result};
use std::fmt;
use std::fs;
use std::path::Path;

/// A text file of the repository.
#[derive(Debug)]
pub struct SourceFile {
    /// Path from the repository root, with `/` between its parts.
    pub path: String,
    /// Content.
    pub text: String,
}

/// The files that the rules look at.
#[derive(Debug, Default)]
pub struct Tree {
    /// Sorted by path.
    pub files: Vec<SourceFile>,
}

/// A broken rule.
#[derive(Debug, PartialEq)]
pub struct Problem {
    /// File, from the repository root.
    pub path: String,
    /// Line, counted from 1; 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Problem {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Problem {
        Problem { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Folders that are searched; build outputs and results of runs lie elsewhere.
const FOLDERS: [&str; 4] = ["crates", "xtask", "docs", ".ci"];
/// Kinds of files that are read.
const EXTENSIONS: [&str; 4] = ["rs", "toml", "md", "py"];

impl Tree {
    /// Reads the repository at `root`.
    pub fn read(root: &Path) -> Result<Tree> {
        let mut tree = Tree::default();
        for entry in fs::read_dir(root).with_context(|| root.display().to_string())? {
            let path = entry?.path();
            if path.is_file() {
                tree.push(root, &path)?;
            }
        }
        for folder in FOLDERS {
            let path = root.join(folder);
            if path.is_dir() {
                tree.push_folder(root, &path)?;
            }
        }
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn push_folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                self.push_folder(root, &path)?;
            } else {
                self.push(root, &path)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, root: &Path, path: &Path) -> Result<()> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if EXTENSIONS.contains(&extension) {
            let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let parts: Vec<_> =
                path.strip_prefix(root)?.iter().map(|part| part.to_string_lossy()).collect();
            self.files.push(SourceFile { path: parts.join("/"), text });
        }
        Ok(())
    }

    /// A tree held in memory, for the tests of the rules.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let file =
            |&(path, text): &(&str, &str)| SourceFile { path: path.into(), text: text.into() };
        Tree { files: files.iter().map(file).collect() }
    }
}

/// Applies every rule; prints the problems to stderr; `true` when there are none.
pub fn run(root: &Path) -> Result<bool> {
    let tree = Tree::read(root)?;
    let problems = check(&tree, &|path| root.join(path).exists());
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => eprintln!("tidy: {} files, no problem", tree.files.len()),
        count => eprintln!("tidy: {} files, {count} problem(s)", tree.files.len()),
    }
    Ok(problems.is_empty())
}

/// Every rule on `tree`; `exists` tells whether a path from the repository root is there.
fn check(tree: &Tree, exists: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = layers::check(tree);
    problems.extend(sources::check(tree));
    problems.extend(documents::check(tree, exists));
    problems
}
