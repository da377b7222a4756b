//! `cargo xtask results transfer`: runs the main job on every clip and hand and writes the table of
//! `docs/results/transfer.md`. `cargo xtask results policies`: the same with policies, for
//! `docs/results/policies.md`.

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
const BUILT_IN: [&str; 10] =
    ["cube", "stick", "bottle", "mug", "box", "push", "regrasp", "turn", "pair", "handover"];
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
    recipes: Vec<String>,
    settings: Vec<String>,
}

impl Options {
    /// Reads `[--seeds 0,1,2] [--out DIR] [--clip CLIP]... [--hands LIST] [--trials N] [--film]`.
    pub fn parse(args: &[String]) -> Result<Self> {
        Self::read(args, None)
    }

    /// The same, and `[--recipe NAME]... [--set KEY=VALUE]...`; the recipe is `dextra` where none is named.
    pub fn parse_policies(args: &[String]) -> Result<Self> {
        Self::read(args, Some("dextra"))
    }

    fn read(args: &[String], recipe: Option<&str>) -> Result<Self> {
        let mut options = Options {
            seeds: vec![0],
            out: "out/results".into(),
            clips: Vec::new(),
            hands: HANDS.into(),
            trials: 100,
            film: false,
            recipes: Vec::new(),
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
                "--recipe" if recipe.is_some() => options.recipes.push(value()?.clone()),
                "--set" if recipe.is_some() => options.settings.push(value()?.clone()),
                other => bail!(
                    "unknown option {other}; there are --seeds, --out, --clip, --hands, --trials, --film{}",
                    if recipe.is_some() { ", --recipe, --set" } else { "" }
                ),
            }
        }
        if let (Some(recipe), true) = (recipe, options.recipes.is_empty()) {
            options.recipes.push(recipe.to_owned());
        }
        Ok(options)
    }
}

/// Runs everything that is not yet in `OUT/results.jsonl`, then prints the table.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let status = Command::new("cargo")
        .current_dir(root)
        .args(["build", "--release", "--package", "dextra-cli"])
        .status()?;
    if !status.success() {
        return Ok(false);
    }
    fs::create_dir_all(&options.out)?;
    let lines_path = options.out.join("results.jsonl");
    let mut done = read_lines(&lines_path)?;
    let recipes: Vec<Option<&str>> = match options.recipes.as_slice() {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    for &seed in &options.seeds {
        for clip in clips(root, options) {
            for &recipe in &recipes {
                let wanted = (clip_name(&clip), recipe.unwrap_or("").to_owned(), seed);
                let have = done.iter().filter(|r| key(r) == wanted).count();
                if have == options.hands.split(',').count() {
                    continue;
                }
                done.retain(|r| key(r) != wanted);
                done.extend(one(root, options, &clip, recipe, seed)?);
                write_lines(&lines_path, &done)?;
            }
        }
    }
    if options.recipes.is_empty() {
        println!("{}{}", table(&done), summary::summary(&done, summary::details));
    } else {
        println!("{}", policies::tables(&done));
    }
    Ok(true)
}

/// Reports of one clip and seed, one per hand.
fn one(
    root: &Path,
    options: &Options,
    clip: &str,
    recipe: Option<&str>,
    seed: u64,
) -> Result<Vec<Value>> {
    let name = clip_name(clip);
    eprintln!("{name}, seed {seed} {} ...", recipe.unwrap_or(""));
    let suffix = recipe.map_or(String::new(), |recipe| format!("-{recipe}"));
    let folder = options.out.join(format!("{name}-{seed}{suffix}"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let mut command = Command::new(target.join("release/dextra"));
    command.arg("transfer").arg(clip).args(["--hand", &options.hands, "--json", "--seed"]);
    command.arg(seed.to_string()).arg("--out").arg(&folder);
    command.arg("--robustness-trials").arg(options.trials.to_string());
    if !options.film {
        command.arg("--no-film");
    }
    if let Some(recipe) = recipe {
        command.arg(format!("--policy={recipe}"));
    }
    for setting in &options.settings {
        command.args(["--set", setting]);
    }
    let output = command.stderr(Stdio::null()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).with_context(|| format!("{name}: {line}")))
        .collect()
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

/// Clip, recipe and seed.
fn key(report: &Value) -> (String, String, u64) {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let clip = clip_name(report["clip"].as_str().unwrap_or(""));
    (clip, text(&report["policy"]["recipe"]), report["seed"].as_u64().unwrap_or(0))
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
        let options = Options::parse(&words("--seeds 1,2 --clip cube --film")).unwrap();
        assert_eq!((options.seeds, options.film), (vec![1, 2], true));
        let options = Options::parse_policies(&words("--set iterations=3")).unwrap();
        assert_eq!((options.recipes, options.settings.len()), (vec!["dextra".to_owned()], 1));
        assert!(Options::parse(&words("--recipe rl")).is_err());
        let error = Options::parse(&words("--sedes 1")).unwrap_err().to_string();
        assert!(error.contains("--seeds"), "{error}");
    }
}
