//! How a policy's correction joins the base action: pure functions, one per published way, and
//! [`Composer`], which applies one of them to all actuator targets of a scene.
//!
//! Actions lie in `[-1, 1]`; [`Reach`] says what a one stands for. Targets stay inside the control
//! ranges.

use dextra_core::Pose;
use dextra_sim::scene::{Scene, root_to_wrist, wrist_to_root};
use nalgebra::{UnitQuaternion, Vector3};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `clip(base + residual)`: plain addition (ours; DexNDM).
pub fn add(base: f64, residual: f64, (low, high): (f64, f64)) -> f64 {
    (base + residual).clamp(low, high)
}

/// ManipTrans: `clip(base + gain * residual, -1, 1)`, then an exponential moving average in which the
/// new value has the weight `alpha` (gain 2 and alpha 0.4 there). Everything in units of half a range.
pub fn scaled_average(base: f64, residual: f64, gain: f64, alpha: f64, previous: f64) -> f64 {
    let wanted = (base + gain * residual).clamp(-1.0, 1.0);
    alpha * wanted + (1.0 - alpha) * previous
}

/// DexMan: `x = x̄ + ΣΔx`, `q = q̄ ⊗ ∏ exp(Δω)`, about the point `pivot` of the posed body.
///
/// `moved` is ΣΔx in the world frame, metres; `turned` is ∏ exp(Δω), in the body's frame.
pub fn accumulated(
    base: &Pose,
    pivot: &nalgebra::Point3<f64>,
    moved: &Vector3<f64>,
    turned: &UnitQuaternion<f64>,
) -> Pose {
    let rotation = base.rotation * turned;
    let pivot_in_world = base * pivot + moved;
    Pose::from_parts((pivot_in_world.coords - rotation * pivot.coords).into(), rotation)
}

/// PKDA, wrist: an action in `[-1, 1]` mapped to a neighbourhood of `reach` round `center`.
pub fn neighbourhood(action: f64, center: f64, reach: f64, (low, high): (f64, f64)) -> f64 {
    (center + action * reach).clamp(low, high)
}

/// PKDA, fingers: an action in `[-1, 1]` reaches the whole range. It is a residual: an action of zero repeats
/// the base, and either side of it is stretched to the limit there.
pub fn whole_range(action: f64, base: f64, (low, high): (f64, f64)) -> f64 {
    let room = if action < 0.0 { base - low } else { high - base };
    (base + action * room.max(0.0)).clamp(low, high)
}

/// FAR-Dex: `base + σ ⊙ residual`, with a weight σ in `[0, 1]` per joint.
pub fn attended(base: f64, residual: f64, weight: f64, range: (f64, f64)) -> f64 {
    add(base, weight * residual, range)
}

/// The logistic function, which makes a weight of an unbounded number.
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// What an action of one stands for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reach {
    /// Wrist slides, metres.
    pub position: f64,
    /// Wrist hinges, radians.
    pub rotation: f64,
    /// Finger servos, radians.
    pub finger: f64,
}

impl Default for Reach {
    /// What worked round refined trajectories in our prototype: 1.5 cm, 0.1 rad, 0.2 rad.
    fn default() -> Self {
        Self { position: 0.015, rotation: 0.1, finger: 0.2 }
    }
}

/// How base and correction join.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Compose {
    /// `clip(base + filtered residual)`, with `alpha` the weight of the new residual in the filter; 1
    /// for none.
    Add {
        /// Weight of the new residual.
        alpha: f64,
    },
    /// [`scaled_average`]. For finger servos, half a range is that of the control; for wrist servos it
    /// is [`Reach`] round the base.
    ScaledAverage {
        /// Gain on the residual; 2 in ManipTrans.
        gain: f64,
        /// Weight of the new value; 0.4 in ManipTrans.
        alpha: f64,
        /// What is averaged: the whole target, as in ManipTrans, which makes it lag behind the base; or
        /// the correction alone, so that a zero action repeats the base.
        whole: bool,
    },
    /// DexMan. [`Reach`] is what one step adds.
    Accumulate {
        /// Bound on each finger's and each wrist coordinate's sum, in steps of full action; infinite in
        /// the paper.
        bound: f64,
    },
    /// PKDA: wrist servos in a neighbourhood of [`Reach`] round the base, finger servos from the base to
    /// either end of their range.
    Rescaled,
    /// FAR-Dex: the second half of the action is weights before [`logistic`].
    Attended,
}

