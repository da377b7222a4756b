//! A folder that is replaced whole.
//!
//! Files of one dataset must agree with each other, and no order of writing them keeps them in agreement
//! at every moment. So the next version of the folder `NAME` is made beside it, as `.NAME.next`, with
//! hard links to the files that stay, and the two change names in one step of the file system. A process
//! killed before leaves the old version, one killed after it the new one; what it leaves beside them is
//! cleared by the next writer.

use crate::DataError;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The next version of a folder.
pub(super) struct Stage {
    target: PathBuf,
    next: PathBuf,
    /// Locks on the next and the present version: one writer at a time.
    locks: Vec<File>,
    dirty: Vec<PathBuf>,
    cleared: bool,
}

impl Stage {
    /// Starts from the folder `target` as it is, or from an empty one.
    pub fn begin(target: &Path) -> Result<Stage, DataError> {
        let io = |action| move |e| DataError::io(target, action, e);
        // A link to a folder stays a link.
        let target = match target.canonicalize() {
            Ok(real) => real,
            Err(_) => std::path::absolute(target).map_err(io("resolve"))?,
        };
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(DataError::format(&target, "not the name of a folder"));
        };
        fs::create_dir_all(parent).map_err(|e| DataError::io(parent, "create", e))?;
        let next = parent.join(format!(".{}.next", name.to_string_lossy()));
        fs::create_dir_all(&next).map_err(|e| DataError::io(&next, "create", e))?;
        let open = |folder: &Path| {
            let opened = File::open(folder).map_err(|e| DataError::io(folder, "open", e))?;
            lock(opened, folder, &target)
        };
        let mut locks = vec![open(&next)?];
        if target.exists() {
            locks.push(open(&target)?);
        }
        let stage = Stage { target, next, locks, dirty: Vec::new(), cleared: false };
        empty(&stage.next)?;
        if stage.target.exists() {
            link(&stage.target, &stage.next)?;
        }
        Ok(stage)
    }

    /// Where `name` is while the next version is made.
    pub fn path(&self, name: &str) -> PathBuf {
        self.next.join(name)
    }

    /// Makes a new file, whose name may have `/`, in the place of one of that name.
    pub fn create(&mut self, name: &str) -> Result<File, DataError> {
        let path = self.path(name);
        let folder = path.parent().expect("a name in a folder");
        step("create", &path)?;
        fs::create_dir_all(folder).map_err(|e| DataError::io(folder, "create", e))?;
        // Never written through a link: it is the present version's file too.
        if path.exists() {
            fs::remove_file(&path).map_err(|e| DataError::io(&path, "replace", e))?;
        }
        let file = File::create_new(&path).map_err(|e| DataError::io(&path, "write", e))?;
        self.dirty.push(path);
        Ok(file)
    }

    /// Makes a file of these bytes.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), DataError> {
        let path = self.path(name);
        let mut file = self.create(name)?;
        step("write", &path)?;
        file.write_all(bytes).map_err(|e| DataError::io(&path, "write", e))
    }

    /// Flushes what is new to the disk and gives the folder its name.
    pub fn commit(mut self) -> Result<(), DataError> {
        for path in &self.dirty {
            step("flush", path)?;
            let file = File::open(path).and_then(|file| file.sync_all());
            file.map_err(|e| DataError::io(path, "flush", e))?;
        }
        flush_folders(&self.next)?;
        step("rename", &self.target)?;
        let present = self.locks.len() > 1;
        let flags = if present { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        renameat_with(CWD, &self.next, CWD, &self.target, flags)
            .map_err(|e| DataError::io(&self.target, "replace the folder", e.into()))?;
        if let Some(parent) = self.target.parent() {
            flush_folder(parent)?;
        }
        // What is left over has the present version's old files.
        step("clear", &self.next)?;
        self.clear();
        Ok(())
    }

    fn clear(&mut self) {
        if !self.cleared {
            fs::remove_dir_all(&self.next).ok();
            self.cleared = true;
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !crash::happened() {
            self.clear();
        }
    }
}

/// The next version of a single file, `.NAME.next` beside it.
pub(super) struct StagedFile {
    target: PathBuf,
    next: PathBuf,
    /// Locked: one writer at a time.
    file: File,
    committed: bool,
}

impl StagedFile {
    /// Starts an empty next version of the file `target`.
    pub fn begin(target: &Path) -> Result<StagedFile, DataError> {
        let Some(name) = target.file_name() else {
            return Err(DataError::format(target, "not the name of a file"));
        };
        let next = target.with_file_name(format!(".{}.next", name.to_string_lossy()));
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(|e| DataError::io(parent, "create", e))?;
        }
        let io = |e| DataError::io(&next, "write", e);
        let file = File::options().create(true).truncate(false).write(true).open(&next);
        let file = lock(file.map_err(io)?, &next, target)?;
        file.set_len(0).map_err(io)?;
        Ok(StagedFile { target: target.to_owned(), next, file, committed: false })
    }

    /// What is to be written.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Flushes it to the disk and gives it its name.
    pub fn commit(mut self) -> Result<(), DataError> {
        step("flush", &self.target)?;
        self.file.sync_all().map_err(|e| DataError::io(&self.target, "flush", e))?;
        step("rename", &self.target)?;
        fs::rename(&self.next, &self.target)
            .map_err(|e| DataError::io(&self.target, "replace", e))?;
        self.committed = true;
        match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => flush_folder(parent),
            _ => flush_folder(Path::new(".")),
        }
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.committed && !crash::happened() {
            fs::remove_file(&self.next).ok();
        }
    }
}

