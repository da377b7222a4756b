//! From human keypoints to a robot hand's kinematic reference: one small nonlinear least-squares
//! problem per frame, warm started.
//!
//! Unknown are the root pose and the independent joints. The objective draws robot points to human
//! keypoints (fingertips most), the palm frame to the human's, joints to a rest pose and to the
//! frame before; fingertips that touch an object go to its surface, pushed in a little so that a
//! position-controlled finger presses; other points stay out of objects. Weights are factors of
//! residuals in metres. The defaults are those of a prototype that was tried on four hands and real
//! clips; contact priors follow DexMan.

mod contact;
mod error;
mod hand;
mod objective;
mod smooth;
mod solve;
mod surface;

pub use contact::{ContactConfig, ContactPlan, ObjectInput, SurfaceQuery, TipContact};
pub use error::RetargetError;
pub use hand::{HandPoint, RetargetHand};
pub use objective::{FrameTargets, PalmTarget, PlaneTarget, PointTarget, Regularisation};
pub use solve::{FrameSolver, Solution};

use dextra_core::demonstration::{Keypoints, keypoint, world_from_palm};
use dextra_core::{HandMotion, HandTrack, Pose};
use nalgebra::{DVector, Point3};

/// Weights and options. Weights without a unit are factors of residuals in metres.
#[derive(Clone, Debug, PartialEq)]
pub struct RetargetConfig {
    /// Fingertips.
    pub tip_weight: f64,
    /// Middle joints of fingers (PIP, DIP; MCP and IP of the thumb).
    pub middle_weight: f64,
    /// Knuckles, base of the thumb, wrist.
    pub base_weight: f64,
    /// Position of the palm frame's origin.
    pub palm_weight: f64,
    /// Multiplies `palm_weight` while the palm is close to a held object.
    pub palm_contact_gain: f64,
    /// Orientation of the palm frame, metres per radian.
    pub palm_orientation_m_per_rad: f64,
    /// Pull to the rest pose and to the frame before.
    pub regularisation: Regularisation,
    /// Rest angles of all joints, radians; `None` is the middle of every range.
    pub rest_joints_rad: Option<Vec<f64>>,
    /// Distance beyond which keypoint residuals count linearly, metres; infinite for plain squares.
    pub huber_m: f64,
    /// Scale of the keypoints about the palm frame's origin; 1 keeps absolute positions (see
    /// [`RetargetHand::length_ratio`]).
    pub scale: f64,
    /// Within this distance of an object the scale fades to 1, metres.
    pub scale_fades_m: f64,
    /// What counts as contact.
    pub contact: ContactConfig,
    /// Whether fingertips in contact go to the surface at all.
    pub contact_targets: bool,
    /// How far a fingertip's surface is pushed into the object it touches, metres.
    pub squeeze_m: f64,
    /// Weight of keeping points that do not touch out of objects.
    pub clearance_weight: f64,
    /// Distance such points keep from objects beyond their radius, metres.
    pub clearance_m: f64,
    /// Steps per frame.
    pub iterations: usize,
    /// Steps of the first frame, which starts from the rest pose.
    pub first_iterations: usize,
}

impl Default for RetargetConfig {
    fn default() -> Self {
        Self {
            tip_weight: 1.0,
            middle_weight: 0.1,
            base_weight: 0.05,
            palm_weight: 0.05,
            palm_contact_gain: 2.0,
            palm_orientation_m_per_rad: 0.03,
            regularisation: Regularisation {
                rest_m_per_rad: 0.004,
                smooth_joint_m_per_rad: 0.01,
                smooth_wrist: 0.1,
                smooth_wrist_m_per_rad: 0.01,
            },
            rest_joints_rad: None,
            huber_m: f64::INFINITY,
            scale: 1.0,
            scale_fades_m: 0.1,
            contact: ContactConfig::default(),
            contact_targets: true,
            squeeze_m: 0.008,
            clearance_weight: 0.3,
            clearance_m: 0.002,
            iterations: 6,
            first_iterations: 100,
        }
    }
}

impl RetargetConfig {
    /// Weight of a human keypoint.
    pub fn keypoint_weight(&self, keypoint: usize) -> f64 {
        match keypoint {
            0 => self.base_weight,
            // The thumb's chain starts with its CMC, the others' with their MCP.
            k if keypoint::TIPS.contains(&k) => self.tip_weight,
            k if k % 4 == 1 => self.base_weight,
            _ => self.middle_weight,
        }
    }

