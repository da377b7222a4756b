//! What a diagnosis knows beyond the rollout and its reference.

use crate::retime::{self, Peaks};
use crate::rollout::Reference;
use crate::signal::{self, MovingInterval};
use crate::{Demonstration, Pose, TriMesh};
use nalgebra::Point3;

/// Facts about the reference, the demonstration and the wrist servo.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// When the reference moves each object, in judged frames, `[O]`; `None` for one that rests.
    pub intervals: Vec<Option<MovingInterval>>,
    /// Peaks of each object's reference, `[O]`; empty when unknown.
    pub peaks: Vec<Peaks>,
    /// Distance between the commanded and the realised wrist after every physics step, metres,
    /// `[N]`; empty when not measured.
    pub wrist_error: Vec<f64>,
    /// The nearest that a demonstrated keypoint comes to a moving object, metres, see
    /// [`hand_distance_while_moving`]; `None` when unknown.
    pub hand_distance: Option<f64>,
}

impl Evidence {
    /// Evidence from the reference alone, whose judged frames are evenly spaced in time; `dt` is the
    /// physics step of the rollout, seconds.
    pub fn of_reference(reference: &Reference, dt: f64) -> Evidence {
        let frames = &reference.frames;
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
            return Evidence::default();
        };
        let seconds = (last.step.saturating_sub(first.step)) as f64 * dt;
        if frames.len() < 2 || seconds <= 0.0 {
            return Evidence::default();
        }
        let fps = (frames.len() - 1) as f64 / seconds;
        let objects = frames.iter().map(|f| f.world_from_object.len()).min().unwrap_or(0);
        let tracks = (0..objects)
            .map(|o| frames.iter().map(|f| f.world_from_object[o]).collect::<Vec<Pose>>());
        let mut evidence = Evidence::default();
        for track in tracks {
            evidence.intervals.push(signal::moving_interval(&track, fps));
            evidence.peaks.push(retime::track_peaks(&track, fps));
        }
        evidence
    }

    /// Adds how near the demonstrated hands come to the objects they move.
    pub fn with_demonstration(mut self, demo: &Demonstration) -> Evidence {
        self.hand_distance = hand_distance_while_moving(demo);
        self
    }

    /// Adds the tracking error of the wrist, metres, `[N]`.
    pub fn with_wrist_error(mut self, wrist_error: Vec<f64>) -> Evidence {
        self.wrist_error = wrist_error;
        self
    }
}

/// The largest over moving objects of the nearest distance, while it moves, between any keypoint of
/// any hand and its surface, metres. `None` without a hand or a moving object with a mesh.
///
/// Up to 32 evenly spaced frames of the motion are looked at: the hand holds the object throughout,
/// so any of them tells.
pub fn hand_distance_while_moving(demo: &Demonstration) -> Option<f64> {
    (0..demo.objects.len()).filter_map(|object| hand_distance(demo, object)).reduce(f64::max)
}

fn hand_distance(demo: &Demonstration, object: usize) -> Option<f64> {
    let interval = signal::object_moving_interval(&demo.handled(object), demo.fps)?;
    let object = &demo.objects[object];
    let stride = (interval.last - interval.lift) / 32 + 1;
    let frames = (interval.lift..=interval.last).step_by(stride);
    frames
        .flat_map(|f| {
            let object_from_world = object.world_from_object[f].inverse();
            demo.hands
                .iter()
                .filter_map(move |hand| hand.keypoints_in_world.get(f))
                .flatten()
                .map(move |point| object_from_world * point)
        })
        .filter_map(|point| surface_distance(&object.mesh, &point))
        .reduce(f64::min)
}

/// Distance from a point to the nearest triangle of a mesh; `None` without triangles. Zero is on
/// the surface; inside counts as outside.
fn surface_distance(mesh: &TriMesh, point: &Point3<f64>) -> Option<f64> {
    (0..mesh.faces.len())
        .map(|f| (closest_on_triangle(&mesh.triangle(f), point) - point).norm())
        .reduce(f64::min)
}

