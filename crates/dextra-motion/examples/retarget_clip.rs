//! Our side of `benches/retarget_vs_dex_retargeting.py`; see there.
//!
//! `retarget_clip urdf HAND FILE.urdf` writes the hand's kinematic tree as URDF, with a fixed link
//! `kp0`-`kp20` at every keypoint and `origin` at the wrist, and prints the rotation `root_from_palm` (row-major).
//! `retarget_clip solve HAND vector|position|full SCALE KEYPOINTS OUT [PREVIOUS]` retargets a clip;
//! files hold little-endian f64: `[T, 21, 3]` in, `[T, 7 + joints]` out (position, quaternion wxyz,
//! angles). PREVIOUS, `[T, joints]`, replaces each frame's start and previous angles.
//! `retarget_clip clip HAND NAME` times the whole retargeter, objects included, on a built-in clip.
//! Times are printed as JSON.

use dextra_core::demonstration::{Keypoints, keypoint};
use dextra_core::{HandTrack, Pose, Side, pose};
use dextra_motion::retarget::{
    FrameSolver, FrameTargets, ObjectInput, PointTarget, Regularisation, RetargetConfig,
    RetargetHand, retarget,
};
use dextra_motion::synth::{NoiseConfig, SynthClip, synth};
use dextra_sim::hand::Hand;
use dextra_sim::object::Surface;
use nalgebra::Point3;
use std::fmt::Write as _;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

/// Weight of the pull to the last angles in dex-retargeting (`norm_delta`), per square radian.
const NORM_DELTA: f64 = 0.004;
/// Huber radius of dex-retargeting, metres.
const HUBER_M: f64 = 0.02;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["urdf", hand, file] => write_urdf(&load(hand)?, file),
        ["solve", hand, mode, scale, keypoints, out] => {
            solve(&load(hand)?, mode, scale.parse()?, keypoints, None, out)
        }
        ["solve", hand, mode, scale, keypoints, out, previous] => {
            solve(&load(hand)?, mode, scale.parse()?, keypoints, Some(previous), out)
        }
        ["clip", hand, name] => time_clip(&load(hand)?, name),
        _ => Err("see the first lines of retarget_clip.rs for the arguments".into()),
    }
}

fn load(name: &str) -> Result<RetargetHand, Failure> {
    let hand = Hand::builtin(name, Side::Right)?;
    let radius = |k: usize| {
        if keypoint::TIPS.contains(&k) { 0.01 } else { 0.009 }
    };
    Ok(RetargetHand::new(hand.tree, hand.map, radius)?)
}

