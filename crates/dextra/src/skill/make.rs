//! From a finished search to a judged skill.

use super::actor::Actor;
use super::recipe::{Base, Recipe};
use super::store::Skill;
use super::{rollout, train, trials};
use crate::error::Error;
use crate::outputs;
use crate::prepare::Prepared;
use crate::progress::Reporter;
use crate::report::{PolicyReport, Status};
use crate::request::TransferRequest;
use dextra_core::Pose;
use dextra_motion::refine::{Refined, Stage};
use dextra_motion::track::{Task, TrackConfig, TrackEnv};
use dextra_sim::hand::Hand;
use std::path::Path;

/// Folder of the policy within that of a result.
const POLICY: &str = "policy";

/// Trains and judges a policy. Where the search failed, one round the retargeted motion is tried as well,
/// and the better is kept.
pub(crate) fn make(
    request: &TransferRequest,
    recipe: &Recipe,
    prepared: &Prepared,
    refined: &Refined,
    accepted: bool,
    notes: &mut Vec<String>,
    reporter: &dyn Reporter,
) -> Result<PolicyReport, Error> {
    let hands: Vec<&Hand> = prepared.hands.iter().collect();
    let one = |base: Base, name: &str, notes: &mut Vec<String>| {
        let task = task(base, prepared, refined, &hands);
        let dir = request.out.join(name);
        policy(request, recipe, prepared, refined, (task, base), &dir, notes, reporter)
    };
    let first = one(recipe.base, POLICY, notes)?;
    if accepted || recipe.base != Base::Refined || first.status == Status::Accepted {
        return Ok(first);
    }
    let other = format!("{POLICY}-retargeted");
    let second = one(Base::Retargeted, &other, notes)?;
    better(&request.out, (first, second), notes)
}

/// Keeps the policy round the retargeted motion, in `POLICY-retargeted`, in place of the first where it is better, and
/// removes the other; a note says which.
fn better(
    out: &Path,
    (first, second): (PolicyReport, PolicyReport),
    notes: &mut Vec<String>,
) -> Result<PolicyReport, Error> {
    let rate = |report: &PolicyReport| {
        report.scores.iter().find(|s| s.protocol == trials::MAIN).map_or(0.0, |s| s.rate)
    };
    let (kept, left) = (out.join(POLICY), out.join(format!("{POLICY}-retargeted")));
    if rate(&second) <= rate(&first) {
        notes.push(format!(
            "the search failed, so that a policy round the retargeted motion was tried too; it was no better: {} against {}",
            rate(&second),
            rate(&first)
        ));
        std::fs::remove_dir_all(&left).map_err(Error::io("remove", &left))?;
        return Ok(first);
    }
    notes.push("the policy corrects the retargeted motion, since the search failed".to_owned());
    std::fs::remove_dir_all(&kept).map_err(Error::io("remove", &kept))?;
    std::fs::rename(&left, &kept).map_err(Error::io("rename", &left))?;
    Ok(second)
}

fn task<'a>(
    base: Base,
    prepared: &'a Prepared,
    refined: &'a Refined,
    hands: &'a [&'a Hand],
) -> Task<'a> {
    let (scene, timeline) = (&refined.scene, &refined.timeline);
    if base == Base::Refined {
        let played = (refined.rollout.ctrl.as_slice(), refined.rollout.qpos.as_slice());
        return Task::played(scene, timeline, played, hands, &prepared.objects);
    }
    let rest: Vec<Pose> = (0..prepared.objects.len())
        .map(|object| scene.world_from_object(object, &refined.rollout.qpos[0]))
        .collect();
    let task = Task::retargeted(scene, timeline, &rest, &prepared.motion, hands, &prepared.objects);
    if base == Base::None { task.without_base() } else { task }
}

