//! What several test modules need: the shared recordings, Python, a small clip that is right.

use dextra_core::demonstration::{HandTrack, Keypoints, ObjectTrack, world_from_palm};
use dextra_core::{Demonstration, Pose, Provenance, Side, TriMesh};
use dextra_data::clip::myohand::{JOINTS, keypoints_in_world};
use dextra_data::{NpzWriter, write_obj};
use nalgebra::{Point3, UnitQuaternion, Vector3};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the shared recordings, or `None`, with a line saying so, where they are not there.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/demos").join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {relative} is not among the shared recordings of this machine");
    None
}

/// Runs a Python script with arguments in the interpreter that `DEXTRA_PYTHON` names, else `python3`,
/// and returns what it printed, or `None`, with a line saying so, where it or one of `modules` is
/// missing.
pub fn python(modules: &[&str], script: &str, args: &[&Path]) -> Option<String> {
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let imports = format!("import {}", modules.join(", "));
    let available = Command::new(&python).args(["-c", &imports]).output();
    if !available.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: {} has no {}; DEXTRA_PYTHON names another Python",
            python.display(),
            modules.join(" and ")
        );
        return None;
    }
    let output = Command::new(&python).arg("-c").arg(script).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A box of full side lengths `sides`, centred on the origin.
pub fn box_mesh(sides: [f64; 3]) -> TriMesh {
    let vertices = (0..8)
        .map(|i| {
            let sign = |bit: usize| if i >> bit & 1 == 1 { 0.5 } else { -0.5 };
            Point3::new(sign(0) * sides[0], sign(1) * sides[1], sign(2) * sides[2])
        })
        .collect();
    let quads: [[u32; 4]; 6] =
        [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
    let faces = quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect();
    TriMesh { vertices, faces }
}

/// A hand that comes from above, lifts a box off a table at z = 0.5, tilts it and puts it back:
/// 60 frames at 30 Hz. The left hand is the right one's mirror image.
pub fn lift(side: Side) -> Demonstration {
    let mut q = [0.0; JOINTS];
    for joint in [13, 15, 16, 17, 19, 20, 21, 23, 24, 25, 27, 28] {
        q[joint] = 0.6;
    }
    let curled = keypoints_in_world(&q);
    // Palm down, fingers along x.
    let level = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
    let turn = Pose::from_parts(Vector3::zeros().into(), level)
        * world_from_palm(&curled, Side::Right).unwrap().inverse();
    let tips = [4, 8, 12].iter().fold(Vector3::zeros(), |sum, &k| sum + curled[k].coords) / 3.0;
    let centre = turn * Point3::from(tips);
    let held: Keypoints = std::array::from_fn(|k| {
        let p = turn * curled[k] - centre;
        Point3::new(p.x, if side == Side::Left { -p.y } else { p.y }, p.z)
    });
    let rest = Pose::translation(0.1, -0.05, 0.53);
    let (mut poses, mut hand) = (Vec::new(), Vec::new());
    for frame in 0..60 {
        let carried = ((f64::from(frame) - 15.0) / 30.0).clamp(0.0, 1.0);
        let height = (carried * std::f64::consts::PI).sin();
        let away = (15.0 - f64::from(frame)).max(f64::from(frame) - 45.0).max(0.0) / 15.0;
        let tilt = UnitQuaternion::from_euler_angles(0.6 * height, 0.3 * height, 0.9 * height);
        let pose = Pose::from_parts(
            (rest.translation.vector + Vector3::new(0.0, 0.05 * carried, 0.2 * height)).into(),
            tilt,
        );
        let back = Vector3::new(0.0, 0.0, 0.15 * away);
        poses.push(pose);
        hand.push(held.map(|p| pose * p + back));
    }
    Demonstration {
        name: "lift".to_owned(),
        fps: 30.0,
        gravity: Vector3::new(0.0, 0.0, -9.81),
        hands: vec![HandTrack { side, keypoints_in_world: hand }],
        objects: vec![ObjectTrack {
            name: "box".to_owned(),
            mesh: box_mesh([0.06, 0.05, 0.06]),
            world_from_object: poses,
            mass: None,
            articulation: None,
        }],
        provenance: Provenance::default(),
    }
}

/// A keypoint clip as a stranger would write it, to be spoilt before it is saved.
pub struct Clip {
    /// Numeric arrays: key, shape, values.
    pub arrays: Vec<(String, Vec<usize>, Vec<f64>)>,
    /// Texts.
    pub texts: Vec<(String, String)>,
    /// The mesh, or none to write none.
    pub mesh: Option<TriMesh>,
    /// Stem of the clip's file name; the mesh is called `box.obj`.
    pub stem: String,
}

impl Clip {
    /// The keys of the shared box clip, with [`lift`] in them.
    pub fn new(side: Side) -> Clip {
        let demo = lift(side);
        let object = &demo.objects[0];
        let t = demo.frames();
        let joints: Vec<f64> = demo.hands[0]
            .keypoints_in_world
            .iter()
            .flatten()
            .flat_map(|p| [p.x, p.y, p.z])
            .collect();
        let poses = &object.world_from_object;
        let pos = poses.iter().flat_map(dextra_core::pose::pos).collect();
        let quat = poses.iter().flat_map(dextra_core::pose::quat_wxyz).collect();
        Clip {
            arrays: vec![
                ("fps".to_owned(), vec![], vec![30.0]),
                ("joints21".to_owned(), vec![t, 21, 3], joints),
                ("obj_pos".to_owned(), vec![t, 3], pos),
                ("obj_quat_wxyz".to_owned(), vec![t, 4], quat),
            ],
            texts: Vec::new(),
            mesh: Some(object.mesh.clone()),
            stem: "lift_box_1".to_owned(),
        }
    }

    /// The values of a key.
    pub fn values(&mut self, key: &str) -> &mut Vec<f64> {
        &mut self.arrays.iter_mut().find(|array| array.0 == key).unwrap().2
    }

    /// The shape of a key.
    pub fn shape(&mut self, key: &str) -> &mut Vec<usize> {
        &mut self.arrays.iter_mut().find(|array| array.0 == key).unwrap().1
    }

    /// States a text.
    pub fn state(&mut self, key: &str, text: &str) {
        self.texts.push((key.to_owned(), text.to_owned()));
    }

    /// Multiplies all positions.
    pub fn scale(&mut self, factor: f64) {
        for key in ["joints21", "obj_pos"] {
            self.values(key).iter_mut().for_each(|x| *x *= factor);
        }
    }

    /// Writes clip and mesh into `folder` and returns the clip's path.
    pub fn save(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.npz", self.stem));
        let mut npz = NpzWriter::create(&path).unwrap();
        for (key, shape, values) in &self.arrays {
            npz.array_f64(key, shape, values).unwrap();
        }
        for (key, text) in &self.texts {
            npz.string(key, text).unwrap();
        }
        npz.finish().unwrap();
        if let Some(mesh) = &self.mesh {
            std::fs::write(folder.join("box.obj"), write_obj(mesh)).unwrap();
        }
        path
    }
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
