//! Rust source with comments and literals blanked out, so that rules about code do not trip over
//! prose.

/// Replaces comments, string literals and character literals by spaces. Line breaks stay, so line
/// numbers hold.
pub fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match skipped(&chars, at) {
            Some(end) => {
                out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
                end
            }
            None => {
                // An identifier is copied whole: the `r` of `for "x"` must not start a raw string.
                let end = if is_word(chars[at]) { end_of_word(&chars, at) } else { at + 1 };
                out.extend(&chars[at..end]);
                end
            }
        };
        at = end;
    }
    out
}

/// Lines (from 1) on which the word `word` stands in `code`, not as part of a longer identifier.
pub fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let found = line.match_indices(word).any(|(start, _)| {
            let before = line[..start].chars().next_back();
            let after = line[start + word.len()..].chars().next();
            // A word such as `print!` ends by itself; an identifier must not go on.
            let goes_on = word.ends_with(is_word) && after.is_some_and(is_word);
            !goes_on && !before.is_some_and(is_word)
        });
        if found {
            lines.push(index + 1);
        }
    }
    lines
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn end_of_word(chars: &[char], start: usize) -> usize {
    let length = chars[start..].iter().take_while(|&&c| is_word(c)).count();
    start + length
}

/// Where the comment or literal that starts at `at` ends, if one does.
fn skipped(chars: &[char], at: usize) -> Option<usize> {
    match (chars[at], chars.get(at + 1)) {
        ('/', Some('/')) => Some(find(chars, at, |c| c == '\n')),
        ('/', Some('*')) => Some(end_of_block_comment(chars, at)),
        ('"', _) => Some(end_of_quoted(chars, at + 1, '"')),
        ('\'', Some('\\')) => Some(end_of_quoted(chars, at + 1, '\'')),
        // A character literal closes after one character; otherwise it is a lifetime.
        ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        ('r' | 'b' | 'c', _) => prefixed_string(chars, at),
        _ => None,
    }
}

/// `r"…"`, `r#"…"#`, `b"…"`, `br#"…"#`, `b'…'`, `c"…"`.
fn prefixed_string(chars: &[char], at: usize) -> Option<usize> {
    let prefix = chars[at..].iter().take_while(|&&c| c.is_alphabetic()).count();
    let raw = match chars[at..at + prefix] {
        ['r'] | ['b', 'r'] | ['c', 'r'] => true,
        ['b'] | ['c'] => false,
        _ => return None,
    };
    let mut start = at + prefix;
    if !raw {
        return match chars.get(start) {
            Some('"') => Some(end_of_quoted(chars, start + 1, '"')),
            Some('\'') => Some(end_of_quoted(chars, start + 1, '\'')),
            _ => None,
        };
    }
    let hashes = chars[start..].iter().take_while(|&&c| c == '#').count();
    start += hashes;
    if chars.get(start) != Some(&'"') {
        return None;
    }
    let closes = |i: usize| {
        chars[i] == '"'
            && chars[i + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    let end = (start + 1..chars.len()).find(|&i| closes(i));
    Some(end.map_or(chars.len(), |i| i + 1 + hashes))
}

fn end_of_quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn find(chars: &[char], start: usize, stop: impl Fn(char) -> bool) -> usize {
    (start..chars.len()).find(|&i| stop(chars[i])).unwrap_or(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<usize> {
        lines_with_word(&code_only(source), "danger")
    }

    #[test]
    fn code_is_seen_and_longer_identifiers_are_not() {
        assert_eq!(words("let a = 1;\ndanger { b }"), [2]);
        assert_eq!(words("danger_code(); endanger(); dangers()"), [0usize; 0]);
    }

    #[test]
    fn comments_and_literals_are_blank() {
        for quiet in [
            "// danger",
            "/* danger /* nested */ danger */",
            r#"let s = "danger";"#,
            r#"let s = "\" danger";"#,
            r##"let s = r#"a " danger"#;"##,
            r#"let s = b"danger";"#,
            r#"for "danger" in x"#,
        ] {
            assert_eq!(words(quiet), [0usize; 0], "{quiet}");
        }
    }

    #[test]
    fn code_after_a_literal_is_seen_again() {
        for loud in [
            "let c = '\"'; danger",
            "let c = '\\''; danger",
            "fn f<'a>(x: &'a str) { danger }",
            r##"let s = r#"x"#; danger"##,
            "/* x */ danger",
            "let b = b'\"'; danger",
        ] {
            assert_eq!(words(loud), [1], "{loud}");
        }
    }

    #[test]
    fn line_numbers_survive_multi_line_literals() {
        assert_eq!(words("let s = \"a\nb\nc\";\ndanger"), [4]);
    }

    #[test]
    fn unfinished_literals_end_with_the_file() {
        assert_eq!(code_only("\"abc").trim(), "");
        assert_eq!(code_only("\"abc\\").trim(), "");
        assert_eq!(code_only("r#\"abc\"").trim(), "");
    }
}
