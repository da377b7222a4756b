//! Rules about source files: size, names, leftovers, `unsafe`, printing.

use super::code::{code_only, lines_with_word};
use super::{Problem, SourceFile, Tree};

/// Longest source file.
const MAX_LINES: usize = 700;
/// Longer files that are fine, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];
/// File and folder names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "helpers", "helper", "misc", "common", "base"];
/// Marker of unfinished work, split so that this file does not hold it.
const MARKER: &str = concat!("FIX", "ME");

/// Checks every source file.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| is_source(&file.path)) {
        check_size(file, &mut problems);
        check_name(file, &mut problems);
        check_marker(file, &mut problems);
        if file.path.ends_with(".rs") {
            check_rust(file, &mut problems);
        }
    }
    problems
}

fn is_source(path: &str) -> bool {
    path.ends_with(".rs") || path.ends_with(".py")
}

fn check_size(file: &SourceFile, problems: &mut Vec<Problem>) {
    let lines = file.text.lines().count();
    if lines > MAX_LINES && !LONG_FILES.iter().any(|(path, _)| *path == file.path) {
        let message = format!("{lines} lines; split it (at most {MAX_LINES})");
        problems.push(Problem::new(&file.path, 0, message));
    }
}

fn check_name(file: &SourceFile, problems: &mut Vec<Problem>) {
    for part in file.path.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        if EMPTY_NAMES.contains(&stem) {
            let message = format!("{part:?} does not say what is inside; name the thing");
            problems.push(Problem::new(&file.path, 0, message));
        }
    }
}

fn check_marker(file: &SourceFile, problems: &mut Vec<Problem>) {
    for (index, line) in file.text.lines().enumerate() {
        if line.contains(MARKER) {
            let message = format!("{MARKER}: finish it or open an issue");
            problems.push(Problem::new(&file.path, index + 1, message));
        }
    }
}

fn check_rust(file: &SourceFile, problems: &mut Vec<Problem>) {
    let code = code_only(&file.text);
    let mut refuse = |word: &str, message: &str| {
        for line in lines_with_word(&code, word) {
            problems.push(Problem::new(&file.path, line, message));
        }
    };
    refuse("todo!", "unfinished code");
    refuse("unimplemented!", "unfinished code");
    refuse("dbg!", "left over from debugging");
    if !file.path.starts_with("crates/dextra-sim/") {
        refuse("unsafe", "unsafe code belongs in dextra-sim alone");
        for attribute in ["allow(unsafe_code)", "expect(unsafe_code"] {
            refuse(attribute, "unsafe code belongs in dextra-sim alone");
        }
    }
    if !may_print(&file.path) {
        for word in ["println!", "print!", "stdout()"] {
            refuse(word, "only dextra-cli prints to stdout; return the data or use `Reporter`");
        }
    }
}

/// The command, development tools, build scripts (they talk to cargo) and integration tests.
fn may_print(path: &str) -> bool {
    path.starts_with("crates/dextra-cli/")
        || path.starts_with("xtask/")
        || path.ends_with("/build.rs")
        || path.contains("/tests/")
        || path.contains("/examples/")
        || path.contains("/benches/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<Problem> {
        check(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn ordinary_file_passes() {
        assert_eq!(problems("crates/dextra-core/src/pose.rs", "fn a() {}\n"), []);
    }

    #[test]
    fn the_limit_is_seven_hundred_lines() {
        assert_eq!(problems("crates/dextra/src/a.rs", &"\n".repeat(700)), []);
        assert_eq!(problems("crates/dextra/src/a.rs", &"\n".repeat(701)).len(), 1);
        assert_eq!(problems("docs/a.md", &"\n".repeat(701)), []);
    }

    #[test]
    fn empty_names_are_refused_for_files_and_folders() {
        for path in
            ["crates/dextra/src/utils.rs", "crates/dextra/src/common/mesh.rs", "xtask/misc.py"]
        {
            assert_eq!(problems(path, "").len(), 1, "{path}");
        }
        assert_eq!(problems("crates/dextra/src/baseline.rs", ""), []);
    }

    #[test]
    fn unfinished_code_is_found_but_not_in_prose() {
        let path = "crates/dextra/src/a.rs";
        assert_eq!(problems(path, "fn a() {\n    todo!()\n}").first().map(|p| p.line), Some(2));
        assert_eq!(problems(path, "fn a() { unimplemented!() }").len(), 1);
        assert_eq!(problems(path, "/// `todo!` is refused.\nfn a() {}"), []);
        assert_eq!(problems(path, &format!("// {MARKER} later")).len(), 1);
    }

    #[test]
    fn unsafe_is_for_the_simulator_alone() {
        let code = "fn a() { unsafe { b() } }";
        assert_eq!(problems("crates/dextra-sim/src/a.rs", code), []);
        assert_eq!(problems("crates/dextra-motion/src/a.rs", code).len(), 1);
        assert_eq!(problems("crates/dextra/src/a.rs", "#![allow(unsafe_code)]").len(), 1);
    }

    #[test]
    fn libraries_do_not_print() {
        let code = "fn a() { println!(\"x\"); }";
        assert_eq!(problems("crates/dextra/src/a.rs", code).len(), 1);
        assert_eq!(problems("crates/dextra-core/src/a.rs", "std::io::stdout().flush()").len(), 1);
        for path in [
            "crates/dextra-cli/src/output.rs",
            "crates/dextra-sim/build.rs",
            "crates/dextra-sim/tests/it/main.rs",
            "xtask/src/ci.rs",
        ] {
            assert_eq!(problems(path, code), [], "{path}");
        }
        assert_eq!(problems("crates/dextra/src/a.rs", "fn a() { eprintln!(\"x\"); }"), []);
    }
}
