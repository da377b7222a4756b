//! What a person did: hands as 21 keypoints, objects as meshes with poses over time.

use crate::{Articulation, Pose, TriMesh, pose};
use nalgebra::{Point3, Vector3};
use std::borrow::Cow;

/// Which hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// A right hand.
    Right,
    /// A left hand.
    Left,
}

impl Side {
    /// `"right"` or `"left"`.
    pub fn name(self) -> &'static str {
        match self {
            Side::Right => "right",
            Side::Left => "left",
        }
    }

    /// The other hand.
    pub fn other(self) -> Side {
        match self {
            Side::Right => Side::Left,
            Side::Left => Side::Right,
        }
    }
}

/// Index of a keypoint in the 21-point MediaPipe order: wrist 0, then thumb 1-4, index 5-8,
/// middle 9-12, ring 13-16, pinky 17-20, each from the base (CMC or MCP) to the tip.
pub mod keypoint {
    /// The wrist.
    pub const WRIST: usize = 0;
    /// Base of the index finger (MCP).
    pub const INDEX_MCP: usize = 5;
    /// Base of the middle finger (MCP).
    pub const MIDDLE_MCP: usize = 9;
    /// Base of the pinky (MCP).
    pub const PINKY_MCP: usize = 17;
    /// Tips: thumb, index, middle, ring, pinky.
    pub const TIPS: [usize; 5] = [4, 8, 12, 16, 20];
    /// Number of keypoints of a hand.
    pub const COUNT: usize = 21;
}

/// Keypoints of one hand at one frame, world frame, metres.
pub type Keypoints = [Point3<f64>; keypoint::COUNT];

/// One hand over time.
#[derive(Clone, Debug, PartialEq)]
pub struct HandTrack {
    /// Which hand the geometry shows.
    pub side: Side,
    /// Keypoints per frame, world frame (z up), metres.
    pub keypoints_in_world: Vec<Keypoints>,
}

/// One rigid object over time.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectTrack {
    /// A name usable as an identifier.
    pub name: String,
    /// Surface in the object's own frame, metres.
    pub mesh: TriMesh,
    /// Pose per frame.
    pub world_from_object: Vec<Pose>,
    /// Mass in kilograms when the recording states it.
    pub mass: Option<f64>,
    /// The joint of an object that is a part of an earlier one, and what it does. The poses of a part
    /// are those that parent and coordinate give it: [`Demonstration::place_parts`].
    pub articulation: Option<Articulation>,
}

/// Where data comes from and what may be done with it; copied into every artifact made from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// Name or citation of the source.
    pub source: String,
    /// Licence, as an SPDX expression where one exists; `"unknown"` when not stated.
    pub licence: String,
    /// SHA-256 of every input file: `(file name, hex digest)`.
    pub inputs_sha256: Vec<(String, String)>,
    /// What the reader inferred or found contradictory, one sentence each.
    pub notes: Vec<String>,
}

/// A recorded (or synthesised) human demonstration. World frame z up; metres; all tracks have
/// the same number of frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Demonstration {
    /// Short identifier, from the file name.
    pub name: String,
    /// Frames per second.
    pub fps: f64,
    /// Gravity, m/s², world frame.
    pub gravity: Vector3<f64>,
    /// One or two hands.
    pub hands: Vec<HandTrack>,
    /// Objects.
    pub objects: Vec<ObjectTrack>,
    /// Source, licence, hashes, notes.
    pub provenance: Provenance,
}

impl Demonstration {
    /// The same demonstration in a mirror, the plane `y = 0` of the world: right hands become left,
    /// objects are reflected in the plane `y = 0` of their own frame.
    pub fn mirrored(&self) -> Demonstration {
        let point = |p: &Point3<f64>| Point3::new(p.x, -p.y, p.z);
        let hands = self.hands.iter().map(|hand| HandTrack {
            side: hand.side.other(),
            keypoints_in_world: hand
                .keypoints_in_world
                .iter()
                .map(|frame| std::array::from_fn(|k| point(&frame[k])))
                .collect(),
        });
        let objects = self.objects.iter().map(|object| ObjectTrack {
            mesh: object.mesh.mirrored_y(),
            world_from_object: object.world_from_object.iter().map(pose::mirrored_y).collect(),
            articulation: object.articulation.as_ref().map(|part| Articulation {
                joint: part.joint.mirrored(),
                coordinate: part.coordinate.clone(),
            }),
            ..object.clone()
        });
        Demonstration {
            gravity: Vector3::new(self.gravity.x, -self.gravity.y, self.gravity.z),
            hands: hands.collect(),
            objects: objects.collect(),
            ..self.clone()
        }
    }

    /// Puts every part where its parent and its coordinate have it.
    ///
    /// # Panics
    /// When a parent is no earlier object, or tracks differ in length.
    pub fn place_parts(&mut self) {
        for index in 0..self.objects.len() {
            let (earlier, later) = self.objects.split_at_mut(index);
            let part = &mut later[0];
            let Some(Articulation { joint, coordinate }) = &part.articulation else { continue };
            let parents = &earlier[joint.parent].world_from_object;
            assert_eq!(parents.len(), coordinate.len(), "frames of a part and its parent");
            part.world_from_object = parents
                .iter()
                .zip(coordinate)
                .map(|(parent, &q)| parent * joint.parent_from_part_at(q))
                .collect();
        }
    }

