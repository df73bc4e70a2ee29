"""Activation layers, and every activation by name."""

import numpy as np
from make_layers import model, one


def wide(*shape):
    """Numbers that reach the ends of every activation, and its corners."""
    corners = np.array([0, -1, 1, 3, -3, 6, 0.5, -0.5, 2.5, -2.5, 20, -20], "float32")

    def feed(r):
        x = np.round(r.normal(size=(2,) + shape) * 3 * 64) / 64
        x.ravel()[: len(corners)] = corners
        return [x.astype("float32")]

    return feed


OLD = "linear relu elu selu exponential softplus softsign tanh sigmoid hard_sigmoid swish gelu softmax mish".split()
NEW = (
    "silu relu6 leaky_relu celu glu hard_shrink hard_silu hard_swish hard_tanh log_sigmoid log_softmax soft_shrink "
    "sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink"
).split()

for name in OLD:
    one("Activation", (3, 6), activation=name, feed=wide(3, 6))
for name in NEW:
    one("Activation", (3, 6), activation=name, feed=wide(3, 6), only=3)


@model("Activation", "in a layer", (4, 3))
def names(L, x):
    return L.Dense(4, activation="gelu")(L.Conv1D(3, 2, activation="hard_sigmoid")(x))


@model("Activation", "as a layer", (4, 3))
def layers(L, x):
    return L.Dense(4, activation=L.LeakyReLU())(L.Conv1D(3, 2, activation=L.ELU(0.5))(x))


one("ELU", (3, 6), feed=wide(3, 6))
one("ELU", (3, 6), alpha=0.3, feed=wide(3, 6))
one("LeakyReLU", (3, 6), feed=wide(3, 6))
one("LeakyReLU", (3, 6), alpha=0.1, feed=wide(3, 6), only=2)
one("LeakyReLU", (3, 6), negative_slope=0.1, feed=wide(3, 6), only=3)
one("PReLU", (3, 6), feed=wide(3, 6))
one("PReLU", (3, 6), shared_axes=[1], feed=wide(3, 6))
one("PReLU", (3, 4, 2), shared_axes=[1, 2], feed=wide(3, 4, 2))
one("ReLU", (3, 6), feed=wide(3, 6))
one("ReLU", (3, 6), max_value=2.0, feed=wide(3, 6))
one("ReLU", (3, 6), max_value=6.0, negative_slope=0.25, threshold=1.0, feed=wide(3, 6))
one("ReLU", (3, 6), threshold=0.5, feed=wide(3, 6))
one("ReLU", (3, 6), negative_slope=0.2, feed=wide(3, 6))
one("ThresholdedReLU", (3, 6), feed=wide(3, 6))
one("ThresholdedReLU", (3, 6), theta=0.5, feed=wide(3, 6))
one("Softmax", (3, 6), feed=wide(3, 6))
one("Softmax", (3, 6), axis=1, feed=wide(3, 6))
one("Softmax", (3, 6), axis=[1, 2], feed=wide(3, 6))


def masked(r):
    x = np.round(r.normal(size=(2, 3, 4)) * 64) / 64
    mask = r.randint(0, 2, (2, 3, 4))
    mask[0, 0] = 0
    mask[1, 1] = 1
    return [x.astype("float32"), mask.astype("float32")]


@model("Softmax", "with a mask", (3, 4), (3, 4), feed=masked)
def softmax(L, x, mask):
    return L.Softmax()(x, mask=mask)
