"""Normalisation layers."""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.read import boolean
from webkeras.shapes import Shape
from webkeras.shapes import axis as positive


def _single(v: Any) -> int:
    """An axis; tf.keras wrote it as a list of one."""
    return int(v[0]) if isinstance(v, list | tuple) and len(v) == 1 else int(v)


@layer("BatchNormalization", "BatchNormalizationV1")
class BatchNormalization(Layer):
    """(x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta on one axis.

    Source: keras/src/layers/normalization/batch_normalization.py
    """

    axis = key(_single, -1)
    epsilon = key(float, 1e-3)
    center = key(boolean, True)
    scale = key(boolean, True)

    def build(self, x: Shape) -> dict[str, Shape]:
        c = (x[positive(self.axis, len(x))],)
        names = ["gamma"] * self.scale + ["beta"] * self.center + ["moving_mean", "moving_variance"]
        return dict.fromkeys(names, c)

    def call(self, x: Any) -> Any:
        scale = ops.rsqrt(self.moving_variance + self.epsilon)
        if self.scale:
            scale = scale * self.gamma
        shift = -(self.moving_mean * scale)
        if self.center:
            shift = shift + self.beta
        at = positive(self.axis, len(x.shape))
        if at != len(x.shape) - 1:
            along = tuple(n if i == at else 1 for i, n in enumerate(x.shape))
            scale, shift = ops.reshape(scale, shape=along), ops.reshape(shift, shape=along)
        return x * scale + shift
