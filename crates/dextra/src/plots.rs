//! What happened, over time: errors of objects, contacts, force closure, penetration and fingertips of
//! a rollout, one above the other, as `contacts.png`.
//!
//! Needs no OpenGL and no font of the system.

pub(crate) mod canvas;
pub mod learning;
pub mod limits;
mod panel;

use crate::film::{FilmError, write_png};
use crate::outputs;
use canvas::{Align, Area, Canvas, Text};
use dextra_core::closure::{self, Body};
use dextra_core::demonstration::keypoint;
use dextra_core::metrics::percentile;
use dextra_core::rollout::{Limits, PUSH, Reference, Rollout, StepContacts};
use dextra_core::{Provenance, Side, pose};
use dextra_motion::refine::Refined;
use dextra_sim::render::RgbImage;
use panel::{
    FAINT_RGB, INK_RGB, NAME, Panel, Series, TimeAxis, largest, mark_line, planned_patch, stack,
};
use std::path::Path;

/// Width of the picture, pixels.
pub const WIDTH_PX: u32 = 1200;
/// Height of the picture, pixels, whatever is in it.
pub const HEIGHT_PX: u32 = 1140;
/// Left and right edge of the frames, and right edge of the legends, pixels.
const COLUMNS_PX: (f32, f32, f32) = (62.0, 960.0, 1186.0);
/// Top of the first panel's title, pixels.
const HEADER_PX: f32 = 78.0;
/// Height of a panel's frame, and free space below it, pixels.
const PANEL_PX: (f32, f32) = (106.0, 13.0);

/// Steps from one force closure to the next, at least, and most of them per object: a score may take
/// milliseconds.
const CLOSURE: (usize, usize) = (5, 200);

/// What is plotted.
#[derive(Clone, Copy, Debug)]
pub struct Plot<'a> {
    /// What the simulator measured.
    pub rollout: &'a Rollout,
    /// What it is judged against.
    pub reference: &'a Reference,
    /// The objects as contacts act on them, in the rollout's order.
    pub bodies: &'a [Body],
    /// Steps at which objects leave their rest and are back at rest.
    pub events: (Option<usize>, Option<usize>),
    /// What the rollout must meet.
    pub limits: Limits,
}

/// Writes `contacts.png` into `out`.
///
/// # Errors
/// A file that cannot be written.
pub fn write(out: &Path, refined: &Refined, made_from: &Provenance) -> Result<(), FilmError> {
    let bodies: Vec<Body> =
        (0..refined.scene.objects.len()).map(|index| refined.scene.body(index)).collect();
    let image = draw(&Plot {
        rollout: &refined.rollout,
        reference: &refined.reference,
        bodies: &bodies,
        events: (refined.timeline.lift_step(), refined.timeline.put_step()),
        limits: Limits::default(),
    });
    let notice = outputs::notice(&made_from.source, &made_from.licence);
    write_png(&image, &out.join("contacts.png"), Some(&notice))
}

/// Draws the plots, [`WIDTH_PX`] by [`HEIGHT_PX`].
pub fn draw(plot: &Plot<'_>) -> RgbImage {
    let mut canvas = Canvas::new(WIDTH_PX, HEIGHT_PX);
    let time = time_axis(plot);
    header(&mut canvas, plot, &time);
    let frames = (HEADER_PX, PANEL_PX.0, PANEL_PX.1);
    stack(&mut canvas, &time, &panels(plot), frames, COLUMNS_PX.2, "time, s");
    canvas.into_image()
}

fn time_axis(plot: &Plot<'_>) -> TimeAxis {
    let dt = plot.rollout.dt;
    let seconds = |step: usize| step as f64 * dt;
    let frames = &plot.reference.frames;
    let last = frames.last().map_or(0, |frame| frame.step).max(plot.rollout.steps());
    let end = seconds(last.max(1));
    let shown = |frame: &&dextra_core::rollout::ReferenceFrame| frame.is_demonstrated();
    let planned = match (frames.iter().find(shown), frames.iter().rfind(shown)) {
        (Some(first), Some(last)) => vec![(0.0, seconds(first.step)), (seconds(last.step), end)],
        _ => vec![(0.0, end)],
    };
    let marks = [plot.events.0, plot.events.1].into_iter().flatten().map(seconds).collect();
    TimeAxis { range: (0.0, end), planned, marks, edges: (COLUMNS_PX.0, COLUMNS_PX.1) }
}

