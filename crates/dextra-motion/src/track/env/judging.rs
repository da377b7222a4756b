//! What a world earned by a step, and whether its episode is over.

use super::{Lane, TrackConfig};
use crate::track::curriculum::Relaxation;
use crate::track::grasp::idle;
use crate::track::observe::{Layout, View, disturb};
use crate::track::randomise::{Noise, generator};
use crate::track::reward::{Effort, TERMS, rewards};
use crate::track::seen::{Seen, see};
use crate::track::task::{Course, Frame, Task};
use crate::track::termination::{lost, out_of_touch};
use dextra_core::pose;
use dextra_sim::batch::Sensed;

/// What all threads read.
pub(super) struct Shared<'e, 'a> {
    pub(super) task: &'e Task<'a>,
    pub(super) course: &'e Course,
    pub(super) layout: &'e Layout,
}

impl Shared<'_, '_> {
    pub(super) fn see(&self, sensed: &Sensed, nq: usize) -> Seen {
        let Task { scene, hands, objects, .. } = self.task;
        let facts = &self.course.facts;
        see(scene, hands, facts, objects, sensed.qpos(nq), &sensed.qvel, &sensed.contacts)
    }

    pub(super) fn observe(
        &self,
        lane: &mut Lane,
        world: usize,
        seen: &Seen,
        seed: u64,
        noise: &Noise,
    ) {
        let nu = lane.targets.len() / self.course.every;
        let view = View {
            task: self.task,
            course: self.course,
            seen,
            at: lane.episode.at,
            targets: &lane.targets[lane.targets.len() - nu..],
            action: &lane.episode.action,
        };
        self.layout.write(&view, &mut lane.observation);
        if *noise != Noise::default() {
            let purpose = 1 + lane.episode.age as u64;
            let mut rng = generator(seed, world, lane.episode.index, purpose);
            disturb(&self.layout.slices, noise, &mut rng, &mut lane.observation);
        }
    }

    pub(super) fn judge(
        &self,
        config: &TrackConfig,
        lane: &mut Lane,
        world: usize,
        sensed: &Sensed,
        nq: usize,
        seed: u64,
        relaxation: &Relaxation,
    ) {
        lane.episode.at += 1;
        lane.episode.age += 1;
        lane.terms = [0.0; TERMS.len()];
        (lane.terminated, lane.truncated, lane.broken) = (false, false, false);
        lane.reward = 0.0;
        if !is_good(sensed, nq) {
            (lane.terminated, lane.broken) = (true, true);
            return;
        }
        let seen = self.see(sensed, nq);
        let frame = &self.course.frames[lane.episode.at];
        let (power, wrist_power) = self.powers(sensed);
        let (mass, gravity) = (lane.episode.variation.mass, relaxation.gravity);
        let effort = Effort { power, wrist_power, mass, gravity, ..lane.effort };
        lane.terms = rewards(&config.rewards, &seen, frame, &self.course.rest_height, &effort);
        self.observe(lane, world, &seen, seed, &config.randomisation.noise);
        let reward = lane.terms.iter().sum::<f64>() as f32;
        if !reward.is_finite() {
            // Of a sound state: the fault of a setting, which the trainer is to hear of.
            (lane.reward, lane.terminated) = (reward, true);
            return;
        }
        if lane.observation.iter().any(|x| !x.is_finite()) {
            lane.terms = [0.0; TERMS.len()];
            (lane.terminated, lane.broken) = (true, true);
            return;
        }
        lane.reward = reward;
        lane.episode.score += score(config, &seen, frame);
        let limits = &config.termination;
        let mature = lane.episode.age > limits.grace;
        let missed = &mut lane.episode.missed;
        let untouched = out_of_touch(&limits.contact, &seen, frame, missed);
        lane.terminated = mature && (untouched || lost(limits, relaxation, &seen, frame));
        let settle = (config.grasp.settle / config.control_period).ceil() as usize;
        let over = lane.episode.at >= self.course.steps
            || idle(&self.course.grasps, lane.episode.at, settle);
        lane.truncated = !lane.terminated && over;
    }

    /// Σ |force * velocity| over the finger servos and over the wrist servos, W.
    fn powers(&self, sensed: &Sensed) -> (f64, f64) {
        let (mut fingers, mut wrists) = (0.0, 0.0);
        for (index, facts) in self.course.facts.iter().enumerate() {
            let place = &self.task.scene.hands[index];
            for (&servo, &dof) in place.wrist_ctrl.iter().zip(&facts.wrist_dof) {
                wrists += (sensed.actuator_force[servo] * sensed.qvel[dof]).abs();
            }
            for (&servo, actuator) in
                place.finger_ctrl.iter().zip(&self.task.hands[index].actuators)
            {
                let speed = |&(joint, c): &(usize, f64)| c * sensed.qvel[facts.joint_dof[joint]];
                let speed: f64 = actuator.terms.iter().map(speed).sum();
                fingers += (sensed.actuator_force[servo] * speed).abs();
            }
        }
        (fingers, wrists)
    }
}

/// Whether a world is still among the real numbers.
pub(super) fn is_good(sensed: &Sensed, nq: usize) -> bool {
    sensed.finite && sensed.qpos(nq).iter().chain(&sensed.qvel).all(|x| x.is_finite())
}

/// How well objects are where they should be, in `[0, 1]`.
fn score(config: &TrackConfig, seen: &Seen, frame: &Frame) -> f64 {
    let rate = config.rewards.object_position.rate;
    let errors = seen.objects.iter().zip(&frame.objects);
    let sum: f64 = errors
        .map(|(object, wanted)| (-rate * pose::distance_between(&object.pose, wanted)).exp())
        .sum();
    sum / seen.objects.len().max(1) as f64
}
