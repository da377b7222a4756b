//! A hand with its map, drawn without OpenGL: geometry as convex outlines, farthest first.

use crate::plots::canvas::{Align, Area, Canvas, Line, Text};
use dextra_core::Pose;
use dextra_sim::hand::{Confidence, Hand, HandCheck, HandError, Outline};
use dextra_sim::render::RgbImage;
use nalgebra::{Point3, Vector3};

/// Size of a view, pixels.
const VIEW_PX: (f32, f32) = (400.0, 520.0);
/// Width of the legend, pixels.
const LEGEND_PX: f32 = 480.0;
/// Height of the titles, pixels.
const HEADER_PX: f32 = 64.0;
/// Free edge of a view, pixels.
const MARGIN_PX: f32 = 26.0;
/// Share of the way to the more distant limits in the closing view.
const CLOSED: f64 = 0.45;

/// Colours of thumb, index, middle, ring and pinky, then of the rest: Okabe and Ito's.
const FINGERS: [[u8; 3]; 5] =
    [[213, 94, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167], [230, 159, 0]];
const PALM_RGB: [u8; 3] = [150, 154, 160];
const INK_RGB: [u8; 3] = [32, 36, 42];
const FAINT_RGB: [u8; 3] = [92, 98, 106];
const GUESS_RGB: [u8; 3] = [176, 30, 40];

const HEADLINE: Text = Text { size: 19.0, bold: true, rgb: INK_RGB };
const TITLE: Text = Text { size: 15.0, bold: true, rgb: INK_RGB };
const SMALL: Text = Text { size: 13.0, bold: false, rgb: FAINT_RGB };
const TINY: Text = Text { size: 11.0, bold: true, rgb: INK_RGB };

/// A view: screen axes in the root frame.
struct View {
    title: &'static str,
    right: Vector3<f64>,
    up: Vector3<f64>,
    /// Towards the viewer.
    out: Vector3<f64>,
    /// Joint angles.
    q: Vec<f64>,
    /// Whether keypoints have their numbers; in a view from the side they would hide each other.
    numbered: bool,
}

/// Draws the hand open from the palm and from the thumb's side, and closing.
///
/// # Errors
/// When a mesh file has vanished since the hand was checked.
pub fn draw(check: &HandCheck) -> Result<RgbImage, HandError> {
    let hand = &check.hand;
    let hulls = hand.outline()?;
    let (width, height) = VIEW_PX;
    let mut canvas = Canvas::new((3.0 * width + LEGEND_PX) as u32, (height + HEADER_PX) as u32);
    let headline = format!("{}, {} hand", hand.map.name, hand.map.side.name());
    canvas.text(&HEADLINE.fit(&headline, 3.0 * width), 14.0, 22.0, Align::Left, HEADLINE);
    let views = views(hand);
    // One scale and one centre for all views, so that they can be compared.
    let points: Vec<Point3<f64>> = views.iter().flat_map(|v| placed(hand, &hulls, v)).collect();
    let scale = scale(&points, &views);
    for (slot, view) in views.iter().enumerate() {
        let left = slot as f32 * width;
        canvas.text(view.title, left + width / 2.0, 50.0, Align::Middle, TITLE);
        let own: Vec<Point3<f64>> = placed(hand, &hulls, view).collect();
        let frame = Frame::new(view, &own, left, scale);
        paint(&mut canvas, hand, &hulls, view, &frame);
    }
    legend(&mut canvas, check, 3.0 * width + 10.0);
    Ok(canvas.into_image())
}

