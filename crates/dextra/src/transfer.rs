//! `transfer`: the main job. One clip and one hand in; a physics-checked trajectory, a verdict by
//! every published rule, pictures, and files for stock MuJoCo out.

use crate::clock::Clock;
use crate::error::Error;
use crate::journal::JournalFile;
use crate::prepare::{Prepared, Recorded, SMOOTHING_S};
use crate::progress::Reporter;
use crate::report::{Details, Protocols, Report, RobustnessReport, Status};
use crate::request::TransferRequest;
use crate::skill::make::make;
use crate::skill::recipe::{Base, Recipe};
use crate::{grasps, outputs, pictures, plots};
use dextra_core::Demonstration;
use dextra_core::cause::{Evidence, Failure, diagnose, left_behind};
use dextra_core::metrics::{self, Metrics};
use dextra_core::rollout::{Limits, Reason};
use dextra_core::signal::MovingInterval;
use dextra_motion::evaluate::{
    GraspDifference, Played, RobustnessConfig, at_half_step, grasp_difference, robustness,
};
use dextra_motion::refine::journal::Observer;
use dextra_motion::refine::{RefineConfig, RefineError, RefineInput, Refined, refine};
use dextra_motion::retarget::RetargetHand;
use dextra_sim::hand::Hand;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Transfers one clip to one hand.
///
/// A trajectory that fails is a [`Report`] with [`Status::Rejected`] and a cause, not an error.
///
/// # Errors
/// Unusable clips, hands, objects or folders, and [`Error::Cancelled`] when the reporter asks to
/// stop; the same request then resumes.
pub fn transfer(request: &TransferRequest, reporter: &dyn Reporter) -> Result<Report, Error> {
    request.check()?;
    let recipe = request.policy.as_deref().map(Recipe::resolve).transpose()?;
    let recipe = recipe.map(|recipe| recipe.with(&request.settings)).transpose()?;
    let clock = Clock::start();
    let read = Recorded::read(request, reporter)?;
    writable(&request.out)?;
    let prepared = Prepared::new(read, reporter)?;
    let Prepared { demo, hands, models, objects, motion, .. } = &prepared;
    let mut notes = prepared.notes.clone();
    let remembered = match &request.reuse {
        Some(dir) => grasps::read(dir, hands, objects)?,
        None => Vec::new(),
    };
    let out = &request.out;
    outputs::clear(out)?;
    outputs::write_motion(&out.join("motion.npz"), motion, demo, request.seed)?;

    reporter.stage("refine", None);
    let config = RefineConfig {
        seed: request.seed,
        threads: request.threads.unwrap_or(0),
        human_weight: request.human_weight,
        robust: request.robust,
        search: recipe.as_ref().is_none_or(|recipe| recipe.base == Base::Refined),
        ..RefineConfig::default()
    };
    let journal_path = out.join("refine.journal");
    let mut journal =
        JournalFile::open(&journal_path, build()).map_err(Error::io("open", &journal_path))?;
    let hand_refs: Vec<&Hand> = hands.iter().collect();
    let input = RefineInput { remembered: &remembered, ..prepared.input(&hand_refs) };
    let refined =
        refine(&input, &config, &mut journal, &Watch(reporter)).map_err(|error| match error {
            RefineError::Interrupted => Error::Cancelled { stage: "refine".to_owned() },
            other => Error::Stage { stage: "refine", source: other.into() },
        })?;
    if journal.recalled() > 0 {
        notes.push("resumed after an interruption; times are of the last run".to_owned());
    }
    notes.extend(refined.notes.iter().cloned());

    reporter.stage("evaluate", None);
    let judged = judge(request, &refined, demo, models, reporter)?;
    outputs::write_rollout(&out.join("rollout.npz"), &refined.rollout, &refined.reference, demo)?;
    outputs::write_mjcf(&out.join("mjcf"), &refined.scene, &refined.rollout, demo, request.seed)?;
    let made_from = &demo.provenance;
    plots::write(out, &refined, made_from).map_err(Error::stage("plots"))?;
    grasps::write(out, &refined.grasps, hands, objects)?;
    outputs::write_source(out, &made_from.source, &made_from.licence)?;
    if let Some(trial) = &refined.quarantined {
        outputs::write_quarantine(
            &out.join("quarantine.npz"),
            trial,
            refined.rollout.nu,
            demo,
            request.seed,
        )?;
    }
    if request.film {
        reporter.stage("pictures", None);
        if let Err(error) = pictures::write(out, &refined, objects, request.video, made_from) {
            notes.push(format!("no pictures: {error}"));
        }
    }
    let accepted = judged.cause.is_none();
    let policy = match &recipe {
        Some(recipe) => {
            Some(make(request, recipe, &prepared, &refined, accepted, &mut notes, reporter)?)
        }
        None => None,
    };
    for note in &notes {
        reporter.note(note);
    }
    let mut report = report(request, &refined, demo, judged, prepared.time_scale, notes, &clock);
    report.policy = policy;
    if let Some(details) = &mut report.details {
        details.feasibility = Some(prepared.feasibility.clone());
    }
    let json = serde_json::to_vec_pretty(&report).map_err(Error::stage("report"))?;
    let path = out.join("report.json");
    dextra_data::atomic::write_file(&path, &json).map_err(Error::stage("report"))?;
    crate::page::write(out)?;
    journal.discard();
    Ok(report)
}

