"""ConvLSTM over 1 to 3 spatial axes: an LSTM whose products are convolutions.

x (n, t, h, w, c) -> (n, h', w', filters), or (n, t, h', w', filters) with return_sequences; with data_format
channels_first, axes move, meaning does not.
"""

from __future__ import annotations

import warnings
from typing import Any

from webkeras import ops
from webkeras.layers.activation import activation
from webkeras.layers.base import key, layer
from webkeras.layers.cells import Run, first, joined
from webkeras.layers.convolution import Window
from webkeras.layers.layout import to_first, to_last
from webkeras.layers.read import whole
from webkeras.layers.recurrent import Recurrent
from webkeras.shapes import Shape, window


class ConvLSTM(Recurrent, Window):
    """The input is convolved with this layer's window, the state with the same kernel size, padded to its own size.

    Source: keras/src/layers/rnn/conv_lstm.py; Shi et al. 2015
    """

    leading = ("batch", "time")
    filters = key(whole, keras1="nb_filter")
    recurrent_activation = activation("hard_sigmoid", keras1="inner_activation")
    activation = activation("tanh")

    def build(self, x: Any, *_: Any) -> dict[str, Shape]:
        c, f, size = self.channels(first(x)[1:]), self.filters, self.kernel_size
        kernels = {"kernel": (*size, c, 4 * f), "recurrent_kernel": (*size, f, 4 * f)}
        return kernels | ({"bias": (4 * f,)} if self.use_bias else {})

    def canonical(self, arrays: list[Any]) -> list[Any]:
        arrays = super().canonical(arrays)
        return joined(arrays, (0, 2, 1, 3)) if len(arrays) == 12 else arrays  # Keras 1, in the order i, c, f, o

    def states(self, x: Shape) -> list[Shape]:
        pads = self.pads(x[2:-1], self.kernel_size, self.strides, self.dilation_rate)
        axes = zip(x[2:-1], self.kernel_size, self.strides, self.dilation_rate, pads, strict=True)
        return [(*(window(*a) for a in axes), self.filters)] * 2

    def run(self, x: Any, states: list[Any], mask: Any, reverse: bool, zero: bool) -> Run:
        n, t, *rest = x.shape
        z = self.convolve(ops.reshape(x, shape=(n * t, *rest)), self.kernel)
        z = ops.reshape(z + self.bias if self.use_bias else z, shape=(n, t, *z.shape[1:]))
        functions = {"activation": self.activation, "recurrent_activation": self.recurrent_activation}
        step = ops.lstm_step(self.recurrent_kernel, **functions, product=self.recurrent)
        return ops.masked_scan(step, states, [z], mask, reverse=reverse, zero=zero)

    def recurrent(self, h: Any, kernel: Any) -> Any:
        """The state's part of every gate."""
        ones = (1,) * self.rank
        pads = self.pads(h.shape[1:-1], self.kernel_size, ones, ones, "same")
        return ops.conv(h, kernel, strides=ones, pads=pads)

    def entering(self, x: Any) -> Any:
        if self.data_format == "channels_last":
            return x
        return ops.transpose(x, perm=(0, 1, *range(3, len(x.shape)), 2))

    def leaving(self, y: Any) -> Any:
        if self.data_format == "channels_last":
            return y
        return ops.transpose(y, perm=(0, 1, len(y.shape) - 1, *range(2, len(y.shape) - 1)))

    def entering_state(self, x: Any) -> Any:
        return x if self.data_format == "channels_last" else to_last(x)

    def leaving_state(self, y: Any) -> Any:
        return y if self.data_format == "channels_last" else to_first(y)


@layer("ConvLSTM1D")
class ConvLSTM1D(ConvLSTM):
    """Over rows, x (n, t, w, c)."""

    rank = 1


@layer("ConvLSTM2D")
class ConvLSTM2D(ConvLSTM):
    """Over images, x (n, t, h, w, c).

    Keras 1 does not save `subsample`: a warning says what it is taken for, and a config that has it is heard.
    """

    rank = 2

    def __init__(self, config: Any, dialect: int = 3, arrays: Any = ()) -> None:
        super().__init__(config, dialect, arrays)
        if dialect == 1 and "subsample" not in config:
            told = "Keras 1 does not save its subsample, taken as 1; if it is not, add it to the config in the JSON"
            warnings.warn(f"{self}: {told}", stacklevel=2)


@layer("ConvLSTM3D")
class ConvLSTM3D(ConvLSTM):
    """Over volumes, x (n, t, d, h, w, c)."""

    rank = 3
