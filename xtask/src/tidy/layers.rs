//! Dependency direction: core ← {sim, data}; sim ← motion; data ← learn; everything ← dextra ← {cli, py}.

use super::{Problem, Tree, code};

/// Package, and the packages of this workspace that it may depend on.
///
/// Dev-dependencies are free: a test may look sideways, a library may not. `dextra-cli` lists
/// `dextra-sim` because link metadata reaches direct dependents alone; its sources may not name it.
const LAYERS: &[(&str, &[&str])] = &[
    ("dextra-core", &[]),
    ("dextra-sim", &["dextra-core"]),
    ("dextra-data", &["dextra-core"]),
    ("dextra-motion", &["dextra-core", "dextra-sim"]),
    ("dextra-learn", &["dextra-core", "dextra-data"]),
    ("dextra", &["dextra-core", "dextra-sim", "dextra-data", "dextra-learn", "dextra-motion"]),
    ("dextra-cli", &["dextra", "dextra-sim"]),
    ("dextra-py", &["dextra", "dextra-data", "dextra-motion"]),
];

/// External packages that only one package may depend on.
const WALLS: &[(&str, &str)] = &[
    ("mujoco-rs", "dextra-sim"),
    ("burn", "dextra-learn"),
    ("clap", "dextra-cli"),
    ("indicatif", "dextra-cli"),
    ("pyo3", "dextra-py"),
];

/// Checks manifests and the command's sources.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &tree.files {
        let parts: Vec<&str> = file.path.split('/').collect();
        match parts.as_slice() {
            ["crates", package, "Cargo.toml"] => {
                check_manifest(&file.path, package, &file.text, &mut problems);
            }
            ["crates", "dextra-cli", "src", ..] => {
                check_command_source(&file.path, &file.text, &mut problems);
            }
            _ => {}
        }
    }
    problems
}

fn check_manifest(path: &str, package: &str, text: &str, problems: &mut Vec<Problem>) {
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == package) else {
        let message =
            format!("the package {package:?} has no layer; add it in xtask/src/tidy/layers.rs");
        problems.push(Problem::new(path, 0, message));
        return;
    };
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => {
            problems.push(Problem::new(path, 0, format!("not valid TOML: {error}")));
            return;
        }
    };
    for dependency in dependencies(&manifest) {
        let ours = dependency == "dextra" || dependency.starts_with("dextra-");
        if ours && !allowed.contains(&dependency.as_str()) {
            let may = if allowed.is_empty() { "none of ours".into() } else { allowed.join(", ") };
            let message = format!("{package} may not depend on {dependency} (it may on: {may})");
            problems.push(Problem::new(path, line_of(text, &dependency), message));
        }
        for (wall, owner) in WALLS {
            if dependency == *wall && package != *owner {
                let message = format!("only {owner} may depend on {wall}");
                problems.push(Problem::new(path, line_of(text, wall), message));
            }
        }
    }
}

/// Real names of normal and build dependencies, those under `[target.…]` included.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    let mut collect = |table: &toml::Table| {
        for section in ["dependencies", "build-dependencies"] {
            let Some(toml::Value::Table(list)) = table.get(section) else {
                continue;
            };
            for (key, value) in list {
                let renamed = value.get("package").and_then(toml::Value::as_str);
                names.push(renamed.unwrap_or(key).to_owned());
            }
        }
    };
    collect(manifest);
    if let Some(toml::Value::Table(targets)) = manifest.get("target") {
        for target in targets.values().filter_map(toml::Value::as_table) {
            collect(target);
        }
    }
    names
}

/// The command talks to the library `dextra` alone.
fn check_command_source(path: &str, text: &str, problems: &mut Vec<Problem>) {
    let code = code::code_only(text);
    for (package, _) in LAYERS.iter().filter(|(name, _)| !["dextra", "dextra-cli"].contains(name)) {
        for line in code::lines_with_word(&code, &package.replace('-', "_")) {
            let message = format!("the command uses `dextra` alone, not {package}");
            problems.push(Problem::new(path, line, message));
        }
    }
}

fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<Problem> {
        check(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn allowed_direction_passes() {
        let manifest = "[dependencies]\ndextra-core.workspace = true\nserde = \"1\"\n";
        assert_eq!(problems("crates/dextra-sim/Cargo.toml", manifest), []);
    }

    #[test]
    fn upward_dependency_is_found_with_its_line() {
        let manifest = "[dependencies]\nserde = \"1\"\ndextra-sim.workspace = true\n";
        let found = problems("crates/dextra-data/Cargo.toml", manifest);
        assert_eq!((found.len(), found[0].line), (1, 3));
        assert!(found[0].message.contains("dextra-core"), "{}", found[0].message);
    }

    #[test]
    fn renamed_target_and_build_dependencies_are_found() {
        for manifest in [
            "[dependencies]\nphysics = { package = \"dextra-sim\", path = \"../dextra-sim\" }\n",
            "[target.'cfg(unix)'.dependencies]\ndextra-sim.workspace = true\n",
            "[build-dependencies]\ndextra-sim.workspace = true\n",
        ] {
            assert_eq!(problems("crates/dextra-core/Cargo.toml", manifest).len(), 1, "{manifest}");
        }
    }

    #[test]
    fn dev_dependencies_are_free() {
        let manifest = "[dev-dependencies]\ndextra-data.workspace = true\n";
        assert_eq!(problems("crates/dextra-motion/Cargo.toml", manifest), []);
    }

    #[test]
    fn walled_package_is_refused_elsewhere() {
        let manifest = "[dependencies]\nmujoco-rs.workspace = true\n";
        assert_eq!(problems("crates/dextra-sim/Cargo.toml", manifest), []);
        assert_eq!(problems("crates/dextra/Cargo.toml", manifest).len(), 1);
    }

    #[test]
    fn unknown_package_must_be_given_a_layer() {
        assert_eq!(problems("crates/dextra-extra/Cargo.toml", "").len(), 1);
    }

    #[test]
    fn command_may_not_name_inner_crates() {
        let path = "crates/dextra-cli/src/output.rs";
        assert_eq!(problems(path, "use dextra::Report; // not dextra_sim"), []);
        assert_eq!(problems(path, "use dextra_sim::World;").len(), 1);
    }
}
