//! Robot hands: our built-in models of primitives, or any MJCF or URDF hand of the user's.
//!
//! A hand is an MJCF body subtree plus a semantic map, which is derived from the model unless a TOML
//! file beside it states one. Everything else - the kinematic tree, couplings, actuators, mass, and
//! the body pairs that must not collide - is read from the compiled model, so that it cannot
//! disagree with the physics.
//!
//! The root frame of a hand is the frame of its root body; the root body has no joint, for the
//! scene carries it on a floating wrist or an arm.

mod check;
mod compile;
mod demands;
mod derive;
mod excludes;
mod extract;
mod girth;
mod linkage;
mod links;
mod log;
mod map;
mod mirror;
mod missing;
mod servo;
mod surface;
mod trim;
mod urdf;
mod write;

pub use check::{HandCheck, MapSource};
pub use derive::{Confidence, Finding};
pub use log::route_engine_log;

use dextra_core::Side;
use dextra_core::hand::{BodyPoint, HandMap};
use dextra_core::kinematics::{Coordinates, KinematicTree};
use dextra_core::names;
use nalgebra::Point3;
use std::path::{Path, PathBuf};

/// Names of the built-in hands.
pub const BUILTIN: [&str; 5] = ["shadow", "allegro", "leap", "inspire", "human"];

/// A built-in right hand.
struct Source {
    name: &'static str,
    xml: &'static str,
    map: &'static str,
}

macro_rules! source {
    ($name:literal) => {
        Source {
            name: $name,
            xml: include_str!(concat!("../../../assets/hands/", $name, ".xml")),
            map: include_str!(concat!("../../../assets/hands/", $name, ".toml")),
        }
    };
}

const HANDS: [Source; 5] =
    [source!("shadow"), source!("allegro"), source!("leap"), source!("inspire"), source!("human")];

/// A hand ready to be put into a scene.
#[derive(Clone, Debug)]
pub struct Hand {
    /// What its bodies mean.
    pub map: HandMap,
    /// The hand alone as complete MJCF. Its `meshdir`, where it has one, is an absolute path.
    pub xml: String,
    /// Folder of the file the hand came from; `None` for a built-in hand.
    pub dir: Option<PathBuf>,
    /// Bodies, hinges and couplings in the root frame.
    pub tree: KinematicTree,
    /// The independent coordinates of `tree`.
    pub coordinates: Coordinates,
    /// Position servos in model order.
    pub actuators: Vec<HandActuator>,
    /// Name of the root body.
    pub root_body: String,
    /// Fingertips in the order of `map.fingers`.
    pub tips: Vec<BodyPoint>,
    /// Thickness of the last body of each finger, metres, in the order of `map.fingers`: the smallest
    /// side of its bounding box; zero where it has nothing that collides.
    pub finger_thickness: Vec<f64>,
    /// Mass of all bodies, kilograms. The built-in Shadow has a light stub for its forearm.
    pub mass: f64,
    /// Body pairs that must not collide, beyond those that MuJoCo (parent and child) or the MJCF itself
    /// already excludes: pairs that overlap in the neutral pose and, in a hand from a file, neighbours
    /// but one that overlap in a fifth of all poses.
    pub excludes: Vec<(String, String)>,
    /// What the user should know: MuJoCo's compile warnings and what was left out of the file.
    pub notices: Vec<String>,
}

/// A position servo on a hinge, or on a sum of hinges (a fixed tendon).
#[derive(Clone, Debug, PartialEq)]
pub struct HandActuator {
    /// Name.
    pub name: String,
    /// `(joint index in the tree, coefficient)`: the servo drives `sum of coefficient * angle`.
    pub terms: Vec<(usize, f64)>,
    /// Range of the control, radians of that sum.
    pub ctrl_range: (f64, f64),
    /// Range of the torque on that sum, newton metres; `None` without limit.
    pub force_range: Option<(f64, f64)>,
    /// Stiffness, newton metres per radian.
    pub kp: f64,
}

/// A geom as points whose convex hull it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Index of its body in the tree.
    pub body: usize,
    /// Metres.
    pub points_in_body: Vec<Point3<f64>>,
}

