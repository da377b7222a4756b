//! What happens in each synthetic clip: object, grasp and path.
//!
//! The person sits at the table's -y side and looks towards +y; the object starts at the origin.

use super::SynthClip;
use super::grasp::{Contact, GraspTask};
use super::objects::{Mug, Solid};
use super::path::{ObjectPath, Ramp, Turn};
use dextra_core::Pose;
use nalgebra::{Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};

/// A clip before the grasp is found.
#[derive(Clone, Debug)]
pub struct Script {
    /// The grasp to look for; its solid is the object.
    pub task: GraspTask,
    /// Mass of the object, kilograms.
    pub mass: f64,
    /// The object's path.
    pub path: ObjectPath,
    /// Where the hand comes from, relative to the grasp, object frame at rest, metres.
    pub approach: Vector3<f64>,
    /// Where the hand goes to, relative to the grasp, object frame at rest, metres.
    pub retreat: Vector3<f64>,
    /// Whether a left hand does the same on the other side (x mirrored in the object frame).
    pub two_handed: bool,
}

const THUMB: usize = 0;
const INDEX: usize = 1;
const MIDDLE: usize = 2;
const RING: usize = 3;
const PINKY: usize = 4;
/// How far an open finger is from where it will touch, metres.
const OPENING: f64 = 0.03;

/// The script of `clip`.
pub fn script(clip: SynthClip) -> Script {
    match clip {
        SynthClip::Bottle => bottle(),
        SynthClip::Cube => cube(),
        SynthClip::Stick => stick(),
        SynthClip::Mug => mug(),
        SynthClip::Box => carton(),
    }
}

/// Side grasp of a bottle (r 3 cm, h 17 cm), pour to the left, put down 12 cm further left.
fn bottle() -> Script {
    let solid = Solid::Cylinder { radius: 0.03, half_height: 0.085 };
    let side = |finger, degrees: f64, z| {
        let normal = direction(degrees);
        contact(finger, Point3::from(normal * 0.03 + Vector3::new(0.0, 0.0, z)), normal)
    };
    Script {
        task: GraspTask {
            contacts: vec![
                side(INDEX, 112.0, 0.034),
                side(MIDDLE, 114.0, 0.012),
                side(RING, 112.0, -0.010),
                side(PINKY, 106.0, -0.030),
                side(THUMB, 262.0, 0.022),
            ],
            object_from_wrist: wrist([0.07, -0.085, -0.004], [-0.10, 1.0, 0.05], [-1.0, -0.1, 0.0]),
            solid: solid.clone(),
        },
        mass: 0.2,
        path: ObjectPath {
            rest: upright(&solid, 0.0),
            moves: vec![
                Ramp::new(1.55, 2.35, Vector3::new(0.0, 0.0, 0.14)),
                Ramp::new(2.1, 3.1, Vector3::new(-0.12, 0.0, 0.0)),
                Ramp::new(3.75, 4.55, Vector3::new(0.0, 0.0, -0.14)),
            ],
            turns: vec![turn(2.3, 3.05, Vector3::y(), -55.0), turn(3.2, 3.95, Vector3::y(), 55.0)],
        },
        approach: Vector3::new(0.22, -0.05, 0.10),
        retreat: Vector3::new(0.18, -0.04, 0.06),
        two_handed: false,
    }
}

