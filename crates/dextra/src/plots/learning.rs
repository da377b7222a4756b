//! How a policy learned, over the iterations, as `learning.png`.

use super::canvas::{Align, Canvas, Text};
use super::panel::{INK_RGB, Panel, Series, TimeAxis, stack};
use crate::skill::train::Validated;
use dextra_learn::IterationMetrics;
use dextra_sim::render::RgbImage;

/// Width and height of the picture, pixels.
pub const SIZE_PX: (u32, u32) = (1200, 730);
const COLUMNS_PX: (f32, f32, f32) = (62.0, 960.0, 1186.0);
const HEADER_PX: f32 = 52.0;
const PANEL_PX: (f32, f32) = (116.0, 15.0);

/// Draws reward, success in the true world, length of episodes, and the state of the learner.
pub fn draw(title: &str, metrics: &[IterationMetrics], validated: &[Validated]) -> RgbImage {
    const HEADLINE: Text = Text { size: 19.0, bold: true, rgb: INK_RGB };
    let mut canvas = Canvas::new(SIZE_PX.0, SIZE_PX.1);
    let (left, right, legend_right) = COLUMNS_PX;
    canvas.text(&HEADLINE.fit(title, right - left), left, 26.0, Align::Left, HEADLINE);
    let last = metrics.iter().map(|m| m.iteration).chain(validated.iter().map(|v| v.iteration));
    let end = last.max().unwrap_or(1).max(1) as f64;
    let axis = TimeAxis {
        range: (0.0, end),
        planned: Vec::new(),
        marks: Vec::new(),
        edges: (left, right),
    };
    let frames = (HEADER_PX, PANEL_PX.0, PANEL_PX.1);
    stack(&mut canvas, &axis, &panels(metrics, validated), frames, legend_right, "iteration");
    canvas.into_image()
}

fn panels(metrics: &[IterationMetrics], validated: &[Validated]) -> Vec<Panel> {
    let series = |name: &str, value: &dyn Fn(&IterationMetrics) -> Option<f64>| {
        let points = metrics.iter().filter_map(|m| Some((m.iteration as f64, value(m)?)));
        line(name, points.collect())
    };
    let share = |name: &str, value: &dyn Fn(&Validated) -> f64| {
        line(name, validated.iter().map(|v| (v.iteration as f64, value(v))).collect())
    };
    vec![
        Panel {
            title: "success in the true world",
            unit: "share of trials",
            series: vec![share("1 cm and 5 deg", &|v| v.near), share("mean of all", &|v| v.mean)],
            limit: None,
            at_least: 1.0,
        },
        Panel {
            title: "reward",
            unit: "mean per step while learning",
            series: vec![series("reward", &|m| Some(m.mean_reward))],
            limit: None,
            at_least: 0.1,
        },
        Panel {
            title: "length of episodes",
            unit: "steps",
            series: vec![series("length", &|m| m.mean_length_steps)],
            limit: None,
            at_least: 1.0,
        },
        Panel {
            title: "learner",
            unit: "deviation of actions; divergence of an update, in 0.1 nat",
            series: vec![
                series("deviation", &|m| Some(f64::from(m.action_std))),
                series("divergence", &|m| Some(10.0 * f64::from(m.kl_nat))),
            ],
            limit: None,
            at_least: 0.1,
        },
    ]
}

fn line(name: &str, points: Vec<(f64, f64)>) -> Series {
    let remark = points.last().map_or_else(String::new, |(_, last)| format!("last {last:.2}"));
    Series { name: name.to_owned(), remark, points, stepped: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::panel::TITLE_PX;

    fn validated(iteration: u64, near: f64) -> Validated {
        Validated { iteration, steps: 0, cpu_s: 0.0, near, mean: near }
    }

    #[test]
    fn success_is_drawn_where_it_was_measured() {
        let [low, high] = [0.1, 0.9].map(|near| {
            let line = [validated(0, near), validated(10, near)];
            draw("cube on leap", &[], &line)
        });
        assert_eq!((low.width, low.height), SIZE_PX);
        // The first panel's line is at 10 or at 90 % of its frame's height.
        let top = HEADER_PX + TITLE_PX;
        let row = |share: f32| (top + PANEL_PX.0 * (1.0 - share)) as u32;
        let differs = |share: f32| {
            let from = (row(share) - 6) as usize * 3 * SIZE_PX.0 as usize;
            let to = (row(share) + 6) as usize * 3 * SIZE_PX.0 as usize;
            low.pixels[from..to] != high.pixels[from..to]
        };
        assert!(differs(0.1) && differs(0.9));
        assert!(!differs(0.5), "nothing moves in between");
    }
}
