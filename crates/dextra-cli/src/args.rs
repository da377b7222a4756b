//! What can be typed. Parsing only: what the values mean is for the library to say.

mod dataset;
mod export;
mod show;
mod words;

pub use dataset::{CollectionArgs, DatasetAction, DatasetArgs, LookArgs};
pub use export::{ExportArgs, ExportFormat, RobotArgs};
pub use show::{ReportArgs, ViewArgs};
pub use words::{CompletionsArgs, ConfigArgs, ManArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use dextra::{ClipOptions, QuatOrder, RecordingFormat, Side, Unit, UpAxis};
use std::path::PathBuf;

/// Turn human hand-object demonstrations into robot-hand trajectories that hold up in physics.
#[derive(Debug, Parser)]
#[command(name = "dextra", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// One clip in; a robot-hand trajectory, its verdict in true physics and pictures out.
    Transfer(TransferArgs),
    /// A trained policy, played closed loop under every stated perturbation.
    Rollout(RolloutArgs),
    /// Many clips, hands and seeds; the accepted rollouts of their policies as a dataset.
    Collect(CollectArgs),
    /// A finished result in the terms of something else, such as real robots.
    Export(ExportArgs),
    /// Results as pages: one remade in its folder, or several compared.
    Report(ReportArgs),
    /// A result in Rerun's viewer: robot, human, contacts, forces and errors on one timeline.
    View(ViewArgs),
    /// A look at datasets, and their parts.
    Dataset(DatasetArgs),
    /// What stands against a transfer, told in a second and before any search.
    Feasibility(FeasibilityArgs),
    /// What is known of a robot hand from its file, and how sure that is.
    Hand(HandArgs),
    /// A recording in the format of others, as it is downloaded, as a clip.
    Import(ImportArgs),
    /// Built-in demonstrations, and a look at a clip.
    Demo(DemoArgs),
    /// What this machine has and lacks.
    Doctor(DoctorArgs),
    /// Every option of a verb, and every setting of a recipe: what it is, what it means, where it is from.
    Config(ConfigArgs),
    /// What a shell needs to complete commands, on stdout.
    Completions(CompletionsArgs),
    /// Manual pages, one per command.
    Man(ManArgs),
}

/// `transfer`.
#[derive(Debug, Args)]
pub struct TransferArgs {
    /// A clip (.npz), or the name of a built-in one.
    pub clip: String,
    /// Hands, separated by commas: names of built-in hands, or MJCF or URDF files.
    #[arg(long, value_name = "HAND,…", required = true, value_delimiter = ',')]
    pub hand: Vec<String>,
    /// Seed of every random draw.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Folder for the results, one sub-folder per hand when there are several
    /// [default: out/CLIP].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object per hand instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Threads [default: all cores]; the result does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// How to read the clip.
    #[command(flatten)]
    pub reading: ClipArgs,
    /// Make no pictures and no film (needs no OpenGL).
    #[arg(long)]
    pub no_film: bool,
    /// Make a video too: film.mp4 (AV1), larger and smoother than film.gif, and slower to make.
    #[arg(long, conflicts_with = "no_film")]
    pub video: bool,
    /// Open-loop replays with a displaced object, per displacement; 0 leaves them out. A policy has as many
    /// trials per perturbation, and one at least.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub robustness_trials: usize,
    /// How much the human's way counts: 0 takes any grasp that works, 1 is the usual, more keeps closer
    /// to the demonstrated grasp at the cost of success.
    #[arg(long, value_name = "W", default_value_t = 1.0)]
    pub human_weight: f64,
    /// Reject a fragile trajectory (one that fails at half the time step, or in more than 3 of 10 replays
    /// with the object displaced by 1 cm), and search longer for a sturdy one.
    #[arg(long)]
    pub robust: bool,
    /// Try the grasps of an earlier result of the same hand and object first.
    #[arg(long, value_name = "DIR")]
    pub reuse: Option<PathBuf>,
    /// Train a closed-loop policy by a recipe: the name of a built-in one, or a .toml file [without a
    /// value: dextra].
    #[arg(long, value_name = "RECIPE", num_args = 0..=1, require_equals = true,
          default_missing_value = "dextra")]
    pub policy: Option<String>,
    /// Change a setting of the recipe, such as track.reach.position=0.03; values are TOML.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "policy")]
    pub settings: Vec<String>,
}

