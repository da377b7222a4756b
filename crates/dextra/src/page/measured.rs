//! What `rollout.npz` has to be plotted.

use super::plot::{Line, Plot};
use crate::error::Error;
use crate::report::Details;
use dextra_core::demonstration::keypoint;
use dextra_core::mesh::TriMesh;
use dextra_core::pose;
use dextra_core::rollout::{HandRollout, Limits, Reference, Rollout, StepContacts};
use dextra_data::rollout::{RolloutFile, load_rollout};
use dextra_data::{DataError, Npz};
use dextra_sim::scene::exported::{Exported, Shape};
use nalgebra::{Point3, Vector3};
use std::path::Path;

const STAGE: &str = "reading the result";
/// Fingers in the order of keypoints, four of them each after the wrist; the last is for all else.
pub(super) const FINGERS: [&str; 6] = ["thumb", "index", "middle", "ring", "little", "palm"];
const SECONDS: &str = "time, s";

/// The arrays of a rollout.
pub struct Measured {
    file: RolloutFile,
    /// Whether each judged frame was demonstrated.
    shown: Vec<bool>,
    touches: Vec<Touched>,
    /// Keypoints of each human hand at judged frames, `[frames * 21]`, NaN where there are none; empty in
    /// files that lack them.
    human: Vec<Vec<Point3<f64>>>,
}

/// A contact between a hand and an object, as in the file.
pub struct Touched {
    /// Step.
    pub step: usize,
    /// Hand, in the order of the rollout's.
    pub hand: usize,
    /// Where, world frame, metres.
    pub point: Point3<f64>,
    /// Unit normal into the object, world frame.
    pub normal: Vector3<f64>,
    /// Normal force, N.
    pub force: f64,
}

impl Measured {
    /// The rollout, without [`Rollout::touches`].
    pub fn rollout(&self) -> &Rollout {
        &self.file.rollout
    }

    /// What it is judged against.
    pub fn reference(&self) -> &Reference {
        &self.file.reference
    }

    /// Keypoints of each human hand at judged frames, `[frames * 21]`, NaN where there are none.
    pub fn human(&self) -> &[Vec<Point3<f64>>] {
        &self.human
    }

    /// All contacts, in the order of steps.
    pub fn touches(&self) -> &[Touched] {
        &self.touches
    }

    /// Reads `rollout.npz` in `dir`; `None` where there is none.
    pub fn read(dir: &Path) -> Result<Option<Measured>, Error> {
        let path = dir.join("rollout.npz");
        if !path.is_file() {
            return Ok(None);
        }
        read(&path).map(Some).map_err(Error::stage(STAGE))
    }

