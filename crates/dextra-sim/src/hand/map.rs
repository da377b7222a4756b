//! The semantic map: its TOML schema and its check against the model.
//!
//! ```toml
//! name = "shadow"
//! side = "right"                       # or "left"
//! contact_bodies = ["palm", "th_distal"]
//!
//! [palm]
//! body = "palm"
//! center_m = [0.0, -0.012, 0.045]      # centre of the inner surface, in the palm body
//! fingers_axis = [0.0, 0.0, 1.0]       # towards the middle finger
//! normal_axis = [0.0, -1.0, 0.0]       # out of the inner surface
//!
//! [[finger]]
//! name = "thumb"                       # thumb, index, middle, ring or pinky
//! bodies = ["th_base", "th_distal"]    # from the palm outwards
//! tip_site = "th_tip"                  # or tip_point_m = [x, y, z] in the last body
//!
//! [[keypoint]]
//! index = 4                            # 0..20, MediaPipe order
//! site = "th_tip"                      # or body = "..." with point_m = [x, y, z]
//! ```

use super::HandError;
use dextra_core::Side;
use dextra_core::demonstration::keypoint;
use dextra_core::hand::{BodyPoint, Finger, HandMap, KeypointLink};
use dextra_core::kinematics::KinematicTree;
use dextra_core::names::{nearest, with_hint};
use mujoco_rs::prelude::*;
use nalgebra::{Point3, Vector3};
use serde::Deserialize;

/// Finger names in the order of the map.
const FINGERS: [&str; 5] = ["thumb", "index", "middle", "ring", "pinky"];
/// Smallest sine of the angle between the palm's two axes: about 10 degrees.
const MIN_SINE: f64 = 0.17;

/// A map as written, with the file it came from.
#[derive(Clone, Debug)]
pub(super) struct RawMap {
    schema: Schema,
    file: String,
}

