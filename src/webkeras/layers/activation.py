"""Activations: functions of the 27 scalars, and the layers that are nothing else.

Sources: keras/src/activations/activations.py; for what a name meant before Keras 3, Keras 2.15's keras/activations.py
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError, ShapeError
from webkeras.layers.base import LAYERS, Layer, custom, key, layer, to_give
from webkeras.layers.read import anything, number, optional
from webkeras.shapes import Shape
from webkeras.shapes import axes as positive
from webkeras.text import short

Activation = Callable[[Any], Any]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def clip(x: Any, low: float, high: float) -> Any:
    return ops.fused(lambda x: ops.minimum(ops.maximum(x, low), high), x)


def relu(x: Any) -> Any:
    return ops.maximum(x, 0.0)


def relu6(x: Any) -> Any:
    return clip(x, 0.0, 6.0)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    return ops.where(ops.less(x, 0.0), ops.multiply(x, negative_slope), x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    return ops.where(ops.less(0.0, x), x, ops.multiply(ops.expm1(ops.minimum(x, 0.0)), alpha))


def celu(x: Any, alpha: float = 1.0) -> Any:
    return ops.add(relu(x), ops.multiply(ops.expm1(ops.divide(ops.minimum(x, 0.0), alpha)), alpha))


def selu(x: Any) -> Any:
    return ops.multiply(elu(x, SELU_ALPHA), SELU_SCALE)


def softplus(x: Any) -> Any:
    """log(exp(x) + 1), which does not overflow: max(x, 0) + log1p(exp(-|x|))."""
    return ops.add(ops.maximum(x, 0.0), ops.log1p(ops.exp(ops.negative(ops.absolute(x)))))


def softsign(x: Any) -> Any:
    return ops.divide(x, ops.add(ops.absolute(x), 1.0))


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    return ops.multiply(ops.sign(x), relu(ops.subtract(ops.absolute(x), threshold)))


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    return ops.where(ops.less(threshold, ops.absolute(x)), x, 0.0)


def tanh_shrink(x: Any) -> Any:
    return ops.subtract(x, ops.tanh(x))


def hard_tanh(x: Any) -> Any:
    return clip(x, -1.0, 1.0)


def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6, as of Keras 3."""
    return ops.divide(relu6(ops.add(x, 3.0)), 6.0)


def hard_sigmoid_keras2(x: Any) -> Any:
    """clip(0.2 x + 0.5, 0, 1), until Keras 2.15."""
    return clip(ops.add(ops.multiply(x, 0.2), 0.5), 0.0, 1.0)


def hard_silu(x: Any) -> Any:
    return ops.multiply(x, hard_sigmoid(x))


def log_sigmoid(x: Any) -> Any:
    return ops.negative(softplus(ops.negative(x)))


def silu(x: Any) -> Any:
    return ops.multiply(x, ops.sigmoid(x))


def gelu(x: Any, approximate: bool = False) -> Any:
    if approximate:
        cube = ops.multiply(ops.multiply(x, x), x)
        inner = ops.multiply(ops.add(x, ops.multiply(cube, 0.044715)), math.sqrt(2 / math.pi))
        return ops.multiply(ops.multiply(x, 0.5), ops.add(ops.tanh(inner), 1.0))
    return ops.multiply(ops.multiply(x, 0.5), ops.add(ops.erf(ops.multiply(x, math.sqrt(0.5))), 1.0))


def mish(x: Any) -> Any:
    return ops.multiply(x, ops.tanh(softplus(x)))


def squareplus(x: Any, b: float = 4.0) -> Any:
    return ops.multiply(ops.add(x, ops.sqrt(ops.add(ops.multiply(x, x), b))), 0.5)


def sparse_plus(x: Any) -> Any:
    """0 up to -1, (x + 1)^2 / 4 up to 1, then x."""
    root = ops.multiply(ops.add(clip(x, -1.0, 1.0), 1.0), 0.5)
    return ops.add(ops.multiply(root, root), relu(ops.subtract(x, 1.0)))


