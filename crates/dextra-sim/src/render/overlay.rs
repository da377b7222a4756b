//! Shapes drawn over a state: markers, the human hand, ghosts of bodies.

use super::{RenderError, cast};
use dextra_core::Pose;
use dextra_core::demonstration::Keypoints;
use mujoco_rs::prelude::{MjModel, MjtCatBit, MjtGeom, MjtGeomBase, MjvScene};
use nalgebra::{Point3, Quaternion, Translation3, UnitQuaternion};

/// A shape that is not part of the model. World frame, metres, colours `rgba` in `0..=1`.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// A ball.
    Sphere {
        /// Centre.
        center: Point3<f64>,
        /// Radius.
        radius: f64,
        /// Colour.
        rgba: [f32; 4],
    },
    /// A rounded stick.
    Capsule {
        /// One end.
        from: Point3<f64>,
        /// The other end.
        to: Point3<f64>,
        /// Radius.
        radius: f64,
        /// Colour.
        rgba: [f32; 4],
    },
    /// A body's shown geoms (visual mesh where there is one) again at another pose.
    Ghost {
        /// Name of the body.
        body: String,
        /// Where the ghost stands.
        world_from_body: Pose,
        /// Colour of all its geoms.
        rgba: [f32; 4],
    },
}

/// Radius of finger bones, metres.
const BONE_RADIUS: f64 = 0.007;
/// Radius of the bones of the palm, metres.
const PALM_RADIUS: f64 = 0.0085;
/// Radius of the ball at a fingertip, metres.
const TIP_RADIUS: f64 = 0.008;
/// Thumb, index, middle, ring, pinky.
const FINGER_RGB: [[f32; 3]; 5] = [
    [0.86, 0.37, 0.33],
    [0.93, 0.63, 0.28],
    [0.49, 0.69, 0.38],
    [0.32, 0.60, 0.74],
    [0.58, 0.45, 0.72],
];
const PALM_RGB: [f32; 3] = [0.87, 0.74, 0.65];
/// The palm's outline and its rays from the wrist, as pairs of keypoints.
const PALM_BONES: [(usize, usize); 9] =
    [(0, 1), (0, 5), (0, 9), (0, 13), (0, 17), (1, 5), (5, 9), (9, 13), (13, 17)];

/// The human hand as capsules: one colour per finger, the palm as a fan of bones.
/// Keypoints that are not finite are left out with the bones they belong to.
pub fn skeleton(keypoints: &Keypoints) -> Vec<Overlay> {
    let mut shapes = Vec::with_capacity(PALM_BONES.len() + 20);
    let mut bone = |a: usize, b: usize, radius: f64, rgb: [f32; 3]| {
        let (from, to) = (keypoints[a], keypoints[b]);
        let finite = from.coords.iter().chain(to.coords.iter()).all(|v| v.is_finite());
        if finite {
            let rgba = [rgb[0], rgb[1], rgb[2], 1.0];
            shapes.push(Overlay::Capsule { from, to, radius, rgba });
        }
    };
    for (a, b) in PALM_BONES {
        bone(a, b, PALM_RADIUS, PALM_RGB);
    }
    for (finger, rgb) in FINGER_RGB.into_iter().enumerate() {
        let base = 1 + 4 * finger;
        for joint in base..base + 3 {
            bone(joint, joint + 1, BONE_RADIUS, rgb);
        }
        // A capsule of no length is a ball.
        bone(base + 3, base + 3, TIP_RADIUS, rgb);
    }
    shapes
}

/// Fills the user scene with the overlays, replacing what it held.
pub(super) fn place(
    scene: &mut MjvScene,
    model: &MjModel,
    overlays: &[Overlay],
) -> Result<(), RenderError> {
    scene.clear_geom();
    for (index, overlay) in overlays.iter().enumerate() {
        check(overlay, index)?;
        match overlay {
            Overlay::Sphere { center, radius, rgba } => {
                let at = Pose::translation(center.x, center.y, center.z);
                add(scene, Shape::plain(MjtGeom::mjGEOM_SPHERE, [*radius; 3]), &at, *rgba)?;
            }
            Overlay::Capsule { from, to, radius, rgba } => {
                let axis = to - from;
                let turn = UnitQuaternion::rotation_between(&nalgebra::Vector3::z(), &axis)
                    .unwrap_or_else(|| {
                        UnitQuaternion::from_axis_angle(
                            &nalgebra::Vector3::x_axis(),
                            if axis.z < 0.0 { std::f64::consts::PI } else { 0.0 },
                        )
                    });
                let middle = nalgebra::center(from, to);
                let at = Pose::from_parts(Translation3::from(middle.coords), turn);
                let size = [*radius, axis.norm() / 2.0, 0.0];
                add(scene, Shape::plain(MjtGeom::mjGEOM_CAPSULE, size), &at, *rgba)?;
            }
            Overlay::Ghost { body, world_from_body, rgba } => {
                ghost(scene, model, body, world_from_body, *rgba)?;
            }
        }
    }
    Ok(())
}

