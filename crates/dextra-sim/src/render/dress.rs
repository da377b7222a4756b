//! A scene dressed for pictures: sky, key light, and the objects' own surfaces.

use super::{RenderError, decorate};
use dextra_core::TriMesh;
use mujoco_rs::prelude::{MjEditError, MjModel, MjSpec, MjtGeomBase, SpecElement, SpecItem};
use mujoco_rs::wrappers::mj_auxiliary::MjVfs;

/// The surface to show for a body instead of its collision hulls.
#[derive(Clone, Copy, Debug)]
pub struct Visual<'a> {
    /// Name of the body.
    pub body: &'a str,
    /// Surface in the body frame, metres.
    pub mesh: &'a TriMesh,
}

/// Meshes with more faces than this are shown by their collision hulls: drawing in software would
/// take seconds per picture.
const MAX_FACES: usize = 300_000;

/// Colours of the surfaces, by the order of the bodies.
const SURFACE_RGBA: [[f32; 4]; 4] = [
    [0.90, 0.52, 0.22, 1.0],
    [0.28, 0.60, 0.62, 1.0],
    [0.76, 0.36, 0.48, 1.0],
    [0.55, 0.62, 0.30, 1.0],
];

/// Compiles a scene for a [`Renderer`](super::Renderer): `xml` is its MJCF, `files` the meshes it
/// refers to as `(relative path, bytes)`. The result has the same `qpos` layout; it is not for
/// stepping. A surface that the engine cannot take (fewer than four points, all in one plane) is
/// left out with a warning, and the body shows its hulls.
///
/// # Errors
/// [`RenderError::UnknownBody`], or [`RenderError::Scene`] when the scene itself does not compile.
pub fn film_model(
    xml: &str,
    files: &[(String, Vec<u8>)],
    visuals: &[Visual<'_>],
) -> Result<MjModel, RenderError> {
    let dressed: Vec<usize> = (0..visuals.len()).filter(|&i| is_drawable(&visuals[i])).collect();
    match compile(xml, files, visuals, &dressed) {
        Err(RenderError::Scene { message }) if !dressed.is_empty() => {
            tracing::warn!("objects are shown by their collision hulls: {message}");
            compile(xml, files, visuals, &[])
        }
        other => other,
    }
}

fn is_drawable(visual: &Visual<'_>) -> bool {
    let TriMesh { vertices, faces } = visual.mesh;
    let sound = vertices.len() >= 4
        && !faces.is_empty()
        && vertices.iter().all(|v| v.coords.iter().all(|value| value.is_finite()))
        && faces.iter().flatten().all(|&index| (index as usize) < vertices.len());
    let small = faces.len() <= MAX_FACES;
    if !sound || !small {
        tracing::warn!(
            "{} is shown by its collision hulls: its mesh of {} faces is {}",
            visual.body,
            faces.len(),
            if sound { "too large to draw in software" } else { "not drawable" },
        );
    }
    sound && small
}

fn compile(
    xml: &str,
    files: &[(String, Vec<u8>)],
    visuals: &[Visual<'_>],
    dressed: &[usize],
) -> Result<MjModel, RenderError> {
    const NAME: &str = "film.xml";
    let refused = |message: String| RenderError::Scene { message };
    let mut vfs = MjVfs::new();
    for (name, bytes) in files {
        // A file listed twice carries the same bytes, so a refusal is harmless.
        let _ = vfs.add_from_buffer(name, bytes);
    }
    vfs.add_from_buffer(NAME, xml.as_bytes()).map_err(|error| refused(error.to_string()))?;
    let mut spec = MjSpec::from_xml_vfs(NAME, &vfs).map_err(|error| refused(error.to_string()))?;
    decorate(&mut spec);
    for (index, visual) in visuals.iter().enumerate() {
        let known = !visual.body.contains('\0') && spec.body(visual.body).is_some();
        if !known {
            return Err(RenderError::UnknownBody {
                name: visual.body.to_owned(),
                valid: spec.body_iter().map(|body| body.name().to_owned()).collect(),
            });
        }
        if dressed.contains(&index) {
            dress(&mut spec, index, visual).map_err(|error| refused(error.to_string()))?;
        }
    }
    spec.compile_with_vfs(&vfs).map_err(|error| refused(error.to_string()))
}

/// Adds the surface as a geom without contacts or mass, in a group that viewers show.
fn dress(spec: &mut MjSpec, index: usize, visual: &Visual<'_>) -> Result<(), MjEditError> {
    let name = format!("film_surface_{index}");
    let vertices: Vec<f32> =
        visual.mesh.vertices.iter().flat_map(|v| [v.x as f32, v.y as f32, v.z as f32]).collect();
    let faces: Vec<i32> = visual.mesh.faces.iter().flatten().map(|&i| i as i32).collect();
    let mesh = spec.add_mesh();
    mesh.set_name(&name)?;
    mesh.set_uservert(&vertices);
    mesh.set_userface(&faces);
    let Some(body) = spec.body_mut(visual.body) else {
        return Ok(());
    };
    let geom = body.add_geom();
    geom.set_name(&name)?;
    geom.set_type(MjtGeomBase::mjGEOM_MESH);
    geom.set_meshname(&name);
    geom.set_contype(0);
    geom.set_conaffinity(0);
    geom.set_mass(0.0);
    geom.set_group(2);
    *geom.rgba_mut() = SURFACE_RGBA[index % SURFACE_RGBA.len()];
    Ok(())
}
