"""Pooling over windows, over whole images, and to a given size, over 1 to 3 axes.

x (n, h, w, c) -> (n, h', w', c), or (n, c) for the global ones; with data_format channels_first, axes move.
"""

from __future__ import annotations

from typing import Any, ClassVar

from webkeras import ops
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.layout import channels_last
from webkeras.layers.read import boolean, data_format, one_of, optional, wholes
from webkeras.shapes import padding
from webkeras.version import Version


def reduced(x: Any, fn: str, axes: tuple[int, ...]) -> Any:
    """The "max" or "mean" over axes, which stay as 1."""
    return ops.mean(x, axes=axes) if fn == "mean" else ops.reduce(x, fn=fn, axes=axes)


class Pooling(Layer):
    """The largest element, or the mean over the elements inside the image, of every window.

    Source: keras/src/layers/pooling/base_pooling.py
    """

    fn: ClassVar[str]

    pool_size = key(wholes, 2, ranked=True, keras1={1: "pool_length"})
    strides = key(optional(wholes), None, ranked=True, keras1={1: "stride"})
    padding = key(one_of("valid", "same"), "valid", keras1="border_mode")
    data_format = key(data_format, "channels_last", keras1="dim_ordering")

    @channels_last
    def call(self, x: Any) -> Any:
        strides = self.strides or self.pool_size
        theano = self.padding == "same" and self.rank < 3 and Version(self.dialect).theano
        pads = padding("pool" if theano else self.padding, x.shape[1:-1], self.pool_size, strides, (1,) * self.rank)
        if theano and self.fn == "mean" and self.dialect == 2:  # which counted the padding, there
            x, pads = ops.pad(x, pads=((0, 0), *pads, (0, 0))), ((0, 0),) * self.rank
        return ops.pool(x, fn=self.fn, window_=self.pool_size, strides=strides, pads=pads)


class GlobalPooling(Layer):
    """The largest element or the mean of every channel.

    Source: keras/src/layers/pooling/base_global_pooling.py
    """

    fn: ClassVar[str]

    data_format = key(data_format, "channels_last", keras1="dim_ordering")
    keepdims = key(boolean, False)

    @channels_last
    def call(self, x: Any, mask: Any = None) -> Any:
        y = self.pooled(x, tuple(range(1, len(x.shape) - 1)), mask)
        return y if self.keepdims else ops.reshape(y, shape=(x.shape[0], x.shape[-1]))

    def pooled(self, x: Any, axes: tuple[int, ...], mask: Any) -> Any:
        """The reduction itself, axes kept."""
        return reduced(x, self.fn, axes)


