//! `dextra config`, `dextra completions` and `dextra man`: what can be typed, for eyes, shells and `man`.

use crate::args::{Cli, CompletionsArgs, ConfigArgs, ManArgs};
use crate::output::{self, Exit};
use anyhow::{Context, Result, bail};
use clap::{Arg, Command, CommandFactory};
use dextra::skill::settings;

/// Options of a verb with their defaults, then the settings of a recipe.
pub fn run(args: &ConfigArgs) -> Result<Exit> {
    let mut text = String::new();
    if !args.verb.is_empty() {
        let words = args.verb.iter().flat_map(|word| word.split_whitespace());
        text += &described(&words.collect::<Vec<_>>())?;
    }
    if let Some(recipe) = &args.recipe {
        if !text.is_empty() {
            text += "\n# Settings, for `--set NAME=VALUE` and recipe files.\n\n";
        }
        text += &settings(recipe)?;
    }
    output::print(&text)?;
    Ok(Exit::Fine)
}

/// Writes the completions of a shell.
pub fn completions(args: &CompletionsArgs) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dextra", &mut text);
    output::print(&String::from_utf8(text)?)?;
    Ok(Exit::Fine)
}

/// Writes one page per command.
pub fn man(args: &ManArgs) -> Result<Exit> {
    let out = args.out.display();
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {out}"))?;
    clap_mangen::generate_to(Cli::command(), &args.out)
        .with_context(|| format!("cannot write manual pages into {out}"))?;
    output::print(&format!("manual pages in {out}; `man -l {out}/dextra.1` shows the first\n"))?;
    Ok(Exit::Fine)
}

fn described(words: &[&str]) -> Result<String> {
    let mut whole = Cli::command();
    whole.build();
    let mut at = &whole;
    for word in words {
        let known: Vec<&str> = at.get_subcommands().map(Command::get_name).collect();
        at = match at.find_subcommand(word) {
            Some(found) => found,
            None => {
                let hint = dextra::names::hint(word, known.iter().copied());
                bail!(
                    "there is no verb `{}`; there are {}{hint}",
                    words.join(" "),
                    known.join(", ")
                );
            }
        };
    }
    let mut text = format!("# dextra {}: {}\n", words.join(" "), about(at));
    for inner in at.get_subcommands().filter(|inner| inner.get_name() != "help") {
        text += &format!("#   {}: {}\n", inner.get_name(), about(inner));
    }
    for arg in
        at.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
    {
        text += &format!("\n# {}\n{}\n", help(arg), line(arg));
    }
    Ok(text)
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn help(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<_> =
        arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
    if !values.is_empty() && arg.get_action().takes_values() {
        text += &format!("; one of {}", values.join(", "));
    }
    text
}

/// The option as it is typed, with its default.
fn line(arg: &Arg) -> String {
    let value = |arg: &Arg| {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" ")
    };
    // What may stand alone takes its value behind an equals sign.
    let typed = |long: &str| match arg.is_require_equals_set() {
        true => format!("--{long}[={}]", value(arg)),
        false => format!("--{long} {}", value(arg)),
    };
    let Some(long) = arg.get_long() else { return value(arg) };
    if !arg.get_action().takes_values() {
        return format!("--{long}  # default: off");
    }
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
    // What stands where nothing is given depends on other input; its help says on what.
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let stated = help.split_once("[default: ").and_then(|(_, rest)| rest.split_once(']'));
    match (defaults.is_empty(), arg.is_required_set(), stated) {
        (false, ..) => format!("--{long} {}  # default", defaults.join(",")),
        (true, true, _) => typed(long) + "  # needed",
        (true, false, Some((stated, _))) => {
            format!("{}  # default: {stated}", typed(long))
        }
        (true, false, None) => typed(long) + "  # default: not given",
    }
}
