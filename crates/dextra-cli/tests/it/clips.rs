//! A good clip in a folder of its own, to be spoilt.

use crate::{dextra, stderr};
use dextra_data::{Npz, NpzWriter};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The built-in cube as files: `cube.npz` and `cube_cube.obj`.
pub struct Clip {
    /// The folder with the files.
    pub dir: TempDir,
    /// Arrays of numbers: key, shape, values.
    pub arrays: Vec<(String, Vec<usize>, Vec<f64>)>,
    /// Texts.
    pub texts: Vec<(String, String)>,
}

impl Clip {
    /// The unspoilt clip.
    pub fn cube() -> Clip {
        let dir = tempfile::tempdir().unwrap();
        let written =
            dextra().args(["demo", "synth", "cube", "--out"]).arg(dir.path()).output().unwrap();
        assert!(written.status.success(), "{}", stderr(&written));
        let npz = Npz::open(&dir.path().join("cube.npz")).unwrap();
        let numbers = ["fps", "joints21", "obj_pos", "obj_quat_wxyz", "mass_kg"];
        let texts = ["side", "obj_names", "mesh", "unit", "mesh_unit", "up_axis"];
        Clip {
            arrays: numbers
                .map(|key| {
                    let (shape, values) = npz.array_f64(key).unwrap();
                    (key.to_owned(), shape, values)
                })
                .to_vec(),
            texts: texts.map(|key| (key.to_owned(), npz.string(key).unwrap())).to_vec(),
            dir,
        }
    }

    /// The cube stays where it is while the hand goes through the motion of lifting it: the robot
    /// moves it, so the transfer is rejected, at once, as there is nothing to search for.
    pub fn still() -> Clip {
        let mut clip = Clip::cube();
        for (key, width) in [("obj_pos", 3), ("obj_quat_wxyz", 4)] {
            let values = clip.values(key);
            let first = values[..width].to_vec();
            values.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(&first));
        }
        clip.save();
        clip
    }

    /// `cube.npz`.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("cube.npz")
    }

    /// The mesh that the clip names.
    pub fn mesh(&self) -> PathBuf {
        self.dir.path().join("cube_cube.obj")
    }

    /// A folder for results that is not there yet.
    pub fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// The values of an array.
    pub fn values(&mut self, key: &str) -> &mut Vec<f64> {
        &mut self.array(key).2
    }

    /// The shape of an array.
    pub fn shape(&mut self, key: &str) -> &mut Vec<usize> {
        &mut self.array(key).1
    }

    fn array(&mut self, key: &str) -> &mut (String, Vec<usize>, Vec<f64>) {
        self.arrays.iter_mut().find(|array| array.0 == key).unwrap()
    }

    /// States a text, or with `None` leaves it out.
    pub fn state(&mut self, key: &str, text: Option<&str>) {
        self.texts.retain(|(other, _)| other != key);
        self.texts.extend(text.map(|text| (key.to_owned(), text.to_owned())));
    }

    /// Writes the arrays and texts to [`Clip::path`].
    pub fn save(&self) {
        let mut npz = NpzWriter::create(&self.path()).unwrap();
        for (key, shape, values) in &self.arrays {
            npz.array_f64(key, shape, values).unwrap();
        }
        for (key, text) in &self.texts {
            npz.string(key, text).unwrap();
        }
        npz.finish().unwrap();
    }
}

/// The OBJ text of a cube of 6 cm whose sides are squares of `n` by `n`; `skip` leaves faces out.
pub fn cube_obj(n: usize, scale: f64, skip: impl Fn(usize) -> bool) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let at = |i: usize| 0.03 * scale * (2.0 * i as f64 / n as f64 - 1.0);
    let mut faces = 0;
    for side in 0..6 {
        let (axis, up) = (side / 2, side % 2 == 1);
        for i in 0..=n {
            for j in 0..=n {
                let mut p = [0.0; 3];
                p[axis] = at(if up { n } else { 0 });
                p[(axis + 1) % 3] = at(i);
                p[(axis + 2) % 3] = at(j);
                writeln!(text, "v {} {} {}", p[0], p[1], p[2]).unwrap();
            }
        }
        let corner = |i: usize, j: usize| side * (n + 1) * (n + 1) + i * (n + 1) + j + 1;
        for i in 0..n {
            for j in 0..n {
                let square =
                    [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)];
                let [a, b, c, d] = square;
                for [a, b, c] in [[a, b, c], [a, c, d]] {
                    let (b, c) = if up { (b, c) } else { (c, b) };
                    if !skip(faces) {
                        writeln!(text, "f {a} {b} {c}").unwrap();
                    }
                    faces += 1;
                }
            }
        }
    }
    text
}

/// Writes `text` to `name` beside the clip and returns its path.
pub fn beside(clip: &Clip, name: &str, text: &str) -> PathBuf {
    let path: &Path = clip.dir.path();
    let path = path.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
