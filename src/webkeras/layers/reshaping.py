"""Layers that move elements.

With data_format channels_first, axes move, meaning does not.
"""

from __future__ import annotations

from typing import Any

from webkeras import ops
from webkeras.errors import ShapeError
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.interpolation import MODES, interpolate
from webkeras.layers.layout import channels_last, to_last
from webkeras.layers.read import data_format, one_of, sides, whole, wholes
from webkeras.shapes import resolve, size
from webkeras.version import Version


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


@layer("Permute")
class Permute(Layer):
    """Axis i of the result is axis dims[i - 1] of x; axes count from 1, the batch stays."""

    dims = key(tuple)

    def call(self, x: Any) -> Any:
        if sorted(self.dims) != list(range(1, len(x.shape))):
            raise ShapeError(f"dims {self.dims} do not name the axes 1 to {len(x.shape) - 1} of {tuple(x.shape)}")
        return ops.transpose(x, perm=(0, *self.dims))


@layer("RepeatVector")
class RepeatVector(Layer):
    """(n, c) -> (n, times, c)"""

    n = key(whole)

    def call(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ShapeError(f"the input is {tuple(x.shape)}; expected (batch, features)")
        return ops.resize(ops.reshape(x, shape=(x.shape[0], 1, x.shape[1])), size=(self.n,), mode="nearest")


class Cropping(Layer):
    """Without the first and last elements of every spatial axis."""

    cropping = key(sides, 1, ranked=True)
    data_format = key(data_format, "channels_last", keras1="dim_ordering")

    @channels_last
    def call(self, x: Any) -> Any:
        spatial = list(zip(x.shape[1:-1], self.cropping, strict=True))
        if any(a + b >= n for n, (a, b) in spatial):
            raise ShapeError(f"cropping {self.cropping} leaves nothing of {tuple(x.shape)}; expected a larger input")
        begin = (0, *(a for _, (a, _) in spatial), 0)
        end = (x.shape[0], *(n - b for n, (_, b) in spatial), x.shape[-1])
        return ops.slice_(x, begin=begin, end=end, step=(1,) * len(x.shape))


class ZeroPadding(Layer):
    """Zeros around every spatial axis: ((top, bottom), (left, right)) in two dimensions."""

    padding = key(sides, 1, ranked=True)
    data_format = key(data_format, "channels_last", keras1="dim_ordering")

    @channels_last
    def call(self, x: Any) -> Any:
        return ops.pad(x, pads=((0, 0), *self.padding, (0, 0)))


class UpSampling(Layer):
    """Every spatial axis `size` times as long: each element repeated.

    "bilinear" went by corners on TensorFlow 1, and does in TF.js.
    """

    size = key(wholes, 2, ranked=True)
    data_format = key(data_format, "channels_last", keras1="dim_ordering")
    interpolation = "nearest"

    @channels_last
    def call(self, x: Any) -> Any:
        version, mode = Version(self.dialect), self.interpolation
        if mode == "bilinear" and version.number < (2, 3) and not version.tf:
            mode = "corner"
        return interpolate(x, tuple(n * k for n, k in zip(x.shape[1:-1], self.size, strict=True)), mode)


@layer("Cropping1D")
class Cropping1D(Cropping):
    """x (n, t, c)"""

    rank = 1


@layer("Cropping2D")
class Cropping2D(Cropping):
    """x (n, h, w, c)"""

    rank = 2


@layer("Cropping3D")
class Cropping3D(Cropping):
    """x (n, d, h, w, c)"""

    rank = 3


@layer("ZeroPadding1D")
class ZeroPadding1D(ZeroPadding):
    """x (n, t, c)"""

    rank = 1


@layer("ZeroPadding2D")
class ZeroPadding2D(ZeroPadding):
    """x (n, h, w, c)"""

    rank = 2


@layer("ZeroPadding3D")
class ZeroPadding3D(ZeroPadding):
    """x (n, d, h, w, c)"""

    rank = 3


@layer("UpSampling1D")
class UpSampling1D(UpSampling):
    """x (n, t, c)"""

    rank = 1
    size = key(wholes, 2, ranked=True, keras1="length")


@layer("UpSampling2D")
class UpSampling2D(UpSampling):
    """x (n, h, w, c); between the elements as `interpolation` says.

    Source: keras/src/layers/reshaping/up_sampling2d.py
    """

    rank = 2
    interpolation = key(one_of(*MODES), "nearest")


@layer("UpSampling3D")
class UpSampling3D(UpSampling):
    """x (n, d, h, w, c)"""

    rank = 3
