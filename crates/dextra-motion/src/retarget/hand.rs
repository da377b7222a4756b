//! What the retargeter needs to know about a robot hand.

use super::RetargetError;
use dextra_core::Pose;
use dextra_core::demonstration::{Keypoints, keypoint};
use dextra_core::hand::HandMap;
use dextra_core::kinematics::KinematicTree;
use nalgebra::Point3;

/// A point of the robot that stands for a human keypoint.
#[derive(Clone, Debug, PartialEq)]
pub struct HandPoint {
    /// Human keypoint, see [`dextra_core::demonstration::keypoint`].
    pub keypoint: usize,
    /// Body of the tree that carries the point.
    pub body: usize,
    /// Position in that body, metres.
    pub point_in_body: Point3<f64>,
    /// Distance from the point to the robot's surface around it, metres: contact targets of tips
    /// and the clearance of links are measured from the surface, not from the point.
    pub radius: f64,
}

/// Kinematics and meaning of a robot hand, without a simulator.
#[derive(Clone, Debug, PartialEq)]
pub struct RetargetHand {
    /// Hinges and bodies.
    pub tree: KinematicTree,
    /// What the bodies mean.
    pub map: HandMap,
    /// Robot points with a human counterpart; at most one per keypoint.
    pub points: Vec<HandPoint>,
    /// Body that is the palm, and the palm frame in it (x to the fingers, z out of the palm).
    pub palm: (usize, Pose),
}

impl RetargetHand {
    /// Resolves the names in `map` against `tree`.
    ///
    /// `radius(keypoint)` is the distance in metres from the robot's point for that keypoint to the
    /// robot's surface (fingertip radius, about half a link's thickness elsewhere).
    ///
    /// # Errors
    /// When the map names a body or keypoint that is not there, links a keypoint twice, or links
    /// no fingertip; and when the couplings of `tree` cannot be resolved.
    pub fn new(
        tree: KinematicTree,
        map: HandMap,
        radius: impl Fn(usize) -> f64,
    ) -> Result<Self, RetargetError> {
        let find = |name: &str| {
            tree.body(name).ok_or_else(|| RetargetError::NoSuchBody {
                hand: map.name.clone(),
                body: name.to_owned(),
                valid: tree.bodies.iter().map(|b| b.name.as_str()).collect::<Vec<_>>().join(", "),
            })
        };
        let palm = (find(&map.palm_body)?, map.palm_body_from_palm());
        let mut points: Vec<HandPoint> = Vec::with_capacity(map.keypoints.len());
        for link in &map.keypoints {
            let body = find(&link.at.body)?;
            if link.keypoint >= keypoint::COUNT
                || points.iter().any(|p| p.keypoint == link.keypoint)
            {
                return Err(RetargetError::BadKeypoint {
                    hand: map.name.clone(),
                    keypoint: link.keypoint,
                });
            }
            points.push(HandPoint {
                keypoint: link.keypoint,
                body,
                point_in_body: link.at.point_in_body,
                radius: radius(link.keypoint),
            });
        }
        if !points.iter().any(|p| keypoint::TIPS.contains(&p.keypoint)) {
            return Err(RetargetError::NoFingertip { hand: map.name.clone() });
        }
        tree.coordinates()
            .map_err(|source| RetargetError::Kinematics { hand: map.name.clone(), source })?;
        Ok(Self { tree, map, points, palm })
    }

    /// The robot's point for a human keypoint.
    pub fn point(&self, keypoint: usize) -> Option<&HandPoint> {
        self.points.iter().find(|p| p.keypoint == keypoint)
    }

    /// The middle of every joint's range, dependent joints by their couplings: a half-closed hand.
    pub fn middle(&self) -> Vec<f64> {
        let mut q = vec![0.0; self.tree.joints.len()];
        if let Ok(coordinates) = self.tree.coordinates() {
            let x: Vec<f64> =
                coordinates.range.iter().map(|(low, high)| f64::midpoint(*low, *high)).collect();
            coordinates.expand(&x, &mut q);
        }
        q
    }

    /// Positions of [`RetargetHand::points`], in order, world frame, metres.
    pub fn point_positions(&self, world_from_root: &Pose, q: &[f64]) -> Vec<Point3<f64>> {
        let poses = self.tree.forward(q);
        self.points.iter().map(|p| world_from_root * poses[p.body] * p.point_in_body).collect()
    }

    /// Pose of the palm frame.
    pub fn world_from_palm(&self, world_from_root: &Pose, q: &[f64]) -> Pose {
        world_from_root * self.tree.forward(q)[self.palm.0] * self.palm.1
    }

    /// Root pose that puts the palm frame at `world_from_palm` with joints `q`.
    pub fn root_for_palm(&self, world_from_palm: &Pose, q: &[f64]) -> Pose {
        world_from_palm * (self.tree.forward(q)[self.palm.0] * self.palm.1).inverse()
    }

    /// How much longer the robot's fingers are than the human's: mean ratio of the distances from
    /// knuckle to tip along the finger's keypoints that both have. `None` when the map links no
    /// knuckle of a finger with a tip, or a human finger has no length.
    pub fn length_ratio(&self, human: &Keypoints) -> Option<f64> {
        let positions = self.point_positions(&Pose::identity(), &vec![0.0; self.tree.joints.len()]);
        let at = |k: usize| Some(positions[self.points.iter().position(|p| p.keypoint == k)?]);
        let (mut sum, mut count) = (0.0, 0);
        for base in [1, 5, 9, 13, 17] {
            let linked: Vec<usize> = (base..base + 4).filter(|&k| at(k).is_some()).collect();
            for pair in linked.windows(2) {
                let (Some(a), Some(b)) = (at(pair[0]), at(pair[1])) else {
                    continue;
                };
                let length: f64 =
                    (pair[0]..pair[1]).map(|k| (human[k + 1] - human[k]).norm()).sum();
                if length > 1e-4 {
                    sum += (b - a).norm() / length;
                    count += 1;
                }
            }
        }
        (count > 0).then(|| sum / f64::from(count))
    }
}
