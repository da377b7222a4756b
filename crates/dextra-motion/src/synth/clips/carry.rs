//! Clips in which one hand takes an object, carries it and puts it down.

use super::*;
use crate::synth::objects::Mug;
use crate::synth::path::Ramp;

/// Side grasp of a bottle (r 3 cm, h 17 cm), pour to the left, put down 12 cm further left.
pub fn bottle() -> Script {
    let solid = Solid::Cylinder { radius: 0.03, half_height: 0.085 };
    let side = |finger, degrees, z| on_cylinder(0.03, finger, degrees, z);
    let task = GraspTask {
        contacts: vec![
            side(INDEX, 112.0, 0.034),
            side(MIDDLE, 114.0, 0.012),
            side(RING, 112.0, -0.010),
            side(PINKY, 106.0, -0.030),
            side(THUMB, 262.0, 0.022),
        ],
        object_from_wrist: wrist([0.07, -0.085, -0.004], [-0.10, 1.0, 0.05], [-1.0, -0.1, 0.0]),
        bend: 1.0,
    };
    let path = ObjectPath {
        rest: upright(&solid, 0.0),
        moves: vec![
            Ramp::new(1.55, 2.35, Vector3::new(0.0, 0.0, 0.14)),
            Ramp::new(2.1, 3.1, Vector3::new(-0.12, 0.0, 0.0)),
            Ramp::new(3.75, 4.55, Vector3::new(0.0, 0.0, -0.14)),
        ],
        turns: vec![turn(2.3, 3.05, Vector3::y(), -55.0), turn(3.2, 3.95, Vector3::y(), 55.0)],
    };
    let prop = Prop { name: "bottle", solid, mass: 0.2, path };
    carried(prop, task, Vector3::new(0.22, -0.05, 0.10), Vector3::new(0.18, -0.04, 0.06))
}

/// Top pinch of a 6 cm cube; lift, turn by 70 deg, carry 13 cm, put down.
pub fn cube() -> Script {
    let solid = Solid::Cuboid { half: Vector3::repeat(0.03) };
    let far = |finger, x, z| contact(finger, Point3::new(x, 0.03, z), Vector3::y());
    let task = GraspTask {
        contacts: vec![
            far(INDEX, -0.018, 0.006),
            far(MIDDLE, 0.001, 0.004),
            far(RING, 0.019, 0.006),
            contact(THUMB, Point3::new(-0.006, -0.03, 0.006), -Vector3::y()),
        ],
        object_from_wrist: wrist([0.0, -0.062, 0.125], [0.0, 0.87, -0.5], [0.0, -0.5, -0.87]),
        bend: 1.0,
    };
    let path = ObjectPath {
        rest: upright(&solid, 0.0),
        moves: vec![
            Ramp::new(1.55, 2.35, Vector3::new(0.0, 0.0, 0.10)),
            Ramp::new(2.1, 3.2, Vector3::new(-0.09, 0.094, 0.0)),
            Ramp::new(3.2, 4.0, Vector3::new(0.0, 0.0, -0.10)),
        ],
        turns: vec![turn(2.1, 3.2, Vector3::z(), 70.0)],
    };
    let prop = Prop { name: "cube", solid, mass: 0.12, path };
    carried(prop, task, Vector3::new(0.08, -0.14, 0.19), Vector3::new(0.03, -0.06, 0.16))
}

/// A stick lying across (2.4 x 12 x 2.4 cm) is picked up, carried and put down.
pub fn stick() -> Script {
    let solid = Solid::Cuboid { half: Vector3::new(0.012, 0.06, 0.012) };
    let far = |finger, y, z| contact(finger, Point3::new(0.012, y, z), Vector3::x());
    // The stick's +x is the person's forward direction, its +y the person's left.
    let object_from_person =
        UnitQuaternion::from_axis_angle(&Vector3::z_axis(), -90f64.to_radians());
    let guess = wrist([0.0, -0.075, 0.095], [0.0, 0.85, -0.50], [0.0, -0.50, -0.85]);
    let task = GraspTask {
        contacts: vec![
            far(INDEX, 0.019, 0.003),
            far(MIDDLE, 0.000, 0.003),
            far(RING, -0.017, 0.003),
            far(PINKY, -0.034, 0.004),
            contact(THUMB, Point3::new(-0.012, 0.008, 0.003), -Vector3::x()),
        ],
        object_from_wrist: object_from_person * guess,
        bend: 1.0,
    };
    let path = ObjectPath {
        rest: upright(&solid, 90.0),
        moves: vec![
            Ramp::new(1.55, 2.3, Vector3::new(0.0, 0.0, 0.12)),
            Ramp::new(2.1, 3.1, Vector3::new(0.10, 0.06, 0.0)),
            Ramp::new(3.1, 3.9, Vector3::new(0.0, 0.0, -0.12)),
        ],
        turns: vec![turn(2.2, 3.1, Vector3::z(), -25.0)],
    };
    let prop = Prop { name: "stick", solid, mass: 0.08, path };
    let approach = object_from_person * Vector3::new(0.08, -0.14, 0.19);
    let retreat = object_from_person * Vector3::new(0.03, -0.06, 0.16);
    carried(prop, task, approach, retreat)
}

/// A mug is lifted by its handle and tilted a little, as if to drink.
pub fn mug() -> Script {
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
    let task = GraspTask {
        contacts: vec![
            inside(INDEX, 0.0175),
            inside(MIDDLE, 0.0015),
            inside(RING, -0.0145),
            contact(THUMB, Point3::new(bar, 0.0, 0.018) + outer * 0.005, outer),
        ],
        object_from_wrist: wrist([0.115, -0.090, 0.005], [-0.05, 1.0, 0.0], [-1.0, -0.05, 0.0]),
        bend: 1.0,
    };
    let solid = Solid::Mug(mug);
    let path = ObjectPath {
        rest: upright(&solid, 0.0),
        moves: vec![
            Ramp::new(1.55, 2.4, Vector3::new(0.0, 0.0, 0.12)),
            Ramp::new(2.2, 3.1, Vector3::new(-0.04, -0.07, 0.0)),
            Ramp::new(3.5, 4.3, Vector3::new(0.0, 0.0, -0.12)),
        ],
        turns: vec![turn(2.4, 3.1, Vector3::y(), -18.0), turn(3.2, 3.9, Vector3::y(), 18.0)],
    };
    let prop = Prop { name: "mug", solid, mass: 0.25, path };
    carried(prop, task, Vector3::new(0.20, -0.13, 0.07), Vector3::new(0.15, -0.09, 0.04))
}
