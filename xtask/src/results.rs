//! `cargo xtask results transfer`: runs the main job on every clip and hand and writes the table of
//! `docs/results/transfer.md`. `cargo xtask results policies`: the same with policies, for
//! `docs/results/policies.md`; `cargo xtask results ablations`: with recipes that lack one thing each.

mod ablations;
mod policies;
mod summary;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Built-in clips.
const BUILT_IN: [&str; 12] = [
    "cube", "stick", "bottle", "mug", "box", "push", "regrasp", "turn", "pair", "handover", "lid",
    "slide",
];
/// Recordings of `../shared/demos`, run when they are there.
const RECORDED: [&str; 4] = [
    "taco/taco_20231104_010_right.npz",
    "myodm/MyoHand_cup_drink1.npz",
    "myodm/MyoHand_mug_drink3.npz",
    "myodm/MyoHand_cylindersmall_lift.npz",
];
const HANDS: &str = "shadow,allegro,leap,inspire";

/// Options of the command.
#[derive(Debug, PartialEq)]
pub struct Options {
    seeds: Vec<u64>,
    out: PathBuf,
    clips: Vec<String>,
    hands: String,
    trials: usize,
    film: bool,
    /// Noise of built-in clips, in units of the usual one.
    noise: Option<f64>,
    /// Runs this instead of what is built.
    program: Option<PathBuf>,
    /// What is run on every clip.
    kind: Kind,
    settings: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Transfers,
    /// With these recipes.
    Policies(Vec<String>),
    /// With all of [`ablations::all`], or those of these recipes.
    Ablations(Vec<String>),
}

/// What is run on one clip with one seed: a transfer, or a recipe and what is changed in it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Run {
    /// Empty for a transfer.
    name: String,
    recipe: Option<String>,
    settings: Vec<String>,
}

impl Options {
    /// Reads what follows `results`: `transfer`, `policies` or `ablations`, then
    /// `[--seeds 0,1,2] [--out DIR] [--clip CLIP]... [--hands LIST] [--trials N] [--film] [--noise TIMES]
    /// [--program PATH]`, and but for transfers `[--recipe NAME]... [--set KEY=VALUE]...`.
    pub fn parse(args: &[String]) -> Result<Self> {
        let (what, args) = args.split_first().context("results of what?")?;
        let mut recipes = Vec::new();
        let policies = what != "transfer";
        let mut options = Options {
            seeds: vec![0],
            out: "out/results".into(),
            clips: Vec::new(),
            hands: HANDS.into(),
            trials: 100,
            film: false,
            noise: None,
            program: None,
            kind: Kind::Transfers,
            settings: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            let mut value = || args.next().with_context(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--seeds" => {
                    let list = value()?;
                    options.seeds = list
                        .split(',')
                        .map(|s| s.parse().with_context(|| format!("`{s}` is no seed")))
                        .collect::<Result<_>>()?;
                }
                "--out" => options.out = value()?.into(),
                "--clip" => options.clips.push(value()?.clone()),
                "--hands" => options.hands = value()?.clone(),
                "--trials" => options.trials = value()?.parse()?,
                "--film" => options.film = true,
                "--noise" => options.noise = Some(value()?.parse()?),
                "--program" => options.program = Some(value()?.into()),
                "--recipe" if policies => recipes.push(value()?.clone()),
                "--set" if policies => options.settings.push(value()?.clone()),
                other => bail!(
                    "unknown option {other}; there are --seeds, --out, --clip, --hands, --trials, --film, --noise, --program{}",
                    if policies { ", --recipe, --set" } else { "" }
                ),
            }
        }
        options.kind = match what.as_str() {
            "transfer" => Kind::Transfers,
            "policies" if recipes.is_empty() => Kind::Policies(vec!["dextra".to_owned()]),
            "policies" => Kind::Policies(recipes),
            "ablations" => Kind::Ablations(recipes),
            other => {
                bail!("no results are called {other}; there are transfer, policies, ablations")
            }
        };
        Ok(options)
    }

    fn runs(&self) -> Result<Vec<Run>> {
        let mut runs = match &self.kind {
            Kind::Transfers => vec![Run::default()],
            Kind::Policies(recipes) => recipes.iter().map(|name| Run::of(name, name)).collect(),
            Kind::Ablations(recipes) => ablations::all(recipes)?,
        };
        for run in &mut runs {
            run.settings.extend(self.settings.iter().cloned());
        }
        Ok(runs)
    }
}

