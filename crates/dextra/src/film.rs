//! Something to look at: the human demonstration beside the robot's rollout.
//!
//! [`film`] draws composite pictures, human left and robot right under one camera, [`film_human`] the human alone; [`film_strip`]
//! lays some of them out in one PNG, [`animation`] plays them as a GIF and [`video`] as an MP4. Files appear
//! whole or not at all.

mod animation;
mod font;
mod video;

use dextra_core::demonstration::keypoint::{INDEX_MCP, MIDDLE_MCP, PINKY_MCP, WRIST};
use dextra_core::rollout::{Reference, ReferenceFrame};
use dextra_core::{Joint, Pose};
use dextra_data::{DataError, atomic};
use dextra_sim::render::{Camera, Overlay, RenderError, Renderer, RgbImage, skeleton};
use nalgebra::{Point3, Vector3};
use std::path::Path;

/// Why there is no film.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// A picture could not be drawn.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] DataError),
    /// The pictures could not be encoded.
    #[error("the pictures cannot be encoded: {0}")]
    Encoding(String),
    /// What was asked for does not fit together.
    #[error("{0}")]
    Request(String),
}

/// How a film looks.
#[derive(Clone, Debug, PartialEq)]
pub struct FilmConfig {
    /// Direction of view about the vertical, degrees; 0 looks along +x, 90 along +y. `None` looks
    /// from where thumb and fingers are seen to oppose each other.
    pub azimuth_deg: Option<f64>,
    /// Direction of view above the horizon, degrees; negative looks down.
    pub elevation_deg: f64,
    /// Whether the demanded object pose is drawn translucent beside the simulated one.
    pub ghost: bool,
    /// Captions of the left and the right picture.
    pub captions: [String; 2],
}

impl Default for FilmConfig {
    fn default() -> Self {
        Self {
            azimuth_deg: None,
            elevation_deg: -22.0,
            ghost: true,
            captions: ["human".into(), "robot".into()],
        }
    }
}

/// What is filmed.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// Body of each object in the model, in the order of [`ReferenceFrame::world_from_object`].
    pub object_bodies: &'a [&'a str],
    /// The joint of each object that is a part of an earlier one; empty where none is.
    pub joints: &'a [Option<Joint>],
    /// The demonstration, with the state of the rollout that each frame is compared with.
    pub reference: &'a Reference,
    /// Simulated states, `[N + 1][nq]`.
    pub qpos: &'a [Vec<f64>],
    /// Physics step, seconds; for the time in the caption.
    pub dt: f64,
}

/// Height of the caption bar, pixels.
const BAR_PX: u32 = 22;
const BAR_RGB: [u8; 3] = [38, 42, 48];
const TEXT_RGB: [u8; 3] = [236, 238, 240];
const TIME_RGB: [u8; 3] = [170, 178, 188];
const TEXT_SCALE: u32 = 2;
/// Between the two pictures, and between the tiles of a strip, pixels.
const GAP_PX: u32 = 2;
const GAP_RGB: [u8; 3] = [38, 42, 48];
const STRIP_GAP_PX: u32 = 8;
const STRIP_RGB: [u8; 3] = [255, 255, 255];
/// Framed round object origins and keypoints: objects have an extent and robot hands are larger
/// than human ones; metres.
const MARGIN: f64 = 0.05;
const GHOST_RGBA: [f32; 4] = [0.35, 0.55, 0.95, 0.35];
/// Ghosts fade in between these distances from the simulated pose, metres.
const GHOST_AWAY: (f64, f64) = (0.008, 0.025);
/// Metres that a radian counts as: half the size of a hand-held object.
const GHOST_ARM: f64 = 0.05;
/// Direction of view when the hands suggest none, degrees.
const AZIMUTH_DEG: f64 = 135.0;

/// Draws the reference frames with indices `shots`: one picture each, `2 w + 2` pixels wide and
/// `h + 22` high for a renderer of `w` x `h`.
///
/// # Errors
/// Shots, states or bodies that are not there, or a failure to draw.
pub fn film(
    renderer: &mut Renderer,
    recording: &Recording<'_>,
    shots: &[usize],
    config: &FilmConfig,
) -> Result<Vec<RgbImage>, FilmError> {
    let addresses = addresses(renderer, recording)?;
    let camera = camera(renderer, recording.reference, config);
    shots
        .iter()
        .map(|&shot| {
            let (frame, state) = recording.at(shot)?;
            let places = Places { addresses: &addresses, joints: recording.joints };
            let human = human_picture(renderer, frame, state, &places, &camera)?;
            let ghosts = if config.ghost {
                ghosts(recording.object_bodies, frame, state, &places)
            } else {
                Vec::new()
            };
            let robot = renderer.render(state, &camera, &ghosts)?;
            Ok(compose(&[human, robot], &config.captions, frame.step as f64 * recording.dt))
        })
        .collect()
}

