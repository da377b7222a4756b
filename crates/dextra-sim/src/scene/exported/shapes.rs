//! What an exported scene looks like: its bodies as meshes, and where they are in a state.

use super::Exported;
use dextra_core::Pose;
use dextra_core::mesh::TriMesh;
use dextra_core::pose::from_pos_quat;
use mujoco_rs::prelude::*;
use nalgebra::Point3;
use std::f64::consts::{PI, TAU};

/// Geoms of these groups and above are not shown: MuJoCo's viewer hides them too.
const HIDDEN_FROM: i32 = 3;
/// Half the side of a plane that has no size, metres.
const PLANE_HALF: f64 = 0.6;
/// Points around a circle, and from pole to equator.
const AROUND: usize = 24;
const QUARTER: usize = 6;

/// A body as it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its name; empty for the world and for bodies without one.
    pub body: String,
    /// Its number in the model, for [`Exported::world_from_bodies`].
    pub index: usize,
    /// All its geoms, body frame, metres.
    pub mesh: TriMesh,
    /// Red, green, blue, opacity of every vertex of the mesh, 0 to 255.
    pub rgba: Vec<[u8; 4]>,
}

impl Exported {
    /// The bodies that can be seen: by their geoms of groups 0 to 2, or where there are none by all.
    pub fn shapes(&self) -> Vec<Shape> {
        let model = &self.model;
        let bodies = 0..model.body_rootid().len();
        let of = |body: usize, hidden: bool| {
            let geoms = (0..model.geom_bodyid().len()).filter(move |&geom| {
                model.geom_bodyid()[geom] as usize == body
                    && (model.geom_group()[geom] >= HIDDEN_FROM) == hidden
            });
            let name = model.id_to_name(MjtObjBase::mjOBJ_BODY, body).unwrap_or_default();
            let mut shape = Shape {
                body: if body == 0 { String::new() } else { name.to_owned() },
                index: body,
                mesh: TriMesh { vertices: Vec::new(), faces: Vec::new() },
                rgba: Vec::new(),
            };
            geoms.for_each(|geom| shape.add(model, geom));
            (!shape.mesh.faces.is_empty()).then_some(shape)
        };
        bodies.filter_map(|body| of(body, false).or_else(|| of(body, true))).collect()
    }

    /// Where every body of the model is in the state `qpos` of the model's length.
    ///
    /// # Panics
    /// When `qpos` is shorter than [`Exported::sizes`] says.
    pub fn world_from_bodies(&self, qpos: &[f64]) -> Vec<Pose> {
        let model = &self.model;
        let mut places: Vec<Pose> = Vec::with_capacity(model.body_rootid().len());
        for body in 0..model.body_rootid().len() {
            if body == 0 {
                places.push(Pose::identity());
                continue;
            }
            let parent = places[model.body_parentid()[body] as usize];
            let mut place = parent * from_pos_quat(model.body_pos()[body], model.body_quat()[body]);
            let first = model.body_jntadr()[body];
            for joint in (0..model.body_jntnum()[body]).map(|i| (first + i) as usize) {
                place = self.moved(place, joint, qpos);
            }
            places.push(place);
        }
        places
    }

    /// `world_from_body` after one of the body's joints.
    fn moved(&self, place: Pose, joint: usize, qpos: &[f64]) -> Pose {
        let model = &self.model;
        let at = model.jnt_qposadr()[joint] as usize;
        let anchor = nalgebra::Translation3::from(model.jnt_pos()[joint]);
        let axis = nalgebra::Vector3::from(model.jnt_axis()[joint]);
        let about = |turn: nalgebra::UnitQuaternion<f64>| place * anchor * turn * anchor.inverse();
        match model.jnt_type()[joint] {
            MjtJoint::mjJNT_FREE => {
                let [x, y, z, qw, qx, qy, qz] =
                    [0, 1, 2, 3, 4, 5, 6].map(|offset| qpos[at + offset]);
                from_pos_quat([x, y, z], [qw, qx, qy, qz])
            }
            MjtJoint::mjJNT_BALL => {
                let [w, x, y, z] = [0, 1, 2, 3].map(|offset| qpos[at + offset]);
                about(from_pos_quat([0.0; 3], [w, x, y, z]).rotation)
            }
            MjtJoint::mjJNT_SLIDE => {
                place * nalgebra::Translation3::from(axis * (qpos[at] - model.qpos0()[at]))
            }
            MjtJoint::mjJNT_HINGE => {
                let axis = nalgebra::Unit::new_normalize(axis);
                let angle = qpos[at] - model.qpos0()[at];
                about(nalgebra::UnitQuaternion::from_axis_angle(&axis, angle))
            }
        }
    }
}

