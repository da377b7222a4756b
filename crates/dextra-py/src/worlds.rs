//! Worlds to learn in. All that a track environment borrows lives on one thread, which answers questions.

use crate::files::{Values, floats};
use crate::work::{request, wait};
use crate::{DextraError, chain};
use dextra::Silent;
use dextra::practice::Ground;
use dextra::skill::{Recipe, worlds::contract};
use dextra_motion::track::reward::TERMS;
use dextra_motion::track::{StepOut, TrackConfig, TrackEnv};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

enum Ask {
    Reset(u64),
    Step(Vec<f32>),
}

#[derive(Default)]
struct Answer {
    out: StepOut,
    terms: Vec<f64>,
    at: Vec<usize>,
    qpos: Vec<f64>,
}

type Replies = Receiver<Result<Answer, String>>;

/// A batch of worlds that track one task.
#[pyclass(frozen, module = "dextra._native")]
pub struct Worlds {
    line: Mutex<(Sender<Ask>, Replies)>,
    /// Contract, names of reward terms and sizes, as JSON.
    #[pyo3(get)]
    facts: String,
}

#[pymethods]
impl Worlds {
    /// Worlds round the result in the folder `result`, or round the retargeted motion of clip and hand.
    #[new]
    fn new(
        py: Python<'_>,
        fields: &str,
        result: Option<PathBuf>,
        recipe: &str,
        count: usize,
    ) -> PyResult<Self> {
        let mut request = request(fields)?;
        let settings = std::mem::take(&mut request.settings);
        let recipe = Recipe::resolve(recipe)
            .and_then(|recipe| recipe.with(&settings))
            .map_err(|e| crate::raised(&e))?;
        if recipe.track.below.is_some() {
            return Err(DextraError::new_err(format!(
                "the recipe {} needs a trained imitator below what learns; choose another one",
                recipe.name
            )));
        }
        let (ask, asked) = channel();
        let (reply, replies) = channel();
        let (tell, mut told) = channel();
        std::thread::spawn(move || {
            let threads = request.threads.unwrap_or(0);
            let config = TrackConfig { worlds: count, threads, ..recipe.track };
            let made = Ground::new(&request, result.as_deref(), &Silent).map_err(|e| chain(&e));
            let served = made.and_then(|ground| serve(&ground, config, &tell, &asked, &reply));
            if let Err(why) = served {
                let _ = tell.send(Err(why));
            }
        });
        let facts = wait(py, &mut told)?.map_err(DextraError::new_err)?;
        Ok(Self { line: Mutex::new((ask, replies)), facts })
    }

    /// Starts all worlds anew; a dictionary of arrays.
    fn reset<'py>(&self, py: Python<'py>, seed: u64) -> PyResult<Bound<'py, PyDict>> {
        self.answer(py, Ask::Reset(seed))
    }

    /// Plays one action per world, native 32-bit floats `[worlds, actions]`; a dictionary of arrays.
    fn step<'py>(&self, py: Python<'py>, actions: &[u8]) -> PyResult<Bound<'py, PyDict>> {
        let (numbers, _) = actions.as_chunks::<4>();
        self.answer(py, Ask::Step(numbers.iter().map(|b| f32::from_ne_bytes(*b)).collect()))
    }
}

impl Worlds {
    fn answer<'py>(&self, py: Python<'py>, ask: Ask) -> PyResult<Bound<'py, PyDict>> {
        let gone = || DextraError::new_err("the worlds have ended");
        // Another thread of Python may be waiting with the lock: never block on it with Python's own held.
        let answer = {
            let mut line = self
                .line
                .try_lock()
                .map_err(|_| DextraError::new_err("another thread is stepping these worlds"))?;
            line.0.send(ask).map_err(|_| gone())?;
            let replies = &mut line.1;
            match wait(py, &mut *replies) {
                Ok(answer) => answer.map_err(DextraError::new_err)?,
                Err(interrupted) => {
                    // It must not be taken for the answer to the next question.
                    let _ = py.detach(move || replies.recv());
                    return Err(interrupted);
                }
            }
        };
        let Answer { out, terms, at, qpos } = answer;
        let count = at.len();
        let result = PyDict::new(py);
        let single = |values: &[f32]| -> Values<'py> {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (PyBytes::new(py, &bytes), "<f4", vec![count, values.len() / count])
        };
        let flags = |values: &[bool]| -> Values<'py> {
            let bytes: Vec<u8> = values.iter().map(|&v| v.into()).collect();
            (PyBytes::new(py, &bytes), "?", vec![values.len()])
        };
        result.set_item("observations", single(&out.observations))?;
        result.set_item("step", at)?;
        let nq = qpos.len() / count;
        result.set_item("qpos", floats(py, qpos, &[count, nq]))?;
        if !out.rewards.is_empty() {
            let rewards = out.rewards.iter().map(|&v| f64::from(v));
            result.set_item("rewards", floats(py, rewards, &[count]))?;
            result.set_item("terminated", flags(&out.terminated))?;
            result.set_item("truncated", flags(&out.truncated))?;
            result.set_item("broken", flags(&out.broken))?;
            result.set_item("final", single(&out.terminal_observations))?;
            result.set_item("terms", floats(py, terms, &[count, TERMS.len()]))?;
        }
        Ok(result)
    }
}

/// Makes the environment, tells its facts and answers until nobody asks any more.
fn serve(
    ground: &Ground,
    config: TrackConfig,
    tell: &Sender<Result<String, String>>,
    asked: &Receiver<Ask>,
    reply: &Sender<Result<Answer, String>>,
) -> Result<(), String> {
    let hands = ground.hands();
    let mut env = TrackEnv::new(ground.task(&hands), config).map_err(|e| chain(&e))?;
    let facts = serde_json::json!({
        "contract": contract(&env, &hands),
        "reward_terms": TERMS,
        "control_period_s": env.control_period(),
        "steps": env.steps(),
        "clip": ground.clip(),
        "licence": ground.licence(),
    });
    // Who asked may have been interrupted; the next answer finds out.
    let _ = tell.send(Ok(facts.to_string()));
    for ask in asked {
        let mut answer = Answer::default();
        let done = match ask {
            Ask::Reset(seed) => env.reset_all(seed).map(|first| answer.out.observations = first),
            Ask::Step(actions) => env.step(&actions, &mut answer.out),
        };
        answer.terms = env.terms().flatten().copied().collect();
        answer.at = env.at();
        answer.qpos = (0..env.worlds()).flat_map(|world| env.qpos(world).to_vec()).collect();
        if reply.send(done.map(|()| answer).map_err(|e| chain(&e))).is_err() {
            break;
        }
    }
    Ok(())
}