/// `collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Clips (.npz), or names of built-in ones.
    #[arg(required = true)]
    pub clips: Vec<String>,
    /// Hands, separated by commas.
    #[arg(long, value_name = "HAND,…", required = true, value_delimiter = ',')]
    pub hand: Vec<String>,
    /// Seeds, separated by commas.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0")]
    pub seeds: Vec<u64>,
    /// Folder of the dataset; what is in it already is not repeated.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Recipe of the policies.
    #[arg(long, value_name = "RECIPE", default_value = "dextra")]
    pub policy: String,
    /// Change a setting of the recipe.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Rollouts tried per clip, hand and seed.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub rollouts: usize,
    /// Threads [default: all cores]; the result does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// How to read the clips.
    #[command(flatten)]
    pub reading: ClipArgs,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `rollout`.
#[derive(Debug, Args)]
pub struct RolloutArgs {
    /// Folder of a skill, or of the transfer that made it.
    pub skill: PathBuf,
    /// Where the clip is now, if it has been moved since.
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Where the file of the hand is now, if it has been moved since.
    #[arg(long, value_name = "FILE")]
    pub hand: Option<String>,
    /// Trials per perturbation and seed.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub trials: usize,
    /// Seeds of the perturbations, separated by commas.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,1,2")]
    pub seeds: Vec<u64>,
    /// Keep what was found: rollout.json and a page, report.html, in this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Threads [default: all cores]; the result does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// `feasibility`.
#[derive(Debug, Args)]
pub struct FeasibilityArgs {
    /// A clip (.npz), or the name of a built-in one.
    pub clip: String,
    /// Hands, separated by commas: names of built-in hands, or MJCF or URDF files.
    #[arg(long, value_name = "HAND,…", required = true, value_delimiter = ',')]
    pub hand: Vec<String>,
    /// Seed of the noise of a built-in clip.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Keep what was found: feasibility.json and a page, report.html, in this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object per hand instead of a table.
    #[arg(long)]
    pub json: bool,
    /// How to read the clip.
    #[command(flatten)]
    pub reading: ClipArgs,
}

/// What a clip file does not say itself, or says wrongly.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reading the clip")]
pub struct ClipArgs {
    /// Mesh of the object (.obj, .stl, .ply or .glb) [default: stated beside the clip].
    #[arg(long, value_name = "FILE")]
    pub mesh: Option<PathBuf>,
    /// Frames per second [default: stated in the clip].
    #[arg(long, value_name = "F", value_parser = positive)]
    pub fps_hz: Option<f64>,
    /// Unit of lengths [default: stated in the clip or inferred].
    #[arg(long)]
    pub unit: Option<UnitArg>,
    /// Unit of the mesh, where it is not metres.
    #[arg(long)]
    pub mesh_unit: Option<UnitArg>,
    /// Axis that points up [default: stated in the clip or inferred].
    #[arg(long, allow_hyphen_values = true)]
    pub up_axis: Option<UpAxisArg>,
    /// Order of the numbers of a quaternion [default: stated in the clip or wxyz].
    #[arg(long)]
    pub quat_order: Option<QuatOrderArg>,
    /// Which hand it is [default: inferred from the geometry].
    #[arg(long)]
    pub side: Option<SideArg>,
    /// Mass of the object [default: from its volume].
    #[arg(long, value_name = "M", value_parser = positive)]
    pub mass_kg: Option<f64>,
}

impl ClipArgs {
    /// The same for the library.
    pub fn options(&self) -> ClipOptions {
        ClipOptions {
            mesh: self.mesh.clone(),
            fps: self.fps_hz,
            unit: self.unit.map(UnitArg::unit),
            mesh_unit: self.mesh_unit.map(UnitArg::unit),
            up_axis: self.up_axis.map(UpAxisArg::up_axis),
            side: self.side.map(SideArg::side),
            quat_order: self.quat_order.map(QuatOrderArg::quat_order),
            mass_kg: self.mass_kg,
            ..ClipOptions::default()
        }
    }
}

/// A unit of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnitArg {
    /// Metres.
    M,
    /// Centimetres.
    Cm,
    /// Millimetres.
    Mm,
}

