//! A left hand from a right one: reflection in the plane `y = 0` of the root frame.
//!
//! With `S = diag(1, -1, 1)`, a frame with rotation `R` and origin `p` becomes `S R S` and `S p`:
//! positions are reflected as `(x, -y, z)`, quaternions as `(w, -x, y, -z)`. A hinge axis is a
//! pseudo-vector, `S R(a, q) S = R(-S a, q)`, so it becomes `(-x, y, -z)` and the same angle means
//! the mirrored posture. Boxes, capsules, cylinders and spheres are their own mirror images.

use super::{HandError, compile};
use mujoco_rs::wrappers::mj_editing::MjsBody;

/// Reflects a hand given as MJCF of primitives.
pub(super) fn mjcf(xml: &str, file: &str) -> Result<String, HandError> {
    let mut spec = compile::parse_string(xml, file)?;
    let world = spec.world_body_mut();
    for joint in world.joint_iter_mut(true) {
        reflect(joint.pos_mut());
        let [x, y, z] = *joint.axis_mut();
        *joint.axis_mut() = [-x, y, -z];
    }
    for geom in world.geom_iter_mut(true) {
        reflect(geom.pos_mut());
        turn(geom.quat_mut());
        // NaN marks an absent `fromto`, and stays NaN.
        for index in [1, 4] {
            geom.fromto_mut()[index] *= -1.0;
        }
    }
    for site in world.site_iter_mut(true) {
        reflect(site.pos_mut());
        turn(site.quat_mut());
    }
    reflect_bodies(world);
    compile::compile(&mut spec, file, &mut Vec::new())?;
    compile::save(&spec, file)
}

fn reflect_bodies(parent: &mut MjsBody) {
    for body in parent.body_iter_mut() {
        reflect(body.pos_mut());
        turn(body.quat_mut());
        reflect(body.ipos_mut());
        turn(body.iquat_mut());
        reflect_bodies(body);
    }
}

fn reflect(point: &mut [f64; 3]) {
    point[1] = -point[1];
}

fn turn(quat_wxyz: &mut [f64; 4]) {
    quat_wxyz[1] = -quat_wxyz[1];
    quat_wxyz[3] = -quat_wxyz[3];
}
