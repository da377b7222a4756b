//! Counts and medians over many reports: what `docs/results/transfer.md` claims.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Clips in which two hands take part.
const TWO_HANDED: [&str; 3] = ["box", "pair", "handover"];

/// A list of counts per seed and of medians; `details` finds what is in a report's own file.
pub fn summary(reports: &[Value], details: impl Fn(&Value) -> Option<Value>) -> String {
    let mut text = String::from("\nAccepted per seed (Wilson 95 % interval over all seeds):\n\n");
    let mut groups: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for report in reports {
        groups.entry(group(report)).or_default().push(report);
    }
    for (name, members) in &groups {
        let mut seeds: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        for report in members {
            let count = seeds.entry(report["seed"].as_u64().unwrap_or(0)).or_default();
            count.1 += 1;
            count.0 += usize::from(accepted(report));
        }
        let each: Vec<String> = seeds.values().map(|(a, n)| format!("{a} of {n}")).collect();
        let all: (usize, usize) = seeds.values().fold((0, 0), |s, c| (s.0 + c.0, s.1 + c.1));
        let (low, high) = wilson(all.0, all.1);
        let rate = all.0 as f64 / all.1.max(1) as f64;
        let _ = writeln!(
            text,
            "- {name}: {}; together {} of {}, {rate:.2} ({low:.2} to {high:.2})",
            each.join(", "),
            all.0,
            all.1
        );
    }
    let all: Vec<&Value> = reports.iter().collect();
    let good: Vec<&Value> = reports.iter().filter(|r| accepted(r)).collect();
    let told: Vec<Value> = good.iter().filter_map(|r| details(r)).collect();
    let median_of =
        |members: &[&Value], key: &str| median(members.iter().filter_map(|r| r[key].as_f64()));
    let detail = |key: &str| median(told.iter().filter_map(|d| d[key].as_f64()));
    let largest = |members: &[&Value], key: &str| {
        members.iter().filter_map(|r| r[key].as_f64()).fold(0.0, f64::max)
    };
    let below = |key: &str, limit: f64| {
        good.iter().filter(|r| r[key].as_f64().is_some_and(|v| v < limit)).count()
    };
    let robust =
        |at: usize| median(told.iter().filter_map(move |d| d["robustness"][at]["rate"].as_f64()));
    let fragile = told.iter().filter(|d| d["fragile"].is_string()).count();
    let changed = told.iter().filter(|d| d["grasp_changed"] == true).count();
    let _ = write!(
        text,
        "\nOver all {} cases: {:.0} CPU-s in the median, {:.0} at most; {:.0} k physics steps in the \
         median, {:.0} k at most.\n\nOver the {} accepted:\n\n\
         - hand-object penetration (99th percentile) {:.1} mm in the median, below 3 mm in {}; \
         self-penetration {:.1} mm, below 2 mm in {};\n\
         - open-loop success with the object displaced by 0.5 cm {:.2}, by 1 cm {:.2} (medians);\n\
         - fingertips {:.1} cm from the human's while holding, palm {:.0} deg (medians, unscaled);\n\
         - {fragile} fragile, {changed} with a grasp that is not the human's.\n",
        all.len(),
        median_of(&all, "cpu_s"),
        largest(&all, "cpu_s"),
        median_of(&all, "sim_steps") / 1000.0,
        largest(&all, "sim_steps") / 1000.0,
        good.len(),
        median_of(&good, "object_penetration_p99_mm"),
        below("object_penetration_p99_mm", 3.0),
        median_of(&good, "self_penetration_p99_mm"),
        below("self_penetration_p99_mm", 2.0),
        robust(0),
        robust(1),
        detail("grasp_tip_distance_cm"),
        detail("grasp_palm_angle_deg"),
    );
    text
}

/// The details in the `report.json` of a report's folder.
pub fn details(report: &Value) -> Option<Value> {
    let path = Path::new(report["out"].as_str()?).join("report.json");
    let report: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    Some(report["details"].clone())
}

fn group(report: &Value) -> &'static str {
    let clip = report["clip"].as_str().unwrap_or("");
    if clip.ends_with(".npz") {
        "recordings"
    } else if TWO_HANDED.contains(&clip) {
        "built-in, two hands"
    } else {
        "built-in, one hand"
    }
}

fn accepted(report: &Value) -> bool {
    report["status"] == "accepted"
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Wilson's score interval at 95 %.
fn wilson(successes: usize, trials: usize) -> (f64, f64) {
    const Z: f64 = 1.96;
    let (n, p) = (trials.max(1) as f64, successes as f64 / trials.max(1) as f64);
    let center = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (center - half, center + half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_are_per_group_and_seed_and_medians_over_what_was_accepted() {
        let report = |clip: &str, seed: u64, status: &str, depth: f64| {
            json!({
                "clip": clip, "seed": seed, "status": status, "cpu_s": 10.0 + depth,
                "sim_steps": 200_000, "object_penetration_p99_mm": depth,
                "self_penetration_p99_mm": 0.5
            })
        };
        let reports = [
            report("cube", 0, "accepted", 1.0),
            report("cube", 1, "rejected", 9.0),
            report("a/b.npz", 0, "accepted", 4.0),
        ];
        let told = |_: &Value| Some(json!({"fragile": "why", "grasp_tip_distance_cm": 2.0}));
        let text = summary(&reports, told);
        assert!(text.contains("- built-in, one hand: 1 of 1, 0 of 1; together 1 of 2"), "{text}");
        assert!(
            text.contains("- recordings: 1 of 1; together 1 of 1, 1.00 (0.21 to 1.00)"),
            "{text}"
        );
        assert!(text.contains("below 3 mm in 1;") && text.contains("2 fragile"), "{text}");
        assert!(text.contains("Over all 3 cases: 14 CPU-s"), "{text}");
    }

    #[test]
    fn wilson_agrees_with_a_worked_example() {
        // 81 of 263: (0.255, 0.366) (Newcombe 1998, table I).
        let (low, high) = wilson(81, 263);
        assert!((low - 0.2553).abs() < 5e-4 && (high - 0.3662).abs() < 5e-4, "{low} {high}");
    }
}
