//! The model zoo: networks of the literature, sized for pictures of 28 × 28 and 32 × 32.

use super::architecture::{Architecture, Layer};

impl Architecture {
    /// A multi-layer perceptron with `ReLU` between its linear layers.
    ///
    /// ```
    /// use trefoil_lab::train::Architecture;
    /// let location = Architecture::mlp(446, &[1024, 512, 256, 128], 30);
    /// assert_eq!(location.parameters()?.len(), 10);
    /// # Ok::<(), trefoil_lab::LabError>(())
    /// ```
    pub fn mlp(inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        let mut layers = Vec::new();
        for &width in hidden {
            layers.extend([Layer::Linear { outputs: width }, Layer::Relu]);
        }
        layers.push(Layer::Linear { outputs });
        Self::new("mlp", vec![inputs], layers)
    }

    /// `LeNet` with 20 and 50 channels and 500 hidden units, as in the literature of secure
    /// inference (`LeCun` et al. 1998, in the size of `Caffe`'s example).
    pub fn lenet(input: [usize; 3], classes: usize) -> Self {
        let layers = vec![
            conv(20, 5, 1, 0, true),
            Layer::MaxPool { size: 2 },
            Layer::Relu,
            conv(50, 5, 1, 0, true),
            Layer::MaxPool { size: 2 },
            Layer::Relu,
            Layer::Flatten,
            Layer::Linear { outputs: 500 },
            Layer::Relu,
            Layer::Linear { outputs: classes },
        ];
        Self::new("lenet", input.to_vec(), layers)
    }

    /// `AlexNet` for small pictures: five convolutions, three poolings, two hidden layers of 256
    /// (Krizhevsky et al. 2012, in the size that Falcon and Piranha use).
    pub fn alexnet(input: [usize; 3], classes: usize) -> Self {
        let pool = Layer::MaxPool { size: 2 };
        let mut layers = Vec::new();
        for (channels, pooled) in [
            (64, true),
            (96, true),
            (128, false),
            (128, false),
            (96, true),
        ] {
            layers.extend([conv(channels, 3, 1, 1, true), Layer::Relu]);
            if pooled {
                layers.push(pool.clone());
            }
        }
        layers.extend(head(&[256, 256], classes));
        Self::new("alexnet", input.to_vec(), layers)
    }

    /// VGG with 11 weight layers, batch normalisation, and one linear layer at the end (Simonyan
    /// and Zisserman 2015, in its usual size for CIFAR). Pictures of 32 × 32 and larger.
    pub fn vgg11(input: [usize; 3], classes: usize) -> Self {
        let stages: [&[usize]; 5] = [&[64], &[128], &[256, 256], &[512, 512], &[512, 512]];
        let mut layers = Vec::new();
        for stage in stages {
            for &channels in stage {
                layers.extend([
                    conv(channels, 3, 1, 1, false),
                    Layer::BatchNorm,
                    Layer::Relu,
                ]);
            }
            layers.push(Layer::MaxPool { size: 2 });
        }
        layers.extend(head(&[], classes));
        Self::new("vgg11", input.to_vec(), layers)
    }

    /// `ResNet`-18 with the stem for small pictures: one convolution of 3 × 3, no pooling (He et
    /// al. 2016). `width` is the number of channels of the first stage, 64 in the literature.
    pub fn resnet18(input: [usize; 3], classes: usize, width: usize) -> Self {
        Self::resnet("resnet18", input, classes, width, [2, 2, 2, 2])
    }

    /// `ResNet`-34, as [`Architecture::resnet18`].
    pub fn resnet34(input: [usize; 3], classes: usize, width: usize) -> Self {
        Self::resnet("resnet34", input, classes, width, [3, 4, 6, 3])
    }

