"""Ops that move elements and compute nothing."""

from __future__ import annotations

from typing import Any

from webkeras.errors import ShapeError
from webkeras.graph import op
from webkeras.lazy import np
from webkeras.shapes import Pads, Shape, size


def _reshaped(x: Shape, *, shape: Shape) -> Shape:
    if size(x) != size(shape):
        raise ShapeError(f"{x} cannot be reshaped to {shape}: {size(x)} elements against {size(shape)}")
    return shape


@op(shape=_reshaped)
def reshape(x: Any, *, shape: Shape) -> Any:
    """The same elements in row-major order under a new shape.

    Raises ShapeError when the number of elements differs.
    Source: numpy.reshape
    """
    return x.reshape(shape)


@op(shape=lambda x, *, perm: tuple(x[i] for i in perm))
def transpose(x: Any, *, perm: tuple[int, ...]) -> Any:
    """Axes in a new order: axis i of the result is axis perm[i] of x.

    Source: numpy.transpose
    """
    return np.ascontiguousarray(x.transpose(perm))


def _padded(x: Shape, *, pads: Pads, value: float = 0.0) -> Shape:
    if len(pads) != len(x) or any(p < 0 for pair in pads for p in pair):
        raise ShapeError(f"pads {pads} do not fit a tensor {x}; expected (before, after) per axis, none negative")
    return tuple(n + a + b for n, (a, b) in zip(x, pads, strict=True))


@op(shape=_padded)
def pad(x: Any, *, pads: Pads, value: float = 0.0) -> Any:
    """x with `value` around it: pads are (before, after) for every axis.

    Source: numpy.pad, mode "constant"
    """
    return np.pad(x, pads, constant_values=value)


def _cut(n: int, begin: int, end: int, step: int) -> slice:
    """The slice begin:end:step of n elements, where end -1 with a negative step means "through element 0"."""
    return slice(begin, None if step < 0 and end < 0 else end, step)


def _sliced(x: Shape, *, begin: Shape, end: Shape, step: Shape) -> Shape:
    return tuple(len(range(*_cut(*a).indices(a[0]))) for a in zip(x, begin, end, step, strict=True))


@op(shape=_sliced)
def slice_(x: Any, *, begin: Shape, end: Shape, step: Shape) -> Any:
    """x[begin:end:step] on every axis; a negative step runs backwards, and its end may be -1 ("through element 0").

    Source: Python's slices
    """
    cuts = tuple(_cut(*a) for a in zip(x.shape, begin, end, step, strict=True))
    return np.ascontiguousarray(x[cuts])


def _joined(*xs: Shape, axis: int) -> Shape:
    rests = {s[:axis] + s[axis + 1 :] for s in xs}
    if len(rests) != 1:
        raise ShapeError(f"shapes {', '.join(map(str, xs))} cannot be joined on axis {axis}; all other axes must agree")
    return (*xs[0][:axis], sum(s[axis] for s in xs), *xs[0][axis + 1 :])


@op(shape=_joined, arity=None)
def concat(*xs: Any, axis: int) -> Any:
    """xs one after another on `axis`.

    Raises ShapeError when another axis differs.
    Source: numpy.concatenate
    """
    return np.concatenate(xs, axis)


@op(shape=lambda x, i, *, axis: (*x[:axis], *i, *x[axis + 1 :]), arity=2)
def take(x: Any, indices: Any, *, axis: int) -> Any:
    """Rows of x on `axis` by number; indices are whole numbers held as float32, clipped to the axis.

    x (a, n, b), indices (i, j) -> (a, i, j, b)
    Source: numpy.take, mode "clip"
    """
    return np.take(x, np.asarray(indices).astype("int64"), axis, mode="clip")
