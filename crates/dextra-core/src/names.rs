//! Names near a mistyped one.

/// Most names that an error lists.
const SHOWN: usize = 6;

/// The one of `valid` that was probably meant by `name`: at most a third of its letters differ.
pub fn meant<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = valid.into_iter().map(|v| (distance(name, v), v));
    let (off, found) = near.min_by_key(|&(d, _)| d)?;
    (off <= name.chars().count().max(found.chars().count()).div_ceil(3)).then_some(found)
}

/// `; did you mean ...?` where one of `valid` was probably meant, else nothing.
pub fn hint<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
    meant(name, valid).map(|v| format!("; did you mean `{v}`?")).unwrap_or_default()
}

/// A TOML reader's `message`, which ends with the quoted names that would do, with the one of them that was
/// probably meant by an unknown key or word.
pub fn with_hint(message: &str) -> String {
    let message = message.trim_end();
    let mut quoted =
        message.rsplit("unknown ").next().unwrap_or_default().split('`').skip(1).step_by(2);
    let unknown = message.contains("unknown field") || message.contains("unknown variant");
    match quoted.next().filter(|_| unknown) {
        Some(name) => format!("{message}{}", hint(name, quoted)),
        None => message.to_owned(),
    }
}

/// Up to six of `valid`, nearest to `name` first, quoted and joined by commas.
pub fn nearest<'a>(name: &str, valid: impl Iterator<Item = &'a str>) -> String {
    let mut ranked: Vec<(usize, &str)> = valid.map(|v| (distance(name, v), v)).collect();
    if ranked.is_empty() {
        return "(none)".to_owned();
    }
    // The sort is stable, so names equally far away keep the order of the model.
    ranked.sort_by_key(|&(d, _)| d);
    let shown: Vec<String> = ranked.iter().take(SHOWN).map(|(_, v)| format!("`{v}`")).collect();
    let more = ranked.len().saturating_sub(SHOWN);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &tail
}

/// Levenshtein distance, ignoring case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_matches_worked_examples() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("LEAP", "leap"), 0);
    }

    #[test]
    fn a_hint_needs_most_of_the_letters() {
        let names = ["shadow", "allegro", "leap"];
        assert_eq!(meant("shdow", names), Some("shadow"));
        assert_eq!(meant("Laep", names), Some("leap"));
        assert_eq!(meant("cube", names), None);
        assert_eq!(meant("", names), None);
        assert_eq!(hint("alegro", names), "; did you mean `allegro`?");
        assert_eq!(hint("x", []), "");
    }

    #[test]
    fn an_unknown_key_is_told_the_nearest() {
        let message = "unknown field `sied`, expected one of `name`, `side`, `palm`\n";
        assert_eq!(with_hint(message), format!("{}; did you mean `side`?", message.trim_end()));
        let one = "unknown variant `refind`, expected `refined` or `retargeted`";
        assert_eq!(with_hint(one), format!("{one}; did you mean `refined`?"));
        for other in ["unknown field `x`, expected `name`", "missing field `name`", ""] {
            assert_eq!(with_hint(other), other);
        }
    }

    #[test]
    fn nearest_name_comes_first() {
        let names = ["shadow", "allegro", "leap"];
        assert_eq!(nearest("alegro", names.into_iter()), "`allegro`, `leap`, `shadow`");
    }
}
