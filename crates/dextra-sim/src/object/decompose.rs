//! Approximate convex decomposition that keeps the openings a finger can enter.
//!
//! Recursive plane cuts of the surface in the spirit of CoACD (Wei et al. 2022), with two changes that suit
//! grasping. The concavity of a part is measured as the depth to which its convex hull invades space that a probe ball
//! can reach (see [`super::field`]), so cracks and sealed cavities cost nothing, and meshes need not be
//! watertight. And instead of a tree search, the object is cut too finely and the pieces are merged again while
//! their common hull stays out of reachable space.

use dextra_core::TriMesh;
use nalgebra::{Point3, Vector3};

use super::clean::{cleaned, decimated, diagonal};
use super::error::ObjectError;
use super::field::Field;
use super::hull::{Hull, bounds, principal_axes};
use super::merge::merged;
use super::surface::Surface;

/// Bump when the algorithm changes its output, so that caches are rebuilt.
pub(crate) const ALGORITHM_VERSION: u32 = 2;

/// Accepted bounding-box diagonals, metres: a grain of rice to a long table.
const SIZE_RANGE_M: (f64, f64) = (0.005, 3.0);

/// How finely an object is decomposed. All lengths in metres.
#[derive(Clone, Debug, PartialEq)]
pub struct DecomposeConfig {
    /// Depth to which a hull may fill reachable space. Default 2.5 mm.
    pub tolerance_m: f64,
    /// Radius of the ball that defines what is reachable: narrower cracks may be filled. Default 4 mm, half
    /// the radius of a slim robot finger.
    pub probe_radius_m: f64,
    /// Most hulls. Where the tolerance asks for more, the least harmful merges are made. Default 32.
    pub max_hulls: usize,
    /// Most vertices of one hull. Default 32.
    pub max_vertices: usize,
    /// Least thickness of a hull in every direction. Default 2 mm.
    pub min_thickness_m: f64,
    /// Vertices within this distance of the simplified hull are dropped. Default 0.2 mm.
    pub simplify_m: f64,
    /// Meshes with more faces are decimated first. Default 10 000.
    pub max_faces: usize,
    /// Points of the distance field; its spacing follows from the object's size. Default 250 000.
    pub grid_points: usize,
}

impl Default for DecomposeConfig {
    fn default() -> Self {
        DecomposeConfig {
            tolerance_m: 0.0025,
            probe_radius_m: 0.004,
            max_hulls: 32,
            max_vertices: 32,
            min_thickness_m: 0.002,
            simplify_m: 0.0002,
            max_faces: 10_000,
            grid_points: 250_000,
        }
    }
}

impl DecomposeConfig {
    fn validate(&self) -> Result<(), ObjectError> {
        let check = |setting, value: f64, low: f64, high: f64, expected| {
            // Written so that NaN fails.
            if value >= low && value <= high {
                Ok(())
            } else {
                Err(ObjectError::Config { setting, value, expected })
            }
        };
        check("tolerance_m", self.tolerance_m, 1e-4, 1.0, "0.0001 to 1 m")?;
        check("probe_radius_m", self.probe_radius_m, 0.0, 1.0, "0 to 1 m")?;
        check("max_hulls", self.max_hulls as f64, 1.0, 1024.0, "1 to 1024")?;
        check("max_vertices", self.max_vertices as f64, 8.0, 1024.0, "8 to 1024")?;
        check("min_thickness_m", self.min_thickness_m, 1e-4, 0.1, "0.0001 to 0.1 m")?;
        check("simplify_m", self.simplify_m, 0.0, 0.1, "0 to 0.1 m")?;
        check("max_faces", self.max_faces as f64, 100.0, 1e7, "100 to 10 000 000")?;
        check("grid_points", self.grid_points as f64, 1e3, 1e8, "1000 to 100 000 000")
    }

    /// Every setting as bytes, for the cache key.
    pub(crate) fn key_bytes(&self) -> Vec<u8> {
        let DecomposeConfig {
            tolerance_m,
            probe_radius_m,
            max_hulls,
            max_vertices,
            min_thickness_m,
            simplify_m,
            max_faces,
            grid_points,
        } = *self;
        let lengths =
            [tolerance_m, probe_radius_m, min_thickness_m, simplify_m].map(f64::to_le_bytes);
        let counts =
            [max_hulls, max_vertices, max_faces, grid_points].map(|n| (n as u64).to_le_bytes());
        lengths.concat().into_iter().chain(counts.concat()).collect()
    }
}

/// A piece of the object: what is left of its surface and of its inner points between the cuts made so far.
struct Part {
    surface: TriMesh,
    inner: Vec<Point3<f64>>,
    hull: Hull,
    excess: f64,
}

