//! Where the human hand touches the objects, and where robot fingertips should therefore go.
//!
//! Per keypoint the nearest surface point is kept as a prior when close enough (3 cm for tips, 5 cm
//! for palm points: DexMan, contact prior). A fingertip close to an object that is being moved is in
//! contact; its surface point is smoothed in the object frame and projected back to the surface.

use super::smooth::gaussian;
use dextra_core::demonstration::keypoint;
use dextra_core::{HandTrack, Pose};
use nalgebra::{Point3, Vector3};

/// Nearest-point queries on the surface of an object, in the object's own frame, metres.
pub trait SurfaceQuery {
    /// The surface point nearest to `p`, the outward unit normal there, and the signed distance of
    /// `p` (negative inside).
    fn closest(&self, p: &Point3<f64>) -> (Point3<f64>, Vector3<f64>, f64);
}

/// What [`SurfaceQuery::closest`] returns.
type Nearest = (Point3<f64>, Vector3<f64>, f64);

/// An object the hand may touch.
#[derive(Clone, Copy)]
pub struct ObjectInput<'a> {
    /// Its surface.
    pub surface: &'a dyn SurfaceQuery,
    /// Its pose per frame of the hand track.
    pub world_from_object: &'a [Pose],
}

/// Keypoints on and around the palm: wrist and the four knuckles.
const PALM: [usize; 5] = [keypoint::WRIST, 5, 9, 13, 17];

/// When a keypoint counts as touching.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContactConfig {
    /// A fingertip nearer than this to a held object touches it, metres.
    pub touch_m: f64,
    /// Fingertips farther than this give no contact prior, metres.
    pub prior_tip_m: f64,
    /// Palm points farther than this give no contact prior, metres.
    pub prior_palm_m: f64,
    /// Standard deviation of the Gaussian that smooths contact points in the object frame, seconds.
    pub sigma_s: f64,
    /// Time over which a fingertip passes from the human's path to its contact, seconds.
    pub ramp_s: f64,
    /// Contacts are kept this long before the object first moves and after it rests, seconds.
    pub margin_s: f64,
    /// Interruptions of contact shorter than this are closed, contacts shorter are dropped, seconds.
    pub gap_s: f64,
    /// The object has left its first (or not reached its last) place beyond this, metres.
    pub moved_m: f64,
    /// Likewise for its rotation, radians.
    pub moved_rad: f64,
}

impl Default for ContactConfig {
    fn default() -> Self {
        Self {
            touch_m: 0.02,
            prior_tip_m: 0.03,
            prior_palm_m: 0.05,
            sigma_s: 1.0 / 3.0,
            ramp_s: 8.0 / 60.0,
            margin_s: 0.15,
            gap_s: 0.1,
            moved_m: 0.01,
            moved_rad: 0.1,
        }
    }
}

/// A fingertip's contact at one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TipContact {
    /// Index of the object.
    pub object: usize,
    /// Point on its surface, object frame, metres.
    pub point_in_object: Point3<f64>,
    /// Outward unit normal there, object frame.
    pub normal_in_object: Vector3<f64>,
    /// 1 in contact, falling to 0 over the ramp before and after.
    pub blend: f64,
}

/// Contacts of one hand over a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactPlan {
    /// Per frame, the contact of the thumb, index, middle, ring and pinky tip.
    pub tips: Vec<[Option<TipContact>; 5]>,
    /// Per frame, whether the palm is close to a held object.
    pub palm: Vec<bool>,
    /// Per frame, distance of the nearest fingertip or palm point to any object, metres; infinite without
    /// objects.
    pub nearest: Vec<f64>,
    /// Per object and frame, whether it is being moved (margins included).
    pub held: Vec<Vec<bool>>,
}

