//! A picture in memory.

/// Colour picture, 8 bits per channel, top row first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `[height][width][3]`: red, green, blue (sRGB).
    pub pixels: Vec<u8>,
}

impl RgbImage {
    /// A picture of one colour.
    pub fn filled(width: u32, height: u32, rgb: [u8; 3]) -> Self {
        let count = width as usize * height as usize;
        Self { width, height, pixels: rgb.repeat(count) }
    }

    /// Colour at column `x` and row `y`, or `None` outside.
    pub fn get(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let at = self.offset(x, y)?;
        Some([self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]])
    }

    /// Sets one pixel; outside the picture nothing happens, so that shapes may be cut by the edge.
    pub fn set(&mut self, x: u32, y: u32, rgb: [u8; 3]) {
        if let Some(at) = self.offset(x, y) {
            self.pixels[at..at + 3].copy_from_slice(&rgb);
        }
    }

    /// Copies `other` in with its top left corner at `(x, y)`; what lies outside is cut off.
    pub fn paste(&mut self, other: &RgbImage, x: u32, y: u32) {
        let columns = other.width.min(self.width.saturating_sub(x)) as usize;
        let rows = other.height.min(self.height.saturating_sub(y));
        for row in 0..rows {
            let from = row as usize * other.width as usize * 3;
            let to = ((y + row) as usize * self.width as usize + x as usize) * 3;
            self.pixels[to..to + columns * 3]
                .copy_from_slice(&other.pixels[from..from + columns * 3]);
        }
    }

    fn offset(&self, x: u32, y: u32) -> Option<usize> {
        (x < self.width && y < self.height)
            .then(|| (y as usize * self.width as usize + x as usize) * 3)
    }
}
