//! ONNX import, graph, plan and the executor over any back end.
