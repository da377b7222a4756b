//! The wrench that a motion needs of the hands, and the one that their contacts exert.
//!
//! After the contact-wrench reward of CHORD (NVIDIA), whose code is not public: what matters is the sum that
//! contacts do to the object, not where they are. The formula is ours. Forces are in newtons, torques about the
//! object's centre of mass; a torque counts as the force at its radius of gyration.

use super::task::Task;
use dextra_core::{Pose, signal};
use nalgebra::{Point3, UnitQuaternion, Vector3};

/// Standard deviation of the Gaussian over the reference before it is differentiated, seconds: two frames at
/// 60 Hz, as in ManipTrans.
const SMOOTHING: f64 = 2.0 / 60.0;

/// What moves an object along its reference at one control step, but for gravity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Mass times the acceleration of its centre of mass, world frame, N.
    pub inertial: Vector3<f64>,
    /// What gravity does to it, world frame, N.
    pub weight: Vector3<f64>,
    /// `I α + ω × I ω` about its centre of mass, world frame, N m.
    pub torque: Vector3<f64>,
    /// Radius of gyration, metres.
    pub length: f64,
}

impl Load {
    /// Distance of a wrench on the object from the one it needs, over its weight. `mass` is a factor on its
    /// mass and inertia, `gravity` the share of gravity that acts on it.
    pub fn error(
        &self,
        force: &Vector3<f64>,
        torque: &Vector3<f64>,
        (mass, gravity): (f64, f64),
    ) -> f64 {
        let force = force - (self.inertial - self.weight * gravity) * mass;
        let torque = (torque - self.torque * mass) / self.length;
        // A world without gravity has no weight to measure by.
        let weight = self.weight.norm().max(1e-3);
        (force.norm_squared() + torque.norm_squared()).sqrt() / (weight * mass)
    }
}

/// What every object needs at every state of its reference, `[states][objects]`, at the states asked for.
pub(super) fn loads(task: &Task<'_>, states: impl Iterator<Item = usize>) -> Vec<Vec<Load>> {
    let dt = task.scene.config.timestep;
    let gravity = task.scene.config.gravity;
    let tracks: Vec<Vec<Load>> = task
        .objects
        .iter()
        .zip(&task.reference)
        .enumerate()
        .map(|(index, (object, reference))| {
            let smooth = signal::smooth_poses(reference, SMOOTHING / dt);
            let body = Body {
                mass: object.mass.mass_kg,
                com: object.mass.com,
                inertia: object.mass.inertia,
                length: task.scene.body(index).length,
            };
            body.along(&smooth, dt, &gravity)
        })
        .collect();
    let at = |state: usize| tracks.iter().map(|track| track[state.min(track.len() - 1)]).collect();
    states.map(at).collect()
}

/// Mass, centre of mass and inertia (object axes) of a rigid body, and its radius of gyration.
struct Body {
    mass: f64,
    com: Point3<f64>,
    inertia: nalgebra::Matrix3<f64>,
    length: f64,
}

impl Body {
    /// What it needs along poses `[T]` that are `dt` seconds apart: differences of second order, those of the
    /// neighbour at both ends.
    fn along(&self, poses: &[Pose], dt: f64, gravity: &Vector3<f64>) -> Vec<Load> {
        let centers: Vec<Point3<f64>> = poses.iter().map(|pose| pose * self.com).collect();
        let accelerations = signal::accelerations(&centers, dt);
        let last = poses.len().saturating_sub(2);
        let turns = |a: usize, b: usize| turn(&poses[a].rotation, &poses[b].rotation) / dt;
        (0..poses.len())
            .map(|state| {
                let torque = if poses.len() < 3 {
                    Vector3::zeros()
                } else {
                    let k = state.clamp(1, last);
                    let (before, after) = (turns(k - 1, k), turns(k, k + 1));
                    let (speed, growth) = ((before + after) / 2.0, (after - before) / dt);
                    let axes = poses[k].rotation.to_rotation_matrix();
                    let inertia = axes.matrix() * self.inertia * axes.matrix().transpose();
                    inertia * growth + speed.cross(&(inertia * speed))
                };
                let inertial = self.mass * accelerations[state];
                Load { inertial, weight: self.mass * gravity, torque, length: self.length }
            })
            .collect()
    }
}

