//! When an episode is given up.

use super::curriculum::Relaxation;
use super::seen::{Level, Seen, SeenHand};
use super::task::{Frame, KnuckleFrame};
use dextra_core::pose;
use nalgebra::Vector3;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Limits beyond which an episode is given up; infinite for none. Those of objects and those of hands
/// tighten by factors of their own ([`Relaxation`]).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Termination {
    /// Object position error, metres.
    pub position: f64,
    /// Object rotation error, radians.
    pub rotation: f64,
    /// Distance of each tip from where the path has it, metres, from thumb to pinky; one number in a file
    /// stands for all five.
    #[serde(deserialize_with = "for_every_finger")]
    pub tip: [f64; 5],
    /// Mean distance of the fingers' first joints from where the path has them, metres.
    pub proximal: f64,
    /// The same of the joints between those and the tips.
    pub middle: f64,
    /// Tips that should touch and do not.
    pub contact: MissedContact,
    /// Control steps of an episode during which it is not given up (8 in ManipTrans).
    pub grace: usize,
}

impl Default for Termination {
    /// 6 cm and 57 degrees, as in our prototype and at the start of ManipTrans's curriculum.
    fn default() -> Self {
        Self { position: 0.06, rotation: 1.0, grace: 4, ..Self::NEVER }
    }
}

impl Termination {
    /// No limit at all.
    pub const NEVER: Termination = Termination {
        position: f64::INFINITY,
        rotation: f64::INFINITY,
        tip: [f64::INFINITY; 5],
        proximal: f64::INFINITY,
        middle: f64::INFINITY,
        contact: MissedContact { steps: 0, distance: 0.005 },
        grace: 0,
    };

    /// ManipTrans (`dexhandimitator.py`, `dexhandmanip_sh.py`) at the start of its curriculum, where its
    /// factors `s³` and `s` are 1: objects 2 cm and 30 degrees over 0.343; tips 4, 4.5, 5, 6 and 6 cm,
    /// proximal joints 7 cm and middle joints 8 cm over 0.7.
    pub fn maniptrans() -> Self {
        Self {
            position: 0.02 / 0.343,
            rotation: 30f64.to_radians() / 0.343,
            tip: [0.04, 0.045, 0.05, 0.06, 0.06].map(|end| end / 0.7),
            proximal: 0.07 / 0.7,
            middle: 0.08 / 0.7,
            contact: MissedContact { steps: 3, ..Self::NEVER.contact },
            grace: 8,
        }
    }
}

/// When a tip that should touch has not touched for too long. In ManipTrans the steps without contact count from
/// before it should touch; here only those in which it should, since robot fingers close on an object slowly
/// where recorded human ones are in it already.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MissedContact {
    /// Control steps on end in which it should push on an object and does not; 0 for no limit (3 in ManipTrans).
    pub steps: usize,
    /// Distance of the tip from the nearest object on the path below which it should touch, metres (5 mm in
    /// ManipTrans).
    pub distance: f64,
}

impl Default for MissedContact {
    fn default() -> Self {
        Termination::NEVER.contact
    }
}

/// Counts for every tip, hand after hand, how many control steps on end it has missed a contact; whether one
/// has missed it for too long.
pub(super) fn out_of_touch(
    limit: &MissedContact,
    seen: &Seen,
    frame: &Frame,
    missed: &mut [u64],
) -> bool {
    let tips = seen.hands.iter().flat_map(|hand| &hand.tips).zip(frame.tips.iter().flatten());
    for ((tip, wanted), steps) in tips.zip(&mut *missed) {
        let misses = wanted.distance < limit.distance && tip.push_in_world == Vector3::zeros();
        *steps = if misses { *steps + 1 } else { 0 };
    }
    limit.steps > 0 && missed.iter().any(|&steps| steps >= limit.steps as u64)
}

/// Five numbers, or one for all.
fn for_every_finger<'de, D: Deserializer<'de>>(input: D) -> Result<[f64; 5], D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected one number, or five from thumb to pinky")]
    enum Limits {
        One(f64),
        Each([f64; 5]),
    }
    Ok(match Limits::deserialize(input)? {
        Limits::One(limit) => [limit; 5],
        Limits::Each(limits) => limits,
    })
}

