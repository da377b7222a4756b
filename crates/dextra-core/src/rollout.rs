//! What the simulator measured when actions were played, and the only door to [`Accepted`].

use crate::closure;
use crate::demonstration::Keypoints;
use crate::metrics::{self, Metrics, Mismatch, Protocol};
use crate::retime::Peak;
use crate::{Joint, JointKind, Pose, Side};
use nalgebra::Point3;
use std::ops::Deref;

/// An object during a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectRollout {
    /// Name of the object, as in the demonstration.
    pub name: String,
    /// Pose at every state, `[N + 1]`.
    pub world_from_object: Vec<Pose>,
    /// The joint of an object that is a part of an earlier one, as simulated.
    pub joint: Option<Joint>,
}

/// A robot hand during a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct HandRollout {
    /// Name of the hand model.
    pub hand: String,
    /// Side of the hand model.
    pub side: Side,
    /// The human keypoint that each tracked robot point stands for, `[K]`.
    pub keypoints: Vec<usize>,
    /// Robot points at every state, `[N + 1][K]`, world frame, metres.
    pub keypoints_in_world: Vec<Vec<Point3<f64>>>,
}

/// Contacts during one physics step, summed over hands and objects.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepContacts {
    /// Contact points between hand and object.
    pub hand_object_count: u32,
    /// Whether the normals of those contacts span more than 90 degrees: the hand pushes the object
    /// from opposing sides.
    pub opposing: bool,
    /// Sum of the normal forces between hand and object, newtons.
    pub hand_object_force: f64,
    /// Deepest penetration between hand and object, metres, not negative.
    pub hand_object_penetration: f64,
    /// Deepest penetration of a hand into itself or the other hand, metres, not negative.
    pub self_penetration: f64,
    /// Deepest penetration of a hand into the table, metres, not negative.
    pub hand_table_penetration: f64,
    /// Whether an object touches the table.
    pub object_table: bool,
}

/// A contact of a hand with an object during one physics step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch {
    /// Hand, in the order of [`Rollout::hands`].
    pub hand: usize,
    /// Object, in the order of [`Rollout::objects`].
    pub object: usize,
    /// Where, and what friction allows there; the normal points into the object. In the world frame.
    pub contact: closure::Contact,
    /// Normal force, newtons.
    pub force: f64,
}

/// A played-out control sequence: `N` physics steps and `N + 1` states, state 0 being the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Physics step, seconds.
    pub dt: f64,
    /// Number of actuators.
    pub nu: usize,
    /// Controls, one row per physics step, `[N * nu]`.
    pub ctrl: Vec<f64>,
    /// Initial positions, `[nq]`.
    pub qpos0: Vec<f64>,
    /// Initial velocities, `[nv]`.
    pub qvel0: Vec<f64>,
    /// Positions at every state, `[N + 1][nq]`.
    pub qpos: Vec<Vec<f64>>,
    /// Objects.
    pub objects: Vec<ObjectRollout>,
    /// Hands.
    pub hands: Vec<HandRollout>,
    /// Contacts of every step, `[N]`.
    pub contacts: Vec<StepContacts>,
    /// Every contact between a hand and an object in every step, `[N]`. The engine finds the contacts of
    /// step `i` at state `i`, before it moves on.
    pub touches: Vec<Vec<Touch>>,
    /// Fraction of the actuators at their force limit in every step, `[N]`, in `[0, 1]`.
    pub saturated: Vec<f64>,
    /// False when the simulator met a non-finite or exploding state; the series then end there.
    pub finite: bool,
    /// Seed of whatever made the controls.
    pub seed: u64,
    /// Engine and version, such as `"mujoco 3.17.0"`.
    pub engine: String,
}

/// Normal force above which a contact pushes rather than grazes, newtons.
pub const PUSH: f64 = 0.05;

/// What a rollout is judged against.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reference {
    /// Judged frames in the order of time.
    pub frames: Vec<ReferenceFrame>,
}

/// The demanded scene at one judged frame.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceFrame {
    /// State of the rollout that this frame is compared with, in `0..=N`.
    pub step: usize,
    /// Pose of each object, in the order of [`Rollout::objects`].
    pub world_from_object: Vec<Pose>,
    /// Keypoints of each human hand, in the order of [`Rollout::hands`]; `None` where the motion
    /// was planned rather than demonstrated (lead-in and release).
    pub human_keypoints: Vec<Option<Keypoints>>,
}

