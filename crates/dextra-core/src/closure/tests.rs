use super::*;
use nalgebra::UnitQuaternion;
use proptest::prelude::*;
use std::fmt::Write;
use std::process::{Command, Stdio};

const BODY: Body = Body { center: Point3::new(0.0, 0.0, 0.0), length: 0.03 };

fn contact(point: [f64; 3], normal: [f64; 3], friction: f64, torsion: f64) -> Contact {
    let normal = Vector3::from(normal).normalize();
    Contact { point: Point3::from(point), normal, friction, torsion }
}

/// Two fingers on opposite sides of a cube of 6 cm, on the x axis.
fn pinch(friction: f64, torsion: f64) -> Vec<Contact> {
    vec![
        contact([-0.03, 0.0, 0.0], [1.0, 0.0, 0.0], friction, torsion),
        contact([0.03, 0.0, 0.0], [-1.0, 0.0, 0.0], friction, torsion),
    ]
}

/// Three fingers round a disc of 3 cm in the plane z = 0.
fn tripod(friction: f64, torsion: f64) -> Vec<Contact> {
    let finger = |k: u32| {
        let (sin, cos) = (f64::from(k) * std::f64::consts::TAU / 3.0).sin_cos();
        contact([0.03 * cos, 0.03 * sin, 0.0], [-cos, -sin, 0.0], friction, torsion)
    };
    (0..3).map(finger).collect()
}