impl Part {
    fn new(
        surface: TriMesh,
        inner: Vec<Point3<f64>>,
        field: &Field,
        config: &DecomposeConfig,
    ) -> Part {
        let points: Vec<_> = surface.vertices.iter().chain(&inner).copied().collect();
        let hull = Hull::of(&points, config.min_thickness_m);
        let excess = field.excess(&hull);
        Part { surface, inner, hull, excess }
    }
}

/// Convex hulls that cover `mesh` and stay out of the space a finger can reach.
///
/// At most [`DecomposeConfig::max_hulls`] closed convex meshes, wound outwards, in the frame of `mesh`, each at least
/// [`DecomposeConfig::min_thickness_m`] thick. A nearly convex mesh gives one hull at once. The result depends on the
/// arguments alone.
///
/// # Errors
/// Meshes that are empty, not finite, wrongly indexed or of the wrong scale; settings out of range.
pub fn decompose(mesh: &TriMesh, config: &DecomposeConfig) -> Result<Vec<TriMesh>, ObjectError> {
    config.validate()?;
    let mesh = decimated(&cleaned(mesh)?, config.max_faces);
    let size_m = diagonal(&mesh);
    let (min_m, max_m) = SIZE_RANGE_M;
    if !(min_m..=max_m).contains(&size_m) {
        return Err(ObjectError::Scale { size_m, min_m, max_m });
    }
    let surface = Surface::new(&mesh)?;
    let field = field_of(&surface, config);
    // A few thousand inner points are enough to keep the cores of solids in their hulls.
    let mut inner = field.inner_points(1);
    for stride in 2.. {
        if inner.len() <= 4000 {
            break;
        }
        inner = field.inner_points(stride);
    }
    let whole = Part::new(surface.mesh().clone(), inner, &field, config);
    let parts = split(whole, &field, config);
    let hulls = merged(parts.into_iter().map(|p| (p.hull, p.excess)).collect(), &field, config);
    Ok(hulls
        .iter()
        .map(|hull| {
            let simple =
                hull.simplified(config.max_vertices, config.simplify_m, config.min_thickness_m);
            simple.refilled(hull, config.min_thickness_m).mesh
        })
        .collect())
}

fn field_of(surface: &Surface, config: &DecomposeConfig) -> Field {
    let (lo, hi) = bounds(&surface.mesh().vertices);
    let pad = 2.0 * config.probe_radius_m;
    let volume: f64 = (hi - lo).iter().map(|c| c + pad).product();
    let cell = (volume / config.grid_points as f64).cbrt();
    Field::new(
        |p, cap| surface.distance_up_to(p, cap),
        (lo, hi),
        cell,
        config.probe_radius_m,
        config.tolerance_m,
    )
}

/// True if a hull's excess is within rounding of the grid: an average of 1 % of the tolerance over its volume.
pub(crate) fn fits(excess: f64, volume: f64, config: &DecomposeConfig) -> bool {
    excess <= 0.01 * config.tolerance_m * volume
}

/// Cut the worst part in two until all fit.
fn split(whole: Part, field: &Field, config: &DecomposeConfig) -> Vec<Part> {
    let most = 4 * config.max_hulls;
    let mut done = Vec::new();
    let mut open = vec![whole];
    while let Some(worst) =
        (0..open.len()).reduce(|a, b| if open[b].excess > open[a].excess { b } else { a })
    {
        let part = open.swap_remove(worst);
        let pieces =
            if fits(part.excess, part.hull.volume, config) || done.len() + open.len() + 2 > most {
                None
            } else {
                cut(&part, field, config)
            };
        match pieces {
            Some(pieces) => open.extend(pieces),
            None => done.push(part),
        }
    }
    done
}

/// The best of a fan of planes: the one whose two hulls invade least.
fn cut(part: &Part, field: &Field, config: &DecomposeConfig) -> Option<[Part; 2]> {
    let mut axes = vec![Vector3::x(), Vector3::y(), Vector3::z()];
    for axis in principal_axes(&part.hull.mesh.vertices) {
        // Within 8 degrees of an axis that is there already, nothing new would be found.
        if axes.iter().all(|a| a.dot(&axis).abs() < 0.99) {
            axes.push(axis);
        }
    }
    let evaluate = |axis: &Vector3<f64>, offset: f64| -> f64 {
        let [below, above] = sides(part, axis, offset);
        if below.is_empty() || above.is_empty() {
            return f64::INFINITY;
        }
        [below, above]
            .iter()
            .map(|points| field.excess(&Hull::of(points, config.min_thickness_m)))
            .sum()
    };
    let mut best: Option<(f64, Vector3<f64>, f64, f64)> = None;
    for axis in &axes {
        let along = |p: &Point3<f64>| axis.dot(&p.coords);
        let low = part.hull.mesh.vertices.iter().map(along).fold(f64::MAX, f64::min);
        let high = part.hull.mesh.vertices.iter().map(along).fold(f64::MIN, f64::max);
        if high - low < 2.0 * config.min_thickness_m {
            continue;
        }
        for fraction in [0.04, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96] {
            let offset = low + fraction * (high - low);
            let excess = evaluate(axis, offset);
            if best.is_none_or(|b| excess < b.0) {
                best = Some((excess, *axis, offset, 0.05 * (high - low)));
            }
        }
    }
    let (mut excess, axis, mut offset, mut step) = best?;
    for _ in 0..4 {
        for candidate in [offset - step, offset + step] {
            let found = evaluate(&axis, candidate);
            if found < excess {
                (excess, offset) = (found, candidate);
            }
        }
        step /= 2.0;
    }
    if !excess.is_finite() {
        return None;
    }
    let [below, above] = clipped(&part.surface, &axis, offset);
    let (inner_below, inner_above): (Vec<_>, Vec<_>) =
        part.inner.iter().partition(|p| axis.dot(&p.coords) <= offset);
    if below.vertices.is_empty() || above.vertices.is_empty() {
        return None;
    }
    Some([
        Part::new(below, inner_below, field, config),
        Part::new(above, inner_above, field, config),
    ])
}

