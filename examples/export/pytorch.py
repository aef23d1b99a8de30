import numpy, torch
from torch import nn

torch.manual_seed(1)
network = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dropout(), nn.Linear(32 * 7 * 7, 10),
)
# … train it …
network.eval()

picture = torch.randn(2, 1, 28, 28)  # two: an exporter may take a dimension of 1 for fixed
torch.onnx.export(
    network, (picture,), "torch.onnx",
    input_names=["picture"], output_names=["scores"],
    opset_version=18, dynamo=True, external_data=False,
    dynamic_shapes=({0: "batch"},),
)
numpy.save("pictures.npy", torch.randn(16, 1, 28, 28).numpy())
