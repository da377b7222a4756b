//! Synthetic human demonstrations: five everyday clips made from nothing but code.
//!
//! A capsule hand of average proportions ([`dextra_core::human`]) grasps an object, carries it along
//! minimum-jerk paths, puts it down and leaves. The clean clip is the same for every seed; the seed
//! draws the measurement noise.

pub mod clips;
pub mod grasp;
pub mod noise;
pub mod objects;
pub mod path;

#[cfg(test)]
mod tests;

pub use noise::NoiseConfig;

use clips::Script;
use dextra_core::demonstration::Keypoints;
use dextra_core::{Demonstration, HandTrack, ObjectTrack, Pose, Provenance, Side, human};
use grasp::Grasp;
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use path::progress;

/// Frames per second of every synthetic clip.
pub const FPS: f64 = 60.0;
/// While resting, no vertex of the noisy object is lower than this below the table top, metres.
const MAX_SINK: f64 = 0.002;

/// When the hand reaches the object, seconds.
const ARRIVE: f64 = 1.0;
/// When the fingers have closed, seconds.
const CLOSED: f64 = 1.35;
/// How long the hand still holds the object that was put down, seconds.
const LINGER: f64 = 0.15;
/// How long the fingers take to open, seconds.
const RELEASE: f64 = 0.3;
/// How long the hand takes to leave, seconds.
const LEAVE: f64 = 0.7;

/// A synthetic clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SynthClip {
    /// A bottle (r 3 cm, h 17 cm, 200 g): lift 14 cm, tilt 55 deg to pour, move 12 cm, put back.
    Bottle,
    /// A 6 cm cube (120 g): pinch from above, lift 10 cm, yaw 70 deg, move 13 cm, put down.
    Cube,
    /// A stick (2.4 x 12 x 2.4 cm, 80 g) lying on the table: pick up, carry, put down.
    Stick,
    /// A mug (250 g) held by its handle: lift 12 cm, tilt 18 deg, put down.
    Mug,
    /// A carton (30 x 20 x 20 cm, 400 g) between two hands: lift 12 cm, move 10 cm, put down.
    Box,
}

/// A name that is no synthetic clip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no synthetic clip is called {name:?}; there are: {}", SynthClip::names())]
pub struct UnknownClip {
    /// The name that was asked for.
    pub name: String,
}

impl SynthClip {
    /// All clips.
    pub const ALL: [SynthClip; 5] =
        [SynthClip::Bottle, SynthClip::Cube, SynthClip::Stick, SynthClip::Mug, SynthClip::Box];

    /// `"bottle"`, `"cube"`, `"stick"`, `"mug"` or `"box"`.
    pub fn name(self) -> &'static str {
        match self {
            SynthClip::Bottle => "bottle",
            SynthClip::Cube => "cube",
            SynthClip::Stick => "stick",
            SynthClip::Mug => "mug",
            SynthClip::Box => "box",
        }
    }

    /// The clip called `name`.
    ///
    /// # Errors
    /// [`UnknownClip`], which lists the valid names.
    pub fn from_name(name: &str) -> Result<SynthClip, UnknownClip> {
        SynthClip::ALL
            .into_iter()
            .find(|clip| clip.name() == name)
            .ok_or_else(|| UnknownClip { name: name.to_owned() })
    }

    fn names() -> String {
        SynthClip::ALL.map(SynthClip::name).join(", ")
    }
}

/// Makes a clip: 60 frames per second, z up, table top at z = 0, one right hand (the box: a right
/// and a left), one object. The same arguments give the same bits.
pub fn synth(clip: SynthClip, seed: u64, noise: &NoiseConfig) -> Demonstration {
    let script = clips::script(clip);
    let grasp = grasp::find(&script.task);
    let (poses, tracks) = clean_frames(&script, &grasp);
    let hands = tracks
        .into_iter()
        .enumerate()
        .map(|(i, (side, frames))| HandTrack {
            side,
            keypoints_in_world: noisy_hand(frames, seed, 10 + i as u64, noise),
        })
        .collect();
    let mesh = script.task.solid.mesh();
    let world_from_object = noisy_object(&poses, &mesh.vertices, seed, noise);
    Demonstration {
        name: clip.name().to_owned(),
        fps: FPS,
        gravity: Vector3::new(0.0, 0.0, -9.81),
        hands,
        objects: vec![ObjectTrack {
            name: clip.name().to_owned(),
            mesh,
            world_from_object,
            mass: Some(script.mass),
        }],
        provenance: Provenance {
            source: format!("dextra synth {} seed {seed}", clip.name()),
            licence: "CC0-1.0".to_owned(),
            inputs_sha256: Vec::new(),
            notes: Vec::new(),
        },
    }
}