impl Shape {
    fn add(&mut self, model: &MjModel, geom: usize) {
        let [r, g, b, a] = match usize::try_from(model.geom_matid()[geom]) {
            Ok(material) => model.mat_rgba()[material],
            Err(_) => model.geom_rgba()[geom],
        };
        if a <= 0.0 {
            return;
        }
        let body_from_geom = from_pos_quat(model.geom_pos()[geom], model.geom_quat()[geom]);
        let TriMesh { vertices, faces } = own(model, geom);
        let before = self.mesh.vertices.len() as u32;
        let rgba = [r, g, b, a].map(|level| (level.clamp(0.0, 1.0) * 255.0).round() as u8);
        self.rgba.extend(vertices.iter().map(|_| rgba));
        self.mesh.vertices.extend(vertices.iter().map(|vertex| body_from_geom * vertex));
        self.mesh.faces.extend(faces.iter().map(|face| face.map(|vertex| vertex + before)));
    }
}

/// A geom in its own frame; nothing for a height field or a signed distance.
fn own(model: &MjModel, geom: usize) -> TriMesh {
    let [a, b, c] = model.geom_size()[geom];
    let quarter =
        |from: f64| (0..=QUARTER).map(move |i| from + PI / 2.0 * i as f64 / QUARTER as f64);
    match model.geom_type()[geom] {
        MjtGeomBase::mjGEOM_PLANE => {
            let half = |size: f64| if size > 0.0 { size.min(PLANE_HALF) } else { PLANE_HALF };
            let (x, y) = (half(a), half(b));
            let corners = [(-x, -y), (x, -y), (x, y), (-x, y)];
            TriMesh {
                vertices: corners.iter().map(|&(x, y)| Point3::new(x, y, 0.0)).collect(),
                faces: vec![[0, 1, 2], [0, 2, 3]],
            }
        }
        MjtGeomBase::mjGEOM_BOX => boxed(a, b, c),
        MjtGeomBase::mjGEOM_SPHERE => {
            turned(quarter(-PI / 2.0).chain(quarter(0.0)).map(|t| (a * t.cos(), a * t.sin())))
        }
        MjtGeomBase::mjGEOM_ELLIPSOID => {
            let ball = quarter(-PI / 2.0).chain(quarter(0.0)).map(|t| (t.cos(), t.sin()));
            let mut mesh = turned(ball);
            mesh.vertices.iter_mut().for_each(|p| *p = Point3::new(p.x * a, p.y * b, p.z * c));
            mesh
        }
        MjtGeomBase::mjGEOM_CAPSULE => {
            let below = quarter(-PI / 2.0).map(|t| (a * t.cos(), a * t.sin() - b));
            let above = quarter(0.0).map(|t| (a * t.cos(), a * t.sin() + b));
            turned(below.chain(above))
        }
        MjtGeomBase::mjGEOM_CYLINDER => turned([(0.0, -b), (a, -b), (a, b), (0.0, b)].into_iter()),
        MjtGeomBase::mjGEOM_MESH => match usize::try_from(model.geom_dataid()[geom]) {
            Ok(mesh) => of_file(model, mesh),
            Err(_) => TriMesh { vertices: Vec::new(), faces: Vec::new() },
        },
        _ => TriMesh { vertices: Vec::new(), faces: Vec::new() },
    }
}

fn of_file(model: &MjModel, mesh: usize) -> TriMesh {
    let vertex = model.mesh_vertadr()[mesh] as usize;
    let vertices = vertex..vertex + model.mesh_vertnum()[mesh] as usize;
    let face = model.mesh_faceadr()[mesh] as usize;
    let faces = face..face + model.mesh_facenum()[mesh] as usize;
    TriMesh {
        vertices: model.mesh_vert()[vertices]
            .iter()
            .map(|v| Point3::from(v.map(f64::from)))
            .collect(),
        faces: model.mesh_face()[faces].iter().map(|face| face.map(|i| i as u32)).collect(),
    }
}