/// Makes the folder and proves that files can be written in it, once the request is known to make
/// sense and before hours are spent.
fn writable(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    tempfile::tempfile_in(dir).map(drop).map_err(Error::io("write in", dir))
}

/// Identifies the running program, since another build may search differently: a hash of its file.
fn build() -> [u8; 32] {
    let program = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
    Sha256::digest(program).into()
}

/// Passes the search's progress on.
struct Watch<'a>(&'a dyn Reporter);

impl Observer for Watch<'_> {
    fn progress(&self, sim_steps: u64, status: &str) {
        self.0.advance(sim_steps, status);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// The verdict and what stands behind it.
struct Judged {
    metrics: Metrics,
    cause: Option<String>,
    fragile: Option<String>,
    robustness: Vec<RobustnessReport>,
    half_step: (f64, f64),
    grasp: Option<GraspDifference>,
    steps: u64,
}

fn judge(
    request: &TransferRequest,
    refined: &Refined,
    demo: &Demonstration,
    models: &[RetargetHand],
    reporter: &dyn Reporter,
) -> Result<Judged, Error> {
    const STAGE: &str = "evaluate";
    let rollout = &refined.rollout;
    let metrics = metrics::evaluate(rollout, &refined.reference).map_err(Error::stage(STAGE))?;
    let named = |f: Failure| format!("{} (frame {}): {}", f.cause.name(), f.frame, f.detail);
    let cause = match rollout.clone().accept(&refined.reference, &Limits::default()) {
        // An object that should hardly move is within the limits also when nothing moved it.
        Ok(_) => left_behind(rollout, &refined.reference).map(named),
        Err(rejection) => {
            let mut evidence = Evidence::of_reference(&refined.reference, rollout.dt)
                .with_demonstration(demo)
                .with_wrist_error(wrist_error(refined));
            held_intervals(refined, &mut evidence);
            let failure =
                diagnose(rollout, &refined.reference, &evidence).map_err(Error::stage(STAGE))?;
            Some(match failure {
                Some(failure) => named(failure),
                None => match &rejection.reason {
                    reason @ Reason::Joint { worst, .. } => {
                        format!("joint (frame {}): {reason}", worst.frame)
                    }
                    reason => format!("penetration (frame {}): {reason}", deepest_frame(refined)),
                },
            })
        }
    };
    let schedule = &refined.timeline;
    let played = Played {
        scene: &refined.scene,
        qpos0: &rollout.qpos0,
        ctrl: &rollout.ctrl,
        reference: &schedule.reference,
        judged: Played::carrying(schedule),
    };
    let mut steps = 0;
    let mut trials = Vec::new();
    if request.robustness_trials > 0 {
        for (offset, tolerance) in [(0.005, 0.03), (0.01, 0.04)] {
            if reporter.cancelled() {
                return Err(Error::Cancelled { stage: "evaluate".to_owned() });
            }
            let config = RobustnessConfig {
                offset,
                tolerance,
                trials: request.robustness_trials,
                seed: request.seed,
                threads: request.threads.unwrap_or(0),
            };
            let result = robustness(&played, &config).map_err(Error::stage(STAGE))?;
            steps += (result.trials * schedule.steps) as u64;
            let (low, high) = metrics::wilson_interval(result.successes, result.trials);
            trials.push(RobustnessReport {
                offset_cm: offset * 100.0,
                tolerance_cm: tolerance * 100.0,
                successes: result.successes,
                trials: result.trials,
                rate: result.successes as f64 / result.trials as f64,
                wilson_low: low,
                wilson_high: high,
            });
        }
    }
    let half_step = at_half_step(&played);
    let fragile = fragility(half_step, &trials);
    let sturdy = |reason: &String| format!("fragile (frame {}): {reason}", metrics.max_t.frame);
    let cause = cause.or_else(|| fragile.as_ref().filter(|_| request.robust).map(sturdy));
    let grasp = grasp_difference(refined, demo, models);
    Ok(Judged { metrics, cause, fragile, robustness: trials, half_step, grasp, steps })
}

/// When each object is held is known better from the schedule than from its path.
fn held_intervals(refined: &Refined, evidence: &mut Evidence) {
    let frames = &refined.reference.frames;
    let frame_at =
        |step: usize| frames.iter().position(|f| f.step >= step).unwrap_or(frames.len() - 1);
    for (object, interval) in evidence.intervals.iter_mut().enumerate() {
        let holds = || refined.timeline.holds.iter().filter(|hold| hold.object == object);
        let Some(lift) = holds().map(|hold| hold.take).min() else { continue };
        let released: Option<Vec<usize>> = holds().map(|hold| hold.release).collect();
        let put = released.and_then(|steps| steps.into_iter().max()).map(frame_at);
        let last = put.unwrap_or(frames.len() - 1);
        *interval = Some(MovingInterval { lift: frame_at(lift), last, put });
    }
}

/// Why a trajectory is fragile: it leaves DexMan's rule when it is replayed at half the time step, or
/// fewer than 7 in 10 replays with the object displaced by 1 cm succeed. `None` for a sturdy one.
fn fragility((position, rotation): (f64, f64), trials: &[RobustnessReport]) -> Option<String> {
    const ENOUGH: f64 = 0.7;
    if position >= 0.03 || rotation >= 0.5 {
        return Some(format!(
            "at half the time step the object is up to {:.1} cm and {:.0} deg off",
            position * 100.0,
            rotation.to_degrees()
        ));
    }
    let weak = trials.iter().find(|t| t.offset_cm >= 1.0 && t.rate < ENOUGH)?;
    Some(format!(
        "with the object displaced by {:.0} cm, {} of {} replays succeed",
        weak.offset_cm, weak.successes, weak.trials
    ))
}

/// Judged frame nearest to the deepest penetration of the hand into an object or itself.
fn deepest_frame(refined: &Refined) -> usize {
    let depth = |step: &usize| {
        let contact = &refined.rollout.contacts[*step];
        contact.hand_object_penetration.max(contact.self_penetration)
    };
    let deepest =
        (0..refined.rollout.steps()).max_by(|a, b| depth(a).total_cmp(&depth(b))).unwrap_or(0);
    let frames = &refined.reference.frames;
    (0..frames.len()).min_by_key(|&frame| frames[frame].step.abs_diff(deepest)).unwrap_or(0)
}

/// Distance between the wrist's commanded and realised position after every step, metres; the
/// worst hand. The servo's own lag at the present speed is
/// taken off, since planned commands lead by it.
fn wrist_error(refined: &Refined) -> Vec<f64> {
    let rollout = &refined.rollout;
    let kv_over_kp = refined.scene.config.wrist.linear_kv / refined.scene.config.wrist.linear_kp;
    (0..rollout.steps())
        .map(|step| {
            let ctrl = &rollout.ctrl[step * rollout.nu..(step + 1) * rollout.nu];
            let (now, next) = (&rollout.qpos[step], &rollout.qpos[step + 1]);
            refined
                .scene
                .hands
                .iter()
                .map(|hand| {
                    (0..3)
                        .map(|slot| {
                            let at = hand.wrist_qpos[slot];
                            let velocity = (next[at] - now[at]) / rollout.dt;
                            let wanted = ctrl[hand.wrist_ctrl[slot]] - kv_over_kp * velocity;
                            (wanted - next[at]).powi(2)
                        })
                        .sum::<f64>()
                        .sqrt()
                })
                .fold(0.0, f64::max)
        })
        .collect()
}

fn report(
    request: &TransferRequest,
    refined: &Refined,
    demo: &Demonstration,
    judged: Judged,
    time_scale: f64,
    notes: Vec<String>,
    clock: &Clock,
) -> Report {
    let m = &judged.metrics;
    let cm = |metres: f64| metres * 100.0;
    let passed = &m.protocols;
    let (wall_s, cpu_s) = clock.elapsed();
    Report {
        clip: request.clip.clone(),
        hand: request.hand.clone(),
        seed: request.seed,
        status: if judged.cause.is_none() { Status::Accepted } else { Status::Rejected },
        cause: judged.cause,
        protocols: Protocols {
            maniptrans: passed.maniptrans,
            dexman: passed.dexman,
            spider: passed.spider,
            dextrack_10cm_20deg: passed.dextrack_10cm_20deg,
            dextrack_10cm_40deg: passed.dextrack_10cm_40deg,
        },
        e_r_deg: m.e_r.to_degrees(),
        e_t_cm: cm(m.e_t),
        e_j_cm: cm(m.e_j.unwrap_or(f64::NAN)),
        e_ft_cm: cm(m.e_ft.unwrap_or(f64::NAN)),
        max_t_cm: cm(m.max_t.value),
        max_r_deg: m.max_r.value.to_degrees(),
        e_hinge_deg: m.hinge.map(|hinge| hinge.mean.to_degrees()),
        max_hinge_deg: m.hinge.map(|hinge| hinge.max.value.to_degrees()),
        e_slider_cm: m.slider.map(|slider| cm(slider.mean)),
        max_slider_cm: m.slider.map(|slider| cm(slider.max.value)),
        self_penetration_p99_mm: m.self_penetration_p99 * 1000.0,
        object_penetration_p99_mm: m.object_penetration_p99 * 1000.0,
        frames: demo.frames(),
        wall_s,
        cpu_s,
        sim_steps: refined.sim_steps + judged.steps + 3 * refined.timeline.steps as u64,
        out: request.out.display().to_string(),
        policy: None,
        details: Some(Details {
            hypothesis: refined.hypothesis.clone(),
            grasp_changed: refined.grasp_changed,
            grasp_tip_distance_cm: judged.grasp.map(|g| cm(g.tips)),
            grasp_palm_angle_deg: judged.grasp.map(|g| g.palm.to_degrees()),
            repaired: refined.repaired,
            time_scale,
            smoothing_s: SMOOTHING_S,
            timestep_s: refined.rollout.dt,
            lead_in_s: refined.timeline.lead_in,
            tail_s: refined.timeline.tail,
            lift_s: refined.timeline.lift_step().map(|s| s as f64 * refined.rollout.dt),
            put_s: refined.timeline.put_step().map(|s| s as f64 * refined.rollout.dt),
            worst_frame: m.max_t.frame,
            judged_frames: m.frames,
            contact_force_p99_n: m.contact_force_p99,
            table_penetration_p99_mm: m.table_penetration_p99 * 1000.0,
            saturation_mean: m.saturation_mean,
            fragile: judged.fragile,
            half_step_max_t_cm: cm(judged.half_step.0),
            half_step_max_r_deg: judged.half_step.1.to_degrees(),
            robustness: judged.robustness,
            engine: refined.rollout.engine.clone(),
            source: demo.provenance.source.clone(),
            licence: demo.provenance.licence.clone(),
            inputs_sha256: demo.provenance.inputs_sha256.clone(),
            notes,
            feasibility: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trajectory_is_fragile_at_half_the_step_or_when_the_object_is_displaced() {
        let trials = |offset_cm: f64, successes: usize| RobustnessReport {
            offset_cm,
            tolerance_cm: 4.0,
            successes,
            trials: 100,
            rate: successes as f64 / 100.0,
            wilson_low: 0.0,
            wilson_high: 1.0,
        };
        let sturdy = [trials(0.5, 10), trials(1.0, 70)];
        assert_eq!(fragility((0.029, 0.49), &sturdy), None, "half a centimetre is not asked");
        assert_eq!(fragility((0.01, 0.1), &[]), None, "nothing measured, nothing said");
        let weak = fragility((0.01, 0.1), &[trials(1.0, 69)]).unwrap();
        assert!(weak.contains("69 of 100"), "{weak}");
        let far = fragility((0.031, 0.1), &sturdy).unwrap();
        assert!(far.contains("half the time step") && far.contains("3.1 cm"), "{far}");
        assert!(fragility((0.01, 0.51), &sturdy).is_some());
        assert!(fragility((f64::INFINITY, 1.0), &sturdy).is_some());
    }
}
