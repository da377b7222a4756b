//! Which fingers touch when, the human's beside the robot's, as inline SVG.

use super::STAGE;
use super::measured::{FINGERS, Measured, events};
use super::plot::{escape, key, number, ticks};
use crate::error::Error;
use crate::report::Details;
use dextra_core::demonstration::keypoint;
use dextra_core::rollout::PUSH;
use dextra_motion::retarget::ContactConfig;
use dextra_sim::object::Surface;
use dextra_sim::scene::exported::Exported;
use std::fmt::Write;
use std::path::Path;

/// Width of the drawing in its own units; left and right end of the lanes.
const WIDTH: f64 = 360.0;
const LANES: (f64, f64) = (50.0, 352.0);
/// Height of a finger's two lanes.
const ROW: f64 = 26.0;
/// The robot's lane below the human's.
const LANE: f64 = 8.0;

/// Intervals of time, seconds.
type Intervals = Vec<(f64, f64)>;

/// One finger.
#[derive(Clone, Debug, PartialEq)]
struct Lane {
    name: &'static str,
    human: Intervals,
    robot: Intervals,
}

/// One figure per hand: when each fingertip of the human is at an object, by the rule of the retargeting, and when the
/// robot's finger pushes on one. Empty where the folder has no scene, or a hand no human.
pub(super) fn figures(
    dir: &Path,
    measured: &Measured,
    details: Option<&Details>,
) -> Result<String, Error> {
    let path = dir.join("mjcf").join("scene.xml");
    if !path.is_file() {
        return Ok(String::new());
    }
    let scene = Exported::open(&path).map_err(Error::stage(STAGE))?;
    if measured.rollout().qpos.iter().any(|qpos| qpos.len() != scene.sizes().0) {
        return Ok(String::new());
    }
    let shapes = scene.shapes();
    let mut surfaces = Vec::new();
    for object in 0..measured.rollout().objects.len() {
        let mesh = measured.mesh_of(&shapes, &scene, object);
        let surface = mesh.map(Surface::new).transpose().map_err(Error::stage(STAGE))?;
        surfaces.push(surface);
    }
    let end = measured.seconds(measured.rollout().steps());
    let marks = events(details);
    let mut html = String::new();
    for index in 0..measured.rollout().hands.len() {
        let lanes = lanes(measured, &surfaces, index);
        if lanes.iter().any(|lane| !lane.human.is_empty()) {
            let title = format!("Fingers that touch an object{}", measured.hand_name(index));
            html += &figure(&title, &lanes, end, &marks);
        }
    }
    Ok(html)
}

/// The lanes of hand `index`; fingers that neither has at an object are left out.
fn lanes(measured: &Measured, surfaces: &[Option<Surface>], index: usize) -> Vec<Lane> {
    let hand = &measured.rollout().hands[index];
    let forces = measured.forces(index, hand);
    let dt = measured.rollout().dt;
    let lane = |(finger, &tip): (usize, &usize)| {
        let name = FINGERS[finger];
        let pushing = forces.iter().find(|line| line.name == name);
        let pushes: Vec<(f64, bool)> = pushing
            .map_or(Vec::new(), |line| line.points.iter().map(|p| (p.0, p.1 > PUSH)).collect());
        let touches = human(measured, surfaces, index, tip);
        let frame = touches.windows(2).map(|w| w[1].0 - w[0].0).fold(dt, f64::max);
        Lane { name, human: intervals(&touches, frame), robot: intervals(&pushes, dt) }
    };
    let all = keypoint::TIPS.iter().enumerate().map(lane);
    all.filter(|lane| !(lane.human.is_empty() && lane.robot.is_empty())).collect()
}

