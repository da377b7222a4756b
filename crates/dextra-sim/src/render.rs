//! Pictures of a scene by software rendering through EGL: no display, no GPU, no window.
//!
//! [`Renderer`] draws one state of a model with a free [`Camera`] and [`Overlay`]s that are not part
//! of the model: the human hand as a [`skeleton`], or a body again at another pose (a ghost).
//! [`film_model`] dresses a scene for pictures: a sky, a key light, the objects' own surfaces.
//!
//! An OpenGL context belongs to the thread that made it, so a [`Renderer`] is not `Send`: make one
//! per thread and reuse it (making one takes 50 ms or more, drawing takes milliseconds).

mod camera;
mod cast;
mod dress;
mod image;
mod overlay;
mod scenery;

pub use camera::Camera;
pub use dress::{Visual, film_model};
pub use image::RgbImage;
pub use overlay::{Overlay, skeleton};
pub use scenery::decorate;

use cast::{GROUP_ROBOT, GROUP_SHOWN};
use mujoco_rs::prelude::{MjData, MjModel, MjtCamera, MjvCamera, MjvOption};
use mujoco_rs::renderer::MjRenderer;
use std::sync::Arc;

/// Largest width or height of a picture, pixels. MuJoCo stops the whole process when the driver
/// cannot allocate the off-screen buffer, so sizes are bounded far below that.
pub const MAX_SIDE_PX: u32 = 4096;

/// Room for overlays in one picture; a ghost takes one slot per geom.
const MAX_OVERLAY_GEOMS: usize = 2000;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// No OpenGL context could be made.
    #[error(
        "no software OpenGL through EGL on this machine ({reason}); on Debian or Ubuntu: \
         apt-get install libegl1 libgl1-mesa-dri"
    )]
    EglMissing {
        /// What EGL answered.
        reason: String,
    },
    /// A width or height of zero or beyond [`MAX_SIDE_PX`].
    #[error("a picture of {width_px} x {height_px} pixels: each side must be in 1..={MAX_SIDE_PX}")]
    Size {
        /// Requested width, pixels.
        width_px: u32,
        /// Requested height, pixels.
        height_px: u32,
    },
    /// A state that does not belong to the model.
    #[error("qpos has {got} values, the model has {expected}")]
    QposLength {
        /// Values given.
        got: usize,
        /// `nq` of the model.
        expected: usize,
    },
    /// NaN or infinity in what should be drawn.
    #[error("{field} is not finite{}", index.map(|i| format!(" at index {i}")).unwrap_or_default())]
    NonFinite {
        /// What was not finite.
        field: &'static str,
        /// Index into it, where it is a list.
        index: Option<usize>,
    },
    /// A ghost of a body that the model does not have.
    #[error("the model has no body {name:?}; its bodies are {}", valid.join(", "))]
    UnknownBody {
        /// The name asked for.
        name: String,
        /// The model's body names.
        valid: Vec<String>,
    },
    /// A scene that does not compile once it is dressed for pictures.
    #[error("the scene for pictures does not compile: {message}")]
    Scene {
        /// The engine's words.
        message: String,
    },
    /// More overlays than one picture has room for.
    #[error("more than {MAX_OVERLAY_GEOMS} overlay shapes in one picture")]
    TooManyOverlays,
    /// The engine refused to draw or to read the picture back.
    #[error("rendering failed: {0}")]
    Engine(String),
}

/// How much work a picture is; measured at 400 x 300 pixels on one busy core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// Smooth edges and sharp shadows, for stills: about 75 ms.
    Fine,
    /// Jagged edges and coarser shadows, for many frames: about 40 ms.
    Draft,
}

/// Draws states of one model. Not `Send`; see the module's page.
pub struct Renderer {
    engine: MjRenderer,
    data: MjData<Arc<MjModel>>,
    width_px: u32,
    height_px: u32,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Renderer({} x {} px)", self.width_px, self.height_px)
    }
}

impl Renderer {
    /// Makes the context. The model is copied: the copy gets picture settings (buffer size,
    /// anti-aliasing, headlight, clip planes) and visibility by what the geoms are for, so the
    /// caller's model is left as it is.
    ///
    /// Shown are the geoms of groups 0 to 2; a kinematic tree with none of these shows all its
    /// geoms. Trees moved by actuators are the robot, which
    /// [`render_without_robot`](Self::render_without_robot) leaves out.
    ///
    /// # Errors
    /// [`RenderError::Size`], or [`RenderError::EglMissing`] naming the packages to install.
    pub fn new(model: &MjModel, width_px: u32, height_px: u32) -> Result<Self, RenderError> {
        Self::with_quality(model, width_px, height_px, Quality::Fine)
    }

