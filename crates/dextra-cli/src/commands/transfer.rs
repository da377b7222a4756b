//! `dextra transfer`.

use crate::args::TransferArgs;
use crate::interrupt;
use crate::output::{self, Exit};
use crate::progress::Console;
use anyhow::{Result, bail};
use dextra::{Error, Report, Reporter, TransferRequest};
use std::io::stdout;
use std::path::{Path, PathBuf};

/// Runs every hand in turn. A hand that fails does not keep the others from running, but a name that no hand
/// has is told before any of them runs.
pub fn run(args: &TransferArgs) -> Result<Exit> {
    let requests = requests(args)?;
    if !all_there(&requests, args.json, &mut output::print)? {
        return Ok(Exit::Failed);
    }
    interrupt::listen()?;
    let outcome = each(&requests, args.json, &mut output::print, &dextra::transfer)?;
    if outcome == Exit::Interrupted {
        let words = std::env::args().map(|word| quoted(&word)).collect::<Vec<_>>().join(" ");
        eprintln!("interrupted; what was finished is kept. To resume, run again: {words}");
    }
    Ok(outcome)
}

/// The library's verb.
type Transfer<'a> = &'a dyn Fn(&TransferRequest, &dyn Reporter) -> Result<Report, Error>;

/// Whether all hands are there; tells those that are not.
fn all_there(
    requests: &[TransferRequest],
    json: bool,
    print: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<bool> {
    let mut all = true;
    for request in requests {
        if let Err(error) = dextra::hand::find(&request.hand) {
            all = false;
            tell(request, error, (requests.len(), json), print)?;
        }
    }
    Ok(all)
}

/// Tells that a hand, one of so many, could not be done.
fn tell(
    request: &TransferRequest,
    error: Error,
    (hands, json): (usize, bool),
    print: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let error = anyhow::Error::new(error);
    if json {
        print(&failure_line(request, &error)?)?;
    }
    output::print_error(&match hands {
        1 => error,
        _ => error.context(format!("{} on {}", request.clip, request.hand)),
    });
    Ok(())
}

/// Runs the requests, prints their results with `print`, and says how it all ended.
fn each(
    requests: &[TransferRequest],
    json: bool,
    print: &mut dyn FnMut(&str) -> Result<()>,
    transfer: Transfer<'_>,
) -> Result<Exit> {
    let mut reports = Vec::new();
    let mut failed = false;
    let mut interrupted = false;
    for request in requests {
        let console = Console::new(if requests.len() > 1 { &request.hand } else { "" });
        let result = transfer(request, &console);
        console.finish();
        match result {
            Ok(report) => {
                // A line is out as soon as its hand is done: a batch may be long, or end early.
                if json {
                    let line = Report { details: None, ..report.clone() };
                    print(&(serde_json::to_string(&line)? + "\n"))?;
                }
                reports.push(report);
            }
            Err(error) if error.is_cancelled() => {
                interrupted = true;
                break;
            }
            Err(error) => {
                failed = true;
                tell(request, error, (requests.len(), json), print)?;
            }
        }
    }
    if !json && !reports.is_empty() {
        print(&output::reports_table(&reports, output::colours(&stdout())))?;
    }
    Ok(match (interrupted, failed) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Failed,
        (false, false) => output::verdict(&reports),
    })
}

/// The line of a hand that could not be done, which has the first fields of a report, in their
/// order. A script so gets one line for every hand and need not read stderr.
fn failure_line(request: &TransferRequest, error: &anyhow::Error) -> Result<String> {
    let text = |value: &str| serde_json::to_string(value);
    Ok(format!(
        "{{\"clip\":{},\"hand\":{},\"seed\":{},\"status\":\"failed\",\"cause\":{}}}\n",
        text(&request.clip)?,
        text(&request.hand)?,
        request.seed,
        text(&output::causes(error).join(": "))?
    ))
}

/// One request per hand, each with its own folder.
fn requests(args: &TransferArgs) -> Result<Vec<TransferRequest>> {
    let out = args.out.clone().unwrap_or_else(|| Path::new("out").join(stem(&args.clip)));
    let hands: Vec<&str> = args.hand.iter().map(|hand| hand.trim()).collect();
    let mut requests: Vec<TransferRequest> = Vec::new();
    for hand in &hands {
        let out = if hands.len() == 1 { out.clone() } else { out.join(stem(hand)) };
        if let Some(other) = requests.iter().find(|request| request.out == out) {
            bail!("{} and {hand} would both write to {}", other.hand, out.display());
        }
        let request = TransferRequest {
            clip: args.clip.clone(),
            hand: (*hand).to_owned(),
            seed: args.seed,
            out,
            threads: args.threads.map(usize::from),
            options: args.reading.options(),
            film: !args.no_film,
            video: args.video,
            robustness_trials: args.robustness_trials,
            human_weight: args.human_weight,
            robust: args.robust,
            reuse: args.reuse.clone(),
            policy: args.policy.clone(),
            settings: args.settings.clone(),
        };
        request.check()?;
        requests.push(request);
    }
    Ok(requests)
}

/// The name of a built-in clip or hand, or of a file without folder and extension.
fn stem(name: &str) -> PathBuf {
    Path::new(name).file_stem().map_or_else(|| "unnamed".into(), PathBuf::from)
}

