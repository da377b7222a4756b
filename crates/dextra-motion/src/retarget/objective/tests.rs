use super::*;
use dextra_core::kinematics::{Body, Coupling, Joint, KinematicTree};
use nalgebra::{DMatrix, DVector, Unit};
use proptest::prelude::*;
use proptest::sample::Index;

/// Keeps residuals and their dense Jacobian.
struct Dense {
    variables: usize,
    residuals: Vec<f64>,
    rows: Vec<DVector<f64>>,
}

impl Dense {
    fn jacobian(&self) -> DMatrix<f64> {
        let rows: Vec<_> = self.rows.iter().map(|row| row.transpose()).collect();
        DMatrix::from_rows(&rows)
    }
}

impl Sink for Dense {
    fn vector(&mut self, residual: &Vector3<f64>, columns: &[(usize, Vector3<f64>)], _huber: f64) {
        for k in 0..3 {
            let entries: Vec<_> = columns.iter().map(|(v, c)| (*v, c[k])).collect();
            self.scalar(residual[k], &entries);
        }
    }

    fn scalar(&mut self, residual: f64, columns: &[(usize, f64)]) {
        let mut row = DVector::zeros(self.variables);
        for &(variable, value) in columns {
            row[variable] += value;
        }
        self.residuals.push(residual);
        self.rows.push(row);
    }
}

fn vector() -> impl Strategy<Value = Vector3<f64>> {
    [-1.0..1.0f64, -1.0..1.0f64, -1.0..1.0f64].prop_map(Vector3::from)
}

fn pose() -> impl Strategy<Value = Pose> {
    (vector(), vector()).prop_map(|(t, r)| Pose::new(t, r * 1.5))
}

/// A random tree of hinges in which every third joint follows the one before it.
fn tree() -> impl Strategy<Value = KinematicTree> {
    let body = (any::<Index>(), pose(), prop::collection::vec((vector(), vector()), 0..3));
    prop::collection::vec(body, 2..7).prop_map(|specs| {
        let mut tree = KinematicTree::default();
        for (i, (parent, parent_from_body, hinges)) in specs.into_iter().enumerate() {
            let first = tree.joints.len();
            for (axis, anchor) in hinges {
                let index = tree.joints.len();
                if index % 3 == 2 {
                    tree.couplings.push(Coupling {
                        joint: index,
                        of: index - 1,
                        ratio: -0.7,
                        offset: 0.2,
                    });
                }
                tree.joints.push(Joint {
                    name: format!("j{index}"),
                    body: i,
                    axis_in_body: Unit::try_new(axis, 1e-3).unwrap_or(Vector3::x_axis()),
                    anchor_in_body: anchor.into(),
                    range: (-9.0, 9.0),
                });
            }
            tree.bodies.push(Body {
                name: format!("b{i}"),
                parent: (i > 0).then(|| parent.index(i)),
                parent_from_body,
                joints: (first..tree.joints.len()).collect(),
            });
        }
        tree
    })
}

#[derive(Debug)]
struct Case {
    tree: KinematicTree,
    coordinates: Coordinates,
    palm: (usize, Pose),
    root: Pose,
    x: Vec<f64>,
    weights: Regularisation,
}

impl Case {
    fn new(tree: KinematicTree, palm: (usize, Pose), root: Pose, x: &[f64]) -> Self {
        let coordinates = tree.coordinates().unwrap();
        let weights = Regularisation {
            rest_m_per_rad: 0.4,
            smooth_joint_m_per_rad: 0.7,
            smooth_wrist: 1.3,
            smooth_wrist_m_per_rad: 0.6,
        };
        let x = x[..coordinates.len()].to_vec();
        Self { tree, coordinates, palm, root, x, weights }
    }

    fn evaluate(&self, targets: &FrameTargets, root: &Pose, x: &[f64]) -> Dense {
        let mut q = vec![0.0; self.tree.joints.len()];
        self.coordinates.expand(x, &mut q);
        let mut kinematics = Workspace::new(&self.tree);
        kinematics.forward(&self.tree, root, &q);
        let at = At {
            coordinates: &self.coordinates,
            kinematics: &kinematics,
            root,
            x,
            palm: &self.palm,
        };
        let variables = x.len() + if targets.fixed_wrist { 0 } else { 6 };
        let mut sink = Dense { variables, residuals: vec![], rows: vec![] };
        assemble(&at, targets, &self.weights, &mut Scratch::default(), &mut sink);
        sink
    }

    /// Residuals after a step of one variable.
    fn stepped(&self, targets: &FrameTargets, variable: usize, step: f64) -> DVector<f64> {
        let base = if targets.fixed_wrist { 0 } else { 6 };
        let (mut root, mut x) = (self.root, self.x.clone());
        if variable < base {
            let mut twist = [0.0; 6];
            twist[variable] = step;
            root.translation.vector += Vector3::new(twist[0], twist[1], twist[2]);
            let turn = Vector3::new(twist[3], twist[4], twist[5]);
            root.rotation = UnitQuaternion::from_scaled_axis(turn) * root.rotation;
        } else {
            x[variable - base] += step;
        }
        DVector::from_vec(self.evaluate(targets, &root, &x).residuals)
    }

