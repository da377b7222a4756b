//! `feasibility`: what stands against a transfer, told in about a second and before any search.
//!
//! Reads the clip as [`transfer`](mod@crate::transfer) does, but builds no collision hulls: the surface of
//! an object is enough, and takes milliseconds where a decomposition takes seconds.

use crate::curves;
use crate::demo;
use crate::error::{Error, chain};
use crate::outputs;
use crate::page;
use crate::prepare::{self, MOST_SLOWING};
use crate::progress::Reporter;
use crate::request::TransferRequest;
use dextra_core::Demonstration;
use dextra_data::ClipOptions;
use dextra_motion::feasibility::{ClipView, assess};
use dextra_motion::retarget::{RetargetHand, SurfaceQuery};
use dextra_sim::hand::Hand;
use dextra_sim::object::Surface;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Instant;

pub use crate::curves::Curve;
pub use dextra_motion::feasibility::{
    Assessment, Difficulty, Finding, HandFit, Kind, Severity, Task,
};

/// A hand that could not be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unusable {
    /// Hand as it was asked for.
    pub hand: String,
    /// Why.
    pub cause: String,
}

/// `feasibility.json`: what was found for every hand, with curves of the clip to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeasibilityResult {
    /// Clip as it was asked for.
    pub clip: String,
    /// Hands that can be used.
    pub reports: Vec<FeasibilityReport>,
    /// Those that cannot.
    pub unusable: Vec<Unusable>,
    /// Height of every object above its lowest, centimetres.
    pub heights_cm: Vec<Curve>,
    /// Distance of every hand's nearest fingertip from the surface of an object, centimetres; negative inside.
    pub gaps_cm: Vec<Curve>,
    /// Source of the clip.
    #[serde(default)]
    pub source: String,
    /// Licence of the clip, which holds for everything made from it.
    #[serde(default)]
    pub licence: String,
}

/// One clip on several hands.
#[derive(Clone, Debug, PartialEq)]
pub struct FeasibilityRequest {
    /// A clip file (`.npz`) or the name of a built-in clip.
    pub clip: String,
    /// Names of built-in hands, or MJCF or URDF files.
    pub hands: Vec<String>,
    /// Seed of the noise of a built-in clip; nothing else is drawn.
    pub seed: u64,
    /// What is stated about the clip.
    pub options: ClipOptions,
    /// Folder for `feasibility.json` and its page, `report.html`; `None` writes nothing.
    pub out: Option<PathBuf>,
}

/// The file with a [`FeasibilityResult`].
const FILE: &str = "feasibility.json";

/// Whether a hand should be tried at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feasible {
    /// Nothing blocks.
    Feasible,
    /// A blocking finding.
    Infeasible,
}

impl Feasible {
    /// `"feasible"` or `"infeasible"`.
    pub fn name(self) -> &'static str {
        match self {
            Feasible::Feasible => "feasible",
            Feasible::Infeasible => "infeasible",
        }
    }
}

/// What was found about one clip on one hand; serialised as it stands, one line of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeasibilityReport {
    /// Clip as it was asked for.
    pub clip: String,
    /// Hand as it was asked for.
    pub hand: String,
    /// Seed of the noise of a built-in clip.
    pub seed: u64,
    /// Whether a hand should be tried at all.
    pub status: Feasible,
    /// The judgement and what it rests on.
    #[serde(flatten)]
    pub assessment: Assessment,
    /// Frames of the recorded clip.
    pub frames: usize,
    /// Frames per second of the recorded clip.
    pub fps_hz: f64,
    /// What was inferred, contradictory or done on the user's behalf while reading.
    pub notes: Vec<String>,
    /// Time spent on this hand, seconds; the first hand's includes the clip.
    pub wall_s: f64,
}

/// A report per hand, in the order asked for. A hand that cannot be used has an error in its place.
///
/// # Errors
/// An impossible request, clips or meshes that cannot be used, a folder with the result of another verb, and files that
/// cannot be written.
pub fn feasibility(
    request: &FeasibilityRequest,
    reporter: &dyn Reporter,
) -> Result<Vec<Result<FeasibilityReport, Error>>, Error> {
    if request.hands.is_empty() {
        return Err(Error::Request("no hand is named".to_owned()));
    }
    for hand in &request.hands {
        on(request, hand).check()?;
    }
    if let Some(out) = &request.out {
        page::may_hold(out, FILE)?;
    }
    let mut start = Instant::now();
    reporter.stage("read", None);
    let recorded = demo::load_handling(&request.clip, request.seed, &request.options)?;
    reporter.stage("clip", None);
    let looked_at = Loaded::new(recorded)?;
    reporter.stage("hands", Some(request.hands.len() as u64));
    let mut reports = Vec::with_capacity(request.hands.len());
    for (done, hand) in request.hands.iter().enumerate() {
        if reporter.cancelled() {
            return Err(Error::Cancelled { stage: "feasibility".to_owned() });
        }
        reports.push(
            on_hand(request, hand, &looked_at).map(|report| FeasibilityReport {
                wall_s: start.elapsed().as_secs_f64(),
                ..report
            }),
        );
        start = Instant::now();
        reporter.advance(done as u64 + 1, hand);
    }
    if let Some(out) = &request.out {
        let result = result(request, &looked_at, &reports);
        page::put(out, FILE, &result)?;
        outputs::write_source(out, &result.source, &result.licence)?;
    }
    Ok(reports)
}