impl UnitArg {
    fn unit(self) -> Unit {
        match self {
            UnitArg::M => Unit::Metre,
            UnitArg::Cm => Unit::Centimetre,
            UnitArg::Mm => Unit::Millimetre,
        }
    }
}

/// A direction of the clip's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UpAxisArg {
    /// +x.
    X,
    /// +y.
    Y,
    /// +z.
    Z,
    /// -x.
    #[value(name = "-x")]
    MinusX,
    /// -y.
    #[value(name = "-y")]
    MinusY,
    /// -z.
    #[value(name = "-z")]
    MinusZ,
}

impl UpAxisArg {
    fn up_axis(self) -> UpAxis {
        match self {
            UpAxisArg::X => UpAxis::X,
            UpAxisArg::Y => UpAxis::Y,
            UpAxisArg::Z => UpAxis::Z,
            UpAxisArg::MinusX => UpAxis::MinusX,
            UpAxisArg::MinusY => UpAxis::MinusY,
            UpAxisArg::MinusZ => UpAxis::MinusZ,
        }
    }
}

/// Order of the four numbers of a quaternion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QuatOrderArg {
    /// Scalar first.
    Wxyz,
    /// Scalar last.
    Xyzw,
}

impl QuatOrderArg {
    fn quat_order(self) -> QuatOrder {
        match self {
            QuatOrderArg::Wxyz => QuatOrder::Wxyz,
            QuatOrderArg::Xyzw => QuatOrder::Xyzw,
        }
    }
}

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SideArg {
    /// A right hand.
    Right,
    /// A left hand.
    Left,
}

impl SideArg {
    fn side(self) -> Side {
        match self {
            SideArg::Right => Side::Right,
            SideArg::Left => Side::Left,
        }
    }
}

/// `hand`.
#[derive(Debug, Args)]
pub struct HandArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: HandVerb,
}

/// The verbs of `hand`.
#[derive(Debug, Subcommand)]
pub enum HandVerb {
    /// Derive the map of a hand: palm, fingers, tips, keypoints, servos; write it and draw it.
    Check(HandCheckArgs),
}

/// `hand check`.
#[derive(Debug, Args)]
pub struct HandCheckArgs {
    /// An MJCF (.xml) or URDF (.urdf) file.
    pub file: PathBuf,
    /// Folder for the map, the picture and the page [default: beside the file]. A map that is there already stays.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Draw no picture.
    #[arg(long)]
    pub no_picture: bool,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: DemoVerb,
}

/// The verbs of `demo`.
#[derive(Debug, Subcommand)]
pub enum DemoVerb {
    /// Write a built-in demonstration as files.
    Synth(SynthArgs),
    /// Read a clip and say what is in it.
    Info(InfoArgs),
    /// Say of clips whether they can be used, and what they do not state themselves.
    Validate(ValidateArgs),
}

/// `demo synth`.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// Name of a built-in clip, or "all".
    pub clip: String,
    /// Seed of the noise.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Noise, in units of the usual one: 1 cm on keypoints, 2 mm and 1 deg on objects; 0 for none.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    pub noise: f64,
    /// Folder for the files.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `demo info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// A clip (.npz), or the name of a built-in one.
    pub clip: String,
    /// Keep what was found: clip.json, a film strip and a page, report.html, in this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// How to read the clip.
    #[command(flatten)]
    pub reading: ClipArgs,
}

