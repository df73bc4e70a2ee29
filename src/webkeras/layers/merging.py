"""Layers of several inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, ClassVar

from webkeras import ops
from webkeras.errors import ShapeError
from webkeras.layers.base import Layer, key, layer
from webkeras.layers.normalization import unit
from webkeras.layers.read import anything, boolean, number
from webkeras.shapes import axis, broadcast


class Merge(Layer):
    """Inputs of one rank merged elementwise: where ranks differ, axes of 1 are put in after the batch axis.

    Masks are joined by "and" until Keras 2, by "or" since Keras 3, which has no mask where an input has none.
    Source: keras/src/layers/merging/base_merge.py
    """

    mask = "use"
    merge: ClassVar[Callable[[Any, Any], Any]]

    def call(self, xs: list[Any], mask: Any = None) -> Any:
        return reduce(type(self).merge, aligned(xs))

    def compute_mask(self, xs: list[Any], mask: Any) -> Any:
        given = [m for m in mask or [] if m is not None]
        if not given or (self.dialect == 3 and len(given) < len(xs)):
            return None
        return reduce(ops.maximum if self.dialect == 3 else ops.minimum, given)


@layer("Add")
class Add(Merge):
    """The sum of all inputs."""

    merge = ops.add


@layer("Subtract")
class Subtract(Merge):
    """The first input less the second."""

    merge = ops.subtract

    def call(self, xs: list[Any], mask: Any = None) -> Any:
        if len(xs) != 2:
            raise ShapeError(f"{len(xs)} inputs; expected two")
        return super().call(xs)


@layer("Average")
class Average(Merge):
    """The mean of all inputs."""

    merge = ops.add

    def call(self, xs: list[Any], mask: Any = None) -> Any:
        return ops.multiply(super().call(xs), 1.0 / len(xs))


@layer("CustomScaleLayer")
class CustomScaleLayer(Layer):
    """The first input and `scale` times the second; InceptionResNetV2 of keras.applications has it.

    Source: keras/src/applications/inception_resnet_v2.py
    """

    scale = key(number)

    def call(self, xs: list[Any]) -> Any:
        if len(xs) != 2:
            raise ShapeError(f"{len(xs)} inputs; expected two")
        return xs[0] + xs[1] * self.scale


@layer("Multiply")
class Multiply(Merge):
    """The product of all inputs; since Keras 3 masked factors are 1, and what all inputs mask is 0.

    Source: keras/src/layers/merging/multiply.py
    """

    merge = ops.multiply

    def call(self, xs: list[Any], mask: Any = None) -> Any:
        if self.dialect < 3 or not any(m is not None for m in mask or []):
            return super().call(xs)
        factors = [x if m is None else ops.where(over(m, x), x, 1.0) for x, m in zip(xs, mask, strict=True)]
        y, kept = super().call(factors), self.compute_mask(xs, mask)
        return y if kept is None else ops.where(over(kept, y), y, 0.0)


class Extreme(Merge):
    """Maximum and minimum; since Keras 3 a masked element yields to the other input's.

    Source: keras/src/layers/merging/base_merge.py:_apply_merge_op_and_or_mask
    """

    def call(self, xs: list[Any], mask: Any = None) -> Any:
        if self.dialect < 3 or not any(m is not None for m in mask or []):
            return super().call(xs)
        y, kept = xs[0], mask[0]
        for x, m in zip(xs[1:], mask[1:], strict=True):
            here = x if m is None else ops.where(over(m, x), x, y)
            y = y if kept is None else ops.where(over(kept, y), y, here)
            kept = None if m is None or kept is None else ops.maximum(kept, m)
            y = type(self).merge(y, here)
        return y


@layer("Maximum")
class Maximum(Extreme):
    """The largest of all inputs."""

    merge = ops.maximum


@layer("Minimum")
class Minimum(Extreme):
    """The smallest of all inputs."""

    merge = ops.minimum


@layer("Concatenate")
class Concatenate(Layer):
    """The inputs one after another on `axis`.

    A step of the output is masked where any of its elements is (until Keras 2) or all of them are (since Keras 3).
    Source: keras/src/layers/merging/concatenate.py
    """

    mask = "use"
    axis = key(int, -1)

    def call(self, xs: list[Any], mask: Any = None) -> Any:
        return ops.concat(*xs, axis=axis(self.axis, len(xs[0].shape)))

    def compute_mask(self, xs: list[Any], mask: Any) -> Any:
        if not any(m is not None for m in mask or []):
            return None
        at, last = axis(self.axis, len(xs[0].shape)), len(xs[0].shape) - 1
        rows = [ops.full(tuple(x.shape[:-1]), 1.0) if m is None else m for x, m in zip(xs, mask, strict=True)]
        if at < last:
            return ops.concat(*rows, axis=at)
        return reduce(ops.maximum if self.dialect == 3 else ops.minimum, rows)


@layer("Dot")
class Dot(Layer):
    """The sum of products over one axis of each of two inputs, sample by sample; normalize makes it the cosine.

    x (n, a, k), y (n, k, b), axes (2, 1) -> (n, a, b)
    Source: keras/src/layers/merging/dot.py
    """

    axes = key(anything)
    normalize = key(boolean, False)

    def call(self, xs: list[Any]) -> Any:
        if len(xs) != 2:
            raise ShapeError(f"{len(xs)} inputs; expected two")
        axes = self.axes if isinstance(self.axes, list | tuple) else [self.axes] * 2
        at = [axis(a, len(x.shape)) for a, x in zip(axes, xs, strict=True)]
        if 0 in at:
            raise ShapeError(f"axes {self.axes} name the batch axis; expected axes of a sample")
        if self.normalize:
            xs = [unit(x, a) for x, a in zip(xs, at, strict=True)]
        letters = ["n" + "abcdefg"[: len(xs[0].shape) - 1], "n" + "pqrstuv"[: len(xs[1].shape) - 1]]
        rest = [text.replace(text[a], "") for text, a in zip(letters, at, strict=True)]
        left, right = (text.replace(text[a], "k") for text, a in zip(letters, at, strict=True))
        y = ops.einsum(f"{left},{right}->{rest[0]}{rest[1][1:]}", *xs)
        return y if len(y.shape) > 1 else ops.reshape(y, shape=(*y.shape, 1))


def over(mask: Any, x: Any) -> Any:
    """A mask (n, t) of x (n, t, c) with an axis for the channels."""
    return ops.reshape(mask, shape=(*mask.shape, *(1,) * (len(x.shape) - len(mask.shape))))


def aligned(xs: list[Any]) -> list[Any]:
    """Inputs of one rank."""
    if not isinstance(xs, list) or len(xs) < 1:
        raise ShapeError("a merging layer got no list of inputs; expected one or more tensors")
    rank = max(len(x.shape) for x in xs)
    out = [x if len(x.shape) == rank else _raised(x, rank) for x in xs]
    broadcast(*[tuple(x.shape) for x in out])
    return out


def _raised(x: Any, rank: int) -> Any:
    return ops.reshape(x, shape=(x.shape[0], *(1,) * (rank - len(x.shape)), *x.shape[1:]))