/// Title, explanation of the shading, and the names of the vertical lines above the first panel.
fn header(canvas: &mut Canvas, plot: &Plot<'_>, time: &TimeAxis) {
    const HEADLINE: Text = Text { size: 19.0, bold: true, rgb: INK_RGB };
    const EVENT: Text = Text { size: 14.0, bold: true, rgb: FAINT_RGB };
    let (left, right, legend_right) = COLUMNS_PX;
    let names = |names: Vec<&str>| names.join(", ");
    let objects = names(plot.rollout.objects.iter().map(|o| o.name.as_str()).collect());
    let mut models: Vec<&str> = plot.rollout.hands.iter().map(|h| h.hand.as_str()).collect();
    models.dedup();
    let title = format!("{objects}, held by {}", names(models));
    canvas.text(&HEADLINE.fit(&title, right - left - 60.0), left, 24.0, Align::Left, HEADLINE);
    let shading = "planned, not shown by a human";
    let x = legend_right - NAME.width(shading);
    canvas.text(shading, x, 24.0, Align::Left, NAME);
    let patch = Area { left: x - 32.0, top: 16.0, right: x - 8.0, bottom: 32.0 };
    planned_patch(canvas, patch);
    // The lift is named to the left of its line and the put-down to the right, where there is room.
    let mut taken = f32::NEG_INFINITY;
    let mut named: Vec<(f32, f32)> = Vec::new();
    let events = [(plot.events.0, "lift", true), (plot.events.1, "put-down", false)];
    let seconds = |step: usize| step as f64 * plot.rollout.dt;
    for (step, name, before) in events {
        let Some(step) = step else { continue };
        let written = format!("{name} {:.2} s", seconds(step));
        let (width, x) = (EVENT.width(&written), time.x(seconds(step)));
        let wanted = if before && x - width - 5.0 >= left { x - width - 5.0 } else { x + 5.0 };
        let start = wanted.min(legend_right - width).max(taken);
        canvas.text(&written, start, HEADER_PX - 14.0, Align::Left, EVENT);
        taken = start + width + 12.0;
        named.push((start, start + width));
    }
    // A line that would run through a name is not continued up to it.
    for x in events.into_iter().filter_map(|(step, ..)| Some(time.x(seconds(step?)))) {
        if !named.iter().any(|&(from, to)| (from - 2.0..to + 2.0).contains(&x)) {
            let at = x.round() + 0.5;
            canvas.lines(&[(at, HEADER_PX - 24.0), (at, HEADER_PX - 4.0)], mark_line(), None);
        }
    }
}

fn panels(plot: &Plot<'_>) -> Vec<Panel> {
    let limits = plot.limits.protocol.every_frame();
    let (contacts, deg) = (&plot.rollout.contacts, f64::to_degrees);
    let millimetres = |limit: Option<f64>| limit.map(|limit| limit * 1000.0);
    // The percentiles are those of the verdict: hand and object count where they touch.
    let depth = |name: &str, value: fn(&StepContacts) -> f64, counts: fn(&StepContacts) -> bool| {
        let counted: Vec<f64> =
            contacts.iter().filter(|c| counts(c)).map(|c| value(c) * 1000.0).collect();
        let p99 = percentile(&counted, 99.0).unwrap_or(0.0);
        let points = plot.by_step(contacts.iter().map(|c| value(c) * 1000.0).collect());
        Series { name: name.to_owned(), remark: format!("p99 {p99:.1}"), points, stepped: false }
    };
    vec![
        Panel {
            title: "Object position error",
            unit: "cm",
            series: plot.errors(|a, b| pose::distance_between(a, b) * 100.0),
            limit: limits.map(|(position, _)| position * 100.0),
            at_least: 0.5,
        },
        Panel {
            title: "Object rotation error",
            unit: "deg",
            series: plot.errors(|a, b| deg(pose::angle_between(a, b))),
            limit: limits.map(|(_, rotation)| deg(rotation)),
            at_least: 2.0,
        },
        Panel {
            title: "Normal force on objects",
            unit: "N, sum over a hand's contacts",
            series: plot.by_hand("N", |force| force),
            limit: None,
            at_least: 1.0,
        },
        Panel {
            title: "Contacts",
            unit: "points of a hand that push on an object",
            series: plot.by_hand("", |force| f64::from(u8::from(force > PUSH))),
            limit: None,
            at_least: 2.0,
        },
        Panel {
            title: "Force closure",
            unit: "of all contacts with hands: Ferrari-Canny radius; 0 without closure",
            series: plot.closure(),
            limit: None,
            at_least: 0.05,
        },
        Panel {
            title: "Penetration",
            unit: "mm, deepest; the limit is for the 99th percentile",
            series: vec![
                depth("hand-object", |c| c.hand_object_penetration, |c| c.hand_object_count > 0),
                depth("hand-hand", |c| c.self_penetration, |_| true),
            ],
            limit: millimetres(plot.limits.object_penetration),
            at_least: 1.0,
        },
        Panel {
            title: "Fingertips",
            unit: "cm from the human's, mean over fingers",
            series: plot.fingertips(),
            limit: None,
            at_least: 1.0,
        },
    ]
}

