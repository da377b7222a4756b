//! A base motion that follows the object to where it really lies.
//!
//! Before a hold, the hand's part of the base is moved along with the measured displacement of the object
//! from its planned place, so that it grasps at the same place of the object; after the take that fades,
//! so that the object comes onto its reference. The idea is that of object-centric segments in
//! MimicGen (Mandlekar et al. 2023); here it is part of the controller and runs closed loop.

use super::TrackError;
use super::episode::{Reader, Writer};
use super::randomise::{Noise, generator};
use super::task::Task;
use dextra_core::Pose;
use dextra_sim::scene::{Scene, root_to_wrist, wrist_to_root};
use nalgebra::{UnitQuaternion, Vector3};
use rand::RngExt;
use rand_distr::StandardNormal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the base follows the object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AnchorConfig {
    /// Whether it does.
    pub on: bool,
    /// Seconds in which the base goes over to where the object is.
    pub follow: f64,
    /// Seconds after the take in which it comes back to the plan.
    pub fade: f64,
    /// Largest displacement that is followed, metres.
    pub reach: f64,
}

impl Default for AnchorConfig {
    fn default() -> Self {
        Self { on: false, follow: 0.4, fade: 0.4, reach: 0.1 }
    }
}

/// One hold as the anchor sees it, in control steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Anchor {
    hand: usize,
    object: usize,
    /// From here the object's displacement is looked at, and followed.
    from: usize,
    /// Until here it is looked at: then fingers come near.
    until: usize,
    /// The hand has it from here.
    take: usize,
    /// Where the object is planned to lie before the hand comes near.
    planned: Pose,
}

/// What is known of the displacement before one hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seen {
    moved: Sums,
    turned: Sums,
    looks: u64,
}

/// Sums over looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    values: Vector3<f64>,
    /// Of the squared norms.
    squares: f64,
}

impl Sums {
    fn add(&mut self, value: Vector3<f64>) {
        self.values += value;
        self.squares += value.norm_squared();
    }

    /// The mean, as much shorter as scatter alone would have made it longer: what `looks` scattered ones of
    /// nothing average to is nothing. This is the positive-part estimator of James and Stein (1961) with
    /// the prior's variance read from the mean itself; without scatter it is the mean.
    fn shrunk(&self, looks: u64) -> Vector3<f64> {
        let n = looks.max(1) as f64;
        let mean = self.values / n;
        if looks < 2 {
            return mean;
        }
        let scatter = (self.squares - n * mean.norm_squared()).max(0.0) / (n - 1.0);
        let by_chance = scatter / n;
        mean * (1.0 - by_chance / mean.norm_squared().max(f64::MIN_POSITIVE)).max(0.0)
    }
}

/// Anchors of a task. `held[c][object]` says whether a hand touches an object on the base motion at control
/// step `c`.
pub(super) fn anchors(task: &Task<'_>, every: usize, held: &[Vec<bool>]) -> Vec<Anchor> {
    let hold = |hold: &crate::refine::timeline::HoldSteps| {
        let take = hold.take / every;
        let earlier = task.holds.iter().filter_map(|other| {
            let release = other.release? / every;
            (other.hand == hold.hand && release <= take).then_some(release)
        });
        let from = earlier.max().unwrap_or(0);
        let still = task.holds.iter().filter_map(|other| {
            let release = other.release? / every;
            (other.object == hold.object && release <= take).then_some(release)
        });
        let rests = still.max().unwrap_or(0);
        // Fingers that have let go may touch it still.
        let first_touch = (rests..take.min(held.len()))
            .rev()
            .take_while(|&c| held[c][hold.object])
            .last()
            .unwrap_or(take);
        let from = from.max(rests);
        let until = first_touch.saturating_sub(2).max(from);
        // Not where it is at the take: fingers that close on it may have pushed it by then.
        let state = (until * every).min(task.path.len() - 1);
        Anchor {
            hand: hold.hand,
            object: hold.object,
            from,
            until,
            take,
            planned: task.scene.world_from_object(hold.object, &task.path[state]),
        }
    };
    // An object that another hand has when it is taken over does not rest.
    let handed = |hold: &crate::refine::timeline::HoldSteps| {
        task.holds.iter().any(|other| {
            other.hand != hold.hand
                && other.object == hold.object
                && other.take < hold.take
                && other.release.is_none_or(|release| release > hold.take)
        })
    };
    task.holds.iter().filter(|h| !handed(h)).map(hold).collect()
}

impl Anchor {
    /// Looks where the object is at control step `at`.
    pub(super) fn look(&self, at: usize, measured: &Pose, seen: &mut Seen) {
        if (self.from..=self.until).contains(&at) {
            seen.moved.add(measured.translation.vector - self.planned.translation.vector);
            seen.turned.add((measured.rotation * self.planned.rotation.inverse()).scaled_axis());
            seen.looks += 1;
        }
    }

    /// How much of the displacement counts, in `[0, 1]`: nothing before `from`, all of it from `follow`
    /// later on until the take, nothing again from `fade` after it. `age` is that of the episode; all in
    /// control steps of `period` seconds.
    fn weight(&self, config: &AnchorConfig, at: usize, age: usize, period: f64) -> f64 {
        if at < self.from {
            return 0.0;
        }
        let since = age.min(at - self.from) as f64 * period;
        let coming = smooth(since / config.follow);
        let after = at.saturating_sub(self.take) as f64 * period;
        coming * (1.0 - smooth(after / config.fade))
    }

