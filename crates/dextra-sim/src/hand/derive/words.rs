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
    parts(name).into_iter().map(|(part, _)| part).collect()
}

/// The same, each with whether a number follows it.
fn parts(name: &str) -> Vec<(String, bool)> {
    let mut parts = vec![(String::new(), false)];
    let mut small = false;
    for c in name.chars() {
        if !c.is_alphabetic() {
            if let Some((_, numbered)) = parts.iter_mut().rfind(|(part, _)| !part.is_empty()) {
                *numbered |= c.is_numeric();
            }
            parts.push((String::new(), false));
        } else {
            if c.is_uppercase() && small {
                parts.push((String::new(), false));
            }
            let last = parts.len() - 1;
            parts[last].0.extend(c.to_lowercase());
        }
        small = c.is_lowercase();
    }
    parts.retain(|(part, _)| !part.is_empty());
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
    let clear = thumb.is_none_or(|t| t.clear);
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

/// The side that names say, where they all say the same.
pub(super) fn side(subject: &Subject<'_>, name: &str) -> Option<Side> {
    let bodies: Vec<&str> = subject.tree.bodies.iter().map(|b| b.name.as_str()).collect();
    let joints: Vec<&str> = subject.tree.joints.iter().map(|j| j.name.as_str()).collect();
    said(&[&bodies, &joints, &[name]])
}

/// The side that names say, by kind of name. A letter counts where most names of a kind have it and none
/// where a number follows it: `L11` is link 11.
fn said(kinds: &[&[&str]]) -> Option<Side> {
    let vote = |words: [&str; 2], letter: &str| -> usize {
        let word = |name: &&&str| split(name).iter().any(|part| words.contains(&part.as_str()));
        let letter = |name: &&&str| {
            !word(name) && parts(name).iter().any(|(part, number)| part == letter && !number)
        };
        let of_kind = |names: &&[&str]| {
            let lettered = names.iter().filter(letter).count();
            let shared = if 2 * lettered > names.len() { lettered } else { 0 };
            names.iter().filter(word).count() + shared
        };
        kinds.iter().map(of_kind).sum()
    };
    match (vote(["right", "rh"], "r"), vote(["left", "lh"], "l")) {
        (0, 0) => None,
        (right, left) if right > 3 * left => Some(Side::Right),
        (right, left) if left > 3 * right => Some(Side::Left),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_letters_say_no_side_and_shared_prefixes_do() {
        let said = |names: &[&str]| said(&[names, &["hand"]]);
        assert_eq!(said(&["L0", "L11", "L12", "L_2", "l.3", "base"]), None);
        assert_eq!(said(&["R0", "j_r1", "j_r2"]), None);
        assert_eq!(said(&["l_thumb", "l_index_1", "L_mid2", "palm"]), Some(Side::Left));
        assert_eq!(said(&["r_index", "rThumb", "ring_r"]), Some(Side::Right));
        assert_eq!(said(&["L_palm", "index", "thumb"]), None, "one letter of many names");
        assert_eq!(said(&["left_palm", "index", "thumb"]), Some(Side::Left));
        assert_eq!(said(&["lh_2", "LH1"]), Some(Side::Left));
        assert_eq!(said(&["l_thumb", "r_thumb"]), None);
    }
}
