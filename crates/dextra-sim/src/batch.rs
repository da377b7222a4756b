//! Many worlds of one model stepped on a pool of threads through MuJoCo's own batch API
//! (`mjbatch.h`, MuJoCo 3.17), which mujoco-rs does not wrap.
//!
//! What the engine gives us and we rely on: every world starts from its own full state row
//! (`mjSTATE_INTEGRATION`, solver warm start included), so results do not depend on which thread
//! runs which world; a world whose warning counters rise (non-finite state) stops stepping; a fatal
//! engine error ends that world only.
#![expect(unsafe_code, reason = "hand-written bindings to the mjb_* functions of libmujoco")]

mod advance;

pub use advance::{MAX_CONTACTS, Sensed, Wrenches};

use mujoco_rs::mujoco_c::{mjModel, mjWarningStat};
use mujoco_rs::prelude::MjModel;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

/// `mjSTATE_CTRL` of `mjtState`.
const STATE_CTRL: c_int = 64;
/// `mjNWARNING` and the four non-finite warnings (`mjWARN_BADQPOS` ..= `mjWARN_BADCTRL`).
const WARNING_COUNT: usize = 7;
const NON_FINITE_WARNINGS: std::ops::RangeInclusive<usize> = 3..=6;

#[repr(C)]
struct BatchOpaque {
    _private: [u8; 0],
}

#[repr(C)]
struct RawConfig {
    nthread: c_int,
    persistent: u8,
}

#[repr(C)]
struct RawRecord {
    field: *const c_char,
    spec: c_int,
    buf: *mut c_void,
}

unsafe extern "C" {
    fn mjb_makeBatch(
        m: *const mjModel,
        nsim: c_int,
        config: *const RawConfig,
        error: *mut c_char,
        error_sz: c_int,
    ) -> *mut BatchOpaque;
    fn mjb_deleteBatch(b: *mut BatchOpaque);
    fn mjb_nstate(b: *const BatchOpaque) -> c_int;
    fn mjb_state(b: *mut BatchOpaque) -> *mut f64;
    fn mjb_warning(b: *mut BatchOpaque) -> *mut mjWarningStat;
    fn mjb_status(b: *const BatchOpaque) -> *const c_int;
    fn mjb_error(b: *const BatchOpaque, sim: c_int) -> *const c_char;
    fn mjb_expand(
        b: *mut BatchOpaque,
        name: *const c_char,
        size: *mut c_int,
        elemsize: *mut c_int,
    ) -> *mut c_void;
    fn mjb_rollout(
        b: *mut BatchOpaque,
        ids: *const c_int,
        nid: c_int,
        nstep: c_int,
        control: *const f64,
        control_spec: c_int,
        record: *const RawRecord,
        nrecord: c_int,
    ) -> c_int;
    fn mjb_nthread(b: *const BatchOpaque) -> c_int;
}

/// Why a batch could not be made or a call was refused.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The engine refused to allocate the batch.
    #[error("the engine could not make a batch of {worlds} worlds: {message}")]
    Make {
        /// Worlds asked for.
        worlds: usize,
        /// The engine's words.
        message: String,
    },
    /// A buffer has the wrong length.
    #[error("{what}: expected {expected} values, got {got}")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Expected number of values.
        expected: usize,
        /// Given number of values.
        got: usize,
    },
    /// A world index is out of range.
    #[error("world {world} does not exist; the batch has {worlds}")]
    World {
        /// Index asked for.
        world: usize,
        /// Worlds in the batch.
        worlds: usize,
    },
    /// A world is named twice in one call; its state cannot advance in two ways at once.
    #[error("world {world} is named twice in one rollout")]
    Twice {
        /// The index.
        world: usize,
    },
    /// The model has no such field, or it is not a field of doubles.
    #[error("the model field `{0}` cannot take per-world values")]
    Field(String),
}

/// How a world came out of its last rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stepped to the end.
    Fine,
    /// Its state or control became non-finite; it stopped there.
    NonFinite,
    /// The engine reported a fatal error.
    Fatal(String),
}

/// A batch of worlds that share one model.
pub struct Batch {
    raw: NonNull<BatchOpaque>,
    model: Arc<MjModel>,
    worlds: usize,
    state_size: usize,
}

// SAFETY: the batch owns its memory and its own thread pool; all calls take `&mut self`, or read
// plain fields through `&self`.
unsafe impl Send for Batch {}

