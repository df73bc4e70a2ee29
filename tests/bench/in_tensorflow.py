"""Runs under genuine TensorFlow 2.15 (see convert.py):  in_tensorflow.py NAME FOLDER

Reads NAME.json, NAME_weights.buf and NAME_metadata.json, x.f32 and io.json in FOLDER; writes NAME.tflite, NAME.onnx,
y.f32 where it is not there, and converted.json: for each kind "" or the reason why there is none.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

name, folder = sys.argv[1], Path(sys.argv[2])
io = json.loads((folder / "io.json").read_text())
SIZES = {"float32": "<f4", "float16": "<f2", "uint8": "u1"}


def weights_by_layer():
    """{layer: its weights in the file's order}, as float32."""
    data, found = (folder / f"{name}_weights.buf").read_bytes(), {}
    for w in json.loads((folder / f"{name}_metadata.json").read_text()):
        a = np.frombuffer(data, SIZES[w["type"]], int(np.prod(w["shape"])), w["offset"]).reshape(w["shape"])
        if "quantization" in w:
            a = a.astype("f4") * np.float32(w["quantization"]["scale"]) + np.float32(w["quantization"]["min"])
        found.setdefault(w["layer_name"], []).append(a.astype("f4"))
    return found


def sized(spec):
    """The architecture for exactly the bench's input: the converters want sizes."""
    for layer in spec["config"]["layers"] if isinstance(spec["config"], dict) else spec["config"]:
        if "batch_input_shape" in layer["config"]:
            layer["config"]["batch_input_shape"] = io["input"]
    return spec


model = tf.keras.models.model_from_json(json.dumps(sized(json.loads((folder / f"{name}.json").read_text()))))
weights = weights_by_layer()
for layer in model.layers:
    if layer.weights:
        layer.set_weights(weights.pop(layer.name))
assert not weights, f"nobody took the weights of {sorted(weights)}"

x = np.fromfile(folder / "x.f32", "<f4")[: int(np.prod(io["input"]))].reshape(io["input"])
y = model.predict(x, verbose=0)
if (folder / "y.f32").exists():
    expected = np.fromfile(folder / "y.f32", "<f4")[: y.size].reshape(y.shape)
    error = float(abs(y - expected).max() / abs(expected).max())
    assert error < 1e-4, f"the model built from the files answers {error} away from the golden"
else:
    y.astype("<f4").tofile(folder / "y.f32")


def tflite():
    call = tf.function(lambda x: model(x, training=False))
    concrete = call.get_concrete_function(tf.TensorSpec(io["input"], tf.float32))
    converted = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model).convert()
    (folder / f"{name}.tflite").write_bytes(converted)


def onnx():
    import tf2onnx

    signature = [tf.TensorSpec(io["input"], tf.float32, name="x")]
    tf2onnx.convert.from_keras(model, signature, opset=15, output_path=str(folder / f"{name}.onnx"))


told = {}
for kind, make in (("tflite", tflite), ("onnx", onnx)):
    try:
        make()
        told[kind] = ""
    except Exception as error:  # a converter may raise anything: that is a result too
        told[kind] = f"TensorFlow's converter says: {type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
(folder / "converted.json").write_text(json.dumps(told))