fn boxed(x: f64, y: f64, z: f64) -> TriMesh {
    let sign = |i: usize, bit: usize| if i >> bit & 1 == 1 { 1.0 } else { -1.0 };
    // Corners are numbered by the signs of x, y and z; sides run counter-clockwise seen from outside.
    let sides =
        [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
    TriMesh {
        vertices: (0..8)
            .map(|i| Point3::new(x * sign(i, 0), y * sign(i, 1), z * sign(i, 2)))
            .collect(),
        faces: sides.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect(),
    }
}

/// The body that a line of radii and heights, from bottom to top, cuts out as it turns about z.
fn turned(profile: impl Iterator<Item = (f64, f64)>) -> TriMesh {
    let mut vertices = Vec::new();
    let mut faces = Vec::new();
    let n = AROUND as u32;
    for (ring, (radius, z)) in profile.enumerate() {
        vertices.extend((0..AROUND).map(|i| {
            let (sin, cos) = (TAU * i as f64 / AROUND as f64).sin_cos();
            Point3::new(radius * cos, radius * sin, z)
        }));
        if ring == 0 {
            continue;
        }
        let (below, above) = ((ring as u32 - 1) * n, ring as u32 * n);
        for i in 0..n {
            let next = (i + 1) % n;
            faces.push([below + i, below + next, above + next]);
            faces.push([below + i, above + next, above + i]);
        }
    }
    TriMesh { vertices, faces }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = r#"<mujoco><worldbody>
      <geom type="plane" size="0 0 .01"/>
      <body name="arm" pos=".1 .2 .3" quat=".7071068 0 .7071068 0">
        <joint type="hinge" axis="0 0 1" pos=".02 0 0" ref=".1"/><joint type="slide" axis="0 1 0"/>
        <geom type="box" size=".01 .02 .03" rgba="1 0 0 1"/>
        <geom type="sphere" size=".5" group="3"/>
        <body name="ball" pos="0 .1 0"><joint type="ball" pos="0 0 .05"/>
          <geom type="capsule" size=".01 .04" pos="0 0 .1"/>
          <geom type="cylinder" size=".02 .03"/><geom type="ellipsoid" size=".01 .02 .03"/></body>
      </body>
      <body name="thing" pos="0 0 1"><freejoint/><geom type="sphere" size=".03" group="3"/></body>
      </worldbody></mujoco>"#;

    fn scene() -> Exported {
        Exported { file: "test".into(), model: MjModel::from_xml_string(XML).unwrap() }
    }

    /// Six times the volume that faces enclose; positive where they are seen counter-clockwise from outside.
    fn volume(mesh: &TriMesh) -> f64 {
        (0..mesh.faces.len())
            .map(|i| mesh.triangle(i).map(|p| p.coords))
            .map(|[a, b, c]| a.dot(&b.cross(&c)) / 6.0)
            .sum()
    }

    #[test]
    fn bodies_are_where_the_engine_puts_them() {
        let scene = scene();
        let mut qpos = scene.model.qpos0().to_vec();
        let turned = [0.4, -0.02, 0.5, -0.5, 0.5, 0.5, 0.3, 0.2, 0.9, 0.8, 0.0, 0.6, 0.0];
        qpos.copy_from_slice(&turned);
        let mut data = MjData::new(&scene.model);
        data.qpos_mut().copy_from_slice(&qpos);
        data.forward();
        for (body, place) in scene.world_from_bodies(&qpos).iter().enumerate() {
            let there = from_pos_quat(data.xpos()[body], data.xquat()[body]);
            assert!((place.translation.vector - there.translation.vector).norm() < 1e-9, "{body}");
            assert!(place.rotation.angle_to(&there.rotation) < 1e-7, "{body}");
        }
    }

    #[test]
    fn geoms_are_closed_meshes_of_their_volume_and_hidden_ones_only_stand_in() {
        let shapes = scene().shapes();
        let names: Vec<&str> = shapes.iter().map(|shape| shape.body.as_str()).collect();
        assert_eq!(names, ["", "arm", "ball", "thing"]);
        assert_eq!(shapes[0].mesh.faces.len(), 2);
        assert!((volume(&shapes[1].mesh) - 8.0 * 6e-6).abs() < 1e-12, "the box alone");
        assert!(shapes[1].rgba.iter().all(|rgba| *rgba == [255, 0, 0, 255]));
        let capsule = PI * 1e-4 * 0.08 + 4.0 / 3.0 * PI * 1e-6;
        let cylinder = PI * 4e-4 * 0.06;
        let ellipsoid = 4.0 / 3.0 * PI * 6e-6;
        let wanted = capsule + cylinder + ellipsoid;
        let found = volume(&shapes[2].mesh);
        assert!(found < wanted && found > 0.95 * wanted, "{found} {wanted}");
        let ball = 4.0 / 3.0 * PI * 2.7e-5;
        let found = volume(&shapes[3].mesh);
        assert!(found < ball && found > 0.95 * ball, "{found} {ball}");
    }
}