fn views(hand: &Hand) -> [View; 3] {
    let poses = hand.tree.forward(&hand.neutral());
    let palm = hand.tree.body(&hand.map.palm_body).unwrap_or(0);
    let root_from_palm = poses[palm] * hand.map.palm_body_from_palm();
    let axis = |v: Vector3<f64>| root_from_palm.rotation * v;
    let (up, normal) = (axis(Vector3::x()), axis(Vector3::z()));
    let across = up.cross(&normal);
    let thumb_side = match hand.map.side {
        dextra_core::Side::Right => across,
        dextra_core::Side::Left => -across,
    };
    let mut closed = hand.neutral();
    for (angle, joint) in closed.iter_mut().zip(&hand.tree.joints) {
        let (over, under) = (joint.range.1 - *angle, joint.range.0 - *angle);
        // Joints with symmetric ranges spread the fingers and stay.
        if (over + under).abs() > 0.3 * (over - under) {
            *angle += CLOSED * if over > -under { over } else { under };
        }
    }
    hand.apply_couplings(&mut closed);
    let view = |title, out: Vector3<f64>, q: Vec<f64>| {
        let right = up.cross(&out);
        View { title, right, up, out, q, numbered: false }
    };
    [
        View { numbered: true, ..view("palm", normal, hand.neutral()) },
        view("from the thumb's side", thumb_side, hand.neutral()),
        view("closing, from the thumb's side", thumb_side, closed),
    ]
}

/// All points in the root frame at the view's joint angles.
fn placed<'a>(
    hand: &'a Hand,
    hulls: &'a [Outline],
    view: &View,
) -> impl Iterator<Item = Point3<f64>> + 'a {
    let poses = hand.tree.forward(&view.q);
    let tips: Vec<_> = tips(hand, &poses).collect();
    let root = Point3::origin();
    hulls
        .iter()
        .flat_map(move |hull| {
            let pose = poses[hull.body];
            hull.points_in_body.iter().map(move |p| pose * p)
        })
        .chain(tips)
        .chain([root])
}

fn tips<'a>(hand: &'a Hand, poses: &'a [Pose]) -> impl Iterator<Item = Point3<f64>> + 'a {
    hand.tips.iter().filter_map(|tip| Some(poses[hand.tree.body(&tip.body)?] * tip.point_in_body))
}

fn bounds(points: &[Point3<f64>], axis: &Vector3<f64>) -> (f64, f64) {
    points
        .iter()
        .map(|p| p.coords.dot(axis))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |b, x| (b.0.min(x), b.1.max(x)))
}

/// Pixels per metre.
fn scale(points: &[Point3<f64>], views: &[View]) -> f64 {
    let fits = |view: &View| {
        let (left, right) = bounds(points, &view.right);
        let (low, high) = bounds(points, &view.up);
        let room =
            |pixels: f32, extent: f64| f64::from(pixels - 2.0 * MARGIN_PX) / extent.max(1e-3);
        room(VIEW_PX.0, right - left).min(room(VIEW_PX.1, high - low))
    };
    views.iter().map(fits).fold(f64::INFINITY, f64::min)
}

/// A geom in a view.
struct Shape {
    /// Towards the viewer, metres.
    depth: f64,
    /// Pixels.
    outline: Vec<(f32, f32)>,
    rgb: [u8; 3],
}

/// From the root frame to pixels.
struct Frame {
    right: Vector3<f64>,
    up: Vector3<f64>,
    middle: (f64, f64),
    center: (f32, f32),
    scale: f64,
}

impl Frame {
    fn new(view: &View, points: &[Point3<f64>], left: f32, scale: f64) -> Self {
        let middle = |axis: &Vector3<f64>| {
            let (low, high) = bounds(points, axis);
            (low + high) / 2.0
        };
        Self {
            right: view.right,
            up: view.up,
            middle: (middle(&view.right), middle(&view.up)),
            center: (left + VIEW_PX.0 / 2.0, HEADER_PX + VIEW_PX.1 / 2.0),
            scale,
        }
    }

    fn at(&self, p: &Point3<f64>) -> (f32, f32) {
        let x = (p.coords.dot(&self.right) - self.middle.0) * self.scale;
        let y = (p.coords.dot(&self.up) - self.middle.1) * self.scale;
        (self.center.0 + x as f32, self.center.1 - y as f32)
    }
}

