//! What a transfer left in its folder, read back for an export.

use super::dataset::cloud::spread;
use crate::error::Error;
use crate::prepare::{hand_files, there};
use crate::report::{Report, Status};
use dextra_core::{Pose, Side};
use dextra_data::Npz;
use dextra_sim::hand::Hand;
use dextra_sim::scene::exported::{Exported, Shape};
use nalgebra::Point3;
use std::path::Path;

const STAGE: &str = "reading the result";

/// One hand over all states of the rollout.
#[derive(Clone, Debug)]
pub struct ResultHand {
    /// Side, as in the scene.
    pub side: Side,
    /// The hand.
    pub hand: Hand,
    /// Where its root body was, `[N + 1]`.
    pub world_from_root: Vec<Pose>,
    /// Its joint angles as simulated, `[N + 1][joints]`, radians.
    pub measured: Vec<Vec<f64>>,
    /// Targets of its actuators, `[N + 1][actuators]`, radians; the last row is repeated.
    pub targets: Vec<Vec<f64>>,
}

/// One object over all states of the rollout.
#[derive(Clone, Debug)]
pub struct ResultObject {
    /// Its name.
    pub name: String,
    /// Points on its surface, in its frame, metres.
    pub points: Vec<Point3<f64>>,
    /// Where it was, `[N + 1]`.
    pub world_from_object: Vec<Pose>,
}

/// Points on the surface of every object.
const POINTS: usize = 600;

/// A result.
#[derive(Clone, Debug)]
pub struct TransferResult {
    /// Its report.
    pub report: Report,
    /// Seconds between states.
    pub dt: f64,
    /// Height of the table, metres.
    pub table: f64,
    /// The hands, right before left.
    pub hands: Vec<ResultHand>,
    /// The objects.
    pub objects: Vec<ResultObject>,
    /// Where the demonstration is from, and its licence, as the rollout says.
    pub source: String,
    /// See `source`.
    pub licence: String,
    /// Name and SHA-256 of the demonstration's files, and of the rollout.
    pub inputs_sha256: Vec<(String, String)>,
}

impl TransferResult {
    /// Reads the folder `dir`; `hand` says where the file of its hand is now, if it has been moved since.
    ///
    /// # Errors
    /// A folder without a finished result, a rejected one unless `rejected` is allowed, and files that are malformed
    /// or do not belong together, by name, field and frame.
    pub fn read(dir: &Path, rejected: bool, hand: Option<&str>) -> Result<TransferResult, Error> {
        let report = Report::read(dir)?;
        if report.status == Status::Rejected && !rejected {
            let cause = report.cause.as_deref().unwrap_or("no cause is given");
            return Err(Error::Request(format!(
                "{}: the trajectory was rejected ({cause}); --allow-rejected exports it all the same",
                dir.join("report.json").display()
            )));
        }
        let npz = Npz::open(&dir.join("rollout.npz")).map_err(Error::stage(STAGE))?;
        let scene =
            Exported::open(&dir.join("mjcf").join("scene.xml")).map_err(Error::stage(STAGE))?;
        let (nq, nu) = scene.sizes();
        let dt = npz.scalar_f64("timestep_s").map_err(Error::stage(STAGE))?;
        if !(dt > 0.0 && dt.is_finite()) {
            return Err(stage(npz.problem("timestep_s", "must be above zero")));
        }
        let qpos = rows(&npz, "qpos", nq)?;
        let mut ctrl = rows(&npz, "ctrl", nu)?;
        if ctrl.is_empty() || ctrl.len() + 1 != qpos.len() {
            let problem =
                format!("{} rows do not belong to {} states of qpos", ctrl.len(), qpos.len());
            return Err(stage(npz.problem("ctrl", problem)));
        }
        ctrl.extend(ctrl.last().cloned());
        let (_, words) = npz.strings("inputs_sha256").map_err(Error::stage(STAGE))?;
        let mut inputs_sha256: Vec<(String, String)> =
            words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        let spec = hand.unwrap_or(&report.hand);
        there(spec)?;
        same_hand(spec, &inputs_sha256)?;
        let mut hands = Vec::new();
        for side in [Side::Right, Side::Left] {
            if !npz.contains(&format!("{}_keypoints_m", side.name())) {
                continue;
            }
            let hand = Hand::resolve(spec, side)
                .map_err(|source| Error::Hand { hand: spec.to_owned(), source: source.into() })?;
            let place = scene.hand(side, &hand).map_err(Error::stage(STAGE))?;
            hands.push(ResultHand {
                side,
                world_from_root: qpos.iter().map(|q| place.world_from_root(q)).collect(),
                measured: qpos.iter().map(|q| place.joints(q)).collect(),
                targets: ctrl.iter().map(|c| within(&hand, place.targets(c))).collect(),
                hand,
            });
        }
        if hands.is_empty() {
            return Err(stage(npz.problem("right_keypoints_m", "there is no hand")));
        }
        let text = |key: &str| npz.string(key).map_err(Error::stage(STAGE));
        inputs_sha256.push(("rollout.npz".to_owned(), npz.sha256().to_owned()));
        Ok(TransferResult {
            dt,
            table: scene.table_height().unwrap_or(0.0),
            hands,
            objects: objects(&scene, &qpos),
            source: text("source")?,
            licence: text("licence")?,
            inputs_sha256,
            report,
        })
    }
}

