"""Convolutions over 1 to 3 axes: plain, transposed, depthwise and separable.

x (n, h, w, c) -> (n, h', w', filters); with data_format channels_first, axes move, meaning does not. A class per rank
is one line; what the ranks share is said once.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, ClassVar

from webkeras import ops
from webkeras.layers.activation import activation
from webkeras.layers.base import Layer, Spelling, key, layer
from webkeras.layers.layout import channels_last, flip, of_first
from webkeras.layers.read import boolean, data_format, one_of, optional, whole, wholes
from webkeras.shapes import Pads, Shape, padding, transposed
from webkeras.version import Version

KERNEL: dict[int, Spelling] = {
    1: "filter_length",
    2: ("nb_row", "nb_col"),
    3: ("kernel_dim1", "kernel_dim2", "kernel_dim3"),
}
STRIDES: dict[int, Spelling] = {1: "subsample_length", 2: "subsample", 3: "subsample"}


class Window(Layer):
    """What every layer with a window shares: its size, strides, dilation, padding, and where the channels are."""

    convolves: ClassVar[bool] = True  # Theano turned kernels around

    kernel_size = key(wholes, ranked=True, keras1=KERNEL)
    strides = key(wholes, 1, ranked=True, keras1=STRIDES)
    padding = key(one_of("valid", "same"), "valid", keras1="border_mode")
    dilation_rate = key(wholes, 1, ranked=True, keras1="atrous_rate")
    data_format = key(data_format, "channels_last", keras1="dim_ordering")
    use_bias = key(boolean, True, keras1="bias")
    activation = activation()

    def __init__(self, config: Any, dialect: int = 3, arrays: Any = ()) -> None:
        super().__init__(config, dialect, arrays)
        for name in ("activation", "recurrent_activation") if self.data_format == "channels_first" else ():
            if hasattr(self, name):
                setattr(self, name, of_first(getattr(self, name)))

    def canonical(self, arrays: list[Any]) -> list[Any]:
        return [self.kernel_of(a) if len(a.shape) > 1 else a for a in arrays]

    def kernel_of(self, a: Any) -> Any:
        """A kernel (kh, kw, in, out) of one that Keras 1, or Keras on Theano, laid out in another way.

        Source: Keras 2.3, keras/engine/saving.py:preprocess_weights_for_loading
        """
        if self.dialect == 1 and self.rank == 1:
            size, one, c, f = a.shape
            if (size, one, f) == (*self.kernel_size, 1, self.filters):
                a = ops.reshape(a, shape=(size, c, f))
            else:  # until 1.0: (out, in, k, 1)
                a = ops.transpose(ops.reshape(a, shape=(size, one, c)), perm=(2, 1, 0))
        elif self.dialect == 1 and self.data_format == "channels_first":
            a = ops.transpose(a, perm=(*range(2, self.rank + 2), 1, 0))
        return reduce(flip, range(self.rank), a) if self.convolves and Version(self.dialect).theano else a

    def channels(self, x: Shape) -> int:
        """The number of input channels."""
        return x[-1] if self.data_format == "channels_last" else x[1]

    def convolve(self, x: Any, kernel: Any, groups: int = 1) -> Any:
        """Convolution with this layer's window."""
        size = kernel.shape[: self.rank]
        pads = self.pads(x.shape[1:-1], size, self.strides, self.dilation_rate)
        return ops.conv(x, kernel, strides=self.strides, pads=pads, dilation=self.dilation_rate, groups=groups)

    def pads(self, shape: Shape, kernel: Shape, strides: Shape, dilation: Shape, mode: str = "") -> Pads:
        """This layer's padding (or another) of these sizes."""
        mode = mode or self.padding
        theano = mode == "same" and Version(self.dialect).theano
        return padding("half" if theano else mode, shape, kernel, strides, dilation)

    def depthwise(self, x: Any, kernel: Any) -> Any:
        """One convolution per channel: a kernel (kh, kw, c, m) in c groups."""
        *size, c, m = kernel.shape
        return self.convolve(x, ops.reshape(kernel, shape=(*size, 1, c * m)), groups=c)

    def finish(self, y: Any) -> Any:
        """Bias and activation."""
        return self.activation(y + self.bias if self.use_bias else y)


