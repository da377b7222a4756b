use super::scripted::*;
use super::*;

#[test]
fn a_perfect_rollout_is_accepted_and_gives_back_itself() {
    let rollout = rollout(&lift());
    let accepted = rollout.clone().accept(&reference(&lift()), &Limits::default()).unwrap();
    assert_eq!(accepted.steps(), 49 * STRIDE);
    assert!(accepted.metrics().protocols.maniptrans);
    assert_eq!(accepted.limits(), &Limits::default());
    assert_eq!(accepted.into_rollout(), rollout);
}

#[test]
fn one_frame_beyond_three_centimetres_is_rejected_with_its_frame() {
    let mut poses = lift();
    poses[31].translation.x = 0.0301;
    let rejection = rollout(&poses).accept(&reference(&lift()), &Limits::default()).unwrap_err();
    assert!(rejection.to_string().contains("worst 3.0 cm at frame 31"), "{rejection}");
    assert_eq!(rejection.rollout.objects[0].world_from_object[31 * STRIDE], poses[31]);
    // The same rollout is a success under the rules that average.
    let spider = Limits { protocol: Protocol::Spider, ..Limits::default() };
    assert!(rejection.rollout.accept(&reference(&lift()), &spider).is_ok());
}

type Damage = fn(&mut Rollout);

#[test]
fn a_rollout_that_is_not_finite_is_never_accepted() {
    // Loosest rule there is; every damage touches state (or step) 7.
    let limits = Limits {
        protocol: Protocol::Dextrack10Cm40Deg,
        object_penetration: None,
        self_penetration: None,
        ..Limits::default()
    };
    let damages: [(&str, Damage, usize); 9] = [
        ("qpos", |r| r.qpos[7][1] = f64::NAN, 7),
        ("qpos0", |r| r.qpos0[0] = f64::INFINITY, 0),
        ("ctrl", |r| r.ctrl[7 * 2 + 1] = f64::NAN, 7),
        ("object", |r| r.objects[0].world_from_object[7].translation.y = f64::NAN, 7),
        ("keypoints", |r| r.hands[0].keypoints_in_world[7][2].z = f64::NAN, 7),
        ("force", |r| r.contacts[7].hand_object_force = f64::NAN, 7),
        ("saturation", |r| r.saturated[7] = f64::NAN, 7),
        (
            "rotation of no length",
            |r| {
                r.objects[0].world_from_object[7].rotation =
                    nalgebra::UnitQuaternion::new_unchecked(nalgebra::Quaternion::default());
            },
            7,
        ),
        ("flag", |r| r.finite = false, 49 * STRIDE + 1),
    ];
    for (name, damage, state) in damages {
        let mut rollout = rollout(&lift());
        damage(&mut rollout);
        let reason = rollout.accept(&reference(&lift()), &limits).unwrap_err().reason;
        assert_eq!(reason, Reason::NonFinite { state }, "{name}");
    }
}

#[test]
fn a_grasp_inside_the_object_is_rejected() {
    let mut deep = rollout(&lift());
    for contact in &mut deep.contacts {
        contact.hand_object_penetration = 0.028;
    }
    let rejection = deep.accept(&reference(&lift()), &Limits::default()).unwrap_err();
    assert!(rejection.to_string().contains("hand-object penetration is 28.0 mm"), "{rejection}");
    let unlimited = Limits { object_penetration: None, ..Limits::default() };
    assert!(rejection.rollout.accept(&reference(&lift()), &unlimited).is_ok());
}

#[test]
fn a_reference_of_another_scene_is_a_mismatch() {
    let mut other = reference(&lift());
    other.frames[3].world_from_object.push(Pose::identity());
    let rejection = rollout(&lift()).accept(&other, &Limits::default()).unwrap_err();
    assert!(matches!(rejection.reason, Reason::Mismatch(Mismatch::Count { frame: 3, .. })));
}
