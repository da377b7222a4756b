//! DexYCB: the folder `SUBJECT/SEQUENCE` of a download, whose `calibration` and `models` lie above.
//!
//! `pose.npz` has `pose_y (T, objects, 7)`, quaternion **xyzw** and metres, and `pose_m (T, hands, 51)`:
//! axis-angle of the wrist, 45 principal components around the mean pose, translation. Without MANO the
//! keypoints are those of a camera's labels (`CAMERA/labels_NNNNNN.npz`, `joint_3d`, in that camera's
//! frame). The world is the master camera; the tag on the table, `apriltag` of the extrinsics, has
//! z up. 30 Hz.

use super::models::{Convention, Models, betas, from_matrix, mesh, part};
use super::yaml::{self, Yaml};
use super::{ImportOptions, Recording, find, stem};
use crate::clip::options::{Unit, UpAxis, file_name};
use crate::mano::{Origin, Tips};
use crate::{DataError, Npz, atomic};
use dextra_core::demonstration::{Keypoints, keypoint};
use dextra_core::{Pose, Side, pose};
use nalgebra::Point3;
use std::path::{Path, PathBuf};

const CONVENTION: Convention = Convention { origin: Origin::Model, tips: Tips::Manopth };

/// Largest calibration file, bytes.
const MAX_YAML: u64 = 1 << 20;

/// Numbers of a hand's pose.
const HAND: usize = 51;

/// Objects by their number, from 1.
const YCB: [&str; 21] = [
    "002_master_chef_can",
    "003_cracker_box",
    "004_sugar_box",
    "005_tomato_soup_can",
    "006_mustard_bottle",
    "007_tuna_fish_can",
    "008_pudding_box",
    "009_gelatin_box",
    "010_potted_meat_can",
    "011_banana",
    "019_pitcher_base",
    "021_bleach_cleanser",
    "024_bowl",
    "025_mug",
    "035_power_drill",
    "036_wood_block",
    "037_scissors",
    "040_large_marker",
    "051_large_clamp",
    "052_extra_large_clamp",
    "061_foam_brick",
];

/// A folder of the download and what it says.
struct Sequence<'a> {
    path: &'a Path,
    opts: &'a ImportOptions,
    meta: Yaml,
    extrinsics: Yaml,
    inputs: Vec<(String, String)>,
}

pub(super) fn read(path: &Path, opts: &ImportOptions) -> Result<Recording, DataError> {
    let mut sequence =
        Sequence { path, opts, meta: Yaml::new(), extrinsics: Yaml::new(), inputs: Vec::new() };
    sequence.meta = sequence.yaml(&path.join("meta.yml"))?;
    let calibration = sequence.word("extrinsics")?;
    let file = sequence.calibration(&format!("extrinsics_{calibration}/extrinsics.yml"))?;
    sequence.extrinsics = sequence.yaml(&file)?;
    let tag_from_master = sequence.camera("apriltag")?.inverse();

    let npz = Npz::open(&path.join("pose.npz"))?;
    sequence.inputs.push(("pose.npz".into(), npz.sha256().to_owned()));
    let mut recording = Recording {
        name: stem(path),
        fps: Some(30.0),
        up: Some(UpAxis::Z),
        unit: Some(Unit::Metre),
        source: format!("DexYCB, {} {}", path.parent().map(stem).unwrap_or_default(), stem(path)),
        licence: "CC-BY-NC-4.0".into(),
        ..Recording::default()
    };
    let (shape, values) = npz.array_f64("pose_m")?;
    let frames = match shape[..] {
        [frames, _, HAND] => frames,
        _ => {
            return Err(
                npz.problem("pose_m", format!("[T, hands, {HAND}] was expected, not {shape:?}"))
            );
        }
    };
    let side = match sequence.word("mano_sides")?.as_str() {
        "left" => Side::Left,
        _ => Side::Right,
    };
    let mut track = match opts.mano {
        Some(_) => {
            let models = Models::load(path, opts, &[side], false)?;
            let track = sequence.modelled(&models, side, &values)?;
            models.acknowledge(&mut recording);
            track
        }
        None => sequence.labelled(frames, &mut recording.notes)?,
    };
    for point in track.iter_mut().flatten().flatten() {
        *point = tag_from_master * *point;
    }
    recording.hands.push((Some(side), track));
    sequence.objects(&npz, &tag_from_master, &mut recording)?;
    recording.inputs.append(&mut sequence.inputs);
    Ok(recording)
}

