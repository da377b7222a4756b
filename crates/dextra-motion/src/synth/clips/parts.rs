//! A clip in which a hand moves a part of an object.

use super::*;
use crate::synth::objects::Block;
use crate::synth::path::Ramp;
use dextra_core::{Joint, JointKind};

/// Half the sides of the box, metres.
const HALF: [f64; 3] = [0.10, 0.08, 0.05];
/// Half the thickness of its lid, metres.
const LID: f64 = 0.006;
/// When the lid starts to open, is open, starts to close and is closed, seconds.
const MOVING: [f64; 4] = [1.55, 2.95, 3.35, 4.75];

/// A box (20 x 16 x 10 cm) whose hinged lid is opened by 50 deg at its knob, held and closed again.
pub fn lid() -> Script {
    let joint = Joint {
        kind: JointKind::Hinge,
        axis: -Vector3::x(),
        anchor: Point3::new(0.0, HALF[1], HALF[2]),
        range: (0.0, 110f64.to_radians()),
        ..closed()
    };
    covered(joint, |rest| {
        let hinge = rest * joint.anchor;
        let swing = |start, end, degrees| Turn {
            about: Some(hinge),
            ..turn(start, end, joint.axis, degrees)
        };
        let [open, opened, close, closed] = MOVING;
        let turns = vec![swing(open, opened, 50.0), swing(close, closed, -50.0)];
        ObjectPath { rest: rest * joint.parent_from_part, moves: Vec::new(), turns }
    })
}

/// The same box with a lid that slides: pulled open by 8 cm towards the person, held and closed again.
pub fn slide() -> Script {
    const WAY: f64 = 0.08;
    let joint =
        Joint { kind: JointKind::Slider, axis: -Vector3::y(), range: (0.0, 0.12), ..closed() };
    covered(joint, |rest| {
        let [open, opened, close, closed] = MOVING;
        let way = joint.axis * WAY;
        let moves = vec![Ramp::new(open, opened, way), Ramp::new(close, closed, -way)];
        ObjectPath { rest: rest * joint.parent_from_part, moves, turns: Vec::new() }
    })
}

/// What the joints of both lids have in common.
fn closed() -> Joint {
    Joint {
        parent: 0,
        kind: JointKind::Slider,
        axis: Vector3::x(),
        anchor: Point3::origin(),
        parent_from_part: Pose::translation(0.0, 0.0, HALF[2] + LID),
        range: (0.0, 0.0),
    }
}

/// A box with a lid on `joint`, which one hand moves at its knob along the path that `path` makes of the
/// pose of the box.
fn covered(joint: Joint, path: impl Fn(Pose) -> ObjectPath) -> Script {
    const WALL: f64 = 0.008;
    let half = Vector3::from(HALF);
    let block = |center: [f64; 3], half: [f64; 3]| Block {
        center: Point3::from(center),
        half: Vector3::from(half),
    };
    let wall_x = |x| block([x, 0.0, 0.0], [WALL / 2.0, half.y, half.z]);
    let wall_y = |y| block([0.0, y, 0.0], [half.x - WALL, WALL / 2.0, half.z]);
    let (x, y) = (half.x - WALL / 2.0, half.y - WALL / 2.0);
    let base = Solid::Blocks(vec![
        wall_x(-x),
        wall_x(x),
        wall_y(-y),
        wall_y(y),
        block([0.0, 0.0, WALL / 2.0 - half.z], [half.x - WALL, half.y - WALL, WALL / 2.0]),
    ]);
    // The knob stands near the edge that rises; the lid's origin is the middle of its plate.
    let knob = Point3::new(0.0, -0.045, LID + 0.03);
    let lid = Solid::Blocks(vec![
        block([0.0; 3], [half.x, half.y, LID]),
        block(knob.into(), [0.03, 0.0225, 0.03]),
    ]);
    let far = |finger, x, z| {
        let point = knob + Vector3::new(x, 0.0225, z);
        contact(finger, point, Vector3::y())
    };
    let task = GraspTask {
        contacts: vec![
            far(INDEX, -0.017, 0.010),
            far(MIDDLE, 0.001, 0.008),
            far(RING, 0.018, 0.010),
            contact(THUMB, knob + Vector3::new(-0.006, -0.0225, 0.010), -Vector3::y()),
        ],
        object_from_wrist: wrist(
            [knob.x, knob.y - 0.062, knob.z + 0.127],
            [0.0, 0.87, -0.5],
            [0.0, -0.5, -0.87],
        ),
        bend: 1.0,
    };
    let rest = upright(&base, 0.0);
    let still = ObjectPath { rest, moves: Vec::new(), turns: Vec::new() };
    let props = vec![
        Prop { name: "box", solid: base, mass: 2.0, path: still },
        Prop { name: "lid", solid: lid, mass: 0.15, path: path(rest) },
    ];
    let hold = Hold {
        prop: 1,
        task,
        roll: None,
        times: Times::new(FIRST, MOVING[3] + LINGER),
        approach: Vector3::new(0.08, -0.14, 0.19),
        retreat: Vector3::new(0.03, -0.06, 0.16),
    };
    let hands = vec![HandScript { side: Side::Right, holds: vec![hold] }];
    Script { props, parts: vec![(1, joint)], hands }
}
