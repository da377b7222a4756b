//! `export lerobot`, `zarr` and `hdf5`: what `collect` gathered as a dataset that trainers read.
//!
//! Every episode is judged again from its file, so that only what is accepted now enters.

pub(crate) mod cloud;

use crate::collect::{Case, Episode as Line};
use crate::error::Error;
use crate::progress::Reporter;
use cloud::Cloud;
use dextra_core::names;
use dextra_core::rollout::{Accepted, Limits};
use dextra_data::dataset::{ACTION, Episode, Feature, Format, Record, STATE, Schema};
use dextra_data::load_rollout;
use dextra_sim::scene::exported::Exported;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const STAGE: &str = "export";

/// What is exported.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetRequest {
    /// Folder that `collect` filled.
    pub collection: PathBuf,
    /// Into what.
    pub format: Format,
    /// The dataset; nothing may be there.
    pub out: PathBuf,
    /// Steps per second; must divide the rate of the physics.
    pub fps_hz: u32,
    /// Only episodes of this hand, as it was named to `collect`; must be stated where there are several.
    pub hand: Option<String>,
    /// The task in words, of all episodes [default: the name of the clip].
    pub task: Option<String>,
    /// Points of `point_cloud`, on the surfaces of the objects; 0: there is no such feature.
    pub points: usize,
}

/// Points of `point_cloud` where nothing else is stated: point-cloud policies read Zarr.
pub fn default_points(format: Format) -> usize {
    if format == Format::Zarr { 512 } else { 0 }
}

/// Most points: policies take a few thousand, and a step of as many as these has 196 kB.
const MAX_POINTS: usize = 1 << 14;

/// What was exported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatasetReport {
    /// Format.
    pub format: String,
    /// Where it is.
    pub out: String,
    /// Episodes.
    pub episodes: usize,
    /// Steps of all episodes.
    pub steps: usize,
    /// Steps per second.
    pub fps_hz: u32,
    /// Numbers per step, by feature.
    pub features: BTreeMap<String, usize>,
    /// Episodes by task.
    pub tasks: BTreeMap<String, usize>,
    /// Episodes by licence.
    pub licences: BTreeMap<String, usize>,
}

/// Exports a collection.
///
/// # Errors
/// A folder that `collect` did not fill, one without episodes, one with several hands of which none is
/// chosen, an episode that is not accepted or does not fit the others, and files that cannot be read or
/// written. Nothing is written then.
pub fn dataset(request: &DatasetRequest, reporter: &dyn Reporter) -> Result<DatasetReport, Error> {
    let root = &request.collection;
    if request.out.exists() {
        let message = format!("{} is there already; choose another --out", request.out.display());
        return Err(Error::Request(message));
    }
    if request.points > MAX_POINTS {
        let message = format!("{} points are too many; at most {MAX_POINTS}", request.points);
        return Err(Error::Request(message));
    }
    let cases: Vec<Case> = crate::collect::read_lines(&root.join("cases.jsonl"))?;
    let lines: Vec<Line> = crate::collect::read_lines(&root.join("index.jsonl"))?;
    let case = |line: &Line| cases.iter().find(|case| case.case == line.case);
    let mut chosen: Vec<(&Line, &Case)> =
        lines.iter().filter_map(|line| Some((line, case(line)?))).collect();
    if let Some(hand) = &request.hand {
        let there: BTreeSet<&str> = chosen.iter().map(|(_, case)| case.hand.as_str()).collect();
        if !there.is_empty() && !there.contains(hand.as_str()) {
            return Err(Error::Request(format!(
                "{}: no episodes of the hand {hand} to export; there are some of {}{}",
                root.display(),
                names::nearest(hand, there.iter().copied()),
                names::hint(hand, there.iter().copied())
            )));
        }
        chosen.retain(|(_, case)| case.hand == *hand);
    }
    let hand = one_hand(root, &chosen)?;
    let mut sink = None;
    let mut report = DatasetReport {
        format: request.format.name().to_owned(),
        out: request.out.display().to_string(),
        episodes: 0,
        steps: 0,
        fps_hz: request.fps_hz,
        features: BTreeMap::new(),
        tasks: BTreeMap::new(),
        licences: BTreeMap::new(),
    };
    // Episodes of a case follow each other.
    let mut open_case: Option<(&str, Seen)> = None;
    reporter.stage(STAGE, Some(chosen.len() as u64));
    for (line, case) in &chosen {
        let path = root.join(&line.file);
        if open_case.as_ref().is_none_or(|(name, _)| *name != case.case) {
            open_case = None;
        }
        let seen = match &mut open_case {
            Some((_, seen)) => seen,
            none => &mut none.insert((&case.case, Seen::of(root, case, &hand, request)?)).1,
        };
        let schema = &seen.schema;
        let (sink, first) = match &mut sink {
            Some(open) => open,
            None => {
                let open = request.format.append(&request.out, schema);
                sink.insert((open.map_err(Error::stage(STAGE))?, schema.clone()))
            }
        };
        schema.matches(&path, first).map_err(Error::stage(STAGE))?;
        let task = request.task.clone().unwrap_or_else(|| stem(&case.clip));
        let episode = episode(&path, line, seen, task)?;
        sink.push(&episode).map_err(Error::stage(STAGE))?;
        report.episodes += 1;
        report.steps += episode.values[0].len() / schema.features[0].width();
        *report.tasks.entry(episode.task).or_default() += 1;
        *report.licences.entry(line.licence.clone()).or_default() += 1;
        reporter.advance(1, &line.file);
    }
    let Some((sink, schema)) = sink else { return Err(empty(root)) };
    sink.commit().map_err(Error::stage(STAGE))?;
    report.features = schema.features.iter().map(|f| (f.name.clone(), f.width())).collect();
    Ok(report)
}