/// The point of a triangle closest to `p` (Ericson, Real-Time Collision Detection, section 5.1.5:
/// the Voronoi region of `p` decides between the corners, the edges and the inside).
fn closest_on_triangle([a, b, c]: &[Point3<f64>; 3], p: &Point3<f64>) -> Point3<f64> {
    let (ab, ac) = (b - a, c - a);
    let (d1, d2) = (ab.dot(&(p - a)), ac.dot(&(p - a)));
    if d1 <= 0.0 && d2 <= 0.0 {
        return *a;
    }
    let (d3, d4) = (ab.dot(&(p - b)), ac.dot(&(p - b)));
    if d3 >= 0.0 && d4 <= d3 {
        return *b;
    }
    let vc = d1 * d4 - d3 * d2;
    if vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0 {
        return a + ab * (d1 / (d1 - d3));
    }
    let (d5, d6) = (ab.dot(&(p - c)), ac.dot(&(p - c)));
    if d6 >= 0.0 && d5 <= d6 {
        return *c;
    }
    let vb = d5 * d2 - d1 * d6;
    if vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0 {
        return a + ac * (d2 / (d2 - d6));
    }
    let va = d3 * d6 - d5 * d4;
    if va <= 0.0 && d4 - d3 >= 0.0 && d5 - d6 >= 0.0 {
        return b + (c - b) * ((d4 - d3) / ((d4 - d3) + (d5 - d6)));
    }
    let total = va + vb + vc;
    a + ab * (vb / total) + ac * (vc / total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::scripted::{self, at};
    use crate::{HandTrack, ObjectTrack, Provenance, Side};
    use nalgebra::Vector3;
    use proptest::prelude::*;

    /// A 10 cm square plate in the plane z = 0.
    fn plate() -> TriMesh {
        let corner = |x: f64, y: f64| Point3::new(0.05 * x, 0.05 * y, 0.0);
        TriMesh {
            vertices: vec![
                corner(-1.0, -1.0),
                corner(1.0, -1.0),
                corner(1.0, 1.0),
                corner(-1.0, 1.0),
            ],
            faces: vec![[0, 1, 2], [0, 2, 3]],
        }
    }

    #[test]
    fn reference_evidence_has_lift_and_rate() {
        // The scripted lift starts at judged frame 10 and rises 1 cm per frame at 25 Hz: 0.25 m/s,
        // a little less after smoothing; it ends held up.
        let evidence =
            Evidence::of_reference(&scripted::reference(&scripted::lift()), scripted::DT);
        let interval = evidence.intervals[0].unwrap();
        assert_eq!((interval.lift, interval.last, interval.put), (10, 28, None));
        assert!((evidence.peaks[0].speed.value - 0.25).abs() < 0.01, "{:?}", evidence.peaks);
        assert_eq!(Evidence::of_reference(&Reference::default(), 0.01), Evidence::default());
    }

    #[test]
    fn the_hand_is_measured_to_the_surface_and_only_while_the_object_moves() {
        // The hand is 7 cm above the middle of the plate (13 cm from any vertex) while it moves, and
        // touches it only while it rests.
        let track: Vec<Pose> =
            (0..60).map(|f| at(0.0, 0.01 * (f64::from(f) - 19.0).clamp(0.0, 20.0), 0.0)).collect();
        let keypoints = track
            .iter()
            .enumerate()
            .map(|(f, pose)| {
                let height = if f < 5 { 0.0 } else { 0.07 };
                [pose * Point3::new(0.01, 0.02, height); 21]
            })
            .collect();
        let demo = Demonstration {
            name: "plate".into(),
            fps: 30.0,
            gravity: Vector3::new(0.0, 0.0, -9.81),
            hands: vec![HandTrack { side: Side::Right, keypoints_in_world: keypoints }],
            objects: vec![ObjectTrack {
                name: "plate".into(),
                mesh: plate(),
                world_from_object: track,
                mass: None,
                articulation: None,
            }],
            provenance: Provenance::default(),
        };
        let distance = hand_distance_while_moving(&demo).unwrap();
        assert!((distance - 0.07).abs() < 1e-12, "{distance}");
    }

    proptest! {
        #[test]
        fn the_closest_point_beats_every_sampled_point(
            v in proptest::collection::vec(-1.0..1.0f64, 12),
        ) {
            let p = |i: usize| Point3::new(v[3 * i], v[3 * i + 1], v[3 * i + 2]);
            let triangle = [p(0), p(1), p(2)];
            let best = (closest_on_triangle(&triangle, &p(3)) - p(3)).norm();
            let mut sampled = f64::INFINITY;
            for i in 0..=60 {
                for j in 0..=60 - i {
                    let (a, b) = (f64::from(i) / 60.0, f64::from(j) / 60.0);
                    let q = p(0) + (p(1) - p(0)) * a + (p(2) - p(0)) * b;
                    sampled = sampled.min((q - p(3)).norm());
                }
            }
            // Samples are at most 2/60 of an edge (< 3.5 long) away from any point.
            prop_assert!(best <= sampled + 1e-9 && sampled < best + 0.12, "{best} {sampled}");
        }
    }
}
