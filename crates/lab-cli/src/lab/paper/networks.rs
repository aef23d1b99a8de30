//! Figures 9 and 10: the guard's part of a whole inference.

use super::Effort;
use super::desk::Desk;
use super::guards::{measured, siguard};
use super::page::{Page, Row};
use crate::Failure;
use std::time::Duration;
use trefoil::{Compile, Source, estimate};
use trefoil_guard::Guard;
use trefoil_lab::train::{Architecture, Layer, Network as Untrained, to_onnx};
use trefoil_net::NetworkProfile;

/// Pictures of CIFAR-10.
const INPUT: [usize; 3] = [3, 32, 32];
const CLASSES: usize = 10;
/// The guard of the figures: three searches of so many steps.
const INNER: u32 = 10;
/// A party that does nothing for so long is given up.
const TIMEOUT: Duration = Duration::from_mins(10);

/// Figure 9.
pub(super) fn lan(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = shares(desk, NetworkProfile::LAN, "LAN")?;
    page.sentences.push(
        "The paper prints a picture: but for LeNet and ResNet-18 the guard's part is below 27 %."
            .to_owned(),
    );
    Ok(page)
}

/// Figure 10.
pub(super) fn wan(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = shares(desk, NetworkProfile::WAN, "WAN")?;
    page.sentences.push(
        "The paper prints a picture: but for LeNet, FCN and MobileNetV1 the guard's part is below 16 %.".to_owned(),
    );
    Ok(page)
}

/// The networks, smallest first.
fn networks(scale: Effort) -> Vec<(&'static str, Architecture)> {
    let few = vec![
        ("LeNet", Architecture::lenet(INPUT, CLASSES)),
        (
            "FCN",
            Architecture::mlp(INPUT.iter().product(), &[128, 128], CLASSES),
        ),
    ];
    let more = [
        ("AlexNet", Architecture::alexnet(INPUT, CLASSES)),
        ("VGG16", vgg16()),
        ("ResNet-18", Architecture::resnet18(INPUT, CLASSES, 64)),
        ("ResNet-34", Architecture::resnet34(INPUT, CLASSES, 64)),
        ("ResNet-50", resnet50()),
    ];
    match scale {
        Effort::Seconds => few,
        Effort::Minutes | Effort::Paper => few.into_iter().chain(more).collect(),
    }
}

fn shares(desk: &Desk<'_>, network: NetworkProfile, link: &str) -> Result<Page, Failure> {
    let mut page = Page::default();
    let guard = Guard::Siguard(siguard(CLASSES, INNER, desk.seed)?);
    desk.say(&format!("the guard, {link}"));
    let guard = measured(&guard, network, 1)?.wall_s;
    for (name, architecture) in networks(desk.scale) {
        desk.say(&format!("{name}, {link}"));
        let untrained = Untrained::new(&architecture, desk.seed)?;
        let source = Source::from_bytes(&to_onnx(&untrained)?, "network.onnx")?;
        let compile = Compile {
            batch: Some(1),
            ..Compile::default()
        };
        let model = source.compile(1, &compile)?;
        let forecast = estimate(&model, network, false, TIMEOUT, &mut |_, _| ())?;
        let seconds = forecast.seconds();
        let how = if forecast.rehearsal.is_some() {
            "rehearsed, the network by formula"
        } else {
            "by rates and formula"
        };
        page.rows.push(Row::new(
            format!("{name}, without the guard"),
            "s",
            None,
            Some(seconds),
            how,
        ));
        let part = 100.0 * guard / (guard + seconds);
        page.rows.push(Row::new(
            format!("{name}, the guard's part"),
            "%",
            None,
            Some(part),
            "guard run, network as above",
        ));
    }
    page.sentences.push(format!(
        "One picture of 32 × 32; untrained weights, which cost as much as trained ones. The guard of 3 × {INNER} steps takes {guard:.2} s on the \
         emulated {link}; the networks' times are `trefoil estimate`'s, with exact rounds and bytes."
    ));
    page.sentences.push(
        "MobileNetV1 is left out: its convolutions by channel are no layer of the lab's networks; `trefoil estimate` takes one as ONNX.".to_owned(),
    );
    Ok(page)
}

fn conv(channels: usize, kernel: usize, stride: usize) -> [Layer; 2] {
    [
        Layer::Conv {
            channels,
            kernel,
            stride,
            padding: kernel / 2,
            bias: false,
        },
        Layer::BatchNorm,
    ]
}

/// Simonyan and Zisserman 2015, configuration D with batch normalisation, and one dense layer behind it as usual for CIFAR-10.
fn vgg16() -> Architecture {
    let mut layers = Vec::new();
    for (channels, count) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..count {
            layers.extend(conv(channels, 3, 1));
            layers.push(Layer::Relu);
        }
        layers.push(Layer::MaxPool { size: 2 });
    }
    layers.extend([Layer::Flatten, Layer::Linear { outputs: CLASSES }]);
    Architecture {
        name: "vgg16".to_owned(),
        input: INPUT.to_vec(),
        layers,
    }
}

/// He et al. 2016 with bottlenecks, its first convolution of 3 × 3 as usual for CIFAR-10.
fn resnet50() -> Architecture {
    let mut layers = Vec::from(conv(64, 3, 1));
    layers.push(Layer::Relu);
    let mut inputs = 64;
    for (stage, (width, count)) in [(64, 3), (128, 4), (256, 6), (512, 3)]
        .into_iter()
        .enumerate()
    {
        for block in 0..count {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let mut body = Vec::from(conv(width, 1, 1));
            body.push(Layer::Relu);
            body.extend(conv(width, 3, stride));
            body.push(Layer::Relu);
            body.extend(conv(4 * width, 1, 1));
            let shortcut = if inputs == 4 * width {
                Vec::new()
            } else {
                Vec::from(conv(4 * width, 1, stride))
            };
            layers.extend([Layer::Residual { body, shortcut }, Layer::Relu]);
            inputs = 4 * width;
        }
    }
    layers.extend([Layer::GlobalAveragePool, Layer::Linear { outputs: CLASSES }]);
    Architecture {
        name: "resnet50".to_owned(),
        input: INPUT.to_vec(),
        layers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(architecture: &Architecture) -> usize {
        let parameters = architecture.parameters().unwrap();
        parameters
            .iter()
            .map(|p| p.shape.iter().product::<usize>())
            .sum()
    }

    #[test]
    fn numbers_of_parameters_are_those_of_the_literature() {
        // kuangliu/pytorch-cifar's ResNet-50, and its VGG-16 (14,728,266) without the convolutions' biases.
        assert_eq!(count(&resnet50()), 23_520_842);
        assert_eq!(count(&vgg16()), 14_728_266 - 4_224);
        assert_eq!(vgg16().outputs().unwrap(), CLASSES);
    }
}
