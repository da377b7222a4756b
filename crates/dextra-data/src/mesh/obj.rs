//! Wavefront `.obj`: vertices and faces; everything else in the format is skipped.

use super::check_face_count;
use crate::DataError;
use dextra_core::TriMesh;
use nalgebra::Point3;
use std::fmt::Write;
use std::path::Path;

/// Parses the text of an OBJ file. All objects and groups of the file become one mesh.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<TriMesh, DataError> {
    let mut mesh = TriMesh::default();
    let mut polygon: Vec<u32> = Vec::new();
    let mut continued = Vec::new();
    let mut lines = bytes.split(|&b| b == b'\n').enumerate();
    while let Some((index, line)) = lines.next() {
        let number = Some(index + 1);
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        // A backslash joins the next line on; rare, so the copy costs nothing in practice.
        if line.ends_with(b"\\") {
            continued.clear();
            while let Some(head) = line.strip_suffix(b"\\") {
                continued.extend_from_slice(head);
                continued.push(b' ');
                line = lines.next().map_or(&b""[..], |(_, l)| l.strip_suffix(b"\r").unwrap_or(l));
            }
            continued.extend_from_slice(line);
            line = &continued;
        }
        let mut words = line
            .split(|b| b.is_ascii_whitespace())
            .filter(|word| !word.is_empty())
            .map(|word| std::str::from_utf8(word).unwrap_or("?"));
        match words.next() {
            Some("v") => {
                let mut xyz = [0.0; 3];
                for value in &mut xyz {
                    *value = words
                        .next()
                        .and_then(|word| word.parse::<f64>().ok())
                        .ok_or_else(|| DataError::mesh(path, number, "a vertex needs 3 numbers"))?;
                }
                if !xyz.iter().all(|x| x.is_finite()) {
                    return Err(DataError::mesh(path, number, "a vertex is not finite"));
                }
                mesh.vertices.push(Point3::from(xyz));
            }
            Some("f") => {
                polygon.clear();
                for word in words.take_while(|word| !word.starts_with('#')) {
                    let corner = corner(word, mesh.vertices.len())
                        .map_err(|problem| DataError::mesh(path, number, problem))?;
                    polygon.push(corner);
                }
                if polygon.len() < 3 {
                    return Err(DataError::mesh(path, number, "a face needs 3 vertices"));
                }
                let fan = polygon.windows(2).skip(1).map(|pair| [polygon[0], pair[0], pair[1]]);
                mesh.faces.extend(fan);
                check_face_count(path, mesh.faces.len())?;
            }
            _ => {}
        }
    }
    Ok(mesh)
}

/// Resolves `7`, `7/1`, `7//3` or `-1` to a zero-based vertex index.
fn corner(word: &str, vertices: usize) -> Result<u32, String> {
    let first = word.split('/').next().unwrap_or("");
    let stated: i64 =
        first.parse().map_err(|_| format!("`{word}` is not a vertex index of a face"))?;
    let index = match stated {
        1.. => stated - 1,
        _ => stated.saturating_add(vertices as i64),
    };
    match u32::try_from(index) {
        Ok(index) if stated != 0 && (index as usize) < vertices => Ok(index),
        _ => Err(format!("face index {stated} names none of the {vertices} vertices before it")),
    }
}

/// The OBJ text of a mesh. Coordinates are the shortest decimals that read back to the same bits.
pub fn write_obj(mesh: &TriMesh) -> String {
    let mut text = String::with_capacity(64 * mesh.vertices.len() + 24 * mesh.faces.len());
    text.push_str("# unit: metre\n");
    // Writing to a String cannot fail.
    for v in &mesh.vertices {
        writeln!(text, "v {} {} {}", v.x, v.y, v.z).ok();
    }
    for [a, b, c] in &mesh.faces {
        writeln!(text, "f {} {} {}", a + 1, b + 1, c + 1).ok();
    }
    text
}
