//! From a handful of grasp parameters to the full control sequence: approach, close, hold, carry
//! the object along its demonstrated path assuming no slip (PKDA, section on the wrist), release,
//! retreat.

use dextra_core::{Pose, pose};
use dextra_sim::scene::{Scene, root_to_wrist};
use nalgebra::{Point3, Vector3};

/// How one hand takes one object; the starting point of the search.
#[derive(Clone, Debug, PartialEq)]
pub struct Grasp {
    /// Index of the object taken.
    pub object: usize,
    /// Pose of the hand's root in the object frame while holding.
    pub object_from_root: Pose,
    /// Centre of the fingertips in the root frame; rotations of the search turn about it.
    pub finger_center_in_root: Point3<f64>,
    /// Actuator targets of the opened hand.
    pub open: Vec<f64>,
    /// Actuator targets at which the fingers just touch.
    pub touch: Vec<f64>,
    /// Actuator targets far inside the object: the direction of squeezing.
    pub squeezed: Vec<f64>,
    /// Direction in which the opened hand leaves the object, world frame, unit.
    pub retreat: Vector3<f64>,
}

/// Durations and distances of the planned phases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseConfig {
    /// Duration of the straight approach, seconds.
    pub approach: f64,
    /// Duration of closing, seconds.
    pub close: f64,
    /// Pause between closing and lift-off, seconds.
    pub hold: f64,
    /// Length of the straight approach and of the retreat, metres.
    pub clearance: f64,
    /// Pause between put-down and opening, seconds.
    pub settle: f64,
    /// Duration of opening, seconds.
    pub open: f64,
    /// Duration of the straight retreat, seconds.
    pub retreat: f64,
}

impl Default for PhaseConfig {
    fn default() -> Self {
        Self {
            approach: 0.4,
            close: 0.35,
            hold: 0.15,
            clearance: 0.10,
            settle: 0.10,
            open: 0.35,
            retreat: 0.4,
        }
    }
}

impl PhaseConfig {
    /// From the start of the approach to lift-off, seconds.
    pub fn before_lift(&self) -> f64 {
        self.approach + self.close + self.hold
    }

    /// From put-down to the end of the retreat, seconds.
    pub fn after_put(&self) -> f64 {
        self.settle + self.open + self.retreat
    }
}

/// Everything a control sequence follows apart from the searched parameters.
pub struct Plan<'a> {
    /// The scene that is controlled.
    pub scene: &'a Scene,
    /// One grasp per hand.
    pub grasps: Vec<Grasp>,
    /// Reference pose per object and physics step: `[objects][N + 1]`.
    pub reference: &'a [Vec<Pose>],
    /// Pose of each object at rest before the lift, as settled in physics.
    pub rest: &'a [Pose],
    /// Step of lift-off.
    pub lift_step: usize,
    /// Step at which the object is put down, when the demonstration does so.
    pub put_step: Option<usize>,
    /// Pose of each hand's root at step 0, from which it travels to the approach.
    pub start: Vec<Pose>,
    /// Phases.
    pub phases: PhaseConfig,
}

/// Number of leading parameters of each hand: translation (m), rotation vector (rad), squeeze.
pub const WRIST_PARAMETERS: usize = 7;
/// Neutral squeeze: fraction of the way from touching to squeezed.
pub const SQUEEZE: f64 = 0.6;
/// Parameters of the release that follow the fingers of each hand: extra retreat direction (m).
pub const RELEASE_PARAMETERS: usize = 3;

/// Minimum-jerk blend from 0 to 1.
pub fn min_jerk(t: f64) -> f64 {
    let t = t.clamp(0.0, 1.0);
    t * t * t * (10.0 - 15.0 * t + 6.0 * t * t)
}

/// How long the correction from the settled to the demonstrated rest pose lasts after lift-off.
const REST_BLEND: f64 = 0.5;

