//! Light, sky and picture settings.

use super::{Camera, Quality};
use mujoco_rs::prelude::{MjData, MjModel, MjSpec, MjtLightType, MjtTexture, SpecItem};
use mujoco_rs::wrappers::mj_editing::MjtBuiltin;
use std::sync::Arc;

/// Vertical field of view, degrees: long enough not to distort a hand close to the camera.
pub(super) const FOV_Y_DEG: f64 = 35.0;
/// Near and far clip planes, metres.
const NEAR_FAR: (f32, f32) = (0.01, 30.0);
/// Half side of the square that shadows are computed in, metres.
const SHADOW_HALF_SIDE: f32 = 0.6;
/// From the middle of the picture back along the key light, metres.
const LIGHT_DISTANCE: f64 = 1.5;
const SKY_TOP: [f64; 3] = [0.55, 0.63, 0.72];
const SKY_BOTTOM: [f64; 3] = [0.93, 0.94, 0.95];

/// Name of the sky texture and the key light that [`decorate`] adds.
const SKY: &str = "film_sky";
const KEY_LIGHT: &str = "film_key_light";

/// Adds a soft gradient sky (unless the scene has one) and a key light that casts shadows.
/// Call it before compiling; a second call changes nothing. Physics is not touched, so the scene
/// that is stepped and the scene that is drawn may be one.
pub fn decorate(spec: &mut MjSpec) {
    let has_sky =
        spec.texture_iter().any(|texture| texture.type_() == MjtTexture::mjTEXTURE_SKYBOX);
    if !has_sky {
        let sky = spec.add_texture();
        sky.set_name(SKY).ok();
        sky.set_type(MjtTexture::mjTEXTURE_SKYBOX);
        sky.set_builtin(MjtBuiltin::mjBUILTIN_GRADIENT);
        *sky.rgb1_mut() = SKY_TOP;
        *sky.rgb2_mut() = SKY_BOTTOM;
        sky.set_width(256);
        sky.set_height(256);
    }
    if spec.light(KEY_LIGHT).is_some() {
        return;
    }
    let light = spec.world_body_mut().add_light();
    light.set_name(KEY_LIGHT).ok();
    light.set_type(MjtLightType::mjLIGHT_DIRECTIONAL);
    light.set_castshadow(true);
    *light.pos_mut() = [-0.6, -0.6, 1.2];
    *light.dir_mut() = [0.6, 0.6, -1.2];
    *light.ambient_mut() = [0.0; 3];
    *light.diffuse_mut() = [0.6; 3];
    *light.specular_mut() = [0.25; 3];
}

/// Picture settings of a renderer's own copy of the model.
pub(super) fn prepare(model: &mut MjModel, width_px: u32, height_px: u32, quality: Quality) {
    let has_light = !model.light_castshadow().is_empty();
    // With an extent of one, the clip distances below are metres.
    model.stat_mut().extent = 1.0;
    // Both cost alike in software: the samples and the second, shadowed pass over the picture.
    let (samples, shadow_px) = match quality {
        Quality::Fine => (4, 2048),
        Quality::Draft => (0, 1024),
    };
    let visual = model.vis_mut();
    visual.global.offwidth = width_px as i32;
    visual.global.offheight = height_px as i32;
    visual.global.fovy = FOV_Y_DEG as f32;
    visual.global.orthographic = 0;
    visual.quality.offsamples = samples;
    visual.quality.shadowsize = shadow_px;
    visual.map.znear = NEAR_FAR.0;
    visual.map.zfar = NEAR_FAR.1;
    visual.map.shadowclip = SHADOW_HALF_SIDE;
    visual.headlight.active = 1;
    visual.headlight.ambient = [0.42; 3];
    visual.headlight.diffuse = [if has_light { 0.3 } else { 0.6 }; 3];
    visual.headlight.specular = [0.05; 3];
}

/// Turns directional lights to come from above and behind the camera's left shoulder, centred on
/// what it looks at: the engine computes their shadows in a square round the light, which a light
/// fixed in the world would leave far from a recording made far from the origin.
pub(super) fn aim_lights(data: &mut MjData<Arc<MjModel>>, camera: &Camera) {
    let [right, _, forward] = camera.axes();
    let mut level = nalgebra::Vector3::new(forward.x, forward.y, 0.0);
    if level.norm() < 1e-6 {
        level = nalgebra::Vector3::x();
    }
    let direction = (level.normalize() * 0.45 + right * 0.35 - nalgebra::Vector3::z()).normalize();
    let position = camera.lookat.coords - direction * LIGHT_DISTANCE;
    for light in 0..data.model().light_castshadow().len() {
        if data.model().light_type()[light] == MjtLightType::mjLIGHT_DIRECTIONAL {
            data.light_xpos_mut()[light] = position.into();
            data.light_xdir_mut()[light] = direction.into();
        }
    }
}
