//! One world stepped by hand: snapshots, contact queries, and the recorded replay that judges.

use crate::hand::Hand;
use crate::scene::{Owner, Scene};
use dextra_core::closure::Contact;
use dextra_core::rollout::{HandRollout, ObjectRollout, PUSH, Rollout, StepContacts, Touch};
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Vector3};
use std::sync::Arc;

/// `mjSTATE_INTEGRATION`: everything that determines the future, solver warm start included.
const STATE_INTEGRATION: u32 = 16383;
/// `mjWARN_BADQPOS ..= mjWARN_BADCTRL`.
const NON_FINITE_WARNINGS: std::ops::RangeInclusive<usize> = 3..=6;

/// A single stepping state of a scene.
pub struct World<'a> {
    scene: &'a Scene,
    data: MjData<Arc<MjModel>>,
}

/// One contact between a hand and something else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HandContact {
    /// Hand index.
    pub hand: usize,
    /// What it touches.
    pub other: Owner,
    /// Geom of the hand.
    pub geom: usize,
    /// Contact point, world frame, metres.
    pub point: Point3<f64>,
    /// Unit normal from the hand into the other, world frame.
    pub normal: Vector3<f64>,
    /// Penetration depth, metres; negative when apart.
    pub depth: f64,
    /// Normal force, newtons.
    pub force: f64,
    /// The whole force on the other, friction included, world frame, newtons.
    pub push: Vector3<f64>,
    /// Torque on the other about the contact point, world frame, newton metres.
    pub twist: Vector3<f64>,
    /// Sliding friction coefficient.
    pub friction: f64,
    /// Torsional friction about the normal, metres; 0 where the contact has none.
    pub torsion: f64,
}

/// Force and torque at a contact point in the world frame, from those in the axes of the contact, which are the
/// rows of `frame`; the engine gives what acts on the second geom.
pub(crate) fn contact_wrench(
    frame: &[f64; 9],
    wrench: &[f64; 6],
    sign: f64,
) -> (Vector3<f64>, Vector3<f64>) {
    let axis = |k: usize| Vector3::new(frame[3 * k], frame[3 * k + 1], frame[3 * k + 2]) * sign;
    let sum =
        |at: usize| axis(0) * wrench[at] + axis(1) * wrench[at + 1] + axis(2) * wrench[at + 2];
    (sum(0), sum(3))
}

impl HandContact {
    /// The contact as it is kept in a rollout, when it is with an object.
    pub fn touch(&self) -> Option<Touch> {
        let Owner::Object(object) = self.other else { return None };
        let contact = Contact {
            point: self.point,
            normal: self.normal,
            friction: self.friction,
            torsion: self.torsion,
        };
        Some(Touch { hand: self.hand, object, contact, force: self.force })
    }
}

impl<'a> World<'a> {
    /// A world of the scene's own model in its default state.
    pub fn new(scene: &'a Scene) -> Self {
        Self::with_model(scene, Arc::clone(&scene.model))
    }

    /// A world of a variant of the scene's model (another time step, friction, mass).
    pub fn with_model(scene: &'a Scene, model: Arc<MjModel>) -> Self {
        Self { scene, data: MjData::new(model) }
    }

    /// Back to the default state, then to the given joint positions, at rest.
    ///
    /// # Panics
    /// When `qpos` has not `nq` values.
    pub fn reset(&mut self, qpos: &[f64]) {
        self.data.reset();
        self.data.qpos_mut().copy_from_slice(qpos);
    }

    /// Applies the controls and advances one physics step.
    pub fn step(&mut self, ctrl: &[f64]) {
        self.data.ctrl_mut().copy_from_slice(ctrl);
        self.data.step();
    }

    /// Recomputes contacts and everything else that follows from the present positions.
    pub fn forward(&mut self) {
        self.data.forward();
    }

    /// Joint positions.
    pub fn qpos(&self) -> &[f64] {
        self.data.qpos()
    }

    /// Snapshot of the full state, solver warm start included.
    pub fn state(&self) -> Box<[f64]> {
        self.data.state(STATE_INTEGRATION)
    }

