//! `dextra view`: a finished transfer as a recording for Rerun's viewer, everything on one timeline.

use crate::error::Error;
use crate::page::measured::Measured;
use crate::report::{Report, Status};
use dextra_core::Pose;
use dextra_core::demonstration::keypoint;
use dextra_core::mesh::TriMesh;
use dextra_data::DataError;
use dextra_data::rrd::{Arrow, Color, Paint, Pane, Recording, Series, View, ViewKind, When};
use dextra_sim::scene::exported::{Exported, Shape};
use nalgebra::Point3;
use std::path::Path;

const STAGE: &str = "view";
/// Poses and contacts are recorded at most so often, 1/s.
const RATE: f64 = 60.0;
/// Length of an arrow per newton, metres.
const METRES_PER_NEWTON: f64 = 0.01;
const CONTACT: Color = Color::rgb(214, 39, 40);
const BONE: Color = Color::rgb(222, 189, 166);
/// Where the demonstration has an object.
const DEMANDED: Color = Color([90, 140, 242, 90]);
/// Half the side of what is shown of the table, metres.
const TABLE_HALF: f64 = 0.5;
const ARROW_RADIUS: f64 = 0.0015;
const BONE_RADIUS: f64 = 0.004;
/// Curves in the order of a plot's lines.
const CURVES: [Color; 6] = [
    Color::rgb(31, 119, 180),
    Color::rgb(214, 39, 40),
    Color::rgb(44, 160, 44),
    Color::rgb(255, 127, 14),
    Color::rgb(148, 103, 189),
    Color::rgb(127, 127, 127),
];

/// Writes the recording of the finished transfer in `dir` to `path`: the robot and the objects as simulated, the
/// human's hands and where the demonstration has the objects, contacts as arrows of 1 cm per newton, curves of
/// errors, forces and penetrations, and the verdict. World frame, z up; the timeline is `time`, seconds.
///
/// # Errors
/// A folder without a finished transfer, files that are malformed or do not belong together, and a file that cannot be
/// written.
pub fn write(dir: &Path, path: &Path) -> Result<(), Error> {
    let report = Report::read(dir)?;
    let measured = Measured::read(dir)?.ok_or_else(|| {
        Error::Request(format!("{}: there is no rollout.npz to be viewed", dir.display()))
    })?;
    let scene = Exported::open(&dir.join("mjcf").join("scene.xml")).map_err(Error::stage(STAGE))?;
    let states = &measured.rollout().qpos;
    let expected = scene.sizes().0;
    if let Some(state) = states.iter().position(|qpos| qpos.len() != expected) {
        return Err(Error::Request(format!(
            "{}: state {state} of qpos has {} numbers, the scene {expected}",
            dir.join("rollout.npz").display(),
            states[state].len(),
        )));
    }
    let name = format!("{} on {}", report.clip, report.hand);
    let mut recording = Recording::new(path, &name);
    let record = |recording: &mut Recording| -> Result<(), DataError> {
        bodies(recording, &measured, &scene)?;
        demonstration(recording, &measured, &scene)?;
        contacts(recording, &measured)?;
        let plots = curves(recording, &measured, &report)?;
        recording.document("verdict", &verdict(&report))?;
        recording.layout(layout(&plots))
    };
    record(&mut recording).map_err(Error::stage(STAGE))?;
    recording.write().map_err(Error::stage(STAGE))
}

/// The states that are recorded, and their times.
fn sampled(measured: &Measured) -> (Vec<usize>, Vec<f64>) {
    let rollout = measured.rollout();
    let stride = (1.0 / (RATE * rollout.dt)).round().max(1.0) as usize;
    let states: Vec<usize> = (0..rollout.qpos.len()).step_by(stride).collect();
    let times = states.iter().map(|&state| state as f64 * rollout.dt).collect();
    (states, times)
}

