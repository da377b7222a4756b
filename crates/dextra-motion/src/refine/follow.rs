//! What a hand does that has nothing to hold: it follows the retargeted motion, or waits.

use super::RefineInput;
use super::job::Found;
use super::plan::IdlePath;
use super::timeline::Timeline;
use dextra_core::Pose;
use dextra_sim::scene::{Scene, root_to_wrist};

/// What each hand does without a hold: one that has a hold later waits with a neutral hand, one that
/// has none follows the retargeted motion.
pub(super) fn idle_paths(input: &RefineInput<'_>, schedule: &Timeline) -> Vec<IdlePath> {
    (0..input.hands.len())
        .map(|hand| {
            let robot = input.hands[hand];
            if schedule.holds.iter().any(|hold| hold.hand == hand) {
                let joints = robot.neutral();
                let fingers = vec![robot.ctrl(&joints)];
                return IdlePath { world_from_root: Vec::new(), fingers, joints };
            }
            let motion = &input.motion.hands[hand];
            let frames: Vec<usize> =
                (0..=schedule.steps).map(|step| frame_at(input, schedule, hand, step)).collect();
            IdlePath {
                world_from_root: frames.iter().map(|&f| motion.world_from_root[f]).collect(),
                fingers: frames.iter().map(|&f| robot.ctrl(motion.joints[f].as_slice())).collect(),
                joints: motion.joints[frames[0]].as_slice().to_vec(),
            }
        })
        .collect()
}

/// Frame of the retargeted motion at a physics step.
fn frame_at(input: &RefineInput<'_>, schedule: &Timeline, hand: usize, step: usize) -> usize {
    let frame = (schedule.demonstrated_time(step) * input.motion.fps).round().max(0.0) as usize;
    frame.min(input.motion.hands[hand].world_from_root.len() - 1)
}

/// Plays the retargeted motion without planning anything.
pub(super) fn motion(
    input: &RefineInput<'_>,
    schedule: &Timeline,
    scene: &Scene,
    rest: &[Pose],
) -> Found {
    let nu = scene.model.ffi().nu as usize;
    let mut ctrl = vec![0.0; schedule.steps * nu];
    let mut qpos0 = scene.default_qpos();
    for (index, pose) in rest.iter().enumerate() {
        scene.set_object(index, pose, &mut qpos0);
    }
    for (index, hand) in input.motion.hands.iter().enumerate() {
        let at = |step: usize| frame_at(input, schedule, index, step);
        scene.set_hand(
            index,
            &hand.world_from_root[at(0)],
            hand.joints[at(0)].as_slice(),
            &mut qpos0,
        );
        let place = &scene.hands[index];
        let mut near = [0.0; 6];
        for step in 0..schedule.steps {
            let frame = at(step);
            near = root_to_wrist(place, &hand.world_from_root[frame], &near);
            let row = &mut ctrl[step * nu..(step + 1) * nu];
            for slot in 0..6 {
                row[place.wrist_ctrl[slot]] = near[slot];
            }
            let fingers = input.hands[index].ctrl(hand.joints[frame].as_slice());
            for (&address, value) in place.finger_ctrl.iter().zip(fingers) {
                row[address] = value;
            }
        }
    }
    Found {
        qpos0,
        ctrl,
        hypothesis: "retargeted motion".to_owned(),
        grasp_changed: false,
        repaired: false,
        sim_steps: schedule.steps as u64,
        grasps: Vec::new(),
        notes: Vec::new(),
        quarantined: None,
    }
}
