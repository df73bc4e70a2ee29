"""Make the golden models with genuine Keras 2.15 (tensorflow-cpu 2.15.1, Python 3.10):  python make_models.py [NAME...]

Architectures come from Keras, weights from weights.py.  Batch-norm statistics are taken from data and the last layer is
scaled, so that outputs differ from input to input and a wrong layer shows.  Afterwards the model is rebuilt without
Keras, its .h5 is loaded with Keras, compared with a genuine one, and must answer the same.  Outputs are those of float64.
"""

import json
import os
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import keras
import numpy as np
import rebuild
from weights import weight

L, A = keras.layers, keras.applications
SAMPLES = 2
LOGIT_SPREAD = 1.25  # standard deviation of the last layer's sums: answers that differ, without blowing up rounding


def mnist_cnn():
    return keras.Sequential(
        [
            L.Input((28, 28, 1)),
            L.Conv2D(32, 3, activation="relu"),
            L.Conv2D(32, 3, activation="relu"),
            L.MaxPooling2D(2),
            L.Dropout(0.25),
            L.Flatten(),
            L.Dense(128, activation="relu"),
            L.Dropout(0.5),
            L.Dense(10, activation="softmax"),
        ]
    )


def imdb_bilstm():
    i = L.Input((200,))
    return keras.Model(i, L.Dense(1, activation="sigmoid")(L.Bidirectional(L.LSTM(64))(L.Embedding(20000, 64)(i))))


MODELS = {
    "mnist_cnn": mnist_cnn,
    "imdb_bilstm": imdb_bilstm,
    "mobilenetv2": lambda: A.MobileNetV2(weights=None),
    "resnet50": lambda: A.ResNet50(weights=None),
    "inceptionv3": lambda: A.InceptionV3(weights=None),
}


def file_order(layer):
    """Return a layer's weights in the order of Keras' HDF5 files."""
    return layer.trainable_weights + layer.non_trainable_weights


def fill(model):
    for layer in model.layers:
        for variable in file_order(layer):
            variable.assign(weight(variable.name, tuple(variable.shape)))


def calibrate(model, data):
    """Set every batch norm's moving statistics to those of `data`: one training pass that forgets the past."""
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(data, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    return norms


def sharpen(model, data):
    """Scale the last kernel and return {its name: factor}."""
    last = model.layers[-1]
    sums = keras.Model(model.input, last.input)(data).numpy() @ last.kernel.numpy()
    factor = round(float(LOGIT_SPREAD / sums.std()), 3)
    last.kernel.assign(last.kernel * np.float32(factor))
    return {last.kernel.name: factor}


def same_h5(ours, theirs):
    """Assert that two HDF5 files hold the same groups, attributes and arrays."""
    with h5py.File(ours) as a, h5py.File(theirs) as b:
        items, others = ["/"], ["/"]
        a.visit(items.append)
        b.visit(others.append)
        assert items == others, set(items) ^ set(others)
        for item in items:
            assert set(a[item].attrs) == set(b[item].attrs), (item, set(a[item].attrs) ^ set(b[item].attrs))
            for key, value in b[item].attrs.items():
                mine = a[item].attrs[key]
                assert (
                    json.loads(mine) == json.loads(value) if key == "model_config" else np.array_equal(mine, value)
                ), (item, key)
                assert type(mine) is type(value), (item, key, type(mine), type(value))
            if isinstance(b[item], h5py.Dataset):
                assert np.array_equal(a[item], b[item]), item


def predict_float64(model, x):
    """Return what the same Keras model says in float64: TensorFlow's own float32 rounding reaches 3e-5 in InceptionV3."""
    spec = json.loads(model.to_json(), object_hook=lambda d: {**d, "dtype": "float64"} if "dtype" in d else d)
    keras.backend.set_floatx("float64")
    try:
        twin = keras.models.model_from_json(json.dumps(spec))
        twin.set_weights(model.get_weights())
        assert all(v.dtype == "float64" for v in twin.weights)
        return twin.predict(x.astype("float64"), verbose=0)
    finally:
        keras.backend.set_floatx("float32")


def make(name):
    keras.backend.clear_session()
    model = MODELS[name]()
    recipe = {
        "keras_version": keras.__version__,
        "samples": SAMPLES,
        "input_shape": list(model.input_shape[1:]),
        "input_name": model.input_names[0],
        "output_name": model.output_names[0],
    }
    if name == "imdb_bilstm":
        recipe["vocabulary"] = 20000
    recipe["weights"] = [[layer.name, v.name, list(v.shape)] for layer in model.layers for v in file_order(layer)]
    data = rebuild.make_inputs(recipe, "calibration", 8)
    fill(model)
    norms = calibrate(model, data)
    recipe["factors"] = sharpen(model, data)
    statistics = [v.numpy().ravel() for n in norms for v in file_order(n) if v.name.endswith(rebuild.STATISTICS)]
    x = rebuild.make_inputs(recipe)
    y32, y64 = model.predict(x, verbose=0), predict_float64(model, x)
    y = y64.astype("float32")

    (rebuild.HERE / f"{name}.json").write_text(model.to_json())
    entries = ",\n  ".join(json.dumps(entry) for entry in recipe.pop("weights"))
    text = json.dumps(recipe)[:-1] + ', "weights": [\n  ' + entries + "]}\n"
    (rebuild.HERE / f"{name}_recipe.json").write_text(text)
    stored = {"statistics": np.concatenate([np.zeros(0, "f4"), *statistics]), "outputs": y, "outputs_float32": y32}
    np.savez_compressed(rebuild.HERE / f"{name}.npz", **stored)

    with tempfile.TemporaryDirectory() as folder:
        rebuilt = rebuild.rebuild(name, folder) / f"{name}.h5"
        model.save(folder + "/genuine.h5", include_optimizer=False)
        same_h5(rebuilt, folder + "/genuine.h5")
        again = keras.models.load_model(rebuilt, compile=False).predict(x, verbose=0)
    error = relative(again, y32)
    assert error < 1e-5, error
    print(f"{name}: {model.count_params()} parameters, factor {recipe['factors']}, rebuilt .h5 holds what Keras saves")
    print(
        f"  from {y.min():.1e} to {y.max():.4f} at {y.argmax(-1).tolist()}, inputs differ by {np.ptp(y, 0).max():.4f}"
    )
    print(f"  the rebuilt .h5 answers within {error:.1e}; float32 is {relative(y32, y):.1e} from float64", flush=True)


def relative(found, expected):
    return float(np.abs(found - expected).max() / np.abs(expected).max())


for wanted in (sys.argv[1:] or MODELS) if __name__ == "__main__" else ():
    make(wanted)
