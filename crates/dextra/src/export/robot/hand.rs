//! What a real hand is sent.

use super::RobotRequest;
use super::report::{AlignmentReport, RobotReport};
use crate::error::Error;
use crate::export::result::{ResultHand, TransferResult};
use dextra_core::device::Device;
use dextra_core::hand::BodyPoint;
use dextra_core::metrics::percentile;
use dextra_core::{Pose, Side, signal};
use dextra_motion::deploy::{Align, align, smooth, with_rests};
use dextra_sim::hand::Hand;
use nalgebra::{DMatrix, DVector, Point3};

/// A real hand over time, at the steps of the rollout with a rest before and after it.
pub struct Played {
    pub side: Side,
    /// The hand that is sent the numbers.
    pub hand: Hand,
    /// What it is sent, in its unit.
    pub rows: Vec<Vec<f64>>,
    /// Where its root has to be.
    pub world_from_root: Vec<Pose>,
    /// Where a flange holds it, root frame.
    pub root_from_flange: Pose,
}

/// Finds the numbers for one hand.
pub fn play(
    request: &RobotRequest,
    result: &TransferResult,
    source: &ResultHand,
    device: &Device,
    rest: usize,
    report: &mut RobotReport,
) -> Result<Played, Error> {
    let sigma = request.smoothing_s / result.dt;
    let raw = with_rests(&source.world_from_root, rest);
    let roots = signal::smooth_poses(&raw, sigma);
    let moved = raw.iter().zip(&roots).map(|(a, b)| dextra_core::pose::distance_between(a, b));
    report.smoothing_max_mm = moved.fold(report.smoothing_max_mm, |most, d| most.max(d * 1000.0));
    let hand = match &request.onto {
        None => source.hand.clone(),
        Some(onto) => Hand::resolve(onto, source.side)
            .map_err(|error| Error::Hand { hand: onto.clone(), source: error.into() })?,
    };
    let order = order(device, &hand)?;
    let (mut commands, world_from_root) = if request.onto.is_none() {
        let rows = if request.measured {
            source.measured.iter().map(|q| lengths(&hand, q)).collect()
        } else {
            source.targets.clone()
        };
        (smooth(&with_rests(&rows, rest), sigma), roots)
    } else {
        aligned(request, result, source, &hand, device, &order, (rest, &roots), report)?
    };
    let stem = format!("{}_hand", source.side.name());
    for (&actuator, channel) in order.iter().zip(&device.channels) {
        let Some((low, high)) = channel.range() else { continue };
        let mut beyond = 0.0_f64;
        for row in &mut commands {
            let inside = row[actuator].clamp(low, high);
            beyond = beyond.max((row[actuator] - inside).abs());
            row[actuator] = inside;
        }
        if beyond > 0.005 * (high - low) {
            report.notes.push(format!(
                "{stem}: {} was asked for {:.1} deg beyond the vendor's range and is held at its end",
                channel.name,
                beyond.to_degrees()
            ));
        }
    }
    let rows = commands
        .iter()
        .map(|row| {
            let channels = order.iter().zip(&device.channels);
            channels.map(|(&actuator, channel)| channel.encode(row[actuator])).collect()
        })
        .collect();
    let root_from_flange = match device.root_from_flange {
        Some(mount) if source.side == Side::Left => mirrored(&mount),
        Some(mount) => mount,
        None => along_fingers(&hand),
    };
    Ok(Played { side: source.side, hand, rows, world_from_root, root_from_flange })
}

/// For every channel of the device the actuator of the hand model that it stands for.
fn order(device: &Device, hand: &Hand) -> Result<Vec<usize>, Error> {
    let names: Vec<&str> = hand.actuators.iter().map(|a| a.name.as_str()).collect();
    let channels = device.channels.iter();
    let order: Vec<usize> = channels
        .map(|channel| {
            names.iter().position(|name| *name == channel.drives).ok_or_else(|| {
                Error::Request(format!(
                    "the description `{}` drives `{}`, which the hand {} has not; its actuators are {}",
                    device.name,
                    channel.drives,
                    hand.map.name,
                    names.join(", ")
                ))
            })
        })
        .collect::<Result<_, _>>()?;
    if let Some(left_out) = (0..names.len()).find(|actuator| !order.contains(actuator)) {
        return Err(Error::Request(format!(
            "the description `{}` has no channel for the actuator `{}` of the hand {}",
            device.name, names[left_out], hand.map.name
        )));
    }
    Ok(order)
}