/// The human's half of [`film`] alone: pictures `w` pixels wide and `h + 22` high.
///
/// # Errors
/// Those of [`film`].
pub fn film_human(
    renderer: &mut Renderer,
    recording: &Recording<'_>,
    shots: &[usize],
    config: &FilmConfig,
) -> Result<Vec<RgbImage>, FilmError> {
    let addresses = addresses(renderer, recording)?;
    let camera = camera(renderer, recording.reference, config);
    let places = Places { addresses: &addresses, joints: recording.joints };
    shots
        .iter()
        .map(|&shot| {
            let (frame, state) = recording.at(shot)?;
            let human = human_picture(renderer, frame, state, &places, &camera)?;
            Ok(compose(&[human], &config.captions[..1], frame.step as f64 * recording.dt))
        })
        .collect()
}

/// Where the joint of each object begins in `qpos`.
fn addresses(renderer: &Renderer, recording: &Recording<'_>) -> Result<Vec<usize>, FilmError> {
    let address = |&body: &&str| {
        let missing =
            || FilmError::Request(format!("the model has no moving body {body:?} to film"));
        renderer.joint_qpos(body).ok_or_else(missing)
    };
    recording.object_bodies.iter().map(address).collect()
}

/// At most `count` reference frames spread evenly in time, from the first to the last whose
/// simulated state exists (a rollout that exploded ends early).
pub fn even_shots(recording: &Recording<'_>, count: usize) -> Vec<usize> {
    let mut shots = spread(recording, count);
    shots.dedup();
    shots
}

/// The reference frames that play a rollout at real speed, and the pictures per second to play them
/// with: `fps`, or less where a long rollout would need more than `max_count` pictures.
pub fn real_time_shots(recording: &Recording<'_>, fps: f64, max_count: usize) -> (Vec<usize>, f64) {
    let filmed = recording.filmed();
    let duration = match filmed {
        [first, .., last] => last.step.saturating_sub(first.step) as f64 * recording.dt,
        _ => 0.0,
    };
    let wanted = (duration * fps).round() as usize + 1;
    let count = wanted.min(max_count.max(2));
    let fps = if wanted > count { (count - 1) as f64 / duration } else { fps };
    (spread(recording, count), fps)
}

/// For `count` times from first to last, the reference frame nearest in time.
fn spread(recording: &Recording<'_>, count: usize) -> Vec<usize> {
    let filmed = recording.filmed();
    let (Some(first), Some(last)) = (filmed.first(), filmed.last()) else {
        return Vec::new();
    };
    let span = last.step.saturating_sub(first.step) as f64 / count.saturating_sub(1).max(1) as f64;
    let mut shot = 0;
    (0..count)
        .map(|index| {
            let step = first.step as f64 + index as f64 * span;
            let gap = |shot: usize| (filmed[shot].step as f64 - step).abs();
            while shot + 1 < filmed.len() && gap(shot + 1) <= gap(shot) {
                shot += 1;
            }
            shot
        })
        .collect()
}

/// Lays pictures of one size out in rows of `columns` and writes a PNG that carries `notice`.
///
/// # Errors
/// No pictures, pictures of different sizes, no columns, or a file that cannot be written.
pub fn film_strip(
    frames: &[RgbImage],
    columns: usize,
    path: &Path,
    notice: &str,
) -> Result<(), FilmError> {
    let (width, height) = same_size(frames)?;
    if columns == 0 {
        return Err(FilmError::Request("a film strip of no columns".into()));
    }
    let columns = columns.min(frames.len()) as u32;
    let rows = (frames.len() as u32).div_ceil(columns);
    let side = |tiles: u32, size: u32| tiles * (size + STRIP_GAP_PX) - STRIP_GAP_PX;
    let mut strip = RgbImage::filled(side(columns, width), side(rows, height), STRIP_RGB);
    for (index, frame) in (0..).zip(frames) {
        let (column, row) = (index % columns, index / columns);
        strip.paste(frame, column * (width + STRIP_GAP_PX), row * (height + STRIP_GAP_PX));
    }
    write_png(&strip, path, Some(notice))
}

/// Writes one picture as PNG, with `notice` (what it was made from and under which licence) under the keyword `Copyright` of the
/// PNG specification (11.3.3.2).
///
/// # Errors
/// A file that cannot be written.
pub fn write_png(image: &RgbImage, path: &Path, notice: Option<&str>) -> Result<(), FilmError> {
    let failed = |error: png::EncodingError| FilmError::Encoding(error.to_string());
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width, image.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::Adaptive);
    if let Some(notice) = notice {
        encoder.add_itxt_chunk("Copyright".to_owned(), notice.to_owned()).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&image.pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(atomic::write_file(path, &bytes)?)
}

