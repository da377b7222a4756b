//! Names of entities.

/// `name`, parts joined by `/`, as Rerun writes it: a slash first, and a backslash before
/// what is neither letter nor digit.
///
/// # Errors
/// What is wrong with the name.
pub(super) fn path(name: &str) -> Result<String, String> {
    let trimmed = name.strip_prefix('/').unwrap_or(name);
    let mut path = String::with_capacity(name.len() + 1);
    for part in trimmed.split('/') {
        if part.is_empty() {
            return Err("the entity's name, or a part of it between slashes, is empty".to_owned());
        }
        if part.starts_with("__") {
            return Err("Rerun keeps names that begin with `__` for itself".to_owned());
        }
        path.push('/');
        for c in part.chars() {
            if c.is_control() {
                return Err("there is a control character in the entity's name".to_owned());
            }
            match c {
                '_' | '-' | '.' => {}
                c if c.is_alphanumeric() => {}
                c if c.is_ascii() => path.push('\\'),
                // Rerun reads four digits, and takes what needs more as it stands.
                '\u{80}'..='\u{ffff}' => {
                    path.push_str(&format!("\\u{{{:04X}}}", u32::from(c)));
                    continue;
                }
                _ => {}
            }
            path.push(c);
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn names_are_escaped_as_rerun_does() {
        assert_eq!(path("world/left_hand-1.5").unwrap(), "/world/left_hand-1.5");
        assert_eq!(path("/world").unwrap(), "/world");
        assert_eq!(path("a b/(c)").unwrap(), "/a\\ b/\\(c\\)");
        assert_eq!(path("größe/→").unwrap(), "/größe/\\u{2192}");
        assert_eq!(path("🤖").unwrap(), "/🤖");
    }

    #[test]
    fn names_that_rerun_would_read_otherwise_are_refused() {
        for name in ["", "/", "a//b", "a/", "//a"] {
            assert!(path(name).unwrap_err().contains("empty"), "{name}");
        }
        assert!(path("__properties/x").unwrap_err().contains("__"));
        assert!(path("a\nb").unwrap_err().contains("control"));
    }
}