/// What each actuator's target would be at joint angles `q`.
fn lengths(hand: &Hand, q: &[f64]) -> Vec<f64> {
    let actuators = hand.actuators.iter();
    actuators.map(|a| a.terms.iter().map(|&(joint, c)| c * q[joint]).sum()).collect()
}

/// The linear map from targets of actuators to coordinates: `targets = matrix * x + offset`.
struct Inverse {
    pseudo: DMatrix<f64>,
    offset: DVector<f64>,
}

impl Inverse {
    fn new(hand: &Hand) -> Inverse {
        let (rows, columns) = (hand.actuators.len(), hand.coordinates.len());
        let (mut matrix, mut offset) = (DMatrix::zeros(rows, columns), DVector::zeros(rows));
        for (row, actuator) in hand.actuators.iter().enumerate() {
            for &(joint, c) in &actuator.terms {
                let follow = hand.coordinates.follow[joint];
                matrix[(row, follow.coordinate)] += c * follow.ratio;
                offset[row] += c * follow.offset;
            }
        }
        let pseudo = matrix.pseudo_inverse(1e-9).unwrap_or_else(|_| DMatrix::zeros(columns, rows));
        Inverse { pseudo, offset }
    }

    /// Joint angles that the targets ask for.
    fn joints(&self, hand: &Hand, targets: &[f64]) -> Vec<f64> {
        let x = &self.pseudo * (DVector::from_column_slice(targets) - &self.offset);
        let mut q = vec![0.0; hand.tree.joints.len()];
        hand.coordinates.expand(x.as_slice(), &mut q);
        q
    }
}

/// Poses of the palm and positions of some fingertips in the root frame.
fn palm_and_tips(hand: &Hand, tips: &[usize], q: &[f64]) -> (Pose, Vec<Point3<f64>>) {
    let poses = hand.tree.forward(q);
    let body = |name: &str| poses[hand.tree.body(name).expect("a checked map names bodies")];
    let palm = body(&hand.map.palm_body) * hand.map.palm_body_from_palm();
    (palm, tips.iter().map(|&i| body(&hand.tips[i].body) * hand.tips[i].point_in_body).collect())
}

