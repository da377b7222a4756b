//! `doctor`: what this machine has, what it lacks, and what to install.

use crate::prepare::cache_dir;
use dextra_sim::probe;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Memory below which a long clip on many threads may not fit, GiB.
const MIN_MEMORY_GIB: f64 = 2.0;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// There.
    Good,
    /// Lacking, but the main job runs without it.
    Lacking,
    /// Lacking, and the main job cannot run.
    Fatal,
}

impl Finding {
    /// `"ok"`, `"lacks"` or `"FAILS"`.
    pub fn name(self) -> &'static str {
        match self {
            Finding::Good => "ok",
            Finding::Lacking => "lacks",
            Finding::Fatal => "FAILS",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was looked at, such as `"rendering"`.
    pub name: &'static str,
    /// How it came out.
    pub finding: Finding,
    /// What was found.
    pub detail: String,
    /// What would help, when something is lacking.
    pub help: Option<String>,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Check {
        Check { name, finding: Finding::Good, detail: detail.into(), help: None }
    }

    fn bad(name: &'static str, finding: Finding, detail: impl Into<String>, help: &str) -> Check {
        Check { name, finding, detail: detail.into(), help: Some(help.to_owned()) }
    }
}

/// Looks at the machine. Writes nothing but a probe file in the cache folder, removed again.
pub fn doctor() -> Vec<Check> {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    vec![
        engine(probe::loaded_mujoco_version()),
        rendering(),
        python_oracle(&python_interpreter()),
        cores(),
        memory(&meminfo),
        cache(cache_dir().as_deref()),
    ]
}

/// Whether the main job can run on a machine with these findings.
pub fn can_run(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.finding != Finding::Fatal)
}

/// The Python that independent checks use: `DEXTRA_PYTHON`, else `python3`.
pub fn python_interpreter() -> OsString {
    std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into())
}

fn engine(loaded: &str) -> Check {
    let wanted = probe::MUJOCO_VERSION;
    if loaded == wanted {
        return Check::good("engine", format!("MuJoCo {loaded}"));
    }
    Check::bad(
        "engine",
        Finding::Fatal,
        format!("MuJoCo {loaded} was loaded, {wanted} is needed"),
        "unset LD_LIBRARY_PATH and MUJOCO_LIB_DIR, or let them point at that version, and build again",
    )
}

fn rendering() -> Check {
    match probe::rendering() {
        Ok(()) => Check::good("rendering", "off-screen OpenGL through EGL"),
        Err(error) => Check::bad(
            "rendering",
            Finding::Lacking,
            format!("no pictures or films: {error}"),
            "apt-get install libegl1 libgl1-mesa-dri, or transfer with --no-film",
        ),
    }
}

fn python_oracle(python: &OsString) -> Check {
    const NAME: &str = "python oracle";
    let wanted = probe::MUJOCO_VERSION;
    let shown = python.to_string_lossy();
    let lacking = |detail: String| {
        let help = format!(
            "only tests and outside replays need it: {shown} -m pip install mujoco=={wanted} numpy \
             in a virtual environment (Debian: apt-get install python3-venv), then set DEXTRA_PYTHON"
        );
        Check::bad(NAME, Finding::Lacking, detail, &help)
    };
    let script = "import mujoco, numpy; print(mujoco.__version__)";
    let output = match Command::new(python).args(["-c", script]).output() {
        Ok(output) => output,
        Err(error) => return lacking(format!("{shown} cannot be started: {error}")),
    };
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let last = complaint.lines().last().unwrap_or("no message").to_owned();
        return lacking(format!("{shown} cannot import mujoco and numpy: {last}"));
    }
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if version == wanted {
        return Check::good(NAME, format!("{shown} with mujoco {version}"));
    }
    lacking(format!("{shown} has mujoco {version}, {wanted} is needed"))
}

fn cores() -> Check {
    match std::thread::available_parallelism() {
        Ok(count) => Check::good("cores", format!("{count} usable; the search uses all of them")),
        Err(error) => Check::bad(
            "cores",
            Finding::Lacking,
            format!("the number of cores is unknown: {error}"),
            "state it with --threads N",
        ),
    }
}