fn paint(canvas: &mut Canvas, hand: &Hand, hulls: &[Outline], view: &View, frame: &Frame) {
    let poses = hand.tree.forward(&view.q);
    let mut shapes: Vec<Shape> = hulls
        .iter()
        .map(|hull| {
            let placed: Vec<Point3<f64>> =
                hull.points_in_body.iter().map(|p| poses[hull.body] * p).collect();
            let depth = placed.iter().map(|p| p.coords.dot(&view.out)).sum::<f64>();
            let flat = placed.iter().map(|p| frame.at(p)).collect();
            Shape {
                depth: depth / placed.len().max(1) as f64,
                outline: convex(flat),
                rgb: colour(hand, hull.body),
            }
        })
        .collect();
    shapes.sort_by(|a, b| a.depth.total_cmp(&b.depth));
    for Shape { outline, rgb, .. } in &shapes {
        canvas.polygon(outline, mixed(*rgb, 0.62), Line { rgb: *rgb, width: 1.0, dashed: false });
    }
    let at =
        |body: &str, point: &Point3<f64>| hand.tree.body(body).map(|index| poses[index] * point);
    let keypoint = |index: usize| {
        let link = hand.map.keypoints.iter().find(|l| l.keypoint == index)?;
        at(&link.at.body, &link.at.point_in_body)
    };
    for finger in 0..5 {
        let mut path: Vec<(f32, f32)> = keypoint(0).iter().map(|p| frame.at(p)).collect();
        let first = 1 + 4 * finger;
        path.extend((first..first + 4).filter_map(keypoint).map(|p| frame.at(&p)));
        if path.len() > 1 {
            let line = Line { rgb: mixed(FINGERS[finger], -0.35), width: 2.0, dashed: false };
            canvas.lines(&path, line, None);
        }
        for index in first..first + 4 {
            let Some(p) = keypoint(index) else { continue };
            let (x, y) = frame.at(&p);
            canvas.dot(x, y, if index == first + 3 { 5.0 } else { 3.0 }, INK_RGB);
            if view.numbered {
                canvas.text(&index.to_string(), x + 6.0, y - 6.0, Align::Left, TINY);
            }
        }
    }
    if let Some(p) = keypoint(0) {
        let (x, y) = frame.at(&p);
        canvas.dot(x, y, 3.0, INK_RGB);
        if view.numbered {
            canvas.text("0", x + 6.0, y - 6.0, Align::Left, TINY);
        }
    }
    if let Some(center) = at(&hand.map.palm_body, &hand.map.palm_center) {
        let palm = hand.tree.body(&hand.map.palm_body).unwrap_or(0);
        for (axis, name) in [(hand.map.fingers_axis, "fingers"), (hand.map.normal_axis, "normal")] {
            let end = center + poses[palm].rotation * axis * 0.04;
            let line = Line { rgb: INK_RGB, width: 2.5, dashed: false };
            let (from, to) = (frame.at(&center), frame.at(&end));
            canvas.lines(&[from, to], line, None);
            // An axis towards the viewer is a dot without a name.
            if (to.0 - from.0).hypot(to.1 - from.1) > 8.0 {
                canvas.text(name, to.0 + 4.0, to.1, Align::Left, TINY);
            }
        }
        let (x, y) = frame.at(&center);
        canvas.dot(x, y, 4.5, INK_RGB);
    }
}

/// Colour of a body: that of the finger it belongs to.
fn colour(hand: &Hand, body: usize) -> [u8; 3] {
    let mut at = Some(body);
    while let Some(index) = at {
        let name = &hand.tree.bodies[index].name;
        if let Some(finger) = hand.map.fingers.iter().find(|f| f.bodies.contains(name)) {
            let names = ["thumb", "index", "middle", "ring", "pinky"];
            let slot = names.iter().position(|n| *n == finger.name);
            return slot.map_or(PALM_RGB, |slot| FINGERS[slot]);
        }
        at = hand.tree.bodies[index].parent;
    }
    PALM_RGB
}

/// A colour mixed with white (`share` above zero) or black.
fn mixed(rgb: [u8; 3], share: f32) -> [u8; 3] {
    let to = if share > 0.0 { 255.0 } else { 0.0 };
    rgb.map(|c| (f32::from(c) + (to - f32::from(c)) * share.abs()).round() as u8)
}