/// `word` as a shell would need it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Verb};
    use clap::Parser;
    use dextra::{Protocols, Status};

    fn args(line: &str) -> TransferArgs {
        match Cli::parse_from(line.split_whitespace()).verb {
            Verb::Transfer(args) => args,
            other => panic!("not a transfer: {other:?}"),
        }
    }

    fn report(request: &TransferRequest, status: Status) -> Report {
        Report {
            clip: request.clip.clone(),
            hand: request.hand.clone(),
            seed: request.seed,
            status,
            cause: None,
            protocols: Protocols::default(),
            e_r_deg: 0.0,
            e_t_cm: 0.0,
            e_j_cm: 0.0,
            e_ft_cm: 0.0,
            max_t_cm: 0.0,
            max_r_deg: 0.0,
            e_hinge_deg: None,
            max_hinge_deg: None,
            e_slider_cm: None,
            max_slider_cm: None,
            self_penetration_p99_mm: 0.0,
            object_penetration_p99_mm: 0.0,
            frames: 1,
            wall_s: 0.0,
            cpu_s: 0.0,
            sim_steps: 0,
            out: request.out.display().to_string(),
            policy: None,
            details: None,
        }
    }

    /// Runs `line` on a library in which `shadow` succeeds, `leap` is rejected, `allegro` breaks
    /// and `inspire` is interrupted.
    fn outcome(line: &str) -> (Exit, String) {
        let args = args(line);
        let mut printed = String::new();
        let exit = each(
            &requests(&args).unwrap(),
            args.json,
            &mut |text| {
                printed += text;
                Ok(())
            },
            &|request, _| match request.hand.as_str() {
                "shadow" => Ok(report(request, Status::Accepted)),
                "leap" => Ok(report(request, Status::Rejected)),
                "inspire" => Err(Error::Cancelled { stage: "refine".into() }),
                _ => Err(Error::stage("retarget")(Error::Request("a \"broken\" hand".into()))),
            },
        );
        (exit.unwrap(), printed)
    }

    #[test]
    fn exit_status_follows_the_worst_outcome() {
        for (hands, exit) in [
            ("shadow", Exit::Fine),
            ("shadow,leap", Exit::SomeRejected),
            ("allegro,leap", Exit::Failed),
            ("allegro,inspire", Exit::Interrupted),
        ] {
            assert_eq!(outcome(&format!("dextra transfer cube --hand {hands}")).0, exit, "{hands}");
        }
    }

    #[test]
    fn a_broken_hand_does_not_stop_the_others_but_an_interrupt_does() {
        let (_, printed) = outcome("dextra transfer cube --hand allegro,shadow --json");
        assert!(printed.contains("\"hand\":\"shadow\""), "{printed}");
        let (_, printed) = outcome("dextra transfer cube --hand leap,inspire,shadow --json");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }

    #[test]
    fn names_that_no_hand_has_are_told_before_any_hand_runs() {
        let told = |line: &str| {
            let args = args(line);
            let mut printed = String::new();
            let mut print = |text: &str| {
                printed += text;
                Ok(())
            };
            let all = all_there(&requests(&args).unwrap(), args.json, &mut print).unwrap();
            (all, printed)
        };
        assert_eq!(told("dextra transfer cube --hand leap,shadow --json"), (true, String::new()));
        let (all, printed) = told("dextra transfer cube --hand leap,shadwo,no/hand.xml --json");
        let lines: Vec<&str> = printed.lines().collect();
        assert!(!all && lines.len() == 2, "{printed}");
        assert!(lines[0].contains("did you mean `shadow`?"), "{printed}");
        assert!(lines[1].contains("no/hand.xml: No such file"), "{printed}");
    }

    #[test]
    fn json_is_one_object_per_line() {
        let (_, printed) = outcome("dextra transfer cube --hand shadow,leap --json");
        let hands: Vec<String> = printed
            .lines()
            .map(|line| serde_json::from_str::<Report>(line).unwrap().hand)
            .collect();
        assert_eq!(hands, ["shadow", "leap"]);
    }

    #[test]
    fn a_hand_that_fails_has_a_line_with_its_causes_and_an_interrupted_one_has_none() {
        let (exit, printed) =
            outcome("dextra transfer cube --hand allegro,shadow,inspire --seed 3 --json");
        assert_eq!(exit, Exit::Interrupted);
        let mut lines = printed.lines();
        assert_eq!(
            lines.next(),
            Some(
                r#"{"clip":"cube","hand":"allegro","seed":3,"status":"failed","cause":"retarget failed: a \"broken\" hand"}"#
            )
        );
        assert!(lines.next().is_some_and(|line| line.contains("\"hand\":\"shadow\"")), "{printed}");
        assert_eq!(lines.next(), None);
        let (_, printed) = outcome("dextra transfer cube --hand allegro");
        assert_eq!(printed, "", "without --json a failure is told on stderr alone");
    }

    #[test]
    fn several_hands_get_a_folder_each() {
        let folder = |line: &str| -> Vec<PathBuf> {
            requests(&args(line)).unwrap().into_iter().map(|request| request.out).collect()
        };
        assert_eq!(folder("dextra transfer a/cup.npz --hand leap"), [Path::new("out/cup")]);
        assert_eq!(folder("dextra transfer cube --hand leap --out x"), [Path::new("x")]);
        assert_eq!(
            folder("dextra transfer cube --hand leap,my/own.xml --out x"),
            [Path::new("x/leap"), Path::new("x/own")]
        );
    }

    #[test]
    fn two_hands_may_not_share_a_folder() {
        let error = requests(&args("dextra transfer cube --hand leap,other/leap.xml")).unwrap_err();
        assert!(error.to_string().contains("other/leap.xml"), "{error}");
        assert!(requests(&args("dextra transfer cube --hand leap,")).is_err());
    }

    #[test]
    fn the_resume_line_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("--out=a/b"), "--out=a/b");
        assert_eq!(quoted("my clip.npz"), "'my clip.npz'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
