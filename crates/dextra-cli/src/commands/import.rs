//! `dextra import`.

use super::demo::described;
use crate::args::ImportArgs;
use crate::output::{self, Exit};
use anyhow::{Context, Result};
use dextra::{ImportOptions, ImportRequest, RecordingFormat};

/// Writes the clip and prints its path and what is in it.
pub fn run(args: &ImportArgs) -> Result<Exit> {
    let request = ImportRequest {
        format: RecordingFormat::from_name(&args.format).context("an unknown format")?,
        path: args.path.clone(),
        out: args.out.clone(),
        options: ImportOptions {
            clip: args.reading.options(),
            mano: args.mano.clone(),
            meshes: args.meshes.clone(),
            objects: args.objects.clone(),
        },
    };
    let (file, info) = dextra::import(&request)?;
    let file = file.display().to_string();
    let text = if args.json {
        let mut json = serde_json::to_value(&info)?;
        json["file"] = file.into();
        json.to_string() + "\n"
    } else {
        format!("{file}\n{}", described(&info))
    };
    output::print(&text)?;
    Ok(Exit::Fine)
}