/// Contacts anywhere on a sphere about `center`, with normals up to 40 degrees off the radius.
fn scattered(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Contact>> {
    let unit = || {
        prop::array::uniform3(-1.0..1.0f64)
            .prop_map(Vector3::from)
            .prop_filter("has a direction", |v| v.norm() > 0.1)
            .prop_map(|v| v.normalize())
    };
    let one = (unit(), unit(), 0.3..1.2f64, prop::bool::ANY).prop_map(|(out, tilt, mu, soft)| {
        let normal = (tilt * 0.6 - out).normalize();
        let torsion = if soft { 0.01 } else { 0.0 };
        Contact { point: Point3::from(out * 0.03), normal, friction: mu, torsion }
    });
    prop::collection::vec(one, count)
}

fn near(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{got} instead of {expected}");
}

fn weight(newtons: f64) -> Wrench {
    Wrench::new(0.0, 0.0, newtons, 0.0, 0.0, 0.0)
}

#[test]
fn a_pinch_of_points_cannot_resist_a_twist_about_its_line() {
    assert_eq!(epsilon(&pinch(1.0, 0.0), &BODY), 0.0);
    near(margin(&pinch(1.0, 0.0), &BODY), 0.0, 1e-12);
    let twist = Wrench::new(0.0, 0.0, 0.0, 1.0, 0.0, 0.0);
    near(least_force(&pinch(1.0, 0.0), &BODY, &twist).missing, 1.0, 1e-9);
}

/// Half of the squeeze goes to each finger. A twist about the line through both is met by torsional
/// friction alone: with 1 N in all, `0.01 m * 1 N / 0.03 m`. That is the weakest direction.
#[test]
fn a_pinch_of_soft_fingers_resists_as_much_as_its_torsional_friction() {
    let grasp = pinch(1.0, 0.01);
    near(least_force(&grasp, &BODY, &Wrench::ith(3, 1.0)).force, 3.0, 1e-9);
    near(margin(&grasp, &BODY), 1.0 / 3.0, 1e-9);
    // The torque that a sideways force brings about the centre costs nothing beside it.
    let score = epsilon(&grasp, &BODY);
    assert!(score > 0.2 && score <= 1.0 / 3.0, "{score}");
}

/// On a square in the plane the hull is known: with the cone wrenches of two opposing contacts, forces
/// only, the ball's radius is the distance from the origin to the line between `(1, 1)` and `(1, -1)`
/// and its fellows. Here lifted to six dimensions by a cross-polytope.
#[test]
fn the_ball_in_a_cross_polytope_touches_its_facets() {
    let points: Vec<Wrench> =
        (0..6).flat_map(|axis| [Wrench::ith(axis, 1.0), Wrench::ith(axis, -1.0)]).collect();
    near(inscribed::radius(&points), 1.0 / 6f64.sqrt(), 1e-6);
    // Moved by a quarter along the first axis, the nearest facets lie on the other side:
    // sum of |x_i| = 1 with x_0 - 1/4, so (1 - 1/4) / sqrt(6).
    let moved: Vec<Wrench> = points.iter().map(|p| p + Wrench::ith(0, 0.25)).collect();
    near(inscribed::radius(&moved), 0.75 / 6f64.sqrt(), 1e-6);
    let away: Vec<Wrench> = points.iter().map(|p| p + Wrench::ith(0, 1.5)).collect();
    assert_eq!(inscribed::radius(&away), 0.0);
    // A cube of 64 corners; most of its points share facets.
    let cube: Vec<Wrench> = (0..64)
        .map(|bits| Wrench::from_fn(|axis, _| if bits >> axis & 1 == 1 { 0.5 } else { -0.5 }))
        .collect();
    near(inscribed::radius(&cube), 0.5, 1e-6);
}

/// Of a total of 1 N, forces along +z come from sliding friction alone: with an edge straight up, each
/// newton of squeeze holds `friction` newtons.
#[test]
fn the_weight_that_a_grasp_holds_is_friction_times_its_squeeze() {
    for friction in [0.5, 1.0] {
        let balance = least_force(&pinch(friction, 0.0), &BODY, &weight(2.0));
        near(balance.force, 2.0 / friction, 1e-9);
        assert_eq!(balance.missing, 0.0);
        let balance = least_force(&tripod(friction, 0.0), &BODY, &weight(2.0));
        near(balance.force, 2.0 / friction, 1e-9);
    }
}

/// A lever: the weight acts at the centre, the support 2 cm beside it; a second contact above the other
/// end must press down. Moments about the centre: `a * 1 cm = b * 2 cm` and `a - b = w`.
#[test]
fn a_lever_needs_the_forces_of_its_moments() {
    let up = contact([0.01, 0.0, -0.01], [0.0, 0.0, 1.0], 0.0, 0.0);
    let down = contact([0.02, 0.0, 0.01], [0.0, 0.0, -1.0], 0.0, 0.0);
    let balance = least_force(&[up, down], &BODY, &weight(1.0));
    near(balance.force, 2.0 + 1.0, 1e-9);
    assert_eq!(balance.missing, 0.0);
    let alone = least_force(&[down], &BODY, &weight(1.0));
    near(alone.missing, 1.0, 1e-9);
    assert_eq!(alone.force, 0.0);
}

#[test]
fn three_fingers_round_a_disc_close_and_slippery_ones_do_not() {
    assert!(epsilon(&tripod(0.8, 0.0), &BODY) > 0.1);
    assert!(margin(&tripod(0.8, 0.0), &BODY) > 0.1);
    assert_eq!(epsilon(&tripod(0.0, 0.0), &BODY), 0.0);
    assert!(margin(&tripod(0.0, 0.0), &BODY) <= 1e-12);
}

#[test]
fn contacts_on_one_side_close_nothing() {
    let palm: Vec<Contact> = [[0.02, 0.0], [-0.02, 0.01], [-0.01, -0.02], [0.0, 0.02]]
        .map(|[x, y]| contact([x, y, -0.03], [0.1 * x, 0.0, 1.0], 1.0, 0.01))
        .to_vec();
    assert_eq!(epsilon(&palm, &BODY), 0.0);
    assert!(margin(&palm, &BODY) < -0.5);
    assert!(least_force(&palm, &BODY, &weight(-1.0)).missing > 0.5);
    // They carry what rests on them.
    near(least_force(&palm, &BODY, &weight(1.0)).force, 1.0, 0.02);
}

#[test]
fn nothing_touches_nothing_held() {
    assert_eq!(epsilon(&[], &BODY), 0.0);
    assert_eq!(margin(&[], &BODY), -1.0);
    assert_eq!(least_force(&[], &BODY, &weight(3.0)), Balance { force: 0.0, missing: 3.0 });
    assert_eq!(least_force(&[], &BODY, &Wrench::zeros()), Balance { force: 0.0, missing: 0.0 });
}

#[test]
fn a_cube_is_scaled_by_half_its_edge() {
    let moment = 0.2 * 0.06f64.powi(2) / 6.0;
    near(Body::gyration(Point3::origin(), 0.2, [moment; 3]).length, 0.03, 1e-15);
}

#[test]
fn the_margin_bends_smoothly_where_one_direction_decides() {
    let moved = |by: f64| {
        let mut grasp = tripod(0.8, 0.01);
        grasp[0].point.z += by;
        margin(&grasp, &BODY)
    };
    let step = 1e-4;
    let slope = |at: f64| (moved(at + step) - moved(at - step)) / (2.0 * step);
    for at in [0.002, 0.004, 0.006] {
        near(slope(at + step), slope(at), 0.05 * slope(at).abs() + 1e-6);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scores_do_not_depend_on_the_frame(
        grasp in scattered(3..7),
        turn in prop::array::uniform3(-2.0..2.0f64),
        shift in prop::array::uniform3(-0.5..0.5f64),
    ) {
        let rotation = UnitQuaternion::from_scaled_axis(Vector3::from(turn));
        let moved = |p: Point3<f64>| rotation * p + Vector3::from(shift);
        let body = Body { center: moved(BODY.center), ..BODY };
        let turned: Vec<Contact> = grasp
            .iter()
            .map(|c| Contact { point: moved(c.point), normal: rotation * c.normal, ..*c })
            .collect();
        near(epsilon(&turned, &body), epsilon(&grasp, &BODY), 3e-6);
        let force = rotation * Vector3::z();
        let wrench = Wrench::new(force.x, force.y, force.z, 0.0, 0.0, 0.0);
        let [a, b] = [least_force(&grasp, &BODY, &weight(1.0)), least_force(&turned, &body, &wrench)];
        // What is missing is counted along axes, so only whether anything is does not turn.
        prop_assert_eq!(a.missing > 0.0, b.missing > 0.0);
        if a.missing == 0.0 {
            near(b.force, a.force, 1e-6 * a.force);
        }
    }

    #[test]
    fn a_contact_more_never_lowers_a_score(grasp in scattered(4..9)) {
        let fewer = &grasp[..grasp.len() - 1];
        prop_assert!(epsilon(&grasp, &BODY) >= epsilon(fewer, &BODY) - 3e-6);
        prop_assert!(margin(&grasp, &BODY) >= margin(fewer, &BODY));
        let [more, less] =
            [&grasp[..], fewer].map(|grasp| least_force(grasp, &BODY, &weight(1.0)));
        prop_assert!(more.missing <= less.missing + 1e-9);
        if less.missing == 0.0 {
            prop_assert!(more.force <= less.force + 1e-7);
        }
    }

    #[test]
    fn size_alone_changes_nothing_and_forces_are_proportional(
        grasp in scattered(3..8), scale in 0.2..5.0f64,
    ) {
        let body = Body { length: BODY.length * scale, ..BODY };
        let larger: Vec<Contact> = grasp
            .iter()
            .map(|c| Contact { point: c.point * scale, torsion: c.torsion * scale, ..*c })
            .collect();
        near(epsilon(&larger, &body), epsilon(&grasp, &BODY), 3e-6);
        near(margin(&larger, &body), margin(&grasp, &BODY), 1e-9);
        let [one, some] = [1.0, scale].map(|w| least_force(&grasp, &BODY, &weight(w)));
        near(some.force, one.force * scale, 1e-7 * (1.0 + some.force));
    }

    #[test]
    fn the_margin_bounds_epsilon_from_above(grasp in scattered(3..10)) {
        prop_assert!(margin(&grasp, &BODY).max(0.0) >= epsilon(&grasp, &BODY) - 1e-6);
    }

    #[test]
    fn the_squeeze_of_any_wrench_is_at_most_its_size_over_epsilon(
        grasp in scattered(4..9), wrench in prop::array::uniform6(-1.0..1.0f64),
    ) {
        let (wrench, score) = (Wrench::from(wrench), epsilon(&grasp, &BODY));
        if score > 0.01 {
            let balance = least_force(&grasp, &BODY, &wrench);
            prop_assert_eq!(balance.missing, 0.0);
            prop_assert!(balance.force <= wrench.norm() / score * (1.0 + 1e-4));
        }
    }
}

/// Reads cones from stdin, one grasp a line: the wrench to apply, then the edges. Answers with the
/// radius of the ball in their hull (Qhull) and the least force (HiGHS); -1 where there is none.
const ORACLE: &str = r"
import sys, numpy
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, QhullError
for line in sys.stdin:
    rows = numpy.array(line.split(), float).reshape(-1, 6)
    wrench, edges = rows[0], rows[1:]
    try:
        radius = max(0.0, -ConvexHull(edges).equations[:, -1].max())
    except QhullError:
        radius = 0.0
    answer = linprog(numpy.ones(len(edges)), A_eq=edges.T, b_eq=wrench, method='highs-ds')
    print(radius, answer.fun if answer.status == 0 else -1.0)
";

/// What the oracle says of each grasp; `None`, with a line saying so, without SciPy.
fn asked(questions: &str) -> Option<Vec<[f64; 2]>> {
    let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
    let found = Command::new(&python).args(["-c", "import scipy.optimize, scipy.spatial"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {} has no scipy; DEXTRA_PYTHON names another Python", python.display());
        return None;
    }
    let mut child = Command::new(&python)
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), questions.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers = |line: &str| -> [f64; 2] {
        let numbers: Vec<f64> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    };
    Some(text.lines().map(numbers).collect())
}

/// The same numbers on every run: grasps of 2 to 8 contacts, some of them flat, one-sided or doubled.
fn varied() -> Vec<Vec<Contact>> {
    let mut state = 7u64;
    let mut next = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f64 / f64::from(1u32 << 31) * 2.0 - 1.0
    };
    let mut grasps = vec![pinch(1.0, 0.0), pinch(1.0, 0.01), tripod(0.8, 0.0), tripod(0.5, 0.01)];
    for index in 0..60 {
        let mut grasp: Vec<Contact> = (0..2 + index % 7)
            .map(|_| {
                let out = Vector3::new(next(), next(), next() * f64::from(index as u8 % 3));
                let out = out.try_normalize(0.0).unwrap();
                let tilt = Vector3::new(next(), next(), next()) * 0.4;
                let torsion = if index % 2 == 0 { 0.01 } else { 0.0 };
                contact((out * 0.03).into(), (tilt - out).into(), 0.7 + 0.3 * next(), torsion)
            })
            .collect();
        if index % 5 == 0 {
            grasp.push(grasp[0]);
        }
        grasps.push(grasp);
    }
    // Corners of faces on two sides of a cube: what mesh contacts look like.
    let faces = [(-0.03, 1.0), (0.03, -1.0)].into_iter().flat_map(|(x, n)| {
        [[0.01, 0.01], [0.01, -0.01], [-0.01, 0.01], [-0.01, -0.01]]
            .map(|[y, z]| contact([x, y, z], [n, 0.0, 0.0], 1.0, 0.01))
    });
    grasps.push(faces.collect());
    grasps
}

#[test]
fn scipy_finds_the_same_balls_and_forces() {
    let grasps = varied();
    let demand = Wrench::new(0.3, -0.2, 1.0, 0.1, 0.0, -0.05);
    let mut questions = String::new();
    for grasp in &grasps {
        for row in std::iter::once(&demand).chain(&edges(grasp, &BODY)) {
            row.iter().for_each(|x| write!(questions, "{x:e} ").unwrap());
        }
        questions.push('\n');
    }
    let Some(answers) = asked(&questions) else { return };
    assert_eq!(answers.len(), grasps.len());
    let mut seen = [0; 4];
    for (grasp, [radius, force]) in grasps.iter().zip(answers) {
        near(epsilon(grasp, &BODY), radius, 2e-6);
        let balance = least_force(grasp, &BODY, &demand);
        assert_eq!(balance.missing > 0.0, force < 0.0, "{balance:?}, {force} of {grasp:?}");
        if force >= 0.0 {
            near(balance.force, force, 1e-6 * force);
        }
        seen[usize::from(radius > 0.01)] += 1;
        seen[2 + usize::from(force > 0.0)] += 1;
    }
    assert!(seen.iter().all(|&count| count >= 5), "grasps of one kind only: {seen:?}");
}
