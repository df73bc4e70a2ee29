"""Make the golden files of Keras 2 layers:  python make_layers_keras2.py [CLASS...]   with Keras 2.15, and again with Keras 2.1.2

Writes keras<version>/<Class>.npz beside itself (layout: golden_file.py).  The rows below say class, options and input shapes; what a
Keras version does not know is left out and said.  Sizes are odd on purpose: 1, 3, 4, 5, 7, 13 channels; 1, 3, 7, 8, 9, 17 pixels.
Numbers are multiples of 1/64, so that files stay small and values meet thresholds exactly.

channels_first: where TensorFlow's CPU refuses it, or contradicts its own channels_last result, the outputs are those of the same layer
with channels_last and moved axes, and the case's notes say so.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
import golden_file
import keras
import numpy as np
from weights import uniform

K, L = keras.backend, keras.layers
ACTIVATIONS = [a for a in ("linear relu sigmoid hard_sigmoid tanh softmax elu selu softplus softsign exponential gelu swish mish leaky_relu "
                           "relu6 silu").split() if hasattr(keras.activations, a)]
FIRST = {"data_format": "channels_first"}


def coarse(name, shape, limit):
    return np.round(uniform(name, shape, -limit, limit) * 64).astype("float32") / 64


def find(class_name):
    if hasattr(L, class_name):
        return getattr(L, class_name)
    return getattr(keras.applications.mobilenet, class_name)  # where Keras 2.1 keeps DepthwiseConv2D


def build(class_name, options, shapes):
    """Return a model of one layer: Sequential for one input, functional for several."""
    K.clear_session()
    make = find(class_name)
    if len(shapes) == 1:
        return keras.models.Sequential([make(input_shape=shapes[0], **options)])
    inputs = [L.Input(shape) for shape in shapes]
    return keras.models.Model(inputs, make(**options)(inputs))


def named_weights(model):
    return [(layer.name, v.name) for layer in model.layers for v in layer.weights]


def fill(model, case_name):
    """Give the model coarse weights and return them; variances are positive."""
    values = []
    for (_, name), value in zip(named_weights(model), model.get_weights()):
        role, shape = name.split("/")[-1].split(":")[0], value.shape
        seed = "{}/{}/{}".format(case_name, len(values), role)
        if role in ("gamma", "moving_variance"):
            values.append(coarse(seed, shape, 0.5) + 1)
        elif role in ("beta", "bias", "moving_mean"):
            values.append(coarse(seed, shape, 0.5))
        else:
            fan = np.prod(shape[:2] if role == "depthwise_kernel" else shape[:-1])
            values.append(coarse(seed, shape, min(1.0, (4.0 / fan) ** 0.5)))
    model.set_weights(values)
    return values


def predict(model, x):
    y = model.predict(x if len(x) > 1 else x[0], batch_size=len(x[0]))
    return y if isinstance(y, list) else [y]


def moved(a):
    """Turn channels_first into channels_last, of a batch; arrays of other rank stay."""
    return np.transpose(a, (0, 2, 3, 1)) if a.ndim == 4 else a


def twin_outputs(class_name, options, x, weights):
    """Return what the channels_last twin answers, its axes moved back."""
    model = build(class_name, dict(options, data_format="channels_last"), [moved(a).shape[1:] for a in x])
    model.set_weights(weights)
    return [np.transpose(y, (0, 3, 1, 2)) if y.ndim == 4 else y for y in predict(model, [moved(a) for a in x])]


def make_case(number, class_name, options, shapes, values=None):
    """Build one row's model, fill it, ask it, and return a Case."""
    parts = ["{:02d}".format(number)] + ["x".join(map(str, s)) for s in shapes]
    parts += ["{}={}".format(k, options[k]) for k in sorted(options)]
    name = "_".join(parts).replace(" ", "").replace("/", "")
    batch = 1 if number % 2 else 3
    model = build(class_name, options, shapes)
    weights = fill(model, class_name + name)
    x = [coarse("{}{}/x{}".format(class_name, name, i), (batch,) + tuple(s), 2) for i, s in enumerate(shapes)]
    if values is not None:
        x = [np.resize(np.array(values, "float32"), a.shape) for a in x]
    config, names = json.loads(model.to_json()), named_weights(model)
    ins, outs = model.input_names, model.output_names
    notes, y = {}, None
    try:
        y = predict(model, x)
    except Exception:
        if options.get("data_format") != "channels_first":
            raise
    if options.get("data_format") == "channels_first" and class_name != "Flatten":
        twin = twin_outputs(class_name, options, x, weights)
        if y is None or any(np.abs(a - b).max() > 1e-5 for a, b in zip(y, twin)):
            notes["outputs_of"] = "channels_last twin"
            y = twin
    assert all(np.isfinite(a).all() for a in y), name
    return golden_file.Case(name, config, [(*n, w) for n, w in zip(names, weights)], list(zip(ins, x)), list(zip(outs, y)), notes)


