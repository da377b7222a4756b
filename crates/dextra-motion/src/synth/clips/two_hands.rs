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
    Script { props: vec![prop], hands: vec![hand(Side::Right), hand(Side::Left)] }
}
