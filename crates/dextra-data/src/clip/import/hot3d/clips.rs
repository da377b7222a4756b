//! HOT3D-Clips: `train_quest3/clip-ID.tar` or `train_aria/clip-ID.tar` as downloaded, 150 frames at 30 Hz.
//!
//! Hands are UmeTrack's, of the profile in the archive, or MANO's where there is no profile. Objects are
//! `obj_BOPID.glb` in `object_models_eval` or `object_models`, which lie beside the folder of the clips. The world is that of the
//! recording the clip is from, metres, y up; clips of the test split have no annotations.

use super::super::models::{Models, above};
use super::super::{ImportOptions, Recording};
use super::archive::{self, Clip, Hand};
use super::{Object, add_objects, mano_keypoints, recording};
use crate::DataError;
use crate::clip::options::file_name;
use crate::mano::Shaped;
use dextra_core::demonstration::Keypoints;
use dextra_core::{Pose, Side};
use std::collections::BTreeMap;
use std::path::Path;

/// Rate of the clips, frames per second; their files do not state it.
const FPS: f64 = 30.0;

/// Most objects of one clip.
const MAX_OBJECTS: usize = 256;

/// Name and poses of an object by its number in BOP and its place among those of this number.
type Tracks = BTreeMap<(u32, usize), (Option<String>, Vec<Option<Pose>>)>;

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let clip = archive::read(path)?;
    let (models, [left, right]) = match &clip.shapes.umetrack {
        Some(profile) => {
            let track = |side| {
                keypoints(&clip, side, |hand| {
                    let (angles, world_from_wrist) = hand.umetrack.as_ref()?;
                    Some(profile.keypoints(side, angles, world_from_wrist))
                })
            };
            (None, [Side::Left, Side::Right].map(track))
        }
        None => {
            let models = Models::load(path, opts, &[Side::Right, Side::Left], true)?;
            let Some(betas) = &clip.shapes.mano else {
                let problem = "neither `umetrack` nor `mano` has the shape of the hands";
                return Err(DataError::field(path, "__hand_shapes.json__", problem));
            };
            let track = |side| {
                let Some(model) = models.of(side) else { return Vec::new() };
                let shaped: Shaped = model.shaped(betas);
                keypoints(&clip, side, |hand| {
                    let (thetas, turn, at) = hand.mano.as_ref()?;
                    Some(mano_keypoints(model, &shaped, thetas, *turn, *at))
                })
            };
            let hands = [Side::Left, Side::Right].map(track);
            (Some(models), hands)
        }
    };
    let mut recording = recording(path, "HOT3D-Clips", FPS, right, left, models.as_ref());
    recording.inputs.push((file_name(path), clip.sha256.clone()));
    let tracks = tracks(path, &clip)?;
    if tracks.keys().any(|(_, place)| *place > 0) {
        let note = "Objects of one kind are told apart by their order in the frame.";
        recording.notes.push(note.to_owned());
    }
    let objects = tracks.into_iter().map(|((bop_id, _), (name, poses))| {
        let mesh = format!("obj_{bop_id:06}");
        let places = ["object_models_eval/", "object_models/", ""];
        Object {
            name: name.unwrap_or_else(|| mesh.clone()),
            meshes: places.map(|place| format!("{place}{mesh}.glb")).into(),
            poses,
        }
    });
    add_objects(&mut recording, &above(path, opts), objects)?;
    if let Some(models) = models {
        models.acknowledge(&mut recording);
    }
    Ok(recording)
}

/// Keypoints of one hand in every frame.
fn keypoints(
    clip: &Clip,
    side: Side,
    of: impl Fn(&Hand) -> Option<Keypoints>,
) -> Vec<Option<Keypoints>> {
    let hand = |frame: &archive::Frame| match side {
        Side::Left => of(&frame.left),
        Side::Right => of(&frame.right),
    };
    clip.frames.iter().map(hand).collect()
}

/// Poses of all objects in every frame.
fn tracks(path: &Path, clip: &Clip) -> Result<Tracks, DataError> {
    let mut tracks = Tracks::new();
    for (frame, found) in clip.frames.iter().enumerate() {
        let mut places: BTreeMap<u32, usize> = BTreeMap::new();
        for instance in &found.objects {
            let place = places.entry(instance.bop_id).or_default();
            let track = tracks
                .entry((instance.bop_id, *place))
                .or_insert_with(|| (instance.name.clone(), vec![None; clip.frames.len()]));
            track.1[frame] = Some(instance.world_from_object);
            *place += 1;
        }
        if tracks.len() > MAX_OBJECTS {
            return Err(DataError::TooLarge {
                file: path.to_owned(),
                what: "the number of objects".to_owned(),
                size: tracks.len() as u64,
                limit: MAX_OBJECTS as u64,
            });
        }
    }
    Ok(tracks)
}
