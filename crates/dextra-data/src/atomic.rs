//! Crash-safe files and capped reads.
//!
//! A file written here is either whole or absent: bytes go to a temporary file in the same folder,
//! are flushed to disk, and take the final name by a rename. A process killed half-way leaves at
//! most a hidden `.NAME.*.tmp` file, which nothing reads.

use crate::DataError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file that takes its name only when [`AtomicFile::commit`] succeeds.
pub struct AtomicFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl AtomicFile {
    /// Opens a temporary file beside `path`. The folder must exist and be writable.
    pub fn create(path: &Path) -> Result<AtomicFile, DataError> {
        let name = path.file_name().ok_or_else(|| DataError::format(path, "not a file name"))?;
        let prefix = format!(".{}.", name.to_string_lossy());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        // The default of a temporary file is private to its owner; results are ordinary files.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary =
            builder.tempfile_in(folder(path)).map_err(|e| DataError::io(path, "write", e))?;
        Ok(AtomicFile { path: path.to_owned(), temporary })
    }

    /// The name the file will take.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open temporary file.
    pub fn file(&self) -> &File {
        self.temporary.as_file()
    }

    /// Flushes to disk and renames over the final name.
    pub fn commit(self) -> Result<(), DataError> {
        let AtomicFile { path, temporary } = self;
        temporary.as_file().sync_all().map_err(|e| DataError::io(&path, "write", e))?;
        temporary.persist(&path).map_err(|e| DataError::io(&path, "rename into place", e.error))?;
        // The rename itself lives in the folder; without this it may be lost with the power.
        #[cfg(unix)]
        if let Ok(folder) = File::open(folder(&path)) {
            folder.sync_all().ok();
        }
        Ok(())
    }
}

/// Writes `bytes` to `path`, whole or not at all.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let file = AtomicFile::create(path)?;
    file.file().write_all(bytes).map_err(|e| DataError::io(path, "write", e))?;
    file.commit()
}

/// Reads a whole file of at most `limit` bytes.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let io = |e| DataError::io(path, "read", e);
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(DataError::format(path, "not a regular file"));
    }
    let too_large = |size| DataError::TooLarge {
        file: path.to_owned(),
        what: "the file size in bytes".to_owned(),
        size,
        limit,
    };
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // The size may have changed since it was asked for.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

/// A reader that counts and digests what it reads, for files too large to be kept.
pub struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    /// Reads from `inner`.
    pub fn new(inner: R) -> Hashing<R> {
        Hashing { inner, hasher: Sha256::new(), bytes: 0 }
    }

    /// Bytes read so far.
    pub fn count(&self) -> u64 {
        self.bytes
    }

    /// Reads what is left, and returns the SHA-256 of it all in lower-case hexadecimal.
    pub fn finish(mut self) -> std::io::Result<String> {
        std::io::copy(&mut self, &mut std::io::sink())?;
        Ok(hex(&self.hasher.finalize()))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hasher.update(&into[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abandoned_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        write_file(&path, b"old").unwrap();
        let half = AtomicFile::create(&path).unwrap();
        half.file().write_all(b"ne").unwrap();
        drop(half);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_naming_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing").join("x.npz");
        let error = write_file(&path, b"").unwrap_err().to_string();
        assert!(error.contains("x.npz"), "{error}");
    }

    #[test]
    fn an_oversized_file_is_refused_with_both_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        std::fs::write(&path, [0; 100]).unwrap();
        let error = read_file(&path, 99).unwrap_err().to_string();
        assert!(error.contains("100") && error.contains("99"), "{error}");
        assert_eq!(read_file(&path, 100).unwrap().len(), 100);
    }

    #[test]
    fn the_digest_is_the_published_one_of_abc() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let mut reader = Hashing::new(&b"abc"[..]);
        reader.read_exact(&mut [0; 1]).unwrap();
        assert_eq!((reader.count(), reader.finish().unwrap()), (1, sha256_hex(b"abc")));
    }
}
