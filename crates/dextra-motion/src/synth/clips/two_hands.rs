//! Clips with two hands.

use super::*;
use crate::synth::path::Ramp;

/// A carton (30 x 20 x 20 cm) is lifted between two flat hands and put down further away.
pub fn carton() -> Script {
    let solid = Solid::Cuboid { half: Vector3::new(0.15, 0.10, 0.10) };
    let side = |finger, y, z| contact(finger, Point3::new(0.15, y, z), Vector3::x());
    let task = GraspTask {
        contacts: vec![
            side(INDEX, 0.055, 0.016),
            side(MIDDLE, 0.060, -0.006),
            side(RING, 0.055, -0.028),
            side(PINKY, 0.040, -0.048),
            side(THUMB, -0.005, 0.060),
        ],
        object_from_wrist: wrist([0.185, -0.110, 0.0], [-0.12, 1.0, -0.05], [-1.0, -0.12, 0.0]),
        bend: 1.0,
    };
    let path = ObjectPath {
        rest: upright(&solid, 0.0),
        moves: vec![
            Ramp::new(1.55, 2.45, Vector3::new(0.0, 0.0, 0.12)),
            Ramp::new(2.2, 3.2, Vector3::new(0.0, 0.10, 0.0)),
            Ramp::new(3.2, 4.1, Vector3::new(0.0, 0.0, -0.12)),
        ],
        turns: Vec::new(),
    };
    let prop = Prop { name: "box", solid, mass: 0.4, path };
    let hold = Hold {
        prop: 0,
        task,
        roll: None,
        times: Times::new(FIRST, prop.path.moving().1 + LINGER),
        approach: Vector3::new(0.15, -0.18, 0.09),
        retreat: Vector3::new(0.12, -0.14, 0.06),
    };
    let hand = |side| HandScript { side, holds: vec![hold.clone()] };
    Script {
        props: vec![prop],
        parts: Vec::new(),
        hands: vec![hand(Side::Right), hand(Side::Left)],
    }
}

/// The right hand takes a cube (5.5 cm) on the right, and 0.4 s later the left hand a can (r 3 cm,
/// h 11 cm) on the left; both are lifted 10 cm and put down further away.
pub fn pair() -> Script {
    let cube = Solid::Cuboid { half: Vector3::repeat(0.0275) };
    let far = |finger, x| contact(finger, Point3::new(x, 0.0275, 0.005), Vector3::y());
    let pinch = GraspTask {
        contacts: vec![
            far(INDEX, -0.018),
            far(MIDDLE, 0.001),
            far(RING, 0.019),
            contact(THUMB, Point3::new(-0.006, -0.0275, 0.005), -Vector3::y()),
        ],
        object_from_wrist: wrist([0.0, -0.062, 0.122], [0.0, 0.87, -0.5], [0.0, -0.5, -0.87]),
        bend: 1.0,
    };
    let can = Solid::Cylinder { radius: 0.03, half_height: 0.055 };
    let side = |finger, degrees, z| on_cylinder(0.03, finger, degrees, z);
    let wrap = GraspTask {
        contacts: vec![
            side(INDEX, 112.0, 0.036),
            side(MIDDLE, 114.0, 0.015),
            side(RING, 112.0, -0.006),
            side(PINKY, 106.0, -0.025),
            side(THUMB, 262.0, 0.025),
        ],
        object_from_wrist: wrist([0.07, -0.085, 0.0], [-0.10, 1.0, 0.05], [-1.0, -0.1, 0.0]),
        bend: 1.0,
    };
    let path = |solid: &Solid, x: f64, moves| ObjectPath {
        rest: Pose::translation(x, 0.0, 0.0) * upright(solid, 0.0),
        moves,
        turns: Vec::new(),
    };
    let cube_path = path(
        &cube,
        0.17,
        vec![
            Ramp::new(1.55, 2.3, Vector3::new(0.0, 0.0, 0.10)),
            Ramp::new(2.1, 3.0, Vector3::new(0.0, 0.08, 0.0)),
            Ramp::new(2.9, 3.7, Vector3::new(0.0, 0.0, -0.10)),
        ],
    );
    let can_path = path(
        &can,
        -0.17,
        vec![
            Ramp::new(1.95, 2.75, Vector3::new(0.0, 0.0, 0.10)),
            Ramp::new(2.5, 3.5, Vector3::new(-0.04, 0.08, 0.0)),
            Ramp::new(3.4, 4.3, Vector3::new(0.0, 0.0, -0.10)),
        ],
    );
    let right = Hold {
        prop: 0,
        task: pinch,
        roll: None,
        times: Times::new(FIRST, cube_path.moving().1 + LINGER),
        approach: Vector3::new(0.08, -0.14, 0.19),
        retreat: Vector3::new(0.03, -0.06, 0.16),
    };
    let left = Hold {
        prop: 1,
        task: wrap,
        roll: None,
        times: Times::new(FIRST + 0.4, can_path.moving().1 + LINGER),
        approach: Vector3::new(0.22, -0.05, 0.10),
        retreat: Vector3::new(0.18, -0.04, 0.06),
    };
    Script {
        props: vec![
            Prop { name: "cube", solid: cube, mass: 0.12, path: cube_path },
            Prop { name: "can", solid: can, mass: 0.15, path: can_path },
        ],
        parts: Vec::new(),
        hands: vec![
            HandScript { side: Side::Right, holds: vec![right] },
            HandScript { side: Side::Left, holds: vec![left] },
        ],
    }
}

/// A bar (24 x 2.6 x 2.6 cm) that lies across is lifted by its right end, held still, taken over by
/// the left hand at its other end and put down further left.
pub fn handover() -> Script {
    let solid = Solid::Cuboid { half: Vector3::new(0.12, 0.013, 0.013) };
    let far = |finger, x| contact(finger, Point3::new(x, 0.013, 0.003), Vector3::y());
    let task = GraspTask {
        contacts: vec![
            far(INDEX, 0.060),
            far(MIDDLE, 0.079),
            far(RING, 0.097),
            contact(THUMB, Point3::new(0.073, -0.013, 0.003), -Vector3::y()),
        ],
        object_from_wrist: wrist([0.079, -0.075, 0.095], [0.0, 0.85, -0.50], [0.0, -0.50, -0.85]),
        bend: 1.0,
    };
    let path = ObjectPath {
        rest: Pose::translation(0.12, 0.0, 0.0) * upright(&solid, 0.0),
        moves: vec![
            Ramp::new(1.55, 2.4, Vector3::new(0.0, 0.0, 0.15)),
            Ramp::new(2.1, 3.0, Vector3::new(-0.12, 0.0, 0.0)),
            // Still for 2.4 s in between.
            Ramp::new(5.4, 6.3, Vector3::new(-0.10, 0.0, 0.0)),
            Ramp::new(6.0, 6.9, Vector3::new(0.0, 0.0, -0.15)),
        ],
        turns: Vec::new(),
    };
    let right = Hold {
        prop: 0,
        task,
        roll: None,
        times: Times::new(FIRST, 4.6),
        approach: Vector3::new(0.08, -0.14, 0.19),
        retreat: Vector3::new(0.09, -0.12, 0.17),
    };
    let times = Times::new(3.75, path.moving().1 + LINGER);
    let left = Hold { times, approach: Vector3::new(0.19, -0.13, 0.09), ..right.clone() };
    Script {
        props: vec![Prop { name: "bar", solid, mass: 0.1, path }],
        parts: Vec::new(),
        hands: vec![
            HandScript { side: Side::Right, holds: vec![right] },
            HandScript { side: Side::Left, holds: vec![left] },
        ],
    }
}
