//! MANO hands (Romero, Tzionas, Black 2017) from the user's own copy of the model.
//!
//! Several data sets store a hand as parameters of this model, which its licence forbids to pass
//! on and to use commercially. It is read from the folder the user names, used to compute
//! keypoints, and nothing of it is stored.
//!
//! Notation: `[rest]` is the model's own frame and pose; lengths are metres, angles radians. The
//! order of joints is MANO's: wrist, then three each of index, middle, pinky, ring, thumb.

mod file;
#[cfg(test)]
mod tests;

use crate::DataError;
use dextra_core::Side;
use dextra_core::demonstration::{Keypoints, keypoint};
use nalgebra::{Isometry3, Matrix3, Point3, Rotation3, Translation3, Vector3};
use std::path::{Path, PathBuf};

/// Joints of the model.
pub const JOINTS: usize = 16;

/// Numbers of a pose without the wrist's: an axis-angle vector per joint.
pub const POSE: usize = 45;

/// Numbers that describe a hand's shape.
pub const BETAS: usize = 10;

/// Vertices of the model.
pub const VERTICES: usize = 778;

/// Licence of whatever is computed with the model.
pub const LICENCE: &str = "LicenseRef-MANO-non-commercial";

/// MANO's joints, then tips of thumb, index, middle, ring and pinky, in the order of keypoints.
pub const TO_KEYPOINTS: [usize; keypoint::COUNT] =
    [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20];

/// Vertices that stand for fingertips, from thumb to pinky; libraries differ by a few millimetres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tips {
    /// Of manopth and manotorch.
    Manopth,
    /// Of smplx, HaMeR and HOT3D.
    Smplx,
    /// Others, of a model with other vertices.
    Other([usize; 5]),
}

impl Tips {
    fn vertices(self, side: Side) -> [usize; 5] {
        match (self, side) {
            (Tips::Manopth, Side::Right) => [745, 317, 444, 556, 673],
            (Tips::Manopth, Side::Left) => [745, 317, 445, 556, 673],
            (Tips::Smplx, _) => [744, 320, 443, 554, 671],
            (Tips::Other(vertices), _) => vertices,
        }
    }
}

/// What a stored translation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is added to the posed model: the wrist is at `J0 + translation` (GRAB, ARCTIC, HOT3D,
    /// DexYCB, HO3D).
    Model,
    /// It is the wrist (TACO, OakInk-v2).
    Wrist,
}

/// One hand's model.
#[derive(Clone, Debug)]
pub struct Mano {
    /// Which hand.
    pub side: Side,
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    template: Vec<Point3<f64>>,
    /// `[V, 3, 10]`.
    shape_dirs: Vec<f64>,
    /// `[V, 3, 135]`.
    pose_dirs: Vec<f64>,
    /// `[16, V]`.
    regressor: Vec<f64>,
    /// `[V, 16]`.
    weights: Vec<f64>,
    /// The joint that carries each joint; none for the wrist.
    parents: [Option<usize>; JOINTS],
    /// `[45, 45]`, one principal component per row.
    components: Vec<f64>,
    mean: [f64; POSE],
}

impl Mano {
    /// Reads `MANO_RIGHT` or `MANO_LEFT`, `.pkl` as downloaded or `.npz` converted, in `folder` or
    /// its folders `models` and `mano`.
    ///
    /// # Errors
    /// No such file, one that is malformed, or one of other shapes.
    pub fn load(folder: &Path, side: Side) -> Result<Mano, DataError> {
        let mano = file::load(folder, side)?;
        if mano.template.len() != VERTICES {
            let problem = format!("{} vertices; MANO has {VERTICES}", mano.template.len());
            return Err(DataError::field(&mano.file, "v_template", problem));
        }
        Ok(mano)
    }

    /// Corrects the left model's first shape direction, which is published with the sign of the
    /// right one's (smplx issue 48), if it is. Some data sets were made with, some without this.
    pub fn fix_left_shape(&mut self, right: &Mano) {
        let along_x = |dirs: &[f64]| {
            dirs.chunks_exact(3 * BETAS).flat_map(|v| v[..BETAS].to_vec()).collect::<Vec<f64>>()
        };
        let (left_x, right_x) = (along_x(&self.shape_dirs), along_x(&right.shape_dirs));
        let apart: f64 = left_x.iter().zip(&right_x).map(|(a, b)| (a - b).abs()).sum();
        if self.side == Side::Left && left_x.len() == right_x.len() && apart < 1.0 {
            for vertex in self.shape_dirs.chunks_exact_mut(3 * BETAS) {
                vertex[..BETAS].iter_mut().for_each(|x| *x = -*x);
            }
        }
    }

