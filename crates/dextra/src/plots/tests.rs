use super::*;
use dextra_core::Pose;
use dextra_core::closure::Contact;
use dextra_core::rollout::{HandRollout, ObjectRollout, ReferenceFrame, Touch};
use nalgebra::{Point3, Vector3};
use std::io::Cursor;

const DT: f64 = 0.01;
const STEPS: usize = 200;

/// Objects that are lifted, each pinched by a hand from step 50 to 150.
fn rollout(hands: usize, objects: usize) -> Rollout {
    let pose = |state: usize, object: usize| {
        let height = 0.001 * state.saturating_sub(60).min(80) as f64;
        Pose::translation(0.1 * object as f64, 0.0, height)
    };
    let touch = |step: usize, hand: usize, side: f64| {
        let object = hand % objects;
        let at = Vector3::new(0.03 * side, 0.0, 0.0);
        let contact = Contact {
            point: pose(step, object) * Point3::from(at),
            normal: Vector3::x() * -side,
            friction: 1.0,
            torsion: 0.01,
        };
        Touch { hand, object, contact, force: 4.0 }
    };
    let touches = |step: usize| -> Vec<Touch> {
        let held = (50..150).contains(&step);
        let hands = (0..hands).filter(|_| held);
        hands.flat_map(|hand| [touch(step, hand, 1.0), touch(step, hand, -1.0)]).collect()
    };
    let touches: Vec<Vec<Touch>> = (0..STEPS).map(touches).collect();
    let contacts = touches.iter().map(|t| StepContacts {
        hand_object_count: t.len() as u32,
        hand_object_penetration: if t.is_empty() { 0.0 } else { 0.001 },
        ..StepContacts::default()
    });
    Rollout {
        dt: DT,
        nu: 0,
        ctrl: vec![],
        qpos0: vec![],
        qvel0: vec![],
        qpos: vec![vec![]; STEPS + 1],
        objects: (0..objects)
            .map(|o| ObjectRollout {
                joint: None,
                name: format!("object with a rather long name {o}"),
                world_from_object: (0..=STEPS).map(|state| pose(state, o)).collect(),
            })
            .collect(),
        hands: (0..hands)
            .map(|hand| HandRollout {
                hand: "toy".into(),
                side: if hand % 2 == 0 { Side::Right } else { Side::Left },
                keypoints: vec![4, 8],
                keypoints_in_world: vec![vec![Point3::origin(); 2]; STEPS + 1],
            })
            .collect(),
        contacts: contacts.collect(),
        touches,
        saturated: vec![0.0; STEPS],
        finite: true,
        seed: 0,
        engine: "scripted".into(),
    }
}

/// Every fourth state is judged against itself; the first and the last second are planned.
fn reference(rollout: &Rollout) -> Reference {
    let frame = |step: usize| ReferenceFrame {
        step,
        world_from_object: rollout.objects.iter().map(|o| o.world_from_object[step]).collect(),
        human_keypoints: vec![
            (40..=160).contains(&step).then(|| [Point3::new(0.02, 0.0, 0.0); 21]);
            rollout.hands.len()
        ],
    };
    Reference { frames: (0..=STEPS).step_by(4).map(frame).collect() }
}

fn drawn(rollout: &Rollout, reference: &Reference) -> RgbImage {
    let body = Body { center: Point3::origin(), length: 0.03 };
    draw(&Plot {
        rollout,
        reference,
        bodies: &vec![body; rollout.objects.len()],
        events: (Some(60), Some(150)),
        limits: Limits::default(),
    })
}

#[test]
fn the_file_is_a_png_of_the_stated_size() {
    let rollout = rollout(1, 1);
    let image = drawn(&rollout, &reference(&rollout));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("contacts.png");
    write_png(&image, &path, None).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (WIDTH_PX, HEIGHT_PX));
    assert_eq!(info.color_type, png::ColorType::Rgb);
    assert!(pixels == image.pixels);
}

