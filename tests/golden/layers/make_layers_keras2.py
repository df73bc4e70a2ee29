"""Make the golden files of Keras 2 layers:  python make_layers_keras2.py [CLASS...]

Run it with Keras 2.15 and again with Keras 2.1.2.  Writes keras<version>/<Class>.npz beside itself (layout:
golden_file.py) from the rows of rows_keras2.py; what a Keras version does not know is left out and said.
Numbers are multiples of 1/64, so that files stay small and values meet thresholds exactly.

channels_first: where TensorFlow's CPU refuses it, or contradicts its own channels_last result, the outputs are those of
the same layer with channels_last and moved axes, and the case's notes say so.
"""

# ruff: noqa: B905, E402  (Python 3.6 has no strict zip; the paths and TensorFlow's log level come first)
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
import rows_keras2
from weights import uniform

K, L = keras.backend, keras.layers
ACTIVATIONS = ["linear", "relu", "sigmoid", "hard_sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign"]
LATER_ACTIVATIONS = ["exponential", "gelu", "swish", "mish"]


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
        seed = f"{case_name}/{len(values)}/{role}"
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
    parts = [f"{number:02d}"] + ["x".join(map(str, s)) for s in shapes]
    parts += [f"{k}={options[k]}" for k in sorted(options)]
    name = "_".join(parts).replace(" ", "").replace("/", "")
    batch = 1 if number % 2 else 3
    model = build(class_name, options, shapes)
    weights = fill(model, class_name + name)
    x = [coarse(f"{class_name}{name}/x{i}", (batch, *tuple(s)), 2) for i, s in enumerate(shapes)]
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
    return golden_file.Case(
        name, config, [(*n, w) for n, w in zip(names, weights)], list(zip(ins, x)), list(zip(outs, y)), notes
    )


def main(wanted):
    folder = HERE / ("keras" + keras.__version__)
    folder.mkdir(exist_ok=True)
    known = [a for a in ACTIVATIONS + LATER_ACTIVATIONS if hasattr(keras.activations, a)]
    rows = rows_keras2.table(known)
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
        print(f"{class_name}: {len(cases)} cases, {twins} by the channels_last twin", *left_out, sep="\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