impl Default for Compose {
    fn default() -> Self {
        Self::Add { alpha: 0.5 }
    }
}

/// What a composition remembers from step to step of an episode, `[nu]` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Filtered residuals, filtered targets or sums, by kind.
    pub values: Vec<f64>,
    /// Accumulated turn of every wrist, `wxyz`.
    pub turns: Vec<[f64; 4]>,
    /// False until the first step.
    pub begun: bool,
}

/// What a control belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Wrist servo 0-5 of a hand.
    Wrist(usize, usize),
    Finger,
}

/// Applies a [`Compose`] to the actuator targets of a scene.
#[derive(Clone, Debug)]
pub struct Composer {
    /// The way.
    pub compose: Compose,
    /// What an action of one stands for.
    pub reach: Reach,
    parts: Vec<Part>,
    ranges: Vec<(f64, f64)>,
}

impl Composer {
    /// A composer for all actuators of `scene`.
    pub fn new(scene: &Scene, compose: Compose, reach: Reach) -> Self {
        let ranges = scene.ctrl_ranges();
        let mut parts = vec![Part::Finger; ranges.len()];
        for (hand, place) in scene.hands.iter().enumerate() {
            for (slot, &index) in place.wrist_ctrl.iter().enumerate() {
                parts[index] = Part::Wrist(hand, slot);
            }
        }
        Self { compose, reach, parts, ranges }
    }

    /// Length of an action: `nu`, or twice that with weights.
    pub fn action_dim(&self) -> usize {
        match self.compose {
            Compose::Attended => 2 * self.parts.len(),
            _ => self.parts.len(),
        }
    }

    /// What a one of control `index` stands for, and its unit.
    pub fn scale(&self, index: usize) -> (f64, &'static str) {
        match (self.compose, self.parts[index]) {
            (_, Part::Wrist(_, 0..3)) => (self.reach.position, "m"),
            (_, Part::Wrist(..)) => (self.reach.rotation, "rad"),
            (Compose::Rescaled, Part::Finger) => (self.half(index), "rad"),
            (Compose::ScaledAverage { gain, .. }, Part::Finger) => (gain * self.half(index), "rad"),
            (_, Part::Finger) => (self.reach.finger, "rad"),
        }
    }

    /// Half the range of a control; [`Reach`] where it has none.
    fn half(&self, index: usize) -> f64 {
        let (low, high) = self.ranges[index];
        let half = 0.5 * (high - low);
        if half.is_finite() { half } else { self.reach.finger }
    }

    /// The memory at the start of an episode.
    pub fn memory(&self, scene: &Scene) -> Memory {
        let turns = match self.compose {
            Compose::Accumulate { .. } => vec![[1.0, 0.0, 0.0, 0.0]; scene.hands.len()],
            _ => Vec::new(),
        };
        let size = match self.compose {
            Compose::Rescaled | Compose::Attended => 0,
            _ => self.parts.len(),
        };
        Memory { values: vec![0.0; size], turns, begun: false }
    }

