//! Mass, centre of mass and inertia of hand-held objects.

use dextra_core::TriMesh;
use nalgebra::{Matrix3, Point3, Vector3};

use super::error::ObjectError;

/// Density assumed for the volume of the collision hulls, kg/m3: household objects are mostly hollow or thin-walled.
pub const ASSUMED_DENSITY: f64 = 200.0;
/// Range of an assumed mass, kilograms: what a person moves with one hand without effort.
pub const ASSUMED_MASS_RANGE: (f64, f64) = (0.05, 0.5);

/// Mass properties of a rigid object in its own frame. SI.
#[derive(Clone, Debug, PartialEq)]
pub struct MassProperties {
    /// Mass, kilograms.
    pub mass_kg: f64,
    /// Centre of mass, metres.
    pub com: Point3<f64>,
    /// Inertia about the centre of mass, along the axes of the object frame, kg m^2.
    pub inertia: Matrix3<f64>,
}

impl MassProperties {
    /// Mass spread evenly over the surface.
    ///
    /// Most scanned objects are hollow, and a shell needs no watertight mesh; its inertia does not depend on the
    /// decomposition. Exact per triangle: the second moment of a triangle of mass `m` about the origin is
    /// `m / 12 (a aᵀ + b bᵀ + c cᵀ + s sᵀ)` with `s = a + b + c`.
    ///
    /// # Errors
    /// A mass that is not positive and finite; a mesh without area.
    pub fn shell(mesh: &TriMesh, mass_kg: f64) -> Result<MassProperties, ObjectError> {
        if !(mass_kg.is_finite() && mass_kg > 0.0) {
            return Err(ObjectError::Mass { mass_kg });
        }
        let area = mesh.area();
        if !(area.is_finite() && area > 0.0) {
            return Err(ObjectError::Empty {
                vertices: mesh.vertices.len(),
                faces: mesh.faces.len(),
            });
        }
        let weights =
            (0..mesh.faces.len()).map(|f| mesh.face_cross(f).norm() / 2.0 / area * mass_kg);
        let weights: Vec<f64> = weights.collect();
        let com = weights
            .iter()
            .enumerate()
            .map(|(f, m)| {
                mesh.triangle(f).iter().map(|p| p.coords).sum::<Vector3<f64>>() * (m / 3.0)
            })
            .sum::<Vector3<f64>>()
            / mass_kg;
        let mut second = Matrix3::zeros();
        for (f, m) in weights.iter().enumerate() {
            let [a, b, c] = mesh.triangle(f).map(|p| p.coords - com);
            let s = a + b + c;
            for v in [a, b, c, s] {
                second += v * v.transpose() * (m / 12.0);
            }
        }
        let inertia = Matrix3::identity() * second.trace() - second;
        Ok(MassProperties { mass_kg, com: Point3::from(com), inertia })
    }
}

/// The stated mass if there is one, else [`ASSUMED_DENSITY`] times the volume of the hulls, within
/// [`ASSUMED_MASS_RANGE`]. Kilograms.
///
/// # Errors
/// A stated mass that is not positive and finite.
pub fn plausible_mass(hulls: &[TriMesh], stated_kg: Option<f64>) -> Result<f64, ObjectError> {
    match stated_kg {
        Some(mass_kg) if mass_kg.is_finite() && mass_kg > 0.0 => Ok(mass_kg),
        Some(mass_kg) => Err(ObjectError::Mass { mass_kg }),
        None => {
            let (low, high) = ASSUMED_MASS_RANGE;
            Ok((ASSUMED_DENSITY * hulls.iter().map(volume).sum::<f64>()).clamp(low, high))
        }
    }
}

/// Volume of a closed mesh wound outwards, cubic metres.
fn volume(mesh: &TriMesh) -> f64 {
    let Some(origin) = mesh.vertices.first() else {
        return 0.0;
    };
    (0..mesh.faces.len())
        .map(|f| mesh.face_cross(f).dot(&(mesh.triangle(f)[0] - origin)) / 6.0)
        .sum()
}

#[cfg(test)]
mod tests;
