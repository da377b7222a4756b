//! The tables of `docs/results/policies.md`.

use super::key;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Perturbations with a column of their own.
const COLUMNS: [&str; 7] = [
    "1 cm and 5 deg",
    "2 cm and 10 deg",
    "noise of 1.5 cm",
    "1 cm, half the mass",
    "1 cm, 1.5 times the mass",
    "1 cm, friction 0.6",
    "1 cm, one step late",
];

/// Successes out of trials.
#[derive(Clone, Copy, Default)]
struct Count {
    closed: u64,
    open: u64,
    trials: u64,
}

impl Count {
    fn rate(successes: u64, trials: u64) -> f64 {
        successes as f64 / trials.max(1) as f64
    }

    /// Wilson's 95 % interval of the closed loop.
    fn interval(self) -> (f64, f64) {
        let (n, z) = (self.trials.max(1) as f64, 1.959_964);
        let p = self.closed as f64 / n;
        let center = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        (((center - spread) / scale).max(0.0), ((center + spread) / scale).min(1.0))
    }
}

/// All seeds of one recipe, clip and hand.
#[derive(Default)]
struct Case {
    scores: BTreeMap<String, Count>,
    /// The same by published rule, of perturbation and rule.
    rules: BTreeMap<(String, String), Count>,
    iterations: Vec<u64>,
    steps: Vec<u64>,
    cpu_s: Vec<f64>,
    /// Success of every seed under the first of [`COLUMNS`].
    main: Vec<f64>,
    /// Thousands of control steps and processor seconds until a validation above one half.
    first: Vec<Option<(f64, f64)>>,
}

/// Published rules, as reports call them and as the tables do.
const RULES: [(&str, &str); 5] = [
    ("maniptrans", "ManipTrans"),
    ("dexman", "DexMan"),
    ("spider", "SPIDER"),
    ("dextrack_10cm_20deg", "DexTrack 20 deg"),
    ("dextrack_10cm_40deg", "DexTrack 40 deg"),
];

type Cases = BTreeMap<(String, String, String), Case>;

/// Recipe by recipe: one row per clip and hand, then all of it together.
pub fn tables(reports: &[Value]) -> String {
    let mut cases = Cases::new();
    for report in reports.iter().filter(|report| report["policy"].is_object()) {
        let (clip, recipe, _) = key(report);
        let hand = report["hand"].as_str().unwrap_or("?").to_owned();
        cases.entry((recipe, clip, hand)).or_default().add(report);
    }
    let mut recipes: Vec<&String> = cases.keys().map(|(recipe, ..)| recipe).collect();
    recipes.dedup();
    let mut text = String::new();
    for recipe in recipes {
        let of: Vec<(&str, &str, &Case)> = cases
            .iter()
            .filter(|((name, ..), _)| name == recipe)
            .map(|((_, clip, hand), case)| (clip.as_str(), hand.as_str(), case))
            .collect();
        text += &per_case(recipe, &of);
        text += &together(&of);
    }
    text + &together_by_run(reports)
}

/// One row per run (a recipe, or a changed one) with all its clips, hands and seeds together.
pub fn together_by_run(reports: &[Value]) -> String {
    let mut runs: BTreeMap<String, Case> = BTreeMap::new();
    for report in reports.iter().filter(|report| report["policy"].is_object()) {
        runs.entry(key(report).1).or_default().add(report);
    }
    let mut text = String::from(
        "\n| run | runs | as planned | 1 cm and 5 deg (95 %) | each | 2 cm and 10 deg | noise of 1.5 cm | CPU-s, median | \
         with a success: k steps, CPU-s to the first, medians |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for (name, case) in &runs {
        let rate = |column: &str| {
            let count = case.scores.get(column).copied().unwrap_or_default();
            Count::rate(count.closed, count.trials)
        };
        let (low, high) = case.scores.get(COLUMNS[0]).copied().unwrap_or_default().interval();
        let each: Vec<String> = case.main.iter().map(|rate| format!("{rate:.2}")).collect();
        let _ = writeln!(
            text,
            "| {name} | {} | {:.2} | {:.2} ({low:.2}-{high:.2}) | {} | {:.2} | {:.2} | {:.0} | {} |",
            case.main.len(),
            rate("as planned"),
            rate(COLUMNS[0]),
            each.join(", "),
            rate(COLUMNS[1]),
            rate(COLUMNS[2]),
            median(case.cpu_s.iter().copied()),
            firsts(&case.first)
        );
    }
    text + &rules_by_run(&runs)
}