/// Refuses a hand whose files are not those of the transfer; results of before they were recorded pass.
fn same_hand(spec: &str, inputs: &[(String, String)]) -> Result<(), Error> {
    for (name, digest) in hand_files(spec)? {
        // A file of the clip may have the same name.
        let mut recorded = inputs.iter().filter(|(input, _)| *input == name).peekable();
        if recorded.peek().is_some() && !recorded.any(|(_, was)| *was == digest) {
            return Err(Error::Request(format!(
                "{spec}: {name} has changed since the transfer, whose hand was another"
            )));
        }
    }
    Ok(())
}

fn objects(scene: &Exported, qpos: &[Vec<f64>]) -> Vec<ResultObject> {
    let shapes = scene.shapes();
    let of = |shape: &Shape| {
        let name = shape.body.strip_prefix("object/")?.to_owned();
        let points = spread(&[(shape.index, &shape.mesh)], POINTS);
        let points = points.into_iter().map(|(_, point)| point).collect();
        let at = |qpos: &Vec<f64>| scene.world_from_bodies(qpos)[shape.index];
        Some(ResultObject { name, points, world_from_object: qpos.iter().map(at).collect() })
    };
    shapes.iter().filter_map(of).collect()
}

/// Targets as the servos take them: inside the ranges of their controls.
fn within(hand: &Hand, mut targets: Vec<f64>) -> Vec<f64> {
    for (target, actuator) in targets.iter_mut().zip(&hand.actuators) {
        *target = target.clamp(actuator.ctrl_range.0, actuator.ctrl_range.1);
    }
    targets
}

fn stage(error: dextra_data::DataError) -> Error {
    Error::stage(STAGE)(error)
}

/// An array `[rows][width]` of finite numbers.
fn rows(npz: &Npz, key: &str, width: usize) -> Result<Vec<Vec<f64>>, Error> {
    let (shape, values) = npz.array_f64(key).map_err(Error::stage(STAGE))?;
    if shape.len() != 2 || shape[1] != width || width == 0 {
        let problem = format!("the shape is {shape:?}, mjcf/scene.xml needs [rows, {width}]");
        return Err(stage(npz.problem(key, problem)));
    }
    if let Some(index) = values.iter().position(|v| !v.is_finite()) {
        let problem = format!("row {} has a number that is not finite", index / width);
        return Err(stage(npz.problem(key, problem)));
    }
    Ok(values.chunks_exact(width).map(<[f64]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hand_of_a_result_is_the_one_it_was_made_with() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mug.xml");
        let spec = file.to_str().unwrap();
        assert!(there(spec).unwrap_err().to_string().contains("--hand FILE"));
        std::fs::write(&file, "<mujoco/>").unwrap();
        std::fs::write(dir.path().join("mug.toml"), "side = \"left\"").unwrap();
        there(spec).unwrap();
        // The clip had a mug.toml of its own.
        let mut inputs = vec![("mug.toml".to_owned(), "0".repeat(64))];
        inputs.extend(hand_files(spec).unwrap());
        assert_eq!(inputs.len(), 3);
        same_hand(spec, &inputs).unwrap();
        same_hand("shadow", &inputs).unwrap();
        // Results of before have no digest of it.
        same_hand(spec, &[]).unwrap();
        std::fs::write(&file, "<mujoco> </mujoco>").unwrap();
        let error = same_hand(spec, &inputs).unwrap_err().to_string();
        assert!(error.contains("mug.xml has changed since the transfer"), "{error}");
    }
}
