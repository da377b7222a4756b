//! What can be typed to learn what can be typed.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The verb, such as `transfer` or `hand check`.
    #[arg(required_unless_present = "recipe")]
    pub verb: Vec<String>,
    /// Also every setting of this recipe, as a recipe file: a built-in name, or a file. Alone with `--recipe`, its
    /// settings only.
    #[arg(long, value_name = "RECIPE")]
    pub recipe: Option<String>,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder to write to.
    pub out: PathBuf,
}
