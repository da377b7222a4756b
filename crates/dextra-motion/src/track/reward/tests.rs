use super::*;
use crate::track::seen::{Near, SeenKnuckle, SeenObject, SeenTip};
use crate::track::task::{KnuckleFrame, Speeds, TipFrame};
use crate::track::wrench::Load;
use nalgebra::UnitQuaternion;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

fn at(x: f64, y: f64, z: f64) -> Pose {
    Pose::translation(x, y, z)
}

/// The upper face of an object, touched from above by a tip of 1 cm.
fn upper() -> Goal {
    Goal {
        object: 0,
        tip_in_object: Point3::new(0.0, 0.0, 0.06),
        surface_in_object: Point3::new(0.0, 0.0, 0.05),
        normal_in_object: Vector3::z(),
    }
}

fn tip(z: f64) -> SeenTip {
    SeenTip {
        finger: 1,
        in_world: Point3::new(0.0, 0.0, z),
        velocity: Vector3::new(0.3, 0.0, 0.0),
        pad_in_world: -Vector3::z(),
        push_in_world: Vector3::new(0.0, 0.0, -2.0),
        near: vec![Near {
            distance: z - 0.05,
            surface_in_object: Point3::new(0.0, 0.0, 0.05),
            normal_in_object: Vector3::z(),
        }],
    }
}

/// A hand with one index fingertip 7 cm above the origin of an object that is 2 cm above its rest.
fn scene() -> (Seen, Frame) {
    let hand = SeenHand {
        world_from_root: at(0.0, 0.03, 0.2),
        velocity: Vector3::new(0.0, 0.3, 0.4),
        turning: Vector3::new(1.0, 0.0, 0.0),
        pivot: Point3::origin(),
        palm_in_world: -Vector3::z(),
        joints: Vec::new(),
        joint_velocities: Vec::new(),
        wrist: [0.0; 6],
        lengths: Vec::new(),
        tips: vec![tip(0.07)],
        knuckles: vec![
            SeenKnuckle {
                level: Level::Proximal,
                in_world: Point3::new(0.0, 0.0, 0.09),
                velocity: Vector3::zeros(),
            },
            SeenKnuckle {
                level: Level::Middle,
                in_world: Point3::new(0.0, 0.0, 0.08),
                velocity: Vector3::zeros(),
            },
        ],
    };
    let object = SeenObject {
        pose: at(0.0, 0.0, 0.0),
        velocity: Vector3::new(0.2, 0.0, 0.0),
        turning: Vector3::new(0.0, 0.0, 2.0),
        force: Vector3::new(0.0, 0.6, 1.162),
        torque: Vector3::zeros(),
    };
    let turned = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), 0.5);
    let frame = Frame {
        objects: vec![Pose::from_parts(Vector3::new(0.03, 0.04, 0.0).into(), turned)],
        roots: vec![Pose::from_parts(Vector3::new(0.0, 0.0, 0.2).into(), turned)],
        tips: vec![vec![TipFrame {
            in_world: Point3::new(0.0, 0.0, 0.05),
            goal: Some(upper()),
            distance: 0.025,
        }]],
        knuckles: vec![vec![
            KnuckleFrame { in_world: Point3::new(0.0, 0.0, 0.08), goal: Some(upper()) },
            KnuckleFrame { in_world: Point3::new(0.0, 0.03, 0.08), goal: None },
        ]],
        loads: vec![Load {
            inertial: Vector3::zeros(),
            weight: Vector3::new(0.0, 0.0, -1.962),
            torque: Vector3::zeros(),
            length: 0.05,
        }],
        speeds: Speeds {
            wrists: vec![(Vector3::zeros(), Vector3::zeros())],
            points: vec![vec![Vector3::zeros(), Vector3::new(0.0, 0.0, 0.6), Vector3::zeros()]],
            objects: vec![(Vector3::zeros(), Vector3::new(0.0, 0.0, 1.0))],
        },
    };
    (Seen { hands: vec![hand], objects: vec![object] }, frame)
}

fn terms(config: &RewardConfig, effort: &Effort) -> [f64; TERMS.len()] {
    let (seen, frame) = scene();
    rewards(config, &seen, &frame, &[-0.02], effort)
}

fn term(terms: &[f64; TERMS.len()], name: &str) -> f64 {
    terms[TERMS.iter().position(|&term| term == name).unwrap()]
}

#[test]
fn the_default_is_that_of_the_prototype() {
    let found = terms(&RewardConfig::default(), &Effort::default());
    // Off by 5 cm and 0.5 rad; the tip by 2 cm from the path and by 1 cm from its contact.
    close(term(&found, "object_position"), 0.9 * (-2.0f64).exp());
    close(term(&found, "object_rotation"), 0.6 * (-2.0f64).exp());
    close(term(&found, "tips"), 0.06 * (-0.5f64).exp());
    close(term(&found, "contact_goal"), 0.5 * (-0.4f64).exp());
    for name in ["wrist_position", "contact_force", "contact_prior", "lift", "power", "action"] {
        close(term(&found, name), 0.0);
    }
}