EDGES = [-100, -89, -20, -6, -3, -2.5, -1, -0.5, -1 / 64, 0, 1 / 64, 0.5, 1, 2.5, 3, 6, 5.984375, 20, 100]
CONV = [  # what Conv2D, SeparableConv2D and DepthwiseConv2D share
    ({"kernel_size": 1}, (1, 1, 1)), ({"kernel_size": 1}, (7, 8, 13)), ({"kernel_size": 3}, (3, 3, 4)), ({"kernel_size": 3}, (9, 17, 3)),
    ({"kernel_size": 3, "padding": "same"}, (7, 9, 5)), ({"kernel_size": 3, "padding": "same", "use_bias": False}, (1, 1, 7)),
    ({"kernel_size": (2, 5), "padding": "same", "activation": "relu"}, (8, 7, 1)), ({"kernel_size": (1, 7)}, (3, 17, 4)),
    ({"kernel_size": (4, 2), "padding": "same"}, (17, 3, 3)),
    ({"kernel_size": 3, "strides": 2}, (9, 8, 4)), ({"kernel_size": 3, "strides": 2, "padding": "same"}, (9, 8, 5)),
    ({"kernel_size": 3, "strides": 2, "padding": "same", "activation": "tanh"}, (8, 17, 3)), ({"kernel_size": 2, "strides": 3}, (17, 9, 1)),
    ({"kernel_size": 1, "strides": 2, "padding": "same"}, (7, 7, 4)), ({"kernel_size": 5, "strides": 3, "padding": "same"}, (8, 9, 7)),
    ({"kernel_size": 3, "dilation_rate": 2}, (9, 9, 3)), ({"kernel_size": 3, "dilation_rate": 2, "padding": "same"}, (8, 7, 4)),
    ({"kernel_size": 3, "dilation_rate": 3, "padding": "same"}, (3, 17, 1))]
CONV_FIRST = [({"kernel_size": 3, "padding": "same"}, (5, 7, 9)), ({"kernel_size": (3, 2), "strides": 2}, (4, 9, 8)),
              ({"kernel_size": 3, "strides": 2, "padding": "same"}, (3, 8, 7)), ({"kernel_size": 3, "dilation_rate": 2}, (1, 9, 9))]
POOL = [({}, (7, 8, 5)), ({"pool_size": 2}, (1, 1, 3), "same"), ({"pool_size": 3, "strides": 2}, (9, 17, 4)),
        ({"pool_size": 3, "strides": 2}, (9, 8, 13), "same"), ({"pool_size": (2, 3), "strides": 1}, (7, 9, 3), "same"),
        ({"pool_size": (3, 1)}, (8, 3, 1)), ({"pool_size": 2, "strides": (1, 3)}, (3, 17, 7)), ({"pool_size": 5, "strides": 3}, (8, 9, 4), "same"),
        ({"pool_size": 2, "strides": 3}, (8, 8, 4)), (dict(FIRST, pool_size=2), (5, 7, 8)), (dict(FIRST, pool_size=3, strides=2), (3, 9, 8), "same")]
GLOBAL = [({}, (7, 9, 5)), ({}, (1, 1, 13)), ({}, (17, 3, 4)), (FIRST, (3, 7, 8)), ({"keepdims": True}, (8, 7, 3)), (dict(FIRST, keepdims=True), (4, 3, 9))]
MERGE = [[(5,), (5,)], [(7, 9, 4), (7, 9, 4)], [(3, 8, 13), (3, 8, 13), (3, 8, 13)], [(1, 1, 7), (3, 17, 7)], [(8, 3), (8, 1)], [(1,), (9, 3, 5)],
         [(17, 1, 1), (17, 1, 1), (17, 1, 1), (17, 1, 1)]]


