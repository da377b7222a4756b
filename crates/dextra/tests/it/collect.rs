//! Datasets: what fails is written down, what is there is not made again, and only what was accepted enters.

use crate::skill::tiny_recipe;
use dextra::collect::{Case, CollectRequest, Dataset, Episode, Tally, collect};
use dextra::{
    DatasetFormat, DatasetRequest, Reporter, Silent, dataset, default_points, export_dataset,
};
use dextra_data::dataset::open;
use dextra_data::{ClipOptions, Npz, atomic};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every file below a folder with its content.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Keeps the notes.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Reporter for Notes {
    fn stage(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64, _: &str) {}
    fn note(&self, note: &str) {
        self.0.lock().unwrap().push(note.to_owned());
    }
}

/// Counts the stages of work.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Reporter for Counting {
    fn stage(&self, _: &str, _: Option<u64>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn advance(&self, _: u64, _: &str) {}
    fn note(&self, _: &str) {}
}

/// Largest position error of the first object at judged states of an episode, metres.
fn worst(path: &Path) -> f64 {
    let file = Npz::open(path).unwrap();
    let (shape, real) = file.array_f64("object_pos").unwrap();
    let (_, wanted) = file.array_f64("reference_pos_m").unwrap();
    let (_, steps) = file.array_i64("judged_step").unwrap();
    assert_eq!(shape[1], 1, "one object");
    let rows = steps.iter().zip(wanted.chunks_exact(3));
    rows.map(|(&step, wanted)| {
        let real = &real[3 * step as usize..];
        (0..3).map(|k| (real[k] - wanted[k]).powi(2)).sum::<f64>().sqrt()
    })
    .fold(0.0, f64::max)
}

/// Every format takes the episodes as they were collected, twice as many when merged.
fn export(collection: &Path, dir: &Path, episodes: usize) {
    let request = |format: DatasetFormat, name: &str| DatasetRequest {
        collection: collection.to_owned(),
        format,
        out: dir.join(name),
        fps_hz: 50,
        hand: None,
        task: Some("lift the cube".to_owned()),
        points: 0,
    };
    let mut all = Vec::new();
    for format in DatasetFormat::ALL {
        let made = request(format, format.name());
        let report = export_dataset(&made, &Silent).unwrap();
        assert_eq!((report.episodes, report.tasks["lift the cube"]), (episodes, episodes));
        assert!(export_dataset(&made, &Silent).unwrap_err().to_string().contains("already"));
        let info = dataset::validate(&made.out).unwrap();
        assert_eq!(
            (info.problems.clone(), info.accepted, info.steps),
            (vec![], episodes, report.steps)
        );
        assert!(info.features["state"].contains(&"object_0_qw".to_owned()));
        assert_eq!(info.features["action"].len(), report.features["action"]);
        assert!(
            info.features["action"]
                .iter()
                .all(|name| name.ends_with("_rad") || name.ends_with("_m"))
        );
        all.push(made.out);
    }
    point_cloud(&request(DatasetFormat::Zarr, "points.zarr"));
    let merged = dir.join("merged");
    assert_eq!(dataset::merge(&all, None, &merged).unwrap(), 3 * episodes);
    let parts = [("train".to_owned(), 2.0), ("val".to_owned(), 1.0)];
    let counts = dataset::split(&merged, &parts, 0, &dir.join("parts")).unwrap();
    assert_eq!(counts, [2 * episodes, episodes]);
    assert_eq!(dataset::info(&dir.join("parts/val")).unwrap().episodes, episodes);
    let odd = DatasetRequest { fps_hz: 7919, ..request(DatasetFormat::Zarr, "odd") };
    assert!(export_dataset(&odd, &Silent).unwrap_err().to_string().contains("does not divide"));
    assert!(!odd.out.exists());
}