    /// As [`new`](Self::new), for a stated quality.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_quality(
        model: &MjModel,
        width_px: u32,
        height_px: u32,
        quality: Quality,
    ) -> Result<Self, RenderError> {
        let sides = 1..=MAX_SIDE_PX;
        if !sides.contains(&width_px) || !sides.contains(&height_px) {
            return Err(RenderError::Size { width_px, height_px });
        }
        let mut model = model.clone();
        cast::assign_groups(&mut model);
        scenery::prepare(&mut model, width_px, height_px, quality);
        let engine = MjRenderer::builder()
            .width(width_px)
            .height(height_px)
            .num_visual_user_geom(MAX_OVERLAY_GEOMS as u32)
            .build(&model)
            .map_err(|error| RenderError::EglMissing { reason: with_causes(&error) })?;
        Ok(Self { engine, data: MjData::new(Arc::new(model)), width_px, height_px })
    }

    /// Width of the pictures, pixels.
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// Height of the pictures, pixels.
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// The reference configuration of the model, `[nq]`.
    pub fn qpos0(&self) -> &[f64] {
        self.data.model().qpos0()
    }

    /// Where the joint of `body` starts in `qpos` (of a free joint x y z, then the quaternion `wxyz`), or
    /// `None` when the body is unknown or has no joint of its own.
    pub fn joint_qpos(&self, body: &str) -> Option<usize> {
        cast::joint_qpos(self.data.model(), body)
    }

    /// A camera that sees all of `points` (world frame, metres) in this renderer's pictures.
    pub fn camera_framing(
        &self,
        points: &[nalgebra::Point3<f64>],
        azimuth_deg: f64,
        elevation_deg: f64,
    ) -> Camera {
        let aspect = f64::from(self.width_px) / f64::from(self.height_px);
        Camera::framing(points, azimuth_deg, elevation_deg, scenery::FOV_Y_DEG, aspect)
    }

    /// Draws the state `qpos` (`[nq]`, the model's layout) and the overlays.
    ///
    /// # Errors
    /// A `qpos` of the wrong length, anything not finite, a ghost of an unknown body, too many
    /// overlays, or an engine failure.
    pub fn render(
        &mut self,
        qpos: &[f64],
        camera: &Camera,
        overlays: &[Overlay],
    ) -> Result<RgbImage, RenderError> {
        self.draw(qpos, camera, overlays, true)
    }

    /// As [`render`](Self::render), without the robot: objects, table and overlays only.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_without_robot(
        &mut self,
        qpos: &[f64],
        camera: &Camera,
        overlays: &[Overlay],
    ) -> Result<RgbImage, RenderError> {
        self.draw(qpos, camera, overlays, false)
    }

    fn draw(
        &mut self,
        qpos: &[f64],
        camera: &Camera,
        overlays: &[Overlay],
        with_robot: bool,
    ) -> Result<RgbImage, RenderError> {
        let expected = self.data.model().qpos0().len();
        if qpos.len() != expected {
            return Err(RenderError::QposLength { got: qpos.len(), expected });
        }
        if let Some(index) = qpos.iter().position(|value| !value.is_finite()) {
            return Err(RenderError::NonFinite { field: "qpos", index: Some(index) });
        }
        camera.check()?;

        self.data.qpos_mut().copy_from_slice(qpos);
        // Kinematics alone: contacts and forces are not drawn, and a state that is far from
        // feasible must not be able to trouble the engine.
        self.data.kinematics();
        self.data.com_pos();
        self.data.camlight();
        scenery::aim_lights(&mut self.data, camera);

        self.engine.set_opts(options(with_robot));
        self.engine.set_camera(free_camera(camera));
        self.engine.sync_data(&mut self.data).map_err(engine_error)?;
        overlay::place(self.engine.user_scene_mut(), self.data.model(), overlays)?;
        self.engine.render().map_err(engine_error)?;
        let pixels = self
            .engine
            .rgb_flat()
            .ok_or_else(|| RenderError::Engine("no colour buffer".into()))?
            .to_vec();
        Ok(RgbImage { width: self.width_px, height: self.height_px, pixels })
    }
}

/// What is drawn: geoms by our groups, and none of the engine's marks (joints, sites, tendons).
fn options(with_robot: bool) -> MjvOption {
    let mut geomgroup = [0; 6];
    geomgroup[GROUP_SHOWN as usize] = 1;
    geomgroup[GROUP_ROBOT as usize] = with_robot.into();
    MjvOption {
        geomgroup,
        sitegroup: [0; 6],
        jointgroup: [0; 6],
        tendongroup: [0; 6],
        actuatorgroup: [0; 6],
        ..MjvOption::default()
    }
}

fn free_camera(camera: &Camera) -> MjvCamera {
    MjvCamera {
        type_: MjtCamera::mjCAMERA_FREE as i32,
        lookat: camera.lookat.into(),
        distance: camera.distance,
        azimuth: camera.azimuth_deg,
        elevation: camera.elevation_deg,
        ..MjvCamera::default()
    }
}

fn engine_error(error: mujoco_rs::prelude::RendererError) -> RenderError {
    RenderError::Engine(with_causes(&error))
}

/// The error with its chain of causes: the outermost message alone says only which layer failed.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
