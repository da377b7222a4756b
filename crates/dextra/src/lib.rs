//! dextra turns human hand-object demonstrations into robot-hand trajectories that hold up in
//! physics. This is the library users import: one short file per verb.

mod clock;
pub mod collect;
mod curves;
pub mod dataset;
pub mod demo;
pub mod doctor;
pub mod error;
pub mod export;
pub mod feasibility;
pub mod film;
mod grasps;
pub mod hand;
pub mod import;
mod journal;
mod outputs;
pub mod page;
mod pictures;
pub mod plots;
pub mod practice;
mod prepare;
pub mod progress;
pub mod report;
pub mod request;
pub mod skill;
pub mod transfer;
pub mod view;

pub use collect::{CollectRequest, Dataset, collect};
pub use dextra_core::{Demonstration, Side, names};
pub use dextra_data::dataset::Format as DatasetFormat;
pub use dextra_data::{
    ClipOptions, Format as RecordingFormat, ImportOptions, QuatOrder, Unit, UpAxis,
};
pub use error::Error;
pub use export::dataset::{
    DatasetReport, DatasetRequest, dataset as export_dataset, default_points,
};
pub use export::robot::{RobotReport, RobotRequest, RobotStatus, robot as export_robot};
pub use feasibility::{FeasibilityReport, FeasibilityRequest, feasibility};
pub use hand::{HandReport, HandRequest};
pub use import::{ImportRequest, import};
pub use progress::{Reporter, Silent};
pub use report::{Protocols, Report, Status};
pub use request::TransferRequest;
pub use transfer::transfer;
