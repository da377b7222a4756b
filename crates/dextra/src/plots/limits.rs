//! What a machine is sent against what its vendor allows, over time, as a picture.

use super::canvas::{Align, Canvas, Text};
use super::panel::{INK_RGB, Panel, Series, TITLE_PX, TimeAxis, largest, stack};
use dextra_core::device::{Channel, Device};
use dextra_sim::render::RgbImage;

/// Width of the picture, pixels.
pub const WIDTH_PX: u32 = 1200;
/// Room below the last panel for the axis, pixels.
const FOOTER_PX: f32 = 42.0;
const COLUMNS_PX: (f32, f32, f32) = (62.0, 920.0, 1186.0);
const HEADER_PX: f32 = 52.0;
const PANEL_PX: (f32, f32) = (180.0, 15.0);
/// Points of a line; more cannot be told apart.
const POINTS: usize = 1200;

/// Draws positions as a share of their allowed range, and speeds and accelerations as a share of their limits, of rows
/// that are sent at `rate` per second. What has no limit has no line.
pub fn draw(title: &str, device: &Device, rows: &[Vec<f64>], rate: f64) -> RgbImage {
    const HEADLINE: Text = Text { size: 19.0, bold: true, rgb: INK_RGB };
    let mut panels = panels(device, rows, rate);
    panels.retain(|panel| !panel.series.is_empty());
    let each = TITLE_PX + PANEL_PX.0 + PANEL_PX.1;
    let height = HEADER_PX + panels.len() as f32 * each + FOOTER_PX;
    let mut canvas = Canvas::new(WIDTH_PX, height as u32);
    let (left, right, legend_right) = COLUMNS_PX;
    canvas.text(&HEADLINE.fit(title, legend_right - left), left, 26.0, Align::Left, HEADLINE);
    let end = (rows.len().max(2) - 1) as f64 / rate;
    let axis = TimeAxis {
        range: (0.0, end),
        planned: Vec::new(),
        marks: Vec::new(),
        edges: (left, right),
    };
    let frames = (HEADER_PX, PANEL_PX.0, PANEL_PX.1);
    stack(&mut canvas, &axis, &panels, frames, legend_right, "time, s");
    canvas.into_image()
}

fn panels(device: &Device, rows: &[Vec<f64>], rate: f64) -> Vec<Panel> {
    let line = |column: usize, order: i32, share: &dyn Fn(f64) -> f64| {
        let mut track: Vec<f64> = rows.iter().map(|row| row[column]).collect();
        for _ in 0..order {
            track = track.windows(2).map(|pair| (pair[1] - pair[0]) * rate).collect();
        }
        let stride = track.len().div_ceil(POINTS).max(1);
        // Of every stretch of rows the value farthest from zero is shown, so that no peak is lost.
        let points = track.chunks(stride).enumerate().map(|(index, chunk)| {
            let farthest = chunk.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            ((index * stride) as f64 / rate, share(farthest.unwrap_or(0.0)))
        });
        let points: Vec<(f64, f64)> = points.collect();
        let name = device.channels[column].name.clone();
        Series { name, remark: format!("max {:.0}", largest(&points)), points, stepped: false }
    };
    let of_limit = |order: i32, limit: fn(&Channel) -> Option<f64>| {
        let channels = device.channels.iter().enumerate();
        channels
            .filter_map(|(column, channel)| {
                let limit = limit(channel)?;
                Some(line(column, order, &|value| 100.0 * value.abs() / limit))
            })
            .collect::<Vec<Series>>()
    };
    let positions = device.channels.iter().enumerate().filter_map(|(column, channel)| {
        let (low, high) = channel.limits.position?;
        Some(line(column, 0, &|value| 100.0 * (value - low) / (high - low)))
    });
    let panel =
        |title, unit, series| Panel { title, unit, series, limit: Some(100.0), at_least: 100.0 };
    vec![
        panel("Position", "% of the allowed range, from its low end", positions.collect()),
        panel(
            "Speed",
            "% of the limit, where one is published",
            of_limit(1, |c| c.limits.velocity),
        ),
        panel(
            "Acceleration",
            "% of the limit, where one is published",
            of_limit(2, |c| c.limits.acceleration),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_drawn_as_a_share_of_their_range() {
        let mut device = dextra_data::load_device("fr3").unwrap();
        device.channels.truncate(1);
        let (low, high) = device.channels[0].limits.position.unwrap();
        let [quarter, most] = [0.25, 0.75].map(|share| {
            let rows = vec![vec![low + share * (high - low)]; 100];
            draw("an arm", &device, &rows, 100.0)
        });
        assert_eq!((quarter.width, quarter.height), (WIDTH_PX, 760));
        // The axis ends at 108 %.
        let bottom = HEADER_PX + TITLE_PX + PANEL_PX.0;
        let differs = |share: f32| {
            let row = (bottom - PANEL_PX.0 * share / 1.08) as usize;
            let (from, to) = ((row - 4) * 3 * WIDTH_PX as usize, (row + 4) * 3 * WIDTH_PX as usize);
            quarter.pixels[from..to] != most.pixels[from..to]
        };
        assert!(differs(0.25) && differs(0.75) && !differs(0.5));
    }
}
