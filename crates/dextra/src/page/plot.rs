//! Plots over time as inline SVG, and text that is safe in HTML.

use crate::curves::Curve;
use std::fmt::Write;

/// Size of the drawing in its own units; on a phone one unit is about a pixel.
const SIZE: (f64, f64) = (360.0, 170.0);
/// Left, top, right and bottom edge of the frame.
const FRAME: (f64, f64, f64, f64) = (34.0, 8.0, 352.0, 146.0);
/// Most points of a line: as many as the frame can show.
const POINTS: usize = 320;
/// Colours before they repeat with a dashed line.
const COLOURS: usize = 6;
/// Where values go far beyond a limit, the axis ends at this many times the limit.
const BEYOND: f64 = 4.0;

/// One line of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Abscissa and value; values that are not finite are gaps.
    pub points: Vec<(f64, f64)>,
}

/// Lines over one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plot {
    /// What is plotted, with its unit.
    pub title: String,
    /// What the horizontal axis is, with its unit.
    pub axis: &'static str,
    /// The lines.
    pub lines: Vec<Line>,
    /// What values should stay below.
    pub limit: Option<f64>,
    /// The vertical axis reaches at least this far.
    pub at_least: f64,
    /// The horizontal axis reaches at least this far.
    pub until: f64,
    /// Intervals that are shaded: planned, not demonstrated.
    pub shaded: Vec<(f64, f64)>,
    /// Instants marked by a vertical line: lift and put-down.
    pub marks: Vec<f64>,
}

impl Plot {
    /// Curves over seconds, none of them with a limit.
    pub fn over_time(title: &str, curves: &[Curve], at_least: f64) -> Plot {
        let line = |curve: &Curve| Line { name: curve.name.clone(), points: curve.points.clone() };
        let lines = curves.iter().map(line).collect();
        Plot { title: title.to_owned(), axis: "time, s", lines, at_least, ..Plot::default() }
    }

    /// The figure with its legend; empty when there is nothing to draw.
    pub fn figure(&self) -> String {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let finite = || all().filter(|(x, y)| x.is_finite() && y.is_finite());
        let end = finite().map(|p| p.0).fold(self.until, f64::max);
        if finite().next().is_none() || end <= 0.0 {
            return String::new();
        }
        let most = finite().map(|p| p.1).fold(0.0, f64::max);
        let wanted = most.max(self.limit.unwrap_or(0.0) * 1.1).max(self.at_least);
        let top = self.limit.map_or(wanted, |limit| wanted.min(limit * BEYOND));
        let scale = Scale { end, top: top * 1.05 };
        let mut svg = String::new();
        let (left, high, right, low) = FRAME;
        for &(from, to) in &self.shaded {
            let (a, b) = (scale.x(from), scale.x(to));
            let width = (b - a).max(0.0);
            let height = low - high;
            let _ = write!(
                svg,
                r#"<rect class="planned" x="{a:.1}" y="{high}" width="{width:.1}" height="{height}"/>"#
            );
        }
        for value in ticks(scale.top, 4) {
            let y = scale.y(value);
            let _ = write!(
                svg,
                r#"<path class="grid" d="M{left} {y:.1}H{right}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                left - 5.0,
                y + 4.0,
                number(value)
            );
        }
        for value in ticks(end, 6) {
            let x = scale.x(value);
            let _ = write!(
                svg,
                r#"<path class="grid" d="M{x:.1} {low}v4"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                low + 17.0,
                number(value)
            );
        }
        for &mark in &self.marks {
            let x = scale.x(mark);
            let _ = write!(svg, r#"<path class="mark" d="M{x:.1} {high}V{low}"/>"#);
        }
        if let Some(limit) = self.limit {
            let y = scale.y(limit);
            let _ = write!(svg, r#"<path class="limit" d="M{left} {y:.1}H{right}"/>"#);
        }
        for (index, line) in self.lines.iter().enumerate() {
            let d = path(&thinned(&line.points), &scale);
            let _ = write!(svg, r#"<path class="line {}" d="{d}"/>"#, class(index));
        }
        let mut legend = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            let largest = line.points.iter().map(|p| p.1).filter(|y| y.is_finite());
            let largest = largest.fold(f64::NEG_INFINITY, f64::max);
            let most = if largest.is_finite() { number(largest) } else { "-".to_owned() };
            let text = format!("{} <small>max {most}</small>", escape(&line.name));
            legend += &key(&format!("line {}", class(index)), &text);
        }
        if let Some(limit) = self.limit {
            legend += &key("limit", &format!("limit {}", number(limit)));
        }
        let title = escape(&self.title);
        format!(
            r#"<figure class="plot"><figcaption>{title}</figcaption><svg viewBox="0 0 {} {}" role="img" aria-label="{title} over {axis}"><path class="axis" d="M{left} {high}V{low}H{right}"/>{svg}</svg><p class="axis-name">{axis}</p><ul class="legend">{legend}</ul></figure>"#,
            SIZE.0,
            SIZE.1,
            axis = escape(self.axis),
        )
    }
}

/// An entry of a legend: a stroke of `class`, then `text`, which is HTML already.
pub(super) fn key(class: &str, text: &str) -> String {
    format!(
        r#"<li><svg class="key" viewBox="0 0 16 4" aria-hidden="true"><path class="{class}" d="M0 2H16"/></svg>{text}</li>"#
    )
}

/// From values to the drawing.
struct Scale {
    end: f64,
    top: f64,
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        FRAME.0 + (FRAME.2 - FRAME.0) * (value / self.end).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        FRAME.3 - (FRAME.3 - FRAME.1) * (value / self.top).clamp(0.0, 1.0)
    }
}

fn class(index: usize) -> String {
    let dashed = if index >= COLOURS { " dashed" } else { "" };
    format!("c{}{dashed}", index % COLOURS)
}

/// The line through finite points, broken where one is not.
fn path(points: &[(f64, f64)], scale: &Scale) -> String {
    let (mut d, mut drawing) = (String::new(), false);
    for &(x, y) in points {
        if x.is_finite() && y.is_finite() {
            let step = if drawing { 'L' } else { 'M' };
            let _ = write!(d, "{step}{:.1} {:.1}", scale.x(x), scale.y(y));
            drawing = true;
        } else {
            drawing = false;
        }
    }
    d
}

/// At most [`POINTS`] points: of each run of neighbours the largest, so that no peak is lost.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let run = points.len().div_ceil(POINTS).max(1);
    points
        .chunks(run)
        .filter_map(|run| run.iter().copied().max_by(|a, b| larger(a.1, b.1)))
        .collect()
}

