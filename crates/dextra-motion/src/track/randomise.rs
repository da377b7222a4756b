//! Worlds that differ from the planned one: where objects lie, mass, friction, gains, delay, noise.

use super::curriculum::Relaxation;
use dextra_core::Pose;
use dextra_sim::batch::{Batch, BatchError};
use dextra_sim::scene::Scene;
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Standard deviations of what is added to measured observations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Noise {
    /// Metres.
    pub position: f64,
    /// Radians; also on the entries of rotation matrices.
    pub rotation: f64,
    /// Metres per second.
    pub velocity: f64,
    /// Radians per second.
    pub turning: f64,
    /// Newtons.
    pub force: f64,
}

impl Noise {
    /// The deviation for a unit of an observation slice.
    pub fn of(&self, unit: &str) -> f64 {
        match unit {
            "m" => self.position,
            "rad" | "1" => self.rotation,
            "m/s" => self.velocity,
            "rad/s" => self.turning,
            "N" => self.force,
            _ => 0.0,
        }
    }
}

/// What training varies from episode to episode. The default varies nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Randomisation {
    /// Objects that no hand touches at the start are moved by up to so much in the plane, metres, evenly
    /// over the disc.
    pub offset: f64,
    /// The same for objects that a hand touches at the start, metres.
    pub held_offset: f64,
    /// Untouched objects are turned about the vertical by up to so much, radians.
    pub yaw: f64,
    /// Factor on all sliding friction: least and greatest.
    pub friction: (f64, f64),
    /// Factor on mass and inertia of objects.
    pub mass: (f64, f64),
    /// Factor on stiffness and damping of all servos.
    pub gain: (f64, f64),
    /// Share of the episodes in which actions arrive one control step late.
    pub late: f64,
    /// Noise on measured observations.
    pub noise: Noise,
}

impl Default for Randomisation {
    fn default() -> Self {
        Self {
            offset: 0.0,
            held_offset: 0.0,
            yaw: 0.0,
            friction: (1.0, 1.0),
            mass: (1.0, 1.0),
            gain: (1.0, 1.0),
            late: 0.0,
            noise: Noise::default(),
        }
    }
}

impl Randomisation {
    /// Objects up to 1.5 cm off, as in our prototype.
    pub fn placed(offset: f64) -> Self {
        Self { offset, held_offset: 0.1 * offset, ..Self::default() }
    }
}

/// How one episode's world differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Variation {
    /// For every object, displacement in the plane (m) and turn about the vertical (rad).
    pub shifts: Vec<[f64; 3]>,
    /// Factor on sliding friction.
    pub friction: f64,
    /// Factor on mass and inertia of objects.
    pub mass: f64,
    /// Factor on the gains of servos.
    pub gain: f64,
    /// Whether actions arrive one control step late.
    pub late: bool,
}

impl Variation {
    /// The planned world with `objects` objects.
    pub fn none(objects: usize) -> Self {
        Self { shifts: vec![[0.0; 3]; objects], friction: 1.0, mass: 1.0, gain: 1.0, late: false }
    }

    /// Draws a variation; `held` says which objects a hand touches at the start. The number of draws
    /// does not depend on the settings.
    pub fn draw(config: &Randomisation, held: &[bool], rng: &mut Pcg64) -> Self {
        let shifts = held
            .iter()
            .map(|&held| {
                let radius = if held { config.held_offset } else { config.offset };
                let far = rng.random::<f64>().sqrt() * radius;
                let angle = rng.random::<f64>() * std::f64::consts::TAU;
                let yaw = 2.0 * rng.random::<f64>() - 1.0;
                let yaw = if held { 0.0 } else { yaw * config.yaw };
                [far * angle.cos(), far * angle.sin(), yaw]
            })
            .collect();
        let mut between = |(low, high): (f64, f64)| low + (high - low) * rng.random::<f64>();
        let friction = between(config.friction);
        let mass = between(config.mass);
        let gain = between(config.gain);
        let late = rng.random::<f64>() < config.late;
        Self { shifts, friction, mass, gain, late }
    }

    /// Moves the objects in joint positions.
    pub fn displace(&self, scene: &Scene, qpos: &mut [f64]) {
        for (object, &[x, y, yaw]) in self.shifts.iter().enumerate() {
            // Parts go with their parents.
            if [x, y, yaw] == [0.0; 3] || scene.objects[object].joint.is_some() {
                continue;
            }
            let pose = scene.world_from_object(object, qpos);
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
            let rotation = if yaw == 0.0 { pose.rotation } else { turn * pose.rotation };
            let moved = Translation3::new(x, y, 0.0) * Pose::from_parts(pose.translation, rotation);
            scene.set_object(object, &moved, qpos);
        }
    }
}

