//! A machine that is sent joint positions: a robot hand or an arm, in its vendor's own terms.
//!
//! Limits are `None` where the vendor publishes none; nothing is invented.

use crate::Pose;
use nalgebra::Point3;

/// What a device counts angles in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AngleUnit {
    /// Radians.
    Radian,
    /// Degrees.
    Degree,
    /// Steps of a register.
    Count,
}

impl AngleUnit {
    /// As written in names of columns.
    pub fn name(self) -> &'static str {
        match self {
            AngleUnit::Radian => "rad",
            AngleUnit::Degree => "deg",
            AngleUnit::Count => "count",
        }
    }
}

/// What a number sent to a device may do, in the device's unit and per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelLimits {
    /// Lowest and highest position.
    pub position: Option<(f64, f64)>,
    /// Largest speed.
    pub velocity: Option<f64>,
    /// Largest acceleration.
    pub acceleration: Option<f64>,
    /// Largest jerk.
    pub jerk: Option<f64>,
}

/// One of the numbers that a device is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// The vendor's name.
    pub name: String,
    /// Actuator of the hand model, or joint of the arm, that it stands for.
    pub drives: String,
    /// What is sent for an angle of zero.
    pub zero: f64,
    /// What one radian adds.
    pub per_rad: f64,
    /// What is allowed.
    pub limits: ChannelLimits,
}

impl Channel {
    /// What is sent for an angle in radians.
    pub fn encode(&self, angle: f64) -> f64 {
        self.zero + self.per_rad * angle
    }

    /// Which angle, in radians, a sent number means.
    pub fn decode(&self, sent: f64) -> f64 {
        (sent - self.zero) / self.per_rad
    }

    /// The range of angles that may be sent, radians.
    pub fn range(&self) -> Option<(f64, f64)> {
        let (low, high) = self.limits.position?;
        let (a, b) = (self.decode(low), self.decode(high));
        Some((a.min(b), a.max(b)))
    }
}

/// One link of an arm by Craig's modified Denavit-Hartenberg parameters: turn by `alpha` about x, move by `a`
/// along x, turn by the joint about z, move by `d` along z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DhLink {
    /// Metres.
    pub a: f64,
    /// Metres.
    pub d: f64,
    /// Radians.
    pub alpha: f64,
}

/// A capsule fixed in a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkCapsule {
    /// Link: 0 is the base, `n` moves with the n-th joint.
    pub link: usize,
    /// Ends of its axis in the frame of the link, metres.
    pub ends: [Point3<f64>; 2],
    /// Metres.
    pub radius: f64,
}

/// The geometry of an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmGeometry {
    /// One per joint, from the base on.
    pub links: Vec<DhLink>,
    /// The flange in the frame of the last link; its z axis points out of the arm.
    pub last_from_flange: Pose,
    /// What collides.
    pub capsules: Vec<LinkCapsule>,
}

/// A machine that is sent joint positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Short name, such as `"inspire"`.
    pub name: String,
    /// The vendor's name of it.
    pub model: String,
    /// What its numbers are counted in.
    pub unit: AngleUnit,
    /// Messages per second.
    pub rate_hz: f64,
    /// Smallest step that can be sent; positions are rounded to it.
    pub resolution: Option<f64>,
    /// In the order in which the device takes them.
    pub channels: Vec<Channel>,
    /// Of a hand: where the flange that carries it lies in the frame of its root body. The flange's z axis points
    /// to the hand.
    pub root_from_flange: Option<Pose>,
    /// Of an arm.
    pub arm: Option<ArmGeometry>,
    /// Where each kind of fact is from: its name and the source.
    pub sources: Vec<(String, String)>,
}