fn policy(
    request: &TransferRequest,
    recipe: &Recipe,
    prepared: &Prepared,
    refined: &Refined,
    (task, base): (Task<'_>, Base),
    dir: &Path,
    notes: &mut Vec<String>,
    reporter: &dyn Reporter,
) -> Result<PolicyReport, Error> {
    const STAGE: &str = "policy";
    let mut skill = Skill::new(request, prepared, &task, base, recipe)?;
    skill.begin(dir, &task)?;
    let threads = request.threads.unwrap_or(0);
    let alone = match &recipe.imitator {
        Some(_) => {
            let input = prepared.input(task.hands);
            let alone = Stage::object_free(&input, &refined.timeline, &refined.scene);
            Some(alone.map_err(Error::stage(STAGE))?)
        }
        None => None,
    };
    let notice = outputs::notice(&skill.source, &skill.licence);
    let seeded = (request.seed, threads);
    let trained =
        train::train(task.clone(), alone.as_ref(), recipe, seeded, dir, &notice, reporter)?;
    notes.extend(trained.notes);
    skill.validated = Some(trained.best);
    skill.write(dir)?;
    let trials = request.robustness_trials.max(1);
    let config = TrackConfig { threads, worlds: trials.min(100), ..recipe.track.clone() };
    let hands = task.hands;
    let mut env = TrackEnv::new(task.clone(), config).map_err(Error::stage(STAGE))?;
    let imitator = match (&recipe.imitator, &alone) {
        (Some(recipe), Some(scene)) => {
            Some(train::imitator(task.object_free(scene), recipe, dir, &env)?)
        }
        _ => None,
    };
    let actor = Actor::load(&dir.join(train::BEST), &env, hands, imitator)?;
    let scores = rollout::all(&mut env, &actor, (&[request.seed], trials), reporter)?;
    notes.extend(rollout::too_few(trials));
    Ok(PolicyReport {
        status: rollout::status(&scores),
        recipe: recipe.name.clone(),
        base,
        validated: trained.best,
        iterations: trained.last.iteration,
        env_steps: trained.last.steps,
        train_cpu_s: trained.last.cpu_s,
        scores,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::train::Validated;
    use crate::skill::trials::Score;

    fn report(base: Base, successes: usize) -> PolicyReport {
        let score = Score {
            protocol: trials::MAIN.to_owned(),
            successes,
            trials: 10,
            by_seed: vec![successes],
            rate: successes as f64 / 10.0,
            wilson_low: 0.0,
            wilson_high: 1.0,
            open_loop_successes: 0,
            rules: [].into(),
            median_worst_cm: 1.0,
        };
        PolicyReport {
            status: Status::Rejected,
            recipe: "dextra".to_owned(),
            base,
            validated: Validated { iteration: 0, steps: 0, cpu_s: 0.0, near: 0.0, mean: 0.0 },
            iterations: 0,
            env_steps: 0,
            train_cpu_s: 0.0,
            scores: vec![score],
        }
    }

    /// Which of two policies with so many successes is kept, and the note; its folder is checked.
    fn kept(refined: usize, retargeted: usize) -> (Base, String) {
        let out = tempfile::tempdir().unwrap();
        for (name, base) in [(POLICY, "refined"), ("policy-retargeted", "retargeted")] {
            std::fs::create_dir(out.path().join(name)).unwrap();
            std::fs::write(out.path().join(name).join("skill.json"), base).unwrap();
        }
        let both = (report(Base::Refined, refined), report(Base::Retargeted, retargeted));
        let mut notes = Vec::new();
        let kept = better(out.path(), both, &mut notes).unwrap();
        let skill = std::fs::read_to_string(out.path().join(POLICY).join("skill.json")).unwrap();
        assert_eq!(skill, kept.base.name());
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1);
        (kept.base, notes.join(""))
    }

    #[test]
    fn where_the_search_failed_the_better_policy_is_kept() {
        let (base, note) = kept(3, 7);
        assert_eq!(base, Base::Retargeted);
        assert!(note.contains("corrects the retargeted motion"), "{note}");
        for (refined, retargeted) in [(7, 3), (4, 4)] {
            let (base, note) = kept(refined, retargeted);
            assert_eq!(base, Base::Refined);
            assert!(note.contains("no better"), "{note}");
        }
    }
}
