//! Everything stated about a clip, gathered from options, sidecar and keys in that order.

use super::options::{ClipOptions, QuatOrder, Sidecar, Unit, UpAxis, file_name, parse_side};
use crate::{DataError, Npz};
use dextra_core::{Provenance, Side};
use std::path::{Component, Path, PathBuf};

/// Where a statement about handedness comes from: an option is a demand, the rest are labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SideClaim {
    /// Stated in [`ClipOptions`]; a geometry that differs is an error.
    Demand(Side),
    /// A label, with where it stands; a geometry that differs wins and is reported.
    Label(Side, &'static str),
    /// Nothing is said.
    None,
}

/// What is known about a clip before looking at its motion.
#[derive(Debug)]
pub(super) struct Settings {
    /// The clip.
    pub clip: PathBuf,
    /// Stated meshes, one per object, or empty.
    pub meshes: Vec<PathBuf>,
    pub fps: Option<f64>,
    pub unit: Option<Unit>,
    pub mesh_unit: Option<Unit>,
    pub up_axis: Option<UpAxis>,
    pub quat_order: Option<QuatOrder>,
    pub side: SideClaim,
    /// Mass of every object, kilograms, where options or sidecar state one.
    pub mass_kg: Option<f64>,
    pub licence: Option<String>,
    pub source: Option<String>,
    /// Digests of the files read so far.
    pub inputs: Vec<(String, String)>,
    /// Sentences for the provenance.
    pub notes: Vec<String>,
}

impl Settings {
    /// Gathers what `opts`, the sidecar and the keys of `npz` say.
    pub fn gather(npz: &Npz, opts: &ClipOptions) -> Result<Settings, DataError> {
        let clip = npz.file().to_owned();
        let sidecar = Sidecar::beside(&clip)?;
        let mut inputs = earlier_inputs(npz)?;
        inputs.push((file_name(&clip), npz.sha256().to_owned()));
        inputs.extend(sidecar.digest);
        let side = match (opts.side, sidecar.side) {
            (Some(side), _) => SideClaim::Demand(side),
            (None, Some(side)) => SideClaim::Label(side, "the sidecar"),
            (None, None) => label(npz)?,
        };
        let mass_kg = opts.mass_kg.or(sidecar.mass_kg);
        if let Some(mass) = mass_kg.filter(|m| !(*m > 0.0 && *m <= 100.0)) {
            let problem = format!("{mass} kg is not the mass of a hand-held object");
            return Err(DataError::option(&clip, "mass_kg", problem));
        }
        let fps = match opts.fps.or(sidecar.fps_hz) {
            Some(fps) => Some(fps),
            None => ["fps", "fps_hz"]
                .into_iter()
                .find(|key| npz.contains(key))
                .map(|key| npz.scalar_f64(key))
                .transpose()?,
        };
        Ok(Settings {
            meshes: stated_meshes(npz, opts, sidecar.mesh)?,
            fps,
            unit: match opts.unit.or(sidecar.unit) {
                Some(unit) => Some(unit),
                None => named(npz, "unit", &Unit::ALL, Unit::name)?,
            },
            mesh_unit: match opts.mesh_unit.or(sidecar.mesh_unit) {
                Some(unit) => Some(unit),
                None => named(npz, "mesh_unit", &Unit::ALL, Unit::name)?,
            },
            up_axis: match opts.up_axis.or(sidecar.up_axis) {
                Some(axis) => Some(axis),
                None => named(npz, "up_axis", &UpAxis::ALL, UpAxis::name)?,
            },
            quat_order: match opts.quat_order.or(sidecar.quat_order) {
                Some(order) => Some(order),
                None => named(npz, "quat_order", &QuatOrder::ALL, QuatOrder::name)?,
            },
            side,
            mass_kg,
            licence: match opts.licence.clone().or(sidecar.licence) {
                Some(licence) => Some(licence),
                None => text(npz, "licence")?,
            },
            source: match opts.source.clone().or(sidecar.source) {
                Some(source) => Some(source),
                None => text(npz, "source")?,
            },
            inputs,
            notes: if npz.contains("notes") { npz.strings("notes")?.1 } else { Vec::new() },
            clip,
        })
    }