/// Every body that can be seen, with its poses.
fn bodies(
    recording: &mut Recording,
    measured: &Measured,
    scene: &Exported,
) -> Result<(), DataError> {
    let (states, times) = sampled(measured);
    let places: Vec<Vec<Pose>> =
        states.iter().map(|&s| scene.world_from_bodies(&measured.rollout().qpos[s])).collect();
    for shape in scene.shapes() {
        let entity = entity(&shape);
        let colors: Vec<Color> = shape.rgba.iter().map(|&rgba| Color(rgba)).collect();
        let mesh = if shape.index == 0 { within(&shape.mesh) } else { shape.mesh.clone() };
        recording.mesh(&entity, &mesh, Paint::Parts(&colors))?;
        let poses: Vec<Pose> = places.iter().map(|places| places[shape.index]).collect();
        // What never moves needs one pose.
        match poses.first() {
            Some(first) if poses.iter().all(|p| p == first) => {
                recording.poses(&entity, When::Always, &[*first])?;
            }
            _ => recording.poses(&entity, When::At(&times), &poses)?,
        }
    }
    Ok(())
}

/// A table of the size of a viewer's first look, not of a room.
fn within(world: &TriMesh) -> TriMesh {
    let near = |x: f64| x.clamp(-TABLE_HALF, TABLE_HALF);
    let vertices = world.vertices.iter().map(|p| Point3::new(near(p.x), near(p.y), p.z)).collect();
    TriMesh { vertices, faces: world.faces.clone() }
}

/// Bodies of hands have a side in front of their names, wrists behind; see [`dextra_sim::scene`].
fn entity(shape: &Shape) -> String {
    let plain = |rest: &str| rest.replace('/', " ");
    match shape.body.split_once('/') {
        Some(("object", name)) => format!("scene/objects/{}", plain(name)),
        Some(("wrist", side)) => format!("scene/{} hand/wrist", plain(side)),
        Some((side, rest)) => format!("scene/{side} hand/{}", plain(rest)),
        None if shape.index == 0 => "scene/world".to_owned(),
        None if shape.body.is_empty() => format!("scene/body {}", shape.index),
        None => format!("scene/{}", shape.body),
    }
}

/// The human's hands as bones, and the objects where they are demanded, at judged frames.
fn demonstration(
    recording: &mut Recording,
    measured: &Measured,
    scene: &Exported,
) -> Result<(), DataError> {
    let frames = &measured.reference().frames;
    let times: Vec<f64> = frames.iter().map(|frame| measured.seconds(frame.step)).collect();
    for (hand, points) in measured.rollout().hands.iter().zip(measured.human()) {
        if points.is_empty() {
            continue;
        }
        let rows: Vec<Vec<Vec<Point3<f64>>>> =
            points.chunks_exact(keypoint::COUNT).map(bones).collect();
        let entity = format!("scene/demonstration/{} hand", hand.side.name());
        recording.line_strips(&entity, When::At(&times), &rows, Paint::Whole(BONE), BONE_RADIUS)?;
    }
    let shapes = scene.shapes();
    for (index, object) in measured.rollout().objects.iter().enumerate() {
        let Some(mesh) = measured.mesh_of(&shapes, scene, index) else { continue };
        let entity = format!("scene/demonstration/{} {}", index + 1, object.name.replace('/', " "));
        recording.mesh(&entity, mesh, Paint::Whole(DEMANDED))?;
        let poses: Vec<Pose> = frames.iter().map(|f| f.world_from_object[index]).collect();
        recording.poses(&entity, When::At(&times), &poses)?;
    }
    Ok(())
}

/// Lines along the palm and the fingers of one hand, without points that are missing.
fn bones(points: &[Point3<f64>]) -> Vec<Vec<Point3<f64>>> {
    let known = |&k: &usize| points[k].iter().all(|x| x.is_finite());
    let fingers = (0..5).map(|finger| {
        std::iter::once(0).chain(1 + 4 * finger..5 + 4 * finger).filter(known).collect::<Vec<_>>()
    });
    let knuckles = [1, 5, 9, 13, 17].into_iter().filter(known).collect();
    let strips = fingers.chain([knuckles]).filter(|strip: &Vec<usize>| strip.len() > 1);
    strips.map(|strip| strip.into_iter().map(|k| points[k]).collect()).collect()
}

