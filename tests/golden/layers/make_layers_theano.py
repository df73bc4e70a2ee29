"""Make the golden files of Keras 2 on Theano:  KERAS_BACKEND=theano python make_layers_theano.py   with Keras 2.1.2 and Theano 1.0.5

Writes keras2.1.2-theano/<Class>.npz beside itself (layout: golden_file.py). Theano turns convolution kernels around and pads "same" in its
own way; such a file says "backend": "theano", in its JSON and in its HDF5.
"""

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
os.environ["KERAS_BACKEND"] = "theano"
import theano.ifelse  # noqa: F401
import golden_file
import keras
import keras.layers as L
import numpy as np
from weights import uniform

FIRST = {"data_format": "channels_first"}
TABLES = {
    "Conv1D": [({"filters": 4, "kernel_size": 3}, (7, 3)), ({"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, (8, 3)),
               ({"filters": 2, "kernel_size": 2, "padding": "causal", "dilation_rate": 2}, (7, 2))],
    "Conv2D": [({"filters": 4, "kernel_size": (3, 2)}, (6, 7, 3)), ({"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2}, (6, 8, 2)),
               ({"filters": 3, "kernel_size": 2, "padding": "same", "use_bias": False}, (5, 6, 2)), (dict(FIRST, filters=2, kernel_size=3), (3, 5, 6))],
    "Conv3D": [({"filters": 3, "kernel_size": (2, 3, 2)}, (4, 5, 6, 2))],
    "Conv2DTranspose": [({"filters": 3, "kernel_size": 3}, (4, 5, 2)), ({"filters": 2, "kernel_size": 3, "strides": 2}, (4, 5, 3)),
                        ({"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, (4, 5, 3))],
    "ConvLSTM2D": [({"filters": 2, "kernel_size": 3, "padding": "same", "return_sequences": True}, (3, 5, 4, 2))],
    "MaxPooling2D": [({"pool_size": 3, "strides": 2, "padding": "same"}, (7, 8, 2)), ({"pool_size": 2, "padding": "same"}, (5, 6, 2))],
    "AveragePooling2D": [({"pool_size": 3, "strides": 2, "padding": "same"}, (7, 8, 2))],
}


def coarse(name, shape):
    return np.round(uniform(name, shape, -1, 1) * 64).astype("float32") / 64


def make_case(class_name, number, options, shape):
    name = "{:02d}_{}".format(number, "_".join("{}={}".format(k, options[k]) for k in sorted(options))).replace(" ", "")
    model = keras.models.Sequential([getattr(L, class_name)(input_shape=shape, **options)])
    weights = [coarse("{}{}/{}".format(class_name, name, i), w.shape) for i, w in enumerate(model.get_weights())]
    model.set_weights(weights)
    x = coarse(class_name + name + "/x", (3,) + shape)
    named = [(layer.name, v.name, w) for layer in model.layers for v, w in zip(layer.weights, weights)]
    return golden_file.Case(name, json.loads(model.to_json()), named, [(model.input_names[0], x)], [("0", model.predict(x))])


for class_name, rows in TABLES.items():
    cases = []
    for number, (options, shape) in enumerate(rows):
        try:
            cases.append(make_case(class_name, number, options, shape))
        except Exception as e:
            print("{} {}: Keras does not do it: {}: {}".format(class_name, options, type(e).__name__, str(e).strip().split("\n")[0][:150]))
    folder = HERE / "keras{}-theano".format(keras.__version__)
    folder.mkdir(exist_ok=True)
    golden_file.write(folder / (class_name + ".npz"), keras.__version__, cases)
    print(class_name, len(cases), "cases", flush=True)
