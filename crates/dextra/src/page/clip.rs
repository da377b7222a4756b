//! The page of a recording.

use super::plot::{Plot, escape, number};
use super::{classed, document, figures, header, list, picture, read, section, table, wide};
use crate::demo::{ClipInfo, ClipLook, HandInfo, ObjectInfo};
use crate::error::Error;
use std::path::Path;

/// The page of the recording in `dir`.
pub(super) fn page(dir: &Path) -> Result<String, Error> {
    let look: ClipLook = read(&dir.join("clip.json"))?;
    let info = &look.info;
    let mut body = head(info);
    if let Some(data) = picture(&dir.join("strip.png"))? {
        let alt = "Film strip: the human's hands and the objects, from start to end";
        let strip = wide(&data, "strip", alt);
        body += &section("Film", &strip);
    }
    body += &section("Over time", &figures(&plots(&look)));
    body += &section("Hands", &hands(info));
    body += &section("Objects", &objects(info));
    body += &section("What had to be inferred", &list(&info.notes));
    Ok(document(&info.clip, &body))
}

fn head(info: &ClipInfo) -> String {
    let verdict = match info.notes.len() {
        0 => classed("accepted", "stated"),
        _ => classed("between", "inferred"),
    };
    let tiles = [
        (info.frames.to_string(), "frames"),
        (format!("{} Hz", number(info.fps_hz)), "recorded"),
        (format!("{} s", number(info.duration_s)), "long"),
        (info.hands.len().to_string(), "hands"),
        (info.objects.len().to_string(), "objects"),
    ];
    let text =
        format!("<p>Source: {}. Licence: {}.</p>", escape(&info.source), escape(&info.licence));
    header(&info.clip, &verdict, &text, &tiles)
}

fn plots(look: &ClipLook) -> Vec<Plot> {
    let plot = Plot::over_time;
    vec![
        plot("Height of objects, cm above their lowest", &look.heights_cm, 1.0),
        plot("Nearest fingertip to a surface, cm", &look.gaps_cm, 1.0),
        plot("Speed of wrists and objects, m/s", &look.speeds_m_s, 0.1),
        plot("Parts on a hinge or slider, from their least", &look.openings, 1.0),
    ]
}

fn hands(info: &ClipInfo) -> String {
    let row = |hand: &HandInfo| {
        vec![
            escape(&hand.side),
            format!("{} cm", number(hand.palm_cm)),
            format!("{} mm", number(hand.chirality_mm)),
        ]
    };
    let rows: Vec<_> = info.hands.iter().map(row).collect();
    table(&["hand", "palm, wrist to middle knuckle", "fingers curl as a right hand's by"], &rows)
}

fn objects(info: &ClipInfo) -> String {
    if info.objects.is_empty() {
        return "<p>None: the clip shows hands alone.</p>".to_owned();
    }
    let row = |object: &ObjectInfo| {
        let [x, y, z] = object.size_cm.map(number);
        vec![
            escape(&object.object),
            format!("{x} x {y} x {z} cm"),
            object.mass_kg.map_or("not stated".to_owned(), |mass| format!("{} kg", number(mass))),
            object.faces.to_string(),
            format!("{} cm", number(object.lift_cm)),
            format!("{} m/s", number(object.peak_speed_m_s)),
        ]
    };
    let rows: Vec<_> = info.objects.iter().map(row).collect();
    table(&["object", "size", "mass", "faces", "rises by", "fastest"], &rows)
}
