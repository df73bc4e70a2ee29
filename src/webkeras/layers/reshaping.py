"""Layers that move elements."""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.layout import channels_last, to_last
from webkeras.layers.read import data_format, sides
from webkeras.shapes import resolve, size


@layer("Flatten")
class Flatten(Layer):
    """(n, ...) -> (n, all); channels_first files are flattened with the channels moved last, as Keras does."""

    data_format = key(data_format, "channels_last")

    def call(self, x: Any) -> Any:
        x = to_last(x) if self.data_format == "channels_first" and len(x.shape) > 2 else x
        return ops.reshape(x, shape=(x.shape[0], size(x.shape[1:])))


@layer("Reshape")
class Reshape(Layer):
    """(n, ...) -> (n, *target_shape), one entry of which may be -1."""

    target_shape = key(tuple)

    def call(self, x: Any) -> Any:
        return ops.reshape(x, shape=(x.shape[0], *resolve(self.target_shape, size(x.shape[1:]))))


@layer("ZeroPadding2D")
class ZeroPadding2D(Layer):
    """Zeros around the image: ((top, bottom), (left, right))."""

    rank = 2
    padding = key(sides, 1, ranked=True)
    data_format = key(data_format, "channels_last", keras1="dim_ordering")

    @channels_last
    def call(self, x: Any) -> Any:
        return ops.pad(x, pads=((0, 0), *self.padding, (0, 0)))
