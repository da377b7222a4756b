use super::super::tests::allegro;
use super::super::{PalmTarget, PointTarget};
use super::*;
use nalgebra::{DMatrix, DVector, Point3};
use proptest::prelude::*;

const WEIGHTS: Regularisation = Regularisation {
    rest_m_per_rad: 0.005,
    smooth_joint_m_per_rad: 0.01,
    smooth_wrist: 0.1,
    smooth_wrist_m_per_rad: 0.01,
};

/// Targets for every point of the hand, `noise` metres off where `q` puts them.
fn targets(hand: &RetargetHand, q: &[f64], noise: &[f64], huber: f64) -> FrameTargets {
    let at = hand.point_positions(&Pose::identity(), q);
    let points = hand.points.iter().zip(&at).enumerate().map(|(i, (p, at))| PointTarget {
        body: p.body,
        point_in_body: p.point_in_body,
        target_in_world: at + Vector3::new(noise[3 * i], noise[3 * i + 1], noise[3 * i + 2]),
        weight: 1.0,
        huber,
    });
    FrameTargets {
        points: points.collect(),
        palm: Some(PalmTarget {
            world_from_palm: hand.world_from_palm(&Pose::identity(), q),
            position_weight: 0.1,
            orientation_m_per_rad: 0.03,
        }),
        rest: hand.middle(),
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cholesky_solves_what_nalgebra_solves(values in prop::collection::vec(-1.0..1.0f64, 42)) {
        let m = DMatrix::from_column_slice(6, 6, &values[..36]);
        let a = &m * m.transpose() + DMatrix::identity(6, 6) * 0.1;
        let b = DVector::from_column_slice(&values[36..]);
        let expected = a.clone().lu().solve(&b).unwrap();
        let (mut a, mut b) = (a.as_slice().to_vec(), b.as_slice().to_vec());
        prop_assert!(cholesky_solve(6, &mut a, &mut b));
        prop_assert!((DVector::from_vec(b) - expected).norm() < 1e-9);
        prop_assert!(!cholesky_solve(1, &mut [-1.0], &mut [1.0]));
    }

    #[test]
    fn gradient_is_the_slope_of_the_robust_cost(
        noise in prop::collection::vec(-0.03..0.03f64, 80), x in prop::collection::vec(0.1..0.9f64, 16),
    ) {
        let hand = allegro(&[]);
        let q: Vec<f64> =
            hand.tree.joints.iter().zip(&x).map(|(j, x)| j.range.0 + x * (j.range.1 - j.range.0)).collect();
        let mut targets = targets(&hand, &q, &noise, 0.02);
        targets.previous = Some((Pose::translation(0.01, 0.0, 0.0), hand.middle()));
        let mut solver = FrameSolver::new(&hand, WEIGHTS).unwrap();
        let n = solver.coordinates.len() + 6;
        solver.x.copy_from_slice(&hand.middle());
        solver.evaluate(&targets, &Pose::identity(), false, n);
        let gradient = solver.trial.gradient.clone();
        let h = 1e-6;
        for (variable, expected) in gradient.iter().enumerate() {
            let cost = [h, -h].map(|h| {
                let mut root = Pose::identity();
                solver.x.copy_from_slice(&hand.middle());
                if variable < 6 {
                    solver.step.fill(0.0);
                    solver.step[variable] = h;
                    root = solver.moved(&root);
                } else {
                    solver.x[variable - 6] += h;
                }
                solver.evaluate(&targets, &root, false, n);
                solver.trial.cost
            });
            let slope = (cost[0] - cost[1]) / (2.0 * h);
            prop_assert!((slope - expected).abs() < 1e-7, "{variable}: {slope} {expected}");
        }
    }

    #[test]
    fn solution_is_stationary_inside_the_limits_and_pushes_outwards_at_them(
        noise in prop::collection::vec(-0.01..0.01f64, 80), x in prop::collection::vec(-0.2..1.2f64, 16),
    ) {
        // Some of the angles behind the targets lie outside the ranges, so limits bind.
        let hand = allegro(&[]);
        let q: Vec<f64> =
            hand.tree.joints.iter().zip(&x).map(|(j, x)| j.range.0 + x * (j.range.1 - j.range.0)).collect();
        let targets = targets(&hand, &q, &noise, f64::INFINITY);
        let mut solver = FrameSolver::new(&hand, WEIGHTS).unwrap();
        solver.set_tolerance(0.0);
        let solution = solver.solve(&targets, (&Pose::identity(), &hand.middle()), 500);
        let scale = solution.cost.sqrt();
        for (i, slope) in solver.now.gradient.iter().enumerate() {
            let outward = i >= 6 && {
                let (low, high) = solver.coordinates.range[i - 6];
                (solver.x[i - 6] <= low && *slope > 0.0) || (solver.x[i - 6] >= high && *slope < 0.0)
            };
            prop_assert!(outward || slope.abs() < 1e-4 * scale, "{i}: {slope}, cost {}", solution.cost);
        }
    }
}

#[test]
fn fixed_wrist_keeps_the_root_to_the_bit_and_still_moves_fingers() {
    let hand = allegro(&[]);
    let root = Pose::new(Vector3::new(0.3, -0.2, 0.9), Vector3::new(0.4, 1.0, -0.3));
    let mut solver = FrameSolver::new(&hand, WEIGHTS).unwrap();
    let start = hand.middle();
    let mut targets = targets(&hand, &start, &[0.0; 80], f64::INFINITY);
    targets.palm = None;
    for (target, at) in targets.points.iter_mut().zip(hand.point_positions(&root, &start)) {
        target.target_in_world = at + Vector3::new(0.004, 0.002, -0.003);
    }
    targets.fixed_wrist = true;
    let solution = solver.solve(&targets, (&root, &start), 50);
    let gap = solution.world_from_root.to_homogeneous() - root.to_homogeneous();
    assert!(gap.norm() < 1e-15);
    assert!(solution.joints.iter().zip(&start).any(|(a, b)| (a - b).abs() > 0.02));
    let before = solver.solve(&targets, (&root, &start), 0);
    assert!(solution.cost < 0.9 * before.cost, "{} {}", solution.cost, before.cost);
    assert_eq!(before.joints, start);
}

#[test]
fn unreachable_and_weightless_targets_neither_panic_nor_move_what_nothing_asks_for() {
    let hand = allegro(&[]);
    let mut solver = FrameSolver::new(&hand, WEIGHTS).unwrap();
    let start = hand.middle();
    let nothing = solver.solve(&FrameTargets::default(), (&Pose::identity(), &start), 10);
    assert_eq!(nothing.joints, start);
    assert_eq!(nothing.cost, 0.0);
    let mut far = targets(&hand, &start, &[0.0; 80], f64::INFINITY);
    for target in &mut far.points {
        target.target_in_world = Point3::new(1e6, -1e6, 1e6);
    }
    let solution = solver.solve(&far, (&Pose::identity(), &start), 50);
    assert!(solution.joints.iter().all(|a| a.is_finite()));
    assert!(solution.world_from_root.translation.vector.norm().is_finite());
}