    /// Moves the hand's wrist targets in the rows of one control step, `[every, nu]`.
    pub(super) fn apply(
        &self,
        config: &AnchorConfig,
        scene: &Scene,
        seen: &Seen,
        (at, age): (usize, usize),
        period: f64,
        rows: &mut [f64],
    ) {
        let weight = self.weight(config, at, age, period);
        if weight == 0.0 || seen.looks == 0 {
            return;
        }
        let moved = seen.moved.shrunk(seen.looks);
        let moved = moved * (config.reach / moved.norm().max(config.reach));
        let turn = UnitQuaternion::from_scaled_axis(seen.turned.shrunk(seen.looks) * weight);
        let center = self.planned.translation.vector;
        let place = &scene.hands[self.hand];
        let nu = scene.ctrl_ranges().len();
        for row in rows.chunks_exact_mut(nu) {
            let wrist = place.wrist_ctrl.map(|index| row[index]);
            let root = wrist_to_root(place, &wrist);
            let place_in_world =
                center + moved * weight + turn * (root.translation.vector - center);
            let root = Pose::from_parts(place_in_world.into(), turn * root.rotation);
            let wanted = root_to_wrist(place, &root, &wrist);
            for (&index, value) in place.wrist_ctrl.iter().zip(wanted) {
                row[index] = value;
            }
        }
    }

    pub(super) fn object(&self) -> usize {
        self.object
    }
}

/// From 0 to 1 with level ends.
pub(super) fn smooth(x: f64) -> f64 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// A pose as it is measured.
pub(super) fn measured(
    pose: &Pose,
    noise: &Noise,
    (seed, world, episode, age): (u64, usize, u64, usize),
) -> Pose {
    if noise.position == 0.0 && noise.rotation == 0.0 {
        return *pose;
    }
    /// Far from the purposes of the observations' draws, which are counted from 1.
    const PURPOSE: u64 = 1 << 32;
    let mut rng = generator(seed, world, episode, PURPOSE + age as u64);
    let mut draw = || Vector3::from_fn(|_, _| rng.sample::<f64, _>(StandardNormal));
    let moved = pose.translation.vector + draw() * noise.position;
    let turn = UnitQuaternion::from_scaled_axis(draw() * noise.rotation);
    Pose::from_parts(moved.into(), turn * pose.rotation)
}

impl Seen {
    pub(super) fn write(&self, out: &mut Writer) {
        for sums in [&self.moved, &self.turned] {
            sums.values.iter().for_each(|&value| out.number(value));
            out.number(sums.squares);
        }
        out.count(self.looks);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, TrackError> {
        let mut sums = || {
            let values = Vector3::new(input.number()?, input.number()?, input.number()?);
            Ok::<_, TrackError>(Sums { values, squares: input.number()? })
        };
        Ok(Self { moved: sums()?, turned: sums()?, looks: input.count()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(looks: &[Vector3<f64>]) -> Vector3<f64> {
        let mut sums = Sums::default();
        looks.iter().for_each(|look| sums.add(*look));
        sums.shrunk(looks.len() as u64)
    }

    #[test]
    fn what_is_seen_without_scatter_is_followed_whole() {
        let moved = Vector3::new(0.01, -0.003, 0.0);
        assert!((after(&[moved; 12]) - moved).norm() < 1e-12);
        assert_eq!(after(&[moved]), moved);
        assert_eq!(after(&[Vector3::zeros(); 3]), Vector3::zeros());
    }

    #[test]
    fn scatter_is_taken_off_by_hand() {
        // Mean (2, 0, 0); deviations of norm 1, 1, 0 have the variance 1 and the mean's 1/3: 1 - 1/12.
        let looks = [[3.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]].map(Vector3::from);
        assert!((after(&looks) - Vector3::new(2.0 * 11.0 / 12.0, 0.0, 0.0)).norm() < 1e-12);
        // Mean (0.5, 0, 0) of values 3 apart: chance alone would be longer.
        let looks = [[2.0, 0.0, 0.0], [-1.0, 0.0, 0.0]].map(Vector3::from);
        assert_eq!(after(&looks), Vector3::zeros());
    }

    #[test]
    fn noise_misleads_less_than_the_mean_does() {
        let mut rng = generator(1, 2, 3, 4);
        let (mut mean, mut shrunk) = (0.0, 0.0);
        for _ in 0..400 {
            let mut sums = Sums::default();
            for _ in 0..8 {
                sums.add(Vector3::from_fn(|_, _| 0.015 * rng.sample::<f64, _>(StandardNormal)));
            }
            mean += (sums.values / 8.0).norm() / 400.0;
            shrunk += sums.shrunk(8).norm() / 400.0;
        }
        // 1.5 cm over the root of 8, times the mean length of a normal vector in space, 1.596.
        assert!((mean - 0.015 / 8f64.sqrt() * 1.596).abs() < 3e-4, "{mean}");
        assert!(shrunk < 0.5 * mean, "{shrunk} {mean}");
    }
}