fn empty(root: &Path) -> Error {
    Error::Request(format!("{}: no episodes to export; `collect` fills it", root.display()))
}

/// The hand that all chosen episodes are of.
fn one_hand(root: &Path, chosen: &[(&Line, &Case)]) -> Result<String, Error> {
    let mut hands: Vec<&str> = chosen.iter().map(|(_, case)| case.hand.as_str()).collect();
    hands.sort_unstable();
    hands.dedup();
    match hands[..] {
        [] => Err(empty(root)),
        [hand] => Ok(hand.to_owned()),
        _ => Err(Error::Request(format!(
            "{}: episodes of several hands, whose numbers differ; choose one with --hand: {}",
            root.display(),
            hands.join(", ")
        ))),
    }
}

fn stem(clip: &str) -> String {
    Path::new(clip).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn scene(root: &Path, case: &Case) -> PathBuf {
    root.join("cases").join(&case.case).join("mjcf").join("scene.xml")
}

/// What all episodes of a case are seen with.
struct Seen {
    scene: Exported,
    /// Names of the numbers.
    schema: Schema,
    cloud: Option<Cloud>,
}

impl Seen {
    fn of(root: &Path, case: &Case, hand: &str, request: &DatasetRequest) -> Result<Seen, Error> {
        let path = scene(root, case);
        let scene = Exported::open(&path).map_err(Error::stage(STAGE))?;
        let mut features = vec![
            Feature::new(STATE, scene.state_names()),
            Feature::new(ACTION, scene.control_names()),
        ];
        let mut cloud = None;
        if request.points > 0 {
            features.push(Cloud::feature(request.points));
            cloud = Cloud::of(&scene, request.points);
            if cloud.is_none() {
                let message = format!("{}: no object has a surface for points", path.display());
                return Err(Error::Request(message));
            }
        }
        let schema = Schema { fps_hz: Some(request.fps_hz), robot: hand.to_owned(), features };
        Ok(Seen { scene, schema, cloud })
    }

    /// A feature at physics steps `rows`, `[rows * n]`. The controls of a row act from that state on.
    fn sampled(&self, accepted: &Accepted, feature: &Feature, rows: &[usize]) -> Vec<f32> {
        let numbers = |&row: &usize| match (feature.name.as_str(), &self.cloud) {
            (cloud::NAME, Some(cloud)) => cloud.at(&self.scene, &accepted.qpos[row]),
            (ACTION, _) => {
                let ctrl = &accepted.ctrl[row * accepted.nu..(row + 1) * accepted.nu];
                ctrl.iter().map(|&x| x as f32).collect()
            }
            _ => accepted.qpos[row].iter().map(|&x| x as f32).collect(),
        };
        rows.iter().flat_map(numbers).collect()
    }
}

/// Reads an episode, judges it again and takes every n-th physics step.
fn episode(path: &Path, line: &Line, seen: &Seen, task: String) -> Result<Episode, Error> {
    let file = load_rollout(path).map_err(Error::stage(STAGE))?;
    let refuse = |why: String| Error::Request(format!("{}: {why}", path.display()));
    let digest = file.provenance.inputs_sha256.last().map(|(_, digest)| digest);
    if digest != Some(&line.sha256) {
        return Err(refuse("the file has changed since it was collected".to_owned()));
    }
    let accepted = file
        .rollout
        .accept(&file.reference, &Limits::default())
        .map_err(|rejection| refuse(format!("not accepted: {rejection}")))?;
    let every = stride(accepted.dt, seen.schema.fps_hz.unwrap_or(0)).map_err(refuse)?;
    let rows: Vec<usize> = (0..accepted.steps()).step_by(every).collect();
    if accepted.qpos.iter().any(|qpos| qpos.len() != seen.scene.sizes().0) {
        return Err(refuse("its states are not of the scene of its case".to_owned()));
    }
    let features = seen.schema.features.iter();
    let values = features.map(|feature| seen.sampled(&accepted, feature, &rows));
    Ok(Episode {
        task,
        values: values.collect(),
        record: Some(Record::of(&accepted, &file.provenance)),
    })
}

/// Physics steps per step of the dataset.
fn stride(dt: f64, fps_hz: u32) -> Result<usize, String> {
    let exact = 1.0 / (dt * f64::from(fps_hz.max(1)));
    let every = exact.round();
    if fps_hz == 0 || every < 1.0 || (exact - every).abs() > 1e-6 * exact {
        let physics = 1.0 / dt;
        return Err(format!("{fps_hz} Hz does not divide the {physics:.0} Hz of the physics"));
    }
    Ok(every as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_without_episodes_is_told_those_that_have_some() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, lines: [String; 2]| {
            std::fs::write(dir.path().join(file), lines.join("\n")).unwrap();
        };
        let hands = ["leap", "allegro"];
        write("cases.jsonl", hands.map(|hand| {
            format!(
                "{{\"case\":\"{hand}\",\"clip\":\"cube\",\"hand\":\"{hand}\",\"seed\":0,\"status\":\"accepted\",\
                 \"cause\":null,\"tried\":1,\"episodes\":1,\"cpu_s\":1.0}}"
            )
        }));
        write("index.jsonl", hands.map(|hand| {
            format!(
                "{{\"file\":\"a.npz\",\"sha256\":\"\",\"case\":\"{hand}\",\"steps\":1,\"max_t_cm\":0.0,\
                 \"max_r_deg\":0.0,\"licence\":\"\",\"source\":\"\"}}"
            )
        }));
        let request = DatasetRequest {
            collection: dir.path().to_owned(),
            format: Format::LeRobot,
            out: dir.path().join("out"),
            fps_hz: 50,
            hand: Some("alegro".to_owned()),
            task: None,
            points: 0,
        };
        let error = dataset(&request, &crate::Silent).unwrap_err().to_string();
        let near = "there are some of `allegro`, `leap`; did you mean `allegro`?";
        assert!(
            error.contains("no episodes of the hand alegro") && error.ends_with(near),
            "{error}"
        );
        let none = DatasetRequest { collection: dir.path().join("none"), ..request };
        let error = dataset(&none, &crate::Silent).unwrap_err().to_string();
        assert!(error.contains("`collect` fills it"), "{error}");
    }

    #[test]
    fn more_points_than_there_may_be_are_refused_with_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let request = DatasetRequest {
            collection: dir.path().to_owned(),
            format: Format::Zarr,
            out: dir.path().join("out"),
            fps_hz: 50,
            hand: None,
            task: None,
            points: MAX_POINTS + 1,
        };
        let error = dataset(&request, &crate::Silent).unwrap_err().to_string();
        assert_eq!(error, "16385 points are too many; at most 16384");
        let most = DatasetRequest { points: MAX_POINTS, ..request };
        let error = dataset(&most, &crate::Silent).unwrap_err().to_string();
        assert!(!error.contains("points"), "{error}");
    }

    #[test]
    fn only_rates_that_divide_the_physics_are_taken() {
        assert_eq!(stride(0.002, 50), Ok(10));
        assert_eq!(stride(0.0025, 400), Ok(1));
        assert!(stride(0.002, 30).unwrap_err().contains("500 Hz"));
        assert!(stride(0.002, 0).is_err() && stride(0.002, 1000).is_err());
    }
}
