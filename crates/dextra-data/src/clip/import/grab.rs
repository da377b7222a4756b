//! GRAB: one `grab/SUBJECT/SEQUENCE.npz` of a download, whose members are pickled objects.
//!
//! `rhand` and `lhand` have `params` (`global_orient`, `hand_pose` as principal components, `transl`)
//! and the person's hand at rest as a mesh `vtemp`, which replaces shape parameters; the hand is
//! flat at rest. `object` has `params` and `object_mesh`. Its rotations act on row vectors, `v R + t`,
//! so that the true rotation is the transpose. z up, 120 Hz.

use super::models::{Convention, Models, above, from_axis_angle, mesh, part};
use super::{ImportOptions, Recording, find, stem};
use crate::clip::options::{Unit, UpAxis, file_name};
use crate::mano::{Origin, Tips};
use crate::mesh::read_mesh_file;
use crate::pickle::Value;
use crate::{DataError, Npz, Pickle};
use dextra_core::Side;
use std::path::Path;

const CONVENTION: Convention = Convention { origin: Origin::Model, tips: Tips::Smplx };

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let npz = Npz::open(path)?;
    let rate = npz.pickled("framerate").map(|p| p.root().unwrapped().number());
    let fps = match rate {
        Ok(rate) => rate?,
        // Numbers are stored as numbers in some copies.
        Err(_) => npz.scalar_f64("framerate")?,
    };
    let subject = path.parent().map(stem).unwrap_or_default();
    let mut recording = Recording {
        name: stem(path),
        fps: Some(fps),
        up: Some(UpAxis::Z),
        unit: Some(Unit::Metre),
        source: format!("GRAB, {subject} {}", stem(path)),
        licence: "LicenseRef-GRAB-non-commercial".into(),
        inputs: vec![(file_name(path), npz.sha256().to_owned())],
        notes: vec!["GRAB's licence allows non-commercial research only.".into()],
        ..Recording::default()
    };
    let models = Models::load(path, opts, &[Side::Right, Side::Left], false)?;
    for (side, key) in [(Side::Right, "rhand"), (Side::Left, "lhand")] {
        let Some(mano) = models.of(side).filter(|_| npz.contains(key)) else { continue };
        let pickle = npz.pickled(key)?;
        let hand = pickle.root().unwrapped();
        let shaped = match hand.find("vtemp") {
            Some(template) => {
                let name = template.text()?;
                let Some(file) = find(&above(path, opts), &[inside(&template, &name)?]) else {
                    return Err(template.problem(format!("no file {name} in a folder above")));
                };
                let person = read_mesh_file(&file)?;
                recording.inputs.push((file_name(&file), person.sha256));
                mano.scanned(&file, &person.mesh.vertices)?
            }
            None => mano.shaped(&[]),
        };
        let params = hand.get("params")?;
        let (orient, at) = (params.get("global_orient")?.rows(3)?, params.get("transl")?.rows(3)?);
        let (shape, components) = params.get("hand_pose")?.array()?;
        let width = match shape[..] {
            [frames, width @ 1..=45] if frames == orient.len() && frames == at.len() => width,
            _ => {
                let problem = format!("the shape {shape:?} for {} frames", orient.len());
                return Err(params.get("hand_pose")?.problem(problem));
            }
        };
        let track = components.chunks_exact(width).zip(orient.iter().zip(&at)).map(
            |(components, (orient, at))| {
                let fingers = mano.from_components(components, true);
                Some(CONVENTION.keypoints(&shaped, part(orient, 0), &fingers, part(at, 0)))
            },
        );
        recording.hands.push((Some(side), track.collect()));
    }
    object(path, opts, &npz.pickled("object")?, &mut recording)?;
    models.acknowledge(&mut recording);
    Ok(recording)
}

fn object(
    path: &Path,
    opts: &ImportOptions,
    pickle: &Pickle,
    recording: &mut Recording,
) -> Result<(), DataError> {
    let object = pickle.root().unwrapped();
    let params = object.get("params")?;
    let (orient, at) = (params.get("global_orient")?.rows(3)?, params.get("transl")?.rows(3)?);
    let poses = orient.iter().zip(&at).map(|(orient, at)| {
        // The transpose of R(v) is R(-v).
        let turned_back: [f64; 3] = part::<3>(orient, 0).map(|x| -x);
        Some(from_axis_angle(turned_back, part(at, 0)))
    });
    let stated = object.get("object_mesh")?;
    let name = inside(&stated, &stated.text()?)?;
    let file = Path::new(&name).file_name().map(|n| n.to_string_lossy().into_owned());
    let names = [name.clone(), file.unwrap_or_default()];
    let mesh = mesh(path, opts, &names, 1.0, &mut recording.inputs)?;
    recording.objects.push((stem(Path::new(&name)), mesh, poses.collect()));
    Ok(())
}

/// A relative path that stays below the folder it is looked for in.
fn inside(value: &Value, name: &str) -> Result<String, DataError> {
    let name = name.replace('\\', "/");
    let sound = Path::new(&name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
    if name.is_empty() || !sound {
        return Err(value.problem(format!("`{name}` is not a file in the data set's own folders")));
    }
    Ok(name)
}
