//! Arguments of `export`.

use super::{CollectionArgs, number, positive};
use clap::{Args, Subcommand};
use dextra::Side;
use std::path::PathBuf;

/// `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Into what.
    #[command(subcommand)]
    pub format: ExportFormat,
}

/// What a result can be exported into.
#[derive(Debug, Subcommand)]
pub enum ExportFormat {
    /// What real hands and arms are sent: joint positions in the vendor's order, unit, rate and limits.
    Robot(RobotArgs),
    /// A LeRobot v3.0 dataset of what `collect` gathered.
    Lerobot(CollectionArgs),
    /// A Zarr v2 dataset, as DP3 reads it, of what `collect` gathered.
    Zarr(CollectionArgs),
    /// An HDF5 dataset, as robomimic reads it, of what `collect` gathered.
    Hdf5(CollectionArgs),
}

/// `export robot`.
#[derive(Debug, Args)]
pub struct RobotArgs {
    /// Folder of a finished transfer.
    pub result: PathBuf,
    /// Folder for the files [default: robot in the result].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where the file of the simulated hand is now, if it has been moved since.
    #[arg(long, value_name = "FILE")]
    pub hand: Option<String>,
    /// The real hand, where it is not the simulated one: its fingertips follow.
    #[arg(long, value_name = "HAND")]
    pub onto: Option<String>,
    /// Description of the real hand (.toml), for one that is not built in.
    #[arg(long, value_name = "FILE")]
    pub device: Option<String>,
    /// Arms that carry the hands: fr3, or a description (.toml) [without a value: fr3].
    #[arg(long, value_name = "ARM", num_args = 0..=1, require_equals = true,
          default_missing_value = "fr3")]
    pub arms: Option<String>,
    /// Where an arm stands, such as right=0.2,-0.6,0,90 (x, y and z in metres, yaw in degrees); others are chosen.
    #[arg(long, value_name = "SIDE=X,Y,Z,YAW", value_parser = stand, allow_hyphen_values = true)]
    pub stand: Vec<(Side, [f64; 4])>,
    /// How a hand is turned on its flange, such as left=45; others are chosen.
    #[arg(long, value_name = "SIDE=DEG", value_parser = turn)]
    pub turn_deg: Vec<(Side, f64)>,
    /// Height of what the arms stand on and must not strike, where it is not the table of the scene: lower when the
    /// object stands on a pedestal.
    #[arg(long, value_name = "Z", value_parser = number, allow_hyphen_values = true)]
    pub table_m: Option<f64>,
    /// Messages per second to every machine [default: each vendor's].
    #[arg(long, value_name = "HZ", value_parser = positive)]
    pub rate_hz: Option<f64>,
    /// Send the fingers where they were in simulation, not the targets that squeeze.
    #[arg(long)]
    pub measured: bool,
    /// Standard deviation of the smoothing over time.
    #[arg(long, value_name = "S", default_value_t = 0.04)]
    pub smoothing_s: f64,
    /// What smoothness is worth with --onto: a joint at 1 rad/s costs as much as a fingertip this far off.
    #[arg(long, value_name = "MM", default_value_t = 1.0)]
    pub align_smoothness_mm: f64,
    /// How many times slower the motion may become for the limits' sake.
    #[arg(long, value_name = "F", default_value_t = 4.0)]
    pub max_time_scale: f64,
    /// Export a trajectory that was rejected, too.
    #[arg(long)]
    pub allow_rejected: bool,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// `SIDE=` and what follows it.
fn sided(text: &str) -> Result<(Side, &str), String> {
    match text.split_once('=') {
        Some(("right", rest)) => Ok((Side::Right, rest)),
        Some(("left", rest)) => Ok((Side::Left, rest)),
        _ => Err("must begin with right= or left=".into()),
    }
}

/// A place and a yaw of an arm.
fn stand(text: &str) -> Result<(Side, [f64; 4]), String> {
    let (side, rest) = sided(text)?;
    let numbers = rest.split(',').map(number).collect::<Result<Vec<f64>, String>>()?;
    let four = numbers.try_into().map_err(|_| "needs x, y, z and yaw".to_owned())?;
    Ok((side, four))
}

/// An angle of a side.
fn turn(text: &str) -> Result<(Side, f64), String> {
    let (side, rest) = sided(text)?;
    Ok((side, number(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Verb};
    use clap::Parser;

    #[test]
    fn stands_and_turns_are_of_a_side() {
        assert_eq!(stand("left=0.1,-0.5,0,90"), Ok((Side::Left, [0.1, -0.5, 0.0, 90.0])));
        assert_eq!(turn("right=-45"), Ok((Side::Right, -45.0)));
        for bad in ["up=1,2,3,4", "left=1,2,3", "left=1,2,3,x", "left=1,2,3,nan", "1,2,3,4"] {
            assert!(stand(bad).is_err(), "{bad}");
        }
        let line = "dextra export robot out --arms --stand right=-1,0,0,0 --turn-deg right=-45";
        let Ok(Verb::Export(args)) =
            Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.verb)
        else {
            panic!("not an export");
        };
        let ExportFormat::Robot(args) = args.format else { panic!("not for a robot") };
        assert_eq!((args.arms.as_deref(), args.stand.len()), (Some("fr3"), 1));
    }
}
