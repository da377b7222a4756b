//! Progress on stderr: a bar on a terminal, otherwise plain lines, at most one every few seconds.

use crate::interrupt;
use crate::output;
use dextra::Reporter;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shortest time between two plain lines of the same stage.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Tells the user on stderr what the library does, and the library that the user pressed Ctrl-C.
pub struct Console {
    prefix: String,
    view: Mutex<View>,
}

enum View {
    Bar(ProgressBar),
    Lines(Lines),
}

impl Console {
    /// `prefix` starts every line, to tell hands apart; it may be empty.
    pub fn new(prefix: &str) -> Console {
        let view = if stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            View::Bar(bar)
        } else {
            View::Lines(Lines::default())
        };
        Console { prefix: prefix.to_owned(), view: Mutex::new(view) }
    }

    fn with_view(&self, act: impl FnOnce(&mut View)) {
        // A panic elsewhere must not hide later messages.
        act(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.with_view(|view| {
            if let View::Bar(bar) = view {
                bar.finish_and_clear();
            }
        });
    }
}

impl Reporter for Console {
    fn stage(&self, name: &str, total: Option<u64>) {
        let label = labelled(&self.prefix, name);
        self.with_view(|view| match view {
            View::Bar(bar) => {
                bar.set_style(style(total.is_some()));
                bar.set_prefix(label);
                bar.set_message("");
                bar.set_position(0);
                match total {
                    Some(total) => bar.set_length(total),
                    None => bar.unset_length(),
                }
                bar.reset_elapsed();
                bar.enable_steady_tick(Duration::from_millis(200));
            }
            View::Lines(lines) => {
                eprintln!("{}", lines.stage(&label, total, Instant::now()));
            }
        });
    }

    fn advance(&self, done: u64, message: &str) {
        self.with_view(|view| match view {
            View::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(message.to_owned());
            }
            View::Lines(lines) => {
                if let Some(line) = lines.advance(done, message, Instant::now()) {
                    eprintln!("{line}");
                }
            }
        });
    }

    fn note(&self, message: &str) {
        let line = format!("note: {}", labelled(&self.prefix, message));
        self.with_view(|view| match view {
            View::Bar(bar) => bar.suspend(|| eprintln!("{line}")),
            View::Lines(_) => eprintln!("{line}"),
        });
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}

fn labelled(prefix: &str, text: &str) -> String {
    if prefix.is_empty() { text.to_owned() } else { format!("{prefix}: {text}") }
}

fn style(counted: bool) -> ProgressStyle {
    let template = match (counted, output::colours(&stderr())) {
        (true, true) => "{prefix} {bar:30.cyan/dim} {pos}/{len} {elapsed} {wide_msg}",
        (true, false) => "{prefix} {bar:30} {pos}/{len} {elapsed} {wide_msg}",
        (false, _) => "{prefix} {spinner} {pos} {elapsed} {wide_msg}",
    };
    ProgressStyle::with_template(template).expect("the templates above are valid")
}

/// Decides which plain lines to print; time comes in as an argument, for tests.
#[derive(Default)]
struct Lines {
    label: String,
    total: Option<u64>,
    last: Option<Instant>,
}

impl Lines {
    fn stage(&mut self, label: &str, total: Option<u64>, now: Instant) -> String {
        *self = Lines { label: label.to_owned(), total, last: Some(now) };
        format!("{label} …")
    }

    fn advance(&mut self, done: u64, message: &str, now: Instant) -> Option<String> {
        if self.last.is_some_and(|last| now.duration_since(last) < LINE_INTERVAL) {
            return None;
        }
        self.last = Some(now);
        let count = self.total.map_or_else(|| done.to_string(), |total| format!("{done}/{total}"));
        Some(format!("{} {count} {message}", self.label).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_are_at_least_the_interval_apart() {
        let start = Instant::now();
        let mut lines = Lines::default();
        assert_eq!(lines.stage("leap: refine", Some(10), start), "leap: refine …");
        assert_eq!(lines.advance(1, "a", start + Duration::from_secs(1)), None);
        let late = start + LINE_INTERVAL;
        assert_eq!(lines.advance(2, "2 cm", late).as_deref(), Some("leap: refine 2/10 2 cm"));
        assert_eq!(lines.advance(3, "", late + Duration::from_secs(1)), None);
        assert_eq!(
            lines.advance(4, "", late + LINE_INTERVAL).as_deref(),
            Some("leap: refine 4/10")
        );
    }

    #[test]
    fn an_uncounted_stage_shows_the_steps_alone() {
        let start = Instant::now();
        let mut lines = Lines::default();
        lines.stage("search", None, start);
        assert_eq!(lines.advance(7, "", start + LINE_INTERVAL).as_deref(), Some("search 7"));
    }

    #[test]
    fn bar_templates_are_valid() {
        for counted in [false, true] {
            style(counted);
        }
    }
}
