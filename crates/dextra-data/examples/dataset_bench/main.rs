//! Writes and reads a LeRobot dataset, here and in the Python package of that name, and compares the times.
//!
//! `dataset_bench [EPISODES] [STEPS]`; needs `lerobot` in the Python that `DEXTRA_PYTHON` names. Both sides
//! write the same numbers into a temporary folder and read the dataset written here, on one thread.

use dextra_core::demonstration::Provenance;
use dextra_core::rollout::{
    HandRollout, Limits, ObjectRollout, Reference, ReferenceFrame, Rollout, StepContacts,
};
use dextra_core::{Pose, Side};
use dextra_data::dataset::{Episode, Feature, Format, Record, Schema, open};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Numbers of a Shadow hand on a wrist with one object, and of its actuators.
const WIDTHS: [(&str, usize); 2] = [("state", 37), ("action", 26)];

fn main() -> Result<()> {
    let mut counts = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let episodes = counts.next().transpose()?.unwrap_or(1000);
    let steps = counts.next().transpose()?.unwrap_or(100);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("set");
    let begin = Instant::now();
    write(&path, episodes, steps)?;
    let written = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let (_, mut source) = open(&path)?;
    let mut sum = 0.0;
    for index in 0..episodes {
        let episode = source.episode(index)?;
        sum += episode.values.iter().flatten().map(|&x| f64::from(x)).sum::<f64>();
    }
    let read = begin.elapsed().as_secs_f64();
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .args(["-c", include_str!("bench.py")])
        .arg(&path)
        .arg(folder.path().join("python"))
        .args([episodes.to_string(), steps.to_string()])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> =
        text.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
    let [python_write, python_frames, python_columns, python_sum] = numbers[..] else {
        return Err(format!("not four numbers: {text}").into());
    };
    if (sum - python_sum).abs() > 1e-6 * sum.abs() {
        return Err(format!("the sums differ: {sum} here, {python_sum} in Python").into());
    }
    println!("{episodes} episodes of {steps} steps, {WIDTHS:?}");
    println!("| | here, s | lerobot, s | ratio |\n|---|---|---|---|");
    for (what, ours, theirs) in [
        ("write", written, python_write),
        ("read, lerobot frame by frame, second time", read, python_frames),
        ("read, lerobot whole columns as NumPy, first time", read, python_columns),
    ] {
        println!("| {what} | {ours:.3} | {theirs:.3} | {:.1} |", theirs / ours);
    }
    Ok(())
}

fn write(path: &Path, episodes: usize, steps: usize) -> Result<()> {
    let feature = |(name, width): (&str, usize)| {
        Feature::new(name, (0..width).map(|index| format!("{name}_{index}_rad")).collect())
    };
    let schema = Schema {
        fps_hz: Some(50),
        robot: "bench".to_owned(),
        features: WIDTHS.map(feature).to_vec(),
    };
    let record = record();
    let mut sink = Format::LeRobot.append(path, &schema)?;
    for index in 0..episodes {
        let values = |width: usize| (0..steps * width).map(|i| number(index, i)).collect();
        let values = WIDTHS.map(|(_, width)| values(width)).to_vec();
        sink.push(&Episode { task: "lift".to_owned(), values, record: Some(record.clone()) })?;
    }
    Ok(sink.commit()?)
}

/// As in the script: between 0 and 1, hardly repeating.
fn number(episode: usize, index: usize) -> f32 {
    let value = (episode * 7919 + index * 104_729) % 1_000_003;
    (value as f64 / 1_000_003.0) as f32
}

/// Of a rollout of one object at rest.
fn record() -> Record {
    let pose = Pose::identity();
    let rollout = Rollout {
        dt: 0.02,
        nu: 0,
        ctrl: Vec::new(),
        qpos0: Vec::new(),
        qvel0: Vec::new(),
        qpos: vec![Vec::new(); 2],
        objects: vec![ObjectRollout {
            name: "box".to_owned(),
            world_from_object: vec![pose; 2],
            joint: None,
        }],
        hands: vec![HandRollout {
            hand: "bench".to_owned(),
            side: Side::Right,
            keypoints: Vec::new(),
            keypoints_in_world: vec![Vec::new(); 2],
        }],
        contacts: vec![StepContacts::default()],
        touches: vec![Vec::new()],
        saturated: vec![0.0],
        finite: true,
        seed: 0,
        engine: "none".to_owned(),
    };
    let frame =
        |step| ReferenceFrame { step, world_from_object: vec![pose], human_keypoints: vec![None] };
    let reference = Reference { frames: (0..2).map(frame).collect() };
    let accepted = rollout.accept(&reference, &Limits::default()).expect("the object rests");
    Record::of(&accepted, &Provenance::default())
}
