//! Frames to an MP4 with AV1: all colours, at the speed of the motion.

use super::{FilmError, same_size};
use dextra_sim::render::RgbImage;
use rav1e::config::SpeedSettings;
use rav1e::prelude::*;
use shiguredo_mp4::TrackKind;
use shiguredo_mp4::bitstream::av1::{
    Av1ObuParseContext, Av1ObuType, Av1SampleEntryConfig, build_av01_box, parse_obus,
    parse_sequence_header,
};
use shiguredo_mp4::boxes::{Av01Box, SampleEntry};
use shiguredo_mp4::mux::{Mp4FileMuxer, Sample};
use std::num::NonZeroU32;

/// The fastest of rav1e's presets.
const SPEED: u8 = 10;
/// Of 255; at 100 of them edges and captions stay clean.
const QUANTIZER: usize = 100;
/// Most frames between two that need no other, so that players can seek.
const KEY_INTERVAL: u64 = 50;
/// Units of time in a second, in the file.
const TIMESCALE: u32 = 90_000;

/// Encodes the frames at `fps` frames per second; `notice` is the copyright.
pub(super) fn encode(frames: &[RgbImage], fps: f64, notice: &str) -> Result<Vec<u8>, FilmError> {
    if !(fps.is_finite() && fps > 0.0 && fps <= 240.0) {
        return Err(FilmError::Request(format!("{fps} frames per second: must be in 0..=240")));
    }
    let (width, height) = same_size(frames)?;
    let packets = packets(frames, width as usize, height as usize, fps)?;
    let first = packets.first().ok_or_else(|| failed("no picture came out"))?;
    let entry = sample_entry(&first.data)?;
    let mut muxer = Mp4FileMuxer::new().map_err(failed)?;
    let mut bytes = muxer.initial_boxes_bytes().to_vec();
    // Differences of rounded times, so that the error of rounding does not add up.
    let ticks = |index: usize| (index as f64 * f64::from(TIMESCALE) / fps).round();
    for (index, packet) in packets.iter().enumerate() {
        let sample = Sample {
            track_kind: TrackKind::Video,
            sample_entry: (index == 0).then(|| SampleEntry::Av01(entry.clone())),
            keyframe: packet.frame_type == FrameType::KEY,
            timescale: NonZeroU32::new(TIMESCALE).unwrap_or(NonZeroU32::MIN),
            duration: (ticks(index + 1) - ticks(index)).max(1.0) as u32,
            composition_time_offset: None,
            data_offset: bytes.len() as u64,
            data_size: packet.data.len(),
        };
        bytes.extend_from_slice(&packet.data);
        muxer.append_sample(&sample).map_err(failed)?;
    }
    for (offset, part) in muxer.finalize().map_err(failed)?.offset_and_bytes_pairs() {
        let end = offset as usize + part.len();
        bytes.resize(bytes.len().max(end), 0);
        bytes[offset as usize..end].copy_from_slice(part);
    }
    put_copyright(&mut bytes, notice)?;
    Ok(bytes)
}

/// Adds the item `cprt` to the metadata of iTunes (`moov/udta/meta/ilst`), where players and ffmpeg look for a copyright, and for
/// which the muxer has no place. `moov` is the last box of the file, so nothing that offsets point at moves.
fn put_copyright(file: &mut Vec<u8>, notice: &str) -> Result<(), FilmError> {
    // Type 1 is UTF-8; then the locale, any.
    let data = [&[0, 0, 0, 1, 0, 0, 0, 0], notice.as_bytes()].concat();
    let items = boxed(b"ilst", &boxed(b"cprt", &boxed(b"data", &data)?)?)?;
    let handler = boxed(b"hdlr", b"\0\0\0\0\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0")?;
    let udta = boxed(b"udta", &boxed(b"meta", &[&[0; 4], &handler[..], &items].concat())?)?;
    let word = |at: usize| file.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let mut at = 0;
    while let Some(length) = word(at) {
        // Of a box whose length needs 64 bits they follow its name.
        let length = match (length, word(at + 8), word(at + 12)) {
            (1, Some(high), Some(low)) => (u64::from(high) << 32 | u64::from(low)) as usize,
            _ => length as usize,
        };
        let end = at + length.max(8);
        if end == file.len() && &file[at + 4..at + 8] == b"moov" {
            let length = u32::try_from(length + udta.len()).map_err(failed)?;
            file[at..at + 4].copy_from_slice(&length.to_be_bytes());
            file.extend(udta);
            return Ok(());
        }
        at = end;
    }
    Err(failed("the description does not end the file"))
}

