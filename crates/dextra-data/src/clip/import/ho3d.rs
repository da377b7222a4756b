//! HO-3D v2 and v3: the folder `train/SEQUENCE` of a download.
//!
//! `meta/NNNN.pkl` has per frame `handJoints3D (21,3)`, or `handPose (48)`, `handTrans`, `handBeta` of
//! MANO, and `objRot` (axis-angle), `objTrans`, `objName`; `None` where nothing is annotated. Metres in
//! the camera's frame of OpenGL, whose y is up in the picture and whose z points backwards: y and z
//! change their signs here. 30 Hz. The camera's tilt is not in the files.

use super::models::{Convention, Models, betas, from_axis_angle, mesh, part, plain};
use super::{ImportOptions, Recording, stem};
use crate::clip::options::{Unit, UpAxis};
use crate::mano::{Origin, TO_KEYPOINTS, Tips};
use crate::{DataError, Pickle, atomic};
use dextra_core::demonstration::keypoint;
use dextra_core::{Pose, Side};
use nalgebra::{Point3, UnitQuaternion, Vector3};
use std::path::{Path, PathBuf};

const CONVENTION: Convention = Convention { origin: Origin::Model, tips: Tips::Manopth };

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let folder = path.join("meta");
    let entries = std::fs::read_dir(&folder).map_err(|e| DataError::io(&folder, "list", e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|e| e == "pkl"))
        .collect();
    files.sort();
    let mut recording = Recording {
        name: stem(path),
        fps: Some(30.0),
        up: Some(UpAxis::MinusY),
        unit: Some(Unit::Metre),
        source: format!("HO-3D, {}", stem(path)),
        licence: "LicenseRef-HO3D-academic-only".into(),
        notes: vec![
            "HO-3D may be used for academic purposes only.".into(),
            "The camera's tilt is not in the files: up is up in the picture (`up_axis`).".into(),
        ],
        ..Recording::default()
    };
    // Half a turn about x: from OpenGL's camera, y up and z backwards, to y down and z forwards.
    let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
    let models = match opts.mano {
        Some(_) => Some(Models::load(path, opts, &[Side::Right], false)?),
        None => None,
    };
    let (mut hand, mut poses, mut name) = (Vec::new(), Vec::new(), None);
    let (mut used_model, mut digests) = (false, String::new());
    for file in &files {
        let pickle = Pickle::open(file)?;
        let root = pickle.root();
        let joints = root.find("handJoints3D").filter(|joints| !joints.is_none());
        let joints = joints.and_then(|joints| joints.numbers::<{ 3 * keypoint::COUNT }>().ok());
        let pose = root.find("handPose").filter(|pose| !pose.is_none());
        let mano = models.as_ref().and_then(|models| models.of(Side::Right));
        let keypoints = match (joints, mano, pose) {
            (Some(joints), ..) => {
                Some(TO_KEYPOINTS.map(|k| Point3::from_slice(&joints[3 * k..3 * k + 3])))
            }
            (None, Some(mano), Some(pose)) => {
                used_model = true;
                let shaped = mano.shaped(&betas(&root.get("handBeta")?.array()?.1));
                let pose = pose.numbers::<48>()?;
                let fingers = mano.from_axis_angles(&part(&pose, 3), true);
                let at = root.get("handTrans")?.numbers::<3>()?;
                Some(CONVENTION.keypoints(&shaped, part(&pose, 0), &fingers, at))
            }
            _ => None,
        };
        hand.push(keypoints.map(|keypoints| keypoints.map(|p| turn * p)));
        let rotation = root.get("objRot")?;
        poses.push(match rotation.is_none() {
            true => None,
            false => {
                let pose: Pose =
                    from_axis_angle(rotation.numbers()?, root.get("objTrans")?.numbers()?);
                name = name.or(Some(plain(&root.get("objName")?)?));
                Some(turn * pose)
            }
        });
        digests += pickle.sha256();
    }
    let digest = atomic::sha256_hex(digests.as_bytes());
    recording.inputs.push(("meta/*.pkl, digest of digests".into(), digest));
    recording.hands.push((Some(Side::Right), hand));
    if let Some(name) = name {
        let files = ["textured_simple.obj", "textured.obj"];
        let names: Vec<String> = files
            .iter()
            .flat_map(|file| [format!("models/{name}/{file}"), format!("{name}/{file}")])
            .collect();
        let mesh = mesh(path, opts, &names, 1.0, &mut recording.inputs)?;
        recording.objects.push((name, mesh, poses));
    }
    if let Some(models) = models.filter(|_| used_model) {
        models.acknowledge(&mut recording);
    }
    Ok(recording)
}
