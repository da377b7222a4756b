//! What the machine offers: the engine that was loaded and whether it can draw.

use crate::render::{RenderError, Renderer};
use mujoco_rs::prelude::MjModel;

/// Version of MuJoCo that dextra is built for; results are comparable within one version only.
pub const MUJOCO_VERSION: &str = "3.17.0";

/// Version of the MuJoCo library that this process loaded, such as `"3.17.0"`.
pub fn loaded_mujoco_version() -> &'static str {
    mujoco_rs::mujoco_version()
}

/// Draws one small picture off screen.
///
/// # Errors
/// [`RenderError::EglMissing`] names the packages to install.
pub fn rendering() -> Result<(), RenderError> {
    const SCENE: &str = "<mujoco><worldbody><geom size='0.1'/></worldbody></mujoco>";
    let model = MjModel::from_xml_string(SCENE)
        .map_err(|error| RenderError::Engine(format!("the probe scene: {error}")))?;
    Renderer::new(&model, 16, 16).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaded_library_is_the_pinned_one() {
        assert_eq!(loaded_mujoco_version(), MUJOCO_VERSION);
    }

    #[test]
    fn rendering_works_or_names_what_to_install() {
        if let Err(error) = rendering() {
            assert!(error.to_string().contains("libegl1"), "{error}");
            eprintln!("skipped the positive case: {error}");
        }
    }
}