impl Batch {
    /// A batch of `worlds` worlds in the default state of `model`, on `threads` threads
    /// (0: one per logical processor; never more than worlds).
    ///
    /// # Errors
    /// [`BatchError::Make`] when the engine refuses.
    pub fn new(model: &Arc<MjModel>, worlds: usize, threads: usize) -> Result<Self, BatchError> {
        crate::hand::route_engine_log();
        let config = RawConfig { nthread: threads as c_int, persistent: 0 };
        let mut message = [0 as c_char; 512];
        // SAFETY: the model outlives the call (the batch copies it); the buffer is 512 chars.
        let raw = unsafe {
            mjb_makeBatch(model.ffi(), worlds as c_int, &config, message.as_mut_ptr(), 512)
        };
        let Some(raw) = NonNull::new(raw) else {
            // SAFETY: the buffer is zero-initialised, so it is NUL-terminated.
            let message = unsafe { CStr::from_ptr(message.as_ptr()) };
            let message = message.to_string_lossy().into_owned();
            return Err(BatchError::Make { worlds, message });
        };
        // SAFETY: `raw` is a live batch.
        let state_size = unsafe { mjb_nstate(raw.as_ptr()) } as usize;
        Ok(Self { raw, model: Arc::clone(model), worlds, state_size })
    }

    /// The shared model.
    pub fn model(&self) -> &Arc<MjModel> {
        &self.model
    }

    /// Number of worlds.
    pub fn worlds(&self) -> usize {
        self.worlds
    }

