//! What names say. Evidence only: hands are told by geometry.

use super::chains::Chain;
use super::thumb::Thumb;
use super::{Confidence, Finding, Subject};
use dextra_core::Side;
use mujoco_rs::prelude::*;

/// Words per finger; a word matches the beginning of a part of a name.
const WORDS: [(&str, &[&str]); 5] = [
    ("thumb", &["thumb", "th"]),
    ("index", &["index", "ff", "if", "fore", "point"]),
    ("middle", &["middle", "mf", "mid", "long"]),
    ("ring", &["ring", "rf"]),
    ("pinky", &["pinky", "lf", "little", "pinkie", "small"]),
];
/// Share of a finger's names, beyond that of the other fingers', that must hold its word.
const DISTINCT: f64 = 0.25;

/// The finger that the names of a chain say it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Evidence {
    pub(super) finger: &'static str,
}

/// Per finger of [`WORDS`], the share of a chain's names with its word.
pub(super) fn of_chain(subject: &Subject<'_>, chain: &Chain) -> [f64; 5] {
    let mut names: Vec<&str> = Vec::new();
    names.extend(chain.links.iter().map(|&l| subject.tree.bodies[l].name.as_str()));
    let own = |j: usize| chain.links.contains(&subject.links.of_body[subject.tree.joints[j].body]);
    let joints = chain.hinges.iter().map(|h| h.joint).filter(|&j| own(j));
    names.extend(joints.map(|j| subject.tree.joints[j].name.as_str()));
    for id in 0..subject.model.site_bodyid().len() {
        let body = (subject.model.site_bodyid()[id] as usize).saturating_sub(1);
        if chain.links.contains(&subject.links.of_body[body]) {
            names.extend(subject.model.id_to_name(MjtObjBase::mjOBJ_SITE, id));
        }
    }
    let parts: Vec<Vec<String>> = names.iter().map(|n| split(n)).collect();
    WORDS.map(|(_, words)| {
        let says =
            |name: &&Vec<String>| name.iter().any(|part| words.iter().any(|w| begins(part, w)));
        parts.iter().filter(says).count() as f64 / parts.len().max(1) as f64
    })
}

/// Short words must be the part or be followed by a word of anatomy (`thdistal`), or `j` (`THJ1`).
fn begins(part: &str, word: &str) -> bool {
    let Some(rest) = part.strip_prefix(word) else { return false };
    const AFTER: [&str; 11] =
        ["j", "tip", "dist", "prox", "mid", "med", "knuckle", "hub", "base", "meta", "finger"];
    word.len() > 2 || rest.is_empty() || AFTER.iter().any(|a| rest.starts_with(a))
}

/// Lower-case parts of a name between signs and digits and at capitals.
fn split(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        if !c.is_alphabetic() {
            parts.push(String::new());
        } else {
            if c.is_uppercase() && small {
                parts.push(String::new());
            }
            let last = parts.len() - 1;
            parts[last].extend(c.to_lowercase());
        }
        small = c.is_lowercase();
    }
    parts.retain(|p| !p.is_empty());
    parts
}

/// Words that tell a chain from the others; `middle` in every chain is a phalanx.
pub(super) fn distinctive(shares: &[[f64; 5]]) -> Vec<Option<Evidence>> {
    (0..shares.len())
        .map(|chain| {
            let excess = |word: usize| {
                let rest = (0..shares.len()).filter(|&c| c != chain).map(|c| shares[c][word]);
                shares[chain][word] - rest.fold(0.0, f64::max)
            };
            let best = (0..WORDS.len()).max_by(|&a, &b| excess(a).total_cmp(&excess(b)))?;
            (excess(best) > DISTINCT).then_some(Evidence { finger: WORDS[best].0 })
        })
        .collect()
}

/// What is said of a finger.
pub(super) fn agreement(
    finger: &'static str,
    subject: &Subject<'_>,
    chain: &Chain,
    thumb: Option<&Thumb>,
    evidence: Option<&Evidence>,
    central_thumb: bool,
) -> Finding {
    let names: Vec<&str> =
        chain.links.iter().map(|&l| subject.tree.bodies[l].name.as_str()).collect();
    let geometry = match thumb {
        Some(thumb) if !thumb.by_geometry => "geometry does not tell it from the others".to_owned(),
        Some(thumb) => format!(
            "without it the others bend about one axis, and its base is set off (lead {:.2})",
            thumb.lead
        ),
        None => "counted from the thumb's side".to_owned(),
    };
    let clear = thumb.map_or(!central_thumb, |t| t.clear);
    let told = thumb.is_none_or(|t| t.by_geometry);
    let (confidence, words) = match evidence {
        Some(e) if e.finger == finger && told => {
            (Confidence::Certain, "; the names agree".to_owned())
        }
        Some(e) if e.finger == finger => (Confidence::Likely, "; the names say so".to_owned()),
        Some(e) => (Confidence::Guess, format!("; but the names say {}", e.finger)),
        None if clear && told => (Confidence::Likely, String::new()),
        None => (Confidence::Guess, String::new()),
    };
    let contradicted = thumb.is_some_and(|t| t.contradicted);
    Finding {
        item: format!("finger {finger}"),
        value: names.join(" - "),
        confidence: if contradicted { Confidence::Guess } else { confidence },
        reason: match contradicted {
            true => format!("{geometry}; but the names say another finger"),
            false => geometry + &words,
        },
    }
}

/// A name without its numbered letters: links `L1`, `L2` and joints `r3` are counted, they are of no side.
fn unnumbered(name: &str) -> String {
    let numbered = |part: &&str| {
        let mut chars = part.chars();
        let letter = chars.next().is_some_and(char::is_alphabetic);
        let rest = chars.as_str();
        letter && !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit())
    };
    let parts = name.split(|c: char| !c.is_alphanumeric());
    parts.filter(|part| !numbered(part)).collect::<Vec<_>>().join("_")
}

/// The side that names say, where they all say the same.
pub(super) fn side(subject: &Subject<'_>, name: &str) -> Option<Side> {
    let mut votes = [0usize; 2];
    let bodies = subject.tree.bodies.iter().map(|b| b.name.as_str());
    let joints = subject.tree.joints.iter().map(|j| j.name.as_str());
    for text in bodies.chain(joints).chain([name]) {
        let parts = split(&unnumbered(text));
        let says = |words: &[&str]| parts.iter().any(|p| words.contains(&p.as_str()));
        votes[0] += usize::from(says(&["right", "rh", "r"]));
        votes[1] += usize::from(says(&["left", "lh", "l"]));
    }
    match votes {
        [0, 0] => None,
        [right, left] if right > 3 * left => Some(Side::Right),
        [right, left] if left > 3 * right => Some(Side::Left),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_letters_are_of_no_side() {
        for (name, rest) in [
            ("L11", ""),
            ("finger_r2", "finger"),
            ("l_index_1", "l_index_1"),
            ("rh_FFJ3", "rh_FFJ3"),
            ("rIndex", "rIndex"),
        ] {
            assert_eq!(unnumbered(name), rest, "{name}");
        }
        assert_eq!(split(&unnumbered("r_index_1")), ["r", "index"]);
    }
}