/// The convex hull of points in the plane, counter-clockwise (Andrew's monotone chain).
fn convex(mut points: Vec<(f32, f32)>) -> Vec<(f32, f32)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let turn = |o: (f32, f32), a: (f32, f32), b: (f32, f32)| {
        (a.0 - o.0) * (b.1 - o.1) - (a.1 - o.1) * (b.0 - o.0)
    };
    let half = |points: &mut dyn Iterator<Item = (f32, f32)>| {
        let mut chain: Vec<(f32, f32)> = Vec::new();
        for p in points {
            while chain.len() >= 2 && turn(chain[chain.len() - 2], chain[chain.len() - 1], p) <= 0.0
            {
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut hull = half(&mut points.iter().copied());
    hull.extend(half(&mut points.iter().rev().copied()));
    hull
}

fn legend(canvas: &mut Canvas, check: &HandCheck, left: f32) {
    let room = LEGEND_PX - 24.0;
    let mut y = 50.0;
    canvas.text("what was found, and how sure", left, y, Align::Left, TITLE);
    for finding in &check.findings {
        y += 22.0;
        let name = finding.item.strip_prefix("finger ");
        let names = ["thumb", "index", "middle", "ring", "pinky"];
        if let Some(slot) = name.and_then(|n| names.iter().position(|m| *m == n)) {
            let swatch = Area { left, top: y - 6.0, right: left + 10.0, bottom: y + 6.0 };
            canvas.fill(swatch, FINGERS[slot]);
        }
        let rgb = if finding.confidence == Confidence::Guess { GUESS_RGB } else { FAINT_RGB };
        let word = Text { rgb, ..SMALL };
        let item = Text { rgb: INK_RGB, ..SMALL };
        canvas.text(&item.fit(&finding.item, 100.0), left + 16.0, y, Align::Left, item);
        canvas.text(finding.confidence.name(), left + 124.0, y, Align::Left, word);
        let value = SMALL.fit(&finding.value, room - 182.0);
        canvas.text(&value, left + 182.0, y, Align::Left, SMALL);
    }
    for line in &check.unknown {
        y += 22.0;
        let unknown = Text { rgb: GUESS_RGB, ..SMALL };
        let text = format!("not known: {line}");
        canvas.text(&unknown.fit(&text, room), left + 16.0, y, Align::Left, unknown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels of about this colour.
    fn count(image: &RgbImage, rgb: [u8; 3]) -> usize {
        let near = |p: &[u8]| p.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) < 3);
        image.pixels.chunks_exact(3).filter(|p| near(p)).count()
    }

    #[test]
    fn every_finger_and_the_palm_are_drawn_in_their_colours() {
        let hand = Hand::builtin("human", dextra_core::Side::Left).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.xml");
        std::fs::write(&path, &hand.xml).unwrap();
        let image = draw(&HandCheck::new(&path).unwrap()).unwrap();
        assert_eq!((image.width, image.height), (1680, 584));
        for rgb in FINGERS.into_iter().chain([PALM_RGB]) {
            assert!(count(&image, mixed(rgb, 0.62)) > 400, "{rgb:?} is missing");
        }
        // The right thumb's place is empty in a left hand: its colour is right of the middle of the first
        // view only where the side is wrong.
        let thumb = mixed(FINGERS[0], 0.62);
        let columns: Vec<u32> = (0..400)
            .filter(|&x| (0..image.height).any(|y| image.get(x, y) == Some(thumb)))
            .collect();
        let mean = columns.iter().sum::<u32>() as f32 / columns.len() as f32;
        assert!(mean < 170.0, "a left thumb is on the left, seen on the palm: {mean}");
    }

    #[test]
    fn the_hull_of_a_square_with_points_inside_is_the_square() {
        let inside = [(0.5, 0.5), (0.2, 0.7)];
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        let hull = convex(inside.into_iter().chain(corners).collect());
        assert_eq!(hull.len(), 4);
        assert!(corners.iter().all(|c| hull.contains(c)));
    }
}
