//! Wall and processor time.

use std::time::Instant;

/// Wall and processor time since the start.
pub(crate) struct Clock {
    wall: Instant,
    cpu: f64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds() }
    }

    pub(crate) fn elapsed(&self) -> (f64, f64) {
        (self.wall.elapsed().as_secs_f64(), cpu_seconds() - self.cpu)
    }
}

/// Processor time of all threads of this process so far, seconds; NaN where it cannot be read.
pub(crate) fn cpu_seconds() -> f64 {
    /// Linux reports these in units of 10 ms on every architecture (`USER_HZ`).
    const TICKS_PER_S: f64 = 100.0;
    let read = || {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: f64 =
            fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        Some(ticks / TICKS_PER_S)
    };
    read().unwrap_or(f64::NAN)
}