    /// Targets that draw `hand` to human keypoints: no contact, no previous frame.
    ///
    /// Returns `None` when the palm is degenerate.
    pub fn keypoint_targets(
        &self,
        hand: &RetargetHand,
        human: &Keypoints,
        scale: f64,
    ) -> Option<FrameTargets> {
        let palm = world_from_palm(human, hand.map.side)?;
        let center = Point3::from(palm.translation.vector);
        let points = hand.points.iter().map(|p| PointTarget {
            body: p.body,
            point_in_body: p.point_in_body,
            target_in_world: center + (human[p.keypoint] - center) * scale,
            weight: self.keypoint_weight(p.keypoint),
            huber: self.huber_m,
        });
        Some(FrameTargets {
            points: points.collect(),
            planes: Vec::new(),
            palm: Some(PalmTarget {
                world_from_palm: palm,
                position_weight: self.palm_weight,
                orientation_m_per_rad: self.palm_orientation_m_per_rad,
            }),
            rest: self.rest_joints_rad.clone().unwrap_or_else(|| hand.middle()),
            previous: None,
            fixed_wrist: false,
        })
    }
}

/// Retargets a whole clip, frame by frame.
///
/// `fps` in frames per second; every object has one pose per frame of the hand. Joints of the result
/// are in the order of `hand.tree.joints`, inside their ranges, with couplings exact.
///
/// # Errors
/// When the input is empty, inconsistent, not finite or of the other side, or a palm is degenerate;
/// the message names the frame.
pub fn retarget(
    human: &HandTrack,
    fps: f64,
    objects: &[ObjectInput<'_>],
    hand: &RetargetHand,
    config: &RetargetConfig,
) -> Result<HandMotion, RetargetError> {
    check(human, fps, objects, hand, config)?;
    let plan = ContactPlan::new(human, fps, objects, &config.contact);
    let mut solver = FrameSolver::new(hand, config.regularisation)?;
    let mut last: Option<(Pose, Vec<f64>)> = None;
    let mut motion = HandMotion {
        hand: hand.map.name.clone(),
        side: hand.map.side,
        joint_names: hand.tree.joints.iter().map(|j| j.name.clone()).collect(),
        world_from_root: Vec::with_capacity(human.keypoints_in_world.len()),
        joints: Vec::with_capacity(human.keypoints_in_world.len()),
    };
    for (frame, keypoints) in human.keypoints_in_world.iter().enumerate() {
        let near = 1.0 - (plan.nearest[frame] / config.scale_fades_m).clamp(0.0, 1.0);
        let scale = config.scale + (1.0 - config.scale) * near;
        let mut targets = config
            .keypoint_targets(hand, keypoints, scale)
            .ok_or(RetargetError::DegeneratePalm { frame })?;
        if let Some(palm) = targets.palm.as_mut().filter(|_| plan.palm[frame]) {
            palm.position_weight *= config.palm_contact_gain;
        }
        if config.contact_targets {
            aim_at_contacts(hand, config, &plan.tips[frame], objects, frame, &mut targets);
        }
        let solution = match last.take() {
            Some(previous) => {
                keep_clear(
                    hand,
                    config,
                    &plan.tips[frame],
                    objects,
                    frame,
                    &previous,
                    &mut targets,
                );
                targets.previous = Some(previous);
                let (root, q) = targets.previous.as_ref().expect("set on the line above");
                solver.solve(&targets, (root, q), config.iterations)
            }
            None => {
                let palm =
                    targets.palm.as_ref().expect("keypoint targets have a palm").world_from_palm;
                let q = targets.rest.clone();
                let first = solver.solve(
                    &targets,
                    (&hand.root_for_palm(&palm, &q), &q),
                    config.first_iterations,
                );
                // Clearance needs to know where the hand is, so the first frame is solved twice.
                let start = (first.world_from_root, first.joints);
                keep_clear(hand, config, &plan.tips[frame], objects, frame, &start, &mut targets);
                solver.solve(&targets, (&start.0, &start.1), config.first_iterations)
            }
        };
        motion.world_from_root.push(solution.world_from_root);
        motion.joints.push(DVector::from_column_slice(&solution.joints));
        last = Some((solution.world_from_root, solution.joints));
    }
    Ok(motion)
}

/// The fingertip slot (thumb 0 to pinky 4) of a keypoint.
fn finger_of_tip(keypoint: usize) -> Option<usize> {
    keypoint::TIPS.iter().position(|&tip| tip == keypoint)
}

/// Moves the targets of touching fingertips to the surface: at `radius - squeeze` along the normal.
fn aim_at_contacts(
    hand: &RetargetHand,
    config: &RetargetConfig,
    tips: &[Option<TipContact>; 5],
    objects: &[ObjectInput<'_>],
    frame: usize,
    targets: &mut FrameTargets,
) {
    for (point, target) in hand.points.iter().zip(&mut targets.points) {
        let Some(contact) = finger_of_tip(point.keypoint).and_then(|f| tips[f]) else {
            continue;
        };
        let offset = contact.normal_in_object * (point.radius - config.squeeze_m);
        let goal =
            objects[contact.object].world_from_object[frame] * (contact.point_in_object + offset);
        target.target_in_world += (goal - target.target_in_world) * contact.blend;
    }
}

/// Adds a half-space for each point near an object, from where the point was in `previous`.
/// Fingertips lose theirs as they come into contact.
fn keep_clear(
    hand: &RetargetHand,
    config: &RetargetConfig,
    tips: &[Option<TipContact>; 5],
    objects: &[ObjectInput<'_>],
    frame: usize,
    previous: &(Pose, Vec<f64>),
    targets: &mut FrameTargets,
) {
    /// Farther points cannot come into contact within a frame at hand speeds, metres.
    const REACH: f64 = 0.03;
    if config.clearance_weight <= 0.0 || objects.is_empty() {
        return;
    }
    let positions = hand.point_positions(&previous.0, &previous.1);
    for (object_index, object) in objects.iter().enumerate() {
        let world_from_object = object.world_from_object[frame];
        // A held object takes the hand along: a point's place relative to the object changes least,
        // so the nearest surface is looked up where the point was in the object's frame.
        let object_then = object.world_from_object[frame.saturating_sub(1)];
        for (point, position) in hand.points.iter().zip(&positions) {
            let blend = finger_of_tip(point.keypoint)
                .and_then(|f| tips[f])
                .filter(|c| config.contact_targets && c.object == object_index)
                .map_or(0.0, |c| c.blend);
            let weight = config.clearance_weight * (1.0 - blend);
            let clearance = point.radius + config.clearance_m;
            if weight <= 0.0 {
                continue;
            }
            let (on_surface, normal, distance) =
                object.surface.closest(&object_then.inverse_transform_point(position));
            if distance < clearance + REACH {
                targets.planes.push(PlaneTarget {
                    body: point.body,
                    point_in_body: point.point_in_body,
                    on_plane: world_from_object * on_surface,
                    normal: world_from_object * normal,
                    clearance,
                    weight,
                });
            }
        }
    }
}

fn check(
    human: &HandTrack,
    fps: f64,
    objects: &[ObjectInput<'_>],
    hand: &RetargetHand,
    config: &RetargetConfig,
) -> Result<(), RetargetError> {
    let frames = human.keypoints_in_world.len();
    if frames == 0 {
        return Err(RetargetError::Empty);
    }
    if !fps.is_finite() || fps <= 0.0 {
        return Err(RetargetError::BadFps { fps });
    }
    if human.side != hand.map.side {
        let hand_name = hand.map.name.clone();
        return Err(RetargetError::SideMismatch {
            hand: hand_name,
            robot: hand.map.side,
            human: human.side,
        });
    }
    if let Some(rest) = &config.rest_joints_rad {
        let expected = hand.tree.joints.len();
        if rest.len() != expected {
            return Err(RetargetError::BadRest { got: rest.len(), expected });
        }
    }
    for (frame, keypoints) in human.keypoints_in_world.iter().enumerate() {
        let finite = |p: &Point3<f64>| p.iter().all(|v| v.is_finite());
        if let Some(keypoint) = keypoints.iter().position(|p| !finite(p)) {
            return Err(RetargetError::NotFinite { frame, keypoint });
        }
        if world_from_palm(keypoints, human.side).is_none() {
            return Err(RetargetError::DegeneratePalm { frame });
        }
    }
    for (object, input) in objects.iter().enumerate() {
        let poses = input.world_from_object;
        if poses.len() != frames {
            return Err(RetargetError::ObjectFrames { object, poses: poses.len(), frames });
        }
        let finite = |p: &Pose| p.to_homogeneous().iter().all(|v| v.is_finite());
        if let Some(frame) = poses.iter().position(|p| !finite(p)) {
            return Err(RetargetError::ObjectNotFinite { frame, object });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