/// Values that are not finite come first.
fn larger(a: f64, b: f64) -> std::cmp::Ordering {
    let key = |v: f64| if v.is_finite() { v } else { f64::NEG_INFINITY };
    key(a).total_cmp(&key(b))
}

/// Round numbers from 0 to `end`, about `count` of them.
pub(super) fn ticks(end: f64, count: usize) -> Vec<f64> {
    let raw = end / count as f64;
    if !(raw > 0.0 && raw.is_finite()) {
        return Vec::new();
    }
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|&s| s >= raw * 0.999);
    let step = step.unwrap_or(raw);
    (0..=2 * count).map(|i| i as f64 * step).take_while(|&v| v <= end * 1.0001).collect()
}

/// A number in three significant digits or so; a dash for one that could not be measured.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value != 0.0 && value.abs() < 1e-3 {
        return format!("{value:.0e}");
    }
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Text as it may stand in HTML, in quoted attributes too.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_peak_is_lost_and_gaps_stay() {
        let mut points: Vec<(f64, f64)> = (0..5000).map(|i| (f64::from(i), 0.0)).collect();
        points[3217].1 = 7.0;
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS && thin.contains(&(3217.0, 7.0)));
        let scale = Scale { end: 2.0, top: 1.0 };
        let broken = path(&[(0.0, 0.0), (1.0, f64::NAN), (2.0, 1.0)], &scale);
        assert_eq!(broken.matches('M').count(), 2, "{broken}");
    }

    #[test]
    fn ticks_are_round_and_within_the_axis() {
        assert_eq!(ticks(3.3, 4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(ticks(50.0, 6), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert!(ticks(f64::NAN, 4).is_empty() && ticks(0.0, 4).is_empty());
    }

    #[test]
    fn numbers_are_short_and_small_ones_are_not_nothing() {
        let written = [0.0, 12.34, 1234.5, 0.5, -0.00023, f64::NAN].map(number);
        assert_eq!(written, ["0", "12.3", "1234", "0.5", "-2e-4", "-"]);
    }

    #[test]
    fn nothing_of_a_name_becomes_markup() {
        let name = "<script>alert(\"1\")</script>&'".to_owned();
        let lines = vec![Line { name, points: vec![(0.0, 1.0), (1.0, 2.0)] }];
        let html = Plot { title: "<b>".into(), lines, ..Plot::default() }.figure();
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
        assert!(
            html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"),
            "{html}"
        );
    }

    #[test]
    fn a_plot_without_values_is_left_out() {
        let lines = vec![Line { name: "a".into(), points: vec![(0.0, f64::NAN)] }];
        assert_eq!(Plot { lines, ..Plot::default() }.figure(), "");
    }
}
