//! `demo`: the built-in demonstrations, and one way to get any clip by its name or path.

use crate::curves::{self, Curve};
use crate::error::Error;
use crate::{outputs, page, pictures, prepare};
use dextra_core::{Demonstration, demonstration};
use dextra_data::ClipOptions;
use dextra_motion::synth::{NoiseConfig, SynthClip, synth};
use dextra_sim::object::Surface;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Names of the built-in clips.
pub fn names() -> Vec<&'static str> {
    SynthClip::ALL.iter().map(|clip| clip.name()).collect()
}

/// The demonstration called `clip`: a file when the name has an extension or a folder in it, else
/// a built-in clip, whose noise `seed` draws.
///
/// # Errors
/// [`Error::Clip`]: the file cannot be used, or no built-in clip has this name.
/// [`Error::Request`]: `options` were stated for a built-in clip, which needs none.
pub fn load(clip: &str, seed: u64, options: &ClipOptions) -> Result<Demonstration, Error> {
    let unusable = |source| Error::Clip { clip: clip.to_owned(), source };
    if is_path(clip) {
        return dextra_data::load_clip(Path::new(clip), options).map_err(|e| unusable(e.into()));
    }
    if SynthClip::from_name(clip).is_ok() && *options != ClipOptions::default() {
        let message =
            format!("the clip {clip} is built in: its mesh, unit, side and the like are fixed");
        return Err(Error::Request(message));
    }
    make(clip, seed, 1.0)
}

/// Whether there is a built-in clip or a file by this name; nothing is read.
///
/// # Errors
/// [`Error::Clip`], for an unknown name with those that exist.
pub fn find(clip: &str) -> Result<(), Error> {
    let unusable = |source| Error::Clip { clip: clip.to_owned(), source };
    match is_path(clip) {
        true => std::fs::metadata(clip).map(|_| ()).map_err(|e| unusable(e.into())),
        false => SynthClip::from_name(clip).map(|_| ()).map_err(|e| unusable(e.into())),
    }
}

/// The built-in demonstration `clip` with `noise` times the usual noise.
fn make(clip: &str, seed: u64, noise: f64) -> Result<Demonstration, Error> {
    let built_in = SynthClip::from_name(clip)
        .map_err(|source| Error::Clip { clip: clip.to_owned(), source: source.into() })?;
    let mut demo = synth(built_in, seed, &NoiseConfig::default().times(noise));
    if noise != 1.0 {
        demo.provenance.source += &format!(" noise {noise}");
    }
    Ok(demo)
}

/// [`load`] for work that needs an object in the hand.
///
/// # Errors
/// Those of [`load`], and [`Error::Clip`] for a clip of hands alone.
pub fn load_handling(clip: &str, seed: u64, options: &ClipOptions) -> Result<Demonstration, Error> {
    let demo = load(clip, seed, options)?;
    if demo.objects.is_empty() {
        let source = "the clip shows hands alone: there is no object to be handled".into();
        return Err(Error::Clip { clip: clip.to_owned(), source });
    }
    Ok(demo)
}

/// Writes the built-in clip `clip`, or every one for `"all"`, as files into the folder `out`, in
/// the format that [`load`] reads, with `noise` times the noise that [`load`] gives. Returns the clips' paths.
///
/// # Errors
/// [`Error::Clip`] for an unknown name, [`Error::Request`] for noise that is negative or above 100,
/// [`Error::Io`] or [`Error::Stage`] for a failed write.
pub fn write(clip: &str, seed: u64, noise: f64, out: &Path) -> Result<Vec<PathBuf>, Error> {
    if !(0.0..=100.0).contains(&noise) {
        return Err(Error::Request(format!("noise is {noise}; it goes from 0 to 100")));
    }
    let wanted = if clip == "all" { names() } else { vec![clip] };
    let demos = wanted
        .into_iter()
        .map(|name| match is_path(name) {
            true => Err(Error::Request(format!(
                "{name} is a file; built-in clips are: {}, all",
                names().join(", ")
            ))),
            false => make(name, seed, noise),
        })
        .collect::<Result<Vec<_>, _>>()?;
    std::fs::create_dir_all(out).map_err(Error::io("create", out))?;
    demos
        .iter()
        .map(|demo| {
            let path = out.join(format!("{}.npz", demo.name));
            dextra_data::write_keypoint_clip(&path, demo).map_err(Error::stage("write"))?;
            Ok(path)
        })
        .collect()
}

/// What a clip holds, in the units of the names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipInfo {
    /// Name of the clip.
    pub clip: String,
    /// Number of frames.
    pub frames: usize,
    /// Frames per second.
    pub fps_hz: f64,
    /// `frames / fps_hz`.
    pub duration_s: f64,
    /// The hands.
    pub hands: Vec<HandInfo>,
    /// The objects.
    pub objects: Vec<ObjectInfo>,
    /// Name or citation of the source.
    pub source: String,
    /// Licence.
    pub licence: String,
    /// What the reader inferred or found contradictory.
    pub notes: Vec<String>,
}

