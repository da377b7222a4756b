//! The text forms of protocol 0: numbers in decimal, strings with Python's escapes.

/// A decimal integer; Python 2 wrote long ones with a trailing `L`.
pub(super) fn integer(digits: &[u8]) -> Result<i128, String> {
    let digits = digits.strip_suffix(b"L").unwrap_or(digits).trim_ascii();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| "not an integer of at most 16 bytes".to_owned())
}

/// A decimal number as Python's `repr` writes it.
pub(super) fn float(digits: &[u8]) -> Result<f64, String> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| "not a number".to_owned())
}

/// A string literal of Python 2: quotes, backslash escapes.
pub(super) fn quoted(line: &[u8]) -> Result<Vec<u8>, String> {
    let line = line.trim_ascii();
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => return Err("a string without its quotes".to_owned()),
    };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut at = 0;
    while at < inner.len() {
        if inner[at] != b'\\' {
            bytes.push(inner[at]);
            at += 1;
            continue;
        }
        let code = *inner.get(at + 1).ok_or("a string ends in a backslash")?;
        at += 2;
        match code {
            b'x' => {
                let value = number(inner, at, 2, 16).ok_or("a malformed \\x escape")?;
                bytes.push(value as u8);
                at += 2;
            }
            b'0'..=b'7' => {
                let rest = inner[at - 1..].iter().take(3);
                let length = rest.take_while(|b| (b'0'..=b'7').contains(*b)).count();
                let value = number(inner, at - 1, length, 8).unwrap_or(0);
                bytes.push(value as u8);
                at += length - 1;
            }
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'v' => bytes.push(11),
            b'f' => bytes.push(12),
            b'\\' | b'\'' | b'"' => bytes.push(code),
            other => bytes.extend([b'\\', other]),
        }
    }
    Ok(bytes)
}

/// Python's `raw-unicode-escape`: latin1 in which only `\uXXXX` and `\UXXXXXXXX` mean something.
pub(super) fn unicode_escapes(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        let width = match (line[at], line.get(at + 1)) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        match number(line, at + 2, width, 16).and_then(char::from_u32).filter(|_| width > 0) {
            Some(character) => {
                text.push(character);
                at += 2 + width;
            }
            None => {
                text.push(char::from(line[at]));
                at += 1;
            }
        }
    }
    text
}

/// `width` digits to the base `radix` from `start` on.
fn number(bytes: &[u8], start: usize, width: usize, radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(start..start.checked_add(width)?)?).ok()?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}