class AdaptivePooling(Layer):
    """Pooling to `output_size`: output i of m takes the elements floor(i n / m) to ceil((i + 1) n / m) of n.

    Windows of an image are products of intervals, so the axes are pooled one after another.
    Source: keras/src/layers/pooling/base_adaptive_pooling.py
    """

    fn: ClassVar[str]

    output_size = key(wholes, ranked=True)
    data_format = key(data_format, "channels_last")

    @channels_last
    def call(self, x: Any) -> Any:
        spatial = list(zip(x.shape[1:-1], self.output_size, strict=True))
        if all(n % m == 0 for n, m in spatial):  # equal windows: one op
            window = tuple(n // m for n, m in spatial)
            return ops.pool(x, fn=self.fn, window_=window, strides=window, pads=((0, 0),) * self.rank)
        for axis, m in enumerate(self.output_size, start=1):
            n, parts = x.shape[axis], []
            for i in range(m):
                begin, end = [0] * len(x.shape), list(x.shape)
                begin[axis], end[axis] = i * n // m, -(-(i + 1) * n // m)
                part = ops.slice_(x, begin=tuple(begin), end=tuple(end), step=(1,) * len(x.shape))
                parts.append(reduced(part, self.fn, (axis,)))
            x = ops.concat(*parts, axis=axis) if m > 1 else parts[0]
        return x


@layer("MaxPooling1D", "MaxPool1D")
class MaxPooling1D(Pooling):
    """x (n, t, c)"""

    rank, fn = 1, "max"


@layer("MaxPooling2D", "MaxPool2D")
class MaxPooling2D(Pooling):
    """x (n, h, w, c)"""

    rank, fn = 2, "max"


@layer("MaxPooling3D", "MaxPool3D")
class MaxPooling3D(Pooling):
    """x (n, d, h, w, c)"""

    rank, fn = 3, "max"


@layer("AveragePooling1D", "AvgPool1D")
class AveragePooling1D(Pooling):
    """x (n, t, c)"""

    rank, fn = 1, "mean"


@layer("AveragePooling2D", "AvgPool2D")
class AveragePooling2D(Pooling):
    """x (n, h, w, c)"""

    rank, fn = 2, "mean"


@layer("AveragePooling3D", "AvgPool3D")
class AveragePooling3D(Pooling):
    """x (n, d, h, w, c)"""

    rank, fn = 3, "mean"


@layer("GlobalMaxPooling1D", "GlobalMaxPool1D")
class GlobalMaxPooling1D(GlobalPooling):
    """x (n, t, c)"""

    rank, fn = 1, "max"


@layer("GlobalMaxPooling2D", "GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalPooling):
    """x (n, h, w, c)"""

    rank, fn = 2, "max"


@layer("GlobalMaxPooling3D", "GlobalMaxPool3D")
class GlobalMaxPooling3D(GlobalPooling):
    """x (n, d, h, w, c)"""

    rank, fn = 3, "max"


@layer("GlobalAveragePooling1D", "GlobalAvgPool1D")
class GlobalAveragePooling1D(GlobalPooling):
    """x (n, t, c); a mask (n, t) leaves timesteps out of the mean.

    Source: keras/src/layers/pooling/global_average_pooling1d.py
    """

    rank, fn = 1, "mean"
    mask = "use"

    def compute_mask(self, x: Any, mask: Any) -> Any:
        return None

    def pooled(self, x: Any, axes: tuple[int, ...], mask: Any) -> Any:
        if mask is None:
            return super().pooled(x, axes, mask)
        kept = ops.reshape(mask, shape=(*mask.shape, 1))
        return ops.divide(ops.reduce(x * kept, fn="sum", axes=axes), ops.reduce(kept, fn="sum", axes=axes))


@layer("GlobalAveragePooling2D", "GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalPooling):
    """x (n, h, w, c)"""

    rank, fn = 2, "mean"


@layer("GlobalAveragePooling3D", "GlobalAvgPool3D")
class GlobalAveragePooling3D(GlobalPooling):
    """x (n, d, h, w, c)"""

    rank, fn = 3, "mean"


@layer("AdaptiveMaxPooling1D")
class AdaptiveMaxPooling1D(AdaptivePooling):
    """x (n, t, c)"""

    rank, fn = 1, "max"


@layer("AdaptiveMaxPooling2D")
class AdaptiveMaxPooling2D(AdaptivePooling):
    """x (n, h, w, c)"""

    rank, fn = 2, "max"


@layer("AdaptiveMaxPooling3D")
class AdaptiveMaxPooling3D(AdaptivePooling):
    """x (n, d, h, w, c)"""

    rank, fn = 3, "max"


@layer("AdaptiveAveragePooling1D")
class AdaptiveAveragePooling1D(AdaptivePooling):
    """x (n, t, c)"""

    rank, fn = 1, "mean"


@layer("AdaptiveAveragePooling2D")
class AdaptiveAveragePooling2D(AdaptivePooling):
    """x (n, h, w, c)"""

    rank, fn = 2, "mean"


@layer("AdaptiveAveragePooling3D")
class AdaptiveAveragePooling3D(AdaptivePooling):
    """x (n, d, h, w, c)"""

    rank, fn = 3, "mean"
