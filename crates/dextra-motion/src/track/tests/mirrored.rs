//! The mirror image of hand motions, of two hands and of one.

use super::*;
use crate::refine::Stage;
use crate::track::seen::HandFacts;
use dextra_sim::scene::{HandPlacement, Scene, SceneConfig};
use dextra_sim::world::World;
use nalgebra::{Point3, UnitQuaternion, Vector3};

/// The clip `pair` on two Allegro hands, retargeted, and the hands of its stage alone.
struct Pair {
    hands: Vec<Hand>,
    objects: Vec<ObjectModel>,
    motion: Motion,
    stage: Stage,
    alone: Scene,
}

fn pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let demo = synth(SynthClip::Pair, 0, &NoiseConfig::none());
        let hands: Vec<Hand> =
            demo.hands.iter().map(|h| Hand::builtin("allegro", h.side).unwrap()).collect();
        assert_eq!(hands.len(), 2);
        let model = |hand: &Hand| {
            RetargetHand::new(hand.tree.clone(), hand.map.clone(), |_| 0.009).unwrap()
        };
        let models: Vec<RetargetHand> = hands.iter().map(model).collect();
        let build = DecomposeConfig::default();
        let objects: Vec<ObjectModel> = demo
            .objects
            .iter()
            .map(|o| ObjectModel::build(&o.name, o.mesh.clone(), o.mass, &build, None).unwrap())
            .collect();
        let inputs: Vec<ObjectInput<'_>> = objects
            .iter()
            .zip(&demo.objects)
            .map(|(object, track)| ObjectInput {
                surface: &object.surface,
                world_from_object: &track.world_from_object,
            })
            .collect();
        let config = RetargetConfig::default();
        let retargeted = demo.hands.iter().zip(&models);
        let retargeted = retargeted
            .map(|(hand, model)| retarget(hand, demo.fps, &inputs, model, &config).unwrap());
        let motion = Motion { fps: demo.fps, hands: retargeted.collect() };
        let references: Vec<&Hand> = hands.iter().collect();
        let input = RefineInput {
            demo: &demo,
            hands: &references,
            models: &models,
            objects: &objects,
            motion: &motion,
            remembered: &[],
        };
        let stage = Stage::new(&input, &RefineConfig::default()).unwrap();
        let alone = Stage::object_free(&input, &stage.timeline, &stage.scene).unwrap();
        Pair { hands, objects, motion, stage, alone }
    })
}

fn both() -> &'static [&'static Hand] {
    static HANDS: OnceLock<Vec<&'static Hand>> = OnceLock::new();
    HANDS.get_or_init(|| pair().hands.iter().collect())
}

fn alone() -> Task<'static> {
    let Pair { objects, motion, stage, alone, .. } = pair();
    Task::retargeted(&stage.scene, &stage.timeline, &stage.rest, motion, both(), objects)
        .object_free(alone)
}

/// Pivot of the wrist and tips of a hand at one state of the path.
fn points(task: &Task<'_>, hand: usize, state: usize) -> Vec<Point3<f64>> {
    let (scene, qpos) = (task.scene, &task.path[state]);
    let root = scene.world_from_root(hand, qpos);
    let bodies = task.hands[hand].tree.forward(&scene.joints(hand, qpos));
    let tips = HandFacts::new(scene, task.hands[hand], hand).tips;
    let tips = tips.iter().map(|tip| root * (bodies[tip.body] * tip.point));
    std::iter::once(root * scene.hands[hand].pivot_in_root).chain(tips).collect()
}

#[test]
fn each_hand_does_what_the_other_did_in_the_mirror() {
    let task = alone();
    let image = task.mirrored().unwrap().unwrap();
    let states = task.path.len();
    let mean = |hand: usize| {
        let pivots = (0..states).map(|state| points(&task, hand, state)[0].coords);
        pivots.sum::<Vector3<f64>>() / states as f64
    };
    let (right, left) = (mean(0), mean(1));
    let normal = Vector3::new(left.x - right.x, left.y - right.y, 0.0).normalize();
    let reflect = |p: Point3<f64>| {
        let height = (p.coords - (left + right) / 2.0).dot(&normal);
        p - normal * (2.0 * height)
    };
    let mut moved = 0.0f64;
    for state in (0..states).step_by(20) {
        for (hand, other) in [(0, 1), (1, 0)] {
            let (found, wanted) = (points(&image, hand, state), points(&task, other, state));
            assert_eq!(found.len(), 5);
            for (found, wanted) in found.iter().zip(&wanted) {
                assert!((found - reflect(*wanted)).norm() < 1e-5, "{found} {wanted}");
                assert!((found.z - wanted.z).abs() < 1e-5, "the plane is vertical");
            }
            let own = points(&task, hand, state);
            moved = moved.max((own[1] - found[1]).norm());
        }
    }
    assert!(moved > 0.02, "it is another motion of the same hand: {moved}");
}

