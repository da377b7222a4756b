use nalgebra::{Point3, Vector3};

use super::*;
use crate::object::shapes;

/// Exact signed distance to an axis-aligned box centred at the origin.
fn box_distance(p: &Point3<f64>, half: Vector3<f64>) -> f64 {
    let q = p.coords.abs() - half;
    q.sup(&Vector3::zeros()).norm() + q.max().min(0.0)
}

/// A scattered but fixed set of points in a cube of side `2 * reach`.
fn scattered(n: usize, reach: f64) -> impl Iterator<Item = Point3<f64>> {
    let mut state = 7;
    (0..n).map(move |_| Point3::from([(); 3].map(|()| (2.0 * split_mix(&mut state) - 1.0) * reach)))
}

#[test]
fn signed_distance_to_a_box_is_exact() {
    let surface = Surface::new(&shapes::cuboid(0.1, 0.06, 0.04)).unwrap();
    for p in scattered(500, 0.08) {
        let expected = box_distance(&p, Vector3::new(0.05, 0.03, 0.02));
        assert!((surface.signed_distance(&p) - expected).abs() < 1e-12, "{p}");
    }
}

#[test]
fn inside_out_box_has_the_same_signs_and_normals() {
    let right = shapes::cuboid(0.1, 0.06, 0.04);
    let mut wrong = right.clone();
    wrong.faces.iter_mut().for_each(|f| f.swap(1, 2));
    let (right, wrong) = (Surface::new(&right).unwrap(), Surface::new(&wrong).unwrap());
    for p in scattered(200, 0.08) {
        assert_eq!(right.signed_distance(&p), wrong.signed_distance(&p));
        assert!((right.closest(&p).normal - wrong.closest(&p).normal).norm() < 1e-12);
    }
}

#[test]
fn normal_tells_the_side_even_at_corners_and_edges() {
    let surface = Surface::new(&shapes::cuboid(0.1, 0.06, 0.04)).unwrap();
    for p in scattered(500, 0.08) {
        let found = surface.closest(&p);
        let outside = box_distance(&p, Vector3::new(0.05, 0.03, 0.02)) > 0.0;
        assert_eq!(found.normal.dot(&(p - found.point)) > 0.0, outside, "{p}");
        assert!((found.normal.norm() - 1.0).abs() < 1e-12);
        let facing = surface.closest_facing(&p);
        assert!(facing.normal.dot(&(p - facing.point)) >= 0.0);
    }
}

#[test]
fn box_with_a_pin_hole_is_solid_and_a_sheet_cup_is_not() {
    let mut ball = shapes::sphere(0.03, 24);
    ball.faces.remove(100);
    let ball = Surface::new(&ball).unwrap();
    assert!(ball.is_open());
    assert!((ball.signed_distance(&Point3::new(0.0, 0.0, 0.01)) + 0.02).abs() < 5e-4);
    assert!(ball.signed_distance(&Point3::new(0.0, 0.0, 0.05)) > 0.0);
    let cup = Surface::new(&shapes::open_sheet_cup()).unwrap();
    for z in [0.01, 0.03, 0.06] {
        assert!(!cup.contains(&Point3::new(0.0, 0.0, z)), "cavity of a sheet is outside, z = {z}");
    }
}

#[test]
fn samples_are_even_deterministic_and_on_the_surface() {
    let surface = Surface::new(&shapes::cuboid(0.1, 0.06, 0.04)).unwrap();
    let samples = surface.sample(2000, 3);
    assert_eq!(samples, surface.sample(2000, 3));
    assert_ne!(samples, surface.sample(2000, 4));
    let top = samples.iter().filter(|s| s.normal.z > 0.99).count() as f64 / 2000.0;
    let expected = 0.1 * 0.06 / surface.area();
    assert!((top - expected).abs() < 0.002, "{top} against {expected}");
    let mean = samples.iter().map(|s| s.point.coords).sum::<Vector3<f64>>() / 2000.0;
    assert!(mean.norm() < 1e-3, "{mean}");
    for s in &samples {
        assert!(box_distance(&s.point, Vector3::new(0.05, 0.03, 0.02)).abs() < 1e-12);
    }
}