/// Targets of the actuators of `hand` whose fingertips follow those of the source, and where its root belongs.
fn aligned(
    request: &RobotRequest,
    result: &TransferResult,
    source: &ResultHand,
    hand: &Hand,
    device: &Device,
    order: &[usize],
    (rest, roots): (usize, &[Pose]),
    report: &mut RobotReport,
) -> Result<(Vec<Vec<f64>>, Vec<Pose>), Error> {
    let theirs = |name: &str| source.hand.map.fingers.iter().position(|f| f.name == name);
    let pairs: Vec<(usize, usize)> = hand
        .map
        .fingers
        .iter()
        .enumerate()
        .filter_map(|(own, finger)| Some((own, theirs(&finger.name)?)))
        .collect();
    if pairs.len() < 2 {
        return Err(Error::Request(format!(
            "{} and {} have fewer than two fingers of the same name; there is nothing to align",
            source.hand.map.name, hand.map.name
        )));
    }
    let (own, other): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
    let inverse = Inverse::new(&source.hand);
    let joints: Vec<Vec<f64>> = if request.measured {
        source.measured.clone()
    } else {
        source.targets.iter().map(|row| inverse.joints(&source.hand, row)).collect()
    };
    let joints = smooth(&with_rests(&joints, rest), request.smoothing_s / result.dt);
    // Palms have the same frame in all hands; this is where that of `hand` is while its wrist is straight.
    let (root_from_palm, _) = palm_and_tips(hand, &own, &hand.neutral());
    let mut targets = Vec::with_capacity(joints.len());
    let mut world_from_target = Vec::with_capacity(joints.len());
    for (q, root) in joints.iter().zip(roots) {
        let (palm, tips) = palm_and_tips(&source.hand, &other, q);
        let target_from_their_root = root_from_palm * palm.inverse();
        targets.push(tips.iter().map(|tip| target_from_their_root * tip).collect::<Vec<_>>());
        world_from_target.push(root * target_from_their_root.inverse());
    }
    let tips: Vec<BodyPoint> = own.iter().map(|&i| hand.tips[i].clone()).collect();
    let same_bones = source.hand.tree.bodies == hand.tree.bodies;
    let found = align(&Align {
        tree: &hand.tree,
        coordinates: &hand.coordinates,
        tips: &tips,
        targets: &targets,
        dt: result.dt,
        smoothness: request.align_smoothness_mm / 1000.0,
        shift: !same_bones,
    });
    let mut q = vec![0.0; hand.tree.joints.len()];
    let inverse = Inverse::new(hand);
    let (mut commands, mut errors) = (Vec::new(), Vec::<f64>::new());
    for (x, targets) in found.x.iter().zip(&targets) {
        hand.coordinates.expand(x, &mut q);
        let row = hand.ctrl(&q);
        // The error is that of the numbers as they are sent.
        let mut sent = row.clone();
        for (&actuator, channel) in order.iter().zip(&device.channels) {
            let value = channel.encode(row[actuator]);
            let step = device.resolution.map_or(value, |step| (value / step).round() * step);
            sent[actuator] = channel.decode(step);
        }
        let (_, tips) = palm_and_tips(hand, &own, &inverse.joints(hand, &sent));
        let away = tips.iter().zip(targets).map(|(a, b)| found.target_from_root * a - b);
        errors.extend(away.map(|distance| distance.norm() * 1000.0));
        commands.push(row);
    }
    let names = own.iter().map(|&i| hand.map.fingers[i].name.clone()).collect();
    let shift = &found.target_from_root;
    report.alignment.push(AlignmentReport {
        side: source.side.name().to_owned(),
        fingers: names,
        finger_mean_mm: (0..own.len())
            .map(|finger| {
                let of_finger = || errors.iter().skip(finger).step_by(own.len());
                of_finger().sum::<f64>() / of_finger().count() as f64
            })
            .collect(),
        tip_mean_mm: errors.iter().sum::<f64>() / errors.len() as f64,
        tip_p95_mm: percentile(&errors, 95.0).unwrap_or(0.0),
        tip_max_mm: errors.iter().copied().fold(0.0, f64::max),
        palm_shift_mm: shift.translation.vector.norm() * 1000.0,
        palm_turn_deg: shift.rotation.angle().to_degrees(),
    });
    let world_from_root = world_from_target.iter().map(|pose| pose * shift).collect();
    Ok((commands, world_from_root))
}

/// The mount of a left hand, which is the right one reflected in the plane y = 0.
fn mirrored(mount: &Pose) -> Pose {
    let [x, y, z] = dextra_core::pose::pos(mount);
    let [w, i, j, k] = dextra_core::pose::quat_wxyz(mount);
    dextra_core::pose::from_pos_quat([x, -y, z], [w, -i, j, -k])
}

/// A flange at the root whose axis is along the fingers, for a hand without a described mount.
fn along_fingers(hand: &Hand) -> Pose {
    let (palm, _) = palm_and_tips(hand, &[], &hand.neutral());
    let axes = [palm * nalgebra::Vector3::z(), palm * nalgebra::Vector3::x()];
    let rotation =
        nalgebra::Rotation3::from_basis_unchecked(&[axes[0], axes[1].cross(&axes[0]), axes[1]]);
    Pose::from_parts(
        nalgebra::Translation3::identity(),
        nalgebra::UnitQuaternion::from_rotation_matrix(&rotation),
    )
}

/// Centre of the palm in the root frame, wrist straight.
pub fn palm_center(hand: &Hand) -> Point3<f64> {
    palm_and_tips(hand, &[], &hand.neutral()).0.translation.vector.into()
}
