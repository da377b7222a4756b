//! Finds or fetches the MuJoCo shared library and tells the linker where it lies.
//!
//! 1. `MUJOCO_LIB_DIR`, when set, must hold `libmujoco.so.3.17.0`.
//! 2. Otherwise `target/mujoco-3.17.0/` holds it, fetched once from the `mujoco` wheel by pip,
//!    with its SHA-256 checked.
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs, io};

const VERSION: &str = "3.17.0";
const LIBRARY: &str = "libmujoco.so.3.17.0";
/// SHA-256 of the x86-64 library inside the wheel; identical for every CPython version.
const SHA256_X86_64: &str = "23496b023ee80fb61ab71167e94bc649f9941710fde96b18bb8204fb332523ad";

fn main() {
    println!("cargo::rerun-if-env-changed=MUJOCO_LIB_DIR");
    println!("cargo::rerun-if-changed=build.rs");
    let dir = match env::var_os("MUJOCO_LIB_DIR") {
        Some(dir) => {
            let dir = PathBuf::from(dir);
            assert!(
                dir.join(LIBRARY).is_file(),
                "MUJOCO_LIB_DIR={} does not hold {LIBRARY}; point it at the `lib` folder of a MuJoCo {VERSION} release, \
                 or unset it to let pip fetch the library",
                dir.display()
            );
            dir
        }
        None => fetched(),
    };
    println!("cargo::rerun-if-changed={}", dir.join(LIBRARY).display());
    // Cargo lets `cargo run` and `cargo test` of every dependent package find libraries in OUT_DIR,
    // and nowhere else; the rpath is for programs that are started directly.
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let library = fs::canonicalize(dir.join(LIBRARY)).expect("the library was just found");
    let link = out.join(LIBRARY);
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(library, &link)
        .unwrap_or_else(|e| panic!("{}: {e}", link.display()));
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", dir.display());
    println!("cargo::metadata=dir={}", dir.display());
}

/// `target/mujoco-3.17.0`, shared by all profiles, with the library in it.
fn fetched() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // OUT_DIR is target[/triple]/profile/build/name-hash/out.
    let dir = out.ancestors().nth(4).expect("OUT_DIR has a target folder").join("mujoco-3.17.0");
    let library = dir.join(LIBRARY);
    if library.is_file() && checksum_holds(&library) {
        return dir;
    }
    if let Err(why) = fetch(&out, &dir) {
        panic!(
            "\n\nMuJoCo {VERSION} could not be fetched: {why}\n\
             What helps:\n\
             - install Python 3 with pip (Debian: apt-get install python3-pip) and let it reach a package index; or\n\
             - download a MuJoCo {VERSION} release yourself and set MUJOCO_LIB_DIR to the folder with {LIBRARY}.\n"
        );
    }
    dir
}

fn fetch(out: &Path, dir: &Path) -> Result<(), String> {
    let platform = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => "manylinux_2_28_x86_64",
        Ok("aarch64") => "manylinux_2_28_aarch64",
        other => return Err(format!("no wheel for the architecture {other:?}")),
    };
    let wheels = out.join("wheel");
    fs::create_dir_all(&wheels).map_err(|e| format!("{}: {e}", wheels.display()))?;
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--disable-pip-version-check", "--implementation", "cp"])
        .args(["--python-version", "311", "--abi", "cp311", "--platform", platform, "-d"])
        .arg(&wheels)
        .arg(format!("mujoco=={VERSION}"))
        .output()
        .map_err(|e| format!("python3 could not be started ({e})"))?;
    if !output.status.success() {
        return Err(format!(
            "`python3 -m pip download mujoco=={VERSION}` failed:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let wheel = fs::read_dir(&wheels)
        .map_err(|e| e.to_string())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ext| ext == "whl"))
        .ok_or("pip left no wheel")?;
    let file = fs::File::open(&wheel).map_err(|e| e.to_string())?;
    let mut archive =
        zip::ZipArchive::new(file).map_err(|e| format!("{}: {e}", wheel.display()))?;
    let mut entry = archive
        .by_name(&format!("mujoco/{LIBRARY}"))
        .map_err(|e| format!("{}: {e}", wheel.display()))?;
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let partial = dir.join(format!("{LIBRARY}.{}.partial", std::process::id()));
    let mut target =
        fs::File::create(&partial).map_err(|e| format!("{}: {e}", partial.display()))?;
    io::copy(&mut entry, &mut target)
        .and_then(|_| target.set_modified(before_this_run()?))
        .map_err(|e| format!("{}: {e}", partial.display()))?;
    drop(target);
    if !checksum_holds(&partial) {
        let _ = fs::remove_file(&partial);
        return Err(format!("{LIBRARY} in {} has an unexpected SHA-256", wheel.display()));
    }
    fs::rename(&partial, dir.join(LIBRARY)).map_err(|e| e.to_string())?;
    let _ = fs::remove_dir_all(&wheels);
    Ok(())
}

/// A time before this run: a library that looks newer would make cargo run this script, and build
/// all that depends on it, a second time.
fn before_this_run() -> io::Result<SystemTime> {
    fs::metadata(env::current_exe()?)?.modified()
}

fn checksum_holds(library: &Path) -> bool {
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64") {
        return true; // only the x86-64 library has a recorded checksum
    }
    let Ok(bytes) = fs::read(library) else { return false };
    let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    digest == SHA256_X86_64
}