fn check(overlay: &Overlay, index: usize) -> Result<(), RenderError> {
    let finite = match overlay {
        Overlay::Sphere { center, radius, .. } => {
            radius.is_finite() && center.coords.iter().all(|v| v.is_finite())
        }
        Overlay::Capsule { from, to, radius, .. } => {
            radius.is_finite() && from.coords.iter().chain(to.coords.iter()).all(|v| v.is_finite())
        }
        Overlay::Ghost { world_from_body: pose, .. } => {
            let rotation = pose.rotation.quaternion().coords;
            pose.translation.vector.iter().chain(rotation.iter()).all(|v| v.is_finite())
        }
    };
    if finite {
        Ok(())
    } else {
        Err(RenderError::NonFinite { field: "overlays", index: Some(index) })
    }
}

fn ghost(
    scene: &mut MjvScene,
    model: &MjModel,
    name: &str,
    world_from_body: &Pose,
    rgba: [f32; 4],
) -> Result<(), RenderError> {
    let body = cast::body_by_name(model, name).ok_or_else(|| RenderError::UnknownBody {
        name: name.to_owned(),
        valid: cast::body_names(model),
    })?;
    for geom in 0..model.geom_bodyid().len() {
        if model.geom_bodyid()[geom] as usize != body || !cast::is_shown(model, geom) {
            continue;
        }
        let Some(shape) = Shape::of_geom(model, geom) else {
            continue;
        };
        let [w, x, y, z] = model.geom_quat()[geom];
        let body_from_geom = Pose::from_parts(
            Translation3::from(model.geom_pos()[geom]),
            UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z)),
        );
        add(scene, shape, &(world_from_body * body_from_geom), rgba)?;
    }
    Ok(())
}

/// Type, size (in the convention of a model's geoms) and mesh of a drawn geom.
struct Shape {
    kind: MjtGeom,
    size: [f64; 3],
    /// Display-list index of a mesh as the engine counts them: twice the mesh's index.
    mesh: Option<i32>,
}

impl Shape {
    fn plain(kind: MjtGeom, size: [f64; 3]) -> Self {
        Self { kind, size, mesh: None }
    }

    /// The shape of a model's geom, or `None` for planes and height fields, which no object is.
    fn of_geom(model: &MjModel, geom: usize) -> Option<Self> {
        let size = model.geom_size()[geom];
        Some(match model.geom_type()[geom] {
            MjtGeomBase::mjGEOM_SPHERE => Self::plain(MjtGeom::mjGEOM_SPHERE, size),
            MjtGeomBase::mjGEOM_BOX => Self::plain(MjtGeom::mjGEOM_BOX, size),
            MjtGeomBase::mjGEOM_ELLIPSOID => Self::plain(MjtGeom::mjGEOM_ELLIPSOID, size),
            MjtGeomBase::mjGEOM_CAPSULE => Self::plain(MjtGeom::mjGEOM_CAPSULE, size),
            MjtGeomBase::mjGEOM_CYLINDER => Self::plain(MjtGeom::mjGEOM_CYLINDER, size),
            MjtGeomBase::mjGEOM_MESH => Self {
                kind: MjtGeom::mjGEOM_MESH,
                size: [1.0; 3],
                mesh: Some(2 * model.geom_dataid()[geom]),
            },
            _ => return None,
        })
    }
}

#[expect(unsafe_code, reason = "mujoco-rs asks its caller to keep asset indices in range")]
fn add(
    scene: &mut MjvScene,
    shape: Shape,
    world_from_geom: &Pose,
    rgba: [f32; 4],
) -> Result<(), RenderError> {
    let rotation = world_from_geom.rotation.to_rotation_matrix();
    let row_major: [f64; 9] = std::array::from_fn(|i| rotation[(i / 3, i % 3)]);
    let position = world_from_geom.translation.vector.into();
    // SAFETY: the geom is neither a flex nor a skin, and its material and texture stay "none".
    let drawn = unsafe {
        scene.try_create_geom(
            shape.kind,
            Some(shape.size),
            Some(position),
            Some(row_major),
            Some(rgba),
        )
    }
    .map_err(|_| RenderError::TooManyOverlays)?;
    if let Some(mesh) = shape.mesh {
        // In range: taken from a geom of the model that the rendering context was made for.
        drawn.dataid = mesh;
    }
    // Decorations cast no shadow. What stands for a hand or an object should, to be seen to touch
    // the table; a translucent ghost should not darken the object it is compared with.
    if rgba[3] >= 1.0 {
        drawn.category = MjtCatBit::mjCAT_DYNAMIC as i32;
    }
    drawn.specular = 0.2;
    drawn.shininess = 0.3;
    Ok(())
}
