//! What a file asks the engine for, weighed before the engine reads it.
//!
//! A few bytes can ask MuJoCo for more copies, cells or memory than there are hours and bytes, and a model that
//! names itself as a part makes it run out of stack. Files are scanned as plain tags, for MuJoCo reads what
//! a strict reader of XML does not.

use super::{HandError, trim};
use std::path::Path;

/// Most elements of a file with all that it includes, copies counted; hands have hundreds.
const MAX_ELEMENTS: f64 = 10_000.0;
/// Most cells of a texture or height field, and numbers of whatever else has a stated size.
const MAX_CELLS: f64 = (1 << 24) as f64;
/// Greatest number in `<size>` but for its memory.
const MAX_SIZE: f64 = 100_000.0;
/// Most memory in `<size>`, bytes.
const MAX_MEMORY: f64 = (1_u64 << 30) as f64;
/// Most files that a file may be made of.
const MAX_FILES: usize = 32;
/// Attributes that state how many numbers an element has.
const CELLS: [&str; 8] = ["nrow", "ncol", "width", "height", "params", "dim", "num", "actdim"];

/// Refuses MJCF `text` whose files lie in `folder` and that asks for what no hand needs; `file` names it.
///
/// # Errors
/// [`HandError::Unsupported`] with the element.
pub(super) fn check(text: &str, folder: &Path, file: &str) -> Result<(), HandError> {
    Scales { file, elements: 0.0, files: 0 }.weigh(text, folder, 1.0)
}

/// What was found so far.
struct Scales<'a> {
    file: &'a str,
    elements: f64,
    files: usize,
}