impl Plan<'_> {
    /// Physics step, seconds.
    pub fn dt(&self) -> f64 {
        self.scene.config.timestep
    }

    /// Number of searched parameters of hand `hand`.
    pub fn hand_parameters(&self, hand: usize) -> usize {
        WRIST_PARAMETERS + self.grasps[hand].open.len() + RELEASE_PARAMETERS
    }

    /// Number of searched parameters of all hands.
    pub fn parameters(&self) -> usize {
        (0..self.grasps.len()).map(|hand| self.hand_parameters(hand)).sum()
    }

    /// The parameters of one hand within `theta`.
    pub fn of_hand<'t>(&self, hand: usize, theta: &'t [f64]) -> &'t [f64] {
        let start: usize = (0..hand).map(|h| self.hand_parameters(h)).sum();
        &theta[start..start + self.hand_parameters(hand)]
    }

    /// Pose of the hand's root in the object frame under parameters `theta` of that hand.
    pub fn object_from_root(&self, hand: usize, theta: &[f64]) -> Pose {
        let grasp = &self.grasps[hand];
        let pivot = grasp.object_from_root * grasp.finger_center_in_root;
        pose::perturb_about(
            &grasp.object_from_root,
            &pivot,
            &Vector3::new(theta[0], theta[1], theta[2]),
            &Vector3::new(theta[3], theta[4], theta[5]),
        )
    }

    /// Actuator targets that hold the object.
    pub fn holding(&self, hand: usize, theta: &[f64]) -> Vec<f64> {
        let grasp = &self.grasps[hand];
        let squeeze = SQUEEZE + theta[6];
        (0..grasp.touch.len())
            .map(|i| {
                grasp.touch[i]
                    + squeeze * (grasp.squeezed[i] - grasp.touch[i])
                    + theta[WRIST_PARAMETERS + i]
            })
            .collect()
    }

    /// Where the wrist carries the object at `step`: the reference, corrected near lift-off by how
    /// the object really rests.
    fn carried(&self, object: usize, step: usize) -> Pose {
        let path = &self.reference[object];
        let last = path.len() - 1;
        let end = self.put_step.unwrap_or(last);
        let target = path[step.clamp(self.lift_step, end).min(last)];
        let since_lift = step.saturating_sub(self.lift_step) as f64 * self.dt();
        let remaining = 1.0 - min_jerk(since_lift / REST_BLEND);
        if remaining <= 0.0 {
            return target;
        }
        let correction = self.rest[object] * path[self.lift_step].inverse();
        pose::interpolate(&Pose::identity(), &correction, remaining) * target
    }

    /// Pose of hand `hand`'s root at `step` under its parameters.
    pub fn world_from_root(&self, hand: usize, theta: &[f64], step: usize) -> Pose {
        let grasp = &self.grasps[hand];
        let phases = &self.phases;
        let object_from_root = self.object_from_root(hand, theta);
        let to_lift = (self.lift_step as f64 - step as f64) * self.dt();
        let away = |pose: Pose, direction: Vector3<f64>, distance: f64| {
            nalgebra::Translation3::from(direction * distance) * pose
        };
        if to_lift > 0.0 {
            let held = self.rest[grasp.object] * object_from_root;
            let before_approach = to_lift - phases.before_lift();
            if before_approach <= 0.0 {
                let done = (phases.before_lift() - to_lift) / phases.approach;
                return away(held, grasp.retreat, phases.clearance * (1.0 - min_jerk(done)));
            }
            let near = away(held, grasp.retreat, phases.clearance);
            let total = self.lift_step as f64 * self.dt() - phases.before_lift();
            let done = if total > 0.0 { 1.0 - before_approach / total } else { 1.0 };
            return pose::interpolate(&self.start[hand], &near, min_jerk(done));
        }
        let carried = self.carried(grasp.object, step) * object_from_root;
        let Some(put) = self.put_step else { return carried };
        let since_open = (step as f64 - put as f64) * self.dt() - phases.settle - phases.open;
        if since_open <= 0.0 {
            return carried;
        }
        let first = theta.len() - RELEASE_PARAMETERS;
        let shift = Vector3::new(theta[first], theta[first + 1], theta[first + 2]);
        let leave = grasp.retreat * phases.clearance + shift;
        away(carried, leave, min_jerk(since_open / phases.retreat))
    }

    /// Actuator targets of hand `hand` at `step` under its parameters.
    pub fn fingers(&self, hand: usize, theta: &[f64], step: usize) -> Vec<f64> {
        let grasp = &self.grasps[hand];
        let to_lift = (self.lift_step as f64 - step as f64) * self.dt();
        let closed = (self.phases.close + self.phases.hold - to_lift) / self.phases.close;
        let opened = self.put_step.map_or(0.0, |put| {
            ((step as f64 - put as f64) * self.dt() - self.phases.settle) / self.phases.open
        });
        let blend = min_jerk(closed) * (1.0 - min_jerk(opened));
        let holding = self.holding(hand, theta);
        grasp.open.iter().zip(holding).map(|(open, hold)| open + blend * (hold - open)).collect()
    }

    /// Controls for steps `from..to`: `[(to - from) * nu]`.
    ///
    /// The wrist servo lags by `kv / kp`; its targets are advanced by
    /// `u = q + (kv / kp) q' + (m / kp) q''`.
    pub fn controls(&self, theta: &[f64], from: usize, to: usize) -> Vec<f64> {
        let nu = self.scene.model.ffi().nu as usize;
        let dt = self.dt();
        let count = to - from;
        let mut ctrl = vec![0.0; count * nu];
        for hand in 0..self.grasps.len() {
            let place = &self.scene.hands[hand];
            let theta = self.of_hand(hand, theta);
            let mut near = [0.0; 6];
            // One step more on either side for the differences.
            let wrist: Vec<[f64; 6]> = (0..count + 2)
                .map(|k| {
                    let step = (from + k).saturating_sub(1);
                    near = root_to_wrist(place, &self.world_from_root(hand, theta, step), &near);
                    near
                })
                .collect();
            let config = &self.scene.config.wrist;
            for k in 0..count {
                let row = &mut ctrl[k * nu..(k + 1) * nu];
                for slot in 0..6 {
                    let (before, now, after) =
                        (wrist[k][slot], wrist[k + 1][slot], wrist[k + 2][slot]);
                    let velocity = (after - before) / (2.0 * dt);
                    let acceleration = (after - 2.0 * now + before) / (dt * dt);
                    let (kp, kv, inertia) = if slot < 3 {
                        (config.linear_kp, config.linear_kv, place.mass)
                    } else {
                        (config.angular_kp, config.angular_kv, 0.0)
                    };
                    row[place.wrist_ctrl[slot]] =
                        now + kv / kp * velocity + inertia / kp * acceleration;
                }
                for (&index, value) in
                    place.finger_ctrl.iter().zip(self.fingers(hand, theta, from + k))
                {
                    row[index] = value;
                }
            }
        }
        ctrl
    }

    /// Joint positions at `step` with the objects at rest and the hands where the plan has them,
    /// fingers open.
    pub fn qpos_at(&self, theta: &[f64], step: usize, open_joints: &[Vec<f64>]) -> Vec<f64> {
        let mut qpos: Vec<f64> = self.scene.default_qpos();
        for (index, rest) in self.rest.iter().enumerate() {
            self.scene.set_object(index, rest, &mut qpos);
        }
        for hand in 0..self.grasps.len() {
            let root = self.world_from_root(hand, self.of_hand(hand, theta), step);
            self.scene.set_hand(hand, &root, &open_joints[hand], &mut qpos);
        }
        qpos
    }
}
