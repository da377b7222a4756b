//! Which grasps a refinement tries: the human's at several moments, and some about the object's
//! centre.

use super::RefineError;
use super::hypothesis::{Fitter, Hypothesis, mean_keypoints, median_keypoints};
use super::job::Job;
use crate::retarget::{FrameSolver, Regularisation};
use dextra_core::demonstration::{Keypoints, keypoint};
use nalgebra::{Point3, Vector3};

impl Job<'_> {
    /// The object a hand takes: the one its fingertips are nearest to while objects move.
    fn object_of(&self, hand: usize) -> usize {
        if self.input.objects.len() == 1 {
            return 0;
        }
        let Some(moving) = self.schedule.moving else { return 0 };
        let frame = usize::midpoint(moving.lift, moving.last);
        let keypoints = &self.input.demo.hands[hand].keypoints_in_world[frame];
        let distance = |object: usize| {
            let inverse = self.input.demo.objects[object].world_from_object[frame].inverse();
            keypoint::TIPS
                .iter()
                .map(|&k| {
                    self.input.objects[object].surface.closest(&(inverse * keypoints[k])).distance
                })
                .sum::<f64>()
        };
        (0..self.input.objects.len())
            .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(0)
    }

    /// Keypoints of a hand in the frame of its object while objects move.
    fn held_track(&self, hand: usize) -> Vec<Keypoints> {
        let Some(moving) = self.schedule.moving else { return Vec::new() };
        let object = self.object_of(hand);
        (moving.lift..=moving.last)
            .map(|frame| {
                let inverse = self.input.demo.objects[object].world_from_object[frame].inverse();
                self.input.demo.hands[hand].keypoints_in_world[frame].map(|p| inverse * p)
            })
            .collect()
    }

    pub(super) fn human_tips(&self) -> Vec<Vec<(usize, Point3<f64>)>> {
        (0..self.input.hands.len())
            .map(|hand| {
                let track = self.held_track(hand);
                let early = &track[..track.len().min(8)];
                let mean = mean_keypoints(early);
                keypoint::TIPS.iter().map(|&k| (k, mean[k])).collect()
            })
            .collect()
    }

    fn fitter(&self, hand: usize) -> Fitter<'_> {
        Fitter {
            scene: self.scene,
            index: hand,
            hand: self.input.hands[hand],
            model: &self.input.models[hand],
            object: self.object_of(hand),
            rest: self.rest,
            config: self.config.hypotheses,
        }
    }

    fn solver(&self, hand: usize) -> Result<FrameSolver, RefineError> {
        let weights = Regularisation {
            rest_m_per_rad: 0.006,
            smooth_joint_m_per_rad: 0.0,
            smooth_wrist: 0.0,
            smooth_wrist_m_per_rad: 0.0,
        };
        Ok(FrameSolver::new(&self.input.models[hand], weights)?)
    }

    /// Direction from which the human came, reversed: where the palm was 0.6 s before the lift.
    fn human_retreat(&self, hand: usize) -> Vector3<f64> {
        let Some(moving) = self.schedule.moving else { return Vector3::z() };
        let demo = self.input.demo;
        let palm = |frame: usize| {
            let points = &demo.hands[hand].keypoints_in_world[frame];
            nalgebra::center(&points[keypoint::WRIST], &points[keypoint::MIDDLE_MCP])
        };
        let before = moving.lift.saturating_sub((0.6 * demo.fps) as usize);
        let away = palm(before) - palm(moving.lift);
        if away.norm() > 0.02 { away } else { Vector3::z() }
    }

    /// The median of the human's grasp over the contact interval and its mean round five moments.
    pub(super) fn human_hypotheses(&self) -> Result<Vec<Hypothesis>, RefineError> {
        let tracks: Vec<Vec<Keypoints>> =
            (0..self.input.hands.len()).map(|hand| self.held_track(hand)).collect();
        let mut moments: Vec<(String, Option<f64>)> = vec![("human, median".to_owned(), None)];
        for fraction in [0.05, 0.2, 0.4, 0.6, 0.8] {
            moments.push((format!("human at {:.0} %", fraction * 100.0), Some(fraction)));
        }
        let mut hypotheses = Vec::new();
        for (name, fraction) in moments {
            let mut grasps = Vec::new();
            let mut open_joints = Vec::new();
            for (hand, track) in tracks.iter().enumerate() {
                let keypoints = match fraction {
                    None => median_keypoints(track),
                    Some(fraction) => {
                        let center = (fraction * (track.len() - 1) as f64).round() as usize;
                        let (low, high) =
                            (center.saturating_sub(4), (center + 4).min(track.len() - 1));
                        mean_keypoints(&track[low..=high])
                    }
                };
                let side = self.input.demo.hands[hand].side;
                let fitted = self.fitter(hand).fit(
                    &mut self.solver(hand)?,
                    &keypoints,
                    side,
                    self.human_retreat(hand),
                    self.config.hypotheses.opening,
                );
                if let Some((grasp, open)) = fitted {
                    grasps.push(grasp);
                    open_joints.push(open);
                }
            }
            if grasps.len() == tracks.len() {
                hypotheses.push(Hypothesis { grasps, open_joints, name, changed: false });
            }
        }
        Ok(hypotheses)
    }

    /// Grasps about the object's centre, from the first human one, at several yaws and tilts.
    pub(super) fn centred_hypotheses(
        &self,
        human: &[Hypothesis],
    ) -> Result<Vec<Hypothesis>, RefineError> {
        let Some(first) = human.first() else { return Ok(Vec::new()) };
        let mut hypotheses = Vec::new();
        for (yaw_deg, tilt_deg) in
            [(0.0f64, 0.0f64), (50.0, 0.0), (-50.0, 0.0), (0.0, 40.0), (0.0, -40.0)]
        {
            let mut grasps = Vec::new();
            let mut open_joints = Vec::new();
            for (hand, grasp) in first.grasps.iter().enumerate() {
                let model = &self.input.models[hand];
                let center = self.input.objects[grasp.object].mass.com;
                let moved = self.fitter(hand).object_centred(
                    &mut self.solver(hand)?,
                    grasp,
                    &model.middle(),
                    &center,
                    yaw_deg.to_radians(),
                    tilt_deg.to_radians(),
                );
                if let Some((grasp, open)) = moved {
                    grasps.push(grasp);
                    open_joints.push(open);
                }
            }
            if grasps.len() == first.grasps.len() {
                hypotheses.push(Hypothesis {
                    grasps,
                    open_joints,
                    name: format!("about the object's centre, yaw {yaw_deg}, tilt {tilt_deg} deg"),
                    changed: true,
                });
            }
        }
        Ok(hypotheses)
    }
}
