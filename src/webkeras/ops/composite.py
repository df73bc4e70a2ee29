"""Compositions that deserve a kernel of their own; a backend without one runs the body written here."""

from __future__ import annotations

from typing import Any

from webkeras.errors import ShapeError
from webkeras.expr import Expr
from webkeras.graph import composite
from webkeras.ops.contraction import matmul
from webkeras.ops.elementwise import add, divide, exp, log, map_, multiply, rsqrt, subtract
from webkeras.ops.movement import take
from webkeras.ops.reduction import reduce
from webkeras.shapes import Shape


@composite(shape=lambda x, *, axes: tuple(1 if i in axes else n for i, n in enumerate(x)))
def mean(x: Any, *, axes: tuple[int, ...]) -> Any:
    """The mean over `axes`, which stay as 1."""
    count = 1
    for i in axes:
        count *= x.shape[i]
    return multiply(reduce(x, fn="sum", axes=axes), 1.0 / count)


@composite(shape=lambda x, *, axes: x)
def softmax(x: Any, *, axes: tuple[int, ...]) -> Any:
    """exp(x) over its sum on `axes`, stable for large x.

    Source: keras/src/activations/activations.py:softmax
    """
    e = exp(subtract(x, reduce(x, fn="max", axes=axes)))
    return divide(e, reduce(e, fn="sum", axes=axes))


@composite(shape=lambda q, k, v, *extra, expr=0: (*q[:-1], v[-1]), arity=None)
def attention(q: Any, k: Any, v: Any, *extra: Any, expr: Expr = 0) -> Any:
    """softmax(s) @ v, over the last axis of s: `expr` of q @ k (slot 0) and the extra inputs (slots 1, 2, ...).

    q (..., t, c), k (..., c, s), v (..., s, f) -> (..., t, f).
    Source: Vaswani et al., Attention Is All You Need, 2017
    """
    return matmul(softmax(map_(matmul(q, k), *extra, expr=expr), axes=(len(q.shape) - 1,)), v)


@composite(shape=lambda x, *, axes: x)
def log_softmax(x: Any, *, axes: tuple[int, ...]) -> Any:
    """log(softmax(x)), stable for large x.

    Source: keras/src/activations/activations.py:log_softmax
    """
    centred = subtract(x, reduce(x, fn="max", axes=axes))
    return subtract(centred, log(reduce(exp(centred), fn="sum", axes=axes)))


@composite(shape=lambda x, *, axes, epsilon: x)
def normalize(x: Any, *, axes: tuple[int, ...], epsilon: float) -> Any:
    """(x - mean) / sqrt(variance + epsilon) over `axes`: layer normalisation without its gains.

    Source: keras/src/layers/normalization/layer_normalization.py
    """
    centred = subtract(x, mean(x, axes=axes))
    return multiply(centred, rsqrt(add(mean(multiply(centred, centred), axes=axes), epsilon)))


def _resized(x: Shape, *, size: Shape, mode: str) -> Shape:
    if len(size) != len(x) - 2 or mode not in ("nearest", "linear"):
        raise ShapeError(f"{x} cannot be resized to {size} by {mode!r}; expected a size per axis, nearest or linear")
    return (x[0], *size, x[-1])


@composite(shape=_resized)
def resize(x: Any, *, size: Shape, mode: str) -> Any:
    """x at other sizes: output i of m lies at (i + 1/2) n / m of n elements, whose centres are at 1/2, 3/2, ...

    x (n, h, w, c), size (h', w') -> (n, h', w', c); 1 to 3 spatial axes. "nearest" takes the element it lies in,
    "linear" weighs the two centres around it (at the ends there is but one).
    Source: jax.image.resize without antialiasing; tf.image.resize
    """
    for axis, m in enumerate(size, start=1):
        n = x.shape[axis]
        if n == m:
            continue
        if mode == "nearest":
            x = take(x, [float((2 * i + 1) * n // (2 * m)) for i in range(m)], axis=axis)
            continue
        places = [min(max((i + 0.5) * n / m - 0.5, 0.0), n - 1.0) for i in range(m)]
        low = [float(int(p)) for p in places]
        part: list[Any] = [p - q for p, q in zip(places, low, strict=True)]
        for _ in x.shape[axis + 1 :]:
            part = _columns(part)
        below, above = take(x, low, axis=axis), take(x, [min(q + 1, n - 1.0) for q in low], axis=axis)
        x = add(below, multiply(subtract(above, below), part))
    return x


def _columns(rows: list[Any]) -> list[Any]:
    """Nested lists with an axis of 1 at the end."""
    return [_columns(r) if isinstance(r, list) else [r] for r in rows]
