#!/usr/bin/env python3
"""Export picture networks to ONNX, with a few pictures and ONNX Runtime's answers to them.

    python export.py --output target/nets                       # all, 224 x 224
    python export.py --output target/nets --size 64 resnet18    # one, smaller pictures
    python export.py --output target/nets --exporter torchscript

Architectures are torchvision's, but for LeNet and MobileNetV1, which it does not have. Weights are random
(`--seed`), or torchvision's trained ones with `--trained` (a download). Random weights are drawn so that
numbers keep their size through the layers, and the statistics of batch normalisations come from random
pictures, so that a random network is as hard on fixed-point numbers as a trained one.

Writes NAME.onnx, pictures.npy [count, 3, size, size] and NAME.expected.npy (ONNX Runtime's answers).
"""

import argparse
import pathlib

import numpy
import torch
import torchvision.models as zoo
from torch import nn


def lenet(size: int, classes: int) -> nn.Sequential:
    """LeNet-5 (LeCun et al. 1998) with ReLU and maximum pooling, on colour pictures."""
    side = ((size // 2) - 4) // 2
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * side * side, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


def mobilenet_v1(classes: int) -> nn.Sequential:
    """MobileNetV1 at width 1 (Howard et al. 2017, table 1)."""

    def normalised(layer: nn.Conv2d) -> list[nn.Module]:
        return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()]

    layers = normalised(nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False))
    channels = 32
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    blocks += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    for filters, stride in blocks:
        depthwise = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
        layers += normalised(depthwise)
        layers += normalised(nn.Conv2d(channels, filters, 1, bias=False))
        channels = filters
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return nn.Sequential(*layers, *pool)


# Small networks first.
NETWORKS = {
    "lenet": None,
    "squeezenet": "squeezenet1_1",
    "mobilenet_v1": None,
    "mobilenet_v2": "mobilenet_v2",
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
    "alexnet": "alexnet",
    "vgg16": "vgg16",
}


def build(name: str, size: int, classes: int, trained: bool) -> nn.Module:
    """The network, ready to answer."""
    if name == "lenet":
        return lenet(size, classes)
    if name == "mobilenet_v1":
        return mobilenet_v1(classes)
    constructor = getattr(zoo, NETWORKS[name])
    if trained:
        return constructor(weights="DEFAULT")
    return constructor(weights=None, num_classes=classes)


def settle(network: nn.Module, pictures: torch.Tensor) -> None:
    """Draw weights, and let batch normalisations see pictures."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=0.01)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.0)
            nn.init.normal_(layer.bias, std=0.1)
            # The running statistics become those of the pictures.
            layer.momentum = 1.0
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    with torch.no_grad():
        network(pictures)


def export(network: nn.Module, picture: torch.Tensor, path: pathlib.Path, arguments) -> None:
    """Write the network with a free batch."""
    torch.onnx.export(
        network,
        (picture,),
        str(path),
        input_names=["picture"],
        output_names=["scores"],
        opset_version=arguments.opset,
        **(
            {"dynamo": True, "external_data": False, "dynamic_shapes": ({0: "batch"},)}
            if arguments.exporter == "dynamo"
            else {"dynamo": False, "dynamic_axes": {"picture": {0: "batch"}, "scores": {0: "batch"}}}
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("networks", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)} [default: all]")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for the files")
    parser.add_argument("--size", type=int, default=224, help="height and width of the pictures")
    parser.add_argument("--classes", type=int, default=1000, help="classes of random networks")
    parser.add_argument("--count", type=int, default=4, help="pictures to write")
    parser.add_argument("--seed", type=int, default=1, help="of random weights and pictures")
    parser.add_argument("--trained", action="store_true", help="torchvision's weights, by download")
    parser.add_argument("--exporter", choices=["dynamo", "torchscript"], default="dynamo")
    parser.add_argument("--opset", type=int, default=18, help="ONNX operator set")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.networks if name not in NETWORKS]
    if unknown:
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")

    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    shape = (arguments.count, 3, arguments.size, arguments.size)
    pictures = torch.randn(shape)
    numpy.save(arguments.output / "pictures.npy", pictures.numpy())
    for name in arguments.networks or NETWORKS:
        torch.manual_seed(arguments.seed)
        network = build(name, arguments.size, arguments.classes, arguments.trained)
        if not (arguments.trained and NETWORKS[name]):
            settle(network, torch.randn(shape))
        network.eval()
        path = arguments.output / f"{name}.onnx"
        # Two pictures: an exporter may take a dimension of 1 for fixed.
        export(network, torch.randn(2, *shape[1:]), path, arguments)
        print(f"{path}: {sum(p.numel() for p in network.parameters()):,} parameters, {path.stat().st_size:,} bytes")
        try:
            import onnxruntime
        except ImportError:
            continue
        answers = onnxruntime.InferenceSession(str(path)).run(None, {"picture": pictures.numpy()})[0]
        numpy.save(arguments.output / f"{name}.expected.npy", answers)
        with torch.no_grad():
            difference = (network(pictures) - torch.from_numpy(answers)).abs().max()
        print(f"  ONNX Runtime differs from PyTorch by at most {difference:.1e}")


if __name__ == "__main__":
    main()