/// Success by every published rule, as planned and displaced.
fn rules_by_run(runs: &BTreeMap<String, Case>) -> String {
    let mut text = String::from("\n| run | perturbation |");
    for (_, name) in RULES {
        let _ = write!(text, " {name} |");
    }
    text += "\n|---|---|";
    text += &"---|".repeat(RULES.len());
    for (name, case) in runs {
        for perturbation in ["as planned", COLUMNS[0]] {
            let _ = write!(text, "\n| {name} | {perturbation} |");
            for (rule, _) in RULES {
                let count = case.rules.get(&(perturbation.to_owned(), rule.to_owned()));
                let count = count.copied().unwrap_or_default();
                if count.trials == 0 {
                    text += " – |";
                    continue;
                }
                let (low, high) = count.interval();
                let rate = Count::rate(count.closed, count.trials);
                let _ = write!(text, " {rate:.2} ({low:.2}-{high:.2}) |");
            }
        }
    }
    text + "\n"
}

/// The middle one; NaN of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How many of the runs have a first success, and the medians of when.
fn firsts(first: &[Option<(f64, f64)>]) -> String {
    let had = || first.iter().flatten();
    let count = had().count();
    if count == 0 {
        return format!("0 of {}", first.len());
    }
    let (steps, cpu) = (median(had().map(|f| f.0)), median(had().map(|f| f.1)));
    format!("{count} of {}: {steps:.0}, {cpu:.0}", first.len())
}

impl Case {
    fn add(&mut self, report: &Value) {
        let policy = &report["policy"];
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        self.iterations.push(count(&policy["iterations"]));
        self.steps.push(count(&policy["env_steps"]) / 1000);
        self.cpu_s.push(policy["train_cpu_s"].as_f64().unwrap_or(f64::NAN));
        for score in policy["scores"].as_array().into_iter().flatten() {
            let name = score["protocol"].as_str().unwrap_or("?");
            if name == COLUMNS[0] {
                self.main.push(score["rate"].as_f64().unwrap_or(f64::NAN));
            }
            let sum = self.scores.entry(name.to_owned()).or_default();
            sum.closed += count(&score["successes"]);
            sum.open += count(&score["open_loop_successes"]);
            sum.trials += count(&score["trials"]);
            for (rule, met) in score["rules"].as_object().into_iter().flatten() {
                let sum = self.rules.entry((name.to_owned(), rule.clone())).or_default();
                sum.closed += count(&met["successes"]);
                sum.open += count(&met["open_loop_successes"]);
                sum.trials += count(&score["trials"]);
            }
        }
        self.first.push(report["out"].as_str().and_then(|out| first_success(Path::new(out))));
    }
}

/// From a skill's `validation.jsonl`.
fn first_success(out: &Path) -> Option<(f64, f64)> {
    let text = std::fs::read_to_string(out.join("policy/validation.jsonl")).ok()?;
    let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["near"].as_f64().is_some_and(|near| near > 0.5))?;
    Some((line["steps"].as_f64()? / 1000.0, line["cpu_s"].as_f64()?))
}

fn per_case(recipe: &str, cases: &[(&str, &str, &Case)]) -> String {
    let mut text = format!("\nRecipe `{recipe}`:\n\n| clip | hand | iterations | CPU-s | first |");
    for column in COLUMNS {
        let _ = write!(text, " {column} |");
    }
    text += "\n|---|---|---|---|---|";
    text += &"---|".repeat(COLUMNS.len());
    for (clip, hand, case) in cases {
        let list =
            |values: &[u64]| values.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let cpu: Vec<String> = case.cpu_s.iter().map(|s| format!("{s:.0}")).collect();
        let first: Vec<String> = case
            .first
            .iter()
            .map(|first| first.map_or("never".to_owned(), |(k, s)| format!("{k:.0} k, {s:.0} s")))
            .collect();
        let _ = write!(
            text,
            "\n| {clip} | {hand} | {} | {} | {} |",
            list(&case.iterations),
            cpu.join(", "),
            first.join("; ")
        );
        for column in COLUMNS {
            let count = case.scores.get(column).copied().unwrap_or_default();
            let rate = |successes| Count::rate(successes, count.trials);
            let _ = write!(text, " {:.2} ({:.2}) |", rate(count.closed), rate(count.open));
        }
    }
    text + "\n"
}

