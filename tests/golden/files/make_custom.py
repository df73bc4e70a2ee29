"""Models of functions and layers that only their maker knows, as genuine Keras saves them, and what it answers.

    KERAS_BACKEND=jax python make_custom.py    Keras 3.15.1: custom/keras3.15.1_*.keras
    python make_custom.py                      Keras 2.15: custom/keras2.15.0_*.h5

Writes custom/VERSION_middle and custom/VERSION_open, and custom/VERSION.npz with MODEL/input and MODEL/output.
The tests write the functions again, in Python and in JavaScript.
"""

from pathlib import Path

import numpy as np

try:
    import tensorflow as tf

    keras, sums = tf.keras, tf.reduce_sum
    version, ending = __import__("keras").__version__, "h5"
except ImportError:
    import keras

    sums = keras.ops.sum
    version, ending = keras.__version__, "keras"

L = keras.layers
OUT = Path(__file__).parent / "custom"
RNG = np.random.RandomState(3)


def portable(f):
    """A lambda that Keras saves without saying in whose folder it was written."""
    f.__code__ = f.__code__.replace(co_filename="make_custom.py")
    return f


def crest(x):
    """A custom activation: x * |x|."""
    return x * abs(x)


class Scale(L.Layer):
    """A custom layer: x * weight * factor + shift."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.weight = self.add_weight(name="weight", shape=(shape[-1],), initializer="ones")
        self.shift = self.add_weight(name="shift", shape=(1,), initializer="zeros")

    def call(self, x):
        return x * self.weight * self.factor + self.shift

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def middle():
    """Each kind once, layers of Keras around them; the Lambda's result is read twice."""
    x = L.Input((4,), name="x")
    y = L.Dense(3, activation=crest, name="first")(x)
    z = L.Lambda(portable(lambda x, by: x * by + x * x), arguments={"by": 3}, name="mine")(y)
    s = Scale(2.5, name="scaled")(z)
    return keras.Model(x, L.Dense(2, activation="tanh", name="last")(L.Concatenate(name="both")([s, z])))


def opened():
    """Any number of rows; the Lambda takes an axis away."""
    x = L.Input((None, 2), name="x")
    y = L.Dense(3, name="first")(x)
    z = L.Lambda(portable(lambda x: sums(x, 2)), output_shape=(None,), name="sums")(y)
    return keras.Model(x, L.Activation("sigmoid", name="last")(z))


answers = {}
OUT.mkdir(exist_ok=True)
for name, build, shape in (("middle", middle, (5, 4)), ("open", opened, (2, 3, 2))):
    model = build()
    model.set_weights([RNG.uniform(-1, 1, w.shape).astype("float32") for w in model.get_weights()])
    x = RNG.uniform(-1, 1, shape).astype("float32")
    model.save(OUT / "keras{}_{}.{}".format(version, name, ending))
    answers[name + "/input"], answers[name + "/output"] = x, np.asarray(model.predict(x, verbose=0))
np.savez(OUT / "keras{}.npz".format(version), **answers)