/// Why a hand could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum HandError {
    /// No such built-in hand, and not a file name either.
    #[error(
        "no hand is called `{name}`; built-in hands are {valid}, and a path that ends in .xml or .urdf loads a file{hint}"
    )]
    UnknownHand {
        /// What was asked for.
        name: String,
        /// Names that exist, the nearest first.
        valid: String,
        /// The one that was probably meant.
        hint: String,
    },
    /// A file cannot be read.
    #[error("{file}: {source}")]
    Read {
        /// Path.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no map beside the file, and none can be derived.
    #[error(
        "{file}: it {message}, so no map of a hand can be derived; a map beside it would have to say which \
         bodies are palm and fingers (docs/formats.md)"
    )]
    NoFingers {
        /// The MJCF or URDF.
        file: String,
        /// What is missing, after "it".
        message: String,
    },
    /// A URDF is wrong.
    #[error("{file}: {element}: {message}")]
    Urdf {
        /// Path.
        file: String,
        /// The element, such as ``joint `thumb` ``.
        element: String,
        /// What is wrong.
        message: String,
    },
    /// MuJoCo refuses the MJCF.
    #[error("{file}: MuJoCo cannot {step} it: {message}")]
    Mjcf {
        /// Path or name.
        file: String,
        /// `"parse"`, `"compile"`, `"trim"` or `"save"`.
        step: &'static str,
        /// MuJoCo's message, whole.
        message: String,
    },
    /// The map is not valid TOML, lacks a key, or has a key that means nothing.
    #[error("{file}: {message}")]
    MapSyntax {
        /// Path or name.
        file: String,
        /// Line, column and cause.
        message: String,
    },
    /// A field of the map is wrong.
    #[error("{file}: {field}: {message}")]
    MapField {
        /// Path or name.
        file: String,
        /// Field, such as `finger[1].bodies[2]`.
        field: String,
        /// What is wrong, with valid names where a name is.
        message: String,
    },
    /// The model uses something that a hand cannot have.
    #[error("{file}: {element}: {message}")]
    Unsupported {
        /// Path or name.
        file: String,
        /// The element, such as ``joint `slide` ``.
        element: String,
        /// What is wrong and what to do.
        message: String,
    },
}

impl Hand {
    /// The built-in hand called `name`. Left hands are the right ones reflected in the plane
    /// `y = 0` of the root frame, so the same joint angles mean the mirrored posture.
    ///
    /// # Errors
    /// [`HandError::UnknownHand`], listing the names that exist.
    pub fn builtin(name: &str, side: Side) -> Result<Hand, HandError> {
        let source = HANDS.iter().find(|s| s.name == name).ok_or_else(|| unknown(name))?;
        let file = format!("built-in hand `{name}`");
        let raw = map::parse(source.map, &file)?;
        match side {
            Side::Right => build(&file, source.xml.to_owned(), raw, None, Vec::new()),
            Side::Left => {
                let xml = mirror::mjcf(source.xml, &file)?;
                build(&file, xml, raw.mirrored(), None, Vec::new())
            }
        }
    }

    /// The hand in the MJCF or URDF file `path`, with the map `FILE.toml` beside it or, without one, with
    /// a derived map ([`HandCheck`] tells what stands behind it). Of the file, only the body subtree that
    /// holds the palm is taken, with the actuators, tendons, equalities and sensors that concern it.
    ///
    /// # Errors
    /// Any [`HandError`] but [`HandError::UnknownHand`].
    pub fn from_file(path: &Path) -> Result<Hand, HandError> {
        let map = check::map_beside(path)?;
        let derived = map.is_none();
        let (mut hand, behind) = load(path, map)?;
        if derived {
            hand.notices.extend(behind.notices(path));
        }
        Ok(hand)
    }

    /// A built-in hand by name, in the wanted side, or a file by a path that ends in `.xml`, `.mjcf` or
    /// `.urdf`, which keeps its own side.
    ///
    /// # Errors
    /// See [`Hand::builtin`] and [`Hand::from_file`].
    pub fn resolve(spec: &str, side: Side) -> Result<Hand, HandError> {
        match Self::file_of(spec) {
            Some(path) => Hand::from_file(path),
            None => Hand::builtin(spec, side),
        }
    }

    /// The file that a name means by its ending; `None` for what can only be a built-in hand.
    pub fn file_of(spec: &str) -> Option<&Path> {
        let path = Path::new(spec);
        let extension = path.extension()?.to_str()?;
        let known = ["xml", "mjcf", "urdf"].iter().any(|kind| extension.eq_ignore_ascii_case(kind));
        known.then_some(path)
    }

    /// Whether [`Hand::resolve`] has a built-in hand or a file by this name, without reading it.
    ///
    /// # Errors
    /// [`HandError::UnknownHand`], and [`HandError::Read`] for a file that is not there.
    pub fn find(spec: &str) -> Result<(), HandError> {
        match Self::file_of(spec) {
            Some(path) => std::fs::metadata(path)
                .map(|_| ())
                .map_err(|source| HandError::Read { file: spec.to_owned(), source }),
            None if BUILTIN.contains(&spec) => Ok(()),
            None => Err(unknown(spec)),
        }
    }

    /// Position targets that hold the joint angles `q` (one per joint of the tree, radians),
    /// clipped to the control ranges; one per actuator.
    ///
    /// # Panics
    /// When `q` is shorter than the joints of the tree.
    pub fn ctrl(&self, q: &[f64]) -> Vec<f64> {
        self.actuators
            .iter()
            .map(|a| {
                let length: f64 = a.terms.iter().map(|&(joint, c)| c * q[joint]).sum();
                length.clamp(a.ctrl_range.0, a.ctrl_range.1)
            })
            .collect()
    }

    /// Overwrites the dependent joints of `q` with what their couplings say.
    ///
    /// # Panics
    /// When `q` is shorter than the joints of the tree.
    pub fn apply_couplings(&self, q: &mut [f64]) {
        apply_couplings(&self.coordinates, q);
    }

