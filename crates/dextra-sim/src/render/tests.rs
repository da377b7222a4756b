use super::*;
use dextra_core::Pose;
use mujoco_rs::prelude::MjSpec;
use nalgebra::Point3;

/// A finger on a motor, a free red box whose visual geom (group 2) is larger than its collision
/// geom (group 3), and a table.
const XML: &str = r#"<mujoco>
  <worldbody>
    <geom name="table" type="plane" size="1 1 .01" rgba=".6 .6 .6 1"/>
    <body name="finger" pos="0 0.12 .05">
      <joint name="bend" axis="1 0 0" range="-1 1"/>
      <geom type="capsule" fromto="0 0 0 0 0 .1" size=".012" rgba="0 0 1 1"/>
    </body>
    <body name="cube" pos="0 0 .03">
      <freejoint/>
      <geom type="box" size=".03 .03 .03" rgba="1 0 0 1" group="2" contype="0" conaffinity="0"/>
      <geom type="box" size=".02 .02 .02" rgba="0 1 0 1" group="3"/>
    </body>
  </worldbody>
  <actuator><position joint="bend" kp="1"/></actuator>
</mujoco>"#;

const CAMERA: Camera = Camera {
    lookat: Point3::new(0.0, 0.05, 0.05),
    distance: 0.6,
    azimuth_deg: 135.0,
    elevation_deg: -25.0,
};

fn model() -> MjModel {
    let mut spec = MjSpec::from_xml_string(XML).unwrap();
    decorate(&mut spec);
    spec.compile().unwrap()
}