/// The keys of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) side: RawSide,
    pub(super) palm: Palm,
    pub(super) finger: Vec<RawFinger>,
    pub(super) keypoint: Vec<RawKeypoint>,
    pub(super) contact_bodies: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawSide {
    Right,
    Left,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Palm {
    pub(super) body: String,
    pub(super) center_m: [f64; 3],
    pub(super) fingers_axis: [f64; 3],
    pub(super) normal_axis: [f64; 3],
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFinger {
    pub(super) name: String,
    pub(super) bodies: Vec<String>,
    pub(super) tip_site: Option<String>,
    pub(super) tip_point_m: Option<[f64; 3]>,
}

impl RawFinger {
    /// Name of the site at the tip; the loader adds it where only a point is given.
    fn tip_name(&self) -> String {
        match &self.tip_site {
            Some(site) => site.clone(),
            None => format!("{}_tip_of_map", self.name),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeypoint {
    pub(super) index: usize,
    pub(super) site: Option<String>,
    pub(super) body: Option<String>,
    pub(super) point_m: Option<[f64; 3]>,
}

/// Reads TOML; `file` names it in errors.
pub(super) fn parse(text: &str, file: &str) -> Result<RawMap, HandError> {
    let schema = toml::from_str(text).map_err(|e| HandError::MapSyntax {
        file: file.to_owned(),
        message: with_hint(&e.to_string()),
    })?;
    Ok(RawMap { schema, file: file.to_owned() })
}

impl RawMap {
    /// A map that was derived from the model `file`.
    pub(super) fn derived(schema: Schema, file: &str) -> Self {
        Self { schema, file: format!("{file}: derived map") }
    }

    /// What the map says.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The map of the hand reflected in the plane `y = 0` of every body frame.
    pub(super) fn mirrored(mut self) -> Self {
        let schema = &mut self.schema;
        schema.side = match schema.side {
            RawSide::Right => RawSide::Left,
            RawSide::Left => RawSide::Right,
        };
        let palm = &mut schema.palm;
        for v in [&mut palm.center_m, &mut palm.fingers_axis, &mut palm.normal_axis] {
            v[1] = -v[1];
        }
        let tips = schema.finger.iter_mut().filter_map(|f| f.tip_point_m.as_mut());
        for point in schema.keypoint.iter_mut().filter_map(|k| k.point_m.as_mut()).chain(tips) {
            point[1] = -point[1];
        }
        self
    }

    /// Name of the palm body, unchecked.
    pub(super) fn palm_body(&self) -> &str {
        &self.schema.palm.body
    }

    /// `(body, site name, point in the body)` of the tips that the map gives as points.
    pub(super) fn tip_points(&self) -> impl Iterator<Item = (&str, String, [f64; 3])> {
        self.schema.finger.iter().filter_map(|f| {
            let body = f.bodies.last()?;
            Some((body.as_str(), f.tip_name(), f.tip_point_m.filter(|_| f.tip_site.is_none())?))
        })
    }

    pub(super) fn error(&self, field: impl Into<String>, message: impl Into<String>) -> HandError {
        HandError::MapField {
            file: self.file.clone(),
            field: field.into(),
            message: message.into(),
        }
    }

    /// Checks the map against the model; also gives the fingertips in the order of the fingers.
    pub(super) fn resolve(
        &self,
        model: &MjModel,
        tree: &KinematicTree,
    ) -> Result<(HandMap, Vec<BodyPoint>), HandError> {
        let schema = &self.schema;
        let check = Check { map: self, model, tree };
        if schema.name.is_empty() {
            return Err(self.error("name", "is empty"));
        }
        check.body("palm.body", &schema.palm.body)?;
        let palm_center = check.point("palm.center_m", schema.palm.center_m)?;
        let fingers_axis = check.axis("palm.fingers_axis", schema.palm.fingers_axis)?;
        let normal_axis = check.axis("palm.normal_axis", schema.palm.normal_axis)?;
        if fingers_axis.cross(&normal_axis).norm() < MIN_SINE {
            return Err(self.error("palm.normal_axis", "is parallel to palm.fingers_axis"));
        }
        let fingers = check.fingers(&schema.finger)?;
        let tips = fingers
            .iter()
            .map(|f| check.site("finger.tip_site", &f.tip_site))
            .collect::<Result<_, _>>()?;
        let keypoints = check.keypoints(&schema.keypoint)?;
        for (i, body) in schema.contact_bodies.iter().enumerate() {
            check.body(&format!("contact_bodies[{i}]"), body)?;
        }
        if schema.contact_bodies.is_empty() {
            return Err(
                self.error("contact_bodies", "is empty; name the bodies that may touch an object")
            );
        }
        let map = HandMap {
            name: schema.name.clone(),
            side: match schema.side {
                RawSide::Right => Side::Right,
                RawSide::Left => Side::Left,
            },
            palm_body: schema.palm.body.clone(),
            palm_center,
            fingers_axis,
            normal_axis,
            fingers,
            keypoints,
            contact_bodies: schema.contact_bodies.clone(),
        };
        Ok((map, tips))
    }
}

/// What the fields of a map are checked against.
struct Check<'a> {
    map: &'a RawMap,
    model: &'a MjModel,
    tree: &'a KinematicTree,
}

impl Check<'_> {
    fn body(&self, field: &str, name: &str) -> Result<usize, HandError> {
        self.tree.body(name).ok_or_else(|| {
            let valid = nearest(name, self.tree.bodies.iter().map(|b| b.name.as_str()));
            self.map.error(field, format!("no body `{name}` in the hand; nearest: {valid}"))
        })
    }

    fn site(&self, field: &str, name: &str) -> Result<BodyPoint, HandError> {
        let sites = || {
            (0..self.model.site_bodyid().len())
                .filter_map(|id| self.model.id_to_name(MjtObjBase::mjOBJ_SITE, id).map(|n| (id, n)))
        };
        let Some((id, _)) = sites().find(|&(_, n)| n == name) else {
            let valid = nearest(name, sites().map(|(_, n)| n));
            let message = format!("no site `{name}` in the hand; nearest: {valid}");
            return Err(self.map.error(field, message));
        };
        // The tree leaves the world body out; no site of a lone hand lies in the world.
        let body = self.model.site_bodyid()[id].max(1) as usize - 1;
        Ok(BodyPoint {
            body: self.tree.bodies[body].name.clone(),
            point_in_body: Point3::from(self.model.site_pos()[id]),
        })
    }

    fn point(&self, field: &str, point: [f64; 3]) -> Result<Point3<f64>, HandError> {
        // A metre bounds every hand, so a larger value is in the wrong unit.
        match point.iter().all(|x| x.abs() < 1.0) {
            true => Ok(Point3::from(point)),
            false => Err(self.map.error(field, format!("{point:?} is not within a metre"))),
        }
    }

    fn axis(&self, field: &str, axis: [f64; 3]) -> Result<Vector3<f64>, HandError> {
        let axis = Vector3::from(axis);
        match axis.try_normalize(1e-6) {
            Some(unit) if unit.iter().all(|x| x.is_finite()) => Ok(unit),
            _ => Err(self.map.error(field, format!("{:?} is not a direction", axis.as_slice()))),
        }
    }

    fn fingers(&self, raw: &[RawFinger]) -> Result<Vec<Finger>, HandError> {
        let mut fingers: Vec<(usize, Finger)> = Vec::new();
        for (i, f) in raw.iter().enumerate() {
            let field = |key: &str| format!("finger[{i}].{key}");
            let Some(rank) = FINGERS.iter().position(|n| *n == f.name) else {
                let valid = nearest(&f.name, FINGERS.into_iter());
                let message = format!("no finger is called `{}`; use {valid}", f.name);
                return Err(self.map.error(field("name"), message));
            };
            if fingers.iter().any(|&(r, _)| r == rank) {
                return Err(self.map.error(field("name"), format!("`{}` comes twice", f.name)));
            }
            if f.bodies.is_empty() {
                return Err(self.map.error(field("bodies"), "is empty"));
            }
            let mut inner = None;
            for (k, name) in f.bodies.iter().enumerate() {
                let field = field(&format!("bodies[{k}]"));
                let body = self.body(&field, name)?;
                if let Some(inner) = inner.filter(|&inner| !self.descends(body, inner)) {
                    let inner = &self.tree.bodies[inner].name;
                    let message = format!(
                        "`{name}` is not beyond `{inner}`; list bodies from the palm outwards"
                    );
                    return Err(self.map.error(field, message));
                }
                inner = Some(body);
            }
            match (&f.tip_site, f.tip_point_m) {
                (Some(site), None) => {
                    self.site(&field("tip_site"), site)?;
                }
                (None, Some(point)) => {
                    self.point(&field("tip_point_m"), point)?;
                }
                _ => {
                    let message = "needs either `tip_site` or `tip_point_m`";
                    return Err(self.map.error(format!("finger[{i}]"), message));
                }
            }
            let tip_site = f.tip_name();
            fingers
                .push((rank, Finger { name: f.name.clone(), bodies: f.bodies.clone(), tip_site }));
        }
        if fingers.is_empty() {
            return Err(self.map.error("finger", "is empty"));
        }
        fingers.sort_by_key(|&(rank, _)| rank);
        Ok(fingers.into_iter().map(|(_, f)| f).collect())
    }

    fn descends(&self, body: usize, ancestor: usize) -> bool {
        std::iter::successors(self.tree.bodies[body].parent, |&b| self.tree.bodies[b].parent)
            .any(|b| b == ancestor)
    }

    fn keypoints(&self, raw: &[RawKeypoint]) -> Result<Vec<KeypointLink>, HandError> {
        let mut links: Vec<KeypointLink> = Vec::new();
        for (i, k) in raw.iter().enumerate() {
            let field = |key: &str| format!("keypoint[{i}].{key}");
            if k.index >= keypoint::COUNT {
                let message = format!("{} is beyond {}", k.index, keypoint::COUNT - 1);
                return Err(self.map.error(field("index"), message));
            }
            if links.iter().any(|l| l.keypoint == k.index) {
                return Err(self.map.error(field("index"), format!("{} comes twice", k.index)));
            }
            let at = match (&k.site, &k.body, k.point_m) {
                (Some(site), None, None) => self.site(&field("site"), site)?,
                (None, Some(body), Some(point)) => {
                    self.body(&field("body"), body)?;
                    let point_in_body = self.point(&field("point_m"), point)?;
                    BodyPoint { body: body.clone(), point_in_body }
                }
                _ => {
                    let message = "needs either `site`, or `body` with `point_m`";
                    return Err(self.map.error(format!("keypoint[{i}]"), message));
                }
            };
            links.push(KeypointLink { keypoint: k.index, at });
        }
        if links.is_empty() {
            return Err(self.map.error("keypoint", "is empty"));
        }
        links.sort_by_key(|l| l.keypoint);
        Ok(links)
    }
}