/// Top pinch of a 6 cm cube; lift, turn by 70 deg, carry 13 cm, put down.
fn cube() -> Script {
    let solid = Solid::Cuboid { half: Vector3::repeat(0.03) };
    let far = |finger, x, z| contact(finger, Point3::new(x, 0.03, z), Vector3::y());
    Script {
        task: GraspTask {
            contacts: vec![
                far(INDEX, -0.018, 0.006),
                far(MIDDLE, 0.001, 0.004),
                far(RING, 0.019, 0.006),
                contact(THUMB, Point3::new(-0.006, -0.03, 0.006), -Vector3::y()),
            ],
            object_from_wrist: wrist([0.0, -0.062, 0.125], [0.0, 0.87, -0.5], [0.0, -0.5, -0.87]),
            solid: solid.clone(),
        },
        mass: 0.12,
        path: ObjectPath {
            rest: upright(&solid, 0.0),
            moves: vec![
                Ramp::new(1.55, 2.35, Vector3::new(0.0, 0.0, 0.10)),
                Ramp::new(2.1, 3.2, Vector3::new(-0.09, 0.094, 0.0)),
                Ramp::new(3.2, 4.0, Vector3::new(0.0, 0.0, -0.10)),
            ],
            turns: vec![turn(2.1, 3.2, Vector3::z(), 70.0)],
        },
        approach: Vector3::new(0.08, -0.14, 0.19),
        retreat: Vector3::new(0.03, -0.06, 0.16),
        two_handed: false,
    }
}

/// A stick lying across (2.4 x 12 x 2.4 cm) is picked up, carried and put down.
fn stick() -> Script {
    let solid = Solid::Cuboid { half: Vector3::new(0.012, 0.06, 0.012) };
    let far = |finger, y, z| contact(finger, Point3::new(0.012, y, z), Vector3::x());
    // The stick's +x is the person's forward direction, its +y the person's left.
    let object_from_person =
        UnitQuaternion::from_axis_angle(&Vector3::z_axis(), -90f64.to_radians());
    let guess = wrist([0.0, -0.075, 0.095], [0.0, 0.85, -0.50], [0.0, -0.50, -0.85]);
    let rest = upright(&solid, 90.0);
    Script {
        task: GraspTask {
            contacts: vec![
                far(INDEX, 0.019, 0.003),
                far(MIDDLE, 0.000, 0.003),
                far(RING, -0.017, 0.003),
                far(PINKY, -0.034, 0.004),
                contact(THUMB, Point3::new(-0.012, 0.008, 0.003), -Vector3::x()),
            ],
            object_from_wrist: Pose::from_parts(
                nalgebra::Translation3::identity(),
                object_from_person,
            ) * guess,
            solid,
        },
        mass: 0.08,
        path: ObjectPath {
            rest,
            moves: vec![
                Ramp::new(1.55, 2.3, Vector3::new(0.0, 0.0, 0.12)),
                Ramp::new(2.1, 3.1, Vector3::new(0.10, 0.06, 0.0)),
                Ramp::new(3.1, 3.9, Vector3::new(0.0, 0.0, -0.12)),
            ],
            turns: vec![turn(2.2, 3.1, Vector3::z(), -25.0)],
        },
        approach: object_from_person * Vector3::new(0.08, -0.14, 0.19),
        retreat: object_from_person * Vector3::new(0.03, -0.06, 0.16),
        two_handed: false,
    }
}