#[test]
fn maniptrans_has_its_weights() {
    let effort = Effort {
        power: 0.1,
        wrist_power: 0.5,
        action: 1.0,
        action_change: 1.0,
        ..Effort::default()
    };
    let found = terms(&RewardConfig::maniptrans(), &effort);
    close(term(&found, "object_position"), 5.0 * (-4.0f64).exp());
    close(term(&found, "object_rotation"), (-1.5f64).exp());
    close(term(&found, "tips"), 0.8 * (-1.8f64).exp());
    close(term(&found, "wrist_position"), 0.1 * (-1.2f64).exp());
    close(term(&found, "wrist_rotation"), 0.6 * (-0.5f64).exp());
    // The tip is 2.5 cm away in the demonstration, so half of its 2 N counts: exp(-1 / 1).
    close(term(&found, "contact_force"), (-1.0f64).exp());
    close(term(&found, "proximal"), 0.5 * (-50.0 * 0.01f64).exp());
    close(term(&found, "middle"), 0.3 * (-40.0 * 0.03f64).exp());
    // Means over three components: (0, 0.3, 0.4) m/s and (1, 0, 0) rad/s.
    close(term(&found, "wrist_velocity"), 0.1 * (-0.7f64 / 3.0).exp());
    close(term(&found, "wrist_turning"), 0.05 * (-1.0f64 / 3.0).exp());
    // The tip is 0.3 m/s off in one, one knuckle 0.6 m/s, the other not at all.
    close(term(&found, "point_velocity"), 0.1 * (-0.1f64).exp());
    close(term(&found, "object_velocity"), 0.1 * (-0.2f64 / 3.0).exp());
    close(term(&found, "object_turning"), 0.1 * (-1.0f64 / 3.0).exp());
    close(term(&found, "power"), 0.5 * (-1.0f64).exp());
    close(term(&found, "wrist_power"), 0.5 * (-1.0f64).exp());
    close(term(&found, "action"), 0.0);
}

#[test]
fn dexman_rewards_more_when_the_object_is_lifted() {
    let found = terms(&RewardConfig::dexman(), &Effort::default());
    // 2 cm above its rest the object is lifted: 0.1 + 4.
    close(term(&found, "object_position"), 4.1 * 5.0 * (-4.0f64).exp());
    close(term(&found, "object_rotation"), 4.1 * (-1.5f64).exp());
    // The tip is 2 cm from the surface and looks straight at it: 0.5 * 2 * e^{-400 * 0.0004} * 2.
    // So does the palm's point of one knuckle from 4 cm, of four times the weight.
    let palm = 8.0 * (-0.64f64).exp();
    close(term(&found, "contact_prior"), 2.0 * (-0.16f64).exp() + palm);
    let resting = RewardConfig { lifted_height: 0.03, ..RewardConfig::dexman() };
    let found = terms(&resting, &Effort::default());
    close(term(&found, "object_position"), 0.1 * 5.0 * (-4.0f64).exp());
    close(term(&found, "contact_prior"), (-0.16f64).exp() + palm / 2.0);
}

#[test]
fn the_contact_prior_wants_the_pad_and_not_the_back() {
    let prior = RewardConfig::dexman().contact_prior;
    let paid = |z: f64, pad: Vector3<f64>| {
        let point = (&Point3::new(0.0, 0.0, z), &pad, prior.weight);
        contact_prior(&prior, point, &Pose::identity(), &upper(), false)
    };
    close(paid(0.07, Vector3::z()), 0.0);
    close(paid(0.07, Vector3::x()), 0.5 * (-0.16f64).exp());
    // On the very point, the direction is into the surface.
    close(paid(0.05, -Vector3::z()), 1.0);
}

#[test]
fn the_distance_to_a_contact_knows_the_side() {
    let seen_from =
        |z: f64| contact_distance(&Point3::new(0.0, 0.0, z), &at(0.0, 0.0, 0.1), &upper(), 2.0);
    close(seen_from(0.16), 0.0);
    close(seen_from(0.18), 0.02);
    close(seen_from(0.15), 0.01);
    // 1 cm inside: 2 cm away and 1 cm behind, which counts twice more.
    close(seen_from(0.14), 0.04);
    // As far below a lid of 2 mm as the path's tip is above: 22 mm away, 12 mm behind.
    close(seen_from(0.138), 0.022 + 2.0 * 0.012);
    // A tip whose point is inside on the path already is where it should be.
    let soft = Goal { tip_in_object: Point3::new(0.0, 0.0, 0.045), ..upper() };
    close(contact_distance(&Point3::new(0.0, 0.0, 0.045), &Pose::identity(), &soft, 2.0), 0.0);
}

