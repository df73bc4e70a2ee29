"""Channels first is handled once: axes move before and after, the layer in between only knows channels last."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from webkeras import ops


def to_last(x: Any) -> Any:
    """(n, c, ...) -> (n, ..., c)"""
    return ops.transpose(x, perm=(0, *range(2, len(x.shape)), 1))


def to_first(x: Any) -> Any:
    """(n, ..., c) -> (n, c, ...)"""
    return ops.transpose(x, perm=(0, len(x.shape) - 1, *range(1, len(x.shape) - 1)))


def channels_last(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let `call` see its first argument with channels last whatever the layer's data_format is."""

    @wraps(call)
    def wrapped(self: Any, x: Any, *more: Any, **kwargs: Any) -> Any:
        if self.data_format == "channels_last":
            return call(self, x, *more, **kwargs)
        y = call(self, to_last(x), *more, **kwargs)
        return to_first(y) if len(y.shape) > 2 else y

    return wrapped
