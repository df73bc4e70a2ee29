"""Activations: functions of the 27 scalars, and the layers that are nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError
from webkeras.layers.base import LAYERS, Layer, key, layer
from webkeras.layers.read import optional
from webkeras.shapes import axes as positive

Activation = Callable[[Any], Any]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def relu(x: Any) -> Any:
    return ops.maximum(x, 0.0)


def relu6(x: Any) -> Any:
    return ops.minimum(ops.maximum(x, 0.0), 6.0)


def elu(x: Any, alpha: float = 1.0) -> Any:
    return ops.where(ops.less(0.0, x), x, ops.multiply(ops.expm1(ops.minimum(x, 0.0)), alpha))


def selu(x: Any) -> Any:
    return ops.multiply(elu(x, SELU_ALPHA), SELU_SCALE)


def softplus(x: Any) -> Any:
    """log(exp(x) + 1), which does not overflow: max(x, 0) + log1p(exp(-|x|))."""
    return ops.add(ops.maximum(x, 0.0), ops.log1p(ops.exp(ops.negative(ops.absolute(x)))))


def softsign(x: Any) -> Any:
    return ops.divide(x, ops.add(ops.absolute(x), 1.0))


def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6, as of Keras 3."""
    return ops.divide(relu6(ops.add(x, 3.0)), 6.0)


def hard_sigmoid_keras2(x: Any) -> Any:
    """clip(0.2 x + 0.5, 0, 1), until Keras 2.15."""
    return ops.minimum(ops.maximum(ops.add(ops.multiply(x, 0.2), 0.5), 0.0), 1.0)


def silu(x: Any) -> Any:
    return ops.multiply(x, ops.sigmoid(x))


def gelu(x: Any, approximate: bool = False) -> Any:
    if approximate:
        inner = ops.multiply(ops.add(x, ops.multiply(ops.power(x, 3.0), 0.044715)), math.sqrt(2 / math.pi))
        return ops.multiply(ops.multiply(x, 0.5), ops.add(ops.tanh(inner), 1.0))
    return ops.multiply(ops.multiply(x, 0.5), ops.add(ops.erf(ops.multiply(x, math.sqrt(0.5))), 1.0))


def mish(x: Any) -> Any:
    return ops.multiply(x, ops.tanh(softplus(x)))


def softmax(x: Any, axis: Any = -1) -> Any:
    return ops.softmax(x, axes=positive(axis, len(x.shape)))


ACTIVATIONS: dict[str, Activation] = {
    "linear": lambda x: x,
    "relu": relu,
    "relu6": relu6,
    "elu": elu,
    "selu": selu,
    "exponential": ops.exp,
    "softplus": softplus,
    "softsign": softsign,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "silu": silu,
    "swish": silu,
    "gelu": gelu,
    "mish": mish,
    "softmax": softmax,
}

OLDER: dict[int, dict[str, Activation]] = {
    1: {"hard_sigmoid": hard_sigmoid_keras2},
    2: {"hard_sigmoid": hard_sigmoid_keras2},
}


def read(v: Any, dialect: int) -> Activation:
    """An activation from a config: null, a name, or a serialised function or layer; its meaning is the dialect's."""
    if v is None:
        return ACTIVATIONS["linear"]
    if isinstance(v, Mapping) and v.get("class_name") in LAYERS:
        return LAYERS[v["class_name"]](v["config"], dialect)
    name = v.get("config") if isinstance(v, Mapping) else v
    function = OLDER.get(dialect, {}).get(str(name)) or ACTIVATIONS.get(str(name))
    if function is None:
        raise ConfigError(f'unknown activation {name!r}; give its meaning in custom_objects={{"{name}": function}}')
    return function


def activation(default: str = "linear", **older: Any) -> Any:
    """The config key of an activation."""
    return key(read, default, versioned=True, **older)


@layer("Activation")
class ActivationLayer(Layer):
    """Any activation by name."""

    activation = key(read, versioned=True)

    def call(self, x: Any) -> Any:
        return self.activation(x)


@layer("ReLU")
class ReLU(Layer):
    """max_value for x >= max_value, x above the threshold, negative_slope * (x - threshold) below.

    Source: keras/src/layers/activations/relu.py
    """

    max_value = key(optional(float), None)
    negative_slope = key(lambda v: float(v or 0), 0.0)
    threshold = key(lambda v: float(v or 0), 0.0)

    def call(self, x: Any) -> Any:
        t = self.threshold
        below = ops.multiply(ops.subtract(x, t), self.negative_slope) if self.negative_slope else ops.multiply(x, 0.0)
        y = relu(x) if not t and not self.negative_slope else ops.where(ops.less(t, x), x, below)
        return y if self.max_value is None else ops.minimum(y, self.max_value)


@layer("Softmax")
class Softmax(Layer):
    """Softmax over one axis or several."""

    axis = key(lambda v: v, -1)

    def call(self, x: Any) -> Any:
        return softmax(x, self.axis)
