"""Trains the networks of this folder on drawn digits and exports them to ONNX.

    cargo run --release -p trefoil-digits -- --count 20000 --seed 1 --output target/train.npz
    cargo run --release -p trefoil-digits -- --count 5000 --seed 2 --output target/test.npz
    python examples/digits/train.py --train target/train.npz --test target/test.npz \\
        --output examples/digits

Writes digits.onnx, lenet5.onnx, norm.onnx and reference.npz (see README.md), after checking that
ONNX Runtime computes the same as PyTorch, and prints the accuracy of each on the test set.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

# Largest difference between PyTorch and ONNX Runtime that rounding of f32 explains.
TOLERANCE = 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True, help="drawn digits to train on")
    parser.add_argument("--test", type=Path, required=True, help="drawn digits of another seed")
    parser.add_argument("--output", type=Path, required=True, help="folder for the files")
    parser.add_argument("--seed", type=int, default=1, help="seed of weights and batches")
    arguments = parser.parse_args()
    train, test = read(arguments.train), read(arguments.test)
    results = {}
    for name, build, epochs, export, limit in (
        ("digits", digits, 12, export_with_dynamo, 300_000),
        ("lenet5", lenet5, 2, export_from_trace, 300_000),
        ("norm", norm, 2, export_with_normalization, 50_000),
        # How hard the pictures are for a network without convolutions.
        ("perceptron", perceptron, 12, None, None),
    ):
        torch.manual_seed(arguments.seed)
        network = build()
        fit(network, *train, epochs)
        size = sum(weight.numel() for weight in network.parameters())
        print(f"{name}: {size} parameters, accuracy {accuracy(network, *test):.4f}")
        if export is None:
            continue
        model = export(network, test[0][:2])
        path = arguments.output / f"{name}.onnx"
        write(model, path, limit)
        results[name] = check(network, path, test[0])[:8]
    pictures, labels = test[0][:8].numpy(), test[1][:8].numpy().astype(np.uint8)
    np.savez(arguments.output / "reference.npz", pictures=pictures, labels=labels, **results)


def digits():
    """The demo's network: two convolutions, two dense layers, logits out."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def lenet5():
    """LeNet-5 (LeCun et al. 1998), with ReLU and max pooling as it is built today."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def norm():
    """The other common layers: both batch normalizations, average pooling, dropout, softmax."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AvgPool2d(3, stride=2, padding=1),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(392, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Linear(16, 10),
        nn.Softmax(1),
    )


def perceptron():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def read(path):
    """Pictures [count, 1, 28, 28] in [0, 1] and labels [count]."""
    with np.load(path) as archive:
        return torch.from_numpy(archive["pictures"]), torch.from_numpy(archive["labels"]).long()


def fit(network, pictures, labels, epochs, batch=100):
    # The loss takes logits, so a softmax at the end is for inference alone.
    logits = network[:-1] if isinstance(network[-1], nn.Softmax) else network
    steps = epochs * (len(pictures) // batch)
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(pictures))
        for chosen in order[: len(order) - len(order) % batch].split(batch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits(pictures[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    network.eval()


@torch.no_grad()
def accuracy(network, pictures, labels):
    return (network(pictures).argmax(1) == labels).float().mean().item()


def export_with_dynamo(network, example):
    """By PyTorch's present exporter."""
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        opset_version=18,
        input_names=["pictures"],
        output_names=[output_name(network)],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    return program.model_proto


def export_from_trace(network, example):
    """By PyTorch's older exporter, from which most models in use came.

    Nothing is folded: every layer of the network is a node of the file.
    """
    content = io.BytesIO()
    output = output_name(network)
    torch.onnx.export(
        network,
        (example,),
        content,
        dynamo=False,
        opset_version=17,
        input_names=["pictures"],
        output_names=[output],
        dynamic_axes={"pictures": {0: "batch"}, output: {0: "batch"}},
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    return onnx.load_from_string(content.getvalue())


def export_with_normalization(network, example):
    """As a trace, and with the dropout in it.

    PyTorch leaves dropout out of a network in evaluation mode; other exporters write the node,
    which does nothing at inference. It goes in again where the network has it.
    """
    model = export_from_trace(network, example)
    nodes = model.graph.node
    place, flatten = next((i, n) for i, n in enumerate(nodes) if n.op_type == "Flatten")
    ratio = onnx.helper.make_tensor("ratio", onnx.TensorProto.FLOAT, [], [0.25])
    model.graph.initializer.append(ratio)
    flat = flatten.output[0]
    for node in nodes:
        node.input[:] = ["dropped" if name == flat else name for name in node.input]
    nodes.insert(place + 1, onnx.helper.make_node("Dropout", [flat, "ratio"], ["dropped"]))
    for kind in ("BatchNormalization", "AveragePool", "Dropout", "Softmax"):
        assert any(node.op_type == kind for node in nodes), f"no {kind} in the file"
    return model


def output_name(network):
    return "probabilities" if isinstance(network[-1], nn.Softmax) else "logits"


def write(model, path, limit):
    """Writes a checked model without its traces of the machine it was made on."""
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for part in (model, graph, *graph.node, *values):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    assert len(content) < limit, f"{path} would have {len(content)} bytes, more than {limit}"
    path.write_bytes(content)


@torch.no_grad()
def check(network, path, pictures):
    """The file's outputs for all pictures, by ONNX Runtime; they must be those of PyTorch."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = (entry.name for entry in session.get_inputs())
    (outputs,) = session.run(None, {name: pictures.numpy()})
    (single,) = session.run(None, {name: pictures[:1].numpy()})
    expected = network(pictures).numpy()
    error = max(np.abs(outputs - expected).max(), np.abs(single - expected[:1]).max())
    size = path.stat().st_size
    print(f"  {path.name}: {size} bytes, ONNX Runtime within {error:.1e} of PyTorch")
    if not error < TOLERANCE:
        raise SystemExit(f"{path}: ONNX Runtime differs from PyTorch by {error}")
    return outputs


if __name__ == "__main__":
    main()