/// `demo validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Clips (.npz).
    #[arg(required = true)]
    pub clips: Vec<String>,
    /// Print one JSON object per clip instead of a table.
    #[arg(long)]
    pub json: bool,
    /// How to read the clips.
    #[command(flatten)]
    pub reading: ClipArgs,
}

/// `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Format of the recording.
    #[arg(value_parser = format_names())]
    pub format: String,
    /// File or folder of one sequence, as it was downloaded.
    pub path: PathBuf,
    /// The clip to write, its meshes beside it [default: the recording's name, in this folder].
    #[arg(long, value_name = "FILE.npz")]
    pub out: Option<PathBuf>,
    /// Folder of your own copy of the MANO model, which many data sets need.
    #[arg(long, value_name = "DIR")]
    pub mano: Option<PathBuf>,
    /// Folder to look for meshes in first.
    #[arg(long, value_name = "DIR")]
    pub meshes: Option<PathBuf>,
    /// Objects to keep, separated by commas [default: all].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub objects: Vec<String>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// What the recording does not say itself.
    #[command(flatten)]
    pub reading: ClipArgs,
}

fn format_names() -> clap::builder::PossibleValuesParser {
    RecordingFormat::ALL.map(RecordingFormat::name).into()
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print one JSON object per check instead of a table.
    #[arg(long)]
    pub json: bool,
}

fn number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("`{text}` is not a number")),
    }
}

/// A number above zero.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        Ok(_) => Err("must be above zero".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn transfer(line: &str) -> Result<TransferArgs, clap::Error> {
        match Cli::try_parse_from(line.split_whitespace())?.verb {
            Verb::Transfer(args) => Ok(args),
            other => panic!("not a transfer: {other:?}"),
        }
    }

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn hands_are_separated_by_commas() {
        let args = transfer("dextra transfer cube --hand shadow,leap").unwrap();
        assert_eq!(args.hand, ["shadow", "leap"]);
        assert_eq!((args.seed, args.robustness_trials), (0, 100));
    }

    #[test]
    fn a_hand_is_required() {
        assert!(transfer("dextra transfer cube").is_err());
    }

    #[test]
    fn downward_axes_can_be_typed() {
        let args = transfer("dextra transfer a.npz --hand leap --up-axis -y --unit mm").unwrap();
        assert_eq!(args.reading.up_axis, Some(UpAxisArg::MinusY));
        assert_eq!(args.reading.unit, Some(UnitArg::Mm));
    }

    #[test]
    fn the_order_of_quaternions_reaches_the_library() {
        let args = transfer("dextra transfer a.npz --hand leap --quat-order xyzw").unwrap();
        assert_eq!(args.reading.options().quat_order, Some(QuatOrder::Xyzw));
        let args = transfer("dextra transfer a.npz --hand leap").unwrap();
        assert_eq!(args.reading.options(), ClipOptions::default());
        assert!(transfer("dextra transfer a.npz --hand leap --quat-order zyxw").is_err());
    }

    #[test]
    fn typed_names_are_the_names_of_the_library() {
        for (arg, unit) in UnitArg::value_variants().iter().zip(Unit::ALL) {
            assert_eq!(arg.unit(), unit);
            assert_eq!(arg.to_possible_value().unwrap().get_name(), unit.name());
        }
        for arg in UpAxisArg::value_variants() {
            assert_eq!(arg.to_possible_value().unwrap().get_name(), arg.up_axis().name());
        }
        for (arg, order) in QuatOrderArg::value_variants().iter().zip(QuatOrder::ALL) {
            assert_eq!(arg.quat_order(), order);
            assert_eq!(arg.to_possible_value().unwrap().get_name(), order.name());
        }
        for arg in SideArg::value_variants() {
            assert_eq!(arg.to_possible_value().unwrap().get_name(), arg.side().name());
        }
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for flag in ["--fps-hz 0", "--fps-hz -30", "--mass-kg nan", "--mass-kg inf", "--threads 0"]
        {
            assert!(
                transfer(&format!("dextra transfer cube --hand leap {flag}")).is_err(),
                "{flag}"
            );
        }
    }
}
