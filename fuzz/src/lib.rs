//! What fuzz targets share: files that a reader is given, one of them made of the fuzzer's bytes.

#[path = "../../crates/dextra-data/tests/it/model.rs"]
mod model;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// A folder of this process.
fn folder() -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        let folder =
            folder.get_or_insert_with(|| tempfile::tempdir().expect("no temporary folder"));
        folder.path().to_owned()
    })
}

/// A folder with a made-up hand model of MANO's shapes, which readers accept; one per process.
pub fn mano() -> PathBuf {
    let mano = folder().join("mano");
    if !mano.is_dir() {
        std::fs::create_dir_all(&mano).expect("the temporary folder is full");
        model::models(&mano);
    }
    mano
}

/// Gives `read` a file of this name with these bytes.
pub fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let path = folder().join(name);
    std::fs::write(&path, bytes).expect("the temporary folder is full");
    read(&path);
}

/// A tree of files of which one at a time is exchanged.
pub struct Tree {
    /// Its root.
    pub root: PathBuf,
    /// Its files, sorted, with their own bytes.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Tree {
    /// What `fill` puts into a new folder.
    pub fn new(name: &str, fill: impl FnOnce(&Path)) -> Self {
        let root = folder().join(name);
        std::fs::create_dir_all(&root).expect("the temporary folder is full");
        fill(&root);
        let mut files = Vec::new();
        collect(&root, &mut files);
        files.sort();
        seed(&files);
        Self { root, files }
    }

    /// A copy of a folder of the repository, named from its root.
    pub fn copy(name: &str, from: &str) -> Self {
        Self::copy_with(name, from, |_| ())
    }

    /// The same, and what `fill` adds to it.
    pub fn copy_with(name: &str, from: &str, fill: impl FnOnce(&Path)) -> Self {
        Self::new(name, |root| {
            copy(from, root);
            fill(root);
        })
    }

    /// The first byte chooses the file that has the rest of the bytes while `read` runs.
    pub fn with(&self, bytes: &[u8], read: impl FnOnce(&Path)) {
        self.with_name(bytes, |root, _| read(root));
    }

    /// The same, told which file it is, from the root.
    pub fn with_name(&self, bytes: &[u8], read: impl FnOnce(&Path, &Path)) {
        let Some((&which, rest)) = bytes.split_first() else { return };
        let (path, own) = &self.files[usize::from(which) % self.files.len()];
        std::fs::write(path, rest).expect("the temporary folder is full");
        read(&self.root, path.strip_prefix(&self.root).unwrap_or(path));
        std::fs::write(path, own).expect("the temporary folder is full");
    }
}

/// Writes the files as inputs to start from into the folder that `DEXTRA_FUZZ_SEEDS` names.
fn seed(files: &[(PathBuf, Vec<u8>)]) {
    let Some(out) = std::env::var_os("DEXTRA_FUZZ_SEEDS") else { return };
    for (index, (path, own)) in files.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut bytes = vec![index as u8];
        bytes.extend(own);
        let out = Path::new(&out).join(format!("seed-{index}-{name}"));
        std::fs::write(out, bytes).expect("seeds cannot be written");
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder just made") {
        let path = entry.expect("a folder just made").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let own = std::fs::read(&path).expect("a file just made");
            files.push((path, own));
        }
    }
}

/// Copies a folder of the repository, named from its root.
pub fn copy(from: &str, to: &Path) {
    copy_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(from), to);
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the temporary folder is full");
    for entry in std::fs::read_dir(from).expect("a folder of the repository") {
        let entry = entry.expect("a folder of the repository");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("the temporary folder is full");
        }
    }
}
