//! What a stream of numbers asks of a device, against what its vendor allows.

use dextra_core::device::{ChannelLimits, Device};

/// Limits are compared with this relative tolerance.
const TOLERANCE: f64 = 1e-6;

/// Extremes of one channel, in the device's unit and per second, and whether they are allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelCheck {
    /// The vendor's name.
    pub name: String,
    /// Lowest and highest position.
    pub position: (f64, f64),
    /// Distance of these to the limits; negative beyond them.
    pub margin: Option<f64>,
    /// Largest speed.
    pub velocity: f64,
    /// Largest acceleration.
    pub acceleration: f64,
    /// Largest jerk.
    pub jerk: f64,
    /// What is allowed.
    pub limits: ChannelLimits,
}

impl ChannelCheck {
    /// The limits that are not kept, as words.
    pub fn broken(&self) -> Vec<&'static str> {
        let above = |value: f64, limit: Option<f64>| {
            limit.is_some_and(|limit| value > limit * (1.0 + TOLERANCE))
        };
        let span = self.limits.position.map_or(1.0, |(low, high)| high - low);
        [
            ("position", self.margin.is_some_and(|margin| margin < -TOLERANCE * span)),
            ("velocity", above(self.velocity, self.limits.velocity)),
            ("acceleration", above(self.acceleration, self.limits.acceleration)),
            ("jerk", above(self.jerk, self.limits.jerk)),
        ]
        .into_iter()
        .filter_map(|(name, broken)| broken.then_some(name))
        .collect()
    }
}

/// Looks at rows `[T][channels]` in the device's unit, `rate` per second: forward differences of first, second and
/// third order, which is what a device sees that is sent them.
pub fn check(device: &Device, rows: &[Vec<f64>], rate: f64) -> Vec<ChannelCheck> {
    let channels = device.channels.iter().enumerate();
    channels
        .map(|(column, channel)| {
            let mut track: Vec<f64> = rows.iter().map(|row| row[column]).collect();
            let low = track.iter().copied().fold(f64::INFINITY, f64::min);
            let high = track.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut differ = || {
                track = track.windows(2).map(|pair| (pair[1] - pair[0]) * rate).collect();
                track.iter().map(|v| v.abs()).fold(0.0, f64::max)
            };
            let (velocity, acceleration, jerk) = (differ(), differ(), differ());
            let limits = channel.limits;
            ChannelCheck {
                name: channel.name.clone(),
                position: (low, high),
                margin: limits.position.map(|(from, to)| (low - from).min(to - high)),
                velocity,
                acceleration,
                jerk,
                limits,
            }
        })
        .collect()
}

/// By how much time has to be stretched so that speeds, accelerations and jerks are allowed; at most 1 where they
/// are. Stretching by s divides them by s, s² and s³.
pub fn needed_time_scale(checks: &[ChannelCheck]) -> f64 {
    let over = |value: f64, limit: Option<f64>, root: f64| {
        limit.map_or(0.0, |limit| (value / limit).powf(1.0 / root))
    };
    checks
        .iter()
        .flat_map(|check| {
            [
                over(check.velocity, check.limits.velocity, 1.0),
                over(check.acceleration, check.limits.acceleration, 2.0),
                over(check.jerk, check.limits.jerk, 3.0),
            ]
        })
        .fold(0.0, f64::max)
}