    /// The mesh of the body that is where object number `object` is at the start; its frame is the object's.
    pub fn mesh_of<'a>(
        &self,
        shapes: &'a [Shape],
        scene: &Exported,
        object: usize,
    ) -> Option<&'a TriMesh> {
        let rollout = self.rollout();
        let places = scene.world_from_bodies(rollout.qpos.first()?);
        let there = rollout.objects[object].world_from_object.first()?;
        let near = |shape: &&Shape| {
            let place = &places[shape.index];
            pose::distance_between(place, there) < 1e-6 && pose::angle_between(place, there) < 1e-6
        };
        shapes
            .iter()
            .filter(|shape| shape.body.starts_with("object/"))
            .find(near)
            .map(|shape| &shape.mesh)
    }

    /// When a state is, seconds.
    pub fn seconds(&self, step: usize) -> f64 {
        step as f64 * self.file.rollout.dt
    }

    /// A plot over time with the planned parts shaded and lift and put-down marked.
    fn over_time(&self, details: Option<&Details>, title: &str, lines: Vec<Line>) -> Plot {
        let frames = &self.file.reference.frames;
        let end = self.seconds(self.file.rollout.steps());
        let at = |index: usize| self.seconds(frames[index].step);
        let first = self.shown.iter().position(|&s| s);
        let last = self.shown.iter().rposition(|&s| s);
        let shaded = match (first, last) {
            (Some(first), Some(last)) => vec![(0.0, at(first)), (at(last), end)],
            _ => Vec::new(),
        };
        let marks = events(details);
        let title = title.to_owned();
        Plot { title, axis: SECONDS, lines, shaded, marks, until: end, ..Plot::default() }
    }

    /// All plots of one run.
    pub fn plots(&self, details: Option<&Details>) -> Vec<Plot> {
        let limits = Limits::default().protocol.every_frame();
        let mut plots = vec![
            Plot {
                limit: limits.map(|(position, _)| position * 100.0),
                at_least: 0.5,
                ..self.over_time(details, "Object position error, cm", self.errors(position_cm))
            },
            Plot {
                limit: limits.map(|(_, rotation)| rotation.to_degrees()),
                at_least: 2.0,
                ..self.over_time(details, "Object rotation error, deg", self.errors(rotation_deg))
            },
        ];
        for (index, hand) in self.file.rollout.hands.iter().enumerate() {
            let name = self.hand_name(index);
            let title = format!("Contact force by finger{name}, N");
            plots.push(Plot {
                at_least: 1.0,
                ..self.over_time(details, &title, self.forces(index, hand))
            });
            let title = format!("Fingertip error{name}, cm from the human's");
            plots.push(Plot {
                at_least: 1.0,
                ..self.over_time(details, &title, self.fingertips(index, hand))
            });
        }
        let contacts = &self.file.rollout.contacts;
        let depth = |name: &str, value: &dyn Fn(usize) -> f64| {
            let points = (0..contacts.len()).map(|i| (self.seconds(i), value(i) * 1000.0));
            Line { name: name.to_owned(), points: points.collect() }
        };
        let lines = vec![
            depth("hand and object", &|i| contacts[i].hand_object_penetration),
            depth("hand and hand", &|i| contacts[i].self_penetration),
            depth("hand and table", &|i| contacts[i].hand_table_penetration),
        ];
        plots.push(Plot {
            limit: Limits::default().object_penetration.map(|limit| limit * 1000.0),
            at_least: 1.0,
            ..self.over_time(
                details,
                "Penetration, mm; the limit is for the 99th percentile",
                lines,
            )
        });
        plots
    }

    /// Worst position and rotation error over objects, the summed contact force and how many points touch: one
    /// line of `name` each, to be laid over other runs.
    pub fn summary(&self, name: &str) -> [Line; 4] {
        let worst = |lines: Vec<Line>| {
            let mut points = lines.first().map(|line| line.points.clone()).unwrap_or_default();
            for line in &lines {
                for (worst, point) in points.iter_mut().zip(&line.points) {
                    worst.1 = worst.1.max(point.1);
                }
            }
            Line { name: name.to_owned(), points }
        };
        let by_step = |value: fn(&StepContacts) -> f64| {
            let contacts = self.file.rollout.contacts.iter().enumerate();
            let points = contacts.map(|(step, c)| (self.seconds(step), value(c))).collect();
            Line { name: name.to_owned(), points }
        };
        [
            worst(self.errors(position_cm)),
            worst(self.errors(rotation_deg)),
            by_step(|contacts| contacts.hand_object_force),
            by_step(|contacts| f64::from(contacts.hand_object_count)),
        ]
    }

    /// Nothing for a single hand, else its side.
    pub(super) fn hand_name(&self, index: usize) -> String {
        let hands = &self.file.rollout.hands;
        if hands.len() > 1 { format!(", {} hand", hands[index].side.name()) } else { String::new() }
    }

    fn errors(&self, error: fn(&dextra_core::Pose, &dextra_core::Pose) -> f64) -> Vec<Line> {
        let frames = &self.file.reference.frames;
        let objects = &self.file.rollout.objects;
        let line = |(index, object): (usize, &dextra_core::rollout::ObjectRollout)| {
            let value = |frame: &dextra_core::rollout::ReferenceFrame| {
                let measured = &object.world_from_object[frame.step];
                (self.seconds(frame.step), error(measured, &frame.world_from_object[index]))
            };
            let name = match objects.len() {
                1 => "object".to_owned(),
                _ => format!("object {}", index + 1),
            };
            Line { name, points: frames.iter().map(value).collect() }
        };
        objects.iter().enumerate().map(line).collect()
    }

    /// Normal force on every finger that touched anything. A contact counts for the finger of the
    /// nearest tracked point.
    pub(super) fn forces(&self, index: usize, hand: &HandRollout) -> Vec<Line> {
        let steps = self.file.rollout.steps();
        let mut sums = vec![vec![0.0; steps]; FINGERS.len()];
        for touch in self.touches.iter().filter(|touch| touch.hand == index) {
            let tracked = hand.keypoints.iter().zip(&hand.keypoints_in_world[touch.step]);
            let nearest = tracked.min_by(|a, b| {
                let away = |p: &Point3<f64>| nalgebra::distance(p, &touch.point);
                away(a.1).total_cmp(&away(b.1))
            });
            let finger = nearest.map_or(5, |(&k, _)| if k == 0 { 5 } else { ((k - 1) / 4).min(5) });
            sums[finger][touch.step] += touch.force;
        }
        let named = FINGERS.iter().zip(sums).filter(|(_, sum)| sum.iter().any(|&f| f > 0.0));
        named
            .map(|(name, sum)| {
                let points = sum.into_iter().enumerate().map(|(s, f)| (self.seconds(s), f));
                Line { name: (*name).to_owned(), points: points.collect() }
            })
            .collect()
    }

    /// Distance of every tracked fingertip from the human's.
    fn fingertips(&self, index: usize, hand: &HandRollout) -> Vec<Line> {
        let Some(human) = self.human.get(index).filter(|points| !points.is_empty()) else {
            return Vec::new();
        };
        let tips = hand.keypoints.iter().enumerate().filter(|(_, k)| keypoint::TIPS.contains(*k));
        tips.map(|(tracked, &k)| {
            let frames = self.file.reference.frames.iter().enumerate();
            let points = frames.map(|(frame, reference)| {
                let robot = hand.keypoints_in_world[reference.step][tracked];
                let away = nalgebra::distance(&robot, &human[frame * keypoint::COUNT + k]);
                (self.seconds(reference.step), away * 100.0)
            });
            Line { name: FINGERS[((k.max(1) - 1) / 4).min(5)].to_owned(), points: points.collect() }
        })
        .collect()
    }
}