    /// What `opts` says about a file that says nothing about itself, or whose format says it.
    pub fn stated(file: &Path, opts: &ClipOptions) -> Settings {
        Settings {
            clip: file.to_owned(),
            meshes: opts.mesh.iter().cloned().collect(),
            fps: opts.fps,
            unit: opts.unit,
            mesh_unit: opts.mesh_unit,
            up_axis: opts.up_axis,
            quat_order: opts.quat_order,
            side: opts.side.map_or(SideClaim::None, SideClaim::Demand),
            mass_kg: opts.mass_kg,
            licence: opts.licence.clone(),
            source: opts.source.clone(),
            inputs: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The clip's name without folder and extension.
    pub fn stem(&self) -> String {
        self.clip.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Records a sentence, once.
    pub fn note(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.notes.contains(&sentence) {
            self.notes.push(sentence);
        }
    }

    /// The provenance, with defaults for what nobody stated.
    pub fn provenance(self, default_source: String, default_licence: &str) -> Provenance {
        Provenance {
            source: self.source.unwrap_or(default_source),
            licence: self.licence.unwrap_or_else(|| default_licence.to_owned()),
            inputs_sha256: self.inputs,
            notes: self.notes,
        }
    }
}

/// Stated meshes as paths: options as given, sidecar and keys relative to the clip's folder.
fn stated_meshes(
    npz: &Npz,
    opts: &ClipOptions,
    sidecar: Vec<PathBuf>,
) -> Result<Vec<PathBuf>, DataError> {
    if let Some(mesh) = &opts.mesh {
        return Ok(vec![mesh.clone()]);
    }
    let folder = npz.file().parent().unwrap_or(Path::new(""));
    if !sidecar.is_empty() {
        return Ok(sidecar.into_iter().map(|mesh| folder.join(mesh)).collect());
    }
    if !npz.contains("mesh") {
        return Ok(Vec::new());
    }
    // A clip may come from anyone: it names files beside itself, not anywhere on the disk.
    let (_, names) = npz.strings("mesh")?;
    names
        .iter()
        .map(|name| {
            let inside = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
            if name.is_empty() || !inside {
                let problem = format!("`{name}` is not a file in the clip's own folder");
                return Err(npz.problem("mesh", problem));
            }
            Ok(folder.join(name))
        })
        .collect()
}

/// The label of the clip's own keys, else of its file name.
fn label(npz: &Npz) -> Result<SideClaim, DataError> {
    if npz.contains("side") {
        let text = npz.string("side")?;
        let side = parse_side(&text)
            .ok_or_else(|| npz.problem("side", format!("`{text}` is neither right nor left")))?;
        return Ok(SideClaim::Label(side, "the key `side`"));
    }
    let stem = npz.file().file_stem().map(|s| s.to_string_lossy().into_owned());
    let stem = stem.unwrap_or_default();
    let mut sides = stem.split(['_', '-', '.', ' ']).filter_map(parse_side);
    Ok(match (sides.next(), sides.next()) {
        (Some(side), None) => SideClaim::Label(side, "the file name"),
        _ => SideClaim::None,
    })
}

/// Digests of the files a converted clip was made from, kept through the conversion.
fn earlier_inputs(npz: &Npz) -> Result<Vec<(String, String)>, DataError> {
    if !npz.contains("inputs_sha256") {
        return Ok(Vec::new());
    }
    let (shape, texts) = npz.strings("inputs_sha256")?;
    if shape.len() != 2 || shape[1] != 2 {
        let problem = format!("shape [N, 2] (name, digest) was expected, not {shape:?}");
        return Err(npz.problem("inputs_sha256", problem));
    }
    Ok(texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
}

fn text(npz: &Npz, key: &str) -> Result<Option<String>, DataError> {
    if npz.contains(key) { npz.string(key).map(Some) } else { Ok(None) }
}

/// A key whose text is one of a few names.
fn named<T: Copy>(
    npz: &Npz,
    key: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Option<T>, DataError> {
    let Some(text) = text(npz, key)? else {
        return Ok(None);
    };
    match all.iter().find(|&&value| name(value) == text) {
        Some(&value) => Ok(Some(value)),
        None => {
            let valid: Vec<&str> = all.iter().map(|&value| name(value)).collect();
            Err(npz.problem(key, format!("`{text}` is none of {}", valid.join(", "))))
        }
    }
}
