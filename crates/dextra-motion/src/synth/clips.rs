//! What happens in each synthetic clip: objects, grasps, paths and times.
//!
//! The person sits at the table's -y side and looks towards +y; a single object starts at the origin.

mod carry;
mod manipulate;
mod parts;
mod two_hands;

use super::SynthClip;
use super::grasp::{Contact, GraspTask};
use super::objects::Solid;
use super::path::{ObjectPath, Turn};
use super::script::{HandScript, Hold, LINGER, Prop, Script, Times};
use dextra_core::{Pose, Side};
use nalgebra::{Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};

const THUMB: usize = 0;
const INDEX: usize = 1;
const MIDDLE: usize = 2;
const RING: usize = 3;
const PINKY: usize = 4;
/// When the first hand reaches its object, seconds.
const FIRST: f64 = 1.0;
/// How far an open finger is from where it will touch, metres.
const OPENING: f64 = 0.03;

/// The script of `clip`.
pub fn script(clip: SynthClip) -> Script {
    match clip {
        SynthClip::Bottle => carry::bottle(),
        SynthClip::Cube => carry::cube(),
        SynthClip::Stick => carry::stick(),
        SynthClip::Mug => carry::mug(),
        SynthClip::Box => two_hands::carton(),
        SynthClip::Push => manipulate::push(),
        SynthClip::Regrasp => manipulate::regrasp(),
        SynthClip::Turn => manipulate::turn_in_fingers(),
        SynthClip::Pair => two_hands::pair(),
        SynthClip::Handover => two_hands::handover(),
        SynthClip::Lid => parts::lid(),
        SynthClip::Slide => parts::slide(),
    }
}

/// One object that one right hand takes, carries and leaves.
fn carried(prop: Prop, task: GraspTask, approach: Vector3<f64>, retreat: Vector3<f64>) -> Script {
    let times = Times::new(FIRST, prop.path.moving().1 + LINGER);
    let hold = Hold { prop: 0, task, roll: None, times, approach, retreat };
    let hands = vec![HandScript { side: Side::Right, holds: vec![hold] }];
    Script { props: vec![prop], parts: Vec::new(), hands }
}

fn contact(finger: usize, point: Point3<f64>, normal: Vector3<f64>) -> Contact {
    Contact { finger, point, normal, opening: normal * OPENING }
}

/// A contact with an upright cylinder, `degrees` from +x towards +y.
fn on_cylinder(radius: f64, finger: usize, degrees: f64, z: f64) -> Contact {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let normal = Vector3::new(cos, sin, 0.0);
    contact(finger, Point3::from(normal * radius + Vector3::new(0.0, 0.0, z)), normal)
}

fn turn(start: f64, end: f64, axis: Vector3<f64>, degrees: f64) -> Turn {
    Turn { start, end, rotation: axis * degrees.to_radians(), about: None }
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
