//! Servos for hands whose file has none that set joint angles.

use super::compile::{self, failed, reason};
use super::derive::{Confidence, Finding};
use super::{HandError, extract};
use mujoco_rs::mujoco_c::mjtLimited as MjtLimited;
use mujoco_rs::prelude::*;
use mujoco_rs::wrappers::mj_editing::PositionConfig;
use nalgebra::Point3;

/// Force that a fingertip should give where the file states no effort, or more than this, newtons.
const FORCE_N: f64 = 10.0;
/// Angle off its target at which a servo gives its whole torque, radians.
const FULL_TORQUE_RAD: f64 = 0.3;
/// Natural frequency of a servo with its link, radians per second; armature is added up to it.
const FREQUENCY: f64 = 50.0;
/// Range of torque limits where the file states none, newton metres.
const TORQUE: (f64, f64) = (0.1, 5.0);
/// Least torque limit, newton metres: with less no gain is left.
const LEAST_TORQUE: f64 = 1e-3;
/// Damping of a joint, newton metre seconds per radian, where the file states less.
const DAMPING: f64 = 0.01;
/// Inertia added to a joint that follows another, kilogram square metres, where the file states less.
const FOLLOWER_ARMATURE: f64 = 1e-4;

/// Adds a position servo to every independent joint of a hand that has no actuators, or one that is not a
/// position servo on its joints; then all are taken out, and what they can give at most limits the servos.
/// `efforts` holds torque limits that a URDF states, newton metres.
///
/// The gain gives the torque limit 0.3 rad off the target. Armature is added until servo and link
/// swing at 50 rad/s, which the damping stops critically: gains follow from inertia.
pub(super) fn equip(
    spec: &mut MjSpec,
    efforts: &[(String, f64)],
    file: &str,
    notices: &mut Vec<String>,
) -> Result<Finding, HandError> {
    let model = compile::compile(spec, file, &mut Vec::new())?;
    let tree = extract::tree(&model, file)?;
    let count = model.actuator_trntype().len();
    let finding = |value: String, confidence: Confidence, reason: String| Finding {
        item: "servos".to_owned(),
        value,
        confidence,
        reason,
    };
    if count > 0 && extract::actuators(&model, &tree, file).is_ok() {
        let reason = "position servos of the file".to_owned();
        return Ok(finding(format!("{count}"), Confidence::Certain, reason));
    }
    let motors = motors(&model);
    // SAFETY: the actuator comes fresh from the iterator, is deleted once, and no other handle exists.
    while let Some(actuator) = spec.actuator_iter_mut().next() {
        #[allow(unsafe_code)]
        unsafe { actuator.delete() }.map_err(|e| failed(file, "trim", reason(&e)))?;
    }
    // The couplings as they are without actuators decide which joints are independent.
    let model = compile::compile(spec, file, &mut Vec::new())?;
    let tree = extract::tree(&model, file)?;
    let coordinates = super::coordinates(&tree, file)?;
    let levers = levers(&model);
    let (mut lowest, mut highest, mut stated) = (f64::INFINITY, 0f64, 0);
    for (joint, about) in tree.joints.iter().enumerate() {
        let name = about.name.as_str();
        let coordinate = coordinates.joints.iter().position(|&j| j == joint);
        let wanted = FORCE_N * levers[joint];
        let effort = efforts.iter().find(|(n, _)| n == name).map(|&(_, e)| e);
        let effort = effort.into_iter().chain(motors[joint]).reduce(f64::min);
        let usual = wanted.clamp(TORQUE.0, TORQUE.1);
        let limit = effort.map_or(usual, |e| e.min(usual)).max(LEAST_TORQUE);
        let kp = limit / FULL_TORQUE_RAD;
        let dof = model.jnt_dofadr()[joint] as usize;
        let link = model.dof_m0()[dof] - model.dof_armature()[dof];
        let element = spec
            .joint_mut(name)
            .ok_or_else(|| failed(file, "compile", format!("its joint `{name}` vanished")))?;
        element.damping_mut()[0] = element.damping()[0].max(DAMPING);
        let Some(coordinate) = coordinate else {
            element.set_armature(element.armature().max(FOLLOWER_ARMATURE));
            continue;
        };
        let armature = element.armature().max(kp / (FREQUENCY * FREQUENCY) - link);
        element.set_armature(armature);
        let damping = element.damping()[0];
        let kv = (2.0 * (kp * (armature + link)).sqrt() - damping).max(0.0);
        let actuator = spec.add_actuator();
        actuator.set_name(name).map_err(|e| failed(file, "trim", reason(&e)))?;
        actuator.set_trntype(MjtTrn::mjTRN_JOINT);
        actuator.set_target(name);
        actuator
            .set_to_position(PositionConfig { kp, kv: Some(kv), ..Default::default() })
            .map_err(|e| failed(file, "trim", reason(&e)))?;
        *actuator.forcerange_mut() = [-limit, limit];
        actuator.set_forcelimited(MjtLimited::mjLIMITED_TRUE);
        *actuator.ctrlrange_mut() = coordinates.range[coordinate].into();
        actuator.set_ctrllimited(MjtLimited::mjLIMITED_TRUE);
        stated += usize::from(effort.is_some_and(|e| e < usual));
        (lowest, highest) = (lowest.min(limit), highest.max(limit));
    }
    let servos = coordinates.len();
    let what = match count {
        0 => "the file has no actuators".to_owned(),
        count => format!("the file's {count} actuators are no position servos and were left out"),
    };
    let [lowest, highest] = [lowest, highest].map(digits);
    let reason = format!(
        "{what}; torque limits of {lowest} to {highest} N m: {FORCE_N} N at the fingertip{}; stiffness from \
         the limit at {FULL_TORQUE_RAD} rad, damping and armature from the inertia for {FREQUENCY} rad/s",
        match stated {
            0 => String::new(),
            stated => format!(", or the effort that the file states where it is less ({stated})"),
        }
    );
    notices.push(format!("{file}: added {servos} servos: {reason}"));
    Ok(finding(format!("{servos} added"), Confidence::Likely, reason))
}