    /// The hand of a person of the shape `betas` (missing ones are zero).
    pub fn shaped(&self, betas: &[f64]) -> Shaped<'_> {
        let mut vertices = self.template.clone();
        for (vertex, dirs) in vertices.iter_mut().zip(self.shape_dirs.chunks_exact(3 * BETAS)) {
            for axis in 0..3 {
                let row = &dirs[axis * BETAS..(axis + 1) * BETAS];
                vertex[axis] += row.iter().zip(betas).map(|(d, b)| d * b).sum::<f64>();
            }
        }
        self.around(vertices)
    }

    /// The hand of a person whose surface at rest is known, as in GRAB.
    pub fn scanned(&self, file: &Path, vertices: &[Point3<f64>]) -> Result<Shaped<'_>, DataError> {
        if vertices.len() != self.template.len() {
            let problem =
                format!("{} vertices; the hand has {}", vertices.len(), self.template.len());
            return Err(DataError::field(file, "v_template", problem));
        }
        Ok(self.around(vertices.to_vec()))
    }

    fn around(&self, vertices: Vec<Point3<f64>>) -> Shaped<'_> {
        let count = vertices.len();
        let joints = std::array::from_fn(|j| {
            let row = &self.regressor[j * count..(j + 1) * count];
            let sum =
                row.iter().zip(&vertices).fold(Vector3::zeros(), |s, (w, v)| s + v.coords * *w);
            Point3::from(sum)
        });
        Shaped { mano: self, vertices, joints }
    }

    /// Axis-angle vectors of the fingers from coefficients of principal components; the mean pose
    /// is added unless the hand is `flat` at rest.
    pub fn from_components(&self, coefficients: &[f64], flat: bool) -> [f64; POSE] {
        let mut pose = if flat { [0.0; POSE] } else { self.mean };
        for (row, coefficient) in self.components.chunks_exact(POSE).zip(coefficients) {
            pose.iter_mut().zip(row).for_each(|(p, c)| *p += coefficient * c);
        }
        pose
    }

    /// Axis-angle vectors of the fingers as stored: the mean pose is added unless `flat`.
    pub fn from_axis_angles(&self, stored: &[f64; POSE], flat: bool) -> [f64; POSE] {
        std::array::from_fn(|i| stored[i] + if flat { 0.0 } else { self.mean[i] })
    }
}

/// Rotations of all joints from the wrist's and the fingers' axis-angle vectors.
pub fn rotations(wrist: [f64; 3], pose: &[f64; POSE]) -> [Rotation3<f64>; JOINTS] {
    std::array::from_fn(|joint| match joint {
        0 => Rotation3::new(Vector3::from(wrist)),
        _ => Rotation3::new(Vector3::from_column_slice(&pose[3 * joint - 3..3 * joint])),
    })
}

/// A model in the shape of one person.
#[derive(Clone, Debug)]
pub struct Shaped<'a> {
    mano: &'a Mano,
    vertices: Vec<Point3<f64>>,
    /// Joints at rest.
    pub joints: [Point3<f64>; JOINTS],
}

impl Shaped<'_> {
    /// The 21 keypoints of a pose, in the frame of `translation`.
    pub fn keypoints(
        &self,
        turns: &[Rotation3<f64>; JOINTS],
        translation: Vector3<f64>,
        origin: Origin,
        tips: Tips,
    ) -> Keypoints {
        let (placed, offset) = self.place(turns, translation, origin);
        let blend = pose_features(turns);
        let tips = tips.vertices(self.mano.side);
        std::array::from_fn(|k| match TO_KEYPOINTS[k] {
            joint if joint < JOINTS => placed[joint] * self.joints[joint] + offset,
            tip => self.vertex(tips[tip - JOINTS], &placed, &blend) + offset,
        })
    }

    /// All vertices of a pose, in the frame of `translation`.
    pub fn surface(
        &self,
        turns: &[Rotation3<f64>; JOINTS],
        translation: Vector3<f64>,
        origin: Origin,
    ) -> Vec<Point3<f64>> {
        let (placed, offset) = self.place(turns, translation, origin);
        let blend = pose_features(turns);
        (0..self.vertices.len()).map(|v| self.vertex(v, &placed, &blend) + offset).collect()
    }

    /// `posed_from_rest` per joint, and what is added to every point.
    fn place(
        &self,
        turns: &[Rotation3<f64>; JOINTS],
        translation: Vector3<f64>,
        origin: Origin,
    ) -> ([Isometry3<f64>; JOINTS], Vector3<f64>) {
        let mut placed = [Isometry3::identity(); JOINTS];
        for joint in 0..JOINTS {
            let at = Translation3::from(self.joints[joint].coords);
            let turn =
                at * nalgebra::UnitQuaternion::from_rotation_matrix(&turns[joint]) * at.inverse();
            // Parents come before their children, which the reader of the file checks.
            placed[joint] = match self.mano.parents[joint] {
                Some(parent) => placed[parent] * turn,
                None => turn,
            };
        }
        let offset = match origin {
            Origin::Model => translation,
            Origin::Wrist => translation - self.joints[0].coords,
        };
        (placed, offset)
    }

    fn vertex(
        &self,
        index: usize,
        placed: &[Isometry3<f64>; JOINTS],
        blend: &[f64; 9 * (JOINTS - 1)],
    ) -> Point3<f64> {
        let mut rest = self.vertices[index];
        let width = blend.len();
        for axis in 0..3 {
            let row = &self.mano.pose_dirs[(3 * index + axis) * width..][..width];
            rest[axis] += row.iter().zip(blend).map(|(d, b)| d * b).sum::<f64>();
        }
        let weights = &self.mano.weights[index * JOINTS..(index + 1) * JOINTS];
        let sum = weights
            .iter()
            .zip(placed)
            .fold(Vector3::zeros(), |sum, (weight, place)| sum + (place * rest).coords * *weight);
        Point3::from(sum)
    }
}

/// What the pose-dependent correction is linear in: the fingers' rotation matrices less the
/// identity, row by row.
fn pose_features(turns: &[Rotation3<f64>; JOINTS]) -> [f64; 9 * (JOINTS - 1)] {
    std::array::from_fn(|i| {
        let difference = turns[1 + i / 9].matrix() - Matrix3::identity();
        difference[(i % 9 / 3, i % 3)]
    })
}