/// A mug is lifted by its handle and tilted a little, as if to drink.
fn mug() -> Script {
    let mug = Mug {
        radius: 0.04,
        half_height: 0.045,
        wall: 0.004,
        tube: 0.005,
        opening_width: 0.030,
        opening_height: 0.058,
        bend: 0.010,
    };
    let bar = mug.bar_x();
    // Three fingers hook the bar from inside the opening, which they enter and leave on the far
    // side; the thumb presses from the near outer side.
    let inside = |finger, z: f64| Contact {
        finger,
        point: Point3::new(bar - 0.0047, 0.0017, z),
        normal: Vector3::new(-0.94, 0.34, 0.0),
        opening: Vector3::new(0.005, 0.040, 0.0),
    };
    let outer = Vector3::new(0.7, -0.714, 0.0).normalize();
    Script {
        task: GraspTask {
            contacts: vec![
                inside(INDEX, 0.0175),
                inside(MIDDLE, 0.0015),
                inside(RING, -0.0145),
                contact(THUMB, Point3::new(bar, 0.0, 0.018) + outer * 0.005, outer),
            ],
            object_from_wrist: wrist([0.115, -0.090, 0.005], [-0.05, 1.0, 0.0], [-1.0, -0.05, 0.0]),
            solid: Solid::Mug(mug.clone()),
        },
        mass: 0.25,
        path: ObjectPath {
            rest: upright(&Solid::Mug(mug), 0.0),
            moves: vec![
                Ramp::new(1.55, 2.4, Vector3::new(0.0, 0.0, 0.12)),
                Ramp::new(2.2, 3.1, Vector3::new(-0.04, -0.07, 0.0)),
                Ramp::new(3.5, 4.3, Vector3::new(0.0, 0.0, -0.12)),
            ],
            turns: vec![turn(2.4, 3.1, Vector3::y(), -18.0), turn(3.2, 3.9, Vector3::y(), 18.0)],
        },
        approach: Vector3::new(0.20, -0.13, 0.07),
        retreat: Vector3::new(0.15, -0.09, 0.04),
        two_handed: false,
    }
}

/// A carton (30 x 20 x 20 cm) is lifted between two flat hands and put down further away.
fn carton() -> Script {
    let solid = Solid::Cuboid { half: Vector3::new(0.15, 0.10, 0.10) };
    let side = |finger, y, z| contact(finger, Point3::new(0.15, y, z), Vector3::x());
    Script {
        task: GraspTask {
            contacts: vec![
                side(INDEX, 0.055, 0.016),
                side(MIDDLE, 0.060, -0.006),
                side(RING, 0.055, -0.028),
                side(PINKY, 0.040, -0.048),
                side(THUMB, -0.005, 0.060),
            ],
            object_from_wrist: wrist([0.185, -0.110, 0.0], [-0.12, 1.0, -0.05], [-1.0, -0.12, 0.0]),
            solid: solid.clone(),
        },
        mass: 0.4,
        path: ObjectPath {
            rest: upright(&solid, 0.0),
            moves: vec![
                Ramp::new(1.55, 2.45, Vector3::new(0.0, 0.0, 0.12)),
                Ramp::new(2.2, 3.2, Vector3::new(0.0, 0.10, 0.0)),
                Ramp::new(3.2, 4.1, Vector3::new(0.0, 0.0, -0.12)),
            ],
            turns: Vec::new(),
        },
        approach: Vector3::new(0.15, -0.18, 0.09),
        retreat: Vector3::new(0.12, -0.14, 0.06),
        two_handed: true,
    }
}

fn contact(finger: usize, point: Point3<f64>, normal: Vector3<f64>) -> Contact {
    Contact { finger, point, normal, opening: normal * OPENING }
}

/// Unit vector in the table plane, `degrees` from +x towards +y.
fn direction(degrees: f64) -> Vector3<f64> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    Vector3::new(cos, sin, 0.0)
}

fn turn(start: f64, end: f64, axis: Vector3<f64>, degrees: f64) -> Turn {
    Turn { start, end, rotation: axis * degrees.to_radians() }
}

fn upright(solid: &Solid, yaw_deg: f64) -> Pose {
    let yaw = Vector3::z() * yaw_deg.to_radians();
    Pose::new(Vector3::new(0.0, 0.0, solid.rest_height()), yaw)
}

/// A wrist at `position` whose fingers point along `fingers` and whose palm faces `palm`.
fn wrist(position: [f64; 3], fingers: [f64; 3], palm: [f64; 3]) -> Pose {
    let x = Vector3::from(fingers).normalize();
    let palm = Vector3::from(palm);
    let z = (palm - x * palm.dot(&x)).normalize();
    let axes = Rotation3::from_matrix_unchecked(Matrix3::from_columns(&[x, z.cross(&x), z]));
    Pose::from_parts(Vector3::from(position).into(), UnitQuaternion::from_rotation_matrix(&axes))
}
