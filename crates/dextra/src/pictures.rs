//! The pictures of a transfer: a film strip, an animation and a video of human beside robot.

use crate::film::{
    FilmConfig, FilmError, Recording, animation, even_shots, film, film_strip, real_time_shots,
    video,
};
use dextra_motion::refine::Refined;
use dextra_sim::object::ObjectModel;
use dextra_sim::render::{Quality, Renderer, Visual, film_model};
use std::path::Path;

/// Pictures of the film strip, and how many stand in a row.
const STRIP: (usize, usize) = (8, 2);
/// Pictures per second of the animation, and most of them.
const ANIMATION: (f64, usize) = (12.0, 120);
/// The same of the video.
const VIDEO: (f64, usize) = (30.0, 1800);
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
) -> Result<(), FilmError> {
    let bodies: Vec<&str> = refined.scene.objects.iter().map(|o| o.body.as_str()).collect();
    let joints: Vec<_> = refined.scene.objects.iter().map(|o| o.joint).collect();
    let visuals: Vec<Visual<'_>> = bodies
        .iter()
        .zip(objects)
        .map(|(body, object)| Visual { body, mesh: &object.mesh })
        .collect();
    let model = film_model(&refined.scene.xml, &refined.scene.files, &visuals)?;
    let recording = Recording {
        object_bodies: &bodies,
        joints: &joints,
        reference: &refined.reference,
        qpos: &refined.rollout.qpos,
        dt: refined.rollout.dt,
    };
    let config = FilmConfig::default();
    let mut renderer = Renderer::new(&model, STILL_PX.0, STILL_PX.1)?;
    let stills = film(&mut renderer, &recording, &even_shots(&recording, STRIP.0), &config)?;
    film_strip(&stills, STRIP.1, &out.join("strip.png"))?;
    if moving {
        let (shots, fps) = real_time_shots(&recording, VIDEO.0, VIDEO.1);
        let frames = film(&mut renderer, &recording, &shots, &config)?;
        video(&frames, fps, &out.join("film.mp4"))?;
    }
    let (shots, fps) = real_time_shots(&recording, ANIMATION.0, ANIMATION.1);
    drop(renderer);
    let mut renderer = Renderer::with_quality(&model, MOVING_PX.0, MOVING_PX.1, Quality::Draft)?;
    let frames = film(&mut renderer, &recording, &shots, &config)?;
    animation(&frames, fps, &out.join("film.gif"))
}
