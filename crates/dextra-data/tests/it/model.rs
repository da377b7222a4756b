//! A made-up hand model of MANO's shapes, for the tests and for the fuzz targets (`fuzz/src/lib.rs`).

use dextra_data::NpzWriter;
use dextra_data::clip::myohand::{JOINTS as MYOHAND, keypoints_in_world};
use dextra_data::mano::{POSE, TO_KEYPOINTS, VERTICES};
use std::path::Path;

/// Writes `MANO_RIGHT.npz` and `MANO_LEFT.npz`: the skeleton of a hand with fingers a little curled,
/// one vertex per joint and fingertip, moved by that joint alone; other numbers are made up.
pub fn models(folder: &Path) {
    let mut q = [0.0; MYOHAND];
    q[13..].fill(0.3);
    let points = keypoints_in_world(&q);
    for (name, sign) in [("MANO_RIGHT", 1.0), ("MANO_LEFT", -1.0)] {
        let mut template = vec![0.0; 3 * VERTICES];
        let (mut weights, mut regressor) = (vec![0.0; 16 * VERTICES], vec![0.0; 16 * VERTICES]);
        let mut place = |vertex: usize, keypoint: usize, joint: usize| {
            let p = points[keypoint];
            template[3 * vertex..3 * vertex + 3].copy_from_slice(&[sign * p.x, p.y, p.z]);
            weights[16 * vertex + joint] = 1.0;
        };
        (0..VERTICES).for_each(|vertex| place(vertex, 0, 0));
        for (keypoint, &index) in TO_KEYPOINTS.iter().enumerate() {
            if index < 16 {
                place(index, keypoint, index);
                regressor[index * VERTICES + index] = 1.0;
                continue;
            }
            let finger = index - 16;
            let joint = [15, 3, 6, 12, 9][finger];
            let (a, b) = ([745, 317, 444, 556, 673][finger], [744, 320, 443, 554, 671][finger]);
            [a, b].into_iter().for_each(|vertex| place(vertex, keypoint, joint));
        }
        place(445, 12, 6);
        for vertex in weights.chunks_exact_mut(16) {
            if vertex[1..].iter().any(|w| *w > 0.0) {
                vertex[0] = 0.0;
            }
        }
        let shape: Vec<f64> = (0..30 * VERTICES).map(|i| 1e-4 * (i * 7 % 5) as f64).collect();
        let parents = [0i64, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14];
        let tree: Vec<i64> = parents.into_iter().chain(0..16).collect();
        let identity: Vec<f64> =
            (0..POSE * POSE).map(|i| if i / POSE == i % POSE { 1.0 } else { 0.0 }).collect();
        let mut npz = NpzWriter::create(&folder.join(format!("{name}.npz"))).unwrap();
        npz.array_f64("v_template", &[VERTICES, 3], &template).unwrap();
        npz.array_f64("shapedirs", &[VERTICES, 3, 10], &shape).unwrap();
        npz.array_f64("posedirs", &[VERTICES, 3, 135], &vec![0.0; 405 * VERTICES]).unwrap();
        npz.array_f64("J_regressor", &[16, VERTICES], &regressor).unwrap();
        npz.array_f64("weights", &[VERTICES, 16], &weights).unwrap();
        npz.array_i64("kintree_table", &[2, 16], &tree).unwrap();
        npz.array_f64("hands_components", &[POSE, POSE], &identity).unwrap();
        npz.array_f64("hands_mean", &[POSE], &[0.02; POSE]).unwrap();
        npz.finish().unwrap();
    }
}
