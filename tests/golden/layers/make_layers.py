"""Make the golden files of single layers from cases_*.py:  python make_layers.py [CLASS...]

Run it with Keras 2.1.2, 2.15 and 3.15 (KERAS_BACKEND=jax); what a Keras does not know is left out and said. Writes keras<version>/<Class>.npz beside itself (layout:
golden_file.py); <Class>_more.npz where make_layers_keras2.py makes <Class>.npz. Runs on Python 3.6 and later.
"""

# ruff: noqa: UP031, B905, E402, BLE001  (Python 3.6 is among those that run this)

import glob
import importlib
import json
import os
import sys
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import golden_file
import keras
import numpy as np

VERSION = int(keras.__version__.split(".")[0])


class Case:
    """A model to be made: `build(L)` gives inputs and outputs, `feed(rng)` the arrays for the inputs."""

    def __init__(self, cls, name, build, feed, only, quantize=None):
        self.cls, self.name, self.build, self.feed, self.only, self.quantize = cls, name, build, feed, only, quantize


CASES, FAILED = [], []
ELSEWHERE = (
    "Activation Add AveragePooling2D BatchNormalization Concatenate Conv2D Dense DepthwiseConv2D Dropout Flatten "
    "GlobalAveragePooling2D GlobalMaxPooling2D MaxPooling2D ReLU Reshape SeparableConv2D Softmax ZeroPadding2D"
).split()


def normal(r, shape):
    """Normal numbers, in steps of 1/64: exact in every float, and small once compressed."""
    return (np.round(r.normal(size=shape) * 64) / 64).astype("float32")


def numbers(shapes, ints=0):
    """Inputs: normal numbers, or whole numbers below `ints`, a batch of two."""
    draw = (lambda r, s: r.randint(0, ints, s)) if ints else normal
    return lambda r: [draw(r, (2,) + tuple(s)).astype("float32") for s in shapes]


def one(cls, *shapes, **config):
    """The model that is nothing but a layer. Beside the layer's config:

    only: the Keras version, where just one has it; ints: whole numbers below this go in; mask: the inputs go through
    Masking first and end in zeros; call: keyword arguments of the call; feed: arrays from a random generator; text and
    whole: the inputs are texts, or whole numbers by their type; quantize: gives the configuration of m.quantize.
    """
    names = ("only", "ints", "mask", "call", "feed", "title", "text", "whole", "quantize")
    own = {k: config.pop(k, None) for k in names}
    call = own["call"] or {}
    shown = dict(config, **call)
    name = own["title"] or ",".join(
        "%s=%s" % (k, str(v).replace(" ", "").replace("/", "")) for k, v in sorted(shown.items())
    )
    name = name + "@" + "+".join("x".join(map(str, s)) for s in shapes) + ("@mask" if own["mask"] else "")

    def build(L):
        kind = {"dtype": "string"} if own["text"] else {"dtype": "int64"} if own["whole"] else {}
        inputs = [keras.layers.Input(s, name="input_%d" % i, **kind) for i, s in enumerate(shapes)]
        ready = [L.Masking(0.0)(x) for x in inputs] if own["mask"] else inputs
        y = getattr(L, cls)(**config)(ready if len(ready) > 1 else ready[0], **call)
        return inputs, y if isinstance(y, (list, tuple)) else [y]

    feed = own["feed"] or numbers(shapes, own["ints"] or 0)
    if own["mask"]:
        plain = feed

        def feed(r):
            xs = plain(r)
            for i, x in enumerate(xs):
                x[0, -1 - i :] = 0
            return xs

    CASES.append(Case(cls, name, build, feed, own["only"], own["quantize"]))


def model(cls, name, *shapes, **more):
    """A decorator: the function takes the layers module and the inputs, and gives the outputs."""

    def register(f):
        def build(L):
            inputs = [keras.layers.Input(s, name="input_%d" % i) for i, s in enumerate(shapes)]
            y = f(L, *inputs)
            return inputs, y if isinstance(y, (list, tuple)) else [y]

        feed = more.get("feed") or numbers(shapes, more.get("ints", 0))
        CASES.append(Case(cls, name, build, feed, more.get("only"), more.get("quantize")))
        return f

    return register


def make(case):
    """The golden_file.Case of one case: random weights, positive variances; weights that are no floats stay."""
    keras.backend.clear_session()
    r = np.random.RandomState(zlib.crc32((case.cls + case.name).encode()) & 0xFFFFFFFF)
    inputs, outputs = case.build(keras.layers)
    m = keras.models.Model(inputs, outputs if len(outputs) > 1 else outputs[0])
    weights = []
    for layer in m.layers:
        values = []
        for variable, w in zip(layer.weights, layer.get_weights()):
            w, name = np.asarray(w), getattr(variable, "path", variable.name)
            if w.dtype.kind == "f":
                w = normal(r, w.shape) / np.float32(2)
                w = np.abs(w) + np.float32(0.5) if "variance" in name else w
            values.append(w)
            weights.append([layer.name, name, w])
        layer.set_weights(values)
        if hasattr(layer, "finalize_state"):  # Normalization keeps what it made of its weights
            layer.finalize_state()
    if case.quantize:
        m.quantize(config=case.quantize())
        weights = [[o.name, w.path, np.asarray(w, "float32")] for o in m.layers for w in o.weights]
    xs = case.feed(r)
    given = xs
    if VERSION == 3 and any(x.dtype.kind == "U" for x in xs):
        xs = [__import__("tensorflow").constant(x) for x in xs]
    ys = m(xs if len(xs) > 1 else xs[0], training=False) if VERSION == 3 else m.predict(xs, verbose=0)
    ys = [np.asarray(y, "float32") for y in (ys if isinstance(ys, (list, tuple)) else [ys])]
    xs = given
    texts = {"input_%d" % i: x.tolist() for i, x in enumerate(xs) if x.dtype.kind == "U"}
    named = [["input_%d" % i, x] for i, x in enumerate(xs) if x.dtype.kind != "U"]
    answers = [["output_%d" % i, y] for i, y in enumerate(ys)]
    notes = {"texts": texts} if texts else {}
    return golden_file.Case(case.name, json.loads(m.to_json()), weights, named, answers, notes)


def main(wanted):
    for path in sorted(glob.glob(os.path.join(HERE, "cases_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])
    folder = os.path.join(HERE, "keras" + keras.__version__)
    cases = [c for c in CASES if c.only in (None, VERSION) and hasattr(keras.layers, c.cls)]
    for cls in sorted({c.cls for c in cases}):
        if wanted and cls not in wanted:
            continue
        made = []
        for case in [c for c in cases if c.cls == cls]:
            try:
                made.append(make(case))
            except Exception as e:  # Keras raises what it likes; all failures are told
                FAILED.append("%s %s: %s: %s" % (cls, case.name, type(e).__name__, str(e)[:300]))
                print("FAILED", FAILED[-1])
        more = "_more" if VERSION == 2 and cls in ELSEWHERE else ""
        os.makedirs(folder, exist_ok=True)
        if not made:
            continue
        golden_file.write(os.path.join(folder, cls + more + ".npz"), keras.__version__, made)
        print(cls, len(made), "cases", flush=True)
    if FAILED:
        raise SystemExit("%d cases could not be made" % len(FAILED))


if __name__ == "__main__":
    sys.modules["make_layers"] = sys.modules["__main__"]
    main(sys.argv[1:])
