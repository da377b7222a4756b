//! The mirror image of what two hands do, as something that the same two hands can do.
//!
//! ManipTrans mirrors its corpus of hand motions, so that the imitator of either hand also learns from what
//! the other hand did. A left hand here is the right one reflected in the plane `y = 0` of its root, so with
//! `S = diag(1, -1, 1)` and the reflection `H` of the world, a root with rotation `R` becomes one of the
//! other hand with rotation `H R S`, and joint angles and finger servos stay as they are.
//!
//! Of a single hand the mirror image is a motion of the *other* hand: mirrored physics of a mirrored hand
//! goes the same way in the same joint angles, so it teaches the hand of the clip nothing, and there is none.

use super::TrackError;
use super::task::Task;
use dextra_core::Pose;
use dextra_sim::hand::Hand;
use dextra_sim::scene::{SceneHand, root_to_wrist, wrist_to_root};
use nalgebra::{Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};

/// Turn of the middle hinge of a wrist, radians, beyond which it is too near to its singularity at a quarter
/// turn: there the hinges of a path jump.
const MOST_TURN: f64 = 1.4;

impl Task<'_> {
    /// The mirror image of a task of two hands alone ([`Task::object_free`]): each hand does what the other
    /// did, reflected in the vertical plane halfway between them. `None` for a single hand.
    ///
    /// # Errors
    /// [`TrackError::Mirror`] where the hands are not each other's mirror image, there are objects, or a wrist
    /// cannot be turned so far.
    pub fn mirrored(&self) -> Result<Option<Self>, TrackError> {
        let &[one, other] = self.hands else { return Ok(None) };
        if !self.objects.is_empty() {
            return Err(TrackError::Mirror("objects have no mirror image"));
        }
        if !are_mirror_images(one, other) {
            return Err(TrackError::Mirror("the two hands are not each other's mirror image"));
        }
        let plane = Plane::between(self);
        let nu = self.scene.ctrl_ranges().len();
        let mut path = vec![self.scene.default_qpos(); self.path.len()];
        let mut base = vec![0.0; self.base.len()];
        for (from, to) in
            [(0, 1), (1, 0)].map(|(a, b)| (&self.scene.hands[a], &self.scene.hands[b]))
        {
            let mut near = [0.0; 6];
            for (state, (image, qpos)) in path.iter_mut().zip(&self.path).enumerate() {
                let wrist = from.wrist_qpos.map(|at| qpos[at]);
                near = plane.wrist(from, to, &wrist, &near)?;
                to.wrist_qpos.iter().zip(near).for_each(|(&at, value)| image[at] = value);
                for (&to, &from) in to.joint_qpos.iter().zip(&from.joint_qpos) {
                    image[to] = qpos[from];
                }
                let row = state * nu..(state + 1) * nu;
                let (Some(image), Some(row)) = (base.get_mut(row.clone()), self.base.get(row))
                else {
                    continue;
                };
                let targets = plane.wrist(from, to, &from.wrist_ctrl.map(|at| row[at]), &near)?;
                to.wrist_ctrl.iter().zip(targets).for_each(|(&at, value)| image[at] = value);
                for (&to, &from) in to.finger_ctrl.iter().zip(&from.finger_ctrl) {
                    image[to] = row[from];
                }
            }
        }
        Ok(Some(Self { base, path, played_starts: false, ..self.clone() }))
    }
}

/// A vertical plane that reflects.
struct Plane {
    normal: Vector3<f64>,
    point: Point3<f64>,
}

impl Plane {
    /// Halfway between the mean places of the two wrists of a task: what the demonstration tells of the
    /// human's sagittal plane. Through x where one wrist is above the other; any vertical plane would do.
    fn between(task: &Task<'_>) -> Self {
        let mean = |place: &SceneHand| {
            let slides = task.path.iter().map(|qpos| {
                place.world_from_mount * Vector3::from_fn(|axis, _| qpos[place.wrist_qpos[axis]])
            });
            slides.sum::<Vector3<f64>>() / task.path.len() as f64
        };
        let [one, other] = [0, 1].map(|hand| mean(&task.scene.hands[hand]));
        let way = Vector3::new(other.x - one.x, other.y - one.y, 0.0);
        let normal = way.try_normalize(1e-6).unwrap_or_else(Vector3::y);
        Self { normal, point: Point3::from((one + other) / 2.0) }
    }

    /// The root of the other hand where one hand's root is at `world_from_root`.
    fn root(&self, world_from_root: &Pose) -> Pose {
        let reflect = Matrix3::identity() - 2.0 * self.normal * self.normal.transpose();
        let sides = Matrix3::from_diagonal(&Vector3::new(1.0, -1.0, 1.0));
        let rotation = world_from_root.rotation.to_rotation_matrix();
        let rotation = Rotation3::from_matrix_unchecked(reflect * rotation.matrix() * sides);
        let origin = Point3::from(world_from_root.translation.vector);
        let origin = self.point + reflect * (origin - self.point);
        Pose::from_parts(origin.into(), UnitQuaternion::from_rotation_matrix(&rotation))
    }

    /// Coordinates of the other wrist at the image of one wrist's coordinates.
    fn wrist(
        &self,
        from: &SceneHand,
        to: &SceneHand,
        wrist: &[f64; 6],
        near: &[f64; 6],
    ) -> Result<[f64; 6], TrackError> {
        let image = root_to_wrist(to, &self.root(&wrist_to_root(from, wrist)), near);
        if image[4].abs() > MOST_TURN {
            return Err(TrackError::Mirror("a wrist would turn too far from where it is mounted"));
        }
        Ok(image)
    }
}

/// Whether the same angles and targets give mirrored postures, in three postures across all ranges.
fn are_mirror_images(one: &Hand, other: &Hand) -> bool {
    /// The reflected hand was written and read once more.
    const CLOSE: f64 = 1e-5;
    let sides = one.map.side != other.map.side
        && one.tree.joints.len() == other.tree.joints.len()
        && one.tree.bodies.len() == other.tree.bodies.len();
    let servos = one.actuators.len() == other.actuators.len()
        && one.actuators.iter().zip(&other.actuators).all(|(a, b)| {
            let (a_range, b_range) = (a.ctrl_range, b.ctrl_range);
            a.terms == b.terms
                && (a.kp - b.kp).abs() <= CLOSE * a.kp
                && (a_range.0 - b_range.0).abs() < CLOSE
                && (a_range.1 - b_range.1).abs() < CLOSE
        });
    sides
        && servos
        && [0.1, 0.5, 0.9].into_iter().all(|share| {
            let within = |(low, high): (f64, f64)| {
                if low.is_finite() && high.is_finite() { low + share * (high - low) } else { share }
            };
            let posture: Vec<f64> = one.tree.joints.iter().map(|j| within(j.range)).collect();
            let (a, b) = (one.tree.forward(&posture), other.tree.forward(&posture));
            a.iter().zip(&b).all(|(a, b)| {
                let (a, b) = (a.translation.vector, b.translation.vector);
                (Vector3::new(a.x, -a.y, a.z) - b).norm() < CLOSE
            })
        })
}