fn write_urdf(hand: &RetargetHand, file: &str) -> Result<(), Failure> {
    let origin = |p: &Pose| {
        let [x, y, z] = pose::pos(p);
        let (roll, pitch, yaw) = p.rotation.euler_angles();
        format!(
            "<origin xyz=\"{x:.17} {y:.17} {z:.17}\" rpy=\"{roll:.17} {pitch:.17} {yaw:.17}\"/>"
        )
    };
    let tree = &hand.tree;
    let range = tree.coordinates()?;
    let mut xml = format!("<robot name=\"{}\">\n", hand.map.name);
    let fixed = |xml: &mut String, parent: &str, child: &str, at: &Pose| {
        writeln!(
            xml,
            "<link name=\"{child}\"/><joint name=\"to_{child}\" type=\"fixed\"><parent link=\"{parent}\"/>\
             <child link=\"{child}\"/>{}</joint>",
            origin(at)
        )
    };
    for (index, body) in tree.bodies.iter().enumerate() {
        let Some(parent) = body.parent else {
            writeln!(xml, "<link name=\"{}\"/>", body.name)?;
            continue;
        };
        // One link per hinge, its frame at the hinge's anchor; the last offset leads to the body.
        let mut last = tree.bodies[parent].name.clone();
        let mut at = body.parent_from_body;
        for (n, &j) in body.joints.iter().enumerate() {
            let joint = &tree.joints[j];
            let link = format!("{}_hinge{n}", body.name);
            let anchor = Pose::from(nalgebra::Translation3::from(joint.anchor_in_body.coords));
            let (low, high) = match range.joints.iter().position(|&i| i == j) {
                Some(c) => range.range[c],
                None => joint.range,
            };
            let a = joint.axis_in_body;
            write!(
                xml,
                "<link name=\"{link}\"/><joint name=\"{}\" type=\"revolute\"><parent link=\"{last}\"/>\
                 <child link=\"{link}\"/>{}<axis xyz=\"{:.17} {:.17} {:.17}\"/>\
                 <limit lower=\"{low:.17}\" upper=\"{high:.17}\" effort=\"1\" velocity=\"1\"/>",
                joint.name,
                origin(&(at * anchor)),
                a.x,
                a.y,
                a.z
            )?;
            if let Some(c) = tree.couplings.iter().find(|c| c.joint == j) {
                let of = &tree.joints[c.of].name;
                write!(
                    xml,
                    "<mimic joint=\"{of}\" multiplier=\"{:.17}\" offset=\"{:.17}\"/>",
                    c.ratio, c.offset
                )?;
            }
            writeln!(xml, "</joint>")?;
            last = link;
            at = anchor.inverse();
        }
        fixed(&mut xml, &last, &tree.bodies[index].name, &at)?;
    }
    for point in &hand.points {
        let at = Pose::from(nalgebra::Translation3::from(point.point_in_body.coords));
        let parent = &tree.bodies[point.body].name;
        fixed(&mut xml, parent, &format!("kp{}", point.keypoint), &at)?;
    }
    // Where the wrist point is in the middle pose, fixed to the root even where wrist joints move it.
    let at = Pose::from(nalgebra::Translation3::from(wrist_in_root(hand)?.coords));
    fixed(&mut xml, &tree.bodies[0].name, "origin", &at)?;
    xml.push_str("</robot>\n");
    std::fs::write(file, xml)?;
    let middle = hand.middle();
    let palm = hand.world_from_palm(&Pose::identity(), &middle).rotation.to_rotation_matrix();
    let rows: Vec<String> = palm.matrix().transpose().iter().map(|v| v.to_string()).collect();
    println!("[{}]", rows.join(","));
    Ok(())
}

fn wrist_in_root(hand: &RetargetHand) -> Result<Point3<f64>, Failure> {
    let wrist = hand.points.iter().position(|p| p.keypoint == keypoint::WRIST);
    let wrist = wrist.ok_or("the hand's map has no wrist point")?;
    Ok(hand.point_positions(&Pose::identity(), &hand.middle())[wrist])
}

fn read(file: &str) -> Result<Vec<f64>, Failure> {
    let bytes = std::fs::read(file)?;
    Ok(bytes
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default()))
        .collect())
}

fn solve(
    hand: &RetargetHand,
    mode: &str,
    scale: f64,
    clip: &str,
    previous: Option<&str>,
    out: &str,
) -> Result<(), Failure> {
    let frame =
        |frame: &[f64]| std::array::from_fn(|k| Point3::from_slice(&frame[3 * k..3 * k + 3]));
    let clip: Vec<Keypoints> = read(clip)?.chunks_exact(63).map(frame).collect();
    let previous: Vec<Vec<f64>> = match previous {
        Some(file) => {
            read(file)?.chunks_exact(hand.tree.joints.len()).map(<[f64]>::to_vec).collect()
        }
        None => Vec::new(),
    };
    let start = Instant::now();
    let rows = match mode {
        "full" => {
            let track = HandTrack { side: Side::Right, keypoints_in_world: clip };
            let motion = retarget(&track, 60.0, &[], hand, &RetargetConfig::default())?;
            motion
                .world_from_root
                .into_iter()
                .zip(motion.joints.iter().map(|q| q.as_slice().to_vec()))
                .collect()
        }
        "vector" | "position" => same_objective(hand, mode == "vector", scale, &clip, &previous)?,
        other => return Err(format!("mode {other}: expected vector, position or full").into()),
    };
    let seconds = start.elapsed().as_secs_f64();
    let mut bytes = Vec::new();
    for (root, q) in &rows {
        for value in
            pose::pos(root).into_iter().chain(pose::quat_wxyz(root)).chain(q.iter().copied())
        {
            bytes.extend(value.to_le_bytes());
        }
    }
    std::fs::write(out, bytes)?;
    println!("{{\"frames\": {}, \"seconds\": {seconds}}}", rows.len());
    Ok(())
}

