"""Pooling over windows and over whole images.

x (n, h, w, c) -> (n, h', w', c), or (n, c) for the global ones.
"""

from __future__ import annotations

from typing import Any, ClassVar

from webkeras import ops
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.layout import channels_last
from webkeras.layers.read import boolean, data_format, one_of, optional, wholes
from webkeras.shapes import padding


class Pooling2D(Layer):
    """Source: keras/src/layers/pooling/base_pooling.py"""

    fn: ClassVar[str]

    pool_size = key(wholes(2), (2, 2))
    strides = key(optional(wholes(2)), None)
    padding = key(one_of("valid", "same"), "valid", keras1="border_mode")
    data_format = key(data_format, "channels_last", keras1="dim_ordering")

    @channels_last
    def call(self, x: Any) -> Any:
        strides = self.strides or self.pool_size
        pads = padding(self.padding, x.shape[1:-1], self.pool_size, strides, (1, 1))
        return ops.pool(x, fn=self.fn, window_=self.pool_size, strides=strides, pads=pads)


@layer("MaxPooling2D", "MaxPool2D")
class MaxPooling2D(Pooling2D):
    """The largest element of every window."""

    fn = "max"


@layer("AveragePooling2D", "AvgPool2D")
class AveragePooling2D(Pooling2D):
    """The mean of every window, over the elements inside the image."""

    fn = "mean"


class GlobalPooling2D(Layer):
    """Source: keras/src/layers/pooling/base_global_pooling.py"""

    data_format = key(data_format, "channels_last", keras1="dim_ordering")
    keepdims = key(boolean, False)

    @channels_last
    def call(self, x: Any) -> Any:
        y = self.pooled(x, tuple(range(1, len(x.shape) - 1)))
        return y if self.keepdims else ops.reshape(y, shape=(x.shape[0], x.shape[-1]))

    def pooled(self, x: Any, axes: tuple[int, ...]) -> Any:
        """The reduction itself, axes kept."""
        raise NotImplementedError


@layer("GlobalAveragePooling2D", "GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalPooling2D):
    """The mean of every channel."""

    def pooled(self, x: Any, axes: tuple[int, ...]) -> Any:
        return ops.mean(x, axes=axes)


@layer("GlobalMaxPooling2D", "GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalPooling2D):
    """The largest element of every channel."""

    def pooled(self, x: Any, axes: tuple[int, ...]) -> Any:
        return ops.reduce(x, fn="max", axes=axes)