fn busy(target: &Path) -> DataError {
    DataError::format(target, "another process is writing this dataset")
}

/// Locks what was opened at `path` against other writers of `target` until it is closed.
fn lock(opened: File, path: &Path, target: &Path) -> Result<File, DataError> {
    opened.try_lock().map_err(|_| busy(target))?;
    // Another writer may have finished, and taken it away, before it was locked.
    if path.exists() { Ok(opened) } else { Err(busy(target)) }
}

/// Removes all that is in a folder.
fn empty(folder: &Path) -> Result<(), DataError> {
    let io = |e| DataError::io(folder, "clear", e);
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        let is_folder = entry.file_type().map_err(io)?.is_dir();
        if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.map_err(io)?;
    }
    Ok(())
}

/// Makes `to` hold the files of `from`: links where the file system has them, else copies.
fn link(from: &Path, to: &Path) -> Result<(), DataError> {
    let io = |e| DataError::io(from, "read", e);
    for entry in fs::read_dir(from).map_err(io)? {
        let entry = entry.map_err(io)?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(io)?;
        step("link", &new)?;
        if kind.is_dir() {
            fs::create_dir(&new).map_err(|e| DataError::io(&new, "create", e))?;
            link(&old, &new)?;
        } else if kind.is_file() {
            fs::hard_link(&old, &new)
                .or_else(|_| fs::copy(&old, &new).map(drop))
                .map_err(|e| DataError::io(&old, "copy", e))?;
        } else {
            return Err(DataError::format(&old, "neither a file nor a folder"));
        }
    }
    Ok(())
}

fn flush_folders(folder: &Path) -> Result<(), DataError> {
    for entry in fs::read_dir(folder).map_err(|e| DataError::io(folder, "read", e))?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            flush_folders(&entry.path())?;
        }
    }
    flush_folder(folder)
}

fn flush_folder(folder: &Path) -> Result<(), DataError> {
    let file = File::open(folder).and_then(|file| file.sync_all());
    file.map_err(|e| DataError::io(folder, "flush", e))
}

/// One step of the work on the file system, at which tests end the process.
fn step(action: &'static str, path: &Path) -> Result<(), DataError> {
    if crash::now() {
        return Err(DataError::io(path, action, std::io::Error::other("killed by a test")));
    }
    Ok(())
}

/// Outside of tests nothing ends a writer but the operating system.
#[cfg(not(test))]
mod crash {
    pub fn now() -> bool {
        false
    }

    pub fn happened() -> bool {
        false
    }
}

/// What a `kill -9` looks like from within: nothing after a certain step happens, clearing up neither.
#[cfg(test)]
pub(super) mod crash {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
        static DEAD: Cell<bool> = const { Cell::new(false) };
    }

    /// Ends this thread's writers after `steps`, or never.
    pub fn after(steps: Option<usize>) {
        LEFT.set(steps);
        DEAD.set(false);
    }

    pub fn now() -> bool {
        match LEFT.get() {
            Some(0) => DEAD.set(true),
            left => LEFT.set(left.map(|left| left - 1)),
        }
        happened()
    }

    pub fn happened() -> bool {
        DEAD.get()
    }
}