/// `meminfo` is the content of `/proc/meminfo`.
fn memory(meminfo: &str) -> Check {
    const KIB_PER_GIB: f64 = 1024.0 * 1024.0;
    let kib = |key: &str| {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
        value.trim().trim_end_matches("kB").trim().parse::<f64>().ok()
    };
    let (Some(available), Some(total)) = (kib("MemAvailable:"), kib("MemTotal:")) else {
        return Check::good("memory", "unknown (no /proc/meminfo here)");
    };
    let (available, total) = (available / KIB_PER_GIB, total / KIB_PER_GIB);
    let detail = format!("{available:.1} GiB available of {total:.1} GiB");
    if available >= MIN_MEMORY_GIB {
        return Check::good("memory", detail);
    }
    let help =
        format!("a long clip may need {MIN_MEMORY_GIB:.0} GiB; close programs or use --threads 1");
    Check::bad("memory", Finding::Lacking, detail, &help)
}

fn cache(dir: Option<&Path>) -> Check {
    let lacking = |detail: String| {
        let help = "collision geometry is computed anew each time; set DEXTRA_CACHE_DIR to a writable folder";
        Check::bad("cache", Finding::Lacking, detail, help)
    };
    let Some(dir) = dir else {
        return lacking(
            "no folder: neither DEXTRA_CACHE_DIR, XDG_CACHE_HOME nor HOME is set".into(),
        );
    };
    let attempt = fs::create_dir_all(dir)
        .and_then(|()| tempfile::Builder::new().prefix(".doctor").tempfile_in(dir).map(drop));
    match attempt {
        Ok(()) => Check::good("cache", format!("{} is writable", dir.display())),
        Err(error) => lacking(format!("{} is not writable: {error}", dir.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// An executable that answers like a Python whose `mujoco` has the given version.
    fn interpreter(dir: &Path, body: &str) -> OsString {
        let path = dir.join("python");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.into_os_string()
    }

    #[test]
    fn another_engine_version_is_fatal() {
        assert_eq!(engine(probe::MUJOCO_VERSION).finding, Finding::Good);
        let check = engine("3.16.0");
        assert_eq!(check.finding, Finding::Fatal);
        assert!(!can_run(&[check]));
    }

    #[test]
    fn the_oracle_must_have_the_same_version() {
        let dir = tempfile::tempdir().unwrap();
        let exact = interpreter(dir.path(), &format!("echo {}", probe::MUJOCO_VERSION));
        assert_eq!(python_oracle(&exact).finding, Finding::Good);
        let old = interpreter(dir.path(), "echo 3.1.0");
        let check = python_oracle(&old);
        assert_eq!(check.finding, Finding::Lacking);
        assert!(check.detail.contains("3.1.0"), "{}", check.detail);
    }

    #[test]
    fn a_missing_oracle_says_why_and_does_not_stop_the_main_job() {
        let dir = tempfile::tempdir().unwrap();
        let broken = interpreter(dir.path(), "echo 'No module named mujoco' >&2; exit 1");
        for python in [broken, "no-such-python".into()] {
            let check = python_oracle(&python);
            assert_eq!(check.finding, Finding::Lacking);
            assert!(check.help.as_ref().is_some_and(|help| help.contains("pip install")));
            assert!(can_run(&[check]));
        }
    }

    #[test]
    fn little_memory_is_reported_and_an_unknown_amount_is_not_invented() {
        let text = "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n";
        let check = memory(text);
        assert_eq!(
            (check.finding, check.detail.as_str()),
            (Finding::Good, "8.0 GiB available of 16.0 GiB")
        );
        let check = memory("MemTotal: 2097152 kB\nMemAvailable: 524288 kB\n");
        assert_eq!(check.finding, Finding::Lacking);
        assert!(memory("").detail.contains("unknown"));
    }

    #[test]
    fn a_cache_folder_that_cannot_be_made_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(cache(Some(&dir.path().join("new/cache"))).finding, Finding::Good);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let check = cache(Some(&file.join("cache")));
        assert_eq!(check.finding, Finding::Lacking);
        assert!(check.help.is_some_and(|help| help.contains("DEXTRA_CACHE_DIR")));
        assert_eq!(cache(None).finding, Finding::Lacking);
    }

    #[test]
    fn every_lack_comes_with_help() {
        for check in doctor() {
            assert_eq!(check.finding == Finding::Good, check.help.is_none(), "{check:?}");
        }
    }
}