def sparse_sigmoid(x: Any) -> Any:
    return clip(ops.multiply(ops.add(x, 1.0), 0.5), 0.0, 1.0)


def softmax(x: Any, axis: Any = -1) -> Any:
    return ops.softmax(x, axes=positive(axis, len(x.shape)))


def log_softmax(x: Any, axis: Any = -1) -> Any:
    return ops.log_softmax(x, axes=positive(axis, len(x.shape)))


def glu(x: Any) -> Any:
    """The first half of the last axis, times the sigmoid of the second."""
    *rest, c = x.shape
    if c % 2:
        raise ShapeError(f"glu of {tuple(x.shape)}: the last axis has no two halves; expected an even number")
    zeros, ones = (0,) * len(rest), (1,) * len(x.shape)
    halves = [ops.slice_(x, begin=(*zeros, begin), end=(*rest, begin + c // 2), step=ones) for begin in (0, c // 2)]
    return ops.multiply(halves[0], ops.sigmoid(halves[1]))


def sparsemax(x: Any) -> Any:
    """max(x - tau, 0) over the last axis, with Keras 3's tau.

    The i-th largest element is in the support when i x > s - 1, with s the sum down to it. The paper's tau is
    (s - 1) / i of the last one in the support, which makes the result sum to 1; Keras adds up the s of the whole
    support and divides by its size, and this follows Keras.
    Source: keras/src/backend/jax/nn.py:sparsemax; Martins and Astudillo, From Softmax to Sparsemax (2016)
    """
    *rest, c = x.shape
    own, other = ops.reshape(x, shape=(*rest, c, 1)), ops.reshape(x, shape=(*rest, 1, c))
    earlier = [[float(j <= i) for j in range(c)] for i in range(c)]  # equal elements go by their place
    above = ops.maximum(ops.less(own, other), ops.multiply(ops.equal(own, other), earlier))
    here, last = (len(rest),), (len(rest) + 1,)
    place, s = (ops.reduce(y, fn="sum", axes=last) for y in (above, ops.multiply(above, other)))
    support = ops.less(ops.subtract(s, 1.0), ops.multiply(own, place))
    total, count = (ops.reduce(y, fn="sum", axes=here) for y in (ops.multiply(support, s), support))
    tau = ops.divide(ops.subtract(total, 1.0), count)
    return relu(ops.subtract(x, ops.reshape(tau, shape=(*rest, 1))))


ACTIVATIONS: dict[str, Activation] = {
    "celu": celu,
    "elu": elu,
    "exponential": ops.exp,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": lambda x: x,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": ops.sigmoid,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax": sparsemax,
    "squareplus": squareplus,
    "swish": silu,
    "tanh": ops.tanh,
    "tanh_shrink": tanh_shrink,
}

OLDER: dict[int, dict[str, Activation]] = {
    1: {"hard_sigmoid": hard_sigmoid_keras2},
    2: {"hard_sigmoid": hard_sigmoid_keras2},
}


def read(v: Any, dialect: int) -> Activation:
    """An activation from a config: null, a name, or a serialised function or layer; its meaning is the dialect's.

    A name may be that of an activation layer, which Keras 2 took for the layer with its defaults.
    """
    if v is None:
        return ACTIVATIONS["linear"]
    if isinstance(v, Mapping) and v.get("class_name") in LAYERS:
        return Bare(LAYERS[v["class_name"]](v["config"], dialect))
    name = str(v.get("config") if isinstance(v, Mapping) else v).rpartition(">")[2]
    function = custom(name) or OLDER.get(dialect, {}).get(name) or ACTIVATIONS.get(name)
    if function is None and issubclass(LAYERS.get(name, Layer), ActivationLayer):
        return Bare(LAYERS[name]({}, dialect))
    if function is None:
        raise ConfigError(f"unknown activation {short(name)}; give its meaning in {to_give(name)}")
    return function


class Bare:
    """A layer without weights, as a function."""

    def __init__(self, layer: Layer) -> None:
        if not isinstance(layer, ActivationLayer) or isinstance(layer, PReLU):
            raise ConfigError(f"{layer} as an activation; expected an activation layer without weights")
        self.layer = layer

    def __call__(self, x: Any) -> Any:
        return self.layer.call(x)


def activation(default: str = "linear", **older: str) -> Any:
    """The config key of an activation."""
    return key(read, default, versioned=True, **older)  # type: ignore[arg-type]


class ActivationLayer(Layer):
    """A layer that is an elementwise function, or nearly one."""

    mask = "pass"


@layer("Activation")
class AnyActivation(ActivationLayer):
    """Any activation by name."""

    activation = key(read, versioned=True)

    def call(self, x: Any) -> Any:
        return self.activation(x)


@layer("ReLU")
class ReLU(ActivationLayer):
    """max_value for x >= max_value, x above the threshold, negative_slope * (x - threshold) below.

    Source: keras/src/layers/activations/relu.py
    """

    max_value = key(optional(float), None)
    negative_slope = key(lambda v: float(v or 0), 0.0)
    threshold = key(lambda v: float(v or 0), 0.0)

    def call(self, x: Any) -> Any:
        return ops.fused(self.value, x)

    def value(self, x: Any) -> Any:
        """Of one number."""
        t = self.threshold
        below = ops.multiply(ops.subtract(x, t), self.negative_slope) if self.negative_slope else ops.multiply(x, 0.0)
        y = relu(x) if not t and not self.negative_slope else ops.where(ops.less(t, x), x, below)
        return y if self.max_value is None else ops.minimum(y, self.max_value)


@layer("LeakyReLU")
class LeakyReLU(ActivationLayer):
    """x, or negative_slope * x where x is negative."""

    negative_slope = key(number, 0.3, keras2="alpha")

    def call(self, x: Any) -> Any:
        return leaky_relu(x, self.negative_slope)


@layer("ELU")
class ELU(ActivationLayer):
    """x, or alpha * (exp(x) - 1) where x is not positive."""

    alpha = key(number, 1.0)

    def call(self, x: Any) -> Any:
        return elu(x, self.alpha)


@layer("ThresholdedReLU")
class ThresholdedReLU(ActivationLayer):
    """x where x > theta, else 0.

    Source: Keras 2.15, keras/layers/activation/thresholded_relu.py
    """

    theta = key(number, 1.0)

    def call(self, x: Any) -> Any:
        return ops.where(ops.less(self.theta, x), x, 0.0)


def of_sample(layer: Layer, x: Shape) -> Shape:
    """The shape of a sample, with 1 where the layer's first weight in the file has 1."""
    found = tuple(layer.arrays[0].shape) if layer.arrays else x[1:]
    return tuple(1 if f == 1 else n for f, n in zip(found, x[1:], strict=True)) if len(found) == len(x) - 1 else x[1:]


@layer("PReLU")
class PReLU(ActivationLayer):
    """x, or alpha * x where x is negative; alpha has the shape of a sample, 1 on the shared axes.

    Source: keras/src/layers/activations/prelu.py
    """

    shared_axes = key(lambda v: v if isinstance(v, list | tuple) else [v] if v else [], None)

    def build(self, x: Shape) -> dict[str, Shape]:
        shared = positive(self.shared_axes, len(x)) if self.shared_axes else ()
        if self.dialect == 1:  # which does not save shared_axes
            return {"alpha": of_sample(self, x)}
        return {"alpha": tuple(1 if i in shared else n for i, n in enumerate(x) if i)}

    def call(self, x: Any) -> Any:
        return ops.add(relu(x), ops.multiply(self.alpha, ops.minimum(x, 0.0)))


@layer("Softmax")
class Softmax(ActivationLayer):
    """Softmax over one axis or several; a mask leaves elements out, and since Keras 3 they are 0 where all are.

    Source: keras/src/layers/activations/softmax.py
    """

    mask = "use"
    axis = key(anything, -1)

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is None:
            return softmax(x, self.axis)
        y = softmax(ops.where(mask, x, -1e9), self.axis)
        return ops.where(mask, y, 0.0) if self.dialect == 3 else y

    def compute_mask(self, x: Any, mask: Any) -> Any:
        return getattr(x, "mask", None)
