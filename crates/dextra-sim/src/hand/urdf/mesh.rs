//! Where the meshes of a URDF are.

use std::path::{Path, PathBuf};

/// Kinds of meshes that MuJoCo reads.
const KINDS: [&str; 3] = ["obj", "stl", "msh"];
/// Folders above the file in which a `package://` path is tried.
const MAX_UP: usize = 8;

/// Looks for mesh files; remembers what it did not find.
pub(super) struct Finder {
    folder: PathBuf,
    losses: Vec<Loss>,
}

/// A mesh that was left out.
#[derive(PartialEq)]
struct Loss {
    name: String,
    /// Whether it collides.
    solid: bool,
    /// Whether the file exists, in a kind that cannot be read.
    there: bool,
}

impl Finder {
    /// Looks from the folder of the URDF file `path`.
    pub(super) fn new(path: &Path) -> Self {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self { folder, losses: Vec::new() }
    }

    /// The file that `name` means, of a kind that can be read; of an unreadable kind, one of the
    /// same stem beside it. `solid` says whether it collides or is only drawn.
    pub(super) fn find(&mut self, name: &str, solid: bool) -> Option<PathBuf> {
        let candidates = self.candidates(name);
        let readable = |path: &Path| {
            path.extension()
                .and_then(|e| e.to_str())
                .is_some_and(|e| KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(e)))
        };
        for path in &candidates {
            if readable(path) && path.is_file() {
                return Some(path.clone());
            }
        }
        for path in &candidates {
            if readable(path) {
                continue;
            }
            if let Some(other) =
                KINDS.iter().map(|kind| path.with_extension(kind)).find(|p| p.is_file())
            {
                return Some(other);
            }
        }
        let there = candidates.iter().any(|p| p.is_file());
        let loss = Loss { name: name.to_owned(), solid, there };
        if !self.losses.contains(&loss) {
            self.losses.push(loss);
        }
        None
    }

    fn candidates(&self, name: &str) -> Vec<PathBuf> {
        if let Some(path) = name.strip_prefix("file://") {
            return vec![self.folder.join(path)];
        }
        let within = ["package://", "model://"].iter().find_map(|p| name.strip_prefix(p));
        let Some(within) = within else { return vec![self.folder.join(name)] };
        let (package, rest) = within.split_once('/').unwrap_or(("", within));
        let mut candidates = Vec::new();
        for folder in self.folder.ancestors().take(MAX_UP) {
            if folder.file_name().is_some_and(|n| n == package) {
                candidates.push(folder.join(rest));
            }
            candidates.push(folder.join(package).join(rest));
            candidates.push(folder.join(rest));
        }
        candidates
    }

    /// One line per kind of loss.
    pub(super) fn summary(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (solid, there) in [(true, false), (true, true), (false, false), (false, true)] {
            let lost: Vec<&Loss> =
                self.losses.iter().filter(|l| (l.solid, l.there) == (solid, there)).collect();
            let Some(first) = lost.first() else { continue };
            let what = if solid { "collision" } else { "visual" };
            let why = match there {
                true => "of a kind that cannot be read (.obj and .stl can)",
                false => "that are not there",
            };
            let so = if solid { "; the hand is smaller than its file says" } else { "" };
            lines.push(format!(
                "left out {} {what} mesh file(s) {why}, the first `{}`{so}",
                lost.len(),
                first.name
            ));
        }
        lines
    }
}