/// What DP3 reads: points on the cube, which move with it.
fn point_cloud(request: &DatasetRequest) {
    let points = default_points(DatasetFormat::Zarr);
    let request = DatasetRequest { points, ..request.clone() };
    let report = export_dataset(&request, &Silent).unwrap();
    assert_eq!((points, report.features["point_cloud"]), (512, 512 * 3));
    let info = dataset::validate(&request.out).unwrap();
    assert!(info.problems.is_empty(), "{:?}", info.problems);
    let cloud = info.arrays.iter().find(|array| array.name == "point_cloud").unwrap();
    assert_eq!((&cloud.dtype[..], &cloud.shape[..]), ("<f4", &[report.steps, 512, 3][..]));
    let names = &info.features["state"];
    let x = names.iter().position(|name| name == "object_0_x_m").unwrap();
    let (_, mut source) = open(&request.out).unwrap();
    let values = source.episode(0).unwrap().values;
    let at = |step: usize| {
        let pose: Vec<f64> =
            values[0][step * names.len() + x..][..7].iter().map(|&x| f64::from(x)).collect();
        let [px, py, pz, qw, qx, qy, qz] = pose.try_into().unwrap();
        dextra_core::pose::from_pos_quat([px, py, pz], [qw, qx, qy, qz])
    };
    let steps = values[2].len() / (512 * 3);
    let in_object = |step: usize| {
        let cloud = values[2][step * 512 * 3..][..512 * 3].chunks_exact(3);
        let point = |p: &[f32]| nalgebra::Point3::new(p[0], p[1], p[2]).cast::<f64>();
        cloud.map(|p| at(step).inverse() * point(p)).collect::<Vec<_>>()
    };
    let first = in_object(0);
    for step in [steps / 3, steps / 2, steps - 1] {
        let far =
            in_object(step).iter().zip(&first).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
        assert!(far < 1e-5, "points slide on the object by {far} m");
    }
    let extent = first.iter().map(|p| p.coords.amax()).fold(0.0, f64::max);
    assert!((0.01..0.1).contains(&extent), "{extent}");
    assert!((at(0).translation.vector - at(steps / 2).translation.vector).norm() > 0.02);
    let script = "
import sys, zarr, numpy
root = zarr.open(sys.argv[1], mode='r')
cloud, state = root['data/point_cloud'], root['data/state']
assert cloud.dtype == numpy.float32 and cloud.shape == (root['meta/episode_ends'][-1], 512, 3), cloud
assert root['data/action'].shape[0] == state.shape[0] == cloud.shape[0]
print(*cloud[7].ravel()[:6].tolist())
";
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let python = || std::process::Command::new(&python);
    if !python().args(["-c", "import zarr"]).output().is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: Python has no zarr; DEXTRA_PYTHON names another Python");
        return;
    }
    let output = python().args(["-c", script]).arg(&request.out).output().unwrap();
    let [said, wrong] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    assert!(output.status.success(), "{wrong}");
    let found: Vec<f32> = said.split_whitespace().map(|x| x.parse().unwrap()).collect();
    assert_eq!(found, values[2][7 * 512 * 3..][..6]);
}

