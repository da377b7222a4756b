//! Rollouts read back from their files.

use dextra_core::rollout::Limits;
use dextra_data::{DataError, NpzWriter, RolloutFile, load_rollout};
use std::path::Path;

/// Arrays of numbers: key, shape, values.
type Arrays = Vec<(&'static str, Vec<usize>, Vec<f64>)>;

/// A rollout of 4 steps in which an object moves along x as it should.
fn arrays() -> Arrays {
    let along = |rows: usize| (0..rows).flat_map(|i| [0.01 * i as f64, 0.0, 0.0]).collect();
    let upright = |rows: usize| (0..rows).flat_map(|_| [1.0, 0.0, 0.0, 0.0]).collect();
    let mut all: Arrays = vec![
        ("timestep_s", vec![], vec![0.002]),
        ("qpos", vec![5, 3], (0..15).map(f64::from).collect()),
        ("ctrl", vec![4, 2], (0..8).map(f64::from).collect()),
        ("object_pos", vec![5, 1, 3], along(5)),
        ("object_quat_wxyz", vec![5, 1, 4], upright(5)),
        ("right_keypoints_m", vec![5, 2, 3], vec![0.5; 30]),
        ("reference_pos_m", vec![5, 1, 3], along(5)),
        ("reference_quat_wxyz", vec![5, 1, 4], upright(5)),
    ];
    let columns = [
        "hand_object_contacts",
        "hand_object_force_n",
        "hand_object_penetration_m",
        "self_penetration_m",
        "hand_table_penetration_m",
        "saturated_fraction",
    ];
    all.extend(columns.map(|key| (key, vec![4], vec![0.0; 4])));
    all
}

fn load(arrays: &Arrays, judged: &[i64]) -> Result<RolloutFile, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rollout.npz");
    write(&path, arrays, judged).unwrap();
    load_rollout(&path)
}

fn write(path: &Path, arrays: &Arrays, judged: &[i64]) -> Result<(), DataError> {
    let mut writer = NpzWriter::create(path)?;
    for (key, shape, values) in arrays {
        writer.array_f64(key, shape, values)?;
    }
    writer.array_i64("right_keypoint", &[2], &[4, 8])?;
    writer.array_i64("judged_step", &[judged.len()], judged)?;
    writer.array_i64("seed", &[], &[7])?;
    writer.string("engine", "a test")?;
    writer.string("source", "a recording")?;
    writer.string("licence", "CC-BY-4.0")?;
    writer.strings("inputs_sha256", &[1, 2], &["clip.npz", "00"])?;
    writer.finish()
}

#[test]
fn a_rollout_that_is_read_is_judged_as_it_was() {
    let file = load(&arrays(), &[0, 1, 2, 3, 4]).unwrap();
    assert_eq!((file.rollout.steps(), file.rollout.nu, file.rollout.seed), (4, 2, 7));
    assert_eq!(file.rollout.qpos[4], [12.0, 13.0, 14.0]);
    assert_eq!(file.provenance.licence, "CC-BY-4.0");
    let names: Vec<&str> = file.provenance.inputs_sha256.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["clip.npz", "rollout.npz"]);
    assert!(file.rollout.accept(&file.reference, &Limits::default()).is_ok());

    let mut off = arrays();
    off[3].2[12] += 0.05;
    let file = load(&off, &[0, 1, 2, 3, 4]).unwrap();
    let rejection = file.rollout.accept(&file.reference, &Limits::default()).unwrap_err();
    assert!(rejection.to_string().contains("5.0 cm"), "{rejection}");
}

#[test]
fn arrays_that_do_not_belong_together_are_named() {
    let judged = [0, 1, 2, 3, 4];
    for at in 0..arrays().len() {
        let key = arrays()[at].0;
        let mut missing = arrays();
        missing.remove(at);
        if key != "right_keypoints_m" {
            let error = load(&missing, &judged).unwrap_err().to_string();
            assert!(error.contains(key), "{key}: {error}");
        }
        let mut longer = arrays();
        let (_, shape, values) = &mut longer[at];
        match shape.first_mut() {
            Some(rows) => {
                *rows += 1;
                values.resize(shape.iter().product(), 0.0);
            }
            None => values[0] = f64::NAN,
        }
        assert!(load(&longer, &judged).is_err(), "{key}");
    }
    for judged in [[0, 1, 2, 3, 5], [-1, 0, 1, 2, 3]] {
        assert!(load(&arrays(), &judged).unwrap_err().to_string().contains("judged_step"));
    }
    let mut turned = arrays();
    turned[4].2[0] = 0.5;
    assert!(load(&turned, &judged).unwrap_err().to_string().contains("object_quat_wxyz"));
}
