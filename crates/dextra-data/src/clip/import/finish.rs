//! From what a format's reader found to a demonstration: gaps, checks, the up axis.

use super::ImportOptions;
use crate::DataError;
use crate::clip::keypoints::{GRAVITY, check_bones, check_reach, farthest, turn_up};
use crate::clip::options::{Unit, UpAxis};
use crate::clip::settings::{Settings, SideClaim};
use crate::clip::{MAX_FRAMES, geometry, upright};
use dextra_core::demonstration::{HandTrack, Keypoints, ObjectTrack};
use dextra_core::{Articulation, Demonstration, Joint, Pose, Side, TriMesh};
use nalgebra::Vector3;
use std::ops::Range;
use std::path::Path;

/// What a format's reader found: metres unless `unit` is open, the recording's own frame.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Name of the clip.
    pub name: String,
    /// Frames per second, where the format or the file says so.
    pub fps: Option<f64>,
    /// Hands, with the side they are labelled with.
    pub hands: Vec<(Option<Side>, Vec<Option<Keypoints>>)>,
    /// Objects: name, surface in metres, poses.
    pub objects: Vec<(String, TriMesh, Vec<Option<Pose>>)>,
    /// Objects that are parts of others.
    pub parts: Vec<Part>,
    /// The direction that points up, where it is known.
    pub up: Option<UpAxis>,
    /// The unit, where the format says so.
    pub unit: Option<Unit>,
    /// Name or citation of the source.
    pub source: String,
    /// Licence: an SPDX expression, or `LicenseRef-…`.
    pub licence: String,
    /// Digests of the files read.
    pub inputs: Vec<(String, String)>,
    /// What was inferred, left out, or cannot be known.
    pub notes: Vec<String>,
}

/// An object that is a part of an earlier one.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The name of its parent.
    pub parent: String,
    /// Its joint, but for the index of the parent.
    pub joint: Joint,
    /// The coordinate of every frame of the recording, radians or metres.
    pub coordinate: Vec<f64>,
}

/// Share of the frames in which a track must be seen to be kept.
const SEEN: f64 = 0.5;

/// Checks a recording and brings it into the world frame.
pub(super) fn finish(
    file: &Path,
    mut recording: Recording,
    opts: &ImportOptions,
) -> Result<Demonstration, DataError> {
    let mut settings = Settings::stated(file, &opts.clip);
    settings.unit = settings.unit.or(recording.unit);
    settings.up_axis = settings.up_axis.or(recording.up);
    settings.inputs = std::mem::take(&mut recording.inputs);
    settings.notes = std::mem::take(&mut recording.notes);
    let fps = frame_rate(&settings, recording.fps)?;
    choose_objects(&mut settings, &mut recording, &opts.objects)?;
    let frames = longest_run(&mut settings, &mut recording)?;

    let mut labels = Vec::new();
    let mut hands: Vec<Vec<Keypoints>> = Vec::new();
    for (side, track) in recording.hands {
        labels.push(side);
        hands.push(track[frames.clone()].iter().flatten().copied().collect());
    }
    for (hand, label) in hands.iter().zip(&labels) {
        let finite =
            |frame: &Keypoints| frame.iter().all(|p| p.coords.iter().all(|x| x.is_finite()));
        if let Some(frame) = hand.iter().position(|frame| !finite(frame)) {
            let problem = "a keypoint is not finite";
            return Err(DataError::frame(file, key(*label), frames.start + frame, problem));
        }
    }
    let unit = geometry::unit(&mut settings, key(labels[0]), &hands[0])?;
    for point in hands.iter_mut().flatten().flatten() {
        *point *= unit.metres();
    }
    let mut sides = Vec::new();
    for (hand, label) in hands.iter().zip(&labels) {
        check_bones(file, key(*label), hand)?;
        let claim = match (label, settings.side) {
            (_, SideClaim::Demand(side)) => SideClaim::Demand(side),
            (Some(side), _) => SideClaim::Label(*side, "the recording"),
            (None, claim) => claim,
        };
        sides.push(geometry::side(&mut settings, key(*label), claim, hand)?);
    }
    if sides.len() == 2 && sides[0] == sides[1] {
        let problem = format!("the geometry shows two {} hands", sides[0].name());
        return Err(DataError::field(file, "hands", problem));
    }
    let (mut names, mut meshes, mut poses) = (Vec::new(), Vec::new(), Vec::new());
    for (name, mesh, track) in recording.objects {
        names.push(name);
        meshes.push(mesh);
        poses.push(track[frames.clone()].iter().flatten().copied().collect::<Vec<Pose>>());
    }
    check_reach(file, &poses, &hands)?;
    let up = match farthest(&poses) {
        Some(moved) => {
            let points = geometry::surface_points(&meshes[moved], 1000);
            let scene = upright::Scene { points: &points, poses: &poses[moved], hands: &hands };
            upright::up_axis(&mut settings, &scene)
        }
        None => settings.up_axis.unwrap_or_else(|| {
            settings
                .note("Nothing in a recording of hands alone tells which way is up; z is assumed.");
            UpAxis::Z
        }),
    };
    turn_up(up, &mut poses, &mut hands);

    let articulations: Vec<Option<Articulation>> = (0..names.len())
        .map(|index| {
            let part = recording.parts.iter().find(|part| part.name == names[index])?;
            // A part whose parent is left out is an object of its own.
            let parent = names[..index].iter().position(|name| *name == part.parent)?;
            let coordinate = part.coordinate.get(frames.clone())?.to_vec();
            Some(Articulation { joint: Joint { parent, ..part.joint }, coordinate })
        })
        .collect();
    let mass = settings.mass_kg.filter(|_| names.len() == 1);
    let mut demo = Demonstration {
        name: recording.name,
        fps,
        gravity: Vector3::new(0.0, 0.0, -GRAVITY),
        hands: sides
            .into_iter()
            .zip(hands)
            .map(|(side, keypoints_in_world)| HandTrack { side, keypoints_in_world })
            .collect(),
        objects: names
            .into_iter()
            .zip(meshes)
            .zip(poses)
            .zip(articulations)
            .map(|(((name, mesh), world_from_object), articulation)| ObjectTrack {
                name,
                mesh,
                world_from_object,
                mass,
                articulation,
            })
            .collect(),
        provenance: settings.provenance(recording.source, &recording.licence),
    };
    demo.place_parts();
    Ok(demo)
}

