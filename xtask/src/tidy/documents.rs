//! Rules about documents: the paths they name exist, and result tables say how they were made.

use super::{Problem, SourceFile, Tree};

/// Words that start a command in the block that reproduces a table.
const COMMANDS: [&str; 4] = ["cargo ", "dextra ", "python", ".ci/run"];

/// Checks every Markdown file.
pub fn check(tree: &Tree, exists: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        check_paths(file, exists, &mut problems);
        if file.path.starts_with("docs/results/") && !holds_command(&file.text) {
            let message =
                "say how the tables were made: a ``` block with the command, or a `$ ` line";
            problems.push(Problem::new(&file.path, 0, message));
        }
    }
    problems
}

fn check_paths(file: &SourceFile, exists: &dyn Fn(&str) -> bool, problems: &mut Vec<Problem>) {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let whole = file.path == "ARCHITECTURE.md";
    let mut fenced = false;
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        // Paths in backticks count from the repository root, links from the document.
        let spans =
            code_spans(line).into_iter().filter(|s| is_repository_path(s, whole)).map(known_part);
        let links = link_targets(line).into_iter().map(|link| joined(folder, link));
        for path in spans.chain(links) {
            if !exists(&path) {
                let message = format!("{path} does not exist");
                problems.push(Problem::new(&file.path, index + 1, message));
            }
        }
    }
}

/// Texts between single backticks.
fn code_spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// Whether a code span names a file of this repository rather than, say, an output file. In
/// `whole` documents, such as the code map, every `.rs` or `.md` name does; elsewhere it may be an
/// example.
fn is_repository_path(span: &str, whole: bool) -> bool {
    const ROOTS: [&str; 6] = ["crates/", "xtask/", "assets/", "docs/", ".ci/", ".cargo/"];
    let plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "/._-*".contains(c));
    let ours = ROOTS.iter().any(|root| span.starts_with(root));
    let named = span.ends_with(".rs") || (span.ends_with(".md") && !span.contains('*'));
    plain && (ours || (whole && named))
}

/// The path, or with a `*` in it the folder before the `*`.
fn known_part(span: &str) -> String {
    let known = span.split_once('*').map_or(span, |(before, _)| before);
    let known = if known.len() < span.len() {
        known.rsplit_once('/').map_or("", |(folder, _)| folder)
    } else {
        known
    };
    known.trim_end_matches('/').to_owned()
}

/// Targets of `[text](target)` and `![text](target)` inside the repository.
fn link_targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for (start, _) in line.match_indices("](") {
        let Some((target, _)) = line[start + 2..].split_once(')') else {
            continue;
        };
        let target = target.split('#').next().unwrap_or_default();
        if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
            targets.push(target);
        }
    }
    targets
}

/// `target` as seen from `folder`, with `..` resolved.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn holds_command(text: &str) -> bool {
    let mut fenced = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if line.strip_prefix("$ ").is_some_and(|command| !command.trim().is_empty())
            || (fenced && COMMANDS.iter().any(|command| line.contains(command)))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<Problem> {
        let exists = |path: &str| {
            ["crates/dextra/src/lib.rs", "assets/hands", "README.md", "docs/formats.md"]
                .contains(&path)
        };
        check(&Tree::of(&[(path, text)]), &exists)
    }

    #[test]
    fn existing_paths_pass() {
        let text = "See `crates/dextra/src/lib.rs`, `assets/hands/*.toml`, `README.md`.";
        assert_eq!(problems("ARCHITECTURE.md", text), []);
    }

    #[test]
    fn missing_path_is_found_with_its_line() {
        let found = problems("ARCHITECTURE.md", "one\n`crates/dextra/src/gone.rs` two");
        assert_eq!((found.len(), found[0].line), (1, 2));
        assert_eq!(problems("ARCHITECTURE.md", "`assets/gone/*.toml`").len(), 1);
        assert_eq!(problems("ARCHITECTURE.md", "`gone.rs`").len(), 1);
        assert_eq!(problems("CONTRIBUTING.md", "put it in `foo/tests.rs`"), []);
    }

    #[test]
    fn code_that_is_no_repository_path_passes() {
        let text =
            "`mjcf/scene.xml`, `world_from_palm`, `dextra::transfer`, `a/b <c>`, `report.json`";
        assert_eq!(problems("docs/formats.md", text), []);
        assert_eq!(problems("README.md", "```\n`crates/gone`\n```"), []);
    }

    #[test]
    fn links_are_resolved_from_the_document() {
        assert_eq!(problems("README.md", "[formats](docs/formats.md#input)"), []);
        assert_eq!(problems("docs/a.md", "[formats](formats.md), [up](../README.md)"), []);
        assert_eq!(problems("README.md", "![picture](docs/gone.png)").len(), 1);
        assert_eq!(problems("README.md", "[web](https://example.org/x)"), []);
    }

    #[test]
    fn results_need_the_command_that_made_them() {
        let path = "docs/results/speed.md";
        assert_eq!(problems(path, "| a |\n|---|\n| 1 |").len(), 1);
        assert_eq!(problems(path, "```\njust text\n```").len(), 1);
        assert_eq!(problems(path, "```sh\ncargo run --release -- demo synth all\n```\n| a |"), []);
        assert_eq!(problems(path, "$ .ci/run\n| a |"), []);
        assert_eq!(problems("docs/other.md", "| a |"), []);
    }
}