#[test]
fn the_mirror_image_of_the_mirror_image_is_the_motion() {
    let task = alone();
    let again = task.mirrored().unwrap().unwrap().mirrored().unwrap().unwrap();
    let rows = again.path.iter().flatten().chain(&again.base);
    for (found, wanted) in rows.zip(task.path.iter().flatten().chain(&task.base)) {
        assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
    }
}

#[test]
fn the_mirror_image_is_a_task_with_the_same_contract() {
    let config = TrackConfig { worlds: 2, ..plain(2) };
    let mut plain = TrackEnv::new(alone(), config.clone()).unwrap();
    let mut image = TrackEnv::new(alone().mirrored().unwrap().unwrap(), config).unwrap();
    assert_eq!(plain.observation_slices(), image.observation_slices());
    assert_eq!(plain.action_names(), image.action_names());
    let zeros = vec![0.0; 2 * plain.action_dim()];
    let (mut one, mut other) = (StepOut::default(), StepOut::default());
    let (mut sum, mut image_sum) = (0.0, 0.0);
    for _ in 0..plain.steps() - 1 {
        plain.step(&zeros, &mut one).unwrap();
        image.step(&zeros, &mut other).unwrap();
        assert_ne!(one.observations, other.observations);
        (sum, image_sum) = (sum + one.rewards[0], image_sum + other.rewards[0]);
    }
    // What is followed as well in the mirror is rewarded as well: nothing but tips is rewarded here.
    assert!(sum > 1.0 && (sum / image_sum - 1.0).abs() < 0.02, "{sum} {image_sum}");
}

#[test]
fn what_cannot_be_mirrored_says_why() {
    let Pair { objects, motion, stage, .. } = pair();
    let whole =
        Task::retargeted(&stage.scene, &stage.timeline, &stage.rest, motion, both(), objects);
    assert!(matches!(whole.mirrored(), Err(TrackError::Mirror(why)) if why.contains("objects")));
    let shadow = Hand::builtin("shadow", Side::Left).unwrap();
    for other in [&pair().hands[0], &shadow] {
        let twins = [&pair().hands[0], other];
        let task = Task { hands: &twins, ..alone() };
        let why = "the motion cannot be mirrored: the two hands are not each other's mirror image";
        assert_eq!(task.mirrored().err().unwrap().to_string(), why);
    }
    let single = Task { objects: &[], ..task() };
    assert!(single.mirrored().unwrap().is_none(), "a single hand has none");
}

/// Joint positions after every step of a hand alone under controls that swing all its servos; of the left
/// hand under the reflected ones, reflected back.
fn swung(name: &str, side: Side) -> Vec<Vec<f64>> {
    let hand = Hand::builtin(name, side).unwrap();
    let sign = if side == Side::Right { 1.0 } else { -1.0 };
    // A turn about x is reversed in the plane y = 0, and so is one about z.
    let mount = UnitQuaternion::from_scaled_axis(Vector3::new(0.3 * sign, 0.4, -0.2 * sign));
    let placement = HandPlacement {
        hand: &hand,
        world_from_mount: mount,
        pivot_in_root: Point3::new(0.01, 0.02 * sign, 0.05),
    };
    let scene = Scene::compose(&SceneConfig::new(-1.0), &[placement], &[]).unwrap();
    let place = &scene.hands[0];
    let mut world = World::new(&scene);
    world.reset(&scene.default_qpos());
    let wrist = [1.0, sign, 1.0, sign, 1.0, sign];
    (0..150)
        .map(|step| {
            let wave = |k: usize| (0.05 * step as f64 + 1.3 * k as f64).sin();
            let mut ctrl = vec![0.0; scene.ctrl_ranges().len()];
            for (slot, &at) in place.wrist_ctrl.iter().enumerate() {
                ctrl[at] = wrist[slot] * if slot < 3 { 0.1 } else { 0.5 } * wave(slot);
            }
            for (k, (&at, servo)) in place.finger_ctrl.iter().zip(&hand.actuators).enumerate() {
                let (low, high) = servo.ctrl_range;
                ctrl[at] = low + (high - low) * (0.5 + 0.4 * wave(k));
            }
            world.step(&ctrl);
            let mut qpos = world.qpos().to_vec();
            for (&at, sign) in place.wrist_qpos.iter().zip(wrist) {
                qpos[at] *= sign;
            }
            qpos
        })
        .collect()
}

#[test]
fn the_mirror_image_of_a_single_hand_moves_alike_in_its_joints() {
    // Fingers of these do not meet, which would make much of the least difference.
    for name in ["allegro", "inspire"] {
        let (right, left) = (swung(name, Side::Right), swung(name, Side::Left));
        let mut moved = 0.0f64;
        for (a, b) in right.iter().flatten().zip(left.iter().flatten()) {
            // The reflected hand and its mount are written with six digits.
            assert!((a - b).abs() < 1e-4, "{name}: {a} {b}");
            moved = moved.max(a.abs());
        }
        assert!(moved > 0.3, "{name}: {moved}");
    }
}
