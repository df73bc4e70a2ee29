"""Compositions that deserve a kernel of their own; a backend without one runs the body written here."""

from __future__ import annotations

from typing import Any

from webkeras.graph import composite
from webkeras.ops.elementwise import add, divide, exp, log, multiply, rsqrt, subtract
from webkeras.ops.reduction import reduce


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
