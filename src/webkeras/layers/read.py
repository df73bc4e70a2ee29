"""How config values are read: each function takes what the file has and gives what the layer wants, or raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webkeras.text import short


def boolean(v: Any) -> bool:
    """true or false, nothing else."""
    if not isinstance(v, bool):
        raise ValueError(f"{short(v)}; expected true or false")
    return v


def whole(v: Any) -> int:
    """A whole number, below what float32 counts without gaps: no size of a layer is larger."""
    if isinstance(v, bool) or int(v) != v or abs(v) > 2**24:
        raise ValueError(f"{short(v)}; expected a whole number up to {2**24}")
    return int(v)


def number(v: Any) -> float:
    """A number; some Keras 2.0 wrote {"type": "ndarray", "value": 0.3}."""
    if isinstance(v, Mapping) and v.get("type") == "ndarray":
        v = v.get("value")
    if isinstance(v, bool) or not isinstance(v, int | float):
        raise ValueError(f"{short(v)}; expected a number")
    return float(v)


def optional(read: Callable[..., Any]) -> Callable[..., Any]:
    """null, or what `read` takes."""
    return lambda v, *context: None if v is None else read(v, *context)


def anything(v: Any) -> Any:
    """Whatever stands there."""
    return v


def one_of(*values: Any) -> Callable[[Any], Any]:
    """One of the given values."""

    def read(v: Any) -> Any:
        if v not in values:
            raise ValueError(f"{short(v)}; expected {' or '.join(map(repr, values))}")
        return v

    return read


def wholes(v: Any, n: int) -> tuple[int, ...]:
    """n whole numbers, one per spatial axis; one stands for all."""
    out = tuple(whole(i) for i in v) if isinstance(v, list | tuple) else (whole(v),) * n
    if len(out) == 1:
        out = out * n
    if len(out) != n:
        raise ValueError(f"{short(v)}; expected {n} numbers")
    return out


def sides(v: Any, n: int) -> tuple[tuple[int, int], ...]:
    """n pairs (before, after); a number stands for equal sides, one number for all axes.

    On one axis a list of two is the pair itself.
    """
    if n == 1 and isinstance(v, list | tuple) and len(v) == 2 and not isinstance(v[0], list | tuple):
        v = [v]
    rows = v if isinstance(v, list | tuple) else [v] * n
    if len(rows) != n:
        raise ValueError(f"{short(v)}; expected {n} pairs")
    out = [wholes(row, 2) for row in rows]
    return tuple((a, b) for a, b in out)


def data_format(v: Any) -> str:
    """ "channels_last" or "channels_first", Keras 1's "tf" and "th" understood; null and "default" are the first."""
    names = {"tf": "channels_last", "th": "channels_first", "default": "channels_last", None: "channels_last"}
    return str(one_of("channels_last", "channels_first")(names.get(v, v)))
