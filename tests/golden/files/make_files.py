"""Whole files as genuine Keras saves them, and what it answers: the same models in every version and form.

    KERAS_BACKEND=jax python make_files.py    Keras 3.15.1: .keras, .h5, .json + .weights.h5
    KERAS_BACKEND=jax python make_files.py everything changed named    other Keras 3: .keras, .h5, .json + .weights.h5
    python make_files.py                      Keras 2.15 (TensorFlow 2.15): the same
    python make_files.py                      Keras 2.1.2 (TensorFlow 1.4): .h5, .json + weights-only .h5

Writes keras<version>/MODEL.* and keras<version>/answers.npz with MODEL/inputs/NAME and MODEL/outputs/NUMBER, the outputs flat in
Keras' order. With names of models as arguments only these are made anew. All weights are random, moving statistics and biases too. Layers are only the simplest: layers have goldens of their own.
"""

import os
import sys
from pathlib import Path

import numpy as np

try:
    import tensorflow as tf

    if tf.__version__.startswith("2"):
        keras = tf.keras
        version = __import__("keras").__version__
    else:
        import keras

        version = keras.__version__
except ImportError:
    import keras

    version = keras.__version__

K3, OLD = version.startswith("3"), version.startswith("2.1.")
L = keras.layers
RNG = np.random.RandomState(7)
OUT = Path(__file__).parent / ("keras" + version)


def inputs(*names):
    return [keras.layers.Input((4,), name=n) for n in names]


def chain(*rows, **kwargs):
    return keras.models.Sequential(list(rows), **kwargs)


def first(units, **kwargs):
    """A Dense that begins a Sequential."""
    return L.Dense(units, input_shape=(4,), **kwargs) if not K3 else L.Dense(units, **kwargs)


def model(ins, outs, **kwargs):
    return keras.models.Model(ins, outs, **kwargs)


def sequential():
    return chain(first(3, activation="relu"), L.BatchNormalization(), L.Dropout(0.5), L.Dense(2, activation="softmax"))


def nested(frozen=None):
    """Dense, BN, Dense inside: the order of weights in an .h5 is not that of the layers."""
    inner = [first(3), L.BatchNormalization(), L.Dense(2)]
    for layer in {None: [], "all": inner, "bn": inner[1:2]}[frozen]:
        layer.trainable = False
    (x,) = inputs("x")
    return model(x, L.Dense(2)(chain(*inner, name="inner")(x)))


def shared():
    """A layer and a submodel called twice; the outputs feed on; several inputs and outputs."""
    a, b = inputs("a", "b")
    dense, sub = L.Dense(3), chain(first(3), L.BatchNormalization(), name="sub")
    x, y = dense(a), dense(b)
    z = L.concatenate([sub(a), sub(b)])
    return model([a, b], [L.add([x, y]), z, L.Dense(2)(z)])


def deep():
    """Three models deep, and two submodels that hold the same layer."""
    (x,) = inputs("x")
    both = L.Dense(4, name="both")
    one = (
        chain(both, L.BatchNormalization(), name="one")
        if K3
        else chain(L.Dense(4, input_shape=(4,), name="o"), L.BatchNormalization(), name="one")
    )
    (i,) = inputs("i")
    two = model(i, L.Dense(4, name="d.two")(both(i)), name="two")
    (j,) = inputs("j")
    outer = model(j, L.Dense(3)(two(one(j))), name="outer")
    return model(x, [outer(x), two(x)])


def named():
    """Names that are parts of one another, with dots and (where Keras allows) slashes."""
    (x,) = inputs("x")
    y = L.Dense(3, name="a.b")(x)
    y = L.Dense(3, name="my_dense_1")(y)
    y = L.Dense(3, name="dense_1")(y)
    y = L.Dense(3, name="b" if K3 else "c/b" if OLD else "a/b")(y)
    return model(x, L.Dense(3, name="a")(y))


def dicts():
    """Inputs and outputs in dicts, a submodel that gives a dict, operations between."""
    a, b = inputs("a", "b")
    i = keras.layers.Input((3,))
    sub = model(i, {"p": L.Dense(2)(i), "o": L.Dense(3)(i)}, name="sub")
    x = L.Dense(3)(a)
    d, e = sub(x), sub(L.Dense(3)(b))
    s = keras.ops.relu(d["o"]) * 2 - e["o"][:, :1] if K3 else tf.nn.relu(d["o"]) * 2 - e["o"][:, :1]
    return model({"first": a, "second": b}, {"z": s, "a": [d["p"], e["p"]]})


def half():
    """Weights of two bytes."""
    return chain(keras.layers.Input((4,)), L.Dense(8, dtype="float16"), L.Dense(2, dtype="float32"))


def brain():
    return chain(keras.layers.Input((4,)), L.Dense(8, dtype="bfloat16"), L.Dense(2, dtype="float32"))


def quantized():
    """Weights of a byte or half a byte; `quantize` comes when they are random."""
    RNG.seed(8)
    (x,) = inputs("x")
    y = L.Reshape((2, 3))(L.Dense(6, activation="relu")(x))
    return model(x, L.Dense(3)(L.MultiHeadAttention(2, 3)(y, y) if QUANTIZE == "int8" else y))