fn together(cases: &[(&str, &str, &Case)]) -> String {
    let mut all: BTreeMap<&str, Count> = BTreeMap::new();
    for (name, count) in cases.iter().flat_map(|(.., case)| &case.scores) {
        let sum = all.entry(name).or_default();
        sum.closed += count.closed;
        sum.open += count.open;
        sum.trials += count.trials;
    }
    let mut text = String::from(
        "\n| perturbation | success | 95 % | open loop | n |\n|---|---|---|---|---|\n",
    );
    for (name, count) in all {
        let (low, high) = count.interval();
        let rate = |successes| Count::rate(successes, count.trials);
        let _ = writeln!(
            text,
            "| {name} | {:.3} | {low:.3}-{high:.3} | {:.3} | {} |",
            rate(count.closed),
            rate(count.open),
            count.trials
        );
    }
    let mut main: Vec<f64> = cases.iter().flat_map(|(.., case)| &case.main).copied().collect();
    let mut cpu: Vec<f64> = cases.iter().flat_map(|(.., case)| &case.cpu_s).copied().collect();
    main.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    let good = main.iter().filter(|&&rate| rate >= 0.95).count();
    let untaught =
        cases.iter().flat_map(|(.., case)| &case.iterations).filter(|&&i| i == 0).count();
    let _ = writeln!(
        text,
        "\n{good} of {} runs reach 0.95 at {}; the lowest is {:.2}. CPU-s {:.0} in the median, {:.0} at most. \
         In {untaught} nothing had to be learned.",
        main.len(),
        COLUMNS[0],
        main.first().unwrap_or(&f64::NAN),
        cpu.get(cpu.len() / 2).unwrap_or(&f64::NAN),
        cpu.last().unwrap_or(&f64::NAN),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_of_a_case_are_pooled() {
        let report = |seed: u64, successes: u64| {
            serde_json::json!({
                "clip": "a/cube.npz", "hand": "leap", "seed": seed, "policy": {
                    "recipe": "dextra", "iterations": 8 * seed, "env_steps": 40_960, "train_cpu_s": 12.4,
                    "scores": [{"protocol": "1 cm and 5 deg", "successes": successes, "trials": 50,
                                "open_loop_successes": 10, "rate": successes as f64 / 50.0,
                                "rules": {"spider": {"successes": 45, "open_loop_successes": 9}}}]
                }
            })
        };
        let text = tables(&[report(0, 50), report(1, 40)]);
        assert!(
            text.contains("| cube | leap | 0, 8 | 12, 12 | never; never | 0.90 (0.20) |"),
            "{text}"
        );
        // 90 of 100: Wilson's interval is 0.826 to 0.945.
        assert!(text.contains("| 1 cm and 5 deg | 0.900 | 0.826-0.945 | 0.200 | 100 |"), "{text}");
        assert!(
            text.contains("1 of 2 runs reach 0.95 at 1 cm and 5 deg; the lowest is 0.80."),
            "{text}"
        );
        assert!(text.contains("In 1 nothing had to be learned."));
        let row =
            "| dextra | 2 | 0.00 | 0.90 (0.83-0.94) | 1.00, 0.80 | 0.00 | 0.00 | 12 | 0 of 2 |";
        assert!(text.contains(row), "{text}");
        let row = "| dextra | 1 cm and 5 deg | – | – | 0.90 (0.83-0.94) | – | – |";
        assert!(text.contains(row), "{text}");
        assert_eq!(firsts(&[None, Some((41.0, 8.0)), Some((0.0, 7.0))]), "2 of 3: 41, 8");
    }
}
