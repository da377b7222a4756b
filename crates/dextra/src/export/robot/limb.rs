//! Arms that carry the hands.

use super::RobotRequest;
use super::hand::{Played, palm_center};
use super::report::{ArmReport, RobotReport, intervals};
use crate::error::Error;
use crate::export::result::{ResultObject, TransferResult};
use dextra_core::device::Device;
use dextra_core::{Pose, Side};
use dextra_motion::deploy::{
    Arm, Capsule, Followed, Load, Obstacle, Placed, Stand, Wanted, follow, place, strikes,
    strikes_obstacles,
};
use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use std::collections::BTreeMap;

/// Half the width of a palm, metres: the radius of the capsule that stands for a hand.
const HAND_RADIUS_M: f64 = 0.045;

/// Joints of one arm per hand, at the steps of the played hands, which `rest` for so many at either end; what stands against them goes into the report.
pub fn carry(
    request: &RobotRequest,
    result: &TransferResult,
    device: &Device,
    hands: &[Played],
    rest: usize,
    report: &mut RobotReport,
) -> Result<Vec<Vec<Vec<f64>>>, Error> {
    let arm = Arm::new(device).ok_or_else(|| {
        Error::Request(format!("the description `{}` is not one of an arm", device.name))
    })?;
    let paths: Vec<Vec<Pose>> = hands
        .iter()
        .map(|hand| hand.world_from_root.iter().map(|root| root * hand.root_from_flange).collect())
        .collect();
    let obstacles = obstacles(result, rest, hands[0].world_from_root.len());
    let wanted: Vec<Wanted<'_>> = hands
        .iter()
        .zip(&paths)
        .map(|(hand, path)| {
            let palm = hand.root_from_flange.inverse() * palm_center(&hand.hand);
            let capsule = Capsule { ends: [Point3::origin(), palm], radius: HAND_RADIUS_M };
            Wanted {
                arm: &arm,
                path,
                load: Some(Load { capsule }),
                obstacles: &obstacles,
                base: of_side(&request.stands, hand.side).map(base),
                turn: of_side(&request.turns, hand.side).map(f64::to_radians),
            }
        })
        .collect();
    let table = request.table_m.unwrap_or(result.table);
    let stands = place(&wanted, result.dt, table);
    let loads: Vec<Option<Load>> = stands
        .iter()
        .zip(&wanted)
        .map(|(stand, wanted)| stand.load(wanted.load.as_ref()))
        .collect();
    let turned: Vec<Vec<Pose>> =
        stands.iter().zip(&paths).map(|(stand, path)| stand.path(path)).collect();
    let followed: Vec<Followed> = (0..hands.len())
        .map(|i| {
            let base = &stands[i].world_from_base;
            follow(&arm, base, &turned[i], result.dt, loads[i].as_ref(), table)
        })
        .collect();
    let placed: Vec<Placed<'_>> = (0..hands.len())
        .map(|i| Placed {
            name: hands[i].side.name(),
            arm: &arm,
            world_from_base: stands[i].world_from_base,
            followed: &followed[i],
            load: loads[i].as_ref(),
        })
        .collect();
    for (i, hand) in hands.iter().enumerate() {
        let entry = arm_report(device, &arm, hand, &stands[i], &followed[i]);
        if !entry.unreached_frames.is_empty() {
            let first = followed[i].unreached()[0];
            let error = &followed[i].frames[first];
            report.causes.push(format!(
                "{} arm: the flange does not reach frames {} of {}; at frame {first} it is {:.1} mm and {:.1} deg \
                 away (--stand and --turn-deg place it by hand)",
                hand.side.name(),
                entry.unreached_frames.join(", "),
                entry.frames,
                error.position_error * 1000.0,
                error.rotation_error.to_degrees()
            ));
        }
        report.arms.push(entry);
    }
    let mut struck: BTreeMap<String, (Vec<usize>, f64)> = BTreeMap::new();
    for strike in strikes(&placed, table).into_iter().chain(strikes_obstacles(&placed, &obstacles))
    {
        let entry = struck.entry(strike.what).or_default();
        entry.0.push(strike.frame);
        entry.1 = entry.1.max(strike.depth);
    }
    for (what, (mut frames, depth)) in struck {
        frames.dedup();
        let hint = match what.ends_with("the table") {
            true => " (--table-m lowers it)",
            false => " (--stand and --turn-deg place arms by hand)",
        };
        report.causes.push(format!(
            "{what} collide at frames {}, up to {:.0} mm deep{hint}",
            intervals(&frames).join(", "),
            depth * 1000.0
        ));
    }
    let encoded = |q: &Vec<f64>| {
        q.iter().zip(&device.channels).map(|(angle, channel)| channel.encode(*angle)).collect()
    };
    Ok(followed.iter().map(|f| f.frames.iter().map(|s| encoded(&s.q)).collect()).collect())
}

/// The objects, at the `frames` frames of hands that `rest` for so many before they move and then again.
fn obstacles(result: &TransferResult, rest: usize, frames: usize) -> Vec<Obstacle> {
    let of = |object: &ResultObject| {
        let last = object.world_from_object.len() - 1;
        let at = |frame: usize| object.world_from_object[frame.saturating_sub(rest).min(last)];
        Obstacle {
            name: format!("the object `{}`", object.name),
            points: object.points.clone(),
            world_from_obstacle: (0..frames).map(at).collect(),
        }
    };
    result.objects.iter().map(of).collect()
}

fn arm_report(
    device: &Device,
    arm: &Arm,
    hand: &Played,
    stand: &Stand,
    followed: &Followed,
) -> ArmReport {
    let frames = followed.frames.len();
    let unreached = followed.unreached();
    let millimetres = || followed.frames.iter().map(|s| s.position_error * 1000.0);
    let degrees = || followed.frames.iter().map(|s| s.rotation_error.to_degrees());
    let (_, _, yaw) = stand.world_from_base.rotation.euler_angles();
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), stand.turn);
    let root_from_flange = hand.root_from_flange * turn;
    ArmReport {
        side: hand.side.name().to_owned(),
        arm: device.name.clone(),
        base_pos_m: dextra_core::pose::pos(&stand.world_from_base),
        base_yaw_deg: yaw.to_degrees(),
        turn_deg: stand.turn.to_degrees(),
        root_from_flange_pos_m: dextra_core::pose::pos(&root_from_flange),
        root_from_flange_quat_wxyz: dextra_core::pose::quat_wxyz(&root_from_flange),
        frames,
        reached: frames - unreached.len(),
        unreached_frames: intervals(&unreached),
        position_mean_mm: millimetres().sum::<f64>() / frames as f64,
        position_max_mm: millimetres().fold(0.0, f64::max),
        rotation_mean_deg: degrees().sum::<f64>() / frames as f64,
        rotation_max_deg: degrees().fold(0.0, f64::max),
        limit_margin: followed.margin(arm),
    }
}

fn of_side<T: Copy>(list: &[(Side, T)], side: Side) -> Option<T> {
    list.iter().find(|(of, _)| *of == side).map(|(_, value)| *value)
}

fn base([x, y, z, yaw_deg]: [f64; 4]) -> Pose {
    let facing = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw_deg.to_radians());
    Pose::from_parts(Translation3::new(x, y, z), facing)
}
