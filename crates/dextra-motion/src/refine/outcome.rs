//! What a trial measured and what that costs.

/// Metres that one radian of object rotation error costs.
pub const METRES_PER_RADIAN: f64 = 0.12;

/// What a trial measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The cost that is minimised.
    pub cost: f64,
    /// Largest object position error, metres.
    pub max_position: f64,
    /// Largest object rotation error, radians.
    pub max_rotation: f64,
    /// One less the number of steps outside the limits over the number of steps during which something
    /// is held, at least 0: what rests before and after is no merit.
    pub good: f64,
    /// Deepest penetration of the opened hand at the end of the approach, metres.
    pub open_penetration: f64,
    /// Largest gap between the nearest fingertips and the surface after closing, metres.
    pub tip_gap: f64,
    /// How far the hands are from the human's while holding, seen from the object: mean distance of
    /// the fingertips plus 3 cm per radian between the palms, metres.
    pub style: f64,
    /// First step outside the limits, or the end of the window.
    pub first_bad: f64,
    /// Penetration of the hand into objects and table while holding, metres.
    pub penetration: f64,
    /// Penetration of the hand into itself while holding, metres.
    pub self_penetration: f64,
    /// How far the contacts are from opposing each other after closing: 0 for opposite normals, 1
    /// without contact.
    pub loose: f64,
    /// True when the state left the real numbers.
    pub broken: bool,
}

impl Outcome {
    pub(super) const WIDTH: usize = 12;

    pub(super) fn to_row(self) -> [f64; Self::WIDTH] {
        [
            self.cost,
            self.max_position,
            self.max_rotation,
            self.good,
            self.open_penetration,
            self.tip_gap,
            self.style,
            self.first_bad,
            self.penetration,
            self.self_penetration,
            self.loose,
            f64::from(u8::from(self.broken)),
        ]
    }

    pub(super) fn from_row(row: &[f64]) -> Self {
        Self {
            cost: row[0],
            max_position: row[1],
            max_rotation: row[2],
            good: row[3],
            open_penetration: row[4],
            tip_gap: row[5],
            style: row[6],
            first_bad: row[7],
            penetration: row[8],
            self_penetration: row[9],
            loose: row[10],
            broken: row[11] != 0.0,
        }
    }

    /// True when the objects stayed near their reference throughout and nothing was too deep in
    /// anything else while holding.
    pub fn within(&self, margin: &Margin) -> bool {
        self.max_position < margin.position
            && self.max_rotation < margin.rotation
            && self.penetration < margin.penetration
            && self.self_penetration < margin.self_penetration
    }
}

/// What a trial must stay below to be good; tighter than what is accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Object position error, metres.
    pub position: f64,
    /// Object rotation error, radians.
    pub rotation: f64,
    /// Penetration of hands into objects and table while holding, metres.
    pub penetration: f64,
    /// Penetration of hands into themselves and each other while holding, metres.
    pub self_penetration: f64,
}

/// Weights of the cost of a trial, all relative to one metre of mean object error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostConfig {
    /// On the largest object error over the window.
    pub max_error: f64,
    /// On the penetration of the opened hand at the end of the approach.
    pub open_penetration: f64,
    /// On the gap between fingertips and surface after closing.
    pub tip_gap: f64,
    /// On the distance from the human's way, see [`Outcome::style`]. The one weight between success at
    /// any price (0) and the demonstrated grasp or none.
    pub style: f64,
    /// On the penetration into objects and table beyond 1 mm while holding: hard squeezing.
    pub penetration: f64,
    /// On the penetration of the hand into itself beyond 0.5 mm while holding.
    pub self_penetration: f64,
    /// On contacts that do not oppose each other.
    pub loose: f64,
    /// Position error at which a step counts as lost, metres.
    pub clip: f64,
}

impl Default for CostConfig {
    fn default() -> Self {
        Self {
            max_error: 0.3,
            open_penetration: 1.5,
            tip_gap: 0.5,
            style: 0.3,
            penetration: 3.0,
            self_penetration: 3.0,
            loose: 0.015,
            clip: 0.12,
        }
    }
}

/// Limits within which a step counts as good: position in metres, rotation in radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Metres.
    pub position: f64,
    /// Radians.
    pub rotation: f64,
}

impl Tolerance {
    /// True for errors within it: metres and radians.
    pub fn holds(&self, position: f64, rotation: f64) -> bool {
        position < self.position && rotation < self.rotation
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { position: 0.03, rotation: 0.5 }
    }
}