class Conv(Window):
    """Convolution, optionally dilated and grouped.

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


@layer("Conv1D", "Convolution1D", "AtrousConvolution1D")
class Conv1D(Conv):
    """Over time, x (n, t, c); padding may also be "causal": no output sees what comes after it."""

    rank = 1
    padding = key(one_of("valid", "same", "causal"), "valid", keras1="border_mode")


@layer("Conv2D", "Convolution2D", "AtrousConvolution2D")
class Conv2D(Conv):
    """Over an image, x (n, h, w, c)."""

    rank = 2


@layer("Conv3D", "Convolution3D")
class Conv3D(Conv):
    """Over a volume, x (n, d, h, w, c)."""

    rank = 3


class ConvTranspose(Window):
    """The adjoint of a convolution; kernel (kh, kw, filters, c).

    Source: keras/src/layers/convolutional/base_conv_transpose.py
    """

    filters = key(whole)
    groups = key(one_of(1), 1)
    output_padding = key(optional(wholes), None, ranked=True)

    def build(self, x: Shape) -> dict[str, Shape]:
        kernel = (*self.kernel_size, self.filters, self.channels(x))
        return {"kernel": kernel} | ({"bias": (self.filters,)} if self.use_bias else {})

    @channels_last
    def call(self, x: Any) -> Any:
        extra = self.output_padding or (None,) * self.rank
        axes = zip(x.shape[1:-1], self.kernel_size, self.strides, self.dilation_rate, extra, strict=True)
        sizes, pads = zip(*[transposed(self.padding, *axis) for axis in axes], strict=True)
        if Version(self.dialect).theano:
            pads = self.pads(sizes, self.kernel_size, self.strides, self.dilation_rate)
        y = ops.conv_transpose(
            x, self.kernel, strides=self.strides, pads=pads, output=sizes, dilation=self.dilation_rate
        )
        return self.finish(y)


@layer("Conv1DTranspose", "Convolution1DTranspose")
class Conv1DTranspose(ConvTranspose):
    """Over time, x (n, t, c)."""

    rank = 1


@layer("Conv2DTranspose", "Convolution2DTranspose")
class Conv2DTranspose(ConvTranspose):
    """Over an image, x (n, h, w, c)."""

    rank = 2


@layer("Conv3DTranspose", "Convolution3DTranspose")
class Conv3DTranspose(ConvTranspose):
    """Over a volume, x (n, d, h, w, c)."""

    rank = 3


class DepthwiseConv(Window):
    """One convolution per channel: kernel (kh, kw, c, depth_multiplier), output channel c * depth_multiplier + m.

    Source: keras/src/layers/convolutional/base_depthwise_conv.py
    """

    convolves = False
    groups = key(one_of(1), 1)
    depth_multiplier = key(whole, 1)

    def build(self, x: Shape) -> dict[str, Shape]:
        c, m = self.channels(x), self.depth_multiplier
        return {"depthwise_kernel": (*self.kernel_size, c, m)} | ({"bias": (c * m,)} if self.use_bias else {})

    @channels_last
    def call(self, x: Any) -> Any:
        return self.finish(self.depthwise(x, self.depthwise_kernel))


@layer("DepthwiseConv1D")
class DepthwiseConv1D(DepthwiseConv):
    """Over time, x (n, t, c)."""

    rank = 1


@layer("DepthwiseConv2D")
class DepthwiseConv2D(DepthwiseConv):
    """Over an image, x (n, h, w, c)."""

    rank = 2


class SeparableConv(Window):
    """A depthwise convolution, then a 1x1 convolution that mixes the channels.

    Source: keras/src/layers/convolutional/base_separable_conv.py
    """

    filters = key(whole, keras1="nb_filter")
    convolves = False
    groups = key(one_of(1), 1)
    depth_multiplier = key(whole, 1)

    def build(self, x: Shape) -> dict[str, Shape]:
        c, m, f = self.channels(x), self.depth_multiplier, self.filters
        one = (1,) * self.rank
        kernels = {"depthwise_kernel": (*self.kernel_size, c, m), "pointwise_kernel": (*one, c * m, f)}
        return kernels | ({"bias": (f,)} if self.use_bias else {})

    @channels_last
    def call(self, x: Any) -> Any:
        y = self.depthwise(x, self.depthwise_kernel)
        y = ops.conv(y, self.pointwise_kernel, strides=(1,) * self.rank, pads=((0, 0),) * self.rank)
        return self.finish(y)


@layer("SeparableConv1D", "SeparableConvolution1D")
class SeparableConv1D(SeparableConv):
    """Over time, x (n, t, c); padding may also be "causal"."""

    rank = 1
    padding = key(one_of("valid", "same", "causal"), "valid")


@layer("SeparableConv2D", "SeparableConvolution2D")
class SeparableConv2D(SeparableConv):
    """Over an image, x (n, h, w, c)."""

    rank = 2
