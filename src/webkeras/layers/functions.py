"""Functions of tensors in numpy's manner, written in ops: what operations inside a graph mean.

Source: keras/src/ops/numpy.py, whose semantics are numpy's
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from webkeras import ops
from webkeras.errors import ConfigError, ShapeError
from webkeras.shapes import axes, axis, broadcast, resolve, size
from webkeras.text import short

Function = Callable[..., Any]


def rank(x: Any) -> int:
    return len(x.shape)


def reducing(fn: str, after: Function = lambda x: x) -> Function:
    """A reduction in numpy's manner."""

    def reduced(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        over = axes(range(rank(x)) if axis is None else axis, rank(x))
        y = after(ops.mean(x, axes=over) if fn == "mean" else ops.reduce(x, fn=fn, axes=over))
        return y if keepdims else squeeze(y, over)

    return reduced


def variance(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    centred = ops.subtract(x, reducing("mean")(x, axis, True))
    return reducing("mean")(square(centred), axis, keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    top = reducing("max")(x, axis, True)
    y = ops.add(top, ops.log(reducing("sum")(ops.exp(ops.subtract(x, top)), axis, True)))
    return y if keepdims else squeeze(y, axes(range(rank(x)) if axis is None else axis, rank(x)))


def square(x: Any) -> Any:
    return ops.multiply(x, x)


def truth(x: Any) -> Any:
    """1 where x is not 0, else 0."""
    return ops.subtract(1.0, ops.equal(x, 0.0))


def truncated(x: Any) -> Any:
    return ops.multiply(ops.sign(x), ops.floor(ops.absolute(x)))


def cast(x: Any, dtype: Any) -> Any:
    """As float32, with the fraction cut off where the type has none."""
    name = str(dtype)
    return truth(x) if "bool" in name else truncated(x) if "int" in name else x


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    return ops.minimum(ops.maximum(x, x_min), x_max)


def modulo(x1: Any, x2: Any) -> Any:
    return ops.subtract(x1, ops.multiply(ops.floor(ops.divide(x1, x2)), x2))


def matmul(x1: Any, x2: Any) -> Any:
    """numpy.matmul: a vector is a row or a column, and its axis of 1 goes afterwards."""
    a = x1 if rank(x1) > 1 else expand_dims(x1, 0)
    b = x2 if rank(x2) > 1 else expand_dims(x2, 1)
    y = ops.matmul(a, b)
    y = y if rank(x2) > 1 else squeeze(y, -1)
    return y if rank(x1) > 1 else squeeze(y, -2 if rank(x2) > 1 else -1)


def reshape(x: Any, newshape: Any) -> Any:
    target = [newshape] if isinstance(newshape, int) else newshape
    return ops.reshape(x, shape=resolve([-1 if d is None else d for d in target], size(x.shape)))


def transpose(x: Any, axes: Any = None) -> Any:
    perm = tuple(range(rank(x)))[::-1] if axes is None else tuple(axis(a, rank(x)) for a in axes)
    return ops.transpose(x, perm=perm)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    order = list(range(rank(x)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    pairs = [([v] if isinstance(v, int) else v) for v in (source, destination)]
    moved = {axis(d, rank(x)): axis(s, rank(x)) for s, d in zip(*pairs, strict=True)}
    rest = iter(i for i in range(rank(x)) if i not in moved.values())
    return transpose(x, [moved[i] if i in moved else next(rest) for i in range(rank(x))])


def expand_dims(x: Any, axis: Any) -> Any:
    new = axes(axis, rank(x) + (1 if isinstance(axis, int) else len(axis)))
    rest = iter(x.shape)
    return ops.reshape(x, shape=tuple(1 if i in new else next(rest) for i in range(rank(x) + len(new))))


def squeeze(x: Any, axis: Any = None) -> Any:
    gone = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes(axis, rank(x))
    if any(x.shape[i] != 1 for i in gone):
        raise ShapeError(f"axis {axis} of {tuple(x.shape)} cannot be squeezed; expected a size of 1")
    return ops.reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in gone))


def concatenate(xs: Any, axis: int = 0) -> Any:
    return ops.concat(*xs, axis=axis % rank(xs[0]))


def stack(xs: Any, axis: int = 0) -> Any:
    return concatenate([expand_dims(x, axis) for x in xs], axis)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    n = x.shape[axis]
    cuts = indices_or_sections
    if isinstance(cuts, int):
        if n % cuts:
            raise ShapeError(f"{n} elements do not split into {cuts} equal parts")
        cuts = range(n // cuts, n, n // cuts)
    ends = [0, *cuts, n]
    return [cut(x, axis, a, b) for a, b in pairwise(ends)]


def unstack(x: Any, num: Any = None, axis: int = 0) -> list[Any]:
    return [squeeze(part, axis) for part in split(x, x.shape[axis], axis)]


def cut(x: Any, axis: int, begin: int, end: int) -> Any:
    at = axis % rank(x)
    return ops.slice_(
        x,
        begin=tuple(begin if i == at else 0 for i in range(rank(x))),
        end=tuple(end if i == at else n for i, n in enumerate(x.shape)),
        step=(1,) * rank(x),
    )


def flip(x: Any, axis: Any = None) -> Any:
    over = axes(range(rank(x)) if axis is None else axis, rank(x))
    key = [slice(None, None, -1 if i in over else 1) for i in range(rank(x))]
    return get_item(x, key)


def roll(x: Any, shift: int, axis: int) -> Any:
    at = -shift % x.shape[axis]
    return concatenate([cut(x, axis, at, x.shape[axis]), cut(x, axis, 0, at)], axis)


def repeat(x: Any, repeats: int, axis: int) -> Any:
    at = axis % rank(x)
    y = broadcast_to(expand_dims(x, at + 1), (*x.shape[: at + 1], repeats, *x.shape[at + 1 :]))
    return ops.reshape(y, shape=(*x.shape[:at], x.shape[at] * repeats, *x.shape[at + 1 :]))


def tile(x: Any, repeats: Any) -> Any:
    times = [repeats] if isinstance(repeats, int) else list(repeats)
    times = [1] * (rank(x) - len(times)) + times
    x = ops.reshape(x, shape=(1,) * (len(times) - rank(x)) + tuple(x.shape))
    for i, n in enumerate(times):
        x = concatenate([x] * n, i) if n != 1 else x
    return x


def broadcast_to(x: Any, shape: Any) -> Any:
    if broadcast(tuple(x.shape), tuple(shape)) != tuple(shape):
        raise ShapeError(f"{tuple(x.shape)} does not broadcast to {tuple(shape)}")
    x = ops.reshape(x, shape=(1,) * (len(shape) - rank(x)) + tuple(x.shape))
    for i, n in enumerate(shape):
        x = concatenate([x] * n, i) if x.shape[i] != n else x
    return x


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    if mode.lower() != "constant":
        raise ConfigError(f"pad mode {short(mode)}; expected 'constant'")
    rows = pad_width if isinstance(pad_width, list | tuple) else [pad_width]
    pairs = [[r, r] if isinstance(r, int) else list(r) for r in rows]
    pairs = pairs * rank(x) if len(pairs) == 1 else pairs
    return ops.pad(x, pads=tuple((a, b) for a, b in pairs), value=float(constant_values or 0))


def take(x: Any, indices: Any, axis: Any = None) -> Any:
    x = ops.reshape(x, shape=(size(x.shape),)) if axis is None else x
    at = 0 if axis is None else axis % rank(x)
    if isinstance(indices, int):
        return squeeze(cut(x, at, indices % x.shape[at], indices % x.shape[at] + 1), at)
    return ops.take(x, indices, axis=at)


def get_item(x: Any, key: Any) -> Any:
    """x[key] for whole numbers, slices, None and Ellipsis."""
    keys = list(key) if isinstance(key, list | tuple) else [key]
    if not all(k is None or k is ... or isinstance(k, int | slice) for k in keys):
        raise ConfigError("indexing with a tensor; expected whole numbers and slices")
    taken = sum(k is not None and k is not ... for k in keys)
    if taken > rank(x):
        raise ShapeError(f"{taken} indices into a tensor of shape {tuple(x.shape)}")
    if ... not in keys:
        keys.append(...)
    at = keys.index(...)
    keys[at : at + 1] = [slice(None)] * (rank(x) - taken)
    begin, end, step, shape, sizes = [], [], [], [], iter(x.shape)
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        n = next(sizes)
        if isinstance(k, int):
            axis(k, n)
            k = slice(k % n, k % n + 1)
        else:
            shape.append(len(range(*k.indices(n))))
        a, b, s = k.indices(n)
        begin.append(a)
        end.append(b)
        step.append(s)
    return ops.reshape(ops.slice_(x, begin=tuple(begin), end=tuple(end), step=tuple(step)), shape=tuple(shape))


def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    if order != 2:
        raise ConfigError(f"normalize of order {order}; expected 2")
    total = reducing("sum")(square(x), axis, True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(total, 1e-12 if epsilon is None else epsilon)))


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12) -> Any:
    total = reducing("sum")(square(x), axis, True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(total, epsilon)))


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    return ops.where(ops.less(0.0, x), x, ops.multiply(x, negative_slope))


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    at = axis % (rank(x) + 1)
    row = [float(i) for i in range(num_classes)]
    for _ in range(rank(x) - at):
        row = [[v] for v in row]  # type: ignore[misc]
    return ops.equal(expand_dims(x, at), row)


def log_to(base: float) -> Function:
    return lambda x: ops.multiply(ops.log(x), 1 / math.log(base))


def not_equal(x1: Any, x2: Any) -> Any:
    return ops.subtract(1.0, ops.equal(x1, x2))


def any_(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return reducing("max")(truth(x), axis, keepdims)


def all_(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return reducing("min")(truth(x), axis, keepdims)


def deviation(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return ops.sqrt(variance(x, axis, keepdims))


def round_(x: Any, decimals: int = 0) -> Any:
    return ops.divide(ops.round_(ops.multiply(x, 10.0**decimals)), 10.0**decimals) if decimals else ops.round_(x)


def gather(x: Any, indices: Any, axis: int = 0) -> Any:
    """TensorFlow's take."""
    return take(x, indices, axis)


def split_sizes(x: Any, sizes: Any, axis: int = 0) -> list[Any]:
    """TensorFlow's split: a number of parts, or the sizes of all."""
    if isinstance(sizes, int):
        return split(x, sizes, axis)
    ends = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    if ends[-1] != x.shape[axis]:
        raise ShapeError(f"{x.shape[axis]} elements do not split into {sizes}")
    return split(x, ends[1:-1], axis)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half, times the sigmoid of the second."""
    first, second = split(x, 2, axis)
    return ops.multiply(first, ops.sigmoid(second))