impl Run {
    fn of(name: &str, recipe: &str) -> Self {
        Run { name: name.to_owned(), recipe: Some(recipe.to_owned()), settings: Vec::new() }
    }
}

/// Runs everything that is not yet in `OUT/results.jsonl`, then prints the table.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let program = options.program.clone().unwrap_or_else(|| target.join("release/dextra"));
    if options.program.is_none() {
        let status = Command::new("cargo")
            .current_dir(root)
            .args(["build", "--release", "--workspace"])
            .status()?;
        if !status.success() {
            return Ok(false);
        }
    }
    fs::create_dir_all(&options.out)?;
    let lines_path = options.out.join("results.jsonl");
    let mut done = read_lines(&lines_path)?;
    let runs = options.runs()?;
    for &seed in &options.seeds {
        for clip in clips(root, options) {
            for run in &runs {
                let wanted = (clip_name(&clip), run.name.clone(), seed);
                let have = done.iter().filter(|r| key(r) == wanted).count();
                if have == options.hands.split(',').count() {
                    continue;
                }
                done.retain(|r| key(r) != wanted);
                done.extend(one(&program, options, &clip, run, seed)?);
                write_lines(&lines_path, &done)?;
            }
        }
    }
    match options.kind {
        Kind::Transfers => {
            println!("{}{}", table(&done), summary::summary(&done, summary::details))
        }
        Kind::Policies(_) => println!("{}", policies::tables(&done)),
        Kind::Ablations(_) => println!("{}", policies::together_by_run(&done)),
    }
    Ok(true)
}

