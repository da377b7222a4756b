//! Clips in which one hand does more than carry: it pushes, takes an object twice, or turns it in its
//! fingers.

use super::*;
use crate::synth::path::Ramp;

/// A carton (10 x 14 x 8 cm) is pushed 13 cm away over the table by the tips of three fingers.
pub fn push() -> Script {
    let solid = Solid::Cuboid { half: Vector3::new(0.05, 0.07, 0.04) };
    let near = |finger, x, z| contact(finger, Point3::new(x, -0.07, z), -Vector3::y());
    let task = GraspTask {
        contacts: vec![
            near(INDEX, -0.025, 0.012),
            near(MIDDLE, -0.001, 0.016),
            near(RING, 0.022, 0.012),
        ],
        object_from_wrist: wrist([0.004, -0.240, -0.012], [-0.03, 1.0, 0.16], [0.0, 0.16, -1.0]),
        bend: 0.2,
    };
    let path = ObjectPath {
        rest: upright(&solid, 0.0),
        moves: vec![Ramp::new(1.55, 2.95, Vector3::new(-0.02, 0.128, 0.0))],
        turns: Vec::new(),
    };
    let prop = Prop { name: "carton", solid, mass: 0.2, path };
    carried(prop, task, Vector3::new(0.09, -0.20, 0.12), Vector3::new(0.04, -0.15, 0.10))
}

/// A block (5 x 5 x 12 cm) is taken from the side and put down 10 cm further away; the hand lets go,
/// takes it again from above, turns it by 40 deg and puts it down to the left.
pub fn regrasp() -> Script {
    let solid = Solid::Cuboid { half: Vector3::new(0.025, 0.025, 0.06) };
    let far = |finger, x, z| contact(finger, Point3::new(x, 0.025, z), Vector3::y());
    let near = |finger, x, z| contact(finger, Point3::new(x, -0.025, z), -Vector3::y());
    let from_the_side = GraspTask {
        contacts: vec![
            far(INDEX, -0.004, 0.040),
            far(MIDDLE, -0.006, 0.020),
            far(RING, -0.004, 0.000),
            far(PINKY, 0.002, -0.018),
            near(THUMB, 0.000, 0.030),
        ],
        object_from_wrist: wrist([0.07, -0.075, 0.002], [-0.10, 1.0, 0.05], [-1.0, -0.1, 0.0]),
        bend: 1.0,
    };
    let from_above = GraspTask {
        contacts: vec![
            far(INDEX, -0.017, 0.038),
            far(MIDDLE, 0.001, 0.036),
            far(RING, 0.018, 0.038),
            near(THUMB, -0.006, 0.038),
        ],
        object_from_wrist: wrist([0.0, -0.062, 0.155], [0.0, 0.87, -0.5], [0.0, -0.5, -0.87]),
        bend: 1.0,
    };
    let path = ObjectPath {
        rest: upright(&solid, 0.0),
        moves: vec![
            Ramp::new(1.55, 2.15, Vector3::new(0.0, 0.0, 0.08)),
            Ramp::new(1.95, 2.75, Vector3::new(0.04, 0.092, 0.0)),
            Ramp::new(2.6, 3.2, Vector3::new(0.0, 0.0, -0.08)),
            Ramp::new(5.75, 6.35, Vector3::new(0.0, 0.0, 0.08)),
            Ramp::new(6.15, 7.05, Vector3::new(-0.11, -0.03, 0.0)),
            Ramp::new(6.9, 7.5, Vector3::new(0.0, 0.0, -0.08)),
        ],
        turns: vec![turn(6.15, 7.05, Vector3::z(), 40.0)],
    };
    let holds = vec![
        Hold {
            prop: 0,
            task: from_the_side,
            roll: None,
            times: Times::new(FIRST, 3.2 + LINGER),
            approach: Vector3::new(0.22, -0.05, 0.10),
            retreat: Vector3::new(0.16, -0.06, 0.06),
        },
        // The hand has let go of the block for 2.2 s when it closes again.
        Hold {
            prop: 0,
            task: from_above,
            roll: None,
            times: Times { depart: 4.35, ..Times::new(5.2, 7.5 + LINGER) },
            approach: Vector3::new(0.08, -0.10, 0.13),
            retreat: Vector3::new(0.03, -0.06, 0.16),
        },
    ];
    let prop = Prop { name: "block", solid, mass: 0.15, path };
    Script {
        props: vec![prop],
        parts: Vec::new(),
        hands: vec![HandScript { side: Side::Right, holds }],
    }
}

/// A knob (r 2.65 cm, h 6 cm) is pinched from above, lifted, turned by 30 deg in the fingers and put
/// down.
pub fn turn_in_fingers() -> Script {
    let solid = Solid::Cylinder { radius: 0.0265, half_height: 0.03 };
    let round = |finger, degrees, z| on_cylinder(0.0265, finger, degrees, z);
    let task = GraspTask {
        contacts: vec![
            round(INDEX, 114.0, 0.006),
            round(MIDDLE, 82.0, 0.006),
            round(THUMB, 270.0, 0.006),
        ],
        object_from_wrist: wrist([0.0, -0.062, 0.120], [0.0, 0.87, -0.5], [0.0, -0.5, -0.87]),
        bend: 1.0,
    };
    let roll = turn(2.6, 3.6, Vector3::z(), 30.0);
    let path = ObjectPath {
        rest: upright(&solid, 0.0),
        moves: vec![
            Ramp::new(1.55, 2.35, Vector3::new(0.0, 0.0, 0.08)),
            Ramp::new(3.95, 4.75, Vector3::new(0.0, 0.0, -0.08)),
        ],
        turns: vec![roll.clone()],
    };
    let prop = Prop { name: "knob", solid, mass: 0.1, path };
    let (approach, retreat) = (Vector3::new(0.08, -0.14, 0.19), Vector3::new(0.03, -0.06, 0.16));
    let mut script = carried(prop, task, approach, retreat);
    script.hands[0].holds[0].roll = Some(roll);
    script
}
