//! From a simulated trajectory to what real machines are sent: actuators of an underactuated hand by fingertip
//! alignment, joints of arms by inverse kinematics of their flanges, and streams at a vendor's rate within a
//! vendor's limits (ManipTrans, Li et al. 2025, deploys so on two 7-DoF arms with Inspire hands).

pub mod align;
pub mod arm;
pub mod capsule;
pub mod check;
pub mod follow;
pub mod ik;
pub mod stand;
pub mod stream;

pub use align::{Align, Aligned, align};
pub use arm::Arm;
pub use capsule::Capsule;
pub use check::{ChannelCheck, check, needed_time_scale};
pub use follow::{Followed, Load, Obstacle, Placed, Struck, follow, strikes, strikes_obstacles};
pub use stand::{Stand, Wanted, place};
pub use stream::{Stream, smooth, with_rests};

#[cfg(test)]
mod tests;
