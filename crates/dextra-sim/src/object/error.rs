//! What can be wrong with an object's mesh, mass or cache.

use thiserror::Error;

/// Why no collision geometry could be made for an object.
#[derive(Debug, Error, PartialEq)]
pub enum ObjectError {
    /// The mesh has no vertices or no faces with a positive area.
    #[error(
        "object mesh is empty: {vertices} vertices, {faces} faces, no face with an area above zero"
    )]
    Empty {
        /// Vertices in the mesh.
        vertices: usize,
        /// Faces in the mesh.
        faces: usize,
    },
    /// A coordinate is NaN or infinite.
    #[error("object mesh vertex {vertex} is not finite: [{}, {}, {}]", position[0], position[1], position[2])]
    NotFinite {
        /// Index of the first such vertex.
        vertex: usize,
        /// Its coordinates, metres.
        position: [f64; 3],
    },
    /// A face names a vertex that is not there.
    #[error("object mesh face {face} names vertex {index}, but there are {vertices} vertices")]
    BadIndex {
        /// Index of the first such face.
        face: usize,
        /// The vertex it names.
        index: u32,
        /// Vertices in the mesh.
        vertices: usize,
    },
    /// The mesh is far from the size of anything a hand can hold; most often a unit mistake.
    #[error(
        "object mesh is {size_m:.4} m across, outside {min_m}..{max_m} m: is it in another unit than metres \
         (a mesh in millimetres needs scaling by 0.001)?"
    )]
    Scale {
        /// Diagonal of the bounding box, metres.
        size_m: f64,
        /// Smallest accepted diagonal, metres.
        min_m: f64,
        /// Largest accepted diagonal, metres.
        max_m: f64,
    },
    /// A decomposition setting is out of range.
    #[error("decomposition setting `{setting}` = {value} is not valid: {expected}")]
    Config {
        /// Field of [`super::DecomposeConfig`].
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What is accepted.
        expected: &'static str,
    },
    /// A stated mass that is not a positive finite number.
    #[error("object mass {mass_kg} kg is not valid: expected a positive, finite number")]
    Mass {
        /// The stated mass, kilograms.
        mass_kg: f64,
    },
}