fn key(side: Option<Side>) -> &'static str {
    match side {
        Some(Side::Right) => "the right hand",
        Some(Side::Left) => "the left hand",
        None => "the hand",
    }
}

fn frame_rate(settings: &Settings, of_file: Option<f64>) -> Result<f64, DataError> {
    match settings.fps.or(of_file) {
        Some(fps) if fps > 1.0 && fps < 1000.0 => Ok(fps),
        Some(fps) => {
            let problem = format!("{fps} frames per second is outside 1 to 1000");
            Err(DataError::option(&settings.clip, "fps", problem))
        }
        None => {
            let problem = "the recording does not state its frame rate (--fps-hz F)";
            Err(DataError::option(&settings.clip, "fps", problem))
        }
    }
}

/// Leaves the objects that are wanted.
fn choose_objects(
    settings: &mut Settings,
    recording: &mut Recording,
    wanted: &[String],
) -> Result<(), DataError> {
    let there: Vec<String> = recording.objects.iter().map(|object| object.0.clone()).collect();
    if let Some(name) = wanted.iter().find(|name| !there.contains(name)) {
        let problem = format!("no `{name}`; with a mesh there are: {}", there.join(", "));
        return Err(DataError::option(&settings.clip, "objects", problem));
    }
    if !wanted.is_empty() {
        recording.objects.retain(|object| wanted.contains(&object.0));
    }
    Ok(())
}

/// Drops tracks that are seldom seen, and finds the longest run in which all others are.
fn longest_run(
    settings: &mut Settings,
    recording: &mut Recording,
) -> Result<Range<usize>, DataError> {
    let file = settings.clip.clone();
    let frames = recording.hands.iter().map(|hand| hand.1.len()).max().unwrap_or(0);
    if frames > MAX_FRAMES {
        return Err(DataError::TooLarge {
            file,
            what: "the number of frames".to_owned(),
            size: frames as u64,
            limit: MAX_FRAMES as u64,
        });
    }
    let seen = |count: usize| count as f64 >= SEEN * frames.max(1) as f64;
    let percent = |count: usize| 100 * count / frames.max(1);
    let mut left_out = Vec::new();
    recording.hands.retain(|(side, track)| {
        let count = track.iter().flatten().count();
        if !seen(count) {
            left_out.push(format!("{} ({} %)", key(*side), percent(count)));
        }
        seen(count)
    });
    recording.objects.retain(|(name, _, track)| {
        let count = track.iter().flatten().count();
        if !seen(count) || track.len() != frames {
            left_out.push(format!("{name} ({} %)", percent(count)));
        }
        seen(count) && track.len() == frames
    });
    if !left_out.is_empty() {
        settings.note(format!(
            "Left out, as seen in less than half of the frames: {}.",
            left_out.join(", ")
        ));
    }
    if recording.hands.is_empty() {
        return Err(DataError::format(&file, "no hand is seen in half of the frames"));
    }
    let whole = |frame: usize| {
        recording.hands.iter().all(|hand| hand.1.get(frame).is_some_and(Option::is_some))
            && recording.objects.iter().all(|object| object.2[frame].is_some())
    };
    let (mut best, mut start) = (0..0, 0);
    for frame in 0..=frames {
        if frame == frames || !whole(frame) {
            if frame - start > best.len() {
                best = start..frame;
            }
            start = frame + 1;
        }
    }
    if best.len() < 2 {
        let problem = "no two frames in a row show everything that is seen in half of the frames";
        return Err(DataError::format(&file, problem));
    }
    if best.len() < frames {
        settings.note(format!(
            "Of {frames} frames, {} to {} are kept: the longest run that shows everything.",
            best.start,
            best.end - 1
        ));
    }
    Ok(best)
}
