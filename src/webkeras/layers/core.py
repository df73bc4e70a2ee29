"""Dense, and the layers that do nothing at inference."""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.layers.activation import activation
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.read import boolean, whole
from webkeras.shapes import Shape


@layer("InputLayer")
class InputLayer(Layer):
    """Where data enters; the model feeds it."""

    sparse = key(boolean, False)
    ragged = key(boolean, False)
    optional = key(boolean, False)

    def call(self, x: Any) -> Any:
        return x


@layer("Dense")
class Dense(Layer):
    """x @ kernel + bias over the last axis, then the activation.

    x (..., c) -> (..., units)
    Source: keras/src/layers/core/dense.py
    """

    units = key(whole, keras1="output_dim")
    activation = activation()
    use_bias = key(boolean, True, keras1="bias")

    def build(self, x: Shape) -> dict[str, Shape]:
        return {"kernel": (x[-1], self.units)} | ({"bias": (self.units,)} if self.use_bias else {})

    def call(self, x: Any) -> Any:
        rows = x if len(x.shape) > 1 else ops.reshape(x, shape=(1, *x.shape))
        y = ops.matmul(rows, self.kernel)
        return self.activation(y + self.bias if self.use_bias else y)


@layer("Dropout")
class Dropout(Layer):
    """Nothing, at inference."""

    rate = key(float, 0.0, keras1="p")
    noise_shape = key(lambda v: v, None)
    seed = key(lambda v: v, None)

    def call(self, x: Any) -> Any:
        return x
