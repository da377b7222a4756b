//! Capsules and the distance between them.

use nalgebra::{Point3, Vector3};

/// All points within `radius` of a line segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capsule {
    /// Ends of the segment.
    pub ends: [Point3<f64>; 2],
    /// Metres.
    pub radius: f64,
}

impl Capsule {
    /// Distance between the surfaces, metres; negative where they overlap.
    pub fn distance(&self, other: &Capsule) -> f64 {
        segment_distance(self.ends, other.ends) - self.radius - other.radius
    }

    /// Distance of a point from the surface, metres; negative inside.
    pub fn distance_to(&self, point: &Point3<f64>) -> f64 {
        segment_distance(self.ends, [*point; 2]) - self.radius
    }

    /// Height of the lowest point above the plane z = `height`, metres; negative below it.
    pub fn clearance(&self, height: f64) -> f64 {
        self.ends[0].z.min(self.ends[1].z) - self.radius - height
    }
}

/// Least distance between two segments (Ericson, *Real-Time Collision Detection*, 5.1.9).
pub fn segment_distance([p1, q1]: [Point3<f64>; 2], [p2, q2]: [Point3<f64>; 2]) -> f64 {
    const POINT: f64 = 1e-18;
    let (d1, d2, r): (Vector3<f64>, Vector3<f64>, Vector3<f64>) = (q1 - p1, q2 - p2, p1 - p2);
    let (a, e, f) = (d1.norm_squared(), d2.norm_squared(), d2.dot(&r));
    let unit = |v: f64| v.clamp(0.0, 1.0);
    let (s, t) = if a <= POINT && e <= POINT {
        (0.0, 0.0)
    } else if a <= POINT {
        (0.0, unit(f / e))
    } else {
        let c = d1.dot(&r);
        if e <= POINT {
            (unit(-c / a), 0.0)
        } else {
            let b = d1.dot(&d2);
            let denominator = a * e - b * b;
            // Parallel segments have many nearest pairs; any start does.
            let s =
                if denominator > 1e-12 * a * e { unit((b * f - c * e) / denominator) } else { 0.0 };
            let t = (b * s + f) / e;
            if t < 0.0 {
                (unit(-c / a), 0.0)
            } else if t > 1.0 {
                (unit((b - c) / a), 1.0)
            } else {
                (s, t)
            }
        }
    };
    ((p1 + d1 * s) - (p2 + d2 * t)).norm()
}
