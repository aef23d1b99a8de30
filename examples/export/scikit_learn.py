import numpy
from skl2onnx import to_onnx
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pictures, labels = load_digits(return_X_y=True)
pictures = pictures.astype("float32")
mlp = make_pipeline(StandardScaler(), MLPClassifier((64, 32), max_iter=300, random_state=1))
logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
for name, model in [("mlp", mlp), ("logistic", logistic)]:
    model.fit(pictures[:1500], labels[:1500])
    onnx = to_onnx(
        model, pictures[:1], options={"zipmap": False}, target_opset=18,
        black_op={"Scaler", "LinearClassifier", "Normalizer"},  # plain ONNX in their place
    )
    onnx = select_model_inputs_outputs(onnx, outputs=["probabilities"])
    open(f"sklearn_{name}.onnx", "wb").write(onnx.SerializeToString())
    print([n.op_type for n in onnx.graph.node], [o.name for o in onnx.graph.output])
numpy.save("sklearn_pictures.npy", pictures[1500:])
numpy.save("sklearn_labels.npy", labels[1500:])
