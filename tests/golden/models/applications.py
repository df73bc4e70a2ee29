"""keras.applications with random weights, genuine Keras against webkeras.

    python applications.py make FOLDER [NAME...]    under Keras 2.15 or 3.15: a model's file, its input and output
    python applications.py check FOLDER [--rm]      under webkeras: "NAME error" on the reference backend
    python applications.py keep NAME...             under Keras: applications_keras<version>.npz beside this, for the suite

All variables are random by a seed, moving statistics too; images are the smallest that are allowed; the last layer has
no activation; `NAME-notop` is the model without its top. Errors are relative to the largest output. What was measured,
Keras on TensorFlow, no file kept: of 3.15 all architectures but ConvNeXtXLarge, of 2.15 all but the larger RegNets and
ResNetRS, and one of each family without its top, 130 models: at most 2.6e-6.
"""

# ruff: noqa: BLE001

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

HERE = Path(__file__).resolve().parent
#: The smallest image of each family; 32 where it is not named.
SMALLEST = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
#: One of each family, which is made without its top too.
FAMILIES = (
    "MobileNet MobileNetV2 MobileNetV3Small EfficientNetB0 EfficientNetV2B0 ResNet50 ResNet50V2 DenseNet121 VGG16 "
    "NASNetMobile Xception InceptionV3 InceptionResNetV2 ConvNeXtTiny RegNetX002 RegNetY002 ResNetRS50"
).split()


def places(keras):
    return [keras.applications, *(m for m in vars(keras.applications).values() if hasattr(m, "decode_predictions"))]


def names(keras):
    """Every architecture that this Keras has, one of each family first."""
    found = {n for place in places(keras) for n, f in vars(place).items() if callable(f) and n[0].isupper()}
    return sorted(found, key=lambda n: (FAMILIES.index(n) if n in FAMILIES else 99, n))


def values(r, name, shape):
    """A variable: as large as keeps activations of deep networks within bounds."""
    if "variance" in name or "gamma" in name:
        return r.uniform(0.5, 1.5, shape).astype("float32")
    if len(shape) > 1:
        inputs = shape[:2] if "depthwise" in name else shape[:-1]
        return (r.normal(size=shape) / np.sqrt(np.prod(inputs))).astype("float32")
    return (r.normal(size=shape) * 0.1).astype("float32")


def rebuilt(rows, size):
    """([array of every row (layer, weight, shape)], image): the same numbers wherever this runs."""
    r = np.random.RandomState(1)
    arrays = [values(r, name, tuple(shape)) for _, name, shape in rows]
    return arrays, r.uniform(0, 255, (1, size, size, 3)).astype("float32")


def built(keras, name):
    """(model, rows, image, output)"""
    keras.backend.clear_session()
    base, _, no_top = name.partition("-")
    size = SMALLEST.get(base, 32)
    options = {"include_top": False, "pooling": "avg"} if no_top else {"classes": 7, "classifier_activation": None}
    make = next(getattr(p, base) for p in places(keras) if hasattr(p, base))
    model = make(weights=None, input_shape=(size, size, 3), **options)
    variables = [(layer.name, v) for layer in model.layers for v in layer.weights]
    rows = [[layer, getattr(v, "path", v.name), list(map(int, v.shape))] for layer, v in variables]
    arrays, x = rebuilt(rows, size)
    for (_, v), a in zip(variables, arrays, strict=True):
        v.assign(a)
    return model, rows, x, np.asarray(model(x, training=False))


def make(folder, wanted):
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    for name in wanted or [n + t for n in names(keras) for t in (("", "-notop") if n in FAMILIES else ("",))]:
        path = f"{folder}/{keras.__version__}-{name}"
        if Path(path + ".npz").exists():
            continue
        try:
            model, _, x, y = built(keras, name)
            model.save(path + (".h5" if keras.__version__ < "3" else ".keras"))
            np.savez(path + ".npz", x=x, y=y)
            print(name, "made", float(np.abs(y).max()), flush=True)
        except Exception as e:
            print(name, "FAILED", type(e).__name__, str(e)[:300], flush=True)


def keep(wanted):
    import keras

    kept = {}
    for name in wanted:
        model, rows, x, y = built(keras, name)
        text = json.dumps({"config": json.loads(model.to_json()), "weights": rows, "size": x.shape[1]})
        kept |= {name: np.frombuffer(text.encode(), "uint8"), name + "/output": y}
    np.savez_compressed(HERE / f"applications_keras{keras.__version__}.npz", **kept)


def check(folder, remove):
    import webkeras

    for io in sorted(folder.glob("*.npz")):
        path = next((p for end in (".keras", ".h5") if (p := Path(str(io)[:-4] + end)).exists()), None)
        if path is None:
            continue
        with np.load(io) as stored:
            x, want = stored["x"], stored["y"]
        try:
            with webkeras.load_model(path, backend="reference") as model:
                got = model.predict(x)
            error = float(np.abs(got - want).max() / np.abs(want).max()) if got.shape == want.shape else got.shape
            print(io.stem, error, flush=True)
            if remove:
                path.unlink()
        except Exception as e:
            print(io.stem, type(e).__name__, str(e)[:300], flush=True)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "keep":
        keep(rest)
    elif what == "make":
        make(Path(rest[0]), rest[1:])
    else:
        check(Path(rest[0]), "--rm" in rest)
