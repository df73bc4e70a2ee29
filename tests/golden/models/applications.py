"""keras.applications with random weights, genuine Keras against webkeras on the reference backend: no files are kept.

    python applications.py make FOLDER [NAME...]    under Keras 2.15 or 3.15: a model's file and its input and output
    python applications.py check FOLDER [--rm]      under webkeras: "NAME error", relative to the largest output

All variables are random by a seed, moving statistics too; the images are the smallest that are allowed; the outputs are
those of the last layer without its activation. `NAME-notop` is the model without its top.
"""

# ruff: noqa: BLE001

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

#: The smallest image of each family; 32 where it is not named.
SMALLEST = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
#: One of each family, which is made without its top too.
FAMILIES = (
    "MobileNet MobileNetV2 MobileNetV3Small EfficientNetB0 EfficientNetV2B0 ResNet50 ResNet50V2 DenseNet121 VGG16 NASNetMobile Xception "
    "InceptionV3 InceptionResNetV2 ConvNeXtTiny RegNetX002 RegNetY002 ResNetRS50"
).split()


def names(keras):
    """Every architecture that this Keras has, the small ones of each family first."""
    places = [keras.applications, *(m for m in vars(keras.applications).values() if hasattr(m, "decode_predictions"))]
    found = {n for place in places for n, f in vars(place).items() if callable(f) and n[0].isupper()}
    return sorted(found, key=lambda n: (FAMILIES.index(n) if n in FAMILIES else 99, n))


def find(keras, name):
    places = [keras.applications, *vars(keras.applications).values()]
    return next(getattr(p, name) for p in places if hasattr(p, name))


def values(r, name, shape):
    """A variable: as large as keeps activations of deep networks within bounds."""
    if "variance" in name or "gamma" in name:
        return r.uniform(0.5, 1.5, shape)
    if len(shape) > 1:
        inputs = shape[:2] if "depthwise" in name else shape[:-1]
        return r.normal(size=shape) / np.sqrt(np.prod(inputs))
    return r.normal(size=shape) * 0.1


def make(folder, wanted):
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    version = keras.__version__
    for name in wanted or [n + t for n in names(keras) for t in (("", "-notop") if n in FAMILIES else ("",))]:
        path = folder / f"{version}-{name}"
        if path.with_suffix(".npz").exists():
            continue
        keras.backend.clear_session()
        try:
            base, _, no_top = name.partition("-")
            size = SMALLEST.get(base, 32)
            options = {"include_top": False, "pooling": "avg"} if no_top else {"classes": 7, "classifier_activation": None}
            model = find(keras, base)(weights=None, input_shape=(size, size, 3), **options)
            r = np.random.RandomState(1)
            for v in model.weights:
                v.assign(values(r, getattr(v, "path", v.name), tuple(v.shape)).astype("float32"))
            x = r.uniform(0, 255, (1, size, size, 3)).astype("float32")
            y = np.asarray(model(x, training=False))
            model.save(str(path) + (".h5" if version < "3" else ".keras"))
            np.savez(str(path) + ".npz", x=x, y=y)
            print(name, "made", float(np.abs(y).max()), flush=True)
        except Exception as e:
            print(name, "FAILED", type(e).__name__, str(e)[:300], flush=True)


def check(folder, remove):
    import webkeras

    for io in sorted(folder.glob("*.npz")):
        path = next((p for end in (".keras", ".h5") if (p := Path(str(io)[:-4] + end)).exists()), None)
        if path is None:
            continue
        with np.load(io) as kept:
            x, want = kept["x"], kept["y"]
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
    what, folder, *rest = sys.argv[1:]
    make(Path(folder), rest) if what == "make" else check(Path(folder), "--rm" in rest)