/// Writes pictures of one size as an animated GIF that repeats forever, with `notice` as its comment.
///
/// # Errors
/// No pictures, pictures of different sizes, `fps` outside `0..=50`, or a file that cannot be
/// written.
pub fn animation(
    frames: &[RgbImage],
    fps: f64,
    path: &Path,
    notice: &str,
) -> Result<(), FilmError> {
    let bytes = animation::encode(frames, fps, notice)?;
    Ok(atomic::write_file(path, &bytes)?)
}

/// Writes pictures of one size as an MP4 with AV1, which browsers, VLC, mpv and ffmpeg play, with `notice` as its copyright.
///
/// # Errors
/// No pictures, pictures of different sizes, `fps` outside `0..=240`, or a file that cannot be written.
pub fn video(frames: &[RgbImage], fps: f64, path: &Path, notice: &str) -> Result<(), FilmError> {
    let bytes = video::encode(frames, fps, notice)?;
    Ok(atomic::write_file(path, &bytes)?)
}

impl<'a> Recording<'a> {
    /// The reference frames whose simulated state exists.
    fn filmed(&self) -> &'a [ReferenceFrame] {
        let frames = &self.reference.frames;
        let end = frames.iter().position(|frame| frame.step >= self.qpos.len());
        &frames[..end.unwrap_or(frames.len())]
    }

    fn at(&self, shot: usize) -> Result<(&'a ReferenceFrame, &'a [f64]), FilmError> {
        let frames = &self.reference.frames;
        let frame = frames.get(shot).ok_or_else(|| {
            FilmError::Request(format!("frame {shot} of a reference of {}", frames.len()))
        })?;
        let state = self.qpos.get(frame.step).ok_or_else(|| {
            let states = self.qpos.len();
            FilmError::Request(format!("state {} of a rollout of {states}", frame.step))
        })?;
        if frame.world_from_object.len() != self.object_bodies.len() {
            return Err(FilmError::Request(format!(
                "frame {shot} has {} object poses for {} bodies",
                frame.world_from_object.len(),
                self.object_bodies.len()
            )));
        }
        Ok((frame, state))
    }
}

/// Sees all object poses and all keypoints of the reference.
fn camera(renderer: &Renderer, reference: &Reference, config: &FilmConfig) -> Camera {
    let mut points: Vec<Point3<f64>> = Vec::new();
    for frame in &reference.frames {
        let origins = frame.world_from_object.iter().map(|p| Point3::from(p.translation.vector));
        let hands = frame.human_keypoints.iter().flatten().flatten().copied();
        let known = origins.chain(hands).filter(|point| point.iter().all(|x| x.is_finite()));
        points.extend(known.flat_map(|point| {
            [Vector3::x(), Vector3::y(), Vector3::z()]
                .into_iter()
                .flat_map(move |axis| [point + axis * MARGIN, point - axis * MARGIN])
        }));
    }
    let azimuth_deg = config.azimuth_deg.unwrap_or_else(|| opposition_azimuth_deg(reference));
    renderer.camera_framing(&points, azimuth_deg, config.elevation_deg)
}

/// From the thumb's side of the hand and a little from its fingertips, averaged over the clip:
/// there the grasp is seen in profile, hidden neither by the back of the hand nor by the object.
fn opposition_azimuth_deg(reference: &Reference) -> f64 {
    let mut towards_camera = Vector3::zeros();
    let mut hands = 0.0;
    for keypoints in reference.frames.iter().flat_map(|f| f.human_keypoints.iter().flatten()) {
        let [wrist, index, middle, pinky] =
            [WRIST, INDEX_MCP, MIDDLE_MCP, PINKY_MCP].map(|at| keypoints[at]);
        let thumb_side = (index - pinky).try_normalize(1e-6);
        let fingers = (middle - wrist).try_normalize(1e-6);
        if let (Some(thumb_side), Some(fingers)) = (thumb_side, fingers) {
            towards_camera += thumb_side + fingers * 0.4;
            hands += 1.0;
        }
    }
    let level = towards_camera.xy() / f64::max(hands, 1.0);
    if level.norm() > 0.1 { (-level.y).atan2(-level.x).to_degrees() } else { AZIMUTH_DEG }
}

fn human_picture(
    renderer: &mut Renderer,
    frame: &ReferenceFrame,
    state: &[f64],
    places: &Places<'_>,
    camera: &Camera,
) -> Result<RgbImage, FilmError> {
    let mut qpos = state.to_vec();
    for index in 0..frame.world_from_object.len() {
        places.put(index, &frame.world_from_object, &mut qpos);
    }
    let hands: Vec<Overlay> = frame.human_keypoints.iter().flatten().flat_map(skeleton).collect();
    Ok(renderer.render_without_robot(&qpos, camera, &hands)?)
}

