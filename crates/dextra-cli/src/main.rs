//! The `dextra` command. stdout carries the result, stderr logs and progress; exit status 0, 1, 2
//! or 130: fine, some rejected, failed, interrupted.

mod args;
mod commands;
mod interrupt;
mod output;
mod progress;

use args::{Cli, Verb};
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use mimalloc::MiMalloc;
use output::Exit;
use std::process::ExitCode;

/// Learning makes and drops large tensors all the time. The system's allocator hands each back to the
/// kernel and pays for every page again; `docs/results/learning.md` has the cost.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mut error) => {
            suggest_policy(&mut error, &std::env::args().collect::<Vec<_>>());
            // Help and version are results, a wrong argument is a failure.
            let exit = if error.use_stderr() { Exit::Failed } else { Exit::Fine };
            return if error.print().is_ok() { exit.into() } else { Exit::Failed.into() };
        }
    };
    let outcome = match &cli.verb {
        Verb::Transfer(args) => commands::transfer::run(args),
        Verb::Rollout(args) => commands::rollout::run(args),
        Verb::Collect(args) => commands::collect::run(args),
        Verb::Export(args) => commands::export::run(args),
        Verb::Report(args) => commands::report::run(args),
        Verb::View(args) => commands::view::run(args),
        Verb::Dataset(args) => commands::dataset::run(args),
        Verb::Feasibility(args) => commands::feasibility::run(args),
        Verb::Hand(args) => commands::hand::run(args),
        Verb::Import(args) => commands::import::run(args),
        Verb::Demo(args) => commands::demo::run(args),
        Verb::Doctor(args) => commands::doctor::run(args),
        Verb::Config(args) => commands::config::run(args),
        Verb::Completions(args) => commands::config::completions(args),
        Verb::Man(args) => commands::config::man(args),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::print_error(&error);
            Exit::Failed.into()
        }
    }
}

/// Adds how `--policy` takes its recipe, where one was typed behind a space: the option stands alone
/// too, so that the word was read as a clip.
fn suggest_policy(error: &mut clap::Error, typed: &[String]) {
    let transfer = typed.get(1).is_some_and(|verb| verb == "transfer");
    let flag = matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(arg)) if arg.starts_with('-'));
    if !transfer || flag || error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let behind = |pair: &&[String]| pair[0] == "--policy" && !pair[1].starts_with('-');
    if let Some(pair) = typed.windows(2).find(behind) {
        let tip = format!("a recipe follows an equals sign: '--policy={}'", pair[1]);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}
