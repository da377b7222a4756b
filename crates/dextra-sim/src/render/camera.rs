//! The free camera: an orbit round a point.

use super::RenderError;
use nalgebra::{Point3, Vector3};

/// A camera that looks at a point from a distance, in MuJoCo's convention: azimuth 0 looks along
/// +x, 90 along +y; a negative elevation looks down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Point in the middle of the picture, world frame, metres.
    pub lookat: Point3<f64>,
    /// From the camera to `lookat`, metres.
    pub distance: f64,
    /// Direction of view about the vertical, degrees.
    pub azimuth_deg: f64,
    /// Direction of view above the horizon, degrees.
    pub elevation_deg: f64,
}

/// Share of the half picture that framed points may take.
const FILL: f64 = 0.92;
/// Closest framing distance, metres: well beyond the near clip plane.
const MIN_DISTANCE: f64 = 0.15;

impl Camera {
    /// Looks at the middle of `points` (world frame, metres) from the nearest distance that keeps
    /// all of them in a picture with this vertical field of view and `aspect` = width / height.
    /// Points that are not finite are passed over; without points it looks at the origin from 1 m.
    pub fn framing(
        points: &[Point3<f64>],
        azimuth_deg: f64,
        elevation_deg: f64,
        fov_y_deg: f64,
        aspect: f64,
    ) -> Camera {
        let mut camera =
            Camera { lookat: Point3::origin(), distance: 1.0, azimuth_deg, elevation_deg };
        let finite = || points.iter().filter(|p| p.coords.iter().all(|v| v.is_finite()));
        let Some(&first) = finite().next() else {
            return camera;
        };
        let (low, high) = finite().fold((first, first), |(low, high), p| (low.inf(p), high.sup(p)));
        camera.lookat = nalgebra::center(&low, &high);

        let tan_y = (fov_y_deg.to_radians() / 2.0).tan();
        let tan_x = tan_y * aspect;
        let [right, up, forward] = camera.axes();
        // Perspective shifts the middle of what is seen away from the middle of the box; a few
        // rounds of centring settle it to well under a pixel.
        for _ in 0..4 {
            camera.distance = finite().fold(MIN_DISTANCE, |distance, p| {
                let v = p - camera.lookat;
                let needed = (v.dot(&right).abs() / tan_x).max(v.dot(&up).abs() / tan_y) / FILL;
                distance.max(needed - v.dot(&forward))
            });
            let slope = |p: &Point3<f64>, axis: &Vector3<f64>| {
                let v = p - camera.lookat;
                v.dot(axis) / (camera.distance + v.dot(&forward))
            };
            let middle = |axis: &Vector3<f64>| {
                let (low, high) = finite().fold((f64::MAX, f64::MIN), |(low, high), p| {
                    (low.min(slope(p, axis)), high.max(slope(p, axis)))
                });
                (low + high) / 2.0 * camera.distance
            };
            let shift = right * middle(&right) + up * middle(&up);
            camera.lookat += shift;
        }
        camera
    }

    /// Unit vectors in the world frame: to the right of the picture, to its top, and into it.
    pub fn axes(&self) -> [Vector3<f64>; 3] {
        let (sin_a, cos_a) = self.azimuth_deg.to_radians().sin_cos();
        let (sin_e, cos_e) = self.elevation_deg.to_radians().sin_cos();
        let forward = Vector3::new(cos_e * cos_a, cos_e * sin_a, sin_e);
        let up = Vector3::new(-sin_e * cos_a, -sin_e * sin_a, cos_e);
        [forward.cross(&up), up, forward]
    }

    /// Where a world point falls in a picture: `(column, row)` in pixels from the top left corner,
    /// or `None` behind the camera.
    pub fn project(&self, point: &Point3<f64>, width_px: u32, height_px: u32) -> Option<[f64; 2]> {
        let [right, up, forward] = self.axes();
        let v = point - self.lookat;
        let depth = self.distance + v.dot(&forward);
        if depth <= 0.0 {
            return None;
        }
        let half_height = f64::from(height_px) / 2.0;
        let focal_px = half_height / (super::scenery::FOV_Y_DEG.to_radians() / 2.0).tan();
        Some([
            f64::from(width_px) / 2.0 + focal_px * v.dot(&right) / depth,
            half_height - focal_px * v.dot(&up) / depth,
        ])
    }

    pub(super) fn check(&self) -> Result<(), RenderError> {
        let numbers = [self.distance, self.azimuth_deg, self.elevation_deg];
        let finite = self.lookat.coords.iter().chain(&numbers).all(|value| value.is_finite());
        if finite { Ok(()) } else { Err(RenderError::NonFinite { field: "camera", index: None }) }
    }
}
