//! What can be typed about datasets.

use clap::{Args, Subcommand};
use dextra::DatasetFormat;
use std::path::PathBuf;

/// `export lerobot`, `zarr` and `hdf5`.
#[derive(Debug, Args)]
pub struct CollectionArgs {
    /// Folder that `collect` filled.
    pub collection: PathBuf,
    /// The dataset; nothing may be there.
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// Steps per second; must divide the rate of the physics.
    #[arg(long, value_name = "HZ", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub fps_hz: u32,
    /// Only episodes of this hand, as it was named to `collect`.
    #[arg(long, value_name = "HAND")]
    pub hand: Option<String>,
    /// The task in words [default: the name of the clip].
    #[arg(long, value_name = "TEXT")]
    pub task: Option<String>,
    /// Points on the surfaces of the objects, in the world, as `point_cloud` [default: 512 with zarr, else 0: none; at most 16384].
    #[arg(long, value_name = "N")]
    pub points: Option<usize>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `dataset`.
#[derive(Debug, Args)]
pub struct DatasetArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: DatasetAction,
}

/// What is done with datasets.
#[derive(Debug, Subcommand)]
pub enum DatasetAction {
    /// What is in a dataset.
    Info(LookArgs),
    /// Whether all of a dataset can be read, and whether every episode says that it was accepted.
    Validate(LookArgs),
    /// One dataset out of several.
    Merge(MergeArgs),
    /// Several datasets out of one.
    Split(SplitArgs),
}

/// `dataset info` and `validate`.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// The dataset: LeRobot v3.0, Zarr v2 or HDF5.
    pub dataset: PathBuf,
    /// Keep what was found: contents.json and a page, report.html, in this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `dataset merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The datasets.
    #[arg(required = true)]
    pub datasets: Vec<PathBuf>,
    /// The new dataset; nothing may be there.
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// Its format: lerobot, zarr or hdf5 [default: that of the first dataset].
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: Option<DatasetFormat>,
}

/// `dataset split`.
#[derive(Debug, Args)]
pub struct SplitArgs {
    /// The dataset.
    pub dataset: PathBuf,
    /// Folder for the parts.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Names and shares of the parts.
    #[arg(long, value_name = "NAME=SHARE,…", value_delimiter = ',', value_parser = part,
          default_value = "train=0.9,val=0.1")]
    pub parts: Vec<(String, f64)>,
    /// Seed of the random draw.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// A format by name.
fn format(text: &str) -> Result<DatasetFormat, String> {
    let names = DatasetFormat::ALL.map(DatasetFormat::name);
    let found = DatasetFormat::ALL.into_iter().find(|format| format.name() == text);
    found.ok_or_else(|| {
        format!("the formats are {}{}", names.join(", "), dextra::names::hint(text, names))
    })
}

/// `NAME=SHARE`.
fn part(text: &str) -> Result<(String, f64), String> {
    let (name, share) = text.split_once('=').ok_or("NAME=SHARE is needed")?;
    match share.parse::<f64>() {
        Ok(share) if share.is_finite() && share > 0.0 => Ok((name.to_owned(), share)),
        Ok(_) => Err("a share must be above zero".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_formats_are_told_by_name() {
        assert_eq!(part("val=0.1"), Ok(("val".to_owned(), 0.1)));
        assert!(part("val").is_err() && part("val=0").is_err() && part("val=x").is_err());
        assert_eq!(format("zarr"), Ok(DatasetFormat::Zarr));
        assert!(format("csv").unwrap_err().contains("lerobot"));
        assert!(format("zar").unwrap_err().ends_with("did you mean `zarr`?"));
    }
}
