"""Ops that make many elements one."""

from __future__ import annotations

from typing import Any

from webkeras.errors import ShapeError
from webkeras.graph import op
from webkeras.lazy import np
from webkeras.shapes import Pads, Shape, window


@op(shape=lambda x, *, fn, axes: tuple(1 if i in axes else n for i, n in enumerate(x)))
def reduce(x: Any, *, fn: str, axes: tuple[int, ...]) -> Any:
    """sum, max, min or prod over `axes`, which stay as 1.

    Source: numpy.sum and its sisters with keepdims
    """
    return getattr(np, fn)(x, axis=axes, keepdims=True)


def _pooled(x: Shape, *, fn: str, window_: Shape, strides: Shape, pads: Pads) -> Shape:
    spatial = [*zip(x[1:-1], window_, strides, (1,) * len(strides), pads, strict=True)]
    out = [window(*a) for a in spatial]
    for i, (n, k, stride, _, (low, _)) in enumerate(spatial):
        if low >= k or (out[i] - 1) * stride - low >= n:
            raise ShapeError(f"a window of {k} on {n} elements padded by {pads[i]} holds none; expected narrower pads")
    return (x[0], *out, x[-1])


@op(shape=_pooled)
def pool(x: Any, *, fn: str, window_: Shape, strides: Shape, pads: Pads) -> Any:
    """The max, or the mean over the elements inside the image, of every window.

    x (n, h, w, c) -> (n, h', w', c); fn is "max" or "mean"; 1 to 3 spatial axes.
    Raises ShapeError when the window does not fit, or one would lie in the padding only.
    Source: keras/src/ops/nn.py:max_pool, average_pool (TensorFlow's rule for 'same')
    """
    around = ((0, 0), *pads, (0, 0))
    padded = np.pad(x, around, constant_values=-np.inf if fn == "max" else 0)
    views = np.lib.stride_tricks.sliding_window_view(padded, window_, tuple(range(1, x.ndim - 1)))
    every = (slice(None), *(slice(None, None, s) for s in strides))
    last = tuple(range(x.ndim, x.ndim + len(window_)))
    if fn == "max":
        return views[every].max(last)
    inside = np.pad(np.ones((1, *x.shape[1:-1], 1), "float32"), around)
    counts = np.lib.stride_tricks.sliding_window_view(inside, window_, tuple(range(1, x.ndim - 1)))
    return (views[every].sum(last) / counts[every].sum(last)).astype("float32")
