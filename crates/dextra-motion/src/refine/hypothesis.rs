//! Where a grasp search starts: the human's grasp, seen at several moments in the object's frame and
//! fitted to the robot's hand, opened and closed by thumb-finger opposition.

use super::plan::Grasp;
use super::trials::tips;
use crate::retarget::{
    FrameSolver, FrameTargets, PalmTarget, PlaneTarget, PointTarget, RetargetHand,
};
use dextra_core::demonstration::{Keypoints, keypoint, world_from_palm};
use dextra_core::{Pose, Side, pose};
use dextra_sim::hand::Hand;
use dextra_sim::object::Surface;
use dextra_sim::scene::{Owner, Scene};
use dextra_sim::world::World;
use nalgebra::{Point3, UnitQuaternion, Vector3};

/// A grasp to start from and how it came about.
#[derive(Clone, Debug)]
pub struct Hypothesis {
    /// One grasp per hold that is searched together.
    pub grasps: Vec<Grasp>,
    /// Such as `"human at 40 %"` or `"object-centred, yaw 50 deg"`.
    pub name: String,
    /// True when the grasp is not the human's but one about the object's centre.
    pub changed: bool,
    /// True when it is one that worked before.
    pub remembered: bool,
}

/// Keypoints of one hand in the frame of the object it takes, one entry per frame.
pub type Track = Vec<Keypoints>;

/// Mean keypoints over a range of frames of a track.
pub fn mean_keypoints(track: &[Keypoints]) -> Keypoints {
    std::array::from_fn(|k| {
        let sum: Vector3<f64> = track.iter().map(|frame| frame[k].coords).sum();
        Point3::from(sum / track.len().max(1) as f64)
    })
}

/// Median keypoints, coordinate by coordinate.
pub fn median_keypoints(track: &[Keypoints]) -> Keypoints {
    std::array::from_fn(|k| {
        let median = |axis: usize| {
            let mut values: Vec<f64> = track.iter().map(|frame| frame[k][axis]).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(0.0)
        };
        Point3::new(median(0), median(1), median(2))
    })
}

/// Settings of the hypotheses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HypothesisConfig {
    /// How far the tips open from the touch, metres.
    pub opening: f64,
    /// How far the tips close beyond the touch, metres.
    pub closing: f64,
    /// Clearance over which the retreat must be free, metres.
    pub clearance: f64,
}

impl Default for HypothesisConfig {
    fn default() -> Self {
        Self { opening: 0.04, closing: 0.03, clearance: 0.10 }
    }
}

/// Where a hand's tips are.
pub(super) fn tip_places(hand: &Hand, root: &Pose, joints: &[f64]) -> Vec<Point3<f64>> {
    let bodies = hand.tree.forward(joints);
    tips(hand).iter().map(|tip| root * (bodies[tip.body] * tip.point)).collect()
}

/// Asks for the tips at given places with the wrist where it is, near the joint angles `rest`.
pub(super) fn tips_at(hand: &Hand, places: &[Point3<f64>], rest: &[f64]) -> FrameTargets {
    let points = tips(hand)
        .iter()
        .zip(places)
        .map(|(tip, place)| PointTarget {
            body: tip.body,
            point_in_body: tip.point,
            target_in_world: *place,
            weight: 1.0,
            huber: f64::INFINITY,
        })
        .collect();
    FrameTargets { points, rest: rest.to_vec(), fixed_wrist: true, ..FrameTargets::default() }
}

/// Fits grasps of one hand.
pub struct Fitter<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// Index of the hand in the scene.
    pub index: usize,
    /// The hand.
    pub hand: &'a Hand,
    /// The hand as the solver sees it.
    pub model: &'a RetargetHand,
    /// Index of the object it takes.
    pub object: usize,
    /// Its surface.
    pub surface: &'a Surface,
    /// Pose of that object when it is taken.
    pub at_take: Pose,
    /// Joint positions of the scene then; those of the fitted hand do not matter.
    pub qpos: &'a [f64],
    /// Settings.
    pub config: HypothesisConfig,
}

