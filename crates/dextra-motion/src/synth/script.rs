//! What stands on the table in a synthetic clip and what the hands do with it, before any grasp is
//! found.

use super::grasp::GraspTask;
use super::objects::Solid;
use super::path::{ObjectPath, Turn};
use dextra_core::{Joint, Side};
use nalgebra::Vector3;

/// How long a hand takes to reach an object, seconds.
pub const REACH: f64 = 1.0;
/// How long the fingers take to close, seconds.
pub const CLOSE: f64 = 0.35;
/// How long a hand still holds an object that was put down, seconds.
pub const LINGER: f64 = 0.15;
/// How long the fingers take to open, seconds.
pub const RELEASE: f64 = 0.3;
/// How long a hand takes to leave, seconds.
pub const LEAVE: f64 = 0.7;

/// A clip before its grasps are found.
#[derive(Clone, Debug)]
pub struct Script {
    /// What stands on the table.
    pub props: Vec<Prop>,
    /// Props that are parts of earlier ones, with their joints.
    pub parts: Vec<(usize, Joint)>,
    /// One or two hands, each on its own side.
    pub hands: Vec<HandScript>,
}

/// An object of a clip.
#[derive(Clone, Debug)]
pub struct Prop {
    /// A name usable as an identifier, unlike those of its neighbours.
    pub name: &'static str,
    /// Its shape.
    pub solid: Solid,
    /// Its mass, kilograms.
    pub mass: f64,
    /// Where it goes.
    pub path: ObjectPath,
}

/// What one hand does.
#[derive(Clone, Debug)]
pub struct HandScript {
    /// Which hand.
    pub side: Side,
    /// What it holds, in the order of time.
    pub holds: Vec<Hold>,
}

/// One taking and leaving of an object. All of it is told of a right hand; a left hand does the
/// mirror image (`x -> -x` in the object's frame), for which the object must be its own mirror image.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Index into [`Script::props`].
    pub prop: usize,
    /// The grasp to look for; with a roll, the one half way through it.
    pub task: GraspTask,
    /// A turn of the object about its own origin that the wrist does not follow: the fingers roll
    /// it. Object frame; the path of the object makes the same turn.
    pub roll: Option<Turn>,
    /// When it happens.
    pub times: Times,
    /// Where the hand comes from, relative to the grasp, object frame, metres.
    pub approach: Vector3<f64>,
    /// Where the hand goes to, relative to the grasp, object frame, metres.
    pub retreat: Vector3<f64>,
}

/// When a hold happens, seconds, in this order. The object rests from `depart` to `closed` and from
/// `open` to `gone`, unless another hand has it.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The hand sets off.
    pub depart: f64,
    /// The open hand is round the object and the fingers start to close.
    pub arrive: f64,
    /// The fingers have closed.
    pub closed: f64,
    /// The fingers start to open.
    pub open: f64,
    /// The fingers are open and the hand starts to leave.
    pub leave: f64,
    /// The hand is away.
    pub gone: f64,
}

impl Times {
    /// A hold at the usual pace, whose open hand arrives at `arrive` and opens again at `open`
    /// (seconds).
    pub fn new(arrive: f64, open: f64) -> Times {
        let leave = open + RELEASE;
        Times {
            depart: arrive - REACH,
            arrive,
            closed: arrive + CLOSE,
            open,
            leave,
            gone: leave + LEAVE,
        }
    }
}

impl Script {
    /// Length of the clip, seconds: until the last hand is away.
    pub fn duration(&self) -> f64 {
        let holds = self.hands.iter().flat_map(|hand| &hand.holds);
        holds.map(|hold| hold.times.gone).fold(0.0, f64::max)
    }
}
