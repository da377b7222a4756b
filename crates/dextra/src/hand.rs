//! `hand check`: what is known of a robot hand from its file alone, how sure that is, and the map that
//! overrides it.

mod picture;

use crate::error::Error;
use crate::film::write_png;
use dextra_sim::hand::{Hand, HandCheck, MapSource};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What `hand check` looks at and where it writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HandRequest {
    /// MJCF or URDF file.
    pub file: PathBuf,
    /// Folder for the map and the picture; `None` for the file's own folder.
    pub out: Option<PathBuf>,
    /// Whether to draw the hand.
    pub picture: bool,
}

/// Whether there is a built-in hand or a file of a hand by this name; nothing is read.
///
/// # Errors
/// [`Error::Hand`] with the names that exist, the nearest first.
pub fn find(spec: &str) -> Result<(), Error> {
    Hand::find(spec).map_err(|e| Error::Hand { hand: spec.to_owned(), source: e.into() })
}

/// A hand and its map as they are told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HandReport {
    /// File as it was asked for.
    pub file: String,
    /// Name of the hand.
    pub hand: String,
    /// `"right"` or `"left"`, derived.
    pub side: String,
    /// `"derived"`, or the map file beside the hand, which a transfer uses.
    pub map: String,
    /// The least sure finding: `"certain"`, `"likely"` or `"guess"`.
    pub confidence: &'static str,
    /// Hinges.
    pub joints: usize,
    /// Hinges that no coupling drives.
    pub independent: usize,
    /// Servos.
    pub servos: usize,
    /// Mass, kilograms.
    pub mass_kg: f64,
    /// What was found, in the order of the map.
    pub findings: Vec<HandFinding>,
    /// What could not be known.
    pub unknown: Vec<String>,
    /// Where the map beside the file says something else.
    pub differences: Vec<String>,
    /// What was left out, replaced or assumed on reading.
    pub notes: Vec<String>,
    /// The map that was written; `None` where one was there already.
    pub map_file: Option<String>,
    /// The picture that was drawn.
    pub picture: Option<String>,
    /// The page with all of this.
    pub page: String,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HandFinding {
    /// What it is about.
    pub item: String,
    /// What was found.
    pub value: String,
    /// `"certain"`, `"likely"` or `"guess"`.
    pub confidence: &'static str,
    /// Why.
    pub reason: String,
}

/// Derives the map of a hand, and writes `NAME.toml`, `NAME.png` and `NAME.html`, NAME being that of the file. A map that
/// is there already is left as it is.
///
/// # Errors
/// [`Error::Hand`] when the file cannot be used, [`Error::Io`] or [`Error::Stage`] when a result cannot be
/// written.
pub fn check(request: &HandRequest) -> Result<HandReport, Error> {
    let file = request.file.display().to_string();
    let unusable = |source: dextra_sim::hand::HandError| Error::Hand {
        hand: file.clone(),
        source: source.into(),
    };
    let check = HandCheck::new(&request.file).map_err(unusable)?;
    let beside = request.file.parent().filter(|p| !p.as_os_str().is_empty());
    let out = match &request.out {
        Some(out) => {
            std::fs::create_dir_all(out).map_err(Error::io("create", out))?;
            out.clone()
        }
        None => beside.unwrap_or(Path::new(".")).to_owned(),
    };
    let name = request.file.file_name().unwrap_or_default();
    let map_file = out.join(name).with_extension("toml");
    let written = !map_file.exists();
    if written {
        dextra_data::atomic::write_file(&map_file, check.toml.as_bytes())
            .map_err(Error::stage("write the map"))?;
    }
    let mut picture = None;
    if request.picture {
        let path = out.join(name).with_extension("png");
        let image = picture::draw(&check).map_err(unusable)?;
        write_png(&image, &path, None).map_err(Error::stage("draw the hand"))?;
        picture = Some(path.display().to_string());
    }
    let hand = &check.hand;
    let page = out.join(name).with_extension("html");
    let report = HandReport {
        hand: hand.map.name.clone(),
        side: hand.map.side.name().to_owned(),
        map: match &check.source {
            MapSource::Derived => "derived".to_owned(),
            MapSource::File(path) => path.display().to_string(),
        },
        confidence: check.weakest().name(),
        joints: hand.tree.joints.len(),
        independent: hand.coordinates.len(),
        servos: hand.actuators.len(),
        mass_kg: hand.mass,
        findings: check
            .findings
            .iter()
            .map(|f| HandFinding {
                item: f.item.clone(),
                value: f.value.clone(),
                confidence: f.confidence.name(),
                reason: f.reason.clone(),
            })
            .collect(),
        unknown: check.unknown.clone(),
        differences: check.differences.clone(),
        notes: hand.notices.clone(),
        map_file: written.then(|| map_file.display().to_string()),
        picture,
        page: page.display().to_string(),
        file,
    };
    dextra_data::atomic::write_file(&page, crate::page::hand(&report)?.as_bytes())
        .map_err(Error::stage("write the page"))?;
    Ok(report)
}
