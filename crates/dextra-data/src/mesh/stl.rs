//! STL, binary and ASCII. Vertices that coincide bit for bit are welded.

use super::check_face_count;
use crate::DataError;
use dextra_core::TriMesh;
use nalgebra::Point3;
use std::collections::HashMap;
use std::path::Path;

/// Bytes before the triangles of a binary file: an 80-byte comment and a count.
const PRELUDE: usize = 84;
/// Bytes of one binary triangle: a normal, three corners and an attribute.
const RECORD: usize = 50;

/// Parses either flavour. A file whose length agrees with its triangle count is binary, whatever
/// its comment says: many binary files begin with the word `solid`.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<TriMesh, DataError> {
    let count = bytes.get(80..PRELUDE).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
    let expected = count.map(|n| PRELUDE as u64 + RECORD as u64 * u64::from(n));
    if expected == Some(bytes.len() as u64) {
        return binary(path, &bytes[PRELUDE..]);
    }
    let start = bytes.trim_ascii_start();
    if start.len() >= 5
        && start[..5].eq_ignore_ascii_case(b"solid")
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return ascii(path, text);
    }
    let problem = match (count, expected) {
        (Some(count), Some(expected)) if expected > bytes.len() as u64 => format!(
            "cut short: a binary STL of {count} triangles has {expected} bytes, this file {}",
            bytes.len()
        ),
        (Some(count), Some(expected)) => format!(
            "a binary STL of {count} triangles has {expected} bytes, this file {}",
            bytes.len()
        ),
        _ => format!("cut short: {} bytes, and no ASCII `solid`", bytes.len()),
    };
    Err(DataError::mesh(path, None, problem))
}

fn binary(path: &Path, records: &[u8]) -> Result<TriMesh, DataError> {
    check_face_count(path, records.len() / RECORD)?;
    let mut welder = Welder::default();
    for (index, record) in records.chunks_exact(RECORD).enumerate() {
        let value = |i: usize| {
            let at = 12 + 4 * i;
            f32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
        };
        let corners = [0, 1, 2].map(|c| [value(3 * c), value(3 * c + 1), value(3 * c + 2)]);
        if !corners.iter().flatten().all(|x| x.is_finite()) {
            let problem = format!("triangle {index} has a vertex that is not finite");
            return Err(DataError::mesh(path, None, problem));
        }
        welder.push(corners);
    }
    Ok(welder.mesh)
}

fn ascii(path: &Path, text: &str) -> Result<TriMesh, DataError> {
    let mut welder = Welder::default();
    let mut corners = Vec::with_capacity(3);
    let mut ended = false;
    for (index, line) in text.lines().enumerate() {
        let number = Some(index + 1);
        let mut words = line.split_ascii_whitespace();
        match words.next().map(str::to_ascii_lowercase).as_deref() {
            Some("vertex") => {
                let mut xyz = [0f32; 3];
                for value in &mut xyz {
                    *value = words
                        .next()
                        .and_then(|word| word.parse().ok())
                        .ok_or_else(|| DataError::mesh(path, number, "a vertex needs 3 numbers"))?;
                }
                if !xyz.iter().all(|x| x.is_finite()) {
                    return Err(DataError::mesh(path, number, "a vertex is not finite"));
                }
                corners.push(xyz);
            }
            Some("endloop") => {
                let [a, b, c] = corners[..] else {
                    let problem = format!("a facet has {} vertices, not 3", corners.len());
                    return Err(DataError::mesh(path, number, problem));
                };
                welder.push([a, b, c]);
                corners.clear();
                check_face_count(path, welder.mesh.faces.len())?;
            }
            Some("endsolid") => ended = true,
            Some("solid") => ended = false,
            _ => {}
        }
    }
    if !ended || !corners.is_empty() {
        return Err(DataError::mesh(path, None, "cut short: no `endsolid` at the end"));
    }
    Ok(welder.mesh)
}

/// Collects triangles and gives equal corners one index.
#[derive(Default)]
struct Welder {
    mesh: TriMesh,
    index_of: HashMap<[u32; 3], u32>,
}

impl Welder {
    fn push(&mut self, corners: [[f32; 3]; 3]) {
        let face = corners.map(|corner| {
            // Adding zero turns -0 into +0, which is the same point.
            let key = corner.map(|x| (x + 0.0).to_bits());
            *self.index_of.entry(key).or_insert_with(|| {
                self.mesh.vertices.push(Point3::from(corner.map(f64::from)));
                self.mesh.vertices.len() as u32 - 1
            })
        });
        self.mesh.faces.push(face);
    }
}
