"""Whole files as genuine Keras 1 saves them, and what it answers.

    python make_files_keras1.py                               Keras 1.2.2 on TensorFlow 1.4.1
    KERAS_BACKEND=theano python make_files_keras1.py          Keras 1.2.2, 1.1.0 and 1.0.7 (PYTHONPATH) on Theano 1.0.5

Writes keras<version>[-theano]/MODEL.h5, MODEL.json with MODEL_weights.h5, and answers.npz (layout: make_files.py). On
Theano `th` and `tf` differ in dim_ordering, and kernels are turned around, which nothing in the files tells.
"""

# ruff: noqa: UP030, UP031, UP032, BLE001, B905  (Python 3.6 runs this)

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
if os.environ.get("KERAS_BACKEND") == "theano":
    import theano.ifelse  # noqa: F401
import keras
import keras.layers as L
import numpy as np
from keras.models import Model, Sequential

THEANO = os.environ.get("KERAS_BACKEND") == "theano"
RNG = np.random.RandomState(11)
OUT = Path(__file__).parent / ("keras" + keras.__version__ + ("-theano" if THEANO else ""))


def chain(*layers):
    m = Sequential()
    for layer in layers:
        m.add(layer)
    return m


def images(ordering):
    """Convolution, pooling and batch normalisation, by rows and columns of either order."""
    shape = (4, 4, 1) if ordering == "tf" else (1, 4, 4)
    how = {"dim_ordering": ordering}
    return chain(
        L.Reshape(shape, input_shape=(16,)),
        L.Convolution2D(3, 2, 3, border_mode="same", activation="relu", **how),
        L.MaxPooling2D(**how),
        L.BatchNormalization(axis=3 if ordering == "tf" else 1),
        L.Convolution2D(2, 2, 2, **how),
        L.Flatten(),
        L.Dense(2, activation="softmax"),
    )


def nested():
    """A Sequential in a Sequential, and one in a graph, called twice."""
    sub = chain(L.Dense(4, input_dim=4), L.BatchNormalization())
    a, b = L.Input((16,), name="a"), L.Input((16,), name="b")
    first = L.Dense(4, name="first")
    x, y = sub(first(a)), sub(first(b))
    return Model([a, b], [L.merge([x, y], mode="concat"), L.Dense(2)(L.merge([x, y], mode="mul"))])


def stacked():
    return chain(chain(L.Dense(5, input_dim=16), L.Dropout(0.5), L.Dense(3)), L.Activation("tanh"), L.Dense(2))


def merged():
    """Two branches under a Merge."""
    one = chain(L.Dense(3, input_dim=16, name="one"))
    two = chain(L.Dense(3, input_dim=16, name="two"), L.Activation("relu"))
    return chain(L.Merge([one, two], mode="sum"), L.Dense(2))


def sequence():
    rows = [L.Reshape((4, 4), input_shape=(16,)), L.LSTM(3, return_sequences=True), L.GRU(3, return_sequences=True)]
    if hasattr(L, "Bidirectional"):
        rows.append(L.Bidirectional(L.SimpleRNN(2, return_sequences=True)))
    return chain(*(rows + [L.TimeDistributed(L.Dense(2)), L.Flatten()]))


def wrapped():
    """Models in a model, with wrappers in them, whose weights have the names of what is wrapped."""
    a, b = L.Input((4, 4)), L.Input((4, 4))
    inner = chain(L.Dense(3, input_dim=4, activation="tanh"), L.Dense(2))
    first = Model(a, L.TimeDistributed(inner)(L.TimeDistributed(L.Dense(4))(a)))
    layers = [L.Bidirectional(L.GRU(2, return_sequences=True)), L.Bidirectional(L.LSTM(2, return_sequences=True, consume_less="gpu"))]
    second = Model(b, layers[1](layers[0](b)))
    x = L.Input((16,))
    y = L.Reshape((4, 4))(x)
    return Model(x, L.Flatten()(L.merge([first(y), second(y)], mode="concat")))


def entered():
    """A model whose first layer gives out its very input, and layers whose names have slashes."""
    a = L.Input((16,))
    y = L.Activation("linear")(a)
    inner = Model(a, L.Dense(3, name="dense/1")(L.Dense(4, activation="tanh", name="dense/1/2")(y)))
    x = L.Input((16,))
    return Model(x, inner(L.Dense(16, name="out/er")(x)))


MODELS = {"tf": lambda: images("tf"), "th": lambda: images("th")}
MODELS.update(nested=nested, stacked=stacked, merged=merged, sequence=sequence)
if hasattr(L, "Bidirectional"):
    MODELS["wrapped"] = wrapped  # the last ones: all take their numbers from one generator
    MODELS["entered"] = entered


def randomise(m):
    """Random values in all weights; variances (which Keras 1 calls standard deviations) are positive."""
    for layer in m.layers:
        if hasattr(layer, "layers"):
            randomise(layer)
            continue
        values = [RNG.uniform(-1, 1, w.shape) for w in layer.get_weights()]
        if isinstance(layer, L.BatchNormalization):
            values[3] = np.abs(values[3]) + 0.5
        layer.set_weights(values)


OUT.mkdir(exist_ok=True)
answers = {}
for name, make in MODELS.items():
    try:
        m = make()
    except Exception as e:  # 1.0.7 raises just that: it shares no batch normalisation
        print("not made: " + name, e)
        continue
    randomise(m)
    count = len(m.inputs)
    names = ["a", "b"] if name == "nested" else ["input_%d" % i for i in range(count)]
    x = [RNG.uniform(-1, 1, (3, 16)).astype("float32") for _ in names]
    y = m.predict(x if count > 1 else x[0])
    for n, a in zip(names, x):
        answers[name + "/inputs/" + n] = a
    for i, a in enumerate(y if isinstance(y, list) else [y]):
        answers[name + "/outputs/%d" % i] = np.asarray(a)
    path = str(OUT / name)
    m.compile("sgd", "mse")
    if hasattr(m, "save"):
        m.save(path + ".h5")
    m.save_weights(path + "_weights.h5", overwrite=True)
    with open(path + ".json", "w") as f:
        f.write(m.to_json())
np.savez_compressed(str(OUT / "answers.npz"), **answers)
print(keras.__version__, sorted(os.listdir(str(OUT))), sum(p.stat().st_size for p in OUT.iterdir()))
