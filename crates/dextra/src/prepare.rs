//! Everything between a clip and the search, the same for every verb: read, slow down, decompose
//! objects, retarget. Quick, and the same bits for the same request.

use crate::demo;
use crate::error::Error;
use crate::feasibility;
use crate::progress::Reporter;
use crate::request::TransferRequest;
use dextra_core::retime;
use dextra_core::{Demonstration, HandMotion, Motion, Side};
use dextra_data::atomic;
use dextra_motion::feasibility::Assessment;
use dextra_motion::refine::RefineInput;
use dextra_motion::retarget::{ObjectInput, RetargetConfig, RetargetHand, retarget};
use dextra_sim::hand::Hand;
use dextra_sim::object::{DecomposeConfig, ObjectModel};
use std::path::{Path, PathBuf};

/// Gaussian smoothing of the demonstration before it is followed and judged, seconds (standard
/// deviation). Recorded object poses jitter by millimetres; no hand should reproduce that.
pub const SMOOTHING_S: f64 = 0.05;

/// Most that a clip is slowed. A clip that is still too fast has a glitch or is no human motion; it
/// is judged as it is, and the diagnosis says so.
pub const MOST_SLOWING: f64 = 4.0;

/// Largest file of a hand, bytes.
const HAND_BYTES: u64 = 1 << 26;

/// A clip and its hands as they were read, before anything is worked out.
pub struct Recorded {
    demo: Demonstration,
    hands: Vec<Hand>,
    notes: Vec<String>,
}

/// A clip made ready for a hand.
pub struct Prepared {
    /// The demonstration, slowed to what a wrist can follow and lightly smoothed.
    pub demo: Demonstration,
    /// One robot hand per demonstrated hand.
    pub hands: Vec<Hand>,
    /// The same hands as the retargeter sees them.
    pub models: Vec<RetargetHand>,
    /// Objects, in the demonstration's order.
    pub objects: Vec<ObjectModel>,
    /// The retargeted motion.
    pub motion: Motion,
    /// Factor by which the clip was slowed.
    pub time_scale: f64,
    /// What the user should know.
    pub notes: Vec<String>,
    /// What stands against the transfer.
    pub feasibility: Assessment,
}

impl Recorded {
    /// Reads the clip and the hands of a request.
    ///
    /// # Errors
    /// Unusable clips and hands.
    pub fn read(request: &TransferRequest, reporter: &dyn Reporter) -> Result<Self, Error> {
        reporter.stage("read", None);
        let demo = demo::load_handling(&request.clip, request.seed, &request.options)?;
        let mut notes = demo.provenance.notes.clone();
        let (demo, hands) = hands(request, demo, &mut notes)?;
        Ok(Self { demo, hands, notes })
    }
}

impl Prepared {
    /// Makes a clip ready.
    ///
    /// # Errors
    /// Unusable objects, and hands that cannot be retargeted to.
    pub fn new(read: Recorded, reporter: &dyn Reporter) -> Result<Self, Error> {
        let Recorded { demo: recorded, hands, mut notes } = read;
        let wanted_scale = retime::time_scale(&recorded, &retime::Limits::default());
        let time_scale = wanted_scale.min(MOST_SLOWING);
        if time_scale > 1.0 {
            notes.push(format!(
                "the clip is faster than the wrist can follow and is slowed by a factor of \
                 {time_scale:.2}"
            ));
        }
        if wanted_scale > time_scale {
            notes.push(format!(
                "it would have to be slowed by {wanted_scale:.1}: it jumps, or is no human motion"
            ));
        }
        let demo = retime::resample(&recorded, time_scale, recorded.fps.max(30.0), SMOOTHING_S)
            .map_err(Error::stage("retime"))?;
        reporter.stage("objects", None);
        let objects = objects(&demo)?;
        reporter.stage("retarget", None);
        let models = hands.iter().map(solver_hand).collect::<Result<Vec<_>, _>>()?;
        let surfaces: Vec<_> = objects.iter().map(|object| &object.surface).collect();
        let feasibility = feasibility::of_loaded(&recorded, &surfaces, &hands, &models)?;
        notes.extend(feasibility::notes(&feasibility));
        let motion = retargeted(&demo, &objects, &models)?;
        Ok(Self { demo, hands, models, objects, motion, time_scale, notes, feasibility })
    }

    /// The same as a refinement sees it; `hands` are references to [`Prepared::hands`].
    pub fn input<'a>(&'a self, hands: &'a [&'a Hand]) -> RefineInput<'a> {
        RefineInput {
            demo: &self.demo,
            hands,
            models: &self.models,
            objects: &self.objects,
            motion: &self.motion,
            remembered: &[],
        }
    }
}

/// Refuses a hand of a result whose file is not where it was.
pub(crate) fn there(spec: &str) -> Result<(), Error> {
    if Hand::file_of(spec).is_none_or(Path::exists) {
        return Ok(());
    }
    let problem = "the file of the hand is not there any more; --hand FILE says where it is now";
    Err(Error::Request(format!("{spec}: {problem}")))
}

