//! Names of the elements and files of a scene.

use super::HandPlacement;
use crate::object::ObjectModel;
use sha2::{Digest, Sha256};

pub(super) fn prefixes(hands: &[HandPlacement<'_>]) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    for placement in hands {
        let side = placement.hand.map.side.name();
        let mut prefix = format!("{side}/");
        let mut number = 2;
        while prefixes.contains(&prefix) {
            prefix = format!("{side}{number}/");
            number += 1;
        }
        prefixes.push(prefix);
    }
    prefixes
}

/// Name of the body that carries a hand; outside the hand's own prefix, so it never clashes with a
/// body of the hand.
pub(super) fn wrist_body(prefix: &str) -> String {
    format!("wrist/{}", prefix.trim_end_matches('/'))
}

pub(super) fn wrist_names(prefix: &str) -> [String; 6] {
    let body = wrist_body(prefix);
    let name = |kind: &str, axis: &str| format!("{body}/{kind}_{axis}");
    [
        name("slide", "x"),
        name("slide", "y"),
        name("slide", "z"),
        name("hinge", "x"),
        name("hinge", "y"),
        name("hinge", "z"),
    ]
}

pub(super) fn object_body(object: &ObjectModel) -> String {
    format!("object/{}", object.name)
}

/// Puts a file into the scene and returns its path, `folder/STEM_HASH.EXT`.
///
/// Names come from recordings and models of others: nothing in them may lead out of the folder that
/// the scene is exported to. The hash of the content keeps files of one name apart, within a scene
/// and beyond: MuJoCo keeps assets for the whole process under their path alone, so that the next
/// scene with another `meshes/cup.obj` would get the old cup.
pub(super) fn store(
    files: &mut Vec<(String, Vec<u8>)>,
    folder: &str,
    name: &str,
    bytes: Vec<u8>,
) -> String {
    const LONGEST: usize = 80;
    let harmless = |c: char| {
        if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }
    };
    let clean = |text: &str| text.chars().map(harmless).take(LONGEST).collect::<String>();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    let hash: String = Sha256::digest(&bytes).iter().take(6).map(|b| format!("{b:02x}")).collect();
    let path = format!("{folder}/{}_{hash}.{}", clean(stem), clean(extension));
    if !files.iter().any(|(taken, _)| *taken == path) {
        files.push((path.clone(), bytes));
    }
    path
}