impl Scales<'_> {
    /// Weighs a file of which there are `copies`.
    fn weigh(&mut self, text: &str, folder: &Path, copies: f64) -> Result<(), HandError> {
        self.files += 1;
        if self.files > MAX_FILES {
            return self.refuse("model", &format!("is made of more than {MAX_FILES} files"));
        }
        let attached = text.matches("<attach").count().max(1) as f64;
        // Copies within each replicator that is open.
        let mut within = vec![copies];
        for tag in tags(text) {
            let outer = within.last().copied().unwrap_or(copies);
            if let Some(name) = tag.name.strip_prefix('/') {
                if name == "replicate" && within.len() > 1 {
                    within.pop();
                }
                continue;
            }
            let copies = outer * self.product(&tag, &["count"]);
            self.elements += copies;
            if self.elements > MAX_ELEMENTS {
                let message = format!("makes more than {MAX_ELEMENTS} elements");
                return self.refuse(tag.name, &message);
            }
            self.sizes(&tag)?;
            match tag.name {
                "replicate" if !tag.rest.ends_with('/') => within.push(copies),
                "include" => self.part(&tag, folder, false, copies)?,
                "model" => self.part(&tag, folder, true, copies * attached)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Weighs the file that a tag names. What `text` includes is read from its own folder, a model from that of
    /// the model. What cannot be read is left to the engine.
    fn part(&mut self, tag: &Tag, folder: &Path, own: bool, copies: f64) -> Result<(), HandError> {
        let name = attributes(tag.rest).find(|(key, _)| *key == "file").map(|(_, file)| file);
        let Some(path) = name.map(|name| folder.join(name)).filter(|path| path.is_file()) else {
            return Ok(());
        };
        let folder = if own { path.parent().unwrap_or(folder) } else { folder };
        match trim::read(&path) {
            Ok(text) => self.weigh(&text, folder, copies),
            Err(_) => Ok(()),
        }
    }

    /// Checks stated sizes.
    fn sizes(&self, tag: &Tag) -> Result<(), HandError> {
        if self.product(tag, &CELLS) > MAX_CELLS {
            return self.refuse(tag.name, &format!("has more than {MAX_CELLS} numbers"));
        }
        let samples = self.product(tag, &["nsample"]) > MAX_SIZE;
        let size = tag.name == "size"
            && attributes(tag.rest).any(|(key, value)| match key {
                "memory" => quantity(value) > MAX_MEMORY,
                _ => quantity(value) > MAX_SIZE,
            });
        match samples || size {
            true => self.refuse(tag.name, "asks for more memory than a hand needs"),
            false => Ok(()),
        }
    }

    /// Product of all numbers above one in the attributes `keys` of a tag.
    fn product(&self, tag: &Tag, keys: &[&str]) -> f64 {
        let wanted = attributes(tag.rest).filter(|(key, _)| keys.contains(key));
        wanted
            .flat_map(|(_, value)| value.split_whitespace())
            .map(|n| quantity(n).max(1.0))
            .product()
    }

    fn refuse(&self, name: &str, message: &str) -> Result<(), HandError> {
        Err(HandError::Unsupported {
            file: self.file.to_owned(),
            element: format!("<{name}>"),
            message: message.to_owned(),
        })
    }
}

/// A number with or without a suffix such as `M`; infinite where it cannot be read, as with entities.
fn quantity(text: &str) -> f64 {
    let text = text.trim();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text[number.len()..].chars().next().map(|c| c.to_ascii_uppercase()) {
        None => 0,
        Some('K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        _ => 4,
    };
    number.parse().map_or(f64::INFINITY, |n: f64| n.abs() * 1024_f64.powi(power))
}

/// A tag; the name of a closing one begins with a slash.
struct Tag<'a> {
    name: &'a str,
    /// What follows the name, without the closing bracket.
    rest: &'a str,
}

/// The tags of a text, comments left out.
fn tags(text: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut left = text;
    std::iter::from_fn(move || {
        loop {
            left = &left[left.find('<')? + 1..];
            let Some(comment) = left.strip_prefix("!--") else { break };
            left = &comment[comment.find("-->")?..];
        }
        let end = end_of_tag(left);
        let (tag, after) = left.split_at(end);
        left = after;
        let name = tag.split(|c: char| c.is_whitespace()).next().unwrap_or_default();
        let rest = &tag[name.len()..];
        Some(match name.strip_suffix('/') {
            Some(name) => Tag { name, rest: "/" },
            None => Tag { name, rest: rest.trim_end() },
        })
    })
}

/// Where a tag ends: at the first closing bracket outside of quotes.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// The attributes of a tag as `(name, value)`.
fn attributes(mut rest: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, left) = after[1..].split_once(quote)?;
        rest = left;
        Some((key.trim(), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match check(text, Path::new("nowhere"), "hand.xml") {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn absurd_demands_are_refused_by_element() {
        for (text, element) in [
            ("<replicate count='1000'><replicate\ncount=\"99\"><geom/>", "<replicate>"),
            ("<replicate count='0x7fffffff'/>", "<replicate>"),
            ("<replicate count='&#57;9999'/>", "<replicate>"),
            ("<flexcomp type=\"grid\" count = \"100 100 100\"/>", "<flexcomp>"),
            ("<!-- > --><hfield nrow=\"100000\" ncol=\"100000\"/>", "<hfield>"),
            ("<texture name='a>b' width='99999' height='99999'/>", "<texture>"),
            ("<size memory=\"20G\"/>", "<size>"),
            ("<size nuser_body=\"2000000000\"/>", "<size>"),
            ("<user dim=\"2000000000\"/>", "<user>"),
            ("<position nsample=\"2000000000\"/>", "<position>"),
        ] {
            let error = said(text);
            assert!(error.contains(element) && error.contains("hand.xml"), "{text}: {error}");
        }
        assert!(said(&"<geom/>".repeat(10_001)).contains("10000 elements"));
    }

    #[test]
    fn what_hands_ask_for_is_let_through() {
        for hand in crate::hand::HANDS {
            assert_eq!(said(hand.xml), "");
        }
        let plain = "<size memory='10M' njmax=\"8000\"/><!-- <hfield nrow='1e9' ncol='1e9'/> --><replicate count='50'>\
                     <geom/></replicate><replicate count='90'/><geom/><texture width='512' height='3072'/>";
        assert_eq!(said(plain), "");
    }

    #[test]
    fn a_model_that_is_a_part_of_itself_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let text = "<mujoco><asset><model name='m' file='self.xml'/></asset></mujoco>";
        std::fs::write(dir.path().join("self.xml"), text).unwrap();
        let error = check(text, dir.path(), "self.xml").unwrap_err().to_string();
        assert!(error.contains("more than 32 files"), "{error}");
    }
}