/// When objects are lifted and back at rest, seconds.
pub(super) fn events(details: Option<&Details>) -> Vec<f64> {
    details.map(|d| [d.lift_s, d.put_s]).into_iter().flatten().flatten().collect()
}

fn position_cm(a: &dextra_core::Pose, b: &dextra_core::Pose) -> f64 {
    pose::distance_between(a, b) * 100.0
}

fn rotation_deg(a: &dextra_core::Pose, b: &dextra_core::Pose) -> f64 {
    pose::angle_between(a, b).to_degrees()
}

fn read(path: &Path) -> Result<Measured, DataError> {
    let file = load_rollout(path)?;
    let npz = Npz::open(path)?;
    let frames = file.reference.frames.len();
    let (_, shown) = npz.array_i64("judged_demonstrated")?;
    if shown.len() != frames {
        return Err(npz.problem("judged_demonstrated", format!("not of {frames} frames")));
    }
    let (_, step) = npz.array_i64("touch_step")?;
    let (_, hand) = npz.array_i64("touch_hand")?;
    let (_, force) = npz.array_f64("touch_force_n")?;
    let (_, place) = npz.array_f64("touch_pos_m")?;
    let (_, normal) = npz.array_f64("touch_normal")?;
    let count = step.len();
    let vectors = place.len() == 3 * count && normal.len() == 3 * count;
    if hand.len() != count || force.len() != count || !vectors {
        return Err(npz.problem("touch_step", "the arrays of contacts differ in length"));
    }
    let mut touches = Vec::with_capacity(count);
    for (i, (p, n)) in place.chunks_exact(3).zip(normal.chunks_exact(3)).enumerate() {
        let at = usize::try_from(step[i]).ok().filter(|&s| s < file.rollout.steps());
        let of = usize::try_from(hand[i]).ok().filter(|&h| h < file.rollout.hands.len());
        let (Some(at), Some(of)) = (at, of) else {
            return Err(npz.problem("touch_step", format!("contact {i} is of no step or hand")));
        };
        touches.push(Touched {
            step: at,
            hand: of,
            point: Point3::new(p[0], p[1], p[2]),
            normal: Vector3::new(n[0], n[1], n[2]),
            force: force[i],
        });
    }
    let mut human = Vec::new();
    for hand in &file.rollout.hands {
        let key = format!("{}_human_keypoints_m", hand.side.name());
        if !npz.contains(&key) {
            human.push(Vec::new());
            continue;
        }
        let (shape, points) = npz.array_f64(&key)?;
        if shape != [frames, keypoint::COUNT, 3] {
            let problem = format!("the shape is {shape:?}, not [{frames}, {}, 3]", keypoint::COUNT);
            return Err(npz.problem(&key, problem));
        }
        human.push(points.chunks_exact(3).map(|p| Point3::new(p[0], p[1], p[2])).collect());
    }
    Ok(Measured { file, shown: shown.into_iter().map(|s| s != 0).collect(), touches, human })
}
