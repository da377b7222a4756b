//! Stanford PLY, text and binary of both byte orders: `vertex` with `x y z`, `face` with a list.

use super::check_face_count;
use crate::DataError;
use dextra_core::TriMesh;
use nalgebra::Point3;
use std::path::Path;

/// Longest list: a polygon of this many corners is a mistake.
const MAX_CORNERS: usize = 1 << 12;

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<TriMesh, DataError> {
    read(bytes)
        .map_err(|problem| DataError::mesh(path, None, problem))
        .and_then(|mesh| check_face_count(path, mesh.faces.len()).map(|()| mesh))
}

/// How the values after the header are written.
#[derive(Clone, Copy, PartialEq)]
enum Encoding {
    Text,
    Little,
    Big,
}

/// A property of an element; a list has the type of its length.
struct Property {
    name: String,
    length: Option<Scalar>,
    scalar: Scalar,
}

/// A number type: bytes, and whether it is a float or signed.
#[derive(Clone, Copy)]
struct Scalar {
    width: usize,
    float: bool,
    signed: bool,
}

impl Scalar {
    fn named(name: &str) -> Result<Scalar, String> {
        let (width, float, signed) = match name {
            "char" | "int8" => (1, false, true),
            "uchar" | "uint8" => (1, false, false),
            "short" | "int16" => (2, false, true),
            "ushort" | "uint16" => (2, false, false),
            "int" | "int32" => (4, false, true),
            "uint" | "uint32" => (4, false, false),
            "float" | "float32" => (4, true, true),
            "double" | "float64" => (8, true, true),
            other => return Err(format!("unknown type `{other}`")),
        };
        Ok(Scalar { width, float, signed })
    }
}

struct Element {
    name: String,
    count: usize,
    properties: Vec<Property>,
}

fn read(bytes: &[u8]) -> Result<TriMesh, String> {
    let mut values = Values { rest: bytes, encoding: Encoding::Text };
    if values.line()? != "ply" {
        return Err("does not start with `ply`".to_owned());
    }
    let mut elements: Vec<Element> = Vec::new();
    let mut encoding = Encoding::Text;
    loop {
        let line = values.line()?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["format", "ascii", _] => encoding = Encoding::Text,
            ["format", "binary_little_endian", _] => encoding = Encoding::Little,
            ["format", "binary_big_endian", _] => encoding = Encoding::Big,
            ["element", name, count] => {
                let count = count.parse().map_err(|_| format!("`{count}` is not a count"))?;
                elements.push(Element { name: name.into(), count, properties: Vec::new() });
            }
            ["property", "list", length, scalar, name] => {
                let element = elements.last_mut().ok_or("a property before any element")?;
                element.properties.push(Property {
                    name: name.into(),
                    length: Some(Scalar::named(length)?),
                    scalar: Scalar::named(scalar)?,
                });
            }
            ["property", scalar, name] => {
                let element = elements.last_mut().ok_or("a property before any element")?;
                let scalar = Scalar::named(scalar)?;
                element.properties.push(Property { name: name.into(), length: None, scalar });
            }
            ["end_header"] => break,
            [] | ["comment" | "obj_info", ..] => {}
            _ => return Err(format!("`{line}` is not a line of a header")),
        }
    }
    values.encoding = encoding;
    let mut mesh = TriMesh { vertices: Vec::new(), faces: Vec::new() };
    for element in &elements {
        // An element without properties takes no bytes, so that its count bounds nothing.
        if element.properties.is_empty() {
            continue;
        }
        for _ in 0..element.count {
            values.element(element, &mut mesh)?;
        }
    }
    let count = mesh.vertices.len() as u32;
    if let Some(index) = mesh.faces.iter().flatten().find(|&&index| index >= count) {
        return Err(format!("index {index} names no vertex of {count}"));
    }
    Ok(mesh)
}

struct Values<'a> {
    rest: &'a [u8],
    encoding: Encoding,
}

impl Values<'_> {
    fn line(&mut self) -> Result<String, String> {
        let end = self.rest.iter().position(|&b| b == b'\n').ok_or("the header has no end")?;
        let line = std::str::from_utf8(&self.rest[..end]).map_err(|_| "the header is not text")?;
        let line = line.trim().to_owned();
        self.rest = &self.rest[end + 1..];
        Ok(line)
    }

    fn element(&mut self, element: &Element, mesh: &mut TriMesh) -> Result<(), String> {
        let mut position = [f64::NAN; 3];
        for property in &element.properties {
            let Some(length) = property.length else {
                let value = self.number(property.scalar)?;
                if let Some(axis) = ["x", "y", "z"].iter().position(|name| *name == property.name) {
                    position[axis] = value;
                }
                continue;
            };
            let corners = self.number(length)?;
            if !(0.0..=MAX_CORNERS as f64).contains(&corners) {
                return Err(format!("a list of {corners} items"));
            }
            let mut list = Vec::new();
            for _ in 0..corners as usize {
                list.push(self.number(property.scalar)?);
            }
            let indices = property.name == "vertex_indices" || property.name == "vertex_index";
            if element.name == "face" && indices {
                if let Some(bad) = list.iter().find(|i| !(0.0..u32::MAX as f64).contains(*i)) {
                    return Err(format!("index {bad} names no vertex"));
                }
                let corner = |i: usize| list[i] as u32;
                mesh.faces.extend((2..list.len()).map(|i| [corner(0), corner(i - 1), corner(i)]));
            }
        }
        if element.name == "vertex" {
            if position.iter().any(|x| !x.is_finite()) {
                return Err(format!("vertex {} is not finite", mesh.vertices.len()));
            }
            mesh.vertices.push(Point3::from(position));
        }
        Ok(())
    }

    fn number(&mut self, scalar: Scalar) -> Result<f64, String> {
        if self.encoding == Encoding::Text {
            let rest = self.rest.trim_ascii_start();
            let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
            let word = std::str::from_utf8(&rest[..end]).unwrap_or_default();
            self.rest = &rest[end..];
            return word.parse().map_err(|_| match word {
                "" => "the file is cut short".to_owned(),
                _ => format!("`{word}` is not a number"),
            });
        }
        let raw = self.rest.get(..scalar.width).ok_or("the file is cut short")?;
        self.rest = &self.rest[scalar.width..];
        let mut wide = [0u8; 8];
        wide[..scalar.width].copy_from_slice(raw);
        if self.encoding == Encoding::Big {
            wide[..scalar.width].reverse();
        }
        let bits = u64::from_le_bytes(wide);
        let unused = 64 - 8 * scalar.width as u32;
        Ok(match (scalar.float, scalar.width) {
            (true, 4) => f64::from(f32::from_bits(bits as u32)),
            (true, _) => f64::from_bits(bits),
            (false, _) if scalar.signed => (((bits << unused) as i64) >> unused) as f64,
            (false, _) => bits as f64,
        })
    }
}
