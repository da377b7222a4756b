use super::*;
use crate::Npz;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mano")
}

fn model(side: Side) -> Mano {
    file::load(&folder(), side).unwrap()
}

fn points(npz: &Npz, key: &str) -> Vec<Point3<f64>> {
    npz.array_f64(key).unwrap().1.chunks_exact(3).map(Point3::from_slice).collect()
}

#[test]
fn skinning_is_that_of_the_formulas_in_numpy() {
    let right = model(Side::Right);
    let expected = Npz::open(&folder().join("expected.npz")).unwrap();
    let numbers = |key: &str| expected.array_f64(key).unwrap().1;
    let shaped = right.shaped(&numbers("betas"));
    for (found, wanted) in shaped.joints.iter().zip(points(&expected, "rest_joints")) {
        assert!((found - wanted).norm() < 1e-12);
    }
    let wrist: [f64; 3] = numbers("wrist").try_into().unwrap();
    let transl = Vector3::from_column_slice(&numbers("transl"));
    let angles: [f64; POSE] = numbers("angles").try_into().unwrap();
    let tips = Tips::Other([3, 5, 7, 11, 19]);
    for (name, pose) in [
        ("by_angles", right.from_axis_angles(&angles, true)),
        ("by_components", right.from_components(&numbers("coefficients"), false)),
    ] {
        let turns = rotations(wrist, &pose);
        let vertices = points(&expected, &format!("{name}_vertices"));
        let joints = points(&expected, &format!("{name}_joints"));
        let surface = shaped.surface(&turns, transl, Origin::Model);
        assert_eq!(surface.len(), vertices.len());
        for (found, wanted) in surface.iter().zip(&vertices) {
            assert!((found - wanted).norm() < 1e-12, "{name}: {found} {wanted}");
        }
        let keypoints = shaped.keypoints(&turns, transl, Origin::Model, tips);
        let centred = shaped.keypoints(&turns, transl, Origin::Wrist, tips);
        let mut all = joints.clone();
        all.extend([3, 5, 7, 11, 19].map(|v| vertices[v]));
        for (k, &index) in TO_KEYPOINTS.iter().enumerate() {
            assert!((keypoints[k] - all[index]).norm() < 1e-12, "{name}: keypoint {k}");
            assert!(((centred[k] - centred[0]) - (keypoints[k] - keypoints[0])).norm() < 1e-12);
        }
        // One convention puts the wrist at J0 + t, the other at t.
        assert!((keypoints[0] - (shaped.joints[0] + transl)).norm() < 1e-12);
        assert!((centred[0].coords - transl).norm() < 1e-12);
    }
    assert_eq!(right.from_axis_angles(&[0.0; POSE], false), right.mean);
}

#[test]
fn the_left_shape_directions_are_fixed_once() {
    let (right, mut left) = (model(Side::Right), model(Side::Left));
    // As published: the left model has the right one's directions.
    let published = left.shape_dirs.clone();
    assert_eq!(published, right.shape_dirs);
    left.fix_left_shape(&right);
    for (fixed, was) in left.shape_dirs.chunks_exact(30).zip(published.chunks_exact(30)) {
        assert!(fixed[..10].iter().zip(&was[..10]).all(|(a, b)| *a == -b));
        assert_eq!(fixed[10..], was[10..]);
    }
    // A left hand is then the right one's mirror image whatever its shape.
    let betas = [1.0, -2.0, 0.5, 3.0];
    for (l, r) in left.shaped(&betas).joints.iter().zip(right.shaped(&betas).joints) {
        assert!((l - Point3::new(-r.x, r.y, r.z)).norm() < 1e-12);
    }
    let mut other = right.clone();
    other.fix_left_shape(&right);
    assert_eq!(other.shape_dirs, right.shape_dirs, "a right hand needs no fix");
}

#[test]
fn a_person_may_come_as_a_surface_at_rest() {
    let right = model(Side::Right);
    let betas = [0.3, 1.0];
    let shaped = right.shaped(&betas);
    let scanned = right.scanned(Path::new("s1.ply"), &shaped.vertices).unwrap();
    assert_eq!(scanned.joints, shaped.joints);
    let error = right.scanned(Path::new("s1.ply"), &shaped.vertices[1..]).unwrap_err().to_string();
    assert!(error.contains("s1.ply") && error.contains("19 vertices"), "{error}");
}

#[test]
fn what_is_not_the_model_is_refused() {
    let error = Mano::load(&folder(), Side::Right).unwrap_err().to_string();
    assert!(error.contains("20 vertices; MANO has 778"), "{error}");
    let error = Mano::load(Path::new("/none"), Side::Left).unwrap_err().to_string();
    assert!(error.contains("MANO_LEFT.pkl") && error.contains("--mano DIR"), "{error}");
    let file = folder().join("expected.npz");
    assert!(file::read(&file, Side::Right).unwrap_err().to_string().contains("v_template"));
}
