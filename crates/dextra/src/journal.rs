//! The journal of a refinement as a file: appended while it runs, read when it resumes.
//!
//! Layout: 32 bytes that identify the question (a hash of inputs and settings), then records of a
//! little-endian `u32` count, that many `f64`, and a `u32` checksum. A record that a crash cut short,
//! and everything after it, is ignored.

use dextra_motion::refine::journal::Journal;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A journal kept in a file.
pub struct JournalFile {
    path: PathBuf,
    /// Identifies the program: another build may answer otherwise.
    build: [u8; 32],
    file: Option<File>,
    answers: Vec<Vec<f64>>,
    recalled: usize,
}

/// Larger files are no journals of ours.
const MAX_BYTES: u64 = 1 << 30;

impl JournalFile {
    /// The journal at `path`, which no other process may be using. What an earlier run of the same
    /// build and the same question left there is remembered once the question is known
    /// ([`Journal::begin`]); anything else is started anew.
    ///
    /// # Errors
    /// When the file can be neither read nor created, or another process works in this folder.
    pub fn open(path: &Path, build: [u8; 32]) -> std::io::Result<JournalFile> {
        let file =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        file.try_lock().map_err(|_| {
            std::io::Error::new(
                std::io::ErrorKind::ResourceBusy,
                "another run is working in this folder",
            )
        })?;
        Ok(JournalFile {
            path: path.to_path_buf(),
            build,
            file: Some(file),
            answers: Vec::new(),
            recalled: 0,
        })
    }

    /// Reads what belongs to `key` and cuts off the rest.
    fn take_up(&mut self, key: [u8; 32]) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut bytes = Vec::new();
        if file.metadata()?.len() <= MAX_BYTES {
            file.read_to_end(&mut bytes)?;
        }
        let (answers, good) = parse(&bytes, &key);
        if good == 0 {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&key)?;
        } else {
            // Cuts off a record that was not finished.
            file.set_len(good)?;
            file.seek(SeekFrom::End(0))?;
        }
        self.answers = answers;
        Ok(())
    }

    /// Number of answers that came from an earlier run.
    pub fn recalled(&self) -> usize {
        self.recalled
    }

    /// Removes the file: the question is answered for good.
    pub fn discard(mut self) {
        self.file = None;
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Journal for JournalFile {
    fn begin(&mut self, question: &[&[u8]]) {
        let mut hash = Sha256::new();
        hash.update(self.build);
        for part in question {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        if let Err(error) = self.take_up(hash.finalize().into()) {
            tracing::warn!("{}: {error}; nothing is resumed or kept", self.path.display());
            self.file = None;
        }
    }

    fn recall(&mut self, index: usize) -> Option<Vec<f64>> {
        let answer = self.answers.get(index).cloned();
        self.recalled += usize::from(answer.is_some());
        answer
    }

    fn remember(&mut self, index: usize, answer: &[f64]) {
        debug_assert_eq!(index, self.answers.len(), "questions come in order");
        self.answers.push(answer.to_vec());
        let Some(file) = &mut self.file else { return };
        // The journal only saves time: a full disk must not end the search. Writing stops then, so
        // that what is there stays a prefix.
        if let Err(error) = file.write_all(&record(answer)) {
            tracing::warn!("{}: {error}; an interruption will lose more", self.path.display());
            self.file = None;
        }
    }
}

fn record(answer: &[f64]) -> Vec<u8> {
    let mut bytes = (answer.len() as u32).to_le_bytes().to_vec();
    for value in answer {
        bytes.extend(value.to_le_bytes());
    }
    let sum = checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

fn checksum(bytes: &[u8]) -> u32 {
    let digest = Sha256::digest(bytes);
    u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// Records of the same key and the number of bytes they span; no bytes for another key.
fn parse(bytes: &[u8], key: &[u8; 32]) -> (Vec<Vec<f64>>, u64) {
    let mut answers = Vec::new();
    if bytes.get(..32) != Some(key.as_slice()) {
        return (answers, 0);
    }
    let mut at = 32;
    while let Some(answer) = next(&bytes[at..]) {
        at += 8 * answer.len() + 8;
        answers.push(answer);
    }
    (answers, at as u64)
}

fn next(bytes: &[u8]) -> Option<Vec<f64>> {
    let count = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let end = 4usize.checked_add(count.checked_mul(8)?)?;
    let body = bytes.get(..end)?;
    let sum = u32::from_le_bytes(bytes.get(end..end + 4)?.try_into().ok()?);
    if checksum(body) != sum {
        return None;
    }
    body[4..].chunks_exact(8).map(|b| b.try_into().ok().map(f64::from_le_bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The journal of the question `key`.
    fn open(path: &Path, key: u8) -> JournalFile {
        let mut journal = JournalFile::open(path, [0; 32]).unwrap();
        journal.begin(&[&[key]]);
        journal
    }

    #[test]
    fn a_cut_journal_gives_back_its_whole_records_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = open(&path, 7);
        journal.remember(0, &[1.0, -2.5]);
        journal.remember(1, &[f64::NAN]);
        journal.remember(2, &[4.0; 5]);
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in 32..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = open(&path, 7);
            let kept = (0..3).take_while(|&i| journal.recall(i).is_some()).count();
            // A record of n numbers has 8 n + 8 bytes, the key 32.
            let ends = [32 + 24, 32 + 24 + 16, 32 + 24 + 16 + 48];
            assert_eq!(kept, ends.iter().filter(|&&end| cut >= end).count(), "cut at {cut}");
            if kept == 1 {
                assert_eq!(journal.recall(0).unwrap(), [1.0, -2.5]);
                journal.remember(1, &[9.0]);
                drop(journal);
                let mut again = open(&path, 7);
                assert_eq!(again.recall(1).unwrap(), [9.0]);
            }
        }
    }

    #[test]
    fn a_journal_of_another_question_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        open(&path, 1).remember(0, &[1.0]);
        assert!(open(&path, 2).recall(0).is_none());
    }

    #[test]
    fn garbage_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        drop(open(&path, 3));
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 32, "the key alone");
        bytes.extend([0xff; 40]);
        std::fs::write(&path, &bytes).unwrap();
        assert!(open(&path, 3).recall(0).is_none());
    }

    #[test]
    fn a_folder_in_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let first = open(&path, 1);
        let error = JournalFile::open(&path, [0; 32]).err().unwrap();
        assert!(error.to_string().contains("another run"), "{error}");
        drop(first);
        assert!(JournalFile::open(&path, [0; 32]).is_ok());
    }
}