fn boxed(kind: &[u8; 4], payload: &[u8]) -> Result<Vec<u8>, FilmError> {
    let length = u32::try_from(payload.len() + 8).map_err(failed)?;
    Ok([&length.to_be_bytes(), kind.as_slice(), payload].concat())
}

fn failed(error: impl std::fmt::Display) -> FilmError {
    FilmError::Encoding(error.to_string())
}

fn packets(
    frames: &[RgbImage],
    width: usize,
    height: usize,
    fps: f64,
) -> Result<Vec<Packet<u8>>, FilmError> {
    let config = EncoderConfig {
        width,
        height,
        time_base: Rational { num: 1000, den: (fps * 1000.0).round() as u64 },
        chroma_sampling: ChromaSampling::Cs420,
        color_description: Some(ColorDescription {
            color_primaries: ColorPrimaries::BT709,
            transfer_characteristics: TransferCharacteristics::BT709,
            matrix_coefficients: MatrixCoefficients::BT709,
        }),
        quantizer: QUANTIZER,
        min_key_frame_interval: 0,
        max_key_frame_interval: KEY_INTERVAL,
        speed_settings: SpeedSettings::from_preset(SPEED),
        ..EncoderConfig::default()
    };
    let config = Config::new().with_encoder_config(config).with_threads(1);
    let mut encoder: Context<u8> = config.new_context().map_err(failed)?;
    let mut packets = Vec::new();
    for image in frames {
        let mut frame = encoder.new_frame();
        let planes = planes(&image.pixels, width, height);
        for ((plane, samples), stride) in
            frame.planes.iter_mut().zip(&planes).zip([width, width.div_ceil(2), width.div_ceil(2)])
        {
            plane.copy_from_raw_u8(samples, stride, 1);
        }
        encoder.send_frame(frame).map_err(failed)?;
        drain(&mut encoder, &mut packets)?;
    }
    encoder.flush();
    drain(&mut encoder, &mut packets)?;
    Ok(packets)
}

/// Takes what is ready.
fn drain(encoder: &mut Context<u8>, packets: &mut Vec<Packet<u8>>) -> Result<(), FilmError> {
    loop {
        match encoder.receive_packet() {
            Ok(packet) => packets.push(packet),
            Err(EncoderStatus::Encoded) => {}
            Err(EncoderStatus::NeedMoreData | EncoderStatus::LimitReached) => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
    }
}

/// What the file says of the stream: all from the sequence header in its first packet.
fn sample_entry(packet: &[u8]) -> Result<Av01Box, FilmError> {
    let units = parse_obus(packet, Av1ObuParseContext::Sample).map_err(failed)?;
    let header = units
        .iter()
        .find(|unit| matches!(unit.obu_type, Av1ObuType::SequenceHeader))
        .ok_or_else(|| failed("the stream begins without a sequence header"))?;
    let sequence = parse_sequence_header(header.payload).map_err(failed)?;
    let config = Av1SampleEntryConfig { initial_presentation_delay_minus_one: None };
    build_av01_box(&sequence, &[], &config).map_err(failed)
}

/// Luma, and both chromas at half the size: BT.709, limited range.
fn planes(rgb: &[u8], width: usize, height: usize) -> [Vec<u8>; 3] {
    let half = width.div_ceil(2);
    let mut luma = Vec::with_capacity(width * height);
    // Sums of blue and red minus luma over up to four pixels, and their number.
    let mut chroma = vec![(0.0, 0.0, 0.0); half * height.div_ceil(2)];
    for (index, pixel) in rgb.chunks_exact(3).enumerate() {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        luma.push((16.0 + y * 219.0 / 255.0).round() as u8);
        let (blue, red, count) = &mut chroma[index / width / 2 * half + index % width / 2];
        *blue += (b - y) / 1.8556;
        *red += (r - y) / 1.5748;
        *count += 1.0;
    }
    let scaled = |sum: f32, count: f32| (128.0 + sum / count * 224.0 / 255.0).round() as u8;
    let blue = chroma.iter().map(|&(blue, _, count)| scaled(blue, count)).collect();
    let red = chroma.iter().map(|&(_, red, count)| scaled(red, count)).collect();
    [luma, blue, red]
}