/// Whether a clip can be used, and what it does not say itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// The clip as it was asked for.
    pub clip: String,
    /// `"stated"`: nothing had to be inferred; `"inferred"`: see `notes`; `"refused"`: see `cause`.
    pub status: &'static str,
    /// What the reader inferred or found contradictory.
    pub notes: Vec<String>,
    /// Why the clip cannot be used.
    pub cause: Option<String>,
}

/// Reads a clip and says whether it can be used.
pub fn validate(clip: &str, options: &ClipOptions) -> Validation {
    use std::error::Error as _;
    let clip_name = clip.to_owned();
    match load(clip, 0, options) {
        Ok(demo) => {
            let notes = demo.provenance.notes;
            let status = if notes.is_empty() { "stated" } else { "inferred" };
            Validation { clip: clip_name, status, notes, cause: None }
        }
        Err(error) => {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            Validation { clip: clip_name, status: "refused", notes: Vec::new(), cause: Some(cause) }
        }
    }
}

/// A hand of a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandInfo {
    /// `"right"` or `"left"`.
    pub side: String,
    /// Evidence for the side, millimetres: how far the fingers curl to the palm's side of a right
    /// hand; positive for a right hand, see [`demonstration::chirality`].
    pub chirality_mm: f64,
    /// Length of the palm, wrist to middle knuckle, mean over frames.
    pub palm_cm: f64,
}

/// An object of a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// Name.
    pub object: String,
    /// Faces of the mesh.
    pub faces: usize,
    /// Edges of the bounding box in the object's frame.
    pub size_cm: [f64; 3],
    /// Mass, when stated.
    pub mass_kg: Option<f64>,
    /// How far the object's origin rises above its first position.
    pub lift_cm: f64,
    /// Highest speed of its origin between two frames.
    pub peak_speed_m_s: f64,
}

/// Summarises a demonstration.
pub fn info(demo: &Demonstration) -> ClipInfo {
    let hands = demo.hands.iter().map(|hand| {
        let palms = hand.keypoints_in_world.iter().map(|k| {
            let knuckle = k[demonstration::keypoint::MIDDLE_MCP];
            (knuckle - k[demonstration::keypoint::WRIST]).norm()
        });
        let frames = hand.keypoints_in_world.len().max(1) as f64;
        HandInfo {
            side: hand.side.name().to_owned(),
            chirality_mm: 1000.0 * demonstration::chirality(&hand.keypoints_in_world),
            palm_cm: 100.0 * palms.sum::<f64>() / frames,
        }
    });
    let objects = demo.objects.iter().map(|object| {
        let (low, high) = object.mesh.bounds().unwrap_or_default();
        let positions = object.world_from_object.iter().map(|pose| pose.translation.vector);
        let start = positions.clone().next().unwrap_or_default();
        let steps = positions.clone().zip(positions.clone().skip(1));
        ObjectInfo {
            object: object.name.clone(),
            faces: object.mesh.faces.len(),
            size_cm: (100.0 * (high - low)).into(),
            mass_kg: object.mass,
            lift_cm: 100.0 * positions.map(|p| p.z - start.z).fold(0.0, f64::max),
            peak_speed_m_s: demo.fps * steps.map(|(a, b)| (b - a).norm()).fold(0.0, f64::max),
        }
    });
    ClipInfo {
        clip: demo.name.clone(),
        frames: demo.frames(),
        fps_hz: demo.fps,
        duration_s: demo.frames() as f64 / demo.fps,
        hands: hands.collect(),
        objects: objects.collect(),
        source: demo.provenance.source.clone(),
        licence: demo.provenance.licence.clone(),
        notes: demo.provenance.notes.clone(),
    }
}

/// `clip.json`: what a clip holds, with curves to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipLook {
    /// In numbers.
    pub info: ClipInfo,
    /// Height of every object above its lowest, centimetres.
    pub heights_cm: Vec<Curve>,
    /// Distance of every hand's nearest fingertip from the surface of an object, centimetres; negative inside.
    pub gaps_cm: Vec<Curve>,
    /// Speed of wrists and objects, m/s.
    pub speeds_m_s: Vec<Curve>,
    /// How far parts on hinges and sliders are from their least coordinate, degrees or centimetres.
    pub openings: Vec<Curve>,
}

/// The file with a [`ClipLook`].
const LOOK: &str = "clip.json";

