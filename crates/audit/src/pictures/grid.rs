//! Pictures side by side, as PNG.

use super::Picture;
use crate::AuditError;

/// Pixels between pictures, before enlargement.
const GAP: usize = 1;
/// The grey between them.
const BETWEEN: u8 = 72;

/// Rows of pictures of one size.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// The rows; shorter ones end early.
    pub rows: Vec<Vec<Picture>>,
}

impl Grid {
    /// As a PNG file, each pixel enlarged to `scale` by `scale`.
    ///
    /// # Errors
    /// If the encoder fails.
    ///
    /// # Panics
    /// If `scale` is 0, there is no picture, or pictures differ in size.
    pub fn png(&self, scale: usize) -> Result<Vec<u8>, AuditError> {
        let first = self.rows.iter().flatten().next();
        assert!(scale > 0 && first.is_some(), "a grid without pictures");
        let [height, width] = first.map(Picture::size).unwrap_or_default();
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let across = columns * (width + GAP) - GAP;
        let down = self.rows.len() * (height + GAP) - GAP;
        let mut pixels = vec![[BETWEEN; 3]; across * down];
        for (r, row) in self.rows.iter().enumerate() {
            for (c, picture) in row.iter().enumerate() {
                assert_eq!(picture.size(), [height, width], "pictures of a grid");
                for y in 0..height {
                    for x in 0..width {
                        let at = (r * (height + GAP) + y) * across + c * (width + GAP) + x;
                        pixels[at] = colour(picture, y, x);
                    }
                }
            }
        }
        let mut bytes = Vec::with_capacity(pixels.len() * scale * scale * 3);
        for row in pixels.chunks_exact(across) {
            let enlarged: Vec<u8> = row.iter().flat_map(|pixel| pixel.repeat(scale)).collect();
            for _ in 0..scale {
                bytes.extend_from_slice(&enlarged);
            }
        }
        let mut png = Vec::new();
        let mut encoder =
            png::Encoder::new(&mut png, (across * scale) as u32, (down * scale) as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bytes)?;
        writer.finish()?;
        Ok(png)
    }
}

fn colour(picture: &Picture, y: usize, x: usize) -> [u8; 3] {
    let [channels, height, width] = picture.shape;
    let value = |c: usize| {
        let channel = if channels == 3 { c } else { 0 };
        let v = picture.pixels[(channel * height + y) * width + x];
        (v.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    [0, 1, 2].map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_holds_its_pictures() {
        let dot = |v| Picture::new([1, 1, 1], vec![v]);
        let grid = Grid {
            rows: vec![vec![dot(1.0), dot(0.0)], vec![dot(0.2)]],
        };
        let png = grid.png(2).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (6, 6));
        let at = |x: usize, y: usize| pixels[3 * (6 * y + x)];
        let found = [at(1, 1), at(2, 0), at(5, 1), at(0, 4), at(5, 5)];
        assert_eq!(found, [255, BETWEEN, 0, 51, BETWEEN]);
    }
}