/// A generator for one purpose of one episode of one world: the same whatever else is drawn.
pub(super) fn generator(seed: u64, world: usize, episode: u64, purpose: u64) -> Pcg64 {
    let mut mixed = seed;
    for part in [world as u64, episode, purpose] {
        mixed =
            (mixed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    Pcg64::seed_from_u64(mixed)
}

/// Numbers of the model that worlds may have of their own, and their true values.
pub(super) struct Fields {
    objects: Vec<ObjectIds>,
    friction: Vec<f64>,
    mass: Vec<f64>,
    inertia: Vec<f64>,
    subtree: Vec<f64>,
    body_weight: Vec<f64>,
    dof_weight: Vec<f64>,
    dof_inertia: Vec<f64>,
    gravity: Vec<f64>,
    gain: Vec<f64>,
    bias: Vec<f64>,
    /// Which groups have been written in some world.
    written: [bool; 4],
}

struct ObjectIds {
    body: usize,
    /// Degrees of freedom of its joint.
    dofs: std::ops::Range<usize>,
}

const FRICTION: usize = 0;
const MASS: usize = 1;
const GAIN: usize = 2;
const GRAVITY: usize = 3;

impl Fields {
    pub(super) fn new(scene: &Scene) -> Self {
        let model = &scene.model;
        let objects = scene
            .objects
            .iter()
            .map(|object| ObjectIds {
                body: scene.body_id(&object.body).expect("a scene's objects are its bodies"),
                dofs: {
                    let first = scene.dof(object.qpos);
                    first..first + if object.joint.is_some() { 1 } else { 6 }
                },
            })
            .collect();
        Self {
            objects,
            friction: model.geom_friction().as_flattened().to_vec(),
            mass: model.body_mass().to_vec(),
            inertia: model.body_inertia().as_flattened().to_vec(),
            subtree: model.body_subtreemass().to_vec(),
            body_weight: model.body_invweight0().as_flattened().to_vec(),
            dof_weight: model.dof_invweight0().to_vec(),
            dof_inertia: model.dof_m0().to_vec(),
            gravity: model.body_gravcomp().to_vec(),
            gain: model.actuator_gainprm().as_flattened().to_vec(),
            bias: model.actuator_biasprm().as_flattened().to_vec(),
            written: [false; 4],
        }
    }

    /// Bodies of the objects in the model.
    pub(super) fn bodies(&self) -> Vec<usize> {
        self.objects.iter().map(|object| object.body).collect()
    }

    /// True mass and principal inertia of an object.
    pub(super) fn inertia(&self, object: usize) -> (f64, Vector3<f64>) {
        let body = self.objects[object].body;
        let i = &self.inertia[3 * body..3 * body + 3];
        (self.mass[body], Vector3::new(i[0], i[1], i[2]))
    }

    /// Gives a world its own physics. A group of fields that is true in every world stays that of the
    /// shared model.
    pub(super) fn write(
        &mut self,
        batch: &mut Batch,
        world: usize,
        variation: &Variation,
        relaxation: &Relaxation,
    ) -> Result<(), BatchError> {
        let friction = variation.friction * relaxation.friction;
        if self.group(FRICTION, friction != 1.0) {
            let row = row(batch, "geom_friction", world, &self.friction)?;
            row.iter_mut().step_by(3).for_each(|mu| *mu *= friction);
        }
        let mass = variation.mass;
        if self.group(MASS, mass != 1.0) {
            let Fields { objects, .. } = &*self;
            let scaled = |batch: &mut Batch,
                          name: &str,
                          truth: &[f64],
                          at: &dyn Fn(&ObjectIds) -> std::ops::Range<usize>,
                          factor: f64| {
                let row = row(batch, name, world, truth)?;
                for object in objects {
                    row[at(object)].iter_mut().for_each(|value| *value *= factor);
                }
                Ok::<(), BatchError>(())
            };
            scaled(batch, "body_mass", &self.mass, &|o| o.body..o.body + 1, mass)?;
            scaled(batch, "body_inertia", &self.inertia, &|o| 3 * o.body..3 * o.body + 3, mass)?;
            // What the compiler derives for a free body: mass of its subtree, and inverse weights, which
            // soften its contacts.
            scaled(batch, "body_subtreemass", &self.subtree, &|o| o.body..o.body + 1, mass)?;
            scaled(
                batch,
                "body_invweight0",
                &self.body_weight,
                &|o| 2 * o.body..2 * o.body + 2,
                1.0 / mass,
            )?;
            // The engine takes the inertia of a lone body from here.
            scaled(batch, "dof_M0", &self.dof_inertia, &|o| o.dofs.clone(), mass)?;
            scaled(batch, "dof_invweight0", &self.dof_weight, &|o| o.dofs.clone(), 1.0 / mass)?;
        }
        let gain = variation.gain;
        if self.group(GAIN, gain != 1.0) {
            for (name, truth) in
                [("actuator_gainprm", &self.gain), ("actuator_biasprm", &self.bias)]
            {
                row(batch, name, world, truth)?.iter_mut().for_each(|value| *value *= gain);
            }
        }
        let gravity = relaxation.gravity;
        if self.group(GRAVITY, gravity != 1.0) {
            let row = row(batch, "body_gravcomp", world, &self.gravity)?;
            for object in &self.objects {
                row[object.body] = 1.0 - gravity;
            }
        }
        Ok(())
    }

    fn group(&mut self, group: usize, changed: bool) -> bool {
        self.written[group] |= changed;
        self.written[group]
    }
}

/// A world's own row of a field, set to its true values.
fn row<'a>(
    batch: &'a mut Batch,
    name: &str,
    world: usize,
    truth: &[f64],
) -> Result<&'a mut [f64], BatchError> {
    let field = batch.per_world_field(name)?;
    let row = &mut field[world * truth.len()..(world + 1) * truth.len()];
    row.copy_from_slice(truth);
    Ok(row)
}
