//! The pictures of a transfer: a film strip, an animation and a video of human beside robot. And the film strip of a
//! recording.

use crate::film::{
    FilmConfig, FilmError, Recording, animation, even_shots, film, film_human, film_strip,
    real_time_shots, video,
};
use crate::outputs;
use dextra_core::rollout::{Reference, ReferenceFrame};
use dextra_core::{Demonstration, Provenance};
use dextra_motion::refine::{Refined, table_height};
use dextra_sim::object::ObjectModel;
use dextra_sim::render::{Quality, Renderer, Visual, film_model};
use dextra_sim::scene::{ObjectPlacement, Scene, SceneConfig};
use std::path::Path;

/// Pictures of the film strip, and how many stand in a row.
const STRIP: (usize, usize) = (8, 2);
/// Pictures per second of the animation, and most of them.
const ANIMATION: (f64, usize) = (12.0, 120);
/// The same of the video.
const VIDEO: (f64, usize) = (30.0, 1800);
/// Pictures in a row of a recording's strip, which show the human alone.
const HUMAN_COLUMNS: usize = 4;
/// Size of one half of a still, and of a picture of the video, pixels.
const STILL_PX: (u32, u32) = (400, 300);
/// Size of one half of a picture of the animation, pixels.
const MOVING_PX: (u32, u32) = (320, 240);

/// Writes `strip.png` and `film.gif` into `out`, and `film.mp4` where `moving` is asked for.
///
/// # Errors
/// When nothing can be drawn on this machine, or a file cannot be written.
pub fn write(
    out: &Path,
    refined: &Refined,
    objects: &[ObjectModel],
    moving: bool,
    made_from: &Provenance,
) -> Result<(), FilmError> {
    let bodies: Vec<&str> = refined.scene.objects.iter().map(|o| o.body.as_str()).collect();
    let joints: Vec<_> = refined.scene.objects.iter().map(|o| o.joint).collect();
    let Scene { xml, files, .. } = &refined.scene;
    let model = film_model(xml, files, &visuals(&refined.scene, objects))?;
    let recording = Recording {
        object_bodies: &bodies,
        joints: &joints,
        reference: &refined.reference,
        qpos: &refined.rollout.qpos,
        dt: refined.rollout.dt,
    };
    let config = FilmConfig::default();
    let notice = outputs::notice(&made_from.source, &made_from.licence);
    let mut renderer = Renderer::new(&model, STILL_PX.0, STILL_PX.1)?;
    let stills = film(&mut renderer, &recording, &even_shots(&recording, STRIP.0), &config)?;
    film_strip(&stills, STRIP.1, &out.join("strip.png"), &notice)?;
    if moving {
        let (shots, fps) = real_time_shots(&recording, VIDEO.0, VIDEO.1);
        let frames = film(&mut renderer, &recording, &shots, &config)?;
        video(&frames, fps, &out.join("film.mp4"), &notice)?;
    }
    let (shots, fps) = real_time_shots(&recording, ANIMATION.0, ANIMATION.1);
    drop(renderer);
    let mut renderer = Renderer::with_quality(&model, MOVING_PX.0, MOVING_PX.1, Quality::Draft)?;
    let frames = film(&mut renderer, &recording, &shots, &config)?;
    animation(&frames, fps, &out.join("film.gif"), &notice)
}

/// Writes a film strip of a recording: its hands and objects, nothing simulated.
///
/// # Errors
/// When nothing can be drawn on this machine, or the file cannot be written.
pub fn write_recording(
    path: &Path,
    demo: &Demonstration,
    objects: &[ObjectModel],
) -> Result<(), FilmError> {
    let placements: Vec<ObjectPlacement<'_>> = objects
        .iter()
        .zip(&demo.objects)
        .map(|(object, track)| ObjectPlacement {
            object,
            world_from_object: track.world_from_object[0],
            joint: track.articulation.as_ref().map(|part| part.joint),
        })
        .collect();
    let config = SceneConfig::new(table_height(demo, None));
    let scene = Scene::compose(&config, &[], &placements)
        .map_err(|error| FilmError::Request(error.to_string()))?;
    let frame = |step: usize| ReferenceFrame {
        step,
        world_from_object: demo.objects.iter().map(|o| o.world_from_object[step]).collect(),
        human_keypoints: demo.hands.iter().map(|h| Some(h.keypoints_in_world[step])).collect(),
    };
    let reference = Reference { frames: (0..demo.frames()).map(frame).collect() };
    let recording = Recording {
        object_bodies: &scene.objects.iter().map(|o| o.body.as_str()).collect::<Vec<_>>(),
        joints: &scene.objects.iter().map(|o| o.joint).collect::<Vec<_>>(),
        reference: &reference,
        qpos: &vec![scene.default_qpos(); demo.frames()],
        dt: 1.0 / demo.fps,
    };
    let model = film_model(&scene.xml, &scene.files, &visuals(&scene, objects))?;
    let mut renderer = Renderer::new(&model, STILL_PX.0, STILL_PX.1)?;
    let shots = even_shots(&recording, STRIP.0);
    let stills = film_human(&mut renderer, &recording, &shots, &FilmConfig::default())?;
    let made_from = &demo.provenance;
    film_strip(
        &stills,
        HUMAN_COLUMNS,
        path,
        &outputs::notice(&made_from.source, &made_from.licence),
    )
}

/// The objects' own surfaces, to be shown instead of their collision hulls.
fn visuals<'a>(scene: &'a Scene, objects: &'a [ObjectModel]) -> Vec<Visual<'a>> {
    let bodies = scene.objects.iter().map(|object| object.body.as_str());
    bodies.zip(objects).map(|(body, object)| Visual { body, mesh: &object.mesh }).collect()
}
