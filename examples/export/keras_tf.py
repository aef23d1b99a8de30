import keras, numpy, tensorflow as tf, tf2onnx

keras.utils.set_random_seed(1)
network = keras.Sequential([
    keras.Input((28, 28, 1)),
    keras.layers.Conv2D(16, 3, padding="same"), keras.layers.BatchNormalization(), keras.layers.ReLU(),
    keras.layers.MaxPooling2D(),
    keras.layers.Conv2D(32, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D(),
    keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(10, activation="softmax"),
])
# … network.compile(…); network.fit(…) …

signature = [tf.TensorSpec((None, 28, 28, 1), tf.float32, name="picture")]
run = tf.function(lambda picture: network(picture, training=False), input_signature=signature)
tf2onnx.convert.from_function(
    run, signature, opset=18, output_path="keras.onnx",
    inputs_as_nchw=["picture"],   # pictures as [N, channels, height, width]
)
pictures = numpy.random.default_rng(1).standard_normal((16, 28, 28, 1), dtype="float32")
numpy.save("keras_pictures.npy", pictures.transpose(0, 3, 1, 2))
numpy.save("keras_expected.npy", network.predict(pictures, verbose=0))
