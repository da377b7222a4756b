//! What can be wrong with a clip or a hand.

use dextra_core::Side;
use dextra_core::kinematics::KinematicsError;

/// Why a clip cannot be retargeted.
#[derive(Debug, thiserror::Error)]
pub enum RetargetError {
    /// The hand's map names a body that the tree lacks.
    #[error(
        "hand \"{hand}\": the map names body \"{body}\", which the model lacks; it has: {valid}"
    )]
    NoSuchBody {
        /// Hand.
        hand: String,
        /// Missing body.
        body: String,
        /// Bodies there are.
        valid: String,
    },
    /// The hand's map links a keypoint that does not exist, or links one twice.
    #[error("hand \"{hand}\": keypoint {keypoint} is linked twice or is not in 0-20")]
    BadKeypoint {
        /// Hand.
        hand: String,
        /// Keypoint.
        keypoint: usize,
    },
    /// The hand's map links no fingertip.
    #[error("hand \"{hand}\": the map links no fingertip (keypoints 4, 8, 12, 16, 20)")]
    NoFingertip {
        /// Hand.
        hand: String,
    },
    /// The couplings of the hand cannot be resolved.
    #[error("hand \"{hand}\": {source}")]
    Kinematics {
        /// Hand.
        hand: String,
        /// Reason.
        source: KinematicsError,
    },
    /// Human and robot hand are of different sides.
    #[error("hand \"{hand}\" is a {robot} hand but the track shows a {human} hand", robot = robot.name(), human = human.name())]
    SideMismatch {
        /// Hand.
        hand: String,
        /// Its side.
        robot: Side,
        /// Side of the track.
        human: Side,
    },
    /// There are no frames.
    #[error("the hand track has no frames")]
    Empty,
    /// The frame rate is no positive number.
    #[error("fps is {fps}, expected a positive number")]
    BadFps {
        /// The value.
        fps: f64,
    },
    /// A rest angle list of the wrong length.
    #[error("rest_joints_rad has {got} angles, the hand has {expected} joints")]
    BadRest {
        /// Angles given.
        got: usize,
        /// Joints of the hand.
        expected: usize,
    },
    /// An object has another number of poses than the hand has frames.
    #[error("object {object} has {poses} poses but the hand has {frames} frames")]
    ObjectFrames {
        /// Index of the object.
        object: usize,
        /// Its poses.
        poses: usize,
        /// Frames of the hand.
        frames: usize,
    },
    /// A keypoint is NaN or infinite.
    #[error("frame {frame}: keypoint {keypoint} is not finite")]
    NotFinite {
        /// Frame.
        frame: usize,
        /// Keypoint.
        keypoint: usize,
    },
    /// An object pose is NaN or infinite.
    #[error("frame {frame}: the pose of object {object} is not finite")]
    ObjectNotFinite {
        /// Frame.
        frame: usize,
        /// Index of the object.
        object: usize,
    },
    /// Wrist, index, middle and pinky knuckle lie on a line, so the palm has no orientation.
    #[error("frame {frame}: the palm is degenerate (keypoints 0, 5, 9 and 17 span no plane)")]
    DegeneratePalm {
        /// Frame.
        frame: usize,
    },
}