impl ReferenceFrame {
    /// Whether a human was recorded at this frame.
    pub fn is_demonstrated(&self) -> bool {
        self.human_keypoints.iter().any(Option::is_some)
    }
}

/// What a rollout must meet to be accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The success rule.
    pub protocol: Protocol,
    /// Largest 99th percentile of hand-object penetration, metres; `None` for no limit. The default
    /// 1 cm keeps out grasps that hold only because the hand is inside the object.
    pub object_penetration: Option<f64>,
    /// Largest 99th percentile of self-penetration, metres; `None` for no limit.
    pub self_penetration: Option<f64>,
    /// Every hinge must stay below this error at every judged frame, radians; `None` for no limit. The
    /// default is DexMan's limit for the rotation of an object: no published rule judges the joint.
    pub hinge: Option<f64>,
    /// The same for sliders, metres; the default is DexMan's limit for the position of an object.
    pub slider: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            protocol: Protocol::Dexman,
            object_penetration: Some(0.01),
            self_penetration: Some(0.01),
            hinge: Protocol::Dexman.every_frame().map(|(_, angle)| angle),
            slider: Protocol::Dexman.every_frame().map(|(distance, _)| distance),
        }
    }
}

/// A rollout that passed stated limits. Only [`Rollout::accept`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    rollout: Rollout,
    metrics: Metrics,
    limits: Limits,
}

impl Accepted {
    /// What was measured when it was accepted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What it had to meet.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The rollout, no longer known to be accepted.
    pub fn into_rollout(self) -> Rollout {
        self.rollout
    }
}

impl Deref for Accepted {
    type Target = Rollout;

    fn deref(&self) -> &Rollout {
        &self.rollout
    }
}

/// A rollout that was not accepted, and why.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    /// The rollout, given back.
    pub rollout: Box<Rollout>,
    /// Why.
    pub reason: Reason,
}

/// Why a rollout was not accepted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Reason {
    /// The simulation left the real numbers.
    #[error("the rollout is not finite from state {state} on")]
    NonFinite {
        /// First state that is missing or not finite.
        state: usize,
    },
    /// Rollout and reference do not belong together.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The success rule is not met.
    #[error(
        "protocol {} not met: mean object error {:.1} cm and {:.1} deg, worst {:.1} cm at frame {} \
         and {:.1} deg at frame {}",
        protocol.name(), metrics.e_t * 100.0, metrics.e_r.to_degrees(),
        metrics.max_t.value * 100.0, metrics.max_t.frame,
        metrics.max_r.value.to_degrees(), metrics.max_r.frame
    )]
    Protocol {
        /// The rule.
        protocol: Protocol,
        /// What was measured.
        metrics: Box<Metrics>,
    },
    /// A part is not where its joint should have it.
    #[error("{}", coordinate_reason(*kind, *worst, *allowed))]
    Joint {
        /// Hinge or slider.
        kind: JointKind,
        /// The largest error, radians or metres, and its judged frame.
        worst: Peak,
        /// Allowed.
        allowed: f64,
    },
    /// Bodies are inside each other.
    #[error("{what} penetration is {:.1} mm (99th percentile), allowed {:.1} mm",
        value * 1000.0, allowed * 1000.0)]
    Penetration {
        /// `"hand-object"` or `"self"`.
        what: &'static str,
        /// Measured, metres.
        value: f64,
        /// Allowed, metres.
        allowed: f64,
    },
}

fn coordinate_reason(kind: JointKind, worst: Peak, allowed: f64) -> String {
    let shown = |value: f64| match kind {
        JointKind::Hinge => format!("{:.1} deg", value.to_degrees()),
        JointKind::Slider => format!("{:.1} cm", value * 100.0),
    };
    let Peak { value, frame } = worst;
    format!(
        "a {} is {} off at frame {frame}, allowed {}",
        kind.name(),
        shown(value),
        shown(allowed)
    )
}

