//! The journal of a refinement as a file: appended while it runs, read when it resumes.
//!
//! Layout: 32 bytes that identify the question (a hash of inputs and settings), then records of a
//! little-endian `u32` count, that many `f64`, and a `u32` checksum. A record that a crash cut short,
//! and everything after it, is ignored.

use dextra_motion::refine::journal::Journal;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A journal kept in a file.
pub struct JournalFile {
    path: PathBuf,
    file: Option<File>,
    answers: Vec<Vec<f64>>,
    recalled: usize,
}

/// Larger files are no journals of ours.
const MAX_BYTES: u64 = 1 << 30;

impl JournalFile {
    /// Opens the journal at `path` for the question identified by `key`; what an earlier run of the
    /// same question left is remembered, anything else is started anew.
    ///
    /// # Errors
    /// When the file can be neither read nor created.
    pub fn open(path: &Path, key: [u8; 32]) -> std::io::Result<JournalFile> {
        let (answers, good) = match std::fs::metadata(path) {
            Ok(found) if found.len() <= MAX_BYTES => read(path, &key)?,
            _ => (Vec::new(), 0),
        };
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
        if good == 0 {
            file.set_len(0)?;
            file.write_all(&key)?;
        } else {
            // Cuts off a record that was not finished.
            file.set_len(good)?;
            std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))?;
        }
        Ok(JournalFile { path: path.to_path_buf(), file: Some(file), answers, recalled: 0 })
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
fn read(path: &Path, key: &[u8; 32]) -> std::io::Result<(Vec<Vec<f64>>, u64)> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let mut answers = Vec::new();
    if bytes.get(..32) != Some(key.as_slice()) {
        return Ok((answers, 0));
    }
    let mut at = 32;
    while let Some(answer) = next(&bytes[at..]) {
        at += 8 * answer.len() + 8;
        answers.push(answer);
    }
    Ok((answers, at as u64))
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

    #[test]
    fn a_cut_journal_gives_back_its_whole_records_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = JournalFile::open(&path, [7; 32]).unwrap();
        journal.remember(0, &[1.0, -2.5]);
        journal.remember(1, &[f64::NAN]);
        journal.remember(2, &[4.0; 5]);
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in 32..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = JournalFile::open(&path, [7; 32]).unwrap();
            let kept = (0..3).take_while(|&i| journal.recall(i).is_some()).count();
            // A record of n numbers has 8 n + 8 bytes, the key 32.
            let ends = [32 + 24, 32 + 24 + 16, 32 + 24 + 16 + 48];
            assert_eq!(kept, ends.iter().filter(|&&end| cut >= end).count(), "cut at {cut}");
            if kept == 1 {
                assert_eq!(journal.recall(0).unwrap(), [1.0, -2.5]);
                journal.remember(1, &[9.0]);
                drop(journal);
                let mut again = JournalFile::open(&path, [7; 32]).unwrap();
                assert_eq!(again.recall(1).unwrap(), [9.0]);
            }
        }
    }

    #[test]
    fn a_journal_of_another_question_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        JournalFile::open(&path, [1; 32]).unwrap().remember(0, &[1.0]);
        assert!(JournalFile::open(&path, [2; 32]).unwrap().recall(0).is_none());
    }

    #[test]
    fn garbage_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut bytes = vec![3; 32];
        bytes.extend([0xff; 40]);
        std::fs::write(&path, &bytes).unwrap();
        assert!(JournalFile::open(&path, [3; 32]).unwrap().recall(0).is_none());
    }
}