/// Whether an object or a finger is too far from where it should be.
pub(super) fn lost(
    limits: &Termination,
    relaxation: &Relaxation,
    seen: &Seen,
    frame: &Frame,
) -> bool {
    let factor = relaxation.tolerance;
    let objects = seen.objects.iter().zip(&frame.objects);
    let far = objects.into_iter().any(|(object, wanted)| {
        pose::distance_between(&object.pose, wanted) > limits.position * factor
            || pose::angle_between(&object.pose, wanted) > limits.rotation * factor
    });
    far || (0..seen.hands.len()).any(|h| astray(limits, relaxation.hand_tolerance, seen, frame, h))
}

/// Whether a finger of a hand is too far from where the path has it.
fn astray(limits: &Termination, factor: f64, seen: &Seen, frame: &Frame, hand: usize) -> bool {
    let (real, knuckles) = (&seen.hands[hand], &frame.knuckles[hand]);
    let mut tips = real.tips.iter().zip(&frame.tips[hand]);
    let far = tips.any(|(tip, wanted)| {
        (tip.in_world - wanted.in_world).norm() > limits.tip[tip.finger] * factor
    });
    far || mean_distance(real, knuckles, Level::Proximal) > limits.proximal * factor
        || mean_distance(real, knuckles, Level::Middle) > limits.middle * factor
}

