//! HOT3D-Clips: `train_quest3/clip-ID.tar` or `train_aria/clip-ID.tar` as downloaded, 150 frames at 30 Hz.
//!
//! Hands are UmeTrack's, of the profile in the archive, or MANO's where there is no profile. Objects are
//! `obj_BOPID.glb` in `object_models_eval` or `object_models`, which lie beside the folder of the clips. The world is that of the
//! recording the clip is from, metres, y up; clips of the test split have no annotations.

use super::super::models::{Models, above};
use super::super::umetrack::Profile;
use super::super::{ImportOptions, Recording};
use super::archive::{self, Clip, Hand, Instance};
use super::{Object, add_objects, mano_keypoints, recording};
use crate::DataError;
use crate::clip::options::file_name;
use crate::mano::Shaped;
use dextra_core::demonstration::Keypoints;
use dextra_core::{Pose, Side};
use nalgebra::Vector3;
use std::collections::BTreeMap;
use std::path::Path;

/// Rate of the clips, frames per second; their files do not state it.
const FPS: f64 = 30.0;

/// Most objects of one clip.
const MAX_OBJECTS: usize = 64;

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
    if models.is_none() {
        recording.notes.extend(clip.shapes.umetrack.as_ref().and_then(Profile::note));
    }
    let (tracks, notes) = tracks(path, &clip.frames)?;
    recording.notes.extend(notes);
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

/// Poses of all objects in every frame, and how those of one kind are told apart.
fn tracks(path: &Path, frames: &[archive::Frame]) -> Result<(Tracks, Vec<String>), DataError> {
    let mut kinds: BTreeMap<u32, Vec<Vec<&Instance>>> = BTreeMap::new();
    // Most instances of each kind in one frame.
    let mut mosts: BTreeMap<u32, usize> = BTreeMap::new();
    for (frame, found) in frames.iter().enumerate() {
        for instance in &found.objects {
            let kind = kinds.entry(instance.bop_id);
            let here = &mut kind.or_insert_with(|| vec![Vec::new(); frames.len()])[frame];
            here.push(instance);
            let most = mosts.entry(instance.bop_id).or_default();
            *most = here.len().max(*most);
        }
        let count: usize = mosts.values().sum();
        if count > MAX_OBJECTS {
            return Err(DataError::TooLarge {
                file: path.to_owned(),
                what: "the number of objects".to_owned(),
                size: count as u64,
                limit: MAX_OBJECTS as u64,
            });
        }
    }
    let (mut tracks, mut notes) = (Tracks::new(), Vec::new());
    let (mut ordered, mut matched) = (false, false);
    for ((bop_id, kind), &most) in kinds.iter().zip(mosts.values()) {
        // The first frame that has all of them.
        let Some(seed) = kind.iter().position(|found| found.len() == most) else { continue };
        let change = kind.iter().any(|found| found.len() != most);
        let places = match most > 1 && change {
            true => nearest(kind, seed),
            false => kind.iter().map(|found| (0..found.len()).collect()).collect(),
        };
        ordered |= most > 1 && !change;
        matched |= most > 1 && change;
        for (place, instance) in kind[seed].iter().enumerate() {
            let track = (instance.name.clone(), vec![None; frames.len()]);
            tracks.insert((*bop_id, place), track);
        }
        for (frame, (found, places)) in kind.iter().zip(&places).enumerate() {
            for (instance, place) in found.iter().zip(places) {
                if let Some((_, poses)) = tracks.get_mut(&(*bop_id, *place)) {
                    poses[frame] = Some(instance.world_from_object);
                }
            }
        }
    }
    if ordered {
        notes.push("Objects of one kind are told apart by their order in the frame.".to_owned());
    }
    if matched {
        let note = "Objects of one kind, of which not every frame has all, are told apart by where they were last seen.";
        notes.push(note.to_owned());
    }
    Ok((tracks, notes))
}

/// The place of each instance of a kind in every frame: that of the nearest one where they were last seen, from the frame
/// `seed` on, which has all of them, and back from it.
fn nearest(kind: &[Vec<&Instance>], seed: usize) -> Vec<Vec<usize>> {
    let at = |instance: &Instance| instance.world_from_object.translation.vector;
    let all: Vec<Vector3<f64>> = kind[seed].iter().map(|instance| at(instance)).collect();
    let mut places = vec![Vec::new(); kind.len()];
    let mut follow = |frames: &mut dyn Iterator<Item = usize>| {
        let mut last = all.clone();
        for frame in frames {
            let found = &kind[frame];
            let mut pairs = Vec::new();
            for (index, instance) in found.iter().enumerate() {
                let apart = |(place, last): (usize, &Vector3<f64>)| {
                    ((at(instance) - last).norm(), index, place)
                };
                pairs.extend(last.iter().enumerate().map(apart));
            }
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (mut of, mut free) = (vec![None; found.len()], vec![true; last.len()]);
            for (_, index, place) in pairs {
                if of[index].is_none() && free[place] {
                    of[index] = Some(place);
                    free[place] = false;
                    last[place] = at(found[index]);
                }
            }
            places[frame] = of.into_iter().flatten().collect();
        }
    };
    follow(&mut (seed..kind.len()));
    follow(&mut (0..seed).rev());
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_one_kind_keep_their_tracks_where_some_are_not_seen() {
        let objects = |found: &[f64]| {
            let instance = |x: &f64| Instance {
                bop_id: 7,
                name: None,
                world_from_object: Pose::translation(*x, 0.0, 0.0),
            };
            let objects = found.iter().map(instance).collect();
            archive::Frame { left: Hand::default(), right: Hand::default(), objects }
        };
        let of = |frames: &[&[f64]]| {
            let frames: Vec<archive::Frame> = frames.iter().map(|found| objects(found)).collect();
            let (tracks, notes) = tracks(Path::new("clip.tar"), &frames).unwrap();
            let poses = tracks.into_values().map(|(_, poses)| {
                poses.iter().map(|pose| pose.map(|pose| pose.translation.x)).collect()
            });
            (poses.collect::<Vec<Vec<Option<f64>>>>(), notes.concat())
        };
        let (found, notes) = of(&[&[2.1], &[0.0, 2.0], &[2.1, 0.1], &[0.9], &[], &[2.2, 1.2]]);
        let first = [None, Some(0.0), Some(0.1), Some(0.9), None, Some(1.2)];
        let second = [Some(2.1), Some(2.0), Some(2.1), None, None, Some(2.2)];
        assert_eq!(found, [first, second]);
        assert!(notes.contains("where they were last seen"), "{notes}");
        // The order is that of the file where all are always there.
        let (found, notes) = of(&[&[0.0, 2.0], &[2.0, 0.0]]);
        assert_eq!(found, [[Some(0.0), Some(2.0)], [Some(2.0), Some(0.0)]]);
        assert!(notes.contains("order in the frame"), "{notes}");
        let frames = [objects(&[0.0; 40]), objects(&[0.0; 65])];
        let error = tracks(Path::new("clip.tar"), &frames).err().unwrap().to_string();
        assert!(error.contains("the number of objects is 65"), "{error}");
    }
}
