"""Convolutions over 2 axes, plain, depthwise and separable.

x (n, h, w, c) -> (n, h', w', filters); with data_format channels_first, axes move, meaning does not.
"""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.layers.activation import activation
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.layout import channels_last
from webkeras.layers.read import boolean, data_format, one_of, whole, wholes
from webkeras.shapes import Shape, padding


class Window(Layer):
    """What every layer with a window shares: its size, strides, dilation, padding, and where the channels are."""

    rank = 2

    kernel_size = key(wholes(2), keras1=("nb_row", "nb_col"))
    strides = key(wholes(2), (1, 1), keras1="subsample")
    padding = key(one_of("valid", "same"), "valid", keras1="border_mode")
    dilation_rate = key(wholes(2), (1, 1))
    data_format = key(data_format, "channels_last", keras1="dim_ordering")
    use_bias = key(boolean, True, keras1="bias")
    activation = activation()

    def channels(self, x: Shape) -> int:
        """The number of input channels."""
        return x[-1] if self.data_format == "channels_last" else x[1]

    def convolve(self, x: Any, kernel: Any, groups: int = 1, strides: Shape | None = None) -> Any:
        """Convolution with this layer's window; a 1x1 kernel is never padded."""
        size = kernel.shape[: self.rank]
        strides = strides or self.strides
        pads = padding(self.padding, x.shape[1:-1], size, strides, self.dilation_rate)
        return ops.conv(x, kernel, strides=strides, pads=pads, dilation=self.dilation_rate, groups=groups)

    def finish(self, y: Any) -> Any:
        """Bias and activation."""
        return self.activation(y + self.bias if self.use_bias else y)


@layer("Conv2D", "Convolution2D")
class Conv2D(Window):
    """Two-dimensional convolution, optionally dilated and grouped.

    Source: keras/src/layers/convolutional/base_conv.py
    """

    filters = key(whole, keras1="nb_filter")
    groups = key(whole, 1)

    def build(self, x: Shape) -> dict[str, Shape]:
        kernel = (*self.kernel_size, self.channels(x) // self.groups, self.filters)
        return {"kernel": kernel} | ({"bias": (self.filters,)} if self.use_bias else {})

    @channels_last
    def call(self, x: Any) -> Any:
        return self.finish(self.convolve(x, self.kernel, self.groups))


@layer("DepthwiseConv2D")
class DepthwiseConv2D(Window):
    """One convolution per channel: kernel (kh, kw, c, depth_multiplier), output channel c * depth_multiplier + m.

    Source: keras/src/layers/convolutional/base_depthwise_conv.py
    """

    depth_multiplier = key(whole, 1)

    def build(self, x: Shape) -> dict[str, Shape]:
        c, m = self.channels(x), self.depth_multiplier
        return {"depthwise_kernel": (*self.kernel_size, c, m)} | ({"bias": (c * m,)} if self.use_bias else {})

    @channels_last
    def call(self, x: Any) -> Any:
        return self.finish(depthwise(self, x, self.depthwise_kernel))


def depthwise(layer: Window, x: Any, kernel: Any) -> Any:
    """A depthwise kernel (kh, kw, c, m) as a convolution in c groups."""
    *size, c, m = kernel.shape
    return layer.convolve(x, ops.reshape(kernel, shape=(*size, 1, c * m)), groups=c)


@layer("SeparableConv2D", "SeparableConvolution2D")
class SeparableConv2D(Window):
    """A depthwise convolution, then a 1x1 convolution that mixes the channels.

    Source: keras/src/layers/convolutional/base_separable_conv.py
    """

    filters = key(whole, keras1="nb_filter")
    groups = key(one_of(1), 1)
    depth_multiplier = key(whole, 1)

    def build(self, x: Shape) -> dict[str, Shape]:
        c, m, f = self.channels(x), self.depth_multiplier, self.filters
        kernels = {"depthwise_kernel": (*self.kernel_size, c, m), "pointwise_kernel": (1, 1, c * m, f)}
        return kernels | ({"bias": (f,)} if self.use_bias else {})

    @channels_last
    def call(self, x: Any) -> Any:
        y = depthwise(self, x, self.depthwise_kernel)
        y = ops.conv(y, self.pointwise_kernel, strides=(1, 1), pads=((0, 0), (0, 0)))
        return self.finish(y)
