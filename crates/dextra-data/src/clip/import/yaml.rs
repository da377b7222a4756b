//! The little of YAML that calibrations are written in: nested keys, scalars, lists of scalars.

use std::collections::BTreeMap;

/// Scalars by their keys from the root, with `.` between them. A list has several.
pub(super) type Yaml = BTreeMap<String, Vec<String>>;

/// Reads a file. The error is a sentence with the line, without the file's name.
pub(super) fn parse(text: &str) -> Result<Yaml, String> {
    let mut found = Yaml::new();
    // Keys that are open, with their indentation.
    let mut open: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') || content == "---" {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let refuse = |what: &str| Err(format!("line {}: {what}", index + 1));
        if let Some(item) = content.strip_prefix("- ") {
            // Items may stand as deep as their key.
            open.retain(|(depth, _)| *depth <= indent);
            let item = item.trim();
            if open.is_empty()
                || item.ends_with(':')
                || item.starts_with(['-', '&', '*', '{', '[']) && item.parse::<f64>().is_err()
            {
                return refuse("a list that is not one of scalars under a key");
            }
            found.entry(path(&open)).or_default().push(unquoted(item));
            continue;
        }
        open.retain(|(depth, _)| *depth < indent);
        let Some((key, value)) = content.split_once(':') else {
            return refuse("neither a key nor an item of a list");
        };
        open.push((indent, unquoted(key)));
        let value = value.trim();
        if value.starts_with(['&', '*', '{', '|', '>', '!']) {
            return refuse("more of YAML than is read here");
        }
        let scalars = match value.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
            Some(list) => list.split(',').map(unquoted).filter(|item| !item.is_empty()).collect(),
            None if value.is_empty() => Vec::new(),
            None => vec![unquoted(value)],
        };
        found.entry(path(&open)).or_default().extend(scalars);
    }
    Ok(found)
}

fn path(open: &[(usize, String)]) -> String {
    let keys: Vec<&str> = open.iter().map(|(_, key)| key.as_str()).collect();
    keys.join(".")
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['\'', '"']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibrations_are_read() {
        let text = "extrinsics:\n  '8362':\n  - 0.5\n  - -1e-3\n  apriltag: [1, 2]\nmaster: '8404'\n\
                    sides:\n- right\n# a comment\nlast: 3\n";
        let yaml = parse(text).unwrap();
        assert_eq!(yaml["extrinsics.8362"], ["0.5", "-1e-3"]);
        assert_eq!(yaml["extrinsics.apriltag"], ["1", "2"]);
        assert_eq!(
            (&yaml["master"][..], &yaml["sides"][..]),
            (&["8404".into()][..], &["right".into()][..])
        );
        assert_eq!(yaml["last"], ["3"]);
    }

    #[test]
    fn what_is_not_read_is_refused_with_its_line() {
        for (text, line) in [("a: 1\nb: &x 2\n", 2), ("a:\n- - 1\n", 2), ("- 1\n", 1), ("a\n", 1)] {
            assert!(parse(text).unwrap_err().contains(&format!("line {line}")), "{text}");
        }
    }
}
