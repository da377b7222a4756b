use super::*;
use crate::object::{hull_quality, shapes};

fn default_hulls(mesh: &TriMesh) -> Vec<TriMesh> {
    decompose(mesh, &DecomposeConfig::default()).unwrap()
}

/// Distance to the nearest hull, negative inside.
fn clearance(hulls: &[TriMesh]) -> impl Fn(Point3<f64>) -> f64 + use<> {
    let surfaces: Vec<_> = hulls.iter().map(|h| Surface::new(h).unwrap()).collect();
    move |p| surfaces.iter().map(|s| s.signed_distance(&p)).fold(f64::MAX, f64::min)
}

/// Every hull is closed, convex, wound outwards, thick enough and within the vertex budget.
fn assert_sound(hulls: &[TriMesh], config: &DecomposeConfig) {
    assert!(!hulls.is_empty() && hulls.len() <= config.max_hulls, "{} hulls", hulls.len());
    for hull in hulls {
        assert!(hull.vertices.len() <= config.max_vertices, "{} vertices", hull.vertices.len());
        assert_eq!(crate::object::clean::boundary_edges(hull), 0);
        for face in 0..hull.faces.len() {
            let n = hull.face_cross(face).normalize();
            let along = |p: &Point3<f64>| n.dot(&(p - hull.triangle(face)[0]));
            let above = hull.vertices.iter().map(along).fold(f64::MIN, f64::max);
            let below = hull.vertices.iter().map(along).fold(f64::MAX, f64::min);
            assert!(above < 1e-5, "a vertex is {above} m outside a facet");
            assert!(-below > 0.9 * config.min_thickness_m, "only {} m thick", -below);
        }
    }
}

#[test]
fn finger_passes_through_the_handle_of_a_mug_and_into_its_cavity() {
    let clearance = clearance(&default_hulls(&shapes::mug()));
    // A finger is a capsule of 8 mm radius: every point of its axis must be 8 mm from every hull.
    let centre = shapes::mug_handle_centre();
    for i in 0..=40 {
        let through = Point3::new(centre.x, -0.03 + 0.0015 * f64::from(i), centre.z);
        assert!(clearance(through) > 0.008, "handle: {} at {through}", clearance(through));
        let down = Point3::new(0.0, 0.0, 0.02 + 0.0025 * f64::from(i));
        assert!(clearance(down) > 0.012, "cavity: {} at {down}", clearance(down));
    }
}

#[test]
fn mug_is_covered_and_its_free_space_is_kept() {
    let mug = shapes::mug();
    let config = DecomposeConfig::default();
    let hulls = default_hulls(&mug);
    assert_sound(&hulls, &config);
    let quality = hull_quality(&Surface::new(&mug).unwrap(), &hulls, 0.004, 3000).unwrap();
    assert!(quality.overfilled < 0.01 && quality.missed < 0.01, "{quality:?}");
    // One hull over everything must fail the same measure, or the measure is worth nothing.
    let single = decompose(&mug, &DecomposeConfig { max_hulls: 1, ..config }).unwrap();
    assert_eq!(single.len(), 1);
    let quality = hull_quality(&Surface::new(&mug).unwrap(), &single, 0.004, 3000).unwrap();
    assert!(quality.overfilled > 0.3, "{quality:?}");
}

#[test]
fn convex_solids_give_one_hull_that_stays_close() {
    for solid in [
        shapes::cuboid(0.06, 0.06, 0.06),
        shapes::sphere(0.04, 30),
        shapes::cylinder(0.03, 0.17, 48),
    ] {
        let hulls = default_hulls(&solid);
        assert_eq!(hulls.len(), 1);
        assert_sound(&hulls, &DecomposeConfig::default());
        let quality = hull_quality(&Surface::new(&solid).unwrap(), &hulls, 0.004, 2000).unwrap();
        assert!(quality.overfilled == 0.0 && quality.missed == 0.0, "{quality:?}");
        let (lo, hi) = hulls[0].bounds().unwrap();
        let (true_lo, true_hi) = solid.bounds().unwrap();
        let moved = (lo - true_lo).amax().max((hi - true_hi).amax());
        assert!(
            moved < 1e-3,
            "it must rest at the same height: {lo} {hi} against {true_lo} {true_hi}"
        );
    }
}

#[test]
fn bent_bar_is_two_solid_blocks() {
    let hulls = default_hulls(&shapes::bent_bar());
    assert_eq!(hulls.len(), 2);
    let clearance = clearance(&hulls);
    assert!(clearance(Point3::new(0.1, 0.015, 0.0)) < -0.014, "the core of an arm is solid");
    assert!(clearance(Point3::new(0.06, 0.06, 0.0)) > 0.02, "the corner is free");
}

#[test]
fn sheet_without_thickness_keeps_its_cavity_and_gets_walls() {
    let hulls = default_hulls(&shapes::open_sheet_cup());
    assert_sound(&hulls, &DecomposeConfig::default());
    let clearance = clearance(&hulls);
    assert!(clearance(Point3::new(0.0, 0.0, 0.04)) > 0.02);
    for angle in [0.1f64, 1.0, 2.5, 4.0, 5.5] {
        assert!(clearance(Point3::new(0.03 * angle.cos(), 0.03 * angle.sin(), 0.04)) < 0.001);
    }
}

