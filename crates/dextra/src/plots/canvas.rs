//! Lines, areas and text on a white picture, with smooth edges.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use dextra_sim::render::RgbImage;
use std::sync::LazyLock;
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Mask, Paint, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
    Transform,
};

/// DejaVu Sans, which is free to embed.
static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| font(dejavu::sans::regular()));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| font(dejavu::sans::bold()));

fn font(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the embedded font is a font")
}

/// How text looks.
#[derive(Clone, Copy)]
pub struct Text {
    /// Height of a line, pixels.
    pub size: f32,
    /// Whether it is bold.
    pub bold: bool,
    /// Colour.
    pub rgb: [u8; 3],
}

/// Which point of a text its position names, horizontally.
#[derive(Clone, Copy)]
pub enum Align {
    Left,
    Middle,
    Right,
}

/// How a line looks.
#[derive(Clone, Copy)]
pub struct Line {
    /// Colour.
    pub rgb: [u8; 3],
    /// Pixels.
    pub width: f32,
    /// Whether it is dashed.
    pub dashed: bool,
}

/// A rectangle in pixels: left, top, right, bottom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
}

/// The picture.
pub struct Canvas {
    pixmap: Pixmap,
}

impl Text {
    fn font(self) -> &'static FontRef<'static> {
        if self.bold { &BOLD } else { &REGULAR }
    }

    fn scale(self) -> PxScale {
        PxScale::from(self.size)
    }

    /// Width of a text, pixels.
    pub fn width(self, text: &str) -> f32 {
        self.glyphs(text).1
    }

    /// The longest beginning of a text that is at most `width` wide, with dots where it was cut.
    pub fn fit(self, text: &str, width: f32) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut cut: String = text.to_owned();
        while cut.pop().is_some() {
            let shown = format!("{}…", cut.trim_end());
            if self.width(&shown) <= width {
                return shown;
            }
        }
        String::new()
    }

    /// Glyphs from x = 0 on the baseline y = 0, and where the next one would begin.
    fn glyphs(self, text: &str) -> (Vec<Glyph>, f32) {
        let font = self.font().as_scaled(self.scale());
        let (mut x, mut last) = (0.0, None);
        let mut glyphs = Vec::new();
        for character in text.chars() {
            let id = font.glyph_id(character);
            x += last.map_or(0.0, |last| font.kern(last, id));
            glyphs.push(id.with_scale_and_position(self.scale(), point(x, 0.0)));
            x += font.h_advance(id);
            last = Some(id);
        }
        (glyphs, x)
    }
}

fn paint(rgb: [u8; 3]) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(rgb[0], rgb[1], rgb[2], 255);
    paint
}

impl Area {
    fn rect(self) -> Option<Rect> {
        Rect::from_ltrb(self.left, self.top, self.right, self.bottom)
    }
}

impl Canvas {
    /// A white picture.
    pub fn new(width: u32, height: u32) -> Self {
        let mut pixmap = Pixmap::new(width.max(1), height.max(1)).expect("a plot has pixels");
        pixmap.fill(Color::WHITE);
        Self { pixmap }
    }

    /// Fills a rectangle; one without an extent is left out.
    pub fn fill(&mut self, area: Area, rgb: [u8; 3]) {
        if let Some(rect) = area.rect() {
            self.pixmap.fill_rect(rect, &paint(rgb), Transform::identity(), None);
        }
    }

    /// Draws lines through points, cut off at the edges of `within`. Points that are not finite
    /// interrupt the line.
    pub fn lines(&mut self, points: &[(f32, f32)], line: Line, within: Option<Area>) {
        let mut path = PathBuilder::new();
        let mut down = false;
        for (index, &(x, y)) in points.iter().enumerate() {
            let there = x.is_finite() && y.is_finite();
            let next = points.get(index + 1).is_some_and(|p| p.0.is_finite() && p.1.is_finite());
            match (there, down) {
                (true, true) => path.line_to(x, y),
                (true, false) => {
                    path.move_to(x, y);
                    // A lone point would not show.
                    if !next {
                        path.line_to(x + 0.1, y);
                    }
                }
                _ => {}
            }
            down = there;
        }
        let Some(path) = path.finish() else { return };
        let stroke = Stroke {
            width: line.width,
            line_cap: if line.dashed { LineCap::Butt } else { LineCap::Round },
            line_join: LineJoin::Round,
            dash: line.dashed.then(|| StrokeDash::new(vec![6.0, 4.0], 0.0)).flatten(),
            ..Stroke::default()
        };
        let mask = within.and_then(Area::rect).and_then(|rect| {
            let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())?;
            let path = PathBuilder::from_rect(rect);
            mask.fill_path(&path, FillRule::Winding, false, Transform::identity());
            Some(mask)
        });
        let paint = paint(line.rgb);
        self.pixmap.stroke_path(&path, &paint, &stroke, Transform::identity(), mask.as_ref());
    }

    /// Fills a polygon and draws its edge; fewer than three points are left out.
    pub fn polygon(&mut self, points: &[(f32, f32)], fill: [u8; 3], edge: Line) {
        let [first, rest @ ..] = points else { return };
        if rest.len() < 2 {
            return;
        }
        let mut path = PathBuilder::new();
        path.move_to(first.0, first.1);
        rest.iter().for_each(|&(x, y)| path.line_to(x, y));
        path.close();
        let Some(path) = path.finish() else { return };
        self.pixmap.fill_path(&path, &paint(fill), FillRule::Winding, Transform::identity(), None);
        let stroke = Stroke { width: edge.width, ..Stroke::default() };
        self.pixmap.stroke_path(&path, &paint(edge.rgb), &stroke, Transform::identity(), None);
    }

    /// Draws a filled circle.
    pub fn dot(&mut self, x: f32, y: f32, radius: f32, rgb: [u8; 3]) {
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            self.pixmap.fill_path(
                &path,
                &paint(rgb),
                FillRule::Winding,
                Transform::identity(),
                None,
            );
        }
    }

    /// Writes a line of text; `y` is the middle of its small letters and digits.
    pub fn text(&mut self, text: &str, x: f32, y: f32, align: Align, style: Text) {
        let (glyphs, width) = style.glyphs(text);
        let left = match align {
            Align::Left => x,
            Align::Middle => x - width / 2.0,
            Align::Right => x - width,
        };
        // Digits are about three quarters of the size without accents and descenders.
        let baseline = (y + 0.31 * style.size).round();
        for mut glyph in glyphs {
            glyph.position = point(glyph.position.x + left, baseline);
            let Some(outline) = style.font().outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|column, row, coverage| {
                let (x, y) = (corner.x as i32 + column as i32, corner.y as i32 + row as i32);
                self.blend(x, y, style.rgb, coverage);
            });
        }
    }

    fn blend(&mut self, x: i32, y: i32, rgb: [u8; 3], coverage: f32) {
        let (width, height) = (self.pixmap.width() as i32, self.pixmap.height() as i32);
        if !(0..width).contains(&x) || !(0..height).contains(&y) {
            return;
        }
        let at = 4 * (y * width + x) as usize;
        for (channel, colour) in self.pixmap.data_mut()[at..at + 3].iter_mut().zip(rgb) {
            let old = f32::from(*channel);
            *channel = (old + (f32::from(colour) - old) * coverage.clamp(0.0, 1.0)).round() as u8;
        }
    }

    /// The finished picture.
    pub fn into_image(self) -> RgbImage {
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        let pixels = self.pixmap.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        RgbImage { width, height, pixels }
    }
}