    fn resnet(
        name: &str,
        input: [usize; 3],
        classes: usize,
        width: usize,
        blocks: [usize; 4],
    ) -> Self {
        let mut layers = vec![conv(width, 3, 1, 1, false), Layer::BatchNorm, Layer::Relu];
        let mut before = width;
        for (stage, &count) in blocks.iter().enumerate() {
            let channels = width << stage;
            for block in 0..count {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let shortcut = if stride == 1 && before == channels {
                    Vec::new()
                } else {
                    vec![conv(channels, 1, stride, 0, false), Layer::BatchNorm]
                };
                let body = vec![
                    conv(channels, 3, stride, 1, false),
                    Layer::BatchNorm,
                    Layer::Relu,
                    conv(channels, 3, 1, 1, false),
                    Layer::BatchNorm,
                ];
                layers.extend([Layer::Residual { body, shortcut }, Layer::Relu]);
                before = channels;
            }
        }
        layers.extend([Layer::GlobalAveragePool, Layer::Linear { outputs: classes }]);
        Self::new(name, input.to_vec(), layers)
    }

    fn new(name: &str, input: Vec<usize>, layers: Vec<Layer>) -> Self {
        let name = name.to_owned();
        Self {
            name,
            input,
            layers,
        }
    }
}

fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, bias: bool) -> Layer {
    Layer::Conv {
        channels,
        kernel,
        stride,
        padding,
        bias,
    }
}

/// Pictures to vectors, hidden layers, classes.
fn head(hidden: &[usize], classes: usize) -> Vec<Layer> {
    let mut layers = vec![Layer::Flatten];
    for &outputs in hidden {
        layers.extend([Layer::Linear { outputs }, Layer::Relu]);
    }
    layers.push(Layer::Linear { outputs: classes });
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(architecture: &Architecture) -> usize {
        let parameters = architecture.parameters().unwrap();
        parameters
            .iter()
            .map(|parameter| parameter.shape.iter().product::<usize>())
            .sum()
    }

    #[test]
    fn numbers_of_parameters_are_those_of_the_literature() {
        let rgb = [3, 32, 32];
        // Location30's target: 446-1024-512-256-128-30, weights and biases.
        let widths = [446, 1024, 512, 256, 128, 30];
        let expected: usize = widths.windows(2).map(|w| w[0] * w[1] + w[1]).sum();
        assert_eq!(count(&Architecture::mlp(446, &widths[1..5], 30)), expected);
        // Caffe's LeNet on MNIST.
        assert_eq!(count(&Architecture::lenet([1, 28, 28], 10)), 431_080);
        // kuangliu/pytorch-cifar's ResNet-18 and 34, and VGG-11 without the convolutions' biases,
        // which batch normalisation makes redundant: 9,231,114 - 2,752.
        assert_eq!(count(&Architecture::resnet18(rgb, 10, 64)), 11_173_962);
        assert_eq!(count(&Architecture::resnet34(rgb, 10, 64)), 21_282_122);
        assert_eq!(count(&Architecture::vgg11(rgb, 10)), 9_228_362);
    }

    #[test]
    fn all_end_in_classes() {
        let rgb = [3, 32, 32];
        for architecture in [
            Architecture::alexnet([1, 28, 28], 7),
            Architecture::alexnet(rgb, 7),
            Architecture::lenet(rgb, 7),
            Architecture::vgg11(rgb, 7),
            Architecture::resnet18(rgb, 7, 8),
        ] {
            assert_eq!(architecture.outputs().unwrap(), 7, "{}", architecture.name);
        }
    }

    #[test]
    fn a_layer_that_does_not_fit_is_named() {
        // Counted from 0: eight times convolution, normalisation and ReLU, and four poolings come
        // before the one that has nothing left.
        let error = Architecture::vgg11([3, 16, 16], 10).outputs().unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("vgg11") && text.contains("layer 28"),
            "{text}"
        );
        let mut architecture = Architecture::resnet18([3, 32, 32], 10, 8);
        architecture.layers[3] = Layer::Residual {
            body: vec![conv(4, 3, 1, 1, false)],
            shortcut: Vec::new(),
        };
        let text = architecture.outputs().unwrap_err().to_string();
        assert!(text.contains("the shortcut [8, 32, 32]"), "{text}");
    }
}