impl Sequence<'_> {
    fn yaml(&mut self, file: &Path) -> Result<Yaml, DataError> {
        let bytes = atomic::read_file(file, MAX_YAML)?;
        self.inputs.push((file_name(file), atomic::sha256_hex(&bytes)));
        let text = std::str::from_utf8(&bytes).map_err(|_| DataError::format(file, "not UTF-8"))?;
        yaml::parse(text).map_err(|e| DataError::format(file, e))
    }

    /// The first scalar under a key of `meta.yml`, fit for a file name.
    fn word(&self, key: &str) -> Result<String, DataError> {
        let word = self.meta.get(key).and_then(|words| words.first());
        let sound = |w: &&String| w.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        word.filter(sound).cloned().ok_or_else(|| {
            DataError::field(&self.path.join("meta.yml"), key, "one word was expected")
        })
    }

    /// A file of the folder `calibration`, which is somewhere above.
    fn calibration(&self, name: &str) -> Result<PathBuf, DataError> {
        let folders = super::models::above(self.path, self.opts);
        find(&folders, &[format!("calibration/{name}"), format!("../calibration/{name}")])
            .ok_or_else(|| DataError::format(self.path, format!("no calibration/{name} above")))
    }

    /// `master_from_camera`, or from the tag.
    fn camera(&self, name: &str) -> Result<Pose, DataError> {
        let rows: Option<Vec<f64>> = self
            .extrinsics
            .get(&format!("extrinsics.{name}"))
            .and_then(|row| row.iter().map(|x| x.parse().ok()).collect());
        rows.filter(|rows| rows.len() == 12).and_then(|rows| from_matrix(&rows)).ok_or_else(|| {
            let problem = format!("no rigid motion of 12 numbers for `{name}`");
            DataError::field(self.path, "extrinsics", problem)
        })
    }

    /// Keypoints of the first hand in the master camera's frame.
    fn modelled(
        &mut self,
        models: &Models,
        side: Side,
        values: &[f64],
    ) -> Result<Vec<Option<Keypoints>>, DataError> {
        let Some(mano) = models.of(side) else { return Ok(Vec::new()) };
        let file = self.calibration(&format!("mano_{}/mano.yml", self.word("mano_calib")?))?;
        let shape = self.yaml(&file)?;
        let shape: Option<Vec<f64>> =
            shape.get("betas").and_then(|b| b.iter().map(|x| x.parse().ok()).collect());
        let shape =
            shape.ok_or_else(|| DataError::field(&file, "betas", "numbers were expected"))?;
        let shaped = mano.shaped(&betas(&shape));
        let hands = self.meta.get("mano_sides").map_or(1, Vec::len).max(1);
        Ok(values
            .chunks_exact(HAND * hands)
            .map(|row| {
                // All zeros where the hand is not in view.
                if row[..HAND].iter().all(|x| *x == 0.0) {
                    return None;
                }
                let fingers = mano.from_components(&row[3..48], false);
                Some(CONVENTION.keypoints(&shaped, part(row, 0), &fingers, part(row, 48)))
            })
            .collect())
    }

    /// The same from one camera's labels: the master's if they are there.
    fn labelled(
        &mut self,
        frames: usize,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Option<Keypoints>>, DataError> {
        let master = self.extrinsics.get("master").and_then(|m| m.first().cloned());
        let serials = self.meta.get("serials").cloned().unwrap_or_default();
        let camera = master.into_iter().chain(serials).find(|serial| {
            serial.chars().all(char::is_alphanumeric)
                && self.path.join(serial).join("labels_000000.npz").is_file()
        });
        let Some(camera) = camera else {
            let problem = "no camera's labels_000000.npz is here, and no MANO model is named \
                           (--mano DIR)";
            return Err(DataError::format(self.path, problem));
        };
        let master_from_camera = self.camera(&camera)?;
        let mut digests = String::new();
        let mut track = Vec::new();
        for frame in 0..frames {
            let npz = Npz::open(&self.path.join(&camera).join(format!("labels_{frame:06}.npz")))?;
            digests += npz.sha256();
            let (shape, values) = npz.array_f64("joint_3d")?;
            if values.len() < 3 * keypoint::COUNT {
                return Err(
                    npz.problem("joint_3d", format!("[1, 21, 3] was expected, not {shape:?}"))
                );
            }
            // All are -1 where the hand is not in view.
            let seen = values.iter().any(|x| *x != -1.0);
            track.push(seen.then(|| {
                std::array::from_fn(|k| {
                    master_from_camera * Point3::from_slice(&values[3 * k..3 * k + 3])
                })
            }));
        }
        let digest = atomic::sha256_hex(digests.as_bytes());
        self.inputs.push((format!("{camera}/labels_*.npz, digest of digests"), digest));
        notes.push(format!("Keypoints are those of the labels of camera {camera}."));
        Ok(track)
    }

    fn objects(
        &self,
        npz: &Npz,
        tag_from_master: &Pose,
        recording: &mut Recording,
    ) -> Result<(), DataError> {
        let (shape, values) = npz.array_f64("pose_y")?;
        let ids = self.meta.get("ycb_ids").cloned().unwrap_or_default();
        match shape[..] {
            [_, objects, 7] if objects == ids.len() => {}
            _ => {
                let problem = format!("[T, {}, 7] was expected, not {shape:?}", ids.len());
                return Err(npz.problem("pose_y", problem));
            }
        }
        for (index, id) in ids.iter().enumerate() {
            let number = id.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            let Some(name) = number.and_then(|n| YCB.get(n)) else {
                let problem = format!("`{id}` is not one of 1 to {}", YCB.len());
                return Err(DataError::field(&self.path.join("meta.yml"), "ycb_ids", problem));
            };
            let mut poses = Vec::new();
            for (frame, row) in values.chunks_exact(7 * ids.len()).enumerate() {
                let row = &row[7 * index..7 * index + 7];
                let [x, y, z, w, px, py, pz] = part(row, 0);
                // No turn at the origin, in the camera itself: not annotated.
                if row == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0] {
                    poses.push(None);
                    continue;
                }
                let norm = (w * w + x * x + y * y + z * z).sqrt();
                if (norm - 1.0).abs() > 1e-2 || norm.is_nan() {
                    let problem = format!("a quaternion of norm {norm:.3}");
                    return Err(DataError::frame(npz.file(), "pose_y", frame, problem));
                }
                poses.push(Some(tag_from_master * pose::from_pos_quat([px, py, pz], [w, x, y, z])));
            }
            let files = ["textured_simple.obj", "textured.obj"];
            let names: Vec<String> = files
                .iter()
                .flat_map(|file| [format!("models/{name}/{file}"), format!("{name}/{file}")])
                .collect();
            let mesh = mesh(self.path, self.opts, &names, 1.0, &mut recording.inputs)?;
            // A name begins with a letter: the number goes to its end.
            let name =
                name.split_once('_').map_or(name.to_string(), |(n, name)| format!("{name}_{n}"));
            recording.objects.push((name, mesh, poses));
        }
        Ok(())
    }
}