/// A renderer, or `None` with a line on stderr where there is no EGL.
fn renderer(model: &MjModel) -> Option<Renderer> {
    match Renderer::new(model, 320, 240) {
        Ok(renderer) => Some(renderer),
        Err(error @ RenderError::EglMissing { .. }) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn count(image: &RgbImage, pred: impl Fn([i32; 3]) -> bool) -> usize {
    image.pixels.chunks_exact(3).filter(|p| pred([p[0].into(), p[1].into(), p[2].into()])).count()
}

fn is_red([r, g, b]: [i32; 3]) -> bool {
    r > 60 && r > 2 * g && r > 2 * b
}

fn is_blue([r, g, b]: [i32; 3]) -> bool {
    b > 60 && b > 2 * g && b > 2 * r
}

fn is_green([r, g, b]: [i32; 3]) -> bool {
    g > 60 && g > 2 * r && g > 2 * b
}

fn colour_at(image: &RgbImage, camera: &Camera, point: Point3<f64>) -> [i32; 3] {
    let [x, y] = camera.project(&point, image.width, image.height).unwrap();
    image.get(x as u32, y as u32).unwrap().map(i32::from)
}

#[test]
fn an_object_appears_where_the_camera_projects_it() {
    let Some(mut renderer) = renderer(&model()) else {
        return;
    };
    let mut qpos = renderer.qpos0().to_vec();
    let at = renderer.joint_qpos("cube").unwrap();
    for (x, y, z) in [(0.0, 0.0, 0.03), (0.06, 0.02, 0.09), (-0.05, 0.1, 0.15)] {
        qpos[at..at + 3].copy_from_slice(&[x, y, z]);
        let image = renderer.render_without_robot(&qpos, &CAMERA, &[]).unwrap();
        assert!(is_red(colour_at(&image, &CAMERA, Point3::new(x, y, z))), "box at {x} {y} {z}");
        assert!(!is_red(image.get(2, 2).unwrap().map(i32::from)));
        assert_eq!(count(&image, is_green), 0, "collision geometry stays hidden");
    }
}

#[test]
fn the_driven_tree_is_the_robot_and_can_be_left_out() {
    let Some(mut renderer) = renderer(&model()) else {
        return;
    };
    let qpos = renderer.qpos0().to_vec();
    let with = renderer.render(&qpos, &CAMERA, &[]).unwrap();
    let without = renderer.render_without_robot(&qpos, &CAMERA, &[]).unwrap();
    assert!(count(&with, is_blue) > 300);
    assert_eq!(count(&without, is_blue), 0);
    assert!(count(&without, is_red) > 300);
    // Drawing is a function of its inputs: nothing of an earlier picture stays.
    assert_eq!(with, renderer.render(&qpos, &CAMERA, &[]).unwrap());
}

#[test]
fn overlays_appear_where_they_are_and_ghosts_show_visual_geometry() {
    let Some(mut renderer) = renderer(&model()) else {
        return;
    };
    let qpos = renderer.qpos0().to_vec();
    let (ball, from, to) =
        (Point3::new(0.1, 0.1, 0.1), Point3::new(0.1, -0.02, 0.1), Point3::new(0.02, 0.06, 0.14));
    let green = [0.0, 1.0, 0.0, 1.0];
    let overlays = [
        Overlay::Sphere { center: ball, radius: 0.015, rgba: green },
        Overlay::Capsule { from, to, radius: 0.01, rgba: green },
        Overlay::Ghost {
            body: "cube".into(),
            world_from_body: Pose::translation(0.0, -0.05, 0.16),
            rgba: [0.0, 0.0, 1.0, 1.0],
        },
    ];
    let image = renderer.render_without_robot(&qpos, &CAMERA, &overlays).unwrap();
    for point in [ball, from, to, nalgebra::center(&from, &to)] {
        assert!(is_green(colour_at(&image, &CAMERA, point)), "overlay at {point}");
    }
    // 2.7 cm from the ghost's middle: inside its visual box, outside its collision box.
    for z in [0.16, 0.187, 0.133] {
        assert!(is_blue(colour_at(&image, &CAMERA, Point3::new(0.0, -0.05, z))), "ghost at {z}");
    }
    let clean = renderer.render_without_robot(&qpos, &CAMERA, &[]).unwrap();
    assert_eq!(count(&clean, is_green), 0, "overlays last for one picture");
}

/// A free body with one geom, placed off-centre and turned in the body.
fn body_with(geom: &str) -> MjModel {
    MjModel::from_xml_string(&format!(
        r#"<mujoco><asset>
        <mesh name="wedge" vertex="0 0 0 .1 0 0 0 .06 0 0 0 .05 .1 .06 0"/></asset>
        <worldbody><body name="thing"><freejoint/>
        <geom {geom} pos=".01 .02 .03" euler="10 20 30" rgba="1 0 0 1"/></body>
        </worldbody></mujoco>"#
    ))
    .unwrap()
}

#[test]
fn a_ghost_covers_what_the_moved_body_would_cover() {
    let pose = dextra_core::pose::from_pos_quat([0.0, 0.03, 0.05], [0.8, 0.2, -0.3, 0.4]);
    for geom in [
        r#"type="box" size=".02 .03 .05""#,
        r#"type="sphere" size=".03""#,
        r#"type="capsule" size=".02 .05""#,
        r#"type="cylinder" size=".02 .05""#,
        r#"type="ellipsoid" size=".02 .03 .05""#,
        // The engine re-centres meshes; a ghost must undo that in the same way.
        r#"type="mesh" mesh="wedge""#,
    ] {
        let Some(mut renderer) = renderer(&body_with(geom)) else {
            return;
        };
        let mut moved = renderer.qpos0().to_vec();
        moved[..3].copy_from_slice(&dextra_core::pose::pos(&pose));
        moved[3..7].copy_from_slice(&dextra_core::pose::quat_wxyz(&pose));
        let direct = renderer.render(&moved, &CAMERA, &[]).unwrap();
        moved[0] = 20.0;
        let ghost = Overlay::Ghost {
            body: "thing".into(),
            world_from_body: pose,
            rgba: [1.0, 0.0, 0.0, 1.0],
        };
        let ghost = renderer.render(&moved, &CAMERA, &[ghost]).unwrap();
        let differing = direct
            .pixels
            .chunks_exact(3)
            .zip(ghost.pixels.chunks_exact(3))
            .filter(|(a, b)| (a[0] > 40) != (b[0] > 40))
            .count();
        let covered = count(&direct, |[r, _, _]| r > 40);
        assert!(covered > 500, "{geom}: {covered} pixels");
        assert!(differing * 50 < covered, "{geom}: {differing} of {covered} pixels differ");
    }
}

#[test]
fn a_skeleton_has_all_bones_and_skips_missing_keypoints() {
    let mut keypoints = [Point3::origin(); 21];
    for (i, point) in keypoints.iter_mut().enumerate() {
        *point = Point3::new(0.01 * i as f64, 0.0, 0.1);
    }
    assert_eq!(skeleton(&keypoints).len(), 9 + 5 * 4);
    keypoints[8].x = f64::NAN;
    // The index tip takes its last bone and its ball with it.
    assert_eq!(skeleton(&keypoints).len(), 9 + 5 * 4 - 2);
}

#[test]
fn framing_keeps_every_point_in_the_picture_and_fills_it() {
    let points = [
        Point3::new(0.4, -0.2, 0.0),
        Point3::new(0.5, 0.3, 0.25),
        Point3::new(0.45, 0.0, 0.5),
        Point3::new(0.7, 0.1, 0.1),
    ];
    for azimuth_deg in [0.0, 90.0, 135.0, 250.0] {
        for (width, height) in [(320, 240), (200, 400)] {
            let aspect = f64::from(width) / f64::from(height);
            let camera = Camera::framing(&points, azimuth_deg, -25.0, scenery::FOV_Y_DEG, aspect);
            let mut reach: f64 = 0.0;
            for point in &points {
                let [x, y] = camera.project(point, width, height).unwrap();
                let (x, y) = (2.0 * x / f64::from(width) - 1.0, 2.0 * y / f64::from(height) - 1.0);
                reach = reach.max(x.abs()).max(y.abs());
            }
            assert!((0.85..1.0).contains(&reach), "{azimuth_deg} deg, {width} px: {reach}");
        }
    }
    let nowhere = Camera::framing(&[Point3::new(f64::NAN, 0.0, 0.0)], 0.0, 0.0, 35.0, 1.0);
    assert_eq!(nowhere.lookat, Point3::origin());
}

#[test]
fn wrong_input_is_refused_by_name() {
    let model = model();
    assert!(matches!(Renderer::new(&model, 0, 240), Err(RenderError::Size { .. })));
    assert!(matches!(Renderer::new(&model, 320, 100_000), Err(RenderError::Size { .. })));
    let Some(mut renderer) = renderer(&model) else {
        return;
    };
    let mut qpos = renderer.qpos0().to_vec();
    assert!(matches!(
        renderer.render(&qpos[1..], &CAMERA, &[]),
        Err(RenderError::QposLength { got: 7, expected: 8 })
    ));
    let blind = Camera { distance: f64::INFINITY, ..CAMERA };
    assert!(matches!(
        renderer.render(&qpos, &blind, &[]),
        Err(RenderError::NonFinite { field: "camera", index: None })
    ));
    let ghost =
        Overlay::Ghost { body: "teapot".into(), world_from_body: Pose::identity(), rgba: [1.0; 4] };
    let message = renderer.render(&qpos, &CAMERA, &[ghost]).unwrap_err().to_string();
    assert!(message.contains("teapot") && message.contains("cube"), "{message}");
    let many = vec![
        Overlay::Sphere { center: Point3::origin(), radius: 0.01, rgba: [1.0; 4] };
        MAX_OVERLAY_GEOMS + 1
    ];
    assert!(matches!(renderer.render(&qpos, &CAMERA, &many), Err(RenderError::TooManyOverlays)));
    qpos[3] = f64::NAN;
    assert!(matches!(
        renderer.render(&qpos, &CAMERA, &[]),
        Err(RenderError::NonFinite { field: "qpos", index: Some(3) })
    ));
}

#[test]
fn missing_egl_names_the_packages() {
    let message = RenderError::EglMissing { reason: "EGL was not found".into() }.to_string();
    assert!(message.contains("libegl1") && message.contains("libgl1-mesa-dri"), "{message}");
}

fn octahedron(radius: f64) -> dextra_core::TriMesh {
    let axis = |i: usize, sign: f64| {
        let mut point = Point3::origin();
        point[i] = sign * radius;
        point
    };
    let vertices = (0..6).map(|i| axis(i / 2, if i % 2 == 0 { 1.0 } else { -1.0 })).collect();
    let faces = vec![
        [0, 2, 4],
        [2, 1, 4],
        [1, 3, 4],
        [3, 0, 4],
        [2, 0, 5],
        [1, 2, 5],
        [3, 1, 5],
        [0, 3, 5],
    ];
    dextra_core::TriMesh { vertices, faces }
}

/// A free body that has collision geometry alone.
const BARE: &str = r#"<mujoco><worldbody><body name="ball" pos="0 0 .1"><freejoint/>
    <geom type="sphere" size=".02" rgba="0 1 0 1" group="3"/></body></worldbody></mujoco>"#;

#[test]
fn a_dressed_scene_shows_the_surface_and_keeps_the_layout() {
    let surface = octahedron(0.05);
    let visual = Visual { body: "ball", mesh: &surface };
    let dressed = film_model(BARE, &[], &[visual]).unwrap();
    let Some(mut renderer) = renderer(&dressed) else {
        return;
    };
    let qpos = renderer.qpos0().to_vec();
    assert_eq!(renderer.joint_qpos("ball"), Some(0));
    let image = renderer.render(&qpos, &CAMERA, &[]).unwrap();
    assert_eq!(count(&image, is_green), 0, "hulls give way to the surface");
    assert!(count(&image, |[r, g, b]| r > g + 40 && g > b) > 500);
}

#[test]
fn a_surface_that_cannot_be_drawn_leaves_the_hulls() {
    let mut flat = octahedron(0.05);
    flat.vertices.iter_mut().for_each(|v| v.z = 0.0);
    let mut broken = octahedron(0.05);
    broken.faces[0][0] = 77;
    for surface in [flat, broken, dextra_core::TriMesh::default()] {
        let visual = Visual { body: "ball", mesh: &surface };
        let model = film_model(BARE, &[], &[visual]).unwrap();
        let Some(mut renderer) = renderer(&model) else {
            return;
        };
        let qpos = renderer.qpos0().to_vec();
        let image = renderer.render(&qpos, &CAMERA, &[]).unwrap();
        assert!(count(&image, is_green) > 200, "the hull is shown");
    }
    let unknown = Visual { body: "cup", mesh: &octahedron(0.05) };
    assert!(matches!(film_model(BARE, &[], &[unknown]), Err(RenderError::UnknownBody { .. })));
    assert!(matches!(film_model("<mujoco>", &[], &[]), Err(RenderError::Scene { .. })));
}
