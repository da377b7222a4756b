//! The header of a `.npy` member: a Python dictionary literal after a magic number.
//!
//! Format: NumPy Enhancement Proposal 1, versions 1.0 to 3.0. Only the three keys NumPy writes are
//! accepted, so nothing of Python's expression syntax beyond literals is ever interpreted.

/// Element type of a stored array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// Booleans, one byte each.
    Bool,
    /// Signed integers of 1, 2, 4 or 8 bytes.
    Int(usize),
    /// Unsigned integers of 1, 2, 4 or 8 bytes.
    UInt(usize),
    /// IEEE floats of 2, 4 or 8 bytes.
    Float(usize),
    /// UTF-32 text of a fixed number of characters.
    Unicode(usize),
    /// Byte strings of a fixed number of bytes.
    Bytes(usize),
    /// Python objects: a pickle follows the header.
    Object,
}

impl ElementType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            ElementType::Bool => 1,
            ElementType::Int(n) | ElementType::UInt(n) | ElementType::Float(n) => n,
            ElementType::Unicode(n) => n.saturating_mul(4),
            ElementType::Bytes(n) => n,
            ElementType::Object => 0,
        }
    }
}

/// What a header says about the data after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Element type.
    pub element: ElementType,
    /// Whether elements are stored most significant byte first.
    pub big_endian: bool,
    /// Whether the first index varies fastest.
    pub fortran_order: bool,
    /// Lengths of the axes; empty for a single value.
    pub shape: Vec<usize>,
    /// Offset of the first data byte.
    pub data_start: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`. The error is a sentence without the file's name.
    pub fn parse(bytes: &[u8]) -> Result<Header, String> {
        let prelude = bytes.get(..8).ok_or("shorter than a .npy header")?;
        if &prelude[..6] != b"\x93NUMPY" {
            return Err("does not start with the .npy magic number".to_owned());
        }
        let (length, start) = match prelude[6] {
            1 => {
                let raw = bytes.get(8..10).ok_or("the .npy header is cut short")?;
                (usize::from(u16::from_le_bytes([raw[0], raw[1]])), 10)
            }
            2 | 3 => {
                let raw = bytes.get(8..12).ok_or("the .npy header is cut short")?;
                (u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]) as usize, 12)
            }
            other => return Err(format!("unknown .npy version {other}")),
        };
        let data_start = start + length;
        let text = bytes.get(start..data_start).ok_or("the .npy header is cut short")?;
        let text = std::str::from_utf8(text).map_err(|_| "the .npy header is not text")?;
        let mut parser = Parser { rest: text };
        let (descr, fortran_order, shape) = parser.dictionary()?;
        let (element, big_endian) = element_type(&descr)?;
        Ok(Header { element, big_endian, fortran_order, shape, data_start })
    }
}

/// Decodes a type string such as `<f8`.
pub(crate) fn element_type(descr: &str) -> Result<(ElementType, bool), String> {
    let (order, code) = match descr.as_bytes().first() {
        Some(b'<' | b'|' | b'=') => (false, &descr[1..]),
        Some(b'>') => (true, &descr[1..]),
        _ => (false, descr),
    };
    let kind = code.chars().next().ok_or("an empty element type")?;
    if kind == 'O' {
        return Ok((ElementType::Object, false));
    }
    let unsupported = || {
        format!("element type `{descr}` is not supported (floats, integers, bools and strings are)")
    };
    let size: usize = code[kind.len_utf8()..].parse().map_err(|_| unsupported())?;
    let element = match (kind, size) {
        ('b', 1) => ElementType::Bool,
        ('i', 1 | 2 | 4 | 8) => ElementType::Int(size),
        ('u', 1 | 2 | 4 | 8) => ElementType::UInt(size),
        ('f', 2 | 4 | 8) => ElementType::Float(size),
        ('U', _) => ElementType::Unicode(size),
        ('S', _) => ElementType::Bytes(size),
        _ => return Err(unsupported()),
    };
    Ok((element, order))
}

/// A reader of the one dictionary NumPy writes.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn dictionary(&mut self) -> Result<(String, bool, Vec<usize>), String> {
        let (mut descr, mut order, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.accept('}') {
            let key = self.string()?;
            self.expect(':')?;
            match key {
                "descr" if self.rest.trim_start().starts_with('[') => {
                    return Err("a structured array, which is not supported".to_owned());
                }
                "descr" => descr = Some(self.string()?.to_owned()),
                "fortran_order" => order = Some(self.boolean()?),
                "shape" => shape = Some(self.tuple()?),
                other => return Err(format!("the .npy header has an unknown key `{other}`")),
            }
            if !self.accept(',') {
                self.expect('}')?;
                break;
            }
        }
        if !self.rest.trim().is_empty() {
            return Err("the .npy header has text after its dictionary".to_owned());
        }
        Ok((
            descr.ok_or("the .npy header has no `descr`")?,
            order.ok_or("the .npy header has no `fortran_order`")?,
            shape.ok_or("the .npy header has no `shape`")?,
        ))
    }

    fn accept(&mut self, wanted: char) -> bool {
        match self.rest.trim_start().strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.accept(wanted) {
            return Ok(());
        }
        Err(format!("the .npy header is malformed: no `{wanted}` where one belongs"))
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let text = self.rest.trim_start();
        let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or("the .npy header is malformed: no string where one belongs")?;
        let (string, rest) =
            text[1..].split_once(quote).ok_or("the .npy header has an unclosed string")?;
        self.rest = rest;
        Ok(string)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        let text = self.rest.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = text.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err("the .npy header is malformed: no True or False where one belongs".to_owned())
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut lengths = Vec::new();
        while !self.accept(')') {
            let text = self.rest.trim_start();
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let length = text[..digits]
                .parse()
                .map_err(|_| "the .npy header has a shape that is not a tuple of lengths")?;
            // Python 2 wrote long integers with a trailing L.
            self.rest = text[digits..].strip_prefix('L').unwrap_or(&text[digits..]);
            lengths.push(length);
            if lengths.len() > 32 {
                return Err("the .npy header has more than 32 axes".to_owned());
            }
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(lengths)
    }
}