    /// Object `index` as whoever handles it moves it: a part as if its parent had stayed where it was at
    /// first, any other object as it is.
    pub fn handled(&self, index: usize) -> Cow<'_, ObjectTrack> {
        let object = &self.objects[index];
        let Some(Articulation { joint, coordinate }) = &object.articulation else {
            return Cow::Borrowed(object);
        };
        let Some(parent) = self.objects[joint.parent].world_from_object.first() else {
            return Cow::Borrowed(object);
        };
        let poses = coordinate.iter().map(|&q| parent * joint.parent_from_part_at(q)).collect();
        Cow::Owned(ObjectTrack { world_from_object: poses, ..object.clone() })
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.hands.first().map_or(0, |hand| hand.keypoints_in_world.len())
    }
}

/// Direction out of the palm's inner surface (unit) of a hand whose side is `side`.
///
/// `n = (k5 - k17) x (k9 - k0)` points out of the palm for a right hand, into the back for a left.
pub fn palm_normal(keypoints: &Keypoints, side: Side) -> Option<Vector3<f64>> {
    let across = keypoints[keypoint::INDEX_MCP] - keypoints[keypoint::PINKY_MCP];
    let along = keypoints[keypoint::MIDDLE_MCP] - keypoints[keypoint::WRIST];
    let normal = across.cross(&along).try_normalize(1e-9)?;
    Some(match side {
        Side::Right => normal,
        Side::Left => -normal,
    })
}

/// The palm frame of a human hand: x from the wrist to the middle knuckle, z out of the palm,
/// origin midway between wrist and middle knuckle.
pub fn world_from_palm(keypoints: &Keypoints, side: Side) -> Option<Pose> {
    let normal = palm_normal(keypoints, side)?;
    let wrist = keypoints[keypoint::WRIST];
    let knuckle = keypoints[keypoint::MIDDLE_MCP];
    let x = (knuckle - wrist).try_normalize(1e-9)?;
    let y = normal.cross(&x);
    let rotation = nalgebra::Rotation3::from_basis_unchecked(&[x, y, normal]);
    Some(Pose::from_parts(
        nalgebra::center(&wrist, &knuckle).into(),
        nalgebra::UnitQuaternion::from_rotation_matrix(&rotation),
    ))
}

/// Evidence for the chirality of a hand track, metres: the mean over frames and fingers of how far
/// the fingertips lie from their knuckles along `(k5 - k17) x (k9 - k0)`. Fingers flex towards the
/// palm, so a right hand gives a positive value and a left hand a negative one.
pub fn chirality(frames: &[Keypoints]) -> f64 {
    let mut sum = 0.0;
    let mut count = 0usize;
    for keypoints in frames {
        let Some(normal) = palm_normal(keypoints, Side::Right) else { continue };
        for (mcp, tip) in [(5, 8), (9, 12), (13, 16), (17, 20)] {
            sum += (keypoints[tip] - keypoints[mcp]).dot(&normal);
            count += 1;
        }
    }
    if count == 0 { 0.0 } else { sum / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A right hand whose fingers curl to its palm, and an L-shaped object.
    fn demonstration() -> Demonstration {
        let mut hand = [Point3::new(0.0, 0.0, 0.3); keypoint::COUNT];
        for (finger, base) in [5usize, 9, 13, 17].into_iter().enumerate() {
            let across = 0.03 - 0.02 * finger as f64;
            for joint in 0..4 {
                let along = 0.09 + 0.02 * joint as f64;
                // Palm down: the palm's normal is -z, so the fingers curl downwards.
                hand[base + joint] = Point3::new(along, across, 0.3 - 0.02 * joint as f64);
            }
        }
        let vertices = vec![
            Point3::origin(),
            Point3::new(0.1, 0.0, 0.0),
            Point3::new(0.0, 0.2, 0.0),
            Point3::new(0.0, 0.0, 0.3),
        ];
        let faces = vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]];
        let turn = nalgebra::UnitQuaternion::from_euler_angles(0.3, -0.5, 0.8);
        Demonstration {
            name: "mirror".into(),
            fps: 30.0,
            gravity: Vector3::new(0.0, 0.0, -9.81),
            hands: vec![HandTrack { side: Side::Right, keypoints_in_world: vec![hand; 3] }],
            objects: vec![ObjectTrack {
                name: "l".into(),
                mesh: TriMesh { vertices, faces },
                world_from_object: vec![
                    Pose::from_parts(Vector3::new(0.1, 0.2, 0.3).into(), turn);
                    3
                ],
                mass: None,
                articulation: None,
            }],
            provenance: Provenance::default(),
        }
    }

    #[test]
    fn a_mirror_turns_right_into_left_and_back() {
        let demo = demonstration();
        let mirrored = demo.mirrored();
        assert!(chirality(&demo.hands[0].keypoints_in_world) > 0.01);
        assert!(chirality(&mirrored.hands[0].keypoints_in_world) < -0.01);
        assert_eq!(mirrored.hands[0].side, Side::Left);
        assert_eq!(mirrored.mirrored(), demo);
    }

    #[test]
    fn every_vertex_of_a_mirrored_object_is_the_mirror_image_of_its_original() {
        let demo = demonstration();
        let mirrored = demo.mirrored();
        let (before, after) = (&demo.objects[0], &mirrored.objects[0]);
        for (v, w) in before.mesh.vertices.iter().zip(&after.mesh.vertices) {
            let placed = before.world_from_object[1] * v;
            let image = after.world_from_object[1] * w;
            assert!((image - Point3::new(placed.x, -placed.y, placed.z)).norm() < 1e-12);
        }
        // Faces still wind outwards: the volume keeps its sign.
        let volume = |mesh: &TriMesh| -> f64 {
            (0..mesh.faces.len())
                .map(|f| {
                    let [a, b, c] = mesh.triangle(f);
                    a.coords.dot(&b.coords.cross(&c.coords)) / 6.0
                })
                .sum()
        };
        assert!((volume(&before.mesh) - volume(&after.mesh)).abs() < 1e-12);
        assert!(volume(&before.mesh) > 0.0);
    }
}
