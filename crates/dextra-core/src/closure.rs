//! What the contacts of a grasp can hold: scores of force closure and of single wrenches.
//!
//! A contact pushes along its inward normal with `f >= 0` and, within its friction cone, sideways and
//! about the normal. The wrenches of all contacts for a total normal force of 1 form the grasp wrench
//! space, a convex set:
//!
//! - [`epsilon`] is the radius of the largest ball about the origin in it: the smallest wrench, over
//!   all directions, that 1 N of squeezing cannot resist. Ferrari and Canny, *Planning optimal
//!   grasps*, ICRA 1992, the quality of the `L1` force set (their equation for the convex hull of the
//!   union of the cones). Exact for cones of [`EDGES`] edges, and slow.
//! - [`margin`] looks along fixed directions only, with round cones: a loose upper bound of the former
//!   that costs a few microseconds, is negative only where contacts miss closure, and bends smoothly as
//!   contacts move while one contact and direction decide.
//! - [`least_force`] asks for one wrench, such as the weight or what a motion needs: the idea of
//!   rewarding contacts for the wrench that the object's motion demands of them, as CHORD does.
//!
//! Torques are divided by the [`Body::length`], so that wrenches have one unit, newtons.

mod balance;
mod inscribed;

pub use balance::{Balance, least_force};

use nalgebra::{Point3, Vector3, Vector6};

/// A contact that pushes on an object, in the object's frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contact {
    /// Where, metres.
    pub point: Point3<f64>,
    /// Unit normal into the object.
    pub normal: Vector3<f64>,
    /// Sliding friction coefficient.
    pub friction: f64,
    /// Torsional friction about the normal, metres (torque per normal force): 0 for a point contact,
    /// more for a soft finger.
    pub torsion: f64,
}

/// What the contacts act on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Body {
    /// Centre of mass in the object's frame; torques are about it.
    pub center: Point3<f64>,
    /// Length that torques are divided by, metres, above 0; such as [`Body::gyration`].
    pub length: f64,
}

impl Body {
    /// Scaled by the radius of gyration, `sqrt(trace(I) / 2 m)`: half the edge of a cube. Unlike the
    /// largest radius it does not grow with a thin handle.
    pub fn gyration(center: Point3<f64>, mass: f64, principal_moments: [f64; 3]) -> Self {
        let length = (principal_moments.iter().sum::<f64>() / (2.0 * mass)).sqrt();
        Self { center, length }
    }
}

/// Force in newtons, then torque about the centre of mass over the body's length in newtons; in the
/// object's frame.
pub type Wrench = Vector6<f64>;

/// Edges of the pyramid inside a friction cone.
pub const EDGES: usize = 8;

/// The wrench of a force at a contact.
fn wrench(contact: &Contact, body: &Body, force: &Vector3<f64>, twist: f64) -> Wrench {
    let torque = (contact.point - body.center).cross(force) + contact.normal * twist;
    let torque = torque / body.length;
    Wrench::new(force.x, force.y, force.z, torque.x, torque.y, torque.z)
}

/// The wrenches of the edges of all friction cones, each with a normal force of 1: [`EDGES`] per
/// contact, and two more where it resists torsion. Pyramids are turned with the position of the
/// contact, so that a rotated grasp has rotated edges.
pub fn edges(contacts: &[Contact], body: &Body) -> Vec<Wrench> {
    let mut edges = Vec::with_capacity(contacts.len() * (EDGES + 2));
    for contact in contacts {
        let normal = contact.normal;
        let aside = |v: Vector3<f64>| v - normal * normal.dot(&v);
        let radius = contact.point - body.center;
        let across = aside(radius)
            .try_normalize(1e-6 * body.length)
            .or_else(|| aside(Vector3::ith(normal.iamin(), 1.0)).try_normalize(1e-6))
            .unwrap_or_else(Vector3::x);
        let along = normal.cross(&across);
        for edge in 0..EDGES {
            let angle = edge as f64 * std::f64::consts::TAU / EDGES as f64;
            let sideways = across * angle.cos() + along * angle.sin();
            edges.push(wrench(contact, body, &(normal + sideways * contact.friction), 0.0));
        }
        if contact.torsion > 0.0 {
            edges.push(wrench(contact, body, &normal, contact.torsion));
            edges.push(wrench(contact, body, &normal, -contact.torsion));
        }
    }
    edges
}

/// Ferrari and Canny's `L1` quality: the radius of the largest ball about the origin inside the convex
/// hull of the cones' [`edges`], in newtons of wrench per newton of total normal force. 0 without
/// force closure. Correct to 1e-6.
pub fn epsilon(contacts: &[Contact], body: &Body) -> f64 {
    inscribed::radius(&edges(contacts, body))
}

/// The least, over 76 fixed directions, of how far the grasp wrench space reaches along each: `min_u
/// max_w u.w`, with round cones. The directions are those of the axes of force and torque and of the
/// corners of their cube. Not below [`epsilon`] where there is force closure, and negative only where there
/// is none; -1 for no contacts. A contact more never lowers it.
///
/// A loose bound. Of random grasps on a sphere that have no force closure, it is negative for 66 of 268
/// with three contacts, 18 of 119 with four and 4 of 74 with five; where there is closure it is two to
/// five times [`epsilon`] in the median. It tells better from worse. Whether a grasp closes at all,
/// [`epsilon`] tells, and whether it holds what it must, [`least_force`].
pub fn margin(contacts: &[Contact], body: &Body) -> f64 {
    const NOTHING: f64 = -1.0;
    let reach = |force: Vector3<f64>, torque: Vector3<f64>| {
        contacts.iter().map(|c| reach(c, body, &force, &torque)).fold(NOTHING, f64::max)
    };
    let zero = Vector3::zeros();
    let axes = (0..3).flat_map(|axis| [Vector3::ith(axis, 1.0), Vector3::ith(axis, -1.0)]);
    let along_axes =
        axes.map(|axis| reach(axis, zero).min(reach(zero, axis))).fold(f64::INFINITY, f64::min);
    let corner = |bits: usize| {
        Vector3::from_fn(|axis, _| if bits >> axis & 1 == 1 { 1.0 } else { -1.0 }) / 6f64.sqrt()
    };
    (0..64).map(|bits| reach(corner(bits), corner(bits >> 3))).fold(along_axes, f64::min)
}

/// Support function of one contact's cone with unit normal force along `(force, torque)`.
fn reach(contact: &Contact, body: &Body, force: &Vector3<f64>, torque: &Vector3<f64>) -> f64 {
    // (r x F).t = F.(t x r), so only the component of this vector along F counts.
    let gain = force + torque.cross(&(contact.point - body.center)) / body.length;
    let along = contact.normal.dot(&gain);
    let sideways = (gain.norm_squared() - along * along).max(0.0);
    let about = contact.torsion / body.length * contact.normal.dot(torque);
    along + (contact.friction.powi(2) * sideways + about * about).sqrt()
}

#[cfg(test)]
mod tests;
