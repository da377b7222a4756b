//! Folders that cannot take the results, and disks that are full.

use crate::clips::Clip;
use crate::results::{assert_same_files, cube_on_allegro};
use crate::{assert_fails, dextra, files, stderr, stdout, transfer};
use std::path::Path;
use std::process::{Command, Output};

#[test]
fn a_file_in_the_folders_place_is_named_and_kept() {
    let clip = Clip::still();
    std::fs::write(clip.out(), "mine").unwrap();
    for out in [clip.out(), clip.out().join("deeper")] {
        let output = transfer(&clip.path(), "allegro", &out).output().unwrap();
        assert_fails(&output, &["cannot create", out.to_str().unwrap()]);
    }
    assert_eq!(std::fs::read(clip.out()).unwrap(), b"mine");
}

/// Runs `command` with a new file system mounted on `dir`, in a namespace of its own that takes the
/// file system with it when it ends; then lists the files in it on stdout. `None`, with a line
/// saying so, where the machine does not allow that.
fn mounted(options: &str, dir: &Path, command: &Command) -> Option<Output> {
    let able = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs"])
        .arg(dir)
        .output();
    if !able.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no file system can be mounted in a user namespace here");
        return None;
    }
    let script = "mount -t tmpfs -o \"$0\" tmpfs \"$1\" || exit 99; dir=$1; shift; \"$@\"; code=$?; \
                  cd \"$dir\" && find . -type f; exit $code";
    let mut inside = Command::new("unshare");
    inside.args(["-rm", "sh", "-c", script, options]).arg(dir);
    inside.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        inside.env(key, value.unwrap_or_default());
    }
    Some(inside.output().unwrap())
}

#[test]
fn a_read_only_file_system_is_an_error_before_the_long_work() {
    let clip = Clip::still();
    let disk = tempfile::tempdir().unwrap();
    let command = transfer(&clip.path(), "allegro", &disk.path().join("out"));
    let Some(output) = mounted("ro", disk.path(), &command) else {
        return;
    };
    assert_fails(&output, &["cannot create", "out", "Read-only file system"]);
    assert!(!stderr(&output).contains("objects …"), "{}", stderr(&output));
}

#[test]
fn a_full_disk_names_the_file_and_leaves_none_half_written() {
    let clip = Clip::still();
    let disk = tempfile::tempdir().unwrap();
    let command = transfer(&clip.path(), "allegro", &disk.path().join("out"));
    for (size, missing) in [("size=16k", "motion.npz"), ("size=128k", "rollout.npz")] {
        let Some(output) = mounted(size, disk.path(), &command) else {
            return;
        };
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(missing) && said.contains("No space left on device"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        for file in stdout(&output).lines() {
            let whole = ["./out/motion.npz", "./out/refine.journal"].contains(&file);
            assert!(whole && !file.ends_with(missing), "{file} was left behind\n{said}");
        }
    }
}

/// The same without a mount: no file may grow beyond 64 KiB.
#[test]
fn a_search_on_a_full_disk_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let command = transfer("cube".as_ref(), "allegro", &out);
    let mut limited = Command::new("sh");
    // The shell counts in blocks of 512 bytes; without the signal, writing fails with an error.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh"]);
    limited.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        limited.env(key, value.unwrap_or_default());
    }
    let output = limited.output().unwrap();
    assert_fails(&output, &["rollout.npz", "File too large"]);
    let names: Vec<String> =
        ["motion.npz", "refine.journal"].map(|name| out.join(name).display().to_string()).to_vec();
    assert_eq!(files(&out), names);

    let output = { command }.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("resumed after an interruption"), "{said}");
    assert_same_files(&cube_on_allegro().out, &out);
}

#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else {
        eprintln!("skipped: this machine has no /dev/full");
        return;
    };
    let output = dextra().args(["demo", "info", "cube"]).stdout(full).output().unwrap();
    assert_fails(&output, &["cannot write to stdout", "No space left on device"]);
}
