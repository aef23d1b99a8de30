//! The first layer of a served network: what its signs are the signs of.

use crate::AuditError;
use crate::pictures::Picture;
use trefoil_nn::{Graph, Layer, Options, Plan};

/// How a picture becomes a network's input: `(x - mean) * factor`, channel by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Preparation {
    /// Subtracted from each channel.
    pub mean: Vec<f32>,
    /// Multiplied with each channel.
    pub factor: Vec<f32>,
}

impl Preparation {
    /// The same factor for `channels` channels.
    pub fn scale(channels: usize, factor: f32) -> Self {
        Self {
            mean: vec![0.0; channels],
            factor: vec![factor; channels],
        }
    }

    /// `(x - mean) / deviation` for three channels.
    pub fn normalise(mean: [f32; 3], deviation: [f32; 3]) -> Self {
        Self {
            mean: mean.to_vec(),
            factor: deviation.iter().map(|d| 1.0 / d).collect(),
        }
    }

    /// A picture as the network wants it.
    pub fn apply(&self, picture: &Picture) -> Vec<f32> {
        let area = picture.pixels.len() / picture.shape[0].max(1);
        let planes = picture.pixels.chunks(area.max(1)).enumerate();
        planes
            .flat_map(|(c, plane)| {
                plane
                    .iter()
                    .map(move |v| (v - self.mean[c]) * self.factor[c])
            })
            .collect()
    }
}

/// A convolution with padding that keeps the size, of prepared pictures.
#[derive(Clone, Debug)]
pub struct FirstLayer {
    /// Channels, height and width of pictures.
    pub input: [usize; 3],
    /// Filters.
    pub filters: usize,
    /// Width and height of the kernel: odd.
    pub kernel: usize,
    /// Weights (filters, channels, kernel, kernel).
    pub weights: Vec<f32>,
    /// One for each filter.
    pub bias: Vec<f32>,
    /// What is done to a picture first.
    pub preparation: Preparation,
}

impl FirstLayer {
    /// The first layer of a model that begins with a convolution of stride 1 that keeps the pictures' size.
    ///
    /// # Errors
    /// [`AuditError::Model`] if the model does not compile or begins otherwise.
    pub fn of(graph: &Graph, preparation: Preparation) -> Result<Self, AuditError> {
        let refused = |problem: String| AuditError::Model {
            model: graph.file.clone(),
            problem,
        };
        let options = Options {
            batch: Some(1),
            ..Options::default()
        };
        let (plan, weights) =
            Plan::compile(graph, &options).map_err(|error| refused(error.problem.to_string()))?;
        let found = plan.steps.iter().find_map(|step| match &step.layer {
            Layer::Conv(conv) => Some((step, conv)),
            _ => None,
        });
        let (step, conv) = found.ok_or_else(|| refused("has no convolution".to_owned()))?;
        let (input, kernel) = (plan.shape(step.inputs[0]), plan.shape(step.inputs[1]));
        let (&[_, channels, height, width], &[filters, depth, side, other]) = (input, kernel)
        else {
            return Err(refused(
                "begins with a convolution of another rank".to_owned(),
            ));
        };
        let pad = side / 2;
        let keeps = conv.strides == [1, 1]
            && conv.dilations == [1, 1]
            && conv.pads == [pad; 4]
            && side == other
            && side % 2 == 1;
        if !keeps || depth != channels || preparation.mean.len() != channels {
            return Err(refused(
                "begins with a convolution that is strided, dilated, grouped or changes the size"
                    .to_owned(),
            ));
        }
        let tensors = weights.to_clear();
        let tensor = |value: usize| {
            let at = plan.weights.iter().position(|port| port.value == value);
            at.map(|at| tensors[at].iter().map(|&v| v as f32).collect::<Vec<f32>>())
        };
        let kernel = tensor(step.inputs[1]);
        let kernel = kernel.ok_or_else(|| refused("begins with computed filters".to_owned()))?;
        let bias = step.inputs.get(2).and_then(|&value| tensor(value));
        Ok(Self {
            input: [channels, height, width],
            filters,
            kernel: side,
            weights: kernel,
            bias: bias.unwrap_or_else(|| vec![0.0; filters]),
            preparation,
        })
    }

    /// The same filters on pictures of another size: what a network without dense layers does.
    #[must_use]
    pub fn resized(mut self, size: [usize; 2]) -> Self {
        self.input = [self.input[0], size[0], size[1]];
        self
    }

    /// Each filter once for each threshold, whose sign is that of the old output plus the threshold.
    #[must_use]
    pub fn with_thresholds(&self, thresholds: &[f32]) -> Self {
        let copies = thresholds.len();
        Self {
            filters: self.filters * copies,
            weights: self.weights.repeat(copies),
            bias: thresholds
                .iter()
                .flat_map(|t| self.bias.iter().map(move |b| b + t))
                .collect(),
            ..self.clone()
        }
    }

    /// Height times width.
    pub fn area(&self) -> usize {
        self.input[1] * self.input[2]
    }

    /// Outputs for one picture: filters times area.
    pub fn outputs(&self) -> usize {
        self.filters * self.area()
    }