/// What hands do to objects, from where they touch them.
fn contacts(recording: &mut Recording, measured: &Measured) -> Result<(), DataError> {
    let (states, times) = sampled(measured);
    let mut rows: Vec<Vec<Arrow>> = vec![Vec::new(); states.len()];
    let stride = states.get(1).copied().unwrap_or(1);
    for touch in measured.touches().iter().filter(|touch| touch.step % stride == 0) {
        let vector = touch.normal * (touch.force * METRES_PER_NEWTON);
        if let Some(row) = rows.get_mut(touch.step / stride) {
            row.push(Arrow { origin: touch.point - vector, vector });
        }
    }
    recording.arrows("scene/contacts", When::At(&times), &rows, Paint::Whole(CONTACT), ARROW_RADIUS)
}

/// A plot of curves: where they are in the recording, and its title.
struct Curves {
    entity: String,
    title: String,
}

/// The curves of the report's page. Returns the plots that have any.
fn curves(
    recording: &mut Recording,
    measured: &Measured,
    report: &Report,
) -> Result<Vec<Curves>, DataError> {
    let mut all = Vec::new();
    for (index, plot) in measured.plots(report.details.as_ref()).into_iter().enumerate() {
        let place = format!("plots/{}", index + 1);
        let mut any = false;
        for (line, color) in plot.lines.iter().zip(CURVES.iter().cycle()) {
            let points: Vec<_> = line.points.iter().filter(|(_, y)| y.is_finite()).collect();
            if points.is_empty() {
                continue;
            }
            let times: Vec<f64> = points.iter().map(|point| point.0).collect();
            let rows: Vec<[f64; 1]> = points.iter().map(|point| [point.1]).collect();
            let series = [Series { name: line.name.clone(), color: *color }];
            let entity = format!("{place}/{}", line.name.replace('/', " "));
            recording.scalars(&entity, &times, &series, &rows)?;
            any = true;
        }
        if any {
            all.push(Curves { entity: place, title: plot.title });
        }
    }
    Ok(all)
}

/// The scene with the verdict below on the left, the curves on the right.
fn layout(plots: &[Curves]) -> Vec<Pane> {
    let view = |kind: ViewKind, name: &str, entity: &str| View {
        kind,
        name: name.to_owned(),
        entity: entity.to_owned(),
    };
    let scene = Pane {
        share: 3.0,
        views: vec![
            view(ViewKind::Scene, "Human, robot and contacts", "scene"),
            view(ViewKind::Document, "Verdict", "verdict"),
        ],
    };
    let views: Vec<View> =
        plots.iter().map(|plot| view(ViewKind::Plot, &plot.title, &plot.entity)).collect();
    let curves = (!views.is_empty()).then_some(Pane { share: 2.0, views });
    std::iter::once(scene).chain(curves).collect()
}

/// The verdict in Markdown.
fn verdict(report: &Report) -> String {
    let status = match report.status {
        Status::Accepted => "accepted",
        Status::Rejected => "rejected",
    };
    let mut text = format!("# {} on {}: {status}\n\n", report.clip, report.hand);
    if let Some(cause) = &report.cause {
        text += &format!("{cause}\n\n");
    }
    text += "| rule | met |\n|---|---|\n";
    for (rule, met) in report.protocols.named() {
        text += &format!("| {rule} | {} |\n", if met { "yes" } else { "no" });
    }
    text += &format!(
        "\nLargest error {:.2} cm and {:.1} deg; fingertips {:.2} cm from the human's in the mean.\n",
        report.max_t_cm, report.max_r_deg, report.e_ft_cm
    );
    if let Some(details) = &report.details {
        text += &format!("\nMade from: {}. Licence: {}.\n", details.source, details.licence);
    }
    text
}