    /// Targets for the physics steps of one control step: `base` and `targets` are `[steps, nu]`, `action`
    /// is [`Composer::action_dim`] numbers in `[-1, 1]`, for weights any numbers.
    pub fn apply(
        &self,
        scene: &Scene,
        base: &[f64],
        action: &[f64],
        memory: &mut Memory,
        targets: &mut [f64],
    ) {
        let nu = self.parts.len();
        debug_assert_eq!(base.len(), targets.len());
        debug_assert_eq!(action.len(), self.action_dim());
        match self.compose {
            Compose::Add { alpha } => {
                for i in 0..nu {
                    let residual = action[i] * self.reach_of(i);
                    memory.values[i] = alpha * residual + (1.0 - alpha) * memory.values[i];
                }
                self.each(base, targets, |i, base| add(base, memory.values[i], self.ranges[i]));
            }
            Compose::ScaledAverage { gain, alpha, whole: false } => {
                for i in 0..nu {
                    let unit = self.normalised(i, base[i]);
                    // The average of the correction that survives the clipping.
                    let wanted = scaled_average(unit, action[i], gain, 1.0, 0.0) - unit;
                    let previous = memory.values[i];
                    memory.values[i] = alpha * wanted + (1.0 - alpha) * previous;
                }
                self.each(base, targets, |i, base| {
                    add(base, memory.values[i] * self.unit_of(i), self.ranges[i])
                });
            }
            Compose::ScaledAverage { gain, alpha, whole: true } => {
                let first = base[..nu].to_vec();
                for i in 0..nu {
                    let unit = self.normalised(i, first[i]);
                    let previous = if memory.begun { memory.values[i] } else { unit };
                    memory.values[i] = scaled_average(unit, action[i], gain, alpha, previous);
                }
                self.each(base, targets, |i, _| {
                    let target = self.denormalised(i, first[i], memory.values[i]);
                    add(target, 0.0, self.ranges[i])
                });
            }
            Compose::Accumulate { bound } => {
                self.accumulate(scene, base, action, bound, memory, targets)
            }
            Compose::Rescaled => self.each(base, targets, |i, base| match self.parts[i] {
                Part::Wrist(..) => neighbourhood(action[i], base, self.reach_of(i), self.ranges[i]),
                Part::Finger if self.ranges[i].0.is_finite() && self.ranges[i].1.is_finite() => {
                    whole_range(action[i], base, self.ranges[i])
                }
                Part::Finger => neighbourhood(action[i], base, self.reach_of(i), self.ranges[i]),
            }),
            Compose::Attended => self.each(base, targets, |i, base| {
                let residual = action[i] * self.reach_of(i);
                attended(base, residual, logistic(action[nu + i]), self.ranges[i])
            }),
        }
        memory.begun = true;
    }

    fn each(&self, base: &[f64], targets: &mut [f64], target: impl Fn(usize, f64) -> f64) {
        let nu = self.parts.len();
        for (targets, base) in targets.chunks_exact_mut(nu).zip(base.chunks_exact(nu)) {
            for i in 0..nu {
                targets[i] = target(i, base[i]);
            }
        }
    }

    fn reach_of(&self, index: usize) -> f64 {
        match self.parts[index] {
            Part::Wrist(_, 0..3) => self.reach.position,
            Part::Wrist(..) => self.reach.rotation,
            Part::Finger => self.reach.finger,
        }
    }

    /// Half a range in the sense of [`Compose::ScaledAverage`].
    fn unit_of(&self, index: usize) -> f64 {
        match self.parts[index] {
            Part::Wrist(..) => self.reach_of(index),
            Part::Finger => self.half(index),
        }
    }

    fn middle(&self, index: usize, base: f64) -> f64 {
        let middle = 0.5 * (self.ranges[index].0 + self.ranges[index].1);
        match self.parts[index] {
            Part::Finger if middle.is_finite() => middle,
            _ => base,
        }
    }

    fn normalised(&self, index: usize, base: f64) -> f64 {
        ((base - self.middle(index, base)) / self.unit_of(index)).clamp(-1.0, 1.0)
    }

    fn denormalised(&self, index: usize, base: f64, value: f64) -> f64 {
        self.middle(index, base) + value * self.unit_of(index)
    }

    fn accumulate(
        &self,
        scene: &Scene,
        base: &[f64],
        action: &[f64],
        bound: f64,
        memory: &mut Memory,
        targets: &mut [f64],
    ) {
        let nu = self.parts.len();
        for i in 0..nu {
            let most = bound * self.reach_of(i);
            let sum = memory.values[i] + action[i] * self.reach_of(i);
            // Hinges turn by a product of rotations; only slides and fingers are sums.
            if !matches!(self.parts[i], Part::Wrist(_, 3..)) {
                memory.values[i] = sum.clamp(-most, most);
            }
        }
        self.each(base, targets, |i, base| match self.parts[i] {
            Part::Finger => add(base, memory.values[i], self.ranges[i]),
            Part::Wrist(..) => base,
        });
        for (hand, place) in scene.hands.iter().enumerate() {
            let [ctrl_x, ctrl_y, ctrl_z, turn_x, turn_y, turn_z] = place.wrist_ctrl;
            let step = Vector3::new(action[turn_x], action[turn_y], action[turn_z]);
            let step = UnitQuaternion::from_scaled_axis(step * self.reach.rotation);
            let mut turned = quaternion(memory.turns[hand]) * step;
            let (angle, most) = (turned.angle(), bound * self.reach.rotation);
            if angle > most
                && let Some(axis) = turned.axis()
            {
                turned = UnitQuaternion::from_axis_angle(&axis, most);
            }
            let q = turned.quaternion();
            memory.turns[hand] = [q.w, q.i, q.j, q.k];
            let moved =
                Vector3::new(memory.values[ctrl_x], memory.values[ctrl_y], memory.values[ctrl_z]);
            if turned.angle() == 0.0 && moved == Vector3::zeros() {
                continue;
            }
            for (targets, base) in targets.chunks_exact_mut(nu).zip(base.chunks_exact(nu)) {
                let near = place.wrist_ctrl.map(|index| base[index]);
                let root = wrist_to_root(place, &near);
                let wanted = accumulated(&root, &place.pivot_in_root, &moved, &turned);
                let wrist = root_to_wrist(place, &wanted, &near);
                for (&index, value) in place.wrist_ctrl.iter().zip(wrist) {
                    targets[index] = add(value, 0.0, self.ranges[index]);
                }
            }
        }
    }
}