#[test]
fn contact_is_expected_between_two_and_three_centimetres() {
    close(expected_contact(0.01), 1.0);
    close(expected_contact(0.0225), 0.75);
    close(expected_contact(0.04), 0.0);
    close(contact_force(0.0), 0.0);
    close(contact_force(4.0), (-0.25f64).exp());
}

#[test]
fn lifting_counts_up_to_two_centimetres_while_it_is_demanded() {
    close(lift(0.01, 0.1, 0.01), 0.5);
    close(lift(0.05, 0.1, 0.01), 1.0);
    close(lift(-0.01, 0.1, 0.01), 0.0);
    close(lift(0.05, 0.005, 0.01), 0.0);
    close(lift(0.0075, 0.015, 0.01), 0.5);
}

#[test]
fn actions_cost_their_mean_square() {
    let config = RewardConfig { action: 0.2, action_change: 0.5, ..RewardConfig::default() };
    let square = mean_square([0.5, -1.0].into_iter());
    close(square, 0.625);
    let found = terms(&config, &Effort { action: square, action_change: 0.5, ..Effort::default() });
    close(term(&found, "action"), -0.125);
    close(term(&found, "action_change"), -0.25);
}

/// `e^{-20 d}` with `d` the mean over an index tip 1 cm off and a thumb in its place, then 1 for two tips that
/// touch, 1 for 2 cm of height, 4 e^{-40 d - 4 0.5} for a pose (3, 4, 3) cm and 0.5 rad off.
#[test]
fn the_unified_reward_pays_for_approach_grasp_and_lift_in_turn() {
    let term = UnifiedConfig { weight: 0.5, ..RewardConfig::default().unified };
    let config = RewardConfig { unified: term, ..RewardConfig::default() };
    let (mut seen, mut frame) = scene();
    frame.objects[0].translation.z = 0.03;
    let thumb = SeenTip { finger: 0, ..tip(0.06) };
    seen.hands[0].tips.push(thumb);
    let wanted = TipFrame { goal: Some(upper()), ..frame.tips[0][0] };
    frame.tips[0].push(wanted);
    let pay = |seen: &Seen, rest: f64| unified(&config, seen, &frame, 0, &[rest]);
    let approach = (-20.0 * 0.005f64).exp();
    close(
        pay(&seen, -0.02),
        0.5 * (approach + 1.0 + 1.0 + 4.0 * (-40.0 * 0.0034f64.sqrt() - 2.0).exp()),
    );
    // 1 cm high is half of the lift, and no pose yet.
    close(pay(&seen, -0.01), 0.5 * (approach + 1.0 + 0.5));
    // Without the thumb nothing is lifted.
    seen.hands[0].tips[1].push_in_world = Vector3::zeros();
    close(pay(&seen, -0.02), 0.5 * (approach + 0.5));
    // A tip beyond 6 cm leaves the approach alone: 8 cm and 0.
    seen.hands[0].tips[0].in_world.z = 0.14;
    close(pay(&seen, -0.02), 0.5 * (-20.0 * 0.04f64).exp());
    close(unified(&RewardConfig::default(), &seen, &frame, 0, &[-0.02]), 0.0);
}

#[test]
fn hands_are_rewarded_for_the_wrench_that_the_reference_needs() {
    let config =
        RewardConfig { contact_wrench: Exponential::new(0.5, 2.0), ..RewardConfig::default() };
    // It needs 1.962 N upwards and gets (0, 0.6, 1.162) N: 0.6 and 0.8 N off make 1 N, of a weight of 1.962 N.
    let found = terms(&config, &Effort::default());
    close(term(&found, "contact_wrench"), 0.5 * (-2.0f64 / 1.962).exp());
    // Half the mass needs 0.981 N: (0, 0.6, 0.181) N off, of 0.981 N.
    let light = Effort { mass: 0.5, ..Effort::default() };
    let error = (0.6f64.powi(2) + 0.181f64.powi(2)).sqrt() / 0.981;
    close(term(&terms(&config, &light), "contact_wrench"), 0.5 * (-2.0 * error).exp());
    // Without gravity it needs nothing.
    let floating = Effort { gravity: 0.0, ..Effort::default() };
    let error = (0.6f64.powi(2) + 1.162f64.powi(2)).sqrt() / 1.962;
    close(term(&terms(&config, &floating), "contact_wrench"), 0.5 * (-2.0 * error).exp());
    // A reference that rests is carried by the table; the one above is 2 cm up.
    let resting = RewardConfig { lifted_height: 0.03, ..config };
    close(term(&terms(&resting, &Effort::default()), "contact_wrench"), 0.0);
    close(term(&terms(&RewardConfig::default(), &Effort::default()), "contact_wrench"), 0.0);
}
