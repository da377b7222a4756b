//! Kinematics of an arm that is described by Denavit-Hartenberg parameters.

use super::capsule::Capsule;
use dextra_core::Pose;
use dextra_core::device::{ArmGeometry, Device, LinkCapsule};
use dextra_core::kinematics::{Body, Joint, KinematicTree, Workspace};
use nalgebra::{Matrix6xX, Point3, Translation3, UnitQuaternion, Vector3};

/// Links that are so near in the chain cannot be kept apart by capsules: their joint ranges keep them apart.
const NEIGHBOURS: usize = 2;

/// An arm: a chain of hinges from the base to the flange.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Base, and one body per joint.
    pub tree: KinematicTree,
    /// Lower and upper limit of every joint, radians.
    pub range: Vec<(f64, f64)>,
    last_from_flange: Pose,
    capsules: Vec<LinkCapsule>,
}

/// Pose and Jacobian of a flange at one joint configuration.
#[derive(Clone, Debug)]
pub struct Flange {
    /// Where it is.
    pub world_from_flange: Pose,
    /// Columns are velocity (m/s) and angular velocity (rad/s) per unit speed of each joint, world frame.
    pub jacobian: Matrix6xX<f64>,
}

impl Arm {
    /// The arm that `device` describes; `None` when it describes a hand.
    pub fn new(device: &Device) -> Option<Arm> {
        let ArmGeometry { links, last_from_flange, capsules } = device.arm.as_ref()?;
        let range: Vec<(f64, f64)> =
            device.channels.iter().map(|channel| channel.range()).collect::<Option<_>>()?;
        let mut tree = KinematicTree::default();
        let base = Body {
            name: "link0".to_owned(),
            parent: None,
            parent_from_body: Pose::identity(),
            joints: Vec::new(),
        };
        tree.bodies.push(base);
        for (index, (link, channel)) in links.iter().zip(&device.channels).enumerate() {
            let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), link.alpha);
            let along = turn * Vector3::new(link.a, 0.0, link.d);
            tree.bodies.push(Body {
                name: format!("link{}", index + 1),
                parent: Some(index),
                parent_from_body: Pose::from_parts(Translation3::from(along), turn),
                joints: vec![index],
            });
            tree.joints.push(Joint {
                name: channel.drives.clone(),
                body: index + 1,
                axis_in_body: Vector3::z_axis(),
                anchor_in_body: Point3::origin(),
                range: range[index],
            });
        }
        let capsules = capsules.clone();
        Some(Arm { tree, range, last_from_flange: *last_from_flange, capsules })
    }

    /// Number of joints.
    pub fn joints(&self) -> usize {
        self.range.len()
    }

    /// Memory for the calls below.
    pub fn workspace(&self) -> Workspace {
        Workspace::new(&self.tree)
    }

    /// Where the flange is at joint angles `q` and how it moves with them.
    pub fn flange(&self, workspace: &mut Workspace, world_from_base: &Pose, q: &[f64]) -> Flange {
        workspace.forward(&self.tree, world_from_base, q);
        let last = self.joints();
        let world_from_flange = workspace.world_from_body[last] * self.last_from_flange;
        let at = Point3::from(world_from_flange.translation.vector);
        let mut jacobian = Matrix6xX::zeros(last);
        for joint in 0..last {
            let (linear, angular) =
                (workspace.point_column(joint, &at), workspace.axis_in_world[joint]);
            jacobian.fixed_view_mut::<3, 1>(0, joint).copy_from(&linear);
            jacobian.fixed_view_mut::<3, 1>(3, joint).copy_from(&angular);
        }
        Flange { world_from_flange, jacobian }
    }

    /// Link and shape of everything that collides, as [`Arm::flange`] last left `workspace`. What the flange
    /// carries is link [`Arm::load`], a capsule given in the frame of the flange.
    pub fn shapes(&self, workspace: &Workspace, load: Option<&Capsule>) -> Vec<(usize, Capsule)> {
        let moved = |pose: &Pose, ends: [Point3<f64>; 2], radius| Capsule {
            ends: ends.map(|end| pose * end),
            radius,
        };
        let links = self.capsules.iter().map(|capsule| {
            let pose = &workspace.world_from_body[capsule.link];
            (capsule.link, moved(pose, capsule.ends, capsule.radius))
        });
        let flange = workspace.world_from_body[self.joints()] * self.last_from_flange;
        let load = load.map(|load| (self.load(), moved(&flange, load.ends, load.radius)));
        links.chain(load).collect()
    }

    /// The number that stands for what the flange carries.
    pub fn load(&self) -> usize {
        self.joints() + 1
    }

    /// Whether two links of one arm are too near in the chain to be judged.
    pub fn are_neighbours(&self, a: usize, b: usize) -> bool {
        // What the flange carries is bolted to the last link.
        let link = |l: usize| l.min(self.joints());
        link(a).abs_diff(link(b)) <= NEIGHBOURS
    }
}