fn quaternion([w, i, j, k]: [f64; 4]) -> UnitQuaternion<f64> {
    UnitQuaternion::new_unchecked(nalgebra::Quaternion::new(w, i, j, k))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Point3;

    const FREE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn sums_stay_in_the_control_range() {
        assert!(close(add(0.5, 0.2, (0.0, 1.0)), 0.7));
        assert!(close(add(0.9, 0.2, (0.0, 1.0)), 1.0));
        assert!(close(add(0.1, -0.2, FREE), -0.1));
        assert!(add(f64::NAN, 0.0, (0.0, 1.0)).is_nan(), "a broken action is not hidden");
    }

    #[test]
    fn the_scaled_average_is_that_of_maniptrans() {
        // clip(0.3 + 2 * 0.5) = 1, then 0.4 * 1 + 0.6 * (-0.5) = 0.1.
        assert!(close(scaled_average(0.3, 0.5, 2.0, 0.4, -0.5), 0.1));
        // clip(0.3 - 2 * 0.1) = 0.1, then 0.04 + 0.6 * 0.2 = 0.16.
        assert!(close(scaled_average(0.3, -0.1, 2.0, 0.4, 0.2), 0.16));
    }

    #[test]
    fn accumulated_turns_multiply_on_the_right_and_leave_the_pivot() {
        let quarter = std::f64::consts::FRAC_PI_2;
        let base = Pose::from_parts(
            Vector3::new(1.0, 0.0, 0.0).into(),
            UnitQuaternion::from_axis_angle(&Vector3::z_axis(), quarter),
        );
        let pivot = Point3::new(0.1, 0.0, 0.0);
        let turned = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), quarter);
        let moved = Vector3::new(0.0, 0.0, 0.02);
        let pose = accumulated(&base, &pivot, &moved, &turned);
        // The pivot was at (1, 0.1, 0) and rises by 2 cm.
        assert!(((pose * pivot) - Point3::new(1.0, 0.1, 0.02)).norm() < 1e-12);
        // q̄ turns x to y; the turn about x is about the body's x, that is the world's y: y goes to
        // z by the turn, which q̄ leaves where it is.
        let y = pose.rotation * Vector3::y();
        assert!((y - Vector3::z()).norm() < 1e-12, "{y}");
        let x = pose.rotation * Vector3::x();
        assert!((x - Vector3::y()).norm() < 1e-12, "{x}");
    }

    #[test]
    fn ranges_are_mapped_as_in_pkda() {
        assert!(close(neighbourhood(-0.5, 0.3, 0.1, FREE), 0.25));
        assert!(close(whole_range(-1.0, 0.4, (0.2, 1.0)), 0.2));
        assert!(close(whole_range(-0.5, 0.4, (0.2, 1.0)), 0.3));
        assert!(close(whole_range(0.0, 0.4, (0.2, 1.0)), 0.4));
        assert!(close(whole_range(0.5, 0.4, (0.2, 1.0)), 0.7));
        assert!(close(whole_range(1.0, 0.4, (0.2, 1.0)), 1.0));
    }

    #[test]
    fn weights_scale_the_residual() {
        assert!(close(logistic(0.0), 0.5));
        assert!(close(logistic(f64::ln(3.0)), 0.75));
        assert!(close(attended(0.1, 0.4, logistic(0.0), FREE), 0.3));
        assert!(close(attended(0.1, 0.4, logistic(-800.0), FREE), 0.1));
    }
}