def pools():
    return [(dict(row[0], padding=row[2]) if len(row) > 2 else row[0], [row[1]]) for row in POOL]


def one(rows):
    return [(options, [shape]) for options, shape in rows]


def with_filters(rows, counts=(1, 3, 4, 5, 7, 13)):
    return [(dict(options, filters=counts[i % len(counts)]), [shape]) for i, (options, shape) in enumerate(rows)]


def firsts():
    return [(dict(options, **FIRST), shape) for options, shape in CONV_FIRST]


def table():
    """Return {class name: [(options, input shapes)] or [(options, input shapes, input values)]}."""
    return {
        "Dense": one([({"units": 1}, (1,)), ({"units": 13}, (3,)), ({"units": 4, "use_bias": False}, (17,)), ({"units": 7}, (8, 5)),
                      ({"units": 3}, (3, 7, 13)), ({"units": 5, "activation": "softmax"}, (9,)), ({"units": 9, "activation": "softmax"}, (7, 4))]
                     + [({"units": 5, "activation": a}, (7,)) for a in ACTIVATIONS]),
        "Activation": [({"activation": a}, [s], EDGES[:-1] if a == "exponential" else EDGES) for a in ACTIVATIONS for s in ((19,), (3, 7, 5))]
        + one([({"activation": "softmax"}, s) for s in ((1,), (17,), (9, 4), (3, 7, 13), (7, 8, 1))]),
        "Dropout": one([({"rate": 0.5}, (5,)), ({"rate": 0.25}, (7, 9, 3)), ({"rate": 0.1, "noise_shape": (None, 1, 4)}, (8, 4))]),
        "Flatten": one([({}, (1,)), ({}, (7, 5)), ({}, (3, 8, 13)), ({}, (9, 17, 1)), ({}, (1, 1, 7)), (FIRST, (5, 7, 3)), (FIRST, (4, 9))]),
        "Reshape": one([({"target_shape": (5, 3)}, (15,)), ({"target_shape": (-1,)}, (7, 3, 4)), ({"target_shape": (3, -1)}, (9, 7)),
                        ({"target_shape": (-1, 2, 13)}, (13, 8)), ({"target_shape": (1, 1, 17)}, (17,)), ({"target_shape": (8, 9, 1)}, (9, 8)),
                        ({"target_shape": (7, 4, -1, 1)}, (4, 7, 5))]),
        "Conv2D": with_filters(CONV + firsts()) + one([
            ({"filters": 4, "kernel_size": 3, "groups": 2}, (7, 9, 4)), ({"filters": 9, "kernel_size": 3, "groups": 3, "padding": "same"}, (8, 3, 3)),
            ({"filters": 10, "kernel_size": 2, "groups": 5, "strides": 2, "activation": "relu"}, (9, 9, 5)),
            ({"filters": 14, "kernel_size": 1, "groups": 7, "use_bias": False}, (3, 17, 7)),
            ({"filters": 5, "kernel_size": 3, "strides": (1, 2)}, (7, 9, 3)), ({"filters": 3, "kernel_size": 3, "strides": (3, 1), "padding": "same"}, (8, 8, 4)),
            ({"filters": 7, "kernel_size": 3, "dilation_rate": (2, 1)}, (9, 3, 5)), ({"filters": 4, "kernel_size": (2, 3), "dilation_rate": (1, 3), "padding": "same"}, (3, 17, 1)),
            ({"filters": 6, "kernel_size": 3, "groups": 2, "dilation_rate": 2, "padding": "same"}, (7, 8, 26)),
            (dict(FIRST, filters=6, kernel_size=3, groups=3), (9, 7, 8))] + [
            ({"filters": 5, "kernel_size": 2, "activation": a}, (3, 4, 3)) for a in ACTIVATIONS]),
        "SeparableConv2D": with_filters(CONV + firsts() + [
            ({"kernel_size": 3, "depth_multiplier": 2}, (7, 9, 3)), ({"kernel_size": 3, "depth_multiplier": 3, "padding": "same"}, (8, 3, 5)),
            ({"kernel_size": 2, "depth_multiplier": 4, "strides": 2, "activation": "relu"}, (9, 9, 1))]),
        "DepthwiseConv2D": one(CONV + firsts() + [
            ({"kernel_size": 3, "depth_multiplier": 2}, (7, 9, 3)), ({"kernel_size": 3, "depth_multiplier": 3, "padding": "same"}, (8, 3, 5)),
            ({"kernel_size": 2, "depth_multiplier": 5, "strides": 2, "activation": "relu"}, (9, 9, 1)),
            ({"kernel_size": 3, "depth_multiplier": 4, "use_bias": False}, (3, 17, 13))]),
        "BatchNormalization": one([({}, (13,)), ({}, (7, 9, 5)), ({"epsilon": 0.1}, (1, 17, 3)), ({"scale": False}, (3, 8, 4)),
                                   ({"center": False}, (8, 7, 1)), ({"scale": False, "center": False}, (7, 7, 7)), ({"axis": 1}, (5, 3, 9)),
                                   ({"axis": 2}, (3, 5, 8)), ({"axis": 3}, (7, 3, 13)), ({"axis": 1}, (17, 4)), ({}, (9, 5)), ({"axis": -2}, (3, 7, 4)),
                                   ({"axis": [1, 3]}, (3, 8, 5))]),
        "MaxPooling2D": pools(), "AveragePooling2D": pools(), "GlobalMaxPooling2D": one(GLOBAL), "GlobalAveragePooling2D": one(GLOBAL),
        "Add": [({}, shapes) for shapes in MERGE],
        "Concatenate": [({}, [(5,), (3,)]), ({}, [(7, 9, 4), (7, 9, 8)]), ({}, [(3, 8, 13), (3, 8, 1), (3, 8, 5)]), ({"axis": 3}, [(1, 17, 3), (1, 17, 7)]),
                        ({"axis": 1}, [(7, 8, 5), (3, 8, 5)]), ({"axis": 2}, [(3, 9, 4), (3, 7, 4), (3, 1, 4)]), ({"axis": -2}, [(8, 17, 3), (8, 3, 3)]),
                        ({"axis": 1}, [(9, 7), (1, 7)]), ({"axis": -1}, [(1, 1, 1), (1, 1, 4)]), ({"axis": -3}, [(1, 7, 13), (4, 7, 13)])],
        "ZeroPadding2D": one([({}, (7, 9, 5)), ({"padding": 3}, (1, 1, 4)), ({"padding": (0, 2)}, (3, 8, 13)), ({"padding": ((1, 2), (3, 0))}, (7, 17, 3)),
                              ({"padding": ((0, 1), (0, 1))}, (8, 8, 7)), ({"padding": ((0, 0), (0, 9))}, (9, 3, 1)),
                              (dict(FIRST, padding=((2, 0), (1, 3))), (5, 7, 8))]),
        "ReLU": [(o, [(3, 7, 5)], EDGES) for o in ({}, {"max_value": 6.0}, {"negative_slope": 0.25}, {"threshold": 1.0}, {"max_value": 0.0},
                                                  {"max_value": 6.0, "negative_slope": 0.5}, {"max_value": 3.0, "negative_slope": 0.25, "threshold": 0.5})] + one([({}, (13,)), ({"max_value": 1.0}, (8, 17, 4))]),
        "Softmax": one([({}, (17,)), ({}, (7, 4)), ({"axis": 1}, (3, 9)), ({"axis": 1}, (8, 3, 5)), ({"axis": 2}, (7, 9, 13)), ({"axis": -1}, (3, 1, 1)),
                        ({"axis": -2}, (5, 7, 4)), ({"axis": [1, 2]}, (3, 8, 7))])}


def main(wanted):
    folder = HERE / ("keras" + keras.__version__)
    folder.mkdir(exist_ok=True)
    rows = table()
    for class_name in wanted or rows:
        cases, left_out = [], []
        for number, row in enumerate(rows[class_name]):
            try:
                cases.append(make_case(number, class_name, *row))
            except Exception as error:
                left_out.append("  left out {} {}: {}".format(*row[:2], str(error).strip().split("\n")[0][:110]))
        if cases:
            golden_file.write(folder / (class_name + ".npz"), keras.__version__, cases)
        twins = sum("outputs_of" in case.notes for case in cases)
        print("{}: {} cases, {} by the channels_last twin".format(class_name, len(cases), twins), *left_out, sep="\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
