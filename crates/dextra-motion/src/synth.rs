//! Synthetic human demonstrations: everyday clips made from nothing but code.
//!
//! A capsule hand of average proportions ([`dextra_core::human`]) grasps an object, carries it along
//! minimum-jerk paths, puts it down and leaves. The clean clip is the same for every seed; the seed
//! draws the measurement noise.

pub mod clips;
pub mod grasp;
pub mod hand;
pub mod noise;
pub mod objects;
pub mod path;
pub mod script;

#[cfg(test)]
mod tests;

pub use noise::NoiseConfig;

use script::Script;

use dextra_core::demonstration::Keypoints;
use dextra_core::{
    Articulation, Demonstration, HandTrack, Joint, JointKind, ObjectTrack, Pose, Provenance, names,
};
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};

/// Frames per second of every synthetic clip.
pub const FPS: f64 = 60.0;
/// While resting, no vertex of the noisy object is lower than this below the table top, metres.
const MAX_SINK: f64 = 0.002;
/// Streams of random numbers: the first object's and the first hand's; the others follow.
const OBJECT_STREAMS: u64 = 1;
const HAND_STREAMS: u64 = 10;

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
    /// A carton (10 x 14 x 8 cm, 200 g) pushed 13 cm away over the table by the fingertips.
    Push,
    /// A block (5 x 5 x 12 cm, 150 g) carried by its side, let go, taken again from above and turned.
    Regrasp,
    /// A knob (5.3 cm across, 100 g) pinched from above, lifted and turned 30 deg in the fingers.
    Turn,
    /// A cube (5.5 cm, 120 g) in the right hand and a can (150 g) in the left, each put further away.
    Pair,
    /// A bar (24 cm, 100 g) lifted by the right hand, taken over by the left in the air, put down.
    Handover,
    /// A box (20 x 16 x 10 cm, 2 kg) whose hinged lid is opened by 50 deg at its knob and closed again.
    Lid,
    /// The same box with a lid that slides: pulled open by 8 cm at its knob and closed again.
    Slide,
}

/// A name that is no synthetic clip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no synthetic clip is called {name:?}; there are: {}{}", SynthClip::names(), self.hint())]
pub struct UnknownClip {
    /// The name that was asked for.
    pub name: String,
}

impl UnknownClip {
    fn hint(&self) -> String {
        names::hint(&self.name, SynthClip::ALL.map(SynthClip::name))
    }
}

impl SynthClip {
    /// All clips.
    pub const ALL: [SynthClip; 12] = [
        SynthClip::Bottle,
        SynthClip::Cube,
        SynthClip::Stick,
        SynthClip::Mug,
        SynthClip::Box,
        SynthClip::Push,
        SynthClip::Regrasp,
        SynthClip::Turn,
        SynthClip::Pair,
        SynthClip::Handover,
        SynthClip::Lid,
        SynthClip::Slide,
    ];

    /// The name it is asked for by: its own in lower case.
    pub fn name(self) -> &'static str {
        match self {
            SynthClip::Bottle => "bottle",
            SynthClip::Cube => "cube",
            SynthClip::Stick => "stick",
            SynthClip::Mug => "mug",
            SynthClip::Box => "box",
            SynthClip::Push => "push",
            SynthClip::Regrasp => "regrasp",
            SynthClip::Turn => "turn",
            SynthClip::Pair => "pair",
            SynthClip::Handover => "handover",
            SynthClip::Lid => "lid",
            SynthClip::Slide => "slide",
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

/// Makes a clip: 60 frames per second, z up, table top at z = 0, one or two hands, one or two
/// objects. The same arguments give the same bits.
pub fn synth(clip: SynthClip, seed: u64, noise: &NoiseConfig) -> Demonstration {
    let script = clips::script(clip);
    let grasps = hand::find_grasps(&script);
    let frames = (script.duration() * FPS).round() as usize + 1;
    let times: Vec<f64> = (0..frames).map(|frame| frame as f64 / FPS).collect();
    let hands = script.hands.iter().zip(&grasps).enumerate().map(|(i, (hand, grasps))| {
        let at = |time: &f64| hand::hand_at(&script.props, hand, grasps, *time);
        let clean = times.iter().map(|time| hand::keypoints(hand.side, &at(time))).collect();
        let keypoints_in_world = noisy_hand(clean, seed, HAND_STREAMS + i as u64, noise);
        HandTrack { side: hand.side, keypoints_in_world }
    });
    let objects = script.props.iter().enumerate().map(|(i, prop)| {
        let mesh = prop.solid.mesh();
        let clean: Vec<Pose> = times.iter().map(|time| prop.path.at(*time)).collect();
        let stream = OBJECT_STREAMS + i as u64;
        let world_from_object = noisy_object(&clean, &mesh.vertices, seed, stream, noise);
        ObjectTrack {
            name: prop.name.to_owned(),
            mesh,
            world_from_object,
            mass: Some(prop.mass),
            articulation: None,
        }
    });
    let mut demo = Demonstration {
        name: clip.name().to_owned(),
        fps: FPS,
        gravity: Vector3::new(0.0, 0.0, -9.81),
        hands: hands.collect(),
        objects: objects.collect(),
        provenance: Provenance {
            source: format!("dextra synth {} seed {seed}", clip.name()),
            licence: "CC0-1.0".to_owned(),
            inputs_sha256: Vec::new(),
            notes: Vec::new(),
        },
    };
    for (index, joint) in &script.parts {
        let coordinate = noisy_coordinate(&script, (*index, joint), &times, seed, noise);
        demo.objects[*index].articulation = Some(Articulation { joint: *joint, coordinate });
    }
    demo.place_parts();
    demo
}

/// What a part's joint does, with the noise of an object's pose, within its range.
fn noisy_coordinate(
    script: &Script,
    (part, joint): (usize, &Joint),
    times: &[f64],
    seed: u64,
    config: &NoiseConfig,
) -> Vec<f64> {
    let rms = match joint.kind {
        JointKind::Hinge => config.object_angle,
        JointKind::Slider => config.object,
    };
    let random = &mut noise::stream(seed, OBJECT_STREAMS + part as u64);
    let offsets = noise::smooth_wander(random, times.len(), FPS, rms, config.correlation);
    let pose = |prop: usize, time: f64| script.props[prop].path.at(time);
    let clean = times.iter().map(|&time| {
        joint.coordinate(&(pose(joint.parent, time).inverse() * pose(part, time)), 0.0)
    });
    clean
        .zip(&offsets)
        .map(|(q, noise)| (q + noise.x).clamp(joint.range.0, joint.range.1))
        .collect()
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
    part: u64,
    config: &NoiseConfig,
) -> Vec<Pose> {
    let random = &mut noise::stream(seed, part);
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