/// The demanded poses of objects that are elsewhere, the fainter the nearer: a ghost inside its
/// object would only stain it.
fn ghosts(
    bodies: &[&str],
    frame: &ReferenceFrame,
    state: &[f64],
    places: &Places<'_>,
) -> Vec<Overlay> {
    let mut ghosts = Vec::new();
    for (index, (&body, &world_from_body)) in
        bodies.iter().zip(&frame.world_from_object).enumerate()
    {
        let Some(simulated) = places.find(index, state) else { continue };
        let away = dextra_core::pose::distance_between(&simulated, &world_from_body)
            + GHOST_ARM * dextra_core::pose::angle_between(&simulated, &world_from_body);
        let strength = (away - GHOST_AWAY.0) / (GHOST_AWAY.1 - GHOST_AWAY.0);
        if strength > 0.0 {
            let [r, g, b, alpha] = GHOST_RGBA;
            let rgba = [r, g, b, alpha * strength.min(1.0) as f32];
            ghosts.push(Overlay::Ghost { body: body.to_owned(), world_from_body, rgba });
        }
    }
    ghosts
}

/// Where the objects lie in a state. A state too short for one is left alone; drawing it reports the
/// length.
struct Places<'a> {
    /// Where the joint of each object begins in `qpos`.
    addresses: &'a [usize],
    joints: &'a [Option<Joint>],
}

impl Places<'_> {
    fn joint(&self, index: usize) -> Option<&Joint> {
        self.joints.get(index)?.as_ref()
    }

    /// Puts one object of a scene where it is demanded.
    fn put(&self, index: usize, world_from_object: &[Pose], qpos: &mut [f64]) {
        let (at, pose) = (self.addresses[index], &world_from_object[index]);
        if let Some(joint) = self.joint(index) {
            let parent = world_from_object[joint.parent].inverse();
            let coordinate = qpos.get_mut(at);
            coordinate.into_iter().for_each(|q| *q = joint.coordinate(&(parent * pose), *q));
        } else if let Some(free) = qpos.get_mut(at..at + 7) {
            free[..3].copy_from_slice(&dextra_core::pose::pos(pose));
            free[3..].copy_from_slice(&dextra_core::pose::quat_wxyz(pose));
        }
    }

    /// Where one object is.
    fn find(&self, index: usize, qpos: &[f64]) -> Option<Pose> {
        let at = *self.addresses.get(index)?;
        if let Some(joint) = self.joint(index) {
            let parent = self.find(joint.parent, qpos)?;
            return Some(parent * joint.parent_from_part_at(*qpos.get(at)?));
        }
        let &[x, y, z, qw, qx, qy, qz] = qpos.get(at..at + 7)? else { return None };
        Some(dextra_core::pose::from_pos_quat([x, y, z], [qw, qx, qy, qz]))
    }
}

/// Pictures of one size side by side under a bar with their captions and the time.
fn compose(pictures: &[RgbImage], captions: &[String], time_s: f64) -> RgbImage {
    let (wide, high) = pictures.first().map_or((0, 0), |first| (first.width, first.height));
    let width = pictures.len() as u32 * (wide + GAP_PX) - GAP_PX;
    let mut image = RgbImage::filled(width, BAR_PX + high, GAP_RGB);
    image.paste(&RgbImage::filled(width, BAR_PX, BAR_RGB), 0, 0);
    let inset = (BAR_PX - font::HEIGHT * TEXT_SCALE) / 2;
    for (index, (picture, caption)) in (0..).zip(pictures.iter().zip(captions)) {
        let x = index * (wide + GAP_PX);
        image.paste(picture, x, BAR_PX);
        font::write(&mut image, caption, x + 8, inset, TEXT_SCALE, TEXT_RGB);
    }
    let time = format!("{time_s:.2} s");
    let x = width.saturating_sub(font::width(&time, TEXT_SCALE) + 8);
    font::write(&mut image, &time, x, inset, TEXT_SCALE, TIME_RGB);
    image
}

/// The size that all frames share.
fn same_size(frames: &[RgbImage]) -> Result<(u32, u32), FilmError> {
    let first = frames.first().ok_or_else(|| FilmError::Request("a film of no frames".into()))?;
    let size = (first.width, first.height);
    match frames.iter().position(|frame| (frame.width, frame.height) != size) {
        None => Ok(size),
        Some(index) => Err(FilmError::Request(format!(
            "frame {index} has another size than the {} x {} of the first",
            size.0, size.1
        ))),
    }
}

#[cfg(test)]
mod tests;
