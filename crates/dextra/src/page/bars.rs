//! Shares as horizontal bars, one below the other, as inline SVG.

use super::plot::{escape, key};
use std::fmt::Write;

/// Width of the drawing, and of a bar of one; in its own units, on a phone about pixels.
const WIDTH: (f64, f64) = (360.0, 344.0);
/// Left end of bars.
const LEFT: f64 = 8.0;
/// Height of a bar with its name.
const ROW: f64 = 32.0;

/// One bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// What it is the share of.
    pub name: String,
    /// What is written at its right, such as counts.
    pub text: String,
    /// The share, from 0 to 1.
    pub share: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// Another share to compare with, drawn thinner below.
    pub beside: Option<f64>,
}

/// Bars with what they are of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// What the shares are.
    pub title: String,
    /// What the thick and the thin bars are.
    pub legend: [&'static str; 2],
    /// The bars.
    pub bars: Vec<Bar>,
    /// What shares should reach.
    pub wanted: Option<f64>,
}

impl Bars {
    /// The figure with its legend; empty without bars.
    pub fn figure(&self) -> String {
        if self.bars.is_empty() {
            return String::new();
        }
        let height = ROW * self.bars.len() as f64 + 4.0;
        let x = |share: f64| LEFT + WIDTH.1 * share.clamp(0.0, 1.0);
        let mut svg = String::new();
        for (index, bar) in self.bars.iter().enumerate() {
            let top = ROW * index as f64;
            let _ = write!(
                svg,
                r#"<text x="{LEFT}" y="{:.1}">{}</text><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text><path class="track" d="M{LEFT} {y:.1}H{:.1}"/>"#,
                top + 12.0,
                escape(&bar.name),
                x(1.0),
                top + 12.0,
                escape(&bar.text),
                x(1.0),
                y = top + 20.0,
            );
            if bar.share > 0.0 {
                let _ = write!(
                    svg,
                    r#"<path class="line bar c0" d="M{LEFT} {:.1}H{:.1}"/>"#,
                    top + 20.0,
                    x(bar.share)
                );
            }
            if let Some((low, high)) = bar.interval {
                let _ = write!(
                    svg,
                    r#"<path class="whisker" d="M{a:.1} {y:.1}H{b:.1}M{a:.1} {from:.1}V{to:.1}M{b:.1} {from:.1}V{to:.1}"/>"#,
                    a = x(low),
                    b = x(high),
                    y = top + 20.0,
                    from = top + 17.0,
                    to = top + 23.0
                );
            }
            if let Some(wanted) = self.wanted {
                let (x, from, to) = (x(wanted), top + 15.0, top + 29.0);
                let _ = write!(svg, r#"<path class="limit" d="M{x:.1} {from:.1}V{to:.1}"/>"#);
            }
            if let Some(beside) = bar.beside.filter(|&share| share > 0.0) {
                let _ = write!(
                    svg,
                    r#"<path class="line thin c1" d="M{LEFT} {:.1}H{:.1}"/>"#,
                    top + 27.0,
                    x(beside)
                );
            }
        }
        let mut legend = key("line bar c0", self.legend[0]);
        if self.bars.iter().any(|bar| bar.beside.is_some()) {
            legend += &key("line thin c1", self.legend[1]);
        }
        if let Some(wanted) = self.wanted {
            legend += &key("limit", &format!("asked {wanted}"));
        }
        let title = escape(&self.title);
        format!(
            r#"<figure class="plot"><figcaption>{title}</figcaption><svg viewBox="0 0 {} {height}" role="img" aria-label="{title}">{svg}</svg><ul class="legend">{legend}</ul></figure>"#,
            WIDTH.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_shares() {
        let bar = |share, beside| Bar { name: "<a>".into(), share, beside, ..Bar::default() };
        let bars = vec![bar(0.5, Some(0.25)), bar(0.0, None)];
        let html = Bars { bars, wanted: Some(1.0), ..Bars::default() }.figure();
        assert_eq!(html.matches("line bar c0\" d=\"M8").count(), 1, "{html}");
        assert!(html.contains("d=\"M8 20.0H180.0\""), "{html}");
        assert!(html.contains("d=\"M8 27.0H94.0\""), "{html}");
        assert!(html.contains("class=\"limit\" d=\"M352.0 15.0V29.0\""), "{html}");
        assert!(!html.contains("<a>"), "{html}");
        assert_eq!(Bars::default().figure(), "");
    }
}