/// Mean distance, metres, of a hand's joints of one level from where they should be; 0 without any.
pub(super) fn mean_distance(hand: &SeenHand, wanted: &[KnuckleFrame], level: Level) -> f64 {
    let pairs = hand.knuckles.iter().zip(wanted).filter(|(real, _)| real.level == level);
    let (sum, count) = pairs.fold((0.0, 0usize), |(sum, count), (real, wanted)| {
        (sum + (real.in_world - wanted.in_world).norm(), count + 1)
    });
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::seen::{SeenKnuckle, SeenTip};
    use crate::track::task::{Speeds, TipFrame};
    use dextra_core::Pose;
    use nalgebra::Point3;

    /// A hand on its path, all of it at the origin: five tips, two proximal joints and one middle one.
    fn on_path() -> (Seen, Frame) {
        let tip = |finger| SeenTip {
            finger,
            in_world: Point3::origin(),
            velocity: Vector3::zeros(),
            pad_in_world: Vector3::z(),
            push_in_world: Vector3::zeros(),
            near: Vec::new(),
        };
        let joint =
            |level| SeenKnuckle { level, in_world: Point3::origin(), velocity: Vector3::zeros() };
        let hand = SeenHand {
            world_from_root: Pose::identity(),
            velocity: Vector3::zeros(),
            turning: Vector3::zeros(),
            pivot: Point3::origin(),
            palm_in_world: Vector3::z(),
            joints: Vec::new(),
            joint_velocities: Vec::new(),
            wrist: [0.0; 6],
            lengths: Vec::new(),
            tips: (0..5).map(tip).collect(),
            knuckles: [Level::Proximal, Level::Middle, Level::Proximal].map(joint).to_vec(),
        };
        let wanted = TipFrame { in_world: Point3::origin(), goal: None, distance: f64::INFINITY };
        let frame = Frame {
            objects: Vec::new(),
            roots: vec![Pose::identity()],
            tips: vec![vec![wanted; 5]],
            knuckles: vec![vec![KnuckleFrame { in_world: Point3::origin(), goal: None }; 3]],
            loads: Vec::new(),
            speeds: Speeds::default(),
        };
        (Seen { hands: vec![hand], objects: Vec::new() }, frame)
    }

    /// Whether ManipTrans gives up at a factor on the limits of hands, after a change.
    fn given_up(factor: f64, change: impl Fn(&mut SeenHand)) -> bool {
        let (mut seen, frame) = on_path();
        change(&mut seen.hands[0]);
        let relaxation = Relaxation { hand_tolerance: factor, ..Relaxation::NONE };
        lost(&Termination::maniptrans(), &relaxation, &seen, &frame)
    }

    #[test]
    fn every_finger_has_its_own_limit_and_it_tightens() {
        // In the end 4, 4.5, 5, 6 and 6 cm; at first those over 0.7.
        for (finger, end) in [4.0, 4.5, 5.0, 6.0, 6.0].into_iter().enumerate() {
            let off =
                |cm: f64| move |hand: &mut SeenHand| hand.tips[finger].in_world.y = -cm / 100.0;
            assert!(!given_up(0.7, off(end - 0.01)) && given_up(0.7, off(end + 0.01)), "{finger}");
            let first = end / 0.7;
            assert!(!given_up(1.0, off(first - 0.01)) && given_up(1.0, off(first + 0.01)));
        }
    }

    #[test]
    fn joints_below_the_tips_count_in_the_mean_of_their_level() {
        // One of two proximal joints 13 cm off: 6.5 cm in the mean, of 7; 15 cm: 7.5.
        let proximal = |cm: f64| move |h: &mut SeenHand| h.knuckles[2].in_world.x = cm / 100.0;
        assert!(!given_up(0.7, proximal(13.0)) && given_up(0.7, proximal(15.0)));
        // The only middle one: 8 cm.
        let middle = |cm: f64| move |h: &mut SeenHand| h.knuckles[1].in_world.x = cm / 100.0;
        assert!(!given_up(0.7, middle(7.9)) && given_up(0.7, middle(8.1)));
        assert!(!given_up(1.0, middle(11.4)) && given_up(1.0, middle(11.5)));
    }

    #[test]
    fn the_factor_of_objects_is_not_that_of_hands() {
        let (mut seen, mut frame) = on_path();
        seen.objects.push(crate::track::seen::SeenObject {
            pose: Pose::translation(0.03, 0.0, 0.0),
            velocity: Vector3::zeros(),
            turning: Vector3::zeros(),
            force: Vector3::zeros(),
            torque: Vector3::zeros(),
        });
        frame.objects.push(Pose::identity());
        let lost = |tolerance, hand_tolerance| {
            let relaxation = Relaxation { tolerance, hand_tolerance, ..Relaxation::NONE };
            super::lost(&Termination::maniptrans(), &relaxation, &seen, &frame)
        };
        // 3 cm of 5.8 at first and of 2 in the end.
        assert!(!lost(1.0, 0.343) && lost(0.343, 1.0));
    }

    #[test]
    fn a_tip_that_should_touch_may_miss_two_steps_and_not_three() {
        let (mut seen, mut frame) = on_path();
        let limit = Termination::maniptrans().contact;
        let mut missed = vec![0; 5];
        let mut step = |distance: f64, push: f64| {
            // The middle finger; the others are not asked for.
            frame.tips[0][2].distance = distance;
            seen.hands[0].tips[2].push_in_world.z = push;
            out_of_touch(&limit, &seen, &frame, &mut missed)
        };
        // At 4 mm it should touch: a push after two steps begins the count anew.
        assert_eq!([0.0, 0.0, 0.1, 0.0, 0.0].map(|push| step(0.004, push)), [false; 5]);
        // At 6 mm nothing is asked, which does as well.
        assert!(!step(0.006, 0.0));
        assert_eq!([0.0, 0.0, 0.0].map(|push| step(0.004, push)), [false, false, true]);
        assert_eq!(missed, [0, 0, 3, 0, 0]);
        let off = Termination::default().contact;
        assert!(!out_of_touch(&off, &seen, &frame, &mut [9; 5]), "off by default");
    }

    #[test]
    fn one_limit_in_a_file_is_that_of_all_fingers() {
        let read = |text: &str| toml::from_str::<Termination>(text);
        let tip = |text: &str| read(text).unwrap().tip;
        assert_eq!(tip("tip = inf"), [f64::INFINITY; 5]);
        assert_eq!(tip("tip = 0.1"), [0.1; 5]);
        assert_eq!(tip("tip = [0.1, 0.2, inf, 0.4, 1]"), [0.1, 0.2, f64::INFINITY, 0.4, 1.0]);
        for bad in ["tip = [0.1, 0.2]", "tip = \"far\"", "tips = 0.1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let error = read("tip = [0.1]").unwrap_err().to_string();
        assert!(error.contains("five from thumb to pinky"), "{error}");
        let all = Termination::maniptrans();
        assert_eq!(read(&toml::to_string(&all).unwrap()).unwrap(), all);
    }
}
