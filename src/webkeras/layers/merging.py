"""Layers of several inputs."""

from __future__ import annotations

from functools import reduce
from typing import Any

from webkeras import ops
from webkeras.errors import ShapeError
from webkeras.layers.base import Layer, key, layer
from webkeras.shapes import axis


@layer("Add")
class Add(Layer):
    """The sum of all inputs, broadcast as in Keras: an input of lower rank gets axes after the first."""

    def call(self, xs: list[Any]) -> Any:
        return reduce(ops.add, aligned(xs))


@layer("Concatenate")
class Concatenate(Layer):
    """The inputs one after another on `axis`."""

    axis = key(int, -1)

    def call(self, xs: list[Any]) -> Any:
        return ops.concat(*xs, axis=axis(self.axis, len(xs[0].shape)))


def aligned(xs: list[Any]) -> list[Any]:
    """Inputs of one rank: where ranks differ, axes of 1 are put in after the batch axis.

    Source: keras/src/layers/merging/base_merge.py
    """
    if not isinstance(xs, list) or len(xs) < 1:
        raise ShapeError("a merging layer got no list of inputs; expected one or more tensors")
    rank = max(len(x.shape) for x in xs)
    return [x if len(x.shape) == rank else _raised(x, rank) for x in xs]


def _raised(x: Any, rank: int) -> Any:
    return ops.reshape(x, shape=(x.shape[0], *(1,) * (rank - len(x.shape)), *x.shape[1:]))
