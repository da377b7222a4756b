//! One panel of a stack of plots over the same time, with its legend beside it.

use super::canvas::{Align, Area, Canvas, Line, Text};

/// Colours that people with any kind of colour vision tell apart: Okabe and Ito, *Color universal
/// design*, without the yellow, which is faint on white.
const COLOURS: [[u8; 3]; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [230, 159, 0],
    [60, 60, 60],
];
const FRAME_RGB: [u8; 3] = [150, 154, 160];
const GRID_RGB: [u8; 3] = [222, 224, 228];
const PLANNED_RGB: [u8; 3] = [231, 234, 240];
const MARK_RGB: [u8; 3] = [70, 74, 80];
const LIMIT_RGB: [u8; 3] = [120, 30, 40];
pub const INK_RGB: [u8; 3] = [32, 36, 42];
pub const FAINT_RGB: [u8; 3] = [92, 98, 106];

/// Titles of panels.
const TITLE: Text = Text { size: 16.0, bold: true, rgb: INK_RGB };
/// What a title adds.
const UNIT: Text = Text { size: 15.0, bold: false, rgb: FAINT_RGB };
/// Numbers at axes.
pub const NUMBER: Text = Text { size: 14.0, bold: false, rgb: FAINT_RGB };
/// Names in legends.
pub const NAME: Text = Text { size: 14.0, bold: false, rgb: INK_RGB };
/// Height of a row of a legend, pixels.
const ROW_PX: f32 = 19.0;
/// Space of a panel's title above its frame, pixels.
pub const TITLE_PX: f32 = 27.0;

/// A line of a panel.
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// A number about it for the legend, such as `max 2.1`.
    pub remark: String,
    /// Seconds and values.
    pub points: Vec<(f64, f64)>,
    /// Whether values hold until the next one.
    pub stepped: bool,
}

/// A panel.
pub struct Panel {
    /// What it shows.
    pub title: &'static str,
    /// Unit and explanation.
    pub unit: &'static str,
    /// Lines.
    pub series: Vec<Series>,
    /// What must not be exceeded.
    pub limit: Option<f64>,
    /// The axis reaches at least this value.
    pub at_least: f64,
}

/// The time that panels share.
pub struct TimeAxis {
    /// Seconds at the left and at the right edge.
    pub range: (f64, f64),
    /// Intervals without a demonstration, seconds.
    pub planned: Vec<(f64, f64)>,
    /// Events, seconds.
    pub marks: Vec<f64>,
    /// Left and right edge of the frames, pixels.
    pub edges: (f32, f32),
}

impl TimeAxis {
    /// Where a time is, pixels.
    pub fn x(&self, time: f64) -> f32 {
        let (from, to) = self.range;
        let share = (time - from) / (to - from).max(1e-9);
        self.edges.0 + (self.edges.1 - self.edges.0) * share as f32
    }

    /// Times to write at the axis.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        ticks(self.range.0, self.range.1, 10)
    }
}

/// Draws panels one below the other from `top` on, each `height` pixels with `gap` free pixels below it, and
/// the axis that they share, called `name`.
pub fn stack(
    canvas: &mut Canvas,
    axis: &TimeAxis,
    panels: &[Panel],
    (mut top, height, gap): (f32, f32, f32),
    legend_right: f32,
    name: &str,
) {
    for panel in panels {
        let frame = (top + TITLE_PX, top + TITLE_PX + height);
        panel.draw(canvas, axis, frame.0, frame.1, legend_right);
        top = frame.1 + gap;
    }
    let y = top - gap + 14.0;
    for (value, written) in axis.ticks() {
        canvas.text(&written, axis.x(value), y, Align::Middle, NUMBER);
    }
    let middle = f32::midpoint(axis.edges.0, axis.edges.1);
    canvas.text(name, middle, y + 20.0, Align::Middle, NAME);
}

/// Round values from `low` to `high` in at most `most` intervals, as they are written.
pub fn ticks(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) {
        return Vec::new();
    }
    let rough = span / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|index| index as f64 * step)
        .map(|value| (value, format!("{value:.decimals$}")))
        .collect()
}

impl Series {
    /// See [`largest`].
    fn largest(&self) -> f64 {
        largest(&self.points)
    }
}

/// The largest finite value of a line; 0 when there is none.
pub fn largest(points: &[(f64, f64)]) -> f64 {
    points.iter().map(|p| p.1).filter(|v| v.is_finite()).fold(0.0, f64::max)
}

impl Panel {
    /// The largest value of the axis. Where values are far beyond the limit, the axis ends at a multiple
    /// of it: how far something fell says little, and the limit must stay visible.
    fn top(&self) -> f64 {
        const BEYOND: f64 = 4.0;
        let largest = self.series.iter().map(Series::largest).fold(0.0, f64::max);
        let shown = match self.limit {
            Some(limit) => largest.clamp(limit, BEYOND * limit),
            None => largest,
        };
        1.08 * shown.max(self.at_least)
    }