/// Wrist and joint angles of the right hand at one time, the wrist in the object's frame.
#[derive(Clone, Debug)]
pub struct HandState {
    /// Wrist pose.
    pub object_from_wrist: Pose,
    /// Joint angles of [`human::skeleton`], radians.
    pub q: Vec<f64>,
}

/// Length of a clip, seconds.
fn duration(script: &Script) -> f64 {
    script.path.moving().1 + LINGER + RELEASE + LEAVE
}

/// The clean right hand at `time` (seconds): approach with the hand opening on the way, close, hold
/// (the grasp is constant in the object's frame), open, leave.
pub fn hand_at(script: &Script, grasp: &Grasp, time: f64) -> HandState {
    let tree = human::skeleton();
    let relaxed = grasp::relaxed_posture(&tree);
    let open_from = script.path.moving().1 + LINGER;
    let leave_from = open_from + RELEASE;
    let leave_until = leave_from + LEAVE;
    let offset = script.approach * (1.0 - progress(time, 0.0, ARRIVE))
        + script.retreat * progress(time, leave_from, leave_until);
    // The hand is open before it is near, and stays open until it is away again.
    let opened =
        progress(time, 0.0, 0.6 * ARRIVE) - progress(time, leave_from + 0.4 * LEAVE, leave_until);
    let closed = progress(time, ARRIVE, CLOSED) - progress(time, open_from, leave_from);
    let q = (0..relaxed.len())
        .map(|i| {
            let open = relaxed[i] + (grasp.open[i] - relaxed[i]) * opened;
            open + (grasp.closed[i] - open) * closed
        })
        .collect();
    let object_from_wrist = Pose::from_parts(
        Translation3::from(grasp.object_from_wrist.translation.vector + offset),
        grasp.object_from_wrist.rotation,
    );
    HandState { object_from_wrist, q }
}

type Tracks = Vec<(Side, Vec<Keypoints>)>;

fn clean_frames(script: &Script, grasp: &Grasp) -> (Vec<Pose>, Tracks) {
    let tree = human::skeleton();
    let frames = (duration(script) * FPS).round() as usize + 1;
    let mut poses = Vec::with_capacity(frames);
    let mut right = Vec::with_capacity(frames);
    let mut left = Vec::new();
    for frame in 0..frames {
        let time = frame as f64 / FPS;
        let world_from_object = script.path.at(time);
        let hand = hand_at(script, grasp, time);
        let in_object = human::keypoints(&tree, &hand.q, &hand.object_from_wrist);
        right.push(in_object.map(|p| world_from_object * p));
        if script.two_handed {
            left.push(in_object.map(|p| world_from_object * Point3::new(-p.x, p.y, p.z)));
        }
        poses.push(world_from_object);
    }
    let mut tracks = vec![(Side::Right, right)];
    if script.two_handed {
        tracks.push((Side::Left, left));
    }
    (poses, tracks)
}

fn noisy_hand(
    mut frames: Vec<Keypoints>,
    seed: u64,
    part: u64,
    config: &NoiseConfig,
) -> Vec<Keypoints> {
    let count = frames.len();
    let random = &mut noise::stream(seed, part);
    let bias = noise::constant(random, config.hand_bias);
    let wrist = noise::wander(random, count, FPS, config.wrist, config.correlation);
    for (frame, offset) in frames.iter_mut().zip(&wrist) {
        for point in frame.iter_mut() {
            *point += bias + offset;
        }
    }
    for index in 1..dextra_core::demonstration::keypoint::COUNT {
        let offsets = noise::wander(random, count, FPS, config.finger, config.correlation);
        for (frame, offset) in frames.iter_mut().zip(&offsets) {
            frame[index] += offset;
        }
    }
    frames
}

fn noisy_object(
    poses: &[Pose],
    vertices: &[Point3<f64>],
    seed: u64,
    config: &NoiseConfig,
) -> Vec<Pose> {
    let random = &mut noise::stream(seed, 1);
    let smooth = |random: &mut _, rms| {
        noise::smooth_wander(random, poses.len(), FPS, rms, config.correlation)
    };
    let offsets = smooth(random, config.object);
    let turns = smooth(random, config.object_angle);
    poses
        .iter()
        .zip(offsets.iter().zip(&turns))
        .map(|(pose, (offset, turn))| {
            let mut noisy = Pose::from_parts(
                Translation3::from(pose.translation.vector + offset),
                UnitQuaternion::from_scaled_axis(*turn) * pose.rotation,
            );
            let lowest = vertices.iter().map(|v| (noisy * v).z).fold(f64::INFINITY, f64::min);
            noisy.translation.z += (-MAX_SINK - lowest).max(0.0);
            noisy
        })
        .collect()
}