QUANTIZE = ""


def everything():
    """Nested, shared, recurrent: what is laid out otherwise in a file than in memory."""
    a, b = inputs("a", "b")
    dense, sub = L.Dense(3), chain(first(3), L.BatchNormalization(), name="sub")
    y = L.add([dense(a), dense(b)])
    i = keras.layers.Input((6,), name="i")
    inner = model(i, chain(L.Dense(4, name="d"), name="deep")(L.Dense(4)(i)), name="inner")
    z = L.Reshape((2, 2))(inner(L.concatenate([sub(a), sub(b)])))
    z = L.Bidirectional(L.LSTM(3, return_sequences=True))(z)
    z = L.RNN([L.GRUCell(3), L.LSTMCell(2)], return_sequences=True)(z)
    z = L.TimeDistributed(L.Dense(3))(z)
    return model([a, b], [L.Flatten()(z), L.LeakyReLU(negative_slope=0.2)(y)])


def changed():
    """Layers whose files or meanings changed while Keras 3 went on."""
    (x,) = inputs("x")
    s = L.Embedding(5, 4)(L.Discretization([-1.0, -0.3, 0.3, 1.0])(x))
    s = L.MultiHeadAttention(2, 3)(s, s)
    s = L.Flatten()(L.LayerNormalization()(s))
    s = L.SpectralNormalization(L.Dense(3))(s)
    one = L.Discretization([-1.0, 1.0], output_mode="one_hot")(L.Dense(1)(x))
    crop = L.RandomCrop(1, 2)(L.Reshape((2, 2, 1))(x))
    return model(x, [s, one, crop])


MODELS = {
    "sequential": sequential,
    "nested": nested,
    "frozen": lambda: nested("all"),
    "frozen_bn": lambda: nested("bn"),
    "shared": shared,
    "deep": deep,
    "named": named,
}
if not OLD:
    MODELS["dicts"] = dicts
if K3:
    MODELS.update(half=half, brain=brain, everything=everything, changed=changed, int8=quantized, int4=quantized)


# that would say nothing new
SKIPPED = {"frozen.keras", "frozen_bn.keras"} | (
    {"sequential.h5", "frozen.h5", "half.h5", "brain.h5", "changed.h5"} if K3 else {"sequential.keras", "named.keras"}
)


def randomise(m):
    """Random values in all weights; variances are positive."""
    for w in m.weights:
        shape = tuple(int(n) for n in w.shape)
        new = RNG.uniform(0.5, 1.5, shape) if "variance" in w.name else RNG.standard_normal(shape)
        keras.backend.set_value(w, new) if OLD else w.assign(new)


def flat(y):
    if isinstance(y, dict):
        return [leaf for k in sorted(y) for leaf in flat(y[k])]
    return [leaf for v in y for leaf in flat(v)] if isinstance(y, (list, tuple)) else [y]


OUT.mkdir(exist_ok=True)
kept = OUT / "answers.npz"
answers = dict(np.load(str(kept))) if sys.argv[1:] and kept.exists() else {}
answers = {k: v for k, v in answers.items() if k.split("/")[0] not in sys.argv[1:]}
for name in sys.argv[1:] or MODELS:
    keras.backend.clear_session()
    QUANTIZE = name if name.startswith("int") else ""
    m = MODELS[name]()
    if K3 and not m.built:
        m.build((None, 4))
    randomise(m)
    if QUANTIZE:
        m.quantize(QUANTIZE)
    names = [t.name.split(":")[0] for t in m.inputs]
    if name == "dicts":
        names = ["first", "second"]
    x = {n: RNG.standard_normal((3, 4)).astype("float32") for n in names}
    y = m.predict(x if name == "dicts" else list(x.values()) if len(x) > 1 else x[names[0]], verbose=0)
    for n, a in x.items():
        answers[name + "/inputs/" + n] = a
    for i, a in enumerate(flat(y)):
        answers[name + "/outputs/{}".format(i)] = np.asarray(a).astype("float32")
    path = str(OUT / name)
    for form in (".keras", ".h5") if not OLD else (".h5",):
        if name + form not in SKIPPED:
            try:
                m.save(path + form)
            except (
                ValueError
            ) as e:  # early Keras 3 gives weights of a nested model one name, and its .h5 cannot hold them
                os.remove(path + form)
                print("not saved: " + name + form, e)
    if name in ("shared", "nested", "everything"):
        m.save_weights(path + (".weights.h5" if not OLD else "_weights.h5"))
        with open(path + ".json", "w") as f:
            f.write(m.to_json())
    if version == "3.15.1" and name == "everything":
        m.save_weights(path + ".weights.json", max_shard_size=700 / 2**30)
    if OLD and name in ("nested", "deep"):
        # saved again where it was loaded: TensorFlow 1 gives the weights names that no layer has
        again = keras.models.load_model(path + ".h5")
        again.save(path + "_again.h5")
        for key in [k for k in answers if k.startswith(name + "/")]:
            answers[key.replace(name, name + "_again", 1)] = answers[key]
np.savez_compressed(str(OUT / "answers.npz"), **answers)
print(version, len(MODELS), sum(f.stat().st_size for f in OUT.iterdir()), os.listdir(str(OUT)))
