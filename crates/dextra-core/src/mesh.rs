//! Triangle meshes.

use nalgebra::{Point3, Vector3};

/// A triangle mesh in the object's own frame, metres. Not necessarily watertight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TriMesh {
    /// Vertex positions, metres.
    pub vertices: Vec<Point3<f64>>,
    /// Vertex indices of each triangle.
    pub faces: Vec<[u32; 3]>,
}

impl TriMesh {
    /// Corners of the axis-aligned bounding box `(min, max)`, or `None` without vertices.
    pub fn bounds(&self) -> Option<(Point3<f64>, Point3<f64>)> {
        let first = *self.vertices.first()?;
        Some(self.vertices.iter().fold((first, first), |(lo, hi), v| (lo.inf(v), hi.sup(v))))
    }

    /// The three corners of face `index`.
    pub fn triangle(&self, index: usize) -> [Point3<f64>; 3] {
        self.faces[index].map(|i| self.vertices[i as usize])
    }

    /// Total surface area, square metres.
    pub fn area(&self) -> f64 {
        (0..self.faces.len()).map(|f| self.face_cross(f).norm() / 2.0).sum()
    }

    /// Cross product of two edges of face `index`: twice the area times the outward normal.
    pub fn face_cross(&self, index: usize) -> Vector3<f64> {
        let [a, b, c] = self.triangle(index);
        (b - a).cross(&(c - a))
    }

    /// The same mesh reflected through the plane `y = 0`, with faces re-wound outwards.
    pub fn mirrored_y(&self) -> TriMesh {
        TriMesh {
            vertices: self.vertices.iter().map(|v| Point3::new(v.x, -v.y, v.z)).collect(),
            faces: self.faces.iter().map(|&[a, b, c]| [a, c, b]).collect(),
        }
    }
}