    /// Restores a snapshot; what follows repeats bit for bit. [`World::is_finite`] speaks of what
    /// follows only.
    ///
    /// # Panics
    /// When the snapshot is of another model.
    pub fn set_state(&mut self, state: &[f64]) {
        self.data
            .set_state(state, STATE_INTEGRATION)
            .expect("a snapshot is restored into the model it was taken from");
        // SAFETY: counters are plain integers that nothing else refers to.
        #[expect(unsafe_code, reason = "the wrapper has no setter for warning counters")]
        for warning in unsafe { &mut self.data.ffi_mut().warning } {
            warning.number = 0;
        }
    }

    /// True while no step met a non-finite position, velocity, acceleration or control. The engine
    /// resets a world that did, so a false here means that everything since is worthless.
    pub fn is_finite(&self) -> bool {
        self.data.ffi().warning[NON_FINITE_WARNINGS].iter().all(|w| w.number == 0)
    }

    /// Contacts of hands with objects and the table, as of the last step or [`World::forward`].
    pub fn hand_contacts(&self) -> Vec<HandContact> {
        let mut found = Vec::new();
        for (index, contact) in self.data.contact().iter().enumerate() {
            let [g1, g2] = contact.geom;
            if g1 < 0 || g2 < 0 || contact.exclude != 0 {
                continue;
            }
            let (g1, g2) = (g1 as usize, g2 as usize);
            let normal = Vector3::new(contact.frame[0], contact.frame[1], contact.frame[2]);
            let (hand, geom, other, sign) = match (self.scene.owner[g1], self.scene.owner[g2]) {
                (Owner::Hand(a), Owner::Hand(b)) if a != b => (a, g1, Owner::Hand(b), 1.0),
                (Owner::Hand(_), Owner::Hand(_)) => continue,
                (Owner::Hand(hand), other) => (hand, g1, other, 1.0),
                (other, Owner::Hand(hand)) => (hand, g2, other, -1.0),
                _ => continue,
            };
            let wrench = self.data.contact_force(index);
            let (push, twist) = contact_wrench(&contact.frame, &wrench, sign);
            found.push(HandContact {
                hand,
                other,
                geom,
                point: Point3::from(contact.pos),
                normal: normal * sign,
                depth: -contact.dist,
                force: wrench[0],
                push,
                twist,
                friction: contact.friction[0],
                torsion: if contact.dim > 3 { contact.friction[2] } else { 0.0 },
            });
        }
        found
    }

    /// Deepest penetration between geoms of one hand, metres.
    pub fn self_penetration(&self) -> f64 {
        let within_hand = |g: &[i32; 2]| {
            matches!((self.owner(g[0]), self.owner(g[1])),
                (Some(Owner::Hand(a)), Some(Owner::Hand(b))) if a == b)
        };
        let deepest = |deepest: f64, depth: f64| deepest.max(depth);
        self.data
            .contact()
            .iter()
            .filter(|c| c.exclude == 0 && within_hand(&c.geom))
            .map(|c| -c.dist)
            .fold(0.0, deepest)
    }

    fn owner(&self, geom: i32) -> Option<Owner> {
        usize::try_from(geom).ok().map(|g| self.scene.owner[g])
    }

    /// Everything a rollout keeps about the contacts of one step.
    pub fn step_contacts(&self) -> StepContacts {
        self.summary(&self.hand_contacts())
    }

    fn summary(&self, contacts: &[HandContact]) -> StepContacts {
        let mut summary = StepContacts::default();
        let mut normals: Vec<Vector3<f64>> = Vec::new();
        for contact in contacts {
            match contact.other {
                Owner::Object(_) => {
                    summary.hand_object_count += 1;
                    summary.hand_object_force += contact.force;
                    summary.hand_object_penetration =
                        summary.hand_object_penetration.max(contact.depth);
                    if contact.force > PUSH {
                        normals.push(contact.normal);
                    }
                }
                Owner::Table => {
                    summary.hand_table_penetration =
                        summary.hand_table_penetration.max(contact.depth);
                }
                Owner::Hand(_) => {
                    summary.self_penetration = summary.self_penetration.max(contact.depth);
                }
            }
        }
        summary.opposing = normals
            .iter()
            .enumerate()
            .any(|(i, a)| normals[i + 1..].iter().any(|b| a.dot(b) < 0.0));
        summary.self_penetration = summary.self_penetration.max(self.self_penetration());
        summary.object_table = self.data.contact().iter().any(|c| {
            matches!(
                (self.owner(c.geom[0]), self.owner(c.geom[1])),
                (Some(Owner::Object(_)), Some(Owner::Table))
                    | (Some(Owner::Table), Some(Owner::Object(_)))
            )
        });
        summary
    }