impl Plot<'_> {
    fn by_step(&self, values: Vec<f64>) -> Vec<(f64, f64)> {
        (0..).zip(values).map(|(step, value)| (f64::from(step) * self.rollout.dt, value)).collect()
    }

    /// Names of hands: the side, and a number where that is not enough.
    fn hand_names(&self) -> Vec<String> {
        let sides: Vec<Side> = self.rollout.hands.iter().map(|hand| hand.side).collect();
        let unique = |side: &Side| sides.iter().filter(|s| *s == side).count() == 1;
        let name = |(index, side): (usize, &Side)| match unique(side) {
            true => format!("{} hand", side.name()),
            false => format!("{} hand {}", side.name(), index + 1),
        };
        sides.iter().enumerate().map(name).collect()
    }

    /// An error of every object at every judged frame whose state exists.
    fn errors(&self, error: impl Fn(&dextra_core::Pose, &dextra_core::Pose) -> f64) -> Vec<Series> {
        let series = |(index, object): (usize, &dextra_core::rollout::ObjectRollout)| {
            let points = self.reference.frames.iter().filter_map(|frame| {
                let measured = object.world_from_object.get(frame.step)?;
                let demanded = frame.world_from_object.get(index)?;
                Some((frame.step as f64 * self.rollout.dt, error(measured, demanded)))
            });
            let points: Vec<(f64, f64)> = points.collect();
            let remark = format!("max {:.1}", largest(&points));
            Series { name: object.name.clone(), remark, points, stepped: false }
        };
        self.rollout.objects.iter().enumerate().map(series).collect()
    }

    /// The sum over each hand's contacts of what a contact of that normal force adds.
    fn by_hand(&self, unit: &str, value: fn(f64) -> f64) -> Vec<Series> {
        let series = |(hand, name): (usize, String)| {
            let sum = |touches: &Vec<dextra_core::rollout::Touch>| {
                touches.iter().filter(|t| t.hand == hand).map(|t| value(t.force)).sum()
            };
            let points = self.by_step(self.rollout.touches.iter().map(sum).collect());
            let remark = format!("max {:.0} {unit}", largest(&points));
            Series { name, remark: remark.trim_end().to_owned(), points, stepped: unit.is_empty() }
        };
        self.hand_names().into_iter().enumerate().map(series).collect()
    }

    fn closure(&self) -> Vec<Series> {
        let steps = self.rollout.steps();
        let stride = CLOSURE.0.max(steps.div_ceil(CLOSURE.1));
        let series = |(index, body): (usize, &Body)| {
            let points: Vec<(f64, f64)> = (0..steps)
                .step_by(stride)
                .map(|step| {
                    let score = closure::epsilon(&self.rollout.pushes(index, step), body);
                    (step as f64 * self.rollout.dt, score)
                })
                .collect();
            let remark = format!("max {:.2}", largest(&points));
            let name = self.rollout.objects.get(index).map_or("", |object| &object.name);
            Series { name: name.to_owned(), remark, points, stepped: false }
        };
        self.bodies.iter().enumerate().map(series).collect()
    }

    /// Mean distance of each hand's mapped fingertips from the human's where one was recorded.
    fn fingertips(&self) -> Vec<Series> {
        let series = |(index, name): (usize, String)| {
            let hand = &self.rollout.hands[index];
            let points = self.reference.frames.iter().filter_map(|frame| {
                let human = frame.human_keypoints.get(index)?.as_ref()?;
                let points = hand.keypoints_in_world.get(frame.step)?;
                let distances: Vec<f64> = hand
                    .keypoints
                    .iter()
                    .zip(points)
                    .filter(|(keypoint, _)| keypoint::TIPS.contains(keypoint))
                    .map(|(&keypoint, point)| (point - human[keypoint]).norm() * 100.0)
                    .collect();
                Some((frame.step as f64 * self.rollout.dt, mean(&distances)))
            });
            let points: Vec<(f64, f64)> = points.collect();
            let values: Vec<f64> = points.iter().map(|p| p.1).collect();
            Series { name, remark: format!("mean {:.1}", mean(&values)), points, stepped: false }
        };
        self.hand_names().into_iter().enumerate().map(series).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests;