/// Name and SHA-256 of the file of a hand and of the map beside it; nothing for a built-in hand.
pub(crate) fn hand_files(spec: &str) -> Result<Vec<(String, String)>, Error> {
    let Some(file) = Hand::file_of(spec) else { return Ok(Vec::new()) };
    let files = [file.to_owned(), file.with_extension("toml")];
    files
        .iter()
        .filter(|file| file.is_file())
        .map(|file| {
            let bytes = atomic::read_file(file, HAND_BYTES).map_err(Error::stage("hand"))?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, atomic::sha256_hex(&bytes)))
        })
        .collect()
}

/// One robot hand per demonstrated hand. Built-in hands come in the side that the demonstration
/// shows; for a hand from a file of the other side the whole demonstration is mirrored.
pub(crate) fn hands(
    request: &TransferRequest,
    mut demo: Demonstration,
    notes: &mut Vec<String>,
) -> Result<(Demonstration, Vec<Hand>), Error> {
    let load = |side: Side| {
        Hand::resolve(&request.hand, side)
            .map_err(|e| Error::Hand { hand: request.hand.clone(), source: e.into() })
    };
    let mut hands = demo.hands.iter().map(|h| load(h.side)).collect::<Result<Vec<_>, _>>()?;
    let other: Vec<bool> =
        demo.hands.iter().zip(&hands).map(|(human, hand)| human.side != hand.map.side).collect();
    if other.iter().any(|&differs| differs) {
        if !other.iter().all(|&differs| differs) {
            return Err(Error::Request(format!(
                "{} shows two hands, but {} is only a {} hand",
                request.clip,
                request.hand,
                hands[0].map.side.name()
            )));
        }
        notes.push(format!(
            "{} is a {} hand and the clip shows a {} hand: the demonstration is mirrored",
            request.hand,
            hands[0].map.side.name(),
            demo.hands[0].side.name()
        ));
        demo = demo.mirrored();
        hands = demo.hands.iter().map(|h| load(h.side)).collect::<Result<Vec<_>, _>>()?;
    }
    demo.provenance.inputs_sha256.extend(hand_files(&request.hand)?);
    for hand in &hands {
        touching(hand, &request.hand, notes)?;
        notes.extend(hand.notices.iter().cloned());
    }
    Ok((demo, hands))
}

/// Refuses a hand of which no finger can touch anything, for a search would only find that out slowly; notes
/// the fingers that cannot.
fn touching(hand: &Hand, asked: &str, notes: &mut Vec<String>) -> Result<(), Error> {
    let without = hand.fingers_without_contact();
    let names = without.join(", ");
    if without.is_empty() {
        return Ok(());
    }
    if without.len() < hand.map.fingers.len() {
        notes.push(format!("{asked}: no geometry that can touch is on: {names}"));
        return Ok(());
    }
    let cause = format!(
        "fingers {names} have no geometry that can touch; add meshes or capsules that collide (`dextra hand \
         check` tells which meshes are not there)"
    );
    Err(Error::Hand { hand: asked.to_owned(), source: cause.into() })
}

/// The objects of a demonstration as bodies, in its order.
pub(crate) fn objects(demo: &Demonstration) -> Result<Vec<ObjectModel>, Error> {
    let config = DecomposeConfig::default();
    let cache = cache_dir();
    demo.objects
        .iter()
        .map(|object| {
            let mesh = object.mesh.clone();
            ObjectModel::build(&object.name, mesh, object.mass, &config, cache.as_deref())
                .map_err(Error::stage("object geometry"))
        })
        .collect()
}

/// Where convex decompositions are kept: `DEXTRA_CACHE_DIR`, else `dextra` in the user's cache
/// folder; `None` when there is neither.
pub fn cache_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("DEXTRA_CACHE_DIR")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("dextra")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/dextra")))
}

/// Distance from a mapped point to the robot's skin, metres: half the thickness of a finger.
fn skin(keypoint: usize) -> f64 {
    if keypoint == 0 { 0.0 } else { 0.009 }
}

pub(crate) fn solver_hand(hand: &Hand) -> Result<RetargetHand, Error> {
    RetargetHand::new(hand.tree.clone(), hand.map.clone(), skin).map_err(Error::stage("retarget"))
}

fn retargeted(
    demo: &Demonstration,
    objects: &[ObjectModel],
    models: &[RetargetHand],
) -> Result<Motion, Error> {
    let inputs: Vec<ObjectInput<'_>> = demo
        .objects
        .iter()
        .zip(objects)
        .map(|(track, object)| ObjectInput {
            surface: &object.surface,
            world_from_object: &track.world_from_object,
        })
        .collect();
    let hands = demo
        .hands
        .iter()
        .zip(models)
        .map(|(human, model)| retarget(human, demo.fps, &inputs, model, &RetargetConfig::default()))
        .collect::<Result<Vec<HandMotion>, _>>()
        .map_err(Error::stage("retarget"))?;
    Ok(Motion { fps: demo.fps, hands })
}