impl Rollout {
    /// What pushes on object `object` in step `step`, in the object's frame: the contacts that carry
    /// more than [`PUSH`]. Empty where the rollout has no such step.
    pub fn pushes(&self, object: usize, step: usize) -> Vec<closure::Contact> {
        let pose = self.objects.get(object).and_then(|o| o.world_from_object.get(step));
        let (Some(pose), Some(touches)) = (pose, self.touches.get(step)) else { return Vec::new() };
        touches
            .iter()
            .filter(|touch| touch.object == object && touch.force > PUSH)
            .map(|touch| closure::Contact {
                point: pose.inverse_transform_point(&touch.contact.point),
                normal: pose.inverse_transform_vector(&touch.contact.normal),
                ..touch.contact
            })
            .collect()
    }

    /// Number of physics steps `N`.
    pub fn steps(&self) -> usize {
        self.contacts.len()
    }

    /// The first state that holds a number which is not finite, looking at every series rather than
    /// at the flag; with the flag down and nothing else wrong, the state after the last one.
    pub fn first_non_finite(&self) -> Option<usize> {
        let finite = |values: &[f64]| values.iter().all(|x| x.is_finite());
        let good_pose = |pose: &Pose| {
            finite(pose.translation.vector.as_slice())
                && finite(pose.rotation.coords.as_slice())
                && (pose.rotation.coords.norm() - 1.0).abs() < 1e-3
        };
        let good_contact = |c: &StepContacts| {
            finite(&[
                c.hand_object_force,
                c.hand_object_penetration,
                c.self_penetration,
                c.hand_table_penetration,
            ])
        };
        let good_touch = |t: &Touch| {
            finite(t.contact.point.coords.as_slice())
                && finite(t.contact.normal.as_slice())
                && finite(&[t.contact.friction, t.contact.torsion, t.force])
        };
        let good_start = finite(&self.qpos0) && finite(&self.qvel0) && self.dt.is_finite();
        let bad = [
            (!good_start).then_some(0),
            self.ctrl.iter().position(|x| !x.is_finite()).map(|i| i / self.nu.max(1)),
            self.qpos.iter().position(|q| !finite(q)),
            self.contacts.iter().position(|c| !good_contact(c)),
            self.touches.iter().position(|touches| !touches.iter().all(good_touch)),
            self.saturated.iter().position(|x| !x.is_finite()),
            (!self.finite).then_some(self.qpos.len()),
        ];
        let objects = self
            .objects
            .iter()
            .map(|object| object.world_from_object.iter().position(|pose| !good_pose(pose)));
        let hands = self.hands.iter().map(|hand| {
            hand.keypoints_in_world
                .iter()
                .position(|points| points.iter().any(|p| !finite(p.coords.as_slice())))
        });
        bad.into_iter().chain(objects).chain(hands).flatten().min()
    }

    /// Judges this rollout; the only way to an [`Accepted`].
    ///
    /// A rollout that is not finite is never accepted, whatever the limits.
    pub fn accept(self, reference: &Reference, limits: &Limits) -> Result<Accepted, Rejection> {
        match self.judge(reference, limits) {
            Ok(metrics) => Ok(Accepted { rollout: self, metrics, limits: *limits }),
            Err(reason) => Err(Rejection { rollout: Box::new(self), reason }),
        }
    }

    fn judge(&self, reference: &Reference, limits: &Limits) -> Result<Metrics, Reason> {
        if let Some(state) = self.first_non_finite() {
            return Err(Reason::NonFinite { state });
        }
        let metrics = metrics::evaluate(self, reference)?;
        if !metrics.protocols.passed(limits.protocol) {
            let metrics = Box::new(metrics);
            return Err(Reason::Protocol { protocol: limits.protocol, metrics });
        }
        let joints = [
            (JointKind::Hinge, metrics.hinge, limits.hinge),
            (JointKind::Slider, metrics.slider, limits.slider),
        ];
        for (kind, error, allowed) in joints {
            let (Some(error), Some(allowed)) = (error, allowed) else { continue };
            if error.max.value >= allowed {
                return Err(Reason::Joint { kind, worst: error.max, allowed });
            }
        }
        let checks = [
            ("hand-object", metrics.object_penetration_p99, limits.object_penetration),
            ("self", metrics.self_penetration_p99, limits.self_penetration),
        ];
        for (what, value, allowed) in checks {
            if let Some(allowed) = allowed.filter(|&allowed| value > allowed) {
                return Err(Reason::Penetration { what, value, allowed });
            }
        }
        Ok(metrics)
    }
}

#[cfg(test)]
pub(crate) mod scripted;

#[cfg(test)]
mod tests;
