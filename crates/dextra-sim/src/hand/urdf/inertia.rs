//! Mass and inertia of links that are one body.

use super::read::{Robot, Shape};
use dextra_core::Pose;
use nalgebra::{Matrix3, Point3, UnitQuaternion, Vector3};

/// Mass of a moving body that has neither inertia nor geometry, kilograms.
const STUB_KG: f64 = 1e-3;
/// Smallest moment of inertia per kilogram of a body, m^2: that of a ball of 3 mm.
const MIN_GYRATION: f64 = 3.6e-6;
/// How far moments stay inside the triangle inequality, so that rounding does not break it.
const MARGIN: f64 = 1e-3;
/// Farthest that a centre of mass may lie from what is known of the link, metres.
const MAX_OFFSET_M: f64 = 0.05;

/// Links whose mass or inertia had to be mended, by name.
#[derive(Default)]
pub(super) struct Mended {
    /// With a centre of mass far from their geometry.
    displaced: Vec<String>,
    /// With neither mass nor geometry; not in the summary.
    pub(super) stubs: Vec<String>,
    /// Without mass.
    massless: Vec<String>,
    /// With an inertia that no body has.
    impossible: Vec<String>,
}

impl Mended {
    /// One line per kind.
    pub(super) fn summary(&self) -> Vec<String> {
        let kinds = [
            (
                &self.displaced,
                "centre of mass more than 5 cm outside of the geometry, taken at its middle",
            ),
            (&self.massless, "no mass stated, taken from the geometry at 1000 kg/m3"),
            (&self.impossible, "impossible inertia, moments raised"),
        ];
        kinds
            .into_iter()
            .filter(|(links, _)| !links.is_empty())
            .map(|(links, what)| format!("{what}: {}", links.join(", ")))
            .collect()
    }
}

/// The `<inertial>` of the links welded into one body. `None` leaves mass and inertia to the geometry
/// at the density of water. The flags say whether the body moves and whether it has geometry.
pub(super) fn of_body(
    robot: &Robot,
    welded: &[(usize, Pose)],
    (moves, solid): (bool, bool),
    mended: &mut Mended,
) -> Option<String> {
    let name = &robot.links[welded[0].0].name;
    let mut mass = 0.0;
    let mut moment = Vector3::zeros();
    let mut parts = Vec::new();
    for (index, body_from_link) in welded {
        let link = &robot.links[*index];
        let Some(inertial) = link.inertial.as_ref().filter(|i| i.mass > 0.0) else { continue };
        let pose = body_from_link * inertial.link_from_inertial;
        let mut com = Point3::from(pose.translation.vector);
        if let Some((low, high)) = bounds(robot, *index) {
            let written = Point3::from(inertial.link_from_inertial.translation.vector);
            let inside = written.coords.sup(&low).inf(&high);
            if (written.coords - inside).norm() > MAX_OFFSET_M {
                com = body_from_link * Point3::from((low + high) / 2.0);
                mended.displaced.push(link.name.clone());
            }
        }
        let turn = pose.rotation.to_rotation_matrix();
        let inertia = turn.matrix() * inertial.inertia * turn.matrix().transpose();
        mass += inertial.mass;
        moment += com.coords * inertial.mass;
        parts.push((inertial.mass, com, inertia));
    }
    if mass == 0.0 {
        if moves && !solid {
            mended.stubs.push(name.clone());
            return Some(text(STUB_KG, &Point3::origin(), Matrix3::identity() * 1e-7));
        }
        if solid {
            mended.massless.push(name.clone());
        }
        return None;
    }
    let com = Point3::from(moment / mass);
    let mut inertia = Matrix3::zeros();
    for (part, at, own) in parts {
        let d = at - com;
        inertia += own + (Matrix3::identity() * d.norm_squared() - d * d.transpose()) * part;
    }
    let (inertia, raised) = physical(inertia, mass);
    if raised {
        mended.impossible.push(name.clone());
    }
    Some(text(mass, &com, inertia))
}

/// The nearest inertia that a body can have: positive moments, none above the sum of the others.
fn physical(inertia: Matrix3<f64>, mass: f64) -> (Matrix3<f64>, bool) {
    let eigen = inertia.symmetric_eigen();
    let floor = mass * MIN_GYRATION;
    let mut moments = eigen.eigenvalues.map(|m| m.max(floor));
    let total = moments.sum();
    for k in 0..3 {
        let others = total - moments[k];
        if moments[k] * (1.0 + MARGIN) > others {
            let gap = (moments[k] * (1.0 + 2.0 * MARGIN) - others) / 2.0;
            moments[(k + 1) % 3] += gap;
            moments[(k + 2) % 3] += gap;
            break;
        }
    }
    let change = (moments - eigen.eigenvalues).norm();
    let vectors = eigen.eigenvectors;
    let mended = vectors * Matrix3::from_diagonal(&moments) * vectors.transpose();
    (mended, change > 0.05 * moments.norm())
}

fn text(mass: f64, com: &Point3<f64>, inertia: Matrix3<f64>) -> String {
    let eigen = inertia.symmetric_eigen();
    let mut axes = eigen.eigenvectors;
    if axes.determinant() < 0.0 {
        axes.column_mut(2).neg_mut();
    }
    let turn =
        UnitQuaternion::from_rotation_matrix(&nalgebra::Rotation3::from_matrix_unchecked(axes));
    let [a, b, c] = eigen.eigenvalues.into();
    format!(
        "<inertial pos=\"{} {} {}\" quat=\"{} {} {} {}\" mass=\"{mass}\" diaginertia=\"{a} {b} {c}\"/>",
        com.x, com.y, com.z, turn.w, turn.i, turn.j, turn.k
    )
}

/// Bounds of the primitives of a link, in its frame; `None` where it has none. Meshes are not opened.
fn bounds(robot: &Robot, link: usize) -> Option<(Vector3<f64>, Vector3<f64>)> {
    let mut bounds: Option<(Vector3<f64>, Vector3<f64>)> = None;
    let link = &robot.links[link];
    for element in link.collisions.iter().chain(&link.visuals) {
        let half = match element.shape {
            Shape::Box([x, y, z]) => Vector3::new(x, y, z) / 2.0,
            Shape::Sphere(radius) => Vector3::repeat(radius),
            Shape::Cylinder(radius, length) => Vector3::new(radius, radius, length / 2.0),
            Shape::Capsule(radius, length) => Vector3::new(radius, radius, length / 2.0 + radius),
            Shape::Mesh(..) => continue,
        };
        let turn = element.link_from_element.rotation.to_rotation_matrix();
        let half = turn.matrix().abs() * half;
        let center = element.link_from_element.translation.vector;
        let (low, high) = bounds.unwrap_or((center - half, center + half));
        bounds = Some((low.inf(&(center - half)), high.sup(&(center + half))));
    }
    bounds
}