impl ContactPlan {
    /// Reads contacts off a demonstration. `fps` in frames per second; every object has a pose per
    /// frame of `hand`.
    pub fn new(
        hand: &HandTrack,
        fps: f64,
        objects: &[ObjectInput<'_>],
        config: &ContactConfig,
    ) -> Self {
        let frames = hand.keypoints_in_world.len();
        let mut plan = Self {
            tips: vec![[None; 5]; frames],
            palm: vec![false; frames],
            nearest: vec![f64::INFINITY; frames],
            held: objects.iter().map(|o| held(o.world_from_object, fps, config)).collect(),
        };
        for (index, object) in objects.iter().enumerate() {
            let local = |t: usize, k: usize| {
                object.world_from_object[t].inverse_transform_point(&hand.keypoints_in_world[t][k])
            };
            for t in 0..frames {
                for k in PALM {
                    let (_, _, distance) = object.surface.closest(&local(t, k));
                    plan.nearest[t] = plan.nearest[t].min(distance);
                    plan.palm[t] |= plan.held[index][t] && distance < config.prior_palm_m;
                }
            }
            for (finger, k) in keypoint::TIPS.into_iter().enumerate() {
                let near: Vec<_> =
                    (0..frames).map(|t| object.surface.closest(&local(t, k))).collect();
                for (nearest, (_, _, distance)) in plan.nearest.iter_mut().zip(&near) {
                    *nearest = nearest.min(*distance);
                }
                plan.add_tip(index, finger, object.surface, &near, fps, config);
            }
        }
        plan
    }

    /// Adds the contacts of one fingertip with one object.
    fn add_tip(
        &mut self,
        object: usize,
        finger: usize,
        surface: &dyn SurfaceQuery,
        near: &[Nearest],
        fps: f64,
        config: &ContactConfig,
    ) {
        let touching: Vec<bool> = near
            .iter()
            .zip(&self.held[object])
            .map(|(n, held)| *held && n.2 < config.touch_m)
            .collect();
        let ramp = (config.ramp_s * fps).max(1.0);
        for (start, end) in intervals(&touching, (config.gap_s * fps).round() as usize) {
            let observed = |value: fn(&Nearest) -> Vector3<f64>| {
                let inside = near[start..end].iter();
                inside.map(|n| (n.2 < config.prior_tip_m).then(|| value(n))).collect::<Vec<_>>()
            };
            let sigma = config.sigma_s * fps;
            let points = gaussian(&observed(|n| n.0.coords), sigma);
            let normals = gaussian(&observed(|n| n.1), sigma);
            let contacts: Vec<TipContact> = points
                .into_iter()
                .zip(normals)
                .map(|(point, normal)| {
                    let (on_surface, at, _) = surface.closest(&point.into());
                    // The mean of points on both sides of an edge lies inside the object, so it
                    // goes back to the surface; but not through a thin wall to its other side.
                    let same_side = at.dot(&normal) >= 0.0;
                    TipContact {
                        object,
                        point_in_object: if same_side { on_surface } else { point.into() },
                        normal_in_object: normal
                            .try_normalize(0.1)
                            .filter(|_| !same_side)
                            .unwrap_or(at),
                        blend: 1.0,
                    }
                })
                .collect();
            let reach = ramp.ceil() as usize;
            for t in start.saturating_sub(reach)..(end + reach).min(self.tips.len()) {
                let outside = if t < start { start - t } else { (t + 1).saturating_sub(end) };
                let blend = (1.0 - outside as f64 / ramp).max(0.0);
                let contact = contacts[t.clamp(start, end - 1) - start];
                let slot = &mut self.tips[t][finger];
                // Where contacts overlap, the one that is nearer to full counts.
                if blend > slot.map_or(0.0, |c: TipContact| c.blend) {
                    *slot = Some(TipContact { blend, ..contact });
                }
            }
        }
    }
}

/// Frames in which an object is being handled: from leaving its first pose until reaching its last
/// (until the end when the clip ends with the object higher than it began), margins included.
fn held(poses: &[Pose], fps: f64, config: &ContactConfig) -> Vec<bool> {
    let mut held = vec![false; poses.len()];
    let (Some(first), Some(last)) = (poses.first(), poses.last()) else {
        return held;
    };
    let away = |a: &Pose, b: &Pose| {
        (a.translation.vector - b.translation.vector).norm() > config.moved_m
            || a.rotation.angle_to(&b.rotation) > config.moved_rad
    };
    let Some(leaves) = poses.iter().position(|p| away(p, first)) else {
        return held;
    };
    let lifted_at_end = last.translation.z > first.translation.z + config.moved_m;
    let rests = if lifted_at_end {
        poses.len()
    } else {
        poses.iter().rposition(|p| away(p, last)).map_or(poses.len(), |t| t + 1)
    };
    let margin = (config.margin_s * fps).round() as usize;
    let end = (rests.max(leaves) + margin).min(poses.len());
    held[leaves.saturating_sub(margin)..end].fill(true);
    held
}

/// Half-open intervals of `true`, joined over gaps of at most `gap` frames; what is then no longer
/// than `gap` is dropped.
fn intervals(flags: &[bool], gap: usize) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (t, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
        match found.last_mut() {
            Some((_, end)) if t - *end <= gap => *end = t + 1,
            _ => found.push((t, t + 1)),
        }
    }
    found.retain(|(start, end)| end - start > gap);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_gaps_close_and_short_contacts_drop() {
        let flags: Vec<bool> = "011101110000010".chars().map(|c| c == '1').collect();
        assert_eq!(intervals(&flags, 1), vec![(1, 8)]);
        assert_eq!(intervals(&flags, 0), vec![(1, 4), (5, 8), (13, 14)]);
    }

    #[test]
    fn held_spans_first_to_last_motion() {
        let at = |x: f64, z: f64| Pose::translation(x, 0.0, z);
        let mut poses = vec![at(0.0, 0.0); 20];
        poses.extend((0..20).map(|i| at(0.01 * f64::from(i), 0.1)));
        poses.extend(vec![at(0.2, 0.0); 20]);
        let config = ContactConfig { margin_s: 0.2, ..Default::default() };
        let held = held(&poses, 10.0, &config);
        let expected: Vec<bool> = (0..60).map(|t| (18..42).contains(&t)).collect();
        assert_eq!(held, expected);
        // A clip that ends with the object in the air is held to its end.
        assert!(super::held(&poses[..40], 10.0, &config)[39]);
        // A still object is never held.
        assert!(!super::held(&poses[..20], 10.0, &config).contains(&true));
    }
}