    /// Fraction of actuators whose force is at its limit.
    pub fn saturation(&self) -> f64 {
        let model = self.data.model();
        let ranges = model.actuator_forcerange();
        let limited = model.actuator_forcelimited();
        let forces = self.data.actuator_force();
        let at_limit = |i: usize| {
            let [low, high] = ranges[i];
            limited[i] && (forces[i] <= low + 1e-9 || forces[i] >= high - 1e-9)
        };
        let count = (0..forces.len()).filter(|&i| at_limit(i)).count();
        count as f64 / forces.len().max(1) as f64
    }
}

/// Plays `ctrl` (`[N * nu]`) from a fresh reset at `qpos0`, at rest, in true physics, and records
/// what the simulator measured. `hands` are those of the scene, in its order.
///
/// `model` is the scene's own model or a variant of it; its time step is the rollout's `dt`.
pub fn replay(
    scene: &Scene,
    model: &Arc<MjModel>,
    hands: &[&Hand],
    qpos0: &[f64],
    ctrl: &[f64],
    seed: u64,
) -> Rollout {
    let nu = model.nu() as usize;
    let mut world = World::with_model(scene, Arc::clone(model));
    world.reset(qpos0);
    let mut rollout = Rollout {
        dt: model.opt().timestep,
        nu,
        ctrl: ctrl.to_vec(),
        qpos0: qpos0.to_vec(),
        qvel0: vec![0.0; model.nv() as usize],
        qpos: vec![qpos0.to_vec()],
        objects: scene
            .objects
            .iter()
            .map(|o| ObjectRollout {
                name: o.body.strip_prefix("object/").unwrap_or(&o.body).to_owned(),
                world_from_object: Vec::new(),
                joint: o.joint,
            })
            .collect(),
        hands: hands
            .iter()
            .map(|hand| HandRollout {
                hand: hand.map.name.clone(),
                side: hand.map.side,
                keypoints: hand.map.keypoints.iter().map(|link| link.keypoint).collect(),
                keypoints_in_world: Vec::new(),
            })
            .collect(),
        contacts: Vec::new(),
        touches: Vec::new(),
        saturated: Vec::new(),
        finite: true,
        seed,
        engine: format!("MuJoCo {}", crate::probe::loaded_mujoco_version()),
    };
    for row in ctrl.chunks_exact(nu.max(1)) {
        world.step(row);
        let contacts = world.hand_contacts();
        rollout.contacts.push(world.summary(&contacts));
        rollout.touches.push(contacts.iter().filter_map(HandContact::touch).collect());
        rollout.saturated.push(world.saturation());
        rollout.qpos.push(world.qpos().to_vec());
        if !world.is_finite() {
            // The engine has reset the world by now: nothing after this step means anything.
            rollout.finite = false;
            rollout.ctrl.truncate(rollout.contacts.len() * nu);
            break;
        }
    }
    for qpos in &rollout.qpos {
        for (index, object) in rollout.objects.iter_mut().enumerate() {
            object.world_from_object.push(scene.world_from_object(index, qpos));
        }
        for (index, hand) in hands.iter().enumerate() {
            let points = keypoints(scene, hand, index, qpos);
            rollout.hands[index].keypoints_in_world.push(points);
        }
    }
    rollout
}

/// The robot's counterparts of the human keypoints, world frame, in the order of the hand's map.
pub fn keypoints(scene: &Scene, hand: &Hand, index: usize, qpos: &[f64]) -> Vec<Point3<f64>> {
    let world_from_root = scene.world_from_root(index, qpos);
    let root_from_body = hand.tree.forward(&scene.joints(index, qpos));
    hand.map
        .keypoints
        .iter()
        .map(|link| {
            let body = hand.tree.body(&link.at.body).expect("a loaded hand's map names its bodies");
            world_from_root * (root_from_body[body] * link.at.point_in_body)
        })
        .collect()
}