/// The turn from one rotation to another, world frame, radians.
fn turn(from: &UnitQuaternion<f64>, to: &UnitQuaternion<f64>) -> Vector3<f64> {
    (to * from.inverse()).scaled_axis()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Matrix3;

    const GRAVITY: Vector3<f64> = Vector3::new(0.0, 0.0, -9.81);

    fn body() -> Body {
        Body {
            mass: 0.2,
            com: Point3::new(0.0, 0.0, 0.1),
            inertia: Matrix3::from_diagonal(&Vector3::new(1e-4, 2e-4, 3e-4)),
            length: 0.05,
        }
    }

    fn close(a: Vector3<f64>, b: [f64; 3], tolerance: f64) {
        assert!((a - Vector3::from(b)).norm() < tolerance, "{a} is not {b:?}");
    }

    #[test]
    fn what_accelerates_upwards_needs_more_than_its_weight() {
        // z = t², that is 2 m/s², of 0.2 kg: 0.4 N beside the 1.962 N that hold it.
        let poses: Vec<Pose> =
            (0..20).map(|k| Pose::translation(0.0, 0.0, (0.01 * k as f64).powi(2))).collect();
        for load in body().along(&poses, 0.01, &GRAVITY) {
            close(load.inertial, [0.0, 0.0, 0.4], 1e-9);
            close(load.weight, [0.0, 0.0, -1.962], 1e-12);
            close(load.torque, [0.0; 3], 1e-12);
            // A hand that pushes up with 2.362 N does right; with half of that it lacks 1.181 N of 1.962.
            let error =
                |up: f64| load.error(&Vector3::new(0.0, 0.0, up), &Vector3::zeros(), (1.0, 1.0));
            assert!(error(2.362) < 1e-6 && (error(1.181) - 1.181 / 1.962).abs() < 1e-6);
            // Twice the mass without gravity needs 0.8 N; nothing is 0.8 of 3.924 N off.
            let none = load.error(&Vector3::zeros(), &Vector3::zeros(), (2.0, 0.0));
            assert!((none - 0.8 / 3.924).abs() < 1e-6, "{none}");
        }
    }

    #[test]
    fn what_turns_faster_needs_a_torque_and_its_centre_a_force() {
        // About x by 0.5 * 4 t²: α = 4 rad/s², so 4e-4 N m. At t = 0.5 s, ω = 2 rad/s and the angle is 0.5 rad; the
        // centre of mass, 0.1 m above the origin, is at (0, -sin, cos) / 10 and has the acceleration
        // α × r + ω × (ω × r).
        let dt = 1e-3;
        let about = |axis: Vector3<f64>, angle: f64| {
            let rotation = UnitQuaternion::from_scaled_axis(axis * angle);
            Pose::from_parts(Vector3::zeros().into(), rotation)
        };
        let poses: Vec<Pose> =
            (0..1000).map(|k| about(Vector3::x(), 2.0 * (dt * k as f64).powi(2))).collect();
        let load = body().along(&poses, dt, &GRAVITY)[500];
        close(load.torque, [4e-4, 0.0, 0.0], 1e-8);
        let (sin, cos) = 0.5f64.sin_cos();
        // α × r = 4 * (0, -cos, -sin) / 10 and ω × (ω × r) = -4 r, times 0.2 kg.
        let wanted = [0.0, 0.08 * (sin - cos), -0.08 * (sin + cos)];
        close(load.inertial, wanted, 1e-5);
        // A torque of 1e-3 N m too much counts as 0.02 N at 5 cm: 0.02 of 1.962.
        let force = load.inertial - load.weight;
        let error = load.error(&force, &(load.torque + Vector3::y() * 1e-3), (1.0, 1.0));
        assert!((error - 0.02 / 1.962).abs() < 1e-6, "{error}");
    }

    #[test]
    fn a_steady_turn_about_no_principal_axis_needs_a_torque_too() {
        // ω = (3, 4, 0) rad/s throughout. When the axes are the world's, I ω = (3e-4, 8e-4, 0), and
        // ω × I ω = (0, 0, 24e-4 - 12e-4).
        let dt = 1e-3;
        let poses: Vec<Pose> = (-5..=5)
            .map(|k| {
                let turned = Vector3::new(3.0, 4.0, 0.0) * (dt * f64::from(k));
                let rotation = UnitQuaternion::from_scaled_axis(turned);
                Pose::from_parts(Vector3::zeros().into(), rotation)
            })
            .collect();
        close(body().along(&poses, dt, &GRAVITY)[5].torque, [0.0, 0.0, 1.2e-3], 1e-8);
    }
}
