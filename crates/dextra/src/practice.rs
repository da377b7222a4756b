//! Practice grounds for learners other than ours: a clip retargeted, and the task that worlds track, without training.

use crate::error::Error;
use crate::export::result::TransferResult;
use crate::outputs;
use crate::prepare::{Prepared, Recorded};
use crate::progress::Reporter;
use crate::request::TransferRequest;
use dextra_motion::refine::{RefineConfig, Stage};
use dextra_motion::track::Task;
use dextra_sim::hand::Hand;
use std::path::Path;

const STAGE: &str = "practice";

/// Retargets the clip of a request and writes the motion to `out`, as `transfer` writes `motion.npz`.
///
/// # Errors
/// Unusable clips, hands and files.
pub fn retarget(
    request: &TransferRequest,
    out: &Path,
    reporter: &dyn Reporter,
) -> Result<(), Error> {
    request.check()?;
    let prepared = Prepared::new(Recorded::read(request, reporter)?, reporter)?;
    prepared.notes.iter().for_each(|note| reporter.note(note));
    outputs::write_motion(out, &prepared.motion, &prepared.demo, request.seed)
}

/// All that a task borrows.
pub struct Ground {
    prepared: Prepared,
    stage: Stage,
    /// Controls and states of a finished search.
    played: Option<(Vec<f64>, Vec<Vec<f64>>)>,
}

impl Ground {
    /// Round the rollout in the folder `result`, whose report then says clip, hand and seed; otherwise round the
    /// retargeted motion of the request.
    ///
    /// # Errors
    /// Unusable clips, hands and folders, and a scene that has become another one since the result was made.
    pub fn new(
        request: &TransferRequest,
        result: Option<&Path>,
        reporter: &dyn Reporter,
    ) -> Result<Self, Error> {
        let mut request = request.clone();
        if let Some(dir) = result {
            let report = TransferResult::read(dir, true, None)?.report;
            (request.clip, request.hand, request.seed) = (report.clip, report.hand, report.seed);
        }
        request.check()?;
        let prepared = Prepared::new(Recorded::read(&request, reporter)?, reporter)?;
        let hands: Vec<&Hand> = prepared.hands.iter().collect();
        let stage = Stage::new(&prepared.input(&hands), &RefineConfig::default())
            .map_err(Error::stage(STAGE))?;
        let played = match result {
            Some(dir) => Some(played(dir, &stage)?),
            None => None,
        };
        Ok(Self { prepared, stage, played })
    }

    /// References to the hands, for [`Ground::task`].
    pub fn hands(&self) -> Vec<&Hand> {
        self.prepared.hands.iter().collect()
    }

    /// Name of the clip.
    pub fn clip(&self) -> &str {
        &self.prepared.demo.name
    }

    /// Licence of the clip, which all that is learned inherits.
    pub fn licence(&self) -> &str {
        &self.prepared.demo.provenance.licence
    }

    /// What is tracked.
    pub fn task<'a>(&'a self, hands: &'a [&'a Hand]) -> Task<'a> {
        let Stage { scene, timeline, rest, .. } = &self.stage;
        let Prepared { objects, motion, .. } = &self.prepared;
        match &self.played {
            Some((ctrl, qpos)) => Task::played(scene, timeline, (ctrl, qpos), hands, objects),
            None => Task::retargeted(scene, timeline, rest, motion, hands, objects),
        }
    }
}

/// Controls and states of a result, which must be of the same scene.
fn played(dir: &Path, stage: &Stage) -> Result<(Vec<f64>, Vec<Vec<f64>>), Error> {
    let path = dir.join("mjcf").join("scene.xml");
    let xml = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    if xml != stage.scene.xml {
        return Err(Error::Request(format!(
            "{} differs from the scene that clip and hand make now; the clip, what is stated about it, the hand \
             or the program has changed since",
            path.display()
        )));
    }
    let file = dextra_data::load_rollout(&dir.join("rollout.npz")).map_err(Error::stage(STAGE))?;
    let rollout = file.rollout;
    if rollout.steps() != stage.timeline.steps {
        let (found, wanted) = (rollout.steps(), stage.timeline.steps);
        let problem = format!("has {found} steps, the clip needs {wanted}");
        return Err(Error::Request(format!("{}: {problem}", dir.join("rollout.npz").display())));
    }
    Ok((rollout.ctrl, rollout.qpos))
}