/// Puts `clip.json`, the film strip `strip.png` and the page `report.html` of a demonstration into the folder `out`. Returns
/// why there is no film strip, where there is none.
///
/// # Errors
/// Objects without a usable surface, a folder with the result of another verb, and files that cannot be written.
pub fn look(demo: &Demonstration, out: &Path) -> Result<Option<String>, Error> {
    page::may_hold(out, LOOK)?;
    std::fs::create_dir_all(out).map_err(Error::io("create", out))?;
    let surfaces = demo.objects.iter().map(|object| Surface::new(&object.mesh));
    let surfaces =
        surfaces.collect::<Result<Vec<_>, _>>().map_err(Error::stage("object geometry"))?;
    let drawn = pictures::write_recording(&out.join("strip.png"), demo, &prepare::objects(demo)?);
    let look = ClipLook {
        info: info(demo),
        heights_cm: curves::heights_cm(demo),
        gaps_cm: curves::gaps_cm(demo, &surfaces),
        speeds_m_s: curves::speeds_m_s(demo),
        openings: curves::openings(demo),
    };
    outputs::write_source(out, &look.info.source, &look.info.licence)?;
    page::put(out, LOOK, &look)?;
    Ok(drawn.err().map(|error| format!("no pictures: {error}")))
}

/// A built-in name has neither an extension nor a folder.
fn is_path(clip: &str) -> bool {
    let path = Path::new(clip);
    path.extension().is_some() || path.components().count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn an_unknown_name_lists_the_built_in_clips() {
        let error = load("cub", 0, &ClipOptions::default()).unwrap_err();
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(error.to_string().contains("cub"), "{error}");
        for name in names() {
            assert!(source.contains(name), "{source}");
        }
    }

    #[test]
    fn a_missing_file_is_a_file_error_not_an_unknown_name() {
        let error = load("no/such/clip.npz", 0, &ClipOptions::default()).unwrap_err();
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(source.contains("no/such/clip.npz"), "{source}");
    }

    #[test]
    fn options_for_a_built_in_clip_are_refused() {
        let options = ClipOptions { fps: Some(30.0), ..ClipOptions::default() };
        assert!(matches!(load("cube", 0, &options), Err(Error::Request(_))));
    }

    #[test]
    fn noise_is_as_much_as_was_asked_for_and_told() {
        let clean = make("cube", 0, 0.0).unwrap();
        assert_eq!(make("cube", 1, 0.0).unwrap().hands, clean.hands, "no noise, no seed");
        assert_eq!(clean.provenance.source, "dextra synth cube seed 0 noise 0");
        let away = |noise: f64| {
            let noisy = make("cube", 0, noise).unwrap();
            let of = |demo: &Demonstration, frame: usize| demo.hands[0].keypoints_in_world[frame];
            (0..clean.frames())
                .map(|frame| (of(&noisy, frame)[8] - of(&clean, frame)[8]).norm())
                .sum::<f64>()
        };
        assert!((away(3.0) / away(1.0) - 3.0).abs() < 0.2, "{} {}", away(3.0), away(1.0));
        let dir = tempfile::tempdir().unwrap();
        for noise in [-1.0, f64::NAN, 101.0] {
            assert!(matches!(write("cube", 0, noise, dir.path()), Err(Error::Request(_))));
        }
    }

    #[test]
    fn a_written_clip_reads_back_as_the_same_demonstration() {
        let dir = tempfile::tempdir().unwrap();
        let paths = write("cube", 3, 1.0, dir.path()).unwrap();
        let original = load("cube", 3, &ClipOptions::default()).unwrap();
        let path = paths[0].to_str().unwrap();
        let read = load(path, 0, &ClipOptions::default()).unwrap();
        assert_eq!(read.frames(), original.frames());
        let (a, b) = (&read.objects[0].world_from_object, &original.objects[0].world_from_object);
        for (a, b) in a.iter().zip(b) {
            assert!((a.translation.vector - b.translation.vector).norm() < 1e-6);
        }
        let (a, b) = (&read.hands[0], &original.hands[0]);
        assert_eq!(a.side, b.side);
        for (a, b) in a.keypoints_in_world.iter().zip(&b.keypoints_in_world) {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).norm() < 1e-6));
        }
    }

    #[test]
    fn the_cube_is_lifted_by_ten_centimetres() {
        let info = info(&load("cube", 0, &ClipOptions::default()).unwrap());
        assert_eq!((info.clip.as_str(), info.fps_hz), ("cube", 60.0));
        assert!((info.objects[0].lift_cm - 10.0).abs() < 1.5, "{info:?}");
        assert!(info.objects[0].size_cm.iter().all(|s| (s - 6.0).abs() < 0.01), "{info:?}");
        assert!(info.hands[0].side == "right" && info.hands[0].chirality_mm > 5.0, "{info:?}");
    }
}
