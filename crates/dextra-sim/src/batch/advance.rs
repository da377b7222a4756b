//! Steps worlds and reads off what a controller feels: velocities, actuator forces, contacts of the
//! hands. Contacts lie in the engine's scratch memory, which is shared by the worlds of a thread, so
//! they are read on the thread that stepped, before it turns to the next world.

use super::{Batch, BatchError, NON_FINITE_WARNINGS};
use crate::scene::{Owner, Scene};
use crate::world::{HandContact, contact_wrench};
use mujoco_rs::mujoco_c::{mjContact, mjData, mjModel};
use nalgebra::{Point3, Vector3};
use std::ffi::{c_int, c_void};

type EachWorld = unsafe extern "C-unwind" fn(*const mjModel, *mut mjData, c_int, *mut c_void);

// The engine may leave these by unwinding, on a fatal error; `Job::run` holds nothing to drop.
unsafe extern "C-unwind" {
    fn mjb_apply(
        b: *mut super::BatchOpaque,
        ids: *const c_int,
        nid: c_int,
        func: EachWorld,
        arg: *mut c_void,
        save: c_int,
    ) -> c_int;
    fn mj_step(m: *const mjModel, d: *mut mjData);
    fn mj_forward(m: *const mjModel, d: *mut mjData);
    fn mj_contactForce(m: *const mjModel, d: *const mjData, id: c_int, result: *mut f64);
}

/// Most contacts of hands that are kept of one world; further ones are left out.
pub const MAX_CONTACTS: usize = 64;

/// What a world felt in its last steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sensed {
    /// Joint positions after every step, `[steps, nq]`; without a step, those of now.
    pub path: Vec<f64>,
    /// Joint velocities now, `[nv]`.
    pub qvel: Vec<f64>,
    /// Force of every actuator in the last step, `[nu]`, N or N m.
    pub actuator_force: Vec<f64>,
    /// Contacts of hands in the last step. As everywhere in the engine, those of the state from which
    /// that step set out.
    pub contacts: Vec<HandContact>,
    /// False when a state or control was not finite; the rest then means nothing.
    pub finite: bool,
}

impl Sensed {
    /// Joint positions now, `[nq]`.
    ///
    /// # Panics
    /// When `nq` is not that of the model.
    pub fn qpos(&self, nq: usize) -> &[f64] {
        &self.path[self.path.len() - nq..]
    }
}

/// A force on a body during an advance.
#[derive(Clone, Copy, Debug)]
pub struct Wrenches<'a> {
    /// Body of the model for each wrench of a world.
    pub bodies: &'a [usize],
    /// `[worlds, bodies, 6]`: force (N) at the centre of mass, then torque (N m), world frame.
    pub values: &'a [f64],
}

/// Where one world's results go.
struct Slot {
    path: *mut f64,
    qvel: *mut f64,
    force: *mut f64,
    contacts: *mut HandContact,
    count: usize,
    finite: bool,
}

/// One call's work, shared by the threads; each writes to the slot of the world it runs.
struct Job {
    steps: usize,
    slots: *mut Slot,
    slot_of_world: *const usize,
    ctrl: *const f64,
    bodies: *const usize,
    body_count: usize,
    wrenches: *const f64,
    owners: *const Owner,
}

impl Batch {
    /// Steps the named worlds, in rising order, `steps` times and says what each felt. Without a step
    /// nothing moves, and contacts are those of the present state.
    ///
    /// * `ctrl`: `[worlds.len(), steps, nu]`
    /// * `wrenches`: act during these steps only
    /// * `sensed`: one entry per named world; buffers are reused
    ///
    /// The same bits as [`Batch::rollout`] under the same controls, for any number of threads. `scene`
    /// must be the one of the batch's model.
    ///
    /// # Errors
    /// A wrong or repeated world, worlds out of order, a wrong length.
    pub fn advance(
        &mut self,
        scene: &Scene,
        worlds: &[usize],
        steps: usize,
        ctrl: &[f64],
        wrenches: Option<Wrenches<'_>>,
        sensed: &mut [Sensed],
    ) -> Result<(), BatchError> {
        let (nu, nq, nv) =
            (self.model.nu() as usize, self.model.nq() as usize, self.model.nv() as usize);
        let length = |what, expected, got| {
            if expected == got { Ok(()) } else { Err(BatchError::Length { what, expected, got }) }
        };
        length("ctrl", worlds.len() * steps * nu, ctrl.len())?;
        length("sensed", worlds.len(), sensed.len())?;
        length("owners", self.model.ngeom() as usize, scene.owner.len())?;
        if let Some(&world) = worlds.iter().find(|&&w| w >= self.worlds) {
            return Err(BatchError::World { world, worlds: self.worlds });
        }
        if let Some(pair) = worlds.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(BatchError::Twice { world: pair[1] });
        }
        if let Some(w) = &wrenches {
            length("wrenches", worlds.len() * w.bodies.len() * 6, w.values.len())?;
            let bodies = self.model.nbody() as usize;
            length("bodies", 0, w.bodies.iter().filter(|&&body| body >= bodies).count())?;
        }
        if worlds.is_empty() {
            return Ok(());
        }
        let rows = steps.max(1);
        let mut slots: Vec<Slot> = sensed
            .iter_mut()
            .map(|world| {
                world.path.resize(rows * nq, 0.0);
                world.qvel.resize(nv, 0.0);
                world.actuator_force.resize(nu, 0.0);
                world.contacts.clear();
                world.contacts.reserve(MAX_CONTACTS);
                Slot {
                    path: world.path.as_mut_ptr(),
                    qvel: world.qvel.as_mut_ptr(),
                    force: world.actuator_force.as_mut_ptr(),
                    contacts: world.contacts.as_mut_ptr(),
                    count: 0,
                    finite: false,
                }
            })
            .collect();
        let mut slot_of_world = vec![0; self.worlds];
        worlds.iter().enumerate().for_each(|(slot, &world)| slot_of_world[world] = slot);
        let (bodies, values): (&[usize], &[f64]) =
            wrenches.map_or((&[], &[]), |w| (w.bodies, w.values));
        let job = Job {
            steps,
            slots: slots.as_mut_ptr(),
            slot_of_world: slot_of_world.as_ptr(),
            ctrl: ctrl.as_ptr(),
            bodies: bodies.as_ptr(),
            body_count: bodies.len(),
            wrenches: values.as_ptr(),
            owners: scene.owner.as_ptr(),
        };
        let ids: Vec<c_int> = worlds.iter().map(|&w| w as c_int).collect();
        // SAFETY: ids are in range and rising; every buffer behind `job` has the length that `run`
        // relies on and outlives the call; worlds write to slots of their own.
        unsafe {
            mjb_apply(
                self.raw.as_ptr(),
                ids.as_ptr(),
                ids.len() as c_int,
                Job::run,
                (&raw const job).cast_mut().cast(),
                c_int::from(steps > 0),
            );
        }
        for (world, slot) in sensed.iter_mut().zip(&slots) {
            // SAFETY: `run` wrote that many contacts into the reserved memory.
            unsafe { world.contacts.set_len(slot.count) };
            world.finite = slot.finite;
        }
        Ok(())
    }
}

