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
    /// Where the object is planned to lie.
    planned: Pose,
}

/// What is known of the displacement before one hold: sums over the looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seen {
    moved: Vector3<f64>,
    turned: Vector3<f64>,
    looks: u64,
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
        let state = (take * every).min(task.path.len() - 1);
        Anchor {
            hand: hold.hand,
            object: hold.object,
            from: from.max(rests),
            until: first_touch.saturating_sub(2).max(from.max(rests)),
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
            seen.moved += measured.translation.vector - self.planned.translation.vector;
            seen.turned += (measured.rotation * self.planned.rotation.inverse()).scaled_axis();
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
        let looks = seen.looks as f64;
        let moved = seen.moved / looks;
        let moved = moved * (config.reach / moved.norm().max(config.reach));
        let turn = UnitQuaternion::from_scaled_axis(seen.turned / looks * weight);
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
        self.moved.iter().chain(self.turned.iter()).for_each(|&value| out.number(value));
        out.count(self.looks);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, TrackError> {
        let mut vector =
            || Ok::<_, TrackError>(Vector3::new(input.number()?, input.number()?, input.number()?));
        let (moved, turned) = (vector()?, vector()?);
        Ok(Self { moved, turned, looks: input.count()? })
    }
}
