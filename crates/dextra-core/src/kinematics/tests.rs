use super::*;
use proptest::prelude::*;

fn vector() -> impl Strategy<Value = Vector3<f64>> {
    [-1.0..1.0f64, -1.0..1.0f64, -1.0..1.0f64].prop_map(Vector3::from)
}

fn pose() -> impl Strategy<Value = Pose> {
    (vector(), vector()).prop_map(|(t, r)| Pose::new(t, r * 3.0))
}

/// A random tree: body `i` hangs on an earlier body and has 0-2 hinges.
fn tree() -> impl Strategy<Value = KinematicTree> {
    let body =
        (any::<prop::sample::Index>(), pose(), prop::collection::vec((vector(), vector()), 0..3));
    prop::collection::vec(body, 1..8).prop_map(|specs| {
        let mut tree = KinematicTree::default();
        for (i, (parent, parent_from_body, hinges)) in specs.into_iter().enumerate() {
            let mut joints = Vec::new();
            for (axis, anchor) in hinges {
                joints.push(tree.joints.len());
                tree.joints.push(Joint {
                    name: format!("j{}", tree.joints.len()),
                    body: i,
                    axis_in_body: Unit::try_new(axis, 1e-3).unwrap_or(Vector3::x_axis()),
                    anchor_in_body: anchor.into(),
                    range: (-3.0, 3.0),
                });
            }
            tree.bodies.push(Body {
                name: format!("b{i}"),
                parent: (i > 0).then(|| parent.index(i)),
                parent_from_body,
                joints,
            });
        }
        tree
    })
}

fn angles() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-3.0..3.0f64, 16)
}

proptest! {
    #[test]
    fn workspace_agrees_with_the_plain_forward_kinematics(tree in tree(), root in pose(), q in angles()) {
        let q = &q[..tree.joints.len()];
        let mut ws = Workspace::new(&tree);
        ws.forward(&tree, &root, q);
        for (a, b) in ws.world_from_body.iter().zip(tree.forward(q)) {
            let gap = a.to_homogeneous() - (root * b).to_homogeneous();
            prop_assert!(gap.norm() < 1e-12);
        }
    }

    #[test]
    fn point_jacobian_equals_central_differences(tree in tree(), root in pose(), q in angles(), p in vector()) {
        let n = tree.joints.len();
        let mut q = q[..n].to_vec();
        let body = tree.bodies.len() - 1;
        let mut ws = Workspace::new(&tree);
        ws.forward(&tree, &root, &q);
        let mut columns = vec![Vector3::repeat(f64::NAN); n];
        ws.point_jacobian(body, &p.into(), &mut columns);
        let h = 1e-6;
        for j in 0..n {
            let at = q[j];
            q[j] = at + h;
            ws.forward(&tree, &root, &q);
            let plus = ws.point(body, &p.into());
            q[j] = at - h;
            ws.forward(&tree, &root, &q);
            let minus = ws.point(body, &p.into());
            q[j] = at;
            let slope = (plus - minus) / (2.0 * h);
            prop_assert!((slope - columns[j]).norm() < 1e-7, "joint {j}: {slope} {}", columns[j]);
        }
    }
}

fn chain_of(ranges: &[(f64, f64)], couplings: Vec<Coupling>) -> KinematicTree {
    let joints = ranges.iter().enumerate().map(|(i, &range)| Joint {
        name: format!("j{i}"),
        body: i,
        axis_in_body: Vector3::z_axis(),
        anchor_in_body: Point3::origin(),
        range,
    });
    let bodies = (0..ranges.len()).map(|i| Body {
        name: format!("b{i}"),
        parent: i.checked_sub(1),
        parent_from_body: Pose::translation(1.0, 0.0, 0.0),
        joints: vec![i],
    });
    KinematicTree { bodies: bodies.collect(), joints: joints.collect(), couplings }
}

fn coupling(joint: usize, of: usize, ratio: f64, offset: f64) -> Coupling {
    Coupling { joint, of, ratio, offset }
}

#[test]
fn chained_couplings_resolve_to_the_independent_joint() {
    let tree =
        chain_of(&[(-9.0, 9.0); 3], vec![coupling(0, 2, 2.0, 0.5), coupling(2, 1, -1.0, 0.25)]);
    let map = tree.coordinates().unwrap();
    assert_eq!(map.joints, vec![1]);
    let mut q = [0.0; 3];
    map.expand(&[0.75], &mut q);
    assert_eq!(q, [2.0 * -0.5 + 0.5, 0.75, -0.5]);
    let mut x = [0.0];
    map.reduce(&q, &mut x);
    assert_eq!(x, [0.75]);
}

#[test]
fn coordinate_range_keeps_followers_inside_theirs() {
    let tree = chain_of(&[(-1.0, 2.0), (-0.5, 1.0)], vec![coupling(1, 0, -2.0, 0.0)]);
    assert_eq!(tree.coordinates().unwrap().range, vec![(-0.5, 0.25)]);
}

#[test]
fn impossible_couplings_are_refused() {
    let wide = [(-1.0, 1.0); 2];
    let error =
        |ranges: &[(f64, f64)], c| chain_of(ranges, c).coordinates().unwrap_err().to_string();
    assert!(
        error(&wide, vec![coupling(0, 1, 1.0, 0.0), coupling(1, 0, 1.0, 0.0)]).contains("cycle")
    );
    assert!(error(&wide, vec![coupling(0, 7, 1.0, 0.0)]).contains("index 7"));
    assert!(
        error(&wide, vec![coupling(0, 1, 1.0, 0.0), coupling(0, 1, 2.0, 0.0)]).contains("twice")
    );
    assert!(error(&wide, vec![coupling(0, 1, 1.0, 5.0)]).contains("\"j1\""));
    assert!(error(&[(f64::NAN, 1.0), (0.0, 1.0)], vec![]).contains("\"j0\""));
}
