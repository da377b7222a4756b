//! Robots' hands in recordings: which of their links stands for which keypoint of a human hand.
//!
//! Names and orders are those of ManipTrans (`body_names` of its hands).

use dextra_core::demonstration::{Keypoints, keypoint};
use nalgebra::Point3;

/// Numbers of the state of a body: position, quaternion xyzw, velocity, angular velocity.
pub(super) const BODY: usize = 13;

/// A robot's hand, whose links stand for the keypoints of a human one.
pub(super) struct Robot {
    /// Name in `dexhand`.
    pub name: &'static str,
    /// Its links in the order of `joint_state`, without the `R_` or `L_` of some.
    pub links: &'static [&'static str],
    /// The links of the four keypoints of each finger, thumb first, or [`MIDWAY`].
    pub fingers: [[&'static str; 4]; 5],
    /// How far the wrist is from the middle knuckle, metres, where the first link is farther.
    pub palm_m: Option<f64>,
}

/// A point that the hand lacks: it is put midway between those before and after it.
pub(super) const MIDWAY: &str = "";

/// The hands that are known.
pub(super) const ROBOTS: [Robot; 2] = [
    Robot {
        name: "inspire",
        links: &[
            "hand_base_link",
            "index_proximal",
            "index_intermediate",
            "index_tip",
            "middle_proximal",
            "middle_intermediate",
            "middle_tip",
            "pinky_proximal",
            "pinky_intermediate",
            "pinky_tip",
            "ring_proximal",
            "ring_intermediate",
            "ring_tip",
            "thumb_proximal_base",
            "thumb_proximal",
            "thumb_intermediate",
            "thumb_distal",
            "thumb_tip",
        ],
        fingers: [
            ["thumb_proximal", "thumb_intermediate", "thumb_distal", "thumb_tip"],
            ["index_proximal", "index_intermediate", MIDWAY, "index_tip"],
            ["middle_proximal", "middle_intermediate", MIDWAY, "middle_tip"],
            ["ring_proximal", "ring_intermediate", MIDWAY, "ring_tip"],
            ["pinky_proximal", "pinky_intermediate", MIDWAY, "pinky_tip"],
        ],
        // Its base is a flange 13.8 cm behind the knuckle; a human wrist is 9.5 cm behind.
        palm_m: Some(0.095),
    },
    Robot {
        name: "shadow",
        links: &[
            "palm",
            "ffknuckle",
            "ffproximal",
            "ffmiddle",
            "ffdistal",
            "fftip",
            "lfmetacarpal",
            "lfknuckle",
            "lfproximal",
            "lfmiddle",
            "lfdistal",
            "lftip",
            "mfknuckle",
            "mfproximal",
            "mfmiddle",
            "mfdistal",
            "mftip",
            "rfknuckle",
            "rfproximal",
            "rfmiddle",
            "rfdistal",
            "rftip",
            "thbase",
            "thproximal",
            "thhub",
            "thmiddle",
            "thdistal",
            "thtip",
        ],
        fingers: [
            ["thproximal", "thmiddle", "thdistal", "thtip"],
            ["ffproximal", "ffmiddle", "ffdistal", "fftip"],
            ["mfproximal", "mfmiddle", "mfdistal", "mftip"],
            ["rfproximal", "rfmiddle", "rfdistal", "rftip"],
            ["lfproximal", "lfmiddle", "lfdistal", "lftip"],
        ],
        palm_m: None,
    },
];

/// Where a body is, metres.
pub(super) fn point(states: &[f64], body: usize) -> Point3<f64> {
    let at = |axis| states.get(BODY * body + axis).copied().unwrap_or(f64::NAN);
    Point3::new(at(0), at(1), at(2))
}

impl Robot {
    /// Keypoints, metres, from the states of all links.
    pub fn keypoints(&self, states: &[f64]) -> Keypoints {
        let mut points = [point(states, 0); keypoint::COUNT];
        let link = |name: &str| self.links.iter().position(|link| *link == name);
        for (finger, links) in self.fingers.iter().enumerate() {
            for (joint, name) in links.iter().enumerate() {
                if let Some(link) = link(name) {
                    points[1 + 4 * finger + joint] = point(states, link);
                }
            }
            for joint in (0..3).filter(|joint| links[*joint] == MIDWAY) {
                let k = 1 + 4 * finger + joint;
                points[k] = nalgebra::center(&points[k - 1], &points[k + 1]);
            }
        }
        if let Some(palm_m) = self.palm_m {
            let back = points[keypoint::WRIST] - points[keypoint::MIDDLE_MCP];
            if back.norm() > palm_m {
                let back = back.normalize() * palm_m;
                points[keypoint::WRIST] = points[keypoint::MIDDLE_MCP] + back;
            }
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finger_is_made_of_links_of_its_hand() {
        for (robot, count) in ROBOTS.iter().zip([18, 28]) {
            assert_eq!(robot.links.len(), count);
            for name in robot.fingers.iter().flatten().filter(|name| **name != MIDWAY) {
                assert!(robot.links.contains(name), "{}: {name}", robot.name);
            }
            for [first, .., last] in &robot.fingers {
                assert!(*first != MIDWAY && *last != MIDWAY);
            }
        }
    }
}
