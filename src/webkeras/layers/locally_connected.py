"""Convolutions that share no weights: every place of the output has a kernel of its own.

Source: Keras 2.15, keras/layers/locally_connected/
"""

from __future__ import annotations

from itertools import product
from typing import Any

from webkeras import ops
from webkeras.graph import value
from webkeras.layers.base import key, layer
from webkeras.layers.convolution import Window
from webkeras.layers.layout import channels_last
from webkeras.layers.read import one_of, whole
from webkeras.shapes import Shape, padding, size, window


class LocallyConnected(Window):
    """x (n, h, w, c) -> (n, h', w', filters), bias (h', w', filters).

    The kernel is (h' w', kh kw c, filters) in implementation 1; (h, w, c, h', w', filters), of which only windows
    count, in 2; and in 3 the numbers of those windows in a row, by output element and then input element. With
    channels_first, a window's and 2 and 3's elements have the channels first.
    """

    filters = key(whole, keras1="nb_filter")
    implementation = key(one_of(1, 2, 3), 1)

    def canonical(self, arrays: list[Any]) -> list[Any]:
        return arrays

    def sizes(self, x: Shape) -> tuple[Shape, Shape, int]:
        """Spatial sizes of input and output, and the channels."""
        last = self.data_format == "channels_last"
        inner = x[1:-1] if last else x[2:]
        pads = padding(self.padding, inner, self.kernel_size, self.strides, self.dilation_rate)
        axes = zip(inner, self.kernel_size, self.strides, self.dilation_rate, pads, strict=True)
        return tuple(inner), tuple(window(*a) for a in axes), x[-1] if last else x[1]

    def build(self, x: Shape) -> dict[str, Shape]:
        inner, out, c = self.sizes(x)
        f, last = self.filters, self.data_format == "channels_last"
        kernel: Shape = (size(out), size(self.kernel_size) * c, f)
        if self.implementation == 2:
            kernel = (*inner, c, *out, f) if last else (c, *inner, f, *out)
        if self.implementation == 3:
            kernel = (len(self.reached(inner, out)) * c * f,)
        return {"kernel": kernel} | ({"bias": (*out, f)} if self.use_bias else {})

    def reached(self, inner: Shape, out: Shape) -> list[tuple[int, int]]:
        """Places of the output with the places of the input that they see, as row-major numbers, in order.

        With "same", a window is centred on its stride's place, unlike a convolution's.
        Source: Keras 2.15, keras/utils/conv_utils.py:conv_connected_inputs
        """
        before = [k // 2 if self.padding == "same" else 0 for k in self.kernel_size]
        pairs = []
        for o, at in enumerate(product(*map(range, out))):
            for tap in product(*map(range, self.kernel_size)):
                i = [a * s - lo + t for a, s, lo, t in zip(at, self.strides, before, tap, strict=True)]
                if all(0 <= a < n for a, n in zip(i, inner, strict=True)):
                    number = 0
                    for a, n in zip(i, inner, strict=True):
                        number = number * n + a
                    pairs.append((o, number))
        return sorted(pairs)

    @channels_last
    def call(self, x: Any) -> Any:
        last = self.data_format == "channels_last"
        inner, c, f = tuple(x.shape[1:-1]), x.shape[-1], self.filters
        _, out, _ = self.sizes(tuple(x.shape) if last else (x.shape[0], c, *inner))
        if self.implementation == 1:
            y = self.patchwise(x, out, c)
        else:
            matrix = self.masked(inner, out, c) if self.implementation == 2 else self.gathered(inner, out, c)
            rows = ops.reshape(x, shape=(x.shape[0], size(inner) * c))
            y = ops.matmul(rows, ops.reshape(matrix, shape=(size(inner) * c, size(out) * f)))
        y = ops.reshape(y, shape=(x.shape[0], *out, f))
        if self.use_bias and not last:  # Keras reshapes it to (filters, h', w'), and does not move its axes
            moved = ops.transpose(ops.reshape(self.bias, shape=(f, *out)), perm=(*range(1, self.rank + 1), 0))
            return self.activation(y + moved)
        return self.finish(y)

    def patchwise(self, x: Any, out: Shape, c: int) -> Any:
        """Every window as a row, times the kernel of its place."""
        taps, step = list(product(*map(range, self.kernel_size))), (1, *self.strides, 1)
        parts = []
        for tap in taps:
            end = tuple(t + (o - 1) * s + 1 for t, o, s in zip(tap, out, self.strides, strict=True))
            parts.append(ops.slice_(x, begin=(0, *tap, 0), end=(x.shape[0], *end, c), step=step))
        rows = ops.reshape(ops.concat(*parts, axis=len(x.shape) - 1), shape=(x.shape[0], size(out), len(taps) * c))
        kernel = self.kernel
        if self.data_format == "channels_first":
            apart = ops.reshape(kernel, shape=(size(out), c, len(taps), self.filters))
            kernel = ops.reshape(ops.transpose(apart, perm=(0, 2, 1, 3)), shape=tuple(kernel.shape))
        y = ops.matmul(ops.transpose(rows, perm=(1, 0, 2)), kernel)
        return ops.transpose(y, perm=(1, 0, 2))

    def masked(self, inner: Shape, out: Shape, c: int) -> Any:
        """Implementation 2's kernel, (inner, c, out, f), zero outside the windows."""
        i, o, f = size(inner), size(out), self.filters
        if self.data_format == "channels_last":
            kernel = ops.reshape(self.kernel, shape=(i, c, o, f))
        else:
            kernel = ops.transpose(ops.reshape(self.kernel, shape=(c, i, f, o)), perm=(1, 0, 3, 2))
        seen = set(self.reached(inner, out))
        return ops.multiply(kernel, value([[[[float((b, a) in seen)] for b in range(o)]] for a in range(i)]))

    def gathered(self, inner: Shape, out: Shape, c: int) -> Any:
        """Implementation 3's numbers at their places in (inner, c, out, f)."""
        i, o, f = size(inner), size(out), self.filters
        last = self.data_format == "channels_last"
        places = []
        for (b, a), k, j in product(self.reached(inner, out), range(f), range(c)):
            order = (b * f + k, a * c + j) if last else (k * o + b, j * i + a)
            places.append((order, ((a * c + j) * o + b) * f + k))
        at = [0.0] * (i * c * o * f)
        for number, (_, place) in enumerate(sorted(places), start=1):
            at[place] = float(number)
        return ops.take(ops.concat(ops.full((1,), 0.0), self.kernel, axis=0), value(at), axis=0)


@layer("LocallyConnected1D")
class LocallyConnected1D(LocallyConnected):
    """x (n, t, c)"""

    rank = 1


@layer("LocallyConnected2D")
class LocallyConnected2D(LocallyConnected):
    """x (n, h, w, c)"""

    rank = 2