    fn check(&self, targets: &FrameTargets, rows: usize) -> Result<(), TestCaseError> {
        let exact = self.evaluate(targets, &self.root, &self.x);
        prop_assert_eq!(exact.residuals.len(), rows, "the term under test is not active");
        if rows == 0 {
            return Ok(());
        }
        let jacobian = exact.jacobian();
        for variable in 0..exact.variables {
            let h = 1e-6;
            let slope = (self.stepped(targets, variable, h) - self.stepped(targets, variable, -h))
                / (2.0 * h);
            let gap = (slope - jacobian.column(variable)).norm();
            prop_assert!(gap < 1e-7, "variable {}: off by {}", variable, gap);
        }
        Ok(())
    }
}

fn case() -> impl Strategy<Value = Case> {
    (tree(), pose(), pose(), prop::collection::vec(-2.0..2.0f64, 16)).prop_map(
        |(tree, offset, root, x)| {
            Case::new(tree.clone(), (tree.bodies.len() - 1, offset), root, &x)
        },
    )
}

proptest! {
    #[test]
    fn point_jacobian_equals_central_differences(
        case in case(), p in vector(), goal in vector(), fixed_wrist: bool,
    ) {
        let points = vec![PointTarget {
            body: case.tree.bodies.len() - 1,
            point_in_body: p.into(),
            target_in_world: goal.into(),
            weight: 0.8,
            huber: f64::INFINITY,
        }];
        case.check(&FrameTargets { points, fixed_wrist, ..Default::default() }, 3)?;
    }

    #[test]
    fn plane_jacobian_equals_central_differences(
        case in case(), p in vector(), n in vector(), fixed_wrist: bool,
    ) {
        let body = case.tree.bodies.len() - 1;
        let normal = n.try_normalize(1e-3).unwrap_or(Vector3::x());
        // Far on the wrong side, so that no step crosses the kink.
        let plane = PlaneTarget {
            body,
            point_in_body: p.into(),
            on_plane: (normal * 50.0).into(),
            normal,
            clearance: 0.1,
            weight: 0.6,
        };
        case.check(&FrameTargets { planes: vec![plane], fixed_wrist, ..Default::default() }, 1)?;
        // And on the right side there is nothing to say.
        let outside = PlaneTarget { on_plane: (normal * -50.0).into(), ..plane };
        case.check(&FrameTargets { planes: vec![outside], fixed_wrist, ..Default::default() }, 0)?;
    }

    #[test]
    fn palm_jacobian_equals_central_differences(case in case(), goal in pose(), fixed_wrist: bool) {
        let mut q = vec![0.0; case.tree.joints.len()];
        case.coordinates.expand(&case.x, &mut q);
        let palm = case.root * case.tree.forward(&q)[case.palm.0] * case.palm.1;
        // The logarithm jumps at half a turn.
        prop_assume!(palm.rotation.angle_to(&goal.rotation) < 3.0);
        let palm = PalmTarget { world_from_palm: goal, position_weight: 0.9, orientation_m_per_rad: 0.5 };
        case.check(&FrameTargets { palm: Some(palm), fixed_wrist, ..Default::default() }, 6)?;
    }

    #[test]
    fn palm_jacobian_holds_at_tiny_angles(case in case(), tiny in vector()) {
        let mut q = vec![0.0; case.tree.joints.len()];
        case.coordinates.expand(&case.x, &mut q);
        let palm = case.root * case.tree.forward(&q)[case.palm.0] * case.palm.1;
        let goal = palm * Pose::new(Vector3::zeros(), tiny * 1e-5);
        let palm = PalmTarget { world_from_palm: goal, position_weight: 0.9, orientation_m_per_rad: 0.5 };
        case.check(&FrameTargets { palm: Some(palm), ..Default::default() }, 6)?;
    }

    #[test]
    fn regularisation_jacobian_equals_central_differences(
        case in case(), before in pose(), q in prop::collection::vec(-2.0..2.0f64, 16), fixed_wrist: bool,
    ) {
        prop_assume!(case.root.rotation.angle_to(&before.rotation) < 3.0);
        let q = q[..case.tree.joints.len()].to_vec();
        let targets = FrameTargets {
            rest: q.iter().map(|a| 0.5 - a).collect(),
            previous: Some((before, q)),
            fixed_wrist,
            ..Default::default()
        };
        let rows = 2 * case.x.len() + if fixed_wrist { 0 } else { 6 };
        case.check(&targets, rows)?;
    }
}