/// Two decimals, more where they would all be zero.
fn digits(torque: f64) -> String {
    if torque < 0.1 { format!("{torque:.4}") } else { format!("{torque:.2}") }
}

/// The most torque that the actuators of the file give each joint, newton metres; `None` where it states no limit.
/// Limits of control and force of a motor, its gear, the coefficients of its tendon, and what the joint lets all
/// actuators give together.
fn motors(model: &MjModel) -> Vec<Option<f64>> {
    let most = |[low, high]: [f64; 2]| low.abs().max(high.abs());
    let mut sums: Vec<Option<f64>> = vec![None; model.jnt_type().len()];
    let mut unlimited = vec![false; sums.len()];
    for a in 0..model.actuator_trntype().len() {
        let force = model.actuator_forcelimited()[a].then(|| most(model.actuator_forcerange()[a]));
        let control = model.actuator_ctrladr()[a] as usize;
        let plain = model.actuator_gaintype()[a] == MjtGain::mjGAIN_FIXED
            && model.actuator_biastype()[a] == MjtBias::mjBIAS_NONE;
        let driven = (plain && model.actuator_ctrllimited()[control]).then(|| {
            most(model.actuator_ctrlrange()[control]) * model.actuator_gainprm()[a][0].abs()
        });
        let most = force.into_iter().chain(driven).reduce(f64::min);
        let gear = model.actuator_gear()[model.actuator_outadr()[a] as usize][0];
        let target = model.actuator_trnid()[a][0] as usize;
        let terms = match model.actuator_trntype()[a] {
            MjtTrn::mjTRN_JOINT | MjtTrn::mjTRN_JOINTINPARENT => vec![(target, 1.0)],
            MjtTrn::mjTRN_TENDON => extract::tendon_terms(model, target).unwrap_or_default(),
            _ => Vec::new(),
        };
        for (joint, coefficient) in terms {
            match most {
                Some(force) => {
                    *sums[joint].get_or_insert(0.0) += force * (gear * coefficient).abs();
                }
                None => unlimited[joint] = true,
            }
        }
    }
    let total = |joint: usize| {
        model.jnt_actfrclimited()[joint].then(|| most(model.jnt_actfrcrange()[joint]))
    };
    (0..sums.len())
        .map(|joint| {
            let actuators = sums[joint].filter(|_| !unlimited[joint]);
            actuators.into_iter().chain(total(joint)).reduce(f64::min)
        })
        .collect()
}

/// Distance from every joint to the farthest geometry that it moves, in the pose at zero, metres; 5 cm
/// for a joint that moves none.
fn levers(model: &MjModel) -> Vec<f64> {
    let mut data = MjData::new(model);
    data.kinematics();
    let moved_by = |mut body: usize, joint: usize| {
        let owner = model.jnt_bodyid()[joint] as usize;
        while body > owner {
            body = model.body_parentid()[body] as usize;
        }
        body == owner
    };
    (0..model.jnt_type().len())
        .map(|joint| {
            let anchor = Point3::from(data.xanchor()[joint]);
            (0..model.geom_bodyid().len())
                .filter(|&geom| moved_by(model.geom_bodyid()[geom] as usize, joint))
                .map(|geom| {
                    let center = Point3::from(data.geom_xpos()[geom]);
                    (center - anchor).norm() + model.geom_rbound()[geom]
                })
                .fold(0.0, f64::max)
        })
        .map(|lever| if lever > 0.0 { lever } else { 0.05 })
        .collect()
}
