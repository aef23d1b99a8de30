"""How far ONNX Runtime is from itself, and from other outputs of the same model.

Runs MODEL on INPUT (.npy) once per level of graph optimisation, which changes the order and the fusing of
its sums in single precision and not the function, and prints the largest differences between the levels and to each OTHER (.npy), in
absolute terms and relative to the largest output.

    pip install onnxruntime numpy
    python onnxruntime_spread.py MODEL.onnx INPUT.npy [OTHER.npy ...]
"""

import itertools
import sys

import numpy
import onnxruntime

LEVELS = ["DISABLE_ALL", "ENABLE_BASIC", "ENABLE_ALL"]


def outputs(model, pictures, level):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_{level}")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    # A model whose batch is a number is run a batch at a time.
    batch = port.shape[0] if isinstance(port.shape[0], int) else len(pictures)
    parts = [pictures[start : start + batch] for start in range(0, len(pictures), batch)]
    return numpy.concatenate([session.run(None, {port.name: part})[0] for part in parts])


if len(sys.argv) < 3:
    sys.exit(__doc__)
model, pictures, *others = sys.argv[1:]
pictures = numpy.load(pictures).astype(numpy.float32)
runs = {f"ORT {level}": outputs(model, pictures, level).astype(float) for level in LEVELS}
given = {name: numpy.load(name).astype(float).reshape(runs["ORT ENABLE_ALL"].shape) for name in others}
largest = max(abs(run).max() for run in runs.values())
print(f"{model}, {len(pictures)} inputs, onnxruntime {onnxruntime.__version__}, outputs to {largest:.0f}")
for (name, one), (other, two) in itertools.combinations((runs | given).items(), 2):
    error = abs(one - two)
    beyond = (error > 1e-3).sum()
    print(
        f"{name} - {other}: at most {error.max():.1e} ({error.max() / largest:.1e} of the largest), "
        f"{beyond} of {error.size} beyond 1e-3"
    )