/// What [`feasibility`] found, with curves of the clip that it has loaded.
fn result(
    request: &FeasibilityRequest,
    loaded: &Loaded,
    outcome: &[Result<FeasibilityReport, Error>],
) -> FeasibilityResult {
    let unusable = |(hand, outcome): (&String, &Result<FeasibilityReport, Error>)| {
        let cause = chain(outcome.as_ref().err()?);
        Some(Unusable { hand: hand.clone(), cause })
    };
    FeasibilityResult {
        clip: request.clip.clone(),
        reports: outcome.iter().flatten().cloned().collect(),
        unusable: request.hands.iter().zip(outcome).filter_map(unusable).collect(),
        heights_cm: curves::heights_cm(&loaded.recorded),
        gaps_cm: curves::gaps_cm(&loaded.recorded, &loaded.surfaces),
        source: loaded.recorded.provenance.source.clone(),
        licence: loaded.recorded.provenance.licence.clone(),
    }
}

/// What `transfer` asks: the same findings on what it has loaded already. `recorded` is the clip
/// before it is slowed.
pub(crate) fn of_loaded(
    recorded: &Demonstration,
    surfaces: &[&Surface],
    hands: &[Hand],
    models: &[RetargetHand],
) -> Result<Assessment, Error> {
    let surfaces: Vec<&dyn SurfaceQuery> = surfaces.iter().map(|&s| s as _).collect();
    let view = ClipView::new(recorded, &surfaces, MOST_SLOWING);
    let hands: Vec<&Hand> = hands.iter().collect();
    assess(&view, &surfaces, &hands, models).map_err(Error::stage("feasibility"))
}

/// Warnings and worse, as notes of a report; what the reader of the clip noted itself is left out.
pub(crate) fn notes(assessment: &Assessment) -> Vec<String> {
    let told = |f: &&Finding| f.severity > Severity::Info && f.kind != Kind::Handedness;
    let findings = assessment.findings.iter().filter(told);
    findings
        .map(|f| match f.frame {
            Some(frame) => format!("{} (recorded frame {frame}): {}", f.kind.name(), f.text),
            None => format!("{}: {}", f.kind.name(), f.text),
        })
        .collect()
}

/// A clip with what is the same for every hand.
struct Loaded {
    recorded: Demonstration,
    surfaces: Vec<Surface>,
    view: ClipView,
}

impl Loaded {
    fn new(recorded: Demonstration) -> Result<Loaded, Error> {
        let surfaces = recorded
            .objects
            .iter()
            .map(|object| Surface::new(&object.mesh).map_err(Error::stage("object geometry")))
            .collect::<Result<Vec<_>, _>>()?;
        let queries: Vec<&dyn SurfaceQuery> = surfaces.iter().map(|s| s as _).collect();
        let view = ClipView::new(&recorded, &queries, MOST_SLOWING);
        Ok(Loaded { recorded, surfaces, view })
    }
}

/// The request that a transfer to `hand` would be.
fn on(request: &FeasibilityRequest, hand: &str) -> TransferRequest {
    TransferRequest {
        clip: request.clip.clone(),
        hand: hand.to_owned(),
        seed: request.seed,
        options: request.options.clone(),
        ..TransferRequest::default()
    }
}

fn on_hand(
    request: &FeasibilityRequest,
    hand: &str,
    looked_at: &Loaded,
) -> Result<FeasibilityReport, Error> {
    let mut notes = looked_at.recorded.provenance.notes.clone();
    let (recorded, hands) =
        prepare::hands(&on(request, hand), looked_at.recorded.clone(), &mut notes)?;
    let other = recorded.hands.iter().zip(&looked_at.recorded.hands).any(|(a, b)| a.side != b.side);
    let mirrored = if other { Some(Loaded::new(recorded)?) } else { None };
    let looked_at = mirrored.as_ref().unwrap_or(looked_at);
    let surfaces: Vec<&dyn SurfaceQuery> = looked_at.surfaces.iter().map(|s| s as _).collect();
    let models = hands.iter().map(prepare::solver_hand).collect::<Result<Vec<_>, _>>()?;
    let hand_refs: Vec<&Hand> = hands.iter().collect();
    let mut assessment = assess(&looked_at.view, &surfaces, &hand_refs, &models)
        .map_err(Error::stage("feasibility"))?;
    if other {
        let side = hands[0].map.side.name();
        assessment.findings.push(Finding {
            kind: Kind::Mirrored,
            severity: Severity::Info,
            frame: None,
            text: format!("{hand} is a {side} hand only: the demonstration is mirrored for it"),
        });
    }
    let blocked = assessment.difficulty == Difficulty::Infeasible;
    Ok(FeasibilityReport {
        clip: request.clip.clone(),
        hand: hand.to_owned(),
        seed: request.seed,
        status: if blocked { Feasible::Infeasible } else { Feasible::Feasible },
        assessment,
        frames: looked_at.recorded.frames(),
        fps_hz: looked_at.recorded.fps,
        notes,
        wall_s: 0.0,
    })
}