impl Job {
    /// Runs one world. Holds nothing that needs dropping: a fatal error of the engine leaves it midway.
    unsafe extern "C-unwind" fn run(
        model: *const mjModel,
        data: *mut mjData,
        world: c_int,
        job: *mut c_void,
    ) {
        // SAFETY: the engine passes a live model and data, and `job` as it was given; lengths are
        // those checked by `Batch::advance`; no other thread has this world's slot.
        unsafe {
            let job = &*job.cast::<Job>();
            let index = *job.slot_of_world.add(world as usize);
            let slot = &mut *job.slots.add(index);
            let (nu, nq, nv) = ((*model).nu as usize, (*model).nq as usize, (*model).nv as usize);
            let before = bad(data);
            for k in 0..job.body_count {
                let from = job.wrenches.add((index * job.body_count + k) * 6);
                let to = (*data).xfrc_applied.add(*job.bodies.add(k) * 6);
                std::ptr::copy_nonoverlapping(from, to, 6);
            }
            if job.steps == 0 {
                mj_forward(model, data);
                std::ptr::copy_nonoverlapping((*data).qpos, slot.path, nq);
            }
            for step in 0..job.steps {
                let row = job.ctrl.add((index * job.steps + step) * nu);
                std::ptr::copy_nonoverlapping(row, (*data).ctrl, nu);
                mj_step(model, data);
                std::ptr::copy_nonoverlapping((*data).qpos, slot.path.add(step * nq), nq);
                if bad(data) != before {
                    break;
                }
            }
            slot.finite = bad(data) == before;
            std::ptr::copy_nonoverlapping((*data).qvel, slot.qvel, nv);
            std::ptr::copy_nonoverlapping((*data).actuator_force, slot.force, nu);
            for k in 0..job.body_count {
                let to = (*data).xfrc_applied.add(*job.bodies.add(k) * 6);
                std::ptr::write_bytes(to, 0, 6);
            }
            for id in 0..(*data).ncon {
                if slot.count == MAX_CONTACTS {
                    break;
                }
                let contact = &*(*data).contact.add(id as usize);
                let Some((hand, geom, other, sign)) = sides(job.owners, contact) else { continue };
                let mut force = [0.0; 6];
                mj_contactForce(model, data, id, force.as_mut_ptr());
                let [x, y, z] = [0, 1, 2].map(|axis| sign * contact.frame[axis]);
                let (push, twist) = contact_wrench(&contact.frame, &force, sign);
                let seen = HandContact {
                    hand,
                    other,
                    geom,
                    point: Point3::new(contact.pos[0], contact.pos[1], contact.pos[2]),
                    normal: Vector3::new(x, y, z),
                    depth: -contact.dist,
                    force: force[0],
                    push,
                    twist,
                    friction: contact.friction[0],
                    torsion: if contact.dim > 3 { contact.friction[2] } else { 0.0 },
                };
                slot.contacts.add(slot.count).write(seen);
                slot.count += 1;
            }
        }
    }
}

/// Number of warnings about non-finite states so far.
unsafe fn bad(data: *const mjData) -> c_int {
    // SAFETY: the caller passes live data.
    let warnings = unsafe { &(*data).warning };
    NON_FINITE_WARNINGS.map(|w| warnings[w].number).sum()
}

/// `(hand, its geom, the other side, sign of the normal from the hand into the other)`; `None` for
/// contacts that concern no hand, or one hand alone.
unsafe fn sides(owners: *const Owner, contact: &mjContact) -> Option<(usize, usize, Owner, f64)> {
    let [a, b] = contact.geom;
    if a < 0 || b < 0 || contact.exclude != 0 {
        return None;
    }
    let (a, b) = (a as usize, b as usize);
    // SAFETY: the caller's list has an owner for every geom.
    match unsafe { (*owners.add(a), *owners.add(b)) } {
        (Owner::Hand(i), Owner::Hand(j)) if i == j => None,
        (Owner::Hand(hand), other) => Some((hand, a, other, 1.0)),
        (other, Owner::Hand(hand)) => Some((hand, b, other, -1.0)),
        _ => None,
    }
}
