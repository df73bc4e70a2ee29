"""Channels first is handled once: axes move before and after, the layer in between only knows channels last."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from webkeras import ops
from webkeras.errors import WebKerasError
from webkeras.graph import Value


def to_last(x: Any) -> Any:
    """(n, c, ...) -> (n, ..., c)"""
    return ops.transpose(x, perm=(0, *range(2, len(x.shape)), 1))


def to_first(x: Any) -> Any:
    """(n, ..., c) -> (n, c, ...)"""
    return ops.transpose(x, perm=(0, len(x.shape) - 1, *range(1, len(x.shape) - 1)))


def of_first(activation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An activation that Keras applies to channels first, for a tensor with channels last: softmax is along rows.

    Source: keras/src/layers/convolutional/base_conv.py:call
    """
    try:
        alone = ops.expression(activation) is not None
    except WebKerasError:  # of one number it is none
        alone = False
    return activation if alone else lambda x: to_last(activation(to_first(x)))


def flip(x: Any, axis: int = 1) -> Any:
    """x backwards on one axis; flipping twice is nothing."""
    begin, end, step = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
    begin[axis], end[axis], step[axis] = x.shape[axis] - 1, -1, -1
    cuts = {"begin": tuple(begin), "end": tuple(end), "step": tuple(step)}
    if isinstance(x, Value) and x.node and x.node.op == "slice" and x.node.attrs == cuts:
        return x.node.inputs[0]
    return ops.slice_(x, **cuts)


def channels_last(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let `call` see its first argument with channels last whatever the layer's data_format is."""

    @wraps(call)
    def wrapped(self: Any, x: Any, *more: Any, **kwargs: Any) -> Any:
        if self.data_format == "channels_last":
            return call(self, x, *more, **kwargs)
        y = call(self, to_last(x), *more, **kwargs)
        return to_first(y) if len(y.shape) > 2 else y

    return wrapped