impl Fitter<'_> {
    /// Fits the hand to keypoints given in the object's frame.
    pub fn fit(
        &self,
        solver: &mut FrameSolver,
        object_from_human: &Keypoints,
        side: Side,
        approach: Vector3<f64>,
        opening: f64,
    ) -> Option<Grasp> {
        let rest = self.at_take;
        let keypoints = object_from_human.map(|p| rest * p);
        let palm = world_from_palm(&keypoints, side)?;
        let middle = self.model.middle();
        let start = self.model.root_for_palm(&palm, &middle);
        let points = self.point_targets(&keypoints);
        let targets = FrameTargets {
            points,
            planes: self.table_planes(),
            palm: Some(PalmTarget {
                world_from_palm: palm,
                position_weight: 0.02,
                orientation_m_per_rad: 0.03,
            }),
            rest: middle.clone(),
            ..FrameTargets::default()
        };
        let touch = solver.solve(&targets, (&start, &middle), 60);
        self.grasp_from(solver, touch.world_from_root, touch.joints, approach, opening)
    }

    /// Makes a grasp from a root pose and the joint angles at which the fingers touch.
    pub fn grasp_from(
        &self,
        solver: &mut FrameSolver,
        world_from_root: Pose,
        touch: Vec<f64>,
        approach: Vector3<f64>,
        opening: f64,
    ) -> Option<Grasp> {
        let mut world = World::new(self.scene);
        let (open, root, rise) = self.opened(solver, &mut world, &world_from_root, &touch, opening);
        let touch = self.touching_again(solver, &touch, &world_from_root, &root);
        let world_from_root = root;
        let squeezed = self.opposed(solver, &world_from_root, &touch, self.config.closing);
        let raised = nalgebra::Translation3::from(Vector3::z() * rise) * world_from_root;
        let retreat = self.retreat(&mut world, &raised, &open, approach);
        let bodies = self.hand.tree.forward(&touch);
        let tips = tips(self.hand);
        let center: Vector3<f64> =
            tips.iter().map(|tip| (bodies[tip.body] * tip.point).coords).sum();
        Some(Grasp {
            hand: self.index,
            object: self.object,
            object_from_root: self.at_take.inverse() * world_from_root,
            finger_center_in_root: Point3::from(center / tips.len().max(1) as f64),
            open: self.hand.ctrl(&open),
            open_joints: open,
            touch: self.hand.ctrl(&touch),
            touch_joints: touch,
            squeezed: self.hand.ctrl(&squeezed),
            retreat,
            rise,
            roll: Vec::new(),
        })
    }

    /// The opened hand, the root pose at which it is not in the object, and by how much it must be
    /// higher not to be in the table. A widely opened hand may have to leave a small object far behind:
    /// it then opens less.
    fn opened(
        &self,
        solver: &mut FrameSolver,
        world: &mut World<'_>,
        root: &Pose,
        touch: &[f64],
        opening: f64,
    ) -> (Vec<f64>, Pose, f64) {
        /// A hand that is pushed away by less is still where it was fitted, metres.
        const NEAR: f64 = 0.012;
        let mut best: Option<(f64, Vec<f64>, Pose, f64)> = None;
        for share in [1.0, 0.7, 0.45] {
            let open = self.opposed(solver, root, touch, -opening * share);
            let open = self.untangled(world, open);
            let rise = self.rise(world, *root, &open);
            let raised = nalgebra::Translation3::from(Vector3::z() * rise) * root;
            let pushed = self.pushed_out(world, raised, &open);
            let way = pose::distance_between(root, &pushed);
            let pushed = nalgebra::Translation3::from(Vector3::z() * -rise) * pushed;
            if best.as_ref().is_none_or(|(least, ..)| way < least - 0.003) {
                best = Some((way, open, pushed, rise));
            }
            if way < NEAR {
                break;
            }
        }
        let (_, open, pushed, rise) = best.expect("the first share is always better than none");
        (open, pushed, rise)
    }

    /// By how much the opened hand must be higher not to be in the table, metres.
    fn rise(&self, world: &mut World<'_>, root: Pose, open: &[f64]) -> f64 {
        const HIGHEST: f64 = 0.06;
        let mut rise = 0.0;
        while rise < HIGHEST {
            let raised = nalgebra::Translation3::from(Vector3::z() * rise) * root;
            world.reset(&self.qpos(&raised, open));
            world.forward();
            let contacts = world.hand_contacts();
            let own = contacts.iter().filter(|c| c.hand == self.index && c.other == Owner::Table);
            let depth = own.map(|c| c.depth).fold(0.0, f64::max);
            if depth < 5e-4 {
                break;
            }
            rise += depth + 5e-4;
        }
        rise
    }

    /// Joint angles with which the tips touch where they did before the root was moved.
    fn touching_again(
        &self,
        solver: &mut FrameSolver,
        touch: &[f64],
        before: &Pose,
        now: &Pose,
    ) -> Vec<f64> {
        if pose::distance_between(before, now) < 0.003 {
            return touch.to_vec();
        }
        let targets = tips_at(self.hand, &tip_places(self.hand, before, touch), touch);
        solver.solve(&targets, (now, touch), 40).joints
    }

    fn point_targets(&self, keypoints: &Keypoints) -> Vec<PointTarget> {
        self.model
            .points
            .iter()
            .filter_map(|point| {
                let weight = match point.keypoint {
                    k if keypoint::TIPS.contains(&k) => 1.0,
                    keypoint::WRIST | 1 | 5 | 9 | 13 | 17 => return None,
                    _ => 0.1,
                };
                Some(PointTarget {
                    body: point.body,
                    point_in_body: point.point_in_body,
                    target_in_world: if keypoint::TIPS.contains(&point.keypoint) {
                        self.outside(&keypoints[point.keypoint], point.radius)
                    } else {
                        keypoints[point.keypoint]
                    },
                    weight,
                    huber: f64::INFINITY,
                })
            })
            .collect()
    }

    /// A human fingertip moved to where a robot's of this radius is in neither the table nor the object:
    /// human fingers are thinner, and recorded ones are inside objects by a centimetre.
    pub(super) fn outside(&self, tip: &Point3<f64>, radius: f64) -> Point3<f64> {
        let floor = self.scene.config.table_height + radius;
        let above = |p: Point3<f64>| Point3::new(p.x, p.y, p.z.max(floor));
        let depth = |p: &Point3<f64>| {
            radius - self.surface.signed_distance(&self.at_take.inverse_transform_point(p))
        };
        let pushed = |p: &Point3<f64>| {
            let closest = self.surface.closest(&self.at_take.inverse_transform_point(p));
            above(self.at_take * (closest.point + closest.normal * radius))
        };
        let tip = above(*tip);
        if depth(&tip) <= 0.0 {
            return tip;
        }
        let out = pushed(&tip);
        // Where the way out led down into the table, the way sideways half-way up the object.
        let middle = self
            .surface
            .mesh()
            .bounds()
            .map_or(tip, |(low, high)| self.at_take * nalgebra::center(&low, &high));
        let side = pushed(&Point3::new(tip.x, tip.y, middle.z));
        let side = Point3::new(side.x, side.y, tip.z);
        if depth(&out) > 0.5 * radius && depth(&side) < depth(&out) { side } else { out }
    }

    /// Keeps every mapped point of the hand above the table.
    fn table_planes(&self) -> Vec<PlaneTarget> {
        let height = self.scene.config.table_height;
        self.model
            .points
            .iter()
            .map(|point| PlaneTarget {
                body: point.body,
                point_in_body: point.point_in_body,
                on_plane: Point3::new(0.0, 0.0, height),
                normal: Vector3::z(),
                clearance: point.radius + 0.004,
                weight: 1.0,
            })
            .collect()
    }

    /// Joint angles with the tips moved by `distance` towards each other (negative: apart) with the
    /// wrist where it is: fingers towards the thumb, the thumb towards the fingers' mean.
    fn opposed(
        &self,
        solver: &mut FrameSolver,
        world_from_root: &Pose,
        touch: &[f64],
        distance: f64,
    ) -> Vec<f64> {
        let bodies = self.hand.tree.forward(touch);
        let tips = tips(self.hand);
        let place = |body: usize, point: &Point3<f64>| world_from_root * (bodies[body] * point);
        let placed: Vec<Point3<f64>> = tips.iter().map(|t| place(t.body, &t.point)).collect();
        let thumb = tips.iter().position(|tip| tip.keypoint == keypoint::TIPS[0]);
        let others: Vec<usize> = (0..tips.len()).filter(|&i| Some(i) != thumb).collect();
        let mean = Point3::from(
            others.iter().map(|&i| placed[i].coords).sum::<Vector3<f64>>()
                / others.len().max(1) as f64,
        );
        let points = tips
            .iter()
            .enumerate()
            .map(|(i, tip)| {
                let towards =
                    if Some(i) == thumb { mean } else { thumb.map_or(mean, |t| placed[t]) };
                let direction =
                    (towards - placed[i]).try_normalize(1e-6).unwrap_or_else(Vector3::zeros);
                PointTarget {
                    body: tip.body,
                    point_in_body: tip.point,
                    target_in_world: placed[i] + direction * distance,
                    weight: 1.0,
                    huber: f64::INFINITY,
                }
            })
            .collect();
        let targets = FrameTargets {
            points,
            rest: touch.to_vec(),
            fixed_wrist: true,
            ..FrameTargets::default()
        };
        solver.solve(&targets, (world_from_root, touch), 40).joints
    }

    /// The posture nearest to `joints` on the way to the neutral hand in which the hand is not inside
    /// itself. Robot fingers are thicker than human ones, so fitted fingers may overlap.
    fn untangled(&self, world: &mut World<'_>, joints: Vec<f64>) -> Vec<f64> {
        const ALLOWED: f64 = 5e-4;
        let neutral = self.hand.neutral();
        let aside = Pose::translation(0.0, 0.0, 100.0);
        let blend = |t: f64| -> Vec<f64> {
            joints.iter().zip(&neutral).map(|(q, n)| q + t * (n - q)).collect()
        };
        (0..=20)
            .map(|k| blend(f64::from(k) / 20.0))
            .find(|posture| {
                world.reset(&self.qpos(&aside, posture));
                world.forward();
                world.self_penetration() < ALLOWED
            })
            .unwrap_or(joints)
    }

    fn qpos(&self, world_from_root: &Pose, joints: &[f64]) -> Vec<f64> {
        let mut qpos = self.qpos.to_vec();
        self.scene.set_object(self.object, &self.at_take, &mut qpos);
        self.scene.set_hand(self.index, world_from_root, joints, &mut qpos);
        qpos
    }

    /// Moves the opened hand out of the object and the table along contact normals.
    fn pushed_out(&self, world: &mut World<'_>, from: Pose, open: &[f64]) -> Pose {
        const FURTHEST: f64 = 0.05;
        let mut root = from;
        for _ in 0..30 {
            world.reset(&self.qpos(&root, open));
            world.forward();
            let contacts = world.hand_contacts();
            let own = contacts.iter().filter(|c| c.hand == self.index);
            let Some(worst) = own.max_by(|a, b| a.depth.total_cmp(&b.depth)) else {
                break;
            };
            if worst.depth < 5e-4 {
                break;
            }
            let shifted =
                nalgebra::Translation3::from(-worst.normal * (worst.depth + 5e-4).min(0.01)) * root;
            if pose::distance_between(&shifted, &from) > FURTHEST {
                break;
            }
            root = shifted;
        }
        root
    }

    /// Of sixteen directions, the one along which the opened hand leaves with least penetration;
    /// earlier ones win ties.
    fn retreat(
        &self,
        world: &mut World<'_>,
        world_from_root: &Pose,
        open: &[f64],
        approach: Vector3<f64>,
    ) -> Vector3<f64> {
        let palm = self.model.world_from_palm(world_from_root, open);
        let (fingers, normal) = (palm.rotation * Vector3::x(), palm.rotation * Vector3::z());
        let up = Vector3::z();
        let human = approach.try_normalize(1e-6).unwrap_or(up);
        let side = fingers.cross(&normal);
        let candidates = [
            human,
            human + up,
            human - fingers,
            -fingers,
            -fingers + up,
            -normal,
            -normal + up,
            -fingers - normal,
            -fingers - normal + up,
            up,
            human + up * 0.5 - fingers * 0.5,
            up + side * 0.5,
            up - side * 0.5,
            -fingers + side * 0.5,
            -fingers - side * 0.5,
            up * 2.0 - fingers,
        ];
        let mut best = (f64::INFINITY, up);
        for candidate in candidates {
            let Some(direction) = candidate.try_normalize(1e-6) else { continue };
            let penetration: f64 = (1..=5)
                .map(|k| {
                    let distance = self.config.clearance * k as f64 / 5.0;
                    let root = nalgebra::Translation3::from(direction * distance) * world_from_root;
                    world.reset(&self.qpos(&root, open));
                    world.forward();
                    world
                        .hand_contacts()
                        .iter()
                        .filter(|c| c.hand == self.index)
                        .map(|c| c.depth.max(0.0))
                        .fold(0.0, f64::max)
                })
                .sum();
            if penetration + 1e-4 < best.0 {
                best = (penetration, direction);
            }
        }
        best.1
    }

    /// The same grasp moved so that the fingers close round the object's centre, turned by `yaw`
    /// about the vertical and `tilt` about the axis across the palm, radians.
    pub fn object_centred(
        &self,
        solver: &mut FrameSolver,
        grasp: &Grasp,
        touch: &[f64],
        center_in_object: &Point3<f64>,
        yaw: f64,
        tilt: f64,
    ) -> Option<Grasp> {
        let root = self.at_take * grasp.object_from_root;
        let pivot = root * grasp.finger_center_in_root;
        let across = self.model.world_from_palm(&root, touch).rotation * Vector3::y();
        let turn = UnitQuaternion::from_scaled_axis(Vector3::z() * yaw)
            * UnitQuaternion::from_scaled_axis(across * tilt);
        let shift = self.at_take * center_in_object - pivot;
        let root = pose::perturb_about(&root, &pivot, &shift, &turn.scaled_axis());
        self.grasp_from(solver, root, touch.to_vec(), turn * grasp.retreat, 0.05)
    }
}