/// dex-retargeting's objective in our terms. Theirs is `mean_n huber(d_n) / beta + delta |dq|^2`
/// over `n` vectors, or over the `3 n` components for positions; multiplied by `beta n` it is a
/// Huber cost of unit weight and a pull of `sqrt(2 delta beta n)` metres per radian.
fn same_objective(
    hand: &RetargetHand,
    vector: bool,
    scale: f64,
    clip: &[Keypoints],
    previous: &[Vec<f64>],
) -> Result<Vec<(Pose, Vec<f64>)>, Failure> {
    let middle = [2, 6, 10, 14, 18];
    let used: Vec<_> = hand
        .points
        .iter()
        .filter(|p| {
            keypoint::TIPS.contains(&p.keypoint) || (!vector && middle.contains(&p.keypoint))
        })
        .collect();
    let terms = if vector { used.len() } else { 3 * used.len() } as f64;
    let pull = (2.0 * NORM_DELTA * HUBER_M * terms).sqrt();
    let weights = Regularisation {
        rest_m_per_rad: 0.0,
        smooth_joint_m_per_rad: pull,
        smooth_wrist: pull,
        smooth_wrist_m_per_rad: pull,
    };
    let mut solver = FrameSolver::new(hand, weights)?;
    // The benchmark compares minima, so it iterates further than following a hand needs.
    solver.set_tolerance(1e-7);
    let q = hand.middle();
    let origin = wrist_in_root(hand)?;
    let mut state = (Pose::identity(), q);
    let mut rows = Vec::with_capacity(clip.len());
    let mut targets = FrameTargets { fixed_wrist: vector, ..Default::default() };
    for (t, human) in clip.iter().enumerate() {
        if let Some(q) = previous.get(t) {
            state.1.clone_from(q);
        }
        targets.points.clear();
        targets.points.extend(used.iter().map(|p| PointTarget {
            body: p.body,
            point_in_body: p.point_in_body,
            target_in_world: if vector {
                origin + (human[p.keypoint] - human[keypoint::WRIST]) * scale
            } else {
                human[p.keypoint]
            },
            weight: 1.0,
            huber: HUBER_M,
        }));
        targets.previous = Some(state.clone());
        let solution = solver.solve(&targets, (&state.0, &state.1), 50);
        state = (solution.world_from_root, solution.joints);
        rows.push(state.clone());
    }
    Ok(rows)
}

fn time_clip(hand: &RetargetHand, name: &str) -> Result<(), Failure> {
    let demo = synth(SynthClip::from_name(name)?, 1, &NoiseConfig::default());
    let surfaces: Vec<Surface> =
        demo.objects.iter().map(|o| Surface::new(&o.mesh)).collect::<Result<_, _>>()?;
    let objects: Vec<ObjectInput<'_>> = surfaces
        .iter()
        .zip(&demo.objects)
        .map(|(surface, o)| ObjectInput { surface, world_from_object: &o.world_from_object })
        .collect();
    let right = demo.hands.iter().find(|h| h.side == Side::Right).ok_or("no right hand")?;
    let start = Instant::now();
    let motion = retarget(right, demo.fps, &objects, hand, &RetargetConfig::default())?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{{\"frames\": {}, \"seconds\": {seconds}}}", motion.joints.len());
    Ok(())
}
