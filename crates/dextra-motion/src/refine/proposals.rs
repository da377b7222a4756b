//! Which grasps a stage tries: the human's at several moments, rolling with the human where the object
//! turns in the fingers, and some about the object's centre.

use super::RefineError;
use super::hypothesis::{Fitter, Hypothesis, mean_keypoints, median_keypoints};
use super::job::Job;
use super::plan::Grasp;
use super::roll;
use super::stage::Stage;
use crate::retarget::{FrameSolver, Regularisation};
use dextra_core::demonstration::keypoint;
use nalgebra::Vector3;

/// Moments of a hold, as fractions of its length, round which the human's hand is averaged.
const MOMENTS: [f64; 5] = [0.05, 0.2, 0.4, 0.6, 0.8];
/// Moments before the object has turned much in the human's fingers.
const EARLY: [f64; 2] = [0.05, 0.2];

impl Job<'_> {
    fn fitter<'s>(&'s self, stage: &'s Stage, hold: usize) -> Fitter<'s> {
        let steps = &self.schedule.holds[hold];
        Fitter {
            scene: self.scene,
            index: steps.hand,
            hand: self.input.hands[steps.hand],
            model: &self.input.models[steps.hand],
            object: steps.object,
            surface: &self.input.objects[steps.object].surface,
            at_take: stage.at_take[hold - stage.holds.start],
            qpos: &stage.qpos,
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

    /// Direction from which the human came, reversed: where the palm was 0.6 s before the take.
    fn human_retreat(&self, hold: usize) -> Vector3<f64> {
        let demo = self.input.demo;
        let palm = |frame: usize| {
            let points = &demo.hands[self.schedule.holds[hold].hand].keypoints_in_world[frame];
            nalgebra::center(&points[keypoint::WRIST], &points[keypoint::MIDDLE_MCP])
        };
        let take = self.human[hold].first_frame;
        let before = take.saturating_sub((0.6 * demo.fps) as usize);
        let away = palm(before) - palm(take);
        if away.norm() > 0.02 { away } else { Vector3::z() }
    }

    /// The human's grasps: the median over the hold and means round several moments; where the hand
    /// turns about the object, first of all early ones that roll with the human.
    pub(super) fn human_hypotheses(&self, stage: &Stage) -> Result<Vec<Hypothesis>, RefineError> {
        let mut hypotheses: Vec<Hypothesis> = self.remembered(stage).into_iter().collect();
        let rolls = stage.holds.clone().any(|hold| roll::turns(&self.human[hold]));
        if rolls {
            for fraction in EARLY {
                let name = format!("human at {:.0} %, rolling", fraction * 100.0);
                hypotheses.extend(self.human_hypothesis(stage, Some(fraction), true, name)?);
            }
        }
        hypotheses.extend(self.human_hypothesis(stage, None, false, "human, median".to_owned())?);
        for fraction in MOMENTS {
            let name = format!("human at {:.0} %", fraction * 100.0);
            hypotheses.extend(self.human_hypothesis(stage, Some(fraction), false, name)?);
        }
        Ok(hypotheses)
    }

    /// The grasps that worked before, when there is one for every hold of the stage: the later the hold
    /// of a hand and object, the later the grasp.
    fn remembered(&self, stage: &Stage) -> Option<Hypothesis> {
        let grasps = stage.holds.clone().map(|hold| {
            let steps = &self.schedule.holds[hold];
            let same =
                |(hand, object): (usize, usize)| (hand, object) == (steps.hand, steps.object);
            let earlier = self.schedule.holds[..hold].iter();
            let rank = earlier.filter(|h| same((h.hand, h.object))).count();
            let known: Vec<&Grasp> =
                self.input.remembered.iter().filter(|g| same((g.hand, g.object))).collect();
            let grasp = *known.get(rank).or(known.last())?;
            let at_take = stage.at_take[hold - stage.holds.start];
            Some(Grasp { retreat: at_take.rotation * grasp.retreat, ..grasp.clone() })
        });
        let grasps = grasps.collect::<Option<Vec<_>>>()?;
        let name = "remembered".to_owned();
        Some(Hypothesis { grasps, name, changed: false, remembered: true })
    }

    fn human_hypothesis(
        &self,
        stage: &Stage,
        moment: Option<f64>,
        rolling: bool,
        name: String,
    ) -> Result<Option<Hypothesis>, RefineError> {
        let mut grasps = Vec::new();
        for hold in stage.holds.clone() {
            let steps = &self.schedule.holds[hold];
            let track = &self.human[hold].keypoints;
            let keypoints = match moment {
                None => median_keypoints(track),
                Some(fraction) => {
                    let center = (fraction * (track.len() - 1) as f64).round() as usize;
                    let (low, high) = (center.saturating_sub(4), (center + 4).min(track.len() - 1));
                    mean_keypoints(&track[low..=high])
                }
            };
            let side = self.input.demo.hands[steps.hand].side;
            let fitter = self.fitter(stage, hold);
            let mut solver = self.solver(steps.hand)?;
            let retreat = self.human_retreat(hold);
            let opening = self.config.hypotheses.opening;
            let Some(mut grasp) = fitter.fit(&mut solver, &keypoints, side, retreat, opening)
            else {
                return Ok(None);
            };
            if rolling && roll::turns(&self.human[hold]) {
                let human = &self.human[hold];
                grasp.roll = roll::fit(&fitter, &mut solver, &grasp, human, self.schedule, steps);
            }
            grasps.push(grasp);
        }
        Ok(Some(Hypothesis { grasps, name, changed: false, remembered: false }))
    }

    /// Grasps about the object's centre, from the first human one, at several yaws and tilts.
    pub(super) fn centred_hypotheses(
        &self,
        stage: &Stage,
        human: &[Hypothesis],
    ) -> Result<Vec<Hypothesis>, RefineError> {
        let Some(first) =
            human.iter().find(|h| !h.remembered && h.grasps.iter().all(|g| g.roll.is_empty()))
        else {
            return Ok(Vec::new());
        };
        let mut hypotheses = Vec::new();
        for (yaw_deg, tilt_deg) in
            [(0.0f64, 0.0f64), (50.0, 0.0), (-50.0, 0.0), (0.0, 40.0), (0.0, -40.0)]
        {
            let moved: Option<Vec<Grasp>> = stage
                .holds
                .clone()
                .zip(&first.grasps)
                .map(|(hold, grasp)| {
                    let model = &self.input.models[grasp.hand];
                    let center = self.input.objects[grasp.object].mass.com;
                    self.fitter(stage, hold).object_centred(
                        &mut self.solver(grasp.hand).ok()?,
                        grasp,
                        &model.middle(),
                        &center,
                        yaw_deg.to_radians(),
                        tilt_deg.to_radians(),
                    )
                })
                .collect();
            let name = format!("about the object's centre, yaw {yaw_deg}, tilt {tilt_deg} deg");
            hypotheses.extend(moved.map(|grasps| Hypothesis {
                grasps,
                name,
                changed: true,
                remembered: false,
            }));
        }
        Ok(hypotheses)
    }
}
