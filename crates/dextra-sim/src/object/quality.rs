//! How well a set of hulls stands for a surface.

use dextra_core::TriMesh;
use nalgebra::Point3;

use super::error::ObjectError;
use super::surface::Surface;

/// Two failure fractions of a decomposition, each in `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HullQuality {
    /// Of the points at `offset` outside the surface (and no nearer to any other part of it), the fraction inside a hull:
    /// openings that were filled.
    pub overfilled: f64,
    /// Of the points on the surface, the fraction farther than `offset` outside all hulls: parts that were lost.
    pub missed: f64,
}

/// Measure `hulls` against `surface` on `n` sampled points, at `offset` metres (4 mm is the project's measure).
///
/// # Errors
/// If a hull is not a valid mesh.
pub fn hull_quality(
    surface: &Surface,
    hulls: &[TriMesh],
    offset: f64,
    n: usize,
) -> Result<HullQuality, ObjectError> {
    let hulls: Vec<Surface> = hulls.iter().map(Surface::new).collect::<Result<_, _>>()?;
    let depth =
        |p: &Point3<f64>| hulls.iter().map(|h| h.signed_distance(p)).fold(f64::MAX, f64::min);
    let samples = surface.sample(n, 0);
    let missed = samples.iter().filter(|s| depth(&s.point) > offset).count();
    // An open sheet has free space on both sides.
    let sides: &[f64] = if surface.is_open() { &[1.0, -1.0] } else { &[1.0] };
    let (mut free, mut filled) = (0, 0);
    for sample in &samples {
        for side in sides {
            let p = sample.point + sample.normal * (side * offset);
            if surface.signed_distance(&p) > 0.98 * offset {
                free += 1;
                filled += usize::from(depth(&p) < 0.0);
            }
        }
    }
    Ok(HullQuality {
        overfilled: f64::from(filled as u32) / f64::from(free.max(1) as u32),
        missed: missed as f64 / samples.len().max(1) as f64,
    })
}