#[test]
fn a_change_of_any_series_changes_the_picture() {
    let rollout = rollout(2, 2);
    let reference = reference(&rollout);
    let before = drawn(&rollout, &reference);
    assert!(before == drawn(&rollout, &reference), "the same plot is the same picture");
    type Change = (&'static str, fn(&mut Rollout));
    let changes: [Change; 7] = [
        ("position", |r| r.objects[1].world_from_object[100].translation.x += 0.02),
        ("rotation", |r| {
            r.objects[0].world_from_object[100].rotation =
                nalgebra::UnitQuaternion::from_scaled_axis(Vector3::z() * 0.3);
        }),
        ("force", |r| r.touches[100][0].force = 7.0),
        ("contacts", |r| r.touches[100].truncate(1)),
        ("closure", |r| {
            r.touches[100].iter_mut().for_each(|touch| touch.contact.friction = 0.1);
        }),
        ("penetration", |r| r.contacts[100].self_penetration = 0.004),
        ("fingertips", |r| r.hands[1].keypoints_in_world[100][0].x = 0.05),
    ];
    for (name, change) in changes {
        let mut changed = rollout.clone();
        change(&mut changed);
        assert!(drawn(&changed, &reference) != before, "{name}");
    }
}

#[test]
fn closure_is_that_of_the_pinch_while_it_lasts() {
    let rollout = rollout(1, 1);
    let reference = reference(&rollout);
    let body = Body { center: Point3::origin(), length: 0.03 };
    let plot = Plot {
        rollout: &rollout,
        reference: &reference,
        bodies: &[body],
        events: (None, None),
        limits: Limits::default(),
    };
    let pinch: Vec<Contact> = [1.0, -1.0]
        .map(|side| Contact {
            point: Point3::new(0.03 * side, 0.0, 0.0),
            normal: Vector3::x() * -side,
            friction: 1.0,
            torsion: 0.01,
        })
        .to_vec();
    let expected = closure::epsilon(&pinch, &body);
    assert!(expected > 0.2);
    let series = plot.closure();
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].points.len(), STEPS.div_ceil(5));
    for &(time, score) in &series[0].points {
        let held = (0.5 - 1e-9..1.5 - 1e-9).contains(&time);
        assert!((score - if held { expected } else { 0.0 }).abs() < 1e-5, "{score} at {time} s");
    }
}

#[test]
fn any_number_of_hands_and_objects_is_drawn() {
    for (hands, objects) in [(1, 9), (4, 1), (2, 3)] {
        let rollout = rollout(hands, objects);
        let image = drawn(&rollout, &reference(&rollout));
        assert_eq!((image.width, image.height), (WIDTH_PX, HEIGHT_PX));
    }
    let mut nothing = rollout(1, 1);
    nothing.objects.clear();
    nothing.touches.clear();
    nothing.contacts.clear();
    drawn(&nothing, &Reference::default());
}

#[test]
fn a_rollout_that_broke_is_drawn_as_far_as_it_goes() {
    let mut rollout = rollout(1, 1);
    let reference = reference(&rollout);
    rollout.contacts.truncate(100);
    rollout.touches.truncate(100);
    rollout.objects[0].world_from_object.truncate(101);
    rollout.objects[0].world_from_object[100].translation.x = f64::NAN;
    rollout.hands[0].keypoints_in_world.truncate(101);
    rollout.touches[99] = vec![Touch { force: f64::NAN, ..rollout.touches[98][0] }];
    drawn(&rollout, &reference);
}

#[test]
fn ticks_are_round_and_inside() {
    let written = |low, high, most| -> Vec<String> {
        panel::ticks(low, high, most).into_iter().map(|(_, written)| written).collect()
    };
    assert_eq!(written(0.0, 3.2, 4), ["0", "1", "2", "3"]);
    assert_eq!(written(0.0, 0.054, 4), ["0.00", "0.02", "0.04"]);
    assert_eq!(
        written(0.0, 4.97, 10),
        ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5"]
    );
    assert_eq!(written(0.0, 31.0, 4), ["0", "10", "20", "30"]);
    assert!(written(0.0, 0.0, 4).is_empty() && written(0.0, f64::NAN, 4).is_empty());
}
