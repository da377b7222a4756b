//! The page of what is in a dataset.

use super::bars::{Bar, Bars};
use super::plot::{Line, Plot, escape, number};
use super::{coloured, document, header, list, read, section, table};
use crate::dataset::{Contents, DatasetInfo, Range};
use crate::error::Error;
use dextra_data::dataset::Stored;
use std::collections::BTreeMap;
use std::path::Path;

/// Features of more numbers than this are told by the first and the last.
const MOST_NAMES: usize = 200;

/// The page of the contents in `dir`.
pub(super) fn page(dir: &Path) -> Result<String, Error> {
    let contents: Contents = read(&dir.join("contents.json"))?;
    let info = &contents.info;
    let body = head(info)
        + &section("Episodes", &episodes(&contents))
        + &section("Numbers per step", &(numbers(info, &contents.ranges) + &arrays(info)))
        + &section("Problems", &list(&info.problems));
    Ok(document(&info.path, &body))
}

fn head(info: &DatasetInfo) -> String {
    let known = info.accepted == info.episodes;
    let verdict = match info.problems.len() {
        0 => coloured(known, &format!("{} of {} accepted", info.accepted, info.episodes)),
        count => coloured(false, &format!("{count} problems")),
    };
    let tiles = [
        (info.format.clone(), "format"),
        (info.episodes.to_string(), "episodes"),
        (info.steps.to_string(), "steps"),
        (info.fps_hz.map_or("-".to_owned(), |fps| format!("{fps} Hz")), "steps per second"),
    ];
    let text = format!(
        "<p>Robot: {}. Accepted are episodes that come with a record of the rule they met.</p>",
        escape(&info.robot)
    );
    header(&info.path, &verdict, &text, &tiles)
}

/// Episodes by task and licence, and their lengths in order.
fn episodes(contents: &Contents) -> String {
    let info = &contents.info;
    let bars = |title: &str, counts: &BTreeMap<String, usize>| {
        let bar = |(name, &count): (&String, &usize)| Bar {
            name: name.clone(),
            text: count.to_string(),
            share: count as f64 / info.episodes.max(1) as f64,
            ..Bar::default()
        };
        let bars = counts.iter().map(bar).collect();
        Bars { title: title.to_owned(), legend: ["share of all", ""], bars, wanted: None }.figure()
    };
    let mut lengths = contents.lengths.clone();
    lengths.sort_unstable();
    // A single episode is a level, not a point that cannot be seen.
    lengths.extend(lengths.first().copied().filter(|_| lengths.len() == 1));
    let points = lengths.iter().enumerate().map(|(index, &steps)| (index as f64, steps as f64));
    let plot = Plot {
        title: "Steps per episode".to_owned(),
        axis: "episodes, from the shortest to the longest",
        lines: vec![Line { name: "steps".to_owned(), points: points.collect() }],
        ..Plot::default()
    };
    let figures = plot.figure()
        + &bars("Episodes by task", &info.tasks)
        + &bars("Episodes by licence", &info.licences);
    format!("<div class=\"plots\">{figures}</div>")
}

/// As they are stored, those too that are in no episode.
fn arrays(info: &DatasetInfo) -> String {
    let row = |array: &Stored| {
        let part = if array.is_feature { "yes" } else { "no" };
        let shape = format!("{:?}", array.shape);
        vec![escape(&array.name), escape(&array.dtype), shape, part.to_owned()]
    };
    match &info.arrays[..] {
        [] => String::new(),
        arrays => {
            let rows: Vec<_> = arrays.iter().map(row).collect();
            table(&["array", "type", "shape", "part of episodes"], &rows)
        }
    }
}

/// With their ranges where these are known, by their names alone where not.
fn numbers(info: &DatasetInfo, ranges: &[Range]) -> String {
    if ranges.is_empty() {
        let row = |(name, elements): (&String, &Vec<String>)| {
            let names = match &elements[..] {
                [first, .., last] if elements.len() > MOST_NAMES => format!("{first} to {last}"),
                _ => elements.join(", "),
            };
            vec![escape(name), elements.len().to_string(), escape(&names)]
        };
        let rows: Vec<_> = info.features.iter().map(row).collect();
        return "<p><code>dextra dataset validate</code> reads all of them and says what they go through.</p>"
            .to_owned()
            + &table(&["feature", "numbers", "names"], &rows);
    }
    let row = |range: &Range| {
        vec![
            escape(&range.element),
            escape(&range.feature),
            number(range.least),
            number(range.mean),
            number(range.greatest),
        ]
    };
    let rows: Vec<_> = ranges.iter().map(row).collect();
    table(&["number", "feature", "least", "mean", "greatest"], &rows)
}
