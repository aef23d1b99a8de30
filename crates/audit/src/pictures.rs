//! Pictures: values in `[0, 1]`, read from the data sets' own formats, compared, and drawn as grids.

mod files;
mod grid;
mod quality;

pub use files::{cifar10, idx_labels, idx_pictures, orl_faces};
pub use grid::Grid;
pub use quality::{psnr, ssim};

/// A picture; channel after channel, each row-major. Values lie in `[0, 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// The values.
    pub pixels: Vec<f32>,
}

impl Picture {
    /// A picture of these values.
    ///
    /// # Panics
    /// If there are more or fewer than the shape says.
    pub fn new(shape: [usize; 3], pixels: Vec<f32>) -> Self {
        assert_eq!(
            pixels.len(),
            shape.iter().product::<usize>(),
            "pixels of a picture of shape {shape:?}"
        );
        Self { shape, pixels }
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        [self.shape[1], self.shape[2]]
    }

    /// The mean of its channels: one channel.
    #[must_use]
    pub fn grey(&self) -> Self {
        let [channels, height, width] = self.shape;
        let area = height * width;
        let mean = |i: usize| {
            let sum: f32 = (0..channels).map(|c| self.pixels[c * area + i]).sum();
            sum / channels as f32
        };
        Self::new([1, height, width], (0..area).map(mean).collect())
    }

    /// A grey picture in `channels` equal channels.
    #[must_use]
    pub fn repeated(&self, channels: usize) -> Self {
        let [_, height, width] = self.shape;
        let pixels = self.grey().pixels.repeat(channels);
        Self::new([channels, height, width], pixels)
    }
}