#[test]
fn holes_soup_and_duplicates_do_not_change_the_outcome() {
    let mug = shapes::mug();
    let mut broken = TriMesh {
        vertices: (0..mug.faces.len()).flat_map(|f| mug.triangle(f)).collect(),
        faces: (0..mug.faces.len() as u32).map(|f| [3 * f, 3 * f + 1, 3 * f + 2]).collect(),
    };
    broken.faces.extend_from_within(..200);
    let mut index = 0;
    broken.faces.retain(|_| {
        index += 1;
        index % 37 != 0
    });
    let hulls = default_hulls(&broken);
    assert_sound(&hulls, &DecomposeConfig::default());
    let quality = hull_quality(&Surface::new(&mug).unwrap(), &hulls, 0.004, 2000).unwrap();
    assert!(quality.overfilled < 0.02 && quality.missed < 0.02, "{quality:?}");
}

#[test]
fn same_input_gives_the_same_bits() {
    assert_eq!(default_hulls(&shapes::mug()), default_hulls(&shapes::mug()));
}

#[test]
fn meshes_of_the_wrong_scale_are_refused_by_size() {
    for (scale, size) in [(1000.0, "103.9230"), (0.01, "0.0010")] {
        let mut cube = shapes::cuboid(0.06, 0.06, 0.06);
        cube.vertices.iter_mut().for_each(|v| *v *= scale);
        let message = decompose(&cube, &DecomposeConfig::default()).unwrap_err().to_string();
        assert!(message.contains(size) && message.contains("millimetres"), "{message}");
    }
}

#[test]
fn bad_settings_are_named() {
    let cube = shapes::cuboid(0.06, 0.06, 0.06);
    for (config, name) in [
        (DecomposeConfig { tolerance_m: f64::NAN, ..Default::default() }, "tolerance_m"),
        (DecomposeConfig { max_hulls: 0, ..Default::default() }, "max_hulls"),
        (DecomposeConfig { max_vertices: 3, ..Default::default() }, "max_vertices"),
    ] {
        assert!(decompose(&cube, &config).unwrap_err().to_string().contains(name));
    }
}

#[test]
fn a_million_faces_are_decimated_and_decomposed() {
    // A vase of one million faces: a bowl of revolution with a wall of 4 mm.
    let n = 700;
    let wall = |r: f64, up: bool| {
        (0..n / 2).map(move |i| {
            let t = f64::from(if up { i } else { n / 2 - 1 - i }) / f64::from(n / 2);
            (r + 0.01 * (4.0 * t).sin(), 0.004 + 0.12 * t)
        })
    };
    let profile: Vec<_> = std::iter::once((0.0, 0.0))
        .chain(wall(0.04, true))
        .chain(wall(0.036, false))
        .chain(std::iter::once((0.0, 0.004)))
        .collect();
    let vase = shapes::revolved(&profile, 720);
    assert!(vase.faces.len() > 1_000_000);
    // A smaller face budget than the default keeps the unoptimised test build quick.
    let config = DecomposeConfig { max_faces: 3_000, ..Default::default() };
    let hulls = decompose(&vase, &config).unwrap();
    assert_sound(&hulls, &config);
    assert!(clearance(&hulls)(Point3::new(0.0, 0.0, 0.08)) > 0.015, "the vase is open");
}

/// Vertices and faces of a binary STL or a Wavefront OBJ with plain faces.
fn recorded_mesh(path: &std::path::Path) -> TriMesh {
    let bytes = std::fs::read(path).unwrap();
    let mut mesh = TriMesh::default();
    if path.extension().is_some_and(|e| e == "stl") {
        for (i, facet) in bytes[84..].chunks_exact(50).enumerate() {
            let number = |k: usize| {
                f64::from(f32::from_le_bytes(facet[4 * k..4 * k + 4].try_into().unwrap()))
            };
            for corner in 1..4 {
                mesh.vertices.push(Point3::from([0, 1, 2].map(|k| number(3 * corner + k))));
            }
            mesh.faces.push([0, 1, 2].map(|k| 3 * i as u32 + k));
        }
        return mesh;
    }
    for line in String::from_utf8(bytes).unwrap().lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.first() {
            Some(&"v") => {
                mesh.vertices.push(Point3::from([1, 2, 3].map(|k| words[k].parse().unwrap())))
            }
            Some(&"f") => {
                let index =
                    |k: usize| words[k].split('/').next().unwrap().parse::<u32>().unwrap() - 1;
                mesh.faces.push([1, 2, 3].map(index));
            }
            _ => {}
        }
    }
    mesh
}

#[test]
fn recorded_objects_are_covered_and_keep_their_openings() {
    let demos = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/demos");
    for (file, most) in [
        ("taco/20231104_010.obj", 16),
        ("myodm/cup.stl", 32),
        ("myodm/mug.stl", 24),
        ("myodm/cylindersmall.stl", 1),
    ] {
        let path = demos.join(file);
        if !path.exists() {
            eprintln!("skipped: {} is not there", path.display());
            continue;
        }
        let mesh = recorded_mesh(&path);
        let hulls = default_hulls(&mesh);
        assert_sound(&hulls, &DecomposeConfig::default());
        let quality = hull_quality(&Surface::new(&mesh).unwrap(), &hulls, 0.004, 2000).unwrap();
        eprintln!("{file}: {} hulls, {quality:?}", hulls.len());
        assert!(hulls.len() <= most, "{file}: {} hulls", hulls.len());
        assert!(quality.overfilled < 0.02 && quality.missed < 0.01, "{file}: {quality:?}");
    }
}