    /// The pre-activations of a picture: (filters, height, width).
    pub fn apply(&self, picture: &Picture) -> Vec<f32> {
        let mut out = vec![0.0; self.outputs()];
        for (plane, &b) in out.chunks_mut(self.area()).zip(&self.bias) {
            plane.fill(b);
        }
        self.add_filtered(&self.preparation.apply(picture), &mut out);
        out
    }

    /// Add the filters' responses to prepared pixels, without bias.
    pub(crate) fn add_filtered(&self, prepared: &[f32], out: &mut [f32]) {
        self.each_tap(|weight, from, to, len| {
            for (o, v) in out[to..to + len]
                .iter_mut()
                .zip(&prepared[from..from + len])
            {
                *o += weight * v;
            }
        });
    }

    /// The transposed map, added to `out` (prepared pixels).
    pub(crate) fn add_transposed(&self, outputs: &[f32], out: &mut [f32]) {
        self.each_tap(|weight, from, to, len| {
            for (o, v) in out[from..from + len].iter_mut().zip(&outputs[to..to + len]) {
                *o += weight * v;
            }
        });
    }

    /// Every weight with the runs of pixels that it connects: start of the inputs, start of the outputs, length.
    fn each_tap(&self, mut f: impl FnMut(f32, usize, usize, usize)) {
        let [channels, height, width] = self.input;
        let (side, pad) = (self.kernel, self.kernel / 2);
        for (tap, &weight) in self.weights.iter().enumerate() {
            let (dx, dy) = (tap % side, tap / side % side);
            let (channel, filter) = (
                tap / (side * side) % channels,
                tap / (side * side * channels),
            );
            let first = pad.saturating_sub(dx);
            let end = (width + pad).saturating_sub(dx).min(width);
            for y in 0..height {
                let Some(from) = (y + dy).checked_sub(pad).filter(|&row| row < height) else {
                    continue;
                };
                if first < end {
                    let source = (channel * height + from) * width + first + dx - pad;
                    f(
                        weight,
                        source,
                        (filter * height + y) * width + first,
                        end - first,
                    );
                }
            }
        }
    }

    /// The Euclidean norm of each filter, with respect to pixels in `[0, 1]`.
    pub(crate) fn norms(&self) -> Vec<f32> {
        let [channels, ..] = self.input;
        let taps = self.kernel * self.kernel;
        let norm = |filter: &[f32]| {
            let planes = filter.chunks(taps).zip(&self.preparation.factor);
            let sum: f32 = planes
                .map(|(plane, f)| plane.iter().map(|w| (w * f) * (w * f)).sum::<f32>())
                .sum();
            sum.sqrt().max(1e-12)
        };
        self.weights.chunks(channels * taps).map(norm).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    pub(crate) fn layer(random: &mut Random) -> FirstLayer {
        let mut some = |len| (0..len).map(|_| random.real(-1.0, 1.0) as f32).collect();
        FirstLayer {
            input: [2, 5, 4],
            filters: 3,
            kernel: 3,
            weights: some(3 * 2 * 9),
            bias: some(3),
            preparation: Preparation {
                mean: vec![0.3, 0.5],
                factor: vec![2.0, 0.5],
            },
        }
    }

    #[test]
    fn outputs_are_those_of_a_convolution() {
        let mut random = Random::new(1);
        let layer = layer(&mut random);
        let pixels = (0..40).map(|_| random.real(0.0, 1.0) as f32).collect();
        let picture = Picture::new([2, 5, 4], pixels);
        let out = layer.apply(&picture);
        let prepared = layer.preparation.apply(&picture);
        for (at, found) in out.iter().enumerate() {
            let (o, y, x) = (at / 20, at / 4 % 5, at % 4);
            let mut expected = layer.bias[o];
            for c in 0..2 {
                for (dy, dx) in (0..9).map(|t| (t / 3, t % 3)) {
                    let (Some(r), Some(s)) = ((y + dy).checked_sub(1), (x + dx).checked_sub(1))
                    else {
                        continue;
                    };
                    if r < 5 && s < 4 {
                        let w = layer.weights[((o * 2 + c) * 3 + dy) * 3 + dx];
                        expected += w * prepared[(c * 5 + r) * 4 + s];
                    }
                }
            }
            assert!((found - expected).abs() < 1e-5, "output {at}");
        }
    }

    #[test]
    fn the_transposed_map_is_the_adjoint() {
        let mut random = Random::new(2);
        let layer = layer(&mut random);
        let mut some =
            |len: usize| -> Vec<f32> { (0..len).map(|_| random.real(-1.0, 1.0) as f32).collect() };
        let (x, z) = (some(40), some(60));
        let (mut ax, mut az) = (vec![0.0; 60], vec![0.0; 40]);
        layer.add_filtered(&x, &mut ax);
        layer.add_transposed(&z, &mut az);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        assert!((dot(&ax, &z) - dot(&x, &az)).abs() < 1e-4);
    }

    #[test]
    fn thresholds_shift_the_outputs() {
        let mut random = Random::new(3);
        let layer = layer(&mut random);
        let picture = Picture::new([2, 5, 4], vec![0.4; 40]);
        let (plain, both) = (
            layer.apply(&picture),
            layer.with_thresholds(&[0.5, -0.5]).apply(&picture),
        );
        for (i, v) in plain.iter().enumerate() {
            assert!((both[i] - v - 0.5).abs() < 1e-6 && (both[60 + i] - v + 0.5).abs() < 1e-6);
        }
    }
}