/// The points of `part` on either side of a plane, those where its surface crosses the plane in both.
fn sides(part: &Part, axis: &Vector3<f64>, offset: f64) -> [Vec<Point3<f64>>; 2] {
    let mut out = [Vec::new(), Vec::new()];
    let height: Vec<f64> =
        part.surface.vertices.iter().map(|p| axis.dot(&p.coords) - offset).collect();
    for (p, &h) in part.surface.vertices.iter().zip(&height) {
        out[usize::from(h > 0.0)].push(*p);
    }
    for face in &part.surface.faces {
        for (i, j) in [(face[0], face[1]), (face[1], face[2]), (face[2], face[0])] {
            let (i, j) = (i.min(j) as usize, i.max(j) as usize);
            if (height[i] > 0.0) != (height[j] > 0.0) {
                let p = crossing(
                    part.surface.vertices[i],
                    part.surface.vertices[j],
                    height[i],
                    height[j],
                );
                out[0].push(p);
                out[1].push(p);
            }
        }
    }
    if out.iter().all(|side| !side.is_empty()) {
        for p in &part.inner {
            out[usize::from(axis.dot(&p.coords) - offset > 0.0)].push(*p);
        }
    }
    out
}

fn crossing(a: Point3<f64>, b: Point3<f64>, height_a: f64, height_b: f64) -> Point3<f64> {
    a + (b - a) * (height_a / (height_a - height_b))
}

/// A surface cut by a plane, as the meshes of the two sides (`axis · p <= offset` first), without caps.
fn clipped(mesh: &TriMesh, axis: &Vector3<f64>, offset: f64) -> [TriMesh; 2] {
    let height: Vec<f64> = mesh.vertices.iter().map(|p| axis.dot(&p.coords) - offset).collect();
    let mut cuts = std::collections::HashMap::new();
    let mut vertices = mesh.vertices.clone();
    let mut faces = [Vec::new(), Vec::new()];
    for face in &mesh.faces {
        let above = face.map(|i| height[i as usize] > 0.0);
        if above[0] == above[1] && above[1] == above[2] {
            faces[usize::from(above[0])].push(*face);
            continue;
        }
        // Rotate so that the first corner is alone on its side.
        let alone = (0..3)
            .find(|&k| above[k] != above[(k + 1) % 3] && above[k] != above[(k + 2) % 3])
            .unwrap_or(0);
        let [a, b, c] = [0, 1, 2].map(|k| face[(alone + k) % 3]);
        let mut on_edge = |i: u32, j: u32| {
            let (i, j) = (i.min(j), i.max(j));
            *cuts.entry((i, j)).or_insert_with(|| {
                let p = crossing(
                    mesh.vertices[i as usize],
                    mesh.vertices[j as usize],
                    height[i as usize],
                    height[j as usize],
                );
                vertices.push(p);
                vertices.len() as u32 - 1
            })
        };
        let (ab, ac) = (on_edge(a, b), on_edge(a, c));
        faces[usize::from(above[alone])].push([a, ab, ac]);
        faces[usize::from(!above[alone])].extend([[ab, b, c], [ab, c, ac]]);
    }
    faces.map(|faces| compact(&vertices, faces))
}

/// The mesh of `faces` with only the vertices they use.
fn compact(vertices: &[Point3<f64>], faces: Vec<[u32; 3]>) -> TriMesh {
    let mut place = vec![u32::MAX; vertices.len()];
    let mut out = TriMesh::default();
    for face in faces {
        out.faces.push(face.map(|i| {
            let slot = &mut place[i as usize];
            if *slot == u32::MAX {
                *slot = out.vertices.len() as u32;
                out.vertices.push(vertices[i as usize]);
            }
            *slot
        }));
    }
    out
}

#[cfg(test)]
mod tests;