/// Reports of one clip and seed, one per hand.
fn one(program: &Path, options: &Options, clip: &str, run: &Run, seed: u64) -> Result<Vec<Value>> {
    let name = clip_name(clip);
    eprintln!("{name}, seed {seed} {} ...", run.name);
    let suffix = if run.name.is_empty() { String::new() } else { format!("-{}", run.name) };
    let folder = options.out.join(format!("{name}-{seed}{suffix}"));
    let clip = noisy(program, options, clip, seed)?;
    let mut command = Command::new(program);
    command.arg("transfer").arg(clip).args(["--hand", &options.hands, "--json", "--seed"]);
    command.arg(seed.to_string()).arg("--out").arg(&folder);
    command.arg("--robustness-trials").arg(options.trials.to_string());
    if !options.film {
        command.arg("--no-film");
    }
    if let Some(recipe) = &run.recipe {
        command.arg(format!("--policy={recipe}"));
    }
    for setting in &run.settings {
        command.args(["--set", setting]);
    }
    let output = command.stderr(Stdio::null()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let read = |line: &str| -> Result<Value> {
        let mut report: Value =
            serde_json::from_str(line).with_context(|| format!("{name}: {line}"))?;
        if !run.name.is_empty() {
            report["run"] = run.name.clone().into();
        }
        Ok(report)
    };
    text.lines().map(read).collect()
}

/// The clip itself, or a copy of a built-in one with the noise that is asked for.
fn noisy(program: &Path, options: &Options, clip: &str, seed: u64) -> Result<PathBuf> {
    let Some(noise) = options.noise.filter(|_| BUILT_IN.contains(&clip)) else {
        return Ok(clip.into());
    };
    let folder = options.out.join(format!("noisy-{seed}"));
    let mut command = Command::new(program);
    command.args(["demo", "synth", clip, "--noise", &noise.to_string(), "--seed"]);
    let output = command.arg(seed.to_string()).arg("--out").arg(&folder).output()?;
    if !output.status.success() {
        bail!("no noisy {clip}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(folder.join(format!("{clip}.npz")))
}

fn clips(root: &Path, options: &Options) -> Vec<String> {
    if !options.clips.is_empty() {
        return options.clips.clone();
    }
    let shared = root.join("../shared/demos");
    let recorded = RECORDED.iter().map(|clip| shared.join(clip)).filter(|path| path.is_file());
    let built_in = BUILT_IN.iter().map(|clip| (*clip).to_owned());
    built_in.chain(recorded.map(|path| path.display().to_string())).collect()
}

fn clip_name(clip: &str) -> String {
    Path::new(clip).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Clip, name of the run and seed.
fn key(report: &Value) -> (String, String, u64) {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let clip = clip_name(report["clip"].as_str().unwrap_or(""));
    let run = if report["run"].is_string() { &report["run"] } else { &report["policy"]["recipe"] };
    (clip, text(run), report["seed"].as_u64().unwrap_or(0))
}

fn read_lines(path: &Path) -> Result<Vec<Value>> {
    match fs::read_to_string(path) {
        Ok(text) => text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect(),
        Err(_) => Ok(Vec::new()),
    }
}

fn write_lines(path: &Path, reports: &[Value]) -> Result<()> {
    let partial = path.with_extension("partial");
    let mut file = fs::File::create(&partial)?;
    for report in reports {
        writeln!(file, "{report}")?;
    }
    fs::rename(partial, path)?;
    Ok(())
}

/// A Markdown table, one row per clip, hand and seed, and a count per clip.
pub fn table(reports: &[Value]) -> String {
    let mut text = String::from(
        "| clip | hand | seed | verdict | max cm | max deg | E_t cm | E_r deg | E_j cm | E_ft cm | \
         ManipTrans | DexMan | SPIDER | DexTrack 20/40 | object / self penetration p99 mm | CPU-s | \
         k steps |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut causes = String::new();
    for report in reports {
        let (clip, _, seed) = key(report);
        let hand = report["hand"].as_str().unwrap_or("?");
        let number = |field: &str, digits: usize| match report[field].as_f64() {
            Some(value) => format!("{value:.digits$}"),
            None => "-".to_owned(),
        };
        let met = |rule: &str| if report["protocols"][rule] == true { "yes" } else { "no" };
        let status = report["status"].as_str().unwrap_or("?");
        let steps = report["sim_steps"].as_f64().unwrap_or(0.0) / 1000.0;
        let _ = writeln!(
            text,
            "| {clip} | {hand} | {seed} | {status} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {}/{} | {} / {} | {} | {steps:.0} |",
            number("max_t_cm", 1),
            number("max_r_deg", 0),
            number("e_t_cm", 2),
            number("e_r_deg", 1),
            number("e_j_cm", 1),
            number("e_ft_cm", 1),
            met("maniptrans"),
            met("dexman"),
            met("spider"),
            met("dextrack_10cm_20deg"),
            met("dextrack_10cm_40deg"),
            number("object_penetration_p99_mm", 1),
            number("self_penetration_p99_mm", 1),
            number("cpu_s", 0),
        );
        let count = counts.entry(clip.clone()).or_default();
        count.1 += 1;
        count.0 += usize::from(met("dexman") == "yes" && status == "accepted");
        if let Some(cause) = report["cause"].as_str() {
            let _ = writeln!(causes, "- {clip}, {hand}, seed {seed}: {cause}");
        }
    }
    let _ = writeln!(text, "\nAccepted (DexMan-strict and penetration below 1 cm):\n");
    for (clip, (accepted, total)) in &counts {
        let _ = writeln!(text, "- {clip}: {accepted} of {total}");
    }
    if !causes.is_empty() {
        let _ = writeln!(text, "\nCauses of rejection:\n\n{causes}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_becomes_a_row_a_count_and_a_cause() {
        let report = serde_json::json!({
            "clip": "some/where/cube.npz", "hand": "leap", "seed": 3, "status": "rejected",
            "cause": "drifted (frame 7)", "protocols": {"spider": true}, "max_t_cm": 3.26,
            "e_ft_cm": null, "sim_steps": 12_345
        });
        let text = table(&[report]);
        assert!(text.contains("| cube | leap | 3 | rejected | 3.3 |"), "{text}");
        assert!(text.contains("- cube: 0 of 1"));
        assert!(text.contains("- cube, leap, seed 3: drifted (frame 7)"));
        assert!(text.contains("| no | no | yes | no/no |"));
    }

    #[test]
    fn options_are_read_or_refused_by_name() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let options = Options::parse(&words("transfer --seeds 1,2 --clip cube --film")).unwrap();
        assert_eq!((options.seeds, options.film), (vec![1, 2], true));
        let options = Options::parse(&words("policies --set iterations=3")).unwrap();
        let run = Run { settings: vec!["iterations=3".to_owned()], ..Run::of("dextra", "dextra") };
        assert_eq!(options.runs().unwrap(), [run]);
        assert!(Options::parse(&words("transfer --recipe rl")).is_err());
        let error = Options::parse(&words("transfer --sedes 1")).unwrap_err().to_string();
        assert!(error.contains("--seeds"), "{error}");
    }
}
