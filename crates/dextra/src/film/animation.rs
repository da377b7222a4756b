//! Frames to an animated GIF: one palette for all frames, and only what changes from frame to frame.

use super::{FilmError, same_size};
use color_quant::NeuQuant;
use dextra_sim::render::RgbImage;
use gif::{DisposalMethod, Encoder, Extension, Frame, Repeat};
use std::borrow::Cow;

/// Colours of the palette; the last of the 256 indices means "as in the frame before".
const COLOURS: usize = 255;
const UNCHANGED: u8 = 255;
/// Pixels the palette is learned from.
const TRAINING_PIXELS: usize = 400_000;
/// How thoroughly NeuQuant learns: 1 best, 30 fastest.
const SAMPLE_FACTOR: i32 = 10;

/// Encodes the frames at `fps` frames per second, repeated forever; `notice` is a comment.
pub(super) fn encode(frames: &[RgbImage], fps: f64, notice: &str) -> Result<Vec<u8>, FilmError> {
    // GIF counts in hundredths of a second, and viewers slow down delays below two of them.
    if !(fps.is_finite() && fps > 0.0 && fps <= 50.0) {
        return Err(FilmError::Request(format!("{fps} frames per second: must be in 0..=50")));
    }
    let (width, height) = same_size(frames)?;
    let side = |side: u32| {
        u16::try_from(side).map_err(|_| FilmError::Request(format!("{side} pixels in a GIF")))
    };
    let (width_u16, height_u16) = (side(width)?, side(height)?);

    let palette = Palette::learn(frames);
    let mut bytes = Vec::new();
    let failed = |error: gif::EncodingError| FilmError::Encoding(error.to_string());
    let mut encoder =
        Encoder::new(&mut bytes, width_u16, height_u16, &palette.rgb).map_err(failed)?;
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    encoder.write_raw_extension(Extension::Comment.into(), &[notice.as_bytes()]).map_err(failed)?;
    let mut shown: Vec<u8> = Vec::new();
    for (index, image) in frames.iter().enumerate() {
        let indices = palette.indices(image);
        let (mut frame, full) = match (Change::between(&shown, &indices, width as usize), index) {
            (_, 0) => (whole(&indices, width_u16, height_u16), true),
            (Some(change), _) => (change.frame(&shown, &indices, width as usize), false),
            // Nothing moved; one unchanged pixel carries the delay.
            (None, _) => (pixel(), false),
        };
        frame.transparent = (!full).then_some(UNCHANGED);
        frame.dispose = DisposalMethod::Keep;
        // Differences of rounded times, so that the error of rounding does not add up.
        let centiseconds = |index: usize| (index as f64 * 100.0 / fps).round();
        let delay = centiseconds(index + 1) - centiseconds(index);
        frame.delay = delay.clamp(1.0, f64::from(u16::MAX)) as u16;
        encoder.write_frame(&frame).map_err(failed)?;
        shown = indices;
    }
    drop(encoder);
    Ok(bytes)
}

/// 255 colours and a table from 15-bit colour to the nearest of them.
struct Palette {
    rgb: Vec<u8>,
    nearest: Vec<u8>,
}

impl Palette {
    fn learn(frames: &[RgbImage]) -> Self {
        let total: usize = frames.iter().map(|frame| frame.pixels.len() / 3).sum();
        // An odd stride does not fall in step with picture widths, which are even.
        let stride = (total / TRAINING_PIXELS).max(1) | 1;
        let mut rgba = Vec::with_capacity(4 * (total / stride + 1));
        for pixel in frames.iter().flat_map(|frame| frame.pixels.chunks_exact(3)).step_by(stride) {
            rgba.extend_from_slice(&[pixel[0], pixel[1], pixel[2], 255]);
        }
        let network = NeuQuant::new(SAMPLE_FACTOR, COLOURS, &rgba);
        let mut rgb = network.color_map_rgb();
        rgb.resize(256 * 3, 0);
        let level = |five_bits: usize| ((five_bits << 3) | (five_bits >> 2)) as u8;
        let nearest = (0..1 << 15)
            .map(|key: usize| {
                let colour = [level(key >> 10), level(key >> 5 & 31), level(key & 31), 255];
                network.index_of(&colour).min(COLOURS - 1) as u8
            })
            .collect();
        Self { rgb, nearest }
    }

    fn indices(&self, image: &RgbImage) -> Vec<u8> {
        image
            .pixels
            .chunks_exact(3)
            .map(|pixel| {
                let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(|v| usize::from(v >> 3));
                self.nearest[r << 10 | g << 5 | b]
            })
            .collect()
    }
}

/// The box that holds all changed pixels.
struct Change {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Change {
    fn between(old: &[u8], new: &[u8], width: usize) -> Option<Self> {
        let mut change: Option<Self> = None;
        for at in (0..new.len()).filter(|&at| old.get(at) != Some(&new[at])) {
            let (x, y) = (at % width, at / width);
            let seen = change.get_or_insert(Self { left: x, top: y, right: x, bottom: y });
            seen.left = seen.left.min(x);
            seen.right = seen.right.max(x);
            seen.bottom = y;
        }
        change
    }

    fn frame(&self, old: &[u8], new: &[u8], width: usize) -> Frame<'static> {
        let columns = self.right - self.left + 1;
        let mut buffer = Vec::with_capacity(columns * (self.bottom - self.top + 1));
        for y in self.top..=self.bottom {
            let row = y * width + self.left;
            buffer.extend(
                (row..row + columns).map(|at| if old[at] == new[at] { UNCHANGED } else { new[at] }),
            );
        }
        Frame {
            left: self.left as u16,
            top: self.top as u16,
            width: columns as u16,
            height: (self.bottom - self.top + 1) as u16,
            buffer: Cow::Owned(buffer),
            ..Frame::default()
        }
    }
}

fn whole(indices: &[u8], width: u16, height: u16) -> Frame<'static> {
    Frame { width, height, buffer: Cow::Owned(indices.to_vec()), ..Frame::default() }
}

fn pixel() -> Frame<'static> {
    Frame { width: 1, height: 1, buffer: Cow::Owned(vec![UNCHANGED]), ..Frame::default() }
}