    /// The geoms of the hand, for drawing it; of a body with colliding geoms only these.
    ///
    /// # Errors
    /// [`HandError::Mjcf`] when a mesh file has vanished since the hand was loaded.
    pub fn outline(&self) -> Result<Vec<Outline>, HandError> {
        let mut spec = compile::parse_string(&self.xml, &self.map.name)?;
        let model = compile::compile(&mut spec, &self.map.name, &mut Vec::new())?;
        let geoms = |body: usize| {
            let points = surface::of_body(&model, body + 1).into_iter();
            points.map(move |points_in_body| Outline { body, points_in_body })
        };
        Ok((0..self.tree.bodies.len()).flat_map(geoms).collect())
    }

    /// Names of the fingers without colliding geometry, in the order of `map.fingers`.
    pub fn fingers_without_contact(&self) -> Vec<&str> {
        let fingers = self.map.fingers.iter().zip(&self.finger_thickness);
        fingers.filter(|(_, thickness)| **thickness == 0.0).map(|(f, _)| f.name.as_str()).collect()
    }

    /// The neutral pose: every angle zero, clipped to its range, couplings applied.
    pub fn neutral(&self) -> Vec<f64> {
        neutral(&self.tree, &self.coordinates)
    }
}

fn neutral(tree: &KinematicTree, coordinates: &Coordinates) -> Vec<f64> {
    let mut q: Vec<f64> = tree.joints.iter().map(|j| 0f64.clamp(j.range.0, j.range.1)).collect();
    apply_couplings(coordinates, &mut q);
    q
}

fn apply_couplings(coordinates: &Coordinates, q: &mut [f64]) {
    for joint in 0..coordinates.follow.len() {
        let follow = coordinates.follow[joint];
        let driver = coordinates.joints[follow.coordinate];
        // A driver is independent, so no step of this loop changes it.
        if driver != joint {
            q[joint] = follow.offset + follow.ratio * q[driver];
        }
    }
}

fn unknown(name: &str) -> HandError {
    HandError::UnknownHand {
        name: name.to_owned(),
        valid: names::nearest(name, BUILTIN.iter().copied()),
        hint: names::hint(name, BUILTIN.iter().copied()),
    }
}

/// A map, and what stands behind it where it was derived.
struct Behind {
    raw: map::RawMap,
    /// Empty for a map from a file, as is `unknown`.
    findings: Vec<Finding>,
    unknown: Vec<String>,
    /// Bodies whose mass the file does not state.
    unweighed: Vec<String>,
    /// Bodies with neither mass nor geometry.
    stubs: Vec<String>,
}

impl Behind {
    /// The guesses, for whoever uses the hand without looking at its check.
    fn notices(&self, path: &Path) -> Vec<String> {
        let guesses = self.findings.iter().filter(|f| f.confidence == Confidence::Guess);
        let mut notices: Vec<String> = guesses
            .map(|f| format!("{}: guessed {}: {} ({})", path.display(), f.item, f.value, f.reason))
            .collect();
        notices.insert(0, format!("{}: no map beside it, so it was derived", path.display()));
        notices
    }
}

/// The hand of a file, with the map given or a derived one.
fn load(path: &Path, map: Option<map::RawMap>) -> Result<(Hand, Behind), HandError> {
    let file = path.display().to_string();
    let trim::Trimmed { xml, map: raw, findings, unknown, unweighed, stubs, notices } =
        trim::hand_alone(path, map)?;
    let dir = path.parent().map(Path::to_path_buf);
    let hand = build(&file, xml, raw.clone(), dir, notices)?;
    Ok((hand, Behind { raw, findings, unknown, unweighed, stubs }))
}

fn coordinates(tree: &KinematicTree, file: &str) -> Result<Coordinates, HandError> {
    tree.coordinates().map_err(|e| HandError::Unsupported {
        file: file.to_owned(),
        element: "couplings".to_owned(),
        message: e.to_string(),
    })
}

/// Compiles `xml` and derives everything from the model.
fn build(
    file: &str,
    xml: String,
    raw: map::RawMap,
    dir: Option<PathBuf>,
    mut notices: Vec<String>,
) -> Result<Hand, HandError> {
    let mut spec = compile::parse_string(&xml, file)?;
    let model = compile::compile(&mut spec, file, &mut notices)?;
    let tree = extract::tree(&model, file)?;
    let coordinates = coordinates(&tree, file)?;
    let actuators = extract::actuators(&model, &tree, file)?;
    let (map, tips) = raw.resolve(&model, &tree)?;
    let finger_thickness = girth::fingers(&model, &tree, &map);
    let rest = neutral(&tree, &coordinates);
    // Our own hands are made of primitives that fit.
    let coarse = dir.is_some();
    let excludes = excludes::find(&mut spec, &tree, &coordinates, &rest, coarse, file)?;
    Ok(Hand {
        map,
        xml,
        dir,
        root_body: tree.bodies[0].name.clone(),
        coordinates,
        actuators,
        tips,
        finger_thickness,
        mass: model.totalmass(),
        excludes,
        notices,
        tree,
    })
}