    /// Number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        // SAFETY: `raw` is a live batch.
        unsafe { mjb_nthread(self.raw.as_ptr()) as usize }
    }

    /// Length of a full state row.
    pub fn state_size(&self) -> usize {
        self.state_size
    }

    fn rows(&self) -> &[f64] {
        // SAFETY: the engine documents `nsim x nstate` values behind this pointer.
        unsafe {
            std::slice::from_raw_parts(mjb_state(self.raw.as_ptr()), self.worlds * self.state_size)
        }
    }

    fn rows_mut(&mut self) -> &mut [f64] {
        // SAFETY: as in `rows`, and `&mut self` makes the borrow unique.
        unsafe {
            std::slice::from_raw_parts_mut(
                mjb_state(self.raw.as_ptr()),
                self.worlds * self.state_size,
            )
        }
    }

    /// Snapshot of a world's full state (`mjSTATE_INTEGRATION`, warm start included).
    ///
    /// # Panics
    /// When `world` is out of range.
    pub fn state(&self, world: usize) -> &[f64] {
        &self.rows()[world * self.state_size..(world + 1) * self.state_size]
    }

    /// Restores a world's full state and clears its warning counters.
    ///
    /// # Errors
    /// A wrong world or length.
    pub fn set_state(&mut self, world: usize, state: &[f64]) -> Result<(), BatchError> {
        if world >= self.worlds {
            return Err(BatchError::World { world, worlds: self.worlds });
        }
        if state.len() != self.state_size {
            return Err(BatchError::Length {
                what: "state",
                expected: self.state_size,
                got: state.len(),
            });
        }
        let size = self.state_size;
        self.rows_mut()[world * size..(world + 1) * size].copy_from_slice(state);
        // SAFETY: the engine documents `nsim x mjNWARNING` counters behind this pointer.
        let warnings = unsafe {
            std::slice::from_raw_parts_mut(
                mjb_warning(self.raw.as_ptr()).add(world * WARNING_COUNT),
                WARNING_COUNT,
            )
        };
        for warning in warnings {
            warning.number = 0;
        }
        Ok(())
    }

    /// Gives a model field of doubles (such as `geom_friction` or `body_mass`) one value set per
    /// world and returns the storage, `worlds x size`, row per world. Values stay until overwritten.
    /// Fields that the compiler derives from others (such as `body_subtreemass` from `body_mass`)
    /// keep the shared model's values.
    ///
    /// # Errors
    /// [`BatchError::Field`] when the field is unknown or not of doubles.
    pub fn per_world_field(&mut self, name: &str) -> Result<&mut [f64], BatchError> {
        let refused = || BatchError::Field(name.to_owned());
        // The one field of 8-byte integers, which the engine does not tell from doubles.
        if name == "tex_adr" {
            return Err(refused());
        }
        let c_name = CString::new(name).map_err(|_| refused())?;
        let (mut size, mut element) = (0, 0);
        // SAFETY: `raw` is live, the name is NUL-terminated, both out-pointers are valid.
        let storage =
            unsafe { mjb_expand(self.raw.as_ptr(), c_name.as_ptr(), &mut size, &mut element) };
        if storage.is_null() || element as usize != size_of::<f64>() {
            return Err(refused());
        }
        // SAFETY: the engine documents `nsim x size` elements of 8 bytes behind this pointer.
        Ok(unsafe { std::slice::from_raw_parts_mut(storage.cast(), self.worlds * size as usize) })
    }

    /// Steps the named worlds, in any order, `steps` times under `ctrl` and returns the joint positions after
    /// every step.
    ///
    /// * `ctrl`: `[worlds.len(), steps, nu]`
    /// * returns `qpos`: `[worlds.len(), steps, nq]`; a world that stopped repeats its last row
    ///
    /// The worlds' states advance; [`Batch::fate`] says how each came out.
    ///
    /// # Errors
    /// A wrong or repeated world, a wrong length.
    pub fn rollout(
        &mut self,
        worlds: &[usize],
        steps: usize,
        ctrl: &[f64],
    ) -> Result<Vec<f64>, BatchError> {
        let (nu, nq) = (self.model.nu() as usize, self.model.nq() as usize);
        let expected = worlds.len() * steps * nu;
        if ctrl.len() != expected {
            return Err(BatchError::Length { what: "ctrl", expected, got: ctrl.len() });
        }
        if let Some(&world) = worlds.iter().find(|&&w| w >= self.worlds) {
            return Err(BatchError::World { world, worlds: self.worlds });
        }
        if !worlds.is_sorted_by(|a, b| a < b) {
            return self.rollout_sorted(worlds, steps, ctrl);
        }
        let mut qpos = vec![0.0; worlds.len() * steps * nq];
        if worlds.is_empty() || steps == 0 {
            return Ok(qpos);
        }
        let ids: Vec<c_int> = worlds.iter().map(|&w| w as c_int).collect();
        let record = RawRecord { field: c"qpos".as_ptr(), spec: 0, buf: qpos.as_mut_ptr().cast() };
        // SAFETY: ids are in range, `ctrl` and `qpos` have the documented lengths, and all
        // buffers outlive the call.
        unsafe {
            mjb_rollout(
                self.raw.as_ptr(),
                ids.as_ptr(),
                ids.len() as c_int,
                steps as c_int,
                ctrl.as_ptr(),
                STATE_CTRL,
                &record,
                1,
            );
        }
        Ok(qpos)
    }

    /// The engine takes world numbers in rising order only, and ends the process otherwise.
    fn rollout_sorted(
        &mut self,
        worlds: &[usize],
        steps: usize,
        ctrl: &[f64],
    ) -> Result<Vec<f64>, BatchError> {
        let mut order: Vec<usize> = (0..worlds.len()).collect();
        order.sort_by_key(|&slot| worlds[slot]);
        let rising: Vec<usize> = order.iter().map(|&slot| worlds[slot]).collect();
        if let Some(pair) = rising.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BatchError::Twice { world: pair[0] });
        }
        let (row, path) = (steps * self.model.nu() as usize, steps * self.model.nq() as usize);
        let sorted: Vec<f64> =
            order.iter().flat_map(|&slot| &ctrl[slot * row..(slot + 1) * row]).copied().collect();
        let recorded = self.rollout(&rising, steps, &sorted)?;
        let mut qpos = vec![0.0; recorded.len()];
        for (place, &slot) in order.iter().enumerate() {
            qpos[slot * path..(slot + 1) * path]
                .copy_from_slice(&recorded[place * path..(place + 1) * path]);
        }
        Ok(qpos)
    }

    /// How a world came out of its last rollout.
    ///
    /// # Panics
    /// When `world` is out of range.
    pub fn fate(&self, world: usize) -> Fate {
        assert!(world < self.worlds, "world {world} of {}", self.worlds);
        // SAFETY: status has `nsim` entries; the error string lives as long as the batch is not
        // called; warnings has `nsim x mjNWARNING` entries.
        unsafe {
            if *mjb_status(self.raw.as_ptr()).add(world) != 0 {
                let message = CStr::from_ptr(mjb_error(self.raw.as_ptr(), world as c_int));
                return Fate::Fatal(message.to_string_lossy().into_owned());
            }
            let warnings = std::slice::from_raw_parts(
                mjb_warning(self.raw.as_ptr()).add(world * WARNING_COUNT),
                WARNING_COUNT,
            );
            if warnings[NON_FINITE_WARNINGS].iter().any(|w| w.number > 0) {
                return Fate::NonFinite;
            }
        }
        Fate::Fine
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `mjb_makeBatch` and is freed once.
        unsafe { mjb_deleteBatch(self.raw.as_ptr()) }
    }
}
