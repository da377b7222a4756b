use mujoco_rs::prelude::MjModel;

use super::*;
use crate::object::shapes;

#[test]
fn thin_box_matches_the_sum_of_its_plates() {
    // Six plates, each with the closed-form inertia m/12 (w^2 + h^2) and the parallel-axis theorem.
    let (x, y, z, mass): (f64, f64, f64, f64) = (0.1, 0.06, 0.04, 0.3);
    let got = MassProperties::shell(&shapes::cuboid(x, y, z), mass).unwrap();
    let area = 2.0 * (x * y + y * z + z * x);
    let (m_xy, m_yz, m_zx) = (mass * x * y / area, mass * y * z / area, mass * z * x / area);
    let about_z = 2.0 * m_xy * (x * x + y * y) / 12.0
        + 2.0 * m_yz * (y * y / 12.0 + x * x / 4.0)
        + 2.0 * m_zx * (x * x / 12.0 + y * y / 4.0);
    assert!(
        (got.inertia[(2, 2)] - about_z).abs() < 1e-12,
        "{} against {about_z}",
        got.inertia[(2, 2)]
    );
    assert!(got.inertia[(0, 1)].abs() < 1e-15 && got.com.coords.norm() < 1e-15);
}

#[test]
fn thin_sphere_away_from_the_origin_has_two_thirds_m_r_squared() {
    let mut ball = shapes::sphere(0.04, 80);
    ball.vertices.iter_mut().for_each(|v| *v += Vector3::new(0.3, -0.2, 0.5));
    let got = MassProperties::shell(&ball, 0.2).unwrap();
    assert!((got.com - Point3::new(0.3, -0.2, 0.5)).norm() < 1e-9);
    let expected = 2.0 / 3.0 * 0.2 * 0.04 * 0.04;
    for k in 0..3 {
        assert!((got.inertia[(k, k)] / expected - 1.0).abs() < 2e-3);
    }
}

#[test]
fn mug_agrees_with_mujoco_shell_inertia() {
    let mug = shapes::mug();
    let numbers = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(" ");
    let vertices =
        numbers(&mut mug.vertices.iter().map(|v| format!("{:.9} {:.9} {:.9}", v.x, v.y, v.z)));
    let faces = numbers(&mut mug.faces.iter().map(|f| format!("{} {} {}", f[0], f[1], f[2])));
    let xml = format!(
        "<mujoco><asset><mesh name='m' inertia='shell' vertex='{vertices}' face='{faces}'/></asset>\
         <worldbody><body><freejoint/><geom type='mesh' mesh='m' mass='0.25'/></body></worldbody></mujoco>"
    );
    let model = MjModel::from_xml_string(&xml).expect("the mug compiles");
    let got = MassProperties::shell(&mug, 0.25).unwrap();
    let com = Vector3::from(model.body_ipos()[1]);
    assert!((got.com.coords - com).norm() < 1e-6, "{} against {com}", got.com);
    let mut principal = got.inertia.symmetric_eigenvalues().as_slice().to_vec();
    let mut expected = model.body_inertia()[1].to_vec();
    principal.sort_by(f64::total_cmp);
    expected.sort_by(f64::total_cmp);
    for (a, b) in principal.iter().zip(&expected) {
        assert!((a / b - 1.0).abs() < 1e-4, "{principal:?} against {expected:?}");
    }
}

#[test]
fn mass_is_stated_or_assumed_within_the_hand_held_range() {
    let block = shapes::cuboid(0.1, 0.1, 0.1);
    assert!((plausible_mass(std::slice::from_ref(&block), None).unwrap() - 0.2).abs() < 1e-12);
    assert_eq!(plausible_mass(&[shapes::cuboid(0.5, 0.5, 0.5)], None), Ok(0.5));
    assert_eq!(plausible_mass(&[], None), Ok(0.05));
    assert_eq!(plausible_mass(&[block], Some(2.5)), Ok(2.5));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(plausible_mass(&[], Some(bad)), Err(ObjectError::Mass { .. })));
    }
}