/// When the tip, keypoint number `tip` of the human's, is at an object.
fn human(
    measured: &Measured,
    surfaces: &[Option<Surface>],
    index: usize,
    tip: usize,
) -> Vec<(f64, bool)> {
    let Some(points) = measured.human().get(index).filter(|points| !points.is_empty()) else {
        return Vec::new();
    };
    let near = ContactConfig::default().touch_m;
    let frames = measured.reference().frames.iter().enumerate();
    frames
        .map(|(number, frame)| {
            let point = &points[number * keypoint::COUNT + tip];
            let known = point.iter().all(|x| x.is_finite());
            let mut objects = surfaces.iter().zip(&frame.world_from_object);
            let touches = known
                && objects.any(|(surface, pose)| {
                    let local = pose.inverse_transform_point(point);
                    surface.as_ref().is_some_and(|surface| surface.signed_distance(&local) < near)
                });
            (measured.seconds(frame.step), touches)
        })
        .collect()
}

/// Runs of samples that are true, each sample lasting until the next one but `longest` at most.
fn intervals(samples: &[(f64, bool)], longest: f64) -> Intervals {
    let mut runs: Intervals = Vec::new();
    for (index, &(time, on)) in samples.iter().enumerate() {
        if !on {
            continue;
        }
        let end = samples.get(index + 1).map_or(time + longest, |next| next.0.min(time + longest));
        match runs.last_mut() {
            Some(run) if run.1 >= time => run.1 = end,
            _ => runs.push((time, end)),
        }
    }
    runs
}

fn figure(title: &str, lanes: &[Lane], end: f64, marks: &[f64]) -> String {
    let x = |time: f64| LANES.0 + (LANES.1 - LANES.0) * (time / end).clamp(0.0, 1.0);
    let low = ROW * lanes.len() as f64 + 4.0;
    let mut svg = String::new();
    for value in ticks(end, 6) {
        let _ = write!(
            svg,
            r#"<path class="grid" d="M{x:.1} 0V{low}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            low + 14.0,
            number(value),
            x = x(value)
        );
    }
    for (row, lane) in lanes.iter().enumerate() {
        let top = ROW * row as f64 + 10.0;
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LANES.0 - 5.0,
            top + 8.0,
            lane.name
        );
        for (class, runs, y) in [("c5", &lane.human, top), ("c0", &lane.robot, top + LANE)] {
            let mut d = String::new();
            for run in runs {
                let _ = write!(d, "M{:.1} {y:.1}H{:.1}", x(run.0), x(run.1));
            }
            if !d.is_empty() {
                let _ = write!(svg, r#"<path class="line bar {class}" d="{d}"/>"#);
            }
        }
    }
    for &mark in marks {
        let _ = write!(svg, r#"<path class="mark" d="M{x:.1} 0V{low}"/>"#, x = x(mark));
    }
    let near = ContactConfig::default().touch_m * 100.0;
    let legend = key("line bar c5", &format!("human: tip within {near} cm of the surface"))
        + &key("line bar c0", &format!("robot: pushes with more than {PUSH} N"));
    let title = escape(title);
    format!(
        r#"<figure class="plot"><figcaption>{title}</figcaption><svg viewBox="0 0 {WIDTH} {}" role="img" aria-label="{title}">{svg}</svg><p class="axis-name">time, s</p><ul class="legend">{legend}</ul></figure>"#,
        low + 18.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_touch_are_one_interval_and_pauses_are_none() {
        let samples =
            [(0.0, false), (0.1, true), (0.2, true), (0.3, false), (0.4, true), (1.4, true)];
        let runs = intervals(&samples, 0.1);
        let expected = [(0.1, 0.3), (0.4, 0.5), (1.4, 1.5)];
        assert_eq!(runs.len(), expected.len(), "{runs:?}");
        for (run, expected) in runs.iter().zip(expected) {
            assert!((run.0 - expected.0).abs() < 1e-12 && (run.1 - expected.1).abs() < 1e-12);
        }
        assert!(intervals(&[(0.0, false)], 0.1).is_empty());
    }

    #[test]
    fn lanes_are_drawn_where_fingers_touch() {
        let lane = Lane { name: "thumb", human: vec![(0.0, 1.0)], robot: vec![(0.5, 1.0)] };
        let html = figure("<t>", &[lane], 1.0, &[0.5]);
        assert!(
            html.contains("d=\"M50.0 10.0H352.0\"") && html.contains("d=\"M201.0 18.0H352.0\""),
            "{html}"
        );
        assert!(!html.contains("<t>"), "{html}");
    }
}