#[test]
fn a_dataset_survives_a_bad_clip_takes_only_what_was_accepted_and_is_not_made_twice() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("dataset");
    let bad = dir.path().join("bad.npz");
    std::fs::write(&bad, b"PK\x03\x04 and then nothing of the sort").unwrap();
    let bad = bad.display().to_string();
    let request = |clips: &[&str], base: &str| CollectRequest {
        clips: clips.iter().map(|&clip| clip.to_owned()).collect(),
        hands: vec!["inspire".to_owned()],
        seeds: vec![0],
        policy: tiny_recipe(dir.path(), base),
        settings: Vec::new(),
        rollouts: 3,
        out: out.clone(),
        threads: Some(1),
        options: ClipOptions::default(),
    };
    let cases = || lines::<Case>(&out.join("cases.jsonl"));
    let status = |name: &str| {
        let all = cases();
        let case = all.into_iter().find(|case| case.case == name).unwrap();
        (case.status, case.cause, case.tried, case.episodes)
    };

    // The clip that cannot be read comes first; what follows it is done, and fails in the simulator.
    let said = Notes::default();
    let first = collect(&request(&[&bad, "stick"], "retargeted"), &said).unwrap();
    let said = said.0.into_inner().unwrap();
    for (case, why) in [("bad-inspire-0 failed: ", "bad.npz"), ("stick-inspire-0 rejected: ", "")] {
        let told = said.iter().any(|note| note.starts_with(case) && note.contains(why));
        assert!(told, "{case} {said:?}");
    }
    assert_eq!((first.cases["failed"], first.cases["rejected"], first.episodes), (1, 1, 0));
    let (failed, cause, ..) = status("bad-inspire-0");
    assert!(failed == "failed" && cause.as_ref().unwrap().contains("bad.npz"), "{cause:?}");
    let (rejected, cause, tried, episodes) = status("stick-inspire-0");
    assert_eq!((rejected.as_str(), tried, episodes), ("rejected", 0, 0));
    assert!(cause.is_some());
    assert_eq!(std::fs::read_dir(out.join("episodes")).unwrap().count(), 0);

    // One more clip, with a base that works.
    let kept = files(&out.join("cases"));
    let whole = request(&[&bad, "cube"], "refined");
    let second = collect(&whole, &Silent).unwrap();
    let now = files(&out.join("cases"));
    assert!(kept.iter().all(|(path, bytes)| now.get(path) == Some(bytes)), "done again");
    assert_eq!(cases().len(), 3);
    let counts: Vec<usize> = second.cases.values().copied().collect();
    assert_eq!(counts, [1, 1, 1], "{:?}", second.cases);
    let (accepted, cause, tried, episodes) = status("cube-inspire-0");
    assert_eq!((accepted.as_str(), cause, tried), ("accepted", None, 3));
    let index = lines::<Episode>(&out.join("index.jsonl"));
    assert!((1..=3).contains(&episodes) && index.len() == episodes);
    for episode in &index {
        let path = out.join(&episode.file);
        assert_eq!(episode.case, "cube-inspire-0");
        assert_eq!(episode.sha256, atomic::sha256_hex(&std::fs::read(&path).unwrap()));
        let worst = worst(&path);
        assert!((worst * 100.0 - episode.max_t_cm).abs() < 1e-6, "{worst} {}", episode.max_t_cm);
        assert!(worst < 0.03, "{worst}");
    }
    assert_eq!(std::fs::read_dir(out.join("episodes")).unwrap().count(), episodes);
    assert_eq!((second.tried, second.episodes), (3, episodes));
    let cube = Tally { cases: 1, accepted: 1, tried: 3, episodes };
    assert_eq!((second.clips.len(), &second.clips["cube"]), (3, &cube));
    assert_eq!((second.hands.len(), &second.hands["inspire"]), (1, &Tally { cases: 3, ..cube }));
    assert_eq!(second.steps, index.iter().map(|episode| episode.steps).sum::<usize>());
    assert_eq!(second.licences.values().sum::<usize>(), episodes);
    assert!((second.cpu_s - cases().iter().map(|case| case.cpu_s).sum::<f64>()).abs() < 1e-9);
    let json = std::fs::read(out.join("dataset.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Dataset>(&json).unwrap(), second);

    export(&out, dir.path(), episodes);

    // The same again does nothing, but for what failed, which is tried again.
    let before = files(&out);
    let counting = Counting::default();
    assert_eq!(collect(&request(&["cube"], "refined"), &counting).unwrap(), second);
    assert_eq!(counting.0.load(Ordering::Relaxed), 0, "no stage of work");
    assert!(files(&out) == before, "files have changed");
    assert_eq!(collect(&whole, &counting).unwrap().cases, second.cases);
    assert!(counting.0.load(Ordering::Relaxed) > 0, "what failed was not tried again");

    // Another recipe, other rollouts or another clip of the same name are not taken for done.
    let before = files(&out);
    let more = CollectRequest { rollouts: 4, ..request(&["cube"], "refined") };
    let twin = dir.path().join("cube.npz").display().to_string();
    std::fs::write(&twin, b"something else").unwrap();
    for other in [request(&["stick"], "refined"), more, request(&[&twin], "refined")] {
        let error = collect(&other, &Silent).unwrap_err().to_string();
        assert!(
            error.contains("inspire-0 is there already") && error.contains("another folder"),
            "{error}"
        );
    }
    assert!(files(&out) == before, "files have changed");
}
