//! The objective of one frame: half the sum of squares of weighted residuals, all in metres.
//!
//! Unknowns are the root pose, moved by a world-frame twist `(v, w)` (`p += v`, `R = exp(w) R`),
//! and the independent joint coordinates. Every term comes with its exact Jacobian.

use dextra_core::Pose;
use dextra_core::kinematics::{Coordinates, Workspace};
use nalgebra::{Matrix3, Point3, UnitQuaternion, Vector3};

/// Draws a point of the hand to a place: residual `weight * (point - target)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointTarget {
    /// Body of the tree.
    pub body: usize,
    /// Point in that body, metres.
    pub point_in_body: Point3<f64>,
    /// Where it should be, world frame, metres.
    pub target_in_world: Point3<f64>,
    /// Dimensionless factor of the residual.
    pub weight: f64,
    /// Distance in metres beyond which the cost grows linearly (Huber); infinite for plain squares.
    pub huber: f64,
}

/// Keeps a point of the hand on the outer side of a plane: residual
/// `weight * min(0, normal . (point - on_plane) - clearance)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlaneTarget {
    /// Body of the tree.
    pub body: usize,
    /// Point in that body, metres.
    pub point_in_body: Point3<f64>,
    /// A point of the plane, world frame, metres.
    pub on_plane: Point3<f64>,
    /// Outward unit normal, world frame.
    pub normal: Vector3<f64>,
    /// Distance to keep, metres.
    pub clearance: f64,
    /// Dimensionless factor of the residual.
    pub weight: f64,
}

/// Draws the palm frame to a pose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PalmTarget {
    /// Where the palm frame should be.
    pub world_from_palm: Pose,
    /// Dimensionless factor of the position residual.
    pub position_weight: f64,
    /// Factor of the rotation residual `log(target^-1 palm)`, metres per radian.
    pub orientation_m_per_rad: f64,
}

/// Everything one frame asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameTargets {
    /// Points to bring to places.
    pub points: Vec<PointTarget>,
    /// Half-spaces to stay in.
    pub planes: Vec<PlaneTarget>,
    /// Where the palm should be.
    pub palm: Option<PalmTarget>,
    /// Angles that joints are drawn to, all joints of the tree, radians; empty for none.
    pub rest: Vec<f64>,
    /// Root pose and all joint angles of the frame before, for smoothness.
    pub previous: Option<(Pose, Vec<f64>)>,
    /// Keeps the root pose where it starts: only the fingers move.
    pub fixed_wrist: bool,
}

/// Weights of the terms that regularise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularisation {
    /// Pull of a joint to its rest angle, metres per radian.
    pub rest_m_per_rad: f64,
    /// Pull of a joint to its angle in the previous frame, metres per radian.
    pub smooth_joint_m_per_rad: f64,
    /// Pull of the root to its position in the previous frame, dimensionless.
    pub smooth_wrist: f64,
    /// Pull of the root to its rotation in the previous frame, metres per radian.
    pub smooth_wrist_m_per_rad: f64,
}

/// Receives the residuals of an objective one block at a time. Columns name the variable: with a
/// free wrist 0-2 translation, 3-5 rotation, then the coordinates; otherwise the coordinates alone.
pub(super) trait Sink {
    /// Three residuals with their Jacobian columns; `huber` is the residual norm beyond which the
    /// cost is linear.
    fn vector(&mut self, residual: &Vector3<f64>, columns: &[(usize, Vector3<f64>)], huber: f64);
    /// One residual with its Jacobian entries.
    fn scalar(&mut self, residual: f64, columns: &[(usize, f64)]);
}

/// Reusable column storage, so that assembling allocates nothing once warm.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    vector: Vec<(usize, Vector3<f64>)>,
    scalar: Vec<(usize, f64)>,
}

/// The state at which an objective is evaluated.
pub(super) struct At<'a> {
    pub coordinates: &'a Coordinates,
    /// Forward kinematics at `root` and `x`.
    pub kinematics: &'a Workspace,
    pub root: &'a Pose,
    pub x: &'a [f64],
    /// Palm body and palm frame in it.
    pub palm: &'a (usize, Pose),
}