    /// Draws the panel with its frame between `top` and `bottom`, the title above and the legend to the
    /// right, up to `legend_right`.
    pub fn draw(
        &self,
        canvas: &mut Canvas,
        time: &TimeAxis,
        top: f32,
        bottom: f32,
        legend_right: f32,
    ) {
        let (left, right) = time.edges;
        let area = Area { left, top, right, bottom };
        for &(from, to) in &time.planned {
            canvas.fill(Area { left: time.x(from), right: time.x(to), ..area }, PLANNED_RGB);
        }
        let highest = self.top();
        let y = |value: f64| bottom - (bottom - top) * (value / highest) as f32;
        let thin = |rgb| Line { rgb, width: 1.0, dashed: false };
        for (value, written) in ticks(0.0, highest, 4) {
            // Lines of one pixel are sharp in the middle of a pixel.
            let at = y(value).round() + 0.5;
            canvas.lines(&[(left, at), (right, at)], thin(GRID_RGB), None);
            canvas.text(&written, left - 8.0, at, Align::Right, NUMBER);
        }
        for (value, _) in time.ticks() {
            let at = time.x(value).round() + 0.5;
            canvas.lines(&[(at, top), (at, bottom)], thin(GRID_RGB), None);
        }
        if let Some(limit) = self.limit {
            canvas.lines(&[(left, y(limit)), (right, y(limit))], limit_line(), Some(area));
        }
        for &mark in &time.marks {
            let at = time.x(mark).round() + 0.5;
            canvas.lines(&[(at, top), (at, bottom)], mark_line(), None);
        }
        for (index, series) in self.series.iter().enumerate().rev() {
            let mut points: Vec<(f32, f32)> = Vec::with_capacity(series.points.len());
            for &(at, value) in &series.points {
                let point = (time.x(at), y(value));
                if let Some(&(_, before)) = points.last().filter(|_| series.stepped) {
                    points.push((point.0, before));
                }
                points.push(point);
            }
            let within = Area { top: top - 1.0, bottom: bottom + 1.0, ..area };
            canvas.lines(&points, line(index), Some(within));
        }
        let frame = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)];
        let frame = frame.map(|(x, y)| (x.round() + 0.5, y.round() + 0.5));
        canvas.lines(&frame, thin(FRAME_RGB), None);
        let middle = top - TITLE_PX / 2.0 + 2.0;
        canvas.text(self.title, left, middle, Align::Left, TITLE);
        let unit_at = left + TITLE.width(self.title) + 8.0;
        canvas.text(self.unit, unit_at, middle, Align::Left, UNIT);
        self.legend(canvas, (right + 14.0, legend_right), (top, bottom));
    }

    fn legend(&self, canvas: &mut Canvas, (left, right): (f32, f32), (top, bottom): (f32, f32)) {
        let room = (((bottom - top) / ROW_PX) as usize).max(2);
        let room = room - usize::from(self.limit.is_some());
        let mut shown: Vec<usize> = (0..self.series.len()).collect();
        if shown.len() > room {
            // Those with the largest values stand out in the plot and are named.
            shown.sort_by(|&a, &b| self.series[b].largest().total_cmp(&self.series[a].largest()));
            shown.truncate(room - 1);
            shown.sort_unstable();
        }
        let hidden = self.series.len() - shown.len();
        let mut rows: Vec<(Option<Line>, String, &str)> = shown
            .into_iter()
            .map(|index| (index, &self.series[index]))
            .map(|(index, series)| (Some(line(index)), series.name.clone(), &series.remark[..]))
            .collect();
        if hidden > 0 {
            rows.push((None, format!("and {hidden} more"), ""));
        }
        if let Some(limit) = self.limit {
            rows.push((Some(limit_line()), format!("limit {}", short(limit)), ""));
        }
        const SWATCH: f32 = 22.0;
        for (row, (line, name, remark)) in rows.iter().enumerate() {
            let y = top + ROW_PX * (row as f32 + 0.5);
            if let Some(line) = line {
                canvas.lines(&[(left, y), (left + SWATCH, y)], *line, None);
            }
            canvas.text(remark, right, y, Align::Right, NUMBER);
            let room = right - left - SWATCH - 8.0 - NUMBER.width(remark) - 10.0;
            canvas.text(&NAME.fit(name, room), left + SWATCH + 8.0, y, Align::Left, NAME);
        }
    }
}

/// A number with at most one decimal.
fn short(value: f64) -> String {
    let written = format!("{value:.1}");
    written.strip_suffix(".0").map_or(written.clone(), str::to_owned)
}

fn line(index: usize) -> Line {
    let dashed = index / COLOURS.len() % 2 == 1;
    Line { rgb: COLOURS[index % COLOURS.len()], width: 2.0, dashed }
}

fn limit_line() -> Line {
    Line { rgb: LIMIT_RGB, width: 1.4, dashed: true }
}

/// The line of an event.
pub fn mark_line() -> Line {
    Line { rgb: MARK_RGB, width: 1.4, dashed: false }
}

/// A patch in the colour of planned intervals.
pub fn planned_patch(canvas: &mut Canvas, area: Area) {
    canvas.fill(area, FRAME_RGB);
    let inner = Area {
        left: area.left + 1.0,
        top: area.top + 1.0,
        right: area.right - 1.0,
        bottom: area.bottom - 1.0,
    };
    canvas.fill(inner, PLANNED_RGB);
}
