//! Objects that are parts of others: the joint as it is built, read back and moved.

use super::{ObjectPlacement, Scene, SceneError, SceneObject};
use dextra_core::{Joint, JointKind, Pose};
use mujoco_rs::prelude::*;
use mujoco_rs::wrappers::mj_editing::MjsBody;
use nalgebra::{Point3, Vector3};
use std::cmp::Ordering;

/// What joints of objects resist with. No recording states it, so these are assumptions: a light lid
/// falls shut when it is let go, and stays where it is when it stands upright.
struct Resistance {
    /// Viscous damping, N m s/rad or N s/m.
    damping: f64,
    /// Dry friction, N m or N.
    friction: f64,
    /// Inertia added to the coordinate, kg m² or kg.
    armature: f64,
}

const HINGE: Resistance = Resistance { damping: 0.02, friction: 0.01, armature: 1e-4 };
const SLIDER: Resistance = Resistance { damping: 1.0, friction: 0.2, armature: 0.01 };

/// Every parent is an earlier object, and every joint one that the engine can have.
pub(super) fn check(objects: &[ObjectPlacement<'_>]) -> Result<(), SceneError> {
    for (index, placement) in objects.iter().enumerate() {
        let Some(joint) = &placement.joint else { continue };
        let problem = if joint.parent >= index {
            "its parent is no earlier object"
        } else if (joint.axis.norm() - 1.0).abs() > 1e-6 {
            "its axis is not of unit length"
        } else if joint.range.0.partial_cmp(&joint.range.1) != Some(Ordering::Less) {
            "its range is empty"
        } else {
            continue;
        };
        let name = placement.object.name.clone();
        return Err(SceneError::Joint { name, problem });
    }
    Ok(())
}

/// Gives the body of a part its joint.
pub(super) fn add(body: &mut MjsBody, name: &str, joint: &Joint) -> Result<(), MjEditError> {
    let part_from_parent = joint.parent_from_part.inverse();
    *body.pos_mut() = dextra_core::pose::pos(&joint.parent_from_part);
    *body.quat_mut() = dextra_core::pose::quat_wxyz(&joint.parent_from_part);
    let element = body.add_joint();
    element.set_name(name)?;
    // The editing API takes the angles of a hinge in degrees.
    let (kind, resistance, scale) = match joint.kind {
        JointKind::Hinge => (MjtJoint::mjJNT_HINGE, HINGE, 1f64.to_degrees()),
        JointKind::Slider => (MjtJoint::mjJNT_SLIDE, SLIDER, 1.0),
    };
    element.set_type(kind);
    *element.axis_mut() = (part_from_parent * joint.axis).into();
    *element.pos_mut() = (part_from_parent * joint.anchor).coords.into();
    *element.range_mut() = [joint.range.0 * scale, joint.range.1 * scale];
    element.damping_mut()[0] = resistance.damping;
    element.set_frictionloss(resistance.friction);
    element.set_armature(resistance.armature);
    Ok(())
}

/// The joint of a part as compiled: the engine writes numbers with six digits.
pub(super) fn compiled(model: &MjModel, body: usize, joint: usize, asked: &Joint) -> Joint {
    let parent_from_part =
        dextra_core::pose::from_pos_quat(model.body_pos()[body], model.body_quat()[body]);
    let [low, high] = model.jnt_range()[joint];
    Joint {
        axis: parent_from_part * Vector3::from(model.jnt_axis()[joint]),
        anchor: parent_from_part * Point3::from(model.jnt_pos()[joint]),
        parent_from_part,
        range: (low, high),
        ..*asked
    }
}

impl Scene {
    /// Indices of the objects that are no parts of others.
    pub fn free_objects(&self) -> impl Iterator<Item = usize> {
        let free = |index: &usize| self.objects[*index].joint.is_none();
        (0..self.objects.len()).filter(free)
    }

    /// Pose of object `index`.
    pub fn world_from_object(&self, index: usize, qpos: &[f64]) -> Pose {
        let SceneObject { qpos: at, joint, .. } = &self.objects[index];
        match joint {
            Some(joint) => {
                let parent = self.world_from_object(joint.parent, qpos);
                parent * joint.parent_from_part_at(qpos[*at])
            }
            None => free_pose(&qpos[*at..at + 7]),
        }
    }

    /// Writes object `index`'s pose into joint positions. A part goes where its joint comes nearest to
    /// the pose from its parent, which is left alone; the parts of an object go with it.
    pub fn set_object(&self, index: usize, world_from_object: &Pose, qpos: &mut [f64]) {
        let SceneObject { qpos: at, joint, .. } = &self.objects[index];
        match joint {
            Some(joint) => {
                let parent = self.world_from_object(joint.parent, qpos);
                let wanted = joint.coordinate(&(parent.inverse() * world_from_object), qpos[*at]);
                qpos[*at] = wanted.clamp(joint.range.0, joint.range.1);
            }
            None => set_free_pose(world_from_object, &mut qpos[*at..at + 7]),
        }
    }

    /// Velocity of object `index`'s origin and its angular velocity in the world frame, from joint
    /// positions and velocities.
    pub fn object_velocity(
        &self,
        index: usize,
        qpos: &[f64],
        qvel: &[f64],
    ) -> (Vector3<f64>, Vector3<f64>) {
        let SceneObject { qpos: at, joint, .. } = &self.objects[index];
        let dof = self.dof(*at);
        let pose = self.world_from_object(index, qpos);
        let Some(joint) = joint else {
            let v = &qvel[dof..dof + 6];
            // The engine gives a free joint's angular velocity in the body's frame.
            let turning = pose.rotation * Vector3::new(v[3], v[4], v[5]);
            return (Vector3::new(v[0], v[1], v[2]), turning);
        };
        let parent = self.world_from_object(joint.parent, qpos);
        let (velocity, turning) = self.object_velocity(joint.parent, qpos, qvel);
        let here = pose.translation.vector;
        let carried = velocity + turning.cross(&(here - parent.translation.vector));
        let own = parent * joint.axis * qvel[dof];
        match joint.kind {
            JointKind::Slider => (carried + own, turning),
            JointKind::Hinge => {
                let arm = here - (parent * joint.anchor).coords;
                (carried + own.cross(&arm), turning + own)
            }
        }
    }

    /// Writes the velocities of object `index` that lead from one state to another in `span` seconds.
    pub fn set_object_velocity(
        &self,
        index: usize,
        (from, to): (&[f64], &[f64]),
        span: f64,
        qvel: &mut [f64],
    ) {
        let SceneObject { qpos: at, joint, .. } = &self.objects[index];
        let dof = self.dof(*at);
        if joint.is_some() {
            qvel[dof] = (to[*at] - from[*at]) / span;
            return;
        }
        let (a, b) = (free_pose(&from[*at..at + 7]), free_pose(&to[*at..at + 7]));
        let moved = (b.translation.vector - a.translation.vector) / span;
        let turned = (a.rotation.inverse() * b.rotation).scaled_axis() / span;
        qvel[dof..dof + 3].copy_from_slice(moved.as_slice());
        qvel[dof + 3..dof + 6].copy_from_slice(turned.as_slice());
    }
}

fn free_pose(q: &[f64]) -> Pose {
    dextra_core::pose::from_pos_quat([q[0], q[1], q[2]], [q[3], q[4], q[5], q[6]])
}

fn set_free_pose(pose: &Pose, q: &mut [f64]) {
    q[..3].copy_from_slice(&dextra_core::pose::pos(pose));
    q[3..].copy_from_slice(&dextra_core::pose::quat_wxyz(pose));
}