/// Feeds all residuals of `targets` at a state to `sink`.
pub(super) fn assemble(
    at: &At<'_>,
    targets: &FrameTargets,
    weights: &Regularisation,
    scratch: &mut Scratch,
    sink: &mut impl Sink,
) {
    let base = if targets.fixed_wrist { 0 } else { 6 };
    for target in &targets.points {
        let point = at.kinematics.point(target.body, &target.point_in_body);
        point_columns(at, base, target.body, &point, target.weight, &mut scratch.vector);
        let residual = (point - target.target_in_world) * target.weight;
        sink.vector(&residual, &scratch.vector, target.huber * target.weight);
    }
    for plane in &targets.planes {
        let point = at.kinematics.point(plane.body, &plane.point_in_body);
        let depth = plane.normal.dot(&(point - plane.on_plane)) - plane.clearance;
        if depth < 0.0 {
            point_columns(at, base, plane.body, &point, plane.weight, &mut scratch.vector);
            scratch.scalar.clear();
            scratch.scalar.extend(scratch.vector.iter().map(|(v, c)| (*v, plane.normal.dot(c))));
            sink.scalar(depth * plane.weight, &scratch.scalar);
        }
    }
    if let Some(target) = &targets.palm {
        let (body, body_from_palm) = at.palm;
        let palm = at.kinematics.world_from_body[*body] * body_from_palm;
        let goal = &target.world_from_palm;
        let point = Point3::from(palm.translation.vector);
        point_columns(at, base, *body, &point, target.position_weight, &mut scratch.vector);
        let residual = (palm.translation.vector - goal.translation.vector) * target.position_weight;
        sink.vector(&residual, &scratch.vector, f64::INFINITY);
        let scale = target.orientation_m_per_rad;
        let (angle, slope) = rotation_gap(&goal.rotation, &palm.rotation);
        rotation_columns(at, base, *body, &(slope * scale), &mut scratch.vector);
        sink.vector(&(angle * scale), &scratch.vector, f64::INFINITY);
    }
    if !targets.rest.is_empty() {
        let weight = weights.rest_m_per_rad;
        for (i, &joint) in at.coordinates.joints.iter().enumerate() {
            sink.scalar((at.x[i] - targets.rest[joint]) * weight, &[(base + i, weight)]);
        }
    }
    if let Some((root, q)) = &targets.previous {
        let weight = weights.smooth_joint_m_per_rad;
        for (i, &joint) in at.coordinates.joints.iter().enumerate() {
            sink.scalar((at.x[i] - q[joint]) * weight, &[(base + i, weight)]);
        }
        if base == 6 {
            let weight = weights.smooth_wrist;
            let residual = (at.root.translation.vector - root.translation.vector) * weight;
            let columns = [0, 1, 2].map(|k| (k, axis(k) * weight));
            sink.vector(&residual, &columns, f64::INFINITY);
            let weight = weights.smooth_wrist_m_per_rad;
            let (angle, slope) = rotation_gap(&root.rotation, &at.root.rotation);
            let columns = [0, 1, 2].map(|k| (3 + k, slope.column(k) * weight));
            sink.vector(&(angle * weight), &columns, f64::INFINITY);
        }
    }
}

fn axis(k: usize) -> Vector3<f64> {
    Vector3::ith(k, 1.0)
}

/// `scale` times the derivative of a point fixed in `body`, now at `point`, by every variable.
fn point_columns(
    at: &At<'_>,
    base: usize,
    body: usize,
    point: &Point3<f64>,
    scale: f64,
    columns: &mut Vec<(usize, Vector3<f64>)>,
) {
    columns.clear();
    if base == 6 {
        let arm = (point.coords - at.root.translation.vector) * scale;
        columns.extend([0, 1, 2].map(|k| (k, axis(k) * scale)));
        columns.extend([0, 1, 2].map(|k| (3 + k, axis(k).cross(&arm))));
    }
    for &joint in at.kinematics.chain(body) {
        let follow = &at.coordinates.follow[joint];
        let column = at.kinematics.point_column(joint, point) * (scale * follow.ratio);
        add_column(columns, base + follow.coordinate, column);
    }
}

/// `slope` times the angular velocity of `body` by every variable.
fn rotation_columns(
    at: &At<'_>,
    base: usize,
    body: usize,
    slope: &Matrix3<f64>,
    columns: &mut Vec<(usize, Vector3<f64>)>,
) {
    columns.clear();
    if base == 6 {
        columns.extend([0, 1, 2].map(|k| (3 + k, slope.column(k).into_owned())));
    }
    for &joint in at.kinematics.chain(body) {
        let follow = &at.coordinates.follow[joint];
        let column = slope * at.kinematics.axis_in_world[joint] * follow.ratio;
        add_column(columns, base + follow.coordinate, column);
    }
}

/// Two joints of one chain may follow the same coordinate: their columns add up.
fn add_column(columns: &mut Vec<(usize, Vector3<f64>)>, variable: usize, column: Vector3<f64>) {
    match columns.iter_mut().find(|(v, _)| *v == variable) {
        Some((_, sum)) => *sum += column,
        None => columns.push((variable, column)),
    }
}

/// The rotation vector `phi = log(goal^-1 now)` and its derivative by a world-frame rotation `w` of
/// `now`: `log(exp(goal^-1 w) exp(phi))`, so the derivative is `Jl(phi)^-1 goal^-1`
/// with the left Jacobian of SO(3) (Sola et al. 2018, A micro Lie theory, eq. 146).
fn rotation_gap(
    goal: &UnitQuaternion<f64>,
    now: &UnitQuaternion<f64>,
) -> (Vector3<f64>, Matrix3<f64>) {
    let back = goal.inverse();
    let phi = (back * now).scaled_axis();
    let cross = phi.cross_matrix();
    let angle = phi.norm();
    // 1/a^2 - cot(a/2) / (2a), whose series starts 1/12 + a^2/720.
    let second = if angle < 1e-3 {
        1.0 / 12.0 + angle * angle / 720.0
    } else {
        1.0 / (angle * angle) - 0.5 / (angle * (0.5 * angle).tan())
    };
    let inverse = Matrix3::identity() - cross * 0.5 + cross * cross * second;
    (phi, inverse * back.to_rotation_matrix().matrix())
}

#[cfg(test)]
mod tests;
